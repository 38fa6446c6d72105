"""Rules of the Gate about what may be traded at all: instruments, types, times."""

from tradedesk.domain.gate import Denial
from tradedesk.domain.instruments import Instrument
from tradedesk.domain.limits import Effective
from tradedesk.domain.trading_hours import is_open
from tradedesk.risk.case import Case, no


def allowed(case: Case, instrument: Instrument, limits: Effective) -> Denial | None:
    """What is not on the list may still be closed."""
    if limits.allowed is None or instrument.id in limits.allowed or case.is_reducing:
        return None
    return no(
        "allowed", f"{instrument.symbol} is not on the list of what may be traded", source=limits.source("allowed")
    )


def restricted(case: Case, instrument: Instrument, limits: Effective) -> Denial | None:
    """A restricted list stops both ways (SEC 15c3-5 (c)(2)); only a halt that flattens passes it."""
    if instrument.id not in limits.restricted or case.is_flattening:
        return None
    return no("restricted", f"{instrument.symbol} is on the restricted list", source=limits.source("restricted"))


def order_type(case: Case, instrument: Instrument, limits: Effective) -> Denial | None:
    kind = case.order.order_type
    if limits.order_types is None or kind in limits.order_types or case.is_flattening:
        return None
    text = f"{kind} orders are not allowed; allowed: {', '.join(limits.order_types) or 'none'}"
    return no("order_type", text, value=kind, source=limits.source("order_types"))


def time_in_force(case: Case, instrument: Instrument, limits: Effective) -> Denial | None:
    tif = case.order.time_in_force
    if limits.times_in_force is None or tif in limits.times_in_force or case.is_flattening:
        return None
    text = f"time in force {tif} is not allowed; allowed: {', '.join(limits.times_in_force) or 'none'}"
    return no("time_in_force", text, value=tif, source=limits.source("times_in_force"))


def trading_hours(case: Case, instrument: Instrument, limits: Effective) -> Denial | None:
    windows = limits.trading_hours
    if windows is None or case.is_reducing or is_open(windows, case.given.now):
        return None
    text = f"now is outside the trading hours {', '.join(windows)} UTC; only what reduces may go"
    return no("trading_hours", text, source=limits.source("trading_hours"))
