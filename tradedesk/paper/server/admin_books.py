"""Everything the exchange holds about one account, as its own records say, in the form the venue writes it (times in ms)."""

import msgspec

from tradedesk.paper.server.futures import account_json
from tradedesk.paper.server.futures import orders_json as futures_json
from tradedesk.paper.server.futures.front import FuturesFront
from tradedesk.paper.server.render import MILLISECOND, Json
from tradedesk.paper.server.spot import orders_json
from tradedesk.paper.server.spot.front import SpotFront

_ALL = 10**9  # rows: the admin is not paged


def books(spot: SpotFront, futures: FuturesFront | None, name: str, now: int) -> Json:
    exchange = spot.exchange
    symbols = [spec.symbol for spec in exchange.specs()]
    orders = [row for symbol in symbols for row in exchange.all_orders(name, symbol, limit=_ALL)]
    trades = [row for symbol in symbols for row in exchange.my_trades(name, symbol, limit=_ALL)]
    found: Json = {
        "schema": "paper.account.v1",
        "name": name,
        "time": now // MILLISECOND,
        "balances": orders_json.balances(exchange.balances(name)),
        "open_orders": [orders_json.order(row, MILLISECOND) for row in exchange.open_orders(name)],
        "orders": [orders_json.order(row, MILLISECOND) for row in orders],
        "order_lists": [orders_json.order_list(row, MILLISECOND) for row in exchange.order_lists(name, limit=_ALL)],
        "trades": [orders_json.my_trade(row, MILLISECOND) for row in trades],
        "movements": [
            msgspec.to_builtins(row) | {"time": row.time // MILLISECOND} for row in exchange.movements(name, limit=_ALL)
        ],
    }
    if futures is not None:
        found["futures"] = _futures(futures, name, now)
    return found


def _futures(futures: FuturesFront, name: str, now: int) -> Json | None:
    """The same of its USD-M side; None if it has none."""
    exchange, digits = futures.exchange, futures.digits
    try:
        exchange.account_spec(name)
    except KeyError:
        return None
    return {
        "account": account_json.account_v3(exchange.account(name, now), digits, MILLISECOND),
        "open_orders": [futures_json.order(row, digits[row.symbol], MILLISECOND) for row in exchange.open_orders(name)],
        "orders": [
            futures_json.order(row, digits[symbol], MILLISECOND)
            for symbol in digits
            for row in exchange.all_orders(name, symbol, limit=_ALL)
        ],
        "algo_orders": [
            futures_json.algo(row, digits[row.symbol], MILLISECOND) for row in exchange.open_algo_orders(name)
        ],
        "trades": [
            futures_json.user_trade(row, digits[symbol], MILLISECOND)
            for symbol in digits
            for row in exchange.user_trades(name, symbol, limit=_ALL)
        ],
        "positions": [
            account_json.position_risk_v3(row, digits[row.symbol], MILLISECOND)
            for row in exchange.positions(name, now)
            if account_json.is_used(row)
        ],
        "income": [account_json.income(row, MILLISECOND) for row in exchange.income(name, limit=_ALL)],
    }
