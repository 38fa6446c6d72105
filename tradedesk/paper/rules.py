"""Whether an order is well formed and passes the instrument's filters: the checks that need no account and no book.

Codes and texts are the venue's (spot error page and filter page of 2026-07). Every check raises Refusal.
"""

import re
from decimal import Decimal

from msgspec import Struct

from tradedesk.paper.ledger import to_units
from tradedesk.paper.rows import Kind, NewOrder, Refusal, Spec

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


def check_client_id(client_id: str | None) -> None:
    if client_id is not None and not _CLIENT_ID.fullmatch(client_id):
        raise Refusal(
            -1100,
            "Illegal characters found in parameter 'newClientOrderId'; legal range is '^[\\.A-Z\\:/a-z0-9_-]{1,36}$'.",
        )


def check_parameters(order: NewOrder) -> None:
    """Which parameters an order of its kind must and must not have."""
    if order.side not in ("BUY", "SELL"):
        raise Refusal(-1117, "Invalid side.")
    check_client_id(order.client_order_id)
    if order.kind is Kind.MARKET:
        _not_required(order.price, "price")
        _not_required(order.time_in_force, "timeInForce")
        if order.quantity is None and order.quote_quantity is None:
            raise _missing("quantity")
        if order.quantity is not None and order.quote_quantity is not None:
            raise Refusal(-1128, "Combination of optional parameters invalid.")
    else:
        if order.kind is Kind.LIMIT_MAKER:
            _not_required(order.time_in_force, "timeInForce")
        elif order.time_in_force is None:
            raise _missing("timeInForce")
        elif order.time_in_force not in ("GTC", "IOC", "FOK"):
            raise Refusal(-1115, "Invalid timeInForce.")
        if order.quantity is None:
            raise _missing("quantity")
        if order.price is None:
            raise _missing("price")
        _not_required(order.quote_quantity, "quoteOrderQty")
    if order.kind not in (Kind.LIMIT, Kind.MARKET, Kind.LIMIT_MAKER):
        raise Refusal(-2010, f"{order.kind} orders are not open yet.")
    if order.stp_mode not in (None, "NONE"):
        raise Refusal(-2010, "This symbol does not allow the specified self-trade prevention mode.")


def check_filters(spec: Spec, grid: Grid, order: NewOrder, reference: Decimal | None) -> tuple[int, int, int]:
    """(price in ticks, quantity in lots, quote amount in units): 0 where the order has none.

    `reference` is the average price, None before anything traded or stood on the book: then nothing is measured by it.
    """
    price = _units(order.price, "price")
    quantity = _units(order.quantity, "quantity")
    amount = _units(order.quote_quantity, "quoteOrderQty")
    if order.price is not None:
        if order.price < spec.min_price or (spec.max_price and order.price > spec.max_price):
            raise refuse_filter("PRICE_FILTER")
        if price % grid.tick:
            raise refuse_filter("PRICE_FILTER")
        if reference is not None:
            buys = order.side == "BUY"
            up, down = (
                (spec.bid_multiplier_up, spec.bid_multiplier_down)
                if buys
                else (spec.ask_multiplier_up, spec.ask_multiplier_down)
            )
            if not reference * down <= order.price <= reference * up:
                raise refuse_filter("PERCENT_PRICE_BY_SIDE")
    if order.quantity is not None:
        if not spec.min_qty <= order.quantity <= spec.max_qty or quantity % grid.lot:
            raise refuse_filter("LOT_SIZE")
        if order.kind is Kind.MARKET and order.quantity > spec.max_market_qty:
            raise refuse_filter("MARKET_LOT_SIZE")
    _check_notional(spec, order, reference)
    return price // grid.tick, quantity // grid.lot, amount


def _check_notional(spec: Spec, order: NewOrder, reference: Decimal | None) -> None:
    """The maximum is not applied to market orders, as on the venue's spot instruments (applyMaxToMarket false)."""
    if order.kind is not Kind.MARKET:
        assert order.price is not None and order.quantity is not None  # noqa: PT018
        notional = order.price * order.quantity
        if notional < spec.min_notional or (spec.max_notional and notional > spec.max_notional):
            raise refuse_filter("NOTIONAL")
        return
    if order.quote_quantity is not None:
        if order.quote_quantity < spec.min_notional:
            raise refuse_filter("NOTIONAL")
    elif order.quantity is not None and reference is not None and reference * order.quantity < spec.min_notional:
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


def _missing(name: str) -> Refusal:
    return Refusal(-1102, f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed.")


def _not_required(value: object, name: str) -> None:
    if value is not None:
        raise Refusal(-1106, f"Parameter '{name}' sent when not required.")
