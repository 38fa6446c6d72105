"""Rows of the exchange as the venue writes them in JSON: numbers as strings with 8 decimals, times in the client's unit.

`unit` is always ns per tick of the client's time: 1_000_000 for milliseconds, 1_000 for microseconds.
"""

from collections.abc import Sequence
from decimal import Decimal

from tradedesk.paper.rows import (
    AccountChanged,
    AccountSpec,
    AggTrade,
    BookDelta,
    BookTicker,
    Cancelled,
    CancelReplaced,
    Depth,
    Execution,
    Kline,
    OrderRow,
    Print,
    Refusal,
    Spec,
    Status,
    Ticker24h,
    TradeRow,
)

MILLISECOND = 1_000_000
MICROSECOND = 1_000

Json = dict[str, object]
ZERO = "0.00000000"


def number(value: Decimal) -> str:
    return f"{value:.8f}"


def _or_zero(value: Decimal | None) -> str:
    return ZERO if value is None else number(value)


# -- instruments ----------------------------------------------------------------------------------------------------------


def exchange_info(specs: Sequence[Spec], rate_limits: list[Json], now: int, unit: int) -> Json:
    return {
        "timezone": "UTC",
        "serverTime": now // unit,
        "rateLimits": rate_limits,
        "exchangeFilters": [],
        "symbols": [_symbol(spec) for spec in specs],
    }


def _symbol(spec: Spec) -> Json:
    return {
        "symbol": spec.symbol,
        "status": spec.status,
        "baseAsset": spec.base,
        "baseAssetPrecision": 8,
        "quoteAsset": spec.quote,
        "quotePrecision": 8,
        "quoteAssetPrecision": 8,
        "baseCommissionPrecision": 8,
        "quoteCommissionPrecision": 8,
        "orderTypes": ["LIMIT", "LIMIT_MAKER", "MARKET"],
        "icebergAllowed": False,
        "ocoAllowed": False,
        "otoAllowed": False,
        "opoAllowed": False,
        "quoteOrderQtyMarketAllowed": True,
        "allowTrailingStop": False,
        "cancelReplaceAllowed": True,
        "amendAllowed": False,
        "pegInstructionsAllowed": False,
        "isSpotTradingAllowed": True,
        "isMarginTradingAllowed": False,
        "filters": [
            {
                "filterType": "PRICE_FILTER",
                "minPrice": number(spec.min_price),
                "maxPrice": number(spec.max_price),
                "tickSize": number(spec.tick),
            },
            {
                "filterType": "LOT_SIZE",
                "minQty": number(spec.min_qty),
                "maxQty": number(spec.max_qty),
                "stepSize": number(spec.lot),
            },
            {
                "filterType": "MARKET_LOT_SIZE",
                "minQty": ZERO,
                "maxQty": number(spec.max_market_qty),
                "stepSize": ZERO,
            },
            {
                "filterType": "PERCENT_PRICE_BY_SIDE",
                "bidMultiplierUp": str(spec.bid_multiplier_up),
                "bidMultiplierDown": str(spec.bid_multiplier_down),
                "askMultiplierUp": str(spec.ask_multiplier_up),
                "askMultiplierDown": str(spec.ask_multiplier_down),
                "avgPriceMins": 5,
            },
            {
                "filterType": "NOTIONAL",
                "minNotional": number(spec.min_notional),
                "applyMinToMarket": True,
                "maxNotional": number(spec.max_notional),
                "applyMaxToMarket": False,
                "avgPriceMins": 5,
            },
            {"filterType": "MAX_NUM_ORDERS", "maxNumOrders": spec.max_orders},
        ],
        "permissions": [],
        "permissionSets": [["SPOT"]],
        "defaultSelfTradePreventionMode": "NONE",
        "allowedSelfTradePreventionModes": ["NONE"],
    }


# -- market data ----------------------------------------------------------------------------------------------------------


def levels(side: Sequence[tuple[Decimal, Decimal]]) -> list[tuple[str, str]]:
    return [(number(price), number(quantity)) for price, quantity in side]


def depth(book: Depth) -> Json:
    return {"lastUpdateId": book.last_update_id, "bids": levels(book.bids), "asks": levels(book.asks)}


def trade(row: Print, unit: int) -> Json:
    return {
        "id": row.trade_id,
        "price": number(row.price),
        "qty": number(row.quantity),
        "quoteQty": number(row.price * row.quantity),
        "time": row.time // unit,
        "isBuyerMaker": row.buyer_is_maker,
        "isBestMatch": True,
    }


def agg_trade(row: AggTrade, unit: int) -> Json:
    return {
        "a": row.agg_id,
        "p": number(row.price),
        "q": number(row.quantity),
        "f": row.first_id,
        "l": row.last_id,
        "T": row.time // unit,
        "m": row.buyer_is_maker,
        "M": True,
    }


def kline(row: Kline, unit: int) -> list[object]:
    return [
        row.open_time // unit,
        number(row.open),
        number(row.high),
        number(row.low),
        number(row.close),
        number(row.volume),
        row.close_time // unit,
        number(row.quote_volume),
        row.trades,
        number(row.taker_base),
        number(row.taker_quote),
        "0",
    ]


def book_ticker(row: BookTicker) -> Json:
    return {
        "symbol": row.symbol,
        "bidPrice": _or_zero(row.bid),
        "bidQty": _or_zero(row.bid_qty),
        "askPrice": _or_zero(row.ask),
        "askQty": _or_zero(row.ask_qty),
    }


def ticker(row: Ticker24h, best: BookTicker, unit: int) -> Json:
    return {
        "symbol": row.symbol,
        "priceChange": number(row.last - row.open),
        "priceChangePercent": _percent(row),
        "weightedAvgPrice": number(row.weighted_avg),
        "prevClosePrice": number(row.open),
        "lastPrice": number(row.last),
        "lastQty": number(row.last_qty),
        "bidPrice": _or_zero(best.bid),
        "bidQty": _or_zero(best.bid_qty),
        "askPrice": _or_zero(best.ask),
        "askQty": _or_zero(best.ask_qty),
        "openPrice": number(row.open),
        "highPrice": number(row.high),
        "lowPrice": number(row.low),
        "volume": number(row.volume),
        "quoteVolume": number(row.quote_volume),
        "openTime": row.open_time // unit,
        "closeTime": row.close_time // unit,
        "firstId": row.first_id,
        "lastId": row.last_id,
        "count": row.count,
    }


MINI_TICKER = (
    "symbol", "openPrice", "highPrice", "lowPrice", "lastPrice", "volume", "quoteVolume", "openTime", "closeTime", "firstId",
    "lastId", "count",
)  # fmt: skip


def _percent(row: Ticker24h) -> str:
    return f"{(row.last - row.open) / row.open * 100:.3f}" if row.open else "0.000"


# -- orders ---------------------------------------------------------------------------------------------------------------


def _order_body(row: OrderRow) -> Json:
    return {
        "price": number(row.price),
        "origQty": number(row.orig_qty),
        "executedQty": number(row.executed_qty),
        "origQuoteOrderQty": number(row.orig_quote_qty),
        "cummulativeQuoteQty": number(row.cumulative_quote),
        "status": row.status,
        "timeInForce": row.time_in_force,
        "type": row.kind,
        "side": row.side,
    }


def order(row: OrderRow, unit: int) -> Json:
    """As queries show it."""
    return {
        "symbol": row.symbol,
        "orderId": row.order_id,
        "orderListId": -1,
        "clientOrderId": row.client_order_id,
        **_order_body(row),
        "stopPrice": ZERO,
        "icebergQty": ZERO,
        "time": row.time // unit,
        "updateTime": row.update_time // unit,
        "isWorking": True,  # true for whatever was not held back, as at the venue, finished orders included
        "workingTime": _working(row, unit),
        "selfTradePreventionMode": row.stp_mode,
    }


def _working(row: OrderRow, unit: int) -> int:
    return -1 if row.working_time < 0 else row.working_time // unit


def placed(row: OrderRow, kind: str, unit: int) -> Json:
    """The answer to a new order; `kind` is ACK, RESULT or FULL."""
    answer: Json = {
        "symbol": row.symbol,
        "orderId": row.order_id,
        "orderListId": -1,
        "clientOrderId": row.client_order_id,
        "transactTime": row.update_time // unit,
    }
    if kind != "ACK":
        answer |= _order_body(row)
        answer["workingTime"] = _working(row, unit)
        if kind == "FULL":
            answer["fills"] = [
                {
                    "price": number(fill.price),
                    "qty": number(fill.quantity),
                    "commission": number(fill.commission),
                    "commissionAsset": fill.commission_asset,
                    "tradeId": fill.trade_id,
                }
                for fill in row.fills
            ]
        answer["selfTradePreventionMode"] = row.stp_mode
    return answer


def cancelled(done: Cancelled, unit: int) -> Json:
    row = done.order
    return {
        "symbol": row.symbol,
        "origClientOrderId": row.client_order_id,
        "orderId": row.order_id,
        "orderListId": -1,
        "clientOrderId": done.cancel_client_order_id,
        "transactTime": row.update_time // unit,
        **_order_body(row),
        "selfTradePreventionMode": row.stp_mode,
    }


def error(refusal: Refusal) -> Json:
    return {"code": refusal.code, "msg": refusal.message}


def cancel_replaced(done: CancelReplaced, kind: str, unit: int) -> Json:
    """Both legs; a leg that failed shows its refusal, one that was not tried null."""
    cancel_failed = isinstance(done.cancel, Refusal)
    if done.new is None:
        new_result, new_answer = "NOT_ATTEMPTED", None
    elif isinstance(done.new, Refusal):
        new_result, new_answer = "FAILURE", error(done.new)
    else:
        new_result, new_answer = "SUCCESS", placed(done.new, kind, unit)
    return {
        "cancelResult": "FAILURE" if cancel_failed else "SUCCESS",
        "newOrderResult": new_result,
        "cancelResponse": error(done.cancel) if isinstance(done.cancel, Refusal) else cancelled(done.cancel, unit),
        "newOrderResponse": new_answer,
    }


def my_trade(row: TradeRow, unit: int) -> Json:
    return {
        "symbol": row.symbol,
        "id": row.trade_id,
        "orderId": row.order_id,
        "orderListId": -1,
        "price": number(row.price),
        "qty": number(row.quantity),
        "quoteQty": number(row.price * row.quantity),
        "commission": number(row.commission),
        "commissionAsset": row.commission_asset,
        "time": row.time // unit,
        "isBuyer": row.is_buyer,
        "isMaker": row.is_maker,
        "isBestMatch": True,
    }


# -- accounts -------------------------------------------------------------------------------------------------------------


def balances(held: dict[str, tuple[Decimal, Decimal]]) -> list[Json]:
    return [
        {"asset": asset, "free": number(free), "locked": number(locked)}
        for asset, (free, locked) in sorted(held.items())
    ]


def account(spec: AccountSpec, uid: int, held: dict[str, tuple[Decimal, Decimal]], now: int, unit: int) -> Json:
    return {
        "makerCommission": int(spec.maker * 10_000),  # hundredths of a percent
        "takerCommission": int(spec.taker * 10_000),
        "buyerCommission": 0,
        "sellerCommission": 0,
        "commissionRates": _rates(spec),
        "canTrade": True,
        "canWithdraw": False,
        "canDeposit": False,
        "brokered": False,
        "requireSelfTradePrevention": False,
        "preventSor": False,
        "updateTime": now // unit,
        "accountType": "SPOT",
        "balances": balances(held),
        "permissions": ["SPOT"],
        "uid": uid,
    }


def _rates(spec: AccountSpec) -> Json:
    return {"maker": number(spec.maker), "taker": number(spec.taker), "buyer": ZERO, "seller": ZERO}


def commission(spec: AccountSpec, symbol: str) -> Json:
    none = {"maker": ZERO, "taker": ZERO, "buyer": ZERO, "seller": ZERO}
    return {
        "symbol": symbol,
        "standardCommission": _rates(spec),
        "specialCommission": none,
        "taxCommission": none,
        "discount": {
            "enabledForAccount": False,
            "enabledForSymbol": False,
            "discountAsset": "BNB",
            "discount": "0.75000000",
        },
    }


def tested(spec: AccountSpec) -> Json:
    """The answer to order/test that asked for commission rates."""
    return {
        "standardCommissionForOrder": {"maker": number(spec.maker), "taker": number(spec.taker)},
        "specialCommissionForOrder": {"maker": ZERO, "taker": ZERO},
        "taxCommissionForOrder": {"maker": ZERO, "taker": ZERO},
        "discount": {
            "enabledForAccount": False,
            "enabledForSymbol": False,
            "discountAsset": "BNB",
            "discount": "0.75000000",
        },
    }


# -- events of the user data stream ---------------------------------------------------------------------------------------


def execution_report(event: Execution, unit: int) -> Json:
    row, fill = event.row, event.fill
    is_cancel = event.what == "CANCELED"
    report: Json = {
        "e": "executionReport",
        "E": event.time // unit,
        "s": row.symbol,
        "c": event.cancel_client_order_id if is_cancel else row.client_order_id,
        "S": row.side,
        "o": row.kind,
        "f": row.time_in_force,
        "q": number(row.orig_qty),
        "p": number(row.price),
        "P": ZERO,
        "F": ZERO,
        "g": -1,
        "C": row.client_order_id if is_cancel else "",
        "x": event.what,
        "X": row.status,
        "r": "NONE",
        "i": row.order_id,
        "l": number(fill.quantity) if fill else ZERO,
        "z": number(row.executed_qty),
        "L": number(fill.price) if fill else ZERO,
        "n": number(fill.commission) if fill else "0",
        "N": fill.commission_asset if fill else None,
        "T": event.time // unit,
        "t": fill.trade_id if fill else -1,
        "I": event.execution_id,
        "w": row.is_working and row.status in (Status.NEW, Status.PARTIALLY_FILLED),
        "m": fill.is_maker if fill else False,
        "M": fill is not None,
        "O": row.time // unit,
        "Z": number(row.cumulative_quote),
        "Y": number(fill.price * fill.quantity) if fill else ZERO,
        "Q": number(row.orig_quote_qty),
        "V": row.stp_mode,
    }
    if row.working_time >= 0:
        report["W"] = row.working_time // unit
    if row.expiry_reason is not None:
        report["eR"] = row.expiry_reason
    return report


def account_position(event: AccountChanged, unit: int) -> Json:
    return {
        "e": "outboundAccountPosition",
        "E": event.time // unit,
        "u": event.time // unit,
        "B": [{"a": asset, "f": number(free), "l": number(locked)} for asset, (free, locked) in event.balances.items()],
    }


# -- events of the market streams -----------------------------------------------------------------------------------------


def depth_event(delta: BookDelta, now: int, unit: int) -> Json:
    return {
        "e": "depthUpdate",
        "E": now // unit,
        "s": delta.symbol,
        "U": delta.first_update_id,
        "u": delta.last_update_id,
        "b": levels(delta.bids),
        "a": levels(delta.asks),
    }


def book_ticker_event(row: BookTicker, _unit: int) -> Json:
    """The one event of spot without a time or a name."""
    return {
        "u": row.update_id,
        "s": row.symbol,
        "b": _or_zero(row.bid),
        "B": _or_zero(row.bid_qty),
        "a": _or_zero(row.ask),
        "A": _or_zero(row.ask_qty),
    }


def trade_event(row: Print, now: int, unit: int) -> Json:
    return {
        "e": "trade",
        "E": now // unit,
        "s": row.symbol,
        "t": row.trade_id,
        "p": number(row.price),
        "q": number(row.quantity),
        "T": row.time // unit,
        "m": row.buyer_is_maker,
        "M": True,
    }


def agg_trade_event(symbol: str, row: AggTrade, now: int, unit: int) -> Json:
    return {"e": "aggTrade", "E": now // unit, "s": symbol, **agg_trade(row, unit)}


def kline_event(row: Kline, now: int, unit: int) -> Json:
    return {
        "e": "kline",
        "E": now // unit,
        "s": row.symbol,
        "k": {
            "t": row.open_time // unit,
            "T": row.close_time // unit,
            "s": row.symbol,
            "i": row.interval,
            "f": row.first_trade_id,
            "L": row.last_trade_id,
            "o": number(row.open),
            "c": number(row.close),
            "h": number(row.high),
            "l": number(row.low),
            "v": number(row.volume),
            "n": row.trades,
            "x": row.is_closed,
            "q": number(row.quote_volume),
            "V": number(row.taker_base),
            "Q": number(row.taker_quote),
            "B": "0",
        },
    }


def ticker_event(row: Ticker24h, best: BookTicker, now: int, unit: int) -> Json:
    return {
        "e": "24hrTicker",
        "E": now // unit,
        "s": row.symbol,
        "p": number(row.last - row.open),
        "P": _percent(row),
        "w": number(row.weighted_avg),
        "x": number(row.open),
        "c": number(row.last),
        "Q": number(row.last_qty),
        "b": _or_zero(best.bid),
        "B": _or_zero(best.bid_qty),
        "a": _or_zero(best.ask),
        "A": _or_zero(best.ask_qty),
        "o": number(row.open),
        "h": number(row.high),
        "l": number(row.low),
        "v": number(row.volume),
        "q": number(row.quote_volume),
        "O": row.open_time // unit,
        "C": row.close_time // unit,
        "F": row.first_id,
        "L": row.last_id,
        "n": row.count,
    }


def mini_ticker_event(row: Ticker24h, now: int, unit: int) -> Json:
    return {
        "e": "24hrMiniTicker",
        "E": now // unit,
        "s": row.symbol,
        "c": number(row.last),
        "o": number(row.open),
        "h": number(row.high),
        "l": number(row.low),
        "v": number(row.volume),
        "q": number(row.quote_volume),
    }
