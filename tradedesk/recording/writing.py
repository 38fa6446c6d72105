"""Writing a recording of the house's own format, line by line, so that what is flushed outlives the writer."""

import gzip
from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path

import msgspec

from tradedesk.recording.records import (
    DepthUpdate,
    Gap,
    Header,
    Levels,
    Record,
    RecordingError,
    Snapshot,
    TouchSeen,
    TradeSeen,
)

SCHEMA = "recording.v1"


class Writer:
    """A new file; one that is there is never touched. Use it in a `with`, or call `close`."""

    def __init__(self, path: Path, header: Header) -> None:
        """Raises RecordingError if the file cannot be made, or is there already."""
        try:
            self._file = path.open("xb")
        except FileExistsError:
            raise RecordingError(f"{path}: is there already and stays as it is; name a file that is not") from None
        except OSError as error:
            raise RecordingError(f"{path}: cannot be written ({error.strerror}); name another file") from None
        self._zip = gzip.GzipFile(filename="", mode="wb", fileobj=self._file, compresslevel=6, mtime=0)
        self.lines = 0
        self._write(
            {
                "schema": SCHEMA,
                "venue": header.venue,
                "kind": header.kind,
                "started_at": header.started_at,
                "instruments": [
                    {
                        "symbol": listed.symbol,
                        "base": listed.base,
                        "quote": listed.quote,
                        "tick": _text(listed.tick),
                        "lot": _text(listed.lot),
                    }
                    for listed in header.instruments
                ],
            }
        )
        self.flush()

    def write(self, record: Record) -> None:
        self._write(_row(record))

    def flush(self) -> None:
        """Hand everything written to the operating system, in a form that can be read up to here."""
        self._zip.flush()
        self._file.flush()

    def close(self, at: int) -> None:
        """End the recording as a whole one; `at` in ns since the epoch."""
        if not self._zip.closed:
            self._write(["end", at, self.lines + 1])
            self._zip.close()
            self._file.close()

    @property
    def size(self) -> int:
        """Bytes on disk as of the last flush."""
        return self._file.tell() if not self._file.closed else 0

    def _write(self, value: object) -> None:
        self._zip.write(msgspec.json.encode(value) + b"\n")
        self.lines += 1


def write(path: Path, header: Header, records: Iterable[Record]) -> None:
    """A whole recording of these records."""
    writer, at = Writer(path, header), header.started_at
    for record in records:
        writer.write(record)
        at = record.at
    writer.close(at)


def _row(record: Record) -> list[object]:
    match record:
        case Snapshot(at=at, symbol=symbol):
            return ["snapshot", at, symbol, record.last_id, _texts(record.bids), _texts(record.asks)]
        case DepthUpdate(at=at, symbol=symbol):
            ids = (record.first_id, record.last_id, record.previous_id)
            return ["depth", at, symbol, *ids, _texts(record.bids), _texts(record.asks), record.venue_at]
        case TradeSeen(at=at, symbol=symbol):
            price, quantity = _text(record.price), _text(record.quantity)
            return ["trade", at, symbol, record.trade_id, price, quantity, record.buyer_is_maker, record.venue_at]
        case TouchSeen(at=at, symbol=symbol):
            sides = (_text(value) for value in (record.bid, record.bid_qty, record.ask, record.ask_qty))
            return ["touch", at, symbol, record.update_id, *sides]
        case Gap(at=at, symbol=symbol):
            return ["gap", at, symbol, record.reason]


def _texts(levels: Levels) -> list[tuple[str, str]]:
    return [(_text(price), _text(quantity)) for price, quantity in levels]


def _text(value: Decimal) -> str:
    return f"{value:f}"
