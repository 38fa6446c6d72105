"""The supervisor: a worker that hangs is noticed, replaced a bounded number of times, and never sends again (5.8)."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator

import pytest
from order_builders import a_cancel
from scripted_account import Heard, ScriptedVenue, SyncedJournal, a_worker, an_intent

from tradedesk.accounts import load, looking
from tradedesk.accounts import worker as worker_module
from tradedesk.accounts.mail import COMMANDS
from tradedesk.accounts.supervisor import HANGS_NS, HOUR_NS, MOST_REPLACED, Supervisor
from tradedesk.accounts.worker import Worker
from tradedesk.clock import SystemClock
from tradedesk.domain.accounts import AccountState
from tradedesk.domain.orders import OrdStatus
from tradedesk.domain.words import AccountId
from tradedesk.log import Log
from tradedesk.venues.adapter import Adapter, LastCheck

ACME = AccountId("acme")
LATER = 10 * HANGS_NS


def until(happened: Callable[[], bool], within_s: float = 5.0) -> None:
    never, deadline = threading.Event(), time.monotonic() + within_s
    while not happened():
        assert time.monotonic() < deadline
        never.wait(0.002)


class Watched:
    """A supervised account on a scripted venue, and every alarm there was."""

    def __init__(self) -> None:
        self.venue, self.heard, self.journal = ScriptedVenue(), Heard(), SyncedJournal()
        self.alarms: list[str] = []
        self.strains: list[str | None] = []
        self.made: list[Worker] = []
        self.left: list[asyncio.Task[None]] = []
        self.supervisor = Supervisor(
            ACME,
            self._make,
            lambda _, text: self.alarms.append(text),
            lambda _, text: self.strains.append(text),
            Log(),
        )

    def _make(self) -> Worker:
        self.made.append(a_worker(self.venue, self.heard, store=self.journal))
        return self.made[-1]

    def ready(self, times: int = 1) -> None:
        assert self.heard.until(lambda: self.heard.states().count(AccountState.Ready) >= times), self.heard.reasons()

    def look(self, after: int) -> None:
        """As the desk does, `after` ns from now, once the newest worker's loop runs."""
        until(lambda: self.made[-1]._beat_at is not None or self.made[-1]._stopping.is_set())
        self.supervisor.look(SystemClock().monotonic() + after)

    def hang(self, key: str) -> threading.Event:
        """Let the account's thread hang in a place, until the event is set."""
        self.venue.blocks = threading.Event()
        assert self.supervisor.post(an_intent(key))
        assert self.venue.was_called(f"place {key}")
        return self.venue.blocks


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> Iterator[Watched]:
    monkeypatch.setattr(worker_module, "AGAIN_S", (0.01,))
    monkeypatch.setattr(worker_module, "STOP_GRACE_S", 0.1)
    monkeypatch.setattr(looking, "MARKS_WAIT_S", 0.05)
    found = Watched()
    found.supervisor.start()
    found.ready()
    yield found
    if found.venue.blocks is not None:
        found.venue.blocks.set()
    for worker in found.made:
        worker.stop()


def test_a_worker_that_lives_is_left_alone(watched: Watched) -> None:
    for _ in range(5):
        watched.look(0)
    assert len(watched.made) == 1
    assert watched.alarms == []


def test_a_worker_gives_its_sign_of_life_while_its_way_to_the_venue_is_built_for_however_long() -> None:
    """On a busy machine the first import of what speaks to venues took the patience with a worker that hangs."""
    venue, heard, may_go = ScriptedVenue(), Heard(), threading.Event()
    build = venue.adapter

    def slowly(last_check: LastCheck) -> Adapter:
        assert may_go.wait(30)
        return build(last_check)

    venue.adapter = slowly  # type: ignore[method-assign]
    worker = a_worker(venue, heard)
    worker.start()
    try:
        until(lambda: worker._beat_at is not None)
        first = worker._beat_at
        until(lambda: worker._beat_at != first)
        may_go.set()
        assert heard.until(lambda: AccountState.Ready in heard.states()), heard.reasons()
    finally:
        may_go.set()
        worker.stop()


def test_F69_a_worker_that_hangs_is_replaced_and_its_order_is_asked_about_and_never_sent_again(
    watched: Watched,
) -> None:
    """5.1, 5.2"""
    hung = watched.hang("c1")
    watched.venue.blocks = None  # for the one in its place
    watched.look(LATER)
    watched.ready(2)
    assert watched.alarms[0].endswith("was replaced; what it had in flight is asked about")
    assert watched.venue.was_called("query c1")
    hung.set()  # the first one comes back: the venue had taken its order, and nothing of it is told twice
    assert watched.supervisor.post(an_intent("c2"))
    assert watched.heard.until(lambda: watched.heard.is_order("c2", OrdStatus.New))
    assert [call for call in watched.venue.calls if call.startswith("place")] == ["place c1", "place c2"]


def test_what_waited_in_its_mailbox_goes_to_the_worker_in_its_place(watched: Watched) -> None:
    assert watched.supervisor.post(an_intent("c0"))
    assert watched.heard.until(lambda: watched.heard.is_order("c0", OrdStatus.New))
    watched.hang("c1")
    assert watched.supervisor.post(an_intent("c2"))
    assert watched.supervisor.post(a_cancel("c0"))
    watched.venue.blocks, hung = None, watched.venue.blocks
    watched.look(LATER)
    assert watched.heard.until(lambda: watched.heard.is_order("c2", OrdStatus.Denied))  # judged, before it was ready
    assert watched.heard.until(lambda: watched.heard.is_order("c0", OrdStatus.Canceled))
    assert hung is not None
    hung.set()


def test_a_worker_that_comes_back_after_it_was_replaced_says_and_sends_nothing(watched: Watched) -> None:
    first = watched.made[0]
    hung = watched.hang("c1")
    watched.venue.blocks = None
    watched.look(LATER)
    watched.ready(2)
    known = len(watched.journal._durable)
    assert first.post(an_intent("ghost"))
    hung.set()
    first._thread.join(5)
    assert not first._thread.is_alive()
    assert "place ghost" not in watched.venue.calls
    assert not watched.heard.order("ghost")
    assert all(record.number <= known or b"ghost" not in record.payload for record in watched.journal._durable)


def test_after_too_many_replacements_within_the_hour_a_person_must_look(watched: Watched) -> None:
    for _ in range(MOST_REPLACED + 3):
        watched.look(LATER)
    assert len(watched.made) == 1 + MOST_REPLACED
    assert len(watched.alarms) == MOST_REPLACED + 1
    assert watched.alarms[-1].endswith("look at the log and start the desk again")
    assert watched.heard.until(lambda: watched.heard.states()[-1] is AccountState.Offline)


def pile_up(watched: Watched, count: int) -> None:
    """Tasks that nobody ends, as a library might leave them behind; they go with their loop."""
    worker = watched.made[-1]
    loop = worker._loop
    assert loop is not None
    loop.call_soon_threadsafe(lambda: watched.left.extend(loop.create_task(asyncio.sleep(1_000)) for _ in range(count)))
    until(lambda: worker._tasks_open >= count)


def test_F71_a_worker_whose_tasks_pile_up_is_told_of_early_and_replaced_once_it_is_a_leak(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    """5.8, 5.13: looked at once a second, so it is noticed within five."""
    monkeypatch.setattr(load, "TASKS", 400)
    watched.look(0)
    assert watched.strains == []
    pile_up(watched, 250)
    watched.look(0)
    watched.look(0)
    assert watched.strains == ["its worker falls behind: more than half full of tasks under way"]
    assert len(watched.made) == 1
    pile_up(watched, 600)
    watched.look(0)
    assert len(watched.made) == 2
    assert "tasks under way and was replaced" in watched.alarms[0]
    watched.ready(2)
    until(lambda: not watched.made[0]._thread.is_alive())  # nothing of it is left
    watched.look(0)
    assert watched.strains[-1] is None
    assert watched.supervisor.post(an_intent("c1"))
    assert watched.heard.until(lambda: watched.heard.is_order("c1", OrdStatus.New))


def test_F71_a_worker_with_many_orders_may_have_many_tasks() -> None:
    assert load.leak([load.tasks_fill(load.TASKS, 0)]) is None
    assert load.leak([load.tasks_fill(load.TASKS + 1, 0)]) is not None
    assert load.leak([load.tasks_fill(load.TASKS + 20_000, 10_000)]) is None


def test_F71_a_queue_that_fills_up_is_told_of_and_is_no_leak(watched: Watched) -> None:
    """What fills a queue may be an operator in a hurry: the bound refuses the rest, and nothing is replaced."""
    hung = watched.hang("c1")
    for number in range(COMMANDS // 2):
        assert watched.supervisor.post(an_intent(f"w{number}"))
    watched.look(0)
    assert watched.strains == ["its worker falls behind: more than half full of commands waiting"]
    assert len(watched.made) == 1
    hung.set()
    until(lambda: len(watched.made[0]._mail.commands) == 0, 20)
    watched.look(0)
    assert watched.strains[-1] is None


def test_replacements_of_another_hour_do_not_count(watched: Watched) -> None:
    for hour in range(MOST_REPLACED + 3):
        watched.look(LATER + hour * HOUR_NS)
    assert len(watched.made) == 1 + MOST_REPLACED + 3


def test_a_worker_that_fails_over_and_over_is_given_up_and_says_so(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F69: a bounded number of times"""
    monkeypatch.setattr(worker_module, "RESTART_S", (0.001,))
    watched.venue.state_failures = [ZeroDivisionError() for _ in range(1_000)]
    watched.made[0]._wanted_reconcile.set()
    failed: Callable[[], bool] = lambda: watched.heard.states()[-1] is AccountState.Blocked  # noqa: E731
    watched.venue.silence_ns = 10**12  # taken for dead, so it is compared again
    assert watched.heard.until(failed, 20)
    assert "failed 20 times in a row (ZeroDivisionError)" in watched.heard.reasons()[-1]
