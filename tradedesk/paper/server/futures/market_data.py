"""The operations anyone may ask for: contracts, books, trades, candles, tickers, mark prices, funding. Read only."""

from collections.abc import Callable

from tradedesk.paper.rows import Refusal
from tradedesk.paper.server.front import Call
from tradedesk.paper.server.futures import market_json
from tradedesk.paper.server.futures.digits import money, plain
from tradedesk.paper.server.futures.front import FuturesFront
from tradedesk.paper.server.parameters import Parameters
from tradedesk.paper.server.render import Json

DEPTH_LIMITS = (5, 10, 20, 50, 100, 500, 1_000)
RPI_LIMIT = 1_000
_HALF_HOUR = 1_800_000_000_000  # ns


def ping(futures: FuturesFront, call: Call, parameters: Parameters) -> object:
    parameters.finish()
    return {}


def time(futures: FuturesFront, call: Call, parameters: Parameters) -> object:
    parameters.finish()
    return {"serverTime": call.now // call.unit}


def exchange_info(futures: FuturesFront, call: Call, parameters: Parameters) -> object:
    symbol = parameters.optional_symbol()  # some clients send it; the venue answers with all
    parameters.finish()
    if symbol is not None:
        futures.exchange.contract(symbol)
    return market_json.exchange_info(futures.exchange.contracts(), futures.limits.announced(), call.now, call.unit)


def depth(futures: FuturesFront, call: Call, parameters: Parameters) -> object:
    symbol, limit = parameters.symbol(), parameters.integer("limit")
    parameters.finish()
    if limit is not None and limit not in DEPTH_LIMITS:
        raise Refusal(-4021, f"{limit} is not valid depth limit.")
    futures.exchange.contract(symbol)
    book = futures.exchange.depth(symbol, limit or 500)
    return market_json.depth(book, futures.digits[symbol], call.now, call.unit)


def depth_weight(parameters: Parameters) -> int:
    limit = _limit(parameters, 500)
    return 2 if limit <= 50 else 5 if limit <= 100 else 10 if limit <= 500 else 20


def _limit(parameters: Parameters, default: int) -> int:
    text = parameters.peek("limit") or ""
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 9 else default


def trades(futures: FuturesFront, call: Call, parameters: Parameters) -> object:
    symbol, limit = parameters.symbol(), parameters.limit("limit", 500, 1_000)
    parameters.finish()
    rows = futures.exchange.recent_trades(symbol, limit)
    return [market_json.trade(row, futures.digits[symbol], call.unit) for row in rows]


def historical_trades(futures: FuturesFront, call: Call, parameters: Parameters) -> object:
    """Of what the exchange still remembers; from `fromId` on, else the newest."""
    symbol, limit, from_id = parameters.symbol(), parameters.limit("limit", 100, 500), parameters.integer("fromId")
    parameters.finish()
    if from_id is None:
        rows = futures.exchange.recent_trades(symbol, limit)
    else:
        known = futures.exchange.recent_trades(symbol, 1_000_000)
        rows = [row for row in known if row.trade_id >= from_id][:limit]
    return [market_json.trade(row, futures.digits[symbol], call.unit) for row in rows]


def agg_trades(futures: FuturesFront, call: Call, parameters: Parameters) -> object:
    symbol, limit = parameters.symbol(), parameters.limit("limit", 500, 1_000)
    from_id, (start, end) = parameters.integer("fromId"), parameters.span()
    parameters.finish()
    if from_id is not None and (start is not None or end is not None):
        raise Refusal(-1128, "Combination of optional parameters invalid.")
    rows = futures.exchange.agg_trades(symbol, from_id=from_id, start=start, end=end, limit=limit)
    return [market_json.agg_trade(row, futures.digits[symbol], call.unit) for row in rows]


# -- candles --------------------------------------------------------------------------------------------------------------


def _rows(futures: FuturesFront, call: Call, parameters: Parameters, symbol: str, of: str) -> object:
    interval, limit = parameters.must("interval"), parameters.limit("limit", 500, 1_500)
    start, end = parameters.span()
    parameters.finish()
    rows = futures.exchange.klines(symbol, interval, call.now, start=start, end=end, limit=limit, of=of)
    if of == "last":
        return [market_json.kline(row, futures.digits[symbol], call.unit) for row in rows]
    return [market_json.mark_kline(row, call.unit) for row in rows]


def klines(futures: FuturesFront, call: Call, parameters: Parameters) -> object:
    return _rows(futures, call, parameters, parameters.symbol(), "last")


def continuous_klines(futures: FuturesFront, call: Call, parameters: Parameters) -> object:
    if parameters.choice("contractType", ("PERPETUAL",)) is None:
        raise Refusal(-1102, "Mandatory parameter 'contractType' was not sent, was empty/null, or malformed.")
    return _rows(futures, call, parameters, parameters.must("pair"), "last")


def mark_price_klines(futures: FuturesFront, call: Call, parameters: Parameters) -> object:
    return _rows(futures, call, parameters, parameters.symbol(), "mark")


def index_price_klines(futures: FuturesFront, call: Call, parameters: Parameters) -> object:
    return _rows(futures, call, parameters, parameters.must("pair"), "index")


def premium_index_klines(futures: FuturesFront, call: Call, parameters: Parameters) -> object:
    return _rows(futures, call, parameters, parameters.symbol(), "premium")


def klines_weight(parameters: Parameters) -> int:
    limit = _limit(parameters, 500)
    return 1 if limit < 100 else 2 if limit < 500 else 5 if limit <= 1_000 else 10


# -- tickers --------------------------------------------------------------------------------------------------------------


def _one_or_all(futures: FuturesFront, parameters: Parameters, row: Callable[[str], Json]) -> object:
    """A single object for `symbol`, else a list of all."""
    symbol = parameters.optional_symbol()
    parameters.finish()
    if symbol is not None:
        futures.exchange.contract(symbol)
        return row(symbol)
    return [row(contract.symbol) for contract in futures.exchange.contracts()]


def ticker_24h(futures: FuturesFront, call: Call, parameters: Parameters) -> object:
    return _one_or_all(
        futures,
        parameters,
        lambda symbol: market_json.ticker(futures.exchange.ticker(symbol, call.now), futures.digits[symbol], call.unit),
    )


def ticker_price(futures: FuturesFront, call: Call, parameters: Parameters) -> object:
    def row(symbol: str) -> Json:
        price = futures.exchange.ticker(symbol, call.now).last
        return {"symbol": symbol, "price": futures.digits[symbol].price(price), "time": call.now // call.unit}

    return _one_or_all(futures, parameters, row)


def ticker_book(futures: FuturesFront, call: Call, parameters: Parameters) -> object:
    return _one_or_all(
        futures,
        parameters,
        lambda symbol: market_json.book_ticker(
            futures.exchange.book_ticker(symbol), futures.digits[symbol], call.now, call.unit
        ),
    )


def ticker_24h_weight(parameters: Parameters) -> int:
    return 1 if parameters.peek("symbol") else 40


def ticker_price_weight(parameters: Parameters) -> int:
    return 1 if parameters.peek("symbol") else 2


def ticker_book_weight(parameters: Parameters) -> int:
    return 2 if parameters.peek("symbol") else 5


# -- mark price, funding, open interest -----------------------------------------------------------------------------------


def premium_index(futures: FuturesFront, call: Call, parameters: Parameters) -> object:
    return _one_or_all(
        futures,
        parameters,
        lambda symbol: market_json.premium_index(futures.exchange.mark_price(symbol), call.unit),
    )


def premium_index_weight(parameters: Parameters) -> int:
    return 1 if parameters.peek("symbol") else 10


def funding_rate(futures: FuturesFront, call: Call, parameters: Parameters) -> object:
    symbol, limit = parameters.optional_symbol(), parameters.limit("limit", 100, 1_000)
    start, end = parameters.span()
    parameters.finish()
    if symbol is not None:
        futures.exchange.contract(symbol)
    rows = futures.exchange.funding_rates(symbol, start=start, end=end, limit=limit)
    return [market_json.funding_rate(row, call.unit) for row in rows]


def funding_info(futures: FuturesFront, call: Call, parameters: Parameters) -> object:
    parameters.finish()
    return [market_json.funding_info(contract) for contract in futures.exchange.contracts()]


def open_interest(futures: FuturesFront, call: Call, parameters: Parameters) -> object:
    symbol = parameters.symbol()
    parameters.finish()
    futures.exchange.contract(symbol)
    held = futures.exchange.open_interest(symbol)
    return {
        "openInterest": futures.digits[symbol].quantity(held),
        "symbol": symbol,
        "time": call.now // call.unit,
    }


def constituents(futures: FuturesFront, call: Call, parameters: Parameters) -> object:
    """What the index is made of: the spot market of this very exchange."""
    symbol = parameters.symbol()
    parameters.finish()
    contract = futures.exchange.contract(symbol)
    price = plain(futures.exchange.mark_price(symbol).index)
    name = contract.spec.base + contract.spec.quote
    return {
        "symbol": symbol,
        "time": call.now // call.unit,
        "constituents": [{"exchange": "binance", "symbol": name, "price": price, "weight": "1.00000000"}],
    }


# -- what stands behind the contracts -------------------------------------------------------------------------------------


def rpi_depth(futures: FuturesFront, call: Call, parameters: Parameters) -> object:
    """The book with retail price improvement orders; here nobody has such."""
    symbol, limit = parameters.symbol(), parameters.integer("limit")
    parameters.finish()
    if limit not in (None, RPI_LIMIT):
        raise Refusal(-4021, f"{limit} is not valid depth limit.")
    futures.exchange.contract(symbol)
    return market_json.depth(futures.exchange.depth(symbol, RPI_LIMIT), futures.digits[symbol], call.now, call.unit)


def adl_risk(futures: FuturesFront, call: Call, parameters: Parameters) -> object:
    """Low for every contract: nobody is deleveraged here. Told anew every half hour, as at the venue."""
    for name in ("timestamp", "recvWindow", "signature"):  # some clients sign it
        parameters.text(name)
    told = (call.now - call.now % _HALF_HOUR) // call.unit
    return _one_or_all(futures, parameters, lambda symbol: {"symbol": symbol, "adlRisk": "low", "updateTime": told})


def insurance_balance(futures: FuturesFront, call: Call, parameters: Parameters) -> object:
    """One fund for each margin asset. It begins at 0: what liquidations left, less what it paid, which may be more."""
    symbol = parameters.optional_symbol()
    parameters.finish()
    contracts = futures.exchange.contracts()
    wanted = None if symbol is None else futures.exchange.contract(symbol).margin_asset
    funds = [
        {
            "symbols": sorted(contract.symbol for contract in contracts if contract.margin_asset == asset),
            "assets": [
                {
                    "asset": asset,
                    "marginBalance": money(futures.exchange.insurance(asset)),
                    "updateTime": call.now // call.unit,
                }
            ],
        }
        for asset in dict.fromkeys(contract.margin_asset for contract in contracts)
        if wanted in (None, asset)
    ]
    return funds if symbol is None else funds[0]


def asset_index(futures: FuturesFront, call: Call, parameters: Parameters) -> object:
    """What a margin asset counts for in multi-assets mode: itself, since no other asset is margin here."""
    symbol = parameters.text("symbol")
    parameters.finish()
    rows = [
        market_json.asset_index(asset, call.now, call.unit)
        for asset in dict.fromkeys(contract.margin_asset for contract in futures.exchange.contracts())
    ]
    if symbol is None:
        return rows
    found = [row for row in rows if row["symbol"] == symbol]
    if not found:
        raise Refusal(-1121, "Invalid symbol.")
    return found[0]


def asset_index_weight(parameters: Parameters) -> int:
    return 1 if parameters.peek("symbol") else 10


def index_info(futures: FuturesFront, call: Call, parameters: Parameters) -> object:
    """What composite indices are made of; no contract here follows one."""
    symbol = parameters.optional_symbol()
    parameters.finish()
    if symbol is not None:
        futures.exchange.contract(symbol)
    return []
