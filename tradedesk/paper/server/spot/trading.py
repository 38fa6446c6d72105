"""The operations of an account: orders, queries, balances, listen keys. Who asks was settled before (`Call.account`)."""

from collections.abc import Callable

from tradedesk.paper.rows import Kind, NewOrder, Refusal
from tradedesk.paper.server.front import Call, HalfDone
from tradedesk.paper.server.parameters import Parameters, invalid
from tradedesk.paper.server.spot import orders_json
from tradedesk.paper.server.spot.front import SpotFront

_KINDS = frozenset(Kind)
_OTHER_KINDS = ("STOP_LOSS", "STOP_LOSS_LIMIT", "TAKE_PROFIT", "TAKE_PROFIT_LIMIT")
_STP_MODES = ("NONE", "EXPIRE_MAKER", "EXPIRE_TAKER", "EXPIRE_BOTH", "DECREMENT", "TRANSFER")


def _new_order(parameters: Parameters) -> NewOrder:
    """The order of a request; which parameters go together is the exchange's to judge."""
    symbol, side, kind = parameters.symbol(), parameters.must("side"), parameters.must("type")
    if side not in ("BUY", "SELL"):
        raise Refusal(-1117, "Invalid side.")
    if kind in _OTHER_KINDS:
        raise Refusal(
            -2010,
            f"{'Stop loss' if kind.startswith('STOP') else 'Take profit'} orders are not supported for this symbol.",
        )
    if kind not in _KINDS:
        raise Refusal(-1116, "Invalid orderType.")
    time_in_force = parameters.text("timeInForce")
    if time_in_force not in (None, "GTC", "IOC", "FOK"):
        raise Refusal(-1115, "Invalid timeInForce.")
    for name in ("stopPrice", "trailingDelta", "pegPriceType", "pegOffsetType", "pegOffsetValue"):
        if parameters.text(name) is not None:
            raise Refusal(-1106, f"Parameter '{name}' sent when not required.")
    if parameters.text("icebergQty") is not None:
        raise Refusal(-2010, "Iceberg orders are not supported for this symbol.")
    for name in ("strategyId", "strategyType"):  # the client's own marks; nothing here depends on them
        parameters.integer(name)
    return NewOrder(
        symbol=symbol,
        side=side,
        kind=Kind(kind),
        quantity=parameters.decimal("quantity"),
        quote_quantity=parameters.decimal("quoteOrderQty"),
        price=parameters.decimal("price"),
        time_in_force=time_in_force,
        client_order_id=parameters.client_order_id("newClientOrderId"),
        stp_mode=parameters.choice("selfTradePreventionMode", _STP_MODES) or "NONE",
    )


def _answer_kind(parameters: Parameters, order: NewOrder) -> str:
    """ACK, RESULT or FULL; unless told, FULL for what may trade at once."""
    asked = parameters.choice("newOrderRespType", ("ACK", "RESULT", "FULL"))
    return asked or ("ACK" if order.kind is Kind.LIMIT_MAKER else "FULL")


def place(spot: SpotFront, call: Call, parameters: Parameters) -> object:
    order = _new_order(parameters)
    kind = _answer_kind(parameters, order)
    parameters.finish()
    spot.limits.check_orders(call.name, call.now)
    row = spot.exchange.place(call.name, order, call.now)
    spot.limits.add_order(call.name, call.now)
    return orders_json.placed(row, kind, call.unit)


def test(spot: SpotFront, call: Call, parameters: Parameters) -> object:
    order = _new_order(parameters)
    _answer_kind(parameters, order)
    wants_rates = parameters.flag("computeCommissionRates")
    parameters.finish()
    spot.exchange.check(call.name, order, call.now)
    return orders_json.tested(spot.exchange.account_spec(call.name)) if wants_rates else {}


def test_weight(parameters: Parameters) -> int:
    return 20 if parameters.peek("computeCommissionRates") == "true" else 1


def _which(
    parameters: Parameters, id_name: str = "orderId", client_name: str = "origClientOrderId"
) -> tuple[int | None, str | None]:
    order_id, client_order_id = parameters.integer(id_name), parameters.client_order_id(client_name)
    if order_id is None and client_order_id is None:
        raise Refusal(-1102, f"Param '{client_name}' or '{id_name}' must be sent, but both were empty/null!")
    return order_id, client_order_id


def _restrictions(parameters: Parameters) -> str | None:
    return parameters.choice("cancelRestrictions", ("ONLY_NEW", "ONLY_PARTIALLY_FILLED"))


def cancel(spot: SpotFront, call: Call, parameters: Parameters) -> object:
    symbol = parameters.symbol()
    order_id, client_order_id = _which(parameters)
    cancel_id, restrictions = parameters.client_order_id("newClientOrderId"), _restrictions(parameters)
    parameters.finish()
    done = spot.exchange.cancel(
        call.name,
        symbol,
        call.now,
        order_id=order_id,
        client_order_id=client_order_id,
        new_client_order_id=cancel_id,
        restrictions=restrictions,
    )
    return orders_json.cancelled(done, call.unit)


def cancel_all(spot: SpotFront, call: Call, parameters: Parameters) -> object:
    symbol = parameters.symbol()
    parameters.finish()
    return [orders_json.cancelled(done, call.unit) for done in spot.exchange.cancel_all(call.name, symbol, call.now)]


def cancel_replace(spot: SpotFront, call: Call, parameters: Parameters) -> object:
    """Both legs fine, or HalfDone: 409 -2021 when one worked, 400 -2022 when none did."""
    order = _new_order(parameters)
    kind = _answer_kind(parameters, order)
    mode = parameters.must("cancelReplaceMode")
    if mode not in ("STOP_ON_FAILURE", "ALLOW_FAILURE"):
        raise invalid("cancelReplaceMode")
    order_id, client_order_id = _which(parameters, "cancelOrderId", "cancelOrigClientOrderId")
    cancel_id, restrictions = parameters.client_order_id("cancelNewClientOrderId"), _restrictions(parameters)
    parameters.choice("orderRateLimitExceededMode", ("DO_NOTHING", "CANCEL_ONLY"))
    parameters.finish()
    spot.limits.check_orders(call.name, call.now)
    done = spot.exchange.cancel_replace(
        call.name,
        order,
        call.now,
        stop_on_failure=mode == "STOP_ON_FAILURE",
        order_id=order_id,
        client_order_id=client_order_id,
        cancel_client_order_id=cancel_id,
        restrictions=restrictions,
    )
    both = orders_json.cancel_replaced(done, kind, call.unit)
    is_placed = done.new is not None and not isinstance(done.new, Refusal)
    is_cancelled = not isinstance(done.cancel, Refusal)
    if is_placed:
        spot.limits.add_order(call.name, call.now)
    if is_placed and is_cancelled:
        return both
    if is_placed or is_cancelled:
        raise HalfDone(-2021, "Order cancel-replace partially failed.", 409, both)
    raise HalfDone(-2022, "Order cancel-replace failed.", 400, both)


def order(spot: SpotFront, call: Call, parameters: Parameters) -> object:
    symbol = parameters.symbol()
    order_id, client_order_id = _which(parameters)
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
    start, end = parameters.time("startTime"), parameters.time("endTime")
    parameters.finish()
    rows = spot.exchange.all_orders(call.name, symbol, order_id=order_id, start=start, end=end, limit=limit)
    return [orders_json.order(row, call.unit) for row in rows]


def my_trades(spot: SpotFront, call: Call, parameters: Parameters) -> object:
    symbol, limit = parameters.symbol(), parameters.limit("limit", 500, 1_000)
    order_id, from_id = parameters.integer("orderId"), parameters.integer("fromId")
    start, end = parameters.time("startTime"), parameters.time("endTime")
    parameters.finish()
    rows = spot.exchange.my_trades(
        call.name, symbol, order_id=order_id, from_id=from_id, start=start, end=end, limit=limit
    )
    return [orders_json.my_trade(row, call.unit) for row in rows]


def my_trades_weight(parameters: Parameters) -> int:
    return 5 if parameters.peek("orderId") else 20


def account(spot: SpotFront, call: Call, parameters: Parameters) -> object:
    omits_zero = parameters.flag("omitZeroBalances")
    parameters.finish()
    held = spot.exchange.balances(call.name)
    if omits_zero:
        held = {asset: pair for asset, pair in held.items() if any(pair)}
    spec = spot.exchange.account_spec(call.name)
    return orders_json.account(spec, spot.commons.uids[call.name], held, call.now, call.unit)


def commission(spot: SpotFront, call: Call, parameters: Parameters) -> object:
    symbol = parameters.symbol()
    parameters.finish()
    spot.exchange.spec(symbol)
    return orders_json.commission(spot.exchange.account_spec(call.name), symbol)


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
