"""All of a venue's public feed as records that join, for recorders and live markets: every trade, every change of a book.

The feed host conflates for screens; this does not. `Joiner` decides, per instrument, what may be written: nothing of a book
before its snapshot, a Gap where updates are missing, and a later snapshot only behind the update that reaches it, so that
whoever reads can compare it with the book. `Tap` runs a feed and asks for the snapshots.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from random import Random

from tradedesk.clock import Clock
from tradedesk.domain.instruments import Instrument
from tradedesk.domain.outcomes import StreamState
from tradedesk.domain.words import InstrumentId
from tradedesk.log import Log
from tradedesk.recording.records import DepthUpdate, Gap, Record, Snapshot, TradeSeen
from tradedesk.venues.adapter import VenueFailed
from tradedesk.venues.backoff import back_off_s
from tradedesk.venues.feed import DepthDiff, DepthSnapshot, Printed, PublicFeed, PublicNews, Unsound

MOST_WAITING = 1_000  # updates kept for a snapshot that is on its way: 100 s of them
SILENT_NS = 30 * 1_000_000_000  # no news of any instrument: the stream may be open and dead (F13)
SNAPSHOT_EVERY_S = 60.0
_WEIGHT_APART_S = 0.6  # between snapshots of many instruments: each costs 50 of 6,000 a minute
_MANY = 50


class Joiner:
    """What of one instrument's feed follows from what. Pure; times are handed in (`at`: ns, our clock)."""

    def __init__(self, symbol: str) -> None:
        self.symbol = symbol
        self._last_id: int | None = None  # None: the book is not known
        self._waiting: deque[DepthUpdate] = deque(maxlen=MOST_WAITING)
        self._awaited: DepthSnapshot | None = None
        self._trades = 0

    @property
    def is_joined(self) -> bool:
        return self._last_id is not None

    def lose(self, at: int, reason: str) -> list[Record]:
        """Nothing is certain any more. Said once, if the book was known."""
        was_joined = self._last_id is not None
        self._last_id = None
        self._awaited = None
        self._waiting.clear()
        return [Gap(at=at, symbol=self.symbol, reason=reason)] if was_joined else []

    def hear(self, news: DepthDiff | Printed, at: int) -> list[Record]:
        """What can be written of it now. After a Gap among them a snapshot is needed."""
        if isinstance(news, Printed):
            trade = news.trade
            return [
                TradeSeen(
                    at=at,
                    symbol=self.symbol,
                    trade_id=self._trade_id(trade.trade_id),
                    price=trade.price,
                    quantity=trade.qty,
                    buyer_is_maker=not trade.taker_is_buyer,
                    venue_at=trade.at,
                )
            ]
        update = DepthUpdate(
            at=at,
            symbol=self.symbol,
            first_id=news.first_id,
            last_id=news.last_id,
            bids=news.bids,
            asks=news.asks,
            venue_at=news.at,
        )
        return self._update(update, at)

    def _trade_id(self, told: str) -> int:
        """The venue's number of a trade; where it names trades by texts, we count them."""
        self._trades += 1
        return int(told) if told.isdecimal() and told.isascii() and len(told) <= 18 else self._trades

    def _update(self, update: DepthUpdate, at: int) -> list[Record]:
        if self._last_id is None:
            self._waiting.append(update)
            return []
        if update.last_id <= self._last_id:
            return []
        if update.first_id > self._last_id + 1:
            lost = self.lose(at, f"updates {self._last_id + 1} to {update.first_id - 1} are missing")
            self._waiting.append(update)
            return lost
        self._last_id = update.last_id
        return [update, *self._reached(at)]

    def _reached(self, at: int) -> list[Record]:
        """The snapshot that was ahead of the updates, once they are there."""
        awaited = self._awaited
        if awaited is None or self._last_id is None or self._last_id < awaited.last_id:
            return []
        self._awaited = None
        return [_snapshot(self.symbol, awaited, at)]

    def joined(self, snapshot: DepthSnapshot, at: int) -> list[Record] | None:
        """What a snapshot adds: the start of the book, or something to compare it with. None: it is too old, take another."""
        if self._last_id is not None:
            if snapshot.last_id < self._last_id:
                return None
            self._awaited = snapshot
            return self._reached(at)
        waiting = list(self._waiting)
        if waiting and snapshot.last_id + 1 < waiting[0].first_id:
            return None
        self._waiting.clear()
        self._last_id = snapshot.last_id
        written: list[Record] = [_snapshot(self.symbol, snapshot, at)]
        for update in waiting:
            written += self._update(update, at)
        return written


def _snapshot(symbol: str, snapshot: DepthSnapshot, at: int) -> Snapshot:
    return Snapshot(at=at, symbol=symbol, last_id=snapshot.last_id, bids=snapshot.bids, asks=snapshot.asks)


class Tap:
    """Runs one feed on the loop it is run on. `sink` takes each record and says whether it could: if not, books are lost."""

    def __init__(
        self,
        feed: PublicFeed,
        sink: Callable[[Record], bool],
        *,
        clock: Clock,
        chance: Random,
        snapshot_every_s: float = SNAPSHOT_EVERY_S,
    ) -> None:
        self._feed = feed
        self._sink = sink
        self._clock = clock
        self._chance = chance
        self._snapshot_every_s = snapshot_every_s
        self._log = Log()
        self._joiners: dict[InstrumentId, Joiner] = {}
        self._instruments: dict[InstrumentId, Instrument] = {}
        self._wanted: dict[InstrumentId, None] = {}  # whose snapshot is to be taken, in this order
        self._wake = asyncio.Event()
        self._heard_at = 0  # monotonic ns
        self.is_up = False
        self.cause = "not connected yet"  # why it is not up
        self.all_joined = asyncio.Event()  # every book was known at one moment

    async def run(self, instruments: tuple[Instrument, ...]) -> None:
        """Feed the sink until cancelled; the venue may go and come back. The feed is open already and stays open."""
        self._instruments = {instrument.id: instrument for instrument in instruments}
        self._joiners = {instrument.id: Joiner(instrument.venue_symbol) for instrument in instruments}
        self._heard_at = self._clock.monotonic()
        tasks = [asyncio.create_task(chore) for chore in (self._stream(instruments), self._snapshots(), self._again())]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()  # none ends but by failing
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    # -- what comes ---------------------------------------------------------------------------------------------------
    async def _stream(self, instruments: tuple[Instrument, ...]) -> None:
        """The stream, begun anew when it is open and says nothing."""
        while True:
            running = asyncio.create_task(self._feed.run(instruments, self._hear))
            try:
                while not running.done() and self._clock.monotonic() - self._heard_at < SILENT_NS:
                    await asyncio.wait({running}, timeout=1.0)
                if running.done():
                    running.result()
                    return
            finally:
                running.cancel()
                await asyncio.gather(running, return_exceptions=True)
            self._lose_all(f"no news for {SILENT_NS // 1_000_000_000} s; connecting anew")
            self._heard_at = self._clock.monotonic()

    def _hear(self, news: PublicNews) -> None:
        self._heard_at = self._clock.monotonic()
        if isinstance(news, StreamState):
            self.is_up, self.cause = news.is_up, news.cause
            self._lose_all(news.cause or "the stream began anew")
            if news.is_up:
                self._wanted.update(dict.fromkeys(self._instruments))
                self._wake.set()
            return
        joiner = self._joiners.get(news.instrument)
        if joiner is None:
            return
        match news:
            case DepthDiff() | Printed():
                self._write(news.instrument, joiner.hear(news, self._clock.now()))
            case Unsound(is_book=True, reason=reason):
                self._write(news.instrument, joiner.lose(self._clock.now(), f"an update could not be read: {reason}"))

    def _lose_all(self, reason: str) -> None:
        for joiner in self._joiners.values():
            for record in joiner.lose(self._clock.now(), reason):
                self._sink(record)

    def _write(self, instrument: InstrumentId, records: list[Record]) -> None:
        for record in records:
            if not self._sink(record):
                for gap in self._joiners[instrument].lose(self._clock.now(), "the reader did not keep up"):
                    self._sink(gap)
                self._want(instrument)
                return
            if isinstance(record, Gap):
                self._want(instrument)

    # -- snapshots ----------------------------------------------------------------------------------------------------
    def _want(self, instrument: InstrumentId) -> None:
        self._wanted[instrument] = None
        self._wake.set()

    async def _again(self) -> None:
        """One instrument after the other, each about once in a period."""
        apart = max(self._snapshot_every_s / len(self._instruments), _WEIGHT_APART_S)
        if len(self._instruments) == 1:
            apart = self._snapshot_every_s
        while True:
            for instrument in self._instruments:
                await asyncio.sleep(apart)
                if self._joiners[instrument].is_joined:
                    self._want(instrument)

    async def _snapshots(self) -> None:
        failures = 0
        while True:
            await self._wake.wait()
            if not self._wanted or not self.is_up:
                self._wake.clear()
                continue
            instrument = next(iter(self._wanted))
            del self._wanted[instrument]
            try:
                snapshot = await self._feed.snapshot(self._instruments[instrument])
                written = self._joiners[instrument].joined(snapshot, self._clock.now())
                failures = 0
            except VenueFailed as error:
                self._log.warning("book_not_read", instrument=instrument, cause=error.cause)
                written = None
                failures += 1
            if written is None:
                self._wanted.setdefault(instrument)
                await asyncio.sleep(back_off_s(max(failures, 1), self._chance))
            else:
                self._write(instrument, written)
                if not self.all_joined.is_set() and all(joiner.is_joined for joiner in self._joiners.values()):
                    self.all_joined.set()
            if len(self._instruments) > _MANY:
                await asyncio.sleep(_WEIGHT_APART_S)
