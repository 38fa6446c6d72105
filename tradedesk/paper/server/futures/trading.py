"""The order operations: placing, changing, cancelling, conditional orders, and the queries of both."""

from collections.abc import Callable

from tradedesk.paper.futures.rows import AlgoRow, OrderRow
from tradedesk.paper.rows import Refusal
from tradedesk.paper.server.front import Call
from tradedesk.paper.server.futures import order_parameters, orders_json
from tradedesk.paper.server.futures.front import FuturesFront
from tradedesk.paper.server.parameters import Parameters, invalid
from tradedesk.paper.server.render import Json, error

_WEEK = 7 * 24 * 3_600_000_000_000  # ns
MOST_PLACED, MOST_CANCELLED = 5, 10  # by one batch
_DONE = {"code": 200, "msg": "The operation of cancel all open order is done."}


def _order(futures: FuturesFront, row: OrderRow, unit: int) -> Json:
    return orders_json.order(row, futures.digits[row.symbol], unit)


def _result(futures: FuturesFront, row: OrderRow, unit: int) -> Json:
    return orders_json.placed(row, "RESULT", futures.digits[row.symbol], unit)


def _week(parameters: Parameters) -> tuple[int | None, int | None]:
    """From when to when (ns), no more than seven days apart."""
    start, end = parameters.span()
    if start is not None and end is not None and start > end:
        raise Refusal(-1023, "Start time is greater than end time.")
    if start is not None and end is not None and end - start > _WEEK:
        raise Refusal(-4165, "Maximum time interval is 7 days.")
    return start, end


# -- placing, changing, cancelling ----------------------------------------------------------------------------------------


def place(futures: FuturesFront, call: Call, parameters: Parameters) -> object:
    order = order_parameters.new_order(parameters)
    kind = order_parameters.answer_kind(parameters)
    parameters.finish()
    futures.limits.check_orders(call.name, call.now)
    row = futures.exchange.place(call.name, order, call.now)
    futures.limits.add_order(call.name, call.now)
    return orders_json.placed(row, kind, futures.digits[row.symbol], call.unit)


def test(futures: FuturesFront, call: Call, parameters: Parameters) -> object:
    order = order_parameters.new_order(parameters)
    order_parameters.answer_kind(parameters)
    parameters.finish()
    futures.exchange.check(call.name, order, call.now)
    return {}


def modify(futures: FuturesFront, call: Call, parameters: Parameters) -> object:
    change = order_parameters.modification(parameters)
    parameters.finish()
    futures.limits.check_orders(call.name, call.now)
    row = futures.exchange.modify(call.name, change, call.now)
    futures.limits.add_order(call.name, call.now)
    return _result(futures, row, call.unit)


def place_batch(futures: FuturesFront, call: Call, parameters: Parameters) -> object:
    return _each(futures, call, parameters, place)


def modify_batch(futures: FuturesFront, call: Call, parameters: Parameters) -> object:
    return _each(futures, call, parameters, modify)


def _each(
    futures: FuturesFront,
    call: Call,
    parameters: Parameters,
    operation: Callable[[FuturesFront, Call, Parameters], object],
) -> list[object]:
    """Every leg of a batch in turn, each with its own answer: a leg that is refused does not stop the others."""
    legs = order_parameters.batch(parameters, MOST_PLACED)
    parameters.finish()
    answers: list[object] = []
    for leg in legs:
        try:
            answers.append(operation(futures, call, leg))
        except Refusal as refusal:
            answers.append(error(refusal))
    return answers


def cancel(futures: FuturesFront, call: Call, parameters: Parameters) -> object:
    symbol = parameters.symbol()
    order_id, client_order_id = order_parameters.which(parameters)
    parameters.finish()
    row = futures.exchange.cancel(call.name, symbol, call.now, order_id=order_id, client_order_id=client_order_id)
    return _result(futures, row, call.unit)


def cancel_batch(futures: FuturesFront, call: Call, parameters: Parameters) -> object:
    symbol = parameters.symbol()
    ids, client_ids = order_parameters.order_ids(parameters), order_parameters.client_order_ids(parameters)
    parameters.finish()
    if not ids and not client_ids:
        raise Refusal(-1102, "Param 'origClientOrderIdList' or 'orderIdList' must be sent, but both were empty/null!")
    if len(ids) > MOST_CANCELLED or len(client_ids) > MOST_CANCELLED:
        raise Refusal(-4082, "Invalid number of batch orders.")
    rows = (
        futures.exchange.cancel_batch(call.name, symbol, call.now, order_ids=ids)
        if ids
        else futures.exchange.cancel_batch(call.name, symbol, call.now, client_order_ids=client_ids)
    )
    return [error(row) if isinstance(row, Refusal) else _result(futures, row, call.unit) for row in rows]


def cancel_all(futures: FuturesFront, call: Call, parameters: Parameters) -> object:
    symbol = parameters.symbol()
    parameters.finish()
    futures.exchange.cancel_all(call.name, symbol, call.now)
    return _DONE


def countdown_cancel_all(futures: FuturesFront, call: Call, parameters: Parameters) -> object:
    symbol, countdown = parameters.symbol(), parameters.integer("countdownTime")
    parameters.finish()
    if countdown is None:
        raise Refusal(-1102, "Mandatory parameter 'countdownTime' was not sent, was empty/null, or malformed.")
    futures.exchange.countdown_cancel_all(call.name, symbol, countdown, call.now)
    return {"symbol": symbol, "countdownTime": str(countdown)}


# -- queries --------------------------------------------------------------------------------------------------------------


def order(futures: FuturesFront, call: Call, parameters: Parameters) -> object:
    symbol = parameters.symbol()
    order_id, client_order_id = order_parameters.which(parameters)
    parameters.finish()
    row = futures.exchange.order(call.name, symbol, order_id=order_id, client_order_id=client_order_id)
    return _order(futures, row, call.unit)


def open_order(futures: FuturesFront, call: Call, parameters: Parameters) -> object:
    symbol = parameters.symbol()
    order_id, client_order_id = order_parameters.which(parameters)
    parameters.finish()
    row = futures.exchange.open_order(call.name, symbol, order_id=order_id, client_order_id=client_order_id)
    return _order(futures, row, call.unit)


def open_orders(futures: FuturesFront, call: Call, parameters: Parameters) -> object:
    symbol = parameters.optional_symbol()
    parameters.finish()
    return [_order(futures, row, call.unit) for row in futures.exchange.open_orders(call.name, symbol)]


def all_orders(futures: FuturesFront, call: Call, parameters: Parameters) -> object:
    symbol, order_id, limit = parameters.symbol(), parameters.integer("orderId"), parameters.limit("limit", 500, 1_000)
    start, end = _week(parameters)
    parameters.finish()
    rows = futures.exchange.all_orders(call.name, symbol, order_id=order_id, start=start, end=end, limit=limit)
    return [_order(futures, row, call.unit) for row in rows]


def user_trades(futures: FuturesFront, call: Call, parameters: Parameters) -> object:
    symbol, limit = parameters.symbol(), parameters.limit("limit", 500, 1_000)
    order_id, from_id = parameters.integer("orderId"), parameters.integer("fromId")
    start, end = _week(parameters)
    parameters.finish()
    if from_id is not None and (start is not None or end is not None):
        raise Refusal(-1128, "Combination of optional parameters invalid.")
    rows = futures.exchange.user_trades(
        call.name, symbol, order_id=order_id, from_id=from_id, start=start, end=end, limit=limit
    )
    return [orders_json.user_trade(row, futures.digits[symbol], call.unit) for row in rows]


def amendments(futures: FuturesFront, call: Call, parameters: Parameters) -> object:
    symbol, limit = parameters.symbol(), parameters.limit("limit", 50, 100)
    order_id, client_order_id = parameters.integer("orderId"), parameters.client_order_id("origClientOrderId")
    start, end = parameters.span()
    parameters.finish()
    rows = futures.exchange.amendments(
        call.name, symbol, order_id=order_id, client_order_id=client_order_id, start=start, end=end, limit=limit
    )
    return [orders_json.amendment(row, futures.digits[symbol], call.unit) for row in rows]


def force_orders(futures: FuturesFront, call: Call, parameters: Parameters) -> object:
    symbol, limit = parameters.optional_symbol(), parameters.limit("limit", 50, 100)
    kind = parameters.choice("autoCloseType", ("LIQUIDATION", "ADL"))
    start, end = parameters.span()
    parameters.finish()
    if kind == "ADL":  # the exchange does not deleverage
        return []
    rows = futures.exchange.force_orders(call.name, symbol=symbol, start=start, end=end, limit=limit)
    return [_order(futures, row.order, call.unit) for row in rows]


def open_orders_weight(parameters: Parameters) -> int:
    return 1 if parameters.peek("symbol") else 40


def force_orders_weight(parameters: Parameters) -> int:
    return 20 if parameters.peek("symbol") else 50


# -- conditional orders ---------------------------------------------------------------------------------------------------


def _algo(futures: FuturesFront, row: AlgoRow, unit: int) -> Json:
    return orders_json.algo(row, futures.digits[row.symbol], unit)


def place_algo(futures: FuturesFront, call: Call, parameters: Parameters) -> object:
    algo = order_parameters.new_algo(parameters)
    order_parameters.answer_kind(parameters)
    parameters.finish()
    futures.limits.check_orders(call.name, call.now)
    row = futures.exchange.place_algo(call.name, algo, call.now)
    futures.limits.add_order(call.name, call.now)
    return orders_json.algo_placed(row, futures.digits[row.symbol], call.unit)


def cancel_algo(futures: FuturesFront, call: Call, parameters: Parameters) -> object:
    algo_id, client_algo_id = _which_algo(parameters)
    parameters.optional_symbol()
    parameters.finish()
    row = futures.exchange.cancel_algo(call.name, call.now, algo_id=algo_id, client_algo_id=client_algo_id)
    return orders_json.algo_cancelled(row)


def cancel_all_algo(futures: FuturesFront, call: Call, parameters: Parameters) -> object:
    symbol = parameters.symbol()
    parameters.finish()
    futures.exchange.cancel_all_algo(call.name, symbol, call.now)
    return _DONE


def algo(futures: FuturesFront, call: Call, parameters: Parameters) -> object:
    algo_id, client_algo_id = _which_algo(parameters)
    parameters.optional_symbol()
    parameters.finish()
    row = futures.exchange.algo_order(call.name, algo_id=algo_id, client_algo_id=client_algo_id)
    return _algo(futures, row, call.unit)


def open_algos(futures: FuturesFront, call: Call, parameters: Parameters) -> object:
    symbol, algo_id = parameters.optional_symbol(), parameters.integer("algoId")
    parameters.choice("algoType", ("CONDITIONAL",))
    parameters.finish()
    rows = futures.exchange.open_algo_orders(call.name, symbol, algo_id=algo_id)
    return [_algo(futures, row, call.unit) for row in rows]


def all_algos(futures: FuturesFront, call: Call, parameters: Parameters) -> object:
    symbol, algo_id = parameters.symbol(), parameters.integer("algoId")
    page, limit = parameters.integer("page"), parameters.limit("limit", 500, 1_000)
    start, end = _week(parameters)
    parameters.finish()
    if page == 0:
        raise invalid("page")
    rows = futures.exchange.all_algo_orders(
        call.name, symbol, algo_id=algo_id, start=start, end=end, page=page, limit=limit
    )
    return [_algo(futures, row, call.unit) for row in rows]


def _which_algo(parameters: Parameters) -> tuple[int | None, str | None]:
    return order_parameters.which(parameters, "algoId", "clientAlgoId")
