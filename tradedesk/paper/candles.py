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

    def reaches(self, since: int) -> bool:
        """Whether nothing that opens at `since` or later is missing, as far as it ever can be: the first one may be a part."""
        if self.open is None:
            return False
        oldest = self.closed[0] if self.closed else self.open
        return oldest.open_time < since or len(self.closed) == KEEP

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


Past = Callable[[int, int, int], Iterable[tuple[int, Bar]]]
FOREVER = 1 << 62  # ns; later than any time


class Candles:
    """All intervals of one instrument.

    `past(longest, since, until)` gives the candles from before the start that open in that time, oldest first, as (length
    in ns, candle), at least those of lengths up to `longest`; one counts in every interval that is not shorter. It is asked
    for no more than somebody looks at.
    """

    def __init__(self, past: Past = lambda _longest, _since, _until: ()) -> None:
        self._past = past
        self._live = {interval: _Series(interval) for interval in _ALWAYS}  # what traded here
        self._made: dict[str, tuple[int, _Series]] = {}  # made when asked for, with the past since then
        self._second: Bar | None = None  # the running one; in no series yet

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
        length = FIXED.get(interval, 31 * DAY)
        until = FOREVER if end is None else end
        since = start if start is not None else min(now, until) - (limit + 1) * length
        series = self._rolled(interval, now, since, until)
        bars: list[Bar] = list(series.closed)
        if series.open is not None:
            bars.append(self._with_second(series))
        if start is not None:
            bars = bars[bisect_left(bars, start, key=_open_time) :]
        if end is not None:
            bars = bars[: bisect_left(bars, end + 1, key=_open_time)]
        return bars[:limit] if start is not None else bars[-limit:]

    def since(self, interval: str, now: int, count: int) -> Bar | None:
        """The last `count` candles, the open one included, as one; None before any."""
        bars = self.bars(interval, now, count)
        if not bars:
            return None
        first = bars[0]
        total = Bar(open_time=first.open_time, open=first.open, high=first.open, low=first.open, close=first.open)
        for bar in bars:
            merge(total, bar)
        return total

    def _rolled(self, interval: str, now: int, since: int, until: int) -> _Series:
        """The series as of `now`, or as of `until` if that is before; at least what opens since `since`."""
        second = self._second
        if second is not None and now >= second.open_time + SECOND:
            self._fold(second)
            self._second = None
        if until < FOREVER:
            until = next_open(interval, opens_at(interval, max(until, 0))) - 1  # the whole of the last candle
        series = self._reaching(interval, opens_at(interval, max(since, 0)), until)
        series.roll(min(now, until))
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

    def _reaching(self, interval: str, since: int, until: int) -> _Series:
        live = self._live.get(interval)
        if live is not None and live.reaches(since):
            return live
        made = self._made.get(interval)
        if made is not None and made[0] <= since:
            return made[1]
        series = _Series(interval)
        for length, bar in self._past(series.length, since, until):
            if length <= series.length and since <= bar.open_time <= until:
                series.fold(bar)
        source = live or self._live[_source(interval)]
        for bar in (*source.closed, *((source.open,) if source.open else ())):
            if since <= bar.open_time <= until:
                series.fold(bar)
        if until == FOREVER:
            self._made[interval] = (since, series)
        return series

    def _with_second(self, series: _Series) -> Bar:
        """The open candle with the second that runs, if that is in it."""
        assert series.open is not None
        second = self._second
        if second is None or second.open_time >= series.ends:
            return series.open
        whole = copy(series.open)
        merge(whole, second)
        return whole

    def _fold(self, second: Bar) -> None:
        for series in self._live.values():
            series.fold(second)
        for _, series in self._made.values():
            series.fold(second)


def _source(interval: str) -> str:
    length = FIXED.get(interval, 28 * DAY)
    return next(name for name in reversed(_ALWAYS) if FIXED[name] <= length)


def _open_time(bar: Bar) -> int:
    return bar.open_time
