"""Exact numbers: reading them, putting them on a grid, carrying a currency."""

import re
from decimal import Context, Decimal

from msgspec import Struct

from tradedesk.domain.words import Side

_EXACT = Context(
    prec=80
)  # the default's 28 digits would round what the grammar below lets in: 18 digits on either side
MOST_DIGITS = 18  # on either side of the point
_NUMBER = re.compile(r"-?(0|[1-9][0-9]{0,17})(\.[0-9]{1,18})?", re.ASCII)


class Money(Struct, frozen=True):
    """An exact amount of one currency; negative where the text says so (a rebate, a loss)."""

    amount: Decimal
    currency: str


def parse_decimal(text: str, what: str) -> Decimal:
    """The number written in `text`: digits, at most one point, at most 18 digits on either side.

    A grammar stricter than Decimal's, which also takes `1_0`, Arabic digits, NaN and exponents that format to
    megabytes (F84). `what` names the field in the ValueError.
    """
    if not _NUMBER.fullmatch(text):
        shown = text if len(text) <= 24 else text[:24] + "..."
        raise ValueError(f"{what}: {shown!r} is not a plain decimal number; write it like 0.125")
    return Decimal(text)


def is_multiple(value: Decimal, step: Decimal) -> bool:
    """Whether `value` lies on the grid of `step` (> 0)."""
    return _EXACT.remainder(value, step) == 0


def round_to_tick(price: Decimal, tick: Decimal, side: Side) -> Decimal:
    """Move a price to the tick grid, never at the client's cost: down for Buy, up for Sell.

    Both in quote units per base unit, tick > 0. Raises ValueError if nothing above 0 is left.
    """
    ticks = _EXACT.divide_int(price, tick)
    if side is Side.Sell and not is_multiple(price, tick):
        ticks = _EXACT.add(ticks, 1)
    rounded = _EXACT.multiply(ticks, tick)
    if rounded <= 0:
        raise ValueError(f"price {price} is below one tick ({tick}); enter at least {tick}")
    return rounded


def floor_to_lot(quantity: Decimal, lot: Decimal) -> Decimal:
    """The largest multiple of `lot` (> 0) not above `quantity` (base units, >= 0); 0 if not one lot is left."""
    return _EXACT.multiply(_EXACT.divide_int(quantity, lot), lot)


def to_places(value: Decimal, places: int) -> str:
    """The number rounded to `places` decimals, however large it is; Decimal's own quantize raises beyond 28 digits."""
    return f"{value:.{places}f}"


def plain(value: Decimal) -> str:
    """The number as a venue and a reader expect it: no exponent, no trailing zeros after the point."""
    text = format(value, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text in ("", "-0") else text
