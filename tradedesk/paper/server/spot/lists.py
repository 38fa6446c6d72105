"""The operations on order lists: OCO, OTO, OTOCO, placed, queried and cancelled."""

from collections.abc import Callable

from tradedesk.paper.rows import NewList, Oco, Oto, Refusal
from tradedesk.paper.server.front import Call, Operation
from tradedesk.paper.server.parameters import Parameters
from tradedesk.paper.server.spot import order_form, orders_json
from tradedesk.paper.server.spot.front import SpotFront

_LONGEST_LOOKUP_HOURS = 24


def _placing(read: Callable[[Parameters], NewList]) -> Operation:
    def place(spot: SpotFront, call: Call, parameters: Parameters) -> object:
        new = read(parameters)
        kind = order_form.answer_kind(parameters, "RESULT")
        parameters.finish()
        count = 2 if isinstance(new, Oco | Oto) else 3
        spot.limits.check_orders(call.name, call.now, count)
        row = spot.exchange.place_list(call.name, new, call.now)
        spot.limits.add_order(call.name, call.now, count)
        return orders_json.placed_list(row, kind, call.unit)

    return place


place_oco = _placing(order_form.oco)
place_old_oco = _placing(order_form.old_oco)
place_oto = _placing(order_form.oto)
place_otoco = _placing(order_form.otoco)


def place_opo(spot: SpotFront, call: Call, parameters: Parameters) -> object:
    """One-pays-for-the-other lists are open on no instrument."""
    spot.exchange.spec(parameters.symbol())
    raise Refusal(-2010, "OPO orders are not supported for this symbol.")


def cancel(spot: SpotFront, call: Call, parameters: Parameters) -> object:
    symbol = parameters.symbol()
    list_id, list_client_id = _which(parameters, "listClientOrderId")
    cancel_id = parameters.client_order_id("newClientOrderId")
    parameters.finish()
    done = spot.exchange.cancel_list(
        call.name,
        symbol,
        call.now,
        order_list_id=list_id,
        list_client_order_id=list_client_id,
        new_client_order_id=cancel_id,
    )
    return orders_json.cancelled_list(done, call.unit)


def order_list(spot: SpotFront, call: Call, parameters: Parameters) -> object:
    list_id, list_client_id = _which(parameters, "origClientOrderId")
    parameters.finish()
    row = spot.exchange.order_list(call.name, order_list_id=list_id, list_client_order_id=list_client_id)
    return orders_json.order_list(row, call.unit)


def all_lists(spot: SpotFront, call: Call, parameters: Parameters) -> object:
    from_id, limit = parameters.integer("fromId"), parameters.limit("limit", 500, 1_000)
    start, end = parameters.span(_LONGEST_LOOKUP_HOURS)
    parameters.finish()
    rows = spot.exchange.order_lists(call.name, from_id=from_id, start=start, end=end, limit=limit)
    return [orders_json.order_list(row, call.unit) for row in rows]


def open_lists(spot: SpotFront, call: Call, parameters: Parameters) -> object:
    parameters.finish()
    return [orders_json.order_list(row, call.unit) for row in spot.exchange.open_order_lists(call.name)]


def _which(parameters: Parameters, client_name: str) -> tuple[int | None, str | None]:
    """By either id; the number goes first when both are sent."""
    list_id, client_id = parameters.integer("orderListId"), parameters.client_order_id(client_name)
    if list_id is None and client_id is None:
        raise Refusal(-1102, f"Param '{client_name}' or 'orderListId' must be sent, but both were empty/null!")
    return list_id, client_id if list_id is None else None
