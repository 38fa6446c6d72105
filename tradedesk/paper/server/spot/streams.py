"""The market streams: which socket hears which stream, and what is sent when.

Trades and the best bid and offer go out as they happen; the rest every 100 ms or every second. A frame is built once
for all who hear it. Names nobody knows are accepted and stay silent, as at the venue (clients open `/ws/0`).
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from functools import partial

from msgspec import Struct

from tradedesk.paper.candles import INTERVALS
from tradedesk.paper.exchange import Exchange
from tradedesk.paper.rows import BookDelta, Print
from tradedesk.paper.server.hub import Hub
from tradedesk.paper.server.render import Json, number
from tradedesk.paper.server.spot import market_json
from tradedesk.paper.server.users import UserStreams

_SLOW = 1_000_000_000


class Ladder(Struct, frozen=True):
    """The best levels, whole, at a pace: `btcusdt@depth20@100ms`."""

    symbol: str
    levels: int
    is_fast: bool


class Candles(Struct, frozen=True):
    symbol: str
    interval: str


class Timed(Struct, frozen=True):
    """What goes out every second: ticker, miniTicker, avgPrice."""

    symbol: str
    kind: str


def parse(name: str, symbols: Mapping[str, str]) -> Ladder | Candles | Timed | None:
    """What a stream name asks to be made on the clock; None if that is nothing. `symbols` maps lower case to the symbol."""
    low, _, rest = name.partition("@")
    symbol = symbols.get(low)
    if symbol is None:
        return None
    if rest in ("ticker", "miniTicker", "avgPrice"):
        return Timed(symbol, rest)
    if rest.startswith("kline_") and rest[6:] in INTERVALS:
        return Candles(symbol, rest[6:])
    kind, _, pace = rest.partition("@")
    if kind in ("depth5", "depth10", "depth20") and pace in ("", "100ms", "1000ms"):
        return Ladder(symbol, int(kind[5:]), pace == "100ms")
    return None


class SpotStreams(Hub):
    """What is sent when, of every spot instrument."""

    def __init__(self, exchange: Exchange, users: UserStreams) -> None:
        super().__init__(users)
        self._exchange = exchange
        self._symbols = {spec.symbol.lower(): spec.symbol for spec in exchange.specs()}
        self._timed: dict[str, Ladder | Candles | Timed] = {}
        self._best: dict[str, tuple[Decimal | None, ...]] = {}
        self._slow: dict[str, _Merged] = {}
        self._candle: dict[str, int] = {}  # stream -> open time of the candle last sent
        self._last_second = 0

    def first_heard(self, name: str) -> None:
        timed = parse(name, self._symbols)
        if timed is not None:
            self._timed[name] = timed

    def last_left(self, name: str) -> None:
        self._timed.pop(name, None)
        self._candle.pop(name, None)

    def happened(self, prints: Sequence[Print], now: int) -> None:
        """Tell the trades of the tape, and the best bid and offer where they changed."""
        for low, symbol in self._symbols.items():
            if prints:
                self._tell_trades(low, symbol, [row for row in prints if row.symbol == symbol], now)
            if self.is_heard(f"{low}@bookTicker"):
                best = self._exchange.book_ticker(symbol)
                shown = (best.bid, best.bid_qty, best.ask, best.ask_qty)
                if self._best.get(symbol) != shown:
                    self._best[symbol] = shown
                    self.publish(f"{low}@bookTicker", partial(market_json.book_ticker_event, best))

    def _tell_trades(self, low: str, symbol: str, prints: Sequence[Print], now: int) -> None:
        if self.is_heard(f"{low}@trade"):
            for row in prints:
                self.publish(f"{low}@trade", partial(market_json.trade_event, row, now))
        if prints and self.is_heard(f"{low}@aggTrade"):
            for agg in self._exchange.agg_trades(symbol, limit=min(len(prints), 1000)):
                if agg.last_id >= prints[0].trade_id:
                    self.publish(f"{low}@aggTrade", partial(market_json.agg_trade_event, symbol, agg, now))

    def tick(self, now: int) -> None:
        """What goes out on the clock: every 100 ms, and every tenth time what has the slower pace."""
        is_slow = now // _SLOW != self._last_second
        self._last_second = now // _SLOW
        for low, symbol in self._symbols.items():
            delta = self._exchange.take_book_delta(symbol)  # also when nobody hears it: what is taken later has no hole
            if delta is not None:
                self.publish(f"{low}@depth@100ms", partial(market_json.depth_event, delta, now))
                self._slow.setdefault(symbol, _Merged()).add(delta)
            if is_slow and symbol in self._slow:
                merged = self._slow.pop(symbol).delta(symbol)
                for name in (f"{low}@depth", f"{low}@depth@1000ms"):
                    self.publish(name, partial(market_json.depth_event, merged, now))
        for name, timed in list(self._timed.items()):
            match timed:
                case Ladder(symbol, count, is_fast):
                    if is_fast or is_slow:
                        self.publish(name, partial(self._ladder, symbol, count))
                case Candles(symbol, interval) if is_slow:
                    self._tell_candles(name, symbol, interval, now)
                case Timed(symbol, kind) if is_slow:
                    self.publish(name, partial(self._timed_event, symbol, kind, now))
        if is_slow and self.is_heard("!miniTicker@arr"):
            self.publish("!miniTicker@arr", partial(self._all_mini_tickers, now))

    def _tell_candles(self, name: str, symbol: str, interval: str, now: int) -> None:
        """The present candle, and before it each one that closed since the last time."""
        rows = self._exchange.klines(symbol, interval, now, limit=5)
        since = self._candle.get(name, rows[-1].open_time if rows else 0)
        for row in rows:
            if row.open_time >= since:
                self._candle[name] = row.open_time
                self.publish(name, partial(market_json.kline_event, row, now))

    def _ladder(self, symbol: str, count: int, _unit: int) -> Json:
        return market_json.depth(self._exchange.depth(symbol, count))

    def _all_mini_tickers(self, now: int, unit: int) -> list[Json]:
        return [self._timed_event(symbol, "miniTicker", now, unit) for symbol in self._symbols.values()]

    def _timed_event(self, symbol: str, kind: str, now: int, unit: int) -> Json:
        if kind == "avgPrice":
            price = number(self._exchange.average_price(symbol, now))
            return {"e": "avgPrice", "E": now // unit, "s": symbol, "i": "5m", "w": price, "T": now // unit}
        row = self._exchange.ticker(symbol, now)
        if kind == "miniTicker":
            return market_json.mini_ticker_event(row, now, unit)
        return market_json.ticker_event(row, self._exchange.book_ticker(symbol), now, unit)


class _Merged:
    """Fast deltas that follow each other, as one for the slow stream."""

    def __init__(self) -> None:
        self._first: int | None = None
        self._last = 0
        self._bids: dict[Decimal, Decimal] = {}
        self._asks: dict[Decimal, Decimal] = {}

    def add(self, delta: BookDelta) -> None:
        if self._first is None:
            self._first = delta.first_update_id
        self._last = delta.last_update_id
        self._bids.update(delta.bids)
        self._asks.update(delta.asks)

    def delta(self, symbol: str) -> BookDelta:
        return BookDelta(
            symbol=symbol,
            first_update_id=self._first or 0,
            last_update_id=self._last,
            bids=tuple(self._bids.items()),
            asks=tuple(self._asks.items()),
        )
