"""The desk's journal on disk: SQLite, one file, one writer thread, many records to one sync."""

import fcntl
import os
import queue
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import msgspec
from msgspec import Struct

from tradedesk.clock import Clock
from tradedesk.domain.events import DurableEvent
from tradedesk.domain.words import AccountId
from tradedesk.journal.records import FORMAT, START, DamagedRecord, Reading, Record, chain_of, encode, made
from tradedesk.journal.store import QUEUE_RECORDS, Durable, JournalError, JournalFailed, JournalFull, settle
from tradedesk.log import Log

APPLICATION_ID = 0x54444A31  # "TDJ1": how the file says what it is
MAX_BATCH = 128  # records in one statement; 6 values each stay below the 999 that older SQLite takes
SLOW_SYNC_MS = 1_000  # a write that takes longer is logged

_SCHEMA = """
CREATE TABLE records (
    number INTEGER PRIMARY KEY, chain TEXT NOT NULL, format INTEGER NOT NULL,
    payload BLOB NOT NULL, checksum INTEGER NOT NULL, link BLOB NOT NULL
);
CREATE TABLE heads (chain TEXT PRIMARY KEY, number INTEGER NOT NULL, link BLOB NOT NULL) WITHOUT ROWID;
CREATE TRIGGER head AFTER INSERT ON records BEGIN
    INSERT OR REPLACE INTO heads VALUES (new.chain, new.number, new.link);
END;
"""
# A batch is one statement, which is a transaction by itself: Python gives up its lock around every statement, and
# beside a busy thread it costs a switch interval to get it back. A row each would cost that fifty times (measured).
_ROW = "(?,?,?,?,?,?)"
_INSERT = [f"INSERT INTO records VALUES {','.join([_ROW] * count)}" for count in range(MAX_BATCH + 1)]  # noqa: S608

_Waiting = tuple[str, bytes, Durable]  # chain, payload, handle


class SqliteJournal:
    """The durable log of one desk, in the file `path` (0600) behind a lock that a second desk cannot get.

    It owns one writer thread. `append` may be called from any thread and never waits; a record that comes while the
    writer is idle is written at once, those that come during a sync go together in the next. After a failed write
    nothing more is written: `on_failure` is called once, on the writer's thread, and every handle fails.
    """

    def __init__(self, path: Path, *, clock: Clock, on_failure: Callable[[str], None]) -> None:
        self.path = path
        self._clock = clock
        self._on_failure = on_failure
        self._log = Log(journal=path.name)
        self._queue: queue.SimpleQueue[_Waiting | threading.Event | None] = queue.SimpleQueue()
        self._guard = threading.Lock()  # append against failure and close: no record after the writer's last look
        self._failure: JournalFailed | None = None
        self._reading = Reading()
        self._lock_file = -1
        self._connection: sqlite3.Connection | None = None
        self._thread: threading.Thread | None = None

    def open(self) -> None:
        """Take the lock, make or open the file, start the writer. Raises JournalError with what to do."""
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock_file = _locked(self.path.with_name(self.path.name + ".lock"))
            _make_private(self.path)
            self._connection = connect(self.path)
            heads = _prepare(self._connection, self.path)
        except (OSError, *_UNREADABLE, JournalError) as error:
            self._release()
            if isinstance(error, JournalError):
                raise
            raise JournalError(f"{self.path}: {_words(error)}; {_REMEDY}") from None
        self._thread = threading.Thread(target=self._write_all, args=heads, name="journal", daemon=True)
        self._thread.start()

    def replay(self) -> Iterator[DurableEvent]:
        """All events appended until now, oldest first; of a damaged account only those before the damage.

        On any thread, at any time; it waits for the writer first, so that a worker that starts again finds its last record.
        """
        self._await_writer()
        reading = Reading()
        with closing(_reader(self.path)) as connection:
            for _, event in _read(connection, reading, self.path):
                yield event
        self._reading = reading

    def damaged(self) -> dict[AccountId | None, str]:
        """What the last complete replay found broken; these accounts must not trade. None is the desk itself."""
        return self._reading.reasons()

    def append(self, event: DurableEvent) -> Durable:
        """Write the event after all that was appended before; the handle settles when it is on disk.

        Raises JournalFull above the bound and JournalFailed after a failed write or `close`. An order whose record is
        refused is denied; a cancel goes all the same.
        """
        handle = Durable()
        waiting = (chain_of(event), encode(event), handle)
        with self._guard:
            if self._failure is not None:
                raise JournalFailed(str(self._failure))
            if self._queue.qsize() >= QUEUE_RECORDS:
                raise JournalFull(f"{self.path}: {QUEUE_RECORDS} records wait for the disk; wait until it keeps up")
            self._queue.put(waiting)
        return handle

    def _await_writer(self) -> None:
        settled = threading.Event()
        with self._guard:
            thread = self._thread
            if thread is not None:
                self._queue.put(settled)
        while thread is not None and thread.is_alive() and not settled.wait(1):
            continue

    @property
    def waiting(self) -> int:
        """Records that the writer has not yet taken up."""
        return self._queue.qsize()

    def close(self) -> None:
        """Write what waits, stop the writer, give up the lock. Doing it twice changes nothing."""
        with self._guard:
            if self._failure is None:
                self._failure = JournalFailed(f"{self.path}: the journal is closed")
            thread, self._thread = self._thread, None
            if thread is not None:
                self._queue.put(None)
        if thread is not None:
            thread.join()
        self._release()

    def _release(self) -> None:
        if self._connection is not None:
            try:
                self._connection.close()
            except sqlite3.Error as error:  # the last checkpoint of a failing disk: the next open reads the WAL
                self._log.error("journal_close_failed", cause=_words(error))
            self._connection = None
        if self._lock_file >= 0:
            os.close(self._lock_file)
            self._lock_file = -1

    # -- the writer's thread --------------------------------------------------------------------------------------------

    def _write_all(self, number: int, links: dict[str, bytes]) -> None:
        """Write until `close`. `number` is that of the last record, `links` the head of every chain."""
        assert self._connection is not None
        broken: JournalFailed | None = None
        is_told = is_last = False
        while not is_last:
            batch: list[_Waiting] = []
            item = self._queue.get()
            while isinstance(item, tuple):
                batch.append(item)
                if len(batch) == MAX_BATCH:
                    break
                try:
                    item = self._queue.get_nowait()
                except queue.Empty:
                    break
            is_last = item is None
            if broken is None and batch:
                values: list[object] = []
                for chain, payload, _ in batch:
                    number += 1
                    record = made(number, chain, payload, links.get(chain, START))
                    links[chain] = record.link
                    values += (number, chain, record.format, payload, record.checksum, record.link)
                broken = self._write(len(batch), values)
            settle([handle for _, _, handle in batch], broken)
            if isinstance(item, threading.Event):
                item.set()
            if broken is not None and not is_told:
                is_told = True
                self._on_failure(str(broken))

    def _write(self, count: int, values: list[object]) -> JournalFailed | None:
        assert self._connection is not None
        began = self._clock.monotonic()
        try:
            self._connection.execute(_INSERT[count], values)
        except Exception as error:  # whatever it was, nothing is proved to be on disk (5.1)
            return self._failed(_words(error))
        took_ms = (self._clock.monotonic() - began) // 1_000_000
        if took_ms > SLOW_SYNC_MS:
            self._log.warning("journal_slow", took_ms=took_ms, records=count)
        return None

    def _failed(self, cause: str) -> JournalFailed:
        """Say no from now on. Whether this batch reached the disk is not known, so it is not durable."""
        failure = JournalFailed(
            f"{self.path}: {cause}; no new orders until the desk is stopped, the disk is seen to, and it is started again"
        )
        with self._guard:
            self._failure = failure
        self._log.error("journal_failed", cause=cause)
        return failure


class Verification(Struct, frozen=True, kw_only=True):
    """What an offline look at a journal found."""

    records: int  # that are sound
    damaged: tuple[DamagedRecord, ...]


def read(path: Path, reading: Reading) -> Iterator[tuple[int, DurableEvent]]:
    """Record number and event of a whole journal, oldest first, beside a running desk or without one.

    `reading` tells afterwards how many were sound and what is damaged. Raises JournalError if it cannot be read at all.
    """
    if not path.is_file():
        raise JournalError(f"{path}: there is no journal; name the file journal.sqlite of a state folder")
    try:
        with closing(_reader(path)) as connection:
            _check_kind(connection, path)
            yield from _read(connection, reading, path)
    except _UNREADABLE as error:
        raise JournalError(f"{path}: {_words(error)}; {_REMEDY}") from None


def verify(path: Path) -> Verification:
    """Read a whole journal and check every checksum and chain. Raises JournalError if it cannot be read at all."""
    reading = Reading()
    for _ in read(path, reading):
        pass
    return Verification(records=reading.count, damaged=tuple(reading.damaged.values()))


_REMEDY = "keep a copy of the file for examination and restore it from a backup, or mend the folder's rights or disk"


# What reading a damaged file can raise: SQLite's own errors, an error text that quotes damaged bytes, a wrong type.
_UNREADABLE = (sqlite3.Error, UnicodeDecodeError, msgspec.ValidationError)


def connect(path: Path) -> sqlite3.Connection:
    """The writer's connection: opened on one thread, used on another, never on two at once."""
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, cached_statements=MAX_BATCH + 8)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    return connection


def _reader(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None)


def _locked(path: Path) -> int:
    """A descriptor that holds the lock of this folder; the system frees it however the process ends (F66)."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        holder = os.read(descriptor, 20).decode("ascii", "replace").strip() or "unknown"
        os.close(descriptor)
        raise JournalError(
            f"{path.parent}: another desk (process {holder}) runs on this state folder; "
            "join it with `tradedesk attach`, stop it, or set TRADEDESK_HOME to another folder"
        ) from None
    os.ftruncate(descriptor, 0)
    os.write(descriptor, b"%d\n" % os.getpid())
    return descriptor


def _make_private(path: Path) -> None:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    os.fchmod(descriptor, 0o600)  # also when the file was there before; SQLite gives its other files the same rights
    os.close(descriptor)


def _prepare(connection: sqlite3.Connection, path: Path) -> tuple[int, dict[str, bytes]]:
    """Make the tables of a new file, check those of an old one; the last number and the head of every chain."""
    if connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0:
        connection.executescript(
            f"BEGIN; {_SCHEMA} PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {FORMAT}; COMMIT;"
        )
    _check_kind(connection, path)
    links = {chain: link for chain, _, link in _heads(connection)}
    return connection.execute("SELECT coalesce(max(number), 0) FROM records").fetchone()[0], links


def _check_kind(connection: sqlite3.Connection, path: Path) -> None:
    kind = connection.execute("PRAGMA application_id").fetchone()[0]
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if kind != APPLICATION_ID:
        raise JournalError(f"{path}: is not a journal of tradedesk; move it away, or restore the journal from a backup")
    if version > FORMAT:
        raise JournalError(
            f"{path}: was written by a newer tradedesk (format {version}, this one reads {FORMAT}); update tradedesk"
        )


def _read(connection: sqlite3.Connection, reading: Reading, path: Path) -> Iterator[tuple[int, DurableEvent]]:
    """The sound events with their numbers. A page that SQLite itself cannot read damages the desk: nobody can say whose it was."""
    connection.execute("BEGIN")  # records and heads of one moment, also beside a running writer
    try:
        rows = connection.execute("SELECT number, chain, format, payload, checksum, link FROM records ORDER BY number")
        yield from reading.sound(msgspec.convert(row, Record, builtin_types=(bytes,)) for row in rows)
        reading.close(_heads(connection))
    except _UNREADABLE as error:
        reading.give_up(f"{path.name}: {_words(error)}")


def _heads(connection: sqlite3.Connection) -> list[tuple[str, int, bytes]]:
    rows = connection.execute("SELECT chain, number, link FROM heads").fetchall()
    return msgspec.convert(rows, list[tuple[str, int, bytes]], builtin_types=(bytes,))


def _words(error: Exception) -> str:
    if isinstance(error, UnicodeDecodeError):  # SQLite quotes the bytes it could not read
        return "a page of it is damaged"
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
