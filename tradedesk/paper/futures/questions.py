"""What can be asked of the USD-M exchange: by anyone about the contracts, by an account about its orders, trades and money.

Reads only; what answers at the marks of a moment brings the exchange to that moment first.
"""

from decimal import Decimal

from tradedesk.paper.futures import clock, conditional, settings, show, trading
from tradedesk.paper.futures.contracts import Bracket, Contract
from tradedesk.paper.futures.floor import Floor
from tradedesk.paper.futures.rows import (
    AccountRow,
    AccountSpec,
    AlgoRow,
    Amendment,
    AssetRow,
    ForceOrder,
    FundingRate,
    IncomeRow,
    MarginRow,
    MarkPrice,
    OrderRow,
    PositionRow,
    SymbolConfig,
    TradeRow,
)
from tradedesk.paper.futures.state import Account
from tradedesk.paper.ledger import from_units
from tradedesk.paper.market_data import ID, TRADE_ID, MarketData, check_interval, cut, rows_from, within
from tradedesk.paper.rows import Kline, Refusal


class Questions(MarketData):
    """The part of the exchange that answers. What it raises is Refusal."""

    def __init__(self, floor: Floor) -> None:
        super().__init__(floor)
        self._floor = floor

    def advance(self, now: int) -> None:
        """Let everything due happen up to and including `now`, in the order of its time: the flow, mark prices (each
        second), triggers, funding, countdowns, good-till dates, liquidations."""
        clock.advance(self._floor, now)

    def _at(self, account: str, now: int) -> Account:
        self.advance(now)
        return self._floor.accounts[account]

    # -- contracts -----------------------------------------------------------------------------------------------------
    def contract(self, symbol: str) -> Contract:
        """Raises Refusal -1121."""
        return self._floor.instrument(symbol).contract

    def contracts(self) -> list[Contract]:
        return [instrument.contract for instrument in self._floor.instruments.values()]

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
        of: str = "last",
    ) -> list[Kline]:
        """Oldest first. `of`: last (trades), mark, index or premium (volumes are 0, `trades` counts the seconds)."""
        if of == "last":
            return super().klines(symbol, interval, now, start=start, end=end, limit=limit, offset=offset)
        check_interval(interval)
        marks = self._floor.instrument(symbol).marks
        return marks.klines(of, interval, max(now, self._floor.now), start, end, limit)

    def last_price(self, symbol: str) -> Decimal | None:
        """Of the last trade; None before any."""
        instrument = self._floor.instrument(symbol)
        return None if instrument.tape.last is None else instrument.tape.last * instrument.spec.tick

    def mark_price(self, symbol: str) -> MarkPrice:
        """As of the last whole tick."""
        return clock.mark_row(self._floor.instrument(symbol))

    def funding_rates(
        self, symbol: str | None = None, *, start: int | None = None, end: int | None = None, limit: int = 100
    ) -> list[FundingRate]:
        """Charged ones, oldest first: from `start` on, else the newest."""
        if symbol is not None:
            self._floor.instrument(symbol)
        found = [row for row in self._floor.fundings if symbol in (None, row.symbol) and within(row.time, start, end)]
        return cut(found, start is not None, limit)

    def insurance(self, asset: str) -> Decimal:
        """What the insurance fund holds; it begins at 0 and is below that once it paid more than it took."""
        return from_units(self._floor.insurance.get(asset, 0))

    def open_interest(self, symbol: str) -> Decimal:
        """Base units held long by clients and the flow together, seen from the side that is larger."""
        instrument = self._floor.instrument(symbol)
        lots = [p.lots for a in self._floor.accounts.values() for i, p in a.positions.values() if i is instrument]
        longs = sum(n for n in lots if n > 0)
        return max(longs, longs - sum(lots)) * instrument.spec.lot

    def leverage_brackets(self, symbol: str | None = None) -> list[tuple[str, tuple[Bracket, ...]]]:
        instruments = self._floor.instruments.values() if symbol is None else (self._floor.instrument(symbol),)
        return [(instrument.symbol, instrument.contract.brackets) for instrument in instruments]

    # -- orders and trades of an account -------------------------------------------------------------------------------
    def order(
        self, account: str, symbol: str, *, order_id: int | None = None, client_order_id: str | None = None
    ) -> OrderRow:
        """-2013 if there is none. By client id the newest with it."""
        order = trading.find(self._floor, self._floor.accounts[account], symbol, order_id, client_order_id)
        if order is None:
            raise Refusal(-2013, "Order does not exist.")
        return order.row()

    def open_order(
        self, account: str, symbol: str, *, order_id: int | None = None, client_order_id: str | None = None
    ) -> OrderRow:
        """-2013 unless it is open."""
        order = trading.find(self._floor, self._floor.accounts[account], symbol, order_id, client_order_id)
        if order is None or not order.is_open:
            raise Refusal(-2013, "Order does not exist.")
        return order.row()

    def open_orders(self, account: str, symbol: str | None = None) -> list[OrderRow]:
        """Oldest first, waiting legacy conditional orders too."""
        if symbol is not None:
            self._floor.instrument(symbol)
        orders = self._floor.accounts[account].open.values()
        return [order.row() for order in orders if symbol in (None, order.instrument.symbol)]

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
        self._floor.instrument(symbol)
        every = self._floor.accounts[account].orders.get(symbol, ())
        return [order.row() for order in rows_from(every, ID, first=order_id, start=start, end=end, limit=limit)]

    def amendments(
        self,
        account: str,
        symbol: str,
        *,
        order_id: int | None = None,
        client_order_id: str | None = None,
        start: int | None = None,
        end: int | None = None,
        limit: int = 50,
    ) -> list[Amendment]:
        """Newest first, as the venue."""
        self._floor.instrument(symbol)
        found = [
            row
            for row in reversed(self._floor.accounts[account].amendments.get(symbol, ()))
            if order_id in (None, row.order_id)
            and client_order_id in (None, row.client_order_id)
            and within(row.time, start, end)
        ]
        return found[:limit]

    def user_trades(
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
        self._floor.instrument(symbol)
        every = self._floor.accounts[account].trades.get(symbol, ())
        asked = (row for row in every if order_id in (None, row.order_id))
        return rows_from(asked, TRADE_ID, first=from_id, start=start, end=end, limit=limit)

    def algo_order(self, account: str, *, algo_id: int | None = None, client_algo_id: str | None = None) -> AlgoRow:
        """-2013 if there is none."""
        algo = conditional.find_algo(self._floor.accounts[account], algo_id, client_algo_id)
        if algo is None:
            raise Refusal(-2013, "Order does not exist.")
        return algo.row()

    def open_algo_orders(self, account: str, symbol: str | None = None, *, algo_id: int | None = None) -> list[AlgoRow]:
        """Oldest first, those that wait for their trigger."""
        if symbol is not None:
            self._floor.instrument(symbol)
        return [
            algo.row()
            for algo in self._floor.accounts[account].open_algos.values()
            if symbol in (None, algo.instrument.symbol) and algo_id in (None, algo.id)
        ]

    def all_algo_orders(
        self,
        account: str,
        symbol: str,
        *,
        algo_id: int | None = None,
        start: int | None = None,
        end: int | None = None,
        page: int | None = None,
        limit: int = 500,
    ) -> list[AlgoRow]:
        """Oldest first: from `algo_id` or `start` on, else the newest; `page` from 1."""
        self._floor.instrument(symbol)
        algos = [algo for algo in self._floor.accounts[account].algos.values() if algo.instrument.symbol == symbol]
        if page is not None:
            found = [algo for algo in algos if algo.id >= (algo_id or 0) and within(algo.time, start, end)]
            return [algo.row() for algo in found[(page - 1) * limit : page * limit]]
        return [algo.row() for algo in rows_from(algos, ID, first=algo_id, start=start, end=end, limit=limit)]

    # -- an account ----------------------------------------------------------------------------------------------------
    def account_spec(self, account: str) -> AccountSpec:
        return self._floor.accounts[account].spec

    def account(self, account: str, now: int) -> AccountRow:
        """Assets and positions (every symbol; BOTH, or in hedge mode LONG and SHORT) at the mark of `now`."""
        return show.account_row(self._floor, self._at(account, now))

    def assets(self, account: str, now: int) -> list[AssetRow]:
        return show.asset_rows(self._floor, self._at(account, now))

    def positions(self, account: str, now: int, symbol: str | None = None) -> list[PositionRow]:
        holder = self._at(account, now)
        instruments = self._floor.instruments.values() if symbol is None else (self._floor.instrument(symbol),)
        return [row for instrument in instruments for row in show.position_rows(holder, instrument)]

    def symbol_config(self, account: str, symbol: str | None = None) -> list[SymbolConfig]:
        holder = self._floor.accounts[account]
        instruments = self._floor.instruments.values() if symbol is None else (self._floor.instrument(symbol),)
        return [settings.config(holder, instrument) for instrument in instruments]

    def income(
        self,
        account: str,
        *,
        symbol: str | None = None,
        income_type: str | None = None,
        start: int | None = None,
        end: int | None = None,
        page: int = 1,
        limit: int = 100,
    ) -> list[IncomeRow]:
        """Oldest first: page `page` from `start` on; without `start` the newest `limit` are page 1."""
        found = [
            row
            for row in self._floor.accounts[account].income
            if symbol in (None, row.symbol) and income_type in (None, row.type) and within(row.time, start, end)
        ]
        if start is not None:
            return found[(page - 1) * limit : page * limit]
        last = len(found) - (page - 1) * limit
        return found[max(0, last - limit) : max(0, last)]

    def force_orders(
        self,
        account: str | None = None,
        *,
        symbol: str | None = None,
        start: int | None = None,
        end: int | None = None,
        limit: int = 50,
    ) -> list[ForceOrder]:
        """Liquidation orders, of one account or all."""
        found = [
            row
            for row in self._floor.forced
            if account in (None, row.account) and symbol in (None, row.symbol) and within(row.time, start, end)
        ]
        return cut(found, start is not None, limit)

    def margin_history(
        self,
        account: str,
        symbol: str,
        *,
        is_add: bool | None = None,
        start: int | None = None,
        end: int | None = None,
        limit: int = 500,
    ) -> list[MarginRow]:
        """Changes by hand, oldest first: from `start` on, else the newest."""
        self._floor.instrument(symbol)
        found = [
            row
            for row in self._floor.accounts[account].margin_changes
            if row.symbol == symbol and is_add in (None, row.is_add) and within(row.time, start, end)
        ]
        return cut(found, start is not None, limit)

    def dual_side(self, account: str) -> bool:
        return self._floor.accounts[account].dual_side

    def fee_burn(self, account: str) -> bool:
        return self._floor.accounts[account].fee_burn

    def multi_assets(self, account: str) -> bool:
        return self._floor.accounts[account].multi_assets
