"""A dialog that sends: F2 does it, once, and Enter never does."""

from collections.abc import Iterable
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.content import Content
from textual.widgets import Input, Static

from tradedesk.domain.text import clean
from tradedesk.ui.dialogs.dialog import Dialog, Tools


class Sends(Dialog[bool]):
    """A review: F2 does it, once, when nothing stands against it and the words asked for are typed."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("f2", "yes", "Do it", show=False, priority=True)]

    def __init__(self, tools: Tools, title: str, *, tone: str, need: str = "", need_says: str = "") -> None:
        super().__init__(tools, title, tone=tone)
        self._need = need
        self._need_says = need_says
        self._is_done = False

    def fields(self) -> Iterable[Horizontal]:
        if self._need:
            entry = Input(id="need", compact=True)
            entry.cursor_blink = False
            yield Horizontal(Static(Content(clean(f"{self._need_says}: ")), id="need-says"), entry, classes="row")

    def on_mount(self) -> None:
        super().on_mount()
        if self._need:
            self.query_one("#need", Input).focus()

    def against(self) -> str | None:
        """What stands against doing it now, with the remedy."""
        return None

    def action_yes(self) -> None:
        if self._is_done or self.is_deaf(self._tools.clock.monotonic()):
            return
        against = self.against()
        if against is None and self._need and self.query_one("#need", Input).value.strip() != self._need:
            against = f"{self._need_says} first; then F2"
        if against is not None:
            self.say(against, is_wrong=True)
            return
        self._is_done = True  # a key that repeats finds it done
        self.close(True)

    def tick(self) -> None:
        super().tick()
        if self.is_mounted and not self.query_one("#hint", Static).has_class("-wrong"):
            self.say(self.hint())

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        self.say(self.hint())

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()  # Enter opened this dialog; it does not send
