"""How the venue treats sockets: pings, limits of messages and connections, the 24-hour cut, notice before it leaves.

The clock of the server is the test's: nobody waits for a minute.
"""

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Callable

import aiohttp
import pytest
from aiohttp import WSMsgType
from hypothesis import given, settings
from hypothesis import strategies as st
from paper_client import Client

from tradedesk.clock import ManualClock
from tradedesk.paper.accounts import generated, specs
from tradedesk.paper.exchange import Exchange
from tradedesk.paper.market import Quiet
from tradedesk.paper.server.app import Running, start
from tradedesk.paper.server.limits import RateLimits
from tradedesk.paper.server.manners import API, SECOND, STREAMS, Conduct, End, Ping
from tradedesk.paper.synthetic import default_specs

HOUR = 3_600 * SECOND


class House:
    """A server whose clock the test moves, and one client of it."""

    def __init__(self, running: Running, clock: ManualClock, client: Client) -> None:
        self.running = running
        self.clock = clock
        self.client = client

    def open(self, path: str) -> contextlib.AbstractAsyncContextManager[aiohttp.ClientWebSocketResponse]:
        """A socket that answers no ping by itself."""
        return self.client.session.ws_connect(self.running.ws + path, autoping=False, max_msg_size=0)


@pytest.fixture
async def start_house() -> AsyncIterator[Callable[..., object]]:
    async with contextlib.AsyncExitStack() as stack:

        async def begin(rates: RateLimits | None = None) -> House:
            [account] = generated(1, seed=7)
            clock = ManualClock(time.time_ns())
            exchange = Exchange(default_specs(), specs([account]), Quiet(), now=clock.now())
            running = await start(exchange, [account], clock, admin_token="admin-token", rates=rates)
            stack.push_async_callback(running.stop)
            session = await stack.enter_async_context(aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(10)))
            key = account.keys[0]
            return House(running, clock, Client(running.rest, running.ws, key.api_key, str(key.secret), session))

        yield begin


@pytest.fixture
async def house(start_house) -> House:
    return await start_house()


async def until_closed(socket: aiohttp.ClientWebSocketResponse) -> list[aiohttp.WSMessage]:
    """Everything up to the end of the socket."""
    seen = []
    async with asyncio.timeout(5):
        async for message in socket:
            seen.append(message)
    return seen


@pytest.mark.parametrize("path", ["/ws", "/ws-api/v3"])
async def test_a_ping_comes_every_twenty_seconds_and_its_answer_keeps_the_socket(house, path):
    async with house.open(path) as socket:
        payloads = []
        for _ in range(6):  # two minutes
            house.clock.advance(20 * SECOND)
            ping = await socket.receive(timeout=5)
            assert ping.type is WSMsgType.PING
            payloads.append(ping.data)
            await socket.pong(ping.data)
            await asyncio.wait_for(house.client.public("ping"), 5)
        assert len(set(payloads)) == 6
        assert all(payload.isdigit() for payload in payloads)


@pytest.mark.parametrize("pongs", [(), (b"",), (b"of my own",)])
async def test_who_answers_no_ping_within_a_minute_is_dropped_whatever_else_it_pongs(house, caplog, pongs):
    async with house.open("/ws") as mute:
        pings = 0
        for _ in range(3):
            house.clock.advance(20 * SECOND)
            pings += (await mute.receive(timeout=5)).type is WSMsgType.PING
            for pong in pongs:
                await mute.pong(pong)
        house.clock.advance(20 * SECOND)
        assert await until_closed(mute) == []
        assert pings == 3
    assert "no pong within 60 s" in caplog.text


async def test_the_sixth_message_of_a_second_ends_a_stream_socket(house):
    async with house.open("/ws") as socket:
        for second in range(3):
            for number in range(5):
                await socket.send_json({"method": "LIST_SUBSCRIPTIONS", "id": second * 5 + number})
            answers = [json.loads((await socket.receive(timeout=5)).data)["id"] for _ in range(5)]
            assert answers == list(range(second * 5, second * 5 + 5))
            house.clock.advance(SECOND)
        for number in range(20):
            await socket.send_json({"method": "LIST_SUBSCRIPTIONS", "id": number})
        answers = [json.loads(message.data)["id"] for message in await until_closed(socket)]
        assert answers == [0, 1, 2, 3, 4]
        assert socket.close_code == 1008


@pytest.mark.parametrize("path", ["/ws", "/ws-api/v3"])
async def test_pings_and_pongs_are_messages_too(house, path):
    async with house.open(path) as socket:
        for _ in range(3):
            await socket.ping(b"mine")
            await socket.pong(b"mine")
        assert [message.data for message in await until_closed(socket)] == [b"mine", b"mine", b"mine"]
        assert socket.close_code == 1008


async def test_requests_of_the_websocket_api_are_weighed_and_not_counted(house):
    async with house.open("/ws-api/v3") as socket:
        for number in range(50):
            await socket.send_json({"id": number, "method": "ping"})
        assert [json.loads((await socket.receive(timeout=5)).data)["id"] for _ in range(50)] == list(range(50))


@pytest.mark.parametrize("path", ["/ws/btcusdt@trade", "/stream?streams=btcusdt@trade", "/ws-api/v3"])
async def test_a_socket_lives_for_a_day(house, path):
    async with house.open(path) as socket:
        house.clock.advance(24 * HOUR)
        assert await until_closed(socket) == []
        assert socket.close_code == 1001
    async with house.open(path) as again:
        house.clock.advance(20 * SECOND)
        assert (await again.receive(timeout=5)).type is WSMsgType.PING


async def test_an_address_opens_a_bounded_number_of_sockets_in_five_minutes(start_house):
    house = await start_house(RateLimits(connections_per_5_minutes=3))
    for _ in range(3):
        async with house.open("/ws"):
            pass
    with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
        async with house.open("/ws"):
            pass
    assert caught.value.status == 429
    assert 0 < int(caught.value.headers["Retry-After"]) <= 300
    async with house.open("/ws-api/v3"):  # another host at the venue
        pass
    house.clock.advance(300 * SECOND)
    async with house.open("/ws"):
        pass


async def test_every_client_is_told_before_the_server_leaves(house):
    async with (
        house.open("/ws/btcusdt@trade") as raw,
        house.open("/stream?streams=btcusdt@trade&timeUnit=MICROSECOND") as combined,
        house.open("/ws-api/v3") as api,
    ):
        leaving = asyncio.create_task(house.running.stop())
        frames = [[json.loads(each.data) for each in await until_closed(socket)] for socket in (raw, combined, api)]
        await leaving
        now = house.clock.now() // 1_000_000
        assert frames[0] == [{"e": "serverShutdown", "E": now}]
        assert frames[1] == [
            {"stream": "!serverShutdown", "data": {"e": "serverShutdown", "E": house.clock.now() // 1_000}}
        ]
        assert frames[2] == [{"event": {"e": "serverShutdown", "E": now}}]
        assert {socket.close_code for socket in (raw, combined, api)} == {1001}


@pytest.mark.parametrize("path", ["/ws", "/ws-api/v3"])
async def test_a_message_too_long_or_not_of_text_ends_the_socket_alone(house, path):
    async with house.open(path) as witness:
        async with house.open(path) as socket:
            await socket.send_str("x" * (64 * 1024 + 1))
            assert await until_closed(socket) == []
            assert socket.close_code == 1009
        async with house.open(path) as socket:
            await socket.send_bytes(b'{"id": 1, "method": "ping"}')
            assert await until_closed(socket) == []
            assert socket.close_code == 1003
        await witness.send_json({"id": 1, "method": "LIST_SUBSCRIPTIONS"})
        assert json.loads((await witness.receive(timeout=5)).data)["id"] == 1


def test_usd_m_pings_every_three_minutes_and_waits_ten_for_the_answer():
    conduct = Conduct(STREAMS["futures"], 0)
    assert conduct.due(179 * SECOND) is None
    assert isinstance(conduct.due(180 * SECOND), Ping)
    assert isinstance(conduct.due(779 * SECOND), Ping)
    end = conduct.due(780 * SECOND)
    assert isinstance(end, End)
    assert end.is_dead


@settings(max_examples=200, deadline=None)
@given(st.lists(st.integers(0, 600), min_size=1, max_size=80), st.sampled_from(["spot", "futures"]))
def test_who_keeps_to_the_limit_is_never_ended_and_who_doubles_it_always(gaps, market):
    limit = STREAMS[market].messages_per_second
    conduct, now, times = Conduct(STREAMS[market], 0), 0, []
    for gap in gaps:
        now += gap * SECOND // 1_000
        times.append(now)
        if conduct.said(now, is_text=True) is not None:
            break
    ended = len(times) < len(gaps) or conduct.said(now, is_text=True) is not None
    busiest = max(sum(1 for t in times if start <= t < start + SECOND) for start in times)
    if busiest > 2 * limit:
        assert ended
    if len(times) < len(gaps):
        assert busiest > limit


def test_texts_of_the_websocket_api_are_free():
    conduct = Conduct(API["spot"], 0)
    assert all(conduct.said(0, is_text=True) is None for _ in range(1_000))
