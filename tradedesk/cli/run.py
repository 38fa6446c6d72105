"""`tradedesk run`: a desk without a screen, until it is told to stop. Also how the other commands open one."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tradedesk.cli.endings import FAILED, end
from tradedesk.cli.reach import ConfigOption, JsonOption, home_of, show, told_to_stop, until_told
from tradedesk.cli.unlocking import unlocked

if TYPE_CHECKING:
    from tradedesk.access.vault import Vault
    from tradedesk.config import Home, Settings
    from tradedesk.desk.desk import Desk

PassphraseOption = Annotated[
    Path | None, typer.Option("--passphrase-file", help="File (0600) with the passphrase of the encrypted vault.")
]


@contextmanager
def desk_of(
    home: "Home",
    passphrase_file: Path | None,
    vault: "Vault | None" = None,
    changed: "Callable[[Settings], Settings] | None" = None,
) -> "Iterator[Desk]":
    """A started desk of this home, stopped at the end; `vault` where it is open already.

    `changed` makes of the settings in desk.toml those that it runs by.

    Ends the program with a sentence if there can be none.
    """
    from tradedesk import log
    from tradedesk.access.vault import VaultError
    from tradedesk.clock import SystemClock
    from tradedesk.config import ConfigError, load, private_folder
    from tradedesk.desk import build as building
    from tradedesk.hardening import harden
    from tradedesk.journal.store import JournalError

    clock = SystemClock()
    try:
        settings = load(home.config)
        if changed is not None:
            settings = changed(settings)
        private_folder(home.log)
        log_file = log.open_log(home.log / "tradedesk.log", clock)
    except ConfigError as error:
        end(str(error))
    except OSError as error:
        end(f"{home.log}: the log cannot be written ({error.strerror}); make room or give the folder back to this user")
    for missing in harden():
        log.Log().warning("not_hardened", why=missing)
    try:
        opened = vault or unlocked(home, passphrase_file)
        desk = building.build(settings, home, building.real_parts(settings, opened, clock, home), clock=clock)
        desk.start()
    except (VaultError, JournalError, ConfigError, building.CannotBuild) as error:
        log_file.close()
        end(str(error))
    except OSError as error:
        log_file.close()
        end(
            f"the desk could not open its files or sockets in {home.state} ({error.strerror}); look there, then try again"
        )
    try:
        yield desk
    finally:
        desk.stop()
        log_file.close()
        for left in desk.left_at_stop:
            typer.echo(left, err=True)


def _at_stop(desk: "Desk") -> str:
    from tradedesk.domain.accounts import OnStop

    swept = [account.id for account in desk.settings.accounts.values() if account.on_stop is OnStop.Cancel]
    return (
        f"the orders of {', '.join(swept)} are cancelled, others stay at the venue"
        if swept
        else ("orders stay at the venue")
    )


def run(*, config: ConfigOption = None, passphrase_file: PassphraseOption = None, as_json: JsonOption = False) -> None:
    """Run the desk of desk.toml without a screen. Attach screens with `tradedesk attach` and `tradedesk monitor`.

    Example: TRADEDESK_HOME=~/desk tradedesk run
    """
    home = home_of(config)
    with desk_of(home, passphrase_file) as desk:
        told = told_to_stop()
        if as_json:
            show({"schema": "run.v1", "desk": desk.settings.desk.name, "control": str(home.control_socket)})
        else:
            typer.echo(
                f"desk {desk.settings.desk.name} runs; when it stops, {_at_stop(desk)}. Ctrl+C ends it.",
                err=True,
            )
        until_told(told, desk.wants_stop.is_set)
        failure = desk.failure
    if failure is not None:
        typer.echo(failure, err=True)
        raise typer.Exit(FAILED)
