"""The journal: durable intents a second and what each waits, beside the disk's own sync and a bare group commit, in one run."""

import asyncio
import os
import queue
import threading
import time
from collections.abc import Awaitable, Callable
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from tradedesk.cli.bench import median, percentile, row

if TYPE_CHECKING:
    from tradedesk.domain.events import OrderPlaced

SUBMITTERS = (1, 8, 50, 500)
SECONDS = 0.25  # a slice
SLICES = 4  # of each side, in turns: a disk that others use changes its pace from second to second
LOOPS = 4  # threads with a loop each, as accounts have; submitters are spread over them
SYNCS = 200

Write = Callable[[], Awaitable[object]]  # one record of the same size, done when it is durable


def measured(rounds: int) -> list[dict[str, Any]]:
    sync: list[float] = []
    ours: dict[int, list[list[float]]] = {count: [] for count in SUBMITTERS}
    bare: dict[int, list[list[float]]] = {count: [] for count in SUBMITTERS}
    for _ in range(rounds):
        with TemporaryDirectory(prefix="tradedesk-bench-", dir=_disk()) as folder:
            sync.append(sync_ms(Path(folder)))
            for count in SUBMITTERS:
                bare[count].append([])
                ours[count].append([])
                for part in range(SLICES):
                    bare[count][-1] += _bare(Path(folder) / f"{count}-{part}.log", count)
                    ours[count][-1] += _ours(Path(folder) / f"{count}-{part}.sqlite", count)
    alone = median(sync)
    rows = [row("fdatasync of one record, p50", alone, "ms"), row("fdatasync alone", 1000 / alone, "a second")]
    for count in SUBMITTERS:
        peer = f"bare group commit, {_people(count)}"
        theirs, rate = _rate(bare[count]), _rate(ours[count])
        rows += [
            row(peer, theirs, "durable intents a second"),
            row(f"journal, {_people(count)}", rate, "durable intents a second", beside=peer, ratio=rate / theirs),
        ]
    for count in SUBMITTERS[:3]:
        for share, name in ((0.5, "p50"), (0.99, "p99")):
            peer = f"wait for a bare group commit, {_people(count)}, {name}"
            theirs, wait = _wait(bare[count], share), _wait(ours[count], share)
            rows += [
                row(peer, theirs, "ms"),
                row(f"wait for the journal, {_people(count)}, {name}", wait, "ms", beside=peer, ratio=wait / theirs),
            ]
    added = _wait(ours[1], 0.5)
    rows.append(row("added to an order's latency, p50", added, "ms", beside="fdatasync, p50", ratio=added / alone))
    return rows


def sync_ms(folder: Path) -> float:
    """What the disk takes for one record of the size of an intent, p50."""
    taken = []
    record = bytes(len(_payload()))
    descriptor = os.open(folder / "sync", os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        for _ in range(SYNCS):
            os.write(descriptor, record)
            started = time.perf_counter_ns()
            os.fdatasync(descriptor)
            taken.append((time.perf_counter_ns() - started) / 10**6)
    finally:
        os.close(descriptor)
    return median(taken)


def _disk() -> str | None:
    """Where a desk would keep its state, if it is there; a temporary folder may be memory."""
    return str(Path.home()) if os.access(Path.home(), os.W_OK) else None


def _people(count: int) -> str:
    return f"{count} submitter{'s' if count > 1 else ''}"


def _rate(rounds: list[list[float]]) -> float:
    return median(len(waits) / SECONDS / SLICES for waits in rounds)


def _wait(rounds: list[list[float]], share: float) -> float:
    return median(percentile(waits, share) for waits in rounds)


def an_intent(number: int) -> "OrderPlaced":
    """An order of the usual size, as the desk records it before its bytes leave."""
    from tradedesk.domain.events import OrderPlaced
    from tradedesk.domain.orders import Order, Request, RequestKind
    from tradedesk.domain.words import (
        AccountId,
        ClientOrderId,
        InstrumentId,
        OperatorId,
        OrderType,
        RequestId,
        Side,
        TimeInForce,
        client_order_id,
    )

    now = 1_764_000_000_000_000_000 + number * 1_000
    key = ClientOrderId(client_order_id(now, number * 7919))
    operator = OperatorId("desk1")
    order = Order(
        account=AccountId(f"client-{number % 50:03}"),
        client_order_id=key,
        instrument=InstrumentId("binance:BTCUSDT"),
        side=Side.Buy,
        order_type=OrderType.Limit,
        time_in_force=TimeInForce.GoodTillCancel,
        order_qty=Decimal("0.01234"),
        price=Decimal("60123.45"),
        operator=operator,
        egress="127.0.0.2",
        placed_at=now,
        deadline=now + 10**10,
        requests=(Request(request_id=RequestId(key), kind=RequestKind.New, operator=operator, made_at=now),),
        updated_at=now,
    )
    return OrderPlaced(at=now, source=f"worker:{order.account}", order=order)


def _payload() -> bytes:
    from tradedesk.journal.records import encode

    return encode(an_intent(0))


def _ours(path: Path, submitters: int) -> list[float]:
    """What each record waited, ms."""
    from tradedesk.clock import SystemClock
    from tradedesk.journal.sqlite import SqliteJournal

    journal = SqliteJournal(path, clock=SystemClock(), on_failure=_failed)
    journal.open()
    try:
        intent = an_intent(submitters)
        return _submitted(submitters, lambda: journal.append(intent))
    finally:
        journal.close()


def _bare(path: Path, submitters: int) -> list[float]:
    writer = _BareWriter(path)
    try:
        payload = _payload()
        return _submitted(submitters, lambda: writer.append(payload))
    finally:
        writer.close()


def _failed(reason: str) -> None:
    raise RuntimeError(reason)


def _submitted(submitters: int, write: Write) -> list[float]:
    """Write from so many tasks on some loops for a while, each its next record when the last is durable; ms waited, each."""
    waits: list[list[float]] = []

    async def submit(until: int, mine: list[float]) -> None:
        while (started := time.perf_counter_ns()) < until:
            await write()
            mine.append((time.perf_counter_ns() - started) / 10**6)

    async def all_of(count: int, mine: list[float]) -> None:
        until = time.perf_counter_ns() + int(SECONDS * 10**9)
        async with asyncio.TaskGroup() as group:
            for _ in range(count):
                group.create_task(submit(until, mine))

    def loop(count: int, mine: list[float]) -> None:
        import uvloop

        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(all_of(count, mine))

    threads = []
    for number in range(min(LOOPS, submitters)):
        waits.append([])
        count = submitters // LOOPS + (number < submitters % LOOPS) if submitters >= LOOPS else 1
        threads.append(threading.Thread(target=loop, args=(count, waits[-1])))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [wait for mine in waits for wait in mine]


class _BareWriter:
    """The least that a group commit can be: one thread, a file, a sync for all that waits. No checksum, chain or recovery."""

    def __init__(self, path: Path) -> None:
        self._queue: queue.SimpleQueue[tuple[bytes, asyncio.Future[None]] | None] = queue.SimpleQueue()
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def append(self, payload: bytes) -> asyncio.Future[None]:
        future = asyncio.get_running_loop().create_future()
        self._queue.put((payload, future))
        return future

    def close(self) -> None:
        self._queue.put(None)
        self._thread.join()
        os.close(self._descriptor)

    def _run(self) -> None:
        while (item := self._queue.get()) is not None:
            batch = [item]
            while not self._queue.empty():
                more = self._queue.get()
                if more is None:
                    self._queue.put(None)
                    break
                batch.append(more)
            os.write(self._descriptor, b"".join(payload for payload, _ in batch))
            os.fdatasync(self._descriptor)
            woken: dict[asyncio.AbstractEventLoop, list[asyncio.Future[None]]] = {}
            for _, future in batch:
                woken.setdefault(future.get_loop(), []).append(future)
            for loop, futures in woken.items():
                loop.call_soon_threadsafe(_settle, futures)


def _settle(futures: list[asyncio.Future[None]]) -> None:
    for future in futures:
        future.set_result(None)
