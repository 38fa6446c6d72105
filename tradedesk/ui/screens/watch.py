"""The desk screen as everyone sees it: panes, header, bands, notices, the reading keys. Nothing here can send (5.12)."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import ClassVar, TypeVar

import msgspec
from textual.actions import SkipAction
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import Screen
from textual.widget import Widget

from tradedesk.clock import Clock
from tradedesk.domain.text import clean
from tradedesk.domain.words import AccountId, OperatorId
from tradedesk.ui import verbs
from tradedesk.ui.command_line import CommandLine, FilterLine
from tradedesk.ui.dialogs.dialog import Dialog, Tools
from tradedesk.ui.dialogs.help import HelpDialog, Jump
from tradedesk.ui.dialogs.worklist import WorklistDialog
from tradedesk.ui.drawing import SECOND, Glyphs, Line, Palette
from tradedesk.ui.header import (
    Bands,
    Bar,
    Standing,
    Tabs,
    band_lines,
    footer_keys,
    footer_line,
    header_line,
    is_live,
    net_of_all,
    tab_line,
)
from tradedesk.ui.keys import READ_KEYS, Key, bindings
from tradedesk.ui.layout import MIN_HEIGHT, MIN_WIDTH, TABLES, Body, Shown, width_class
from tradedesk.ui.notices import BELL_EVERY_NS, Notice, NoticeBox, Tone, added, notice_of, rings, still
from tradedesk.ui.panes.alerts import AlertsPane
from tradedesk.ui.panes.chart import ChartPane
from tradedesk.ui.panes.fleet import FleetPane
from tradedesk.ui.panes.logs import LogsPane
from tradedesk.ui.panes.market import MarketPane
from tradedesk.ui.panes.orders import OrdersPane
from tradedesk.ui.panes.pane import Pane, Selection
from tradedesk.ui.panes.positions import PositionsPane
from tradedesk.ui.screens.lock import LockDialog, ScreenLock
from tradedesk.ui.settings import Settings, Sorting
from tradedesk.ui.widgets.table import LiveTable
from tradedesk.views.feed import DeskView, Numbered, Update
from tradedesk.views.replica import Snapshot

R = TypeVar("R")

LETTERS: Mapping[str, str] = {
    "market": "m", "orders": "o", "positions": "p", "fleet": "f", "alerts": "r", "logs": "l", "chart": "c"
}  # fmt: skip
SILENT_AFTER = 2 * SECOND  # the desk beats every second; from here on the lag is how long it has been silent


class WatchScreen(Screen[None]):
    """Polls the view once a frame, hands what arrived to the visible panes, and never waits."""

    keys: ClassVar[tuple[Key, ...]] = READ_KEYS
    may_trade: ClassVar[bool] = False
    BINDINGS: ClassVar[list[BindingType]] = [
        binding if binding.key != "escape" else Binding("escape", binding.action, id=binding.id, priority=True)
        for binding in bindings(READ_KEYS)
    ]

    def __init__(
        self,
        view: DeskView,
        *,
        operator: OperatorId,
        clock: Clock,
        glyphs: Glyphs,
        settings: Settings,
        themes: Callable[[], Sequence[str]],
        frame_hz: float,
        lock: ScreenLock | None = None,
    ) -> None:
        """`lock` is None where the operator has no passphrase, and so could not open the screen again."""
        super().__init__(id="desk")
        self.view = view
        self.operator = operator
        self.clock = clock
        self.glyphs = glyphs
        self.selection = Selection()
        self.notices: tuple[Notice, ...] = ()
        self.keymap: Mapping[str, str] = {}
        self._themes = themes
        self._frame_hz = frame_hz
        self._second = -1  # monotonic, of the last frame that ticked
        self._lag_ns: int | None = None
        self._newest_at = 0
        self._net: Decimal | None = None
        self._bell_at: int | None = None
        self._screen_lock = lock
        self._lock_dialog: LockDialog | None = None  # while it is locked
        self._touched = clock.monotonic()  # when the operator last did anything
        self._dialog: Dialog[object] | None = None
        self._filtered: Pane | None = None
        self._back_to: Pane | None = None  # where the keys go when a line or the ticket is closed
        self.panes: dict[str, Pane] = {
            "market": MarketPane(view, glyphs=glyphs, id="market"),
            "orders": OrdersPane(view, glyphs=glyphs, id="orders"),
            "positions": PositionsPane(view, glyphs=glyphs, id="positions"),
            "fleet": FleetPane(view, glyphs=glyphs, id="fleet"),
            "alerts": AlertsPane(view, glyphs=glyphs, id="alerts"),
            "logs": LogsPane(view, glyphs=glyphs, id="logs"),
            "chart": ChartPane(view, glyphs=glyphs, id="chart"),
        }
        self._settings = settings
        shown = Shown()
        if settings.tab in self.panes:
            shown = msgspec.structs.replace(shown, tab=settings.tab)
        if settings.table in TABLES:
            shown = msgspec.structs.replace(shown, table=settings.table)
        self.tabs = Tabs(view, self._tab_lines, glyphs=glyphs, id="tabs")
        self._bars: tuple[Bar, Bar, Bar, Bar] = (
            Bar(view, self._header_lines, glyphs=glyphs, id="header"),
            Bands(view, self._band_lines, glyphs=glyphs, id="bands"),
            Bar(view, self._footer_lines, glyphs=glyphs, id="footer"),
            self.tabs,
        )
        self.body = Body([*self.panes.values(), self.tabs, *self.more_children()], shown)

    def more_children(self) -> Iterable[Widget]:
        """What else stands in the body."""
        return ()

    @property
    def tools(self) -> Tools:
        return Tools(view=self.view, clock=self.clock, glyphs=self.glyphs)

    # -- Textual --------------------------------------------------------------------------------------------------------

    def compose(self) -> ComposeResult:
        header, bands, footer, _ = self._bars
        yield header
        yield bands
        yield self.body
        command = CommandLine(self._candidates, id="command")
        yield command
        yield command.completion
        yield FilterLine(id="filter")
        yield footer
        yield NoticeBox(self.view, lambda *_: (), glyphs=self.glyphs, id="notices")

    def on_mount(self) -> None:
        for name, sorting in self._settings.sorting.items():
            pane = self.panes.get(name)
            if isinstance(pane, LiveTable):
                pane.set_order(sorting.column, is_reversed=sorting.is_reversed)
        self.set_interval(1 / self._frame_hz, self.frame)
        self.call_after_refresh(self._start)

    def _start(self) -> None:
        kind = width_class(self.body.size)
        self._focus_pane(self.body.shown.tab if kind == "-narrow" else self.body.shown.table)
        self.frame()

    def on_resize(self) -> None:
        self.call_after_refresh(self.draw, ())

    def on_descendant_focus(self) -> None:
        self.call_later(self._draw_bars)

    def _draw_bars(self) -> None:
        now = self.clock.now()
        for bar in self._bars:
            bar.draw_changed((), now)

    # -- the frame ------------------------------------------------------------------------------------------------------

    def frame(self) -> None:
        """Once a frame: fold what arrived, say what is news, draw what changed; once a second, let ages go on."""
        updates = self.view.poll()
        monotonic = self.clock.monotonic()
        is_tick = monotonic // SECOND != self._second
        self._second = monotonic // SECOND
        if updates:
            self.react(updates)
        before, self.notices = self.notices, still(self.notices, monotonic)
        if is_tick:
            self._net = net_of_all(self.view.replica)
            self._name_window()
        if updates or is_tick:
            self.draw(updates)
        elif before != self.notices:
            self._draw_notices()
        if self._dialog is not None:
            self._dialog.tick()
        if self._lock_dialog is not None:
            self._lock_dialog.tick()
        elif self._screen_lock is not None and 0 < self._screen_lock.idle_ns <= monotonic - self._touched:
            self.lock_up("Nobody pressed a key, so the screen was locked.")

    def touched(self, monotonic: int) -> None:
        """The operator is there: a key or a click, at this monotonic time."""
        self._touched = monotonic

    # -- locked -----------------------------------------------------------------------------------------------------------

    def lock_up(self, why: str) -> None:
        """Cover everything, what was begun in a dialog is over; the desk takes halts only until the passphrase is given."""
        if self._screen_lock is None:
            self.say(
                f"{self.operator} has no passphrase, so nothing could be opened again: "
                "set one with `tradedesk operators passphrase`, then come back",
                Tone.Warned,
            )
            return
        while self.app.screen is not self:
            self.app.screen.dismiss(None)
        self._screen_lock.lock()
        self._lock_dialog = LockDialog(
            self.tools, operator=self.operator, why=why, unlock=self._screen_lock.unlock, halt=self.halt_when_locked
        )
        self.app.push_screen(self._lock_dialog, self._unlocked)

    @property
    def halt_when_locked(self) -> Callable[[], None] | None:
        """A screen that only watches halts nothing."""
        return None

    def _unlocked(self, _: bool | None) -> None:
        self._lock_dialog = None
        self.touched(self.clock.monotonic())
        self.draw(())

    def action_lock(self) -> None:
        self.lock_up("It was locked by hand.")

    def _name_window(self) -> None:
        desk = self.view.replica.desk
        mode = "" if not self.view.replica.accounts else " LIVE" if is_live(self.view.replica) else " PAPER"
        title = clean(
            f"tradedesk{mode}{'' if desk is None else f' {desk.desk}'}{'' if self.may_trade else ' read-only'}"
        )
        if self.app.title != title:
            self.app.title = title  # sink: cleaned above; it names the terminal's window and is drawn nowhere

    def react(self, updates: Sequence[Update]) -> None:
        """What arrived, seen as news."""
        now = self.clock.now()
        for update in updates:
            if isinstance(update, Numbered):
                self._lag_ns, self._newest_at = now - update.event.at, update.event.at
                notice = notice_of(update.event, self.view.replica, self.operator)
                if notice is not None:
                    self.tell(notice)
                if rings(update.event, self.view.replica):
                    self._ring()
            elif isinstance(update, Snapshot):
                self._lag_ns, self._newest_at = None, update.heartbeat_at

    def draw(self, updates: Sequence[Update]) -> None:
        now = self.clock.now()
        if self.selection.instrument is None and self.view.replica.instruments:
            self.select(Selection(instrument=next(iter(self.view.replica.instruments))))
        self._draw_bars()
        for name in self.body.visible_panes():
            self.panes[name].draw_changed(updates, now)
        self._draw_notices()

    def say(self, text: str, tone: Tone = Tone.Said, *, is_sticky: bool = False) -> None:
        """Tell the operator; plain text, whatever it holds."""
        self.tell(Notice(text=text, tone=tone, is_sticky=is_sticky))

    def tell(self, notice: Notice) -> None:
        self.notices = added(self.notices, notice, self.clock.monotonic())
        self._draw_notices()

    def _draw_notices(self) -> None:
        if self.is_mounted:
            bands = self.query_one(Bands)
            is_stacked = width_class(self.body.size) in ("-small", "-narrow")
            top = 2 + (bands.size.height if bands.display else 0)
            self.query_one(NoticeBox).show(self.notices, below=top if is_stacked else None, above=self.size.height - 1)

    def _ring(self) -> None:
        now = self.clock.monotonic()
        if self._bell_at is None or now - self._bell_at >= BELL_EVERY_NS:
            self._bell_at = now
            self.app.bell()

    # -- what the bars say ------------------------------------------------------------------------------------------------

    def standing(self) -> Standing:
        now = self.clock.now()
        lag = self._lag_ns
        if self._newest_at and now - self._newest_at > SILENT_AFTER:
            lag = now - self._newest_at
        return Standing(
            operator=self.operator,
            instrument=self.selection.instrument,
            may_trade=self.may_trade,
            is_armed=False,
            lag_ns=lag,
            net=self._net,
            now=now,
        )

    def _header_lines(self, width: int, glyphs: Glyphs, colours: Palette) -> Sequence[Line]:
        return [header_line(self.view, self.standing(), width, glyphs, colours)]

    def _band_lines(self, width: int, glyphs: Glyphs, colours: Palette) -> Sequence[Line]:
        lines = band_lines(self.view, self.clock.now(), width, glyphs, colours)
        size = self.size
        if size and (size.width < MIN_WIDTH or size.height < MIN_HEIGHT):
            text = f" {size.width}x{size.height} is below {MIN_WIDTH}x{MIN_HEIGHT}: orders only"
            lines.append(((text[:width].ljust(width), colours.warn),))
        return lines

    def _tab_lines(self, width: int, glyphs: Glyphs, colours: Palette) -> Sequence[Line]:
        if width_class(self.body.size) == "-narrow":
            return [tab_line(verbs.PANES, self.body.shown.tab, self.view.replica, width, colours)]
        return [tab_line(TABLES, self.body.shown.table, self.view.replica, width, colours)]

    def _footer_lines(self, width: int, glyphs: Glyphs, colours: Palette) -> Sequence[Line]:
        return [footer_line(self.footer(), width, colours)]

    def footer(self) -> list[tuple[str, str]]:
        return [*footer_keys(self.keys, self.keymap), ("1-7", "panes"), *self._more_keys(), ("^p", "palette")]

    def _more_keys(self) -> list[tuple[str, str]]:
        """What the footer names where there is room left."""
        named = {key.id: key for key in self.keys}
        wanted = (named[id] for id in ("desk.zoom", "desk.theme", "desk.quit"))
        return footer_keys((msgspec.structs.replace(key, in_footer=True) for key in wanted), self.keymap)

    def prompt(self) -> str:
        if not self.may_trade:
            return "watch>"
        return "LIVE>" if is_live(self.view.replica) else "paper>"

    # -- selection and panes ------------------------------------------------------------------------------------------------

    def select(self, selection: Selection) -> None:
        """Make this the selection: what it does not name stays selected."""
        self.selection = Selection(
            account=selection.account or self.selection.account,
            instrument=selection.instrument or self.selection.instrument,
            order=selection.order,
            alert=selection.alert,
        )
        for pane in self.panes.values():
            pane.follow(self.selection)

    def on_pane_selected(self, message: Pane.Selected) -> None:
        message.stop()
        self.select(message.selection)
        self.draw(())

    def on_tabs_chosen(self, message: Tabs.Chosen) -> None:
        message.stop()
        self.go(message.name)

    def focused_pane(self) -> Pane | None:
        return self.focused if isinstance(self.focused, Pane) else None

    def go(self, name: str) -> None:
        """Show a pane, wherever it stands in this layout, and give it the keys."""
        shown = self.body.shown
        self.body.show(
            tab=name,
            table=name if name in TABLES else shown.table,
            zoomed=None if shown.zoomed is None else name,
        )
        self._focus_pane(name)
        self.draw(())

    def _focus_pane(self, name: str) -> None:
        visible = self.body.visible_panes()
        if visible:
            self.panes[name if name in visible else visible[0]].focus()

    def _remember_pane(self) -> None:
        """Note which pane has the keys. A line or a field that is about to be hidden must never get them back."""
        self._back_to = self.focused_pane() or self._back_to

    def _focus_back(self) -> None:
        pane = self._back_to
        self._focus_pane(pane.id if pane is not None and pane.id is not None else self.body.shown.tab)

    def is_shown(self, name: str) -> bool:
        return name in self.body.visible_panes()

    def remembered(self, theme: str) -> Settings:
        """What is kept for the next session."""
        return Settings(
            theme=theme,
            tab=self.body.shown.tab,
            table=self.body.shown.table,
            sorting={
                name: Sorting(column=pane.sort_by, is_reversed=pane.is_reversed)
                for name, pane in self.panes.items()
                if isinstance(pane, LiveTable)
            },
        )

    def selected(self) -> Selection:
        """What the operator's cursor stands on, else what was selected last."""
        pane = self.focused_pane()
        here = self.selection if pane is None else pane.selected()
        return msgspec.structs.replace(
            here,
            account=here.account or self.selection.account,
            instrument=here.instrument or self.selection.instrument,
        )

    # -- dialogs ------------------------------------------------------------------------------------------------------------

    @property
    def has_dialog(self) -> bool:
        return self._dialog is not None

    def ask(self, dialog: Dialog[R], then: Callable[[R], object]) -> None:
        """Open a dialog, unless one is open; `then` gets its answer, unless it was no."""
        if self.has_dialog:
            return
        self._dialog = dialog  # type: ignore[assignment]

        def answered(answer: R | None) -> None:
            self._dialog = None
            if answer is not None:
                then(answer)

        self.app.push_screen(dialog, answered)

    # -- keys ---------------------------------------------------------------------------------------------------------------

    def action_help(self) -> None:
        pane = self.focused_pane()
        self.ask(
            HelpDialog(
                self.tools,
                pane=pane.name_shown if pane is not None else "",
                pane_keys=keys_of(pane) if pane is not None else (),
                keys=self.keys,
                keymap=self.keymap,
            ),
            lambda _: None,
        )

    def action_worklist(self) -> None:
        account = self.selected().account
        if account is None:
            self.say("select an account first: 4, then its row")
        else:
            self.show_worklist(account)

    def show_worklist(self, account: AccountId) -> None:
        """What differs between the desk and the venue of one account. Here it is only read."""
        self.ask(WorklistDialog(self.tools, account), lambda _: None)

    def action_command(self) -> None:
        self._remember_pane()
        self.query_one(CommandLine).open(self.prompt())

    def action_filter(self) -> None:
        pane = self.focused_pane()
        if not isinstance(pane, LiveTable) and pane is not self.panes["logs"]:
            pane = self.panes[self.body.shown.table] if self.is_shown(self.body.shown.table) else None
        if pane is None:
            self.say("this pane has no rows to filter; go to one with 2 to 6")
            return
        self._filtered, self._back_to = pane, pane
        self.query_one(FilterLine).open(getattr(pane, "filter_text", ""))

    def action_go(self, name: str) -> None:
        self.go(name)

    def action_go_next(self, step: int) -> None:
        shown = self.body.shown
        is_stacked = shown.zoomed is not None or width_class(self.body.size) == "-narrow"
        order = list(verbs.PANES) if is_stacked else self.body.visible_panes()
        pane = self.focused_pane()
        here = pane.id if pane is not None and pane.id in order else shown.tab
        at = order.index(here) if here in order else -1
        self.go(order[(at + step) % len(order)])

    def action_jump(self) -> None:
        places = {name: self.panes[name].region.offset for name in self.body.visible_panes()}

        def jumped(name: str | None) -> None:
            if name is not None:
                self.go(name)

        self.app.push_screen(Jump({name: (at.x, at.y) for name, at in places.items()}, LETTERS), jumped)

    def action_zoom(self) -> None:
        if self.body.shown.zoomed is not None:
            self.body.show(zoomed=None)
        else:
            pane = self.focused_pane()
            if pane is not None and pane.zoomable:
                self.body.show(zoomed=pane.id)
        self.draw(())

    def action_grow_logs(self) -> None:
        self.body.show(has_grown_logs=not self.body.shown.has_grown_logs)
        self.draw(())

    def action_next_theme(self) -> None:
        names = list(self._themes())
        here = names.index(self.app.theme) if self.app.theme in names else -1
        self.app.theme = names[(here + 1) % len(names)]
        self.say(f"theme {self.app.theme}")

    def action_dismiss_notices(self) -> None:
        """Put notices away; where there are none, Esc is somebody else's."""
        if not self.notices:
            raise SkipAction
        self.notices = ()
        self._draw_notices()

    # -- the command line -----------------------------------------------------------------------------------------------------

    def _candidates(self, line: str, cursor: int) -> list[str]:
        return verbs.candidates(line, cursor, self.view.replica, list(self._themes()), may_trade=self.may_trade)

    def on_command_line_left(self, message: CommandLine.Left) -> None:
        message.stop()
        self._close_lines()

    def on_command_line_entered(self, message: CommandLine.Entered) -> None:
        message.stop()
        asked = verbs.parse(message.line, self.view.replica, list(self._themes()), may_trade=self.may_trade)
        if isinstance(asked, verbs.Mistake):
            self.query_one(CommandLine).say(asked)
            return
        self._close_lines()
        self.obey(asked)

    def obey(self, asked: verbs.Asked) -> None:
        """Do what a command asks for."""
        match asked:
            case verbs.Go():
                self.go(asked.pane)
            case verbs.ShowWorklist():
                self.action_worklist() if asked.account is None else self.show_worklist(asked.account)
            case verbs.ShowTheme():
                self.app.theme = asked.name
            case verbs.FilterRows():
                pane = self.focused_pane() or self.panes[self.body.shown.table]
                pane.set_filter(asked.text)
            case verbs.Plain(verb="layout reset"):
                self.body.show(**msgspec.structs.asdict(Shown(has_ticket=self.body.shown.has_ticket)))
                self._focus_pane("market" if width_class(self.body.size) == "-narrow" else "orders")
                self.draw(())
            case verbs.Plain(verb="zoom"):
                self.action_zoom()
            case verbs.Plain(verb="help"):
                self.action_help()
            case verbs.Plain(verb="lock"):
                self.action_lock()
            case verbs.Plain(verb="quit"):
                self.leave()

    def leave(self) -> None:
        """Nothing stands against leaving a screen that only watches."""
        self.app.exit()

    def on_filter_line_changed(self, message: FilterLine.Changed) -> None:
        message.stop()
        if self._filtered is not None:
            self._filtered.set_filter(message.text)

    def on_filter_line_left(self, message: FilterLine.Left) -> None:
        message.stop()
        if self._filtered is not None and not message.is_kept:
            self._filtered.set_filter("")
        self._filtered = None
        self._close_lines()

    def _close_lines(self) -> None:
        self.query_one(CommandLine).close()
        self.query_one(FilterLine).close()
        self._focus_back()


def keys_of(pane: Pane) -> list[Binding]:
    """The keys of a pane's own, its nearest class first."""
    found: dict[str, Binding] = {}
    for kind in type(pane).__mro__:
        if issubclass(kind, Pane):
            for binding in kind.__dict__.get("BINDINGS", ()):
                if isinstance(binding, Binding) and binding.id is not None:
                    found.setdefault(binding.id, binding)
    return list(found.values())
