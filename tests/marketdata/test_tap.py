"""The tap: whatever a feed says, in whatever order snapshots come, what is written joins and is the venue's book."""

import asyncio
import random
from decimal import Decimal

from builders import an_instrument
from hypothesis import given, settings
from hypothesis import strategies as st

from tradedesk.clock import ManualClock, SystemClock
from tradedesk.domain.instruments import PublicTrade
from tradedesk.domain.outcomes import StreamState
from tradedesk.marketdata.tap import SILENT_NS, Joiner, Tap
from tradedesk.recording.records import DepthUpdate, Gap, Snapshot, TradeSeen
from tradedesk.venues.adapter import VenueFailed
from tradedesk.venues.feed import DepthDiff, DepthSnapshot, Printed

BTC = an_instrument()


def d(value):
    return Decimal(value)


def a_diff(first, last, *bids):
    return DepthDiff(
        instrument=BTC.id, first_id=first, last_id=last, bids=tuple((d(p), d(q)) for p, q in bids), asks=(), at=first
    )


def a_snapshot(last_id, *bids):
    return DepthSnapshot(last_id=last_id, bids=tuple((d(p), d(q)) for p, q in bids), asks=())


def kinds(records):
    return [type(record) for record in records]


def test_updates_wait_for_the_snapshot_and_those_it_holds_are_dropped():
    joiner = Joiner("BTCUSDT")
    assert joiner.hear(a_diff(8, 9, (1, 1)), 1) == []
    assert joiner.hear(a_diff(10, 12, (1, 2)), 2) == []
    assert joiner.hear(a_diff(13, 13, (1, 3)), 3) == []
    written = joiner.joined(a_snapshot(11, (1, 5)), 4)
    assert kinds(written) == [Snapshot, DepthUpdate, DepthUpdate]
    assert [r.last_id for r in written] == [11, 12, 13]
    assert joiner.hear(a_diff(14, 20), 5)[0].first_id == 14


def test_a_snapshot_from_before_the_first_update_is_too_old():
    joiner = Joiner("BTCUSDT")
    joiner.hear(a_diff(10, 12), 1)
    assert joiner.joined(a_snapshot(8), 2) is None
    assert kinds(joiner.joined(a_snapshot(9), 3)) == [Snapshot, DepthUpdate]


def test_a_hole_is_told_once_and_the_book_begins_anew():
    joiner = Joiner("BTCUSDT")
    joiner.joined(a_snapshot(9), 1)
    (gap,) = joiner.hear(a_diff(12, 13), 2)
    assert isinstance(gap, Gap)
    assert gap.reason == "updates 10 to 11 are missing"
    assert joiner.hear(a_diff(14, 15), 3) == []
    assert joiner.lose(4, "again") == []
    assert not joiner.is_joined


def test_a_later_snapshot_stands_behind_the_update_that_reaches_it():
    joiner = Joiner("BTCUSDT")
    joiner.joined(a_snapshot(9), 1)
    assert joiner.joined(a_snapshot(12), 2) == []
    assert kinds(joiner.hear(a_diff(10, 11), 3)) == [DepthUpdate]
    assert kinds(joiner.hear(a_diff(12, 14), 4)) == [DepthUpdate, Snapshot]
    assert joiner.joined(a_snapshot(13), 5) is None  # older than what is written: there is no place for it any more
    assert kinds(joiner.joined(a_snapshot(14), 6)) == [Snapshot]


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_what_is_written_folds_to_the_venues_book_however_snapshots_and_losses_fall(data):
    """A venue's book changes one level at a time; the stream tells every few changes and may lose one."""
    joiner, book, history = Joiner("BTCUSDT"), {}, [{}]
    written, told, wants = [], 0, True
    for number in range(1, data.draw(st.integers(5, 40))):
        price, quantity = data.draw(st.integers(1, 4)), data.draw(st.integers(0, 3))
        book[price] = quantity
        history.append(dict(book))
        if data.draw(st.booleans()):
            if data.draw(st.integers(0, 9)):
                changed = {
                    p: q
                    for n in range(told + 1, number + 1)
                    for p, q in history[n].items()
                    if history[n - 1].get(p) != q
                }
                final = [(p, history[number][p]) for p in changed]
                records = joiner.hear(a_diff(told + 1, number, *final), number)
                wants = wants or any(isinstance(r, Gap) for r in records)
                written += records
            told = number
        if wants or data.draw(st.integers(0, 4)) == 0:
            as_of = data.draw(st.integers(max(0, number - 3), number))
            records = joiner.joined(a_snapshot(as_of, *((p, q) for p, q in history[as_of].items() if q)), number)
            wants = wants and records is None
            written += records or []
    folded, known, last_update = {}, None, frozenset()
    for record in written:
        match record:
            case Gap():
                known = None
            case Snapshot() if known is None:
                folded, known = dict(record.bids), record.last_id
            case Snapshot():
                assert record.last_id <= known
                unsure = last_update if record.last_id != known else frozenset()
                says = dict(record.bids)
                assert {p: q for p, q in folded.items() if p not in unsure} == {
                    p: q for p, q in says.items() if p not in unsure
                }
            case DepthUpdate():
                assert known is not None
                assert record.first_id <= known + 1
                known, last_update = record.last_id, frozenset(p for p, _ in record.bids)
                for price, quantity in record.bids:
                    folded[price] = quantity
                    if not quantity:
                        del folded[price]
                assert folded == {d(p): d(q) for p, q in history[known].items() if q}


class ScriptedFeed:
    """A PublicFeed that says what it is told to, and answers with the snapshots it was given."""

    def __init__(self, snapshots):
        self.snapshots = list(snapshots)
        self.sink = None
        self.is_running = asyncio.Event()

    async def open(self):
        return None

    async def close(self):
        return None

    async def instruments(self):
        return (BTC,)

    async def candles(self, instrument, count):
        return ()

    async def snapshot(self, instrument):
        answer = self.snapshots.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def run(self, instruments, sink):
        self.sink = sink
        self.is_running.set()
        await asyncio.Event().wait()


async def test_the_stream_coming_up_fetches_a_snapshot_and_going_down_leaves_a_gap():
    feed, written, came = (
        ScriptedFeed([VenueFailed("busy"), a_snapshot(5, (1, 2)), a_snapshot(9, (1, 3))]),
        [],
        asyncio.Event(),
    )

    def sink(record):
        written.append(record)
        came.set()
        return True

    async def until(kind):
        while not written or not isinstance(written[-1], kind):
            came.clear()
            await asyncio.wait_for(came.wait(), 5)

    tap = Tap(feed, sink, clock=SystemClock(), chance=random.Random(1))
    running = asyncio.create_task(tap.run((BTC,)))
    await feed.is_running.wait()
    feed.sink(StreamState(is_up=True))
    await until(Snapshot)
    assert tap.is_up
    await asyncio.wait_for(tap.all_joined.wait(), 5)
    trade = PublicTrade(trade_id="x-1", price=d(1), qty=d(2), taker_is_buyer=True, at=7)
    feed.sink(Printed(instrument=BTC.id, trade=trade))
    assert isinstance(written[-1], TradeSeen)
    assert (written[-1].trade_id, written[-1].buyer_is_maker, written[-1].venue_at) == (1, False, 7)
    feed.sink(StreamState(is_up=False, cause="the connection ended"))
    assert written[-1].reason == "the connection ended"
    assert not tap.is_up
    feed.sink(StreamState(is_up=True))
    await until(Snapshot)
    assert [type(r).__name__ for r in written] == ["Snapshot", "TradeSeen", "Gap", "Snapshot"]
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_a_reader_that_cannot_take_more_gets_a_new_snapshot_later():
    feed, written, refuses = ScriptedFeed([a_snapshot(5), a_snapshot(7)]), [], False

    def sink(record):
        if refuses and not isinstance(record, Gap):
            return False
        written.append(record)
        return True

    tap = Tap(feed, sink, clock=SystemClock(), chance=random.Random(1))
    running = asyncio.create_task(tap.run((BTC,)))
    await feed.is_running.wait()
    feed.sink(StreamState(is_up=True))
    await asyncio.wait_for(tap.all_joined.wait(), 5)
    refuses = True
    feed.sink(a_diff(6, 6))
    assert written[-1].reason == "the reader did not keep up"
    refuses = False
    feed.sink(a_diff(7, 8))
    for _ in range(10):
        await asyncio.sleep(0)  # the snapshot is there at once, but its task wants its turn
    assert kinds(written) == [Snapshot, Gap, Snapshot, DepthUpdate]
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_a_stream_that_is_open_and_says_nothing_is_begun_anew():
    """F13"""
    clock, feed, written = ManualClock(10**18), ScriptedFeed([a_snapshot(5)]), []

    def sink(record):
        written.append(record)
        return True

    tap = Tap(feed, sink, clock=clock, chance=random.Random(1))
    running = asyncio.create_task(tap.run((BTC,)))
    await feed.is_running.wait()
    feed.sink(StreamState(is_up=True))
    await asyncio.wait_for(tap.all_joined.wait(), 5)
    feed.is_running.clear()
    clock.advance(SILENT_NS + 1)
    await asyncio.wait_for(feed.is_running.wait(), 5)
    assert written[-1].reason == "no news for 30 s; connecting anew"
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
