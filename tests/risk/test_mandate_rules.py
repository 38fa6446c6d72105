"""What may be done for a client: each rule of the mandate at its boundary, and when a mandate is in force at all."""

from datetime import date
from decimal import Decimal

import msgspec
import pytest
from hypothesis import given as given_
from hypothesis import settings
from hypothesis import strategies as st
from order_builders import NOW, an_instrument, an_order, d
from test_gate import around, decide, rules_against

from tradedesk.domain.accounts import HaltLevel
from tradedesk.domain.gate import FLATTENER, Approved, Denied
from tradedesk.domain.instruments import Product
from tradedesk.domain.mandate import ApprovedMandate, Mandate, Standing, day_of, lapse, why_not_approved
from tradedesk.domain.words import OperatorId, Side

TODAY = day_of(NOW)
MANDATE = Mandate(version=2, valid_from=date(2020, 1, 1), products=(Product.Spot,))
EQUITY = d(1_000_000)


def under(mandate=MANDATE, *, lapse="", held="0", equity=EQUITY, **given):
    standing = Standing(
        mandate=mandate, lapse=lapse, currency="USDT", held=None if held is None else d(held), equity=equity
    )
    return around(mandate=standing, **given)


def saying(**terms):
    return msgspec.structs.replace(MANDATE, **terms)


def approval(mandate=MANDATE):
    return ApprovedMandate(mandate=mandate, by=OperatorId("rosa"), reason="signed on paper", at=NOW)


def a_sale(**terms):
    return an_order(side=Side.Sell, **terms)


# ---- the Gate -------------------------------------------------------------------------------------------------------


def test_an_order_within_the_mandate_is_approved():
    assert isinstance(decide(an_order(), under(saying(max_concentration=d("0.4"), cash_floor=d(5000)))), Approved)


def test_a_mandate_that_is_not_in_force_lets_only_reductions_go_and_says_why():
    given = under(lapse="mandate version 2 is not approved", position="2")
    decision = decide(an_order(), given)
    assert isinstance(decision, Denied)
    (denial,) = decision.denials
    assert denial.text.startswith("mandate version 2 is not approved; only what reduces may go (accounts.acme")
    assert denial.source == "accounts.acme.mandate version 2"
    assert rules_against(a_sale(), given) == []


def test_close_only_lets_what_is_held_be_sold_and_no_more():
    given = under(saying(close_only=True, may_short=True), position="1")
    assert rules_against(an_order(), given) == ["mandate_close_only"]
    assert rules_against(a_sale(qty="1"), given) == []
    assert rules_against(a_sale(qty="1.001"), given) == ["mandate_close_only"]


def test_only_the_products_of_the_mandate_are_opened():
    perpetual = msgspec.structs.replace(an_instrument(), product=Product.Perpetual)
    assert rules_against(an_order(), under(instrument=perpetual)) == ["mandate_products"]
    assert rules_against(an_order(), under(saying(products=tuple(Product)), instrument=perpetual)) == []
    assert rules_against(a_sale(), under(instrument=perpetual, position="2")) == []


def test_nothing_is_sold_short_not_even_if_every_other_sale_is_filled():
    assert rules_against(a_sale(), under()) == ["mandate_no_short"]
    assert rules_against(a_sale(), under(saying(may_short=True))) == []
    assert rules_against(a_sale(qty="1"), under(position="2", low="1")) == []
    assert rules_against(a_sale(qty="1.001"), under(position="2", low="1")) == ["mandate_no_short"]


def test_a_restricted_asset_may_be_sold_and_not_bought():
    given = under(saying(restricted=("BTC",)), position="2")
    assert rules_against(an_order(), given) == ["mandate_restricted"]
    assert rules_against(a_sale(), given) == []


def test_a_sale_for_a_restricted_asset_brings_that_one_in():
    in_coin = msgspec.structs.replace(an_instrument(), quote="DOGE")
    given = under(saying(restricted=("DOGE",)), instrument=in_coin, position="2")
    assert rules_against(a_sale(), given) == ["mandate_restricted"]
    assert rules_against(an_order(), given) == []


def test_one_asset_may_be_no_more_of_the_equity_than_the_mandate_says():
    """0.4 of 1,000,000: 400,000, of which 340,000 are there or on their way; one more at 60,000 just fits"""
    limited = saying(max_concentration=d("0.4"))
    assert rules_against(an_order(qty="1"), under(limited, held="340000")) == []
    assert rules_against(an_order(qty="1"), under(limited, held="340000.01")) == ["mandate_concentration"]
    assert rules_against(a_sale(qty="1"), under(limited, held="900000", position="2")) == []


@pytest.mark.parametrize("missing", [{"held": None}, {"equity": None}, {"rate": None}])
def test_a_share_that_cannot_be_told_is_not_taken_for_small(missing):
    assert "mandate_concentration" in rules_against(an_order(), under(saying(max_concentration=d("0.4")), **missing))


def test_no_equity_at_all_holds_no_asset():
    assert rules_against(an_order(), under(saying(max_concentration=d(1)), equity=d(0))) == ["mandate_concentration"]


def test_cash_stays_above_its_floor_with_everything_that_open_orders_have_locked():
    """`available` is what is free of all other orders; one at 60,000 leaves the floor of 5,000 only from 65,000 on"""
    kept = saying(cash_floor=d(5000))
    assert rules_against(an_order(qty="1", price="60000"), under(kept, available=d(65_000))) == []
    assert rules_against(an_order(qty="1", price="60000"), under(kept, available=d("64999.99"))) == [
        "mandate_cash_floor"
    ]
    assert rules_against(a_sale(qty="1"), under(kept, available=d(1), position="1")) == []


def test_what_a_halt_flattens_passes_the_mandate():
    in_coin = msgspec.structs.replace(an_instrument(), quote="DOGE")
    closing = msgspec.structs.replace(a_sale(qty="2", price=None), operator=FLATTENER)
    strict = saying(restricted=("DOGE",), max_concentration=d("0.01"), cash_floor=d(10**9), close_only=True)
    given = under(strict, lapse="over", instrument=in_coin, position="2", halt=HaltLevel.Flatten)
    assert rules_against(closing, given) == []


def test_no_mandate_asks_nothing():
    assert rules_against(an_order(), around(mandate=None)) == []


def test_an_account_set_otherwise_than_it_must_be_only_reduces():
    given = around(profile="leverage is 20 at the venue and must be 3", position="1")
    decision = decide(an_order(), given)
    assert isinstance(decision, Denied)
    (denial,) = decision.denials
    assert denial.rule == "profile"
    assert "leverage is 20 at the venue and must be 3" in denial.text
    assert rules_against(a_sale(qty="1"), given) == []
    assert rules_against(a_sale(qty="1.5"), given) == ["profile"]


# ---- in force or not ------------------------------------------------------------------------------------------------


def test_a_mandate_is_in_force_once_these_very_words_are_approved():
    assert lapse(MANDATE, None, NOW) == "mandate version 2 is not approved"
    assert lapse(MANDATE, approval(), NOW) == ""
    other = approval(saying(cash_floor=d(1)))
    assert lapse(MANDATE, other, NOW) == "mandate version 2 is not approved (approved is version 2)"


def test_a_mandate_holds_from_its_first_day_to_its_last():
    today = saying(valid_from=TODAY, valid_until=TODAY)
    day = 86_400 * 10**9
    assert lapse(today, approval(today), NOW) == ""
    assert lapse(today, approval(today), NOW - day) == f"mandate version 2 begins on {TODAY}"
    assert lapse(today, approval(today), NOW + day) == f"mandate version 2 ended on {TODAY}"


def test_what_was_approved_is_changed_only_under_a_higher_version():
    changed = saying(cash_floor=d(1))
    assert why_not_approved(MANDATE, 2, None) is None
    assert "has no mandate" in str(why_not_approved(None, 2, None))
    assert "is version 2, not 1" in str(why_not_approved(MANDATE, 1, None))
    assert "approved already, by rosa" in str(why_not_approved(MANDATE, 2, approval()))
    assert "raise the version" in str(why_not_approved(changed, 2, approval()))
    assert "raise the version" in str(why_not_approved(saying(version=1), 1, approval()))
    assert why_not_approved(saying(version=3), 3, approval()) is None


# ---- as a law -------------------------------------------------------------------------------------------------------

amounts = st.integers(0, 1_500).map(lambda thousandths: Decimal(thousandths) / 1000)


@settings(max_examples=400)
@given_(
    side=st.sampled_from(Side),
    qty=amounts.filter(bool),
    held=amounts,
    selling=amounts,
    cash=st.integers(40_000, 300_000),
    is_limit=st.booleans(),
    why=st.sampled_from(("", "mandate version 2 is not approved")),
    closing=st.booleans(),
    share=st.sampled_from((Decimal("0.3"), Decimal(1))),
    floor=st.sampled_from((1_000, 100_000)),
)
def test_whatever_is_approved_is_within_the_mandate_or_only_reduces(
    side, qty, held, selling, cash, is_limit, why, closing, share, floor
):
    """By the figures themselves: what would be held and free if everything that may trade did, the order included."""
    terms = saying(max_concentration=share, cash_floor=d(floor), close_only=closing)
    equity = held * 60_000 + cash
    order = an_order(side=side, qty=str(qty), price="60000" if is_limit else None)
    low = held - min(selling, held)
    given = under(
        terms, lapse=why, held=str(held * 60_000), equity=equity, position=str(held), low=str(low), available=d(cash)
    )
    if isinstance(decide(order, given), Denied):
        return
    if side is Side.Sell:
        assert low - qty >= 0
        return
    assert not why
    assert not closing
    assert (held + qty) * 60_000 <= equity * share
    assert cash - qty * (60_000 if is_limit else 60_001) >= floor
