"""USD-M market data as the venue writes it in JSON: contracts, books, trades, candles, tickers, mark prices, and stream events."""

from collections.abc import Sequence
from decimal import Decimal

from tradedesk.paper.futures.contracts import HOUR, Contract
from tradedesk.paper.futures.rows import FundingRate, MarkPrice, Type
from tradedesk.paper.rows import AggTrade, BookDelta, BookTicker, Depth, Kline, Print, Ticker24h
from tradedesk.paper.server.futures.digits import Digits, money, plain
from tradedesk.paper.server.render import Json

_NEVER = 4_133_404_800_000_000_000  # ns: the delivery date of what is never delivered, 2100-12-25
TIMES_IN_FORCE = ("GTC", "IOC", "FOK", "GTX", "GTD")

# -- instruments ----------------------------------------------------------------------------------------------------------


def exchange_info(contracts: Sequence[Contract], rate_limits: list[Json], now: int, unit: int) -> Json:
    return {
        "timezone": "UTC",
        "serverTime": now // unit,
        "futuresType": "U_MARGINED",
        "rateLimits": rate_limits,
        "exchangeFilters": [],
        "assets": [
            {"asset": asset, "marginAvailable": True, "autoAssetExchange": "-10000"}
            for asset in sorted({contract.margin_asset for contract in contracts})
        ],
        "symbols": [_symbol(contract, unit) for contract in contracts],
    }


def _symbol(contract: Contract, unit: int) -> Json:
    spec = contract.spec
    lowest = contract.brackets[0]
    return {
        "symbol": spec.symbol,
        "pair": spec.symbol,
        "contractType": "PERPETUAL",
        "deliveryDate": _NEVER // unit,
        "onboardDate": contract.onboard_date // unit,
        "status": spec.status,
        "maintMarginPercent": f"{lowest.maint_ratio * 100:.4f}",
        "requiredMarginPercent": f"{Decimal(100) / lowest.max_leverage:.4f}",
        "baseAsset": spec.base,
        "quoteAsset": spec.quote,
        "marginAsset": contract.margin_asset,
        "pricePrecision": contract.price_precision,
        "quantityPrecision": contract.quantity_precision,
        "baseAssetPrecision": 8,
        "quotePrecision": 8,
        "underlyingType": "COIN",
        "underlyingSubType": [],
        "triggerProtect": f"{contract.trigger_protect:.4f}",
        "liquidationFee": f"{contract.liquidation_fee:.6f}",
        "marketTakeBound": f"{contract.market_take_bound:.2f}",
        "maxMoveOrderLimit": 10_000,
        "filters": [
            {
                "filterType": "PRICE_FILTER",
                "minPrice": plain(spec.min_price),
                "maxPrice": plain(spec.max_price),
                "tickSize": f"{spec.tick:f}",
            },
            {
                "filterType": "LOT_SIZE",
                "minQty": plain(spec.min_qty),
                "maxQty": plain(spec.max_qty),
                "stepSize": plain(spec.lot),
            },
            {
                "filterType": "MARKET_LOT_SIZE",
                "minQty": plain(spec.min_qty),
                "maxQty": plain(spec.max_market_qty),
                "stepSize": plain(spec.lot),
            },
            {"filterType": "MAX_NUM_ORDERS", "limit": spec.max_orders},
            {"filterType": "MAX_NUM_ALGO_ORDERS", "limit": contract.max_algo_orders},
            {"filterType": "MIN_NOTIONAL", "notional": plain(spec.min_notional)},
            {
                "filterType": "PERCENT_PRICE",
                "multiplierUp": f"{contract.multiplier_up:.4f}",
                "multiplierDown": f"{contract.multiplier_down:.4f}",
                "multiplierDecimal": "4",
            },
        ],
        "orderTypes": list(Type),
        "timeInForce": list(TIMES_IN_FORCE),
    }


# -- market data ----------------------------------------------------------------------------------------------------------


def levels(side: Sequence[tuple[Decimal, Decimal]], digits: Digits) -> list[tuple[str, str]]:
    return [(digits.price(price), digits.quantity(quantity)) for price, quantity in side]


def depth(book: Depth, digits: Digits, now: int, unit: int) -> Json:
    return {
        "lastUpdateId": book.last_update_id,
        "E": now // unit,
        "T": now // unit,
        "bids": levels(book.bids, digits),
        "asks": levels(book.asks, digits),
    }


def trade(row: Print, digits: Digits, unit: int) -> Json:
    return {
        "id": row.trade_id,
        "price": digits.price(row.price),
        "qty": digits.quantity(row.quantity),
        "quoteQty": digits.price(row.price * row.quantity),
        "time": row.time // unit,
        "isBuyerMaker": row.buyer_is_maker,
    }


def agg_trade(row: AggTrade, digits: Digits, unit: int) -> Json:
    return {
        "a": row.agg_id,
        "p": digits.price(row.price),
        "q": digits.quantity(row.quantity),
        "f": row.first_id,
        "l": row.last_id,
        "T": row.time // unit,
        "m": row.buyer_is_maker,
    }


def kline(row: Kline, digits: Digits, unit: int) -> list[object]:
    return [
        row.open_time // unit,
        digits.price(row.open),
        digits.price(row.high),
        digits.price(row.low),
        digits.price(row.close),
        digits.quantity(row.volume),
        row.close_time // unit,
        digits.quote(row.quote_volume),
        row.trades,
        digits.quantity(row.taker_base),
        digits.quote(row.taker_quote),
        "0",
    ]


def mark_kline(row: Kline, unit: int) -> list[object]:
    """Of a mark or index price, or of the premium: nothing was traded, so only the count of prices is above 0."""
    return [
        row.open_time // unit,
        money(row.open),
        money(row.high),
        money(row.low),
        money(row.close),
        "0",
        row.close_time // unit,
        "0",
        row.trades,
        "0",
        "0",
        "0",
    ]


def _price_or_zero(value: Decimal | None, digits: Digits) -> str:
    return digits.price(value or Decimal(0))


def _quantity_or_zero(value: Decimal | None, digits: Digits) -> str:
    return digits.quantity(value or Decimal(0))


def book_ticker(row: BookTicker, digits: Digits, now: int, unit: int) -> Json:
    return {
        "symbol": row.symbol,
        "bidPrice": _price_or_zero(row.bid, digits),
        "bidQty": _quantity_or_zero(row.bid_qty, digits),
        "askPrice": _price_or_zero(row.ask, digits),
        "askQty": _quantity_or_zero(row.ask_qty, digits),
        "time": now // unit,
        "lastUpdateId": row.update_id,
    }


def ticker(row: Ticker24h, digits: Digits, unit: int) -> Json:
    return {
        "symbol": row.symbol,
        "priceChange": digits.price(row.last - row.open),
        "priceChangePercent": _percent(row),
        "weightedAvgPrice": digits.price(row.weighted_avg),
        "lastPrice": digits.price(row.last),
        "lastQty": digits.quantity(row.last_qty),
        "openPrice": digits.price(row.open),
        "highPrice": digits.price(row.high),
        "lowPrice": digits.price(row.low),
        "volume": digits.quantity(row.volume),
        "quoteVolume": digits.price(row.quote_volume),
        "openTime": row.open_time // unit,
        "closeTime": row.close_time // unit,
        "firstId": row.first_id,
        "lastId": row.last_id,
        "count": row.count,
    }


def _percent(row: Ticker24h) -> str:
    return f"{(row.last - row.open) / row.open * 100:.3f}" if row.open else "0.000"


def premium_index(row: MarkPrice, unit: int) -> Json:
    return {
        "symbol": row.symbol,
        "markPrice": money(row.mark),
        "indexPrice": money(row.index),
        "estimatedSettlePrice": money(row.estimated_settle),
        "lastFundingRate": money(row.funding_rate),
        "interestRate": money(row.interest_rate),
        "nextFundingTime": row.next_funding // unit,
        "time": row.time // unit,
    }


def funding_rate(row: FundingRate, unit: int) -> Json:
    return {
        "symbol": row.symbol,
        "fundingTime": row.time // unit,
        "fundingRate": money(row.rate),
        "markPrice": money(row.mark),
    }


def funding_info(contract: Contract) -> Json:
    return {
        "symbol": contract.symbol,
        "adjustedFundingRateCap": money(contract.funding_cap),
        "adjustedFundingRateFloor": money(-contract.funding_cap),
        "fundingIntervalHours": contract.funding_interval // HOUR,
        "disclaimer": False,
    }


def asset_index(asset: str, now: int, unit: int) -> Json:
    """Of an asset that is worth itself: the index is 1 and nothing is held back."""
    one, nothing = money(Decimal(1)), money(Decimal(0))
    return {
        "symbol": f"{asset}USD",
        "time": now // unit,
        "index": one,
        "bidBuffer": nothing,
        "askBuffer": nothing,
        "bidRate": one,
        "askRate": one,
        "autoExchangeBidBuffer": nothing,
        "autoExchangeAskBuffer": nothing,
        "autoExchangeBidRate": one,
        "autoExchangeAskRate": one,
    }


# -- events of the market streams -----------------------------------------------------------------------------------------


def depth_event(delta: BookDelta, previous: int, digits: Digits, now: int, unit: int) -> Json:
    """`previous`: the last id of the stream's event before this one. U begins with it, not after it: a snapshot that is
    just as new as that event must lie in [U, u] of the next one, by the documented procedure."""
    return {
        "e": "depthUpdate",
        "E": now // unit,
        "T": now // unit,
        "s": delta.symbol,
        "U": previous,
        "u": delta.last_update_id,
        "pu": previous,
        "b": levels(delta.bids, digits),
        "a": levels(delta.asks, digits),
    }


def book_ticker_event(row: BookTicker, digits: Digits, now: int, unit: int) -> Json:
    return {
        "e": "bookTicker",
        "u": row.update_id,
        "E": now // unit,
        "T": now // unit,
        "s": row.symbol,
        "b": _price_or_zero(row.bid, digits),
        "B": _quantity_or_zero(row.bid_qty, digits),
        "a": _price_or_zero(row.ask, digits),
        "A": _quantity_or_zero(row.ask_qty, digits),
    }


def trade_event(row: Print, digits: Digits, now: int, unit: int) -> Json:
    return {
        "e": "trade",
        "E": now // unit,
        "T": row.time // unit,
        "s": row.symbol,
        "t": row.trade_id,
        "p": digits.price(row.price),
        "q": digits.quantity(row.quantity),
        "X": "MARKET",
        "m": row.buyer_is_maker,
    }


def agg_trade_event(symbol: str, row: AggTrade, digits: Digits, now: int, unit: int) -> Json:
    return {"e": "aggTrade", "E": now // unit, "s": symbol, **agg_trade(row, digits, unit)}


def _candle(row: Kline, digits: Digits, unit: int) -> Json:
    return {
        "t": row.open_time // unit,
        "T": row.close_time // unit,
        "i": row.interval,
        "f": row.first_trade_id,
        "L": row.last_trade_id,
        "o": digits.price(row.open),
        "c": digits.price(row.close),
        "h": digits.price(row.high),
        "l": digits.price(row.low),
        "v": digits.quantity(row.volume),
        "n": row.trades,
        "x": row.is_closed,
        "q": digits.quote(row.quote_volume),
        "V": digits.quantity(row.taker_base),
        "Q": digits.quote(row.taker_quote),
        "B": "0",
    }


def kline_event(row: Kline, digits: Digits, now: int, unit: int) -> Json:
    return {"e": "kline", "E": now // unit, "s": row.symbol, "k": {"s": row.symbol, **_candle(row, digits, unit)}}


def continuous_kline_event(row: Kline, digits: Digits, now: int, unit: int) -> Json:
    return {
        "e": "continuous_kline",
        "E": now // unit,
        "ps": row.symbol,
        "ct": "PERPETUAL",
        "k": _candle(row, digits, unit),
    }


def ticker_event(row: Ticker24h, digits: Digits, now: int, unit: int) -> Json:
    return {
        "e": "24hrTicker",
        "E": now // unit,
        "s": row.symbol,
        "p": digits.price(row.last - row.open),
        "P": _percent(row),
        "w": digits.price(row.weighted_avg),
        "c": digits.price(row.last),
        "Q": digits.quantity(row.last_qty),
        "o": digits.price(row.open),
        "h": digits.price(row.high),
        "l": digits.price(row.low),
        "v": digits.quantity(row.volume),
        "q": digits.price(row.quote_volume),
        "O": row.open_time // unit,
        "C": row.close_time // unit,
        "F": row.first_id,
        "L": row.last_id,
        "n": row.count,
    }


def mini_ticker_event(row: Ticker24h, digits: Digits, now: int, unit: int) -> Json:
    return {
        "e": "24hrMiniTicker",
        "E": now // unit,
        "s": row.symbol,
        "c": digits.price(row.last),
        "o": digits.price(row.open),
        "h": digits.price(row.high),
        "l": digits.price(row.low),
        "v": digits.quantity(row.volume),
        "q": digits.price(row.quote_volume),
    }


def mark_price_event(row: MarkPrice, now: int, unit: int) -> Json:
    return {
        "e": "markPriceUpdate",
        "E": now // unit,
        "s": row.symbol,
        "p": money(row.mark),
        "i": money(row.index),
        "P": money(row.estimated_settle),
        "r": money(row.funding_rate),
        "T": row.next_funding // unit,
    }
