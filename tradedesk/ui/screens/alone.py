"""An app of one screen that has no desk behind it: the welcome, the setup. It knows themes, and it ends without a word too much."""

import sys
from typing import Generic, TypeVar

from rich.text import Text
from textual.app import App

from tradedesk.domain.text import clean
from tradedesk.ui import themes

R = TypeVar("R")


class AloneApp(App[R], Generic[R]):
    """`theme` is one of the shipped ones; another name gives the default."""

    TITLE = "tradedesk"
    ENABLE_COMMAND_PALETTE = False

    def __init__(self, *, theme: str | None = None, ascii: bool = False) -> None:
        super().__init__()
        known = themes.load_themes().by_name
        for one in known.values():
            self.register_theme(one)
        self.theme = theme if theme in known else themes.DEFAULT_THEME
        self.is_ascii = ascii

    def get_theme_variable_defaults(self) -> dict[str, str]:
        return themes.DEFAULTS

    def action_leave(self) -> None:
        self.exit(None)

    def action_help_quit(self) -> None:
        """Textual would explain here how to quit; the screen itself says it."""

    def _fatal_error(self) -> None:
        """Leave with one plain line. Textual would print every local variable, a secret just typed among them."""
        error = sys.exc_info()[1]
        trace = None if error is None else error.__traceback__
        while trace is not None and trace.tb_next is not None:
            trace = trace.tb_next
        place = "" if trace is None else f", {trace.tb_frame.f_code.co_name}:{trace.tb_lineno}"
        self.bell()
        if not self._exit_renderables:
            self._exit_renderables.append(Text(clean(f"tradedesk: the screen failed ({type(error).__name__}{place}).")))
        self._close_messages_no_wait()
