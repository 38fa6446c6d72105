"""What every rule of the Gate says to one order, those that pass too: value, limit, whose limit it is and who set it.

Asks the Gate's own rules, in its own order. The figures of those that pass stand in one table here; those of a no are
the denial's, and a test holds the two against each other.
"""

from collections.abc import Callable, Sequence
from typing import Any

from tradedesk.domain.gate import Answer, Denial
from tradedesk.domain.instruments import Instrument
from tradedesk.domain.limits import Effective
from tradedesk.domain.money import to_places
from tradedesk.risk import account_rules as account
from tradedesk.risk import day_rules as day
from tradedesk.risk import exposure_rules as sums
from tradedesk.risk import limit_rules as limit
from tradedesk.risk import permission_rules as permission
from tradedesk.risk.case import MS, Case, shown
from tradedesk.risk.gate import INSTRUMENT_RULES, LIMIT_RULES, RULES, SHRINK_RULES, softened
from tradedesk.risk.mandate_rules import MANDATE_RULES

Asked = Callable[..., Denial | None]
Figures = tuple[object, object, str]  # value, limit, source; None: there is none now
NAMES: dict[Asked, str] = {  # where a rule's name is not that of its function
    account.halted: "halt",
    account.settled: "unsettled",
    account.fresh_quote: "stale_book",
    limit.children_of_block: "children",
    sums.exposure: "max_exposure",
    sums.net_exposure: "max_net_exposure",
    sums.leverage: "max_leverage",
    **{rule: f"mandate_{rule.__name__}" for rule in MANDATE_RULES},
}


def answers(case: Case) -> tuple[Answer, ...]:
    """Every rule the Gate asks about this order, in its order."""
    given, instrument = case.given, case.given.instrument
    found = [_answer(case, rule, rule(case)) for rule in (SHRINK_RULES if case.is_shrinking else RULES)]
    if instrument is None:
        return tuple(found)
    found += [_answer(case, rule, rule(case, instrument)) for rule in INSTRUMENT_RULES]
    if case.is_shrinking:
        return tuple(found)
    if given.mandate is not None:
        found += [_answer(case, rule, rule(case, instrument, given.mandate)) for rule in MANDATE_RULES]
    if given.limits is not None:
        found += [_answer(case, rule, rule(case, instrument, given.limits)) for rule in LIMIT_RULES]
        for scope in given.together:
            said = sums.of_scope(case, instrument, scope)
            values = (
                ("total_exposure", sums.gross_with(case, scope.exposure), scope.totals.max_exposure),
                (
                    "total_net_exposure",
                    sums.net_with(case, scope.exposure.net, scope.exposure.unvalued),
                    scope.totals.max_net_exposure,
                ),
                (
                    "total_position",
                    sums.net_with(case, scope.asset, scope.exposure.unvalued),
                    scope.totals.max_position_notional,
                ),
            )
            found += [
                _said(case, rule, denial, (_money(value), most, scope.source))
                for denial, (rule, value, most) in zip(said, values, strict=True)
            ]
            today = (
                ("total_daily_loss", scope.today.loss, scope.totals.max_daily_loss),
                ("total_drawdown", scope.today.drawdown, scope.totals.max_drawdown),
            )
            found += [
                _said(case, rule, denial, (_money(value), most, scope.source))
                for denial, (rule, value, most) in zip(day.days_of_scope(case, scope), today, strict=True)
            ]
    return tuple(found)


def figures_of(rule: Asked, case: Case) -> Figures:
    """What the rule compares, whether or not it says no."""
    known = _OF_LIMITS.get(rule)
    limits, instrument = case.given.limits, case.given.instrument
    if known is not None and limits is not None and instrument is not None:
        return known(case, instrument, limits)
    stands = _AS_IT_STANDS.get(rule)
    return (None, None, "") if stands is None else stands(case)


def _answer(case: Case, rule: Asked, denial: Denial | None) -> Answer:
    return _said(case, NAMES.get(rule, rule.__name__), denial, figures_of(rule, case))


def _said(case: Case, rule: str, denial: Denial | None, figures: Figures) -> Answer:
    if denial is not None:
        denial = denial if case.is_shrinking else softened(case, denial)
        return Answer(
            rule=denial.rule, passes=False, value=denial.value, limit=denial.limit, source=denial.source,
            text=denial.text, is_soft=denial.is_soft,
        )  # fmt: skip
    value, most, source = figures
    return Answer(
        rule=rule,
        passes=True,
        value="" if value is None else shown(value),
        limit="" if most is None else shown(most),
        source="" if most is None else source,
    )


def _money(value: Any) -> object:
    return None if value is None else to_places(value, 2)


def _list(names: Sequence[str] | None) -> str | None:
    return None if names is None else ", ".join(names) or "none"


def _of(figure: str, value: Callable[[Case], object]) -> Callable[[Case, Instrument, Effective], Figures]:
    """Figures of a rule whose limit is one figure of the limits."""

    def figures(case: Case, instrument: Instrument, limits: Effective) -> Figures:
        most = getattr(limits, figure)
        return value(case), _list(most) if isinstance(most, tuple) else most, limits.source(figure)

    return figures


def _notional(case: Case) -> object:
    return None if case.price is None else case.order.order_qty * case.price


def _position_notional(case: Case) -> object:
    mark = case.given.quote.mark if case.given.quote is not None else None
    reference = mark if mark is not None else case.order.price
    return None if reference is None else to_places(limit.position_after(case) * reference, 2)


def _collar(case: Case, instrument: Instrument, limits: Effective) -> Figures:
    found = limit.from_market(case, limits)
    if found is None:
        return None, limits.price_collar_bps, limits.source("price_collar_bps")
    return to_places(found.bps, 0), found.most, limits.source(found.figure)


def _drift(case: Case, instrument: Instrument, limits: Effective) -> Figures:
    found = limit.from_anchor(case, limits)
    bps = None if found is None else to_places(found.bps, 0)
    return bps, limits.price_drift_bps, limits.source("price_drift_bps")


def _leverage(case: Case) -> object:
    equity, after = case.given.equity, sums.gross_with(case, case.given.others)
    return None if not equity or after is None else to_places(after / equity, 2)


def _stale(case: Case) -> Figures:
    age, limits = case.given.quote_age_ns, case.given.limits
    most = None if limits is None else limits.stale_after_ms
    return None if age is None else age // MS, most, "" if limits is None else limits.source("stale_after_ms")


def _venue(figure: str, value: Callable[[Case], object]) -> Callable[[Case], Figures]:
    """Figures of a rule whose limit is the venue's."""

    def figures(case: Case) -> Figures:
        instrument = case.given.instrument
        return value(case), None if instrument is None else getattr(instrument, figure), "the venue"

    return figures


def _balance(case: Case) -> Figures:
    needed = account.needed(case)
    return needed, None if needed is None else case.given.available, "the account's balance"


def _quantity(case: Case) -> Figures:
    instrument = case.given.instrument
    span = None if instrument is None else f"{shown(instrument.min_qty)} to {shown(instrument.max_qty)}"
    return case.order.order_qty, span, "the venue"


_AS_IT_STANDS: dict[Asked, Callable[[Case], Figures]] = {
    account.account_state: lambda case: (case.given.account_state, None, ""),
    account.halted: lambda case: (case.given.halt, None, ""),
    account.settled: lambda case: (case.given.unsettled, None, ""),
    account.fresh_quote: _stale,
    account.balance: _balance,
    account.tick: _venue("tick", lambda case: case.order.price),
    account.lot: _venue("lot", lambda case: case.order.order_qty),
    account.venue_quantity: _quantity,
    account.min_notional: _venue("min_notional", _notional),
    account.max_notional: _venue("max_notional", _notional),
}


_OF_LIMITS: dict[Asked, Callable[[Case, Instrument, Effective], Figures]] = {
    permission.allowed: _of("allowed", lambda case: case.order.instrument),
    permission.restricted: lambda case, instrument, limits: (
        instrument.id, ", ".join(limits.restricted) or None, limits.source("restricted"),
    ),
    permission.order_type: _of("order_types", lambda case: case.order.order_type),
    permission.time_in_force: _of("times_in_force", lambda case: case.order.time_in_force),
    permission.trading_hours: _of("trading_hours", lambda case: None),
    limit.max_order_qty: _of("max_order_qty", lambda case: case.order.order_qty),
    limit.max_order_notional: _of("max_order_notional", _notional),
    limit.price_collar: _collar,
    limit.price_drift: _drift,
    limit.max_open_orders: _of("max_open_orders", lambda case: case.given.open_orders),
    limit.message_rate: _of("max_messages_per_minute", lambda case: case.given.messages),
    limit.children_of_block: _of("max_children_per_block", lambda case: case.given.children),
    limit.repeat: _of("repeat_within_ms", lambda case: case.given.repeats),
    limit.max_position: _of("max_position", limit.position_after),
    limit.max_position_notional: _of("max_position_notional", _position_notional),
    sums.exposure: _of("max_exposure", lambda case: _money(sums.gross_with(case, case.given.others))),
    sums.net_exposure: _of(
        "max_net_exposure",
        lambda case: _money(sums.net_with(case, case.given.others.net, case.given.others.unvalued)),
    ),
    sums.leverage: _of("max_leverage", _leverage),
    day.daily_loss: _of("max_daily_loss", lambda case: _money(case.given.today.loss)),
    day.drawdown: _of("max_drawdown", lambda case: _money(case.given.today.drawdown)),
}  # fmt: skip
