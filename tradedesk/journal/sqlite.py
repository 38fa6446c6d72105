"""The desk's journal on disk: one writer thread, many records to one sync, a new segment where a file fails."""

import os
import queue
import sqlite3
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import cast

from tradedesk.clock import Clock
from tradedesk.domain.events import DurableEvent, Kept, durable_decoder
from tradedesk.domain.words import AccountId
from tradedesk.journal import checkpoint, segments
from tradedesk.journal.records import START, Reading, chain_of, encode, made
from tradedesk.journal.segments import MAX_BATCH, REMEDY, UNREADABLE, Heads, Verification, read, verify, words
from tradedesk.journal.store import QUEUE_RECORDS, Durable, JournalError, JournalFailed, JournalFull, settle
from tradedesk.log import Log

__all__ = ["SqliteJournal", "Verification", "read", "verify"]

MOST_TOGETHER = 1_024  # records in one transaction, and so to one sync
SEGMENT_RECORDS = 200_000  # in one file; then the next one begins, and a checkpoint stands for those before it
SLOW_SYNC_MS = 1_000  # a write that takes longer is logged
AGAIN_S = (1.0, 2.0, 5.0, 10.0, 30.0)  # between two tries to go on in a new segment

# A batch is one statement, which is a transaction by itself: Python gives up its lock around every statement, and
# beside a busy thread it costs a switch interval to get it back. A row each would cost that fifty times (measured).
# Only where more wait than one statement takes are there several, in one transaction: a sync costs more than that.
_ROW = "(?,?,?,?,?,?)"
_INSERT = [f"INSERT INTO records VALUES {','.join([_ROW] * count)}" for count in range(MAX_BATCH + 1)]  # noqa: S608

_Waiting = tuple[str, bytes, Durable]  # chain, payload, handle
_Kept = tuple[str, bytes]  # what a failing disk refused


class _Reader:
    """Somebody who is about to read: the writer says how far the disk is, and what it holds for the next segment."""

    def __init__(self) -> None:
        self.is_served = threading.Event()
        self.until: int | None = None  # the number of the last durable record; None: no writer runs
        self.kept: tuple[bytes, ...] = ()


class SqliteJournal:
    """The durable log of one desk, in the file `path` (0600) behind a lock that a second desk cannot get.

    It owns one writer thread. `append` may be called from any thread and never waits; a record that comes while the
    writer is idle is written at once, those that come during a sync go together in the next. After a failed write every
    handle fails and `on_failure` is told, once, on the writer's thread. What was refused is kept, in order and bounded;
    a new segment is tried again and again, and once it holds all of that, `on_recovery` is told and records are taken.

    With a `fold` a segment that has become long is followed by a new one, and a second thread makes a checkpoint of all
    before it, from which `replay` begins. `on_checkpoint` hears of each try, on that thread: None, or why there is none.
    """

    def __init__(
        self,
        path: Path,
        *,
        clock: Clock,
        on_failure: Callable[[str], None],
        on_recovery: Callable[[str], None] = lambda _: None,
        again_s: tuple[float, ...] = AGAIN_S,
        fold: Callable[[], checkpoint.Fold] | None = None,
        segment_records: int = SEGMENT_RECORDS,
        on_checkpoint: Callable[[str | None], None] = lambda _: None,
    ) -> None:
        self.path = path
        self._clock = clock
        self._on_failure = on_failure
        self._on_recovery = on_recovery
        self._again_s = again_s
        self._fold = fold
        self._segment_records = segment_records
        self._on_checkpoint = on_checkpoint
        self._archivist: checkpoint.Archivist | None = None
        self._roll_at = 0  # of the writer's thread: the record after which the next segment begins
        self._log = Log(journal=path.name)
        self._queue: queue.SimpleQueue[_Waiting | _Reader | None] = queue.SimpleQueue()
        self._guard = threading.Lock()  # append against failure and close: no record after the writer's last look
        self._failure: JournalFailed | None = None
        self._is_closed = False
        self._kept: list[_Kept] = []  # of the writer's thread
        self._has_hole = False  # more was refused than is kept: only a start from the disk is sound again
        self._reading = Reading()
        self._lock_file = -1
        self._connection: sqlite3.Connection | None = None
        self._thread: threading.Thread | None = None

    def open(self) -> None:
        """Take the lock, make or open the file, start the writer. Raises JournalError with what to do."""
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock_file = segments.locked(self.path.with_name(self.path.name + ".lock"))
            self._connection, heads = segments.opened(self.path)
            self._roll_at = segments.begins_after(self.path) + self._segment_records
        except (OSError, *UNREADABLE, JournalError) as error:
            self._release()
            if isinstance(error, JournalError):
                raise
            raise JournalError(f"{self.path}: {words(error)}; {REMEDY}") from None
        if self._fold is not None:
            self._archivist = checkpoint.Archivist(self.path, self._fold, self._checkpointed)
        self._thread = threading.Thread(target=self._write_all, args=(heads,), name="journal", daemon=True)
        self._thread.start()

    def replay(self) -> Iterator[DurableEvent | Kept]:
        """All events appended until now, oldest first; of a damaged account only those before the damage.

        Where there is a checkpoint, what it kept stands for the events before it; what a disk broke of those is found
        by `verify` alone.

        On any thread, at any time; it waits for the writer first, so that a worker that starts again finds its last record.
        What a failing disk refused is among them: the next segment begins with it, and a worker that did not know of it
        would record the same fills once more.
        """
        reader = self._await_writer()
        reading = Reading()
        events = (
            read(self.path, reading)
            if self._fold is None
            else checkpoint.replay(self.path, reading, self._fold().form())
        )
        for number, event in events:
            if reader.until is None or number <= reader.until:
                yield event
        self._reading = reading
        for payload in reader.kept:
            yield cast(DurableEvent, durable_decoder.decode(payload))

    def damaged(self) -> dict[AccountId | None, str]:
        """What the last complete replay found broken; these accounts must not trade. None is the desk itself."""
        return self._reading.reasons()

    def append(self, event: DurableEvent) -> Durable:
        """Write the event after all that was appended before; the handle settles when it is on disk.

        Raises JournalFull above the bound, JournalFailed while the disk refuses records and after `close`. An order
        whose record is refused is denied; a cancel goes all the same. What a failing disk refused is still told to the
        next segment, so that the record of what happened has no hole.
        """
        handle = Durable()
        waiting = (chain_of(event), encode(event), handle)
        with self._guard:
            if self._is_closed:
                raise JournalFailed(f"{self.path}: the journal is closed")
            if self._queue.qsize() >= QUEUE_RECORDS:
                if self._failure is None:
                    raise JournalFull(f"{self.path}: {QUEUE_RECORDS} records wait for the disk; wait until it keeps up")
                self._has_hole = True
            else:
                self._queue.put(waiting)
            if self._failure is not None:
                raise JournalFailed(str(self._failure))
        return handle

    def _await_writer(self) -> "_Reader":
        reader = _Reader()
        with self._guard:
            thread = self._thread
            if thread is not None:
                self._queue.put(reader)
        while thread is not None and thread.is_alive() and not reader.is_served.wait(1):
            continue
        return reader

    @property
    def waiting(self) -> int:
        """Records that the writer has not yet taken up."""
        return self._queue.qsize()

    def close(self) -> None:
        """Write what waits, stop the writer, give up the lock. Doing it twice changes nothing."""
        with self._guard:
            self._is_closed = True
            thread, self._thread = self._thread, None
            if thread is not None:
                self._queue.put(None)
        if thread is not None:
            thread.join()
        self._release()

    def _release(self) -> None:
        if self._archivist is not None:
            self._archivist.stop()
            self._archivist = None
        self._disconnect()
        if self._lock_file >= 0:
            os.close(self._lock_file)
            self._lock_file = -1

    def _disconnect(self) -> None:
        if self._connection is not None:
            try:
                self._connection.close()
            except sqlite3.Error as error:  # the last checkpoint of a failing disk: the next open reads the WAL
                self._log.error("journal_close_failed", cause=words(error))
            self._connection = None

    # -- the writer's thread --------------------------------------------------------------------------------------------

    def _write_all(self, heads: Heads) -> None:
        """Write until `close`; `heads` are those of what is durable."""
        tries, next_try = 0, 0
        is_last = False
        while not is_last:
            failure = self._failure
            now = self._clock.monotonic()
            batch, reader, is_last = self._gather(None if failure is None else max(0, next_try - now) / 10**9)
            if failure is None:
                if batch and (failure := self._write(batch, heads)) is not None:
                    tries, next_try = 0, now + self._pause(0)
                if failure is not None:
                    self._on_failure(str(failure))
                settle([handle for _, _, handle in batch], failure)
                if failure is None and self._fold is not None and heads.number >= self._roll_at:
                    self._roll(heads)
            else:
                self._keep(batch, failure)
                if self._clock.monotonic() >= next_try or is_last:
                    tries = 0 if self._goes_on(heads) else tries + 1
                    next_try = self._clock.monotonic() + self._pause(tries)
            if reader is not None:
                reader.until, reader.kept = heads.number, tuple(payload for _, payload in self._kept)
                reader.is_served.set()

    def _roll(self, heads: Heads) -> None:
        """Go on in a new segment, so that what stands in those before it can be kept in short."""
        before, count = self._connection, len(segments.segments(self.path))
        self._roll_at = heads.number + self._segment_records
        try:
            self._connection = segments.following(self.path, heads)
        except (OSError, *UNREADABLE, JournalError) as error:
            self._log.warning("journal_no_segment", cause=words(error))
            if (
                len(segments.segments(self.path)) > count
            ):  # it is there: nothing that is written before it counts any more
                self._connection = None
            return
        if self._archivist is not None and before is not None:
            self._archivist.closes(before)

    def _checkpointed(self, why: str | None) -> None:
        if why is not None:
            self._log.warning("journal_no_checkpoint", cause=why)
        self._on_checkpoint(why)

    def _pause(self, tries: int) -> int:
        """ns until the next try to go on in a new segment."""
        return int(self._again_s[min(tries, len(self._again_s) - 1)] * 10**9)

    def _gather(self, pause: float | None) -> tuple[list[_Waiting], "_Reader | None", bool]:
        """(records, who waits for them, whether it is the end). Waits for ever, or for `pause` seconds."""
        batch: list[_Waiting] = []
        try:
            item = self._queue.get(timeout=pause)
            while isinstance(item, tuple):
                batch.append(item)
                if len(batch) == MOST_TOGETHER:
                    return batch, None, False
                item = self._queue.get_nowait()
        except queue.Empty:
            return batch, None, False
        return batch, item, item is None

    def _write(self, batch: list[_Waiting], heads: Heads) -> JournalFailed | None:
        """Write one batch and move the heads on; or keep it, and say no from now on."""
        cause = self._insert([(chain, payload) for chain, payload, _ in batch], heads)
        if cause is None:
            return None
        # whether this batch reached the disk is not known, so it is not durable (5.1)
        failure = JournalFailed(
            f"{self.path}: {cause}; no new orders until the journal can write again, which it tries in a new file"
        )
        with self._guard:
            self._failure = failure
        self._kept += [(chain, payload) for chain, payload, _ in batch]
        self._log.error("journal_failed", cause=cause)
        return failure

    def _insert(self, rows: list[_Kept], heads: Heads) -> str | None:
        """Write at most MOST_TOGETHER records and move the heads on. Words if the disk would not have them."""
        if self._connection is None:
            return "no segment is open"
        number, links, values = heads.number, dict[str, tuple[int, bytes]](), list[object]()
        for chain, payload in rows:
            number += 1
            before = links[chain][1] if chain in links else heads.links[chain][1] if chain in heads.links else START
            record = made(number, chain, payload, before)
            links[chain] = (number, record.link)
            values += (number, chain, record.format, payload, record.checksum, record.link)
        began = self._clock.monotonic()
        try:
            if len(rows) <= MAX_BATCH:
                self._connection.execute(_INSERT[len(rows)], values)
            else:
                self._connection.execute("BEGIN")
                for first in range(0, len(rows), MAX_BATCH):
                    count = min(MAX_BATCH, len(rows) - first)
                    self._connection.execute(_INSERT[count], values[6 * first : 6 * (first + count)])
                self._connection.execute("COMMIT")  # of a failed one nothing counts: the file is closed and left behind
        except Exception as error:  # whatever it was, nothing is proved to be on disk
            return words(error)
        took_ms = (self._clock.monotonic() - began) // 1_000_000
        if took_ms > SLOW_SYNC_MS:
            self._log.warning("journal_slow", took_ms=took_ms, records=len(rows))
        heads.number = number
        heads.links |= links
        return None

    def _keep(self, batch: list[_Waiting], failure: JournalFailed) -> None:
        settle([handle for _, _, handle in batch], failure)
        room = QUEUE_RECORDS - len(self._kept)
        self._kept += [(chain, payload) for chain, payload, _ in batch[:room]]
        self._has_hole = self._has_hole or len(batch) > room

    def _goes_on(self, heads: Heads) -> bool:
        """Open the next segment, write what was kept, take records again. False: the disk still refuses."""
        if self._has_hole:
            return False
        self._disconnect()
        begins_after = heads.number
        try:
            self._connection = segments.following(self.path, heads)
            self._roll_at = heads.number + self._segment_records
            while self._kept:
                cause = self._insert(self._kept[:MOST_TOGETHER], heads)
                if cause is not None:
                    raise JournalError(cause)
                del self._kept[:MOST_TOGETHER]
        except (OSError, *UNREADABLE, JournalError) as error:
            self._log.warning("journal_no_segment", cause=words(error))
            if self._connection is not None and heads.number == begins_after:
                self._disconnect()
                segments.drop_last(
                    self.path
                )  # nothing in it is durable: a disk that stays full must not gather empty files
            return False
        with self._guard:
            self._failure = None
        name = segments.segments(self.path)[-1].name
        self._log.info("journal_goes_on", file=name)
        self._on_recovery(f"{self.path.parent / name}: the journal writes again, in a new segment; nothing is missing")
        return True
