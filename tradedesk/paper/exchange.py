"""The exchange as a pure value machine: accounts, balances, filters, orders, and the order flow of everyone else.

No socket, no clock, no global randomness: `now` (ns since the epoch) comes with every call and never goes back, the
seed with the market. Same seed and same calls, same fills.
"""

from collections.abc import Sequence
from decimal import Decimal

from tradedesk.paper.market import Market
from tradedesk.paper.rows import (
    AccountSpec, AggTrade, BookDelta, BookTicker, Cancelled, CancelReplaced, Depth, ExchangeEvent, Kline, NewOrder,
    OrderRow, Print, Spec, Ticker24h, TradeRow,
)


class Exchange:
    """All instruments and accounts. Not thread-safe: one caller (the server's loop, or a simulation)."""

    def __init__(self, specs: Sequence[Spec], accounts: Sequence[AccountSpec], market: Market, *, now: int) -> None: ...

    # -- time and what happened -------------------------------------------------------------------------------------
    def advance(self, now: int) -> None:
        """Let the market's own flow act up to and including `now`."""

    def next_due(self) -> int | None:
        """When the flow acts next (ns), or None if it never does."""

    def drain(self) -> list[ExchangeEvent]:
        """Executions, balance changes and prints since the last call, in the order they happened."""

    def take_book_delta(self, symbol: str) -> BookDelta | None:
        """What changed on the book since the last take; None if nothing did. Ids join without a hole."""

    # -- orders (each raises Refusal) ---------------------------------------------------------------------------------
    def check(self, account: str, order: NewOrder, now: int) -> None:
        """order/test: every check of place(), no effect."""

    def place(self, account: str, order: NewOrder, now: int) -> OrderRow: ...

    def cancel(self, account: str, symbol: str, now: int, *, order_id: int | None = None, client_order_id: str | None = None,
               new_client_order_id: str | None = None, restrictions: str | None = None) -> Cancelled: ...

    def cancel_all(self, account: str, symbol: str, now: int) -> list[Cancelled]: ...

    def cancel_replace(self, account: str, order: NewOrder, now: int, *, stop_on_failure: bool, order_id: int | None = None,
                       client_order_id: str | None = None, cancel_client_order_id: str | None = None,
                       restrictions: str | None = None) -> CancelReplaced: ...

    # -- queries ------------------------------------------------------------------------------------------------------
    def order(self, account: str, symbol: str, *, order_id: int | None = None, client_order_id: str | None = None) -> OrderRow:
        """By client id the newest with that id is meant. Raises Refusal -2013."""

    def open_orders(self, account: str, symbol: str | None = None) -> list[OrderRow]: ...

    def all_orders(self, account: str, symbol: str, *, order_id: int | None = None, start: int | None = None,
                   end: int | None = None, limit: int = 500) -> list[OrderRow]: ...

    def my_trades(self, account: str, symbol: str, *, order_id: int | None = None, from_id: int | None = None,
                  start: int | None = None, end: int | None = None, limit: int = 500) -> list[TradeRow]: ...

    def balances(self, account: str) -> dict[str, tuple[Decimal, Decimal]]:
        """asset -> (free, locked), every asset the account ever held."""

    def account_spec(self, account: str) -> AccountSpec: ...

    # -- market data --------------------------------------------------------------------------------------------------
    def spec(self, symbol: str) -> Spec:
        """Raises Refusal -1121."""

    def specs(self) -> list[Spec]: ...

    def depth(self, symbol: str, limit: int = 100) -> Depth: ...

    def book_ticker(self, symbol: str) -> BookTicker: ...

    def recent_trades(self, symbol: str, limit: int = 500) -> list[Print]: ...

    def agg_trades(self, symbol: str, *, from_id: int | None = None, start: int | None = None, end: int | None = None,
                   limit: int = 500) -> list[AggTrade]: ...

    def klines(self, symbol: str, interval: str, now: int, *, start: int | None = None, end: int | None = None,
               limit: int = 500) -> list[Kline]:
        """Oldest first, the last one may be open. Before the start of the exchange the market's own history stands."""

    def ticker(self, symbol: str, now: int) -> Ticker24h: ...

    def average_price(self, symbol: str, now: int) -> Decimal:
        """Over the last five minutes; the last price if nothing traded; the middle of the book before any trade."""
