"""What every pane has in common: a view to read, lines to draw, a palette, a selection to tell and to follow."""

from collections.abc import Sequence
from typing import ClassVar

from msgspec import Struct
from textual import events
from textual.content import Content
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from tradedesk.domain.text import clean
from tradedesk.domain.words import AccountId, ClientOrderId, InstrumentId
from tradedesk.ui.drawing import UNICODE, Glyphs, Line, Palette, joined, palette, strip_of, time_of_day
from tradedesk.views.feed import DeskView, Update


class Selection(Struct, frozen=True, kw_only=True):
    """What the operator is looking at. Bound by ids, never by row numbers: rows move under the cursor."""

    account: AccountId | None = None
    instrument: InstrumentId | None = None
    order: ClientOrderId | None = None
    alert: str | None = None  # key of the alert under the cursor


class Pane(ScrollView, can_focus=True):
    """A live pane on the Line API. It belongs to the UI thread and calls nothing but its view.

    A subclass overrides `draw(now)`, which puts whole lines by `put_lines`; only those that differ are repainted.
    """

    name_shown: ClassVar[str]  # the word in the border title and in `go <word>`
    zoomable: ClassVar[bool] = True

    COMPONENT_CLASSES: ClassVar[set[str]] = {f"td--{name.replace('_', '-')}" for name in Palette._fields}

    DEFAULT_CSS = """
    Pane {
        background: $background;
        color: $foreground;
        border: round $secondary 50%;
        border-title-color: $foreground;
        border-title-style: bold;
        scrollbar-size-vertical: 1;
        overflow-x: hidden;
        & > .td--text, & > .td--total { color: $foreground; }
        & > .td--muted { color: $td-stale; }
        & > .td--head { color: $td-stale; }
        & > .td--buy { color: $td-buy; }
        & > .td--sell { color: $td-sell; }
        & > .td--own { color: $td-own; }
        & > .td--stale, & > .td--struck, & > .td--pending { color: $td-stale; }
        & > .td--paper { color: $td-paper; }
        & > .td--live { color: $td-live; }
        & > .td--halt { color: $td-halt; }
        & > .td--warn, & > .td--unknown, & > .td--banner { color: $td-warn; }
        & > .td--crit { color: $td-crit; }
        & > .td--up { color: $td-up; }
        & > .td--down { color: $td-down; }
        & > .td--cursor { background: $primary-muted; }
        & > .td--cursor-blurred { background: $panel; }
    }
    Pane:focus { border: double $primary; border-title-color: $primary; }
    Pane.-ascii { border: ascii $secondary; }
    Pane.-ascii:focus { border: ascii $primary; border-title-style: bold reverse; }
    """

    class Selected(Message):
        """The operator's cursor came to rest on something in this pane."""

        def __init__(self, selection: Selection) -> None:
            super().__init__()
            self.selection = selection

    def __init__(self, view: DeskView, *, glyphs: Glyphs = UNICODE, id: str | None = None) -> None:
        super().__init__(id=id, classes="-ascii" if glyphs.is_ascii else None)
        self.view = view
        self.glyphs = glyphs
        self.selection = Selection()
        self._now: int | None = None  # of the last frame
        self._palette: Palette | None = None
        self._lines: list[Line] = []
        self._strips: dict[int, Strip] = {}
        self._title: tuple[str, ...] = ()
        self._area = Size(0, 0)  # that the lines above were drawn for

    # -- what the screen calls ------------------------------------------------------------------------------------------

    def draw_changed(self, updates: Sequence[Update], now: int) -> None:
        """Called by the screen once a frame, after `view.poll()`, while the pane is visible. `now` in ns since the epoch.

        Repaints the lines that changed and no others. Also called with no updates once a second, so that ages go on.
        """
        self._now = now
        if self.is_on_screen and self.area:
            self.draw(now)

    def draw(self, now: int) -> None:
        """Compute what the pane shows and put it."""
        raise NotImplementedError(f"{type(self).__name__} draws nothing")

    def selected(self) -> Selection:
        """The ids under this pane's cursor, or what it follows where it has none."""
        return self.selection

    def set_filter(self, text: str) -> None:
        """Show only the rows in which `text` stands; empty shows all. Panes without rows ignore it."""

    def follow(self, selection: Selection) -> None:
        """The selection moved, here or in another pane; the pane shows that account, instrument or order."""
        self.selection = selection
        self.draw_again()

    @property
    def instrument(self) -> InstrumentId | None:
        """The market a pane of one market shows: the selected one, else the first that is listed."""
        return self.selection.instrument or next(iter(self.view.replica.instruments), None)

    # -- for subclasses -------------------------------------------------------------------------------------------------

    @property
    def area(self) -> Size:
        """What there is to draw on: inside the border, beside the scroll bar."""
        return self.scrollable_content_region.size

    def scroll_over(self, lines: int) -> None:
        """Say how many lines the scroll bar stands for; draws again if that made it come or go."""
        if self.virtual_size.height != lines:
            self.virtual_size = Size(self.area.width, lines)
            self.call_after_refresh(self._draw_if_resized)

    @property
    def colours(self) -> Palette:
        """The palette of the theme in force."""
        if self._palette is None:
            self._palette = palette(
                lambda name: self.get_component_rich_style(f"td--{name.replace('_', '-')}", partial=True)
            )
        return self._palette

    def put_lines(self, lines: Sequence[Line]) -> None:
        """Show these lines from the top; repaints those that differ from what stands there."""
        if self.area != self._area:
            self._area = self.area
            self.forget_drawn()
        before = self._lines
        self._lines = list(lines)
        for y in range(max(len(before), len(lines))):
            old = before[y] if y < len(before) else None
            new = lines[y] if y < len(lines) else None
            if old != new:
                self._strips.pop(y, None)
                self.refresh(Region(0, y, self._area.width, 1))

    def put_title(self, *parts: str) -> None:
        """Show the pane's name and these words in the border, and since when all is old if the desk is away."""
        lost = self.view.lost
        if lost is not None:
            parts = (f"{self.glyphs.disconnected} AS OF {time_of_day(lost.since)}", *parts)
        if parts != self._title:
            self._title = parts
            self.border_title = Content(
                clean(joined((self.name_shown, *parts)))
            )  # Content: never parsed as markup (5.14)

    def draw_again(self) -> None:
        """Draw at the time of the last frame: after a key, a new size, a new theme."""
        if self._now is not None and self.is_mounted and self.area:
            self.draw(self._now)

    def _draw_if_resized(self) -> None:
        if self.area != self._area:
            self.draw_again()

    # -- Textual --------------------------------------------------------------------------------------------------------

    def render_line(self, y: int) -> Strip:
        strip = self._strips.get(y)
        if strip is None:
            line = self._lines[y] if y < len(self._lines) else ()
            strip = self._strips[y] = strip_of(line, self._area.width, self.rich_style)
        return strip

    def forget_drawn(self) -> None:
        """Drop everything cached: size or colours changed."""
        self._strips.clear()
        self._lines = []
        self.refresh()

    def notify_style_update(self) -> None:
        super().notify_style_update()
        self._palette = None
        self._strips.clear()
        self.call_after_refresh(self.draw_again)

    def on_mount(self) -> None:
        self.put_title()

    def on_resize(self, _: events.Resize) -> None:
        self.draw_again()

    def on_show(self, _: events.Show) -> None:
        self.draw_again()
