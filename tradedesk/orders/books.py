"""One account's own books: what happened so far, and what the message in hand makes happen."""

from collections.abc import Iterable
from decimal import Decimal

from tradedesk.domain import events as ev
from tradedesk.domain import orders as rules
from tradedesk.domain.accounts import Account
from tradedesk.domain.alerts import Alert, Severity
from tradedesk.domain.commands import CancelAll
from tradedesk.domain.instruments import Instrument
from tradedesk.domain.movements import Movement
from tradedesk.domain.orders import Fill, Happening, Order, Request, RequestState
from tradedesk.domain.outcomes import OrderReport
from tradedesk.domain.positions import Balance, Position
from tradedesk.domain.scopes import Scope
from tradedesk.domain.words import ClientOrderId, InstrumentId, OperatorId, RequestId, VenueOrderId
from tradedesk.orders.kept import AccountState, account_state_decoder
from tradedesk.orders.messages import Effect, Emit, Quarantine
from tradedesk.orders.working import Working
from tradedesk.views.replica import Replica

MS = 1_000_000  # ns


class Books:
    """Folded from events, of the journal first. Each verb below emits one event, folded before the verb returns.

    Rows are frozen, so an order in hand is old after a verb about it: `latest` gives the present one.
    """

    def __init__(
        self, account: Account, instruments: Iterable[Instrument], history: Iterable[ev.Event], now: int
    ) -> None:
        self.account = account.id
        self.now = now  # our clock, ns: when the message in hand came
        self.elapsed = now  # the monotonic clock at that moment, ns: for whatever waits, as `now` may step (F58)
        self.effects: list[Effect] = []  # of the message in hand
        self.replica = Replica()
        self.live: dict[ClientOrderId, Order] = {}
        self.working = Working()  # the same in sums
        self.known_ids: set[ClientOrderId] = set()  # of all orders ever, those the replica dropped included
        self.fill_keys: set[tuple[str, str, str]] = set()
        self.movement_keys: set[tuple[str, str, str]] = set()
        self._by_venue_id: dict[tuple[InstrumentId, VenueOrderId], ClientOrderId] = {}  # of those that live
        self._renamed: dict[ClientOrderId, ClientOrderId] = {}  # the id the venue has an order under -> our own (F24)
        self._held: dict[
            str, Decimal
        ] = {}  # opening and movements, without fills, of assets that were held at the opening
        self.trades_from = 0  # venue clock, ns: fills before this belong to the opening
        self.is_opened = False
        self._source = f"worker:{account.id}"
        for instrument in instruments:
            self.replica.apply(ev.InstrumentListed(at=now, source=self._source, instrument=instrument))
        self.replica.apply(ev.AccountListed(at=now, source=self._source, account=account))
        self.read(history)

    def read(self, history: Iterable[ev.Event]) -> None:
        """Fold what happened before."""
        for event in history:
            self._fold(event)

    def begin(self, now: int, elapsed: int) -> None:
        """A message is in hand; what it makes happen is collected in `effects`."""
        self.now, self.elapsed, self.effects = now, elapsed, []

    # -- reading ----------------------------------------------------------------------------------------------------------

    def order(self, client_order_id: ClientOrderId | None) -> Order | None:
        """Ours or external, live or dead; None also for one that died so long ago that the replica dropped it."""
        return None if client_order_id is None else self.replica.orders.get(client_order_id)

    def reported(self, report: OrderReport) -> Order | None:
        """The order that the venue speaks of: by our id, by one it has had since, or by the venue's own while it lives."""
        for name in (report.client_order_id, report.renamed_from):
            order = self.order(name) or self.order(None if name is None else self._renamed.get(name))
            if order is not None:
                return order
        return self.by_venue_id(report.instrument, report.venue_order_id)

    def by_venue_id(self, instrument: InstrumentId, venue_order_id: VenueOrderId) -> Order | None:
        """One that lives."""
        return self.order(self._by_venue_id.get((instrument, venue_order_id)))

    def owner_of(self, fill: Fill) -> Order | None:
        """The order that traded, likewise."""
        return (
            self.order(fill.client_order_id)
            or self.order(self._renamed.get(fill.client_order_id))
            or self.by_venue_id(fill.instrument, fill.venue_order_id)
        )

    def latest(self, order: Order) -> Order:
        return self.replica.orders.get(order.client_order_id, order)

    def ours(self) -> list[Order]:
        """The live orders that this desk placed."""
        return [order for order in self.live.values() if not order.is_external]

    def find(self, request_id: RequestId) -> tuple[Order, Request] | None:
        """A request and its order: a request id is the order's own, or that, a # that no order id has, and a number."""
        order = self.order(ClientOrderId(request_id.partition("#")[0]))
        request = None if order is None else rules.request_of(order, request_id)
        return None if order is None or request is None else (order, request)

    def state_of(self, order: Order, request_id: RequestId) -> RequestState | None:
        """How one of its requests stands now; None: it has no such request."""
        request = rules.request_of(self.latest(order), request_id)
        return None if request is None else request.state

    # -- what happens to an order -----------------------------------------------------------------------------------------

    def placed(self, order: Order) -> None:
        self._emit(ev.OrderPlaced(at=self.now, source=self._source, order=order))

    def made(self, order: Order, request: Request) -> None:
        """A cancel or replace of the order was asked for."""
        self._emit(
            ev.RequestMade(
                at=self.now,
                source=self._source,
                account=self.account,
                client_order_id=order.client_order_id,
                request=request,
            )
        )

    def decided(self, order: Order, request_id: RequestId, state: RequestState, *reasons: str) -> None:
        """What became of a request; news that it cannot take any more is passed over."""
        before = self.state_of(order, request_id)
        if before is None or state not in rules.NEXT_REQUEST[before]:
            return
        self._emit(
            ev.RequestDecided(
                at=self.now,
                source=self._source,
                account=self.account,
                client_order_id=order.client_order_id,
                request_id=request_id,
                state=state,
                reasons=reasons,
            )
        )

    def moved(
        self, order: Order, happening: Happening, reason: str | None, venue_order_id: VenueOrderId | None
    ) -> None:
        self._emit(
            ev.OrderMoved(
                at=self.now,
                source=self._source,
                account=self.account,
                client_order_id=order.client_order_id,
                happening=happening,
                venue_order_id=venue_order_id,
                reason=reason,
            )
        )

    def changed(
        self,
        order: Order,
        *,
        order_qty: Decimal | None = None,
        known_as: ClientOrderId | None = None,
        triggered_by: ClientOrderId | None = None,
    ) -> None:
        """The venue has the order otherwise than before."""
        self._emit(
            ev.OrderChanged(
                at=self.now,
                source=self._source,
                account=self.account,
                client_order_id=order.client_order_id,
                order_qty=order_qty,
                known_as=known_as,
                triggered_by=triggered_by,
            )
        )

    def filled(self, fill: Fill) -> None:
        self._emit(ev.OrderFilled(at=self.now, source=self._source, fill=fill))

    def refused(self, operator: OperatorId, what: ClientOrderId, reason: str) -> None:
        """A command was not taken; `what` is the order it was about."""
        self._emit(ev.SubmissionRefused(at=self.now, source=self._source, operator=operator, what=what, reason=reason))

    # -- what happens to the account --------------------------------------------------------------------------------------

    def opened(self, openings: tuple[ev.Opening, ...], marks: dict[InstrumentId, Decimal], trades_from: int) -> None:
        """The first look was taken: what everything later is counted from."""
        self._emit(
            ev.AccountOpened(
                at=self.now,
                source=self._source,
                account=self.account,
                openings=openings,
                marks=marks,
                trades_from=trades_from,
            )
        )

    def balances_read(self, balances: tuple[Balance, ...], *, is_complete: bool) -> None:
        self._emit(
            ev.BalancesRead(
                at=self.now, source=self._source, account=self.account, balances=balances, is_complete=is_complete
            )
        )

    def moved_money(self, movement: Movement, *, by: OperatorId | None = None, note: str = "") -> None:
        """The venue's ledger has a line that these books had not; `by` where an operator stands for it instead."""
        self._emit(
            ev.MovementSeen(
                at=self.now,
                source=self._source,
                account=self.account,
                asset=movement.asset,
                amount=movement.amount,
                kind=movement.kind.value,
                movement_id=movement.movement_id,
                transact_time=movement.transact_time,
                by=by,
                note=note,
            )
        )

    def reconciled(self, differences: tuple[str, ...], worklist: tuple[ev.WorkItem, ...], looked_at: int) -> None:
        self._emit(
            ev.Reconciled(
                at=self.now,
                source=self._source,
                account=self.account,
                differences=differences,
                worklist=worklist,
                looked_at=looked_at,
            )
        )

    @property
    def worklist(self) -> tuple[ev.WorkItem, ...]:
        """What remained of the last comparison."""
        row = self.replica.accounts.get(self.account)
        return row.worklist if row is not None else ()

    def swept(self, *, cancelled: int, left: int, started_at: int, scope: Scope | None = None) -> None:
        """A halt's receipt."""
        took_ms = (self.now - started_at) // MS
        self._emit(
            ev.HaltSwept(
                at=self.now,
                source=self._source,
                account=self.account,
                cancelled=cancelled,
                left=left,
                took_ms=took_ms,
                scope=scope,
            )
        )

    def cancel_swept(
        self, scope: CancelAll, *, by: OperatorId, cancelled: int, ended: int, left: int, started_at: int
    ) -> None:
        """A cancel-all's receipt."""
        self._emit(
            ev.CancelSwept(
                at=self.now,
                source=self._source,
                account=self.account,
                instrument=scope.instrument,
                side=scope.side,
                by=by,
                cancelled=cancelled,
                ended=ended,
                left=left,
                took_ms=(self.now - started_at) // MS,
            )
        )

    # -- alerts -----------------------------------------------------------------------------------------------------------

    def alert(self, key: str, severity: Severity, text: str) -> None:
        """Raise it for this account; a key is `rule` or `rule:what it is about`."""
        alert = Alert(
            key=f"{key}:{self.account}",
            rule=key.partition(":")[0],
            severity=severity,
            account=self.account,
            text=text,
            at=self.now,
        )
        self._emit(ev.AlertRaised(at=self.now, source=self._source, alert=alert))

    def is_alerted(self, key: str) -> bool:
        """Whether what was raised under this key stands."""
        row = self.replica.alerts.get(f"{key}:{self.account}")
        return row is not None and row.is_active

    def alert_ended(self, key: str) -> None:
        self._emit(ev.AlertEnded(at=self.now, source=self._source, key=f"{key}:{self.account}"))

    def quarantine(self, reason: str) -> None:
        """Block the account until a person has looked."""
        self.effects.append(Quarantine(reason=reason))
        self.alert("quarantine", Severity.Critical, reason)

    # -- the fold ---------------------------------------------------------------------------------------------------------

    def _emit(self, event: ev.Event) -> None:
        self._fold(event)
        self.effects.append(Emit(event=event))

    def _fold(self, event: ev.Event) -> None:
        self.replica.apply(event)
        match event:
            case ev.OrderPlaced():
                self.known_ids.add(event.order.client_order_id)
                self._note(event.order.client_order_id)
            case ev.RequestMade() | ev.RequestDecided() | ev.OrderMoved():
                self._note(event.client_order_id)
            case ev.OrderChanged():
                if event.known_as is not None:
                    self._renamed[event.known_as] = event.client_order_id
                self._note(event.client_order_id)
            case ev.OrderFilled():
                self.fill_keys.add(event.fill.key)
                self._note(event.fill.client_order_id)
            case ev.MovementSeen():
                self.movement_keys.add((event.kind, event.asset, event.movement_id))
                if event.asset in self._held:
                    self._held[event.asset] += event.amount
            case ev.AccountOpened():
                self.trades_from, self.is_opened = event.trades_from, True
                self._held = {opening.asset: opening.amount for opening in event.openings if opening.amount}
            case ev.AccountKept():
                self._take_over(account_state_decoder.decode(event.state))
            case _:
                pass

    # -- checkpoints ------------------------------------------------------------------------------------------------------

    def state(self) -> AccountState:
        """All that these books know, so that others can go on from here."""
        return AccountState(
            replica=self.replica.snapshot(0),
            live=tuple(self.live),
            known_ids=tuple(sorted(self.known_ids)),
            fill_keys=tuple(sorted(self.fill_keys)),
            movement_keys=tuple(sorted(self.movement_keys)),
            by_venue_id=tuple((*key, ours) for key, ours in self._by_venue_id.items()),
            renamed=self._renamed,
            held=self._held,
            trades_from=self.trades_from,
            is_opened=self.is_opened,
        )

    def _take_over(self, state: AccountState) -> None:
        self.replica.take_over(state.replica)
        self.live = {key: self.replica.orders[key] for key in state.live}
        self.working = Working(self.live.values())
        self.known_ids, self.fill_keys = set(state.known_ids), set(state.fill_keys)
        self.movement_keys = set(state.movement_keys)
        self._by_venue_id = {(instrument, venue_id): ours for instrument, venue_id, ours in state.by_venue_id}
        self._renamed, self._held = dict(state.renamed), dict(state.held)
        self.trades_from, self.is_opened = state.trades_from, state.is_opened
        known = {instrument.id for instrument in state.replica.instruments}
        for instrument in [each for each in self.replica.instruments.values() if each.id not in known]:
            self.listed_late(instrument)

    def listed_late(self, instrument: Instrument) -> None:
        """An instrument that was not known at the opening: its position is what the opening and movements since make.

        As if it had been listed from the start: nobody of ours could trade it before.
        """
        self.replica.apply(ev.InstrumentListed(at=self.now, source=self._source, instrument=instrument))
        key, amount = (self.account, instrument.id), self._held.get(instrument.base)
        if key not in self.replica.positions and amount is not None:
            self.replica.positions[key] = Position(
                account=self.account, instrument=instrument.id, qty=amount, cost=None
            )

    def _note(self, client_order_id: ClientOrderId) -> None:
        order = self.replica.orders.get(client_order_id)
        if order is None or order.is_dead:
            before = self.live.pop(client_order_id, None)
            self.working.drop(client_order_id)
            if before is not None and before.venue_order_id is not None:
                self._by_venue_id.pop((before.instrument, before.venue_order_id), None)
        else:
            self.live[client_order_id] = order
            self.working.put(order)
            if order.venue_order_id is not None:
                self._by_venue_id[order.instrument, order.venue_order_id] = client_order_id
