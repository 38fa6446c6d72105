"""What waits goes by a clock that does not step, what repeats backs off, and no id is taken for another's."""

import re

from hypothesis import given
from hypothesis import strategies as st
from order_builders import (
    BTC,
    NOW,
    SECOND,
    Rig,
    a_cancel,
    a_place,
    a_report,
    a_venue_state,
    absent,
    an_amend,
    an_info,
    unproven,
)

from tradedesk.domain.accounts import HaltLevel
from tradedesk.domain.orders import OrderState, OrdStatus, RequestKind
from tradedesk.domain.outcomes import Refused, Unproven
from tradedesk.domain.words import ClientOrderId, InstrumentId, Side, client_order_id, is_a_desks
from tradedesk.orders.messages import HaltNow, Reconciliation, Tick


def test_a_cancels_answer_is_never_taken_for_another_orders():
    """5.2: an order may be called what a cancel's request once was"""
    rig = Rig()
    rig.place("grid")
    rig.place("grid-c1", acked=False)
    rig.tell(a_cancel("grid"))
    rig.tell(Refused(request_id=rig.cancels[-1].request_id, code=-2011, text="Unknown order sent."))
    assert rig.state("grid-c1") is OrderState.PendingNew
    assert rig.order("grid").requests[-1].kind is RequestKind.Cancel


def test_F58_a_step_of_the_wall_clock_proves_nothing():
    rig = Rig()
    rig.place("c1", acked=False)
    manager, elapsed = rig.manager, 10**12
    manager.handle(unproven("c1"), NOW, elapsed)
    later = NOW + 3_600 * SECOND  # NTP stepped the clock; a second has passed
    manager.handle(Tick(), later, elapsed + SECOND)
    manager.handle(absent("c1"), later, elapsed + SECOND)
    assert rig.state("c1") is OrderState.Unknown


def test_F58_a_step_back_holds_up_no_cancel():
    rig = Rig()
    rig.place("c1")
    manager, elapsed = rig.manager, 10**12
    manager.handle(HaltNow(level=HaltLevel.CancelAll, by="risk1"), NOW, elapsed)
    request_id = rig.order("c1").requests[-1].request_id
    manager.handle(Unproven(request_id=request_id, cause="timeout"), NOW, elapsed)
    earlier, asked = NOW - 3_600 * SECOND, 0
    for second in range(1, 30):
        effects = manager.handle(Tick(), earlier + second * SECOND, elapsed + second * SECOND)
        asked += len(effects)
    assert asked > 0
    assert len([request for request in rig.order("c1").requests if request.kind is RequestKind.Cancel]) > 1


def test_5_13_cancels_that_nothing_answers_are_repeated_ever_less_often():
    rig = Rig()
    rig.place("c1")
    rig.tell(HaltNow(level=HaltLevel.CancelAll, by="risk1"))
    answered = 0
    for _ in range(3_600):
        for ticket in rig.cancels[answered:]:
            rig.tell(Unproven(request_id=ticket.request_id, cause="no connection"), after_ms=0)
        answered = len(rig.cancels)
        rig.tell(Tick(), after_ms=1_000)
    assert 4 < len(rig.order("c1").requests) < 40


def test_a_cancel_of_an_order_stops_the_amend_of_it_on_its_way():
    """F77"""
    rig = Rig()
    rig.place("c1")
    rig.tell(an_amend("c1", "c2", qty="2"), a_cancel("c1"))
    assert rig.manager.may_leave(ClientOrderId("c2")) is not None


def test_a_flatten_that_the_gate_refused_is_tried_again():
    """5.5: a stale book is not for ever"""
    rig = Rig()
    rig.tell(HaltNow(level=HaltLevel.Flatten, by="risk1"))
    rig.gate_says_no = ("the market's data is stale",)
    rig.wait(0.2)
    rig.tell(Reconciliation(state=a_venue_state(taken_at=rig.now + 1), marks={}))
    rig.wait(1)
    assert rig.sent == []
    rig.gate_says_no = ()
    rig.wait(10)
    assert [(approved.order.side, approved.order.reduce_only) for approved in rig.sent] == [(Side.Sell, True)]


def test_an_external_order_of_an_instrument_we_do_not_list_is_over_once_the_venue_shows_it_no_more():
    """F42"""
    rig, doge = Rig(), InstrumentId("binance:DOGEUSDT")
    rig.tell(a_report("x1", OrdStatus.New, cum="0", qty="10", side=Side.Buy, instrument=doge, price="1"))
    assert rig.order("x1").is_external
    rig.tell(Reconciliation(state=a_venue_state(taken_at=rig.now + SECOND), marks={}), after_ms=1_000)
    assert rig.state("x1") is OrderState.Canceled
    assert BTC in {instrument.id for instrument in an_info().instruments}
    rig.tell(a_place("c1"))
    assert rig.state("c1") is not OrderState.Denied


def test_F66_F67_an_order_of_a_desk_that_the_journal_does_not_know_blocks_the_account_until_somebody_looked():
    """Another machine drives the account, or this journal is an older copy."""
    rig = Rig()
    key = client_order_id(NOW, 12345)
    rig.tell(a_report(key, qty="1", cum="0", side=Side.Buy))
    assert len(rig.quarantined) == 1
    assert key in rig.quarantined[0]
    assert rig.order(key).is_external  # shown and counted, and not ours to touch
    again = rig.restarted()
    again.tell(a_report(key, qty="1", cum="0", side=Side.Buy))
    assert again.quarantined == []


def test_an_order_of_other_software_blocks_nothing():
    """F42"""
    rig = Rig()
    rig.tell(a_report("web_4f3c2a", qty="1", cum="0", side=Side.Buy))
    assert rig.quarantined == []


@given(st.integers(10**18, 2 * 10**18), st.integers(0, 2**64))
def test_every_id_that_is_made_has_the_form_of_one(now, chance):
    key = client_order_id(now, chance)
    assert is_a_desks(key)
    assert re.fullmatch(r"[.A-Z:/a-z0-9_-]{1,36}", key)  # what the venue takes


@given(st.lists(st.tuples(st.integers(10**18, 10**18 + 10**9), st.integers(0, 2**40 - 1)), max_size=50))
def test_two_ids_are_one_only_in_the_same_microsecond_and_by_the_same_chance(made):
    """F21"""
    assert len({client_order_id(now, chance) for now, chance in made}) == len(
        {(now // 1000, chance) for now, chance in made}
    )
