"""The orders of one instrument that wait for a price: which of them a trade sets off. Prices in ticks, times in ns.

A stop waits on the losing side, a take-profit on the winning one: sell stops and buy take-profits fire at or below their
price, the other two at or above. A trailing one fires when the price has turned by its delta (basis points) from the best
it has seen since it began to look: at once if it has no stop price, else from the trade that reaches it (the venue's
trailing stop page, 2026).
"""

from bisect import bisect_left, insort

BASIS = 10_000  # basis points in one


class Trigger:
    """What one order waits for."""

    __slots__ = ("best", "delta", "is_above", "is_buy", "key", "owner", "since", "stop")

    def __init__(self, key: int, *, is_buy: bool, is_stop: bool, stop: int, delta: int, owner: object) -> None:
        self.key = key  # the order's id: of two that fire at one trade the older comes first
        self.is_buy = is_buy
        self.is_above = is_buy == is_stop  # fires, or begins to trail, at or above `stop`
        self.stop = stop  # 0 if it only trails
        self.delta = delta  # 0 if it does not trail
        self.owner = owner
        self.best: int | None = None  # lowest (buy) or highest (sell) price since it trails
        self.since: int | None = None

    def is_reached(self, price: int) -> bool:
        """Whether the stop price is."""
        return price >= self.stop if self.is_above else price <= self.stop

    def has_turned(self, price: int) -> bool:
        """Whether a price is as far from the best as the delta; a better one becomes the best."""
        if self.best is None or (price < self.best if self.is_buy else price > self.best):
            self.best = price
        if self.is_buy:
            return price * BASIS >= self.best * (BASIS + self.delta)
        return price * BASIS <= self.best * (BASIS - self.delta)


class Triggers:
    """All that wait in one instrument. `by_key` is empty where nothing does, so that a trade need not ask."""

    __slots__ = ("_above", "_below", "_trailing", "by_key")

    def __init__(self) -> None:
        self.by_key: dict[int, Trigger] = {}
        self._above: list[tuple[int, int]] = []  # (stop, key), the first to be reached first
        self._below: list[tuple[int, int]] = []  # (-stop, key)
        self._trailing: dict[int, Trigger] = {}

    def arm(self, trigger: Trigger, last: int | None, now: int) -> None:
        """Wait from now on; `last` is the newest price, None before any."""
        self.by_key[trigger.key] = trigger
        if trigger.since is not None:  # it trailed already, before a restart
            self._trailing[trigger.key] = trigger
        elif trigger.stop:
            insort(self._above if trigger.is_above else self._below, _place(trigger))
        else:
            trigger.since = now
            trigger.best = last
            self._trailing[trigger.key] = trigger

    def disarm(self, key: int) -> None:
        """Nothing happens if it does not wait."""
        trigger = self.by_key.pop(key, None)
        if trigger is not None and self._trailing.pop(key, None) is None:
            side = self._above if trigger.is_above else self._below
            del side[bisect_left(side, _place(trigger))]

    def traded(self, price: int, now: int) -> list[Trigger]:
        """Those that a trade at `price` sets off, oldest first; they wait no more."""
        fired = [trigger for trigger in self._trailing.values() if trigger.has_turned(price)]
        for side, reach in ((self._above, price), (self._below, -price)):
            while side and side[0][0] <= reach:
                trigger = self.by_key[side.pop(0)[1]]
                if trigger.delta:
                    trigger.since, trigger.best = now, price
                    self._trailing[trigger.key] = trigger
                else:
                    fired.append(trigger)
        for trigger in fired:
            self._trailing.pop(trigger.key, None)
            del self.by_key[trigger.key]
        return sorted(fired, key=lambda trigger: trigger.key)


def _place(trigger: Trigger) -> tuple[int, int]:
    return (trigger.stop if trigger.is_above else -trigger.stop), trigger.key
