"""Whether an order is well formed and passes the instrument's filters: the checks that need no account and no book.

Codes and texts are the venue's (spot error page and filter page of 2026-07). Every check raises Refusal.
"""

import re
from decimal import Decimal

from msgspec import Struct

from tradedesk.paper.ledger import to_units
from tradedesk.paper.rows import STP_MODES, Kind, NewOrder, Refusal, Spec

STOP_KINDS = frozenset((Kind.STOP_LOSS, Kind.STOP_LOSS_LIMIT, Kind.TAKE_PROFIT, Kind.TAKE_PROFIT_LIMIT))
MARKET_KINDS = frozenset((Kind.MARKET, Kind.STOP_LOSS, Kind.TAKE_PROFIT))  # no price of their own

_CLIENT_ID = re.compile(r"[.A-Z:/a-z0-9_-]{1,36}", re.ASCII)


def refuse_filter(name: str) -> Refusal:
    return Refusal(-1013, f"Filter failure: {name}")


class Grid(Struct, frozen=True, kw_only=True):
    """One instrument's steps as whole units of 1e-8."""

    tick: int  # quote units
    lot: int  # base units
    tick_lot: int  # quote units of one tick x one lot

    @staticmethod
    def of(spec: Spec) -> "Grid":
        tick, lot = to_units(spec.tick), to_units(spec.lot)
        tick_lot = to_units(spec.tick * spec.lot)
        if not tick or not lot or not tick_lot:
            raise ValueError(f"{spec.symbol}: tick {spec.tick} times lot {spec.lot} must be a multiple of 0.00000001")
        return Grid(tick=tick, lot=lot, tick_lot=tick_lot)


def check_client_id(client_id: str | None, name: str = "newClientOrderId") -> None:
    if client_id is not None and not _CLIENT_ID.fullmatch(client_id):
        raise Refusal(
            -1100,
            f"Illegal characters found in parameter '{name}'; legal range is '^[\\.A-Z\\:/a-z0-9_-]{{1,36}}$'.",
        )


class Units(Struct, frozen=True):
    """The amounts of an order in whole units of 1e-8; 0 where it has none."""

    price: int
    quantity: int
    amount: int  # quote
    stop: int
    peak: int  # what shows of an iceberg


def check_parameters(order: NewOrder, leg: str = "") -> None:
    """Which parameters an order of its kind must and must not have. `leg` stands before their names in a list's request."""
    if order.side not in ("BUY", "SELL"):
        raise Refusal(-1117, "Invalid side.")
    if order.client_order_id is not None:
        check_client_id(order.client_order_id, f"{leg}ClientOrderId" if leg else "newClientOrderId")
    kind = order.kind
    if kind in MARKET_KINDS:
        if order.price is not None:
            raise _not_required("price", leg)
        if order.time_in_force is not None:
            raise _not_required("timeInForce", leg)
        if order.iceberg_qty is not None:
            raise _not_required("icebergQty", leg)
    else:
        if kind is Kind.LIMIT_MAKER:
            if order.time_in_force is not None:
                raise _not_required("timeInForce", leg)
        elif order.time_in_force is None:
            raise missing("timeInForce", leg)
        elif order.time_in_force not in ("GTC", "IOC", "FOK"):
            raise Refusal(-1115, "Invalid timeInForce.")
        elif order.iceberg_qty is not None and order.time_in_force != "GTC":
            raise Refusal(-1014, "Unsupported order combination.")
        if order.quantity is None:
            raise missing("quantity", leg)
        if order.price is None:
            raise missing("price", leg)
    if kind is Kind.MARKET:
        if order.quantity is None and order.quote_quantity is None:
            raise missing("quantity", leg)
        if order.quantity is not None and order.quote_quantity is not None:
            raise Refusal(-1128, "Combination of optional parameters invalid.")
    else:
        if order.quantity is None:
            raise missing("quantity", leg)
        if order.quote_quantity is not None:
            raise _not_required("quoteOrderQty", leg)
    if kind not in STOP_KINDS:
        if order.stop_price is not None:
            raise _not_required("stopPrice", leg)
        if order.trailing_delta is not None:
            raise _not_required("trailingDelta", leg)
    elif order.stop_price is None and order.trailing_delta is None:
        stop, trailing = _named("stopPrice", leg), _named("trailingDelta", leg)
        raise Refusal(-1102, f"Param '{stop}' or '{trailing}' must be sent, but both were empty/null!")
    if order.strategy_type is not None and order.strategy_type < 1_000_000:
        raise Refusal(-1134, f"{_named('strategyType', leg)} was less than 1000000.")
    if order.stp_mode is not None and order.stp_mode not in STP_MODES:
        raise Refusal(-1130, "Data sent for parameter 'selfTradePreventionMode' is not valid.")


def check_filters(spec: Spec, grid: Grid, order: NewOrder, reference: Decimal | None) -> Units:
    """The order's amounts. `grid` is that of the filters.

    `reference` is the average price, None before anything traded or stood on the book: then nothing is measured by it.
    """
    if order.stp_mode is not None and order.stp_mode not in spec.stp_modes:
        raise Refusal(-1013, "This symbol does not allow the specified self-trade prevention mode.")
    price = _units(order.price, "price")
    quantity = _units(order.quantity, "quantity")
    amount = 0 if order.quote_quantity is None else _units(order.quote_quantity, "quoteOrderQty")
    if order.price is not None:
        _check_price(spec, grid, order.price, price)
        if reference is not None:
            up, down = (
                (spec.bid_multiplier_up, spec.bid_multiplier_down)
                if order.side == "BUY"
                else (spec.ask_multiplier_up, spec.ask_multiplier_down)
            )
            if not reference * down <= order.price <= reference * up:
                raise refuse_filter("PERCENT_PRICE_BY_SIDE")
    if order.quantity is not None:
        if not spec.min_qty <= order.quantity <= spec.max_qty or quantity % grid.lot:
            raise refuse_filter("LOT_SIZE")
        if order.kind in MARKET_KINDS:
            _check_market_lot(spec, order.quantity)
    stop = peak = 0
    if order.kind in STOP_KINDS:
        stop = _check_trigger(spec, grid, order)
    if order.iceberg_qty is not None:
        peak = _check_iceberg(spec, grid, order.iceberg_qty, quantity)
    _check_notional(spec, order, reference)
    return Units(price, quantity, amount, stop, peak)


def check_amend(spec: Spec, grid: Grid, price: Decimal, new_qty: Decimal) -> int:
    """The new quantity in units. `price` is 0 for what has none."""
    quantity = _units(new_qty, "newQty")
    if not spec.min_qty <= new_qty <= spec.max_qty or quantity % grid.lot:
        raise refuse_filter("LOT_SIZE")
    if price and price * new_qty < spec.min_notional:
        raise refuse_filter("NOTIONAL")
    return quantity


def _check_market_lot(spec: Spec, quantity: Decimal) -> None:
    if not spec.min_market_qty <= quantity <= spec.max_market_qty or (spec.market_lot and quantity % spec.market_lot):
        raise refuse_filter("MARKET_LOT_SIZE")


def _check_price(spec: Spec, grid: Grid, price: Decimal, units: int) -> None:
    if price < spec.min_price or (spec.max_price and price > spec.max_price) or units % grid.tick:
        raise refuse_filter("PRICE_FILTER")


def _check_trigger(spec: Spec, grid: Grid, order: NewOrder) -> int:
    """The stop price in units, 0 if the order only trails."""
    stop = _units(order.stop_price, "stopPrice")
    if order.stop_price is not None:
        _check_price(spec, grid, order.stop_price, stop)
    if order.trailing_delta is not None:
        is_above = (order.side == "BUY") == (order.kind in (Kind.STOP_LOSS, Kind.STOP_LOSS_LIMIT))
        least, most = (
            (spec.min_trailing_above, spec.max_trailing_above)
            if is_above
            else (spec.min_trailing_below, spec.max_trailing_below)
        )
        if not max(least, 1) <= order.trailing_delta <= most:
            raise refuse_filter("TRAILING_DELTA")
    return stop


def _check_iceberg(spec: Spec, grid: Grid, shown: Decimal, quantity: int) -> int:
    """What shows of an iceberg, in units; 0 if that is all of it."""
    if not spec.iceberg_parts:
        raise Refusal(-2010, "Iceberg orders are not supported for this symbol.")
    peak = _units(shown, "icebergQty")
    if not spec.min_qty <= shown <= spec.max_qty or peak % grid.lot:
        raise refuse_filter("LOT_SIZE")
    if peak > quantity:
        raise Refusal(-2010, "IcebergQty exceeds QTY.")
    if -(-quantity // peak) > spec.iceberg_parts:
        raise refuse_filter("ICEBERG_PARTS")
    return peak


def _check_notional(spec: Spec, order: NewOrder, reference: Decimal | None) -> None:
    """The maximum is not applied to market orders, as on the venue's spot instruments (applyMaxToMarket false)."""
    if order.quote_quantity is not None:
        if order.quote_quantity < spec.min_notional:
            raise refuse_filter("NOTIONAL")
        return
    assert order.quantity is not None
    if order.price is not None:
        notional = order.price * order.quantity
        if notional < spec.min_notional or (spec.max_notional and notional > spec.max_notional):
            raise refuse_filter("NOTIONAL")
    elif reference is not None and reference * order.quantity < spec.min_notional:
        raise refuse_filter("NOTIONAL")


def _units(value: Decimal | None, name: str) -> int:
    if value is None:
        return 0
    if value <= 0:
        raise Refusal(-1013, f"Invalid {name}.")
    units = to_units(value)
    if units is None:
        raise Refusal(-1111, f"Parameter '{name}' has too much precision.")
    return units


def missing(name: str, leg: str = "") -> Refusal:
    return Refusal(-1102, f"Mandatory parameter '{_named(name, leg)}' was not sent, was empty/null, or malformed.")


def _not_required(name: str, leg: str) -> Refusal:
    return Refusal(-1106, f"Parameter '{_named(name, leg)}' sent when not required.")


def _named(name: str, leg: str) -> str:
    """quantity, or pendingQuantity."""
    return leg + name[0].upper() + name[1:] if leg else name
