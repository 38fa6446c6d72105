"""Rules of the Gate about the account as it stands, the order's own terms, and the instrument's."""

from decimal import Decimal

from tradedesk.domain.accounts import AccountState, HaltLevel
from tradedesk.domain.gate import Denial
from tradedesk.domain.instruments import FeedState, Instrument
from tradedesk.domain.money import is_multiple, plain
from tradedesk.domain.words import OrderType, Side, TimeInForce
from tradedesk.risk.case import MS, Case, no


def account_state(case: Case) -> Denial | None:
    state = case.given.account_state
    if state in (AccountState.Ready, AccountState.Halted):
        return None  # a halt has a rule of its own
    why = f" ({case.given.account_reason})" if case.given.account_reason else ""
    return no("account_state", f"account {case.order.account} is {state}{why}; it must be Ready to send", value=state)


def halted(case: Case) -> Denial | None:
    level = case.given.halt
    if level is None or (level.allows_reducing and case.is_reducing):
        return None
    if level is HaltLevel.Flatten and case.is_flattening:
        return None
    what = f"{case.given.halted}: " if case.given.halted else ""
    text = f"{what}halted at level {level}; a person with the risk role must rearm"
    return no("halt", text, limit=level, value=level, source=case.given.halted_by)


def settled(case: Case) -> Denial | None:
    """Who does not know what the account holds must not add to it; what shrinks a position may go."""
    count = case.given.unsettled
    if not count or case.is_reducing:
        return None
    what = "a difference" if count == 1 else f"{count} differences"
    return no(
        "unsettled",
        f"account {case.order.account} has {what} with its venue to settle first (tradedesk worklist)",
        value=count,
    )


def limits_present(case: Case) -> Denial | None:
    if case.given.limits is not None:
        return None
    where = f"accounts.{case.order.account}.limits.max_order_notional"
    return no("limits_present", f"account {case.order.account} has no limits; set {where} in desk.toml")


def instrument_known(case: Case) -> Denial | None:
    if case.given.instrument is None:
        return no("instrument_known", f"instrument {case.order.instrument} is not known to the desk")
    if not case.given.instrument.is_trading:
        return no("instrument_trading", f"{case.given.instrument.symbol} is not trading at the venue")
    return None


def order_terms(case: Case) -> Denial | None:
    order = case.order
    if order.order_qty <= 0:
        return no("order_qty", f"quantity {plain(order.order_qty)} must be above 0", value=order.order_qty)
    if order.order_type is OrderType.Limit and (order.price is None or order.price <= 0):
        return no("price", "a limit order needs a price above 0")
    if order.post_only and (
        order.order_type is OrderType.Market or order.time_in_force is not TimeInForce.GoodTillCancel
    ):
        return no("post_only", "post-only goes with a limit order that is good till cancelled")
    return None


def fresh_quote(case: Case) -> Denial | None:
    """An order that needs the market's price needs a fresh one; a reduction at a typed price does not (5.9)."""
    given = case.given
    if case.order.order_type is OrderType.Limit and case.is_reducing:
        return None
    limit_ms = given.limits.stale_after_ms if given.limits is not None else 0
    if given.quote is None or given.quote_age_ns is None or given.quote.mark is None:
        return no("stale_book", "the market has no price yet", limit_ms)
    if given.quote.state is not FeedState.Live:
        return no("stale_book", f"the market's data is {given.quote.state}", limit_ms, given.quote.state)
    age_ms = given.quote_age_ns // MS
    if given.limits is not None and age_ms > limit_ms:
        return no("stale_book", f"the market's price is {age_ms} ms old, at most {limit_ms} ms", limit_ms, age_ms)
    if case.touch is None and case.order.order_type is OrderType.Market:
        return no("stale_book", "the other side of the book is empty")
    return None


def reduce_only(case: Case) -> Denial | None:
    if not case.order.reduce_only or case.is_reducing:
        return None
    return no("reduce_only", "it would not only reduce: the position, less reductions already working, is smaller")


def needed(case: Case) -> Decimal | None:
    """Of the asset that the order spends; None where a buy has no price."""
    if case.order.side is Side.Sell:
        return case.order.order_qty
    return None if case.price is None else case.order.order_qty * case.price


def balance(case: Case) -> Denial | None:
    spends, available = needed(case), case.given.available
    if spends is None or spends <= available:
        return None
    asset = ""
    if case.given.instrument is not None:
        asset = case.given.instrument.base if case.order.side is Side.Sell else case.given.instrument.quote
    return no("balance", f"needs {plain(spends)} {asset}, {plain(available)} is free", available, spends)


# ---- about the instrument -------------------------------------------------------------------------------------------


def tick(case: Case, instrument: Instrument) -> Denial | None:
    price = case.order.price
    if price is None or is_multiple(price, instrument.tick):
        return None
    text = f"price {plain(price)} is off tick; {instrument.symbol} moves in steps of {plain(instrument.tick)}"
    return no("tick", text, instrument.tick, price)


def lot(case: Case, instrument: Instrument) -> Denial | None:
    qty = case.order.order_qty
    if is_multiple(qty, instrument.lot):
        return None
    text = f"quantity {plain(qty)} is no multiple of the lot {plain(instrument.lot)}"
    return no("lot", text, instrument.lot, qty)


def venue_quantity(case: Case, instrument: Instrument) -> Denial | None:
    qty = case.order.order_qty
    if qty < instrument.min_qty:
        return no("min_qty", f"quantity {plain(qty)} is below the venue's minimum", instrument.min_qty, qty)
    if qty > instrument.max_qty:
        return no("max_qty", f"quantity {plain(qty)} is above the venue's maximum", instrument.max_qty, qty)
    return None


def min_notional(case: Case, instrument: Instrument) -> Denial | None:
    if case.price is None:
        return None
    notional = case.order.order_qty * case.price
    if notional >= instrument.min_notional:
        return None
    text = (
        f"notional {plain(notional)} {instrument.quote} is below the venue's minimum {plain(instrument.min_notional)}"
    )
    return no("min_notional", text, instrument.min_notional, notional)


def max_notional(case: Case, instrument: Instrument) -> Denial | None:
    """Of limit orders: what an order at the market comes to, the venue reckons by a price of its own."""
    most, price = instrument.max_notional, case.order.price
    if most is None or price is None or case.order.order_qty * price <= most:
        return None
    notional = case.order.order_qty * price
    text = f"notional {plain(notional)} {instrument.quote} is above the venue's maximum {plain(most)}"
    return no("max_notional", text, most, notional)
