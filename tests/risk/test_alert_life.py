"""The life of an alert: confirmed, told once, told again when worse, ended below a level of its own, told on, acted on."""

from decimal import Decimal

import msgspec
import pytest

from tradedesk.domain import events as ev
from tradedesk.domain.accounts import HaltLevel
from tradedesk.domain.alert_rules import AlertRule
from tradedesk.domain.alerts import Alert, Severity
from tradedesk.domain.words import AccountId, OperatorId
from tradedesk.risk.alert_life import MOST_TOLD_ON, SOURCE, Act, Standing, due, news, recalled
from tradedesk.risk.rules import Finding
from tradedesk.views.alert_rows import AlertRow, fold, grouped

ACME, ANN = AccountId("acme"), OperatorId("ann")
NOW, SECOND, MINUTE = 1_800_000_000 * 10**9, 10**9, 60 * 10**9
KEY = "drawdown:acme"
RULE = AlertRule(readings=2, action=HaltLevel.ReduceOnly, owner="ann", escalate_minutes=5)


def a_finding(share: str | None, severity: Severity = Severity.Warning, key: str = KEY, cause: str = "") -> Finding:
    return Finding(
        key=key, rule="drawdown", severity=severity, account=ACME, text=f"drawdown at {share}", cause=cause,
        share=None if share is None else Decimal(share),
    )  # fmt: skip


class Life:
    """Looks a second apart, and the rows that a screen would have by now."""

    def __init__(self, rule: AlertRule = RULE) -> None:
        self.rules = {"drawdown": rule}
        self.standing: dict[str, Standing] = {}
        self.rows: dict[str, AlertRow] = {}
        self.acts: list[Act] = []
        self.now = NOW

    def look(self, *found: Finding) -> list[str]:
        self.now += SECOND
        told, acts = news(self.standing, found, self.rules, self.now)
        self.acts += acts
        for event in told:
            fold(self.rows, event)
        return [
            f"raised {event.alert.severity}" if isinstance(event, ev.AlertRaised) else f"ended {event.key}"
            for event in told
        ]

    def shares(self, *shares: str | None) -> list[list[str]]:
        """One look for each; None: nothing was found."""
        return [self.look() if share is None else self.look(a_finding(share)) for share in shares]

    def due(self, later: int = 0) -> list[str]:
        self.now += later
        woken = due(self.rows.values(), self.rules, self.now)
        for event in woken:
            fold(self.rows, event)
        return [type(event).__name__ for event in woken]

    def put_off(self, until: int) -> None:
        fold(self.rows, ev.AlertSnoozed(at=self.now, source="desk", key=KEY, by=ANN, until=until, note="later"))

    def taken(self) -> None:
        fold(self.rows, ev.AlertAcknowledged(at=self.now, source="desk", key=KEY, by=ANN, note="seen"))


# ---- levels -----------------------------------------------------------------------------------------------------------


def test_it_takes_several_looks_that_agree() -> None:
    assert Life().shares("0.9", "0.75", "0.9", "0.9", "0.9") == [[], [], [], ["raised warning"], []]


def test_one_look_at_the_critical_level_makes_no_critical_alert() -> None:
    assert Life().shares("0.9", "1", "0.9", "1", "1.2") == [[], ["raised warning"], [], [], ["raised critical"]]


@pytest.mark.parametrize(
    ("share", "told"),
    [("0.79", []), ("0.8", ["raised warning"]), ("0.99", ["raised warning"]), ("1", ["raised critical"])],
)
def test_the_share_of_the_limit_says_how_bad_it_is(share: str, told: list[str]) -> None:
    assert Life().shares(share, share)[1] == told


def test_the_levels_are_those_of_the_rule() -> None:
    life = Life(AlertRule(warn=Decimal("0.6"), critical=Decimal("0.7"), clear=Decimal("0.5")))
    assert life.shares("0.59", "0.6", "0.7") == [[], ["raised warning"], ["raised critical"]]


def test_an_alert_ends_below_its_clear_level_and_not_between() -> None:
    life = Life()
    life.shares("0.9", "0.9")
    assert life.shares("0.79", "0.7", "0.69", "0.7", "0.69", "0.69") == [[], [], [], [], [], [f"ended {KEY}"]]


def test_to_and_fro_over_a_level_is_one_alert() -> None:
    told = [one for look in Life().shares(*["0.81", "0.81", "0.79", "0.79"] * 50) for one in look]
    assert told == ["raised warning"]


def test_a_cause_is_told_once_again_when_worse_and_once_when_it_is_gone() -> None:
    life = Life()
    assert life.shares("0.9", "0.9", "0.9") == [[], ["raised warning"], []]
    assert life.shares("1", "1", "0.9", "1", "1") == [[], ["raised critical"], [], [], []]  # better is no news
    assert life.shares(None, None, None) == [[], [f"ended {KEY}"], []]
    assert life.shares("0.9", "0.9") == [[], ["raised warning"]]


def test_what_has_no_share_is_as_bad_as_its_rule_found_and_ends_when_it_is_gone() -> None:
    life = Life(AlertRule())
    assert life.look(a_finding(None)) == ["raised warning"]
    assert life.look(a_finding(None, Severity.Critical)) == ["raised critical"]
    assert life.look() == [f"ended {KEY}"]


def test_what_never_became_an_alert_is_forgotten() -> None:
    life = Life()
    life.shares("0.9", None)
    assert life.standing == {}


def test_an_alert_names_its_owner_and_when_its_cause_was_first_seen() -> None:
    life = Life()
    life.shares("0.9", "0.9")
    alert = life.rows[KEY].alert
    assert (alert.owner, alert.seen_at, alert.at) == ("ann", NOW + SECOND, NOW + 2 * SECOND)


# ---- what is done -----------------------------------------------------------------------------------------------------


def test_a_rule_acts_once_it_is_critical_with_the_findings_text_and_only_once() -> None:
    life = Life()
    life.shares("0.9", "0.9", "1", "0.9", "1", "1.1", "1.1", "0.9", "1", "1")
    assert life.acts == [
        Act(key=KEY, level=HaltLevel.ReduceOnly, account=ACME, group=None, reason="drawdown at 1.1")
    ]  # at the second look in a row


def test_it_acts_again_when_it_has_ended_in_between() -> None:
    life = Life()
    life.shares("1", "1", None, None, "1", "1")
    assert len(life.acts) == 2


def test_a_rule_without_an_action_only_alerts() -> None:
    life = Life(AlertRule())
    life.shares("2")
    assert (life.acts, life.rows[KEY].alert.action) == ([], "")


def test_what_stood_before_a_restart_is_not_told_or_acted_on_anew_and_ends_when_it_is_over() -> None:
    before = Life()
    before.shares("1", "1")
    after = Life()
    after.rows, after.standing = before.rows, recalled(before.rows.values())
    assert after.shares("1", "1") == [[], []]
    assert after.acts == []
    assert after.shares(None, None)[1] == [f"ended {KEY}"]


def test_what_another_part_of_the_desk_raised_is_left_to_it() -> None:
    alert = Alert(key="journal", rule="journal", severity=Severity.Critical, account=None, text="full", at=NOW)
    rows: dict[str, AlertRow] = {}
    fold(rows, ev.AlertRaised(at=NOW, source="desk", alert=alert))
    assert recalled(rows.values()) == {}


# ---- nobody came ------------------------------------------------------------------------------------------------------


def raised() -> Life:
    life = Life()
    life.shares("0.9", "0.9")
    return life


def test_what_nobody_acknowledges_is_told_on_and_again_as_long_after_that() -> None:
    life = raised()
    assert life.due(5 * MINUTE - 1) == []
    assert life.due(1) == ["AlertEscalated"]
    assert life.due() == []
    assert life.due(5 * MINUTE) == ["AlertEscalated"]
    assert life.rows[KEY].escalated == 2


def test_what_was_acknowledged_or_is_over_is_not_told_on() -> None:
    life = raised()
    life.taken()
    assert life.due(60 * MINUTE) == []
    over = raised()
    over.shares(None, None)
    assert over.due(60 * MINUTE) == []


def test_what_becomes_worse_after_it_was_acknowledged_waits_for_a_person_anew() -> None:
    life = raised()
    life.taken()
    life.shares("1", "1")
    assert life.due(5 * MINUTE) == ["AlertEscalated"]


def test_of_a_storm_the_worst_are_told_on_first() -> None:
    rows = dict[str, AlertRow]()
    for number in range(3 * MOST_TOLD_ON):
        severity = Severity.Critical if number == 140 else Severity.Warning
        alert = Alert(key=f"k{number}", rule="x", severity=severity, account=ACME, text="t", at=NOW + number)
        fold(rows, ev.AlertRaised(at=NOW, source=SOURCE, alert=alert))
    told = due(rows.values(), {}, NOW + 10 * MINUTE)
    assert len(told) == MOST_TOLD_ON
    assert [event.key for event in told][:3] == ["k140", "k0", "k1"]


# ---- put off ----------------------------------------------------------------------------------------------------------


def test_what_is_put_off_asks_nobody_until_its_time_and_then_asks_anew() -> None:
    life = raised()
    life.put_off(life.now + 30 * MINUTE)
    assert (life.rows[KEY].is_waiting, life.due(29 * MINUTE)) == (False, [])
    assert life.due(MINUTE) == ["AlertSnoozeEnded"]
    assert life.rows[KEY].is_waiting
    assert life.due(5 * MINUTE) == ["AlertEscalated"]


def test_an_acknowledgement_ends_with_a_snooze_while_the_cause_stands() -> None:
    life = raised()
    life.taken()
    life.put_off(life.now + MINUTE)
    life.due(MINUTE)
    assert (life.rows[KEY].acknowledged_by, life.rows[KEY].is_waiting) == (None, True)


def test_what_becomes_worse_is_put_off_no_longer() -> None:
    life = raised()
    life.put_off(life.now + 30 * MINUTE)
    life.shares("1", "1")
    assert life.rows[KEY].is_waiting


def test_what_ends_and_comes_back_while_it_is_put_off_stays_put_off() -> None:
    life = raised()
    life.put_off(life.now + 30 * MINUTE)
    life.shares(None, None, "0.9", "0.9")
    row = life.rows[KEY]
    assert (row.is_active, row.is_waiting, row.snoozed_by, row.count) == (True, False, ANN, 1)


# ---- together ---------------------------------------------------------------------------------------------------------


def test_alerts_of_one_cause_are_shown_as_one_with_the_worst_that_waits_in_front() -> None:
    life = Life(AlertRule())
    life.look(
        a_finding("0.9", key="a", cause="stream:acme"),
        a_finding("1", key="b", cause="stream:acme"),
        a_finding("0.9", key="c"),
    )
    groups = grouped(life.rows.values())
    assert {key: [row.alert.key for row in group.rows] for key, group in groups.items()} == {
        "stream:acme": ["b", "a"],
        "c": ["c"],
    }
    fold(life.rows, ev.AlertAcknowledged(at=life.now, source="desk", key="b", by=ANN, note=""))
    assert grouped(life.rows.values())["stream:acme"].face.alert.key == "a"


def test_rows_of_a_journal_without_the_newer_fields_are_read() -> None:
    alert = Alert(key="k", rule="r", severity=Severity.Warning, account=ACME, text="t", at=NOW)
    old = {"alert": msgspec.to_builtins(alert), "count": 1, "first_at": NOW, "is_active": True}
    for name in ("seen_at", "owner", "cause", "action"):
        del old["alert"][name]  # type: ignore[attr-defined]
    row = msgspec.convert(old, AlertRow)
    assert due([row], {}, NOW + 4 * MINUTE) == []
    assert len(due([row], {}, NOW + 5 * MINUTE)) == 1
