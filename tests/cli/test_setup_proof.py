"""What the setup makes of where an exit is seen: at its own address, behind a gateway, or nowhere."""

import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tradedesk.cli.setup_checker import _proved
from tradedesk.domain.findings import Level


@contextmanager
def echo(said: str, status: int = 200) -> Iterator[str]:
    """The URL of an address echo that says this, whoever asks."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(said)))
            self.end_headers()
            self.wfile.write(said.encode())

        def log_message(self, *args: object) -> None:
            """Not on the screen."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


async def test_an_address_without_an_echo_is_seen_as_its_socket_says() -> None:
    finding, told = await _proved("127.0.0.1", None, None)
    assert (finding.level, told) == (Level.Ok, {"seen": "127.0.0.1"})


async def test_an_exit_seen_at_its_own_address_is_proved() -> None:
    with echo("127.0.0.1") as url:
        finding, told = await _proved("127.0.0.1", None, url)
    assert (finding.level, told) == (Level.Ok, {"seen": "127.0.0.1"})


async def test_an_exit_behind_a_gateway_is_warned_of_and_where_it_is_seen_is_kept() -> None:
    with echo("203.0.113.7") as url:
        finding, told = await _proved("127.0.0.1", None, url)
    assert (finding.level, told) == (Level.Warn, {"seen": "203.0.113.7", "exit_address": "203.0.113.7"})
    assert "a gateway stands between" in finding.text


@pytest.mark.parametrize(("said", "status"), [("a login page", 200), ("127.0.0.1", 403)])
async def test_an_echo_that_names_no_address_proves_nothing(said: str, status: int) -> None:
    with echo(said, status) as url:
        finding, told = await _proved("127.0.0.1", None, url)
    assert (finding.level, told) == (Level.Fail, {})


async def test_a_proxy_that_is_not_there_proves_nothing() -> None:
    finding, told = await _proved("socks5://127.0.0.1:9", None, "http://127.0.0.1:9/")
    assert (finding.level, told) == (Level.Fail, {})
