"""What the desk wrote down, newest at the bottom."""

from typing import ClassVar

from tradedesk.ui.panes.pane import Pane


class LogsPane(Pane):
    """What the desk wrote down, newest at the bottom."""

    name_shown: ClassVar[str] = "logs"
