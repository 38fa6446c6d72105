"""F71: what the process takes of its machine is told early, once, and until it is over."""

import os
import resource
from pathlib import Path

import pytest

from tradedesk.clock import SystemClock
from tradedesk.desk.vitals import GROWN_FAR_MB, GROWN_MB, SETTLED_LOOKS, Vitals, VitalSigns, read_vitals, strains
from tradedesk.domain import events as ev
from tradedesk.domain.alerts import Severity


def a_look(descriptors: int = 30, memory_mb: int | None = 200) -> Vitals:
    return Vitals(descriptors=descriptors, descriptors_most=100, memory_mb=memory_mb)


class Watched:
    def __init__(self) -> None:
        self.now = a_look()
        self.heard: list[ev.Event] = []
        self.signs = VitalSigns(self.heard.append, SystemClock(), lambda: self.now)

    def look(self, vitals: Vitals) -> list[str]:
        """What is told of it."""
        self.now = vitals
        self.heard.clear()
        self.signs.look()
        return [
            f"{event.alert.severity} {event.alert.rule}" if isinstance(event, ev.AlertRaised) else "ended"
            for event in self.heard
        ]


def test_descriptors_are_told_of_long_before_the_last_and_until_there_are_enough() -> None:
    watched = Watched()
    told = [watched.look(a_look(count)) for count in (69, 70, 80, 90, 100, 95, 89, 69, 69)]
    assert told == [
        [], [f"{Severity.Warning} descriptors"], [], [f"{Severity.Critical} descriptors"], [], [],
        [f"{Severity.Warning} descriptors"], ["ended"], [],
    ]  # fmt: skip


def test_memory_is_measured_from_where_the_desk_had_settled() -> None:
    watched = Watched()
    for number in range(SETTLED_LOOKS):
        assert watched.look(a_look(memory_mb=10 * number)) == []  # it starts: that is no leak
    base = 10 * (SETTLED_LOOKS - 1)
    assert watched.look(a_look(memory_mb=base + GROWN_MB - 1)) == []
    assert watched.look(a_look(memory_mb=base + GROWN_MB)) == [f"{Severity.Warning} memory"]
    assert watched.look(a_look(memory_mb=base + GROWN_FAR_MB)) == [f"{Severity.Critical} memory"]
    assert watched.look(a_look(memory_mb=base)) == ["ended"]


def test_where_the_system_does_not_tell_nothing_is_said() -> None:
    assert strains(a_look(memory_mb=None), a_look()) == {}
    assert strains(a_look(memory_mb=10**6), None) == {}
    assert strains(Vitals(descriptors=9, descriptors_most=resource.RLIM_INFINITY, memory_mb=1), None) == {}


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs /proc, which Linux has")
def test_what_is_read_is_this_process() -> None:
    before = read_vitals()
    held = [os.open(os.devnull, os.O_RDONLY) for _ in range(20)]
    try:
        assert read_vitals().descriptors >= before.descriptors + 20 - 5  # others close theirs meanwhile
    finally:
        for number in held:
            os.close(number)
    assert before.memory_mb is not None
    assert 10 < before.memory_mb < 10_000
