"""What waits to be written to one socket: bounded, so that a client that does not read is cut off and never waited for (5.13)."""

import asyncio
import contextlib
import itertools
import logging
from collections import deque
from collections.abc import Callable

from aiohttp import WSMsgType, web

from tradedesk.paper.fault_rules import Facts, Rule
from tradedesk.paper.server.fault_rest import reset
from tradedesk.paper.server.faults import Faults
from tradedesk.paper.server.latency import Line
from tradedesk.paper.server.manners import Conduct, End, Manners, Ping

_numbers = itertools.count(1)
log = logging.getLogger("tradedesk.paper")

_WHOLE = 0x80  # the first byte of a frame that is not in parts, before its opcode
MOST_FRAMES = 4_096
MOST_BYTES = 8 * 1024 * 1024
Notice = Callable[[int], bytes]  # the frame that says the server is about to leave, made at that time (ns)


class Outbox:
    """Puts never wait. Frames go to the transport at once, or by `run` where they are under way for a while.

    A server's frames are plain (not masked, not compressed, whole), so they are made here and not by the HTTP library: an
    event for fifty listeners is fifty writes, and no task has to wake up for any. Belongs to the server's loop.
    """

    def __init__(
        self,
        socket: web.WebSocketResponse,
        peer: str,
        transport: asyncio.Transport | None,
        *,
        manners: Manners,
        clock: Callable[[], int],
    ) -> None:
        """`clock` is monotonic, ns."""
        self.peer = peer
        self.notice: Notice | None = None  # of a planned end; none before its door knows the form
        self.number = next(_numbers)  # tells sockets apart for as long as the server lives
        self.market = ""
        self.door = ""  # stream, wsapi
        self.accounts: list[str] = []  # whose events it is sent; one twice where it subscribed twice
        self.streams: set[str] = set()  # the market streams it hears
        self.swapped: dict[int, tuple[Rule, bytes]] = {}  # fault -> the event that waits for the next one
        self.newest: dict[str, bytes] = {}  # of each stream, while there is a flood
        self._faults: Faults | None = None
        self._way: Line | None = None
        self.is_cut = False
        self._socket = socket
        self._frames: deque[tuple[float, WSMsgType, bytes]] = deque()
        self._bytes = 0
        self._filled = asyncio.Event()
        self._transport = transport  # dropped when the client does not keep up
        self.over = asyncio.Event()  # set when the connection is
        self._clock = clock
        self._conduct = Conduct(manners, clock())
        self._texts_are_free = not manners.counts_texts
        self._ending: End | None = None  # to be closed with, when what waits is written

    def put(self, frame: bytes, kind: WSMsgType = WSMsgType.TEXT) -> None:
        """Queue one frame. Over the bound the whole connection is dropped: half a stream would look like a whole one."""
        if self.is_cut or self._ending is not None:
            return
        faults = self._faults
        if faults is not None and faults.silences(self, is_ping=kind is not WSMsgType.TEXT):
            return
        if self._way is None:
            self._write(frame, kind)
        elif len(self._frames) >= MOST_FRAMES or self._bytes + len(frame) > MOST_BYTES:
            self.cut(f"it did not read: {len(self._frames)} frames, {self._bytes} bytes were waiting")
        else:
            self._frames.append((self._way.arrival(), kind, frame))
            self._bytes += len(frame)
            self._filled.set()

    def _write(self, frame: bytes, kind: WSMsgType) -> None:
        transport, length = self._transport, len(frame)
        if transport is None or transport.is_closing():
            return
        waiting = transport.get_write_buffer_size()
        if waiting + length > MOST_BYTES:
            self.cut(f"it did not read: {waiting} bytes were waiting")
        elif length < 126:
            transport.write(bytes((_WHOLE | kind, length)) + frame)
        elif length < 65_536:
            transport.write(bytes((_WHOLE | kind, 126, length >> 8, length & 255)) + frame)
        else:
            transport.write(bytes((_WHOLE | kind, 127)) + length.to_bytes(8, "big") + frame)

    def belongs(self, market: str, door: str, faults: Faults, way: Line | None = None) -> None:
        """Whose door it came through, which faults it meets, and by which way its frames go (None: at once)."""
        self.market, self.door, self._faults, self._way = market, door, faults, way

    def facts(self) -> Facts:
        """What a fault for whole sockets can see of this one."""
        symbols = tuple({name.partition("@")[0].upper() for name in self.streams})
        return Facts(market=self.market, transport=self.door, accounts=tuple(self.accounts), instruments=symbols)

    def tear(self, frame: bytes) -> None:
        """Write half of this frame, and close."""
        if self._transport is not None and not self.is_cut:
            head = bytes((0x81, 127)) + len(frame).to_bytes(8, "big")  # a text, whole, its length in the longest form
            self._transport.write(head + frame[: len(frame) // 2])
            self._transport.close()
        self.is_cut = True
        self._filled.set()

    def reset(self) -> None:
        """End the connection by RST."""
        if self._transport is not None and not self.is_cut:
            reset(self._transport)
        self.drop()

    def close(self) -> None:
        """End the connection in order: what was handed to it before still goes out."""
        if self._transport is not None:
            self._transport.close()
        self.is_cut = True
        self._filled.set()

    def said(self, *, is_text: bool) -> bool:
        """A message came in. False if it was one too many: the socket ends, and what it says counts no more."""
        if not (is_text and self._texts_are_free):
            self._end(self._conduct.said(self._clock(), is_text=is_text))
        return self._ending is None

    def ponged(self, payload: bytes) -> None:
        self._conduct.ponged(payload)

    def tend(self) -> None:
        """Do what the time asks for: a ping, or the end."""
        if self._faults is not None and self._faults.silences(self, is_ping=True):
            return  # frozen: no ping is sent, so none can be missed
        match self._conduct.due(self._clock()):
            case Ping(payload):
                self.put(payload, WSMsgType.PING)
            case End() as end:
                self._end(end)

    def announce(self, now: int) -> None:
        """Tell the client that the server is about to leave; `now` is the venue's time (ns)."""
        if self.notice is not None:
            self.put(self.notice(now))

    def end(self, code: int, why: str) -> None:
        """Close it in order: what was put before still goes out, then the close frame."""
        self._end(End(code, why))

    def _end(self, end: End | None) -> None:
        if end is None or self.is_cut or self._ending is not None:
            return
        if end.is_dead:
            self.cut(end.why)
            return
        log.info("socket of %s closed: %s", self.peer, end.why)
        self._ending = end
        self._filled.set()

    def cut(self, why: str) -> None:
        """Drop it, and say why on the server's side."""
        if self.is_cut:
            return
        log.warning("socket of %s dropped: %s", self.peer, why)
        self.drop()

    def drop(self) -> None:
        """End the connection now; what waits is gone."""
        self.is_cut = True
        self._frames.clear()
        self._bytes = 0
        self._filled.set()
        if self._transport is not None:
            self._transport.abort()

    async def run(self) -> None:
        """Write what is under way when it arrives, and close in the end."""
        loop = asyncio.get_running_loop()
        with contextlib.suppress(ConnectionError):  # the reader of the socket sees the same end and cleans up
            while not self.is_cut and not self._socket.closed:
                while self._frames:
                    under_way = self._frames[0][0] - loop.time()
                    if under_way > 0:
                        await asyncio.sleep(under_way)
                        continue
                    _, kind, frame = self._frames.popleft()
                    self._bytes -= len(frame)
                    self._write(frame, kind)
                if self._ending is not None:
                    await self._socket.close(code=self._ending.code, message=self._ending.why.encode())
                    self.is_cut = True
                    return
                self._filled.clear()
                await self._filled.wait()
