"""One thing that a venue counts, for one exit, account or master: the limit, and what was used of it within the last window.

Pure: `now` is monotonic ns. Who waits for it and who goes next is for `budgets`.
"""

from collections.abc import Mapping
from enum import Enum, IntEnum, auto

from msgspec import Struct

SECOND_NS = 1_000_000_000
SLICES = 20  # of a window
LATE_SLICES = 2  # so much longer a use counts than the window is: what left may arrive up to a slice later


class Priority(IntEnum):
    """Who goes first."""

    Cancel = 0  # halts and kills are cancels, too
    Order = 1
    Doubt = 2  # what became of one order
    Look = 3  # reconciliation
    Market = 4  # market data and history


_CEILING = {  # how full, in percent, a pool may be made for it; above 90 it is the cancels' own
    Priority.Cancel: 100, Priority.Order: 90, Priority.Doubt: 85, Priority.Look: 75, Priority.Market: 60,
}  # fmt: skip


class Per(Enum):
    """Whose use a venue adds up."""

    Exit = auto()  # everybody behind one address
    Key = auto()
    Uid = auto()  # the venue's account, however many keys and names of ours it has
    Master = auto()  # it and all its sub-accounts
    Instrument = auto()  # one instrument of one uid
    Share = auto()  # ours, not the venue's: what one client may take of a pool that it shares


class Unit(Enum):
    """What it counts."""

    Weight = auto()
    Requests = auto()
    Orders = auto()
    Connections = auto()
    Wallet = auto()  # Binance's /sapi has a weight of its own
    WalletUid = auto()  # and one that it counts by account, not by address


class Limit(Struct, frozen=True, kw_only=True):
    """One limit as the venue documents it."""

    per: Per
    unit: Unit
    most: int  # > 0, within any window
    window_ns: int
    header: str = ""  # of its answers, in small letters: what everybody together used of it


Price = Mapping[Unit, int]
"""What a request costs. A pool with 0 is not charged, but asked: a request waits for its exit even where it weighs nothing."""


class Pool:
    """One limit for `whose` use it is counted ("exit 127.0.0.2"): what was used of it within the last window.

    Counted in slices, and a little longer than the window: however the venue's own windows lie, it never sees more than
    the limit in one. What its headers say on top counts as long.
    """

    __slots__ = ("_at", "_header_level", "_header_mark", "_header_until", "_slices", "_sum", "_total", "_width",
                 "closed_until", "limit", "most", "whose")  # fmt: skip

    def __init__(self, limit: Limit, whose: str, most: int | None = None) -> None:
        self.limit = limit
        self.whose = whose
        self.most = limit.most if most is None else most
        self.closed_until = 0  # the venue said wait
        self._width = max(1, limit.window_ns // SLICES)
        self._slices = [0] * (SLICES + LATE_SLICES)
        self._at = 0  # number of the present slice
        self._sum = 0
        self._total = 0  # of all time
        self._header_level = 0  # what the venue counted, less `_total` when it did
        self._header_mark = 0  # `_total` when it did
        self._header_until = 0

    def _turn(self, now: int) -> None:
        at = now // self._width
        passed = at - self._at
        if passed <= 0:
            return
        slices = self._slices
        for number in range(self._at + 1, self._at + 1 + min(passed, len(slices))):
            place = number % len(slices)
            self._sum -= slices[place]
            slices[place] = 0
        self._at = at

    def used(self, now: int) -> int:
        """By us within the window, or by everybody if the venue last counted more."""
        self._turn(now)
        if now < self._header_until:
            return max(self._sum, self._header_level + self._total)
        return self._sum

    def ceiling(self, priority: Priority) -> int:
        """How full it may be made for this: the rest is kept for what is more urgent."""
        unit = self.limit.unit
        if unit is Unit.Orders or self.limit.per is Per.Share:
            return self.most  # no cancel is counted in it
        if priority is Priority.Cancel:
            return self.most
        return min(self.most * _CEILING[priority] // 100, self.most - 1)

    def fits(self, amount: int, priority: Priority, now: int) -> bool:
        if now < self.closed_until:
            return False
        if amount == 0:
            return True
        used = self.used(now)
        if used == 0:  # what is larger than its own part goes when nothing else does, and never into the reserve
            priority = min(priority, Priority.Order)
            return amount <= self.ceiling(priority) or self.limit.per is Per.Share
        return used + amount <= self.ceiling(priority)

    def can_ever(self, amount: int, priority: Priority) -> bool:
        return self.limit.per is Per.Share or amount <= self.ceiling(min(priority, Priority.Order))

    def take(self, amount: int, now: int) -> int:
        """Count it. Returns a mark of this moment, for `heard`."""
        self._turn(now)
        self._slices[self._at % len(self._slices)] += amount
        self._sum += amount
        self._total += amount
        return self._total

    def give_back(self, amount: int, taken_at: int, mark: int) -> None:
        """It was never sent. What has left the window meanwhile is gone from the count already."""
        number = taken_at // self._width
        if self._at - number < len(self._slices):
            self._slices[number % len(self._slices)] -= amount
            self._sum -= amount
        self._total -= amount
        if mark <= self._header_mark:
            self._header_level += amount  # what the venue counted it counted without this

    def heard(self, count: int, mark: int, now: int) -> None:
        """What the venue had counted for everybody when it answered the request of this mark.

        What we sent after it adds to that. An answer that came late says less than one to a later request.
        """
        if mark < self._header_mark and now < self._header_until:
            return
        self._header_level, self._header_mark = count - mark, mark
        self._header_until = now + self.limit.window_ns

    def close(self, until: int) -> None:
        self.closed_until = max(self.closed_until, until)

    def changes_at(self, now: int) -> int:
        """When there may be room that is not there now."""
        if now < self.closed_until:
            return self.closed_until
        return (now // self._width + 1) * self._width
