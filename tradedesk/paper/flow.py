"""What everyone else does to the books: the market's actions, performed on the engine one by one."""

from tradedesk.paper.engine import Engine
from tradedesk.paper.market import Action, Rest, SetLevel, Take, Traded, Withdraw
from tradedesk.paper.orders import Instrument
from tradedesk.paper.vetting import OPEN


def perform(engine: Engine, action: Action) -> None:
    """One act of everyone else, and what it sets off."""
    engine.now = max(engine.now, action.at)
    engine.next.taker -= 1
    instrument = engine.instruments[action.symbol]
    if instrument.spec.status != OPEN:
        _perform_closed(instrument, action)
        return
    book = instrument.book
    match action:
        case Rest(key=key, is_buy=is_buy, price=price, lots=lots):
            lots -= engine.flow_takes(instrument, is_buy, book.match(is_buy, price, lots))
            if lots:
                book.rest(key, is_buy, price, lots)
        case Take(is_buy=is_buy, limit=limit, lots=lots):
            engine.flow_takes(instrument, is_buy, book.match(is_buy, limit, lots))
        case Withdraw(key=key):
            book.withdraw(key)
        case SetLevel(key=key, is_buy=is_buy, price=price, lots=lots):
            joins = lots - book.flow_lots_at(is_buy, price)
            if joins > 0 and book.would_take(is_buy, price):
                met = engine.flow_takes(instrument, is_buy, book.match_owned(is_buy, price, joins))
                if met:
                    engine.market.taken(action.symbol, is_buy, price, met)
                    lots -= met
            book.set_flow(key, is_buy, price, lots)
        case Traded(is_buy=is_buy, price=price, lots=lots):
            better = price - 1 if is_buy else price + 1
            met = engine.flow_takes(instrument, is_buy, book.match_owned(is_buy, better, lots))
            if met < lots:
                met += engine.flow_takes(instrument, is_buy, book.match_at(is_buy, price, lots - met))
            if met < lots:
                engine.print_trade(instrument, price, lots - met, is_buy, engine.next.taker)
    engine.settle()


def _perform_closed(instrument: Instrument, action: Action) -> None:
    """While the instrument does not trade, the flow can only leave its book, as clients can."""
    book = instrument.book
    match action:
        case Withdraw(key=key):
            book.withdraw(key)
        case SetLevel(key=key, is_buy=is_buy, price=price, lots=lots):
            if lots < book.flow_lots_at(is_buy, price):
                book.set_flow(key, is_buy, price, lots)
        case _:
            pass
