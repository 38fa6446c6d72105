"""Candles, volume and own fills of the selected instrument."""

from typing import ClassVar

from tradedesk.ui.panes.pane import Pane


class ChartPane(Pane):
    """Candles, volume and own fills of the selected instrument."""

    name_shown: ClassVar[str] = "chart"
