"""How a Binance spot account is set, read from the venue's own answers; and what spot accounts do not have."""

import msgspec
import pytest
from order_builders import an_instrument

from tradedesk.domain.profile import Profile, Setting, differences
from tradedesk.domain.words import VenueId
from tradedesk.venues.spot import read_instrument
from tradedesk.venues.spot_profile import read_profile

ACCOUNT = {"accountType": "SPOT", "requireSelfTradePrevention": False, "balances": [], "permissions": ["SPOT"]}
SYMBOL = {
    "symbol": "BTCUSDT", "baseAsset": "BTC", "quoteAsset": "USDT", "quotePrecision": 8, "baseAssetPrecision": 8,
    "status": "TRADING", "filters": [], "defaultSelfTradePreventionMode": "EXPIRE_MAKER",
}  # fmt: skip


def test_what_spot_has_is_the_kind_of_the_account_and_each_symbols_own_self_trade_prevention():
    instruments = (
        msgspec.structs.replace(an_instrument(), self_trade="expire-maker"),
        an_instrument("ETH"),
    )
    seen = read_profile(ACCOUNT, instruments)
    assert seen.settings == (
        Setting(name="account_mode", value="spot"),
        Setting(name="self_trade", value="expire-maker", of="BTC/USDT"),
    )
    assert differences(Profile(account_mode="spot", self_trade="expire-maker"), seen) == ()


@pytest.mark.parametrize("setting", ["position_mode", "margin_mode", "leverage"])
def test_what_spot_does_not_have_is_said_plainly(setting):
    (told,) = differences(Profile(**{setting: "3"}), read_profile(ACCOUNT, ()))
    assert told == f"{setting} must be 3, and accounts of this venue have no such setting"


def test_an_account_that_must_prevent_self_trades_is_told():
    seen = read_profile(ACCOUNT | {"requireSelfTradePrevention": True}, ())
    assert Setting(name="self_trade_required", value="yes") in seen.settings


def test_the_group_of_accounts_that_do_not_trade_with_each_other_is_told_where_there_is_one():
    wanted = Profile(trade_group="1012")
    assert differences(wanted, read_profile(ACCOUNT | {"tradeGroupId": 1012}, ())) == ()
    assert differences(wanted, read_profile(ACCOUNT | {"tradeGroupId": 7}, ())) == (
        "trade_group is 7 at the venue and must be 1012",
    )
    for none in ({}, {"tradeGroupId": -1}, {"tradeGroupId": "1012"}, {"tradeGroupId": True}):
        assert differences(wanted, read_profile(ACCOUNT | none, ())) == (
            "trade_group must be 1012, and the venue does not tell it",
        )


@pytest.mark.parametrize("kind", [None, 7, "", "x" * 500, "SPOT\n", "Ş"])
def test_a_kind_that_is_no_word_is_not_told_and_so_not_taken_for_well(kind):
    """The look itself goes on: fills and balances do not wait for a word of the account's settings."""
    seen = read_profile(ACCOUNT | {"accountType": kind}, ())
    assert seen.settings == ()
    (told,) = differences(Profile(account_mode="spot"), seen)
    assert told == "account_mode must be spot, and the venue does not tell it"


@pytest.mark.parametrize(
    ("mode", "read"),
    [("EXPIRE_MAKER", "expire-maker"), ("NONE", "none"), ("SOMETHING_NEW", ""), (None, ""), (7, "")],
)
def test_a_symbols_prevention_is_read_in_the_desks_words(mode, read):
    assert read_instrument(SYMBOL | {"defaultSelfTradePreventionMode": mode}, VenueId("binance")).self_trade == read
