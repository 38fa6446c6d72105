"""Faults of requests, over real sockets: what the client meets, what the exchange did, and that it is well again after."""

import asyncio
import time
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from fault_post import Admin

BUY = ("BUY", "0.01", "50000")
GONE = (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError)


@pytest.fixture
def admin(venue: Any) -> Admin:
    return Admin(venue.running)


async def never(waiting: Any) -> None:
    """Nothing comes; the wait is as short as it is: whatever comes at all comes at once here."""
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(waiting, 0.15)


async def is_well(venue: Any, admin: Admin, fault: int) -> None:
    """The fault struck once and is spent; the next order is placed and answered."""
    assert ((await admin.fault(fault))["state"], (await admin.fault(fault))["struck"]) == ("spent", 1)
    client = await venue.client()
    assert (await client.order(*BUY, newClientOrderId="after")).status == 200
    assert (await admin.requests("POST"))[-1]["fault"] is None


async def test_a_lost_request_is_not_processed_and_never_answered(venue, admin):
    client = await venue.client()
    fault = await admin.post("lose", method="place", count=1)
    await never(client.order(*BUY, newClientOrderId="a"))
    [row] = await admin.requests("POST")
    assert (row["fault"], row["is_processed"], row["is_answered"], row["status"]) == ("lose", False, False, 0)
    assert (row["client_order_id"], row["account"], row["market"], row["transport"]) == ("a", "acme", "spot", "rest")
    assert await admin.orders() == []
    await is_well(venue, admin, fault)


@pytest.mark.parametrize("end", ["close", "reset"])
async def test_a_lost_request_may_end_the_connection(venue, admin, end):
    client = await venue.client()
    fault = await admin.post("lose", method="place", count=1, end=end)
    with pytest.raises(GONE):
        await client.order(*BUY)
    assert await admin.orders() == []
    await is_well(venue, admin, fault)


async def test_a_muted_request_is_processed_and_never_answered(venue, admin):
    client = await venue.client()
    fault = await admin.post("mute", method="POST /api/v3/order", count=1)
    await never(client.order(*BUY, newClientOrderId="a"))
    [row] = await admin.requests("POST")
    assert (row["fault"], row["is_processed"], row["is_answered"], row["status"]) == ("mute", True, False, 200)
    assert await admin.orders() == ["a"]
    await is_well(venue, admin, fault)


async def test_a_muted_connection_is_left_for_its_seconds_and_then_closed(venue, admin):
    client = await venue.client()
    await admin.post("mute", method="place", count=1, seconds=0.1)
    began = time.monotonic()
    with pytest.raises(GONE):
        await client.order(*BUY)
    assert 0.09 < time.monotonic() - began < 5


async def test_a_late_answer_comes_after_its_seconds_though_the_order_is_there_at_once(venue, admin):
    client = await venue.client()
    fault = await admin.post("late", method="place", count=1, seconds=0.2)
    began = time.monotonic()
    waiting = asyncio.create_task(client.order(*BUY, newClientOrderId="a"))
    [row] = await admin.seen("POST")
    assert (row["is_processed"], row["is_answered"]) == (True, False)
    assert await admin.orders() == ["a"]
    assert (await waiting).body["clientOrderId"] == "a"
    assert time.monotonic() - began >= 0.2
    assert (await admin.requests("POST"))[0]["is_answered"]
    await is_well(venue, admin, fault)


async def test_a_stalled_request_is_processed_after_its_seconds_even_if_the_client_has_gone(venue, admin):
    client = await venue.client()
    fault = await admin.post("stall", method="place", count=1, seconds=0.4)
    await never(client.order(*BUY, newClientOrderId="a"))  # it gave up and hung up
    assert await admin.orders() == []
    [row] = await admin.seen("POST")
    assert (row["is_processed"], row["is_answered"]) == (True, False)
    assert await admin.orders() == ["a"]
    await is_well(venue, admin, fault)


async def test_a_cut_request_is_processed_and_the_connection_reset(venue, admin):
    client = await venue.client()
    await client.public("ping")  # the connection is warm
    fault = await admin.post("cut", method="place", count=1)
    with pytest.raises(GONE):
        await client.order(*BUY, newClientOrderId="a")
    assert await admin.orders() == ["a"]
    [row] = await admin.requests("POST")
    assert (row["fault"], row["is_processed"], row["is_answered"]) == ("cut", True, False)
    await is_well(venue, admin, fault)


async def test_a_torn_answer_ends_in_the_middle(venue, admin):
    client = await venue.client()
    fault = await admin.post("torn", method="place", count=1)
    with pytest.raises((aiohttp.ClientPayloadError, *GONE)):
        await client.order(*BUY, newClientOrderId="a")
    assert await admin.orders() == ["a"]
    await is_well(venue, admin, fault)


async def raw(client: Any, **more: object) -> tuple[int, str, str, Any]:
    """Status, content type, text and headers of the answer to an order, whatever it is."""
    from urllib.parse import urlencode

    from paper_client import sign

    terms = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "quantity": "0.01", "price": "50000",
             "timeInForce": "GTC", "timestamp": time.time_ns() // 1_000_000} | more  # fmt: skip
    query = urlencode(terms)
    url = f"{client.rest}/api/v3/order?{query}&signature={sign(client.signer, query)}"
    headers = {"X-MBX-APIKEY": client.api_key}
    async with client.session.post(url, headers=headers, allow_redirects=False) as response:
        return response.status, response.content_type, await response.text(), response.headers


@pytest.mark.parametrize(
    ("answer", "status", "part"),
    [
        (-1007, 408, '"code":-1007,"msg":"Timeout waiting for response from backend server.'),
        (-1006, 500, '"code":-1006,"msg":"An unexpected response'),
        (-1000, 500, '"code":-1000'),
        (-1015, 429, '"code":-1015'),
        (-2015, 401, '"code":-2015,"msg":"Invalid API-key, IP, or permissions for action."'),
        ("Duplicate order sent.", 400, '"code":-2010,"msg":"Duplicate order sent."'),
        (502, 502, "<html>"),
        (403, 403, "<html>"),
        (429, 429, '"code":-1003'),
        ("html", 403, "<html>"),
        ("", 200, ""),
        ('{"half":', 200, '{"half":'),
    ],
)
@pytest.mark.parametrize("kind", ["say", "did"])
async def test_an_answer_is_put_in_the_place_of_the_exchanges_own(venue, admin, kind, answer, status, part):
    client = await venue.client()
    fault = await admin.post(kind, method="place", count=1, answer=answer)
    got, content, text, _ = await raw(client, newClientOrderId="a")
    assert got == status
    assert part in text if part else text == ""
    assert ("html" in content) == text.startswith("<html>")
    assert await admin.orders() == (["a"] if kind == "did" else [])
    [row] = await admin.requests("POST")
    assert (row["fault"], row["is_processed"]) == (kind, kind == "did")
    assert row["status"] == (200 if kind == "did" else status)  # the exchange's own verdict
    await is_well(venue, admin, fault)


async def test_a_status_of_its_own_and_a_time_to_wait_go_with_an_answer(venue, admin):
    client = await venue.client()
    await admin.post("say", method="place", count=1, answer=429, retry_after=7)
    status, _, _, headers = await raw(client)
    assert (status, headers["Retry-After"]) == (429, "7")
    await admin.post("say", method="place", count=1, answer=-1007, status=504)
    assert (await raw(client))[0] == 504


async def test_a_redirect_points_at_another_listener(venue, admin):
    came: list[str] = []

    async def elsewhere(request: web.Request) -> web.Response:
        came.append(request.headers.get("X-MBX-APIKEY", ""))
        return web.json_response({})

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", elsewhere)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        port = runner.addresses[0][1]
        await admin.post("say", method="place", answer=307, url=f"http://127.0.0.1:{port}/x", count=2)
        client = await venue.client()
        status, _, text, headers = await raw(client)
        assert (status, headers["Location"], text) == (307, f"http://127.0.0.1:{port}/x", "")
        assert came == []
        await client.order(*BUY)  # one that follows it, as careless clients do, hands its key over
        assert came == [client.api_key]
    finally:
        await runner.cleanup()
    assert await admin.orders() == []


async def test_a_thin_answer_names_only_the_ids(venue, admin):
    client = await venue.client()
    fault = await admin.post("thin", method="place", count=1)
    answer = await client.order(*BUY, newClientOrderId="a")
    assert answer.body.keys() == {"orderId", "orderListId", "clientOrderId"}
    assert answer.body["clientOrderId"] == "a"
    await is_well(venue, admin, fault)


async def test_an_altered_answer_is_about_another_order(venue, admin):
    client = await venue.client()
    fault = await admin.post("alter", method="place", count=1, set_={"clientOrderId": "theirs", "fills": None})
    answer = await client.order(*BUY, newClientOrderId="a")
    assert (answer.body["clientOrderId"], answer.body["fills"], answer.body["symbol"]) == ("theirs", None, "BTCUSDT")
    assert await admin.orders() == ["a"]
    await is_well(venue, admin, fault)


async def test_stale_reads_do_not_know_what_was_just_done(venue, admin):
    client, other = await venue.client(), await venue.client("birch")
    await client.order("SELL", "0.03", "60000", newClientOrderId="old")
    await asyncio.sleep(0.3)
    fault = await admin.post("stale", account="acme", seconds=0.25)
    await client.order(*BUY, newClientOrderId="new")
    await other.order("BUY", "0.01", "60000")

    def asked(path: str, **more: object) -> Any:
        return client.signed("GET", path, symbol="BTCUSDT", **more)

    missing = await asked("order", origClientOrderId="new")
    assert (missing.status, missing.code) == (400, -2013)
    assert (await asked("order", origClientOrderId="old")).body["status"] == "NEW"
    assert [row["clientOrderId"] for row in (await asked("openOrders")).body] == ["old"]
    assert [row["executedQty"] for row in (await asked("allOrders")).body] == ["0.00000000"]
    assert (await asked("myTrades")).body == []
    balances = {
        row["asset"]: (row["free"], row["locked"]) for row in (await client.signed("GET", "account")).body["balances"]
    }
    assert balances["USDT"] == ("1000000.00000000", "0.00000000")
    await asyncio.sleep(0.3)  # the reads have caught up
    assert (await asked("order", origClientOrderId="old")).body["status"] == "PARTIALLY_FILLED"
    assert [row["clientOrderId"] for row in (await asked("openOrders")).body] == ["old", "new"]
    assert len((await asked("myTrades")).body) == 1
    assert (await admin.fault(fault))["state"] == "active"
    await client.signed("DELETE", "order", symbol="BTCUSDT", origClientOrderId="new")
    assert [row["clientOrderId"] for row in (await asked("openOrders")).body] == ["old", "new"]
    await admin.clear()
    assert [row["clientOrderId"] for row in (await asked("openOrders")).body] == ["old"]


# -- when one strikes -----------------------------------------------------------------------------------------------------


async def test_only_what_the_filters_name_is_struck(venue, admin):
    acme, birch = await venue.client(), await venue.client("birch")
    await admin.post("say", answer=-1007, method="place", account="acme", instrument="ETH*", client_order_id="x-*")
    eth = {"symbol": "ETHUSDT"}
    for client, terms, struck in (
        (acme, {"newClientOrderId": "x-1"}, False),
        (acme, eth | {"newClientOrderId": "y-1"}, False),
        (birch, eth | {"newClientOrderId": "x-1"}, False),
        (acme, eth | {"newClientOrderId": "x-1"}, True),
    ):
        answer = await client.order("BUY", "0.01", "2000", **terms)
        assert (answer.code == -1007) == struck, terms
    assert (await acme.signed("GET", "order", symbol="ETHUSDT", origClientOrderId="x-1")).code == -2013
    await admin.clear()
    await admin.post("say", answer=-1007, market="futures")
    await admin.post("say", answer=-1007, transport="wsapi")
    assert (await acme.public("ping")).status == 200


async def test_the_first_are_let_pass_and_then_so_many_are_struck(venue, admin):
    client = await venue.client()
    fault = await admin.post("say", answer=-1007, method="ping", after=2, count=3)
    answers = [(await client.public("ping")).status for _ in range(7)]
    assert answers == [200, 200, 408, 408, 408, 200, 200]
    found = await admin.fault(fault)
    assert (found["struck"], found["matched"], found["state"]) == (3, 5, "spent")


async def test_chance_is_drawn_from_the_seed(start_venue):
    async def struck(seed: int) -> list[int]:
        venue = await start_venue(seed=seed)
        client, admin = await venue.client(), Admin(venue.running)
        await admin.post("say", answer=-1007, method="ping", chance=0.5)
        return [(await client.public("ping")).status for _ in range(24)]

    first, again, other = await struck(1), await struck(1), await struck(2)
    assert first == again != other
    assert 4 < first.count(408) < 20


async def test_a_fault_begins_and_ends_at_its_times(venue, admin):
    client = await venue.client()
    fault = await admin.post("say", answer=-1007, method="ping", at=0.2, for_=0.3)
    assert (await admin.fault(fault))["state"] == "waiting"
    assert (await client.public("ping")).status == 200
    await asyncio.sleep(0.25)
    assert (await client.public("ping")).status == 408
    await asyncio.sleep(0.3)
    assert (await client.public("ping")).status == 200
    assert (await admin.fault(fault))["state"] == "spent"


async def test_a_fault_can_be_taken_back(venue, admin):
    client = await venue.client()
    fault = await admin.post("say", answer=-1007, method="ping")
    assert (await client.public("ping")).status == 408
    status, left = await admin.ask("DELETE", f"/faults/{fault}")
    assert (status, left["faults"]) == (200, [])
    assert (await client.public("ping")).status == 200
    assert (await admin.ask("DELETE", f"/faults/{fault}"))[0] == 404


# -- the WebSocket API ----------------------------------------------------------------------------------------------------

ORDER = {
    "symbol": "BTCUSDT",
    "side": "BUY",
    "type": "LIMIT",
    "timeInForce": "GTC",
    "quantity": "0.01",
    "price": "50000",
}


async def placed(socket: Any, name: str) -> Any:
    return await socket.signed("order.place", **ORDER, newClientOrderId=name)


@pytest.mark.parametrize(("kind", "orders"), [("lose", []), ("mute", ["a"])])
async def test_a_socket_request_without_an_answer_leaves_the_others_alone(venue, admin, kind, orders):
    client = await venue.client()
    await admin.post(kind, method="order.place", transport="wsapi", count=1)
    async with client.socket("/ws-api/v3") as socket:
        waiting = asyncio.create_task(placed(socket, "a"))
        await admin.seen("order.place")
        waiting.cancel()
        assert await admin.orders() == orders
        assert (await placed(socket, "b"))["result"]["clientOrderId"] == "b"
    first, second = await admin.requests("order.place")
    assert (first["fault"], first["is_answered"], first["is_processed"]) == (kind, False, kind == "mute")
    assert (second["fault"], second["is_answered"]) == (None, True)


async def test_a_late_socket_answer_is_overtaken(venue, admin):
    client = await venue.client()
    await admin.post("late", method="place", transport="wsapi", count=1, seconds=0.2)
    async with client.socket("/ws-api/v3") as socket:
        for number in (1, 2):
            await socket.socket.send_json({"id": number, "method": "ping"})
        await admin.clear()
        await admin.post("late", method="ping", transport="wsapi", count=1, seconds=0.2)
        await socket.socket.send_json({"id": 3, "method": "ping"})
        await socket.socket.send_json({"id": 4, "method": "ping"})
        assert [(await socket.receive())["id"] for _ in range(4)] == [1, 2, 4, 3]


async def test_a_stalled_socket_request_is_processed_later(venue, admin):
    client = await venue.client()
    await admin.post("stall", method="place", count=1, seconds=0.2)
    async with client.socket("/ws-api/v3") as socket:
        waiting = asyncio.create_task(placed(socket, "a"))
        await never(asyncio.shield(waiting))
        assert await admin.orders() == []
        assert (await waiting)["status"] == 200
    assert await admin.orders() == ["a"]


async def test_a_cut_socket_dies_with_requests_in_flight(venue, admin):
    client = await venue.client()
    fault = await admin.post("cut", method="place", client_order_id="c", count=1)
    await admin.post("stall", method="place", client_order_id="[ab]", seconds=0.3)
    async with client.socket("/ws-api/v3") as socket:
        ended = [asyncio.create_task(socket.socket.receive())]
        for name in ("a", "b", "c"):
            values = {
                "apiKey": client.api_key,
                "timestamp": time.time_ns() // 1_000_000,
                **ORDER,
                "newClientOrderId": name,
            }
            from paper_client import sign

            payload = "&".join(f"{key}={value}" for key, value in sorted(values.items()))
            frame = {
                "id": name,
                "method": "order.place",
                "params": values | {"signature": sign(client.signer, payload)},
            }
            await socket.socket.send_json(frame)
        message = await ended[0]
        assert message.type in (aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.ERROR, aiohttp.WSMsgType.CLOSE)
    await admin.seen("order.place", 3)
    assert sorted(await admin.orders()) == ["a", "b", "c"]  # those in the stall were inside already
    await is_well(venue, admin, fault)


async def test_a_torn_socket_answer_is_half_a_frame(venue, admin):
    client = await venue.client()
    await admin.post("torn", method="place", count=1)
    async with client.socket("/ws-api/v3") as socket:
        with pytest.raises(AssertionError):  # the end of the connection instead of a text
            await placed(socket, "a")
    assert await admin.orders() == ["a"]


@pytest.mark.parametrize(
    ("answer", "status", "code"),
    [(-1007, 408, -1007), ("Duplicate order sent.", 400, -2010), (502, 502, -1000), (429, 429, -1003)],
)
@pytest.mark.parametrize("kind", ["say", "did"])
async def test_a_socket_answer_is_replaced(venue, admin, kind, answer, status, code):
    client = await venue.client()
    await admin.post(kind, method="place", count=1, answer=answer)
    async with client.socket("/ws-api/v3") as socket:
        got = await placed(socket, "a")
        assert (got["status"], got["error"]["code"], "result" in got) == (status, code, False)
        assert await admin.orders() == (["a"] if kind == "did" else [])
        assert (await placed(socket, "b"))["status"] == 200


async def test_an_empty_socket_answer_is_an_empty_frame(venue, admin):
    client = await venue.client()
    await admin.post("did", method="place", count=1, answer="")
    async with client.socket("/ws-api/v3") as socket:
        waiting = asyncio.create_task(placed(socket, "a"))
        with pytest.raises(ValueError):
            await waiting
    assert await admin.orders() == ["a"]


async def test_socket_answers_are_thin_altered_or_stale_too(venue, admin):
    client = await venue.client()
    async with client.socket("/ws-api/v3") as socket:
        await admin.post("thin", method="place", transport="wsapi", count=1)
        assert (await placed(socket, "a"))["result"].keys() == {"orderId", "orderListId", "clientOrderId"}
        await admin.post("alter", method="order.place", count=1, set_={"clientOrderId": "b2"})
        assert (await placed(socket, "b"))["result"]["clientOrderId"] == "b2"
        await admin.post("stale", method="query", count=1, seconds=30)
        answer = await socket.signed("order.status", symbol="BTCUSDT", origClientOrderId="a")
        assert answer["error"]["code"] == -2013
        answer = await socket.signed("order.status", symbol="BTCUSDT", origClientOrderId="a")
        assert answer["result"]["clientOrderId"] == "a"
