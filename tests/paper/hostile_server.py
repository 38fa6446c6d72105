"""A paper server on a thread of its own, for tests that talk to it from outside over bare sockets, and what it logged."""

import asyncio
import base64
import contextlib
import json
import logging
import os
import socket
import struct
import threading
from collections.abc import Iterator
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

from msgspec.structs import replace

from tradedesk.clock import SystemClock
from tradedesk.paper.accounts import Account, generated, specs
from tradedesk.paper.exchange import Exchange
from tradedesk.paper.market import Quiet
from tradedesk.paper.server.app import Running, start
from tradedesk.paper.server.limits import RateLimits
from tradedesk.paper.synthetic import default_specs

MANY = 10**9
WITHIN_S = 10.0


class Complaints(logging.Handler):
    """Every warning and error of the server and of what it stands on."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.name + ": " + self.format(record))

    def bugs(self) -> list[str]:
        """What must never stand there: anything but a socket that was dropped, with the reason."""
        return [line for line in self.lines if "dropped" not in line.partition("\n")[0]]


class Hostile:
    """The server as an attacker sees it, and the keys of one honest client."""

    def __init__(self, running: Running, account: Account, complaints: Complaints) -> None:
        self.running = running
        self.complaints = complaints
        self.api_key = str(account.api_key)
        self.secret = str(account.secret)
        where = urlsplit(running.rest)
        self.address = (str(where.hostname), int(where.port or 0))
        self._kept: socket.socket | None = None

    def connect(self) -> socket.socket:
        return socket.create_connection(self.address, WITHIN_S)

    def http(self, method: str, target: str, body: bytes = b"", **headers: str) -> tuple[int, bytes]:
        """One well-framed request over a connection that is kept while the server keeps it; status and body."""
        lines = [f"{method} {target} HTTP/1.1", "Host: paper", f"Content-Length: {len(body)}"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        request = ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + body
        if self._kept is not None:
            with contextlib.suppress(OSError):
                self._kept.sendall(request)
                answer = read_answer(self._kept)
                if answer is not None:
                    return answer
            self._kept.close()
        self._kept = self.connect()
        self._kept.sendall(request)
        answer = read_answer(self._kept)
        assert answer is not None, "no answer to a whole request"
        return answer

    def is_alive(self) -> bool:
        status, body = self.http("GET", "/api/v3/ping")
        return (status, json.loads(body)) == (200, {})


def read_answer(connection: socket.socket) -> tuple[int, bytes] | None:
    """Status and body of the next HTTP answer; None if the connection ended before it."""
    held = b""
    while b"\r\n\r\n" not in held:
        piece = connection.recv(65536)
        if not piece:
            return None
        held += piece
    head, _, body = held.partition(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    fields = dict(line.lower().split(": ", 1) for line in lines[1:] if ": " in line)
    length = int(fields.get("content-length", "0"))
    while len(body) < length:
        piece = connection.recv(65536)
        if not piece:
            return None
        body += piece
    return int(lines[0].split(" ")[1]), body[:length]


class RawSocket:
    """A WebSocket by hand: sends whatever bytes it is told."""

    def __init__(self, server: Hostile, path: str = "/ws-api/v3") -> None:
        self.connection = server.connect()
        key = base64.b64encode(os.urandom(16)).decode()
        self.connection.sendall(
            f"GET {path} HTTP/1.1\r\nHost: paper\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        self._held = b""
        while b"\r\n\r\n" not in self._held:
            self._held += self.connection.recv(65536)
        head, _, self._held = self._held.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 101"), head

    def send(self, payload: bytes, opcode: int = 1, *, is_last: bool = True, reserved: int = 0) -> None:
        first = (0x80 if is_last else 0) | reserved << 4 | opcode
        length = len(payload)
        if length < 126:
            head = struct.pack("!BB", first, 0x80 | length)
        elif length < 65_536:
            head = struct.pack("!BBH", first, 0x80 | 126, length)
        else:
            head = struct.pack("!BBQ", first, 0x80 | 127, length)
        self.connection.sendall(head + b"\x00\x00\x00\x00" + payload)

    def _take(self, count: int) -> bytes:
        while len(self._held) < count:
            piece = self.connection.recv(65536)
            if not piece:
                raise EOFError
            self._held += piece
        taken, self._held = self._held[:count], self._held[count:]
        return taken

    def receive(self) -> Any:
        """The next text frame, decoded. Raises EOFError when the server ended the connection."""
        while True:
            first, length = self._take(2)
            if length == 126:
                (length,) = struct.unpack("!H", self._take(2))
            elif length == 127:
                (length,) = struct.unpack("!Q", self._take(8))
            payload = self._take(length)
            if first & 0xF == 8:
                raise EOFError
            if first & 0xF == 9:
                self.send(payload, 10)
            if first & 0xF == 1:
                return json.loads(payload)

    def close(self) -> None:
        self.connection.close()


@contextlib.contextmanager
def hostile_server() -> Iterator[Hostile]:
    """Nobody trades but the client; limits are out of the way. Everything complained of is kept."""
    [made] = generated(1, seed=7)
    key = replace(made.keys[0], addresses=())
    accounts = [Account(name=made.name, keys=(key,), balances={"USDT": Decimal(10**6), "BTC": Decimal(10)})]
    complaints = Complaints()
    watched = [logging.getLogger(name) for name in ("tradedesk", "aiohttp", "asyncio")]
    for each in watched:
        each.addHandler(complaints)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    def on_loop(coroutine: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, loop).result(WITHIN_S)

    async def begin() -> Running:
        clock = SystemClock()
        rates = RateLimits(
            weight_per_minute=MANY, raw_per_5_minutes=MANY, orders_per_10_seconds=MANY, orders_per_day=MANY
        )
        exchange = Exchange(default_specs(), specs(accounts), Quiet(), now=clock.now())
        return await start(exchange, accounts, clock, admin_token="t", rates=rates)

    async def finish() -> None:
        """End the server, and what aiohttp leaves lingering for the rest of a body that never comes."""
        await running.stop()
        left = asyncio.all_tasks() - {asyncio.current_task()}
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)

    running = on_loop(begin())
    try:
        yield Hostile(running, accounts[0], complaints)
    finally:
        on_loop(finish())
        loop.call_soon_threadsafe(loop.stop)
        thread.join(WITHIN_S)
        loop.close()
        for each in watched:
            each.removeHandler(complaints)
