"""One order before the Gate, and how a rule says no."""

from decimal import Decimal

from msgspec import Struct

from tradedesk.domain.gate import FLATTENER, Denial, GateInputs
from tradedesk.domain.money import plain
from tradedesk.domain.orders import Order
from tradedesk.domain.words import OrderType, Side

ZERO = Decimal(0)
BPS = Decimal(10_000)
MS = 1_000_000  # ns


class Case(Struct, frozen=True, kw_only=True):
    """One order before the Gate: as it would be sent, what it replaces, and what is known around it."""

    order: Order
    replaces: Order | None
    given: GateInputs

    @property
    def growth(self) -> Decimal:
        """Base units this adds to its side's worst case: of a replace, the larger leg counts (5.4)."""
        return max(self.order.leaves_qty, self.replaces.leaves_qty if self.replaces is not None else ZERO)

    @property
    def is_shrinking(self) -> bool:
        """Whether it only makes an order smaller where it stands: it can add nothing to any exposure."""
        replaced = self.replaces
        return (
            replaced is not None
            and replaced.client_order_id == self.order.client_order_id
            and replaced.price == self.order.price
            and self.order.order_qty < replaced.order_qty
        )

    @property
    def is_reducing(self) -> bool:
        """Whether it can only shrink the position, with the reductions already working taken off first."""
        worst = self.given.worst
        room = worst.low if self.order.side is Side.Sell else -worst.high
        return room > 0 and self.growth <= room

    @property
    def is_flattening(self) -> bool:
        """A halt's own closing of a position: as large as what is held, whatever a person may order at once."""
        return self.order.operator == FLATTENER and self.is_reducing

    @property
    def touch(self) -> Decimal | None:
        """The price a market order would meet now."""
        quote = self.given.quote
        if quote is None:
            return None
        return quote.ask if self.order.side is Side.Buy else quote.bid

    @property
    def price(self) -> Decimal | None:
        return self.order.price if self.order.order_type is OrderType.Limit else self.touch


def shown(figure: object) -> str:
    return plain(figure) if isinstance(figure, Decimal) else str(figure)


def no(rule: str, text: str, limit: object = "", value: object = "", source: str = "") -> Denial:
    """The rule's no. The text names the figures by itself; whose limit it is, and who set it, is put behind it."""
    said = f"{text} ({source})" if source else text
    return Denial(rule=rule, text=said, limit=shown(limit), value=shown(value), source=source)
