"""The orders of every account: what is unknown on top, then what may still trade, then what is over."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, ClassVar

from textual.binding import Binding, BindingType

from tradedesk.domain.money import is_multiple
from tradedesk.domain.orders import Order, state
from tradedesk.domain.words import ClientOrderId, OrderType, TimeInForce
from tradedesk.ui import drawing
from tradedesk.ui.drawing import Cell, Line
from tradedesk.ui.panes.pane import Selection
from tradedesk.ui.widgets.rows import Column
from tradedesk.ui.widgets.table import LiveTable

UNKNOWN, OPEN, DEAD = range(3)  # parts of the table, from the top


class OrdersPane(LiveTable[Order]):
    """One row per order, newest first in each part. The last line tells all about the one under the cursor."""

    name_shown: ClassVar[str] = "orders"
    what: ClassVar[str] = "orders"
    sorted_first_by: ClassVar[str] = "age"

    columns: ClassVar[tuple[Column, ...]] = (
        Column(key="state", title="state", width=19),
        Column(key="account", title="account", width=7),
        Column(key="side", title="side", width=6),
        Column(key="instrument", title="market", width=8),
        Column(key="type", title="type", width=8, drop=6),
        Column(key="order_qty", title="filled/qty", width=15, is_right=True),
        Column(key="price", title="price", width=9, is_right=True),
        Column(key="avg_px", title="avg", width=10, is_right=True, drop=5),
        Column(key="age", title="age", width=4, is_right=True, drop=1),
        Column(key="reasons", title="reason", width=16, drop=3, grows=True),
        Column(key="operator", title="by", width=6, drop=7),
        Column(key="id", title="id", width=12, drop=8),
    )

    BINDINGS: ClassVar[list[BindingType]] = [Binding("space", "mark", "Mark row", show=False, id="table.mark")]

    def marked(self) -> frozenset[ClientOrderId]:
        """The orders marked with Space."""
        return frozenset(ClientOrderId(key) for key in self._marks)

    def _take(self, items: Mapping[str, Order], now: int) -> None:
        """An amend ends one order and begins another: the cursor goes on with the one that works."""
        before = self.current
        super()._take(items, now)
        after = None if before is None else items.get(before.client_order_id)
        if before is None or before.is_dead or after is None or not after.is_dead or after.replaced_by is None:
            return
        heir = items.get(after.replaced_by)
        if heir is not None and not heir.is_dead and after.replaced_by in self._keys:
            self._put_cursor(self._keys.index(after.replaced_by))
            self.post_message(self.Selected(self.selected()))

    def items(self, now: int) -> Mapping[str, Order]:
        return {order.client_order_id: order for order in self.view.orders()}

    def cells(self, item: Order, now: int) -> Sequence[Cell]:
        colours, glyphs = self.colours, self.glyphs
        price_digits, qty_digits = self._digits(item)
        plain_style = colours.muted if item.is_dead else colours.text
        side = drawing.side_cell(item.side, glyphs, colours)
        filled = f"{drawing.number(item.cum_qty, qty_digits)}/" if 0 < item.cum_qty < item.order_qty else ""
        return (
            drawing.state_cell(item, now, glyphs, colours),
            (f"{glyphs.halt if self.view.replica.halt_of(item.account) else ''}{item.account}", plain_style),
            (side[0], colours.muted) if item.is_dead else side,
            (self._symbol(item), plain_style),
            (kind(item), colours.muted),
            (f"{filled}{drawing.number(item.order_qty, qty_digits)}", plain_style),
            ("market" if item.price is None else drawing.number(item.price, price_digits), plain_style),
            (drawing.number(item.avg_px, price_digits, glyphs), plain_style),
            (drawing.age(now - item.placed_at), colours.muted),
            ("; ".join(reasons(item)), colours.warn if not item.is_dead else colours.muted),
            (item.operator, colours.muted),
            (item.client_order_id, colours.muted),
        )

    def sort_value(self, item: Order, column: str) -> Any:
        match column:
            case "age":
                return -item.placed_at
            case "state":
                return state(item).value
            case "instrument":
                return self._symbol(item)
            case "type":
                return kind(item)
            case "reasons":
                return reasons(item)
            case "operator":
                return item.operator
            case "id":
                return item.client_order_id
            case _:
                return getattr(item, column)

    def group_of(self, item: Order) -> int:
        return DEAD if item.is_dead else UNKNOWN if item.is_uncertain else OPEN

    def words(self, item: Order) -> str:
        return " ".join(
            (
                item.account,
                item.side,
                self._symbol(item),
                state(item),
                kind(item),
                item.client_order_id,
                item.operator,
                *reasons(item),
            )
        )

    def detail(self, item: Order, now: int) -> Line:
        colours = self.colours
        price_digits, qty_digits = self._digits(item)
        why = "; ".join(reasons(item))
        average = f"avg {drawing.number(item.avg_px, price_digits)}" if item.avg_px is not None else ""
        progress = f"{drawing.number(item.cum_qty, qty_digits)} of {drawing.number(item.order_qty, qty_digits)}"
        facts = drawing.joined(
            (
                item.client_order_id,
                kind(item),
                f"filled {progress}" if item.cum_qty else "",
                average,
                "other software" if item.is_external else f"by {item.operator}",
                f"exit {item.egress}" if item.egress else "",
                f"venue id {item.venue_order_id}" if item.venue_order_id else "",
            )
        )
        return ((f"{why}  ", colours.warn), (facts, colours.muted)) if why else ((facts, colours.muted),)

    def nothing(self) -> str:
        return "No open orders. n opens a ticket."

    def selection_of(self, item: Order) -> Selection:
        return Selection(account=item.account, instrument=item.instrument, order=item.client_order_id)

    def key_of(self, selection: Selection) -> str | None:
        return selection.order

    def title_parts(self, now: int) -> Sequence[str]:
        parts = [self.group_of(order) for order in self._items.values()]
        unknown, marked = parts.count(UNKNOWN), len(self._marks)
        return (
            f"{len(parts) - parts.count(DEAD)} open",
            f"{self.glyphs.unknown} {unknown} unknown" if unknown else "",
            f"{marked} marked" if marked else "",
        )

    def _symbol(self, order: Order) -> str:
        known = self.view.replica.instruments.get(order.instrument)
        return known.symbol if known is not None else order.instrument

    def _digits(self, order: Order) -> tuple[int, int]:
        """Of price and quantity; those of the figures themselves while the instrument is not listed."""
        known = self.view.replica.instruments.get(order.instrument)
        if known is not None:
            exact = order.price is not None and not is_multiple(order.price, known.tick)  # never shown as another price
            tick = known.tick if not exact or order.price is None else order.price
            return drawing.places(tick), drawing.places(known.lot)
        return drawing.places(order.price or Decimal(1)), drawing.places(order.order_qty)


_TIFS = {
    TimeInForce.GoodTillCancel: "GTC",
    TimeInForce.ImmediateOrCancel: "IOC",
    TimeInForce.FillOrKill: "FOK",
}


def kind(order: Order) -> str:
    """What sort of order in a few letters: LMT GTC, POST, MKT, and RED for one that may only reduce."""
    if order.order_type is OrderType.Market:
        word = "MKT"
    else:
        word = "POST" if order.post_only else f"LMT {_TIFS[order.time_in_force]}"
    if order.reduce_only:
        word = f"{word.removesuffix(' GTC')} RED"
    return f"{word.removesuffix(' GTC')} EXT" if order.is_external else word


def reasons(order: Order) -> tuple[str, ...]:
    """Why the order is where it is: its own reasons, and those of its newest request that has any."""
    own = order.reasons
    return own or next((request.reasons for request in reversed(order.requests) if request.reasons), ())
