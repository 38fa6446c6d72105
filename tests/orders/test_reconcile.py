"""Comparing an account with its venue: the opening, what was missed, what nothing explains."""

import pytest
from order_builders import (
    BTC,
    MS,
    NOW,
    SECOND,
    Rig,
    a_fill,
    a_place,
    a_report,
    a_venue_state,
    absent,
    an_ack,
    an_info,
    d,
)

from tradedesk.domain import events as ev
from tradedesk.domain.commands import Settle
from tradedesk.domain.movements import Movement, MovementKind
from tradedesk.domain.orders import OrderState, OrdStatus
from tradedesk.domain.outcomes import MovementsAnswer, VenueState
from tradedesk.domain.words import AccountId, OperatorId, Side
from tradedesk.orders import reconcile
from tradedesk.orders.messages import Reconciliation

LAG_S = an_info().query_lag_ms / 1000


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
    rig.tell(Reconciliation(state=a_venue_state(taken_at=NOW, venue_time=NOW - SECOND), marks={}))
    assert rig.manager.trades_from == NOW - SECOND


def test_a_trade_right_after_the_opening_counts_though_the_clocks_were_measured_amiss():
    """5.3: the opening's balances are older than it by the venue's clock, whatever offset was measured before"""
    rig = Rig([])
    offset = SECOND  # measured too large, by 60 ms
    state = a_venue_state(taken_at=NOW, venue_time=NOW + 940 * MS)
    rig.tell(Reconciliation(state=state, marks={}, clock_offset=offset))
    after = a_fill("foreign", at=NOW + 970 * MS)
    rig.tell(a_report("foreign", OrdStatus.Filled, fill=after, cum="1", side=Side.Buy, qty="1"))
    assert rig.position() == d(3)


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
    rig.wait(LAG_S + 0.2)
    found = look(rig, a_venue_state(taken_at=rig.now, BTC="2.5"))
    assert found.differences == ("BTC: the venue shows 0.5 more than fills explain",)
    assert rig.alerts() == ["unexplained"]


# ---- what is no fill ------------------------------------------------------------------------------------------------------


def moved(amount: str, asset: str = "USDT", *, kind: MovementKind = MovementKind.Deposit, key: str = "m1", at: int = 0):
    return Movement(
        account=AccountId("acme"),
        asset=asset,
        amount=d(amount),
        kind=kind,
        movement_id=key,
        transact_time=at or NOW + SECOND,
    )


def looks_twice(rig: Rig, **balances: str) -> ev.Reconciled:
    """Far enough from each other that a fill which the first one missed must show in the second."""
    for _ in range(2):
        found = look(rig, a_venue_state(taken_at=rig.now, **balances))
        rig.wait(LAG_S + 0.2)
    return found


def test_a_deposit_is_read_from_the_venues_ledger_and_nobody_is_alarmed():
    """5.3"""
    rig = Rig()
    rig.ledger = [moved("250")]
    looks_twice(rig, USDT="500250")
    assert rig.manager.books.ledgers["acme"]["USDT"] == d("500250")
    found = look(rig, a_venue_state(taken_at=rig.now, USDT="500250"))
    assert (found.differences, found.worklist) == ((), ())
    assert rig.alerts() == []
    assert rig.asked_ledger == [rig.manager.trades_from]


def test_a_line_of_the_ledger_counts_once_however_often_it_is_read():
    """5.3"""
    rig = Rig()
    rig.ledger = [moved("250"), moved("250")]
    looks_twice(rig, USDT="500250")
    rig.ledger.append(moved("-100", kind=MovementKind.Withdrawal, key="m2"))
    looks_twice(rig, USDT="500150")
    again = rig.restarted()
    again.ledger = rig.ledger
    found = looks_twice(again, USDT="500150")
    assert (found.differences, found.worklist) == ((), ())
    assert again.manager.books.ledgers["acme"]["USDT"] == d("500150")


def test_what_moved_before_the_account_was_opened_stands_in_its_opening():
    rig = Rig()
    rig.ledger = [moved("250", at=NOW - SECOND)]
    looks_twice(rig)
    assert looks_twice(rig, USDT="500100").worklist[0].needs_decision
    assert rig.manager.books.ledgers["acme"]["USDT"] == d("500000")


def test_what_nothing_explains_waits_for_an_operator_and_is_alarmed():
    rig = Rig()
    found = looks_twice(rig, BTC="2.5")
    assert found.worklist == (
        ev.WorkItem(
            key="balance:BTC",
            ours="2",
            venues="2.5",
            cause="nothing in the venue's ledger or our fills explains it",
            repair="book it as it stands: +0.5 BTC",
            needs_decision=True,
        ),
    )
    assert rig.alerts() == ["unexplained"]


def test_a_decision_stays_to_be_made_over_a_restart():
    rig = Rig()
    looks_twice(rig, BTC="2.5")
    again = rig.restarted()
    found = look(again, a_venue_state(taken_at=again.now, BTC="2.5"))
    assert [item.needs_decision for item in found.worklist] == [True]


def test_a_difference_that_is_gone_at_the_next_look_needs_no_decision_any_more():
    rig = Rig()
    looks_twice(rig, BTC="2.5")
    assert look(rig, a_venue_state(taken_at=rig.now)).worklist == ()
    assert any(isinstance(event, ev.AlertEnded) for event in rig.events)


@pytest.mark.parametrize("cut_after", [ev.AlertRaised, ev.Reconciled, ev.AlertEnded])
def test_an_alarm_of_which_a_crash_kept_one_record_alone_ends_once_nothing_differs(cut_after):
    """Seed 810065: the alert was recorded, what it was about was not, and no later look ended it."""
    rig = Rig()
    looks_twice(rig, BTC="2.5")
    look(rig, a_venue_state(taken_at=rig.now))
    last = max(number for number, event in enumerate(rig._durable) if isinstance(event, cut_after))
    again = Rig(rig._durable[: last + 1], now=rig.now + SECOND)
    for _ in range(2):
        look(again, a_venue_state(taken_at=again.now))
    assert not again.manager.books.alerts["unexplained:acme"].is_active


def test_a_ledger_that_cannot_be_read_is_tried_again_and_then_left_to_the_operator():
    rig = Rig()
    rig.ledger_fails = "404"
    waits = []
    for _ in range(7):
        waits.append([item.needs_decision for item in looks_twice(rig, BTC="2.5").worklist])
    assert waits[0] == [False]
    assert waits[-1] == [True]
    assert "cannot be read (404)" in rig.manager.books.accounts["acme"].worklist[0].cause


def settle(key: str = "balance:BTC") -> Settle:
    return Settle(account=AccountId("acme"), key=key, note="dust of the old system", operator=OperatorId("desk1"))


def test_what_an_operator_settles_is_in_the_books_under_their_name_and_neither_gain_nor_loss():
    rig = Rig()
    looks_twice(rig, BTC="2.5")
    rig.tell(settle())
    seen = next(event for event in rig.events if isinstance(event, ev.MovementSeen))
    assert (seen.amount, seen.kind, seen.by, seen.note) == (d("0.5"), "accepted", "desk1", "dust of the old system")
    found = looks_twice(rig, BTC="2.5")
    assert (found.differences, found.worklist) == ((), ())
    assert rig.restarted().manager.books.ledgers["acme"]["BTC"] == d("2.5")


def test_what_is_settled_long_after_a_look_does_not_pass_for_a_look():
    """F14: fills are asked for from the last look on, and what happened since is in none"""
    rig = Rig()
    looks_twice(rig, BTC="2.5")
    looked_at = rig.manager.books.accounts["acme"].reconciled_at
    rig.wait(600, step_ms=10_000)
    rig.tell(settle())
    assert rig.manager.books.accounts["acme"].worklist == ()
    assert rig.manager.books.accounts["acme"].reconciled_at == looked_at


def test_only_what_waits_for_a_decision_can_be_settled():
    rig = Rig()
    looks_twice(rig, BTC="2.5")
    rig.tell(settle("balance:USDT"), settle("order:c1"))
    assert [text.split(":")[-1].split(";")[0].strip() for text in rig.refusals()] == [
        "nothing of that name waits to be settled"
    ] * 2
    assert rig.manager.books.ledgers["acme"]["BTC"] == d(2)


def test_two_looks_so_near_that_they_may_miss_the_same_fill_are_one_look_and_another_is_asked_for():
    rig = Rig()
    look(rig, a_venue_state(taken_at=rig.now, BTC="2.5"))
    rig.wait(LAG_S / 2)
    assert look(rig, a_venue_state(taken_at=rig.now, BTC="2.5")).differences == ()
    before = rig.asked_state
    rig.wait(LAG_S + 2)
    assert rig.asked_state == before + 1


def test_a_look_that_began_soon_after_a_slow_one_ended_may_miss_the_fill_that_showed_in_its_balances():
    """The first look reads the balances last: a fill of that moment shows in them, and not in fills listed within the lag"""
    rig = Rig()
    began = rig.now
    rig.wait(LAG_S + 2)
    look(rig, a_venue_state(taken_at=began, BTC="2.5"))
    rig.wait(LAG_S / 2)
    assert look(rig, a_venue_state(taken_at=rig.now, BTC="2.5")).differences == ()


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


def test_a_look_that_cuts_through_a_fill_while_the_ledger_is_read_is_no_difference():
    """The ledger was asked about what the look before it showed; what came up since is for the next look."""
    rig = Rig()
    rig.ledger_is_slow = True
    for after in (0, 3):
        rig.now += after * SECOND
        rig.tell(Reconciliation(state=a_venue_state(taken_at=rig.now, USDT="499995.75"), marks={}))
    rig.place("c1")
    rig.now += SECOND
    before_the_fill = a_venue_state(taken_at=rig.now, USDT="499995.75")
    rig.tell(an_ack("c1", a_fill(), status=OrdStatus.Filled))
    rig.tell(Reconciliation(state=before_the_fill, marks={}))
    rig.tell(MovementsAnswer(movements=()))
    assert "unexplained" not in rig.alerts()


def test_an_order_that_the_venue_lost_waits_for_an_operator_who_takes_it_for_ended():
    """F35: how it ended is not known and never will be; until a person decides, it counts, and nothing is opened"""
    rig = Rig()
    rig.place()
    rig.wait(LAG_S + 30)
    look(rig, a_venue_state(taken_at=rig.now))
    rig.tell(absent())
    rig.wait(LAG_S + 2)
    before = rig.asked_state
    rig.tell(absent())
    assert rig.asked_state == before + 1  # the worklist is to say so at once
    found = look(rig, a_venue_state(taken_at=rig.now))
    assert [(item.key, item.needs_decision) for item in found.worklist] == [("order:c1", True)]
    again = rig.restarted()
    assert [item.needs_decision for item in look(again, a_venue_state(taken_at=again.now)).worklist] == [True]
    asked = rig.asked_state
    rig.wait(60)
    rig.tell(absent())
    assert rig.asked_state == asked  # once is enough
    rig.tell(settle("order:c1"))
    assert rig.state() is OrderState.Expired
    assert "dust of the old system" in rig.manager.books.orders["c1"].reasons[0]
    assert rig.manager.books.accounts["acme"].worklist == ()
    assert [event.key for event in rig.events if isinstance(event, ev.AlertEnded)] == ["vanished:c1:acme"]
