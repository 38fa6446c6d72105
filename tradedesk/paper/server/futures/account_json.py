"""USD-M accounts, balances, positions, settings and income as the venue writes them in JSON, and their events."""

from collections.abc import Sequence

from tradedesk.paper.futures.contracts import Bracket
from tradedesk.paper.futures.rows import (
    AccountRow,
    AccountUpdate,
    AssetRow,
    ConfigChanged,
    IncomeRow,
    MarginCall,
    MarginRow,
    PositionRow,
    SymbolConfig,
)
from tradedesk.paper.server.futures.digits import Digits, entry, event_money, moment, money, plain
from tradedesk.paper.server.render import Json

# -- account and balance --------------------------------------------------------------------------------------------------


def _totals(row: AccountRow) -> Json:
    total = row.total
    return {
        "totalInitialMargin": money(total.initial_margin),
        "totalMaintMargin": money(total.maint_margin),
        "totalWalletBalance": money(total.wallet_balance),
        "totalUnrealizedProfit": money(total.unrealized_profit),
        "totalMarginBalance": money(total.margin_balance),
        "totalPositionInitialMargin": money(total.position_initial_margin),
        "totalOpenOrderInitialMargin": money(total.open_order_initial_margin),
        "totalCrossWalletBalance": money(total.cross_wallet_balance),
        "totalCrossUnPnl": money(total.cross_unrealized_profit),
        "availableBalance": money(total.available_balance),
        "maxWithdrawAmount": money(total.max_withdraw),
    }


def _asset(row: AssetRow, unit: int) -> Json:
    return {
        "asset": row.asset,
        "walletBalance": money(row.wallet_balance),
        "unrealizedProfit": money(row.unrealized_profit),
        "marginBalance": money(row.margin_balance),
        "maintMargin": money(row.maint_margin),
        "initialMargin": money(row.initial_margin),
        "positionInitialMargin": money(row.position_initial_margin),
        "openOrderInitialMargin": money(row.open_order_initial_margin),
        "crossWalletBalance": money(row.cross_wallet_balance),
        "crossUnPnl": money(row.cross_unrealized_profit),
        "availableBalance": money(row.available_balance),
        "maxWithdrawAmount": money(row.max_withdraw),
        "marginAvailable": True,
        "updateTime": moment(row.update_time, unit),
    }


def account_v2(row: AccountRow, digits: dict[str, Digits], unit: int) -> Json:
    """Every symbol, flat or not."""
    return {
        "feeTier": 0,
        "feeBurn": False,
        "canTrade": row.can_trade,
        "canDeposit": True,
        "canWithdraw": True,
        "updateTime": 0,
        "multiAssetsMargin": row.multi_assets,
        "tradeGroupId": -1,
        **_totals(row),
        "assets": [_asset(asset, unit) for asset in row.assets],
        "positions": [_account_position_v2(position, digits[position.symbol], unit) for position in row.positions],
    }


def _account_position_v2(row: PositionRow, digits: Digits, unit: int) -> Json:
    return {
        "symbol": row.symbol,
        "initialMargin": event_money(row.initial_margin),
        "maintMargin": event_money(row.maint_margin),
        "unrealizedProfit": money(row.unrealized_profit),
        "positionInitialMargin": event_money(row.position_initial_margin),
        "openOrderInitialMargin": event_money(row.open_order_initial_margin),
        "leverage": str(row.leverage),
        "isolated": row.margin_type == "ISOLATED",
        "entryPrice": entry(row.entry_price),
        "breakEvenPrice": entry(row.break_even_price),
        "maxNotional": plain(row.max_notional),
        "positionSide": row.position_side,
        "positionAmt": digits.quantity(row.amount),
        "notional": event_money(row.notional),
        "isolatedWallet": event_money(row.isolated_wallet),
        "updateTime": moment(row.update_time, unit),
        "bidNotional": event_money(row.bid_notional),
        "askNotional": event_money(row.ask_notional),
    }


def account_v3(row: AccountRow, digits: dict[str, Digits], unit: int) -> Json:
    """Only the positions that are, or may come of open orders."""
    return {
        **_totals(row),
        "assets": [
            {name: value for name, value in _asset(asset, unit).items() if name != "marginAvailable"}
            for asset in row.assets
        ],
        "positions": [
            {
                "symbol": position.symbol,
                "positionSide": position.position_side,
                "positionAmt": digits[position.symbol].quantity(position.amount),
                "unrealizedProfit": money(position.unrealized_profit),
                "isolatedMargin": money(position.isolated_margin),
                "notional": money(position.notional),
                "isolatedWallet": money(position.isolated_wallet),
                "initialMargin": money(position.initial_margin),
                "maintMargin": money(position.maint_margin),
                "updateTime": moment(position.update_time, unit),
            }
            for position in row.positions
            if is_used(position)
        ],
    }


def is_used(row: PositionRow) -> bool:
    return bool(row.amount or row.bid_notional or row.ask_notional or row.isolated_wallet)


def account_config(row: AccountRow, unit: int) -> Json:
    return {
        "feeTier": 0,
        "canTrade": row.can_trade,
        "canDeposit": True,
        "canWithdraw": True,
        "dualSidePosition": row.dual_side,
        "updateTime": moment(row.update_time, unit),
        "multiAssetsMargin": row.multi_assets,
        "tradeGroupId": -1,
    }


def balance(row: AssetRow, alias: str, unit: int) -> Json:
    return {
        "accountAlias": alias,
        "asset": row.asset,
        "balance": money(row.wallet_balance),
        "crossWalletBalance": money(row.cross_wallet_balance),
        "crossUnPnl": money(row.cross_unrealized_profit),
        "availableBalance": money(row.available_balance),
        "maxWithdrawAmount": money(row.max_withdraw),
        "marginAvailable": True,
        "updateTime": moment(row.update_time, unit),
    }


# -- positions ------------------------------------------------------------------------------------------------------------


def _margin_type(name: str) -> str:
    return "isolated" if name == "ISOLATED" else "cross"


def position_risk_v2(row: PositionRow, digits: Digits, unit: int) -> Json:
    return {
        "symbol": row.symbol,
        "positionAmt": digits.quantity(row.amount),
        "entryPrice": entry(row.entry_price),
        "breakEvenPrice": entry(row.break_even_price),
        "markPrice": money(row.mark_price),
        "unRealizedProfit": money(row.unrealized_profit),
        "liquidationPrice": event_money(row.liquidation_price),
        "leverage": str(row.leverage),
        "maxNotionalValue": plain(row.max_notional),
        "marginType": _margin_type(row.margin_type),
        "isolatedMargin": money(row.isolated_margin),
        "isAutoAddMargin": "false",
        "positionSide": row.position_side,
        "notional": event_money(row.notional),
        "isolatedWallet": event_money(row.isolated_wallet),
        "updateTime": moment(row.update_time, unit),
    }


def position_risk_v3(row: PositionRow, digits: Digits, unit: int) -> Json:
    return {
        "symbol": row.symbol,
        "positionSide": row.position_side,
        "positionAmt": digits.quantity(row.amount),
        "entryPrice": entry(row.entry_price),
        "breakEvenPrice": entry(row.break_even_price),
        "markPrice": money(row.mark_price),
        "unRealizedProfit": money(row.unrealized_profit),
        "liquidationPrice": event_money(row.liquidation_price),
        "isolatedMargin": event_money(row.isolated_margin),
        "notional": event_money(row.notional),
        "marginAsset": row.margin_asset,
        "isolatedWallet": event_money(row.isolated_wallet),
        "initialMargin": event_money(row.initial_margin),
        "maintMargin": event_money(row.maint_margin),
        "positionInitialMargin": event_money(row.position_initial_margin),
        "openOrderInitialMargin": event_money(row.open_order_initial_margin),
        "adl": row.adl,
        "bidNotional": event_money(row.bid_notional),
        "askNotional": event_money(row.ask_notional),
        "updateTime": moment(row.update_time, unit),
    }


def adl_quantile(symbol: str, rows: Sequence[PositionRow]) -> Json:
    """Of the positions of one symbol; hedge mode has no BOTH."""
    found = {row.position_side: row.adl for row in rows}
    last = {"HEDGE": 0} if "LONG" in found else {"BOTH": found.get("BOTH", 0)}
    return {"symbol": symbol, "adlQuantile": {"LONG": found.get("LONG", 0), "SHORT": found.get("SHORT", 0), **last}}


# -- settings and income --------------------------------------------------------------------------------------------------


def leverage_set(row: SymbolConfig) -> Json:
    return {"leverage": row.leverage, "maxNotionalValue": plain(row.max_notional), "symbol": row.symbol}


def symbol_config(row: SymbolConfig) -> Json:
    return {
        "symbol": row.symbol,
        "marginType": row.margin_type,
        "isAutoAddMargin": False,
        "leverage": row.leverage,
        "maxNotionalValue": plain(row.max_notional),
    }


def leverage_brackets(symbol: str, brackets: Sequence[Bracket]) -> Json:
    return {
        "symbol": symbol,
        "brackets": [
            {
                "bracket": row.number,
                "initialLeverage": row.max_leverage,
                "notionalCap": int(row.cap),
                "notionalFloor": int(row.floor),
                "maintMarginRatio": float(row.maint_ratio),
                "cum": float(row.cum),
            }
            for row in brackets
        ],
    }


def margin_change(row: MarginRow, unit: int) -> Json:
    return {
        "symbol": row.symbol,
        "type": 1 if row.is_add else 2,
        "deltaType": "USER_ADJUST",
        "amount": money(row.amount),
        "asset": row.asset,
        "time": row.time // unit,
        "positionSide": row.position_side,
    }


def income(row: IncomeRow, unit: int) -> Json:
    return {
        "symbol": row.symbol,
        "incomeType": row.type,
        "income": money(row.income),
        "asset": row.asset,
        "time": row.time // unit,
        "info": row.info,
        "tranId": row.tran_id,
        "tradeId": "" if row.trade_id is None else str(row.trade_id),
    }


# -- events of the user data stream ---------------------------------------------------------------------------------------


def account_update(event: AccountUpdate, digits: dict[str, Digits], unit: int) -> Json:
    return {
        "e": "ACCOUNT_UPDATE",
        "E": event.time // unit,
        "T": event.time // unit,
        "a": {
            "m": event.reason,
            "B": [
                {"a": row.asset, "wb": money(row.wallet), "cw": money(row.cross_wallet), "bc": event_money(row.change)}
                for row in event.balances
            ],
            "P": [
                {
                    "s": row.symbol,
                    "pa": digits[row.symbol].event_quantity(row.amount),
                    "ep": entry(row.entry_price),
                    "bep": entry(row.break_even_price),
                    "cr": event_money(row.accumulated_realized),
                    "up": event_money(row.unrealized),
                    "mt": _margin_type(row.margin_type),
                    "iw": event_money(row.isolated_wallet),
                    "ps": row.position_side,
                }
                for row in event.positions
            ],
        },
    }


def config_update(event: ConfigChanged, unit: int) -> Json:
    told: Json = {"e": "ACCOUNT_CONFIG_UPDATE", "E": event.time // unit, "T": event.time // unit}
    if event.symbol is not None:
        told["ac"] = {"s": event.symbol, "l": event.leverage}
    if event.multi_assets is not None:
        told["ai"] = {"j": event.multi_assets}
    return told


def margin_call(event: MarginCall, digits: dict[str, Digits], unit: int) -> Json:
    """`cw` only where the crossed wallet is what runs out."""
    wallet: Json = {} if event.cross_wallet is None else {"cw": money(event.cross_wallet)}
    return {
        "e": "MARGIN_CALL",
        "E": event.time // unit,
        **wallet,
        "p": [
            {
                "s": row.symbol,
                "ps": row.position_side,
                "pa": digits[row.symbol].event_quantity(row.amount),
                "mt": row.margin_type,
                "iw": event_money(row.isolated_wallet),
                "mp": money(row.mark),
                "up": money(row.unrealized),
                "mm": money(row.maint_margin),
            }
            for row in event.positions
        ],
    }
