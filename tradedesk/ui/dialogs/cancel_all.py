"""Cancel all: the scopes it can be about, what is open in each, and the dialog that asks."""

from collections.abc import Sequence
from decimal import Decimal
from typing import ClassVar

from msgspec import Struct
from textual.binding import Binding, BindingType

from tradedesk.domain.orders import Order
from tradedesk.domain.words import AccountId, Side
from tradedesk.ui import drawing
from tradedesk.ui.dialogs.dialog import Tools, text_line
from tradedesk.ui.dialogs.sends import Sends
from tradedesk.ui.drawing import Glyphs, Line, Palette, fit
from tradedesk.views.replica import Replica


class Scope(Struct, frozen=True, kw_only=True):
    """Which orders a cancel-all is about, and how it is called."""

    name: str
    accounts: tuple[AccountId, ...]
    instrument: str | None = None  # symbol
    side: Side | None = None


def orders_in(scope: Scope, replica: Replica) -> tuple[list[Order], list[Order]]:
    """The open orders of a scope: ours, and those of other software, which stay."""
    inside = [
        order
        for order in replica.orders.values()
        if not order.is_dead
        and order.account in scope.accounts
        and (scope.side is None or order.side is scope.side)
        and (scope.instrument is None or _symbol(order, replica) == scope.instrument)
    ]
    return [one for one in inside if not one.is_external], [one for one in inside if one.is_external]


def _symbol(order: Order, replica: Replica) -> str:
    instrument = replica.instruments.get(order.instrument)
    return order.instrument if instrument is None else instrument.symbol


class CancelAllDialog(Sends):
    """Cancel everything of ours in a scope: Tab goes through the scopes, F2 cancels."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("tab", "turn(1)", "Next scope", show=False, priority=True),
        Binding("shift+tab", "turn(-1)", "Previous scope", show=False, priority=True),
    ]

    def __init__(self, tools: Tools, scopes: Sequence[Scope]) -> None:
        super().__init__(tools, "cancel all", tone="-halt")
        self._scopes = scopes
        self._at = 0

    @property
    def scope(self) -> Scope:
        return self._scopes[self._at]

    def lines(self, width: int, glyphs: Glyphs, colours: Palette) -> Sequence[Line]:
        replica = self._tools.view.replica
        lines: list[Line] = []
        for at, scope in enumerate(self._scopes):
            sign = glyphs.cursor if at == self._at else " "
            style = colours.total if at == self._at else colours.muted
            ours, _ = orders_in(scope, replica)
            lines.append(text_line(f"{sign} {scope.name:<48} {len(ours):>4} open", width, style, glyphs))
        ours, theirs = orders_in(self.scope, replica)
        lines.append(text_line("", width, colours.text, glyphs))
        for account in self.scope.accounts:
            mine = [order for order in ours if order.account == account]
            if mine:
                buys = sum(1 for order in mine if order.side is Side.Buy)
                worth = sum((order.leaves_qty * order.price for order in mine if order.price is not None), Decimal(0))
                text = f"{fit(account, 12)} {buys:>4} buy {len(mine) - buys:>4} sell   worth {drawing.number(worth, 2):>16}"
                lines.append(text_line(text, width, colours.text, glyphs))
        if not ours:
            lines.append(text_line("No order of ours is open here.", width, colours.text, glyphs))
        if theirs:
            text = f"{len(theirs)} of other software stay: {', '.join(order.client_order_id for order in theirs)}"
            lines.append(text_line(text, width, colours.warn, glyphs))
        return lines

    def hint(self) -> str:
        ours, _ = orders_in(self.scope, self._tools.view.replica)
        turn = "   Tab other scope" if len(self._scopes) > 1 else ""
        return f"F2 cancels {len(ours)}{turn}   Esc no"

    def against(self) -> str | None:
        ours, _ = orders_in(self.scope, self._tools.view.replica)
        return None if ours else "nothing is open in this scope"

    def action_turn(self, step: int) -> None:
        if not self.is_deaf(self._tools.clock.monotonic()):
            self._at = (self._at + step) % len(self._scopes)
            self.say(self.hint())
            self.tick()
