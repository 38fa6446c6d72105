"""Order lists: which orders may form one (pure), and how one is placed, cancelled and amended through the engine.

A list is open until every order in it has ended. Codes and texts are the venue's (error page and order list pages of
2026-07).
"""

from collections.abc import Sequence
from decimal import Decimal
from itertools import pairwise

from tradedesk.paper.engine import Engine
from tradedesk.paper.ids import made_id
from tradedesk.paper.orders import Account, Instrument, Order, OrderList, Ready
from tradedesk.paper.rows import (
    Cancelled,
    Kind,
    ListCancelled,
    ListRow,
    NewList,
    NewOrder,
    Oco,
    Oto,
    Refusal,
    Status,
)
from tradedesk.paper.rules import STOP_KINDS, check_client_id, check_parameters, missing, refuse_filter
from tradedesk.paper.vetting import check_counts, check_standing, insufficient, measure

_STOPS = (Kind.STOP_LOSS, Kind.STOP_LOSS_LIMIT)
_TAKES = (Kind.TAKE_PROFIT, Kind.TAKE_PROFIT_LIMIT)


# -- which orders may form one ---------------------------------------------------------------------------------------


def check_pair(above: NewOrder, below: NewOrder) -> None:
    """Whether two orders may cancel each other. Raises Refusal."""
    for leg, order in (("above", above), ("below", below)):
        if order.kind is not Kind.LIMIT_MAKER and order.kind not in STOP_KINDS:
            raise Refusal(-1158, "Order type not supported in OCO.")
        if order.iceberg_qty is not None and order.time_in_force not in (None, "GTC"):
            raise Refusal(-1160, f"Parameter '{leg}IcebergQty' is not supported if '{leg}TimeInForce' is not GTC.")
    if above.kind is Kind.LIMIT_MAKER and below.kind is Kind.LIMIT_MAKER:
        raise Refusal(-1168, "At least one OCO order must be contingent.")
    if (above.symbol, above.side, above.quantity) != (below.symbol, below.side, below.quantity):
        raise Refusal(-1128, "Combination of optional parameters invalid.")
    if above.side == "BUY":
        if above.kind is Kind.LIMIT_MAKER:
            raise Refusal(-1165, "A limit order in a buy OCO must be below.")
        if above.kind in _TAKES:
            raise Refusal(-1198, "A take profit order in a buy OCO must be below.")
        if below.kind in _STOPS:
            raise Refusal(-1196, "A stop loss order in a buy OCO must be above.")
    else:
        if below.kind is Kind.LIMIT_MAKER:
            raise Refusal(-1166, "A limit order in a sell OCO must be above.")
        if below.kind in _TAKES:
            raise Refusal(-1199, "A take profit order in a sell OCO must be above.")
        if above.kind in _STOPS:
            raise Refusal(-1197, "A stop loss order in a sell OCO must be below.")


def _acts_at(order: NewOrder) -> Decimal | None:
    """The price at which a leg of a pair acts; None if it only trails."""
    return order.price if order.kind in (Kind.LIMIT_MAKER, Kind.TAKE_PROFIT_LIMIT) else order.stop_price


def check_relation(above: NewOrder, below: NewOrder, last: Decimal | None) -> None:
    """The last price must lie between the legs of a pair; before any trade they must not cross. Raises Refusal."""
    prices = [price for price in (_acts_at(below), last, _acts_at(above)) if price is not None]
    if any(lower >= upper for lower, upper in pairwise(prices)):
        raise Refusal(-2010, "The relationship of the prices for the orders is not correct.")


def _legs(new: NewList) -> tuple[NewOrder | None, tuple[NewOrder, ...]]:
    """(working order or None, the rest): of a pair the stop comes first, as the venue numbers them."""
    if isinstance(new, Oto):
        return new.working, (new.pending,)
    above, below = (new.above, new.below) if isinstance(new, Oco) else (new.pending_above, new.pending_below)
    pair = (below, above) if below.kind in _STOPS else (above, below)
    return (None if isinstance(new, Oco) else new.working), pair


def _check(new: NewList) -> None:
    """Everything about a list that needs no market and no account."""
    check_client_id(new.list_client_order_id, "listClientOrderId")
    if isinstance(new, Oco):
        check_pair(new.above, new.below)
        check_parameters(new.above, "above")
        check_parameters(new.below, "below")
        return
    if new.working.kind not in (Kind.LIMIT, Kind.LIMIT_MAKER):
        raise Refusal(-1130, "Data sent for parameter 'workingType' is not valid.")
    check_parameters(new.working, "working")
    if isinstance(new, Oto):
        if new.pending.quantity is None:
            raise missing("pendingQuantity")
        check_parameters(new.pending, "pending")
        pending = new.pending
    else:
        check_pair(new.pending_above, new.pending_below)
        check_parameters(new.pending_above, "pendingAbove")
        check_parameters(new.pending_below, "pendingBelow")
        pending = new.pending_above
    if pending.symbol != new.working.symbol:
        raise Refusal(-1121, "Invalid symbol.")


# -- placing -----------------------------------------------------------------------------------------------------------


def place(engine: Engine, account: Account, new: NewList) -> ListRow:
    """The list as the request leaves it: a pending leg still waits, even if the working order was filled at once."""
    working, rest = _legs(new)
    every = rest if working is None else (working, *rest)
    instrument = engine.instrument(every[0].symbol)
    _check(new)
    ready = [measure(instrument, order, engine.now) for order in every]
    _check_counts(engine, account, instrument, new, every, ready)
    is_pair_now = working is None
    lock = max(one.lock for one in ready) if is_pair_now else ready[0].lock
    is_buy = every[0].side == "BUY"
    if is_pair_now:
        assert isinstance(new, Oco)
        last = instrument.tape.last
        check_relation(new.above, new.below, None if last is None else last * instrument.tick)
    given = instrument.given(is_buy)
    if lock > engine.ledger.free(account.spec.name, given):
        raise insufficient()
    for order, one in zip(every if is_pair_now else every[:1], ready, strict=False):
        check_standing(instrument, order, one)

    list_id = engine.next.order_list
    engine.next.order_list += 1
    order_list = OrderList(
        list_id, new.list_client_order_id or made_id("list", list_id), "OCO" if is_pair_now else "OTO", account, instrument,
        engine.now,
    )  # fmt: skip
    orders = tuple(engine.admit(account, order, one, order_list) for order, one in zip(every, ready, strict=True))
    order_list.orders = orders
    account.add_list(order_list)
    engine.ledger.lock(account.spec.name, given, lock)
    for leg in orders:
        leg.locked = 0
    if is_pair_now:
        order_list.pair, order_list.locked = (orders[0], orders[1]), lock
    else:
        order_list.working, order_list.pending = orders[0], orders[1:]
        orders[0].locked = lock
        for leg in orders[1:]:
            leg.status = Status.PENDING_NEW
            leg.working_time = -1
    for leg in orders:
        if leg.status is not Status.PENDING_NEW:
            engine.arm(leg)
        engine.report("NEW", leg)
    engine.list_changed(order_list)
    engine.balances_changed(account, (given,))
    fills = [engine.set_working(leg) for leg in (orders if is_pair_now else orders[:1])]
    rows = tuple(leg.row(tuple(fills[index]) if index < len(fills) else ()) for index, leg in enumerate(orders))
    return order_list.row(rows)


def _check_counts(
    engine: Engine,
    account: Account,
    instrument: Instrument,
    new: NewList,
    every: Sequence[NewOrder],
    ready: Sequence[Ready],
) -> None:
    open_lists = sum(1 for one in account.open_lists.values() if one.instrument is instrument)
    if open_lists >= instrument.spec.max_order_lists:
        raise refuse_filter("MAX_NUM_ORDER_LISTS")
    counted = 1 if isinstance(new, Oco) else 2  # of a pair only one can buy
    bought = sum(one.lots for one, order in zip(ready[:counted], every, strict=False) if order.side == "BUY")
    check_counts(engine.ledger, account, instrument, every, bought=bought)
    known = account.list_by_client_id.get(new.list_client_order_id or "")
    ids = [order.client_order_id for order in every if order.client_order_id is not None]
    if (known is not None and known.is_open) or len(set(ids)) != len(ids):
        raise Refusal(-2010, "Duplicate order sent.")


# -- ending and looking ------------------------------------------------------------------------------------------------


def cancel(engine: Engine, order_list: OrderList, cancel_id: str) -> ListCancelled:
    """Every order of it that is still open, under one cancel id."""
    legs = [order for order in order_list.orders if order.is_open]
    order_list.working = None
    order_list.pending = ()
    if order_list.pair is not None:
        order_list.pair[0].locked, order_list.locked = order_list.locked, 0  # ends with the first of them
        order_list.pair = None
    done: list[Cancelled] = []
    for order in legs:
        order.instrument.book.withdraw(order.id)
        engine.end(order, Status.CANCELED, "CANCELED", cancel_id=cancel_id)
        done.append(Cancelled(order.row(), cancel_id))
    return ListCancelled(row=order_list.row(), orders=tuple(done))


def find(account: Account, order_list_id: int | None, client_id: str | None) -> OrderList | None:
    """By id, checked against the client id if both are given; by client id the newest."""
    if order_list_id is None and not client_id:
        raise Refusal(-1102, "Param 'orderListId' or 'listClientOrderId' must be sent, but both were empty/null!")
    if order_list_id is None:
        return account.list_by_client_id.get(client_id or "")
    order_list = account.lists.get(order_list_id)
    return order_list if order_list is None or client_id in (None, "", order_list.client_id) else None


def companions(order: Order) -> tuple[Order, ...]:
    """The orders whose quantity is one with this order's: both legs of a pair, or itself."""
    order_list = order.order_list
    if order_list is None:
        return (order,)
    if order_list.pair is not None and order in order_list.pair:
        return order_list.pair
    if len(order_list.pending) == 2 and order in order_list.pending:
        return order_list.pending
    return (order,)
