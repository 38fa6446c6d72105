"""The office: who may do what, and where a command goes. The one implementation of DeskControl inside a desk."""

from collections.abc import Callable, Mapping
from difflib import get_close_matches

import msgspec

from tradedesk.access.operators import Operator, Verb, may, may_rearm
from tradedesk.accounts.worker import Preview, ReconcileNow, Worker
from tradedesk.clock import Clock
from tradedesk.domain import events as ev
from tradedesk.domain.accounts import Halt
from tradedesk.domain.commands import (
    AcknowledgeAlert,
    AmendOrder,
    CancelAll,
    CancelOrder,
    Command,
    HaltTrading,
    NotSubmitted,
    PlaceOrder,
    Rearm,
    Reconcile,
    Submitted,
    Verdict,
)
from tradedesk.domain.words import AccountId, OperatorId, RequestId
from tradedesk.log import Log
from tradedesk.orders.messages import HaltEnded, HaltNow
from tradedesk.risk.halts import HaltLatch

VERBS: dict[type, Verb] = {
    PlaceOrder: Verb.Place,
    AmendOrder: Verb.Amend,
    CancelOrder: Verb.Cancel,
    CancelAll: Verb.CancelAll,
    HaltTrading: Verb.Halt,
    Rearm: Verb.Rearm,
    AcknowledgeAlert: Verb.Acknowledge,
    Reconcile: Verb.Cancel,
}


class Office:
    """Authorises and routes. `submit` and `preview` may be called from any thread and never wait for a venue.

    `soon` runs a function on the desk thread: there, and only there, a halt is latched and lifted.
    """

    def __init__(
        self,
        *,
        workers: Mapping[AccountId, Worker],
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

    def submit(self, operator: Operator, command: Command) -> Submitted | NotSubmitted:
        """Take a command under the operator's own name, whatever name it came with."""
        account = getattr(command, "account", None)
        if account is not None and account not in self._workers:
            return NotSubmitted(reason=self._unknown(account))
        scope = account if account is not None or isinstance(command, HaltTrading | Rearm) else self._any_of(operator)
        refusal = may(operator, VERBS[type(command)], scope)
        if refusal is not None:
            self._log.warning("command_refused", operator=operator.name, command=type(command).__name__, why=refusal)
            return NotSubmitted(reason=refusal)
        command = msgspec.structs.replace(command, operator=operator.name)
        match command:
            case HaltTrading():
                self._soon(lambda: self._halt(command))
                return Submitted()
            case Rearm():
                return self._rearm(operator, command)
            case AcknowledgeAlert():
                self._emit(
                    ev.AlertAcknowledged(
                        at=self._clock.now(), source="desk", key=command.key, by=operator.name, note=command.note[:500]
                    )
                )
                return Submitted()
            case Reconcile():
                return self._post(command.account, ReconcileNow())
            case _:
                return self._post(command.account, command)

    def preview(self, operator: Operator, command: PlaceOrder, request_id: RequestId) -> NotSubmitted | None:
        """Ask the account's Gate; the answer is a PreviewMade event. A reason if it could not even be asked."""
        if command.account not in self._workers:
            return NotSubmitted(reason=self._unknown(command.account))
        refusal = may(operator, Verb.Place, command.account)
        if refusal is not None:
            return NotSubmitted(reason=refusal)
        answer = self._post(command.account, Preview(command=command, request_id=request_id))
        return answer if isinstance(answer, NotSubmitted) else None

    def _post(
        self, account: AccountId, message: PlaceOrder | AmendOrder | CancelOrder | CancelAll | Preview | ReconcileNow
    ) -> Submitted | NotSubmitted:
        worker = self._workers[account]
        if not worker.is_open:
            return NotSubmitted(reason=f"account {account} is not connected to its venue yet; nothing was sent")
        if not worker.post(message):
            return NotSubmitted(reason=f"account {account} has too many commands waiting; nothing was sent, try again")
        return Submitted(client_order_id=getattr(message, "client_order_id", None))

    def _rearm(self, operator: Operator, command: Rearm) -> Submitted | NotSubmitted:
        halt = self._latch.own(command.account)
        if halt is None:
            what = f"account {command.account}" if command.account is not None else "the desk"
            return NotSubmitted(reason=f"{what} is not halted")
        refusal = may_rearm(operator, command.account, halted_by=OperatorId(halt.by), reason=command.reason)
        if refusal is not None:
            return NotSubmitted(reason=refusal)
        self._soon(lambda: self._lift(command))
        return Submitted()

    # -- desk thread ----------------------------------------------------------------------------------------------------

    def _halt(self, command: HaltTrading) -> None:
        """The latch first, then the record, then the cancelling (5.5)."""
        now = self._clock.now()
        halt = Halt(
            account=command.account, level=command.level, by=command.operator, reason=command.reason[:256], at=now
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
                by=command.operator,
                reason=halt.reason,
            )
        )
        for account, worker in self._workers.items():
            if command.account in (None, account):
                in_force = self._latch.read(account) or halt
                worker.post(HaltNow(level=in_force.level, by=in_force.by))
        self._log.warning("halted", scope=command.account or "desk", level=command.level, by=command.operator)

    def _lift(self, command: Rearm) -> None:
        self._latch.clear(command.account)
        self._emit(
            ev.Rearmed(
                at=self._clock.now(),
                source="desk",
                account=command.account,
                by=command.operator,
                reason=command.reason[:256],
            )
        )
        for account, worker in self._workers.items():
            if command.account in (None, account):
                still = self._latch.read(account)
                worker.post(HaltEnded() if still is None else HaltNow(level=still.level, by=still.by))
        self._log.warning("rearmed", scope=command.account or "desk", by=command.operator)

    def _unknown(self, account: AccountId) -> str:
        near = get_close_matches(account, self._workers, n=1)
        hint = f"did you mean {near[0]}?" if near else f"accounts: {', '.join(sorted(self._workers)) or 'none'}"
        return f"unknown account {account!r}; {hint}"

    def _any_of(self, operator: Operator) -> AccountId | None:
        """For what belongs to no account (an alert of a market): any account of theirs will do."""
        return next((account for account in self._workers if operator.has(account)), None)


class Control:
    """DeskControl of one operator inside the desk's own process."""

    def __init__(self, office: Office, operator: Operator, publish: Callable[[ev.Event], None], clock: Clock) -> None:
        self._office = office
        self._operator = operator
        self._publish = publish
        self._clock = clock

    def submit(self, command: Command) -> Submitted | NotSubmitted:
        return self._office.submit(self._operator, command)

    def preview(self, command: PlaceOrder, request_id: RequestId) -> None:
        refused = self._office.preview(self._operator, command, request_id)
        if refused is not None:
            self._publish(refused_preview(command, request_id, refused.reason, self._clock.now()))


def refused_preview(command: PlaceOrder, request_id: RequestId, reason: str, now: int) -> ev.PreviewMade:
    """A preview that never reached a Gate still gets its answer, so that no ticket waits for ever."""
    verdict = Verdict(
        account=command.account,
        instrument=command.instrument,
        order_qty=command.order_qty,
        remainder=command.order_qty - command.order_qty,
        price=command.price,
        notional=None,
        denials=(reason,),
    )
    return ev.PreviewMade(at=now, source="desk", request_id=request_id, verdict=verdict)
