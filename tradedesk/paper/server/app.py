"""The whole server: doors bound to their ports, the task that moves the exchange on, start and stop."""

import asyncio
import contextlib
import logging
from collections.abc import Mapping, Sequence

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from tradedesk.clock import Clock
from tradedesk.paper.accounts import Account, Key
from tradedesk.paper.exchange import Exchange
from tradedesk.paper.futures.exchange import FuturesExchange
from tradedesk.paper.server import admin, wallet
from tradedesk.paper.server.front import Commons, Front, Route
from tradedesk.paper.server.futures import routes as futures_routes
from tradedesk.paper.server.futures.front import FuturesFront
from tradedesk.paper.server.hub import TICK
from tradedesk.paper.server.limits import FUTURES, Limits, RateLimits
from tradedesk.paper.server.outbox import Outbox
from tradedesk.paper.server.rest import RestDoor
from tradedesk.paper.server.sockets import leave, tend
from tradedesk.paper.server.spot import routes as spot_routes
from tradedesk.paper.server.spot.front import SpotFront
from tradedesk.paper.server.stream_door import CATEGORIES, StreamDoor
from tradedesk.paper.server.wallet_front import WalletFront
from tradedesk.paper.server.wsapi import ApiDoor

SPOT_SOCKET_PATH = "/ws-api/v3"
FUTURES_SOCKET_PATH = "/ws-fapi/v1"

_LEAST_SLEEP = 1_000_000  # ns; a busy flow is let act in batches of a millisecond, the venue's own grain
_MOST_BODY = 64 * 1024


class Running:
    """A server that is up. `stop` ends it; `failed` is done, with the exception, if the exchange itself broke."""

    def __init__(
        self,
        spot: SpotFront,
        futures: FuturesFront | None,
        runners: list[web.AppRunner],
        pump: asyncio.Task[None],
        *,
        host: str,
        port: int,
        futures_port: int | None,
        admin_port: int,
        token: str,
    ) -> None:
        self.spot = spot
        self.futures = futures
        self.commons = spot.commons
        self.failed = pump
        shown = f"[{host}]" if ":" in host else host
        self.rest, self.ws, self.wsapi = _addresses(shown, port, SPOT_SOCKET_PATH)
        self.futures_addresses = (
            None if futures_port is None else _addresses(shown, futures_port, FUTURES_SOCKET_PATH)
        )  # REST, streams, WebSocket API
        self.admin = f"http://{shown}:{admin_port}"
        self.admin_token = token
        self._runners = runners

    def described(self) -> dict[str, object]:
        """The paper.v1 object: where everything is, and the keys (printed nowhere else)."""
        futures = self.futures_addresses
        return {
            "schema": "paper.v1",
            "rest": self.rest,
            "ws": self.ws,
            "wsapi": self.wsapi,
            **({} if futures is None else {"futures": dict(zip(("rest", "ws", "wsapi"), futures, strict=True))}),
            "admin": self.admin,
            "admin_token": self.admin_token,
            "accounts": [_described(account) for account in self.commons.accounts.values()],
        }

    async def stop(self) -> None:
        """End everything; raises what broke the exchange, if something did."""
        self.failed.cancel()
        for runner in self._runners:
            await runner.cleanup()
        with contextlib.suppress(asyncio.CancelledError):
            await self.failed


def _addresses(host: str, port: int, socket_path: str) -> tuple[str, str, str]:
    """REST, streams and WebSocket API of the market on a port."""
    return f"http://{host}:{port}", f"ws://{host}:{port}", f"ws://{host}:{port}{socket_path}"


def _described(account: Account) -> dict[str, object]:
    """The account with its first key; with all of them where it has several."""
    keys = [_described_key(key) for key in account.keys]
    return {"name": account.name, **keys[0], **({"keys": keys} if len(keys) > 1 else {})}


def _described_key(key: Key) -> dict[str, object]:
    secret = {} if key.secret is None else {"secret": key.secret}
    return {"api_key": key.api_key, **secret, "addresses": list(key.addresses)}


async def start(
    exchange: Exchange,
    accounts: Sequence[Account],
    clock: Clock,
    *,
    admin_token: str,
    host: str = "127.0.0.1",
    port: int = 0,
    rates: RateLimits | None = None,
    futures: FuturesExchange | None = None,
    futures_port: int = 0,
) -> Running:
    """Serve `exchange` to the owners of `accounts` on this loop. Port 0 takes a free one. Raises OSError if it cannot bind.

    `futures` is served beside it, on a port of its own; its accounts are those of the same names.
    Clients reach it from any loopback source address.
    """
    commons = Commons(accounts, clock)
    spot = SpotFront(exchange, commons, Limits(rates or RateLimits()))
    open_sockets: set[Outbox] = set()
    wallet_door = RestDoor(WalletFront(spot), wallet.REST)
    app = _market(
        spot, spot_routes.REST, spot_routes.SOCKET, SPOT_SOCKET_PATH, open_sockets, beside={"/sapi/": wallet_door}
    )
    fronts: list[Front] = [spot]
    futures_front, futures_bound = None, None
    if futures is not None:
        futures_front = FuturesFront(futures, commons, Limits(FUTURES))
        fronts.append(futures_front)
        commons.futures_wallet = futures_front.transfer
    runners: list[web.AppRunner] = []
    try:
        bound = await _bind(app, runners, host, port)
        if futures_front is not None:
            futures_app = _market(
                futures_front,
                futures_routes.REST,
                futures_routes.SOCKET,
                FUTURES_SOCKET_PATH,
                open_sockets,
                CATEGORIES,
            )
            futures_bound = await _bind(futures_app, runners, host, futures_port)
        admin_bound = await _bind(admin.application(spot, admin_token), runners, host, 0)
    except BaseException:
        for runner in runners:
            await runner.cleanup()
        raise
    pump = asyncio.create_task(_pump(fronts, clock, open_sockets))
    return Running(
        spot,
        futures_front,
        runners,
        pump,
        host=host,
        port=bound,
        futures_port=futures_bound,
        admin_port=admin_bound,
        token=admin_token,
    )


def _market(
    front: Front,
    rest_table: Mapping[tuple[str, str], Route],
    socket_table: Mapping[str, Route],
    socket_path: str,
    open_sockets: set[Outbox],
    categories: Sequence[str] = (),
    beside: Mapping[str, RestDoor] | None = None,
) -> web.Application:
    """The doors of one market on one port: REST, streams and its WebSocket API; `beside` them others, by path prefix."""
    rest = RestDoor(front, rest_table)
    streams = StreamDoor(front, open_sockets, categories)
    api = ApiDoor(front, socket_table, socket_path, open_sockets)

    async def route(request: web.Request) -> web.StreamResponse:
        if request.headers.get("Upgrade", "").lower() == "websocket" and request.method == "GET":
            if request.path == socket_path:
                return await api.handle(request)
            if streams.serves(request.path):
                return await streams.handle(request)
        for prefix, door in (beside or {}).items():
            if request.raw_path.startswith(prefix) and not front.is_down:
                return await door.handle(request)
        return await rest.handle(request)

    async def drop_sockets(_: web.Application) -> None:
        await leave(open_sockets, front.commons.now())

    app = web.Application(client_max_size=_MOST_BODY)
    app.router.add_route("*", "/{path:(?s:.*)}", route)  # a line feed in the path too
    app.on_shutdown.append(drop_sockets)
    return app


async def _bind(app: web.Application, runners: list[web.AppRunner], host: str, port: int) -> int:
    runner = web.AppRunner(app, access_log=None, logger=_http_log(), handle_signals=False, shutdown_timeout=1.0)
    runners.append(runner)
    await runner.setup()
    await web.TCPSite(runner, host, port).start()
    bound: int = runner.addresses[0][1]
    return bound


def _http_log() -> logging.Logger:
    """Where the HTTP layer says what went wrong; bytes that are no HTTP are the sender's doing and are not told."""

    def is_ours(record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        return not isinstance(error, HttpProcessingError | web.RequestPayloadError)

    log = logging.getLogger("tradedesk.paper.http")
    if not log.filters:
        log.addFilter(is_ours)
    return log


async def _pump(fronts: Sequence[Front], clock: Clock, open_sockets: set[Outbox]) -> None:
    """Move the markets on when their flow is due and tell who listens; every 100 ms the timed streams and the pings."""
    next_tick = 0
    while True:
        due = [next_tick]
        for front in fronts:
            now = front.settle()
            front.distribute(now)
            if now >= next_tick:
                front.tick(now)
            acts_at = front.next_due()
            if acts_at is not None:
                due.append(acts_at)
        if now >= next_tick:
            tend(open_sockets)
            due[0] = next_tick = (now // TICK + 1) * TICK
        await asyncio.sleep(max(min(due) - clock.now(), _LEAST_SLEEP) / 1_000_000_000)
