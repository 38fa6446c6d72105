"""Letting an account go while the desk goes on for the others: only once halted, and with nothing of it open."""

import threading
from collections.abc import Callable, Mapping

from tradedesk.accounts.supervisor import Supervisor
from tradedesk.clock import Clock
from tradedesk.domain import events as ev
from tradedesk.domain.commands import NotSubmitted, Offboard, Submitted
from tradedesk.domain.money import plain
from tradedesk.domain.text import clean
from tradedesk.domain.words import AccountId
from tradedesk.log import Log
from tradedesk.risk.halts import HaltLatch
from tradedesk.views.leaving import held, in_the_way
from tradedesk.views.replica import Replica

MAX_REASON = 256  # characters


class Offboarding:
    """`ask` may be called from any thread; what it leads to is done on the desk thread, by `soon`."""

    def __init__(
        self,
        *,
        workers: Mapping[AccountId, Supervisor],
        replica: Replica,
        latch: HaltLatch,
        fold: Callable[[], None],
        forget: Callable[[AccountId], None],
        emit: Callable[[ev.Event], None],
        soon: Callable[[Callable[[], None]], None],
        clock: Clock,
        log: Log,
    ) -> None:
        """`fold` brings the replica up to date; `forget` drops what the desk holds of the account's key."""
        self._workers = workers
        self._replica = replica
        self._latch = latch
        self._fold = fold
        self._forget = forget
        self._emit = emit
        self._soon = soon
        self._clock = clock
        self._log = log

    def ask(self, command: Offboard) -> Submitted | NotSubmitted:
        if not command.reason.strip():
            return NotSubmitted(reason="offboarding needs a reason; it is kept in the audit trail")
        if self._latch.own(command.account) is None:
            return NotSubmitted(
                reason=f"account {command.account} is not halted; `tradedesk accounts offboard` makes it close-only first"
            )
        self._soon(lambda: self._let_go(command))
        return Submitted()

    def _let_go(self, command: Offboard) -> None:
        self._fold()
        now, account = self._clock.now(), command.account
        row = self._replica.accounts.get(account)
        open_ = list(in_the_way(self._replica, account, with_holdings=command.with_holdings))
        if row is None or row.reconciled_at is None:
            open_.append("it was not compared with its venue yet")
        if open_:
            reason = f"account {account} cannot go: {'; '.join(open_)}"
            self._emit(
                ev.SubmissionRefused(at=now, source="desk", operator=command.operator, what="offboard", reason=reason)
            )
            return
        self._emit(
            ev.AccountOffboarded(
                at=now,
                source="desk",
                account=account,
                by=command.operator,
                reason=clean(command.reason, MAX_REASON),
                held=tuple(f"{plain(qty)} {asset}" for asset, qty in sorted(held(self._replica, account).items())),
            )
        )
        self._log.warning("offboarded", account=account, by=command.operator)
        self._forget(account)
        threading.Thread(target=self._workers[account].stop, name=f"offboard-{account}", daemon=True).start()
