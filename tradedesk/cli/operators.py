"""`tradedesk operators list|passphrase|remove`: who acts on this desk, and their passphrases."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tradedesk.cli.asking import asked
from tradedesk.cli.endings import USAGE, end
from tradedesk.cli.reach import ConfigOption, JsonOption, home_of, show

if TYPE_CHECKING:
    from tradedesk.config import Home, Settings
    from tradedesk.domain.words import OperatorId

operators_app = typer.Typer(
    help="The operators of desk.toml and their passphrases.", no_args_is_help=True, rich_markup_mode=None
)

NameArgument = Annotated[str, typer.Argument(help="The operator's name in desk.toml.")]


def _settings(config: Path | None) -> "tuple[Home, Settings]":
    from tradedesk.config import ConfigError, load

    home = home_of(config)
    try:
        return home, load(home.config)
    except ConfigError as error:
        end(str(error))


@operators_app.command("list")
def list_operators(*, config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Who may do what, on which accounts, and how they prove who they are.

    Example: tradedesk operators list
    """
    from tradedesk.access.passphrases import PassphraseError, Passphrases

    home, settings = _settings(config)
    try:
        known = Passphrases(home.operators).names()
    except PassphraseError as error:
        end(str(error))
    document = {
        "schema": "operators.v1",
        "operators": [
            {
                "operator": name,
                "roles": list(found.roles),
                "accounts": list(found.accounts),
                "sees": list(found.accounts if found.sees is None else found.sees),
                "uid": found.uid,
                "has_passphrase": name in known,
            }
            for name, found in settings.operators.items()
        ],
    }
    if as_json:
        show(document)
        return
    from tradedesk.cli.tables import print_table

    print_table(document, "operators")


@operators_app.command("passphrase")
def set_passphrase(
    *,
    name: NameArgument,
    from_stdin: Annotated[
        bool, typer.Option("--passphrase-stdin", help="Read it from standard input, one line, without asking.")
    ] = False,
    config: ConfigOption = None,
) -> None:
    """Give an operator a passphrase, or another one. It counts at once, on a running desk too; who is in stays in.

    Example: tradedesk operators passphrase ann
    """
    from tradedesk.access.passphrases import PassphraseError, Passphrases

    home, settings = _settings(config)
    operator = _known(settings, name)
    try:
        Passphrases(home.operators).put(operator, _read(from_stdin, operator))
    except PassphraseError as error:
        end(str(error))
    typer.echo(f"{operator} must give this passphrase from now on", err=True)


@operators_app.command("remove")
def remove_passphrase(*, name: NameArgument, config: ConfigOption = None) -> None:
    """Forget an operator's passphrase. While they stand in desk.toml, they answer to their uid again, without one.

    Example: tradedesk operators remove ann
    """
    from tradedesk.access.passphrases import PassphraseError, Passphrases
    from tradedesk.domain.words import OperatorId

    home, settings = _settings(config)
    operator = OperatorId(name)
    try:
        Passphrases(home.operators).remove(operator)
    except PassphraseError as error:
        end(str(error))
    left = settings.operators.get(operator)
    if left is None:
        typer.echo(f"the passphrase of {operator} is forgotten", err=True)
        return
    who = "the user this desk runs as" if left.uid is None else f"user id {left.uid}"
    typer.echo(
        f"the passphrase of {operator} is forgotten: {who} acts as {operator} without one now; "
        f"take [operators.{operator}] out of desk.toml to end that, then start the desk again",
        err=True,
    )


def _known(settings: "Settings", name: str) -> "OperatorId":
    from tradedesk.config.tables import nearest
    from tradedesk.domain.words import OperatorId

    if OperatorId(name) not in settings.operators:
        end(f"{name[:40]!r} is no operator in desk.toml; {nearest(name, settings.operators)}", USAGE)
    return OperatorId(name)


def _read(from_stdin: bool, operator: "OperatorId") -> str:
    """The new passphrase, from stdin or typed twice without echo."""
    if from_stdin:
        words = sys.stdin.readline().rstrip("\r\n")
    elif sys.stdin.isatty():
        words = asked(f"new passphrase of {operator}", twice=True)
    else:
        end("a passphrase is asked for at a terminal; in a script use --passphrase-stdin", USAGE)
    if not words:
        end("the passphrase is empty; give one of 8 characters or more", USAGE)
    return words
