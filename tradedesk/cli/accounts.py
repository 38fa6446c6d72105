"""`tradedesk accounts add|list|remove`: client accounts of desk.toml and their keys in the vault."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tradedesk.cli.endings import USAGE, end
from tradedesk.cli.reach import ConfigOption, JsonOption, home_of, show
from tradedesk.cli.run import PassphraseOption

if TYPE_CHECKING:
    from tradedesk.access.vault import Vault
    from tradedesk.config import Home, Settings

accounts_app = typer.Typer(no_args_is_help=True, help="Client accounts and their keys.")


@accounts_app.command()
def add(
    name: Annotated[str, typer.Argument(help="Name of the account, e.g. acme.")],
    *,
    venue: Annotated[str, typer.Option(help="A [venues.X] of desk.toml.")],
    api_key: Annotated[str, typer.Option(help="The venue's API key; the secret is never an argument.")],
    secret_stdin: Annotated[
        bool, typer.Option("--secret-stdin", help="Read the secret from stdin, to its end.")
    ] = False,
    kind: Annotated[str, typer.Option(help="hmac, ed25519 or rsa")] = "hmac",
    egress: Annotated[str | None, typer.Option(help="Source address of this account's traffic.")] = None,
    owner: Annotated[str | None, typer.Option(help="The client; the account's name if not given.")] = None,
    max_order_notional: Annotated[
        str | None, typer.Option(help="Largest order in quote units; without it the account is blocked.")
    ] = None,
    passphrase_file: PassphraseOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Add a client account to desk.toml and put its key into the vault.

    Example: tradedesk accounts add acme --venue binance --api-key K --secret-stdin --egress 10.0.0.4 < secret
    """
    from tradedesk.access.egress import parse_egress, usable_source
    from tradedesk.access.vault import KeyKind, Secret, VaultError
    from tradedesk.config import ConfigError, parse, render
    from tradedesk.domain.accounts import Account, Mode
    from tradedesk.domain.limits import Limits
    from tradedesk.domain.money import parse_decimal
    from tradedesk.domain.words import AccountId, VenueId

    home = home_of(config)
    settings = _settings(home)
    if AccountId(name) in settings.accounts:
        end(f"accounts.{name}: is in {home.config} already; remove it first, or choose another name", USAGE)
    if VenueId(venue) not in settings.venues:
        end(
            f"--venue: there is no [venues.{venue}] in {home.config}; known: {', '.join(settings.venues) or 'none'}",
            USAGE,
        )
    exit_ = parse_egress(egress or "127.0.0.1")
    if isinstance(exit_, str):
        end(f"--egress: {exit_}", USAGE)
    if not usable_source(exit_.source):
        end(f"--egress: {exit_.source} is not an address of this machine; give one that it has", USAGE)
    if kind not in tuple(KeyKind):
        end(f"--kind: {kind!r} is not known; use {', '.join(KeyKind)}", USAGE)
    try:
        notional = parse_decimal(max_order_notional, "--max-order-notional") if max_order_notional is not None else None
    except ValueError as error:
        end(str(error), USAGE)
    account = Account(
        id=AccountId(name),
        venue=VenueId(venue),
        owner=owner or name,
        groups=("all",),
        mode=Mode.Live if settings.venues[VenueId(venue)].url is None else Mode.Paper,
        egress=exit_.source,
        secret=name,
        limits=Limits(max_order_notional=notional),
    )
    accounts = {**settings.accounts, account.id: account}
    try:
        import msgspec

        text = render(msgspec.structs.replace(settings, accounts=accounts))
        parse(text, home.config.name)  # the whole file again: an exit or a key used twice shows here
        secret = Secret(api_key, _secret(secret_stdin), KeyKind(kind))
        vault = _vault(home, passphrase_file, create=True)
        vault.put(name, venue, secret)
    except (ConfigError, VaultError, ValueError) as error:
        end(str(error))
    _replace(home.config, text)
    if as_json:
        show(
            {
                "schema": "account-added.v1",
                "account": name,
                "venue": venue,
                "egress": exit_.source,
                "vault": vault.where,
            }
        )
    else:
        typer.echo(f"{name} added; its secret is in {vault.where}")
    if notional is None:
        typer.echo(f"it is blocked until accounts.{name}.limits.max_order_notional is set in {home.config}", err=True)


@accounts_app.command("list")
def list_(
    *, config: ConfigOption = None, passphrase_file: PassphraseOption = None, as_json: JsonOption = False
) -> None:
    """The client accounts, and by which key's fingerprint each trades. Secrets are never shown.

    Example: tradedesk accounts list
    """
    from tradedesk.access.vault import VaultError

    home = home_of(config)
    settings = _settings(home)
    try:
        vault = _vault(home, passphrase_file, create=False)
        keys = {entry.name: vault.fingerprint(entry.name, entry.venue) for entry in vault.names()}
        where = vault.where
    except VaultError as error:
        keys, where = {}, str(error)
    document = {
        "schema": "accounts.v1",
        "vault": where,
        "accounts": [
            {
                "account": account.id,
                "venue": account.venue,
                "owner": account.owner,
                "mode": account.mode,
                "egress": account.egress,
                "groups": list(account.groups),
                "key": keys.get(account.secret),
            }
            for account in settings.accounts.values()
        ],
    }
    if as_json:
        show(document)
        return
    from tradedesk.cli.tables import print_table

    print_table(document, "accounts")
    typer.echo(f"keys: {where}", err=True)


@accounts_app.command()
def remove(
    name: Annotated[str, typer.Argument(help="The account to forget.")],
    *,
    passphrase_file: PassphraseOption = None,
    config: ConfigOption = None,
) -> None:
    """Take a client account out of desk.toml and its key out of the vault. Its orders at the venue are not touched.

    Example: tradedesk accounts remove acme
    """
    import msgspec

    from tradedesk.access.vault import VaultError
    from tradedesk.config import render
    from tradedesk.domain.words import AccountId

    home = home_of(config)
    settings = _settings(home)
    account = settings.accounts.get(AccountId(name))
    if account is None:
        end(f"accounts.{name}: is not in {home.config}; known: {', '.join(settings.accounts) or 'none'}", USAGE)
    used = [operator.name for operator in settings.operators.values() if name in operator.accounts]
    if used:
        end(f"accounts.{name}: operators {', '.join(used)} name it; take it from them in {home.config} first", USAGE)
    left = {key: value for key, value in settings.accounts.items() if key != account.id}
    try:
        _vault(home, passphrase_file, create=False).remove(account.secret, account.venue)
    except VaultError as error:
        end(str(error))
    _replace(home.config, render(msgspec.structs.replace(settings, accounts=left)))
    typer.echo(f"{name} removed")


def _settings(home: "Home") -> "Settings":
    from tradedesk.config import ConfigError, load

    try:
        return load(home.config)
    except ConfigError as error:
        end(str(error))


def _vault(home: "Home", passphrase_file: Path | None, *, create: bool) -> "Vault":
    from tradedesk.access.vault import open_vault

    file, words = home.vault, passphrase_file or (home.passphrase if home.passphrase.exists() else None)
    asked = None
    if words is None and file.exists() and sys.stdin.isatty():
        asked = str(typer.prompt("passphrase of the vault", hide_input=True, err=True))
    return open_vault(file, words or asked, create=create and words is not None)


def _secret(from_stdin: bool) -> str:
    if from_stdin:
        return sys.stdin.read().strip()
    if not sys.stdin.isatty():
        end("accounts add: give the secret with --secret-stdin, or type it at a terminal", USAGE)
    return str(typer.prompt("secret", hide_input=True, err=True))


def _replace(path: Path, text: str) -> None:
    """Write the file whole or not at all; comments of the old one are kept in a copy beside it."""
    path.with_name(path.name + ".before").write_text(path.read_text(encoding="utf-8"), encoding="utf-8")
    temporary = path.with_name(path.name + ".new")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(path)
