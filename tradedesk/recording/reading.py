"""Reading a recording of either format, line by line: a day of it needs no more memory than its longest line."""

import gzip
import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, cast

import msgspec
from msgspec import Struct

from tradedesk.recording import raw
from tradedesk.recording.records import Header, Listed, Record, RecordingCut, RecordingError, unsound
from tradedesk.recording.writing import SCHEMA

_GZIP = b"\x1f\x8b"
_MOST_LINE = 16 * 1024 * 1024  # bytes
_MOST_INSTRUMENTS = 10_000
_NAME = re.compile(r"[A-Z0-9_.-]{1,30}", re.ASCII)


class _Head(Struct):
    schema: str
    venue: str
    kind: str
    started_at: int
    instruments: tuple[Listed, ...]


class _End(Struct, array_like=True, tag="end"):
    at: int
    lines: int


_head = msgspec.json.Decoder(_Head)
_row = msgspec.json.Decoder(Record | _End)


class Reader:
    """An open recording. Iterating gives its records in order, once; `line` is the one that the last came from.

    Raises RecordingError where it cannot go on, and RecordingCut where the file stops before the recording ended.
    """

    def __init__(self, path: Path) -> None:
        """Reads the beginning only. Raises RecordingError."""
        self.name = path.name
        self.line = 0
        self._path = path
        self._is_raw = False
        lines = self._lines()
        try:
            first = next(lines)[1]
        except StopIteration:
            raise RecordingError(f"{self.name}: the file is empty; choose another recording") from None
        self.line = 0
        self._is_raw = not first.startswith(b"{")
        self.header = self._raw_header() if self._is_raw else self._header(first)

    def __iter__(self) -> Iterator[Record]:
        if self._is_raw:
            return raw.records(self._lines(), self.header.instruments[0].symbol, self.name)
        return self._records()

    def _raw_header(self) -> Header:
        try:
            return raw.header(self._lines(), self.name)
        finally:
            self.line = 0

    def _header(self, first: bytes) -> Header:
        try:
            head = _head.decode(first)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise RecordingError(
                f"{self.name}: is no recording ({error}); name a file made by 'tradedesk record'"
            ) from None
        if head.schema != SCHEMA:
            raise RecordingError(f"{self.name}: is of the format {head.schema[:40]!r}; this version reads {SCHEMA}")
        if not 1 <= len(head.instruments) <= _MOST_INSTRUMENTS or not all(map(_can_be, head.instruments)):
            raise RecordingError(f"{self.name}: its first line names no instruments that can be; record anew")
        return Header(venue=head.venue, kind=head.kind, started_at=head.started_at, instruments=head.instruments)

    def _records(self) -> Iterator[Record]:
        symbols = {listed.symbol for listed in self.header.instruments}
        for number, line in self._lines():
            if number == 1:
                continue
            try:
                row = _row.decode(line)
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                raise raw.damaged(self.name, number, str(error)) from None
            if isinstance(row, _End):
                if row.lines != number:
                    raise raw.damaged(self.name, number, f"it says there are {row.lines} lines")
                return
            wrong = unsound(row)
            if wrong is None and row.symbol not in symbols:
                wrong = f"{row.symbol[:24]} is not among the instruments of the first line"
            if wrong is not None:
                raise raw.damaged(self.name, number, wrong)
            yield row
        raise self._cut()

    def _cut(self) -> RecordingCut:
        return RecordingCut(f"{self.name}: the recording is cut after line {self.line}; what came before is whole")

    def _lines(self) -> Iterator[tuple[int, bytes]]:
        """(number, whole line). What a cut file still holds comes before the RecordingCut."""
        try:
            with _open(self._path) as file:
                while line := file.readline(_MOST_LINE):
                    if not line.endswith(b"\n"):
                        if len(line) == _MOST_LINE:
                            raise raw.damaged(self.name, self.line + 1, "it is far too long")
                        raise self._cut()
                    self.line += 1
                    yield self.line, line
        except FileNotFoundError:
            raise RecordingError(
                f"{self._path}: there is no such file; name a recording made by 'tradedesk record'"
            ) from None
        except EOFError:
            raise self._cut() from None
        except (zlib.error, gzip.BadGzipFile):
            raise RecordingError(
                f"{self.name}: the compressed data is damaged after line {self.line}; copy the file again"
            ) from None
        except OSError as error:
            raise RecordingError(f"{self._path}: cannot be read ({error.strerror}); choose another recording") from None


def _can_be(listed: Listed) -> bool:
    names = (listed.symbol, listed.base, listed.quote)
    steps = (listed.tick, listed.lot)
    return all(_NAME.fullmatch(name) for name in names) and all(
        step.is_finite() and step > 0 and -18 <= step.adjusted() <= 15 for step in steps
    )


def _open(path: Path) -> BinaryIO:
    with path.open("rb") as file:
        is_gzip = file.read(2) == _GZIP
    return cast(BinaryIO, gzip.open(path, "rb")) if is_gzip else path.open("rb")
