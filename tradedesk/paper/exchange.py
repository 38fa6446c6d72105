"""The exchange as a pure value machine: accounts, balances, filters, orders, and the order flow of everyone else.

No socket, no clock, no global randomness: `now` (ns since the epoch) comes with every call and never goes back (an earlier
one counts as the latest seen), the seed with the market. Same seed and same calls, same fills. Ids begin at the
millisecond of the start, so that a restarted exchange does not use an id again.

What is kept: books of the flow are bounded by the market, tape and candles by their own limits; of what clients did (orders,
lists, trades, movements, amendments, prevented matches) the newest, some ten thousand of each kind (orders.py), and all that is
open. Events wait until `drain`: whoever calls must drain after every call.

This is the door: it sets the time, lets the flow act, and hands over. What happens then stands in engine.py (orders and
trades), flow.py (everyone else), lists.py (order lists) and corrections.py (amends, busts, movements, rules that change);
what is only asked stands in questions.py and market_data.py.
"""

from collections.abc import Sequence
from decimal import Decimal
from functools import partial

from msgspec import structs

from tradedesk.paper import corrections, lists
from tradedesk.paper.engine import Engine
from tradedesk.paper.flow import perform
from tradedesk.paper.ids import made_id
from tradedesk.paper.market import Action, Market
from tradedesk.paper.orders import Order
from tradedesk.paper.questions import Questions
from tradedesk.paper.rows import (
    AccountSpec,
    Amended,
    Cancelled,
    CancelReplaced,
    ExchangeEvent,
    ListCancelled,
    ListRow,
    Movement,
    NewList,
    NewOrder,
    OrderRow,
    Refusal,
    Spec,
    Status,
    TradeRow,
)
from tradedesk.paper.rules import check_client_id, check_filters, check_parameters
from tradedesk.paper.saved import Saved, restore, save


class Exchange(Questions):
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
        super().__init__(Engine(specs, accounts, market, now=now))
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
        if now <= engine.now:
            now = engine.now
            due = engine.market.next_due()
            if due is None or due > now:
                return  # it was let act at this very time already
        for action in engine.market.act(now, engine.books):
            perform(engine, action)
        engine.now = now

    def next_due(self) -> int | None:
        """When the flow acts next (ns), or None if it never does."""
        return self._engine.market.next_due()

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

    # -- finding and ending orders --------------------------------------------------------------------------------------
    def _place(self, account: str, new: NewOrder) -> OrderRow:
        row = self._engine.place(self._engine.accounts[account], new)
        self._engine.settle()
        return row

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
        return made_id("cancel", self._engine.next.cancel - 1)
