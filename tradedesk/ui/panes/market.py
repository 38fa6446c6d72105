"""Ladder and tape of the selected instrument."""

from typing import ClassVar

from tradedesk.ui.panes.pane import Pane


class MarketPane(Pane):
    """Ladder and tape of the selected instrument."""

    name_shown: ClassVar[str] = "market"
