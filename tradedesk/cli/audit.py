"""`tradedesk audit show|operators|verify`: what the journal tells of an order or of operators, and whether it is whole."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tradedesk.cli.endings import FAILED, end
from tradedesk.cli.reach import ConfigOption, JsonOption, home_of, show

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tradedesk.domain.events import DurableEvent
    from tradedesk.journal.records import Reading

JournalOption = Annotated[
    Path | None, typer.Option("--journal", help="A journal file, instead of the one of this home.", show_default=False)
]

audit_app = typer.Typer(
    help="What the journal tells, beside a running desk or without one.", no_args_is_help=True, rich_markup_mode=None
)


def journal_of(config: Path | None, journal: Path | None) -> Path:
    return journal if journal is not None else home_of(config).journal


def damage_of(reading: "Reading") -> list[dict[str, object]]:
    """What is broken, as rows: account (null is the desk's own chain), the first broken record, why."""
    return [
        {"account": found.account, "record": found.row, "reason": found.reason} for found in reading.damaged.values()
    ]


def said_of(damaged: list[dict[str, object]]) -> str:
    """One line for each damaged chain."""
    return "\n".join(
        f"{row['account'] or 'the desk'}: first broken record {row['record']}: {row['reason']};"
        " nothing of this chain after it is believed"
        for row in damaged
    )


@audit_app.command()
def verify(*, journal: JournalOption = None, config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Check every checksum and hash chain, and name the first broken record of each account. Exit 1 if one is broken.

    Example: tradedesk audit verify --json
    """
    from tradedesk.journal.records import Reading
    from tradedesk.journal.sqlite import read
    from tradedesk.journal.store import JournalError

    path = journal_of(config, journal)
    reading = Reading()
    try:
        for _ in read(path, reading):
            pass
    except JournalError as error:
        end(str(error))
    damaged = damage_of(reading)
    if as_json:
        show({"schema": "audit.verify.v1", "journal": str(path), "records": reading.count, "damaged": damaged})
    elif not damaged:
        print(f"{path}: {reading.count} records, every checksum and chain is sound.")
    else:
        print(f"{path}: {reading.count} records are sound.")
    if damaged:
        end(said_of(damaged), FAILED)


@audit_app.command("show")
def show_order(
    *,
    order: Annotated[str, typer.Argument(help="Client order id or venue order id.")],
    journal: JournalOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """The whole life of one order and of those that replaced it: who asked what, when, by which exit and key, what
    became of it, and how long that took.

    Example: tradedesk audit show 018f3a2b4c5d-7
    """
    from tradedesk.domain.text import iso_time
    from tradedesk.journal.history import life
    from tradedesk.journal.records import Reading
    from tradedesk.journal.sqlite import read
    from tradedesk.journal.store import JournalError

    path = journal_of(config, journal)
    readings: list[Reading] = []

    def anew() -> "Iterator[tuple[int, DurableEvent]]":
        readings.append(Reading())
        return read(path, readings[-1])

    try:
        steps = life(anew, order)
    except JournalError as error:
        end(str(error))
    damaged = damage_of(readings[-1])
    if not steps:
        unread = f" It is damaged: {said_of(damaged)}." if damaged else ""
        end(f"{path}: no order {order[:64]!r}; `tradedesk orders` and `tradedesk export orders` list them.{unread}")
    began = steps[0].at
    rows = [
        {
            "record": step.record,
            "at": iso_time(step.at),
            "at_ns": step.at,
            "after_ms": f"{(step.at - began) / 1_000_000:.3f}",
            "took_ms": None if step.took is None else f"{step.took / 1_000_000:.3f}",
            "client_order_id": step.order,
            "source": step.source,
            "what": step.what,
            "detail": step.detail,
        }
        for step in steps
    ]
    if as_json:
        show({"schema": "audit.show.v1", "order": order, "steps": rows, "damaged": damaged})
        return
    from tradedesk.cli.tables import print_table

    print_table({"schema": "audit.show.v1", "steps": rows}, "steps")
    if damaged:
        end(said_of(damaged))


@audit_app.command("operators")
def show_operators(
    *,
    operator: Annotated[str | None, typer.Option(help="Only this one.")] = None,
    last: Annotated[int, typer.Option(min=1, help="At most so many, the newest.")] = 1_000,
    journal: JournalOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Who came and went, what they asked for, and what was refused, a login or a command: when, whom, on which account.

    Example: tradedesk audit operators --operator ann --json
    """
    from collections import deque

    from tradedesk.domain.text import iso_time
    from tradedesk.journal.access import Step, steps
    from tradedesk.journal.records import Reading
    from tradedesk.journal.sqlite import read
    from tradedesk.journal.store import JournalError

    path = journal_of(config, journal)
    reading = Reading()
    found: deque[Step] = deque(maxlen=last)
    try:
        found.extend(step for step in steps(read(path, reading)) if operator in (None, step.operator))
    except JournalError as error:
        end(str(error))
    damaged = damage_of(reading)
    rows = [
        {
            "record": step.record,
            "at": iso_time(step.at),
            "at_ns": step.at,
            "operator": step.operator,
            "what": step.what,
            "account": step.account,
            "detail": step.detail,
        }
        for step in found
    ]
    document = {"schema": "audit.operators.v1", "steps": rows, "damaged": damaged}
    if as_json:
        show(document)
        return
    from tradedesk.cli.tables import print_table

    print_table(document, "steps")
    if damaged:
        end(said_of(damaged))
