"""Risk alerts: one row per cause, counted, acknowledged by a person."""

from enum import StrEnum

from msgspec import Struct

from tradedesk.domain.words import AccountId


class Severity(StrEnum):
    Info = "info"
    Warning = "warning"
    Critical = "critical"


class Alert(Struct, frozen=True, kw_only=True):
    """One cause that a person should know of. The same `key` again raises the count, not a new row."""

    key: str  # e.g. drawdown:acme
    rule: str
    severity: Severity
    account: AccountId | None  # None: the desk, or a market
    text: str
    at: int  # ns, of the newest
