"""`tradedesk alerts-to add|list|test|remove`: the webhooks that alerts are sent to; their URLs are secrets of the vault."""

import sys
import time
from typing import TYPE_CHECKING, Annotated

import typer

from tradedesk.cli.accounts_common import remind_of_restart, settings_of, vault_of
from tradedesk.cli.asking import asked
from tradedesk.cli.endings import USAGE, end
from tradedesk.cli.reach import ConfigOption, JsonOption, home_of, show
from tradedesk.cli.run import PassphraseOption

if TYPE_CHECKING:
    from tradedesk.config import Home, Settings
    from tradedesk.domain.webhooks import Receiver

alerts_to_app = typer.Typer(help="The webhooks that alerts are sent to.", no_args_is_help=True, rich_markup_mode=None)

NameArgument = Annotated[str, typer.Argument(help="Name of the receiver, e.g. night-desk.")]


@alerts_to_app.command()
def add(
    name: NameArgument,
    *,
    kind: Annotated[
        str | None, typer.Option(help="json, slack, discord or telegram; as in desk.toml if not given.")
    ] = None,
    least: Annotated[
        str | None, typer.Option(help="Send nothing that is less: info, warning (if not given) or critical.")
    ] = None,
    chat: Annotated[str | None, typer.Option(help="Telegram's chat id, or @channel.")] = None,
    secret_stdin: Annotated[bool, typer.Option("--secret-stdin", help="Read the URL from stdin.")] = False,
    passphrase_file: PassphraseOption = None,
    config: ConfigOption = None,
) -> None:
    """Send alerts to a webhook too, or give one that is in desk.toml its URL. The URL is asked for without echo.

    Example: tradedesk alerts-to add night-desk --kind slack --least critical
    """
    import msgspec

    from tradedesk.access.vault import VaultError
    from tradedesk.cli.setup_writing import text_of, write_whole
    from tradedesk.config import ConfigError, parse, render
    from tradedesk.domain.alerts import Severity
    from tradedesk.domain.webhooks import HOOK_SCOPE, Receiver, ReceiverKind, hook_wrong

    home = home_of(config)
    settings = settings_of(home)
    known = settings.alerts.get(name)
    if kind is None and known is None:
        end(f"--kind: is needed, {name} is not in {home.config}; use {', '.join(ReceiverKind)}", USAGE)
    if kind is not None and kind not in tuple(ReceiverKind):
        end(f"--kind: {kind!r} is not known; use {', '.join(ReceiverKind)}", USAGE)
    if least is not None and least not in tuple(Severity):
        end(f"--least: {least!r} is not known; use {', '.join(Severity)}", USAGE)
    base = known or Receiver(name=name, kind=ReceiverKind(kind or ""))
    made = msgspec.structs.replace(
        base,
        kind=ReceiverKind(kind or base.kind),
        least=Severity(least or base.least),
        chat=chat or (base.chat if kind in (None, base.kind) else None),
    )
    text = render(msgspec.structs.replace(settings, alerts={**settings.alerts, name: made}))
    if not secret_stdin and not sys.stdin.isatty():
        end("give the URL with --secret-stdin, or type it at a terminal", USAGE)
    try:
        parse(text, home.config.name)
        url = (sys.stdin.read() if secret_stdin else asked(f"webhook URL of {name}")).strip()
        wrong = hook_wrong(url)
        if wrong is not None:
            end(f"alerts.{name}: {wrong}", USAGE)
        vault = vault_of(home, passphrase_file, create=True)
        vault.put_text(name, HOOK_SCOPE, url)
    except (ConfigError, VaultError) as error:
        end(str(error))
    if made != known:
        write_whole(home.config, text, before=text_of(home.config))
    typer.echo(f"alerts go to {name}; its URL is in {vault.where}. `tradedesk alerts-to test {name}` sends a trial")
    remind_of_restart(home)


@alerts_to_app.command("list")
def list_(
    *, config: ConfigOption = None, passphrase_file: PassphraseOption = None, as_json: JsonOption = False
) -> None:
    """Where alerts are sent. URLs are never shown.

    Example: tradedesk alerts-to list
    """
    from tradedesk.access.vault import VaultError
    from tradedesk.domain.webhooks import HOOK_SCOPE

    home = home_of(config)
    settings = settings_of(home)
    known: dict[str, bool | None] = dict.fromkeys(settings.alerts)
    try:
        if settings.alerts:
            vault = vault_of(home, passphrase_file)
            known = {name: vault.text(name, HOOK_SCOPE) is not None for name in settings.alerts}
    except VaultError as error:
        typer.echo(str(error), err=True)  # and so nobody knows
    document = {
        "schema": "alerts_to.v1",
        "receivers": [
            {
                "receiver": name,
                "kind": found.kind.value,
                "least": found.least.value,
                "chat": found.chat,
                "has_url": known[name],
            }
            for name, found in settings.alerts.items()
        ],
    }
    if as_json:
        show(document)
        return
    from tradedesk.cli.tables import print_table

    print_table(document, "receivers")


@alerts_to_app.command("test")
def trial(name: NameArgument, *, passphrase_file: PassphraseOption = None, config: ConfigOption = None) -> None:
    """Send one message that says it is a trial, now and from this process.

    Example: tradedesk alerts-to test night-desk
    """
    from tradedesk.access.vault import VaultError
    from tradedesk.desk.messenger import a_trial
    from tradedesk.domain.webhooks import HOOK_SCOPE

    home = home_of(config)
    settings = settings_of(home)
    receiver = _receiver(settings, home, name)
    try:
        url = vault_of(home, passphrase_file).text(name, HOOK_SCOPE)
    except VaultError as error:
        end(str(error))
    if url is None:
        end(f"alerts.{name}: its URL is not in the vault; put it in with `tradedesk alerts-to add {name}`")
    outcome = a_trial(receiver, url, settings.desk.name, time.time_ns())
    if outcome.problem is not None:
        end(f"alerts.{name}: the trial was not delivered, {outcome.problem}; look at the URL and what it belongs to")
    typer.echo(f"{name} took the trial; look whether it is there")


@alerts_to_app.command()
def remove(name: NameArgument, *, passphrase_file: PassphraseOption = None, config: ConfigOption = None) -> None:
    """Send no more alerts there, and forget the URL.

    Example: tradedesk alerts-to remove night-desk
    """
    import msgspec

    from tradedesk.access.vault import VaultError
    from tradedesk.cli.setup_writing import text_of, write_whole
    from tradedesk.config import render
    from tradedesk.domain.webhooks import HOOK_SCOPE

    home = home_of(config)
    settings = settings_of(home)
    _receiver(settings, home, name)
    try:
        vault_of(home, passphrase_file).remove_text(name, HOOK_SCOPE)
    except VaultError as error:
        end(str(error))
    left = {key: found for key, found in settings.alerts.items() if key != name}
    write_whole(home.config, render(msgspec.structs.replace(settings, alerts=left)), before=text_of(home.config))
    typer.echo(f"{name} removed")
    remind_of_restart(home)


def _receiver(settings: "Settings", home: "Home", name: str) -> "Receiver":
    found = settings.alerts.get(name)
    if found is None:
        end(f"alerts.{name}: is not in {home.config}; known: {', '.join(settings.alerts) or 'none'}", USAGE)
    return found
