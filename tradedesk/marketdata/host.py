"""The feed host of a venue: one thread that keeps every market of it and tells what changed, at the rate of a screen."""

import asyncio
import contextlib
import random
import threading
from collections.abc import Callable, Coroutine
from typing import Any

import msgspec

from tradedesk.clock import Clock
from tradedesk.domain.events import Event, FeedChanged, InstrumentListed
from tradedesk.domain.instruments import FeedState, Instrument, Quote
from tradedesk.domain.outcomes import StreamState
from tradedesk.domain.words import InstrumentId, VenueId
from tradedesk.log import Log
from tradedesk.marketdata.candles import MOST
from tradedesk.marketdata.market import STALE_AFTER_NS, Market, Need
from tradedesk.venues.adapter import Markets, VenueFailed
from tradedesk.venues.backoff import back_off_s
from tradedesk.venues.feed import PublicFeed, PublicNews

FRAME_S = 0.1
FRAMES_PER_CANDLES = 5
RELIST_S = 300.0  # ticks, lots and trading states change while we run (F29, F30)
RELIST_GAP_S = 5.0  # at least, between two reads because an order was refused: each costs 20 of 6,000 a minute
SILENT_NS = 30 * 1_000_000_000  # no news of any market: the stream may be open and dead (F13)
STOOD_STILL_NS = 15 * 1_000_000_000  # without a frame of ours: the desk was stopped, or the machine slept (F59)
BOOK_EVERY_NS = 2 * 1_000_000_000  # between snapshots of one market: each costs 50 of 6,000 a minute
STOP_WITHIN_S = 5.0


class FeedHost:
    """A thread of its own. Others may call `start`, `stop` and `quote`, and nothing else; `publish` is called on the thread."""

    def __init__(
        self,
        *,
        venue: VenueId,
        feed: Callable[[], PublicFeed],
        markets: Markets,
        publish: Callable[[Event], None],
        clock: Clock,
        chance: random.Random,
    ) -> None:
        self._build_feed = feed  # called on the thread: it brings in ccxt, and the first paint must not wait for that
        self._feed: PublicFeed
        self._listed = markets
        self._publish = publish
        self._clock = clock
        self._chance = chance
        self._source = f"feed:{venue}"
        self._log = Log(venue=venue)
        self._markets: dict[InstrumentId, Market] = {}
        self._quotes: dict[InstrumentId, tuple[Quote, int]] = {}  # replaced entry by entry; read from any thread
        self._fetching: dict[tuple[InstrumentId, Need], asyncio.Task[None]] = {}
        self._book_asked_at: dict[InstrumentId, int] = {}  # monotonic ns
        self._connected_at: int | None = None  # monotonic ns
        self._alive_at: int | None = None  # monotonic ns
        self._stood_still = False  # since when what the open stream still holds is of the past
        self._is_doubted = asyncio.Event()  # whether an account was refused by rules that it knew otherwise
        self._is_ready = threading.Event()
        self._stop: Callable[[], object] | None = None
        self._thread: threading.Thread | None = None

    # -- from any thread --------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Returns when the thread is up; the venue may be away."""
        if self._thread is not None:
            raise RuntimeError(f"{self._source} is running already")
        self._thread = threading.Thread(target=self._run_thread, name=self._source, daemon=True)
        self._thread.start()
        self._is_ready.wait()

    def stop(self) -> None:
        """End the thread and wait for it. Doing it twice changes nothing."""
        thread, self._thread = self._thread, None
        if thread is None or self._stop is None:
            return
        self._stop()
        thread.join(STOP_WITHIN_S)
        if thread.is_alive():
            self._log.error("feed_host_hangs")

    def quote(self, instrument: InstrumentId) -> tuple[Quote, int] | None:
        """The newest quote and its age in ns by the monotonic clock; None before there is one."""
        kept = self._quotes.get(instrument)
        if kept is None:
            return None
        quote, heard_at = kept
        age = self._clock.monotonic() - heard_at
        if quote.state is FeedState.Live and age > STALE_AFTER_NS:  # also if the host itself hangs
            quote = msgspec.structs.replace(quote, state=FeedState.Stale)
        return quote, age

    # -- the thread -------------------------------------------------------------------------------------------------------

    def _run_thread(self) -> None:
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            loop = runner.get_loop()
            main = loop.create_task(self._live())
            self._listed.when_doubted = lambda: _soon(loop, self._is_doubted.set)
            self._stop = lambda: loop.call_soon_threadsafe(main.cancel)
            self._is_ready.set()

            async def until_cancelled() -> None:
                await asyncio.wait({main})

            runner.run(until_cancelled())

    async def _live(self) -> None:
        """Serve until cancelled; what breaks is told and begun anew (F69)."""
        failures = 0
        self._feed = self._build_feed()
        try:
            while True:
                started = self._clock.monotonic()
                cause: Exception
                try:
                    await self._serve()
                except VenueFailed as error:
                    cause = error
                except Exception as error:
                    cause = error
                    self._log.error("feed_host_failed", cause=error)
                failures = 1 if self._clock.monotonic() - started > SILENT_NS else failures + 1
                text = cause.cause if isinstance(cause, VenueFailed) else "the feed host failed and starts anew"
                self._disconnected(text)
                await asyncio.sleep(back_off_s(failures, self._chance))
        finally:
            await self._feed.close()

    async def _serve(self) -> None:
        await self._feed.open()
        instruments = await self._feed.instruments()
        self._list(instruments)
        chores: tuple[Coroutine[Any, Any, None], ...] = (self._stream(instruments), self._frames(), self._relist())
        tasks = [asyncio.create_task(chore) for chore in chores]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()  # none ends but by failing
        finally:
            self._drop_fetches()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _list(self, instruments: tuple[Instrument, ...]) -> None:
        known = {instrument.id: instrument for instrument in self._listed.instruments}
        self._listed.put(instruments)
        for instrument in instruments:
            market = self._markets.get(instrument.id)
            if market is None:
                self._markets[instrument.id] = Market(instrument, self._source)
            if market is None or known.get(instrument.id) != instrument:
                self._publish(InstrumentListed(at=self._clock.now(), source=self._source, instrument=instrument))

    async def _relist(self) -> None:
        """Read the rules anew on a timer, and at once when an order was refused by them."""
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(RELIST_S):
                    await self._is_doubted.wait()
            self._is_doubted.clear()
            try:
                self._list(await self._feed.instruments())
            except VenueFailed as error:
                self._log.warning("instruments_not_read", cause=error.cause)
            await asyncio.sleep(RELIST_GAP_S)

    async def _stream(self, instruments: tuple[Instrument, ...]) -> None:
        """The stream, begun anew when it is open and says nothing of any market."""
        while True:
            self._stood_still = False
            self._alive_at = self._clock.monotonic()
            running = asyncio.create_task(self._feed.run(instruments, self._hear))
            try:
                while not running.done() and not self._is_silent() and not self._stood_still:
                    await asyncio.wait({running}, timeout=1.0)
                if running.done():
                    running.result()
                    return
            finally:
                running.cancel()
                await asyncio.gather(running, return_exceptions=True)
            if not self._stood_still:
                self._disconnected(f"no news of any market for {SILENT_NS // 1_000_000_000} s; connecting anew")

    def _live_on(self, monotonic: int) -> None:
        """A sign of life. If the last one is long ago, what is queued is old: no market is believed until a new stream."""
        last, self._alive_at = self._alive_at, monotonic
        if last is not None and monotonic - last > STOOD_STILL_NS and not self._stood_still:
            self._stood_still = True
            self._disconnected(f"the desk stood still for {(monotonic - last) // 1_000_000_000} s; connecting anew")

    def _is_silent(self) -> bool:
        now = self._clock.monotonic()
        if self._connected_at is None or now - self._connected_at < SILENT_NS:
            return False
        ages = [market.silent_ns(now) for market in self._markets.values()]
        return all(age is None or age > SILENT_NS for age in ages)

    def _hear(self, news: PublicNews) -> None:
        now, monotonic = self._clock.now(), self._clock.monotonic()
        self._live_on(monotonic)
        if self._stood_still:
            return
        if isinstance(news, StreamState):
            if not news.is_up:
                self._disconnected(news.cause)
                return
            self._connected_at = monotonic
            self._drop_fetches()
            for market in self._markets.values():
                self._fetch(market, market.connected())
            return
        market = self._markets[news.instrument]
        self._fetch(market, market.hear(news, now=now, monotonic=monotonic))
        self._quotes[news.instrument] = market.quote(monotonic)

    def _disconnected(self, cause: str) -> None:
        self._connected_at = None
        self._drop_fetches()
        for market in self._markets.values():
            market.disconnected(cause)
        self._tell_states()

    # -- what is fetched --------------------------------------------------------------------------------------------------

    def _fetch(self, market: Market, needs: tuple[Need, ...]) -> None:
        for need in needs:
            key = (market.instrument.id, need)
            running = self._fetching.get(key)
            if running is None or running.done():
                chore = self._fetch_book(market) if need is Need.Book else self._fetch_candles(market)
                self._fetching[key] = task = asyncio.get_running_loop().create_task(chore)
                task.add_done_callback(self._fetched)

    def _fetched(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and task.exception() is not None:
            self._log.error("fetch_failed", cause=task.exception())

    def _drop_fetches(self) -> None:
        for task in self._fetching.values():
            task.cancel()
        self._fetching.clear()

    async def _fetch_book(self, market: Market) -> None:
        failures = 0
        wait_ns = self._book_asked_at.get(market.instrument.id, 0) + BOOK_EVERY_NS - self._clock.monotonic()
        if wait_ns > 0:
            await asyncio.sleep(wait_ns / 1_000_000_000)
        while True:
            self._book_asked_at[market.instrument.id] = self._clock.monotonic()
            try:
                snapshot = await self._feed.snapshot(market.instrument)
                if market.joined(snapshot, now=self._clock.now(), monotonic=self._clock.monotonic()):
                    self._quotes[market.instrument.id] = market.quote(self._clock.monotonic())
                    return
            except VenueFailed as error:
                self._log.warning("book_not_read", instrument=market.instrument.id, cause=error.cause)
            failures += 1
            await asyncio.sleep(back_off_s(failures, self._chance))

    async def _fetch_candles(self, market: Market) -> None:
        failures = 0
        while True:
            try:
                market.history(await self._feed.candles(market.instrument, MOST))
            except VenueFailed as error:
                self._log.warning("candles_not_read", instrument=market.instrument.id, cause=error.cause)
                failures += 1
                await asyncio.sleep(back_off_s(failures, self._chance))
            else:
                return

    # -- what is told -----------------------------------------------------------------------------------------------------

    async def _frames(self) -> None:
        """Conflated at the source: the latest wins, however much arrived (F56)."""
        count = 0
        while True:
            await asyncio.sleep(FRAME_S)
            count += 1
            self._live_on(self._clock.monotonic())
            self._tell_states()
            now = self._clock.now()
            for market in self._markets.values():
                frames: list[Event | None] = [market.take_tape(now=now)]
                if count % FRAMES_PER_CANDLES == 0:
                    frames.append(market.take_candles(now=now))
                for frame in frames:
                    if frame is not None:
                        self._publish(frame)

    def _tell_states(self) -> None:
        now, monotonic = self._clock.now(), self._clock.monotonic()
        for market in self._markets.values():
            changed: FeedChanged | None = market.take_state(now=now, monotonic=monotonic)
            if changed is not None:
                self._publish(changed)
            book = market.take_book(now=now, monotonic=monotonic)
            if book is not None:
                self._publish(book)
            self._quotes[market.instrument.id] = market.quote(monotonic)


def _soon(loop: asyncio.AbstractEventLoop, work: Callable[[], None]) -> None:
    with contextlib.suppress(RuntimeError):  # it has ended
        loop.call_soon_threadsafe(work)


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop  # noqa: PLC0415  (not made for every platform)
    except ImportError:
        return None
    return uvloop.new_event_loop
