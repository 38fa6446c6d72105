"""The admin door, on a port of its own and behind a bearer token: what the exchange saw, and its own books."""

import hmac
from collections.abc import Awaitable, Callable

import msgspec
import orjson
from aiohttp import web

from tradedesk.paper.server.render import MILLISECOND, Json
from tradedesk.paper.server.spot import orders_json
from tradedesk.paper.server.spot.front import SpotFront

_PAGE = 1_000  # rows asked of the exchange at a time
_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def application(spot: SpotFront, token: str) -> web.Application:
    @web.middleware
    async def bearer_only(request: web.Request, handler: _Handler) -> web.StreamResponse:
        given = request.headers.get("Authorization", "")
        if not hmac.compare_digest(given.encode(), f"Bearer {token}".encode()):
            return _json({"error": "send the header Authorization: Bearer ADMIN_TOKEN"}, 401)
        try:
            return await handler(request)
        except web.HTTPException as error:
            return _json({"error": f"{error.reason}; there is GET /requests and GET /accounts/NAME"}, error.status)

    async def requests(request: web.Request) -> web.Response:
        """`?after=NUMBER` leaves out what was seen up to there; `?limit=N` rows at most."""
        try:
            after, limit = int(request.query.get("after", "0")), int(request.query.get("limit", "100000"))
        except ValueError:
            return _json({"error": "after and limit are whole numbers"}, 400)
        rows = spot.commons.seen.after(after, limit)
        return _json(
            {"schema": "paper.requests.v1", "count": spot.commons.seen.count, "requests": msgspec.to_builtins(rows)}
        )

    async def account(request: web.Request) -> web.Response:
        name = request.match_info["name"]
        if name not in spot.commons.accounts:
            return _json(
                {"error": f"no account {name[:40]}; there are {', '.join(sorted(spot.commons.accounts)[:20])}"}, 404
            )
        now = spot.settle()
        spot.distribute(now)
        return _json(books(spot, name, now), 200)

    app = web.Application(middlewares=[bearer_only])
    app.router.add_get("/requests", requests)
    app.router.add_get("/accounts/{name}", account)
    return app


def books(spot: SpotFront, name: str, now: int) -> Json:
    """Everything the exchange holds about one account, as its own records say, in the venue's form."""
    orders: list[Json] = []
    trades: list[Json] = []
    for spec in spot.exchange.specs():
        order_id, trade_id = 0, 0
        while rows := spot.exchange.all_orders(name, spec.symbol, order_id=order_id, limit=_PAGE):
            orders += [orders_json.order(row, MILLISECOND) for row in rows]
            order_id = rows[-1].order_id + 1
        while fills := spot.exchange.my_trades(name, spec.symbol, from_id=trade_id, limit=_PAGE):
            trades += [orders_json.my_trade(fill, MILLISECOND) for fill in fills]
            trade_id = fills[-1].trade_id + 1
    return {
        "schema": "paper.account.v1",
        "name": name,
        "time": now // MILLISECOND,
        "balances": orders_json.balances(spot.exchange.balances(name)),
        "open_orders": [orders_json.order(row, MILLISECOND) for row in spot.exchange.open_orders(name)],
        "orders": orders,
        "trades": trades,
    }


def _json(body: object, status: int = 200) -> web.Response:
    return web.Response(body=orjson.dumps(body), status=status, content_type="application/json", charset="utf-8")
