"""The REST door: orders and queries in the venue's form, refusals with its codes, weights counted, numbers read strictly."""

import asyncio
import json

import pytest

from tradedesk.paper.server.limits import RateLimits


async def test_a_limit_order_rests_is_found_by_both_ids_and_is_cancelled(venue):
    client = await venue.client()
    placed = await client.order("BUY", "0.01", "50000", newClientOrderId="mine-1")
    order_id = placed.body["orderId"]
    assert placed.body | {"transactTime": 0, "workingTime": 0, "orderId": 0} == {
        "symbol": "BTCUSDT", "orderId": 0, "orderListId": -1, "clientOrderId": "mine-1", "transactTime": 0,
        "price": "50000.00000000", "origQty": "0.01000000", "executedQty": "0.00000000",
        "origQuoteOrderQty": "0.00000000", "cummulativeQuoteQty": "0.00000000", "status": "NEW", "timeInForce": "GTC",
        "type": "LIMIT", "side": "BUY", "workingTime": 0, "fills": [], "selfTradePreventionMode": "NONE",
    }  # fmt: skip
    by_id = await client.signed("GET", "order", symbol="BTCUSDT", orderId=order_id)
    by_name = await client.signed("GET", "order", symbol="BTCUSDT", origClientOrderId="mine-1")
    assert by_id.body == by_name.body
    assert by_id.body.keys() >= {"time", "updateTime", "isWorking", "stopPrice", "icebergQty", "workingTime"}
    assert (await client.signed("GET", "openOrders")).body == [by_id.body]
    held = {row["asset"]: row for row in (await client.signed("GET", "account")).body["balances"]}
    assert held["USDT"] == {"asset": "USDT", "free": "999500.00000000", "locked": "500.00000000"}

    done = await client.signed("DELETE", "order", symbol="BTCUSDT", origClientOrderId="mine-1", newClientOrderId="c-1")
    assert (done.body["status"], done.body["origClientOrderId"], done.body["clientOrderId"]) == (
        "CANCELED",
        "mine-1",
        "c-1",
    )
    again = await client.signed("DELETE", "order", symbol="BTCUSDT", orderId=order_id)
    assert (again.status, again.body) == (400, {"code": -2011, "msg": "Unknown order sent."})
    assert (await client.signed("GET", "order", symbol="BTCUSDT", orderId=order_id)).body["status"] == "CANCELED"
    assert [row["orderId"] for row in (await client.signed("GET", "allOrders", symbol="BTCUSDT")).body] == [order_id]


async def test_a_trade_between_two_accounts_is_in_both_books_and_on_the_tape(venue):
    acme, birch = await venue.client("acme"), await venue.client("birch")
    await acme.order("SELL", "0.5", "60000", newClientOrderId="ask")
    bought = (await birch.order("BUY", "0.2")).body
    assert (bought["status"], bought["type"], bought["price"]) == ("FILLED", "MARKET", "0.00000000")
    assert bought["fills"] == [
        {"price": "60000.00000000", "qty": "0.20000000", "commission": "0.00020000", "commissionAsset": "BTC",
         "tradeId": bought["fills"][0]["tradeId"]}
    ]  # fmt: skip
    [fill] = (await birch.signed("GET", "myTrades", symbol="BTCUSDT")).body
    [maker] = (await acme.signed("GET", "myTrades", symbol="BTCUSDT")).body
    [printed] = (await birch.public("trades", symbol="BTCUSDT")).body
    assert fill["id"] == maker["id"] == printed["id"] == bought["fills"][0]["tradeId"]
    assert (fill["isBuyer"], fill["isMaker"], maker["isBuyer"], maker["isMaker"]) == (True, False, False, True)
    assert (fill["quoteQty"], printed["quoteQty"], printed["isBuyerMaker"]) == (
        "12000.00000000",
        "12000.00000000",
        False,
    )
    assert (await acme.signed("GET", "order", symbol="BTCUSDT", origClientOrderId="ask")).body[
        "status"
    ] == "PARTIALLY_FILLED"
    assert (await birch.public("ticker/price", symbol="BTCUSDT")).body["price"] == "60000.00000000"
    [agg] = (await birch.public("aggTrades", symbol="BTCUSDT")).body
    assert (agg["f"], agg["l"], agg["q"], agg["m"]) == (fill["id"], fill["id"], "0.20000000", False)
    *_, candle = (await birch.public("klines", symbol="BTCUSDT", interval="1m")).body
    assert (len(candle), candle[4], candle[5], candle[8]) == (12, "60000.00000000", "0.20000000", 1)
    assert (await birch.public("historicalTrades", symbol="BTCUSDT", fromId=fill["id"])).body == [printed]
    assert (await birch.public("historicalTrades", symbol="BTCUSDT", fromId=fill["id"] + 1)).body == []


async def test_ioc_fok_and_post_only_do_what_they_say(venue):
    acme, birch = await venue.client("acme"), await venue.client("birch")
    await acme.order("SELL", "0.1", "60000")
    maker = await birch.order("BUY", "0.1", "60000", type="LIMIT_MAKER", timeInForce=None)
    assert (maker.status, maker.body) == (400, {"code": -2010, "msg": "Order would immediately match and take."})
    killed = (await birch.order("BUY", "0.2", "60000", timeInForce="FOK")).body
    assert (killed["status"], killed["executedQty"]) == ("EXPIRED", "0.00000000")
    taken = (await birch.order("BUY", "0.2", "60000", timeInForce="IOC")).body
    assert (taken["status"], taken["executedQty"]) == ("EXPIRED", "0.10000000")
    posted = (await birch.order("BUY", "0.1", "59000", type="LIMIT_MAKER", timeInForce=None)).body
    assert posted.keys() == {"symbol", "orderId", "orderListId", "clientOrderId", "transactTime"}  # ACK unless told


async def test_cancel_replace_says_what_became_of_each_leg(venue):
    client = await venue.client()
    terms = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": "0.01"}
    mode = {"cancelReplaceMode": "STOP_ON_FAILURE"}
    first = (await client.order("BUY", "0.01", "50000")).body
    fine = await client.signed(
        "POST", "order/cancelReplace", **terms, **mode, price="50001", cancelOrderId=first["orderId"]
    )
    assert fine.status == 200
    assert (fine.body["cancelResult"], fine.body["newOrderResult"]) == ("SUCCESS", "SUCCESS")
    assert fine.body["cancelResponse"]["orderId"] == first["orderId"]
    second = fine.body["newOrderResponse"]

    neither = await client.signed(
        "POST", "order/cancelReplace", **terms, **mode, price="50002", cancelOrderId=first["orderId"]
    )
    assert (neither.status, neither.code) == (400, -2022)
    assert (neither.body["data"]["cancelResult"], neither.body["data"]["newOrderResult"]) == (
        "FAILURE",
        "NOT_ATTEMPTED",
    )
    assert neither.body["data"]["cancelResponse"] == {"code": -2011, "msg": "Unknown order sent."}
    assert neither.body["data"]["newOrderResponse"] is None

    too_much = terms | {"quantity": "100"}
    half = await client.signed(
        "POST", "order/cancelReplace", **too_much, **mode, price="50000", cancelOrderId=second["orderId"]
    )
    assert (half.status, half.code) == (409, -2021)
    assert (half.body["data"]["cancelResult"], half.body["data"]["newOrderResult"]) == ("SUCCESS", "FAILURE")
    assert half.body["data"]["newOrderResponse"]["code"] == -2010
    assert (await client.signed("GET", "openOrders", symbol="BTCUSDT")).body == []


async def test_cancel_all_ends_every_open_order_of_the_symbol(venue):
    client = await venue.client()
    for price in ("50000", "50001"):
        await client.order("BUY", "0.01", price)
    done = await client.signed("DELETE", "openOrders", symbol="BTCUSDT")
    assert [row["status"] for row in done.body] == ["CANCELED", "CANCELED"]
    assert (await client.signed("DELETE", "openOrders", symbol="BTCUSDT")).code == -2011


async def test_an_order_test_checks_everything_and_changes_nothing(venue):
    client = await venue.client()
    terms = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": "0.01"}
    assert (await client.signed("POST", "order/test", **terms, price="50000")).body == {}
    rates = await client.signed("POST", "order/test", **terms, price="50000", computeCommissionRates="true")
    assert rates.body["standardCommissionForOrder"] == {"maker": "0.00100000", "taker": "0.00100000"}
    assert (await client.signed("POST", "order/test", **terms, price="50000.001")).code == -1013
    assert (await client.signed("GET", "allOrders", symbol="BTCUSDT")).body == []


@pytest.mark.parametrize(
    ("terms", "code", "message"),
    [
        ({"price": "1e4"}, -1100, "price"),
        ({"quantity": "1e-05"}, -1100, "quantity"),
        ({"quantity": "-1"}, -1100, "quantity"),
        ({"quantity": "NaN"}, -1100, "quantity"),
        ({"quantity": "٠.٥"}, -1100, "quantity"),
        ({"quantity": "1_0"}, -1100, "quantity"),
        ({"quantity": ""}, -1105, "quantity"),
        ({"quantity": "0"}, -1013, "quantity"),
        ({"quantity": "0.010000001"}, -1111, "quantity"),
        ({"quantity": "99999999999999"}, -1111, "quantity"),
        ({"quantity": "0.000015"}, -1013, "LOT_SIZE"),
        ({"price": "50000.005"}, -1013, "PRICE_FILTER"),
        ({"quantity": "0.00001", "price": "1000"}, -1013, "NOTIONAL"),
        ({"quantity": "100"}, -2010, "insufficient balance"),
        ({"symbol": "NOPEUSDT"}, -1121, "Invalid symbol."),
        ({"symbol": "btcusdt"}, -1100, "symbol"),
        ({"side": "HOLD"}, -1117, "side"),
        ({"type": "HOPE"}, -1116, "orderType"),
        ({"type": "STOP_LOSS", "stopPrice": "1"}, -1106, "price"),
        ({"timeInForce": "GTX"}, -1115, "timeInForce"),
        ({"timeInForce": None}, -1102, "timeInForce"),
        ({"price": None}, -1102, "price"),
        ({"quantity": None}, -1102, "quantity"),
        ({"type": "MARKET"}, -1106, "price"),
        ({"stopPrice": "1"}, -1106, "stopPrice"),
        ({"newClientOrderId": "x" * 37}, -1100, "newClientOrderId"),
        ({"newClientOrderId": "a b"}, -1100, "newClientOrderId"),
        ({"newOrderRespType": "LONG"}, -1130, "newOrderRespType"),
        ({"surprise": "1"}, -1104, "read '8' parameter(s) but was sent '9'"),
    ],
)  # fmt: skip
async def test_an_order_that_is_wrong_is_refused_with_the_venues_code_and_never_placed(venue, terms, code, message):
    client = await venue.client()
    good = {
        "symbol": "BTCUSDT",
        "side": "BUY",
        "type": "LIMIT",
        "timeInForce": "GTC",
        "quantity": "0.01",
        "price": "50000",
    }
    sent = {name: value for name, value in (good | terms).items() if value is not None}
    answer = await client.signed("POST", "order", **sent)
    assert (answer.status, answer.code) == (400, code), answer.body
    assert message in answer.body["msg"]
    assert (await client.signed("GET", "openOrders")).body == []


async def test_a_client_order_id_is_unique_among_open_orders(venue):
    client = await venue.client()
    await client.order("BUY", "0.01", "50000", newClientOrderId="one")
    double = await client.order("BUY", "0.01", "50000", newClientOrderId="one")
    assert (double.status, double.body) == (400, {"code": -2010, "msg": "Duplicate order sent."})
    await client.signed("DELETE", "order", symbol="BTCUSDT", origClientOrderId="one")
    assert (await client.order("BUY", "0.01", "50000", newClientOrderId="one")).status == 200


async def test_queries_that_name_nothing_or_two_orders_are_refused(venue):
    client = await venue.client()
    first = (await client.order("BUY", "0.01", "50000", newClientOrderId="one")).body
    await client.order("BUY", "0.01", "50000", newClientOrderId="two")
    assert (await client.signed("GET", "order", symbol="BTCUSDT")).code == -1102
    assert (await client.signed("GET", "order", symbol="BTCUSDT", orderId=7)).body == {
        "code": -2013, "msg": "Order does not exist.",
    }  # fmt: skip
    crossed = {"symbol": "BTCUSDT", "orderId": first["orderId"], "origClientOrderId": "two"}
    assert (await client.signed("DELETE", "order", **crossed)).code == -2039


async def test_a_parameter_sent_twice_is_refused(venue):
    client = await venue.client()
    answer = await client.raw("GET", "/api/v3/depth?symbol=BTCUSDT&symbol=ETHUSDT")
    assert (answer.status, answer.code) == (400, -1101)


async def test_exchange_info_shows_the_filters_and_takes_the_ways_clients_ask(venue):
    client = await venue.client()
    everything = (await client.public("exchangeInfo")).body
    names = [row["symbol"] for row in everything["symbols"]]
    assert {"BTCUSDT", "ETHUSDT"} <= set(names)
    bitcoin = everything["symbols"][names.index("BTCUSDT")]
    filters = {row["filterType"]: row for row in bitcoin["filters"]}
    assert filters["PRICE_FILTER"]["tickSize"] == "0.01000000"
    assert filters["LOT_SIZE"]["stepSize"] == "0.00001000"
    assert filters["NOTIONAL"]["minNotional"] == "5.00000000"
    assert filters.keys() >= {"MARKET_LOT_SIZE", "PERCENT_PRICE_BY_SIDE", "MAX_NUM_ORDERS"}
    assert {row["rateLimitType"] for row in everything["rateLimits"]} == {"REQUEST_WEIGHT", "ORDERS", "RAW_REQUESTS"}
    one = await client.public("exchangeInfo", symbol="BTCUSDT")
    assert [row["symbol"] for row in one.body["symbols"]] == ["BTCUSDT"]
    two = await client.public("exchangeInfo", symbols='["BTCUSDT","ETHUSDT"]')
    assert [row["symbol"] for row in two.body["symbols"]] == ["BTCUSDT", "ETHUSDT"]
    bare = await client.public("exchangeInfo", permissions="SPOT", showPermissionSets="false")
    assert len(bare.body["symbols"]) == len(names)
    assert (await client.public("exchangeInfo", symbols='["BTCUSDT","NOPE"]')).code == -1121
    assert (await client.public("exchangeInfo", symbols="BTCUSDT")).code == -1100
    assert (await client.public("exchangeInfo", permissions="[")).code == -1130


async def test_tickers_come_for_one_for_a_list_and_for_all(venue):
    client = await venue.client()
    await client.order("BUY", "0.01", "50000")
    for path in ("ticker/24hr", "ticker/price", "ticker/bookTicker"):
        one = (await client.public(path, symbol="BTCUSDT")).body
        assert one["symbol"] == "BTCUSDT"
        listed = (await client.public(path, symbols='["BTCUSDT","ETHUSDT"]')).body
        assert [row["symbol"] for row in listed] == ["BTCUSDT", "ETHUSDT"]
        assert {row["symbol"] for row in (await client.public(path)).body} >= {"BTCUSDT", "ETHUSDT"}
        assert (await client.public(path, symbol="NOPE")).code == -1121
    best = (await client.public("ticker/bookTicker", symbol="BTCUSDT")).body
    assert (best["bidPrice"], best["bidQty"], best["askPrice"]) == ("50000.00000000", "0.01000000", "0.00000000")
    mini = (await client.public("ticker/24hr", symbol="BTCUSDT", type="MINI")).body
    assert "lastPrice" in mini
    assert "bidPrice" not in mini
    assert (await client.public("avgPrice", symbol="BTCUSDT")).body["mins"] == 5


async def test_depth_has_its_limit_and_its_shape(venue):
    client = await venue.client()
    for price in ("50000", "50001", "50002"):
        await client.order("BUY", "0.01", price)
    book = (await client.public("depth", symbol="BTCUSDT", limit=2)).body
    assert book["bids"] == [["50002.00000000", "0.01000000"], ["50001.00000000", "0.01000000"]]
    assert book["asks"] == []
    assert (await client.public("depth", symbol="BTCUSDT", limit=0)).code == -1130
    assert (await client.public("depth")).code == -1102


@pytest.mark.parametrize(
    ("parameters", "code"),
    [
        ({"interval": "7m"}, -1120),
        ({}, -1102),
        ({"interval": "1m", "timeZone": "15"}, -1130),
        ({"interval": "1m", "limit": "x"}, -1100),
    ],
)
async def test_klines_refuse_what_they_do_not_know(venue, parameters, code):
    client = await venue.client()
    assert (await client.public("klines", symbol="BTCUSDT", **parameters)).code == code


async def test_commission_and_account_say_what_is_paid(venue):
    client = await venue.client()
    assert (await client.signed("GET", "account/commission", symbol="BTCUSDT")).body["standardCommission"][
        "taker"
    ] == "0.00100000"
    account = (await client.signed("GET", "account", omitZeroBalances="true")).body
    assert (account["makerCommission"], account["commissionRates"]["maker"], account["permissions"]) == (
        10,
        "0.00100000",
        ["SPOT"],
    )


@pytest.mark.parametrize(
    ("method", "target"),
    [
        ("GET", "/sapi/v1/nothing"),
        ("GET", "/api/v3/nothing"),
        ("PUT", "/api/v3/order"),
        ("GET", "/ws"),
        ("POST", "/"),
    ],
)
async def test_a_path_nobody_serves_is_answered_at_once_with_an_error_body(venue, method, target):
    client = await venue.client()
    answer = await client.raw(method, target)
    assert (answer.status, answer.code) == (404, -5000)


async def test_a_body_that_is_too_large_or_no_text_is_refused(venue):
    client = await venue.client()
    large = await client.raw("POST", "/api/v3/order", body="x=" + "1" * 100_000)
    assert large.status == 413
    async with client.session.post(client.rest + "/api/v3/order", data=b"a=\xff\xfe") as response:
        assert json.loads(await response.text())["code"] == -1100


# -- limits ---------------------------------------------------------------------------------------------------------------


async def test_weight_is_counted_by_address_and_shown_in_every_answer(venue):
    client = await venue.client()
    used = []
    for path, parameters in (
        ("ping", {}),
        ("depth", {"symbol": "BTCUSDT", "limit": 500}),
        ("exchangeInfo", {}),
        ("ticker/24hr", {}),
    ):
        headers = (await client.public(path, **parameters)).headers
        assert headers["X-MBX-USED-WEIGHT"] == headers["X-MBX-USED-WEIGHT-1M"]
        used.append(int(headers["X-MBX-USED-WEIGHT-1M"]))
    if used == sorted(used):  # a minute may have turned in between
        assert used == [1, 26, 46, 126]


async def test_orders_that_succeed_weigh_nothing_and_are_counted_until_they_trade(venue):
    acme, birch = await venue.client("acme"), await venue.client("birch")
    placed = await acme.order("SELL", "0.1", "60000")
    assert (placed.headers["X-MBX-ORDER-COUNT-1D"], placed.headers["X-MBX-USED-WEIGHT-1M"]) == ("1", "0")
    refused = await acme.order("SELL", "1000", "60000")
    assert (refused.headers["X-MBX-ORDER-COUNT-1D"], refused.headers["X-MBX-USED-WEIGHT-1M"]) == ("1", "1")
    bought = await birch.order("BUY", "0.05")
    assert bought.headers["X-MBX-ORDER-COUNT-1D"] == "0"  # a fill gives back
    counts = (await acme.signed("GET", "rateLimit/order")).body
    assert [(row["interval"], row["intervalNum"], row["count"]) for row in counts] == [("SECOND", 10, 0), ("DAY", 1, 0)]


async def test_too_much_weight_is_429_with_the_seconds_to_wait(start_venue):
    venue = await start_venue(rates=RateLimits(weight_per_minute=30))
    client = await venue.client()
    answers = [await client.public("exchangeInfo") for _ in range(3)]
    refused = [answer for answer in answers if answer.status == 429]
    assert refused
    assert refused[0].code == -1003
    assert 1 <= int(refused[0].headers["Retry-After"]) <= 60


async def test_too_many_orders_are_429_per_account(start_venue):
    venue = await start_venue(rates=RateLimits(orders_per_day=2))
    acme, birch = await venue.client("acme"), await venue.client("birch")
    assert [(await acme.order("BUY", "0.01", "50000")).status for _ in range(3)] == [200, 200, 429]
    over = await acme.order("BUY", "0.01", "50000")
    assert over.body == {"code": -1015, "msg": "Too many new orders; current limit is 2 orders per 1 DAY."}
    assert int(over.headers["Retry-After"]) >= 1
    assert (await birch.order("BUY", "0.01", "50000")).status == 200
    assert len((await acme.signed("DELETE", "openOrders", symbol="BTCUSDT")).body) == 2


# -- admin ----------------------------------------------------------------------------------------------------------------


async def test_the_admin_door_shows_every_request_with_its_source_and_verdict(venue):
    client = await venue.client()
    await client.public("ping")
    await client.order("BUY", "0.01", "50000", newClientOrderId="mine-1")
    await client.signed("DELETE", "order", symbol="BTCUSDT", origClientOrderId="none")
    async with client.socket("/ws-api/v3") as socket:
        await socket.signed("order.status", symbol="BTCUSDT", origClientOrderId="mine-1")
    status, body = await venue.admin("/requests")
    assert (status, body["count"]) == (200, 5)
    seen = [
        (row["method"], row["path"], row["account"], row["client_order_id"], row["status"], row["code"])
        for row in body["requests"]
    ]
    assert seen == [
        ("GET", "/api/v3/ping", None, None, 200, None),
        ("POST", "/api/v3/order", "acme", "mine-1", 200, None),
        ("DELETE", "/api/v3/order", "acme", "none", 400, -2011),
        ("GET", "/ws-api/v3", None, None, 101, None),
        ("order.status", "/ws-api/v3", "acme", "mine-1", 200, None),
    ]
    assert {row["peer"] for row in body["requests"]} == {"127.0.0.1"}
    assert body["requests"][1]["key"] == client.api_key
    _, later = await venue.admin("/requests?after=3&limit=1")
    assert [row["number"] for row in later["requests"]] == [4]


async def test_the_admin_door_shows_an_accounts_own_books(venue):
    acme, birch = await venue.client("acme"), await venue.client("birch")
    await acme.order("SELL", "0.1", "60000")
    await birch.order("BUY", "0.1")
    await birch.order("BUY", "0.1", "50000")
    status, books = await venue.admin("/accounts/birch")
    assert status == 200
    assert {row["asset"]: (row["free"], row["locked"]) for row in books["balances"]} == {
        "BTC": ("10.09990000", "0.00000000"),
        "USDT": ("989000.00000000", "5000.00000000"),
    }
    assert [row["status"] for row in books["orders"]] == ["FILLED", "NEW"]
    assert [row["price"] for row in books["open_orders"]] == ["50000.00000000"]
    assert [row["qty"] for row in books["trades"]] == ["0.10000000"]
    assert (await venue.admin("/accounts/nobody"))[0] == 404


async def test_the_admin_door_wants_its_token(venue):
    for token in ("", "wrong", "é"):
        status, body = await venue.admin("/requests", token=token)
        assert (status, "requests" in body) == (401, False)
    assert (await venue.admin("/nothing"))[0] == 404


async def test_one_connection_may_ask_many_things_at_once(venue):
    client = await venue.client()
    answers = await asyncio.gather(*(client.order("BUY", "0.01", f"{50_000 + n}") for n in range(40)))
    assert {answer.status for answer in answers} == {200}
    assert len({answer.body["orderId"] for answer in answers}) == 40
