"""`tradedesk record`: a venue's public books and trades into a file that `tradedesk paper --market replay` plays."""

import asyncio
import json
import random
import re
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tradedesk.cli.endings import FAILED, INTERRUPTED, USAGE, end
from tradedesk.cli.public_feed import FeedError, checked_symbols, feed_of

if TYPE_CHECKING:
    from tradedesk.clock import Clock
    from tradedesk.domain.instruments import Instrument
    from tradedesk.marketdata.tap import Tap
    from tradedesk.recording.records import Record
    from tradedesk.recording.writing import Writer
    from tradedesk.venues.feed import PublicFeed

SCHEMA = "record.v1"
FLUSH_EVERY_S = 1.0
BEGIN_WITHIN_S = 30.0  # every book must be known by then, and a second more for each: snapshots are asked for at a pace
_UNITS = {"": 1, "s": 1, "m": 60, "h": 3_600, "d": 86_400}


def record(
    *,
    file: Annotated[Path, typer.Argument(help="The recording to make, for example btc.rec.gz. Never overwritten.")],
    exchange: Annotated[str, typer.Option(help="The venue, by its name in ccxt.")] = "binance",
    url: Annotated[
        str | None, typer.Option(help="REST address of a paper or test site instead of the real venue.")
    ] = None,
    instrument: Annotated[list[str] | None, typer.Option(help="BTC/USDT; may be given again and again.")] = None,
    span: Annotated[
        str | None, typer.Option("--for", help="How long, like 60s, 15m or 2h; until stopped if not given.")
    ] = None,
    snapshot_every: Annotated[
        float, typer.Option(min=0.2, max=3_600, help="Seconds between snapshots of a book.")
    ] = 60.0,
    egress: Annotated[str | None, typer.Option(help="Address of this machine to leave by, or a proxy.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one record.v1 object at the end.")] = False,
) -> None:
    """Record the public order books and trades of a venue, for replays.

    Example: tradedesk record --exchange binance --instrument BTC/USDT --instrument ETH/USDT --for 60s btc.rec.gz
    """
    from tradedesk.clock import SystemClock
    from tradedesk.recording.records import RecordingError

    clock, chance = SystemClock(), random.SystemRandom()
    try:
        seconds = _seconds(span)
        symbols = checked_symbols(instrument or [])
        if file.exists():
            raise FeedError(f"{file}: is there already and stays as it is; name a file that is not")
        feed = feed_of(exchange, url, symbols, egress, clock, chance)
        recorder = Recorder(feed, file, exchange, clock, chance, snapshot_every_s=snapshot_every)
        asyncio.run(recorder.run(seconds))
    except FeedError as error:
        end(str(error), USAGE if str(error).startswith("--") else FAILED)
    except RecordingError as error:
        end(str(error))
    if not recorder.has_begun:
        end("stopped before the venue answered; nothing was recorded", INTERRUPTED)
    if as_json:
        print(json.dumps(recorder.described()))
    else:
        print(recorder.told(), file=sys.stderr)


def _seconds(text: str | None) -> float | None:
    """Of 60, 60s, 15m, 2h or 1d. Raises FeedError."""
    if text is None:
        return None
    found = re.fullmatch(r"(\d{1,9}(?:\.\d{1,3})?)([smhd]?)", text, re.ASCII)
    seconds = float(found[1]) * _UNITS[found[2]] if found else 0.0
    if not seconds:
        raise FeedError(f"--for: {text[:20]!r} is no length of time; write it like 60s, 15m or 2h")
    return seconds


class Recorder:
    """One recording: from the first snapshots to the time or the signal."""

    def __init__(
        self,
        feed: "PublicFeed",
        path: Path,
        venue: str,
        clock: "Clock",
        chance: random.Random,
        *,
        snapshot_every_s: float,
    ) -> None:
        self._feed = feed
        self._path = path
        self._venue = venue
        self._clock = clock
        self._chance = chance
        self._snapshot_every_s = snapshot_every_s
        self._began = 0  # ns, wall
        self._took = 0  # ns
        self._size = 0
        self._counts = dict.fromkeys(("snapshots", "updates", "trades", "gaps"), 0)
        self._symbols: tuple[str, ...] = ()
        self._patience_s = BEGIN_WITHIN_S
        self._told_at = 0
        self._failure = ""
        self._stopped = asyncio.Event()

    @property
    def has_begun(self) -> bool:
        """Whether there is a file."""
        return self._began > 0

    async def run(self, seconds: float | None) -> None:
        """Raises FeedError if the venue cannot be had, RecordingError if the file cannot."""
        from tradedesk.venues.adapter import VenueFailed

        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda _number, _frame: loop.call_soon_threadsafe(self._stopped.set))
        cause = ""
        try:
            await self._feed.open()
            instruments = await self._asked_unless_stopped()
            if instruments is not None:
                await self._record(instruments, seconds)
        except VenueFailed as error:
            cause = error.cause
        finally:
            await self._feed.close()
        if cause:
            raise FeedError(f"{self._venue} cannot be recorded: {cause}")

    async def _asked_unless_stopped(self) -> "tuple[Instrument, ...] | None":
        asked = asyncio.create_task(self._feed.instruments())
        stopped = asyncio.create_task(self._stopped.wait())
        await asyncio.wait((asked, stopped), return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        if not asked.done():
            asked.cancel()
            return None
        return asked.result()

    async def _record(self, instruments: "tuple[Instrument, ...]", seconds: float | None) -> None:
        from tradedesk.marketdata.tap import Tap
        from tradedesk.recording.records import SPOT, USDM, Header, Listed, RecordingError
        from tradedesk.recording.writing import Writer

        self._symbols = tuple(instrument.venue_symbol for instrument in instruments)
        self._patience_s = BEGIN_WITHIN_S + len(instruments)
        listed = tuple(Listed(symbol=i.venue_symbol, base=i.base, quote=i.quote, tick=i.tick, lot=i.lot) for i in instruments)  # fmt: skip
        self._began = self._clock.now()
        kinds = {
            USDM if ":" in instrument.symbol else SPOT for instrument in instruments
        }  # BTC/USDT:USDT settles in USDT
        if len(kinds) > 1:
            raise FeedError("--instrument: spot and futures go into recordings of their own; name one kind")
        header = Header(venue=self._venue, kind=kinds.pop(), started_at=self._began, instruments=listed)
        writer = Writer(self._path, header)

        def write(record: "Record") -> bool:
            with self._failing_ends():
                writer.write(record)
            self._count(record)
            return True

        tap = Tap(self._feed, write, clock=self._clock, chance=self._chance, snapshot_every_s=self._snapshot_every_s)
        running = asyncio.create_task(tap.run(instruments))
        try:
            await self._watch(tap, running, writer, seconds)
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
            with self._failing_ends():
                writer.close(self._clock.now())
            self._took = self._clock.now() - self._began
            self._size = self._path.stat().st_size
        if self._failure:
            raise RecordingError(f"{self._path}: {self._failure}; what was written before can be read")
        if not tap.all_joined.is_set() and not self._stopped.is_set():
            self._path.unlink()
            why = tap.cause if not tap.is_up else "not every book was shown"
            raise FeedError(f"{self._venue} cannot be recorded: {why} within {self._patience_s:.0f} s")

    async def _watch(self, tap: "Tap", running: "asyncio.Task[None]", writer: "Writer", seconds: float | None) -> None:
        """Until the time is over, a signal comes, or the books do not; the time counts from the last first snapshot."""
        begun: int | None = None
        started = self._clock.monotonic()
        while not self._stopped.is_set() and not running.done():
            now = self._clock.monotonic()
            if begun is None and tap.all_joined.is_set():
                begun = now
            if begun is None and now - started > self._patience_s * 1e9:
                return
            left = FLUSH_EVERY_S
            if begun is not None and seconds is not None:
                left = min(left, seconds - (now - begun) / 1e9)
                if left <= 0:
                    return
            waits = [asyncio.create_task(self._stopped.wait()), running]
            if begun is None:
                waits.append(asyncio.create_task(tap.all_joined.wait()))
            await asyncio.wait(waits, timeout=left, return_when=asyncio.FIRST_COMPLETED)
            for wait in waits:
                if wait is not running:
                    wait.cancel()
            with self._failing_ends():
                writer.flush()
            self._progress(tap, writer.size)
        if running.done():
            running.result()

    @contextmanager
    def _failing_ends(self) -> Iterator[None]:
        """Around what touches the file: a full disk ends the recording, not the feed that calls us."""
        try:
            yield
        except OSError as error:
            self._failure = f"could not be written any more ({error.strerror})"
            self._stopped.set()

    def _count(self, record: "Record") -> None:
        from tradedesk.recording.records import DepthUpdate, Gap, Snapshot, TradeSeen

        names: dict[type, str] = {
            Snapshot: "snapshots", DepthUpdate: "updates", TradeSeen: "trades", Gap: "gaps",
        }  # fmt: skip
        self._counts[names[type(record)]] += 1

    def _progress(self, tap: "Tap", size: int) -> None:
        """One line that renews itself where somebody watches, else one every ten seconds."""
        now = self._clock.monotonic()
        is_watched = sys.stderr.isatty()
        if not is_watched and now - self._told_at < 10e9:
            return
        self._told_at = now
        state = "" if tap.is_up else f"  down: {tap.cause}"
        elapsed = (self._clock.now() - self._began) / 1e9
        line = f"{elapsed:6.0f} s  {self._numbers()}  {size:,} bytes{state}"
        print(f"\r\x1b[K{line}" if is_watched else line, end="" if is_watched else "\n", file=sys.stderr, flush=True)

    def _numbers(self) -> str:
        return "  ".join(f"{count:,} {name}" for name, count in self._counts.items())

    def told(self) -> str:
        """What was recorded, for a person."""
        lead = "\r\x1b[K" if sys.stderr.isatty() else ""
        return f"{lead}{self._path}: {self._took / 1e9:.0f} s  {self._numbers()}  {self._size:,} bytes"

    def described(self) -> dict[str, object]:
        """The record.v1 object."""
        return {
            "schema": SCHEMA,
            "file": str(self._path),
            "venue": self._venue,
            "instruments": list(self._symbols),
            "started_at": self._began,  # ns since the epoch
            "seconds": round(self._took / 1e9, 3),
            **self._counts,
            "bytes": self._size,
        }
