"""`tradedesk mandate show|approve` and `tradedesk accounts profile`: what may be done for clients, how accounts are set."""

from typing import Annotated, Any

import typer

from tradedesk.cli.endings import FAILED
from tradedesk.cli.reach import (
    ConfigOption,
    JsonOption,
    OperatorOption,
    OperatorPassphraseOption,
    account_of,
    controlled,
    decided,
    home_of,
    show,
    watching,
)

mandate_app = typer.Typer(no_args_is_help=True, help="What may be done for each client, and who approved it.")


@mandate_app.command("show")
def show_mandate(
    *,
    account: Annotated[str | None, typer.Option(help="Only of this account.")] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """The mandate of each account as the desk has it: its terms, whether it is in force, and what is beyond it now.

    Example: tradedesk mandate show --account acme
    """
    from tradedesk.risk.mandate_watch import breaches
    from tradedesk.views.mandates import mandate_document

    with watching(home_of(config)) as watch:
        replica, now = watch.replica, watch.clock.now()
        names = [account_of(replica, account)] if account is not None else list(replica.accounts)
        currency = replica.desk.reporting_currency if replica.desk is not None else ""
        found = []
        for name in names:
            row = replica.accounts[name]
            beyond = breaches(replica, row, currency, now)
            found.append(
                mandate_document(row, now)
                | {
                    "breaches": [
                        {"text": breach.text, "cure_by": str(breach.cure_by), "is_overdue": breach.is_overdue}
                        for breach in beyond
                        if breach.cure_by is not None
                    ]
                }
            )
    if as_json:
        show({"schema": "mandate.v1", "mandates": found})
        return
    for document in found:
        typer.echo(_told(document))


@mandate_app.command("approve")
def approve_mandate(
    name: Annotated[str, typer.Argument(help="The account.")],
    *,
    version: Annotated[int, typer.Option(help="The version that you read and approve.")],
    reason: Annotated[str, typer.Option(help="On what ground, e.g. the client's letter; kept in the audit trail.")],
    operator: OperatorOption = None,
    operator_passphrase_file: OperatorPassphraseOption = None,
    config: ConfigOption = None,
) -> None:
    """Put an account's mandate in force as desk.toml has it now: the risk role's recorded yes to these very words.

    Example: tradedesk mandate approve acme --version 3 --reason "signed by the client on 2026-10-28" --operator rosa
    """
    from tradedesk.domain.commands import ApproveMandate
    from tradedesk.domain.events import MandateApproved
    from tradedesk.domain.words import OperatorId

    home = home_of(config)
    control = controlled(home, operator, operator_passphrase_file)
    with watching(home, control) as watch:
        account = account_of(watch.replica, name)
        command = ApproveMandate(account=account, version=version, reason=reason, operator=OperatorId(""))
        decided(control, watch, command, MandateApproved, "tradedesk mandate show")
    typer.echo(f"{account}: mandate version {version} is approved, and in force within its dates")


def profile(
    name: Annotated[str | None, typer.Argument(help="Only this account.")] = None,
    *,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """How each account is set at its venue, beside what desk.toml wants of it. Ends with 1 if an account differs.

    Example: tradedesk accounts profile acme
    """
    from tradedesk.views.mandates import profile_document

    with watching(home_of(config)) as watch:
        names = [account_of(watch.replica, name)] if name is not None else list(watch.replica.accounts)
        found = [profile_document(watch.replica.accounts[account]) for account in names]
    if as_json:
        show({"schema": "profile.v1", "profiles": found})
    else:
        from tradedesk.cli.tables import print_table

        rows = [{"account": document["account"]} | _shown(row) for document in found for row in document["settings"]]
        print_table({"schema": "profile.v1", "settings": rows}, "settings")
    if any(document["differences"] for document in found):
        raise typer.Exit(FAILED)


def _told(document: dict[str, Any]) -> str:
    from tradedesk.views.mandates import approval_line

    version = "" if document["version"] is None else f" mandate version {document['version']}"
    lines = [f"{document['account']}{version}: {approval_line(document)}"]
    lines += [f"  {term:<18} {value}" for term, value in document["terms"].items()]
    lines += [f"  beyond it: {breach['text']}" for breach in document["breaches"]]
    return "\n".join(lines)


def _shown(row: dict[str, Any]) -> dict[str, Any]:
    """One setting for a person: what this venue does not have is said in so many words."""
    told = row["is"] if row["is"] is not None else "not told" if row["exists"] else "this venue has none"
    verdict = "differs" if row["differs"] else "as it must be" if row["must_be"] is not None else "not asked about"
    return {
        "setting": row["setting"],
        "of": row["of"],
        "must_be": row["must_be"] or "",
        "at_venue": told,
        "verdict": verdict,
    }
