"""What happened. Events are the only way state leaves its owner: journalled, folded, published, shown.

Every event names its time (`at`, our clock, ns since the epoch, UTC) and its source (`worker:acme`, `desk`,
`feed:binance`, `system:risk`). Those in DURABLE are written to the journal; the rest can be read anew from the venue.
"""

from decimal import Decimal

import msgspec
from msgspec import Struct

from tradedesk.domain.accounts import Account, AccountState, HaltLevel
from tradedesk.domain.alerts import Alert
from tradedesk.domain.commands import Verdict
from tradedesk.domain.findings import Finding
from tradedesk.domain.instruments import Candle, FeedState, Instrument, PublicTrade
from tradedesk.domain.keys import AcceptedRisk, KeyReport
from tradedesk.domain.mandate import ApprovedMandate
from tradedesk.domain.orders import Fill, Happening, Order, Request, RequestState
from tradedesk.domain.positions import Balance
from tradedesk.domain.profile import SeenProfile
from tradedesk.domain.receipts import KillReceipt
from tradedesk.domain.scopes import Scope
from tradedesk.domain.words import (
    AccountId,
    ClientOrderId,
    InstrumentId,
    OperatorId,
    RequestId,
    Side,
    VenueId,
    VenueOrderId,
)


class EventBase(Struct, frozen=True, kw_only=True, tag=True):
    at: int
    source: str


class OrderPlaced(EventBase, frozen=True, kw_only=True):
    """An order exists: an intent of ours (with its New request pending), or one of other software seen at the venue."""

    order: Order


class RequestMade(EventBase, frozen=True, kw_only=True):
    """A cancel or replace was asked for."""

    account: AccountId
    client_order_id: ClientOrderId
    request: Request


class RequestDecided(EventBase, frozen=True, kw_only=True):
    account: AccountId
    client_order_id: ClientOrderId
    request_id: RequestId
    state: RequestState
    reasons: tuple[str, ...] = ()


class OrderMoved(EventBase, frozen=True, kw_only=True):
    """Something the venue or our Gate proved about an order, fills apart."""

    account: AccountId
    client_order_id: ClientOrderId
    happening: Happening
    venue_order_id: VenueOrderId | None = None
    reason: str | None = None


class OrderChanged(EventBase, frozen=True, kw_only=True):
    """The venue has an order otherwise than before: smaller, under another client order id, or as the child of a stop.

    What is None is as it was.
    """

    account: AccountId
    client_order_id: ClientOrderId
    order_qty: Decimal | None = None
    known_as: ClientOrderId | None = None
    triggered_by: ClientOrderId | None = None


class OrderFilled(EventBase, frozen=True, kw_only=True):
    """A fill, applied once. Its order may be unknown to us: the position moves all the same."""

    fill: Fill


class Opening(Struct, frozen=True, kw_only=True):
    """What one account held when the desk first looked."""

    asset: str
    amount: Decimal


class AccountOpened(EventBase, frozen=True, kw_only=True):
    """The desk's first reconciliation of an account: the amounts everything later is counted from, and their marks."""

    account: AccountId
    openings: tuple[Opening, ...]
    marks: dict[InstrumentId, Decimal]  # where a market was known at that moment
    trades_from: int  # venue clock, ns: fills before this belong to the opening


class MovementSeen(EventBase, frozen=True, kw_only=True):
    """A balance changed by something that is no fill: a deposit, a fee, a transfer. Applied once (domain.movements)."""

    account: AccountId
    asset: str
    amount: Decimal  # signed
    kind: str  # a MovementKind
    movement_id: str = ""
    transact_time: int = 0  # venue clock, ns
    by: OperatorId | None = None  # who took an unexplained difference into the books, and why
    note: str = ""


class WorkItem(Struct, frozen=True, kw_only=True):
    """One difference between the desk and the venue that waits: for the venue's answer, or for an operator's decision."""

    key: str  # balance:USDT, order:ID: the same as long as it is the same difference
    ours: str
    venues: str
    cause: str  # the likely one, in words
    repair: str  # what is proposed, or what is under way
    needs_decision: bool  # an operator must settle it; until then the account opens no new risk


class Reconciled(EventBase, frozen=True, kw_only=True):
    """The account was compared with its venue; `differences` in words, those repaired marked as such."""

    account: AccountId
    differences: tuple[str, ...]
    worklist: tuple[WorkItem, ...] = ()  # what remains
    looked_at: int = 0  # venue clock, ns, before the look's first question; what is said later of it keeps its time


class HaltSet(EventBase, frozen=True, kw_only=True):
    account: AccountId | None
    level: HaltLevel
    by: OperatorId
    reason: str
    scope: Scope | None = None  # of another than an account's or the desk's


class HaltSwept(EventBase, frozen=True, kw_only=True):
    """The receipt of a halt: what it cancelled, and that the venue shows none of ours and no request is unknown."""

    account: AccountId
    cancelled: int
    left: int  # orders that the level leaves working
    took_ms: int
    scope: Scope | None = None  # of a halt that is about a part of the account's orders


class CancelSwept(EventBase, frozen=True, kw_only=True):
    """The receipt of a cancel-all: every order it found is dead, and the venue shows none of them."""

    account: AccountId
    instrument: InstrumentId | None
    side: Side | None
    by: OperatorId
    cancelled: int
    ended: int  # otherwise: filled, expired, never arrived before the cancel
    left: int  # still shown by the venue though it said they had ended; 0 unless the venue contradicts itself
    took_ms: int


class Rearmed(EventBase, frozen=True, kw_only=True):
    account: AccountId | None
    by: OperatorId
    reason: str
    scope: Scope | None = None


class AlertRaised(EventBase, frozen=True, kw_only=True):
    alert: Alert


class AlertEnded(EventBase, frozen=True, kw_only=True):
    """The cause is gone; the row stays until it is acknowledged."""

    key: str


class AlertAcknowledged(EventBase, frozen=True, kw_only=True):
    key: str
    by: OperatorId
    note: str


class AlertSnoozed(EventBase, frozen=True, kw_only=True):
    """Put off by a person: until then it asks nobody, unless it becomes worse."""

    key: str
    by: OperatorId
    until: int  # ns
    note: str


class AlertSnoozeEnded(EventBase, frozen=True, kw_only=True):
    """Where its cause still stands it asks for a person anew."""

    key: str


class AlertEscalated(EventBase, frozen=True, kw_only=True):
    """Nobody acknowledged it in time, so everybody is told."""

    key: str
    times: int  # how often by now
    waited_ms: int  # since it was first raised


class AlertDelivered(EventBase, frozen=True, kw_only=True):
    """How long an alert took from its cause to one receiver."""

    to: str  # alerts.STREAM, or a name under [alerts]
    late_ms: int


class InstrumentListed(EventBase, frozen=True, kw_only=True):
    """An instrument as the venue describes it now. Durable, so that a restart can read its fills with the venue away."""

    instrument: Instrument


class KillRecorded(EventBase, frozen=True, kw_only=True):
    """A kill, of a process beside this desk or while none ran: its receipt, as the desk found it."""

    receipt: KillReceipt


class AccountOffboarded(EventBase, frozen=True, kw_only=True):
    """The account left the desk: nothing of it was open, its worker ended, and its key is forgotten next."""

    account: AccountId
    by: OperatorId
    reason: str
    held: tuple[str, ...] = ()  # what went with the client, in words


class OperatorAttached(EventBase, frozen=True, kw_only=True):
    """Somebody proved to be this operator, and may give commands until they leave.

    `unrecorded` is how often the same happened since the last record, too fast to note each.
    """

    operator: OperatorId
    uid: int  # of the machine's user they came as
    unrecorded: int = 0


class OperatorLeft(EventBase, frozen=True, kw_only=True):
    operator: OperatorId
    uid: int


class LoginRefused(EventBase, frozen=True, kw_only=True):
    """Somebody of this machine's user `uid` was not let in under a name, which may be nobody's."""

    operator: OperatorId
    uid: int
    why: str
    unrecorded: int = 0


class CommandRefused(EventBase, frozen=True, kw_only=True):
    """An operator asked for something that they may not do. What the desk could not do at the time is none of these."""

    operator: OperatorId
    command: str  # its kind: PlaceOrder, Rearm, ...
    account: AccountId | None
    why: str
    unrecorded: int = 0


class ApprovalAsked(EventBase, frozen=True, kw_only=True):
    """A command that waits for a second person. It is carried out when one approves, and dies at `expires_at`."""

    id: str
    kind: str  # rearm-breach, raise-limits, live
    account: AccountId | None
    by: OperatorId
    what: str  # in words: what would be done, and why
    command: str  # as JSON, the way it stands on the control socket
    about: str  # what it was asked about, e.g. which halt: if that has changed, it is another question
    expires_at: int  # ns


class ApprovalGiven(EventBase, frozen=True, kw_only=True):
    id: str
    kind: str
    account: AccountId | None
    asked_by: OperatorId
    by: OperatorId
    note: str


class ApprovalEnded(EventBase, frozen=True, kw_only=True):
    """Nobody approved in time, or what it was about has changed."""

    id: str
    account: AccountId | None
    why: str


class LiveApproved(EventBase, frozen=True, kw_only=True):
    """Two persons let an account trade live with this key. Another key takes another approval."""

    account: AccountId
    key: str  # its fingerprint
    by: OperatorId
    approved_by: OperatorId


class LimitsSet(EventBase, frozen=True, kw_only=True):
    """A figure of somebody's limits was changed while the desk runs: of an account, a group, or the desk (neither)."""

    account: AccountId | None
    group: str | None
    instrument: InstrumentId | None
    figure: str
    value: str | None  # None: as desk.toml says
    before: str | None  # in this very scope
    until: int | None = None  # ns: an exception, over before then where the figure is set anew; None: it stays
    by: OperatorId
    reason: str


class LimitPassed(EventBase, frozen=True, kw_only=True):
    """The Gate asked about an order, and its operator passed what it asked with a reason: which limits, by how much."""

    account: AccountId
    client_order_id: ClientOrderId
    limits: tuple[str, ...]  # the Gate's words: value, limit, whose it is
    by: OperatorId
    reason: str


class LimitExceptionEnded(EventBase, frozen=True, kw_only=True):
    """The time of an exception (a LimitsSet with an end) was over: what held before it holds again."""

    account: AccountId | None
    group: str | None
    instrument: InstrumentId | None
    figure: str
    value: str | None  # the exception's
    by: OperatorId  # who had set it


class ExitSwitched(EventBase, frozen=True, kw_only=True):
    """An operator chose by which of its exits the account leaves; with the one in use, accepted its address anew."""

    account: AccountId
    exit: str  # as in desk.toml, never with a password
    by: OperatorId
    reason: str


class ExitProved(EventBase, frozen=True, kw_only=True):
    """The account's exit was seen from outside, or by its own socket, and is the one it has to be."""

    account: AccountId
    exit: str
    seen: str | None  # the address; None where only the way there could be shown
    how: str  # venue, echo HOST or socket


class ExitRefused(EventBase, frozen=True, kw_only=True):
    """The exit could not be proved, or is not the one it has to be: no new order leaves by it."""

    account: AccountId
    exit: str
    seen: str | None
    how: str
    reason: str


class KeyChecked(EventBase, frozen=True, kw_only=True):
    """The venue was asked about the account's key, and what it told was judged. One finding that fails: no new order."""

    account: AccountId
    report: KeyReport
    findings: tuple[Finding, ...]


class KeyRiskAccepted(EventBase, frozen=True, kw_only=True):
    """An operator let an account trade with a key that can move money. Good for this very key alone."""

    account: AccountId
    risk: AcceptedRisk


class MandateApproved(EventBase, frozen=True, kw_only=True):
    """An operator approved what may be done for the client, as it stands in the record. Other words take another yes."""

    account: AccountId
    approved: ApprovedMandate


class ProfileChecked(EventBase, frozen=True, kw_only=True):
    """The account's settings at the venue were compared with what they must be. One difference: only what reduces may go."""

    account: AccountId
    seen: SeenProfile
    differences: tuple[str, ...] = ()


class DayMarked(EventBase, frozen=True, kw_only=True):
    """The day's P&L so far, so that a restart forgets neither its begin nor its peak. Reporting currency (domain.day).

    Of an account, a group, or the desk (neither).
    """

    account: AccountId | None
    group: str | None
    day: int  # days since the epoch, UTC
    start: Decimal
    peak: Decimal
    net: Decimal


class KeyRotated(EventBase, frozen=True, kw_only=True):
    """The account signs with another key of its own from now on; the old one is forgotten."""

    account: AccountId
    old_fingerprint: str
    new_fingerprint: str
    by: OperatorId


class KeyKept(EventBase, frozen=True, kw_only=True):
    """Another key was put in and not taken: the account goes on with the one it has."""

    account: AccountId
    reason: str
    by: OperatorId


# ---- not durable: read anew after a restart -------------------------------------------------------------------------


class DeskStarted(EventBase, frozen=True, kw_only=True):
    desk: str
    version: str
    pid: int
    reporting_currency: str


class AccountListed(EventBase, frozen=True, kw_only=True):
    account: Account


class AccountChanged(EventBase, frozen=True, kw_only=True):
    account: AccountId
    state: AccountState
    reason: str = ""


class AccountHealth(EventBase, frozen=True, kw_only=True):
    """How an account's connection does, about once a second. Latencies are of the newest order, ms; None before one."""

    account: AccountId
    is_stream_up: bool
    stream_age_ms: int | None
    ack_ms: Decimal | None
    clock_offset_ms: int | None
    mailbox: int  # messages waiting
    exit_seen: str | None = None  # the address the connection really left by, as the socket says


class BalancesRead(EventBase, frozen=True, kw_only=True):
    account: AccountId
    balances: tuple[Balance, ...]
    is_complete: bool  # whether assets not named are zero


class FeedChanged(EventBase, frozen=True, kw_only=True):
    instrument: InstrumentId
    state: FeedState
    reason: str = ""


class BookFrame(EventBase, frozen=True, kw_only=True):
    """The top of the book, conflated: at most some ten a second, the latest wins."""

    instrument: InstrumentId
    bids: tuple[tuple[Decimal, Decimal], ...]  # (price, quantity), best first
    asks: tuple[tuple[Decimal, Decimal], ...]
    received_at: int  # our clock, ns, of the newest message in it
    state: FeedState


class TapeFrame(EventBase, frozen=True, kw_only=True):
    """Prints since the last frame, oldest first; `skipped` were more than a frame holds."""

    instrument: InstrumentId
    trades: tuple[PublicTrade, ...]
    skipped: int = 0


class CandleFrame(EventBase, frozen=True, kw_only=True):
    """Candles of one minute: the whole history where `is_full`, else those that changed since the last frame."""

    instrument: InstrumentId
    candles: tuple[Candle, ...]
    is_full: bool


class LogWritten(EventBase, frozen=True, kw_only=True):
    level: str  # info, warning, error
    event: str
    text: str


class PreviewMade(EventBase, frozen=True, kw_only=True):
    request_id: RequestId
    verdict: Verdict


class Heartbeat(EventBase, frozen=True, kw_only=True):
    """Once a second, so that a screen can tell a quiet desk from a dead one."""

    watchdog_at: int | None = None  # ns: when a watchdog of this desk was last seen to look; None: not since it started


class SubmissionRefused(EventBase, frozen=True, kw_only=True):
    """A command that went nowhere, told to the operator who gave it."""

    operator: OperatorId
    what: str
    reason: str


class VenueListed(EventBase, frozen=True, kw_only=True):
    venue: VenueId
    exchange: str
    is_live: bool


# ---- of a checkpoint: never recorded, never published ----------------------------------------------------------------


class DeskKept(EventBase, frozen=True, kw_only=True):
    """Stands in a replay for all events before it: what the desk's fold had made of them (a Snapshot, msgpack)."""

    state: bytes


class AccountKept(EventBase, frozen=True, kw_only=True):
    """The same of one account's books, which hold more of their account than the desk does (an AccountState, msgpack)."""

    account: AccountId
    state: bytes


DurableEvent = (
    OrderPlaced
    | RequestMade
    | RequestDecided
    | OrderMoved
    | OrderChanged
    | OrderFilled
    | AccountOpened
    | MovementSeen
    | Reconciled
    | HaltSet
    | HaltSwept
    | CancelSwept
    | Rearmed
    | AlertRaised
    | AlertEnded
    | AlertAcknowledged
    | AlertSnoozed
    | AlertSnoozeEnded
    | AlertEscalated
    | InstrumentListed
    | KillRecorded
    | AccountOffboarded
    | OperatorAttached
    | OperatorLeft
    | LoginRefused
    | CommandRefused
    | ApprovalAsked
    | ApprovalGiven
    | ApprovalEnded
    | LiveApproved
    | ExitSwitched
    | ExitProved
    | ExitRefused
    | KeyChecked
    | KeyRiskAccepted
    | MandateApproved
    | ProfileChecked
    | DayMarked
    | KeyRotated
    | KeyKept
    | LimitsSet
    | LimitExceptionEnded
    | LimitPassed
)
LiveEvent = (
    DeskStarted
    | VenueListed
    | AccountListed
    | AccountChanged
    | AccountHealth
    | BalancesRead
    | FeedChanged
    | BookFrame
    | TapeFrame
    | CandleFrame
    | LogWritten
    | PreviewMade
    | Heartbeat
    | SubmissionRefused
    | AlertDelivered
)
Kept = DeskKept | AccountKept
Event = DurableEvent | LiveEvent | Kept

DURABLE: tuple[type, ...] = (
    OrderPlaced, RequestMade, RequestDecided, OrderMoved, OrderChanged, OrderFilled, AccountOpened, MovementSeen,
    Reconciled, HaltSet, HaltSwept, CancelSwept, Rearmed, AlertRaised, AlertEnded, AlertAcknowledged, InstrumentListed,
    AlertSnoozed, AlertSnoozeEnded, AlertEscalated,
    KillRecorded, AccountOffboarded,
    OperatorAttached, OperatorLeft, LoginRefused, CommandRefused, ApprovalAsked, ApprovalGiven, ApprovalEnded,
    LiveApproved,
    ExitSwitched, ExitProved, ExitRefused,
    KeyChecked, KeyRiskAccepted, MandateApproved, ProfileChecked, DayMarked,
    KeyRotated, KeyKept,
    LimitsSet, LimitExceptionEnded, LimitPassed,
)  # fmt: skip


def account_of(event: Event) -> AccountId | None:
    """The account an event belongs to; None for those of the desk and of markets."""
    match event:
        case OrderPlaced():
            return event.order.account
        case OrderFilled():
            return event.fill.account
        case AlertRaised():
            return event.alert.account
        case AccountListed():
            return event.account.id
        case PreviewMade():
            return event.verdict.account
        case _:
            return getattr(event, "account", None)


durable_decoder = msgspec.msgpack.Decoder(DurableEvent)
