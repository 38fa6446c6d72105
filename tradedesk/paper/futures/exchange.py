"""The USD-M futures exchange as a pure value machine: every call a client, the server's clock or an operator can make.

No socket, no clock, no global randomness: `now` (ns since the epoch) comes with every call and never goes back. Events wait
until `drain`: whoever calls must drain after every call. Calls that may fail raise Refusal and then changed nothing.

Client orders and trades stay for the life of the exchange, as on spot; income, liquidations and fundings have their limits.

What is only asked stands in questions.py.

Not modelled: auto-deleveraging (what a liquidation cannot close at once it tries again a second later), multi-assets margin
(the flag is kept), delivery contracts, portfolio margin.
"""

from collections.abc import Callable, Sequence
from decimal import Decimal
from functools import partial

from tradedesk.paper.futures import clock, conditional, settings, trading, vetting
from tradedesk.paper.futures.contracts import Contract
from tradedesk.paper.futures.floor import Floor, Index
from tradedesk.paper.futures.flow import perform
from tradedesk.paper.futures.questions import Questions
from tradedesk.paper.futures.rows import (
    AccountSpec,
    AlgoRow,
    AlgoStatus,
    FundingRate,
    FuturesEvent,
    Modify,
    NewAlgo,
    NewOrder,
    OrderRow,
    Outcome,
    SymbolConfig,
)
from tradedesk.paper.futures.saved import SavedFutures, restore, save
from tradedesk.paper.ledger import to_units
from tradedesk.paper.market import Action, Market
from tradedesk.paper.rows import Refusal


class FuturesExchange(Questions):
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
        saved: SavedFutures | None = None,
    ) -> None:
        """`accepts_legacy_conditional` False: conditional types on place() are -4120, as on the venue since 2025-12.

        `saved` is what an earlier one left: its clients go on from there, their open orders stand again behind the flow, and
        what would cross it trades as taker. Raises ValueError if it names an account or symbol not given.
        """
        floor = Floor(contracts, market, index, now)
        super().__init__(floor)
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
        if saved is not None:
            restore(floor, saved)

    # -- time and what happened -------------------------------------------------------------------------------------
    def next_due(self) -> int:
        """When something happens next (ns); mark prices come every second."""
        market = self._floor.market.next_due()
        own = clock.own_due(self._floor)
        return own if market is None else min(own, market)

    def drain(self) -> list[FuturesEvent]:
        """Everything that happened since the last call, in its order. With a fill: Print, OrderChanged, AccountUpdate."""
        events, self._floor.events = self._floor.events, []
        return events

    def saved(self) -> SavedFutures:
        """The clients' side as it stands, for a later exchange to start from."""
        return save(self._floor)

    # -- accounts ---------------------------------------------------------------------------------------------------
    def add_account(self, spec: AccountSpec) -> None:
        """Raises ValueError if the name is taken."""
        self._floor.add_account(spec)

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

    def set_dual_side(self, account: str, dual: bool, now: int) -> None:
        """True: hedge mode. -4059 as it is, -4067 open orders, -4068 position (of any symbol)."""
        settings.set_dual_side(self._at(account, now), dual)

    def set_multi_assets(self, account: str, multi_assets: bool, now: int) -> None:
        """Kept and told only; margin is that of single-asset mode. -4171 as it is."""
        settings.set_multi_assets(self._floor, self._at(account, now), multi_assets)

    def set_fee_burn(self, account: str, burns: bool) -> None:
        """Whether commission is to be paid in BNB: kept and told only."""
        self._floor.accounts[account].fee_burn = burns

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
