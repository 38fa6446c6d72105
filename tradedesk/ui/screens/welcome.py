"""What someone sees who has no desk.toml yet: what tradedesk is, and the ways in."""

from typing import ClassVar

from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Static

from tradedesk.ui import themes

CHOICES = ("demo", "monitor")

WELCOME = """\
tradedesk: one operator, many client accounts, each with its own keys, exit, limits and worker.

There is no desk.toml yet. Choose one:

  d  demo     a paper exchange and three accounts on this machine: no keys, no network, ready in seconds
  m  monitor  look at a desk that runs here already, read-only
  q  quit

A desk of your own is a desk.toml and `tradedesk accounts add`; the README shows both.
"""

WITHOUT_A_TERMINAL = (
    f"{WELCOME}\nThis is not a terminal, so nothing can be chosen here: run tradedesk demo or tradedesk monitor.\n"
)


class WelcomeApp(App[str]):
    """Returns one of CHOICES, or None for leaving."""

    BINDINGS: ClassVar[list[BindingType]] = [
        *(Binding(choice[0], f"choose('{choice}')", choice, show=False) for choice in CHOICES),
        Binding("q,escape,ctrl+c", "leave", "quit", show=False),
        Binding("ctrl+q", "leave", "quit", show=False, priority=True),
    ]
    ENABLE_COMMAND_PALETTE = False
    CSS = """
    Screen { align: center middle; background: $background; }
    #welcome { width: 100%; max-width: 108; height: auto; max-height: 100%; border: round $primary; padding: 1 2; }
    #welcome.-ascii { border: ascii $primary; }
    """

    def __init__(self, *, theme: str | None = None, ascii: bool = False) -> None:
        super().__init__()
        known = themes.load_themes().by_name
        for one in known.values():
            self.register_theme(one)
        self.theme = theme if theme in known else themes.DEFAULT_THEME
        self._ascii = ascii

    def get_theme_variable_defaults(self) -> dict[str, str]:
        return themes.DEFAULTS

    def compose(self) -> ComposeResult:
        with Vertical(id="welcome", classes="-ascii" if self._ascii else "") as box:
            box.border_title = Content("welcome")
            yield Static(Content(WELCOME.rstrip()), markup=False)

    def action_choose(self, choice: str) -> None:
        self.exit(choice)

    def action_leave(self) -> None:
        self.exit(None)
