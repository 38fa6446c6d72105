"""Alerts about exits: one while the exit in use is not proved, none about one that is not in use."""

import msgspec
from scripted_account import client

from tradedesk.domain import events as ev
from tradedesk.domain.alerts import Severity
from tradedesk.domain.words import AccountId, OperatorId
from tradedesk.risk.rules import Memory, findings
from tradedesk.views.replica import Replica

ACME = AccountId("acme")
FIRST, STANDBY = "127.0.0.2", "127.0.0.3"


def found(*events: ev.Event) -> list[tuple[str, Severity, str]]:
    replica = Replica()
    account = msgspec.structs.replace(client(), standby_egress=STANDBY)
    for event in (ev.AccountListed(at=1, source="test", account=account), *events):
        replica.apply(event)
    return [(one.key, one.severity, one.text) for one in findings(replica, Memory(), "USDT", 2)]


def refused(exit_: str = FIRST) -> ev.ExitRefused:
    return ev.ExitRefused(at=1, source="w", account=ACME, exit=exit_, seen="10.0.0.9", how="echo e", reason="elsewhere")


def proved(exit_: str = FIRST) -> ev.ExitProved:
    return ev.ExitProved(at=1, source="w", account=ACME, exit=exit_, seen=exit_, how="socket")


def test_an_exit_that_is_refused_raises_an_alert_until_it_is_proved_or_another_is_in_use() -> None:
    alert = ("exit:acme", Severity.Critical, "elsewhere")
    switched = ev.ExitSwitched(at=1, source="desk", account=ACME, exit=STANDBY, by=OperatorId("rosa"), reason="dead")
    assert found() == []
    assert found(refused()) == [alert]
    assert found(refused(), proved()) == []
    assert found(refused(), switched) == []
    assert found(switched, refused(STANDBY)) == [alert]
