"""Halting and rearming: the latch first, then the record, then the workers (5.5)."""

from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from pathlib import Path

import msgspec

from tradedesk.access.operators import SYSTEM_PREFIX
from tradedesk.accounts.supervisor import Supervisor
from tradedesk.clock import Clock
from tradedesk.config import Settings
from tradedesk.domain import events as ev
from tradedesk.domain.accounts import Account, Halt, HaltLevel
from tradedesk.domain.commands import HaltTrading, NotSubmitted, Rearm, Submitted
from tradedesk.domain.instruments import instrument_id
from tradedesk.domain.orders import Order
from tradedesk.domain.scopes import DESK, Scope, ScopeKind, algorithm_of, carried, may_concern, scope_of, whole_scopes
from tradedesk.domain.text import clean
from tradedesk.domain.words import AccountId, OperatorId
from tradedesk.log import Log
from tradedesk.orders.messages import HaltEnded, HaltNow
from tradedesk.risk.halts import MOST_ALGORITHMS, HaltLatch, is_weaker

MAX_REASON = 256  # characters of a halt's or a re-arm's
MAX_NAME = 64  # of a scope's name


def latch_of(folder: Path, settings: Settings, halted: Iterable[Halt] = ()) -> HaltLatch:
    """The latches of a desk: of all that its settings name, and of what its journal says is halted."""
    return HaltLatch(
        folder,
        settings.accounts,
        over={name: whole_scopes(name, found.groups, found.venue) for name, found in settings.accounts.items()},
        others=(
            *(
                Scope(kind=ScopeKind.Instrument, name=instrument_id(name, symbol))
                for name, venue in settings.venues.items()
                for symbol in venue.instruments
            ),
            *(Scope(kind=ScopeKind.Operator, name=name) for name in settings.operators),
            *(halt.scope for halt in halted if halt.scope is not None),
        ),
    )


def accounts_in(
    scope: Scope, accounts: Iterable[Account], orders: Iterable[Order], theirs: Iterable[AccountId]
) -> set[AccountId]:
    """Whose business a halt of this scope is; `theirs` are the accounts of the operator that it names, if it names one.

    Of an algorithm those with orders of it: who runs it elsewhere is not known before it sends.
    """
    match scope.kind:
        case ScopeKind.Account:
            return {AccountId(scope.name)}
        case ScopeKind.Operator:
            return set(theirs)
        case ScopeKind.Algorithm:
            return {
                order.account
                for order in orders
                if order.block and scope.name in (order.block, algorithm_of(order.block))
            }
        case _:
            return {found.id for found in accounts if may_concern(scope, found.id, found.groups, found.venue)}


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

    def own(self, account: AccountId | None, scope: Scope | None = None) -> Halt | None:
        """The halt of this very scope."""
        return self._latch.own(account, scope) if self._latch.has(scope_of(account, scope)) else None

    def unknown(self, scope: Scope) -> str | None:
        """Why nothing of this desk is meant by it, or None."""
        if not scope.name or scope.name != clean(scope.name, MAX_NAME):
            return f"{scope.kind}: {clean(repr(scope.name), 40)} is no name of one; it has 1 to {MAX_NAME} characters"
        if self._latch.has(scope):
            return None
        known = [other.name for other in self._latch.scopes if other.kind is scope.kind]
        near = get_close_matches(scope.name, known, n=1)
        hint = f"did you mean {near[0]}?" if near else f"known: {', '.join(known) or 'none'}"
        return f"{scope} is not known to this desk; {hint}"

    def stop(self, command: HaltTrading) -> Submitted | NotSubmitted:
        """A halt over a stricter one would be a re-arm in part, and that takes the role (5.5)."""
        scope = scope_of(command.account, command.scope)
        known = self._latch.own(command.account, command.scope)
        if known is not None and is_weaker(command.level, known.level):
            return NotSubmitted(
                reason=f"{scope} is halted at {known.level}, which refuses more than {command.level}; "
                f"have it rearmed first, or halt at {known.level} or stricter"
            )
        if command.level is HaltLevel.Flatten and not scope.kind.has_positions:
            return NotSubmitted(
                reason=f"{scope} has no positions of its own to flatten: those are its accounts'; halt it at cancel-all, "
                "or flatten the account"
            )
        if known is None and scope.kind is ScopeKind.Algorithm and not self._latch.has_room:
            return NotSubmitted(
                reason=f"{MOST_ALGORITHMS} algorithms are halted already; rearm one, or halt the operator or the account"
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
        scope = scope_of(command.account, command.scope)
        known = self._latch.own(command.account, command.scope)
        if known is not None and is_weaker(command.level, known.level):
            self._log.warning("halt_not_weakened", scope=_logged(scope), level=command.level)
            return  # a stricter one latched between the asking and now
        by = command.operator
        if known is not None and known.by.startswith(SYSTEM_PREFIX):
            by = OperatorId(known.by)  # a breach stays a breach: who trades there cannot make it a halt of their own
        reason = clean(command.reason, MAX_REASON)
        halt = Halt(account=command.account, level=command.level, by=by, reason=reason, at=now, scope=command.scope)
        try:
            self._latch.latch(halt)
        except OSError as error:  # the page cache has it, so this desk stops all the same; a restart may not know
            self._log.error("halt_not_durable", scope=_logged(scope), errno=error.errno or 0)
        self._emit(halt_set(halt))
        self._post(scope, halt)
        self._log.warning("halted", scope=_logged(scope), level=command.level, by=command.operator)

    def _lift(self, command: Rearm, halt: Halt) -> None:
        scope = scope_of(command.account, command.scope)
        if self._latch.own(command.account, command.scope) != halt:
            self._log.warning("rearm_overtaken", scope=_logged(scope), by=command.operator)
            return  # it was lifted or set anew between the asking and now
        self._latch.clear(command.account, command.scope)
        self._emit(
            ev.Rearmed(
                at=self._clock.now(),
                source="desk",
                account=command.account,
                by=command.operator,
                reason=clean(command.reason, MAX_REASON),
                scope=command.scope,
            )
        )
        self._post(scope, None)
        self._log.warning("rearmed", scope=_logged(scope), by=command.operator)

    def _post(self, scope: Scope, halt: Halt | None) -> None:
        """Wake whom it concerns: each reads the latches itself. What is about some orders may be about any account's."""
        account = scope.account
        part = None if scope.kind.is_whole else scope
        for name, worker in self._workers.items():
            if account not in (None, name):
                continue
            still = self._latch.read(name) or (halt if scope == DESK or account == name else None)
            if part is not None:
                still = halt
            worker.post(HaltEnded(scope=part) if still is None else HaltNow(level=still.level, by=still.by, scope=part))


def halt_set(halt: Halt) -> ev.HaltSet:
    """The record of a halt as it is latched."""
    return ev.HaltSet(
        at=halt.at,
        source="desk",
        account=halt.account,
        level=halt.level,
        by=OperatorId(halt.by),
        reason=halt.reason,
        scope=halt.scope,
    )


def named(command: HaltTrading | Rearm) -> tuple[Scope, HaltTrading | Rearm]:
    """What the command is about, and the command as everything else expects it: a known account beside, or another scope."""
    scope = scope_of(command.account, command.scope)
    account, other = carried(scope)
    return scope, msgspec.structs.replace(command, account=account, scope=other)


def _logged(scope: Scope) -> str:
    return scope.typed if scope.kind in (ScopeKind.Desk, ScopeKind.Account) else str(scope)
