"""`tradedesk accounts switch-exit|exit-password`: by which exit an account leaves, and the passwords of proxies."""

import sys
import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tradedesk.cli.accounts_common import (
    NameArgument,
    a_desk_runs,
    account_in,
    remind_of_restart,
    settings_of,
    vault_of,
)
from tradedesk.cli.asking import asked
from tradedesk.cli.endings import USAGE, end
from tradedesk.cli.reach import (
    ConfigOption,
    JsonOption,
    OperatorOption,
    OperatorPassphraseOption,
    controlled,
    home_of,
    show,
    watching,
)
from tradedesk.cli.run import PassphraseOption

if TYPE_CHECKING:
    from tradedesk.config import Home

PROVED_S = 60.0  # the account connects anew, and its exit is asked about


def switch_exit(
    name: NameArgument,
    *,
    to: Annotated[
        str | None, typer.Option(help="The exit to leave by, as in desk.toml; the other one if not given.")
    ] = None,
    reason: Annotated[str, typer.Option(help="Why; it is kept in the journal with your name.")],
    operator: OperatorOption = None,
    operator_passphrase_file: OperatorPassphraseOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Have an account leave by its standby exit, or by the first one again. It holds until somebody switches back.

    With --to the exit in use, the address it is seen at is accepted anew.

    Example: tradedesk accounts switch-exit acme --reason "the provider's proxy is down"
    """
    from tradedesk.domain.commands import NotSubmitted, SwitchExit
    from tradedesk.domain.events import ExitProved, ExitRefused, ExitSwitched
    from tradedesk.domain.words import OperatorId
    from tradedesk.views.feed import Numbered

    home = home_of(config)
    account = account_in(settings_of(home), home, name)
    control = controlled(home, operator, operator_passphrase_file)
    with watching(home, control) as watch:
        answer = control.submit(SwitchExit(account=account.id, exit=to, reason=reason, operator=OperatorId("")))
        if isinstance(answer, NotSubmitted):
            end(answer.reason)
        found: list[ExitSwitched | ExitProved | ExitRefused] = []

        def is_judged() -> bool:
            for update in watch.updates:
                event = update.event if isinstance(update, Numbered) else None
                if isinstance(event, ExitSwitched | ExitProved | ExitRefused) and event.account == account.id:
                    found.append(event)
            watch.updates.clear()
            switched = [place for place, event in enumerate(found) if isinstance(event, ExitSwitched)]
            return bool(switched) and not isinstance(found[-1], ExitSwitched)

        if not watch.until(is_judged, PROVED_S):
            end(
                f"accounts.{name}: the switch is made, and the exit was not proved within {PROVED_S:.0f} s; see `status`"
            )
        row = watch.replica.exits[account.id]
    if as_json:
        show(
            {
                "schema": "exit-switched.v1",
                "account": name,
                "exit": row.switched_to,
                "seen": row.seen,
                "how": row.how,
                "problem": row.problem,
            }
        )
    elif row.problem is None:
        typer.echo(f"{name} leaves by {row.switched_to} now, and is seen at {row.seen} (by {row.how})")
    if row.problem is not None:
        end(f"accounts.{name}: {row.problem}")


def exit_password(
    exit_: Annotated[
        str, typer.Argument(metavar="EXIT", help="The proxy as in desk.toml, e.g. socks5://me@host:1080.")
    ],
    *,
    from_stdin: Annotated[bool, typer.Option("--secret-stdin", help="Read the password from stdin.")] = False,
    remove: Annotated[bool, typer.Option("--remove", help="Forget the password in place of setting it.")] = False,
    passphrase_file: PassphraseOption = None,
    config: ConfigOption = None,
) -> None:
    """Put the password of a proxy's user into the vault. It stands nowhere else, and is shown by nothing.

    Example: tradedesk accounts exit-password socks5://acme@proxy.example.com:1080
    """
    from tradedesk.access.egress import EXIT_SCOPE, MAX_PASSWORD, is_password
    from tradedesk.access.vault import VaultError
    from tradedesk.domain.exits import parse_exit

    found = parse_exit(exit_)
    if isinstance(found, str):
        end(f"EXIT: {found}", USAGE)
    if not found.user:
        end(
            f"EXIT: {found} names no user that could have a password; write it as {found.scheme or 'socks5'}://user@host:port",
            USAGE,
        )
    home = home_of(config)
    if not from_stdin and not remove and not sys.stdin.isatty():
        end("give the password with --secret-stdin, or type it at a terminal", USAGE)
    try:
        vault = vault_of(home, passphrase_file, create=not remove)
        if remove:
            vault.remove_text(str(found), EXIT_SCOPE)
        else:
            password = sys.stdin.read().strip("\r\n") if from_stdin else asked(f"password of {found}")
            if not is_password(password):
                end(f"a proxy's password has 1 to {MAX_PASSWORD} printable ASCII characters", USAGE)
            vault.put_text(str(found), EXIT_SCOPE, password)
    except VaultError as error:
        end(str(error))
    typer.echo(f"the password of {found} is {'forgotten' if remove else 'in'} {'' if remove else vault.where}".rstrip())
    remind_of_restart(home)


def exits_told(home: "Home") -> dict[str, dict[str, Any]]:
    """By account, what the running desk tells of its exit; nothing where none runs."""
    from tradedesk.views.documents import exit_document

    if not a_desk_runs(home):
        return {}
    with watching(home) as watch:
        now = time.time_ns()
        return {name: exit_document(watch.replica, row.account, now) for name, row in watch.replica.accounts.items()}
