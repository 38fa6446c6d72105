"""The least app that shows one pane: the themes, one frame, and a way to draw the next."""

from desk_builders import NOW, feed_of
from textual.app import App, ComposeResult

from tradedesk.domain.events import Event
from tradedesk.ui import themes
from tradedesk.ui.panes.pane import Pane, Selection


class PaneApp(App[None]):
    def __init__(self, pane: Pane, theme: str = themes.DEFAULT_THEME, follow: Selection | None = None) -> None:
        super().__init__()
        self.pane = pane
        self.selections: list[Selection] = []
        for shipped in themes.load_themes().by_name.values():
            self.register_theme(shipped)
        self.theme = theme
        self._follow = follow

    def get_theme_variable_defaults(self) -> dict[str, str]:
        return themes.DEFAULTS

    def compose(self) -> ComposeResult:
        yield self.pane

    def on_mount(self) -> None:
        if self._follow is not None:
            self.pane.follow(self._follow)
        self.call_after_refresh(self.pane.draw_changed, (), NOW)

    def on_pane_selected(self, message: Pane.Selected) -> None:
        self.selections.append(message.selection)

    def frame(self, *events: Event, now: int = NOW) -> None:
        """What the screen does ten times a second."""
        feed_of(self.pane.view).push(*events)
        self.pane.draw_changed(self.pane.view.poll(), now)

    def shown(self) -> list[str]:
        """The pane's lines as text."""
        return [self.pane.render_line(y).text.rstrip() for y in range(self.pane.size.height)]
