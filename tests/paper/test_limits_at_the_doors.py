"""Limits and bans as a client meets them: at REST, at the handshake of the WebSocket API and in its answers."""

import time

import aiohttp
import pytest
from paper_client import Client
from paper_process import has_loopback_range

from tradedesk.paper.server.limits import RateLimits

TIGHT = RateLimits(weight_per_minute=100, refusals_before_ban=2)
two_addresses = pytest.mark.skipif(not has_loopback_range(), reason="this machine has one loopback address")


def ban(venue, address: str = "127.0.0.1") -> int:
    spot = venue.running.spot
    return spot.limits.bans.impose(address, spot.settle()).until


async def insist(client: Client) -> list[int]:
    """Ask until the ban falls, whatever minute turns in between; the statuses."""
    statuses: list[int] = []
    while 418 not in statuses:
        assert len(statuses) < 50
        statuses.append((await client.public("ticker/24hr")).status)
    return statuses


async def test_who_does_not_wait_gets_418_and_the_end_of_the_ban(start_venue):
    venue = await start_venue(rates=TIGHT)
    client = await venue.client()
    statuses = await insist(client)
    assert 429 in statuses
    last = await client.public("ticker/24hr")
    assert last.status == 418
    assert last.code == -1003
    until = int(last.body["msg"].split("banned until ")[1].split(".")[0])
    assert 0 < until - time.time() * 1000 <= 120_000
    assert 0 < int(last.headers["Retry-After"]) <= 120
    assert int(last.headers["X-MBX-USED-WEIGHT-1M"]) > 0


async def test_nothing_of_a_banned_address_is_processed(venue):
    client = await venue.client()
    await client.order("BUY", "0.01", "50000", newClientOrderId="before")
    ban(venue)
    assert (await client.order("BUY", "0.01", "50000", newClientOrderId="during")).status == 418
    assert (await client.signed("DELETE", "order", symbol="BTCUSDT", origClientOrderId="before")).status == 418
    assert (await client.raw("GET", "/api/v3/nothing")).status == 418
    assert (await client.raw("GET", "/sapi/v1/system/status")).status == 418
    _, books = await venue.admin("/accounts/acme")
    assert [row["clientOrderId"] for row in books["open_orders"]] == ["before"]
    assert venue.running.spot.limits.bans.lift("127.0.0.1")
    assert (await client.signed("DELETE", "order", symbol="BTCUSDT", origClientOrderId="before")).status == 200


async def test_the_websocket_api_refuses_a_banned_address_in_its_answers_and_at_its_door(venue):
    client = await venue.client()
    async with client.socket("/ws-api/v3") as socket:
        assert (await socket.call("ping"))["status"] == 200
        until = ban(venue)
        answer = await socket.signed("account.status")
        assert (answer["status"], answer["error"]["code"]) == (418, -1003)
        assert answer["error"]["data"]["retryAfter"] == until // 1_000_000
        assert answer["error"]["data"]["serverTime"] < until // 1_000_000
        assert answer["rateLimits"][0]["rateLimitType"] == "REQUEST_WEIGHT"
        assert (await socket.socket.receive(10)).type is aiohttp.WSMsgType.CLOSE
    with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
        async with client.socket("/ws-api/v3"):
            pass
    assert (caught.value.status, "Retry-After" in caught.value.headers) == (418, True)


async def test_the_websocket_api_tells_in_its_unit_of_time_when_to_come_again(start_venue):
    venue = await start_venue(rates=RateLimits(weight_per_minute=10))
    client = await venue.client()
    async with client.socket("/ws-api/v3?timeUnit=MICROSECOND") as socket:
        answer = await socket.call("ticker.24hr")
        assert answer["status"] == 429
        data = answer["error"]["data"]
        assert data["retryAfter"] % 60_000_000 == 0
        assert 0 < data["retryAfter"] - data["serverTime"] <= 60_000_000


@two_addresses
async def test_a_ban_is_of_one_address_only(start_venue):
    venue = await start_venue(rates=TIGHT)
    loud, quiet = await venue.client("acme", address="127.0.0.5"), await venue.client("acme", address="127.0.0.6")
    await insist(loud)
    assert (await loud.public("ping")).status == 418
    answer = await quiet.public("ping")
    assert (answer.status, answer.headers["X-MBX-USED-WEIGHT"]) == (200, "1")
    assert (await quiet.signed("GET", "account")).status == 200


async def test_a_first_fill_as_taker_gives_back_one_order_and_as_maker_five(venue):
    acme, birch = await venue.client("acme"), await venue.client("birch")
    for price in ("60000", "60001", "60002", "60003", "60004", "60005", "60006"):
        await acme.order("SELL", "0.1", price)
    taken = await birch.order("BUY", "0.05")
    assert taken.headers["X-MBX-ORDER-COUNT-10S"] == "0"
    await birch.order("BUY", "0.05")  # the same maker again: no further credit
    assert (await acme.order("SELL", "0.1", "60007")).headers["X-MBX-ORDER-COUNT-1D"] == "3"
    await birch.order("BUY", "0.1")
    assert (await acme.order("SELL", "0.1", "60008")).headers["X-MBX-ORDER-COUNT-1D"] == "1"


async def test_cancelled_and_expired_orders_go_on_counting(venue):
    client = await venue.client()
    await client.order("BUY", "0.01", "50000", newClientOrderId="mine")
    cancelled = await client.signed("DELETE", "order", symbol="BTCUSDT", origClientOrderId="mine")
    assert cancelled.headers["X-MBX-ORDER-COUNT-1D"] == "1"
    assert (await client.order("BUY", "0.01", "50000", timeInForce="IOC")).headers["X-MBX-ORDER-COUNT-1D"] == "2"


async def test_the_admin_door_bans_an_address_and_sets_it_free(venue):
    client = await venue.client()

    async def post(**fault: object) -> int:
        headers = {"Authorization": f"Bearer {venue.running.admin_token}"}
        async with client.session.post(venue.running.admin + "/faults", json=fault, headers=headers) as response:
            return response.status

    assert await post(kind="ban", address="127.0.0.1", seconds=77) == 200
    answer = await client.public("ping")
    assert (answer.status, 70 <= int(answer.headers["Retry-After"]) <= 77) == (418, True)
    assert await post(kind="ban", address="127.0.0.1", seconds=0) == 200
    assert (await client.public("ping")).status == 200
    assert await post(kind="ban", address="127.0.0.1", seconds=0) == 409
    assert await post(kind="ban", address="everybody") == 400
    assert await post(kind="ban", address="127.0.0.1") == 200
    assert 110 <= int((await client.public("ping")).headers["Retry-After"]) <= 120
    assert await post(kind="key", account="acme", set={"addresses": ["nowhere"]}) == 409
