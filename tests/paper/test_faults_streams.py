"""Faults of streams, over real sockets: user data and market data, and that the streams are well again after."""

import asyncio
from decimal import Decimal
from typing import Any

import aiohttp
import pytest
from fault_post import Admin
from paper_client import LocalBook

from tradedesk.paper.server.manners import API, Manners

BUY = ("BUY", "0.01", "50000")
REPORTS = "executionReport"


@pytest.fixture
def admin(venue: Any) -> Admin:
    return Admin(venue.running)


async def silence(socket: Any) -> None:
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(socket.receive(), 0.25)


async def reports(socket: Any, count: int) -> list[str]:
    """What the next executionReports say, and of which order."""
    found = []
    while len(found) < count:
        event = (await socket.receive())["event"]
        if event["e"] == REPORTS:
            found.append(f"{event['x']} {event['c']}")
    return found


class Heard:
    """A user data subscription of acme, and birch, who trades with it."""

    def __init__(self, venue: Any) -> None:
        self.venue = venue

    async def __aenter__(self) -> "Heard":
        self.acme, self.birch = await self.venue.client(), await self.venue.client("birch")
        self._opened = self.acme.socket("/ws-api/v3")
        self.socket = await self._opened.__aenter__()
        await self.socket.signed("userDataStream.subscribe.signature")
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._opened.__aexit__(None, None, None)


# -- user data ------------------------------------------------------------------------------------------------------------


async def test_a_dropped_event_never_comes_and_the_fill_is_in_the_books(venue, admin):
    async with Heard(venue) as heard:
        await heard.acme.order(*BUY, newClientOrderId="a")
        fault = await admin.post("drop", account="acme", event="executionReport.TRADE", count=1)
        await heard.birch.order("SELL", "0.01", "50000")
        await heard.acme.order(*BUY, newClientOrderId="b")
        assert await reports(heard.socket, 2) == ["NEW a", "NEW b"]
        await heard.birch.order("SELL", "0.01", "50000")
        assert await reports(heard.socket, 1) == ["TRADE b"]
    assert (await admin.fault(fault))["struck"] == 1
    assert len((await admin.books())["trades"]) == 2


async def test_a_held_fill_comes_after_the_cancel(venue, admin):
    async with Heard(venue) as heard:
        await admin.post("hold", event="*.TRADE", client_order_id="a", seconds=0.2, count=1)
        await heard.acme.order("BUY", "0.02", "50000", newClientOrderId="a")
        await heard.birch.order("SELL", "0.01", "50000")
        await heard.acme.signed("DELETE", "order", symbol="BTCUSDT", origClientOrderId="a", newClientOrderId="bye")
        assert await reports(heard.socket, 3) == ["NEW a", "CANCELED bye", "TRADE a"]


async def test_a_whole_stream_that_is_held_keeps_its_order(venue, admin):
    async with Heard(venue) as heard:
        fault = await admin.post("hold", account="acme", seconds=0.1)
        for number in range(20):
            await heard.acme.order("BUY", "0.01", "50000", newClientOrderId=f"a{number}")
        assert await reports(heard.socket, 20) == [f"NEW a{number}" for number in range(20)]
    assert (await admin.fault(fault))["struck"] == 40  # with the balances


async def test_a_doubled_event_comes_twice_word_for_word(venue, admin):
    async with Heard(venue) as heard:
        await admin.post("dup", account="acme", event=REPORTS, count=1)
        await heard.acme.order(*BUY, newClientOrderId="a")
        first, second, _ = [await heard.socket.receive() for _ in range(3)]
        assert first == second
        await heard.acme.order(*BUY, newClientOrderId="b")
        assert await reports(heard.socket, 1) == ["NEW b"]


async def test_a_swapped_fill_comes_before_the_acknowledgement(venue, admin):
    async with Heard(venue) as heard:
        await heard.birch.order("SELL", "0.01", "50000")
        await admin.post("swap", event=REPORTS, account="acme", count=1)
        await heard.acme.order(*BUY, newClientOrderId="a")
        assert await reports(heard.socket, 2) == ["TRADE a", "NEW a"]


async def test_a_swapped_event_that_nothing_follows_comes_after_its_seconds(venue, admin):
    async with Heard(venue) as heard:
        await admin.post("swap", event=REPORTS, count=1, seconds=0.1)
        await heard.acme.order(*BUY, newClientOrderId="a")
        assert await reports(heard.socket, 1) == ["NEW a"]


async def test_an_altered_event_says_what_it_is_told_to(venue, admin):
    async with Heard(venue) as heard:
        await heard.acme.order(*BUY, newClientOrderId="a")
        await admin.post("alter", event="executionReport.TRADE", set_={"l": "5.0", "z": "5.0"}, count=1)
        await heard.birch.order("SELL", "0.01", "50000")
        frame = await heard.socket.until(lambda frame: frame["event"].get("x") == "TRADE")
        assert (frame["event"]["l"], frame["event"]["z"], frame["event"]["L"]) == ("5.0", "5.0", "50000.00000000")


async def test_only_the_named_accounts_stream_is_struck(venue, admin):
    async with Heard(venue) as heard, heard.birch.socket("/ws-api/v3") as other:
        await other.signed("userDataStream.subscribe.signature")
        await admin.post("drop", account="birch")
        await heard.birch.order("SELL", "0.01", "50000", newClientOrderId="theirs")
        await heard.acme.order("BUY", "0.01", "40000", newClientOrderId="ours")
        assert await reports(heard.socket, 1) == ["NEW ours"]
        await silence(other)


@pytest.mark.parametrize("pings", [True, False])
async def test_a_frozen_socket_is_open_and_silent(venue, admin, pings):
    async with Heard(venue) as heard:
        fault = await admin.post("freeze", account="acme", pings=pings)
        await heard.acme.order(*BUY, newClientOrderId="a")
        await silence(heard.socket)
        assert not heard.socket.socket.closed
        await heard.socket.socket.ping(b"still there?")
        assert (await pong(heard.socket)) == (b"still there?" if pings else None)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(heard.socket.call("ping"), 0.15)  # nor is a request answered
        assert (await admin.fault(fault))["struck"] >= 3
        await admin.clear()
        await heard.acme.order(*BUY, newClientOrderId="b")
        assert await reports(heard.socket, 1) == ["NEW b"]  # what came while it was frozen is lost


async def test_a_socket_frozen_without_pings_is_not_dropped_for_the_pongs_it_could_not_get(start_venue, monkeypatch):
    tenth = 100_000_000
    hasty = Manners(ping_every=tenth, pong_within=2 * tenth, counts_texts=False)
    monkeypatch.setitem(API, "spot", hasty)
    venue = await start_venue()
    client, admin = await venue.client(), Admin(venue.running)
    async with client.socket("/ws-api/v3") as socket:
        await socket.call("ping")
        await admin.post("freeze", transport="wsapi", pings=False)
        await asyncio.sleep(0.8)
        await admin.clear()
        assert (await socket.call("ping"))["status"] == 200


async def pong(socket: Any) -> bytes | None:
    """The payload of the pong that comes, None if none does. aiohttp's client keeps pongs to itself: look below it."""
    found: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
    response = socket.socket
    response._autoping = False
    try:
        message = await response.receive(timeout=0.25)
    except TimeoutError:
        found.cancel()
        return None
    finally:
        response._autoping = True
    assert message.type is aiohttp.WSMsgType.PONG, message
    return bytes(message.data)


# -- market data ----------------------------------------------------------------------------------------------------------


async def quoted(venue: Any) -> tuple[Any, Any]:
    """A client and another that makes the market: 50000 bid, 50010 asked."""
    client, maker = await venue.client(), await venue.client("birch")
    await maker.order("BUY", "1", "50000")
    await maker.order("SELL", "1", "50010")
    return client, maker


async def test_a_gap_in_the_book_is_seen_in_the_ids(venue, admin):
    client, maker = await quoted(venue)
    async with client.socket("/ws/btcusdt@depth@100ms") as socket:
        await maker.order("BUY", "1", "49999")
        book = LocalBook((await client.public("depth", symbol="BTCUSDT", limit=1000)).body)
        snapshot = book.last
        await socket.until(lambda event: book.apply(event) or event["u"] >= snapshot)
        fault = await admin.post("book", what="gap", instrument="BTCUSDT", count=1)
        await maker.order("BUY", "1", "49998")
        for _ in range(100):
            if (await admin.fault(fault))["struck"]:
                break
            await asyncio.sleep(0.02)
        await maker.order("BUY", "1", "49997")
        event = await socket.receive()
        assert event["U"] > book.last + 1
        with pytest.raises(AssertionError):
            book.apply(event)
        book = LocalBook((await client.public("depth", symbol="BTCUSDT", limit=1000)).body)
        await maker.order("BUY", "1", "49996")
        while book.last < (await client.public("depth", symbol="BTCUSDT", limit=1000)).body["lastUpdateId"]:
            book.apply(await socket.receive())
        assert book.matches((await client.public("depth", symbol="BTCUSDT", limit=1000)).body)


def is_crossed(event: dict[str, Any]) -> bool:
    bids, asks = event.get("bids", event.get("b")), event.get("asks", event.get("a"))
    if isinstance(bids, str):
        return Decimal(bids) >= Decimal(asks)
    best = [Decimal(price) for price, _ in bids], [Decimal(price) for price, _ in asks]
    return max(best[0], default=Decimal(0)) >= min(best[1], default=Decimal(50_005))


@pytest.mark.parametrize("stream", ["btcusdt@depth@100ms", "btcusdt@depth5@100ms", "btcusdt@bookTicker"])
async def test_a_crossed_book_is_crossed(venue, admin, stream):
    client, maker = await quoted(venue)
    async with client.socket(f"/ws/{stream}") as socket:
        await admin.post("book", what="cross", instrument="BTCUSDT", count=1, transport="stream")
        await maker.order("BUY", "1", "50001")
        await maker.order("SELL", "1", "50005")
        await asyncio.wait_for(socket.until(is_crossed), 5)  # the first may have been under way before the fault
    depth = (await client.public("depth", symbol="BTCUSDT")).body
    assert (depth["bids"][0][0], depth["asks"][0][0]) == ("50001.00000000", "50005.00000000")


async def test_a_stale_book_says_the_same_again(venue, admin):
    client, maker = await quoted(venue)
    async with client.socket("/ws/btcusdt@bookTicker") as socket:
        fault = await admin.post("book", what="stale", instrument="BTCUSDT")
        await maker.order("BUY", "1", "50001")
        old = await socket.receive()
        await maker.order("BUY", "1", "50002")
        assert await socket.receive() == old
        before = (await client.public("depth", symbol="BTCUSDT", limit=5)).body
        await maker.order("BUY", "1", "50003")
        assert (await client.public("depth", symbol="BTCUSDT", limit=5)).body == before
        assert await socket.receive() == old
        await admin.ask("DELETE", f"/faults/{fault}")
        await maker.order("BUY", "1", "50004")
        assert (await socket.receive())["b"] == "50004.00000000"
        assert (await client.public("depth", symbol="BTCUSDT", limit=5)).body["bids"][0][0] == "50004.00000000"


async def test_a_snapshot_may_be_older_than_the_deltas(venue, admin):
    client, maker = await quoted(venue)
    await admin.post("book", what="stale", instrument="BTCUSDT", transport="rest")
    old = (await client.public("depth", symbol="BTCUSDT")).body
    async with client.socket("/ws/btcusdt@depth@100ms") as socket:
        await maker.order("BUY", "1", "49999")
        await socket.receive()
        await maker.order("BUY", "1", "49998")
        await asyncio.wait_for(socket.until(lambda event: event["U"] > old["lastUpdateId"] + 1), 5)
        assert (await client.public("depth", symbol="BTCUSDT")).body == old
    best = (await client.public("ticker/bookTicker", symbol="BTCUSDT")).body  # a question of its own, old from now on
    assert best["bidPrice"] == "50000.00000000"
    await admin.clear()
    assert (await client.public("depth", symbol="BTCUSDT")).body["lastUpdateId"] > old["lastUpdateId"]


@pytest.mark.parametrize("price", ["0.00000000", "-1.00000000", "NaN", "500000.00000000"])
async def test_a_price_is_nonsense(venue, admin, price):
    client, maker = await quoted(venue)
    async with client.socket("/stream?streams=btcusdt@trade") as socket:
        await admin.post("alter", event="trade", instrument="BTCUSDT", set_={"p": price}, count=1)
        await maker.order("SELL", "0.01", "50000")
        await client.order("SELL", "0.01", "50000")
        assert (await socket.receive())["data"]["p"] == price
        await client.order("SELL", "0.01", "50000")
        assert (await socket.receive())["data"]["p"] == "50000.00000000"


async def test_bars_are_dropped(venue, admin):
    client, maker = await quoted(venue)
    async with client.socket("/ws/btcusdt@kline_1s/btcusdt@bookTicker") as socket:
        await admin.post("drop", event="kline")
        await client.order("SELL", "0.01", "50000")
        await maker.order("BUY", "1", "50001")
        frames = []
        while len(frames) < 2:
            frames.append(await socket.receive())
            if len(frames) == 1:
                await maker.order("BUY", "1", "50002")
        assert {frame.get("e", "bookTicker") for frame in frames} == {"bookTicker"}


async def test_a_market_stream_freezes_by_instrument(venue, admin):
    client, maker = await quoted(venue)
    async with client.socket("/ws/btcusdt@bookTicker") as frozen, client.socket("/ws/ethusdt@bookTicker") as other:
        await admin.post("freeze", instrument="BTCUSDT")
        await maker.order("BUY", "1", "50001")
        await maker.order("BUY", "1", "2000", symbol="ETHUSDT")
        assert (await other.receive())["s"] == "ETHUSDT"
        await silence(frozen)
        await admin.clear()
        await maker.order("BUY", "1", "50002")
        assert (await frozen.receive())["b"] == "50002.00000000"


async def test_a_flood_repeats_the_newest_event_at_its_rate(venue, admin):
    client, maker = await quoted(venue)
    async with client.socket("/ws/btcusdt@bookTicker") as socket:
        await admin.post("flood", rate=20_000, for_=0.5, transport="stream")
        await maker.order("BUY", "1", "50001")
        frames = [await socket.receive() for _ in range(2_000)]
        assert all(frame == frames[0] for frame in frames)
        answer = await client.public("ping")
        assert answer.status == 200
        ended = asyncio.get_running_loop().time() + 5
        while asyncio.get_running_loop().time() < ended:
            try:
                frames.append(await asyncio.wait_for(socket.receive(), 0.3))
            except TimeoutError:
                break
        assert 2_000 < len(frames) <= 10_010  # half a second at the rate, less what passed before the first event


async def test_a_stream_that_is_held_keeps_its_events_for_later(venue, admin):
    client, maker = await quoted(venue)
    async with client.socket("/ws/btcusdt@bookTicker") as socket:
        await admin.post("hold", event="bookTicker", seconds=0.15, count=1)
        await maker.order("BUY", "1", "50001")
        await maker.order("BUY", "1", "50002")
        assert [(await socket.receive())["b"] for _ in range(2)] == ["50002.00000000", "50001.00000000"]


# -- the ends of sockets --------------------------------------------------------------------------------------------------


async def test_a_shutdown_is_announced_on_every_kind_of_socket_and_then_they_close(venue, admin):
    client = await venue.client()
    async with (
        client.socket("/ws/btcusdt@depth") as raw,
        client.socket("/stream?streams=btcusdt@depth") as combined,
        client.socket("/ws-api/v3") as api,
    ):
        await api.call("ping")
        await admin.post("shutdown", seconds=0.1)
        assert (await raw.receive())["e"] == "serverShutdown"
        assert (await combined.receive())["data"]["e"] == "serverShutdown"
        assert (await api.receive())["event"]["e"] == "serverShutdown"
        for socket in (raw, combined, api):
            assert (await socket.socket.receive(timeout=5)).type is aiohttp.WSMsgType.CLOSE
    async with client.socket("/ws-api/v3") as again:
        assert (await again.call("ping"))["status"] == 200


async def test_sockets_of_one_account_are_disconnected(venue, admin):
    async with Heard(venue) as heard, heard.birch.socket("/ws-api/v3") as other:
        await other.signed("userDataStream.subscribe.signature")
        await admin.post("disconnect", account="acme")
        assert (await heard.socket.socket.receive(timeout=5)).type is aiohttp.WSMsgType.CLOSE
        assert (await other.call("ping"))["status"] == 200


async def test_a_listen_key_is_made_to_expire(venue, admin):
    client = await venue.client()
    assert "no listen key" in await admin.refused("expire", account="acme")
    key = (await client.raw("POST", "/api/v3/userDataStream", X_MBX_APIKEY=client.api_key)).body["listenKey"]
    async with client.socket(f"/ws/{key}") as socket:
        await client.public("ping")
        await admin.post("expire", account="acme")
        assert (await socket.receive())["e"] == "listenKeyExpired"
    gone = await client.raw("PUT", f"/api/v3/userDataStream?listenKey={key}", X_MBX_APIKEY=client.api_key)
    assert gone.code == -1125


async def connected(host: str, port: int) -> None:
    """A connection from its beginning to its end."""
    reader, _ = await asyncio.open_connection(host, port)
    await reader.read()


async def test_connections_are_refused_so_many_times(venue, admin):
    client = await venue.client()
    assert (await client.public("ping")).status == 200  # this connection is there already
    fault = await admin.post("refuse", count=5, market="spot")
    host, _, port = venue.running.rest.removeprefix("http://").rpartition(":")
    for _ in range(5):
        with pytest.raises(ConnectionResetError):
            await connected(host, int(port))
    assert (await client.public("ping")).status == 200
    assert (await (await venue.client()).public("ping")).status == 200
    assert (await admin.fault(fault))["struck"] == 5
