"""The order manager of one account: `handle(message, now) -> effects`, synchronous, no clock, no log, no lock."""

from collections.abc import Callable, Iterable

import msgspec

from tradedesk.domain import events as ev
from tradedesk.domain.accounts import Account, HaltLevel
from tradedesk.domain.commands import AmendOrder, CancelAll, CancelOrder, PlaceOrder, Settle
from tradedesk.domain.gate import Approved, Denied
from tradedesk.domain.orders import AmendBy, Happening, Order, RequestKind, RequestState
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
from tradedesk.domain.scopes import Scope
from tradedesk.domain.words import ClientOrderId, OperatorId, RequestId, is_a_kills
from tradedesk.orders.amends import Amends, new_order
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
    Tick,
)
from tradedesk.orders.progress import Progress, contradiction
from tradedesk.orders.reconcile import Reconciler
from tradedesk.orders.recovery import complete
from tradedesk.orders.sweep import FLATTEN_AGAIN_NS, SWEEPING, Clearing, Sweep, flattening
from tradedesk.orders.working import Working
from tradedesk.views.replica import Replica

MOST_CLEARINGS = 100  # cancels of everything that are under way at a time
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
        self._account = account
        self._new_id = new_id
        self._books = Books(account, info.instruments, history, now)
        self._cancels = Cancels(self._books)
        self._doubts = Doubts(self._books, info)
        self._progress = Progress(self._books, self._cancels, self._doubts)
        self._amends = Amends(self._books, self._cancels, self._doubts, self._progress, account)
        self._reconciler = Reconciler(self._books, self._doubts, self._progress, info)
        self._clearings: list[Clearing] = []
        self._sweeps: dict[Scope | None, Sweep] = {}  # by what is halted; None: the whole account

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
                self._amends.ask(message)
            case CancelOrder():
                self._cancel_one(message)
            case CancelAll():
                self._cancel_all(message)
            case Approved():
                self._amends.approved(message)
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
                self._sweeps.pop(message.scope, None)
            case Tick():
                self._tick()
        self._amends.advance()
        return self._books.effects

    def recovered(self, now: int, elapsed: int | None = None) -> list[Effect]:
        """After a restart: what was pending may have left until the very end, so it is unknown, and is asked about.

        Called once, before anything else.
        """
        self._books.begin(now, now if elapsed is None else elapsed)
        for order in list(self.books.orders.values()):
            complete(self._books, self._progress, order)
        for order in list(self.books.orders.values()):
            for request in order.requests:
                if request.kind is RequestKind.Cancel and not order.is_dead:
                    self._cancels.want(order, request.operator)
                if request.state not in OPEN_REQUEST:
                    continue
                if request.replaced_by is not None and request.replaced_by not in self._books.known_ids:
                    reason = "its new order was not recorded, so it was not sent"
                    self._books.decided(order, request.request_id, RequestState.Denied, reason)
                    if request.by is AmendBy.CancelThenPlace:
                        self._amends.half_done(order, "the desk stopped in between")
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
        if order.replaces is not None and order.replaces not in self.live and not self._amends.is_second_leg(order):
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
    def working(self) -> Working:
        """What the live orders come to, in sums."""
        return self._books.working

    @property
    def is_opened(self) -> bool:
        """Whether the account's first look was taken: what everything later is counted from."""
        return self._books.is_opened

    @property
    def trades_from(self) -> int:
        """Venue clock, ns: fills before this belong to the opening."""
        return self._books.trades_from

    def use_account(self, account: Account) -> None:
        """What was changed about the account while it trades: each order made from now on says so."""
        self._account = account
        self._amends.use_account(account)

    # -- commands ---------------------------------------------------------------------------------------------------------

    def _place(self, command: PlaceOrder) -> None:
        if command.client_order_id in self._books.known_ids:
            self._books.refused(command.operator, command.client_order_id, "this client order id was used before")
            return
        order = new_order(
            self._account,
            command.client_order_id,
            command.operator,
            command.order_qty,
            command.price,
            command.deadline,
            template=command,
            now=self._books.now,
        )
        self._books.placed(order)
        self._books.effects.append(Check(request_id=order.requests[0].request_id, order=order, replaces=None))

    def _cancel_one(self, command: CancelOrder) -> None:
        order = self.live.get(command.client_order_id)
        if order is None:
            self._books.refused(command.operator, command.client_order_id, "no open order has this id")
            return
        self._amends.forget(order.client_order_id, "the order was cancelled meanwhile")
        self._cancels.want(order, command.operator)
        self._cancels.send_due()

    def _cancel_all(self, command: CancelAll) -> None:
        """Every order in its scope that may live now; those in flight too, whenever they arrive (F44)."""
        clearing = Clearing(self._books, self._cancels, command)
        for key in clearing.orders:
            self._amends.forget(key, "the order was cancelled meanwhile")
        self._cancels.send_due()
        if len(self._clearings) >= MOST_CLEARINGS:
            reason = "the orders are being cancelled; too many such commands are under way for one more receipt"
            self._books.refused(command.operator, ClientOrderId("cancel-all"), reason)
            return
        self._clearings.append(clearing)
        clearing.advance()

    # -- answers ----------------------------------------------------------------------------------------------------------

    def _denied(self, denied: Denied) -> None:
        order = self.live.get(denied.client_order_id)
        if not self._amends.denied(denied) and order is not None:
            self._never_sent(order, denied.request_id, *(denial.text for denial in denied.denials))

    def _never_sent(self, order: Order, request_id: RequestId, *reasons: str) -> None:
        self._books.decided(order, request_id, RequestState.Denied, *reasons)
        self._progress.move(self._books.latest(order), Happening.Denied, "; ".join(reasons))
        self._progress.settle_replace(order, RequestState.Denied, *reasons)
        self._tell_half(order)

    def _tell_half(self, new: Order) -> None:
        if self._amends.is_second_leg(new):
            self._amends.half_done(self._books.order(new.replaces), "what should replace it was not taken")

    def _answered(self, answer: Outcome) -> None:
        found = self._books.find(answer.request_id)
        if found is None:
            return  # an answer to a request of an order long dead and forgotten
        order, request = found
        if request.kind is RequestKind.Cancel:
            self._cancel_answered(order, request.request_id, answer)
        elif request.by is AmendBy.InPlace:
            self._amends.answered(order, request, answer)
            if isinstance(answer, Refused):
                self._lock_out(answer)
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
                self._tell_half(order)
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
                elif not order.is_dead:
                    self._doubts.ask(order)  # taken, and nothing said of how it ended or what it traded before
                self._books.decided(order, request_id, RequestState.Acknowledged)
            case Refused():
                self._books.decided(order, request_id, RequestState.Refused, _words_of(answer))
                self._lock_out(answer)
                if not answer.is_auth and not order.is_dead:
                    self._doubts.ask(order)  # "unknown order" proves nothing about how it ended (F07)
            case Unproven():
                self._books.decided(order, request_id, RequestState.Unknown, answer.cause)
                self._cancels.close(self._books.latest(order))
                self._doubts.add(order, request_id)
                self._cancels.unproven(order)
            case NotSent():
                self._books.decided(order, request_id, RequestState.Denied, answer.reason)
                self._cancels.kept_back(order)  # nothing left, so nothing is in doubt; somebody still wants it

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
            self._amends.half_done(old, "what should replace it was refused")

    def _queried(self, answer: QueryAnswer) -> None:
        question = self._doubts.answered(answer.client_order_id)
        order = self._books.order(answer.client_order_id)
        if order is None:
            if answer.report is not None and is_a_kills(answer.client_order_id):
                self._progress.absorb(answer.report)
            return
        if answer.failed is None and answer.report is not None:
            self._progress.absorb(answer.report)
            told = self._books.reported(answer.report)
            if told is not None and told.client_order_id != order.client_order_id:
                answer = QueryAnswer(
                    client_order_id=order.client_order_id, report=None
                )  # that id of the venue's is another's now
        if question is None:
            return  # we gave it up as lost, so it says nothing of when
        order = self._books.latest(order)
        if answer.failed is None and answer.report is None:
            self._progress.shown_absent(order, question)
        elif answer.report is not None and answer.report.ord_status is not None and not order.is_dead:
            self._cancels.shown_open(order, question.asked_at)
            self._doubts.shown_open(order, question)
        if question.is_outdated and not self._books.latest(order).is_dead:
            self._doubts.ask(self._books.latest(order))

    # -- looks, halts and time --------------------------------------------------------------------------------------------

    def _reconcile(self, message: Reconciliation) -> None:
        self._reconciler.compare(message)
        shown = {report.client_order_id for report in message.state.open_orders}
        self._clearings = [one for one in self._clearings if not one.confirm(message.elapsed, shown)]
        for sweep in self._sweeps.values():
            if not sweep.is_over and sweep.confirm(message.elapsed, shown) and sweep.level is HaltLevel.Flatten:
                sweep.flatten_at = self._books.elapsed  # not during the look: the account is not Ready then

    def _halt(self, message: HaltNow) -> None:
        if message.level not in SWEEPING:
            self._sweeps.pop(message.scope, None)
            return
        sweep = self._sweeps.get(message.scope)
        if sweep is None or sweep.is_over or sweep.level is not message.level:
            by = OperatorId(message.by)
            sweep = Sweep(self._books, self._cancels, self._doubts, message.level, by, message.scope)
            self._sweeps[message.scope] = sweep
            for order in sweep.orders():
                self._amends.forget(order.client_order_id, f"trading was halted at level {message.level}")
        sweep.advance()

    def _tick(self) -> None:
        self._doubts.tick()
        self._progress.tick()
        self._reconciler.tick()
        self._cancels.send_due()
        for clearing in self._clearings:
            clearing.advance()
        for sweep in list(self._sweeps.values()):
            sweep.advance()
            if sweep.flatten_at is not None and sweep.flatten_at <= self._books.elapsed:
                self._flatten(sweep)

    def _flatten(self, sweep: Sweep) -> None:
        """Close what is still held, and look again later: a refusal now, of a stale book say, is not for ever."""
        if sweep.orders():
            return  # an order of the last try still works, or is in doubt
        commands = flattening(self._books, self._new_id, sweep.scope)
        sweep.flatten_at = self._books.elapsed + FLATTEN_AGAIN_NS if commands else None
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
