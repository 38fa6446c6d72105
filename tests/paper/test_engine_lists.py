"""Order lists on the pure exchange: OCO, OTO, OTOCO."""

import msgspec
import pytest
from paper_builders import BTC, SECOND, T0, an_account, an_exchange, d, limit, maker, market, order, trade_at

from tradedesk.paper.rows import Execution, Kind, ListChanged, Oco, Oto, Otoco, Refusal, Status

replace = msgspec.structs.replace


def refusal(call) -> tuple[int, str]:
    with pytest.raises(Refusal) as caught:
        call()
    return caught.value.code, caught.value.message


@pytest.fixture
def exchange():
    """The last price is 60000; cedar makes the market."""
    exchange = an_exchange(an_account(), an_account("birch"), an_account("cedar", USDT="9000000", BTC="90"))
    trade_at(exchange, "60000")
    exchange.drain()
    return exchange


def stop(side, qty, price, at, **more):
    return order(Kind.STOP_LOSS_LIMIT, side, qty, price, at, **more)


def sell_oco(qty="0.5", above="61000", below="59000", below_price="58900", **more):
    return Oco(above=maker("SELL", qty, above), below=stop("SELL", qty, below_price, below), **more)


def buy_oco(qty="0.5"):
    return Oco(above=stop("BUY", qty, "61100", "61000"), below=maker("BUY", qty, "59000"))


def statuses(exchange, placed, account="acme"):
    return [o.status for o in exchange.order_list(account, order_list_id=placed.order_list_id).orders]


def legs(placed):
    """Of an OCO: (stop, maker)."""
    return placed.orders


def told(exchange, account="acme"):
    """The account's executions and list events, short."""
    events = []
    for event in exchange.drain():
        if isinstance(event, Execution) and event.row.account == account:
            events.append((event.what, event.row.kind, event.row.status, event.row.expiry_reason))
        elif isinstance(event, ListChanged) and event.row.account == account:
            events.append((event.row.list_status_type, event.row.list_order_status))
    return events


# -- one cancels the other -------------------------------------------------------------------------------------------------


def test_an_oco_shows_its_maker_leg_and_lets_its_stop_wait(exchange):
    placed = exchange.place_list("acme", sell_oco(list_client_order_id="mine"), T0)
    waits, shows = legs(placed)
    assert (placed.contingency_type, placed.list_status_type, placed.list_order_status) == (
        "OCO",
        "EXEC_STARTED",
        "EXECUTING",
    )
    assert placed.list_client_order_id == "mine"
    assert (waits.kind, waits.status, waits.working_time) == (Kind.STOP_LOSS_LIMIT, Status.NEW, -1)
    assert (shows.kind, shows.status, shows.working_time) == (Kind.LIMIT_MAKER, Status.NEW, T0)
    assert waits.order_list_id == shows.order_list_id == placed.order_list_id
    assert exchange.depth("BTCUSDT").asks == ((d(61000), d("0.5")),)
    assert exchange.open_orders("acme") == [waits, shows]
    assert exchange.open_order_lists("acme") == [placed]
    assert told(exchange) == [
        ("NEW", Kind.STOP_LOSS_LIMIT, Status.NEW, None),
        ("NEW", Kind.LIMIT_MAKER, Status.NEW, None),
        ("EXEC_STARTED", "EXECUTING"),
    ]


def test_an_oco_locks_once_the_larger_of_its_legs(exchange):
    exchange.place_list("acme", sell_oco(), T0)
    assert exchange.balances("acme")["BTC"] == (d("1.5"), d("0.5"))
    exchange.place_list("birch", buy_oco("1"), T0)
    assert exchange.balances("birch")["USDT"][1] == d(61100)


def test_a_fill_of_the_maker_leg_expires_the_stop_and_ends_the_list(exchange):
    placed = exchange.place_list("acme", sell_oco(), T0)
    exchange.drain()
    exchange.place("cedar", limit("BUY", "0.5", "61000"), T0 + SECOND)
    assert statuses(exchange, placed) == [Status.EXPIRED, Status.FILLED]
    assert exchange.order_list("acme", order_list_id=placed.order_list_id).list_order_status == "ALL_DONE"
    assert exchange.open_order_lists("acme") == []
    assert exchange.balances("acme")["BTC"] == (d("1.5"), d(0))
    assert told(exchange) == [
        ("EXPIRED", Kind.STOP_LOSS_LIMIT, Status.EXPIRED, "OCO_TRIGGER"),
        ("TRADE", Kind.LIMIT_MAKER, Status.FILLED, None),
        ("ALL_DONE", "ALL_DONE"),
    ]


def test_a_part_fill_decides_too_and_the_list_lives_until_the_leg_ends(exchange):
    placed = exchange.place_list("acme", sell_oco(), T0)
    exchange.place("cedar", limit("BUY", "0.2", "61000"), T0)
    assert statuses(exchange, placed) == [Status.EXPIRED, Status.PARTIALLY_FILLED]
    assert len(exchange.open_order_lists("acme")) == 1
    trade_at(exchange, "59000")  # the stop is dead
    assert exchange.balances("acme")["BTC"] == (d("1.5"), d("0.3"))
    exchange.cancel_list("acme", "BTCUSDT", T0, order_list_id=placed.order_list_id)
    assert statuses(exchange, placed) == [Status.EXPIRED, Status.CANCELED]
    assert exchange.balances("acme")["BTC"] == (d("1.8"), d(0))


def test_a_triggered_stop_takes_the_maker_leg_off_the_book(exchange):
    placed = exchange.place_list("acme", sell_oco(), T0)
    exchange.drain()
    trade_at(exchange, "59000")
    assert statuses(exchange, placed) == [Status.NEW, Status.EXPIRED]
    assert exchange.depth("BTCUSDT").asks == ((d(58900), d("0.5")),)
    exchange.place("cedar", limit("BUY", "0.5", "58900"), T0)
    assert statuses(exchange, placed) == [Status.FILLED, Status.EXPIRED]
    assert told(exchange) == [
        ("EXPIRED", Kind.LIMIT_MAKER, Status.EXPIRED, "OCO_TRIGGER"),
        ("NEW", Kind.STOP_LOSS_LIMIT, Status.NEW, None),
        ("TRADE", Kind.STOP_LOSS_LIMIT, Status.FILLED, None),
        ("ALL_DONE", "ALL_DONE"),
    ]


def test_a_buy_oco_that_fills_below_gives_back_what_the_stop_would_have_needed(exchange):
    exchange.place_list("acme", buy_oco("1"), T0)
    exchange.place("cedar", limit("SELL", "1", "59000"), T0)
    assert exchange.balances("acme")["USDT"] == (d(250000 - 59000), d(0))


def test_a_take_profit_and_a_stop_loss_may_be_a_pair(exchange):
    exchange.place("cedar", limit("BUY", "1", "58000"), T0)
    pair = Oco(
        above=order(Kind.TAKE_PROFIT, "SELL", "0.5", stop="61000"),
        below=order(Kind.STOP_LOSS, "SELL", "0.5", stop="59000"),
    )
    placed = exchange.place_list("acme", pair, T0)
    assert exchange.balances("acme")["BTC"] == (d("1.5"), d("0.5"))
    trade_at(exchange, "61000", qty="0.001", by="cedar")
    assert statuses(exchange, placed) == [Status.EXPIRED, Status.FILLED]


@pytest.mark.parametrize("by", ["leg", "list", "client", "all"])
def test_cancelling_one_leg_or_the_list_cancels_both(exchange, by):
    placed = exchange.place_list("acme", sell_oco(list_client_order_id="mine"), T0)
    exchange.drain()
    if by == "leg":
        done = exchange.cancel(
            "acme", "BTCUSDT", T0, order_id=legs(placed)[0].order_id, new_client_order_id="x"
        ).order_list
    elif by == "all":
        (one,) = exchange.cancel_all("acme", "BTCUSDT", T0)
        done = one.order_list
    elif by == "list":
        done = exchange.cancel_list("acme", "BTCUSDT", T0, order_list_id=placed.order_list_id)
    else:
        done = exchange.cancel_list("acme", "BTCUSDT", T0, list_client_order_id="mine")
    assert (done.row.list_status_type, done.row.list_order_status) == ("ALL_DONE", "ALL_DONE")
    assert [c.order.status for c in done.orders] == [Status.CANCELED, Status.CANCELED]
    assert len({c.cancel_client_order_id for c in done.orders}) == 1
    assert exchange.balances("acme")["BTC"] == (d(2), d(0))
    assert exchange.depth("BTCUSDT").asks == ()
    assert told(exchange)[-1] == ("ALL_DONE", "ALL_DONE")


def test_a_list_that_is_over_or_not_there_cannot_be_cancelled(exchange):
    placed = exchange.place_list("acme", sell_oco(), T0)
    list_id = placed.order_list_id
    exchange.cancel_list("acme", "BTCUSDT", T0, order_list_id=list_id)
    unknown = (-2011, "Unknown order sent.")
    assert refusal(lambda: exchange.cancel_list("acme", "BTCUSDT", T0, order_list_id=list_id)) == unknown
    assert refusal(lambda: exchange.cancel_list("birch", "BTCUSDT", T0, order_list_id=list_id)) == unknown
    assert refusal(lambda: exchange.cancel_list("acme", "BTCUSDT", T0))[0] == -1102
    assert refusal(lambda: exchange.order_list("birch", order_list_id=list_id)) == (-2018, "Order list does not exist.")


WRONG = "The relationship of the prices for the orders is not correct."
MAKER, TAKE = Kind.LIMIT_MAKER, Kind.TAKE_PROFIT


@pytest.mark.parametrize(
    ("above", "below", "code", "message"),
    [
        (maker("SELL", "1", "60000"), stop("SELL", "1", "58000", "59000"), -2010, WRONG),
        (maker("SELL", "1", "61000"), stop("SELL", "1", "58000", "60000"), -2010, WRONG),
        (stop("BUY", "1", "61000", "60000"), maker("BUY", "1", "59000"), -2010, WRONG),
        (stop("BUY", "1", "62000", "61000"), maker("BUY", "1", "60000"), -2010, WRONG),
        (order(TAKE, "SELL", "1", stop="60000"), stop("SELL", "1", "58000", "59000"), -2010, WRONG),
        (stop("SELL", "1", "61000", "61000"), maker("SELL", "1", "59000"), -1166, "A limit order in a sell OCO must be above."),
        (maker("BUY", "1", "61000"), stop("BUY", "1", "59000", "59000"), -1165, "A limit order in a buy OCO must be below."),
        (maker("SELL", "1", "61000"), maker("SELL", "1", "62000"), -1168, "At least one OCO order must be contingent."),
        (stop("SELL", "1", "61000", "61000"), stop("SELL", "1", "59000", "59000"), -1197, "A stop loss order in a sell OCO must be below."),
        (stop("BUY", "1", "61000", "61000"), stop("BUY", "1", "59000", "59000"), -1196, "A stop loss order in a buy OCO must be above."),
        (order(TAKE, "BUY", "1", stop="61000"), maker("BUY", "1", "59000"), -1198, "A take profit order in a buy OCO must be below."),
        (maker("SELL", "1", "61000"), order(TAKE, "SELL", "1", stop="59000"), -1199, "A take profit order in a sell OCO must be above."),
        (limit("SELL", "1", "61000"), stop("SELL", "1", "58000", "59000"), -1158, "Order type not supported in OCO."),
        (maker("SELL", "2", "61000"), stop("SELL", "1", "58000", "59000"), -1128, "Combination of optional parameters invalid."),
        (maker("SELL", "3", "61000"), stop("SELL", "3", "58000", "59000"), -2010, "Account has insufficient balance for requested action."),
        (replace(maker("SELL", "1", "61000"), price=None), stop("SELL", "1", "58000", "59000"), -1102, "Mandatory parameter 'abovePrice' was not sent, was empty/null, or malformed."),
        (maker("SELL", "1", "61000"), replace(stop("SELL", "1", "58000", "59000"), stop_price=None), -1102, "Param 'belowStopPrice' or 'belowTrailingDelta' must be sent, but both were empty/null!"),
        (maker("SELL", "1", "61000.001"), stop("SELL", "1", "58000", "59000"), -1013, "Filter failure: PRICE_FILTER"),
    ],
)  # fmt: skip
def test_a_pair_that_cannot_be_is_refused_and_nothing_changes(exchange, above, below, code, message):
    before = exchange.saved()
    assert refusal(lambda: exchange.place_list("acme", Oco(above=above, below=below), T0)) == (code, message)
    assert exchange.saved() == before
    assert exchange.drain() == []


def test_a_maker_leg_that_would_take_refuses_the_whole_list(exchange):
    exchange.place("cedar", limit("BUY", "1", "61000"), T0)
    exchange.place("cedar", limit("SELL", "0.001", "62000"), T0)
    message = "Order would immediately match and take."
    assert refusal(lambda: exchange.place_list("acme", sell_oco(), T0)) == (-2010, message)


def test_list_client_ids_are_unique_among_open_lists(exchange):
    first = exchange.place_list("acme", sell_oco(list_client_order_id="mine"), T0)
    assert refusal(lambda: exchange.place_list("acme", sell_oco(list_client_order_id="mine"), T0)) == (
        -2010,
        "Duplicate order sent.",
    )
    exchange.cancel_list("acme", "BTCUSDT", T0, order_list_id=first.order_list_id)
    again = exchange.place_list("acme", sell_oco(list_client_order_id="mine"), T0)
    assert exchange.order_list("acme", list_client_order_id="mine") == again


def test_open_lists_and_their_orders_are_counted():
    exchange = an_exchange(specs=[replace(BTC, max_order_lists=1, max_orders=4, max_algo_orders=2)])
    trade_at(exchange, "60000")
    exchange.place_list("acme", sell_oco("0.1"), T0)
    assert refusal(lambda: exchange.place_list("acme", sell_oco("0.1"), T0))[1] == "Filter failure: MAX_NUM_ORDER_LISTS"
    exchange.place("acme", stop("SELL", "0.1", "50000", "50000"), T0)
    assert (
        refusal(lambda: exchange.place("acme", stop("SELL", "0.1", "50000", "50000"), T0))[1]
        == "Filter failure: MAX_NUM_ALGO_ORDERS"
    )
    exchange.place("acme", maker("SELL", "0.1", "65000"), T0)
    assert (
        refusal(lambda: exchange.place("acme", maker("SELL", "0.1", "65000"), T0))[1]
        == "Filter failure: MAX_NUM_ORDERS"
    )


def test_lists_are_found_by_id_and_time(exchange):
    ids = [exchange.place_list("acme", sell_oco("0.1"), T0 + n * SECOND).order_list_id for n in range(4)]

    def found(**more):
        return [ids.index(row.order_list_id) for row in exchange.order_lists("acme", **more)]

    assert found() == [0, 1, 2, 3]
    assert found(limit=2) == [2, 3]
    assert found(from_id=ids[1], limit=2) == [1, 2]
    assert found(start=T0 + SECOND, end=T0 + 2 * SECOND) == [1, 2]
    assert refusal(lambda: found(from_id=1, start=1))[0] == -1128


# -- one triggers the other ------------------------------------------------------------------------------------------------


def an_oto(pending, working=None):
    return Oto(working=working or limit("BUY", "0.5", "59000"), pending=pending)


def test_a_pending_leg_stands_nowhere_and_locks_nothing_until_the_working_one_is_filled(exchange):
    placed = exchange.place_list("acme", an_oto(limit("SELL", "0.4", "62000")), T0)
    works, waits = placed.orders
    assert placed.contingency_type == "OTO"
    assert (works.status, waits.status, waits.working_time, waits.is_working) == (
        Status.NEW,
        Status.PENDING_NEW,
        -1,
        False,
    )
    assert exchange.balances("acme")["BTC"] == (d(2), d(0))
    exchange.place("cedar", limit("SELL", "0.3", "59000"), T0)
    assert statuses(exchange, placed) == [Status.PARTIALLY_FILLED, Status.PENDING_NEW]
    exchange.place("cedar", limit("SELL", "0.2", "59000"), T0 + SECOND)
    works, waits = exchange.order_list("acme", order_list_id=placed.order_list_id).orders
    assert (works.status, waits.status, waits.working_time) == (Status.FILLED, Status.NEW, T0 + SECOND)
    assert exchange.depth("BTCUSDT").asks == ((d(62000), d("0.4")),)
    assert exchange.balances("acme")["BTC"][1] == d("0.4")


def test_the_answer_shows_a_leg_pending_even_if_the_working_order_was_filled_at_once(exchange):
    exchange.place("cedar", limit("SELL", "1", "59000"), T0)
    placed = exchange.place_list("acme", an_oto(limit("SELL", "0.4", "62000")), T0)
    assert [o.status for o in placed.orders] == [Status.FILLED, Status.PENDING_NEW]
    assert len(placed.orders[0].fills) == 1
    assert statuses(exchange, placed) == [Status.FILLED, Status.NEW]


def test_a_pending_market_order_trades_when_its_turn_comes(exchange):
    exchange.place("cedar", limit("BUY", "1", "58000"), T0)
    placed = exchange.place_list("acme", an_oto(market("SELL", "0.4")), T0)
    exchange.place("cedar", limit("SELL", "0.5", "59000"), T0)
    assert statuses(exchange, placed) == [Status.FILLED, Status.FILLED]
    assert told(exchange)[-1] == ("ALL_DONE", "ALL_DONE")


@pytest.mark.parametrize(
    "pending",
    [
        limit("BUY", "10", "62000"),  # cannot be paid
        maker("BUY", "0.1", "61000"),  # would take
        order(Kind.STOP_LOSS, "SELL", "0.1", stop="59500"),  # reached: the working order traded below
    ],
)
def test_a_pending_leg_that_cannot_be_placed_any_more_expires(exchange, pending):
    exchange.place("cedar", limit("SELL", "1", "60500"), T0)
    placed = exchange.place_list("acme", an_oto(pending), T0)
    exchange.place("cedar", limit("SELL", "0.5", "59000"), T0)
    assert statuses(exchange, placed) == [Status.FILLED, Status.EXPIRED]
    assert exchange.order_list("acme", order_list_id=placed.order_list_id).orders[1].expiry_reason == "REJECTED"
    assert exchange.balances("acme")["BTC"][1] == 0


def test_a_working_order_that_expires_ends_the_list(exchange):
    working = limit("BUY", "0.5", "59000", "IOC")
    placed = exchange.place_list("acme", an_oto(limit("SELL", "0.4", "62000"), working), T0)
    assert statuses(exchange, placed) == [Status.EXPIRED, Status.EXPIRED]
    assert told(exchange)[-3:] == [
        ("EXPIRED", Kind.LIMIT, Status.EXPIRED, "UNFILLED_IOC_QUANTITY_EXPIRED"),
        ("EXPIRED", Kind.LIMIT, Status.EXPIRED, "OTO_PHASE_ONE_EXPIRED"),
        ("ALL_DONE", "ALL_DONE"),
    ]


@pytest.mark.parametrize("leg", [0, 1])
def test_cancelling_either_leg_of_an_oto_cancels_both(exchange, leg):
    placed = exchange.place_list("acme", an_oto(limit("SELL", "0.4", "62000")), T0)
    exchange.cancel("acme", "BTCUSDT", T0, order_id=placed.orders[leg].order_id)
    assert statuses(exchange, placed) == [Status.CANCELED, Status.CANCELED]
    assert exchange.balances("acme")["USDT"] == (d(250000), d(0))


def an_otoco(qty="0.4"):
    return Otoco(
        working=limit("BUY", "0.5", "59500"),
        pending_above=maker("SELL", qty, "62000"),
        pending_below=stop("SELL", qty, "58000", "58500"),
    )


def test_an_otoco_places_its_pair_when_the_working_order_is_filled(exchange):
    placed = exchange.place_list("acme", an_otoco(), T0)
    assert (placed.contingency_type, [o.status for o in placed.orders]) == (
        "OTO",
        [Status.NEW, Status.PENDING_NEW, Status.PENDING_NEW],
    )
    exchange.place("cedar", limit("SELL", "0.5", "59500"), T0)
    assert statuses(exchange, placed) == [Status.FILLED, Status.NEW, Status.NEW]
    assert exchange.balances("acme")["BTC"][1] == d("0.4")
    trade_at(exchange, "58500")
    assert statuses(exchange, placed) == [Status.FILLED, Status.NEW, Status.EXPIRED]
    exchange.place("cedar", limit("BUY", "0.4", "58000"), T0)
    assert statuses(exchange, placed) == [Status.FILLED, Status.FILLED, Status.EXPIRED]
    assert told(exchange)[-1] == ("ALL_DONE", "ALL_DONE")


def test_an_otoco_whose_pair_cannot_be_paid_any_more_expires_as_a_whole(exchange):
    placed = exchange.place_list("acme", an_otoco("0.6"), T0)
    exchange.move("acme", "BTC", d(-2), "WITHDRAW", T0)
    exchange.place("cedar", limit("SELL", "0.5", "59500"), T0)
    assert statuses(exchange, placed) == [Status.FILLED, Status.EXPIRED, Status.EXPIRED]
    assert exchange.open_order_lists("acme") == []
    assert exchange.balances("acme")["BTC"] == (d("0.4995"), d(0))


@pytest.mark.parametrize(
    ("new", "code"),
    [
        (an_oto(limit("SELL", "1", "62000"), market("BUY", "1")), -1130),
        (an_oto(market("SELL", quote="100")), -1102),
        (an_oto(replace(limit("SELL", "1", "62000"), time_in_force=None)), -1102),
        (Otoco(working=limit("BUY", "1", "59000"), pending_above=maker("SELL", "1", "62000"), pending_below=maker("SELL", "1", "58000")), -1168),
    ],
)  # fmt: skip
def test_an_oto_of_the_wrong_kinds_is_refused(exchange, new, code):
    assert refusal(lambda: exchange.place_list("acme", new, T0))[0] == code


def test_trades_of_a_list_carry_its_id(exchange):
    placed = exchange.place_list("acme", sell_oco(), T0)
    exchange.place("cedar", limit("BUY", "0.5", "61000"), T0)
    assert [t.order_list_id for t in exchange.my_trades("acme", "BTCUSDT")] == [placed.order_list_id]
