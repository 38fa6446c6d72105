"""The audit of who came, who went and what was refused: recorded sparingly, so that knocking fills no journal."""

import threading
from collections.abc import Callable

from tradedesk.clock import Clock
from tradedesk.domain import events as ev
from tradedesk.domain.text import clean
from tradedesk.domain.words import AccountId, OperatorId

A_MINUTE = 30  # records of one kind about one operator and user; the rest is counted and told with the next
MAX_KEYS = 512
_WINDOW_NS = 60 * 10**9


class Trail:
    """Records events of access. May be called from any thread."""

    def __init__(self, emit: Callable[[ev.Event], None], clock: Clock) -> None:
        self._emit = emit
        self._clock = clock
        self._lock = threading.Lock()
        self._windows: dict[tuple[object, ...], _Window] = {}

    def attached(self, operator: OperatorId, uid: int) -> bool:
        """Whether it was recorded: then `left` belongs to it."""
        skipped = self._skipped(("attached", operator, uid))
        if skipped is not None:
            self._emit(
                ev.OperatorAttached(at=self._now(), source="desk", operator=operator, uid=uid, unrecorded=skipped)
            )
        return skipped is not None

    def left(self, operator: OperatorId, uid: int) -> None:
        self._emit(ev.OperatorLeft(at=self._now(), source="desk", operator=operator, uid=uid))

    def login_refused(self, name: str, uid: int, why: str) -> None:
        """`name` is what was said, which may be anything; how often is counted by user."""
        skipped = self._skipped(("login", uid))
        if skipped is not None:
            self._emit(
                ev.LoginRefused(
                    at=self._now(), source="desk", operator=OperatorId(clean(name, 40)), uid=uid, why=clean(why, 200),
                    unrecorded=skipped,
                )
            )  # fmt: skip

    def command_refused(self, operator: OperatorId, command: str, account: AccountId | None, why: str) -> None:
        skipped = self._skipped(("command", operator))
        if skipped is not None:
            self._emit(
                ev.CommandRefused(
                    at=self._now(), source="desk", operator=operator, command=command, account=account,
                    why=clean(why, 300), unrecorded=skipped,
                )
            )  # fmt: skip

    def _now(self) -> int:
        return self._clock.now()

    def _skipped(self, key: tuple[object, ...]) -> int | None:
        """How many were skipped since the last record if this one may be recorded, else None."""
        now = self._clock.monotonic()
        with self._lock:
            window = self._windows.pop(key, None) or _Window(now)
            self._windows[key] = window  # newest last: the oldest is forgotten first
            while len(self._windows) > MAX_KEYS:
                del self._windows[next(iter(self._windows))]
            if now - window.since >= _WINDOW_NS:
                window.since, window.recorded = now, 0
            if window.recorded >= A_MINUTE:
                window.skipped += 1
                return None
            window.recorded += 1
            skipped, window.skipped = window.skipped, 0
            return skipped


class _Window:
    """The minute in which something is counted."""

    def __init__(self, since: int) -> None:
        self.since = since  # monotonic, ns
        self.recorded = 0
        self.skipped = 0
