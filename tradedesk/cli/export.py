"""`tradedesk export`: orders, fills and events of the journal as CSV, JSON Lines or Parquet."""

import csv
import json
import os
import re
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import IO, Annotated, Any

import typer

from tradedesk.cli.audit import JournalOption, damage_of, journal_of, said_of
from tradedesk.cli.endings import USAGE, end
from tradedesk.cli.reach import ConfigOption

_NUMBER = re.compile(r"-[0-9]+(\.[0-9]+)?")


class What(StrEnum):
    orders = "orders"
    fills = "fills"
    events = "events"


class Form(StrEnum):
    csv = "csv"
    jsonl = "jsonl"
    parquet = "parquet"


Row = dict[str, Any]


def export(
    *,
    what: Annotated[What, typer.Argument(help="orders, fills or events.")],
    form: Annotated[
        Form, typer.Option("--format", help="csv, jsonl, or parquet (needs the extra `parquet`).")
    ] = Form.csv,
    out: Annotated[Path | None, typer.Option("--out", help="A new file (0600); stdout unless told.")] = None,
    account: Annotated[str | None, typer.Option(help="Only this account.")] = None,
    journal: JournalOption = None,
    config: ConfigOption = None,
) -> None:
    """Write what the journal holds, beside a running desk or without one.

    Exact numbers are text in every format; what is a list in JSON is JSON text in CSV and Parquet.

    Example: tradedesk export fills --format parquet --out fills.parquet
    """
    from tradedesk.journal.records import Reading
    from tradedesk.journal.store import JournalError

    if form is Form.parquet and out is None:
        end("--out: is missing; Parquet is no text, so name a new file for it", USAGE)
    path = journal_of(config, journal)
    reading = Reading()
    try:
        rows = _rows(what, path, reading, account)
        count = _written(rows, form, out)
    except JournalError as error:
        end(str(error))
    if reading.damaged:
        end(f"{count} {what.value} written, and the journal is damaged:\n{said_of(damage_of(reading))}")
    if out is not None:
        print(f"{count} {what.value} written to {out}", file=sys.stderr)


def _rows(what: What, path: Path, reading: "Any", account: str | None) -> Iterable[Row]:
    """Orders and fills as `tradedesk orders|fills --json` has them, all of them; events as they were recorded."""
    import msgspec

    from tradedesk.domain.events import EventBase, account_of
    from tradedesk.domain.text import iso_time
    from tradedesk.journal.sqlite import read

    events = read(path, reading)
    if what is What.events:
        for number, event in events:
            assert isinstance(event, EventBase)
            if account in (None, account_of(event)):
                yield {
                    "record": number,
                    "at": iso_time(event.at),
                    "at_ns": event.at,
                    "account": account_of(event),
                    "source": event.source,
                    "type": type(event).__name__,
                    "event": {
                        name: value
                        for name, value in msgspec.to_builtins(event).items()
                        if name not in ("type", "at", "source")
                    },
                }
        return
    from tradedesk.views.documents import fills_document, orders_document
    from tradedesk.views.replica import Replica

    replica = Replica(is_whole=True)
    for _, event in events:
        replica.apply(event)
    made = orders_document if what is What.orders else fills_document
    yield from made(replica, account=account)[what.value]


def _written(rows: Iterable[Row], form: Form, out: Path | None) -> int:
    """Write the rows; how many they were."""
    if form is Form.parquet:
        assert out is not None
        return _parquet(list(rows), out)
    count = 0
    with _target(out) as file:
        writer: csv.DictWriter[str] | None = None
        for count, row in enumerate(rows, 1):  # noqa: B007 - the count is what is returned
            if form is Form.jsonl:
                file.write(json.dumps(row, ensure_ascii=False) + "\n")
                continue
            if writer is None:
                writer = csv.DictWriter(file, list(row))
                writer.writeheader()
            writer.writerow({name: _no_formula(_cell(value)) for name, value in row.items()})
    return count


def _no_formula(value: Any) -> Any:
    """Text that a spreadsheet would run gets an apostrophe in front; a negative number is a number."""
    if not isinstance(value, str) or not value.startswith(("=", "+", "-", "@", "\t", "\r")) or _NUMBER.fullmatch(value):
        return value
    return f"'{value}"


def _cell(value: Any) -> Any:
    """What has parts is JSON text; what is absent is empty."""
    return json.dumps(value, ensure_ascii=False) if isinstance(value, list | dict) else value


@contextmanager
def _target(out: Path | None) -> Iterator[IO[str]]:
    if out is None:
        yield sys.stdout
        return
    try:
        descriptor = os.open(out, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        end(f"--out: {out} exists already; name a new file")
    except OSError as error:
        end(f"--out: {out} cannot be made ({error.strerror}); name a file in a folder you may write to")
    with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
        yield file


def _parquet(rows: list[Row], out: Path) -> int:
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError:
        end("--format: parquet needs pyarrow; install tradedesk[parquet], or use csv or jsonl", USAGE)
    with _target(out):  # made before anything is written: private, and never over another file
        pass
    names = list(rows[0]) if rows else []
    columns = {name: [_cell(row[name]) for row in rows] for name in names}
    pq.write_table(pa.table(columns), out)
    return len(rows)
