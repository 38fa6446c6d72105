"""What both kinds of socket share: the handshake, the bounded way out, the loop that reads, manners, and a planned end."""

import asyncio
import contextlib
from collections.abc import Callable, Iterable
from functools import partial

from aiohttp import WSMsgType, web

from tradedesk.paper.server.front import Commons
from tradedesk.paper.server.latency import Line
from tradedesk.paper.server.manners import GOING_AWAY, NOT_TEXT, Manners
from tradedesk.paper.server.outbox import Outbox

MOST_INCOMING = 64 * 1024  # bytes of one message; a longer one ends the socket with 1009
CLOSE_WITHIN_S = 1.0  # a client gets for its half of the closing handshake


def reader(
    commons: Commons, outbox: Outbox, market: str, door: str, received: Callable[[str], None]
) -> Callable[[str], None]:
    """What takes the texts of this socket to `received`: at once, or as late as the latency has it."""
    if commons.latency is None:
        outbox.belongs(market, door, commons.faults)
        return received
    outbox.belongs(market, door, commons.faults, Line(commons.half_way))
    way = Line(commons.half_way)

    def send(text: str) -> None:
        if not way.send(partial(_arrived, outbox, received, text)):
            outbox.cut("too many of its requests were under way")

    return send


def _arrived(outbox: Outbox, received: Callable[[str], None], text: str) -> None:
    if not outbox.is_cut:
        received(text)


async def serve(
    request: web.Request,
    open_sockets: set[Outbox],
    opened: Callable[[Outbox], Callable[[str], None]],
    headers: dict[str, str],
    *,
    manners: Manners,
    clock: Callable[[], int],
) -> web.StreamResponse:
    """Open the socket, hand its texts to what `opened` returns, and be done with it when either side is.

    `clock` is monotonic (ns); whoever has `open_sockets` calls `tend` now and then.
    """
    socket = web.WebSocketResponse(timeout=CLOSE_WITHIN_S, autoping=False, max_msg_size=MOST_INCOMING, compress=False)
    socket.headers.update(headers)
    try:
        await socket.prepare(request)
    except ConnectionError:  # gone before its handshake was answered: no bug, and nobody reads what is answered now
        return web.Response()
    outbox = Outbox(socket, request.remote or "", request.transport, manners=manners, clock=clock)
    open_sockets.add(outbox)
    writer = asyncio.create_task(outbox.run())
    try:
        received = opened(outbox)
        async for message in socket:
            kind = message.type
            if kind is WSMsgType.ERROR or not outbox.said(is_text=kind is WSMsgType.TEXT):
                continue  # the protocol was broken and is answered, or the limit: nothing more is heard
            if kind is WSMsgType.TEXT:
                received(message.data)
            elif kind is WSMsgType.PING:
                outbox.put(message.data, WSMsgType.PONG)
            elif kind is WSMsgType.PONG:
                outbox.ponged(message.data)
            else:
                outbox.end(NOT_TEXT, "binary frames are not understood")
    finally:
        open_sockets.discard(outbox)
        writer.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await writer
        outbox.over.set()
    return socket


def tend(open_sockets: Iterable[Outbox]) -> None:
    """Pings and ends that are due."""
    for outbox in open_sockets:
        outbox.tend()


def announce_shutdown(open_sockets: Iterable[Outbox], now: int) -> None:
    """Tell all clients that the server is about to leave, as the venue does before a planned end. `now` in ns."""
    for outbox in open_sockets:
        outbox.announce(now)


async def leave(open_sockets: Iterable[Outbox], now: int, *, within_s: float = 0.5) -> None:
    """Announce it, close every socket in order, and drop those that are not through `within_s` later."""
    leaving = list(open_sockets)
    announce_shutdown(leaving, now)
    for outbox in leaving:
        outbox.end(GOING_AWAY, "the server leaves")
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(within_s):
            for outbox in leaving:
                await outbox.over.wait()
    for outbox in leaving:
        outbox.drop()
