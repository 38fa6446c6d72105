"""`tradedesk watchdog` beside a real desk: killed, stopped in order, and only asked what it would do."""

import json
import os
import queue
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from demo_desk import MINUTE_S, WITHIN_S, Demo, demo, has_prices, started
from paper_process import has_loopback_range

from tradedesk.cli.drill_desk import are_ready
from tradedesk.domain.words import AccountId

pytestmark = pytest.mark.skipif(not has_loopback_range(), reason="needs loopback addresses besides 127.0.0.1")


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Demo]:
    with demo(tmp_path) as found:
        text = found.home.config.read_text(encoding="utf-8")
        text = text.replace("[desk]\n", "[desk]\nwatchdog_seconds = 5\n")
        text = text.replace("[accounts.acme]\n", '[accounts.acme]\ndead_man = "watchdog"\n')
        found.home.config.write_text(text, encoding="utf-8")
        yield found


def rest(desk: Demo, account: str) -> str:
    ran = desk.place("--type", "limit", "--price", desk.below(2), account=account)
    assert ran.status == 0, ran.json["orders"][0]["reasons"]
    return str(ran.json["orders"][0]["client_order_id"])


def statuses(desk: Demo, account: str) -> list[str]:
    return [row["status"] for row in desk.books(account)["orders"]]


class Said:
    """A running watchdog, and what it says, line by line, read on a thread of its own."""

    def __init__(self, desk: Demo, *options: str) -> None:
        self.process, line = started(desk, "watchdog", "--json", *options)
        self.first: dict[str, Any] = json.loads(line)
        self._lines: queue.Queue[str] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.put(line)

    def until(self, what: str) -> dict[str, Any]:
        """Its lines until one says `what`, which is returned."""
        while True:
            row: dict[str, Any] = json.loads(self._lines.get(timeout=WITHIN_S))
            assert row["schema"] == "watchdog.v1"
            if row["what"] == what:
                return row

    def end(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(WITHIN_S)


def test_a_desk_that_died_is_stood_in_for_once_and_for_those_alone_who_chose_it(desk: Demo) -> None:
    rest(desk, "acme")
    rest(desk, "birch")
    watchdog = Said(desk)
    try:
        assert watchdog.first["accounts"] == ["acme"]
        watchdog.until("alive")
        os.kill(desk.desk_pid, signal.SIGKILL)
        killed = watchdog.until("killed")
        assert (statuses(desk, "acme"), statuses(desk, "birch")) == (["CANCELED"], ["NEW"])
        receipt = json.loads(Path(killed["receipt"]).read_text(encoding="utf-8"))
        assert (receipt["by"], receipt["is_complete"]) == ("process:watchdog", True)
        assert [row["account"] for row in receipt["accounts"]] == ["acme"]
        second = desk.call("watchdog")
        assert (second.status, "another watchdog" in second.err) == (1, True), second
        process, _ = started(desk, "run", "--json")
        desk.again.append(process)
        watchdog.until("alive")
        assert desk.until(lambda watch: "acme" in watch.replica.halts and "birch" not in watch.replica.halts)
        assert len(list(desk.home.state.glob("receipts/*.json"))) == 1
        assert desk.until(lambda watch: are_ready(watch.replica), MINUTE_S)
        assert desk.until(has_prices)
        opening = desk.place("--type", "limit", "--price", desk.below(2))
        assert opening.status == 3, opening  # until a person re-arms it, the account only reduces
        above = f"{desk.market()['ask'] * 102 / 100:.2f}"
        reducing = desk.place("--type", "limit", "--price", above, side="sell")
        assert reducing.status == 0, reducing.json["orders"][0]["reasons"]
        assert desk.until(lambda watch: watch.replica.watchdog_at is not None)
        rows = {row["account"]: row["dead_man"]["word"] for row in desk.ask("status", "--json").json["accounts"]}
        assert rows == {"acme": "watchdog", "birch": "none", "cedar": "none"}
        assert desk.ask("rearm", "--account", "acme", "--reason", "the desk is back").status == 0
        desk.desk_pid = process.pid
        assert desk.until(lambda watch: watch.replica.accounts[AccountId("acme")].state == "Ready")
        rest(desk, "acme")
        process.send_signal(signal.SIGTERM)
        process.wait(WITHIN_S)
        watchdog.until("resting")
        assert statuses(desk, "acme") == ["CANCELED", "NEW", "NEW"]  # stopped in order: as its settings say
    finally:
        assert watchdog.end() == 0


def test_a_dry_run_says_what_it_would_do_and_does_nothing(desk: Demo) -> None:
    rest(desk, "acme")
    watchdog = Said(desk, "--dry-run")
    try:
        os.kill(desk.desk_pid, signal.SIGSTOP)
        assert watchdog.until("would-kill")["accounts"] == ["acme"]
        assert statuses(desk, "acme") == ["NEW"]
        assert list(desk.home.state.glob("receipts/*.json")) == []
    finally:
        os.kill(desk.desk_pid, signal.SIGCONT)
        assert watchdog.end() == 0
    assert desk.until(lambda watch: not watch.replica.halts)


def test_without_an_account_that_chose_it_there_is_nothing_to_watch_for(desk: Demo) -> None:
    text = desk.home.config.read_text(encoding="utf-8")
    desk.home.config.write_text(text.replace('dead_man = "watchdog"\n', ""), encoding="utf-8")
    ran = desk.ask("watchdog")
    assert (ran.status, "dead_man" in ran.err) == (1, True), ran


def test_orders_are_cancelled_at_a_stop_where_an_account_says_so_and_kept_where_not(desk: Demo) -> None:
    """F72"""
    text = desk.home.config.read_text(encoding="utf-8")
    desk.home.config.write_text(
        text.replace("[accounts.acme]\n", '[accounts.acme]\non_stop = "cancel"\n'), encoding="utf-8"
    )
    desk.kill_and_run_again()
    assert desk.until(lambda watch: all(row.state == "Ready" for row in watch.replica.accounts.values()))
    for number in (signal.SIGTERM, signal.SIGHUP):
        rest(desk, "acme")
        rest(desk, "birch")
        stopped = desk.again[-1]
        stopped.send_signal(number)
        assert stopped.wait(WITHIN_S) == 0
        assert set(statuses(desk, "acme")) == {"CANCELED"}
        assert set(statuses(desk, "birch")) == {"NEW"}
        process, _ = started(desk, "run", "--json")
        desk.again.append(process)
        desk.desk_pid = process.pid
        assert desk.until(lambda watch: all(row.state == "Ready" for row in watch.replica.accounts.values()))
    assert desk.differences() == []
