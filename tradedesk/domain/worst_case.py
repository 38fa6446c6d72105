"""The worst a position can become if everything that may be live trades (5.4)."""

from collections.abc import Iterable
from decimal import Decimal

from msgspec import Struct

from tradedesk.domain.orders import Order
from tradedesk.domain.words import ClientOrderId, Side


class Interval(Struct, frozen=True, kw_only=True):
    """Where the position may end, in base units: `low` if every sell trades, `high` if every buy does."""

    low: Decimal
    high: Decimal


def worst_case(qty: Decimal, orders: Iterable[Order]) -> Interval:
    """The interval around `qty`. Pending, unknown and external orders count in full; of a replace the larger leg counts.

    So it does of a stop and the order it became (F47). An amend in place counts as the order is until it is proved.
    """
    live = {order.client_order_id: order for order in orders if not order.is_dead}
    legs: dict[ClientOrderId, Order] = {}  # of each order and all that were to replace it, one can be live: the largest
    for order in live.values():
        first, seen = order, {order.client_order_id}
        while (parent := first.replaces or first.triggered_by) is not None and parent in live and parent not in seen:
            first = live[parent]
            seen.add(parent)
        known = legs.get(first.client_order_id)
        if known is None or order.leaves_qty > known.leaves_qty:
            legs[first.client_order_id] = order
    buys = sum((order.leaves_qty for order in legs.values() if order.side is Side.Buy), Decimal(0))
    sells = sum((order.leaves_qty for order in legs.values() if order.side is Side.Sell), Decimal(0))
    return Interval(low=qty - sells, high=qty + buys)
