"""Waiting for a turn on the real clock, from several threads at once: short windows, nothing slept away."""

import asyncio
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tradedesk.clock import SystemClock
from tradedesk.venues.bans import LONGEST_NS, BanFolder, KnownBan
from tradedesk.venues.budgets import Scopes, Turn
from tradedesk.venues.pools import SECOND_NS, Limit, Per, Priority, Unit
from tradedesk.venues.spot_prices import LIMITS, price_of
from tradedesk.venues.turns import Budgets, Door, NoTurn, retry_after_ns

WINDOW_NS = SECOND_NS // 5
SHORT = (Limit(per=Per.Exit, unit=Unit.Weight, most=20, window_ns=WINDOW_NS),)
LONG = (Limit(per=Per.Exit, unit=Unit.Weight, most=20, window_ns=600 * SECOND_NS),)
ONE = {Unit.Weight: 1}
WITHIN_S = 10
EXIT = "127.0.0.2"


def doors(limits: tuple[Limit, ...], *accounts: str) -> tuple[Budgets, list[Door]]:
    budgets = Budgets(SystemClock())
    return budgets, [budgets.door("venue", limits, Scopes(exit=EXIT, account=account)) for account in accounts]


async def filled(door: Door) -> list[Turn]:
    """All that anything but a cancel may have."""
    turns = [await door.pass_(ONE, Priority.Order) for _ in range(18)]
    assert all(isinstance(turn, Turn) for turn in turns)
    return [turn for turn in turns if isinstance(turn, Turn)]


def in_threads(*works: Callable[[], object]) -> None:
    threads = [threading.Thread(target=work, daemon=True) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(WITHIN_S)
        assert not thread.is_alive()


@pytest.fixture
def _threads_take_turns_often() -> Iterator[None]:
    """So that what is not held together by the lock comes apart here."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("_threads_take_turns_often")
def test_accounts_on_threads_of_their_own_never_pass_the_limit_together() -> None:
    """F26, DESIGN 7: one lock, four workers on one exit."""
    _, each = doors(SHORT, "acme", "birch", "cedar", "dogwood")
    clock, sent, lock = SystemClock(), list[int](), threading.Lock()

    def sends(door: Door) -> Callable[[], None]:
        async def all_of_them() -> None:
            for number in range(200):
                turn = await door.pass_(ONE, Priority.Order)
                assert isinstance(turn, Turn)
                if number % 10:
                    door.left(turn)  # most were not sent after all
                    continue
                with lock:
                    sent.append(clock.monotonic())

        return lambda: asyncio.run(all_of_them())

    in_threads(*(sends(door) for door in each))
    assert len(sent) == 80
    slack = WINDOW_NS // 20  # between the turn and the stamp of this test
    for start in sent:
        assert sum(1 for at in sent if start <= at < start + WINDOW_NS - slack) <= 20
    pools = {pool for door in each for pool in door._client.pools if pool.limit.per is Per.Exit}
    assert [pool._total for pool in pools] == [80]
    assert [door._client.waiting for door in each] == [[0, 0]] * 4


async def test_an_order_that_would_wait_beyond_its_deadline_is_not_sent() -> None:
    """F49"""
    _, [door] = doors(LONG, "acme")
    await filled(door)
    turn = await asyncio.wait_for(door.pass_(ONE, Priority.Order, within_ns=SECOND_NS // 50), WITHIN_S)
    assert turn == NoTurn(f"it waited too long for the rate budget of exit {EXIT}")
    assert isinstance(await door.pass_(ONE, Priority.Cancel), Turn)


async def test_an_order_that_nobody_wants_any_more_stops_waiting() -> None:
    """F77: a halt empties this queue, too."""
    _, [door] = doors(LONG, "acme")
    await filled(door)
    reasons: list[str | None] = [None]
    waits = asyncio.create_task(door.pass_(ONE, Priority.Order, unwanted=lambda: reasons[0]))
    await asyncio.sleep(0)
    reasons[0] = "the account is halted"
    assert await asyncio.wait_for(waits, WITHIN_S) == NoTurn("the account is halted")


async def test_a_task_that_is_cancelled_leaves_the_queue_and_its_room_to_others() -> None:
    _, [door] = doors(LONG, "acme")
    turns = await filled(door)
    first, second = (asyncio.create_task(door.pass_(ONE, Priority.Order)) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    door.left(turns[0])  # was not sent: there is room for one
    assert isinstance(await asyncio.wait_for(second, WITHIN_S), Turn)


def test_a_ban_reaches_whoever_waits_on_other_threads_at_once() -> None:
    """F27"""
    budgets, [one, two] = doors(LONG, "acme", "birch")
    waiting, got = threading.Event(), list[object]()

    async def waits() -> None:
        turns = [await one.pass_(ONE, Priority.Order) for _ in range(9)]
        assert all(isinstance(turn, Turn) for turn in turns)
        task = asyncio.create_task(one.pass_(ONE, Priority.Order))
        await asyncio.sleep(0)
        waiting.set()
        got.append(await asyncio.wait_for(task, WITHIN_S))

    async def is_banned() -> None:
        assert waiting.wait(WITHIN_S)
        turn = await two.pass_(ONE, Priority.Look)
        assert isinstance(turn, Turn)
        two.answered(turn, 418, -1003, {"retry-after": "1000"})

    in_threads(lambda: asyncio.run(waits()), lambda: asyncio.run(is_banned()))
    [ban] = budgets.bans()
    assert ban.accounts == ("acme", "birch")
    assert got == [NoTurn(ban.text)]
    assert (one.ban(), two.ban()) == (ban.text, ban.text)
    assert ban.text.startswith(f"exit {EXIT} is banned by the venue until 20")


class WallClock(SystemClock):
    """The machine's, but for its date."""

    def __init__(self, ahead_ns: int = 0) -> None:
        self.ahead_ns = ahead_ns

    def now(self) -> int:
        return super().now() + self.ahead_ns


async def test_a_ban_outlives_the_desk_that_heard_of_it(tmp_path: Path) -> None:
    """F27: who starts again within it must not ask; a ban of one place, and of one exit, is none of another."""
    scopes = Scopes(exit=EXIT, account="acme")
    door = Budgets(SystemClock(), BanFolder(tmp_path / "bans")).door("venue", LONG, scopes)
    turn = await door.pass_(ONE, Priority.Look)
    assert isinstance(turn, Turn)
    door.answered(turn, 418, -1003, {"retry-after": "1000"})

    def again(clock: SystemClock, place: str = "venue", exit_: str = EXIT) -> str | None:
        budgets = Budgets(clock, BanFolder(tmp_path / "bans"))
        door = budgets.door(place, LONG, Scopes(exit=exit_, account="acme"))
        budgets.recall()
        return door.ban()

    assert again(SystemClock()) == door.ban()
    assert again(WallClock(990 * SECOND_NS)) == door.ban()
    assert (again(SystemClock(), "elsewhere"), again(SystemClock(), exit_="127.0.0.9")) == (None, None)
    assert again(WallClock(1_001 * SECOND_NS)) is None
    assert list((tmp_path / "bans").iterdir()) == []  # it is over, and so is the memory of it


@pytest.mark.parametrize("content", [b"", b"{", b'{"place":"venue","exit":"e","until":"soon"}', b"\xff" * 20_000])
def test_a_ban_that_cannot_be_read_is_left_where_it_is(tmp_path: Path, content: bytes) -> None:
    folder = tmp_path / "bans"
    folder.mkdir()
    (folder / "x.json").write_bytes(content)
    assert BanFolder(folder).read(0) == []
    assert (folder / "x.json").exists()


def test_a_ban_longer_than_any_is_a_clock_that_was_set_and_holds_nobody(tmp_path: Path) -> None:
    folder = BanFolder(tmp_path / "bans")
    folder.keep(KnownBan(place="venue", exit=EXIT, until=LONGEST_NS + 2))
    assert folder.read(1) == []


async def test_an_order_that_a_429_would_hold_beyond_its_deadline_is_refused_at_once() -> None:
    """F26"""
    _, [door] = doors(LONG, "acme")
    turn = await door.pass_(ONE, Priority.Market)
    assert isinstance(turn, Turn)
    door.answered(turn, 429, -1003, {"retry-after": "30"})
    refused = await asyncio.wait_for(door.pass_(ONE, Priority.Order, within_ns=10 * SECOND_NS), WITHIN_S)
    assert isinstance(refused, NoTurn)
    assert refused.reason.startswith(f"the venue told exit {EXIT} to wait for ")


@pytest.mark.parametrize(
    ("said", "ns"), [("7", 7 * SECOND_NS), ("0", 0), ("", None), ("soon", None), ("-1", None), ("9" * 20, None)]
)
def test_what_retry_after_says_is_read_or_left(said: str, ns: int | None) -> None:
    assert retry_after_ns({"retry-after": said}) == ns


async def test_a_turn_costs_the_order_path_next_to_nothing() -> None:
    """Aim: below 20 µs. Here five times as much is let pass, for machines that do other things meanwhile."""
    budgets = Budgets(SystemClock())
    door, *_ = [budgets.door("venue", LIMITS, Scopes(exit=EXIT, account=f"a{number}")) for number in range(50)]
    price = price_of("privatePostOrder", {})
    headers = {"x-mbx-used-weight-1m": "5", "x-mbx-order-count-10s": "3", "x-mbx-order-count-1d": "90"}
    costs = []
    for _ in range(90):
        began = time.perf_counter_ns()
        turn = await door.pass_(price, Priority.Order)
        assert isinstance(turn, Turn)
        door.answered(turn, 200, None, headers)
        costs.append(time.perf_counter_ns() - began)
    assert sorted(costs)[len(costs) // 2] < 100_000
