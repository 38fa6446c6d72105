"""What is derived from candles beyond the listed intervals: rolling windows, and candles cut in another time zone.

Both are made of the candles that are kept, so they reach back as far as those do: a window is exact to the minute for the
last day, older parts of it to the hour; a zoned candle is there while the shorter ones it consists of are.
"""

from tradedesk.paper.candles import DAY, FIXED, HOUR, KEEP, MINUTE, Candles, merge, next_open, opens_at
from tradedesk.paper.market import Bar

_MOST_KEPT = 4  # hours: tickers of a day, of 1 h and of 4 h look at one each
_PARTS = sorted((length, name) for name, length in FIXED.items() if DAY % length == 0 and length < DAY)


Minutes = dict[int, list[Bar]]
"""The minutes of some hours that are over, by when the hour began: what a window needs again and again while it moves."""


def window(candles: Candles, start: int, now: int, kept: Minutes | None = None) -> Bar | None:
    """All trades from `start` (a whole minute) up to `now` as one candle; None if there is none as old or younger.

    It is the sum of hours, and of minutes where it begins; where the minutes of the first hour are forgotten, the whole hour
    counts. `kept` spares the next call what this one looked up.
    """
    hour = start - start % HOUR
    if hour == now - now % HOUR:
        parts = candles.bars("1m", now, 60, start)
    elif hour == start:
        parts = candles.bars("1h", now, KEEP, start)
    else:
        parts = [bar for bar in _minutes(candles, hour, now, kept) if bar.open_time >= start]
        if not parts or parts[0].open_time > start:
            parts = candles.bars("1h", now, 1, hour, hour + HOUR - 1) or parts
        parts += candles.bars("1h", now, KEEP, hour + HOUR)
    if not parts:
        return None
    first = parts[0]
    total = Bar(open_time=start, open=first.open, high=first.open, low=first.open, close=first.open)
    for bar in parts:
        merge(total, bar)
    return total


def before(candles: Candles, start: int, now: int, kept: Minutes | None = None) -> int | None:
    """The last price before `start`, in ticks; None if nothing is known of that time."""
    hour = start - start % HOUR
    earlier = [bar for bar in _minutes(candles, hour, now, kept) if bar.open_time < start]
    earlier = earlier or candles.bars("1h", now, 1, end=hour - HOUR)
    return earlier[-1].close if earlier else None


def _minutes(candles: Candles, hour: int, now: int, kept: Minutes | None) -> list[Bar]:
    """Those of the hour that begins then."""
    if kept is not None and hour in kept:
        return kept[hour]
    minutes = candles.bars("1m", now, 60, hour, hour + HOUR - 1)
    if kept is not None and now >= hour + HOUR:
        if len(kept) >= _MOST_KEPT:
            del kept[min(kept)]
        kept[hour] = minutes
    return minutes


def zoned_end(interval: str, offset: int, open_time: int) -> int:
    """When a candle that opens then is over. `offset` is local time minus UTC, ns."""
    return next_open(interval, open_time + offset) - offset


def zoned(
    candles: Candles, interval: str, offset: int, now: int, limit: int, start: int | None = None, end: int | None = None
) -> list[Bar]:
    """As `Candles.bars`, cut at the local hours, days, weeks and months of a zone `offset` ns ahead of UTC."""
    length = FIXED.get(interval, DAY)
    if offset % length == 0 and interval != "1M":
        return candles.bars(interval, now, limit, start, end)
    part = max((size, name) for size, name in _PARTS if offset % size == 0 and length % size == 0)
    wanted, since = KEEP + 1, None
    if start is not None:  # whatever else is asked for, no more is built than anybody gets to see
        since = opens_at(interval, start + offset) - offset
    elif end is None:
        longest = 31 * DAY if interval == "1M" else length
        wanted = min(wanted, (limit + 1) * longest // part[0] + 1)
    pieces = candles.bars(part[1], now, wanted, since)
    bars: list[Bar] = []
    ends = 0
    for piece in pieces:
        if piece.open_time >= ends:
            opens = opens_at(interval, piece.open_time + offset) - offset
            ends = zoned_end(interval, offset, opens)
            bars.append(Bar(open_time=opens, open=piece.open, high=piece.open, low=piece.open, close=piece.open))
        merge(bars[-1], piece)
    if len(pieces) >= min(wanted, KEEP) and pieces[0].open_time > bars[0].open_time:
        del bars[0]  # its beginning is not there
    bars = [bar for bar in bars if (start is None or bar.open_time >= start) and (end is None or bar.open_time <= end)]
    return bars[:limit] if start is not None else bars[-limit:]


def minutes_back(now: int, length: int) -> int:
    """Where a window of `length` ns that ends at `now` begins: on a minute, at most 59,999 ms early, as at the venue."""
    return (now - length) // MINUTE * MINUTE
