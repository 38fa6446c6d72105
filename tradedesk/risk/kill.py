"""A kill of one account, decided: what to cancel of what its venue shows, when that is all, and what the receipt says. Pure.

It works without the desk and, if need be, without its journal: the venue's own list says what is open, and the form of
an order's id says that a desk made it.
"""

from collections.abc import Iterable, Mapping
from decimal import Decimal

from msgspec import Struct

from tradedesk.domain.accounts import HaltLevel
from tradedesk.domain.instruments import Instrument, instrument_id
from tradedesk.domain.money import floor_to_lot, plain
from tradedesk.domain.orders import Order, OrdStatus
from tradedesk.domain.outcomes import OrderReport
from tradedesk.domain.positions import Balance, would_open
from tradedesk.domain.receipts import MOST_ORDERS, AccountReceipt, FoundOrder, OrderEnd, Outcome
from tradedesk.domain.words import AccountId, ClientOrderId, InstrumentId, VenueId, VenueOrderId, is_a_desks, is_a_kills

ZERO = Decimal(0)
_WORST_FIRST = (OrderEnd.Open, OrderEnd.Left, OrderEnd.Cancelled, OrderEnd.Ended, OrderEnd.External)

Key = tuple[InstrumentId, VenueOrderId]  # of an order at its venue


class Task(Struct, frozen=True, kw_only=True):
    """What a kill is to do with one account."""

    account: AccountId
    venue: VenueId
    level: HaltLevel  # cancel-opening, cancel-all or flatten
    bases: Mapping[InstrumentId, str]  # the asset each configured instrument trades
    with_external: bool = False
    instrument: InstrumentId | None = None  # this one alone; None: all of them

    def is_about(self, instrument: InstrumentId) -> bool:
        return self.instrument in (None, instrument)


class Known(Struct, frozen=True, kw_only=True):
    """What the desk's journal tells of one account: more than ids show, and what may still be on its way."""

    ids: frozenset[ClientOrderId] = frozenset()  # of orders of ours that were not dead, as the venue knows them
    venue_ids: frozenset[Key] = frozenset()
    in_doubt: tuple[Order, ...] = ()  # sent, perhaps: nothing is proved of them yet


class Shown(Struct, frozen=True, kw_only=True):
    """One look at the account at its venue."""

    began: int  # monotonic ns, before its first question
    at: int  # venue clock, ns, at that moment
    open_orders: tuple[OrderReport, ...]
    balances: tuple[Balance, ...]


class Sorted(Struct, frozen=True, kw_only=True):
    """The open orders of a look, by what is to become of them."""

    to_cancel: tuple[OrderReport, ...]
    left: tuple[OrderReport, ...]  # protective, at a level that leaves those
    external: tuple[OrderReport, ...]


def key_of(report: OrderReport) -> Key:
    return report.instrument, report.venue_order_id


def known_of(account: AccountId, orders: Iterable[Order]) -> Known:
    """From the orders that the journal knows, of any account."""
    ours = [order for order in orders if order.account == account and not order.is_external and not order.is_dead]
    return Known(
        ids=frozenset(order.venue_client_id for order in ours),
        venue_ids=frozenset((order.instrument, order.venue_order_id) for order in ours if order.venue_order_id),
        in_doubt=tuple(order for order in ours if order.ord_status is OrdStatus.PendingNew),
    )


def is_ours(report: OrderReport, known: Known) -> bool:
    """By the journal where it could be read, else by the mark that desks put on their orders."""
    return (
        is_a_desks(report.client_order_id)
        or is_a_kills(report.client_order_id)
        or report.client_order_id in known.ids
        or key_of(report) in known.venue_ids
    )


def sort(shown: Shown, task: Task, known: Known) -> Sorted:
    """Which of the open orders the level cancels; what is not ours is never among them unasked (5.5)."""
    to_cancel, left, external = [], [], []
    for report in shown.open_orders:
        if not task.is_about(report.instrument):
            continue
        if not (task.with_external or is_ours(report, known)):
            external.append(report)
        elif task.level is HaltLevel.CancelOpening and not _is_opening(report, shown, task):
            left.append(report)
        else:
            to_cancel.append(report)
    return Sorted(to_cancel=tuple(to_cancel), left=tuple(left), external=tuple(external))


def _is_opening(report: OrderReport, shown: Shown, task: Task) -> bool:
    """The rule of a halt inside the desk (orders.sweep); what cannot be judged counts as opening."""
    base = task.bases.get(report.instrument)
    if base is None or report.side is None:
        return True
    same = [other for other in shown.open_orders if (other.instrument, other.side) == (report.instrument, report.side)]
    working = [leaves_of(other) for other in same]
    if any(leaves is None for leaves in working):
        return True
    held = sum((balance.total for balance in shown.balances if balance.asset == base), ZERO)
    return would_open(report.side, sum((leaves for leaves in working if leaves is not None), ZERO), held)


def leaves_of(report: OrderReport) -> Decimal | None:
    """What is left of it to trade; None where the venue did not tell its quantity."""
    return None if report.order_qty is None else report.order_qty - (report.cum_qty or ZERO)


def quiet_from(latched_at: int, window_ns: int, known: Known | None) -> int:
    """From when on (monotonic ns) an empty list proves that nothing is left: nothing sent before can arrive any more.

    `known` None: without the journal anything may be under way until the venue's window is over.
    """
    return latched_at + window_ns if known is None or known.in_doubt else latched_at


def held(
    balances: Iterable[Balance], bases: Mapping[InstrumentId, str], instruments: Iterable[Instrument]
) -> dict[InstrumentId, Decimal]:
    """What is held of the assets that the desk trades, by instrument.

    Less than the smallest order of an instrument is dust, which nobody can sell. Without the instruments all counts.
    """
    amounts = {balance.asset: balance.total for balance in balances}
    known = {instrument.id: instrument for instrument in instruments}
    found = {}
    for key, base in bases.items():
        qty, instrument = abs(amounts.get(base, ZERO)), known.get(key)
        if instrument is not None:
            qty = floor_to_lot(qty, instrument.lot)
            qty = qty if qty >= max(instrument.min_qty, instrument.lot) else ZERO
        if qty:
            found[key] = qty
    return found


def bases_of(venue: VenueId, symbols: Iterable[str]) -> dict[InstrumentId, str]:
    """The asset that each configured instrument trades, by what desk.toml calls it (BTC/USDT)."""
    return {instrument_id(venue, symbol): symbol.partition("/")[0] for symbol in symbols}


def in_words(held_qty: Mapping[InstrumentId, Decimal], bases: Mapping[InstrumentId, str]) -> tuple[str, ...]:
    """What is held, each asset once."""
    return tuple({bases[key]: f"{plain(qty)} {bases[key]}" for key, qty in held_qty.items() if key in bases}.values())


class Tally:
    """The orders that a kill of one account came upon, and how each ended. One task's."""

    def __init__(self) -> None:
        self._found: dict[Key, tuple[OrderReport, OrderEnd, int]] = {}

    def seen(self, sorted_: Sorted, at: int) -> None:
        """Take in a look of that time (venue clock, ns). What was to be cancelled and is not shown any more is `gone`."""
        shown = {key_of(report) for report in (*sorted_.to_cancel, *sorted_.left, *sorted_.external)}
        for key, (report, end, _) in list(self._found.items()):
            if key not in shown and end is OrderEnd.Left:
                self._found[key] = (report, OrderEnd.Ended, at)
            elif key not in shown and end is OrderEnd.External:
                del self._found[key]
        for reports, end in (
            (sorted_.to_cancel, OrderEnd.Open),
            (sorted_.left, OrderEnd.Left),
            (sorted_.external, OrderEnd.External),
        ):
            self._found |= {key_of(report): (report, end, at) for report in reports}

    def gone(self, shown: Shown) -> list[OrderReport]:
        """As last seen: the orders whose end nobody told, and that this look does not show."""
        there = {key_of(report) for report in shown.open_orders}
        return [report for key, (report, end, _) in self._found.items() if end is OrderEnd.Open and key not in there]

    def ended(self, key: Key, *, is_cancelled: bool, at: int) -> None:
        if key in self._found:
            self._found[key] = (self._found[key][0], OrderEnd.Cancelled if is_cancelled else OrderEnd.Ended, at)

    @property
    def orders(self) -> tuple[FoundOrder, ...]:
        """Open ones first: of more than a receipt holds it is those that a person must see."""
        return tuple(
            FoundOrder(
                client_order_id=report.client_order_id,
                venue_order_id=report.venue_order_id,
                instrument=report.instrument,
                side=report.side,
                end=end,
                at=at,
            )
            for report, end, at in sorted(self._found.values(), key=lambda found: _WORST_FIRST.index(found[1]))
        )

    def count(self, end: OrderEnd) -> int:
        return sum(1 for _, found, _ in self._found.values() if found is end)


def receipt_of(
    task: Task,
    tally: Tally,
    *,
    is_blocked: bool,
    is_quiet: bool,
    last: Shown | None,
    held_qty: Mapping[InstrumentId, Decimal] | None,
    why: str,
    exit_: str,
    exits_failed: tuple[str, ...] = (),
    entry: str,
    took_ms: int,
) -> AccountReceipt:
    """The account's part of the receipt. `is_quiet`: the last look found nothing to cancel, and nothing can arrive any more."""
    outcome = Outcome.Unreachable if last is None else Outcome.Clear if is_quiet else Outcome.Open
    is_flat = None if held_qty is None else not held_qty
    return AccountReceipt(
        account=task.account,
        outcome=outcome,
        is_blocked=is_blocked,
        cancelled=tally.count(OrderEnd.Cancelled),
        ended=tally.count(OrderEnd.Ended),
        still_open=tally.count(OrderEnd.Open),
        left=tally.count(OrderEnd.Left),
        external=tally.count(OrderEnd.External),
        is_flat=is_flat,
        held=() if held_qty is None else in_words(held_qty, task.bases),
        confirmed_at=None if last is None else last.at,
        exit=exit_,
        exits_failed=exits_failed,
        entry=entry,
        why=why,
        took_ms=took_ms,
        orders=tally.orders[:MOST_ORDERS],
    )
