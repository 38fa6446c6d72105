"""Clocks that are off, step or stand still: what is refused stays refused, what was queued is judged anew."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from budget_desk import SECOND_NS, SteppedClock, desk_on, exchange, seen
from faulty_desk import ACME, FaultyDesk
from scripted_account import Heard, ScriptedVenue, a_worker, an_intent

from tradedesk.accounts import looking
from tradedesk.accounts import worker as worker_module
from tradedesk.accounts.worker import Worker
from tradedesk.domain import events as ev
from tradedesk.domain.accounts import AccountState
from tradedesk.domain.instruments import FeedState
from tradedesk.domain.orders import OrderState, OrdStatus, RequestState
from tradedesk.domain.words import ClientOrderId, Side
from tradedesk.journal.memory import MemoryJournal

HOUR_NS = 3_600 * SECOND_NS


def placed(found: FaultyDesk) -> ClientOrderId:
    return found.place(Side.Buy, "0.001", found.bid() * 98 // 100)


def test_F57_a_venue_whose_clock_is_off_refuses_once_and_is_measured_before_the_next(tmp_path: Path) -> None:
    with exchange(tmp_path, accounts=1) as (home, paper), desk_on(home, paper) as found:
        refused = []
        for seconds in (2, -2, 30, -30):
            paper.fault("skew", seconds=seconds)
            first = placed(found)
            found.until_order(first, OrderState.New, OrderState.Rejected)
            if found.is_order(first, OrderState.Rejected):
                refused.append(first)
            found.until_order(placed(found), OrderState.New)
            paper.end_faults()
            found.until_order(placed(found), OrderState.New, OrderState.Rejected)
            found.until_order(placed(found), OrderState.New)
        assert len(refused) >= 3  # two seconds behind is within the receive window
        rows = [row for row in seen(paper) if row["client_order_id"] in refused and row["method"] == "POST"]
        assert [row["client_order_id"] for row in rows] == refused  # once each: the refusal stands
        assert {row["code"] for row in rows} == {-1021}


def test_F58_a_step_of_our_wall_clock_changes_no_stamp_and_no_duration(tmp_path: Path) -> None:
    clock = SteppedClock()
    with exchange(tmp_path, accounts=1) as (home, paper), desk_on(home, paper, clock) as found:
        mark = found.mark()
        for clock.step_ns in (HOUR_NS, -HOUR_NS, 0):
            key = placed(found)
            found.until_order(key, OrderState.New)
            found.cancel(key)
        found.poll()
        assert [event.state for event in found.since(mark, ev.AccountChanged)] == []
        assert found.states(mark) == []
        assert not [row for row in seen(paper) if row["code"] == -1021]


def test_F59_after_a_standstill_everything_is_stale_and_compared_before_it_trades(tmp_path: Path) -> None:
    clock = SteppedClock()
    with exchange(tmp_path, accounts=1) as (home, paper), desk_on(home, paper, clock) as found:
        key = placed(found)
        found.until_order(key, OrderState.New)
        mark = found.mark()
        clock.leap_ns = 60 * SECOND_NS
        found.until(lambda: AccountState.Reconciling in accounts(found, mark), "the account is compared anew")
        found.until(lambda: FeedState.Disconnected in found.states(mark), "no price is believed")
        found.until(found.is_well, "all is well again")
        assert "the desk stood still for 60 s" in " ".join(each.reason for each in found.since(mark, ev.AccountChanged))
        assert not [each for each in found.since(mark, ev.AlertRaised) if each.alert.rule == "worker"]
        found.cancel(key)


def accounts(found: FaultyDesk, mark: int) -> list[AccountState]:
    return [each.state for each in found.since(mark, ev.AccountChanged) if each.account == ACME]


# ---- what was queued in one account ------------------------------------------------------------------------------------


class Stopped:
    """A worker on a scripted venue, whose disk and clock a test holds."""

    def __init__(self) -> None:
        self.venue, self.heard, self.journal, self.clock = ScriptedVenue(), Heard(), MemoryJournal(), SteppedClock()
        self.worker: Worker = a_worker(self.venue, self.heard, store=self.journal)
        self.worker._clock = self.clock

    def is_ready_again(self) -> bool:
        states = self.heard.states()
        return states.count(AccountState.Ready) == 2 and states[-1] is AccountState.Ready


@pytest.fixture
def stopped(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stopped]:
    monkeypatch.setattr(worker_module, "AGAIN_S", (0.01,))
    monkeypatch.setattr(worker_module, "STOP_GRACE_S", 0.1)
    monkeypatch.setattr(looking, "MARKS_WAIT_S", 0.05)
    found = Stopped()
    found.worker.start()
    assert found.heard.until(lambda: AccountState.Ready in found.heard.states())
    yield found
    found.worker.stop()


@pytest.mark.parametrize("is_first", [lambda found: found.journal.sync(), lambda found: found.worker._wake()])
def test_F59_an_order_that_waited_through_a_standstill_does_not_leave(
    stopped: Stopped, is_first: Callable[[Stopped], object]
) -> None:
    """Whoever runs first after it: the task that sends, or the loop's own beat."""
    assert stopped.worker.post(an_intent("c1"))
    assert stopped.heard.until(lambda: stopped.heard.order("c1"))
    stopped.clock.leap_ns = 30 * SECOND_NS  # its deadline is a minute away
    is_first(stopped)
    stopped.journal.sync()
    assert stopped.heard.until(lambda: stopped.heard.request("c1") is RequestState.Denied)
    assert "place c1" not in stopped.venue.calls
    order = stopped.heard.order("c1")
    assert order is not None
    assert order.reasons == ("the account is Reconciling (private stream: the desk stood still for 30 s)",)
    stopped.journal.sync()
    assert stopped.heard.until(stopped.is_ready_again)
    assert stopped.worker.post(an_intent("c2"))
    assert stopped.heard.until(lambda: stopped.heard.order("c2"))
    stopped.journal.sync()
    assert stopped.heard.until(lambda: stopped.heard.is_order("c2", OrdStatus.New))


def test_F59_a_command_given_before_it_is_judged_by_what_is_known_after_it(stopped: Stopped) -> None:
    stopped.clock.leap_ns = 30 * SECOND_NS
    assert stopped.worker.post(an_intent("c1"))
    assert stopped.heard.until(lambda: stopped.heard.request("c1") is RequestState.Denied)
    assert "place c1" not in stopped.venue.calls
    order = stopped.heard.order("c1")
    assert order is not None
    assert "is Reconciling (private stream: the desk stood still for 30 s)" in order.reasons[0]
