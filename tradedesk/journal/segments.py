"""The files of a journal: SQLite, one segment after the other, each carrying the heads of the chains before it.

The first segment is the journal's own path; after a failed write the next one is `journal.0002.sqlite` and so on. Of a
segment only those records count that come before the next one begins: what a failing disk kept or lost of its last write
nobody was told to be durable, and the next segment holds it again.
"""

import contextlib
import fcntl
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import msgspec
from msgspec import Struct

from tradedesk.domain.events import DurableEvent
from tradedesk.journal.records import FORMAT, DamagedRecord, Reading, Record
from tradedesk.journal.store import JournalError

APPLICATION_ID = 0x54444A31  # "TDJ1": how the file says what it is
MAX_BATCH = 128  # records in one statement; 6 values each stay below the 999 that older SQLite takes
MOST_SEGMENTS = 9_999

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
# Of every segment but the first: where it begins. `chain` '' with a null link is the number of the last record before it.
_ORIGIN = "CREATE TABLE origin (chain TEXT NOT NULL, number INTEGER NOT NULL, link BLOB);"


class Heads(Struct):
    """Where the chains end: the number of the last record, and by chain the number and link of its own last one."""

    number: int
    links: dict[str, tuple[int, bytes]]


class Verification(Struct, frozen=True, kw_only=True):
    """What an offline look at a journal found."""

    records: int  # that are sound
    damaged: tuple[DamagedRecord, ...]


REMEDY = "keep a copy of the file for examination and restore it from a backup, or mend the folder's rights or disk"

# What reading a damaged file can raise: SQLite's own errors, an error text that quotes damaged bytes, a wrong type.
UNREADABLE = (sqlite3.Error, UnicodeDecodeError, msgspec.ValidationError)


def segments(path: Path) -> list[Path]:
    """The files of the journal `path`, oldest first; the first may be absent."""
    found = [path]
    while len(found) < MOST_SEGMENTS and (following := _segment(path, len(found) + 1)).exists():
        found.append(following)
    return found


def _segment(path: Path, index: int) -> Path:
    return path.with_name(f"{path.stem}.{index:04}{path.suffix}")


def connect(path: Path) -> sqlite3.Connection:
    """The writer's connection: opened on one thread, used on another, never on two at once."""
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, cached_statements=MAX_BATCH + 8)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    return connection


def opened(path: Path) -> tuple[sqlite3.Connection, Heads]:
    """The last segment, made if there is none, ready to be written, and where its chains end."""
    last = segments(path)[-1]
    if not last.exists():
        _born(last, Heads(0, {}), is_first=True)
    make_private(last)
    connection = connect(last)
    if connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0:
        connection.executescript(_made(_SCHEMA))
    check_kind(connection, last)
    return connection, _heads(connection)


def following(path: Path, heads: Heads) -> sqlite3.Connection:
    """A new segment that goes on where `heads` stand. Whole or not there at all, whatever happens while it is made."""
    known = segments(path)
    if len(known) >= MOST_SEGMENTS:
        raise JournalError(f"{path}: has {len(known)} segments; archive it and begin a new one")
    final = _segment(path, len(known) + 1)
    _born(final, heads, is_first=False)
    return connect(final)


def _born(final: Path, heads: Heads, *, is_first: bool) -> None:
    """Make a file that begins where `heads` stand. It is in WAL mode before it has its name: to turn it to that later would
    leave, if killed on the way, a file that nobody can read who may not write.
    """
    draft = final.with_name(final.name + ".new")
    _remove(draft)
    make_private(draft)
    with closing(sqlite3.connect(draft, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.executescript(_made(_SCHEMA if is_first else _SCHEMA + _ORIGIN))
        if not is_first:
            connection.execute("BEGIN")
            connection.execute("INSERT INTO origin VALUES ('', ?, NULL)", (heads.number,))
            for chain, (number, link) in heads.links.items():
                connection.execute("INSERT INTO origin VALUES (?, ?, ?)", (chain, number, link))
                connection.execute("INSERT INTO heads VALUES (?, ?, ?)", (chain, number, link))
            connection.execute("COMMIT")
    for folder_or_file in (draft, draft.parent):
        descriptor = os.open(folder_or_file, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    draft.rename(final)


def begins_after(path: Path) -> int:
    """The number of the last record before the newest segment."""
    known = segments(path)
    origin = begin_of(known[-1]) if len(known) > 1 else None
    return 0 if origin is None else origin.number


def drop_last(path: Path) -> None:
    """Remove the newest segment, of which nothing is durable. The first one stays."""
    known = segments(path)
    if len(known) > 1:
        with contextlib.suppress(OSError):  # then it stays, empty, and the next try makes the one after it
            _remove(known[-1])


def _remove(file: Path) -> None:
    for name in (file.name + "-wal", file.name + "-shm", file.name):
        file.with_name(name).unlink(missing_ok=True)


def _made(schema: str) -> str:
    return f"BEGIN; {schema} PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {FORMAT}; COMMIT;"


def check_kind(connection: sqlite3.Connection, path: Path) -> None:
    """Raises JournalError if this is no journal, or one of a newer program."""
    kind = connection.execute("PRAGMA application_id").fetchone()[0]
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if kind != APPLICATION_ID:
        raise JournalError(f"{path}: is not a journal of tradedesk; move it away, or restore the journal from a backup")
    if version > FORMAT:
        raise JournalError(
            f"{path}: was written by a newer tradedesk (format {version}, this one reads {FORMAT}); update tradedesk"
        )


def _heads(connection: sqlite3.Connection) -> Heads:
    links = {chain: (number, link) for chain, number, link in _rows(connection, "heads")}
    origin = _origin(connection)
    before = origin.number if origin is not None else 0
    return Heads(max(connection.execute("SELECT coalesce(max(number), 0) FROM records").fetchone()[0], before), links)


def _origin(connection: sqlite3.Connection) -> Heads | None:
    """Where this segment begins; None for the first of a journal."""
    if not connection.execute("SELECT count(*) FROM sqlite_master WHERE name = 'origin'").fetchone()[0]:
        return None
    number = connection.execute("SELECT number FROM origin WHERE link IS NULL").fetchone()[0]
    return Heads(number, {chain: (at, link) for chain, at, link in _rows(connection, "origin WHERE link IS NOT NULL")})


def _rows(connection: sqlite3.Connection, table: str) -> list[tuple[str, int, bytes]]:
    rows = connection.execute(f"SELECT chain, number, link FROM {table}").fetchall()  # noqa: S608 - a name of ours
    return msgspec.convert(rows, list[tuple[str, int, bytes]], builtin_types=(bytes,))


def read(
    path: Path, reading: Reading, *, skip: int = 0, until: int | None = None
) -> Iterator[tuple[int, DurableEvent]]:
    """Record number and event of a whole journal, oldest first, beside a running desk or without one.

    `reading` tells afterwards how many were sound and what is damaged. Without the first `skip` segments, and without
    those from `until` on. Raises JournalError if it cannot be read at all.
    """
    if not path.is_file():
        raise JournalError(f"{path}: there is no journal; name the file journal.sqlite of a state folder")
    files = segments(path)
    try:
        for file, after in list(zip(files, [*files[1:], None], strict=True))[skip:until]:
            with closing(_reader(file)) as connection:
                check_kind(connection, file)
                yield from _read(connection, reading, file, begin_of(after))
    except UNREADABLE as error:
        raise JournalError(f"{path}: {words(error)}; {REMEDY}") from None


def begin_of(file: Path | None) -> Heads | None:
    """Where a segment begins; None for the first."""
    if file is None:
        return None
    with closing(_reader(file)) as connection:
        check_kind(connection, file)
        return _origin(connection)


def _read(
    connection: sqlite3.Connection, reading: Reading, path: Path, until: Heads | None
) -> Iterator[tuple[int, DurableEvent]]:
    """The sound events with their numbers. A page that SQLite itself cannot read damages the desk: nobody can say whose it was.

    `until` is where the next segment begins; None for the last one.
    """
    connection.execute("BEGIN")  # records and heads of one moment, also beside a running writer
    try:
        rows = connection.execute(
            "SELECT number, chain, format, payload, checksum, link FROM records WHERE number <= ? ORDER BY number",
            (until.number if until is not None else 1 << 62,),
        )
        while batch := rows.fetchmany(MAX_BATCH):
            yield from reading.sound(msgspec.convert(batch, list[Record], builtin_types=(bytes,)))
        heads = until if until is not None else _heads(connection)
        reading.close((chain, number, link) for chain, (number, link) in heads.links.items())
    except UNREADABLE as error:
        reading.give_up(f"{path.name}: {words(error)}")


def verify(path: Path) -> Verification:
    """Read a whole journal and check every checksum and chain. Raises JournalError if it cannot be read at all."""
    reading = Reading()
    for _ in read(path, reading):
        pass
    return Verification(records=reading.count, damaged=tuple(reading.damaged.values()))


def _reader(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None)


def locked(path: Path) -> int:
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


def make_private(path: Path) -> None:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    os.fchmod(descriptor, 0o600)  # also when the file was there before; SQLite gives its other files the same rights
    os.close(descriptor)


def words(error: Exception) -> str:
    if isinstance(error, UnicodeDecodeError):  # SQLite quotes the bytes it could not read
        return "a page of it is damaged"
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
