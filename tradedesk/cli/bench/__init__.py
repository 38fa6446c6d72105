"""`tradedesk bench NAME`: what this machine makes of the desk, measured beside a peer or a limit in the same run."""

import os
import platform
import statistics
from collections.abc import Iterable
from typing import Annotated, Any

import typer

from tradedesk.cli.endings import USAGE, end
from tradedesk.cli.reach import JsonOption, show

NAMES = ("startup", "order", "memory", "engine", "paper", "journal", "recovery", "gate", "kill")


def bench(
    name: Annotated[str, typer.Argument(help=", ".join(NAMES))],
    *,
    rounds: Annotated[int, typer.Option(min=1, max=50, help="Interleaved rounds; medians are printed.")] = 3,
    as_json: JsonOption = False,
) -> None:
    """Measure start-up, the order path, memory, matching, the paper exchange, the journal, a recovery or the Gate on this machine.

    Example: tradedesk bench order
    """
    if name not in NAMES:
        end(f"bench: {name!r} is not known; use {', '.join(NAMES)}", USAGE)
    if name == "startup":
        from tradedesk.cli.bench.startup import measured
    elif name == "order":
        from tradedesk.cli.bench.order import measured
    elif name == "memory":
        from tradedesk.cli.bench.memory import measured
    elif name == "paper":
        from tradedesk.cli.bench.paper import measured
    elif name == "journal":
        from tradedesk.cli.bench.journal import measured
    elif name == "gate":
        from tradedesk.cli.bench.gate import measured
    elif name == "recovery":
        from tradedesk.cli.bench.recovery import measured
    elif name == "kill":
        from tradedesk.cli.bench.kill import measured
    else:
        from tradedesk.cli.bench.engine import measured
    load = os.getloadavg()[0]
    rows = measured(rounds)
    document: dict[str, Any] = {
        "schema": "bench.v1",
        "name": name,
        "rounds": rounds,
        "machine": machine(),
        "load_before": round(load, 2),
        "rows": rows,
    }
    if as_json:
        show(document)
        return
    from tradedesk.cli.tables import print_table

    print_table(document, "rows")
    typer.echo(f"{document['machine']}; load before {load:.2f}; medians of {rounds} rounds", err=True)


def row(what: str, value: float, unit: str, *, beside: str = "", ratio: float | None = None) -> dict[str, Any]:
    """One line of a result. `ratio` is this value to that of the row named by `beside`."""
    return {
        "what": what,
        "value": round(value, 3),
        "unit": unit,
        "beside": beside,
        "ratio": None if ratio is None else round(ratio, 2),
    }


def machine() -> str:
    """Processor count, interpreter and system: enough to read a figure by, nothing that names a host."""
    return f"{os.cpu_count()} cores, {platform.machine()}, {platform.system()}, CPython {platform.python_version()}"


def percentile(values: Iterable[float], share: float) -> float:
    """The value below which `share` (0..1) of the values lie, by nearest rank."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def median(values: Iterable[float]) -> float:
    return statistics.median(values)
