"""Risk alerts: one row per cause, counted, owned, acknowledged or put off by a person, told on when nobody does."""

from enum import StrEnum

from msgspec import Struct

from tradedesk.domain.words import AccountId

LATE_MS = 5_000  # from the cause to the reader (CONTROLS.md, RTS 6 art. 16)
LONGEST_SNOOZE_NS = 24 * 3_600 * 10**9


class Severity(StrEnum):
    Info = "info"
    Warning = "warning"
    Critical = "critical"


RANK = {severity: rank for rank, severity in enumerate(Severity)}


class Alert(Struct, frozen=True, kw_only=True):
    """One cause that a person should know of. The same `key` again raises the count, not a new row."""

    key: str  # e.g. drawdown:acme
    rule: str
    severity: Severity
    account: AccountId | None  # None: the desk, or a market
    text: str
    at: int  # ns, of the newest
    seen_at: int = 0  # ns, when the cause was first seen, before it was confirmed; 0: at `at`
    owner: str = ""  # a role or an operator, who is to look at it
    cause: str = ""  # what it has in common with others: they are shown and sent as one
    action: str = ""  # what the desk does about it by itself: a level of halt; empty: nothing

    @property
    def group(self) -> str:
        """By which alerts of one cause are known together."""
        return self.cause or self.key


class Delivery(Struct, frozen=True, kw_only=True):
    """How long alerts took to one receiver, since the desk started."""

    to: str  # STREAM, or a name under [alerts] in desk.toml
    last_ms: int
    worst_ms: int
    count: int
    late: int  # how many took longer than LATE_MS


STREAM = "stream"  # what panes, monitors, the bell and the log are fed by


def delivered(before: Delivery | None, to: str, late_ms: int) -> Delivery:
    """The measure with one more delivery in it."""
    is_late = late_ms > LATE_MS
    if before is None:
        return Delivery(to=to, last_ms=late_ms, worst_ms=late_ms, count=1, late=int(is_late))
    return Delivery(
        to=to,
        last_ms=late_ms,
        worst_ms=max(before.worst_ms, late_ms),
        count=before.count + 1,
        late=before.late + is_late,
    )
