"""The life of an alert: when a finding becomes one, gets worse and ends, what is done about it, whom it is told on to. Pure."""

from collections.abc import Collection, Iterable, Mapping, Sequence

from msgspec import Struct

from tradedesk.domain import events as ev
from tradedesk.domain.accounts import HaltLevel
from tradedesk.domain.alert_rules import AlertRule, rule_of
from tradedesk.domain.alerts import RANK, Alert, Severity
from tradedesk.domain.words import AccountId
from tradedesk.risk.rules import Finding
from tradedesk.views.alert_rows import AlertRow

SOURCE = "system:risk"
MINUTE_NS = 60 * 10**9
MOST_TOLD_ON = 50  # alerts in one look, of a storm the worst first; the rest in the next


class Standing(Struct, kw_only=True):
    """What is remembered of one cause from look to look. Owned by the RiskMonitor's thread."""

    rule: str
    told: Severity | None = None  # the worst that was raised; None: nothing yet
    seen_at: int = 0  # ns, since when it has been as bad as `told` or worse without a break
    agreed: dict[Severity, int] = {}  # looks in a row that found it that bad or worse
    clear: int = 0  # looks in a row that found it over
    has_acted: bool = False


class Act(Struct, frozen=True, kw_only=True):
    """A halt that a rule asks for, of the account, or of the group, or of the desk where neither is named."""

    key: str
    level: HaltLevel
    account: AccountId | None
    group: str | None
    reason: str


News = ev.AlertRaised | ev.AlertEnded


def level_of(finding: Finding, rule: AlertRule) -> Severity | None:
    """How bad it is: by its share of the limit where it has one. None: not worth an alert."""
    if finding.share is None:
        return finding.severity
    if finding.share >= rule.critical:
        return Severity.Critical
    return Severity.Warning if finding.share >= rule.warn else None


def news(
    standing: dict[str, Standing], found: Sequence[Finding], rules: Mapping[str, AlertRule], now: int
) -> tuple[list[News], list[Act]]:
    """The alerts to raise and to end, and the halts to ask for. Updates `standing`.

    A cause is told once it is confirmed, again when it worsens, and ended once it is confirmed to be below `clear`.
    What it is told to be never gets better before it ends. A rule acts once in the life of an alert: who re-arms over
    an alert that stands has seen it.
    """
    told: list[News] = []
    acts: list[Act] = []
    for finding in found:
        rule = rule_of(finding.rule, rules)
        known = standing.setdefault(finding.key, Standing(rule=finding.rule))
        level = level_of(finding, rule)
        _count(known, level, now)
        worst = _confirmed(known, rule)
        if worst is not None and (known.told is None or RANK[worst] > RANK[known.told]):
            known.told = worst
            told.append(ev.AlertRaised(at=now, source=SOURCE, alert=_alert(finding, rule, worst, known, now)))
        if worst is Severity.Critical and rule.action is not None and not known.has_acted:
            known.has_acted = True
            acts.append(
                Act(
                    key=finding.key,
                    level=rule.action,
                    account=finding.account,
                    group=finding.group,
                    reason=finding.text,
                )
            )
        known.clear = known.clear + 1 if finding.share is not None and finding.share < rule.clear else 0
    here = {finding.key for finding in found}
    for key, known in list(standing.items()):
        if key not in here:
            known.agreed, known.clear = {}, known.clear + 1
        if known.told is not None and known.clear >= rule_of(known.rule, rules).readings:
            told.append(ev.AlertEnded(at=now, source=SOURCE, key=key))
            del standing[key]
        elif known.told is None and key not in here:
            del standing[key]
    return told, acts


def recalled(rows: Iterable[AlertRow]) -> dict[str, Standing]:
    """What stood when the desk ended: it is not told anew, not acted on anew, and it ends if it is over by now."""
    return {
        row.alert.key: Standing(
            rule=row.alert.rule,
            told=row.alert.severity,
            seen_at=row.alert.seen_at or row.alert.at,
            has_acted=row.alert.severity is Severity.Critical,
        )
        for row in rows
        if row.is_active and row.source == SOURCE
    }


def due(
    rows: Iterable[AlertRow], rules: Mapping[str, AlertRule], now: int, ended: Collection[str] = ()
) -> list[ev.AlertEscalated | ev.AlertSnoozeEnded]:
    """Alerts put off until now, and those that nobody took note of for as long as their rule says. `ended`: just now."""
    woken: list[ev.AlertEscalated | ev.AlertSnoozeEnded] = []
    waiting: list[AlertRow] = []
    for row in rows:
        alert = row.alert
        if row.snoozed_until:
            if now >= row.snoozed_until:
                woken.append(ev.AlertSnoozeEnded(at=now, source=SOURCE, key=alert.key))
        elif row.is_waiting and row.is_active and alert.key not in ended and alert.severity is not Severity.Info:
            patience = rule_of(alert.rule, rules).escalate_minutes * MINUTE_NS
            if now - (row.asks_since or row.first_at) >= patience:
                waiting.append(row)
    waiting.sort(key=lambda row: (-RANK[row.alert.severity], row.first_at))
    return [
        *woken,
        *(
            ev.AlertEscalated(
                at=now,
                source=SOURCE,
                key=row.alert.key,
                times=row.escalated + 1,
                waited_ms=(now - row.first_at) // 10**6,
            )
            for row in waiting[:MOST_TOLD_ON]
        ),
    ]


def _count(known: Standing, level: Severity | None, now: int) -> None:
    if level is None:
        known.agreed = {}
        return
    if not known.agreed or (known.told is not None and RANK[level] > RANK[known.told] and level not in known.agreed):
        known.seen_at = now
    known.agreed = {
        severity: known.agreed.get(severity, 0) + 1 for severity in Severity if RANK[severity] <= RANK[level]
    }


def _confirmed(known: Standing, rule: AlertRule) -> Severity | None:
    sure = [severity for severity, looks in known.agreed.items() if looks >= rule.readings]
    return max(sure, key=RANK.__getitem__, default=None)


def _alert(finding: Finding, rule: AlertRule, severity: Severity, known: Standing, now: int) -> Alert:
    return Alert(
        key=finding.key,
        rule=finding.rule,
        severity=severity,
        account=finding.account,
        text=finding.text,
        at=now,
        seen_at=known.seen_at,
        owner=rule.owner,
        cause=finding.cause,
        action=rule.action.value if rule.action is not None and severity is Severity.Critical else "",
    )
