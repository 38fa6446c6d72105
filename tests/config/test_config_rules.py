"""desk.toml: how the rules of the RiskMonitor judge, whose they are, what they do."""

import re
from decimal import Decimal
from pathlib import Path

import pytest

from tradedesk import config
from tradedesk.config import ConfigError
from tradedesk.domain.accounts import HaltLevel
from tradedesk.domain.alert_rules import OTHERS, RULES, AlertRule, rule_of
from tradedesk.domain.words import AccountId
from tradedesk.risk import watch

BASE = """
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
{acme}
[operators.ann]
roles = ["risk"]
accounts = ["*"]
[risk.rules.drawdown]
{rule}
"""


def text(rule: str = "", acme: str = "") -> str:
    return BASE.format(rule=rule, acme=acme)


def test_what_a_rule_does_not_say_is_as_built_in() -> None:
    read = config.parse(text('warn = "0.9"\nowner = "ann"'))
    assert read.rules["drawdown"] == AlertRule(
        warn=Decimal("0.9"), readings=2, owner="ann", action=HaltLevel.ReduceOnly
    )
    assert rule_of("exposure", read.rules) == RULES["exposure"]
    assert rule_of("nobody's", read.rules) == OTHERS


def test_losses_and_drawdowns_reduce_by_themselves_and_nothing_else_acts() -> None:
    assert {name: rule.action for name, rule in RULES.items() if rule.action is not None} == {
        "drawdown": HaltLevel.ReduceOnly,
        "daily-loss": HaltLevel.ReduceOnly,
    }


@pytest.mark.parametrize("action", ["alert", *HaltLevel])
def test_every_action_is_read_and_written_back_the_same(action: str) -> None:
    read = config.parse(text(f'readings = 3\nescalate_minutes = 10\naction = "{action}"', "flatten_by_itself = true"))
    assert read.rules["drawdown"].action == (None if action == "alert" else action)
    assert read.accounts[AccountId("acme")].flatten_by_itself
    assert config.parse(config.render(read)) == read


@pytest.mark.parametrize(
    ("rule", "sentence"),
    [
        ('warn = "0.6"', "drawdown.clear: 0.5 <= clear <= warn <= critical must hold; here 0.7, 0.6, 1"),
        ('clear = "0.4"', "drawdown.clear: 0.5 <= clear"),
        ('critical = "0.7"', "drawdown.clear: 0.5 <= clear"),
        ("readings = 0", "drawdown.readings: 0 is out of range; use 1 or more"),
        ("readings = 11", "drawdown.readings: 11 looks would make it late; use at most 10"),
        ('owner = "bob"', "drawdown.owner: 'bob' is no role and no operator; use one of trader, risk, support"),
        ("escalate_minutes = 0", "drawdown.escalate_minutes: 0 is out of range"),
        ('action = "stop"', "drawdown.action: 'stop' is not known; use alert, block-new, reduce-only"),
        ('action = "flatten"', "drawdown.action: no account says flatten_by_itself = true; use cancel-all"),
        ('warned = "1"', "drawdown.warned: is unknown; did you mean warn"),
        ("[risk.rules.drawdowns]", "risk.rules.drawdowns: there is no such rule; known: "),
        ("[risk.limits]", "risk.limits: is unknown"),
    ],
)
def test_each_mistake_names_file_key_and_remedy(rule: str, sentence: str) -> None:
    with pytest.raises(ConfigError) as caught:
        config.parse(text(rule))
    assert re.search(re.escape(sentence), "\n".join(caught.value.mistakes)), caught.value.mistakes


def test_closing_positions_by_itself_is_said_in_so_many_words() -> None:
    with pytest.raises(ConfigError, match=r"accounts\.acme\.flatten_by_itself: 'yes' is a text; write it like"):
        config.parse(text(acme='flatten_by_itself = "yes"'))


def test_every_rule_that_looks_has_a_place_in_the_file() -> None:
    """A new rule belongs into the table, or nobody could set it."""
    named = set()
    for path in Path(watch.__file__).parent.glob("*.py"):
        said = path.read_text()
        named |= set(re.findall(r"(?:of_limit\(\s*|\brule=)\"([a-z-]+)\"", said))
    assert len(named) > 10
    assert named <= set(RULES)
