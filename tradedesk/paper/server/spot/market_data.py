"""The operations anyone may ask for: time, instruments, books, trades, candles, tickers. Read only."""

import json
from collections.abc import Callable

from tradedesk.paper.rows import Refusal, Spec
from tradedesk.paper.server.front import Call
from tradedesk.paper.server.parameters import Parameters, invalid
from tradedesk.paper.server.render import Json, number
from tradedesk.paper.server.spot import market_json
from tradedesk.paper.server.spot.front import SpotFront


def ping(spot: SpotFront, call: Call, parameters: Parameters) -> object:
    parameters.finish()
    return {}


def time(spot: SpotFront, call: Call, parameters: Parameters) -> object:
    parameters.finish()
    return {"serverTime": call.now // call.unit}


def exchange_info(spot: SpotFront, call: Call, parameters: Parameters) -> object:
    symbol, symbols = parameters.optional_symbol(), parameters.symbols()
    permissions = parameters.text("permissions")
    status = parameters.choice("symbolStatus", ("TRADING", "HALT", "BREAK"))
    shows_sets = parameters.choice("showPermissionSets", ("true", "false")) != "false"
    parameters.finish()
    if (symbol is not None) + (symbols is not None) + (permissions is not None) > 1:
        raise Refusal(-1128, "Combination of optional parameters invalid.")
    specs = _specs(spot, symbol, symbols)
    if permissions is not None and "SPOT" not in _permissions(permissions):
        specs = []
    if status is not None:
        specs = [spec for spec in specs if spec.status == status]
    info = market_json.exchange_info(specs, spot.limits.announced(), call.now, call.unit)
    if not shows_sets:
        info["symbols"] = [{**row, "permissionSets": []} for row in info["symbols"]]  # type: ignore[attr-defined]
    return info


def _permissions(text: str) -> list[object]:
    """One name, or a JSON array of names."""
    if not text.startswith("["):
        return [text]
    try:
        names = json.loads(text)
    except ValueError:
        raise invalid("permissions") from None
    return list(names)


def _specs(spot: SpotFront, symbol: str | None, symbols: list[str] | None) -> list[Spec]:
    if symbol is not None:
        return [spot.exchange.spec(symbol)]
    if symbols is not None:
        return [spot.exchange.spec(name) for name in symbols]
    return spot.exchange.specs()


def depth(spot: SpotFront, call: Call, parameters: Parameters) -> object:
    symbol, limit = parameters.symbol(), parameters.limit("limit", 100, 5_000)
    parameters.finish()
    return market_json.depth(spot.exchange.depth(symbol, limit))


def depth_weight(parameters: Parameters) -> int:
    limit = _limit(parameters, 100)
    return 5 if limit <= 100 else 25 if limit <= 500 else 50 if limit <= 1_000 else 250


def _limit(parameters: Parameters, default: int) -> int:
    text = parameters.peek("limit") or ""
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 9 else default


def trades(spot: SpotFront, call: Call, parameters: Parameters) -> object:
    symbol, limit = parameters.symbol(), parameters.limit("limit", 500, 1_000)
    parameters.finish()
    return [market_json.trade(row, call.unit) for row in spot.exchange.recent_trades(symbol, limit)]


def historical_trades(spot: SpotFront, call: Call, parameters: Parameters) -> object:
    """Of what the exchange still remembers; from `fromId` on, else the newest."""
    symbol, limit, from_id = parameters.symbol(), parameters.limit("limit", 500, 1_000), parameters.integer("fromId")
    parameters.finish()
    if from_id is None:
        rows = spot.exchange.recent_trades(symbol, limit)
    else:
        known = spot.exchange.recent_trades(symbol, 1_000_000)
        rows = [row for row in known if row.trade_id >= from_id][:limit]
    return [market_json.trade(row, call.unit) for row in rows]


def agg_trades(spot: SpotFront, call: Call, parameters: Parameters) -> object:
    symbol, limit = parameters.symbol(), parameters.limit("limit", 500, 1_000)
    from_id, start, end = parameters.integer("fromId"), parameters.time("startTime"), parameters.time("endTime")
    parameters.finish()
    if from_id is not None and (start is not None or end is not None):
        raise Refusal(-1128, "Combination of optional parameters invalid.")
    rows = spot.exchange.agg_trades(symbol, from_id=from_id, start=start, end=end, limit=limit)
    return [market_json.agg_trade(row, call.unit) for row in rows]


def klines(spot: SpotFront, call: Call, parameters: Parameters) -> object:
    symbol, interval = parameters.symbol(), parameters.must("interval")
    start, end = parameters.time("startTime"), parameters.time("endTime")
    limit = parameters.limit("limit", 500, 1_000)
    if parameters.text("timeZone") not in (None, "0", "00:00", "+00:00"):
        raise invalid("timeZone")  # candles are cut in UTC
    parameters.finish()
    rows = spot.exchange.klines(symbol, interval, call.now, start=start, end=end, limit=limit)
    return [market_json.kline(row, call.unit) for row in rows]


def average_price(spot: SpotFront, call: Call, parameters: Parameters) -> object:
    symbol = parameters.symbol()
    parameters.finish()
    price = spot.exchange.average_price(symbol, call.now)
    return {"mins": 5, "price": number(price), "closeTime": call.now // call.unit}


def _one_or_many(spot: SpotFront, call: Call, parameters: Parameters, row: Callable[[str], Json]) -> object:
    """A single object for `symbol`, a list for `symbols` or for neither."""
    symbol, symbols = parameters.optional_symbol(), parameters.symbols()
    parameters.choice("symbolStatus", ("TRADING", "HALT", "BREAK"))
    parameters.finish()
    if symbol is not None and symbols is not None:
        raise Refusal(-1128, "Combination of optional parameters invalid.")
    specs = _specs(spot, symbol, symbols)
    return row(symbol) if symbol is not None else [row(spec.symbol) for spec in specs]


def ticker_24h(spot: SpotFront, call: Call, parameters: Parameters) -> object:
    is_mini = parameters.choice("type", ("FULL", "MINI")) == "MINI"

    def row(symbol: str) -> Json:
        full = market_json.ticker(spot.exchange.ticker(symbol, call.now), spot.exchange.book_ticker(symbol), call.unit)
        return {name: full[name] for name in market_json.MINI_TICKER} if is_mini else full

    return _one_or_many(spot, call, parameters, row)


def ticker_price(spot: SpotFront, call: Call, parameters: Parameters) -> object:
    return _one_or_many(
        spot,
        call,
        parameters,
        lambda symbol: {"symbol": symbol, "price": number(spot.exchange.ticker(symbol, call.now).last)},
    )


def ticker_book(spot: SpotFront, call: Call, parameters: Parameters) -> object:
    return _one_or_many(
        spot, call, parameters, lambda symbol: market_json.book_ticker(spot.exchange.book_ticker(symbol))
    )


def ticker_24h_weight(parameters: Parameters) -> int:
    if parameters.peek("symbol"):
        return 2
    symbols = parameters.peek("symbols")
    count = 101 if symbols is None else symbols.count(",") + 1
    return 2 if count <= 20 else 40 if count <= 100 else 80


def ticker_weight(parameters: Parameters) -> int:
    return 2 if parameters.peek("symbol") else 4
