"""The WebSocket API: the same answers as REST in its own frame, ids in their own type, sessions by Ed25519 only."""

import json

import pytest
from paper_client import sign


@pytest.mark.parametrize("identifier", [7, 0, "a1b2", "5f2b8c1e-0000-4000-8000-aaaaaaaaaaaa", None])
async def test_an_id_comes_back_in_its_own_type(venue, identifier):
    client = await venue.client()
    async with client.socket("/ws-api/v3") as socket:
        answer = await socket.say({"id": identifier, "method": "ping"})
    assert answer["id"] == identifier
    assert type(answer["id"]) is type(identifier)
    assert (answer["status"], answer["result"]) == (200, {})


@pytest.mark.parametrize(
    "frame",
    ["{", "[]", '{"id": 1}', '{"id": 1, "method": 5}', '{"id": 1.5, "method": "ping"}', '{"id": true, "method": "ping"}',
     '{"id": 1, "method": "hope"}', '{"id": 1, "method": "ping", "params": [1]}', '{"id": 1, "id": 2, "method": "ping"}',
     '{"id": 1, "method": "ping", "params": {"a": NaN}}', '{"id": 1, "method": "ping", "params": {"a": 1}}',
     '{"id": "' + "x" * 37 + '", "method": "ping"}', "[" * 20_000],
)  # fmt: skip
async def test_a_frame_that_is_no_request_is_answered_with_an_error_and_the_socket_lives(venue, frame):
    client = await venue.client()
    async with client.socket("/ws-api/v3") as socket:
        answer = await socket.say(frame)
        assert answer["status"] == 400
        assert answer["error"]["code"] < 0
        assert (await socket.say({"id": 2, "method": "ping"}))["result"] == {}


async def test_market_data_is_what_rest_says(venue):
    acme, birch = await venue.client("acme"), await venue.client("birch")
    await acme.order("SELL", "0.1", "60000")
    await birch.order("BUY", "0.05")
    asked = [
        ("exchangeInfo", {"symbol": "BTCUSDT"}, "exchangeInfo"),
        ("depth", {"symbol": "BTCUSDT", "limit": 5}, "depth"),
        ("trades.recent", {"symbol": "BTCUSDT"}, "trades"),
        ("trades.aggregate", {"symbol": "BTCUSDT"}, "aggTrades"),
        ("ticker.price", {"symbol": "BTCUSDT"}, "ticker/price"),
        ("ticker.book", {"symbol": "BTCUSDT"}, "ticker/bookTicker"),
    ]
    async with acme.socket("/ws-api/v3") as socket:
        for method, parameters, path in asked:
            over_socket = (await socket.call(method, **parameters))["result"]
            over_rest = (await acme.public(path, **parameters)).body
            for each in (over_socket, over_rest):
                if isinstance(each, dict):
                    each.pop("serverTime", None)
            assert over_socket == over_rest, method
        listed = await socket.call("ticker.24hr", symbols=["BTCUSDT", "ETHUSDT"])
        assert [row["symbol"] for row in listed["result"]] == ["BTCUSDT", "ETHUSDT"]
        assert (await socket.call("klines", symbol="BTCUSDT", interval="1m", limit=1))["result"][0][5] == "0.05000000"
        assert (await socket.call("time"))["result"].keys() == {"serverTime"}


@pytest.mark.parametrize("name", ["acme", "eddy", "rosa"])
async def test_an_order_lives_and_dies_over_the_socket(venue, name):
    client = await venue.client(name)
    terms = {
        "symbol": "BTCUSDT",
        "side": "BUY",
        "type": "LIMIT",
        "timeInForce": "GTC",
        "price": "50000",
        "quantity": "0.0100",
    }
    async with client.socket("/ws-api/v3") as socket:
        assert (await socket.signed("order.test", **terms))["result"] == {}
        placed = await socket.signed("order.place", **terms, newClientOrderId="mine")
        assert (placed["status"], placed["result"]["status"], placed["result"]["fills"]) == (200, "NEW", [])
        assert [row["rateLimitType"] for row in placed["rateLimits"]] == ["ORDERS", "ORDERS", "REQUEST_WEIGHT"]
        order_id = placed["result"]["orderId"]
        assert (await socket.signed("order.status", symbol="BTCUSDT", orderId=order_id))["result"][
            "clientOrderId"
        ] == "mine"
        assert [row["orderId"] for row in (await socket.signed("openOrders.status"))["result"]] == [order_id]
        replaced = await socket.signed(
            "order.cancelReplace",
            **terms | {"price": "50001"},
            cancelReplaceMode="STOP_ON_FAILURE",
            cancelOrderId=order_id,
        )
        assert replaced["result"]["newOrderResult"] == "SUCCESS"
        half = await socket.signed(
            "order.cancelReplace", **terms, cancelReplaceMode="ALLOW_FAILURE", cancelOrigClientOrderId="none"
        )
        assert (half["status"], half["error"]["code"], half["error"]["data"]["newOrderResult"]) == (
            409,
            -2021,
            "SUCCESS",
        )
        done = await socket.signed(
            "order.cancel", symbol="BTCUSDT", orderId=replaced["result"]["newOrderResponse"]["orderId"]
        )
        assert done["result"]["status"] == "CANCELED"
        assert len((await socket.signed("openOrders.cancelAll", symbol="BTCUSDT"))["result"]) == 1
        assert [row["status"] for row in (await socket.signed("allOrders", symbol="BTCUSDT"))["result"]] == [
            "CANCELED"
        ] * 3
        assert (await socket.signed("myTrades", symbol="BTCUSDT"))["result"] == []
        assert (await socket.signed("account.status", omitZeroBalances=True))["result"]["canTrade"] is True
        assert (await socket.signed("account.commission", symbol="BTCUSDT"))["result"]["symbol"] == "BTCUSDT"
        assert [row["limit"] for row in (await socket.signed("account.rateLimits.orders"))["result"]] == [100, 200_000]
        refused = await socket.signed("order.cancel", symbol="BTCUSDT", orderId=order_id)
        assert (refused["status"], refused["error"]) == (400, {"code": -2011, "msg": "Unknown order sent."})


async def test_a_json_number_is_signed_and_read_as_it_was_written(venue):
    client = await venue.client()
    async with client.socket("/ws-api/v3") as socket:
        server_time = (await socket.call("time"))["result"]["serverTime"]

        async def place(quantity: str) -> dict[str, object]:
            values = {
                "apiKey": f'"{client.api_key}"', "price": "50000.10", "quantity": quantity, "side": '"BUY"', "symbol": '"BTCUSDT"',
                "timeInForce": '"GTC"', "timestamp": str(server_time), "type": '"LIMIT"',
            }  # fmt: skip
            payload = "&".join(f"{name}={value.strip(chr(34))}" for name, value in sorted(values.items()))
            values["signature"] = json.dumps(sign(client.signer, payload))
            written = ",".join(f'"{name}":{value}' for name, value in values.items())
            return await socket.say(f'{{"id":1,"method":"order.place","params":{{{written}}}}}')

        assert (await place("0.0100"))["result"]["origQty"] == "0.01000000"
        assert (await place("1e-2"))["error"]["code"] == -1100


@pytest.mark.parametrize(("name", "status"), [("acme", 400), ("rosa", 400), ("eddy", 200)])
async def test_only_an_ed25519_key_may_log_on(venue, name, status):
    client = await venue.client(name)
    async with client.socket("/ws-api/v3") as socket:
        answer = await socket.signed("session.logon")
        assert answer["status"] == status
        known = (await socket.call("session.status"))["result"]
        assert known["apiKey"] == (client.api_key if status == 200 else None)
        assert known.keys() == {
            "apiKey",
            "authorizedSince",
            "connectedSince",
            "returnRateLimits",
            "serverTime",
            "userDataStream",
        }


async def test_after_a_logon_a_time_is_enough_and_after_a_logout_it_is_not(venue):
    client = await venue.client("eddy")
    async with client.socket("/ws-api/v3") as socket:
        now = (await socket.call("time"))["result"]["serverTime"]
        assert (await socket.call("account.status", timestamp=now))["error"]["code"] == -1102
        await socket.signed("session.logon")
        assert (await socket.call("account.status", timestamp=now))["status"] == 200
        assert (await socket.call("account.status"))["error"]["code"] == -1102
        assert (await socket.call("account.status", timestamp=now - 10_000))["error"]["code"] == -1021
        await socket.call("session.logout")
        assert (await socket.call("account.status", timestamp=now))["error"]["code"] == -1102
        assert (await socket.call("userDataStream.subscribe"))["error"]["code"] == -2015


async def test_wrong_keys_and_signatures_get_the_codes_of_rest(venue):
    client = await venue.client()
    async with client.socket("/ws-api/v3") as socket:
        now = (await socket.call("time"))["result"]["serverTime"]
        wrong = await socket.call("account.status", apiKey=client.api_key, timestamp=now, signature="0" * 64)
        assert (wrong["status"], wrong["error"]["code"]) == (400, -1022)
        unknown = await socket.call("account.status", apiKey="a" * 64, timestamp=now, signature="0" * 64)
        assert (unknown["status"], unknown["error"]["code"]) == (401, -2015)
        assert (await socket.signed("account.status", timestamp=now - 6_000))["error"]["code"] == -1021
        assert (await socket.signed("order.status", symbol="BTCUSDT", orderId=1, colour="red"))["error"][
            "code"
        ] == -1104


async def test_rate_limits_are_left_out_on_demand(venue):
    client = await venue.client()
    async with client.socket("/ws-api/v3") as socket:
        assert (await socket.call("ping"))["rateLimits"][0]["rateLimitType"] == "REQUEST_WEIGHT"
        assert "rateLimits" not in await socket.call("ping", returnRateLimits=False)
        assert "rateLimits" not in await socket.signed("account.status", returnRateLimits=False)
    async with client.socket("/ws-api/v3?returnRateLimits=false") as socket:
        assert "rateLimits" not in await socket.call("ping")


async def test_listen_keys_are_kept_over_the_socket_too(venue):
    client = await venue.client()
    async with client.socket("/ws-api/v3") as socket:
        key = (await socket.call("userDataStream.start", apiKey=client.api_key))["result"]["listenKey"]
        assert (await socket.call("userDataStream.ping", apiKey=client.api_key, listenKey=key))["result"] == {}
        assert (await socket.call("userDataStream.stop", apiKey=client.api_key, listenKey=key))["result"] == {}
        assert (await socket.call("userDataStream.stop", apiKey=client.api_key, listenKey=key))["error"][
            "code"
        ] == -1125
