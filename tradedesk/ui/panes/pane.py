"""What every pane has in common: a view to read, a frame to draw in, a selection to tell and to follow."""

from collections.abc import Sequence
from typing import ClassVar

from msgspec import Struct
from textual.message import Message
from textual.scroll_view import ScrollView

from tradedesk.domain.words import AccountId, ClientOrderId, InstrumentId
from tradedesk.views.feed import DeskView, Update


class Selection(Struct, frozen=True, kw_only=True):
    """What the operator is looking at. Bound by ids, never by row numbers: rows move under the cursor."""

    account: AccountId | None = None
    instrument: InstrumentId | None = None
    order: ClientOrderId | None = None
    alert: str | None = None  # key of the alert under the cursor


class Pane(ScrollView, can_focus=True):
    """A live pane on the Line API. It belongs to the UI thread and calls nothing but its view."""

    name_shown: ClassVar[str]  # the word in the border title and in `go <word>`
    zoomable: ClassVar[bool] = True

    class Selected(Message):
        """The operator's cursor came to rest on something in this pane."""

        def __init__(self, selection: Selection) -> None:
            super().__init__()
            self.selection = selection

    def __init__(self, view: DeskView, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.view = view
        self.selection = Selection()

    def draw_changed(self, updates: Sequence[Update], now: int) -> None:
        """Called by the screen once a frame, after `view.poll()`, while the pane is visible. `now` in ns since the epoch.

        Repaints the lines that changed and no others. Also called with no updates once a second, so that ages go on.
        """
        raise NotImplementedError(f"{type(self).__name__} draws nothing")

    def selected(self) -> Selection:
        """The ids under this pane's cursor, or what it follows where it has none."""
        return self.selection

    def set_filter(self, text: str) -> None:
        """Show only the rows in which `text` stands; empty shows all. Panes without rows ignore it."""

    def follow(self, selection: Selection) -> None:
        """The selection moved, here or in another pane; the pane shows that account, instrument or order."""
        self.selection = selection
