"""The command line: one file per subcommand. Nothing heavy is imported before a subcommand runs."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from tradedesk import __version__
from tradedesk.cli.accounts import accounts_app
from tradedesk.cli.accounts_check import accept, check
from tradedesk.cli.accounts_lock import lock, unlock
from tradedesk.cli.accounts_moving import export_, import_
from tradedesk.cli.accounts_rotate import rotate
from tradedesk.cli.alerts import alerts_app
from tradedesk.cli.alerts_to import alerts_to_app
from tradedesk.cli.alone import open_screen
from tradedesk.cli.approvals import approvals, approve, golive
from tradedesk.cli.audit import audit_app
from tradedesk.cli.bench import bench
from tradedesk.cli.cancel_key import cancel_key
from tradedesk.cli.demo import demo
from tradedesk.cli.doctor import doctor
from tradedesk.cli.endings import FAILED, INTERRUPTED
from tradedesk.cli.exits import exit_password, switch_exit
from tradedesk.cli.export import export
from tradedesk.cli.halt import halt, rearm
from tradedesk.cli.kill import kill
from tradedesk.cli.limits import limits_app
from tradedesk.cli.look import fills, orders, positions, status
from tradedesk.cli.mandate import mandate_app, profile
from tradedesk.cli.offboard import offboard
from tradedesk.cli.operators import operators_app
from tradedesk.cli.order import order_app
from tradedesk.cli.paper import paper
from tradedesk.cli.reach import OperatorPassphraseOption
from tradedesk.cli.record import record
from tradedesk.cli.run import run
from tradedesk.cli.screen import AsciiOption, Look, SlowOption, ThemeOption, attach, monitor
from tradedesk.cli.selftest import selftest
from tradedesk.cli.setup import setup
from tradedesk.cli.watchdog import watchdog
from tradedesk.cli.worklist import worklist
from tradedesk.hardening import harden
from tradedesk.log import catch_strays, where

app = typer.Typer(name="tradedesk", add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)
for command in (
    demo,
    setup,
    doctor,
    run,
    attach,
    monitor,
    paper,
    record,
    status,
    orders,
    positions,
    fills,
    halt,
    rearm,
    approvals,
    approve,
    golive,
    kill,
    watchdog,
    export,
    worklist,
    selftest,
    bench,
):
    app.command()(command)
accounts_app.command("test")(check)
accounts_app.command()(accept)
accounts_app.command()(rotate)
accounts_app.command("export")(export_)
accounts_app.command("import")(import_)
accounts_app.command("switch-exit")(switch_exit)
accounts_app.command("exit-password")(exit_password)
accounts_app.command()(lock)
accounts_app.command()(unlock)
app.add_typer(order_app, name="order")
accounts_app.command()(offboard)
accounts_app.command()(profile)
accounts_app.command("cancel-key")(cancel_key)
app.add_typer(accounts_app, name="accounts")
app.add_typer(limits_app, name="limits")
app.add_typer(mandate_app, name="mandate")
app.add_typer(operators_app, name="operators")
app.add_typer(audit_app, name="audit")
app.add_typer(alerts_app, name="alerts")
app.add_typer(alerts_to_app, name="alerts-to")


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"tradedesk {__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def tradedesk(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and leave.")
    ] = False,
    config: Annotated[Path | None, typer.Option(help="Another desk.toml.")] = None,
    operator: Annotated[str | None, typer.Option(help="Act under this name of desk.toml.")] = None,
    theme: ThemeOption = None,
    as_ascii: AsciiOption = False,
    slow: SlowOption = False,
    passphrase_file: Annotated[Path | None, typer.Option(help="File (0600) with the vault's passphrase.")] = None,
    operator_passphrase_file: OperatorPassphraseOption = None,
) -> None:
    """A trading desk in a terminal: one operator, many client accounts, each with its own keys, exit, limits and worker.

    Without a subcommand: the desk of desk.toml, with its screen. To look around: tradedesk demo
    """
    if context.invoked_subcommand is None:
        look = Look(theme=theme, ascii=as_ascii, slow=slow)
        open_screen(config, operator, look, passphrase_file, operator_passphrase_file)


def main() -> None:
    """Entry point of the program: whatever goes wrong, one sentence and an exit code, never a traceback."""
    harden()  # any command may come to hold a secret; what could not be done, `doctor` and the log of a desk say
    catch_strays()
    try:
        app()
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except BrokenPipeError:
        sys.exit(FAILED)
    except Exception as error:
        print(f"tradedesk: an error of its own ({where(error)}); report it with the command you gave", file=sys.stderr)
        sys.exit(FAILED)
