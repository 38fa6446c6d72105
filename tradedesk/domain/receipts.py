"""The receipt of a kill: what it found, what it cancelled, and what the venue showed of it, account by account."""

from enum import StrEnum

from msgspec import Struct

from tradedesk.domain.accounts import HaltLevel
from tradedesk.domain.scopes import Scope
from tradedesk.domain.words import AccountId, ClientOrderId, InstrumentId, OperatorId, Side, VenueOrderId

MOST_ORDERS = 1_000  # of one account, in a receipt; the counts are of all


class Outcome(StrEnum):
    """How a kill ended for one account."""

    Clear = "clear"  # the venue shows nothing that the level would cancel, and nothing can arrive any more
    Open = "open"  # it was reached, and when the time was up something was still open or not known
    Unreachable = "unreachable"  # its venue never told what is open


class OrderEnd(StrEnum):
    """What became of one order that a kill found open."""

    Cancelled = "cancelled"
    Ended = "ended"  # otherwise, filled or expired, before a cancel reached it
    Open = "open"  # still there when it was last seen
    Left = "left"  # protective: the level leaves it working
    External = "external"  # of other software, and nobody asked for those


class FoundOrder(Struct, frozen=True, kw_only=True):
    """One order at the venue as a kill found it, and how it ended."""

    client_order_id: ClientOrderId
    venue_order_id: VenueOrderId
    instrument: InstrumentId
    side: Side | None
    end: OrderEnd
    at: int  # venue clock, ns: when the venue said so


class AccountReceipt(Struct, frozen=True, kw_only=True):
    """One account of a kill."""

    account: AccountId
    outcome: Outcome
    is_blocked: bool  # its halt is latched on disk
    cancelled: int = 0
    ended: int = 0
    still_open: int = 0
    left: int = 0
    external: int = 0
    is_flat: bool | None = None  # nothing is held that could be traded away; None: not known
    held: tuple[str, ...] = ()  # what is, in words: "0.5 BTC"
    confirmed_at: int | None = None  # venue clock, ns: of the look that shows all this; None without one
    exit: str = ""  # the last one that was taken
    exits_failed: tuple[str, ...] = ()  # those that were given up for another, and why
    entry: str = ""  # of the vault: whose key it came with
    why: str = ""  # it is not clear, or not flat though that was asked
    took_ms: int = 0
    orders: tuple[FoundOrder, ...] = ()


class KillReceipt(Struct, frozen=True, kw_only=True):
    """What one kill did. Kept as a file beside the journal, and recorded by the desk once it looks."""

    id: str  # the moment and the process: 20261124T120000Z-1234
    desk: str
    by: OperatorId
    reason: str
    level: HaltLevel
    started_at: int  # ns
    took_ms: int
    accounts: tuple[AccountReceipt, ...]
    journal: str = ""  # why the desk's journal could not be read; "" if it was
    latch: str = ""  # why a halt may not be durable; "" if all are
    scope: Scope | None = None  # what was killed; None: the accounts that are named, or all of them
    beat: str | None = None  # of a watchdog: the desk's last sign of life, by process and number

    @property
    def is_complete(self) -> bool:
        """Whether every account is blocked and clear, and flat where that was asked."""
        return all(
            row.is_blocked
            and row.outcome is Outcome.Clear
            and (self.level is not HaltLevel.Flatten or row.is_flat is True)
            for row in self.accounts
        )
