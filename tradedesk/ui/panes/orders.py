"""The orders of every account, open ones first."""

from typing import ClassVar

from tradedesk.domain.words import ClientOrderId
from tradedesk.ui.panes.pane import Pane


class OrdersPane(Pane):
    """The orders of every account, open ones first."""

    name_shown: ClassVar[str] = "orders"

    def marked(self) -> frozenset[ClientOrderId]:
        """The orders marked with Space."""
        return frozenset()
