"""The ladder's arithmetic: a fixed axis of price steps, the book and our own orders gathered onto it. Pure."""

from collections.abc import Iterable, Sequence
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from msgspec import Struct

from tradedesk.domain.orders import Order
from tradedesk.domain.words import Side

Levels = Sequence[tuple[Decimal, Decimal]]

FITTED_LEVELS = 12  # of each side that the first step makes room for


class Own(Struct, frozen=True, kw_only=True):
    """What we have working on one step of one side."""

    count: int
    leaves: Decimal
    is_uncertain: bool


def step_at(tick: Decimal, zoom: int) -> Decimal:
    """The step `zoom` (>= 0) sizes above the tick: 1, 2, 5, 10, 20, 50 ... ticks."""
    return tick * (1, 2, 5)[zoom % 3] * Decimal(10) ** (zoom // 3)


def fitting_zoom(bids: Levels, asks: Levels, tick: Decimal, rows: int) -> int:
    """The finest step at which the best levels of both sides fit into `rows` (> 0)."""
    near = [*bids[:FITTED_LEVELS], *asks[:FITTED_LEVELS]]
    if not near:
        return 0
    span = max(price for price, _ in near) - min(price for price, _ in near)
    zoom = 0
    while span / step_at(tick, zoom) > rows and zoom < 30:
        zoom += 1
    return zoom


def index_of(price: Decimal, step: Decimal, side: Side) -> int:
    """The step a price belongs to; never better than it is: bids go down, asks up."""
    return int((price / step).to_integral_value(ROUND_FLOOR if side is Side.Buy else ROUND_CEILING))


def gathered(levels: Levels, step: Decimal, side: Side) -> dict[int, Decimal]:
    """Quantities by step."""
    sums: dict[int, Decimal] = {}
    for price, quantity in levels:
        index = index_of(price, step, side)
        sums[index] = sums.get(index, Decimal(0)) + quantity
    return sums


def own_levels(orders: Iterable[Order], step: Decimal) -> dict[tuple[Side, int], Own]:
    """Our working limit orders by side and step."""
    sums: dict[tuple[Side, int], Own] = {}
    for order in orders:
        if order.price is None:
            continue
        key = (order.side, index_of(order.price, step, order.side))
        before = sums.get(key, Own(count=0, leaves=Decimal(0), is_uncertain=False))
        sums[key] = Own(
            count=before.count + 1,
            leaves=before.leaves + order.leaves_qty,
            is_uncertain=before.is_uncertain or order.is_uncertain,
        )
    return sums


def centred_top(bid: int | None, ask: int | None, rows: int) -> int | None:
    """The index of the top row that puts the touch into the middle; None without a price."""
    if bid is None and ask is None:
        return None
    best_bid = bid if bid is not None else (ask or 0) - 1
    best_ask = ask if ask is not None else best_bid + 1
    return (best_bid + best_ask + 1) // 2 + rows // 2 - (1 if rows % 2 == 0 else 0)


def is_off_centre(top: int, rows: int, bid: int | None, ask: int | None) -> bool:
    """Whether the touch has come so near an edge that the axis should move."""
    margin = rows // 6
    low, high = top - rows + 1 + margin, top - margin
    return any(index is not None and not low <= index <= high for index in (bid, ask))
