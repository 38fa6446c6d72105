"""Parameters and filters of conditional orders, positions and market lots; rules that change while orders are open."""

import msgspec
import pytest
from paper_builders import BTC, SECOND, T0, an_account, an_exchange, d, limit, maker, market, order, trade_at

from tradedesk.paper.exchange import Exchange
from tradedesk.paper.rows import Kind, Oco, Refusal, Status
from tradedesk.paper.synthetic import Synthetic

replace = msgspec.structs.replace
STOP, STOP_LIMIT, TAKE, TAKE_LIMIT = Kind.STOP_LOSS, Kind.STOP_LOSS_LIMIT, Kind.TAKE_PROFIT, Kind.TAKE_PROFIT_LIMIT


def refusal(call) -> tuple[int, str]:
    with pytest.raises(Refusal) as caught:
        call()
    return caught.value.code, caught.value.message


def missing(name):
    return -1102, f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed."


def not_required(name):
    return -1106, f"Parameter '{name}' sent when not required."


@pytest.mark.parametrize(
    ("new", "answer"),
    [
        (order(STOP, "SELL", "1"), (-1102, "Param 'stopPrice' or 'trailingDelta' must be sent, but both were empty/null!")),
        (order(TAKE_LIMIT, "SELL", "1", "60000"), (-1102, "Param 'stopPrice' or 'trailingDelta' must be sent, but both were empty/null!")),
        (order(STOP, "SELL", "1", "60000", "59000"), not_required("price")),
        (order(STOP, "SELL", "1", None, "59000", time_in_force="GTC"), not_required("timeInForce")),
        (order(TAKE, "SELL", "1", None, "61000", iceberg_qty=d("0.1")), not_required("icebergQty")),
        (replace(order(STOP, "SELL", "1", None, "59000"), quantity=None), missing("quantity")),
        (replace(order(STOP, "SELL", "1", None, "59000"), quote_quantity=d(100)), not_required("quoteOrderQty")),
        (order(STOP_LIMIT, "SELL", "1", None, "59000", time_in_force="GTC"), missing("price")),
        (order(STOP_LIMIT, "SELL", "1", "59000", "59000", time_in_force=None), missing("timeInForce")),
        (order(STOP_LIMIT, "SELL", "1", "59000", "59000", time_in_force="GTX"), (-1115, "Invalid timeInForce.")),
        (order(STOP_LIMIT, "SELL", "1", "59000", "59000", time_in_force="FOK", iceberg_qty=d("0.5")), (-1014, "Unsupported order combination.")),
        (replace(limit("SELL", "1", "60000"), stop_price=d(59000)), not_required("stopPrice")),
        (replace(market("SELL", "1"), trailing_delta=100), not_required("trailingDelta")),
        (order(STOP, "SELL", "1", None, "59000.001"), (-1013, "Filter failure: PRICE_FILTER")),
        (order(STOP, "SELL", "1", None, "1000000.01"), (-1013, "Filter failure: PRICE_FILTER")),
        (order(STOP, "SELL", "1", None, "0"), (-1013, "Invalid stopPrice.")),
        (order(STOP, "SELL", "1", None, "59000.000000001"), (-1111, "Parameter 'stopPrice' has too much precision.")),
        (order(STOP, "SELL", "101", None, "59000"), (-1013, "Filter failure: MARKET_LOT_SIZE")),
        (order(STOP_LIMIT, "SELL", "0.00001", "59000", "59000"), (-1013, "Filter failure: NOTIONAL")),
        (order(STOP_LIMIT, "SELL", "3", "59000", "59000"), (-2010, "Account has insufficient balance for requested action.")),
        (order(STOP, "BUY", "5", None, "61000"), (-2010, "Account has insufficient balance for requested action.")),
        (limit("SELL", "1", "60000", strategy_type=999_999), (-1134, "strategyType was less than 1000000.")),
        (limit("SELL", "1", "60000", stp_mode="SOMETIMES"), (-1130, "Data sent for parameter 'selfTradePreventionMode' is not valid.")),
    ],
)  # fmt: skip
def test_a_conditional_order_that_is_not_well_formed_is_refused(new, answer):
    exchange = an_exchange()
    before = exchange.saved()
    assert refusal(lambda: exchange.place("acme", new, T0)) == answer
    assert refusal(lambda: exchange.check("acme", new, T0)) == answer
    assert exchange.saved() == before


def test_the_clients_own_marks_come_back():
    row = an_exchange().place("acme", limit("BUY", "0.1", "60000", strategy_id=7, strategy_type=1_000_001), T0)
    assert (row.strategy_id, row.strategy_type) == (7, 1_000_001)


def test_the_notional_of_an_order_without_a_price_is_measured_by_the_average():
    exchange = an_exchange()
    trade_at(exchange, "60000")
    call = refusal(lambda: exchange.place("acme", order(STOP, "SELL", "0.00008", None, "50000"), T0))
    assert call == (-1013, "Filter failure: NOTIONAL")


@pytest.mark.parametrize("qty", ["0.00015", "0.0001"])
def test_market_orders_have_a_least_quantity_and_a_step_of_their_own(qty):
    exchange = an_exchange(
        specs=[replace(BTC, min_market_qty=d("0.0002"), market_lot=d("0.0001"), min_notional=d("0.01"))]
    )
    assert refusal(lambda: exchange.place("acme", market("SELL", qty), T0))[1] == "Filter failure: MARKET_LOT_SIZE"
    assert exchange.place("acme", limit("SELL", qty, "60000"), T0).status is Status.NEW


def test_a_position_counts_what_is_held_and_what_is_being_bought():
    exchange = an_exchange(specs=[replace(BTC, max_position=d("3.5"))])
    trade_at(exchange, "60000")
    exchange.place("acme", limit("BUY", "0.5", "50000"), T0)
    pair = Oco(above=order(STOP, "BUY", "0.5", stop="61000"), below=maker("BUY", "0.5", "59000"))
    exchange.place_list("acme", pair, T0)  # one of its legs counts
    answer = (-1013, "Filter failure: MAX_POSITION")
    assert refusal(lambda: exchange.place("acme", limit("BUY", "0.50001", "50000"), T0)) == answer
    assert exchange.place("acme", limit("BUY", "0.5", "50000"), T0).status is Status.NEW
    assert exchange.place("acme", limit("SELL", "1", "65000"), T0).status is Status.NEW


# -- rules that change under way -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", ["HALT", "BREAK", "CANCEL_ONLY"])
def test_while_an_instrument_does_not_trade_only_cancels_work(status):
    exchange = an_exchange()
    placed = exchange.place("acme", limit("BUY", "1", "60000"), T0)
    exchange.set_status("BTCUSDT", status, T0)
    assert exchange.spec("BTCUSDT").status == status
    assert refusal(lambda: exchange.place("birch", market("SELL", "1"), T0)) == (-2010, "Market is closed.")
    amend = exchange.amend_keep_priority
    assert refusal(lambda: amend("acme", "BTCUSDT", T0, order_id=placed.order_id, new_qty=d("0.5")))[0] == -2038
    assert exchange.cancel("acme", "BTCUSDT", T0, order_id=placed.order_id).order.status is Status.CANCELED
    exchange.set_status("BTCUSDT", "TRADING", T0)
    assert exchange.place("birch", limit("SELL", "1", "60000"), T0).status is Status.NEW


def test_a_halt_stops_everyone_elses_trading_as_well_and_the_market_comes_back():
    exchange = Exchange([BTC], [an_account()], Synthetic([BTC], 1), now=T0)
    exchange.advance(T0 + 20 * SECOND)
    exchange.set_status("BTCUSDT", "HALT", T0 + 20 * SECOND)
    exchange.drain()
    exchange.advance(T0 + 60 * SECOND)
    assert exchange.drain() == []
    exchange.set_status("BTCUSDT", "TRADING", T0 + 60 * SECOND)
    exchange.advance(T0 + 120 * SECOND)
    assert exchange.drain() != []
    book = exchange.depth("BTCUSDT", 10)
    assert book.bids[0][0] < book.asks[0][0]
    assert len(book.bids) == len(book.asks) == 10


def test_a_status_that_does_not_exist_is_an_error():
    with pytest.raises(ValueError, match="is not one of"):
        an_exchange().set_status("BTCUSDT", "SLEEPING", T0)


def test_a_coarser_tick_applies_to_new_orders_and_old_ones_stay():
    exchange = an_exchange()
    old = exchange.place("acme", limit("SELL", "1", "60000.01"), T0)
    exchange.set_spec(replace(BTC, tick=d("0.10"), lot=d("0.001"), min_qty=d("0.001")), T0)
    assert exchange.spec("BTCUSDT").tick == d("0.10")
    assert (
        refusal(lambda: exchange.place("birch", limit("BUY", "1", "60000.01"), T0))[1] == "Filter failure: PRICE_FILTER"
    )
    assert (
        refusal(lambda: exchange.place("birch", limit("BUY", "1.00001", "60000.10"), T0))[1]
        == "Filter failure: LOT_SIZE"
    )
    assert exchange.depth("BTCUSDT").asks == ((d("60000.01"), d(1)),)
    (fill,) = exchange.place("birch", limit("BUY", "1", "60000.10"), T0).fills
    assert fill.price == d("60000.01")
    assert exchange.order("acme", "BTCUSDT", order_id=old.order_id).status is Status.FILLED


@pytest.mark.parametrize("changes", [{"tick": "0.001"}, {"lot": "0.000001"}, {"base": "XBT"}])
def test_a_book_keeps_its_own_steps_and_assets(changes):
    changed = replace(BTC, **{k: v if k == "base" else d(v) for k, v in changes.items()})
    with pytest.raises(ValueError, match="BTCUSDT: "):
        an_exchange().set_spec(changed, T0)


def test_a_raised_minimum_leaves_open_orders_and_refuses_new_ones():
    exchange = an_exchange()
    exchange.place("acme", limit("SELL", "0.001", "60000"), T0)
    exchange.set_spec(replace(BTC, min_notional=d(100)), T0)
    assert refusal(lambda: exchange.place("acme", limit("SELL", "0.001", "60000"), T0))[1] == "Filter failure: NOTIONAL"
    assert len(exchange.open_orders("acme")) == 1
