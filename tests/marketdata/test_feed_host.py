"""The feed host as its neighbours see it: on a feed that does what a test says, and on the real paper exchange."""

import asyncio
import os
import random
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import TypeVar

import pytest
from builders import an_instrument
from paper_process import paper_process
from test_candles import a_candle
from test_market_book import a_diff, a_snapshot, levels

from tradedesk.access.egress import Egress
from tradedesk.clock import SystemClock
from tradedesk.domain.events import BookFrame, CandleFrame, Event, FeedChanged, InstrumentListed, TapeFrame
from tradedesk.domain.instruments import Candle, FeedState, Instrument
from tradedesk.domain.outcomes import StreamState
from tradedesk.domain.words import InstrumentId, VenueId
from tradedesk.marketdata.host import SILENT_NS, FeedHost
from tradedesk.marketdata.market import STALE_AFTER_NS
from tradedesk.venues.adapter import Markets, VenueFailed
from tradedesk.venues.ccxt_binance import addresses_of
from tradedesk.venues.feed import DepthSnapshot, PublicFeed, PublicNews
from tradedesk.venues.spot_feed import SpotFeed

WITHIN_S = 30
BTC = InstrumentId("binance:BTCUSDT")
ETH = InstrumentId("binance:ETHUSDT")
E = TypeVar("E", bound=Event)


class LeapingClock(SystemClock):
    """The machine's clock, whose monotonic time a test can move ahead."""

    ahead_ns = 0

    def monotonic(self) -> int:
        return super().monotonic() + self.ahead_ns


class Told:
    """What a host published. Called on its thread, read on the test's."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self._changed = threading.Condition()

    def __call__(self, event: Event) -> None:
        with self._changed:
            self.events.append(event)
            self._changed.notify_all()

    def until(self, is_enough: Callable[[], bool]) -> None:
        with self._changed:
            assert self._changed.wait_for(is_enough, WITHIN_S), self.events[-5:]

    def of(self, kind: type[E]) -> list[E]:
        return [event for event in list(self.events) if isinstance(event, kind)]

    def states(self, instrument: InstrumentId = BTC) -> list[FeedState]:
        return [event.state for event in self.of(FeedChanged) if event.instrument == instrument]


class ScriptedFeed:
    """A PublicFeed of one instrument: `lives` says what each life of its stream does."""

    def __init__(self, *lives: Callable[[Callable[[PublicNews], None]], None]) -> None:
        self._lives = list(lives)
        self.begun = 0
        self.asked = 0
        self.is_closed = False
        self.failing = 0  # how many questions go unanswered first

    async def open(self) -> None: ...

    async def close(self) -> None:
        self.is_closed = True

    async def instruments(self) -> tuple[Instrument, ...]:
        if self.failing:
            self.failing -= 1
            raise VenueFailed("no answer (ConnectionRefusedError)")
        return (an_instrument(),)

    async def run(self, instruments: tuple[Instrument, ...], sink: Callable[[PublicNews], None]) -> None:
        self.begun += 1
        sink(StreamState(is_up=True))
        if self._lives:
            self._lives.pop(0)(sink)
        await asyncio.Event().wait()

    async def snapshot(self, instrument: Instrument) -> DepthSnapshot:
        self.asked += 1
        return a_snapshot(10, levels(_99="1"), levels(_101="1"))

    async def candles(self, instrument: Instrument, count: int) -> tuple[Candle, ...]:
        return (a_candle(1),)


def a_host(feed: PublicFeed, told: Told, clock: LeapingClock, symbols: tuple[str, ...] = ("BTC/USDT",)) -> FeedHost:
    return FeedHost(
        venue=VenueId("binance"),
        feed=lambda: feed,
        markets=Markets(symbols),
        publish=told,
        clock=clock,
        chance=random.Random(1),
    )


@pytest.fixture
def hosted() -> Iterator[Callable[..., tuple[FeedHost, Told, LeapingClock]]]:
    hosts: list[FeedHost] = []

    def start(feed: PublicFeed, symbols: tuple[str, ...] = ("BTC/USDT",)) -> tuple[FeedHost, Told, LeapingClock]:
        told, clock = Told(), LeapingClock()
        host = a_host(feed, told, clock, symbols)
        hosts.append(host)
        host.start()
        return host, told, clock

    yield start
    for host in hosts:
        host.stop()
    assert not [thread for thread in threading.enumerate() if thread.name == "feed:binance"]


Hosted = Callable[..., tuple[FeedHost, Told, LeapingClock]]


def test_a_host_lists_its_instruments_and_shows_a_live_book(hosted: Hosted) -> None:
    feed = ScriptedFeed()
    host, told, _ = hosted(feed)
    told.until(lambda: told.states() == [FeedState.Live] and told.of(CandleFrame) != [])
    assert [event.instrument for event in told.of(InstrumentListed)] == [an_instrument()]
    assert told.of(BookFrame)[-1].bids == levels(_99="1")
    quoted = host.quote(BTC)
    assert quoted is not None
    assert (quoted[0].mid, quoted[0].state) == (100, FeedState.Live)
    assert 0 <= quoted[1] < STALE_AFTER_NS
    assert host.quote(ETH) is None
    host.stop()
    assert feed.is_closed


def test_a_quote_is_stale_by_its_age_even_if_the_host_hangs(hosted: Hosted) -> None:
    """5.9: whoever asks looks at the clock."""
    host, told, clock = hosted(ScriptedFeed())
    told.until(lambda: told.states() == [FeedState.Live])
    host.stop()
    clock.ahead_ns = STALE_AFTER_NS
    quoted = host.quote(BTC)
    assert quoted is not None
    assert quoted[0].state is FeedState.Stale


def test_a_flood_is_conflated_at_its_source(hosted: Hosted) -> None:
    """F56, 5.13"""

    flooding: list[Callable[[], None]] = []

    def life(sink: Callable[[PublicNews], None]) -> None:
        loop = asyncio.get_running_loop()

        def flood() -> None:
            for number in range(11, 20_011):
                sink(a_diff(number, number, levels(_99=str(number))))

        flooding.append(lambda: loop.call_soon_threadsafe(flood) and None)

    _, told, _ = hosted(ScriptedFeed(life))
    told.until(lambda: told.states() == [FeedState.Live])
    flooding[0]()
    told.until(lambda: any(frame.bids == levels(_99="20010") for frame in told.of(BookFrame)))
    assert len(told.of(BookFrame)) < 20


def test_a_stream_that_is_open_and_says_nothing_is_begun_anew(hosted: Hosted) -> None:
    """F13"""
    feed = ScriptedFeed()
    _, told, clock = hosted(feed)
    told.until(lambda: told.states() == [FeedState.Live])
    clock.ahead_ns = SILENT_NS + STALE_AFTER_NS
    told.until(lambda: FeedState.Disconnected in told.states() and told.states()[-1] is FeedState.Live)
    assert feed.begun == 2


def test_a_host_that_breaks_is_told_and_begins_anew(hosted: Hosted) -> None:
    """F69"""

    def breaks(sink: Callable[[PublicNews], None]) -> None:
        raise RuntimeError("poison")

    feed = ScriptedFeed(breaks)
    _, told, _ = hosted(feed)
    told.until(lambda: feed.begun == 2 and told.states()[-1:] == [FeedState.Live])


def test_a_venue_that_is_away_at_the_start_is_waited_for(hosted: Hosted) -> None:
    feed = ScriptedFeed()
    feed.failing = 1
    _, told, _ = hosted(feed)
    told.until(lambda: told.states() == [FeedState.Live])


def test_snapshots_are_not_asked_for_without_measure(hosted: Hosted) -> None:
    """A market that gaps on every update must not spend the venue's weight."""

    def gaps(sink: Callable[[PublicNews], None]) -> None:
        for number in range(20, 2_000, 5):
            sink(a_diff(number, number))

    feed = ScriptedFeed(gaps)
    _, told, _ = hosted(feed)
    told.until(lambda: told.of(CandleFrame) != [] and feed.asked > 0)
    assert feed.asked <= 2
    assert told.states() in ([], [FeedState.Gapped])


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def test_market_data_of_the_paper_exchange_goes_and_comes_back(hosted: Hosted) -> None:
    """F13, F35, F50: on real sockets, the exchange hung, then killed, then started anew."""
    port, symbols = free_port(), ("BTC/USDT", "ETH/USDT")
    feed = SpotFeed(
        venue=VenueId("binance"),
        exit_=Egress("127.0.0.1"),
        addresses=addresses_of(f"http://127.0.0.1:{port}"),
        symbols=symbols,
        clock=SystemClock(),
        chance=random.Random(1),
    )
    with paper_process("--port", str(port)) as paper:
        host, told, clock = hosted(feed, symbols)
        told.until(lambda: [told.states(BTC), told.states(ETH)] == [[FeedState.Live]] * 2)
        told.until(lambda: len([frame for frame in told.of(BookFrame) if frame.instrument == BTC]) > 5)
        told.until(lambda: told.of(TapeFrame) != [] and len(told.of(CandleFrame)) > 3)
        full = [frame for frame in told.of(CandleFrame) if frame.is_full]
        assert {frame.instrument for frame in full} == {BTC, ETH}
        assert len(full[0].candles) > 1
        for frame in told.of(BookFrame):
            assert frame.bids[0][0] < frame.asks[0][0]
            assert [price for price, _ in frame.bids] == sorted((p for p, _ in frame.bids), reverse=True)
            assert len(frame.bids) <= 25
        (listed, _) = told.of(InstrumentListed)
        assert (listed.instrument.tick, listed.instrument.symbol) == (Decimal("0.01"), "BTC/USDT")

        os.kill(paper["pid"], signal.SIGSTOP)
        clock.ahead_ns = STALE_AFTER_NS + 1_000_000_000
        told.until(lambda: told.states()[-1] is FeedState.Stale)
        os.kill(paper["pid"], signal.SIGCONT)
        told.until(lambda: told.states()[-1] is FeedState.Live)
    told.until(lambda: told.states()[-1] is FeedState.Disconnected)
    quoted = host.quote(BTC)
    assert quoted is not None
    assert quoted[0].state is FeedState.Disconnected
    with paper_process("--port", str(port)):
        told.until(lambda: [told.states(BTC)[-1], told.states(ETH)[-1]] == [FeedState.Live] * 2)
        assert told.of(FeedChanged)[-1].reason == ""
