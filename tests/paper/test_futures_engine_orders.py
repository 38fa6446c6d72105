"""Orders on the futures engine: what is taken, what is refused with which code, and what happens to it on the book."""

import pytest
from futures_builders import (
    BTC,
    SECOND,
    T0,
    a_floor,
    algo,
    cheap,
    d,
    limit,
    market,
    position,
    stop,
    told,
    trade,
    trader,
)
from msgspec.structs import replace

from tradedesk.paper.futures.rows import Modify, NewOrder, OrderChanged, Status, Type
from tradedesk.paper.rows import Print, Refusal

MINUTE = 60 * SECOND


def refused(call, *args, **more):
    with pytest.raises(Refusal) as caught:
        call(*args, **more)
    return caught.value.code


# -- times in force ---------------------------------------------------------------------------------------------------
def test_a_limit_order_trades_what_it_meets_and_rests_with_the_remainder():
    exchange = a_floor()
    exchange.place("birch", limit("SELL", "1", "100"), T0)
    row = exchange.place("acme", limit("BUY", "3", "101"), T0)
    assert (row.status, row.executed_qty, row.avg_price, row.cum_quote) == (Status.PARTIALLY_FILLED, 1, 100, 100)
    assert exchange.depth("BTCUSDT").bids == ((d("101"), d("2")),)
    assert told(exchange.drain(), "acme") == [("NEW", "NEW"), ("TRADE", "PARTIALLY_FILLED")]


def test_better_prices_come_first_and_then_who_came_first():
    exchange = a_floor(trader("acme"), trader("birch"), trader("cedar"))
    exchange.place("birch", limit("SELL", "1", "101"), T0)
    exchange.place("cedar", limit("SELL", "1", "100"), T0)
    exchange.place("birch", limit("SELL", "1", "100"), T0)
    exchange.drain()
    exchange.place("acme", market("BUY", "2.5"), T0)
    prints = [(e.price, e.quantity) for e in exchange.drain() if isinstance(e, Print)]
    assert prints == [(100, 1), (100, 1), (101, d("0.5"))]
    assert position(exchange, "cedar").amount == -1


def test_immediate_or_cancel_expires_what_it_does_not_get():
    exchange = a_floor()
    exchange.place("birch", limit("SELL", "1", "100"), T0)
    row = exchange.place("acme", limit("BUY", "3", "100", "IOC"), T0)
    assert (row.status, row.executed_qty, row.expiry_reason) == (Status.EXPIRED, 1, 2)
    assert exchange.depth("BTCUSDT").bids == ()


def test_fill_or_kill_is_refused_and_forgotten_unless_all_of_it_is_there():
    exchange = a_floor()
    exchange.place("birch", limit("SELL", "1", "100"), T0)
    assert refused(exchange.place, "acme", limit("BUY", "1.1", "100", "FOK"), T0) == -5021
    assert exchange.all_orders("acme", "BTCUSDT") == []
    assert exchange.place("acme", limit("BUY", "1", "100", "FOK"), T0).status is Status.FILLED


def test_post_only_is_refused_where_it_would_take():
    exchange = a_floor()
    exchange.place("birch", limit("SELL", "1", "100"), T0)
    assert refused(exchange.place, "acme", limit("BUY", "1", "100", "GTX"), T0) == -5022
    assert exchange.place("acme", limit("BUY", "1", "99.9", "GTX"), T0).status is Status.NEW


def test_good_till_date_expires_at_its_time_and_not_before():
    exchange = a_floor()
    until = T0 + 11 * MINUTE
    row = exchange.place("acme", limit("BUY", "1", "99", "GTD", good_till_date=until), T0)
    assert row.good_till_date == until
    exchange.advance(until - 1)
    assert len(exchange.open_orders("acme")) == 1
    assert exchange.next_due() == until
    exchange.advance(until)
    assert exchange.order("acme", "BTCUSDT", order_id=row.order_id).status is Status.EXPIRED


@pytest.mark.parametrize("minutes", [10, -5, 10**10])
def test_good_till_date_must_be_ten_minutes_ahead_and_in_this_era(minutes):
    order = limit("BUY", "1", "99", "GTD", good_till_date=T0 + minutes * MINUTE)
    assert refused(a_floor().place, "acme", order, T0) == -5040


def test_a_market_order_without_anybody_there_expires():
    exchange = a_floor()
    row = exchange.place("acme", market("BUY", "1"), T0)
    assert (row.status, row.executed_qty, row.expiry_reason) == (Status.EXPIRED, 0, 9)


def test_a_market_order_stops_at_five_percent_from_the_mark():
    exchange = a_floor(contracts=[replace(cheap(BTC), multiplier_up=d(2))])
    exchange.place("birch", limit("SELL", "1", "105"), T0)
    exchange.place("birch", limit("SELL", "1", "105.1"), T0)
    row = exchange.place("acme", market("BUY", "2"), T0)
    assert (row.status, row.executed_qty) == (Status.EXPIRED, 1)
    assert refused(exchange.place, "acme", market("BUY", "1"), T0) == -4131


# -- filters and parameters -------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"symbol": "NOPEUSDT"}, -1121),
        ({"side": "HOLD"}, -1117),
        ({"time_in_force": None}, -1102),
        ({"time_in_force": "DAY"}, -1115),
        ({"time_in_force": "GTD"}, -1102),
        ({"good_till_date": T0 + 11 * MINUTE}, -1106),
        ({"quantity": None}, -1102),
        ({"price": None}, -1102),
        ({"price": d("0")}, -4001),
        ({"price": d("5000000")}, -4002),
        ({"price": d("1E+40")}, -4002),
        ({"price": d("0.01")}, -4013),
        ({"price": d("100.05")}, -4014),
        ({"price": d("100.001")}, -1111),
        ({"price": d("105.1")}, -4016),
        ({"quantity": d("0")}, -4003),
        ({"quantity": d("-1")}, -4003),
        ({"quantity": d("1000.001")}, -4005),
        ({"quantity": d("1E+40")}, -4005),
        ({"quantity": d("0.0001")}, -1111),
        ({"quantity": d("0.049")}, -4164),
        ({"stop_price": d("101")}, -1106),
        ({"callback_rate": d("1")}, -1106),
        ({"activation_price": d("101")}, -1106),
        ({"close_position": True}, -4136),
        ({"stp_mode": "DECREMENT"}, -5039),
        ({"working_type": "INDEX_PRICE"}, -1130),
        ({"price_match": "MIDDLE"}, -5037),
        ({"price_match": "QUEUE"}, -1106),
        ({"client_order_id": "x" * 37}, -4015),
        ({"client_order_id": "a b"}, -1100),
        ({"client_order_id": ""}, -1100),
    ],
)
def test_a_limit_order_that_is_not_well_formed_is_refused_with_its_code(change, code):
    exchange = a_floor()
    order = replace(limit("BUY", "1", "100"), **change)
    assert refused(exchange.check, "acme", order, T0) == code
    assert refused(exchange.place, "acme", order, T0) == code
    assert exchange.all_orders("acme", "BTCUSDT") == []


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"price": d(100)}, -1106),
        ({"time_in_force": "IOC"}, -1106),
        ({"quantity": None}, -1102),
        ({"quantity": d("120.001")}, -4005),
        ({"price_match": "OPPONENT"}, -5038),
    ],
)
def test_a_market_order_that_is_not_well_formed_is_refused_with_its_code(change, code):
    assert refused(a_floor().place, "acme", replace(market("BUY", "1"), **change), T0) == code


def test_a_sale_may_not_be_far_below_the_mark_but_far_above():
    exchange = a_floor()
    assert refused(exchange.place, "acme", limit("SELL", "1", "94.9"), T0) == -4024
    exchange.place("acme", limit("SELL", "1", "300"), T0)


def test_the_notional_may_be_small_when_the_order_only_reduces():
    exchange = a_floor()
    trade(exchange, "acme", "birch", "1", "100")
    assert refused(exchange.place, "acme", limit("SELL", "0.01", "101"), T0) == -4164
    exchange.place("acme", limit("SELL", "0.01", "101", reduce_only=True), T0)


def test_more_open_orders_than_the_limit_are_refused():
    few = cheap(BTC)
    few = replace(few, spec=replace(few.spec, max_orders=2), max_algo_orders=1)
    exchange = a_floor(contracts=[few])
    exchange.place("acme", limit("BUY", "1", "99"), T0)
    exchange.place_algo("acme", algo(Type.STOP_MARKET, "BUY", "1", "104"), T0)
    assert refused(exchange.place_algo, "acme", algo(Type.STOP_MARKET, "BUY", "1", "104"), T0) == -4045
    exchange.place("acme", limit("BUY", "1", "99"), T0)
    assert refused(exchange.place, "acme", limit("BUY", "1", "99"), T0) == -2025


def test_a_client_order_id_is_unique_among_open_orders_only():
    exchange = a_floor()
    first = exchange.place("acme", limit("BUY", "1", "99", client_order_id="mine"), T0)
    assert refused(exchange.place, "acme", limit("BUY", "1", "99", client_order_id="mine"), T0) == -4116
    exchange.cancel("acme", "BTCUSDT", T0, client_order_id="mine")
    again = exchange.place("acme", limit("BUY", "1", "99", client_order_id="mine"), T0)
    assert again.order_id != first.order_id
    assert exchange.order("acme", "BTCUSDT", client_order_id="mine").order_id == again.order_id


def test_who_may_not_trade_and_what_does_not_trade_is_refused():
    exchange = a_floor(trader("acme", can_trade=False), trader("birch"))
    assert refused(exchange.place, "acme", limit("BUY", "1", "99"), T0) == -2015
    halted = cheap(BTC)
    halted = replace(halted, spec=replace(halted.spec, status="HALT"))
    assert refused(a_floor(contracts=[halted]).place, "acme", limit("BUY", "1", "99"), T0) == -4108


# -- price match ------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("side", "match", "price"),
    [
        ("BUY", "OPPONENT", "101"), ("BUY", "OPPONENT_5", "103"), ("BUY", "QUEUE", "99"), ("BUY", "QUEUE_5", "97"),
        ("SELL", "OPPONENT", "99"), ("SELL", "OPPONENT_5", "97"), ("SELL", "QUEUE", "101"), ("SELL", "QUEUE_5", "103"),
    ],
)  # fmt: skip
def test_price_match_takes_its_price_from_the_book(side, match, price):
    exchange = a_floor()
    for n in range(5):
        exchange.place("birch", limit("BUY", "1", str(d(99) - d(n) / 2)), T0)
        exchange.place("birch", limit("SELL", "1", str(d(101) + d(n) / 2)), T0)
    row = exchange.place("acme", replace(limit(side, "1", "1", price_match=match), price=None), T0)
    assert (row.price, row.price_match) == (d(price), match)
    assert row.status is (Status.FILLED if "OPPONENT" in match else Status.NEW)


def test_price_match_without_such_a_level_is_refused():
    exchange = a_floor()
    exchange.place("birch", limit("SELL", "1", "101"), T0)
    order = replace(limit("BUY", "1", "1", price_match="OPPONENT_5"), price=None)
    assert refused(exchange.place, "acme", order, T0) == -5041


# -- self-trade prevention --------------------------------------------------------------------------------------------
def family():
    exchange = a_floor(trader("acme", group="one"), trader("birch", group="one"), trader("cedar"))
    exchange.place("birch", limit("SELL", "1", "100", client_order_id="own"), T0)
    exchange.place("cedar", limit("SELL", "1", "100"), T0)
    exchange.drain()
    return exchange


@pytest.mark.parametrize(
    ("mode", "own", "mine", "bought"),
    [
        ("NONE", Status.FILLED, Status.FILLED, 2),
        ("EXPIRE_MAKER", Status.EXPIRED_IN_MATCH, Status.PARTIALLY_FILLED, 1),
        ("EXPIRE_TAKER", Status.NEW, Status.EXPIRED_IN_MATCH, 0),
        ("EXPIRE_BOTH", Status.EXPIRED_IN_MATCH, Status.EXPIRED_IN_MATCH, 0),
    ],
)
def test_accounts_of_one_group_do_not_trade_with_each_other_unless_they_say_so(mode, own, mine, bought):
    exchange = family()
    row = exchange.place("acme", limit("BUY", "2", "100", stp_mode=mode), T0)
    assert (row.status, row.executed_qty) == (mine, bought)
    assert exchange.order("birch", "BTCUSDT", client_order_id="own").status is own
    assert row.expiry_reason == (1 if mine is Status.EXPIRED_IN_MATCH else 0)


def test_strangers_trade_whatever_the_mode():
    exchange = a_floor()
    exchange.place("birch", limit("SELL", "1", "100"), T0)
    assert exchange.place("acme", limit("BUY", "1", "100", stp_mode="EXPIRE_BOTH"), T0).status is Status.FILLED


# -- reduce only ------------------------------------------------------------------------------------------------------
def test_reduce_only_needs_a_position_on_the_other_side():
    exchange = a_floor()
    assert refused(exchange.place, "acme", limit("SELL", "1", "101", reduce_only=True), T0) == -2022
    trade(exchange, "acme", "birch", "1", "100")
    assert refused(exchange.place, "acme", limit("BUY", "1", "99", reduce_only=True), T0) == -2022


def test_a_reduce_only_order_is_cut_to_the_position():
    exchange = a_floor()
    trade(exchange, "acme", "birch", "2", "100")
    exchange.place("birch", limit("BUY", "5", "99"), T0)
    row = exchange.place("acme", market("SELL", "5", reduce_only=True), T0)
    assert (row.status, row.orig_qty, row.executed_qty) == (Status.FILLED, 2, 2)
    assert position(exchange, "acme").amount == 0


def test_resting_reduce_only_orders_never_turn_the_position_and_end_with_it():
    exchange = a_floor()
    trade(exchange, "acme", "birch", "2", "100")
    for price in ("101", "102"):
        exchange.place("acme", limit("SELL", "2", price, reduce_only=True, client_order_id=f"at{price}"), T0)
    exchange.place("acme", limit("SELL", "1.5", "100.5"), T0)
    exchange.drain()
    exchange.place("birch", market("BUY", "9"), T0)
    assert position(exchange, "acme").amount == 0
    assert exchange.open_orders("acme") == []
    cut = exchange.order("acme", "BTCUSDT", client_order_id="at101")
    never = exchange.order("acme", "BTCUSDT", client_order_id="at102")
    assert (cut.status, cut.executed_qty, cut.expiry_reason) == (Status.EXPIRED, d("0.5"), 4)
    assert (never.status, never.executed_qty, never.expiry_reason) == (Status.EXPIRED, 0, 4)


def test_reduce_only_orders_count_for_no_margin():
    exchange = a_floor(trader("acme", "5"), trader("birch"))
    trade(exchange, "acme", "birch", "1", "100")
    exchange.place("acme", limit("SELL", "1", "101", reduce_only=True), T0)
    assert position(exchange, "acme").open_order_initial_margin == 0


# -- modify -----------------------------------------------------------------------------------------------------------
def change(row, **more):
    values = {"quantity": row.orig_qty, "price": row.price} | {k: d(v) for k, v in more.items()}
    return Modify(symbol="BTCUSDT", side=row.side, order_id=row.order_id, **values)


def test_a_modified_order_loses_its_place_and_tells_both_prices():
    exchange = a_floor(trader("acme"), trader("birch"), trader("cedar"))
    mine = exchange.place("acme", limit("BUY", "2", "99"), T0)
    exchange.place("cedar", limit("BUY", "1", "99.5"), T0)
    exchange.drain()
    row = exchange.modify("acme", change(mine, price="99.5", quantity="1"), T0)
    assert (row.order_id, row.price, row.orig_qty, row.status) == (mine.order_id, d("99.5"), 1, Status.NEW)
    assert told(exchange.drain(), "acme") == [("AMENDMENT", "NEW")]
    exchange.place("birch", market("SELL", "1"), T0)
    assert position(exchange, "cedar").amount == 1
    assert position(exchange, "acme").amount == 0
    (amendment,) = exchange.amendments("acme", "BTCUSDT", order_id=mine.order_id)
    assert (amendment.price_before, amendment.price_after, amendment.qty_before, amendment.qty_after) == (
        99, d("99.5"), 2, 1,
    )  # fmt: skip
    assert amendment.count == 1


def test_a_modified_order_may_trade_at_once():
    exchange = a_floor()
    mine = exchange.place("acme", limit("BUY", "2", "99"), T0)
    exchange.place("birch", limit("SELL", "1", "100"), T0)
    row = exchange.modify("acme", change(mine, price="100"), T0)
    assert (row.status, row.executed_qty) == (Status.PARTIALLY_FILLED, 1)
    assert exchange.depth("BTCUSDT").bids == ((d(100), d(1)),)


def test_an_unchanged_or_unknown_order_is_not_modified():
    exchange = a_floor()
    mine = exchange.place("acme", limit("BUY", "2", "99"), T0)
    assert refused(exchange.modify, "acme", change(mine), T0) == -5027
    assert refused(exchange.modify, "birch", change(mine, price="98"), T0) == -2013
    waiting = exchange.place("acme", stop(Type.STOP, "BUY", "1", "104", "104"), T0)
    assert refused(exchange.modify, "acme", change(waiting, price="98"), T0) == -5025
    assert refused(exchange.modify, "acme", replace(change(mine), price=None), T0) == -1102
    assert refused(exchange.modify, "acme", replace(change(mine), quantity=None), T0) == -1102
    exchange.cancel("acme", "BTCUSDT", T0, order_id=mine.order_id)
    assert refused(exchange.modify, "acme", change(mine, price="98"), T0) == -2013


def test_a_refused_modification_keeps_order_and_place():
    exchange = a_floor(trader("acme", "10"), trader("birch"), trader("cedar"))
    mine = exchange.place("acme", limit("BUY", "1", "99"), T0)
    exchange.place("cedar", limit("BUY", "1", "99"), T0)
    assert refused(exchange.modify, "acme", change(mine, quantity="3"), T0) == -2019
    assert refused(exchange.modify, "acme", change(mine, price="106"), T0) == -4016
    exchange.place("birch", market("SELL", "1"), T0)
    assert position(exchange, "acme").amount == 1


def test_the_margin_an_order_had_counts_for_its_modification():
    exchange = a_floor(trader("acme", "10"), trader("birch"))
    mine = exchange.place("acme", limit("BUY", "2", "99"), T0)  # 9.9 of 10
    exchange.modify("acme", change(mine, price="100"), T0)
    assert refused(exchange.modify, "acme", change(mine, price="100", quantity="2.1"), T0) == -2019


def test_a_quantity_that_is_filled_already_cancels_the_order():
    exchange = a_floor()
    mine = exchange.place("acme", limit("BUY", "2", "99"), T0)
    exchange.place("birch", market("SELL", "1"), T0)
    row = exchange.modify("acme", change(mine, quantity="1"), T0)
    assert (row.status, row.executed_qty) == (Status.CANCELED, 1)


def test_a_post_only_order_moved_onto_the_other_side_is_cancelled():
    exchange = a_floor()
    mine = exchange.place("acme", limit("BUY", "2", "99", "GTX"), T0)
    exchange.place("birch", limit("SELL", "1", "100"), T0)
    assert exchange.modify("acme", change(mine, price="100"), T0).status is Status.CANCELED


def test_a_modification_may_take_its_price_from_the_book():
    exchange = a_floor()
    mine = exchange.place("acme", limit("BUY", "2", "99"), T0)
    exchange.place("birch", limit("BUY", "1", "99.5"), T0)
    matched = replace(change(mine), price=None, price_match="QUEUE")
    row = exchange.modify("acme", matched, T0)
    assert (row.price, row.price_match) == (d("99.5"), "QUEUE")
    assert refused(exchange.modify, "acme", replace(matched, price=d(98)), T0) == -1106
    assert refused(exchange.modify, "acme", replace(matched, price_match="NEAR"), T0) == -5037
    assert refused(exchange.modify, "acme", replace(change(mine), side="SELL"), T0) == -1117


def test_a_reduce_only_order_is_modified_within_its_position():
    exchange = a_floor()
    trade(exchange, "acme", "birch", "2", "100")
    mine = exchange.place("acme", limit("SELL", "1", "101", reduce_only=True), T0)
    assert refused(exchange.modify, "acme", change(mine, quantity="2.1"), T0) == -2022
    assert exchange.modify("acme", change(mine, quantity="2"), T0).orig_qty == 2


# -- batches, cancels, countdown --------------------------------------------------------------------------------------
def test_each_leg_of_a_batch_answers_for_itself():
    exchange = a_floor()
    legs = exchange.place_batch("acme", [limit("BUY", "1", "99"), limit("BUY", "0", "99"), limit("BUY", "2", "98")], T0)
    assert [leg.code if isinstance(leg, Refusal) else leg.orig_qty for leg in legs] == [1, -4003, 2]
    changed = exchange.modify_batch("acme", [change(legs[0], price="97"), change(legs[2])], T0)
    assert changed[0].price == 97
    assert changed[1].code == -5027
    gone = exchange.cancel_batch("acme", "BTCUSDT", T0, order_ids=[legs[0].order_id, 7])
    assert gone[0].status is Status.CANCELED
    assert gone[1].code == -2011


@pytest.mark.parametrize("count", [0, 6])
def test_a_batch_has_one_to_five_legs(count):
    assert refused(a_floor().place_batch, "acme", [limit("BUY", "1", "99")] * count, T0) == -4082
    assert refused(a_floor().modify_batch, "acme", [], T0) == -4082


def test_a_batch_cancels_one_to_ten():
    assert refused(a_floor().cancel_batch, "acme", "BTCUSDT", T0) == -1102
    assert refused(a_floor().cancel_batch, "acme", "BTCUSDT", T0, order_ids=range(11)) == -4083
    (leg,) = a_floor().cancel_batch("acme", "BTCUSDT", T0, client_order_ids=["x"])
    assert leg.code == -2011


def test_cancels_name_an_open_order_of_the_account():
    exchange = a_floor()
    row = exchange.place("acme", limit("BUY", "1", "99"), T0)
    assert refused(exchange.cancel, "birch", "BTCUSDT", T0, order_id=row.order_id) == -2011
    assert refused(exchange.cancel, "acme", "BTCUSDT", T0) == -1102
    assert exchange.cancel("acme", "BTCUSDT", T0, order_id=row.order_id).status is Status.CANCELED
    assert refused(exchange.cancel, "acme", "BTCUSDT", T0, order_id=row.order_id) == -2011
    assert refused(exchange.order, "acme", "BTCUSDT", order_id=7) == -2013
    assert refused(exchange.open_order, "acme", "BTCUSDT", order_id=row.order_id) == -2013
    assert exchange.order("acme", "BTCUSDT", order_id=row.order_id).status is Status.CANCELED


def test_cancel_all_takes_resting_and_waiting_orders_of_one_symbol():
    exchange = a_floor()
    exchange.place("acme", limit("BUY", "1", "99"), T0)
    exchange.place("acme", stop(Type.STOP_MARKET, "BUY", "1", "104"), T0)
    assert [row.status for row in exchange.cancel_all("acme", "BTCUSDT", T0)] == [Status.CANCELED] * 2
    assert exchange.cancel_all("acme", "BTCUSDT", T0) == []


def test_a_countdown_cancels_unless_it_is_renewed_or_stopped():
    exchange = a_floor()
    exchange.place("acme", limit("BUY", "1", "99"), T0)
    exchange.countdown_cancel_all("acme", "BTCUSDT", 2_000, T0)
    exchange.countdown_cancel_all("acme", "BTCUSDT", 2_500, T0 + SECOND)
    exchange.advance(T0 + 3 * SECOND)
    assert len(exchange.open_orders("acme")) == 1
    assert exchange.next_due() == T0 + 3 * SECOND + SECOND // 2
    exchange.countdown_cancel_all("acme", "BTCUSDT", 0, T0 + 3 * SECOND)
    exchange.advance(T0 + 9 * SECOND)
    assert len(exchange.open_orders("acme")) == 1
    exchange.countdown_cancel_all("acme", "BTCUSDT", 10, T0 + 9 * SECOND)
    exchange.advance(T0 + 9 * SECOND + 10_000_000)
    assert exchange.open_orders("acme") == []


# -- queries ----------------------------------------------------------------------------------------------------------
def test_orders_and_trades_are_paged_from_an_id_or_a_time_and_otherwise_the_newest():
    exchange = a_floor()
    for n in range(5):
        trade(exchange, "acme", "birch", "1", "100", T0 + n * SECOND)
    rows = exchange.all_orders("acme", "BTCUSDT")
    assert [r.time for r in rows] == [T0 + n * SECOND for n in range(5)]
    assert exchange.all_orders("acme", "BTCUSDT", limit=2) == rows[-2:]
    assert exchange.all_orders("acme", "BTCUSDT", order_id=rows[1].order_id, limit=2) == rows[1:3]
    assert exchange.all_orders("acme", "BTCUSDT", start=T0 + SECOND, end=T0 + 2 * SECOND) == rows[1:3]
    trades = exchange.user_trades("acme", "BTCUSDT")
    assert exchange.user_trades("acme", "BTCUSDT", from_id=trades[2].trade_id) == trades[2:]
    assert exchange.user_trades("acme", "BTCUSDT", order_id=rows[3].order_id) == [trades[3]]
    assert exchange.user_trades("acme", "BTCUSDT", limit=1) == trades[-1:]


def test_an_order_test_changes_nothing():
    exchange = a_floor()
    exchange.check("acme", limit("BUY", "1", "99"), T0)
    assert exchange.open_orders("acme") == []
    assert not [e for e in exchange.drain() if isinstance(e, OrderChanged)]


def test_accounts_are_added_while_it_runs():
    exchange = a_floor()
    exchange.add_account(trader("cedar"))
    exchange.place("cedar", limit("BUY", "1", "99"), T0)
    with pytest.raises(ValueError, match="there is one already"):
        exchange.add_account(trader("cedar"))


def test_the_book_deltas_rebuild_the_book():
    exchange = a_floor()
    book = {}
    last = exchange.depth("BTCUSDT").last_update_id
    for n in range(30):
        exchange.place("birch", limit("BUY" if n % 2 else "SELL", "1", str(97 + n % 7)), T0)
        delta = exchange.take_book_delta("BTCUSDT")
        assert delta.first_update_id == last + 1
        last = delta.last_update_id
        book |= {("bid", price): qty for price, qty in delta.bids} | {("ask", price): qty for price, qty in delta.asks}
    depth = exchange.depth("BTCUSDT")
    assert depth.last_update_id == last
    shown = {("bid", p): q for p, q in depth.bids} | {("ask", p): q for p, q in depth.asks}
    assert {key: qty for key, qty in book.items() if qty} == shown
    assert exchange.take_book_delta("BTCUSDT") is None


def test_conditional_types_are_refused_where_they_go_to_the_algo_endpoint():
    exchange = a_floor(accepts_legacy_conditional=False)
    order = stop(Type.STOP_MARKET, "BUY", "1", "104")
    assert refused(exchange.place, "acme", order, T0) == -4120
    assert refused(exchange.check, "acme", order, T0) == -4120
    assert exchange.place_batch("acme", [order], T0)[0].code == -4120


def test_an_account_row_counts_everything_together():
    exchange = a_floor()
    trade(exchange, "acme", "birch", "1", "100")
    exchange.place("acme", NewOrder(symbol="BTCUSDT", side="BUY", type=Type.MARKET, quantity=d(1)), T0)
    row = exchange.account("acme", T0)
    assert (row.total.wallet_balance, row.total.position_initial_margin, row.dual_side) == (100_000, 5, False)
    assert [p.amount for p in row.positions] == [1]
