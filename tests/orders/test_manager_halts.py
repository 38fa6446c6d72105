"""A halt cancels what its level says, by id, until the venue shows none of it, and gives a receipt (5.5)."""

import msgspec
import pytest
from order_builders import (
    BTC,
    ETH,
    MS,
    Rig,
    a_fill,
    a_place,
    a_report,
    a_trade,
    a_venue_state,
    absent,
    an_ack,
    answered,
    refused,
    unproven,
)

from tradedesk.domain.accounts import HaltLevel
from tradedesk.domain.gate import FLATTENER
from tradedesk.domain.orders import OrderState, OrdStatus
from tradedesk.domain.outcomes import Acknowledged, VenueState
from tradedesk.domain.scopes import Scope, ScopeKind
from tradedesk.domain.words import InstrumentId, OrderType, RequestId, Side
from tradedesk.orders.messages import HaltEnded, HaltNow, Reconciliation

BTC_SCOPE = Scope(kind=ScopeKind.Instrument, name=BTC)


def halted(level: HaltLevel, rig: Rig | None = None) -> Rig:
    """An account with a buy and a sell working, halted."""
    if rig is None:
        rig = Rig()
        rig.place("buy")
        rig.place("sell", side=Side.Sell)
    rig.tell(HaltNow(level=level, by="risk1"))
    return rig


def cancelled(rig: Rig) -> list[str]:
    return [ticket.order.client_order_id for ticket in rig.cancels]


def confirm(rig: Rig, request_id: str, instrument: InstrumentId = BTC) -> None:
    client_order_id = request_id.partition("#")[0]
    report = a_report(client_order_id, OrdStatus.Canceled, cum="0", instrument=instrument)
    rig.tell(Acknowledged(request_id=RequestId(request_id), report=report))


def place_eth(rig: Rig) -> None:
    rig.place("eth", instrument=ETH, price="3000", acked=False)
    report = a_report("eth", OrdStatus.New, cum="0", instrument=ETH)
    rig.tell(Acknowledged(request_id=RequestId("eth"), report=report))


def eth_shown(rig: Rig) -> VenueState:
    report = a_report("eth", OrdStatus.New, cum="0", instrument=ETH)
    return a_venue_state(open_orders=[report], taken_at=rig.now + MS)


def look(rig: Rig, state: VenueState | None = None) -> None:
    rig.tell(Reconciliation(state=state or a_venue_state(taken_at=rig.now + MS), marks={}))


@pytest.mark.parametrize(
    ("level", "swept"),
    [
        (HaltLevel.BlockNew, []),
        (HaltLevel.ReduceOnly, []),
        (HaltLevel.CancelOpening, ["buy"]),
        (HaltLevel.CancelAll, ["buy", "sell"]),
        (HaltLevel.Flatten, ["buy", "sell"]),
    ],
)
def test_each_level_cancels_what_it_says(level, swept):
    assert cancelled(halted(level)) == swept


@pytest.mark.parametrize("level", [HaltLevel.BlockNew, HaltLevel.ReduceOnly])
def test_a_level_that_cancels_nothing_sweeps_nothing(level):
    rig = halted(level)
    rig.wait(5)
    assert (rig.cancels, rig.asked_state, rig.swept()) == ([], 0, [])


def test_protective_orders_stay_at_cancel_opening_unless_they_would_turn_the_position():
    rig = Rig()
    rig.place("s1", side=Side.Sell, qty="1.5")
    assert cancelled(halted(HaltLevel.CancelOpening, rig)) == []
    rig = Rig()
    rig.place("s1", side=Side.Sell, qty="1.5")
    rig.place("s2", side=Side.Sell, qty="1.5")  # together they sell more than the 2 that are held
    assert sorted(cancelled(halted(HaltLevel.CancelOpening, rig))) == ["s1", "s2"]


def test_the_receipt_comes_only_when_the_venue_itself_shows_none():
    rig = halted(HaltLevel.CancelAll)
    confirm(rig, "buy#c1")
    assert rig.asked_state == 0
    confirm(rig, "sell#c1")
    rig.wait(0.2)
    assert rig.asked_state == 1
    assert rig.swept() == []
    look(rig)
    receipt = rig.swept()[0]
    assert (receipt.cancelled, receipt.left) == (2, 0)
    assert receipt.took_ms > 0
    rig.wait(5)
    assert rig.asked_state == 1


def test_a_look_taken_before_the_sweep_was_done_is_no_confirmation():
    rig = halted(HaltLevel.CancelAll)
    taken_at = rig.now
    confirm(rig, "buy#c1")
    confirm(rig, "sell#c1")
    rig.wait(0.2)
    look(rig, a_venue_state(taken_at=taken_at))
    assert rig.swept() == []
    look(rig)
    assert len(rig.swept()) == 1


def test_the_receipt_of_cancel_opening_says_what_it_left():
    rig = halted(HaltLevel.CancelOpening)
    confirm(rig, "buy#c1")
    rig.wait(0.2)
    sell = a_report("sell", OrdStatus.New, side=Side.Sell, qty="1", cum="0")
    look(rig, a_venue_state(open_orders=[sell], taken_at=rig.now + MS))
    assert (rig.swept()[0].cancelled, rig.swept()[0].left) == (1, 1)


def test_F44_a_halt_waits_for_what_was_in_flight_and_cancels_it_too():
    rig = Rig()
    rig.tell(a_place("late"))
    halted(HaltLevel.CancelAll, rig)
    rig.tell(refused("late#c1", -2011, "Unknown order sent."), absent("late"), unproven("late"))
    rig.wait(3)
    assert rig.swept() == []
    assert rig.asked_state == 0
    rig.tell(a_report("late", OrdStatus.New, cum="0"))
    rig.wait(1.2)
    confirm(rig, rig.cancels[-1].request_id)
    rig.wait(0.2)
    look(rig)
    assert rig.state("late") is OrderState.Canceled
    assert len(rig.swept()) == 1


def test_a_lost_cancel_does_not_end_the_sweep():
    rig = halted(HaltLevel.CancelAll)
    confirm(rig, "sell#c1")
    rig.tell(unproven("buy#c1"))
    rig.listen(1.5, lambda asked: answered(a_report(asked, OrdStatus.New, cum="0")))
    assert cancelled(rig).count("buy") == 2
    confirm(rig, "buy#c2")
    rig.wait(0.2)
    look(rig)
    assert len(rig.swept()) == 1


def test_an_order_that_fills_instead_needs_no_cancel():
    rig = halted(HaltLevel.CancelAll)
    confirm(rig, "sell#c1")
    rig.tell(a_trade(a_fill("buy"), cum="1", is_last=True), unproven("buy#c1"))
    rig.wait(0.2)
    look(rig)
    assert len(rig.swept()) == 1


def test_something_that_turns_up_in_the_confirming_look_is_swept_too():
    rig = Rig()
    rig.tell(a_place("ghost"), refused("ghost"))
    halted(HaltLevel.CancelAll, rig)
    rig.wait(0.2)
    rig.place("other")
    look(rig)
    assert rig.swept() == []
    rig.wait(0.2)
    assert cancelled(rig) == ["other"]


def test_external_orders_are_left_alone_by_every_level():
    rig = Rig()
    rig.tell(a_report("foreign", OrdStatus.New, side=Side.Buy, qty="1", cum="0", price="50000"))
    halted(HaltLevel.Flatten, rig)
    rig.wait(3)
    assert rig.cancels == []


def test_a_stricter_level_goes_on_from_where_the_first_was():
    rig = halted(HaltLevel.CancelOpening)
    rig.tell(HaltNow(level=HaltLevel.CancelAll, by="risk1"))
    assert cancelled(rig) == ["buy", "sell"]


def test_the_same_halt_again_changes_nothing():
    rig = halted(HaltLevel.CancelAll)
    rig.tell(HaltNow(level=HaltLevel.CancelAll, by="risk1"))
    assert cancelled(rig) == ["buy", "sell"]


def test_a_rearm_ends_the_sweep_without_a_receipt():
    rig = halted(HaltLevel.CancelAll)
    rig.tell(HaltEnded())
    confirm(rig, "buy#c1")
    confirm(rig, "sell#c1")
    rig.wait(2)
    assert (rig.asked_state, rig.swept()) == (0, [])


def test_flatten_sells_what_is_left_after_the_receipt_as_a_reduction_at_market():
    rig = halted(HaltLevel.Flatten)
    confirm(rig, "buy#c1")
    confirm(rig, "sell#c1")
    rig.wait(0.2)
    before = len(rig.sent)
    look(rig)
    rig.wait(0.2)  # by then the account is Ready again, also after a restart
    assert len(rig.swept()) == 1
    assert len(rig.sent) == before + 1
    order = rig.sent[-1].order
    assert (order.instrument, order.side, order.order_qty) == (BTC, Side.Sell, 2)
    assert (order.order_type, order.reduce_only, order.operator) == (OrderType.Market, True, FLATTENER)
    rig.wait(60)
    assert len(rig.sent) == before + 1


def test_a_rearm_before_the_flattening_stops_it():
    rig = halted(HaltLevel.Flatten, Rig())
    rig.wait(0.2)
    look(rig)
    rig.tell(HaltEnded())
    rig.wait(2)
    assert rig.sent == []


def test_F78_a_halt_goes_on_after_a_restart():
    rig = halted(HaltLevel.CancelAll).restarted()
    rig.tell(HaltNow(level=HaltLevel.CancelAll, by="risk1"))
    assert rig.swept() == []
    rig.wait(2)
    assert set(cancelled(rig)) == {"buy", "sell"}


def test_a_halt_of_an_instrument_sweeps_its_orders_and_says_so_in_its_receipt():
    rig = Rig()
    rig.place("btc")
    place_eth(rig)
    rig.tell(HaltNow(level=HaltLevel.CancelAll, by="risk1", scope=BTC_SCOPE))
    assert cancelled(rig) == ["btc"]
    confirm(rig, "btc#c1")
    rig.wait(0.2)
    look(rig, eth_shown(rig))
    (receipt,) = rig.swept()
    assert (receipt.scope, receipt.cancelled, receipt.left) == (BTC_SCOPE, 1, 0)
    rig.wait(5)
    assert cancelled(rig) == ["btc"]


def test_a_halt_of_an_operator_sweeps_what_was_ordered_under_that_name():
    rig = Rig()
    rig.place("mine")
    rig.tell(HaltNow(level=HaltLevel.CancelAll, by="risk1", scope=Scope(kind=ScopeKind.Operator, name="somebody")))
    assert cancelled(rig) == []
    rig.tell(HaltNow(level=HaltLevel.CancelAll, by="risk1", scope=Scope(kind=ScopeKind.Operator, name="desk1")))
    assert cancelled(rig) == ["mine"]


def test_an_order_of_a_halted_algorithm_that_was_in_flight_is_cancelled_once_it_is_known():
    """5.5, F44"""
    rig = Rig()
    rig.tell(msgspec.structs.replace(a_place("child"), block="twap:7"))
    rig.tell(HaltNow(level=HaltLevel.CancelAll, by="risk1", scope=Scope(kind=ScopeKind.Algorithm, name="twap")))
    rig.tell(an_ack("child"))
    rig.wait(2)
    assert "child" in cancelled(rig)


def test_two_halts_are_swept_side_by_side_and_a_rearm_ends_its_own_alone():
    rig = Rig()
    rig.place("btc")
    place_eth(rig)
    rig.tell(HaltNow(level=HaltLevel.CancelAll, by="risk1", scope=BTC_SCOPE))
    rig.tell(HaltNow(level=HaltLevel.CancelAll, by="risk1"))
    rig.tell(HaltEnded(scope=BTC_SCOPE))
    confirm(rig, "btc#c1")
    confirm(rig, "eth#c1", ETH)
    rig.wait(0.2)
    look(rig)
    assert [receipt.scope for receipt in rig.swept()] == [None]


def test_flattening_an_instrument_closes_what_is_held_of_that_one_alone():
    rig = Rig()
    place_eth(rig)
    rig.tell(HaltNow(level=HaltLevel.Flatten, by="risk1", scope=BTC_SCOPE))
    rig.wait(0.2)
    look(rig, eth_shown(rig))
    before = len(rig.sent)
    rig.wait(0.2)
    assert [(sent.order.instrument, sent.order.side) for sent in rig.sent[before:]] == [(BTC, Side.Sell)]
