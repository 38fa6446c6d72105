"""`tradedesk limits show|check|set`: the limits in force with who says so, what they say to an order, and changing one."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from tradedesk.cli.endings import REFUSED, USAGE, end
from tradedesk.cli.reach import (
    ConfigOption,
    JsonOption,
    OperatorOption,
    OperatorPassphraseOption,
    account_of,
    controlled,
    home_of,
    instrument_of,
    instruments_of,
    show,
    watching,
)

if TYPE_CHECKING:
    from tradedesk.domain.limits import Limits

SET_S = 5.0

limits_app = typer.Typer(no_args_is_help=True, help="Limits in force, and changing them while the desk runs.")


@limits_app.command("show")
def show_limits(
    *,
    account: Annotated[str | None, typer.Option(help="Only of this account.")] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Every figure in force, by account, and who says so.

    Example: tradedesk limits show --account acme
    """
    with watching(home_of(config)) as watch:
        wanted = [account_of(watch.replica, account)] if account is not None else list(watch.replica.accounts)
        rows = [row for name in wanted for row in _rows(name, watch.replica.accounts[name].account.limits)]
    if as_json:
        show({"schema": "limits.v1", "limits": rows})
        return
    for row in rows:
        where = f"{row['account']} {row['instrument'] or ''}".rstrip()
        typer.echo(f"{where:<28} {row['figure']:<26} {row['value']:<20} {row['source']}")


@limits_app.command("check")
def check(
    order: Annotated[str, typer.Argument(help='As one says it: "buy 3 BTC/USDT @ 60000"; without a price at market.')],
    *,
    account: Annotated[str, typer.Option(help="The account it would be for.")],
    operator: OperatorOption = None,
    operator_passphrase_file: OperatorPassphraseOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """What the account's Gate would say to an order now, rule by rule. Nothing is sent, reserved or recorded.

    Exit 3 where it would be refused.

    Example: tradedesk limits check --account acme "buy 3 BTC/USDT @ 60000"
    """
    from tradedesk.cli.limits_check import asked_of, command_in, document_of, print_answers

    wanted = command_in(order)
    if isinstance(wanted, str):
        end(wanted, USAGE)
    home = home_of(config)
    control = controlled(home, operator, operator_passphrase_file)
    with watching(home, control) as watch:
        of = account_of(watch.replica, account)
        instrument = instrument_of(watch.replica, of, wanted.instrument).id
        command = wanted.command(of, instrument, watch.clock.now())
        verdict = asked_of(watch, control, command)
    document = document_of(command, verdict)
    if as_json:
        show(document)
    else:
        print_answers(document)
    if not document["passes"]:
        raise typer.Exit(REFUSED)


@limits_app.command("set")
def set_limit(
    figure: Annotated[str, typer.Argument(help="As in desk.toml, e.g. max_order_notional.")],
    value: Annotated[
        str, typer.Argument(help='The number, a list like "limit, market" ("none" empties it), or "file".')
    ],
    *,
    reason: Annotated[str, typer.Option(help="Why; it is kept in the journal with your name.")],
    account: Annotated[str | None, typer.Option(help="Of this account.")] = None,
    group: Annotated[str | None, typer.Option(help="Of this group; without account and group: of the desk.")] = None,
    instrument: Annotated[str | None, typer.Option(help="Only for this instrument, e.g. BTC/USDT.")] = None,
    until: Annotated[
        str | None, typer.Option(help="An exception that ends by itself: after 90s, 30m, 2h; at most seven days.")
    ] = None,
    operator: OperatorOption = None,
    operator_passphrase_file: OperatorPassphraseOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Change a limit from the next order on. It is kept over restarts, where the tighter of it and desk.toml holds.

    With --until it is an exception: what it lets pass always takes a second person, restarts keep it until its end, and
    then what held before holds again. Setting the figure without --until ends it before.

    Example: tradedesk limits set --account acme --instrument BTC/USDT max_order_qty 0.5 --reason "thin market"
    """
    from tradedesk.domain.commands import NotSubmitted, SetLimits
    from tradedesk.domain.events import LimitsSet, SubmissionRefused
    from tradedesk.domain.text import iso_time, span_ns
    from tradedesk.domain.words import OperatorId
    from tradedesk.views.feed import Numbered

    if account is not None and group is not None:
        end("limits set: name an account or a group, not both", USAGE)
    lasts = None if until is None else span_ns(until)
    if until is not None and lasts is None:
        end(f"--until: {until!r} is no length of time; write 90s, 30m or 2h", USAGE)
    home = home_of(config)
    control = controlled(home, operator, operator_passphrase_file)
    with watching(home, control) as watch:
        ends_at = None if lasts is None else watch.clock.now() + lasts
        scope = None if account is None else account_of(watch.replica, account)
        of = instruments_of(watch.replica, scope, instrument)
        if len(of) != 1:
            end(f"--instrument: {instrument} is traded at several venues; name an account", USAGE)
        command = SetLimits(
            account=scope,
            group=group,
            instrument=of[0],
            figure=figure,
            value=None if value == "file" else value,
            until=ends_at,
            reason=reason,
            operator=OperatorId(""),
        )
        reply = control.submit(command)
        if isinstance(reply, NotSubmitted):
            end(reply.reason)
        refused: list[str] = []

        def is_set() -> bool:
            for update in watch.updates:
                event = update.event if isinstance(update, Numbered) else None
                if isinstance(event, SubmissionRefused) and event.what == "SetLimits":
                    refused.append(event.reason)
                if isinstance(event, LimitsSet) and (event.account, event.group, event.instrument, event.figure) == (
                    scope, group, of[0], figure,
                ):  # fmt: skip
                    return True
            watch.updates.clear()
            return bool(refused)

        if reply.approval is None and not watch.until(is_set, SET_S):
            end(f"the desk did not confirm it within {SET_S:.0f} s; see `tradedesk limits show`")
    if refused:
        end(refused[0])
    if as_json:
        show(
            {
                "schema": "limit-set.v1",
                "figure": figure,
                "value": command.value,
                "until": None if ends_at is None else iso_time(ends_at),
                "approval": reply.approval,
            }
        )
    elif reply.approval is not None:
        typer.echo(f"it raises a limit, so a second person must approve: tradedesk approve {reply.approval}")
    else:
        end_said = "" if ends_at is None else f", until {iso_time(ends_at)}"
        typer.echo(f"{figure} is {value if command.value else 'as desk.toml says'} from the next order on{end_said}")


def _rows(account: str, limits: "Limits") -> list[dict[str, Any]]:
    """Each figure that is set or built in; those of one instrument after the general ones."""
    from tradedesk.domain.limits import BUILT_IN, DEFAULTS, OF_AN_INSTRUMENT

    found: list[tuple[str | None, str, Any, str]] = []
    names = [name for name in type(limits).__struct_fields__ if name not in ("instruments", "sources")]
    for name in names:
        value = getattr(limits, name)
        value = DEFAULTS.get(name) if value is None else value
        if value is not None and value != ():
            found.append((None, name, value, limits.sources.get(name, BUILT_IN)))
    for instrument, own in limits.instruments.items():
        for name in OF_AN_INSTRUMENT:
            if getattr(own, name) is not None:
                found.append(
                    (instrument, name, getattr(own, name), limits.sources.get(f"{instrument} {name}", BUILT_IN))
                )
    return [
        {
            "account": account,
            "instrument": instrument,
            "figure": figure,
            "value": ", ".join(value)
            if isinstance(value, tuple)
            else f"{value:f}"
            if not isinstance(value, int)
            else str(value),
            "source": source,
        }
        for instrument, figure, value, source in found
    ]
