"""`tradedesk accounts export|import`: accounts with their keys, carried to another desk in one encrypted file.

The file is a vault of its own under a passphrase of its own: the keys as in any vault, and beside them the tables of
desk.toml that belong to them. It is as secret as the keys are; delete it once it has arrived.
"""

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tradedesk.cli.accounts_common import account_in, remind_of_restart, settings_of, vault_of
from tradedesk.cli.asking import asked
from tradedesk.cli.endings import USAGE, end
from tradedesk.cli.reach import ConfigOption, home_of, is_terminal
from tradedesk.cli.run import PassphraseOption

if TYPE_CHECKING:
    from tradedesk.access.vault import Vault
    from tradedesk.config import Settings
    from tradedesk.domain.accounts import Account

SCOPE = "tradedesk-export"  # of the vault inside the file
TABLES = "desk.toml"  # the name of its text with the tables
FilePassphraseOption = Annotated[
    Path | None,
    typer.Option(
        "--file-passphrase-file", help="File (0600) with the passphrase of the exported file; else asked for."
    ),
]


def export_(
    names: Annotated[list[str], typer.Argument(help="The accounts to take along.")],
    *,
    to: Annotated[Path, typer.Option(help="The file to make; it must not be there.")],
    file_passphrase_file: FilePassphraseOption = None,
    passphrase_file: PassphraseOption = None,
    config: ConfigOption = None,
) -> None:
    """Write accounts, their keys and their tables of desk.toml into one encrypted file. They stay here as well.

    Example: tradedesk accounts export acme birch --to two-clients.vault
    """
    import msgspec

    from tradedesk.access.vault import VaultError
    from tradedesk.config import render

    home = home_of(config)
    settings = settings_of(home)
    accounts = {each.id: each for each in (account_in(settings, home, name) for name in names)}
    if to.exists():
        end(f"--to: {to} is there already; name another file", USAGE)
    chosen = msgspec.structs.replace(
        settings,
        accounts=accounts,
        venues={account.venue: settings.venues[account.venue] for account in accounts.values()},
        operators={},
        keys={},
    )
    try:
        vault = vault_of(home, passphrase_file)
        words = _words(file_passphrase_file, twice=True)

        def fill(out: "Vault") -> None:
            out.put_text(TABLES, SCOPE, render(chosen))
            for account in accounts.values():
                _copy(account, vault, out)

        _write(to, words, fill)
    except VaultError as error:
        end(str(error))
    except OSError as error:
        end(f"--to: {to} cannot be written ({error.strerror})")
    typer.echo(f"{', '.join(accounts)} written to {to}; it is as secret as the keys, delete it once it has arrived")


def import_(
    file: Annotated[Path, typer.Argument(help="The file that `accounts export` made.")],
    *,
    file_passphrase_file: FilePassphraseOption = None,
    passphrase_file: PassphraseOption = None,
    config: ConfigOption = None,
) -> None:
    """Take the accounts of an exported file into this desk: all of them, or none. Nothing that is here is overwritten.

    Example: tradedesk accounts import two-clients.vault
    """
    import msgspec

    from tradedesk.access.vault import VaultError, open_vault
    from tradedesk.cli.setup_writing import text_of, write_whole
    from tradedesk.config import ConfigError, parse, render

    home = home_of(config)
    settings = settings_of(home)
    taken_back: list[Callable[[], object]] = []
    try:
        source = open_vault(file, _words(file_passphrase_file, twice=False), scope=SCOPE)
        tables = source.text(TABLES, SCOPE)
        if tables is None:
            end(f"{file} is a vault and no exported file; make one with `tradedesk accounts export`")
        brought = parse(tables, f"{TABLES} of {file.name}")
        _refuse(settings, brought)
        text = render(msgspec.structs.replace(settings, accounts={**settings.accounts, **brought.accounts}))
        parse(text, home.config.name)  # the whole file again: an exit or an entry used twice shows here
        vault = vault_of(home, passphrase_file, create=True)
        try:
            for account in brought.accounts.values():
                _copy(account, source, vault, taken_back)
            write_whole(home.config, text, before=text_of(home.config))
        except BaseException:
            for undo in reversed(taken_back):
                undo()
            raise
    except (ConfigError, VaultError) as error:
        end(str(error))
    except OSError as error:
        end(f"{home.config}: cannot be written ({error.strerror})")
    typer.echo(f"{', '.join(brought.accounts)} taken in; delete {file}")
    remind_of_restart(home)


def _words(file: Path | None, *, twice: bool) -> "str | Path":
    if file is not None:
        return file
    if not is_terminal():
        end("--file-passphrase-file: is needed where nobody can be asked", USAGE)
    return asked("passphrase of the exported file", twice=twice)


def _refuse(settings: "Settings", brought: "Settings") -> None:
    """Ends the program if an account is here already, or means another venue than here."""
    for account in brought.accounts.values():
        if account.id in settings.accounts:
            end(f"accounts.{account.id}: is in this desk already; nothing was taken in")
        here, there = settings.venues.get(account.venue), brought.venues[account.venue]
        if here is None:
            end(f"accounts.{account.id}: there is no [venues.{account.venue}] here; add it first, as it was there")
        if (here.exchange, here.url) != (there.exchange, there.url):
            end(f"accounts.{account.id}: venues.{account.venue} is another exchange here than it was there")


def _copy(
    account: "Account", source: "Vault", to: "Vault", taken_back: "list[Callable[[], object]] | None" = None
) -> None:
    """What an account has in a vault. Raises VaultError, also rather than overwrite an entry."""
    from tradedesk.access.egress import EXIT_SCOPE
    from tradedesk.access.vault import Entry, VaultError

    undo = [] if taken_back is None else taken_back
    venue = account.venue
    for entry in (account.secret, account.cancel_secret):
        if entry is not None:
            secret = source.get(entry, venue)
            if Entry(entry, venue) in to.names():
                raise VaultError(f"{to.where} has an entry {entry!r} of venue {venue!r} already; nothing was taken in")
            to.put(entry, venue, secret)
            undo.append(lambda entry=entry: to.remove(entry, venue))  # type: ignore[misc]
    for exit_ in (account.egress, account.standby_egress):
        password = source.text(exit_, EXIT_SCOPE) if exit_ is not None else None
        if exit_ is not None and password is not None and to.text(exit_, EXIT_SCOPE) != password:
            if to.text(exit_, EXIT_SCOPE) is not None:
                raise VaultError(f"{to.where} has another password for {exit_}; nothing was taken in")
            to.put_text(exit_, EXIT_SCOPE, password)
            undo.append(lambda exit_=exit_: to.remove_text(exit_, EXIT_SCOPE))  # type: ignore[misc]


def _write(to: Path, words: "str | Path", fill: "Callable[[Vault], None]") -> None:
    """Make the file whole under its name, or not at all; never over another. Raises VaultError or OSError."""
    from tradedesk.access.vault import open_vault

    with tempfile.TemporaryDirectory(prefix=".tradedesk-export-", dir=to.absolute().parent) as folder:
        made = Path(folder) / to.name
        fill(open_vault(made, words, create=True, scope=SCOPE))
        os.link(made, to)
