"""What goes wrong between desk, disk and venue, how often and for how long: drawn from the seed, until it is ended."""

from enum import Enum, auto
from random import Random

from msgspec import Struct

from tradedesk.simulation.scheduler import MS, SECOND

WINDOW_NS = 1_000 * MS  # the receive window sent with every order
EARLY_NS = 1_000 * MS  # how far ahead of the venue's clock a request may be stamped, and is taken all the same
ENGINE_NS = 2_000 * MS  # how long the venue may sit on a request
LAG_NS = 500 * MS  # how far its queries run behind at most
TIMEOUT_NS = 2_000 * MS  # how long the desk waits for an answer


class Odds(Struct, frozen=True, kw_only=True):
    """What may go wrong in a world. Shares are of what is sent; the rest is the mean time, or number, between two; None: never."""

    drop: float = 0.1  # share of requests, answers and reports that are lost
    duplicate: float = 0.1  # share of reports that come twice
    slow: float = 0.1  # share of anything that takes unusually long
    crash_s: float | None = None  # a worker dies; the desk and its journal live on
    kill_s: float | None = None  # the whole desk dies, at any moment
    kill_writes: float | None = None  # likewise, exactly at a write of the journal
    disk_s: float | None = None  # the disk fails for a while
    clock_s: float | None = None  # the wall clock is stepped
    ban_s: float | None = None  # the venue answers everything of an account with 418 or 429 for a while
    market_halt_s: float | None = None  # the venue takes no new orders for the instrument for a while
    accounts: int = 2


CALM = Odds(drop=0, duplicate=0, slow=0)


def drawn(seed: int) -> Odds:
    """What goes wrong in the world of this seed: in one of eight nothing, in the others much of it."""
    chance = Random(f"odds {seed}")
    if seed % 8 == 7:
        return CALM

    def every(*means: float) -> float | None:
        return chance.choice(means) if chance.random() < 0.5 else None

    return Odds(
        drop=chance.choice((0, 0.05, 0.1, 0.3)),
        duplicate=chance.choice((0, 0.05, 0.3)),
        slow=chance.choice((0, 0.1, 0.3, 0.5)),
        crash_s=every(10, 25),
        kill_s=every(15, 30),
        kill_writes=every(40, 150),
        disk_s=every(12, 25),
        clock_s=every(6, 15),
        ban_s=every(15, 30),
        market_halt_s=every(15, 30),
        accounts=chance.choice((1, 2, 2, 3)),
    )


class Fate(Enum):
    """Of one request."""

    Prompt = auto()
    Lost = auto()  # never arrives
    Mute = auto()  # is processed, and the answer is lost
    Late = auto()  # is processed, and the answer comes after the desk has given it up
    Stalled = auto()  # arrives late, or waits in the engine, as long as the venue allows


class Faults:
    """What happens to each single thing that is sent, written or asked. Ended, nothing goes wrong any more."""

    def __init__(self, chance: Random, odds: Odds) -> None:
        self.chance = chance
        self._odds = odds

    def end(self) -> None:
        self._odds = CALM

    def fate(self) -> Fate:
        if self._happens(self._odds.drop):
            return self.chance.choice((Fate.Lost, Fate.Mute))
        if self._happens(self._odds.slow):
            return self.chance.choice((Fate.Late, Fate.Stalled))
        return Fate.Prompt

    def is_lost(self) -> bool:
        return self._happens(self._odds.drop)

    def mixes_up(self) -> bool:
        """Whether a request that was lost is answered all the same, with something about another order."""
        return self._odds.drop > 0 and self.chance.random() < 0.2

    def delay(self) -> int:
        """ns that one way takes; so reports overtake each other."""
        return int(self.chance.uniform(1, 20) * MS) + (self.within(500 * MS) if self._happens(self._odds.slow) else 0)

    def within(self, ns: int) -> int:
        return int(self.chance.uniform(0, ns))

    def deliveries(self) -> int:
        """How often the stream tells one event."""
        return 0 if self._happens(self._odds.drop) else 2 if self._happens(self._odds.duplicate) else 1

    def lag(self) -> int:
        """ns that a query looks into the past."""
        return self.within(LAG_NS) if self._happens(self._odds.slow) else 0

    def disk(self) -> int:
        """ns until the disk has what was written."""
        slow = self._happens(self._odds.slow / 4)
        return self.within(2 * SECOND) if slow else int(self.chance.uniform(1, 10) * MS)

    def _happens(self, share: float) -> bool:
        return share > 0 and self.chance.random() < share
