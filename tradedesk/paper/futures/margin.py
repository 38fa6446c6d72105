"""The arithmetic of margin: brackets, maintenance, initial margin, liquidation price. Plain functions over plain numbers.

Formulas of the venue's pages "How to calculate liquidation price" and "Leverage and margin of USD-M futures" (2024).
"""

from collections.abc import Sequence
from decimal import Decimal

from tradedesk.paper.futures.contracts import Bracket

_GRAIN = Decimal("1E-8")


def bracket_of(brackets: Sequence[Bracket], notional: Decimal) -> Bracket:
    """The bracket of a notional (its size, not its sign); beyond the last cap the last one."""
    return next((b for b in brackets if notional <= b.cap), brackets[-1])


def maintenance(brackets: Sequence[Bracket], notional: Decimal) -> Decimal:
    """Maintenance margin of a notional >= 0: notional x ratio - cum."""
    bracket = bracket_of(brackets, notional)
    return notional * bracket.maint_ratio - bracket.cum


def max_leverage(brackets: Sequence[Bracket]) -> int:
    return brackets[0].max_leverage


def max_notional(brackets: Sequence[Bracket], leverage: int) -> Decimal:
    """The largest position this leverage allows: the cap of the last bracket that allows the leverage."""
    return max((b.cap for b in brackets if b.max_leverage >= leverage), default=Decimal(0))


def exposure(value: int, bids: int, asks: int) -> int:
    """The largest size a position may come to if all of one side fills. `value` is signed, the others >= 0; units."""
    return max(abs(value), abs(value + bids), abs(value - asks))


def initial(size: int, leverage: int) -> int:
    """Initial margin in units of a size in units, rounded up."""
    return -(-size // leverage)


def liquidation_price(
    brackets: Sequence[Bracket], legs: Sequence[tuple[Decimal, Decimal]], *, cushion: Decimal, mark: Decimal
) -> Decimal:
    """The mark price nearest to `mark` at which the margin balance equals the maintenance margin; 0 if none is above 0.

    `legs` are (signed amount, signed cost) of the contract's positions that share the margin: one, or in hedge mode two.
    `cushion` is what else carries them: the isolated wallet, or the cross wallet less the maintenance of the other
    contracts plus their unrealised profit, which the venue too holds still.
    """
    edges = sorted({Decimal(0)} | {b.cap / abs(amount) for amount, _ in legs for b in brackets[:-1]})
    roots = []
    for low, high in zip(edges, [*edges[1:], None], strict=True):
        slope, rest = Decimal(0), cushion
        for amount, cost in legs:
            size = abs(amount)
            bracket = brackets[-1] if high is None else bracket_of(brackets, size * (low + high) / 2)
            slope += amount - size * bracket.maint_ratio
            rest += bracket.cum - cost
        if slope:
            price = -rest / slope
            if low < price and (high is None or price <= high):
                roots.append(price)
    return min(roots, key=lambda price: abs(price - mark)).quantize(_GRAIN) if roots else Decimal(0)
