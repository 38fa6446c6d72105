"""`tradedesk halt|rearm`: stop an account or the desk, and start it again, from a script."""

from typing import Annotated

import typer

from tradedesk.cli.endings import FAILED, USAGE, end
from tradedesk.cli.reach import (
    ConfigOption,
    JsonOption,
    OperatorOption,
    OperatorPassphraseOption,
    account_of,
    controlled,
    home_of,
    show,
    watching,
)

LATCH_S = 5.0
SWEEP_S = 30.0  # an order in doubt may take half of this to be cleared up
LEVELS = ("block-new", "reduce-only", "cancel-opening", "cancel-all", "flatten")


def halt(
    *,
    account: Annotated[str | None, typer.Option(help="Only this account; without it the whole desk.")] = None,
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
    from tradedesk.domain.words import OperatorId
    from tradedesk.views.feed import Numbered

    if level not in LEVELS:
        end(f"--level: {level!r} is not known; use {', '.join(LEVELS)}", USAGE)
    if not reason.strip():
        end("--reason: must not be empty", USAGE)
    home = home_of(config)
    control = controlled(home, operator, operator_passphrase_file)
    with watching(home, control) as watch:
        scope = account_of(watch.replica, account) if account is not None else None
        wanted = HaltLevel(level)
        swept: dict[str, ev.HaltSwept] = {}
        reply = control.submit(HaltTrading(account=scope, level=wanted, reason=reason, operator=OperatorId("")))
        if isinstance(reply, NotSubmitted):
            end(reply.reason)
        accounts = [scope] if scope is not None else list(watch.replica.accounts)
        sweeps = wanted in (HaltLevel.CancelOpening, HaltLevel.CancelAll, HaltLevel.Flatten)

        def is_done() -> bool:
            for update in watch.updates:
                if isinstance(update, Numbered) and isinstance(update.event, ev.HaltSwept):
                    swept[update.event.account] = update.event
            in_force = watch.replica.halts.get(scope)
            return in_force is not None and in_force.level is wanted and (not sweeps or len(swept) >= len(accounts))

        done = watch.until(is_done, SWEEP_S if sweeps else LATCH_S)
    document = {
        "schema": "halt.v1",
        "scope": scope or "desk",
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
            named = f" --account {scope}" if scope is not None else ""
            typer.echo(
                f"{scope or 'the desk'} is halted ({level}); `tradedesk rearm{named} --reason ...` lifts it", err=True
            )
    if not done:
        typer.echo(
            "the halt is latched; not every account has confirmed that its orders are gone: look at `orders`", err=True
        )
        raise typer.Exit(FAILED)


def rearm(
    *,
    account: Annotated[str | None, typer.Option(help="The halted account; without it the desk's own halt.")] = None,
    reason: Annotated[str, typer.Option(help="Why it may trade again; it is kept in the journal.")],
    operator: OperatorOption = None,
    operator_passphrase_file: OperatorPassphraseOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Lift a halt. It takes the risk role.

    Example: tradedesk rearm --account acme --reason "venue confirmed the price"
    """
    from tradedesk.domain.commands import NotSubmitted, Rearm
    from tradedesk.domain.words import OperatorId

    home = home_of(config)
    control = controlled(home, operator, operator_passphrase_file)
    with watching(home, control) as watch:
        scope = account_of(watch.replica, account) if account is not None else None
        reply = control.submit(Rearm(account=scope, reason=reason, operator=OperatorId("")))
        if isinstance(reply, NotSubmitted):
            end(reply.reason)
        waits = reply.approval
        done = waits is None and watch.until(lambda: scope not in watch.replica.halts, LATCH_S)
    if as_json:
        waiting = {} if waits is None else {"approval": waits}
        show({"schema": "rearm.v1", "scope": scope or "desk", "is_complete": done, **waiting})
    elif waits is not None:
        typer.echo(f"{scope or 'the desk'} stays halted until somebody else says `tradedesk approve {waits}`")
    elif done:
        typer.echo(f"{scope or 'the desk'} is no longer halted")
    if not done and waits is None:
        end("the desk has not confirmed the rearm; look at `tradedesk status`")
