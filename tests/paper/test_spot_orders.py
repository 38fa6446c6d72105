"""Spot orders beyond limit and market on the wire: stops, trailing, icebergs, self-trade prevention, amends, and their queries."""

import time

import pytest

from tradedesk.paper.server.limits import RateLimits


async def trade_at(seller, buyer, price, quantity="0.01"):
    """The last price is this."""
    assert (await seller.order("SELL", quantity, price)).status == 200
    assert (await buyer.order("BUY", quantity, price)).body["status"] == "FILLED"


def terms(side, kind, quantity="0.01", **more):
    return {"symbol": "BTCUSDT", "side": side, "type": kind, "quantity": quantity} | more


async def order_of(client, placed):
    return (await client.signed("GET", "order", symbol="BTCUSDT", orderId=placed["orderId"])).body


# -- triggers -------------------------------------------------------------------------------------------------------------


async def test_a_stop_waits_shows_its_price_and_is_a_market_order_when_it_is_reached(venue):
    acme, birch = await venue.client("acme"), await venue.client("birch")
    await trade_at(birch, acme, "60000")
    acked = (await acme.signed("POST", "order", **terms("SELL", "STOP_LOSS", stopPrice="59000"))).body
    assert acked.keys() == {"symbol", "orderId", "orderListId", "clientOrderId", "transactTime"}
    waiting = await order_of(acme, acked)
    assert (waiting["stopPrice"], waiting["isWorking"], waiting["workingTime"], waiting["status"]) == (
        "59000.00000000", False, -1, "NEW",
    )  # fmt: skip
    await birch.order("BUY", "0.01", "58000")
    await birch.order("BUY", "0.02", "58900")
    await acme.order("SELL", "0.01", "58900")
    done = await order_of(acme, acked)
    assert (done["status"], done["isWorking"], done["workingTime"] > 0) == ("FILLED", True, True)
    assert (done["type"], done["price"], done["cummulativeQuoteQty"]) == ("STOP_LOSS", "0.00000000", "589.00000000")


async def test_the_answer_and_the_events_of_a_stop_limit_order_have_its_own_fields(venue):
    acme, birch = await venue.client("acme"), await venue.client("birch")
    await trade_at(birch, acme, "60000")
    async with acme.socket("/ws-api/v3") as socket:
        await socket.signed("userDataStream.subscribe.signature")
        more = {
            "stopPrice": "61000",
            "price": "61500",
            "timeInForce": "GTC",
            "strategyId": 7,
            "strategyType": 1_000_001,
        }
        sent = terms("BUY", "STOP_LOSS_LIMIT", newOrderRespType="RESULT", **more)
        placed = (await acme.signed("POST", "order", **sent)).body
        assert (placed["stopPrice"], placed["strategyId"], placed["strategyType"], placed["workingTime"]) == (
            "61000.00000000", 7, 1_000_001, -1,
        )  # fmt: skip
        assert "trailingDelta" not in placed
        assert "icebergQty" not in placed
        new = (await socket.receive())["event"]
        assert (new["x"], new["X"], new["P"], new["w"], new["j"], new["J"]) == (
            "NEW", "NEW", "61000.00000000", False, 7, 1_000_001,
        )  # fmt: skip
        assert "W" not in new
        assert (await socket.receive())["event"]["e"] == "outboundAccountPosition"
        await trade_at(birch, await venue.client("eddy"), "61000")
        held = await order_of(acme, placed)
        assert (held["status"], held["isWorking"]) == ("NEW", True)
        done = (await acme.signed("DELETE", "order", symbol="BTCUSDT", orderId=placed["orderId"])).body
        assert (done["stopPrice"], done["status"]) == ("61000.00000000", "CANCELED")
        last = (await socket.until(lambda frame: frame["event"].get("x") == "CANCELED"))["event"]
        assert last["W"] >= last["O"]


async def test_a_trailing_stop_tells_its_delta_and_since_when_it_trails(venue):
    acme, birch = await venue.client("acme"), await venue.client("birch")
    await trade_at(birch, acme, "60000")
    sent = terms("SELL", "STOP_LOSS", trailingDelta=100, newOrderRespType="RESULT")
    at_once = (await acme.signed("POST", "order", **sent)).body
    assert (at_once["trailingDelta"], at_once["trailingTime"] > 0, at_once["stopPrice"]) == (100, True, "0.00000000")
    later = (await acme.signed("POST", "order", **sent, stopPrice="59000")).body
    assert (later["trailingTime"], later["stopPrice"]) == (-1, "59000.00000000")
    await birch.order("BUY", "0.01", "50000")
    await trade_at(birch, await venue.client("eddy"), "60700")
    assert (await order_of(acme, at_once))["status"] == "NEW"
    await trade_at(birch, await venue.client("eddy"), "60092")  # 1 % below 60,700 is 60,093
    assert (await order_of(acme, at_once))["status"] == "FILLED"
    assert (await order_of(acme, later))["status"] == "NEW"


async def test_an_iceberg_shows_a_part_and_says_so(venue):
    acme, birch = await venue.client("acme"), await venue.client("birch")
    sent = terms("SELL", "LIMIT", "0.05", price="60000", timeInForce="GTC", icebergQty="0.01")
    placed = (await acme.signed("POST", "order", **sent)).body
    assert placed["icebergQty"] == "0.01000000"
    assert (await birch.public("depth", symbol="BTCUSDT")).body["asks"] == [["60000.00000000", "0.01000000"]]
    assert (await birch.order("BUY", "0.03")).body["executedQty"] == "0.03000000"


@pytest.mark.parametrize(
    ("sent", "code", "text"),
    [
        (terms("SELL", "STOP_LOSS"), -1102, "Param 'stopPrice' or 'trailingDelta' must be sent"),
        (terms("SELL", "STOP_LOSS", stopPrice="61000"), -2010, "Order would trigger immediately."),
        (terms("BUY", "TAKE_PROFIT", stopPrice="61000"), -2010, "Order would trigger immediately."),
        (terms("SELL", "STOP_LOSS", stopPrice="59000", price="58000"), -1106, "'price'"),
        (terms("SELL", "STOP_LOSS_LIMIT", stopPrice="59000", price="58000"), -1102, "'timeInForce'"),
        (terms("SELL", "STOP_LOSS_LIMIT", stopPrice="59000", timeInForce="GTC"), -1102, "'price'"),
        (terms("SELL", "STOP_LOSS", stopPrice="59000.001"), -1013, "Filter failure: PRICE_FILTER"),
        (terms("SELL", "STOP_LOSS", trailingDelta=5), -1013, "Filter failure: TRAILING_DELTA"),
        (terms("SELL", "STOP_LOSS", trailingDelta=2_001), -1013, "Filter failure: TRAILING_DELTA"),
        (terms("SELL", "LIMIT", price="61000", timeInForce="GTC", trailingDelta=100), -1106, "'trailingDelta'"),
        (terms("SELL", "LIMIT", price="61000", timeInForce="IOC", icebergQty="0.001"), -1014, "Unsupported order combination"),
        (terms("SELL", "LIMIT", price="61000", timeInForce="GTC", icebergQty="0.02"), -2010, "IcebergQty exceeds QTY."),
        (terms("SELL", "LIMIT", price="61000", timeInForce="GTC", icebergQty="0.0001"), -1013, "Filter failure: ICEBERG_PARTS"),
        (terms("SELL", "LIMIT", price="61000", timeInForce="GTC", strategyType=999_999), -1134, "less than 1000000"),
        (terms("SELL", "LIMIT", price="61000", timeInForce="GTC", strategyId=2**63), -1108, "'strategyId' overflowed"),
        (terms("SELL", "LIMIT", price="61000", timeInForce="GTC", selfTradePreventionMode="ALL"), -1130, "selfTrade"),
        (terms("SELL", "LIMIT", price="61000", timeInForce="GTC", pegPriceType="PRIMARY_PEG"), -2010, "Pegged orders are not"),
        (terms("SELL", "LIMIT", price="90000000", timeInForce="GTC"), -1013, "Filter failure: PRICE_FILTER"),
        (terms("SELL", "LIMIT", price="400000", timeInForce="GTC"), -1013, "Filter failure: PERCENT_PRICE_BY_SIDE"),
        (terms("SELL", "LIMIT", "9999.5", price="61000", timeInForce="GTC"), -1013, "Filter failure: "),
        (terms("BUY", "MARKET", "0.00001"), -1013, "Filter failure: NOTIONAL"),
    ],
    ids=lambda part: part.get("type", "") if isinstance(part, dict) else str(part)[:30],
)  # fmt: skip
async def test_what_is_wrong_with_an_order_has_its_own_code_and_text(venue, sent, code, text):
    acme, birch = await venue.client("acme"), await venue.client("birch")
    await trade_at(birch, acme, "60000")
    for path in ("order", "order/test"):
        answer = await acme.signed("POST", path, **sent)
        assert (answer.status, answer.code) == (400, code), answer.body
        assert text in answer.body["msg"]
    assert (await acme.signed("GET", "openOrders")).body == []


async def test_open_orders_of_a_kind_are_counted(venue):
    acme, birch = await venue.client("acme"), await venue.client("birch")
    await trade_at(birch, acme, "60000")
    sent = terms("SELL", "STOP_LOSS", stopPrice="59000")
    answers = [await acme.signed("POST", "order", **sent) for _ in range(6)]
    assert [answer.status for answer in answers] == [200] * 5 + [400]
    assert answers[-1].body["msg"] == "Filter failure: MAX_NUM_ALGO_ORDERS"


# -- self-trade prevention ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mode", "taker", "maker"),
    [
        ("NONE", "FILLED", "PARTIALLY_FILLED"),
        ("EXPIRE_TAKER", "EXPIRED_IN_MATCH", "NEW"),
        ("EXPIRE_MAKER", "NEW", "EXPIRED_IN_MATCH"),
        ("EXPIRE_BOTH", "EXPIRED_IN_MATCH", "EXPIRED_IN_MATCH"),
        ("DECREMENT", "EXPIRED_IN_MATCH", "NEW"),
    ],
)
async def test_an_account_does_not_trade_with_itself_and_is_told_what_was_prevented(venue, mode, taker, maker):
    client = await venue.client()
    async with client.socket("/ws-api/v3") as socket:
        await socket.signed("userDataStream.subscribe.signature")
        stood = (await client.order("SELL", "0.03", "60000")).body
        came = (await client.order("BUY", "0.01", "60000", selfTradePreventionMode=mode)).body
        assert (came["status"], came["selfTradePreventionMode"]) == (taker, mode)
        assert (await order_of(client, stood))["status"] == maker
        found = await client.signed("GET", "myPreventedMatches", symbol="BTCUSDT", orderId=stood["orderId"])
        if mode == "NONE":
            assert found.body == []
            return
        [match] = found.body
        assert match.keys() >= {"symbol", "preventedMatchId", "takerOrderId", "makerSymbol", "makerOrderId", "tradeGroupId",
                                "selfTradePreventionMode", "price", "transactTime"}  # fmt: skip
        assert (match["takerOrderId"], match["makerOrderId"]) == (came["orderId"], stood["orderId"])
        by_id = await client.signed(
            "GET", "myPreventedMatches", symbol="BTCUSDT", preventedMatchId=match["preventedMatchId"]
        )
        assert by_id.body == [match]
        report = (await socket.until(lambda frame: "v" in frame["event"]))["event"]
        assert (report["v"], report["pL"]) == (match["preventedMatchId"], "60000.00000000")
        assert report["pl"] in ("0.01000000", "0.03000000")
        assert {report["i"], report["U"]} == {came["orderId"], stood["orderId"]}
        assert report.keys() >= {"A", "B", "u", "pY"}
        ended = came if taker == "EXPIRED_IN_MATCH" else await order_of(client, stood)
        assert ended["preventedMatchId"] == match["preventedMatchId"]
        assert float(ended["preventedQuantity"]) > 0


@pytest.mark.parametrize(
    ("mode", "shows"),
    [
        ("NONE", None),
        ("EXPIRE_TAKER", {"takerPreventedQuantity": "0.01000000"}),
        ("EXPIRE_MAKER", {"makerPreventedQuantity": "0.03000000"}),
        ("EXPIRE_BOTH", {"takerPreventedQuantity": "0.01000000", "makerPreventedQuantity": "0.03000000"}),
        ("DECREMENT", {"takerPreventedQuantity": "0.01000000", "makerPreventedQuantity": "0.01000000"}),
    ],
)
async def test_a_full_answer_names_the_matches_that_were_prevented(venue, mode, shows):
    """As the scenarios of the venue's page on self-trade prevention have it: in the answer to the taker, whoever lost."""
    client = await venue.client()
    stood = (await client.order("SELL", "0.03", "60000")).body
    came = (await client.order("BUY", "0.01", "60000", selfTradePreventionMode=mode)).body
    if shows is None:
        assert "preventedMatches" not in came
        return
    [match] = came["preventedMatches"]
    number = match.pop("preventedMatchId")
    assert match == {"makerSymbol": "BTCUSDT", "makerOrderId": stood["orderId"], "price": "60000.00000000"} | shows
    found = await client.signed("GET", "myPreventedMatches", symbol="BTCUSDT", preventedMatchId=number)
    assert [each["takerOrderId"] for each in found.body] == [came["orderId"]]
    next_order = await client.order("BUY", "0.01", "50000", selfTradePreventionMode=mode)
    assert "preventedMatches" not in next_order.body  # it met nobody
    short = await client.order("BUY", "0.01", "60000", selfTradePreventionMode=mode, newOrderRespType="RESULT")
    assert "preventedMatches" not in short.body


async def test_a_replacement_names_the_matches_that_were_prevented(venue):
    client = await venue.client()
    stood = (await client.order("SELL", "0.03", "60000")).body
    old = (await client.order("BUY", "0.01", "50000")).body
    terms = {"side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": "0.01", "price": "60000"}
    both = await client.signed(
        "POST", "order/cancelReplace", symbol="BTCUSDT", cancelReplaceMode="STOP_ON_FAILURE",
        cancelOrderId=old["orderId"], selfTradePreventionMode="EXPIRE_TAKER", **terms,
    )  # fmt: skip
    [match] = both.body["newOrderResponse"]["preventedMatches"]
    assert match["makerOrderId"] == stood["orderId"]


async def test_prevented_matches_are_asked_for_by_one_id_or_by_order(venue):
    client = await venue.client()
    for wrong in ({}, {"preventedMatchId": 1, "orderId": 2}, {"preventedMatchId": 1, "fromPreventedMatchId": 1}):
        answer = await client.signed("GET", "myPreventedMatches", symbol="BTCUSDT", **wrong)
        assert (answer.status, answer.code) == (400, -1128)


# -- amends ---------------------------------------------------------------------------------------------------------------


async def test_an_amend_makes_less_of_an_order_keeps_its_place_and_is_remembered(venue):
    acme, birch, eddy = await venue.client("acme"), await venue.client("birch"), await venue.client("eddy")
    async with acme.socket("/ws-api/v3") as socket:
        await socket.signed("userDataStream.subscribe.signature")
        first = (await acme.order("SELL", "0.03", "60000", newClientOrderId="one")).body
        await birch.order("SELL", "0.03", "60000")
        how = {"symbol": "BTCUSDT", "newQty": "0.01", "newClientOrderId": "two"}
        done = (await acme.signed("PUT", "order/amend/keepPriority", **how, origClientOrderId="one")).body
        shown = done["amendedOrder"]
        assert done.keys() == {"transactTime", "executionId", "amendedOrder"}
        assert shown | {"workingTime": 0} == {
            "symbol": "BTCUSDT", "orderId": first["orderId"], "orderListId": -1, "origClientOrderId": "one",
            "clientOrderId": "two", "price": "60000.00000000", "qty": "0.01000000", "executedQty": "0.00000000",
            "preventedQty": "0.00000000", "quoteOrderQty": "0.00000000", "cumulativeQuoteQty": "0.00000000", "status": "NEW",
            "timeInForce": "GTC", "type": "LIMIT", "side": "SELL", "workingTime": 0, "selfTradePreventionMode": "NONE",
        }  # fmt: skip
        report = (await socket.until(lambda frame: frame["event"].get("x") == "REPLACED"))["event"]
        assert (report["c"], report["C"], report["q"], report["X"], report["I"]) == (
            "two", "one", "0.01000000", "NEW", done["executionId"],
        )  # fmt: skip
        assert (await eddy.order("BUY", "0.01")).body["status"] == "FILLED"
        assert (await order_of(acme, first))["status"] == "FILLED"  # it was still the first in the queue
    [row] = (await acme.signed("GET", "order/amendments", symbol="BTCUSDT", orderId=first["orderId"])).body
    assert (row["executionId"], row["origClientOrderId"], row["newClientOrderId"], row["origQty"], row["newQty"]) == (
        done["executionId"], "one", "two", "0.03000000", "0.01000000",
    )  # fmt: skip


@pytest.mark.parametrize("new_qty", ["0.03", "0.05"])
async def test_an_amend_that_does_not_make_less_is_refused(venue, new_qty):
    client = await venue.client()
    placed = (await client.order("SELL", "0.03", "60000")).body
    how = {"symbol": "BTCUSDT", "orderId": placed["orderId"], "newQty": new_qty}
    answer = await client.signed("PUT", "order/amend/keepPriority", **how)
    assert (answer.status, answer.code) == (400, -2038)
    assert (await client.signed("PUT", "order/amend/keepPriority", symbol="BTCUSDT", newQty="0.01")).code == -1102


# -- cancel-replace over the limit ----------------------------------------------------------------------------------------


async def test_over_the_order_limit_a_cancel_replace_does_nothing_or_cancels_only(start_venue):
    venue = await start_venue(rates=RateLimits(orders_per_day=1))
    client = await venue.client()
    placed = (await client.order("BUY", "0.01", "50000")).body
    new = terms("BUY", "LIMIT", price="50001", timeInForce="GTC", cancelReplaceMode="STOP_ON_FAILURE")
    new |= {"cancelOrderId": placed["orderId"]}
    nothing = await client.signed("POST", "order/cancelReplace", **new)
    assert (nothing.status, nothing.code) == (429, -1015)
    assert (await order_of(client, placed))["status"] == "NEW"
    only = await client.signed("POST", "order/cancelReplace", **new, orderRateLimitExceededMode="CANCEL_ONLY")
    assert (only.status, only.code) == (409, -2021)
    assert only.body["data"]["cancelResponse"]["status"] == "CANCELED"
    assert only.body["data"]["newOrderResponse"]["code"] == -1015
    again = await client.signed("POST", "order/cancelReplace", **new, orderRateLimitExceededMode="CANCEL_ONLY")
    assert (again.status, again.code, again.body["data"]["newOrderResult"]) == (429, -2022, "NOT_ATTEMPTED")


async def test_a_replacement_that_was_not_attempted_counts_as_an_order(venue):
    client = await venue.client()
    new = terms("BUY", "LIMIT", price="50001", timeInForce="GTC", cancelReplaceMode="STOP_ON_FAILURE")
    answer = await client.signed("POST", "order/cancelReplace", **new, cancelOrigClientOrderId="none")
    assert (answer.status, answer.headers["X-MBX-ORDER-COUNT-1D"]) == (400, "1")


async def test_a_cancel_may_be_restricted(venue):
    acme, birch = await venue.client("acme"), await venue.client("birch")
    placed = (await acme.order("SELL", "0.03", "60000")).body
    which = {"symbol": "BTCUSDT", "orderId": placed["orderId"]}
    wrong = await acme.signed("DELETE", "order", **which, cancelRestrictions="ONLY_OLD")
    assert wrong.body == {"code": -1145, "msg": "Invalid cancelRestrictions"}
    refused = await acme.signed("DELETE", "order", **which, cancelRestrictions="ONLY_PARTIALLY_FILLED")
    assert refused.body == {"code": -2011, "msg": "Order was not canceled due to cancel restrictions."}
    await birch.order("BUY", "0.01")
    done = await acme.signed("DELETE", "order", **which, cancelRestrictions="ONLY_PARTIALLY_FILLED")
    assert done.body["executedQty"] == "0.01000000"


# -- queries --------------------------------------------------------------------------------------------------------------


async def test_trades_are_paged_by_id_by_order_and_by_time_and_not_otherwise(venue):
    acme, birch = await venue.client("acme"), await venue.client("birch")
    for _ in range(3):
        await trade_at(acme, birch, "60000")
    every = (await birch.signed("GET", "myTrades", symbol="BTCUSDT")).body
    ids = [row["id"] for row in every]

    async def asked(**parameters):
        answer = await birch.signed("GET", "myTrades", symbol="BTCUSDT", **parameters)
        return [row["id"] for row in answer.body] if answer.status == 200 else answer.code

    now = time.time_ns() // 1_000_000
    assert await asked(limit=2) == ids[1:]
    assert await asked(fromId=ids[0], limit=2) == ids[:2]
    assert await asked(orderId=every[1]["orderId"]) == [ids[1]]
    assert await asked(orderId=every[1]["orderId"], fromId=ids[2]) == []
    assert await asked(startTime=now - 60_000, limit=1) == ids[:1]
    assert await asked(endTime=now + 60_000, limit=1) == ids[2:]
    assert await asked(startTime=now - 60_000, endTime=now + 60_000) == ids
    assert await asked(startTime=now - 86_400_001, endTime=now) == -1127
    assert await asked(fromId=ids[0], startTime=now) == -1128
    assert await asked(orderId=1, endTime=now) == -1128


async def test_all_orders_come_from_an_id_or_of_a_day(venue):
    client = await venue.client()
    placed = [(await client.order("BUY", "0.01", f"{50_000 + n}")).body["orderId"] for n in range(3)]
    now = time.time_ns() // 1_000_000

    async def asked(**parameters):
        answer = await client.signed("GET", "allOrders", symbol="BTCUSDT", **parameters)
        return [row["orderId"] for row in answer.body] if answer.status == 200 else answer.code

    assert await asked(limit=2) == placed[1:]
    assert await asked(orderId=placed[1]) == placed[1:]
    assert await asked(startTime=now - 60_000, limit=1) == placed[:1]
    assert await asked(startTime=now - 86_400_001, endTime=now) == -1127


async def test_an_account_is_shown_with_its_rates_and_the_time_of_its_last_change(venue):
    client = await venue.client()
    before = (await client.signed("GET", "account")).body
    assert before["updateTime"] <= time.time_ns() // 1_000_000
    placed = (await client.order("BUY", "0.01", "50000")).body
    after = (await client.signed("GET", "account")).body
    assert after["updateTime"] == placed["transactTime"]
    assert after.keys() == {
        "makerCommission", "takerCommission", "buyerCommission", "sellerCommission", "commissionRates", "canTrade",
        "canWithdraw", "canDeposit", "brokered", "requireSelfTradePrevention", "preventSor", "updateTime", "accountType",
        "balances", "permissions", "uid",
    }  # fmt: skip
    rates = (await client.signed("GET", "account/commission", symbol="BTCUSDT")).body
    assert rates.keys() == {"symbol", "standardCommission", "specialCommission", "taxCommission", "discount"}


async def test_the_filters_of_an_account_are_those_of_exchange_info(venue):
    client = await venue.client()
    shown = (await client.signed("GET", "myFilters", symbol="BTCUSDT")).body
    [row] = (await client.public("exchangeInfo", symbol="BTCUSDT")).body["symbols"]
    assert shown == {"exchangeFilters": [], "symbolFilters": row["filters"], "assetFilters": []}
    assert [each["filterType"] for each in row["filters"]] == [
        "PRICE_FILTER", "LOT_SIZE", "ICEBERG_PARTS", "MARKET_LOT_SIZE", "TRAILING_DELTA", "PERCENT_PRICE_BY_SIDE", "NOTIONAL",
        "MAX_NUM_ORDERS", "MAX_NUM_ORDER_LISTS", "MAX_NUM_ALGO_ORDERS", "MAX_NUM_ICEBERG_ORDERS", "MAX_NUM_ORDER_AMENDS",
    ]  # fmt: skip
    assert "DECREMENT" in row["allowedSelfTradePreventionModes"]


async def test_what_no_instrument_offers_is_refused_and_has_no_history(venue):
    client = await venue.client()
    sent = terms("BUY", "LIMIT", price="50000", timeInForce="GTC")
    for path in ("sor/order", "sor/order/test"):
        assert (await client.signed("POST", path, **sent)).status == 400
    assert (await client.signed("GET", "myAllocations", symbol="BTCUSDT")).body == []
    refused = await client.signed("POST", "orderList/opo", symbol="BTCUSDT")
    assert refused.body == {"code": -2010, "msg": "OPO orders are not supported for this symbol."}


async def test_every_request_weighs_what_the_venue_lists(venue):
    client = await venue.client()
    placed = (await client.order("BUY", "0.01", "50000")).body
    of_order = {"symbol": "BTCUSDT", "orderId": placed["orderId"]}
    asked = [
        ("order", of_order, 4), ("openOrders", {"symbol": "BTCUSDT"}, 6), ("openOrders", {}, 80),
        ("allOrders", {"symbol": "BTCUSDT"}, 20), ("myTrades", {"symbol": "BTCUSDT"}, 20), ("myTrades", of_order, 5),
        ("order/amendments", of_order, 4), ("account", {}, 20), ("account/commission", {"symbol": "BTCUSDT"}, 20),
        ("rateLimit/order", {}, 40), ("allOrderList", {}, 20), ("openOrderList", {}, 6), ("myFilters", {"symbol": "BTCUSDT"}, 40),
        ("myPreventedMatches", of_order, 20), ("myAllocations", {"symbol": "BTCUSDT"}, 20),
    ]  # fmt: skip
    limits = venue.running.spot.limits
    for path, parameters, weight in asked:
        before, minute = limits.weight("127.0.0.1", time.time_ns()), time.time_ns() // 60_000_000_000
        answer = await client.signed("GET", path, **parameters)
        assert answer.status == 200, (path, answer.body)
        if time.time_ns() // 60_000_000_000 == minute:
            assert int(answer.headers["X-MBX-USED-WEIGHT-1M"]) - before == weight, path
