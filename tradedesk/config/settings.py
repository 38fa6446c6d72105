"""What desk.toml says, as typed values."""

from collections.abc import Iterable

import msgspec
from msgspec import Struct

from tradedesk.domain.accounts import Account
from tradedesk.domain.alert_rules import AlertRule
from tradedesk.domain.limits import Limits, Totals
from tradedesk.domain.webhooks import Receiver
from tradedesk.domain.words import AccountId, OperatorId, VenueId

WATCHDOG_S = 15
ROLES = ("trader", "risk", "support")
EVERY_ACCOUNT = "*"  # in an operator's accounts
APPROVALS = ("rearm-breach", "raise-limits", "live")


class ConfigError(Exception):
    """The settings cannot be used. `mistakes` are sentences, each with file, key and remedy."""

    def __init__(self, mistakes: Iterable[str]) -> None:
        self.mistakes = tuple(mistakes)
        super().__init__("\n".join(self.mistakes))


class DeskSettings(Struct, frozen=True, kw_only=True):
    name: str
    reporting_currency: str
    approvals: tuple[str, ...] = ()  # what takes a second person: some of APPROVALS
    idle_lock_minutes: int = 0  # without a key, until a screen locks; 0: never
    exit_check: str | None = None  # URL that answers with the address it was asked from: exits are proved by it
    watchdog_seconds: int = (
        WATCHDOG_S  # without a sign of life, until `tradedesk watchdog` acts for the accounts that chose it
    )
    read_group: str | None = None  # the machine's group that may open the read socket; None: the desk's own user alone


class VenueSettings(Struct, frozen=True, kw_only=True):
    id: VenueId
    exchange: str  # ccxt's id
    url: str | None = None  # of a paper exchange or a test site; None: the venue's own
    egress: str | None = None  # exit of the public market data
    instruments: tuple[str, ...]  # symbols for people: BTC/USDT


class OperatorSettings(Struct, frozen=True, kw_only=True):
    name: OperatorId
    roles: tuple[str, ...]
    accounts: tuple[str, ...]  # account ids, or "*"
    sees: tuple[str, ...] | None = None  # likewise, whose stream they get; None: those of `accounts`
    uid: int | None = None


class GroupSettings(Struct, frozen=True, kw_only=True):
    """Of a group that accounts name: what each of them may do, and what all may do together."""

    limits: Limits = Limits()
    totals: Totals = Totals()


class Settings(Struct, frozen=True, kw_only=True):
    """All of desk.toml, checked: every name in it that points somewhere points at something."""

    desk: DeskSettings
    venues: dict[VenueId, VenueSettings] = msgspec.field(default_factory=dict)
    accounts: dict[AccountId, Account] = msgspec.field(default_factory=dict)
    limits: Limits = Limits()  # of every account, unless its group or its own say otherwise
    totals: Totals = Totals()  # what all accounts may do together
    groups: dict[str, GroupSettings] = msgspec.field(default_factory=dict)
    operators: dict[OperatorId, OperatorSettings] = msgspec.field(default_factory=dict)
    rules: dict[str, AlertRule] = msgspec.field(default_factory=dict)  # of the RiskMonitor, where it is told otherwise
    alerts: dict[str, Receiver] = msgspec.field(default_factory=dict)  # where alerts are sent
    keys: dict[str, str] = msgspec.field(default_factory=dict)  # action of the screen -> key
