"""The monitor's feed against a real Unix socket: snapshot, stream, loss, return, holes and a reader that falls behind."""

import asyncio
import json
import random
import threading
import time
from collections.abc import AsyncIterator, Callable
from decimal import Decimal
from pathlib import Path

import pytest

from tradedesk.clock import ManualClock
from tradedesk.domain.events import Heartbeat, LogWritten
from tradedesk.monitor.socket_feed import HANDSHAKE, SocketFeed
from tradedesk.views.feed import DeskView, Lost, Numbered, Update, encoder
from tradedesk.views.replica import Replica, Snapshot

START = 1_770_000_000_000_000_000


class Desk:
    """The desk's side of the read socket, played by the test: it says what it is told to say."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.hellos: list[bytes] = []
        self.writers: asyncio.Queue[asyncio.StreamWriter] = asyncio.Queue()
        self.hung_up = asyncio.Event()
        self._server: asyncio.Server | None = None
        self._open: list[asyncio.StreamWriter] = []

    async def start(self) -> None:
        self._server = await asyncio.start_unix_server(self._serve, str(self.path))

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.hellos.append(await reader.readline())
        self._open.append(writer)
        await self.writers.put(writer)
        await reader.read()  # a monitor says nothing more, so this ends when it hangs up
        self.hung_up.set()

    async def reader(self) -> asyncio.StreamWriter:
        """The next monitor that attaches."""
        return await asyncio.wait_for(self.writers.get(), 5)

    async def stop(self) -> None:
        for writer in self._open:
            writer.close()
        self._open.clear()
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()
        self.path.unlink(missing_ok=True)


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    played = Desk(tmp_path / "read.sock")
    await played.start()
    yield played
    await played.stop()


class Reader:
    """A DeskView on a socket feed, with everything it was given."""

    def __init__(self, path: Path, *, silence_s: float = 5.0, bound: int = 20_000) -> None:
        self.clock = ManualClock(START)
        self.arrived = threading.Event()
        self.feed = SocketFeed(
            path,
            clock=self.clock,
            chance=random.Random(1),
            wake=self.arrived.set,
            bound=bound,
            silence_s=silence_s,
            first_wait_s=0.02,
        )
        self.view = DeskView(self.feed)
        self.seen: list[Update] = []

    async def until(self, happened: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 5
        while True:
            self.seen += self.view.poll()
            if happened():
                return
            assert time.monotonic() < deadline, f"it did not happen; seen: {self.seen[-3:]}"
            await asyncio.to_thread(self.arrived.wait, 0.2)
            self.arrived.clear()


def a_snapshot(number: int) -> Snapshot:
    replica = Replica()
    replica.heartbeat_at = START
    return replica.snapshot(number)


def beat(number: int) -> Numbered:
    return Numbered(number, Heartbeat(at=START + number, source="desk"))


async def say(writer: asyncio.StreamWriter, *updates: Update) -> None:
    writer.write(b"".join(encoder.encode(update) + b"\n" for update in updates))
    await writer.drain()


@pytest.fixture
async def reader(desk: Desk) -> AsyncIterator[Reader]:
    reading = Reader(desk.path)
    yield reading
    await asyncio.to_thread(reading.feed.close)


async def test_a_late_joiner_gets_a_snapshot_then_the_stream(desk: Desk, reader: Reader) -> None:
    writer = await desk.reader()
    await say(writer, a_snapshot(41), beat(42), beat(43))
    await reader.until(lambda: reader.view.number == 43)
    assert reader.view.is_fed
    assert reader.view.replica.heartbeat_at == START + 43


async def test_the_handshake_is_all_that_a_monitor_ever_writes(desk: Desk, reader: Reader) -> None:
    """5.12"""
    writer = await desk.reader()
    await say(writer, a_snapshot(1))
    await reader.until(lambda: reader.view.is_fed)
    assert desk.hellos == [HANDSHAKE]
    assert json.loads(HANDSHAKE) == {"hello": "monitor.v1"}


async def test_a_desk_that_goes_away_is_told_with_the_time_it_was_last_heard(desk: Desk, reader: Reader) -> None:
    writer = await desk.reader()
    await say(writer, a_snapshot(1))
    await reader.until(lambda: reader.view.is_fed)
    reader.clock.advance(90 * 10**9)
    await desk.stop()
    await reader.until(lambda: reader.view.lost is not None)
    assert reader.view.lost is not None
    assert reader.view.lost.since == START


async def test_the_monitor_comes_back_by_itself_when_the_desk_does(desk: Desk, reader: Reader) -> None:
    await say(await desk.reader(), a_snapshot(1))
    await reader.until(lambda: reader.view.is_fed)
    await desk.stop()
    await reader.until(lambda: reader.view.lost is not None)
    await desk.start()
    await say(await desk.reader(), a_snapshot(7), beat(8))
    await reader.until(lambda: reader.view.number == 8)
    assert reader.view.lost is None


async def test_one_outage_keeps_its_beginning_however_often_it_is_tried_again(desk: Desk, reader: Reader) -> None:
    await say(await desk.reader(), a_snapshot(1))
    await reader.until(lambda: reader.view.is_fed)
    await desk.stop()
    await reader.until(lambda: reader.view.lost is not None and "not there" in reader.view.lost.reason)
    losses = [update for update in reader.seen if isinstance(update, Lost)]
    assert {loss.since for loss in losses} == {START}
    assert len({loss.reason for loss in losses}) == len(losses)  # the same words are not said twice


async def test_a_hole_in_the_numbers_starts_anew_from_a_snapshot(desk: Desk, reader: Reader) -> None:
    """5.13"""
    await say(await desk.reader(), a_snapshot(1), beat(2), beat(4))
    again = await desk.reader()
    await say(again, a_snapshot(10), beat(11))
    await reader.until(lambda: reader.view.number == 11)
    assert beat(4) not in reader.seen


@pytest.mark.parametrize(
    "line",
    [
        b"not json\n",
        b'{"type":"Numbered","number":"x"}\n',
        b"\xff\xfe\n",
        b'{"type":"Nothing"}\n',
        b"[]\n",
        b'{"type":"Numbered","number":2,"event":{"type":"OrderFilled","at":1,"source":"x","fill":{}}}\n',
    ],
)
async def test_what_cannot_be_read_is_told_and_the_stream_begun_anew(desk: Desk, reader: Reader, line: bytes) -> None:
    writer = await desk.reader()
    await say(writer, a_snapshot(1))
    writer.write(line)
    await writer.drain()
    await reader.until(lambda: reader.view.lost is not None)
    assert reader.view.lost is not None
    assert "same version" in reader.view.lost.reason
    await say(await desk.reader(), a_snapshot(5))
    await reader.until(lambda: reader.view.lost is None)


async def test_a_stream_that_begins_without_a_snapshot_is_not_believed(desk: Desk, reader: Reader) -> None:
    await say(await desk.reader(), beat(3))
    await reader.until(lambda: reader.view.lost is not None)
    assert reader.view.number == 0


async def test_a_desk_that_falls_silent_is_gone(desk: Desk) -> None:
    """A stopped process keeps its connections open: only its silence tells."""
    reading = Reader(desk.path, silence_s=0.15)
    try:
        await say(await desk.reader(), a_snapshot(1))
        await reading.until(lambda: reading.view.lost is not None)
        assert reading.view.lost is not None
        assert "said nothing" in reading.view.lost.reason
    finally:
        await asyncio.to_thread(reading.feed.close)


async def test_a_screen_that_falls_behind_is_brought_back_by_a_snapshot(desk: Desk) -> None:
    """5.13: the queue has a bound, and nothing is shown from a stream with a hole."""
    reading = Reader(desk.path, bound=50)
    try:
        writer = await desk.reader()
        await say(writer, a_snapshot(1), *(beat(number) for number in range(2, 200)))
        await asyncio.wait_for(desk.hung_up.wait(), 5)
        await reading.until(lambda: reading.view.number == 50)
        await say(await desk.reader(), a_snapshot(300), beat(301))
        await reading.until(lambda: reading.view.number == 301)
        numbers = [update.number for update in reading.seen if isinstance(update, Numbered)]
        assert numbers == [*range(2, 51), 301]
    finally:
        await asyncio.to_thread(reading.feed.close)


async def test_no_desk_at_all_is_said_and_waited_for(tmp_path: Path) -> None:
    reading = Reader(tmp_path / "read.sock")
    try:
        await reading.until(lambda: reading.view.lost is not None)
        assert reading.view.lost is not None
        assert "no desk runs here" in reading.view.lost.reason
    finally:
        await asyncio.to_thread(reading.feed.close)


async def test_closing_ends_the_reader_in_the_middle_of_a_read(desk: Desk) -> None:
    reading = Reader(desk.path)
    await say(await desk.reader(), a_snapshot(1))
    await reading.until(lambda: reading.view.is_fed)
    await asyncio.to_thread(reading.feed.close)
    assert not reading.feed._thread.is_alive()


async def test_a_line_may_arrive_in_any_pieces(desk: Desk, reader: Reader) -> None:
    writer = await desk.reader()
    text = encoder.encode(a_snapshot(1)) + b"\n"
    text += encoder.encode(Numbered(2, LogWritten(at=1, source="desk", level="info", event="e", text="grün ▲"))) + b"\n"
    for place in range(0, len(text), 7):
        writer.write(text[place : place + 7])
        await writer.drain()
    await reader.until(lambda: reader.view.number == 2)
    assert reader.view.replica.logs[-1].text == "grün ▲"


def test_money_crosses_the_socket_exactly() -> None:
    """5.10"""
    from tradedesk.views.feed import update_decoder
    from tradedesk.views.replica import MarketRow

    price = Decimal("63999.500000000000000001")
    replica = Replica()
    replica.markets["m"] = MarketRow(instrument="m", bids=((price, Decimal("0.1")),))  # type: ignore[index,arg-type]
    decoded = update_decoder.decode(encoder.encode(replica.snapshot(1)))
    assert isinstance(decoded, Snapshot)
    assert decoded.markets[0].bid == price
