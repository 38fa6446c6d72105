"""Comparing one account with its venue: what was there at first, and what no fill explains afterwards."""

from collections.abc import Iterable, Sequence
from decimal import Decimal

from tradedesk.domain.events import Opening
from tradedesk.domain.instruments import Instrument
from tradedesk.domain.money import plain
from tradedesk.domain.orders import Order
from tradedesk.domain.outcomes import VenueState


def openings(state: VenueState, instruments: Iterable[Instrument]) -> tuple[Opening, ...]:
    """What the account held at the first look; assets of the desk's instruments stand there even at 0."""
    amounts = {asset: Decimal(0) for instrument in instruments for asset in (instrument.base, instrument.quote)}
    amounts |= {balance.asset: balance.total for balance in state.balances}
    return tuple(Opening(asset=asset, amount=amount) for asset, amount in sorted(amounts.items()))


def unexplained(ledger: dict[str, Decimal], state: VenueState) -> dict[str, Decimal]:
    """asset -> the venue's amount less what opening, fills and movements make; only where it is not 0."""
    totals = {balance.asset: balance.total for balance in state.balances}
    gaps = {asset: totals.get(asset, Decimal(0)) - ledger.get(asset, Decimal(0)) for asset in {*totals, *ledger}}
    return {asset: gap for asset, gap in sorted(gaps.items()) if gap}


def differences(lasting: dict[str, Decimal], missed_fills: int, gone: Sequence[Order]) -> list[str]:
    """The findings in words; what was repaired at once says so."""
    found = [f"{asset}: the venue shows {plain(gap)} more than fills explain" for asset, gap in lasting.items()]
    if missed_fills:
        found.append(f"{missed_fills} fills had not been seen; applied from the venue's records")
    found.extend(f"order {order.client_order_id} is not open at the venue; asked how it ended" for order in gone)
    return found
