"""Market streams: the book joins its snapshot at every message, and every stream says what happened, once, in its form."""

import asyncio
import itertools
from typing import Any

import aiohttp
import pytest
from paper_client import LocalBook, Socket

from tradedesk.paper.server import outbox
from tradedesk.paper.server.limits import RateLimits


async def test_the_diff_stream_joins_a_snapshot_by_the_documented_rule_at_both_paces(venue):
    acme = await venue.client()

    async def trade() -> None:
        for step in range(12):
            await acme.order("BUY", "0.01", f"{50_000 + step}", newClientOrderId=f"b{step}")
            await acme.order("SELL", "0.02", f"{60_000 - step}", newClientOrderId=f"s{step}")
            if step % 3 == 0:
                await acme.signed("DELETE", "order", symbol="BTCUSDT", origClientOrderId=f"b{step}")
                await acme.order("SELL", "0.005")
            await asyncio.sleep(0.1)

    for stream in ("btcusdt@depth@100ms", "btcusdt@depth"):
        async with acme.socket(f"/ws/{stream}") as socket:
            trading = asyncio.create_task(trade())
            buffered = [await socket.receive()]  # the procedure: events first, then the snapshot
            book = LocalBook((await acme.public("depth", symbol="BTCUSDT", limit=1000)).body)
            for event in buffered:
                book.apply(event)
            await trading
            final = (await acme.public("depth", symbol="BTCUSDT", limit=1000)).body
            while book.last < final["lastUpdateId"]:
                book.apply(await socket.receive())
            assert book.last == final["lastUpdateId"]
            assert book.matches(final)
        await acme.signed("DELETE", "openOrders", symbol="BTCUSDT")


async def test_no_event_is_sent_for_a_book_that_does_not_change(venue):
    client = await venue.client()
    async with client.socket("/ws/btcusdt@depth@100ms") as socket:
        await client.order("BUY", "0.01", "50000")
        first = await socket.receive()
        assert (first["e"], first["s"], first["b"], first["a"]) == (
            "depthUpdate",
            "BTCUSDT",
            [["50000.00000000", "0.01000000"]],
            [],
        )
        with pytest.raises(asyncio.TimeoutError):
            await socket.socket.receive(timeout=0.35)
        await client.order("BUY", "0.01", "50001")
        second = await socket.receive()
        assert second["U"] == first["u"] + 1


async def test_trades_aggregates_best_offer_and_candles_tell_one_story(venue):
    acme, birch = await venue.client("acme"), await venue.client("birch")
    names = (
        "btcusdt@trade",
        "btcusdt@aggTrade",
        "btcusdt@bookTicker",
        "btcusdt@kline_1m",
        "btcusdt@ticker",
        "btcusdt@miniTicker",
    )
    await acme.order("SELL", "0.1", "60000")
    await acme.order("SELL", "0.1", "60000")
    async with birch.socket(f"/stream?streams={'/'.join(names)}") as socket:
        bought = (await birch.order("BUY", "0.15", "60000")).body
        seen: dict[str, list[dict[str, Any]]] = {name: [] for name in names}
        while (
            not all(seen.values())
            or len(seen["btcusdt@trade"]) < 2
            or seen["btcusdt@kline_1m"][-1]["k"]["n"] < 2  # a timed one may have come before the trades
            or "0.00000000" in (seen["btcusdt@ticker"][-1]["c"], seen["btcusdt@miniTicker"][-1]["c"])
        ):
            frame = await socket.receive()
            seen[frame["stream"]].append(frame["data"])
    trades = seen["btcusdt@trade"]
    assert [trade["t"] for trade in trades] == [fill["tradeId"] for fill in bought["fills"]]
    assert {(trade["p"], trade["m"], trade["M"]) for trade in trades} == {("60000.00000000", False, True)}
    [agg] = seen["btcusdt@aggTrade"]
    assert (agg["f"], agg["l"], agg["q"]) == (trades[0]["t"], trades[1]["t"], "0.15000000")
    best = seen["btcusdt@bookTicker"][-1]
    assert best.keys() == {"u", "s", "b", "B", "a", "A"}
    assert (best["a"], best["A"]) == ("60000.00000000", "0.05000000")
    candle = seen["btcusdt@kline_1m"][-1]["k"]
    assert candle.keys() == set("tTsifLochlvnxqVQB")
    # Whether it is closed is not asked: a minute may just have ended.
    assert (candle["v"], candle["n"], candle["c"]) == ("0.15000000", 2, "60000.00000000")
    assert seen["btcusdt@ticker"][-1]["c"] == seen["btcusdt@miniTicker"][-1]["c"] == "60000.00000000"


async def test_a_candle_is_sent_closed_before_the_next_one(venue):
    acme, birch = await venue.client("acme"), await venue.client("birch")
    async with birch.socket("/ws/btcusdt@kline_1s") as socket:
        await acme.order("SELL", "0.1", "60000")
        await birch.order("BUY", "0.1")
        opens = []
        while len(opens) < 4:
            candle = (await socket.receive())["k"]
            opens.append((candle["t"], candle["x"]))
    closed = [start for start, is_closed in opens if is_closed]
    assert closed == sorted(set(closed))
    for (start, is_closed), (after, _) in itertools.pairwise(opens):
        assert after - start == (1_000 if is_closed else 0)


async def test_partial_depth_shows_the_best_levels_whole(venue):
    client = await venue.client()
    for step in range(7):
        await client.order("BUY", "0.01", f"{50_000 + step}")
    async with client.socket("/ws/btcusdt@depth5@100ms") as socket:
        frame = await socket.receive()
    assert frame.keys() == {"lastUpdateId", "bids", "asks"}
    assert [level[0] for level in frame["bids"]] == [f"{price}.00000000" for price in range(50_006, 50_001, -1)]


async def test_streams_are_joined_left_and_listed(venue):
    client = await venue.client()
    async with client.socket("/ws/0") as socket:  # a name nobody knows stays silent, as clients in the field expect
        assert await socket.say({"method": "SUBSCRIBE", "params": ["btcusdt@trade", "x@y"], "id": 1}) == {
            "result": None,
            "id": 1,
        }
        assert (await socket.say({"method": "LIST_SUBSCRIPTIONS", "id": "a"}))["result"] == [
            "0",
            "btcusdt@trade",
            "x@y",
        ]
        assert await socket.say({"method": "UNSUBSCRIBE", "params": ["x@y", "z@z"], "id": 2}) == {
            "result": None,
            "id": 2,
        }
        assert (await socket.say({"method": "LIST_SUBSCRIPTIONS", "id": None}))["result"] == ["0", "btcusdt@trade"]
    async with client.socket("/ws/btcusdt@trade") as socket:
        assert (await socket.say({"method": "GET_PROPERTY", "params": ["combined"], "id": 3}))["result"] is False
        assert (await socket.say({"method": "SET_PROPERTY", "params": ["combined", True], "id": 4}))["result"] is None
        acme = await venue.client("acme")
        await acme.order("SELL", "0.1", "60000")
        await (await venue.client("birch")).order("BUY", "0.1")
        assert (await socket.receive())["stream"] == "btcusdt@trade"


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        ("{", 3),
        ("[]", 2),
        ('{"id": 1}', 2),
        ('{"method": "HOPE", "id": 1}', 2),
        ('{"method": "SUBSCRIBE", "id": 1}', 2),
        ('{"method": "SUBSCRIBE", "params": [1], "id": 1}', 2),
        ('{"method": "SUBSCRIBE", "params": ["btcusdt@trade"], "id": [1]}', 2),
        ('{"method": "SET_PROPERTY", "params": ["combined", "yes"], "id": 1}', 1),
        ('{"method": "SET_PROPERTY", "params": ["colour", true], "id": 1}', 0),
        ('{"method": "SET_PROPERTY", "params": ["combined"], "id": 1}', 1),
        ('{"method": "SET_PROPERTY", "params": ["combined", true, 1], "id": 1}', 2),
        ('{"method": "SET_PROPERTY", "params": [1, true], "id": 1}', 2),
        ('{"method": "GET_PROPERTY", "params": ["colour"], "id": 1}', 0),
        ('{"method": "GET_PROPERTY", "params": ["combined", 1], "id": 1}', 2),
        ('{"method": "GET_PROPERTY", "params": [], "id": 1}', 2),
        ('{"method": "GET_PROPERTY", "id": 1}', 2),
        ('{"method": "LIST_SUBSCRIPTIONS", "id": true}', 2),
        ('{"method": "LIST_SUBSCRIPTIONS", "id": 1.5}', 2),
        ('{"method": "LIST_SUBSCRIPTIONS", "id": "0123456789012345678901234567890123456"}', 2),
    ],
)
async def test_a_stream_request_that_is_wrong_gets_its_code_and_the_socket_lives(venue, frame, code):
    client = await venue.client()
    async with client.socket("/ws") as socket:
        assert (await socket.say(frame))["error"]["code"] == code
        assert (await socket.say({"method": "LIST_SUBSCRIPTIONS", "id": 9})) == {"result": [], "id": 9}


async def test_a_connection_takes_a_bounded_number_of_streams(venue):
    client = await venue.client()
    async with client.socket("/ws") as socket:
        many = [f"s{n}@trade" for n in range(1_025)]
        assert (await socket.say({"method": "SUBSCRIBE", "params": many, "id": 1}))["error"]["code"] == 2
        assert (await socket.say({"method": "SUBSCRIBE", "params": many[:1_024], "id": 2}))["result"] is None


async def test_all_streams_of_a_connection_can_be_named_when_it_opens(venue):
    client = await venue.client()
    names = [f"some{n:04}usdt@depth20@100ms" for n in range(1_023)]
    async with client.socket(f"/stream?streams={'/'.join([*names, 'btcusdt@bookTicker'])}") as socket:
        await client.order("BUY", "0.01", "50000")
        assert (await socket.receive())["stream"] == "btcusdt@bookTicker"
    with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
        async with client.socket(f"/stream?streams={'/'.join([*names, 'a@b', 'c@d'])}"):
            pass
    assert caught.value.status == 400


async def test_frames_of_every_length_arrive_whole(venue):
    client = await venue.client()
    for count, length in ((1, 3), (4, 20), (1_000, 70)):  # an answer of up to 125 bytes, of up to 64 KB, and beyond
        async with client.socket("/ws") as socket:
            names = [f"{n:04}{'x' * length}" for n in range(count)]
            for part in (names[:500], names[500:]):
                await socket.say({"method": "SUBSCRIBE", "params": part, "id": 1})
            assert (await socket.say({"method": "LIST_SUBSCRIPTIONS", "id": 2}))["result"] == names


async def test_times_come_in_microseconds_on_demand(venue):
    acme, birch = await venue.client("acme"), await venue.client("birch")
    async with (
        birch.socket("/ws/btcusdt@trade?timeUnit=MICROSECOND") as fine,
        birch.socket("/ws/btcusdt@trade") as coarse,
    ):
        await acme.order("SELL", "0.1", "60000")
        await birch.order("BUY", "0.1")
        assert (await fine.receive())["T"] // 1_000 == (await coarse.receive())["T"]


async def _ask_for_ever(socket: Socket) -> None:
    """Answers of many KB each, and nobody takes them."""
    while True:
        await socket.socket.send_str('{"method": "exchangeInfo", "id": 2}')
        await asyncio.sleep(0)


async def test_a_client_that_does_not_read_is_dropped_and_others_are_not(start_venue, monkeypatch, caplog):
    """5.13"""
    venue = await start_venue(rates=RateLimits(weight_per_minute=10**9, raw_per_5_minutes=None))
    monkeypatch.setattr(outbox, "MOST_BYTES", 200_000)
    deaf, quick = await venue.client("acme"), await venue.client("birch")
    async with deaf.socket("/ws-api/v3") as slow, quick.socket("/ws/btcusdt@bookTicker") as reader:
        with pytest.raises(ConnectionError):
            await _ask_for_ever(slow)
        await quick.order("BUY", "0.01", "50000")
        while (ticker := await reader.receive())[
            "b"
        ] == "0.00000000":  # of the empty book, if it is told before the order
            pass
        assert ticker["b"] == "50000.00000000"
    assert "it did not read" in caplog.text
