"""Orders, their requests, and the one table that says which happening moves which state where (DESIGN 6)."""

from decimal import Decimal
from enum import StrEnum

import msgspec
from msgspec import Struct

from tradedesk.domain.money import Money
from tradedesk.domain.words import (
    AccountId,
    ClientOrderId,
    InstrumentId,
    OperatorId,
    OrderType,
    RequestId,
    Side,
    TimeInForce,
    VenueOrderId,
)


class OrdStatus(StrEnum):
    """What is proved of an order (FIX tag 39), and our two ends of an order the venue never had."""

    PendingNew = "PendingNew"  # nothing is proved yet
    New = "New"
    PartiallyFilled = "PartiallyFilled"
    Filled = "Filled"
    Canceled = "Canceled"
    Rejected = "Rejected"
    Expired = "Expired"
    NeverArrived = "NeverArrived"  # the venue cannot have it any more
    Denied = "Denied"  # never sent: our Gate, a halt or its deadline


class Happening(StrEnum):
    """What the venue, or our own Gate, lets us know about an order."""

    Accepted = "Accepted"
    TradedPart = "TradedPart"
    TradedAll = "TradedAll"
    Canceled = "Canceled"
    Expired = "Expired"
    Rejected = "Rejected"
    ProvedAbsent = "ProvedAbsent"
    Denied = "Denied"


_S, _H = OrdStatus, Happening

# (status, what happened) -> status. A pair that is not here is unexpected: keep the status, raise an alert.
NEXT: dict[tuple[OrdStatus, Happening], OrdStatus] = {
    (_S.PendingNew, _H.Accepted): _S.New,
    (_S.PendingNew, _H.TradedPart): _S.PartiallyFilled,  # the fill overtook the ack (F36)
    (_S.PendingNew, _H.TradedAll): _S.Filled,
    (_S.PendingNew, _H.Canceled): _S.Canceled,  # the cancel's report overtook the ack
    (_S.PendingNew, _H.Expired): _S.Expired,  # immediate-or-cancel that found nothing
    (_S.PendingNew, _H.Rejected): _S.Rejected,
    (_S.PendingNew, _H.ProvedAbsent): _S.NeverArrived,
    (_S.PendingNew, _H.Denied): _S.Denied,
    (_S.New, _H.Accepted): _S.New,  # the same news twice: answer and stream
    (_S.New, _H.TradedPart): _S.PartiallyFilled,
    (_S.New, _H.TradedAll): _S.Filled,
    (_S.New, _H.Canceled): _S.Canceled,
    (_S.New, _H.Expired): _S.Expired,
    (_S.New, _H.Rejected): _S.Rejected,  # acknowledged, then rejected, is legal
    (_S.PartiallyFilled, _H.Accepted): _S.PartiallyFilled,  # the ack came late
    (_S.PartiallyFilled, _H.TradedPart): _S.PartiallyFilled,
    (_S.PartiallyFilled, _H.TradedAll): _S.Filled,
    (_S.PartiallyFilled, _H.Canceled): _S.Canceled,
    (_S.PartiallyFilled, _H.Expired): _S.Expired,
    (_S.Filled, _H.Accepted): _S.Filled,
    (_S.Canceled, _H.Accepted): _S.Canceled,
    (_S.Canceled, _H.Canceled): _S.Canceled,
    (_S.Canceled, _H.TradedPart): _S.Canceled,  # late: the position moves, the order stays dead (F40)
    (_S.Canceled, _H.TradedAll): _S.Canceled,
    (_S.Expired, _H.Accepted): _S.Expired,
    (_S.Expired, _H.Expired): _S.Expired,
    (_S.Expired, _H.TradedPart): _S.Expired,
    (_S.Expired, _H.TradedAll): _S.Expired,
    (_S.Rejected, _H.Accepted): _S.Rejected,  # the ack of an order that was rejected right after
    (_S.Rejected, _H.Rejected): _S.Rejected,
    (_S.Rejected, _H.TradedPart): _S.Rejected,
    (_S.Rejected, _H.TradedAll): _S.Rejected,
    (_S.NeverArrived, _H.Accepted): _S.New,  # we concluded wrongly, and it is live: say so, loudly
    (_S.NeverArrived, _H.TradedPart): _S.PartiallyFilled,
    (_S.NeverArrived, _H.TradedAll): _S.Filled,
    (_S.NeverArrived, _H.Canceled): _S.Canceled,
    (_S.NeverArrived, _H.Expired): _S.Expired,
    (_S.NeverArrived, _H.Rejected): _S.Rejected,
    (_S.NeverArrived, _H.ProvedAbsent): _S.NeverArrived,
}

# The pairs that NEXT leaves out, each with why: they keep the status, and raise an alert. Together the two are complete.
ABSENT: dict[tuple[OrdStatus, Happening], str] = {
    (_S.New, _H.ProvedAbsent): "the venue showed it; a query that does not see it now proves nothing",
    (_S.New, _H.Denied): "only what was never sent is denied, and the venue has it",
    (_S.PartiallyFilled, _H.Rejected): "what traded was accepted; its rest is cancelled or expires",
    (_S.PartiallyFilled, _H.ProvedAbsent): "it traded, so it was there",
    (_S.PartiallyFilled, _H.Denied): "it traded, so it was sent",
    (_S.Filled, _H.TradedPart): "nothing of it is left: an overfill, which counts and blocks the account (F41)",
    (_S.Filled, _H.TradedAll): "likewise",
    (_S.Filled, _H.Canceled): "a cancel that lost to the fill is refused; whoever says otherwise contradicts the fills",
    (_S.Filled, _H.Expired): "nothing is left that could expire",
    (_S.Filled, _H.Rejected): "it traded, so it was accepted",
    (_S.Filled, _H.ProvedAbsent): "it traded, so it was there",
    (_S.Filled, _H.Denied): "it traded, so it was sent",
    (_S.Canceled, _H.Expired): "an order ends once; what the venue said first stands",
    (_S.Canceled, _H.Rejected): "what was rejected cannot have been cancelled",
    (_S.Canceled, _H.ProvedAbsent): "the venue showed it",
    (_S.Canceled, _H.Denied): "it was sent",
    (_S.Expired, _H.Canceled): "an order ends once; what the venue said first stands",
    (_S.Expired, _H.Rejected): "what was rejected cannot have expired",
    (_S.Expired, _H.ProvedAbsent): "the venue showed it",
    (_S.Expired, _H.Denied): "it was sent",
    (_S.Rejected, _H.Canceled): "what was rejected cannot be cancelled",
    (_S.Rejected, _H.Expired): "what was rejected cannot expire",
    (_S.Rejected, _H.ProvedAbsent): "a rejection is an answer, so it arrived",
    (_S.Rejected, _H.Denied): "it was sent",
    (_S.NeverArrived, _H.Denied): "it was sent; that it did not arrive is another matter",
    (_S.Denied, _H.Accepted): "it was never sent, so whoever has it has it from somebody else",
    (_S.Denied, _H.TradedPart): "likewise; the fill counts for the position all the same (F40)",
    (_S.Denied, _H.TradedAll): "likewise",
    (_S.Denied, _H.Canceled): "likewise",
    (_S.Denied, _H.Expired): "likewise",
    (_S.Denied, _H.Rejected): "likewise",
    (_S.Denied, _H.ProvedAbsent): "nobody asks about what was never sent",
    (_S.Denied, _H.Denied): "it is denied once",
}

# Legal, and still something a person must see: a dead order that traded, an absent one that was there.
ALARMING: frozenset[tuple[OrdStatus, Happening]] = frozenset(
    [(dead, traded) for dead in (_S.Canceled, _S.Expired, _S.Rejected) for traded in (_H.TradedPart, _H.TradedAll)]
    + [(_S.NeverArrived, what) for what in (_H.Accepted, _H.TradedPart, _H.TradedAll, _H.Canceled, _H.Expired)]
)

DEAD: frozenset[OrdStatus] = frozenset((_S.Filled, _S.Canceled, _S.Rejected, _S.Expired, _S.NeverArrived, _S.Denied))


class RequestKind(StrEnum):
    New = "new"
    Cancel = "cancel"
    Replace = "replace"


class AmendBy(StrEnum):
    """How an amend is done; an operator is told which."""

    InPlace = "in-place"  # the venue makes the order smaller where it stands: it keeps its place in line and its id
    CancelReplace = "cancel-replace"  # one request of two legs, the second only if the first found the order untouched
    CancelThenPlace = (
        "cancel-then-place"  # of an order filled in part: what is left is counted once the cancel is proved
    )


class RequestState(StrEnum):
    """What became of one request. Only the first and `Unknown` are open."""

    Pending = "Pending"
    Acknowledged = "Acknowledged"
    Refused = "Refused"  # by a venue code on the list of proofs
    Unknown = "Unknown"  # sent, perhaps arrived: nothing is proved
    NeverArrived = "NeverArrived"
    Denied = "Denied"  # by our Gate, a halt or its deadline: never sent


_R = RequestState

# Which way a request may go. Acknowledged and Denied are final; a refusal that the venue later belies becomes an ack.
NEXT_REQUEST: dict[RequestState, frozenset[RequestState]] = {
    _R.Pending: frozenset((_R.Acknowledged, _R.Refused, _R.Unknown, _R.NeverArrived, _R.Denied)),
    _R.Unknown: frozenset((_R.Acknowledged, _R.Refused, _R.NeverArrived)),
    _R.Refused: frozenset((_R.Acknowledged,)),
    _R.NeverArrived: frozenset((_R.Acknowledged,)),
    _R.Acknowledged: frozenset(),
    _R.Denied: frozenset(),
}


# The ways that NEXT_REQUEST leaves out: such news is passed over, as what is known is worth more.
ABSENT_REQUEST: dict[tuple[RequestState, RequestState], str] = {
    (_R.Pending, _R.Pending): "nothing was heard",
    (_R.Unknown, _R.Pending): "what may have arrived is not on its way any more",
    (_R.Unknown, _R.Unknown): "a second doubt adds nothing to the first",
    (_R.Unknown, _R.Denied): "only what was never sent is denied, and this may have arrived",
    (_R.Refused, _R.Pending): "it has its answer",
    (_R.Refused, _R.Refused): "the same answer twice",
    (_R.Refused, _R.Unknown): "a refusal is a proof; silence after it is not",
    (_R.Refused, _R.NeverArrived): "a refusal is an answer, so it arrived",
    (_R.Refused, _R.Denied): "it was sent",
    (_R.NeverArrived, _R.Pending): "it cannot arrive any more",
    (_R.NeverArrived, _R.NeverArrived): "the same conclusion twice",
    (_R.NeverArrived, _R.Unknown): "the window is over: silence proves no more than it did",
    (_R.NeverArrived, _R.Refused): "a refusal this late changes nothing: the order is not there either way",
    (_R.NeverArrived, _R.Denied): "it was sent",
    (_R.Acknowledged, _R.Pending): "it was done",
    (_R.Acknowledged, _R.Acknowledged): "the same answer twice",
    (_R.Acknowledged, _R.Refused): "what the venue did it cannot refuse; the order is asked about",
    (_R.Acknowledged, _R.Unknown): "an acknowledgement is a proof; silence after it is not",
    (_R.Acknowledged, _R.NeverArrived): "it arrived",
    (_R.Acknowledged, _R.Denied): "it was sent",
    (_R.Denied, _R.Pending): "it was never sent and never will be",
    (_R.Denied, _R.Acknowledged): "it was never sent; what happened to the order is alerted as the order's own news",
    (_R.Denied, _R.Refused): "it was never sent",
    (_R.Denied, _R.Unknown): "it was never sent",
    (_R.Denied, _R.NeverArrived): "it was never sent",
    (_R.Denied, _R.Denied): "the same no twice",
}


class Request(Struct, frozen=True, kw_only=True):
    """One thing asked of the venue about one order. Uncertainty belongs here, not to the order (5.2)."""

    request_id: RequestId
    kind: RequestKind
    state: RequestState = RequestState.Pending
    operator: OperatorId
    made_at: int  # our clock, ns
    reasons: tuple[str, ...] = ()
    replaced_by: ClientOrderId | None = None  # of a Replace: the order that takes this one's place
    by: AmendBy | None = None  # of a Replace: how
    order_qty: Decimal | None = None  # of a Replace: the total asked for, what is filled included
    price: Decimal | None = None  # of a Replace: the price asked for
    from_qty: Decimal | None = None  # of a Replace: the total before


class OrderState(StrEnum):
    """What the screen and `--json` call the state of an order: derived by `state`, never stored."""

    PendingNew = "PendingNew"
    New = "New"
    PartiallyFilled = "PartiallyFilled"
    Filled = "Filled"
    Canceled = "Canceled"
    Rejected = "Rejected"
    Expired = "Expired"
    PendingCancel = "PendingCancel"
    PendingReplace = "PendingReplace"
    Unknown = "Unknown"
    NeverArrived = "NeverArrived"
    Denied = "Denied"


class Order(Struct, frozen=True, kw_only=True):
    """One order as far as it is proved. Quantities in base units, prices in quote units per base unit."""

    account: AccountId
    client_order_id: ClientOrderId
    instrument: InstrumentId
    side: Side
    order_type: OrderType
    time_in_force: TimeInForce
    order_qty: Decimal  # > 0
    price: Decimal | None  # None for market orders
    post_only: bool = False
    reduce_only: bool = False
    operator: OperatorId
    block: str | None = None  # ties the orders of one ticket over several accounts
    confirm: str | None = None  # why its operator passes what the Gate only asks about
    is_risk: bool = False  # its operator has the role risk
    egress: str  # the exit it leaves by
    key: str = ""  # fingerprint of the API key it is signed with
    placed_at: int  # our clock, ns
    deadline: int  # our clock, ns: not sent after this
    ord_status: OrdStatus = OrdStatus.PendingNew
    venue_order_id: VenueOrderId | None = None
    cum_qty: Decimal = Decimal(0)
    cum_quote: Decimal = Decimal(0)  # sum of price x quantity over its fills
    requests: tuple[Request, ...] = ()
    replaces: ClientOrderId | None = None
    replaced_by: ClientOrderId | None = None
    reasons: tuple[str, ...] = ()  # why it was denied, rejected, expired or cancelled by the venue
    is_external: bool = False  # of other software on the same account: shown, counted, never touched unasked
    known_as: ClientOrderId | None = None  # the id the venue has it under now, where that is not ours any more (F24)
    triggered_by: ClientOrderId | None = None  # the stop whose trigger made it, where the venue tells (F47)
    updated_at: int = 0  # our clock, ns

    @property
    def leaves_qty(self) -> Decimal:
        """What may still trade; 0 once the order is dead."""
        return Decimal(0) if self.ord_status in DEAD else max(self.order_qty - self.cum_qty, Decimal(0))

    @property
    def avg_px(self) -> Decimal | None:
        """Quote units per base unit; None before a fill of it was seen."""
        return self.cum_quote / self.cum_qty if self.cum_quote and self.cum_qty else None

    @property
    def is_dead(self) -> bool:
        return self.ord_status in DEAD

    @property
    def venue_client_id(self) -> ClientOrderId:
        """The client order id to name it by at the venue."""
        return self.known_as or self.client_order_id

    @property
    def is_uncertain(self) -> bool:
        """Whether any request about it is Unknown."""
        return any(request.state is RequestState.Unknown for request in self.requests)


class Fill(Struct, frozen=True, kw_only=True):
    """One execution as the venue reported it (FIX ExecutionReport, ExecType=Trade)."""

    account: AccountId
    client_order_id: ClientOrderId
    venue_order_id: VenueOrderId
    instrument: InstrumentId
    trade_id: (
        str  # the venue's; applied once per (account, instrument, trade id, order id), however often it arrives (5.3)
    )
    side: Side
    last_qty: Decimal  # base units, > 0
    last_px: Decimal  # quote units per base unit
    fee: Money | None  # negative is a rebate; None while the venue has not said
    is_maker: bool
    transact_time: int  # venue clock, ns since the epoch, UTC

    def __post_init__(self) -> None:
        if self.last_qty <= 0:
            raise ValueError(f"fill {self.trade_id}: last_qty is {self.last_qty}, must be above 0")

    @property
    def key(self) -> tuple[str, str, str]:
        """What makes it one fill of its account: trade ids are unique per instrument only (F32)."""
        return (self.instrument, self.trade_id, self.venue_order_id)


def state(order: Order) -> OrderState:
    """What to call the order: the proved status, outranked by what is pending (FIX) and by what is unknown of its birth."""
    if order.is_dead:
        return OrderState(order.ord_status.value)
    if order.ord_status is OrdStatus.PendingNew and any(
        request.kind is RequestKind.New and request.state is RequestState.Unknown for request in order.requests
    ):
        return OrderState.Unknown
    open_states = (RequestState.Pending, RequestState.Unknown)
    open_kinds = {request.kind for request in order.requests if request.state in open_states}
    if RequestKind.Cancel in open_kinds:
        return OrderState.PendingCancel
    if RequestKind.Replace in open_kinds:
        return OrderState.PendingReplace
    return OrderState(order.ord_status.value)


def happening_of(order: Order, fill: Fill) -> Happening:
    """Whether this fill completes the order."""
    return Happening.TradedAll if order.cum_qty + fill.last_qty >= order.order_qty else Happening.TradedPart


def moved(
    order: Order,
    happening: Happening,
    *,
    at: int,
    reason: str | None = None,
    venue_order_id: VenueOrderId | None = None,
) -> Order:
    """The order after `happening`; an unexpected one leaves the status as it is (ask `is_expected` first)."""
    return msgspec.structs.replace(
        order,
        ord_status=NEXT.get((order.ord_status, happening), order.ord_status),
        venue_order_id=venue_order_id or order.venue_order_id,
        reasons=order.reasons if reason is None or reason in order.reasons else (*order.reasons, reason),
        updated_at=at,
    )


def filled(order: Order, fill: Fill, *, at: int) -> Order:
    """The order after a fill that was not applied before."""
    after = moved(order, happening_of(order, fill), at=at, venue_order_id=fill.venue_order_id)
    return msgspec.structs.replace(
        after, cum_qty=order.cum_qty + fill.last_qty, cum_quote=order.cum_quote + fill.last_qty * fill.last_px
    )


def with_request(order: Order, request: Request, *, at: int) -> Order:
    return msgspec.structs.replace(
        order, requests=(*order.requests, request), replaced_by=request.replaced_by or order.replaced_by, updated_at=at
    )


def request_of(order: Order, request_id: RequestId) -> Request | None:
    return next((request for request in order.requests if request.request_id == request_id), None)


def decided(
    order: Order, request_id: RequestId, state_: RequestState, *, at: int, reasons: tuple[str, ...] = ()
) -> Order:
    """The order after news of one of its requests; news a request cannot take any more changes nothing."""
    requests = tuple(
        msgspec.structs.replace(request, state=state_, reasons=reasons or request.reasons)
        if request.request_id == request_id and state_ in NEXT_REQUEST[request.state]
        else request
        for request in order.requests
    )
    return msgspec.structs.replace(order, requests=requests, updated_at=at)


def changed(
    order: Order,
    *,
    order_qty: Decimal | None,
    known_as: ClientOrderId | None,
    triggered_by: ClientOrderId | None,
    at: int,
) -> Order:
    """The order as the venue has changed it: smaller, under another client order id, linked to the stop it came from."""
    return msgspec.structs.replace(
        order,
        order_qty=order.order_qty if order_qty is None else order_qty,
        known_as=order.known_as if known_as is None else None if known_as == order.client_order_id else known_as,
        triggered_by=triggered_by or order.triggered_by,
        updated_at=at,
    )


def amends_in_place(order: Order) -> tuple[Request, ...]:
    """Its requests to be made smaller where it stands, oldest first."""
    return tuple(request for request in order.requests if request.by is AmendBy.InPlace)


def how_to_amend(order: Order, order_qty: Decimal, price: Decimal, *, can_shrink: bool) -> AmendBy:
    """How an order comes to this total quantity and price; `can_shrink`: the venue makes orders smaller where they stand."""
    if can_shrink and price == order.price and order.cum_qty < order_qty < order.order_qty:
        return AmendBy.InPlace
    return AmendBy.CancelThenPlace if order.cum_qty else AmendBy.CancelReplace


def could_be_its_qty(order: Order, qty: Decimal, venue_order_id: VenueOrderId) -> bool:
    """Whether the venue may rightly tell of this quantity: the present one, one it had, or one it was asked to have.

    Under the venue's own id also any smaller one: somebody amended it there.
    """
    if qty == order.order_qty or (qty < order.order_qty and venue_order_id == order.venue_order_id):
        return True
    asked = (request for request in amends_in_place(order) if request.state is not RequestState.Denied)
    return any(qty in (request.order_qty, request.from_qty) for request in asked)


def is_expected(order: Order, happening: Happening) -> bool:
    return (order.ord_status, happening) in NEXT


def is_alarming(order: Order, happening: Happening) -> bool:
    return (order.ord_status, happening) in ALARMING
