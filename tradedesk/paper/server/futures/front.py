"""The USD-M market behind its doors: the exchange, what is counted, and who listens."""

import copy
from collections.abc import Callable
from decimal import Decimal
from functools import partial
from typing import Any

from tradedesk.paper.accounts import Right
from tradedesk.paper.faults import Fault
from tradedesk.paper.futures.exchange import FuturesExchange
from tradedesk.paper.futures.rows import (
    AccountUpdate,
    AlgoChanged,
    ConfigChanged,
    ForceOrder,
    FuturesEvent,
    MarginCall,
    OrderChanged,
    OrderRow,
    TriggerRejected,
)
from tradedesk.paper.futures.saved import SavedFutures
from tradedesk.paper.rows import Print
from tradedesk.paper.server import fault_futures
from tradedesk.paper.server.fault_lag import Lag, PastFutures
from tradedesk.paper.server.front import Commons, Front
from tradedesk.paper.server.futures import account_json, orders_json
from tradedesk.paper.server.futures.digits import Digits
from tradedesk.paper.server.futures.streams import FuturesStreams
from tradedesk.paper.server.limits import Limits

Remake = Callable[[SavedFutures | None, int], FuturesExchange | None]
"""(state or None for none, now in ns) -> a new exchange; None if there cannot be one, ValueError if the state does not fit."""


class FuturesFront(Front):
    """What the operations of the futures table are handed first."""

    market = "futures"
    trade_right = Right.FUTURES

    def __init__(
        self, exchange: FuturesExchange, commons: Commons, limits: Limits, remake: Remake | None = None
    ) -> None:
        super().__init__(commons, limits)
        self._remake = remake
        self._begin(exchange)

    def _begin(self, exchange: FuturesExchange) -> None:
        self.exchange = exchange
        self._lag = Lag([row for name in self.commons.accounts for row in _open_orders(exchange, name)], {})
        self.digits = {contract.symbol: Digits.of(contract) for contract in exchange.contracts()}
        self.streams: FuturesStreams = FuturesStreams(exchange, self.digits, self.users)

    def transfer(self, account: str, asset: str, amount: Decimal, now: int) -> int:
        """Into the futures wallet, or out of it where `amount` is below 0; the transfer's id. Raises Refusal."""
        self.exchange.advance(now)
        number = self.exchange.transfer(account, asset, amount, now)
        self.distribute(now)
        return number

    # -- faults -------------------------------------------------------------------------------------------------------

    def as_of(self, then: int) -> Front:
        view: Any = copy.copy(self)
        view.exchange = PastFutures(self.exchange, self._lag, then)
        return view  # type: ignore[no-any-return]

    def saved(self) -> SavedFutures:
        return self.exchange.saved()

    def revive(self, saved: object | None, now: int) -> None:
        made = None
        if self._remake is not None and (saved is None or isinstance(saved, SavedFutures)):
            made = self._remake(saved, now)
        if made is None:
            raise ValueError("the futures market was started without the means to start again")
        self._begin(made)

    def act(self, fault: Fault, now: int) -> object:
        return fault_futures.act(self.exchange, fault, now)

    def settle(self) -> int:
        now = self.commons.now()
        self.exchange.advance(now)
        return now

    def next_due(self) -> int | None:
        return self.exchange.next_due()

    def distribute(self, now: int) -> None:
        events = self.exchange.drain()
        for event in events:
            self._tell(event)
        self.streams.happened(
            [event for event in events if isinstance(event, Print)],
            [event for event in events if isinstance(event, ForceOrder)],
            now,
        )

    def _tell(self, event: FuturesEvent) -> None:
        """The user data event of what happened to an account, if it is one."""
        users = self.users
        match event:
            case OrderChanged(row=row, fill=fill):
                self._lag.order_changed(row, event.time)
                digits = self.digits[row.symbol]
                if fill is not None and event.what == "TRADE":
                    users.tell(row.account, partial(orders_json.trade_lite, event, fill, digits))
                users.tell(row.account, partial(orders_json.order_trade_update, event, digits))
            case AccountUpdate():
                users.tell(event.account, partial(account_json.account_update, event, self.digits))
            case ConfigChanged():
                users.tell(event.account, partial(account_json.config_update, event))
            case MarginCall():
                users.tell(event.account, partial(account_json.margin_call, event, self.digits))
            case AlgoChanged(row=row):
                users.tell(row.account, partial(orders_json.algo_update, event, self.digits[row.symbol]))
            case TriggerRejected():
                users.tell(event.account, partial(orders_json.trigger_reject, event))


def _open_orders(exchange: FuturesExchange, account: str) -> list[OrderRow]:
    """None of an account that has no futures side."""
    try:
        return exchange.open_orders(account)
    except KeyError:
        return []
