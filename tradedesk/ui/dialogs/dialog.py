"""The base of every dialog: a box over the desk that is deaf at first, and whose default and Esc are no."""

from collections.abc import Iterable, Sequence
from typing import ClassVar, Generic, TypeVar

from msgspec import Struct
from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from tradedesk.clock import Clock
from tradedesk.domain.text import clean
from tradedesk.ui.drawing import Glyphs, Line, Palette, fit
from tradedesk.ui.header import Bar
from tradedesk.views.feed import DeskView

R = TypeVar("R")

DEAF_NS = 300_000_000


class Tools(Struct, frozen=True, kw_only=True):
    """What every dialog is handed."""

    view: DeskView
    clock: Clock
    glyphs: Glyphs


class Lines(Bar):
    """The words of a dialog; as high as they are."""

    DEFAULT_CSS = """
    Lines { background: $surface; }
    """

    def draw(self, now: int) -> None:
        lines = self._lines_of(self.size.width, self.glyphs, self.colours)
        if self.styles.height is None or self.styles.height.value != len(lines):
            self.styles.height = len(lines)
        self.put_lines(lines)


class Dialog(ModalScreen[R], Generic[R]):
    """A box over the desk. `tick` is called once a frame; input before `DEAF_NS` is dropped by the app."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "no", "No", show=False)]

    def __init__(self, tools: Tools, title: str, *, tone: str = "") -> None:
        super().__init__(classes=tone)
        self._tools = tools
        self._title = title
        self._opened_at: int | None = None
        self._said = ""  # what stands in the last line

    def compose(self) -> ComposeResult:
        with Vertical(id="box") as box:
            box.border_title = Content(clean(self._title))
            box.set_class(self._tools.glyphs.is_ascii, "-ascii")
            with VerticalScroll(id="words", can_focus=False):
                yield Lines(self._tools.view, self.lines, glyphs=self._tools.glyphs, id="lines")
            yield from self.fields()
            yield Static(Content(clean(self.hint())), id="hint")

    def lines(self, width: int, glyphs: Glyphs, colours: Palette) -> Sequence[Line]:
        """What it says now."""
        raise NotImplementedError(f"{type(self).__name__} says nothing")

    def fields(self) -> Iterable[Input | Horizontal]:
        """What can be typed into."""
        return ()

    def hint(self) -> str:
        """Which keys do what."""
        raise NotImplementedError(f"{type(self).__name__} names no keys")

    def on_mount(self) -> None:
        self._opened_at = self._tools.clock.monotonic()
        self.call_after_refresh(self.tick)

    def is_deaf(self, monotonic: int) -> bool:
        """Whether input comes too early to have been meant for this dialog."""
        return self._opened_at is None or monotonic - self._opened_at < DEAF_NS

    def tick(self) -> None:
        """Draw what it says now."""
        if self.is_mounted:
            self.query_one("#lines", Lines).draw_changed((), self._tools.clock.now())

    def close(self, answer: R | None) -> None:
        """Give the answer, once: of several keys typed at one go the first counts."""
        if self.is_current:
            self.dismiss(answer)

    def action_no(self) -> None:
        self.close(None)

    def on_key(self, event: events.Key) -> None:
        words = self.query_one("#words", VerticalScroll)
        step = {"down": 1, "up": -1, "j": 1, "k": -1, "pagedown": 10, "pageup": -10}.get(event.key)
        if step is not None:
            words.scroll_relative(y=step, animate=False)

    def say(self, text: str, *, is_wrong: bool = False) -> None:
        hint = self.query_one("#hint", Static)
        hint.set_class(is_wrong, "-wrong")
        if text != self._said:  # an update lays the dialog out anew
            self._said = text
            hint.update(Content(clean(text)))


def text_line(text: str, width: int, style: object, glyphs: Glyphs) -> Line:
    return ((fit(text, width, glyphs), style),)  # type: ignore[return-value]


def wrapped(text: str, width: int) -> list[str]:
    """The text in rows of at most `width`, broken at spaces where it can be."""
    rows, rest = [], clean(text)
    while len(rest) > width > 0:
        at = rest.rfind(" ", 0, width + 1)
        at = width if at <= 0 else at
        rows.append(rest[:at])
        rest = rest[at:].lstrip()
    return [*rows, rest]
