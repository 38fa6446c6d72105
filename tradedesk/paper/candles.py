"""Candles of one instrument in every interval the venue lists, built as trades come in; whole ticks and lots.

A trade touches only the candle of its second; when the second is over it is folded into the few intervals that are always
kept. The others, and the past from before the start, are made of these when somebody first asks: most instruments are
never looked at in most intervals. Of each interval the last KEEP candles stay.
"""

import datetime
from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Iterable
from copy import copy
from itertools import islice

from tradedesk.paper.market import Bar

SECOND = 1_000_000_000  # ns
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR
KEEP = 1_500

FIXED = {  # ns; each starts at a multiple of its length since the epoch, the week on a Monday
    "1s": SECOND, "1m": MINUTE, "3m": 3 * MINUTE, "5m": 5 * MINUTE, "15m": 15 * MINUTE, "30m": 30 * MINUTE,
    "1h": HOUR, "2h": 2 * HOUR, "4h": 4 * HOUR, "6h": 6 * HOUR, "8h": 8 * HOUR, "12h": 12 * HOUR,
    "1d": DAY, "3d": 3 * DAY, "1w": 7 * DAY,
}  # fmt: skip
INTERVALS = (*FIXED, "1M")
_ALWAYS = ("1s", "1m", "1h", "1d")  # each of the others is made of the longest of these that is not above it
_MONDAY = 4 * DAY  # 1970-01-05


def opens_at(interval: str, at: int) -> int:
    """When the candle that holds `at` opens."""
    if interval == "1M":
        day = datetime.datetime.fromtimestamp(at // SECOND, datetime.UTC)
        return int(day.replace(day=1, hour=0, minute=0, second=0, microsecond=0).timestamp()) * SECOND
    length = FIXED[interval]
    shift = _MONDAY if interval == "1w" else 0
    return (at - shift) // length * length + shift


def next_open(interval: str, open_time: int) -> int:
    if interval == "1M":
        return opens_at("1M", open_time + 32 * DAY)
    return open_time + FIXED[interval]


class _Series:
    """One interval: what is closed, and the candle that is open, up to the last whole second."""

    __slots__ = ("closed", "ends", "interval", "length", "open")

    def __init__(self, interval: str) -> None:
        self.interval = interval
        self.length = FIXED.get(interval, 28 * DAY)  # the shortest it can be
        self.closed: deque[Bar] = deque(maxlen=KEEP)
        self.open: Bar | None = None
        self.ends = 0

    def roll(self, now: int) -> None:
        """Close what is over at `now`; a stretch without trades gives flat candles at the last close."""
        if self.open is None or now < self.ends:
            return
        while now >= self.ends:
            closed = self.open
            self.closed.append(closed)
            start = self.ends
            if now - start > (KEEP + 1) * self.length:  # nobody will see more of them than are kept
                start = opens_at(self.interval, now - KEEP * self.length)
            self._begin(start, closed.close)

    def fold(self, bar: Bar) -> None:
        if self.open is None:
            self._begin(opens_at(self.interval, bar.open_time), bar.open)
        else:
            self.roll(bar.open_time)
        assert self.open is not None
        merge(self.open, bar)

    def _begin(self, open_time: int, price: int) -> None:
        self.open = Bar(open_time=open_time, open=price, high=price, low=price, close=price)
        self.ends = next_open(self.interval, open_time)


def merge(bar: Bar, later: Bar) -> None:
    """Add a later, shorter candle to `bar`."""
    if not later.trades:
        return
    if not bar.trades:
        bar.open = bar.high = bar.low = later.open
        bar.first_id = later.first_id
    bar.high = max(bar.high, later.high)
    bar.low = min(bar.low, later.low)
    bar.close = later.close
    bar.lots += later.lots
    bar.quote += later.quote
    bar.trades += later.trades
    bar.taker_lots += later.taker_lots
    bar.taker_quote += later.taker_quote
    bar.last_id = later.last_id


Past = Callable[[int], Iterable[tuple[int, Bar]]]


class Candles:
    """All intervals of one instrument.

    `past(longest)` gives the candles from before the start, oldest first, as (length in ns, candle), at least those of
    lengths up to `longest`; one counts in every interval that is not shorter. It is asked again for each interval.
    """

    def __init__(self, past: Past | None = None) -> None:
        self._loaded: list[tuple[int, Bar]] = []
        self._past: Past = past or (lambda _: self._loaded)
        self._series = {interval: _Series(interval) for interval in _ALWAYS}
        self._whole: set[str] = set()  # those that have their past
        self._second: Bar | None = None  # the running one; in no series yet

    def load(self, length: int, bar: Bar) -> None:
        """A candle from before the start, oldest first, where there is no `past` to ask. Before any look."""
        self._loaded.append((length, bar))

    def trade(self, price: int, lots: int, at: int, trade_id: int, buyer_is_taker: bool) -> None:
        second = self._second
        if second is None or at >= second.open_time + SECOND:
            if second is not None:
                self._fold(second)
            second = self._second = Bar(
                open_time=at - at % SECOND, open=price, high=price, low=price, close=price, first_id=trade_id
            )
        elif price > second.high:
            second.high = price
        elif price < second.low:
            second.low = price
        second.close = price
        second.lots += lots
        second.quote += price * lots
        second.trades += 1
        second.last_id = trade_id
        if buyer_is_taker:
            second.taker_lots += lots
            second.taker_quote += price * lots

    def bars(self, interval: str, now: int, limit: int, start: int | None = None, end: int | None = None) -> list[Bar]:
        """Oldest first, the last one may still be open. From `start` on, else the newest, by opening time."""
        series = self._rolled(interval, now)
        bars: list[Bar] = list(series.closed)
        if series.open is not None:
            bars.append(self._with_second(series.open))
        if start is not None:
            bars = bars[bisect_left(bars, start, key=_open_time) :]
        if end is not None:
            bars = bars[: bisect_left(bars, end + 1, key=_open_time)]
        return bars[:limit] if start is not None else bars[-limit:]

    def since(self, interval: str, now: int, count: int) -> Bar | None:
        """The last `count` candles, the open one included, as one; None before any."""
        series = self._rolled(interval, now)
        if series.open is None:
            return None
        newest = self._with_second(series.open)
        older = list(islice(reversed(series.closed), count - 1))
        first = older[-1] if older else newest
        total = Bar(open_time=first.open_time, open=first.open, high=first.open, low=first.open, close=first.open)
        for bar in reversed(older):
            merge(total, bar)
        merge(total, newest)
        return total

    def _rolled(self, interval: str, now: int) -> _Series:
        second = self._second
        if second is not None and now >= second.open_time + SECOND:
            self._fold(second)
            self._second = None
        series = self._made(interval)
        series.roll(now)
        if series.open is None and self._second is not None:  # the first trade ever, in this very second
            series.fold(
                Bar(
                    open_time=self._second.open_time,
                    open=self._second.open,
                    high=self._second.open,
                    low=self._second.open,
                    close=self._second.open,
                )
            )
        return series

    def _made(self, interval: str) -> _Series:
        """The series with its past, from the first look on."""
        if interval in self._whole:
            return self._series[interval]
        made = _Series(interval)
        for length, bar in self._past(made.length):
            if length <= made.length:
                made.fold(bar)
        source = self._series.get(interval) or self._series[_source(interval)]
        for bar in (*source.closed, *((source.open,) if source.open else ())):
            made.fold(bar)
        self._series[interval] = made
        self._whole.add(interval)
        return made

    def _with_second(self, bar: Bar) -> Bar:
        second = self._second
        if second is None:
            return bar
        whole = copy(bar)
        merge(whole, second)
        return whole

    def _fold(self, second: Bar) -> None:
        for series in self._series.values():
            series.fold(second)


def _source(interval: str) -> str:
    length = FIXED.get(interval, 28 * DAY)
    return next(name for name in reversed(_ALWAYS) if FIXED[name] <= length)


def _open_time(bar: Bar) -> int:
    return bar.open_time
