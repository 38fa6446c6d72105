"""The least app that shows one pane: the themes, one frame, and a way to draw the next."""

import asyncio

from desk_app import settled
from desk_builders import NOW, feed_of
from textual.app import App, ComposeResult
from textual.pilot import Pilot

from tradedesk.domain.events import Event
from tradedesk.ui import themes
from tradedesk.ui.panes.pane import Pane, Selection

WITHIN_S = 20.0


class PaneApp(App[None]):
    def __init__(self, pane: Pane, theme: str = themes.DEFAULT_THEME, follow: Selection | None = None) -> None:
        super().__init__()
        self.pane = pane
        self.selections: list[Selection] = []
        for shipped in themes.load_themes().by_name.values():
            self.register_theme(shipped)
        self.theme = theme
        self._follow = follow
        self._is_drawn = asyncio.Event()

    def get_theme_variable_defaults(self) -> dict[str, str]:
        return themes.DEFAULTS

    def compose(self) -> ComposeResult:
        yield self.pane

    def on_mount(self) -> None:
        if self._follow is not None:
            self.pane.follow(self._follow)
        self.call_after_refresh(self._draw_first)

    def _draw_first(self) -> None:
        self.pane.draw_changed((), NOW)
        self._is_drawn.set()

    async def drawn(self, pilot: Pilot[None]) -> None:
        """Wait until the pane was laid out and drawn once, however busy the machine is."""
        await asyncio.wait_for(self._is_drawn.wait(), WITHIN_S)
        await pilot.pause()
        await settled(self)  # a scroll bar that came with the first lines has them drawn once more

    def on_pane_selected(self, message: Pane.Selected) -> None:
        self.selections.append(message.selection)

    def frame(self, *events: Event, now: int = NOW) -> None:
        """What the screen does ten times a second."""
        feed_of(self.pane.view).push(*events)
        self.pane.draw_changed(self.pane.view.poll(), now)

    def shown(self) -> list[str]:
        """The pane's lines as text."""
        return [self.pane.render_line(y).text.rstrip() for y in range(self.pane.size.height)]
