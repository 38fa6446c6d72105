"""What desk.toml says, as typed values."""

from collections.abc import Iterable

import msgspec
from msgspec import Struct

from tradedesk.domain.accounts import Account
from tradedesk.domain.words import AccountId, OperatorId, VenueId

ROLES = ("trader", "risk", "support")
EVERY_ACCOUNT = "*"  # in an operator's accounts


class ConfigError(Exception):
    """The settings cannot be used. `mistakes` are sentences, each with file, key and remedy."""

    def __init__(self, mistakes: Iterable[str]) -> None:
        self.mistakes = tuple(mistakes)
        super().__init__("\n".join(self.mistakes))


class DeskSettings(Struct, frozen=True, kw_only=True):
    name: str
    reporting_currency: str


class VenueSettings(Struct, frozen=True, kw_only=True):
    id: VenueId
    exchange: str  # ccxt's id
    url: str | None = None  # of a paper exchange or a test site; None: the venue's own
    egress: str | None = None  # source address of the public market data
    instruments: tuple[str, ...]  # symbols for people: BTC/USDT


class OperatorSettings(Struct, frozen=True, kw_only=True):
    name: OperatorId
    roles: tuple[str, ...]
    accounts: tuple[str, ...]  # account ids, or "*"
    uid: int | None = None


class Settings(Struct, frozen=True, kw_only=True):
    """All of desk.toml, checked: every name in it that points somewhere points at something."""

    desk: DeskSettings
    venues: dict[VenueId, VenueSettings] = msgspec.field(default_factory=dict)
    accounts: dict[AccountId, Account] = msgspec.field(default_factory=dict)
    operators: dict[OperatorId, OperatorSettings] = msgspec.field(default_factory=dict)
    keys: dict[str, str] = msgspec.field(default_factory=dict)  # action of the screen -> key
