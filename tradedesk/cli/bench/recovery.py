"""A recovery from a million events, beside decoding alone and with a checkpoint; and what a decision costs when an account has many orders open."""

import json
import random
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from tradedesk.cli.bench import median, row
from tradedesk.cli.bench.journal import an_intent

if TYPE_CHECKING:
    from tradedesk.domain.events import DurableEvent, Event
    from tradedesk.domain.instruments import Instrument

EVENTS = 1_000_000
OPEN_ORDERS = 10_000
DECISIONS = 200
NOW = 1_764_000_000_000_000_000  # ns
MIB = 1024 * 1024


def measured(rounds: int) -> list[dict[str, Any]]:
    starts = []
    idle: list[float] = []
    busy: list[float] = []
    with TemporaryDirectory(prefix="tradedesk-bench-") as folder:
        path = Path(folder) / "journal.sqlite"
        size = _written(path)
        for _ in range(rounds):
            starts.append(_in_a_process(path, "decode", "read", "recover"))
            idle.append(_decision_us(0))
            busy.append(_decision_us(OPEN_ORDERS))
        kept = _in_a_process(path, "checkpoint")
        kept |= _in_a_process(path, "start")

    def of(name: str) -> float:
        return median(start[name] for start in starts)

    peer = "bare msgspec decode of the same bytes"
    none, many = "a decision, no open order", f"a decision, {OPEN_ORDERS:,} open orders"
    return [
        row("journal", EVENTS, "events"),
        row("journal", size / MIB, "MiB"),
        row(peer, EVENTS / of("decode_s"), "events a CPU second"),
        row("read: checked, chained and decoded", EVENTS / of("read_s"), "events a CPU second", beside=peer,
            ratio=of("decode_s") / of("read_s")),
        row("recovery: read and folded", EVENTS / of("whole_s"), "events a CPU second", beside=peer,
            ratio=of("decode_s") / of("whole_s")),
        row("recovery of all, CPU", of("whole_s"), "s"),
        row("recovery of all, by the clock", of("wall_s"), "s"),
        row("memory it takes at most", of("peak_mib"), "MiB"),
        row("memory before it", of("before_mib"), "MiB"),
        row("a checkpoint of all, made beside the desk, CPU", kept["make_s"], "s"),
        row("the checkpoint", kept["size_mib"], "MiB"),
        row("a start on it, CPU", kept["start_s"], "s", beside="recovery of all, CPU",
            ratio=kept["start_s"] / of("whole_s")),
        row("memory a start on it takes at most", kept["start_peak_mib"], "MiB", beside="memory it takes at most",
            ratio=kept["start_peak_mib"] / of("peak_mib")),
        row(none, median(idle), "us of CPU"),
        row(many, median(busy), "us of CPU", beside=none, ratio=median(busy) / median(idle)),
    ]  # fmt: skip


# -- a million events -----------------------------------------------------------------------------------------------------


def instruments() -> "list[Instrument]":
    from tradedesk.domain.instruments import Instrument
    from tradedesk.domain.words import InstrumentId, VenueId

    return [
        Instrument(
            id=InstrumentId("binance:BTCUSDT"),
            venue=VenueId("binance"),
            venue_symbol="BTCUSDT",
            symbol="BTC/USDT",
            base="BTC",
            quote="USDT",
            tick=Decimal("0.01"),
            lot=Decimal("0.00001"),
            min_qty=Decimal("0.00001"),
            max_qty=Decimal(9000),
            min_notional=Decimal(5),
        )
    ]


def events(count: int, seed: int = 1) -> "Iterator[DurableEvent]":
    """The journal of a desk of fifty accounts: orders that are placed, acknowledged, and filled or cancelled."""
    from tradedesk.domain import events as ev
    from tradedesk.domain.money import Money
    from tradedesk.domain.orders import Fill, Happening, Request, RequestKind, RequestState
    from tradedesk.domain.words import OperatorId, RequestId, VenueOrderId

    chance = random.Random(seed)
    for instrument in instruments():
        yield ev.InstrumentListed(at=NOW, source="desk", instrument=instrument)
    made = 1
    number = 0
    while made < count:
        number += 1
        placed = an_intent(number)
        order, at, source = placed.order, placed.at, placed.source
        about: dict[str, Any] = {
            "at": at,
            "source": source,
            "account": order.account,
            "client_order_id": order.client_order_id,
        }
        venue_id = VenueOrderId(str(10**9 + number))
        life: list[DurableEvent] = [
            placed,
            ev.OrderMoved(**about, happening=Happening.Accepted, venue_order_id=venue_id),
            ev.RequestDecided(**about, request_id=RequestId(order.client_order_id), state=RequestState.Acknowledged),
        ]
        if chance.random() < 0.5:
            life.append(
                ev.OrderFilled(
                    at=at,
                    source=source,
                    fill=Fill(
                        account=order.account,
                        client_order_id=order.client_order_id,
                        venue_order_id=venue_id,
                        instrument=order.instrument,
                        trade_id=str(number),
                        side=order.side,
                        last_qty=order.order_qty,
                        last_px=Decimal("60123.44"),
                        fee=Money(Decimal("0.00001234"), "BTC"),
                        is_maker=True,
                        transact_time=at,
                    ),
                )
            )
        else:
            asked = RequestId(f"{order.client_order_id}#c1")
            request = Request(request_id=asked, kind=RequestKind.Cancel, operator=OperatorId("desk1"), made_at=at)
            life += [
                ev.RequestMade(**about, request=request),
                ev.OrderMoved(**about, happening=Happening.Canceled, venue_order_id=venue_id),
                ev.RequestDecided(**about, request_id=asked, state=RequestState.Acknowledged),
            ]
        yield from life[: count - made]
        made += len(life)


def _written(path: Path) -> int:
    """A journal of EVENTS events, written without waiting for the disk; its bytes."""
    from tradedesk.journal import segments
    from tradedesk.journal.records import START, chain_of, encode, made

    connection, _ = segments.opened(path)
    connection.execute("PRAGMA synchronous = OFF")
    links: dict[str, bytes] = {}

    def rows() -> Iterator[tuple[Any, ...]]:
        for number, event in enumerate(events(EVENTS), 1):
            chain = chain_of(event)
            record = made(number, chain, encode(event), links.get(chain, START))
            links[chain] = record.link
            yield number, chain, record.format, record.payload, record.checksum, record.link

    connection.execute("BEGIN")
    connection.executemany("INSERT INTO records VALUES (?,?,?,?,?,?)", rows())
    connection.execute("COMMIT")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    return path.stat().st_size


# -- one start, in a process of its own -----------------------------------------------------------------------------------


def _in_a_process(path: Path, *asked: str) -> dict[str, float]:
    """Each in one of its own: seconds it takes, and memory at its most."""
    found: dict[str, float] = {}
    for what in asked:
        command = [sys.executable, "-m", "tradedesk.cli.bench.recovery", what, str(path)]
        answer = subprocess.run(command, capture_output=True, check=True, text=True)  # noqa: S603  (ourselves)
        found |= json.loads(answer.stdout)
    return found


def _peak_mib() -> float:
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most / MIB if sys.platform == "darwin" else most / 1024


def _start(what: str, path: Path) -> dict[str, float]:
    """CPU seconds: all of it is one thread's work, and a busy machine is not to be taken for a slow journal."""
    from tradedesk.journal.records import Reading
    from tradedesk.journal.sqlite import read

    if what == "decode":
        return {"decode_s": _decoded(path)}
    before = _peak_mib()
    began, began_at = time.process_time(), time.perf_counter()
    if what == "read":
        for _ in read(path, Reading()):
            pass
        return {"read_s": time.process_time() - began}
    if what == "checkpoint":
        return _kept(path)
    _recovered(path, on_checkpoint=what == "start")
    if what == "start":
        return {"start_s": time.process_time() - began, "start_peak_mib": _peak_mib()}
    took = {"whole_s": time.process_time() - began, "wall_s": time.perf_counter() - began_at}
    return took | {"peak_mib": _peak_mib(), "before_mib": before}


def _decoded(path: Path) -> float:
    """The bytes are in memory before the clock starts."""
    import sqlite3
    from contextlib import closing

    from tradedesk.domain.events import durable_decoder

    decode, seconds = durable_decoder.decode, 0.0
    with closing(sqlite3.connect(path)) as connection:
        rows = connection.execute("SELECT payload FROM records ORDER BY number")
        while batch := rows.fetchmany(10_000):
            began = time.process_time()
            for (payload,) in batch:
                decode(payload)
            seconds += time.process_time() - began
    return seconds


def _kept(path: Path) -> dict[str, float]:
    """A new segment after all records, and the checkpoint of those before it."""
    from tradedesk.desk.keeper import Keeper
    from tradedesk.journal import checkpoint, segments

    connection, heads = segments.opened(path)
    connection.close()
    segments.following(path, heads).close()
    began = time.process_time()
    if not checkpoint.make(path, 1, Keeper(), lambda: False):
        raise RuntimeError("no checkpoint was made of a sound journal")
    taken = time.process_time() - began
    return {"make_s": taken, "size_mib": checkpoint.beside(segments.segments(path)[1]).stat().st_size / MIB}


def _recovered(path: Path, *, on_checkpoint: bool) -> None:
    """What a start of the desk does with its journal: the desk's fold, and each account's books of its own part."""
    from collections import defaultdict

    from tradedesk.clock import SystemClock
    from tradedesk.desk.keeper import Keeper
    from tradedesk.domain.accounts import Account, Mode
    from tradedesk.domain.events import account_of
    from tradedesk.domain.limits import Limits
    from tradedesk.domain.words import AccountId, VenueId
    from tradedesk.journal.sqlite import SqliteJournal
    from tradedesk.orders.books import Books
    from tradedesk.views.replica import Replica

    fold = Keeper if on_checkpoint else None
    journal = SqliteJournal(path, clock=SystemClock(), on_failure=lambda _: None, fold=fold)
    journal.open()
    replica = Replica()
    histories: dict[AccountId, list[Event]] = defaultdict(list)
    for event in journal.replay():
        replica.apply(event)
        account = account_of(event)
        if account is not None:
            histories[account].append(event)
    books = []
    for name in sorted(histories):
        account_ = Account(
            id=name, venue=VenueId("binance"), owner=name, groups=(), mode=Mode.Paper, egress="127.0.0.2", secret=name,
            limits=Limits(),
        )  # fmt: skip
        books.append(Books(account_, instruments(), histories.pop(name), NOW))
    journal.close()


# -- one decision ---------------------------------------------------------------------------------------------------------


def _decision_us(open_orders: int) -> float:
    """CPU microseconds of one order from command to intent and Gate, with so many of the account open already."""
    from tradedesk.accounts.core import Core
    from tradedesk.domain import events as ev
    from tradedesk.domain.accounts import Account, AccountState, Mode
    from tradedesk.domain.commands import PlaceOrder
    from tradedesk.domain.instruments import FeedState, Quote
    from tradedesk.domain.limits import Limits
    from tradedesk.domain.orders import Happening
    from tradedesk.domain.outcomes import VenueInfo
    from tradedesk.domain.positions import Balance
    from tradedesk.domain.words import AccountId, OperatorId, OrderType, Side, VenueId, VenueOrderId, client_order_id
    from tradedesk.journal.memory import MemoryJournal
    from tradedesk.orders.manager import OrderManager
    from tradedesk.orders.messages import Send
    from tradedesk.risk.reservations import Reservations

    name = AccountId("client-000")
    limits = Limits(max_order_notional=Decimal(10**6), max_position_notional=Decimal(10**12), max_open_orders=10**6)
    account = Account(
        id=name,
        venue=VenueId("binance"),
        owner=name,
        groups=(),
        mode=Mode.Paper,
        egress="127.0.0.2",
        secret=name,
        limits=limits,
    )
    history: list[Event] = [
        ev.AccountOpened(at=NOW, source="worker", account=name, openings=(), marks={}, trades_from=NOW)
    ]
    for number in range(open_orders):
        placed = an_intent(50 * number)  # all of them client-000's
        key = placed.order.client_order_id
        history += [
            placed,
            ev.OrderMoved(
                at=placed.at,
                source="worker",
                account=name,
                client_order_id=key,
                happening=Happening.Accepted,
                venue_order_id=VenueOrderId(str(number)),
            ),
        ]
    info = VenueInfo(
        receive_window_ms=3_000,
        engine_timeout_ms=10_000,
        query_lag_ms=500,
        has_native_amend=False,
        dead_man="none",
        instruments=tuple(instruments()),
    )
    ids = iter(range(10**9, 2 * 10**9))
    later = NOW + 10**12
    manager = OrderManager(account, info, history, lambda: client_order_id(later, next(ids)), later)
    quote = Quote(
        instrument=info.instruments[0].id,
        bid=Decimal(60_100),
        bid_qty=Decimal(1),
        ask=Decimal(60_101),
        ask_qty=Decimal(1),
        last=None,
        received_at=later,
        state=FeedState.Live,
    )
    journal = MemoryJournal()
    core = Core(
        account,
        manager,
        store=journal,
        publish=lambda _: None,
        quotes=lambda _: (quote, 0),
        halt=lambda: None,
        shared=Reservations([account], {}, "USDT"),
    )
    core.set_state(AccountState.Ready, "", later)
    rich = Balance(asset="USDT", free=Decimal(10**12), locked=Decimal(0))
    manager.books.apply(ev.BalancesRead(at=later, source="worker", account=name, balances=(rich,), is_complete=True))
    sent = 0
    began = time.process_time()
    for number in range(DECISIONS):
        command = PlaceOrder(
            account=name,
            client_order_id=client_order_id(later + number * 1_000, number),
            instrument=info.instruments[0].id,
            side=Side.Buy,
            order_type=OrderType.Limit,
            order_qty=Decimal("0.001"),
            price=Decimal(60_000),
            operator=OperatorId("desk1"),
            deadline=later + 10**12,
        )
        sent += sum(isinstance(effect, Send) for effect in core.handle(command, later + number))
    taken = time.process_time() - began
    if sent != DECISIONS:
        raise RuntimeError(f"the Gate let {sent} of {DECISIONS} orders pass")
    return taken / DECISIONS * 10**6


if __name__ == "__main__":
    print(json.dumps(_start(sys.argv[1], Path(sys.argv[2]))))
