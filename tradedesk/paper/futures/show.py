"""An account as its client sees it: assets and positions with their margins, at the marks of now."""

from decimal import Decimal

from tradedesk.paper.futures.floor import Floor
from tradedesk.paper.futures.margin import liquidation_price, max_notional
from tradedesk.paper.futures.positions import Position
from tradedesk.paper.futures.risk import Sums, held, maint_of, order_initial, position_initial, sums
from tradedesk.paper.futures.rows import AccountRow, AssetRow, PositionRow
from tradedesk.paper.futures.state import Account, Instrument
from tradedesk.paper.ledger import from_units


def asset_row(account: Account, asset: str) -> AssetRow:
    return _asset(asset, sums(account, asset), account.update_time)


def _asset(asset: str, total: Sums, update_time: int) -> AssetRow:
    return AssetRow(
        asset=asset,
        wallet_balance=from_units(total.wallet),
        cross_wallet_balance=from_units(total.cross_wallet),
        unrealized_profit=from_units(total.unrealized),
        cross_unrealized_profit=from_units(total.cross_unrealized),
        margin_balance=from_units(total.wallet + total.unrealized),
        maint_margin=from_units(total.maint),
        initial_margin=from_units(total.position_initial + total.order_initial),
        position_initial_margin=from_units(total.position_initial),
        open_order_initial_margin=from_units(total.order_initial),
        available_balance=from_units(max(0, total.available)),
        max_withdraw=from_units(total.withdrawable),
        update_time=update_time,
    )


def asset_rows(floor: Floor, account: Account) -> list[AssetRow]:
    """Those it ever held, and the margin assets of the contracts."""
    names = dict.fromkeys([*account.wallets, *(i.contract.margin_asset for i in floor.instruments.values())])
    return [asset_row(account, asset) for asset in names]


def account_row(floor: Floor, account: Account) -> AccountRow:
    margin_assets = dict.fromkeys(i.contract.margin_asset for i in floor.instruments.values())
    main = next(iter(margin_assets), "USDT")
    return AccountRow(
        account=account.name,
        maker=account.spec.maker,
        taker=account.spec.taker,
        can_trade=account.spec.can_trade,
        multi_assets=account.multi_assets,
        dual_side=account.dual_side,
        assets=tuple(asset_rows(floor, account)),
        positions=tuple(row for i in floor.instruments.values() for row in position_rows(account, i)),
        total=asset_row(account, main),
        update_time=account.update_time,
    )


def position_rows(account: Account, instrument: Instrument) -> list[PositionRow]:
    return [_position(account, instrument, account.position(instrument, side)) for side in account.sides()]


def _position(account: Account, instrument: Instrument, position: Position) -> PositionRow:
    settings, lot = account.settings_of(instrument), instrument.spec.lot
    unrealized = instrument.unrealized(position)
    needs, orders = position_initial(account, instrument, position), order_initial(account, instrument, position)
    return PositionRow(
        symbol=instrument.symbol,
        position_side=position.side,
        amount=position.lots * lot,
        entry_price=position.entry_price(lot),
        break_even_price=position.break_even_price(lot),
        mark_price=from_units(instrument.marks.mark),
        unrealized_profit=from_units(unrealized),
        liquidation_price=_liquidation(account, instrument, position),
        leverage=settings.leverage,
        max_notional=max_notional(instrument.contract.brackets, settings.leverage),
        margin_type=settings.margin_type,
        isolated_margin=from_units(position.isolated + unrealized if settings.isolated and position.lots else 0),
        isolated_wallet=from_units(position.isolated),
        notional=from_units(instrument.value(position.lots)),
        initial_margin=from_units(needs + orders),
        position_initial_margin=from_units(needs),
        open_order_initial_margin=from_units(orders),
        maint_margin=from_units(maint_of(instrument, position)),
        margin_asset=instrument.contract.margin_asset,
        adl=0,
        bid_notional=from_units(position.bids),
        ask_notional=from_units(position.asks),
        update_time=position.update_time,
    )


def _liquidation(account: Account, instrument: Instrument, position: Position) -> Decimal:
    if not position.lots:
        return Decimal(0)
    lot, brackets = instrument.spec.lot, instrument.contract.brackets
    mark = from_units(instrument.marks.mark)
    if account.settings_of(instrument).isolated:
        legs = [(position.lots * lot, from_units(position.cost))]
        return liquidation_price(brackets, legs, cushion=from_units(position.isolated), mark=mark)
    asset = instrument.contract.margin_asset
    cushion, legs = account.cross_wallet(asset), []
    for of, other in held(account, asset):
        if of is instrument and other.lots:
            legs.append((other.lots * lot, from_units(other.cost)))
        elif not account.settings_of(of).isolated:
            cushion += of.unrealized(other) - maint_of(of, other)
    return liquidation_price(brackets, legs, cushion=from_units(cushion), mark=mark)
