"""Switching an account to another of its exits: by an operator, recorded, and kept until somebody switches back."""

from collections.abc import Callable, Mapping

from tradedesk.access.exits import Exits
from tradedesk.accounts.supervisor import Supervisor
from tradedesk.clock import Clock
from tradedesk.domain import events as ev
from tradedesk.domain.commands import NotSubmitted, Submitted, SwitchExit
from tradedesk.domain.exits import Exit, exits_of, parse_exit
from tradedesk.domain.text import clean
from tradedesk.domain.words import AccountId
from tradedesk.log import Log
from tradedesk.views.replica import Replica

MAX_REASON = 256  # characters


class ExitSwitching:
    """`ask` may be called from any thread; the switch is made on the desk thread, where `soon` runs it."""

    def __init__(
        self,
        *,
        workers: Mapping[AccountId, Supervisor],
        exits: Exits,
        replica: Replica,
        emit: Callable[[ev.Event], None],
        soon: Callable[[Callable[[], None]], None],
        clock: Clock,
        log: Log,
    ) -> None:
        self._workers = workers
        self._exits = exits
        self._replica = replica
        self._emit = emit
        self._soon = soon
        self._clock = clock
        self._log = log

    def ask(self, command: SwitchExit) -> Submitted | NotSubmitted:
        row = self._replica.accounts.get(command.account)
        if row is None:
            return NotSubmitted(reason=f"account {command.account} is not up yet; try again in a moment")
        possible, now_by = exits_of(row.account), self._exits.of(command.account)
        if not command.reason.strip():
            return NotSubmitted(reason="switching an exit needs a reason; it is kept in the audit trail")
        if command.exit is None:
            wanted = next((exit_ for exit_ in possible if exit_ != now_by), None)
            if wanted is None:
                return NotSubmitted(
                    reason=f"account {command.account} has no other exit than {now_by}; add standby_egress in desk.toml, "
                    "or name this one to accept the address it is seen at"
                )
        else:
            found = parse_exit(command.exit)
            wanted = str(found) if isinstance(found, Exit) else ""
            if wanted not in possible:
                return NotSubmitted(reason=f"that is none of account {command.account}'s exits: {', '.join(possible)}")
        exit_ = wanted
        self._soon(lambda: self._switch(command, exit_))
        return Submitted()

    def _switch(self, command: SwitchExit, exit_: str) -> None:
        """The record first: after a crash in between, the account starts on the exit that was chosen."""
        reason = clean(command.reason, MAX_REASON)
        self._emit(
            ev.ExitSwitched(
                at=self._clock.now(),
                source="desk",
                account=command.account,
                exit=exit_,
                by=command.operator,
                reason=reason,
            )
        )
        self._exits.use(command.account, exit_)
        self._log.warning("exit_switched", account=command.account, exit=exit_, by=command.operator, reason=reason)
        self._workers[command.account].exit_switched()
