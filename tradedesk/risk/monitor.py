"""The RiskMonitor: a thread that folds a replica of its own and says what is wrong with it, independent of any worker."""

import threading
from collections.abc import Callable, Mapping

from tradedesk.clock import Clock
from tradedesk.domain import events as ev
from tradedesk.domain.alert_rules import RULES, AlertRule
from tradedesk.domain.alerts import STREAM
from tradedesk.domain.limits import Totals
from tradedesk.log import Log
from tradedesk.risk.alert_life import SOURCE, Act, Standing, due, news, recalled
from tradedesk.risk.rules import NO_TOTALS, Memory, findings, note
from tradedesk.views.alert_latency import Latency
from tradedesk.views.feed import DeskView, Feed, Numbered

LOOK_EVERY_S = 0.25  # an alert must be out within five seconds (CONTROLS.md, RTS 6 art. 16)


class RiskMonitor:
    """Owns one thread from `start` to `stop`. Everything else is called on that thread."""

    def __init__(
        self,
        feed: Feed,
        emit: Callable[[ev.Event], None],
        clock: Clock,
        currency: str,
        log: Log,
        *,
        rules: Mapping[str, AlertRule] = RULES,
        act: Callable[[Act], None] = lambda act: None,
        totals: Callable[[], Mapping[str, tuple[Totals, str]]] = lambda: NO_TOTALS,
    ) -> None:
        """`act` latches the halt that a rule asks for, or leaves one that is stricter.

        `totals` gives what groups and the desk may do together at that moment, with who set it, from any thread.
        """
        self._view = DeskView(feed)
        self._emit = emit
        self._clock = clock
        self._currency = currency
        self._log = log
        self._memory = Memory()
        self._rules = rules
        self._totals = totals
        self._act = act
        self._standing: dict[str, Standing] | None = None  # None before the first look
        self._latency = Latency(STREAM, SOURCE)
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
                note(self._memory, self._view.replica, update.event)
                self._measure(update.event, now)
        if self._view.is_fed:
            found = findings(self._view.replica, self._memory, self._currency, now, self._totals())
            rows = self._view.replica.alerts
            if self._standing is None:
                self._standing = recalled(rows.values())
            told, acts = news(self._standing, found, self._rules, now)
            for act in acts:  # before it is told: what is said to be halted is
                self._act(act)
            ended = {event.key for event in told if isinstance(event, ev.AlertEnded)}
            for event in (*told, *due(rows.values(), self._rules, now, ended)):
                self._emit(event)

    def _measure(self, event: ev.Event, now: int) -> None:
        """An alert that is news has come round: every screen, monitor and bell is fed at this moment, and now the log is."""
        match event:
            case ev.AlertRaised(alert=alert):
                row = self._view.replica.alerts.get(alert.key)
                if row is None or row.asks_since != event.at:
                    return  # known, and no worse: it is counted
                late_ms, told = self._latency.measured(alert, now)
                self._log.warning(
                    "alert", key=alert.key, severity=alert.severity.value, owner=alert.owner or "-", late_ms=late_ms,
                    text=alert.text,
                )  # fmt: skip
                for news_of_it in told:
                    self._emit(news_of_it)
            case ev.AlertEscalated():
                self._log.warning("alert_escalated", key=event.key, times=event.times, waited_ms=event.waited_ms)

    def _run(self) -> None:
        while not self._stopping.wait(LOOK_EVERY_S):
            try:
                self.look()
            except Exception as error:  # a rule that fails must not silence the others for good: say so and look again
                self._log.error("risk_look_failed", cause=type(error).__name__)
