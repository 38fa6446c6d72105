"""Beyond a mandate without an order of ours: what counts as a breach, and the day by which it is to be cured."""

from datetime import date
from decimal import Decimal

import msgspec
import pytest
from order_builders import BTC, NOW, an_instrument
from scripted_account import client

from tradedesk.domain import events as ev
from tradedesk.domain.alerts import Alert, Severity
from tradedesk.domain.instruments import FeedState, Product
from tradedesk.domain.mandate import ApprovedMandate, Mandate, day_of
from tradedesk.domain.positions import Balance
from tradedesk.domain.profile import SeenProfile
from tradedesk.domain.words import AccountId, OperatorId
from tradedesk.risk.mandate_watch import Breach, breaches
from tradedesk.risk.rules import Finding, Memory, findings
from tradedesk.views.mandates import approval_line, mandate_document
from tradedesk.views.replica import Replica

ACME = AccountId("acme")
DAY_NS = 86_400 * 10**9
MANDATE = Mandate(version=1, valid_from=date(2020, 1, 1), products=(Product.Spot,), cure_days=3)


class Watched:
    """A replica with one account under a mandate: 2 BTC at 60,000 and 100,000 USDT, unless told otherwise."""

    def __init__(self, *, is_approved: bool = True, btc: str = "2", usdt: str = "100000", **terms: object) -> None:
        self.replica = Replica()
        mandate = msgspec.structs.replace(MANDATE, **terms)
        self.apply(ev.InstrumentListed(at=1, source="test", instrument=an_instrument()))
        account = msgspec.structs.replace(client(), mandate=mandate)
        self.apply(ev.AccountListed(at=1, source="test", account=account))
        opening = ev.Opening(asset="BTC", amount=Decimal(btc))
        self.apply(
            ev.AccountOpened(
                at=1, source="test", account=ACME, openings=(opening,), marks={BTC: Decimal(60_000)}, trades_from=0
            )
        )
        bids, asks = ((Decimal(59_999), Decimal(1)),), ((Decimal(60_001), Decimal(1)),)
        self.apply(
            ev.BookFrame(at=1, source="test", instrument=BTC, bids=bids, asks=asks, received_at=1, state=FeedState.Live)
        )
        self.holds(BTC=btc, USDT=usdt)
        if is_approved:
            approved = ApprovedMandate(mandate=mandate, by=OperatorId("rosa"), reason="signed", at=NOW)
            self.apply(ev.MandateApproved(at=NOW, source="test", account=ACME, approved=approved))

    def apply(self, event: ev.Event) -> None:
        self.replica.apply(event)

    def holds(self, **amounts: str) -> None:
        balances = tuple(Balance(asset=asset, free=Decimal(free), locked=Decimal(0)) for asset, free in amounts.items())
        self.apply(ev.BalancesRead(at=1, source="test", account=ACME, balances=balances, is_complete=False))

    def alerted(self, key: str, at: int) -> None:
        alert = Alert(key=key, rule="mandate", severity=Severity.Warning, account=ACME, text="t", at=at)
        self.apply(ev.AlertRaised(at=at, source="test", alert=alert))

    def found(self, now: int = NOW) -> list[Breach]:
        return breaches(self.replica, self.replica.accounts[ACME], "USDT", now)

    def keys(self, now: int = NOW) -> list[str]:
        return [breach.key for breach in self.found(now)]


def test_an_account_within_its_mandate_or_without_one_is_told_of_nothing():
    assert Watched(max_concentration=Decimal("0.6"), cash_floor=Decimal(100_000)).keys() == []
    watched = Watched()
    watched.apply(ev.AccountListed(at=2, source="test", account=client()))
    assert watched.keys() == []


def test_a_price_that_made_one_asset_too_large_is_a_breach():
    """120,000 of 220,000 are 54.5%"""
    assert Watched(max_concentration=Decimal("0.546")).keys() == []
    (breach,) = Watched(max_concentration=Decimal("0.5")).found()
    assert breach.key == "mandate-concentration-BTC:acme"
    assert "BTC is 54.5% of the equity, and the mandate lets it be 50.0% at most" in breach.text


def test_cash_below_its_floor_is_a_breach():
    watched = Watched(cash_floor=Decimal(100_000))
    watched.holds(USDT="99999.99")
    assert watched.keys() == ["mandate-cash:acme"]


def test_a_restricted_asset_that_is_held_is_a_breach():
    watched = Watched(restricted=("DOGE",))
    assert watched.keys() == []
    watched.holds(DOGE="5")
    assert watched.keys() == ["mandate-restricted-DOGE:acme"]


def test_a_short_position_and_a_product_that_may_not_be_had_are_breaches():
    assert Watched(btc="-1").keys() == ["mandate-short-BTC:acme"]
    assert Watched(btc="-1", may_short=True).keys() == []
    assert Watched(products=(Product.Perpetual,)).keys() == ["mandate-products-BTCUSDT:acme"]


def test_a_mandate_that_is_not_in_force_is_told_without_a_day_as_no_trade_cures_it():
    (breach,) = Watched(is_approved=False).found()
    assert (breach.key, breach.cure_by, breach.is_overdue) == ("mandate:acme", None, False)
    assert "mandate version 1 is not approved" in breach.text


@pytest.mark.parametrize(("days", "is_overdue"), [(0, False), (3, False), (4, True)])
def test_a_breach_has_its_days_from_its_first_alert_on_however_often_it_is_looked_at(days, is_overdue):
    watched = Watched(cash_floor=Decimal(100_001))
    watched.alerted("mandate-cash:acme", NOW)
    (breach,) = watched.found(NOW + days * DAY_NS)
    assert (breach.cure_by, breach.is_overdue) == (day_of(NOW + 3 * DAY_NS), is_overdue)
    assert ("was to be cured by" if is_overdue else "to be cured by") in breach.text


def test_a_breach_that_was_cured_and_comes_again_has_its_days_anew():
    watched = Watched(cash_floor=Decimal(100_001))
    watched.alerted("mandate-cash:acme", NOW - 10 * DAY_NS)
    watched.apply(ev.AlertEnded(at=NOW - 9 * DAY_NS, source="test", key="mandate-cash:acme"))
    (breach,) = watched.found()
    assert (breach.cure_by, breach.is_overdue) == (day_of(NOW + 3 * DAY_NS), False)


def test_a_mandate_is_shown_with_its_terms_and_who_approved_it():
    watched = Watched(restricted=("DOGE",), cash_floor=Decimal(5000))
    document = mandate_document(watched.replica.accounts[ACME], NOW)
    assert (document["version"], document["is_in_force"]) == (1, True)
    assert (document["terms"]["restricted"], document["terms"]["cash_floor"]) == ("DOGE", "5000")
    assert approval_line(document).startswith("in force, approved by rosa at ")
    unapproved = mandate_document(Watched(is_approved=False).replica.accounts[ACME], NOW)
    assert approval_line(unapproved) == ("NOT IN FORCE: mandate version 1 is not approved; only what reduces may go")


def alerts(watched: Watched, now: int = NOW) -> list[Finding]:
    return [
        finding
        for finding in findings(watched.replica, Memory(), "USDT", now)
        if finding.rule in ("mandate", "profile")
    ]


def test_a_breach_is_an_alert_and_a_critical_one_once_its_day_is_past():
    watched = Watched(cash_floor=Decimal(100_001))
    (finding,) = alerts(watched)
    assert (finding.key, finding.severity) == ("mandate-cash:acme", Severity.Warning)
    watched.alerted(finding.key, NOW)
    (finding,) = alerts(watched, NOW + 4 * DAY_NS)
    assert finding.severity is Severity.Critical


def test_an_account_that_is_set_otherwise_than_it_must_be_is_an_alert_until_it_is_put_right():
    watched = Watched()
    for differences, expected in ((("leverage is 5 at the venue and must be 3",), ["profile:acme"]), ((), [])):
        watched.apply(
            ev.ProfileChecked(at=NOW, source="test", account=ACME, seen=SeenProfile(), differences=differences)
        )
        assert [finding.key for finding in alerts(watched)] == expected
