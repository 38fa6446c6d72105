"""Orders on the floor: matched, rested, modified, ended; and what a fill does to position and wallet."""

from msgspec.structs import replace

from tradedesk.paper.book import Match, Resting
from tradedesk.paper.futures.checks import (
    GTE,
    PRICE_MATCHES,
    check_notional,
    check_percent_price,
    lots,
    not_required,
    ticks,
)
from tradedesk.paper.futures.floor import Floor, count
from tradedesk.paper.futures.margin import initial
from tradedesk.paper.futures.positions import Position
from tradedesk.paper.futures.risk import check_margin
from tradedesk.paper.futures.rows import AlgoStatus, Amendment, Modify, NewOrder, Status, TradeRow, Type
from tradedesk.paper.futures.state import Account, Algo, Instrument, Order, forget_oldest
from tradedesk.paper.futures.vetting import Ready, market_bound, matched_price, vet
from tradedesk.paper.ledger import from_units
from tradedesk.paper.rows import Refusal

SELF_TRADE, IOC_REST, REDUCE_ONLY, LIQUIDATED, POSITION_GONE, TRIGGERED, NO_LIQUIDITY = (
    1,
    2,
    4,
    5,
    6,
    8,
    9,
)  # `er` of the venue
MOST_AMENDMENTS = 10_000


# -- placing ----------------------------------------------------------------------------------------------------------
def place(floor: Floor, account: Account, new: NewOrder) -> Order:
    return enter(floor, account, new, vet(floor, account, new))


def enter(
    floor: Floor, account: Account, new: NewOrder, ready: Ready, *, forced: bool = False, algo: Algo | None = None
) -> Order:
    """Put a vetted order on the floor; `algo` is the algo order that triggered it."""
    instrument = ready.instrument
    order = Order(
        account,
        instrument,
        new,
        order_id=floor.next_order_id,
        price=ready.price,
        lots=ready.lots,
        trigger=ready.trigger,
        now=floor.now,
    )
    floor.next_order_id += 1
    order.is_forced = forced
    if algo is not None:
        order.algo, algo.order, algo.status = algo, order, AlgoStatus.TRIGGERED
        floor.report_algo(algo)
    floor.admit(order)
    commit(order)
    floor.report("NEW", order)
    if order.trigger is None:
        work(floor, order)
    else:
        instrument.waiting[order.id] = order
    return order


def work(floor: Floor, order: Order) -> None:
    """Trade what can be traded, rest or expire what is left."""
    instrument = order.instrument
    limit = order.price or market_bound(instrument, order.is_buy)
    take(floor, order, limit)
    if not order.is_open:
        return
    if order.type is Type.MARKET:
        expire(floor, order, NO_LIQUIDITY)
    elif order.tif in ("IOC", "FOK"):
        expire(floor, order, LIQUIDATED if order.is_forced else IOC_REST)
    else:
        rest(floor, order)


def rest(floor: Floor, order: Order) -> None:
    order.instrument.book.rest(order.id, order.is_buy, order.price, order.leaves, order)
    order.instrument.resting[order.id] = order


def commit(order: Order) -> None:
    """Count what a limit order may still trade in its position's open notional: before it is told of, as the venue does."""
    if order.trigger is None and not (order.may_only_reduce or order.is_forced):
        reserve(order, order.price * order.leaves * order.instrument.grid.tick_lot - order.reserved)


def reserve(order: Order, units: int) -> None:
    """Count `units` more (less below 0) of the order in its position's open notional."""
    order.reserved += units
    if order.is_buy:
        order.position.bids += units
    else:
        order.position.asks += units


def take(floor: Floor, order: Order, limit: int | None) -> None:
    """Match one resting order at a time, because each fill may end others: reduce-only ones and one's own."""
    instrument = order.instrument
    book = instrument.book
    while order.leaves:
        front = book.front(order.is_buy, limit)
        if front is None:
            return
        maker = front.owner
        if isinstance(maker, Order) and stops_self_trade(floor, order, maker):
            if not order.is_open:
                return
            continue
        most = min(order.leaves, tradable(front))
        if order.may_only_reduce:
            most = min(most, order.position.reducible(order.is_buy))
            if not most:
                expire(floor, order, REDUCE_ONLY)
                return
        for match in book.match(order.is_buy, limit, most):
            trade(floor, order, match)


def tradable(front: Resting) -> int:
    """How much of a resting order may trade, never 0: what can reduce nothing any more has left the book."""
    maker = front.owner
    if not isinstance(maker, Order) or not maker.may_only_reduce:
        return front.leaves
    lots = min(front.leaves, maker.position.reducible(maker.is_buy))
    assert lots, f"order {maker.id} reduces nothing and is on the book"  # a taker would wait for it for ever
    return lots


def stops_self_trade(floor: Floor, taker: Order, maker: Order) -> bool:
    """Whether self-trade prevention ended one of the two; the taker's mode decides."""
    mode = taker.sent.stp_mode
    if mode == "NONE" or taker.account.trader != maker.account.trader:
        return False
    if mode in ("EXPIRE_MAKER", "EXPIRE_BOTH"):
        expire(floor, maker, SELF_TRADE, Status.EXPIRED_IN_MATCH)
    if mode in ("EXPIRE_TAKER", "EXPIRE_BOTH"):
        expire(floor, taker, SELF_TRADE, Status.EXPIRED_IN_MATCH)
    return True


def trade(floor: Floor, order: Order, match: Match) -> None:
    """A client's order takes one resting order."""
    instrument = order.instrument
    printed = floor.print(instrument, match.price, match.lots, order.is_buy, order.id)
    maker = match.resting.owner
    if isinstance(maker, Order):
        fill(floor, maker, match.price, match.lots, printed.trade_id, is_maker=True)
    else:
        floor.market.taken(instrument.symbol, not order.is_buy, match.price, match.lots)
        met_flow(floor, instrument, order.is_buy, match.price, match.lots)
    fill(floor, order, match.price, match.lots, printed.trade_id, is_maker=False)


def met_flow(floor: Floor, instrument: Instrument, client_buys: bool, price: int, size: int) -> None:
    """The flow was the other side: what the client's position cost, the flow has got."""
    units = price * size * instrument.grid.tick_lot
    count(floor.outside, instrument.contract.margin_asset, units if client_buys else -units)


def fill(floor: Floor, order: Order, price: int, size: int, trade_id: int, *, is_maker: bool) -> None:
    """One execution of one client order: position, isolated margin, wallet, records, events."""
    account, instrument, position = order.account, order.instrument, order.position
    asset, grid, spec = instrument.contract.margin_asset, instrument.grid, instrument.spec
    notional = price * size * grid.tick_lot
    numerator, denominator = account.maker if is_maker else account.taker
    commission = 0 if order.is_forced else notional * numerator // denominator
    if order.reserved:
        reserve(order, -order.price * size * grid.tick_lot)
    before, signed = position.lots, size if order.is_buy else -size
    realized = position.trade(signed, notional if order.is_buy else -notional, commission)
    position.update_time = floor.now
    settings = account.settings_of(instrument)
    if settings.isolated:
        opened = abs(position.lots) - (abs(before) if before * position.lots > 0 else 0)
        if opened > 0:
            position.isolated += initial(price * opened * grid.tick_lot, settings.leverage)
    order.filled += size
    order.quote += price * size
    if order.leaves:
        order.status = Status.PARTIALLY_FILLED
    else:
        order.status = Status.FILLED
        forget(order)
    if realized:
        floor.earn(account, asset, realized, "REALIZED_PNL", symbol=spec.symbol, trade_id=trade_id)
    if commission:
        floor.earn(account, asset, -commission, "COMMISSION", symbol=spec.symbol, trade_id=trade_id)
        count(floor.commissions, asset, commission)
    row = TradeRow(
        symbol=spec.symbol,
        trade_id=trade_id,
        order_id=order.id,
        client_order_id=order.client_id,
        side=order.sent.side,
        position_side=position.side,
        price=price * spec.tick,
        quantity=size * spec.lot,
        quote_quantity=from_units(notional),
        realized_pnl=from_units(realized),
        commission=from_units(commission),
        commission_asset=asset,
        time=floor.now,
        is_buyer=order.is_buy,
        is_maker=is_maker,
    )
    trades = account.trades.setdefault(spec.symbol, [])
    trades.append(row)
    forget_oldest(trades)
    floor.report("CALCULATED" if order.is_forced else "TRADE", order, row)
    floor.account_changed(account, "ORDER", (asset,), ((instrument, position),))
    if not order.leaves and order.algo is not None:
        floor.finish_algo(order)
    drop_idle_reducers(floor, account, instrument)
    if before and before * position.lots <= 0:
        drop_companions(floor, account, position)


def drop_idle_reducers(floor: Floor, account: Account, instrument: Instrument) -> None:
    """Resting orders that may only reduce end when there is nothing left on their side to reduce."""
    idle = [
        o
        for o in account.open.values()
        if o.instrument is instrument
        and o.id in instrument.resting
        and o.may_only_reduce
        and not o.position.reducible(o.is_buy)
    ]
    for order in idle:
        expire(floor, order, REDUCE_ONLY)


def drop_companions(floor: Floor, account: Account, position: Position) -> None:
    """What waits good-till-expired (GTE_GTC) goes with the position it was to close."""
    for order in [
        o for o in account.open.values() if o.position is position and o.tif == GTE and o.trigger is not None
    ]:
        expire(floor, order, POSITION_GONE)
    for algo in [a for a in account.open_algos.values() if a.sent.time_in_force == GTE]:
        if account.position(algo.instrument, algo.sent.position_side) is position:
            end_algo(floor, algo, AlgoStatus.EXPIRED)


# -- ending -----------------------------------------------------------------------------------------------------------
def forget(order: Order) -> None:
    """The order is on no book and in no list of open ones any more."""
    instrument = order.instrument
    if instrument.resting.pop(order.id, None) is not None:
        instrument.book.withdraw(order.id)
    instrument.waiting.pop(order.id, None)
    order.account.open.pop(order.id, None)
    reserve(order, -order.reserved)


def end(floor: Floor, order: Order, status: Status, what: str) -> None:
    order.status = status
    forget(order)
    floor.report(what, order)
    if order.algo is not None:
        floor.finish_algo(order)


def cancel(floor: Floor, order: Order) -> None:
    end(floor, order, Status.CANCELED, "CANCELED")


def expire(floor: Floor, order: Order, reason: int, status: Status = Status.EXPIRED) -> None:
    order.reason = reason
    end(floor, order, status, "EXPIRED")


def end_algo(floor: Floor, algo: Algo, status: AlgoStatus) -> None:
    """A waiting one."""
    algo.instrument.waiting.pop(-algo.id, None)
    algo.account.open_algos.pop(algo.id, None)
    algo.status = status
    floor.report_algo(algo)


def find(
    floor: Floor, account: Account, symbol: str, order_id: int | None, client_order_id: str | None
) -> Order | None:
    """By order id, else the newest with the client id."""
    floor.instrument(symbol)
    if order_id is None and not client_order_id:
        raise Refusal(-1102, "Param 'origClientOrderId' or 'orderId' must be sent, but both were empty/null!")
    if order_id is None:
        return account.by_client_id.get((symbol, client_order_id or ""))
    order = floor.orders.get(order_id)
    if order is None or order.account is not account or order.instrument.symbol != symbol:
        return None
    return order


def find_open(floor: Floor, account: Account, symbol: str, order_id: int | None, client_order_id: str | None) -> Order:
    order = find(floor, account, symbol, order_id, client_order_id)
    if order is None or not order.is_open:
        raise Refusal(-2011, "Unknown order sent.")
    return order


def cancel_all(floor: Floor, account: Account, symbol: str) -> list[Order]:
    found = [o for o in account.open.values() if o.instrument.symbol == symbol]
    for order in found:
        cancel(floor, order)
    return found


# -- modifying --------------------------------------------------------------------------------------------------------
def modify(floor: Floor, account: Account, change: Modify) -> Order:
    """A resting limit order gets quantity and price anew and goes to the end of its queue. A quantity of no more than is
    filled, or a post-only order that would take, cancels it."""
    order = find(floor, account, change.symbol, change.order_id, change.client_order_id)
    if order is None or not order.is_open:
        raise Refusal(-2013, "Order does not exist.")
    if order.type is not Type.LIMIT or order.trigger is not None:
        raise Refusal(-5025, "Only limit order is supported.")
    if change.side != order.sent.side:
        raise Refusal(-1117, "Invalid side.")
    if order.amended >= MOST_AMENDMENTS:
        raise Refusal(-5026, "Exceed maximum modify order limit.")
    instrument, sent = order.instrument, order.sent
    price, size = _amended(instrument, order, change)
    if (price, size) == (order.price, order.lots):
        raise Refusal(-5027, "No need to modify the order.")
    if size <= order.filled or (order.tif == "GTX" and instrument.book.would_take(order.is_buy, price)):
        cancel(floor, order)
        return order
    leaves = size - order.filled
    if not order.may_only_reduce:
        check_notional(instrument.contract, price * size * instrument.grid.tick_lot)
        _, cost = instrument.book.available(order.is_buy, price, leaves)
        check_margin(
            account,
            instrument,
            order.position,
            is_buy=order.is_buy,
            lots=leaves,
            notional=max(price * leaves, cost) * instrument.grid.tick_lot,
            freed=order.reserved,
        )
    elif leaves > order.position.reducible(order.is_buy):
        raise Refusal(-2022, "ReduceOnly Order is rejected.")
    instrument.book.withdraw(order.id)
    del instrument.resting[order.id]
    reserve(order, -order.reserved)
    spec = instrument.spec
    order.amended += 1
    amendments = account.amendments.setdefault(spec.symbol, [])
    forget_oldest(amendments)
    amendments.append(
        Amendment(
            amendment_id=floor.new_id(),
            symbol=spec.symbol,
            order_id=order.id,
            client_order_id=order.client_id,
            time=floor.now,
            price_before=order.price * spec.tick,
            price_after=price * spec.tick,
            qty_before=order.lots * spec.lot,
            qty_after=size * spec.lot,
            count=order.amended,
        )
    )
    order.price, order.lots = price, size
    if sent.price_match != change.price_match:
        order.sent = replace(sent, price_match=change.price_match)
    commit(order)
    floor.report("AMENDMENT", order)
    work(floor, order)
    return order


def _amended(instrument: Instrument, order: Order, change: Modify) -> tuple[int, int]:
    """(price, lots) as asked for."""
    contract = instrument.contract
    if change.quantity is None:
        raise Refusal(-1102, "Mandatory parameter 'quantity' was not sent, was empty/null, or malformed.")
    size = lots(contract, change.quantity, is_market=False)
    if change.price_match == "NONE":
        if change.price is None:
            raise Refusal(-1102, "Mandatory parameter 'price' was not sent, was empty/null, or malformed.")
        price = ticks(contract, change.price)
    else:
        if change.price is not None:
            raise not_required("price")
        if change.price_match not in PRICE_MATCHES:
            raise Refusal(-5037, "Invalid price match")
        price = matched_price(instrument, change.price_match, order.is_buy)
    check_percent_price(contract, price * instrument.tick, is_buy=order.is_buy, mark=instrument.marks.mark)
    return price, size
