"""How long to wait before the next try, so that many clients do not come back at once (F17)."""

import random

FIRST_S = 0.5
MOST_S = 30.0


def back_off_s(failures: int, chance: random.Random) -> float:
    """Seconds to wait after the `failures`-th (>= 1) failure in a row: doubling, capped, and half of it left to chance."""
    span: float = min(MOST_S, FIRST_S * 2 ** min(failures - 1, 16))
    return span * chance.uniform(0.5, 1.0)
