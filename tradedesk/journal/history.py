"""The life of one order as the journal tells it: who asked what and when, what the Gate and the venue said. Pure."""

from collections.abc import Callable, Iterable

from msgspec import Struct

from tradedesk.domain.events import (
    DurableEvent,
    EventBase,
    LimitPassed,
    OrderChanged,
    OrderFilled,
    OrderMoved,
    OrderPlaced,
    RequestDecided,
    RequestMade,
)
from tradedesk.domain.money import plain
from tradedesk.domain.orders import Order
from tradedesk.domain.words import ClientOrderId


class Step(Struct, frozen=True, kw_only=True):
    """One thing that happened to an order."""

    record: int  # its number in the journal
    order: ClientOrderId  # an order and those that replaced it are told together
    at: int  # our clock, ns since the epoch
    took: int | None  # ns: a decision since its request was made, the venue's words since the order was recorded
    source: str  # who recorded it: worker:acme, desk
    what: str  # placed, cancel, replace, Acknowledged, Refused, Denied, Accepted, traded, ...
    detail: str


def life(read: Callable[[], Iterable[tuple[int, DurableEvent]]], wanted: str) -> list[Step]:
    """Every step of the order with this client or venue order id, and of those it replaced or was replaced by.

    Oldest first; nothing if the journal knows no such order. `read` is called twice: a journal may be longer than memory.
    """
    chain = _chain(read(), wanted)
    if not chain:
        return []
    began: dict[str, int] = {}  # when each order was recorded and each request made, by its id
    steps: list[Step] = []
    for number, event in read():
        told = _told(event)
        if told is None or told[0] not in chain:
            continue
        assert isinstance(event, EventBase)
        match event:
            case OrderPlaced(order=order):
                began[told[0]] = event.at
                began |= {request.request_id: event.at for request in order.requests}
                since = None
            case RequestMade(request=request):
                began[request.request_id] = event.at
                since = None
            case RequestDecided():
                since = began.get(event.request_id)
            case _:
                since = began.get(told[0])
        steps.append(
            Step(
                record=number,
                order=told[0],
                at=event.at,
                took=None if since is None else event.at - since,
                source=event.source,
                what=told[1],
                detail=told[2],
            )
        )
    return steps


def _chain(events: Iterable[tuple[int, DurableEvent]], wanted: str) -> set[ClientOrderId]:
    """The client order ids that belong together: the one that is meant, and its replacements in both directions."""
    links: list[tuple[ClientOrderId, ClientOrderId]] = []
    found: set[ClientOrderId] = set()
    for _, event in events:
        match event:
            case OrderPlaced(order=order):
                if wanted in (order.client_order_id, order.venue_order_id):
                    found.add(order.client_order_id)
                if order.replaces is not None:
                    links.append((order.replaces, order.client_order_id))
            case OrderMoved(venue_order_id=venue) if venue == wanted:
                found.add(event.client_order_id)
            case OrderFilled(fill=fill) if wanted in (fill.client_order_id, fill.venue_order_id):
                found.add(fill.client_order_id)
    grows = True
    while grows:
        before = len(found)
        for one, other in links:
            if one in found or other in found:
                found |= {one, other}
        grows = len(found) > before
    return found


def _told(event: DurableEvent) -> tuple[ClientOrderId, str, str] | None:
    """(order, what, detail) of an event about an order; None for all others."""
    match event:
        case OrderPlaced(order=order):
            return order.client_order_id, "external" if order.is_external else "placed", _ticket(order)
        case RequestMade(request=request):
            heir = "" if request.replaced_by is None else f", replaced by {request.replaced_by}"
            detail = f"asked by {request.operator}, request {request.request_id}{heir}"
            return event.client_order_id, request.kind.value, detail
        case RequestDecided(reasons=reasons):
            said = "; ".join(reasons)
            return event.client_order_id, event.state.value, f"request {event.request_id}{f': {said}' if said else ''}"
        case LimitPassed():
            return event.client_order_id, "passed", f"{'; '.join(event.limits)}; {event.by}: {event.reason}"
        case OrderMoved():
            venue = "" if event.venue_order_id is None else f"venue order {event.venue_order_id}"
            detail = ": ".join(part for part in (venue, event.reason) if part)
            return event.client_order_id, event.happening.value, detail
        case OrderChanged():
            news = (
                None if event.order_qty is None else f"quantity {plain(event.order_qty)}",
                None if event.known_as is None else f"known to the venue as {event.known_as}",
                None if event.triggered_by is None else f"triggered by {event.triggered_by}",
            )
            return event.client_order_id, "changed", ", ".join(part for part in news if part)
        case OrderFilled(fill=fill):
            fee = "fee not yet known" if fill.fee is None else f"fee {plain(fill.fee.amount)} {fill.fee.currency}"
            maker = "maker" if fill.is_maker else "taker"
            detail = f"{plain(fill.last_qty)} @ {plain(fill.last_px)}, {fee}, {maker}, trade {fill.trade_id}"
            return fill.client_order_id, "traded", detail
        case _:
            return None


def _ticket(order: Order) -> str:
    price = "market" if order.price is None else f"@ {plain(order.price)}"
    flags = "".join(
        f" {name}" for name, is_set in (("post-only", order.post_only), ("reduce-only", order.reduce_only)) if is_set
    )
    by = (
        "other software"
        if order.is_external
        else f"{order.operator}, exit {order.egress}, key {order.key or 'unknown'}"
    )
    replaces = "" if order.replaces is None else f", replaces {order.replaces}"
    block = "" if order.block is None else f", block {order.block}"
    return (
        f"{order.account}: {order.side.value} {plain(order.order_qty)} {order.instrument} {price}"
        f" {order.time_in_force.value}{flags}, by {by}{block}{replaces}"
    )
