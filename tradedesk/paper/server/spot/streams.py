"""The market streams of spot: which of them go out when.

Trades, aggregates and best bids and offers go out as they happen; books every 100 ms or every second; tickers, averages and
one-second candles every second, other candles every two. A frame is built once for all who hear it, and only instruments
that changed or are heard are looked at, however many there are.

Arrays of tickers hold the instruments that traded (or, with bid and offer in them, whose book changed) in the last second.
`!ticker@arr` and `!bookTicker` were retired by the venue and are still there for old clients. Names nobody knows are
accepted and stay silent, as at the venue (clients open `/ws/0`).
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from functools import partial

from msgspec import Struct

from tradedesk.paper.candles import DAY, HOUR, INTERVALS
from tradedesk.paper.exchange import Exchange
from tradedesk.paper.rows import BookDelta, Print, Ticker24h
from tradedesk.paper.server.hub import Hub
from tradedesk.paper.server.render import Json
from tradedesk.paper.server.spot import market_json
from tradedesk.paper.server.users import UserStreams
from tradedesk.paper.windows import minutes_back

_SECOND = 1_000_000_000
_WINDOWS = {"1h": HOUR, "4h": 4 * HOUR, "1d": DAY}
_ZONES = {"": 0, "+08:00": 8 * HOUR}  # in which candles are streamed
_PACES = {"": False, "1000ms": False, "100ms": True}


class Ladder(Struct, frozen=True):
    """The best levels, whole, at a pace: `btcusdt@depth20@100ms`."""

    symbol: str
    levels: int
    is_fast: bool


class Candles(Struct, frozen=True):
    symbol: str
    interval: str
    offset: int  # ns ahead of UTC


class Timed(Struct, frozen=True):
    """What goes out every second: ticker, miniTicker, ticker_1h and its kin, avgPrice, referencePrice."""

    symbol: str
    kind: str


class Tickers(Struct, frozen=True):
    """An array of what `kind` is for one instrument: of those that changed."""

    kind: str


def parse(name: str, symbols: Mapping[str, str]) -> Ladder | Candles | Timed | Tickers | None:
    """What a stream name asks to be made on the clock; None if that is nothing. `symbols` maps lower case to the symbol."""
    low, _, rest = name.partition("@")
    symbol = symbols.get(low)
    if symbol is None:
        kind = low.removeprefix("!")
        return Tickers(kind) if rest == "arr" and low != kind and _is_ticker(kind) else None
    if _is_ticker(rest) or rest in ("avgPrice", "referencePrice"):
        return Timed(symbol, rest)
    kind, _, pace = rest.partition("@")
    if kind in ("depth5", "depth10", "depth20") and pace in _PACES:
        return Ladder(symbol, int(kind[5:]), _PACES[pace])
    if kind.startswith("kline_") and kind[6:] in INTERVALS and pace in _ZONES:
        return Candles(symbol, kind[6:], _ZONES[pace])
    return None


def _is_ticker(kind: str) -> bool:
    return kind in ("ticker", "miniTicker") or (kind.startswith("ticker_") and kind[7:] in _WINDOWS)


class Names:
    """The stream names of one instrument that go out by event or with its book."""

    __slots__ = ("aggregates", "best", "fast", "slow", "slow_too", "trades")

    def __init__(self, symbol: str) -> None:
        low = symbol.lower()
        self.trades = f"{low}@trade"
        self.aggregates = f"{low}@aggTrade"
        self.best = f"{low}@bookTicker"
        self.fast = f"{low}@depth@100ms"
        self.slow = f"{low}@depth"
        self.slow_too = f"{low}@depth@1000ms"


class SpotStreams(Hub):
    """What is sent when, of every spot instrument."""

    def __init__(self, exchange: Exchange, users: UserStreams) -> None:
        super().__init__(users)
        self._exchange = exchange
        self._symbols = {spec.symbol.lower(): spec.symbol for spec in exchange.specs()}
        self._names = {symbol: Names(symbol) for symbol in self._symbols.values()}
        self._fast_ladders: dict[str, Ladder] = {}
        self._each_second: dict[str, Ladder | Candles | Timed | Tickers] = {}
        self._ladders: dict[tuple[str, int], Json] = {}  # as last written, until the book changes
        self._best: dict[str, tuple[Decimal | None, ...]] = {}  # as last told
        self._books: dict[str, None] = {}  # instruments whose book changed since the last 100 ms
        self._slow: dict[str, _Merged] = {}  # deltas for who hears them every second
        self._touched: dict[str, None] = {}  # instruments whose book changed in this second
        self._traded: dict[str, None] = {}  # instruments that traded in this second
        self._statistics: dict[tuple[str, int], Ticker24h] = {}  # of this very second
        self._candle: dict[str, int] = {}  # stream -> open time of the candle last sent
        self._second = 0

    # -- who hears what -----------------------------------------------------------------------------------------------

    def first_heard(self, name: str) -> None:
        asked = parse(name, self._symbols)
        if isinstance(asked, Ladder) and asked.is_fast:
            self._fast_ladders[name] = asked
        elif asked is not None:
            self._each_second[name] = asked
        else:
            self._first_heard_live(name)

    def _first_heard_live(self, name: str) -> None:
        low, _, kind = name.partition("@")
        symbol = self._symbols.get(low)
        if name == "!bookTicker":
            self._best = {symbol: self._shown(symbol) for symbol in self._names}
        elif symbol is None:
            return
        elif kind == "bookTicker":
            self._best[symbol] = self._shown(symbol)

    def last_left(self, name: str) -> None:
        self._fast_ladders.pop(name, None)
        self._each_second.pop(name, None)
        self._candle.pop(name, None)
        symbol = self._symbols.get(name.partition("@")[0])
        if symbol is not None and not self._hears_slow(self._names[symbol]):
            self._slow.pop(symbol, None)

    def _hears_slow(self, names: Names) -> bool:
        return self.is_heard(names.slow) or self.is_heard(names.slow_too)

    # -- as it happens ------------------------------------------------------------------------------------------------

    def happened(self, prints: Sequence[Print], now: int) -> None:
        """Tell the trades of the tape, and the best bid and offer where they changed. `prints` in their order."""
        if prints:
            of_symbol: dict[str, list[Print]] = {}
            for row in prints:
                of_symbol.setdefault(row.symbol, []).append(row)
            for symbol, rows in of_symbol.items():
                self._traded[symbol] = None
                self._tell_trades(symbol, rows, now)
        hears_all = "!bookTicker" in self._hearers
        for symbol in self._exchange.touched():
            self._books[symbol] = None
            if hears_all or self._names[symbol].best in self._hearers:
                self._tell_best(symbol)

    def _tell_trades(self, symbol: str, rows: list[Print], now: int) -> None:
        names = self._names[symbol]
        if self.is_heard(names.trades):
            for row in rows:
                self.publish(names.trades, partial(market_json.trade_event, row, now))
        if self.is_heard(names.aggregates):  # a taker is through with its order before anything is handed out
            for agg in self._exchange.agg_trades(symbol, limit=len(rows)):
                if agg.last_id >= rows[0].trade_id:
                    self.publish(names.aggregates, partial(market_json.agg_trade_event, symbol, agg, now))

    def _tell_best(self, symbol: str) -> None:
        best = self._exchange.book_ticker(symbol)
        shown = (best.bid, best.bid_qty, best.ask, best.ask_qty)
        if self._best.get(symbol) != shown:
            self._best[symbol] = shown
            for name in (self._names[symbol].best, "!bookTicker"):
                self.publish(name, partial(market_json.book_ticker_event, best))

    def _shown(self, symbol: str) -> tuple[Decimal | None, ...]:
        best = self._exchange.book_ticker(symbol)
        return best.bid, best.bid_qty, best.ask, best.ask_qty

    # -- on the clock -------------------------------------------------------------------------------------------------

    def tick(self, now: int) -> None:
        """What goes out on the clock: every 100 ms, and when a second has begun what has the slower pace."""
        for symbol in self._books:
            self._tell_book(symbol, now)
        self._touched |= self._books
        self._books.clear()
        for name, ladder in self._fast_ladders.items():
            self.publish(name, partial(self._ladder, ladder))
        second = now // _SECOND
        if second != self._second:
            self._second = second
            self._tick_second(now)

    def _tell_book(self, symbol: str, now: int) -> None:
        for count in (5, 10, 20):
            self._ladders.pop((symbol, count), None)
        names = self._names[symbol]
        hears_slow = self._hears_slow(names)
        if not hears_slow and not self.is_heard(names.fast):
            self._exchange.forget_book_changes(symbol)
            return
        delta = self._exchange.take_book_delta(symbol)
        if delta is None:
            return
        self.publish(names.fast, partial(market_json.depth_event, delta, now))
        if hears_slow:
            self._slow.setdefault(symbol, _Merged()).add(delta)

    def _tick_second(self, now: int) -> None:
        for symbol, merged in self._slow.items():
            delta, names = merged.delta(symbol), self._names[symbol]
            for name in (names.slow, names.slow_too):
                self.publish(name, partial(market_json.depth_event, delta, now))
        self._slow.clear()
        self._statistics.clear()
        for name, asked in self._each_second.items():
            match asked:
                case Ladder():
                    self.publish(name, partial(self._ladder, asked))
                case Candles(interval=interval):
                    if interval == "1s" or self._second % 2 == 0:
                        self._tell_candles(name, asked, now)
                case Timed(symbol, kind):
                    self.publish(name, partial(self._timed_event, symbol, kind, now))
                case Tickers(kind):
                    changed = self._traded | self._touched if kind == "ticker" else self._traded
                    if changed:
                        self.publish(name, partial(self._tickers, changed, kind, now))
        self._traded, self._touched = {}, {}

    def _tell_candles(self, name: str, asked: Candles, now: int) -> None:
        """The present candle, and before it each one that closed since the last time."""
        since = self._candle.get(name)
        rows = self._exchange.klines(
            asked.symbol, asked.interval, now, start=since, limit=2 if since is None else 1_000, offset=asked.offset
        )
        last_time = now - (_SECOND if asked.interval == "1s" else 2 * _SECOND)
        for row in rows:
            if since is not None or row.close_time >= last_time:
                self._candle[name] = row.open_time
                self.publish(name, partial(market_json.kline_event, row, now))

    def _ladder(self, ladder: Ladder, _unit: int) -> Json:
        key = (ladder.symbol, ladder.levels)
        written = self._ladders.get(key)
        if written is None:
            written = self._ladders[key] = market_json.depth(self._exchange.depth(ladder.symbol, ladder.levels))
        return written

    def _tickers(self, symbols: Mapping[str, None], kind: str, now: int, unit: int) -> list[Json]:
        return [self._timed_event(symbol, kind, now, unit) for symbol in symbols]

    def _timed_event(self, symbol: str, kind: str, now: int, unit: int) -> Json:
        match kind:
            case "avgPrice":
                price, traded = self._exchange.average_price(symbol, now), self._exchange.last_trade_time(symbol)
                return market_json.average_event(symbol, price, traded, now, unit)
            case "referencePrice":
                return market_json.reference_price_event(symbol, now, unit)
            case "ticker":
                best = self._exchange.book_ticker(symbol)
                return market_json.ticker_event(self._over(symbol, 0, now), best, now, unit)
            case "miniTicker":
                return market_json.mini_ticker_event(self._over(symbol, 0, now), now, unit)
            case _:
                window = kind.removeprefix("ticker_")
                return market_json.window_ticker_event(self._over(symbol, _WINDOWS[window], now), window, now, unit)

    def _over(self, symbol: str, window: int, now: int) -> Ticker24h:
        """The statistics of a window (ns), 0 for those of the last 24 hours to the millisecond."""
        row = self._statistics.get((symbol, window))
        if row is None:
            row = (
                self._exchange.statistics(symbol, now, minutes_back(now, window))
                if window
                else self._exchange.ticker(symbol, now)
            )
            self._statistics[(symbol, window)] = row
        return row


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
