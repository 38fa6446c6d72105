"""Where an account is beyond its mandate without an order of ours: a price moved, money came or left, a day passed. Pure."""

from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal

from msgspec import Struct

from tradedesk.domain.mandate import Mandate, day_of, lapse
from tradedesk.domain.money import plain
from tradedesk.domain.positions import Balance
from tradedesk.views.figures import equity_of
from tradedesk.views.replica import AccountRow, Replica

NOTHING = Balance(asset="", free=Decimal(0), locked=Decimal(0))


class Breach(Struct, frozen=True, kw_only=True):
    """One way in which the account is beyond its mandate now."""

    key: str  # of its alert, the same as long as it is the same breach
    text: str
    cure_by: date | None  # the last day, UTC, to put it right; None: no trade could
    is_overdue: bool
    value: Decimal | None = None
    limit: Decimal | None = None


def breaches(replica: Replica, row: AccountRow, currency: str, now: int) -> list[Breach]:
    """All of them, each with the day by which it is to be cured: so many days after it was first alerted."""
    mandate, account = row.account.mandate, row.account.id
    if mandate is None:
        return []
    found: list[Breach] = []
    why = lapse(mandate, row.mandate, now)
    if why:
        text = f"{why}: only what reduces may go (tradedesk mandate show --account {account})"
        found.append(Breach(key=f"mandate:{account}", text=text, cure_by=None, is_overdue=False))
    for what, text, value, limit in _figures(replica, row, mandate, currency):
        key = f"mandate-{what}:{account}"
        cure_by = _since(replica, key, now) + timedelta(days=mandate.cure_days)
        is_overdue = day_of(now) > cure_by
        remedy = f"it was to be cured by {cure_by}" if is_overdue else f"to be cured by {cure_by}"
        found.append(
            Breach(key=key, text=f"{text}; {remedy}", cure_by=cure_by, is_overdue=is_overdue, value=value, limit=limit)
        )
    return found


def _since(replica: Replica, key: str, now: int) -> date:
    """The day of the breach, as its alert has it: that is recorded, and so outlives the desk."""
    alert = replica.alerts.get(key)
    return day_of(alert.first_at if alert is not None and alert.is_active else now)


def _figures(
    replica: Replica, row: AccountRow, mandate: Mandate, currency: str
) -> Iterator[tuple[str, str, Decimal | None, Decimal | None]]:
    """(what, in words, the figure, what it may be), of each breach."""
    account = row.account.id
    for instrument in replica.instruments.values():
        position = replica.positions.get((account, instrument.id))
        if position is None or not position.qty:
            continue
        if position.qty < 0 and not mandate.may_short:
            text = f"{plain(position.qty)} {instrument.base} is short, and the mandate lets nothing be sold short"
            yield f"short-{instrument.base}", text, position.qty, Decimal(0)
        if instrument.product not in mandate.products:
            text = f"it holds {instrument.symbol}, a {instrument.product}, which the mandate does not let it have"
            yield f"products-{instrument.venue_symbol}", text, position.qty, None
    for asset in mandate.restricted:
        held = row.balances.get(asset, NOTHING).total
        if held > 0:
            yield f"restricted-{asset}", f"it holds {plain(held)} {asset}, which the mandate restricts", held, None
    if mandate.max_concentration is not None:
        yield from _concentration(replica, row, mandate.max_concentration, currency)
    cash = row.balances.get(currency, NOTHING).free
    if mandate.cash_floor is not None and row.is_opened and cash < mandate.cash_floor:
        text = f"{cash:.2f} {currency} is free, and the mandate keeps {plain(mandate.cash_floor)}"
        yield "cash", text, cash, mandate.cash_floor


def _concentration(
    replica: Replica, row: AccountRow, most: Decimal, currency: str
) -> Iterator[tuple[str, str, Decimal | None, Decimal | None]]:
    equity, _ = equity_of(replica, row.account.id, currency)
    if equity is None or equity <= 0:
        return
    marks = {
        instrument.base: replica.market(instrument.id).mark
        for instrument in replica.instruments.values()
        if instrument.quote == currency and instrument.venue == row.account.venue
    }
    for asset, balance in row.balances.items():
        price = marks.get(asset)
        if asset == currency or price is None:
            continue
        share = balance.total * price / equity
        if share > most:
            text = f"{asset} is {share:.1%} of the equity, and the mandate lets it be {most:.1%} at most"
            yield f"concentration-{asset}", text, share, most
