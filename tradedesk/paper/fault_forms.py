"""What a fault makes of an answer or an event: put words in its place, thin it, set fields of it, cross its book. Pure."""

from collections.abc import Mapping
from decimal import Decimal
from http import HTTPStatus
from typing import Any

from msgspec import Struct

from tradedesk.paper.faults import Fault

BOOK_EVENTS = ("depthUpdate", "depth", "bookTicker")

_STATUS = {  # venue code -> HTTP status; 400 where it is not here
    -1000: 500, -1001: 500, -1003: 429, -1006: 500, -1007: 408, -1008: 503, -1015: 429, -1016: 503, -2014: 401, -2015: 401,
}  # fmt: skip
_MESSAGES = {
    -1000: "An unknown error occurred while processing the request.",
    -1001: "Internal error; unable to process your request. Please try again.",
    -1002: "You are not authorized to execute this request.",
    -1003: "Too many requests; please use the websocket for live updates.",
    -1006: "An unexpected response was received from the message bus. Execution status unknown.",
    -1007: "Timeout waiting for response from backend server. Send status unknown; execution status unknown.",
    -1008: "Server is currently overloaded with other requests. Please try again in a few minutes.",
    -1013: "Filter failure: PRICE_FILTER",
    -1015: "Too many new orders; current limit is 100 orders per 10 SECOND.",
    -1016: "This service is no longer available.",
    -1021: "Timestamp for this request is outside of the recvWindow.",
    -1022: "Signature for this request is not valid.",
    -1121: "Invalid symbol.",
    -2010: "Account has insufficient balance for requested action.",
    -2011: "Unknown order sent.",
    -2013: "Order does not exist.",
    -2014: "API-key format invalid.",
    -2015: "Invalid API-key, IP, or permissions for action.",
    -2018: "Balance is insufficient.",
    -2019: "Margin is insufficient.",
    -2022: "ReduceOnly Order is rejected.",
    -4116: "ClientOrderId is duplicated.",
}
_CODES = {message: code for code, message in _MESSAGES.items()} | {
    "Duplicate order sent.": -2010,
    "Order would immediately match and take.": -2010,
    "Order would trigger immediately.": -2010,
    "Market is closed.": -2010,
}
_IDS = frozenset(
    ("orderId", "clientOrderId", "origClientOrderId", "orderListId", "listClientOrderId", "algoId", "clientAlgoId")
)


class Spoken(Struct, frozen=True, kw_only=True):
    """An answer that a fault puts in the place of the exchange's own."""

    status: int  # of HTTP
    code: int | None  # of the venue; None where the answer is no JSON of the venue's
    message: str
    text: str | None  # the body as it is; None for the venue's JSON of code and message
    headers: Mapping[str, str]


def spoken(terms: Mapping[str, Any]) -> Spoken:
    """What the terms of `say` and `did` mean."""
    answer, text, code, message = terms["answer"], None, None, ""
    if isinstance(answer, str) and answer in _CODES:
        code, message = _CODES[answer], answer
    elif isinstance(answer, str):
        text = answer
    elif answer < 0:
        code, message = answer, _MESSAGES.get(answer, "Refused.")
    elif answer in (418, 429):
        code, message = -1003, _MESSAGES[-1003]
    default = answer if isinstance(answer, int) and answer > 0 else _STATUS.get(code, 400) if code else 200
    if answer == "html":
        default = 403
    status: int = terms.get("status", default)
    reason = _reason(status)
    if answer == "html" or (isinstance(answer, int) and answer > 0 and code is None):
        text = (
            "" if status < 400 else f"<html><head><title>{status} {reason}</title></head><body>{reason}</body></html>"
        )
    headers = {}
    if "url" in terms:
        headers["Location"] = terms["url"]
    if "retry_after" in terms:
        headers["Retry-After"] = str(terms["retry_after"])
    return Spoken(status=status, code=code, message=message or reason, text=text, headers=headers)


def _reason(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unknown"


def changed(fault: Fault, result: object) -> object:
    """The result of a request as `thin` or `alter` leave it; any other kind leaves it alone."""
    match fault.kind:
        case "thin":
            return thin(result)
        case "alter":
            return altered(result, fault.terms["set"])
        case _:
            return result


def thin(result: object) -> object:
    """Of an answer about orders only the ids, as OKX and Bybit give; of anything else, itself."""
    if isinstance(result, list):
        return [thin(each) for each in result]
    if isinstance(result, dict):
        if "orders" in result and "orderListId" in result:
            return {name: result[name] for name in result if name in _IDS} | {"orders": thin(result["orders"])}
        ids = {name: value for name, value in result.items() if name in _IDS}
        return ids or {name: thin(value) for name, value in result.items()}
    return result


def altered(value: object, settings: Mapping[str, object]) -> object:
    """A copy with these fields set. A name is a path: `p`, `o.L`, `b.0.1`; one that leads nowhere changes nothing."""
    for path, new in settings.items():
        value = _with(value, path.split("."), new)
    return value


def _with(value: object, path: list[str], new: object) -> object:
    head, rest = path[0], path[1:]
    if isinstance(value, dict):
        if rest and head not in value:
            return value
        return value | {head: _with(value[head], rest, new) if rest else new}
    if (
        isinstance(value, list | tuple)
        and head.isascii()
        and head.isdigit()
        and len(head) < 7
        and int(head) < len(value)
    ):
        copy = list(value)
        copy[int(head)] = _with(copy[int(head)], rest, new) if rest else new
        return copy
    return value


def crossed(event: Mapping[str, Any]) -> dict[str, Any]:
    """The event (or depth answer) with a bid at the price of an ask or above."""
    names = next((pair for pair in (("bids", "asks"), ("b", "a")) if pair[0] in event and pair[1] in event), None)
    if names is None:
        if "bidPrice" in event:
            return {**event, "bidPrice": event["askPrice"], "askPrice": event["bidPrice"]}
        return dict(event)
    bids, asks = event[names[0]], event[names[1]]
    if not isinstance(bids, list | tuple):  # a best price: one number a side
        return {**event, names[0]: asks, names[1]: bids}
    levels = [level for level in (*bids, *asks) if Decimal(level[1]) > 0] or [*bids, *asks]
    if not levels:
        return dict(event)
    wrong = max(asks, key=lambda level: Decimal(level[0])) if asks else max(levels, key=lambda level: Decimal(level[0]))
    price = wrong[0] if asks else _above(wrong[0])
    quantity = levels[0][1] if Decimal(levels[0][1]) > 0 else _one_like(levels[0][1])
    return {**event, names[0]: [[price, quantity], *bids]}


def _above(price: str) -> str:
    """A tenth above, in the same form."""
    number = Decimal(price)
    step = Decimal(1).scaleb(number.normalize().as_tuple().exponent)  # type: ignore[arg-type]
    return str((number * Decimal("1.1")).quantize(max(step, Decimal("0.00000001"))).quantize(number))


def _one_like(quantity: str) -> str:
    return str(Decimal(1).quantize(Decimal(quantity)))
