"""desk.toml: what becomes of an account's orders when its desk stops, falls silent or is killed."""

import pytest

from tradedesk import config
from tradedesk.config import ConfigError
from tradedesk.domain.accounts import DeadMan, OnStop
from tradedesk.domain.words import AccountId

BASE = """
[desk]
name = "main"
reporting_currency = "USDT"
{desk}
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
{acme}
[accounts.birch]
venue = "binance"
secret = "birch"
egress = "127.0.0.3"
owner = "birch"
mode = "paper"
"""


def text(acme: str = "", desk: str = "") -> str:
    return BASE.format(acme=acme, desk=desk)


def test_unless_told_orders_stay_and_nobody_stands_in() -> None:
    read = config.parse(text())
    acme = read.accounts[AccountId("acme")]
    assert (acme.on_stop, acme.dead_man, acme.cancel_secret) == (OnStop.Keep, None, None)
    assert read.desk.watchdog_seconds == 15


def test_what_is_told_is_read_and_written_back_the_same() -> None:
    read = config.parse(
        text('cancel_secret = "acme-cancel"\non_stop = "cancel"\ndead_man = "watchdog"', "watchdog_seconds = 30")
    )
    acme = read.accounts[AccountId("acme")]
    assert (acme.on_stop, acme.dead_man, acme.cancel_secret) == (OnStop.Cancel, DeadMan.Watchdog, "acme-cancel")
    assert read.desk.watchdog_seconds == 30
    assert config.parse(config.render(read)) == read


@pytest.mark.parametrize(
    ("acme", "desk", "sentence"),
    [
        ('on_stop = "maybe"', "", "desk.toml: accounts.acme.on_stop: 'maybe' is not known; use keep or cancel"),
        (
            'dead_man = "venue"',
            "",
            "desk.toml: accounts.acme.dead_man: 'venue' is not known; use watchdog, or leave it out",
        ),
        (
            'cancel_secret = "birch"',
            "",
            "desk.toml: accounts.acme.cancel_secret: 'birch' is that of accounts.birch already; use an entry of its own",
        ),
        (
            'cancel_secret = "acme"',
            "",
            "desk.toml: accounts.acme.cancel_secret: 'acme' is that of accounts.acme already; use an entry of its own",
        ),
        ("", "watchdog_seconds = 1", "desk.toml: desk.watchdog_seconds: 1 is out of range; use 5 or more, e.g. 15"),
    ],
)
def test_each_mistake_names_file_key_and_remedy(acme: str, desk: str, sentence: str) -> None:
    with pytest.raises(ConfigError) as caught:
        config.parse(text(acme, desk))
    assert caught.value.mistakes == (sentence,)
