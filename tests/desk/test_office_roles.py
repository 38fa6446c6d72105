"""Every command tried by every role, on an account of theirs, on another's and on the whole desk, through the socket.

A new command without a row here fails the first test.
"""

import time
from collections.abc import Callable, Iterator
from itertools import product
from typing import Any

import pytest
from msgspec import Struct
from scripted_desk import Caller, Running, an_order_of, operated_by, running

from tradedesk.desk.approvals import Question
from tradedesk.desk.office import VERBS
from tradedesk.domain import commands as cmd
from tradedesk.domain import events as ev
from tradedesk.domain.accounts import HaltLevel
from tradedesk.domain.alerts import Alert, Severity
from tradedesk.domain.words import AccountId, OperatorId

ROLES = ("", "support", "trader", "risk", "trader risk")
ANY_SCOPE = ("acme", "birch", None)  # theirs, another's, the whole desk
EVERY_ROLE = {"trader", "risk"}


def name_of(roles: str, accounts: str) -> str:
    return f"{'-'.join(roles.split()) or 'none'}-{'all' if accounts == '*' else accounts}"


OPERATORS = {
    name_of(roles, accounts): (roles or "support", accounts, None) for roles in ROLES for accounts in ("acme", "*")
}


class Row(Struct, frozen=True):
    """One kind of command: who may, how it is written for a scope, and which scopes it can have."""

    may: set[str]
    written: Callable[["Bench", str | None], dict[str, Any]]
    scopes: tuple[str | None, ...] = ("acme", "birch")


class Bench:
    """A desk with an operator of every role, each on a connection of its own."""

    def __init__(self, desk: Running) -> None:
        self.desk = desk
        self._callers: dict[str, Caller] = {}
        self._number = 0

    def caller(self, name: str) -> Caller:
        if name not in self._callers:
            made = self._callers[name] = Caller(self.desk.desk.home.control_socket)
            assert made.ask({"type": "hello", "operator": name})["type"] == "welcome"
        return self._callers[name]

    def close(self) -> None:
        for caller in self._callers.values():
            caller.close()

    def key(self) -> str:
        self._number += 1
        return f"r{self._number}"

    def approval(self, account: str | None) -> str:
        """Something that waits, asked by none of the operators here."""
        question = Question(
            kind="raise-limits", account=None if account is None else AccountId(account), what="?", about=self.key()
        )
        asker = OperatorId(f"asker{self._number}")
        asked = self.desk.desk._approvals.ask(asker, cmd.Reconcile(account=AccountId("acme"), operator=asker), question)
        assert isinstance(asked, ev.ApprovalAsked)
        return asked.id

    def alert(self, account: str | None) -> str:
        key = f"drawdown:{account}"
        found = None if account is None else AccountId(account)
        alert = Alert(key=key, rule="drawdown", severity=Severity.Warning, account=found, text="down", at=1)
        self.desk.desk.emit(ev.AlertRaised(at=1, source="system:risk", alert=alert))
        assert self.desk.until(lambda: key in self.desk.view.replica.alerts)
        return key

    def halted(self, account: str | None) -> None:
        scope = None if account is None else AccountId(account)
        office = self.desk.desk.office
        if self.desk.desk.latch.own(scope) is None:
            office._halting.stop(
                cmd.HaltTrading(account=scope, level=HaltLevel.BlockNew, reason="x", operator=OperatorId("hand"))
            )
        assert self.desk.until(lambda: self.desk.desk.latch.own(scope) is not None)

    def refusals(self) -> list[ev.CommandRefused]:
        """Those recorded up to now: a command's is out before its reply is."""
        hub = self.desk.desk._hub
        assert self.desk.until(lambda: len(hub._inbox) == 0 and self.desk.view.number == hub.number)
        return [event for event in self.desk.events() if isinstance(event, ev.CommandRefused)]


def about(kind: str, **fields: Any) -> Callable[[Bench, str | None], dict[str, Any]]:
    """A command that is about one account and always about one."""
    return lambda bench, scope: {"type": kind, "account": scope, "operator": "", **fields}


def placing(bench: Bench, scope: str | None) -> dict[str, Any]:
    return dict(an_order_of(scope or "", bench.key())["command"])


def amending(bench: Bench, scope: str | None) -> dict[str, Any]:
    order = placing(bench, scope)
    kept = {key: order[key] for key in ("account", "client_order_id", "order_qty", "price", "operator", "deadline")}
    return {"type": "AmendOrder", "new_client_order_id": bench.key(), **kept}


def halting(bench: Bench, scope: str | None) -> dict[str, Any]:
    return {"type": "Halt", "account": scope, "level": "flatten", "reason": "drill", "operator": ""}


def rearming(bench: Bench, scope: str | None) -> dict[str, Any]:
    bench.halted(scope)
    return {"type": "Rearm", "account": scope, "reason": "over", "operator": ""}


def acknowledging(bench: Bench, scope: str | None) -> dict[str, Any]:
    return {"type": "AcknowledgeAlert", "key": bench.alert(scope), "operator": ""}


def snoozing(bench: Bench, scope: str | None) -> dict[str, Any]:
    return {"type": "SnoozeAlert", "key": bench.alert(scope), "until": time.time_ns() + 60 * 10**9, "operator": ""}


def approving(bench: Bench, scope: str | None) -> dict[str, Any]:
    return {"type": "Approve", "id": bench.approval(scope), "operator": ""}


COMMANDS: dict[type, Row] = {
    cmd.PlaceOrder: Row({"trader"}, placing),
    cmd.AmendOrder: Row({"trader"}, amending),
    cmd.CancelOrder: Row({"trader"}, about("CancelOrder", client_order_id="r1")),
    cmd.CancelAll: Row({"trader"}, about("CancelAll")),
    cmd.HaltTrading: Row(EVERY_ROLE, halting, ANY_SCOPE),
    cmd.Rearm: Row({"risk"}, rearming, ANY_SCOPE),
    cmd.AcknowledgeAlert: Row(EVERY_ROLE, acknowledging),
    cmd.SnoozeAlert: Row(EVERY_ROLE, snoozing),
    cmd.Reconcile: Row({"trader"}, about("Reconcile")),
    cmd.Settle: Row(EVERY_ROLE, about("Settle", key="balance:BTC", note="dust")),
    cmd.GoLive: Row(EVERY_ROLE, about("GoLive", reason="mandate")),
    cmd.Approve: Row({"risk"}, approving, ANY_SCOPE),
    cmd.AcceptKeyRisk: Row({"risk"}, about("AcceptKeyRisk", fingerprint="f", reason="r")),
    cmd.ApproveMandate: Row({"risk"}, about("ApproveMandate", version=1, reason="r")),
    cmd.SwitchExit: Row(EVERY_ROLE, about("SwitchExit", reason="r")),
    cmd.RotateKey: Row(EVERY_ROLE, about("RotateKey")),
    cmd.LockVault: Row(EVERY_ROLE, lambda bench, scope: {"type": "LockVault", "operator": ""}, (None,)),
    cmd.SetLimits: Row({"risk"}, about("SetLimits", figure="max_open_orders", value="40", reason="r"), ANY_SCOPE),
    cmd.Offboard: Row({"risk"}, about("Offboard", reason="r")),
}


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tradedesk.desk.trail.A_MINUTE", 10_000)  # here every refusal is looked for
        with running(tmp_path_factory.mktemp("desk"), change=operated_by(OPERATORS)) as desk:
            made = Bench(desk)
            yield made
            made.close()


def test_every_command_there_is_has_a_row_here_and_a_verb_in_the_office() -> None:
    assert set(COMMANDS) == set(cmd.Command.__args__)  # type: ignore[attr-defined]
    assert set(VERBS) == set(COMMANDS)


CELLS = [(kind, scope) for kind, row in COMMANDS.items() for scope in row.scopes]


@pytest.mark.parametrize(("kind", "scope"), CELLS, ids=lambda part: getattr(part, "__name__", part or "desk"))
def test_a_command_is_let_through_for_the_roles_and_accounts_it_takes_and_refused_and_recorded_otherwise(
    bench: Bench, kind: type, scope: str | None
) -> None:
    row = COMMANDS[kind]
    for roles, accounts in product(ROLES, ("acme", "*")):
        is_theirs = accounts in ("*", scope)
        is_allowed = is_theirs and bool(row.may & set(roles.split()))
        name = name_of(roles, accounts)
        command = row.written(bench, scope)
        before = len(bench.refusals())
        reply = bench.caller(name).ask({"type": "submit", "command": command})
        assert reply["type"] in ("Submitted", "Refused"), (name, reply)
        refused = bench.refusals()[before:]
        assert [(event.operator, event.command) for event in refused] == (
            [] if is_allowed else [(name, kind.__name__)]
        ), (name, reply)
        if not is_allowed:
            assert reply["type"] == "Refused", (name, reply)
            assert reply["reason"] == refused[0].why


@pytest.mark.parametrize("roles", ROLES, ids=lambda roles: roles or "none")
def test_a_cancel_of_everything_reaches_the_accounts_of_the_operator_and_no_other(bench: Bench, roles: str) -> None:
    command = {"type": "submit", "command": {"type": "CancelAll", "account": None, "operator": ""}}
    reply = bench.caller(name_of(roles, "acme")).ask(command)
    if "trader" in roles:
        assert reply["accounts"] == ["acme"]
    else:
        assert (reply["type"], "to cancel on" in reply["reason"]) == ("Refused", True)


@pytest.mark.parametrize(("roles", "scope"), product(ROLES, ("acme", "birch")))
def test_a_preview_takes_one_who_trades_or_watches_the_account(bench: Bench, roles: str, scope: str) -> None:
    key = bench.key()
    asked = {"type": "preview", "command": placing(bench, scope), "request_id": key}
    assert bench.caller(name_of(roles, "acme")).ask(asked)["type"] == "noted"
    assert bench.desk.until(lambda: key in bench.desk.view.previews)
    denials = next(made.verdict.denials for id, made in bench.desk.view.previews.items() if id == key)
    is_allowed = roles not in ("", "support") and scope == "acme"
    assert any("may not check" in denial for denial in denials) is not is_allowed
