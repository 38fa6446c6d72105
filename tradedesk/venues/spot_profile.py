"""How a Binance spot account is set, as far as spot accounts have settings at all.

Source: rest-api.md and filters.md of the venue's documentation of spot (GET account, GET exchangeInfo, the FAQ on
self-trade prevention), 2026. What there is on spot:

- the kind of the account: `accountType`, SPOT for whatever trades here;
- self-trade prevention: no setting of the account but of each order; one that names none, as ours, gets the
  `defaultSelfTradePreventionMode` of its symbol. `requireSelfTradePrevention` of the account is told as it is;
- the group of accounts whose orders are kept apart likewise: `tradeGroupId`, absent of an account that is in none.

What there is not: a position mode, a margin mode and leverage. A spot account holds what it has bought, in one position
by asset, and owes nothing; those settings belong to margin and futures accounts.
"""

import re
from collections.abc import Iterable
from typing import Any

from tradedesk.domain.instruments import Instrument
from tradedesk.domain.profile import SeenProfile, Setting
from tradedesk.venues.spot import row_of

ABSENT = ("position_mode", "margin_mode", "leverage")
_WORD = re.compile(r"[A-Z_]{1,32}", re.ASCII)


def read_profile(answer: Any, instruments: Iterable[Instrument]) -> SeenProfile:
    """GET /api/v3/account, with the instruments as last loaded. What is not there, or is no word, is not told."""
    row = row_of(answer, "the account")
    settings: list[Setting] = []
    kind = row.get("accountType")
    if isinstance(kind, str) and _WORD.fullmatch(kind):
        settings.append(Setting(name="account_mode", value=kind.lower().replace("_", "-")))
    if row.get("requireSelfTradePrevention") is True:
        settings.append(Setting(name="self_trade_required", value="yes"))
    group = row.get("tradeGroupId")
    if type(group) is int and group >= 0:
        settings.append(Setting(name="trade_group", value=str(group)))
    settings += [
        Setting(name="self_trade", value=instrument.self_trade, of=instrument.symbol)
        for instrument in instruments
        if instrument.self_trade
    ]
    return SeenProfile(settings=tuple(settings), absent=ABSENT)
