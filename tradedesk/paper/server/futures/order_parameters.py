"""Orders as clients send them, on either door and in a batch: from parameters to the values of the exchange."""

import json

from tradedesk.paper.futures.rows import Modify, NewAlgo, NewOrder, Type
from tradedesk.paper.rows import Refusal
from tradedesk.paper.server.futures.market_json import TIMES_IN_FORCE
from tradedesk.paper.server.parameters import Parameters, invalid

_TYPES = frozenset(Type)
_STP_MODES = ("NONE", "EXPIRE_TAKER", "EXPIRE_MAKER", "EXPIRE_BOTH")
_PRICE_MATCHES = (
    "NONE", "OPPONENT", "OPPONENT_5", "OPPONENT_10", "OPPONENT_20", "QUEUE", "QUEUE_5", "QUEUE_10", "QUEUE_20",
)  # fmt: skip
_WORKING_TYPES = ("CONTRACT_PRICE", "MARK_PRICE")
POSITION_SIDES = ("BOTH", "LONG", "SHORT")


def side_of(parameters: Parameters) -> str:
    side = parameters.must("side")
    if side not in ("BUY", "SELL"):
        raise Refusal(-1117, "Invalid side.")
    return side


def position_side_of(parameters: Parameters) -> str:
    return parameters.choice("positionSide", POSITION_SIDES) or "BOTH"


def flag(parameters: Parameters, name: str) -> bool:
    """In any letter case: clients in Python send True and False as they print, and the venue takes them."""
    text = parameters.text(name)
    if text is not None and text.lower() not in ("true", "false"):
        raise invalid(name)
    return text is not None and text.lower() == "true"


def _type_of(parameters: Parameters) -> Type:
    text = parameters.must("type")
    if text not in _TYPES:
        raise Refusal(-1116, "Invalid orderType.")
    return Type(text)


def _time_in_force_of(parameters: Parameters) -> str | None:
    text = parameters.text("timeInForce")
    if text is not None and text not in TIMES_IN_FORCE:
        raise Refusal(-1115, "Invalid timeInForce.")
    return text


def _reduce_only_of(parameters: Parameters) -> bool | None:
    return None if parameters.text("reduceOnly") is None else flag(parameters, "reduceOnly")


def new_order(parameters: Parameters) -> NewOrder:
    """The order of a request; which parameters go together is the exchange's to judge."""
    return NewOrder(
        symbol=parameters.symbol(),
        side=side_of(parameters),
        type=_type_of(parameters),
        quantity=parameters.decimal("quantity"),
        price=parameters.decimal("price"),
        time_in_force=_time_in_force_of(parameters),
        position_side=position_side_of(parameters),
        reduce_only=_reduce_only_of(parameters),
        close_position=flag(parameters, "closePosition"),
        stop_price=parameters.decimal("stopPrice"),
        activation_price=parameters.decimal("activationPrice"),
        callback_rate=parameters.decimal("callbackRate"),
        working_type=parameters.choice("workingType", _WORKING_TYPES) or "CONTRACT_PRICE",
        price_protect=flag(parameters, "priceProtect"),
        price_match=parameters.choice("priceMatch", _PRICE_MATCHES) or "NONE",
        stp_mode=parameters.choice("selfTradePreventionMode", _STP_MODES) or "NONE",
        good_till_date=parameters.time("goodTillDate"),
        client_order_id=parameters.client_order_id("newClientOrderId"),
    )


def answer_kind(parameters: Parameters) -> str:
    """ACK unless told: what was taken, not what became of it."""
    return parameters.choice("newOrderRespType", ("ACK", "RESULT")) or "ACK"


def modification(parameters: Parameters) -> Modify:
    order_id, client_order_id = which(parameters)
    return Modify(
        symbol=parameters.symbol(),
        side=side_of(parameters),
        quantity=parameters.decimal("quantity"),
        price=parameters.decimal("price"),
        price_match=parameters.choice("priceMatch", _PRICE_MATCHES) or "NONE",
        order_id=order_id,
        client_order_id=client_order_id,
    )


def new_algo(parameters: Parameters) -> NewAlgo:
    """A conditional order. Clients name the activation price of a trailing one in two ways."""
    if parameters.must("algoType") != "CONDITIONAL":
        raise invalid("algoType")
    activation = parameters.decimal("activatePrice")
    older_name = parameters.decimal("activationPrice")
    return NewAlgo(
        symbol=parameters.symbol(),
        side=side_of(parameters),
        type=_type_of(parameters),
        quantity=parameters.decimal("quantity"),
        price=parameters.decimal("price"),
        trigger_price=parameters.decimal("triggerPrice"),
        time_in_force=_time_in_force_of(parameters),
        position_side=position_side_of(parameters),
        reduce_only=_reduce_only_of(parameters),
        close_position=flag(parameters, "closePosition"),
        activation_price=older_name if activation is None else activation,
        callback_rate=parameters.decimal("callbackRate"),
        working_type=parameters.choice("workingType", _WORKING_TYPES) or "CONTRACT_PRICE",
        price_protect=flag(parameters, "priceProtect"),
        price_match=parameters.choice("priceMatch", _PRICE_MATCHES) or "NONE",
        stp_mode=parameters.choice("selfTradePreventionMode", _STP_MODES) or "NONE",
        good_till_date=parameters.time("goodTillDate"),
        client_algo_id=parameters.client_order_id("clientAlgoId"),
    )


def which(
    parameters: Parameters, id_name: str = "orderId", client_name: str = "origClientOrderId"
) -> tuple[int | None, str | None]:
    """The order that is meant, by either id."""
    order_id, client_order_id = parameters.integer(id_name), parameters.client_order_id(client_name)
    if order_id is None and client_order_id is None:
        raise Refusal(-1102, f"Param '{client_name}' or '{id_name}' must be sent, but both were empty/null!")
    return order_id, client_order_id


def batch(parameters: Parameters, most: int) -> list[Parameters]:
    """The orders of `batchOrders`, a JSON array of objects; each is read as a request of its own (-4082 if too many)."""
    parameters.must("batchOrders")
    legs = _array(parameters, "batchOrders")
    if not legs or len(legs) > most:
        raise Refusal(-4082, "Invalid number of batch orders.")
    return [_leg(leg) for leg in legs]


def _leg(leg: object) -> Parameters:
    if not isinstance(leg, dict):
        raise invalid("batchOrders")
    return Parameters({str(name): _text(value) for name, value in leg.items() if value is not None})


def order_ids(parameters: Parameters) -> list[int]:
    """The venue takes the name in either spelling, and clients use both."""
    ids = _array(parameters, "orderIdList") + _array(parameters, "orderidlist")
    if not all(str(each).isascii() and str(each).isdecimal() and len(str(each)) < 20 for each in ids):
        raise invalid("orderIdList")
    return [int(str(each)) for each in ids]


def client_order_ids(parameters: Parameters) -> list[str]:
    ids = _array(parameters, "origClientOrderIdList") + _array(parameters, "origclientorderidlist")
    if not all(isinstance(each, str) for each in ids):
        raise invalid("origClientOrderIdList")
    return [str(each) for each in ids]


def _array(parameters: Parameters, name: str) -> list[object]:
    """The JSON array of a parameter, numbers as they were written; empty if it was not sent."""
    text = parameters.text(name)
    if text is None:
        return []
    try:
        found = json.loads(text, parse_float=str, parse_int=str, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise invalid(name) from None
    if not isinstance(found, list):
        raise invalid(name)
    return found


def _no_constant(name: str) -> object:
    raise ValueError(f"{name} is not JSON")


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else json.dumps(value)
