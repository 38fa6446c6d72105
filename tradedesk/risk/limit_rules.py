"""Rules of the Gate about the limits of one account: each figure, and who set it."""

from decimal import Decimal

from msgspec import Struct

from tradedesk.domain.gate import Denial
from tradedesk.domain.instruments import Instrument
from tradedesk.domain.limits import Effective
from tradedesk.domain.money import plain, to_places
from tradedesk.domain.words import Side
from tradedesk.risk.case import BPS, ZERO, Case, no


def max_order_qty(case: Case, instrument: Instrument, limits: Effective) -> Denial | None:
    qty = case.order.order_qty
    if limits.max_order_qty is None or qty <= limits.max_order_qty or case.is_flattening:
        return None
    text = f"quantity {plain(qty)} {instrument.base} is above the limit {plain(limits.max_order_qty)} for one order"
    return no("max_order_qty", text, limits.max_order_qty, qty, limits.source("max_order_qty"))


def max_order_notional(case: Case, instrument: Instrument, limits: Effective) -> Denial | None:
    if case.price is None:
        return None
    notional = case.order.order_qty * case.price
    if notional <= limits.max_order_notional or case.is_flattening:
        return None
    text = f"notional {plain(notional)} {instrument.quote} is above the limit {plain(limits.max_order_notional)} for one order"
    return no("max_order_notional", text, limits.max_order_notional, notional, limits.source("max_order_notional"))


class Distance(Struct, frozen=True, kw_only=True):
    """How far a price is from a price of the market, and the limit that counts for it."""

    bps: Decimal
    reference: Decimal
    most: Decimal
    figure: str  # of the limits


def from_market(case: Case, limits: Effective) -> Distance | None:
    """From the middle (the last price while a side is empty); None without either price: the stale book rule speaks."""
    quote, price = case.given.quote, case.order.price
    reference = quote.mark if quote is not None else None
    if price is None or reference is None or reference <= 0:
        return None
    figure, most = "price_collar_bps", limits.price_collar_bps
    if limits.price_away_bps is not None and (price < reference) == (case.order.side is Side.Buy):
        figure, most = "price_away_bps", limits.price_away_bps
    return Distance(bps=abs(price - reference) / reference * BPS, reference=reference, most=most, figure=figure)


def from_anchor(case: Case, limits: Effective) -> Distance | None:
    """From where the market was some minutes ago; None while that is not known, or where it only reduces."""
    quote, price = case.given.quote, case.price
    anchor = quote.anchor if quote is not None else None
    if anchor is None or price is None or anchor <= 0 or case.is_reducing:
        return None
    bps = abs(price - anchor) / anchor * BPS
    return Distance(bps=bps, reference=anchor, most=limits.price_drift_bps, figure="price_drift_bps")


def price_collar(case: Case, instrument: Instrument, limits: Effective) -> Denial | None:
    """Too far from the market, on either side of it (F75). A price that waits away from it may have its own collar."""
    found = from_market(case, limits)
    if found is None or found.bps <= found.most or case.order.price is None:
        return None
    text = (
        f"price {plain(case.order.price)} is {found.bps:.0f} bps from the market at {plain(found.reference)}, "
        f"at most {plain(found.most)} bps"
    )
    return no("price_collar", text, found.most, to_places(found.bps, 0), limits.source(found.figure))


def price_drift(case: Case, instrument: Instrument, limits: Effective) -> Denial | None:
    """Too far from where the market was some minutes ago: the market itself may have run away (RTS 6 art. 15.1)."""
    found = from_anchor(case, limits)
    if found is None or found.bps <= found.most or case.price is None:
        return None
    text = (
        f"price {plain(case.price)} is {found.bps:.0f} bps from the market of some minutes ago at "
        f"{plain(found.reference)}, at most {plain(found.most)} bps"
    )
    return no("price_drift", text, found.most, to_places(found.bps, 0), limits.source(found.figure))


def max_open_orders(case: Case, instrument: Instrument, limits: Effective) -> Denial | None:
    if case.replaces is not None or case.given.open_orders < limits.max_open_orders:
        return None
    text = f"{case.given.open_orders} orders are open, at most {limits.max_open_orders}"
    return no("max_open_orders", text, limits.max_open_orders, case.given.open_orders, limits.source("max_open_orders"))


def message_rate(case: Case, instrument: Instrument, limits: Effective) -> Denial | None:
    """Orders and amends within the last minute; what a halt closes by itself is not counted against it."""
    sent = case.given.messages
    if sent < limits.max_messages_per_minute or case.is_flattening:
        return None
    text = f"{sent} orders and amends within the last minute, at most {limits.max_messages_per_minute}"
    source = limits.source("max_messages_per_minute")
    return no("message_rate", text, limits.max_messages_per_minute, sent, source)


def children_of_block(case: Case, instrument: Instrument, limits: Effective) -> Denial | None:
    """Orders that one parent made within the last minute: a parent that makes thousands is broken (the Knight case)."""
    made = case.given.children
    if case.order.block is None or case.replaces is not None or made < limits.max_children_per_block:
        return None
    text = (
        f"block {case.order.block} made {made} orders within the last minute, at most {limits.max_children_per_block}"
    )
    return no("children", text, limits.max_children_per_block, made, limits.source("max_children_per_block"))


def repeat(case: Case, instrument: Instrument, limits: Effective) -> Denial | None:
    """The same again within a moment may be a slip (SEC 15c3-5: duplicates)."""
    if not case.given.repeats or case.replaces is not None or case.is_flattening:
        return None
    order = case.order
    text = (
        f"{order.side} {plain(order.order_qty)} {instrument.symbol} was ordered within the last "
        f"{limits.repeat_within_ms} ms already; say why it is meant twice"
    )
    return no("repeat", text, limits.repeat_within_ms, case.given.repeats, limits.source("repeat_within_ms"))


def position_after(case: Case) -> Decimal:
    """The worse end once this order trades in full, or 0 where it only reduces."""
    if case.is_reducing:
        return ZERO
    if case.order.side is Side.Buy:
        return max(case.given.worst.high + case.growth, ZERO)
    return max(case.growth - case.given.worst.low, ZERO)


def max_position(case: Case, instrument: Instrument, limits: Effective) -> Denial | None:
    after = position_after(case)
    if limits.max_position is None or after <= limits.max_position:
        return None
    text = f"the position could reach {plain(after)} {instrument.base}, at most {plain(limits.max_position)}"
    return no("max_position", text, limits.max_position, after, limits.source("max_position"))


def max_position_notional(case: Case, instrument: Instrument, limits: Effective) -> Denial | None:
    mark = case.given.quote.mark if case.given.quote is not None else None
    reference = mark if mark is not None else case.order.price
    if reference is None:
        return None  # without a reference the stale book rule speaks
    after = position_after(case) * reference
    if after <= limits.max_position_notional:
        return None
    text = f"the position could reach {after:.2f} {instrument.quote}, at most {plain(limits.max_position_notional)}"
    return no(
        "max_position_notional",
        text,
        limits.max_position_notional,
        to_places(after, 2),
        limits.source("max_position_notional"),
    )
