"""F90: a storm of alerts is one row a cause with its count; what came first and what is worst is kept, and nothing grows."""

import sys
from pathlib import Path
from random import Random

import pytest
from order_builders import ACME, DESK1, NOW, SECOND, an_account
from scripted_account import an_intent
from scripted_desk import Running, running

from tradedesk.domain import events as ev
from tradedesk.domain.alerts import Alert, Severity
from tradedesk.domain.commands import Submitted
from tradedesk.domain.limits import Limits
from tradedesk.domain.words import OperatorId
from tradedesk.risk.alert_life import Standing, news
from tradedesk.risk.rules import Memory, findings, note_reject
from tradedesk.views.alert_rows import MAX_ALERTS
from tradedesk.views.replica import Replica

STORM = 10_000


def raised(key: str, severity: Severity = Severity.Warning, at: int = NOW, text: str = "rejected") -> ev.AlertRaised:
    alert = Alert(key=key, rule=key, severity=severity, account=ACME, text=text, at=at)
    return ev.AlertRaised(at=at, source="test", alert=alert)


def folded(*events: ev.Event) -> Replica:
    replica = Replica()
    for event in events:
        replica.apply(event)
    return replica


def test_F90_ten_thousand_rejects_are_one_alert_that_is_told_once() -> None:
    replica, memory = Replica(), Memory()
    replica.apply(ev.AccountListed(at=1, source="test", account=an_account(Limits())))
    standing: dict[str, Standing] = {}
    told: list[ev.AlertRaised | ev.AlertEnded] = []
    for number in range(STORM):
        at = NOW + number * SECOND // 1_000
        note_reject(memory, ACME, at)
        told += news(standing, findings(replica, memory, "USDT", at), {}, at)[0]
    assert [type(event) for event in told] == [ev.AlertRaised]
    assert sys.getsizeof(memory.rejects[ACME]) < 10_000
    later = NOW + 60 * SECOND
    told += news(standing, findings(replica, memory, "USDT", later), {}, later)[0]
    assert [type(event) for event in told] == [ev.AlertRaised, ev.AlertEnded]  # it ends when the storm does


def test_F90_one_cause_keeps_its_first_moment_its_count_and_its_worst() -> None:
    storm = [raised("rejects", Severity.Warning, NOW + number) for number in range(STORM)]
    storm[4_000] = raised("rejects", Severity.Critical, NOW + 4_000)
    (row,) = folded(*storm).alerts.values()
    assert (row.count, row.first_at, row.alert.at) == (STORM, NOW, NOW + STORM - 1)
    assert row.alert.severity is Severity.Critical


def test_F90_what_was_acknowledged_asks_anew_when_it_becomes_worse_and_only_then() -> None:
    """5.15"""
    taken = ev.AlertAcknowledged(at=NOW, source="test", key="k", by=DESK1, note="seen")
    replica = folded(raised("k"), taken, raised("k"))
    assert replica.alerts["k"].acknowledged_by == DESK1
    replica.apply(raised("k", Severity.Critical))
    assert (replica.alerts["k"].acknowledged_by, replica.alerts["k"].note) == (None, "")
    replica.apply(taken)
    replica.apply(raised("k", Severity.Warning))
    assert replica.alerts["k"].acknowledged_by == DESK1
    assert replica.alerts["k"].alert.severity is Severity.Critical


@pytest.mark.parametrize("seed", range(5))
def test_F90_a_storm_of_causes_is_bounded_and_drives_out_no_critical_one(seed: int) -> None:
    """5.13"""
    critical = {f"drawdown:{number}" for number in range(50)}
    storm = [raised(f"order:{number}", Severity.Warning, NOW + number) for number in range(3 * MAX_ALERTS // 2)]
    for key in sorted(critical):
        storm.insert(Random(f"{seed}{key}").randrange(len(storm)), raised(key, Severity.Critical))
    replica = folded(*storm)
    assert len(replica.alerts) == MAX_ALERTS
    assert critical <= replica.alerts.keys()
    assert list(replica.alerts)[-1] == storm[-1].alert.key  # and the newest is always there


def test_F90_a_storm_of_refused_orders_leaves_a_desk_that_answers(tmp_path: Path) -> None:
    """Two hundred orders far too large: each is denied with its reason, the storm is one alert, the next good order goes."""
    with running(tmp_path) as desk:
        keys = [f"storm{number}" for number in range(200)]
        for key in keys:
            submit(desk, key, qty="1000")
        assert desk.until(lambda: all(is_decided(desk, key) for key in keys))
        assert desk.until(lambda: "reject-burst:acme" in desk.view.replica.alerts)
        submit(desk, "good", qty="0.1")
        assert desk.venues["acme"].was_called("place good")
        assert len(desk.view.replica.alerts) == 1
        assert not any(call.startswith("place storm") for call in desk.venues["acme"].calls)


def submit(desk: Running, key: str, *, qty: str) -> None:
    operator = desk.desk.operators[OperatorId("me")]
    assert isinstance(desk.desk.control(operator).submit(an_intent(key, qty=qty)), Submitted)


def is_decided(desk: Running, key: str) -> bool:
    order = desk.view.replica.orders.get(key)  # type: ignore[call-overload]
    return order is not None and order.is_dead
