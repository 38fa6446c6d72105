"""What must hold (DESIGN 5), told as sentences by rule: no sentence, nothing wrong.

`Watch` looks while the world runs; the functions below it compare a settled account with the exchange itself.
"""

import hashlib
from collections import Counter, defaultdict
from decimal import Decimal
from typing import TYPE_CHECKING

import msgspec

from tradedesk.domain import events as ev
from tradedesk.domain.accounts import Halt, HaltLevel
from tradedesk.domain.gate import FLATTENER, Approved
from tradedesk.domain.orders import Happening, Order, OrdStatus, RequestKind, RequestState
from tradedesk.domain.words import ClientOrderId, Side
from tradedesk.journal.store import Durable
from tradedesk.simulation.venue import INSTRUMENT, OPEN, STATUS

if TYPE_CHECKING:
    from tradedesk.simulation.account import SimAccount

NOT_THERE = (OrdStatus.NeverArrived, OrdStatus.Denied, OrdStatus.Rejected)
SWEEPING = (HaltLevel.CancelOpening, HaltLevel.CancelAll, HaltLevel.Flatten)


class Watch:
    """Everything that happens passes here: into the trace, whose digest is the run's own, and under the eyes of the rules."""

    def __init__(self) -> None:
        self.broken: dict[str, list[str]] = defaultdict(list)  # by rule of DESIGN 5
        self.left_ids: Counter[ClientOrderId] = Counter()
        self.absent_ids: set[ClientOrderId] = set()  # concluded to have never arrived
        self._trace = hashlib.blake2b(digest_size=16)

    @property
    def digest(self) -> str:
        return self._trace.hexdigest()

    def broke(self, rule: str, text: str) -> None:
        if text not in self.broken[rule]:
            self.broken[rule].append(text)

    def published(self, account: "SimAccount", event: ev.Event) -> None:
        self._trace.update(msgspec.msgpack.encode(event))
        if not isinstance(event, ev.OrderMoved):
            return
        if event.happening is Happening.ProvedAbsent:
            self.absent_ids.add(event.client_order_id)
        elif event.client_order_id in self.left_ids:
            self._moved(account, event.client_order_id)

    def _moved(self, account: "SimAccount", client_order_id: ClientOrderId) -> None:
        """An order that is dead to us counts for nothing more, so its fills must all be here."""
        order = account.core.manager.books.orders.get(client_order_id) if account.core is not None else None
        row = account.venue.order(account.id, client_order_id)
        if order is not None and order.is_dead and row is not None and order.cum_qty != row.executed_qty:
            text = f"{client_order_id} is dead to us with {order.cum_qty} filled, {row.executed_qty} at the exchange"
            self.broke("5.4", text)

    def left(self, account: "SimAccount", approved: Approved) -> None:
        """The bytes of an order are on their way."""
        order = approved.order
        self._trace.update(order.client_order_id.encode())
        self.left_ids[order.client_order_id] += 1
        if self.left_ids[order.client_order_id] > 1:
            self.broke("5.2", f"{order.client_order_id} left twice")
        intent = account.intents.get(order.client_order_id)
        if not isinstance(intent, Durable) or not intent.is_durable:
            self.broke("5.1", f"{order.client_order_id} left before its intent was on disk")
        if account.halt is not None and not _may_leave(order, account.halt, account):
            self.broke("5.5", f"{order.client_order_id} ({order.side}) left under a halt of level {account.halt.level}")

    def crashed(self, account: "SimAccount") -> None:
        """What left must be in what the crash left."""
        replayed = account.journal.replay()
        recorded = {event.order.client_order_id for event in replayed if isinstance(event, ev.OrderPlaced)}
        for row in account.venue.orders(account.id):
            known = ClientOrderId(row.client_order_id)
            if known in self.left_ids and known not in recorded:
                self.broke("5.1", f"{known} is at the exchange, and no record of it survived the crash")

    def look(self, account: "SimAccount") -> None:
        """Between any two events: limits by the exchange's own books, and what a finished halt must keep away."""
        rows = [row for row in account.venue.orders(account.id) if row.status in OPEN]
        bids = sum((row.orig_qty - row.executed_qty for row in rows if row.side == "BUY"), Decimal(0))
        limit, raced = account.account.limits.max_position, account.venue.raced.get(account.id, Decimal(0))
        if limit is not None and _held(account) + bids > limit + raced:
            self.broke("5.4", f"{account.id}: {_held(account)} held and {bids} bid for, at most {limit}")
        if account.swept is None or account.halt is None:
            return
        for row in rows:
            stays = account.halt.level is HaltLevel.CancelOpening and row.side == "SELL"
            if row.client_order_id in self.left_ids and not stays:
                text = f"{row.client_order_id} ({row.side}) is open after the receipt of {account.halt.level}"
                self.broke("5.5", text)


def _held(account: "SimAccount") -> Decimal:
    free, locked = account.venue.exchange.balances(account.id)[INSTRUMENT.base]
    return free + locked


def _may_leave(order: Order, halt: Halt, account: "SimAccount") -> bool:
    """By the words of DESIGN, apart from the Gate's code: only what shrinks the long position of a spot account."""
    if account.core is None or order.side is not Side.Sell:
        return False
    position = account.core.manager.books.positions.get((account.id, order.instrument))
    if position is None or order.order_qty > position.qty:
        return False
    return halt.level.allows_reducing or (halt.level is HaltLevel.Flatten and order.operator == FLATTENER)


# ---- of a settled account ---------------------------------------------------------------------------------------------


def unexplained(account: "SimAccount", watch: Watch) -> list[str]:
    """5.1: every order is known to both sides, or known to us as one that the exchange never had; nothing is in doubt."""
    assert account.core is not None
    ours, found = account.core.manager.books.orders, []
    there = {ClientOrderId(row.client_order_id): row for row in account.venue.orders(account.id)}
    for client_order_id, row in there.items():
        order, is_ours = ours.get(client_order_id), client_order_id in watch.left_ids
        if order is None and not is_ours and row.status not in OPEN:
            continue  # of other software, and gone before we saw it
        if order is None:
            found.append(f"{client_order_id} is {row.status} at the exchange and unknown to us")
        elif order.ord_status is not STATUS[row.status] or (is_ours and order.cum_qty != row.executed_qty):
            there_, here = f"{row.status} {row.executed_qty}", f"{order.ord_status} {order.cum_qty}"
            found.append(f"{client_order_id} is {there_} at the exchange, {here} to us")
        elif order.is_external == is_ours:
            found.append(f"{client_order_id}: whose order it is was mistaken")
    for client_order_id, order in ours.items():
        if client_order_id not in there and order.ord_status not in NOT_THERE:
            found.append(f"{client_order_id} is {order.ord_status} to us and unknown to the exchange")
        if not order.is_dead and any(request.kind is RequestKind.Cancel for request in order.requests):
            found.append(f"{client_order_id} is open though somebody wanted it cancelled")
        for request in order.requests:
            if request.state in (RequestState.Pending, RequestState.Unknown):
                found.append(f"{request.request_id} is still {request.state}")
    return found


def sent_twice(account: "SimAccount", watch: Watch) -> list[str]:
    """5.2: nothing that places arrives twice."""
    arrivals = account.venue.arrivals.items()
    return [f"{key} arrived {count} times" for key, count in arrivals if count > 1 and key in account.intents]


def wrong_conclusions(account: "SimAccount", watch: Watch) -> list[str]:
    """5.2: what was said to have never arrived never did."""
    there = [ClientOrderId(row.client_order_id) for row in account.venue.orders(account.id)]
    return [f"{key} was held to have never arrived, and it had" for key in there if key in watch.absent_ids]


def wrong_money(account: "SimAccount", watch: Watch) -> list[str]:
    """5.3: fills once; positions, ledger and balances as the exchange has them, to the last digit."""
    assert account.core is not None
    books, opened, found = account.core.manager.books, account.core.manager.trades_from, []
    applied = Counter(event.fill.key for event in account.journal.replay() if isinstance(event, ev.OrderFilled))
    traded = [fill.key for fill in account.venue.trades(account.id) if fill.transact_time >= opened]
    found += [f"fill {key} was applied {count} times" for key, count in applied.items() if count > 1]
    found += [f"fill {key} was never applied" for key in traded if key not in applied]
    found += [f"fill {key} was invented" for key in applied if key not in traded]
    for balance in account.venue.balances(account.id):
        counted = books.ledgers[account.id].get(balance.asset, Decimal(0))
        shown = books.accounts[account.id].balances.get(balance.asset)
        if counted != balance.total:
            found.append(f"{balance.asset}: {balance.total} at the exchange, {counted} by our count")
        if shown != balance:
            found.append(f"{balance.asset}: {balance} at the exchange, {shown} on our screen")
    position = books.positions[account.id, INSTRUMENT.id].qty
    if position != _held(account):
        found.append(f"position: {_held(account)} at the exchange, {position} to us")
    rows = books.alerts.values()
    found += [f"false alarm: {row.alert.text}" for row in rows if row.alert.rule in ("unexplained", "vanished")]
    return found


def unswept(account: "SimAccount", watch: Watch) -> list[str]:
    """5.5: a halt that cancels ends in a receipt."""
    if account.halt is None or account.halt.level not in SWEEPING or account.swept is not None:
        return []
    return [f"{account.id}: the halt of level {account.halt.level} has no receipt"]


SETTLED = {
    "5.1": (unexplained,),
    "5.2": (sent_twice, wrong_conclusions),
    "5.3": (wrong_money,),
    "5.5": (unswept,),
}
