"""A kill: a process of its own stops accounts at their venues, whatever state the desk is in (5.5).

It latches first, and the desk's workers read the latches before each send. Then every account is swept side by side, each
by its own key and exit, until its venue shows nothing that the level cancels and nothing can arrive any more. It needs
neither the desk nor its journal, takes no lock of the desk's, and ends within a bound.
"""

import asyncio
import os
import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol, TypeVar

from msgspec import Struct

from tradedesk.access.lease import Lease, LeaseError
from tradedesk.clock import Clock
from tradedesk.desk.keeper import Keeper
from tradedesk.desk.sweeping import Closer, Sweeper, SweepFailed
from tradedesk.domain.accounts import Account, Halt, HaltLevel
from tradedesk.domain.receipts import AccountReceipt, KillReceipt, Outcome
from tradedesk.domain.scopes import DESK, Scope, carried, scope_of
from tradedesk.domain.text import clean
from tradedesk.domain.words import AccountId, OperatorId
from tradedesk.journal import checkpoint
from tradedesk.journal.records import Reading
from tradedesk.journal.store import JournalError
from tradedesk.risk import kill as rules
from tradedesk.risk.halts import HaltLatch, is_weaker
from tradedesk.risk.kill import Known, Task
from tradedesk.venues.adapter import LastCheck
from tradedesk.views.replica import Replica

WITHIN_S = 60.0  # all of it; a request in doubt takes a quarter of this to be cleared up
LATCH_S = 5.0  # a disk that takes longer than this for a latch does not hold up the cancelling
JOURNAL_S = 15.0  # likewise for reading the journal
LEVELS = (HaltLevel.CancelOpening, HaltLevel.CancelAll, HaltLevel.Flatten)
T = TypeVar("T")


class Way(Struct, frozen=True, kw_only=True):
    """How a kill reaches one account."""

    connect: Callable[[str, LastCheck], Closer]  # by this exit
    entry: str  # of the vault
    lease: Lease | None = None  # of the key that trades; only where orders are placed
    spare: "Way | None" = None  # by another key, should the venue refuse this one


class Order(Struct, frozen=True, kw_only=True):
    """What somebody wants killed."""

    accounts: tuple[AccountId, ...]
    is_desk_wide: bool  # then the desk's own halt is latched, and holds for accounts that come later too
    level: HaltLevel
    by: OperatorId
    reason: str
    with_external: bool = False
    beat: str | None = None
    scope: Scope | None = None  # a group, a venue or an instrument, which is halted as such; None: as named above

    @property
    def scopes(self) -> tuple[Scope, ...]:
        """What is halted."""
        if self.scope is not None:
            return (self.scope,)
        return (DESK,) if self.is_desk_wide else tuple(scope_of(account) for account in self.accounts)


class Latches(Protocol):
    def __call__(self, order: Order, level: HaltLevel, now: int) -> dict[AccountId, str]:
        """Latch; by account, why it may not be durable. Blocks."""
        ...


class Killing:
    """One kill, from the latch to its receipt. `run` once, on a loop of its own."""

    def __init__(
        self,
        order: Order,
        *,
        desk: str,
        accounts: Mapping[AccountId, Account],
        tasks: Mapping[AccountId, Task],
        ways: Mapping[AccountId, Way | str],
        latch: Latches,
        read_journal: "Callable[[], Journal]",
        clock: Clock,
        told: Callable[[str], None] = lambda _: None,
        within_s: float | None = None,
    ) -> None:
        """`ways` holds a sentence for an account that cannot be reached at all; `told` hears how it goes, in words."""
        self._order = order
        self._desk = desk
        self._accounts = accounts
        self._tasks = tasks
        self._ways = ways
        self._latch = latch
        self._read_journal = read_journal
        self._clock = clock
        self._told = told
        self._within_s = WITHIN_S if within_s is None else within_s
        self._unlatched: dict[AccountId, str] = {}
        self._sweeps: list[asyncio.Task[None]] = []
        self._is_given_up = False

    def give_up(self) -> None:
        """End now, with a receipt of how far it came. On the loop."""
        self._is_given_up = True
        for sweep in self._sweeps:
            sweep.cancel()

    async def run(self) -> KillReceipt:
        """Never raises for what an account, a venue or a disk may do; the receipt says it."""
        now, began = self._clock.now(), self._clock.monotonic()
        deadline = began + int(self._within_s * 10**9)
        await self._latch_first(now)
        journal: asyncio.Future[Journal] = asyncio.ensure_future(self._journal())
        rows = await asyncio.gather(
            *(self._account(account, journal, began, deadline) for account in self._order.accounts)
        )
        told = journal.result() if journal.done() else Journal(failed="it was not read in time")
        journal.cancel()
        return KillReceipt(
            id=f"{datetime.fromtimestamp(now // 10**9, UTC):%Y%m%dT%H%M%SZ}-{now // 1_000_000 % 1_000:03}-{os.getpid()}",
            desk=self._desk,
            by=self._order.by,
            reason=self._order.reason,
            level=self._order.level,
            started_at=now,
            took_ms=(self._clock.monotonic() - began) // 10**6,
            accounts=tuple(rows),
            journal=told.failed,
            latch="; ".join(sorted(set(self._unlatched.values()))),
            scope=self._order.scope,
            beat=self._order.beat,
        )

    async def _latch_first(self, now: int) -> None:
        """The halt, durably; then, where orders will be placed, the lease; then the level that allows placing them.

        In this order a desk that lives cannot close the same positions beside us.
        """
        flattens = self._order.level is HaltLevel.Flatten
        first = HaltLevel.CancelAll if flattens else self._order.level
        self._unlatched = await self._latched(first, now)
        if flattens:
            for account in self._order.accounts:
                way = self._ways[account]
                if isinstance(way, Way) and way.lease is not None:
                    try:
                        way.lease.overtake(now)
                    except LeaseError as error:
                        self._told(f"{account}: cannot be flattened: {error}")
            self._unlatched = self._unlatched | await self._latched(HaltLevel.Flatten, now)
        for why in sorted(set(self._unlatched.values())):
            self._told(f"the halt may not be durable: {why}")

    async def _latched(self, level: HaltLevel, now: int) -> dict[AccountId, str]:
        try:
            async with asyncio.timeout(LATCH_S):
                return await aside(lambda: self._latch(self._order, level, now))
        except TimeoutError:
            why = f"the disk did not take it within {LATCH_S:.0f} s"
            return dict.fromkeys(self._order.accounts, why)

    async def _journal(self) -> "Journal":
        try:
            async with asyncio.timeout(JOURNAL_S):
                return await aside(self._read_journal)
        except TimeoutError:
            return Journal(failed=f"it could not be read within {JOURNAL_S:.0f} s")
        except Exception as error:  # whatever it was: the venue's own list says more than a journal that cannot be read
            return Journal(failed=f"it could not be read ({type(error).__name__})")

    async def _account(
        self, account: AccountId, journal: "asyncio.Future[Journal]", began: int, deadline: int
    ) -> AccountReceipt:
        task, way = self._tasks[account], self._ways[account]
        is_blocked = account not in self._unlatched
        if isinstance(way, str):
            self._told(f"{account}: {way}")
            return AccountReceipt(account=account, outcome=Outcome.Unreachable, is_blocked=is_blocked, why=way)
        row, is_refused = await self._by(way, task, journal, began, deadline)
        if is_refused and way.spare is not None:
            self._told(f"{account}: {row.why}; going on with the key {way.spare.entry}")
            row, _ = await self._by(way.spare, task, journal, began, deadline)
        self._told(in_words(row))
        return row

    async def _by(
        self, way: Way, task: Task, journal: "asyncio.Future[Journal]", began: int, deadline: int
    ) -> tuple[AccountReceipt, bool]:
        """How it went by this key, and whether the venue refused the key."""
        account, is_refused = task.account, False
        sweeper = Sweeper(
            task,
            self._accounts[account],
            way.connect,
            known=lambda: journal.result().of(account) if journal.done() else None,
            is_told=journal.done,
            exit_in_use=lambda: journal.result().exits.get(account) if journal.done() else None,
            lease=way.lease,
            clock=self._clock,
            deadline=deadline,
        )
        why = "interrupted" if self._is_given_up else ""
        sweep = asyncio.create_task(sweeper.run())
        self._sweeps.append(sweep)
        try:
            if not self._is_given_up:
                await sweep
        except SweepFailed as error:
            why, is_refused = str(error), error.is_auth
        except asyncio.CancelledError:
            if not self._is_given_up:
                raise
            why = "interrupted"
        except Exception as error:  # one account's trouble is no other's (5.8); its text may be a library's
            why = f"an error of its own ({type(error).__name__})"
        finally:
            sweep.cancel()
            await sweeper.close()
        took_ms = (self._clock.monotonic() - began) // 10**6
        is_blocked = account not in self._unlatched
        return sweeper.receipt(is_blocked=is_blocked, why=why, entry=way.entry, took_ms=took_ms), is_refused


def in_words(row: AccountReceipt) -> str:
    """How an account came out of it, in one line."""
    parts = [f"{row.cancelled} cancelled"]
    parts += [f"{count} {what}" for count, what in ((row.still_open, "still open"), (row.left, "left")) if count]
    parts += [f"by {row.exit} as another exit failed"] if row.exits_failed else []
    return f"{row.account}: {row.outcome}, {', '.join(parts)}" + (f"; {row.why}" if row.why else "")


class Journal(Struct, frozen=True, kw_only=True):
    """What the desk's journal tells a kill. `failed`: why it tells nothing."""

    failed: str = ""
    known: dict[AccountId, Known] = {}
    exits: dict[AccountId, str] = {}  # those in use: an operator may have switched

    def of(self, account: AccountId) -> Known | None:
        return None if self.failed else self.known.get(account)


def read_journal(path: Path, accounts: Mapping[AccountId, Account]) -> Journal:
    """Beside a desk that runs, hangs or is dead; nothing is written and no lock is taken. Blocks."""
    if not path.exists():
        return Journal(failed="there is none")
    reading, replica = Reading(), Replica()
    try:
        for _, event in checkpoint.replay(path, reading, Keeper.form()):
            replica.apply(event)
    except JournalError as error:
        return Journal(failed=str(error))
    reasons = reading.reasons()
    if None in reasons:
        return Journal(failed=f"it is damaged: {reasons[None]}")
    return Journal(
        known={
            account: rules.known_of(account, replica.orders.values()) for account in accounts if account not in reasons
        },
        exits={account.id: replica.exit_of(account)[0] for account in accounts.values()},
    )


def latches_in(folder: Path) -> Latches:
    """Latching in a state folder. A stricter halt that is in force stays; one account's trouble is no other's."""

    def latch(order: Order, level: HaltLevel, now: int) -> dict[AccountId, str]:
        failed: dict[AccountId, str] = {}
        for scope in order.scopes:
            account, other = carried(scope)
            halt = Halt(account=account, level=level, by=order.by, reason=order.reason, at=now, scope=other)
            why = _latched(folder, halt)
            if why is not None:
                failed |= dict.fromkeys(order.accounts if account is None else (account,), why)
        return failed

    return latch


def _latched(folder: Path, halt: Halt) -> str | None:
    """None, or why it may not be on disk."""
    try:
        found = HaltLatch(folder, (), others=(halt.of,))
    except OSError as error:
        return f"{folder}: {error.strerror}"
    try:
        known = found.own(halt.account, halt.scope)
        if known is None or not is_weaker(halt.level, known.level):
            found.latch(halt)
        return None
    except OSError as error:
        return f"{folder}: {error.strerror}"
    finally:
        found.close()


async def aside(work: Callable[[], T]) -> T:
    """What `work` returns, on a thread that nobody has to wait for: a disk that hangs must not hold up our end."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()

    def settle(result: T | None, error: BaseException | None) -> None:
        if done.done():
            return
        if error is not None:
            done.set_exception(error)
        else:
            done.set_result(result)  # type: ignore[arg-type]

    def run() -> None:
        result, failure = None, None
        try:
            result = work()
        except BaseException as error:
            failure = error
        try:
            loop.call_soon_threadsafe(settle, result, failure)
        except RuntimeError:  # the loop has ended: nobody waits any more
            return

    threading.Thread(target=run, name="aside", daemon=True).start()
    return await done


def reason_of(text: str) -> str:
    return clean(text.strip(), 256)
