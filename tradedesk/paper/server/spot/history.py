"""The queries of an account about its orders and trades, with the venue's rules for paging through them."""

from tradedesk.paper.rows import Refusal
from tradedesk.paper.server.front import Call
from tradedesk.paper.server.parameters import Parameters
from tradedesk.paper.server.spot import orders_json
from tradedesk.paper.server.spot.front import SpotFront
from tradedesk.paper.server.spot.trading import which

_LONGEST_LOOKUP_HOURS = 24
_BAD_COMBINATION = Refusal(-1128, "Combination of optional parameters invalid.")


def order(spot: SpotFront, call: Call, parameters: Parameters) -> object:
    symbol = parameters.symbol()
    order_id, client_order_id = which(parameters)
    parameters.finish()
    row = spot.exchange.order(call.name, symbol, order_id=order_id, client_order_id=client_order_id)
    return orders_json.order(row, call.unit)


def open_orders(spot: SpotFront, call: Call, parameters: Parameters) -> object:
    symbol = parameters.optional_symbol()
    parameters.finish()
    return [orders_json.order(row, call.unit) for row in spot.exchange.open_orders(call.name, symbol)]


def open_orders_weight(parameters: Parameters) -> int:
    return 6 if parameters.peek("symbol") else 80


def all_orders(spot: SpotFront, call: Call, parameters: Parameters) -> object:
    symbol, order_id, limit = parameters.symbol(), parameters.integer("orderId"), parameters.limit("limit", 500, 1_000)
    start, end = parameters.span(_LONGEST_LOOKUP_HOURS)
    parameters.finish()
    rows = spot.exchange.all_orders(call.name, symbol, order_id=order_id, start=start, end=end, limit=limit)
    return [orders_json.order(row, call.unit) for row in rows]


def my_trades(spot: SpotFront, call: Call, parameters: Parameters) -> object:
    """From a trade, of an order (with or without a trade to start from), or of a stretch of time: not mixed otherwise."""
    symbol, limit = parameters.symbol(), parameters.limit("limit", 500, 1_000)
    order_id, from_id = parameters.integer("orderId"), parameters.integer("fromId")
    start, end = parameters.span(_LONGEST_LOOKUP_HOURS)
    parameters.finish()
    if (start is not None or end is not None) and (order_id is not None or from_id is not None):
        raise _BAD_COMBINATION
    rows = spot.exchange.my_trades(
        call.name, symbol, order_id=order_id, from_id=from_id, start=start, end=end, limit=limit
    )
    return [orders_json.my_trade(row, call.unit) for row in rows]


def my_trades_weight(parameters: Parameters) -> int:
    return 5 if parameters.peek("orderId") else 20


def amendments(spot: SpotFront, call: Call, parameters: Parameters) -> object:
    symbol, order_id = parameters.symbol(), parameters.must_integer("orderId")
    from_id, limit = parameters.integer("fromExecutionId"), parameters.limit("limit", 500, 1_000)
    parameters.finish()
    rows = spot.exchange.amendments(call.name, symbol, order_id=order_id, from_execution_id=from_id, limit=limit)
    return [orders_json.amendment(row, call.unit) for row in rows]


def prevented_matches(spot: SpotFront, call: Call, parameters: Parameters) -> object:
    """One by its id, or those of an order, from an id on."""
    symbol, limit = parameters.symbol(), parameters.limit("limit", 500, 1_000)
    match_id, order_id = parameters.integer("preventedMatchId"), parameters.integer("orderId")
    from_id = parameters.integer("fromPreventedMatchId")
    parameters.finish()
    if (match_id is None) == (order_id is None) or (from_id is not None and order_id is None):
        raise _BAD_COMBINATION
    rows = spot.exchange.prevented_matches(
        call.name, symbol, match_id=match_id, order_id=order_id, from_match_id=from_id, limit=limit
    )
    return [orders_json.prevented_match(row, call.unit) for row in rows]


def prevented_matches_weight(parameters: Parameters) -> int:
    return 20 if parameters.peek("orderId") else 2


def allocations(spot: SpotFront, call: Call, parameters: Parameters) -> object:
    """None: no instrument here is routed between books."""
    symbol = parameters.symbol()
    for name in ("orderId", "fromAllocationId"):
        parameters.integer(name)
    parameters.limit("limit", 500, 1_000)
    parameters.span(_LONGEST_LOOKUP_HOURS)
    parameters.finish()
    spot.exchange.spec(symbol)
    return []
