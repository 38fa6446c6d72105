"""The documented depth procedure holds at every message, at both paces, under load: an independent reader rebuilds the book
and has the engine's at each update."""

import asyncio
import contextlib
import json
import random
import time
from collections.abc import AsyncIterator
from decimal import Decimal
from types import SimpleNamespace

import aiohttp
import pytest
from book_reader import Gap, ReadBook, Stream, http_get
from hypothesis import given, settings
from hypothesis import strategies as st
from paper_builders import T0, an_exchange, limit, market
from paper_client import Client

from tradedesk.clock import SystemClock
from tradedesk.paper.accounts import generated, specs
from tradedesk.paper.exchange import Exchange
from tradedesk.paper.rows import BookDelta, Refusal
from tradedesk.paper.server.app import Running, start
from tradedesk.paper.server.hub import StreamSocket
from tradedesk.paper.server.limits import RateLimits
from tradedesk.paper.server.render import MILLISECOND
from tradedesk.paper.server.spot import market_json
from tradedesk.paper.server.spot.streams import SpotStreams
from tradedesk.paper.server.users import UserStreams
from tradedesk.paper.synthetic import Synthetic, default_specs

SYMBOLS = ("BTCUSDT", "ETHUSDT")
Levels = tuple[list[tuple[Decimal, Decimal]], list[tuple[Decimal, Decimal]]]


class Witnessed(Exchange):
    """The engine, which also keeps its own books as they were at each update id that was told."""

    def __init__(self, *args: object, **more: object) -> None:
        self.books: dict[tuple[str, int], Levels] = {}
        super().__init__(*args, **more)  # type: ignore[arg-type]

    def take_book_delta(self, symbol: str) -> BookDelta | None:
        delta = super().take_book_delta(symbol)
        self._keep(symbol)
        return delta

    def touched(self) -> list[str]:
        symbols = super().touched()
        for symbol in symbols:
            self._keep(symbol)
        return symbols

    def _keep(self, symbol: str) -> None:
        book = self.depth(symbol, 1_000_000)
        self.books[(symbol, book.last_update_id)] = (list(book.bids), list(book.asks))


@pytest.fixture
async def busy() -> AsyncIterator[tuple[Running, Witnessed, Client]]:
    """A synthetic market and a client."""
    accounts = [generated(1, seed=3)[0]]
    clock = SystemClock()
    instruments = [spec for spec in default_specs() if spec.symbol in SYMBOLS]
    exchange = Witnessed(instruments, specs(accounts), Synthetic(instruments, 5), now=clock.now())
    rates = RateLimits(weight_per_minute=10**9, orders_per_10_seconds=10**6)
    running = await start(exchange, accounts, clock, admin_token="admin-token", rates=rates)
    key = accounts[0].keys[0]
    async with contextlib.AsyncExitStack() as stack:
        connector = aiohttp.TCPConnector(local_addr=(key.addresses[0], 0))  # where the key may be used from
        session = await stack.enter_async_context(aiohttp.ClientSession(connector=connector))
        stack.push_async_callback(running.stop)
        yield running, exchange, Client(running.rest, running.ws, key.api_key, str(key.secret), session)


async def trade(client: Client, exchange: Exchange, symbol: str, until: float) -> int:
    """Orders near the market: some rest, some trade, some are taken back. Returns how many the exchange took."""
    chance, taken = random.Random(symbol), 0
    while time.monotonic() < until:
        spec, best = exchange.spec(symbol), exchange.book_ticker(symbol)
        side = chance.choice(("BUY", "SELL"))
        away = spec.tick * chance.randint(-3, 40)
        price = best.bid - away if side == "BUY" else best.ask + away
        quantity = max(spec.lot, (chance.randint(6, 40) / best.ask // spec.lot) * spec.lot)
        placed = await client.order(side, f"{quantity:f}", f"{price:f}", symbol=symbol)
        taken += placed.status == 200
        if placed.status == 200 and chance.random() < 0.5:
            await client.signed("DELETE", "order", symbol=symbol, orderId=placed.body["orderId"])
    return taken


async def read_book(exchange: Witnessed, port: int, symbol: str, pace: str, until: float) -> int:
    """Follow one book by the documented procedure; at every update it is the engine's. Returns the updates seen."""
    stream = await Stream.open("127.0.0.1", port, f"/ws/{symbol.lower()}@depth{pace}")
    book, count = ReadBook(), 0
    book.buffer(await stream.next())
    while not book.start(await http_get("127.0.0.1", port, f"/api/v3/depth?symbol={symbol}&limit=5000")):
        pass
    while time.monotonic() < until:
        event = await asyncio.wait_for(stream.next(), 5)
        joins = event["u"] > (book.last_id or 0)
        book.apply(event)
        if joins:
            assert book.levels() == exchange.books[(symbol, event["u"])], (symbol, pace, event["u"])
            count += 1
    stream.close()
    return count


async def read_tops(exchange: Witnessed, port: int, symbol: str, until: float) -> int:
    """Partial books at both paces and the best bid and offer: each is the engine's at its update id."""
    low, count = symbol.lower(), 0
    names = [f"{low}@depth{n}{pace}" for n in (5, 10, 20) for pace in ("", "@100ms")]
    stream = await Stream.open("127.0.0.1", port, "/stream?streams=" + "/".join([*names, f"{low}@bookTicker"]))
    while time.monotonic() < until:
        frame = await asyncio.wait_for(stream.next(), 5)
        name, data = frame["stream"], frame["data"]
        if name.endswith("bookTicker"):
            bids, asks = exchange.books[(symbol, data["u"])]
            assert [(Decimal(data["b"]), Decimal(data["B"]))] == bids[:1]
            assert [(Decimal(data["a"]), Decimal(data["A"]))] == asks[:1]
        else:
            bids, asks = exchange.books[(symbol, data["lastUpdateId"])]
            levels = int(name.partition("@depth")[2].partition("@")[0])
            assert [(Decimal(p), Decimal(q)) for p, q in data["bids"]] == bids[:levels]
            assert [(Decimal(p), Decimal(q)) for p, q in data["asks"]] == asks[:levels]
        count += 1
    stream.close()
    return count


async def test_a_reader_has_the_engines_book_at_every_update_under_load(busy):
    running, exchange, client = busy
    port = int(running.rest.rpartition(":")[2])
    until = time.monotonic() + 4
    *counts, first, second = await asyncio.gather(
        *(read_book(exchange, port, symbol, pace, until) for symbol in SYMBOLS for pace in ("@100ms", "", "@1000ms")),
        *(read_tops(exchange, port, symbol, until) for symbol in SYMBOLS),
        *(trade(client, exchange, symbol, until) for symbol in SYMBOLS),
    )
    assert first + second > 20, "no load"
    assert all(count > 1 for count in counts), counts
    assert sum(counts) > 60, counts


async def test_readers_that_come_and_go_never_find_a_hole(busy):
    """The first to hear a book, the last to leave it and whoever joins in between see the same sequence."""
    running, exchange, client = busy
    port = int(running.rest.rpartition(":")[2])
    until = time.monotonic() + 2.5

    async def come_and_go(pace: str, stay: float) -> int:
        seen = 0
        while time.monotonic() < until:
            seen += await read_book(exchange, port, "BTCUSDT", pace, min(until, time.monotonic() + stay))
        return seen

    *counts, _ = await asyncio.gather(
        come_and_go("@100ms", 0.35),
        come_and_go("@100ms", 0.8),
        come_and_go("", 1.1),
        trade(client, exchange, "BTCUSDT", until),
    )
    assert all(counts), counts


class Kept:
    """What a socket was sent."""

    def __init__(self) -> None:
        self.frames: list[dict] = []
        self.streams: set[str] = set()
        self.accounts: list[str] = []

    def put(self, frame: bytes) -> None:
        self.frames.append(json.loads(frame))


def streams_of(exchange: Exchange) -> SpotStreams:
    return SpotStreams(exchange, UserStreams(SimpleNamespace(has_any=lambda: False), "spot"))  # type: ignore[arg-type]


_steps = st.lists(
    st.one_of(
        st.tuples(st.just("order"), st.sampled_from(("BUY", "SELL")), st.integers(59_990, 60_010), st.integers(1, 9)),
        st.tuples(st.just("take"), st.sampled_from(("BUY", "SELL")), st.integers(1, 9)),
        st.tuples(st.just("cancel"), st.integers(0, 30)),
        st.tuples(st.just("tick"), st.integers(1, 12)),
        st.tuples(st.just("open"), st.sampled_from(("@100ms", "", "@1000ms"))),
        st.tuples(st.just("snapshot"), st.integers(0, 3)),
        st.tuples(st.just("leave"), st.integers(0, 3)),
    ),
    max_size=80,
)


@settings(max_examples=150, deadline=None)
@given(_steps)
def test_the_procedure_holds_whenever_events_snapshots_and_readers_come(steps):
    exchange = an_exchange()
    streams, now = streams_of(exchange), T0
    readers: list[tuple[StreamSocket, Kept, ReadBook]] = []
    placed: list[int] = []
    for step in steps:
        try:
            match step:
                case ("order", side, price, lots):
                    placed.append(exchange.place("acme", limit(side, f"0.0{lots}", str(price), "GTC"), now).order_id)
                case ("take", side, lots):
                    exchange.place("birch", market(side, f"0.0{lots}"), now)
                case ("cancel", which) if placed:
                    exchange.cancel("acme", "BTCUSDT", now, order_id=placed[which % len(placed)])
                case ("tick", tenths):
                    now += tenths * 100_000_000
                    streams.tick(now)
                case ("open", pace):
                    kept = Kept()
                    socket = StreamSocket(kept, MILLISECOND, is_combined=False)  # type: ignore[arg-type]
                    streams.hear(socket, f"btcusdt@depth{pace}")
                    readers.append((socket, kept, ReadBook()))
                case ("leave", which) if readers:
                    streams.leave(readers.pop(which % len(readers))[0])
        except Refusal:
            pass
        streams.happened([event for event in exchange.drain() if type(event).__name__ == "Print"], now)
        for index, (_, kept, book) in enumerate(readers):
            for event in kept.frames:
                if book.last_id is None:
                    book.buffer(event)
                else:
                    book.apply(event)
            kept.frames.clear()
            if step[0] == "snapshot" and index == step[1] and book.last_id is None:
                assert book.start(json.loads(json.dumps(market_json.depth(exchange.depth("BTCUSDT", 5_000)))))
    streams.tick(now + 100_000_000)
    streams.tick(now + 2_000_000_000)
    depth = exchange.depth("BTCUSDT", 5_000)
    for _, kept, book in readers:
        if book.last_id is not None:
            for event in kept.frames:
                book.apply(event)
            assert book.last_id == depth.last_update_id
            assert book.levels() == (list(depth.bids), list(depth.asks))


def test_the_reader_sees_a_hole_and_a_stale_snapshot():
    book = ReadBook()
    book.buffer({"U": 11, "u": 12, "b": [["1", "1"]], "a": []})
    assert not book.start({"lastUpdateId": 9, "bids": [], "asks": []})
    assert book.start({"lastUpdateId": 10, "bids": [], "asks": [["2", "1"]]})
    with pytest.raises(Gap):
        book.apply({"U": 14, "u": 14, "b": [["1", "2"]], "a": []})
    book.apply({"U": 13, "u": 14, "b": [["1", "0"]], "a": []})
    assert book.levels() == ([], [(Decimal(2), Decimal(1))])
