"""After a restart: what the journal holds half. One decision makes several records, and a crash may keep only the first."""

from tradedesk.domain.orders import Happening, Order, OrdStatus, Request, RequestKind, RequestState, request_of
from tradedesk.domain.words import RequestId
from tradedesk.orders.books import Books
from tradedesk.orders.doubts import OPEN_REQUEST
from tradedesk.orders.progress import Progress

FOLLOWS = {  # what became of an order's birth -> what that makes of an order of which nothing else is recorded
    RequestState.Denied: Happening.Denied,
    RequestState.Refused: Happening.Rejected,
    RequestState.NeverArrived: Happening.ProvedAbsent,
}


def complete(books: Books, progress: Progress, order: Order) -> None:
    """Let follow what must have followed: else an order that never left hangs for ever, and a halt never ends its sweep."""
    birth = request_of(order, RequestId(order.client_order_id))
    if birth is None:
        return  # of other software
    if order.ord_status is not OrdStatus.PendingNew and birth.state in OPEN_REQUEST:
        books.decided(order, birth.request_id, RequestState.Acknowledged)  # the venue has spoken of it
    elif order.ord_status is OrdStatus.PendingNew and (happening := FOLLOWS.get(birth.state)) is not None:
        progress.move(order, happening, "; ".join(birth.reasons) or None)
    birth = request_of(books.latest(order), birth.request_id) or birth
    old = books.order(order.replaces)
    if old is None or birth.state in OPEN_REQUEST:
        return
    for request in old.requests:
        if _is_for(request, order):
            books.decided(old, request.request_id, birth.state, *birth.reasons)


def _is_for(request: Request, new: Order) -> bool:
    return request.kind is RequestKind.Replace and request.replaced_by == new.client_order_id
