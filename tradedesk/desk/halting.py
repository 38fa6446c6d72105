"""Halting and rearming: the latch first, then the record, then the workers (5.5)."""

from collections.abc import Callable, Mapping

from tradedesk.access.operators import SYSTEM_PREFIX
from tradedesk.accounts.supervisor import Supervisor
from tradedesk.clock import Clock
from tradedesk.domain import events as ev
from tradedesk.domain.accounts import Halt
from tradedesk.domain.commands import HaltTrading, NotSubmitted, Rearm, Submitted
from tradedesk.domain.text import clean
from tradedesk.domain.words import AccountId, OperatorId
from tradedesk.log import Log
from tradedesk.orders.messages import HaltEnded, HaltNow
from tradedesk.risk.halts import HaltLatch, is_weaker

MAX_REASON = 256  # characters of a halt's or a re-arm's


def scope_of(account: AccountId | None) -> str:
    return f"account {account}" if account is not None else "the desk"


class Halting:
    """`stop` and `lift` may be called from any thread; what they do is done on the desk thread, by `soon`."""

    def __init__(
        self,
        *,
        workers: Mapping[AccountId, Supervisor],
        latch: HaltLatch,
        emit: Callable[[ev.Event], None],
        soon: Callable[[Callable[[], None]], None],
        clock: Clock,
        log: Log,
    ) -> None:
        self._workers = workers
        self._latch = latch
        self._emit = emit
        self._soon = soon
        self._clock = clock
        self._log = log

    def own(self, account: AccountId | None) -> Halt | None:
        """The halt of this very scope."""
        return self._latch.own(account)

    def stop(self, command: HaltTrading) -> Submitted | NotSubmitted:
        """A halt over a stricter one would be a re-arm in part, and that takes the role (5.5)."""
        known = self._latch.own(command.account)
        if known is not None and is_weaker(command.level, known.level):
            return NotSubmitted(
                reason=f"{scope_of(command.account)} is halted at {known.level}, which refuses more than {command.level}; "
                f"have it rearmed first, or halt at {known.level} or stricter"
            )
        self._soon(lambda: self._halt(command))
        return Submitted()

    def lift(self, command: Rearm, halt: Halt) -> Submitted:
        """End this halt; one that was set over it meanwhile stays."""
        self._soon(lambda: self._lift(command, halt))
        return Submitted()

    # -- desk thread ----------------------------------------------------------------------------------------------------

    def _halt(self, command: HaltTrading) -> None:
        now = self._clock.now()
        known = self._latch.own(command.account)
        if known is not None and is_weaker(command.level, known.level):
            self._log.warning("halt_not_weakened", scope=command.account or "desk", level=command.level)
            return  # a stricter one latched between the asking and now
        by = command.operator
        if known is not None and known.by.startswith(SYSTEM_PREFIX):
            by = OperatorId(known.by)  # a breach stays a breach: who trades there cannot make it a halt of their own
        halt = Halt(
            account=command.account, level=command.level, by=by, reason=clean(command.reason, MAX_REASON), at=now
        )
        try:
            self._latch.latch(halt)
        except OSError as error:  # the page cache has it, so this desk stops all the same; a restart may not know
            self._log.error("halt_not_durable", account=command.account or "desk", errno=error.errno or 0)
        self._emit(
            ev.HaltSet(
                at=now,
                source="desk",
                account=command.account,
                level=command.level,
                by=by,
                reason=halt.reason,
            )
        )
        for account, worker in self._workers.items():
            if command.account in (None, account):
                in_force = self._latch.read(account) or halt
                worker.post(HaltNow(level=in_force.level, by=in_force.by))
        self._log.warning("halted", scope=command.account or "desk", level=command.level, by=command.operator)

    def _lift(self, command: Rearm, halt: Halt) -> None:
        if self._latch.own(command.account) != halt:
            self._log.warning("rearm_overtaken", scope=command.account or "desk", by=command.operator)
            return  # it was lifted or set anew between the asking and now
        self._latch.clear(command.account)
        self._emit(
            ev.Rearmed(
                at=self._clock.now(),
                source="desk",
                account=command.account,
                by=command.operator,
                reason=clean(command.reason, MAX_REASON),
            )
        )
        for account, worker in self._workers.items():
            if command.account in (None, account):
                still = self._latch.read(account)
                worker.post(HaltEnded() if still is None else HaltNow(level=still.level, by=still.by))
        self._log.warning("rearmed", scope=command.account or "desk", by=command.operator)
