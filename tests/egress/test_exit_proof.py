"""The proof of an exit: what an echo says through it, compared with where it has to be seen."""

import asyncio
import gzip
import logging
import ssl

import pytest
from paper_process import has_loopback_range, paper_process
from scripted_proxies import certificate, counter, proxy

from tradedesk.access.egress import Egress, parse_egress
from tradedesk.access.exit_proof import MAX_ANSWER_BYTES, prove_exit
from tradedesk.access.exits import Exits
from tradedesk.domain.words import AccountId

needs_loopbacks = pytest.mark.skipif(not has_loopback_range(), reason="only 127.0.0.1 can be bound here")


@pytest.fixture(scope="module")
def echo():
    with paper_process("--accounts", "1") as paper:
        yield f"{paper['rest']}/echo"


async def told(*answers):
    """A server that answers each connection with the next of `answers`: its URL, and the server."""
    left = list(answers)

    async def answer(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(left.pop(0))
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    return f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/", server


def page(body, status=b"200 OK"):
    return b"HTTP/1.1 " + status + b"\r\nContent-Length: %d\r\n\r\n" % len(body) + body


@needs_loopbacks
async def test_a_source_address_is_seen_by_the_echo_as_itself(echo):
    proof = await prove_exit(Egress("127.0.0.5"), "127.0.0.5", echo)
    assert (proof.exit, proof.seen, proof.how, proof.problem) == ("127.0.0.5", "127.0.0.5", "echo 127.0.0.1", None)


@pytest.mark.parametrize("scheme", ["http", "https", "socks5"])
async def test_a_proxy_is_seen_where_it_lets_out(scheme, echo, tmp_path, monkeypatch):
    tls, public = certificate(tmp_path, "127.0.0.1")
    believed = ssl.create_default_context(cafile=str(public))
    monkeypatch.setattr("tradedesk.access.exit_proof.tls_context", lambda: believed)
    async with proxy(tls=tls if scheme == "https" else None) as made:
        made.play = made.socks if scheme == "socks5" else forward(made)
        exit_ = parse_egress(f"{scheme}://me@127.0.0.1:{made.port}", "hunter2")
        proof = await prove_exit(exit_, None, echo)
    assert (proof.exit, proof.seen, proof.problem) == (str(exit_), "127.0.0.1", None)
    assert "hunter2" not in repr(proof)


async def test_an_encrypted_echo_is_asked_through_a_tunnel(tmp_path, monkeypatch):
    tls, public = certificate(tmp_path, "echo.test")
    believed = ssl.create_default_context(cafile=str(public))
    monkeypatch.setattr("tradedesk.access.exit_proof.tls_context", lambda: believed)

    async def answer(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(page(b"203.0.113.7"))
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=tls)
    there = ("127.0.0.1", server.sockets[0].getsockname()[1])
    async with server, proxy({"echo.test": there}) as made:
        for scheme, play in (("http", made.connect), ("socks5", made.socks)):
            made.play = play
            exit_ = parse_egress(f"{scheme}://me@127.0.0.1:{made.port}", "hunter2")
            proof = await prove_exit(exit_, None, "https://echo.test/")
            assert (proof.seen, proof.how, proof.problem) == ("203.0.113.7", "echo echo.test", None)
        assert made.asked == ["echo.test:443", "echo.test:443"]  # the name is resolved at the proxy


def forward(made):
    """What an HTTP proxy does with a URL in clear text: passes it on."""

    async def play(reader, writer):
        head = await reader.readuntil(b"\r\n\r\n")
        host, port = head.split(b" ")[1].split(b"/")[2].decode().split(":")
        there = await asyncio.open_connection(host, int(port))
        there[1].write(b"GET /echo HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        writer.write(await there[0].read())

    return play


@needs_loopbacks
async def test_an_exit_that_is_seen_elsewhere_is_a_problem_that_names_both_addresses(echo):
    proof = await prove_exit(Egress("127.0.0.5"), "203.0.113.7", echo)
    assert proof.seen == "127.0.0.5"
    assert proof.problem == "exit 127.0.0.5 is seen at 127.0.0.5, not at 203.0.113.7 (by echo 127.0.0.1)"


async def test_without_an_echo_the_socket_has_the_word_and_of_a_proxy_nobody():
    assert (await prove_exit(Egress("127.0.0.1"), "127.0.0.1", None, local="127.0.0.1")).problem is None
    assert "is seen at 10.0.0.9" in (await prove_exit(Egress("127.0.0.1"), "127.0.0.1", None, local="10.0.0.9")).problem
    assert "does not tell" in (await prove_exit(Egress("127.0.0.1"), "127.0.0.1", None)).problem
    by_proxy = await prove_exit(parse_egress("http://127.0.0.1:1"), None, None, local="127.0.0.1")
    assert "set exit_check" in by_proxy.problem


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (page(b"<html>Please sign in</html>"), "answers with something that is no address"),
        (page(b""), "no address"),
        (page(b"1.2.3"), "no address"),
        (page(b"1" * (MAX_ANSWER_BYTES + 1)), "no address"),
        (page(b"\xff\xfe"), "no address"),
        (
            b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nConnection: close\r\n\r\n"
            + gzip.compress(bytes(10**7), mtime=0),
            "no address",
        ),
        (page(b"127.0.0.1", b"503 Down"), "answers with status 503"),
        (page(b"127.0.0.1", b"407 Proxy Authentication Required"), "answers with status 407"),
        (
            b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:%d/\r\nContent-Length: 0\r\n\r\n",
            "answers with status 302",
        ),
        (b"junk\r\n\r\n", "is not reached through it"),
        (b"", "is not reached through it"),
    ],
)
async def test_an_echo_that_says_something_else_proves_nothing(answer, said):
    async with counter() as (port, came):
        url, server = await told(answer.replace(b"%d", str(port).encode()))
        async with server:
            proof = await prove_exit(Egress("127.0.0.1"), "127.0.0.1", url)
    assert proof.seen is None
    assert proof.problem.startswith("exit 127.0.0.1 could not be proved: 127.0.0.1 ")
    assert said in proof.problem
    assert came == []  # a redirect is not followed


@pytest.mark.parametrize("scheme", ["http", "https", "socks5"])
async def test_a_proxy_that_is_gone_or_no_proxy_proves_nothing_and_nothing_asks_past_it(scheme, monkeypatch):
    monkeypatch.setattr("tradedesk.access.exit_proof.PROOF_TIMEOUT_S", 2.0)
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.setenv(name, "*")
    async with counter() as (port, came), proxy() as made:
        made.play = made.says(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nhtml")
        for exit_ in (f"{scheme}://127.0.0.1:1", f"{scheme}://me@127.0.0.1:{made.port}"):
            proof = await prove_exit(parse_egress(exit_, "hunter2"), None, f"http://127.0.0.1:{port}/echo")
            assert proof.seen is None
            assert f"exit {exit_} could not be proved" in proof.problem
            assert "hunter2" not in proof.problem
    assert came == []


async def test_no_library_logs_the_password_of_a_proxy(caplog):
    caplog.set_level(logging.DEBUG)
    async with proxy() as made:
        made.play = made.socks
        await prove_exit(parse_egress(f"socks5://me@127.0.0.1:{made.port}", "hunter2"), None, "http://127.0.0.1:1/echo")
        assert made.auth == ["me:hunter2"]
    assert "hunter2" not in caplog.text


def test_two_clients_are_not_seen_at_one_address_unless_they_are_a_family():
    import msgspec
    from order_builders import an_account

    def client(name, family=None):
        return msgspec.structs.replace(an_account(), id=AccountId(name), family=family)

    acme, birch, cedar = AccountId("acme"), AccountId("birch"), AccountId("cedar")
    exits = Exits({acme: client("acme", "a"), birch: client("birch", "a"), cedar: client("cedar")})
    assert exits.claim("203.0.113.7", acme) is None
    assert exits.claim("203.0.113.7", birch) is None
    assert exits.claim("203.0.113.7", cedar) == acme
    assert exits.claim("203.0.113.8", cedar) is None
    assert exits.claim("203.0.113.9", acme) is None  # moved: the address is free once birch has left it too
    exits.use(birch, "127.0.0.9")
    assert exits.claim("203.0.113.7", cedar) is None
