"""The replay of a recording: the recorded books and trades pass at real or scaled speed, clients' orders stand among them.

How orders queue and take is `recorded`'s. Without clients a replay has the recording's own trades, and its book at every
snapshot: later snapshots are compared with the book, and `differences` counts the levels that were not as they say.

The books follow the depth stream, so the touch is as exact as its 100 ms; the book ticker is not used. Recorded times are
moved so that the first snapshots fall on the start of the exchange. Opening a recording reads no further than that; the
rest is checked while it plays. At the end, at a cut and at a line that cannot be true the flow stops and the books stand
(`ended`); `told_end` is told in one sentence which it was.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

from tradedesk.paper.book import Book
from tradedesk.paper.market import Action, Bar
from tradedesk.paper.recorded import Followed, Unjoined, spec_of
from tradedesk.recording.reading import Reader
from tradedesk.recording.records import DepthUpdate, Gap, Record, RecordingCut, RecordingError, Snapshot, TouchSeen

_BEFORE_SNAPSHOT = 10_000  # records, for each instrument, that may come before the last of the first snapshots


class Replay:
    """A Market read from a file. `told_end(sentence, is_damaged)` is called once, from `act`, when the flow stops.

    Making one raises RecordingError, with one plain sentence, if the beginning cannot be used; nothing else raises it.
    """

    def __init__(
        self,
        path: Path,
        *,
        speed: float = 1.0,
        told_end: Callable[[str, bool], None] = lambda _sentence, _damaged: None,
    ) -> None:
        if not 0 < speed < 1e6:
            raise ValueError(f"replay speed {speed} must be above 0")
        self._speed = speed
        self._told_end = told_end
        self._reader = Reader(path)
        self.kind = self._reader.header.kind
        self.specs = [spec_of(listed, self.kind) for listed in self._reader.header.instruments]
        self._followed = {spec.symbol: Followed(spec) for spec in self.specs}
        self._records = (record for record in self._reader if not isinstance(record, TouchSeen))
        self._opening = self._until_snapshots()
        self._recorded_start = self._opening[-1].at
        self._next: Record | None = self._first()
        self._start = 0

    @property
    def ended(self) -> bool:
        return self._next is None

    @property
    def differences(self) -> int:
        """Levels that a later snapshot of the recording had to mend, so far."""
        return sum(followed.differences for followed in self._followed.values())

    def _until_snapshots(self) -> list[Record]:
        """The records up to the first snapshot of each instrument. Raises RecordingError."""
        missing = set(self._followed)
        most = _BEFORE_SNAPSHOT * len(missing)
        begun: list[Record] = []
        for number, record in enumerate(self._records, 1):
            if isinstance(record, DepthUpdate | Snapshot | Gap):
                begun.append(record)
            if isinstance(record, Snapshot):
                missing.discard(record.symbol)
            if not missing:
                return begun
            if number >= most:
                break
        whose = "" if len(self._followed) == 1 else f" of {min(missing)}"
        raise RecordingError(
            f"{self._reader.name}: there is no depth snapshot{whose} among its first {most} lines, so the book"
            " cannot be known; choose a recording that begins with one"
        )

    def _first(self) -> Record:
        first = next(self._records, None)
        if first is None:
            raise RecordingError(f"{self._reader.name}: nothing follows the depth snapshot; choose a longer recording")
        return first

    def opening(self, now: int) -> Iterable[Action]:
        self._start = now
        for record in self._opening:
            try:
                yield from self._followed[record.symbol].follow(record, now, None)
            except Unjoined as error:
                self._stop(f"{self._reader.name}: {error} before line {self._reader.line}", is_damaged=True)
                return
        self._opening.clear()

    def history(self, symbol: str, now: int, longest: int, since: int, until: int) -> Iterable[tuple[int, Bar]]:
        """A recording has no past."""
        return ()

    def next_due(self) -> int | None:
        return None if self._next is None else self._time_of(self._next)

    def act(self, now: int, books: Mapping[str, Book]) -> Iterator[Action]:
        while self._next is not None and (at := self._time_of(self._next)) <= now:
            record = self._next
            try:
                yield from self._followed[record.symbol].follow(record, at, books[record.symbol])
                self._next = next(self._records, None)
                if self._next is None:
                    self._told_end(f"{self._reader.name} has ended at line {self._reader.line}; the books stand", False)
            except Unjoined as error:
                where = f"{self._reader.name} line {self._reader.line}"
                self._stop(f"{where}: {error}; the recording has a hole or is damaged, choose another", is_damaged=True)
            except RecordingCut as cut:
                self._stop(f"{cut}; the books stand", is_damaged=False)
            except RecordingError as error:
                self._stop(str(error), is_damaged=True)

    def _stop(self, sentence: str, *, is_damaged: bool) -> None:
        self._next = None
        self._told_end(sentence, is_damaged)

    def taken(self, symbol: str, is_buy: bool, price: int, lots: int) -> None:
        self._followed[symbol].taken(is_buy, price, lots)

    def _time_of(self, record: Record) -> int:
        return self._start + max(0, round((record.at - self._recorded_start) / self._speed))
