"""`tradedesk accounts add|list|remove`: client accounts of desk.toml and their keys in the vault."""

from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tradedesk.cli.accounts_check import looks_told
from tradedesk.cli.accounts_common import (
    ApiKeyOption,
    KindOption,
    NameArgument,
    SecretStdinOption,
    VenuePassphraseOption,
    account_in,
    remind_of_restart,
    secret_of,
    settings_of,
    vault_of,
)
from tradedesk.cli.asking import asked
from tradedesk.cli.endings import USAGE, end
from tradedesk.cli.exits import exits_told
from tradedesk.cli.offboard import HoldingsOption
from tradedesk.cli.reach import ConfigOption, JsonOption, home_of, is_terminal, show
from tradedesk.cli.run import PassphraseOption

if TYPE_CHECKING:
    from tradedesk.config import Home
    from tradedesk.domain.exits import Exit

accounts_app = typer.Typer(no_args_is_help=True, help="Client accounts and their keys.")


@accounts_app.command()
def add(
    name: NameArgument,
    *,
    venue: Annotated[str, typer.Option(help="A [venues.X] of desk.toml.")],
    api_key: ApiKeyOption = None,
    secret_stdin: SecretStdinOption = False,
    kind: KindOption = "hmac",
    venue_passphrase: VenuePassphraseOption = False,
    egress: Annotated[
        str, typer.Option(help="Source address of this account's traffic, or a proxy without its password.")
    ] = "127.0.0.1",
    owner: Annotated[str | None, typer.Option(help="The client; the account's name if not given.")] = None,
    signer: Annotated[str, typer.Option(help="Who holds the key: thread, or a process of its own.")] = "thread",
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
    import msgspec

    from tradedesk.access.egress import EXIT_SCOPE
    from tradedesk.access.vault import Entry, VaultError
    from tradedesk.cli.setup_writing import text_of, write_whole
    from tradedesk.config import ConfigError, parse, render
    from tradedesk.domain.accounts import Account, Mode, SignsIn
    from tradedesk.domain.limits import Limits
    from tradedesk.domain.words import AccountId, VenueId

    home = home_of(config)
    settings = settings_of(home)
    if AccountId(name) in settings.accounts:
        end(f"accounts.{name}: is in {home.config} already; remove it first, or choose another name", USAGE)
    if VenueId(venue) not in settings.venues:
        end(
            f"--venue: there is no [venues.{venue}] in {home.config}; known: {', '.join(settings.venues) or 'none'}",
            USAGE,
        )
    if signer not in tuple(SignsIn):
        end(f"--signer: {signer!r} is not known; use {' or '.join(SignsIn)}", USAGE)
    exit_, notional = _exit(egress), _notional(max_order_notional)
    account = Account(
        id=AccountId(name),
        venue=VenueId(venue),
        owner=owner or name,
        groups=("all",),
        mode=Mode.Live if settings.venues[VenueId(venue)].url is None else Mode.Paper,
        egress=str(exit_),
        secret=name,
        limits=Limits(max_order_notional=notional),
        signer=SignsIn(signer),
    )
    try:
        text = render(msgspec.structs.replace(settings, accounts={**settings.accounts, account.id: account}))
        parse(text, home.config.name)  # the whole file again: an exit or a key used twice shows here
        secret = secret_of(api_key, kind, from_stdin=secret_stdin, has_passphrase=venue_passphrase)
        password = asked(f"password of {exit_}") if exit_.user and is_terminal() else None
        vault = vault_of(home, passphrase_file, create=True)
        if Entry(name, venue) in vault.names():
            end(f"{vault.where} has an entry {name!r} already; remove that account first, or choose another name")
        vault.put(name, venue, secret)
        if password is not None:
            vault.put_text(str(exit_), EXIT_SCOPE, password)
    except (ConfigError, VaultError, ValueError) as error:
        end(str(error))
    write_whole(home.config, text, before=text_of(home.config))
    if as_json:
        show(
            {
                "schema": "account-added.v1",
                "account": name,
                "venue": venue,
                "egress": str(exit_),
                "vault": vault.where,
            }
        )
    else:
        typer.echo(f"{name} added; its secret is in {vault.where}")
    if notional is None:
        typer.echo(f"it is blocked until accounts.{name}.limits.max_order_notional is set in {home.config}", err=True)
    if exit_.user and password is None:
        typer.echo("put the proxy's password in with `tradedesk accounts exit-password`", err=True)
    remind_of_restart(home)


def _exit(text: str) -> "Exit":
    from tradedesk.access.egress import usable_source
    from tradedesk.domain.exits import parse_exit

    exit_ = parse_exit(text)
    if isinstance(exit_, str):
        end(f"--egress: {exit_}", USAGE)
    if not exit_.is_proxy and not usable_source(exit_.host):
        end(f"--egress: {exit_.host} is not an address of this machine; give one that it has", USAGE)
    return exit_


def _notional(text: str | None) -> Decimal | None:
    from tradedesk.domain.money import parse_decimal

    try:
        return None if text is None else parse_decimal(text, "--max-order-notional")
    except ValueError as error:
        end(str(error), USAGE)


@accounts_app.command("list")
def list_(
    *, config: ConfigOption = None, passphrase_file: PassphraseOption = None, as_json: JsonOption = False
) -> None:
    """The client accounts, and by which key's fingerprint each trades. Secrets are never shown.

    While the desk runs, also by which exit each leaves, where that was seen, and how long ago; and whether its key is fit.

    Example: tradedesk accounts list
    """
    from tradedesk.access.vault import VaultError

    home = home_of(config)
    settings = settings_of(home)
    try:
        vault = vault_of(home, passphrase_file)
        keys = {(entry.name, entry.venue): vault.fingerprint(entry.name, entry.venue) for entry in vault.names()}
        where = vault.where
    except VaultError as error:
        keys, where = {}, str(error)
    exits = exits_told(home)
    looks = looks_told(home)
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
                "standby_egress": account.standby_egress,
                "exit": exits.get(account.id),
                "groups": list(account.groups),
                "key": keys.get((account.secret, account.venue)),
                "signer": account.signer,
                "key_look": looks.get(account.id),
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
    name: NameArgument,
    *,
    with_holdings: HoldingsOption = False,
    passphrase_file: PassphraseOption = None,
    config: ConfigOption = None,
) -> None:
    """Take a client account out of desk.toml and its key out of the vault. Refused while anything of it is open.

    Example: tradedesk accounts remove acme
    """
    from tradedesk.access.vault import VaultError
    from tradedesk.cli.offboard import refuse_while_open

    home = home_of(config)
    settings = settings_of(home)
    account = account_in(settings, home, name)
    used = [operator.name for operator in settings.operators.values() if name in operator.accounts]
    if used:
        end(f"accounts.{name}: operators {', '.join(used)} name it; take it from them in {home.config} first", USAGE)
    refuse_while_open(home, settings, account, passphrase_file, with_holdings=with_holdings)
    try:
        forget(home, account.id, passphrase_file)
    except VaultError as error:
        end(str(error))
    typer.echo(f"{name} removed")


def forget(home: "Home", name: str, passphrase_file: "Path | None") -> None:
    """Take the account's keys out of the vault, then the account out of desk.toml. Raises VaultError."""
    import msgspec

    from tradedesk.access.keyseat import NEXT
    from tradedesk.access.vault import Entry
    from tradedesk.cli.setup_writing import text_of, write_whole
    from tradedesk.config import render

    settings = settings_of(home)
    account = account_in(settings, home, name)
    vault = vault_of(home, passphrase_file)
    others = [each for each in settings.accounts.values() if each.id != account.id]
    still_used = {each.cancel_secret for each in others if each.venue == account.venue}
    for entry in (account.cancel_secret, account.secret + NEXT, account.secret):
        if entry is not None and entry not in still_used and Entry(entry, account.venue) in vault.names():
            vault.remove(entry, account.venue)
    left = {each.id: each for each in others}
    text = render(msgspec.structs.replace(settings, accounts=left))
    write_whole(home.config, text, before=text_of(home.config))
