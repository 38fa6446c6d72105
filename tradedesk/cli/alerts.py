"""`tradedesk alerts`: risk alerts, one row per cause; `alerts ack` and `alerts snooze` do about one what a person does."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tradedesk.cli.endings import USAGE, end
from tradedesk.cli.look import AccountOption, print_document
from tradedesk.cli.reach import (
    ConfigOption,
    JsonOption,
    OperatorOption,
    OperatorPassphraseOption,
    controlled,
    home_of,
    show,
    watching,
)

if TYPE_CHECKING:
    from tradedesk.domain.commands import AcknowledgeAlert, SnoozeAlert
    from tradedesk.views.alert_rows import AlertRow

WITHIN_S = 5.0

alerts_app = typer.Typer(rich_markup_mode=None)
KeyArgument = Annotated[str, typer.Argument(help="Key of the alert or of its cause, as `tradedesk alerts` names it.")]
NoteOption = Annotated[str, typer.Option(help="What you make of it; it is kept in the journal with your name.")]


@alerts_app.callback(invoke_without_command=True)
def alerts(
    context: typer.Context,
    *,
    account: AccountOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Risk alerts, one row per cause, and how long they took to whom.

    Example: tradedesk alerts --json
    """
    if context.invoked_subcommand is not None:
        return
    from tradedesk.views.documents import alerts_document

    document = print_document(
        config, as_json, "alerts", lambda replica: alerts_document(replica, account=account), account
    )
    if not as_json:
        for row in document["deliveries"]:
            typer.echo(
                f"to {row['to']}: {row['count']} delivered, the newest after {row['last_ms']} ms, "
                f"the slowest after {row['worst_ms']} ms, {row['late']} late",
                err=True,
            )


@alerts_app.command()
def ack(
    key: KeyArgument,
    *,
    note: NoteOption = "",
    operator: OperatorOption = None,
    operator_passphrase_file: OperatorPassphraseOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Acknowledge an alert, or all of one cause: it is yours from here on, and is told on to nobody.

    Example: tradedesk alerts ack drawdown:acme --note "client called, limit stays"
    """
    from tradedesk.domain.commands import AcknowledgeAlert
    from tradedesk.domain.words import OperatorId

    command = AcknowledgeAlert(key=key, note=note, operator=OperatorId(""))
    rows = _done(command, lambda row: row.acknowledged_by is not None, operator, operator_passphrase_file, config)
    if as_json:
        show({"schema": "alert_ack.v1", "keys": [row.alert.key for row in rows]})
    for row in rows if not as_json else ():
        typer.echo(f"{row.alert.key} is acknowledged by {row.acknowledged_by}")


@alerts_app.command()
def snooze(
    key: KeyArgument,
    *,
    for_: Annotated[str, typer.Option("--for", help="How long: 90s, 30m, 2h; at most 24h.")],
    note: NoteOption = "",
    operator: OperatorOption = None,
    operator_passphrase_file: OperatorPassphraseOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Put an alert off, or all of one cause: it asks nobody until then, unless it becomes worse.

    Example: tradedesk alerts snooze stream:acme --for 30m --note "venue maintenance"
    """
    from tradedesk.domain.commands import SnoozeAlert
    from tradedesk.domain.text import iso_time, span_ns
    from tradedesk.domain.words import OperatorId

    span = span_ns(for_)
    if span is None:
        end(f"--for: {for_!r} is no length of time; write 90s, 30m or 2h", USAGE)
    until = time.time_ns() + span
    command = SnoozeAlert(key=key, until=until, note=note, operator=OperatorId(""))
    rows = _done(command, lambda row: row.snoozed_until == until, operator, operator_passphrase_file, config)
    if as_json:
        show({"schema": "alert_snooze.v1", "keys": [row.alert.key for row in rows], "until": iso_time(until)})
    for row in rows if not as_json else ():
        typer.echo(f"{row.alert.key} is put off until {iso_time(until)}")


def _done(
    command: "AcknowledgeAlert | SnoozeAlert",
    is_done: "Callable[[AlertRow], bool]",
    operator: str | None,
    passphrase_file: Path | None,
    config: Path | None,
) -> "list[AlertRow]":
    """Hand it over; the alerts concerned, once the desk has said of each that it is done."""
    from tradedesk.domain.commands import NotSubmitted

    home = home_of(config)
    control = controlled(home, operator, passphrase_file)
    with watching(home, control) as watch:
        reply = control.submit(command)
        if isinstance(reply, NotSubmitted):
            end(reply.reason)

        def rows() -> "list[AlertRow]":
            known = watch.replica.alerts.values()
            return [row for row in known if command.key in (row.alert.key, row.alert.cause)]

        if not watch.until(lambda: all(is_done(row) for row in rows()), WITHIN_S):
            end(f"the desk did not confirm it within {WITHIN_S:.0f} s; see `tradedesk alerts`")
        return rows()
