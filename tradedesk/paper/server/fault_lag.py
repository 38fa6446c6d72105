"""Stale reads: what the orders, trades and spot balances of the accounts were some seconds ago.

The last minute of changes is kept, each with how the order or balance was before it; a view rewinds the present answers by
those that came after its moment. It is the reads that lag, never what an order meets in the book. Not rewound: order
lists, movements, and the positions and balances of futures.
"""

from collections import deque
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any, Generic, Protocol, TypeVar

from tradedesk.paper.exchange import Exchange
from tradedesk.paper.futures import rows as futures_rows
from tradedesk.paper.futures.exchange import FuturesExchange
from tradedesk.paper.ledger import from_units, to_units
from tradedesk.paper.rows import OrderRow, Refusal, TradeRow

KEPT = 60_000_000_000  # ns
MOST_KEPT = 50_000  # changes; with more in a minute the oldest are forgotten, and reads lag less

_OPEN = ("NEW", "PARTIALLY_FILLED", "PENDING_NEW")
_NOTHING = (0, 0)
_Key = tuple[str, str, int]  # account, symbol, order id
_Units = dict[str, tuple[int, int]]  # asset -> (free, locked), of 1e-8
_Balances = dict[str, tuple[Decimal, Decimal]]


class Row(Protocol):
    """An order as either market shows it."""

    @property
    def account(self) -> str: ...
    @property
    def symbol(self) -> str: ...
    @property
    def order_id(self) -> int: ...
    @property
    def status(self) -> str: ...


R = TypeVar("R", bound=Row)


class Lag(Generic[R]):
    """The changes of the last minute. Fed with every one, in its order; times in ns.

    They are kept as they come: many change and few ask, so who asks looks for what was before.
    """

    def __init__(self, open_orders: Iterable[R], held: Mapping[str, _Balances]) -> None:
        """What stands at the beginning: the open orders, and by account what it holds."""
        self._orders: deque[tuple[int, R]] = deque()
        self._balances: deque[tuple[int, str, _Units]] = deque()
        self._stood = {_key(row): row for row in open_orders}  # those open before the oldest change that is kept
        self._held = {name: _units(balances) for name, balances in held.items()}  # what was held before it

    def order_changed(self, row: R, time: int) -> None:
        orders = self._orders
        orders.append((time, row))
        while orders[0][0] < time - KEPT or len(orders) > MOST_KEPT:
            _, old = orders.popleft()
            if old.status in _OPEN:
                self._stood[_key(old)] = old
            else:
                self._stood.pop(_key(old), None)

    def balances_changed(self, account: str, units: _Units, time: int) -> None:
        changes = self._balances
        changes.append((time, account, units))
        while changes[0][0] < time - KEPT or len(changes) > MOST_KEPT:
            _, name, old = changes.popleft()
            self._held.setdefault(name, {}).update(old)

    def orders_before(self, account: str, then: int) -> dict[_Key, R | None]:
        """Of the account's orders that changed after `then`: how each was at that moment, None where it was not open."""
        before: dict[_Key, R | None] = {}
        sought: set[_Key] = set()
        for time, row in reversed(self._orders):
            if time <= then and not sought:
                break
            if row.account != account:
                continue
            key = _key(row)
            if time > then:
                sought.add(key)
            elif key in sought:
                sought.remove(key)
                before[key] = row if row.status in _OPEN else None
        return before | {key: self._stood.get(key) for key in sought}

    def balances_before(self, account: str, then: int) -> _Balances:
        before: _Units = {}
        sought: set[str] = set()
        for time, name, units in reversed(self._balances):
            if time <= then and not sought:
                break
            if name != account:
                continue
            if time > then:
                sought.update(units)
                continue
            for asset in sought & units.keys():
                sought.remove(asset)
                before[asset] = units[asset]
        held = self._held.get(account, {})
        before |= {asset: held.get(asset, _NOTHING) for asset in sought}
        return {asset: (from_units(free), from_units(locked)) for asset, (free, locked) in before.items()}


def _units(balances: _Balances) -> _Units:
    return {asset: (to_units(free) or 0, to_units(locked) or 0) for asset, (free, locked) in balances.items()}


def _key(row: Row) -> _Key:
    return row.account, row.symbol, row.order_id


class _Past(Generic[R]):
    """An exchange to operations that read: order questions as of `then` (ns), everything else as it is."""

    def __init__(self, exchange: Any, lag: Lag[R], then: int) -> None:
        self._exchange = exchange
        self._lag = lag
        self._then = then

    def __getattr__(self, name: str) -> Any:
        return getattr(self._exchange, name)

    def order(self, account: str, symbol: str, **ids: Any) -> R:
        row: R = self._exchange.order(account, symbol, **ids)
        past = self._lag.orders_before(account, self._then).get(_key(row), row)
        if past is None:
            raise Refusal(-2013, "Order does not exist.")
        return past

    def open_orders(self, account: str, symbol: str | None = None) -> list[R]:
        rows: dict[_Key, R] = {_key(row): row for row in self._exchange.open_orders(account, symbol)}
        for key, before in self._lag.orders_before(account, self._then).items():
            if symbol is None or key[1] == symbol:
                rows.pop(key, None)
                if before is not None and before.status in _OPEN:
                    rows[key] = before
        return sorted(rows.values(), key=lambda row: row.order_id)

    def all_orders(self, account: str, symbol: str, **asked: Any) -> list[R]:
        before = self._lag.orders_before(account, self._then)
        rows = [before.get(_key(row), row) for row in self._exchange.all_orders(account, symbol, **asked)]
        return [row for row in rows if row is not None]


class PastExchange(_Past[OrderRow]):
    """The spot exchange so."""

    def __init__(self, exchange: Exchange, lag: Lag[OrderRow], then: int) -> None:
        super().__init__(exchange, lag, then)

    def my_trades(self, account: str, symbol: str, **asked: Any) -> list[TradeRow]:
        return [row for row in self._exchange.my_trades(account, symbol, **asked) if row.time <= self._then]

    def balances(self, account: str) -> _Balances:
        held: _Balances = self._exchange.balances(account)
        return held | self._lag.balances_before(account, self._then)


class PastFutures(_Past[futures_rows.OrderRow]):
    """The USD-M exchange so."""

    def __init__(self, exchange: FuturesExchange, lag: Lag[futures_rows.OrderRow], then: int) -> None:
        super().__init__(exchange, lag, then)

    def open_order(self, account: str, symbol: str, **ids: Any) -> futures_rows.OrderRow:
        row = self.order(account, symbol, **ids)
        if row.status not in _OPEN:
            raise Refusal(-2013, "Order does not exist.")
        return row

    def user_trades(self, account: str, symbol: str, **asked: Any) -> list[futures_rows.TradeRow]:
        return [row for row in self._exchange.user_trades(account, symbol, **asked) if row.time <= self._then]
