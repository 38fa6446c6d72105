"""The audit of access: everything an operator did or was refused is told, each under their name."""

from datetime import date

import msgspec
import pytest
from builders import NOW, a_request, an_order

from tradedesk.domain import events as ev
from tradedesk.domain.accounts import HaltLevel
from tradedesk.domain.mandate import ApprovedMandate, Mandate
from tradedesk.domain.orders import RequestKind
from tradedesk.domain.receipts import KillReceipt
from tradedesk.domain.words import AccountId, ClientOrderId, OperatorId
from tradedesk.journal.access import Step, steps

ANN, ACME, C1 = OperatorId("desk1"), AccountId("acme"), ClientOrderId("c1")
AT = {"at": NOW, "source": "desk"}


def told(event: ev.DurableEvent) -> list[Step]:
    return list(steps([(7, event)]))


HAPPENED: dict[str, tuple[ev.DurableEvent, str, str]] = {  # event -> what is told, and a word of it
    "login": (ev.OperatorAttached(**AT, operator=ANN, uid=1000, unrecorded=2), "login", "2 times before"),
    "left": (ev.OperatorLeft(**AT, operator=ANN, uid=1000), "left", "user id 1000"),
    "turned away": (ev.LoginRefused(**AT, operator=ANN, uid=1000, why="wrong"), "login refused", "wrong"),
    "refused": (
        ev.CommandRefused(**AT, operator=ANN, command="Rearm", account=ACME, why="no role"),
        "refused",
        "Rearm",
    ),
    "order": (ev.OrderPlaced(**AT, order=an_order()), "command", "PlaceOrder c1"),
    "cancel": (
        ev.RequestMade(**AT, account=ACME, client_order_id=C1, request=a_request(RequestKind.Cancel)),
        "command",
        "CancelOrder c1",
    ),
    "amend": (
        ev.RequestMade(**AT, account=ACME, client_order_id=C1, request=a_request(RequestKind.Replace)),
        "command",
        "AmendOrder c1",
    ),
    "halt": (ev.HaltSet(**AT, account=ACME, level=HaltLevel.CancelAll, by=ANN, reason="fire"), "command", "fire"),
    "rearm": (ev.Rearmed(**AT, account=ACME, by=ANN, reason="out"), "command", "out"),
    "ack": (ev.AlertAcknowledged(**AT, key="drawdown:acme", by=ANN, note="seen"), "command", "drawdown:acme"),
    "snooze": (ev.AlertSnoozed(**AT, key="drawdown:acme", by=ANN, until=NOW, note="n"), "command", "drawdown:acme"),
    "asked": (
        ev.ApprovalAsked(
            **AT, id="7kq2x", kind="live", account=ACME, by=ANN, what="w", command="{}", about="", expires_at=1
        ),
        "command",
        "7kq2x",
    ),
    "approved": (
        ev.ApprovalGiven(**AT, id="7kq2x", kind="live", account=ACME, asked_by=OperatorId("ben"), by=ANN, note="n"),
        "command",
        "asked by ben",
    ),
    "mandate": (
        ev.MandateApproved(
            **AT,
            account=ACME,
            approved=ApprovedMandate(
                mandate=Mandate(version=3, valid_from=date(2026, 1, 1), products=()), by=ANN, reason="signed", at=NOW
            ),
        ),
        "command",
        "ApproveMandate 3: signed",
    ),
    "exit": (ev.ExitSwitched(**AT, account=ACME, exit="10.0.0.4", by=ANN, reason="r"), "command", "10.0.0.4"),
    "limits": (
        ev.LimitsSet(
            **AT,
            account=ACME,
            group=None,
            instrument=None,
            figure="max_open_orders",
            value="9",
            before=None,
            by=ANN,
            reason="r",
        ),
        "command",
        "SetLimits max_open_orders 9",
    ),
    "kill": (
        ev.KillRecorded(
            **AT,
            receipt=KillReceipt(
                id="k1", desk="d", by=ANN, reason="r", level=HaltLevel.CancelAll, started_at=1, took_ms=1, accounts=()
            ),
        ),
        "command",
        "kill k1",
    ),
}


@pytest.mark.parametrize("name", HAPPENED)
def test_what_an_operator_did_is_told_under_their_name(name: str) -> None:
    event, what, word = HAPPENED[name]
    [step] = told(event)
    assert (step.record, step.operator, step.what) == (7, "desk1", what)
    assert word in step.detail


def test_what_nobody_asked_for_is_left_out() -> None:
    external = msgspec.structs.replace(an_order(), is_external=True)
    assert told(ev.OrderPlaced(**AT, order=external)) == []
    assert told(ev.AlertEnded(**AT, key="x")) == []


def test_every_event_that_names_who_did_it_is_told() -> None:
    """A new durable event with `by` or `operator` is part of the audit, or is named here as told by another one."""
    names_somebody = {
        kind
        for kind in ev.DURABLE
        if {"by", "operator"} & set(kind.__struct_fields__)  # type: ignore[attr-defined]
    }
    with_another = {ev.LiveApproved}  # its ApprovalAsked and ApprovalGiven
    for kind in names_somebody - with_another:
        fields = {name: _any(name) for name in kind.__struct_fields__}  # type: ignore[attr-defined]
        assert told(kind(**fields)), kind.__name__


def _any(name: str) -> object:
    return {"by": ANN, "operator": ANN, "at": NOW, "account": ACME, "until": NOW}.get(name, "x")
