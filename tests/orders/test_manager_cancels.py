"""Cancels: they always pass, they stand until the order is dead, and they touch nothing of others."""

from order_builders import (
    ETH,
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
    answered,
    d,
    refused,
    unproven,
)

from tradedesk.domain import events as ev
from tradedesk.domain.orders import OrderState, OrdStatus, RequestKind, RequestState
from tradedesk.domain.outcomes import Acknowledged, NotSent
from tradedesk.domain.words import RequestId, Side
from tradedesk.orders.messages import Reconciliation, SendCancel


def cancel_acked(request_id: str, client_order_id: str = "c1", cum: str = "0") -> Acknowledged:
    return Acknowledged(request_id=RequestId(request_id), report=a_report(client_order_id, OrdStatus.Canceled, cum=cum))


def cancelled_ids(rig: Rig) -> list[str]:
    return [ticket.order.client_order_id for ticket in rig.cancels]


def test_a_cancel_goes_at_once_and_the_order_is_dead_by_the_venues_word():
    rig = Rig()
    rig.place()
    effects = rig.tell(a_cancel())
    assert any(isinstance(effect, SendCancel) for effect in effects)
    assert rig.state() is OrderState.PendingCancel
    rig.tell(cancel_acked("c1#c1"))
    assert rig.state() is OrderState.Canceled
    assert rig.requests(kind=RequestKind.Cancel) == [RequestState.Acknowledged]
    rig.wait(5)
    assert cancelled_ids(rig) == ["c1"]


def test_a_cancel_of_nothing_is_refused_in_words():
    rig = Rig()
    rig.tell(a_cancel("nothing"))
    assert rig.refusals() == ["no open order has this id"]
    assert rig.cancels == []


def test_F39_a_cancel_that_loses_to_a_fill_is_refused_quietly():
    rig = Rig()
    rig.place()
    rig.tell(a_cancel(), a_trade(a_fill(), cum="1", is_last=True), refused("c1#c1", -2011, "Unknown order sent."))
    assert rig.state() is OrderState.Filled
    assert rig.requests(kind=RequestKind.Cancel) == [RequestState.Refused]
    assert rig.alerts() == []
    assert rig.asked == []


def test_F39_an_unproven_cancel_of_an_order_that_filled_meanwhile_is_over():
    rig = Rig()
    rig.place()
    rig.tell(a_cancel(), a_trade(a_fill(), cum="1", is_last=True), unproven("c1#c1"))
    assert rig.state() is OrderState.Filled
    assert rig.requests(kind=RequestKind.Cancel) == [RequestState.Refused]
    rig.wait(3)
    assert rig.asked == []


def test_F44_a_cancel_that_overtakes_its_order_is_repeated_until_the_order_is_gone():
    rig = Rig()
    rig.tell(a_place(), a_cancel_all(), refused("c1#c1", -2011, "Unknown order sent."), absent())
    assert rig.state() is OrderState.PendingNew
    rig.wait(1.2)
    assert cancelled_ids(rig) == ["c1", "c1"]
    rig.tell(a_report("c1", OrdStatus.New, cum="0"), cancel_acked("c1#c2"))
    assert rig.state() is OrderState.Canceled


def test_F45_a_lost_cancel_is_asked_about_and_sent_again():
    rig = Rig()
    rig.place()
    rig.tell(a_cancel(), unproven("c1#c1"))
    rig.wait(1)
    assert rig.asked == ["c1"]
    rig.tell(answered(a_report("c1", OrdStatus.New, cum="0")))
    rig.wait(1)
    assert cancelled_ids(rig) == ["c1", "c1"]
    assert rig.requests(kind=RequestKind.Cancel) == [RequestState.Unknown, RequestState.Pending]
    rig.tell(cancel_acked("c1#c2"))
    assert rig.state() is OrderState.Canceled
    assert rig.requests(kind=RequestKind.Cancel) == [RequestState.Acknowledged, RequestState.Acknowledged]


def test_F45_a_cancel_is_held_to_have_never_arrived_only_after_the_window():
    """5.2"""
    rig = Rig()
    rig.place()
    rig.tell(a_cancel(), unproven("c1#c1"))
    for _ in range(WINDOW_S - 2):
        rig.wait(1)
        rig.tell(answered(a_report("c1", OrdStatus.New, cum="0")))
        if rig.requests(kind=RequestKind.Cancel)[-1] is RequestState.Pending:
            rig.tell(unproven(rig.order().requests[-1].request_id))
    assert set(rig.requests(kind=RequestKind.Cancel)) == {RequestState.Unknown}
    rig.wait(5)
    rig.tell(answered(a_report("c1", OrdStatus.New, cum="0")))
    rig.wait(1)
    rig.tell(answered(a_report("c1", OrdStatus.New, cum="0")))
    assert rig.requests(kind=RequestKind.Cancel)[0] is RequestState.NeverArrived


def test_F45_a_cancel_that_stays_unconfirmed_is_an_alert_raised_once():
    rig = Rig()
    rig.place()
    rig.tell(a_cancel())
    for _ in range(10):
        if rig.requests(kind=RequestKind.Cancel)[-1] is RequestState.Pending:
            rig.tell(unproven(rig.order().requests[-1].request_id))
        rig.wait(1)
    assert rig.alerts() == ["cancel-unconfirmed"]
    rig.tell(a_report("c1", OrdStatus.Canceled, cum="0"))
    ended = [event.key for event in rig.events if isinstance(event, ev.AlertEnded)]
    assert ended == ["cancel-unconfirmed:c1:acme"]


def test_a_cancel_in_flight_is_not_sent_twice():
    rig = Rig()
    rig.place()
    rig.tell(a_cancel(), a_cancel(), a_cancel_all())
    rig.wait(5)
    assert cancelled_ids(rig) == ["c1"]


def test_a_cancel_before_the_send_stops_the_send_and_settles_both():
    rig = Rig()
    rig.tell(a_place(), a_cancel())
    rig.tell(NotSent(request_id=RequestId("c1"), reason="cancelled before it was sent"))
    assert rig.state() is OrderState.Denied
    rig.tell(refused("c1#c1", -2011, "Unknown order sent."))
    assert rig.requests() == [RequestState.Denied, RequestState.Refused]
    rig.wait(3)
    assert cancelled_ids(rig) == ["c1"]
    assert rig.asked == []


def test_a_cancel_that_never_left_leaves_no_doubt_and_goes_again_less_and_less_often():
    """5.2: it is proved that nothing was sent, so nothing is asked; the wish to cancel stands (F27)."""
    rig = Rig()
    rig.place()
    rig.tell(a_cancel(), NotSent(request_id=RequestId("c1#c1"), reason="the exit is banned"))
    assert rig.requests(kind=RequestKind.Cancel) == [RequestState.Denied]
    assert rig.order().requests[-1].reasons == ("the exit is banned",)
    assert not rig.order().is_uncertain
    for _ in range(60):
        rig.wait(1)
        if rig.requests(kind=RequestKind.Cancel)[-1] is RequestState.Pending:
            rig.tell(NotSent(request_id=rig.order().requests[-1].request_id, reason="the exit is banned"))
    assert rig.asked == []
    assert cancelled_ids(rig) == ["c1"] * 6  # after 1, 2, 4, 8, 16 and 32 s
    for _ in range(35):
        rig.wait(1)
    assert cancelled_ids(rig) == ["c1"] * 7
    rig.tell(cancel_acked(rig.order().requests[-1].request_id))
    assert rig.state() is OrderState.Canceled


def test_cancel_all_takes_what_it_names_and_nothing_external():
    rig = Rig()
    rig.place("b1")
    rig.place("s1", side=Side.Sell)
    rig.place("e1", instrument=ETH, price="3000")
    rig.tell(a_report("foreign", OrdStatus.New, side=Side.Sell, qty="1", cum="0", price="70000"))
    rig.tell(a_cancel_all(instrument=ETH))
    assert cancelled_ids(rig) == ["e1"]
    rig.tell(a_cancel_all(side=Side.Sell))
    assert cancelled_ids(rig) == ["e1", "s1"]
    rig.tell(a_cancel_all())
    assert cancelled_ids(rig) == ["e1", "s1", "b1"]


def test_an_order_of_unknown_birth_can_be_cancelled():
    rig = Rig()
    rig.tell(a_place(), unproven(), a_cancel())
    assert cancelled_ids(rig) == ["c1"]
    rig.tell(cancel_acked("c1#c1"))
    assert rig.state() is OrderState.Canceled
    assert rig.requests() == [RequestState.Acknowledged, RequestState.Acknowledged]


def test_a_cancel_answered_with_more_filled_than_we_saw_waits_for_the_fills():
    rig = Rig()
    rig.place()
    rig.tell(a_cancel(), cancel_acked("c1#c1", cum="0.3"))
    assert len(rig.asked_fills) == 1
    rig.tell(a_trade(a_fill(qty="0.3"), cum="0.3"))
    rig.wait(1)
    assert rig.state() is OrderState.Canceled
    assert rig.order().cum_qty == d("0.3")


def test_a_refused_key_on_a_cancel_blocks_the_account():
    rig = Rig()
    rig.place()
    rig.tell(a_cancel(), refused("c1#c1", -2015, "Invalid API-key", is_auth=True))
    assert len(rig.quarantined) == 1
    assert rig.state() is OrderState.New


def test_F31_an_order_that_the_venue_cancels_of_its_own_accord_is_folded_with_its_reason():
    rig = Rig()
    rig.place()
    rig.tell(a_report("c1", OrdStatus.Expired, cum="0", reason="self-trade prevention"))
    assert rig.state() is OrderState.Expired
    assert rig.order().reasons == ("self-trade prevention",)


def test_an_order_gone_from_the_venue_is_asked_about_and_folded_as_it_ended():
    """F14: the stream lost its end"""
    rig = Rig()
    rig.place()
    rig.wait(1)
    rig.tell(Reconciliation(state=a_venue_state(taken_at=rig.now), marks={}))
    assert rig.asked == ["c1"]
    rig.tell(answered(a_report("c1", OrdStatus.Canceled, cum="0")))
    assert rig.state() is OrderState.Canceled
