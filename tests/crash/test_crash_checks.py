"""The judges of the crash test find what they are there to find."""

from pathlib import Path

import msgspec
import pytest
from builders import NOW, a_fill, a_request, an_order, placed
from crash_checks import Told, after_a_kill, after_a_start, told, when_quiet
from scripted_account import client

from tradedesk.clock import SystemClock
from tradedesk.domain import events as ev
from tradedesk.domain.orders import OrdStatus, RequestState
from tradedesk.domain.words import ClientOrderId
from tradedesk.journal.sqlite import SqliteJournal
from tradedesk.views.replica import Replica

C1 = ClientOrderId("c1")


def told_of(*events: ev.Event, twice: tuple[str, ...] = ()) -> Told:
    replica = Replica(is_whole=True)
    for event in events:
        replica.apply(event)
    return Told(len(events), replica, list(twice))


def of_status(status: OrdStatus, request: RequestState = RequestState.Denied) -> ev.OrderPlaced:
    requests = (a_request(state=request),)
    return ev.OrderPlaced(at=NOW, source="worker:acme", order=an_order(status, requests=requests))


def test_an_order_recorded_asked_for_and_sent_once_is_as_it_must_be() -> None:
    assert after_a_kill(told_of(placed()), {C1: 1}, [C1]) == []
    assert after_a_kill(told_of(placed()), {}, [C1]) == []  # it had not left yet


@pytest.mark.parametrize(
    ("events", "sent", "asked", "says"),
    [
        ([placed()], {C1: 2}, [C1], "sent 2 times"),
        ([], {C1: 1}, [C1], "not in the journal"),
        ([placed()], {C1: 1}, [], "nobody asked"),
        ([of_status(OrdStatus.Denied)], {C1: 1}, [C1], "was denied and was sent"),
    ],
)
def test_an_order_doubled_unrecorded_invented_or_denied_and_sent_is_found(
    events: list[ev.Event], sent: dict[str, int], asked: list[ClientOrderId], says: str
) -> None:
    found = after_a_kill(told_of(*events), sent, asked)
    assert any(says in each for each in found), found


def test_a_fill_recorded_twice_is_found(tmp_path: Path) -> None:
    journal = SqliteJournal(tmp_path / "journal.sqlite", clock=SystemClock(), on_failure=print)
    journal.open()
    fill = ev.OrderFilled(at=NOW, source="worker:acme", fill=a_fill())
    for event in (placed(), fill, fill):
        journal.append(event)
    journal.close()
    assert "twice" in after_a_kill(told(journal.path), {C1: 1}, [C1])[0]


def test_what_was_pending_and_is_shown_as_pending_after_a_start_is_found() -> None:
    before = told_of(placed())
    live = Replica()
    live.apply(placed())
    assert len(after_a_start(before, live)) == 1
    live.orders[C1] = msgspec.structs.replace(live.orders[C1], requests=(a_request(state=RequestState.Unknown),))
    assert after_a_start(before, live) == []


@pytest.mark.parametrize(
    ("status", "request_", "says"),
    [
        (OrdStatus.NeverArrived, RequestState.NeverArrived, "is NeverArrived here and is at the exchange"),
        (OrdStatus.New, RequestState.Unknown, "is still Unknown"),
        (OrdStatus.Canceled, RequestState.Acknowledged, "is Canceled here and New there"),
    ],
)
def test_an_order_that_is_another_at_the_exchange_or_still_in_doubt_is_found(
    status: OrdStatus, request_: RequestState, says: str
) -> None:
    row = {"clientOrderId": "c1", "status": "NEW", "executedQty": "0"}
    books = {"acme": {"orders": [row], "trades": [], "balances": []}}
    listed = ev.AccountListed(at=NOW, source="desk", account=client("acme"))

    def found(order: ev.OrderPlaced) -> list[str]:
        live = Replica()
        live.apply(listed)
        live.apply(order)
        return when_quiet(live, told_of(order), books, {C1: 1})

    wrong = found(of_status(status, request_))
    assert any(says in each for each in wrong), wrong
    assert found(of_status(OrdStatus.New, RequestState.Acknowledged)) == []
