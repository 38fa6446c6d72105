"""The office: who may do what, and where a command goes. The one implementation of DeskControl inside a desk."""

import re
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from difflib import get_close_matches
from typing import TypeVar

import msgspec

from tradedesk.access.operators import SYSTEM_PREFIX, Operator, Role, Verb, may, may_approve, may_rearm
from tradedesk.accounts.mail import Post, Preview, ReconcileNow
from tradedesk.accounts.supervisor import Supervisor
from tradedesk.clock import Clock
from tradedesk.desk.alert_care import AlertCare
from tradedesk.desk.approvals import Approvals, Question, command_of
from tradedesk.desk.exit_switching import ExitSwitching
from tradedesk.desk.halting import Halting, accounts_in, named
from tradedesk.desk.limit_setting import LimitSetting
from tradedesk.desk.offboarding import Offboarding
from tradedesk.desk.trail import Trail
from tradedesk.desk.vault_door import VaultDoor
from tradedesk.domain import events as ev
from tradedesk.domain.accounts import Mode
from tradedesk.domain.commands import (
    AcceptKeyRisk,
    AcknowledgeAlert,
    AmendOrder,
    Approve,
    ApproveMandate,
    CancelAll,
    CancelOrder,
    Command,
    GoLive,
    HaltTrading,
    LockVault,
    NotSubmitted,
    Offboard,
    PlaceOrder,
    Rearm,
    Reconcile,
    RotateKey,
    SetLimits,
    Settle,
    SnoozeAlert,
    Submitted,
    SwitchExit,
    Verdict,
)
from tradedesk.domain.scopes import Scope, ScopeKind
from tradedesk.domain.text import clean
from tradedesk.domain.words import AccountId, ClientOrderId, InstrumentId, OperatorId, RequestId
from tradedesk.log import Log
from tradedesk.views.replica import Replica

VERBS: dict[type, Verb] = {
    PlaceOrder: Verb.Place,
    AmendOrder: Verb.Amend,
    CancelOrder: Verb.Cancel,
    CancelAll: Verb.CancelAll,
    HaltTrading: Verb.Halt,
    Rearm: Verb.Rearm,
    AcknowledgeAlert: Verb.Acknowledge,
    SnoozeAlert: Verb.Acknowledge,
    Reconcile: Verb.Cancel,
    Settle: Verb.Settle,
    Offboard: Verb.Offboard,
    GoLive: Verb.GoLive,
    Approve: Verb.Approve,
    AcceptKeyRisk: Verb.AcceptKeyRisk,
    ApproveMandate: Verb.ApproveMandate,
    SwitchExit: Verb.SwitchExit,
    RotateKey: Verb.RotateKey,
    LockVault: Verb.LockVault,
    SetLimits: Verb.SetLimits,
}
LONGEST_DEADLINE_NS = 24 * 3_600 * 10**9
MAX_REASON = 256  # characters
_ID = re.compile(r"[A-Za-z0-9._:/-]{1,36}", re.ASCII)  # what venues take as a client order id
_Asked = TypeVar("_Asked", bound=Command)
_DIGITS = 18  # on either side of the point: what a typed number may have (F84)


class Office:
    """Authorises and routes. `submit` and `preview` may be called from any thread and never wait for a venue.

    Of the replica, which is the desk thread's, single rows are looked up: they are frozen.
    """

    def __init__(
        self,
        *,
        workers: Mapping[AccountId, Supervisor],
        operators: Mapping[OperatorId, Operator],
        replica: Replica,
        halting: Halting,
        switching: ExitSwitching,
        limits: LimitSetting,
        vault: VaultDoor | None = None,
        offboarding: Offboarding,
        approvals: Approvals,
        takes_two: Iterable[str],
        trail: Trail,
        emit: Callable[[ev.Event], None],
        clock: Clock,
        log: Log,
    ) -> None:
        """`takes_two`: the kinds of approval that desk.toml asks for."""
        self._workers = workers
        self._operators = operators
        self._replica = replica
        self._halting = halting
        self._switching = switching
        self._limits = limits
        self._care = AlertCare(replica, emit, clock)
        self.vault = vault
        self._offboarding = offboarding
        self._approvals = approvals
        self._takes_two = frozenset(takes_two)
        self.closing: str | None = None  # why no new order is taken any more: the desk stops
        self._trail = trail
        self._emit = emit
        self._clock = clock
        self._log = log

    def submit(self, operator: Operator, command: Command) -> Submitted | NotSubmitted:
        """Take a command under the operator's own name, whatever name it came with."""
        scope = None
        if isinstance(command, HaltTrading | Rearm):
            scope, command = named(command)
        account = getattr(command, "account", None)
        if account is not None and account not in self._workers:
            return NotSubmitted(reason=self._unknown(operator, account))
        if isinstance(command, Approve):
            asked = self._approvals.find(command.id)
            account = asked.account if asked is not None else self._any_of(operator)
        concerned = [account]
        if isinstance(command, AcknowledgeAlert | SnoozeAlert):
            rows = self._care.named(command.key)
            if not rows:
                return NotSubmitted(
                    reason=f"there is no alert {clean(command.key, 64)!r}; `tradedesk alerts` lists them"
                )
            concerned = [row.alert.account or self._any_of(operator) for row in rows]
        if scope is not None and scope.kind not in (ScopeKind.Desk, ScopeKind.Account):
            wrong = self._halting.unknown(scope)
            if wrong is not None:
                return NotSubmitted(reason=wrong)
            concerned = self._accounts_in(operator, scope)
        for account in concerned:
            refusal = self._forbidden(operator, command, account)
            if refusal is not None:
                return self._refused(operator, command, account, refusal)
        refusal = self._unusable(operator, command)
        if refusal is None and isinstance(command, PlaceOrder | AmendOrder):
            refusal = self.closing or self._not_live_yet(command.account)
        if refusal is not None:
            return NotSubmitted(reason=refusal)
        command = _named(operator, command)
        match command:
            case HaltTrading():
                return self._halting.stop(command)
            case Rearm():
                return self._rearm(operator, command)
            case GoLive():
                return self._go_live(operator, command)
            case SwitchExit():
                return self._switching.ask(command)
            case SetLimits():
                wrong = self._limits.wrong(command)
                if wrong is not None:
                    return NotSubmitted(reason=wrong)
                may_raise = "raise-limits" not in self._takes_two and command.until is None
                return self._asked(operator, command) or self._limits.change(command, may_raise=may_raise)
            case LockVault():
                refusal = "this desk has no vault" if self.vault is None else self.vault.lock(operator)
                return Submitted() if refusal is None else NotSubmitted(reason=refusal)
            case Approve():
                return self._approve(operator, command)
            case AcknowledgeAlert():
                return self._care.acknowledge(command)
            case SnoozeAlert():
                return self._care.snooze(command)
            case Reconcile():
                return self._post(command.account, ReconcileNow())
            case AcceptKeyRisk():
                reason = clean(command.reason, MAX_REASON)
                if not reason.strip():
                    return NotSubmitted(
                        reason="accepting a key that can move money needs a reason; it is kept in the audit trail"
                    )
                return self._post(command.account, msgspec.structs.replace(command, reason=reason))
            case ApproveMandate():
                reason = clean(command.reason, MAX_REASON)
                if not reason.strip():
                    return NotSubmitted(reason="approving a mandate needs a reason; it is kept in the audit trail")
                return self._post(command.account, msgspec.structs.replace(command, reason=reason))
            case CancelAll():
                return self._cancel_all(operator, command)
            case Offboard():
                return self._offboarding.ask(command)
            case _:
                return self._post(command.account, command)

    def _forbidden(self, operator: Operator, command: Command, account: AccountId | None) -> str | None:
        """Why the operator may not ask for this; None if they may. A kind of command that no role has is nobody's."""
        verb = VERBS.get(type(command))
        if verb is None:
            return f"{type(command).__name__} is nothing that an operator may ask for"
        if isinstance(command, CancelAll) and account is None:  # on theirs, whichever these are
            theirs = any(may(operator, verb, name) is None for name in self._workers)
            return None if theirs else f"no account is {operator.name}'s to cancel on"
        return may(operator, verb, account)

    def _accounts_in(self, operator: Operator, scope: Scope) -> list[AccountId | None]:
        """Whose business a halt of this scope is: the operator must have each of them."""
        found = self._operators.get(OperatorId(scope.name))
        accounts = accounts_in(
            scope,
            [row.account for row in self._replica.accounts.values()],
            list(self._replica.orders.values()) if scope.kind is ScopeKind.Algorithm else (),
            () if found is None else [name for name in self._workers if found.has(name)],
        )
        return [*sorted(accounts)] or [self._any_of(operator)]

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
            return NotSubmitted(reason="; ".join(shortfall))
        return Submitted(accounts=tuple(taken), shortfall=tuple(shortfall))

    def preview(self, operator: Operator, command: PlaceOrder, request_id: RequestId) -> NotSubmitted | None:
        """Ask the account's Gate; the answer is a PreviewMade event. A reason if it could not even be asked."""
        if command.account not in self._workers:
            return NotSubmitted(reason=self._unknown(operator, command.account))
        refusal = (
            may(operator, Verb.Check, command.account)
            or self._unusable(operator, command)
            or self._not_live_yet(command.account)
        )
        if refusal is not None:
            return NotSubmitted(reason=refusal)
        named = _named(operator, command)
        answer = self._post(command.account, Preview(command=named, request_id=request_id))
        return answer if isinstance(answer, NotSubmitted) else None

    def _post(
        self,
        account: AccountId,
        message: Post,
    ) -> Submitted | NotSubmitted:
        worker = self._workers[account]
        if not worker.is_open:
            return NotSubmitted(reason=f"account {account} is not connected to its venue yet; nothing was sent")
        if worker.watches is not None and not isinstance(message, Preview | ReconcileNow):
            return NotSubmitted(reason=f"account {account} is {worker.watches}; nothing was sent")
        if not worker.post(message):
            return NotSubmitted(reason=f"account {account} has too many commands waiting; nothing was sent, try again")
        return Submitted(client_order_id=getattr(message, "client_order_id", None))

    def _rearm(self, operator: Operator, command: Rearm) -> Submitted | NotSubmitted:
        halt = self._halting.own(command.account, command.scope)
        scope, _ = named(command)
        if halt is None:
            return NotSubmitted(reason=f"{scope} is not halted")
        about = command.account if command.scope is None else self._any_of(operator)  # whose it is was asked before
        refusal = may_rearm(operator, about, halted_by=OperatorId(halt.by), reason=command.reason)
        if scope.kind is ScopeKind.Operator and scope.name == operator.name != halt.by:
            refusal = refusal or f"{halt.by} halted {operator.name}: somebody else with the role risk must rearm"
        if refusal is not None:
            return self._refused(operator, command, command.account, refusal)
        return self._asked(operator, command) or self._halting.lift(command, halt)

    def _go_live(self, operator: Operator, command: GoLive) -> Submitted | NotSubmitted:
        if self._not_live_yet(command.account) is None:
            return NotSubmitted(reason=f"account {command.account} needs no approval to trade")
        waits = self._asked(operator, command)
        return waits or NotSubmitted(reason=f"the key of account {command.account} is not known yet; try again")

    # -- the second person ----------------------------------------------------------------------------------------------

    def _asked(self, operator: Operator, command: Command) -> Submitted | NotSubmitted | None:
        """Where the command takes a second person, ask for one; None where it may go on."""
        question = self._question(command)
        if question is None:
            return None
        asked = self._approvals.ask(operator.name, command, question)
        return NotSubmitted(reason=asked) if isinstance(asked, str) else Submitted(approval=asked.id)

    def _question(self, command: Command) -> Question | None:
        """What a second person is to be asked about the command as things are now; None if nothing.

        The one place that says which commands need one.
        """
        match command:
            case Rearm():
                halt = self._halting.own(command.account, command.scope)
                if "rearm-breach" in self._takes_two and halt is not None and halt.by.startswith(SYSTEM_PREFIX):
                    return Question(
                        kind="rearm-breach",
                        account=command.account,
                        what=f"rearm {halt.of}, halted by {halt.by} ({halt.reason}): {command.reason}",
                        about=f"{halt.by} {halt.at}",
                        is_about_a_breach=True,
                    )
            case GoLive():
                key = self._key(command.account)
                if key and self._not_live_yet(command.account) is not None:
                    what = f"let account {command.account} trade LIVE with the key {key}: {command.reason}"
                    return Question(kind="live", account=command.account, what=what, about=key)
            case SetLimits():
                takes_two = "raise-limits" in self._takes_two or command.until is not None
                if takes_two and self._limits.wrong(command) is None:
                    return self._limits.question(command)
        return None

    def _approve(self, operator: Operator, command: Approve) -> Submitted | NotSubmitted:
        """Carry out what waits, if it is allowed to both and what it was about is still so."""
        asked = self._approvals.find(command.id)
        if asked is None:
            return NotSubmitted(
                reason=f"no request {clean(command.id, 12)!r} waits for approval; `tradedesk approvals` lists them"
            )
        waiting = command_of(asked) if asked.account is None or asked.account in self._workers else None
        question = None if waiting is None else self._question(waiting)
        asker = self._operators.get(asked.by)
        is_breach = asked.kind == "rearm-breach"
        refusal = may_approve(operator, asked.account, asked_by=asked.by, is_about_a_breach=is_breach)
        if refusal is not None:
            return self._refused(operator, command, asked.account, refusal)
        if waiting is None or question is None or question.about != asked.about:
            self._approvals.end(asked, "what it was about has changed")
            return NotSubmitted(reason=f"what {asked.id} was about has changed meanwhile; it has to be asked anew")
        if asker is None or may(asker, VERBS[type(waiting)], asked.account) is not None:
            self._approvals.end(asked, f"{asked.by} may not ask for it any more")
            return NotSubmitted(reason=f"{asked.by}, who asked for {asked.id}, may not do so any more")
        halt = self._halting.own(waiting.account, waiting.scope) if isinstance(waiting, Rearm) else None
        if not self._approvals.give(asked, operator.name, command.note):
            return NotSubmitted(reason=f"{asked.id} does not wait any more")
        match waiting:
            case Rearm() if halt is not None:
                return self._halting.lift(waiting, halt)
            case SetLimits():
                return self._limits.change(waiting, may_raise=True)
            case GoLive():
                self._emit(
                    ev.LiveApproved(
                        at=self._clock.now(), source="desk", account=waiting.account, key=asked.about, by=asked.by,
                        approved_by=operator.name,
                    )
                )  # fmt: skip
        return Submitted()

    def _not_live_yet(self, account: AccountId) -> str | None:
        """Why the account may not open or change an order though it is live, or None."""
        if "live" not in self._takes_two:
            return None
        row = self._replica.accounts.get(account)
        if row is not None and (
            row.account.mode is not Mode.Live or self._replica.live.get(account) == self._key(account)
        ):
            return None
        return (
            f"account {account} is live, and two persons must let its key trade first: "
            f"`tradedesk golive {account} --reason ...`, then somebody else's `tradedesk approve`"
        )

    def _key(self, account: AccountId) -> str:
        """The fingerprint of the key that the account has now; empty while it is not known."""
        row = self._replica.accounts.get(account)
        return "" if row is None else row.account.key

    def _refused(self, operator: Operator, command: Command, account: AccountId | None, why: str) -> NotSubmitted:
        """Not allowed: said, logged and recorded."""
        known = account if account in self._workers else None  # the journal has a chain for each account it is told of
        self._log.warning("command_refused", operator=operator.name, command=type(command).__name__, why=why)
        self._trail.command_refused(operator.name, type(command).__name__, known, why)
        return NotSubmitted(reason=why)

    def _unusable(self, operator: Operator, command: Command) -> str | None:
        """Why values that no screen and no script of ours makes cannot be let in: what is in, everybody reckons with."""
        for name, value in msgspec.structs.asdict(command).items():
            if isinstance(value, Decimal):
                if not _is_plain(value):
                    return f"{name}: must be a number of at most {_DIGITS} digits on either side of the point"
            elif name in ("client_order_id", "new_client_order_id") and not _ID.fullmatch(value):
                return f"{name}: {clean(value, 40)!r} is no usable id; use 1 to 36 letters, digits and . _ : / -"
            elif name == "confirm" and value is not None and (not value.strip() or value != clean(value, MAX_REASON)):
                return f"confirm: a reason has 1 to {MAX_REASON} characters that a screen shows"
            elif name in ("instrument", "block") and value is not None and value != clean(value, 64):
                return f"{name}: {clean(value, 40)!r} is too long or has characters no screen shows"
        if isinstance(command, PlaceOrder | AmendOrder):
            if not 0 <= command.deadline <= self._clock.now() + LONGEST_DEADLINE_NS:
                return "deadline: must be a time within the next day, in ns since the epoch"
            key = command.client_order_id if isinstance(command, PlaceOrder) else command.new_client_order_id
            known = self._replica.orders.get(ClientOrderId(key))
            if known is not None and known.account != command.account:
                is_seen = operator.seen is None or known.account in operator.seen
                whose = f"that of an order of account {known.account}" if is_seen else "taken"
                return f"client order id {key} is {whose}; use a new one"
        return None

    def _unknown(self, operator: Operator, account: AccountId) -> str:
        seen = operator.seen
        known = [name for name in self._workers if seen is None or name in seen]
        near = get_close_matches(account, known, n=1)
        hint = f"did you mean {near[0]}?" if near else f"accounts: {', '.join(sorted(known)) or 'none'}"
        return f"unknown account {clean(account, 40)!r}; {hint}"

    def _any_of(self, operator: Operator) -> AccountId | None:
        """For what belongs to no account (an alert of a market): any account of theirs will do."""
        return next((account for account in self._workers if operator.has(account)), None)


class Control:
    """DeskControl of one operator: of a screen in the desk's own process, or of one connection to the control socket."""

    def __init__(
        self,
        office: Office,
        operator: Operator,
        publish: Callable[[ev.Event], None],
        clock: Clock,
        unlocks: Callable[[str], str | None] | None = None,
    ) -> None:
        """`unlocks` proves a passphrase to be the operator's, or says why it is not; it waits for that."""
        self.operator = operator
        self.is_locked = False
        self._office = office
        self._publish = publish
        self._clock = clock
        self._unlocks = unlocks

    def submit(self, command: Command) -> Submitted | NotSubmitted:
        if self.is_locked and not isinstance(command, HaltTrading):
            return NotSubmitted(
                reason=f"the screen of {self.operator.name} is locked: only a halt goes; unlock it first"
            )
        return self._office.submit(self.operator, command)

    def preview(self, command: PlaceOrder, request_id: RequestId) -> None:
        locked = NotSubmitted(reason="the screen is locked") if self.is_locked else None
        refused = locked or self._office.preview(self.operator, command, request_id)
        if refused is not None:
            self._publish(refused_preview(command, request_id, refused.reason, self._clock.now()))

    def lock(self) -> None:
        """Take halts only, until `unlock`."""
        self.is_locked = True

    def unlock(self, passphrase: str) -> str | None:
        """None if everything goes again, else why not. Takes as long as proving a passphrase does."""
        refused = "this screen cannot be unlocked" if self._unlocks is None else self._unlocks(passphrase)
        self.is_locked = self.is_locked and refused is not None
        return refused


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


def _named(operator: Operator, command: _Asked) -> _Asked:
    """Under the operator's own name, and what they may confirm, whatever it came with."""
    named = msgspec.structs.replace(command, operator=operator.name)
    if isinstance(named, PlaceOrder | AmendOrder):
        return msgspec.structs.replace(named, is_risk=Role.Risk in operator.roles)
    return named


def _is_plain(value: Decimal) -> bool:
    """Whether the number is one that could have been typed: finite, at most so many digits on either side (F84)."""
    exponent = value.as_tuple().exponent
    return isinstance(exponent, int) and exponent >= -_DIGITS and value.adjusted() < _DIGITS
