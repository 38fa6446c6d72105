"""Risk alerts, one row per cause."""

from typing import ClassVar

from tradedesk.ui.panes.pane import Pane


class AlertsPane(Pane):
    """Risk alerts, one row per cause."""

    name_shown: ClassVar[str] = "alerts"
