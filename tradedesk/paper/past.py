"""Candles from before the start of a synthetic market: seeded, joined end to end, the last one closing at the start price.

Days are drawn first, backwards from the start; a day is split into hours and an hour into minutes only where somebody
looks, always in the same way. So a day's volume costs no more than its hours, and each candle is the sum of its parts.
"""

from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import accumulate, islice, pairwise
from math import exp, sqrt
from random import Random

from tradedesk.paper.candles import DAY, HOUR, MINUTE
from tradedesk.paper.market import Bar

MINUTES, HOURS, DAYS = 1_500, 1_500, 1_000  # how far back each length goes
_KEPT_PARTS = 4  # days and hours whose parts are kept: a day's ticker looks at the same ones again and again
_REVERSION = 0.5  # long candles move less than a random walk of the short ones would


class Common:
    """What the pasts of all instruments of one seed share: the market's moves."""

    def __init__(self, seed: int) -> None:
        self._seed = seed

    @cached_property
    def moves(self) -> Sequence[float]:
        """Standard normal, one per candle drawn, the newest first."""
        rng = Random(f"{self._seed}:past")
        return [rng.gauss(0, 1) for _ in range(60 + 24 + DAYS)]


class Past:
    """The past of one instrument as of `now`: price in ticks, `minute_sd` a fraction, `lots` and `trades` per minute.

    `share` is how strongly it follows the market.
    """

    def __init__(
        self,
        seed: str,
        now: int,
        price: int,
        *,
        minute_sd: float,
        lots: float,
        trades: float,
        common: Common,
        share: float,
    ) -> None:
        self._seed = seed
        self._now = now
        self._minute_sd = minute_sd
        self._lots = lots
        self._trades = trades
        self._common = common
        self._together = min(share, 1.2) / 1.5
        hour, midnight = now // HOUR * HOUR, now // DAY * DAY
        minutes, hours = -(-(now - hour) // MINUTE), (hour - midnight) // HOUR
        self._minutes = _oldest_first(self._drawn(price, MINUTE, hour + minutes * MINUTE, skip=0), minutes)
        self._hours = _oldest_first(self._drawn(_first(self._minutes, price), HOUR, hour, skip=60), hours)
        self._midnight = midnight
        self._older = self._drawn(_first(self._hours, _first(self._minutes, price)), DAY, midnight, skip=84)
        self._parts: dict[tuple[int, int], list[Bar]] = {}
        self._days: list[Bar] = []  # newest first, as far back as somebody looked

    def _days_since(self, since: int) -> Iterator[Bar]:
        """Whole days that end after `since`, oldest first."""
        count = min(DAYS, max(0, -(-(self._midnight - since) // DAY)))
        self._days += islice(self._older, max(0, count - len(self._days)))
        return reversed(self._days[:count])

    def bars(self, longest: int, since: int, until: int) -> Iterator[tuple[int, Bar]]:
        """(length in ns, candle) of opening times from `since` to `until`, oldest first, of lengths up to `longest`.

        Some that open before `since` may come too: whole days and hours are not cut.
        """
        oldest_hour = (self._now - HOURS * HOUR) // DAY * DAY
        oldest_minute = (self._now - MINUTES * MINUTE) // HOUR * HOUR
        if longest < HOUR:
            since = max(since, oldest_minute)
        elif longest < DAY:
            since = max(since, oldest_hour)
        for day in self._days_since(since):
            if day.open_time > until:
                break
            if longest >= DAY:
                yield DAY, day
            else:
                yield from self._within(self._split(day, DAY, HOUR), longest, since, until)
        yield from self._within(self._hours, longest, since, until)
        yield from ((MINUTE, bar) for bar in self._minutes if since <= bar.open_time <= until)

    def _within(self, hours: Sequence[Bar], longest: int, since: int, until: int) -> Iterator[tuple[int, Bar]]:
        for hour in hours:
            if hour.open_time + HOUR > since and hour.open_time <= until:
                if longest >= HOUR:
                    yield HOUR, hour
                else:
                    for bar in self._split(hour, HOUR, MINUTE):
                        if since <= bar.open_time <= until:
                            yield MINUTE, bar

    def _drawn(self, price: int, length: int, end: int, *, skip: int) -> Iterator[Bar]:
        """Candles back from `end`, where they close at `price`; `skip` of the market's moves are those of later ones."""
        rng = Random(f"{self._seed}:{length}")
        minutes = length // MINUTE
        sd = self._minute_sd * (1 if minutes == 1 else sqrt(minutes) * _REVERSION)
        alone = sqrt(1 - self._together**2)
        close = price
        for number, market in enumerate(self._common.moves[skip:], 1):
            move = self._together * market + alone * rng.gauss(0, 1)
            opened = max(1, round(close * exp(-sd * move)))
            high = max(opened, close) + round(close * sd / 3 * abs(rng.gauss(0, 1)))
            low = max(1, min(opened, close) - round(close * sd / 3 * abs(rng.gauss(0, 1))))
            busy = rng.lognormvariate(-0.1, 0.45) * minutes
            total = max(minutes, round(self._lots * busy))
            taken = round(total * min(0.9, max(0.1, 0.5 + 0.15 * rng.gauss(0, 1))))
            middle = (opened + high + low + close) // 4
            yield Bar(
                open_time=end - number * length,
                open=opened,
                high=high,
                low=low,
                close=close,
                lots=total,
                quote=total * middle,
                trades=max(minutes, round(self._trades * busy)),
                taker_lots=taken,
                taker_quote=taken * middle,
            )
            close = opened

    def _split(self, bar: Bar, length: int, into: int) -> list[Bar]:
        """The candles of length `into` that `bar` is the sum of. Nobody may change them: the last few are kept."""
        kept = self._parts.get((bar.open_time, into))
        if kept is None:
            if len(self._parts) >= _KEPT_PARTS:
                del self._parts[next(iter(self._parts))]
            kept = split(bar, length, into, Random(f"{self._seed}:{bar.open_time}:{into}"))
            self._parts[bar.open_time, into] = kept
        return kept


def _oldest_first(newest_first: Iterator[Bar], count: int) -> list[Bar]:
    return list(islice(newest_first, count))[::-1]


def _first(bars: Sequence[Bar], price: int) -> int:
    """Where these begin; `price` if there are none."""
    return bars[0].open if bars else price


def split(bar: Bar, length: int, into: int, rng: Random) -> list[Bar]:
    """Parts of equal length that are joined end to end and merge to `bar` exactly. It has a lot and a trade for each minute."""
    count = length // into
    prices = _bridge(bar, count, rng)
    wick = (bar.high - bar.low) / count / 2
    weights = [0.4 + rng.random() ** 2 * 2 for _ in range(count)]
    lots = _shares(bar.lots, weights, least=into // MINUTE)
    trades = _shares(bar.trades, weights, least=into // MINUTE)
    taken = _shares(bar.taker_lots, lots)  # exactly in proportion, so never more than the lots
    quote = _shares(bar.quote, [each * (before + after) / 2 for each, (before, after) in zip(lots, pairwise(prices), strict=True)])  # fmt: skip
    parts = []
    for number, (opened, close) in enumerate(pairwise(prices)):
        parts.append(
            Bar(
                open_time=bar.open_time + number * into,
                open=opened,
                high=min(bar.high, max(opened, close) + int(wick * rng.random())),
                low=max(bar.low, min(opened, close) - int(wick * rng.random())),
                close=close,
                lots=lots[number],
                quote=quote[number],
                trades=trades[number],
                taker_lots=taken[number],
            )
        )
    max(parts, key=lambda part: part.high).high = bar.high
    min(parts, key=lambda part: part.low).low = bar.low
    taker_quote = _shares(bar.taker_quote, [part.taker_lots * part.quote / part.lots for part in parts])
    for part, each in zip(parts, taker_quote, strict=True):
        part.taker_quote = each
    return parts


def _bridge(bar: Bar, count: int, rng: Random) -> list[int]:
    """A walk of `count` steps from open to close that stays between low and high."""
    step = (bar.high - bar.low) / sqrt(count) / 1.5
    walk = [0.0, *accumulate(rng.gauss(0, step) for _ in range(count))]
    slope = (bar.close - bar.open - walk[-1]) / count
    inner = [min(bar.high, max(bar.low, round(bar.open + at + slope * number))) for number, at in enumerate(walk)]
    return [bar.open, *inner[1:-1], bar.close]


def _shares(total: int, weights: Sequence[float], least: int = 0) -> list[int]:
    """`total` in whole parts by weight, at least `least` each; they add up to it."""
    rest = total - least * len(weights)
    whole = sum(weights)
    if not whole:
        return [*([0] * (len(weights) - 1)), total]
    edges = [0, *(int(rest * at // whole) for at in accumulate(weights))]
    edges[-1] = rest
    return [after - before + least for before, after in pairwise(edges)]
