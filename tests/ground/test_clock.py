"""The clocks: what moves, and what must not."""

import pytest

from tradedesk.clock import Clock, ManualClock, SystemClock


def test_a_manual_clock_moves_only_when_told():
    clock: Clock = ManualClock(1_000)
    assert (clock.now(), clock.monotonic()) == (1_000, 0)
    assert (clock.now(), clock.monotonic()) == (1_000, 0)


def test_advancing_moves_both_readings():
    clock = ManualClock(1_000)
    clock.advance(5)
    assert (clock.now(), clock.monotonic()) == (1_005, 5)


def test_F58_a_step_of_the_wall_clock_leaves_durations_alone():
    clock = ManualClock(10_000)
    clock.advance(7)
    clock.set_wall(3)
    assert (clock.now(), clock.monotonic()) == (3, 7)


def test_a_manual_clock_cannot_run_backwards():
    with pytest.raises(ValueError, match="cannot advance"):
        ManualClock(0).advance(-1)


def test_the_system_clock_reads_nanoseconds():
    clock: Clock = SystemClock()
    first, second = clock.monotonic(), clock.monotonic()
    assert second >= first
    assert clock.now() > 1_700_000_000 * 1_000_000_000
