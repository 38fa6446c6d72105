"""The office: who may do what, and where a command goes. The one implementation of DeskControl inside a desk."""

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from difflib import get_close_matches

import msgspec

from tradedesk.access.operators import SYSTEM_PREFIX, Operator, Verb, may, may_rearm
from tradedesk.accounts.supervisor import Supervisor
from tradedesk.accounts.worker import Preview, ReconcileNow
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
    Settle,
    Submitted,
    Verdict,
)
from tradedesk.domain.text import clean
from tradedesk.domain.words import AccountId, ClientOrderId, InstrumentId, OperatorId, RequestId
from tradedesk.log import Log
from tradedesk.orders.messages import HaltEnded, HaltNow
from tradedesk.risk.halts import HaltLatch, is_weaker
from tradedesk.views.replica import Replica

VERBS: dict[type, Verb] = {
    PlaceOrder: Verb.Place,
    AmendOrder: Verb.Amend,
    CancelOrder: Verb.Cancel,
    CancelAll: Verb.CancelAll,
    HaltTrading: Verb.Halt,
    Rearm: Verb.Rearm,
    AcknowledgeAlert: Verb.Acknowledge,
    Reconcile: Verb.Cancel,
    Settle: Verb.Settle,
}
LONGEST_DEADLINE_NS = 24 * 3_600 * 10**9
MAX_REASON = 256  # characters of a halt's or a re-arm's
MAX_NOTE = 500
_ID = re.compile(r"[A-Za-z0-9._:/-]{1,36}", re.ASCII)  # what venues take as a client order id
_DIGITS = 18  # on either side of the point: what a typed number may have (F84)


class Office:
    """Authorises and routes. `submit` and `preview` may be called from any thread and never wait for a venue.

    `soon` runs a function on the desk thread: there, and only there, a halt is latched and lifted. Of the replica, which
    is the desk thread's, single rows are looked up: they are frozen.
    """

    def __init__(
        self,
        *,
        workers: Mapping[AccountId, Supervisor],
        replica: Replica,
        latch: HaltLatch,
        emit: Callable[[ev.Event], None],
        soon: Callable[[Callable[[], None]], None],
        clock: Clock,
        log: Log,
    ) -> None:
        self._workers = workers
        self._replica = replica
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
        if isinstance(command, AcknowledgeAlert):
            row = self._replica.alerts.get(command.key)
            if row is None:
                return NotSubmitted(
                    reason=f"there is no alert {clean(command.key, 64)!r}; `tradedesk alerts` lists them"
                )
            account = row.alert.account if row.alert.account is not None else self._any_of(operator)
        is_everywhere = isinstance(command, CancelAll) and account is None
        refusal = None if is_everywhere else may(operator, VERBS[type(command)], account)
        refusal = refusal or self._unusable(command)
        if refusal is not None:
            self._log.warning("command_refused", operator=operator.name, command=type(command).__name__, why=refusal)
            return NotSubmitted(reason=refusal)
        command = msgspec.structs.replace(command, operator=operator.name)
        match command:
            case HaltTrading():
                return self._stop_trading(command)
            case Rearm():
                return self._rearm(operator, command)
            case AcknowledgeAlert():
                self._emit(
                    ev.AlertAcknowledged(
                        at=self._clock.now(),
                        source="desk",
                        key=command.key,
                        by=operator.name,
                        note=clean(command.note, MAX_NOTE),
                    )
                )
                return Submitted()
            case Reconcile():
                return self._post(command.account, ReconcileNow())
            case CancelAll():
                return self._cancel_all(operator, command)
            case _:
                return self._post(command.account, command)

    def _cancel_all(self, operator: Operator, command: CancelAll) -> Submitted | NotSubmitted:
        """On one account, or on each that the operator may cancel on: what one cannot take holds up no other."""
        wanted = (
            [command.account]
            if command.account is not None
            else [account for account in self._workers if may(operator, Verb.CancelAll, account) is None]
        )
        taken: list[AccountId] = []
        shortfall: list[str] = []
        for account in wanted:
            answer = self._post(account, msgspec.structs.replace(command, account=account))
            if isinstance(answer, NotSubmitted):
                shortfall.append(answer.reason)
            else:
                taken.append(account)
        if not taken:
            return NotSubmitted(reason="; ".join(shortfall) or f"no account is {operator.name}'s to cancel on")
        return Submitted(accounts=tuple(taken), shortfall=tuple(shortfall))

    def preview(self, operator: Operator, command: PlaceOrder, request_id: RequestId) -> NotSubmitted | None:
        """Ask the account's Gate; the answer is a PreviewMade event. A reason if it could not even be asked."""
        if command.account not in self._workers:
            return NotSubmitted(reason=self._unknown(command.account))
        refusal = may(operator, Verb.Place, command.account) or self._unusable(command)
        if refusal is not None:
            return NotSubmitted(reason=refusal)
        answer = self._post(command.account, Preview(command=command, request_id=request_id))
        return answer if isinstance(answer, NotSubmitted) else None

    def _post(
        self,
        account: AccountId,
        message: PlaceOrder | AmendOrder | CancelOrder | CancelAll | Settle | Preview | ReconcileNow,
    ) -> Submitted | NotSubmitted:
        worker = self._workers[account]
        if not worker.is_open:
            return NotSubmitted(reason=f"account {account} is not connected to its venue yet; nothing was sent")
        if worker.watches is not None and not isinstance(message, Preview | ReconcileNow):
            return NotSubmitted(reason=f"account {account} is {worker.watches}; nothing was sent")
        if not worker.post(message):
            return NotSubmitted(reason=f"account {account} has too many commands waiting; nothing was sent, try again")
        return Submitted(client_order_id=getattr(message, "client_order_id", None))

    def _stop_trading(self, command: HaltTrading) -> Submitted | NotSubmitted:
        """A halt over a stricter one would be a re-arm in part, and that takes the role (5.5)."""
        known = self._latch.own(command.account)
        if known is not None and is_weaker(command.level, known.level):
            what = f"account {command.account}" if command.account is not None else "the desk"
            return NotSubmitted(
                reason=f"{what} is halted at {known.level}, which refuses more than {command.level}; "
                f"have it rearmed first, or halt at {known.level} or stricter"
            )
        self._soon(lambda: self._halt(command))
        return Submitted()

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

    def _lift(self, command: Rearm) -> None:
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

    def _unusable(self, command: Command) -> str | None:
        """Why values that no screen and no script of ours makes cannot be let in: what is in, everybody reckons with."""
        for name, value in msgspec.structs.asdict(command).items():
            if isinstance(value, Decimal):
                if not _is_plain(value):
                    return f"{name}: must be a number of at most {_DIGITS} digits on either side of the point"
            elif name in ("client_order_id", "new_client_order_id") and not _ID.fullmatch(value):
                return f"{name}: {clean(value, 40)!r} is no usable id; use 1 to 36 letters, digits and . _ : / -"
            elif name in ("instrument", "block") and value is not None and value != clean(value, 64):
                return f"{name}: {clean(value, 40)!r} is too long or has characters no screen shows"
        if isinstance(command, PlaceOrder | AmendOrder):
            if not 0 <= command.deadline <= self._clock.now() + LONGEST_DEADLINE_NS:
                return "deadline: must be a time within the next day, in ns since the epoch"
            key = command.client_order_id if isinstance(command, PlaceOrder) else command.new_client_order_id
            known = self._replica.orders.get(ClientOrderId(key))
            if known is not None and known.account != command.account:
                return f"client order id {key} is that of an order of account {known.account}; use a new one"
        return None

    def _unknown(self, account: AccountId) -> str:
        near = get_close_matches(account, self._workers, n=1)
        hint = f"did you mean {near[0]}?" if near else f"accounts: {', '.join(sorted(self._workers)) or 'none'}"
        return f"unknown account {clean(account, 40)!r}; {hint}"

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
        account=AccountId(clean(command.account, 64)),
        instrument=InstrumentId(clean(command.instrument, 64)),
        order_qty=command.order_qty if _is_plain(command.order_qty) else Decimal(0),
        remainder=Decimal(0),
        price=command.price if command.price is not None and _is_plain(command.price) else None,
        notional=None,
        denials=(reason,),
    )
    return ev.PreviewMade(at=now, source="desk", request_id=request_id, verdict=verdict)


def _is_plain(value: Decimal) -> bool:
    """Whether the number is one that could have been typed: finite, at most so many digits on either side (F84)."""
    exponent = value.as_tuple().exponent
    return isinstance(exponent, int) and exponent >= -_DIGITS and value.adjusted() < _DIGITS
