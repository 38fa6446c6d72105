"""Candles from before the start of a synthetic market: seeded, joined end to end, the last one closing at the start price.

Minutes for a good day, hours for two months before them, days for three years before those.
"""

from math import exp, sqrt
from random import Random

from tradedesk.paper.candles import DAY, HOUR, MINUTE
from tradedesk.paper.market import Bar

MINUTES, HOURS, DAYS = 1_500, 1_500, 1_000
_REVERSION = 0.5  # long candles move less than a random walk of the short ones would


def past(rng: Random, now: int, price: int, *, minute_sd: float, lots: float, trades: float) -> list[tuple[int, Bar]]:
    """(length in ns, candle), oldest first. `price` in ticks; `minute_sd` as a fraction; `lots`, `trades` per minute."""
    first_minute = (now - MINUTES * MINUTE) // HOUR * HOUR
    first_hour = (first_minute - HOURS * HOUR) // DAY * DAY
    opens = [first_hour - (DAYS - day) * DAY for day in range(DAYS)]
    opens += range(first_hour, first_minute, HOUR)
    opens += range(first_minute, now, MINUTE)
    bars: list[tuple[int, Bar]] = []
    close = price
    for open_time in reversed(opens):
        length = MINUTE if open_time >= first_minute else HOUR if open_time >= first_hour else DAY
        minutes = length // MINUTE
        sd = minute_sd * sqrt(minutes) * (1 if minutes == 1 else _REVERSION)
        bar = _bar(rng, open_time, close, sd=sd, lots=lots * minutes, trades=trades * minutes)
        bars.append((length, bar))
        close = bar.open
    bars.reverse()
    return bars


def _bar(rng: Random, open_time: int, close: int, *, sd: float, lots: float, trades: float) -> Bar:
    opened = max(1, round(close * exp(rng.gauss(0, sd))))
    high = max(opened, close) + round(close * abs(rng.gauss(0, sd / 3)))
    low = max(1, min(opened, close) - round(close * abs(rng.gauss(0, sd / 3))))
    busy = rng.lognormvariate(-0.1, 0.45)
    total = max(1, round(lots * busy))
    bought = round(total * min(0.9, max(0.1, 0.5 + 0.15 * rng.gauss(0, 1))))
    middle = (opened + high + low + close) // 4
    return Bar(
        open_time=open_time,
        open=opened,
        high=high,
        low=low,
        close=close,
        lots=total,
        quote=total * middle,
        trades=max(1, round(trades * busy)),
        taker_lots=bought,
        taker_quote=bought * middle,
    )
