"""desk.toml: where an account's key is held and its requests are signed."""

import pytest

from tradedesk import config
from tradedesk.config import ConfigError
from tradedesk.domain.accounts import SignsIn
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


@pytest.mark.parametrize(
    ("line", "wanted"),
    [("", SignsIn.Thread), ('signer = "thread"', SignsIn.Thread), ('signer = "process"', SignsIn.Process)],
)
def test_a_key_is_held_in_the_desk_unless_a_process_is_asked_for_and_what_is_written_is_read_back(
    line: str, wanted: SignsIn
) -> None:
    read = config.parse(TEXT + line)
    assert read.accounts[AccountId("acme")].signer is wanted
    assert config.parse(config.render(read)) == read
    assert ("signer" in config.render(read)) == (wanted is SignsIn.Process)


def test_another_place_is_refused_with_what_there_is() -> None:
    with pytest.raises(ConfigError) as refused:
        config.parse(TEXT + 'signer = "hsm"')
    assert refused.value.mistakes == ("desk.toml: accounts.acme.signer: 'hsm' is not known; use thread or process",)
