"""`tradedesk approvals|approve|golive`: what waits for a second person, and being one."""

from typing import TYPE_CHECKING, Annotated

import typer

from tradedesk.cli.endings import USAGE, end
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

if TYPE_CHECKING:
    from tradedesk.views.replica import Replica

WITHIN_S = 5.0


def approvals(*, config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """What operators asked for that takes a second person: nothing of it is done before one approves, and it ends by itself.

    Example: tradedesk approvals
    """
    with watching(home_of(config)) as watch:
        document = _document(watch.replica)
    if as_json:
        show(document)
        return
    from tradedesk.cli.tables import print_table

    print_table(document, "approvals")


def _document(replica: "Replica") -> dict[str, object]:
    from tradedesk.domain.text import iso_time

    return {
        "schema": "approvals.v1",
        "approvals": [
            {
                "id": asked.id,
                "kind": asked.kind,
                "account": asked.account,
                "by": asked.by,
                "asked_at": iso_time(asked.at),
                "expires_at": iso_time(asked.expires_at),
                "what": asked.what,
            }
            for asked in replica.approvals.values()
        ],
    }


def approve(
    *,
    id: Annotated[str, typer.Argument(help="Which, as `tradedesk approvals` names it.")],
    note: Annotated[str, typer.Option(help="Why it is right; it is kept in the journal with your name.")] = "",
    operator: OperatorOption = None,
    operator_passphrase_file: OperatorPassphraseOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Let go on what somebody else asked for. It takes the role risk, and never the one who asked.

    Example: tradedesk approve 7kq2x --note "checked with the client" --operator ben
    """
    from tradedesk.domain.commands import Approve, NotSubmitted
    from tradedesk.domain.words import OperatorId

    home = home_of(config)
    control = controlled(home, operator, operator_passphrase_file)
    with watching(home, control) as watch:
        asked = watch.replica.approvals.get(id)
        reply = control.submit(Approve(id=id, note=note, operator=OperatorId("")))
        if isinstance(reply, NotSubmitted):
            end(reply.reason)
        done = watch.until(lambda: id not in watch.replica.approvals, WITHIN_S)
    if as_json:
        show({"schema": "approve.v1", "id": id, "is_complete": done})
    elif done:
        typer.echo(f"approved: {asked.what if asked is not None else id}")
    if not done:
        end("the desk has not confirmed the approval; look at `tradedesk approvals`")


def golive(
    *,
    account: Annotated[str, typer.Argument(help="The account, of mode live.")],
    reason: Annotated[str, typer.Option(help="Why; it is kept in the journal.")],
    operator: OperatorOption = None,
    operator_passphrase_file: OperatorPassphraseOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Ask a second person to let an account's key trade live, where desk.toml's approvals name "live".

    Example: tradedesk golive acme --reason "signed mandate of 3 May"
    """
    from tradedesk.domain.commands import GoLive, NotSubmitted
    from tradedesk.domain.words import OperatorId

    if not reason.strip():
        end("--reason: must not be empty", USAGE)
    home = home_of(config)
    control = controlled(home, operator, operator_passphrase_file)
    with watching(home, control) as watch:
        scope = account_of(watch.replica, account)
        reply = control.submit(GoLive(account=scope, reason=reason, operator=OperatorId("")))
    if isinstance(reply, NotSubmitted):
        end(reply.reason)
    if as_json:
        show({"schema": "golive.v1", "account": scope, "approval": reply.approval})
    else:
        typer.echo(f"{scope} does not trade before somebody else says `tradedesk approve {reply.approval}`")
