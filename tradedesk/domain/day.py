"""A day's P&L: what was won and lost since its begin and since its best moment. Days are those of UTC, whatever zone reads them.

Deposits, withdrawals and transfers move neither: they are no gain (domain.movements).
"""

from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal

from msgspec import Struct

from tradedesk.domain import positions
from tradedesk.domain.instruments import Instrument
from tradedesk.domain.positions import Position
from tradedesk.domain.words import InstrumentId

ZERO = Decimal(0)
DAY_NS = 86_400 * 10**9


class Gain(Struct, frozen=True, kw_only=True):
    """What one account won since the desk first looked at it, at the prices of one moment. Reporting currency."""

    realized: Decimal = ZERO
    unrealized: Decimal = ZERO
    fees: Decimal = ZERO
    income: Decimal = ZERO  # interest, dividends, and fees apart from trades, which are below zero
    unpriced: tuple[str, ...] = ()  # what has no price now: until it has one the sum is not known
    uncounted: tuple[str, ...] = ()  # what is in no sum: nobody knows what it cost, or this desk never has its price

    @property
    def net(self) -> Decimal | None:
        return None if self.unpriced else self.realized + self.unrealized - self.fees + self.income


def gain_of(
    held: Iterable[Position],
    incomes: Mapping[str, Decimal],
    instruments: Mapping[InstrumentId, Instrument],
    mark: Callable[[InstrumentId], Decimal | None],
    price: Callable[[str], Decimal | None],
) -> Gain:
    """Of one account. `mark` is in quote units, `price` in reporting currency per unit of an asset; None: not known now."""
    realized = unrealized = fees = income = ZERO
    unpriced: list[str] = []
    uncounted: list[str] = []
    bases: set[str] = set()
    for position in held:
        instrument = instruments.get(position.instrument)
        if instrument is None:
            continue
        bases.add(instrument.base)
        if position.qty and position.cost is None:
            uncounted.append(instrument.symbol)
            open_gain: Decimal | None = ZERO
        else:
            open_gain = positions.unrealized(position, mark(position.instrument))
        if open_gain is None:
            unpriced.append(instrument.symbol)
        elif open_gain or position.realized or position.fees:
            rate = price(instrument.quote)
            if rate is None:
                unpriced.append(instrument.quote)
            else:
                realized += position.realized * rate
                unrealized += open_gain * rate
                fees += position.fees * rate
        for asset, amount in position.other_fees:
            rate = price(asset)
            if rate is None:
                uncounted.append(f"fees in {asset}")
            else:
                fees += amount * rate
    for asset, amount in incomes.items():
        if asset in bases or not amount:
            continue  # of a base it stands in its position's value
        rate = price(asset)
        if rate is None:
            uncounted.append(f"income in {asset}")
        else:
            income += amount * rate
    return Gain(
        realized=realized,
        unrealized=unrealized,
        fees=fees,
        income=income,
        unpriced=tuple(dict.fromkeys(unpriced)),
        uncounted=tuple(dict.fromkeys(uncounted)),
    )


class Day(Struct, frozen=True, kw_only=True):
    """One day of an account, in what it won since the desk first looked at it; or of a group or the desk. Reporting currency."""

    day: int  # days since the epoch, UTC
    start: Decimal  # net gain at the first look of the day
    peak: Decimal  # the most since
    net: Decimal  # at the newest look

    @property
    def loss(self) -> Decimal:
        """Since the day began; below zero it is a gain."""
        return self.start - self.net

    @property
    def drawdown(self) -> Decimal:
        return self.peak - self.net


def looked(day: Day | None, net: Decimal, now: int) -> Day:
    """The day with one more look at `now`, ns. Never back: a clock set back over midnight must forget no peak (F60)."""
    today = now // DAY_NS
    if day is None or today > day.day:
        return Day(day=today, start=net, peak=net, net=net)
    return Day(day=day.day, start=day.start, peak=max(day.peak, net), net=net)


def shifted(day: Day, net: Decimal) -> Day:
    """The day after money or assets came or went: what that changed is no gain, so the begin and the peak go along."""
    by = net - day.net
    return Day(day=day.day, start=day.start + by, peak=day.peak + by, net=net)


def remembered(known: Day | None, told: Day) -> Day:
    """The day as the journal tells it, with what was seen since: the later day; of one day the older begin, the higher peak."""
    if known is None or told.day > known.day:
        return told
    if told.day < known.day:
        return known
    return Day(day=known.day, start=told.start, peak=max(known.peak, told.peak), net=known.net)


def summed(total: Day | None, before: Day | None, after: Day) -> Day:
    """The day of several accounts, once the day of one of them went from `before` to `after`.

    It is the sum of what each won on that day, so that its begin is 0: an account that comes or goes brings no past along.
    """
    won = after.net - after.start
    if total is None or after.day > total.day:
        return Day(day=after.day, start=ZERO, peak=max(won, ZERO), net=won)
    if after.day < total.day:
        return total
    if before is not None and before.day == total.day:
        won -= before.net - before.start
    net = total.net + won
    return Day(day=total.day, start=ZERO, peak=max(total.peak, net), net=net)


class Today(Struct, frozen=True, kw_only=True):
    """How far a scope is below the day's begin and below its peak. Reporting currency; None: not known at this moment."""

    loss: Decimal | None = None
    drawdown: Decimal | None = None
    unpriced: tuple[str, ...] = ()  # what keeps it from being known
