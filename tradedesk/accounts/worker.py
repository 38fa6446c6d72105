"""The worker: one account's thread and loop, where its effects happen and nowhere else."""

import asyncio
import contextlib
import contextvars
import threading
from collections import deque
from collections.abc import Callable, Coroutine, Iterable
from random import Random
from typing import Any

import msgspec
import uvloop

from tradedesk.access.exits import Exits
from tradedesk.access.keyseat import KeySeat
from tradedesk.access.lease import Lease, LeaseError
from tradedesk.accounts.admission import Admission
from tradedesk.accounts.core import Core, Outgoing
from tradedesk.accounts.exit_watch import ExitWatch
from tradedesk.accounts.judge import Quotes
from tradedesk.accounts.load import Fill, tasks_fill
from tradedesk.accounts.looking import marks_of, whole_state
from tradedesk.accounts.mail import Mail, NewLimits, Post, Preview, ReconcileNow, Relisted
from tradedesk.accounts.mandating import approve
from tradedesk.accounts.performer import Performer
from tradedesk.accounts.profile import ProfileWatch
from tradedesk.accounts.rotation import Rotation
from tradedesk.accounts.stream import PrivateStream
from tradedesk.bus import Inbox
from tradedesk.clock import Clock
from tradedesk.domain import events as ev
from tradedesk.domain.accounts import Account, AccountState, Halt, HaltLevel
from tradedesk.domain.commands import AcceptKeyRisk, ApproveMandate, CancelAll, RotateKey
from tradedesk.domain.gate import Approved
from tradedesk.domain.keys import FINGERPRINT_DIGITS
from tradedesk.domain.outcomes import (
    MoneyMoved,
    StreamState,
    VenueInfo,
    VenueState,
)
from tradedesk.domain.scopes import Scope, may_concern
from tradedesk.domain.words import AccountId, ClientOrderId
from tradedesk.journal.store import Durable, JournalError, Store
from tradedesk.log import Log, where
from tradedesk.orders.manager import OrderManager
from tradedesk.orders.messages import (
    Ask,
    AskFills,
    AskMovements,
    AskState,
    HaltEnded,
    HaltNow,
    Quarantine,
    Reconciliation,
    Send,
    SendCancel,
    Tick,
)
from tradedesk.risk.halts import NoParts, PartHalts
from tradedesk.risk.reservations import Reservations
from tradedesk.venues.adapter import Adapter, LastCheck, PrivateNews, VenueFailed

TICK_S = 0.1
HEALTH_S = 1.0
RECONCILE_S = 60.0  # a stream may be alive and have lost an event (F14)
RESTART_S = (0.5, 1.0, 2.0, 5.0, 10.0, 30.0)  # between two starts of a worker that fails
MOST_STARTS = 20  # of a worker that fails within a minute each time; then a person must look
BEAT_S = 0.5
STOOD_STILL_NS = 5 * 10**9  # without a beat, and yet it goes on: the desk was stopped, or the machine slept
AGAIN_S = (0.5, 1.0, 2.0, 5.0, 10.0)  # between two tries to reach a venue
STOP_GRACE_S = 3.0


class Worker:
    """One account. Owns a thread from `start` to `stop`; from outside only `post`, `is_open`, `start` and `stop` may be called.

    `history` is read at each (re)start: the account's part of the journal, oldest first. `adapter` builds the adapter
    on the worker's own loop.
    """

    def __init__(
        self,
        account: Account,
        *,
        adapter: Callable[[LastCheck], Adapter],
        store: Store,
        history: Callable[[], Iterable[ev.Event]],
        publish: Callable[[ev.Event], None],
        quotes: Quotes,
        halt: Callable[[], Halt | None],
        parts: PartHalts | None = None,
        shared: Reservations,
        new_id: Callable[[], ClientOrderId],
        clock: Clock,
        random: Random,
        log: Log,
        damage: str | None = None,
        lease: Lease | None = None,
        claim: Callable[[str], AccountId | None] = lambda uid: None,
        exits: Exits | None = None,
        seat: KeySeat | None = None,
    ) -> None:
        self.account = account
        self._build_adapter = adapter
        self._store = _Fenced(store, self)
        self._history = history
        self._publish_out = publish
        self._quotes = quotes
        self._halt = halt
        self._parts = NoParts() if parts is None else parts
        self._shared = shared
        self._new_id = new_id
        self._clock = clock
        self._random = random
        self._log = log
        self._damage = damage
        self._lease = lease
        self._seat = seat
        self._exits = exits if exits is not None else Exits({account.id: account})
        self._choice = self._exits.choice(account.id)  # the exit of this start
        self._claim = claim  # a uid of the venue: names the other account of this desk that it belongs to
        self.watches: str | None = None  # why this desk only watches the account: another one drives it
        self._mail = Mail(self._wake)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._context = contextvars.Context()
        self._stopping = threading.Event()
        self._beat_at: int | None = None  # monotonic ns of its loop's last sign of life; None while no loop runs
        self._tasks_open = 0  # on its loop, whoever began them, at its last sign of life
        self._replaced: str | None = None  # why another worker took its place
        self._thread = threading.Thread(target=self._run, name=f"account-{account.id}", daemon=True)
        # of the loop only, made anew at each start:
        self._core: Core | None = None
        self._adapter: Adapter | None = None
        self._performer: Performer | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._wanted_reconcile = asyncio.Event()
        self._sweep_waits = False  # for a look of this account
        self._patience: asyncio.Timeout | None = None  # with an ordinary look that is under way
        self._failure: BaseException | None = None
        self._nudged = asyncio.Event()
        self._heeded: Halt | None = None  # the halt that was acted on
        self._heeded_parts: dict[Scope, Halt] = {}  # likewise of a part of its orders
        self._blocked: str | None = None  # why a person must look; outlives a start of the worker, not of the desk
        self._is_key_refused = False  # then nothing more is asked of the venue (F28)
        self._refused_key: str | None = None  # the fingerprint of that key
        self._stream: PrivateStream | None = None
        self._admission: Admission | None = None
        self._exit_watch: ExitWatch | None = None
        self._profile: ProfileWatch | None = None
        self._rotation: Rotation | None = None

    # -- from any thread ----------------------------------------------------------------------------------------------

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Let what is in flight answer for a moment, close the exit, end the thread. What got no answer is unknown later."""
        self._stopping.set()
        self._wake()
        self._thread.join(timeout=STOP_GRACE_S + 10)
        if self._lease is not None and not self._thread.is_alive():  # a thread that hangs may still hold a socket
            self._lease.release()

    def exit_switched(self) -> None:
        """Another exit was chosen: start again on it, with connections that are all its own."""
        self._wake()

    def silent_ns(self, elapsed: int) -> int | None:
        """How long its loop has given no sign of life at `elapsed` (monotonic ns); None while it runs none."""
        beat = self._beat_at
        return None if beat is None or self._stopping.is_set() else elapsed - beat

    def load(self) -> tuple[Fill, ...]:
        """How full everything is that it bounds, as of its last sign of life."""
        core = self._core
        return (
            tasks_fill(self._tasks_open, 0 if core is None else len(core.manager.live)),
            *self._mail.fills(),
        )

    def abandon(self, reason: str) -> list[Post]:
        """It hangs or leaks and is given up: from now on it sends, records and publishes nothing, whenever it comes back.

        What it had not taken up yet, for the worker that takes its place: cancels and halts first.
        """
        self._say(AccountState.Offline, reason)
        self._replaced = reason
        self._stopping.set()
        self._wake()
        return self._mail.take_posts()

    def _publish(self, event: ev.Event) -> None:
        if self._replaced is None:
            self._publish_out(event)

    @property
    def is_open(self) -> bool:
        """Whether its books are open, so that a command would be judged now."""
        return self._core is not None

    def post(self, message: Post) -> bool:
        """Hand over a command, a halt or a question. False: the queue is full, and nothing was taken."""
        return self._mail.post(message)

    # -- the thread ---------------------------------------------------------------------------------------------------

    def _take_lease(self) -> None:
        """One desk at a time drives an account; a second one opens it read-only and says who holds it."""
        if self._lease is None:
            return
        try:
            holder = self._lease.take(self._clock.now())
            reason = None if holder is None else f"driven by {holder}"
        except LeaseError as error:
            reason = str(error)
        if reason is not None:
            self.watches = f"{reason}; this desk only watches it until it is started again"
            self._log.warning("account_watched", account=self.account.id, why=reason)

    def _run(self) -> None:
        self._take_lease()
        attempts = 0
        while not self._stopping.is_set():
            self._failure = None
            started = self._clock.monotonic()
            try:
                with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                    runner.run(self._main())
            except Exception as error:  # the boundary of one account: whatever failed, the others go on (5.8, F69)
                self._failure = error
            self._loop = None
            self._beat_at = None
            if self._stopping.is_set():
                break
            if self._failure is None:
                if not self._is_elsewhere():
                    break
                self._leave_key_behind()
                continue
            attempts = 0 if self._clock.monotonic() - started > 60 * 10**9 else attempts + 1
            pause = RESTART_S[min(attempts, len(RESTART_S) - 1)]
            if attempts >= MOST_STARTS:
                self._log.error("worker_given_up", account=self.account.id, cause=where(self._failure))
                self._say(
                    AccountState.Blocked,
                    f"its worker failed {attempts} times in a row ({type(self._failure).__name__}); look at the log and"
                    " start the desk again",
                )
                self._stopping.wait()
                break
            self._log.error("worker_failed", account=self.account.id, cause=where(self._failure), again_in_s=pause)
            self._say(
                AccountState.Offline, f"its worker failed ({type(self._failure).__name__}); starting again in {pause} s"
            )
            self._stopping.wait(pause)
        self._say(AccountState.Offline, "stopped")

    def _say(self, state: AccountState, reason: str) -> None:
        self._publish(
            ev.AccountChanged(
                at=self._clock.now(),
                source=f"worker:{self.account.id}",
                account=self.account.id,
                state=state,
                reason=reason,
            )
        )

    async def _main(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._context = contextvars.copy_context()
        self._beat_at = self._clock.monotonic()
        self._choice = self._exits.choice(self.account.id)
        self.account = msgspec.structs.replace(self.account, leaves_by=self._choice.exit)
        self._tasks = set()
        self._spawn(self._beating())
        self._wanted_reconcile = asyncio.Event()
        self._nudged = asyncio.Event()
        self._core = self._performer = self._stream = self._admission = self._exit_watch = self._profile = None
        if self._damage is not None:
            self._say(AccountState.Blocked, f"its journal is damaged: {self._damage}")
            await self._until_stopped()
            return
        # the first one imports what speaks to venues: seconds, on a busy machine, in which the loop must give its sign of life
        adapter = self._adapter = await asyncio.to_thread(self._build_adapter, self._last_check)
        try:
            info = await self._connect(adapter)
            if info is None:
                return
            self._open_books(info, adapter)
            self._spawn(self._reconciling(adapter))
            self._spawn(self._ticking())
            self._spawn(self._telling(adapter))
            self._drain()
            await self._until_stopped()
            await self._let_answers_come()
        finally:
            for task in list(self._tasks):
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            self._core = self._performer = self._stream = self._admission = self._rotation = None
            self._exit_watch = self._profile = None
            await adapter.close()
        if self._failure is not None:
            raise self._failure

    async def _until_stopped(self) -> None:
        while not self._stopping.is_set() and self._failure is None and not self._is_elsewhere():
            self._nudged.clear()
            await self._nudged.wait()

    def _is_elsewhere(self) -> bool:
        """Whether since this start of the worker an exit was chosen, or another key than the one that was refused."""
        is_other_key = self._is_key_refused and self._seat is not None and self._seat.fingerprint != self._refused_key
        return is_other_key or self._exits.choice(self.account.id) != self._choice

    def _leave_key_behind(self) -> None:
        """A key that was refused from the old exit may be bound to the new one; another key was not refused at all."""
        is_other_exit = self._exits.choice(self.account.id) != self._choice
        what = f"its exit is {self._exits.of(self.account.id)} now" if is_other_exit else "its key was changed"
        self._say(AccountState.Offline, what)
        if self._is_key_refused:
            self._is_key_refused, self._blocked = False, None

    async def _let_answers_come(self) -> None:
        """Requests in flight get a moment: an answer now spares a doubt at the next start."""
        sends = [task for task in self._tasks if task.get_name() == "send"]
        if sends:
            await asyncio.wait(sends, timeout=STOP_GRACE_S)
            self._drain()

    async def _connect(self, adapter: Adapter) -> VenueInfo | None:
        attempt = 0
        while not self._stopping.is_set() and not self._is_elsewhere():
            try:
                return await adapter.start()
            except VenueFailed as error:
                state = AccountState.Blocked if error.is_auth else AccountState.Offline
                self._say(state, _why(error))
                self._log.warning("venue_not_reached", account=self.account.id, cause=error.cause)
                if error.is_auth:
                    await self._until_stopped()  # asking again with a refused key is no use (F28)
                    return None
            await self._pause(attempt)
            attempt += 1
        return None

    def _open_books(self, info: VenueInfo, adapter: Adapter) -> None:
        """The account as the journal knows it, ready to take messages; its private stream and its admission begin."""
        now = self._clock.now()
        source = f"worker:{self.account.id}"
        for instrument in info.instruments:  # before anything that must be folded with their help
            self._publish(ev.InstrumentListed(at=now, source=source, instrument=instrument))
        if self._seat is not None:  # it may have changed since the desk, or this worker, was made
            self.account = msgspec.structs.replace(self.account, key=self._seat.fingerprint[:FINGERPRINT_DIGITS])
        manager = OrderManager(self.account, info, self._history(), self._new_id, now)
        self._core = Core(
            self.account,
            manager,
            store=self._store,
            publish=self._publish,
            quotes=self._quotes,
            halt=self._halt,
            parts=self._parts,
            shared=self._shared,
        )
        self._performer = Performer(
            self._core,
            adapter,
            answer=self._mail.answers.offer,
            look=self._wanted_reconcile.set,
            clock=self._clock,
            log=self._log,
            watches=self.watches,
        )
        self._admission = Admission(
            self._core,
            adapter,
            claim=self._claim,
            refused=self._refused,
            clock=self._clock,
            chance=self._random,
            log=self._log,
        )
        self._profile = ProfileWatch(self._core, self._clock, self._log)
        self._exit_watch = ExitWatch(
            self._core,
            adapter,
            self._choice.exit,
            claim=lambda address: self._exits.claim(address, self.account.id),
            proved=self._admission.exit_seen,
            clock=self._clock,
            chance=self._random,
            log=self._log,
        )
        self._core.recover(now, self._clock.monotonic())
        if self.watches is not None:
            self._core.set_state(AccountState.Blocked, self.watches, now)
        elif self._blocked is not None:
            self._core.set_state(AccountState.Blocked, self._blocked, now)
        self._core.set_state(AccountState.Reconciling, "comparing with the venue", now)
        self._heeded, self._heeded_parts = None, {}
        self._heed_halt(self._core, now)
        self._stream = PrivateStream(
            self._core,
            adapter,
            spawn=self._spawn,
            news=self._post_news,
            look=self._wanted_reconcile.set,
            failed=self._refused,
            clock=self._clock,
        )
        self._rotation = Rotation(
            self._core,
            adapter,
            self._seat,
            self._admission,
            self._lease,
            spawn=self._spawn,
            look=self._key_changed,
            restart_stream=self._stream.restart,
            clock=self._clock,
            log=self._log,
        )
        self._stream.start()
        self._spawn(self._admission.run())
        self._spawn(self._exit_watch.run())

    # -- messages -----------------------------------------------------------------------------------------------------

    def _wake(self) -> None:
        loop = self._loop
        if loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop ended in between; the next start drains what waits
                loop.call_soon_threadsafe(self._woken)

    def _woken(self) -> None:
        self._nudged.set()
        try:
            self._drain()
        except Exception as error:  # a decision that raises is a bug of ours; the account starts again from its journal
            self._fail(error)

    def _fail(self, error: BaseException) -> None:
        self._failure = self._failure or error
        self._nudged.set()

    def _drain(self) -> None:
        """Take what waits: cancels and halts first, then answers, then commands."""
        core = self._core
        if core is None or self._replaced is not None:
            return
        self._beat()  # before anything that waited is judged
        self._take_all(core, self._mail.urgent)
        if self._mail.news.is_cut:
            self._mail.news.reopen()
            self._log.error("private_stream_overflow", account=self.account.id)
            self._restart_stream("more reports than could be taken")
        for answer in self._mail.answers.take():
            self._do(core.handle(answer, self._clock.now(), self._clock.monotonic()))
        for news in self._mail.news.take():
            self._hear(core, news)
        self._take_all(core, self._mail.commands)

    def _take_all(self, core: Core, inbox: Inbox[Post]) -> None:
        waiting = deque(inbox.take())
        try:
            while waiting:
                self._take(core, waiting.popleft())
        except Exception:
            for post in waiting:  # a bug in one decision must not swallow those behind it: they wait for the restart
                inbox.offer(post)
            raise

    def _take(self, core: Core, post: Post) -> None:
        now = self._clock.now()
        match post:
            case HaltNow() | HaltEnded():
                self._heed_halt(core, now, is_rearmed=isinstance(post, HaltEnded))
            case Preview():
                verdict = core.verdict(post.command, now, self._clock.monotonic())
                self._publish(
                    ev.PreviewMade(
                        at=now, source=f"worker:{self.account.id}", request_id=post.request_id, verdict=verdict
                    )
                )
            case Relisted():
                core.relist(post.instrument, now)
            case NewLimits():
                core.use_account(msgspec.structs.replace(core.account, limits=post.limits))
                core.note(ev.AccountListed(at=now, source=f"worker:{self.account.id}", account=core.account))
            case ReconcileNow():
                self._wanted_reconcile.set()
                if self._admission is not None:
                    self._admission.look()
            case AcceptKeyRisk():
                self._answer(post, None if self._admission is None else self._admission.accept(post), now)
            case ApproveMandate():
                self._answer(post, approve(core, post, now), now)
            case RotateKey():
                if self._rotation is not None:
                    self._rotation.begin(post)
            case CancelAll():
                try:
                    self._take_all(
                        core, self._mail.commands
                    )  # given before it, or just behind it: it is about them too (F44)
                finally:
                    self._do(core.handle(post, now, self._clock.monotonic()))
            case _:
                self._do(core.handle(post, now, self._clock.monotonic()))

    def _answer(self, command: AcceptKeyRisk | ApproveMandate, refusal: str | None, now: int) -> None:
        """Tell the operator why their decision was not taken; one that was stands in the record."""
        if refusal is not None:
            self._publish(
                ev.SubmissionRefused(
                    at=now,
                    source=f"worker:{self.account.id}",
                    operator=command.operator,
                    what=type(command).__name__,
                    reason=refusal,
                )
            )

    def _hear(self, core: Core, news: PrivateNews) -> None:
        if isinstance(news, MoneyMoved):
            self._wanted_reconcile.set()  # what moved stands in the venue's ledger
        elif not isinstance(news, StreamState):
            self._do(core.handle(news, self._clock.now(), self._clock.monotonic()))
        elif self._stream is not None and self._admission is not None:
            if news.is_up:
                self._admission.renew()
                if self._exit_watch is not None:
                    self._exit_watch.renew()
                if self._profile is not None:
                    self._profile.renew()
            self._stream.hear(news)

    def _post_news(self, news: PrivateNews) -> None:
        self._mail.news.offer(news)

    def _is_stream_up(self) -> bool:
        return self._stream is not None and self._stream.is_up

    def _restart_stream(self, cause: str) -> None:
        if self._stream is not None:
            self._stream.restart(cause)

    def _refused(self, error: VenueFailed) -> None:
        """The venue said no for good; of a refused key nothing more is asked."""
        self._is_key_refused = self._is_key_refused or error.is_auth
        self._refused_key = None if self._seat is None else self._seat.fingerprint
        self._block(_why(error))

    def _key_changed(self) -> None:
        self._wanted_reconcile.set()
        self._nudged.set()  # of an account that stands still as its old key was refused

    def _block(self, reason: str) -> None:
        self._blocked = reason
        if self._core is not None:
            self._core.set_state(AccountState.Blocked, reason, self._clock.now())

    # -- effects ------------------------------------------------------------------------------------------------------

    def _do(self, outgoing: list[Outgoing]) -> None:
        performer = self._performer
        if performer is None:
            return  # stopping: what was decided is recorded, and is unknown at the next start
        for effect in outgoing:
            match effect:
                case Send():
                    self._spawn(performer.send(effect.approved), name="send")
                case SendCancel():
                    self._spawn(performer.cancel(effect), name="send")
                case Ask():
                    self._spawn(performer.ask(effect))
                case AskFills():
                    self._spawn(performer.ask_fills(effect))
                case AskMovements():
                    self._spawn(performer.ask_movements(effect))
                case AskState():
                    self._wanted_reconcile.set()
                    if effect.is_for_a_sweep:
                        self._sweep_waits = True
                        self._nudged.set()  # it does not sit out the wait after a look that failed
                        patience, self._patience = self._patience, None  # once: a second sweep finds it ending
                        if patience is not None:  # what it wants to see a look that began before cannot show
                            patience.reschedule(asyncio.get_running_loop().time())
                case Quarantine():
                    self._block(effect.reason)

    def _last_check(self, approved: Approved) -> str | None:
        if self._replaced is not None:
            return "its worker was replaced"
        if self._core is None:
            return "the account's worker is stopping"
        self._beat()  # the task that sends may be the first to run again
        if self._lease is not None and not self._lease.is_ours():
            return "another desk drives this account now"
        return self._core.last_check(approved, self._clock.now())

    def _spawn(self, work: Coroutine[Any, Any, None], name: str = "work") -> asyncio.Task[None]:
        # in the context of the start, not of whoever found the need: from within a send, an order's last check would go along
        task = asyncio.get_running_loop().create_task(work, name=name, context=self._context.copy())
        self._tasks.add(task)
        task.add_done_callback(self._finished)
        return task

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._fail(error)

    # -- what runs all the time ---------------------------------------------------------------------------------------

    async def _reconciling(self, adapter: Adapter) -> None:
        """Compare with the venue: once the stream is up, after each gap, on a timer, and when asked."""
        attempt = 0
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(RECONCILE_S):  # not wait_for: Python 3.11's can swallow the cancel of a stop
                    await self._wanted_reconcile.wait()
            self._wanted_reconcile.clear()
            core = self._core
            if core is None or self._is_key_refused:
                continue  # a blocked account is looked at all the same: its fills and its halt go on
            try:
                began = self._clock.monotonic()
                state = await self._look(core, adapter)
            except VenueFailed as error:
                if error.is_auth:
                    self._refused(error)
                    continue
                core.set_state(AccountState.Offline, error.cause, self._clock.now())
                self._log.warning("reconcile_failed", account=self.account.id, cause=error.cause)
                await self._pause(attempt)
                attempt += 1
                self._wanted_reconcile.set()
                continue
            if state is None:
                continue
            attempt = 0
            marks = await marks_of(core, self._quotes, self._clock)
            now = self._clock.now()
            offset = (adapter.clock_offset_ms or 0) * 10**6
            look = Reconciliation(state=state, marks=marks, clock_offset=offset, began=began)
            self._do(core.handle(look, now, self._clock.monotonic()))
            if self._profile is not None:
                self._profile.compare(state.profile)
            if core.condition in (AccountState.Reconciling, AccountState.Offline) and self._is_stream_up():
                core.set_state(AccountState.Ready, "", now)

    async def _look(self, core: Core, adapter: Adapter) -> VenueState | None:
        """The account at its venue; None where a sweep came meanwhile, which wants a look of its own. Raises VenueFailed."""
        is_for_a_sweep, self._sweep_waits = self._sweep_waits, False
        patience = asyncio.timeout(None)
        try:
            async with patience:
                self._patience = None if is_for_a_sweep else patience
                return await whole_state(core, adapter, self._log, is_for_a_sweep=is_for_a_sweep)
        except TimeoutError:
            if not patience.expired():
                raise
            return None
        except VenueFailed:
            self._sweep_waits = self._sweep_waits or is_for_a_sweep
            raise
        finally:
            self._patience = None

    async def _beating(self) -> None:
        while True:
            self._beat()
            self._tasks_open = len(asyncio.all_tasks())
            await asyncio.sleep(BEAT_S)

    def _beat(self) -> None:
        """A sign of life. If the last one is long ago nothing is as it was known: compare first, send then (F59)."""
        last, now = self._beat_at, self._clock.monotonic()
        self._beat_at = now
        if last is None or now - last < STOOD_STILL_NS or self._core is None:
            return
        self._log.warning("stood_still", account=self.account.id, seconds=(now - last) // 10**9)
        self._restart_stream(f"the desk stood still for {(now - last) // 10**9} s")

    async def _ticking(self) -> None:
        while True:
            await asyncio.sleep(TICK_S)
            if self._core is not None:
                now = self._clock.now()
                self._heed_halt(self._core, now)
                self._do(self._core.handle(Tick(), now, self._clock.monotonic()))

    def _heed_halt(self, core: Core, now: int, *, is_rearmed: bool = False) -> None:
        """Act on what is latched, whether or not anybody came to say so: a full queue must not keep a halt away (5.5).

        `is_rearmed`: a person did so, perhaps before the halt was ever seen here.
        """
        halt, its = self._halt(), self.account
        parts = {part.of: part for part in self._parts.parts() if may_concern(part.of, its.id, its.groups, its.venue)}
        if halt == self._heeded and parts == self._heeded_parts and not is_rearmed:
            return
        was, were = self._heeded, self._heeded_parts
        self._heeded, self._heeded_parts = halt, parts
        messages: list[HaltNow | HaltEnded] = []
        if halt != was:
            messages.append(HaltEnded() if halt is None else HaltNow(level=halt.level, by=halt.by))
        messages += [HaltEnded(scope=scope) for scope in were if scope not in parts]
        messages += [
            HaltNow(level=part.level, by=part.by, scope=scope)
            for scope, part in parts.items()
            if were.get(scope) != part
        ]
        is_over = is_rearmed or (was is not None and halt is None) or any(scope not in parts for scope in were)
        may_be_closing = halt is not None or any(part.level is HaltLevel.Flatten for part in parts.values())
        if is_over and not may_be_closing and self._lease is not None:
            self._lease.renew(now)  # a kill may have taken the next number to flatten; a person has re-armed since
        for message in messages:
            self._do(core.handle(message, now, self._clock.monotonic()))

    async def _telling(self, adapter: Adapter) -> None:
        """Once a second: how the account's connection does. A stream silent for too long is taken for dead."""
        while True:
            held_up = adapter.held_up()
            if held_up is not None and self._core is not None and self._core.condition is AccountState.Ready:
                self._core.set_state(AccountState.Offline, held_up, self._clock.now())
                self._wanted_reconcile.set()  # whose tries end the hold-up by themselves (F27)
            age = self._stream.watch() if self._stream is not None else None
            self._publish(
                ev.AccountHealth(
                    at=self._clock.now(),
                    source=f"worker:{self.account.id}",
                    account=self.account.id,
                    is_stream_up=self._is_stream_up(),
                    stream_age_ms=None if age is None else age // 10**6,
                    ack_ms=self._performer.ack_ms if self._performer is not None else None,
                    clock_offset_ms=adapter.clock_offset_ms,
                    mailbox=len(self._mail),
                    exit_seen=adapter.exit_seen(),
                )
            )
            await asyncio.sleep(HEALTH_S)

    async def _pause(self, attempt: int) -> None:
        """Back off, jittered, so that accounts that lost one venue together do not come back together (F17).

        Cut short only by a wanted look: the stream came back, or an operator asks.
        """
        pause = AGAIN_S[min(attempt, len(AGAIN_S) - 1)] * (0.5 + self._random.random())
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(pause):
                while not (
                    self._stopping.is_set() or self._failure or self._wanted_reconcile.is_set() or self._is_elsewhere()
                ):
                    self._nudged.clear()
                    await self._nudged.wait()


class _Fenced:
    """The journal as a worker that may be replaced sees it: once it is, none of its records is taken any more."""

    def __init__(self, store: Store, worker: "Worker") -> None:
        self._store = store
        self._worker = worker

    def append(self, event: ev.DurableEvent) -> Durable:
        if self._worker._replaced is not None:
            raise JournalError("another worker took this one's place")
        return self._store.append(event)


def _why(error: VenueFailed) -> str:
    """What an operator is told; of a refused key also what to do, as trying again is no use (F28)."""
    if not error.is_auth:
        return error.cause
    return (
        f"the venue refuses the key: {error.cause.rstrip('.')}; check its secret, rights and addresses, "
        "or put another in with `tradedesk accounts rotate`, then start the desk again if the account stays blocked"
    )
