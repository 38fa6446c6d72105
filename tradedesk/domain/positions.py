"""Positions, balances and P&L from the venue's own records: opening + fills + movements, nothing invented (5.3)."""

from decimal import Decimal

import msgspec
from msgspec import Struct

from tradedesk.domain.instruments import Instrument
from tradedesk.domain.orders import Fill
from tradedesk.domain.words import AccountId, InstrumentId, Side


class Balance(Struct, frozen=True, kw_only=True):
    """One asset of one account as the venue reported it."""

    asset: str
    free: Decimal
    locked: Decimal  # held by open orders

    @property
    def total(self) -> Decimal:
        return self.free + self.locked


class Position(Struct, frozen=True, kw_only=True):
    """One account's position in one instrument. Quantities in base units, money in quote units."""

    account: AccountId
    instrument: InstrumentId
    qty: Decimal  # signed; after fees taken in the base asset
    cost: Decimal | None  # what the present quantity cost, fees apart; None while the opening had no price
    realized: Decimal = Decimal(0)  # gain of what was closed, before fees
    fees: Decimal = Decimal(0)  # in quote units, at the price of the fill that caused them
    other_fees: tuple[tuple[str, Decimal], ...] = ()  # in a third asset: (asset, amount), not valued here
    has_unknown_fee: bool = False  # some fill's fee was never told

    @property
    def avg_px(self) -> Decimal | None:
        return self.cost / self.qty if self.cost is not None and self.qty else None


def would_open(side: Side, working: Decimal, qty: Decimal) -> bool:
    """Whether `working` base units on one side, filled in full, add to a position of `qty` or turn it."""
    return working > (qty if side is Side.Sell else -qty)


def opened(account: AccountId, instrument: InstrumentId, qty: Decimal, price: Decimal | None) -> Position:
    """The position the desk found at its first look: what was there, valued at the mark of that moment if there was one."""
    cost = Decimal(0) if qty == 0 else None if price is None else qty * price
    return Position(account=account, instrument=instrument, qty=qty, cost=cost)


def after_fill(position: Position, fill: Fill, instrument: Instrument) -> Position:
    """The position after one fill, by average cost; closing realises against the average, turning opens at the fill's price."""
    signed = fill.last_qty * fill.side.sign
    qty, cost, realized = _traded(position, signed, fill.last_px)
    fees, other, unknown = position.fees, position.other_fees, position.has_unknown_fee
    if fill.fee is None:
        unknown = True
    elif fill.fee.currency == instrument.quote:
        fees += fill.fee.amount
    elif fill.fee.currency == instrument.base:
        fees += fill.fee.amount * fill.last_px
        if cost is not None:  # the fee's base leaves at the fill's price, so the loss stands under fees alone
            cost -= fill.fee.amount * fill.last_px
        qty -= fill.fee.amount
        if qty == 0:  # the fee took the last of it: nothing is left that could cost anything
            realized, cost = realized - (cost or 0), Decimal(0)
    elif fill.fee.amount:
        sums = dict(other)
        sums[fill.fee.currency] = sums.get(fill.fee.currency, Decimal(0)) + fill.fee.amount
        other = tuple(sorted(sums.items()))
    return msgspec.structs.replace(
        position, qty=qty, cost=cost, realized=realized, fees=fees, other_fees=other, has_unknown_fee=unknown
    )


def _traded(position: Position, signed: Decimal, price: Decimal) -> tuple[Decimal, Decimal | None, Decimal]:
    qty, cost, realized = position.qty, position.cost, position.realized
    if qty == 0 or (qty > 0) == (signed > 0):  # opening or adding
        return qty + signed, None if cost is None else cost + signed * price, realized
    closing = min(abs(signed), abs(qty)) * (1 if signed > 0 else -1)
    if cost is not None:
        part = cost if abs(closing) == abs(qty) else cost * (-closing / qty)
        realized += -closing * price - part
        cost -= part
    rest = signed - closing
    if rest:  # turned: what is left opens anew
        return rest, rest * price, realized
    after = qty + closing
    return after, Decimal(0) if after == 0 else cost, realized


def unrealized(position: Position, mark: Decimal | None) -> Decimal | None:
    """Gain of the present quantity at `mark`, in quote units; None where cost or mark is not known."""
    if position.qty == 0:
        return Decimal(0)
    if position.cost is None or mark is None:
        return None
    return position.qty * mark - position.cost


def asset_changes(fill: Fill, instrument: Instrument) -> dict[str, Decimal]:
    """What one fill does to the account's assets, fee included where it is known."""
    changes = {
        instrument.base: fill.last_qty * fill.side.sign,
        instrument.quote: -fill.last_qty * fill.last_px * fill.side.sign,
    }
    if fill.fee is not None:
        changes[fill.fee.currency] = changes.get(fill.fee.currency, Decimal(0)) - fill.fee.amount
    return changes
