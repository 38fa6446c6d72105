"""What goes wrong between desk and venue, how often and for how long: drawn from the seed, until it is ended."""

from enum import Enum, auto
from random import Random

from tradedesk.simulation.scheduler import MS, SECOND

WINDOW_NS = 1_000 * MS  # the receive window sent with every order
ENGINE_NS = 2_000 * MS  # how long the venue may sit on a request
LAG_NS = 500 * MS  # how far its queries run behind at most
TIMEOUT_NS = 2_000 * MS  # how long the desk waits for an answer


class Fate(Enum):
    """Of one request."""

    Prompt = auto()
    Lost = auto()  # never arrives
    Mute = auto()  # is processed, and the answer is lost
    Late = auto()  # is processed, and the answer comes after the desk has given it up
    Stalled = auto()  # arrives late, or waits in the engine, as long as the venue allows


class Faults:
    """`drop` and `duplicate` are shares of what is sent; `slow` the share that takes unusually long."""

    def __init__(self, chance: Random, *, drop: float, duplicate: float, slow: float) -> None:
        self.chance = chance
        self._drop = drop
        self._duplicate = duplicate
        self._slow = slow

    def end(self) -> None:
        """From now on nothing goes wrong."""
        self._drop = self._duplicate = self._slow = 0

    def fate(self) -> Fate:
        if self._happens(self._drop):
            return self.chance.choice((Fate.Lost, Fate.Mute))
        if self._happens(self._slow):
            return self.chance.choice((Fate.Late, Fate.Stalled))
        return Fate.Prompt

    def is_lost(self) -> bool:
        return self._happens(self._drop)

    def delay(self) -> int:
        """ns that one way takes; so reports overtake each other."""
        return int(self.chance.uniform(1, 20) * MS) + (self.within(500 * MS) if self._happens(self._slow) else 0)

    def within(self, ns: int) -> int:
        return int(self.chance.uniform(0, ns))

    def deliveries(self) -> int:
        """How often the stream tells one event."""
        return 0 if self._happens(self._drop) else 2 if self._happens(self._duplicate) else 1

    def lag(self) -> int:
        """ns that a query looks into the past."""
        return self.within(LAG_NS) if self._happens(self._slow) else 0

    def disk(self) -> int:
        """ns until the disk has what was written."""
        return self.within(2 * SECOND) if self._happens(self._slow / 4) else int(self.chance.uniform(1, 10) * MS)

    def _happens(self, share: float) -> bool:
        return share > 0 and self.chance.random() < share
