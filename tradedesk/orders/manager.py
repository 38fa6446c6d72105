"""The order manager of one account: `handle(message, now) -> effects`, synchronous, no clock, no log, no lock."""

from collections.abc import Callable, Iterable
from decimal import Decimal

import msgspec
from msgspec import Struct

from tradedesk.domain import events as ev
from tradedesk.domain import orders as rules
from tradedesk.domain.accounts import Account, HaltLevel
from tradedesk.domain.alerts import Alert, Severity
from tradedesk.domain.commands import AmendOrder, CancelAll, CancelOrder, PlaceOrder
from tradedesk.domain.gate import FLATTENER, Approved, CancelTicket, Denied
from tradedesk.domain.money import floor_to_lot, plain
from tradedesk.domain.orders import (
    Fill,
    Happening,
    Order,
    OrdStatus,
    Request,
    RequestKind,
    RequestState,
)
from tradedesk.domain.outcomes import (
    Acknowledged,
    BalanceReport,
    NotSent,
    OrderReport,
    QueryAnswer,
    Refused,
    ReplaceOutcome,
    Unproven,
    VenueInfo,
)
from tradedesk.domain.words import (
    ClientOrderId,
    OperatorId,
    OrderType,
    RequestId,
    Side,
    TimeInForce,
    VenueOrderId,
)
from tradedesk.orders import reconcile
from tradedesk.orders.messages import (
    Ask,
    AskFills,
    AskState,
    Check,
    Effect,
    Emit,
    FillsAnswer,
    HaltEnded,
    HaltNow,
    Message,
    Quarantine,
    Reconciliation,
    Send,
    SendCancel,
    Tick,
)
from tradedesk.views.replica import Replica

MS = 1_000_000  # ns
ASK_EVERY_NS = 500 * MS  # between two questions about one unknown request
ANSWER_LOST_NS = 30_000 * MS  # longer than any question takes: its answer is not coming any more, so ask anew
CANCEL_AGAIN_NS = 1_000 * MS  # between two cancels of one order that the venue shows open
CANCEL_BLIND_NS = 10_000 * MS  # likewise where the venue shows nothing
CANCEL_TOLD_NS = 5_000 * MS  # a cancel that is not confirmed by then is an alert (F45)
FLATTEN_NS = 10_000 * MS  # how long a flattening order may wait to be sent
OPEN_REQUEST = (RequestState.Pending, RequestState.Unknown)
SWEEPING = (HaltLevel.CancelOpening, HaltLevel.CancelAll, HaltLevel.Flatten)

HAPPENED = {  # what a report of this status proves besides its fills; a fill proves itself
    OrdStatus.New: Happening.Accepted,
    OrdStatus.PartiallyFilled: Happening.Accepted,
    OrdStatus.Filled: Happening.Accepted,
    OrdStatus.Canceled: Happening.Canceled,
    OrdStatus.Expired: Happening.Expired,
    OrdStatus.Rejected: Happening.Rejected,
}


class Doubt(Struct, kw_only=True):
    """An unknown request that is being cleared up by asking. All in ns."""

    client_order_id: ClientOrderId
    since: int  # when the bytes may have left
    ask_at: int


class Question(Struct, kw_only=True):
    """One order is being asked about; the answer says what was so at `asked_at` (ns) or after, never before."""

    asked_at: int
    is_outdated: bool = False  # something came up since: ask again when it is answered


class Shortfall(Struct, kw_only=True):
    """The venue says that an order traded more than we have fills for: its report is believed once they are here."""

    report: OrderReport
    ask_at: int  # ns


class Wanted(Struct, kw_only=True):
    """A cancel somebody wants: it survives a lost request, and ends only when the order is dead. All in ns."""

    operator: OperatorId
    since: int
    due: int
    is_told: bool = False


class Sweep(Struct, kw_only=True):
    """A halt's cancelling under way."""

    level: HaltLevel
    by: OperatorId
    started_at: int
    cancelled: set[ClientOrderId]
    confirming_since: int | None = None  # ns; waiting for a list of the venue's that is not older than this


class OrderManager:
    """One account's orders. Owned by its worker; `books` may be read on the worker's thread, by nobody else.

    `history` is the account's part of the journal, oldest first: with it the manager is what it was before the restart,
    and every request that was pending then is unknown now (5.1).
    """

    def __init__(
        self,
        account: Account,
        info: VenueInfo,
        history: Iterable[ev.Event],
        new_id: Callable[[], ClientOrderId],
        now: int,
    ) -> None:
        self.account = account.id
        self.books = Replica()
        self.live: dict[ClientOrderId, Order] = {}
        self._source = f"worker:{account.id}"
        self._egress = account.egress
        self._new_id = new_id
        self._info = info
        self._known_ids: set[ClientOrderId] = set()
        self._fill_keys: set[tuple[str, str, str]] = set()
        self._doubts: dict[RequestId, Doubt] = {}
        self._questions: dict[ClientOrderId, Question] = {}
        self._shortfalls: dict[ClientOrderId, Shortfall] = {}
        self._standing: dict[ClientOrderId, Wanted] = {}
        self._sweep: Sweep | None = None
        self._must_flatten = False  # at the next tick
        self._suspected: dict[str, Decimal] = {}  # asset -> unexplained amount at the last reconciliation
        self.trades_from = 0  # venue clock, ns: fills before this belong to the opening
        self._is_opened = False
        self._early_fills: list[Fill] = []  # told before the opening, which decides whether they are in it
        self._effects: list[Effect] = []
        self._now = now
        for instrument in info.instruments:
            self.books.apply(ev.InstrumentListed(at=now, source=self._source, instrument=instrument))
        self.books.apply(ev.AccountListed(at=now, source=self._source, account=account))
        for event in history:
            self._fold(event)

    # -- the one door -----------------------------------------------------------------------------------------------------

    def handle(self, message: Message, now: int) -> list[Effect]:
        """Decide. Late, doubled and reordered messages are legal; nothing the venue may say raises."""
        self._now = now
        self._effects = []
        match message:
            case PlaceOrder():
                self._place(message)
            case AmendOrder():
                self._amend(message)
            case CancelOrder():
                self._cancel_one(message)
            case CancelAll():
                self._cancel_all(message)
            case Approved():
                self._effects.append(Send(approved=message))
            case Denied():
                self._denied(message)
            case Acknowledged() | Refused() | Unproven() | NotSent():
                self._answered(message)
            case ReplaceOutcome():
                self._replaced(message)
            case OrderReport():
                self._absorb(message)
            case BalanceReport():
                self._emit(
                    ev.BalancesRead(
                        at=now,
                        source=self._source,
                        account=self.account,
                        balances=message.balances,
                        is_complete=False,
                    )
                )
            case QueryAnswer():
                self._queried(message)
            case FillsAnswer():
                self._fills_listed(message)
            case Reconciliation():
                self._reconcile(message)
            case HaltNow():
                self._halt(message)
            case HaltEnded():
                self._sweep = None
                self._must_flatten = False
            case Tick():
                self._tick()
        return self._effects

    @property
    def is_opened(self) -> bool:
        """Whether the account's first look was taken: what everything later is counted from."""
        return self._is_opened

    def may_leave(self, client_order_id: ClientOrderId) -> str | None:
        """The manager's part of the last check before the bytes: None, or why the order must not leave."""
        if client_order_id in self._standing:
            return "cancelled before it was sent"
        order = self.live.get(client_order_id)
        if order is None:
            return "no longer open"
        if order.replaces is not None and order.replaces not in self.live:
            return "the order it replaces is no longer open"
        return None

    def recovered(self, now: int) -> list[Effect]:
        """After a restart: what was pending may have left until the very end, so it is unknown, and is asked about.

        Called once, before anything else.
        """
        self._now, self._effects = now, []
        for order in list(self.books.orders.values()):
            for request in order.requests:
                if request.kind is RequestKind.Cancel and not order.is_dead:
                    self._want_cancel(order, request.operator)
                if request.state not in OPEN_REQUEST:
                    continue
                if request.replaced_by is not None and request.replaced_by not in self._known_ids:
                    reasons = ("its new order was not recorded, so it was not sent",)
                    self._decide(order, request.request_id, RequestState.Denied, reasons)
                    continue
                self._decide(order, request.request_id, RequestState.Unknown, ("pending when the desk stopped",))
                if order.is_dead:
                    continue
                self._doubts[request.request_id] = Doubt(client_order_id=order.client_order_id, since=now, ask_at=now)
            self._close_requests(self._latest(order))
        return self._effects

    # -- commands ---------------------------------------------------------------------------------------------------------

    def _place(self, command: PlaceOrder) -> None:
        if command.client_order_id in self._known_ids:
            self._refuse(command.operator, command.client_order_id, "this client order id was used before")
            return
        order = self._new_order(
            command.client_order_id,
            command.operator,
            command.order_qty,
            command.price,
            template=command,
            replaces=None,
        )
        self._emit(ev.OrderPlaced(at=self._now, source=self._source, order=order))
        self._effects.append(Check(request_id=order.requests[0].request_id, order=order, replaces=None))

    def _amend(self, command: AmendOrder) -> None:
        old = self.live.get(command.client_order_id)
        problem = self._why_not_amendable(old, command)
        if old is None or problem is not None:
            self._refuse(command.operator, command.new_client_order_id, problem or "no open order of ours has this id")
            return
        request = Request(
            request_id=RequestId(f"{old.client_order_id}-r{len(old.requests)}"),
            kind=RequestKind.Replace,
            operator=command.operator,
            made_at=self._now,
            replaced_by=command.new_client_order_id,
        )
        new = self._new_order(
            command.new_client_order_id,
            command.operator,
            command.order_qty - old.cum_qty,
            command.price,
            template=old,
            replaces=old.client_order_id,
            deadline=command.deadline,
        )
        self._emit(
            ev.RequestMade(
                at=self._now,
                source=self._source,
                account=self.account,
                client_order_id=old.client_order_id,
                request=request,
            )
        )
        self._emit(ev.OrderPlaced(at=self._now, source=self._source, order=new))
        self._effects.append(Check(request_id=new.requests[0].request_id, order=new, replaces=old))

    def _why_not_amendable(self, old: Order | None, command: AmendOrder) -> str | None:
        if old is None or old.is_external:
            return "no open order of ours has this id"
        if command.new_client_order_id in self._known_ids:
            return "the new client order id was used before"
        if old.order_type is not OrderType.Limit:
            return "only limit orders can be amended"
        if any(request.state in OPEN_REQUEST for request in old.requests) or old.client_order_id in self._standing:
            return "a request about this order is still open; wait for its answer"
        if command.order_qty <= old.cum_qty:
            return f"{plain(old.cum_qty)} of it is filled already; enter a larger quantity, or cancel the rest"
        return None

    def _new_order(
        self,
        client_order_id: ClientOrderId,
        operator: OperatorId,
        order_qty: Decimal,
        price: Decimal | None,
        *,
        template: PlaceOrder | Order,
        replaces: ClientOrderId | None,
        deadline: int | None = None,
    ) -> Order:
        return Order(
            account=self.account,
            client_order_id=client_order_id,
            instrument=template.instrument,
            side=template.side,
            order_type=template.order_type,
            time_in_force=template.time_in_force,
            order_qty=order_qty,
            price=price,
            post_only=template.post_only,
            reduce_only=template.reduce_only,
            operator=operator,
            block=template.block,
            egress=self._egress,
            placed_at=self._now,
            deadline=template.deadline if deadline is None else deadline,
            requests=(
                Request(
                    request_id=RequestId(client_order_id),
                    kind=RequestKind.New,
                    operator=operator,
                    made_at=self._now,
                ),
            ),
            replaces=replaces,
            updated_at=self._now,
        )

    def _cancel_one(self, command: CancelOrder) -> None:
        order = self.live.get(command.client_order_id)
        if order is None:
            self._refuse(command.operator, command.client_order_id, "no open order has this id")
            return
        self._want_cancel(order, command.operator)
        self._cancel_wanted()

    def _cancel_all(self, command: CancelAll) -> None:
        for order in self._ours():
            if command.instrument in (None, order.instrument) and command.side in (None, order.side):
                self._want_cancel(order, command.operator)
        self._cancel_wanted()

    def _want_cancel(self, order: Order, operator: OperatorId) -> None:
        self._standing.setdefault(order.client_order_id, Wanted(operator=operator, since=self._now, due=self._now))

    def _cancel_wanted(self) -> None:
        for client_order_id, wanted in list(self._standing.items()):
            order = self.live.get(client_order_id)
            if order is None:
                del self._standing[client_order_id]
                continue
            if not wanted.is_told and self._now >= wanted.since + CANCEL_TOLD_NS:
                wanted.is_told = True
                self._alert(
                    f"cancel-unconfirmed:{client_order_id}",
                    Severity.Critical,
                    f"the cancel of order {client_order_id} is not confirmed; it is asked about and sent again",
                )
            newest = _newest_cancel(order)
            if wanted.due > self._now or (newest is not None and newest.state is RequestState.Pending):
                continue
            wanted.due = self._now + CANCEL_AGAIN_NS
            self._send_cancel(order, wanted.operator)

    def _send_cancel(self, order: Order, operator: OperatorId) -> None:
        instrument = self.books.instruments.get(order.instrument)
        if instrument is None:
            self._alert(
                "cancel",
                Severity.Critical,
                f"{order.instrument}: unknown instrument, cannot cancel {order.client_order_id}",
            )
            return
        request = Request(
            request_id=RequestId(f"{order.client_order_id}-c{len(order.requests)}"),
            kind=RequestKind.Cancel,
            operator=operator,
            made_at=self._now,
        )
        self._emit(
            ev.RequestMade(
                at=self._now,
                source=self._source,
                account=self.account,
                client_order_id=order.client_order_id,
                request=request,
            )
        )
        self._effects.append(
            SendCancel(ticket=CancelTicket(request_id=request.request_id, order=order, instrument=instrument))
        )

    # -- answers ----------------------------------------------------------------------------------------------------------

    def _denied(self, denied: Denied) -> None:
        order = self.live.get(denied.client_order_id)
        if order is not None:
            self._never_sent(order, denied.request_id, tuple(denial.text for denial in denied.denials))

    def _never_sent(self, order: Order, request_id: RequestId, reasons: tuple[str, ...]) -> None:
        self._decide(order, request_id, RequestState.Denied, reasons)
        self._move(self._latest(order), Happening.Denied, "; ".join(reasons))
        self._settle_replace(order, RequestState.Denied, reasons)

    def _answered(self, answer: Acknowledged | Refused | Unproven | NotSent) -> None:
        order, request = self._find(answer.request_id)
        if order is None or request is None:
            return  # an answer to a request of an order long dead and forgotten
        if request.kind is RequestKind.Cancel:
            self._cancel_answered(order, request, answer)
        else:
            self._new_answered(order, request.request_id, answer)

    def _new_answered(
        self, order: Order, request_id: RequestId, answer: Acknowledged | Refused | Unproven | NotSent
    ) -> None:
        match answer:
            case Acknowledged():
                if answer.report is not None and answer.report.client_order_id != order.client_order_id:
                    self._in_doubt(order, request_id, "the answer is about another order")  # so it is none (F04)
                    return
                if answer.report is not None and _contradiction(order, answer.report) is not None:
                    self._absorb(answer.report)  # which quarantines, and believes nothing of it
                    self._in_doubt(order, request_id, "the answer contradicts the order")
                    return
                for fill in answer.fills:
                    self._fill(fill)
                if answer.report is not None:
                    self._absorb(answer.report)
                else:
                    self._move(self._latest(order), Happening.Accepted, None)
                self._decide(self._latest(order), request_id, RequestState.Acknowledged)
                self._settle_replace(order, RequestState.Acknowledged)
            case Refused() if self._is_acknowledged(order, request_id):
                self._ask(order)  # the venue has shown it alive and now denies it: neither is proof against the other
            case Refused():
                reasons = (f"venue {answer.code}: {answer.text}",)
                self._decide(order, request_id, RequestState.Refused, reasons)
                self._move(self._latest(order), Happening.Rejected, reasons[0])
                self._settle_replace(order, RequestState.Refused, reasons)
                if answer.is_auth:
                    self._quarantine(f"the venue refuses the key: {answer.text}")
            case Unproven():
                self._in_doubt(order, request_id, answer.cause)
            case NotSent():
                self._never_sent(order, request_id, (answer.reason,))

    def _in_doubt(self, order: Order, request_id: RequestId, cause: str) -> None:
        self._decide(order, request_id, RequestState.Unknown, (cause,))
        self._settle_replace(order, RequestState.Unknown, (cause,))
        self._doubt(order, request_id)

    def _is_acknowledged(self, order: Order, request_id: RequestId) -> bool:
        request = rules.request_of(self._latest(order), request_id)
        return request is not None and request.state is RequestState.Acknowledged

    def _cancel_answered(
        self, order: Order, request: Request, answer: Acknowledged | Refused | Unproven | NotSent
    ) -> None:
        match answer:
            case Acknowledged():
                if answer.report is not None:
                    self._absorb(answer.report)
                self._decide(self._latest(order), request.request_id, RequestState.Acknowledged)
            case Refused():
                self._decide(order, request.request_id, RequestState.Refused, (f"venue {answer.code}: {answer.text}",))
                if answer.is_auth:
                    self._quarantine(f"the venue refuses the key: {answer.text}")
                elif not order.is_dead:
                    self._ask(order)  # "unknown order" proves nothing about how it ended (F07)
            case Unproven() | NotSent():
                cause = answer.cause if isinstance(answer, Unproven) else answer.reason
                self._decide(order, request.request_id, RequestState.Unknown, (cause,))
                self._close_requests(self._latest(order))
                self._doubt(order, request.request_id)
                wanted = self._standing.get(order.client_order_id)
                if wanted is not None:
                    wanted.due = self._now + CANCEL_BLIND_NS  # sooner once the venue shows it open

    def _replaced(self, outcome: ReplaceOutcome) -> None:
        """Both legs of a cancel-and-replace, each by its own proof (F23)."""
        new, request = self._find(outcome.request_id)
        if new is None or request is None or new.replaces is None:
            return
        old = self.books.orders.get(new.replaces)
        if isinstance(outcome.cancel, Acknowledged) and outcome.cancel.report is not None:
            self._absorb(outcome.cancel.report)
        elif old is not None and not old.is_dead:
            self._ask(old)
        if outcome.new is not None:
            self._new_answered(self._latest(new), outcome.request_id, outcome.new)
            if isinstance(outcome.cancel, Acknowledged) and isinstance(outcome.new, Refused):
                self._alert(
                    f"half-replaced:{new.replaces}",
                    Severity.Warning,
                    f"order {new.replaces} was cancelled and what should replace it refused: nothing of it is working",
                )
        elif isinstance(outcome.cancel, Refused):
            text = f"not attempted: the cancel was refused, venue {outcome.cancel.code}: {outcome.cancel.text}"
            self._new_answered(
                self._latest(new),
                outcome.request_id,
                msgspec.structs.replace(outcome.cancel, request_id=outcome.request_id, text=text),
            )
        else:
            self._new_answered(
                self._latest(new), outcome.request_id, Unproven(request_id=outcome.request_id, cause="half an answer")
            )

    def _settle_replace(self, new: Order, state: RequestState, reasons: tuple[str, ...] = ()) -> None:
        """The Replace request on the old order stands or falls with the order that was to take its place."""
        old = self.books.orders.get(new.replaces) if new.replaces is not None else None
        if old is None:
            return
        for request in old.requests:
            if request.kind is RequestKind.Replace and request.replaced_by == new.client_order_id:
                self._decide(old, request.request_id, state, reasons)
        if not old.is_dead and state in (RequestState.Acknowledged, RequestState.NeverArrived):
            self._ask(old)  # its cancel is a leg of its own, and nothing has told of it yet

    # -- what the venue says of an order ----------------------------------------------------------------------------------

    def _absorb(self, report: OrderReport) -> None:
        order = self.books.orders.get(report.client_order_id)
        if order is None:
            if report.client_order_id in self._known_ids:  # ours, dead, and dropped from the books
                if report.fill is not None:
                    self._fill(report.fill)
                return
            order = self._external(report)
            if order is None:
                return
        contradiction = _contradiction(order, report)
        if contradiction is not None:
            self._quarantine(f"order {order.client_order_id}: {contradiction}")
            return
        if report.fill is not None:
            self._fill(report.fill)
            order = self._latest(order)
        self._acknowledge_by_news(order)
        order = self._latest(order)
        if report.cum_qty is not None and report.cum_qty > order.cum_qty:
            self._move(order, Happening.Accepted, None, report.venue_order_id)
            self._fall_short(self._latest(order), report)  # fills first, then what the report says
            return
        happening = HAPPENED[report.ord_status]
        if order.is_external and report.ord_status is OrdStatus.Filled and not order.is_dead:
            happening = Happening.TradedAll  # its fills may have come before it, so none of them completed it
        self._move(order, happening, report.reason, report.venue_order_id)

    def _fall_short(self, order: Order, report: OrderReport) -> None:
        known = self._shortfalls.get(order.client_order_id)
        if known is not None and _is_further(known.report, report):
            return  # older news than what we are waiting for
        self._shortfalls[order.client_order_id] = Shortfall(report=report, ask_at=self._now + ANSWER_LOST_NS)
        self._effects.append(AskFills(order=order, report=report))

    def _make_good(self, order: Order) -> None:
        """Believe the report that waited for its fills, if they are all here."""
        short = self._shortfalls.get(order.client_order_id)
        if short is None or short.report.cum_qty is None or order.cum_qty < short.report.cum_qty:
            return
        del self._shortfalls[order.client_order_id]
        self._move(order, HAPPENED[short.report.ord_status], short.report.reason, short.report.venue_order_id)

    def _acknowledge_by_news(self, order: Order) -> None:
        """The venue speaks of the order, so its birth is proved, whatever became of the answer."""
        for request in order.requests:
            if request.kind is RequestKind.New and request.state not in (
                RequestState.Acknowledged,
                RequestState.Denied,
            ):
                self._decide(order, request.request_id, RequestState.Acknowledged)
                self._settle_replace(order, RequestState.Acknowledged)

    def _external(self, report: OrderReport) -> Order | None:
        """An order of other software on this account: shown and counted, never touched unasked (F42)."""
        if report.side is None or report.order_qty is None:
            return None
        fills = (fill.last_qty for fill in self.books.fills if fill.venue_order_id == report.venue_order_id)
        traded = sum(fills, Decimal(0))  # as far as we know of it; its fills may have come before it
        order = Order(
            account=self.account,
            client_order_id=report.client_order_id,
            instrument=report.instrument,
            side=report.side,
            order_type=OrderType.Limit if report.price else OrderType.Market,
            time_in_force=TimeInForce.GoodTillCancel,
            order_qty=report.order_qty,
            price=report.price or None,
            operator=OperatorId("external"),
            egress="",
            placed_at=self._now,
            deadline=self._now,
            ord_status=OrdStatus.PartiallyFilled if traded else OrdStatus.New,
            venue_order_id=report.venue_order_id,
            cum_qty=traded,
            is_external=True,
            updated_at=self._now,
        )
        self._emit(ev.OrderPlaced(at=self._now, source=self._source, order=order))
        return order

    def _fill(self, fill: Fill) -> None:
        """Apply a fill, once, however often and in whatever order it arrives (5.3)."""
        if not self._is_opened:
            self._early_fills.append(fill)
            return
        if fill.key in self._fill_keys or fill.transact_time < self.trades_from:
            return
        order = self.books.orders.get(fill.client_order_id)
        if order is None:
            order = next((o for o in self.live.values() if o.venue_order_id == fill.venue_order_id), None)
            if order is not None:
                fill = msgspec.structs.replace(fill, client_order_id=order.client_order_id)
        if order is not None:
            happening = rules.happening_of(order, fill)
            if order.cum_qty + fill.last_qty > order.order_qty and not order.is_external:
                self._quarantine(
                    f"order {order.client_order_id} is overfilled: {plain(order.cum_qty + fill.last_qty)} of {plain(order.order_qty)}"
                )
            elif not rules.is_expected(order, happening) or rules.is_alarming(order, happening):
                self._alert(
                    f"late-fill:{order.client_order_id}",
                    Severity.Critical,
                    f"order {order.client_order_id} was {order.ord_status} and traded {plain(fill.last_qty)}; the position counts it",
                )
        elif fill.client_order_id not in self._known_ids:
            self._alert(
                f"foreign-fill:{fill.instrument}",
                Severity.Warning,
                f"{plain(fill.last_qty)} {fill.instrument} traded by other software on this account; the position counts it",
            )
        self._emit(ev.OrderFilled(at=self._now, source=self._source, fill=fill))
        if order is not None:
            self._acknowledge_by_news(self._latest(order))
            self._close_requests(self._latest(order))
            self._make_good(self._latest(order))

    def _move(
        self, order: Order, happening: Happening, reason: str | None, venue_order_id: VenueOrderId | None = None
    ) -> None:
        if not rules.is_expected(order, happening):
            self._alert(
                f"unexpected:{order.client_order_id}",
                Severity.Warning,
                f"order {order.client_order_id} is {order.ord_status} and the venue says {happening}; the state was kept",
            )
            return
        if rules.is_alarming(order, happening):
            self._alert(
                f"revived:{order.client_order_id}",
                Severity.Critical,
                f"order {order.client_order_id} was held to have never arrived, and the venue says {happening}",
            )
        after = rules.moved(order, happening, at=order.updated_at, reason=reason, venue_order_id=venue_order_id)
        if after == order:
            return  # the same news again
        self._emit(
            ev.OrderMoved(
                at=self._now,
                source=self._source,
                account=self.account,
                client_order_id=order.client_order_id,
                happening=happening,
                venue_order_id=venue_order_id,
                reason=reason,
            )
        )
        self._close_requests(self._latest(order))

    def _close_requests(self, order: Order) -> None:
        """What was asked of an order that is dead has its answer; what is pending will be answered for itself."""
        if not order.is_dead:
            return
        wanted = self._standing.pop(order.client_order_id, None)
        if wanted is not None and wanted.is_told:
            key = f"cancel-unconfirmed:{order.client_order_id}:{self.account}"
            self._emit(ev.AlertEnded(at=self._now, source=self._source, key=key))
        for request in order.requests:
            if request.kind is RequestKind.Cancel and request.state is RequestState.Unknown:
                worked = order.ord_status is OrdStatus.Canceled
                self._decide(
                    order,
                    request.request_id,
                    RequestState.Acknowledged if worked else RequestState.Refused,
                    () if worked else (f"the order was {order.ord_status}",),
                )

    # -- questions --------------------------------------------------------------------------------------------------------

    def _ask(self, order: Order) -> None:
        """Ask about the order, one question at a time: so that an answer belongs to its question."""
        open_question = self._open_question(order.client_order_id)
        if open_question is not None:
            open_question.is_outdated = True
            return
        self._questions[order.client_order_id] = Question(asked_at=self._now)
        self._effects.append(Ask(order=order))

    def _open_question(self, client_order_id: ClientOrderId) -> Question | None:
        question = self._questions.get(client_order_id)
        return None if question is None or question.asked_at <= self._now - ANSWER_LOST_NS else question

    def _queried(self, answer: QueryAnswer) -> None:
        question = self._questions.pop(answer.client_order_id, None)
        order = self.books.orders.get(answer.client_order_id)
        if order is None:
            return
        if answer.failed is None and answer.report is not None:
            self._absorb(answer.report)
        if question is None:
            return  # we gave it up as lost, so it says nothing of when
        if answer.failed is None and answer.report is not None:
            self._shown_open(self._latest(order), question.asked_at)
        elif answer.failed is None:
            self._shown_absent(order, question.asked_at)
        if question.is_outdated and not self._latest(order).is_dead:
            self._ask(self._latest(order))

    def _shown_open(self, order: Order, asked_at: int) -> None:
        """An order is open though somebody wants it cancelled: cancel again, which is safe (F45)."""
        if order.is_dead:
            return
        newest, wanted = _newest_cancel(order), self._standing.get(order.client_order_id)
        if newest is not None and wanted is not None and asked_at > newest.made_at:
            wanted.due = min(wanted.due, newest.made_at + CANCEL_AGAIN_NS)
        for request in order.requests:
            doubt = self._doubts.get(request.request_id)
            is_over = doubt is not None and asked_at >= doubt.since + self._doubt_ns()
            if request.kind is RequestKind.Cancel and request.state is RequestState.Unknown and is_over:
                self._decide(order, request.request_id, RequestState.NeverArrived, ("the order is still open",))

    def _shown_absent(self, order: Order, asked_at: int) -> None:
        """The venue knows no such order: proof only if it was asked when nothing could arrive any more (5.2)."""
        if order.is_dead:
            return
        request_id = RequestId(order.client_order_id)
        doubt = self._doubts.get(request_id)
        if doubt is not None and order.ord_status is OrdStatus.PendingNew:
            if asked_at >= doubt.since + self._doubt_ns():
                reasons = ("the venue does not know it, and nothing can arrive any more",)
                self._decide(order, request_id, RequestState.NeverArrived, reasons)
                self._move(self._latest(order), Happening.ProvedAbsent, reasons[0])
                self._settle_replace(order, RequestState.NeverArrived, reasons)
        elif order.ord_status is not OrdStatus.PendingNew and asked_at >= min(
            order.updated_at + self._info.query_lag_ms * MS, order.deadline + self._doubt_ns()
        ):
            self._alert(
                f"vanished:{order.client_order_id}",
                Severity.Critical,
                f"order {order.client_order_id} was {order.ord_status} and the venue knows no such order",
            )

    def _fills_listed(self, answer: FillsAnswer) -> None:
        for fill in sorted(answer.fills, key=lambda fill: fill.transact_time):
            self._fill(fill)
        order, short = self.books.orders.get(answer.client_order_id), self._shortfalls.get(answer.client_order_id)
        if order is None or short is None:
            return
        if sum((fill.last_qty for fill in answer.fills), Decimal(0)) < (short.report.cum_qty or Decimal(0)):
            short.ask_at = self._now + ASK_EVERY_NS  # the list lags behind the report, or did not come
            return
        del self._shortfalls[answer.client_order_id]  # it is complete: what we did not take lies before the opening
        is_filled = short.report.ord_status is OrdStatus.Filled and not order.is_dead
        happening = Happening.TradedAll if is_filled else HAPPENED[short.report.ord_status]
        self._move(order, happening, short.report.reason, short.report.venue_order_id)

    # -- reconciliation ---------------------------------------------------------------------------------------------------

    def _reconcile(self, message: Reconciliation) -> None:
        state = message.state
        if not self._is_opened:
            openings = reconcile.openings(state, self.books.instruments.values())
            self._emit(
                ev.AccountOpened(
                    at=self._now,
                    source=self._source,
                    account=self.account,
                    openings=openings,
                    marks=message.marks,
                    trades_from=state.taken_at + message.clock_offset,
                )
            )
            for fill in self._early_fills:
                self._fill(fill)
            self._early_fills.clear()
        applied = len(self._fill_keys)
        for fill in sorted(state.fills, key=lambda fill: fill.transact_time):
            self._fill(fill)
        missed = len(self._fill_keys) - applied
        for report in state.open_orders:
            self._absorb(report)
        shown = {report.client_order_id for report in state.open_orders}
        gone = [
            order
            for order in self.live.values()
            if order.client_order_id not in shown
            and order.ord_status is not OrdStatus.PendingNew
            and order.updated_at < state.taken_at
        ]
        for order in gone:
            self._ask(order)
        self._emit(
            ev.BalancesRead(
                at=self._now, source=self._source, account=self.account, balances=state.balances, is_complete=True
            )
        )
        unexplained = reconcile.unexplained(self.books.ledgers.get(self.account, {}), state)
        lasting = {asset: amount for asset, amount in unexplained.items() if self._suspected.get(asset) == amount}
        self._suspected = (
            unexplained  # only what two looks in a row show is a difference: one look may cut through a fill
        )
        differences = reconcile.differences(lasting, missed, gone)
        if lasting:
            self._alert("unexplained", Severity.Critical, "; ".join(differences))
        self._emit(
            ev.Reconciled(at=self._now, source=self._source, account=self.account, differences=tuple(differences))
        )
        self._finish_sweep(state.taken_at, shown)

    # -- halts and time ---------------------------------------------------------------------------------------------------

    def _halt(self, message: HaltNow) -> None:
        self._must_flatten = False
        if message.level not in SWEEPING:
            self._sweep = None
            return
        if self._sweep is None or self._sweep.level is not message.level:
            self._sweep = Sweep(level=message.level, by=OperatorId(message.by), started_at=self._now, cancelled=set())
        self._advance_sweep()

    def _advance_sweep(self) -> None:
        sweep = self._sweep
        if sweep is None or sweep.confirming_since is not None:
            return
        left = [order for order in self._ours() if self._is_swept(order, sweep.level)]
        for order in left:
            sweep.cancelled.add(order.client_order_id)
            self._want_cancel(order, sweep.by)
        self._cancel_wanted()
        if not left and not self._doubts:
            sweep.confirming_since = self._now
            self._effects.append(AskState())

    def _finish_sweep(self, taken_at: int, shown: set[ClientOrderId]) -> None:
        sweep = self._sweep
        if sweep is None or sweep.confirming_since is None or taken_at < sweep.confirming_since:
            return
        sweep.confirming_since = None
        left = [order for order in self._ours() if self._is_swept(order, sweep.level)]
        if left or self._doubts:
            return  # something turned up meanwhile; the next tick goes on
        ours_shown = sum(1 for order in self._ours() if order.client_order_id in shown)
        self._must_flatten = sweep.level is HaltLevel.Flatten  # at a tick: during the look the account is not Ready
        self._emit(
            ev.HaltSwept(
                at=self._now,
                source=self._source,
                account=self.account,
                cancelled=len(sweep.cancelled),
                left=ours_shown,
                took_ms=(self._now - sweep.started_at) // MS,
            )
        )
        self._sweep = None

    def _flatten(self) -> None:
        """Close at market what the account still holds; the Gate judges these like any order and may refuse them."""
        for (_, instrument_id), position in list(self.books.positions.items()):
            instrument = self.books.instruments.get(instrument_id)
            if instrument is None:
                continue
            qty = floor_to_lot(abs(position.qty), instrument.lot)
            if qty < max(instrument.min_qty, instrument.lot):
                continue
            self._place(
                PlaceOrder(
                    account=self.account,
                    client_order_id=self._new_id(),
                    instrument=instrument_id,
                    side=Side.Sell if position.qty > 0 else Side.Buy,
                    order_type=OrderType.Market,
                    order_qty=qty,
                    reduce_only=True,
                    operator=FLATTENER,
                    deadline=self._now + FLATTEN_NS,
                )
            )

    def _is_swept(self, order: Order, level: HaltLevel) -> bool:
        return level in (HaltLevel.CancelAll, HaltLevel.Flatten) or self.is_opening(order)

    def is_opening(self, order: Order) -> bool:
        """Whether the order, filled in full with all that works on its side, would add to the position or turn it."""
        position = self.books.positions.get((self.account, order.instrument))
        qty = position.qty if position is not None else Decimal(0)
        working = sum(
            (o.leaves_qty for o in self.live.values() if o.instrument == order.instrument and o.side is order.side),
            Decimal(0),
        )
        return working > (qty if order.side is Side.Sell else -qty)

    def _tick(self) -> None:
        for request_id, doubt in list(self._doubts.items()):
            order = self.books.orders.get(doubt.client_order_id)
            request = rules.request_of(order, request_id) if order is not None else None
            if order is None or request is None or request.state not in OPEN_REQUEST:
                del self._doubts[request_id]
            elif doubt.ask_at <= self._now and self._open_question(doubt.client_order_id) is None:
                doubt.ask_at = self._now + ASK_EVERY_NS
                self._ask(order)
        for client_order_id, short in self._shortfalls.items():
            if short.ask_at <= self._now:
                short.ask_at = self._now + ANSWER_LOST_NS
                self._effects.append(AskFills(order=self.books.orders[client_order_id], report=short.report))
        self._cancel_wanted()
        self._advance_sweep()
        if self._must_flatten:
            self._must_flatten = False
            self._flatten()

    # -- books ------------------------------------------------------------------------------------------------------------

    def _emit(self, event: ev.Event) -> None:
        self._fold(event)
        self._effects.append(Emit(event=event))

    def _fold(self, event: ev.Event) -> None:
        self.books.apply(event)
        match event:
            case ev.OrderPlaced():
                self._known_ids.add(event.order.client_order_id)
                self._note(event.order.client_order_id)
            case ev.RequestMade() | ev.RequestDecided() | ev.OrderMoved():
                self._note(event.client_order_id)
            case ev.OrderFilled():
                self._fill_keys.add(event.fill.key)
                self._note(event.fill.client_order_id)
            case ev.AccountOpened():
                self.trades_from, self._is_opened = event.trades_from, True
            case _:
                pass

    def _note(self, client_order_id: ClientOrderId) -> None:
        order = self.books.orders.get(client_order_id)
        if order is None or order.is_dead:
            self.live.pop(client_order_id, None)
        else:
            self.live[client_order_id] = order

    def _ours(self) -> list[Order]:
        return [order for order in self.live.values() if not order.is_external]

    def _latest(self, order: Order) -> Order:
        return self.books.orders.get(order.client_order_id, order)

    def _find(self, request_id: RequestId) -> tuple[Order | None, Request | None]:
        """The order of a request: request ids begin with the order's own id."""
        stem = ClientOrderId(request_id)
        order = self.books.orders.get(stem)
        if order is None:
            order = self.books.orders.get(ClientOrderId(request_id.rsplit("-", 1)[0]))
        return (None, None) if order is None else (order, rules.request_of(order, request_id))

    def _decide(self, order: Order, request_id: RequestId, state: RequestState, reasons: tuple[str, ...] = ()) -> None:
        request = rules.request_of(self._latest(order), request_id)
        if request is None or state not in rules.NEXT_REQUEST[request.state]:
            return
        self._emit(
            ev.RequestDecided(
                at=self._now,
                source=self._source,
                account=self.account,
                client_order_id=order.client_order_id,
                request_id=request_id,
                state=state,
                reasons=reasons,
            )
        )

    def _doubt(self, order: Order, request_id: RequestId) -> None:
        """Start asking, if it is unknown. The window runs from now: the bytes may have left at this very moment."""
        request = rules.request_of(self._latest(order), request_id)
        if request is not None and request.state is RequestState.Unknown:
            self._doubts[request_id] = Doubt(
                client_order_id=order.client_order_id, since=self._now, ask_at=self._now + ASK_EVERY_NS
            )

    def _doubt_ns(self) -> int:
        """How long a request may still arrive or be hidden: receive window, the venue's own time-out, lag of queries."""
        return (self._info.receive_window_ms + self._info.engine_timeout_ms + self._info.query_lag_ms) * MS

    def _refuse(self, operator: OperatorId, what: str, reason: str) -> None:
        self._emit(ev.SubmissionRefused(at=self._now, source=self._source, operator=operator, what=what, reason=reason))

    def _quarantine(self, reason: str) -> None:
        self._effects.append(Quarantine(reason=reason))
        self._alert("quarantine", Severity.Critical, reason)

    def _alert(self, key: str, severity: Severity, text: str) -> None:
        self._emit(
            ev.AlertRaised(
                at=self._now,
                source=self._source,
                alert=Alert(
                    key=f"{key}:{self.account}",
                    rule=key.partition(":")[0],
                    severity=severity,
                    account=self.account,
                    text=text,
                    at=self._now,
                ),
            )
        )


def _contradiction(order: Order, report: OrderReport) -> str | None:
    """What the report says that cannot be true of our order; absent fields do not count against it (5.2)."""
    if report.instrument != order.instrument:
        return f"the venue names instrument {report.instrument}, ours is {order.instrument}"
    if report.side is not None and report.side is not order.side:
        return f"the venue names side {report.side}, ours is {order.side}"
    if report.order_qty is not None and report.order_qty != order.order_qty and not order.is_external:
        return f"the venue names quantity {plain(report.order_qty)}, ours is {plain(order.order_qty)}"
    return None


def _newest_cancel(order: Order) -> Request | None:
    return next((request for request in reversed(order.requests) if request.kind is RequestKind.Cancel), None)


def _is_further(known: OrderReport, report: OrderReport) -> bool:
    """Whether what is known of an order lies beyond what the report says of it."""

    def reach(one: OrderReport) -> tuple[Decimal, bool]:
        return (one.cum_qty or Decimal(0), HAPPENED[one.ord_status] is not Happening.Accepted)

    return reach(known) > reach(report)
