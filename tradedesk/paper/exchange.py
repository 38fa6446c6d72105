"""The exchange as a pure value machine: accounts, balances, filters, orders, and the order flow of everyone else.

No socket, no clock, no global randomness: `now` (ns since the epoch) comes with every call and never goes back (an earlier
one counts as the latest seen), the seed with the market. Same seed and same calls, same fills. Ids begin at the
millisecond of the start, so that a restarted exchange does not use an id again.

What is kept: books of the flow are bounded by the market, tape and candles by their own limits; client orders and client
trades stay for the life of the exchange. Events wait until `drain`: whoever calls must drain after every call.
"""

from collections.abc import Sequence
from decimal import Decimal
from functools import partial

from msgspec import Struct

from tradedesk.paper.book import Book, Match
from tradedesk.paper.candles import INTERVALS
from tradedesk.paper.ledger import Ledger, from_units
from tradedesk.paper.market import Action, Market, Rest, SetLevel, Take, Traded, Withdraw
from tradedesk.paper.rows import (
    AccountChanged,
    AccountSpec,
    AggTrade,
    Amended,
    Amendment,
    BookDelta,
    BookTicker,
    Cancelled,
    CancelReplaced,
    Depth,
    ExchangeEvent,
    Execution,
    Kind,
    Kline,
    ListCancelled,
    ListRow,
    Movement,
    NewList,
    NewOrder,
    OrderRow,
    PreventedMatch,
    Print,
    Refusal,
    Spec,
    Status,
    Ticker24h,
    TradeRow,
)
from tradedesk.paper.rules import Grid, check_client_id, check_filters, check_parameters, refuse_filter
from tradedesk.paper.tape import Tape

_ZERO = Decimal(0)


def _not_yet() -> Refusal:
    return Refusal(-1000, "This operation is not open yet.", 503)


class _Instrument:
    """One instrument: its rules, its book, its tape."""

    __slots__ = ("book", "grid", "spec", "tape")

    def __init__(self, spec: Spec, first_id: int, touched: dict[str, None]) -> None:
        self.spec = spec
        self.grid = Grid.of(spec)
        self.book = Book(first_id, spec.symbol, touched)
        self.tape = Tape(spec.symbol, spec.tick, spec.lot, self.grid.tick_lot, first_id)

    def reference(self, now: int) -> Decimal | None:
        average = self.tape.average(now)
        if average is not None:
            return average
        best = [price for price in (self.book.best_bid(), self.book.best_ask()) if price is not None]
        return sum(best) * self.spec.tick / len(best) if best else None


class _Account:
    """One account: its terms and its orders."""

    __slots__ = ("by_client_id", "maker", "open", "open_in", "orders", "spec", "taker", "trades")

    def __init__(self, spec: AccountSpec) -> None:
        self.spec = spec
        self.maker = spec.maker.as_integer_ratio()
        self.taker = spec.taker.as_integer_ratio()
        self.open: dict[int, _Order] = {}
        self.open_in: dict[str, int] = {}  # by symbol, how many of them
        self.by_client_id: dict[tuple[str, str], _Order] = {}  # (symbol, client id) -> the newest
        self.orders: dict[str, list[_Order]] = {}  # by symbol, oldest first
        self.trades: dict[str, list[TradeRow]] = {}

    def opened(self, order: "_Order") -> None:
        symbol = order.instrument.spec.symbol
        self.open[order.id] = order
        self.open_in[symbol] = self.open_in.get(symbol, 0) + 1
        self.by_client_id[(symbol, order.client_id)] = order
        self.orders.setdefault(symbol, []).append(order)

    def closed(self, order: "_Order") -> None:
        del self.open[order.id]
        self.open_in[order.instrument.spec.symbol] -= 1


class _Order:
    """A client's order while it lives, and after; `row` shows it."""

    __slots__ = (  # noqa: RUF023 - in the order of __init__
        "account", "instrument", "id", "client_id", "is_buy", "kind", "tif", "price", "price_shown", "lots", "orig_qty",
        "orig_quote", "locked", "filled", "quote", "status", "reason", "is_working", "time", "update_time",
        "stp_mode",
    )  # fmt: skip

    def __init__(
        self, account: _Account, instrument: _Instrument, order: NewOrder, ready: "_Ready", *, order_id: int, now: int
    ) -> None:
        self.account = account
        self.instrument = instrument
        self.id = order_id
        self.client_id = order.client_order_id or f"auto-{order_id}"
        self.is_buy = order.side == "BUY"
        self.kind = order.kind
        self.tif = order.time_in_force or "GTC"
        self.price = ready.price  # ticks, 0 for a market order
        self.price_shown = order.price or _ZERO
        self.lots = ready.lots
        self.orig_qty = ready.lots * instrument.spec.lot
        self.orig_quote = order.quote_quantity or _ZERO
        self.stp_mode = order.stp_mode or instrument.spec.default_stp_mode
        self.locked = ready.lock  # units of what it gives
        self.filled = 0  # lots
        self.quote = 0  # ticks x lots traded
        self.status = Status.NEW
        self.reason: str | None = None
        self.is_working = True
        self.time = now
        self.update_time = now

    @property
    def is_open(self) -> bool:
        return self.status in (Status.NEW, Status.PARTIALLY_FILLED)

    def row(self, fills: tuple[TradeRow, ...] = ()) -> OrderRow:
        instrument = self.instrument
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
            executed_qty=self.filled * instrument.spec.lot,
            cumulative_quote=from_units(self.quote * instrument.grid.tick_lot),
            status=self.status,
            stp_mode=self.stp_mode,
            time=self.time,
            update_time=self.update_time,
            working_time=self.time,
            is_working=self.is_working,
            expiry_reason=self.reason,
            fills=fills,
        )


class _Ready(Struct, frozen=True):
    """An order that passed every check, in whole ticks and lots."""

    price: int
    lots: int
    lock: int  # units of what it gives


class Exchange:
    """All instruments and accounts. Not thread-safe: one caller (the server's loop, or a simulation)."""

    def __init__(self, specs: Sequence[Spec], accounts: Sequence[AccountSpec], market: Market, *, now: int) -> None:
        first_id = now // 1_000_000 + 1
        self._now = now
        self._market = market
        self._touched: dict[str, None] = {}  # instruments whose book changed, for `touched`
        self._instruments = {spec.symbol: _Instrument(spec, first_id, self._touched) for spec in specs}
        self._books = {symbol: instrument.book for symbol, instrument in self._instruments.items()}
        self._accounts = {spec.name: _Account(spec) for spec in accounts}
        self._ledger = Ledger(accounts)
        self._orders: dict[int, _Order] = {}
        self._events: list[ExchangeEvent] = []
        self._next_order_id = first_id
        self._next_execution_id = first_id
        self._next_cancel = first_id
        self._next_taker = -1  # tells the flow's takers apart; clients' are told by their order ids
        for symbol, instrument in self._instruments.items():
            instrument.tape.begin(partial(market.history, symbol, now))
        for action in market.opening(now):
            self._perform(action)

    # -- time and what happened -------------------------------------------------------------------------------------
    def advance(self, now: int) -> None:
        """Let the market's own flow act up to and including `now`."""
        now = max(now, self._now)
        for action in self._market.act(now, self._books):
            self._perform(action)
        self._now = now

    def next_due(self) -> int | None:
        """When the flow acts next (ns), or None if it never does."""
        return self._market.next_due()

    @property
    def market_ended(self) -> bool:
        """Whether the flow has stopped for good: a replay at its end."""
        return self._market.ended

    def drain(self) -> list[ExchangeEvent]:
        """Executions, balance changes and prints since the last call, in the order they happened."""
        events, self._events = self._events, []
        return events

    def touched(self) -> list[str]:
        """The instruments whose book changed since the last call, each once."""
        symbols = list(self._touched)
        self._touched.clear()
        return symbols

    def forget_book_changes(self, symbol: str) -> None:
        """The next delta begins with what changes from here on."""
        self._instrument(symbol).book.forget_changes()

    def take_book_delta(self, symbol: str) -> BookDelta | None:
        """What changed on the book since the last take; None if nothing did. Ids join without a hole."""
        instrument = self._instrument(symbol)
        changes = instrument.book.take_changes()
        if changes is None:
            return None
        first, last, bids, asks = changes
        return BookDelta(
            symbol=symbol,
            first_update_id=first,
            last_update_id=last,
            bids=_levels(instrument, bids),
            asks=_levels(instrument, asks),
        )

    # -- orders (each raises Refusal) ---------------------------------------------------------------------------------
    def check(self, account: str, order: NewOrder, now: int) -> None:
        """order/test: every check of place(), no effect."""
        self.advance(now)
        self._vet(self._accounts[account], order)

    def place(self, account: str, order: NewOrder, now: int) -> OrderRow:
        """The order as it stands when the request is done, with the fills it had at once."""
        self.advance(now)
        return self._place(self._accounts[account], order)

    def cancel(
        self,
        account: str,
        symbol: str,
        now: int,
        *,
        order_id: int | None = None,
        client_order_id: str | None = None,
        new_client_order_id: str | None = None,
        restrictions: str | None = None,
    ) -> Cancelled:
        """By either id; by both they must name the same order (-2039)."""
        self.advance(now)
        return self._cancel(
            account,
            symbol,
            order_id=order_id,
            client_order_id=client_order_id,
            cancel_id=new_client_order_id,
            restrictions=restrictions,
        )

    def cancel_all(self, account: str, symbol: str, now: int) -> list[Cancelled]:
        """All open orders of the symbol, oldest first; -2011 if there is none."""
        self.advance(now)
        self._instrument(symbol)
        found = [o for o in self._accounts[account].open.values() if o.instrument.spec.symbol == symbol]
        if not found:
            raise Refusal(-2011, "Unknown order sent.")
        return [self._end_by_cancel(order, None) for order in found]

    def cancel_replace(
        self,
        account: str,
        order: NewOrder,
        now: int,
        *,
        stop_on_failure: bool,
        order_id: int | None = None,
        client_order_id: str | None = None,
        cancel_client_order_id: str | None = None,
        restrictions: str | None = None,
    ) -> CancelReplaced:
        """Parameters and filters of the new order come first and raise; then each leg may fail for itself."""
        self.advance(now)
        instrument = self._instrument(order.symbol)
        check_parameters(order)
        check_filters(instrument.spec, instrument.grid, order, instrument.reference(self._now))
        cancel: Cancelled | Refusal
        try:
            cancel = self._cancel(
                account,
                order.symbol,
                order_id=order_id,
                client_order_id=client_order_id,
                cancel_id=cancel_client_order_id,
                restrictions=restrictions,
            )
        except Refusal as refusal:
            if stop_on_failure or refusal.code == -1102:
                return CancelReplaced(cancel=refusal, new=None)
            cancel = refusal
        new: OrderRow | Refusal
        try:
            new = self._place(self._accounts[account], order)
        except Refusal as refusal:
            new = refusal
        return CancelReplaced(cancel=cancel, new=new)

    def amend_keep_priority(
        self,
        account: str,
        symbol: str,
        now: int,
        *,
        new_qty: Decimal,
        order_id: int | None = None,
        client_order_id: str | None = None,
        new_client_order_id: str | None = None,
    ) -> Amended:
        """Less quantity, same place in the queue. Without a new client id the exchange makes one."""
        raise _not_yet()

    # -- order lists (each raises Refusal) ----------------------------------------------------------------------------
    def place_list(self, account: str, new: NewList, now: int) -> ListRow:
        """The list as it stands when the request is done, its orders with the fills they had at once."""
        raise _not_yet()

    def cancel_list(
        self,
        account: str,
        symbol: str,
        now: int,
        *,
        order_list_id: int | None = None,
        list_client_order_id: str | None = None,
        new_client_order_id: str | None = None,
    ) -> ListCancelled:
        """By either id. -2011 if there is no such open list."""
        raise _not_yet()

    def order_list(
        self, account: str, *, order_list_id: int | None = None, list_client_order_id: str | None = None
    ) -> ListRow:
        """By either id; by client id the newest with that id is meant. Raises Refusal -2018 when there is none."""
        raise _not_yet()

    def order_lists(
        self,
        account: str,
        *,
        from_id: int | None = None,
        start: int | None = None,
        end: int | None = None,
        limit: int = 500,
    ) -> list[ListRow]:
        """Oldest first: from `from_id` or `start` on, else the newest. `from_id` goes with neither time (-1128)."""
        raise _not_yet()

    def open_order_lists(self, account: str) -> list[ListRow]:
        """Oldest first."""
        raise _not_yet()

    # -- what the venue itself does -----------------------------------------------------------------------------------
    def set_status(self, symbol: str, status: str, now: int) -> None:
        """TRADING, HALT, BREAK or CANCEL_ONLY: all but the first take no new orders, cancels go on. ValueError if other."""
        raise _not_yet()

    def set_spec(self, spec: Spec, now: int) -> None:
        """Filters change under way; open orders stay as they are. ValueError if symbol, assets, tick or lot differ in
        a way that resting orders cannot be expressed in."""
        raise _not_yet()

    def bust(self, symbol: str, trade_id: int, now: int) -> list[TradeRow]:
        """Undo a trade of clients: balances go back, it is gone from myTrades; its order rows keep what they say.

        Returns the rows removed. ValueError if no client had it, or an account no longer holds what it would give back.
        """
        raise _not_yet()

    def move(self, account: str, asset: str, amount: Decimal, kind: str, now: int, *, reference: str = "") -> Movement:
        """Money comes (amount above 0) or goes; -2010 if the free balance is less than what goes."""
        raise _not_yet()

    def movements(
        self,
        account: str,
        *,
        kind: str | None = None,
        asset: str | None = None,
        from_id: int | None = None,
        start: int | None = None,
        end: int | None = None,
        limit: int = 500,
    ) -> list[Movement]:
        """Oldest first: from `from_id` or `start` on, else the newest."""
        raise _not_yet()

    # -- queries ------------------------------------------------------------------------------------------------------
    def amendments(
        self, account: str, symbol: str, *, order_id: int, from_execution_id: int | None = None, limit: int = 500
    ) -> list[Amendment]:
        """Of one order, oldest first."""
        raise _not_yet()

    def prevented_matches(
        self,
        account: str,
        symbol: str,
        *,
        match_id: int | None = None,
        order_id: int | None = None,
        from_match_id: int | None = None,
        limit: int = 500,
    ) -> list[PreventedMatch]:
        """Oldest first: the one of `match_id`, or those of `order_id`, from `from_match_id` on. One of the two is needed."""
        raise _not_yet()

    def order(
        self, account: str, symbol: str, *, order_id: int | None = None, client_order_id: str | None = None
    ) -> OrderRow:
        """By client id the newest with that id is meant. Raises Refusal -2013."""
        order = self._find(account, symbol, order_id, client_order_id)
        if order is None:
            raise Refusal(-2013, "Order does not exist.")
        return order.row()

    def open_orders(self, account: str, symbol: str | None = None) -> list[OrderRow]:
        """Oldest first."""
        if symbol is not None:
            self._instrument(symbol)
        orders = self._accounts[account].open.values()
        return [o.row() for o in orders if symbol is None or o.instrument.spec.symbol == symbol]

    def all_orders(
        self,
        account: str,
        symbol: str,
        *,
        order_id: int | None = None,
        start: int | None = None,
        end: int | None = None,
        limit: int = 500,
    ) -> list[OrderRow]:
        """Oldest first: from `order_id` or `start` on, else the newest."""
        self._instrument(symbol)
        found = [
            order
            for order in self._accounts[account].orders.get(symbol, ())
            if (order_id is None or order.id >= order_id)
            and (start is None or order.time >= start)
            and (end is None or order.time <= end)
        ]
        from_start = order_id is not None or start is not None
        return [order.row() for order in (found[:limit] if from_start else found[-limit:])]

    def my_trades(
        self,
        account: str,
        symbol: str,
        *,
        order_id: int | None = None,
        from_id: int | None = None,
        start: int | None = None,
        end: int | None = None,
        limit: int = 500,
    ) -> list[TradeRow]:
        """Oldest first: from `from_id` or `start` on, else the newest."""
        self._instrument(symbol)
        found = [
            trade
            for trade in self._accounts[account].trades.get(symbol, ())
            if (order_id is None or trade.order_id == order_id)
            and (from_id is None or trade.trade_id >= from_id)
            and (start is None or trade.time >= start)
            and (end is None or trade.time <= end)
        ]
        return found[:limit] if from_id is not None or start is not None else found[-limit:]

    def balances(self, account: str) -> dict[str, tuple[Decimal, Decimal]]:
        """asset -> (free, locked), every asset the account ever held."""
        return self._ledger.rows(account)

    def account_spec(self, account: str) -> AccountSpec:
        return self._accounts[account].spec

    # -- market data --------------------------------------------------------------------------------------------------
    def spec(self, symbol: str) -> Spec:
        """Raises Refusal -1121."""
        return self._instrument(symbol).spec

    def specs(self) -> list[Spec]:
        return [instrument.spec for instrument in self._instruments.values()]

    def depth(self, symbol: str, limit: int = 100) -> Depth:
        instrument = self._instrument(symbol)
        book = instrument.book
        return Depth(
            last_update_id=book.update_id,
            bids=_levels(instrument, book.depth(True, limit)),
            asks=_levels(instrument, book.depth(False, limit)),
        )

    def book_ticker(self, symbol: str) -> BookTicker:
        instrument = self._instrument(symbol)
        book = instrument.book
        bids, asks = _levels(instrument, book.depth(True, 1)), _levels(instrument, book.depth(False, 1))
        bid, bid_qty = bids[0] if bids else (None, None)
        ask, ask_qty = asks[0] if asks else (None, None)
        return BookTicker(symbol=symbol, update_id=book.update_id, bid=bid, bid_qty=bid_qty, ask=ask, ask_qty=ask_qty)

    def recent_trades(self, symbol: str, limit: int = 500, from_id: int | None = None) -> list[Print]:
        """Oldest first: from `from_id` on, else the newest. Of the tape, which remembers the last 10,000."""
        return self._instrument(symbol).tape.prints(limit, from_id)

    def last_trade_time(self, symbol: str) -> int:
        """0 before any trade since the start."""
        return self._instrument(symbol).tape.last_time

    def agg_trades(
        self,
        symbol: str,
        *,
        from_id: int | None = None,
        start: int | None = None,
        end: int | None = None,
        limit: int = 500,
    ) -> list[AggTrade]:
        """Oldest first: from `from_id` or `start` on, else the newest."""
        return self._instrument(symbol).tape.aggregates(from_id, start, end, limit)

    def klines(
        self,
        symbol: str,
        interval: str,
        now: int,
        *,
        start: int | None = None,
        end: int | None = None,
        limit: int = 500,
        offset: int = 0,
    ) -> list[Kline]:
        """Oldest first, the last one may be open. Before the start of the exchange the market's own history stands.

        `offset` (ns ahead of UTC) says in which zone hours, days, weeks and months begin.
        """
        if interval not in INTERVALS:
            raise Refusal(-1120, "Invalid interval.")
        return self._instrument(symbol).tape.klines(interval, max(now, self._now), start, end, limit, offset)

    def ticker(self, symbol: str, now: int) -> Ticker24h:
        return self._instrument(symbol).tape.ticker(max(now, self._now))

    def statistics(self, symbol: str, now: int, start: int) -> Ticker24h:
        """Over the trades from `start` on, a whole minute."""
        return self._instrument(symbol).tape.statistics(start, max(now, self._now))

    def last_price(self, symbol: str) -> Decimal:
        """0 before any trade."""
        instrument = self._instrument(symbol)
        return (instrument.tape.last or 0) * instrument.spec.tick

    def average_price(self, symbol: str, now: int) -> Decimal:
        """Over the last five minutes; the last price if nothing traded; the middle of the book before any trade.

        0 if the book is empty as well.
        """
        return self._instrument(symbol).reference(max(now, self._now)) or _ZERO

    # -- placing and ending orders ------------------------------------------------------------------------------------
    def _instrument(self, symbol: str) -> _Instrument:
        instrument = self._instruments.get(symbol)
        if instrument is None:
            raise Refusal(-1121, "Invalid symbol.")
        return instrument

    def _vet(self, account: _Account, order: NewOrder) -> _Ready:
        instrument = self._instrument(order.symbol)
        check_parameters(order)
        spec, grid, book = instrument.spec, instrument.grid, instrument.book
        price, lots, amount = check_filters(spec, grid, order, instrument.reference(self._now))
        if spec.status != "TRADING":
            raise Refusal(-2010, "Market is closed.")
        is_buy = order.side == "BUY"
        limit = price or None
        if amount:
            lots, _ = book.affordable(is_buy, amount // grid.tick_lot)
            if not lots and book.depth(not is_buy, 1):
                raise refuse_filter("LOT_SIZE")
            if lots * spec.lot > spec.max_market_qty:
                raise refuse_filter("MARKET_LOT_SIZE")
        if account.open_in.get(spec.symbol, 0) >= spec.max_orders:
            raise refuse_filter("MAX_NUM_ORDERS")
        known = account.by_client_id.get((order.symbol, order.client_order_id or ""))
        if known is not None and known.is_open:
            raise Refusal(-2010, "Duplicate order sent.")
        if is_buy:
            lock = (price * lots if limit else book.available(True, None, lots)[1]) * grid.tick_lot
        else:
            lock = lots * grid.lot
        if lock > self._ledger.free(account.spec.name, spec.quote if is_buy else spec.base):
            raise Refusal(-2010, "Account has insufficient balance for requested action.")
        if order.kind is Kind.LIMIT_MAKER and book.would_take(is_buy, price):
            raise Refusal(-2010, "Order would immediately match and take.")
        return _Ready(price, lots, lock)

    def _place(self, account: _Account, new: NewOrder) -> OrderRow:
        ready = self._vet(account, new)
        instrument = self._instruments[new.symbol]
        order = _Order(account, instrument, new, ready, order_id=self._next_order_id, now=self._now)
        self._next_order_id += 1
        self._orders[order.id] = order
        account.opened(order)
        given = instrument.spec.quote if order.is_buy else instrument.spec.base
        self._ledger.lock(account.spec.name, given, order.locked)
        self._report("NEW", order)
        self._balances_changed(account, (given,))

        book, limit = instrument.book, order.price or None
        fills: list[TradeRow] = []
        if order.tif != "FOK" or book.available(order.is_buy, limit, order.lots)[0] == order.lots:
            for match in book.match(order.is_buy, limit, order.lots):
                fills.append(self._client_takes(order, match))
        if order.is_open:
            if order.kind is Kind.MARKET:
                self._expire(order, "INSUFFICIENT_LIQUIDITY")
            elif order.tif == "IOC":
                self._expire(order, "UNFILLED_IOC_QUANTITY_EXPIRED")
            elif order.tif == "FOK":
                self._expire(order, "UNFILLED_FOK_ORDER_EXPIRED")
            else:
                book.rest(order.id, order.is_buy, order.price, order.lots - order.filled, order)
        return order.row(tuple(fills))

    def _find(self, account: str, symbol: str, order_id: int | None, client_order_id: str | None) -> _Order | None:
        self._instrument(symbol)
        if order_id is None and not client_order_id:
            raise Refusal(-1102, "Param 'origClientOrderId' or 'orderId' must be sent, but both were empty/null!")
        holder = self._accounts[account]
        if order_id is None:
            return holder.by_client_id.get((symbol, client_order_id or ""))
        order = self._orders.get(order_id)
        if order is None or order.account is not holder or order.instrument.spec.symbol != symbol:
            return None
        if client_order_id and order.client_id != client_order_id:
            raise Refusal(-2039, "Client order ID is not correct for this order ID.")
        return order

    def _cancel(
        self,
        account: str,
        symbol: str,
        *,
        order_id: int | None,
        client_order_id: str | None,
        cancel_id: str | None,
        restrictions: str | None,
    ) -> Cancelled:
        check_client_id(cancel_id)
        order = self._find(account, symbol, order_id, client_order_id)
        if order is None or not order.is_open:
            raise Refusal(-2011, "Unknown order sent.")
        allowed = {None: order.status, "ONLY_NEW": Status.NEW, "ONLY_PARTIALLY_FILLED": Status.PARTIALLY_FILLED}
        if restrictions not in allowed:
            raise Refusal(-1130, "Data sent for parameter 'cancelRestrictions' is not valid.")
        if order.status is not allowed[restrictions]:
            raise Refusal(-2011, "Order was not canceled due to cancel restrictions.")
        return self._end_by_cancel(order, cancel_id)

    def _end_by_cancel(self, order: _Order, cancel_id: str | None) -> Cancelled:
        if cancel_id is None:
            cancel_id = f"cancel-{self._next_cancel}"
            self._next_cancel += 1
        order.instrument.book.withdraw(order.id)
        self._end(order, Status.CANCELED, "CANCELED", cancel_id)
        return Cancelled(order.row(), cancel_id)

    def _expire(self, order: _Order, reason: str) -> None:
        order.reason = reason
        self._end(order, Status.EXPIRED, "EXPIRED", "")

    def _end(self, order: _Order, status: Status, what: str, cancel_id: str) -> None:
        spec = order.instrument.spec
        given = spec.quote if order.is_buy else spec.base
        self._ledger.unlock(order.account.spec.name, given, order.locked)
        order.locked = 0
        order.status = status
        order.is_working = False
        order.update_time = self._now
        order.account.closed(order)
        self._report(what, order, cancel_id=cancel_id)
        self._balances_changed(order.account, (given,))

    # -- trading ------------------------------------------------------------------------------------------------------
    def _client_takes(self, order: _Order, match: Match) -> TradeRow:
        instrument = order.instrument
        printed = self._print(instrument, match.price, match.lots, order.is_buy, order.id)
        maker = match.resting.owner
        if isinstance(maker, _Order):
            self._fill(maker, match.price, match.lots, printed.trade_id, is_maker=True)
        else:
            self._market.taken(instrument.spec.symbol, not order.is_buy, match.price, match.lots)
        return self._fill(order, match.price, match.lots, printed.trade_id, is_maker=False)

    def _flow_takes(self, instrument: _Instrument, is_buy: bool, matches: list[Match]) -> int:
        """The flow trades: each match on the tape, clients' sides filled. Returns the lots traded."""
        for match in matches:
            printed = self._print(instrument, match.price, match.lots, is_buy, self._next_taker)
            maker = match.resting.owner
            if isinstance(maker, _Order):
                self._fill(maker, match.price, match.lots, printed.trade_id, is_maker=True)
        return sum(match.lots for match in matches)

    def _print(self, instrument: _Instrument, price: int, lots: int, taker_buys: bool, taker_order: int) -> Print:
        printed = instrument.tape.trade(price, lots, self._now, not taker_buys, taker_order)
        self._events.append(printed)
        return printed

    def _fill(self, order: _Order, price: int, lots: int, trade_id: int, *, is_maker: bool) -> TradeRow:
        instrument, account = order.instrument, order.account
        spec, grid = instrument.spec, instrument.grid
        name = account.spec.name
        quote_units, base_units = price * lots * grid.tick_lot, lots * grid.lot
        numerator, denominator = account.maker if is_maker else account.taker
        if order.is_buy:
            used = (order.price or price) * lots * grid.tick_lot
            order.locked -= used
            self._ledger.unlock(name, spec.quote, used - quote_units)  # the price was better than the order's
            received, commission = spec.base, base_units * numerator // denominator
            self._ledger.exchange(name, spec.quote, quote_units, received, gross=base_units, commission=commission)
        else:
            order.locked -= base_units
            received, commission = spec.quote, quote_units * numerator // denominator
            self._ledger.exchange(name, spec.base, base_units, received, gross=quote_units, commission=commission)
        order.filled += lots
        order.quote += price * lots
        order.update_time = self._now
        if order.filled == order.lots:
            order.status = Status.FILLED
            order.is_working = False
            account.closed(order)
        else:
            order.status = Status.PARTIALLY_FILLED
        trade = TradeRow(
            symbol=spec.symbol,
            trade_id=trade_id,
            order_id=order.id,
            client_order_id=order.client_id,
            price=price * spec.tick,
            quantity=lots * spec.lot,
            commission=from_units(commission),
            commission_asset=received,
            time=self._now,
            is_buyer=order.is_buy,
            is_maker=is_maker,
        )
        account.trades.setdefault(spec.symbol, []).append(trade)
        self._report("TRADE", order, fill=trade)
        self._balances_changed(account, (spec.base, spec.quote))
        return trade

    def _report(self, what: str, order: _Order, *, fill: TradeRow | None = None, cancel_id: str = "") -> None:
        self._events.append(
            Execution(
                what=what,
                row=order.row(),
                execution_id=self._next_execution_id,
                time=self._now,
                fill=fill,
                cancel_client_order_id=cancel_id,
            )
        )
        self._next_execution_id += 1

    def _balances_changed(self, account: _Account, assets: tuple[str, ...]) -> None:
        name = account.spec.name
        balances = {asset: self._ledger.row(name, asset) for asset in assets}
        self._events.append(AccountChanged(account=name, balances=balances, time=self._now))

    # -- the flow -----------------------------------------------------------------------------------------------------
    def _perform(self, action: Action) -> None:
        self._now = max(self._now, action.at)
        self._next_taker -= 1
        instrument = self._instruments[action.symbol]
        book = instrument.book
        match action:
            case Rest(key=key, is_buy=is_buy, price=price, lots=lots):
                lots -= self._flow_takes(instrument, is_buy, book.match(is_buy, price, lots))
                if lots:
                    book.rest(key, is_buy, price, lots)
            case Take(is_buy=is_buy, limit=limit, lots=lots):
                self._flow_takes(instrument, is_buy, book.match(is_buy, limit, lots))
            case Withdraw(key=key):
                book.withdraw(key)
            case SetLevel(key=key, is_buy=is_buy, price=price, lots=lots):
                joins = lots - book.flow_lots_at(is_buy, price)
                if joins > 0 and book.would_take(is_buy, price):
                    met = self._flow_takes(instrument, is_buy, book.match_owned(is_buy, price, joins))
                    if met:
                        self._market.taken(action.symbol, is_buy, price, met)
                        lots -= met
                book.set_flow(key, is_buy, price, lots)
            case Traded(is_buy=is_buy, price=price, lots=lots):
                better = price - 1 if is_buy else price + 1
                met = self._flow_takes(instrument, is_buy, book.match_owned(is_buy, better, lots))
                if met < lots:
                    met += self._flow_takes(instrument, is_buy, book.match_at(is_buy, price, lots - met))
                if met < lots:
                    self._print(instrument, price, lots - met, is_buy, self._next_taker)


def _levels(instrument: _Instrument, levels: list[tuple[int, int]]) -> tuple[tuple[Decimal, Decimal], ...]:
    tick, lot = instrument.spec.tick, instrument.spec.lot
    return tuple((price * tick, lots * lot) for price, lots in levels)
