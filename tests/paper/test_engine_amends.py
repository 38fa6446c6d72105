"""Icebergs, and orders made smaller in their place."""

import msgspec
import pytest
from paper_builders import BTC, T0, an_account, an_exchange, d, limit, maker, market, order, trade_at

from tradedesk.paper.book import Book
from tradedesk.paper.rows import Execution, Kind, ListChanged, Oco, Refusal, Status


def refusal(call) -> tuple[int, str]:
    with pytest.raises(Refusal) as caught:
        call()
    return caught.value.code, caught.value.message


@pytest.fixture
def exchange():
    return an_exchange(an_account(), an_account("birch"), an_account("cedar", USDT="9000000", BTC="90"))


def iceberg(qty, shown, price="60000", side="SELL", **more):
    return limit(side, qty, price, iceberg_qty=d(shown), **more)


# -- icebergs ------------------------------------------------------------------------------------------------------------


def test_an_iceberg_shows_a_part_and_fills_it_up_behind_the_queue(exchange):
    ice = exchange.place("acme", iceberg("1", "0.3"), T0)
    other = exchange.place("birch", limit("SELL", "0.2", "60000"), T0)
    assert ice.iceberg_qty == d("0.3")
    assert exchange.depth("BTCUSDT").asks == ((d(60000), d("0.5")),)
    exchange.place("cedar", limit("BUY", "0.35", "60000"), T0)
    assert exchange.depth("BTCUSDT").asks == ((d(60000), d("0.45")),)  # 0.15 of birch, then 0.3 of acme
    exchange.place("cedar", limit("BUY", "0.15", "60000"), T0)
    assert exchange.order("birch", "BTCUSDT", order_id=other.order_id).status is Status.FILLED
    assert exchange.order("acme", "BTCUSDT", order_id=ice.order_id).executed_qty == d("0.3")


def test_what_is_hidden_trades_too(exchange):
    ice = exchange.place("acme", iceberg("1", "0.3"), T0)
    taker = exchange.place("cedar", market("BUY", "1"), T0)
    assert (taker.status, [fill.quantity for fill in taker.fills]) == (Status.FILLED, [d("0.3")] * 3 + [d("0.1")])
    assert exchange.order("acme", "BTCUSDT", order_id=ice.order_id).status is Status.FILLED


def test_fill_or_kill_counts_what_is_hidden(exchange):
    exchange.place("acme", iceberg("1", "0.3"), T0)
    assert exchange.place("cedar", limit("BUY", "1", "60000", "FOK"), T0).status is Status.FILLED


def test_a_cancelled_iceberg_gives_back_what_it_hid(exchange):
    ice = exchange.place("acme", iceberg("1", "0.3"), T0)
    exchange.cancel("acme", "BTCUSDT", T0, order_id=ice.order_id)
    assert exchange.balances("acme")["BTC"] == (d(2), d(0))
    assert exchange.depth("BTCUSDT").asks == ()


@pytest.mark.parametrize(
    ("new", "code", "message"),
    [
        (iceberg("1", "0.05"), -1013, "Filter failure: ICEBERG_PARTS"),
        (iceberg("1", "1.1"), -2010, "IcebergQty exceeds QTY."),
        (iceberg("1", "0.300001"), -1013, "Filter failure: LOT_SIZE"),
        (iceberg("1", "0.3", tif="IOC"), -1014, "Unsupported order combination."),
        (msgspec.structs.replace(market("SELL", "1"), iceberg_qty=d("0.5")), -1106, "Parameter 'icebergQty' sent when not required."),
    ],
)  # fmt: skip
def test_an_iceberg_that_cannot_be_is_refused(exchange, new, code, message):
    assert refusal(lambda: exchange.place("acme", new, T0)) == (code, message)


def test_icebergs_are_counted_and_may_be_forbidden():
    exchange = an_exchange(specs=[msgspec.structs.replace(BTC, max_iceberg_orders=1)])
    exchange.place("acme", iceberg("0.1", "0.05"), T0)
    assert (
        refusal(lambda: exchange.place("acme", iceberg("0.1", "0.05"), T0))[1]
        == "Filter failure: MAX_NUM_ICEBERG_ORDERS"
    )
    exchange = an_exchange(specs=[msgspec.structs.replace(BTC, iceberg_parts=0)])
    assert refusal(lambda: exchange.place("acme", iceberg("0.1", "0.05"), T0)) == (
        -2010,
        "Iceberg orders are not supported for this symbol.",
    )


def test_a_book_keeps_an_order_in_its_place_when_it_shrinks():
    book = Book(0)
    book.rest(1, True, 100, 5)
    book.rest(2, True, 100, 5)
    book.reduce(1, 3)
    assert book.depth(True, 9) == [(100, 7)]
    assert [(m.resting.key, m.lots) for m in book.match(False, 100, 4)] == [(1, 2), (2, 2)]


def test_a_book_takes_hidden_lots_first_when_an_iceberg_shrinks():
    book = Book(0)
    book.rest(1, True, 100, 10, None, 4)
    book.reduce(1, 5)
    assert book.depth(True, 9) == [(100, 4)]
    book.reduce(1, 3)
    assert book.depth(True, 9) == [(100, 2)]
    assert book.available(False, 100, 9) == (2, 200)


def test_the_flow_that_meets_clients_only_meets_what_they_hide_as_well():
    book = Book(0)
    book.rest(1, True, 100, 10, object(), 4)
    book.rest(-1, True, 100, 5)
    assert [(m.resting.key, m.lots) for m in book.match_owned(False, 100, 9)] == [(1, 4), (1, 4), (1, 1)]
    assert book.depth(True, 9) == [(100, 6)]


# -- amends --------------------------------------------------------------------------------------------------------------


def amend(exchange, placed, qty, **more):
    return exchange.amend_keep_priority("acme", "BTCUSDT", T0 + 1, order_id=placed.order_id, new_qty=d(qty), **more)


def test_an_amended_order_is_smaller_and_keeps_its_place(exchange):
    mine = exchange.place("acme", limit("SELL", "1", "60000", client_order_id="c1"), T0)
    exchange.place("birch", limit("SELL", "1", "60000"), T0)
    exchange.drain()
    done = amend(exchange, mine, "0.4", new_client_order_id="c2")
    assert (done.order.orig_qty, done.order.client_order_id, done.order.time, done.order.update_time) == (
        d("0.4"),
        "c2",
        T0,
        T0 + 1,
    )
    assert exchange.balances("acme")["BTC"] == (d("1.6"), d("0.4"))
    (told,) = [e for e in exchange.drain() if isinstance(e, Execution)]
    assert (told.what, told.row.status, told.orig_client_order_id, told.execution_id) == (
        "REPLACED",
        Status.NEW,
        "c1",
        done.amendment.execution_id,
    )
    exchange.place("cedar", limit("BUY", "0.5", "60000"), T0)
    assert exchange.order("acme", "BTCUSDT", client_order_id="c2").status is Status.FILLED
    assert refusal(lambda: exchange.order("acme", "BTCUSDT", client_order_id="c1"))[0] == -2013
    (row,) = exchange.amendments("acme", "BTCUSDT", order_id=mine.order_id)
    assert (row.orig_qty, row.new_qty, row.orig_client_order_id, row.new_client_order_id) == (
        d(1),
        d("0.4"),
        "c1",
        "c2",
    )


def test_an_amend_without_a_new_id_gets_one_and_may_keep_the_old(exchange):
    mine = exchange.place("acme", limit("BUY", "1", "60000", client_order_id="c1"), T0)
    assert amend(exchange, mine, "0.9", new_client_order_id="c1").order.client_order_id == "c1"
    assert amend(exchange, mine, "0.8").order.client_order_id not in ("c1", "")
    assert exchange.balances("acme")["USDT"] == (d(202000), d(48000))


def test_an_amend_below_what_an_iceberg_shows_shows_less(exchange):
    ice = exchange.place("acme", iceberg("1", "0.3"), T0)
    amend(exchange, ice, "0.5")
    assert exchange.depth("BTCUSDT").asks == ((d(60000), d("0.3")),)
    amend(exchange, ice, "0.2")
    assert exchange.depth("BTCUSDT").asks == ((d(60000), d("0.2")),)


@pytest.mark.parametrize(
    ("qty", "code", "message"),
    [
        ("1.1", -2038, "Order amend (quantity increase) is not supported."),
        ("1", -2038, "The requested action would change no state; rejecting."),
        ("0.25", -2038, "The new quantity must be above what is executed."),
        ("0.000001", -1013, "Filter failure: LOT_SIZE"),
        ("0.00005", -1013, "Filter failure: NOTIONAL"),
        ("0", -1013, "Invalid newQty."),
    ],
)
def test_an_amend_that_cannot_be_changes_nothing(exchange, qty, code, message):
    mine = exchange.place("acme", limit("SELL", "1", "60000"), T0)
    exchange.place("cedar", limit("BUY", "0.25", "60000"), T0)
    before = exchange.saved()
    assert refusal(lambda: amend(exchange, mine, qty)) == (code, message)
    assert msgspec.structs.replace(exchange.saved(), at=before.at) == before


def test_an_order_is_amended_only_so_often(exchange):
    mine = exchange.place("acme", limit("SELL", "1", "60000"), T0)
    for n in range(10):
        amend(exchange, mine, f"0.{99 - n}")
    assert refusal(lambda: amend(exchange, mine, "0.5")) == (-2038, "Filter failure: MAX_NUM_ORDER_AMENDS")


def test_what_is_gone_or_not_ones_own_cannot_be_amended(exchange):
    mine = exchange.place("birch", limit("SELL", "1", "60000"), T0)
    assert refusal(lambda: amend(exchange, mine, "0.5")) == (-2038, "Unknown order sent.")


def test_both_legs_of_a_pair_shrink_together(exchange):
    trade_at(exchange, "60000")
    pair = Oco(above=maker("SELL", "1", "61000"), below=order(Kind.STOP_LOSS_LIMIT, "SELL", "1", "58000", "59000"))
    stop, shows = exchange.place_list("acme", pair, T0).orders
    exchange.drain()
    done = amend(exchange, shows, "0.4")
    assert [row.orig_qty for row in done.order_list.orders] == [d("0.4"), d("0.4")]
    assert exchange.balances("acme")["BTC"] == (d("1.6"), d("0.4"))
    events = exchange.drain()
    assert [e.what for e in events if isinstance(e, Execution)] == ["REPLACED", "REPLACED"]
    assert [e.row.list_status_type for e in events if isinstance(e, ListChanged)] == ["UPDATED"]
    exchange.cancel("acme", "BTCUSDT", T0, order_id=stop.order_id)
    assert exchange.balances("acme")["BTC"] == (d(2), d(0))
