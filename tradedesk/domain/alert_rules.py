"""What makes an alert of a finding: the levels of each rule, how it is confirmed and ended, whose it is, what is done."""

from collections.abc import Mapping
from decimal import Decimal

from msgspec import Struct

from tradedesk.domain.accounts import HaltLevel

MOST_READINGS = 10  # of a quarter of a second each: more would make an alert later than five seconds


class AlertRule(Struct, frozen=True, kw_only=True):
    """One rule of the RiskMonitor, as [risk.rules.NAME] of desk.toml may set it. The shares are of the limit."""

    warn: Decimal = Decimal("0.8")
    critical: Decimal = Decimal(1)
    clear: Decimal = Decimal("0.7")  # an alert ends below it, and not at once below `warn`: to and fro would be a storm
    readings: int = 1  # looks in a row that must agree before it is raised, becomes worse or ends
    owner: str = "risk"  # a role, or an operator
    escalate_minutes: int = 5  # without an acknowledgement, until it is told to everybody; and again as long after that
    action: HaltLevel | None = None  # what is latched when it is critical; None: it alerts, and that is all


_FIGURE = AlertRule(readings=2)
_TRADED = AlertRule(readings=2, owner="trader")
_STOPS = AlertRule(readings=2, action=HaltLevel.ReduceOnly)

RULES: Mapping[str, AlertRule] = {
    "drawdown": _STOPS,
    "daily-loss": _STOPS,
    "exposure": _FIGURE,
    "net-exposure": _FIGURE,
    "concentration": _FIGURE,
    "slippage": _TRADED,
    "reject-ratio": _TRADED,
    "cancel-ratio": _TRADED,
    "fill-ratio": _TRADED,
    "latency": _TRADED,
    "clock": _FIGURE,
    "layering": _FIGURE,
    "own-cross": AlertRule(),
    "position-drift": AlertRule(),
    "balance": AlertRule(),
    "reject-burst": AlertRule(owner="trader"),
    "staleness": AlertRule(owner="trader"),
    "exit": AlertRule(),
    "mandate": AlertRule(),
    "profile": AlertRule(),
    "key": AlertRule(),
    "key-expiry": AlertRule(),
}
OTHERS = AlertRule()  # of a rule that is not named above


def rule_of(name: str, rules: Mapping[str, AlertRule]) -> AlertRule:
    """How `name` is judged: as desk.toml says, else as built in."""
    return rules.get(name) or RULES.get(name, OTHERS)
