"""What a person does about an alert, acknowledging it or putting it off, and what its rule does: a halt by system:risk."""

from collections.abc import Callable, Mapping

from tradedesk.access.operators import SYSTEM_RISK
from tradedesk.clock import Clock
from tradedesk.domain import events as ev
from tradedesk.domain.accounts import Account, HaltLevel
from tradedesk.domain.alerts import LONGEST_SNOOZE_NS
from tradedesk.domain.commands import AcknowledgeAlert, HaltTrading, NotSubmitted, SnoozeAlert, Submitted
from tradedesk.domain.scopes import Scope, ScopeKind
from tradedesk.domain.text import clean
from tradedesk.domain.words import AccountId
from tradedesk.log import Log
from tradedesk.risk.alert_life import Act
from tradedesk.views.alert_rows import AlertRow
from tradedesk.views.replica import Replica

MAX_NOTE = 500  # characters


class AlertCare:
    """May be called from any thread. Of the replica, which is the desk thread's, rows are looked up: they are frozen."""

    def __init__(self, replica: Replica, emit: Callable[[ev.Event], None], clock: Clock) -> None:
        self._replica = replica
        self._emit = emit
        self._clock = clock

    def named(self, key: str) -> list[AlertRow]:
        """The alert of that key, or those of that cause."""
        return [row for row in list(self._replica.alerts.values()) if key in (row.alert.key, row.alert.cause)]

    def acknowledge(self, command: AcknowledgeAlert) -> Submitted:
        for row in self.named(command.key):
            if row.acknowledged_by is None:
                self._emit(
                    ev.AlertAcknowledged(
                        at=self._clock.now(),
                        source="desk",
                        key=row.alert.key,
                        by=command.operator,
                        note=clean(command.note, MAX_NOTE),
                    )
                )
        return Submitted()

    def snooze(self, command: SnoozeAlert) -> Submitted | NotSubmitted:
        now = self._clock.now()
        if not now < command.until <= now + LONGEST_SNOOZE_NS:
            return NotSubmitted(reason="an alert can be put off until a time within the next 24 hours")
        for row in self.named(command.key):
            self._emit(
                ev.AlertSnoozed(
                    at=now,
                    source="desk",
                    key=row.alert.key,
                    by=command.operator,
                    until=command.until,
                    note=clean(command.note, MAX_NOTE),
                )
            )
        return Submitted()


class Reactions:
    """Carries out what rules ask for. On the RiskMonitor's thread."""

    def __init__(
        self,
        accounts: Mapping[AccountId, Account],
        stop: Callable[[HaltTrading], Submitted | NotSubmitted],
        log: Log,
    ) -> None:
        """`stop` is that of `Halting`: it latches first, and never lets through what a stricter halt refuses."""
        self._accounts = accounts
        self._stop = stop
        self._log = log

    def act(self, act: Act) -> None:
        """Of the account, else of the group, else of the desk."""
        scope = Scope(kind=ScopeKind.Group, name=act.group) if act.account is None and act.group is not None else None
        answer = self._stop(
            HaltTrading(
                account=act.account,
                scope=scope,
                level=self._level(act),
                reason=f"{act.key}: {act.reason}",
                operator=SYSTEM_RISK.name,
            )
        )
        if isinstance(answer, NotSubmitted):  # what stands is stricter
            self._log.info("action_not_needed", alert=act.key, why=answer.reason)

    def _level(self, act: Act) -> HaltLevel:
        """Positions are closed by themselves only where each account concerned says so in desk.toml."""
        if act.level is not HaltLevel.Flatten:
            return act.level
        concerned = [
            account
            for account in self._accounts.values()
            if act.account in (None, account.id) and (act.account or act.group is None or act.group in account.groups)
        ]
        return HaltLevel.Flatten if all(account.flatten_by_itself for account in concerned) else HaltLevel.CancelAll
