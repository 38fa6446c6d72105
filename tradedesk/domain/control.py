"""The write side of a desk, as a screen, a script or an algorithm is handed it."""

from typing import Protocol

from tradedesk.domain.commands import Command, NotSubmitted, PlaceOrder, Submitted
from tradedesk.domain.words import RequestId


class DeskControl(Protocol):
    """Takes commands. Authorised in the desk, never in the screen; answers at once and never waits for a venue."""

    def submit(self, command: Command) -> Submitted | NotSubmitted:
        """Hand a command over. What comes of it arrives as events."""

    def preview(self, command: PlaceOrder, request_id: RequestId) -> None:
        """Ask what the Gate would say; a PreviewMade with this id is the answer. Reserves nothing."""
