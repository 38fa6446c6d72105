"""A reader of order books written from the venue's page on managing a local book, and from nothing of ours.

It speaks over bare sockets: HTTP/1.1 for the snapshot, RFC 6455 for the stream. Prices and quantities stay the texts they
came as, except where two have to be compared.
"""

import asyncio
import base64
import json
import os
from decimal import Decimal


async def http_get(host: str, port: int, target: str) -> dict:
    reader, writer = await asyncio.open_connection(host, port)
    writer.write(f"GET {target} HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\n\r\n".encode())
    head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    writer.close()
    assert head.startswith(b"HTTP/1.1 200 "), head
    return json.loads(body)


class Stream:
    """One WebSocket, receiving only; pings are answered."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def open(cls, host: str, port: int, target: str) -> "Stream":
        reader, writer = await asyncio.open_connection(host, port)
        key = base64.b64encode(os.urandom(16)).decode()
        writer.write(
            f"GET {target} HTTP/1.1\r\nHost: {host}:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 101 "), head
        return cls(reader, writer)

    async def next(self) -> dict:
        while True:
            first, second = await self._reader.readexactly(2)
            assert first & 0x80, "fragments are not used"
            assert not second & 0x80, "a server does not mask"
            length = second & 0x7F
            if length == 126:
                length = int.from_bytes(await self._reader.readexactly(2), "big")
            elif length == 127:
                length = int.from_bytes(await self._reader.readexactly(8), "big")
            payload = await self._reader.readexactly(length)
            match first & 0x0F:
                case 1:
                    return json.loads(payload)
                case 9:
                    self._send(10, payload)
                case opcode:
                    raise AssertionError(f"opcode {opcode}: {payload!r}")

    def _send(self, opcode: int, payload: bytes) -> None:
        mask = os.urandom(4)
        masked = bytes(byte ^ mask[index % 4] for index, byte in enumerate(payload))
        self._writer.write(bytes((0x80 | opcode, 0x80 | len(payload))) + mask + masked)

    def close(self) -> None:
        self._writer.close()


class Gap(AssertionError):
    """The stream broke the procedure."""


class ReadBook:
    """A local book. Every event is checked before it is applied."""

    def __init__(self) -> None:
        self.last_id: int | None = None
        self.bids: dict[str, str] = {}
        self.asks: dict[str, str] = {}
        self._buffer: list[dict] = []
        self._has_joined = False

    def buffer(self, event: dict) -> None:
        """Step 2: keep events until there is a snapshot."""
        self._buffer.append(event)

    def start(self, snapshot: dict) -> bool:
        """Steps 3 to 6. False if the snapshot is older than the first event kept: another is needed."""
        if self._buffer and snapshot["lastUpdateId"] < self._buffer[0]["U"] - 1:
            return False
        self.last_id = snapshot["lastUpdateId"]
        self.bids = {price: quantity for price, quantity in snapshot["bids"]}
        self.asks = {price: quantity for price, quantity in snapshot["asks"]}
        events, self._buffer = self._buffer, []
        for event in events:
            self.apply(event)
        return True

    def apply(self, event: dict) -> None:
        """Step 7 for one event."""
        assert self.last_id is not None
        first, last = event["U"], event["u"]
        if last < first:
            raise Gap(f"{first} to {last} is no range")
        if not self._has_joined:
            if last <= self.last_id:
                return  # already in the snapshot
            if not first <= self.last_id + 1 <= last:
                raise Gap(f"the first event is {first} to {last}, the snapshot {self.last_id}")
            self._has_joined = True
        elif first != self.last_id + 1:
            raise Gap(f"after {self.last_id} came {first}")
        if not event["b"] and not event["a"]:
            raise Gap("an event for an unchanged book")
        for side, rows in ((self.bids, event["b"]), (self.asks, event["a"])):
            for price, quantity in rows:
                if Decimal(quantity) == 0:
                    side.pop(price, None)
                else:
                    side[price] = quantity
        self.last_id = last

    def levels(self) -> tuple[list[tuple[Decimal, Decimal]], list[tuple[Decimal, Decimal]]]:
        """Both sides, best first."""
        bids = sorted(((Decimal(p), Decimal(q)) for p, q in self.bids.items()), reverse=True)
        asks = sorted((Decimal(p), Decimal(q)) for p, q in self.asks.items())
        return bids, asks
