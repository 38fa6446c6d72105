"""Stale reads: what the orders, trades and balances of the spot accounts were some seconds ago.

The last minute of changes is kept, each with how the order or balance was before it; a view rewinds the present answers by
those that came after its moment. It is the reads that lag, never what an order meets in the book.
"""

from collections import deque
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from tradedesk.paper.exchange import Exchange
from tradedesk.paper.rows import AccountChanged, ExchangeEvent, Execution, OrderRow, Refusal, Status, TradeRow

KEPT = 60_000_000_000  # ns
MOST_KEPT = 50_000  # changes; with more in a minute the oldest are forgotten, and reads lag less

_OPEN = (Status.NEW, Status.PARTIALLY_FILLED, Status.PENDING_NEW)
_Key = tuple[str, str, int]  # account, symbol, order id
_Balances = dict[str, tuple[Decimal, Decimal]]


class Lag:
    """The changes of the last minute. Fed with every event, in its order."""

    def __init__(self, exchange: Exchange, accounts: Sequence[str]) -> None:
        self._orders: deque[tuple[int, _Key, OrderRow | None]] = deque(maxlen=MOST_KEPT)
        self._balances: deque[tuple[int, str, _Balances]] = deque(maxlen=MOST_KEPT)
        self._open = {_key(row): row for name in accounts for row in exchange.open_orders(name)}
        self._held = {name: exchange.balances(name) for name in accounts}

    def happened(self, event: ExchangeEvent) -> None:
        match event:
            case Execution(row=row, time=time):
                key = _key(row)
                self._orders.append((time, key, self._open.get(key)))
                if row.status in _OPEN:
                    self._open[key] = row
                else:
                    self._open.pop(key, None)
                while self._orders and self._orders[0][0] < time - KEPT:
                    self._orders.popleft()
            case AccountChanged(account=account, balances=balances, time=time):
                held = self._held.setdefault(account, {})
                nothing = (Decimal(0), Decimal(0))
                self._balances.append((time, account, {asset: held.get(asset, nothing) for asset in balances}))
                held |= balances
                while self._balances and self._balances[0][0] < time - KEPT:
                    self._balances.popleft()

    def orders_before(self, account: str, then: int) -> dict[_Key, OrderRow | None]:
        """Of the account's orders that changed after `then`: how each was at that moment, None where it was not yet."""
        before: dict[_Key, OrderRow | None] = {}
        for time, key, row in reversed(self._orders):
            if time <= then:
                break
            if key[0] == account:
                before[key] = row  # the earliest change after `then` is met last
        return before

    def balances_before(self, account: str, then: int) -> _Balances:
        before: _Balances = {}
        for time, name, balances in reversed(self._balances):
            if time <= then:
                break
            if name == account:
                before |= balances
        return before


def _key(row: OrderRow) -> _Key:
    return row.account, row.symbol, row.order_id


class PastExchange:
    """The exchange to operations that read: account questions as of `then` (ns), everything else as it is."""

    def __init__(self, exchange: Exchange, lag: Lag, then: int) -> None:
        self._exchange = exchange
        self._lag = lag
        self._then = then

    def __getattr__(self, name: str) -> Any:
        return getattr(self._exchange, name)

    def order(
        self, account: str, symbol: str, *, order_id: int | None = None, client_order_id: str | None = None
    ) -> OrderRow:
        row = self._exchange.order(account, symbol, order_id=order_id, client_order_id=client_order_id)
        past = self._lag.orders_before(account, self._then).get(_key(row), row)
        if past is None:
            raise Refusal(-2013, "Order does not exist.")
        return past

    def open_orders(self, account: str, symbol: str | None = None) -> list[OrderRow]:
        rows = {_key(row): row for row in self._exchange.open_orders(account, symbol)}
        for key, before in self._lag.orders_before(account, self._then).items():
            if symbol is None or key[1] == symbol:
                rows.pop(key, None)
                if before is not None and before.status in _OPEN:
                    rows[key] = before
        return sorted(rows.values(), key=lambda row: row.order_id)

    def all_orders(self, account: str, symbol: str, **asked: Any) -> list[OrderRow]:
        before = self._lag.orders_before(account, self._then)
        rows = [before.get(_key(row), row) for row in self._exchange.all_orders(account, symbol, **asked)]
        return [row for row in rows if row is not None]

    def my_trades(self, account: str, symbol: str, **asked: Any) -> list[TradeRow]:
        rows = self._exchange.my_trades(account, symbol, **asked)
        return [row for row in rows if row.time <= self._then]

    def balances(self, account: str) -> _Balances:
        return self._exchange.balances(account) | self._lag.balances_before(account, self._then)
