"""Comparing one account with its venue: what was there at first, and what no fill explains afterwards."""

from collections.abc import Iterable
from decimal import Decimal

from tradedesk.domain.alerts import Severity
from tradedesk.domain.commands import Settle
from tradedesk.domain.events import Opening, WorkItem
from tradedesk.domain.instruments import Instrument
from tradedesk.domain.money import plain
from tradedesk.domain.movements import Movement, MovementKind
from tradedesk.domain.orders import Happening, Order, OrdStatus
from tradedesk.domain.outcomes import MovementsAnswer, VenueInfo, VenueState
from tradedesk.domain.words import ClientOrderId
from tradedesk.orders.books import Books
from tradedesk.orders.doubts import Doubts
from tradedesk.orders.messages import AskMovements, AskState, Reconciliation
from tradedesk.orders.progress import Progress

MS, SECOND = 10**6, 10**9  # ns
MOST_FAILURES = 6  # to read the ledger, some seconds apart; then a person decides without it
UNREAD = "the venue's ledger cannot be read"
LEDGER_OVERLAP = 24 * 3_600 * 10**9  # ns: a deposit may be in the ledger long before it is in the balance


class Reconciler:
    """Takes the first look, which opens the account, and every later one, which repairs and reports.

    A balance that fills do not explain is looked at twice, then looked up in the venue's ledger; what that does not
    explain either stands in the worklist until an operator takes it into the books.
    """

    def __init__(self, books: Books, doubts: Doubts, progress: Progress, info: VenueInfo) -> None:
        self._books = books
        self._doubts = doubts
        self._progress = progress
        self._state: VenueState | None = None  # of the last look
        self._offset = 0  # the venue's clock less ours at that look, ns
        self._looked_at = 0  # when that look began, venue clock, ns: fills are asked for from there, whatever ours does
        self._lag = info.query_lag_ms * MS  # looks nearer to each other than this may miss the same fill
        self._suspected: dict[str, Decimal] = {}  # asset -> unexplained amount at the last look
        self._asked: dict[str, Decimal] = {}  # what of it the ledger was asked about
        self._since: dict[str, int] = {}  # asset -> when the look that first showed that amount was over, monotonic ns
        self._again_at: int | None = None  # when to look again, monotonic ns
        self._unread: str | None = None  # why the ledger could not be read the last time
        self._failures = 0  # in a row
        self._read_until = 0  # venue clock, ns: what was in the ledger before it is known, give or take the overlap
        self._notes: list[str] = []  # what the last look repaired, in words
        self._gone: list[Order] = []

    def compare(self, message: Reconciliation) -> None:
        """Take over what was missed, ask about what is gone, and say what differs."""
        state = self._state = message.state
        self._offset = message.clock_offset
        self._looked_at = state.venue_time
        if not self._books.is_opened:
            held = openings(state, self._books.replica.instruments.values())
            self._books.opened(held, message.marks, trades_from=self._looked_at)
            self._progress.opened()
        applied = len(self._books.fill_keys)
        for fill in sorted(state.fills, key=lambda fill: fill.transact_time):
            self._progress.fill(fill)
        missed = len(self._books.fill_keys) - applied
        for report in state.open_orders:
            self._progress.absorb(report)
        self._gone = missing(self._books.live.values(), state, self._books.now)
        for order in self._gone:
            if order.is_external and order.instrument not in self._books.replica.instruments:
                self._progress.move(order, Happening.Canceled, "no longer open; nothing tells how it ended")
            else:
                self._doubts.ask(order)
        self._books.balances_read(state.balances, is_complete=True)
        self._notes = [f"{missed} fills had not been seen; applied from the venue's records"] if missed else []
        before, self._suspected = self._suspected, self._unexplained(state)
        self._since = {
            asset: self._since.get(asset, self._books.elapsed) if before.get(asset) == gap else self._books.elapsed
            for asset, gap in self._suspected.items()
        }
        lasting = {
            asset: gap for asset, gap in self._suspected.items() if message.elapsed - self._since[asset] > self._lag
        }
        self._again_at = None
        self._report(lasting, decided=frozenset())
        self._asked = lasting
        if lasting:  # one look may cut through a fill; what two in a row show is there
            since = max(self._books.trades_from, self._read_until - LEDGER_OVERLAP)
            self._books.effects.append(AskMovements(since=since))
        elif self._suspected:
            self._look_again()

    def tick(self) -> None:
        """Look again where a look left a doubt, once whatever it missed must show."""
        if self._again_at is not None and self._books.elapsed >= self._again_at:
            self._again_at = None
            self._books.effects.append(AskState())

    def _look_again(self) -> None:
        self._again_at = self._books.elapsed + self._lag + SECOND

    def explained(self, answer: MovementsAnswer) -> None:
        """What the ledger says moved goes into the books, once each; what is left then waits for an operator."""
        state = self._state
        if state is None:
            return
        self._unread = answer.failed
        new = [
            movement
            for movement in answer.movements
            if movement.key not in self._books.movement_keys and movement.transact_time >= self._books.trades_from
        ]
        for movement in sorted(new, key=lambda movement: movement.transact_time):
            if movement.key not in self._books.movement_keys:  # the same line twice in one answer
                self._books.moved_money(movement)
        self._failures = 0 if answer.failed is None else self._failures + 1
        if answer.failed is None:
            self._read_until = self._looked_at
        moved = {movement.asset for movement in new}  # perhaps after the look: these wait for the next one
        suspected = {asset: gap for asset, gap in self._unexplained(state).items() if asset in self._suspected}
        self._suspected = {asset: gap for asset, gap in suspected.items() if asset not in moved}
        lasting = {  # a look since then may have cut through a fill: what it shows otherwise was not asked about
            asset: gap for asset, gap in suspected.items() if asset in moved or self._asked.get(asset) == gap
        }
        is_read = answer.failed is None or self._failures >= MOST_FAILURES
        self._report(lasting, decided=frozenset(lasting.keys() - moved if is_read else ()))
        if moved or not is_read:
            self._look_again()

    def settle(self, command: Settle) -> None:
        """Take one difference into the books as it stands, under the operator's name."""
        asset = command.key.removeprefix("balance:")
        waits = any(item.key == command.key and item.needs_decision for item in self._books.worklist)
        order = next((one for one in self._gone if command.key == f"order:{one.client_order_id}"), None)
        if waits and order is not None:
            self._settle_order(order, command)
            return
        gap = self._unexplained(self._state).get(asset) if self._state is not None else None
        if gap is None or not waits:
            reason = f"{command.key}: nothing of that name waits to be settled; `tradedesk worklist` shows what does"
            self._books.refused(command.operator, ClientOrderId(command.key), reason)
            return
        movement = Movement(
            account=self._books.account,
            asset=asset,
            amount=gap,
            kind=MovementKind.Accepted,
            movement_id=str(self._books.now),
            transact_time=self._books.now + self._offset,
        )
        self._books.moved_money(movement, by=command.operator, note=command.note)
        self._suspected.pop(asset, None)
        self._report_again()

    def _settle_order(self, order: Order, command: Settle) -> None:
        """How it ended is not known and never will be: it counts for nothing from now on, under the operator's name."""
        why = f"lost by the venue; taken for ended by {command.operator}: {command.note}"
        self._progress.move(self._books.latest(order), Happening.Expired, why)
        self._books.alert_ended(f"vanished:{order.client_order_id}")
        self._gone = [one for one in self._gone if one.client_order_id != order.client_order_id]
        self._report_again()

    def _report_again(self) -> None:
        """The worklist without what was just settled."""
        known = {item.key for item in self._books.worklist}
        self._report(
            {asset: gap for asset, gap in self._suspected.items() if f"balance:{asset}" in known}, decided=frozenset()
        )

    def _unexplained(self, state: VenueState) -> dict[str, Decimal]:
        return unexplained(self._books.replica.ledgers.get(self._books.account, {}), state)

    def _report(self, lasting: dict[str, Decimal], *, decided: frozenset[str]) -> None:
        """Say what differs. `decided` are the assets whose difference the ledger was asked about, in vain.

        What an operator had to decide before this look stays so while it is there: a restart must not free the account.
        """
        before = {item.key for item in self._books.worklist if item.needs_decision}
        ledger = self._books.replica.ledgers.get(self._books.account, {})
        items = [
            difference(asset, ledger.get(asset, Decimal(0)), gap, asset in decided or key in before, self._unread)
            for asset, gap in (self._suspected | lasting).items()
            if (key := f"balance:{asset}") in before or asset in lasting
        ]
        waiting = [item for item in items if item.needs_decision]
        found = [f"{asset}: the venue shows {plain(gap)} more than fills explain" for asset, gap in lasting.items()]
        found += self._notes
        found += [f"order {order.client_order_id} is not open at the venue; asked how it ended" for order in self._gone]
        if waiting:
            self._books.alert("unexplained", Severity.Critical, "; ".join(f"{i.key}: {i.cause}" for i in waiting))
        elif self._books.is_alerted("unexplained"):  # of whatever life: a crash may have kept the alert alone
            self._books.alert_ended("unexplained")
        gone = [
            ended(order, self._doubts.has_vanished(order) or f"order:{order.client_order_id}" in before)
            for order in self._gone
        ]
        self._books.reconciled(tuple(found), (*items, *gone), self._looked_at)


def difference(asset: str, ours: Decimal, gap: Decimal, needs_decision: bool, unread: str | None) -> WorkItem:
    """A balance that differs, as a person reads it."""
    if not needs_decision:
        cause, repair = "something that is no fill", "the venue's ledger is read"
    elif unread is not None:
        cause, repair = f"not known: {UNREAD} ({unread})", "book it as it stands"
    else:
        cause, repair = "nothing in the venue's ledger or our fills explains it", "book it as it stands"
    return WorkItem(
        key=f"balance:{asset}",
        ours=plain(ours),
        venues=plain(ours + gap),
        cause=cause,
        repair=f"{repair}: {'+' if gap > 0 else ''}{plain(gap)} {asset}" if needs_decision else repair,
        needs_decision=needs_decision,
    )


def ended(order: Order, needs_decision: bool) -> WorkItem:
    """An order that is open to us and not to its venue, as a person reads it."""
    if needs_decision:
        cause, repair = "the venue had it and knows no such order any more (F35)", "take it for ended"
    else:
        cause = "ended while nobody listened" if not order.is_external else "an order of other software ended"
        repair = "the venue is asked how it ended"
    return WorkItem(
        key=f"order:{order.client_order_id}",
        ours=order.ord_status.value,
        venues="not known" if needs_decision else "not open",
        cause=cause,
        repair=repair,
        needs_decision=needs_decision,
    )


def missing(live: Iterable[Order], state: VenueState, now: int) -> list[Order]:
    """The orders that were on the book before the look, as far as we knew, and are not shown by it.

    What changed during the look may be missing for that. What changed after `now` did so before the clock was set back.
    """
    shown = {report.client_order_id for report in state.open_orders}
    return [
        order
        for order in live
        if order.client_order_id not in shown
        and order.venue_client_id not in shown
        and order.ord_status is not OrdStatus.PendingNew
        and not state.taken_at <= order.updated_at <= now
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
