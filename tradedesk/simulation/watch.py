"""What must hold at every step (DESIGN 5), told as sentences by rule: no sentence, nothing wrong.

Everything that happens passes here: into the digest that is the run's own, into the trace where one is kept, and under
the eyes of the rules. What it compares with is the exchange itself and books of its own.
"""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import TYPE_CHECKING

import msgspec

from tradedesk.domain import events as ev
from tradedesk.domain.accounts import AccountState, Halt, HaltLevel
from tradedesk.domain.gate import FLATTENER, Approved
from tradedesk.domain.orders import Happening, Order, OrdStatus, Request, RequestKind, RequestState, request_of
from tradedesk.domain.positions import asset_changes
from tradedesk.domain.words import AccountId, ClientOrderId, RequestId, Side
from tradedesk.journal.store import Durable
from tradedesk.orders.sweep import SWEEPING
from tradedesk.simulation.caps import Caps
from tradedesk.simulation.rows import INSTRUMENT, OPEN, STATUS
from tradedesk.simulation.trace import Trace, described

if TYPE_CHECKING:
    from tradedesk.simulation.account import SimAccount
    from tradedesk.simulation.storage import SimStore

ZERO = Decimal(0)
MOST_REQUESTS = 24  # about one order in one life of its account: repeated cancels are spaced ever wider


class Watch:
    """One for the whole world, through all lives of all accounts."""

    def __init__(self, elapsed: Callable[[], int], trace: Trace | None) -> None:
        self.broken: dict[str, list[str]] = defaultdict(list)  # by rule of DESIGN 5
        self.left_ids: set[ClientOrderId] = set()
        self._left_requests: Counter[RequestId] = Counter()
        self.halts: dict[AccountId, Halt] = {}  # as they were set: what an account makes of them is its own affair
        self.trace = trace
        self._elapsed = elapsed
        self._digest = hashlib.blake2b(digest_size=16)
        self._applied: dict[AccountId, set[tuple[str, str, str]]] = defaultdict(set)
        self._moved: dict[AccountId, set[tuple[str, str, str]]] = defaultdict(set)
        self._requests: dict[AccountId, Counter[ClientOrderId]] = defaultdict(Counter)
        self._ledgers: dict[AccountId, dict[str, Decimal]] = {}
        self.caps = Caps(elapsed, self.broke)

    @property
    def digest(self) -> str:
        return self._digest.hexdigest()

    def broke(self, rule: str, text: str) -> None:
        if text not in self.broken[rule]:
            self.broken[rule].append(text)
            self.note("world", f"!! {rule}: {text}")

    def note(self, who: str, what: str) -> None:
        if self.trace is not None:
            self.trace.note(self._elapsed(), who, what)

    # -- what an account records and publishes --------------------------------------------------------------------------

    def started(self, account: "SimAccount", history: Iterable[ev.Event]) -> None:
        """A new life begins on this much of the journal."""
        self._applied[account.id].clear()
        self._moved[account.id].clear()
        self._ledgers.pop(account.id, None)
        self._requests[account.id].clear()
        for event in history:
            self._fold(account, event)

    def published(self, account: "SimAccount", event: ev.Event) -> None:
        self._digest.update(msgspec.msgpack.encode(event))
        if self.trace is not None and (text := described(event)) is not None:
            self.trace.note(self._elapsed(), account.id, text)
        self._fold(account, event)
        match event:
            case ev.OrderMoved():
                self._order_moved(account, event)
            case ev.RequestMade():
                self._count(account.id, event.client_order_id)
            case ev.RequestDecided():
                self._request_decided(account, event)
            case ev.OrderFilled():
                self._is_dead_complete(account, event.fill.client_order_id)
            case ev.AccountChanged(state=AccountState.Blocked):
                self.broke("5.2", f"{account.id} was quarantined: {event.reason}")

    def _fold(self, account: "SimAccount", event: ev.Event) -> None:
        """Into books of our own: each fill and movement once, and as the venue has it (5.3)."""
        match event:
            case ev.AccountOpened():
                self.caps.opened.setdefault(account.id, self._elapsed())
                self._ledgers[account.id] = {opening.asset: opening.amount for opening in event.openings}
            case ev.OrderFilled(fill=fill):
                if fill.key in self._applied[account.id]:
                    self.broke("5.3", f"fill {fill.key} of {fill.client_order_id} was applied twice")
                self._applied[account.id].add(fill.key)
                true = account.venue.fills[account.id].get(fill.key)
                if true is None or msgspec.structs.replace(true, client_order_id=fill.client_order_id) != fill:
                    self.broke("5.3", f"fill {fill.key} of {fill.client_order_id} is not one of the venue's")
                for asset, change in asset_changes(fill, INSTRUMENT).items():
                    self._add(account.id, asset, change)
            case ev.MovementSeen():
                key = (event.kind, event.asset, event.movement_id)
                if key in self._moved[account.id]:
                    self.broke("5.3", f"movement {key} was applied twice")
                self._moved[account.id].add(key)
                rows = account.venue.moved(account.id, event.transact_time)
                if event.by is None and (key, event.amount) not in [(row.key, row.amount) for row in rows]:
                    self.broke("5.3", f"movement {key} of {event.amount} is not in the venue's ledger")
                self._add(account.id, event.asset, event.amount)
            case _:
                pass

    def _count(self, account: AccountId, client_order_id: ClientOrderId) -> None:
        """Requests about one order since the account started: they are spaced, so they stay few (5.13)."""
        self._requests[account][client_order_id] += 1
        if self._requests[account][client_order_id] > MOST_REQUESTS:
            self.broke("5.13", f"more than {MOST_REQUESTS} requests were made about {client_order_id}")

    def _add(self, account: AccountId, asset: str, change: Decimal) -> None:
        ledger = self._ledgers.setdefault(account, {})
        ledger[asset] = ledger.get(asset, ZERO) + change

    # -- conclusions (5.2) ----------------------------------------------------------------------------------------------

    def _order_moved(self, account: "SimAccount", event: ev.OrderMoved) -> None:
        """Nothing is concluded that the venue did not prove."""
        row = account.venue.order(account.id, event.client_order_id)
        is_there = row is not None and STATUS[row.status] is not OrdStatus.Rejected
        name = event.client_order_id
        match event.happening:
            case Happening.ProvedAbsent if is_there or account.venue.on_the_way[RequestId(name)] > 0:
                self.broke("5.2", f"{name} was held to have never arrived, and it has or may")
            case Happening.Rejected if is_there:
                self.broke("5.2", f"{name} was held to be refused, and the exchange has it")
            case Happening.Denied if name in self.left_ids:
                self.broke("5.2", f"{name} was held to be unsent, and it had left")
            case Happening.Accepted | Happening.Canceled | Happening.Expired if not is_there:
                self.broke("5.2", f"{name} is {event.happening} to us and was never on the exchange's book")
        self._is_dead_complete(account, name)

    def _is_dead_complete(self, account: "SimAccount", client_order_id: ClientOrderId) -> None:
        """An order that is dead to us counts for nothing more: so it must be dead, in that way, and its fills all be here."""
        order = account.core.manager.books.orders.get(client_order_id) if account.core is not None else None
        row = account.venue.order(account.id, client_order_id)
        if order is None or not order.is_dead or row is None or client_order_id not in self.left_ids:
            return
        if order.ord_status is not STATUS[row.status] and order.ord_status is not OrdStatus.NeverArrived:
            self.broke("5.2", f"{client_order_id} is {order.ord_status} to us and {row.status} at the exchange")
        if order.cum_qty != row.executed_qty:
            text = f"{client_order_id} is dead to us with {order.cum_qty} filled, {row.executed_qty} at the exchange"
            self.broke("5.4", text)

    def _request_decided(self, account: "SimAccount", event: ev.RequestDecided) -> None:
        order = account.core.manager.books.orders.get(event.client_order_id) if account.core is not None else None
        request = request_of(order, event.request_id) if order is not None else None
        if order is None or request is None:
            return
        row = account.venue.order(account.id, event.client_order_id)
        is_open = row is not None and row.status in OPEN
        if request.kind is RequestKind.New:
            self._birth_decided(account, request, event.state, is_there=row is not None)
        elif request.kind is RequestKind.Cancel and event.state is RequestState.Acknowledged and is_open:
            self.broke("5.2", f"cancel {request.request_id} is Acknowledged and its order open")
        elif event.state is RequestState.NeverArrived and account.venue.on_the_way[request.request_id] > 0:
            self.broke("5.2", f"{request.request_id} was held to have never arrived, and it may")

    def _birth_decided(self, account: "SimAccount", request: Request, state: RequestState, *, is_there: bool) -> None:
        if state is RequestState.Acknowledged and not is_there:
            self.broke("5.2", f"{request.request_id} is Acknowledged and the exchange never had it")
        may_arrive = account.venue.on_the_way[request.request_id] > 0
        if state in (RequestState.Refused, RequestState.NeverArrived) and may_arrive:
            self.broke("5.2", f"{request.request_id} was held to be {state}, and it may arrive")

    # -- what leaves ----------------------------------------------------------------------------------------------------

    def left(self, account: "SimAccount", approved: Approved, store: "SimStore") -> None:
        """The bytes of an order are on their way."""
        order = approved.order
        self._digest.update(order.client_order_id.encode())
        self.note(account.id, f"{order.client_order_id} leaves{' to be made smaller' if approved.is_in_place else ''}")
        self.left_ids.add(order.client_order_id)
        self._left_requests[approved.request_id] += 1
        if self._left_requests[approved.request_id] > 1:
            self.broke("5.2", f"{approved.request_id} left twice")
        intent = account.intents.get(approved.request_id)
        if not isinstance(intent, Durable) or not intent.is_durable or order.client_order_id not in store.intents:
            self.broke("5.1", f"{order.client_order_id} left before its intent was on disk")
        halt = self.halts.get(account.id)
        if halt is not None and not _may_leave(order, halt, account):
            self.broke("5.5", f"{order.client_order_id} ({order.side}) left under a halt of level {halt.level}")
        self.caps.left(account, approved)

    # -- what a crash leaves --------------------------------------------------------------------------------------------

    def crashed(self, accounts: "list[SimAccount]", store: "SimStore") -> None:
        """What left must be in what the crash left, and what was told to be durable too."""
        replayed = list(store.on_disk())
        recorded = {event.order.client_order_id for event in replayed if isinstance(event, ev.OrderPlaced)}
        for account in accounts:
            for row in account.venue.orders(account.id):
                known = ClientOrderId(row.client_order_id)
                if known in self.left_ids and known not in recorded:
                    self.broke("5.1", f"{known} is at the exchange, and no record of it survived the crash")
        if len(replayed) < store.durable_count:
            self.broke("5.1", f"{store.durable_count} records were told to be durable, {len(replayed)} survived")
        for name, damage in store.damaged().items():
            self.broke("5.1", f"the journal of {name} is damaged by a crash: {damage}")

    # -- between any two events -----------------------------------------------------------------------------------------

    def look(self, account: "SimAccount") -> None:
        """Limits by the exchange's own books, what a finished halt must keep away, the account's ledger, and what may grow."""
        rows = account.venue.open_orders(account.id)
        self.caps.look(account, self.left_ids)
        halt = self.halts.get(account.id)
        if account.swept is not None and halt is not None and halt.level in SWEEPING:  # the others cancel nothing
            for row in rows:
                stays = halt.level is HaltLevel.CancelOpening and row.side == "SELL"
                if row.client_order_id in self.left_ids and not stays:
                    text = f"{row.client_order_id} ({row.side}) is open after the receipt of {halt.level}"
                    self.broke("5.5", text)
        if account.core is None:
            return
        books = account.core.manager.books
        mine = self._ledgers.get(account.id)
        if mine is not None:
            if books.ledgers[account.id] != mine:
                self.broke("5.3", f"{account.id}: the ledger is {books.ledgers[account.id]}, its events make {mine}")
            position = books.positions.get((account.id, INSTRUMENT.id))
            if position is not None and position.qty != mine[INSTRUMENT.base]:
                self.broke("5.3", f"{account.id}: the position is {position.qty}, its ledger {mine[INSTRUMENT.base]}")


def _may_leave(order: Order, halt: Halt, account: "SimAccount") -> bool:
    """By the words of DESIGN, apart from the Gate's code: only what shrinks the long position of a spot account."""
    if account.core is None or order.side is not Side.Sell:
        return False
    position = account.core.manager.books.positions.get((account.id, order.instrument))
    if position is None or order.order_qty > position.qty:
        return False
    return halt.level.allows_reducing or (halt.level is HaltLevel.Flatten and order.operator == FLATTENER)
