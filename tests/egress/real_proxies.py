"""Real proxies from Debian as processes that can be killed, hung and replaced by a login page; each lets out at one address."""

import http.server
import shutil
import signal
import socket
import subprocess
import threading
import time
from pathlib import Path

import pytest
from paper_process import has_loopback_range

PROGRAMS = {"socks5": "microsocks", "http": "tinyproxy"}
UP_WITHIN_S = 10.0
PASSWORD = "hunter2-of-acme"
PAGE = b"<html><form action=/login>Please sign in</form></html>"

needs_proxies = [
    pytest.mark.skipif(not has_loopback_range(), reason="only 127.0.0.1 can be bound here"),
    *(
        pytest.mark.skipif(
            shutil.which(name) is None, reason=f"{name} is not installed (Debian: apt-get install {name})"
        )
        for name in PROGRAMS.values()
    ),
]


class RealProxy:
    """microsocks (socks5) or tinyproxy (http) on a port of its own, with a user, letting out at `address`."""

    def __init__(self, scheme: str, folder: Path, address: str) -> None:
        self.scheme = scheme
        self.address = address
        self.port = free_port()
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self._page: http.server.ThreadingHTTPServer | None = None

    @property
    def exit(self) -> str:
        return f"{self.scheme}://acme@127.0.0.1:{self.port}"

    def start(self) -> None:
        command = self._microsocks() if self.scheme == "socks5" else self._tinyproxy()
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + UP_WITHIN_S
        while not self._listens():
            assert self._process.poll() is None, f"{command} ended with {self._process.poll()}"
            assert time.monotonic() < deadline, f"{command} does not listen"

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
        if self._page is not None:
            self._page.shutdown()
            self._page.server_close()
            self._page = None

    def hang(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def become_a_page(self, redirect: str | None = None) -> "Page":
        """In its place, on its port, a web server that answers whatever it is asked with a login page."""
        self.kill()
        page = Page(redirect)
        self._page = http.server.ThreadingHTTPServer(("127.0.0.1", self.port), page.handler())
        threading.Thread(target=self._page.serve_forever, daemon=True).start()
        return page

    def _microsocks(self) -> list[str]:
        return ["microsocks", "-i", "127.0.0.1", "-p", str(self.port), "-b", self.address, "-u", "acme", "-P", PASSWORD]

    def _tinyproxy(self) -> list[str]:
        config = self._folder / f"tinyproxy-{self.port}.conf"
        config.write_text(
            f"Port {self.port}\nListen 127.0.0.1\nBind {self.address}\nTimeout 600\nMaxClients 100\n"
            f"Allow 127.0.0.1\nBasicAuth acme {PASSWORD}\nDisableViaHeader Yes\n"
        )
        return ["tinyproxy", "-d", "-c", str(config)]

    def _listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0


class Page:
    """What a login page saw: first lines and headers, in one text."""

    def __init__(self, redirect: str | None) -> None:
        self.asked = 0
        self.text = ""
        self._redirect = redirect

    def handler(self) -> type[http.server.BaseHTTPRequestHandler]:
        page = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def answer(self) -> None:
                page.asked += 1
                page.text += f"{self.requestline}\n{self.headers}\n"
                self.send_response(200 if page._redirect is None else 302)
                if page._redirect is not None:
                    self.send_header("Location", page._redirect)
                self.send_header("Content-Type", "text/html")
                self.send_header("Content-Length", str(len(PAGE)))
                self.end_headers()
                self.wfile.write(PAGE)

            do_CONNECT = do_GET = do_POST = do_DELETE = do_PUT = answer

            def log_message(self, *args: object) -> None:
                """Not on the screen."""

        return Handler


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
