"""Public data in our words: what is read, what is refused, and how the stream ends."""

import asyncio
import random
from decimal import Decimal
from typing import Any

import pytest
from aiohttp import web
from builders import an_instrument
from scripted_venue import says, scripted_venue

from tradedesk.access.egress import Egress
from tradedesk.clock import SystemClock
from tradedesk.domain.outcomes import StreamState
from tradedesk.domain.words import VenueId
from tradedesk.venues.adapter import VenueFailed
from tradedesk.venues.ccxt_binance import addresses_of
from tradedesk.venues.feed import CandleChanged, DepthDiff, Printed, PublicNews, Unsound
from tradedesk.venues.spot_feed import SpotFeed, read_public

WITHIN_S = 5
DEPTH = {
    "e": "depthUpdate", "E": 5, "s": "BTCUSDT", "U": 11, "u": 12, "b": [["100.5", "1.25"], ["100.4", "0"]], "a": [],
}  # fmt: skip
TRADE = {"e": "trade", "E": 5, "s": "BTCUSDT", "t": 7, "p": "100.5", "q": "0.5", "T": 4, "m": True, "M": True}
KLINE = {
    "e": "kline", "E": 5, "s": "BTCUSDT",
    "k": {"t": 60000, "i": "1m", "o": "100", "h": "102", "l": "99", "c": "101", "v": "3", "x": False},
}  # fmt: skip


def a_feed(url: str, source: str = "127.0.0.1") -> SpotFeed:
    return SpotFeed(
        venue=VenueId("binance"),
        exit_=Egress(source),
        addresses=addresses_of(url),
        symbols=("BTC/USDT",),
        clock=SystemClock(),
        chance=random.Random(1),
    )


def read(event: dict[str, Any]) -> PublicNews | None:
    return read_public(event, an_instrument())


def test_depth_trades_and_candles_are_read_exactly() -> None:
    depth = read(DEPTH)
    assert isinstance(depth, DepthDiff)
    assert (depth.first_id, depth.last_id, depth.at) == (11, 12, 5_000_000)
    assert depth.bids == ((Decimal("100.5"), Decimal("1.25")), (Decimal("100.4"), Decimal(0)))
    printed = read(TRADE)
    assert isinstance(printed, Printed)
    assert (printed.trade.price, printed.trade.taker_is_buyer, printed.trade.at) == (Decimal("100.5"), False, 4_000_000)
    candle = read(KLINE)
    assert isinstance(candle, CandleChanged)
    assert (candle.candle.close, candle.candle.open_time) == (101, 60_000_000_000)
    assert read({"e": "24hrTicker", "s": "BTCUSDT"}) is None


@pytest.mark.parametrize("price", ["0", "-1", "NaN", "1e5", "1_0", "١", "", None, 100.5, "9" * 40])
def test_a_number_that_is_none_makes_the_message_unsound(price: object) -> None:
    """F54, F84"""
    broken = [DEPTH | {"b": [[price, "1"]]}, TRADE | {"p": price}, KLINE | {"k": KLINE["k"] | {"c": price}}]  # type: ignore[operator]
    assert [news.is_book for event in broken if isinstance(news := read(event), Unsound)] == [True, False, False]


@pytest.mark.parametrize(
    "event",
    [
        DEPTH | {"b": [["1", "-1"]]},
        DEPTH | {"b": None},
        DEPTH | {"b": [["1"]]},
        DEPTH | {"U": "11"},
        KLINE | {"k": None},
    ],
)
def test_a_message_in_another_form_is_unsound(event: dict[str, Any]) -> None:
    assert isinstance(read(event), Unsound)


async def test_one_subscription_asks_for_all_and_the_stream_comes_back() -> None:
    """F14b"""
    requests: list[dict[str, Any]] = []

    async def on_socket(socket_: web.WebSocketResponse, request: dict[str, Any]) -> None:
        requests.append(request)
        await socket_.send_json({"result": None, "id": request["id"]})
        await socket_.send_json(TRADE)
        await socket_.send_json(TRADE | {"s": "DOGEUSDT"})
        await socket_.close()

    news: list[PublicNews] = []
    enough = asyncio.Event()

    def sink(item: PublicNews) -> None:
        news.append(item)
        if len(news) == 6:
            enough.set()

    async with scripted_venue() as venue:
        venue.on_socket = on_socket
        feed = a_feed(venue.url)
        await feed.open()
        task = asyncio.create_task(feed.run((an_instrument(),), sink))
        await asyncio.wait_for(enough.wait(), WITHIN_S)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await feed.close()
    kinds = ["up" if item == StreamState(is_up=True) else type(item).__name__ for item in news[:6]]
    assert kinds == ["up", "Printed", "StreamState"] * 2
    assert requests[0]["params"] == ["btcusdt@depth@100ms", "btcusdt@trade", "btcusdt@kline_1m"]


async def test_snapshots_and_histories_are_read_or_said_to_have_failed() -> None:
    async with scripted_venue() as venue:
        feed = a_feed(venue.url)
        with pytest.raises(VenueFailed, match="exit is not open"):
            await feed.snapshot(an_instrument())
        await feed.open()
        venue.behaviour = says(200, {"lastUpdateId": 9, "bids": [["99", "1"]], "asks": []})
        assert (await feed.snapshot(an_instrument())).last_id == 9
        venue.behaviour = says(200, [[60000, "100", "102", "99", "101", "3", 119999, "0", 1, "0", "0", "0"]])
        assert [candle.close for candle in await feed.candles(an_instrument(), 2)] == [101]
        for body in ({}, [], {"lastUpdateId": 9, "bids": [["NaN", "1"]], "asks": []}, [[1, 2]], [["x"] * 12]):
            venue.behaviour = says(200, body)
            with pytest.raises(VenueFailed, match="could not be read"):
                await feed.snapshot(an_instrument())
            if body != []:
                with pytest.raises(VenueFailed, match="could not be read"):
                    await feed.candles(an_instrument(), 2)
        await feed.close()


async def test_a_feed_leaves_by_its_own_exit_or_not_at_all() -> None:
    """5.7"""
    feed = a_feed("http://127.0.0.1:1", source="192.0.2.77")
    with pytest.raises(VenueFailed, match=r"192\.0\.2\.77 is not an address of this machine"):
        await feed.open()
    await feed.close()
