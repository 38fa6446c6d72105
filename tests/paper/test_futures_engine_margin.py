"""Brackets, margin checks, liquidation prices and liquidations on the futures engine, against figures worked out by hand."""

import pytest
from futures_builders import (
    BTC,
    SECOND,
    SOL,
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
    updates,
    wallet,
)
from hypothesis import given
from hypothesis import strategies as st

from tradedesk.paper.futures.contracts import default_contracts
from tradedesk.paper.futures.margin import liquidation_price, maintenance, max_notional
from tradedesk.paper.futures.rows import ConfigChanged, ForceOrder, MarginCall, OrderChanged, Type
from tradedesk.paper.rows import Refusal


# -- brackets ---------------------------------------------------------------------------------------------------------
def test_the_cum_of_the_brackets_is_the_venues():
    assert [b.cum for b in BTC.brackets] == [
        0, 50, 950, 11_450, 131_450, 481_450, 2_981_450, 14_481_450, 26_481_450, 41_481_450, 121_481_450, 421_481_450,
    ]  # fmt: skip
    assert [b.cum for b in SOL.brackets] == [
        0, 30, 380, 8_380, 28_380, 228_380, 2_228_380, 4_228_380, 16_728_380, 66_728_380,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("notional", "keep"), [("0", "0"), ("50000", "200"), ("100000", "450"), ("600000", "2950"), ("1000000", "5550")]
)
def test_maintenance_is_notional_times_ratio_less_cum(notional, keep):
    assert maintenance(BTC.brackets, d(notional)) == d(keep)


@given(st.sampled_from(default_contracts()), st.integers(1, 10**9))
def test_maintenance_never_jumps_nor_falls(contract, notional):
    here, there = (maintenance(contract.brackets, d(n)) for n in (notional, notional + 1))
    assert 0 < there - here <= 1


@pytest.mark.parametrize(("leverage", "most"), [(125, 50_000), (100, 600_000), (76, 600_000), (20, 100_000_000)])
def test_a_leverage_allows_the_notional_of_the_last_bracket_that_allows_it(leverage, most):
    assert max_notional(BTC.brackets, leverage) == most


# -- liquidation prices -----------------------------------------------------------------------------------------------
def test_the_liquidation_price_of_an_isolated_long_and_short():
    """5 + (p - 100) = 0.004 p, and 5 + (100 - p) = 0.004 p"""
    exchange = a_floor()
    for name in ("acme", "birch"):
        exchange.set_margin_type(name, "BTCUSDT", "ISOLATED", T0)
    trade(exchange, "acme", "birch", "1", "100")
    assert position(exchange, "acme").liquidation_price == d("95.38152610")
    assert position(exchange, "birch").liquidation_price == d("104.58167331")


def test_the_liquidation_price_in_a_higher_bracket_uses_its_cum():
    """5000 + 1000 (p - 100) = 0.005 x 1000 p - 50"""
    exchange = a_floor()
    exchange.set_margin_type("acme", "BTCUSDT", "ISOLATED", T0)
    trade(exchange, "acme", "birch", "1000", "100")
    row = position(exchange, "acme")
    assert (row.maint_margin, row.liquidation_price) == (450, d("95.42713568"))


def test_a_cross_position_is_carried_by_the_wallet_and_the_other_contracts():
    """BTC alone: 10 + (p - 100) = 0.004 p. With 3 of profit and 0.412 of maintenance in ETH: 12.588 instead of 10."""
    exchange = a_floor(trader("acme", "10"), trader("birch"))
    trade(exchange, "acme", "birch", "1", "100")
    assert position(exchange, "acme").liquidation_price == d("90.36144578")
    legs = [(d(1), d(100))]
    assert liquidation_price(BTC.brackets, legs, cushion=d("12.588"), mark=d(100)) == d("87.76305221")


def test_both_sides_of_a_hedge_move_with_the_price():
    """20 + 2 (p - 100) + (102 - p) = 0.004 x 3 p"""
    exchange = a_floor(trader("acme", "20"), trader("birch"))
    exchange.set_dual_side("acme", True, T0)
    trade(exchange, "acme", "birch", "2", "100", buyer_order={"position_side": "LONG"})
    trade(exchange, "birch", "acme", "1", "102", seller_order={"position_side": "SHORT"})
    assert position(exchange, "acme", "LONG").liquidation_price == d("78.94736842")
    assert position(exchange, "acme", "SHORT").liquidation_price == d("78.94736842")


def test_who_has_more_than_the_position_is_worth_has_no_liquidation_price():
    exchange = a_floor()
    trade(exchange, "acme", "birch", "1", "100")
    assert position(exchange, "acme").liquidation_price == 0


@given(
    st.integers(-5_000, 5_000).filter(bool), st.integers(1, 1_000), st.integers(1, 2_000_000), st.integers(-100, 100)
)
def test_at_the_liquidation_price_the_margin_balance_is_the_maintenance(amount, entry, cushion, other):
    """On either side of it the account is safe on one and lost on the other."""
    legs = [(d(amount), d(amount * entry))] + ([(d(-other), d(-other * (entry + 1)))] if other else [])
    price = liquidation_price(BTC.brackets, legs, cushion=d(cushion), mark=d(entry))
    if not price:
        return

    def spare(at):
        balance = cushion + sum(size * at - cost for size, cost in legs)
        return balance - sum(maintenance(BTC.brackets, abs(size) * at) for size, _ in legs)

    assert abs(spare(price)) < d("0.001")


# -- what an order may cost -------------------------------------------------------------------------------------------
def test_an_order_needs_its_notional_by_the_leverage():
    exchange = a_floor(trader("acme", "50"), trader("birch"))
    with pytest.raises(Refusal) as refused:
        exchange.place("acme", limit("BUY", "10.001", "100"), T0)
    assert (refused.value.code, refused.value.message) == (-2019, "Margin is insufficient.")
    exchange.place("acme", limit("BUY", "10", "100"), T0)
    assert wallet(exchange, "acme").available_balance == 0
    assert wallet(exchange, "acme").open_order_initial_margin == 50


def test_orders_of_both_sides_need_the_margin_of_the_larger():
    exchange = a_floor(trader("acme", "50"), trader("birch"))
    exchange.place("acme", limit("BUY", "10", "100"), T0)
    exchange.place("acme", limit("SELL", "9.9", "101"), T0)
    assert wallet(exchange, "acme").available_balance == d("0.005") - d("0.005")
    with pytest.raises(Refusal):
        exchange.place("acme", limit("SELL", "1", "101"), T0)


def test_what_closes_needs_no_margin():
    exchange = a_floor(trader("acme", "6"), trader("birch"))
    trade(exchange, "acme", "birch", "1", "100")
    exchange.set_mark_price("BTCUSDT", d(98), T0)  # margin 4.9, loss 2
    assert wallet(exchange, "acme").available_balance == 0
    exchange.place("acme", limit("SELL", "1", "99"), T0)
    with pytest.raises(Refusal) as refused:
        exchange.place("acme", limit("BUY", "0.1", "97"), T0)
    assert refused.value.code == -2019


def test_a_price_worse_than_the_mark_costs_its_loss_at_once():
    """1 at 104 and 20x is 5.2, and 4 are lost against the mark of 100"""
    poor = a_floor(trader("acme", "9.1"), trader("birch"))
    with pytest.raises(Refusal) as refused:
        poor.place("acme", limit("BUY", "1", "104"), T0)
    assert refused.value.code == -2019
    a_floor(trader("acme", "9.2"), trader("birch")).place("acme", limit("BUY", "1", "104"), T0)


def test_a_market_order_costs_what_the_book_asks():
    exchange = a_floor(trader("acme", "12"), trader("birch"))
    exchange.place("birch", limit("SELL", "1", "100"), T0)
    exchange.place("birch", limit("SELL", "5", "102"), T0)
    with pytest.raises(Refusal) as refused:
        exchange.place("acme", market("BUY", "2.2"), T0)  # 100 + 122.4 by 20, and 2.4 of loss
    assert refused.value.code == -2019
    assert exchange.place("acme", market("BUY", "1.9"), T0).executed_qty == d("1.9")


def test_a_position_beyond_the_bracket_of_the_leverage_is_refused():
    exchange = a_floor(trader("acme", "100000"), trader("birch", "100000"))
    exchange.set_leverage("acme", "BTCUSDT", 125, T0)
    with pytest.raises(Refusal) as refused:
        exchange.place("acme", limit("BUY", "500.1", "100"), T0)
    assert refused.value.code == -2027
    exchange.place("acme", limit("BUY", "500", "100"), T0)
    with pytest.raises(Refusal) as added:
        exchange.place("acme", limit("BUY", "0.1", "100"), T0)
    assert added.value.code == -2027
    exchange.place("acme", limit("SELL", "1", "101"), T0)


# -- leverage ---------------------------------------------------------------------------------------------------------
def test_leverage_changes_what_positions_and_orders_need():
    exchange = a_floor()
    trade(exchange, "acme", "birch", "2", "100")
    exchange.place("acme", limit("BUY", "2", "98"), T0)
    assert wallet(exchange, "acme").initial_margin == d("19.8")
    exchange.drain()
    answer = exchange.set_leverage("acme", "BTCUSDT", 10, T0)
    assert (answer.leverage, answer.max_notional) == (10, 230_000_000)
    assert wallet(exchange, "acme").initial_margin == d("39.6")
    assert [(e.symbol, e.leverage) for e in exchange.drain() if isinstance(e, ConfigChanged)] == [("BTCUSDT", 10)]


@pytest.mark.parametrize("leverage", [0, -1, 126])
def test_leverage_outside_the_brackets_is_refused(leverage):
    with pytest.raises(Refusal) as refused:
        a_floor().set_leverage("acme", "BTCUSDT", leverage, T0)
    assert (refused.value.code, refused.value.message) == (-4028, f"Leverage {leverage} is not valid")


def test_leverage_may_not_ask_for_margin_that_is_not_there():
    exchange = a_floor(trader("acme", "30"), trader("birch"))
    trade(exchange, "acme", "birch", "2", "100")
    with pytest.raises(Refusal) as refused:
        exchange.set_leverage("acme", "BTCUSDT", 6, T0)  # 33.4
    assert refused.value.code == -2028
    exchange.set_leverage("acme", "BTCUSDT", 7, T0)


def test_leverage_may_not_be_too_high_for_the_position():
    exchange = a_floor()
    trade(exchange, "acme", "birch", "600", "100")
    with pytest.raises(Refusal) as refused:
        exchange.set_leverage("acme", "BTCUSDT", 125, T0)
    assert refused.value.code == -2027


def test_leverage_of_an_isolated_position_only_rises():
    exchange = a_floor()
    exchange.set_margin_type("acme", "BTCUSDT", "ISOLATED", T0)
    trade(exchange, "acme", "birch", "1", "100")
    with pytest.raises(Refusal) as refused:
        exchange.set_leverage("acme", "BTCUSDT", 10, T0)
    assert refused.value.code == -4161
    exchange.set_leverage("acme", "BTCUSDT", 50, T0)


# -- liquidation ------------------------------------------------------------------------------------------------------
def isolated_long(bid):
    """acme: 1 at 100, isolated at 20x; birch bids for it."""
    exchange = a_floor()
    exchange.set_margin_type("acme", "BTCUSDT", "ISOLATED", T0)
    trade(exchange, "acme", "birch", "1", "100")
    exchange.place("birch", limit("BUY", "1", bid), T0)
    exchange.drain()
    return exchange


def test_a_margin_call_comes_once_before_the_liquidation_and_again_after_relief():
    """At 95.4 the margin is 0.4 and 0.3816 of it must stay"""
    exchange = isolated_long("94")

    def calls(mark):
        exchange.set_mark_price("BTCUSDT", d(mark), T0)
        return [e for e in exchange.drain() if isinstance(e, MarginCall)]

    assert calls("95.5") == []  # 0.5 against 0.382
    (call,) = calls("95.4")
    assert call.cross_wallet is None
    assert (call.positions[0].maint_margin, call.positions[0].unrealized) == (d("0.3816"), d("-4.6"))
    assert calls("95.39") == []
    assert calls("97") == []
    assert len(calls("95.4")) == 1


def test_an_isolated_position_is_closed_at_market_and_its_fee_takes_what_is_left_of_its_margin():
    """Sold at 96 the margin of 5 loses 4; the fee of 1.25 % of 96 gets the remaining 1"""
    exchange = isolated_long("96")
    exchange.set_mark_price("BTCUSDT", d("95.38"), T0)
    events = exchange.drain()
    assert position(exchange, "acme").amount == 0
    assert told(events, "acme") == [("NEW", "NEW"), ("CALCULATED", "FILLED")]
    (forced,) = [e for e in events if isinstance(e, ForceOrder)]
    assert forced.order.client_order_id.startswith("autoclose-")
    assert (forced.order.side, forced.order.type, forced.order.time_in_force) == ("SELL", Type.LIMIT, "IOC")
    assert (forced.order.avg_price, forced.last_filled) == (96, 1)
    assert wallet(exchange, "acme").wallet_balance == 99_995
    assert [(i.type, i.income) for i in exchange.income("acme")] == [("REALIZED_PNL", -4), ("INSURANCE_CLEAR", -1)]
    assert [u.reason for u in updates(events, "acme")] == ["ORDER", "INSURANCE_CLEAR"]
    assert exchange.force_orders("acme") == [forced]
    assert exchange.force_orders("birch") == []


def test_what_an_isolated_position_loses_beyond_its_margin_the_insurance_fund_pays():
    exchange = isolated_long("94")
    exchange.set_mark_price("BTCUSDT", d("95.38"), T0)
    assert wallet(exchange, "acme").wallet_balance == 99_995
    assert [(i.type, i.income) for i in exchange.income("acme")] == [("REALIZED_PNL", -6), ("INSURANCE_CLEAR", 1)]
    assert exchange._floor.insurance == {"USDT": -100_000_000}


def test_a_full_fee_leaves_the_rest_to_the_account():
    """Sold at 98 after a dip of the mark: 5 - 2 - 1.225"""
    exchange = isolated_long("98")
    exchange.set_mark_price("BTCUSDT", d("95.38"), T0)
    assert wallet(exchange, "acme").wallet_balance == d("99996.775")


def test_a_liquidation_pays_no_commission():
    exchange = a_floor(trader("acme", "10", taker="0.0005"), trader("birch"))
    exchange.place("acme", limit("BUY", "1", "100"), T0)
    exchange.place("birch", limit("SELL", "1", "100"), T0)
    exchange.place("birch", limit("BUY", "1", "98"), T0)
    exchange.set_mark_price("BTCUSDT", d("90"), T0)
    kinds = [(i.type, i.income) for i in exchange.income("acme")]
    assert kinds == [("REALIZED_PNL", -2), ("INSURANCE_CLEAR", d("-1.225"))]


def test_a_cross_liquidation_ends_the_open_orders_first():
    """10 - 9.7 against 0.3612 at a mark of 90.3; sold at 91 the wallet keeps 1, which the fee takes"""
    exchange = a_floor(trader("acme", "10"), trader("birch"))
    trade(exchange, "acme", "birch", "1", "100")
    exchange.place("acme", limit("BUY", "0.2", "96"), T0)
    exchange.place("acme", stop(Type.STOP_MARKET, "BUY", "0.2", "104"), T0)
    exchange.place_algo("acme", algo(Type.STOP_MARKET, "BUY", "0.2", "104"), T0)
    exchange.place("birch", limit("BUY", "1", "91"), T0)
    exchange.drain()
    exchange.set_mark_price("BTCUSDT", d("90.4"), T0)
    assert position(exchange, "acme").amount == 1
    exchange.set_mark_price("BTCUSDT", d("90.3"), T0)
    events = exchange.drain()
    assert told(events, "acme") == [
        ("EXPIRED", "EXPIRED"),
        ("EXPIRED", "EXPIRED"),
        ("NEW", "NEW"),
        ("CALCULATED", "FILLED"),
    ]
    reasons = [e.row.expiry_reason for e in events if isinstance(e, OrderChanged) and e.what == "EXPIRED"]
    assert reasons == [5, 5]
    assert exchange.open_orders("acme") == []
    assert exchange.open_algo_orders("acme") == []
    assert wallet(exchange, "acme").wallet_balance == 0


def test_a_cross_wallet_below_nothing_is_made_good():
    exchange = a_floor(trader("acme", "10"), trader("birch"))
    trade(exchange, "acme", "birch", "1", "100")
    exchange.place("birch", limit("BUY", "1", "88"), T0)
    exchange.set_mark_price("BTCUSDT", d("89"), T0)
    assert [(i.type, i.income) for i in exchange.income("acme")] == [("REALIZED_PNL", -12), ("INSURANCE_CLEAR", 2)]
    assert wallet(exchange, "acme").wallet_balance == 0


def test_a_liquidation_waits_for_somebody_to_take_the_position():
    exchange = a_floor(trader("acme", "10"), trader("birch"))
    trade(exchange, "acme", "birch", "1", "100")
    exchange.place("birch", limit("BUY", "0.4", "91"), T0)
    exchange.set_mark_price("BTCUSDT", d("90"), T0)
    assert position(exchange, "acme").amount == d("0.6")
    exchange.advance(T0 + 5 * SECOND)
    assert position(exchange, "acme").amount == d("0.6")
    exchange.place("birch", limit("BUY", "5", "91"), T0 + 5 * SECOND)
    exchange.advance(T0 + 6 * SECOND)
    assert position(exchange, "acme", now=T0 + 6 * SECOND).amount == 0


def test_an_isolated_liquidation_leaves_the_rest_of_the_account_alone():
    exchange = a_floor(contracts=[cheap(BTC), cheap(default_contracts()[1])])
    exchange.set_margin_type("acme", "BTCUSDT", "ISOLATED", T0)
    trade(exchange, "acme", "birch", "1", "100")
    eth = {"symbol": "ETHUSDT"}
    trade(exchange, "acme", "birch", "1", "100", buyer_order=eth, seller_order=eth)
    exchange.place("acme", limit("BUY", "1", "99", **eth), T0)
    exchange.place("birch", limit("BUY", "1", "96"), T0)
    exchange.set_mark_price("BTCUSDT", d(95), T0)
    assert position(exchange, "acme").amount == 0
    assert position(exchange, "acme", symbol="ETHUSDT").amount == 1
    assert len(exchange.open_orders("acme")) == 1


def test_the_multi_assets_flag_is_kept_and_keeps_isolated_margin_away():
    exchange = a_floor()
    exchange.set_multi_assets("acme", True, T0)
    assert exchange.multi_assets("acme")
    with pytest.raises(Refusal) as isolated:
        exchange.set_margin_type("acme", "BTCUSDT", "ISOLATED", T0)
    assert isolated.value.code == -4168
    with pytest.raises(Refusal) as same:
        exchange.set_multi_assets("acme", True, T0)
    assert same.value.code == -4171
