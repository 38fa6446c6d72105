"""The live market: books and trades of a venue's public feed as they come, clients' orders standing among them.

How orders queue and take is `recorded`'s. The feed is somebody else's: whoever has it pushes records from any thread, and
the exchange performs them when it is moved on. While the feed is away, and after a record that does not follow from those
before, a book stands as it was; the next snapshot builds it anew.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence

from tradedesk.paper.book import Book
from tradedesk.paper.market import Action, Bar
from tradedesk.paper.recorded import Followed, Unjoined
from tradedesk.paper.rows import Spec
from tradedesk.recording.records import Record, TouchSeen

MOST_WAITING = 100_000  # records between two moves of the exchange; at 1,000 a second that is more than a minute
LOOK_EVERY = 10_000_000  # ns; how long a record may wait


class Live:
    """A Market that is fed. `push` may be called from any thread; everything else belongs to the exchange's."""

    def __init__(self, specs: Sequence[Spec]) -> None:
        self._followed = {spec.symbol: Followed(spec) for spec in specs}
        self._waiting: deque[Record] = deque()
        self._looked_at = 0

    def push(self, record: Record) -> bool:
        """Hand over the next record. False, and it is lost, when too many wait: the books then need new snapshots."""
        if isinstance(record, TouchSeen):
            return True  # the book says it
        if len(self._waiting) >= MOST_WAITING:
            return False
        self._waiting.append(record)
        return True

    def is_known(self, symbol: str) -> bool:
        """Whether the book is the venue's, as far as it has been handed over and performed."""
        return self._followed[symbol].is_known

    @property
    def differences(self) -> int:
        """Levels that a later snapshot had to mend, so far."""
        return sum(followed.differences for followed in self._followed.values())

    @property
    def ended(self) -> bool:
        return False

    def opening(self, now: int) -> Iterable[Action]:
        """Nothing stands before the first snapshot."""
        self._looked_at = now
        return ()

    def history(self, symbol: str, now: int, longest: int, since: int, until: int) -> Iterable[tuple[int, Bar]]:
        return ()

    def next_due(self) -> int | None:
        return self._looked_at + LOOK_EVERY

    def act(self, now: int, books: Mapping[str, Book]) -> Iterator[Action]:
        self._looked_at = now
        while self._waiting:
            record = self._waiting.popleft()
            followed = self._followed.get(record.symbol)
            if followed is None:
                continue
            try:
                yield from followed.follow(record, now, books[record.symbol])
            except Unjoined:
                followed.lose()

    def taken(self, symbol: str, is_buy: bool, price: int, lots: int) -> None:
        self._followed[symbol].taken(is_buy, price, lots)
