"""The cancels somebody wants: each is sent, and sent again, until its order is dead."""

from msgspec import Struct

from tradedesk.domain.alerts import Severity
from tradedesk.domain.gate import CancelTicket
from tradedesk.domain.orders import AmendBy, Order, OrdStatus, Request, RequestKind, RequestState
from tradedesk.domain.words import ClientOrderId, OperatorId, RequestId
from tradedesk.orders.books import MS, Books
from tradedesk.orders.messages import SendCancel

AGAIN_NS = 1_000 * MS  # between two cancels of one order that the venue shows open
BLIND_NS = 10_000 * MS  # likewise where the venue shows nothing; twice as long each time, so that nothing grows
LONGEST_NS = 160_000 * MS
TOLD_NS = 5_000 * MS  # a cancel that is not confirmed by then is an alert (F45)


class Wanted(Struct, kw_only=True):
    """A cancel somebody wants: it survives a lost request, and ends only when the order is dead.

    All in ns of the monotonic clock.
    """

    operator: OperatorId
    since: int
    due: int
    sent: int = 0  # the newest
    blind: int = BLIND_NS  # how long to wait after the next one of which nothing is known
    held: int = AGAIN_NS  # how long after the next one that was not sent
    is_told: bool = False


class Cancels:
    """Who wants what cancelled. What the answers prove is told to it; it asks nothing itself."""

    def __init__(self, books: Books) -> None:
        self._books = books
        self._wanted: dict[ClientOrderId, Wanted] = {}

    def __contains__(self, client_order_id: ClientOrderId) -> bool:
        return client_order_id in self._wanted

    def want(self, order: Order, operator: OperatorId) -> None:
        now = self._books.elapsed
        self._wanted.setdefault(order.client_order_id, Wanted(operator=operator, since=now, due=now))

    def send_due(self) -> None:
        now = self._books.elapsed
        for client_order_id, wanted in list(self._wanted.items()):
            order = self._books.live.get(client_order_id)
            if order is None:
                del self._wanted[client_order_id]
                continue
            if not wanted.is_told and now >= wanted.since + TOLD_NS:
                wanted.is_told = True
                self._books.alert(
                    f"cancel-unconfirmed:{client_order_id}",
                    Severity.Critical,
                    f"the cancel of order {client_order_id} is not confirmed; it is asked about and sent again",
                )
            newest = _newest(order)
            if wanted.due <= now and (newest is None or newest.state is not RequestState.Pending):
                wanted.sent, wanted.due = now, now + AGAIN_NS
                self._send(order, wanted.operator)

    def _send(self, order: Order, operator: OperatorId) -> None:
        instrument = self._books.replica.instruments.get(order.instrument)
        if instrument is None:
            text = f"{order.instrument}: unknown instrument, cannot cancel {order.client_order_id}"
            self._books.alert("cancel", Severity.Critical, text)
            return
        request = Request(
            request_id=RequestId(f"{order.client_order_id}#c{len(order.requests)}"),
            kind=RequestKind.Cancel,
            operator=operator,
            made_at=self._books.now,
        )
        self._books.made(order, request)
        ticket = CancelTicket(request_id=request.request_id, order=order, instrument=instrument)
        self._books.effects.append(SendCancel(ticket=ticket))

    def unproven(self, order: Order) -> None:
        """Nothing is known of the last one: wait for the venue to show the order open, or for long."""
        wanted = self._wanted.get(order.client_order_id)
        if wanted is not None:
            wanted.due = self._books.elapsed + wanted.blind
            wanted.blind = min(2 * wanted.blind, LONGEST_NS)

    def kept_back(self, order: Order) -> None:
        """The last one was never sent, an exit being banned say: try again soon, and less often the longer it lasts."""
        wanted = self._wanted.get(order.client_order_id)
        if wanted is not None:
            wanted.due = self._books.elapsed + wanted.held
            wanted.held = min(2 * wanted.held, LONGEST_NS)

    def shown_open(self, order: Order, asked_at: int) -> None:
        """It was open at `asked_at` (ns) though somebody wants it cancelled: cancel again, which is safe (F45)."""
        newest, wanted = _newest(order), self._wanted.get(order.client_order_id)
        if newest is not None and wanted is not None and asked_at > newest.made_at:
            wanted.due = min(wanted.due, wanted.sent + AGAIN_NS)

    def close(self, order: Order) -> None:
        """What was asked of an order that is dead has its answer; what is pending will be answered for itself."""
        if not order.is_dead:
            return
        wanted = self._wanted.pop(order.client_order_id, None)
        if wanted is not None and wanted.is_told:
            self._books.alert_ended(f"cancel-unconfirmed:{order.client_order_id}")
        for request in order.requests:
            if request.state is not RequestState.Unknown:
                continue
            if request.kind is not RequestKind.Cancel and request.by is not AmendBy.InPlace:
                continue
            if order.ord_status is OrdStatus.Canceled and request.kind is RequestKind.Cancel:
                self._books.decided(order, request.request_id, RequestState.Acknowledged)
            else:
                reason = f"the order was {order.ord_status}"
                self._books.decided(order, request.request_id, RequestState.Refused, reason)


def _newest(order: Order) -> Request | None:
    return next((request for request in reversed(order.requests) if request.kind is RequestKind.Cancel), None)
