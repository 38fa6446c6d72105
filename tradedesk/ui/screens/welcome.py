"""What someone sees who has no desk.toml yet: what tradedesk is, and the ways in."""

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Static

from tradedesk.ui.screens.alone import AloneApp

CHOICES = ("demo", "setup", "monitor")

WELCOME = """\
tradedesk: one operator, many client accounts, each with its own keys, exit, limits and worker.

There is no desk.toml yet. Choose one:

  d  demo     a paper exchange and three accounts: no keys, no network
  s  setup    a desk of your own: asked for, tested, saved at the end
  m  monitor  look at a desk that runs here already, read-only
  q  quit

The README shows what a desk.toml can say.
"""

WITHOUT_A_TERMINAL = (
    f"{WELCOME}\nThis is not a terminal, so nothing can be chosen here: run tradedesk demo, tradedesk setup or tradedesk "
    "monitor.\n"
)


class WelcomeApp(AloneApp[str]):
    """Returns one of CHOICES, or None for leaving."""

    BINDINGS: ClassVar[list[BindingType]] = [
        *(Binding(choice[0], f"choose('{choice}')", choice, show=False) for choice in CHOICES),
        Binding("q,escape,ctrl+c", "leave", "quit", show=False),
        Binding("ctrl+q", "leave", "quit", show=False, priority=True),
    ]
    CSS = """
    Screen { align: center middle; background: $background; }
    #welcome { width: 100%; max-width: 108; height: auto; max-height: 100%; border: round $primary; padding: 1 2; }
    #welcome.-ascii { border: ascii $primary; }
    """

    def compose(self) -> ComposeResult:
        with Vertical(id="welcome", classes="-ascii" if self.is_ascii else "") as box:
            box.border_title = Content("welcome")
            yield Static(Content(WELCOME.rstrip()), markup=False)

    def action_choose(self, choice: str) -> None:
        self.exit(choice)
