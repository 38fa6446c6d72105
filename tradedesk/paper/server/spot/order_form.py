"""The orders and order lists of a request, as the client writes them: names, prefixes of legs, old forms and new.

What an order of its kind must have and what the instrument allows is the exchange's to judge; here is only the form.
"""

from functools import cache

from msgspec import Struct

from tradedesk.paper.rows import STP_MODES, Kind, NewOrder, Oco, Oto, Otoco, Refusal
from tradedesk.paper.server.parameters import Parameters

_KINDS = {kind.value: kind for kind in Kind}


class _Names(Struct, frozen=True, kw_only=True):
    """What the parameters of one leg are called."""

    type: str
    price: str
    time_in_force: str
    stop_price: str
    trailing_delta: str
    iceberg_qty: str
    strategy_id: str
    strategy_type: str
    pegs: tuple[str, ...]
    seldom: frozenset[str]  # those that most orders do without


@cache
def _names(prefix: str) -> _Names:
    def name(plain: str) -> str:
        return prefix + plain[0].upper() + plain[1:] if prefix else plain

    pegs = tuple(name(peg) for peg in ("pegPriceType", "pegOffsetType", "pegOffsetValue"))
    others = ("stopPrice", "trailingDelta", "icebergQty", "strategyId", "strategyType", "quoteOrderQty")
    return _Names(
        type=name("type"),
        price=name("price"),
        time_in_force=name("timeInForce"),
        stop_price=name("stopPrice"),
        trailing_delta=name("trailingDelta"),
        iceberg_qty=name("icebergQty"),
        strategy_id=name("strategyId"),
        strategy_type=name("strategyType"),
        pegs=pegs,
        seldom=frozenset(pegs) | {name(other) for other in others},
    )


def order(parameters: Parameters) -> NewOrder:
    """The one order of a request."""
    return _leg(
        parameters,
        _names(""),
        symbol=parameters.symbol(),
        side=_side(parameters, "side"),
        quantity="quantity",
        amount="quoteOrderQty",
        client_order_id="newClientOrderId",
        stp_mode=_stp_mode(parameters),
    )


def oco(parameters: Parameters) -> Oco:
    """`above...` and `below...`."""
    symbol, side, stp_mode = parameters.symbol(), _side(parameters, "side"), _stp_mode(parameters)
    parameters.must("quantity")
    above = _named(parameters, "above", symbol=symbol, side=side, quantity="quantity", stp_mode=stp_mode)
    below = _named(parameters, "below", symbol=symbol, side=side, quantity="quantity", stp_mode=stp_mode)
    return Oco(above=above, below=below, list_client_order_id=parameters.client_order_id("listClientOrderId"))


def old_oco(parameters: Parameters) -> Oco:
    """POST order/oco and orderList.place: a limit order, and a stop with or without a limit."""
    symbol, side, stp_mode = parameters.symbol(), _side(parameters, "side"), _stp_mode(parameters)
    quantity = parameters.must_decimal("quantity")
    limit_price, stop_limit = parameters.must_decimal("price"), parameters.decimal("stopLimitPrice")
    time_in_force = _time_in_force(parameters, "stopLimitTimeInForce")
    limit = NewOrder(
        symbol=symbol,
        side=side,
        kind=Kind.LIMIT_MAKER,
        quantity=quantity,
        price=limit_price,
        client_order_id=parameters.client_order_id("limitClientOrderId"),
        iceberg_qty=parameters.decimal("limitIcebergQty"),
        stp_mode=stp_mode,
        strategy_id=parameters.integer("limitStrategyId"),
        strategy_type=parameters.integer("limitStrategyType"),
    )
    stop = NewOrder(
        symbol=symbol,
        side=side,
        kind=Kind.STOP_LOSS if stop_limit is None else Kind.STOP_LOSS_LIMIT,
        quantity=quantity,
        price=stop_limit,
        time_in_force=time_in_force,
        client_order_id=parameters.client_order_id("stopClientOrderId"),
        stop_price=parameters.decimal("stopPrice"),
        trailing_delta=parameters.integer("trailingDelta"),
        iceberg_qty=parameters.decimal("stopIcebergQty"),
        stp_mode=stp_mode,
        strategy_id=parameters.integer("stopStrategyId"),
        strategy_type=parameters.integer("stopStrategyType"),
    )
    above, below = (stop, limit) if side == "BUY" else (limit, stop)
    return Oco(above=above, below=below, list_client_order_id=parameters.client_order_id("listClientOrderId"))


def oto(parameters: Parameters) -> Oto:
    """`working...` and `pending...`, each with a side and a quantity of its own."""
    symbol, stp_mode = parameters.symbol(), _stp_mode(parameters)
    working = _working(parameters, symbol, stp_mode)
    side = _side(parameters, "pendingSide")
    parameters.must("pendingQuantity")
    pending = _named(parameters, "pending", symbol=symbol, side=side, quantity="pendingQuantity", stp_mode=stp_mode)
    return Oto(working=working, pending=pending, list_client_order_id=parameters.client_order_id("listClientOrderId"))


def otoco(parameters: Parameters) -> Otoco:
    """`working...`, then `pendingAbove...` and `pendingBelow...` with one `pendingSide` and `pendingQuantity`."""
    symbol, stp_mode = parameters.symbol(), _stp_mode(parameters)
    working = _working(parameters, symbol, stp_mode)
    side = _side(parameters, "pendingSide")
    parameters.must("pendingQuantity")
    above, below = (
        _named(parameters, prefix, symbol=symbol, side=side, quantity="pendingQuantity", stp_mode=stp_mode)
        for prefix in ("pendingAbove", "pendingBelow")
    )
    return Otoco(
        working=working,
        pending_above=above,
        pending_below=below,
        list_client_order_id=parameters.client_order_id("listClientOrderId"),
    )


def answer_kind(parameters: Parameters, default: str) -> str:
    """ACK, RESULT or FULL."""
    return parameters.choice("newOrderRespType", ("ACK", "RESULT", "FULL")) or default


def cancel_restrictions(parameters: Parameters) -> str | None:
    asked = parameters.text("cancelRestrictions")
    if asked not in (None, "ONLY_NEW", "ONLY_PARTIALLY_FILLED"):
        raise Refusal(-1145, "Invalid cancelRestrictions")
    return asked


# -- legs -----------------------------------------------------------------------------------------------------------------


def _working(parameters: Parameters, symbol: str, stp_mode: str | None) -> NewOrder:
    side = _side(parameters, "workingSide")
    parameters.must("workingQuantity")
    return _named(parameters, "working", symbol=symbol, side=side, quantity="workingQuantity", stp_mode=stp_mode)


def _named(
    parameters: Parameters, prefix: str, *, symbol: str, side: str, quantity: str, stp_mode: str | None
) -> NewOrder:
    """A leg whose parameters begin with `prefix`."""
    return _leg(
        parameters,
        _names(prefix),
        symbol=symbol,
        side=side,
        quantity=quantity,
        client_order_id=f"{prefix}ClientOrderId",
        stp_mode=stp_mode,
    )


def _leg(
    parameters: Parameters,
    names: _Names,
    *,
    symbol: str,
    side: str,
    quantity: str,
    client_order_id: str,
    stp_mode: str | None,
    amount: str | None = None,
) -> NewOrder:
    """`names` are those that begin with the leg's prefix; the others are names as they are."""
    kind = _KINDS.get(parameters.must(names.type))
    if kind is None:
        raise Refusal(-1116, "Invalid orderType.")
    if not parameters.has_any(names.seldom):
        return NewOrder(
            symbol=symbol,
            side=side,
            kind=kind,
            quantity=parameters.decimal(quantity),
            price=parameters.decimal(names.price),
            time_in_force=_time_in_force(parameters, names.time_in_force),
            client_order_id=parameters.client_order_id(client_order_id),
            stp_mode=stp_mode,
        )
    for peg in names.pegs:
        if parameters.text(peg) is not None:
            raise Refusal(-2010, "Pegged orders are not supported for this symbol.")
    return NewOrder(
        symbol=symbol,
        side=side,
        kind=kind,
        quantity=parameters.decimal(quantity),
        quote_quantity=None if amount is None else parameters.decimal(amount),
        price=parameters.decimal(names.price),
        time_in_force=_time_in_force(parameters, names.time_in_force),
        client_order_id=parameters.client_order_id(client_order_id),
        stop_price=parameters.decimal(names.stop_price),
        trailing_delta=parameters.integer(names.trailing_delta),
        iceberg_qty=parameters.decimal(names.iceberg_qty),
        stp_mode=stp_mode,
        strategy_id=parameters.integer(names.strategy_id),
        strategy_type=parameters.integer(names.strategy_type),
    )


def _side(parameters: Parameters, name: str) -> str:
    side = parameters.must(name)
    if side not in ("BUY", "SELL"):
        raise Refusal(-1117, "Invalid side.")
    return side


def _time_in_force(parameters: Parameters, name: str) -> str | None:
    asked = parameters.text(name)
    if asked not in (None, "GTC", "IOC", "FOK"):
        raise Refusal(-1115, "Invalid timeInForce.")
    return asked


def _stp_mode(parameters: Parameters) -> str | None:
    return parameters.choice("selfTradePreventionMode", STP_MODES)
