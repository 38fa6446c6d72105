"""What an operator wants. A command carries its operator and its deadline; client order ids are made by who asks."""

from decimal import Decimal

from msgspec import Struct

from tradedesk.domain.accounts import HaltLevel
from tradedesk.domain.gate import Answer
from tradedesk.domain.scopes import Scope
from tradedesk.domain.words import (
    AccountId,
    ClientOrderId,
    InstrumentId,
    OperatorId,
    OrderType,
    Side,
    TimeInForce,
)


class PlaceOrder(Struct, frozen=True, kw_only=True, tag=True):
    """One new order on one account. A ticket over several accounts is one of these each, with the same `block`."""

    account: AccountId
    client_order_id: ClientOrderId
    instrument: InstrumentId
    side: Side
    order_type: OrderType
    time_in_force: TimeInForce = TimeInForce.GoodTillCancel
    order_qty: Decimal  # base units
    price: Decimal | None = None  # quote units per base unit; None for market orders
    post_only: bool = False
    reduce_only: bool = False
    block: str | None = None
    confirm: str | None = None  # why what the Gate only asks about (a repeated order, say) is meant
    is_risk: bool = False  # its operator has the role risk; said by the desk, whatever came
    operator: OperatorId
    deadline: int  # ns since the epoch: not sent after this


class AmendOrder(Struct, frozen=True, kw_only=True, tag=True):
    """Change quantity or price of an open order. `order_qty` is the new total, what is filled included.

    Made smaller where it stands if the venue can and nothing else changes; else cancelled and replaced.
    """

    account: AccountId
    client_order_id: ClientOrderId  # of the order to change
    new_client_order_id: ClientOrderId  # of the order that takes its place where the venue cannot amend in place
    order_qty: Decimal
    price: Decimal
    confirm: str | None = None  # as of PlaceOrder: a reason given for the order itself is none for its change
    is_risk: bool = False
    operator: OperatorId
    deadline: int


class CancelOrder(Struct, frozen=True, kw_only=True, tag=True):
    account: AccountId
    client_order_id: ClientOrderId
    operator: OperatorId


class CancelAll(Struct, frozen=True, kw_only=True, tag=True):
    """Every order of ours on the account, or on one of its instruments or sides; external orders are never touched.

    Swept until none of them is in flight or open, with a receipt (`CancelSwept`). `account` None: on every account that
    the operator may trade.
    """

    account: AccountId | None = None
    instrument: InstrumentId | None = None
    side: Side | None = None
    operator: OperatorId


class HaltTrading(Struct, frozen=True, kw_only=True, tag="Halt"):
    """Stop one account, another scope, or the whole desk where neither is named. It holds until a person re-arms it."""

    account: AccountId | None
    scope: Scope | None = None
    level: HaltLevel = HaltLevel.CancelOpening
    reason: str
    operator: OperatorId


class Rearm(Struct, frozen=True, kw_only=True, tag=True):
    account: AccountId | None
    scope: Scope | None = None
    reason: str
    operator: OperatorId


class AcknowledgeAlert(Struct, frozen=True, kw_only=True, tag=True):
    key: str  # of the alert, or of what caused several
    note: str = ""
    operator: OperatorId


class SnoozeAlert(Struct, frozen=True, kw_only=True, tag=True):
    """Put an alert off: until then it asks nobody, unless it becomes worse."""

    key: str  # of the alert, or of what caused several
    until: int  # ns since the epoch
    note: str = ""
    operator: OperatorId


class Reconcile(Struct, frozen=True, kw_only=True, tag=True):
    """Compare one account with its venue now."""

    account: AccountId
    operator: OperatorId


class Settle(Struct, frozen=True, kw_only=True, tag=True):
    """Take a difference that nothing explains into the books, as it stands: the operator's recorded decision."""

    account: AccountId
    key: str  # of the WorkItem
    note: str  # why
    operator: OperatorId


class AcceptKeyRisk(Struct, frozen=True, kw_only=True, tag=True):
    """Let the account trade with a key that can withdraw or transfer: the risk role's recorded decision, for this key."""

    account: AccountId
    fingerprint: str  # of the key, as its report has it
    reason: str
    operator: OperatorId


class RotateKey(Struct, frozen=True, kw_only=True, tag=True):
    """Test the key that waits in the vault, and go on with it instead of the one in use."""

    account: AccountId
    operator: OperatorId


class LockVault(Struct, frozen=True, kw_only=True, tag=True):
    """Forget the key of the desk's vault; accounts go on with what they have. Opening it again is no command: see wire."""

    operator: OperatorId


class GoLive(Struct, frozen=True, kw_only=True, tag=True):
    """Let an account of mode live trade with the key it has now. Takes a second person where desk.toml wants one."""

    account: AccountId
    reason: str
    operator: OperatorId


class Approve(Struct, frozen=True, kw_only=True, tag=True):
    """Let go on, as a second person, what somebody else asked for."""

    id: str  # of the ApprovalAsked
    note: str = ""
    operator: OperatorId


class SwitchExit(Struct, frozen=True, kw_only=True, tag=True):
    """Leave by another of the account's exits from now on. With the one in use: accept the address it is seen at anew."""

    account: AccountId
    exit: str | None = None  # as in desk.toml; None: the one that is not in use
    reason: str
    operator: OperatorId


class SetLimits(Struct, frozen=True, kw_only=True, tag=True):
    """Change one figure of an account's limits, of a group's, or of the desk's where neither is named."""

    account: AccountId | None = None
    group: str | None = None
    instrument: InstrumentId | None = None
    figure: str  # as in desk.toml
    value: str | None = None  # None: as desk.toml says
    until: int | None = None  # ns since the epoch: an exception that ends by itself then; None: it stays
    reason: str
    operator: OperatorId


class ApproveMandate(Struct, frozen=True, kw_only=True, tag=True):
    """Put an account's mandate in force as desk.toml has it: the risk role's recorded yes to these words."""

    account: AccountId
    version: int
    reason: str
    operator: OperatorId


class Offboard(Struct, frozen=True, kw_only=True, tag=True):
    """Let an account go for good: its worker ends and its key is no longer held. Refused while anything of it is open."""

    account: AccountId
    with_holdings: bool = False  # what a spot account holds is the client's, and no position to be closed first
    reason: str
    operator: OperatorId


Command = (
    PlaceOrder | AmendOrder | CancelOrder | CancelAll | HaltTrading | Rearm | AcknowledgeAlert | SnoozeAlert | Reconcile | Settle
    | GoLive | Approve | SwitchExit | AcceptKeyRisk | RotateKey | LockVault | Offboard
    | SetLimits | ApproveMandate
)  # fmt: skip


class Submitted(Struct, frozen=True, kw_only=True, tag=True, omit_defaults=True):
    """The command is on its way; what comes of it arrives as events."""

    client_order_id: ClientOrderId | None = None
    accounts: tuple[AccountId, ...] = ()  # of a cancel-all: those that took it
    shortfall: tuple[str, ...] = ()  # and why others did not
    approval: str | None = None  # the ApprovalAsked it waits for: a second person must approve


class NotSubmitted(Struct, frozen=True, kw_only=True, tag="Refused"):
    """The command went nowhere: not allowed, unknown account, queue full. `reason` says what and what to do."""

    reason: str


class Verdict(Struct, frozen=True, kw_only=True):
    """What the Gate would say to one account's order now. It reserves nothing."""

    account: AccountId
    instrument: InstrumentId
    order_qty: Decimal  # rounded down to the lot
    remainder: Decimal  # what rounding took away
    price: Decimal | None
    notional: Decimal | None  # quote units, at the price or, for a market order, the touch
    denials: tuple[str, ...]
    answers: tuple[Answer, ...] = ()  # of every rule that was asked, those that passed too
