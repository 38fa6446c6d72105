"""What may be done for a client and how its account must be set: [accounts.X.mandate] and [accounts.X.profile]."""

import re
from collections.abc import Iterable
from datetime import date

from tradedesk.config.tables import Table, nearest, shown
from tradedesk.domain.instruments import Product
from tradedesk.domain.mandate import Mandate
from tradedesk.domain.profile import ACCOUNT_MODES, MARGIN_MODES, POSITION_MODES, SELF_TRADE_MODES, Profile

_ASSET = re.compile(r"[A-Z0-9]{1,24}", re.ASCII)
_LEVERAGE = re.compile(r"[1-9][0-9]{0,2}", re.ASCII)
_MODES = {
    "account_mode": ACCOUNT_MODES,
    "position_mode": POSITION_MODES,
    "margin_mode": MARGIN_MODES,
    "self_trade": SELF_TRADE_MODES,
}


def read_mandate(account: Table) -> Mandate | None:
    """The mandate of an account; None where its table does not stand there."""
    table = account.table("mandate")
    if "mandate" not in account.names():
        return None
    version = table.count("version", 1, "1")
    if "version" not in table.names():
        table.wrong("version", "is missing; add e.g. version = 1")
    begins, ends = _day(table, "valid_from", required=True), _day(table, "valid_until", required=False)
    if begins is not None and ends is not None and ends < begins:
        table.wrong("valid_until", f"{ends} is before valid_from; name a later day")
    products = table.texts("products", '["spot"]')
    for product in products:
        if product not in tuple(Product):
            table.wrong("products", f"{shown(product)} is not known; {nearest(product, Product)}")
    restricted = table.texts("restricted", '["DOGE"]', required=False)
    for asset in restricted:
        if not _ASSET.fullmatch(asset):
            table.wrong("restricted", f"{shown(asset)} is no asset; name assets, not pairs, in capitals, e.g. DOGE")
    concentration = table.amount("max_concentration")
    if concentration is not None and not 0 < concentration <= 1:
        table.wrong("max_concentration", 'is a share of the equity, above 0 and at most 1; use e.g. "0.4"')
    cure_days = table.count("cure_days", 0, "5")
    found = Mandate(
        version=version or 1,
        valid_from=begins or date.min,
        valid_until=ends,
        products=tuple(Product(product) for product in products if product in tuple(Product)),
        restricted=restricted,
        max_concentration=concentration,
        cash_floor=table.amount("cash_floor"),
        may_short=table.flag("may_short"),
        close_only=table.flag("close_only"),
        **({} if cure_days is None else {"cure_days": cure_days}),
    )
    table.finish()
    return found


def read_profile(account: Table) -> Profile | None:
    """How the account must be set at its venue; None where its table does not stand there."""
    table = account.table("profile")
    if "profile" not in account.names():
        return None
    found = {name: _one_of(table, name, modes) for name, modes in _MODES.items()}
    leverage, trade_group = table.count("leverage", 1, "3"), table.count("trade_group", 0, "1012")
    if leverage is not None and not _LEVERAGE.fullmatch(str(leverage)):
        table.wrong("leverage", f"{leverage} is more than any venue gives; use e.g. 3")
    table.finish()
    return Profile(
        **found,
        leverage=None if leverage is None else str(leverage),
        trade_group=None if trade_group is None else str(trade_group),
    )


def _one_of(table: Table, key: str, known: Iterable[str]) -> str | None:
    words = tuple(known)
    word = table.text(key, words[0], required=False)
    if word is not None and word not in words:
        table.wrong(key, f"{shown(word)} is not known; {nearest(word, words)}")
        return None
    return word


def _day(table: Table, key: str, *, required: bool) -> date | None:
    text = table.text(key, "2026-11-01", required=required)
    if text is None:
        return None
    try:
        day = date.fromisoformat(text)
    except ValueError:
        day = None
    if day is None or day.isoformat() != text:  # Python reads weeks too
        table.wrong(key, f"{shown(text)} is no day; write it as year-month-day, e.g. 2026-11-01")
    return day
