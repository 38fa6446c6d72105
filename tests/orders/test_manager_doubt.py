"""No proof, no conclusion: what is unknown, how long, and what ends it (5.2)."""

import pytest
from order_builders import (
    WINDOW_S,
    Rig,
    a_cancel,
    a_fill,
    a_place,
    a_report,
    a_trade,
    a_venue_state,
    absent,
    an_ack,
    an_order,
    answered,
    no_answer,
    refused,
    unproven,
)

from tradedesk.domain.orders import OrderState, OrdStatus, RequestState
from tradedesk.domain.outcomes import Acknowledged
from tradedesk.domain.words import RequestId, Side
from tradedesk.orders.messages import Reconciliation


def doubting() -> Rig:
    rig = Rig()
    rig.tell(a_place(), unproven())
    return rig


def test_F01_a_timeout_leaves_the_order_unknown():
    rig = doubting()
    assert rig.state() is OrderState.Unknown
    assert rig.order().ord_status is OrdStatus.PendingNew
    assert rig.requests() == [RequestState.Unknown]
    assert rig.order().requests[0].reasons == ("timeout",)


def test_F01_the_venue_is_asked_again_and_again_and_nothing_is_sent_again():
    rig = doubting()
    rig.listen(10, absent)
    assert len(rig.asked) >= 10
    assert set(rig.asked) == {"c1"}
    assert len(rig.sent) == 1


@pytest.mark.parametrize(("waited_s", "state"), [(WINDOW_S - 1, "Unknown"), (WINDOW_S + 2, "NeverArrived")])
def test_F01_never_arrived_is_concluded_only_when_nothing_can_arrive_any_more(waited_s, state):
    rig = doubting()
    rig.listen(waited_s, absent)
    assert rig.state() == state


def test_F01_a_question_asked_inside_the_window_proves_nothing_however_late_its_answer():
    """The venue looked before the window ended; the order may have come after it looked"""
    rig = doubting()
    rig.wait(WINDOW_S - 1)
    assert rig.asked
    asked_at = len(rig.asked)
    rig.wait(2)
    assert len(rig.asked) == asked_at  # one question at a time, so an answer belongs to its question
    rig.tell(absent())
    assert rig.state() is OrderState.Unknown
    rig.listen(2, absent)
    assert rig.state() is OrderState.NeverArrived


def test_F01_a_question_that_is_never_answered_does_not_end_the_asking():
    rig = doubting()
    rig.wait(120)
    assert 2 <= len(rig.asked) <= 240
    assert rig.state() is OrderState.Unknown


def test_F01_a_question_that_failed_proves_nothing():
    rig = doubting()
    rig.wait(WINDOW_S + 5)
    rig.tell(no_answer())
    assert rig.state() is OrderState.Unknown
    rig.wait(1)
    assert len(rig.asked) >= 2


def test_F02_an_order_whose_answer_was_lost_is_adopted_from_the_question():
    rig = doubting()
    rig.tell(answered(a_report("c1", OrdStatus.New, cum="0")))
    assert rig.state() is OrderState.New
    assert rig.requests() == [RequestState.Acknowledged]
    rig.wait(5)
    assert rig.asked == []
    assert len(rig.sent) == 1


def test_F02_an_order_whose_answer_was_lost_is_adopted_from_the_stream():
    rig = doubting()
    rig.tell(a_trade(a_fill(qty="0.4"), cum="0.4"))
    assert rig.state() is OrderState.PartiallyFilled
    assert rig.requests() == [RequestState.Acknowledged]


def test_F02_an_order_whose_answer_was_lost_is_adopted_from_the_open_orders():
    rig = doubting()
    state = a_venue_state(open_orders=[a_report("c1", cum="0", qty="1", side=Side.Buy)], taken_at=rig.now)
    rig.tell(Reconciliation(state=state, marks={}))
    assert rig.state() is OrderState.New


def test_F03_half_an_answer_is_unknown_and_not_rejected():
    rig = Rig()
    rig.tell(a_place(), unproven(cause="ExchangeError"))
    assert rig.state() is OrderState.Unknown


def test_F04_an_answer_about_another_order_proves_nothing_about_ours():
    rig = Rig()
    rig.place("other")
    rig.tell(a_place("c1"))
    rig.tell(Acknowledged(request_id=RequestId("c1"), report=a_report("other", OrdStatus.New, cum="0")))
    assert rig.state("c1") is OrderState.Unknown
    assert rig.state("other") is OrderState.New


def test_F04_an_answer_that_contradicts_the_order_blocks_the_account_and_proves_nothing():
    rig = Rig()
    rig.tell(a_place("c1", side=Side.Buy))
    rig.tell(Acknowledged(request_id=RequestId("c1"), report=a_report("c1", side=Side.Sell)))
    assert rig.state("c1") is OrderState.Unknown
    assert len(rig.quarantined) == 1


def test_F06_an_answer_after_our_timeout_is_accepted_once():
    rig = doubting()
    rig.wait(15)
    rig.tell(an_ack("c1", a_fill(qty="0.4"), status=OrdStatus.PartiallyFilled))
    rig.tell(an_ack("c1", a_fill(qty="0.4"), status=OrdStatus.PartiallyFilled))
    assert rig.state() is OrderState.PartiallyFilled
    assert rig.order().cum_qty == a_fill(qty="0.4").last_qty
    assert rig.alerts() == []


def test_F06_a_refusal_after_our_timeout_is_accepted():
    rig = doubting()
    rig.tell(refused())
    assert rig.state() is OrderState.Rejected
    rig.wait(5)
    assert rig.asked == []


def test_F07_unknown_order_on_a_cancel_is_a_question_not_a_conclusion():
    rig = Rig()
    rig.place()
    rig.tell(a_cancel(), refused("c1#c1", -2011, "Unknown order sent."))
    assert rig.order().ord_status is OrdStatus.New
    assert rig.asked == ["c1"]
    rig.tell(a_trade(a_fill(qty="1"), cum="1", is_last=True))
    assert rig.state() is OrderState.Filled


def test_F20_an_order_called_duplicate_is_asked_about_and_lives():
    """The adapter's table holds that text for no proof; it arrives here as Unproven"""
    rig = Rig()
    rig.tell(a_place(), unproven(cause="-2010 Duplicate order sent."))
    assert rig.state() is OrderState.Unknown
    rig.wait(1)
    rig.tell(answered(a_report("c1", OrdStatus.New, cum="0")))
    assert rig.state() is OrderState.New


def test_F22_a_query_that_does_not_see_the_order_yet_changes_nothing():
    rig = doubting()
    rig.listen(5, absent)
    assert rig.state() is OrderState.Unknown
    rig.wait(0.5)
    rig.tell(answered(a_report("c1", OrdStatus.New, cum="0")))
    assert rig.state() is OrderState.New


def test_F22_a_query_that_lags_behind_an_acknowledged_order_alarms_nobody():
    rig = Rig()
    rig.place()
    rig.tell(a_cancel(), refused("c1#c1", -2011, "Unknown order sent."), absent())
    assert rig.state() is OrderState.New
    assert rig.alerts() == []


def test_F22_an_order_that_took_long_to_arrive_may_be_missing_from_a_query_right_after():
    rig = Rig()
    rig.tell(a_place())
    rig.wait(WINDOW_S + 1)
    rig.tell(an_ack("c1"), a_cancel(), refused("c1#c1", -2011, "Unknown order sent."), absent())
    assert rig.state() is OrderState.New
    assert rig.alerts() == []


def test_an_acknowledged_order_that_the_venue_no_longer_knows_is_a_critical_alert():
    """5.2: nothing says how it ended, so nothing is concluded"""
    rig = Rig()
    rig.place()
    rig.wait(WINDOW_S + 1)
    rig.tell(Reconciliation(state=a_venue_state(taken_at=rig.now), marks={}), absent())
    assert rig.alerts() == []  # its queries may run behind
    rig.wait(3)
    rig.tell(absent())
    assert rig.state() is OrderState.New
    assert rig.alerts() == ["vanished"]
    asked = len(rig.asked)
    rig.wait(60)
    assert len(rig.asked) == asked


def test_one_answer_that_does_not_find_a_proved_order_raises_no_alarm():
    """F22, F58: queries run behind by the venue's clock, and ours may have been set since the order was proved"""
    rig = Rig()
    rig.place()
    rig.tell(a_cancel(), after_ms=3_600_000)
    rig.tell(refused("c1#c1", -2011, "Unknown order sent."), absent())
    assert rig.alerts() == []


@pytest.mark.parametrize(
    ("news", "state"),
    [
        (a_report("c1", OrdStatus.New, cum="0"), OrderState.New),
        (a_trade(a_fill(qty="0.4"), cum="0.4"), OrderState.PartiallyFilled),
        (a_trade(a_fill(qty="1"), cum="1", is_last=True), OrderState.Filled),
        (a_report("c1", OrdStatus.Canceled, cum="0"), OrderState.Canceled),
    ],
)
def test_an_order_held_to_have_never_arrived_comes_back_with_an_alert(news, state):
    """F40"""
    rig = doubting()
    rig.listen(WINDOW_S + 2, absent)
    assert rig.state() is OrderState.NeverArrived
    rig.tell(news)
    assert rig.state() is state
    assert rig.requests() == [RequestState.Acknowledged]
    assert len(rig.alerts()) == 1


def test_an_answer_about_nothing_known_is_shown_as_external_only_if_it_says_enough():
    rig = Rig()
    rig.tell(a_report("foreign", OrdStatus.New))
    assert "foreign" not in rig.manager.books.orders
    rig.tell(a_report("foreign", OrdStatus.New, side=Side.Sell, qty="1", cum="0", price="70000"))
    assert rig.order("foreign").is_external
    assert rig.order("foreign").side is an_order(side=Side.Sell).side
