"""Alerts about keys: one for each cause, the end of a key told at 30, 7 and 1 days, each once and each worse."""

import pytest
from scripted_account import a_key_report, client

from tradedesk.domain import events as ev
from tradedesk.domain.alerts import Severity
from tradedesk.domain.keys import DAY_NS, KeyReport
from tradedesk.domain.words import AccountId
from tradedesk.risk.alert_life import Standing, news
from tradedesk.risk.rules import Memory, findings
from tradedesk.venues.hygiene import judge
from tradedesk.views.replica import Replica

ENDS = 1_800_000_000 * 10**9


class Looking:
    """A replica with one account, the RiskMonitor's memory, and what it told."""

    def __init__(self) -> None:
        self.replica = Replica()
        self.replica.apply(ev.AccountListed(at=1, source="test", account=client()))
        self.memory = Memory()
        self.standing: dict[str, Standing] = {}

    def checked(self, report: KeyReport, at: int = 1) -> None:
        found = judge(report, client(), twin=None, exit_seen=None, accepted=None, now=at)
        self.replica.apply(
            ev.KeyChecked(at=at, source="test", account=AccountId("acme"), report=report, findings=found)
        )

    def told(self, now: int) -> list[tuple[str, str, Severity | None]]:
        """(raised or ended, key, severity) of what is new at `now`."""
        events, _ = news(self.standing, findings(self.replica, self.memory, "USDT", now), {}, now)
        return [
            ("raised", event.alert.key, event.alert.severity)
            if isinstance(event, ev.AlertRaised)
            else ("ended", event.key, None)
            for event in events
        ]


@pytest.fixture
def looking() -> Looking:
    return Looking()


def test_a_fit_key_raises_nothing(looking):
    looking.checked(a_key_report())
    assert looking.told(1) == []


def test_the_end_of_a_key_is_told_at_its_stages_each_once_and_each_worse(looking):
    looking.checked(a_key_report(expires_at=ENDS))
    told = [
        (days, what, severity)
        for days in range(40, -3, -1)
        for what, key, severity in (looking.told(ENDS - days * DAY_NS) if days >= 0 else looking.told(ENDS + 1))
        if key == "key-expiry:acme"
    ]
    assert told == [(30, "raised", Severity.Info), (7, "raised", Severity.Warning), (1, "raised", Severity.Critical)]


def test_a_new_key_ends_the_alert_about_the_old_ones_end(looking):
    looking.checked(a_key_report(expires_at=ENDS))
    assert looking.told(ENDS - DAY_NS) == [("raised", "key-expiry:acme", Severity.Critical)]
    looking.checked(a_key_report("ffffffffffff"))
    assert looking.told(ENDS - DAY_NS) == [("ended", "key-expiry:acme", None)]


def test_each_cause_has_an_alert_of_its_own_which_ends_with_it(looking):
    looking.checked(a_key_report(can_withdraw=True, is_address_bound=False))
    assert sorted(looking.told(1)) == [
        ("raised", "key-addresses:acme", Severity.Warning),
        ("raised", "key-money:acme", Severity.Critical),
    ]
    assert looking.told(2) == []
    looking.checked(a_key_report(is_address_bound=False))
    assert looking.told(3) == [("ended", "key-money:acme", None)]


def test_a_key_whose_time_is_up_is_critical_as_soon_as_it_was_looked_at(looking):
    looking.checked(a_key_report(expires_at=ENDS), at=ENDS)
    assert {key: severity for _, key, severity in looking.told(ENDS)} == {
        "key-trading:acme": Severity.Critical,
        "key-expiry:acme": Severity.Critical,
    }


def test_what_a_venue_does_not_tell_is_a_warning(looking):
    looking.checked(a_key_report(is_told=False))
    assert looking.told(1) == [("raised", "key-rights:acme", Severity.Warning)]
