"""The operations anyone may ask for: time, instruments, books, trades, candles, tickers. Read only.

What is remembered is bounded: of each instrument the last 10,000 trades and aggregates and the last 1,500 candles of each
interval (before the start of the exchange the market's own history, as far as it has one). Who asks for older ones gets
what there is from there on. Windows and zoned candles reach as far back as the candles they are made of (`windows`).
"""

import json
import re
from collections.abc import Callable

from tradedesk.paper.candles import DAY, HOUR, MINUTE
from tradedesk.paper.rows import Refusal, Spec
from tradedesk.paper.server.front import Call
from tradedesk.paper.server.parameters import Parameters, invalid
from tradedesk.paper.server.render import Json, number
from tradedesk.paper.server.spot import market_json
from tradedesk.paper.server.spot.front import SpotFront
from tradedesk.paper.windows import minutes_back

MOST_SYMBOLS = 100  # in one request for windows
STATUSES = ("TRADING", "HALT", "BREAK")
_DEFAULT_PERMISSIONS = ("SPOT", "MARGIN", "LEVERAGED")
_WINDOW = re.compile(r"([1-9][0-9]?)([mhd])", re.ASCII)
_WINDOWS = {"m": (MINUTE, 59), "h": (HOUR, 23), "d": (DAY, 7)}  # unit, ns, and how many of it at most
_ZONE = re.compile(r"([+-]?)([0-9]{1,2})(?::([0-5][0-9]))?", re.ASCII)
_WESTMOST, _EASTMOST = -12 * HOUR, 14 * HOUR


def ping(spot: SpotFront, call: Call, parameters: Parameters) -> object:
    parameters.finish()
    return {}


def time(spot: SpotFront, call: Call, parameters: Parameters) -> object:
    parameters.finish()
    return {"serverTime": call.now // call.unit}


# -- instruments ----------------------------------------------------------------------------------------------------------


def exchange_info(spot: SpotFront, call: Call, parameters: Parameters) -> object:
    symbol, symbols = parameters.optional_symbol(), parameters.symbols()
    permissions = parameters.text("permissions")
    status = parameters.choice("symbolStatus", STATUSES)
    shows_sets = parameters.choice("showPermissionSets", ("true", "false")) != "false"
    parameters.finish()
    names = (symbol is not None) + (symbols is not None)
    if names + (permissions is not None) > 1 or (names and status is not None):
        raise Refusal(-1128, "Combination of optional parameters invalid.")
    wanted = _DEFAULT_PERMISSIONS if permissions is None else _permissions(permissions)
    specs = _specs(spot, symbol, symbols, status) if "SPOT" in wanted else []
    return market_json.exchange_info(specs, spot.limits.announced(), call.now, call.unit, shows_sets=shows_sets)


def _permissions(text: str) -> list[object]:
    """One name, or a JSON array of names."""
    if not text.startswith("["):
        return [text]
    try:
        names = json.loads(text)
    except (ValueError, RecursionError):
        raise invalid("permissions") from None
    return list(names)


def _specs(spot: SpotFront, symbol: str | None, symbols: list[str] | None, status: str | None) -> list[Spec]:
    """The instruments asked for, all if none is named. One that is named alone must have the status, others are left out."""
    if symbol is not None:
        return [_spec(spot, symbol, status)]
    specs = spot.exchange.specs() if symbols is None else [spot.exchange.spec(name) for name in symbols]
    return specs if status is None else [spec for spec in specs if spec.status == status]


def _spec(spot: SpotFront, symbol: str, status: str | None) -> Spec:
    spec = spot.exchange.spec(symbol)
    if status is not None and spec.status != status:
        raise Refusal(-1220, "The symbol's status does not match the requested symbolStatus.")
    return spec


def _named(parameters: Parameters) -> tuple[str | None, list[str] | None, str | None]:
    """`symbol` or `symbols` or neither, and `symbolStatus`."""
    symbol, symbols = parameters.optional_symbol(), parameters.symbols()
    if symbol is not None and symbols is not None:
        raise Refusal(-1128, "Combination of optional parameters invalid.")
    return symbol, symbols, parameters.choice("symbolStatus", STATUSES)


def execution_rules(spot: SpotFront, call: Call, parameters: Parameters) -> object:
    symbol, symbols, status = _named(parameters)
    parameters.finish()
    return market_json.execution_rules(_specs(spot, symbol, symbols, status))


def execution_rules_weight(parameters: Parameters) -> int:
    if parameters.peek("symbol"):
        return 2
    return min(40, 2 * _count(parameters, most=20))


def reference_price(spot: SpotFront, call: Call, parameters: Parameters) -> object:
    """Also its calculation. No instrument of ours has a reference price, so the filters go by the average."""
    symbol, status = parameters.symbol(), parameters.choice("symbolStatus", STATUSES)
    parameters.finish()
    _spec(spot, symbol, status)
    raise Refusal(-2043, "This symbol doesn't have a reference price.")


# -- book and trades ------------------------------------------------------------------------------------------------------


def depth(spot: SpotFront, call: Call, parameters: Parameters) -> object:
    symbol, limit = parameters.symbol(), parameters.limit("limit", 100, 5_000)
    status = parameters.choice("symbolStatus", STATUSES)
    parameters.finish()
    _spec(spot, symbol, status)
    return market_json.depth(spot.exchange.depth(symbol, limit))


def depth_weight(parameters: Parameters) -> int:
    text = parameters.peek("limit") or ""
    limit = int(text) if text.isascii() and text.isdecimal() and len(text) < 9 else 100
    return 5 if limit <= 100 else 25 if limit <= 500 else 50 if limit <= 1_000 else 250


def trades(spot: SpotFront, call: Call, parameters: Parameters) -> object:
    symbol, limit = parameters.symbol(), parameters.limit("limit", 500, 1_000)
    parameters.finish()
    return [market_json.trade(row, call.unit) for row in spot.exchange.recent_trades(symbol, limit)]


def historical_trades(spot: SpotFront, call: Call, parameters: Parameters) -> object:
    """Of what the exchange still remembers; from `fromId` on, else the newest."""
    symbol, limit, from_id = parameters.symbol(), parameters.limit("limit", 500, 1_000), parameters.integer("fromId")
    parameters.finish()
    return [market_json.trade(row, call.unit) for row in spot.exchange.recent_trades(symbol, limit, from_id)]


def agg_trades(spot: SpotFront, call: Call, parameters: Parameters) -> object:
    symbol, limit = parameters.symbol(), parameters.limit("limit", 500, 1_000)
    from_id, start, end = parameters.integer("fromId"), parameters.time("startTime"), parameters.time("endTime")
    parameters.finish()
    if from_id is not None and (start is not None or end is not None):
        raise Refusal(-1128, "Combination of optional parameters invalid.")
    rows = spot.exchange.agg_trades(symbol, from_id=from_id, start=start, end=end, limit=limit)
    return [market_json.agg_trade(row, call.unit) for row in rows]


# -- candles and averages -------------------------------------------------------------------------------------------------


def klines(spot: SpotFront, call: Call, parameters: Parameters) -> object:
    """Also uiKlines. Times are UTC whatever the zone; the zone says where hours, days, weeks and months begin."""
    symbol, interval = parameters.symbol(), parameters.must("interval")
    start, end = parameters.time("startTime"), parameters.time("endTime")
    limit, offset = parameters.limit("limit", 500, 1_000), _zone(parameters)
    parameters.finish()
    rows = spot.exchange.klines(symbol, interval, call.now, start=start, end=end, limit=limit, offset=offset)
    return [market_json.kline(row, call.unit) for row in rows]


def _zone(parameters: Parameters) -> int:
    """`timeZone` as ns ahead of UTC: 8, -1:00, 05:45; from -12:00 to +14:00."""
    text = parameters.text("timeZone")
    if text is None:
        return 0
    found = _ZONE.fullmatch(text.strip())  # a "+" that was not escaped in a query arrives as a blank
    if found is None:
        raise invalid("timeZone")
    sign, hours, minutes = found.groups()
    offset = (int(hours) * HOUR + int(minutes or 0) * MINUTE) * (-1 if sign == "-" else 1)
    if not _WESTMOST <= offset <= _EASTMOST:
        raise invalid("timeZone")
    return offset


def average_price(spot: SpotFront, call: Call, parameters: Parameters) -> object:
    symbol = parameters.symbol()
    parameters.finish()
    price = spot.exchange.average_price(symbol, call.now)
    return {"mins": 5, "price": number(price), "closeTime": spot.exchange.last_trade_time(symbol) // call.unit}


# -- tickers --------------------------------------------------------------------------------------------------------------


def _one_or_many(spot: SpotFront, call: Call, parameters: Parameters, row: Callable[[str], Json]) -> object:
    """A single object for `symbol`, a list for `symbols` or for neither."""
    symbol, symbols, status = _named(parameters)
    parameters.finish()
    specs = _specs(spot, symbol, symbols, status)
    return row(specs[0].symbol) if symbol is not None else [row(spec.symbol) for spec in specs]


def _is_mini(parameters: Parameters) -> bool:
    return parameters.choice("type", ("FULL", "MINI")) == "MINI"


def ticker_24h(spot: SpotFront, call: Call, parameters: Parameters) -> object:
    is_mini = _is_mini(parameters)

    def row(symbol: str) -> Json:
        day = spot.exchange.ticker(symbol, call.now)
        if is_mini:
            return market_json.mini_ticker(day, call.unit)
        return market_json.ticker(day, spot.exchange.book_ticker(symbol), call.unit)

    return _one_or_many(spot, call, parameters, row)


def ticker_window(spot: SpotFront, call: Call, parameters: Parameters) -> object:
    """The last minutes, hours or days, beginning on a minute."""
    text = parameters.text("windowSize") or "1d"
    found = _WINDOW.fullmatch(text)
    if found is None or int(found[1]) > _WINDOWS[found[2]][1]:
        raise invalid("windowSize")
    return _since(spot, call, parameters, minutes_back(call.now, int(found[1]) * _WINDOWS[found[2]][0]))


def ticker_trading_day(spot: SpotFront, call: Call, parameters: Parameters) -> object:
    """The day of the time zone asked for."""
    offset = _zone(parameters)
    return _since(spot, call, parameters, (call.now + offset) // DAY * DAY - offset)


def _since(spot: SpotFront, call: Call, parameters: Parameters, start: int) -> object:
    written = market_json.mini_ticker if _is_mini(parameters) else market_json.window_ticker
    symbol, symbols, _ = _named(parameters)
    if symbol is None and symbols is None:
        raise Refusal(-1128, "Combination of optional parameters invalid. Either 'symbol' or 'symbols' must be sent.")
    if symbols is not None and len(symbols) > MOST_SYMBOLS:
        raise Refusal(-1101, f"Too many parameters; expected '{MOST_SYMBOLS}' and received '{len(symbols)}'.")
    return _one_or_many(
        spot, call, parameters, lambda symbol: written(spot.exchange.statistics(symbol, call.now, start), call.unit)
    )


def ticker_price(spot: SpotFront, call: Call, parameters: Parameters) -> object:
    return _one_or_many(
        spot,
        call,
        parameters,
        lambda symbol: {"symbol": symbol, "price": number(spot.exchange.last_price(symbol))},
    )


def ticker_book(spot: SpotFront, call: Call, parameters: Parameters) -> object:
    return _one_or_many(
        spot, call, parameters, lambda symbol: market_json.book_ticker(spot.exchange.book_ticker(symbol))
    )


def _count(parameters: Parameters, most: int) -> int:
    """How many instruments a request names, before anybody looked at them; `most` if it names none."""
    if parameters.peek("symbol"):
        return 1
    symbols = parameters.peek("symbols")
    return most if symbols is None else symbols.count(",") + 1


def ticker_24h_weight(parameters: Parameters) -> int:
    count = _count(parameters, most=101)
    return 2 if count <= 20 else 40 if count <= 100 else 80


def ticker_window_weight(parameters: Parameters) -> int:
    return 4 * min(50, _count(parameters, most=1))


def ticker_weight(parameters: Parameters) -> int:
    return 2 if parameters.peek("symbol") else 4
