"""The paper exchange: matching beside engines of the same shape, orders over both doors beside the least aiohttp can answer,
market messages to fifty listeners, and memory at two hundred instruments.

Servers and clients are processes of their own; what a server spends is read from its process' CPU clock.
"""

import contextlib
import importlib.util
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import typer

from tradedesk.cli.bench import median, row
from tradedesk.cli.endings import end

OPERATIONS = 50_000
IN_PROCESS = 3_000  # orders of the exchange without a server
ORDERS = 4_000  # of each door and number of clients, each round
MANY = 50  # clients, and listeners
LISTENED = 10  # instruments
LISTEN_S = 3.0
INSTRUMENTS, ACCOUNTS = 200, 1_000
STREAMS = ("trade", "aggTrade", "bookTicker", "depth@100ms")

OURS = "the exchange's book"
_PER_CPU = "operations per CPU second"
_CPU = "us of server CPU per order"


def measured(rounds: int) -> list[dict[str, Any]]:
    if not Path("/proc/self/status").exists():
        end("bench paper reads /proc and the CPU clocks of other processes, which this system does not have")
    return [*_engines(rounds), *_in_process(rounds), *_doors(rounds), *_streamed(rounds), *_memory(rounds)]


# -- engines --------------------------------------------------------------------------------------------------------------


def _engines(rounds: int) -> list[dict[str, Any]]:
    from tradedesk.cli.bench.paper_engines import Engine, Listed, Sorted, flow, run
    from tradedesk.paper.book import Book

    makes: dict[str, Callable[[], Engine]] = {"book on sorted lists": Listed, OURS: lambda: Book(1)}
    if importlib.util.find_spec("sortedcontainers") is None:
        typer.echo("sortedcontainers is not installed: the book on it is left out", err=True)
    else:
        makes["book on sortedcontainers"] = Sorted
    rates: dict[str, list[float]] = {name: [] for name in makes}
    for number in range(rounds):
        operations = flow(number, OPERATIONS)
        matches = set()
        for name, make in makes.items():
            engine = make()
            started = time.process_time()
            matches.add(run(engine, operations))
            rates[name].append(OPERATIONS / (time.process_time() - started))
        if len(matches) != 1:
            raise RuntimeError(f"the engines do not match alike: {matches}")
    ours = median(rates.pop(OURS))
    peers = [row(name, median(each), _PER_CPU) for name, each in rates.items()]
    return peers + [
        row(f"{OURS}, beside the {peer['what']}", ours, _PER_CPU, beside=peer["what"], ratio=ours / peer["value"])
        for peer in peers
    ]


def _in_process(rounds: int) -> list[dict[str, Any]]:
    """The whole exchange without a server (checks, balances, events), beside nautilus_trader's in its process."""
    resting, filled, theirs = [], [], []
    for _ in range(rounds):
        resting.append(_placed_and_cancelled())
        filled.append(_filled())
        theirs.append(_nautilus())
    rows = []
    for what, ours, name in (
        ("limit order placed and cancelled", resting, "place_cancel_us"),
        ("market order filled", filled, "market_us"),
    ):
        mine = f"the exchange in process: {what}"
        if any(each is None for each in theirs):
            rows.append(row(mine, median(ours), "us of CPU"))
            continue
        peer = f"nautilus_trader in process: {what}"
        value = median([each[name] for each in theirs if each is not None])
        rows.append(row(peer, value, "us of CPU"))
        rows.append(row(mine, median(ours), "us of CPU", beside=peer, ratio=median(ours) / value))
    if any(each is None for each in theirs):
        typer.echo("nautilus_trader is not installed: its rows are left out", err=True)
    return rows


def _exchange() -> Any:
    from msgspec.structs import replace

    from tradedesk.paper.exchange import Exchange
    from tradedesk.paper.market import Quiet
    from tradedesk.paper.rows import AccountSpec
    from tradedesk.paper.synthetic import default_specs

    rich = {"USDT": Decimal(10**9), "BTC": Decimal(10**4)}
    accounts = [AccountSpec(name=name, balances=rich, maker=Decimal("0.001"), taker=Decimal("0.001")) for name in "ab"]
    unbounded = replace(default_specs()[0], max_orders=10**9, max_notional=Decimal(0), max_qty=Decimal(10**6))
    return Exchange([unbounded], accounts, Quiet(), now=10**18)


def _order(side: str, quantity: str, price: str | None) -> Any:
    from tradedesk.paper.rows import Kind, NewOrder

    return NewOrder(
        symbol="BTCUSDT",
        side=side,
        kind=Kind.MARKET if price is None else Kind.LIMIT,
        quantity=Decimal(quantity),
        price=None if price is None else Decimal(price),
        time_in_force=None if price is None else "GTC",
    )


def _placed_and_cancelled() -> float:
    exchange, order = _exchange(), _order("BUY", "0.01", "59000")
    started = time.process_time()
    for number in range(IN_PROCESS):
        now = 10**18 + number * 1_000_000
        placed = exchange.place("a", order, now)
        exchange.cancel("a", "BTCUSDT", now, order_id=placed.order_id)
        exchange.drain()
    return (time.process_time() - started) / IN_PROCESS * 10**6


def _filled() -> float:
    exchange, order = _exchange(), _order("BUY", "0.01", None)
    exchange.place("b", _order("SELL", "1000", "60000"), 10**18)
    exchange.drain()
    started = time.process_time()
    for number in range(IN_PROCESS):
        exchange.place("a", order, 10**18 + number * 1_000_000)
        exchange.drain()
    return (time.process_time() - started) / IN_PROCESS * 10**6


def _nautilus() -> dict[str, float] | None:
    answer = subprocess.run(
        [sys.executable, "-m", "tradedesk.cli.bench.paper_nautilus"], capture_output=True, check=True, text=True
    )
    found: dict[str, float] | None = json.loads(answer.stdout.splitlines()[-1])
    return found


# -- servers --------------------------------------------------------------------------------------------------------------


class _Server:
    """One server process."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        assert process.stdout is not None
        self.pid = process.pid
        line = process.stdout.readline()
        if not line:
            raise RuntimeError("a server of the benchmark did not start; what it said is above")
        self.described = json.loads(line)

    def resident_mib(self) -> float:
        status = Path(f"/proc/{self.pid}/status").read_text(encoding="ascii")
        return int(status.split("VmRSS:")[1].split()[0]) / 1024


@contextlib.contextmanager
def _server(kind: str, *options: int) -> Iterator[_Server]:
    command = [sys.executable, "-m", "tradedesk.cli.bench.paper_server", kind, *map(str, options)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)  # noqa: S603
    try:
        yield _Server(process)
    finally:
        process.communicate()  # the end of its stdin is its end


def _load(job: dict[str, Any]) -> dict[str, float]:
    answer = subprocess.run(
        [sys.executable, "-m", "tradedesk.cli.bench.paper_load"],
        input=json.dumps(job),
        stdout=subprocess.PIPE,
        check=True,
        text=True,
        timeout=300,
    )
    result: dict[str, float] = json.loads(answer.stdout)
    return result


def _doors(rounds: int) -> list[dict[str, Any]]:
    kinds = [(door, clients) for door in ("ws", "rest") for clients in (1, MANY)]
    rates: dict[tuple[str, str, int], list[float]] = {}
    costs: dict[tuple[str, str, int], list[float]] = {}
    for _ in range(rounds):
        with _server("trivial") as trivial, _server("quiet", 1, MANY) as paper:
            keys = paper.described["keys"]
            for door, clients in kinds:
                for name, server in (("trivial", trivial), ("paper", paper)):
                    result = _load(
                        {
                            "what": "orders",
                            "door": door,
                            "url": server.described["wsapi" if door == "ws" else "rest"],
                            "keys": keys[:clients],
                            "count": ORDERS,
                            "pid": server.pid,
                        }
                    )
                    key = (name, door, clients)
                    rates.setdefault(key, []).append(result["orders"] / result["seconds"])
                    costs.setdefault(key, []).append(result["cpu"] / result["orders"] * 10**6)
    rows = []
    for door, clients in kinds:
        name = f"{'WebSocket API' if door == 'ws' else 'REST'}, {clients} client{'s' if clients > 1 else ''}"
        peer = f"trivial aiohttp answer, {name}"
        ours, theirs = ("paper", door, clients), ("trivial", door, clients)
        rows += [
            row(peer, median(costs[theirs]), _CPU),
            row(f"signed orders, {name}", median(rates[ours]), "orders per second"),
            row(
                f"signed order, {name}",
                median(costs[ours]),
                _CPU,
                beside=peer,
                ratio=median(costs[ours]) / median(costs[theirs]),
            ),
        ]
    return rows


def _streamed(rounds: int) -> list[dict[str, Any]]:
    """The synthetic market of some instruments, told to listeners that hear all of it."""
    from tradedesk.paper.synthetic import default_specs

    names = [f"{spec.symbol.lower()}@{kind}" for spec in default_specs(LISTENED) for kind in STREAMS]
    arrived, per_cpu = [], []
    for _ in range(rounds):
        with _server("synthetic", LISTENED, 1) as paper:
            url = f"{paper.described['ws']}/stream?streams={'/'.join(names)}"
            job = {"what": "listeners", "url": url, "clients": MANY, "seconds": LISTEN_S, "pid": paper.pid}
            result = _load(job)
            arrived.append(result["frames"] / result["seconds"])
            per_cpu.append(result["frames"] / result["cpu"])
    what = f"market messages to {MANY} listeners of {LISTENED} instruments"
    return [
        row(f"{what}, as the market goes", median(arrived), "messages per second"),
        row(what, median(per_cpu), "messages per CPU second of the server"),
    ]


def _memory(rounds: int) -> list[dict[str, Any]]:
    one, many, seconds = [], [], []
    for _ in range(rounds):
        with _server("synthetic", 1, 1) as small:
            one.append(small.resident_mib())
        started = time.monotonic()
        with _server("synthetic", INSTRUMENTS, ACCOUNTS) as large:
            seconds.append(time.monotonic() - started)
            many.append(large.resident_mib())
    what = f"{INSTRUMENTS} instruments, {ACCOUNTS} accounts"
    peer = "1 instrument, 1 account"
    return [
        row(peer, median(one), "MiB"),
        row(what, median(many), "MiB", beside=peer, ratio=median(many) / median(one)),
        row(f"{what}: until they are served", median(seconds), "s"),
    ]
