"""The header line, the bands under it, the tabs and the footer: what they say is decided by pure functions over a view."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import ClassVar

from msgspec import Struct
from rich.style import Style
from textual import events
from textual.message import Message

from tradedesk.domain.accounts import Mode
from tradedesk.domain.scopes import ScopeKind
from tradedesk.domain.words import InstrumentId, OperatorId
from tradedesk.ui import drawing
from tradedesk.ui.drawing import SECOND, Cell, Glyphs, Line, Palette, fit, line_width
from tradedesk.ui.freshness import HEARTBEAT_LATE_AFTER, in_words, of_marks
from tradedesk.ui.keys import Key
from tradedesk.ui.keys import shown as key_shown
from tradedesk.ui.panes.pane import Pane
from tradedesk.ui.verbs import PANES
from tradedesk.views.alert_rows import AlertRow
from tradedesk.views.dead_man import watchdog_words
from tradedesk.views.feed import DeskView
from tradedesk.views.figures import account_figures
from tradedesk.views.replica import Replica


class Standing(Struct, frozen=True, kw_only=True):
    """What the header says beyond the view: who looks, at what, and whether a key may send."""

    operator: OperatorId
    instrument: InstrumentId | None
    may_trade: bool
    is_armed: bool
    lag_ns: int | None  # of the stream, by the newest event; None before one
    net: Decimal | None = None  # P&L of all accounts, reporting currency; None while one is not known
    now: int  # ns


def is_live(replica: Replica) -> bool:
    """One live account makes the desk live."""
    return any(row.account.mode is Mode.Live for row in replica.accounts.values())


def open_alerts(replica: Replica) -> list[AlertRow]:
    """Those that nobody has acknowledged, or put off until later."""
    return [row for row in replica.alerts.values() if row.is_waiting]


def header_line(view: DeskView, standing: Standing, width: int, glyphs: Glyphs, colours: Palette) -> Line:
    """The header in `width` cells. What does not fit goes in a fixed order; mode, arming, halt and clock never do."""
    replica = view.replica
    links = sum(1 for row in replica.accounts.values() if row.health is not None and row.health.is_stream_up)
    alerts = len(open_alerts(replica))
    symbol = replica.instruments.get(standing.instrument) if standing.instrument is not None else None
    parts: list[tuple[int, Cell]] = [(0, _mode_cell(replica, view, glyphs, colours))]
    if standing.may_trade:
        armed = ("ARMED", colours.warn + Style(reverse=True)) if standing.is_armed else ("disarmed", colours.muted)
        parts.append((0, armed))
    else:
        parts.append((0, ("READ-ONLY", colours.total)))
    parts += [
        (3, (f"{len(replica.accounts)} accts", colours.text)),
        (2, ("-" if symbol is None else symbol.symbol, colours.total)),
        (1, (f"alerts {alerts}", colours.crit if _is_critical(replica) else colours.warn if alerts else colours.text)),
        (0, (f"halt {len(replica.all_halts)}", colours.halt if replica.all_halts else colours.text)),
        (
            1,
            (f"link {links}/{len(replica.accounts)}", colours.text if links == len(replica.accounts) else colours.warn),
        ),
        (4, (standing.operator, colours.text)),
    ]
    if not standing.may_trade:
        parts.append((1, (f"lag {_lag(standing.lag_ns)}", colours.text)))
    if width >= 120 and replica.desk is not None:
        net = f"net {drawing.signed(standing.net, 2, glyphs)} {replica.desk.reporting_currency}"
        old = of_marks(view, standing.now)
        style = drawing.gain_style(standing.net, colours) if old is None else colours.stale
        parts.append((6, (net if old is None else f"{net} {in_words(old, glyphs)}", style)))
    watchdog = watchdog_words((row.account for row in replica.accounts.values()), replica.watchdog_at, standing.now)
    if watchdog:
        parts.append((5, (watchdog, colours.warn if watchdog.isupper() else colours.muted)))
    clock = _clock_cells(view, standing.now, glyphs, colours)
    gap = f" {glyphs.divider} " if width >= 120 else glyphs.divider
    for dropped in (7, 6, 5, 4, 3, 2, 1):
        line = _joined([cell for rank, cell in parts if rank < dropped], gap, colours)
        room = width - line_width(line) - line_width(clock)
        if room >= 1:
            return (*line, (" " * room, colours.text), *clock)
    return (*line, *clock)


def _mode_cell(replica: Replica, view: DeskView, glyphs: Glyphs, colours: Palette) -> Cell:
    if not replica.accounts:
        return ("no accounts" if view.is_fed else "attaching", colours.muted)
    if is_live(replica):
        return (" LIVE ", colours.live + Style(reverse=True))
    return ("//PAPER//", colours.paper)


def _is_critical(replica: Replica) -> bool:
    return any(row.alert.severity.value == "critical" for row in open_alerts(replica))


def _lag(lag_ns: int | None) -> str:
    if lag_ns is None:
        return "-"
    return f"{max(0, lag_ns) // 1_000_000}ms" if lag_ns < SECOND else drawing.age(lag_ns)


def net_of_all(replica: Replica) -> Decimal | None:
    """P&L of all accounts together. It walks all orders for each account: once a second is often enough."""
    if replica.desk is None:
        return None
    nets = [account_figures(replica, account, replica.desk.reporting_currency).net for account in replica.accounts]
    known = [net for net in nets if net is not None]
    return sum(known, Decimal(0)) if known and len(known) == len(nets) else None


def _clock_cells(view: DeskView, now: int, glyphs: Glyphs, colours: Palette) -> Line:
    """The time while the desk beats; the time of its last beat, and how long ago, once it does not (5.9)."""
    beat = view.replica.heartbeat_at
    if view.lost is None and beat and now - beat <= HEARTBEAT_LATE_AFTER:
        sign = glyphs.filled if beat // SECOND % 2 else glyphs.dead
        return ((f"{drawing.time_of_day(now)}Z ", colours.text), (sign, colours.up))
    last = f"{drawing.time_of_day(beat)}Z " if beat else "--:--:--Z "
    since = f" {drawing.age(now - beat)}" if beat else ""
    return ((last, colours.struck), (f"{glyphs.disconnected}{since}", colours.warn))


def _joined(cells: Sequence[Cell], gap: str, colours: Palette) -> Line:
    line: list[Cell] = []
    for text, style in cells:
        if line:
            line.append((gap, colours.muted))
        line.append((fit(text, len(text)), style))
    return tuple(line)


def band_lines(view: DeskView, now: int, width: int, glyphs: Glyphs, colours: Palette) -> list[Line]:
    """The bands under the header: the desk is away, trading is halted. Each across the whole width, with its word."""
    lines: list[Line] = []
    if view.lost is not None:
        if view.is_fed:
            since = f"{drawing.time_of_day(view.lost.since)}Z ({drawing.age(now - view.lost.since)})"
            text = f" {glyphs.disconnected} BLIND since {since}: {view.lost.reason}"
        else:
            text = f" {glyphs.disconnected} NO DESK: {view.lost.reason}"
        lines.append(((fit(text, width, glyphs), colours.banner),))
    elif not view.is_fed and not view.replica.accounts:
        lines.append(((fit(" Waiting for the desk to say what there is.", width, glyphs), colours.muted),))
    halts = sorted(view.replica.all_halts, key=lambda halt: (halt.of.kind is not ScopeKind.Desk, halt.at))
    if halts:
        first = halts[0]
        name = "DESK" if first.of.kind is ScopeKind.Desk else first.of.called
        more = f" (+{len(halts) - 1} more)" if len(halts) > 1 else ""
        text = (
            f" {glyphs.halt} HALT {name}{more}: {first.level.value} by {first.by} {drawing.time_of_day(first.at)}Z: "
            f"{first.reason}"
        )
        lines.append(((fit(text, width, glyphs), colours.halt),))
    return lines


def tab_line(names: Sequence[str], chosen: str, replica: Replica, width: int, colours: Palette) -> Line:
    """`[1 Market] 2 Orders ...`; alerts that wait carry a mark."""
    line: list[Cell] = []
    for name in names:
        waiting = len(open_alerts(replica)) if name == "alerts" else 0
        title = f"{PANES.index(name) + 1} {name.capitalize()}" + (f" {waiting}!" if waiting else "")
        style = colours.total if name == chosen else colours.warn if waiting else colours.muted
        line.append((f"[{title}]" if name == chosen else f" {title} ", style))
    return (*line, (" " * max(0, width - line_width(line)), colours.text))


def footer_line(keys: Iterable[tuple[str, str]], width: int, colours: Palette) -> Line:
    """Key and label, as many as fit; the last one stands at the right."""
    pairs = list(keys)
    last = _footer_cells(*pairs[-1], colours)
    line: list[Cell] = []
    for key, label in pairs[:-1]:
        cells = _footer_cells(key, label, colours)
        if line_width(line) + line_width(cells) + line_width(last) > width:
            break
        line += cells
    return (*line, (" " * max(0, width - line_width(line) - line_width(last)), colours.text), *last)


def _footer_cells(key: str, label: str, colours: Palette) -> list[Cell]:
    return [(f" {key}", colours.total), (f" {label} ", colours.muted)]


def footer_keys(keys: Iterable[Key], keymap: Mapping[str, str]) -> list[tuple[str, str]]:
    """What the footer shows for these keys, the operator's own where there is one."""
    return [(key_shown(keymap.get(key.id, key.key)), key.label) for key in keys if key.in_footer]


class Bar(Pane, can_focus=False):
    """Lines across the screen, drawn as a pane draws its own. `lines_of(width, glyphs, colours)` says what they are."""

    name_shown: ClassVar[str] = ""
    zoomable: ClassVar[bool] = False

    DEFAULT_CSS = """
    Bar { height: 1; border: none; background: $panel; overflow: hidden hidden; }
    Bar.-ascii { border: none; }
    """

    def __init__(
        self,
        view: DeskView,
        lines_of: Callable[[int, Glyphs, Palette], Sequence[Line]],
        *,
        glyphs: Glyphs,
        id: str | None = None,
    ) -> None:
        super().__init__(view, glyphs=glyphs, id=id)
        self._lines_of = lines_of

    def draw(self, now: int) -> None:
        self.put_lines(self._lines_of(self.size.width, self.glyphs, self.colours))

    def put_title(self, *parts: str) -> None:
        """A bar has no border to write in."""


class Bands(Bar):
    """As many lines as there is bad news; none, and no room taken, when there is none."""

    DEFAULT_CSS = """
    Bands { display: none; }
    """

    def draw_changed(self, updates: Sequence[object], now: int) -> None:
        self._now = now
        lines = self._lines_of(self.size.width or self.app.size.width, self.glyphs, self.colours)
        if self.display != bool(lines) or self.styles.height is None or len(lines) != len(self._lines):
            self.display = bool(lines)
            self.styles.height = max(1, len(lines))
        self.put_lines(lines)


class Tabs(Bar):
    """The tabs of the narrow and middle layouts; the mouse may choose as the number keys do."""

    class Chosen(Message):
        def __init__(self, name: str) -> None:
            super().__init__()
            self.name = name

    def on_click(self, event: events.Click) -> None:
        x = 0
        for text, _ in self._lines[0] if self._lines else ():
            if x <= event.x < x + len(text) and text.strip():
                word = text.strip(" []").split(" ")[1].casefold()
                self.post_message(self.Chosen(word))
            x += len(text)
