"""From command to bytes: what is sent, what is denied, and that an id serves once."""

from order_builders import (
    NOW,
    SECOND,
    Rig,
    a_cancel,
    a_place,
    a_report,
    an_ack,
    an_amend,
    refused,
)

from tradedesk.domain import events as ev
from tradedesk.domain.orders import OrderState, OrdStatus, RequestState
from tradedesk.domain.outcomes import Acknowledged, NotSent
from tradedesk.domain.words import ClientOrderId, RequestId
from tradedesk.orders.messages import Check, Emit, Send


def test_a_command_is_recorded_and_checked_before_anything_is_sent():
    """5.1, 5.4"""
    effects = Rig().manager.handle(a_place(), NOW)
    assert [type(effect) for effect in effects] == [Emit, Check]
    assert isinstance(effects[0], Emit)
    assert isinstance(effects[0].event, ev.OrderPlaced)


def test_what_the_gate_approves_is_sent_once():
    rig = Rig()
    effects = rig.tell(a_place())
    assert [effect.approved.order.client_order_id for effect in effects if isinstance(effect, Send)] == ["c1"]
    rig.wait(120)
    assert len(rig.sent) == 1
    assert rig.state() is OrderState.PendingNew


def test_what_the_gate_denies_is_never_sent_and_keeps_every_reason():
    rig = Rig()
    rig.gate_says_no = ("too large", "off tick")
    rig.tell(a_place())
    assert rig.sent == []
    assert rig.state() is OrderState.Denied
    assert rig.order().requests[0].reasons == ("too large", "off tick")


def test_an_order_stopped_by_the_last_check_was_never_sent():
    rig = Rig()
    rig.tell(a_place(), NotSent(request_id=RequestId("c1"), reason="halted"))
    assert rig.state() is OrderState.Denied
    assert rig.order().reasons == ("halted",)


def test_a_client_order_id_is_used_once_for_ever():
    """5.2: also after its order is dead, for an amend, and after a restart"""
    rig = Rig()
    rig.place("c1")
    rig.tell(a_place("c1"))
    assert len(rig.refusals()) == 1
    rig.gate_says_no = ("no",)
    rig.tell(a_place("dead"))
    rig.gate_says_no = ()
    rig.tell(a_place("dead"), an_amend("c1", "dead"), an_amend("c1", "c1"))
    assert len(rig.refusals()) == 4
    again = rig.restarted()
    again.tell(a_place("c1"), a_place("dead"))
    assert len(again.refusals()) == 2
    assert [approved.order.client_order_id for approved in rig.sent + again.sent] == ["c1"]


def test_an_order_is_new_by_the_venues_answer():
    rig = Rig()
    rig.place()
    assert rig.state() is OrderState.New
    assert rig.requests() == [RequestState.Acknowledged]
    assert rig.order().venue_order_id == "v-c1"


def test_an_acknowledgement_without_the_orders_fields_proves_it_all_the_same():
    rig = Rig()
    rig.tell(a_place(), Acknowledged(request_id=RequestId("c1"), report=None))
    assert rig.state() is OrderState.New


def test_a_refusal_that_is_proof_rejects_the_order_in_the_venues_words():
    rig = Rig()
    rig.tell(a_place(), refused(code=-2010, text="Account has insufficient balance for requested action."))
    assert rig.state() is OrderState.Rejected
    assert rig.order().reasons == ("venue -2010: Account has insufficient balance for requested action.",)
    assert rig.quarantined == []


def test_a_refusal_of_what_the_stream_has_shown_alive_is_asked_about_not_believed():
    """5.2: the venue contradicts itself, so the refusal proves nothing"""
    rig = Rig()
    rig.tell(a_place(), a_report("c1"), refused())
    assert rig.state() is OrderState.New
    assert rig.asked == ["c1"]


def test_F28_a_refused_key_blocks_the_account():
    rig = Rig()
    rig.tell(a_place(), refused(code=-2015, text="Invalid API-key, IP, or permissions for action.", is_auth=True))
    assert len(rig.quarantined) == 1
    assert rig.state() is OrderState.Rejected


def test_an_order_cancelled_before_it_left_may_not_leave():
    rig = Rig()
    rig.tell(a_place())
    assert rig.manager.may_leave(ClientOrderId("c1")) is None
    rig.tell(a_cancel())
    assert rig.manager.may_leave(ClientOrderId("c1")) == "cancelled before it was sent"
    assert rig.manager.may_leave(ClientOrderId("unheard of")) == "no longer open"


def test_a_replacement_may_not_leave_once_its_original_is_gone():
    rig = Rig()
    rig.place()
    rig.tell(an_amend())
    assert rig.manager.may_leave(ClientOrderId("c2")) is None
    rig.tell(a_report("c1", status=OrdStatus.Canceled))
    assert rig.manager.may_leave(ClientOrderId("c2")) == "the order it replaces is no longer open"


def test_an_answer_to_what_nobody_asked_changes_nothing():
    rig = Rig()
    assert rig.tell(an_ack("unheard-of"), refused("c9-c1")) == []


def test_the_deadline_travels_with_the_order():
    rig = Rig()
    rig.tell(a_place(deadline=NOW + 5 * SECOND))
    assert rig.sent[0].order.deadline == NOW + 5 * SECOND
