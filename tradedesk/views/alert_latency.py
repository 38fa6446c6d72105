"""How long alerts take to one receiver, measured at each, and an alert itself where that is too long (RTS 6 art. 16)."""

from tradedesk.domain import events as ev
from tradedesk.domain.alerts import LATE_MS, Alert, Severity

RULE = "alert-latency"


class Latency:
    """Of one receiver. Used by the thread that delivers."""

    def __init__(self, to: str, source: str) -> None:
        self._to = to
        self._source = source
        self._key = f"{RULE}:{to}"
        self._is_late = False  # the newest one came late, and an alert says so

    def measured(self, alert: Alert, now: int) -> tuple[int, list[ev.Event]]:
        """What it took from the cause to `now`, in ms, and what there is to tell of it."""
        late_ms = max(0, now - (alert.seen_at or alert.at)) // 1_000_000
        if alert.rule == RULE:
            return late_ms, []  # else a slow one would tell of itself for ever
        news: list[ev.Event] = [ev.AlertDelivered(at=now, source=self._source, to=self._to, late_ms=late_ms)]
        if late_ms > LATE_MS and not self._is_late:
            text = f"an alert took {late_ms / 1_000:.1f} s to {self._to}; more than {LATE_MS // 1_000} s is too long"
            late = Alert(key=self._key, rule=RULE, severity=Severity.Warning, account=None, text=text, at=now)
            news.append(ev.AlertRaised(at=now, source=self._source, alert=late))
        if late_ms <= LATE_MS and self._is_late:
            news.append(ev.AlertEnded(at=now, source=self._source, key=self._key))
        self._is_late = late_ms > LATE_MS
        return late_ms, news
