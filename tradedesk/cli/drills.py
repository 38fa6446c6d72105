"""The drills of `tradedesk selftest --drills`: a desk that runs away, hangs, dies or cannot write, at a venue in trouble.

Each ends at the paper exchange's own records. The tests run the same functions.
"""

import os
import pty
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from tradedesk.cli.demo import make_desk, new_vault, paper_exchange, start_desk, wait_until_ready
from tradedesk.cli.drill_desk import Differs, Ground, NotHere, as_a_process, until_free

if TYPE_CHECKING:
    from tradedesk.config import Home

LOOPED = 2_000  # orders, before somebody stops the loop
STOPPED_WITHIN_NS = 10**9
GOES_ON_S = 1.5  # the loop, after it was stopped

DIFFERENT = "DIFFERENT"  # the outcome of a drill that failed

Drill = Callable[[Ground], None]


# -- while the desk runs --------------------------------------------------------------------------------------------------


def runaway_loop(ground: Ground) -> None:
    """Orders as fast as the desk takes them: never more than the limit are open, and a second after the halt none arrives."""
    from tradedesk.desk.client import RemoteControl
    from tradedesk.domain.accounts import HaltLevel
    from tradedesk.domain.commands import HaltTrading
    from tradedesk.domain.words import OperatorId

    account, seen = "acme", ground.seen()
    is_over, looped = threading.Event(), [0]
    model = ground.order(account)
    most = ground.replica.accounts[model.account].account.limits.max_open_orders
    assert most is not None

    def loop() -> None:
        control = RemoteControl(ground.home.control_socket, None)
        while not is_over.is_set():
            control.submit(again(model))
            looped[0] += 1
        control.close()

    runaway = threading.Thread(target=loop)
    runaway.start()
    try:
        ground.until("the loop has run", lambda: looped[0] >= LOOPED)
        halted_at = time.time_ns()
        ground.submit(
            HaltTrading(account=model.account, level=HaltLevel.CancelOpening, reason="a loop", operator=OperatorId(""))
        )
        ground.watch_for(GOES_ON_S)
    finally:
        is_over.set()
        runaway.join()
    ground.until(
        "its orders are gone",
        lambda: all(row.is_dead for row in ground.replica.orders.values() if row.account == model.account),
    )
    arrived = [row for row in ground.requests(seen) if row["account"] == account and is_new_order(row)]
    ground.must(len(arrived) <= most, f"{len(arrived)} orders arrived, of which {most} may be open")
    late = [row for row in arrived if row["time"] > halted_at + STOPPED_WITHIN_NS]
    ground.must(not late, f"{len(late)} orders arrived more than a second after the halt")
    ground.gone([row["client_order_id"] for row in arrived], account)


def again(order: Any) -> Any:
    """The same order once more, under an id of its own."""
    import msgspec

    from tradedesk.cli.reach import DEADLINE_NS, new_id

    now = time.time_ns()
    return msgspec.structs.replace(order, client_order_id=new_id(now), deadline=now + DEADLINE_NS)


def is_new_order(row: dict[str, Any]) -> bool:
    """Of the requests that the exchange saw: whether it may have made an order."""
    is_rest = row["method"] == "POST" and row["path"].endswith("/order")
    return bool(row["is_processed"]) and (row["method"] == "order.place" or is_rest)


def halt(ground: Ground) -> None:
    """The whole desk, cancel-all: nothing of ours is left at the exchange, and nothing new gets there."""
    from tradedesk.domain.accounts import HaltLevel
    from tradedesk.domain.commands import HaltTrading
    from tradedesk.domain.words import OperatorId

    ours, neighbours = [ground.rest(), ground.rest(is_sale=True)], [ground.rest("birch")]
    ground.submit(HaltTrading(account=None, level=HaltLevel.CancelAll, reason="a drill", operator=OperatorId("")))
    ground.until("every order is gone", lambda: all(order.is_dead for order in ground.replica.orders.values()))
    ground.gone(ours)
    ground.gone(neighbours, "birch")
    ground.denied()
    ground.denied("birch")


# -- the desk in trouble --------------------------------------------------------------------------------------------------


def desk_frozen(ground: Ground) -> None:
    """SIGSTOP: openings go, protective orders stay; once it thaws, the desk knows and is halted."""
    ours, neighbours, protective = ground.rest(), ground.rest("birch"), ground.rest(is_sale=True)
    ground.freeze()
    receipt = ground.kill("--all")
    ground.gone([ours])
    ground.gone([neighbours], "birch")
    ground.stands(protective)
    ground.agrees(receipt)
    ground.thaw()
    ground.until("the desk hears of the kill", lambda: None in ground.replica.halts)
    ground.denied()


def desk_killed(ground: Ground) -> None:
    """SIGKILL: cancelled without it; the next desk starts halted, and nothing comes alive."""
    ours = [ground.rest() for _ in range(3)]
    ground.end_desk()
    receipt = ground.kill("--all")
    ground.gone(ours)
    ground.agrees(receipt)
    ground.start()
    ground.must(None in ground.replica.halts, "the desk that was started again is not halted")
    ground.denied()
    ground.gone(ours)


def disk_full(ground: Ground) -> None:
    """No file of the desk or of the kill can grow: new orders are denied, and those at the exchange are cancelled all the same."""
    import resource

    if not hasattr(resource, "prlimit"):
        raise NotHere("needs Linux: another process's files are kept from growing")
    ours = [ground.rest() for _ in range(2)]
    _limit_files(ground.desk_pid, 0)
    try:
        ground.denied()
        receipt = ground.kill("--all", status=None, is_disk_full=True)
        ground.gone(ours)
        ground.agrees(receipt)
    finally:
        _limit_files(ground.desk_pid, resource.RLIM_INFINITY)
    ground.until("the journal goes on", lambda: not ground.replica.alerts["journal"].is_active)


def _limit_files(pid: int, most: int) -> None:
    """How large a file of that process may grow from now on, in bytes: at 0 every write fails, as on a full disk."""
    import resource

    resource.prlimit(pid, resource.RLIMIT_FSIZE, (most, resource.RLIM_INFINITY))


def screen_blocked(ground: Ground) -> None:
    """A terminal that takes no byte holds the thread that draws; the desk behind it is not asked, and hears of it."""
    ground.end_desk(signal.SIGTERM)
    try:
        with _blocked_screen(ground):
            ours = [ground.rest(), ground.rest()]
            receipt = ground.kill("--all", "--level", "cancel-all")
            ground.gone(ours)
            ground.agrees(receipt)
            ground.until("the desk hears of the kill", lambda: None in ground.replica.halts)
    finally:
        ground.must(until_free(ground.home), "the desk behind the screen is still there")
        ground.start()


@contextmanager
def _blocked_screen(ground: Ground) -> Iterator[None]:
    """A desk with its screen on a terminal of its own, of which nobody reads any more once it is up."""
    master, slave = pty.openpty()
    environment = {**os.environ, "TRADEDESK_HOME": str(ground.home.config.parent), "TERM": "xterm-256color"}
    screen = subprocess.Popen(
        [sys.executable, "-m", "tradedesk"], stdin=slave, stdout=slave, stderr=slave, close_fds=True,
        start_new_session=True, env=environment,
    )  # fmt: skip
    is_blocked = threading.Event()

    def shows() -> None:
        while not is_blocked.is_set():
            if select.select([master], [], [], 0.1)[0]:
                os.read(master, 65_536)

    reader = threading.Thread(target=shows)
    reader.start()
    try:
        ground.until(
            "the desk behind the screen is up",
            lambda: ground.replica.desk is not None and ground.replica.desk.pid == screen.pid,
        )
        ground.ready()
        is_blocked.set()
        reader.join()
        yield
    finally:
        is_blocked.set()
        reader.join()
        screen.kill()
        screen.wait()
        os.close(master)
        os.close(slave)


# -- the venue in trouble, the desk frozen --------------------------------------------------------------------------------


def venue_slow(ground: Ground) -> None:
    """Every answer comes a second late."""
    _asked_until_it_shows_nothing(ground, "late", seconds=1)


def venue_mute(ground: Ground) -> None:
    """The first cancel is done and never answered."""
    _asked_until_it_shows_nothing(ground, "mute", method="cancel", count=1)


def venue_half_down(ground: Ground) -> None:
    """Two of five requests get a 502."""
    _asked_until_it_shows_nothing(ground, "say", chance=0.4, status=502, answer="<html>bad gateway</html>")


def _asked_until_it_shows_nothing(ground: Ground, kind: str, **fields: object) -> None:
    ours = [ground.rest() for _ in range(3)]
    ground.freeze()
    ground.fault(kind, account="acme", **fields)
    receipt = ground.kill("--account", "acme", "--account", "birch")
    cancelled = receipt["by_account"]["acme"]["cancelled"]
    ground.must(cancelled == len(ours), f"the receipt says that {cancelled} of {len(ours)} orders were cancelled")
    ground.gone(ours)
    ground.agrees(receipt)


def venue_bans(ground: Ground) -> None:
    """It bans one account's exit: that one is not asked again, and said to be unreachable; the others are cleared."""
    ours, neighbours = ground.rest(), ground.rest("birch")
    ground.freeze()
    ground.fault("say", account="acme", status=418, answer='{"code":-1003,"msg":"banned"}', retry_after=60)
    seen = ground.seen()
    receipt = ground.kill("--all", status=1)
    rows = receipt["by_account"]
    outcomes = (rows["acme"]["outcome"], rows["birch"]["outcome"])
    ground.must(outcomes == ("unreachable", "clear"), f"acme is {outcomes[0]}, birch {outcomes[1]}")
    ground.must("banned" in rows["acme"]["why"], f"why acme is not cleared: {rows['acme']['why']}")
    ground.must(rows["acme"]["is_blocked"], "acme is not halted")
    ground.stands(ours)
    ground.gone([neighbours], "birch")
    asked = [row for row in ground.requests(seen) if row["account"] == "acme"]
    ground.must(len(asked) <= 2, f"a venue that banned was asked {len(asked)} times")
    ground.agrees(receipt)


def venue_down(ground: Ground) -> None:
    """It answers nothing: the receipt says so within its bound, every account is halted, and the next kill clears them."""
    ours = ground.rest()
    ground.freeze()
    os.kill(ground.paper_pid, signal.SIGSTOP)
    try:
        receipt = ground.kill("--all", status=1)
    finally:
        os.kill(ground.paper_pid, signal.SIGCONT)
    for row in receipt["accounts"]:
        is_told = row["outcome"] == "unreachable" and row["is_blocked"] and bool(row["why"])
        ground.must(is_told, f"{row['account']}: {row['outcome']}, blocked {row['is_blocked']}, why {row['why']!r}")
    receipt = ground.kill("--all")
    ground.gone([ours])
    ground.agrees(receipt)


DRILLS: tuple[Drill, ...] = (
    runaway_loop,
    halt,
    desk_frozen,
    desk_killed,
    disk_full,
    screen_blocked,
    venue_slow,
    venue_mute,
    venue_half_down,
    venue_bans,
    venue_down,
)


# -- all of them ----------------------------------------------------------------------------------------------------------


def all_drills(seed: int, told: Callable[[dict[str, Any]], None]) -> list[dict[str, Any]]:
    """Every drill on one desk and one paper exchange of this machine; `told` of each row as it is done."""
    from tradedesk.config import find_home

    with TemporaryDirectory(prefix="tradedesk-drills-") as folder:
        home = find_home({"TRADEDESK_HOME": folder})
        with paper_exchange(seed) as exchange:
            make_desk(home, exchange.described, new_vault(home))
            desk = start_desk(home)
            processes = [desk]
            try:
                wait_until_ready(home, desk)
                ground = Ground(
                    home, exchange.described, desk_pid=desk.pid, paper_pid=exchange.pid, kills=as_a_process(home)
                )
                processes = ground.started
                processes.append(desk)
                try:
                    return _run(ground, told)
                finally:
                    ground.thaw()
                    ground.close()
            finally:
                _end(home, processes)


def _run(ground: Ground, told: Callable[[dict[str, Any]], None]) -> list[dict[str, Any]]:
    rows = []
    for drill in DRILLS:
        rows.append(outcome(drill, ground))
        told(rows[-1])
        try:
            ground.calm()
        except (Differs, OSError) as error:
            rows.append(row_of("what a drill left behind", DIFFERENT, 0, str(error)))
            told(rows[-1])
            break  # the next ones would tell of this one
    return rows


def outcome(drill: Drill, ground: Ground) -> dict[str, Any]:
    """One drill, run: its row of the table."""
    name, began = drill.__name__.replace("_", " "), time.monotonic()
    try:
        drill(ground)
        found, why = "as it must", (drill.__doc__ or "").splitlines()[0]
    except NotHere as error:
        found, why = "not here", str(error)
    except (Differs, OSError) as error:
        found, why = DIFFERENT, str(error)
    return row_of(name, found, round((time.monotonic() - began) * 1000), why)


def row_of(name: str, found: str, took_ms: int, why: str) -> dict[str, Any]:
    return {"drill": name, "outcome": found, "took_ms": took_ms, "why": why}


def _end(home: "Home", processes: list[subprocess.Popen[bytes]]) -> None:
    for process in processes:
        if process.poll() is None:
            process.terminate()
        process.wait()
    until_free(home)
