"""Judging a key: what refuses it, what warns, and what is never taken for well."""

import pytest
from scripted_account import a_key_report, client

from tradedesk.domain.accounts import Mode
from tradedesk.domain.findings import Finding, Level
from tradedesk.domain.keys import DAY_NS, AcceptedRisk, KeyReport
from tradedesk.domain.words import AccountId, OperatorId
from tradedesk.venues.hygiene import judge, refusals

NOW = 1_800_000_000 * 10**9


def judged(
    report: KeyReport,
    *,
    uid: str | None = None,
    twin: str | None = None,
    exit_seen: str | None = "203.0.113.7",
    accepted: AcceptedRisk | None = None,
    mode: Mode = Mode.Live,
) -> dict[str, Finding]:
    from msgspec.structs import replace

    account = replace(client(), uid=uid, mode=mode)
    other = None if twin is None else AccountId(twin)
    found = judge(report, account, twin=other, exit_seen=exit_seen, accepted=accepted, now=NOW)
    return {finding.what: finding for finding in found}


def levels(report: KeyReport, **given: object) -> dict[str, Level]:
    return {what: finding.level for what, finding in judged(report, **given).items()}  # type: ignore[arg-type]


def test_a_key_that_only_trades_from_its_own_addresses_is_fit():
    found = judged(a_key_report())
    assert {finding.level for finding in found.values()} == {Level.Ok}
    assert refusals(tuple(found.values())) == ""


@pytest.mark.parametrize("mode", list(Mode))
@pytest.mark.parametrize("right", ["withdraw", "transfer"])
def test_a_key_that_can_move_money_is_refused_on_paper_as_live(right, mode):
    found = judged(a_key_report(**{f"can_{right}": True}), mode=mode)
    assert found["money"].level is Level.Fail
    assert f"may {right}" in found["money"].text
    assert "tradedesk accounts accept acme" in refusals(tuple(found.values()))


def test_both_ways_to_move_money_are_named():
    assert "withdraw and transfer" in judged(a_key_report(can_withdraw=True, can_transfer=True))["money"].text


def test_an_accepted_risk_warns_from_then_on_and_names_who_accepted_it():
    risk = AcceptedRisk(fingerprint="0123456789ab", by=OperatorId("rosa"), reason="until Friday", at=NOW)
    found = judged(a_key_report(can_transfer=True), accepted=risk)["money"]
    assert found.level is Level.Warn
    assert "rosa: until Friday" in found.text


def test_a_risk_accepted_for_one_key_is_not_accepted_for_the_next():
    risk = AcceptedRisk(fingerprint="0123456789ab", by=OperatorId("rosa"), reason="until Friday", at=NOW)
    assert judged(a_key_report("ffffffffffff", can_transfer=True), accepted=risk)["money"].level is Level.Fail


def test_an_accepted_risk_excuses_nothing_else():
    risk = AcceptedRisk(fingerprint="0123456789ab", by=OperatorId("rosa"), reason="until Friday", at=NOW)
    found = levels(a_key_report(can_transfer=True, can_trade=False), accepted=risk)
    assert found["trading"] is Level.Fail


def test_a_key_that_may_not_trade_is_refused():
    assert levels(a_key_report(can_trade=False))["trading"] is Level.Fail


def test_an_account_that_the_venue_does_not_let_trade_is_refused():
    assert levels(a_key_report(can_account_trade=False))["account"] is Level.Fail


@pytest.mark.parametrize(
    ("days", "level", "words"),
    [(31, Level.Ok, ""), (30, Level.Warn, "30 d"), (7, Level.Warn, "7 d"), (1, Level.Warn, "1 d")],
)
def test_the_end_of_a_key_is_told_at_its_stages(days, level, words):
    found = judged(a_key_report(expires_at=NOW + days * DAY_NS))
    assert found["expiry"].level is level
    assert words in found["expiry"].text
    assert found["trading"].level is Level.Ok


def test_a_key_whose_time_is_up_is_refused_whatever_the_venue_still_says_it_may():
    found = judged(a_key_report(expires_at=NOW, can_trade=True))
    assert found["trading"].level is Level.Fail
    assert "expired" in found["trading"].text


def test_a_key_for_any_address_is_warned_about():
    found = judged(a_key_report(is_address_bound=False))["addresses"]
    assert found.level is Level.Warn
    assert found.remedy


def test_a_list_that_the_venue_keeps_to_itself_is_said_to_be_not_told():
    found = judged(a_key_report())["addresses"]
    assert "not told" in found.text


@pytest.mark.parametrize(
    ("addresses", "seen", "level"),
    [
        (("203.0.113.7",), "203.0.113.7", Level.Ok),
        (("203.0.113.7", "203.0.113.8"), "203.0.113.7", Level.Warn),  # the second is a way round our exit
        (("203.0.113.8",), "203.0.113.7", Level.Fail),
        (("203.0.113.7",), None, Level.Warn),
    ],
)
def test_the_addresses_of_a_key_are_compared_with_the_exit(addresses, seen, level):
    assert levels(a_key_report(addresses=addresses), exit_seen=seen)["addresses"] is level


def test_another_venue_account_than_the_configured_one_is_refused():
    found = judged(a_key_report(uid="42"), uid="43")["uid"]
    assert found.level is Level.Fail
    assert "42" in found.text
    assert "accounts.acme.uid is 43" in found.text


def test_the_configured_venue_account_is_fit():
    assert levels(a_key_report(uid="42"), uid="42")["uid"] is Level.Ok


def test_one_venue_account_under_two_names_is_refused():
    found = judged(a_key_report(), twin="birch")["uid"]
    assert found.level is Level.Fail
    assert "birch" in found.text


def test_what_a_venue_does_not_tell_is_never_taken_for_well():
    found = judged(KeyReport(fingerprint="0123456789ab"))
    assert {finding.level for finding in found.values()} == {Level.Warn}
    assert all("not told" in finding.text for finding in found.values())
    assert refusals(tuple(found.values())) == ""
