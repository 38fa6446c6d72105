"""What both kinds of socket share: the handshake, the bounded way out, pings, and the loop that reads."""

import asyncio
import contextlib
from collections.abc import Callable
from functools import partial

from aiohttp import WSMsgType, web

from tradedesk.paper.server.front import Commons
from tradedesk.paper.server.latency import Line
from tradedesk.paper.server.outbox import Outbox

MOST_INCOMING = 64 * 1024  # bytes of one message


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
) -> web.StreamResponse:
    """Open the socket, hand its texts to what `opened` returns, and be done with it when either side is."""
    socket = web.WebSocketResponse(autoping=False, max_msg_size=MOST_INCOMING, compress=False)
    socket.headers.update(headers)
    try:
        await socket.prepare(request)
    except ConnectionError:  # gone before its handshake was answered: no bug, and nobody reads what is answered now
        return web.Response()
    outbox = Outbox(socket, request.remote or "", request.transport)
    open_sockets.add(outbox)
    writer = asyncio.create_task(outbox.run())
    pinger = asyncio.create_task(outbox.keep_alive())
    try:
        received = opened(outbox)
        async for message in socket:
            match message.type:
                case WSMsgType.TEXT:
                    received(message.data)
                case WSMsgType.PING:
                    outbox.put(message.data, WSMsgType.PONG)
                case WSMsgType.PONG:
                    outbox.pong_seen()
                case _:
                    outbox.cut("it sent a frame that is no text")
    finally:
        open_sockets.discard(outbox)
        for task in (writer, pinger):
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
    return socket
