"""The latency model: its words, its draws, and what it does to every door."""

import asyncio
import time
from random import Random
from statistics import mean, pstdev
from typing import Any

import pytest
from fault_post import Admin
from hypothesis import given
from hypothesis import strategies as st

from tradedesk.paper.server.latency import Latency, Line, half, parse

BUY = ("BUY", "0.01", "50000")


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("5ms", Latency(mean=0.005)),
        ("250us", Latency(mean=0.00025)),
        ("250µs", Latency(mean=0.00025)),
        ("1.5s", Latency(mean=1.5)),
        ("5ms±2ms", Latency(mean=0.005, spread=0.002)),
        ("5ms+-2ms", Latency(mean=0.005, spread=0.002)),
        (" 5ms ± 500us ", Latency(mean=0.005, spread=0.0005)),
        ("5ms±2ms lognormal", Latency(mean=0.005, spread=0.002, is_lognormal=True)),
        ("0ms", Latency(mean=0.0)),
    ],
)
def test_a_latency_is_written_as_a_figure_and_perhaps_a_spread(text, meant):
    found = parse(text)
    assert (found.mean, found.spread) == pytest.approx((meant.mean, meant.spread))
    assert found.is_lognormal == meant.is_lognormal


@pytest.mark.parametrize(
    "text", ["", "5", "ms", "-5ms", "5ms±", "5ms±6ms", "11s", "5ms lognormal", "5ms±2ms pareto", "٥ms"]
)
def test_what_is_no_latency_is_told_in_a_sentence(text):
    with pytest.raises(ValueError, match=r"is no latency; write|varies by more|is above"):
        parse(text)


@given(st.text(max_size=20))
def test_any_text_is_a_latency_or_a_sentence(text):
    try:
        latency = parse(text)
    except ValueError:
        return
    assert 0 <= latency.spread <= latency.mean <= 10


@given(st.integers(0, 2**32), st.floats(0, 10), st.floats(0, 1), st.booleans())
def test_half_a_round_trip_is_the_same_for_the_same_seed_and_within_its_bounds(seed, average, share, is_lognormal):
    latency = Latency(mean=average, spread=average * share, is_lognormal=is_lognormal and average * share > 0)
    first = [half(latency, Random(seed)) for _ in range(3)]
    assert first == [half(latency, Random(seed)) for _ in range(3)]
    assert all(0 <= drawn <= 5 for drawn in first)
    if not latency.is_lognormal:
        low, high = average * (1 - share) / 2, average * (1 + share) / 2
        assert all(low - 1e-9 <= drawn <= high + 1e-9 for drawn in first)


def test_the_mean_and_spread_of_the_lognormal_are_those_written():
    random = Random(1)
    drawn = [2 * half(parse("5ms±2ms lognormal"), random) for _ in range(20_000)]
    assert mean(drawn) == pytest.approx(0.005, rel=0.02)
    assert pstdev(drawn) == pytest.approx(0.002, rel=0.05)


async def test_nothing_on_a_line_overtakes():
    random, came = Random(3), list[int]()
    line = Line(lambda: half(Latency(mean=0.02, spread=0.02), random))
    done = asyncio.Event()
    for number in range(200):
        assert line.send(lambda number=number: came.append(number))
    line.send(done.set)
    await asyncio.wait_for(done.wait(), 5)
    assert came == list(range(200))
    line.send(lambda: came.append(-1))
    line.close()
    await asyncio.sleep(0.05)
    assert came[-1] == 199


# -- at the doors ---------------------------------------------------------------------------------------------------------


async def test_a_request_is_at_the_engine_after_one_half_and_answered_after_the_other(start_venue):
    venue = await start_venue(latency=parse("400ms"))
    client, admin = await venue.client(), Admin(venue.running)
    began = time.monotonic()
    waiting = asyncio.create_task(client.order(*BUY, newClientOrderId="a"))
    await asyncio.sleep(0.1)
    assert await admin.orders() == []
    await admin.seen("POST")
    half_way = time.monotonic() - began
    assert not waiting.done()
    assert await admin.orders() == ["a"]
    assert (await waiting).status == 200
    whole = time.monotonic() - began
    assert half_way >= 0.2
    assert whole >= 0.4


async def test_requests_of_one_socket_keep_their_order_and_do_not_wait_for_each_other(start_venue):
    venue = await start_venue(latency=parse("200ms±200ms"), seed=5)
    client = await venue.client()
    async with client.socket("/ws-api/v3") as socket:
        began = time.monotonic()
        for number in range(50):
            await socket.socket.send_json({"id": number, "method": "ping"})
        assert [(await socket.receive())["id"] for _ in range(50)] == list(range(50))
        assert 0.02 < time.monotonic() - began < 2  # one after the other they would take ten seconds


async def test_events_take_half_a_round_trip_and_keep_their_order(start_venue):
    venue = await start_venue(latency=parse("300ms"))
    client, admin = await venue.client(), Admin(venue.running)
    async with client.socket("/ws-api/v3") as api, client.socket("/ws/btcusdt@bookTicker") as stream:
        await api.signed("userDataStream.subscribe.signature")
        for price in ("50000", "50001", "50002"):
            await admin.post(
                "ext", what="order", account="acme", instrument="BTCUSDT", side="BUY", quantity="0.01", price=price
            )
        began = time.monotonic()
        frames = [await api.until(lambda frame: frame["event"]["e"] == "executionReport") for _ in range(3)]
        assert [frame["event"]["p"][:5] for frame in frames] == ["50000", "50001", "50002"]
        assert [(await stream.receive())["b"][:5] for _ in range(3)] == ["50000", "50001", "50002"]
        assert 0.1 < time.monotonic() - began < 5


@pytest.mark.parametrize("kind", ["say", "late", "thin"])
async def test_a_fault_comes_on_top_of_the_latency(start_venue, kind):
    venue = await start_venue(latency=parse("100ms"))
    client, admin = await venue.client(), Admin(venue.running)
    fields: dict[str, Any] = {"say": {"answer": -1007}, "late": {"seconds": 0.1}, "thin": {}}[kind]
    await admin.post(kind, method="place", count=1, **fields)
    began = time.monotonic()
    await client.order(*BUY)
    assert time.monotonic() - began >= (0.2 if kind == "late" else 0.1)
