"""What may be traded, how fast, how far, and what groups and the desk may hold in sum: each control at its boundary (5.4)."""

from typing import Any

import msgspec
import pytest
from order_builders import ACME, BTC, NOW, an_order, d
from test_gate import LIMITS, a_quote, around, decide, rules_against

from tradedesk.domain.gate import Approved, Crossing, Denied, Exposure, GateInputs, Together
from tradedesk.domain.limits import Limits, Totals, effective, stacked
from tradedesk.domain.words import AccountId, Side, TimeInForce
from tradedesk.domain.worst_case import Interval
from tradedesk.risk.exposure_rules import larger

OTHER = AccountId("birch")
HOUR_NS = 3_600 * 10**9  # NOW lies where the tests of the Gate put it; windows are made around it


def under(changes: dict[str, Any], **given: Any) -> GateInputs:
    return around(limits=msgspec.structs.replace(LIMITS, **changes), **given)


def denied(order, given, rule):
    """Why it is denied: the one denial of that rule."""
    decision = decide(order, given)
    assert isinstance(decision, Denied)
    (found,) = [denial for denial in decision.denials if denial.rule == rule]
    return found


# ---- what may be traded ---------------------------------------------------------------------------------------------


def test_only_what_is_on_the_list_may_be_opened_and_all_may_be_closed():
    given = under({"allowed": ()}, position="2")
    assert rules_against(an_order(), given) == ["allowed"]
    assert rules_against(an_order(side=Side.Sell), given) == []
    assert rules_against(an_order(), under({"allowed": (BTC,)})) == []


def test_the_restricted_list_stops_both_ways():
    given = under({"restricted": (BTC,)}, position="2")
    assert rules_against(an_order(), given) == ["restricted"]
    assert rules_against(an_order(side=Side.Sell), given) == ["restricted"]


def test_types_and_times_in_force_can_be_limited():
    assert rules_against(an_order(price=None), under({"order_types": ("limit",)})) == ["order_type"]
    assert rules_against(an_order(), under({"order_types": ("limit",)})) == []
    ioc = an_order(tif=TimeInForce.ImmediateOrCancel)
    assert rules_against(ioc, under({"times_in_force": ("gtc",)})) == ["time_in_force"]
    assert rules_against(an_order(), under({"times_in_force": ("gtc",)})) == []


def test_outside_the_trading_hours_only_what_reduces_may_go():
    hours = ("00:00-24:00",)
    assert rules_against(an_order(), under({"trading_hours": hours})) == []
    closed = under({"trading_hours": ()}, position="2")
    assert rules_against(an_order(), closed) == ["trading_hours"]
    assert rules_against(an_order(side=Side.Sell), closed) == []


# ---- how far and how fast -------------------------------------------------------------------------------------------


def test_a_price_that_waits_far_away_may_have_a_collar_of_its_own():
    given = under({"price_away_bps": d(2_000)})
    assert rules_against(an_order(price="48000"), given) == []
    assert rules_against(an_order(price="47999"), given) == ["price_collar"]
    assert rules_against(an_order(price="63000.6", qty="1"), given) == ["price_collar"]  # too aggressive stays so


def test_a_market_that_ran_away_is_judged_by_where_it_was():
    """RTS 6 art. 15.1: collars per order and over time"""
    given = under({"price_drift_bps": d(1_000)}, quote=msgspec.structs.replace(a_quote(), anchor=d(54_500)))
    assert rules_against(an_order(price="59950"), given) == []
    assert rules_against(an_order(price="59950.01"), given) == ["price_drift"]
    assert rules_against(an_order(price=None), given) == ["price_drift"]
    reducing = msgspec.structs.replace(given, position_qty=d(2), worst=Interval(low=d(2), high=d(2)))
    assert rules_against(an_order(side=Side.Sell, price="60000"), reducing) == []


def test_orders_and_amends_within_a_minute_are_counted():
    given = under({"max_messages_per_minute": 3}, messages=2)
    assert rules_against(an_order(), given) == []
    assert rules_against(an_order(), under({"max_messages_per_minute": 3}, messages=3)) == ["message_rate"]
    replaced = under({"max_messages_per_minute": 3}, messages=3)
    assert rules_against(an_order(), replaced, replaces=an_order("old")) == ["message_rate"]


def test_a_parent_that_makes_orders_without_end_is_stopped():
    """The Knight case: 212 parents, over 4 million orders"""
    child = msgspec.structs.replace(an_order(), block="b1")
    assert rules_against(child, under({"max_children_per_block": 3}, children=2)) == []
    assert rules_against(child, under({"max_children_per_block": 3}, children=3)) == ["children"]
    assert rules_against(an_order(), under({"max_children_per_block": 3}, children=3)) == []


def test_the_same_again_is_asked_about_and_passes_with_a_reason_that_is_kept():
    """SEC 15c3-5: duplicates"""
    given = under({"repeat_within_ms": 1_000}, repeats=1)
    assert denied(an_order(), given, "repeat").is_soft
    meant = msgspec.structs.replace(an_order(), confirm="second clip")
    approved = decide(meant, given)
    assert isinstance(approved, Approved)
    assert [denial.rule for denial in approved.waived] == ["repeat"]


def test_a_reason_passes_no_hard_limit_and_none_that_was_made_hard():
    meant = msgspec.structs.replace(an_order(qty="3.00001", price="39000"), confirm="because")
    assert "max_order_qty" in rules_against(meant, around())
    hard = under({"repeat_within_ms": 1_000, "soft": ()}, repeats=1)
    assert rules_against(msgspec.structs.replace(an_order(), confirm="because"), hard) == ["repeat"]


def test_beyond_a_figure_that_was_made_soft_only_the_role_risk_may_go():
    """RTS 6 art. 15: over a limit only who is authorised to"""
    given = under({"soft": ("price_collar", "max_order_qty")})
    meant = msgspec.structs.replace(an_order(price="50000"), confirm="the auction ends there")
    assert rules_against(meant, given) == ["price_collar"]
    assert not denied(meant, given, "price_collar").is_soft
    assert denied(meant, given, "price_collar").text.endswith("one with the role risk may pass it with a reason")
    by_risk = msgspec.structs.replace(meant, is_risk=True)
    approved = decide(by_risk, given)
    assert isinstance(approved, Approved)
    assert [denial.rule for denial in approved.waived] == ["price_collar"]
    assert rules_against(msgspec.structs.replace(by_risk, confirm=None), given) == ["price_collar"]
    too_much = msgspec.structs.replace(by_risk, order_qty=d(4), price=d(20_000))
    assert "max_order_qty" in rules_against(too_much, given)  # hard, whatever a list says


# ---- over instruments and accounts ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("gross", "passes"), [("40000", True), ("40000.01", False)])
def test_exposure_counts_every_instrument_at_its_worse_end(gross, passes):
    given = under({"max_exposure": d(100_000)}, others=Exposure(gross=d(gross)))
    assert rules_against(an_order(qty="1"), given) == ([] if passes else ["max_exposure"])


def test_net_exposure_looks_at_the_worse_end_of_the_sum():
    short = Exposure(gross=d(50_000), net=Interval(low=d(-50_000), high=d(-50_000)))
    assert rules_against(an_order(qty="1"), under({"max_net_exposure": d(10_000)}, others=short)) == []
    long = Exposure(gross=d(50_000), net=Interval(low=d(50_000), high=d(50_000)))
    assert rules_against(an_order(qty="1"), under({"max_net_exposure": d(10_000)}, others=long)) == ["max_net_exposure"]


def test_leverage_needs_to_know_what_the_account_is_worth():
    assert rules_against(an_order(qty="1"), under({"max_leverage": d(2)}, equity=d(30_000))) == []
    assert rules_against(an_order(qty="1"), under({"max_leverage": d(2)}, equity=d(29_999))) == ["max_leverage"]
    assert rules_against(an_order(qty="1"), under({"max_leverage": d(2)})) == ["max_leverage"]


def test_what_cannot_be_valued_cannot_be_added_to():
    given = under({"max_exposure": d(10**9)}, others=Exposure(unvalued=("binance:ETHUSDT",)))
    assert "binance:ETHUSDT" in denied(an_order(), given, "max_exposure").text
    assert rules_against(an_order(), under({"max_exposure": d(10**9)}, rate=None)) == ["max_exposure"]


def a_group(**figures: Any) -> Together:
    held = Interval(low=d(0), high=d(40_000))
    return Together(
        name="group growth", source="groups.growth.totals", totals=Totals(**figures),
        exposure=Exposure(gross=d(40_000), net=held), asset=held,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("figure", "rule"),
    [
        ("max_exposure", "total_exposure"),
        ("max_net_exposure", "total_net_exposure"),
        ("max_position_notional", "total_position"),
    ],
)
def test_a_group_is_judged_by_what_all_its_accounts_may_come_to(figure, rule):
    most = d(100_000)
    assert rules_against(an_order(qty="1"), around(together=(a_group(**{figure: most}),))) == []
    given = around(together=(a_group(**{figure: most - 1}),))
    assert rules_against(an_order(qty="1"), given) == [rule]
    found = denied(an_order(qty="1"), given, rule)
    assert (found.limit, found.source) == ("99999", "groups.growth.totals")
    reducing = msgspec.structs.replace(given, position_qty=d(2), worst=Interval(low=d(2), high=d(2)))
    assert rules_against(an_order(qty="1", side=Side.Sell), reducing) == []


def test_an_order_that_meets_one_of_the_same_owner_is_refused_and_of_another_client_asked_about():
    met = Crossing(account=OTHER, is_same_owner=True, is_prevented=False, side=Side.Sell, price=d(59_000))
    assert rules_against(an_order(), around(crossing=met)) == ["self_cross"]
    confirmed = msgspec.structs.replace(an_order(), confirm="agreed")
    assert rules_against(confirmed, around(crossing=met)) == ["self_cross"]
    client = msgspec.structs.replace(met, is_same_owner=False, is_prevented=True)
    assert "self-trade prevention" in denied(an_order(), around(crossing=client), "client_cross").text
    assert rules_against(confirmed, around(crossing=client)) == []


def test_each_denial_says_who_set_its_limit():
    stack = stacked([("accounts.acme in desk.toml", Limits(max_order_qty=d("0.5"))), ("limits in desk.toml", LIMITS)])
    given = msgspec.structs.replace(around(), limits=effective(stack, BTC))
    assert denied(an_order(qty="1"), given, "max_order_qty").source == "accounts.acme in desk.toml"
    assert denied(an_order(qty="1", price="90000"), given, "price_collar").source == "limits in desk.toml"


def test_the_larger_end_of_an_interval_is_the_one_further_from_zero():
    assert larger(Interval(low=d(-3), high=d(2))) == 3
    assert NOW > HOUR_NS
    assert ACME != OTHER
