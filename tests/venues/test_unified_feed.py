"""The feed of any ccxt venue, on the paper exchange by ccxt's own unified methods: what it says is that market."""

import asyncio
import json
import random
import urllib.request
from decimal import Decimal
from typing import Any

import pytest

from tradedesk.access.egress import Egress
from tradedesk.clock import SystemClock
from tradedesk.marketdata.tap import Tap
from tradedesk.paper.exchange import Exchange
from tradedesk.paper.live import Live
from tradedesk.paper.recorded import spec_of
from tradedesk.recording.records import SPOT, DepthUpdate, Listed, Record, Snapshot, TradeSeen
from tradedesk.venues.adapter import VenueFailed
from tradedesk.venues.unified_feed import UnifiedFeed, _Shown, streamable


def moved_to(paper: dict[str, Any]) -> Any:
    def moved(url: Any) -> Any:
        if isinstance(url, dict):
            return {name: moved(each) for name, each in url.items()}
        scheme, _, rest = url.partition("://")
        path = "/" + rest.partition("/")[2]
        return (paper["ws"] if scheme == "wss" else paper["rest"]) + path

    return moved


def a_feed(paper: dict[str, Any], *symbols: str) -> UnifiedFeed:
    return UnifiedFeed(
        exchange="binance",
        exit_=Egress("127.0.0.1"),
        symbols=symbols,
        clock=SystemClock(),
        chance=random.Random(1),
        urls=moved_to(paper),
        options={"fetchMarkets": {"types": ["spot"]}, "fetchMargins": False, "fetchCurrencies": False},
    )


def trades_of(paper: dict[str, Any]) -> Any:
    with urllib.request.urlopen(f"{paper['rest']}/api/v3/trades?symbol=BTCUSDT&limit=1000", timeout=5) as answer:
        return json.load(answer)


async def test_books_and_trades_of_a_venue_come_as_records_that_join(paper: dict[str, Any]) -> None:
    feed, written, enough = a_feed(paper, "BTC/USDT"), [], asyncio.Event()

    def sink(record: Record) -> bool:
        written.append(record)
        if sum(isinstance(r, DepthUpdate) for r in written) >= 10 and any(isinstance(r, TradeSeen) for r in written):
            enough.set()
        return True

    await feed.open()
    try:
        (btc,) = await feed.instruments()
        assert (btc.venue_symbol, btc.tick, btc.lot, btc.min_notional) == (
            "BTCUSDT", Decimal("0.01"), Decimal("0.00001"), 5,
        )  # fmt: skip
        tap = Tap(feed, sink, clock=SystemClock(), chance=random.Random(2), snapshot_every_s=0.5)
        running = asyncio.create_task(tap.run((btc,)))
        await asyncio.wait_for(enough.wait(), 15)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    finally:
        await feed.close()
    spec = spec_of(Listed(symbol=btc.venue_symbol, base=btc.base, quote=btc.quote, tick=btc.tick, lot=btc.lot), SPOT)
    live = Live([spec])
    exchange = Exchange([spec], [], live, now=1)
    for record in written:
        live.push(record)
    exchange.advance(2)
    assert sum(isinstance(record, Snapshot) for record in written) >= 2
    assert live.differences == 0
    last = next(record for record in reversed(written) if isinstance(record, Snapshot))
    assert last.bids[0][0] < last.asks[0][0]
    known = {
        t["id"]: (Decimal(t["price"]), Decimal(t["qty"]), t["isBuyerMaker"])
        for t in await asyncio.to_thread(trades_of, paper)
    }
    trades = [record for record in written if isinstance(record, TradeSeen)]
    assert [known[t.trade_id] for t in trades] == [(t.price, t.quantity, t.buyer_is_maker) for t in trades]


async def test_an_instrument_that_is_not_listed_is_named(paper: dict[str, Any]) -> None:
    feed = a_feed(paper, "BTC/USDT", "NO/PE")
    await feed.open()
    with pytest.raises(VenueFailed) as caught:
        await feed.instruments()
    await feed.close()
    assert caught.value.cause == "the venue does not list all of NO/PE"


def test_a_book_that_turned_tells_what_changed_and_nothing_else() -> None:
    shown = _Shown()
    one = {"bids": [[100.1, 2.0], [99.5, 1.0]], "asks": [[100.2, 3.0]], "timestamp": 5}
    assert shown.turn("x", one, 7) is None  # type: ignore[arg-type]
    assert shown.turn("x", one, 8) is None  # type: ignore[arg-type]
    two = {"bids": [[100.1, 2.5], [99.4, 1.0], [99.3, 0.0]], "asks": [[100.2, 3.0]], "timestamp": None}
    diff = shown.turn("x", two, 9)  # type: ignore[arg-type]
    assert diff is not None
    assert (diff.first_id, diff.last_id, diff.at, diff.asks) == (2, 2, 9, ())
    assert dict(diff.bids) == {Decimal("99.5"): 0, Decimal("100.1"): Decimal("2.5"), Decimal("99.4"): 1}
    assert shown.snapshot().bids == ((Decimal("100.1"), Decimal("2.5")), (Decimal("99.4"), Decimal(1)))


def test_venues_that_ccxt_cannot_stream_are_told_apart() -> None:
    assert streamable("kraken")
    assert not streamable("mtgox")
    assert not streamable("__init__")
