"""The desk's app: themes, one screen over a view, remembered settings, an end that says what stays at the venue.

With a DeskControl the screen trades; without one it is the read-only monitor, in which the ticket, arming, halting and
every order verb do not exist (5.12).
"""

import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, ClassVar

from rich.text import Text
from textual import events
from textual.app import App, SystemCommand
from textual.binding import BindingType
from textual.screen import Screen
from textual.theme import Theme

from tradedesk.clock import Clock
from tradedesk.domain.control import DeskControl
from tradedesk.domain.text import clean
from tradedesk.domain.words import AccountId, ClientOrderId, OperatorId
from tradedesk.log import Log
from tradedesk.ui import drawing, themes
from tradedesk.ui.dialogs.dialog import Dialog
from tradedesk.ui.keys import READ_KEYS, bindings, checked_keymap
from tradedesk.ui.names import hint
from tradedesk.ui.notices import Tone
from tradedesk.ui.screens.lock import ScreenLock
from tradedesk.ui.screens.trade import TradeScreen
from tradedesk.ui.screens.watch import WatchScreen, keys_of
from tradedesk.ui.settings import Settings, read_settings, settings_file, write_settings
from tradedesk.ui.ticket import Ticket
from tradedesk.ui.widgets.table import LiveTable
from tradedesk.views.feed import DeskView

LOG = Log()


class TradedeskApp(App[None]):
    """One operator's screen on one desk."""

    CSS_PATH = "desk.tcss"
    TITLE = "tradedesk"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings(READ_KEYS, is_app=True)]

    def __init__(
        self,
        view: DeskView,
        control: DeskControl | None,
        *,
        operator: OperatorId,
        clock: Clock,
        ids: Callable[[AccountId], ClientOrderId],
        state_dir: Path | None,
        theme: str | None,
        ascii: bool = False,
        frame_hz: float = 10,
        keymap: Mapping[str, str] | None = None,
        themes_folder: Path | None = None,
        log_file: Path | None = None,
        lock: ScreenLock | None = None,
        warning: str | None = None,
    ) -> None:
        """`ids` makes client order ids that are unique for ever; `warning` is said at the start, until it is seen.

        Raises ValueError for a keymap that cannot be used.
        """
        super().__init__()
        self.view = view
        self._clock = clock
        self._log_file = log_file
        self._settings_file = None if state_dir is None else settings_file(state_dir, operator)
        settings, self._settings_problem = (
            (Settings(), None) if self._settings_file is None else read_settings(self._settings_file)
        )
        self._loaded = themes.load_themes(themes_folder)
        for known in self._loaded.by_name.values():
            self.register_theme(known)
        self._theme_problem: str | None = None
        self._warning = warning
        self._choose_theme(theme, settings.theme)
        glyphs = drawing.ASCII if ascii else drawing.UNICODE
        shared: dict[str, Any] = {
            "operator": operator,
            "clock": clock,
            "glyphs": glyphs,
            "settings": settings,
            "themes": lambda: sorted(self._loaded.by_name),
            "frame_hz": frame_hz,
            "lock": lock,
        }
        self.desk: WatchScreen = (
            WatchScreen(view, **shared) if control is None else TradeScreen(view, control, ids=ids, **shared)
        )
        if keymap:
            self.desk.keymap = checked_keymap(keymap, _keys_in_use(self.desk))
            self.set_keymap(dict(self.desk.keymap))

    def _choose_theme(self, wanted: str | None, remembered: str | None) -> None:
        names = self._loaded.by_name
        if wanted is not None and wanted not in names:
            self._theme_problem = f"no theme {wanted!r}; {hint(wanted, names)}"
        self.theme = next(name for name in (wanted, remembered, themes.DEFAULT_THEME, *names) if name in names)

    # -- Textual --------------------------------------------------------------------------------------------------------

    def get_theme_variable_defaults(self) -> dict[str, str]:
        return themes.DEFAULTS

    def get_default_screen(self) -> Screen[None]:
        return self.desk

    def on_mount(self) -> None:
        self.theme_changed_signal.subscribe(self, self._remember)
        for problem in (self._settings_problem, self._theme_problem, *self._loaded.problems, self._warning):
            if problem is not None:
                self.call_after_refresh(self.desk.say, problem, Tone.Warned, is_sticky=True)

    def on_unmount(self) -> None:
        self._remember()
        self.view.close()

    def _remember(self, _: Theme | None = None) -> None:
        if self._settings_file is not None and self.desk.is_attached:
            write_settings(self._settings_file, self.desk.remembered(self.theme))

    def watch_title(self, title: str) -> None:
        """Name the terminal's window too: paper or live is seen before anything is typed."""
        if self._driver is not None and not self.is_headless:
            self._driver.write(f"\x1b]0;{clean(title)}\x07")

    async def on_event(self, event: events.Event) -> None:
        """Input passes here first: it shows that the operator is there, and a dialog just opened does not hear it."""
        if isinstance(event, events.InputEvent) and not event.is_forwarded:
            now = self._clock.monotonic()
            top = self.screen if self.screen_stack else None
            if isinstance(top, Dialog) and top.is_deaf(now) and not isinstance(event, events.MouseMove):
                return
            if isinstance(event, events.Key | events.MouseDown):
                self.desk.touched(now)
        await super().on_event(event)

    def notify(self, message: str, *, severity: str = "information", **_: object) -> None:
        """What Textual itself would say in a toast of its own, markup and all, goes where everything is said."""
        self.desk.say(message, Tone.Said if severity == "information" else Tone.Warned)

    def get_system_commands(self, screen: Screen[Any]) -> Iterable[SystemCommand]:
        """The palette: every key's action, and every theme. Nothing in it sends."""
        for key in self.desk.keys:
            if not key.id.startswith("desk.dismiss"):
                yield SystemCommand(
                    key.says, f"{key.label}  :{key.command}" if key.command else key.label, self._doing(key.action)
                )
        for name in sorted(self._loaded.by_name):
            yield SystemCommand(f"Theme {name}", f":theme {name}", lambda name=name: self._show_theme(name))

    def _doing(self, action: str) -> Callable[[], Any]:
        return lambda: self.call_later(self.run_action, action, self.desk)

    def _show_theme(self, name: str) -> None:
        self.theme = name

    def action_command_palette(self) -> None:
        """Over the desk only: what it would do must not happen behind an open dialog."""
        if self.screen is self.desk:
            super().action_command_palette()

    # -- keys -----------------------------------------------------------------------------------------------------------

    def action_copy_row(self) -> None:
        """Copy what is selected, else the row under the cursor. Never quits, never cancels."""
        selected = self.screen.get_selected_text()
        pane = self.desk.focused_pane()
        if selected:
            self.copy_to_clipboard(clean(selected, limit=100_000))
        elif self.screen is self.desk and isinstance(pane, LiveTable):
            pane.action_copy()
            self.desk.say("row copied, if this terminal lets programs copy")

    def action_help_quit(self) -> None:
        """Textual would explain here how to quit; Ctrl+C is for copying."""

    def action_leave(self) -> None:
        if self.screen is self.desk:
            self.desk.leave()

    # -- the end --------------------------------------------------------------------------------------------------------

    def _fatal_error(self) -> None:
        """Leave with one plain line. Textual would print every local variable, a secret among them perhaps."""
        error = sys.exc_info()[1]
        LOG.error("screen_crashed", cause=error, where=_where(error))
        name = type(error).__name__
        log = "its log" if self._log_file is None else str(self._log_file)
        stay = "; open orders are still at the venue" if self.desk.may_trade else ""
        self.bell()
        if not self._exit_renderables:  # one line: what fails while it comes down is in the log
            line = f"tradedesk: the screen failed ({name}): see {log}{stay}."
            self._exit_renderables.append(Text(clean(line)))
        self._close_messages_no_wait()


def _where(error: BaseException | None) -> str:
    """File, line and function of the innermost frames, no values."""
    trace = None if error is None else error.__traceback__
    places = []
    while trace is not None:
        code = trace.tb_frame.f_code
        places.append(f"{Path(code.co_filename).name}:{trace.tb_lineno} {code.co_name}")
        trace = trace.tb_next
    return " < ".join(reversed(places[-6:]))


def _keys_in_use(screen: WatchScreen) -> dict[str, str]:
    """Every action's key: the desk's, and those of its panes that may be pressed together with them."""
    in_use = {key.id: key.key for key in screen.keys}
    panes = [binding for pane in screen.panes.values() for binding in keys_of(pane)]
    ticket = [binding for binding in Ticket.BINDINGS if not isinstance(binding, tuple)] if screen.may_trade else []
    for binding in (*panes, *ticket):
        in_use.setdefault(binding.id or binding.action, binding.key)
    return in_use
