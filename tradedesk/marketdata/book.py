"""A book kept from a snapshot and numbered updates: joined, in sequence, or known not to be. Knows no clock and no socket."""

from bisect import bisect_left, insort
from collections import deque
from decimal import Decimal
from enum import Enum, auto

from tradedesk.venues.feed import DepthDiff, DepthSnapshot, Levels

MOST_LEVELS = 5_000  # a side; the worst beyond it are dropped (5.13)
MOST_WAITING = 1_000  # updates kept for a snapshot that is on its way: 100 s of them


class Step(Enum):
    """What became of a snapshot or an update."""

    Applied = auto()
    Waiting = auto()  # kept until a snapshot comes
    Old = auto()  # holds nothing new
    Gap = auto()  # something between is missing: what the book shows is not the market any more


class _Side:
    """Prices of one side in ascending order, with their quantities."""

    def __init__(self, *, best_is_highest: bool) -> None:
        self.prices: list[Decimal] = []
        self.quantities: dict[Decimal, Decimal] = {}
        self._best_is_highest = best_is_highest

    def replace(self, levels: Levels) -> None:
        self.quantities = {price: quantity for price, quantity in levels if quantity}
        self.prices = sorted(self.quantities)

    def update(self, levels: Levels) -> None:
        for price, quantity in levels:
            if quantity:
                if price not in self.quantities:
                    insort(self.prices, price)
                self.quantities[price] = quantity
            elif self.quantities.pop(price, None) is not None:
                del self.prices[bisect_left(self.prices, price)]
        while len(self.prices) > MOST_LEVELS:
            del self.quantities[self.prices.pop(0 if self._best_is_highest else -1)]

    def top(self, count: int) -> Levels:
        prices = self.prices[: -count - 1 : -1] if self._best_is_highest else self.prices[:count]
        return tuple((price, self.quantities[price]) for price in prices)


class Book:
    """One instrument's book. `is_joined` says whether it is known to be the venue's as of update `last_id`."""

    def __init__(self) -> None:
        self._bids = _Side(best_is_highest=True)
        self._asks = _Side(best_is_highest=False)
        self._waiting: deque[DepthDiff] = deque(maxlen=MOST_WAITING)
        self.last_id: int | None = None

    @property
    def is_joined(self) -> bool:
        return self.last_id is not None

    @property
    def is_crossed(self) -> bool:
        """Whether the best bid reaches the best offer, which no market that matches can show (F51)."""
        return bool(self._bids.prices and self._asks.prices and self._bids.prices[-1] >= self._asks.prices[0])

    def lose(self) -> None:
        """Nothing is certain any more. What was shown stays visible; updates wait for a snapshot from now on."""
        self.last_id = None
        self._waiting.clear()

    def add(self, diff: DepthDiff) -> Step:
        """Apply the next update. After a Gap the book is lost, and this update waits for the snapshot."""
        if self.last_id is None:
            self._waiting.append(diff)
            return Step.Waiting
        if diff.last_id <= self.last_id:
            return Step.Old
        if diff.first_id > self.last_id + 1:
            self.lose()
            self._waiting.append(diff)
            return Step.Gap
        self._bids.update(diff.bids)
        self._asks.update(diff.asks)
        self.last_id = diff.last_id
        return Step.Applied

    def join(self, snapshot: DepthSnapshot) -> Step:
        """Start from `snapshot` and catch up with what waited. Old: it ends before the first update; take another (F53)."""
        waiting = tuple(self._waiting)
        if waiting and snapshot.last_id + 1 < waiting[0].first_id:
            return Step.Old
        self._bids.replace(snapshot.bids)
        self._asks.replace(snapshot.asks)
        self.last_id = snapshot.last_id
        self._waiting.clear()
        for index, diff in enumerate(waiting):
            if self.add(diff) is Step.Gap:
                self._waiting.extend(waiting[index + 1 :])
                return Step.Gap
        return Step.Applied

    def top(self, count: int) -> tuple[Levels, Levels]:
        """The best `count` bids and offers, best first."""
        return self._bids.top(count), self._asks.top(count)
