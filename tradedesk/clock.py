"""Time as everything in the desk gets it: handed in, so that a test or a simulation can own it (5.11)."""

import time
from typing import Protocol


class Clock(Protocol):
    """Wall time for stamps, monotonic time for durations and deadlines; never one in place of the other."""

    def now(self) -> int:
        """Wall time: ns since the epoch, UTC. May step either way (F58)."""
        ...

    def monotonic(self) -> int:
        """ns since some fixed moment; never goes back."""
        ...


_SINCE_BOOT = getattr(
    time, "CLOCK_BOOTTIME", None
)  # Linux: goes on while the machine sleeps, which its other one does not


class SystemClock:
    """The machine's own clock. Its durations count the time in which the machine was suspended, where it can tell (F59)."""

    def now(self) -> int:
        return time.time_ns()

    def monotonic(self) -> int:
        return time.monotonic_ns() if _SINCE_BOOT is None else time.clock_gettime_ns(_SINCE_BOOT)


class ManualClock:
    """A clock that moves only when told to. One thread moves it; any thread may read it."""

    def __init__(self, start: int) -> None:
        """`start` is the first wall time, ns since the epoch; monotonic time starts at 0."""
        self._wall = start
        self._monotonic = 0

    def now(self) -> int:
        return self._wall

    def monotonic(self) -> int:
        return self._monotonic

    def advance(self, ns: int) -> None:
        """Let `ns` (>= 0) go by on both readings."""
        if ns < 0:
            raise ValueError(f"a clock cannot advance by {ns} ns; set_wall steps the wall time back")
        self._wall += ns
        self._monotonic += ns

    def set_wall(self, now: int) -> None:
        """Step the wall time to `now` (ns since the epoch), as an administrator or NTP would; durations are not touched."""
        self._wall = now
