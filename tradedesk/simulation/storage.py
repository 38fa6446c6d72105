"""The desk's journal on a disk that may tear, reorder and drop what was not synced, fail and come back; and be killed over.

As the real journal (journal/sqlite.py): one writer, many records to one sync, one transaction each; what a failing disk
refused is kept, and written into a new segment once the disk takes records again.
"""

from collections.abc import Callable, Iterable, Iterator
from enum import Enum, auto
from random import Random

from msgspec import Struct, structs

from tradedesk.domain import events as ev
from tradedesk.domain.words import AccountId, ClientOrderId
from tradedesk.journal.records import START, Reading, Record, chain_of, encode, made
from tradedesk.journal.segments import MAX_BATCH
from tradedesk.journal.store import QUEUE_RECORDS, Durable, JournalFailed, JournalFull, settle
from tradedesk.simulation.faults import Faults
from tradedesk.simulation.scheduler import Scheduler


class Killed(Exception):
    """The process dies at this very write."""


class Moment(Enum):
    """When, about one write of the journal."""

    Before = auto()  # nothing of the record is anywhere
    Amid = auto()  # it is being written
    After = auto()  # it is on disk, and nobody was told
    Between = auto()  # the sender knows that it is on disk, and has sent nothing yet


class Plan:
    """At which of the journal's writes the process dies, and at what moment of it."""

    def __init__(self, chance: Random, mean_writes: float | None) -> None:
        self._chance = chance
        self._mean = mean_writes
        self.writes = 0  # so far
        self.at: int | None = None
        self.moment = Moment.Before
        self._draw()

    def end(self) -> None:
        self._mean, self.at = None, None

    def reached(self, *moments: Moment) -> bool:
        """Whether the process dies now; then the next time is drawn."""
        if self.at is None or self.writes < self.at or self.moment not in moments:
            return False
        self._draw()
        return True

    def _draw(self) -> None:
        if self._mean is None:
            self.at = None
            return
        self.at = self.writes + 1 + int(self._chance.expovariate(1 / self._mean))
        self.moment = self._chance.choice(list(Moment))


class Frame(Struct, frozen=True, kw_only=True):
    """One part of a transaction on its way to the disk. `record` None is the commit that ends it."""

    record: Record | None
    is_whole: bool = True  # else torn: its checksum does not match


class SimStore:
    """Implements Store for one simulated desk. `told` is called when records settled; `kill` where the plan says so."""

    def __init__(
        self,
        scheduler: Scheduler,
        faults: Faults,
        plan: Plan,
        *,
        told: Callable[[], None],
        kill: Callable[[], None],
    ) -> None:
        self.plan = plan
        self.durable_count = 0  # records that somebody was told to be durable
        self.intents: set[ClientOrderId] = set()  # orders whose placing is on disk
        self._scheduler = scheduler
        self._faults = faults
        self._told = told
        self._kill = kill
        self._durable: list[Record] = []
        self._orphans: list[Record] = []  # of a failed write: on disk perhaps, and until a new segment begins
        self._links: dict[str, bytes] = {}
        self._queue: list[tuple[ev.DurableEvent, Durable]] = []
        self._writing: list[tuple[ev.DurableEvent, Durable]] = []  # in the writer's hands, not synced
        self._kept: list[ev.DurableEvent] = []  # what the failing disk refused
        self._failure: JournalFailed | None = None
        self._reading = Reading()
        self._life = 0

    # -- as a Store -----------------------------------------------------------------------------------------------------

    def open(self) -> None:
        """Begin on what the crash left."""

    def replay(self) -> Iterator[ev.DurableEvent]:
        """What is on disk once the writer has written what waited, and what a failing disk refused."""
        self._write_out()
        kept = tuple(self._kept)
        yield from self._read(self._durable if kept else (*self._durable, *self._orphans))
        yield from kept

    def damaged(self) -> dict[AccountId | None, str]:
        return self._reading.reasons()

    def append(self, event: ev.DurableEvent) -> Durable:
        plan = self.plan
        plan.writes += 1
        if plan.reached(Moment.Before):
            raise Killed
        if len(self._queue) >= QUEUE_RECORDS:
            raise JournalFull(f"{QUEUE_RECORDS} records wait for the disk")
        handle = Durable()
        self._queue.append((event, handle))
        if self._failure is not None:
            self._kept += [event for event, _ in self._queue]
            self._queue.clear()
            raise JournalFailed(str(self._failure))
        if plan.reached(Moment.After):
            self._write_out(tells=False)
            raise Killed
        if not self._writing:
            self._begin()
        if plan.reached(Moment.Amid):
            raise Killed
        return handle

    def close(self) -> None:
        self._write_out()

    # -- the writer -----------------------------------------------------------------------------------------------------

    def _begin(self) -> None:
        """Take up what waits, in one transaction."""
        self._writing, self._queue = self._queue[:MAX_BATCH], self._queue[MAX_BATCH:]
        life = self._life

        def synced() -> None:
            if life == self._life and self._writing:
                self._finish()

        self._scheduler.after(self._faults.disk(), synced)

    def _finish(self) -> None:
        batch, self._writing = self._writing, []
        self._put(event for event, _ in batch)
        settle([handle for _, handle in batch], None)
        self.durable_count = len(self._durable)
        if self._queue:
            self._begin()
        if self.plan.reached(Moment.Between):
            self._kill()
        else:
            self._told()

    def _put(self, events: Iterable[ev.DurableEvent]) -> None:
        """On disk, in order."""
        for record, event in zip(self._records(events := list(events)), events, strict=True):
            self._durable.append(record)
            self._links[record.chain] = record.link
            if isinstance(event, ev.OrderPlaced):
                self.intents.add(event.order.client_order_id)

    def _records(self, events: Iterable[ev.DurableEvent]) -> list[Record]:
        """The events as they are written behind what is durable."""
        links, found = dict(self._links), []
        for number, event in enumerate(events, start=len(self._durable) + 1):
            chain = chain_of(event)
            record = made(number, chain, encode(event), links.get(chain, START))
            links[chain] = record.link
            found.append(record)
        return found

    def _write_out(self, *, tells: bool = True) -> None:
        """Whatever waits is on disk now, unless the disk fails."""
        if self._failure is not None:
            return
        batch, self._writing, self._queue = [*self._writing, *self._queue], [], []
        self._put(event for event, _ in batch)
        if tells and batch:
            settle([handle for _, handle in batch], None)
            self.durable_count = len(self._durable)
            self._told()

    # -- what breaks ----------------------------------------------------------------------------------------------------

    def fail(self, reason: str) -> None:
        """The disk gives up: what waits is not durable, though it may be on disk; what comes is refused, and kept."""
        if self._failure is not None:
            return
        self._failure = JournalFailed(reason)
        batch, self._writing = self._writing, []
        self._orphans = self._survivors(batch, is_power_cut=False)
        settle([handle for _, handle in (*batch, *self._queue)], self._failure)
        self._kept = [event for event, _ in (*batch, *self._queue)]
        self._queue = []
        self._told()

    def mend(self) -> None:
        """The disk takes records again: into a new segment, which begins with what was kept."""
        if self._failure is None:
            return
        self._failure, self._orphans = None, []  # a segment counts only up to where the next one begins
        kept, self._kept = self._kept, []
        self._put(kept)
        self.durable_count = len(self._durable)

    def crash(self, *, is_power_cut: bool) -> None:
        """The process is gone, and perhaps the machine: of what was not synced the disk has what it has."""
        self._life += 1
        left = self._orphans or self._survivors(self._writing, is_power_cut=is_power_cut)
        self._durable += left
        self._links = {record.chain: record.link for record in self._durable}
        self._writing, self._queue, self._kept, self._orphans, self._failure = [], [], [], [], None

    def _survivors(self, batch: list[tuple[ev.DurableEvent, Durable]], *, is_power_cut: bool) -> list[Record]:
        """What a start finds of a transaction that was being written."""
        if not batch:
            return []
        chance = self._faults.chance
        frames = [Frame(record=record) for record in self._records(event for event, _ in batch)]
        frames.append(Frame(record=None))
        if is_power_cut:  # the disk wrote them in any order, some in part, some not
            frames = [self._spoilt(frame) for frame in frames if chance.random() < 0.8]
        else:  # the system has what the process handed it, in order
            frames = frames[: chance.randint(0, len(frames))]
        return recovered(frames, expected=len(batch) + 1)

    def _spoilt(self, frame: Frame) -> Frame:
        return frame if self._faults.chance.random() < 0.8 else structs.replace(frame, is_whole=False)

    # -- the truth ------------------------------------------------------------------------------------------------------

    def on_disk(self) -> Iterator[ev.DurableEvent]:
        return self._read((*self._durable, *self._orphans))

    def _read(self, records: Iterable[Record]) -> Iterator[ev.DurableEvent]:
        reading = Reading()
        for _, event in reading.sound(records):
            yield event
        self._reading = reading


def recovered(frames: list[Frame], *, expected: int) -> list[Record]:
    """What SQLite makes of the frames of one transaction: all of them, or, where one is torn or missing, none."""
    if len(frames) < expected or not all(frame.is_whole for frame in frames):
        return []
    return [frame.record for frame in frames if frame.record is not None]
