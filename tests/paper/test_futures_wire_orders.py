"""Orders, positions and accounts of USD-M over REST, as a client meets them."""

import json
import time

import pytest


async def traded(acme, birch, quantity="0.1", price="60000"):
    """birch sells to acme."""
    await birch.order("SELL", quantity, price)
    return (await acme.order("BUY", quantity, price)).body


async def test_an_ack_says_new_and_a_result_what_became_of_it(futures_venue):
    acme, birch = await futures_venue.client("acme"), await futures_venue.client("birch")
    await birch.order("SELL", "0.2", "60000")
    ack = (await acme.order("BUY", "0.1", "60000", newOrderRespType=None)).body
    assert (ack["status"], ack["executedQty"], ack["avgPrice"], ack["cumQty"]) == ("NEW", "0.000", "0.00", "0.000")
    result = (await acme.order("BUY", "0.1", "60000")).body
    assert result.keys() == {
        "orderId", "symbol", "status", "clientOrderId", "price", "avgPrice", "origQty", "executedQty", "cumQty", "cumQuote",
        "timeInForce", "type", "reduceOnly", "closePosition", "side", "positionSide", "stopPrice", "workingType", "priceProtect",
        "origType", "priceMatch", "selfTradePreventionMode", "goodTillDate", "updateTime",
    }  # fmt: skip
    assert (result["status"], result["executedQty"], result["avgPrice"], result["cumQuote"]) == (
        "FILLED", "0.100", "60000.00000", "6000.00000",
    )  # fmt: skip
    assert (result["positionSide"], result["reduceOnly"], result["goodTillDate"]) == ("BOTH", False, 0)
    stored = (await acme.signed("GET", "v1/order", symbol="BTCUSDT", orderId=ack["orderId"])).body
    assert (stored["status"], stored["origQty"]) == ("FILLED", "0.100")
    assert "time" in stored
    assert "cumQty" not in stored


async def test_orders_are_counted_in_the_headers_of_both_windows(futures_venue):
    acme = await futures_venue.client()
    first = await acme.order("BUY", "0.01", "70000", newClientOrderId="one")
    assert (first.status, first.code) == (400, -4016)  # outside the price band: refused, not counted
    one = await acme.order("BUY", "0.01", "59000", newClientOrderId="one")
    assert (one.headers["X-MBX-ORDER-COUNT-10S"], one.headers["X-MBX-ORDER-COUNT-1M"]) == ("1", "1")
    assert "X-MBX-ORDER-COUNT-1D" not in one.headers
    two = await acme.order("BUY", "0.01", "58000")
    assert two.headers["X-MBX-ORDER-COUNT-1M"] == "2"
    limits = (await acme.signed("GET", "v1/rateLimit/order")).body
    assert [(row["interval"], row["intervalNum"], row["limit"]) for row in limits] == [
        ("SECOND", 10, 300), ("MINUTE", 1, 1_200),
    ]  # fmt: skip


async def test_an_order_is_changed_and_the_change_is_on_record(futures_venue):
    acme = await futures_venue.client()
    placed = (await acme.order("BUY", "0.01", "59000", newClientOrderId="mine")).body
    changed = await acme.signed(
        "PUT", "v1/order", symbol="BTCUSDT", side="BUY", origClientOrderId="mine", quantity="0.02", price="59100"
    )
    assert (changed.status, changed.body["orderId"], changed.body["price"], changed.body["origQty"]) == (
        200, placed["orderId"], "59100.00", "0.020",
    )  # fmt: skip
    [row] = (await acme.signed("GET", "v1/orderAmendment", symbol="BTCUSDT", orderId=placed["orderId"])).body
    assert row["amendment"] == {
        "price": {"before": "59000.00", "after": "59100.00"},
        "origQty": {"before": "0.010", "after": "0.020"},
        "count": 1,
    }
    same = await acme.signed(
        "PUT", "v1/order", symbol="BTCUSDT", side="BUY", origClientOrderId="mine", quantity="0.02", price="59100"
    )
    assert same.code == -5027


async def test_every_leg_of_a_batch_has_its_own_answer(futures_venue):
    acme = await futures_venue.client()
    leg = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": "0.01"}
    legs = [leg | {"price": "59000"}, leg | {"price": "59000.05"}, leg | {"price": 58_000, "reduceOnly": False}, {}]
    answers = (await acme.signed("POST", "v1/batchOrders", batchOrders=json.dumps(legs))).body
    assert [answer.get("code", answer.get("status")) for answer in answers] == ["NEW", -4014, "NEW", -1102]
    ids = [answer["orderId"] for answer in answers if "orderId" in answer]
    changes = [
        {"symbol": "BTCUSDT", "side": "BUY", "orderId": each, "quantity": "0.02", "price": "58500"} for each in ids
    ]
    changed = (await acme.signed("PUT", "v1/batchOrders", batchOrders=json.dumps(changes))).body
    assert [row["price"] for row in changed] == ["58500.00", "58500.00"]
    cancelled = (
        await acme.signed("DELETE", "v1/batchOrders", symbol="BTCUSDT", orderIdList=json.dumps([*ids, 1]))
    ).body
    assert [row.get("code", row.get("status")) for row in cancelled] == ["CANCELED", "CANCELED", -2011]
    for method, what in (("POST", [leg] * 6), ("POST", [])):
        refused = await acme.signed(method, "v1/batchOrders", batchOrders=json.dumps(what))
        assert refused.code == -4082
    assert (await acme.signed("POST", "v1/batchOrders", batchOrders="[1e")).code == -1130
    assert (await acme.signed("POST", "v1/batchOrders", batchOrders="[3]")).code == -1130
    assert (await acme.signed("DELETE", "v1/batchOrders", symbol="BTCUSDT")).code == -1102


async def test_orders_are_found_listed_and_cancelled(futures_venue):
    acme = await futures_venue.client()
    ids = [(await acme.order("BUY", "0.01", str(59_000 - step))).body["orderId"] for step in range(3)]
    eth = await acme.order("BUY", "0.1", "2900", symbol="ETHUSDT")
    assert eth.body["price"] == "2900.00"
    assert [row["orderId"] for row in (await acme.signed("GET", "v1/openOrders", symbol="BTCUSDT")).body] == ids
    assert len((await acme.signed("GET", "v1/openOrders")).body) == 4
    one = (await acme.signed("DELETE", "v1/order", symbol="BTCUSDT", orderId=ids[0])).body
    assert (one["status"], one["orderId"]) == ("CANCELED", ids[0])
    again = await acme.signed("DELETE", "v1/order", symbol="BTCUSDT", orderId=ids[0])
    assert (again.status, again.code, again.body["msg"]) == (400, -2011, "Unknown order sent.")
    assert (await acme.signed("GET", "v1/openOrder", symbol="BTCUSDT", orderId=ids[0])).code == -2013
    done = (await acme.signed("DELETE", "v1/allOpenOrders", symbol="BTCUSDT")).body
    assert done == {"code": 200, "msg": "The operation of cancel all open order is done."}
    rows = (await acme.signed("GET", "v1/allOrders", symbol="BTCUSDT")).body
    assert [(row["orderId"], row["status"]) for row in rows] == [(each, "CANCELED") for each in ids]
    assert (await acme.signed("GET", "v1/order", symbol="BTCUSDT")).code == -1102
    week = 8 * 24 * 3_600_000
    far = await acme.signed("GET", "v1/allOrders", symbol="BTCUSDT", startTime=1, endTime=1 + week)
    assert far.code == -4165
    assert (await acme.signed("GET", "v1/userTrades", symbol="BTCUSDT", startTime=2, endTime=1)).code == -1023


async def test_a_countdown_that_is_not_renewed_cancels(futures_venue):
    acme = await futures_venue.client()
    await acme.order("BUY", "0.01", "59000")
    answer = await acme.signed("POST", "v1/countdownCancelAll", symbol="BTCUSDT", countdownTime=50)
    assert answer.body == {"symbol": "BTCUSDT", "countdownTime": "50"}
    deadline = time.monotonic() + 5
    while (await acme.signed("GET", "v1/openOrders", symbol="BTCUSDT")).body:
        assert time.monotonic() < deadline
    assert (await acme.signed("POST", "v1/countdownCancelAll", symbol="BTCUSDT")).code == -1102


async def test_conditional_orders_live_at_the_algo_endpoint(futures_venue):
    acme = await futures_venue.client()
    terms = {"algoType": "CONDITIONAL", "symbol": "BTCUSDT", "side": "SELL", "quantity": "0.01"}
    stop = await acme.signed(
        "POST", "v1/algoOrder", **terms, type="STOP", triggerPrice="59000", price="58900", timeInForce="GTC",
        clientAlgoId="stop-1",
    )  # fmt: skip
    assert stop.status == 200, stop.body
    assert (stop.headers["X-MBX-ORDER-COUNT-1M"], stop.body["algoStatus"], stop.body["orderType"]) == (
        "1",
        "NEW",
        "STOP",
    )
    assert (stop.body["triggerPrice"], stop.body["price"], stop.body["callbackRate"]) == ("59000.00", "58900.00", "")
    trailing = await acme.signed(
        "POST", "v1/algoOrder", **terms, type="TRAILING_STOP_MARKET", callbackRate="1.5", activatePrice="61000"
    )
    assert (trailing.status, trailing.body["callbackRate"], trailing.body["activatePrice"]) == (200, "1.5", "61000.00")
    waiting = (await acme.signed("GET", "v1/openAlgoOrders", symbol="BTCUSDT")).body
    assert [row["algoId"] for row in waiting] == [stop.body["algoId"], trailing.body["algoId"]]
    found = (await acme.signed("GET", "v1/algoOrder", clientAlgoId="stop-1")).body
    assert (found["algoId"], found["actualOrderId"], found["actualPrice"]) == (stop.body["algoId"], "", "0.00")
    gone = (await acme.signed("DELETE", "v1/algoOrder", algoId=stop.body["algoId"])).body
    assert gone == {"algoId": stop.body["algoId"], "clientAlgoId": "stop-1", "code": "200", "msg": "success"}
    assert (await acme.signed("DELETE", "v1/algoOrder", algoId=stop.body["algoId"])).code == -2011
    assert (await acme.signed("DELETE", "v1/algoOpenOrders", symbol="BTCUSDT")).body["code"] == 200
    everything = (await acme.signed("GET", "v1/allAlgoOrders", symbol="BTCUSDT")).body
    assert [row["algoStatus"] for row in everything] == ["CANCELED", "CANCELED"]
    at_once = await acme.signed("POST", "v1/algoOrder", **terms, type="STOP_MARKET", triggerPrice="61000")
    assert (at_once.status, at_once.code) == (400, -2021)
    assert (await acme.signed("POST", "v1/algoOrder", **(terms | {"algoType": "VP"}), type="STOP")).code == -1130
    assert (await acme.signed("GET", "v1/algoOrder")).code == -1102


async def test_a_trade_makes_a_position_an_income_and_a_balance(futures_venue):
    acme, birch = await futures_venue.client("acme"), await futures_venue.client("birch")
    assert (await acme.signed("POST", "v1/leverage", symbol="BTCUSDT", leverage=10)).body == {
        "leverage": 10, "maxNotionalValue": "230000000", "symbol": "BTCUSDT",
    }  # fmt: skip
    await traded(acme, birch)
    [fill] = (await acme.signed("GET", "v1/userTrades", symbol="BTCUSDT")).body
    assert (fill["price"], fill["qty"], fill["quoteQty"], fill["commission"], fill["buyer"], fill["maker"]) == (
        "60000.00", "0.100", "6000.00000", "3.00000000", True, False,
    )  # fmt: skip
    [position] = (await acme.signed("GET", "v3/positionRisk")).body
    assert (position["symbol"], position["positionAmt"], position["entryPrice"]) == ("BTCUSDT", "0.100", "60000.0")
    assert (position["initialMargin"], position["marginAsset"], position["adl"]) == ("600.00000000", "USDT", 0)
    assert "leverage" not in position
    older = (await acme.signed("GET", "v2/positionRisk")).body
    assert [row["symbol"] for row in older] == ["BTCUSDT", "ETHUSDT", "SOLUSDT"]
    assert (older[0]["leverage"], older[0]["marginType"], older[0]["isAutoAddMargin"]) == ("10", "cross", "false")
    new, old = (await acme.signed("GET", "v3/account")).body, (await acme.signed("GET", "v2/account")).body
    assert new["totalWalletBalance"] == old["totalWalletBalance"] == "99997.00000000"
    assert new["totalPositionInitialMargin"] == "600.00000000"
    assert (len(new["positions"]), len(old["positions"])) == (1, 3)
    assert (old["canTrade"], old["multiAssetsMargin"], old["feeBurn"]) == (True, False, False)
    for version in ("v2", "v3"):
        [balance] = (await acme.signed("GET", f"{version}/balance")).body
        assert (balance["asset"], balance["balance"]) == ("USDT", "99997.00000000")
        assert balance["accountAlias"].isalpha()
    [row] = (await acme.signed("GET", "v1/income", incomeType="COMMISSION")).body
    assert (row["income"], row["symbol"], row["tradeId"]) == ("-3.00000000", "BTCUSDT", str(fill["id"]))
    assert (await acme.signed("GET", "v1/income", incomeType="NONE")).code == -1130
    [adl] = (await acme.signed("GET", "v1/adlQuantile")).body
    assert adl == {"symbol": "BTCUSDT", "adlQuantile": {"LONG": 0, "SHORT": 0, "BOTH": 0}}


async def test_settings_are_kept_told_and_refused_where_nothing_changes(futures_venue):
    acme, birch = await futures_venue.client("acme"), await futures_venue.client("birch")
    assert (await acme.signed("POST", "v1/marginType", symbol="BTCUSDT", marginType="ISOLATED")).body == {
        "code": 200, "msg": "success",
    }  # fmt: skip
    same = await acme.signed("POST", "v1/marginType", symbol="BTCUSDT", marginType="ISOLATED")
    assert (same.code, same.body["msg"]) == (-4046, "No need to change margin type.")
    assert (await acme.signed("POST", "v1/marginType", symbol="BTCUSDT", marginType="CROSS")).code == -1130
    assert (await acme.signed("POST", "v1/leverage", symbol="BTCUSDT", leverage=126)).code == -4028
    await traded(acme, birch)
    added = (await acme.signed("POST", "v1/positionMargin", symbol="BTCUSDT", amount="25.5", type=1)).body
    assert added == {"amount": 25.5, "code": 200, "msg": "Successfully modify position margin.", "type": 1}
    [change] = (await acme.signed("GET", "v1/positionMargin/history", symbol="BTCUSDT")).body
    assert (change["type"], change["amount"], change["deltaType"]) == (1, "25.50000000", "USER_ADJUST")
    [config] = (await acme.signed("GET", "v1/symbolConfig", symbol="BTCUSDT")).body
    assert (config["marginType"], config["leverage"], config["isAutoAddMargin"]) == ("ISOLATED", 20, False)
    assert (await acme.signed("POST", "v1/positionSide/dual", dualSidePosition="true")).code == -4068
    [bracket] = (await acme.signed("GET", "v1/leverageBracket", symbol="BTCUSDT")).body
    assert bracket["brackets"][0] == {
        "bracket": 1, "initialLeverage": 125, "notionalCap": 50_000, "notionalFloor": 0, "maintMarginRatio": 0.004, "cum": 0.0,
    }  # fmt: skip
    rate = (await acme.signed("GET", "v1/commissionRate", symbol="BTCUSDT")).body
    assert rate == {"symbol": "BTCUSDT", "makerCommissionRate": "0.0002", "takerCommissionRate": "0.0005"}
    assert (await acme.signed("POST", "v1/multiAssetsMargin", multiAssetsMargin="false")).code == -4171
    assert (await acme.signed("GET", "v1/multiAssetsMargin")).body == {"multiAssetsMargin": False}
    assert (await acme.signed("POST", "v1/feeBurn", feeBurn="true")).body["code"] == 200
    assert (await acme.signed("GET", "v1/feeBurn")).body == {"feeBurn": True}
    assert (await acme.signed("GET", "v1/accountConfig")).body["dualSidePosition"] is False
    assert (await acme.signed("GET", "v1/apiTradingStatus")).body["indicators"] == {}


async def test_hedge_mode_holds_both_sides_and_demands_to_be_told_which(futures_venue):
    acme, birch = await futures_venue.client("acme"), await futures_venue.client("birch")
    assert (await acme.signed("POST", "v1/positionSide/dual", dualSidePosition="true")).body["code"] == 200
    assert (await acme.signed("POST", "v1/positionSide/dual", dualSidePosition="true")).code == -4059
    assert (await acme.signed("GET", "v1/positionSide/dual")).body == {"dualSidePosition": True}
    assert (await acme.order("BUY", "0.01", "59000")).code == -4061
    await birch.order("SELL", "0.1", "60000")
    await birch.order("BUY", "0.1", "59990")
    long = await acme.order("BUY", "0.1", positionSide="LONG")
    short = await acme.order("SELL", "0.05", positionSide="SHORT")
    assert (long.body["positionSide"], short.body["positionSide"]) == ("LONG", "SHORT")
    rows = (await acme.signed("GET", "v3/positionRisk", symbol="BTCUSDT")).body
    assert {row["positionSide"]: row["positionAmt"] for row in rows} == {"LONG": "0.100", "SHORT": "-0.050"}
    [adl] = (await acme.signed("GET", "v1/adlQuantile")).body
    assert set(adl["adlQuantile"]) == {"LONG", "SHORT", "HEDGE"}


async def test_an_order_that_only_reduces_does_not_open(futures_venue):
    acme, birch = await futures_venue.client("acme"), await futures_venue.client("birch")
    assert (await acme.order("SELL", "0.1", "60000", reduceOnly="true")).code == -2022
    await traded(acme, birch)
    await birch.order("BUY", "0.5", "59990")
    assert (await acme.order("SELL", "0.1", reduceOnly="yes")).code == -1130
    closed = await acme.order("SELL", "0.1", reduceOnly="True")  # as clients in Python write it
    assert (closed.body["status"], closed.body["reduceOnly"]) == ("FILLED", True)
    assert (await acme.signed("GET", "v3/positionRisk")).body == []
    realized = (await acme.signed("GET", "v1/income", incomeType="REALIZED_PNL")).body
    assert [row["income"] for row in realized] == ["-1.00000000"]


@pytest.mark.parametrize(
    ("terms", "code"),
    [
        ({"side": "HOLD"}, -1117),
        ({"type": "ICEBERG"}, -1116),
        ({"timeInForce": "DAY"}, -1115),
        ({"symbol": "NONESUCH"}, -1121),
        ({"quantity": "1e-3"}, -1100),
        ({"quantity": "0.0001"}, -1111),
        ({"quantity": "0"}, -4003),
        ({"quantity": None}, -1102),
        ({"quantity": "0.001"}, -4164),
        ({"price": "59000.05"}, -4014),
        ({"price": "70000"}, -4016),
        ({"positionSide": "UP"}, -1130),
        ({"workingType": "LAST"}, -1130),
        ({"newClientOrderId": "no spaces"}, -1100),
        ({"quantity": "900"}, -2019),
        ({"timeInForce": "GTX", "price": "60000"}, -5022),
        ({"timeInForce": "GTD"}, -1102),
        ({"positionSide": "LONG"}, -4061),
        ({"surprise": "1"}, -1104),
    ],
)
async def test_a_bad_order_gets_its_own_code_and_leaves_nothing(futures_venue, terms, code):
    acme, birch = await futures_venue.client("acme"), await futures_venue.client("birch")
    await birch.order("SELL", "0.01", "60000")
    order = {"side": "BUY", "quantity": "0.01", "price": "59000"} | terms
    answer = await acme.order(order.pop("side"), order.pop("quantity"), order.pop("price"), **order)
    assert (answer.status, answer.code) == (400, code), answer.body
    assert (await acme.signed("GET", "v1/openOrders")).body == []


async def test_a_test_order_is_checked_and_not_placed(futures_venue):
    acme = await futures_venue.client()
    terms = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": "0.01"}
    assert (await acme.signed("POST", "v1/order/test", **terms, price="59000")).body == {}
    assert (await acme.signed("POST", "v1/order/test", **terms, price="59000.05")).code == -4014
    assert (await acme.signed("GET", "v1/allOrders", symbol="BTCUSDT")).body == []


async def test_a_key_without_the_right_reads_and_changes_nothing(futures_venue):
    reader = await futures_venue.client("reader")
    assert (await reader.signed("GET", "v3/account")).status == 200
    for method, path, parameters in (
        ("DELETE", "v1/allOpenOrders", {"symbol": "BTCUSDT"}),
        ("POST", "v1/leverage", {"symbol": "BTCUSDT", "leverage": 3}),
        ("POST", "v1/positionSide/dual", {"dualSidePosition": "true"}),
        ("POST", "v1/countdownCancelAll", {"symbol": "BTCUSDT", "countdownTime": 1000}),
    ):
        refused = await reader.signed(method, path, **parameters)
        assert (refused.status, refused.code) == (401, -2015), path
    refused = await reader.order("BUY", "0.01", "59000")
    assert (refused.status, refused.code) == (401, -2015)
    stranger = await futures_venue.client("acme")
    stranger.api_key = "a" * 64
    assert (await stranger.signed("GET", "v2/balance")).code == -2015
    stranger.api_key, stranger.signer = "acme" * 16, "another secret"
    assert (await stranger.signed("GET", "v2/balance")).code == -1022


async def test_the_exchange_shows_what_it_saw_of_the_futures_market(futures_venue):
    acme = await futures_venue.client()
    await acme.order("BUY", "0.01", "59000", newClientOrderId="seen-here")
    [seen] = [row for row in futures_venue.running.commons.seen.rows if row.client_order_id == "seen-here"]
    assert (seen.path, seen.account, seen.status, seen.market) == ("/fapi/v1/order", "acme", 200, "futures")
