"""F71, F72 on real processes: a desk without free descriptors, and one told to go in the middle of an order."""

import json
import os
import resource
import signal
import socket
import subprocess
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from demo_desk import PROGRAM, Demo, demo, started
from paper_process import has_loopback_range

from tradedesk.cli.reach import Watch
from tradedesk.desk.client import RemoteControl
from tradedesk.domain.commands import CancelOrder, Submitted
from tradedesk.domain.orders import OrdStatus
from tradedesk.domain.words import AccountId, ClientOrderId, OperatorId
from tradedesk.journal.segments import verify

pytestmark = pytest.mark.skipif(not has_loopback_range(), reason="needs loopback addresses besides 127.0.0.1")

WITHIN_S = 20.0


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    with demo(Path(tmp_path_factory.mktemp("demo"))) as found:
        yield found


def admin(desk: Demo, method: str, path: str, body: object = None) -> Any:
    request = urllib.request.Request(
        desk.paper["admin"] + path,
        method=method,
        data=None if body is None else json.dumps(body).encode(),
        headers={"Authorization": f"Bearer {desk.paper['admin_token']}"},
    )
    with urllib.request.urlopen(request, timeout=WITHIN_S) as answer:
        return json.load(answer)


def resting(desk: Demo) -> str:
    return str(desk.place("--type", "limit", "--price", desk.below(2)).json["orders"][0]["client_order_id"])


@pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="needs prlimit, which Linux has")
def test_F71_a_desk_without_a_free_descriptor_goes_on_trading_and_lets_screens_in_again(desk: Demo) -> None:
    """5.8, 5.13: what is open stays open, what knocks is turned away, nothing ends."""
    before = resource.prlimit(desk.desk_pid, resource.RLIMIT_NOFILE)
    known, watch, control = resting(desk), Watch(desk.home), RemoteControl(desk.home.control_socket, None)
    cancel = CancelOrder(account=AccountId("acme"), client_order_id=ClientOrderId(known), operator=OperatorId(""))
    held = []
    try:
        assert watch.until(lambda: known in watch.replica.orders, WITHIN_S)
        open_now = {int(name) for name in os.listdir(f"/proc/{desk.desk_pid}/fd")}
        resource.prlimit(desk.desk_pid, resource.RLIMIT_NOFILE, (min(set(range(4096)) - open_now), before[1]))
        for _ in range(40):
            knock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            knock.setblocking(False)
            with suppress(BlockingIOError):  # nobody takes them in: the kernel's queue is full
                knock.connect(str(desk.home.read_socket))
            held.append(knock)
        assert isinstance(control.submit(cancel), Submitted)
        assert watch.until(
            lambda: watch.replica.orders[ClientOrderId(known)].ord_status is OrdStatus.Canceled, WITHIN_S
        )
    finally:
        for knock in held:
            knock.close()
        resource.prlimit(desk.desk_pid, resource.RLIMIT_NOFILE, before)
        watch.view.close()
        control.close()
    again = resting(desk)  # by a connection of its own
    assert desk.order(again)["state"] == "New"
    assert desk.ask("order", "cancel", again).status == 0
    assert desk.differences() == []


@pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="needs prlimit, which Linux has")
def test_F71_descriptors_that_run_out_are_told_of_before_the_last(desk: Demo) -> None:
    before = resource.prlimit(desk.desk_pid, resource.RLIMIT_NOFILE)
    watch = Watch(desk.home)
    try:
        in_use = len(os.listdir(f"/proc/{desk.desk_pid}/fd"))
        resource.prlimit(desk.desk_pid, resource.RLIMIT_NOFILE, (in_use * 5 // 4, before[1]))  # four fifths in use

        def told() -> bool:
            row = watch.replica.alerts.get("desk:descriptors")
            return row is not None and row.is_active

        assert watch.until(told, WITHIN_S)
        assert "files and sockets open" in watch.replica.alerts["desk:descriptors"].alert.text
        known = resting(desk)  # and all goes on
        assert desk.ask("order", "cancel", known).status == 0
        resource.prlimit(desk.desk_pid, resource.RLIMIT_NOFILE, before)
        assert watch.until(lambda: not told(), WITHIN_S)
    finally:
        resource.prlimit(desk.desk_pid, resource.RLIMIT_NOFILE, before)
        watch.view.close()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT], ids=lambda number: number.name)
def test_F72_a_desk_told_to_go_in_the_middle_of_an_order_closes_its_journal_and_finds_the_order_again(
    desk: Demo, number: signal.Signals
) -> None:
    """5.1: orders stay at the venue; what had no answer is asked about at the next start and never sent again."""
    stays = resting(desk)
    known = {row["client_order_id"] for row in desk.ask("orders", "--json").json["orders"]}
    if not desk.again:  # the desk of the demo ends the demo with it: from here on it is one that `run` has started
        desk.kill_and_run_again()
    (fault,) = admin(desk, "POST", "/faults", {"kind": "stall", "seconds": 2, "account": "acme", "count": 1,
                                               "method": "place"})["ids"]  # fmt: skip
    order = ("--account", "acme", "--instrument", "BTC/USDT", "--side", "buy", "--type", "limit", "--qty", "0.01",
             "--price", desk.below(2))  # fmt: skip
    placing = subprocess.Popen(
        [*PROGRAM, "order", "place", *order],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, **desk.environment()},
    )
    assert desk.until(lambda watch: set(watch.replica.orders) - known)  # it has no answer for two seconds
    process = desk.again[-1]
    os.kill(process.pid, number)
    assert process.wait(WITHIN_S) == 0
    placing.wait(WITHIN_S)
    assert verify(desk.home.journal).damaged == ()
    again, line = started(desk, "run", "--json")
    assert json.loads(line)["schema"] == "run.v1"
    desk.again.append(again)
    desk.desk_pid = again.pid
    assert desk.differences() == []
    struck = next(row["struck"] for row in admin(desk, "GET", "/faults")["faults"] if row["id"] == fault)
    new = [row for row in desk.ask("orders", "--json").json["orders"] if row["client_order_id"] not in known]
    assert (struck, [row["state"] for row in new]) == (1, ["New"])
    assert desk.order(stays)["state"] == "New"
    for key in (stays, new[0]["client_order_id"]):
        assert desk.ask("order", "cancel", key).status == 0


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs /proc, which Linux has")
def test_F71_a_million_events_of_a_market_leave_the_desk_as_large_as_it_was(desk: Demo) -> None:
    """5.13: whatever it cannot take it is cut off from, and begins anew."""

    def megabytes() -> int:
        pages = int(Path(f"/proc/{desk.desk_pid}/statm").read_text().split()[1])
        return pages * resource.getpagesize() >> 20

    rate, watch, never = 50_000, Watch(desk.home), threading.Event()
    (flood,) = admin(desk, "POST", "/faults", {"kind": "flood", "transport": "stream", "rate": rate})["ids"]
    try:
        began, settled = time.monotonic(), 0
        while (sent := int((time.monotonic() - began) * rate)) < 1_250_000:
            if not settled and sent >= 250_000:
                settled = megabytes()
            never.wait(0.2)
        struck = next(row["struck"] for row in admin(desk, "GET", "/faults")["faults"] if row["id"] == flood)
        grown = megabytes() - settled
    finally:
        admin(desk, "DELETE", "/faults")
        watch.view.close()
    assert struck > 10
    assert grown < 64, f"{grown} MB in a million events"
    deadline = time.monotonic() + WITHIN_S
    while desk.order(known := resting(desk))["state"] != "New":  # refused while its market is begun anew
        assert time.monotonic() < deadline
    assert desk.ask("order", "cancel", known).status == 0
