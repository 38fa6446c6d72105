"""What an adapter may answer, and what the venue tells of its own accord, in the desk's words. Proof or nothing (5.2)."""

from decimal import Decimal

from msgspec import Struct

from tradedesk.domain.instruments import Instrument
from tradedesk.domain.movements import Movement
from tradedesk.domain.orders import Fill, OrdStatus
from tradedesk.domain.positions import Balance
from tradedesk.domain.profile import SeenProfile
from tradedesk.domain.words import AccountId, ClientOrderId, InstrumentId, RequestId, Side, VenueOrderId


class OrderReport(Struct, frozen=True, kw_only=True):
    """What the venue says of one order: in an answer, on the private stream, or asked for. Absent fields are None."""

    client_order_id: ClientOrderId  # the order's own, also in the report of a cancel
    venue_order_id: VenueOrderId
    instrument: InstrumentId
    side: Side | None
    order_qty: Decimal | None
    price: Decimal | None
    ord_status: OrdStatus | None  # None: a thin answer proves that the order was there, not how it stands
    cum_qty: Decimal | None
    transact_time: int  # venue clock, ns
    fill: Fill | None = None
    reason: str | None = None  # cleaned text of the venue
    renamed_from: ClientOrderId | None = None  # the id it had before, where this tells that it has another now
    triggered_by: ClientOrderId | None = None  # the stop that became this order, where the venue tells


class Acknowledged(Struct, frozen=True, kw_only=True):
    """The venue took the request and named our order. `fills` are those the answer carried."""

    request_id: RequestId
    report: OrderReport | None  # None for a cancel answered with nothing but ids: how the order ended is asked
    fills: tuple[Fill, ...] = ()


class Refused(Struct, frozen=True, kw_only=True):
    """The venue proved that it did not do it, by a code on the list of proofs."""

    request_id: RequestId
    code: int
    text: str  # the venue's, cleaned
    is_auth: bool = False  # the key, its address or its rights: lock the account (F28)


class Unproven(Struct, frozen=True, kw_only=True):
    """Nothing was proved. `cause` names it without any secret or URL."""

    request_id: RequestId
    cause: str


class NotSent(Struct, frozen=True, kw_only=True):
    """The last check stopped it before a byte left: halt, deadline, lease. A proof as good as the Gate's no."""

    request_id: RequestId
    reason: str


class ReplaceOutcome(Struct, frozen=True, kw_only=True):
    """Both legs of a cancel-and-replace, each with its own proof (F23). `new` is None where it was not attempted."""

    request_id: RequestId
    cancel: "Acknowledged | Refused | Unproven"
    new: "Acknowledged | Refused | Unproven | None"


Answer = Acknowledged | Refused | Unproven | NotSent | ReplaceOutcome


class QueryAnswer(Struct, frozen=True, kw_only=True):
    """What the venue says when asked for one order by our id. `report` None: it says there is none (now)."""

    client_order_id: ClientOrderId
    report: OrderReport | None
    failed: str | None = None  # the question itself was not answered; proves nothing


class VenueState(Struct, frozen=True, kw_only=True):
    """One account as the venue shows it, for reconciliation. Fills are oldest first."""

    account: AccountId
    open_orders: tuple[OrderReport, ...]
    fills: tuple[Fill, ...]
    balances: tuple[Balance, ...]
    taken_at: int  # our clock, ns, before the first question
    venue_time: (
        int  # the venue's clock, ns, as it told it after that and before the rest: no measured offset is so exact
    )
    profile: SeenProfile | None = None  # how the account is set; None: not read


class MovementsAnswer(Struct, frozen=True, kw_only=True):
    """What the venue's ledger says moved, oldest first. `failed`: it could not be read, which explains nothing."""

    movements: tuple[Movement, ...]
    failed: str | None = None


class MoneyMoved(Struct, frozen=True, kw_only=True):
    """The private stream says that a balance changed by something that is no trade; its ledger says what."""

    asset: str


class StreamState(Struct, frozen=True, kw_only=True):
    """The private stream came up, went down or lost something."""

    is_up: bool
    cause: str = ""


class BalanceReport(Struct, frozen=True, kw_only=True):
    """Balances after a change; only the assets named."""

    balances: tuple[Balance, ...]
    at: int  # venue clock, ns


class VenueInfo(Struct, frozen=True, kw_only=True):
    """What a venue's adapter can do and how long doubt lasts. All in ms."""

    receive_window_ms: int  # how long after it left the venue may still take an order, stamped ahead or not
    engine_timeout_ms: int  # how long the venue itself may sit on it
    query_lag_ms: int  # how far its queries may run behind
    has_native_amend: bool  # a limit order can be made smaller where it stands; anything else cancels and replaces
    dead_man: str  # "none", or what there is
    instruments: tuple[Instrument, ...]
