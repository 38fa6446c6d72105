"""Positions and P&L per account and in all."""

from typing import ClassVar

from tradedesk.ui.panes.pane import Pane


class PositionsPane(Pane):
    """Positions and P&L per account and in all."""

    name_shown: ClassVar[str] = "positions"
