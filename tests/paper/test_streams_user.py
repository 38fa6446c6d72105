"""User data: every event in its exact form and in its order, by listen key and by both kinds of subscription."""

from decimal import Decimal

import pytest

REPORT = set("eEscSofqpPFgCxXrilzLnNTtIwmMOZYQVW")


async def test_the_life_of_an_order_is_told_in_order_with_the_venues_fields(venue):
    acme, birch = await venue.client("acme"), await venue.client("birch")
    async with acme.socket("/ws-api/v3") as socket:
        assert (await socket.signed("userDataStream.subscribe.signature"))["result"] == {"subscriptionId": 0}
        placed = (await acme.order("SELL", "0.3", "60000", newClientOrderId="mine")).body
        await birch.order("BUY", "0.1")
        await acme.signed("DELETE", "order", symbol="BTCUSDT", origClientOrderId="mine", newClientOrderId="bye")
        frames = [await socket.receive() for _ in range(6)]
    assert {frame["subscriptionId"] for frame in frames} == {0}
    events = [frame["event"] for frame in frames]
    assert [event["e"] for event in events] == ["executionReport", "outboundAccountPosition"] * 3
    new, position, trade, _, cancel, after = events

    assert new.keys() == trade.keys() == cancel.keys() == REPORT
    assert (new["x"], new["X"], new["c"], new["C"], new["t"], new["n"], new["N"], new["w"]) == (
        "NEW", "NEW", "mine", "", -1, "0", None, True,
    )  # fmt: skip
    assert (new["q"], new["p"], new["z"], new["l"], new["g"], new["r"]) == (
        "0.30000000", "60000.00000000", "0.00000000", "0.00000000", -1, "NONE",
    )  # fmt: skip
    assert position.keys() == {"e", "E", "u", "B"}
    assert {"a": "BTC", "f": "9.70000000", "l": "0.30000000"} in position["B"]

    [fill] = (await acme.signed("GET", "myTrades", symbol="BTCUSDT")).body
    assert (trade["x"], trade["X"], trade["t"], trade["l"], trade["L"], trade["z"], trade["m"]) == (
        "TRADE", "PARTIALLY_FILLED", fill["id"], "0.10000000", "60000.00000000", "0.10000000", True,
    )  # fmt: skip
    assert (trade["Y"], trade["Z"], trade["n"], trade["N"]) == ("6000.00000000", "6000.00000000", "6.00000000", "USDT")

    assert (cancel["x"], cancel["X"], cancel["c"], cancel["C"], cancel["w"]) == (
        "CANCELED",
        "CANCELED",
        "bye",
        "mine",
        False,
    )
    assert {report["i"] for report in (new, trade, cancel)} == {placed["orderId"]}
    assert len({report["I"] for report in (new, trade, cancel)}) == 3
    assert {"a": "BTC", "f": "9.90000000", "l": "0.00000000"} in after["B"]


async def test_an_expired_rest_says_why(venue):
    acme, birch = await venue.client("acme"), await venue.client("birch")
    await acme.order("SELL", "0.1", "60000")
    async with birch.socket("/ws-api/v3") as socket:
        await socket.signed("userDataStream.subscribe.signature")
        await birch.order("BUY", "0.3", "60000", timeInForce="IOC")
        reports = [
            (await socket.until(lambda frame: frame["event"]["e"] == "executionReport"))["event"] for _ in range(3)
        ]
    assert [report["x"] for report in reports] == ["NEW", "TRADE", "EXPIRED"]
    assert reports[-1]["eR"] == "UNFILLED_IOC_QUANTITY_EXPIRED"
    assert (reports[-1]["X"], reports[-1]["z"]) == ("EXPIRED", "0.10000000")


async def test_nobody_hears_of_another_account(venue):
    acme, birch = await venue.client("acme"), await venue.client("birch")
    async with acme.socket("/ws-api/v3") as of_acme, birch.socket("/ws-api/v3") as of_birch:
        await of_acme.signed("userDataStream.subscribe.signature")
        await of_birch.signed("userDataStream.subscribe.signature")
        await birch.order("BUY", "0.01", "50000", newClientOrderId="theirs")
        await acme.order("BUY", "0.01", "50000", newClientOrderId="ours")
        assert (await of_acme.receive())["event"]["c"] == "ours"
        assert (await of_birch.receive())["event"]["c"] == "theirs"


@pytest.mark.parametrize("way", ["/ws/{key}", "/stream?streams={key}", "SUBSCRIBE"])
async def test_a_listen_key_opens_the_same_events(venue, way):
    client = await venue.client()
    key = (await client.raw("POST", "/api/v3/userDataStream", X_MBX_APIKEY=client.api_key)).body["listenKey"]
    again = await client.raw("POST", "/api/v3/userDataStream", X_MBX_APIKEY=client.api_key)
    assert again.body["listenKey"] == key
    async with client.socket("/stream" if way == "SUBSCRIBE" else way.format(key=key)) as socket:
        if way == "SUBSCRIBE":
            await socket.say({"method": "SUBSCRIBE", "params": [key], "id": 1})
        await client.order("BUY", "0.01", "50000", newClientOrderId="mine")
        frame = await socket.receive()
        if way != "/ws/{key}":
            assert frame["stream"] == key
            frame = frame["data"]
        assert (frame["e"], frame["x"], frame["c"]) == ("executionReport", "NEW", "mine")


async def test_a_listen_key_is_kept_alive_closed_and_then_unknown(venue):
    client, other = await venue.client("acme"), await venue.client("birch")
    key = (await client.raw("POST", "/api/v3/userDataStream", X_MBX_APIKEY=client.api_key)).body["listenKey"]
    target = f"/api/v3/userDataStream?listenKey={key}"
    assert (await client.raw("PUT", target, X_MBX_APIKEY=client.api_key)).body == {}
    assert (await other.raw("DELETE", target, X_MBX_APIKEY=other.api_key)).code == -1125
    assert (await client.raw("DELETE", target, X_MBX_APIKEY=client.api_key)).body == {}
    gone = await client.raw("PUT", target, X_MBX_APIKEY=client.api_key)
    assert (gone.status, gone.body) == (400, {"code": -1125, "msg": "This listenKey does not exist."})


async def test_a_listen_key_that_is_not_kept_alive_ends_with_a_word(venue):
    client = await venue.client()
    key = (await client.raw("POST", "/api/v3/userDataStream", X_MBX_APIKEY=client.api_key)).body["listenKey"]
    async with client.socket(f"/ws/{key}") as socket:
        await client.public("ping")  # the socket is open on the server's side too
        users = venue.running.spot.users
        users.expire(users.key(key).expires)
        frame = await socket.receive()
    assert (frame["e"], frame["listenKey"]) == ("listenKeyExpired", key)


async def test_a_subscription_ends_with_a_word_and_a_session_ends_only_its_own(venue):
    client = await venue.client("eddy")
    async with client.socket("/ws-api/v3") as socket:
        assert (await socket.signed("session.logon"))["status"] == 200
        assert (await socket.call("userDataStream.subscribe"))["result"] == {"subscriptionId": 0}
        assert (await socket.call("userDataStream.subscribe"))["error"]["code"] == -2035
        assert (await socket.signed("userDataStream.subscribe.signature"))["result"] == {"subscriptionId": 1}
        assert (await socket.call("session.subscriptions"))["result"] == [{"subscriptionId": 0}, {"subscriptionId": 1}]
        await socket.call("session.logout")
        ended = await socket.receive()
        assert (ended["subscriptionId"], ended["event"]["e"]) == (0, "eventStreamTerminated")
        await client.order("BUY", "0.01", "50000")
        assert [(await socket.receive())["subscriptionId"] for _ in range(2)] == [1, 1]
        assert (await socket.call("userDataStream.unsubscribe", subscriptionId=1))["status"] == 200
        assert (await socket.receive())["event"]["e"] == "eventStreamTerminated"
        assert (await socket.call("userDataStream.unsubscribe"))["error"]["code"] == -2036


async def test_a_replacement_that_fails_after_the_cancel_is_told_as_rejected(venue):
    client = await venue.client()
    placed = (await client.order("BUY", "0.01", "50000", newClientOrderId="old")).body
    async with client.socket("/ws-api/v3") as socket:
        await socket.signed("userDataStream.subscribe.signature")
        new = {
            "symbol": "BTCUSDT",
            "side": "BUY",
            "type": "LIMIT",
            "timeInForce": "GTC",
            "quantity": "100",
            "price": "50000",
        }
        how = {"cancelReplaceMode": "STOP_ON_FAILURE", "cancelOrderId": placed["orderId"], "newClientOrderId": "new"}
        assert (await client.signed("POST", "order/cancelReplace", **new, **how)).status == 409
        told = [(await socket.receive())["event"] for _ in range(3)]
    assert [event.get("x") for event in told] == ["CANCELED", None, "REJECTED"]
    rejected = told[-1]
    assert (rejected["X"], rejected["c"], rejected["w"], rejected["q"]) == ("REJECTED", "new", False, "100.00000000")
    assert rejected["r"] == "INSUFFICIENT_BALANCES"
    assert "W" not in rejected
    assert "eR" not in rejected
    assert (await client.signed("GET", "order", symbol="BTCUSDT", origClientOrderId="new")).code == -2013


async def test_money_that_comes_is_told_before_the_balance(venue):
    client = await venue.client()
    async with client.socket("/ws-api/v3") as socket:
        await socket.signed("userDataStream.subscribe.signature")
        spot = venue.running.spot
        now = spot.settle()
        spot.exchange.move("acme", "BTC", Decimal("0.5"), "DEPOSIT", now)
        spot.distribute(now)
        moved, position = [(await socket.receive())["event"] for _ in range(2)]
    assert moved | {"E": 0, "T": 0} == {"e": "balanceUpdate", "E": 0, "a": "BTC", "d": "0.50000000", "T": 0}
    assert position["B"] == [{"a": "BTC", "f": "10.50000000", "l": "0.00000000"}]
    assert (await client.signed("GET", "account")).body["updateTime"] == position["u"]
