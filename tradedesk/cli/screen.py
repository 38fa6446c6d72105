"""The trading screen: with a desk in this process, attached to one, or as a monitor that cannot send."""

import os
import random
import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tradedesk.cli.endings import FAILED, USAGE, end
from tradedesk.cli.reach import ConfigOption, JsonOption, OperatorOption, controlled, home_of, is_terminal
from tradedesk.cli.run import desk_of

if TYPE_CHECKING:
    from tradedesk.config import Home
    from tradedesk.domain.words import AccountId, ClientOrderId

ThemeOption = Annotated[str | None, typer.Option("--theme", help="desk-dark, desk-light, mono, or one of your own.")]
NO_TERMINAL = "needs a terminal; from a pipe or a service use `tradedesk run`, `orders`, `status` or `monitor --plain`"


def screen_of(
    home: "Home", *, operator: str | None = None, theme: str | None = None, passphrase_file: Path | None = None
) -> None:
    """A desk and its screen in this process. Leaving the screen stops the desk; orders stay at the venue."""
    from tradedesk.clock import SystemClock
    from tradedesk.domain.words import OperatorId

    with desk_of(home, passphrase_file) as desk:
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
        app.run()
    if app.return_code:
        raise typer.Exit(FAILED)


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
    app.run()
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
    app.run()
    if app.return_code:
        raise typer.Exit(FAILED)


def _print_stream(home: "Home", *, as_json: bool) -> None:
    import signal
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
