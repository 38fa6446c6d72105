"""The rules of the RiskMonitor in desk.toml: [risk.rules.NAME]."""

from collections.abc import Collection, Iterable
from decimal import Decimal
from typing import Any

import msgspec

from tradedesk.config.settings import ROLES
from tradedesk.config.tables import Table, shown
from tradedesk.domain.accounts import Account, HaltLevel
from tradedesk.domain.alert_rules import MOST_READINGS, RULES, AlertRule, rule_of
from tradedesk.domain.words import OperatorId

ALERT_ONLY = "alert"
ACTIONS = (ALERT_ONLY, *HaltLevel)
LEAST_SHARE = Decimal("0.5")  # of a limit; below it a figure is not looked at


def read_rules(table: Table, accounts: Iterable[Account], operators: Collection[OperatorId]) -> dict[str, AlertRule]:
    """The rules that are told otherwise. What one does not say is as built in."""
    flattens = any(account.flatten_by_itself for account in accounts)
    found = {}
    tables = table.table("rules")
    for name, own in tables.tables().items():
        if name not in RULES:
            tables.wrong(name, f"there is no such rule; known: {', '.join(sorted(RULES))}")
        found[name] = _rule(own, rule_of(name, {}), operators, flattens=flattens)
    table.finish()
    return found


def _rule(table: Table, built_in: AlertRule, operators: Collection[OperatorId], *, flattens: bool) -> AlertRule:
    said: dict[str, Any] = {
        "warn": table.amount("warn"),
        "critical": table.amount("critical"),
        "clear": table.amount("clear"),
        "readings": table.count("readings", 1, "2"),
        "owner": table.text("owner", "risk", required=False),
        "escalate_minutes": table.count("escalate_minutes", 1, "5"),
    }
    rule = msgspec.structs.replace(built_in, **{key: value for key, value in said.items() if value is not None})
    if not LEAST_SHARE <= rule.clear <= rule.warn <= rule.critical:
        table.wrong(
            "clear",
            f"{LEAST_SHARE} <= clear <= warn <= critical must hold; here {rule.clear}, {rule.warn}, {rule.critical}",
        )
    if rule.readings > MOST_READINGS:
        table.wrong("readings", f"{rule.readings} looks would make it late; use at most {MOST_READINGS}")
    if rule.owner not in (*ROLES, *operators):
        table.wrong("owner", f"{shown(rule.owner)} is no role and no operator; use one of {', '.join(ROLES)}")
    action = table.text("action", "reduce-only", required=False)
    table.finish()
    if action is None:
        return rule
    if action not in ACTIONS:
        table.wrong("action", f"{shown(action)} is not known; use {', '.join(ACTIONS)}")
        return rule
    if action == HaltLevel.Flatten and not flattens:
        table.wrong(
            "action", "no account says flatten_by_itself = true; use cancel-all, or say so where it may be done"
        )
    return msgspec.structs.replace(rule, action=None if action == ALERT_ONLY else HaltLevel(action))
