"""Self-trade prevention: the scenarios of the venue's own page, over one account and over a group."""

import msgspec
import pytest
from paper_builders import BTC, T0, an_account, an_exchange, d, limit, maker, market, order, trade_at

from tradedesk.paper.prevention import effective_mode, losses
from tradedesk.paper.rows import Execution, Kind, Oco, Refusal, Status


@pytest.fixture
def exchange():
    """acme and birch are one group, cedar is a stranger; no commissions."""
    together = [
        msgspec.structs.replace(an_account(name, maker="0", taker="0"), group="master") for name in ("acme", "birch")
    ]
    return an_exchange(*together, an_account("cedar", maker="0", taker="0"))


def placed(exchange, side, qty, price, mode="NONE", *, account="acme", tif="GTC"):
    return exchange.place(account, limit(side, qty, price, tif, stp_mode=mode), T0)


def state(exchange, row):
    """(status, executed, prevented)"""
    now = exchange.order(row.account, "BTCUSDT", order_id=row.order_id)
    return now.status, str(now.executed_qty.normalize()), str(now.prevented_quantity.normalize())


def reports(exchange, row):
    """(what, status, last prevented quantity, counter order) of the order's prevention reports."""
    return [
        (e.what, e.row.status, e.last_prevented_qty, e.counter_order_id)
        for e in exchange.drain()
        if isinstance(e, Execution) and e.row.order_id == row.order_id and e.prevention is not None
    ]


GONE, OPEN = Status.EXPIRED_IN_MATCH, Status.NEW


def test_scenario_a_without_a_mode_an_account_trades_with_itself(exchange):
    one, two = placed(exchange, "BUY", "1", "60000"), placed(exchange, "SELL", "1", "60000")
    assert (state(exchange, one), state(exchange, two)) == ((Status.FILLED, "1", "0"), (Status.FILLED, "1", "0"))


def test_scenario_b_expire_maker_clears_the_way_and_the_taker_rests(exchange):
    makers = [
        placed(exchange, "BUY", qty, price) for qty, price in (("1.2", "60002"), ("1.3", "60001"), ("1", "60000"))
    ]
    taker = placed(exchange, "SELL", "2", "60000", "EXPIRE_MAKER")
    assert [state(exchange, row) for row in makers] == [(GONE, "0", "1.2"), (GONE, "0", "1.3"), (GONE, "0", "1")]
    assert state(exchange, taker) == (OPEN, "0", "0")
    assert exchange.depth("BTCUSDT").asks == ((d(60000), d(2)),)
    assert exchange.balances("acme")["USDT"] == (d(250000), d(0))
    assert exchange.balances("acme")["BTC"] == (d(0), d(2))


def test_scenario_c_expire_taker_leaves_the_book_alone(exchange):
    maker_ = placed(exchange, "BUY", "1.2", "60000")
    taker = placed(exchange, "SELL", "2", "60000", "EXPIRE_TAKER")
    assert (state(exchange, maker_), state(exchange, taker)) == ((OPEN, "0", "0"), (GONE, "0", "2"))
    assert taker.prevented_match_id is not None
    assert reports(exchange, taker) == [("TRADE_PREVENTION", GONE, d(2), maker_.order_id)]
    (match,) = exchange.prevented_matches("acme", "BTCUSDT", order_id=taker.order_id)
    assert (match.price, match.taker_prevented_qty, match.maker_prevented_qty) == (d(60000), d(2), d(0))
    assert match.trade_group_id == 1


def test_scenario_d_expire_both(exchange):
    maker_ = placed(exchange, "BUY", "1", "60000")
    taker = placed(exchange, "SELL", "2", "60000", "EXPIRE_BOTH")
    assert (state(exchange, maker_), state(exchange, taker)) == ((GONE, "0", "1"), (GONE, "0", "2"))
    assert exchange.balances("acme") == {"USDT": (d(250000), d(0)), "BTC": (d(2), d(0))}


def test_scenario_e_the_takers_mode_decides(exchange):
    maker_ = placed(exchange, "BUY", "1", "60000", "EXPIRE_MAKER")
    taker = placed(exchange, "SELL", "1", "60000", "EXPIRE_TAKER")
    assert (state(exchange, maker_)[0], state(exchange, taker)[0]) == (OPEN, GONE)


def test_scenario_f_a_market_order_whose_only_maker_expires_has_no_liquidity(exchange):
    maker_ = placed(exchange, "BUY", "1", "60000")
    order_ = msgspec.structs.replace(market("SELL", "1"), stp_mode="EXPIRE_MAKER")
    taker = exchange.place("acme", order_, T0)
    assert state(exchange, maker_)[0] is GONE
    assert (taker.status, taker.expiry_reason) == (Status.EXPIRED, "INSUFFICIENT_LIQUIDITY")


def test_scenario_g_decrement_takes_the_same_from_both(exchange):
    maker_ = placed(exchange, "BUY", "3", "60000")
    taker = placed(exchange, "SELL", "1", "60000", "DECREMENT")
    assert (state(exchange, maker_), state(exchange, taker)) == ((OPEN, "0", "1"), (GONE, "0", "1"))
    assert exchange.balances("acme") == {"USDT": (d(130000), d(120000)), "BTC": (d(2), d(0))}
    assert exchange.depth("BTCUSDT").bids == ((d(60000), d(2)),)
    assert reports(exchange, maker_) == [("TRADE_PREVENTION", OPEN, d(1), taker.order_id)]
    placed(exchange, "SELL", "2", "60000", account="cedar")
    assert state(exchange, maker_) == (Status.FILLED, "2", "1")


def test_scenario_h_transfer_moves_the_money_within_the_group(exchange):
    maker_ = placed(exchange, "BUY", "3", "60000", "TRANSFER", account="birch")
    taker = placed(exchange, "SELL", "1", "60000", "TRANSFER")
    assert (state(exchange, maker_), state(exchange, taker)) == ((OPEN, "0", "1"), (GONE, "0", "1"))
    assert exchange.balances("birch") == {"USDT": (d(70000), d(120000)), "BTC": (d(3), d(0))}
    assert exchange.balances("acme") == {"USDT": (d(310000), d(0)), "BTC": (d(1), d(0))}
    assert exchange.my_trades("acme", "BTCUSDT") == exchange.my_trades("birch", "BTCUSDT") == []
    assert exchange.recent_trades("BTCUSDT") == []


@pytest.mark.parametrize(
    ("taker", "maker_", "same", "effective"),
    [
        ("TRANSFER", "TRANSFER", False, "TRANSFER"),
        ("TRANSFER", "TRANSFER", True, "DECREMENT"),
        ("TRANSFER", "NONE", False, "DECREMENT"),
        ("EXPIRE_BOTH", "TRANSFER", False, "EXPIRE_BOTH"),
    ],
)
def test_transfer_needs_both_orders_and_two_accounts(taker, maker_, same, effective):
    assert effective_mode(taker, maker_, is_same_account=same) == effective


def test_expire_modes_take_all_that_is_left():
    sizes = {"taker_leaves": 5, "maker_leaves": 7, "match": 3}
    assert losses("EXPIRE_TAKER", **sizes) == (5, 0)
    assert losses("EXPIRE_MAKER", **sizes) == (0, 7)
    assert losses("EXPIRE_BOTH", **sizes) == (5, 7)
    assert losses("DECREMENT", **sizes) == (3, 3)


def test_a_group_is_protected_and_a_stranger_trades(exchange):
    theirs = placed(exchange, "SELL", "1", "60000", account="birch")
    stranger = placed(exchange, "SELL", "1", "60000", account="cedar")
    taker = placed(exchange, "BUY", "1.5", "60000", "EXPIRE_MAKER")
    assert (state(exchange, theirs)[0], state(exchange, stranger)[0]) == (GONE, Status.FILLED)
    assert state(exchange, taker) == (Status.PARTIALLY_FILLED, "1", "0")
    assert len(exchange.prevented_matches("birch", "BTCUSDT", order_id=theirs.order_id)) == 1


def test_what_was_traded_before_the_prevention_stays_traded(exchange):
    placed(exchange, "SELL", "0.5", "59990", account="cedar")
    placed(exchange, "SELL", "1", "60000")
    taker = placed(exchange, "BUY", "2", "60000", "EXPIRE_TAKER")
    assert state(exchange, taker) == (GONE, "0.5", "1.5")
    assert exchange.balances("acme")["USDT"] == (d(250000) - d("0.5") * 59990, d(0))


def test_fill_or_kill_counts_only_what_it_may_meet(exchange):
    placed(exchange, "SELL", "1", "60000", account="cedar")
    own = placed(exchange, "SELL", "1", "60001")
    placed(exchange, "SELL", "1", "60002", account="cedar")
    killed = placed(exchange, "BUY", "2", "60002", "EXPIRE_TAKER", tif="FOK")
    assert (killed.status, killed.executed_qty) == (Status.EXPIRED, d(0))
    filled = placed(exchange, "BUY", "2", "60002", "EXPIRE_MAKER", tif="FOK")
    assert filled.status is Status.FILLED
    assert state(exchange, own)[0] is GONE


def test_a_market_buy_pays_for_the_deeper_book_when_its_own_offer_expires(exchange):
    own = placed(exchange, "SELL", "1", "60000")
    placed(exchange, "SELL", "1", "61000", account="cedar")
    taker = exchange.place("acme", msgspec.structs.replace(market("BUY", "1"), stp_mode="EXPIRE_MAKER"), T0)
    assert (taker.status, taker.cumulative_quote) == (Status.FILLED, d(61000))
    assert state(exchange, own)[0] is GONE
    assert exchange.balances("acme")["USDT"] == (d(189000), d(0))


def test_a_transfer_takes_no_more_money_than_there_is():
    poor = msgspec.structs.replace(an_account("acme", USDT="61000", BTC="1"), group="master")
    rich = msgspec.structs.replace(an_account("birch"), group="master")
    exchange = an_exchange(poor, rich, an_account("cedar"))
    trade_at(exchange, "60000", by="cedar")
    stop = order(Kind.STOP_LOSS, "BUY", "1", stop="61000", stp_mode="TRANSFER")
    waits = exchange.place("acme", stop, T0)
    exchange.place("birch", limit("SELL", "1", "64000", stp_mode="TRANSFER"), T0)
    trade_at(exchange, "61000", by="cedar")
    assert state(exchange, waits) == (Status.EXPIRED, "0", "0.95312")
    assert exchange.balances("acme")["USDT"] == (d(61000) - d("0.95312") * 64000, d(0))


def test_prevention_of_a_leg_decides_its_pair(exchange):
    trade_at(exchange, "60000", by="cedar")
    pair = Oco(above=maker("SELL", "1", "61000"), below=order(Kind.STOP_LOSS, "SELL", "1", stop="59000"))
    stop, shows = exchange.place_list("acme", pair, T0).orders
    placed(exchange, "BUY", "1", "61000", "EXPIRE_MAKER", account="birch")
    assert (state(exchange, shows)[0], state(exchange, stop)[0]) == (GONE, Status.EXPIRED)
    assert exchange.balances("acme")["BTC"] == (d(2), d(0))
    assert exchange.open_order_lists("acme") == []


def test_an_instruments_default_mode_applies_to_orders_without_one():
    exchange = an_exchange(specs=[msgspec.structs.replace(BTC, default_stp_mode="EXPIRE_TAKER")])
    exchange.place("acme", limit("SELL", "1", "60000"), T0)
    taker = exchange.place("acme", limit("BUY", "1", "60000"), T0)
    assert (taker.status, taker.stp_mode) == (GONE, "EXPIRE_TAKER")


def test_a_mode_the_instrument_does_not_allow_is_refused():
    exchange = an_exchange(specs=[msgspec.structs.replace(BTC, stp_modes=("NONE", "EXPIRE_TAKER"))])
    with pytest.raises(Refusal) as caught:
        exchange.place("acme", limit("SELL", "1", "60000", stp_mode="EXPIRE_MAKER"), T0)
    message = "This symbol does not allow the specified self-trade prevention mode."
    assert (caught.value.code, caught.value.message) == (-1013, message)


def test_prevented_matches_are_found_by_match_by_order_and_from_one_on(exchange):
    offers = [placed(exchange, "SELL", "0.1", "60000") for _ in range(3)]
    taker = placed(exchange, "BUY", "1", "60000", "EXPIRE_MAKER")
    found = exchange.prevented_matches("acme", "BTCUSDT", order_id=taker.order_id)
    assert [match.maker_order_id for match in found] == [row.order_id for row in offers]
    query = exchange.prevented_matches
    assert query("acme", "BTCUSDT", match_id=found[1].match_id) == [found[1]]
    assert query("acme", "BTCUSDT", order_id=taker.order_id, from_match_id=found[1].match_id, limit=1) == [found[1]]
    with pytest.raises(Refusal):
        query("acme", "BTCUSDT")
