"""What this desk and other processes of ours tell each other by files: its sign of life out; halts and receipts in.

A kill needs no desk and asks none: it latches and keeps its receipt. The desk finds both within a second, or at its next
start, and records them. A watchdog reads the sign of life.
"""

import os
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path

import msgspec
from msgspec import Struct

from tradedesk.clock import Clock
from tradedesk.config import Home
from tradedesk.desk import receipts
from tradedesk.desk.halting import halt_set
from tradedesk.domain import events as ev
from tradedesk.domain.alerts import Alert, Severity
from tradedesk.domain.receipts import KillReceipt
from tradedesk.domain.words import AccountId
from tradedesk.log import Log
from tradedesk.risk.halts import HaltLatch
from tradedesk.views.replica import Replica

BEAT_SIZE = 256  # bytes, preallocated: a full disk cannot make a desk look dead
UNWATCHED_NS = 15 * 10**9  # without a look of a watchdog, until those who chose one are told that none runs


class Life(StrEnum):
    """What a desk says of itself."""

    Running = "running"
    Stopping = "stopping"  # in order: its orders are as its settings say
    Stopped = "stopped"
    Failed = "failed"  # it ended by itself: nobody decided what becomes of its orders


class Beat(Struct, frozen=True, kw_only=True):
    """A desk's sign of life: as long as it lives, `number` grows once a second."""

    life: Life
    pid: int
    number: int
    at: int  # ns; to be shown, not reckoned with: clocks are set

    @property
    def name(self) -> str:
        return f"{self.pid}/{self.number}"


_beat_decoder = msgspec.json.Decoder(Beat)


def beat_file(home: Home) -> Path:
    return home.state / "heartbeat"


def read_beat(home: Home) -> Beat | None:
    """The desk's last sign of life; None if there never was one, or it cannot be read."""
    try:
        return _beat_decoder.decode(beat_file(home).read_bytes()[:BEAT_SIZE].rstrip(b"\0"))
    except (OSError, msgspec.MsgspecError):
        return None


def watchdog_file(home: Home) -> Path:
    """What a watchdog holds locked, and counts its looks in."""
    return home.state / "watchdog.lock"


class Outside:
    """Belongs to the desk thread, but for `life`, which any thread may set, and `beat`, which who stops the desk calls too."""

    def __init__(
        self,
        home: Home,
        latch: HaltLatch,
        replica: Replica,
        emit: Callable[[ev.Event], None],
        clock: Clock,
        log: Log,
        *,
        watched: tuple[AccountId, ...] = (),
    ) -> None:
        """`watched` are the accounts that chose a watchdog. Raises OSError if the file of the sign of life cannot be made."""
        self._home = home
        self._latch = latch
        self._replica = replica
        self._emit = emit
        self._clock = clock
        self._log = log
        self.life = Life.Running
        self._number = 0
        self._watched = watched
        self.watchdog_at: int | None = None  # ns: when one was last seen to look
        self._watchdogs_look: bytes | None = None  # None: not read yet, and what stands there may be of long ago
        self._watched_at = clock.monotonic()
        self._is_unwatched = False
        self._taken: set[str] = set(replica.kills)
        self._file = os.open(beat_file(home), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        receipts.prepare(home)

    def beat(self) -> None:
        """Give a sign of life. Not synced: after a power cut nobody watches. A disk that refuses it is alarmed elsewhere."""
        if self._file < 0:
            return
        self._number += 1
        beat = Beat(life=self.life, pid=os.getpid(), number=self._number, at=self._clock.now())
        try:
            os.pwrite(self._file, msgspec.json.encode(beat).ljust(BEAT_SIZE, b"\0"), 0)
        except OSError as error:
            self._log.error("no_sign_of_life", errno=error.errno or 0)

    def look(self) -> None:
        """Record the halts and receipts that came from outside. What this desk latched itself must be folded by now."""
        for halt in self._latch.all():
            known = self._replica.halt_on(halt.of)
            if known is None or (known.level, known.at) != (halt.level, halt.at):
                self._emit(halt_set(halt))
                self._log.warning("halted_from_outside", scope=str(halt.of), level=halt.level, by=halt.by)
        for name in receipts.names(self._home):
            if name not in self._taken:
                self._taken.add(name)
                self._take(name)
        if self._watched:
            self._look_for_watchdog()

    def _look_for_watchdog(self) -> None:
        """Who counts on a watchdog is told when none looks, until one does."""
        now = self._clock.monotonic()
        try:
            count = watchdog_file(self._home).read_bytes()[:BEAT_SIZE]
        except OSError:
            count = b""
        if count and self._watchdogs_look is not None and count != self._watchdogs_look:
            self.watchdog_at = self._clock.now()
        if count != self._watchdogs_look:
            self._watchdogs_look, self._watched_at = count, now
            if self._is_unwatched:
                self._is_unwatched = False
                self._emit(ev.AlertEnded(at=self._clock.now(), source="desk", key="watchdog"))
        elif not self._is_unwatched and now - self._watched_at > UNWATCHED_NS:
            self._is_unwatched = True
            alert = Alert(
                key="watchdog",
                rule="watchdog",
                severity=Severity.Warning,
                account=None,
                text=f"no watchdog looks, and {', '.join(self._watched)} chose one: start `tradedesk watchdog`",
                at=self._clock.now(),
            )
            self._emit(ev.AlertRaised(at=alert.at, source="desk", alert=alert))

    def _take(self, name: str) -> None:
        receipt = receipts.load(self._home, name)
        if isinstance(receipt, str):
            self._log.error("receipt_not_read", why=receipt)
            return
        self._emit(ev.KillRecorded(at=self._clock.now(), source="desk", receipt=receipt))
        alert = Alert(
            key=f"kill:{receipt.id}",
            rule="kill",
            severity=Severity.Critical,
            account=None,
            text=in_words(receipt),
            at=receipt.started_at,
        )
        self._emit(ev.AlertRaised(at=self._clock.now(), source="desk", alert=alert))
        self._emit(ev.AlertEnded(at=self._clock.now(), source="desk", key=alert.key))

    def close(self) -> None:
        """No sign of life any more. Doing it twice changes nothing."""
        descriptor, self._file = self._file, -1
        if descriptor >= 0:
            os.close(descriptor)


def in_words(receipt: KillReceipt) -> str:
    cancelled = sum(row.cancelled for row in receipt.accounts)
    names = ", ".join(row.account for row in receipt.accounts)
    state = "confirmed by every venue" if receipt.is_complete else "NOT complete"
    orders = "1 order" if cancelled == 1 else f"{cancelled} orders"
    return f"killed by {receipt.by}: {receipt.reason}; {names}: {orders} cancelled, {state}; receipt {receipt.id}"
