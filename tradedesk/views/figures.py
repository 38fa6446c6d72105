"""Figures derived from a replica: P&L, equity, use of limits. Pure; money in quote or reporting currency, exact."""

from decimal import Decimal

from msgspec import Struct

from tradedesk.domain import positions
from tradedesk.domain.positions import Position
from tradedesk.domain.words import AccountId
from tradedesk.views.replica import Replica

ZERO = Decimal(0)


class PositionFigures(Struct, frozen=True, kw_only=True):
    position: Position
    mark: Decimal | None
    notional: Decimal | None  # |qty| at the mark, quote units
    unrealized: Decimal | None
    net: Decimal | None  # realised + unrealised - fees; None while one of them is not known


class AccountFigures(Struct, frozen=True, kw_only=True):
    """Sums over what is quoted in the reporting currency; `unvalued` names the assets that could not be."""

    account: AccountId
    equity: Decimal | None  # reporting currency, free and locked at the marks
    exposure: Decimal  # sum of |position| at the mark
    realized: Decimal
    unrealized: Decimal | None
    fees: Decimal
    income: Decimal  # interest, dividends and fees apart from trades, in the currency itself
    net: Decimal | None  # realised + unrealised - fees + income; deposits, withdrawals and transfers are no gain
    open_orders: int
    unvalued: tuple[str, ...]


def position_figures(replica: Replica, position: Position) -> PositionFigures:
    mark = replica.market(position.instrument).mark
    gain = positions.unrealized(position, mark)
    return PositionFigures(
        position=position,
        mark=mark,
        notional=None if mark is None else abs(position.qty) * mark,
        unrealized=gain,
        net=None if gain is None else position.realized + gain - position.fees,
    )


def account_figures(replica: Replica, account: AccountId, currency: str) -> AccountFigures:
    """One account's P&L and equity in `currency`, from its positions, balances and the present marks."""
    realized = fees = exposure = ZERO
    unrealized: Decimal | None = ZERO
    for (owner, instrument_id), position in replica.positions.items():
        instrument = replica.instruments.get(instrument_id)
        if owner != account or instrument is None or instrument.quote != currency:
            continue
        figures = position_figures(replica, position)
        realized += position.realized
        fees += position.fees
        exposure += figures.notional or ZERO
        if figures.unrealized is None or unrealized is None:
            unrealized = None
        else:
            unrealized += figures.unrealized
    income = replica.incomes.get(account, {}).get(currency, ZERO)  # in a base asset it stands in the position's value
    equity, unvalued = equity_of(replica, account, currency)
    return AccountFigures(
        account=account,
        equity=equity,
        exposure=exposure,
        realized=realized,
        unrealized=unrealized,
        fees=fees,
        income=income,
        net=None if unrealized is None else realized + unrealized - fees + income,
        open_orders=sum(1 for order in replica.orders.values() if order.account == account and not order.is_dead),
        unvalued=unvalued,
    )


def equity_of(replica: Replica, account: AccountId, currency: str) -> tuple[Decimal | None, tuple[str, ...]]:
    """What the account is worth at the marks; and the assets that have none, which are not counted."""
    row = replica.accounts.get(account)
    if row is None or not row.balances:
        return None, ()
    marks = {
        instrument.base: replica.market(instrument.id).mark
        for instrument in replica.instruments.values()
        if instrument.quote == currency and instrument.venue == row.account.venue
    }
    equity, unvalued = ZERO, []
    for asset, balance in row.balances.items():
        if not balance.total:
            continue
        price = Decimal(1) if asset == currency else marks.get(asset)
        if price is None:
            unvalued.append(asset)
        else:
            equity += balance.total * price
    return equity, tuple(unvalued)
