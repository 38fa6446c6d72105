"""Which stream goes out when, with what in it, and that nothing is looked at which neither changed nor is heard."""

import json
from collections import Counter
from types import SimpleNamespace

import msgspec
import pytest
from paper_builders import BTC, T0, an_account, an_exchange, d, limit, market

from tradedesk.paper.candles import INTERVALS
from tradedesk.paper.exchange import Exchange
from tradedesk.paper.market import Quiet
from tradedesk.paper.rows import BookDelta, Print
from tradedesk.paper.server.hub import StreamSocket
from tradedesk.paper.server.render import MILLISECOND
from tradedesk.paper.server.spot.streams import SpotStreams, parse
from tradedesk.paper.server.users import UserStreams

TENTH = 100_000_000  # ns
SECOND = 10 * TENTH
HOUR = 3_600 * SECOND
START = T0 - T0 % (2 * SECOND)  # an even second


class Kept:
    """What a socket was sent."""

    def __init__(self) -> None:
        self.frames: list[dict] = []
        self.streams: set[str] = set()
        self.accounts: list[str] = []

    def put(self, frame: bytes) -> None:
        self.frames.append(json.loads(frame))


class Heard:
    """The streams of an exchange and one socket that hears some of them, combined."""

    def __init__(self, exchange: Exchange, *names: str) -> None:
        self.exchange = exchange
        self.now = START
        self._kept = Kept()
        self.streams = SpotStreams(exchange, UserStreams(SimpleNamespace(has_any=lambda: False), "spot"))
        self.streams.tick(self.now)
        self.socket = StreamSocket(self._kept, MILLISECOND, is_combined=True)
        for name in names:
            self.streams.hear(self.socket, name)

    def happen(self) -> None:
        self.streams.happened([event for event in self.exchange.drain() if isinstance(event, Print)], self.now)

    def tick(self, count: int = 1) -> None:
        for _ in range(count):
            self.now += TENTH
            self.streams.tick(self.now)

    def trade(self, quantity: str, price: str, symbol: str = "BTCUSDT") -> None:
        for account, side in (("birch", "SELL"), ("acme", "BUY")):
            order = msgspec.structs.replace(limit(side, quantity, price), symbol=symbol)
            self.exchange.place(account, order, self.now)
        self.happen()

    def take(self) -> list[tuple[str, object]]:
        frames, self._kept.frames = self._kept.frames, []
        return [(frame["stream"], frame["data"]) for frame in frames]

    def counts(self) -> dict[str, int]:
        return dict(Counter(name for name, _ in self.take()))


def test_each_stream_has_its_pace():
    names = (
        "btcusdt@depth5@100ms", "btcusdt@depth10", "btcusdt@depth20@1000ms", "btcusdt@kline_1s", "btcusdt@kline_1m",
        "btcusdt@kline_1d@+08:00", "btcusdt@ticker", "btcusdt@miniTicker", "btcusdt@ticker_1h", "btcusdt@avgPrice",
        "btcusdt@referencePrice", "btcusdt@depth", "btcusdt@depth@100ms", "!ticker@arr", "btcusdt@bookTicker",
    )  # fmt: skip
    heard = Heard(an_exchange(), *names)
    heard.trade("0.1", "60000")
    assert heard.counts() == {}  # the best bid and offer are what they were
    heard.tick(9)
    assert heard.counts() == {"btcusdt@depth5@100ms": 9, "btcusdt@depth@100ms": 1}
    heard.tick()
    assert heard.counts() == {
        "btcusdt@depth5@100ms": 1, "btcusdt@depth10": 1, "btcusdt@depth20@1000ms": 1, "btcusdt@kline_1s": 2,
        "btcusdt@ticker": 1, "btcusdt@miniTicker": 1, "btcusdt@ticker_1h": 1, "btcusdt@avgPrice": 1,
        "btcusdt@referencePrice": 1, "btcusdt@depth": 1, "!ticker@arr": 1,
    }  # fmt: skip
    heard.tick(10)
    assert heard.counts() == {
        "btcusdt@depth5@100ms": 10, "btcusdt@depth10": 1, "btcusdt@depth20@1000ms": 1, "btcusdt@kline_1s": 2,
        "btcusdt@kline_1m": 1, "btcusdt@kline_1d@+08:00": 1, "btcusdt@ticker": 1, "btcusdt@miniTicker": 1,
        "btcusdt@ticker_1h": 1, "btcusdt@avgPrice": 1, "btcusdt@referencePrice": 1,
    }  # fmt: skip


def test_arrays_hold_what_changed_and_nothing_is_sent_when_nothing_did():
    eth = msgspec.structs.replace(BTC, symbol="ETHUSDT", base="ETH")
    accounts = [an_account(name, USDT="900000", BTC="9", ETH="9") for name in ("acme", "birch")]
    exchange = Exchange([BTC, eth], accounts, Quiet(), now=START)
    heard = Heard(exchange, "!miniTicker@arr", "!ticker@arr", "!ticker_4h@arr", "!bookTicker")
    heard.tick(10)
    assert heard.take() == []
    heard.trade("0.1", "60000")
    exchange.place("acme", msgspec.structs.replace(limit("BUY", "0.1", "50000"), symbol="ETHUSDT"), heard.now)
    heard.happen()
    assert [data["s"] for _, data in heard.take()] == ["ETHUSDT"]  # BTC's best is what it was
    heard.tick(10)
    told = {name: [row["s"] for row in rows] for name, rows in heard.take()}
    assert told == {
        "!miniTicker@arr": ["BTCUSDT"],
        "!ticker@arr": ["BTCUSDT", "ETHUSDT"],
        "!ticker_4h@arr": ["BTCUSDT"],
    }
    heard.tick(10)
    assert heard.take() == []


def test_a_window_is_told_with_its_own_name_and_begins_on_a_minute():
    heard = Heard(an_exchange(), "btcusdt@ticker_1h", "btcusdt@ticker_4h", "btcusdt@ticker_1d", "btcusdt@ticker")
    heard.trade("0.1", "60000")
    heard.tick(10)
    for name, event in heard.take():
        window = name.partition("_")[2]
        if not window:
            assert event["e"] == "24hrTicker"
            assert event["C"] - event["O"] == 86_400_000
            continue
        assert event["e"] == f"{window}Ticker"
        assert event.keys() == set("eEspPohlcwvqOCFLn")
        assert event["O"] % 60_000 == 0
        assert 0 <= event["C"] - event["O"] - {"1h": 1, "4h": 4, "1d": 24}[window] * 3_600_000 < 60_000
        assert (event["c"], event["v"], event["n"]) == ("60000.00000000", "0.10000000", 1)


def test_candles_of_utc_plus_eight_open_at_its_midnight_with_stamps_of_utc():
    heard = Heard(an_exchange(), *(f"btcusdt@kline_{interval}@+08:00" for interval in INTERVALS))
    heard.trade("0.1", "60000")
    heard.tick(20)
    newest = {event["k"]["i"]: event["k"] for _, event in heard.take()}
    assert newest.keys() == set(INTERVALS)
    for interval in ("12h", "1d", "3d", "1w"):
        length = {"12h": 12, "1d": 24, "3d": 72, "1w": 168}[interval] * 3_600_000
        local = newest[interval]["t"] + 8 * 3_600_000
        assert (local - (4 * 86_400_000 if interval == "1w" else 0)) % length == 0
        assert newest[interval]["T"] - newest[interval]["t"] == length - 1
    assert all(candle["v"] == "0.10000000" for interval, candle in newest.items() if interval != "1s")


def test_the_average_carries_the_time_of_the_last_trade_and_no_instrument_has_a_reference_price():
    heard = Heard(an_exchange(), "btcusdt@avgPrice", "btcusdt@referencePrice")
    heard.trade("0.1", "60000")
    traded = heard.now // 1_000_000
    heard.tick(10)
    average, reference = (event for _, event in heard.take())
    assert (average["w"], average["T"], average["E"] - traded) == ("60000.00000000", traded, 1_000)
    assert reference == {"e": "referencePrice", "s": "BTCUSDT", "r": None, "t": traded + 1_000}


def test_an_aggregate_is_one_taker_at_one_price_told_once_and_whole():
    rich = [an_account(name, USDT="900000000", BTC="9000") for name in ("acme", "birch")]
    exchange = an_exchange(*rich, specs=[msgspec.structs.replace(BTC, max_orders=5_000)])
    heard = Heard(exchange, "btcusdt@aggTrade", "btcusdt@trade")
    for price in ["60000"] * 3 + ["60001"] * 2 + ["60002"] * 1_500:
        exchange.place("birch", limit("SELL", "0.01", price), heard.now)
    for quantity in ("0.015", "0.005", "0.02"):  # the second and third stop and begin within a price
        exchange.place("acme", market("BUY", quantity), heard.now)
    heard.happen()
    exchange.place("acme", limit("BUY", "15", "60002"), heard.now)
    heard.happen()
    told = heard.take()
    trades = [event for name, event in told if name == "btcusdt@trade"]
    aggregates = [event for name, event in told if name == "btcusdt@aggTrade"]
    assert [(a["p"][:5], d(a["q"])) for a in aggregates] == [
        ("60000", d("0.015")),
        ("60000", d("0.005")),
        ("60000", d("0.01")),
        ("60001", d("0.01")),
        ("60001", d("0.01")),
        ("60002", d("14.99")),
    ]
    assert [a["a"] for a in aggregates] == list(range(aggregates[0]["a"], aggregates[0]["a"] + 6))
    covered = [number for a in aggregates for number in range(a["f"], a["l"] + 1)]
    assert covered == [t["t"] for t in trades]
    assert len(trades) > 1_500


@pytest.mark.parametrize(
    "name",
    [
        "BTCUSDT@ticker", "btcusdt@ticker_2h", "btcusdt@kline_2m", "btcusdt@kline_1m@+09:00", "btcusdt@depth15",
        "btcusdt@depth5@250ms", "ticker@arr", "!ticker@all", "!ticker", "!depth@arr", "xxxusdt@ticker", "0", "", "@", "!",
    ],
)  # fmt: skip
def test_a_name_nobody_knows_makes_nothing(name):
    assert parse(name, {"btcusdt": "BTCUSDT"}) is None


class Counting(Exchange):
    """The engine, counting which instruments are looked at."""

    def __init__(self, *args: object, **more: object) -> None:
        self.looks: Counter[str] = Counter()
        super().__init__(*args, **more)

    def take_book_delta(self, symbol: str) -> BookDelta | None:
        self.looks[symbol] += 1
        return super().take_book_delta(symbol)

    def forget_book_changes(self, symbol: str) -> None:
        self.looks[symbol] += 1
        super().forget_book_changes(symbol)

    def book_ticker(self, symbol):
        self.looks[symbol] += 1
        return super().book_ticker(symbol)

    def agg_trades(self, symbol, **more):
        self.looks[symbol] += 1
        return super().agg_trades(symbol, **more)

    def ticker(self, symbol, now):
        self.looks[symbol] += 1
        return super().ticker(symbol, now)


def test_of_two_hundred_instruments_only_those_that_changed_or_are_heard_are_looked_at():
    specs = [BTC] + [msgspec.structs.replace(BTC, symbol=f"S{n}USDT", base=f"S{n}") for n in range(199)]
    exchange = Counting(
        specs, [an_account(name, USDT="900000", BTC="9", S1="9") for name in ("acme", "birch")], Quiet(), now=START
    )
    names = ("depth@100ms", "bookTicker", "aggTrade", "depth5@100ms", "ticker")
    heard = Heard(exchange, "!bookTicker", "!ticker@arr", *(f"btcusdt@{name}" for name in names))
    exchange.looks.clear()
    heard.tick(3)
    assert not exchange.looks
    heard.trade("0.01", "60000", "S1USDT")
    heard.tick(20)
    assert set(exchange.looks) == {"BTCUSDT", "S1USDT"}
    assert exchange.looks["S1USDT"] <= 6
    assert exchange.looks["BTCUSDT"] <= 4  # its ticker is heard: two seconds of it


def test_books_nobody_hears_are_not_kept_for_anybody():
    exchange = an_exchange()
    heard = Heard(exchange)
    for step in range(50):
        exchange.place("acme", limit("BUY", "0.01", str(50_000 + step)), heard.now)
        heard.happen()
        heard.tick()
    assert exchange.take_book_delta("BTCUSDT") is None
    heard.streams.hear(heard.socket, "btcusdt@depth@100ms")
    before = exchange.depth("BTCUSDT").last_update_id
    exchange.place("acme", limit("BUY", "0.01", "50100"), heard.now)
    heard.happen()
    heard.tick()
    [(_, event)] = heard.take()
    assert (event["U"], event["u"]) == (before + 1, before + 1)
