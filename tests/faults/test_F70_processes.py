"""F70, F71, F74: a loop that is blocked, one that leaks, commands that come twice or late: on a whole desk whose venues are scripted."""

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from scripted_account import an_intent
from scripted_desk import Caller, Running, an_order_of, running

from tradedesk.accounts import load
from tradedesk.accounts import worker as worker_module
from tradedesk.domain import events as ev
from tradedesk.domain.accounts import HaltLevel
from tradedesk.domain.commands import CancelOrder, Command, HaltTrading, Submitted
from tradedesk.domain.orders import OrderState, RequestKind, RequestState, state
from tradedesk.domain.words import AccountId, ClientOrderId, OperatorId

ACME, BIRCH = AccountId("acme"), AccountId("birch")
ME = OperatorId("me")
SECOND = 10**9


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Running]:
    monkeypatch.setattr(worker_module, "STOP_GRACE_S", 0.1)
    with running(tmp_path) as found:
        yield found


def submit(desk: Running, command: Command) -> None:
    reply = desk.desk.control(desk.desk.operators[ME]).submit(command)
    assert isinstance(reply, Submitted), reply


def is_order(desk: Running, key: str, *wanted: OrderState) -> bool:
    order = desk.view.replica.orders.get(ClientOrderId(key))
    return order is not None and state(order) in wanted


def alerts(desk: Running) -> list[str]:
    return [
        f"{event.alert.account}: {event.alert.text}" for event in desk.events() if isinstance(event, ev.AlertRaised)
    ]


def test_F70_an_account_whose_loop_is_blocked_is_named_and_a_halt_takes_hold_all_the_same(desk: Running) -> None:
    """5.5, 5.8"""
    venue = desk.venues["acme"]
    venue.blocks = threading.Event()
    try:
        submit(desk, an_intent("hangs"))
        assert venue.was_called("place hangs")
        submit(desk, an_intent("behind"))
        submit(desk, HaltTrading(account=ACME, level=HaltLevel.CancelAll, reason="fire", operator=ME))
        assert desk.until(lambda: desk.desk.latch.read(ACME))  # on disk, read before each send
        assert desk.until(lambda: ACME in desk.view.replica.halts)
        submit(desk, an_intent("other", account="birch"))
        assert desk.until(lambda: is_order(desk, "other", OrderState.New))
        assert desk.until(lambda: any("acme" in alert and "no sign of life" in alert for alert in alerts(desk))), (
            alerts(desk)
        )
    finally:
        venue.blocks.set()
    assert desk.until(lambda: is_order(desk, "behind", OrderState.Denied))  # by the worker in its place
    assert "place behind" not in venue.calls
    assert venue.calls.count("place hangs") == 1
    order = desk.view.replica.orders[ClientOrderId("hangs")]
    decided = [
        event.state for event in desk.events() if isinstance(event, ev.RequestDecided) and event.request_id == "hangs"
    ]
    assert decided[0] is RequestState.Unknown  # its bytes had left: nothing else was proved, until the venue was asked
    assert set(decided[1:]) <= {RequestState.Acknowledged}
    assert any(request.kind is RequestKind.Cancel for request in order.requests)  # and the halt cancels it meanwhile


def test_F71_an_account_that_leaks_is_replaced_and_the_others_do_not_notice(
    desk: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    """5.8: a thousand tasks that nobody ends, as a library might leave them behind."""
    monkeypatch.setattr(load, "TASKS", 500)
    submit(desk, an_intent("before"))
    assert desk.until(lambda: is_order(desk, "before", OrderState.New))
    worker, others = (desk.desk._workers[name]._worker for name in (ACME, BIRCH))
    loop, left = worker._loop, list[object]()
    assert loop is not None
    loop.call_soon_threadsafe(lambda: left.extend(loop.create_task(asyncio.sleep(1_000)) for _ in range(1_000)))
    assert desk.until(lambda: any("acme" in alert and "tasks under way" in alert for alert in alerts(desk))), alerts(
        desk
    )
    assert desk.until(desk.are_ready)
    submit(desk, an_intent("after"))
    assert desk.until(lambda: is_order(desk, "after", OrderState.New))
    assert is_order(desk, "before", OrderState.New)  # known from the journal, and sent once
    assert desk.venues["acme"].calls.count("place before") == 1
    assert desk.desk._workers[ACME]._worker is not worker
    assert desk.desk._workers[BIRCH]._worker is others


def test_F74_a_command_that_is_delivered_again_is_applied_once(desk: Running) -> None:
    """5.2: by whichever connection it comes, and after the order has ended too."""
    first, second = Caller(desk.desk.home.control_socket), Caller(desk.desk.home.control_socket)
    for caller in (first, second):
        caller.ask({"type": "hello", "operator": None})
    order = an_order_of(key="c1")
    assert first.ask(order)["type"] == "Submitted"
    assert desk.until(lambda: is_order(desk, "c1", OrderState.New))
    for caller in (first, second, first):
        caller.ask(order)
    submit(desk, CancelOrder(account=ACME, client_order_id=ClientOrderId("c1"), operator=ME))
    assert desk.until(lambda: is_order(desk, "c1", OrderState.Canceled))
    second.ask(order)
    submit(desk, an_intent("after"))  # behind all of them in the mailbox
    assert desk.until(lambda: is_order(desk, "after", OrderState.New))
    assert is_order(desk, "c1", OrderState.Canceled)
    assert desk.venues["acme"].calls.count("place c1") == 1
    refused = [event for event in desk.events() if isinstance(event, ev.SubmissionRefused) and event.what == "c1"]
    assert len(refused) == 4
    first.close()
    second.close()


def test_F74_a_command_that_comes_thirty_seconds_late_is_not_sent(desk: Running) -> None:
    """F49: its deadline travels with it."""
    caller = Caller(desk.desk.home.control_socket)
    caller.ask({"type": "hello", "operator": None})
    order = an_order_of(key="late")
    order["command"]["deadline"] -= 90 * SECOND  # made a minute and a half ago, good for a minute
    caller.ask(order)
    assert desk.until(lambda: is_order(desk, "late", OrderState.Denied))
    (request,) = desk.view.replica.orders[ClientOrderId("late")].requests
    assert "deadline" in " ".join(request.reasons)
    submit(desk, an_intent("after"))
    assert desk.until(lambda: is_order(desk, "after", OrderState.New))
    assert "place late" not in desk.venues["acme"].calls
    caller.close()


def test_F74_a_cancel_that_overtakes_its_order_is_said_to_have_found_nothing(desk: Running) -> None:
    submit(desk, CancelOrder(account=ACME, client_order_id=ClientOrderId("c1"), operator=ME))
    assert desk.until(
        lambda: any(isinstance(event, ev.SubmissionRefused) and event.what == "c1" for event in desk.events())
    )
    submit(desk, an_intent("c1"))
    assert desk.until(lambda: is_order(desk, "c1", OrderState.New))  # and it stands on every screen
