"""The exchange as a pure value machine: accounts, balances, filters, orders, and the order flow of everyone else.

No socket, no clock, no global randomness: `now` (ns since the epoch) comes with every call and never goes back (an earlier
one counts as the latest seen), the seed with the market. Same seed and same calls, same fills. Ids begin at the
millisecond of the start, so that a restarted exchange does not use an id again.

What is kept: books of the flow are bounded by the market, tape and candles by their own limits; what clients did (orders,
lists, trades, movements, amendments, prevented matches) stays for the life of the exchange. Events wait until `drain`: whoever calls must drain after every call.

This is the door: it sets the time, lets the flow act, and hands over. What happens then stands in engine.py (orders and
trades), flow.py (everyone else), lists.py (order lists) and corrections.py (amends, busts, movements, rules that change).
"""

from collections.abc import Sequence
from decimal import Decimal
from functools import partial

from msgspec import structs

from tradedesk.paper import corrections, lists
from tradedesk.paper.candles import INTERVALS
from tradedesk.paper.engine import Engine
from tradedesk.paper.flow import perform
from tradedesk.paper.market import Action, Market
from tradedesk.paper.orders import Order
from tradedesk.paper.rows import (
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
from tradedesk.paper.rules import check_client_id, check_filters, check_parameters
from tradedesk.paper.saved import Saved, restore, save

_ZERO = Decimal(0)


class Exchange:
    """All instruments and accounts. Not thread-safe: one caller (the server's loop, or a simulation)."""

    def __init__(
        self,
        specs: Sequence[Spec],
        accounts: Sequence[AccountSpec],
        market: Market,
        *,
        now: int,
        saved: Saved | None = None,
    ) -> None:
        """`saved` is what an earlier one left: its clients go on from there, their open orders stand again behind the
        flow, and what would cross it trades as taker. Raises ValueError if it names an account or symbol not given."""
        self._engine = Engine(specs, accounts, market, now=now)
        for symbol, instrument in self._engine.instruments.items():
            instrument.tape.begin(partial(market.history, symbol, now), now)
        for action in market.opening(now):
            perform(self._engine, action)
        if saved is not None:
            restore(self._engine, saved)

    # -- time and what happened -------------------------------------------------------------------------------------
    def advance(self, now: int) -> None:
        """Let the market's own flow act up to and including `now`."""
        engine = self._engine
        now = max(now, engine.now)
        for action in engine.market.act(now, engine.books):
            perform(engine, action)
        engine.now = now

    def next_due(self) -> int | None:
        """When the flow acts next (ns), or None if it never does."""
        return self._engine.market.next_due()

    @property
    def market_ended(self) -> bool:
        """Whether the flow has stopped for good: a replay at its end."""
        return self._engine.market.ended

    def drain(self) -> list[ExchangeEvent]:
        """What happened since the last call, in the order it happened."""
        events, self._engine.events = self._engine.events, []
        return events

    def touched(self) -> list[str]:
        """The instruments whose book changed since the last call, each once."""
        symbols = list(self._engine.touched)
        self._engine.touched.clear()
        return symbols

    def forget_book_changes(self, symbol: str) -> None:
        """The next delta begins with what changes from here on."""
        self._engine.instrument(symbol).book.forget_changes()

    def take_book_delta(self, symbol: str) -> BookDelta | None:
        """What changed on the book since the last take; None if nothing did. Ids join without a hole."""
        instrument = self._engine.instrument(symbol)
        changes = instrument.book.take_changes()
        if changes is None:
            return None
        first, last, bids, asks = changes
        return BookDelta(
            symbol=symbol,
            first_update_id=first,
            last_update_id=last,
            bids=instrument.levels(bids),
            asks=instrument.levels(asks),
        )

    def saved(self) -> Saved:
        """The clients' side as it stands, for a later exchange to start from."""
        return save(self._engine)

    # -- orders (each raises Refusal) ---------------------------------------------------------------------------------
    def check(self, account: str, order: NewOrder, now: int) -> None:
        """order/test: every check of place(), no effect."""
        self.advance(now)
        self._engine.vet(self._engine.accounts[account], order)

    def place(self, account: str, order: NewOrder, now: int) -> OrderRow:
        """The order as it stands when the request is done, with the fills it had at once."""
        self.advance(now)
        return self._place(account, order)

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
        """By either id; by both they must name the same order (-2039). An order of a list takes its list with it."""
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
        """All open orders of the symbol, oldest first; -2011 if there is none. A list is told at its first order."""
        self.advance(now)
        self._engine.instrument(symbol)
        found = [o for o in self._engine.accounts[account].open.values() if o.instrument.spec.symbol == symbol]
        if not found:
            raise Refusal(-2011, "Unknown order sent.")
        return [self._end_by_cancel(order, None) for order in found if order.is_open]

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
        """Parameters and filters of the new order come first and raise; then each leg may fail for itself.

        A new order that is refused when the old one is gone already is told as REJECTED; no query knows it.
        """
        self.advance(now)
        instrument = self._engine.instrument(order.symbol)
        check_parameters(order)
        check_filters(instrument.spec, instrument.filters, order, instrument.reference(self._engine.now))
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
            new = self._place(account, order)
        except Refusal as refusal:
            new = refusal
            if isinstance(cancel, Cancelled):
                self._engine.reject(self._engine.accounts[account], order, refusal.message)
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
        self.advance(now)
        try:
            order = self._find(account, symbol, order_id, client_order_id)
        except Refusal as refusal:
            raise Refusal(-2038, refusal.message) if refusal.code == -2039 else refusal from None
        return corrections.amend(self._engine, order, new_qty, new_client_order_id)

    # -- order lists (each raises Refusal) ----------------------------------------------------------------------------
    def place_list(self, account: str, new: NewList, now: int) -> ListRow:
        """The list as it stands when the request is done, its orders with the fills they had at once."""
        self.advance(now)
        row = lists.place(self._engine, self._engine.accounts[account], new)
        self._engine.settle()
        return row

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
        self.advance(now)
        self._engine.instrument(symbol)
        check_client_id(new_client_order_id)
        order_list = lists.find(self._engine.accounts[account], order_list_id, list_client_order_id)
        if order_list is None or not order_list.is_open or order_list.instrument.spec.symbol != symbol:
            raise Refusal(-2011, "Unknown order sent.")
        return lists.cancel(self._engine, order_list, self._cancel_id(new_client_order_id))

    def order_list(
        self, account: str, *, order_list_id: int | None = None, list_client_order_id: str | None = None
    ) -> ListRow:
        """By either id; by client id the newest with that id is meant. Raises Refusal -2018 when there is none."""
        order_list = lists.find(self._engine.accounts[account], order_list_id, list_client_order_id)
        if order_list is None:
            raise Refusal(-2018, "Order list does not exist.")
        return order_list.row()

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
        if from_id is not None and (start is not None or end is not None):
            raise Refusal(-1128, "Combination of optional parameters invalid.")
        found = [
            one
            for one in self._engine.accounts[account].lists.values()
            if (from_id is None or one.id >= from_id)
            and (start is None or one.time >= start)
            and (end is None or one.time <= end)
        ]
        from_start = from_id is not None or start is not None
        return [one.row() for one in (found[:limit] if from_start else found[-limit:])]

    def open_order_lists(self, account: str) -> list[ListRow]:
        """Oldest first."""
        return [one.row() for one in self._engine.accounts[account].lists.values() if one.is_open]

    # -- what the venue itself does -----------------------------------------------------------------------------------
    def perform(self, action: Action) -> None:
        """One act of everyone else, out of its turn."""
        self.advance(action.at)
        perform(self._engine, action)

    def set_status(self, symbol: str, status: str, now: int) -> None:
        """TRADING, HALT, BREAK or CANCEL_ONLY: all but the first take no new orders, cancels go on. ValueError if other."""
        self.advance(now)
        corrections.set_status(self._engine, symbol, status)

    def set_spec(self, spec: Spec, now: int) -> None:
        """Filters change under way; open orders stay as they are. ValueError if the assets differ, or tick or lot are no
        multiple of those the exchange started with."""
        self.advance(now)
        corrections.set_spec(self._engine, spec)

    def bust(self, symbol: str, trade_id: int, now: int) -> list[TradeRow]:
        """Undo a trade of clients: balances go back, it is gone from myTrades; its order rows keep what they say.

        Returns the rows removed. ValueError if no client had it, or an account no longer holds what it would give back.
        """
        self.advance(now)
        return corrections.bust(self._engine, symbol, trade_id)

    def move(self, account: str, asset: str, amount: Decimal, kind: str, now: int, *, reference: str = "") -> Movement:
        """Money comes (amount above 0) or goes; -2010 if the free balance is less than what goes."""
        self.advance(now)
        return corrections.move(self._engine, self._engine.accounts[account], asset, amount, kind, reference)

    def set_pays_bnb(self, account: str, pays: bool) -> None:
        """Whether commission is taken in BNB from now on, a quarter less, while there is enough of it."""
        holder = self._engine.accounts[account]
        holder.spec = structs.replace(holder.spec, pays_bnb=pays)

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
        found = [
            one
            for one in self._engine.accounts[account].movements
            if (kind is None or one.kind == kind)
            and (asset is None or one.asset == asset)
            and (from_id is None or one.id >= from_id)
            and (start is None or one.time >= start)
            and (end is None or one.time <= end)
        ]
        return found[:limit] if from_id is not None or start is not None else found[-limit:]

    # -- queries ------------------------------------------------------------------------------------------------------
    def amendments(
        self, account: str, symbol: str, *, order_id: int, from_execution_id: int | None = None, limit: int = 500
    ) -> list[Amendment]:
        """Of one order, oldest first."""
        self._engine.instrument(symbol)
        found = self._engine.accounts[account].amendments.get(order_id, [])
        first = from_execution_id or 0
        return [one for one in found if one.symbol == symbol and one.execution_id >= first][:limit]

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
        self._engine.instrument(symbol)
        if (match_id is None) == (order_id is None):
            raise Refusal(-1128, "Combination of optional parameters invalid.")
        found = [
            one
            for one in self._engine.accounts[account].prevented
            if one.symbol == symbol
            and (match_id is None or one.match_id == match_id)
            and (order_id is None or order_id in (one.taker_order_id, one.maker_order_id))
            and (from_match_id is None or one.match_id >= from_match_id)
        ]
        return found[:limit]

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
            self._engine.instrument(symbol)
        orders = self._engine.accounts[account].open.values()
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
        self._engine.instrument(symbol)
        found = [
            order
            for order in self._engine.accounts[account].orders.get(symbol, ())
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
        self._engine.instrument(symbol)
        found = [
            trade
            for trade in self._engine.accounts[account].trades.get(symbol, ())
            if (order_id is None or trade.order_id == order_id)
            and (from_id is None or trade.trade_id >= from_id)
            and (start is None or trade.time >= start)
            and (end is None or trade.time <= end)
        ]
        return found[:limit] if from_id is not None or start is not None else found[-limit:]

    def balances(self, account: str) -> dict[str, tuple[Decimal, Decimal]]:
        """asset -> (free, locked), every asset the account ever held."""
        return self._engine.ledger.rows(account)

    def account_spec(self, account: str) -> AccountSpec:
        return self._engine.accounts[account].spec

    def trade_group(self, account: str) -> int:
        """The number of the group whose accounts do not trade with each other; -1 for an account that is in none."""
        return self._engine.accounts[account].group.id

    # -- market data --------------------------------------------------------------------------------------------------
    def spec(self, symbol: str) -> Spec:
        """Raises Refusal -1121."""
        return self._engine.instrument(symbol).spec

    def specs(self) -> list[Spec]:
        return [instrument.spec for instrument in self._engine.instruments.values()]

    def depth(self, symbol: str, limit: int = 100) -> Depth:
        instrument = self._engine.instrument(symbol)
        book = instrument.book
        return Depth(
            last_update_id=book.update_id,
            bids=instrument.levels(book.depth(True, limit)),
            asks=instrument.levels(book.depth(False, limit)),
        )

    def book_ticker(self, symbol: str) -> BookTicker:
        instrument = self._engine.instrument(symbol)
        book = instrument.book
        bids, asks = instrument.levels(book.depth(True, 1)), instrument.levels(book.depth(False, 1))
        bid, bid_qty = bids[0] if bids else (None, None)
        ask, ask_qty = asks[0] if asks else (None, None)
        return BookTicker(symbol=symbol, update_id=book.update_id, bid=bid, bid_qty=bid_qty, ask=ask, ask_qty=ask_qty)

    def recent_trades(self, symbol: str, limit: int = 500, from_id: int | None = None) -> list[Print]:
        """Oldest first: from `from_id` on, else the newest. Of the tape, which remembers the last 10,000."""
        return self._engine.instrument(symbol).tape.prints(limit, from_id)

    def last_trade_time(self, symbol: str) -> int:
        """0 before any trade since the start."""
        return self._engine.instrument(symbol).tape.last_time

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
        return self._engine.instrument(symbol).tape.aggregates(from_id, start, end, limit)

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
        return self._engine.instrument(symbol).tape.klines(
            interval, max(now, self._engine.now), start, end, limit, offset
        )

    def ticker(self, symbol: str, now: int) -> Ticker24h:
        return self._engine.instrument(symbol).tape.ticker(max(now, self._engine.now))

    def statistics(self, symbol: str, now: int, start: int) -> Ticker24h:
        """Over the trades from `start` on, a whole minute."""
        return self._engine.instrument(symbol).tape.statistics(start, max(now, self._engine.now))

    def last_price(self, symbol: str) -> Decimal:
        """0 before any trade."""
        instrument = self._engine.instrument(symbol)
        return (instrument.tape.last or 0) * instrument.tick

    def average_price(self, symbol: str, now: int) -> Decimal:
        """Over the last five minutes; the last price if nothing traded; the middle of the book before any trade.

        0 if the book is empty as well.
        """
        return self._engine.instrument(symbol).reference(max(now, self._engine.now)) or _ZERO

    # -- finding and ending orders --------------------------------------------------------------------------------------
    def _place(self, account: str, new: NewOrder) -> OrderRow:
        order, fills = self._engine.place(self._engine.accounts[account], new)
        row = order.row(tuple(fills))
        self._engine.settle()
        return row

    def _find(self, account: str, symbol: str, order_id: int | None, client_order_id: str | None) -> Order | None:
        self._engine.instrument(symbol)
        if order_id is None and not client_order_id:
            raise Refusal(-1102, "Param 'origClientOrderId' or 'orderId' must be sent, but both were empty/null!")
        holder = self._engine.accounts[account]
        if order_id is None:
            return holder.by_client_id.get((symbol, client_order_id or ""))
        order = self._engine.orders.get(order_id)
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

    def _end_by_cancel(self, order: Order, cancel_id: str | None) -> Cancelled:
        cancel_id = self._cancel_id(cancel_id)
        if order.order_list is not None:
            whole = lists.cancel(self._engine, order.order_list, cancel_id)
            return Cancelled(order.row(), cancel_id, whole)
        order.instrument.book.withdraw(order.id)
        self._engine.end(order, Status.CANCELED, "CANCELED", cancel_id=cancel_id)
        return Cancelled(order.row(), cancel_id)

    def _cancel_id(self, asked: str | None) -> str:
        """The id of a cancel itself."""
        if asked is not None:
            return asked
        self._engine.next.cancel += 1
        return f"cancel-{self._engine.next.cancel - 1}"
