"""A balance that nothing explains, on a whole desk: told by `tradedesk worklist`, no new risk, settled by its operator."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from scripted_account import an_intent
from scripted_desk import Running, running
from typer.testing import CliRunner

from tradedesk.cli import app
from tradedesk.domain import events as ev
from tradedesk.domain.commands import NotSubmitted, Reconcile, Settle
from tradedesk.domain.orders import RequestState
from tradedesk.domain.words import AccountId, ClientOrderId, OperatorId

ACME = AccountId("acme")
ME = OperatorId("me")


def said(folder: Path, *words: str) -> Result:
    return CliRunner().invoke(app, ["worklist", *words], env={"TRADEDESK_HOME": str(folder)})


def items(folder: Path) -> list[dict[str, Any]]:
    result = said(folder, "--json")
    assert result.exit_code == 0, result.output
    return list(json.loads(result.stdout)["items"])


def look(desk: Running) -> None:
    """Compare acme with its venue until the account says what it found."""
    desk.desk.control(desk.desk.operators[ME]).submit(Reconcile(account=ACME, operator=ME))


def waits(desk: Running) -> bool:
    return any(item.needs_decision for item in desk.view.replica.accounts[ACME].worklist)


def request_of(desk: Running, key: str) -> Any:
    order = desk.view.replica.orders.get(ClientOrderId(key))
    return None if order is None else order.requests[0]


def place(desk: Running, key: str) -> None:
    desk.desk.control(desk.desk.operators[ME]).submit(an_intent(key))


@pytest.fixture
def differing(tmp_path: Path) -> Any:
    """A desk whose acme holds half a bitcoin more than its fills and the venue's ledger explain."""
    with running(tmp_path) as desk:
        desk.venues["acme"].held["BTC"] += Decimal("0.5")
        look(desk)
        assert desk.until(lambda: waits(desk)), desk.view.replica.accounts[ACME]
        yield desk


def test_a_difference_stops_new_risk_until_it_is_settled_by_name_and_reason(differing: Running, tmp_path: Path) -> None:
    """5.3, 5.4"""
    (item,) = items(tmp_path)
    assert {**item, "cause": ""} == {
        "account": "acme", "key": "balance:BTC", "ours": "2", "venue": "2.5", "cause": "", "needs_decision": True,
        "repair": "book it as it stands: +0.5 BTC",
    }  # fmt: skip
    place(differing, "before")
    assert differing.until(lambda: request_of(differing, "before") and request_of(differing, "before").reasons)
    denied = request_of(differing, "before")
    assert denied.state is RequestState.Denied
    assert any("tradedesk worklist" in reason for reason in denied.reasons)

    result = said(
        tmp_path, "--account", "acme", "--settle", "balance:BTC", "--note", "dust of the old system", "--json"
    )
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["items"] == []

    place(differing, "after")
    assert differing.venues["acme"].was_called("place after")
    assert "place before" not in differing.venues["acme"].calls
    assert differing.until(lambda: differing.view.replica.ledgers[ACME]["BTC"] == Decimal("2.5"))
    (booked,) = [event for event in differing.events() if isinstance(event, ev.MovementSeen)]
    assert (booked.kind, booked.amount, booked.by, booked.note) == (
        "accepted",
        Decimal("0.5"),
        ME,
        "dust of the old system",
    )
    assert differing.until(lambda: any(isinstance(event, ev.AlertEnded) for event in differing.events()))


def test_what_is_settled_stays_settled_when_the_desk_starts_again(differing: Running, tmp_path: Path) -> None:
    said(tmp_path, "--account", "acme", "--settle", "balance:BTC", "--note", "dust of the old system")
    venues = differing.venues
    differing.desk.stop()
    with running(tmp_path, venues) as again:
        look(again)
        assert again.until(lambda: any(isinstance(event, ev.Reconciled) for event in again.events()))
        assert items(tmp_path) == []
        assert again.view.replica.ledgers[ACME]["BTC"] == Decimal("2.5")


def test_what_waits_goes_on_waiting_when_the_desk_starts_again(differing: Running, tmp_path: Path) -> None:
    """5.1: a restart must not free the account."""
    venues = differing.venues
    differing.desk.stop()
    with running(tmp_path, venues) as again:
        assert [item["key"] for item in items(tmp_path)] == ["balance:BTC"]
        place(again, "later")
        assert again.until(lambda: request_of(again, "later") and request_of(again, "later").reasons)
        assert "place later" not in venues["acme"].calls


def test_half_a_command_settles_nothing_and_neither_do_support_staff(differing: Running, tmp_path: Path) -> None:
    for words, status, says in (
        (("--account", "acme", "--settle", "balance:BTC"), 2, "a --note that says why"),
        (("--settle", "balance:BTC", "--note", "x"), 2, "goes with --account"),
        (("--account", "acme", "--settle", "balance:ETH", "--note", "x"), 1, "does not wait for a decision on acme"),
        (("--account", "birch", "--settle", "balance:BTC", "--note", "x"), 1, "does not wait for a decision on birch"),
    ):
        result = said(tmp_path, *words)
        assert result.exit_code == status, words
        assert says in result.stderr
    helper = differing.desk.operators[OperatorId("help1")]
    command = Settle(account=ACME, key="balance:BTC", note="x", operator=helper.name)
    assert isinstance(differing.desk.control(helper).submit(command), NotSubmitted)
    assert [item["key"] for item in items(tmp_path)] == ["balance:BTC"]  # support may read it
