"""The simulated disk: what a crash may take, what it may leave, and what comes back after it failed."""

from random import Random

import pytest
from builders import placed

from tradedesk.clock import ManualClock
from tradedesk.journal.store import JournalFailed
from tradedesk.simulation.faults import CALM, Faults
from tradedesk.simulation.scheduler import SECOND, Scheduler
from tradedesk.simulation.storage import Frame, Killed, Moment, Plan, SimStore, recovered


class Rig:
    def __init__(self, seed: int = 1, mean_writes: float | None = None) -> None:
        self.scheduler = Scheduler(ManualClock(SECOND), Random(seed))
        self.told = self.kills = 0
        self.store = SimStore(
            self.scheduler,
            Faults(Random(seed), CALM),
            Plan(Random(seed), mean_writes),
            told=self._told,
            kill=self._kill,
        )

    def _told(self) -> None:
        self.told += 1

    def _kill(self) -> None:
        self.kills += 1

    def names(self) -> list[str]:
        return [event.order.client_order_id for event in self.store.on_disk()]


def test_a_record_is_durable_once_it_was_synced_and_not_before():
    rig = Rig()
    handle = rig.store.append(placed(client_order_id="c1"))
    assert (handle.is_settled, rig.names()) == (False, [])
    rig.scheduler.run(SECOND)
    assert (handle.is_durable, rig.names(), rig.told) == (True, ["c1"], 1)


@pytest.mark.parametrize("is_power_cut", [True, False])
def test_what_was_not_synced_survives_whole_or_not_at_all(is_power_cut):
    """One transaction: of three records none or all, whatever the disk made of each"""
    outcomes = set()
    for seed in range(60):
        rig = Rig(seed)
        rig.store.append(placed(client_order_id="old"))
        rig.scheduler.run(SECOND)
        rig.store.append(placed(client_order_id="a"))
        rig.store.crash(is_power_cut=is_power_cut)
        assert rig.store.damaged() == {}
        outcomes.add(tuple(rig.names()))
    assert outcomes == {("old",), ("old", "a")}


def test_a_torn_or_missing_part_undoes_its_transaction():
    whole = [Frame(record=None), Frame(record=None)]
    assert recovered(whole, expected=2) == []
    assert recovered(whole[:1], expected=2) == []
    assert recovered([Frame(record=None), Frame(record=None, is_whole=False)], expected=2) == []


def test_a_failing_disk_refuses_and_keeps_and_the_next_segment_begins_with_what_was_kept():
    rig = Rig()
    waiting = rig.store.append(placed(client_order_id="c1"))
    rig.store.fail("disk eio")
    assert isinstance(waiting.failure, JournalFailed)
    with pytest.raises(JournalFailed):
        rig.store.append(placed(client_order_id="c2"))
    assert [event.order.client_order_id for event in rig.store.replay()] == ["c1", "c2"]
    rig.store.mend()
    assert rig.names() == ["c1", "c2"]
    rig.store.append(placed(client_order_id="c3"))
    rig.scheduler.run(SECOND)
    assert rig.names() == ["c1", "c2", "c3"]
    assert rig.store.damaged() == {}


def test_a_crash_while_the_disk_fails_takes_what_was_kept():
    for seed in range(20):
        rig = Rig(seed)
        rig.store.append(placed(client_order_id="c1"))
        rig.store.fail("disk eio")
        with pytest.raises(JournalFailed):
            rig.store.append(placed(client_order_id="c2"))
        rig.store.crash(is_power_cut=False)
        assert rig.names() in ([], ["c1"])


@pytest.mark.parametrize(("moment", "names"), [(Moment.Before, []), (Moment.After, ["c1"]), (Moment.Between, ["c1"])])
def test_the_process_dies_at_the_planned_moment_of_a_write(moment, names):
    rig = Rig()
    rig.store.plan.at, rig.store.plan.moment = 1, moment
    if moment is Moment.Between:
        handle = rig.store.append(placed(client_order_id="c1"))
        rig.scheduler.run(SECOND)
        assert (handle.is_durable, rig.kills, rig.told) == (True, 1, 0)
    else:
        with pytest.raises(Killed):
            rig.store.append(placed(client_order_id="c1"))
    assert rig.names() == names
