"""What keeps an account from leaving the desk: open orders, doubts, positions, differences not settled. Pure."""

from collections.abc import Iterable
from decimal import Decimal

from tradedesk.domain.instruments import Instrument
from tradedesk.domain.money import floor_to_lot, plain
from tradedesk.domain.words import AccountId
from tradedesk.views.replica import Replica

MOST_NAMED = 5


def in_the_way(replica: Replica, account: AccountId, *, with_holdings: bool) -> tuple[str, ...]:
    """Sentences, by the desk's own books; none if the account may go.

    `with_holdings`: what a spot account holds is the client's, and goes with the client.
    """
    live = [order for order in replica.orders.values() if order.account == account and not order.is_dead]
    ours = [order.client_order_id for order in live if not order.is_external]
    foreign = [order.client_order_id for order in live if order.is_external]
    row = replica.accounts.get(account)
    differences = () if row is None else row.worklist
    found = [
        _listed("open or not known to have ended", ours),
        _listed("of other software open", foreign),
        _listed_differences([item.key for item in differences]),
    ]
    if not with_holdings:
        found.append(holdings_in_words(held(replica, account)))
    return tuple(sentence for sentence in found if sentence)


def held(replica: Replica, account: AccountId) -> dict[str, Decimal]:
    """Asset -> what the account holds of it and could sell; less than the smallest order is dust."""
    found = {}
    for (owner, key), position in replica.positions.items():
        instrument = replica.instruments.get(key)
        if owner == account and instrument is not None and not is_dust(position.qty, instrument):
            found[instrument.base] = position.qty
    return found


def is_dust(qty: Decimal, instrument: Instrument) -> bool:
    return floor_to_lot(abs(qty), instrument.lot) < max(instrument.min_qty, instrument.lot)


def holdings_in_words(amounts: dict[str, Decimal]) -> str:
    """ "" where there are none."""
    return f"it holds {', '.join(f'{plain(qty)} {asset}' for asset, qty in sorted(amounts.items()))}" if amounts else ""


def _listed(what: str, keys: Iterable[str]) -> str:
    keys = list(keys)
    if not keys:
        return ""
    named = ", ".join(keys[:MOST_NAMED]) + (", ..." if len(keys) > MOST_NAMED else "")
    return f"{'1 order' if len(keys) == 1 else f'{len(keys)} orders'} {what}: {named}"


def _listed_differences(keys: list[str]) -> str:
    return f"differences with its venue not settled: {', '.join(keys[:MOST_NAMED])}" if keys else ""
