"""What the order manager is told and what it asks to be done."""

from decimal import Decimal

from msgspec import Struct

from tradedesk.domain.accounts import HaltLevel
from tradedesk.domain.commands import AmendOrder, CancelAll, CancelOrder, PlaceOrder, Settle
from tradedesk.domain.events import Event
from tradedesk.domain.gate import Approved, CancelTicket, Denied
from tradedesk.domain.orders import Fill, Order
from tradedesk.domain.outcomes import Answer, BalanceReport, MovementsAnswer, OrderReport, QueryAnswer, VenueState
from tradedesk.domain.scopes import Scope
from tradedesk.domain.words import ClientOrderId, InstrumentId, RequestId

# ---- messages ---------------------------------------------------------------------------------------------------------


class FillsAnswer(Struct, frozen=True, kw_only=True):
    """The fills of one order as the venue lists them, and the report that made us ask. `failed`: it did not answer."""

    client_order_id: ClientOrderId
    fills: tuple[Fill, ...]
    report: OrderReport | None
    failed: str | None = None


class Reconciliation(Struct, frozen=True, kw_only=True):
    """The venue's state of the account, with the marks of this moment for a first opening."""

    state: VenueState
    marks: dict[InstrumentId, Decimal]
    clock_offset: int = 0  # the venue's clock less ours, ns
    began: int | None = None  # the monotonic clock before the first question, ns; None where one clock is both

    @property
    def elapsed(self) -> int:
        """When the look began, by the clock that no step touches (F58)."""
        return self.state.taken_at if self.began is None else self.began


class HaltNow(Struct, frozen=True, kw_only=True):
    """A halt has latched: cancel what its level says, and keep at it."""

    level: HaltLevel
    by: str
    scope: Scope | None = None  # of some of the account's orders; None: of all


class HaltEnded(Struct, frozen=True, kw_only=True):
    """Re-armed: stop sweeping."""

    scope: Scope | None = None


class Tick(Struct, frozen=True, kw_only=True):
    """Time has passed; whatever waits for time looks at the clock."""


Message = (
    PlaceOrder
    | AmendOrder
    | CancelOrder
    | CancelAll
    | Approved
    | Denied
    | Answer
    | OrderReport
    | BalanceReport
    | QueryAnswer
    | FillsAnswer
    | MovementsAnswer
    | Settle
    | Reconciliation
    | HaltNow
    | HaltEnded
    | Tick
)

# ---- effects ----------------------------------------------------------------------------------------------------------


class Emit(Struct, frozen=True, kw_only=True):
    """Record the event if it is a durable one, and publish it."""

    event: Event


class Check(Struct, frozen=True, kw_only=True):
    """Ask the Gate about an order as it would be sent."""

    request_id: RequestId
    order: Order
    replaces: Order | None


class Send(Struct, frozen=True, kw_only=True):
    """Send what the Gate approved, once its record is durable."""

    approved: Approved


class SendCancel(Struct, frozen=True, kw_only=True):
    """Send a cancel; it waits for no disk."""

    ticket: CancelTicket


class Ask(Struct, frozen=True, kw_only=True):
    """Ask the venue for one order by our id."""

    order: Order


class AskFills(Struct, frozen=True, kw_only=True):
    """Ask the venue for the fills of one order, and hand `report` back with them."""

    order: Order
    report: OrderReport | None


class AskMovements(Struct, frozen=True, kw_only=True):
    """Ask the venue's ledger what moved since `since` (venue clock, ns)."""

    since: int


class AskState(Struct, frozen=True, kw_only=True):
    """Reconcile now. `is_for_a_sweep`: it waits to see that the venue shows none of ours, ahead of all but cancels."""

    is_for_a_sweep: bool = False


class Quarantine(Struct, frozen=True, kw_only=True):
    """Block the account: the venue contradicts itself or us, or the key is refused. A person must look."""

    reason: str


Effect = Emit | Check | Send | SendCancel | Ask | AskFills | AskMovements | AskState | Quarantine
