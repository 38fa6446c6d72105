"""The Gate: every rule is a function that returns its Denial or None; all of them are asked, every reason is kept."""

from collections.abc import Callable

import msgspec

from tradedesk.domain.gate import Approved, Denial, Denied, GateInputs
from tradedesk.domain.instruments import Instrument
from tradedesk.domain.limits import SLIPS, SOFT_RULES, Effective
from tradedesk.domain.orders import Order
from tradedesk.domain.words import RequestId
from tradedesk.risk.account_rules import (
    account_state,
    balance,
    fresh_quote,
    halted,
    instrument_known,
    limits_present,
    lot,
    max_notional,
    min_notional,
    order_terms,
    reduce_only,
    settled,
    tick,
    venue_quantity,
)
from tradedesk.risk.case import Case
from tradedesk.risk.day_rules import daily_loss, days_together, drawdown
from tradedesk.risk.exposure_rules import exposure, leverage, net_exposure, self_cross, together
from tradedesk.risk.limit_rules import (
    children_of_block,
    max_open_orders,
    max_order_notional,
    max_order_qty,
    max_position,
    max_position_notional,
    message_rate,
    price_collar,
    price_drift,
    repeat,
)
from tradedesk.risk.mandate_rules import MANDATE_RULES, profile
from tradedesk.risk.permission_rules import allowed, order_type, restricted, time_in_force, trading_hours

Rule = Callable[[Case], Denial | None]
RULES: tuple[Rule, ...] = (
    account_state, halted, settled, limits_present, instrument_known, order_terms, fresh_quote, reduce_only, balance,
    profile,
)  # fmt: skip
SHRINK_RULES: tuple[Rule, ...] = (account_state, halted, limits_present, instrument_known, order_terms)
INSTRUMENT_RULES: tuple[Callable[[Case, Instrument], Denial | None], ...] = (
    tick, lot, venue_quantity, min_notional, max_notional,
)  # fmt: skip
LIMIT_RULES: tuple[Callable[[Case, Instrument, Effective], Denial | None], ...] = (
    allowed, restricted, order_type, time_in_force, trading_hours, max_order_qty, max_order_notional, price_collar,
    price_drift, max_open_orders, message_rate, children_of_block, repeat, max_position, max_position_notional, exposure,
    net_exposure, leverage, daily_loss, drawdown, self_cross,
)  # fmt: skip


def decide(request_id: RequestId, order: Order, replaces: Order | None, given: GateInputs) -> Approved | Denied:
    """Yes, or no with every reason at once. No limit set means no (5.4)."""
    case = Case(order=order, replaces=replaces, given=given)
    found = denials_of(case)
    denials, waived = sorted_out(case, found)
    if denials or given.instrument is None:
        return Denied(request_id=request_id, client_order_id=order.client_order_id, denials=found)
    return Approved(
        request_id=request_id,
        order=order,
        replaces=replaces,
        instrument=given.instrument,
        approved_at=given.now,
        waived=waived,
    )


def sorted_out(case: Case, denials: tuple[Denial, ...]) -> tuple[tuple[Denial, ...], tuple[Denial, ...]]:
    """What stands, and what the order's operator passes with a reason: soft rules only."""
    if not case.order.confirm:
        return denials, ()
    waived = tuple(denial for denial in denials if denial.is_soft)
    return tuple(denial for denial in denials if not denial.is_soft), waived


def denials_of(case: Case) -> tuple[Denial, ...]:
    """Every rule's no. Rules that need the instrument or the limits wait until those are there.

    What only shrinks an order is asked whether it may be sent at all and whether the venue will take it; no limit stands
    against less.
    """
    given = case.given
    if case.is_shrinking:
        found = [rule(case) for rule in SHRINK_RULES]
        if given.instrument is not None:
            found.extend(rule(case, given.instrument) for rule in INSTRUMENT_RULES)
        return tuple(denial for denial in found if denial is not None)
    found = [rule(case) for rule in RULES]
    if given.instrument is not None:
        found.extend(rule(case, given.instrument) for rule in INSTRUMENT_RULES)
        if given.mandate is not None:
            found.extend(rule(case, given.instrument, given.mandate) for rule in MANDATE_RULES)
        if given.limits is not None:
            found.extend(rule(case, given.instrument, given.limits) for rule in LIMIT_RULES)
            found.extend(together(case, given.instrument, given.limits))
            found.extend(days_together(case))
    return tuple(softened(case, denial) for denial in found if denial is not None)


def softened(case: Case, denial: Denial) -> Denial:
    """As soft for whoever ordered: a slip they confirm themselves, beyond a figure it takes the role risk."""
    limits = case.given.limits
    if limits is None or denial.rule not in limits.soft or denial.rule not in SOFT_RULES:
        return denial
    if denial.rule in SLIPS or case.order.is_risk:
        return msgspec.structs.replace(denial, is_soft=True)
    return msgspec.structs.replace(denial, text=f"{denial.text}; one with the role risk may pass it with a reason")
