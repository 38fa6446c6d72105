"""Rules of the Gate about money over several instruments and accounts: exposure, leverage, groups, the desk, self-cross."""

from decimal import Decimal

from msgspec import Struct

from tradedesk.domain.gate import Denial, Exposure, Together
from tradedesk.domain.instruments import Instrument
from tradedesk.domain.limits import Effective
from tradedesk.domain.money import plain, to_places
from tradedesk.domain.words import Side
from tradedesk.domain.worst_case import Interval
from tradedesk.risk.case import ZERO, Case, no


class Reach(Struct, frozen=True, kw_only=True):
    """The account's own worst case in the instrument, without the order and with it, reporting currency."""

    before: Interval
    after: Interval
    is_buy: bool

    def end(self, held: Interval) -> Decimal:
        """How far the sum with `held` may go in the order's own direction; the other end it does not move."""
        return held.high + self.after.high if self.is_buy else -(held.low + self.after.low)


def _reach(case: Case) -> Reach | None:
    """None: there is no price to tell it by."""
    given, worst, is_buy = case.given, case.given.worst, case.order.side is Side.Buy
    mark = given.quote.mark if given.quote is not None else None
    price = mark if mark is not None else case.order.price
    if price is None or given.rate is None:
        return None
    unit = price * given.rate
    low = worst.low - (ZERO if is_buy else case.growth)
    high = worst.high + (case.growth if is_buy else ZERO)
    return Reach(
        before=Interval(low=worst.low * unit, high=worst.high * unit),
        after=Interval(low=low * unit, high=high * unit),
        is_buy=is_buy,
    )


def larger(interval: Interval) -> Decimal:
    return max(abs(interval.low), abs(interval.high))


def added(one: Interval, other: Interval) -> Interval:
    return Interval(low=one.low + other.low, high=one.high + other.high)


def exposure(case: Case, instrument: Instrument, limits: Effective) -> Denial | None:
    """The sum over all instruments, each at its worse end."""
    source = limits.source("max_exposure")
    return _gross("max_exposure", case, "the account", case.given.others, limits.max_exposure, source)


def net_exposure(case: Case, instrument: Instrument, limits: Effective) -> Denial | None:
    """The sum over all instruments with their signs, at the end that the order moves."""
    most, others = limits.max_net_exposure, case.given.others
    source = limits.source("max_net_exposure")
    return _end("max_net_exposure", case, "the net exposure of the account", others.net, most, source, others.unvalued)


def leverage(case: Case, instrument: Instrument, limits: Effective) -> Denial | None:
    """Exposure at its worst over what the account is worth."""
    most, equity, reach = limits.max_leverage, case.given.equity, _reach(case)
    if most is None or case.is_reducing:
        return None
    source = limits.source("max_leverage")
    if equity is None or equity <= 0:
        return no("max_leverage", "what the account is worth is not known, or nothing", most, source=source)
    if reach is None or case.given.others.unvalued:
        return _unvalued("max_leverage", "the account", case.given.others.unvalued, source)
    after = (case.given.others.gross + larger(reach.after)) / equity
    if after <= most or larger(reach.after) <= larger(reach.before):
        return None
    text = f"leverage could reach {after:.2f}, at most {plain(most)}"
    return no("max_leverage", text, most, to_places(after, 2), source)


def together(case: Case, instrument: Instrument, limits: Effective) -> tuple[Denial, ...]:
    """What groups and the desk may hold in sum, on the worst case of every account (5.4)."""
    found = [denial for scope in case.given.together for denial in of_scope(case, instrument, scope)]
    return tuple(denial for denial in found if denial is not None)


def of_scope(case: Case, instrument: Instrument, scope: Together) -> tuple[Denial | None, Denial | None, Denial | None]:
    """What a group or the desk says to the exposure, the net exposure and the position in the asset."""
    totals, others, name = scope.totals, scope.exposure, scope.name
    return (
        _gross("total_exposure", case, name, others, totals.max_exposure, scope.source),
        _end(
            "total_net_exposure", case, f"the net exposure of {name}", others.net, totals.max_net_exposure,
            scope.source, others.unvalued,
        ),
        _end(
            "total_position", case, f"the position of {name} in {instrument.base}", scope.asset,
            totals.max_position_notional, scope.source, others.unvalued,
        ),
    )  # fmt: skip


def gross_with(case: Case, others: Exposure) -> Decimal | None:
    """What the exposure could reach, reporting currency; None where something has no price."""
    reach = _reach(case)
    return None if reach is None or others.unvalued else others.gross + larger(reach.after)


def net_with(case: Case, held: Interval, unvalued: tuple[str, ...] = ()) -> Decimal | None:
    """What the sum with `held` could reach in the order's direction, reporting currency; None as above."""
    reach = _reach(case)
    return None if reach is None or unvalued else reach.end(held)


def _gross(rule: str, case: Case, whose: str, others: Exposure, most: Decimal | None, source: str) -> Denial | None:
    if most is None or case.is_reducing:
        return None
    reach = _reach(case)
    if reach is None or others.unvalued:
        return _unvalued(rule, whose, others.unvalued, source)
    after = others.gross + larger(reach.after)
    if after <= most or larger(reach.after) <= larger(reach.before):
        return None
    text = f"the exposure of {whose} could reach {after:.2f}, at most {plain(most)}"
    return no(rule, text, most, to_places(after, 2), source)


def _end(
    rule: str, case: Case, what: str, held: Interval, most: Decimal | None, source: str, unvalued: tuple[str, ...]
) -> Denial | None:
    if most is None or case.is_reducing:
        return None
    reach = _reach(case)
    if reach is None or unvalued:
        return _unvalued(rule, what, unvalued, source)
    after = reach.end(held)
    if after <= most:
        return None
    text = f"{what} could reach {after:.2f}, at most {plain(most)}"
    return no(rule, text, most, to_places(after, 2), source)


def _unvalued(rule: str, whose: str, missing: tuple[str, ...], source: str) -> Denial:
    what = ", ".join(missing) or "this instrument"
    return no(rule, f"how far {whose} reaches cannot be told: {what} has no price now", source=source)


def self_cross(case: Case, instrument: Instrument, limits: Effective) -> Denial | None:
    """It could trade with another order of this desk: never of the same owner, of another client only if it is meant."""
    met = case.given.crossing
    if met is None:
        return None
    at = "at the market" if met.price is None else f"at {plain(met.price)}"
    text = f"it could trade with a {met.side} order of account {met.account} {at}"
    if met.is_prevented:
        text += " (the venue's self-trade prevention would end one of the two)"
    if met.is_same_owner:
        return no("self_cross", f"{text}, which has the same owner", source="built in")
    return no("client_cross", f"{text}, another client of this desk; say why that is meant", source="built in")
