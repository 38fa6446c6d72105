"""The order manager of one account: `handle(message, now) -> effects`, synchronous, no clock, no log, no lock."""

from collections.abc import Callable, Iterable
from decimal import Decimal

import msgspec

from tradedesk.domain import events as ev
from tradedesk.domain.accounts import Account, HaltLevel
from tradedesk.domain.alerts import Severity
from tradedesk.domain.commands import AmendOrder, CancelAll, CancelOrder, PlaceOrder, Settle
from tradedesk.domain.gate import Approved, Denied
from tradedesk.domain.money import plain
from tradedesk.domain.orders import Happening, Order, Request, RequestKind, RequestState
from tradedesk.domain.outcomes import (
    Acknowledged,
    BalanceReport,
    MovementsAnswer,
    NotSent,
    OrderReport,
    QueryAnswer,
    Refused,
    ReplaceOutcome,
    Unproven,
    VenueInfo,
)
from tradedesk.domain.words import ClientOrderId, OperatorId, OrderType, RequestId
from tradedesk.orders.books import Books
from tradedesk.orders.cancels import Cancels
from tradedesk.orders.doubts import OPEN_REQUEST, Doubts
from tradedesk.orders.messages import (
    Check,
    Effect,
    FillsAnswer,
    HaltEnded,
    HaltNow,
    Message,
    Reconciliation,
    Send,
    Tick,
)
from tradedesk.orders.progress import Progress, contradiction
from tradedesk.orders.reconcile import Reconciler
from tradedesk.orders.sweep import FLATTEN_AGAIN_NS, SWEEPING, Sweep, flattening
from tradedesk.views.replica import Replica

Outcome = Acknowledged | Refused | Unproven | NotSent  # of one request


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
        self._egress = account.egress
        self._new_id = new_id
        self._books = Books(account, info.instruments, history, now)
        self._cancels = Cancels(self._books)
        self._doubts = Doubts(self._books, info)
        self._progress = Progress(self._books, self._cancels, self._doubts)
        self._reconciler = Reconciler(self._books, self._doubts, self._progress, info)
        self._sweep: Sweep | None = None
        self._flatten_at: int | None = None  # monotonic ns; not during the look: the account is not Ready then

    # -- the one door -----------------------------------------------------------------------------------------------------

    def handle(self, message: Message, now: int, elapsed: int | None = None) -> list[Effect]:
        """Decide. Late, doubled and reordered messages are legal; nothing the venue may say raises.

        `now` is our clock and stamps what happens; `elapsed` the monotonic one, by which everything waits, so that a step
        of the first proves nothing (F58). Where only one clock is handed in it is both.
        """
        self._books.begin(now, now if elapsed is None else elapsed)
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
                self._books.effects.append(Send(approved=message))
            case Denied():
                self._denied(message)
            case Acknowledged() | Refused() | Unproven() | NotSent():
                self._answered(message)
            case ReplaceOutcome():
                self._replaced(message)
            case OrderReport():
                self._progress.absorb(message)
            case BalanceReport():
                self._books.balances_read(message.balances, is_complete=False)
            case QueryAnswer():
                self._queried(message)
            case FillsAnswer():
                self._progress.fills_listed(message)
            case MovementsAnswer():
                self._reconciler.explained(message)
            case Settle():
                self._reconciler.settle(message)
            case Reconciliation():
                self._reconcile(message)
            case HaltNow():
                self._halt(message)
            case HaltEnded():
                self._sweep, self._flatten_at = None, None
            case Tick():
                self._tick()
        return self._books.effects

    def recovered(self, now: int, elapsed: int | None = None) -> list[Effect]:
        """After a restart: what was pending may have left until the very end, so it is unknown, and is asked about.

        Called once, before anything else.
        """
        self._books.begin(now, now if elapsed is None else elapsed)
        for order in list(self.books.orders.values()):
            for request in order.requests:
                if request.kind is RequestKind.Cancel and not order.is_dead:
                    self._cancels.want(order, request.operator)
                if request.state not in OPEN_REQUEST:
                    continue
                if request.replaced_by is not None and request.replaced_by not in self._books.known_ids:
                    reason = "its new order was not recorded, so it was not sent"
                    self._books.decided(order, request.request_id, RequestState.Denied, reason)
                    continue
                self._books.decided(order, request.request_id, RequestState.Unknown, "pending when the desk stopped")
                if not order.is_dead:
                    self._doubts.add(order, request.request_id, ask_in=0)
            self._cancels.close(self._books.latest(order))
        return self._books.effects

    def may_leave(self, client_order_id: ClientOrderId) -> str | None:
        """The manager's part of the last check before the bytes: None, or why the order must not leave."""
        if client_order_id in self._cancels:
            return "cancelled before it was sent"
        order = self.live.get(client_order_id)
        if order is None:
            return "no longer open"
        if order.replaces is not None and order.replaces not in self.live:
            return "the order it replaces is no longer open"
        if order.replaces is not None and order.replaces in self._cancels:
            return "the order it replaces was cancelled"
        return None

    @property
    def books(self) -> Replica:
        return self._books.replica

    @property
    def live(self) -> dict[ClientOrderId, Order]:
        """The orders that are not dead, external ones included."""
        return self._books.live

    @property
    def is_opened(self) -> bool:
        """Whether the account's first look was taken: what everything later is counted from."""
        return self._books.is_opened

    @property
    def trades_from(self) -> int:
        """Venue clock, ns: fills before this belong to the opening."""
        return self._books.trades_from

    # -- commands ---------------------------------------------------------------------------------------------------------

    def _place(self, command: PlaceOrder) -> None:
        if command.client_order_id in self._books.known_ids:
            self._books.refused(command.operator, command.client_order_id, "this client order id was used before")
            return
        order = self._new_order(
            command.client_order_id,
            command.operator,
            command.order_qty,
            command.price,
            command.deadline,
            template=command,
        )
        self._books.placed(order)
        self._books.effects.append(Check(request_id=order.requests[0].request_id, order=order, replaces=None))

    def _amend(self, command: AmendOrder) -> None:
        old = self.live.get(command.client_order_id)
        problem = self._why_not_amendable(old, command)
        if old is None or problem is not None:
            reason = problem or "no open order of ours has this id"
            self._books.refused(command.operator, command.new_client_order_id, reason)
            return
        request = Request(
            request_id=RequestId(f"{old.client_order_id}#r{len(old.requests)}"),
            kind=RequestKind.Replace,
            operator=command.operator,
            made_at=self._books.now,
            replaced_by=command.new_client_order_id,
        )
        new = self._new_order(
            command.new_client_order_id,
            command.operator,
            command.order_qty - old.cum_qty,
            command.price,
            command.deadline,
            template=old,
            replaces=old.client_order_id,
        )
        self._books.made(old, request)
        self._books.placed(new)
        self._books.effects.append(Check(request_id=new.requests[0].request_id, order=new, replaces=old))

    def _why_not_amendable(self, old: Order | None, command: AmendOrder) -> str | None:
        if old is None or old.is_external:
            return "no open order of ours has this id"
        if command.new_client_order_id in self._books.known_ids:
            return "the new client order id was used before"
        if old.order_type is not OrderType.Limit:
            return "only limit orders can be amended"
        if any(request.state in OPEN_REQUEST for request in old.requests) or old.client_order_id in self._cancels:
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
        deadline: int,
        *,
        template: PlaceOrder | Order,
        replaces: ClientOrderId | None = None,
    ) -> Order:
        now = self._books.now
        birth = Request(request_id=RequestId(client_order_id), kind=RequestKind.New, operator=operator, made_at=now)
        return Order(
            account=self._books.account,
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
            placed_at=now,
            deadline=deadline,
            requests=(birth,),
            replaces=replaces,
            updated_at=now,
        )

    def _cancel_one(self, command: CancelOrder) -> None:
        order = self.live.get(command.client_order_id)
        if order is None:
            self._books.refused(command.operator, command.client_order_id, "no open order has this id")
            return
        self._cancels.want(order, command.operator)
        self._cancels.send_due()

    def _cancel_all(self, command: CancelAll) -> None:
        for order in self._books.ours():
            if command.instrument in (None, order.instrument) and command.side in (None, order.side):
                self._cancels.want(order, command.operator)
        self._cancels.send_due()

    # -- answers ----------------------------------------------------------------------------------------------------------

    def _denied(self, denied: Denied) -> None:
        order = self.live.get(denied.client_order_id)
        if order is not None:
            self._never_sent(order, denied.request_id, *(denial.text for denial in denied.denials))

    def _never_sent(self, order: Order, request_id: RequestId, *reasons: str) -> None:
        self._books.decided(order, request_id, RequestState.Denied, *reasons)
        self._progress.move(self._books.latest(order), Happening.Denied, "; ".join(reasons))
        self._progress.settle_replace(order, RequestState.Denied, *reasons)

    def _answered(self, answer: Outcome) -> None:
        found = self._books.find(answer.request_id)
        if found is None:
            return  # an answer to a request of an order long dead and forgotten
        order, request = found
        if request.kind is RequestKind.Cancel:
            self._cancel_answered(order, request.request_id, answer)
        else:
            self._new_answered(order, request.request_id, answer)

    def _new_answered(self, order: Order, request_id: RequestId, answer: Outcome) -> None:
        match answer:
            case Acknowledged():
                self._new_acknowledged(order, request_id, answer)
            case Refused() if self._books.state_of(order, request_id) is RequestState.Acknowledged:
                self._doubts.ask(order)  # the venue has shown it alive and denies it: neither proves against the other
            case Refused():
                reason = _words_of(answer)
                self._books.decided(order, request_id, RequestState.Refused, reason)
                self._progress.move(self._books.latest(order), Happening.Rejected, reason)
                self._progress.settle_replace(order, RequestState.Refused, reason)
                self._lock_out(answer)
            case Unproven():
                self._in_doubt(order, request_id, answer.cause)
            case NotSent():
                self._never_sent(order, request_id, answer.reason)

    def _new_acknowledged(self, order: Order, request_id: RequestId, answer: Acknowledged) -> None:
        report = answer.report
        if report is not None and report.client_order_id != order.client_order_id:
            self._in_doubt(order, request_id, "the answer is about another order")  # so it is none (F04)
            return
        if report is not None and contradiction(order, report) is not None:
            self._progress.absorb(report)  # which quarantines, and believes nothing of it
            self._in_doubt(order, request_id, "the answer contradicts the order")
            return
        for fill in answer.fills:
            self._progress.fill(fill)
        if report is not None:
            self._progress.absorb(report)
        else:
            self._progress.move(self._books.latest(order), Happening.Accepted, None)
        self._books.decided(order, request_id, RequestState.Acknowledged)
        self._progress.settle_replace(order, RequestState.Acknowledged)

    def _in_doubt(self, order: Order, request_id: RequestId, cause: str) -> None:
        self._books.decided(order, request_id, RequestState.Unknown, cause)
        self._progress.settle_replace(order, RequestState.Unknown, cause)
        self._doubts.add(order, request_id)

    def _cancel_answered(self, order: Order, request_id: RequestId, answer: Outcome) -> None:
        match answer:
            case Acknowledged():
                if answer.report is not None:
                    self._progress.absorb(answer.report)
                self._books.decided(order, request_id, RequestState.Acknowledged)
            case Refused():
                self._books.decided(order, request_id, RequestState.Refused, _words_of(answer))
                self._lock_out(answer)
                if not answer.is_auth and not order.is_dead:
                    self._doubts.ask(order)  # "unknown order" proves nothing about how it ended (F07)
            case Unproven() | NotSent():
                cause = answer.cause if isinstance(answer, Unproven) else answer.reason
                self._books.decided(order, request_id, RequestState.Unknown, cause)
                self._cancels.close(self._books.latest(order))
                self._doubts.add(order, request_id)
                self._cancels.unproven(order)

    def _lock_out(self, refusal: Refused) -> None:
        if refusal.is_auth:
            self._books.quarantine(f"the venue refuses the key: {refusal.text}")

    def _replaced(self, outcome: ReplaceOutcome) -> None:
        """Both legs of a cancel-and-replace, each by its own proof (F23)."""
        found = self._books.find(outcome.request_id)
        if found is None or found[0].replaces is None:
            return
        new, old, cancel = found[0], self._books.order(found[0].replaces), outcome.cancel
        if isinstance(cancel, Acknowledged) and cancel.report is not None:
            self._progress.absorb(cancel.report)
        elif old is not None and not old.is_dead:
            self._doubts.ask(old)
        self._new_answered(self._books.latest(new), outcome.request_id, _second_leg(outcome))
        if isinstance(cancel, Acknowledged) and isinstance(outcome.new, Refused):
            self._books.alert(
                f"half-replaced:{new.replaces}",
                Severity.Warning,
                f"order {new.replaces} was cancelled and what should replace it refused: nothing of it is working",
            )

    def _queried(self, answer: QueryAnswer) -> None:
        question = self._doubts.answered(answer.client_order_id)
        order = self._books.order(answer.client_order_id)
        if order is None:
            return
        if answer.failed is None and answer.report is not None:
            self._progress.absorb(answer.report)
        if question is None:
            return  # we gave it up as lost, so it says nothing of when
        order = self._books.latest(order)
        if answer.failed is None and answer.report is None:
            self._progress.shown_absent(order, question)
        elif answer.failed is None and not order.is_dead:
            self._cancels.shown_open(order, question.asked_at)
            self._doubts.shown_open(order, question)
        if question.is_outdated and not self._books.latest(order).is_dead:
            self._doubts.ask(self._books.latest(order))

    # -- looks, halts and time --------------------------------------------------------------------------------------------

    def _reconcile(self, message: Reconciliation) -> None:
        self._reconciler.compare(message)
        shown = {report.client_order_id for report in message.state.open_orders}
        if self._sweep is not None and self._sweep.confirm(message.state.taken_at, shown):
            self._flatten_at = self._books.elapsed if self._sweep.level is HaltLevel.Flatten else None
            self._sweep = None

    def _halt(self, message: HaltNow) -> None:
        self._flatten_at = None
        if message.level not in SWEEPING:
            self._sweep = None
            return
        if self._sweep is None or self._sweep.level is not message.level:
            by = OperatorId(message.by)
            self._sweep = Sweep(self._books, self._cancels, self._doubts, message.level, by)
        self._sweep.advance()

    def _tick(self) -> None:
        self._doubts.tick()
        self._progress.tick()
        self._reconciler.tick()
        self._cancels.send_due()
        if self._sweep is not None:
            self._sweep.advance()
        if self._flatten_at is not None and self._flatten_at <= self._books.elapsed:
            self._flatten()

    def _flatten(self) -> None:
        """Close what is still held, and look again later: a refusal now, of a stale book say, is not for ever."""
        if self._books.ours():
            return  # an order of the last try still works, or is in doubt
        commands = flattening(self._books, self._new_id)
        self._flatten_at = self._books.elapsed + FLATTEN_AGAIN_NS if commands else None
        for command in commands:
            self._place(command)


def _words_of(refusal: Refused) -> str:
    return f"venue {refusal.code}: {refusal.text}"


def _second_leg(outcome: ReplaceOutcome) -> Outcome:
    """What became of the new order of a replace; without its cancel it was not attempted."""
    if outcome.new is not None:
        return outcome.new
    if isinstance(outcome.cancel, Refused):
        text = f"not attempted: the cancel was refused, {_words_of(outcome.cancel)}"
        return msgspec.structs.replace(outcome.cancel, request_id=outcome.request_id, text=text)
    return Unproven(request_id=outcome.request_id, cause="half an answer")
