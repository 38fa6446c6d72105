"""A whole desk whose accounts share one exit, on a real paper exchange: what one of them uses, all of them feel."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
from faulty_desk import FaultyDesk, Paper
from paper_process import paper_process

from tradedesk.access.vault import open_vault
from tradedesk.cli.demo import make_desk, new_vault
from tradedesk.clock import Clock, SystemClock
from tradedesk.config import Home, find_home, load
from tradedesk.desk.build import build, real_parts

EXIT = "127.0.0.2"
SECOND_NS = 1_000_000_000


class SteppedClock(SystemClock):
    """The machine's clock, of which a test steps the wall time, or lets both readings leap."""

    def __init__(self) -> None:
        self.step_ns = 0  # of the wall time alone
        self.leap_ns = 0

    def now(self) -> int:
        return super().now() + self.step_ns + self.leap_ns

    def monotonic(self) -> int:
        return super().monotonic() + self.leap_ns


@contextmanager
def exchange(folder: Path, accounts: int | Path = 3) -> Iterator[tuple[Home, Paper]]:
    """A paper exchange whose keys may be used from anywhere, and a home for desks on it: so many accounts, or a file of them."""
    whose = ("--accounts", str(accounts)) if isinstance(accounts, int) else ("--accounts-file", str(accounts))
    with paper_process("--seed", "11", *whose, "--any-address") as described:
        home = find_home({"TRADEDESK_HOME": str(folder)})
        for number, row in enumerate(described["accounts"]):
            row["addresses"] = row["addresses"] or [f"127.0.1.{number + 2}"]
        make_desk(home, described, new_vault(home))
        yield home, Paper(described)


@contextmanager
def desk_on(home: Home, paper: Paper, clock: Clock | None = None, *, is_awaited: bool = True) -> Iterator[FaultyDesk]:
    """A desk of all the exchange's accounts, every one by the same exit; by default all of them ready."""
    found = load(home.config)
    shared = {
        name: msgspec.structs.replace(account, egress=EXIT, family="shared") for name, account in found.accounts.items()
    }
    settings = msgspec.structs.replace(found, accounts=shared)
    time_of = SystemClock() if clock is None else clock
    parts = real_parts(settings, open_vault(home.vault, home.passphrase), time_of, home)
    desk = build(settings, home, parts, clock=time_of)
    desk.start()
    try:
        made = FaultyDesk(desk, paper)
        made.clock = time_of  # type: ignore[assignment]
        if is_awaited:
            made.until(made.is_well, "every account ready and every market live")
        yield made
    finally:
        desk.stop()


def seen(paper: Paper) -> list[dict[str, Any]]:
    """All that the exchange saw, oldest first."""
    rows: list[dict[str, Any]] = paper.ask("GET", "/requests")["requests"]
    return rows


def by_exit(paper: Paper, after: int = 0) -> list[dict[str, Any]]:
    """What the exchange saw from the accounts' exit after this number of its requests, oldest first."""
    return [row for row in seen(paper) if row["peer"] == EXIT and row["number"] > after]


def last_number(paper: Paper) -> int:
    return int(seen(paper)[-1]["number"])
