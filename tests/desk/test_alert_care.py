"""What a person does about alerts, and what a rule does by itself: never weaker than what stands, never more than is said."""

import msgspec
import pytest
from order_builders import an_account

from tradedesk.clock import ManualClock
from tradedesk.desk.alert_care import AlertCare, Reactions
from tradedesk.domain import events as ev
from tradedesk.domain.accounts import Account, HaltLevel
from tradedesk.domain.alerts import LONGEST_SNOOZE_NS, Alert, Severity
from tradedesk.domain.commands import AcknowledgeAlert, HaltTrading, NotSubmitted, SnoozeAlert, Submitted
from tradedesk.domain.limits import Limits
from tradedesk.domain.words import AccountId, OperatorId
from tradedesk.log import Log
from tradedesk.risk.alert_life import Act
from tradedesk.views.replica import Replica

NOW = 1_800_000_000 * 10**9
ACME, BIRCH, ANN = AccountId("acme"), AccountId("birch"), OperatorId("ann")


def of(name: AccountId, *, flattens: bool = False, groups: tuple[str, ...] = ()) -> Account:
    return msgspec.structs.replace(an_account(Limits()), id=name, flatten_by_itself=flattens, groups=groups)


def halts(*accounts: Account, level: HaltLevel, account: AccountId | None, group: str | None = None) -> list[str]:
    """What is asked for, as `scope level`."""
    asked: list[HaltTrading] = []

    def stop(command: HaltTrading) -> Submitted:
        asked.append(command)
        return Submitted()

    act = Act(key="drawdown:x", level=level, account=account, group=group, reason="1200 is 120% of 1000")
    Reactions({one.id: one for one in accounts}, stop, Log()).act(act)
    assert {(halt.operator, halt.reason) for halt in asked} == {("system:risk", "drawdown:x: 1200 is 120% of 1000")}
    return [f"{halt.scope or halt.account or 'desk'} {halt.level}" for halt in asked]


@pytest.mark.parametrize("level", [level for level in HaltLevel if level is not HaltLevel.Flatten])
def test_a_rule_halts_the_account_at_its_level_under_a_name_of_its_own(level: HaltLevel) -> None:
    assert halts(of(ACME), of(BIRCH), level=level, account=ACME) == [f"acme {level}"]


def test_positions_are_closed_by_themselves_only_where_the_account_says_so() -> None:
    both = of(ACME, flattens=True), of(BIRCH)
    assert halts(*both, level=HaltLevel.Flatten, account=ACME) == ["acme flatten"]
    assert halts(*both, level=HaltLevel.Flatten, account=BIRCH) == ["birch cancel-all"]
    assert halts(*both, level=HaltLevel.Flatten, account=None) == ["desk cancel-all"]


def test_what_is_about_a_group_halts_that_group() -> None:
    accounts = of(ACME, groups=("growth",), flattens=True), of(BIRCH, groups=("growth",)), of(AccountId("oak"))
    assert halts(*accounts, level=HaltLevel.ReduceOnly, account=None, group="growth") == ["group growth reduce-only"]
    assert halts(*accounts, level=HaltLevel.Flatten, account=None, group="growth") == ["group growth cancel-all"]
    willing = accounts[0], of(AccountId("oak"))
    assert halts(*willing, level=HaltLevel.Flatten, account=None, group="growth") == ["group growth flatten"]


# ---- by a person ------------------------------------------------------------------------------------------------------


def a_care(*alerts: tuple[str, str]) -> tuple[AlertCare, list[ev.Event]]:
    """Over alerts of (key, cause), and what it tells."""
    replica, told = Replica(), list[ev.Event]()
    for key, cause in alerts:
        alert = Alert(key=key, rule="r", severity=Severity.Warning, account=ACME, text="t", at=NOW, cause=cause)
        replica.apply(ev.AlertRaised(at=NOW, source="s", alert=alert))

    def emit(event: ev.Event) -> None:
        told.append(event)
        replica.apply(event)

    return AlertCare(replica, emit, ManualClock(NOW)), told


def test_a_cause_is_acknowledged_with_all_its_alerts_once() -> None:
    care, told = a_care(("a", "stream"), ("b", "stream"), ("c", ""))
    assert care.acknowledge(AcknowledgeAlert(key="b", note="mine", operator=ANN)) == Submitted()
    assert care.acknowledge(AcknowledgeAlert(key="stream", note="all", operator=ANN)) == Submitted()
    assert [(event.key, event.by, event.note) for event in told if isinstance(event, ev.AlertAcknowledged)] == [
        ("b", "ann", "mine"),
        ("a", "ann", "all"),
    ]


def test_an_alert_is_put_off_until_a_time_with_a_note() -> None:
    care, told = a_care(("a", ""))
    until = NOW + LONGEST_SNOOZE_NS
    assert care.snooze(SnoozeAlert(key="a", until=until, note="maintenance", operator=ANN)) == Submitted()
    assert told == [ev.AlertSnoozed(at=NOW, source="desk", key="a", by=ANN, until=until, note="maintenance")]


@pytest.mark.parametrize("until", [0, NOW, NOW + LONGEST_SNOOZE_NS + 1])
def test_nothing_is_put_off_for_ever_or_into_the_past(until: int) -> None:
    care, told = a_care(("a", ""))
    answer = care.snooze(SnoozeAlert(key="a", until=until, operator=ANN))
    assert isinstance(answer, NotSubmitted)
    assert "24 hours" in answer.reason
    assert told == []
