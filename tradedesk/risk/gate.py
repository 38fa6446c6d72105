"""The Gate: every rule is a function that returns its Denial or None; all of them are asked, every reason is kept."""

from collections.abc import Callable
from decimal import Decimal

from msgspec import Struct

from tradedesk.domain.accounts import AccountState, HaltLevel
from tradedesk.domain.gate import FLATTENER, Approved, Denial, Denied, GateInputs
from tradedesk.domain.instruments import FeedState, Instrument
from tradedesk.domain.limits import Effective
from tradedesk.domain.money import is_multiple, plain, to_places
from tradedesk.domain.orders import Order
from tradedesk.domain.words import OrderType, RequestId, Side, TimeInForce

ZERO = Decimal(0)
BPS = Decimal(10_000)
MS = 1_000_000  # ns


class Case(Struct, frozen=True, kw_only=True):
    """One order before the Gate: as it would be sent, what it replaces, and what is known around it."""

    order: Order
    replaces: Order | None
    given: GateInputs

    @property
    def growth(self) -> Decimal:
        """Base units this adds to its side's worst case: of a replace, the larger leg counts (5.4)."""
        return max(self.order.leaves_qty, self.replaces.leaves_qty if self.replaces is not None else ZERO)

    @property
    def is_shrinking(self) -> bool:
        """Whether it only makes an order smaller where it stands: it can add nothing to any exposure."""
        replaced = self.replaces
        return (
            replaced is not None
            and replaced.client_order_id == self.order.client_order_id
            and replaced.price == self.order.price
            and self.order.order_qty < replaced.order_qty
        )

    @property
    def is_reducing(self) -> bool:
        """Whether it can only shrink the position, with the reductions already working taken off first."""
        worst = self.given.worst
        room = worst.low if self.order.side is Side.Sell else -worst.high
        return room > 0 and self.growth <= room

    @property
    def is_flattening(self) -> bool:
        """A halt's own closing of a position: as large as what is held, whatever a person may order at once."""
        return self.order.operator == FLATTENER and self.is_reducing

    @property
    def touch(self) -> Decimal | None:
        """The price a market order would meet now."""
        quote = self.given.quote
        if quote is None:
            return None
        return quote.ask if self.order.side is Side.Buy else quote.bid

    @property
    def price(self) -> Decimal | None:
        return self.order.price if self.order.order_type is OrderType.Limit else self.touch


def decide(request_id: RequestId, order: Order, replaces: Order | None, given: GateInputs) -> Approved | Denied:
    """Yes, or no with every reason at once. No limit set means no (5.4)."""
    case = Case(order=order, replaces=replaces, given=given)
    denials = denials_of(case)
    if denials or given.instrument is None:
        return Denied(request_id=request_id, client_order_id=order.client_order_id, denials=denials)
    return Approved(
        request_id=request_id,
        order=order,
        replaces=replaces,
        instrument=given.instrument,
        approved_at=given.now,
    )


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
        if given.limits is not None:
            found.extend(rule(case, given.instrument, given.limits) for rule in LIMIT_RULES)
    return tuple(denial for denial in found if denial is not None)


def _no(rule: str, text: str, limit: object = "", value: object = "") -> Denial:
    def shown(figure: object) -> str:
        return plain(figure) if isinstance(figure, Decimal) else str(figure)

    return Denial(rule=rule, text=text, limit=shown(limit), value=shown(value))


# ---- about the account ----------------------------------------------------------------------------------------------


def account_state(case: Case) -> Denial | None:
    state = case.given.account_state
    if state in (AccountState.Ready, AccountState.Halted):
        return None  # a halt has a rule of its own
    why = f" ({case.given.account_reason})" if case.given.account_reason else ""
    return _no("account_state", f"account {case.order.account} is {state}{why}; it must be Ready to send", value=state)


def halted(case: Case) -> Denial | None:
    level = case.given.halt
    if level is None or (level.allows_reducing and case.is_reducing):
        return None
    if level is HaltLevel.Flatten and case.is_flattening:
        return None
    return _no("halt", f"halted at level {level}; a person with the risk role must rearm", value=level)


def settled(case: Case) -> Denial | None:
    """Who does not know what the account holds must not add to it; what shrinks a position may go."""
    count = case.given.unsettled
    if not count or case.is_reducing:
        return None
    what = "a difference" if count == 1 else f"{count} differences"
    return _no(
        "unsettled",
        f"account {case.order.account} has {what} with its venue to settle first (tradedesk worklist)",
        value=count,
    )


def limits_present(case: Case) -> Denial | None:
    if case.given.limits is not None:
        return None
    where = f"accounts.{case.order.account}.limits.max_order_notional"
    return _no("limits_present", f"account {case.order.account} has no limits; set {where} in desk.toml")


def instrument_known(case: Case) -> Denial | None:
    if case.given.instrument is None:
        return _no("instrument_known", f"instrument {case.order.instrument} is not known to the desk")
    if not case.given.instrument.is_trading:
        return _no("instrument_trading", f"{case.given.instrument.symbol} is not trading at the venue")
    return None


def order_terms(case: Case) -> Denial | None:
    order = case.order
    if order.order_qty <= 0:
        return _no("order_qty", f"quantity {plain(order.order_qty)} must be above 0", value=order.order_qty)
    if order.order_type is OrderType.Limit and (order.price is None or order.price <= 0):
        return _no("price", "a limit order needs a price above 0")
    if order.post_only and (
        order.order_type is OrderType.Market or order.time_in_force is not TimeInForce.GoodTillCancel
    ):
        return _no("post_only", "post-only goes with a limit order that is good till cancelled")
    return None


def fresh_quote(case: Case) -> Denial | None:
    """An order that needs the market's price needs a fresh one; a reduction at a typed price does not (5.9)."""
    given = case.given
    if case.order.order_type is OrderType.Limit and case.is_reducing:
        return None
    limit_ms = given.limits.stale_after_ms if given.limits is not None else 0
    if given.quote is None or given.quote_age_ns is None or given.quote.mark is None:
        return _no("stale_book", "the market has no price yet", limit_ms)
    if given.quote.state is not FeedState.Live:
        return _no("stale_book", f"the market's data is {given.quote.state}", limit_ms, given.quote.state)
    age_ms = given.quote_age_ns // MS
    if given.limits is not None and age_ms > limit_ms:
        return _no("stale_book", f"the market's price is {age_ms} ms old, at most {limit_ms} ms", limit_ms, age_ms)
    if case.touch is None and case.order.order_type is OrderType.Market:
        return _no("stale_book", "the other side of the book is empty")
    return None


def reduce_only(case: Case) -> Denial | None:
    if not case.order.reduce_only or case.is_reducing:
        return None
    return _no("reduce_only", "it would not only reduce: the position, less reductions already working, is smaller")


def balance(case: Case) -> Denial | None:
    price, available = case.price, case.given.available
    if case.order.side is Side.Sell:
        needed = case.order.order_qty
    elif price is not None:
        needed = case.order.order_qty * price
    else:
        return None
    if needed <= available:
        return None
    asset = ""
    if case.given.instrument is not None:
        asset = case.given.instrument.base if case.order.side is Side.Sell else case.given.instrument.quote
    return _no("balance", f"needs {plain(needed)} {asset}, {plain(available)} is free", available, needed)


# ---- about the instrument -------------------------------------------------------------------------------------------


def tick(case: Case, instrument: Instrument) -> Denial | None:
    price = case.order.price
    if price is None or is_multiple(price, instrument.tick):
        return None
    text = f"price {plain(price)} is off tick; {instrument.symbol} moves in steps of {plain(instrument.tick)}"
    return _no("tick", text, instrument.tick, price)


def lot(case: Case, instrument: Instrument) -> Denial | None:
    qty = case.order.order_qty
    if is_multiple(qty, instrument.lot):
        return None
    text = f"quantity {plain(qty)} is no multiple of the lot {plain(instrument.lot)}"
    return _no("lot", text, instrument.lot, qty)


def venue_quantity(case: Case, instrument: Instrument) -> Denial | None:
    qty = case.order.order_qty
    if qty < instrument.min_qty:
        return _no("min_qty", f"quantity {plain(qty)} is below the venue's minimum", instrument.min_qty, qty)
    if qty > instrument.max_qty:
        return _no("max_qty", f"quantity {plain(qty)} is above the venue's maximum", instrument.max_qty, qty)
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
    return _no("min_notional", text, instrument.min_notional, notional)


# ---- about the limits -----------------------------------------------------------------------------------------------


def max_order_qty(case: Case, instrument: Instrument, limits: Effective) -> Denial | None:
    qty = case.order.order_qty
    if limits.max_order_qty is None or qty <= limits.max_order_qty or case.is_flattening:
        return None
    text = f"quantity {plain(qty)} {instrument.base} is above the limit {plain(limits.max_order_qty)} for one order"
    return _no("max_order_qty", text, limits.max_order_qty, qty)


def max_order_notional(case: Case, instrument: Instrument, limits: Effective) -> Denial | None:
    if case.price is None:
        return None
    notional = case.order.order_qty * case.price
    if notional <= limits.max_order_notional or case.is_flattening:
        return None
    text = f"notional {plain(notional)} {instrument.quote} is above the limit {plain(limits.max_order_notional)} for one order"
    return _no("max_order_notional", text, limits.max_order_notional, notional)


def price_collar(case: Case, instrument: Instrument, limits: Effective) -> Denial | None:
    """Too far from the middle of the market (the last price while a side is empty), on either side of it (F75)."""
    quote, price = case.given.quote, case.order.price
    reference = quote.mark if quote is not None else None
    if price is None or reference is None or reference <= 0:
        return None  # without a reference the stale book rule speaks
    distance = abs(price - reference) / reference * BPS
    if distance <= limits.price_collar_bps:
        return None
    text = (
        f"price {plain(price)} is {distance:.0f} bps from the market at {plain(reference)}, "
        f"at most {plain(limits.price_collar_bps)} bps"
    )
    return _no("price_collar", text, limits.price_collar_bps, to_places(distance, 0))


def max_open_orders(case: Case, instrument: Instrument, limits: Effective) -> Denial | None:
    if case.replaces is not None or case.given.open_orders < limits.max_open_orders:
        return None
    text = f"{case.given.open_orders} orders are open, at most {limits.max_open_orders}"
    return _no("max_open_orders", text, limits.max_open_orders, case.given.open_orders)


def _position_after(case: Case) -> Decimal:
    """The worse end once this order trades in full, or 0 where it only reduces."""
    if case.is_reducing:
        return ZERO
    if case.order.side is Side.Buy:
        return max(case.given.worst.high + case.growth, ZERO)
    return max(case.growth - case.given.worst.low, ZERO)


def max_position(case: Case, instrument: Instrument, limits: Effective) -> Denial | None:
    after = _position_after(case)
    if limits.max_position is None or after <= limits.max_position:
        return None
    text = f"the position could reach {plain(after)} {instrument.base}, at most {plain(limits.max_position)}"
    return _no("max_position", text, limits.max_position, after)


def max_position_notional(case: Case, instrument: Instrument, limits: Effective) -> Denial | None:
    mark = case.given.quote.mark if case.given.quote is not None else None
    reference = mark if mark is not None else case.order.price
    if reference is None:
        return None  # without a reference the stale book rule speaks
    after = _position_after(case) * reference
    if after <= limits.max_position_notional:
        return None
    text = f"the position could reach {after:.2f} {instrument.quote}, at most {plain(limits.max_position_notional)}"
    return _no("max_position_notional", text, limits.max_position_notional, to_places(after, 2))


Rule = Callable[[Case], Denial | None]
RULES: tuple[Rule, ...] = (
    account_state, halted, settled, limits_present, instrument_known, order_terms, fresh_quote, reduce_only, balance,
)  # fmt: skip
SHRINK_RULES: tuple[Rule, ...] = (account_state, halted, limits_present, instrument_known, order_terms)
INSTRUMENT_RULES: tuple[Callable[[Case, Instrument], Denial | None], ...] = (tick, lot, venue_quantity, min_notional)
LIMIT_RULES: tuple[Callable[[Case, Instrument, Effective], Denial | None], ...] = (
    max_order_qty, max_order_notional, price_collar, max_open_orders, max_position, max_position_notional,
)  # fmt: skip
