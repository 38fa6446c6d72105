"""What the `tradedesk accounts` commands share: the settings, the vault, and how a key is put in without being seen."""

import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tradedesk.cli.asking import asked
from tradedesk.cli.endings import USAGE, end
from tradedesk.cli.unlocking import passphrase_file as passphrase_at

if TYPE_CHECKING:
    from tradedesk.access.vault import Secret, Vault
    from tradedesk.config import Home, Settings
    from tradedesk.domain.accounts import Account

MAX_PEM = 64 * 1024  # bytes

NameArgument = Annotated[str, typer.Argument(help="Name of the account, e.g. acme.")]
ApiKeyOption = Annotated[
    str | None, typer.Option(help="The venue's API key; asked for if not given. The secret is never an argument.")
]
SecretStdinOption = Annotated[
    bool, typer.Option("--secret-stdin", help="Read the secret, or the private key in PEM, from stdin to its end.")
]
KindOption = Annotated[str, typer.Option(help="hmac, ed25519 or rsa")]
VenuePassphraseOption = Annotated[
    bool,
    typer.Option(
        "--venue-passphrase", help="The venue wants a passphrase with the key: asked for, or the last line of stdin."
    ),
]


def settings_of(home: "Home") -> "Settings":
    from tradedesk.config import ConfigError, load

    try:
        return load(home.config)
    except ConfigError as error:
        end(str(error))


def account_in(settings: "Settings", home: "Home", name: str) -> "Account":
    from tradedesk.domain.words import AccountId

    account = settings.accounts.get(AccountId(name))
    if account is None:
        end(f"accounts.{name}: is not in {home.config}; known: {', '.join(settings.accounts) or 'none'}", USAGE)
    return account


def vault_of(home: "Home", named: Path | None, *, create: bool = False) -> "Vault":
    """The vault of this home, its passphrase read from a file or asked for; with `create` made where there is none.

    Raises VaultError.
    """
    from tradedesk.access.vault import open_vault, system_keyring

    words: Path | str | None = passphrase_at(home, named)
    if words is None and sys.stdin.isatty():
        if home.vault.exists():
            words = asked("passphrase of the vault")
        elif create and system_keyring() is None:
            words = asked(f"a passphrase for the new vault {home.vault}", twice=True)
    return open_vault(home.vault, words, create=create and words is not None)


def secret_of(api_key: str | None, kind: str, *, from_stdin: bool, has_passphrase: bool) -> "Secret":
    """A key as it is put in: from stdin, or typed without echo, or a private key out of its file.

    Raises ValueError, which quotes nothing of it; ends the program where there is nobody to ask.
    """
    from tradedesk.access.secret import KeyKind, Secret

    if kind not in tuple(KeyKind):
        end(f"--kind: {kind!r} is not known; use {', '.join(KeyKind)}", USAGE)
    if from_stdin:
        if api_key is None:
            end("--api-key: is needed where the secret comes from stdin", USAGE)
        text, passphrase = sys.stdin.read().strip(), None
        if has_passphrase:
            text, _, passphrase = text.rpartition("\n")
        return Secret(api_key, text.strip(), KeyKind(kind), passphrase=passphrase)
    if not sys.stdin.isatty():
        end("give the secret with --secret-stdin, or type it at a terminal", USAGE)
    api_key = api_key or asked("API key")
    text = asked("secret") if kind == KeyKind.Hmac else _pem_asked()
    passphrase = asked("the venue's passphrase") if has_passphrase else None
    return Secret(api_key, text.strip(), KeyKind(kind), passphrase=passphrase)


def _pem_asked() -> str:
    """A private key has many lines, which no prompt takes."""
    from tradedesk.access.encrypted_file import VaultError, read_private

    path = Path(str(typer.prompt("file (0600) with the private key in PEM", err=True))).expanduser()
    try:
        return read_private(path, MAX_PEM).decode("ascii", "replace")
    except VaultError as error:
        raise ValueError(str(error)) from None


def a_desk_runs(home: "Home") -> bool:
    """Whether something listens on the control socket of this home."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        return probe.connect_ex(str(home.control_socket)) == 0


def remind_of_restart(home: "Home") -> None:
    if a_desk_runs(home):
        typer.echo("the desk that runs here does not know of it until it is started again", err=True)
