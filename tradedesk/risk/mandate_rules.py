"""Rules of the Gate about what may be done for the client (its mandate), and about how its account is set at the venue.

What reduces passes all of them: a client's risk may always be made smaller.
"""

from decimal import Decimal

from tradedesk.domain.gate import Denial
from tradedesk.domain.instruments import Instrument
from tradedesk.domain.mandate import Mandate, Standing
from tradedesk.domain.money import plain, to_places
from tradedesk.domain.words import Side
from tradedesk.risk.case import ZERO, Case, no


def profile(case: Case) -> Denial | None:
    """An account that is set otherwise than its profile says would take on another risk than was meant."""
    if not case.given.profile or case.is_reducing:
        return None
    text = f"account {case.order.account} is not set at the venue as it must be: {case.given.profile}"
    return no("profile", text, source=f"accounts.{case.order.account}.profile")


def in_force(case: Case, instrument: Instrument, standing: Standing) -> Denial | None:
    if not standing.lapse or case.is_reducing:
        return None
    return no("mandate_in_force", f"{standing.lapse}; only what reduces may go", source=_source(case, standing.mandate))


def close_only(case: Case, instrument: Instrument, standing: Standing) -> Denial | None:
    if not standing.mandate.close_only or case.is_reducing:
        return None
    return no(
        "mandate_close_only", "the mandate lets nothing be opened any more", source=_source(case, standing.mandate)
    )


def products(case: Case, instrument: Instrument, standing: Standing) -> Denial | None:
    may = standing.mandate.products
    if instrument.product in may or case.is_reducing:
        return None
    text = f"{instrument.symbol} is {instrument.product}, and the mandate lets {', '.join(may) or 'nothing'} be traded"
    return no("mandate_products", text, ", ".join(may), instrument.product, _source(case, standing.mandate))


def no_short(case: Case, instrument: Instrument, standing: Standing) -> Denial | None:
    """Not even if everything else that may be sold is sold."""
    if standing.mandate.may_short or case.order.side is not Side.Sell:
        return None
    low = case.given.worst.low - case.growth
    if low >= 0:
        return None
    text = f"it could leave {plain(low)} {instrument.base}, and the mandate lets nothing be sold short"
    return no("mandate_no_short", text, ZERO, low, _source(case, standing.mandate))


def restricted(case: Case, instrument: Instrument, standing: Standing) -> Denial | None:
    asset = brought_in(case, instrument, standing)
    if asset is None or asset not in standing.mandate.restricted:
        return None
    text = f"it brings in {asset}, which the mandate restricts"
    return no("mandate_restricted", text, value=asset, source=_source(case, standing.mandate))


def concentration(case: Case, instrument: Instrument, standing: Standing) -> Denial | None:
    """At the worst: with all that may still be bought of the asset, at the mark, and the equity of this moment."""
    most, asset = standing.mandate.max_concentration, brought_in(case, instrument, standing)
    if most is None or asset is None:
        return None
    source = _source(case, standing.mandate)
    mark = case.given.quote.mark if case.given.quote is not None else None
    if standing.held is None or standing.equity is None or mark is None or case.given.rate is None:
        text = f"how much of the equity would be {asset} cannot be told: something of it has no price now"
        return no("mandate_concentration", text, most, source=source)
    after = standing.held + case.growth * mark * case.given.rate
    if after <= most * standing.equity:
        return None
    share = to_places(after / standing.equity, 4) if standing.equity > 0 else "all"
    text = f"{asset} could be {share} of the equity, and the mandate lets it be {plain(most)} at most"
    return no("mandate_concentration", text, most, share, source)


def cash_floor(case: Case, instrument: Instrument, standing: Standing) -> Denial | None:
    """Of what is free: what open orders have locked counts as spent."""
    floor = standing.mandate.cash_floor
    is_buy = case.order.side is Side.Buy
    if floor is None or case.is_flattening or (is_buy and case.is_reducing):
        return None
    if (instrument.quote if is_buy else instrument.base) != standing.currency or case.price is None:
        return None  # it spends no cash; without a price the stale book rule speaks
    spends = case.order.leaves_qty * (case.price if is_buy else Decimal(1))
    left = case.given.available - spends
    if left >= floor:
        return None
    text = f"it could leave {plain(left)} {standing.currency} free, and the mandate keeps {plain(floor)}"
    return no("mandate_cash_floor", text, floor, left, _source(case, standing.mandate))


def brought_in(case: Case, instrument: Instrument, standing: Standing) -> str | None:
    """The asset that the account would have more of, cash apart; None where it only reduces a position to cash.

    A sale for another asset than cash brings that one in, though it reduces what is sold.
    """
    if case.is_flattening:
        return None
    if case.order.side is Side.Buy:
        return None if case.is_reducing or instrument.base == standing.currency else instrument.base
    return None if instrument.quote == standing.currency else instrument.quote


def _source(case: Case, mandate: Mandate) -> str:
    return f"accounts.{case.order.account}.mandate version {mandate.version}"


MANDATE_RULES = (
    in_force,
    close_only,
    products,
    no_short,
    restricted,
    concentration,
    cash_floor,
)
