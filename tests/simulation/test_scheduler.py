"""Virtual time: in order, at the right moment, and the same for the same seed."""

from random import Random

from tradedesk.clock import ManualClock
from tradedesk.simulation.scheduler import SECOND, Scheduler


def a_scheduler(seed: int = 1) -> Scheduler:
    return Scheduler(ManualClock(1_000 * SECOND), Random(seed))


def test_actions_run_in_the_order_of_their_times_and_read_their_own():
    scheduler, seen = a_scheduler(), []
    for seconds in (3, 1, 2, 9):
        scheduler.after(seconds * SECOND, lambda: seen.append(scheduler.clock.monotonic() // SECOND))
    scheduler.run(5 * SECOND)
    assert seen == [1, 2, 3]
    assert scheduler.clock.now() == 1_005 * SECOND
    scheduler.run(5 * SECOND)
    assert seen == [1, 2, 3, 9]


def test_what_an_action_schedules_runs_too():
    scheduler, seen = a_scheduler(), []
    scheduler.every(SECOND, lambda: seen.append(scheduler.clock.monotonic() // SECOND))
    scheduler.run(4 * SECOND)
    assert seen == [1, 2, 3, 4]


def test_the_seed_orders_what_happens_at_one_moment():
    def order(seed: int) -> list[int]:
        scheduler, seen = a_scheduler(seed), []
        for number in range(8):
            scheduler.after(SECOND, lambda number=number: seen.append(number))
        scheduler.run(SECOND)
        return seen

    assert order(1) == order(1)
    assert len({tuple(order(seed)) for seed in range(10)}) > 5
