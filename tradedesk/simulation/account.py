"""One account on the virtual clock: its core, and the effects performed as the worker and its performer perform them."""

from collections.abc import Callable
from functools import partial
from typing import ParamSpec

import msgspec

from tradedesk.accounts.core import Core, Outgoing
from tradedesk.domain import events as ev
from tradedesk.domain.accounts import Account, AccountState, Halt
from tradedesk.domain.gate import Approved
from tradedesk.domain.limits import Limits
from tradedesk.domain.orders import AmendBy, Fill
from tradedesk.domain.outcomes import NotSent, VenueState
from tradedesk.domain.words import AccountId, ClientOrderId, RequestId
from tradedesk.journal.store import Durable, JournalError
from tradedesk.orders.manager import OrderManager
from tradedesk.orders.messages import (
    Ask,
    AskFills,
    AskMovements,
    AskState,
    FillsAnswer,
    HaltEnded,
    HaltNow,
    Message,
    Quarantine,
    Reconciliation,
    Send,
    SendCancel,
    Tick,
)
from tradedesk.risk.reservations import Reservations
from tradedesk.simulation.checkpoints import Checkpoints
from tradedesk.simulation.faults import Faults
from tradedesk.simulation.rows import INFO, INSTRUMENT
from tradedesk.simulation.scheduler import MS, SECOND, Scheduler
from tradedesk.simulation.storage import Killed, SimStore
from tradedesk.simulation.venue import SimVenue
from tradedesk.simulation.watch import Watch

RECONCILE_NS = 8 * SECOND
OVERLAP_NS = 300 * SECOND  # as the worker's: fills are asked for from so long before the last look
P = ParamSpec("P")


class SimAccount:
    """Alive from `start` to `stop`; what was scheduled before a stop does not happen after it.

    `kill` ends the whole desk: it is called where a write of the journal is the process's last.
    """

    def __init__(
        self,
        account: Account,
        venue: SimVenue,
        store: SimStore,
        scheduler: Scheduler,
        faults: Faults,
        new_id: Callable[[], ClientOrderId],
        checkpoints: Checkpoints,
        shared: Reservations,
        watch: Watch,
        kill: Callable[[], None],
    ) -> None:
        self.account = account
        self.venue = venue
        self.store = store
        self.core: Core | None = None
        self.halt: Halt | None = None  # as the latch in the state folder holds it: no crash takes it
        self.swept: ev.HaltSwept | None = None  # the receipt of the halt in force
        self.intents: dict[RequestId, Durable | JournalError | None] = {}
        self._scheduler = scheduler
        self._clock = scheduler.clock
        self._faults = faults
        self._new_id = new_id
        self._checkpoints = checkpoints
        self.shared = shared  # what the accounts of one process share: another one after a kill
        self._watch = watch
        self._kill = kill
        self._life = 0
        self._heeded: Halt | None = None  # the halt that was acted on
        self._is_stream_up = False
        self._is_reconciling = self._wants_reconcile = False
        self._look_began = 0  # monotonic ns
        self._first: VenueState | None = None  # the look before, of an account that is not open yet
        self._waiting: list[tuple[Durable, Approved]] = []  # sends that wait for the disk

    @property
    def id(self) -> AccountId:
        return self.account.id

    # -- life -----------------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """The worker starts on what the journal says of its account."""
        if self.core is not None:
            return
        records = [event for event in self.store.replay() if ev.account_of(event) == self.id]
        self._watch.note(self.id, f"* starts on {len(records)} records")
        self._watch.started(self, records)
        self.venue.measure_clock(self.id)
        now = self._clock.now()
        history = self._checkpoints.shorten(self.id, records)
        manager = OrderManager(self.account, INFO, history, self._new_id, now)
        self.core = core = Core(
            self.account,
            manager,
            store=self.store,
            publish=self._published,
            quotes=self.venue.quotes,
            halt=lambda: self.halt,
            shared=self.shared,
        )
        self._heeded = None

        def opened() -> None:
            core.recover(now, self._clock.monotonic())
            core.set_state(AccountState.Reconciling, "starting", now)
            self._heed_halt()

        self._until_killed(opened)
        if self.core is None:
            return  # killed over its first records
        self._repeat(100 * MS, self._tick)
        self._repeat(RECONCILE_NS, self._reconcile)
        self.stream_up()

    def stop(self) -> None:
        """The worker is gone, or the whole process; what had left for the venue goes on there."""
        self._life += 1
        self.core = None
        self.venue.streams.pop(self.id, None)
        self._is_stream_up = self._is_reconciling = self._wants_reconcile = False
        self._first = None
        self._waiting = []

    def stream_up(self) -> None:
        if self.core is None:
            return
        self.venue.streams[self.id] = self._mine(self.tell)
        self._is_stream_up = True
        self._reconcile()

    def stream_down(self) -> None:
        self.venue.streams.pop(self.id, None)
        self._is_stream_up = False
        if self.core is not None and self.core.state is AccountState.Ready:
            self._set_state(AccountState.Reconciling, "private stream down")

    def tell(self, message: Message) -> None:
        """Let the core decide, and do what it asks for."""

        def decide() -> None:
            core = self.core
            if core is None:
                return
            for effect in core.handle(message, self._clock.now(), self._clock.monotonic()):
                self._perform(core, effect)

        self._until_killed(decide)

    def halted(self, halt: Halt | None) -> None:
        """The latch first (5.5); the account finds it by itself, soon."""
        self.halt, self.swept = halt, None
        self._scheduler.after(self._faults.within(50 * MS), self._mine(self._heed_halt))

    def limited(self, limits: Limits) -> None:
        """A risk manager sets other limits; the account has them soon, and a worker that starts has them at once."""
        self.account = msgspec.structs.replace(self.account, limits=limits)

        def told() -> None:
            if self.core is not None:
                self.core.use_account(self.account)

        self._scheduler.after(self._faults.within(50 * MS), self._mine(told))

    def _heed_halt(self) -> None:
        """Act on what is latched, whether or not anybody came to say so."""
        if self.core is not None and self.halt != self._heeded:
            self._heeded = halt = self.halt
            self.tell(HaltEnded() if halt is None else HaltNow(level=halt.level, by=halt.by))

    def _tick(self) -> None:
        self._heed_halt()
        self.tell(Tick())

    def _set_state(self, state: AccountState, reason: str) -> None:
        def change() -> None:
            if self.core is not None:
                self.core.set_state(state, reason, self._clock.now())

        self._until_killed(change)

    def _until_killed(self, action: Callable[[], None]) -> None:
        """Whatever may write to the journal; the process may die over it."""
        try:
            action()
        except Killed:
            self._kill()

    # -- effects --------------------------------------------------------------------------------------------------------

    def _perform(self, core: Core, effect: Outgoing) -> None:
        match effect:
            case Send():
                self._send(core, effect.approved)
            case SendCancel():
                cancel, answer = effect.ticket, self._mine(self.tell)
                self._scheduler.after(self._faults.delay(), self._mine(lambda: self.venue.cancel(cancel, answer)))
            case Ask():
                self.venue.query(effect.order, self._mine(self.tell))
            case AskFills():
                self._ask_fills(effect)
            case AskMovements():
                self.venue.movements(self.id, effect.since, self._mine(self.tell))
            case AskState():
                self._reconcile()
            case Quarantine():
                core.set_state(AccountState.Blocked, effect.reason, self._clock.now())

    def _send(self, core: Core, approved: Approved) -> None:
        record = core.record_of(approved.order.client_order_id)
        if isinstance(record, Durable):
            self._waiting.append((record, approved))
        else:
            self._not_sent(approved, "not recorded")

    def flush(self) -> None:
        """Send what is on disk now, and give up what never will be."""
        settled = [(record, approved) for record, approved in self._waiting if record.is_settled]
        self._waiting = [pair for pair in self._waiting if not pair[0].is_settled]
        for record, approved in settled:
            if self.core is not None:
                self.core.forget_record(approved.order.client_order_id)
            if record.failure is not None:
                self._not_sent(approved, "not recorded")
            else:
                self._scheduler.after(self._faults.delay(), partial(self._mine(self._leave), approved))

    def _leave(self, approved: Approved) -> None:
        """The moment at which the bytes are written: what is looked at here is looked at last."""
        if self.core is None:
            return
        refusal = self.core.last_check(approved, self._clock.now())
        if refusal is not None:
            self._not_sent(approved, refusal)
            return
        self._watch.left(self, approved, self.store)
        self.venue.place(approved, self._mine(self.tell))

    def _not_sent(self, approved: Approved, reason: str) -> None:
        answer = NotSent(request_id=approved.request_id, reason=reason)
        self._scheduler.after(0, self._mine(lambda: self.tell(answer)))

    def _ask_fills(self, effect: AskFills) -> None:
        def answered(fills: tuple[Fill, ...] | None) -> None:
            self.tell(
                FillsAnswer(
                    client_order_id=effect.order.client_order_id,
                    fills=fills or (),
                    report=effect.report,
                    failed="timeout" if fills is None else None,
                )
            )
            if fills is None:
                self._reconcile()

        self.venue.fills_of(effect.order, self._mine(answered))

    # -- reconciliation -------------------------------------------------------------------------------------------------

    def _reconcile(self) -> None:
        if self.core is None or self.core.state is AccountState.Blocked:
            return
        if self._is_reconciling:
            self._wants_reconcile = True
            return
        self._is_reconciling, self._wants_reconcile = True, False
        self._look_began = self._clock.monotonic()
        self.venue.state_of(self.id, self._since(self.core), self._mine(self._reconciled))

    def _reconciled(self, state: VenueState | None) -> None:
        self._is_reconciling = False
        if self.core is None:
            return
        if state is None:
            self._set_state(AccountState.Offline, "timeout")
            self._scheduler.after(500 * MS, self._mine(self._reconcile))
            return
        if not self.core.manager.is_opened and self._looks_again(state):
            self._reconcile()
            return
        quote = self.venue.quote
        marks = {INSTRUMENT.id: quote.mark} if quote is not None and quote.mark is not None else {}
        offset = self.venue.clock_offset(self.id)
        self.tell(Reconciliation(state=state, marks=marks, clock_offset=offset, began=self._look_began))
        if self.core is None:
            return
        if self.core.state in (AccountState.Reconciling, AccountState.Offline) and self._is_stream_up:
            self._set_state(AccountState.Ready, "")
        if self._wants_reconcile:
            self._reconcile()

    def _looks_again(self, state: VenueState) -> bool:
        """The very first look is taken until two in a row agree on the balances, as the worker takes it."""
        before, self._first = self._first, state
        return before is None or before.balances != state.balances

    def _since(self, core: Core) -> int | None:
        """From when fills are asked for, as the worker asks for them."""
        manager = core.manager
        if not manager.is_opened:
            return None
        looked_at = manager.books.accounts[self.id].reconciled_at or 0
        return max(looked_at - OVERLAP_NS, manager.trades_from)

    # -- parts ----------------------------------------------------------------------------------------------------------

    def _published(self, event: ev.Event) -> None:
        self._watch.published(self, event)
        match event:
            case ev.OrderPlaced() if self.core is not None:
                order_id = event.order.client_order_id
                self.intents[RequestId(order_id)] = self.core.record_of(order_id)
            case ev.RequestMade(request=request) if self.core is not None and request.by is AmendBy.InPlace:
                self.intents[request.request_id] = self.core.record_of(event.client_order_id)
            case ev.HaltSwept():
                self.swept = event
            case _:
                pass

    def _mine(self, action: Callable[P, None]) -> Callable[P, None]:
        """`action`, unless the process it belongs to is gone by then."""
        life = self._life

        def guarded(*args: P.args, **kwargs: P.kwargs) -> None:
            if life == self._life:
                action(*args, **kwargs)

        return guarded

    def _repeat(self, ns: int, action: Callable[[], None]) -> None:
        def again() -> None:
            action()
            self._scheduler.after(ns, self._mine(again))

        self._scheduler.after(ns, self._mine(again))
