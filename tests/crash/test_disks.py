"""A real desk whose disk takes nothing more: no new order leaves, cancels go, and when it heals the journal goes on."""

import contextlib
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest
from crash_checks import told
from crash_operator import ME
from crash_world import World, world
from paper_process import account, has_loopback_range

from tradedesk.access.vault import key_fingerprint
from tradedesk.cli.reach import Watch
from tradedesk.domain.commands import CancelOrder, NotSubmitted
from tradedesk.domain.orders import OrdStatus
from tradedesk.domain.words import ClientOrderId
from tradedesk.journal.sqlite import AGAIN_S

WITHIN_S = 30.0
SEED = 9
FULL = 512 * 1024  # bytes: the state folder of a desk on a tmpfs of its own

pytestmark = [
    pytest.mark.skipif(not has_loopback_range(), reason="needs loopback addresses besides 127.0.0.1"),
    pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="needs prlimit, which Linux has"),
]


@contextlib.contextmanager
def watched(made: World) -> Iterator[Callable[..., None]]:
    """Wait until something is so on the desk; the test fails with what was not."""
    watch = Watch(made.home)

    def until(happened: Callable[[Watch], object], what: str, within_s: float = WITHIN_S) -> None:
        assert watch.until(lambda: watch.view.is_fed and bool(happened(watch)), within_s), f"not so: {what}"

    try:
        yield until
    finally:
        watch.view.close()


def is_(key: ClientOrderId, status: OrdStatus) -> Callable[[Watch], bool]:
    return lambda watch: key in watch.replica.orders and watch.replica.orders[key].ord_status is status


def at_exchange(made: World, key: ClientOrderId, account: str = "acme") -> str | None:
    """The exchange's word for its status; None: it has no such order."""
    rows = made.exchange.books(account)["orders"]
    return next((row["status"] for row in rows if row["clientOrderId"] == key), None)


def limit_files(made: World, most: int) -> None:
    """How large a file of the desk's process may grow from now on: at 0 every write fails, as on a full disk."""
    assert made.desk is not None
    resource.prlimit(made.desk.pid, resource.RLIMIT_FSIZE, (most, resource.RLIM_INFINITY))


def submitted(made: World, *commands: object) -> None:
    with made.control() as control:
        for command in commands:
            answer = control.submit(command)  # type: ignore[arg-type]
            assert not isinstance(answer, NotSubmitted), answer


def test_F63_on_a_full_disk_orders_are_denied_cancels_go_and_after_it_heals_all_goes_on(tmp_path: Path) -> None:
    """5.1; and after a kill the books are the exchange's."""
    with world(tmp_path, SEED) as made:
        made.start()
        assert made.ready()
        first, second, third, fourth = (made.operator.resting(time.time_ns()) for _ in range(4))
        with watched(made) as until:
            submitted(made, first)
            until(is_(first.client_order_id, OrdStatus.New), "an order rests")
            limit_files(made, 0)
            submitted(made, second)
            until(is_(second.client_order_id, OrdStatus.Denied), "an order whose record fails is denied")
            until(lambda watch: watch.replica.alerts["journal"].is_active, "everyone is told")
            submitted(made, third)
            until(is_(third.client_order_id, OrdStatus.Denied), "the next ones are denied at once")
            submitted(made, CancelOrder(account=first.account, client_order_id=first.client_order_id, operator=ME))
            until(is_(first.client_order_id, OrdStatus.Canceled), "a cancel needs no disk")
            assert at_exchange(made, first.client_order_id) == "CANCELED"
            limit_files(made, resource.RLIM_INFINITY)
            until(lambda watch: not watch.replica.alerts["journal"].is_active, "the journal goes on")
            submitted(made, fourth)
            until(is_(fourth.client_order_id, OrdStatus.New), "orders go again")
        sent = made.exchange.look()
        assert (sent[second.client_order_id], sent[third.client_order_id]) == (0, 0)
        assert made.home.journal.with_name("journal.0002.sqlite").exists()
        made.kill()
        made.quiet()
        recorded = told(made.home.journal).replica.orders[first.client_order_id]
        assert recorded.key == key_fingerprint(account(made.exchange.described, "acme")["api_key"])[:12]


def test_F63_a_desk_killed_on_its_full_disk_comes_back_with_the_exchanges_books(tmp_path: Path) -> None:
    """What it could not record after the disk was full, a fill and a cancel, is read from the venue."""
    with world(tmp_path, SEED + 1) as made:
        made.start()
        assert made.ready()
        first, second = (made.operator.resting(time.time_ns()) for _ in range(2))
        with watched(made) as until:
            submitted(made, first)
            until(is_(first.client_order_id, OrdStatus.New), "an order rests")
            submitted(made, second)  # behind it in the queue of one price: what fills the first leaves it alone
            until(is_(second.client_order_id, OrdStatus.New), "and another")
            limit_files(made, 0)
            fill = {"kind": "ext", "what": "fill", "account": "acme", "instrument": "ETHUSDT"}
            assert made.exchange.trouble([{**fill, "client_order_id": first.client_order_id}]) == []
            submitted(made, CancelOrder(account=second.account, client_order_id=second.client_order_id, operator=ME))
            until(is_(first.client_order_id, OrdStatus.Filled), "the fill is shown all the same")
            until(is_(second.client_order_id, OrdStatus.Canceled), "and the cancel")
        made.kill()
        made.quiet()


def may_mount() -> bool:
    """Whether a folder can be given a disk of its own here that only the desk sees."""
    if os.getuid() != 0 or shutil.which("unshare") is None:
        return False
    return subprocess.run(["unshare", "-Urm", "mount", "-t", "tmpfs", "none", "/mnt"], check=False).returncode == 0


def run_on_its_own_disk(made: World, options: str) -> Path:
    """Run the desk with its state on a small disk; returns where that disk is seen from here."""
    made.home.state.mkdir(mode=0o700, exist_ok=True)
    made.desk = subprocess.Popen(
        ["unshare", "-Urm", "sh", "-c", f'mount -t tmpfs -o {options} none "$0" && exec "$@"',
         str(made.home.state), sys.executable, "-m", "tradedesk", "run"],
        env={**os.environ, "TRADEDESK_HOME": str(made.home.config.parent)},
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
    )  # fmt: skip
    return Path(f"/proc/{made.desk.pid}/root{made.home.state}")


@pytest.fixture
def short_folder() -> Iterator[Path]:
    """One whose sockets stand in its state folder: the path of a socket must not be long."""
    with tempfile.TemporaryDirectory(prefix="td-") as folder:
        yield Path(folder)


@pytest.mark.skipif(not may_mount(), reason="needs the right to mount a tmpfs")
def test_F63_a_disk_without_room_stops_new_orders_until_there_is_room(short_folder: Path) -> None:
    with world(short_folder, SEED + 2) as made:
        state = run_on_its_own_disk(made, f"size={FULL},mode=700")
        made.home = msgspec.structs.replace(made.home, state=state)
        assert made.ready()
        first, second, third = (made.operator.resting(time.time_ns()) for _ in range(3))
        with watched(made) as until:
            submitted(made, first)
            until(is_(first.client_order_id, OrdStatus.New), "an order rests")
            with contextlib.suppress(OSError), (state / "others").open("wb", buffering=0) as others:
                while others.write(bytes(4096)):
                    pass
            for _ in range(200):  # the log of the journal has room of its own, for some records
                refused = made.operator.resting(time.time_ns())
                submitted(made, refused)
                until(lambda watch, key=refused.client_order_id: is_settled(watch, key), "it is decided")
                if at_exchange(made, refused.client_order_id) is None:
                    break
                submitted(
                    made, CancelOrder(account=refused.account, client_order_id=refused.client_order_id, operator=ME)
                )
                until(is_(refused.client_order_id, OrdStatus.Canceled), "and cancelled")
            until(lambda watch: watch.replica.alerts["journal"].is_active, "everyone is told")
            submitted(made, second)
            until(is_(second.client_order_id, OrdStatus.Denied), "no new order leaves")
            submitted(made, CancelOrder(account=first.account, client_order_id=first.client_order_id, operator=ME))
            until(is_(first.client_order_id, OrdStatus.Canceled), "a cancel goes")
            (state / "others").unlink()
            until(
                lambda watch: not watch.replica.alerts["journal"].is_active,
                "there is room again",
                AGAIN_S[-1] + WITHIN_S,
            )
            submitted(made, third)
            until(is_(third.client_order_id, OrdStatus.New), "orders go again")
        assert made.exchange.look()[second.client_order_id] == 0
        assert (state / "journal.0002.sqlite").exists()


@pytest.mark.skipif(not may_mount(), reason="needs the right to mount a tmpfs")
def test_F63_a_desk_on_a_read_only_disk_does_not_start_and_says_why(short_folder: Path) -> None:
    with world(short_folder, SEED + 3) as made:
        run_on_its_own_disk(made, "ro,mode=700")
        assert made.desk is not None
        _, words = made.desk.communicate(timeout=WITHIN_S)
        assert made.desk.returncode == 1
        said = words.decode()
        assert str(made.home.state) in said
        assert "Read-only file system" in said
        assert "Traceback" not in said


def is_settled(watch: Watch, key: ClientOrderId) -> bool:
    order = watch.replica.orders.get(key)
    return order is not None and order.ord_status in (OrdStatus.New, OrdStatus.Denied)
