"""The live table on the Line API: rows known by key, only visible ones drawn, only changed ones repainted.

A pane of rows derives from `LiveTable` and says what its items are and how one looks; cursor, marks, sorting, filter
and mouse are here. A row may move, the cursor moves with it: it is kept by key.
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Generic, TypeVar

from rich.cells import cell_len
from textual import events
from textual.binding import Binding, BindingType

from tradedesk.domain.text import clean
from tradedesk.ui.drawing import SECOND, UNICODE, Cell, Glyphs, Line, fit
from tradedesk.ui.panes.pane import Pane, Selection
from tradedesk.ui.widgets.rows import GUTTER, Column, arranged, laid_out
from tradedesk.views.feed import DeskView

Item = TypeVar("Item")

SORT_AGAIN_AFTER = SECOND  # changed values reorder rows at most this often; new rows and new groups do at once
HEAD = 1  # lines above the rows
DETAIL_FROM_HEIGHT = 6  # lower panes give all their lines to rows


class LiveTable(Pane, Generic[Item]):
    """A pane of rows. Overriders name `columns`, `what` and the methods that raise here."""

    columns: ClassVar[tuple[Column, ...]]
    what: ClassVar[str]  # the rows' plural, for "No orders match"
    sorted_first_by: ClassVar[str]
    first_reversed: ClassVar[bool] = False

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("j,down", "move(1)", "Down", show=False, id="move.down"),
        Binding("k,up", "move(-1)", "Up", show=False, id="move.up"),
        Binding("ctrl+d,pagedown", "move_page(1)", "Half a page down", show=False, id="move.page-down"),
        Binding("ctrl+u,pageup", "move_page(-1)", "Half a page up", show=False, id="move.page-up"),
        Binding("home", "move_to(0)", "First row", show=False, id="move.first"),
        Binding("G,end", "move_to(-1)", "Last row", show=False, id="move.last"),
        Binding("s", "sort", "Sort column", show=False, id="table.sort"),
        Binding("S", "reverse", "Reverse order", show=False, id="table.reverse"),
        Binding("y", "copy", "Copy row", show=False, id="table.copy"),
        Binding("escape", "clear_filter", "Clear filter", show=False, id="table.clear-filter"),
    ]

    def __init__(self, view: DeskView, *, glyphs: Glyphs = UNICODE, id: str | None = None) -> None:
        super().__init__(view, glyphs=glyphs, id=id)
        self.sort_by = self.sorted_first_by
        self.is_reversed = self.first_reversed
        self.filter_text = ""
        self._items: Mapping[str, Item] = {}
        self._keys: list[str] = []  # as shown
        self._arranged_at = 0
        self._cursor: str | None = None
        self._cursor_at = 0
        self._marks: set[str] = set()
        self._drawn: dict[str, tuple[Item, int, Line]] = {}  # the newest line of each visible row
        self._was_lost = False

    # -- what a pane of rows says ---------------------------------------------------------------------------------------

    def items(self, now: int) -> Mapping[str, Item]:
        """Every row there is, by key. An item that did not change is the same object as before."""
        raise NotImplementedError

    def cells(self, item: Item, now: int) -> Sequence[Cell]:
        """One cell for each of `columns`."""
        raise NotImplementedError

    def sort_value(self, item: Item, column: str) -> Any:
        """What the column sorts by; None comes last."""
        raise NotImplementedError

    def group_of(self, item: Item) -> int:
        """Which part of the table the item belongs to, whatever it is sorted by; lower is higher up."""
        return 0

    def words(self, item: Item) -> str:
        """The text a filter looks into."""
        raise NotImplementedError

    def detail(self, item: Item, now: int) -> Line:
        """More about the row under the cursor, for the pane's last line."""
        return ()

    def nothing(self) -> str:
        """What an empty pane says: what is missing, and the next key."""
        raise NotImplementedError

    def selection_of(self, item: Item) -> Selection:
        """The ids behind a row."""
        raise NotImplementedError

    def title_parts(self, now: int) -> Sequence[str]:
        return ()

    def in_order(self, keys: Sequence[str]) -> list[str]:
        """The keys in the order in which they are shown."""
        return arranged(
            keys,
            lambda key: self.sort_value(self._items[key], self.sort_by),
            lambda key: self.group_of(self._items[key]),
            is_reversed=self.is_reversed,
        )

    # -- for the screen -------------------------------------------------------------------------------------------------

    def selected(self) -> Selection:
        item = self.current
        return self.selection if item is None else self.selection_of(item)

    @property
    def current(self) -> Item | None:
        """The item under the cursor."""
        return None if self._cursor is None else self._items.get(self._cursor)

    def set_filter(self, text: str) -> None:
        self.filter_text = text.strip()
        self._rearrange()
        self.draw_again()

    def set_order(self, column: str, *, is_reversed: bool) -> None:
        """Sort by a column; one that is not there is ignored, since it may come from an older layout."""
        if any(known.key == column for known in self.columns):
            self.sort_by, self.is_reversed = column, is_reversed
            self._rearrange()
            self.draw_again()

    def follow(self, selection: Selection) -> None:
        self.selection = selection
        if not self.has_focus:
            key = self.key_of(selection)
            if key is not None and key in self._items and key in self._keys:
                self._put_cursor(self._keys.index(key))
        self.draw_again()

    def key_of(self, selection: Selection) -> str | None:
        """The row that shows a selection made elsewhere; None leaves the cursor alone."""
        return None

    # -- drawing --------------------------------------------------------------------------------------------------------

    def draw(self, now: int) -> None:
        self._take(self.items(now), now)
        is_lost = self.view.lost is not None
        if self.area != self._area or is_lost != self._was_lost:
            self._was_lost = is_lost
            self._drawn.clear()
        height, width = self.area.height, self.area.width
        self.scroll_over(len(self._keys) + height - self._room())
        self.put_title(
            *self.title_parts(now), f"/{self.filter_text} {len(self._keys)} shown" if self.filter_text else ""
        )
        layout = laid_out(self.columns, width)
        lines: list[Line] = [self._head(layout)]
        has_detail = height >= DETAIL_FROM_HEIGHT
        room = self._room()
        if not self._keys:
            lines.append(((fit(self._nothing(), width, self.glyphs), self.colours.muted),))
        first = min(self.scroll_offset.y, max(0, len(self._keys) - room))
        drawn: dict[str, tuple[Item, int, Line]] = {}
        for at, key in enumerate(self._keys[first : first + room], first):
            lines.append(self._row(key, at, layout, now, drawn))
        self._drawn = drawn
        if has_detail:
            lines += [()] * (height - 1 - len(lines))
            item = self.current
            lines.append(() if item is None else self._cropped(self.detail(item, now), width))
        self.put_lines(lines)

    def forget_drawn(self) -> None:
        super().forget_drawn()
        self._drawn.clear()

    def notify_style_update(self) -> None:
        super().notify_style_update()
        self._drawn.clear()

    def _room(self) -> int:
        """Lines for rows."""
        height = self.area.height
        return max(0, height - HEAD - (1 if height >= DETAIL_FROM_HEIGHT else 0))

    def _take(self, items: Mapping[str, Item], now: int) -> None:
        before, self._items = self._items, items
        if before.keys() != items.keys():
            self._rearrange()
            self._arranged_at = now
        else:
            changed = [key for key, item in items.items() if before[key] is not item]
            is_regrouped = any(self.group_of(before[key]) != self.group_of(items[key]) for key in changed)
            if is_regrouped or (changed and now - self._arranged_at >= SORT_AGAIN_AFTER):
                self._rearrange()
                self._arranged_at = now

    def _rearrange(self) -> None:
        wanted = self.filter_text.casefold()
        shown = [key for key, item in self._items.items() if not wanted or wanted in self.words(item).casefold()]
        was_seen = 0 <= self._cursor_at - self.scroll_offset.y < self._room()
        self._keys = self.in_order(shown)
        self._marks &= set(self._items)
        if self._cursor is None:
            self._cursor = self.key_of(self.selection)
        if self._cursor in self._items and self._cursor in self._keys:
            self._cursor_at = self._keys.index(self._cursor)
        else:  # the row is gone: stay where it was
            self._cursor_at = min(self._cursor_at, max(0, len(self._keys) - 1))
            self._cursor = self._keys[self._cursor_at] if self._keys else None
        if was_seen:
            self.call_after_refresh(self._show_cursor)  # the scroll bar stands for the new rows by then

    def _head(self, layout: Sequence[tuple[int, Column, int]]) -> Line:
        parts = []
        for _, column, width in layout:
            arrow = ""
            if column.key == self.sort_by:
                arrow = self.glyphs.falling if self.is_reversed else self.glyphs.rising
            if column.is_right:
                parts.append(fit(f"{arrow}{column.title}", width, self.glyphs, right=True) + " ")
            else:  # the arrow may take the gap behind
                parts.append(fit(f"{column.title}{arrow}", width + 1, self.glyphs))
        return ((" " * GUTTER + "".join(parts), self.colours.head),)

    def _row(
        self,
        key: str,
        at: int,
        layout: Sequence[tuple[int, Column, int]],
        now: int,
        drawn: dict[str, tuple[Item, int, Line]],
    ) -> Line:
        item, second = self._items[key], now // SECOND
        known = self._drawn.get(key)
        if known is not None and known[0] is item and known[1] == second:
            line = known[2]
        else:
            line = self._cells_fitted(item, layout, now)
        drawn[key] = (item, second, line)
        is_cursor, is_marked = at == self._cursor_at, key in self._marks
        gutter = (self.glyphs.cursor if is_cursor else " ") + (self.glyphs.mark if is_marked else " ")
        line = ((gutter, self.colours.own), *line)
        if is_cursor:
            ground = self.colours.cursor if self.has_focus else self.colours.cursor_blurred
            line = tuple((text, style + ground) for text, style in line)
        return line

    def _cells_fitted(self, item: Item, layout: Sequence[tuple[int, Column, int]], now: int) -> Line:
        cells = self.cells(item, now)
        colours = self.colours
        fitted: list[Cell] = []
        for index, column, width in layout:
            text, style = cells[index]
            if self._was_lost:
                style = colours.stale  # the desk is away: nothing here is known to be so any more (5.9)
            if column.is_right and len(text) > width:
                text = text.replace(" ", "")  # a figure gives up its spaces before its digits
            if fitted:
                fitted.append((" ", colours.text))
            is_tight = style.reverse or style.strike  # a reversed field ends where its words end
            if is_tight and not column.is_right:
                shown = fit(text, width, self.glyphs).rstrip()
                fitted += [(shown, style), (" " * (width - len(shown)), colours.text)]
            elif is_tight:
                shown = fit(text, width, self.glyphs, right=True)
                fitted += [(shown[: len(shown) - len(shown.lstrip())], colours.text), (shown.lstrip(), style)]
            else:
                fitted.append((fit(text, width, self.glyphs, right=column.is_right), style))
        used = GUTTER + sum(width for _, _, width in layout) + len(layout) - 1
        fitted.append((" " * max(0, self.area.width - used), colours.text))
        return tuple(fitted)

    def _cropped(self, line: Line, width: int) -> Line:
        """The line cut to the pane, with an ellipsis where something is missing."""
        parts: list[Cell] = []
        for text, style in line:
            shown = clean(text)
            parts.append((fit(shown, min(width, cell_len(shown)), self.glyphs), style))
            width -= cell_len(parts[-1][0])
        return tuple(parts)

    def _nothing(self) -> str:
        if self.filter_text and self._items:
            return f"No {self.what} match '{self.filter_text}'. Esc clears."
        return self.nothing()

    # -- keys and mouse -------------------------------------------------------------------------------------------------

    def action_move(self, rows: int) -> None:
        self._move_cursor(self._cursor_at + rows)

    def action_move_page(self, direction: int) -> None:
        self._move_cursor(self._cursor_at + direction * max(1, self._room() // 2))

    def action_move_to(self, row: int) -> None:
        self._move_cursor(len(self._keys) - 1 if row < 0 else row)

    def action_sort(self) -> None:
        """Sort by the next column that is shown."""
        shown = [column.key for _, column, _ in laid_out(self.columns, self.area.width)]
        at = shown.index(self.sort_by) if self.sort_by in shown else -1
        self.set_order(shown[(at + 1) % len(shown)], is_reversed=False)

    def action_reverse(self) -> None:
        self.set_order(self.sort_by, is_reversed=not self.is_reversed)

    def action_clear_filter(self) -> None:
        self.set_filter("")

    def action_copy(self) -> None:
        """Put the row under the cursor on the terminal's clipboard."""
        item = self.current
        if item is not None and self._now is not None:
            fields = [fit(text, len(text)).strip() for text, _ in self.cells(item, self._now)]
            self.app.copy_to_clipboard("\t".join(fields))

    def action_mark(self) -> None:
        if self._cursor is not None:
            self._marks ^= {self._cursor}
            self.draw_again()

    def on_click(self, event: events.Click) -> None:
        offset = event.get_content_offset(self)
        if offset is None:
            return
        if offset.y < HEAD:
            x = GUTTER
            for _, column, width in laid_out(self.columns, self.area.width):
                if x <= offset.x < x + width:
                    self.set_order(column.key, is_reversed=column.key == self.sort_by and not self.is_reversed)
                x += width + 1
        elif offset.y - HEAD < self._room():
            row = self.scroll_offset.y + offset.y - HEAD
            if row < len(self._keys):
                self._move_cursor(row)

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        super().watch_scroll_y(old_value, new_value)
        if round(old_value) != round(new_value):
            self.draw_again()

    def on_focus(self) -> None:
        self.call_after_refresh(self._show_cursor)  # laid out by then; a key acts on its row, which must be seen
        self.draw_again()

    def on_blur(self) -> None:
        self.draw_again()

    def _move_cursor(self, row: int) -> None:
        if not self._keys:
            return
        self._put_cursor(row)
        self.draw_again()
        self.post_message(self.Selected(self.selected()))

    def _put_cursor(self, row: int) -> None:
        self._cursor_at = min(max(0, row), len(self._keys) - 1)
        self._cursor = self._keys[self._cursor_at]
        self._show_cursor()

    def _show_cursor(self) -> None:
        """Scroll as far as it takes to see the cursor's row."""
        top, room = self.scroll_offset.y, self._room()
        if room == 0:
            return
        if self._cursor_at < top:
            self.scroll_to(y=self._cursor_at, animate=False)
        elif self._cursor_at >= top + room:
            self.scroll_to(y=self._cursor_at - room + 1, animate=False)
