"""An account's live orders in sums, so that a decision costs the same with ten thousand of them as with none."""

from collections import defaultdict
from collections.abc import Collection, Iterable
from decimal import Decimal

from tradedesk.domain.orders import Order, OrdStatus
from tradedesk.domain.words import ClientOrderId, InstrumentId, Side
from tradedesk.domain.worst_case import Interval, worst_case

ZERO = Decimal(0)


class Working:
    """Follows the live orders one by one. Says of all but some what going through them would say.

    An order that replaces or follows another live one is judged with its family by the rule itself (5.4); of those that
    stand alone, which is nearly all, only the sums are kept.
    """

    def __init__(self, orders: Iterable[Order] = ()) -> None:
        self._orders: dict[ClientOrderId, Order] = {}
        self._alone: dict[ClientOrderId, Order] = {}  # those that the sums hold
        self._sums: defaultdict[tuple[InstrumentId, Side], Decimal] = defaultdict(Decimal)  # of what is left of them
        self._families: defaultdict[InstrumentId, dict[ClientOrderId, Order]] = defaultdict(dict)  # all others
        self._heirs: dict[ClientOrderId, set[ClientOrderId]] = {}  # live orders that name this one, live or not
        self._unplaced: dict[ClientOrderId, Order] = {}  # of which nothing is proved yet
        self._ours = 0
        for order in orders:
            self.put(order)

    def put(self, order: Order) -> None:
        """It is live, and as it is now."""
        key = order.client_order_id
        self.drop(key)
        self._orders[key] = order
        self._ours += not order.is_external
        if order.ord_status is OrdStatus.PendingNew:
            self._unplaced[key] = order
        parent = _parent(order)
        if parent is not None:
            self._heirs.setdefault(parent, set()).add(key)
            self._sort(parent)
        self._sort(key)
        for heir in self._heirs.get(key, ()):
            self._sort(heir)

    def drop(self, key: ClientOrderId) -> None:
        """It is live no more."""
        order = self._orders.pop(key, None)
        if order is None:
            return
        self._ours -= not order.is_external
        self._unplaced.pop(key, None)
        self._take_out(key, order)
        parent = _parent(order)
        if parent is not None:
            self._heirs[parent].discard(key)
            if not self._heirs[parent]:
                del self._heirs[parent]
            self._sort(parent)
        for heir in self._heirs.get(key, ()):
            self._sort(heir)

    def worst(self, instrument: InstrumentId, qty: Decimal, without: Collection[ClientOrderId | None] = ()) -> Interval:
        """`worst_case` around `qty` of all orders in the instrument but these."""
        family = self._families.get(instrument, {})
        inner = worst_case(qty, [order for key, order in family.items() if key not in without])
        buys, sells = self._sums.get((instrument, Side.Buy), ZERO), self._sums.get((instrument, Side.Sell), ZERO)
        for order in _those(without, self._alone):
            if order.instrument == instrument and order.side is Side.Buy:
                buys -= order.leaves_qty
            elif order.instrument == instrument:
                sells -= order.leaves_qty
        return Interval(low=inner.low - sells, high=inner.high + buys)

    def ours(self, without: Collection[ClientOrderId | None] = ()) -> int:
        """How many orders of this desk, but these."""
        return self._ours - sum(not order.is_external for order in _those(without, self._orders))

    def unplaced(self, without: Collection[ClientOrderId | None] = ()) -> list[Order]:
        """Those that may not be on the book yet, so that the venue holds nothing for them; but these."""
        return [order for key, order in self._unplaced.items() if key not in without]

    def _sort(self, key: ClientOrderId) -> None:
        """Put it into the sums, or to its family."""
        order = self._orders.get(key)
        if order is None:
            return
        self._take_out(key, order)
        if _parent(order) in self._orders or self._heirs.get(key):
            self._families[order.instrument][key] = order
        else:
            self._alone[key] = order
            self._sums[order.instrument, order.side] += order.leaves_qty

    def _take_out(self, key: ClientOrderId, order: Order) -> None:
        if self._alone.pop(key, None) is not None:
            self._sums[order.instrument, order.side] -= order.leaves_qty
        else:
            self._families[order.instrument].pop(key, None)


def _parent(order: Order) -> ClientOrderId | None:
    return order.replaces or order.triggered_by


def _those(keys: Collection[ClientOrderId | None], orders: dict[ClientOrderId, Order]) -> list[Order]:
    return [orders[key] for key in set(keys) if key is not None and key in orders]
