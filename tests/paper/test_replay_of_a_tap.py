"""What the tap writes of a synthetic exchange, whose snapshots and stream overtake each other, is replayed as it was."""

import random

import pytest
from builders import an_instrument
from msgspec import structs
from paper_builders import SECOND, T0

from tradedesk.domain.instruments import PublicTrade
from tradedesk.marketdata.tap import Joiner
from tradedesk.paper import listing
from tradedesk.paper.exchange import Exchange
from tradedesk.paper.replay import Replay
from tradedesk.paper.rows import Print
from tradedesk.paper.synthetic import Synthetic
from tradedesk.recording.records import DepthUpdate, Header, Listed, Snapshot, TradeSeen
from tradedesk.recording.writing import write
from tradedesk.venues.feed import DepthDiff, DepthSnapshot, Printed

MS = 1_000_000
SPECS = {spec.symbol: spec for spec in listing.default_specs(3)}


def trade_news(exchange, instrument):
    for event in exchange.drain():
        if isinstance(event, Print):
            trade = PublicTrade(
                trade_id=str(event.trade_id),
                price=event.price,
                qty=event.quantity,
                taker_is_buyer=not event.buyer_is_maker,
                at=event.time // MS * MS,
            )
            yield Printed(instrument=instrument.id, trade=trade)


def depth_news(exchange, instrument, now):
    delta = exchange.take_book_delta(instrument.venue_symbol)
    if delta is not None:
        yield DepthDiff(
            instrument=instrument.id,
            first_id=delta.first_update_id,
            last_id=delta.last_update_id,
            bids=delta.bids,
            asks=delta.asks,
            at=now // MS * MS,
        )


def heard(spec, rng, *, seconds, deep):
    """(when it came, news or snapshot), by two connections, each in its own order; times in the news are whole ms."""
    exchange = Exchange([spec], [], Synthetic([spec], rng.randrange(1_000)), now=T0)
    exchange.take_book_delta(spec.symbol)
    exchange.drain()
    instrument = structs.replace(an_instrument(), venue_symbol=spec.symbol)
    came = {"stream": 0, "rest": 0}  # when the last thing came this way
    arrivals = []

    def send(way, now, items):
        came[way] = max(came[way], now + rng.choice([0, 0, 1, 30, 250]) * MS)
        place = rng.random() if way == "rest" else 0.5  # which of two that come at one moment is read first
        arrivals.extend((came[way], place, number, item) for number, item in enumerate(items, len(arrivals)))

    now, tick, asks_at = T0, T0 + SECOND // 10, T0 + rng.randrange(SECOND)
    while now < T0 + seconds * SECOND:
        now = min(now + rng.choice([1, 1, 5, 40]) * MS // 2, tick, asks_at)
        exchange.advance(now)
        send("stream", now, trade_news(exchange, instrument))  # a question too hands out first what happened before it
        if now == asks_at:
            depth = exchange.depth(spec.symbol, deep)
            send("rest", now, [DepthSnapshot(last_id=depth.last_update_id, bids=depth.bids, asks=depth.asks)])
            asks_at += rng.randrange(SECOND // 20, SECOND)
        if now == tick:
            send("stream", now, depth_news(exchange, instrument, now))
            tick += SECOND // 10
    arrivals.sort(key=lambda arrival: arrival[:3])
    return [(at, item) for at, _, _, item in arrivals]


@pytest.mark.parametrize("symbol", ["BTCUSDT", "SOLUSDT"])
@pytest.mark.parametrize("seed", range(6))
def test_whatever_overtakes_what_the_replay_has_the_book_at_every_snapshot(tmp_path, symbol, seed):
    rng, spec = random.Random(f"{symbol} {seed}"), SPECS[symbol]
    joiner, records = Joiner(symbol), []
    for at, item in heard(spec, rng, seconds=12, deep=rng.choice([20, 200, 1_000])):
        records += (joiner.joined(item, at) or []) if isinstance(item, DepthSnapshot) else joiner.hear(item, at)
    listed = Listed(symbol=symbol, base=spec.base, quote=spec.quote, tick=spec.tick, lot=spec.lot)
    header = Header(venue="binance", kind="spot", started_at=T0, instruments=(listed,))
    write(tmp_path / "day.gz", header, records)

    replay = Replay(tmp_path / "day.gz")
    again = Exchange(replay.specs, [], replay, now=T0)
    again.advance(T0 + 60 * SECOND)
    assert replay.ended
    for kind in (Snapshot, DepthUpdate, TradeSeen):
        assert sum(isinstance(record, kind) for record in records) > 5
    assert replay.differences == 0
