"""Who acts on the desk, and what they may do. Pure: a rule answers None when allowed, else a sentence."""

from collections.abc import Iterable
from difflib import get_close_matches
from enum import StrEnum

from msgspec import Struct

from tradedesk.domain.text import clean
from tradedesk.domain.words import AccountId, OperatorId

EVERY_ACCOUNT = "*"
SYSTEM_PREFIX = "system:"  # names that no person may have


class Role(StrEnum):
    Trader = "trader"
    Risk = "risk"
    Support = "support"


class Verb(StrEnum):
    """What an operator can ask of a desk. Looking is no verb: who may look is decided at the read socket."""

    Check = "check"
    Place = "place"
    Amend = "amend"
    Cancel = "cancel"
    CancelAll = "cancel-all"
    SetLimits = "set-limits"
    Halt = "halt"
    Rearm = "rearm"
    Acknowledge = "acknowledge"
    Settle = "settle"
    Offboard = "offboard"
    GoLive = "go-live"
    AcceptKeyRisk = "accept-key-risk"
    ApproveMandate = "approve-mandate"
    SwitchExit = "switch-exit"
    RotateKey = "rotate-key"
    LockVault = "lock or open the vault"
    Approve = "approve"


class Operator(Struct, frozen=True, kw_only=True):
    """A person (or `system:risk`) under whose name commands are recorded."""

    name: OperatorId
    roles: frozenset[Role]
    accounts: frozenset[str]  # account ids, or "*" for every account
    uid: int | None  # of the machine's user who may act under this name; None: the user the desk runs as
    sees: frozenset[str] | None = None  # as `accounts`: whose events they are sent; None: those of `accounts`

    def has(self, account: AccountId | None) -> bool:
        """Whether `account` is one of theirs; None is the whole desk, which only "*" covers."""
        return EVERY_ACCOUNT in self.accounts or (account is not None and account in self.accounts)

    @property
    def seen(self) -> frozenset[str] | None:
        """The accounts whose events they are sent; None is every one."""
        sees = self.accounts if self.sees is None else self.sees
        return None if EVERY_ACCOUNT in sees else sees


SYSTEM_RISK = Operator(name=OperatorId("system:risk"), roles=frozenset(), accounts=frozenset({EVERY_ACCOUNT}), uid=None)

_ROLES: dict[Verb, tuple[Role, ...]] = {
    Verb.Check: (Role.Trader, Role.Risk),  # what the Gate would say; it changes nothing
    Verb.Place: (Role.Trader,),
    Verb.Amend: (Role.Trader,),
    Verb.Cancel: (Role.Trader,),
    Verb.CancelAll: (Role.Trader,),
    Verb.SetLimits: (Role.Risk,),
    Verb.Halt: (Role.Trader, Role.Risk),  # whoever sees trouble first may stop
    Verb.Rearm: (Role.Risk,),
    Verb.Acknowledge: (Role.Trader, Role.Risk),
    Verb.Settle: (Role.Trader, Role.Risk),
    Verb.Offboard: (Role.Risk,),
    Verb.GoLive: (Role.Trader, Role.Risk),  # where it counts, a second person with the risk role approves
    Verb.Approve: (Role.Risk,),
    Verb.AcceptKeyRisk: (Role.Risk,),
    Verb.ApproveMandate: (Role.Risk,),
    Verb.SwitchExit: (Role.Trader, Role.Risk),
    Verb.RotateKey: (Role.Trader, Role.Risk),
    Verb.LockVault: (Role.Trader, Role.Risk),
}
_SYSTEM_RISK_VERBS = frozenset({Verb.Halt, Verb.Cancel, Verb.CancelAll})  # it reduces, it never adds


def may(operator: Operator, verb: Verb, account: AccountId | None) -> str | None:
    """Whether `operator` may do `verb` to `account` (None: the whole desk). A re-arm must also pass `may_rearm`."""
    if operator.name == SYSTEM_RISK.name:
        return None if verb in _SYSTEM_RISK_VERBS else f"{operator.name} may only halt and cancel, not {verb}"
    needed = _ROLES[verb]
    if not operator.roles.intersection(needed):
        has = ", ".join(sorted(operator.roles)) or "no role"
        wanted = " or ".join(needed)
        return f"{operator.name} ({has}) may not {verb}: that takes the role {wanted}"
    if not operator.has(account):
        theirs = ", ".join(sorted(operator.accounts)) or "none"
        what = f"account {account}" if account is not None else "the whole desk"
        return f"{operator.name} may not {verb} on {what}; their accounts: {theirs}"
    return None


def may_rearm(operator: Operator, account: AccountId | None, *, halted_by: OperatorId, reason: str) -> str | None:
    """Whether `operator` may lift the halt of `account` (None: of the whole desk) that `halted_by` raised.

    It takes the risk role and a reason, and nobody lifts a halt raised for a breach of their own. A breach is a halt
    that no person set (`halted_by` starts with "system:"), and it is the own breach of everybody who trades the
    account. A halt set by hand accuses nobody: whoever has the risk role may lift it, who set it and who trades
    there included, so a desk of one person is not locked for ever by its own halt key.
    """
    refused = may(operator, Verb.Rearm, account)
    if refused is not None:
        return refused
    if not reason.strip():
        return "a re-arm needs a reason; it is kept in the audit trail"
    if halted_by.startswith(SYSTEM_PREFIX) and Role.Trader in operator.roles:
        where = account if account is not None else "the desk"
        return f"{operator.name} trades {where} and may not re-arm a breach of their own; another risk manager must"
    return None


def may_approve(
    operator: Operator, account: AccountId | None, *, asked_by: OperatorId, is_about_a_breach: bool
) -> str | None:
    """Whether `operator` may be the second person of what `asked_by` asked for on `account` (None: the whole desk).

    It takes the risk role, never the one who asked, and of a breach never somebody who trades the account.
    """
    refused = may(operator, Verb.Approve, account)
    if refused is not None:
        return refused
    if operator.name == asked_by:
        return f"{operator.name} asked for this; somebody else with the role risk must approve it"
    if is_about_a_breach and Role.Trader in operator.roles:
        where = account if account is not None else "the desk"
        return (
            f"{operator.name} trades {where} and may not approve the end of a breach there; another risk manager must"
        )
    return None


def operator_for(name: str | None, peer_uid: int, operators: Iterable[Operator], *, desk_uid: int) -> Operator | str:
    """Who acts when a process of user `peer_uid` connects as `name`, or the sentence saying why nobody does.

    Without a name it is the one operator whose uid is the peer's. An operator with a uid answers to that user alone,
    one without to `desk_uid`, the user the desk runs as. Passphrases come on top of this.
    """
    known = {operator.name: operator for operator in operators}
    if name is None:
        return _operator_of(peer_uid, known)
    found = known.get(OperatorId(name))
    if found is None:
        near = get_close_matches(name, known, n=1)
        hint = f"did you mean {near[0]}?" if near else f"known: {', '.join(sorted(known)) or 'none'}"
        return f"--operator {clean(name, 40)}: no such operator in desk.toml; {hint}"
    if found.uid is not None and found.uid != peer_uid:
        return f"--operator {name}: belongs to user id {found.uid}, and you are {peer_uid}; act under your own name"
    if found.uid is None and peer_uid != desk_uid:
        return f"--operator {name}: has no uid in desk.toml, so it answers only to user id {desk_uid}, and you are {peer_uid}"
    return found


def peers(operators: Iterable[Operator], desk_uid: int) -> frozenset[int]:
    """The machine's users who have any business at the control socket."""
    return frozenset({desk_uid, *(operator.uid for operator in operators if operator.uid is not None)})


def _operator_of(peer_uid: int, known: dict[OperatorId, Operator]) -> Operator | str:
    mine = [operator for operator in known.values() if operator.uid == peer_uid]
    if len(mine) == 1:
        return mine[0]
    if mine:
        return f"user id {peer_uid} is {', '.join(sorted(o.name for o in mine))}: say which with --operator NAME"
    return (
        f"no operator in desk.toml has uid = {peer_uid}; "
        f"set it for yours, or say --operator NAME (known: {', '.join(sorted(known)) or 'none'})"
    )
