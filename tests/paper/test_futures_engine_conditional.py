"""Conditional orders of the futures engine: on the order endpoint as clients of old send them, and as algo orders."""

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

from tradedesk.paper.futures.rows import AlgoChanged, AlgoStatus, OrderChanged, Status, TriggerRejected, Type
from tradedesk.paper.rows import Refusal

MINUTE = 60 * SECOND


def refused(call, *args, **more):
    with pytest.raises(Refusal) as caught:
        call(*args, **more)
    return caught.value.code


def a_market(*accounts, **more):
    """birch bids 99 and offers 101, 50 each; the last price is 100. Others trade between."""
    exchange = a_floor(*(accounts or (trader("acme"),)), trader("birch", "1000000"), trader("cedar", "1000000"), **more)
    trade(exchange, "birch", "cedar", "1", "100")
    exchange.place("birch", limit("BUY", "50", "96"), T0)
    exchange.place("birch", limit("SELL", "50", "104"), T0)
    exchange.drain()
    return exchange


def last(exchange, price, now=T0):
    """Somebody trades at a price."""
    trade(exchange, "cedar", "birch", "0.1", price, now)


@pytest.mark.parametrize(
    ("kind", "side", "trigger", "quiet", "fires"),
    [
        (Type.STOP_MARKET, "BUY", "102", "101.9", "102"),
        (Type.STOP_MARKET, "SELL", "98", "98.1", "98"),
        (Type.TAKE_PROFIT_MARKET, "BUY", "98", "98.1", "98"),
        (Type.TAKE_PROFIT_MARKET, "SELL", "102", "101.9", "102"),
    ],
)
def test_stops_fire_against_and_take_profits_with_the_order(kind, side, trigger, quiet, fires):
    exchange = a_market()
    row = exchange.place("acme", stop(kind, side, "1", trigger), T0)
    last(exchange, quiet)
    assert exchange.order("acme", "BTCUSDT", order_id=row.order_id).status is Status.NEW
    assert position(exchange, "acme").amount == 0
    last(exchange, fires)
    after = exchange.order("acme", "BTCUSDT", order_id=row.order_id)
    assert (after.status, after.type, after.orig_type) == (Status.FILLED, Type.MARKET, kind)
    assert position(exchange, "acme").amount == (1 if side == "BUY" else -1)


def test_the_waiting_order_expires_and_under_its_id_a_market_order_is_new():
    exchange = a_market()
    row = exchange.place("acme", stop(Type.STOP_MARKET, "BUY", "1", "102"), T0)
    assert (row.status, row.type, row.stop_price, row.price) == (Status.NEW, Type.STOP_MARKET, 102, 0)
    exchange.drain()
    last(exchange, "102")
    mine = [e for e in exchange.drain() if isinstance(e, OrderChanged) and e.row.account == "acme"]
    assert [(e.what, e.row.type, e.row.expiry_reason) for e in mine] == [
        ("EXPIRED", Type.STOP_MARKET, 8),
        ("NEW", Type.MARKET, 0),
        ("TRADE", Type.MARKET, 0),
    ]
    assert {e.row.order_id for e in mine} == {row.order_id}


def test_a_stop_limit_rests_at_its_price_once_it_fired():
    exchange = a_market()
    row = exchange.place("acme", stop(Type.STOP, "BUY", "1", "102", "101"), T0)
    last(exchange, "102")
    after = exchange.order("acme", "BTCUSDT", order_id=row.order_id)
    assert (after.status, after.type, after.price) == (Status.NEW, Type.LIMIT, 101)
    assert exchange.depth("BTCUSDT").bids[0] == (101, 1)


@pytest.mark.parametrize(
    ("kind", "side", "trigger"),
    [
        (Type.STOP_MARKET, "BUY", "100"),
        (Type.STOP_MARKET, "SELL", "101"),
        (Type.TAKE_PROFIT_MARKET, "BUY", "100"),
        (Type.TAKE_PROFIT_MARKET, "SELL", "99"),
    ],
)
def test_what_would_trigger_at_once_is_refused(kind, side, trigger):
    exchange = a_market()
    assert refused(exchange.place, "acme", stop(kind, side, "1", trigger), T0) == -2021
    assert refused(exchange.place_algo, "acme", algo(kind, side, "1", trigger), T0) == -2021


def test_the_mark_price_fires_what_asks_for_it_and_only_that():
    exchange = a_market()
    on_mark = exchange.place("acme", stop(Type.STOP_MARKET, "BUY", "1", "102", working_type="MARK_PRICE"), T0)
    on_last = exchange.place("acme", stop(Type.STOP_MARKET, "BUY", "1", "102"), T0)
    last(exchange, "103")
    assert exchange.order("acme", "BTCUSDT", order_id=on_last.order_id).status is Status.FILLED
    assert exchange.order("acme", "BTCUSDT", order_id=on_mark.order_id).status is Status.NEW
    exchange.set_mark_price("BTCUSDT", d("102"), T0)
    assert exchange.order("acme", "BTCUSDT", order_id=on_mark.order_id).status is Status.FILLED


def test_price_protection_waits_while_last_and_mark_are_far_apart():
    """The contract believes a trigger within 1 %"""
    exchange = a_market(contracts=[replace(cheap(BTC), trigger_protect=d("0.01"))])
    exchange.place("acme", stop(Type.STOP_MARKET, "BUY", "1", "102", price_protect=True), T0)
    last(exchange, "102")
    assert position(exchange, "acme").amount == 0
    exchange.set_mark_price("BTCUSDT", d("100.9"), T0)
    assert position(exchange, "acme").amount == 0
    exchange.set_mark_price("BTCUSDT", d("101"), T0)
    assert position(exchange, "acme").amount == 1


def test_close_position_closes_whatever_there_is_when_it_fires():
    exchange = a_market()
    trade(exchange, "acme", "birch", "2", "100")
    row = exchange.place("acme", stop(Type.STOP_MARKET, "SELL", None, "98", close_position=True), T0)
    assert (row.orig_qty, row.close_position, row.reduce_only) == (0, True, True)
    trade(exchange, "acme", "birch", "1", "100")
    last(exchange, "98")
    assert position(exchange, "acme").amount == 0
    after = exchange.order("acme", "BTCUSDT", order_id=row.order_id)
    assert (after.status, after.orig_qty, after.executed_qty) == (Status.FILLED, 3, 3)


def test_one_stop_and_one_take_profit_may_wait_to_close_a_position():
    exchange = a_market()
    exchange.place("acme", stop(Type.STOP_MARKET, "SELL", None, "98", close_position=True), T0)
    exchange.place_algo("acme", algo(Type.TAKE_PROFIT_MARKET, "SELL", None, "102", close_position=True), T0)
    exchange.place("acme", stop(Type.STOP_MARKET, "BUY", None, "102", close_position=True), T0)
    for again in (Type.STOP_MARKET, Type.TAKE_PROFIT_MARKET):
        trigger = "97" if again is Type.STOP_MARKET else "103"
        assert refused(exchange.place, "acme", stop(again, "SELL", None, trigger, close_position=True), T0) == -4130
        assert (
            refused(exchange.place_algo, "acme", algo(again, "SELL", None, trigger, close_position=True), T0) == -4130
        )


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"quantity": d(1)}, -1106),
        ({"reduce_only": True}, -1106),
        ({"type": Type.TRAILING_STOP_MARKET}, -4136),
        ({"stop_price": None}, -1102),
        ({"stop_price": d("98.05")}, -4014),
        ({"price": d("98")}, -1106),
    ],
)
def test_a_close_position_order_that_is_not_well_formed_is_refused(change, code):
    order = replace(stop(Type.STOP_MARKET, "SELL", None, "98", close_position=True), **change)
    assert refused(a_market().place, "acme", order, T0) == code


def test_a_triggered_order_that_is_refused_ends_and_says_why():
    exchange = a_market()
    row = exchange.place("acme", stop(Type.STOP_MARKET, "SELL", "1", "98", reduce_only=True), T0)
    exchange.drain()
    last(exchange, "98")
    events = exchange.drain()
    assert told(events, "acme") == [("EXPIRED", "EXPIRED")]
    (rejected,) = [e for e in events if isinstance(e, TriggerRejected)]
    assert (rejected.order_id, rejected.reason) == (row.order_id, "ReduceOnly Order is rejected.")


def test_one_firing_sets_off_the_next():
    exchange = a_market(trader("acme"), trader("dune"))
    exchange.place("birch", limit("SELL", "1", "103"), T0)
    exchange.place("acme", stop(Type.STOP_MARKET, "BUY", "1", "102"), T0)
    exchange.place("dune", stop(Type.STOP_MARKET, "BUY", "1", "103"), T0)
    last(exchange, "102")
    assert position(exchange, "acme").entry_price == 103
    assert position(exchange, "dune").entry_price == 104


@pytest.mark.parametrize("close_price", ["100", "99.5"])
def test_what_waits_good_till_expired_goes_with_its_position(close_price):
    exchange = a_market()
    waits = replace(stop(Type.STOP_MARKET, "SELL", None, "98", close_position=True), time_in_force="GTE_GTC")
    profit = algo(Type.TAKE_PROFIT_MARKET, "SELL", None, "103", close_position=True, time_in_force="GTE_GTC")
    assert refused(exchange.place, "acme", waits, T0) == -4509
    assert refused(exchange.place_algo, "acme", profit, T0) == -4509
    trade(exchange, "acme", "birch", "1", "100")
    row = exchange.place("acme", waits, T0)
    other = exchange.place_algo("acme", profit, T0)
    trade(exchange, "birch", "acme", "0.5", close_price)
    assert len(exchange.open_orders("acme")) == 1
    trade(exchange, "birch", "acme", "1", close_price)  # beyond the position
    after = exchange.order("acme", "BTCUSDT", order_id=row.order_id)
    assert (after.status, after.expiry_reason, after.time_in_force) == (Status.EXPIRED, 6, "GTE_GTC")
    assert exchange.algo_order("acme", algo_id=other.algo_id).status is AlgoStatus.EXPIRED


def test_good_till_expired_is_for_conditional_orders():
    assert refused(a_market().place, "acme", limit("BUY", "1", "100", "GTE_GTC"), T0) == -1115


# -- trailing ---------------------------------------------------------------------------------------------------------
def trailing(side, rate, activation=None, **more):
    return stop(
        Type.TRAILING_STOP_MARKET,
        side,
        "1",
        None,
        callback_rate=d(rate),
        activation_price=None if activation is None else d(activation),
        **more,
    )


def test_a_trailing_sale_follows_the_rise_and_fires_on_the_way_back():
    """1 % below 103 is 101.97"""
    exchange = a_market()
    exchange.place("acme", trailing("SELL", "1"), T0)
    for price in ("101", "103", "102"):
        last(exchange, price)
        assert position(exchange, "acme").amount == 0
    last(exchange, "101.9")
    assert position(exchange, "acme").amount == -1


def test_a_trailing_buy_follows_the_fall():
    exchange = a_market()
    exchange.place("acme", trailing("BUY", "1"), T0)
    for price in ("98", "97", "97.9"):  # 97.97
        last(exchange, price)
        assert position(exchange, "acme").amount == 0
    last(exchange, "98")
    assert position(exchange, "acme").amount == 1


def test_a_trailing_stop_sleeps_until_its_activation_price():
    exchange = a_market()
    exchange.place("acme", trailing("SELL", "1", "102"), T0)
    for price in ("101.9", "97", "102", "101"):  # 1 % below 102 is 100.98
        last(exchange, price)
        assert position(exchange, "acme").amount == 0
    last(exchange, "100.9")
    assert position(exchange, "acme").amount == -1


@pytest.mark.parametrize(
    ("order", "code"),
    [
        (trailing("SELL", "1", "99"), -2021),
        (trailing("BUY", "1", "101"), -2021),
        (trailing("BUY", "0.09"), -1130),
        (trailing("BUY", "10.1"), -1130),
        (trailing("BUY", "0.15"), -1130),
        (replace(trailing("BUY", "1"), callback_rate=None), -1102),
        (replace(trailing("BUY", "1"), stop_price=d(99)), -1106),
        (replace(trailing("BUY", "1"), quantity=None), -1102),
    ],
)
def test_a_trailing_stop_that_is_not_well_formed_is_refused(order, code):
    assert refused(a_market().place, "acme", order, T0) == code


# -- algo orders ------------------------------------------------------------------------------------------------------
def algo_told(events):
    return [e.row.status for e in events if isinstance(e, AlgoChanged)]


def test_an_algo_order_places_an_order_of_its_own_when_it_fires():
    exchange = a_market()
    waiting = exchange.place_algo("acme", algo(Type.STOP_MARKET, "BUY", "1", "102", client_algo_id="mine"), T0)
    assert (waiting.status, waiting.order_id, waiting.trigger_price) == (AlgoStatus.NEW, 0, 102)
    assert exchange.open_orders("acme") == []
    assert exchange.open_algo_orders("acme") == [waiting]
    last(exchange, "102", T0 + SECOND)
    events = exchange.drain()
    assert algo_told(events) == [AlgoStatus.NEW, AlgoStatus.TRIGGERING, AlgoStatus.TRIGGERED, AlgoStatus.FINISHED]
    assert told(events, "acme") == [("NEW", "NEW"), ("TRADE", "FILLED")]
    done = exchange.algo_order("acme", client_algo_id="mine")
    assert (done.status, done.executed_qty, done.avg_price, done.order_type) == (AlgoStatus.FINISHED, 1, 104, "MARKET")
    assert done.trigger_time == T0 + SECOND
    real = exchange.order("acme", "BTCUSDT", order_id=done.order_id)
    assert (real.client_order_id, real.type, real.status) == ("mine", Type.MARKET, Status.FILLED)
    assert exchange.open_algo_orders("acme") == []


def test_an_algo_stop_limit_is_finished_when_its_order_is():
    exchange = a_market()
    waiting = exchange.place_algo("acme", algo(Type.STOP, "BUY", "1", "102", "101"), T0)
    last(exchange, "102")
    triggered = exchange.algo_order("acme", algo_id=waiting.algo_id)
    assert triggered.status is AlgoStatus.TRIGGERED
    exchange.cancel("acme", "BTCUSDT", T0, order_id=triggered.order_id)
    assert exchange.algo_order("acme", algo_id=waiting.algo_id).status is AlgoStatus.FINISHED


def test_an_algo_order_that_is_refused_when_it_fires_is_rejected_with_the_reason():
    exchange = a_market(trader("acme", "1"))
    waiting = exchange.place_algo("acme", algo(Type.STOP_MARKET, "BUY", "1", "102"), T0)
    last(exchange, "102")
    row = exchange.algo_order("acme", algo_id=waiting.algo_id)
    assert (row.status, row.reject_reason) == (AlgoStatus.REJECTED, "Margin is insufficient.")
    assert exchange.all_orders("acme", "BTCUSDT") == []


def test_algo_orders_close_positions_and_trail_too():
    exchange = a_market()
    trade(exchange, "acme", "birch", "2", "100")
    exchange.place_algo("acme", algo(Type.TAKE_PROFIT_MARKET, "SELL", None, "103", close_position=True), T0)
    last(exchange, "103")
    assert position(exchange, "acme").amount == 0
    exchange.place_algo("acme", algo(Type.TRAILING_STOP_MARKET, "SELL", "1", None, callback_rate=d(1)), T0)
    last(exchange, "103")
    last(exchange, "101.9")
    assert position(exchange, "acme").amount == -1


def test_algo_orders_are_cancelled_one_by_one_or_all_of_a_symbol():
    exchange = a_market()
    one, two, three = (
        exchange.place_algo("acme", algo(Type.STOP_MARKET, "BUY", "1", "103", client_algo_id=f"c{n}"), T0 + n)
        for n in range(3)
    )
    assert exchange.cancel_algo("acme", T0, algo_id=two.algo_id).status is AlgoStatus.CANCELED
    assert refused(exchange.cancel_algo, "acme", T0, algo_id=two.algo_id) == -2011
    assert refused(exchange.cancel_algo, "birch", T0, algo_id=one.algo_id) == -2011
    assert refused(exchange.cancel_algo, "acme", T0) == -1102
    assert [row.client_algo_id for row in exchange.cancel_all_algo("acme", "BTCUSDT", T0)] == ["c0", "c2"]
    assert exchange.cancel_all_algo("acme", "BTCUSDT", T0) == []
    assert exchange.cancel_all("acme", "BTCUSDT", T0) == []
    assert [row.algo_id for row in exchange.all_algo_orders("acme", "BTCUSDT", limit=2)] == [two.algo_id, three.algo_id]
    assert [r.algo_id for r in exchange.all_algo_orders("acme", "BTCUSDT", algo_id=one.algo_id, limit=1)] == [
        one.algo_id
    ]
    assert [r.algo_id for r in exchange.all_algo_orders("acme", "BTCUSDT", page=2, limit=2)] == [three.algo_id]
    assert refused(exchange.algo_order, "birch", algo_id=one.algo_id) == -2013


def test_a_client_algo_id_is_unique_among_waiting_ones():
    exchange = a_market()
    exchange.place_algo("acme", algo(Type.STOP_MARKET, "BUY", "1", "103", client_algo_id="mine"), T0)
    again = algo(Type.STOP_MARKET, "BUY", "2", "103", client_algo_id="mine")
    assert refused(exchange.place_algo, "acme", again, T0) == -4116
    exchange.cancel_algo("acme", T0, client_algo_id="mine")
    exchange.place_algo("acme", again, T0)
    assert exchange.algo_order("acme", client_algo_id="mine").quantity == 2


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"type": Type.LIMIT}, -1116),
        ({"trigger_price": None}, -1102),
        ({"quantity": None}, -1102),
        ({"position_side": "LONG"}, -4061),
        ({"client_algo_id": "a b"}, -1100),
        ({"symbol": "NOPEUSDT"}, -1121),
    ],
)
def test_an_algo_order_that_is_not_well_formed_is_refused(change, code):
    order = replace(algo(Type.STOP_MARKET, "BUY", "1", "103"), **change)
    assert refused(a_market().place_algo, "acme", order, T0) == code


def test_a_good_till_date_ends_a_waiting_algo_order():
    exchange = a_market()
    until = T0 + 11 * MINUTE
    waiting = exchange.place_algo(
        "acme", algo(Type.STOP, "BUY", "1", "103", "103", time_in_force="GTD", good_till_date=until), T0
    )
    exchange.advance(until)
    assert exchange.algo_order("acme", algo_id=waiting.algo_id).status is AlgoStatus.EXPIRED


def test_price_match_finds_its_price_when_the_order_fires():
    exchange = a_market()
    order = replace(stop(Type.STOP, "BUY", "1", "102", "1"), price=None, price_match="QUEUE")
    row = exchange.place("acme", order, T0)
    exchange.place("birch", limit("BUY", "1", "97"), T0)
    last(exchange, "102")
    assert exchange.order("acme", "BTCUSDT", order_id=row.order_id).price == 97


def test_contracts_do_not_set_off_each_others_orders():
    exchange = a_floor(contracts=[cheap(BTC), replace(cheap(BTC), spec=replace(cheap(BTC).spec, symbol="XYZUSDT"))])
    trade(exchange, "birch", "acme", "1", "100")
    exchange.place("acme", stop(Type.STOP_MARKET, "BUY", "1", "102"), T0)
    other = {"symbol": "XYZUSDT"}
    trade(exchange, "birch", "acme", "1", "103", buyer_order=other, seller_order=other)
    assert len(exchange.open_orders("acme", "BTCUSDT")) == 1
    assert refused(exchange.place, "acme", market("BUY", "1", symbol="NOPE"), T0) == -1121
