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
from tradedesk.paper.faults import Fault, FaultsError
from tradedesk.paper.futures.exchange import FuturesExchange
from tradedesk.paper.server import admin, wallet
from tradedesk.paper.server.fault_acts import Acts
from tradedesk.paper.server.front import Commons, Front, Route
from tradedesk.paper.server.futures import routes as futures_routes
from tradedesk.paper.server.futures.front import FuturesFront
from tradedesk.paper.server.futures.front import Remake as FuturesRemake
from tradedesk.paper.server.hub import TICK
from tradedesk.paper.server.latency import Latency
from tradedesk.paper.server.limits import FUTURES, Limits, RateLimits
from tradedesk.paper.server.outbox import Outbox
from tradedesk.paper.server.port import Port
from tradedesk.paper.server.rest import RestDoor, peer_of
from tradedesk.paper.server.sockets import leave, tend
from tradedesk.paper.server.spot import routes as spot_routes
from tradedesk.paper.server.spot.front import Remake, SpotFront
from tradedesk.paper.server.stream_door import CATEGORIES, StreamDoor
from tradedesk.paper.server.wallet_front import WalletFront
from tradedesk.paper.server.wsapi import ApiDoor

SPOT_SOCKET_PATH = "/ws-api/v3"
FUTURES_SOCKET_PATH = "/ws-fapi/v1"
ECHO_PATH = "/echo"  # no part of the venue: answers with the address it was asked from, for the proof of an exit

_LEAST_SLEEP = 1_000_000  # ns; a busy flow is let act in batches of a millisecond, the venue's own grain
_FLOOD_EVERY = 5_000_000  # ns between two handfuls of a flood
_DOWN = "<html><head><title>503 Service Unavailable</title></head><body>Service Unavailable</body></html>"
_MOST_BODY = 64 * 1024


class Running:
    """A server that is up. `stop` ends it; `failed` is done, with the exception, if the exchange itself broke."""

    def __init__(
        self,
        spot: SpotFront,
        futures: FuturesFront | None,
        ports: list[Port],
        pump: asyncio.Task[None],
        acts: Acts,
        *,
        host: str,
        token: str,
    ) -> None:
        """`ports` in their order: spot, futures where there is one, admin."""
        self.spot = spot
        self.futures = futures
        self.commons = spot.commons
        self.failed = pump
        shown = f"[{host}]" if ":" in host else host
        self.rest, self.ws, self.wsapi = _addresses(shown, ports[0].number, SPOT_SOCKET_PATH)
        self.futures_addresses = (
            None if futures is None else _addresses(shown, ports[1].number, FUTURES_SOCKET_PATH)
        )  # REST, streams, WebSocket API
        self.admin = f"http://{shown}:{ports[-1].number}"
        self.admin_token = token
        self._ports = ports
        self._acts = acts

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
        await _end(self._ports, self._acts, self.commons)
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
    faults: Sequence[Fault] = (),
    latency: Latency | None = None,
    seed: int = 0,
    remake: Remake | None = None,
    remake_futures: FuturesRemake | None = None,
) -> Running:
    """Serve `exchange` to the owners of `accounts` on this loop. Port 0 takes a free one. Raises OSError if it cannot bind.

    `futures` is served beside it, on a port of its own; its accounts are those of the same names.
    Clients reach it from any loopback source address. `seed` is that of the faults' chances and of the latency; `remake`
    and `remake_futures` build the exchanges again after a restart. Raises FaultsError if a fault that acts at once cannot.
    """
    commons = Commons(accounts, clock, latency=latency, seed=seed)
    spot = SpotFront(exchange, commons, Limits(rates or RateLimits()), remake)
    sockets: dict[str, set[Outbox]] = {"spot": set(), "futures": set()}
    wallet_door = RestDoor(WalletFront(spot), wallet.REST)
    app = _market(
        spot, spot_routes.REST, spot_routes.SOCKET, SPOT_SOCKET_PATH, sockets["spot"], beside={"/sapi/": wallet_door}
    )
    log = _http_log()

    def port_of(app: web.Application, number: int, market: str) -> Port:
        return Port(app, host, number, lambda: commons.faults.refuses(market), log)

    ports = {"spot": port_of(app, port, "spot")}
    fronts: dict[str, Front] = {"spot": spot}
    futures_front = None
    if futures is not None:
        futures_front = FuturesFront(futures, commons, Limits(FUTURES), remake_futures)
        fronts["futures"] = futures_front
        commons.futures_wallet = futures_front.transfer
        futures_app = _market(
            futures_front,
            futures_routes.REST,
            futures_routes.SOCKET,
            FUTURES_SOCKET_PATH,
            sockets["futures"],
            CATEGORIES,
        )
        ports["futures"] = port_of(futures_app, futures_port, "futures")
    acts = Acts(commons, fronts, ports, sockets)
    admin_port = Port(admin.application(spot, futures_front, acts, admin_token), host, 0, lambda: False, log)
    everything = [*ports.values(), admin_port]
    try:
        rules = commons.faults.rules.add(faults, commons.now())
        acts.posted(rules, commons.now())
        failed = [f"faults[{number}]: {rule.failed}" for number, rule in enumerate(rules) if rule.failed]
        if failed:
            raise FaultsError("\n".join(failed))
        for each in everything:
            await each.open()
    except BaseException:
        await _end(everything, acts, commons)
        raise
    pump = asyncio.create_task(_pump(fronts, clock, sockets, acts))
    return Running(spot, futures_front, everything, pump, acts, host=host, token=admin_token)


async def _end(ports: Sequence[Port], acts: Acts, commons: Commons) -> None:
    await acts.end()
    commons.faults.later.clear()
    for port in ports:
        await port.end()


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
        if request.path == ECHO_PATH and request.method == "GET":
            return web.Response(text=peer_of(request))
        if front.is_down:
            return web.Response(status=503, text=_DOWN, content_type="text/html")
        if request.headers.get("Upgrade", "").lower() == "websocket" and request.method == "GET":
            if request.path == socket_path:
                return await api.handle(request)
            if streams.serves(request.path):
                return await streams.handle(request)
        for prefix, door in (beside or {}).items():
            if request.raw_path.startswith(prefix):
                return await door.handle(request)
        return await rest.handle(request)

    async def drop_sockets(_: web.Application) -> None:
        await leave(open_sockets, front.commons.now())

    app = web.Application(client_max_size=_MOST_BODY)
    app.router.add_route("*", "/{path:(?s:.*)}", route)  # a line feed in the path too
    app.on_shutdown.append(drop_sockets)
    return app


def _http_log() -> logging.Logger:
    """Where the HTTP layer says what went wrong; bytes that are no HTTP are the sender's doing and are not told."""

    def is_ours(record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        return not isinstance(error, HttpProcessingError | web.RequestPayloadError)

    log = logging.getLogger("tradedesk.paper.http")
    if not log.filters:
        log.addFilter(is_ours)
    return log


async def _pump(fronts: Mapping[str, Front], clock: Clock, sockets: Mapping[str, set[Outbox]], acts: Acts) -> None:
    """Move the markets on when their flow is due and tell who listens; every 100 ms the timed streams and the pings."""
    next_tick = 0
    commons = fronts["spot"].commons
    now = commons.now()
    while True:
        due = [next_tick]
        before, now = now, commons.now()
        for front in fronts.values():
            if front.is_down:
                continue
            now = front.settle()
            front.distribute(now)
            if now >= next_tick:
                front.tick(now)
            acts_at = front.next_due()
            if acts_at is not None:
                due.append(acts_at)
        if commons.faults.rules.has("sockets"):
            commons.faults.flood([outbox for each in sockets.values() for outbox in each], now, before)
            due.append(now + _FLOOD_EVERY)
        if now >= next_tick:
            acts.run_due()
            for each in sockets.values():
                tend(each)
            due[0] = next_tick = (now // TICK + 1) * TICK
        await asyncio.sleep(max(min(due) - clock.now(), _LEAST_SLEEP) / 1_000_000_000)
