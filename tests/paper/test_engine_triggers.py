"""Stops, take-profits and trailing orders on the pure exchange."""

import msgspec
import pytest
from paper_builders import BTC, SECOND, T0, an_account, an_exchange, d, limit, order, trade_at

from tradedesk.paper.rows import Execution, Kind, Refusal, Status


def refusal(call) -> tuple[int, str]:
    with pytest.raises(Refusal) as caught:
        call()
    return caught.value.code, caught.value.message


def row(exchange, placed):
    return exchange.order("acme", "BTCUSDT", order_id=placed.order_id)


@pytest.fixture
def exchange():
    """The last price is 60000; cedar makes the market."""
    exchange = an_exchange(an_account(), an_account("birch"), an_account("cedar", USDT="9000000", BTC="90"))
    trade_at(exchange, "60000")
    exchange.drain()
    return exchange


@pytest.mark.parametrize(
    ("kind", "side", "stop", "not_yet", "reached"),
    [
        (Kind.STOP_LOSS_LIMIT, "SELL", "59000", "59000.01", "59000"),
        (Kind.STOP_LOSS_LIMIT, "BUY", "61000", "60999.99", "61000"),
        (Kind.TAKE_PROFIT_LIMIT, "SELL", "61000", "60999.99", "61000"),
        (Kind.TAKE_PROFIT_LIMIT, "BUY", "59000", "59000.01", "58990"),
    ],
)
def test_a_conditional_order_works_from_the_trade_that_reaches_its_stop(exchange, kind, side, stop, not_yet, reached):
    price = "62000" if side == "SELL" else "58000"  # rests when it works
    placed = exchange.place("acme", order(kind, side, "0.5", price, stop), T0)
    assert (placed.status, placed.working_time, placed.is_working, placed.stop_price) == (
        Status.NEW,
        -1,
        False,
        d(stop),
    )
    trade_at(exchange, not_yet)
    assert row(exchange, placed) == placed
    assert exchange.depth("BTCUSDT").bids == exchange.depth("BTCUSDT").asks == ()
    trade_at(exchange, reached, T0 + SECOND)
    now = row(exchange, placed)
    assert (now.status, now.working_time, now.is_working) == (Status.NEW, T0 + SECOND, True)
    depth = exchange.depth("BTCUSDT")
    assert depth.bids + depth.asks == ((d(price), d("0.5")),)


def test_a_triggered_order_is_told_as_new_once_more_and_on_the_book(exchange):
    placed = exchange.place("acme", order(Kind.STOP_LOSS_LIMIT, "SELL", "0.5", "62000", "59000"), T0)
    trade_at(exchange, "59000", T0 + SECOND)
    told = [e for e in exchange.drain() if isinstance(e, Execution) and e.row.order_id == placed.order_id]
    assert [(e.what, e.row.status, e.row.is_working, e.row.working_time) for e in told] == [
        ("NEW", Status.NEW, False, -1),
        ("NEW", Status.NEW, True, T0 + SECOND),
    ]


def test_a_triggered_stop_loss_takes_at_the_market(exchange):
    exchange.place("cedar", limit("BUY", "0.2", "58500"), T0)
    exchange.place("cedar", limit("BUY", "0.2", "58000"), T0)
    placed = exchange.place("acme", order(Kind.STOP_LOSS, "SELL", "0.3", stop="59000"), T0)
    assert exchange.balances("acme")["BTC"] == (d("1.7"), d("0.3"))
    trade_at(exchange, "59000")
    done = row(exchange, placed)
    assert (done.status, done.cumulative_quote) == (Status.FILLED, d("0.2") * 58500 + d("0.1") * 58000)
    assert exchange.balances("acme")["BTC"] == (d("1.7"), d(0))


def test_a_triggered_market_order_without_a_market_expires(exchange):
    placed = exchange.place("acme", order(Kind.STOP_LOSS, "SELL", "0.3", stop="59000"), T0)
    trade_at(exchange, "59000")
    done = row(exchange, placed)
    assert (done.status, done.expiry_reason) == (Status.EXPIRED, "INSUFFICIENT_LIQUIDITY")
    assert exchange.balances("acme")["BTC"] == (d(2), d(0))


def test_a_buy_stop_locks_its_stop_price_and_pays_more_from_what_is_free(exchange):
    placed = exchange.place("acme", order(Kind.STOP_LOSS, "BUY", "1", stop="61000"), T0)
    assert exchange.balances("acme")["USDT"] == (d(189000), d(61000))
    exchange.place("cedar", limit("SELL", "1", "65000"), T0)
    trade_at(exchange, "61000")
    assert row(exchange, placed).cumulative_quote == d(65000)
    assert exchange.balances("acme")["USDT"] == (d(185000), d(0))


def test_a_buy_stop_buys_no_more_than_the_account_can_pay():
    exchange = an_exchange(an_account(USDT="61000"), an_account("birch"), an_account("cedar", BTC="90"))
    placed = exchange.place("acme", order(Kind.STOP_LOSS, "BUY", "1", stop="61000"), T0)
    exchange.place("cedar", limit("SELL", "1", "64000"), T0)
    trade_at(exchange, "61000")
    done = row(exchange, placed)
    assert (done.status, done.executed_qty, done.expiry_reason) == (
        Status.EXPIRED,
        d("0.95312"),
        "INSUFFICIENT_LIQUIDITY",
    )
    assert exchange.balances("acme")["USDT"] == (d(61000) - d("0.95312") * 64000, d(0))


def test_an_immediate_or_cancel_stop_limit_expires_when_it_finds_nothing(exchange):
    stop = order(Kind.STOP_LOSS_LIMIT, "SELL", "0.5", "59000", "59500", time_in_force="IOC")
    placed = exchange.place("acme", stop, T0)
    trade_at(exchange, "59400")
    assert row(exchange, placed).expiry_reason == "UNFILLED_IOC_QUANTITY_EXPIRED"


def test_one_stop_sets_off_the_next_and_the_older_goes_first(exchange):
    for price in ("58900", "58000", "57000"):
        exchange.place("cedar", limit("BUY", "0.1", price), T0)
    late = exchange.place("acme", order(Kind.STOP_LOSS, "SELL", "0.1", stop="58500"), T0)
    first = exchange.place("acme", order(Kind.STOP_LOSS, "SELL", "0.1", stop="59000"), T0)
    second = exchange.place("acme", order(Kind.STOP_LOSS, "SELL", "0.1", stop="59000"), T0)
    trade_at(exchange, "59000")
    sold = [(t.order_id, t.price) for t in exchange.my_trades("acme", "BTCUSDT")]
    assert sold == [(first.order_id, d(58900)), (second.order_id, d(58000)), (late.order_id, d(57000))]


def test_the_answer_to_an_order_does_not_wait_for_what_it_sets_off(exchange):
    exchange.place("cedar", limit("BUY", "0.1", "59000"), T0)
    exchange.place("birch", order(Kind.STOP_LOSS_LIMIT, "BUY", "0.1", "61000", "60500"), T0)
    exchange.place("cedar", limit("SELL", "0.1", "60500"), T0)
    taker = exchange.place("acme", limit("BUY", "0.1", "60500"), T0)
    assert taker.status is Status.FILLED
    assert exchange.depth("BTCUSDT").bids[0] == (d(61000), d("0.1"))


@pytest.mark.parametrize(
    ("kind", "side", "stop"),
    [
        (Kind.STOP_LOSS, "SELL", "60000"),
        (Kind.STOP_LOSS, "BUY", "60000"),
        (Kind.TAKE_PROFIT, "SELL", "59000"),
        (Kind.TAKE_PROFIT, "BUY", "60000.01"),
    ],
)
def test_a_stop_that_is_reached_already_is_refused(exchange, kind, side, stop):
    call = refusal(lambda: exchange.place("acme", order(kind, side, "0.1", stop=stop), T0))
    assert call == (-2010, "Order would trigger immediately.")
    assert exchange.drain() == []


def test_before_any_trade_a_stop_waits_whatever_its_price():
    exchange = an_exchange()
    placed = exchange.place("acme", order(Kind.STOP_LOSS, "SELL", "0.1", stop="60000"), T0)
    trade_at(exchange, "60000.01")
    assert row(exchange, placed).status is Status.NEW


def test_a_cancelled_stop_never_fires(exchange):
    placed = exchange.place("acme", order(Kind.STOP_LOSS, "SELL", "0.1", stop="59000"), T0)
    exchange.cancel("acme", "BTCUSDT", T0, order_id=placed.order_id)
    exchange.place("cedar", limit("BUY", "1", "58000"), T0)
    trade_at(exchange, "59000")
    assert row(exchange, placed).status is Status.CANCELED
    assert exchange.balances("acme")["BTC"] == (d(2), d(0))


# -- trailing: the scenarios of the venue's own page -----------------------------------------------------------------------


def run(exchange, placed, *prices):
    """The last prices one after another; whether the order works after each."""
    works = []
    for price in prices:
        trade_at(exchange, price)
        works.append(row(exchange, placed).is_working)
    return works


def trailing(kind, side, delta, price, stop=None):
    return order(kind, side, "0.1", price, stop, trailing_delta=delta)


def at_40000():
    wide = msgspec.structs.replace(BTC, bid_multiplier_down=d("0.1"), ask_multiplier_down=d("0.1"))
    exchange = an_exchange(an_account(), an_account("birch", USDT="9000000", BTC="90"), specs=[wide])
    trade_at(exchange, "40000")
    return exchange


def test_scenario_a_a_trailing_stop_buy_tracks_from_its_stop_price():
    exchange = at_40000()
    placed = exchange.place("acme", trailing(Kind.STOP_LOSS_LIMIT, "BUY", 500, "45000", "44000"), T0)
    assert run(exchange, placed, "37000", "44000", "46000", "42000", "44099.99") == [False] * 5
    assert run(exchange, placed, "44100") == [True]


def test_scenario_b_a_trailing_stop_sell_tracks_from_its_stop_price():
    exchange = at_40000()
    placed = exchange.place("acme", trailing(Kind.STOP_LOSS_LIMIT, "SELL", 1000, "45000", "39000"), T0)
    assert run(exchange, placed, "41500", "39000", "37000", "41000", "36900.01", "36900") == [False] * 5 + [True]


def test_scenario_c_a_trailing_take_profit_buy():
    exchange = at_40000()
    placed = exchange.place("acme", trailing(Kind.TAKE_PROFIT_LIMIT, "BUY", 850, "36000", "38000"), T0)
    assert run(exchange, placed, "42000", "37000", "39000", "38000", "40144.99", "40145") == [False] * 5 + [True]


def test_scenario_d_a_trailing_take_profit_sell():
    exchange = at_40000()
    placed = exchange.place("acme", trailing(Kind.TAKE_PROFIT_LIMIT, "SELL", 750, "50000", "42000"), T0)
    prices = ("41500", "39000", "42000", "45000", "44000", "46500", "43012.51", "43012.50")
    assert run(exchange, placed, *prices) == [False] * 7 + [True]


def test_scenario_e_without_a_stop_price_it_tracks_at_once():
    exchange = at_40000()
    placed = exchange.place("acme", trailing(Kind.STOP_LOSS_LIMIT, "SELL", 700, "50000"), T0)
    assert (placed.trailing_delta, placed.trailing_time, placed.stop_price) == (700, T0, d(0))
    assert [event.row for event in exchange.drain() if isinstance(event, Execution)][-1] == placed
    assert run(exchange, placed, "42000", "39500", "45500", "42315.01", "42315") == [False] * 4 + [True]


def test_the_time_since_which_it_trails_is_that_of_the_trade_at_its_stop_price():
    exchange = at_40000()
    placed = exchange.place("acme", trailing(Kind.STOP_LOSS_LIMIT, "BUY", 500, "45000", "44000"), T0)
    assert placed.trailing_time is None
    trade_at(exchange, "44000", T0 + SECOND)
    assert row(exchange, placed).trailing_time == T0 + SECOND


@pytest.mark.parametrize("delta", [9, 2001, 0, -5])
def test_a_delta_outside_its_range_is_refused(exchange, delta):
    call = refusal(lambda: exchange.place("acme", trailing(Kind.STOP_LOSS_LIMIT, "SELL", delta, "50000"), T0))
    assert call == (-1013, "Filter failure: TRAILING_DELTA")
