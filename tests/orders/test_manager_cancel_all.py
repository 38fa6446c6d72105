"""Cancel everything: by account, instrument and side, until nothing is in flight, with a receipt."""

import pytest
from order_builders import (
    BTC,
    ETH,
    WINDOW_S,
    Rig,
    a_cancel_all,
    a_fill,
    a_report,
    a_trade,
    a_venue_state,
    absent,
    an_ack,
    answered,
    unproven,
)

from tradedesk.domain.orders import OrderState, OrdStatus, RequestState
from tradedesk.domain.outcomes import Acknowledged, NotSent, OrderReport
from tradedesk.domain.words import RequestId, Side
from tradedesk.orders.manager import MOST_CLEARINGS
from tradedesk.orders.messages import Reconciliation, Tick


def looked(rig: Rig, *shown: OrderReport) -> None:
    """The look that a receipt waits for."""
    rig.tell(Reconciliation(state=a_venue_state(open_orders=shown, taken_at=rig.now), marks={}))


def gone(rig: Rig, *keys: str) -> None:
    for key in keys:
        rig.tell(a_report(key, OrdStatus.Canceled, cum="0", instrument=rig.order(key).instrument))


def test_everything_in_scope_is_cancelled_and_the_venue_is_looked_at_before_the_receipt():
    rig = Rig()
    for key in ("c1", "c2"):
        rig.place(key)
    rig.tell(a_cancel_all())
    gone(rig, "c1")
    rig.tell(Tick())
    assert rig.asked_state == 0
    gone(rig, "c2")
    rig.tell(Tick())
    assert (rig.asked_state, rig.receipts()) == (1, [])
    looked(rig)
    (receipt,) = rig.receipts()
    assert (receipt.cancelled, receipt.ended, receipt.left, receipt.by) == (2, 0, 0, "desk1")
    assert receipt.took_ms > 0


@pytest.mark.parametrize(
    ("scope", "hit"),
    [
        ({}, {"btc-buy", "btc-sell", "eth-buy"}),
        ({"instrument": BTC}, {"btc-buy", "btc-sell"}),
        ({"side": Side.Buy}, {"btc-buy", "eth-buy"}),
        ({"instrument": ETH, "side": Side.Buy}, {"eth-buy"}),
        ({"instrument": ETH, "side": Side.Sell}, set()),
    ],
)
def test_only_what_is_in_scope_is_cancelled(scope, hit):
    rig = Rig()
    rig.place("btc-buy")
    rig.place("btc-sell", side=Side.Sell)
    rig.place("eth-buy", instrument=ETH, price="3000")
    rig.tell(a_report("theirs", qty="1", cum="0", side=Side.Buy, instrument=BTC))  # external: never touched
    rig.tell(a_cancel_all(**scope))
    assert {ticket.order.client_order_id for ticket in rig.cancels} == hit
    gone(rig, *hit)
    rig.tell(Tick())
    looked(rig)
    (receipt,) = rig.receipts()
    assert receipt.cancelled == len(hit)
    assert (receipt.instrument, receipt.side) == (scope.get("instrument"), scope.get("side"))


def test_F44_an_order_in_flight_is_swept_too_however_late_it_arrives():
    rig = Rig()
    rig.place("c1", acked=False)
    rig.tell(a_cancel_all())
    rig.tell(unproven("c1#c1", "timeout"), unproven("c1"))
    rig.listen(3, absent)
    assert (rig.state(), rig.receipts()) == (OrderState.Unknown, [])
    rig.tell(a_report("c1", OrdStatus.New, cum="0"))  # it arrives now
    rig.listen(12, lambda key: answered(a_report(key, OrdStatus.New, cum="0")))
    assert len(rig.cancels) >= 2
    gone(rig, "c1")
    rig.tell(Tick())
    looked(rig)
    assert rig.receipts()[0].cancelled == 1


def test_F44_an_order_that_never_arrives_ends_the_sweep_when_that_is_proved():
    rig = Rig()
    rig.place("c1", acked=False)
    rig.tell(a_cancel_all())
    rig.tell(unproven("c1#c1"), unproven("c1"))
    rig.listen(WINDOW_S + 3, absent)
    assert rig.state() is OrderState.NeverArrived
    looked(rig)
    assert (rig.receipts()[0].cancelled, rig.receipts()[0].ended) == (0, 1)


def test_an_order_that_waited_for_its_send_is_denied_and_counts_as_cancelled():
    rig = Rig()
    rig.place("c1", acked=False)
    rig.tell(a_cancel_all())
    rig.tell(NotSent(request_id=RequestId("c1"), reason="cancelled before it was sent"), Tick())
    looked(rig)
    assert (rig.state(), rig.receipts()[0].cancelled) == (OrderState.Denied, 1)


def test_what_fills_before_its_cancel_is_counted_apart():
    rig = Rig()
    rig.place("c1")
    rig.tell(a_cancel_all(), a_trade(a_fill(), cum="1", is_last=True), Tick())
    looked(rig)
    assert (rig.receipts()[0].cancelled, rig.receipts()[0].ended) == (0, 1)


def test_what_is_placed_afterwards_is_left_alone_and_does_not_hold_up_the_receipt():
    rig = Rig()
    rig.place("c1")
    rig.tell(a_cancel_all())
    rig.place("c2")
    gone(rig, "c1")
    rig.tell(Tick())
    looked(rig, a_report("c2", OrdStatus.New, cum="0"))
    assert [ticket.order.client_order_id for ticket in rig.cancels] == ["c1"]
    assert (rig.receipts()[0].cancelled, rig.receipts()[0].left) == (1, 0)
    assert rig.state("c2") is OrderState.New


def test_a_list_from_before_the_end_is_no_receipt_and_an_order_shown_after_it_is_told():
    rig = Rig()
    rig.place("c1")
    rig.tell(a_cancel_all())
    gone(rig, "c1")
    rig.tell(Tick())
    rig.tell(Reconciliation(state=a_venue_state(taken_at=rig.now - 10**9), marks={}))
    assert rig.receipts() == []
    looked(rig, a_report("c1", OrdStatus.New, cum="0"))
    assert rig.receipts()[0].left == 1


def test_a_scope_with_nothing_in_it_gets_its_receipt_all_the_same():
    rig = Rig()
    rig.tell(a_cancel_all())
    looked(rig)
    assert rig.receipts()[0].cancelled == 0


def test_so_many_at_a_time_are_cancelled_without_a_receipt_each():
    """5.13"""
    rig = Rig()
    rig.place("c1")
    for _ in range(MOST_CLEARINGS + 1):
        rig.tell(a_cancel_all())
    assert "one more receipt" in rig.refusals()[-1]
    gone(rig, "c1")
    rig.tell(Tick())
    looked(rig)
    assert len(rig.receipts()) == MOST_CLEARINGS


def test_a_cancel_answered_with_ids_alone_is_asked_about():
    rig = Rig()
    rig.place("c1")
    rig.tell(a_cancel_all(), Acknowledged(request_id=RequestId("c1#c1"), report=None))
    assert (rig.order().ord_status, rig.requests()[-1]) == (OrdStatus.New, RequestState.Acknowledged)
    assert rig.asked == ["c1"]
    rig.tell(answered(a_report("c1", OrdStatus.Canceled, cum="0")), Tick())
    looked(rig)
    assert rig.receipts()[0].cancelled == 1


def test_the_cancels_of_a_sweep_survive_a_restart_until_their_orders_are_gone():
    rig = Rig()
    rig.place("c1")
    rig.tell(a_cancel_all())
    again = rig.restarted()
    again.tell(Tick())
    assert [ticket.order.client_order_id for ticket in again.cancels] == ["c1"]
    again.tell(unproven("c1#c2"))
    once_more = again.restarted(after_s=60)
    once_more.tell(Tick())
    assert [ticket.order.client_order_id for ticket in once_more.cancels] == ["c1"]
    gone(once_more, "c1")
    last = once_more.restarted()
    last.wait(3)
    assert last.cancels == []


def test_a_late_ack_after_the_sweep_wakes_nothing():
    rig = Rig()
    rig.place("c1", acked=False)
    rig.tell(a_cancel_all())
    gone(rig, "c1")
    rig.tell(an_ack("c1"), Tick())
    assert rig.state() is OrderState.Canceled
