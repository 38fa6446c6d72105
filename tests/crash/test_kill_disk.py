"""A kill on a disk without room: it halts, it cancels, and its receipt is kept in the room that the desk set aside."""

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from crash_world import World, world
from paper_process import has_loopback_range

from tradedesk.cli.reach import Watch
from tradedesk.domain.commands import NotSubmitted
from tradedesk.domain.orders import OrdStatus

SEED = 17
SIZE = 768 * 1024  # bytes of the disk
WITHIN_S = 60.0


def may_mount() -> bool:
    with tempfile.TemporaryDirectory() as folder:
        try:
            made = subprocess.run(["mount", "-t", "tmpfs", "none", folder], check=False, capture_output=True)
        except OSError:
            return False
        if made.returncode == 0:
            subprocess.run(["umount", folder], check=True)
        return made.returncode == 0


pytestmark = [
    pytest.mark.skipif(not has_loopback_range(), reason="needs loopback addresses besides 127.0.0.1"),
    pytest.mark.skipif(not may_mount(), reason="needs the right to mount a tmpfs"),
]


@pytest.fixture
def short_folder() -> Iterator[Path]:
    """One whose sockets stand in its state folder: the path of a socket must not be long."""
    with tempfile.TemporaryDirectory(prefix="td-") as folder:
        yield Path(folder)


@contextlib.contextmanager
def small_disk(made: World) -> Iterator[None]:
    """The state folder of the desk as a disk of its own."""
    made.home.state.mkdir(mode=0o700, exist_ok=True)
    where = str(made.home.state)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SIZE},mode=700", "none", where], check=True)
    try:
        yield
    finally:
        made.close()
        subprocess.run(["umount", "-l", where], check=True)


def fill(folder: Path) -> None:
    with contextlib.suppress(OSError), (folder / "others").open("wb", buffering=0) as others:
        while others.write(bytes(4096)):
            pass


def test_F64_a_kill_needs_no_room_on_the_disk(short_folder: Path) -> None:
    with world(short_folder, SEED) as made, small_disk(made):
        made.start()
        assert made.ready()
        order = made.operator.resting(time.time_ns())
        with made.control() as control:
            assert not isinstance(control.submit(order), NotSubmitted)
        watch = Watch(made.home)
        try:
            assert watch.until(
                lambda: (
                    order.client_order_id in watch.replica.orders
                    and watch.replica.orders[order.client_order_id].ord_status is OrdStatus.New
                ),
                WITHIN_S,
            )
        finally:
            watch.view.close()
        fill(made.home.state)
        done = subprocess.run(
            [sys.executable, "-m", "tradedesk", "kill", "--all", "--level", "cancel-all", "--reason", "no room", "--json"],
            env={**os.environ, "TRADEDESK_HOME": str(made.home.config.parent)},
            capture_output=True, text=True, check=False, timeout=WITHIN_S,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        receipt = json.loads(done.stdout)
        assert receipt["is_complete"]
        assert all(row["is_blocked"] for row in receipt["accounts"])
        books = made.exchange.books(order.account)["orders"]
        assert {row["status"] for row in books} == {"CANCELED"}
        kept = json.loads(Path(receipt["file"]).read_text(encoding="utf-8"))
        assert kept["id"] == receipt["id"]
        assert not (made.home.state / "receipts" / "reserve").exists()  # whose room it took
        (made.home.state / "others").unlink()
