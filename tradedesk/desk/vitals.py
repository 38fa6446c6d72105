"""What the whole process takes of its machine: descriptors and memory, told before they run out (F71)."""

import contextlib
import os
import resource
from collections.abc import Callable
from pathlib import Path

from msgspec import Struct

from tradedesk.clock import Clock
from tradedesk.domain import events as ev
from tradedesk.domain.alerts import Alert, Severity

DESCRIPTORS_PERCENT = 70  # in use, of those allowed: then an operator is told
DESCRIPTORS_SPENT_PERCENT = 90
GROWN_MB = 512  # since the desk had settled
GROWN_FAR_MB = 2_048
SETTLED_LOOKS = 60  # looks until it has: libraries are loaded, journals read, markets open
MB = 1 << 20


class Vitals(Struct, frozen=True, kw_only=True):
    descriptors: int  # open
    descriptors_most: int
    memory_mb: int | None  # resident; None where the system does not tell


def read_vitals() -> Vitals:
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    try:
        held = len(os.listdir("/dev/fd")) - 1  # one is the look itself
    except OSError:  # there was none left for the look
        held = most
    memory: int | None = None
    with contextlib.suppress(OSError, ValueError, IndexError):
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
        memory = pages * resource.getpagesize() // MB
    return Vitals(descriptors=held, descriptors_most=most, memory_mb=memory)


def strains(now: Vitals, settled: Vitals | None) -> dict[str, tuple[Severity, str]]:
    """What to tell an operator, by what it is about; `settled` is how it was once the desk had settled, if it has."""
    found: dict[str, tuple[Severity, str]] = {}
    percent = now.descriptors * 100 // now.descriptors_most if now.descriptors_most > 0 else 0
    if percent >= DESCRIPTORS_PERCENT:
        found["descriptors"] = (
            Severity.Critical if percent >= DESCRIPTORS_SPENT_PERCENT else Severity.Warning,
            f"the desk has {now.descriptors} of at most {now.descriptors_most} files and sockets open; at the limit no"
            " connection comes about any more: close screens, raise `ulimit -n`, and look at the log for what piles up",
        )
    if now.memory_mb is not None and settled is not None and settled.memory_mb is not None:
        grown = now.memory_mb - settled.memory_mb
        if grown >= GROWN_MB:
            found["memory"] = (
                Severity.Critical if grown >= GROWN_FAR_MB else Severity.Warning,
                f"the desk takes {now.memory_mb:,} MB, {grown:,} MB more than when it had settled; its orders are safe in"
                " the journal: start it again before the machine has no more",
            )
    return found


class VitalSigns:
    """Looks once a second, on the desk thread; each strain is an alert as long as it lasts."""

    def __init__(
        self, emit: Callable[[ev.Event], None], clock: Clock, read: Callable[[], Vitals] = read_vitals
    ) -> None:
        self._emit = emit
        self._clock = clock
        self._read = read
        self._looks = 0
        self._settled: Vitals | None = None
        self._told: dict[str, Severity] = {}

    def look(self) -> None:
        vitals = self._read()
        self._looks += 1
        if self._looks == SETTLED_LOOKS:
            self._settled = vitals
        found, now = strains(vitals, self._settled), self._clock.now()
        for what, (severity, text) in found.items():
            if self._told.get(what) is not severity:
                self._told[what] = severity
                alert = Alert(key=f"desk:{what}", rule=what, severity=severity, account=None, text=text, at=now)
                self._emit(ev.AlertRaised(at=now, source="desk", alert=alert))
        for what in [what for what in self._told if what not in found]:
            del self._told[what]
            self._emit(ev.AlertEnded(at=now, source="desk", key=f"desk:{what}"))
