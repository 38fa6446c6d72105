"""The RiskMonitor: a thread that folds a replica of its own and says what is wrong with it, independent of any worker."""

import threading
from collections.abc import Callable

from tradedesk.clock import Clock
from tradedesk.domain import events as ev
from tradedesk.domain.alerts import Alert, Severity
from tradedesk.domain.orders import RequestKind, RequestState, request_of
from tradedesk.log import Log
from tradedesk.risk.rules import Finding, Memory, findings, note_reject
from tradedesk.views.feed import DeskView, Feed, Numbered

SOURCE = "system:risk"
_WORSE = (Severity.Info, Severity.Warning, Severity.Critical)
LOOK_EVERY_S = 0.25  # an alert must be out within five seconds (CONTROLS.md, RTS 6 art. 16)


def news(standing: dict[str, Severity], found: list[Finding], now: int) -> list[ev.AlertRaised | ev.AlertEnded]:
    """The alerts to raise and to end: a cause is told once, and again when it worsens. `standing` holds the worst told."""
    told: list[ev.AlertRaised | ev.AlertEnded] = []
    for finding in found:
        known = standing.get(finding.key)
        if known is None or _WORSE.index(finding.severity) > _WORSE.index(known):
            standing[finding.key] = finding.severity
            alert = Alert(
                key=finding.key,
                rule=finding.rule,
                severity=finding.severity,
                account=finding.account,
                text=finding.text,
                at=now,
            )
            told.append(ev.AlertRaised(at=now, source=SOURCE, alert=alert))
    for key in standing.keys() - {finding.key for finding in found}:
        del standing[key]
        told.append(ev.AlertEnded(at=now, source=SOURCE, key=key))
    return told


class RiskMonitor:
    """Owns one thread from `start` to `stop`. Everything else is called on that thread."""

    def __init__(self, feed: Feed, emit: Callable[[ev.Event], None], clock: Clock, currency: str, log: Log) -> None:
        self._view = DeskView(feed)
        self._emit = emit
        self._clock = clock
        self._currency = currency
        self._log = log
        self._memory = Memory()
        self._standing: dict[str, Severity] = {}
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="risk-monitor", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join(timeout=5)
        self._view.close()

    def look(self) -> None:
        """One look: fold what has arrived, judge, tell what is new."""
        now = self._clock.now()
        for update in self._view.poll():
            if isinstance(update, Numbered):
                self._count(update.event)
        if self._view.is_fed:
            found = findings(self._view.replica, self._memory, self._currency, now)
            for event in news(self._standing, found, now):
                self._emit(event)

    def _count(self, event: ev.Event) -> None:
        """Orders that were refused; a cancel that lost to a fill is none, and a replace is counted with its new order."""
        if not isinstance(event, ev.RequestDecided) or event.state not in (RequestState.Refused, RequestState.Denied):
            return
        order = self._view.replica.orders.get(event.client_order_id)
        request = request_of(order, event.request_id) if order is not None else None
        if request is not None and request.kind is RequestKind.New:
            note_reject(self._memory, event.account, event.at)

    def _run(self) -> None:
        while not self._stopping.wait(LOOK_EVERY_S):
            try:
                self.look()
            except Exception as error:  # a rule that fails must not silence the others for good: say so and look again
                self._log.error("risk_look_failed", cause=type(error).__name__)
