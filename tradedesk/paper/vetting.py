"""Whether an instrument and an account can take an order now: the checks that look at book, tape, balance and open orders.

rules.py has those that look at the order and the filters alone. Codes and texts are the venue's (2026-07); every check
raises Refusal.
"""

from collections.abc import Sequence
from decimal import Decimal

from tradedesk.paper.ledger import Ledger, from_units
from tradedesk.paper.orders import Account, Instrument, Order, Ready
from tradedesk.paper.rows import Kind, NewOrder, Refusal
from tradedesk.paper.rules import STOP_KINDS, check_filters, refuse_filter
from tradedesk.paper.triggers import BASIS

OPEN = "TRADING"


def insufficient() -> Refusal:
    return Refusal(-2010, "Account has insufficient balance for requested action.")


def measure(instrument: Instrument, order: NewOrder, now: int) -> Ready:
    """The order in ticks and lots, if it passes the filters and the market is open."""
    spec, grid, book = instrument.spec, instrument.grid, instrument.book
    units = check_filters(spec, instrument.filters, order, instrument.reference(now))
    if spec.status != OPEN:
        raise Refusal(-2010, "Market is closed.")
    is_buy = order.side == "BUY"
    lots = units.quantity // grid.lot
    if units.amount:
        lots, _ = book.affordable(is_buy, units.amount // grid.tick_lot)
        _check_bought(instrument, is_buy, lots)
    price = units.price // grid.tick
    if order.kind is Kind.LIMIT and not units.peak:  # most orders, and the rest of this is only for others
        return Ready(price, lots, 0, 0, price * lots * grid.tick_lot if is_buy else lots * grid.lot)
    stop = units.stop // grid.tick
    lock = _need(instrument, is_buy, lots, price, stop, order.trailing_delta or 0)
    return Ready(price, lots, stop, units.peak // grid.lot, lock)


def _check_bought(instrument: Instrument, is_buy: bool, lots: int) -> None:
    """What an amount of the quote asset buys or sells must be a quantity that the book has and the filters allow."""
    spec, quantity = instrument.spec, lots * instrument.lot
    there, _ = instrument.book.available(is_buy, None, 1 << 62)
    if not there:
        raise Refusal(-2010, "Order book liquidity is less than symbol minimum quantity.")
    for name, least in (("LOT_SIZE", spec.min_qty), ("MARKET_LOT_SIZE", spec.min_market_qty)):
        if there * instrument.lot < least:
            raise Refusal(-2010, f"Order book liquidity is less than {name} filter minimum quantity.")
    if quantity < spec.min_qty:
        raise refuse_filter("LOT_SIZE")
    if not spec.min_market_qty <= quantity <= spec.max_market_qty:
        raise refuse_filter("MARKET_LOT_SIZE")


def to_lots(instrument: Instrument, quantity: Decimal | None) -> int:
    """0 for none."""
    return int((quantity or 0) / instrument.lot)


def need_of(order: Order) -> int:
    """Units an order locks for what it still has to trade."""
    trigger = order.trigger
    stop, delta = (trigger.stop, trigger.delta) if trigger else (0, 0)
    return _need(order.instrument, order.is_buy, order.leaves, order.price, stop, delta)


def _need(instrument: Instrument, is_buy: bool, lots: int, price: int, stop: int, delta: int) -> int:
    """A market buy needs what the book costs now, one that waits what its trigger price would cost: nobody knows what it
    will pay, and what it pays more is taken from the free balance then.
    """
    grid = instrument.grid
    if not is_buy:
        return lots * grid.lot
    if price:
        return price * lots * grid.tick_lot
    if stop or delta:
        return (stop or (instrument.tape.last or 0) * (BASIS + delta) // BASIS) * lots * grid.tick_lot
    return instrument.book.available(True, None, lots)[1] * grid.tick_lot


def check_counts(
    ledger: Ledger, account: Account, instrument: Instrument, orders: Sequence[NewOrder], *, bought: int
) -> None:
    """The filters that count what the account has open, and that no client id is used twice. `bought` in lots."""
    spec = instrument.spec
    symbol = spec.symbol
    if account.open_in.get(symbol, 0) + len(orders) > spec.max_orders:
        raise refuse_filter("MAX_NUM_ORDERS")
    algos = icebergs = 0
    for order in orders:
        if order.kind in STOP_KINDS:
            algos += 1
        if order.iceberg_qty is not None:
            icebergs += 1
        if order.client_order_id is not None:
            known = account.by_client_id.get((symbol, order.client_order_id))
            if known is not None and known.is_open:
                raise Refusal(-2010, "Duplicate order sent.")
    if algos and algos + account.count(symbol, lambda o: o.kind in STOP_KINDS) > spec.max_algo_orders:
        raise refuse_filter("MAX_NUM_ALGO_ORDERS")
    if icebergs and icebergs + account.count(symbol, lambda o: o.peak > 0) > spec.max_iceberg_orders:
        raise refuse_filter("MAX_NUM_ICEBERG_ORDERS")
    if bought and spec.max_position:
        held = from_units(ledger.held(account.spec.name, spec.base))
        if held + (_buying(account, instrument) + bought) * instrument.lot > spec.max_position:
            raise refuse_filter("MAX_POSITION")


def _buying(account: Account, instrument: Instrument) -> int:
    """Lots of all open buys; of a pair only one can buy."""
    return sum(
        order.leaves
        for order in account.open.values()
        if order.is_buy
        and order.instrument is instrument
        and not (order.order_list and order.order_list.pair and order is order.order_list.pair[1])
    )


def check_standing(instrument: Instrument, order: NewOrder, ready: Ready) -> None:
    """A maker must not take, a trigger must not be reached yet."""
    is_buy = order.side == "BUY"
    if order.kind is Kind.LIMIT_MAKER and instrument.book.would_take(is_buy, ready.price):
        raise Refusal(-2010, "Order would immediately match and take.")
    last = instrument.tape.last
    if ready.stop and last is not None:
        is_above = is_buy == (order.kind in (Kind.STOP_LOSS, Kind.STOP_LOSS_LIMIT))
        if last >= ready.stop if is_above else last <= ready.stop:
            raise Refusal(-2010, "Order would trigger immediately.")


def may_stand(leg: Order) -> bool:
    """The same of a leg that was vetted long ago and is placed now."""
    if leg.kind is Kind.LIMIT_MAKER and leg.instrument.book.would_take(leg.is_buy, leg.price):
        return False
    last = leg.instrument.tape.last
    return leg.trigger is None or not leg.trigger.stop or last is None or not leg.trigger.is_reached(last)
