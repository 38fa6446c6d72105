"""A venue on loopback that answers what a test tells it to, and remembers every request that reached it."""

import asyncio
import contextlib
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from decimal import Decimal
from urllib.parse import parse_qsl

import msgspec
from aiohttp import web
from builders import an_instrument, an_order

from tradedesk.access.egress import Egress
from tradedesk.access.vault import Secret
from tradedesk.clock import SystemClock
from tradedesk.domain.gate import Approved, CancelTicket
from tradedesk.domain.orders import Order
from tradedesk.domain.words import AccountId, RequestId, VenueId
from tradedesk.venues.adapter import LastCheck, Markets
from tradedesk.venues.ccxt_binance import addresses_of
from tradedesk.venues.spot_adapter import SpotAdapter

KEY = "KeyCanary7f3a9c1e5b2d8f4a6c0e9b3d7f1a5c8e"
SECRET = "SecretCanary4b8d2f6a0c9e3b7d1f5a8c2e6b0d4f"

Behaviour = Callable[[web.Request], Awaitable[web.StreamResponse]]


def says(status: int, body: object, headers: dict[str, str] | None = None) -> Behaviour:
    async def behave(request: web.Request) -> web.StreamResponse:
        return web.json_response(body, status=status, headers=headers)

    return behave


def refuses(code: int, text: str, status: int = 400) -> Behaviour:
    return says(status, {"code": code, "msg": text})


def says_text(status: int, text: str, kind: str = "text/html") -> Behaviour:
    async def behave(request: web.Request) -> web.StreamResponse:
        return web.Response(status=status, text=text, content_type=kind)

    return behave


async def cuts(request: web.Request) -> web.StreamResponse:
    """Reads the request and resets the connection."""
    await request.read()
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


async def tears(request: web.Request) -> web.StreamResponse:
    """Half a body, then the end."""
    response = web.StreamResponse(headers={"Content-Type": "application/json", "Content-Length": "500"})
    await response.prepare(request)
    await response.write(b'{"symbol":"BTCUSDT","orderId":1,')
    assert request.transport is not None
    request.transport.close()
    return response


async def hangs(request: web.Request) -> web.StreamResponse:
    await asyncio.sleep(30)
    return web.Response()


OnSocket = Callable[[web.WebSocketResponse, dict[str, object]], Awaitable[None]]


async def confirms(socket: web.WebSocketResponse, request: dict[str, object]) -> None:
    """Confirms the subscription, then stays open and mute."""
    await socket.send_json({"id": request["id"], "status": 200, "result": {"subscriptionId": 0}})
    await socket.receive()


class ScriptedVenue:
    """Answers the clock; everything else by `behaviour`."""

    def __init__(self) -> None:
        self.behaviour: Behaviour = refuses(-1121, "Invalid symbol.")
        self.seen: list[tuple[str, str, dict[str, str]]] = []  # method, path, parameters
        self.url = ""
        self.on_socket: OnSocket = confirms
        self.sockets = 0

    async def handle(self, request: web.Request) -> web.StreamResponse:
        if request.path == "/api/v3/time":
            return web.json_response({"serverTime": time.time_ns() // 1_000_000})
        if request.path in ("/ws", "/ws-api/v3"):
            self.sockets += 1
            socket = web.WebSocketResponse()
            await socket.prepare(request)
            await self.on_socket(socket, await socket.receive_json())
            return socket
        parameters = dict(request.query) | dict(parse_qsl(await request.text()))
        self.seen.append((request.method, request.path, parameters))
        return await self.behaviour(request)


@contextlib.asynccontextmanager
async def scripted_venue() -> AsyncIterator[ScriptedVenue]:
    venue = ScriptedVenue()
    application = web.Application()
    application.router.add_route("*", "/{tail:.*}", venue.handle)
    runner = web.AppRunner(application, handle_signals=False, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    venue.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield venue
    finally:
        await runner.cleanup()


@contextlib.asynccontextmanager
async def adapter_at(
    url: str, *, last_check: LastCheck = lambda approved: None, timeout_ms: int = 10_000
) -> AsyncIterator[SpotAdapter]:
    """An adapter that knows BTC/USDT and is started."""
    markets = Markets(("BTC/USDT",))
    markets.put((an_instrument(),))
    adapter = SpotAdapter(
        account=AccountId("acme"),
        venue=VenueId("binance"),
        secret=Secret(KEY, SECRET),
        exit_=Egress("127.0.0.1"),
        addresses=addresses_of(url),
        markets=markets,
        last_check=last_check,
        clock=SystemClock(),
        chance=random.Random(1),
        timeout_ms=timeout_ms,
    )
    await adapter.start()
    try:
        yield adapter
    finally:
        await adapter.close()


def approved(order: Order | None = None, replaces: Order | None = None) -> Approved:
    return Approved(
        request_id=RequestId("r1"),
        order=order or an_order(),
        replaces=replaces,
        instrument=an_instrument(),
        approved_at=0,
    )


def in_place(qty: str = "0.4") -> Approved:
    """`an_order()` made smaller where it stands."""
    return approved(msgspec.structs.replace(an_order(), order_qty=Decimal(qty)), an_order())


def a_ticket(order: Order | None = None) -> CancelTicket:
    return CancelTicket(request_id=RequestId("r2"), order=order or an_order(), instrument=an_instrument())


def an_answer(**changes: object) -> dict[str, object]:
    """The venue's answer to `an_order()`."""
    answer: dict[str, object] = {
        "symbol": "BTCUSDT", "orderId": 28, "orderListId": -1, "clientOrderId": "c1", "transactTime": 1764000000123,
        "price": "60000.00000000", "origQty": "1.00000000", "executedQty": "0.00000000",
        "cummulativeQuoteQty": "0.00000000", "status": "NEW", "timeInForce": "GTC", "type": "LIMIT", "side": "BUY",
        "fills": [],
    }  # fmt: skip
    return answer | changes


def a_cancel_answer(**changes: object) -> dict[str, object]:
    return an_answer(origClientOrderId="c1", clientOrderId="cancel-9", status="CANCELED") | changes


def an_amend_answer(**changes: object) -> dict[str, object]:
    """The venue's answer to `in_place()`."""
    shown = an_answer(origClientOrderId="c1", qty="0.40000000") | changes
    del shown["origQty"]
    return {"transactTime": 1764000000123, "executionId": 75, "amendedOrder": shown}
