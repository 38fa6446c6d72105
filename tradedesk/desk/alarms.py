"""What the desk itself raises an alert about: its journal, its workers, bans of its exits, limits that differ from desk.toml."""

from collections.abc import Callable, Iterable

from tradedesk.clock import Clock
from tradedesk.domain import events as ev
from tradedesk.domain.alerts import Alert, Severity
from tradedesk.domain.words import AccountId
from tradedesk.log import Log
from tradedesk.venues.budgets import Ban

MOST_SHOWN = 5  # differences named in an alert; the log has all


class Alarms:
    """Each method may be called from any thread but `bans`, which is the desk thread's."""

    def __init__(
        self, emit: Callable[[ev.Event], None], publish: Callable[[ev.Event], None], clock: Clock, log: Log
    ) -> None:
        """`emit` records and publishes; `publish` is for what cannot be recorded, as the journal is what failed."""
        self._emit = emit
        self._publish = publish
        self._clock = clock
        self._log = log
        self._banned: frozenset[str] = frozenset()  # exits of which an alert stands

    def journal_failed(self, reason: str) -> None:
        """The disk refused a record: no new order is sent from here on, and everyone is told."""
        self._log.error("journal_failed", why=reason)
        text = f"{reason}; no new order is sent, cancels go"
        self._publish(self._raised("journal", "journal", Severity.Critical, text))

    def journal_recovered(self, reason: str) -> None:
        self._log.info("journal_recovered", why=reason)
        self._publish(self._ended("journal"))

    def worker_hangs(self, account: AccountId, text: str) -> None:
        self._emit(self._raised(f"worker:{account}", "worker", Severity.Critical, text, account))

    def worker_strained(self, account: AccountId, text: str | None) -> None:
        """None: not any more."""
        key = f"worker-load:{account}"
        if text is None:
            self._emit(self._ended(key))
        else:
            self._emit(self._raised(key, "worker-load", Severity.Warning, text, account))

    def limits_differ(self, differences: list[str], *, is_told: bool) -> None:
        """Where desk.toml and what was set live are not the same, which of them holds from this start on."""
        if differences:
            for difference in differences:
                self._log.warning("limits_differ", what=difference)
            more = len(differences) - MOST_SHOWN
            shown = "; ".join(differences[:MOST_SHOWN]) + (f"; and {more} more in the log" if more > 0 else "")
            text = f"limits set live are not those of desk.toml: {shown}"
            self._emit(self._raised("limits", "limits", Severity.Warning, text))
        elif is_told:
            self._emit(self._ended("limits"))

    def bans(self, bans: Iterable[Ban]) -> None:
        """An alert for each exit that a venue has banned, until the ban ends (F27)."""
        standing = {ban.exit: ban for ban in bans}
        for exit_, ban in standing.items():
            if exit_ not in self._banned:
                concerned = f"; accounts {', '.join(ban.accounts)} cannot trade until then" if ban.accounts else ""
                text = f"{ban.text}{concerned}; nothing is sent"
                self._emit(self._raised(f"ban:{exit_}", "ban", Severity.Critical, text))
        for exit_ in self._banned - standing.keys():
            self._emit(self._ended(f"ban:{exit_}"))
        self._banned = frozenset(standing)

    def _raised(
        self, key: str, rule: str, severity: Severity, text: str, account: AccountId | None = None
    ) -> ev.AlertRaised:
        now = self._clock.now()
        alert = Alert(key=key, rule=rule, severity=severity, account=account, text=text, at=now)
        return ev.AlertRaised(at=now, source="desk", alert=alert)

    def _ended(self, key: str) -> ev.AlertEnded:
        return ev.AlertEnded(at=self._clock.now(), source="desk", key=key)
