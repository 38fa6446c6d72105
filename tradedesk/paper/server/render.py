"""What both markets write alike in JSON: numbers, refusals, units of time.

`unit` is always ns per tick of the client's time: 1_000_000 for milliseconds, 1_000 for microseconds.
"""

from decimal import Decimal

from tradedesk.paper.rows import Refusal

MILLISECOND = 1_000_000
MICROSECOND = 1_000

Json = dict[str, object]
ZERO = "0.00000000"


def number(value: Decimal) -> str:
    return f"{value:.8f}" if value else ZERO


def number_or_zero(value: Decimal | None) -> str:
    return ZERO if value is None else number(value)


def error(refusal: Refusal) -> Json:
    return {"code": refusal.code, "msg": refusal.message}
