"""Checkpoints: what all records before a segment come to, in a file beside it, so that a start need not read them again.

A checkpoint is made from records and proves nothing: it can be deleted at any time, and what cannot be used (damaged, of
another format, not of this chain) is passed over for an older one, or for the records themselves, all of which stay for
audit and export; so a new version of the program reads all of them once. It stands beside the segment it comes before: `journal.0003.sqlite` has `journal.0003.checkpoint`. It is
used only if its chains end where that segment begins. What the state in it means is for whoever folds (`Fold`).
"""

import os
import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path
from typing import Protocol

import msgspec
from msgspec import Struct

from tradedesk.domain.events import DurableEvent, InstrumentListed, Kept
from tradedesk.journal import segments
from tradedesk.journal.records import Reading
from tradedesk.journal.segments import UNREADABLE, Heads
from tradedesk.journal.store import JournalError

MAGIC = b"TDK1"
SLICE = 250  # events folded in one go; then others have the processor
REST_S = 0.005
KEPT = 2  # checkpoints: the newest and, in case it is damaged, the one before

Restored = InstrumentListed | Kept


class Fold(Protocol):
    """What a journal's events come to; made anew for each checkpoint, used by one thread."""

    def form(self) -> str:
        """What tells this program's fold from any other's: a checkpoint of another one is passed over."""

    def apply(self, event: DurableEvent | Kept) -> None: ...

    def events(self) -> "Iterable[Restored]":
        """Events that stand for all that was applied: applied to a new fold they make it the same."""


class Checkpoint(Struct, frozen=True, kw_only=True):
    """What all records up to a number come to."""

    form: str
    heads: Heads  # of the chains there
    events: list[Restored]


class _Head(Struct, frozen=True):
    """Only as much as tells whether the rest can be read."""

    form: str


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Checkpoint)
_head_decoder = msgspec.msgpack.Decoder(_Head)


def beside(segment: Path) -> Path:
    return segment.with_suffix(".checkpoint")


def newest(path: Path, form: str) -> tuple[Checkpoint, int] | None:
    """The newest usable checkpoint of the journal, and how many segments it stands for."""
    known = segments.segments(path)
    for index in range(len(known) - 1, 0, -1):
        found = _usable(known[index], form)
        if found is not None:
            return found, index
    return None


def _usable(segment: Path, form: str) -> Checkpoint | None:
    try:
        content = memoryview(beside(segment).read_bytes())  # not copied: it may be large
        origin = segments.begin_of(segment)
    except (OSError, *UNREADABLE, JournalError):
        return None
    body = content[len(MAGIC) + 16 :]
    if content[: len(MAGIC)] != MAGIC or blake2b(body, digest_size=16).digest() != content[len(MAGIC) :][:16]:
        return None
    try:
        if _head_decoder.decode(body).form != form:
            return None
        found = _decoder.decode(body)
    except msgspec.MsgspecError:
        return None
    return found if found.heads == origin else None


def replay(path: Path, reading: Reading, form: str) -> "Iterator[tuple[int, DurableEvent | Restored]]":
    """As `segments.read`, from the newest usable checkpoint on; what stands for the records before it has number 0."""
    found = newest(path, form)
    if found is None:
        yield from segments.read(path, reading)
        return
    checkpoint, index = found
    for event in checkpoint.events:
        yield 0, event
    reading.go_on((chain, link) for chain, (_, link) in checkpoint.heads.links.items())
    yield from segments.read(path, reading, skip=index)


def make(path: Path, index: int, fold: Fold, rest: Callable[[], bool]) -> bool:
    """Write the checkpoint of the segments before number `index` (from 0), from the newest one there is before that.

    `rest` is called again and again on the way; once it returns True the work is given up. False: nothing was written,
    also where a record is damaged, as every start is to find that.

    Raises OSError, sqlite3.Error or JournalError.
    """
    known = segments.segments(path)
    segment, first = known[index], 0
    reading = Reading()
    for earlier in range(index - 1, 0, -1):
        base = _usable(known[earlier], fold.form())
        if base is not None:
            for restored in base.events:
                fold.apply(restored)
            reading.go_on((chain, link) for chain, (_, link) in base.heads.links.items())
            first = earlier
            break
    for count, (_, event) in enumerate(segments.read(path, reading, skip=first, until=index)):
        fold.apply(event)
        if count % SLICE == 0 and rest():
            return False
    origin = segments.begin_of(segment)
    if reading.damaged or origin is None:
        return False
    _write(segment, Checkpoint(form=fold.form(), heads=origin, events=list(fold.events())))
    for old in [each for each in known[1:index] if beside(each).exists()][: -(KEPT - 1)]:
        beside(old).unlink(missing_ok=True)
    return True


def _write(segment: Path, checkpoint: Checkpoint) -> None:
    """Whole or not there at all."""
    body = _encoder.encode(checkpoint)
    final = beside(segment)
    draft = final.with_name(final.name + ".new")
    draft.unlink(missing_ok=True)
    segments.make_private(draft)
    with draft.open("wb") as file:
        file.write(MAGIC + blake2b(body, digest_size=16).digest())
        file.write(body)
        file.flush()
        os.fsync(file.fileno())
    draft.rename(final)
    folder = os.open(final.parent, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


class Archivist:
    """Makes the checkpoint of the newest segment wherever it is missing, on a thread of its own, in small slices.

    `closes` and `stop` may be called from any thread.
    """

    def __init__(self, path: Path, fold: Callable[[], Fold], told: Callable[[str | None], None]) -> None:
        """`told` hears, on the archivist's thread, after each try: None if it went well, else why not."""
        self._path = path
        self._fold = fold
        self._told = told
        self._wanted = threading.Event()
        self._wanted.set()  # one may be missing since an earlier life
        self._closing: list[sqlite3.Connection] = []
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="archivist", daemon=True)
        self._thread.start()

    def closes(self, segment: sqlite3.Connection) -> None:
        """A segment is complete. It is closed here, as that writes what its log holds into it."""
        self._closing.append(segment)
        self._wanted.set()

    def stop(self) -> None:
        self._stopping.set()
        self._wanted.set()
        self._thread.join()

    def _run(self) -> None:
        while self._wanted.wait():
            self._wanted.clear()
            while self._closing:
                with suppress(sqlite3.Error):  # then its log file stays, and whoever reads it next reads that too
                    self._closing.pop().close()
            if self._stopping.is_set():
                return
            index = len(segments.segments(self._path)) - 1
            fold = self._fold()
            if index > 0 and _usable(segments.segments(self._path)[index], fold.form()) is None:
                self._told(self._tried(index, fold))

    def _tried(self, index: int, fold: Fold) -> str | None:
        try:
            is_made = make(self._path, index, fold, lambda: self._stopping.wait(REST_S))
        except Exception as error:  # whatever it was: all records are there, and the next start reads them
            return f"{type(error).__name__}: {segments.words(error)}"
        return None if is_made else "the desk stops, or a record is damaged"
