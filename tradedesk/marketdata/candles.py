"""One instrument's candles of one minute: a bounded history, revised in place. Holes stay holes (F55)."""

from collections.abc import Iterable

from tradedesk.domain.instruments import Candle

MOST = 240  # kept, the open one included
MINUTE_NS = 60 * 1_000_000_000


class Candles:
    """By opening time; the newest of a minute counts."""

    def __init__(self) -> None:
        self._kept: dict[int, Candle] = {}
        self._changed: set[int] = set()

    def replace(self, history: Iterable[Candle]) -> None:
        """Start anew from `history`, keeping what is newer than all of it."""
        fresh = {candle.open_time: candle for candle in history}
        newest = max(fresh, default=-1)
        fresh |= {time: candle for time, candle in self._kept.items() if time > newest}
        self._kept = dict(sorted(fresh.items())[-MOST:])
        self._changed.clear()

    def add(self, candle: Candle) -> bool:
        """Take one in. True if minutes are missing between it and the newest before: ask for the history again."""
        newest = max(self._kept, default=None)
        oldest = min(self._kept, default=None)
        if oldest is not None and candle.open_time < oldest and len(self._kept) >= MOST:
            return False
        self._kept[candle.open_time] = candle
        self._changed.add(candle.open_time)
        if newest is not None and candle.open_time < newest:
            self._kept = dict(sorted(self._kept.items()))
        while len(self._kept) > MOST:
            first = next(iter(self._kept))
            del self._kept[first]
            self._changed.discard(first)
        return newest is not None and candle.open_time > newest + MINUTE_NS

    def all(self) -> tuple[Candle, ...]:
        """Oldest first."""
        return tuple(self._kept.values())

    def take_changed(self) -> tuple[Candle, ...]:
        """Those that changed since the last call, oldest first."""
        changed = tuple(self._kept[time] for time in sorted(self._changed))
        self._changed.clear()
        return changed
