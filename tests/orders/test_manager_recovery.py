"""After a crash every order is known, and what was pending is in doubt until the venue says (5.1)."""

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from order_builders import (
    WINDOW_S,
    Rig,
    a_cancel,
    a_cancel_all,
    a_fill,
    a_place,
    a_report,
    a_trade,
    a_venue_state,
    absent,
    an_ack,
    an_amend,
    answered,
    both_legs,
    d,
    refused,
    unproven,
)

from tradedesk.domain import events as ev
from tradedesk.domain.accounts import HaltLevel
from tradedesk.domain.orders import OrderState, OrdStatus, RequestKind, RequestState
from tradedesk.domain.outcomes import Acknowledged, NotSent
from tradedesk.domain.words import RequestId, Side
from tradedesk.orders.messages import HaltEnded, HaltNow, Reconciliation, Tick


def test_a_settled_account_is_what_it_was():
    rig = Rig()
    rig.place("c1")
    rig.tell(a_trade(a_fill(qty="0.4"), cum="0.4"))
    again = rig.restarted()
    assert again.manager.books.orders == rig.manager.books.orders
    assert again.manager.books.positions == rig.manager.books.positions
    assert again.manager.books.ledgers == rig.manager.books.ledgers
    assert again.events == []


def test_what_was_pending_is_unknown_and_asked_for_and_never_sent_again():
    rig = Rig()
    rig.tell(a_place())
    again = rig.restarted()
    assert again.state() is OrderState.Unknown
    again.wait(1)
    assert again.asked[0] == "c1"
    again.tell(answered(a_report("c1", OrdStatus.New, cum="0")))
    assert again.state() is OrderState.New
    assert again.sent == []


@pytest.mark.parametrize(("waited_s", "state"), [(WINDOW_S - 1, "Unknown"), (WINDOW_S + 2, "NeverArrived")])
def test_the_doubt_runs_from_the_restart_as_the_bytes_may_have_left_just_before_the_crash(waited_s, state):
    rig = Rig()
    rig.tell(a_place())
    rig.wait(4)
    again = rig.restarted(after_s=0.1)
    again.listen(waited_s, absent)
    assert again.state() == state


def test_an_unknown_order_is_still_unknown_after_a_restart():
    rig = Rig()
    rig.tell(a_place(), unproven())
    again = rig.restarted()
    assert again.state() is OrderState.Unknown
    again.listen(WINDOW_S + 2, absent)
    assert again.state() is OrderState.NeverArrived


def test_an_order_denied_before_the_crash_stays_denied():
    rig = Rig()
    rig.gate_says_no = ("no",)
    rig.tell(a_place())
    again = rig.restarted()
    again.wait(1)
    assert again.state() is OrderState.Denied
    assert again.asked == []


def test_a_cancel_that_was_pending_is_cleared_up_and_sent_again():
    rig = Rig()
    rig.place()
    rig.tell(a_cancel())
    again = rig.restarted()
    assert again.requests(kind=RequestKind.Cancel) == [RequestState.Unknown]
    again.wait(2)
    assert "c1" in again.asked
    assert again.cancels[0].order.client_order_id == "c1"
    report = a_report("c1", OrdStatus.Canceled, cum="0")
    again.tell(Acknowledged(request_id=again.cancels[-1].request_id, report=report))
    assert again.state() is OrderState.Canceled
    assert set(again.requests(kind=RequestKind.Cancel)) == {RequestState.Acknowledged}
    again.wait(3)
    assert not again.tell(Tick())


def test_a_cancel_still_stands_after_a_restart_though_its_last_request_was_answered():
    rig = Rig()
    rig.place()
    rig.tell(a_cancel(), refused("c1#c1", -2011, "Unknown order sent."))
    again = rig.restarted()
    again.wait(0.2)
    assert len(again.cancels) == 1


def test_a_cancel_that_was_pending_on_an_order_that_died_is_over():
    rig = Rig()
    rig.place()
    rig.tell(a_cancel(), a_trade(a_fill(), cum="1", is_last=True))
    again = rig.restarted()
    again.wait(2)
    assert again.state() is OrderState.Filled
    assert again.requests(kind=RequestKind.Cancel) == [RequestState.Refused]
    assert again.asked == []


def test_a_replace_that_was_pending_is_cleared_up_with_its_new_order():
    rig = Rig()
    rig.place()
    rig.tell(an_amend())
    again = rig.restarted()
    assert (again.state("c1"), again.state("c2")) == (OrderState.PendingReplace, OrderState.Unknown)
    again.tell(answered(a_report("c2", OrdStatus.New, cum="0")), answered(a_report("c1", OrdStatus.Canceled, cum="0")))
    assert (again.state("c1"), again.state("c2")) == (OrderState.Canceled, OrderState.New)
    assert again.requests("c1", RequestKind.Replace) == [RequestState.Acknowledged]
    again.wait(3)
    assert not again.tell(Tick())


def test_a_replace_whose_new_order_was_not_recorded_was_never_sent():
    """5.1: the crash fell between two records, and sending waits for both"""
    rig = Rig()
    rig.place()
    rig.tell(an_amend())
    kept = [
        event
        for event in rig._durable
        if not (isinstance(event, ev.OrderPlaced) and event.order.client_order_id == "c2")
    ]
    again = Rig(kept, now=rig.now)
    assert again.state("c1") is OrderState.New
    assert again.requests("c1", RequestKind.Replace) == [RequestState.Denied]
    again.wait(2)
    assert not again.tell(Tick())


def test_fills_seen_before_the_crash_are_not_applied_again():
    rig = Rig()
    rig.place()
    fill = a_fill(qty="0.4")
    rig.tell(a_trade(fill, cum="0.4"))
    again = rig.restarted()
    state = a_venue_state(
        fills=[fill], open_orders=[a_report("c1", OrdStatus.PartiallyFilled, cum="0.4")], taken_at=again.now
    )
    again.tell(Reconciliation(state=state, marks={}))
    assert again.position() == d("2.4")


def test_an_order_that_ended_while_we_were_away_is_found():
    rig = Rig()
    rig.place()
    again = rig.restarted(after_s=60)
    fill = a_fill(qty="1", at=again.now)
    again.tell(Reconciliation(state=a_venue_state(fills=[fill], taken_at=again.now, BTC="3"), marks={}))
    assert again.state() is OrderState.Filled
    assert again.position() == d(3)


MESSAGES = st.sampled_from(
    [
        a_place("c1"), a_place("c3", side=Side.Sell), an_amend("c1", "c2"), an_amend("c2", "c4"), a_cancel("c1"), a_cancel("c2"),
        a_cancel("c3"), a_cancel_all(), an_ack("c1"), an_ack("c2"), an_ack("c3"), refused("c1"), refused("c2"), unproven("c1"),
        unproven("c2"), unproven("c1#c1"), unproven("c1#c2"), refused("c1#c1", -2011), refused("c2#c1", -2011),
        NotSent(request_id=RequestId("c1"), reason="halted"), NotSent(request_id=RequestId("c2"), reason="halted"),
        both_legs("c2", an_ack("c1", status=OrdStatus.Canceled), an_ack("c2")), both_legs("c2", refused("c2"), None),
        both_legs("c2", unproven("c2"), unproven("c2")), both_legs("c4", an_ack("c2", status=OrdStatus.Canceled), refused("c4")),
        a_trade(a_fill("c1", trade_id="t1", qty="0.4"), cum="0.4"), a_trade(a_fill("c1", trade_id="t2", qty="0.6"), cum="1", is_last=True),
        a_trade(a_fill("c2", trade_id="t3", qty="1"), cum="1"), a_trade(a_fill("c3", trade_id="t4", side=Side.Sell), cum="1", is_last=True),
        a_report("c1", OrdStatus.Canceled, cum="0.4"), a_report("c2", OrdStatus.Canceled, cum="0"), a_report("c1", OrdStatus.Expired),
        a_report("c1"), a_report("c2"), a_report("f1", side=Side.Buy, qty="1", cum="0"), a_report("f1", OrdStatus.Filled, cum="1", qty="1", side=Side.Buy),
        absent("c1"), absent("c2"), answered(a_report("c1", cum="0")), answered(a_report("c2", OrdStatus.Filled, cum="1.6")),
        Reconciliation(state=a_venue_state(open_orders=[a_report("c1", cum="0.4")], fills=[a_fill("c1", trade_id="t1", qty="0.4")]), marks={}),
        Reconciliation(state=a_venue_state(taken_at=2**62), marks={}), *[HaltNow(level=level, by="risk1") for level in HaltLevel], HaltEnded(), Tick(),
    ]
)  # fmt: skip


@settings(max_examples=250, deadline=None)
@given(st.lists(st.one_of(MESSAGES, st.sampled_from(["wait", "restart"])), max_size=40))
def test_whatever_arrives_nothing_raises_nothing_is_sent_twice_and_a_restart_changes_no_state(messages):
    """5.1, 5.2, 5.3"""
    rig = Rig()
    sent: list[str] = []
    for message in messages:
        if message == "wait":
            rig.wait(10, step_ms=500)
        elif message == "restart":
            sent += [approved.order.client_order_id for approved in rig.sent]
            rig = rig.restarted()
        else:
            rig.tell(message)
    sent += [approved.order.client_order_id for approved in rig.sent]
    assert len(sent) == len(set(sent))
    cum: dict[str, Decimal] = {}
    for event in rig._durable:
        if isinstance(event, ev.OrderPlaced):
            cum[event.order.client_order_id] = event.order.cum_qty
        elif isinstance(event, ev.OrderFilled) and event.fill.client_order_id in cum:
            cum[event.fill.client_order_id] += event.fill.last_qty
    assert {order.client_order_id: order.cum_qty for order in rig.manager.books.orders.values()} == cum
    again = rig.restarted(after_s=0)
    assert again.manager.books.positions == rig.manager.books.positions
    assert {k: (o.ord_status, o.cum_qty) for k, o in again.manager.books.orders.items()} == {
        k: (o.ord_status, o.cum_qty) for k, o in rig.manager.books.orders.items()
    }
    assert again.manager.live.keys() == rig.manager.live.keys()
