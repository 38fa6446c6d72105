"""The flow of everyone else on a futures book: the market's actions, with clients' orders in the way.

A book without client orders is matched in one go. With some, one resting order at a time, because each fill may end others.
"""

from tradedesk.paper.futures.floor import Floor
from tradedesk.paper.futures.state import Instrument, Order
from tradedesk.paper.futures.trading import fill, met_flow, tradable
from tradedesk.paper.market import Action, Rest, SetLevel, Take, Traded, Withdraw


def perform(floor: Floor, action: Action) -> None:
    floor.now = max(floor.now, action.at)
    floor.next_taker -= 1
    instrument = floor.instruments[action.symbol]
    book = instrument.book
    match action:
        case Rest(key=key, is_buy=is_buy, price=price, lots=lots):
            lots -= _takes(floor, instrument, is_buy, price, lots)
            if lots:
                book.rest(key, is_buy, price, lots)
        case Take(is_buy=is_buy, limit=limit, lots=lots):
            _takes(floor, instrument, is_buy, limit, lots)
        case Withdraw(key=key):
            book.withdraw(key)
        case SetLevel(key=key, is_buy=is_buy, price=price, lots=lots):
            joins = lots - book.flow_lots_at(is_buy, price)
            if joins > 0 and book.would_take(is_buy, price):
                met = _takes_clients(floor, instrument, is_buy, price, joins)
                if met:
                    floor.market.taken(action.symbol, is_buy, price, met)
                    lots -= met
            book.set_flow(key, is_buy, price, lots)
        case Traded(is_buy=is_buy, price=price, lots=lots):
            met = _takes_clients(floor, instrument, is_buy, price - 1 if is_buy else price + 1, lots)
            if met < lots:
                met += _takes_at(floor, instrument, is_buy, price, lots - met)
            if met < lots:
                floor.print(instrument, price, lots - met, is_buy, floor.next_taker)


def _takes(floor: Floor, instrument: Instrument, is_buy: bool, limit: int, lots: int) -> int:
    """The flow trades down to its limit. Returns the lots traded."""
    book = instrument.book
    if not instrument.resting:
        matches = book.match(is_buy, limit, lots)
        for match in matches:
            floor.print(instrument, match.price, match.lots, is_buy, floor.next_taker)
        return sum(match.lots for match in matches)
    left = lots
    while left and (front := book.front(is_buy, limit)) is not None:
        for match in book.match(is_buy, limit, min(left, tradable(front))):
            _met(floor, instrument, is_buy, match.resting.owner, match.price, match.lots)
            left -= match.lots
    return lots - left


def _takes_clients(floor: Floor, instrument: Instrument, is_buy: bool, limit: int, lots: int) -> int:
    """The flow trades with clients' orders at `limit` or better only, the best first."""
    left = lots
    while left:
        reached = [
            o
            for o in instrument.resting.values()
            if o.is_buy != is_buy and (o.price <= limit if is_buy else o.price >= limit)
        ]
        if not reached:
            break
        best = min(reached, key=lambda o: o.price if is_buy else -o.price)  # the oldest of the best: rests are in order
        left -= _take_client(floor, instrument, best, left)
    return lots - left


def _takes_at(floor: Floor, instrument: Instrument, is_buy: bool, price: int, lots: int) -> int:
    """The flow trades in the queue of one price, whatever stands before it."""
    book = instrument.book
    left = lots
    while left:
        most = left
        ours = [o for o in instrument.resting.values() if o.is_buy != is_buy and o.price == price and o.may_only_reduce]
        if ours:
            most = min(left, *(max(1, o.position.reducible(o.is_buy)) for o in ours))
        matches = book.match_at(is_buy, price, most)
        for match in matches:
            _met(floor, instrument, is_buy, match.resting.owner, match.price, match.lots)
            left -= match.lots
        if not matches:
            break
    return lots - left


def _take_client(floor: Floor, instrument: Instrument, order: Order, most: int) -> int:
    book = instrument.book
    resting = book.get(order.id)
    assert resting is not None
    lots = min(most, tradable(resting))
    if lots == resting.leaves:
        book.withdraw(order.id)
    else:
        book.reduce(order.id, lots)
    _met(floor, instrument, not order.is_buy, order, order.price, lots)
    return lots


def _met(floor: Floor, instrument: Instrument, is_buy: bool, maker: object | None, price: int, lots: int) -> None:
    """One trade with the flow as the taker."""
    printed = floor.print(instrument, price, lots, is_buy, floor.next_taker)
    if isinstance(maker, Order):
        met_flow(floor, instrument, not is_buy, price, lots)
        fill(floor, maker, price, lots, printed.trade_id, is_maker=True)
