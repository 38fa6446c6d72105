"""Margin calls and liquidation: looked at after every mark price. Whole positions are closed, cross ones together.

The venue closes large positions by steps and hands what the book will not take to auto-deleveraging; here the rest is tried
again at the next mark price. A liquidation pays no commission but the clearance fee, as far as its margin reaches; what is
missing the insurance fund pays.
"""

from decimal import Decimal

from tradedesk.paper.futures.floor import Floor, count
from tradedesk.paper.futures.positions import Position
from tradedesk.paper.futures.risk import maint_of, sums
from tradedesk.paper.futures.rows import AlgoStatus, ForceOrder, MarginCall, MarginCallPosition, NewOrder, Type
from tradedesk.paper.futures.state import Account, Instrument
from tradedesk.paper.futures.trading import LIQUIDATED, end_algo, enter, expire
from tradedesk.paper.futures.vetting import Ready, market_bound
from tradedesk.paper.ledger import PER_ONE, from_units, to_units

CALL_AT = 80  # percent of the margin balance that maintenance takes up
Held = list[tuple[Instrument, Position]]


def look(floor: Floor) -> None:
    for account in floor.accounts.values():
        look_at(floor, account)


def look_at(floor: Floor, account: Account) -> None:
    """Call for margin or liquidate, isolated positions each for itself, cross ones per margin asset."""
    cross: dict[str, Held] = {}
    for instrument, position in list(account.positions.values()):
        if not position.lots:
            continue
        if not account.settings_of(instrument).isolated:
            cross.setdefault(instrument.contract.margin_asset, []).append((instrument, position))
            continue
        balance = position.isolated + instrument.unrealized(position)
        keep = maint_of(instrument, position)
        if balance <= keep:
            liquidate(floor, account, [(instrument, position)])
        else:
            warn(floor, account, f"{instrument.symbol} {position.side}", None, balance, keep, [(instrument, position)])
    for asset, positions in cross.items():
        total = sums(account, asset)
        balance = total.cross_wallet + total.cross_unrealized
        if balance <= total.cross_maint:
            liquidate(floor, account, positions)
        else:
            warn(floor, account, asset, from_units(total.cross_wallet), balance, total.cross_maint, positions)
    for asset in list(account.wallets):
        if asset not in cross or not any(p.lots for _, p in cross[asset]):
            make_good(floor, account, asset)


def warn(
    floor: Floor, account: Account, key: str, wallet: Decimal | None, balance: int, keep: int, positions: Held
) -> None:
    """A margin call when the ratio passes the line; again only after it was below."""
    if keep * 100 < balance * CALL_AT:
        account.warned.discard(key)
        return
    if key in account.warned:
        return
    account.warned.add(key)
    floor.events.append(
        MarginCall(
            account=account.name,
            cross_wallet=wallet,
            positions=tuple(
                MarginCallPosition(
                    symbol=instrument.symbol,
                    position_side=position.side,
                    amount=position.lots * instrument.spec.lot,
                    margin_type=account.settings_of(instrument).margin_type,
                    isolated_wallet=from_units(position.isolated),
                    mark=from_units(instrument.marks.mark),
                    unrealized=from_units(instrument.unrealized(position)),
                    maint_margin=from_units(maint_of(instrument, position)),
                )
                for instrument, position in positions
            ),
            time=floor.now,
        )
    )


def liquidate(floor: Floor, account: Account, positions: Held) -> None:
    """Open orders end first, then each position is closed."""
    touched = {instrument.symbol for instrument, _ in positions}
    for order in [o for o in account.open.values() if o.instrument.symbol in touched]:
        expire(floor, order, LIQUIDATED)
    for algo in [a for a in account.open_algos.values() if a.instrument.symbol in touched]:
        end_algo(floor, algo, AlgoStatus.EXPIRED)
    for instrument, position in positions:
        if position.lots:
            close(floor, account, instrument, position)


def close(floor: Floor, account: Account, instrument: Instrument, position: Position) -> None:
    """One IOC over the whole position, down to the bound of market orders; no order while nothing stands there."""
    is_buy = position.lots < 0
    limit = market_bound(instrument, is_buy)
    if limit is None or instrument.book.front(is_buy, limit) is None:
        return
    lots, margin, realized = abs(position.lots), position.isolated, position.realized
    new = NewOrder(
        symbol=instrument.symbol,
        side="BUY" if is_buy else "SELL",
        type=Type.LIMIT,
        time_in_force="IOC",
        quantity=lots * instrument.spec.lot,
        price=limit * instrument.spec.tick,
        position_side=position.side,
        client_order_id=f"autoclose-{floor.now // 1_000_000}{floor.next_order_id:d}"[:36],
    )
    order = enter(floor, account, new, Ready(instrument, limit, lots, None), forced=True)
    if not order.filled:
        return
    forced = ForceOrder(
        account=account.name,
        symbol=instrument.symbol,
        order=order.row(),
        last_filled=account.trades[instrument.symbol][-1].quantity,
        time=floor.now,
    )
    floor.forced.append(forced)
    floor.events.append(forced)
    fee = order.quote * instrument.grid.tick_lot * (to_units(instrument.contract.liquidation_fee) or 0) // PER_ONE
    if account.settings_of(instrument).isolated:
        left = margin - position.isolated + position.realized - realized  # of the margin that was freed
    else:
        total = sums(account, instrument.contract.margin_asset)
        left = max(0, total.cross_wallet + total.cross_unrealized)  # its deficit is made good once all is flat
    clear(floor, account, instrument.contract.margin_asset, -left if left < 0 else -min(fee, left), instrument.symbol)


def make_good(floor: Floor, account: Account, asset: str) -> None:
    """A cross wallet below 0 with nothing left that could fill it."""
    wallet = account.cross_wallet(asset)
    if wallet < 0:
        clear(floor, account, asset, -wallet, "")


def clear(floor: Floor, account: Account, asset: str, units: int, symbol: str) -> None:
    """The insurance fund pays `units` to the account, or takes them below 0."""
    if not units:
        return
    count(floor.insurance, asset, -units)
    floor.earn(account, asset, units, "INSURANCE_CLEAR", symbol=symbol)
    floor.account_changed(account, "INSURANCE_CLEAR", (asset,), change=units)
