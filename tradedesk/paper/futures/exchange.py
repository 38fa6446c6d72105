"""The USD-M futures exchange as a pure value machine: every call a client, the server's clock or an operator can make.

No socket, no clock, no global randomness: `now` (ns since the epoch) comes with every call and never goes back. Events wait
until `drain`: whoever calls must drain after every call. Calls that may fail raise Refusal and then changed nothing.

Client orders and trades stay for the life of the exchange, as on spot; income, liquidations and fundings have their limits.

Not modelled: auto-deleveraging (what a liquidation cannot close at once it tries again a second later), multi-assets margin
(the flag is kept), delivery contracts, portfolio margin.
"""

from collections.abc import Callable, Sequence
from decimal import Decimal
from functools import partial
from typing import TypeVar

from tradedesk.paper.candles import INTERVALS
from tradedesk.paper.futures import clock, conditional, settings, show, trading, vetting
from tradedesk.paper.futures.contracts import Bracket, Contract
from tradedesk.paper.futures.flow import perform
from tradedesk.paper.futures.rows import (
    AccountRow,
    AccountSpec,
    AlgoRow,
    AlgoStatus,
    Amendment,
    AssetRow,
    ForceOrder,
    FundingRate,
    FuturesEvent,
    IncomeRow,
    MarginRow,
    MarkPrice,
    Modify,
    NewAlgo,
    NewOrder,
    OrderRow,
    Outcome,
    PositionRow,
    SymbolConfig,
    TradeRow,
)
from tradedesk.paper.futures.state import Account, Floor, Index, Instrument
from tradedesk.paper.ledger import to_units
from tradedesk.paper.market import Action, Market
from tradedesk.paper.rows import AggTrade, BookDelta, BookTicker, Depth, Kline, Print, Refusal, Ticker24h

T = TypeVar("T")


class FuturesExchange:
    """All contracts and accounts. Not thread-safe: one caller (the server's loop, or a simulation)."""

    def __init__(
        self,
        contracts: Sequence[Contract],
        accounts: Sequence[AccountSpec],
        market: Market,
        *,
        now: int,
        index: Index | None = None,
        accepts_legacy_conditional: bool = True,
    ) -> None:
        """`accepts_legacy_conditional` False: conditional types on place() are -4120, as on the venue since 2025-12."""
        self._floor = floor = Floor(contracts, market, index, now)
        self._accepts_legacy = accepts_legacy_conditional
        for spec in accounts:
            floor.add_account(spec)
        for instrument in floor.instruments.values():
            past = partial(market.history, instrument.symbol, now)
            instrument.tape.begin(past, now)
            instrument.marks.begin(past, instrument.tick)
        for action in market.opening(now):
            perform(floor, action)
        for instrument in floor.instruments.values():
            clock.observe(floor, instrument)
        floor.moved.clear()

    # -- time and what happened -------------------------------------------------------------------------------------
    def advance(self, now: int) -> None:
        """Let everything due happen up to and including `now`, in the order of its time: the flow, mark prices (each
        second), triggers, funding, countdowns, good-till dates, liquidations."""
        clock.advance(self._floor, now)

    def next_due(self) -> int:
        """When something happens next (ns); mark prices come every second."""
        market = self._floor.market.next_due()
        own = clock.own_due(self._floor)
        return own if market is None else min(own, market)

    @property
    def market_ended(self) -> bool:
        """Whether the flow has stopped for good: a replay at its end."""
        return self._floor.market.ended

    def drain(self) -> list[FuturesEvent]:
        """Everything that happened since the last call, in its order. With a fill: Print, OrderChanged, AccountUpdate."""
        events, self._floor.events = self._floor.events, []
        return events

    def take_book_delta(self, symbol: str) -> BookDelta | None:
        """What changed on the book since the last take; None if nothing did. Ids join without a hole."""
        instrument = self._floor.instrument(symbol)
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

    # -- accounts ---------------------------------------------------------------------------------------------------
    def add_account(self, spec: AccountSpec) -> None:
        """Raises ValueError if the name is taken."""
        self._floor.add_account(spec)

    def account_spec(self, account: str) -> AccountSpec:
        return self._floor.accounts[account].spec

    def transfer(self, account: str, asset: str, amount: Decimal, now: int, *, reason: str | None = None) -> int:
        """Into the wallet if `amount` is above 0, else out of it (-2018 beyond max_withdraw). The transfer's id.

        `reason` of the AccountUpdate: DEPOSIT or WITHDRAW by the sign unless given. Income TRANSFER.
        """
        self.advance(now)
        return settings.transfer(self._floor, self._floor.accounts[account], asset, amount, reason)

    # -- orders -----------------------------------------------------------------------------------------------------
    def check(self, account: str, order: NewOrder, now: int) -> None:
        """order/test: every check of place(), no effect."""
        holder = self._at(account, now)
        self._refuse_legacy(order)
        vetting.vet(self._floor, holder, order)

    def place(self, account: str, order: NewOrder, now: int) -> OrderRow:
        """The order as it stands when the request is done (RESULT). Of an ACK the wire shows it as NEW, nothing filled."""
        holder = self._at(account, now)
        self._refuse_legacy(order)
        placed = trading.place(self._floor, holder, order)
        self._settle()
        return placed.row()

    def place_batch(self, account: str, orders: Sequence[NewOrder], now: int) -> list[Outcome]:
        """Each leg for itself, in turn; at most 5 (-4082)."""
        if not 1 <= len(orders) <= 5:
            raise Refusal(-4082, "Invalid number of batch place orders.")
        return [self._outcome(partial(self.place, account, order, now)) for order in orders]

    def modify(self, account: str, change: Modify, now: int) -> OrderRow:
        """New quantity and price; goes to the end of its queue, may trade at once. -5027 if nothing changes."""
        holder = self._at(account, now)
        order = trading.modify(self._floor, holder, change)
        self._settle()
        return order.row()

    def modify_batch(self, account: str, changes: Sequence[Modify], now: int) -> list[Outcome]:
        """Each leg for itself, in turn; at most 5 (-4082)."""
        if not 1 <= len(changes) <= 5:
            raise Refusal(-4082, "Invalid number of batch place orders.")
        return [self._outcome(partial(self.modify, account, change, now)) for change in changes]

    def cancel(
        self, account: str, symbol: str, now: int, *, order_id: int | None = None, client_order_id: str | None = None
    ) -> OrderRow:
        """The order as it ended. -2011 if it is not open. Legacy conditional orders too."""
        holder = self._at(account, now)
        order = trading.find_open(self._floor, holder, symbol, order_id, client_order_id)
        trading.cancel(self._floor, order)
        return order.row()

    def cancel_batch(
        self,
        account: str,
        symbol: str,
        now: int,
        *,
        order_ids: Sequence[int] = (),
        client_order_ids: Sequence[str] = (),
    ) -> list[Outcome]:
        """At most 10 of one kind of id."""
        if order_ids:
            legs = [partial(self.cancel, account, symbol, now, order_id=order_id) for order_id in order_ids]
        else:
            legs = [partial(self.cancel, account, symbol, now, client_order_id=name) for name in client_order_ids]
        if not legs:
            raise Refusal(
                -1102, "Param 'orderIdList' or 'origClientOrderIdList' must be sent, but both were empty/null!"
            )
        if len(legs) > 10:
            raise Refusal(-4083, "Fail to process cancel list: at most 10 orders.")
        return [self._outcome(leg) for leg in legs]

    def cancel_all(self, account: str, symbol: str, now: int) -> list[OrderRow]:
        """All open orders of the symbol (not algo orders); none is no error."""
        holder = self._at(account, now)
        self._floor.instrument(symbol)
        return [order.row() for order in trading.cancel_all(self._floor, holder, symbol)]

    def countdown_cancel_all(self, account: str, symbol: str, countdown_ms: int, now: int) -> None:
        """Cancel all orders of the symbol in so many ms unless called again; 0 stops it."""
        holder = self._at(account, now)
        self._floor.instrument(symbol)
        if countdown_ms < 0:
            raise Refusal(-1130, "Data sent for parameter 'countdownTime' is not valid.")
        if not countdown_ms:
            holder.countdowns.pop(symbol, None)
            return
        due = self._floor.now + countdown_ms * 1_000_000
        holder.countdowns[symbol] = due
        self._floor.at(due, "countdown", account, symbol)

    # -- conditional orders of the algo endpoint ----------------------------------------------------------------------
    def place_algo(self, account: str, algo: NewAlgo, now: int) -> AlgoRow:
        """-2021 if it would trigger at once."""
        holder = self._at(account, now)
        return conditional.place_algo(self._floor, holder, algo).row()

    def cancel_algo(
        self, account: str, now: int, *, algo_id: int | None = None, client_algo_id: str | None = None
    ) -> AlgoRow:
        """-2011 if it is not waiting."""
        algo = conditional.find_waiting(self._at(account, now), algo_id, client_algo_id)
        trading.end_algo(self._floor, algo, AlgoStatus.CANCELED)
        return algo.row()

    def cancel_all_algo(self, account: str, symbol: str, now: int) -> list[AlgoRow]:
        """Those of the symbol that wait; none is no error."""
        holder = self._at(account, now)
        self._floor.instrument(symbol)
        found = [algo for algo in holder.open_algos.values() if algo.instrument.symbol == symbol]
        for algo in found:
            trading.end_algo(self._floor, algo, AlgoStatus.CANCELED)
        return [algo.row() for algo in found]

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
        found = [
            algo
            for algo in self._floor.accounts[account].algos.values()
            if algo.instrument.symbol == symbol
            and (algo_id is None or algo.id >= algo_id)
            and within(algo.time, start, end)
        ]
        if page is not None:
            return [algo.row() for algo in found[(page - 1) * limit : page * limit]]
        return [algo.row() for algo in cut(found, algo_id is not None or start is not None, limit)]

    # -- settings of an account ---------------------------------------------------------------------------------------
    def set_leverage(self, account: str, symbol: str, leverage: int, now: int) -> SymbolConfig:
        """-4028 outside 1..the bracket's most, -2028 if margin would not do, -4161 lower with an isolated position."""
        holder = self._at(account, now)
        return settings.set_leverage(self._floor, holder, self._floor.instrument(symbol), leverage)

    def set_margin_type(self, account: str, symbol: str, margin_type: str, now: int) -> None:
        """CROSSED or ISOLATED. -4046 as it is, -4047 open orders, -4048 position."""
        holder = self._at(account, now)
        settings.set_margin_type(holder, self._floor.instrument(symbol), margin_type)

    def change_position_margin(
        self, account: str, symbol: str, amount: Decimal, now: int, *, add: bool, position_side: str = "BOTH"
    ) -> None:
        """Isolated margin in or out by hand. -4046 family: -4049 not isolated, -4054 flat, -4050/-4051 too much."""
        holder = self._at(account, now)
        instrument = self._floor.instrument(symbol)
        settings.change_margin(self._floor, holder, instrument, amount, add=add, position_side=position_side)

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

    def set_dual_side(self, account: str, dual: bool, now: int) -> None:
        """True: hedge mode. -4059 as it is, -4067 open orders, -4068 position (of any symbol)."""
        settings.set_dual_side(self._at(account, now), dual)

    def dual_side(self, account: str) -> bool:
        return self._floor.accounts[account].dual_side

    def set_multi_assets(self, account: str, multi_assets: bool, now: int) -> None:
        """Kept and told only; margin is that of single-asset mode. -4171 as it is."""
        settings.set_multi_assets(self._floor, self._at(account, now), multi_assets)

    def multi_assets(self, account: str) -> bool:
        return self._floor.accounts[account].multi_assets

    # -- queries ------------------------------------------------------------------------------------------------------
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
        found = [
            order
            for order in self._floor.accounts[account].orders.get(symbol, ())
            if (order_id is None or order.id >= order_id) and within(order.time, start, end)
        ]
        return [order.row() for order in cut(found, order_id is not None or start is not None, limit)]

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
        found = [
            trade
            for trade in self._floor.accounts[account].trades.get(symbol, ())
            if order_id in (None, trade.order_id)
            and (from_id is None or trade.trade_id >= from_id)
            and within(trade.time, start, end)
        ]
        return cut(found, from_id is not None or start is not None, limit)

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

    def leverage_brackets(self, symbol: str | None = None) -> list[tuple[str, tuple[Bracket, ...]]]:
        instruments = self._floor.instruments.values() if symbol is None else (self._floor.instrument(symbol),)
        return [(instrument.symbol, instrument.contract.brackets) for instrument in instruments]

    # -- market data --------------------------------------------------------------------------------------------------
    def contract(self, symbol: str) -> Contract:
        """Raises Refusal -1121."""
        return self._floor.instrument(symbol).contract

    def contracts(self) -> list[Contract]:
        return [instrument.contract for instrument in self._floor.instruments.values()]

    def depth(self, symbol: str, limit: int = 500) -> Depth:
        instrument = self._floor.instrument(symbol)
        book = instrument.book
        return Depth(
            last_update_id=book.update_id,
            bids=_levels(instrument, book.depth(True, limit)),
            asks=_levels(instrument, book.depth(False, limit)),
        )

    def book_ticker(self, symbol: str) -> BookTicker:
        instrument = self._floor.instrument(symbol)
        book = instrument.book
        bids, asks = _levels(instrument, book.depth(True, 1)), _levels(instrument, book.depth(False, 1))
        bid, bid_qty = bids[0] if bids else (None, None)
        ask, ask_qty = asks[0] if asks else (None, None)
        return BookTicker(symbol=symbol, update_id=book.update_id, bid=bid, bid_qty=bid_qty, ask=ask, ask_qty=ask_qty)

    def recent_trades(self, symbol: str, limit: int = 500) -> list[Print]:
        """Oldest first."""
        return self._floor.instrument(symbol).tape.prints(limit)

    def agg_trades(
        self,
        symbol: str,
        *,
        from_id: int | None = None,
        start: int | None = None,
        end: int | None = None,
        limit: int = 500,
    ) -> list[AggTrade]:
        return self._floor.instrument(symbol).tape.aggregates(from_id, start, end, limit)

    def klines(
        self,
        symbol: str,
        interval: str,
        now: int,
        *,
        start: int | None = None,
        end: int | None = None,
        limit: int = 500,
        of: str = "last",
    ) -> list[Kline]:
        """Oldest first. `of`: last (trades), mark, index or premium (volumes are 0, `trades` counts the seconds)."""
        if interval not in INTERVALS:
            raise Refusal(-1120, "Invalid interval.")
        instrument, now = self._floor.instrument(symbol), max(now, self._floor.now)
        if of == "last":
            return instrument.tape.klines(interval, now, start, end, limit)
        return instrument.marks.klines(of, interval, now, start, end, limit)

    def ticker(self, symbol: str, now: int) -> Ticker24h:
        return self._floor.instrument(symbol).tape.ticker(max(now, self._floor.now))

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

    def open_interest(self, symbol: str) -> Decimal:
        """Base units held long by clients and the flow together, seen from the side that is larger."""
        instrument = self._floor.instrument(symbol)
        lots = [p.lots for a in self._floor.accounts.values() for i, p in a.positions.values() if i is instrument]
        longs = sum(n for n in lots if n > 0)
        return max(longs, longs - sum(lots)) * instrument.spec.lot

    # -- the operator's hand ------------------------------------------------------------------------------------------
    def perform(self, action: Action) -> None:
        """One act of everyone else, out of its turn."""
        self.advance(action.at)
        perform(self._floor, action)
        self._settle()

    def set_funding_rate(self, symbol: str, rate: Decimal | None) -> None:
        """What is charged from the next funding on, whatever the premium says; None: the premium again."""
        self._floor.instrument(symbol).marks.fixed_rate = rate

    def fund_now(self, symbol: str, now: int) -> FundingRate:
        """Charge funding at once, beside the schedule."""
        self.advance(now)
        return clock.charge(self._floor, self._floor.instrument(symbol))

    def set_mark_price(self, symbol: str, price: Decimal | None, now: int) -> None:
        """Hold the mark at `price` (None: let it go); triggers and liquidations follow at once."""
        self.advance(now)
        instrument = self._floor.instrument(symbol)
        units = None if price is None else to_units(price)
        if price is not None and not units:
            raise ValueError(f"mark price {price} of {symbol} must be above 0, in steps of 0.00000001")
        clock.hold(self._floor, instrument, units)

    # -- inside -------------------------------------------------------------------------------------------------------
    def _at(self, account: str, now: int) -> Account:
        self.advance(now)
        return self._floor.accounts[account]

    def _settle(self) -> None:
        """What the trades of a request set off."""
        if self._floor.moved:
            conditional.look(self._floor)

    def _refuse_legacy(self, order: NewOrder) -> None:
        if order.type.is_conditional and not self._accepts_legacy:
            raise Refusal(
                -4120,
                "Order type not supported for this endpoint. Please use the Algo Order API endpoints instead.",
            )

    @staticmethod
    def _outcome(leg: Callable[[], OrderRow]) -> Outcome:
        try:
            return leg()
        except Refusal as refused:
            return refused


def within(time: int, start: int | None, end: int | None) -> bool:
    return (start is None or time >= start) and (end is None or time <= end)


def cut(rows: list[T], from_start: bool, limit: int) -> list[T]:
    """The first `limit`, or the newest."""
    return rows[:limit] if from_start else rows[-limit:]


def _levels(instrument: Instrument, levels: list[tuple[int, int]]) -> tuple[tuple[Decimal, Decimal], ...]:
    tick, lot = instrument.spec.tick, instrument.spec.lot
    return tuple((price * tick, lots * lot) for price, lots in levels)
