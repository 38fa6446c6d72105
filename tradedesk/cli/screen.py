"""The trading screen: with a desk in this process, attached to one, or as a monitor that cannot send."""

import asyncio
import os
import random
import secrets
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tradedesk.cli.endings import FAILED, USAGE, end
from tradedesk.cli.reach import ConfigOption, JsonOption, OperatorOption, controlled, home_of, is_terminal
from tradedesk.cli.run import desk_of

if TYPE_CHECKING:
    from tradedesk.access.vault import Vault
    from tradedesk.config import Home
    from tradedesk.domain.words import AccountId, ClientOrderId
    from tradedesk.ui.app import TradedeskApp

ThemeOption = Annotated[str | None, typer.Option("--theme", help="desk-dark, desk-light, mono, or one of your own.")]
STUCK_S = 5.0
NO_TERMINAL = "needs a terminal; from a pipe or a service use `tradedesk run`, `orders`, `status` or `monitor --plain`"


def load() -> None:
    """Bring in the screen and the desk, so that it can be done while something else starts."""
    import tradedesk.desk.build
    import tradedesk.ui.app  # noqa: F401


def screen_of(
    home: "Home",
    *,
    operator: str | None = None,
    theme: str | None = None,
    passphrase_file: Path | None = None,
    vault: "Vault | None" = None,
) -> None:
    """A desk and its screen in this process. Leaving the screen stops the desk; orders stay at the venue."""
    from tradedesk.clock import SystemClock
    from tradedesk.domain.words import OperatorId

    with desk_of(home, passphrase_file, vault) as desk:
        found = desk.who(OperatorId(operator) if operator is not None else None, os.getuid())
        if isinstance(found, str):
            end(found)
        from tradedesk.ui.app import TradedeskApp
        from tradedesk.views.feed import DeskView

        app = TradedeskApp(
            DeskView(desk.open_feed()),
            desk.control(found),
            operator=found.name,
            clock=SystemClock(),
            ids=_new_id,
            state_dir=home.state,
            theme=theme,
        )
        run_app(app, desk.stop)
    if app.return_code:
        raise typer.Exit(FAILED)


def run_app(app: "TradedeskApp", leave: Callable[[], None] = lambda: None) -> None:
    """Run the screen until it is left, or its terminal or its process is told to go (F72).

    A terminal that vanished can hold the screen's thread for ever; then `leave` is called from another thread, so that
    the desk behind it still ends in order, and the process goes.
    """

    def give_up() -> None:
        leave()
        os._exit(FAILED)

    async def until_left() -> None:
        loop = asyncio.get_running_loop()

        def told(*_: object) -> None:
            loop.call_soon_threadsafe(app.exit)
            stuck = threading.Timer(STUCK_S, give_up)
            stuck.daemon = True
            stuck.start()

        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, told)
        await app.run_async()

    asyncio.run(until_left())


def attach(
    *,
    operator: OperatorOption = None,
    theme: ThemeOption = None,
    config: ConfigOption = None,
) -> None:
    """Another trading screen on a running desk. Closing it changes nothing on the desk.

    Example: tradedesk attach --operator desk2
    """
    if not is_terminal():
        end(f"tradedesk attach {NO_TERMINAL}", USAGE)
    home = home_of(config)
    control = controlled(home, operator)
    from tradedesk.clock import SystemClock
    from tradedesk.monitor.socket_feed import SocketFeed
    from tradedesk.ui.app import TradedeskApp
    from tradedesk.views.feed import DeskView

    clock = SystemClock()
    app = TradedeskApp(
        DeskView(SocketFeed(home.read_socket, clock=clock, chance=random.Random())),
        control if control.welcome.roles and control.welcome.roles != ("support",) else None,
        operator=control.welcome.operator,
        clock=clock,
        ids=_new_id,
        state_dir=home.state,
        theme=theme,
    )
    run_app(app)
    control.close()
    if app.return_code:
        raise typer.Exit(FAILED)


def monitor(
    *,
    as_json: JsonOption = False,
    as_lines: Annotated[
        bool, typer.Option("--plain", help="One sentence per event, for pipes and screen readers.")
    ] = False,
    theme: ThemeOption = None,
    config: ConfigOption = None,
) -> None:
    """Watch a running desk. This process cannot send anything: it holds no control, no key and no ccxt.

    Example: tradedesk monitor --plain | grep acme
    """
    home = home_of(config)
    from tradedesk.clock import SystemClock
    from tradedesk.monitor.socket_feed import SocketFeed

    clock = SystemClock()
    if as_json or as_lines:
        _print_stream(home, as_json=as_json)
        return
    if not is_terminal():
        end("tradedesk monitor needs a terminal; use --plain or --json in a pipe", USAGE)
    from tradedesk.domain.words import OperatorId
    from tradedesk.ui.app import TradedeskApp
    from tradedesk.views.feed import DeskView

    app = TradedeskApp(
        DeskView(SocketFeed(home.read_socket, clock=clock, chance=random.Random())),
        None,
        operator=OperatorId("monitor"),
        clock=clock,
        ids=_new_id,
        state_dir=None,
        theme=theme,
    )
    run_app(app)
    if app.return_code:
        raise typer.Exit(FAILED)


def _print_stream(home: "Home", *, as_json: bool) -> None:
    import sys
    import threading

    from tradedesk.clock import SystemClock
    from tradedesk.monitor.plain import print_stream
    from tradedesk.monitor.socket_feed import SocketFeed

    until = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: until.set())
    print_stream(
        lambda wake: SocketFeed(home.read_socket, clock=SystemClock(), chance=random.Random(), wake=wake),
        sys.stdout,
        as_json=as_json,
        until=until,
    )


def open_screen(config: Path | None, operator: str | None, theme: str | None, passphrase_file: Path | None) -> None:
    """`tradedesk` alone: the desk of desk.toml with its screen."""
    home = home_of(config)
    if not home.config.exists():
        typer.echo(
            f"there is no {home.config}.\n"
            "  tradedesk demo      trade for three accounts on a paper exchange: no keys, no network\n"
            "  tradedesk monitor   watch a running desk\n"
            "  tradedesk --help    everything else",
            err=True,
        )
        raise typer.Exit(USAGE)
    if not is_terminal():
        end(f"tradedesk opens a screen and {NO_TERMINAL}", USAGE)
    screen_of(home, operator=operator, theme=theme, passphrase_file=passphrase_file)


def _new_id(_: "AccountId") -> "ClientOrderId":
    from tradedesk.clock import SystemClock
    from tradedesk.domain.words import client_order_id

    return client_order_id(SystemClock().now(), secrets.randbits(40))
