"""What the exchange keeps of its clients: instruments with their books, accounts, their orders and order lists.

Plain objects that change; what changes them, and when, is engine.py's to decide. All amounts are whole units, ticks and lots.
"""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from msgspec import Struct

from tradedesk.paper.book import Book
from tradedesk.paper.ids import made_id
from tradedesk.paper.ledger import from_units
from tradedesk.paper.rows import (
    AccountSpec,
    Amendment,
    Kind,
    ListRow,
    Movement,
    NewOrder,
    OrderRow,
    PreventedMatch,
    Spec,
    Status,
    TradeRow,
)
from tradedesk.paper.rules import MARKET_KINDS, STOP_KINDS, Grid
from tradedesk.paper.tape import Tape
from tradedesk.paper.triggers import Trigger, Triggers

ZERO = Decimal(0)
_MINUTE = 60_000_000_000  # ns


class Instrument:
    """One instrument: its rules, its book, its tape, and the orders that wait for a price.

    `spec` may change under way, and `filters` with it. The steps of the book may not: `grid`, `tick` and `lot` stay.
    """

    __slots__ = (
        "_average",
        "_average_at",
        "book",
        "filters",
        "grid",
        "lot",
        "spec",
        "tape",
        "tick",
        "trades",
        "triggers",
    )

    def __init__(self, spec: Spec, first_id: int, touched: dict[str, None]) -> None:
        self.spec = spec
        self.tick = spec.tick
        self.lot = spec.lot
        self.grid = self.filters = Grid.of(spec)
        self.book = Book(first_id, spec.symbol, touched)
        self.tape = Tape(spec.symbol, spec.tick, spec.lot, self.grid.tick_lot, first_id)
        self.triggers = Triggers()
        self.trades = 0  # on the tape since the start
        self._average: Decimal | None = None
        self._average_at = (-1, -1)

    def reference(self, now: int) -> Decimal | None:
        """What percent price and market notional are measured by: the average price, else the middle of the book."""
        at = (self.trades, now // _MINUTE)  # every order asks, and nothing else changes the average
        if at != self._average_at:
            self._average, self._average_at = self.tape.average(now), at
        if self._average is not None:
            return self._average
        bid, ask = self.book.best_bid(), self.book.best_ask()
        if bid is not None and ask is not None:
            return (bid + ask) * self.tick / 2
        best = ask if bid is None else bid
        return None if best is None else best * self.tick

    def given(self, is_buy: bool) -> str:
        """The asset an order of this side gives."""
        return self.spec.quote if is_buy else self.spec.base

    def levels(self, levels: list[tuple[int, int]]) -> tuple[tuple[Decimal, Decimal], ...]:
        """(price, lots) pairs of the book as (price, quantity)."""
        tick, lot = self.tick, self.lot
        return tuple((price * tick, lots * lot) for price, lots in levels)


MOST_ORDERS = 50_000  # kept of an account and symbol; beyond it the oldest are forgotten, a tenth at a time
MOST_ROWS = 100_000  # likewise trades of an account and symbol, its prevented matches, its movements


def forget_oldest(rows: list[Any]) -> None:
    """Keep a list of an account within its bound."""
    if len(rows) > MOST_ROWS:
        del rows[: MOST_ROWS // 10]


class Group:
    """Accounts that must not trade with each other, and how many orders they have open per symbol."""

    __slots__ = ("id", "open_in")

    def __init__(self, group_id: int) -> None:
        self.id = group_id  # -1 for an account that is in no group
        self.open_in: dict[str, int] = {}


class Account:
    """One account: its terms, its orders and what became of them."""

    __slots__ = (
        "amendments", "by_client_id", "group", "list_by_client_id", "lists", "maker", "movements", "open", "open_in",
        "open_lists", "orders", "prevented", "spec", "taker", "trades",
    )  # fmt: skip

    def __init__(self, spec: AccountSpec, group: Group) -> None:
        self.spec = spec
        self.group = group
        self.maker = spec.maker.as_integer_ratio()
        self.taker = spec.taker.as_integer_ratio()
        self.open: dict[int, Order] = {}
        self.open_in: dict[str, int] = {}  # by symbol, how many of them
        self.by_client_id: dict[tuple[str, str], Order] = {}  # (symbol, client id) -> the newest
        self.orders: dict[str, list[Order]] = {}  # by symbol, oldest first
        self.trades: dict[str, list[TradeRow]] = {}
        self.lists: dict[int, OrderList] = {}
        self.open_lists: dict[int, OrderList] = {}  # oldest first
        self.list_by_client_id: dict[str, OrderList] = {}  # the newest
        self.amendments: dict[int, list[Amendment]] = {}  # by order
        self.prevented: list[PreventedMatch] = []
        self.movements: list[Movement] = []

    def add(self, order: "Order") -> None:
        """An order that the exchange took."""
        symbol = order.instrument.spec.symbol
        self.by_client_id[(symbol, order.client_id)] = order
        self.orders.setdefault(symbol, []).append(order)
        if order.is_open:
            self.open[order.id] = order
            self.open_in[symbol] = self.open_in.get(symbol, 0) + 1
            self.group.open_in[symbol] = self.group.open_in.get(symbol, 0) + 1

    def forget(self, symbol: str) -> "list[Order]":
        """Drop the oldest tenth of the symbol's orders, with what is known of them; what is open stays, whole lists go."""
        gone: dict[int, Order] = {}
        for order in self.orders[symbol][: MOST_ORDERS // 10]:
            together = (order,) if order.order_list is None else order.order_list.orders
            if not any(one.is_open for one in together) and (order.order_list is None or not order.order_list.is_open):
                gone |= {one.id: one for one in together}
        self.orders[symbol] = [order for order in self.orders[symbol] if order.id not in gone]
        for order in gone.values():
            if self.by_client_id.get((symbol, order.client_id)) is order:
                del self.by_client_id[(symbol, order.client_id)]
            self.amendments.pop(order.id, None)
            order_list = order.order_list
            if order_list is not None:
                self.lists.pop(order_list.id, None)
                if self.list_by_client_id.get(order_list.client_id) is order_list:
                    del self.list_by_client_id[order_list.client_id]
        return list(gone.values())

    def add_list(self, order_list: "OrderList") -> None:
        """A list that the exchange took."""
        self.lists[order_list.id] = order_list
        self.list_by_client_id[order_list.client_id] = order_list
        if order_list.is_open:
            self.open_lists[order_list.id] = order_list

    def closed(self, order: "Order") -> None:
        symbol = order.instrument.spec.symbol
        del self.open[order.id]
        self.open_in[symbol] -= 1
        self.group.open_in[symbol] -= 1

    def count(self, symbol: str, which: Callable[["Order"], bool]) -> int:
        """Open orders of the symbol of which this holds."""
        return sum(1 for o in self.open.values() if o.instrument.spec.symbol == symbol and which(o))


class Ready(Struct, frozen=True):
    """An order that passed every check, in whole ticks, lots and units."""

    price: int
    lots: int
    stop: int
    peak: int
    lock: int  # units of what it gives


class Order:
    """A client's order while it lives, and after; `row` shows it."""

    __slots__ = (  # noqa: RUF023 - in the order of __init__
        "account", "instrument", "id", "client_id", "is_buy", "kind", "tif", "price", "price_shown", "lots", "peak",
        "orig_quote", "locked", "filled", "prevented", "quote", "status", "reason", "working_time", "time", "update_time",
        "stp_mode", "trigger", "strategy", "order_list", "prevented_match_id", "amends", "is_plain", "is_open", "orig_qty",
    )  # fmt: skip

    def __init__(
        self, account: Account, instrument: Instrument, order: NewOrder, ready: Ready, *, order_id: int, now: int
    ) -> None:
        self.account = account
        self.instrument = instrument
        self.id = order_id
        self.client_id = order.client_order_id or made_id("order", order_id)
        self.is_buy = order.side == "BUY"
        self.kind = order.kind
        self.tif = order.time_in_force or "GTC"
        self.price = ready.price  # ticks, 0 for a market order
        self.price_shown = order.price or ZERO
        self.lots = ready.lots
        self.peak = ready.peak  # lots that show; 0 for all of it
        self.orig_quote = order.quote_quantity or ZERO
        self.locked = ready.lock  # units of what it gives
        self.filled = 0  # lots
        self.prevented = 0  # lots lost to self-trade prevention
        self.quote = 0  # ticks x lots traded
        self.status = Status.NEW
        self.reason: str | None = None
        self.working_time = now  # -1 while it waits
        self.time = now
        self.update_time = now
        self.stp_mode = order.stp_mode or instrument.spec.default_stp_mode
        self.trigger: Trigger | None = None
        self.strategy = (order.strategy_id, order.strategy_type)
        self.order_list: OrderList | None = None
        self.prevented_match_id: int | None = None
        self.amends = 0
        self.is_plain = not ready.peak and self.strategy == (None, None)
        self.is_open = True
        self.orig_qty = ready.lots * instrument.lot
        if order.kind in STOP_KINDS:
            self.is_plain = False
            self.working_time = -1
            self.trigger = Trigger(
                self.id, is_buy=self.is_buy, is_stop=order.kind in (Kind.STOP_LOSS, Kind.STOP_LOSS_LIMIT),
                stop=ready.stop, delta=order.trailing_delta or 0, owner=self,
            )  # fmt: skip

    def resize(self, lots: int) -> None:
        self.lots = lots
        self.orig_qty = lots * self.instrument.lot

    @property
    def is_waiting(self) -> bool:
        """Open, and neither on the book nor in the middle of trading."""
        return self.working_time < 0

    @property
    def is_market(self) -> bool:
        return self.kind in MARKET_KINDS

    @property
    def leaves(self) -> int:
        return self.lots - self.filled - self.prevented

    def row(self, fills: tuple[TradeRow, ...] = ()) -> OrderRow:
        instrument = self.instrument
        if self.is_plain:  # most orders; the rest of the fields keep their defaults, which is much cheaper
            return OrderRow(
                account=self.account.spec.name,
                symbol=instrument.spec.symbol,
                order_id=self.id,
                client_order_id=self.client_id,
                side="BUY" if self.is_buy else "SELL",
                kind=self.kind,
                time_in_force=self.tif,
                price=self.price_shown,
                orig_qty=self.orig_qty,
                orig_quote_qty=self.orig_quote,
                executed_qty=self.filled * instrument.lot if self.filled else ZERO,
                cumulative_quote=from_units(self.quote * instrument.grid.tick_lot) if self.filled else ZERO,
                status=self.status,
                stp_mode=self.stp_mode,
                time=self.time,
                update_time=self.update_time,
                working_time=self.working_time,
                is_working=self.is_open,
                expiry_reason=self.reason,
                fills=fills,
            )
        trigger = self.trigger
        return OrderRow(
            account=self.account.spec.name,
            symbol=instrument.spec.symbol,
            order_id=self.id,
            client_order_id=self.client_id,
            side="BUY" if self.is_buy else "SELL",
            kind=self.kind,
            time_in_force=self.tif,
            price=self.price_shown,
            orig_qty=self.orig_qty,
            orig_quote_qty=self.orig_quote,
            executed_qty=self.filled * instrument.lot,
            cumulative_quote=from_units(self.quote * instrument.grid.tick_lot),
            status=self.status,
            stp_mode=self.stp_mode,
            time=self.time,
            update_time=self.update_time,
            working_time=self.working_time,
            is_working=self.is_open and not self.is_waiting,
            order_list_id=self.order_list.id if self.order_list else -1,
            stop_price=trigger.stop * instrument.tick if trigger else ZERO,
            trailing_delta=(trigger.delta or None) if trigger else None,
            trailing_time=trigger.since if trigger else None,
            iceberg_qty=self.peak * instrument.lot,
            strategy_id=self.strategy[0],
            strategy_type=self.strategy[1],
            prevented_match_id=self.prevented_match_id,
            prevented_quantity=self.prevented * instrument.lot,
            expiry_reason=self.reason,
            fills=fills,
        )


class OrderList:
    """Orders that depend on each other.

    `pair` cancels each other: both wait, or one stands on the book, until one trades or triggers; what they give is locked
    once, here, and passes to the leg that goes on. `working` must fill before `pending` is placed.
    """

    __slots__ = (
        "account", "client_id", "contingency_type", "id", "instrument", "is_open", "locked", "orders", "pair", "pending",
        "status_type", "time", "working",
    )  # fmt: skip

    def __init__(
        self, list_id: int, client_id: str, contingency_type: str, account: Account, instrument: Instrument, now: int
    ) -> None:
        self.id = list_id
        self.client_id = client_id
        self.contingency_type = contingency_type  # OCO; OTO if it starts with a working order
        self.account = account
        self.instrument = instrument
        self.orders: tuple[Order, ...] = ()
        self.pair: tuple[Order, Order] | None = None  # while it is undecided
        self.working: Order | None = None  # while it decides over `pending`
        self.pending: tuple[Order, ...] = ()
        self.locked = 0  # units of what the pair gives
        self.status_type = "EXEC_STARTED"
        self.is_open = True
        self.time = now

    def row(self, orders: tuple[OrderRow, ...] | None = None) -> ListRow:
        return ListRow(
            account=self.account.spec.name,
            symbol=self.instrument.spec.symbol,
            order_list_id=self.id,
            contingency_type=self.contingency_type,
            list_status_type=self.status_type,
            list_order_status="EXECUTING" if self.is_open else "ALL_DONE",
            list_client_order_id=self.client_id,
            transaction_time=self.time,
            orders=orders if orders is not None else tuple(order.row() for order in self.orders),
        )
