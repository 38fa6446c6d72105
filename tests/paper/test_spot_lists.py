"""Order lists on the wire: OCO, OTO and OTOCO from the placing to the last event, old and new forms, queries and refusals."""

import asyncio
import time

import pytest

OCO = {
    "symbol": "BTCUSDT", "side": "SELL", "quantity": "0.01", "aboveType": "LIMIT_MAKER", "abovePrice": "61000",
    "belowType": "STOP_LOSS_LIMIT", "belowStopPrice": "59000", "belowPrice": "58900", "belowTimeInForce": "GTC",
}  # fmt: skip
OTO = {
    "symbol": "BTCUSDT", "workingType": "LIMIT", "workingSide": "BUY", "workingPrice": "58000", "workingQuantity": "0.01",
    "workingTimeInForce": "GTC", "pendingType": "LIMIT", "pendingSide": "SELL", "pendingPrice": "62000",
    "pendingQuantity": "0.01", "pendingTimeInForce": "GTC",
}  # fmt: skip
OTOCO = {
    "symbol": "BTCUSDT", "workingType": "LIMIT", "workingSide": "BUY", "workingPrice": "58000", "workingQuantity": "0.01",
    "workingTimeInForce": "GTC", "pendingSide": "SELL", "pendingQuantity": "0.01", "pendingAboveType": "LIMIT_MAKER",
    "pendingAbovePrice": "62000", "pendingBelowType": "STOP_LOSS", "pendingBelowStopPrice": "57000",
}  # fmt: skip


@pytest.fixture
async def market(venue):
    """acme, and birch who made 60,000 the last price."""
    acme, birch = await venue.client("acme"), await venue.client("birch")
    await birch.order("SELL", "0.01", "60000")
    assert (await acme.order("BUY", "0.01", "60000")).body["status"] == "FILLED"
    return acme, birch


async def statuses(client, placed):
    rows = [
        await client.signed("GET", "order", symbol="BTCUSDT", orderId=row["orderId"]) for row in placed["orders"]
    ]  # fmt: skip
    return [row.body["status"] for row in rows]


async def events(socket, last):
    """Every event up to the one `last` holds for, as (name, what, of which list)."""
    found = []
    while not found or not last(found[-1]):
        found.append((await socket.receive())["event"])
    return found


# -- OCO ------------------------------------------------------------------------------------------------------------------


async def test_an_oco_is_placed_with_both_legs_and_told_in_the_venues_order(market):
    acme, _ = market
    async with acme.socket("/ws-api/v3") as socket:
        await socket.signed("userDataStream.subscribe.signature")
        names = {"listClientOrderId": "pair", "aboveClientOrderId": "over", "belowClientOrderId": "under"}
        answer = await acme.signed("POST", "orderList/oco", **OCO, **names)
        told = await events(socket, lambda event: event["e"] == "outboundAccountPosition")
    placed = answer.body
    assert placed | {"orders": [], "orderReports": [], "transactionTime": 0, "orderListId": 0} == {
        "orderListId": 0, "contingencyType": "OCO", "listStatusType": "EXEC_STARTED", "listOrderStatus": "EXECUTING",
        "listClientOrderId": "pair", "transactionTime": 0, "symbol": "BTCUSDT", "orders": [], "orderReports": [],
    }  # fmt: skip
    assert [row["clientOrderId"] for row in placed["orders"]] == ["under", "over"]
    stop, limit = placed["orderReports"]
    assert (stop["type"], stop["stopPrice"], stop["workingTime"], stop["status"]) == (
        "STOP_LOSS_LIMIT", "59000.00000000", -1, "NEW",
    )  # fmt: skip
    assert (limit["type"], limit["workingTime"] > 0, "stopPrice" in limit, "fills" in limit) == (
        "LIMIT_MAKER",
        True,
        False,
        False,
    )
    assert {stop["orderListId"], limit["orderListId"]} == {placed["orderListId"]}
    assert answer.headers["X-MBX-ORDER-COUNT-1D"] == "2"  # its own trade gave back the first
    assert [event["e"] for event in told] == [
        "executionReport",
        "executionReport",
        "listStatus",
        "outboundAccountPosition",
    ]
    assert [event["g"] for event in told[:3]] == [placed["orderListId"]] * 3
    status = told[2]
    assert status.keys() == {"e", "E", "s", "g", "c", "l", "L", "r", "C", "T", "O"}
    assert (status["c"], status["l"], status["L"], status["r"], status["C"]) == (
        "OCO",
        "EXEC_STARTED",
        "EXECUTING",
        "NONE",
        "pair",
    )
    assert status["O"] == [{"s": "BTCUSDT", "i": row["orderId"], "c": row["clientOrderId"]} for row in placed["orders"]]
    assert {"a": "BTC", "f": "9.99999000", "l": "0.01000000"} in told[3]["B"]  # locked once for both


async def test_the_leg_that_trades_ends_the_other(market):
    acme, birch = market
    placed = (await acme.signed("POST", "orderList/oco", **OCO)).body
    async with acme.socket("/ws-api/v3") as socket:
        await socket.signed("userDataStream.subscribe.signature")
        await birch.order("BUY", "0.01", "61000")
        told = await events(socket, lambda event: event.get("l") == "ALL_DONE")
    assert await statuses(acme, placed) == ["EXPIRED", "FILLED"]
    expired = next(event for event in told if event.get("x") == "EXPIRED")
    assert (expired["eR"], expired["g"]) == ("OCO_TRIGGER", placed["orderListId"])
    assert (await acme.signed("GET", "openOrderList")).body == []


async def test_the_stop_that_is_reached_ends_the_limit_order(market):
    acme, birch = market
    placed = (await acme.signed("POST", "orderList/oco", **OCO)).body
    await birch.order("BUY", "0.01", "59000")
    await acme.order("SELL", "0.01", "59000")
    assert await statuses(acme, placed) == ["NEW", "EXPIRED"]
    assert (await birch.public("depth", symbol="BTCUSDT")).body["asks"] == [["58900.00000000", "0.01000000"]]


@pytest.mark.parametrize("way", ["leg", "list", "all", "replace"])
async def test_a_list_is_cancelled_whole_whichever_way(market, way):
    acme, _ = market
    placed = (await acme.signed("POST", "orderList/oco", **OCO)).body
    leg = {"symbol": "BTCUSDT", "orderId": placed["orders"][0]["orderId"]}
    match way:
        case "leg":
            done = (await acme.signed("DELETE", "order", **leg, newClientOrderId="bye")).body
        case "list":
            which = {"symbol": "BTCUSDT", "orderListId": placed["orderListId"], "newClientOrderId": "bye"}
            done = (await acme.signed("DELETE", "orderList", **which)).body
        case "all":
            single = (await acme.order("BUY", "0.01", "50000")).body
            both = (await acme.signed("DELETE", "openOrders", symbol="BTCUSDT")).body
            [done] = [row for row in both if "orderReports" in row]
            assert [row["orderId"] for row in both if "orderReports" not in row] == [single["orderId"]]
        case _:
            new = {
                "symbol": "BTCUSDT",
                "side": "BUY",
                "type": "LIMIT",
                "timeInForce": "GTC",
                "quantity": "0.01",
                "price": "50000",
            }
            how = {
                "cancelReplaceMode": "STOP_ON_FAILURE",
                "cancelOrderId": leg["orderId"],
                "cancelNewClientOrderId": "bye",
            }
            done = (await acme.signed("POST", "order/cancelReplace", **new, **how)).body["cancelResponse"]
    assert (done["orderListId"], done["listStatusType"], done["listOrderStatus"]) == (
        placed["orderListId"], "ALL_DONE", "ALL_DONE",
    )  # fmt: skip
    assert [row["status"] for row in done["orderReports"]] == ["CANCELED"] * 2
    assert len({row["clientOrderId"] for row in done["orderReports"]}) == 1
    if way != "all":
        assert done["orderReports"][0]["clientOrderId"] == "bye"
    again = await acme.signed("DELETE", "orderList", symbol="BTCUSDT", orderListId=placed["orderListId"])
    assert (again.status, again.body) == (400, {"code": -2011, "msg": "Unknown order sent."})


@pytest.mark.parametrize("side", ["BUY", "SELL"])
@pytest.mark.parametrize("has_limit", [True, False])
async def test_the_old_form_of_an_oco_is_taken_too(market, side, has_limit):
    acme, _ = market
    price, stop, behind = ("59000", "61000", "61100") if side == "BUY" else ("61000", "59000", "58900")
    sent = {
        "symbol": "BTCUSDT", "side": side, "quantity": "0.01", "price": price, "stopPrice": stop, "limitClientOrderId": "lim",
        "stopClientOrderId": "sto", "newOrderRespType": "FULL",
    }  # fmt: skip
    if has_limit:
        sent |= {"stopLimitPrice": behind, "stopLimitTimeInForce": "GTC"}
    placed = (await acme.signed("POST", "order/oco", **sent)).body
    assert [(row["clientOrderId"], row["type"]) for row in placed["orderReports"]] == [
        ("sto", "STOP_LOSS_LIMIT" if has_limit else "STOP_LOSS"), ("lim", "LIMIT_MAKER"),
    ]  # fmt: skip
    assert [row["fills"] for row in placed["orderReports"]] == [[], []]


@pytest.mark.parametrize(
    ("change", "code", "text"),
    [
        ({"abovePrice": "59500"}, -2010, "The relationship of the prices for the orders is not correct."),
        ({"belowStopPrice": "60500"}, -2010, "The relationship of the prices for the orders is not correct."),
        ({"aboveType": "LIMIT", "aboveTimeInForce": "GTC"}, -1158, "Order type not supported in OCO."),
        ({"side": "BUY"}, -1165, "A limit order in a buy OCO must be below."),
        ({"aboveType": "STOP_LOSS", "abovePrice": None, "aboveStopPrice": "61000"}, -1197, "must be below"),
        ({"belowStopPrice": None}, -1102, "'belowStopPrice' or 'belowTrailingDelta'"),
        ({"belowTimeInForce": None}, -1102, "'belowTimeInForce'"),
        ({"abovePrice": None}, -1102, "'abovePrice'"),
        ({"aboveStopPrice": "61000"}, -1106, "'aboveStopPrice'"),
        ({"quantity": None}, -1102, "'quantity'"),
        ({"aboveType": None}, -1102, "'aboveType'"),
        ({"aboveType": "HOPE"}, -1116, "Invalid orderType."),
        ({"quantity": "100"}, -2010, "Account has insufficient balance for requested action."),
        ({"quantity": "0.000015"}, -1013, "Filter failure: LOT_SIZE"),
        ({"aboveClientOrderId": "x", "belowClientOrderId": "x"}, -2010, "Duplicate order sent."),
        ({"surprise": "1"}, -1104, "Not all sent parameters were read"),
    ],
)
async def test_an_oco_that_is_wrong_is_refused_and_leaves_nothing(market, change, code, text):
    acme, _ = market
    sent = {name: value for name, value in (OCO | change).items() if value is not None}
    answer = await acme.signed("POST", "orderList/oco", **sent)
    assert (answer.status, answer.code) == (400, code), answer.body
    assert text in answer.body["msg"]
    assert (await acme.signed("GET", "openOrders")).body == []
    assert (await acme.signed("GET", "allOrderList")).body == []


# -- OTO and OTOCO --------------------------------------------------------------------------------------------------------


async def test_the_pending_order_of_an_oto_is_placed_when_the_working_one_is_filled(market):
    acme, birch = market
    placed = (await acme.signed("POST", "orderList/oto", **OTO)).body
    assert (placed["contingencyType"], [row["status"] for row in placed["orderReports"]]) == (
        "OTO",
        ["NEW", "PENDING_NEW"],
    )
    pending = {"symbol": "BTCUSDT", "orderId": placed["orders"][1]["orderId"]}
    assert (await acme.signed("GET", "order", **pending)).body["isWorking"] is False
    await birch.order("SELL", "0.005", "58000")
    assert await statuses(acme, placed) == ["PARTIALLY_FILLED", "PENDING_NEW"]
    async with acme.socket("/ws-api/v3") as socket:
        await socket.signed("userDataStream.subscribe.signature")
        await birch.order("SELL", "0.005", "58000")
        told = await events(socket, lambda event: event.get("x") == "NEW" and event["i"] == pending["orderId"])
    assert [event["x"] for event in told if event["e"] == "executionReport"] == ["TRADE", "NEW"]
    assert await statuses(acme, placed) == ["FILLED", "NEW"]
    await birch.order("BUY", "0.01", "62000")
    assert await statuses(acme, placed) == ["FILLED", "FILLED"]
    shown = (await acme.signed("GET", "orderList", orderListId=placed["orderListId"])).body
    assert (shown["listStatusType"], shown["listOrderStatus"]) == ("ALL_DONE", "ALL_DONE")


async def test_a_working_order_that_fills_at_once_still_shows_the_pending_one_as_pending(market):
    acme, birch = market
    await birch.order("SELL", "0.01", "60000")
    answer = await acme.signed("POST", "orderList/oto", **OTO | {"workingPrice": "60000"}, newOrderRespType="FULL")
    working, pending = answer.body["orderReports"]
    assert (working["status"], len(working["fills"]), pending["status"]) == ("FILLED", 1, "PENDING_NEW")
    assert await statuses(acme, answer.body) == ["FILLED", "NEW"]


async def test_a_working_order_that_ends_takes_the_pending_one_with_it(market):
    acme, _ = market
    placed = (await acme.signed("POST", "orderList/oto", **OTO)).body
    await acme.signed("DELETE", "order", symbol="BTCUSDT", orderId=placed["orders"][0]["orderId"])
    assert set(await statuses(acme, placed)) <= {"CANCELED", "EXPIRED"}
    expired = (await acme.signed("POST", "orderList/oto", **OTO | {"workingTimeInForce": "IOC"})).body
    assert await statuses(acme, expired) == ["EXPIRED", "EXPIRED"]


async def test_an_otoco_places_a_pair_of_which_one_ends_the_other(market):
    acme, birch = market
    answer = await acme.signed("POST", "orderList/otoco", **OTOCO)
    placed = answer.body
    assert answer.headers["X-MBX-ORDER-COUNT-1D"] == "3"
    assert [row["status"] for row in placed["orderReports"]] == ["NEW", "PENDING_NEW", "PENDING_NEW"]
    await birch.order("SELL", "0.01", "58000")
    assert await statuses(acme, placed) == ["FILLED", "NEW", "NEW"]
    await birch.order("BUY", "0.01", "62000")
    assert await statuses(acme, placed) == ["FILLED", "EXPIRED", "FILLED"]


@pytest.mark.parametrize(
    ("path", "sent", "code", "text"),
    [
        ("oto", OTO | {"workingType": "MARKET"}, -1130, "'workingType'"),
        ("oto", OTO | {"pendingQuantity": None}, -1102, "'pendingQuantity'"),
        ("oto", OTO | {"workingTimeInForce": None}, -1102, "'workingTimeInForce'"),
        ("oto", OTO | {"pendingSide": "HOLD"}, -1117, "Invalid side."),
        ("oto", OTO | {"pendingQuoteOrderQty": "10"}, -1104, "Not all"),
        ("otoco", OTOCO | {"pendingBelowStopPrice": None}, -1102, "'pendingBelowStopPrice'"),
        ("otoco", OTOCO | {"pendingBelowType": "LIMIT_MAKER", "pendingBelowStopPrice": None, "pendingBelowPrice": "1000"}, -1168, "cont"),
    ],
    ids=str,
)  # fmt: skip
async def test_a_chain_that_is_wrong_is_refused_with_the_names_it_was_sent_under(market, path, sent, code, text):
    acme, _ = market
    answer = await acme.signed("POST", f"orderList/{path}", **{k: v for k, v in sent.items() if v is not None})
    assert (answer.status, answer.code) == (400, code), answer.body
    assert text in answer.body["msg"]


# -- amends and queries ---------------------------------------------------------------------------------------------------


async def test_an_amend_of_a_leg_shows_its_list(market):
    acme, _ = market
    placed = (await acme.signed("POST", "orderList/oto", **OTO | {"workingQuantity": "0.02"})).body
    how = {"symbol": "BTCUSDT", "orderId": placed["orders"][0]["orderId"], "newQty": "0.01", "newClientOrderId": "less"}
    async with acme.socket("/ws-api/v3") as socket:
        await socket.signed("userDataStream.subscribe.signature")
        done = (await acme.signed("PUT", "order/amend/keepPriority", **how)).body
        told = await events(socket, lambda event: event["e"] == "listStatus")
    assert (told[0]["x"], told[-1]["l"], told[-1]["O"][0]["c"]) == ("REPLACED", "UPDATED", "less")
    assert done["amendedOrder"]["orderListId"] == placed["orderListId"]
    assert done["listStatus"].keys() == {
        "orderListId", "contingencyType", "listOrderStatus", "listClientOrderId", "symbol", "orders",
    }  # fmt: skip
    assert done["listStatus"]["orders"][0]["clientOrderId"] == "less"


async def test_lists_are_found_by_either_id_and_paged(market):
    acme, birch = market
    placed = [(await acme.signed("POST", "orderList/oco", **OCO, listClientOrderId=f"l{n}")).body for n in range(3)]
    ids = [row["orderListId"] for row in placed]
    assert (await acme.signed("GET", "orderList", origClientOrderId="l1")).body["orderListId"] == ids[1]
    found = (
        await acme.signed("GET", "orderList", orderListId=ids[0], origClientOrderId="l1")
    ).body  # the number goes first
    assert found == {name: value for name, value in placed[0].items() if name != "orderReports"}
    assert (await acme.signed("GET", "orderList")).code == -1102
    missing = await birch.signed("GET", "orderList", orderListId=ids[0])
    assert (missing.status, missing.code) == (400, -2018)

    async def asked(**parameters):
        answer = await acme.signed("GET", "allOrderList", **parameters)
        return [row["orderListId"] for row in answer.body] if answer.status == 200 else answer.code

    now = time.time_ns() // 1_000_000
    assert await asked() == ids
    assert await asked(limit=2) == ids[1:]
    assert await asked(fromId=ids[1]) == ids[1:]
    assert await asked(startTime=now - 60_000, limit=1) == ids[:1]
    assert await asked(startTime=now - 86_400_001, endTime=now) == -1127
    assert await asked(fromId=ids[0], startTime=now) == -1128
    assert [row["orderListId"] for row in (await acme.signed("GET", "openOrderList")).body] == ids


async def test_lists_live_over_the_websocket_api_as_over_rest(market):
    acme, _ = market
    async with acme.socket("/ws-api/v3") as socket:
        pair = (await socket.signed("orderList.place.oco", **OCO))["result"]
        assert len(pair["orderReports"]) == 2
        chain = (await socket.signed("orderList.place.oto", **OTO))["result"]
        three = (await socket.signed("v3/orderList.place.otoco", **OTOCO))["result"]
        old = await socket.signed(
            "orderList.place", symbol="BTCUSDT", side="SELL", quantity="0.01", price="61000", stopPrice="59000"
        )
        assert [row["rateLimitType"] for row in old["rateLimits"]] == ["ORDERS", "ORDERS", "REQUEST_WEIGHT"]
        every = [pair, chain, three, old["result"]]
        shown = (await socket.signed("openOrderLists.status"))["result"]
        assert [row["orderListId"] for row in shown] == [row["orderListId"] for row in every]
        assert (await socket.signed("allOrderLists"))["result"] == shown
        one = (await socket.signed("orderList.status", orderListId=pair["orderListId"]))["result"]
        assert one == shown[0]
        done = await socket.signed("orderList.cancel", symbol="BTCUSDT", orderListId=pair["orderListId"])
        assert done["result"]["listOrderStatus"] == "ALL_DONE"
        which = {"symbol": "BTCUSDT", "orderId": chain["orders"][0]["orderId"]}
        assert (await socket.signed("order.amend.keepPriority", **which, newQty="0.005"))["status"] == 200
        assert len((await socket.signed("order.amendments", **which))["result"]) == 1
        assert (await socket.signed("myFilters", symbol="BTCUSDT"))["status"] == 200
        assert (await socket.signed("myPreventedMatches", **which))["result"] == []
        assert (await socket.signed("myAllocations", symbol="BTCUSDT"))["result"] == []
        refused = await socket.signed("sor.order.place", symbol="BTCUSDT", side="BUY", type="MARKET", quantity="0.01")
        assert refused["status"] == 400
        left = (await socket.signed("openOrders.cancelAll", symbol="BTCUSDT"))["result"]
        assert len(left) == 3


async def test_many_lists_at_once_are_all_placed_or_refused(market):
    acme, _ = market
    answers = await asyncio.gather(*(acme.signed("POST", "orderList/oco", **OCO) for _ in range(8)))
    fine = [answer for answer in answers if answer.status == 200]
    assert len(fine) == 5  # MAX_NUM_ALGO_ORDERS: each pair has one stop
    assert {answer.body["msg"] for answer in answers if answer.status != 200} == {"Filter failure: MAX_NUM_ALGO_ORDERS"}
