"""Fills: once, in any order, from any source, dead orders included (5.3)."""

from decimal import Decimal

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from order_builders import (
    BTC,
    ETH,
    MS,
    NOW,
    SECOND,
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
    answered,
    d,
    unproven,
)

from tradedesk.domain import events as ev
from tradedesk.domain.gate import FLATTENER
from tradedesk.domain.money import Money
from tradedesk.domain.orders import Fill, OrderState, OrdStatus, RequestState
from tradedesk.domain.words import ClientOrderId, Side
from tradedesk.domain.worst_case import worst_case
from tradedesk.orders.messages import FillsAnswer, Reconciliation, Tick


def listed(*fills: Fill, client_order_id: str = "c1", report=None, failed: str | None = None) -> FillsAnswer:
    return FillsAnswer(client_order_id=client_order_id, fills=fills, report=report, failed=failed)


def test_a_fill_moves_order_and_position():
    rig = Rig()
    rig.place()
    rig.tell(a_trade(a_fill(qty="0.4"), cum="0.4"))
    assert rig.state() is OrderState.PartiallyFilled
    assert rig.order().cum_qty == d("0.4")
    assert rig.position() == d("2.4")
    rig.tell(a_trade(a_fill(qty="0.6", trade_id="t2"), cum="1", is_last=True))
    assert rig.state() is OrderState.Filled
    assert rig.position() == d(3)
    assert rig.alerts() == []


def test_F32_a_trade_id_is_unique_only_within_its_instrument():
    rig = Rig()
    rig.place("c1")
    rig.place("e1", instrument=ETH, price="3000")
    rig.tell(a_trade(a_fill("c1", trade_id="7", qty="0.5"), cum="0.5"))
    rig.tell(a_trade(a_fill("e1", trade_id="7", qty="0.5", px="3000", instrument=ETH), cum="0.5"))
    assert (rig.position(BTC), rig.position(ETH)) == (d("2.5"), d("0.5"))


def test_F32_a_self_trade_gives_two_fills_with_one_id():
    rig = Rig()
    rig.place("buy")
    rig.place("sell", side=Side.Sell)
    rig.tell(a_trade(a_fill("buy", trade_id="7"), cum="1", is_last=True))
    rig.tell(a_trade(a_fill("sell", trade_id="7", side=Side.Sell), cum="1", is_last=True))
    assert (rig.state("buy"), rig.state("sell")) == (OrderState.Filled, OrderState.Filled)
    assert rig.position() == d(2)


@pytest.mark.parametrize(
    ("fee", "position"),
    [
        (Money(d("0.001"), "BTC"), "2.999"),
        (Money(d("60"), "USDT"), "3"),
        (Money(d("0.1"), "BNB"), "3"),
        (Money(d("-0.001"), "BTC"), "3.001"),
        (None, "3"),
    ],
)
def test_F33_the_position_counts_after_the_fee_and_an_unknown_fee_is_shown(fee, position):
    rig = Rig()
    rig.place()
    rig.tell(a_trade(a_fill(fee=fee), cum="1", is_last=True))
    assert rig.position() == d(position)
    held = rig.manager.books.positions["acme", BTC]
    assert held.has_unknown_fee is (fee is None)
    if fee is not None and fee.currency == "BNB":
        assert held.other_fees == (("BNB", d("0.1")),)


def test_F36_a_fill_may_arrive_before_the_ack():
    rig = Rig()
    rig.tell(a_place(), a_trade(a_fill(qty="1"), cum="1", is_last=True))
    assert rig.state() is OrderState.Filled
    rig.tell(an_ack("c1"), a_report("c1", OrdStatus.New, cum="0"))
    assert rig.state() is OrderState.Filled
    assert rig.requests() == [RequestState.Acknowledged]
    assert rig.alerts() == []


def test_F37_a_fill_told_by_answer_stream_listing_and_reconciliation_counts_once():
    rig = Rig()
    rig.tell(a_place())
    fill = a_fill(qty="0.4")
    rig.tell(an_ack("c1", fill, status=OrdStatus.PartiallyFilled), a_trade(fill, cum="0.4"), a_trade(fill, cum="0.4"))
    rig.tell(listed(fill), Reconciliation(state=a_venue_state(fills=[fill], taken_at=rig.now), marks={}))
    assert rig.order().cum_qty == d("0.4")
    assert rig.position() == d("2.4")
    after = rig.restarted()
    after.tell(a_trade(fill, cum="0.4"))
    assert after.position() == d("2.4")


def test_F38_partials_out_of_order_are_summed_by_fill_and_never_taken_back():
    rig = Rig()
    rig.place()
    first, second = a_fill(trade_id="t1", qty="0.3"), a_fill(trade_id="t2", qty="0.2")
    rig.tell(a_trade(second, cum="0.5"), a_trade(first, cum="0.3"))
    assert rig.order().cum_qty == d("0.5")
    rig.tell(a_report("c1", OrdStatus.PartiallyFilled, cum="0.1"))
    assert rig.order().cum_qty == d("0.5")
    assert rig.state() is OrderState.PartiallyFilled


def test_a_report_of_more_than_we_have_seen_asks_for_the_fills_before_it_is_believed():
    rig = Rig()
    rig.place()
    rig.tell(a_report("c1", OrdStatus.Canceled, cum="0.5"))
    assert rig.state() is OrderState.New
    asked = rig.asked_fills[-1]
    rig.tell(listed(a_fill(qty="0.5"), report=asked.report))
    assert rig.state() is OrderState.Canceled
    assert rig.order().cum_qty == d("0.5")
    assert rig.alerts() == []


def test_fills_that_the_venue_lists_late_are_asked_for_until_they_explain_its_report():
    """5.4: an order taken for dead before its fills are known is exposure that nobody counts"""
    rig = Rig()
    rig.place()
    rig.tell(a_report("c1", OrdStatus.Canceled, cum="0.5"))
    rig.tell(listed(report=rig.asked_fills[-1].report))
    assert rig.order().leaves_qty == d(1)
    rig.wait(1)
    assert len(rig.asked_fills) == 2
    rig.tell(listed(report=rig.asked_fills[-1].report, failed="timeout"))
    rig.wait(1)
    assert len(rig.asked_fills) == 3
    rig.tell(listed(a_fill(qty="0.5"), report=rig.asked_fills[-1].report))
    assert rig.state() is OrderState.Canceled
    rig.wait(2)
    assert len(rig.asked_fills) == 3
    assert rig.alerts() == []


def test_missing_fills_may_come_by_the_stream_while_they_are_asked_for():
    rig = Rig()
    rig.place()
    rig.tell(a_report("c1", OrdStatus.Canceled, cum="0.5"), a_trade(a_fill(qty="0.5"), cum="0.5"))
    rig.tell(Tick())
    assert rig.state() is OrderState.Canceled
    assert rig.alerts() == []


@pytest.mark.parametrize("dead", [OrdStatus.Canceled, OrdStatus.Expired, OrdStatus.Rejected])
def test_F40_a_late_fill_moves_the_position_and_leaves_a_dead_order_dead(dead):
    rig = Rig()
    rig.place()
    rig.tell(a_report("c1", dead, cum="0"))
    rig.tell(a_trade(a_fill(qty="0.4"), cum="0.4"))
    assert rig.order().ord_status is dead
    assert rig.order().cum_qty == d("0.4")
    assert rig.position() == d("2.4")
    assert rig.alerts() == ["late-fill"]


def test_F40_a_fill_of_an_order_that_was_never_sent_still_counts():
    rig = Rig()
    rig.gate_says_no = ("no",)
    rig.tell(a_place(), a_trade(a_fill(qty="0.4"), cum="0.4"))
    assert rig.position() == d("2.4")
    assert "late-fill" in rig.alerts()


def test_F41_an_overfill_is_applied_and_blocks_the_account():
    rig = Rig()
    rig.place()
    rig.tell(a_trade(a_fill(qty="1.5"), cum="1.5", is_last=True))
    assert rig.order().cum_qty == d("1.5")
    assert rig.position() == d("3.5")
    assert len(rig.quarantined) == 1


def test_F42_a_foreign_order_is_shown_counted_and_never_cancelled_unasked():
    rig = Rig()
    rig.tell(a_report("foreign", OrdStatus.New, side=Side.Sell, qty="1", cum="0", price="70000"))
    assert rig.order("foreign").is_external
    assert rig.order("foreign").leaves_qty == d(1)
    rig.tell(a_cancel_all())
    assert rig.cancels == []
    rig.tell(a_cancel("foreign"))
    assert [ticket.order.client_order_id for ticket in rig.cancels] == ["foreign"]


def test_F42_a_foreign_fill_moves_the_position_with_a_warning():
    rig = Rig()
    rig.tell(Reconciliation(state=a_venue_state(fills=[a_fill("foreign")], taken_at=rig.now, BTC="3"), marks={}))
    assert rig.position() == d(3)
    assert rig.alerts() == ["foreign-fill"]


def test_F42_a_foreign_order_counts_once_what_it_traded_before_we_saw_it():
    """5.4: its open rest is exposure; a fill listed later must not shrink it a second time"""
    rig = Rig()
    first = a_fill("foreign", trade_id="t1", qty="0.3", side=Side.Sell)
    second = a_fill("foreign", trade_id="t2", qty="0.2", side=Side.Sell)
    told = a_report(
        "foreign", OrdStatus.PartiallyFilled, fill=second, cum="0.5", side=Side.Sell, qty="1", price="60000"
    )
    rig.tell(told)
    assert rig.order("foreign").leaves_qty == d("0.8")  # until the fills are here, too much rather than too little
    rig.tell(listed(first, second, client_order_id="foreign", report=rig.asked_fills[-1].report))
    assert rig.order("foreign").leaves_qty == d("0.5")
    assert rig.position() == d("1.5")


def test_F42_a_foreign_order_seen_after_its_fills_does_not_count_them_again():
    rig = Rig()
    first = a_fill("foreign", trade_id="t1", qty="0.3", side=Side.Sell)
    report = a_report("foreign", OrdStatus.PartiallyFilled, cum="0.3", side=Side.Sell, qty="1", price="60000")
    rig.tell(Reconciliation(state=a_venue_state(fills=[first], open_orders=[report], taken_at=rig.now), marks={}))
    assert rig.order("foreign").leaves_qty == d("0.7")
    assert rig.state("foreign") is OrderState.PartiallyFilled
    assert rig.asked_fills == []


def test_F42_a_foreign_order_seen_after_all_its_fills_is_filled():
    rig = Rig()
    fill = a_fill("foreign", side=Side.Sell)
    rig.tell(Reconciliation(state=a_venue_state(fills=[fill], taken_at=rig.now), marks={}))
    rig.tell(a_report("foreign", OrdStatus.Filled, cum="1", side=Side.Sell, qty="1"))
    assert rig.state("foreign") is OrderState.Filled
    assert rig.position() == d(1)


def test_F42_a_foreign_order_that_traded_before_the_opening_still_dies():
    rig = Rig()
    old = a_fill("foreign", trade_id="t1", qty="0.3", side=Side.Sell, at=NOW - SECOND)
    new = a_fill("foreign", trade_id="t2", qty="0.7", side=Side.Sell)
    rig.tell(a_report("foreign", OrdStatus.PartiallyFilled, cum="0.3", side=Side.Sell, qty="1", price="60000"))
    rig.tell(listed(old, client_order_id="foreign", report=rig.asked_fills[-1].report))
    assert rig.state("foreign") is OrderState.New
    rig.tell(a_report("foreign", OrdStatus.Filled, fill=new, cum="1", side=Side.Sell, qty="1"))
    rig.tell(listed(old, new, client_order_id="foreign", report=rig.asked_fills[-1].report))
    assert rig.state("foreign") is OrderState.Filled
    assert rig.position() == d("1.3")


def test_a_fill_older_than_the_opening_is_already_in_it():
    rig = Rig()
    rig.tell(Reconciliation(state=a_venue_state(fills=[a_fill("old", at=NOW - SECOND)], taken_at=rig.now), marks={}))
    assert rig.position() == d(2)


def test_a_fill_that_names_only_the_venues_id_finds_its_order():
    rig = Rig()
    rig.place()
    fill = a_fill("v-c1", venue_order_id="v-c1", qty="0.4")
    rig.tell(Reconciliation(state=a_venue_state(fills=[fill], taken_at=rig.now), marks={}))
    assert rig.order().cum_qty == d("0.4")
    assert "foreign-fill" not in rig.alerts()


FILLS = (
    a_fill(trade_id="t1", qty="0.1"),
    a_fill(trade_id="t2", qty="0.2", fee=Money(d("0.0002"), "BTC")),
    a_fill(trade_id="t3", qty="0.3"),
    a_fill(trade_id="t4", qty="0.4"),
)
CUMS = ("0.1", "0.3", "0.6", "1")


def test_an_order_forgotten_while_its_fills_were_never_listed_stops_no_worker(monkeypatch):
    """5.13: the books forget the oldest dead orders; whatever still waits for one must not trip over that"""
    monkeypatch.setattr("tradedesk.views.replica.MAX_DEAD_ORDERS", 1)
    rig = Rig()
    rig.place()
    rig.tell(a_report("c1", OrdStatus.PartiallyFilled, cum="0.4"))  # its fill never comes
    rig.tell(a_report("c1", OrdStatus.Canceled))
    for key in ("c2", "c3"):
        rig.place(key)
        rig.tell(a_report(key, OrdStatus.Canceled))
    assert rig.manager.books.orders.get("c1") is None
    rig.wait(30)
    assert rig.state("c3") is OrderState.Canceled


NEWS = (
    *(a_trade(fill, cum=cum, is_last=cum == "1") for fill, cum in zip(FILLS, CUMS, strict=True)),
    an_ack("c1"),
    a_report("c1", OrdStatus.New, cum="0"),
    unproven(),
    answered(a_report("c1", OrdStatus.PartiallyFilled, cum="0.3")),
    absent(),
    listed(FILLS[0], FILLS[1]),
    Tick(),
)


@settings(max_examples=150, deadline=None)
@given(st.permutations(NEWS + NEWS))
def test_arrival_order_and_repetition_change_nothing_in_the_end(news):
    """5.3, F36 F37 F38"""
    rig = Rig()
    rig.tell(a_place(), *news)
    assert rig.state() is OrderState.Filled
    assert rig.order().cum_qty == d(1)
    assert rig.order().cum_quote == Decimal(60000)
    assert rig.position() == d("2.9998")
    assert rig.requests() == [RequestState.Acknowledged]
    assert rig.quarantined == []
    rig.wait(2)
    assert not rig.tell(Tick())


def test_F47_a_stop_that_became_another_order_while_we_were_away_is_linked_and_counts_once():
    """Where the venue makes a child of it: the event links the two, and exposure counts the larger."""
    rig = Rig()
    stop = a_report("their-stop", qty="2", cum="0", side=Side.Buy, venue_order_id="70")
    child = msgspec.structs.replace(
        a_report("their-child", qty="2", cum="0", side=Side.Buy, venue_order_id="71"),
        triggered_by=ClientOrderId("their-stop"),
    )
    rig.tell(stop, child)
    assert rig.order("their-child").triggered_by == "their-stop"
    assert worst_case(d(0), rig.manager.live.values()).high == d(2)
    assert rig.restarted().order("their-child").triggered_by == "their-stop"
    rig.tell(msgspec.structs.replace(stop, ord_status=OrdStatus.Expired), child)
    assert worst_case(d(0), rig.manager.live.values()).high == d(2)
    linked = [event for event in rig.events if isinstance(event, ev.OrderChanged)]
    assert len(linked) == 1


KILLS = ClientOrderId("kill-dhtxr4g000-1a")


def test_a_position_that_a_kill_closed_is_closed_by_an_order_of_ours():
    rig = Rig()
    rig.tell(a_report(KILLS, OrdStatus.Filled, fill=a_fill(KILLS, side=Side.Sell), cum="1", qty="1", side=Side.Sell))
    order = rig.order(KILLS)
    assert (order.is_external, order.operator, order.ord_status) == (False, FLATTENER, OrdStatus.Filled)
    assert (rig.position(), rig.alerts(), rig.quarantined) == (1, [], [])


def test_a_kills_order_that_is_known_by_its_fills_alone_is_asked_about_and_shown_as_ours():
    rig = Rig()
    fills = [a_fill(KILLS, trade_id=f"t{n}", qty="0.5", side=Side.Sell) for n in (1, 2)]
    rig.tell(Reconciliation(state=a_venue_state(fills=fills, BTC="1", USDT="560000", taken_at=rig.now + MS), marks={}))
    assert (rig.alerts(), rig.position()) == ([], 1)
    assert set(rig.asked) == {KILLS}
    rig.tell(answered(a_report(KILLS, OrdStatus.Filled, cum="1", qty="1", side=Side.Sell)))
    order = rig.order(KILLS)
    assert (order.is_external, order.ord_status, order.cum_qty) == (False, OrdStatus.Filled, 1)
    assert rig.alerts() == []
    assert rig.restarted().order(KILLS) == order
