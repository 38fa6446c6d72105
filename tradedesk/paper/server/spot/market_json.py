"""Spot market data as the venue writes it in JSON: instruments, books, trades, candles, tickers, and their stream events."""

from collections.abc import Sequence
from decimal import Decimal
from functools import lru_cache

from tradedesk.paper.rows import (
    AggTrade,
    BookDelta,
    BookTicker,
    Depth,
    Kind,
    Kline,
    Print,
    Spec,
    Ticker24h,
)
from tradedesk.paper.server.render import Json, number
from tradedesk.paper.server.render import number_or_zero as _or_zero

# -- instruments ----------------------------------------------------------------------------------------------------------


def exchange_info(specs: Sequence[Spec], rate_limits: list[Json], now: int, unit: int, *, shows_sets: bool) -> Json:
    rows = [_symbol(spec) for spec in specs]
    return {
        "timezone": "UTC",
        "serverTime": now // unit,
        "rateLimits": rate_limits,
        "exchangeFilters": [],
        "symbols": rows if shows_sets else [{**row, "permissionSets": []} for row in rows],
    }


@lru_cache(maxsize=4_096)
def _symbol(spec: Spec) -> Json:
    """One instrument. Made once for each state of its rules: whoever gets it must not change it."""
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
        "orderTypes": [kind.value for kind in Kind],
        "icebergAllowed": spec.iceberg_parts > 0,
        "ocoAllowed": True,
        "otoAllowed": True,
        "opoAllowed": False,
        "quoteOrderQtyMarketAllowed": True,
        "allowTrailingStop": spec.max_trailing_above > 0 or spec.max_trailing_below > 0,
        "cancelReplaceAllowed": True,
        "amendAllowed": spec.max_amends > 0,
        "pegInstructionsAllowed": False,
        "isSpotTradingAllowed": True,
        "isMarginTradingAllowed": False,
        "filters": filters(spec),
        "permissions": [],
        "permissionSets": [["SPOT"]],
        "defaultSelfTradePreventionMode": spec.default_stp_mode,
        "allowedSelfTradePreventionModes": list(spec.stp_modes),
    }


def filters(spec: Spec) -> list[Json]:
    """Every rule an order on the instrument is held to."""
    rows: list[Json] = [
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
        {"filterType": "ICEBERG_PARTS", "limit": spec.iceberg_parts},
        {
            "filterType": "MARKET_LOT_SIZE",
            "minQty": number(spec.min_market_qty),
            "maxQty": number(spec.max_market_qty),
            "stepSize": number(spec.market_lot),
        },
        {
            "filterType": "TRAILING_DELTA",
            "minTrailingAboveDelta": spec.min_trailing_above,
            "maxTrailingAboveDelta": spec.max_trailing_above,
            "minTrailingBelowDelta": spec.min_trailing_below,
            "maxTrailingBelowDelta": spec.max_trailing_below,
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
        {"filterType": "MAX_NUM_ORDER_LISTS", "maxNumOrderLists": spec.max_order_lists},
        {"filterType": "MAX_NUM_ALGO_ORDERS", "maxNumAlgoOrders": spec.max_algo_orders},
        {"filterType": "MAX_NUM_ICEBERG_ORDERS", "maxNumIcebergOrders": spec.max_iceberg_orders},
        {"filterType": "MAX_NUM_ORDER_AMENDS", "maxNumOrderAmends": spec.max_amends},
    ]
    if spec.max_position:
        rows.append({"filterType": "MAX_POSITION", "maxPosition": number(spec.max_position)})
    return rows


def execution_rules(specs: Sequence[Spec]) -> Json:
    """No instrument of ours bounds the price at which an order may trade beyond its filters."""
    return {"symbolRules": [{"symbol": spec.symbol, "rules": []} for spec in specs]}


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
    """ticker/24hr."""
    return {
        "symbol": row.symbol,
        "priceChange": number(row.last - row.open),
        "priceChangePercent": _percent(row),
        "weightedAvgPrice": number(row.weighted_avg),
        "prevClosePrice": number(row.prev_close),
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


def mini_ticker(row: Ticker24h, unit: int) -> Json:
    """Any of the tickers with type=MINI."""
    return {
        "symbol": row.symbol,
        "openPrice": number(row.open),
        "highPrice": number(row.high),
        "lowPrice": number(row.low),
        "lastPrice": number(row.last),
        "volume": number(row.volume),
        "quoteVolume": number(row.quote_volume),
        "openTime": row.open_time // unit,
        "closeTime": row.close_time // unit,
        "firstId": row.first_id,
        "lastId": row.last_id,
        "count": row.count,
    }


def window_ticker(row: Ticker24h, unit: int) -> Json:
    """ticker and ticker/tradingDay: no best prices, no last quantity."""
    change: Json = {
        "symbol": row.symbol,
        "priceChange": number(row.last - row.open),
        "priceChangePercent": _percent(row),
        "weightedAvgPrice": number(row.weighted_avg),
    }
    return change | mini_ticker(row, unit)


def _percent(row: Ticker24h) -> str:
    return f"{(row.last - row.open) / row.open * 100:.3f}" if row.open else "0.000"


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
        "x": number(row.prev_close),
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


def window_ticker_event(row: Ticker24h, window: str, now: int, unit: int) -> Json:
    """`window` is 1h, 4h or 1d."""
    return {
        "e": f"{window}Ticker",
        "E": now // unit,
        "s": row.symbol,
        "p": number(row.last - row.open),
        "P": _percent(row),
        "o": number(row.open),
        "h": number(row.high),
        "l": number(row.low),
        "c": number(row.last),
        "w": number(row.weighted_avg),
        "v": number(row.volume),
        "q": number(row.quote_volume),
        "O": row.open_time // unit,
        "C": row.close_time // unit,
        "F": row.first_id,
        "L": row.last_id,
        "n": row.count,
    }


def average_event(symbol: str, price: Decimal, traded_at: int, now: int, unit: int) -> Json:
    return {
        "e": "avgPrice",
        "E": now // unit,
        "s": symbol,
        "i": "5m",
        "w": number(price),
        "T": traded_at // unit,
    }


def reference_price_event(symbol: str, now: int, unit: int) -> Json:
    """No instrument of ours has one: PERCENT_PRICE_BY_SIDE goes by the average price."""
    return {"e": "referencePrice", "s": symbol, "r": None, "t": now // unit}
