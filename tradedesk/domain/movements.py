"""What changes a balance and is no fill: deposits, withdrawals, transfers, fees, interest, dividends, corrections.

Read from the venue's own ledger, so that balances tie to the last digit and P&L knows a deposit from a gain (5.3).
"""

from decimal import Decimal
from enum import StrEnum

from msgspec import Struct

from tradedesk.domain.words import AccountId


class MovementKind(StrEnum):
    Deposit = "deposit"
    Withdrawal = "withdrawal"
    Transfer = "transfer"  # to or from another wallet or account of the same client
    Fee = "fee"
    Interest = "interest"
    Dividend = "dividend"  # whatever the venue hands out or takes back by itself
    Conversion = "conversion"  # of small balances into another asset
    Accepted = "accepted"  # a difference that nothing explains, which an operator took into the books


CAPITAL = frozenset((MovementKind.Deposit, MovementKind.Withdrawal, MovementKind.Transfer, MovementKind.Accepted))
"""Neither gain nor loss: the rest is."""


class Movement(Struct, frozen=True, kw_only=True):
    """One line of the venue's ledger."""

    account: AccountId
    asset: str
    amount: Decimal  # signed
    kind: MovementKind
    movement_id: str  # the venue's; one movement per account, kind, asset and id, however often it is read
    transact_time: int  # venue clock, ns: when it changed the balance

    @property
    def key(self) -> tuple[str, str, str]:
        return (self.kind.value, self.asset, self.movement_id)
