"""The spot market behind its doors: the exchange, what is counted, and who listens."""

from functools import partial

from tradedesk.paper.exchange import Exchange
from tradedesk.paper.rows import AccountChanged, BalanceMoved, Execution, ListChanged, Print
from tradedesk.paper.server.front import Commons, Front
from tradedesk.paper.server.limits import Limits
from tradedesk.paper.server.spot import user_events
from tradedesk.paper.server.spot.streams import SpotStreams


class SpotFront(Front):
    """What the operations of the spot table are handed first."""

    def __init__(self, exchange: Exchange, commons: Commons, limits: Limits) -> None:
        super().__init__(commons, limits)
        self.exchange = exchange
        self.streams: SpotStreams = SpotStreams(exchange, self.users)
        self._updated: dict[str, int] = {}  # by account, when a balance last changed (ns)
        for spec in exchange.specs():
            exchange.take_book_delta(spec.symbol)  # what stands from the start is in every snapshot

    def updated(self, account: str) -> int:
        """When a balance of the account last changed (ns); when the exchange began if none did."""
        return self._updated.get(account, self.commons.started)

    def settle(self) -> int:
        now = self.commons.now()
        self.exchange.advance(now)
        return now

    def next_due(self) -> int | None:
        return self.exchange.next_due()

    def distribute(self, now: int) -> None:
        events = self.exchange.drain()
        for event in events:
            match event:
                case Execution(row=row, fill=fill):
                    if fill is not None and row.executed_qty == fill.quantity:  # its first: only unfilled orders count
                        self.limits.give_back_order(row.account, now)
                    self.users.tell(row.account, partial(user_events.execution_report, event))
                case AccountChanged():
                    self._updated[event.account] = event.time
                    self.users.tell(event.account, partial(user_events.account_position, event))
                case ListChanged():
                    self.users.tell(event.row.account, partial(user_events.list_status, event))
                case BalanceMoved():
                    self.users.tell(event.movement.account, partial(user_events.balance_update, event))
        self.streams.happened([event for event in events if isinstance(event, Print)], now)
