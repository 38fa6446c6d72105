"""`tradedesk worklist`: what differs between the desk and the venues, and an operator's decision about it."""

from typing import Annotated

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

WITHIN_S = 10.0  # for the account to take what was settled


def worklist(
    *,
    account: Annotated[str | None, typer.Option(help="Only this account; needed with --settle.")] = None,
    settle: Annotated[str | None, typer.Option(help="Take this item into the books as it stands.")] = None,
    note: Annotated[str, typer.Option(help="Why; it is kept in the journal with your name.")] = "",
    operator: OperatorOption = None,
    operator_passphrase_file: OperatorPassphraseOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """What was found different at the venues and is not repaired yet. An account opens no new risk until it is settled.

    Example: tradedesk worklist --account acme --settle balance:BTC --note "dust of the old system"
    """
    from tradedesk.domain.commands import NotSubmitted, Settle
    from tradedesk.domain.words import OperatorId

    if settle is not None and (account is None or not note.strip()):
        end("--settle: goes with --account and a --note that says why", USAGE)
    home = home_of(config)
    control = None if settle is None else controlled(home, operator, operator_passphrase_file)
    with watching(home, control) as watch:
        wanted = None if account is None else account_of(watch.replica, account)

        def rows() -> list[dict[str, object]]:
            return [
                {
                    "account": name,
                    "key": item.key,
                    "ours": item.ours,
                    "venue": item.venues,
                    "cause": item.cause,
                    "repair": item.repair,
                    "needs_decision": item.needs_decision,
                }
                for name, row in watch.replica.accounts.items()
                if wanted in (None, name)
                for item in row.worklist
            ]

        if settle is not None and wanted is not None and control is not None:
            if settle not in [row["key"] for row in rows() if row["needs_decision"]]:
                end(
                    f"--settle: {settle!r} does not wait for a decision on {wanted}; `tradedesk worklist` shows what does"
                )
            reply = control.submit(Settle(account=wanted, key=settle, note=note, operator=OperatorId("")))
            if isinstance(reply, NotSubmitted):
                end(reply.reason)
            if not watch.until(lambda: settle not in [row["key"] for row in rows()], WITHIN_S):
                end(f"{wanted} did not settle {settle} within {WITHIN_S:.0f} s; look at the log of the desk")
        found = rows()
    if as_json:
        show({"schema": "worklist.v1", "items": found})
        return
    from tradedesk.cli.tables import print_table

    print_table({"schema": "worklist.v1", "items": found}, "items")
