"""Virtual time: actions run in the order of their times, those of one moment in an order drawn from the seed."""

from collections.abc import Callable
from heapq import heappop, heappush
from itertools import count
from random import Random

from tradedesk.clock import ManualClock

MS = 1_000_000  # ns
SECOND = 1_000 * MS


class Scheduler:
    def __init__(self, clock: ManualClock, chance: Random) -> None:
        self.clock = clock
        self._chance = chance
        self._heap: list[tuple[int, float, int, Callable[[], None]]] = []
        self._numbers = count()

    def after(self, ns: int, action: Callable[[], None]) -> None:
        """Run `action` once, `ns` (>= 0) from now."""
        due = self.clock.monotonic() + ns
        heappush(self._heap, (due, self._chance.random(), next(self._numbers), action))

    def every(self, ns: int, action: Callable[[], None]) -> None:
        def again() -> None:
            action()
            self.after(ns, again)

        self.after(ns, again)

    def run(self, ns: int) -> None:
        """Let `ns` go by."""
        until = self.clock.monotonic() + ns
        while self._heap and self._heap[0][0] <= until:
            due, _, _, action = heappop(self._heap)
            self.clock.advance(due - self.clock.monotonic())
            action()
        self.clock.advance(until - self.clock.monotonic())
