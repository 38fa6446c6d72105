"""Proxies as exits against scripted ones: REST and WebSocket go through, and when a proxy is no proxy any more, nowhere."""

import asyncio
import contextlib
import functools
import ssl
import sys

import aiohttp
import pytest
import uvloop
from aiohttp import web
from scripted_proxies import PAGE, certificate, counter, proxy

from tradedesk.access import exit_guard, exit_tunnel
from tradedesk.access.egress import AnswerRefused, Egress, NotSent, last_check, open_session, parse_egress

NAME = "venue.test"  # in no DNS (RFC 6761): only the proxy knows it
SCHEMES = ("http", "https", "socks5")


def on_workers_loop(test):
    """Run an async test on uvloop, as a worker does: its TLS in TLS is not asyncio's."""

    @functools.wraps(test)
    def run(*args, **kwargs):
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(test(*args, **kwargs))

    return run


class Venue:
    def __init__(self):
        self.seen = []
        self.headers = []

    async def answer(self, request):
        self.seen.append((request.method, request.path))
        self.headers.append(dict(request.headers))
        return web.json_response({"ok": True})

    async def away(self, request):
        self.seen.append((request.method, request.path))
        return web.Response(status=307, headers={"Location": "http://127.0.0.1:1/stolen"})

    async def echo(self, request):
        self.seen.append(("WS", request.path))
        ws = web.WebSocketResponse()
        await ws.prepare(request)
        async for message in ws:
            await ws.send_str(message.data)
        return ws


@contextlib.asynccontextmanager
async def serving(tls=None):
    there = Venue()
    app = web.Application()
    app.router.add_get("/ws", there.echo)
    app.router.add_post("/away", there.away)
    app.router.add_route("*", "/{rest:.*}", there.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
    await site.start()
    there.port = site._server.sockets[0].getsockname()[1]
    try:
        yield there
    finally:
        await runner.cleanup()


@pytest.fixture
def trusted(tmp_path, monkeypatch):
    """TLS contexts of servers that the sessions of this test believe, by name."""
    believed = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    monkeypatch.setattr(exit_guard, "tls_context", lambda: believed)
    monkeypatch.setattr(exit_tunnel, "tls_context", lambda: believed)

    def made(name):
        context, public = certificate(tmp_path, name)
        believed.load_verify_locations(public)
        return context

    return made


@contextlib.asynccontextmanager
async def proxied(scheme, venue, trusted, user="", password=None):
    """A proxy that alone knows the venue's name, and a session that leaves by it."""
    tls = trusted("127.0.0.1") if scheme == "https" else None
    async with proxy({NAME: ("127.0.0.1", venue.port)}, tls) as made:
        if scheme == "socks5":
            made.play = made.socks
        exit_ = parse_egress(f"{scheme}://{user}{'@' if user else ''}127.0.0.1:{made.port}", password)
        assert isinstance(exit_, Egress)
        made.exit = exit_
        async with open_session(exit_, [(NAME, venue.port), (NAME, 443)]) as session:
            yield made, session


async def ask_both(session, venue, scheme="http"):
    async with session.post(f"{scheme}://{NAME}:{venue.port}/order", data=b"signed") as answer:
        assert await answer.json() == {"ok": True}
    async with session.ws_connect(f"{scheme.replace('http', 'ws')}://{NAME}:{venue.port}/ws") as ws:
        await ws.send_str("hello")
        assert await ws.receive_str() == "hello"


@pytest.mark.parametrize("venue_scheme", ["http", "https"])
@pytest.mark.parametrize("scheme", SCHEMES)
@on_workers_loop
async def test_F10_rest_and_websocket_both_go_through_the_proxy_and_names_are_resolved_there(
    scheme, venue_scheme, trusted
):
    tls = trusted(NAME) if venue_scheme == "https" else None
    async with serving(tls) as venue, proxied(scheme, venue, trusted) as (made, session):
        await ask_both(session, venue, venue_scheme)
        assert venue.seen == [("POST", "/order"), ("WS", "/ws")]
        assert set(made.asked) == {f"{NAME}:{venue.port}"}  # the name itself: nobody here resolved it
        assert not any("proxy" in name.lower() or "forwarded" in name.lower() for name in venue.headers[0])


@pytest.mark.parametrize("scheme", SCHEMES)
@on_workers_loop
async def test_the_password_goes_to_the_proxy_and_nowhere_else(scheme, trusted):
    async with serving() as venue, proxied(scheme, venue, trusted, "me", "hunter2") as (made, session):
        await ask_both(session, venue)
        assert set(made.auth) == ({"me:hunter2"} if scheme == "socks5" else {"Basic bWU6aHVudGVyMg=="})
        assert "hunter2" not in str(venue.headers) + str(made.asked)
        assert "bWU6aHVudGVyMg" not in str(venue.headers)


@pytest.mark.parametrize(
    ("password", "said"),
    [
        (None, "the vault has no password for its user"),
        ("", "none that a proxy could take"),
        ("ä", "none that a proxy"),
    ],
)
def test_a_user_without_a_password_that_can_be_sent_opens_no_session(password, said):
    async def opened():
        open_session(parse_egress("socks5://me@127.0.0.1:1", password), [("127.0.0.1", 1)])

    with pytest.raises(NotSent, match=rf"exit socks5://me@127\.0\.0\.1:1: .*{said}"):
        asyncio.run(opened())


TURNED = {
    "a login page": ("http", b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n" + PAGE, "a page of its own"),
    "a page without headers": ("http", b"HTTP/1.1 200 OK\r\n\r\n" + PAGE, "a page of its own"),
    "a page to come": ("http", b"HTTP/1.1 200 OK\r\nContent-Length: 54\r\n\r\n", "a page of its own"),
    "a login asked for": (
        "http",
        b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n",
        r"its user or password is refused \(status 407\)",
    ),
    "a redirect": (
        "http",
        b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:%d/\r\n\r\n",
        r"no tunnel \(status 302\)",
    ),
    "an informational answer": ("http", b"HTTP/1.1 101 Switching\r\n\r\n", r"no tunnel \(status 101\)"),
    "junk": ("http", b"\x00\x01\x02 hello\r\n\r\n", "no proxy of this kind"),
    "half a head": ("http", b"HTTP/1.1 200 OK\r\nX: " + b"x" * 70_000, "no proxy of this kind"),
    "a page for a SOCKS greeting": ("socks5", b"HTTP/1.1 400 Bad Request\r\n\r\n" + PAGE, "refuses"),
    "a method never offered": ("socks5", b"\x05\x02", "no proxy of this kind|refuses"),
    "no method at all": ("socks5", b"\x05\xff", "refuses"),
    "an unreachable host": ("socks5", b"\x05\x00\x05\x04\x00\x01" + bytes(6), r"refuses \(Host unreachable\)"),
}


@pytest.mark.parametrize("turned", TURNED)
@on_workers_loop
async def test_F09_a_proxy_that_turned_into_something_else_gets_no_byte_of_a_request(turned, trusted):
    scheme, answer, said = TURNED[turned]
    async with serving() as venue, counter() as (elsewhere, came), proxied(scheme, venue, trusted) as (made, session):
        made.play = made.says(answer.replace(b"%d", str(elsewhere).encode()))
        for ask in (
            session.post(f"http://{NAME}:{venue.port}/order", data=b"signed", headers={"X-MBX-APIKEY": "CANARY"}),
            session.ws_connect(f"ws://{NAME}:{venue.port}/ws"),
        ):
            with pytest.raises(NotSent, match=said) as refused:
                await ask
            assert str(refused.value).startswith(f"exit {made.exit}: ")
            assert refused.value.__context__ is None
        assert (venue.seen, came) == ([], [])
        assert b"CANARY" not in b"".join(made.after)
        assert b"signed" not in b"".join(made.after)


@pytest.mark.parametrize("scheme", SCHEMES)
@on_workers_loop
async def test_F09_a_proxy_that_hangs_is_named_before_the_request_would_time_out(scheme, trusted, monkeypatch):
    monkeypatch.setattr(exit_tunnel, "TUNNEL_TIMEOUT_S", 0.2)
    async with serving() as venue, proxied(scheme, venue, trusted) as (made, session):
        made.play = made.hang
        for ask in (
            session.post(f"http://{NAME}:{venue.port}/order"),
            session.ws_connect(f"ws://{NAME}:{venue.port}/ws"),
        ):
            with pytest.raises(NotSent, match="no answer within"):
                await ask
        assert venue.seen == []


@pytest.mark.parametrize("scheme", SCHEMES)
@on_workers_loop
async def test_F09_a_proxy_that_is_gone_is_named_and_nothing_goes_another_way(scheme, trusted):
    async with serving() as venue, counter() as (port, came):
        exit_ = parse_egress(f"{scheme}://127.0.0.1:1")
        async with open_session(exit_, [("127.0.0.1", port), ("localhost", port)]) as session:
            for host in ("127.0.0.1", "localhost"):
                with pytest.raises(NotSent, match="cannot be reached"):
                    await session.post(f"http://{host}:{port}/order")
                with pytest.raises(NotSent, match="cannot be reached"):
                    await session.ws_connect(f"ws://{host}:{port}/ws")
        assert (venue.seen, came) == ([], [])


@pytest.mark.parametrize("scheme", SCHEMES)
@on_workers_loop
async def test_F09_a_proxy_that_dies_in_mid_session_ends_what_runs_and_what_comes(scheme, trusted):
    async with serving() as venue, proxied(scheme, venue, trusted) as (made, session):
        url = f"http://{NAME}:{venue.port}"
        async with session.get(f"{url}/warm") as answer:
            await answer.read()
        ws = await session.ws_connect(f"ws://{NAME}:{venue.port}/ws")
        made.play = made.drop
        made.cut()
        assert (await ws.receive()).type in (aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.ERROR)
        with pytest.raises((NotSent, aiohttp.ClientError)):  # the warm connection was cut before or after the bytes
            await session.post(f"{url}/order", data=b"signed")
        with pytest.raises(NotSent, match=f"exit {made.exit}"):
            await session.post(f"{url}/order", data=b"signed")
        assert venue.seen == [("GET", "/warm"), ("WS", "/ws")]


@pytest.mark.parametrize("scheme", SCHEMES)
@on_workers_loop
async def test_F12_a_proxy_that_plays_the_venue_is_found_out_by_its_certificate(scheme, trusted, tmp_path):
    trusted(NAME)
    impostor, _ = certificate(tmp_path, "impostor.test")  # nobody vouches for it
    async with serving(impostor) as venue, proxied(scheme, venue, trusted) as (made, session):
        for ask in (
            session.post(f"https://{NAME}:{venue.port}/order", data=b"signed"),
            session.ws_connect(f"wss://{NAME}:{venue.port}/ws"),
        ):
            with pytest.raises(NotSent, match=f"what answers through it as {NAME} is not {NAME}"):
                await ask
        assert venue.seen == []
        assert len(made.asked) == 2


@on_workers_loop
async def test_F12_an_https_proxy_must_be_the_one_it_is_named(trusted, tmp_path):
    unknown, _ = certificate(tmp_path, "127.0.0.1")
    async with serving() as venue, proxy({}, unknown) as made:
        async with open_session(parse_egress(f"https://127.0.0.1:{made.port}"), [(NAME, venue.port)]) as session:
            with pytest.raises(NotSent, match="its own certificate does not verify"):
                await session.post(f"http://{NAME}:{venue.port}/order")
        assert made.asked == []


@pytest.mark.parametrize("scheme", SCHEMES)
@on_workers_loop
async def test_the_guards_hold_through_a_proxy_too(scheme, trusted, monkeypatch):
    """F08, F12, F77, F85: redirects, other hosts, the last check and the cap on answers."""
    for name in ("http_proxy", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, "*" if "no" in name.lower() else "http://127.0.0.1:1")
    async with serving() as venue, counter() as (elsewhere, came), proxied(scheme, venue, trusted) as (_, session):
        url = f"http://{NAME}:{venue.port}"
        with pytest.raises(AnswerRefused, match="redirect"):
            await session.post(f"{url}/away")
        with pytest.raises(NotSent, match="is not a host of this account's venue"):
            await session.post(f"http://127.0.0.1:{elsewhere}/order")
        with pytest.raises(NotSent, match="a proxy was asked for"):
            await session.post(f"{url}/order", proxy=f"http://127.0.0.1:{elsewhere}")

        def halted():
            raise NotSent("halted")

        token = last_check.set(halted)
        with pytest.raises(NotSent, match="halted"):
            await session.post(f"{url}/order", data=b"signed")
        last_check.reset(token)
        assert (venue.seen, came) == ([("POST", "/away")], [])


@on_workers_loop
async def test_a_library_that_found_a_way_past_the_proxy_is_stopped_before_a_byte_leaves(trusted):
    received = asyncio.Queue()

    async def note(reader, writer):
        received.put_nowait(await reader.read())
        writer.close()

    server = await asyncio.start_server(note, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, open_session(parse_egress("socks5://127.0.0.1:1"), [("127.0.0.1", port)]) as session:
        session.connector._wrap_create_connection = lambda *args, **kwargs: (
            aiohttp.TCPConnector._wrap_create_connection(session.connector, *args, **kwargs)
        )
        with pytest.raises(NotSent, match=r"went past exit socks5://127\.0\.0\.1:1"):
            await session.post(f"http://127.0.0.1:{port}/order", data=b"signed")
        assert await asyncio.wait_for(received.get(), 5) == b""


@on_workers_loop
async def test_a_library_that_binds_no_address_is_stopped_before_a_byte_leaves(trusted):
    received = asyncio.Queue()

    async def note(reader, writer):
        received.put_nowait(await reader.read())
        writer.close()

    if sys.platform == "darwin":
        pytest.skip("only 127.0.0.1 can be bound here")
    server = await asyncio.start_server(note, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, open_session(Egress("127.0.0.2"), [("127.0.0.1", port)]) as session:
        session.connector._local_addr_infos = None  # as if the setting were no more heeded
        with pytest.raises(NotSent, match=r"went past exit 127\.0\.0\.2 \(it leaves by 127\.0\.0\.1\)"):
            await session.post(f"http://127.0.0.1:{port}/order", data=b"signed")
        assert await asyncio.wait_for(received.get(), 5) == b""
