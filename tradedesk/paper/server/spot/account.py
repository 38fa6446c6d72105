"""The operations about an account itself: balances, commission, filters, order counts, listen keys."""

from collections.abc import Callable

from tradedesk.paper.rows import Refusal
from tradedesk.paper.server.front import Call
from tradedesk.paper.server.parameters import Parameters
from tradedesk.paper.server.spot import market_json, orders_json
from tradedesk.paper.server.spot.front import SpotFront


def account(spot: SpotFront, call: Call, parameters: Parameters) -> object:
    omits_zero = parameters.flag("omitZeroBalances")
    parameters.finish()
    held = spot.exchange.balances(call.name)
    if omits_zero:
        held = {asset: pair for asset, pair in held.items() if any(pair)}
    spec = spot.exchange.account_spec(call.name)
    answer = orders_json.account(spec, spot.commons.uids[call.name], held, spot.updated(call.name), call.unit)
    group = spot.exchange.trade_group(call.name)
    return answer if group == -1 else answer | {"tradeGroupId": group}


def commission(spot: SpotFront, call: Call, parameters: Parameters) -> object:
    symbol = parameters.symbol()
    parameters.finish()
    spot.exchange.spec(symbol)
    return orders_json.commission(spot.exchange.account_spec(call.name), symbol)


def filters(spot: SpotFront, call: Call, parameters: Parameters) -> object:
    """What holds for the account on one instrument."""
    symbol = parameters.symbol()
    parameters.finish()
    return {
        "exchangeFilters": [],
        "symbolFilters": market_json.filters(spot.exchange.spec(symbol)),
        "assetFilters": [],
    }


def order_rate_limits(spot: SpotFront, call: Call, parameters: Parameters) -> object:
    parameters.finish()
    return spot.limits.order_rows(call.name, call.now)


# -- listen keys (retired by the venue on 2026-02-20, still used by clients in the field) ---------------------------------


def open_listen_key(spot: SpotFront, call: Call, parameters: Parameters) -> object:
    parameters.finish()
    return {"listenKey": spot.users.open_key(call.name, call.now)}


def keep_listen_key(spot: SpotFront, call: Call, parameters: Parameters) -> object:
    return _with_listen_key(spot, call, parameters, lambda key: spot.users.keep_alive(key, call.now))


def close_listen_key(spot: SpotFront, call: Call, parameters: Parameters) -> object:
    return _with_listen_key(spot, call, parameters, spot.users.close_key)


def _with_listen_key(spot: SpotFront, call: Call, parameters: Parameters, act: Callable[..., None]) -> object:
    name = parameters.must("listenKey")
    parameters.finish()
    key = spot.users.key(name)
    if key is None or key.account != call.name:
        raise Refusal(-1125, "This listenKey does not exist.")
    act(key)
    return {}
