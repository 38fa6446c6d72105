"""Amends that cancel and replace: two legs, each with its own proof, one intent (F23)."""

import msgspec
import pytest
from order_builders import (
    WINDOW_S,
    Rig,
    a_cancel,
    a_cancel_all,
    a_fill,
    a_place,
    a_report,
    a_trade,
    absent,
    an_ack,
    an_amend,
    answered,
    both_legs,
    d,
    refused,
    unproven,
)

from tradedesk.domain.accounts import HaltLevel
from tradedesk.domain.orders import OrderState, OrdStatus, RequestKind, RequestState
from tradedesk.domain.outcomes import Acknowledged, NotSent
from tradedesk.domain.words import RequestId, TimeInForce
from tradedesk.domain.worst_case import worst_case
from tradedesk.orders.messages import HaltNow, Tick


def amending(cum: str | None = None) -> Rig:
    rig = Rig()
    rig.place()
    if cum is not None:
        rig.tell(a_trade(a_fill(qty=cum, trade_id="t0"), cum=cum))
    rig.tell(an_amend(qty="2", price="59000"))
    return rig


def gone(cum: str = "0") -> Acknowledged:
    return Acknowledged(request_id=RequestId("c2"), report=a_report("c1", OrdStatus.Canceled, cum=cum))


def replace_request(rig: Rig) -> RequestState:
    return rig.requests("c1", RequestKind.Replace)[-1]


def test_an_amend_is_a_new_order_that_replaces_the_old_one():
    rig = amending()
    approved = rig.sent[-1]
    assert approved.replaces is not None
    assert (approved.replaces.client_order_id, approved.order.client_order_id) == ("c1", "c2")
    assert (approved.order.order_qty, approved.order.price) == (d(2), d(59000))
    assert (rig.state("c1"), rig.state("c2")) == (OrderState.PendingReplace, OrderState.PendingNew)
    assert rig.order("c1").replaced_by == "c2"


def test_of_an_order_filled_in_part_what_is_left_is_counted_once_the_cancel_is_proved():
    rig = amending(cum="0.5")
    assert [ticket.order.client_order_id for ticket in rig.cancels] == ["c1"]
    assert "c2" not in rig.manager.books.orders
    rig.tell(a_trade(a_fill(qty="0.2", trade_id="t1"), cum="0.7"))  # F46: it trades on until the cancel arrives
    rig.tell(a_report("c1", OrdStatus.Canceled, cum="0.7"))
    assert (rig.sent[-1].order.client_order_id, rig.sent[-1].order.order_qty) == ("c2", d("1.3"))
    assert rig.sent[-1].replaces is None  # nothing is left to be cancelled
    assert rig.manager.may_leave(rig.sent[-1].order.client_order_id) is None
    rig.tell(an_ack("c2"))
    assert (rig.state("c1"), rig.state("c2")) == (OrderState.Canceled, OrderState.New)
    assert replace_request(rig) is RequestState.Acknowledged
    assert rig.alerts() == []


def test_a_cancel_whose_fills_are_missing_places_nothing_before_they_are_here():
    """F14, F46: the venue names a larger quantity than its fills that we have"""
    rig = amending(cum="0.5")
    rig.tell(a_report("c1", OrdStatus.Canceled, cum="0.9"))
    assert len(rig.sent) == 1
    rig.tell(a_trade(a_fill(qty="0.4", trade_id="t1"), cum="0.9"))
    assert rig.sent[-1].order.order_qty == d("1.1")


def test_an_order_that_fills_before_the_cancel_of_its_amend_is_filled_and_nothing_is_placed():
    rig = amending(cum="0.5")
    rig.tell(a_trade(a_fill(qty="0.5", trade_id="t1"), cum="1", is_last=True))
    assert (rig.state("c1"), replace_request(rig)) == (OrderState.Filled, RequestState.Refused)
    assert "c2" not in rig.manager.books.orders
    assert "filled before" in rig.refusals()[-1]
    assert len(rig.sent) == 1


def test_an_amend_in_turn_that_the_gate_denies_cancels_nothing():
    rig = Rig()
    rig.place()
    rig.tell(a_trade(a_fill(qty="0.5", trade_id="t0"), cum="0.5"))
    rig.gate_says_no = ("too large",)
    rig.tell(an_amend(qty="2", price="59000"))
    assert rig.cancels == []
    assert (rig.state("c1"), replace_request(rig)) == (OrderState.PartiallyFilled, RequestState.Denied)
    assert rig.refusals() == ["too large"]


def test_an_amend_in_turn_that_the_gate_denies_the_second_time_says_that_nothing_is_working():
    rig = amending(cum="0.5")
    rig.gate_says_no = ("too large",)
    rig.tell(a_report("c1", OrdStatus.Canceled, cum="0.5"))
    assert (rig.state("c1"), rig.state("c2")) == (OrderState.Canceled, OrderState.Denied)
    assert rig.alerts() == ["half-replaced"]


@pytest.mark.parametrize("command", [a_cancel(), a_cancel_all()])
def test_a_cancel_during_an_amend_in_turn_takes_its_second_leg_with_it(command):
    rig = amending(cum="0.5")
    rig.tell(command)
    rig.tell(a_report("c1", OrdStatus.Canceled, cum="0.5"))
    assert "c2" not in rig.manager.books.orders
    assert replace_request(rig) is RequestState.Denied
    assert len(rig.sent) == 1


def test_a_halt_during_an_amend_in_turn_takes_its_second_leg_with_it():
    rig = amending(cum="0.5")
    rig.tell(HaltNow(level=HaltLevel.CancelAll, by="risk1"))
    rig.tell(a_report("c1", OrdStatus.Canceled, cum="0.5"))
    assert len(rig.sent) == 1
    assert "halted" in rig.refusals()[-1]


def test_a_restart_between_the_legs_goes_on_cancelling_and_says_that_nothing_takes_the_place():
    rig = amending(cum="0.5").restarted()
    assert replace_request(rig) is RequestState.Denied
    assert rig.alerts() == ["half-replaced"]
    rig.tell(Tick())
    assert [ticket.order.client_order_id for ticket in rig.cancels] == ["c1"]
    rig.tell(a_report("c1", OrdStatus.Canceled, cum="0.5"))
    assert rig.sent == []


def test_an_amend_that_the_gate_denies_leaves_the_order_as_it_was():
    rig = Rig()
    rig.place()
    rig.gate_says_no = ("too large",)
    rig.tell(an_amend())
    assert (rig.state("c1"), rig.state("c2")) == (OrderState.New, OrderState.Denied)
    assert replace_request(rig) is RequestState.Denied


def test_an_amend_stopped_by_the_last_check_leaves_the_order_as_it_was():
    rig = amending()
    rig.tell(NotSent(request_id=RequestId("c2"), reason="halted"))
    assert (rig.state("c1"), rig.state("c2")) == (OrderState.New, OrderState.Denied)


@pytest.mark.parametrize(
    ("prepare", "why"),
    [
        (lambda rig: rig.tell(a_place("c1")), "still open"),
        (lambda rig: (rig.place(), rig.tell(a_cancel())), "still open"),
        (lambda rig: (rig.place(), rig.tell(an_amend("c1", "c3"))), "still open"),
        (lambda rig: rig.place(price=None), "only limit orders"),
        (lambda rig: (rig.place(qty="5"), rig.tell(a_trade(a_fill(qty="2"), cum="2"))), "filled already"),
        (lambda rig: rig.tell(a_report("c1", side=a_fill().side, qty="1", cum="0")), "no open order of ours"),
        (lambda rig: None, "no open order of ours"),
    ],
)
def test_what_cannot_be_amended_is_refused_in_words(prepare, why):
    rig = Rig()
    prepare(rig)
    before = len(rig.sent)
    rig.tell(an_amend("c1", "c2", qty="2"))
    assert len(rig.sent) == before
    assert why in rig.refusals()[-1]


def test_F23_both_legs_done():
    rig = amending()
    rig.tell(both_legs("c2", gone(), an_ack("c2")))
    assert (rig.state("c1"), rig.state("c2")) == (OrderState.Canceled, OrderState.New)
    assert replace_request(rig) is RequestState.Acknowledged
    assert rig.alerts() == []
    assert rig.asked == []


def test_F23_neither_leg_done():
    rig = amending()
    rig.tell(both_legs("c2", refused("c2", -2011, "Unknown order sent."), None))
    assert rig.state("c2") is OrderState.Rejected
    assert replace_request(rig) is RequestState.Refused
    assert rig.order("c1").ord_status is OrdStatus.New
    assert rig.asked == ["c1"]  # "unknown order" proves nothing about how it ended
    assert "not attempted" in rig.order("c2").reasons[0]


def test_F23_half_done_the_old_is_gone_and_the_new_refused_and_somebody_is_told():
    rig = amending()
    rig.tell(both_legs("c2", gone(), refused("c2", -2010, "Order would immediately match and take.")))
    assert (rig.state("c1"), rig.state("c2")) == (OrderState.Canceled, OrderState.Rejected)
    assert replace_request(rig) is RequestState.Refused
    assert rig.alerts() == ["half-replaced"]


def test_F23_half_done_the_cancel_failed_and_the_new_stands():
    rig = amending()
    rig.tell(both_legs("c2", refused("c2", -2011, "Unknown order sent."), an_ack("c2")))
    assert rig.state("c2") is OrderState.New
    assert rig.order("c1").ord_status is OrdStatus.New
    assert rig.asked == ["c1"]


def test_F23_the_cancel_is_proved_and_the_new_is_not():
    rig = amending()
    rig.tell(both_legs("c2", gone(), unproven("c2")))
    assert (rig.state("c1"), rig.state("c2")) == (OrderState.Canceled, OrderState.Unknown)
    assert replace_request(rig) is RequestState.Unknown
    rig.wait(1)
    rig.tell(answered(a_report("c2", OrdStatus.New, cum="0")))
    assert rig.state("c2") is OrderState.New
    assert replace_request(rig) is RequestState.Acknowledged


@pytest.mark.parametrize("answer", [unproven("c2"), both_legs("c2", unproven("c2"), None)])
def test_F23_nothing_is_proved_so_both_orders_are_in_doubt(answer):
    rig = amending()
    rig.tell(answer)
    assert (rig.state("c1"), rig.state("c2")) == (OrderState.PendingReplace, OrderState.Unknown)
    assert replace_request(rig) is RequestState.Unknown
    assert rig.order("c1").ord_status is OrdStatus.New


def test_F23_a_replace_that_never_arrived_leaves_the_old_order_asked_about():
    rig = amending()
    rig.tell(unproven("c2"))
    cancelled = answered(a_report("c1", OrdStatus.Canceled, cum="0"))
    rig.listen(WINDOW_S + 2, lambda asked: absent(asked) if asked == "c2" else cancelled)
    assert rig.state("c2") is OrderState.NeverArrived
    assert replace_request(rig) is RequestState.NeverArrived
    assert rig.state("c1") is OrderState.Canceled  # the cancel had worked: the venue said so when asked


def test_F23_a_replacement_that_the_stream_shows_alive_makes_us_ask_about_the_old_order():
    rig = amending()
    rig.tell(unproven("c2"), a_report("c2", OrdStatus.New, cum="0"))
    assert replace_request(rig) is RequestState.Acknowledged
    assert "c1" in rig.asked


def test_F46_a_fill_that_races_the_amend_is_folded_as_the_venue_tells_it():
    rig = amending()
    rig.tell(a_trade(a_fill(qty="0.4"), cum="0.4"), both_legs("c2", gone("0.4"), an_ack("c2")))
    assert rig.order("c1").cum_qty == d("0.4")
    assert (rig.state("c1"), rig.state("c2")) == (OrderState.Canceled, OrderState.New)
    assert rig.position() == d("2.4")


def test_F46_an_order_filled_before_its_amend_arrived_is_filled_and_nothing_new_stands():
    rig = amending()
    rig.tell(a_trade(a_fill(), cum="1", is_last=True))
    rig.tell(both_legs("c2", refused("c2", -2011, "Unknown order sent."), None))
    assert (rig.state("c1"), rig.state("c2")) == (OrderState.Filled, OrderState.Rejected)
    assert rig.asked == []


def test_a_replace_counts_with_its_larger_leg_until_it_is_settled():
    """5.4"""
    rig = amending()
    assert worst_case(d(2), rig.manager.live.values()).high == d(4)
    rig.tell(both_legs("c2", gone(), an_ack("c2")))
    assert worst_case(d(2), rig.manager.live.values()).high == d(4)


def test_an_amended_order_keeps_its_terms():
    rig = Rig()
    rig.place(post_only=True, tif=TimeInForce.GoodTillCancel)
    rig.tell(an_amend())
    assert rig.sent[-1].order.post_only


def test_an_amended_order_can_be_amended_again_once_settled():
    rig = amending()
    rig.tell(both_legs("c2", gone(), an_ack("c2")), an_amend("c2", "c3", qty="3"))
    assert rig.sent[-1].order.client_order_id == "c3"
    rig.tell(Tick())
    assert rig.state("c2") is OrderState.PendingReplace


def test_a_reason_given_for_an_order_confirms_no_change_of_it():
    rig = Rig()
    rig.tell(msgspec.structs.replace(a_place(), confirm="second clip", is_risk=True))
    rig.tell(an_ack())
    rig.tell(an_amend(qty="2", price="59000"))
    assert (rig.order("c1").confirm, rig.order("c2").confirm, rig.order("c2").is_risk) == ("second clip", None, False)
    other = Rig()
    other.place()
    other.tell(msgspec.structs.replace(an_amend(qty="2", price="59000"), confirm="as agreed"))
    assert other.order("c2").confirm == "as agreed"
