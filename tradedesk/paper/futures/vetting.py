"""Taken or refused: everything that may keep a new order, or a triggered one, from the book. Nothing changes here."""

from msgspec import Struct

from tradedesk.paper.futures.checks import (
    GTE,
    PRICE_MATCHES,
    check_notional,
    check_parameters,
    check_percent_price,
    lots,
    not_required,
    ticks,
)
from tradedesk.paper.futures.floor import Floor
from tradedesk.paper.futures.risk import check_margin
from tradedesk.paper.futures.rows import NewAlgo, NewOrder, Type
from tradedesk.paper.futures.state import Account, Instrument
from tradedesk.paper.futures.triggers import Trigger
from tradedesk.paper.ledger import to_units
from tradedesk.paper.rows import Refusal


class Ready(Struct, frozen=True):
    """An order that passed every check, in whole ticks and lots."""

    instrument: Instrument
    price: int
    lots: int
    trigger: Trigger | None


def vet(floor: Floor, account: Account, order: NewOrder) -> Ready:
    """Everything that can refuse a new order; nothing changes."""
    instrument = floor.instrument(order.symbol)
    check_parameters(order, floor.now)
    if instrument.spec.status != "TRADING":
        raise Refusal(-4108, "This contract is not trading.")
    if not account.spec.can_trade:
        raise Refusal(-2015, "Invalid API-key, IP, or permissions for action.", 401)
    check_side(account, order.position_side)
    if account.dual_side and order.reduce_only is not None:
        raise not_required("reduceOnly")
    is_buy = order.side == "BUY"
    known = account.by_client_id.get((order.symbol, order.client_order_id or ""))
    if known is not None and known.is_open:
        raise Refusal(-4116, "ClientOrderId is duplicated.")
    check_counts(account, instrument, order.type.is_conditional)
    check_single_close(account, instrument, order)
    check_needs_position(account, instrument, order)
    contract = instrument.contract
    size = lots(contract, order.quantity, is_market=order.type.placed_as is Type.MARKET)
    price = ticks(contract, order.price)
    if order.type.is_conditional:
        trigger = trigger_of(instrument, order)
        refuse_immediate(instrument, trigger)
        return Ready(instrument, price, size, trigger)
    if order.price_match != "NONE":
        price = matched_price(instrument, order.price_match, is_buy)
    size = check_placeable(account, order, instrument, price, size)
    return Ready(instrument, price, size, None)


def check_side(account: Account, position_side: str) -> None:
    if account.dual_side == (position_side == "BOTH"):
        raise Refusal(-4061, "Order's position side does not match user's setting.")


def check_counts(account: Account, instrument: Instrument, is_conditional: bool) -> None:
    of_symbol = [o for o in account.open.values() if o.instrument is instrument]
    if len(of_symbol) >= instrument.spec.max_orders:
        raise Refusal(-2025, "Reach max open order limit.")
    if is_conditional:
        waiting = sum(1 for o in of_symbol if o.trigger is not None)
        waiting += sum(1 for a in account.open_algos.values() if a.instrument is instrument)
        if waiting >= instrument.contract.max_algo_orders:
            raise Refusal(-4045, "Reach max stop order limit.")


def check_single_close(account: Account, instrument: Instrument, order: NewOrder) -> None:
    """Of stops, and of take-profits, only one of a direction may wait to close the whole position."""
    if not order.close_position:
        return
    waiting: list[NewOrder | NewAlgo] = [
        o.sent for o in account.open.values() if o.instrument is instrument and o.trigger is not None
    ]
    waiting += [a.sent for a in account.open_algos.values() if a.instrument is instrument]
    for other in waiting:
        same = (other.type, other.side, other.position_side) == (order.type, order.side, order.position_side)
        if other.close_position and same:
            raise Refusal(
                -4130, "An open stop or take profit order with GTE and closePosition in the direction is existing."
            )


def check_needs_position(account: Account, instrument: Instrument, order: NewOrder) -> None:
    """GTE_GTC lives as long as a position, so there must be one, or an order that may open one."""
    if order.time_in_force != GTE:
        return
    idle = not account.position(instrument, order.position_side).lots
    if idle and not any(o.instrument is instrument for o in account.open.values()):
        raise Refusal(
            -4509,
            "Time in Force (TIF) GTE can only be used with open positions or open orders. "
            "Please ensure that positions are available.",
        )


def trigger_of(instrument: Instrument, order: NewOrder) -> Trigger:
    tick = instrument.tick
    return Trigger(
        order.type,
        is_buy=order.side == "BUY",
        price=ticks(instrument.contract, order.stop_price) * tick,
        activation=ticks(instrument.contract, order.activation_price) * tick,
        callback=order.callback_rate,
        on_mark=order.working_type == "MARK_PRICE",
        protects=order.price_protect,
    )


def refuse_immediate(instrument: Instrument, trigger: Trigger) -> None:
    """-2021. Without any price yet nothing is immediate."""
    seen = instrument.marks.mark if trigger.on_mark else instrument.last
    if not seen:
        return
    reached = trigger.activates_at_once(seen) if trigger.is_trailing else trigger.is_reached(seen)
    if reached:
        raise Refusal(-2021, "Order would immediately trigger.")


def matched_price(instrument: Instrument, price_match: str, is_buy: bool) -> int:
    opposite, level = PRICE_MATCHES[price_match]
    levels = instrument.book.depth(is_buy != opposite, level)
    if len(levels) < level:
        raise Refusal(-5041, "No depth matches this BBO order.")
    return levels[-1][0]


def check_placeable(account: Account, order: NewOrder, instrument: Instrument, price: int, size: int) -> int:
    """What a limit or market order must pass to reach the book, now or when triggered. Its lots: a reduce-only order is cut
    to the position."""
    is_buy = order.side == "BUY"
    contract, grid, book = instrument.contract, instrument.grid, instrument.book
    position = account.position(instrument, order.position_side)
    reduces = bool(order.reduce_only) or order.close_position
    closes = (order.position_side == "LONG" and not is_buy) or (order.position_side == "SHORT" and is_buy)
    if reduces or closes:
        most = position.reducible(is_buy)
        if order.close_position:
            size = most
        if not most or (closes and size > most):
            raise Refusal(-2022, "ReduceOnly Order is rejected.")
        size = min(size, most)
    limit = price or market_bound(instrument, is_buy)
    if price:
        check_percent_price(contract, price * instrument.tick, is_buy=is_buy, mark=instrument.marks.mark)
    else:
        best = book.best_ask() if is_buy else book.best_bid()
        if best is not None and limit is not None and (best > limit if is_buy else best < limit):
            raise Refusal(-4131, "The counterparty's best price does not meet the PERCENT_PRICE filter limit.")
    got, cost = book.available(is_buy, limit, size)
    if not (reduces or closes):
        mark_value = instrument.value(size)
        own = price * size * grid.tick_lot
        check_notional(contract, own or mark_value)
        notional = max(own, cost * grid.tick_lot)
        if price == 0 and not got:
            notional = mark_value
        check_margin(account, instrument, position, is_buy=is_buy, lots=size if price else got, notional=notional)
    if order.time_in_force == "FOK" and got < size:
        raise Refusal(
            -5021,
            "Due to the order could not be filled immediately, the FOK order has been rejected. "
            "The order will not be recorded in the order history",
        )
    if order.time_in_force == "GTX" and book.would_take(is_buy, price):
        raise Refusal(
            -5022,
            "Due to the order could not be executed as maker, the Post Only order will be rejected. "
            "The order will not be recorded in the order history",
        )
    return size


def market_bound(instrument: Instrument, is_buy: bool) -> int | None:
    """The worst price in ticks a market order trades at; None before there is a mark."""
    mark = instrument.marks.mark
    if not mark:
        return None
    bound = to_units(instrument.contract.market_take_bound) or 0
    away = mark * bound // 100_000_000
    return (mark + away) // instrument.tick if is_buy else max(1, -((away - mark) // instrument.tick))
