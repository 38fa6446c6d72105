"""The WebSocket API of USD-M: the same answers as REST, orders, sessions, and listen keys."""

import time

import pytest

PATH = "/ws-fapi/v1"
TERMS = {
    "symbol": "BTCUSDT",
    "side": "BUY",
    "type": "LIMIT",
    "timeInForce": "GTC",
    "quantity": "0.01",
    "price": "59000",
}


async def test_market_data_is_what_rest_says(futures_venue):
    client = await futures_venue.client()
    await client.order("BUY", "0.01", "59000")
    async with client.socket(PATH) as socket:
        for method, path in (
            ("depth", "v1/depth"),
            ("ticker.price", "v2/ticker/price"),
            ("ticker.book", "v1/ticker/bookTicker"),
        ):
            over_socket = (await socket.call(method, symbol="BTCUSDT"))["result"]
            over_rest = (await client.public(path, symbol="BTCUSDT")).body
            for each in (over_socket, over_rest):
                for moment in ("E", "T", "time"):
                    each.pop(moment, None)
            assert over_socket == over_rest, method
        assert (await socket.call("ping"))["result"] == {}
        assert (await socket.call("time"))["result"].keys() == {"serverTime"}
        assert (await socket.call("klines", symbol="BTCUSDT", interval="1m"))["status"] == 400  # REST only on USD-M


@pytest.mark.parametrize("name", ["acme", "eddy"])
async def test_an_order_lives_and_dies_over_the_socket(futures_venue, name):
    client = await futures_venue.client(name)
    async with client.socket(PATH) as socket:
        placed = await socket.signed("order.place", **TERMS, newClientOrderId="mine", newOrderRespType="RESULT")
        assert (placed["status"], placed["result"]["status"]) == (200, "NEW")
        assert [(row["rateLimitType"], row["interval"], row["count"]) for row in placed["rateLimits"]][:2] == [
            ("ORDERS", "SECOND", 1), ("ORDERS", "MINUTE", 1),
        ]  # fmt: skip
        order_id = placed["result"]["orderId"]
        changed = await socket.signed(
            "order.modify", symbol="BTCUSDT", side="BUY", orderId=order_id, quantity="0.02", price="59100"
        )
        assert (changed["result"]["price"], changed["result"]["origQty"]) == ("59100.00", "0.020")
        status = await socket.signed("order.status", symbol="BTCUSDT", origClientOrderId="mine")
        assert status["result"]["orderId"] == order_id
        gone = await socket.signed("order.cancel", symbol="BTCUSDT", orderId=order_id)
        assert gone["result"]["status"] == "CANCELED"
        again = await socket.signed("order.cancel", symbol="BTCUSDT", orderId=order_id)
        assert (again["status"], again["error"]["code"]) == (400, -2011)


async def test_a_conditional_order_is_placed_and_cancelled(futures_venue):
    client = await futures_venue.client()
    async with client.socket(PATH) as socket:
        stop = await socket.signed(
            "algoOrder.place", algoType="CONDITIONAL", symbol="BTCUSDT", side="BUY", type="STOP_MARKET", quantity=0.010,
            triggerPrice="61000", reduceOnly=False,
        )  # fmt: skip
        assert (stop["status"], stop["result"]["algoStatus"], stop["result"]["quantity"]) == (200, "NEW", "0.010")
        gone = await socket.signed("algoOrder.cancel", algoId=stop["result"]["algoId"])
        assert gone["result"]["msg"] == "success"


async def test_account_questions_of_both_versions(futures_venue):
    client = await futures_venue.client()
    async with client.socket(PATH) as socket:
        for method, path in (
            ("account.balance", "v2/balance"),
            ("v2/account.balance", "v3/balance"),
            ("account.status", "v2/account"),
            ("v2/account.status", "v3/account"),
            ("account.position", "v2/positionRisk"),
            ("v2/account.position", "v3/positionRisk"),
        ):
            over_socket = (await socket.signed(method))["result"]
            assert over_socket == (await client.signed("GET", path)).body, method


async def test_a_session_logged_on_trades_without_signatures(futures_venue):
    eddy, acme = await futures_venue.client("eddy"), await futures_venue.client("acme")
    async with eddy.socket(PATH) as socket:
        logged = await socket.signed("session.logon")
        assert logged["result"]["apiKey"] == eddy.api_key

        stamp = time.time_ns() // 1_000_000
        placed = await socket.call("order.place", **TERMS, timestamp=stamp)
        assert placed["status"] == 200, placed
        assert (await socket.call("session.status"))["result"]["authorizedSince"] is not None
        await socket.call("session.logout")
        refused = await socket.call("order.place", **TERMS, timestamp=stamp)
        assert refused["error"]["code"] == -1102
    async with acme.socket(PATH) as socket:
        assert (await socket.signed("session.logon"))["error"]["code"] == -4056  # HMAC keys cannot


async def test_a_listen_key_is_had_kept_and_closed(futures_venue):
    client = await futures_venue.client()
    async with client.socket(PATH) as socket:
        key = (await socket.call("userDataStream.start", apiKey=client.api_key))["result"]["listenKey"]
        assert await client.listen_key() == key
        kept = await socket.call("userDataStream.ping", apiKey=client.api_key)
        assert kept["result"] == {"listenKey": key}
        async with client.socket(f"/private/ws?listenKey={key}") as private:
            await client.order("BUY", "0.01", "59000")
            assert (await private.receive())["e"] == "ORDER_TRADE_UPDATE"
        assert (await socket.call("userDataStream.stop", apiKey=client.api_key, listenKey=key))["result"] == {}
        assert (await socket.call("userDataStream.ping", apiKey=client.api_key))["error"]["code"] == -1125


async def test_user_data_is_not_subscribed_to_as_on_spot(futures_venue):
    client = await futures_venue.client("eddy")
    async with client.socket(PATH) as socket:
        await socket.signed("session.logon")
        assert "userDataStream" not in (await socket.call("session.status"))["result"]
        for method in ("userDataStream.subscribe", "userDataStream.unsubscribe", "session.subscriptions"):
            answer = await socket.call(method)
            assert (answer["status"], answer["error"]["code"]) == (400, -1130), method
        signed = await socket.signed("userDataStream.subscribe.signature")
        assert (signed["status"], signed["error"]["code"]) == (400, -1130)
