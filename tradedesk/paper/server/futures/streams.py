"""The USD-M market streams: which socket hears which stream, and what is sent when.

Trades, the best bid and offer and `depth@0ms` go out as they happen; everything else on the clock, each at its own pace.
A frame is built once for all who hear it. Names nobody knows are accepted and stay silent, as at the venue.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from functools import partial

from msgspec import Struct

from tradedesk.paper.candles import INTERVALS
from tradedesk.paper.futures.exchange import FuturesExchange
from tradedesk.paper.futures.rows import ForceOrder
from tradedesk.paper.rows import BookDelta, BookTicker, Depth, Kline, Print
from tradedesk.paper.server.futures import market_json, orders_json
from tradedesk.paper.server.futures.digits import Digits
from tradedesk.paper.server.hub import Hub
from tradedesk.paper.server.render import Json
from tradedesk.paper.server.users import UserStreams

_MS = 1_000_000  # ns
_PACES = {"": 250 * _MS, "@0ms": 0, "@100ms": 100 * _MS, "@250ms": 250 * _MS, "@500ms": 500 * _MS}  # of depth streams
_CANDLES, _FORCED = 250 * _MS, 1_000 * _MS
_TICKER, _ALL_TICKERS = 2_000 * _MS, 1_000 * _MS
_MARK, _FAST_MARK = 3_000 * _MS, 1_000 * _MS
_INTERVALS = frozenset(INTERVALS) - {"1s"}


class Ladder(Struct, frozen=True):
    """The best levels, whole: `btcusdt@depth20@100ms`."""

    symbol: str
    levels: int
    pace: int


class Candles(Struct, frozen=True):
    symbol: str
    interval: str
    is_continuous: bool
    pace: int = _CANDLES


class Timed(Struct, frozen=True):
    """One symbol or all of them: ticker, miniTicker, markPrice."""

    symbols: tuple[str, ...]
    kind: str
    pace: int
    is_array: bool


Clocked = Ladder | Candles | Timed


def parse(name: str, symbols: Mapping[str, str]) -> Clocked | None:
    """What a stream name asks to be made on the clock; None if that is nothing. `symbols` maps lower case to the symbol."""
    low, _, rest = name.partition("@")
    if low.startswith("!"):
        return _of_all(low[1:], rest, tuple(symbols.values()))
    if low.endswith("_perpetual"):
        symbol, interval = symbols.get(low.removesuffix("_perpetual")), rest.removeprefix("continuousKline_")
        return Candles(symbol, interval, True) if symbol and interval != rest and interval in _INTERVALS else None
    symbol = symbols.get(low)
    if symbol is None:
        return None
    if rest in ("ticker", "miniTicker"):
        return Timed((symbol,), rest, _TICKER, False)
    if rest in ("markPrice", "markPrice@1s"):
        return Timed((symbol,), "markPrice", _FAST_MARK if rest.endswith("@1s") else _MARK, False)
    if rest.startswith("kline_") and rest[6:] in _INTERVALS:
        return Candles(symbol, rest[6:], False)
    kind, at, pace = rest.partition("@")
    if kind in ("depth5", "depth10", "depth20") and (at + pace) in _PACES:
        return Ladder(symbol, int(kind[5:]), max(_PACES[at + pace], 100 * _MS))
    return None


def _of_all(kind: str, rest: str, symbols: tuple[str, ...]) -> Timed | None:
    if kind in ("ticker", "miniTicker") and rest == "arr":
        return Timed(symbols, kind, _ALL_TICKERS, True)
    if kind == "markPrice" and rest in ("arr", "arr@1s"):
        return Timed(symbols, kind, _FAST_MARK if rest.endswith("@1s") else _MARK, True)
    return None


class _DiffStream:
    """One symbol's depth at one pace: deltas that follow each other, as one event."""

    def __init__(self, last: int) -> None:
        self.last = last  # the last id of the event before
        self._bids: dict[Decimal, Decimal] = {}
        self._asks: dict[Decimal, Decimal] = {}
        self._latest = last

    def add(self, delta: BookDelta) -> None:
        self._latest = delta.last_update_id
        self._bids.update(delta.bids)
        self._asks.update(delta.asks)

    def skip(self, last: int) -> None:
        """Nobody hears it: what happened is in every snapshot from now on."""
        self.last = self._latest = last
        self._bids.clear()
        self._asks.clear()

    def take(self, symbol: str) -> BookDelta | None:
        """What changed since the event before; None if nothing did."""
        if self._latest == self.last:
            return None
        merged = BookDelta(
            symbol=symbol,
            first_update_id=self.last + 1,
            last_update_id=self._latest,
            bids=tuple(self._bids.items()),
            asks=tuple(self._asks.items()),
        )
        self.skip(self._latest)
        return merged


class FuturesStreams(Hub):
    """What is sent when, of every contract."""

    def __init__(self, exchange: FuturesExchange, digits: Mapping[str, Digits], users: UserStreams) -> None:
        super().__init__(users)
        self._exchange = exchange
        self._digits = digits
        self._symbols = {contract.symbol.lower(): contract.symbol for contract in exchange.contracts()}
        self._clocked: dict[str, Clocked] = {}
        self._at_once: dict[str, tuple[str, str]] = {}  # stream of a book heard without delay -> (kind, symbol)
        self._best: dict[str, tuple[Decimal | None, ...]] = {}  # as last told
        self._diffs: dict[tuple[str, int], _DiffStream] = {}
        self._diff_names = {
            (symbol, pace): [f"{low}@depth{suffix}" for suffix, each in _PACES.items() if each == pace]
            for low, symbol in self._symbols.items()
            for pace in set(_PACES.values())
        }
        self._candle: dict[str, int] = {}  # stream -> open time of the candle last sent
        self._ladders: dict[str, int] = {}  # stream -> last id sent
        self._forced: dict[str, ForceOrder] = {}  # the newest liquidation of each symbol within the present second
        self._last_tick = 0
        for symbol in self._symbols.values():
            exchange.take_book_delta(symbol)  # what stands from the start is in every snapshot
            last = exchange.depth(symbol, 5).last_update_id
            for pace in set(_PACES.values()):
                self._diffs[symbol, pace] = _DiffStream(last)

    def first_heard(self, name: str) -> None:
        clocked = parse(name, self._symbols)
        if clocked is not None:
            self._clocked[name] = clocked
        if isinstance(clocked, Candles):  # one that closes before the first event is still told
            rows = self._exchange.klines(clocked.symbol, clocked.interval, self._last_tick, limit=1)
            self._candle[name] = rows[-1].open_time if rows else 0
        low, _, kind = name.partition("@")
        symbol = self._symbols.get(low)
        if symbol is not None and kind in ("bookTicker", "depth@0ms"):
            self._at_once[name] = (kind, symbol)

    def last_left(self, name: str) -> None:
        for kept in (self._clocked, self._candle, self._ladders, self._at_once):
            kept.pop(name, None)

    # -- as it happens ------------------------------------------------------------------------------------------------

    def happened(self, prints: Sequence[Print], forced: Sequence[ForceOrder], now: int) -> None:
        """Tell the trades of the tape, and the books that are heard without delay. `prints` in their order."""
        for row in forced:
            self._forced[row.symbol] = row
        of_symbol: dict[str, list[Print]] = {}
        for trade in prints:
            of_symbol.setdefault(trade.symbol, []).append(trade)
        for symbol, trades in of_symbol.items():
            self._tell_trades(symbol, trades, now)
        for kind, symbol in self._at_once.values():
            if kind == "bookTicker":
                self._tell_best(symbol, now)
            else:
                self._collect(symbol)
                self._tell_diff(symbol, 0, now)
        if self.is_heard("!bookTicker"):
            for symbol in self._symbols.values():
                self._tell_best(symbol, now)

    def _tell_trades(self, symbol: str, prints: list[Print], now: int) -> None:
        low, digits = symbol.lower(), self._digits[symbol]
        if self.is_heard(f"{low}@trade"):
            for row in prints:
                self.publish(f"{low}@trade", partial(market_json.trade_event, row, digits, now))
        if self.is_heard(f"{low}@aggTrade"):
            for agg in self._exchange.agg_trades(symbol, limit=min(len(prints), 1_000)):
                if agg.last_id >= prints[0].trade_id:
                    self.publish(f"{low}@aggTrade", partial(market_json.agg_trade_event, symbol, agg, digits, now))

    def _tell_best(self, symbol: str, now: int) -> None:
        best: BookTicker = self._exchange.book_ticker(symbol)
        shown = (best.bid, best.bid_qty, best.ask, best.ask_qty)
        if self._best.get(symbol) == shown:
            return
        self._best[symbol] = shown
        build = partial(market_json.book_ticker_event, best, self._digits[symbol], now)
        for name in (f"{symbol.lower()}@bookTicker", "!bookTicker"):
            self.publish(name, build)

    # -- depth --------------------------------------------------------------------------------------------------------

    def _collect(self, symbol: str) -> None:
        """Hand what changed on the book to every pace; to those nobody hears only that it did."""
        delta = self._exchange.take_book_delta(symbol)
        if delta is None:
            return
        for pace in set(_PACES.values()):
            stream = self._diffs[symbol, pace]
            if any(self.is_heard(name) for name in self._diff_names[symbol, pace]):
                stream.add(delta)
            else:
                stream.skip(delta.last_update_id)

    def _tell_diff(self, symbol: str, pace: int, now: int) -> None:
        stream = self._diffs[symbol, pace]
        previous = stream.last
        merged = stream.take(symbol)
        if merged is not None:
            build = partial(market_json.depth_event, merged, previous, self._digits[symbol], now)
            for name in self._diff_names[symbol, pace]:
                self.publish(name, build)

    # -- on the clock -------------------------------------------------------------------------------------------------

    def tick(self, now: int) -> None:
        """Whatever has reached the end of its pace since the last time."""
        before, self._last_tick = self._last_tick, now

        def is_due(pace: int) -> bool:
            return now // pace != before // pace

        paces = [pace for pace in sorted(set(_PACES.values())) if pace and is_due(pace)]
        for symbol in self._symbols.values():
            self._collect(symbol)
            for pace in paces:
                self._tell_diff(symbol, pace, now)
        for name, clocked in list(self._clocked.items()):
            if is_due(clocked.pace):
                self._tell_clocked(name, clocked, now)
        if is_due(_FORCED):
            for symbol, forced in self._forced.items():
                build = partial(orders_json.force_order, forced, now, self._digits[symbol])
                self.publish(f"{symbol.lower()}@forceOrder", build)
                self.publish("!forceOrder@arr", build)
            self._forced.clear()

    def _tell_clocked(self, name: str, clocked: Clocked, now: int) -> None:
        match clocked:
            case Ladder(symbol, count, _):
                book = self._exchange.depth(symbol, count)
                previous = self._ladders.get(name, book.last_update_id)
                self._ladders[name] = book.last_update_id
                self.publish(name, partial(_ladder, symbol, book, previous, self._digits[symbol], now))
            case Candles(symbol, interval, is_continuous, _):
                self._tell_candles(name, symbol, interval, is_continuous, now)
            case Timed(symbols, kind, _, is_array):
                if is_array:
                    self.publish(name, lambda unit: [self._timed_event(each, kind, now, unit) for each in symbols])
                else:
                    self.publish(name, partial(self._timed_event, symbols[0], kind, now))

    def _tell_candles(self, name: str, symbol: str, interval: str, is_continuous: bool, now: int) -> None:
        """The present candle, and before it each one that closed since the last time."""
        rows = self._exchange.klines(symbol, interval, now, limit=5)
        since = self._candle.get(name, 0)
        for row in rows:
            if row.open_time >= since:
                self._candle[name] = row.open_time
                self.publish(name, partial(_candle_event, row, is_continuous, self._digits[symbol], now))

    def _timed_event(self, symbol: str, kind: str, now: int, unit: int) -> Json:
        if kind == "markPrice":
            return market_json.mark_price_event(self._exchange.mark_price(symbol), now, unit)
        row, digits = self._exchange.ticker(symbol, now), self._digits[symbol]
        if kind == "miniTicker":
            return market_json.mini_ticker_event(row, digits, now, unit)
        return market_json.ticker_event(row, digits, now, unit)


def _candle_event(row: Kline, is_continuous: bool, digits: Digits, now: int, unit: int) -> Json:
    if is_continuous:
        return market_json.continuous_kline_event(row, digits, now, unit)
    return market_json.kline_event(row, digits, now, unit)


def _ladder(symbol: str, book: Depth, previous: int, digits: Digits, now: int, unit: int) -> Json:
    """The best levels as a depthUpdate: on USD-M they come in the same form as the changes."""
    best = BookDelta(
        symbol=symbol,
        first_update_id=previous,
        last_update_id=book.last_update_id,
        bids=book.bids,
        asks=book.asks,
    )
    return market_json.depth_event(best, previous, digits, now, unit)
