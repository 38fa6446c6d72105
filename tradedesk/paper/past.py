"""Candles from before the start of a synthetic market: seeded, joined end to end, the last one closing at the start price.

Minutes for a good day, hours for two months before them, days for three years before those.
"""

from collections.abc import Sequence
from functools import cached_property
from math import exp, sqrt
from random import Random

from tradedesk.paper.candles import DAY, HOUR, MINUTE
from tradedesk.paper.market import Bar

MINUTES, HOURS, DAYS = 1_500, 1_500, 1_000
_REVERSION = 0.5  # long candles move less than a random walk of the short ones would
_NOISE = 4_096  # normal numbers that all wicks and volumes are taken from: made once, they need not be fresh


class Common:
    """What the pasts of all instruments of one seed share: the market's moves, and a store of noise."""

    def __init__(self, seed: int) -> None:
        self._seed = seed

    @cached_property
    def moves(self) -> Sequence[float]:
        """Standard normal, one per candle, the newest first."""
        rng = Random(f"{self._seed}:past")
        return [rng.gauss(0, 1) for _ in range(MINUTES + 60 + HOURS + 24 + DAYS)]

    @cached_property
    def noise(self) -> Sequence[float]:
        rng = Random(f"{self._seed}:noise")
        return [rng.gauss(0, 1) for _ in range(_NOISE)]


def past(
    rng: Random,
    now: int,
    price: int,
    *,
    longest: int = DAY,
    minute_sd: float,
    lots: float,
    trades: float,
    common: Common,
    share: float,
) -> list[tuple[int, Bar]]:
    """(length in ns, candle), oldest first, of lengths up to `longest`.

    `price` in ticks; `minute_sd` as a fraction; `lots`, `trades` per minute; `share` of the market's moves in its own.
    """
    first_minute = (now - MINUTES * MINUTE) // HOUR * HOUR
    first_hour = (first_minute - HOURS * HOUR) // DAY * DAY
    opens: list[int] = list(range(first_minute, now, MINUTE))
    if longest >= HOUR:
        opens = [*range(first_hour, first_minute, HOUR), *opens]
    if longest >= DAY:
        opens = [*(first_hour - (DAYS - day) * DAY for day in range(DAYS)), *opens]
    together, alone = min(share, 1.2) / 1.5, sqrt(1 - (min(share, 1.2) / 1.5) ** 2)
    moves, noise = common.moves, common.noise
    at = rng.randrange(_NOISE)
    bars: list[tuple[int, Bar]] = []
    close = price
    for number, open_time in enumerate(reversed(opens)):
        length = MINUTE if open_time >= first_minute else HOUR if open_time >= first_hour else DAY
        minutes = length // MINUTE
        sd = minute_sd * (1 if minutes == 1 else sqrt(minutes) * _REVERSION)
        opened = max(1, round(close * exp(-sd * (together * moves[number] + alone * rng.gauss(0, 1)))))
        at += 4
        up, down, busy, bought = (noise[(at + step) % _NOISE] for step in range(4))
        high = max(opened, close) + round(close * sd / 3 * abs(up))
        low = max(1, min(opened, close) - round(close * sd / 3 * abs(down)))
        volume = exp(0.45 * busy - 0.1) * minutes
        total = max(1, round(lots * volume))
        taken = round(total * min(0.9, max(0.1, 0.5 + 0.15 * bought)))
        middle = (opened + high + low + close) // 4
        bar = Bar(
            open_time=open_time,
            open=opened,
            high=high,
            low=low,
            close=close,
            lots=total,
            quote=total * middle,
            trades=max(1, round(trades * volume)),
            taker_lots=taken,
            taker_quote=taken * middle,
        )
        bars.append((length, bar))
        close = opened
    bars.reverse()
    return bars
