"""The operations that place, change and end single orders. Who asks was settled before (`Call.account`)."""

from tradedesk.paper.rows import Cancelled, CancelReplaced, Kind, NewOrder, OrderRow, PreventedMatch, Refusal
from tradedesk.paper.server.front import Call, HalfDone
from tradedesk.paper.server.limits import TooMany
from tradedesk.paper.server.parameters import Parameters, invalid
from tradedesk.paper.server.spot import order_form, orders_json
from tradedesk.paper.server.spot.front import SpotFront


def _answer_kind(parameters: Parameters, order: NewOrder) -> str:
    """Unless told, FULL for what may trade at once."""
    return order_form.answer_kind(parameters, "FULL" if order.kind in (Kind.LIMIT, Kind.MARKET) else "ACK")


def place(spot: SpotFront, call: Call, parameters: Parameters) -> object:
    order = order_form.order(parameters)
    kind = _answer_kind(parameters, order)
    parameters.finish()
    name, now = call.name, call.now
    spot.limits.check_orders(name, now)
    row = spot.exchange.place(name, order, now)
    spot.limits.add_order(name, now)
    return orders_json.placed(row, kind, call.unit, _prevented(spot, call, row))


def _prevented(spot: SpotFront, call: Call, row: OrderRow) -> list[PreventedMatch]:
    """Matches of the new order that self-trade prevention stopped."""
    if row.stp_mode == "NONE":
        return []
    found = spot.exchange.prevented_matches(call.name, row.symbol, order_id=row.order_id)
    return [match for match in found if match.taker_order_id == row.order_id]


def test(spot: SpotFront, call: Call, parameters: Parameters) -> object:
    order = order_form.order(parameters)
    _answer_kind(parameters, order)
    wants_rates = parameters.flag("computeCommissionRates")
    parameters.finish()
    spot.exchange.check(call.name, order, call.now)
    return orders_json.tested(spot.exchange.account_spec(call.name)) if wants_rates else {}


def test_weight(parameters: Parameters) -> int:
    return 20 if (parameters.peek("computeCommissionRates") or "").lower() == "true" else 1


def routed(spot: SpotFront, call: Call, parameters: Parameters) -> object:
    """sor/order and its test: no instrument here is routed between books, so the order is read and refused."""
    order = order_form.order(parameters)
    order_form.answer_kind(parameters, "FULL")
    parameters.flag("computeCommissionRates")
    parameters.finish()
    spot.exchange.spec(order.symbol)
    raise Refusal(-1013, "SOR is not available for this symbol.")


def which(
    parameters: Parameters, id_name: str = "orderId", client_name: str = "origClientOrderId"
) -> tuple[int | None, str | None]:
    """The order a request names, by either id."""
    order_id, client_order_id = parameters.integer(id_name), parameters.client_order_id(client_name)
    if order_id is None and client_order_id is None:
        raise Refusal(-1102, f"Param '{client_name}' or '{id_name}' must be sent, but both were empty/null!")
    return order_id, client_order_id


def cancel(spot: SpotFront, call: Call, parameters: Parameters) -> object:
    symbol = parameters.symbol()
    order_id, client_order_id = which(parameters)
    cancel_id = parameters.client_order_id("newClientOrderId")
    restrictions = order_form.cancel_restrictions(parameters)
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
    return orders_json.all_cancelled(spot.exchange.cancel_all(call.name, symbol, call.now), call.unit)


def cancel_replace(spot: SpotFront, call: Call, parameters: Parameters) -> object:
    """Both legs fine, or HalfDone: 409 -2021 when one worked, 400 -2022 when none did."""
    order = order_form.order(parameters)
    kind = _answer_kind(parameters, order)
    mode = parameters.must("cancelReplaceMode")
    if mode not in ("STOP_ON_FAILURE", "ALLOW_FAILURE"):
        raise invalid("cancelReplaceMode")
    order_id, client_order_id = which(parameters, "cancelOrderId", "cancelOrigClientOrderId")
    cancel_id = parameters.client_order_id("cancelNewClientOrderId")
    restrictions = order_form.cancel_restrictions(parameters)
    cancels_over_limit = parameters.choice("orderRateLimitExceededMode", ("DO_NOTHING", "CANCEL_ONLY")) == "CANCEL_ONLY"
    parameters.finish()
    stops = mode == "STOP_ON_FAILURE"
    over: TooMany | None = None
    try:
        spot.limits.check_orders(call.name, call.now)
    except TooMany as too_many:
        if not cancels_over_limit:
            raise
        over = too_many
    if over is None:
        done = spot.exchange.cancel_replace(
            call.name,
            order,
            call.now,
            stop_on_failure=stops,
            order_id=order_id,
            client_order_id=client_order_id,
            cancel_client_order_id=cancel_id,
            restrictions=restrictions,
        )
        spot.limits.add_order(call.name, call.now)  # a new order that was not attempted counts too
    else:
        cancel: Cancelled | Refusal
        try:
            cancel = spot.exchange.cancel(
                call.name,
                order.symbol,
                call.now,
                order_id=order_id,
                client_order_id=client_order_id,
                new_client_order_id=cancel_id,
                restrictions=restrictions,
            )
        except Refusal as refusal:
            cancel = refusal
        not_attempted = isinstance(cancel, Refusal) and stops
        done = CancelReplaced(cancel=cancel, new=None if not_attempted else over)
    is_placed, is_cancelled = isinstance(done.new, OrderRow), isinstance(done.cancel, Cancelled)
    prevented = _prevented(spot, call, done.new) if isinstance(done.new, OrderRow) else []
    both = orders_json.cancel_replaced(done, kind, call.unit, prevented)
    if is_placed and is_cancelled:
        return both
    if is_placed or is_cancelled:
        raise HalfDone(-2021, "Order cancel-replace partially failed.", 409, both)
    raise HalfDone(-2022, "Order cancel-replace failed.", 429 if over is not None and done.new is None else 400, both)


def amend(spot: SpotFront, call: Call, parameters: Parameters) -> object:
    symbol = parameters.symbol()
    order_id, client_order_id = which(parameters)
    new_id, new_qty = parameters.client_order_id("newClientOrderId"), parameters.must_decimal("newQty")
    parameters.finish()
    done = spot.exchange.amend_keep_priority(
        call.name,
        symbol,
        call.now,
        new_qty=new_qty,
        order_id=order_id,
        client_order_id=client_order_id,
        new_client_order_id=new_id,
    )
    return orders_json.amended(done, call.unit)
