"""Orders on the pure exchange: what they do to the order, the balances and the events."""

import msgspec
import pytest
from paper_builders import BTC, SECOND, T0, an_account, an_exchange, d, limit, maker, market

from tradedesk.paper.exchange import Exchange
from tradedesk.paper.market import Quiet
from tradedesk.paper.rows import AccountChanged, Execution, Kind, NewOrder, Print, Refusal, Status


def refusal(call) -> tuple[int, str]:
    with pytest.raises(Refusal) as caught:
        call()
    return caught.value.code, caught.value.message


def refused(order: NewOrder, exchange: Exchange | None = None) -> tuple[int, str]:
    exchange = exchange or an_exchange()
    before = exchange.balances("acme"), exchange.open_orders("acme"), exchange.depth("BTCUSDT")
    answer = refusal(lambda: exchange.place("acme", order, T0))
    assert refusal(lambda: exchange.check("acme", order, T0)) == answer
    assert (exchange.balances("acme"), exchange.open_orders("acme"), exchange.depth("BTCUSDT")) == before
    assert exchange.drain() == []
    return answer


# -- placing ----------------------------------------------------------------------------------------------------------


def test_a_resting_buy_locks_its_price_times_its_quantity():
    exchange = an_exchange()
    row = exchange.place("acme", limit("BUY", "0.5", "60000"), T0)
    assert (row.status, row.is_working, row.fills) == (Status.NEW, True, ())
    assert exchange.balances("acme")["USDT"] == (d(220000), d(30000))
    assert exchange.depth("BTCUSDT").bids == ((d(60000), d("0.5")),)
    assert exchange.open_orders("acme") == [row]


def test_a_better_price_releases_the_difference():
    exchange = an_exchange()
    exchange.place("birch", limit("SELL", "0.5", "60000"), T0)
    row = exchange.place("acme", limit("BUY", "0.7", "61000"), T0 + 5)
    assert (row.status, row.executed_qty, row.cumulative_quote) == (Status.PARTIALLY_FILLED, d("0.5"), d(30000))
    assert exchange.balances("acme")["USDT"] == (d(250000) - 30000 - 12200, d(12200))
    assert exchange.balances("acme")["BTC"] == (d("2.4995"), d(0))
    assert exchange.balances("birch") == {"USDT": (d(250000) + 30000 - 30, d(0)), "BTC": (d("1.5"), d(0))}
    (fill,) = row.fills
    assert (fill.price, fill.commission, fill.commission_asset, fill.is_maker) == (d(60000), d("0.0005"), "BTC", False)
    (theirs,) = exchange.my_trades("birch", "BTCUSDT")
    assert (theirs.trade_id, theirs.commission, theirs.commission_asset, theirs.is_maker) == (
        fill.trade_id,
        d(30),
        "USDT",
        True,
    )


def test_older_orders_at_a_price_trade_first_and_better_prices_before_them():
    exchange = an_exchange()
    first = exchange.place("birch", limit("SELL", "0.1", "60000"), T0)
    second = exchange.place("birch", limit("SELL", "0.1", "60000"), T0)
    best = exchange.place("birch", limit("SELL", "0.1", "59990"), T0)
    exchange.place("acme", market("BUY", "0.25"), T0)
    assert [t.order_id for t in exchange.my_trades("birch", "BTCUSDT")] == [
        best.order_id,
        first.order_id,
        second.order_id,
    ]
    assert exchange.order("birch", "BTCUSDT", order_id=second.order_id).executed_qty == d("0.05")


@pytest.mark.parametrize(
    ("order", "executed", "reason"),
    [
        (limit("BUY", "0.5", "60000", "IOC"), "0.3", "UNFILLED_IOC_QUANTITY_EXPIRED"),
        (limit("BUY", "0.5", "60000", "FOK"), "0", "UNFILLED_FOK_ORDER_EXPIRED"),
        (market("BUY", "0.5"), "0.3", "INSUFFICIENT_LIQUIDITY"),
    ],
)
def test_what_may_not_rest_expires_and_locks_nothing(order, executed, reason):
    exchange = an_exchange()
    exchange.place("birch", limit("SELL", "0.3", "60000"), T0)
    row = exchange.place("acme", order, T0)
    assert (row.status, row.executed_qty, row.expiry_reason) == (Status.EXPIRED, d(executed), reason)
    assert exchange.balances("acme")["USDT"] == (d(250000) - d(executed) * 60000, d(0))
    assert exchange.open_orders("acme") == []


def test_fill_or_kill_trades_when_all_of_it_can():
    exchange = an_exchange()
    exchange.place("birch", limit("SELL", "0.3", "60000"), T0)
    exchange.place("birch", limit("SELL", "0.3", "60010"), T0)
    assert exchange.place("acme", limit("BUY", "0.5", "60010", "FOK"), T0).status is Status.FILLED


def test_a_market_order_by_amount_spends_at_most_that():
    exchange = an_exchange()
    exchange.place("birch", limit("SELL", "0.01", "60000"), T0)
    exchange.place("birch", limit("SELL", "1", "60100"), T0)
    row = exchange.place("acme", market("BUY", quote="1000"), T0)
    assert (row.status, row.orig_qty, row.executed_qty) == (Status.FILLED, d("0.01665"), d("0.01665"))
    assert row.cumulative_quote == d(600) + d("0.00665") * 60100 <= 1000
    assert row.orig_quote_qty == 1000
    exchange.drain()
    nobody_buys = (-2010, "Order book liquidity is less than symbol minimum quantity.")
    assert refused(market("SELL", quote="1000"), exchange) == nobody_buys


def test_an_amount_needs_a_book_that_holds_the_least_quantity():
    exchange = an_exchange(specs=[msgspec.structs.replace(BTC, min_market_qty=d("0.5"))])
    exchange.place("birch", limit("SELL", "0.4", "60000"), T0)
    exchange.drain()
    message = "Order book liquidity is less than MARKET_LOT_SIZE filter minimum quantity."
    assert refused(market("BUY", quote="1000"), exchange) == (-2010, message)


def test_an_account_may_trade_with_itself():
    exchange = an_exchange(an_account(maker="0", taker="0"))
    exchange.place("acme", limit("SELL", "1", "60000"), T0)
    exchange.place("acme", limit("BUY", "1", "60000"), T0)
    assert exchange.balances("acme") == {"USDT": (d(250000), d(0)), "BTC": (d(2), d(0))}
    assert len(exchange.my_trades("acme", "BTCUSDT")) == 2


def test_commission_is_cut_to_eight_decimals():
    exchange = an_exchange(an_account("acme", taker="0.00075"), an_account("birch"))
    exchange.place("birch", limit("SELL", "0.00123", "60000"), T0)
    (fill,) = exchange.place("acme", limit("BUY", "0.00123", "60000"), T0).fills
    assert fill.commission == d("0.00000092")


# -- refusals ---------------------------------------------------------------------------------------------------------

NOT_REQUIRED = "sent when not required."


@pytest.mark.parametrize(
    ("order", "code", "message"),
    [
        (msgspec.structs.replace(limit("BUY", "1", "60000"), symbol="XUSDT"), -1121, "Invalid symbol."),
        (msgspec.structs.replace(limit("BUY", "1", "60000"), side="HOLD"), -1117, "Invalid side."),
        (limit("BUY", "1", "60000", "GTX"), -1115, "Invalid timeInForce."),
        (limit("BUY", "1", "60000", None), -1102, "Mandatory parameter 'timeInForce' was not sent, was empty/null, or malformed."),
        (msgspec.structs.replace(limit("BUY", "1", "1"), price=None), -1102, "Mandatory parameter 'price' was not sent, was empty/null, or malformed."),
        (market("BUY"), -1102, "Mandatory parameter 'quantity' was not sent, was empty/null, or malformed."),
        (market("BUY", "1", "1000"), -1128, "Combination of optional parameters invalid."),
        (msgspec.structs.replace(market("BUY", "1"), price=d(60000)), -1106, f"Parameter 'price' {NOT_REQUIRED}"),
        (msgspec.structs.replace(market("BUY", "1"), time_in_force="GTC"), -1106, f"Parameter 'timeInForce' {NOT_REQUIRED}"),
        (msgspec.structs.replace(maker("BUY", "1", "60000"), time_in_force="GTC"), -1106, f"Parameter 'timeInForce' {NOT_REQUIRED}"),
        (limit("BUY", "-1", "60000"), -1013, "Invalid quantity."),
        (limit("BUY", "1", "0"), -1013, "Invalid price."),
        (limit("BUY", "1.000000001", "60000"), -1111, "Parameter 'quantity' has too much precision."),
        (limit("BUY", "1", "60000.005"), -1013, "Filter failure: PRICE_FILTER"),
        (limit("BUY", "1", "1000000.01"), -1013, "Filter failure: PRICE_FILTER"),
        (limit("BUY", "1.000001", "60000"), -1013, "Filter failure: LOT_SIZE"),
        (limit("BUY", "9001", "60000"), -1013, "Filter failure: LOT_SIZE"),
        (market("BUY", "101"), -1013, "Filter failure: MARKET_LOT_SIZE"),
        (limit("BUY", "0.00001", "60000"), -1013, "Filter failure: NOTIONAL"),
        (limit("BUY", "200", "60000"), -1013, "Filter failure: NOTIONAL"),
        (market("BUY", quote="4.99"), -1013, "Filter failure: NOTIONAL"),
        (limit("BUY", "5", "60000"), -2010, "Account has insufficient balance for requested action."),
        (limit("SELL", "2.1", "60000"), -2010, "Account has insufficient balance for requested action."),
        (limit("BUY", "1", "60000", client_order_id="a b"), -1100, "Illegal characters found in parameter 'newClientOrderId'; legal range is '^[\\.A-Z\\:/a-z0-9_-]{1,36}$'."),
    ],
)  # fmt: skip
def test_a_bad_order_is_refused_and_nothing_changes(order, code, message):
    assert refused(order) == (code, message)


@pytest.mark.parametrize(
    ("order", "message"),
    [
        (limit("BUY", "0.001", "300006"), "Filter failure: PERCENT_PRICE_BY_SIDE"),
        (limit("SELL", "0.001", "11999"), "Filter failure: PERCENT_PRICE_BY_SIDE"),
        (market("BUY", "0.00008"), "Filter failure: NOTIONAL"),
        (maker("BUY", "0.001", "60001"), "Order would immediately match and take."),
        (market("BUY", "5"), "Account has insufficient balance for requested action."),
        (market("BUY", quote="999999"), "Account has insufficient balance for requested action."),
    ],
)
def test_what_is_measured_by_the_market_is_refused_when_there_is_one(order, message):
    exchange = an_exchange(an_account(), an_account("birch", BTC="50"))
    exchange.place("birch", limit("SELL", "50", "60001"), T0)
    exchange.place("acme", limit("BUY", "0.001", "60001"), T0)  # the average is 60001 now
    exchange.drain()
    assert refused(order, exchange)[1] == message


def test_a_market_order_of_less_than_one_lot_is_refused():
    spec = msgspec.structs.replace(BTC, min_notional=d("0.01"))
    exchange = an_exchange(specs=[spec])
    exchange.place("birch", limit("SELL", "1", "60000"), T0)
    exchange.drain()
    assert refused(market("BUY", quote="0.5"), exchange) == (-1013, "Filter failure: LOT_SIZE")


def test_open_orders_are_counted_per_instrument():
    exchange = an_exchange(specs=[msgspec.structs.replace(BTC, max_orders=2)])
    for _ in range(2):
        exchange.place("acme", limit("BUY", "0.001", "50000"), T0)
    exchange.place("birch", limit("BUY", "0.001", "50000"), T0)
    exchange.drain()
    assert refused(limit("BUY", "0.001", "50000"), exchange) == (-1013, "Filter failure: MAX_NUM_ORDERS")


def test_a_client_id_is_unique_among_open_orders_only():
    exchange = an_exchange()
    exchange.place("acme", limit("BUY", "0.001", "50000", client_order_id="c1"), T0)
    exchange.place("birch", limit("BUY", "0.001", "50000", client_order_id="c1"), T0)  # another account
    exchange.drain()
    assert refused(limit("BUY", "0.001", "50000", client_order_id="c1"), exchange) == (-2010, "Duplicate order sent.")
    exchange.cancel("acme", "BTCUSDT", T0, client_order_id="c1")
    again = exchange.place("acme", limit("BUY", "0.001", "50000", client_order_id="c1"), T0)
    assert exchange.order("acme", "BTCUSDT", client_order_id="c1") == again


def test_a_closed_market_takes_no_orders():
    exchange = an_exchange(specs=[msgspec.structs.replace(BTC, status="BREAK")])
    assert refused(limit("BUY", "1", "60000"), exchange) == (-2010, "Market is closed.")


# -- cancelling -------------------------------------------------------------------------------------------------------


def test_a_cancel_releases_what_is_left():
    exchange = an_exchange()
    placed = exchange.place("acme", limit("BUY", "1", "60000", client_order_id="c1"), T0)
    exchange.place("birch", limit("SELL", "0.25", "60000"), T0)
    done = exchange.cancel("acme", "BTCUSDT", T0 + 9, order_id=placed.order_id, new_client_order_id="x1")
    assert (done.order.status, done.order.executed_qty, done.order.client_order_id) == (
        Status.CANCELED,
        d("0.25"),
        "c1",
    )
    assert (done.cancel_client_order_id, done.order.update_time, done.order.is_working) == ("x1", T0 + 9, False)
    assert exchange.balances("acme")["USDT"] == (d(235000), d(0))
    assert exchange.depth("BTCUSDT").bids == ()


def test_cancelling_what_is_not_there_is_refused():
    exchange = an_exchange()
    mine = exchange.place("acme", limit("BUY", "1", "60000", client_order_id="c1"), T0)
    unknown = (-2011, "Unknown order sent.")
    assert refusal(lambda: exchange.cancel("acme", "BTCUSDT", T0, order_id=5)) == unknown
    assert refusal(lambda: exchange.cancel("birch", "BTCUSDT", T0, order_id=mine.order_id)) == unknown
    assert refusal(lambda: exchange.cancel("acme", "BTCUSDT", T0))[0] == -1102
    assert refusal(lambda: exchange.cancel("acme", "NOPE", T0, order_id=1))[0] == -1121
    assert (
        refusal(lambda: exchange.cancel("acme", "BTCUSDT", T0, order_id=mine.order_id, client_order_id="c2"))[0]
        == -2039
    )
    exchange.place("birch", limit("SELL", "1", "60000"), T0)
    assert refusal(lambda: exchange.cancel("acme", "BTCUSDT", T0, order_id=mine.order_id)) == unknown
    assert refusal(lambda: exchange.cancel_all("acme", "BTCUSDT", T0)) == unknown
    assert refusal(lambda: exchange.order("acme", "BTCUSDT", order_id=5)) == (-2013, "Order does not exist.")


def test_a_restricted_cancel_spares_the_other_kind():
    exchange = an_exchange()
    order = exchange.place("acme", limit("BUY", "1", "60000"), T0)

    def cancel(restriction):
        return exchange.cancel("acme", "BTCUSDT", T0, order_id=order.order_id, restrictions=restriction)

    message = "Order was not canceled due to cancel restrictions."
    assert refusal(lambda: cancel("ONLY_PARTIALLY_FILLED")) == (-2011, message)
    exchange.place("birch", limit("SELL", "0.25", "60000"), T0)
    assert refusal(lambda: cancel("ONLY_NEW")) == (-2011, message)
    assert refusal(lambda: cancel("SOME"))[0] == -1130
    assert cancel("ONLY_PARTIALLY_FILLED").order.status is Status.CANCELED


def test_cancel_all_takes_every_open_order_of_the_account():
    exchange = an_exchange()
    for price in ("50000", "50001"):
        exchange.place("acme", limit("BUY", "0.1", price), T0)
    exchange.place("birch", limit("BUY", "0.1", "50000"), T0)
    assert [c.order.price for c in exchange.cancel_all("acme", "BTCUSDT", T0)] == [d(50000), d(50001)]
    assert (exchange.open_orders("acme"), len(exchange.open_orders("birch"))) == ([], 1)


def test_cancel_replace_moves_an_order_whose_funds_it_needs():
    exchange = an_exchange(an_account(USDT="60000"))
    old = exchange.place("acme", limit("BUY", "1", "59000", client_order_id="c1"), T0)
    both = exchange.cancel_replace(
        "acme", limit("BUY", "1", "60000", client_order_id="c1"), T0, stop_on_failure=True, order_id=old.order_id
    )
    assert both.cancel.order.status is Status.CANCELED
    assert both.new.status is Status.NEW
    assert exchange.open_orders("acme") == [both.new]


def test_a_new_order_refused_after_the_old_one_is_gone_is_told_as_rejected():
    exchange = an_exchange()
    exchange.place("birch", limit("BUY", "1", "60000"), T0)
    old = exchange.place("acme", limit("SELL", "1", "61000"), T0)
    exchange.drain()
    new = msgspec.structs.replace(maker("SELL", "1", "60000"), client_order_id="n1")
    both = exchange.cancel_replace("acme", new, T0, stop_on_failure=True, order_id=old.order_id)
    assert (both.cancel.order.status, both.new.message) == (Status.CANCELED, "Order would immediately match and take.")
    told = [(e.what, e.row.status, e.row.client_order_id) for e in exchange.drain() if isinstance(e, Execution)]
    assert told == [
        ("CANCELED", Status.CANCELED, old.client_order_id),
        ("REJECTED", Status.REJECTED, "n1"),
    ]
    assert refusal(lambda: exchange.order("acme", "BTCUSDT", client_order_id="n1"))[0] == -2013


def test_cancel_replace_stops_or_goes_on_after_a_failed_cancel():
    exchange = an_exchange()
    stopped = exchange.cancel_replace("acme", limit("BUY", "1", "60000"), T0, stop_on_failure=True, order_id=1)
    assert (stopped.cancel.code, stopped.new, exchange.open_orders("acme")) == (-2011, None, [])
    went_on = exchange.cancel_replace("acme", limit("BUY", "1", "60000"), T0, stop_on_failure=False, order_id=1)
    assert (went_on.cancel.code, went_on.new.status) == (-2011, Status.NEW)


def test_cancel_replace_may_lose_the_old_order_without_a_new_one():
    exchange = an_exchange()
    old = exchange.place("acme", limit("BUY", "1", "59000"), T0)
    half = exchange.cancel_replace("acme", limit("BUY", "9", "60000"), T0, stop_on_failure=True, order_id=old.order_id)
    assert (half.cancel.order.status, half.new.code) == (Status.CANCELED, -2010)


def test_cancel_replace_with_a_filter_failure_touches_nothing():
    exchange = an_exchange()
    old = exchange.place("acme", limit("BUY", "1", "59000"), T0)
    bad = limit("BUY", "1", "60000.005")
    call = lambda: exchange.cancel_replace("acme", bad, T0, stop_on_failure=False, order_id=old.order_id)  # noqa: E731
    assert refusal(call) == (-1013, "Filter failure: PRICE_FILTER")
    assert exchange.open_orders("acme") == [old]


# -- events and queries -----------------------------------------------------------------------------------------------


def test_events_come_in_the_order_things_happened():
    exchange = an_exchange()
    exchange.place("birch", limit("SELL", "0.5", "60000"), T0)
    exchange.drain()
    exchange.place("acme", limit("BUY", "0.7", "60000", "IOC"), T0 + 5)
    events = exchange.drain()
    assert [(type(e), getattr(e, "what", "")) for e in events] == [
        (Execution, "NEW"),
        (AccountChanged, ""),
        (Print, ""),
        (Execution, "TRADE"),  # birch
        (AccountChanged, ""),
        (Execution, "TRADE"),  # acme
        (AccountChanged, ""),
        (Execution, "EXPIRED"),
        (AccountChanged, ""),
    ]
    executions = [e for e in events if isinstance(e, Execution)]
    assert len({e.execution_id for e in executions}) == 4
    assert [e.row.account for e in executions] == ["acme", "birch", "acme", "acme"]
    assert executions[1].row.status is Status.FILLED
    changed = events[-1]
    assert isinstance(changed, AccountChanged)
    assert (changed.account, changed.time) == ("acme", T0 + 5)
    assert changed.balances == {"USDT": exchange.balances("acme")["USDT"]}
    assert exchange.drain() == []


def test_all_orders_and_trades_page_from_an_id_or_show_the_newest():
    exchange = an_exchange()
    ids = [exchange.place("acme", limit("BUY", "0.001", "50000"), T0 + n * SECOND).order_id for n in range(5)]
    for _ in range(5):
        exchange.place("birch", limit("SELL", "0.001", "50000"), T0 + 9 * SECOND)

    def listed(**by):
        return [row.order_id for row in exchange.all_orders("acme", "BTCUSDT", **by)]

    assert listed(limit=2) == ids[-2:]
    assert listed(order_id=ids[1], limit=2) == ids[1:3]
    assert listed(start=T0 + SECOND, end=T0 + 3 * SECOND) == ids[1:4]
    trades = [t.trade_id for t in exchange.my_trades("acme", "BTCUSDT")]
    assert [t.trade_id for t in exchange.my_trades("acme", "BTCUSDT", from_id=trades[2])] == trades[2:]
    assert [t.trade_id for t in exchange.my_trades("acme", "BTCUSDT", order_id=ids[3])] == [trades[3]]


def test_ids_of_a_later_exchange_are_new():
    early, late = an_exchange(), Exchange([BTC], [an_account()], Quiet(), now=T0 + SECOND)
    old = [early.place("acme", limit("BUY", "0.001", "50000"), T0).order_id for _ in range(50)]
    assert late.place("acme", limit("BUY", "0.001", "50000"), T0 + SECOND).order_id > max(old)


def test_an_amount_finer_than_the_venue_counts_is_refused_at_the_start():
    with pytest.raises(ValueError, match="acme: USDT"):
        an_exchange(an_account(USDT="1.000000001"))
    with pytest.raises(ValueError, match="BTCUSDT: tick"):
        an_exchange(specs=[msgspec.structs.replace(BTC, tick=d("0.0001"))])


def test_limit_maker_rests():
    exchange = an_exchange()
    row = exchange.place("acme", maker("BUY", "0.1", "60000"), T0)
    assert (row.kind, row.time_in_force, row.status) == (Kind.LIMIT_MAKER, "GTC", Status.NEW)
