"""The trading screen: with a desk in this process, attached to one, or as a monitor that cannot send."""

import asyncio
import os
import secrets
import signal
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from msgspec import Struct

from tradedesk.cli.endings import FAILED, USAGE, end
from tradedesk.cli.reach import (
    TRIES,
    ConfigOption,
    JsonOption,
    OperatorOption,
    OperatorPassphraseOption,
    asked_passphrase,
    controlled,
    home_of,
    is_terminal,
    passphrase_in,
    stream_of,
    told_to_stop,
)
from tradedesk.cli.run import desk_of

if TYPE_CHECKING:
    from tradedesk.access.operators import Operator
    from tradedesk.access.vault import Vault
    from tradedesk.config import Home
    from tradedesk.desk.client import RemoteControl
    from tradedesk.desk.desk import Desk
    from tradedesk.desk.office import Control
    from tradedesk.domain.control import DeskControl
    from tradedesk.domain.words import AccountId, ClientOrderId, OperatorId
    from tradedesk.ui.app import TradedeskApp
    from tradedesk.ui.screens.lock import ScreenLock
    from tradedesk.views.feed import Feed

ThemeOption = Annotated[str | None, typer.Option("--theme", help="desk-dark, desk-light, mono, or one of your own.")]
AsciiOption = Annotated[bool, typer.Option("--ascii", help="No character beyond ASCII: borders, glyphs, candles.")]
SlowOption = Annotated[bool, typer.Option("--slow", help="Four frames a second instead of ten, for a slow link.")]
STUCK_S = 5.0
LOOK_S = 1.0
NO_TERMINAL = "needs a terminal; from a pipe or a service use `tradedesk run`, `orders`, `status` or `monitor --plain`"


class Look(Struct, frozen=True, kw_only=True):
    """How a screen shall look, as said on the command line."""

    theme: str | None = None
    ascii: bool = False
    slow: bool = False


def load() -> None:
    """Bring in the screen and the desk, so that it can be done while something else starts."""
    import tradedesk.desk.build
    import tradedesk.ui.app  # noqa: F401


def screen_of(
    home: "Home",
    look: Look,
    *,
    operator: str | None = None,
    operator_passphrase_file: Path | None = None,
    passphrase_file: Path | None = None,
    vault: "Vault | None" = None,
    until_ended: Callable[[], str] | None = None,
) -> None:
    """A desk and its screen in this process. Leaving the screen stops the desk; orders stay at the venue.

    `until_ended` waits, in a thread of its own, for the end of what the desk cannot do without, and returns why it ended.
    """
    with desk_of(home, passphrase_file, vault) as desk:
        found = _signed_in(desk, operator, operator_passphrase_file)
        control = desk.control(found)
        minutes = desk.settings.desk.idle_lock_minutes
        lock = _lock(control, minutes, desk.has_passphrase(found))
        warning = _unlockable(found.name, minutes) if lock is None else None
        app = _app(home, look, desk.settings.keys, desk.open_feed(found), control, found.name, lock, warning)
        if until_ended is not None:
            threading.Thread(target=_fail_after, args=(until_ended, desk), daemon=True).start()
        with desk.attached(found):
            run_app(app, leave=desk.stop, ended=desk.wants_stop)
        failure = desk.failure
    if failure is not None:
        end(failure)
    if app.return_code:
        raise typer.Exit(FAILED)


def _signed_in(desk: "Desk", operator: str | None, passphrase_file: Path | None) -> "Operator":
    """Who is at this screen; ends the program with a sentence if that cannot be proved."""
    from tradedesk.access.operators import Operator

    passphrase = passphrase_in(passphrase_file)
    for _ in range(TRIES):
        found = desk.sign_in(operator, passphrase)
        if isinstance(found, Operator):
            return found
        if not found.wants_passphrase:
            end(found.reason)
        passphrase = asked_passphrase(found.reason, was_given=passphrase_file is not None)
    end("that passphrase was wrong too often")


def _lock(control: "Control | RemoteControl", idle_minutes: int, has_passphrase: bool) -> "ScreenLock | None":
    """How the screen is locked; None where its operator has no passphrase and could not open it again."""
    from tradedesk.ui.screens.lock import ScreenLock

    if not has_passphrase:
        return None
    return ScreenLock(idle_ns=idle_minutes * 60 * 10**9, lock=control.lock, unlock=control.unlock)


def _unlockable(operator: "OperatorId", idle_minutes: int) -> str | None:
    """What an operator without a passphrase has to know where desk.toml wants screens to lock."""
    if not idle_minutes:
        return None
    return f"this screen does not lock: {operator} has no passphrase; set one with `tradedesk operators passphrase`"


def _fail_after(until_ended: Callable[[], str], desk: "Desk") -> None:
    desk.failure = until_ended()
    desk.wants_stop.set()


def _app(
    home: "Home",
    look: Look,
    keys: "Mapping[str, str]",
    feed: "Feed",
    control: "DeskControl | None",
    operator: "OperatorId",
    lock: "ScreenLock | None" = None,
    warning: str | None = None,
) -> "TradedeskApp":
    """The screen over a feed; without control it is the monitor, which keeps nothing and has none of the trading keys."""
    from tradedesk.clock import SystemClock
    from tradedesk.ui.app import TradedeskApp
    from tradedesk.views.feed import DeskView

    try:
        return TradedeskApp(
            DeskView(feed),
            control,
            operator=operator,
            clock=SystemClock(),
            ids=_new_id,
            state_dir=home.state if control is not None and os.access(home.state, os.W_OK) else None,
            theme=look.theme,
            ascii=look.ascii,
            frame_hz=4 if look.slow else 10,
            keymap=keys,
            themes_folder=home.config.parent / "themes",
            log_file=home.log / "tradedesk.log",
            lock=lock,
            warning=warning,
        )
    except ValueError as error:
        end(f"{home.config}: {error}")


def _keys_of(home: "Home") -> "Mapping[str, str]":
    """The keys that desk.toml remaps; none where this user cannot read it, as with a desk of somebody else."""
    from tradedesk.config import ConfigError, load

    try:
        return load(home.config).keys
    except ConfigError:
        return {}


def run_app(
    app: "TradedeskApp", *, leave: Callable[[], None] = lambda: None, ended: threading.Event | None = None
) -> None:
    """Run the screen until it is left, its desk has `ended`, or its terminal or its process is told to go (F72).

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

        def look(desk_ended: threading.Event) -> None:
            if desk_ended.is_set():
                app.exit()
            else:
                loop.call_later(LOOK_S, look, desk_ended)

        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, told)
        if ended is not None:
            look(ended)
        await app.run_async()

    asyncio.run(until_left())


def attach(
    *,
    operator: OperatorOption = None,
    operator_passphrase_file: OperatorPassphraseOption = None,
    theme: ThemeOption = None,
    as_ascii: AsciiOption = False,
    slow: SlowOption = False,
    config: ConfigOption = None,
) -> None:
    """Another trading screen on a running desk. Closing it changes nothing on the desk.

    Example: tradedesk attach --operator desk2
    """
    if not is_terminal():
        end(f"tradedesk attach {NO_TERMINAL}", USAGE)
    home = home_of(config)
    control = controlled(home, operator, operator_passphrase_file)
    welcome = control.welcome
    lock = _lock(control, welcome.idle_lock_minutes, welcome.has_passphrase)
    may_act = bool(welcome.roles) and welcome.roles != ("support",)
    app = _app(
        home,
        Look(theme=theme, ascii=as_ascii, slow=slow),
        _keys_of(home),
        stream_of(home, control),
        control if may_act else None,
        welcome.operator,
        lock,
        _unlockable(welcome.operator, welcome.idle_lock_minutes) if lock is None else None,
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
    as_ascii: AsciiOption = False,
    slow: SlowOption = False,
    config: ConfigOption = None,
) -> None:
    """Watch a running desk. This process cannot send anything: it holds no control, no key and no ccxt.

    Example: tradedesk monitor --plain | grep acme
    """
    home = home_of(config)
    if as_json or as_lines:
        _print_stream(home, as_json=as_json)
        return
    if not is_terminal():
        end("tradedesk monitor needs a terminal; use --plain or --json in a pipe", USAGE)
    from tradedesk.domain.words import OperatorId

    look = Look(theme=theme, ascii=as_ascii, slow=slow)
    app = _app(home, look, _keys_of(home), stream_of(home), None, OperatorId("monitor"))
    run_app(app)
    if app.return_code:
        raise typer.Exit(FAILED)


def _print_stream(home: "Home", *, as_json: bool) -> None:
    from tradedesk.monitor.plain import print_stream

    told = told_to_stop()
    print_stream(lambda wake: stream_of(home, wake=wake), sys.stdout, as_json=as_json, until=lambda: not told.empty())


def _new_id(_: "AccountId") -> "ClientOrderId":
    from tradedesk.clock import SystemClock
    from tradedesk.domain.words import client_order_id

    return client_order_id(SystemClock().now(), secrets.randbits(40))
