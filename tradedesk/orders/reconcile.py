"""Comparing one account with its venue: what was there at first, and what no fill explains afterwards."""

from collections.abc import Iterable, Sequence
from decimal import Decimal

from tradedesk.domain.alerts import Severity
from tradedesk.domain.events import Opening
from tradedesk.domain.instruments import Instrument
from tradedesk.domain.money import plain
from tradedesk.domain.orders import Happening, Order, OrdStatus
from tradedesk.domain.outcomes import VenueState
from tradedesk.orders.books import Books
from tradedesk.orders.doubts import Doubts
from tradedesk.orders.messages import Reconciliation
from tradedesk.orders.progress import Progress


class Reconciler:
    """Takes the first look, which opens the account, and every later one, which repairs and reports."""

    def __init__(self, books: Books, doubts: Doubts, progress: Progress) -> None:
        self._books = books
        self._doubts = doubts
        self._progress = progress
        self._suspected: dict[str, Decimal] = {}  # asset -> unexplained amount at the last look

    def compare(self, message: Reconciliation) -> None:
        """Take over what was missed, ask about what is gone, and say what differs."""
        state = message.state
        if not self._books.is_opened:
            held = openings(state, self._books.replica.instruments.values())
            self._books.opened(held, message.marks, trades_from=state.taken_at + message.clock_offset)
            self._progress.opened()
        applied = len(self._books.fill_keys)
        for fill in sorted(state.fills, key=lambda fill: fill.transact_time):
            self._progress.fill(fill)
        missed = len(self._books.fill_keys) - applied
        for report in state.open_orders:
            self._progress.absorb(report)
        gone = missing(self._books.live.values(), state)
        for order in gone:
            if order.is_external and order.instrument not in self._books.replica.instruments:
                self._progress.move(order, Happening.Canceled, "no longer open; nothing tells how it ended")
            else:
                self._doubts.ask(order)
        self._books.balances_read(state.balances, is_complete=True)
        lasting = self._lasting(state)
        found = differences(lasting, missed, gone)
        if lasting:
            self._books.alert("unexplained", Severity.Critical, "; ".join(found))
        self._books.reconciled(tuple(found))

    def _lasting(self, state: VenueState) -> dict[str, Decimal]:
        """Only what two looks in a row show is a difference: one look may cut through a fill."""
        now = unexplained(self._books.replica.ledgers.get(self._books.account, {}), state)
        before, self._suspected = self._suspected, now
        return {asset: amount for asset, amount in now.items() if before.get(asset) == amount}


def missing(live: Iterable[Order], state: VenueState) -> list[Order]:
    """The orders that were on the book before the look, as far as we knew, and are not shown by it."""
    shown = {report.client_order_id for report in state.open_orders}
    return [
        order
        for order in live
        if order.client_order_id not in shown
        and order.ord_status is not OrdStatus.PendingNew
        and order.updated_at < state.taken_at
    ]


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
