"""Help and jump: which keys there are, and the letters that lead to a pane."""

from collections.abc import Mapping, Sequence
from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from tradedesk.domain.text import clean
from tradedesk.ui.dialogs.dialog import Dialog, Tools, text_line
from tradedesk.ui.drawing import Glyphs, Line, Palette, fit
from tradedesk.ui.keys import Key
from tradedesk.ui.keys import shown as key_shown


class HelpDialog(Dialog[None]):
    """The keys of this pane, then all of them, with the command for each."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("q", "no", "Close", show=False),
        Binding("question_mark,f1", "no", "Close", show=False),
    ]

    def __init__(
        self, tools: Tools, *, pane: str, pane_keys: Sequence[Binding], keys: Sequence[Key], keymap: Mapping[str, str]
    ) -> None:
        super().__init__(tools, "keys")
        self._pane = pane
        self._pane_keys = pane_keys
        self._keys = keys
        self._keymap = keymap

    def lines(self, width: int, glyphs: Glyphs, colours: Palette) -> Sequence[Line]:
        return help_lines(self._pane, self._pane_keys, self._keys, self._keymap, width, glyphs, colours)

    def hint(self) -> str:
        return "up and down scroll   Esc closes"


def help_lines(
    pane: str,
    pane_keys: Sequence[Binding],
    keys: Sequence[Key],
    keymap: Mapping[str, str],
    width: int,
    glyphs: Glyphs,
    colours: Palette,
) -> list[Line]:
    def row(key: str, says: str, command: str) -> Line:
        room = width - 9
        said = fit(says, min(46, room), glyphs)
        return (
            (f" {key:<8}", colours.total),
            (said, colours.text),
            (fit(f" {command}", room - len(said)), colours.muted),
        )

    lines: list[Line] = []
    if pane_keys:
        lines.append(text_line(f"In {pane}", width, colours.head, glyphs))
        lines += [
            row(key_shown(keymap.get(binding.id or "", binding.key)), binding.description, "") for binding in pane_keys
        ]
        lines.append(text_line("", width, colours.text, glyphs))
    lines.append(text_line("Everywhere, with the command that does the same", width, colours.head, glyphs))
    for key in keys:
        command = f":{key.command}" if key.command else ""
        lines.append(row(key_shown(keymap.get(key.id, key.key)), key.says, command))
    return lines


class Jump(ModalScreen[str]):
    """A letter over each visible pane; the letter goes there."""

    def __init__(self, places: Mapping[str, tuple[int, int]], letters: Mapping[str, str]) -> None:
        """`places` holds the top left corner of each pane on the screen, `letters` its letter."""
        super().__init__()
        self._places = places
        self._letters = letters

    def compose(self) -> ComposeResult:
        for name, (x, y) in self._places.items():
            label = Static(Content(clean(f" {self._letters[name]} ")), classes="letter")
            label.styles.offset = (x + 1, y)
            yield label

    def on_key(self, event: events.Key) -> None:
        event.stop()
        if not self.is_current:
            return  # the second of two keys typed at once: the first has closed it
        name = next((name for name, letter in self._letters.items() if letter == event.character), None)
        self.dismiss(name if name in self._places else None)
