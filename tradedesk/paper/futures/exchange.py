"""The USD-M futures exchange as a pure value machine: every call a client, the server's clock or an operator can make.

No socket, no clock, no global randomness: `now` (ns since the epoch) comes with every call and never goes back. Events wait
until `drain`: whoever calls must drain after every call. Calls that may fail raise Refusal and then changed nothing.

Not modelled: auto-deleveraging (what a liquidation cannot close at once it tries again a second later), multi-assets margin
(the flag is kept), delivery contracts, portfolio margin.
"""

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import NoReturn

from tradedesk.paper.futures.contracts import Bracket, Contract
from tradedesk.paper.futures.rows import (
    AccountRow,
    AccountSpec,
    AlgoRow,
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
from tradedesk.paper.market import Market
from tradedesk.paper.rows import AggTrade, BookDelta, BookTicker, Depth, Kline, Print, Refusal, Ticker24h

Index = Callable[[str, int], Decimal | None]
"""(symbol, now) -> index price, None where there is none: then the contract's own middle stands for it."""


def _later() -> NoReturn:
    raise Refusal(-1000, "Not served yet.")


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
        _later()

    # -- time and what happened -------------------------------------------------------------------------------------
    def advance(self, now: int) -> None:
        """Let everything due happen up to and including `now`, in the order of its time: the flow, mark prices (each
        second), triggers, funding, countdowns, good-till dates, liquidations."""
        _later()

    def next_due(self) -> int | None:
        """When something happens next (ns); never None: mark prices come every second."""
        _later()

    @property
    def market_ended(self) -> bool:
        """Whether the flow has stopped for good: a replay at its end."""
        _later()

    def drain(self) -> list[FuturesEvent]:
        """Everything that happened since the last call, in its order. With a fill: Print, OrderChanged, AccountUpdate."""
        _later()

    def take_book_delta(self, symbol: str) -> BookDelta | None:
        """What changed on the book since the last take; None if nothing did. Ids join without a hole."""
        _later()

    # -- accounts ---------------------------------------------------------------------------------------------------
    def add_account(self, spec: AccountSpec) -> None:
        """Raises ValueError if the name is taken."""
        _later()

    def account_spec(self, account: str) -> AccountSpec:
        _later()

    def transfer(self, account: str, asset: str, amount: Decimal, now: int, *, reason: str | None = None) -> int:
        """Into the wallet if `amount` is above 0, else out of it (-2018 beyond max_withdraw). The transfer's id.

        `reason` of the AccountUpdate: DEPOSIT or WITHDRAW by the sign unless given. Income TRANSFER.
        """
        _later()

    # -- orders -----------------------------------------------------------------------------------------------------
    def check(self, account: str, order: NewOrder, now: int) -> None:
        """order/test: every check of place(), no effect."""
        _later()

    def place(self, account: str, order: NewOrder, now: int) -> OrderRow:
        """The order as it stands when the request is done (RESULT). Of an ACK the wire shows it as NEW, nothing filled."""
        _later()

    def place_batch(self, account: str, orders: Sequence[NewOrder], now: int) -> list[Outcome]:
        """Each leg for itself, in turn; at most 5 (-4082)."""
        _later()

    def modify(self, account: str, change: Modify, now: int) -> OrderRow:
        """New quantity and price; goes to the end of its queue, may trade at once. -5027 if nothing changes."""
        _later()

    def modify_batch(self, account: str, changes: Sequence[Modify], now: int) -> list[Outcome]:
        _later()

    def cancel(
        self, account: str, symbol: str, now: int, *, order_id: int | None = None, client_order_id: str | None = None
    ) -> OrderRow:
        """The order as it ended. -2011 if it is not open. Legacy conditional orders too."""
        _later()

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
        _later()

    def cancel_all(self, account: str, symbol: str, now: int) -> list[OrderRow]:
        """All open orders of the symbol (not algo orders); none is no error."""
        _later()

    def countdown_cancel_all(self, account: str, symbol: str, countdown_ms: int, now: int) -> None:
        """Cancel all orders of the symbol in so many ms unless called again; 0 stops it."""
        _later()

    # -- conditional orders of the algo endpoint ----------------------------------------------------------------------
    def place_algo(self, account: str, algo: NewAlgo, now: int) -> AlgoRow:
        """-2021 if it would trigger at once."""
        _later()

    def cancel_algo(
        self, account: str, now: int, *, algo_id: int | None = None, client_algo_id: str | None = None
    ) -> AlgoRow:
        """-2011 if it is not waiting."""
        _later()

    def cancel_all_algo(self, account: str, symbol: str, now: int) -> list[AlgoRow]:
        _later()

    def algo_order(self, account: str, *, algo_id: int | None = None, client_algo_id: str | None = None) -> AlgoRow:
        """-2013 if there is none."""
        _later()

    def open_algo_orders(self, account: str, symbol: str | None = None, *, algo_id: int | None = None) -> list[AlgoRow]:
        """Oldest first, those that wait for their trigger."""
        _later()

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
        _later()

    # -- settings of an account ---------------------------------------------------------------------------------------
    def set_leverage(self, account: str, symbol: str, leverage: int, now: int) -> SymbolConfig:
        """-4028 outside 1..the bracket's most, -2028 if margin would not do, -4161 lower with an isolated position."""
        _later()

    def set_margin_type(self, account: str, symbol: str, margin_type: str, now: int) -> None:
        """CROSSED or ISOLATED. -4046 as it is, -4047 open orders, -4048 position."""
        _later()

    def change_position_margin(
        self, account: str, symbol: str, amount: Decimal, now: int, *, add: bool, position_side: str = "BOTH"
    ) -> None:
        """Isolated margin in or out by hand. -4046 family: -4049 not isolated, -4054 flat, -4050/-4051 too much."""
        _later()

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
        _later()

    def set_dual_side(self, account: str, dual: bool, now: int) -> None:
        """True: hedge mode. -4059 as it is, -4067 open orders, -4068 position (of any symbol)."""
        _later()

    def dual_side(self, account: str) -> bool:
        _later()

    def set_multi_assets(self, account: str, multi_assets: bool, now: int) -> None:
        """Kept and told only; margin is that of single-asset mode. -4171 as it is."""
        _later()

    def multi_assets(self, account: str) -> bool:
        _later()

    # -- queries ------------------------------------------------------------------------------------------------------
    def order(
        self, account: str, symbol: str, *, order_id: int | None = None, client_order_id: str | None = None
    ) -> OrderRow:
        """-2013 if there is none. By client id the newest with it."""
        _later()

    def open_order(
        self, account: str, symbol: str, *, order_id: int | None = None, client_order_id: str | None = None
    ) -> OrderRow:
        """-2013 unless it is open."""
        _later()

    def open_orders(self, account: str, symbol: str | None = None) -> list[OrderRow]:
        """Oldest first, waiting legacy conditional orders too."""
        _later()

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
        _later()

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
        _later()

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
        _later()

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
        _later()

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
        _later()

    def account(self, account: str, now: int) -> AccountRow:
        """Assets and positions (every symbol; BOTH, or in hedge mode LONG and SHORT) at the mark of `now`."""
        _later()

    def assets(self, account: str, now: int) -> list[AssetRow]:
        _later()

    def positions(self, account: str, now: int, symbol: str | None = None) -> list[PositionRow]:
        _later()

    def symbol_config(self, account: str, symbol: str | None = None) -> list[SymbolConfig]:
        _later()

    def leverage_brackets(self, symbol: str | None = None) -> list[tuple[str, tuple[Bracket, ...]]]:
        _later()

    # -- market data --------------------------------------------------------------------------------------------------
    def contract(self, symbol: str) -> Contract:
        """Raises Refusal -1121."""
        _later()

    def contracts(self) -> list[Contract]:
        _later()

    def depth(self, symbol: str, limit: int = 500) -> Depth:
        _later()

    def book_ticker(self, symbol: str) -> BookTicker:
        _later()

    def recent_trades(self, symbol: str, limit: int = 500) -> list[Print]:
        """Oldest first."""
        _later()

    def agg_trades(
        self,
        symbol: str,
        *,
        from_id: int | None = None,
        start: int | None = None,
        end: int | None = None,
        limit: int = 500,
    ) -> list[AggTrade]:
        _later()

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
        _later()

    def ticker(self, symbol: str, now: int) -> Ticker24h:
        _later()

    def last_price(self, symbol: str) -> Decimal | None:
        """Of the last trade; None before any."""
        _later()

    def mark_price(self, symbol: str) -> MarkPrice:
        """As of the last whole tick."""
        _later()

    def funding_rates(
        self, symbol: str | None = None, *, start: int | None = None, end: int | None = None, limit: int = 100
    ) -> list[FundingRate]:
        """Charged ones, oldest first: from `start` on, else the newest."""
        _later()

    def open_interest(self, symbol: str) -> Decimal:
        """Base units held long by clients and the flow together, seen from the side that is larger."""
        _later()

    # -- the operator's hand ------------------------------------------------------------------------------------------
    def set_funding_rate(self, symbol: str, rate: Decimal | None) -> None:
        """What is charged from the next funding on, whatever the premium says; None: the premium again."""
        _later()

    def fund_now(self, symbol: str, now: int) -> FundingRate:
        """Charge funding at once, beside the schedule."""
        _later()

    def set_mark_price(self, symbol: str, price: Decimal | None, now: int) -> None:
        """Hold the mark at `price` (None: let it go); triggers and liquidations follow at once."""
        _later()
