"""The guarded session against real servers on loopback: where it leaves from, where it goes, and what it refuses."""

import asyncio
import contextlib
import datetime
import gzip
import ipaddress
import socket
import ssl

import aiohttp
import pytest
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from tradedesk.access.egress import (
    AnswerRefused,
    Egress,
    NotSent,
    host_of,
    known_sources,
    last_check,
    loopback_addresses,
    open_session,
    parse_egress,
    usable_source,
)

ABSENT = "198.51.100.7"  # TEST-NET-2: on no machine

needs_two_loopbacks = pytest.mark.skipif(not usable_source("127.0.0.2"), reason="only 127.0.0.1 can be bound here")


class Venue:
    """A real server that notes who called it and what they asked."""

    def __init__(self):
        self.seen = []  # (peer address, method, path)
        self.elsewhere = ""

    async def answer(self, request):
        self.seen.append((request.remote, request.method, request.path))
        return web.json_response({"ok": True})

    async def redirect(self, request):
        self.seen.append((request.remote, request.method, request.path))
        return web.Response(status=int(request.match_info["status"]), headers={"Location": f"{self.elsewhere}/stolen"})

    async def bomb(self, request):
        body = gzip.compress(b"0" * 40_000_000)
        return web.Response(body=body, headers={"Content-Encoding": "gzip", "Content-Type": "application/json"})

    async def echo(self, request):
        self.seen.append((request.remote, "WS", request.path))
        socket_ = web.WebSocketResponse()
        await socket_.prepare(request)
        async for message in socket_:
            await socket_.send_str(message.data)
        return socket_


@contextlib.asynccontextmanager
async def serving(venue, ssl_context=None):
    app = web.Application()
    app.router.add_route("*", "/api/{rest:.*}", venue.answer)
    app.router.add_route("*", "/stolen", venue.answer)
    app.router.add_route("*", "/redirect/{status}", venue.redirect)
    app.router.add_get("/bomb", venue.bomb)
    app.router.add_get("/ws", venue.echo)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=ssl_context)
    await site.start()
    port = site._server.sockets[0].getsockname()[1]
    try:
        yield f"{'https' if ssl_context else 'http'}://127.0.0.1:{port}"
    finally:
        await runner.cleanup()


@pytest.fixture
async def venue():
    there = Venue()
    async with serving(there) as url:
        there.url = url
        yield there


@contextlib.asynccontextmanager
async def listening(handle):
    """A raw listener: (host, port), for tests that count bytes."""
    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()


def session_to(*urls, source="127.0.0.1", **limits):
    return open_session(Egress(source), [host_of(url) for url in urls], **limits)


@needs_two_loopbacks
async def test_F10_rest_and_websocket_both_leave_by_the_bound_address(venue):
    async with session_to(venue.url, source="127.0.0.2") as session:
        async with session.post(f"{venue.url}/api/order", data=b"a=1") as answer:
            assert await answer.json() == {"ok": True}
        async with session.ws_connect(f"{venue.url}/ws".replace("http", "ws")) as ws:
            await ws.send_str("hello")
            assert await ws.receive_str() == "hello"
    assert venue.seen == [("127.0.0.2", "POST", "/api/order"), ("127.0.0.2", "WS", "/ws")]


async def test_F11_an_absent_address_opens_no_session():
    with pytest.raises(NotSent, match=rf"{ABSENT} is not an address of this machine; use one of .*127\.0\.0\.1"):
        session_to("http://127.0.0.1:1", source=ABSENT)


async def test_F11_an_address_that_vanishes_ends_the_request_and_leaves_by_no_other(venue):
    async with session_to(venue.url) as session:
        session.connector._local_addr_infos = [(socket.AF_INET, socket.SOCK_STREAM, 0, "", (ABSENT, 0))]
        session.connector._source = ABSENT  # what the machine looks like once the address has been taken away
        with pytest.raises(NotSent, match="not an address of this machine") as refused:
            await session.get(f"{venue.url}/api/x?signature=CANARY")
        assert refused.value.__context__ is None
        with pytest.raises(NotSent):
            await session.ws_connect(f"{venue.url}/ws")
    assert venue.seen == []


async def test_F12_a_host_off_the_list_gets_no_connection():
    connected = []

    async def note(reader, writer):
        connected.append(writer.get_extra_info("peername"))
        writer.close()

    async with listening(note) as (host, port), session_to("http://127.0.0.1:1") as session:
        for ask in (session.get(f"http://{host}:{port}/"), session.ws_connect(f"ws://{host}:{port}/")):
            with pytest.raises(NotSent, match=f"127.0.0.1:{port} is not a host of this account's venue"):
                await ask
    assert connected == []


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_F08_a_redirect_is_refused_and_nothing_goes_elsewhere(venue, status):
    other = Venue()
    async with serving(other) as elsewhere, session_to(venue.url, elsewhere) as session:
        venue.elsewhere = elsewhere  # on the list on purpose: even there it is not followed
        with pytest.raises(AnswerRefused, match=f"redirect \\(status {status}\\)"):
            await session.post(f"{venue.url}/redirect/{status}", headers={"X-MBX-APIKEY": "CANARY"}, data=b"signed")
        with pytest.raises(AnswerRefused):
            await session.ws_connect(f"{venue.url}/redirect/{status}")
    assert other.seen == []
    assert len(venue.seen) == 2


async def test_F85_a_small_gzip_that_grows_is_cut_off_at_the_cap(venue):
    async with session_to(venue.url, max_answer_bytes=1_000_000) as session:
        async with session.get(f"{venue.url}/bomb") as answer:
            with pytest.raises(AnswerRefused, match="more than 1000000 bytes"):
                await answer.text()
        async with session.get(f"{venue.url}/api/next") as answer:
            assert await answer.json() == {"ok": True}


async def test_F85_an_answer_at_the_cap_is_read(venue):
    async with (
        session_to(venue.url, max_answer_bytes=40_000_000) as session,
        session.get(f"{venue.url}/bomb") as answer,
    ):
        assert len(await answer.read()) == 40_000_000


async def test_an_empty_answer_is_empty():
    async def nothing(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        writer.close()

    async with listening(nothing) as (host, port), session_to(f"http://{host}:{port}") as session:
        answer = await session.get(f"http://{host}:{port}/")
        assert await answer.text() == ""


async def test_F09_a_proxy_is_taken_neither_from_the_environment_nor_from_the_caller(venue, monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "ws_proxy", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    async with session_to(venue.url) as session:
        async with session.get(f"{venue.url}/api/x") as answer:
            assert answer.status == 200
        with pytest.raises(NotSent, match="a proxy was asked for"):
            await session.get(f"{venue.url}/api/x", proxy="http://127.0.0.1:1")


@pytest.mark.parametrize("method", ["DELETE", "GET", "PUT", "POST"])
async def test_F07_a_request_cut_on_a_warm_connection_is_sent_once(method):
    received = []

    async def cut_the_second(reader, writer):
        try:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
            received.append((await reader.readuntil(b"\r\n\r\n")).split(b" ")[0].decode())
        except asyncio.IncompleteReadError:
            pass
        writer.close()

    async with listening(cut_the_second) as (host, port), session_to(f"http://{host}:{port}") as session:
        async with session.get(f"http://{host}:{port}/warm") as answer:
            await answer.read()
        with pytest.raises(aiohttp.ClientError):
            await session.request(method, f"http://{host}:{port}/order")
    assert received == [method]


class HaltLatched(Exception):
    pass


async def test_F77_a_last_check_that_raises_means_no_byte_was_written():
    received = asyncio.Queue()

    async def note(reader, writer):
        received.put_nowait(await reader.read())
        writer.close()

    def refuse():
        raise HaltLatched

    async with listening(note) as (host, port):
        async with session_to(f"http://{host}:{port}") as session:
            token = last_check.set(refuse)
            with pytest.raises(HaltLatched):
                await session.post(f"http://{host}:{port}/order", data=b"signed")
            with pytest.raises(HaltLatched):
                await session.ws_connect(f"ws://{host}:{port}/order")
            last_check.reset(token)
        everything = await asyncio.wait_for(received.get(), 5)  # all that came until the connection was closed
    assert everything == b""
    assert received.empty()


async def test_the_last_check_runs_on_a_warm_connection_too_and_leaves_it_usable(venue):
    runs = []

    def refuse_the_second():
        runs.append(len(venue.seen))
        if len(runs) == 2:
            raise HaltLatched

    async with session_to(venue.url) as session:
        last_check.set(refuse_the_second)
        async with session.post(f"{venue.url}/api/1", data=b"x"):
            pass
        with pytest.raises(HaltLatched):
            await session.post(f"{venue.url}/api/2", data=b"x")
        async with session.post(f"{venue.url}/api/3", data=b"x"):
            pass
        assert sum(len(pooled) for pooled in session.connector._conns.values()) == 1
    assert runs == [0, 1, 1]
    assert [path for _, _, path in venue.seen] == ["/api/1", "/api/3"]


async def test_the_last_check_of_one_task_is_not_run_for_another(venue):
    async def halted(session):
        def refuse():
            raise HaltLatched

        last_check.set(refuse)
        with pytest.raises(HaltLatched):
            await session.get(f"{venue.url}/api/halted")

    async def free(session):
        async with session.get(f"{venue.url}/api/free") as answer:
            assert answer.status == 200

    async with session_to(venue.url) as session:
        await asyncio.gather(*(job(session) for job in (halted, free) * 5))
    assert {path for _, _, path in venue.seen} == {"/api/free"}


def self_signed(tmp_path):
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), 1, now, now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path / "server.pem"
    path.write_bytes(
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()) + certificate.public_bytes(Encoding.PEM)
    )
    return path


async def test_F12_a_certificate_nobody_vouches_for_is_refused_also_on_request(tmp_path, monkeypatch):
    pem = self_signed(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(pem))  # an authority from the environment is none of ours
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    there = Venue()
    async with serving(there, context) as url, session_to(url) as session:
        with pytest.raises(aiohttp.ClientConnectorCertificateError):
            await session.get(f"{url}/api/x")
        with pytest.raises(NotSent, match="TLS settings"):
            await session.get(f"{url}/api/x", ssl=False)
    assert there.seen == []


async def test_cookies_of_a_venue_are_not_kept(venue):
    async with session_to(venue.url) as session:
        session.cookie_jar.update_cookies({"track": "me"})
        assert len(session.cookie_jar) == 0


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("http://proxy", "use http://host:port"),
        ("SOCKS5://user:pw@10.0.0.1:1080", "a password never stands here"),
        ("ftp://x", "no kind of proxy"),
        ("eth0", "not an IP address"),
        ("10.0.0.0/8", "not an IP address"),
        ("0.0.0.0", "no exit of its own"),
        ("::", "no exit of its own"),
        ("224.0.0.1", "no exit of its own"),
        ("x" * 500, r"x… is not"),
    ],
)
def test_what_is_no_source_address_gets_a_sentence(text, said):
    with pytest.raises(AssertionError, match=said):
        raise AssertionError(parse_egress(text))
    assert "pw" not in str(parse_egress(text))


def test_an_exit_is_read_and_written_alike():
    assert parse_egress(" 127.0.0.2 ") == Egress("127.0.0.2")
    assert parse_egress("2001:DB8::1") == Egress("2001:db8::1")
    assert str(Egress("127.0.0.2")) == "127.0.0.2"
    proxy = parse_egress("SOCKS5://me@Proxy.Example:1080/", "hunter2")
    assert str(proxy) == "socks5://me@proxy.example:1080"
    assert "hunter2" not in f"{proxy!r} {proxy}"


def test_the_addresses_of_this_machine_are_known():
    assert usable_source("127.0.0.1")
    assert not usable_source(ABSENT)
    assert "127.0.0.1" in known_sources() or not usable_source("127.0.0.2")


def test_loopback_addresses_are_distinct_and_usable():
    found = loopback_addresses(5)
    assert len(set(found)) == len(found) <= 5
    assert all(usable_source(address) for address in found)
    assert "127.0.0.1" not in found


def test_the_host_of_a_url_has_a_port():
    assert host_of("https://API.Binance.com/x") == ("api.binance.com", 443)
    assert host_of("ws://127.0.0.1:8765/ws") == ("127.0.0.1", 8765)
    with pytest.raises(ValueError, match="must start with http"):
        host_of("api.binance.com")
