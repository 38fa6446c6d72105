"""Whose limits hold for an account: its own, then those of its groups, then the desk's."""

import msgspec

from tradedesk.config import Settings
from tradedesk.domain.accounts import Account
from tradedesk.domain.limits import Limits, Totals, stacked
from tradedesk.risk.reservations import DESK

FILE = "desk.toml"


def scopes_of(account: Account, settings: Settings) -> list[tuple[str, Limits]]:
    """The scopes of one account with who says so, the most specific first; of several groups the one named first."""
    groups = [(f"groups.{name}", settings.groups[name].limits) for name in account.groups if name in settings.groups]
    return [
        (f"accounts.{account.id} in {FILE}", account.limits),
        *((f"{name} in {FILE}", limits) for name, limits in groups),
        (f"limits in {FILE}", settings.limits),
    ]


def with_limits(settings: Settings) -> Settings:
    """The settings with each account under all limits that hold for it."""
    accounts = {
        key: msgspec.structs.replace(account, limits=stacked(scopes_of(account, settings)))
        for key, account in settings.accounts.items()
    }
    return msgspec.structs.replace(settings, accounts=accounts)


def totals_of(settings: Settings) -> dict[str, tuple[Totals, str]]:
    """What groups and the desk may hold in sum, by the names of `Reservations`."""
    found = {
        f"group {name}": (group.totals, f"groups.{name}.totals in {FILE}") for name, group in settings.groups.items()
    }
    found[DESK] = (settings.totals, f"totals in {FILE}")
    return {scope: (totals, source) for scope, (totals, source) in found.items() if totals != Totals()}
