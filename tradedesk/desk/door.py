"""The door: who comes in under which name, by their machine's user and their passphrase, and how fast one may try."""

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from msgspec import Struct

from tradedesk.access.operators import Operator, operator_for, peers
from tradedesk.access.passphrases import PassphraseError, Passphrases
from tradedesk.clock import Clock
from tradedesk.desk.trail import Trail
from tradedesk.domain import events as ev
from tradedesk.domain.alerts import Alert, Severity
from tradedesk.domain.text import clean
from tradedesk.domain.words import OperatorId
from tradedesk.log import Log

AT_ONCE = 2  # passphrases tried at the same time, each for a quarter of a second and 64 MiB
MAX_WAITING = 16  # for their turn
LONGEST_WAIT_S = 60
QUIET_NS = 15 * 60 * 10**9  # after which wrong passphrases are forgotten
MAX_REMEMBERED = 1_024  # names that were tried in vain
ALERT_FROM = 5  # wrong ones in a row

R = TypeVar("R")


class Shut(Struct, frozen=True, kw_only=True):
    """Why somebody does not come in, and whether a passphrase could change that."""

    reason: str
    wants_passphrase: bool = False


class _Tries:
    """Wrong passphrases in a row, of one name tried by one user."""

    def __init__(self) -> None:
        self.wrong = 0
        self.last = 0  # monotonic, ns
        self.is_trying = False

    def wait_ns(self, now: int) -> int:
        """How long the next one has to wait: twice as long after each wrong one, a minute at most."""
        if not self.wrong or now - self.last >= QUIET_NS:
            return 0
        pause = min(LONGEST_WAIT_S, 1 << min(self.wrong - 1, 10)) * 10**9
        return max(0, self.last + pause - now)


class Door:
    """Lives on the desk thread, which it never holds up: hashing is done by a pool of two threads, which `close` ends.

    Waiting belongs to a name and the machine's user who tries it, so that nobody keeps anybody else out, and it is kept
    here, so that connecting anew does not end it.
    """

    def __init__(
        self,
        operators: Mapping[OperatorId, Operator],
        passphrases: Passphrases,
        *,
        desk_uid: int,
        trail: Trail,
        emit: Callable[[ev.Event], None],
        clock: Clock,
        log: Log,
    ) -> None:
        self._operators = operators
        self._passphrases = passphrases
        self._desk_uid = desk_uid
        self._trail = trail
        self._emit = emit
        self._clock = clock
        self._log = log
        self._pool = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="passphrase")
        self._waiting = 0
        self._tries: dict[tuple[str, int], _Tries] = {}

    @property
    def peers(self) -> frozenset[int]:
        """The machine's users who may knock at all."""
        return peers(self._operators.values(), self._desk_uid)

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def admit(self, name: str | None, passphrase: str | None, uid: int) -> Operator | Shut:
        """Who comes in when the machine's user `uid` says this name and passphrase. A refusal is recorded."""
        found = operator_for(name, uid, self._operators.values(), desk_uid=self._desk_uid)
        if name is None and isinstance(found, Operator):
            name = found.name
        answer = await self._judged(found, name, passphrase, uid)
        if isinstance(answer, Shut) and not (answer.wants_passphrase and passphrase is None):
            self._trail.login_refused(name or "", uid, answer.reason)
        return answer

    async def has_passphrase(self, operator: Operator) -> bool | str:
        """Whether the operator has one; a sentence if that cannot be told."""
        names = await self._done(self._named)
        return names if isinstance(names, str) else operator.name in names

    async def _judged(
        self, found: Operator | str, name: str | None, passphrase: str | None, uid: int
    ) -> Operator | Shut:
        if name is None:
            return Shut(reason=str(found))
        if passphrase is None and isinstance(found, str):
            return Shut(reason=found)
        names = await self._done(self._named)
        if isinstance(names, str):
            self._log.error("passphrases_unusable", why=names)
            return Shut(reason=names)
        if isinstance(found, Operator) and name not in names:
            return found  # their user is the proof
        if passphrase is None:
            return Shut(reason=f"{name} has a passphrase; give it", wants_passphrase=True)
        return await self._tried(found, name, passphrase, uid)

    async def _tried(self, found: Operator | str, name: str, passphrase: str, uid: int) -> Operator | Shut:
        """One passphrase, compared. A name that is nobody's costs the same time and gets the same answer."""
        key = (name[:64], uid)
        tries = self._tries.pop(key, None) or _Tries()
        self._tries[key] = tries  # newest last: the oldest is forgotten first
        while len(self._tries) > MAX_REMEMBERED:
            del self._tries[next(iter(self._tries))]
        wait_ns = tries.wait_ns(self._clock.monotonic())
        if wait_ns:
            return Shut(reason=f"too soon after a wrong passphrase; try again in {-(-wait_ns // 10**9)} s")
        if tries.is_trying or self._waiting >= MAX_WAITING:
            return Shut(reason="another passphrase is being tried; try again in a second")
        tries.is_trying = True
        try:
            is_right = await self._done(lambda: self._checked(OperatorId(name), passphrase))
        finally:
            tries.is_trying = False
        if isinstance(is_right, str):
            self._log.error("passphrases_unusable", why=is_right)
            return Shut(reason=is_right)
        now = self._clock.monotonic()
        if is_right and isinstance(found, Operator):
            self._tries.pop(key, None)
            return found
        tries.wrong = 1 if now - tries.last >= QUIET_NS else tries.wrong + 1
        tries.last = now
        self._log.warning("passphrase_wrong", operator=clean(name, 40), uid=uid, in_a_row=tries.wrong)
        if tries.wrong >= ALERT_FROM:
            self._alert(name, uid, tries.wrong)
        return Shut(reason="the name or its passphrase is wrong", wants_passphrase=True)

    def _alert(self, name: str, uid: int, wrong: int) -> None:
        now = self._clock.now()
        text = (
            f"{wrong} wrong passphrases in a row for operator {clean(name, 40)}, tried by user id {uid} of this machine"
        )
        alert = Alert(key="logins", rule="logins", severity=Severity.Warning, account=None, text=text, at=now)
        self._emit(ev.AlertRaised(at=now, source="desk", alert=alert))

    def _named(self) -> frozenset[OperatorId] | str:
        try:
            return self._passphrases.names()
        except PassphraseError as error:
            return str(error)

    def _checked(self, name: OperatorId, passphrase: str) -> bool | str:
        try:
            return self._passphrases.check(name, passphrase)
        except PassphraseError as error:
            return str(error)

    async def _done(self, work: Callable[[], R]) -> R:
        """The work, done by the pool."""
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, work)
        finally:
            self._waiting -= 1
