"""Where each pane stands: a pure plan from the room there is, and the container that follows it.

CSS cannot do this: the three layouts put one set of panes into three different trees of columns, and moving a widget
to another parent would throw away its cursor, scroll and caches.
"""

from collections.abc import Iterable

import msgspec
from msgspec import Struct
from textual import events
from textual.geometry import NULL_OFFSET, NULL_SPACING, Region, Size
from textual.layout import ArrangeResult, Layout, WidgetPlacement
from textual.widget import Widget

from tradedesk.ui.verbs import PANES

TABLES = ("orders", "positions", "fleet")  # share one place in the middle layout
MIN_WIDTH, MIN_HEIGHT = 80, 24  # of the terminal; below, only the header and the orders are shown
NARROW_TICKET = 6
TICKET = 8
WIDE_TICKET = 9
LOGS = 4
GROWN_LOGS = 14


class Shown(Struct, frozen=True, kw_only=True):
    """What the operator has chosen to see. Kept from one session to the next, `zoomed` and `has_ticket` apart."""

    tab: str = "market"  # the pane of the narrow layout
    table: str = "orders"  # the table of the middle layout
    zoomed: str | None = None
    has_ticket: bool = False
    has_grown_logs: bool = False


def width_class(size: Size) -> str:
    """The layout for a body of this size: by width as agreed, one step narrower where the height does not carry it."""
    if size.width < MIN_WIDTH or size.height < MIN_HEIGHT - 3:  # header, footer and at most one band are outside
        return "-small"
    if size.width >= 200 and size.height >= 40:
        return "-wide"
    return "-mid" if size.width >= 120 and size.height >= 28 else "-narrow"


def plan(size: Size, shown: Shown) -> dict[str, Region]:
    """The region of everything that is visible, by name: the panes, `tabs` and `ticket`."""
    kind = width_class(size)
    if kind == "-small":
        return {"orders": Region(0, 0, size.width, size.height)}
    ticket = {"-narrow": NARROW_TICKET, "-mid": TICKET, "-wide": WIDE_TICKET}[kind] if shown.has_ticket else 0
    if shown.zoomed is not None:
        return _stacked(size, shown.zoomed, ticket, has_tabs=False)
    if kind == "-narrow":
        return _stacked(size, shown.tab, ticket, has_tabs=True)
    logs = min(GROWN_LOGS if shown.has_grown_logs else LOGS, size.height // 3)
    columns = (_mid if kind == "-mid" else _wide)(Size(size.width, size.height - logs), shown, ticket)
    return {**columns, "logs": Region(0, size.height - logs, size.width, logs)}


def _stacked(size: Size, pane: str, ticket: int, *, has_tabs: bool) -> dict[str, Region]:
    tabs = 1 if has_tabs else 0
    places = {"tabs": Region(0, 0, size.width, 1)} if has_tabs else {}
    places[pane] = Region(0, tabs, size.width, size.height - tabs - ticket)
    if ticket:
        places["ticket"] = Region(0, size.height - ticket, size.width, ticket)
    return places


def _mid(size: Size, shown: Shown, ticket: int) -> dict[str, Region]:
    left = 46 + (size.width - 120) // 3  # the orders' narrowest columns need 74
    right = size.width - left
    chart = size.height * 2 // 5
    alerts = min(8, size.height // 3)
    table = size.height - 1 - ticket - alerts
    places = {
        "market": Region(0, 0, left, size.height - chart),
        "chart": Region(0, size.height - chart, left, chart),
        "tabs": Region(left, 0, right, 1),
        shown.table: Region(left, 1, right, table),
        "alerts": Region(left, size.height - alerts, right, alerts),
    }
    if ticket:
        places["ticket"] = Region(left, 1 + table, right, ticket)
    return places


def _wide(size: Size, _: Shown, ticket: int) -> dict[str, Region]:
    left = 44 + (size.width - 200) // 5
    right = 76 + (size.width - 200) * 2 // 5
    middle = size.width - left - right
    lower = size.height * 3 // 8
    upper = size.height - lower
    fleet = size.height // 2
    places = {
        "fleet": Region(0, 0, left, fleet),
        "alerts": Region(0, fleet, left, size.height - fleet),
        "chart": Region(left, 0, middle, upper - ticket),
        "orders": Region(left, upper, middle, lower),
        "market": Region(left + middle, 0, right, upper),
        "positions": Region(left + middle, upper, right, lower),
    }
    if ticket:
        places["ticket"] = Region(left, upper - ticket, middle, ticket)
    return places


class _Planned(Layout):
    """Puts the children where the body's plan says; one without a place is not drawn."""

    name = "planned"

    def arrange(self, parent: Widget, children: list[Widget], size: Size, greedy: bool = True) -> ArrangeResult:
        parent.pre_layout(self)
        assert isinstance(parent, Body)
        places = plan(size, parent.shown)
        return [
            WidgetPlacement(places[child.id], NULL_OFFSET, NULL_SPACING, child)
            for child in children
            if child.id is not None and child.id in places
        ]


class Body(Widget):
    """The panes of the desk, each under its name as id, placed by `plan`."""

    DEFAULT_CSS = """
    Body { height: 1fr; width: 1fr; overflow: hidden hidden; }
    """

    def __init__(self, children: Iterable[Widget], shown: Shown) -> None:
        super().__init__(*children)
        self.shown = shown
        self._planned = _Planned()

    @property
    def layout(self) -> Layout:
        return self._planned

    def show(self, **changes: object) -> None:
        """Change what is shown; a pane that gets a place is drawn, one that loses it cannot have the focus."""
        self.shown = msgspec.structs.replace(self.shown, **changes)
        self._place()

    def visible_panes(self) -> list[str]:
        """The panes that have a place, in the order of their keys."""
        places = plan(self.content_size, self.shown)
        return [name for name in PANES if name in places]

    def on_resize(self, _: events.Resize) -> None:
        self._place()

    def _place(self) -> None:
        places = plan(self.content_size, self.shown)
        for child in self.children:
            if child.display is not (child.id in places):
                child.display = child.id in places
        self.refresh(layout=True)
