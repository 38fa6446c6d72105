"""Positions, profit and isolated margin on the futures engine, against figures worked out by hand."""

import pytest
from futures_builders import (
    BTC,
    ETH,
    SECOND,
    T0,
    a_floor,
    cheap,
    d,
    limit,
    market,
    position,
    stop,
    trade,
    trader,
    updates,
    wallet,
)

from tradedesk.paper.futures.rows import Type
from tradedesk.paper.rows import Refusal

PAYS = {"maker": "0.0002", "taker": "0.001"}


def test_two_buys_average_their_entry_and_a_part_sold_keeps_it():
    exchange = a_floor()
    trade(exchange, "acme", "birch", "1", "100")
    trade(exchange, "acme", "birch", "1", "102")
    assert (position(exchange, "acme").amount, position(exchange, "acme").entry_price) == (2, 101)
    trade(exchange, "birch", "acme", "1", "104")
    left = position(exchange, "acme")
    assert (left.amount, left.entry_price) == (1, 101)
    assert exchange.user_trades("acme", "BTCUSDT")[-1].realized_pnl == 3
    assert wallet(exchange, "acme").wallet_balance == 100_003


def test_a_sale_beyond_the_position_realises_it_and_opens_a_short_at_the_sales_price():
    exchange = a_floor()
    trade(exchange, "acme", "birch", "1", "100")
    trade(exchange, "birch", "acme", "3", "98")
    turned = position(exchange, "acme")
    assert (turned.amount, turned.entry_price) == (-2, 98)
    assert exchange.user_trades("acme", "BTCUSDT")[-1].realized_pnl == -2
    assert turned.unrealized_profit == -4  # the mark is 100


def test_a_short_gains_when_bought_back_lower():
    exchange = a_floor()
    trade(exchange, "birch", "acme", "2", "101")
    trade(exchange, "acme", "birch", "2", "97.5")
    assert position(exchange, "acme").amount == 0
    assert wallet(exchange, "acme").wallet_balance == 100_007
    assert wallet(exchange, "birch").wallet_balance == 9_999_993


def test_commission_is_a_share_of_the_notional_taker_and_maker_apart():
    exchange = a_floor(trader("acme", **PAYS), trader("birch", **PAYS))
    trade(exchange, "acme", "birch", "2", "100")  # acme takes
    assert wallet(exchange, "acme").wallet_balance == d("99999.8")
    assert wallet(exchange, "birch").wallet_balance == d("99999.96")
    taken, made = exchange.user_trades("acme", "BTCUSDT")[0], exchange.user_trades("birch", "BTCUSDT")[0]
    assert (taken.commission, taken.commission_asset, taken.is_maker) == (d("0.2"), "USDT", False)
    assert (made.commission, made.is_maker) == (d("0.04"), True)


def test_the_break_even_price_carries_commissions_and_what_was_realised_since_flat():
    exchange = a_floor(trader("acme", taker="0.001"), trader("birch"))
    trade(exchange, "acme", "birch", "1", "100")
    trade(exchange, "acme", "birch", "1", "102")
    assert position(exchange, "acme").break_even_price == d("101.101")  # (202 + 0.1 + 0.102) / 2
    exchange.place("birch", limit("BUY", "1", "104"), T0)
    exchange.place("acme", market("SELL", "1"), T0)
    assert position(exchange, "acme").break_even_price == d("98.306")  # 101 + 0.202 - 3 + 0.104


def test_long_and_short_stand_side_by_side_in_hedge_mode():
    exchange = a_floor()
    exchange.set_dual_side("acme", True, T0)
    long, short = {"position_side": "LONG"}, {"position_side": "SHORT"}
    trade(exchange, "acme", "birch", "2", "100", buyer_order=long)
    trade(exchange, "birch", "acme", "1", "102", seller_order=short)
    assert position(exchange, "acme", "LONG").amount == 2
    assert position(exchange, "acme", "SHORT").amount == -1
    assert position(exchange, "acme", "SHORT").unrealized_profit == 2
    trade(exchange, "acme", "birch", "1", "99", buyer_order=short)  # buys the short back: 102 - 99
    assert position(exchange, "acme", "SHORT").amount == 0
    trade(exchange, "birch", "acme", "0.5", "103", seller_order=long)  # half a coin of the long: 1.5
    assert position(exchange, "acme", "LONG").amount == d("1.5")
    assert [t.realized_pnl for t in exchange.user_trades("acme", "BTCUSDT")] == [0, 0, 3, d("1.5")]
    assert wallet(exchange, "acme").wallet_balance == d("100004.5")


def test_in_hedge_mode_more_than_the_position_cannot_be_closed():
    exchange = a_floor()
    exchange.set_dual_side("acme", True, T0)
    trade(exchange, "acme", "birch", "1", "100", buyer_order={"position_side": "LONG"})
    with pytest.raises(Refusal) as refused:
        exchange.place("acme", limit("SELL", "1.1", "101", position_side="LONG"), T0)
    assert refused.value.code == -2022


def test_an_isolated_position_takes_its_margin_out_of_the_wallet_and_gives_it_back():
    exchange = a_floor()
    exchange.set_margin_type("acme", "BTCUSDT", "ISOLATED", T0)
    trade(exchange, "acme", "birch", "2", "100")  # 200 at 20x
    row, assets = position(exchange, "acme"), wallet(exchange, "acme")
    assert (row.isolated_wallet, row.isolated_margin) == (10, 10)
    assert (assets.wallet_balance, assets.cross_wallet_balance, assets.available_balance) == (100_000, 99_990, 99_990)
    trade(exchange, "birch", "acme", "1", "101")
    assert position(exchange, "acme").isolated_wallet == 5
    assert wallet(exchange, "acme").cross_wallet_balance == 99_996
    trade(exchange, "birch", "acme", "1", "101")
    assert position(exchange, "acme").isolated_wallet == 0
    assert wallet(exchange, "acme").cross_wallet_balance == 100_002


def test_an_isolated_position_that_turns_gets_the_margin_of_its_new_side():
    """1 sold out of 3 at 98 frees 5, the other 2 need 196 by 20"""
    exchange = a_floor()
    exchange.set_margin_type("acme", "BTCUSDT", "ISOLATED", T0)
    trade(exchange, "acme", "birch", "1", "100")
    trade(exchange, "birch", "acme", "3", "98")
    assert position(exchange, "acme").isolated_wallet == d("9.8")


def test_isolated_margin_goes_in_and_out_by_hand_as_far_as_it_is_spare():
    exchange = a_floor(trader("acme", "100"), trader("birch"))
    exchange.set_margin_type("acme", "BTCUSDT", "ISOLATED", T0)
    trade(exchange, "acme", "birch", "2", "100")
    exchange.change_position_margin("acme", "BTCUSDT", d(30), T0, add=True)
    assert position(exchange, "acme").isolated_wallet == 40
    with pytest.raises(Refusal) as too_much:
        exchange.change_position_margin("acme", "BTCUSDT", d("60.1"), T0, add=True)
    assert too_much.value.code == -4050
    with pytest.raises(Refusal) as too_little:
        exchange.change_position_margin("acme", "BTCUSDT", d("30.1"), T0, add=False)
    assert too_little.value.code == -4051
    exchange.drain()
    exchange.change_position_margin("acme", "BTCUSDT", d(30), T0, add=False)
    (update,) = updates(exchange.drain(), "acme")
    assert (update.reason, update.positions[0].isolated_wallet) == ("MARGIN_TRANSFER", 10)
    assert [(m.is_add, m.amount) for m in exchange.margin_history("acme", "BTCUSDT")] == [(True, 30), (False, 30)]
    assert len(exchange.margin_history("acme", "BTCUSDT", is_add=True)) == 1


@pytest.mark.parametrize(
    ("isolated", "trades", "amount", "code"),
    [
        (False, True, "1", -4049),
        (True, False, "1", -4054),
        (True, True, "0", -4055),
        (True, True, "0.000000001", -1111),
    ],
)
def test_isolated_margin_is_refused_where_there_is_none_to_move(isolated, trades, amount, code):
    exchange = a_floor()
    if isolated:
        exchange.set_margin_type("acme", "BTCUSDT", "ISOLATED", T0)
    if trades:
        trade(exchange, "acme", "birch", "1", "100")
    with pytest.raises(Refusal) as refused:
        exchange.change_position_margin("acme", "BTCUSDT", d(amount), T0, add=True)
    assert refused.value.code == code


def test_each_fill_tells_balance_and_position_as_they_are_after_it():
    exchange = a_floor(trader("acme", taker="0.001"), trader("birch"))
    exchange.place("birch", limit("SELL", "1", "100"), T0)
    exchange.place("birch", limit("SELL", "1", "101"), T0)
    exchange.drain()
    exchange.place("acme", market("BUY", "2"), T0)
    first, second = updates(exchange.drain(), "acme")
    assert (first.reason, first.balances[0].wallet, first.positions[0].amount) == ("ORDER", d("99999.9"), 1)
    assert (second.balances[0].wallet, second.positions[0].entry_price) == (d("99999.799"), d("100.5"))
    assert second.balances[0].change == 0


def test_income_is_paged_from_a_start_and_otherwise_the_newest():
    exchange = a_floor(trader("acme", taker="0.001"), trader("birch"))
    exchange.transfer("acme", "USDT", d(7), T0)
    trade(exchange, "acme", "birch", "1", "100", T0 + SECOND)
    exchange.place("birch", limit("BUY", "1", "103"), T0 + 2 * SECOND)
    exchange.place("acme", market("SELL", "1"), T0 + 2 * SECOND)
    kinds = [(row.type, row.income) for row in exchange.income("acme")]
    assert kinds == [
        ("TRANSFER", 7),
        ("COMMISSION", d("-0.1")),
        ("REALIZED_PNL", 3),
        ("COMMISSION", d("-0.103")),
    ]
    assert [row.type for row in exchange.income("acme", limit=1)] == ["COMMISSION"]
    assert [row.type for row in exchange.income("acme", limit=1, page=2)] == ["REALIZED_PNL"]
    assert [row.type for row in exchange.income("acme", start=T0 + SECOND, limit=2)] == ["COMMISSION", "REALIZED_PNL"]
    assert len(exchange.income("acme", start=T0 + SECOND, limit=2, page=2)) == 1
    assert [row.symbol for row in exchange.income("acme", income_type="TRANSFER")] == [""]
    assert exchange.income("acme", symbol="ETHUSDT") == []
    assert len({row.tran_id for row in exchange.income("acme")}) == 4


def test_transfers_move_the_wallet_but_unrealised_profit_and_margin_stay():
    exchange = a_floor(trader("acme", "10"), trader("birch"))
    exchange.drain()
    exchange.transfer("acme", "USDT", d(5), T0)
    exchange.transfer("acme", "USDT", d(-3), T0)
    into, out = updates(exchange.drain(), "acme")
    assert (into.reason, into.balances[0].wallet, into.balances[0].change) == ("DEPOSIT", 15, 5)
    assert (out.reason, out.balances[0].wallet, out.balances[0].change) == ("WITHDRAW", 12, -3)
    trade(exchange, "acme", "birch", "1", "100")  # 5 of margin at 20x
    exchange.set_mark_price("BTCUSDT", d(102), T0)  # margin 5.1, profit 2
    assert wallet(exchange, "acme").max_withdraw == d("6.9")
    with pytest.raises(Refusal) as refused:
        exchange.transfer("acme", "USDT", d("-6.91"), T0)
    assert refused.value.code == -2018
    exchange.transfer("acme", "USDT", d("-6.9"), T0)


@pytest.mark.parametrize(("amount", "code"), [("0", -4055), ("0.000000001", -1111), ("-100000.01", -2018)])
def test_transfers_of_nothing_too_little_or_too_much_are_refused(amount, code):
    exchange = a_floor()
    with pytest.raises(Refusal) as refused:
        exchange.transfer("acme", "USDT", d(amount), T0)
    assert refused.value.code == code
    assert exchange.income("acme") == []


def test_other_assets_lie_in_the_wallet_beside_the_margin():
    exchange = a_floor()
    exchange.transfer("acme", "BNB", d(3), T0, reason="MARGIN_TRANSFER")
    assert {row.asset: row.available_balance for row in exchange.assets("acme", T0)} == {"USDT": 100_000, "BNB": 3}
    assert exchange._floor.total("BNB") == 3 * 10**8


def test_open_interest_counts_each_contract_once():
    exchange = a_floor(trader("acme"), trader("birch"), trader("cedar"))
    assert exchange.open_interest("BTCUSDT") == 0
    trade(exchange, "acme", "birch", "2", "100")
    trade(exchange, "acme", "cedar", "1", "100")
    assert exchange.open_interest("BTCUSDT") == 3
    trade(exchange, "birch", "acme", "2", "100")
    assert exchange.open_interest("BTCUSDT") == 1


def test_the_position_mode_does_not_change_under_orders_or_positions():
    exchange = a_floor()
    with pytest.raises(Refusal) as same:
        exchange.set_dual_side("acme", False, T0)
    assert same.value.code == -4059
    exchange.place("acme", limit("BUY", "1", "99"), T0)
    with pytest.raises(Refusal) as orders:
        exchange.set_dual_side("acme", True, T0)
    assert orders.value.code == -4067
    exchange.cancel_all("acme", "BTCUSDT", T0)
    trade(exchange, "acme", "birch", "1", "100")
    with pytest.raises(Refusal) as held:
        exchange.set_dual_side("acme", True, T0)
    assert held.value.code == -4068
    trade(exchange, "birch", "acme", "1", "100")
    exchange.set_dual_side("acme", True, T0)
    assert exchange.dual_side("acme")
    assert [p.position_side for p in exchange.positions("acme", T0)] == ["LONG", "SHORT"]


@pytest.mark.parametrize(
    ("dual", "more", "code"),
    [
        (False, {"position_side": "LONG"}, -4061),
        (True, {"position_side": "BOTH"}, -4061),
        (True, {"position_side": "LONG", "reduce_only": True}, -1106),
        (False, {"position_side": "NONE"}, -4060),
    ],
)
def test_the_position_side_must_suit_the_mode(dual, more, code):
    exchange = a_floor()
    if dual:
        exchange.set_dual_side("acme", True, T0)
    with pytest.raises(Refusal) as refused:
        exchange.place("acme", limit("BUY", "1", "100", **more), T0)
    assert refused.value.code == code


def test_the_margin_type_does_not_change_under_orders_or_positions():
    exchange = a_floor()
    for setup, code in [
        (lambda: None, -4046),
        (lambda: exchange.place("acme", stop(Type.STOP_MARKET, "BUY", "1", "104"), T0), -4047),
        (lambda: (exchange.cancel_all("acme", "BTCUSDT", T0), trade(exchange, "acme", "birch", "1", "100")), -4048),
    ]:
        setup()
        with pytest.raises(Refusal) as refused:
            exchange.set_margin_type("acme", "BTCUSDT", "CROSSED" if code == -4046 else "ISOLATED", T0)
        assert refused.value.code == code


def test_a_margin_type_of_another_name_is_refused():
    with pytest.raises(Refusal) as refused:
        a_floor().set_margin_type("acme", "BTCUSDT", "ISOLATE", T0)
    assert refused.value.code == -1130


def test_several_contracts_are_told_apart():
    exchange = a_floor(contracts=[cheap(BTC), cheap(ETH)])
    trade(exchange, "acme", "birch", "1", "100")
    trade(exchange, "birch", "acme", "3", "100", buyer_order={"symbol": "ETHUSDT"}, seller_order={"symbol": "ETHUSDT"})
    assert [(p.symbol, p.amount) for p in exchange.positions("acme", T0)] == [("BTCUSDT", 1), ("ETHUSDT", -3)]
    assert [t.symbol for t in exchange.user_trades("acme", "ETHUSDT")] == ["ETHUSDT"]
    assert exchange.account("acme", T0).total.position_initial_margin == 20  # 100 and 300 at 20x
