"""`tradedesk halt|rearm`: stop an account, the desk or another scope, and start it again, from a script."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from tradedesk.cli.endings import FAILED, USAGE, end
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
from tradedesk.cli.scopes import (
    AccountOption,
    AlgorithmOption,
    GroupOption,
    InstrumentOption,
    OfOperatorOption,
    VenueOption,
    option_of,
    scope_asked,
)

if TYPE_CHECKING:
    from tradedesk.domain.accounts import Halt

LATCH_S = 5.0
SWEEP_S = 30.0  # an order in doubt may take half of this to be cleared up
LEVELS = ("block-new", "reduce-only", "cancel-opening", "cancel-all", "flatten")


def halt(
    *,
    account: AccountOption = None,
    group: GroupOption = None,
    venue: VenueOption = None,
    instrument: InstrumentOption = None,
    of_operator: OfOperatorOption = None,
    algorithm: AlgorithmOption = None,
    level: Annotated[str, typer.Option(help=", ".join(LEVELS))] = "cancel-opening",
    reason: Annotated[str, typer.Option(help="Why; it is kept in the journal.")],
    operator: OperatorOption = None,
    operator_passphrase_file: OperatorPassphraseOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Halt trading. It latches first, then cancels what its level says, and holds over restarts until rearmed.

    Example: tradedesk halt --account acme --level cancel-all --reason "price looks wrong"
    """
    from tradedesk.domain import events as ev
    from tradedesk.domain.accounts import HaltLevel
    from tradedesk.domain.commands import HaltTrading, NotSubmitted
    from tradedesk.domain.scopes import carried, may_concern
    from tradedesk.domain.words import OperatorId
    from tradedesk.views.feed import Numbered

    if level not in LEVELS:
        end(f"--level: {level!r} is not known; use {', '.join(LEVELS)}", USAGE)
    if not reason.strip():
        end("--reason: must not be empty", USAGE)
    home = home_of(config)
    control = controlled(home, operator, operator_passphrase_file)
    with watching(home, control) as watch:
        scope = scope_asked(
            watch.replica,
            account=account,
            group=group,
            venue=venue,
            instrument=instrument,
            of_operator=of_operator,
            algorithm=algorithm,
        )
        wanted = HaltLevel(level)
        swept: dict[str, ev.HaltSwept] = {}
        its_account, other = carried(scope)
        command = HaltTrading(account=its_account, scope=other, level=wanted, reason=reason, operator=OperatorId(""))
        reply = control.submit(command)
        if isinstance(reply, NotSubmitted):
            end(reply.reason)
        rows = [row.account for row in watch.replica.accounts.values()]
        accounts = [row.id for row in rows if may_concern(scope, row.id, row.groups, row.venue)]
        part = None if scope.kind.is_whole else scope
        sweeps = wanted in (HaltLevel.CancelOpening, HaltLevel.CancelAll, HaltLevel.Flatten)

        def is_done() -> bool:
            for update in watch.updates:
                event = update.event if isinstance(update, Numbered) else None
                if isinstance(event, ev.HaltSwept) and event.scope == part and event.account in accounts:
                    swept[event.account] = event
            in_force = watch.replica.halt_on(scope)
            return in_force is not None and in_force.level is wanted and (not sweeps or len(swept) >= len(accounts))

        done = watch.until(is_done, SWEEP_S if sweeps else LATCH_S)
    document = {
        "schema": "halt.v1",
        "scope": scope.typed,
        "kind": scope.kind.value,
        "level": level,
        "is_complete": done,
        "accounts": [
            {
                "account": name,
                "is_swept": name in swept,
                "cancelled": swept[name].cancelled if name in swept else None,
                "left": swept[name].left if name in swept else None,
                "took_ms": swept[name].took_ms if name in swept else None,
            }
            for name in accounts
        ],
    }
    if as_json:
        show(document)
    else:
        from tradedesk.cli.tables import print_table

        print_table(document, "accounts")
        if done:
            lifts = f"`tradedesk rearm{option_of(scope)} --reason ...` lifts it"
            typer.echo(f"{scope.called} is halted ({level}); {lifts}", err=True)
    if not done:
        typer.echo(
            "the halt is latched; not every account has confirmed that its orders are gone: look at `orders`", err=True
        )
        raise typer.Exit(FAILED)


def rearm(
    *,
    account: AccountOption = None,
    group: GroupOption = None,
    venue: VenueOption = None,
    instrument: InstrumentOption = None,
    of_operator: OfOperatorOption = None,
    algorithm: AlgorithmOption = None,
    reason: Annotated[str, typer.Option(help="Why it may trade again; it is kept in the journal.")],
    operator: OperatorOption = None,
    operator_passphrase_file: OperatorPassphraseOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Lift a halt: of just the scope it was set for. It takes the risk role, and shows what the halt was for.

    At a terminal the whole desk has to be typed.

    Example: tradedesk rearm --account acme --reason "venue confirmed the price"
    """
    from tradedesk.domain.commands import NotSubmitted, Rearm
    from tradedesk.domain.scopes import DESK, carried
    from tradedesk.domain.words import OperatorId

    home = home_of(config)
    control = controlled(home, operator, operator_passphrase_file)
    with watching(home, control) as watch:
        scope = scope_asked(
            watch.replica,
            account=account,
            group=group,
            venue=venue,
            instrument=instrument,
            of_operator=of_operator,
            algorithm=algorithm,
        )
        standing = watch.replica.halt_on(scope)
        if standing is not None:
            typer.echo(in_words(standing), err=True)
        if scope == DESK and sys.stdin.isatty():
            typed = str(typer.prompt("type desk to rearm the whole desk", err=True))
            if typed.strip() != scope.typed:
                end("the desk stays halted", USAGE)
        its_account, other = carried(scope)
        reply = control.submit(Rearm(account=its_account, scope=other, reason=reason, operator=OperatorId("")))
        if isinstance(reply, NotSubmitted):
            end(reply.reason)
        waits = reply.approval
        done = waits is None and watch.until(lambda: watch.replica.halt_on(scope) is None, LATCH_S)
    if as_json:
        waiting = {} if waits is None else {"approval": waits}
        show({"schema": "rearm.v1", "scope": scope.typed, "kind": scope.kind.value, "is_complete": done, **waiting})
    elif waits is not None:
        typer.echo(f"{scope.called} stays halted until somebody else says `tradedesk approve {waits}`")
    elif done:
        typer.echo(f"{scope.called} is no longer halted")
    if not done and waits is None:
        end("the desk has not confirmed the rearm; look at `tradedesk status`")


def in_words(halt: "Halt") -> str:
    """What a halt is for."""
    from tradedesk.domain.text import iso_time

    return f"{halt.of.called} is halted ({halt.level}) by {halt.by} since {iso_time(halt.at)}: {halt.reason}"
