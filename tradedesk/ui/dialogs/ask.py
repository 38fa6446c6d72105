"""A plain question, answered by `y`."""

from collections.abc import Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType

from tradedesk.ui.dialogs.dialog import Dialog, Tools, text_line, wrapped
from tradedesk.ui.drawing import Glyphs, Line, Palette


class Ask(Dialog[bool]):
    """A question that `y` answers; everything else is no."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "yes", "Yes", show=False),
        Binding("n", "no", "No", show=False),
    ]

    def __init__(self, tools: Tools, title: str, text: str, *, yes: str, tone: str = "") -> None:
        super().__init__(tools, title, tone=tone)
        self._text = text
        self._yes = yes

    def lines(self, width: int, glyphs: Glyphs, colours: Palette) -> Sequence[Line]:
        return [text_line(row, width, colours.text, glyphs) for row in wrapped(self._text, width)]

    def hint(self) -> str:
        return f"y {self._yes}   Esc no"

    def action_yes(self) -> None:
        self.close(True)
