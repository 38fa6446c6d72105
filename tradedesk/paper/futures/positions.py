"""One position: lots, what they cost, what was set aside for them. Whole lots and units of 1e-8 of the margin asset.

`cost` is signed as the lots are, so a buy of n at p adds n x p and a sale takes it away; what a closing trade does not
release of the cost it realises. Rounding stays in the position and comes out with its last lot: nothing is made or lost.
"""

from decimal import Decimal

from tradedesk.paper.ledger import PER_ONE, from_units

_GRAIN = Decimal("1E-8")


class Position:
    """`side` is BOTH (lots of either sign), LONG (never below 0) or SHORT (never above 0)."""

    __slots__ = ("asks", "bids", "carried", "cost", "isolated", "lots", "realized", "side", "update_time")

    def __init__(self, side: str) -> None:
        self.side = side
        self.lots = 0
        self.cost = 0  # units
        self.isolated = 0  # units of the wallet set aside for it, 0 when crossed
        self.realized = 0  # units since the account began, without commissions
        self.carried = 0  # units: commissions less profit since it was last flat; moves the break-even price
        self.bids = 0  # units: notional of the resting buys that may enlarge it
        self.asks = 0
        self.update_time = 0

    @property
    def is_idle(self) -> bool:
        return not (self.lots or self.bids or self.asks)

    def reducible(self, is_buy: bool) -> int:
        """The lots an order of this side may trade without enlarging or turning the position."""
        return max(0, -self.lots if is_buy else self.lots)

    def trade(self, lots: int, cost: int, commission: int) -> int:
        """Trade signed `lots` for the signed `cost`. Returns the profit realised, in units, commission not counted."""
        realized = 0
        if self.lots * lots < 0:
            closing = min(abs(lots), abs(self.lots))
            released = self.cost * closing // abs(self.lots)
            paid = cost * closing // abs(lots)  # exact: cost is price x lots
            self.isolated -= self.isolated * closing // abs(self.lots)
            realized = -(released + paid)
            self.cost -= released
            step = closing if lots > 0 else -closing
            self.lots += step
            lots, cost = lots - step, cost - paid
            self.carried = self.carried - realized if self.lots else 0
        self.lots += lots
        self.cost += cost
        self.realized += realized
        if self.lots:
            self.carried += commission
        return realized

    def entry_price(self, lot: Decimal) -> Decimal:
        """Average price of what is open, 0 when flat."""
        return self._per_base(self.cost, lot)

    def break_even_price(self, lot: Decimal) -> Decimal:
        return self._per_base(self.cost + self.carried, lot)

    def _per_base(self, units: int, lot: Decimal) -> Decimal:
        if not self.lots:
            return Decimal(0)
        return (from_units(units) / (self.lots * lot)).quantize(_GRAIN)


def value_at(lots: int, lot_units: int, mark: int) -> int:
    """Signed notional in units, of signed lots at a mark price in units per base unit. Towards zero."""
    size = abs(lots) * lot_units * mark // PER_ONE
    return size if lots >= 0 else -size
