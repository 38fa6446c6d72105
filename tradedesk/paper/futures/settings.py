"""What a client sets: leverage, margin type, isolated margin, position mode; and transfers in and out of the wallet."""

from decimal import Decimal

from tradedesk.paper.futures.floor import Floor, count
from tradedesk.paper.futures.margin import exposure, initial, max_leverage, max_notional
from tradedesk.paper.futures.risk import held, position_initial, sums
from tradedesk.paper.futures.rows import ConfigChanged, MarginRow, SymbolConfig
from tradedesk.paper.futures.state import Account, Instrument
from tradedesk.paper.ledger import from_units, to_units
from tradedesk.paper.rows import Refusal


def config(account: Account, instrument: Instrument) -> SymbolConfig:
    settings = account.settings_of(instrument)
    return SymbolConfig(
        symbol=instrument.symbol,
        margin_type=settings.margin_type,
        leverage=settings.leverage,
        max_notional=max_notional(instrument.contract.brackets, settings.leverage),
    )


def set_leverage(floor: Floor, account: Account, instrument: Instrument, leverage: int) -> SymbolConfig:
    brackets = instrument.contract.brackets
    if not 1 <= leverage <= max_leverage(brackets):
        raise Refusal(-4028, f"Leverage {leverage} is not valid")
    settings = account.settings_of(instrument)
    more = 0  # initial margin that the new leverage asks for beyond the old
    for of, position in held(account, instrument.contract.margin_asset):
        if of is not instrument:
            continue
        size = exposure(instrument.value(position.lots), position.bids, position.asks)
        if from_units(size) > max_notional(brackets, leverage):
            raise Refusal(-2027, "Exceeded the maximum allowable position at current leverage.")
        if settings.isolated and position.lots and leverage < settings.leverage:
            raise Refusal(-4161, "Leverage reduction is not supported in Isolated Margin Mode with open positions.")
        more += initial(size, leverage) - initial(size, settings.leverage)
    if more > 0 and more > sums(account, instrument.contract.margin_asset).available:
        raise Refusal(-2028, "Leverage is smaller than permitted: insufficient margin balance")
    settings.leverage = leverage
    floor.events.append(
        ConfigChanged(account=account.name, time=floor.now, symbol=instrument.symbol, leverage=leverage)
    )
    return config(account, instrument)


def set_margin_type(account: Account, instrument: Instrument, margin_type: str) -> None:
    if margin_type not in ("CROSSED", "ISOLATED"):
        raise Refusal(-1130, "Data sent for parameter 'marginType' is not valid.")
    settings = account.settings_of(instrument)
    if settings.margin_type == margin_type:
        raise Refusal(-4046, "No need to change margin type.")
    if margin_type == "ISOLATED" and account.multi_assets:
        raise Refusal(-4168, "Unable to adjust to isolated-margin mode under the Multi-Assets mode.")
    if any(o.instrument is instrument for o in account.open.values()) or any(
        a.instrument is instrument for a in account.open_algos.values()
    ):
        raise Refusal(-4047, "Margin type cannot be changed if there exists open orders.")
    if any(i is instrument and p.lots for i, p in account.positions.values()):
        raise Refusal(-4048, "Margin type cannot be changed if there exists position.")
    settings.isolated = margin_type == "ISOLATED"


def change_margin(
    floor: Floor, account: Account, instrument: Instrument, amount: Decimal, *, add: bool, position_side: str
) -> None:
    units = to_units(amount)
    if units is None:
        raise Refusal(-1111, "Precision is over the maximum defined for this asset.")
    if units <= 0:
        raise Refusal(-4055, "Amount must be positive.")
    if account.dual_side == (position_side == "BOTH"):
        raise Refusal(-4061, "Order's position side does not match user's setting.")
    if position_side not in ("BOTH", "LONG", "SHORT"):
        raise Refusal(-4060, "Invalid position side.")
    if not account.settings_of(instrument).isolated:
        raise Refusal(-4049, "Add margin only support for isolated position.")
    position = account.position(instrument, position_side)
    if not position.lots:
        raise Refusal(-4054, "Cannot add position margin: position is 0.")
    asset = instrument.contract.margin_asset
    if add:
        if units > sums(account, asset).available:
            raise Refusal(-4050, "Cross balance insufficient.")
        position.isolated += units
    else:
        spare = position.isolated + min(0, instrument.unrealized(position))
        if units > spare - position_initial(account, instrument, position):
            raise Refusal(-4051, "Isolated balance insufficient.")
        position.isolated -= units
    position.update_time = floor.now
    account.margin_changes.append(
        MarginRow(
            symbol=instrument.symbol,
            asset=asset,
            amount=amount,
            is_add=add,
            position_side=position_side,
            time=floor.now,
        )
    )
    floor.account_changed(account, "MARGIN_TRANSFER", (asset,), ((instrument, position),))


def set_dual_side(account: Account, dual: bool) -> None:
    if account.dual_side == dual:
        raise Refusal(-4059, "No need to change position side.")
    if account.open or account.open_algos:
        raise Refusal(-4067, "Position side cannot be changed if there exists open orders.")
    if any(p.lots for _, p in account.positions.values()):
        raise Refusal(-4068, "Position side cannot be changed if there exists position.")
    account.dual_side = dual


def set_multi_assets(floor: Floor, account: Account, multi_assets: bool) -> None:
    if account.multi_assets == multi_assets:
        raise Refusal(-4171, "No need to change Multi-Assets mode.")
    if multi_assets and any(s.isolated for s in account.settings.values()):
        raise Refusal(
            -4167, "Unable to adjust to Multi-Assets mode with symbols of USD-M Futures under isolated-margin mode."
        )
    account.multi_assets = multi_assets
    floor.events.append(ConfigChanged(account=account.name, time=floor.now, multi_assets=multi_assets))


def transfer(floor: Floor, account: Account, asset: str, amount: Decimal, reason: str | None) -> int:
    units = to_units(amount)
    if units is None:
        raise Refusal(-1111, "Precision is over the maximum defined for this asset.")
    if not units:
        raise Refusal(-4055, "Amount must be positive.")
    if units < 0 and -units > sums(account, asset).withdrawable:
        raise Refusal(-2018, "Balance is insufficient.")
    count(floor.deposited, asset, units)
    tran_id = floor.earn(account, asset, units, "TRANSFER", info=reason or ("DEPOSIT" if units > 0 else "WITHDRAW"))
    floor.account_changed(account, reason or ("DEPOSIT" if units > 0 else "WITHDRAW"), (asset,), change=units)
    return tran_id
