"""What can be asked of the spot exchange: by anyone about the instruments, by an account about its orders, trades and money.

Reads only, as things stand: nothing here lets time pass.
"""

from decimal import Decimal

from tradedesk.paper import lists
from tradedesk.paper.engine import Engine
from tradedesk.paper.market_data import ID, TRADE_ID, MarketData, rows_from
from tradedesk.paper.orders import Order
from tradedesk.paper.rows import (
    AccountSpec,
    Amendment,
    ListRow,
    Movement,
    OrderRow,
    PreventedMatch,
    Refusal,
    Spec,
    Ticker24h,
    TradeRow,
)

_ZERO = Decimal(0)


class Questions(MarketData):
    """The part of the exchange that answers. What it raises is Refusal."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine)
        self._engine = engine

    # -- instruments ---------------------------------------------------------------------------------------------------
    def spec(self, symbol: str) -> Spec:
        """Raises Refusal -1121."""
        return self._engine.instrument(symbol).spec

    def specs(self) -> list[Spec]:
        return [instrument.spec for instrument in self._engine.instruments.values()]

    def last_trade_time(self, symbol: str) -> int:
        """0 before any trade since the start."""
        return self._engine.instrument(symbol).tape.last_time

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

    # -- orders and trades of an account -------------------------------------------------------------------------------
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
        every = self._engine.accounts[account].orders.get(symbol, ())
        return [order.row() for order in rows_from(every, ID, first=order_id, start=start, end=end, limit=limit)]

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
        every = self._engine.accounts[account].trades.get(symbol, ())
        asked = (row for row in every if order_id in (None, row.order_id))
        return rows_from(asked, TRADE_ID, first=from_id, start=start, end=end, limit=limit)

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
        every = self._engine.accounts[account].lists.values()
        return [one.row() for one in rows_from(every, ID, first=from_id, start=start, end=end, limit=limit)]

    def open_order_lists(self, account: str) -> list[ListRow]:
        """Oldest first."""
        return [one.row() for one in self._engine.accounts[account].open_lists.values()]

    # -- an account ----------------------------------------------------------------------------------------------------
    def balances(self, account: str) -> dict[str, tuple[Decimal, Decimal]]:
        """asset -> (free, locked), every asset the account ever held."""
        return self._engine.ledger.rows(account)

    def account_spec(self, account: str) -> AccountSpec:
        return self._engine.accounts[account].spec

    def trade_group(self, account: str) -> int:
        """The number of the group whose accounts do not trade with each other; -1 for an account that is in none."""
        return self._engine.accounts[account].group.id

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
        every = self._engine.accounts[account].movements
        asked = (one for one in every if kind in (None, one.kind) and asset in (None, one.asset))
        return rows_from(asked, ID, first=from_id, start=start, end=end, limit=limit)

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
