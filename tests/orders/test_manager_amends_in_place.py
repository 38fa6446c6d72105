"""Amends where the order stands: less quantity, the same place in line, the same id if the venue keeps it (F24)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from order_builders import (
    ACME,
    BTC,
    WINDOW_S,
    Rig,
    a_cancel,
    a_fill,
    a_report,
    a_trade,
    a_venue_state,
    an_ack,
    an_amend,
    answered,
    d,
    refused,
    unproven,
)

from tradedesk.domain.orders import AmendBy, OrderState, OrdStatus, RequestKind, RequestState, how_to_amend
from tradedesk.domain.outcomes import Acknowledged, NotSent, OrderReport, QueryAnswer
from tradedesk.domain.words import RequestId
from tradedesk.domain.worst_case import worst_case
from tradedesk.orders.messages import Reconciliation

AMEND = RequestId("c1#r1")


def amending(*, cum: str | None = None, to: str = "3") -> Rig:
    rig = Rig(has_native_amend=True)
    rig.place(qty="5")
    if cum is not None:
        rig.tell(a_trade(a_fill(qty=cum, trade_id="t0"), cum=cum))
    rig.tell(an_amend("c1", "c2", qty=to))
    return rig


def made(qty: str = "3", *, cum: str = "0", **changes: object) -> Acknowledged:
    return Acknowledged(request_id=AMEND, report=shown(qty, cum=cum, **changes))


def shown(qty: str | None = "3", *, cum: str = "0", **changes: object) -> OrderReport:
    status = OrdStatus.PartiallyFilled if d(cum) else OrdStatus.New
    return a_report("c1", status, qty=qty, cum=cum, **changes)  # type: ignore[arg-type]


def amend_state(rig: Rig) -> RequestState:
    return rig.requests("c1", RequestKind.Replace)[-1]


@pytest.mark.parametrize(
    ("qty", "price", "cum", "by"),
    [
        ("3", "60000", "0", AmendBy.InPlace),
        ("3", "60000", "2", AmendBy.InPlace),
        ("3", "60000.01", "0", AmendBy.CancelReplace),
        ("6", "60000", "0", AmendBy.CancelReplace),
        ("3", "60000.01", "1", AmendBy.CancelThenPlace),
        ("6", "60000", "1", AmendBy.CancelThenPlace),
    ],
)
def test_only_less_at_the_same_price_is_amended_in_place(qty, price, cum, by):
    rig = Rig(has_native_amend=True)
    rig.place(qty="5")
    if d(cum):
        rig.tell(a_trade(a_fill(qty=cum, trade_id="t0"), cum=cum))
    rig.tell(an_amend("c1", "c2", qty=qty, price=price))
    assert rig.order("c1").requests[-1 if by is not AmendBy.CancelThenPlace else -2].by is by
    order = rig.order("c1")
    assert how_to_amend(order, d(qty), d(price), can_shrink=False) is not AmendBy.InPlace


def test_an_amend_in_place_keeps_the_order_and_its_id():
    rig = amending()
    approved = rig.sent[-1]
    assert approved.is_in_place
    assert (approved.order.client_order_id, approved.order.order_qty) == ("c1", d(3))
    assert rig.state() is OrderState.PendingReplace
    assert rig.order().order_qty == d(5)  # until it is proved
    rig.tell(made())
    assert (rig.state(), rig.order().order_qty, amend_state(rig)) == (OrderState.New, d(3), RequestState.Acknowledged)
    assert "c2" not in rig.manager.books.orders


def test_what_may_trade_is_counted_as_it_was_until_the_amend_is_proved():
    """5.4"""
    rig = amending()
    assert worst_case(d(0), rig.manager.live.values()).high == d(5)
    rig.tell(unproven(AMEND))
    assert worst_case(d(0), rig.manager.live.values()).high == d(5)
    rig.tell(made())
    assert worst_case(d(0), rig.manager.live.values()).high == d(3)


def test_the_stream_may_tell_of_the_amend_before_its_answer_and_old_news_after_both():
    rig = amending()
    rig.tell(shown("3"))
    assert (amend_state(rig), rig.order().order_qty) == (RequestState.Acknowledged, d(3))
    rig.tell(made(), shown("5"), shown("3"))
    assert (rig.state(), rig.order().order_qty) == (OrderState.New, d(3))
    assert (rig.alerts(), rig.quarantined) == ([], [])


def test_an_amend_that_the_gate_denies_leaves_the_order_as_it_was():
    rig = Rig(has_native_amend=True)
    rig.place(qty="5")
    rig.gate_says_no = ("off lot",)
    rig.tell(an_amend("c1", "c2", qty="3"))
    assert (rig.state(), rig.order().order_qty, amend_state(rig)) == (OrderState.New, d(5), RequestState.Denied)


def test_an_amend_stopped_by_the_last_check_leaves_the_order_as_it_was():
    rig = amending()
    rig.tell(NotSent(request_id=AMEND, reason="halted"))
    assert (rig.state(), amend_state(rig)) == (OrderState.New, RequestState.Denied)


def test_a_refused_amend_leaves_the_order_and_asks_how_it_stands():
    rig = amending()
    rig.tell(refused(AMEND, -2038, "Unknown order sent."))
    assert (amend_state(rig), rig.asked) == (RequestState.Refused, ["c1"])
    rig.tell(answered(a_report("c1", OrdStatus.Canceled, cum="0")))
    assert rig.state() is OrderState.Canceled


def test_a_timed_out_amend_of_a_part_filled_order_leaves_it_part_filled():
    """DESIGN 6: uncertainty belongs to the request"""
    rig = amending(cum="1")
    rig.tell(unproven(AMEND))
    assert (rig.order().ord_status, amend_state(rig)) == (OrdStatus.PartiallyFilled, RequestState.Unknown)
    rig.listen(3, lambda _: answered(shown("5", cum="1")))
    assert amend_state(rig) is RequestState.Unknown  # it may still arrive
    rig.listen(WINDOW_S, lambda _: answered(shown("5", cum="1")))
    assert (amend_state(rig), rig.order().order_qty) == (RequestState.NeverArrived, d(5))
    assert len(rig.sent) == 2  # the order and one amend: nothing was sent again


def test_a_timed_out_amend_is_adopted_when_the_venue_shows_the_smaller_order():
    rig = amending(cum="1")
    rig.tell(unproven(AMEND))
    rig.listen(2, lambda _: answered(shown("3", cum="1")))
    assert (amend_state(rig), rig.order().order_qty) == (RequestState.Acknowledged, d(3))
    assert rig.state() is OrderState.PartiallyFilled


def test_an_amend_that_arrives_after_it_was_given_up_is_believed():
    rig = amending()
    rig.tell(unproven(AMEND))
    rig.listen(WINDOW_S + 3, lambda _: answered(shown("5")))
    assert amend_state(rig) is RequestState.NeverArrived
    rig.tell(shown("3"))
    assert (amend_state(rig), rig.order().order_qty) == (RequestState.Acknowledged, d(3))


def test_F46_a_fill_that_races_the_amend_to_its_new_quantity_leaves_the_order_filled():
    rig = amending(cum="1")
    rig.tell(a_trade(a_fill(qty="2", trade_id="t1"), cum="3"))  # by a listing that names no quantity
    assert rig.state() is OrderState.PendingReplace
    rig.tell(made("3", cum="3"))
    assert (rig.state(), rig.order().cum_qty) == (OrderState.Filled, d(3))
    assert rig.quarantined == []


def test_F46_an_order_that_fills_beyond_the_new_quantity_before_the_amend_arrives_is_as_the_venue_tells():
    rig = amending(cum="1")
    rig.tell(a_trade(a_fill(qty="3", trade_id="t1"), cum="4"))
    rig.tell(refused(AMEND, -2038, "The new quantity must be above what is executed."))
    assert (rig.order().ord_status, rig.order().cum_qty, rig.order().order_qty) == (
        OrdStatus.PartiallyFilled,
        d(4),
        d(5),
    )
    assert rig.position() == d(6)  # 2 at the opening


def test_an_unknown_amend_of_an_order_that_died_is_over():
    """Else a halt would wait for its answer for ever."""
    rig = amending()
    rig.tell(unproven(AMEND))
    rig.tell(a_report("c1", OrdStatus.Canceled, cum="0"))
    assert amend_state(rig) is RequestState.Refused
    before = len(rig.asked)
    rig.wait(5)
    assert len(rig.asked) == before


def test_an_answer_with_another_quantity_than_asked_for_proves_nothing():
    rig = amending()
    rig.tell(made("2"))
    assert (amend_state(rig), rig.order().order_qty) == (RequestState.Unknown, d(5))


def test_a_thin_answer_is_believed_for_what_was_asked():
    rig = amending()
    rig.tell(Acknowledged(request_id=AMEND, report=shown(None)))
    assert (amend_state(rig), rig.order().order_qty) == (RequestState.Acknowledged, d(3))


def test_a_pending_amend_is_unknown_after_a_crash_and_is_asked_about():
    rig = amending().restarted()
    assert amend_state(rig) is RequestState.Unknown
    rig.listen(1, lambda _: answered(shown("3")))
    assert (amend_state(rig), rig.order().order_qty) == (RequestState.Acknowledged, d(3))
    assert rig.sent == []


def test_an_amended_order_is_the_same_after_a_restart():
    rig = amending()
    rig.tell(made())
    again = rig.restarted()
    assert (again.order().order_qty, again.state()) == (d(3), OrderState.New)
    again.tell(shown("3"), shown("5"))
    assert again.quarantined == []


def test_a_cancel_goes_while_an_amend_is_open():
    rig = amending()
    rig.tell(a_cancel())
    assert [ticket.order.client_order_id for ticket in rig.cancels] == ["c1"]
    assert rig.manager.may_leave(rig.sent[-1].order.client_order_id) == "cancelled before it was sent"


# ---- renamed ids ----------------------------------------------------------------------------------------------------


def renamed(qty: str = "3", *, cum: str = "0") -> OrderReport:
    status = OrdStatus.PartiallyFilled if d(cum) else OrdStatus.New
    report = a_report("x9", status, qty=qty, cum=cum, venue_order_id="v-c1")
    return report


def test_F24_an_order_that_the_venue_renamed_is_followed_under_its_new_id():
    rig = amending()
    rig.tell(Acknowledged(request_id=AMEND, report=renamed()))
    order = rig.order()
    assert (order.known_as, order.order_qty, order.ord_status) == ("x9", d(3), OrdStatus.New)
    assert rig.alerts() == ["renamed"]
    assert list(rig.manager.live) == ["c1"]  # no second order of other software
    rig.tell(a_trade(a_fill("x9", qty="1", venue_order_id="v-c1"), cum="1"))
    assert rig.order().cum_qty == d(1)
    rig.tell(a_cancel())
    assert rig.cancels[-1].order.venue_client_id == "x9"
    rig.tell(a_report("x9", OrdStatus.Canceled, cum="1", venue_order_id="v-c1"))
    assert rig.state() is OrderState.Canceled


def test_F24_late_news_under_the_new_id_of_a_dead_order_is_no_order_of_other_software():
    rig = amending()
    rig.tell(Acknowledged(request_id=AMEND, report=renamed()))
    rig.tell(a_report("x9", OrdStatus.Canceled, cum="0", venue_order_id="v-c1"))
    rig.tell(renamed())
    assert list(rig.manager.books.orders) == ["c1"]
    rig.tell(a_trade(a_fill("x9", qty="1", venue_order_id="v-c1"), cum="1"))
    assert (rig.order().cum_qty, rig.position()) == (d(1), d(3))


def test_F24_a_renamed_order_is_found_after_a_restart():
    rig = amending()
    rig.tell(Acknowledged(request_id=AMEND, report=renamed()))
    again = rig.restarted()
    again.tell(
        Reconciliation(
            state=a_venue_state(open_orders=[renamed()], taken_at=again.now),
            marks={},
        )
    )
    assert list(again.manager.live) == ["c1"]
    assert again.asked == []


def test_an_order_of_other_software_that_is_amended_there_is_the_same_order_smaller():
    """F42"""
    rig = Rig()
    rig.tell(a_report("their-1", qty="5", cum="0", side=a_fill().side, venue_order_id="77"))
    rig.tell(a_report("their-2", qty="2", cum="0", side=a_fill().side, venue_order_id="77"))
    assert list(rig.manager.live) == ["their-1"]
    assert rig.order("their-1").leaves_qty == d(2)
    assert rig.alerts() == []


def test_the_venues_id_of_one_order_at_another_of_ours_changes_neither():
    """F35: a venue that began anew gives its ids again"""
    rig = Rig()
    rig.place("c1")
    rig.place("c2")
    rig.tell(a_report("c2", OrdStatus.New, venue_order_id="v-c1"))
    assert (rig.order("c1").known_as, rig.order("c2").known_as) == (None, None)


# ---- in any order ---------------------------------------------------------------------------------------------------


@given(st.permutations(range(5)), st.lists(st.integers(0, 4), max_size=4))
def test_late_doubled_and_reordered_news_of_an_amend_end_where_the_truth_does(order, doubled):
    """5.3"""
    told = [
        made("3", cum="1"),
        shown("5", cum="1"),
        shown("3", cum="1"),
        a_trade(a_fill(qty="1", trade_id="t1"), cum="2"),
        a_trade(a_fill(qty="1", trade_id="t2"), cum="3", is_last=True),
    ]
    rig = amending(cum="1")
    for at in (*order, *doubled):
        rig.tell(told[at])
    assert (rig.state(), rig.order().cum_qty, rig.order().order_qty) == (OrderState.Filled, d(3), d(3))
    assert rig.manager.books.positions[ACME, BTC].qty == d(5)
    assert rig.quarantined == []


def test_an_ack_of_the_order_that_comes_after_the_amend_changes_nothing():
    rig = amending()
    rig.tell(made(), an_ack("c1"))
    assert rig.order().order_qty == d(3)


def test_an_order_that_somebody_made_smaller_at_the_venue_is_followed_and_told():
    rig = Rig()
    rig.place(qty="5")
    rig.tell(a_report("c1", qty="2", cum="0"))
    assert (rig.order().order_qty, rig.alerts(), rig.quarantined) == (d(2), ["amended-elsewhere"], [])
    rig.tell(a_trade(a_fill(qty="2", trade_id="t1"), cum="2", is_last=True))
    assert rig.state() is OrderState.Filled


def test_a_larger_quantity_than_it_ever_had_contradicts():
    """5.2"""
    rig = Rig()
    rig.place(qty="5")
    rig.tell(a_report("c1", qty="6", cum="0"))
    assert len(rig.quarantined) == 1


def test_a_smaller_quantity_under_another_id_of_the_venues_contradicts():
    """F04: it is another order"""
    rig = Rig()
    rig.place(qty="5")
    rig.tell(a_report("c1", qty="2", cum="0", venue_order_id="other"))
    assert len(rig.quarantined) == 1


def test_a_question_answered_with_another_order_of_ours_finds_the_one_asked_about_absent():
    """F35: asked for by an id that the venue has given anew"""
    rig = Rig()
    rig.place("c1")
    rig.place("c2")
    told = a_report("c2", OrdStatus.New, cum="0", venue_order_id="v-c1", qty="1")
    for _ in range(2):  # a first absence may be the lag of queries
        rig.wait(5)
        rig.manager._doubts.ask(rig.order("c1"))
        rig.tell(QueryAnswer(client_order_id=rig.order("c1").client_order_id, report=told), after_ms=100)
    assert "vanished" in rig.alerts()
    assert rig.order("c2").known_as is None
