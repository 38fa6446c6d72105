"""One line per client account."""

from typing import ClassVar

from tradedesk.ui.panes.pane import Pane


class FleetPane(Pane):
    """One line per client account."""

    name_shown: ClassVar[str] = "fleet"
