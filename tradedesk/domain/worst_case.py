"""The worst a position can become if everything that may be live trades (5.4)."""

from collections.abc import Iterable
from decimal import Decimal

from msgspec import Struct

from tradedesk.domain.orders import Order
from tradedesk.domain.words import Side


class Interval(Struct, frozen=True, kw_only=True):
    """Where the position may end, in base units: `low` if every sell trades, `high` if every buy does."""

    low: Decimal
    high: Decimal


def worst_case(qty: Decimal, orders: Iterable[Order]) -> Interval:
    """The interval around `qty`. Pending, unknown and external orders count in full; of a replace the larger leg counts."""
    live = {order.client_order_id: order for order in orders if not order.is_dead}
    buys = sells = Decimal(0)
    for order in live.values():
        if order.replaces is not None and order.replaces in live:
            continue  # counted with the order it replaces
        successor = live.get(order.replaced_by) if order.replaced_by is not None else None
        leaves = max(order.leaves_qty, successor.leaves_qty if successor is not None else Decimal(0))
        if order.side is Side.Buy:
            buys += leaves
        else:
            sells += leaves
    return Interval(low=qty - sells, high=qty + buys)
