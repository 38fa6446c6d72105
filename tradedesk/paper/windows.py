"""What is derived from candles beyond the listed intervals: rolling windows, and candles cut in another time zone.

Both are made of the candles that are kept, so they reach back as far as those do: a window is exact to the minute for the
last day, older parts of it to the hour; a zoned candle is there while the shorter ones it consists of are.
"""

from tradedesk.paper.candles import DAY, FIXED, HOUR, KEEP, MINUTE, Candles, merge, next_open, opens_at
from tradedesk.paper.market import Bar

_PARTS = sorted((length, name) for name, length in FIXED.items() if DAY % length == 0 and length < DAY)


def window(candles: Candles, start: int, now: int) -> Bar | None:
    """All trades from `start` (a whole minute) up to `now` as one candle; None if there is none as old or younger.

    Whole hours are taken as such, minutes at both ends. Where the minutes of the first hour are forgotten, the whole hour
    counts.
    """
    first_hour, last_hour = -(-start // HOUR) * HOUR, now // HOUR * HOUR
    parts: list[Bar] = []
    if first_hour < last_hour:
        head = candles.bars("1m", now, 60, start, first_hour - 1) if start < first_hour else []
        if start < first_hour and (not head or head[0].open_time > start):
            whole = candles.bars("1h", now, 1, start - start % HOUR, first_hour - 1)
            head = whole or head
        parts += head
        parts += candles.bars("1h", now, KEEP, first_hour, last_hour - 1)
        parts += candles.bars("1m", now, 60, last_hour)
    else:
        parts += candles.bars("1m", now, 120, start)
    if not parts:
        return None
    first = parts[0]
    total = Bar(open_time=start, open=first.open, high=first.open, low=first.open, close=first.open)
    for bar in parts:
        merge(total, bar)
    return total


def before(candles: Candles, start: int, now: int) -> int | None:
    """The last price before `start`, in ticks; None if nothing is known of that time."""
    for interval in ("1m", "1h"):
        bars = candles.bars(interval, now, 1, end=start - FIXED[interval])
        if bars:
            return bars[-1].close
    return None


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
    wanted = KEEP + 1
    if start is None and end is None:  # the newest only: do not build what nobody asked for
        longest = 31 * DAY if interval == "1M" else length
        wanted = min(wanted, (limit + 1) * longest // part[0] + 1)
    pieces = candles.bars(part[1], now, wanted)
    bars: list[Bar] = []
    ends = 0
    for piece in pieces:
        if piece.open_time >= ends:
            opens = opens_at(interval, piece.open_time + offset) - offset
            ends = zoned_end(interval, offset, opens)
            bars.append(Bar(open_time=opens, open=piece.open, high=piece.open, low=piece.open, close=piece.open))
        merge(bars[-1], piece)
    if len(pieces) == wanted and pieces and pieces[0].open_time > bars[0].open_time:
        del bars[0]  # its beginning is not there
    bars = [bar for bar in bars if (start is None or bar.open_time >= start) and (end is None or bar.open_time <= end)]
    return bars[:limit] if start is not None else bars[-limit:]


def minutes_back(now: int, length: int) -> int:
    """Where a window of `length` ns that ends at `now` begins: on a minute, at most 59,999 ms early, as at the venue."""
    return (now - length) // MINUTE * MINUTE
