"""desk.toml: what may be done for a client, and how its account must be set at the venue."""

from datetime import date
from decimal import Decimal

import pytest

from tradedesk import config
from tradedesk.config import ConfigError
from tradedesk.domain.instruments import Product
from tradedesk.domain.mandate import Mandate
from tradedesk.domain.profile import Profile
from tradedesk.domain.words import AccountId

TEXT = """
[desk]
name = "main"
reporting_currency = "USDT"
[venues.binance]
exchange = "binance"
url = "http://127.0.0.1:8765"
instruments = ["BTC/USDT"]
[accounts.acme]
venue = "binance"
secret = "acme"
egress = "127.0.0.2"
owner = "acme"
mode = "paper"
"""
MANDATE = """
[accounts.acme.mandate]
version = 3
valid_from = "2026-11-01"
valid_until = "2027-10-31"
products = ["spot"]
restricted = ["DOGE"]
max_concentration = "0.4"
cash_floor = "5000"
close_only = true
cure_days = 10
"""
PROFILE = """
[accounts.acme.profile]
account_mode = "spot"
leverage = 3
self_trade = "expire-maker"
trade_group = 1012
"""


def test_a_mandate_and_a_profile_are_read_and_what_is_written_is_read_back():
    read = config.parse(TEXT + MANDATE + PROFILE)
    account = read.accounts[AccountId("acme")]
    assert account.mandate == Mandate(
        version=3,
        valid_from=date(2026, 11, 1),
        valid_until=date(2027, 10, 31),
        products=(Product.Spot,),
        restricted=("DOGE",),
        max_concentration=Decimal("0.4"),
        cash_floor=Decimal(5000),
        close_only=True,
        cure_days=10,
    )
    assert account.profile == Profile(account_mode="spot", leverage="3", self_trade="expire-maker", trade_group="1012")
    assert config.parse(config.render(read)) == read


def test_an_account_may_have_neither():
    account = config.parse(TEXT).accounts[AccountId("acme")]
    assert (account.mandate, account.profile) == (None, None)


@pytest.mark.parametrize(
    ("before", "after", "mistake"),
    [
        ("version = 3\n", "", "mandate.version: is missing; add e.g. version = 1"),
        (
            '"2026-11-01"',
            '"1 Nov"',
            "mandate.valid_from: '1 Nov' is no day; write it as year-month-day, e.g. 2026-11-01",
        ),
        ('"2026-11-01"', '"2026-W45-1"', "mandate.valid_from: '2026-W45-1' is no day"),
        (
            '"2026-11-01"',
            "2026-11-01",
            "mandate.valid_from: datetime.date(2026, 11, 1) is a date or time; write it like",
        ),
        ('"2027-10-31"', '"2026-10-31"', "mandate.valid_until: 2026-10-31 is before valid_from; name a later day"),
        ('["spot"]', '["spott"]', "mandate.products: 'spott' is not known; did you mean spot?"),
        ('["DOGE"]', '["DOGE/USDT"]', "mandate.restricted: 'DOGE/USDT' is no asset; name assets, not pairs"),
        ('"0.4"', '"40"', "mandate.max_concentration: is a share of the equity, above 0 and at most 1"),
        (
            "close_only = true",
            'close_only = "yes"',
            "mandate.close_only: 'yes' is a text; write it like close_only = true",
        ),
        ("cure_days", "cure_day", "mandate.cure_day: is unknown; did you mean cure_days?"),
        ('"expire-maker"', '"expire"', "profile.self_trade: 'expire' is not known"),
        ("leverage = 3", "leverage = 2000", "profile.leverage: 2000 is more than any venue gives; use e.g. 3"),
    ],
)
def test_each_mistake_names_file_key_and_remedy(before, after, mistake):
    text = TEXT + MANDATE + PROFILE
    assert before in text
    with pytest.raises(ConfigError) as refused:
        config.parse(text.replace(before, after))
    assert any(found.startswith(f"desk.toml: accounts.acme.{mistake}") for found in refused.value.mistakes)
