"""Money on the pure exchange other than by trading: movements, busted trades, commission in BNB. And state that is kept."""

import msgspec
import pytest
from paper_builders import BTC, SECOND, T0, an_account, an_exchange, d, limit, maker, market, order, trade_at

from tradedesk.paper.exchange import Exchange
from tradedesk.paper.market import Quiet
from tradedesk.paper.rows import AccountChanged, BalanceMoved, Kind, NewOrder, Oco, Otoco, Refusal, Status
from tradedesk.paper.saved import Saved
from tradedesk.paper.synthetic import Synthetic

replace = msgspec.structs.replace
BNB = replace(BTC, symbol="BNBUSDT", base="BNB", max_qty=d(1000))
ETHBNB = replace(BTC, symbol="ETHBNB", base="ETH", quote="BNB", min_notional=d("0.001"), max_notional=d(0))


def totals(exchange):
    return {asset: exchange._engine.ledger.total(asset) for asset in ("USDT", "BTC", "BNB", "ETH")}


# -- movements -----------------------------------------------------------------------------------------------------------


def test_a_deposit_is_free_at_once_and_told_twice():
    exchange = an_exchange()
    before = totals(exchange)
    moved = exchange.move("acme", "USDT", d("100.5"), "DEPOSIT", T0, reference="tx1")
    assert exchange.balances("acme")["USDT"] == (d("250100.5"), d(0))
    assert totals(exchange) == before
    told = exchange.drain()
    assert [type(event) for event in told] == [BalanceMoved, AccountChanged]
    assert told[0].movement == moved
    assert (moved.amount, moved.kind, moved.reference, moved.time) == (d("100.5"), "DEPOSIT", "tx1", T0)


def test_what_is_locked_or_not_there_cannot_leave():
    exchange = an_exchange()
    exchange.place("acme", limit("SELL", "1.5", "60000"), T0)
    exchange.drain()
    with pytest.raises(Refusal) as caught:
        exchange.move("acme", "BTC", d("-0.50000001"), "WITHDRAW", T0)
    assert caught.value.code == -2010
    with pytest.raises(Refusal):
        exchange.move("acme", "DOGE", d(-1), "FEE", T0)
    with pytest.raises(Refusal):
        exchange.move("acme", "BTC", d("0.000000001"), "DEPOSIT", T0)
    assert exchange.drain() == []
    exchange.move("acme", "BTC", d("-0.5"), "WITHDRAW", T0)
    assert exchange.balances("acme")["BTC"] == (d(0), d("1.5"))


def test_movements_are_found_by_kind_asset_id_and_time():
    exchange = an_exchange()
    rows = [
        exchange.move("acme", asset, d(1), kind, T0 + n * SECOND)
        for n, (asset, kind) in enumerate(
            (("USDT", "DEPOSIT"), ("BTC", "DEPOSIT"), ("USDT", "INTEREST"), ("USDT", "DEPOSIT"))
        )
    ]

    def found(**more):
        return [rows.index(row) for row in exchange.movements("acme", **more)]

    assert found() == [0, 1, 2, 3]
    assert found(limit=1) == [3]
    assert found(kind="DEPOSIT", asset="USDT") == [0, 3]
    assert found(start=T0 + SECOND, end=T0 + 2 * SECOND) == [1, 2]
    assert found(from_id=rows[1].id, limit=2) == [1, 2]
    assert exchange.movements("birch") == []


# -- a trade undone ------------------------------------------------------------------------------------------------------


def test_a_busted_trade_gives_both_sides_back_what_they_gave():
    exchange = an_exchange()
    exchange.place("birch", limit("SELL", "0.5", "60000"), T0)
    (fill,) = exchange.place("acme", market("BUY", "0.2"), T0).fills
    exchange.place("acme", market("BUY", "0.1"), T0)
    before = totals(exchange)
    exchange.drain()
    gone = exchange.bust("BTCUSDT", fill.trade_id, T0 + SECOND)
    assert len(gone) == 2
    assert totals(exchange) == before
    assert exchange.balances("acme") == {"USDT": (d(244000), d(0)), "BTC": (d("2.0999"), d(0))}
    assert exchange.balances("birch") == {"USDT": (d(256000) - 6, d(0)), "BTC": (d("1.7"), d("0.2"))}
    assert [row.trade_id for row in exchange.my_trades("acme", "BTCUSDT")] == [fill.trade_id + 1]
    assert exchange.order("acme", "BTCUSDT", order_id=fill.order_id).status is Status.FILLED
    assert {event.account for event in exchange.drain() if isinstance(event, AccountChanged)} == {"acme", "birch"}


def test_a_trade_whose_proceeds_are_gone_cannot_be_busted():
    exchange = an_exchange()
    exchange.place("birch", limit("SELL", "0.5", "60000"), T0)
    (fill,) = exchange.place("acme", market("BUY", "0.5"), T0).fills
    exchange.move("acme", "BTC", d("-2.2"), "WITHDRAW", T0)
    before = exchange.saved()
    with pytest.raises(ValueError, match="account acme: holds"):
        exchange.bust("BTCUSDT", fill.trade_id, T0)
    with pytest.raises(ValueError, match="no client has a trade"):
        exchange.bust("BTCUSDT", 5, T0)
    assert exchange.saved() == before


# -- commission in BNB ---------------------------------------------------------------------------------------------------


def in_bnb(bnb="10", **more):
    payer = replace(an_account("acme", USDT="250000", BTC="2", BNB=bnb, ETH="1"), pays_bnb=True)
    other = an_account("birch", USDT="900000", BTC="9", BNB="900", ETH="9")
    exchange = Exchange([BTC, BNB, ETHBNB], [payer, other], Quiet(), now=T0)
    if more.get("rate", True):
        for side in ("SELL", "BUY"):
            exchange.place(
                "birch",
                NewOrder(
                    symbol="BNBUSDT", side=side, kind=Kind.LIMIT, quantity=d(1), price=d(500), time_in_force="GTC"
                ),
                T0,
            )
    return exchange


@pytest.mark.parametrize(("side", "counter"), [("BUY", "SELL"), ("SELL", "BUY")])
def test_commission_in_bnb_is_a_quarter_less_at_the_last_price(side, counter):
    exchange = in_bnb()
    before = totals(exchange)
    exchange.place("birch", limit(counter, "0.5", "60000"), T0)
    (fill,) = exchange.place("acme", limit(side, "0.5", "60000"), T0).fills
    assert (fill.commission, fill.commission_asset) == (d("0.045"), "BNB")  # 30 USDT of 30000, less a quarter, at 500
    assert exchange.balances("acme")["BNB"] == (d("9.955"), d(0))
    assert totals(exchange) == before
    told = [event for event in exchange.drain() if isinstance(event, AccountChanged) and event.account == "acme"]
    assert set(told[-1].balances) == {"BTC", "USDT", "BNB"}


def test_without_enough_bnb_or_its_price_the_full_commission_is_of_what_is_received():
    for exchange in (in_bnb(bnb="0.044"), in_bnb(rate=False)):
        exchange.place("birch", limit("SELL", "0.5", "60000"), T0)
        (fill,) = exchange.place("acme", limit("BUY", "0.5", "60000"), T0).fills
        assert (fill.commission, fill.commission_asset) == (d("0.0005"), "BTC")


def test_where_bnb_itself_is_received_or_quoted_no_rate_is_needed():
    exchange = in_bnb(rate=False)

    def ethbnb(side):
        return NewOrder(symbol="ETHBNB", side=side, kind=Kind.LIMIT, quantity=d("0.5"), price=d(6), time_in_force="GTC")

    exchange.place("birch", ethbnb("BUY"), T0)
    (sold,) = exchange.place("acme", ethbnb("SELL"), T0).fills
    exchange.place("birch", ethbnb("SELL"), T0)
    (bought,) = exchange.place("acme", ethbnb("BUY"), T0).fills
    assert (
        (sold.commission, sold.commission_asset)
        == (bought.commission, bought.commission_asset)
        == (d("0.00225"), "BNB")
    )


# -- state that is kept --------------------------------------------------------------------------------------------------

ACCOUNTS = [an_account("acme"), an_account("birch"), an_account("cedar", USDT="9000000", BTC="90")]


def lived():
    """An exchange in which everything that can be kept has happened."""
    exchange = an_exchange(*ACCOUNTS)
    trade_at(exchange, "60000")
    exchange.place("acme", limit("BUY", "0.1", "58000", client_order_id="rests", strategy_id=3), T0)
    exchange.place("cedar", limit("SELL", "1", "62000", iceberg_qty=d("0.2")), T0)
    exchange.place("acme", order(Kind.STOP_LOSS_LIMIT, "SELL", "0.1", "64000", "59000", client_order_id="stop"), T0)
    exchange.place("acme", order(Kind.TAKE_PROFIT_LIMIT, "SELL", "0.1", "65000", trailing_delta=100), T0)
    pair = Oco(above=maker("SELL", "0.3", "61000"), below=order(Kind.STOP_LOSS_LIMIT, "SELL", "0.3", "58500", "58500"))
    exchange.place_list("acme", replace(pair, list_client_order_id="pair"), T0)
    three = Otoco(
        working=limit("BUY", "0.1", "58100"),
        pending_above=maker("SELL", "0.05", "63000"),
        pending_below=order(Kind.STOP_LOSS, "SELL", "0.05", stop="57000"),
    )
    exchange.place_list("acme", three, T0)
    done = exchange.place("birch", limit("BUY", "0.2", "60500"), T0)
    exchange.amend_keep_priority("birch", "BTCUSDT", T0, order_id=done.order_id, new_qty=d("0.1"))
    exchange.place("birch", limit("SELL", "0.1", "60500", stp_mode="EXPIRE_MAKER"), T0)
    exchange.move("acme", "USDT", d(5), "INTEREST", T0)
    exchange.set_pays_bnb("acme", True)
    exchange.drain()
    return exchange


def again(saved, *, now=T0 + SECOND, market=None, accounts=None, specs=None):
    wire = msgspec.json.encode(saved)
    return Exchange(
        specs or [BTC], accounts or ACCOUNTS, market or Quiet(), now=now, saved=msgspec.json.decode(wire, type=Saved)
    )


def seen(exchange):
    return [
        (
            exchange.open_orders(name),
            exchange.all_orders(name, "BTCUSDT"),
            exchange.order_lists(name),
            exchange.my_trades(name, "BTCUSDT"),
            exchange.movements(name),
            exchange.balances(name),
            [exchange.amendments(name, "BTCUSDT", order_id=row.order_id) for row in exchange.all_orders(name, "BTCUSDT")],
            [exchange.prevented_matches(name, "BTCUSDT", order_id=row.order_id) for row in exchange.all_orders(name, "BTCUSDT")],
        )
        for name in ("acme", "birch", "cedar")
    ]  # fmt: skip


def test_a_restarted_exchange_shows_its_clients_what_the_old_one_did():
    old = lived()
    new = again(old.saved())
    assert seen(new) == seen(old)
    assert new.depth("BTCUSDT").bids == old.depth("BTCUSDT").bids
    assert new.depth("BTCUSDT").asks == old.depth("BTCUSDT").asks
    assert totals(new) == totals(old)
    assert [new.account_spec(name).pays_bnb for name in ("acme", "birch")] == [True, False]
    assert new.drain() == []


def test_what_was_kept_goes_on_as_it_would_have():
    old = lived()
    new = again(old.saved(), now=T0)
    for exchange in (old, new):
        for price in ("60600", "59990", "58500"):
            trade_at(exchange, price, T0 + SECOND)
        exchange.place("cedar", limit("SELL", "0.1", "58100"), T0 + SECOND)
        exchange.place("cedar", market("BUY", "1"), T0 + SECOND)
    states = [
        [
            (row.order_id, row.status, row.executed_qty, row.expiry_reason)
            for row in exchange.all_orders("acme", "BTCUSDT")
        ]
        for exchange in (old, new)
    ]
    assert states[0] == states[1]
    assert [old.balances(a.name) for a in ACCOUNTS] == [new.balances(a.name) for a in ACCOUNTS]


def test_ids_go_on_after_an_old_state_too():
    old = lived()
    state = old.saved()
    lost = old.place("acme", limit("BUY", "0.1", "57000"), T0 + SECOND)
    assert again(state, now=T0).place("acme", limit("BUY", "0.1", "57000"), T0).order_id == lost.order_id
    assert again(state).place("acme", limit("BUY", "0.1", "57000"), T0).order_id > lost.order_id  # a second later


def test_a_kept_order_that_would_cross_the_new_market_trades_as_taker():
    old = an_exchange(an_account())
    mine = old.place("acme", limit("BUY", "0.001", "66000"), T0)
    new = again(old.saved(), market=Synthetic([BTC], 1), accounts=[an_account()])
    row = new.order("acme", "BTCUSDT", order_id=mine.order_id)
    assert row.status is Status.FILLED
    (trade,) = new.my_trades("acme", "BTCUSDT")
    assert not trade.is_maker
    book = new.depth("BTCUSDT", 1)
    assert book.bids[0][0] < book.asks[0][0]


def test_kept_orders_queue_as_they_did():
    old = an_exchange()
    ice = old.place("acme", limit("SELL", "0.2", "60000", iceberg_qty=d("0.1")), T0)
    late = old.place("acme", limit("SELL", "0.1", "60000"), T0)
    old.place("birch", limit("BUY", "0.1", "60000"), T0)  # the iceberg's next part queues behind
    new = again(old.saved(), accounts=[an_account("acme"), an_account("birch")])
    new.place("birch", limit("BUY", "0.1", "60000"), T0 + SECOND)
    assert new.order("acme", "BTCUSDT", order_id=late.order_id).status is Status.FILLED
    assert new.order("acme", "BTCUSDT", order_id=ice.order_id).executed_qty == d("0.1")


def test_an_account_that_was_not_there_starts_fresh():
    new = again(lived().saved(), accounts=[*ACCOUNTS, an_account("dora", USDT="7")])
    assert new.balances("dora") == {"USDT": (d(7), d(0))}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"accounts": [an_account("acme")]}, "saved account birch"),
        ({"specs": [BNB]}, "which is not served"),
        ({"specs": [replace(BTC, tick=d("0.1"))]}, "the steps were tick 0.01"),
    ],
)
def test_a_state_that_does_not_fit_is_an_error(changes, message):
    with pytest.raises(ValueError, match=message):
        again(lived().saved(), **changes)
