"""Amends: in place where the venue can, else as cancel and replace, counted so that the total is never more than asked."""

from decimal import Decimal

import msgspec
from msgspec import Struct

from tradedesk.domain import orders as rules
from tradedesk.domain.accounts import Account
from tradedesk.domain.alerts import Severity
from tradedesk.domain.commands import AmendOrder, PlaceOrder
from tradedesk.domain.gate import Approved, Denied
from tradedesk.domain.money import plain
from tradedesk.domain.orders import AmendBy, Order, OrdStatus, Request, RequestKind, RequestState
from tradedesk.domain.outcomes import Acknowledged, NotSent, Refused, Unproven
from tradedesk.domain.words import ClientOrderId, OperatorId, OrderType, RequestId
from tradedesk.orders.books import Books
from tradedesk.orders.cancels import Cancels
from tradedesk.orders.doubts import OPEN_REQUEST, Doubts
from tradedesk.orders.messages import Check, Send
from tradedesk.orders.progress import Progress, contradiction


class InTurn(Struct, kw_only=True):
    """A cancel, and the order to be placed once it is proved how much of the old one has traded."""

    command: AmendOrder
    old: ClientOrderId
    request_id: RequestId
    is_cancelling: bool = False  # the Gate has nothing against it, so the cancel is out


class Amends:
    """Of one account. A restart ends an amend in turn after its first leg: nothing is placed that nobody waits for."""

    def __init__(self, books: Books, cancels: Cancels, doubts: Doubts, progress: Progress, account: Account) -> None:
        self._books = books
        self._cancels = cancels
        self._doubts = doubts
        self._progress = progress
        self._account = account
        self._in_turn: dict[ClientOrderId, InTurn] = {}  # by the id of the order to be placed

    def use_account(self, account: Account) -> None:
        self._account = account

    # -- asking -----------------------------------------------------------------------------------------------------------

    def ask(self, command: AmendOrder) -> None:
        old = self._books.live.get(command.client_order_id)
        problem = self._why_not(old, command)
        if old is None or problem is not None:
            reason = problem or "no open order of ours has this id"
            self._books.refused(command.operator, command.new_client_order_id, reason)
            return
        instrument = self._books.replica.instruments.get(old.instrument)
        can_shrink = instrument is not None and instrument.can_shrink
        by = rules.how_to_amend(old, command.order_qty, command.price, can_shrink=can_shrink)
        request = Request(
            request_id=RequestId(f"{old.client_order_id}#r{len(old.requests)}"),
            kind=RequestKind.Replace,
            operator=command.operator,
            made_at=self._books.now,
            replaced_by=None if by is AmendBy.InPlace else command.new_client_order_id,
            by=by,
            order_qty=command.order_qty,
            price=command.price,
            from_qty=old.order_qty,
        )
        if by is AmendBy.InPlace:
            smaller = msgspec.structs.replace(
                old, order_qty=command.order_qty, deadline=command.deadline, operator=command.operator
            )
            self._books.made(old, request)
            self._check(request.request_id, smaller, old)
            return
        new = self._successor(old, command)
        self._books.made(old, request)
        if by is AmendBy.CancelReplace:
            self._books.placed(new)
        else:
            self._in_turn[new.client_order_id] = InTurn(
                command=command, old=old.client_order_id, request_id=request.request_id
            )
        self._check(new.requests[0].request_id, new, old)

    def _check(self, request_id: RequestId, order: Order, replaces: Order | None) -> None:
        self._books.effects.append(Check(request_id=request_id, order=order, replaces=replaces))

    def _why_not(self, old: Order | None, command: AmendOrder) -> str | None:
        if old is None or old.is_external:
            return "no open order of ours has this id"
        if command.new_client_order_id in self._books.known_ids or command.new_client_order_id in self._in_turn:
            return "the new client order id was used before"
        if old.order_type is not OrderType.Limit:
            return "only limit orders can be amended"
        if any(request.state in OPEN_REQUEST for request in old.requests) or old.client_order_id in self._cancels:
            return "a request about this order is still open; wait for its answer"
        if command.order_qty <= old.cum_qty:
            return f"{plain(old.cum_qty)} of it is filled already; enter a larger quantity, or cancel the rest"
        if (command.order_qty, command.price) == (old.order_qty, old.price):
            return "it has this quantity and price already"
        return None

    def _successor(self, old: Order, command: AmendOrder) -> Order:
        return new_order(
            self._account,
            command.new_client_order_id,
            command.operator,
            command.order_qty - old.cum_qty,
            command.price,
            command.deadline,
            template=old,
            asked=command,
            now=self._books.now,
            replaces=old.client_order_id,
        )

    # -- what the Gate says -----------------------------------------------------------------------------------------------

    def approved(self, approved: Approved) -> None:
        """Send it; of an amend in turn, which the Gate sees twice, the first yes sends the cancel."""
        waiting = self._in_turn.get(approved.order.client_order_id)
        if waiting is None:
            self._books.effects.append(Send(approved=approved))
            return
        old = self._books.live.get(waiting.old)
        waiting.is_cancelling = True
        if old is not None:
            self._cancels.want(old, waiting.command.operator)
            self._cancels.send_due()

    def denied(self, denied: Denied) -> bool:
        """Whether the no was about an amend whose order is not placed, or is placed already: nothing else is touched."""
        reasons = tuple(denial.text for denial in denied.denials)
        waiting = self._in_turn.pop(denied.client_order_id, None)
        if waiting is not None:
            self._end(waiting, RequestState.Denied, *reasons)
            return True
        found = self._books.find(denied.request_id)
        if found is None or found[1].by is not AmendBy.InPlace:
            return False
        self._books.decided(found[0], denied.request_id, RequestState.Denied, *reasons)
        return True

    # -- in turn ----------------------------------------------------------------------------------------------------------

    def advance(self) -> None:
        """Place what waits for a cancel that is proved by now."""
        for key, waiting in list(self._in_turn.items()):
            old = self._books.order(waiting.old)
            if waiting.is_cancelling and (old is None or old.is_dead):
                del self._in_turn[key]
                self._second_leg(waiting, old)

    def _second_leg(self, waiting: InTurn, old: Order | None) -> None:
        command = waiting.command
        if old is None or old.cum_qty >= command.order_qty or old.ord_status is OrdStatus.Filled:
            self._end(waiting, RequestState.Refused, "it was filled before it could be cancelled")
            return
        new = self._successor(old, command)
        self._books.placed(new)
        self._check(new.requests[0].request_id, new, None)

    def is_second_leg(self, order: Order) -> bool:
        """Whether the order it replaces had to be dead before this one was made."""
        old = self._books.order(order.replaces)
        request = None if old is None else _request_for(old, order.client_order_id)
        return request is not None and request.by is AmendBy.CancelThenPlace

    def forget(self, old: ClientOrderId, why: str) -> None:
        """Somebody wants the order gone: nothing takes its place any more."""
        for key, waiting in list(self._in_turn.items()):
            if waiting.old == old:
                del self._in_turn[key]
                self._end(waiting, RequestState.Denied, why)

    def _end(self, waiting: InTurn, state: RequestState, *reasons: str) -> None:
        old = self._books.order(waiting.old)
        if old is not None:
            self._books.decided(old, waiting.request_id, state, *reasons)
        command = waiting.command
        self._books.refused(command.operator, command.new_client_order_id, "; ".join(reasons))

    def half_done(self, old: Order | None, why: str) -> None:
        """The old order is cancelled and nothing takes its place: somebody must know that nothing is working."""
        if old is not None:
            self._books.alert(
                f"half-replaced:{old.client_order_id}",
                Severity.Warning,
                f"order {old.client_order_id} is cancelled, and {why}: nothing of it is working",
            )

    # -- in place ---------------------------------------------------------------------------------------------------------

    def answered(self, order: Order, request: Request, answer: Acknowledged | Refused | Unproven | NotSent) -> None:
        match answer:
            case Acknowledged():
                self._done(order, request, answer)
            case Refused():
                reason = f"venue {answer.code}: {answer.text}"
                self._books.decided(order, request.request_id, RequestState.Refused, reason)
                if not order.is_dead and not answer.is_auth:
                    self._doubts.ask(order)  # filled or gone meanwhile, perhaps: it does not say how it stands
            case Unproven():
                self._in_doubt(order, request.request_id, answer.cause)
            case NotSent():
                self._books.decided(order, request.request_id, RequestState.Denied, answer.reason)

    def _done(self, order: Order, request: Request, answer: Acknowledged) -> None:
        report = answer.report
        if report is not None:
            if report.order_qty not in (None, request.order_qty) or contradiction(order, report) is not None:
                self._in_doubt(order, request.request_id, "the answer contradicts what was asked")
                return
            self._progress.absorb(report)
        if request.order_qty is not None:
            self._progress.amended(self._books.latest(order), request.request_id, request.order_qty)

    def _in_doubt(self, order: Order, request_id: RequestId, cause: str) -> None:
        self._books.decided(order, request_id, RequestState.Unknown, cause)
        self._cancels.close(self._books.latest(order))
        self._doubts.add(order, request_id)


def _request_for(old: Order, new: ClientOrderId) -> Request | None:
    return next((request for request in old.requests if request.replaced_by == new), None)


def new_order(
    account: Account,
    client_order_id: ClientOrderId,
    operator: OperatorId,
    order_qty: Decimal,
    price: Decimal | None,
    deadline: int,
    *,
    template: PlaceOrder | Order,
    asked: AmendOrder | None = None,
    now: int,
    replaces: ClientOrderId | None = None,
) -> Order:
    """An intent with its birth pending; what is not named is as in `template`, what was confirmed as in `asked`."""
    birth = Request(request_id=RequestId(client_order_id), kind=RequestKind.New, operator=operator, made_at=now)
    return Order(
        account=account.id,
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
        confirm=template.confirm if asked is None else asked.confirm,
        is_risk=template.is_risk if asked is None else asked.is_risk,
        egress=account.leaves_by or account.egress,
        key=account.key,
        placed_at=now,
        deadline=deadline,
        requests=(birth,),
        replaces=replaces,
        updated_at=now,
    )
