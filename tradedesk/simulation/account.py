"""One account on the virtual clock: its core and journal, and the effects performed as the worker performs them."""

from collections.abc import Callable
from functools import partial
from typing import ParamSpec

from tradedesk.accounts.core import Core, Outgoing
from tradedesk.domain import events as ev
from tradedesk.domain.accounts import Account, AccountState, Halt
from tradedesk.domain.gate import Approved
from tradedesk.domain.orders import Fill
from tradedesk.domain.outcomes import NotSent, VenueState
from tradedesk.domain.words import AccountId, ClientOrderId
from tradedesk.journal.memory import MemoryJournal
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
from tradedesk.simulation.checks import Watch
from tradedesk.simulation.faults import Faults
from tradedesk.simulation.scheduler import MS, SECOND, Scheduler
from tradedesk.simulation.venue import INFO, INSTRUMENT, SimVenue

RECONCILE_NS = 8 * SECOND
P = ParamSpec("P")


class SimAccount:
    """Alive from `start` to `crash`; what was scheduled before a crash does not happen after it."""

    def __init__(
        self,
        account: Account,
        venue: SimVenue,
        scheduler: Scheduler,
        faults: Faults,
        new_id: Callable[[], ClientOrderId],
        watch: Watch,
    ) -> None:
        self.account = account
        self.venue = venue
        self.journal = MemoryJournal()
        self.core: Core | None = None
        self.halt: Halt | None = None  # as the latch in the state folder holds it: no crash takes it
        self.swept: ev.HaltSwept | None = None  # the receipt of the halt in force
        self.intents: dict[ClientOrderId, Durable | JournalError | None] = {}
        self._scheduler = scheduler
        self._clock = scheduler.clock
        self._faults = faults
        self._new_id = new_id
        self._watch = watch
        self._life = 0
        self._is_stream_up = False
        self._is_reconciling = self._wants_reconcile = self._is_syncing = False
        self._waiting: list[tuple[Durable, Approved]] = []  # sends that wait for the disk

    @property
    def id(self) -> AccountId:
        return self.account.id

    # -- life -----------------------------------------------------------------------------------------------------------

    def start(self) -> None:
        now = self._clock.now()
        manager = OrderManager(self.account, INFO, self.journal.replay(), self._new_id, now)
        self.core = Core(
            self.account,
            manager,
            store=self.journal,
            publish=self._published,
            quotes=self.venue.quotes,
            halt=lambda: self.halt,
        )
        self.core.recover(now)
        self.core.set_state(AccountState.Reconciling, "starting", now)
        if self.halt is not None:
            self.tell(HaltNow(level=self.halt.level, by=self.halt.by))
        self._repeat(100 * MS, lambda: self.tell(Tick()))
        self._repeat(RECONCILE_NS, self._reconcile)
        self.stream_up()

    def crash(self) -> None:
        """The process is gone, with all that was not on disk; what had left for the venue goes on there."""
        self._life += 1
        self.core = None
        self.journal.crash()
        self.venue.streams.pop(self.id, None)
        self._is_stream_up = self._is_reconciling = self._wants_reconcile = self._is_syncing = False
        self._waiting = []

    def break_disk(self) -> None:
        """From now on nothing is recorded, until the account starts again."""
        self.journal.fail("disk eio")
        self._flush()

    def stream_up(self) -> None:
        self.venue.streams[self.id] = self._mine(self.tell)
        self._is_stream_up = True
        self._reconcile()

    def stream_down(self) -> None:
        self.venue.streams.pop(self.id, None)
        self._is_stream_up = False
        if self.core is not None and self.core.state is AccountState.Ready:
            self.core.set_state(AccountState.Reconciling, "private stream down", self._clock.now())

    def tell(self, message: Message) -> None:
        if self.core is None:
            return
        for effect in self.core.handle(message, self._clock.now()):
            self._perform(self.core, effect)
        if self.journal.waiting and not self._is_syncing:
            self._is_syncing = True
            self._scheduler.after(self._faults.disk(), self._mine(self._sync))

    def halted(self, halt: Halt | None) -> None:
        """The latch first, then the account is told (5.5)."""
        self.halt, self.swept = halt, None
        self.tell(HaltEnded() if halt is None else HaltNow(level=halt.level, by=halt.by))

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
                self._watch.broke("5.2", f"{self.id} was quarantined: {effect.reason}")

    def _send(self, core: Core, approved: Approved) -> None:
        record = core.record_of(approved.order.client_order_id)
        if isinstance(record, Durable):
            self._waiting.append((record, approved))
        else:
            self._not_sent(approved, "not recorded")

    def _sync(self) -> None:
        self._is_syncing = False
        self.journal.sync()
        self._flush()

    def _flush(self) -> None:
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
        self._watch.left(self, approved)
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
        self.venue.state_of(self.id, self._since(self.core), self._mine(self._reconciled))

    def _reconciled(self, state: VenueState | None) -> None:
        self._is_reconciling = False
        if self.core is None:
            return
        now = self._clock.now()
        if state is None:
            self.core.set_state(AccountState.Offline, "timeout", now)
            self._scheduler.after(500 * MS, self._mine(self._reconcile))
            return
        quote = self.venue.quote
        marks = {INSTRUMENT.id: quote.mark} if quote is not None and quote.mark is not None else {}
        self.tell(Reconciliation(state=state, marks=marks))
        if self.core.state in (AccountState.Reconciling, AccountState.Offline) and self._is_stream_up:
            self.core.set_state(AccountState.Ready, "", now)
        if self._wants_reconcile:
            self._reconcile()

    def _since(self, core: Core) -> int | None:
        """From when fills are asked for, as the worker asks for them."""
        manager = core.manager
        if not manager.books.ledgers.get(self.id):
            return None
        fills = manager.books.fills
        return max(fills[-1].transact_time - 60 * SECOND, manager.trades_from) if fills else manager.trades_from

    # -- parts ----------------------------------------------------------------------------------------------------------

    def _published(self, event: ev.Event) -> None:
        self._watch.published(self, event)
        match event:
            case ev.OrderPlaced() if self.core is not None:
                order_id = event.order.client_order_id
                self.intents[order_id] = self.core.record_of(order_id)
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
