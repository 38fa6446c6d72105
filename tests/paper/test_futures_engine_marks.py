"""Index, mark price and funding of the futures engine, against figures worked out by hand."""

import pytest
from futures_builders import (
    BTC,
    SECOND,
    T0,
    a_floor,
    cheap,
    d,
    limit,
    position,
    trade,
    trader,
    updates,
    wallet,
)
from msgspec.structs import replace

from tradedesk.paper.futures.contracts import HOUR, default_contracts
from tradedesk.paper.futures.exchange import FuturesExchange
from tradedesk.paper.futures.rows import MarkPrice
from tradedesk.paper.market import Quiet
from tradedesk.paper.rows import Refusal
from tradedesk.paper.synthetic import Synthetic

FUNDING = T0 + 6_400 * SECOND  # the next multiple of eight hours


def two_sided(bid="104.9", ask="105.1"):
    """Somebody else's book about 105 while the index is 100."""
    exchange = a_floor(index=None)
    exchange.place("birch", limit("BUY", "1", bid), T0)
    exchange.place("birch", limit("SELL", "1", ask), T0)
    return exchange


# -- mark price -------------------------------------------------------------------------------------------------------
def test_the_mark_is_the_index_plus_the_mean_basis_of_a_minute():
    """At the start no book: basis 0. Then the middle stands 3 above the index."""
    exchange = a_floor()
    exchange.place("birch", limit("BUY", "1", "102.9"), T0)
    exchange.place("birch", limit("SELL", "1", "103.1"), T0)
    exchange.advance(T0 + SECOND)
    assert exchange.mark_price("BTCUSDT").mark == d("101.5")  # (0 + 3) / 2
    exchange.advance(T0 + 2 * SECOND)
    assert exchange.mark_price("BTCUSDT").mark == 102  # (0 + 3 + 3) / 3
    exchange.advance(T0 + 60 * SECOND)
    row = exchange.mark_price("BTCUSDT")
    assert (row.mark, row.index) == (103, 100)


def test_without_an_index_the_middle_of_the_book_stands_for_it():
    exchange = two_sided()
    exchange.advance(T0 + SECOND)
    row = exchange.mark_price("BTCUSDT")
    assert (row.index, row.mark) == (105, 105)


def test_with_nothing_at_all_there_is_no_mark_until_something_trades():
    exchange = a_floor(index=None)
    exchange.advance(T0 + 3 * SECOND)
    assert exchange.mark_price("BTCUSDT").mark == 0
    assert exchange.drain() == []
    trade(exchange, "acme", "birch", "1", "80", T0 + 3 * SECOND)
    assert exchange.mark_price("BTCUSDT").mark == 80
    assert position(exchange, "acme", now=T0 + 3 * SECOND).unrealized_profit == 0


def test_a_mark_price_is_told_every_second():
    exchange = a_floor()
    exchange.drain()
    exchange.advance(T0 + 3 * SECOND + 5)
    times = [e.time for e in exchange.drain() if isinstance(e, MarkPrice)]
    assert times == [T0 + SECOND, T0 + 2 * SECOND, T0 + 3 * SECOND]
    assert exchange.next_due() == T0 + 4 * SECOND


def test_a_held_mark_stays_until_it_is_let_go():
    exchange = a_floor()
    exchange.set_mark_price("BTCUSDT", d("123.4"), T0)
    exchange.advance(T0 + 5 * SECOND)
    assert exchange.mark_price("BTCUSDT").mark == d("123.4")
    exchange.set_mark_price("BTCUSDT", None, T0 + 5 * SECOND)
    exchange.advance(T0 + 6 * SECOND)
    assert exchange.mark_price("BTCUSDT").mark == 100
    with pytest.raises(ValueError, match="must be above 0"):
        exchange.set_mark_price("BTCUSDT", d(0), T0)


def test_mark_and_index_have_candles_of_their_own():
    exchange = a_floor()
    exchange.place("birch", limit("BUY", "1", "102.9"), T0)
    exchange.place("birch", limit("SELL", "1", "103.1"), T0)
    now = T0 + 30 * SECOND
    exchange.advance(now)
    (mark,) = exchange.klines("BTCUSDT", "1h", now, of="mark")
    (index,) = exchange.klines("BTCUSDT", "1h", now, of="index")
    (premium,) = exchange.klines("BTCUSDT", "1h", now, of="premium")
    assert (mark.open, mark.high, mark.volume) == (100, mark.close, 0)
    assert mark.close > d("102.8")
    assert (index.low, index.high, index.close) == (100, 100, 100)
    assert premium.close == d("0.029")  # the bid stands 2.9 % above the index
    with pytest.raises(Refusal) as refused:
        exchange.klines("BTCUSDT", "7m", now, of="mark")
    assert refused.value.code == -1120


def test_the_past_of_the_market_is_the_past_of_the_mark():
    contracts = default_contracts()
    exchange = FuturesExchange(contracts, [], Synthetic([c.spec for c in contracts], 1), now=T0)
    traded = exchange.klines("BTCUSDT", "1h", T0, limit=3)
    marked = exchange.klines("BTCUSDT", "1h", T0, limit=3, of="mark")
    assert len(traded) == 3
    assert [k.close for k in marked[:2]] == [k.close for k in traded[:2]]


# -- the rate ---------------------------------------------------------------------------------------------------------
def rate_at(exchange, at):
    exchange.advance(at)
    return exchange.mark_price("BTCUSDT").funding_rate


def test_without_a_premium_the_rate_is_the_interest():
    assert rate_at(a_floor(), T0 + SECOND) == d("0.0001")


def test_a_small_premium_is_swallowed_by_the_clamp_and_a_large_one_less_it():
    """Premium 0.02 %: 0.0002 + (0.0001 - 0.0002). Premium 2.9 %, but for the first of the looks: less 0.05 %, capped at 2 %"""
    small = a_floor(index="10000", contracts=[replace(BTC, funding_interval=1_600 * SECOND)])
    small.place("birch", limit("BUY", "0.1", "10002"), T0 + 1)
    small.place("birch", limit("SELL", "0.1", "10003"), T0 + 1)
    assert rate_at(small, T0 + 1_601 * SECOND) == d("0.0001") * 1_600 / 28_800 // d("1E-8") * d("1E-8")
    large = a_floor()
    large.place("birch", limit("BUY", "1", "102.9"), T0)
    large.place("birch", limit("SELL", "1", "103.1"), T0)
    assert rate_at(large, FUNDING + 10 * SECOND) == d("0.02")


def test_later_seconds_of_an_interval_weigh_more():
    """Two looks in a new interval: 0 at second 1, then 1 % at second 2: 0.01 x 2 / 3 - 0.0005"""
    exchange = a_floor()
    exchange.advance(FUNDING + SECOND)
    exchange.place("birch", limit("BUY", "1", "101"), FUNDING + SECOND)
    exchange.place("birch", limit("SELL", "1", "102"), FUNDING + SECOND)
    assert rate_at(exchange, FUNDING + 2 * SECOND) == d("0.00616666")


def test_the_operator_may_set_the_rate_and_give_it_back():
    exchange = a_floor()
    exchange.set_funding_rate("BTCUSDT", d("-0.003"))
    assert exchange.mark_price("BTCUSDT").funding_rate == d("-0.003")
    exchange.set_funding_rate("BTCUSDT", None)
    assert exchange.mark_price("BTCUSDT").funding_rate == d("0.0001")


# -- charging ---------------------------------------------------------------------------------------------------------
def test_longs_pay_shorts_at_the_hour_of_funding_and_not_before():
    """2 x 100 x 0.0001"""
    exchange = a_floor()
    trade(exchange, "acme", "birch", "2", "100")
    exchange.advance(FUNDING - 1)
    assert exchange.income("acme") == []
    exchange.drain()
    exchange.advance(FUNDING)
    assert wallet(exchange, "acme", FUNDING).wallet_balance == d("99999.98")
    assert wallet(exchange, "birch", FUNDING).wallet_balance == d("10000000.02")
    (update,) = updates(exchange.drain(), "acme")
    assert (update.reason, update.balances[0].change, update.positions) == ("FUNDING_FEE", d("-0.02"), ())
    (row,) = exchange.income("acme")
    assert (row.type, row.income, row.symbol, row.time) == ("FUNDING_FEE", d("-0.02"), "BTCUSDT", FUNDING)
    (charged,) = exchange.funding_rates("BTCUSDT")
    assert (charged.rate, charged.mark, charged.time) == (d("0.0001"), 100, FUNDING)
    assert exchange.mark_price("BTCUSDT").next_funding == FUNDING + 8 * HOUR


def test_a_negative_rate_turns_the_payment_round():
    exchange = a_floor()
    trade(exchange, "acme", "birch", "2", "100")
    exchange.set_funding_rate("BTCUSDT", d("-0.01"))
    exchange.fund_now("BTCUSDT", T0)
    assert wallet(exchange, "acme").wallet_balance == 100_002
    assert wallet(exchange, "birch").wallet_balance == 9_999_998


def test_funding_is_charged_on_the_mark_and_not_on_the_entry():
    exchange = a_floor()
    trade(exchange, "acme", "birch", "2", "100")
    exchange.set_mark_price("BTCUSDT", d("104"), T0)
    exchange.set_funding_rate("BTCUSDT", d("0.01"))
    exchange.fund_now("BTCUSDT", T0)
    assert wallet(exchange, "acme").wallet_balance == d("99997.92")


def test_an_isolated_position_pays_out_of_its_margin():
    exchange = a_floor()
    exchange.set_margin_type("acme", "BTCUSDT", "ISOLATED", T0)
    trade(exchange, "acme", "birch", "2", "100")
    exchange.set_funding_rate("BTCUSDT", d("0.01"))
    exchange.drain()
    exchange.fund_now("BTCUSDT", T0)
    (update,) = updates(exchange.drain(), "acme")
    assert (update.positions[0].isolated_wallet, update.balances[0].cross_wallet) == (8, 99_990)


def test_both_sides_of_a_hedge_are_charged():
    exchange = a_floor()
    exchange.set_dual_side("acme", True, T0)
    trade(exchange, "acme", "birch", "3", "100", buyer_order={"position_side": "LONG"})
    trade(exchange, "birch", "acme", "1", "100", seller_order={"position_side": "SHORT"})
    exchange.set_funding_rate("BTCUSDT", d("0.01"))
    exchange.fund_now("BTCUSDT", T0)
    assert [row.income for row in exchange.income("acme")] == [-3, 1]


def test_a_contract_may_fund_more_often():
    hourly = replace(cheap(BTC), funding_interval=HOUR)
    exchange = a_floor(contracts=[hourly])
    due = T0 - T0 % HOUR + HOUR
    exchange.advance(due + HOUR)
    assert [row.time for row in exchange.funding_rates()] == [due, due + HOUR]
    assert [row.rate for row in exchange.funding_rates()] == [d("0.0000125")] * 2  # an eighth of the interest
    assert [row.time for row in exchange.funding_rates(start=due + 1, limit=1)] == [due + HOUR]


def test_time_never_goes_back():
    exchange = a_floor()
    exchange.advance(T0 + 5 * SECOND)
    row = exchange.place("acme", limit("BUY", "1", "99"), T0)
    assert row.time == T0 + 5 * SECOND


def test_a_floor_without_a_market_has_not_ended():
    assert not a_floor().market_ended
    assert a_floor(trader("acme"), market=Quiet()).contracts()[0].symbol == "BTCUSDT"
