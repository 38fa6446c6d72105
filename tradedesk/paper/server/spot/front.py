"""The spot market behind its doors: the exchange, what is counted, and who listens."""

import copy
from collections.abc import Callable
from functools import partial
from typing import Any

from tradedesk.paper.exchange import Exchange
from tradedesk.paper.faults import Fault
from tradedesk.paper.rows import AccountChanged, BalanceMoved, Execution, ListChanged, Print
from tradedesk.paper.saved import Saved
from tradedesk.paper.server import fault_spot
from tradedesk.paper.server.fault_lag import Lag, PastExchange
from tradedesk.paper.server.front import Commons, Front
from tradedesk.paper.server.limits import MAKER_CREDIT, TAKER_CREDIT, Limits
from tradedesk.paper.server.spot import user_events
from tradedesk.paper.server.spot.streams import SpotStreams

Remake = Callable[[Saved | None, int], Exchange]
"""(state or None for none, now in ns) -> a new exchange; ValueError if the state does not fit."""


class SpotFront(Front):
    """What the operations of the spot table are handed first."""

    def __init__(self, exchange: Exchange, commons: Commons, limits: Limits, remake: Remake | None = None) -> None:
        super().__init__(commons, limits)
        self._remake = remake
        self._begin(exchange)

    def _begin(self, exchange: Exchange) -> None:
        self.exchange = exchange
        names = tuple(self.commons.accounts)
        self._lag = Lag(
            [row for name in names for row in exchange.open_orders(name)],
            {name: exchange.balances(name) for name in names},
        )
        self.streams: SpotStreams = SpotStreams(exchange, self.users)
        self._updated: dict[str, int] = {}  # by account, when a balance last changed (ns)
        for spec in exchange.specs():
            exchange.forget_book_changes(spec.symbol)  # what stands from the start is in every snapshot

    def updated(self, account: str) -> int:
        """When a balance of the account last changed (ns); when the exchange began if none did."""
        return self._updated.get(account, self.commons.started)

    # -- faults -------------------------------------------------------------------------------------------------------

    def as_of(self, then: int) -> Front:
        view: Any = copy.copy(self)
        view.exchange = PastExchange(self.exchange, self._lag, then)
        return view  # type: ignore[no-any-return]

    def act(self, fault: Fault, now: int) -> object:
        return fault_spot.act(self.exchange, fault, now)

    def saved(self) -> Saved:
        return self.exchange.saved()

    def revive(self, saved: object | None, now: int) -> None:
        if self._remake is None or not (saved is None or isinstance(saved, Saved)):
            raise ValueError("the spot market was started without the means to start again")
        self._begin(self._remake(saved, now))

    # -- what every market does -----------------------------------------------------------------------------------------

    def settle(self) -> int:
        now = self.commons.now()
        self.exchange.advance(now)
        return now

    def next_due(self) -> int | None:
        return self.exchange.next_due()

    def distribute(self, now: int) -> None:
        prints: list[Print] = []
        for event in self.exchange.drain():
            match event:
                case Execution(row=row, fill=fill):
                    self._lag.order_changed(row, event.time)
                    if fill is not None and row.executed_qty == fill.quantity:  # its first: only unfilled orders count
                        self.limits.give_back_order(row.account, now, MAKER_CREDIT if fill.is_maker else TAKER_CREDIT)
                    self.users.tell(row.account, partial(user_events.execution_report, event))
                case AccountChanged():
                    self._lag.balances_changed(event.account, event.units, event.time)
                    self._updated[event.account] = event.time
                    self.users.tell(event.account, partial(user_events.account_position, event))
                case Print():
                    prints.append(event)
                case ListChanged():
                    self.users.tell(event.row.account, partial(user_events.list_status, event))
                case BalanceMoved():
                    self.users.tell(event.movement.account, partial(user_events.balance_update, event))
        self.streams.happened(prints, now)
