"""What the desk wrote down, the newest at the bottom; stays where it was while someone reads further up."""

from typing import ClassVar

from textual.binding import Binding, BindingType

from tradedesk.domain.events import LogWritten
from tradedesk.ui import drawing
from tradedesk.ui.drawing import UNICODE, Glyphs, Line, fit
from tradedesk.ui.panes.pane import Pane
from tradedesk.views.feed import DeskView


class LogsPane(Pane):
    """One line per record: time, level in a word, event, fields."""

    name_shown: ClassVar[str] = "logs"

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("j,down", "move(1)", "Down", show=False, id="move.down"),
        Binding("k,up", "move(-1)", "Up", show=False, id="move.up"),
        Binding("ctrl+d,pagedown", "move_page(1)", "Half a page down", show=False, id="move.page-down"),
        Binding("ctrl+u,pageup", "move_page(-1)", "Half a page up", show=False, id="move.page-up"),
        Binding("home", "move(-100000)", "Oldest", show=False, id="move.first"),
        Binding("G,end", "newest", "Newest", show=False, id="move.last"),
        Binding("escape", "clear_filter", "Clear filter", show=False, id="table.clear-filter"),
    ]

    def __init__(self, view: DeskView, *, glyphs: Glyphs = UNICODE, id: str | None = None) -> None:
        super().__init__(view, glyphs=glyphs, id=id)
        self.filter_text = ""
        self._shown: list[LogWritten] = []
        self._top_record: LogWritten | None = None  # where a reader stays; None follows the newest

    def set_filter(self, text: str) -> None:
        self.filter_text, self._top_record = text.strip(), None
        self.draw_again()

    def action_clear_filter(self) -> None:
        self.set_filter("")

    def action_move(self, lines: int) -> None:
        self._go_to(self._top() + lines)

    def action_move_page(self, direction: int) -> None:
        self.action_move(direction * max(1, self.area.height // 2))

    def action_newest(self) -> None:
        self._go_to(len(self._shown))

    def draw(self, now: int) -> None:
        wanted = self.filter_text.casefold()
        logs = self.view.replica.logs
        self._shown = [log for log in logs if not wanted or wanted in f"{log.level} {log.event} {log.text}".casefold()]
        height, width = self.area.height, self.area.width
        self.scroll_over(max(1, len(self._shown)))
        top = self._top()
        if self.scroll_offset.y != top:
            self.scroll_to(y=top, animate=False)
        below = len(self._shown) - top - height
        self.put_title(
            f"/{self.filter_text} {len(self._shown)} shown" if self.filter_text else "",
            f"{below} newer, G" if below > 0 and self._top_record is not None else "",
        )
        if not self._shown:
            nothing = f"No lines match '{self.filter_text}'. Esc clears." if wanted and logs else "Nothing logged yet."
            self.put_lines([((fit(nothing, width, self.glyphs), self.colours.muted),)])
            return
        self.put_lines([self._line(log, width) for log in self._shown[top : top + height]])

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """The wheel and the scroll bar move the reader too."""
        super().watch_scroll_y(old_value, new_value)
        if round(new_value) != self._top():
            self._go_to(round(new_value))

    def _top(self) -> int:
        """Index of the first line shown."""
        last = max(0, len(self._shown) - self.area.height)
        if self._top_record is None:
            return last
        for index, log in enumerate(self._shown):
            if log is self._top_record:
                return min(index, last)
        return 0  # the line has been dropped for newer ones

    def _go_to(self, top: int) -> None:
        last = max(0, len(self._shown) - self.area.height)
        self._top_record = None if top >= last or not last else self._shown[max(0, top)]
        self.draw_again()

    def _line(self, log: LogWritten, width: int) -> Line:
        colours = self.colours
        style = {"error": colours.crit, "warning": colours.warn}.get(log.level, colours.muted)
        level = fit(log.level.upper() if log.level == "error" else log.level, 7, self.glyphs).rstrip()
        gap = " " * (8 - len(level))
        rest = max(0, width - 9 - 8)
        event = fit(log.event, min(rest, max(18, len(log.event))), self.glyphs)
        return (
            (f"{drawing.time_of_day(log.at)} ", colours.muted),
            (level, style),
            (gap, colours.text),
            (event, colours.text),
            (fit(f" {log.text}", max(0, rest - len(event)), self.glyphs), colours.muted),
        )
