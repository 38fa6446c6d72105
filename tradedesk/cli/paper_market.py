"""What everyone else does on a paper exchange, as the options of `tradedesk paper` name it: made, fed and ended here."""

import asyncio
import contextlib
import random
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from tradedesk.cli.public_feed import FeedError, checked_symbols, feed_of

if TYPE_CHECKING:
    from tradedesk.domain.instruments import Instrument
    from tradedesk.paper.live import Live
    from tradedesk.paper.market import Market
    from tradedesk.paper.rows import Spec
    from tradedesk.recording.records import Record
    from tradedesk.venues.feed import PublicFeed

MARKETS = ("synthetic", "replay", "live")
READY_WITHIN_S = 30.0  # every book must be known by then, and a second more for each
_STOP_WITHIN_S = 5.0


class MarketError(Exception):
    """The market cannot be had; one plain sentence."""


@dataclass(frozen=True, kw_only=True)
class MarketAsked:
    """The options that are about the market, as given."""

    market: str
    seed: int
    instruments: int | None = None
    recording: Path | None = None
    speed: float = 1.0
    exchange: str | None = None
    url: str | None = None
    symbols: tuple[str, ...] = ()
    egress: str | None = None

    def mistake(self) -> str | None:
        """The first option that does not go with the others; None if all do."""
        if self.market == "replay" and self.recording is None:
            return "--recording: is missing; name the recording that --market replay is to play"
        if self.market != "replay" and self.recording is not None:
            return "--recording: goes with --market replay only; add it or leave the recording out"
        if self.market == "live" and not self.symbols:
            return "--instrument: is missing; name what --market live is to follow, like BTC/USDT"
        for name, value in (("exchange", self.exchange), ("url", self.url), ("instrument", self.symbols)):
            if self.market != "live" and value:
                return f"--{name}: goes with --market live only; add it or leave the {name} out"
        if self.market != "synthetic" and self.instruments is not None:
            return "--instruments: goes with --market synthetic only, which can make any number"
        if not 0 < self.speed <= 1_000:
            return f"--speed: {self.speed} must be above 0 and at most 1000"
        return None


@dataclass(kw_only=True)
class Chosen:
    """A market with its instruments. `stop` is called on the exchange's thread when it cannot go on; then `failure` says why."""

    specs: "list[Spec]"
    market: "Market"
    futures: "Market | None" = None  # of a futures recording; the spot market is quiet then
    futures_specs: "list[Spec]" = field(default_factory=list)
    stop: Callable[[], None] = lambda: None
    failure: str = ""
    close: Callable[[], None] = field(default=lambda: None)  # ends what feeds it


def chosen(asked: MarketAsked) -> Chosen:
    """Raises MarketError."""
    if asked.market == "live":
        return _live(asked)
    return _synthetic(asked) if asked.recording is None else _replay(asked, asked.recording)


def _synthetic(asked: MarketAsked) -> Chosen:
    from tradedesk.paper.synthetic import Synthetic, default_specs

    specs = default_specs(asked.instruments or 3)
    return Chosen(specs=specs, market=Synthetic(specs, asked.seed))


def _replay(asked: MarketAsked, recording: Path) -> Chosen:
    from tradedesk.paper.listing import default_specs
    from tradedesk.paper.market import Quiet
    from tradedesk.paper.replay import Replay
    from tradedesk.recording.records import SPOT, RecordingError

    def told_end(sentence: str, is_damaged: bool) -> None:
        if is_damaged:
            made.failure = f"--recording: {sentence}"
            made.stop()
        else:
            print(sentence, file=sys.stderr, flush=True)

    try:
        replay = Replay(recording, speed=asked.speed, told_end=told_end)
    except RecordingError as error:
        raise MarketError(f"--recording: {error}") from None
    if replay.kind == SPOT:
        made = Chosen(specs=replay.specs, market=replay)
    else:
        made = Chosen(specs=default_specs(), market=Quiet(), futures=replay, futures_specs=replay.specs)
    return made


def _live(asked: MarketAsked) -> Chosen:
    from tradedesk.clock import SystemClock
    from tradedesk.paper.live import Live
    from tradedesk.paper.recorded import spec_of
    from tradedesk.recording.records import SPOT, Listed

    clock, chance = SystemClock(), random.SystemRandom()
    try:
        symbols = checked_symbols(list(asked.symbols))
        feed = feed_of(asked.exchange or "binance", asked.url, symbols, asked.egress, clock, chance)
    except FeedError as error:
        raise MarketError(str(error)) from None

    def market_for(instruments: "tuple[Instrument, ...]") -> "Live":
        for one in instruments:
            listed = Listed(symbol=one.venue_symbol, base=one.base, quote=one.quote, tick=one.tick, lot=one.lot)
            specs.append(spec_of(listed, SPOT))
        return Live(specs)

    specs: list[Spec] = []
    following = _Following(feed, market_for, READY_WITHIN_S + len(symbols))
    return Chosen(specs=specs, market=following.start(), close=following.stop)


class _Following:
    """A thread that runs a public feed and pushes what it says into a live market. Others may call `start` and `stop`."""

    def __init__(
        self, feed: "PublicFeed", market_for: "Callable[[tuple[Instrument, ...]], Live]", patience_s: float
    ) -> None:
        self._feed = feed
        self._market_for = market_for
        self._ready = threading.Event()
        self._patience_s = patience_s
        self._cause = f"not every book was shown within {patience_s:.0f} s"
        self._live: Live | None = None
        self._cancel: Callable[[], object] = lambda: None
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), name="live-feed", daemon=True)

    def start(self) -> "Live":
        """The market, when every book of it is on its way. Raises MarketError if the venue does not show them."""
        self._thread.start()
        self._ready.wait(self._patience_s)
        if not self._ready.is_set() or self._live is None:
            self.stop()
            raise MarketError(f"--market: the live market cannot be had: {self._cause}")
        return self._live

    def stop(self) -> None:
        self._cancel()
        self._thread.join(_STOP_WITHIN_S)

    async def _run(self) -> None:
        from tradedesk.clock import SystemClock
        from tradedesk.marketdata.tap import Tap
        from tradedesk.venues.adapter import VenueFailed

        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        assert task is not None
        self._cancel = lambda: None if loop.is_closed() else loop.call_soon_threadsafe(task.cancel)
        try:
            await self._feed.open()
            instruments = await self._feed.instruments()
            live = self._market_for(instruments)

            def push(record: "Record") -> bool:
                return live.push(record)

            tap = Tap(self._feed, push, clock=SystemClock(), chance=random.SystemRandom())
            running = asyncio.create_task(tap.run(instruments))
            joined = asyncio.create_task(tap.all_joined.wait())
            try:
                await asyncio.wait((running, joined), return_when=asyncio.FIRST_COMPLETED)
                if joined.done():
                    self._live = live
                    self._ready.set()
                await running
            finally:
                for each in (running, joined):
                    each.cancel()
                await asyncio.gather(running, joined, return_exceptions=True)
        except VenueFailed as error:
            self._cause = error.cause
        except asyncio.CancelledError:
            pass
        finally:
            self._cancel = lambda: None  # it ends by itself from here on
            with contextlib.suppress(Exception):  # what cannot be closed in peace is dropped
                await self._feed.close()
            self._ready.set()
