"""`tradedesk status|orders|positions|fills`: the running desk as documented JSON or as a table."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tradedesk.cli.reach import ConfigOption, JsonOption, account_of, home_of, show, watching

if TYPE_CHECKING:
    from tradedesk.views.replica import Replica

AccountOption = Annotated[str | None, typer.Option(help="Only this account.")]


def print_document(
    config: Path | None,
    as_json: bool,
    table: str,
    made: "Callable[[Replica], dict[str, Any]]",
    account: str | None = None,
) -> dict[str, Any]:
    """Print what `made` makes of the desk as it stands, and hand it back."""
    with watching(home_of(config)) as watch:
        if account is not None:
            account_of(watch.replica, account)  # "No orders." of an account that is not there would be a lie
        document = made(watch.replica)
    if as_json:
        show(document)
    else:
        from tradedesk.cli.tables import print_table

        print_table(document, table)
    return document


def status(*, account: AccountOption = None, config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """How the desk, its accounts and its markets stand; `--account` leaves the other accounts out.

    Example: tradedesk status --account acme --json
    """
    from tradedesk.clock import SystemClock
    from tradedesk.views.documents import status_document

    def made(replica: "Replica") -> dict[str, Any]:
        document = status_document(replica, SystemClock().now())
        if account is not None:
            document["accounts"] = [row for row in document["accounts"] if row["account"] == account]
        return document

    print_document(config, as_json, "accounts", made, account)


def orders(*, account: AccountOption = None, config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Orders with their requests, states and reasons.

    Example: tradedesk orders --account acme --json
    """
    from tradedesk.views.documents import orders_document

    print_document(config, as_json, "orders", lambda replica: orders_document(replica, account=account), account)


def positions(*, account: AccountOption = None, config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Positions with cost, mark and P&L.

    Example: tradedesk positions --json
    """
    from tradedesk.views.documents import positions_document

    print_document(config, as_json, "positions", lambda replica: positions_document(replica, account=account), account)


def fills(*, account: AccountOption = None, config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Executions, oldest first.

    Example: tradedesk fills --json
    """
    from tradedesk.views.documents import fills_document

    print_document(config, as_json, "fills", lambda replica: fills_document(replica, account=account), account)
