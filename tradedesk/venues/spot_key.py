"""What Binance tells of the key that asks: the wallet's `apiRestrictions`, and the account's own flags.

Sources: wallet pages of the venue's API documentation (Get API Key Permission), 2026, and rest-api.md (account). The list
of addresses that a key is bound to is told to a master about its sub-accounts only, never to the key itself. Test sites
have no wallet: they answer 404 there, and then nothing is known of the key's rights.
"""

from collections.abc import Mapping
from typing import Any

from tradedesk.domain.keys import KeyReport, KeyRights
from tradedesk.venues.adapter import VenueFailed
from tradedesk.venues.ccxt_binance import GuardedBinance
from tradedesk.venues.pools import Priority
from tradedesk.venues.questions import NoAnswer, ask, told
from tradedesk.venues.spot import Unreadable, integer_field, row_of, time_field

_NO_SUCH_PAGE = 404


async def look_at_key(exchange: GuardedBinance, fingerprint: str) -> KeyReport:
    """What the key with this fingerprint, which is `exchange`'s, may do. Raises VenueFailed, or Unreadable."""
    account = row_of(await told(exchange, "privateGetAccount", {"omitZeroBalances": "true"}), "the account")
    rights: KeyRights | None = None
    answer, heard = await ask(exchange, "sapiGetAccountApiRestrictions", {}, Priority.Look)
    if not isinstance(answer, NoAnswer):
        rights = read_rights(answer)
    elif heard.status != _NO_SUCH_PAGE:
        raise VenueFailed(answer.cause, is_auth=heard.said is not None and heard.said.is_auth)
    return KeyReport(
        fingerprint=fingerprint,
        uid=str(integer_field(account, "uid")) if "uid" in account else None,
        can_account_trade=_flag(account, "canTrade"),
        rights=rights,
    )


def read_rights(answer: Any) -> KeyRights:
    """Raises Unreadable: a right that is not told in so many words is not taken for one that the key lacks."""
    row = row_of(answer, "apiRestrictions")
    ends = "tradingAuthorityExpirationTime"  # absent of a key that does not expire
    return KeyRights(
        can_read=_flag(row, "enableReading"),
        can_trade=_flag(row, "enableSpotAndMarginTrading"),
        can_withdraw=_flag(row, "enableWithdrawals"),
        can_transfer=_flag(row, "enableInternalTransfer") or _flag(row, "permitsUniversalTransfer"),
        is_address_bound=_flag(row, "ipRestrict"),
        expires_at=time_field(row, ends) if row.get(ends) is not None else None,
    )


def _flag(row: Mapping[str, Any], name: str) -> bool:
    value = row.get(name)
    if not isinstance(value, bool):
        raise Unreadable(f"{name} is missing or neither true nor false")
    return value
