"""A whole desk: built from its settings, started floor by floor, stopped in reverse."""

import asyncio
import contextlib
import os
import threading
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from random import Random

import msgspec
import uvloop
from msgspec import Struct

from tradedesk import __version__, log
from tradedesk.access.exits import Exits
from tradedesk.access.idle_lock import IdleLock
from tradedesk.access.keyseat import KeySeat
from tradedesk.access.lease import Lease
from tradedesk.access.operators import Operator, Role, operator_for
from tradedesk.access.passphrases import Passphrases
from tradedesk.access.vault import Vault
from tradedesk.accounts.admission import VenueAccounts
from tradedesk.accounts.mail import ReconcileNow, Relisted
from tradedesk.accounts.supervisor import Supervisor
from tradedesk.accounts.worker import Worker
from tradedesk.clock import Clock
from tradedesk.config import Home, Settings, private_folder
from tradedesk.config.questions import Hidden
from tradedesk.desk.alarms import Alarms
from tradedesk.desk.alert_care import Reactions
from tradedesk.desk.approvals import Approvals
from tradedesk.desk.door import Door, Shut
from tradedesk.desk.exit_switching import ExitSwitching
from tradedesk.desk.halting import Halting, halt_set, latch_of
from tradedesk.desk.hub import Hub, HubFeed
from tradedesk.desk.limit_book import at_start
from tradedesk.desk.limit_setting import LimitSetting
from tradedesk.desk.messenger import Messenger
from tradedesk.desk.offboarding import Offboarding
from tradedesk.desk.office import Control, Office
from tradedesk.desk.outside import Life, Outside
from tradedesk.desk.sockets import lens_of, serve_control, serve_readers
from tradedesk.desk.stopping import settle_orders
from tradedesk.desk.trail import Trail
from tradedesk.desk.vault_door import VaultDoor
from tradedesk.desk.vitals import VitalSigns
from tradedesk.desk.watchdog import chose_it
from tradedesk.domain import events as ev
from tradedesk.domain.accounts import Account
from tradedesk.domain.instruments import Instrument, Quote
from tradedesk.domain.words import AccountId, ClientOrderId, InstrumentId, OperatorId, VenueId
from tradedesk.journal.store import JournalError, Store
from tradedesk.marketdata.host import FeedHost
from tradedesk.risk.monitor import RiskMonitor
from tradedesk.risk.reservations import Reservations
from tradedesk.venues.adapter import Adapter, LastCheck
from tradedesk.venues.turns import Budgets
from tradedesk.views.feed import DeskView
from tradedesk.views.lens import EVERYTHING
from tradedesk.views.replica import Replica

HEARTBEAT_S = 1.0
LATE_NS = 3 * 10**9  # for a heartbeat: then the desk itself stood still, and no worker is judged by its silence
START_S = 10.0  # the desk thread has its sockets open within this, or the start has failed


class Parts(Struct, frozen=True, kw_only=True):
    """What reaches the outside, handed in; each is built on the thread that will use it, from what it alone was given."""

    adapters: dict[AccountId, Callable[[LastCheck], Adapter]]
    feeds: dict[VenueId, Callable[[Callable[[ev.Event], None]], FeedHost]]
    keys: dict[AccountId, str] = {}  # the fingerprints of their API keys
    vault: Vault | None = None  # locked when it was not used for a while
    seats: dict[AccountId, KeySeat] = {}  # in it, the keys of the accounts
    leases: dict[AccountId, Lease] = {}  # of accounts that another desk of this machine could drive as well
    exits: Exits | None = None  # which the adapters leave by; the desk chooses
    budgets: Budgets | None = None  # what the adapters and feeds share of their venues' rate limits
    webhooks: dict[str, Hidden] = {}  # the URLs of those that receive alerts, by name


class Desk:
    """One desk. Owns the desk thread, the RiskMonitor, the messenger if alerts are sent, a feed host per venue and a worker per account.

    `start`, `stop`, `control` and `open_feed` are for the thread that built it; `wants_stop` may be set by any thread.
    """

    def __init__(
        self,
        settings: Settings,
        home: Home,
        *,
        store: Store,
        parts: Parts,
        new_id: Callable[[AccountId], ClientOrderId],
        clock: Clock,
        random: Random,
    ) -> None:
        """Reads the journal, which must be open. Raises JournalError."""
        self.home = home
        self.wants_stop = threading.Event()
        self.failure: str | None = None  # why the desk had to end by itself
        self.left_at_stop: tuple[str, ...] = ()  # by account that had orders at its venue when the desk was stopped
        self._store = store
        self._clock = clock
        self._log = log.Log()
        self._listed: dict[InstrumentId, Instrument] = {}
        self._listing = threading.Lock()
        self._histories: dict[AccountId, list[ev.Event]] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop_loop: Callable[[], None] = lambda: None
        self._is_up = threading.Event()
        self._start_failure: BaseException | None = None
        self.operators: dict[OperatorId, Operator] = {
            OperatorId(name): Operator(
                name=OperatorId(name),
                roles=frozenset(Role(role) for role in found.roles),
                accounts=frozenset(found.accounts),
                uid=found.uid,
                sees=None if found.sees is None else frozenset(found.sees),
            )
            for name, found in settings.operators.items()
        }
        replica = self._read_journal()
        book, differences = at_start(settings, replica.limits_set.values(), replica.limit_exceptions.values())
        in_force = book.without(book.over(clock.now()))
        self.settings = settings = in_force.settings()
        self._hub = Hub(replica, self._wake, self._overflowed)
        told = replica.alerts.get("limits")
        self.alarms = Alarms(self.emit, self._hub.publish, clock, self._log)
        self.alarms.limits_differ(differences, is_told=told is not None and told.is_active)
        self.latch = latch_of(home.state, settings, replica.all_halts)
        self._agree_on_halts(replica)
        self._outside = Outside(
            home, self.latch, replica, self.emit, clock, self._log, watched=chose_it(settings.accounts)
        )
        self._exits = parts.exits if parts.exits is not None else Exits(settings.accounts)
        for account in settings.accounts.values():
            chosen, _ = replica.exit_of(account)
            if chosen != account.egress:
                self._exits.use(account.id, chosen)
        self._feeds: dict[VenueId, FeedHost] = {venue: feed(self.emit) for venue, feed in parts.feeds.items()}
        damaged = store.damaged()
        venue_accounts = VenueAccounts(self._look_again)

        self.shared = shared = Reservations(
            settings.accounts.values(), in_force.totals(), settings.desk.reporting_currency
        )
        shared.days.recall(replica.days.values())
        shared.expect(replica.positions.values(), replica.orders.values())

        def made(account: Account) -> Worker:
            return Worker(
                account,
                adapter=parts.adapters[account.id],
                store=store,
                history=lambda: self._history(account.id),
                publish=self.emit_live,
                quotes=lambda instrument: self._quote(account.venue, instrument),
                halt=lambda: self.latch.read(account.id),
                parts=self.latch,
                shared=shared,
                new_id=lambda: new_id(account.id),
                clock=clock,
                random=random,
                log=self._log,
                damage=damaged.get(account.id) or damaged.get(None),
                lease=parts.leases.get(account.id),
                exits=self._exits,
                seat=parts.seats.get(account.id),
                claim=lambda uid: venue_accounts.claim(_place(settings, account), uid, account.id),
            )

        self._workers: dict[AccountId, Supervisor] = {}
        self._limits = LimitSetting(
            book=book, shared=shared, workers=self._workers, emit=self.emit, soon=self._soon, clock=clock, log=self._log
        )
        self._limits.expire()  # those whose time ended while no desk ran

        def now_made(account: AccountId) -> Worker:
            """Of a worker that starts again, the limits are those of now."""
            found = settings.accounts[account]
            return made(msgspec.structs.replace(found, limits=self._limits.book.of(found)))

        riskiest_first = sorted(settings.accounts, key=partial(_at_stake, replica), reverse=True)
        self._budgets = parts.budgets
        self._vitals = VitalSigns(self.emit, clock)
        self.vault = parts.vault
        idle_ns = settings.desk.idle_lock_minutes * 60 * 10**9
        self._idle_lock = IdleLock(parts.vault, idle_ns) if parts.vault is not None and idle_ns else None
        if parts.budgets is not None:
            parts.budgets.recall()
            parts.budgets.look_first(riskiest_first)
        for name in riskiest_first:
            self._workers[name] = Supervisor(
                name, partial(now_made, name), self.alarms.worker_hangs, self.alarms.worker_strained, self._log
            )
        self._trail = Trail(self.emit, clock)
        self._approvals = Approvals(replica.approvals.values(), self.emit, clock)
        self._door = Door(
            self.operators,
            Passphrases(home.operators),
            desk_uid=os.getuid(),
            trail=self._trail,
            emit=self.emit,
            clock=clock,
            log=self._log,
        )
        halting = Halting(
            workers=self._workers, latch=self.latch, emit=self.emit, soon=self._soon, clock=clock, log=self._log
        )
        self.office = Office(
            workers=self._workers,
            operators=self.operators,
            replica=replica,
            halting=halting,
            vault=None if parts.vault is None else VaultDoor(parts.vault, clock, self._log),
            switching=ExitSwitching(
                workers=self._workers,
                exits=self._exits,
                replica=replica,
                emit=self.emit,
                soon=self._soon,
                clock=clock,
                log=self._log,
            ),
            limits=self._limits,
            offboarding=Offboarding(
                workers=self._workers,
                replica=replica,
                latch=self.latch,
                fold=self._hub.drain,
                forget=lambda account: _forget(parts, account),
                emit=self.emit,
                soon=self._soon,
                clock=clock,
                log=self._log,
            ),
            approvals=self._approvals,
            takes_two=settings.desk.approvals,
            trail=self._trail,
            emit=self.emit,
            clock=clock,
            log=self._log,
        )
        self._risk = RiskMonitor(
            self._hub.open_feed(),
            self.emit,
            clock,
            settings.desk.reporting_currency,
            self._log,
            rules=settings.rules,
            totals=self._limits.totals,
            act=Reactions(settings.accounts, halting.stop, self._log).act,
        )
        self._messenger = (
            Messenger(
                self._hub.open_feed(),
                settings.alerts.values(),
                parts.webhooks,
                desk=settings.desk.name,
                emit=self.emit,
                clock=clock,
                random=random,
                log=self._log,
            )
            if settings.alerts
            else None
        )
        self._thread = threading.Thread(target=self._run, name="desk", daemon=True)
        self._unsubscribe: Callable[[], None] = lambda: None

    # -- for whoever built it -------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Open the sockets, then the markets, then the accounts. Raises OSError or JournalError if it cannot."""
        self._thread.start()
        if not self._is_up.wait(START_S) or self._start_failure is not None:
            raise self._start_failure or JournalError("the desk did not come up in time; look at the log and try again")
        self._unsubscribe = log.subscribe(self._log_written)
        self._announce()
        for feed in self._feeds.values():
            feed.start()
        for worker in self._workers.values():
            worker.start()
        self._risk.start()
        if self._messenger is not None:
            self._messenger.start()
        self._log.info("desk_started", desk=self.settings.desk.name, accounts=len(self._workers), pid=os.getpid())

    def stop(self) -> None:
        """Stop accounts, markets, risk, messenger and sockets, in this order; what becomes of orders, their settings say."""
        self._outside.life = Life.Stopping if self.failure is None else Life.Failed
        self._outside.beat()
        self.office.closing = "the desk is stopping; it takes no new order"
        if self._loop is not None:  # else nothing is told any more of what workers do
            heard = self.open_feed()
            self.left_at_stop = settle_orders(self.settings.accounts, self._workers, DeskView(heard), self._clock)
            heard.close()
        for left in self.left_at_stop:
            self._log.warning("orders_at_stop", left=left)
        stoppers = [threading.Thread(target=worker.stop, name="stop") for worker in self._workers.values()]
        for stopper in stoppers:  # side by side: one hanging venue must not hold up the others
            stopper.start()
        for stopper in stoppers:
            stopper.join()
        for feed in self._feeds.values():
            feed.stop()
        self._risk.stop()
        if self._messenger is not None:
            self._messenger.stop()
        self._log.info("desk_stopped", desk=self.settings.desk.name)
        self._unsubscribe()
        self._soon(self._stop_loop)
        self._thread.join(timeout=START_S)
        self._store.close()
        self.latch.close()
        if self.failure is None:
            self._outside.life = Life.Stopped
        self._outside.beat()
        self._outside.close()

    def sign_in(self, name: str | None, passphrase: str | None = None) -> Operator | Shut:
        """Who acts at a screen in this process. Takes as long as proving a passphrase does; not for the desk thread."""
        loop = self._loop
        if loop is None:
            return Shut(reason="the desk is not running")
        return asyncio.run_coroutine_threadsafe(self._door.admit(name, passphrase, os.getuid()), loop).result()

    def control(self, operator: Operator) -> Control:
        """The write side of this desk under the operator's name."""

        def unlocks(passphrase: str) -> str | None:
            found = self.sign_in(operator.name, passphrase)
            return found.reason if isinstance(found, Shut) else None

        return Control(self.office, operator, self._hub.publish, self._clock, unlocks)

    def has_passphrase(self, operator: Operator) -> bool:
        loop = self._loop
        if loop is None:
            return False
        return asyncio.run_coroutine_threadsafe(self._door.has_passphrase(operator), loop).result() is True

    @contextlib.contextmanager
    def attached(self, operator: Operator) -> Iterator[None]:
        """While a screen of this process acts under the operator's name."""
        is_recorded = self._trail.attached(operator.name, os.getuid())
        try:
            yield
        finally:
            if is_recorded:
                self._trail.left(operator.name, os.getuid())

    def open_feed(self, operator: Operator | None = None) -> HubFeed:
        """The stream of this desk, as far as the operator may see it."""
        feed = self._hub.open_feed(EVERYTHING if operator is None else lens_of(operator))
        self._wake()
        return feed

    def who(self, name: OperatorId | None, uid: int) -> Operator | str:
        """Who a user of this machine is, passphrases apart."""
        return operator_for(name, uid, self.operators.values(), desk_uid=os.getuid())

    # -- events, from any thread ----------------------------------------------------------------------------------------

    def emit(self, event: ev.Event) -> None:
        """Record a durable event of the desk itself, and publish it."""
        if isinstance(event, ev.InstrumentListed):
            self.emit_live(event)
            return
        if isinstance(event, ev.DURABLE):
            self._append(event)
        self._hub.publish(event)

    def emit_live(self, event: ev.Event) -> None:
        """Publish what a worker has recorded already. An instrument is recorded here, when it is new or has changed."""
        if not isinstance(event, ev.InstrumentListed):
            self._hub.publish(event)
            return
        with self._listing:  # until it is out: who finds it listed goes on with what must be folded after it
            known = self._listed.get(event.instrument.id)
            if known == event.instrument:
                return
            self._listed[event.instrument.id] = event.instrument
            self._append(event)
            self._hub.publish(event)
        if known is not None:
            self._tell_rules(event.instrument)

    def _tell_rules(self, instrument: Instrument) -> None:
        """The accounts of its venue go by what the venue says of an instrument now (F29, F30)."""
        self._log.info("instrument_changed", instrument=instrument.id)
        for account, worker in self._workers.items():
            if self.settings.accounts[account].venue != instrument.venue:
                continue
            if not worker.post(Relisted(instrument=instrument)):
                self._log.error("rules_not_told", account=account, instrument=instrument.id)

    def _append(self, event: ev.Event) -> None:
        try:
            self._store.append(event)  # type: ignore[arg-type]  # a DurableEvent, as its class says
        except JournalError as error:
            self._log.error("not_recorded", what=type(event).__name__, why=str(error))

    def _look_again(self, account: AccountId) -> None:
        self._workers[account].post(ReconcileNow())

    def _log_written(self, record: log.Record) -> None:
        fields = " ".join(f"{name}={value}" for name, value in record.fields)
        self._hub.publish(
            ev.LogWritten(at=record.at, source="desk", level=record.level, event=record.event, text=fields)
        )

    def _quote(self, venue: VenueId, instrument: InstrumentId) -> tuple[Quote, int] | None:
        feed = self._feeds.get(venue)
        return feed.quote(instrument) if feed is not None else None

    # -- building -------------------------------------------------------------------------------------------------------

    def _read_journal(self) -> Replica:
        replica = Replica()
        histories: dict[AccountId, list[ev.Event]] = defaultdict(list)
        for event in self._store.replay():
            replica.apply(event)
            account = ev.account_of(event)
            if isinstance(event, ev.InstrumentListed):
                self._listed[event.instrument.id] = event.instrument
            elif account is not None:
                histories[account].append(event)
        listed: list[ev.Event] = [
            ev.InstrumentListed(at=self._clock.now(), source="desk", instrument=instrument)
            for instrument in self._listed.values()
        ]
        self._histories = {account: [*listed, *events] for account, events in histories.items()}
        return replica

    def _history(self, account: AccountId) -> Iterable[ev.Event]:
        """The account's part of the journal: read once for all at the start, anew when a worker starts again."""
        first = self._histories.pop(account, None)
        if first is not None:
            return first
        return [
            event
            for event in self._store.replay()
            if isinstance(event, ev.InstrumentListed) or ev.account_of(event) == account
        ]

    def _agree_on_halts(self, replica: Replica) -> None:
        """A halt holds if either the latch or the journal knows it (5.5): what one has lost the other restores."""
        for halt in replica.all_halts:
            if self.latch.has(halt.of) and self.latch.own(halt.account, halt.scope) is None:
                self.latch.latch(halt)
        for halt in self.latch.all():
            recorded = replica.halt_on(halt.of)
            event = halt_set(halt)
            replica.apply(event)
            if recorded is None or (recorded.level, recorded.at) != (halt.level, halt.at):  # latched while no desk ran
                self._append(event)

    def _announce(self) -> None:
        now = self._clock.now()
        settings = self.settings
        self._hub.publish(
            ev.DeskStarted(
                at=now,
                source="desk",
                desk=settings.desk.name,
                version=__version__,
                pid=os.getpid(),
                reporting_currency=settings.desk.reporting_currency,
            )
        )
        for name, venue in settings.venues.items():
            self._hub.publish(
                ev.VenueListed(at=now, source="desk", venue=name, exchange=venue.exchange, is_live=venue.url is None)
            )
        for account in settings.accounts.values():
            self._hub.publish(ev.AccountListed(at=now, source="desk", account=account))

    # -- the desk thread ------------------------------------------------------------------------------------------------

    def _wake(self) -> None:
        loop = self._loop
        if loop is not None:
            with contextlib.suppress(RuntimeError):  # stopping
                loop.call_soon_threadsafe(self._hub.drain)

    def _soon(self, work: Callable[[], None]) -> None:
        loop = self._loop
        if loop is not None:
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(work)

    def _overflowed(self) -> None:
        """The desk thread is so far behind that an event was lost: end, because a restart knows everything again."""
        self.failure = (
            "the desk fell behind its own events; it stopped, and a restart reads all of them from the journal"
        )
        self.wants_stop.set()

    def _run(self) -> None:
        try:
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                runner.run(self._main())
        except Exception as error:
            self._start_failure = error
            self.failure = f"the desk thread ended: {type(error).__name__}"
            self.wants_stop.set()
            self._is_up.set()

    async def _main(self) -> None:
        self._loop = asyncio.get_running_loop()
        stopping = asyncio.Event()
        self._stop_loop = stopping.set
        paths = (self.home.read_socket, self.home.control_socket)
        for path in paths:  # the journal's lock is ours, so what lies there was left by a desk that died
            path.unlink(missing_ok=True)
        group = self.settings.desk.read_group
        is_shared = group is not None or len(self._door.peers) > 1  # else nobody but our own user has business there
        private_folder(self.home.sockets, is_passable=is_shared)
        readers = await serve_readers(self.home.read_socket, self._hub, self._log, group=group)
        control = await serve_control(
            self.home.control_socket,
            office=self.office,
            hub=self._hub,
            door=self._door,
            trail=self._trail,
            desk_name=self.settings.desk.name,
            idle_lock_minutes=self.settings.desk.idle_lock_minutes,
            clock=self._clock,
            log=self._log,
        )
        self._hub.drain()
        self._is_up.set()
        try:
            looked_at = self._clock.monotonic()
            while not stopping.is_set():
                self._hub.publish(
                    ev.Heartbeat(at=self._clock.now(), source="desk", watchdog_at=self._outside.watchdog_at)
                )
                elapsed = self._clock.monotonic()
                if elapsed - looked_at < LATE_NS:  # else they had no more chance to live than we (F59)
                    for worker in self._workers.values():
                        worker.look(elapsed)
                looked_at = elapsed
                self._vitals.look()
                if self._idle_lock is not None and self._idle_lock.look(elapsed):
                    self._log.info("vault_locked", after_minutes=self.settings.desk.idle_lock_minutes)
                if self._budgets is not None:
                    self.alarms.bans(self._budgets.bans())
                self._approvals.expire()
                self._limits.expire()
                self._outside.beat()
                self._hub.drain()  # what this desk latched itself is known then
                self._outside.look()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(stopping.wait(), HEARTBEAT_S)
            self._hub.drain()
        finally:
            self._loop = None
            readers.close()
            control.close()
            self._door.close()
            for path in paths:
                path.unlink(missing_ok=True)


def _forget(parts: Parts, account: AccountId) -> None:
    """Drop what is held of the account's key here; its worker holds the rest until it has ended."""
    parts.seats.pop(account, None)
    parts.adapters.pop(account, None)


def _place(settings: Settings, account: Account) -> str:
    """What tells one exchange from another, for accounts that may be one there: where it is reached."""
    venue = settings.venues.get(account.venue)
    return account.venue if venue is None else venue.url or venue.exchange


def _at_stake(replica: Replica, account: AccountId) -> tuple[int, int]:
    """What the journal knows of an account that may have moved while no desk looked: open orders, then positions."""
    orders = sum(1 for order in replica.orders.values() if order.account == account and not order.is_dead)
    held = sum(1 for (owner, _), position in replica.positions.items() if owner == account and position.qty != 0)
    return orders, held
