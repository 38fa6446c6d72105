"""How an account must be set and how it is: what differs, what is not told, and what its venue does not have."""

from tradedesk.domain.profile import Profile, SeenProfile, Setting, differences

SEEN = SeenProfile(
    settings=(
        Setting(name="account_mode", value="futures"),
        Setting(name="position_mode", value="one-way"),
        Setting(name="leverage", value="3", of="BTC/USDT"),
        Setting(name="leverage", value="20", of="ETH/USDT"),
        Setting(name="leverage", value="20", of="SOL/USDT"),
    ),
    absent=("margin_mode",),
)


def test_an_account_that_is_set_as_it_must_be_has_no_differences():
    assert differences(Profile(account_mode="futures", position_mode="one-way"), SEEN) == ()


def test_nothing_is_asked_of_a_setting_that_does_not_matter():
    assert differences(Profile(), SEEN) == ()


def test_a_setting_of_instruments_is_named_with_those_that_differ():
    assert differences(Profile(leverage="3"), SEEN) == (
        "leverage of ETH/USDT, SOL/USDT is 20 at the venue and must be 3",
    )


def test_a_setting_of_the_account_that_differs_is_named():
    assert differences(Profile(position_mode="hedge"), SEEN) == (
        "position_mode is one-way at the venue and must be hedge",
    )


def test_what_the_venue_does_not_have_or_does_not_tell_is_not_taken_for_well():
    assert differences(Profile(margin_mode="cross"), SEEN) == (
        "margin_mode must be cross, and accounts of this venue have no such setting",
    )
    assert differences(Profile(self_trade="none"), SEEN) == ("self_trade must be none, and the venue does not tell it",)
