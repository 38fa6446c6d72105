"""API keys as a venue tells of them: what one may do, until when, from where; and an operator's yes to what is refused."""

from msgspec import Struct

from tradedesk.domain.alerts import Severity
from tradedesk.domain.words import OperatorId

FINGERPRINT_DIGITS = 12  # of a key's fingerprint, in each order and report: enough to tell keys apart
DAY_NS = 86_400 * 10**9
EXPIRY_STAGES = ((1, Severity.Critical), (7, Severity.Warning), (30, Severity.Info))  # days left at most, and how bad


class KeyRights(Struct, frozen=True, kw_only=True):
    """What the venue says that a key may do."""

    can_read: bool
    can_trade: bool  # spot; false as well once its right to trade has expired
    can_withdraw: bool
    can_transfer: bool  # between wallets, or between a master and its sub-accounts
    is_address_bound: bool  # usable from the addresses on its list only
    addresses: tuple[str, ...] | None = None  # that list; None: the venue does not tell it
    expires_at: int | None = None  # venue clock, ns: when it may trade no longer; None: it does not expire


class KeyReport(Struct, frozen=True, kw_only=True):
    """One look at the key of an account. What is None was not told: it is unknown, and never taken for well."""

    fingerprint: str  # of the key that signed the questions, FINGERPRINT_DIGITS of it
    uid: str | None = None  # the venue's number of the account
    can_account_trade: bool | None = None  # whether the venue lets the account trade at all, whatever its key may do
    rights: KeyRights | None = None


class AcceptedRisk(Struct, frozen=True, kw_only=True):
    """An operator's recorded yes to a key that could move money; good for this very key alone."""

    fingerprint: str
    by: OperatorId
    reason: str
    at: int  # ns


def expiry_stage(expires_at: int, now: int) -> tuple[int, Severity] | None:
    """The days of the stage that `expires_at` (ns) has come to, 0 once it is over, and how bad that is; None before."""
    if now >= expires_at:
        return 0, Severity.Critical
    for days, severity in EXPIRY_STAGES:
        if expires_at - now <= days * DAY_NS:
            return days, severity
    return None
