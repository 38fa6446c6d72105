"""Comparing an account with its venue: the opening, what was missed, what nothing explains."""

from order_builders import (
    BTC,
    NOW,
    SECOND,
    Rig,
    a_fill,
    a_place,
    a_report,
    a_venue_state,
    an_info,
    d,
)

from tradedesk.domain import events as ev
from tradedesk.domain.orders import OrderState, OrdStatus
from tradedesk.domain.outcomes import VenueState
from tradedesk.domain.words import Side
from tradedesk.orders import reconcile
from tradedesk.orders.messages import Reconciliation


def look(rig: Rig, state: VenueState) -> ev.Reconciled:
    rig.tell(Reconciliation(state=state, marks={}))
    return next(event for event in reversed(rig.events) if isinstance(event, ev.Reconciled))


def test_the_opening_holds_what_was_there_and_a_zero_for_every_asset_of_the_desk():
    rows = reconcile.openings(a_venue_state(BNB="1"), an_info().instruments)
    assert [(row.asset, row.amount) for row in rows] == [
        ("BNB", d(1)), ("BTC", d(2)), ("ETH", d(0)), ("USDT", d(500000)),
    ]  # fmt: skip


def test_the_first_look_opens_the_account_once_at_the_marks_of_that_moment():
    rig = Rig([])
    rig.tell(Reconciliation(state=a_venue_state(taken_at=NOW + SECOND), marks={BTC: d(60000)}))
    opened = [event for event in rig.events if isinstance(event, ev.AccountOpened)]
    assert len(opened) == 1
    assert opened[0].trades_from == NOW + SECOND
    assert rig.position() == d(2)
    assert rig.manager.books.positions["acme", BTC].avg_px == d(60000)
    rig.tell(Reconciliation(state=a_venue_state(taken_at=NOW + 2 * SECOND), marks={BTC: d(70000)}))
    assert len([event for event in rig.events if isinstance(event, ev.AccountOpened)]) == 1
    assert rig.manager.trades_from == NOW + SECOND
    assert rig.restarted().manager.trades_from == NOW + SECOND


def test_fills_are_told_from_the_opening_by_the_clock_of_the_venue():
    """F57: fills carry the venue's time, the look ours"""
    rig = Rig([])
    rig.tell(Reconciliation(state=a_venue_state(taken_at=NOW), marks={}, clock_offset=-SECOND))
    assert rig.manager.trades_from == NOW - SECOND


def test_a_fill_told_before_the_first_look_neither_replaces_the_opening_nor_is_lost():
    """The stream comes up before the snapshot is taken (F15); what traded before it is in it"""
    rig = Rig([])
    inside = a_fill("foreign", trade_id="t1", qty="0.3", at=NOW + SECOND)
    after = a_fill("foreign", trade_id="t2", qty="0.2", at=NOW + 3 * SECOND)
    for fill, cum in ((inside, "0.3"), (after, "0.5")):
        rig.tell(a_report("foreign", OrdStatus.PartiallyFilled, fill=fill, cum=cum, side=Side.Buy, qty="1"))
    look(rig, a_venue_state(taken_at=NOW + 2 * SECOND))
    assert rig.position() == d("2.2")
    again = rig.restarted()
    assert again.position() == d("2.2")


def test_a_missed_fill_is_applied_from_the_venues_records_and_said():
    """F14"""
    rig = Rig()
    rig.place()
    fill = a_fill(qty="0.4")
    report = a_report("c1", OrdStatus.PartiallyFilled, cum="0.4")
    found = look(rig, a_venue_state(fills=[fill], open_orders=[report], taken_at=rig.now, BTC="2.4", USDT="476000"))
    assert rig.order().cum_qty == d("0.4")
    assert found.differences == ("1 fills had not been seen; applied from the venue's records",)
    assert rig.alerts() == []


def test_an_unexplained_balance_counts_only_when_two_looks_in_a_row_show_it():
    rig = Rig()
    assert look(rig, a_venue_state(taken_at=rig.now, BTC="2.5")).differences == ()
    assert rig.alerts() == []
    found = look(rig, a_venue_state(taken_at=rig.now, BTC="2.5"))
    assert found.differences == ("BTC: the venue shows 0.5 more than fills explain",)
    assert rig.alerts() == ["unexplained"]


def test_a_gap_that_changes_between_two_looks_is_not_yet_a_difference():
    rig = Rig()
    look(rig, a_venue_state(taken_at=rig.now, BTC="2.5"))
    assert look(rig, a_venue_state(taken_at=rig.now, BTC="2.6")).differences == ()
    assert look(rig, a_venue_state(taken_at=rig.now)).differences == ()
    assert rig.alerts() == []


def test_an_asset_that_vanished_from_the_venue_is_a_gap_too():
    state = a_venue_state(BTC="0")
    assert reconcile.unexplained({"BTC": d(2), "BNB": d(1), "USDT": d(500000)}, state) == {"BNB": d(-1), "BTC": d(-2)}


def test_orders_gone_from_the_venue_are_asked_about_but_not_those_younger_than_the_look():
    rig = Rig()
    rig.place("old")
    rig.wait(1)
    taken_at = rig.now
    rig.place("young")
    rig.tell(a_place("sent"))
    found = look(rig, a_venue_state(taken_at=taken_at))
    assert rig.asked == ["old"]
    assert found.differences == ("order old is not open at the venue; asked how it ended",)


def test_a_foreign_order_is_shown_as_external_and_dies_with_its_report():
    rig = Rig()
    foreign = a_report("foreign", OrdStatus.New, side=Side.Sell, qty="1", cum="0", price="70000")
    look(rig, a_venue_state(open_orders=[foreign], taken_at=rig.now))
    assert rig.order("foreign").is_external
    rig.tell(a_report("foreign", OrdStatus.Canceled, side=Side.Sell, qty="1", cum="0"))
    assert rig.state("foreign") is OrderState.Canceled


def test_a_contradiction_in_the_venues_list_blocks_the_account_and_changes_nothing():
    rig = Rig()
    rig.place()
    for wrong in (
        a_report("c1", side=Side.Sell),
        a_report("c1", qty="2"),
        a_report("c1", instrument="binance:ETHUSDT"),
    ):
        look(rig, a_venue_state(open_orders=[wrong], taken_at=NOW))
    assert len(rig.quarantined) == 3
    assert rig.state() is OrderState.New
