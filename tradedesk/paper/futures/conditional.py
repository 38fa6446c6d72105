"""Conditional orders: what waits for a price, and what happens when it comes. Legacy ones keep their order id, algo orders
place an order of their own."""

from tradedesk.paper.futures.checks import as_order, check_client_id, check_parameters, lots, not_required, ticks
from tradedesk.paper.futures.floor import Floor
from tradedesk.paper.futures.rows import AlgoStatus, NewAlgo, NewOrder, Status, TriggerRejected, Type
from tradedesk.paper.futures.state import Account, Algo, Instrument, Order
from tradedesk.paper.futures.trading import TRIGGERED, commit, end, enter, work
from tradedesk.paper.futures.triggers import strays
from tradedesk.paper.futures.vetting import (
    Ready,
    check_counts,
    check_needs_position,
    check_placeable,
    check_side,
    check_single_close,
    matched_price,
    refuse_immediate,
    trigger_of,
)
from tradedesk.paper.rows import Refusal


def look(floor: Floor) -> None:
    """Fire every waiting order whose price has come, and those that the firing itself moves, until nothing moves."""
    while floor.moved:
        symbol = min(floor.moved)
        floor.moved.discard(symbol)
        instrument = floor.instruments[symbol]
        for key, waiting in list(instrument.waiting.items()):
            if key in instrument.waiting and fires(instrument, waiting):
                del instrument.waiting[key]
                if isinstance(waiting, Algo):
                    fire_algo(floor, waiting)
                else:
                    fire(floor, waiting)


def fires(instrument: Instrument, waiting: Order | Algo) -> bool:
    trigger = waiting.trigger
    mark, last = instrument.marks.mark, instrument.last
    seen = mark if trigger is not None and trigger.on_mark else last
    if trigger is None or not seen or not trigger.sees(seen):
        return False
    return not (trigger.protects and strays(last, mark, instrument.contract.trigger_protect))


def fire(floor: Floor, order: Order) -> None:
    """As the venue told it: the waiting order expires, and under the same id a limit or market order is new."""
    instrument = order.instrument
    order.trigger = None
    order.status, order.reason = Status.EXPIRED, TRIGGERED
    try:
        price, size = placeable(floor, order.account, order.sent, instrument, order.price, order.lots)
    except Refusal as refused:
        end(floor, order, Status.EXPIRED, "EXPIRED")
        floor.events.append(
            TriggerRejected(
                account=order.account.name,
                symbol=instrument.symbol,
                order_id=order.id,
                reason=refused.message,
                time=floor.now,
            )
        )
        return
    floor.report("EXPIRED", order)
    order.status, order.reason = Status.NEW, 0
    order.type = order.type.placed_as
    order.price, order.lots = price, size
    commit(order)
    floor.report("NEW", order)
    work(floor, order)


def placeable(
    floor: Floor, account: Account, order: NewOrder, instrument: Instrument, price: int, size: int
) -> tuple[int, int]:
    """(price, lots) with which a triggered order goes to the book."""
    if order.price_match != "NONE":
        price = matched_price(instrument, order.price_match, order.side == "BUY")
    return price, check_placeable(account, order, instrument, price, size)


# -- algo orders ------------------------------------------------------------------------------------------------------
def place_algo(floor: Floor, account: Account, new: NewAlgo) -> Algo:
    instrument = floor.instrument(new.symbol)
    if not new.type.is_conditional:
        raise Refusal(-1116, "Invalid orderType.")
    check_client_id(new.client_algo_id, "clientAlgoId")
    order = as_order(new)
    check_parameters(order, floor.now)
    check_side(account, new.position_side)
    if account.dual_side and new.reduce_only is not None:
        raise not_required("reduceOnly")
    known = account.algo_by_client_id.get(new.client_algo_id or "")
    if known is not None and known.status is AlgoStatus.NEW:
        raise Refusal(-4116, "ClientOrderId is duplicated.")
    check_counts(account, instrument, True)
    check_single_close(account, instrument, order)
    check_needs_position(account, instrument, order)
    size = lots(instrument.contract, new.quantity, is_market=new.type.placed_as is Type.MARKET)
    price = ticks(instrument.contract, new.price)
    trigger = trigger_of(instrument, order)
    refuse_immediate(instrument, trigger)
    algo = Algo(
        account, instrument, new, algo_id=floor.next_algo_id, lots=size, price=price, trigger=trigger, now=floor.now
    )
    floor.next_algo_id += 1
    floor.admit_algo(algo)
    instrument.waiting[-algo.id] = algo  # order ids are above 0
    floor.report_algo(algo)
    return algo


def fire_algo(floor: Floor, algo: Algo) -> None:
    account, instrument = algo.account, algo.instrument
    del account.open_algos[algo.id]
    algo.trigger_time = floor.now
    algo.status = AlgoStatus.TRIGGERING
    floor.report_algo(algo)
    waited = as_order(algo.sent)
    try:
        check_side(account, waited.position_side)
        known = account.by_client_id.get((instrument.symbol, algo.client_id))
        if known is not None and known.is_open:
            raise Refusal(-4116, "ClientOrderId is duplicated.")
        price, size = placeable(floor, account, waited, instrument, algo.price, algo.lots)
    except Refusal as refused:
        algo.status, algo.reject_reason = AlgoStatus.REJECTED, refused.message
        floor.report_algo(algo)
        return
    order = NewOrder(
        symbol=waited.symbol,
        side=waited.side,
        type=waited.type.placed_as,
        time_in_force=waited.time_in_force,
        position_side=waited.position_side,
        reduce_only=waited.reduce_only,
        close_position=waited.close_position,
        stop_price=waited.stop_price,
        working_type=waited.working_type,
        price_match=waited.price_match,
        stp_mode=waited.stp_mode,
        good_till_date=waited.good_till_date,
        client_order_id=algo.client_id,
    )
    enter(floor, account, order, Ready(instrument, price, size, None), algo=algo)


def find_algo(account: Account, algo_id: int | None, client_algo_id: str | None) -> Algo | None:
    if algo_id is None and not client_algo_id:
        raise Refusal(-1102, "Param 'algoId' or 'clientAlgoId' must be sent, but both were empty/null!")
    if algo_id is None:
        return account.algo_by_client_id.get(client_algo_id or "")
    return account.algos.get(algo_id)


def find_waiting(account: Account, algo_id: int | None, client_algo_id: str | None) -> Algo:
    algo = find_algo(account, algo_id, client_algo_id)
    if algo is None or algo.status is not AlgoStatus.NEW:
        raise Refusal(-2011, "Unknown order sent.")
    return algo
