"""The journal of a simulated desk: what is durable, what is lost in a crash and what fails is the simulation's say."""

from collections.abc import Iterator

from tradedesk.domain.events import DurableEvent
from tradedesk.domain.words import AccountId
from tradedesk.journal.records import START, Reading, Record, chain_of, encode, made
from tradedesk.journal.store import QUEUE_RECORDS, Durable, JournalFailed, JournalFull, settle


class MemoryJournal:
    """Records in memory, durable only once `sync` was called. For one thread, without a clock or a thread of its own."""

    def __init__(self) -> None:
        self._durable: list[Record] = []
        self._waiting: list[tuple[Record, Durable]] = []
        self._links: dict[str, bytes] = {}
        self._reading = Reading()
        self._failure: JournalFailed | None = None

    def open(self) -> None:
        """Begin anew on what is durable, as a desk does that starts after a crash."""
        self.crash()

    def replay(self) -> Iterator[DurableEvent]:
        reading = Reading()
        for _, event in reading.sound(tuple(self._durable)):
            yield event
        self._reading = reading

    def damaged(self) -> dict[AccountId | None, str]:
        return self._reading.reasons()

    def append(self, event: DurableEvent) -> Durable:
        if self._failure is not None:
            raise JournalFailed(str(self._failure))
        if len(self._waiting) >= QUEUE_RECORDS:
            raise JournalFull(f"{QUEUE_RECORDS} records wait for the disk; wait until it keeps up")
        chain = chain_of(event)
        number = len(self._durable) + len(self._waiting) + 1
        record = made(number, chain, encode(event), self._links.get(chain, START))
        self._links[chain] = record.link
        handle = Durable()
        self._waiting.append((record, handle))
        return handle

    @property
    def waiting(self) -> int:
        """Records that are not durable yet."""
        return len(self._waiting)

    def sync(self) -> None:
        """Everything appended so far is durable now."""
        waiting, self._waiting = self._waiting, []
        self._durable += [record for record, _ in waiting]
        settle([handle for _, handle in waiting], None)

    def fail(self, reason: str) -> None:
        """The disk gives up: what waits is not durable, what comes is refused, until the next `open`."""
        self._failure = JournalFailed(reason)
        waiting, self._waiting = self._waiting, []
        settle([handle for _, handle in waiting], self._failure)

    def crash(self) -> None:
        """The process is gone: what was not durable is lost, and nobody is left to be told."""
        self._waiting = []
        self._failure = None
        self._links = {record.chain: record.link for record in self._durable}

    def close(self) -> None:
        self.sync()
        self._failure = JournalFailed("the journal is closed")
