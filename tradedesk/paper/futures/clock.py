"""What happens by itself: the flow, a mark price each second, funding, good-till dates, countdowns; each in its time."""

from heapq import heappop

from tradedesk.paper.futures import conditional, liquidation
from tradedesk.paper.futures.floor import Floor, count
from tradedesk.paper.futures.flow import perform
from tradedesk.paper.futures.risk import held
from tradedesk.paper.futures.rows import AlgoStatus, FundingRate, MarkPrice
from tradedesk.paper.futures.state import Instrument
from tradedesk.paper.futures.trading import cancel_all, end_algo, expire
from tradedesk.paper.ledger import PER_ONE, from_units, to_units

SECOND = 1_000_000_000  # ns


def advance(floor: Floor, now: int) -> None:
    """Up to and including `now`; at one moment the flow comes first, then the mark, funding, and the timers."""
    while True:
        due = own_due(floor)
        if due > now:
            break
        run_market(floor, due)
        floor.now = max(floor.now, due)
        if floor.next_tick <= due:
            floor.next_tick = due - due % SECOND + SECOND
            tick(floor)
        run_timers(floor)
        conditional.look(floor)
    run_market(floor, now)
    floor.now = max(floor.now, now)


def own_due(floor: Floor) -> int:
    return min(floor.next_tick, floor.timers[0].when) if floor.timers else floor.next_tick


def run_market(floor: Floor, until: int) -> None:
    for action in floor.market.act(until, floor.books):
        perform(floor, action)
        if floor.moved:
            conditional.look(floor)


# -- mark prices ------------------------------------------------------------------------------------------------------
def tick(floor: Floor) -> None:
    for instrument in floor.instruments.values():
        observe(floor, instrument)
        if floor.now >= instrument.marks.next_funding:
            charge(floor, instrument)
            instrument.marks.begin_interval()
    conditional.look(floor)
    liquidation.look(floor)


def observe(floor: Floor, instrument: Instrument) -> None:
    book, size = instrument.book, instrument.tick
    bid, ask, last = book.best_bid(), book.best_ask(), instrument.tape.last
    instrument.marks.observe(
        floor.now,
        floor.index(instrument.symbol, floor.now),
        None if bid is None else bid * size,
        None if ask is None else ask * size,
        None if last is None else last * size,
    )
    marked(floor, instrument)


def marked(floor: Floor, instrument: Instrument) -> None:
    """The mark may have moved: tell it, and let triggers see it."""
    if instrument.marks.mark:
        floor.moved.add(instrument.symbol)
        floor.events.append(mark_row(instrument))


def mark_row(instrument: Instrument) -> MarkPrice:
    marks = instrument.marks
    return MarkPrice(
        symbol=instrument.symbol,
        mark=from_units(marks.mark),
        index=from_units(marks.index),
        estimated_settle=from_units(marks.index),
        funding_rate=marks.funding_rate(),
        interest_rate=instrument.contract.interest_rate,
        next_funding=marks.next_funding,
        time=marks.time,
    )


def hold(floor: Floor, instrument: Instrument, price: int | None) -> None:
    """The operator holds the mark at a price in units, or lets it go at the next second."""
    marks = instrument.marks
    marks.held = price
    if price is not None:
        marks.mark = price
        marks.time = floor.now
        marked(floor, instrument)
        conditional.look(floor)
        liquidation.look(floor)


# -- funding ----------------------------------------------------------------------------------------------------------
def charge(floor: Floor, instrument: Instrument) -> FundingRate:
    """Every position pays value at mark x rate: longs when the rate is above 0, shorts (whose value is below 0) get it.

    An isolated position pays from its margin, as far as that reaches. The flow is the other side of what does not cancel.
    """
    rate = instrument.marks.funding_rate()
    units = to_units(rate) or 0
    asset = instrument.contract.margin_asset
    for account in floor.accounts.values():
        isolated = account.settings_of(instrument).isolated if instrument.symbol in account.settings else False
        for of, position in list(held(account, asset)):
            if of is not instrument or not position.lots:
                continue
            payment = instrument.value(position.lots) * units // PER_ONE
            if not payment:
                continue
            if isolated:
                position.isolated -= min(payment, position.isolated)
            floor.earn(account, asset, -payment, "FUNDING_FEE", symbol=instrument.symbol)
            count(floor.outside, asset, payment)
            told = ((instrument, position),) if isolated else ()
            floor.account_changed(account, "FUNDING_FEE", (asset,), told, change=-payment)
    row = FundingRate(symbol=instrument.symbol, rate=rate, mark=from_units(instrument.marks.mark), time=floor.now)
    floor.fundings.append(row)
    return row


# -- timers -----------------------------------------------------------------------------------------------------------
def run_timers(floor: Floor) -> None:
    while floor.timers and floor.timers[0].when <= floor.now:
        timer = heappop(floor.timers)
        account = floor.accounts[timer.account]
        if timer.what == "countdown":
            symbol = str(timer.key)
            if account.countdowns.get(symbol) == timer.when:
                del account.countdowns[symbol]
                cancel_all(floor, account, symbol)
        elif timer.what == "algo":
            algo = account.open_algos.get(int(timer.key))
            if algo is not None:
                end_algo(floor, algo, AlgoStatus.EXPIRED)
        else:
            order = account.open.get(int(timer.key))
            if order is not None:
                expire(floor, order, 0)
