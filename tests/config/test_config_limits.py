"""Limits in desk.toml: of the desk, of groups and of accounts, read, written, stacked, and every mistake named."""

import re
from decimal import Decimal

import pytest

from tradedesk import config
from tradedesk.config import ConfigError, Settings
from tradedesk.desk.limit_book import totals_of, with_limits
from tradedesk.domain.limits import Totals, effective
from tradedesk.domain.words import AccountId, InstrumentId
from tradedesk.risk.days import DESK

FILE = """
[desk]
name = "main"
reporting_currency = "USDT"

[venues.binance]
exchange = "binance"
url = "http://127.0.0.1:8765"
instruments = ["BTC/USDT", "ETH/USDT"]

[accounts.acme]
venue = "binance"
secret = "acme"
egress = "127.0.0.2"
owner = "acme"
groups = ["growth"]
mode = "paper"

[accounts.acme.limits]
max_order_qty = "3"
allowed = ["BTC/USDT"]
soft = []

[limits]
max_order_notional = "1000"
max_messages_per_minute = 100
restricted = ["ETH/USDT"]
order_types = ["limit"]
trading_hours = ["mon-fri 08:00-17:30"]

[limits.instruments."BTC/USDT"]
max_position = "2"

[totals]
max_exposure = "50000"

[groups.growth.limits]
max_order_notional = "500"
price_away_bps = "2000"

[groups.growth.totals]
max_position_notional = "20000"
max_daily_loss = "900"
"""
BTC, ETH = InstrumentId("binance:BTCUSDT"), InstrumentId("binance:ETHUSDT")


def read(text: str = FILE) -> Settings:
    return config.parse(text)


def test_what_is_written_is_read_back_the_same():
    assert config.parse(config.render(read())) == read()


def test_an_account_stands_under_its_own_limits_its_groups_and_the_desks():
    acme = with_limits(read()).accounts[AccountId("acme")]
    found = effective(acme.limits, BTC)
    assert found is not None
    assert {figure: (getattr(found, figure), found.source(figure)) for figure in (
        "max_order_qty", "max_order_notional", "max_messages_per_minute", "max_position", "price_away_bps", "stale_after_ms",
    )} == {
        "max_order_qty": (3, "accounts.acme in desk.toml"),
        "max_order_notional": (500, "groups.growth in desk.toml"),
        "max_messages_per_minute": (100, "limits in desk.toml"),
        "max_position": (2, "limits in desk.toml, for binance:BTCUSDT"),
        "price_away_bps": (2000, "groups.growth in desk.toml"),
        "stale_after_ms": (5000, "built in"),
    }  # fmt: skip
    assert (found.allowed, found.restricted, found.soft) == ((BTC,), (ETH,), ())
    assert (found.order_types, found.trading_hours) == (("limit",), ("mon-fri 08:00-17:30",))


def test_totals_are_those_of_the_groups_and_the_desk_that_have_some():
    assert totals_of(read()) == {
        "group growth": (
            Totals(max_position_notional=Decimal(20_000), max_daily_loss=Decimal(900)),
            "groups.growth.totals in desk.toml",
        ),
        DESK: (Totals(max_exposure=Decimal(50_000)), "totals in desk.toml"),
    }


@pytest.mark.parametrize(
    ("before", "after", "mistake"),
    [
        (
            'restricted = ["ETH/USDT"]',
            'restricted = ["ETH/USD"]',
            r"limits\.restricted: 'ETH/USD' is none of .*ETH/USDT",
        ),
        ('order_types = ["limit"]', 'order_types = ["stop"]', r"limits\.order_types: 'stop' is not known"),
        ("soft = []", 'soft = ["max_order_qty"]', r"accounts\.acme\.limits\.soft: 'max_order_qty' is not known"),
        ("mon-fri 08:00-17:30", "all day", r"limits\.trading_hours: 'all day' is no window of time"),
        (
            "max_messages_per_minute = 100",
            "max_messages_per_minute = -1",
            r"limits\.max_messages_per_minute: .*0 or more",
        ),
        ('max_exposure = "50000"', 'max_exposure = "-1"', r"totals\.max_exposure: -1 is negative"),
        (
            'max_exposure = "50000"',
            'max_exposures = "1"',
            r"totals\.max_exposures: is unknown; did you mean max_exposure",
        ),
        ("[groups.growth.totals]", "[groups.grown.totals]", r"groups\.grown\.limits: no account is in this group"),
    ],
)
def test_each_mistake_names_file_key_and_remedy(before, after, mistake):
    assert before in FILE
    with pytest.raises(ConfigError, match=r"desk\.toml: ") as caught:
        read(FILE.replace(before, after))
    assert re.search(mistake, "\n".join(caught.value.mistakes))
