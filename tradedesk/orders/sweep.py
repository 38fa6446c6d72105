"""A halt's cancelling, until the venue shows none of ours; and what closes the positions after it (5.5)."""

from collections.abc import Callable
from decimal import Decimal

from tradedesk.domain.accounts import HaltLevel
from tradedesk.domain.commands import CancelAll, PlaceOrder
from tradedesk.domain.gate import FLATTENER
from tradedesk.domain.money import floor_to_lot
from tradedesk.domain.orders import Order, OrdStatus
from tradedesk.domain.positions import would_open
from tradedesk.domain.scopes import Scope, part_scopes
from tradedesk.domain.words import ClientOrderId, OperatorId, OrderType, Side
from tradedesk.orders.books import MS, Books
from tradedesk.orders.cancels import Cancels
from tradedesk.orders.doubts import Doubts
from tradedesk.orders.messages import AskState

SWEEPING = (HaltLevel.CancelOpening, HaltLevel.CancelAll, HaltLevel.Flatten)
FLATTEN_NS = 10_000 * MS  # how long a flattening order may wait to be sent
FLATTEN_AGAIN_NS = 5_000 * MS  # between two tries to close what is still held


class Clearing:
    """One cancel-all, from the command to its receipt: the orders it found, in flight or open, until they are dead.

    What is placed afterwards is not its business. A restart ends it: the cancels go on, the receipt is not written.
    """

    def __init__(self, books: Books, cancels: Cancels, command: CancelAll) -> None:
        self._command = command
        self._started_at = books.now
        self.orders = {
            order.client_order_id: order
            for order in books.ours()
            if command.instrument in (None, order.instrument) and command.side in (None, order.side)
        }
        self._confirming_since: int | None = None  # monotonic ns; waiting for a list of the venue's that is not older
        self._books = books
        for order in self.orders.values():
            cancels.want(order, command.operator)

    def advance(self) -> None:
        """Once none of them lives any more, ask the venue what it shows."""
        if self._confirming_since is not None or any(key in self._books.live for key in self.orders):
            return
        self._confirming_since = self._books.elapsed
        self._books.effects.append(AskState(is_for_a_sweep=True))

    def confirm(self, began: int, shown: set[ClientOrderId]) -> bool:
        """Whether the venue's list of open orders, of a look that `began` then (monotonic ns), ends it; if so, write its receipt."""
        if self._confirming_since is None or began < self._confirming_since:
            return False
        latest = [self._books.latest(order) for order in self.orders.values()]
        cancelled = sum(1 for order in latest if order.ord_status in (OrdStatus.Canceled, OrdStatus.Denied))
        self._books.cancel_swept(
            self._command,
            by=self._command.operator,
            cancelled=cancelled,
            ended=len(latest) - cancelled,
            left=sum(1 for order in latest if order.venue_client_id in shown),
            started_at=self._started_at,
        )
        return True


class Sweep:
    """The cancelling of one halt, from its latch to its receipt."""

    def __init__(
        self,
        books: Books,
        cancels: Cancels,
        doubts: Doubts,
        level: HaltLevel,
        by: OperatorId,
        scope: Scope | None = None,
    ) -> None:
        """`scope` names which of the account's orders it is about; None: all of them."""
        self.level = level
        self.scope = scope
        self.flatten_at: int | None = None  # monotonic ns; once swept, and while something is held
        self.is_over = False  # swept
        self._by = by
        self._started_at = books.now
        self._cancelled: set[ClientOrderId] = set()
        self._confirming_since: int | None = None  # monotonic ns; waiting for a list of the venue's that is not older
        self._books = books
        self._cancels = cancels
        self._doubts = doubts

    def advance(self) -> None:
        """Cancel what is left; once nothing is, and nothing is unknown, ask the venue what it shows."""
        if self._confirming_since is not None or self.is_over:
            return
        left = self._left()
        for order in left:
            self._cancelled.add(order.client_order_id)
            self._cancels.want(order, self._by)
        self._cancels.send_due()
        if not left and self._doubts.are_cleared:
            self._confirming_since = self._books.elapsed
            self._books.effects.append(AskState(is_for_a_sweep=True))

    def confirm(self, began: int, shown: set[ClientOrderId]) -> bool:
        """Whether the venue's list of open orders, of a look that `began` then (monotonic ns), ends the sweep; if so, write its receipt."""
        if self._confirming_since is None or began < self._confirming_since:
            return False
        self._confirming_since = None
        if self._left() or not self._doubts.are_cleared:
            return False  # something turned up meanwhile; the next tick goes on
        left = sum(1 for order in self.orders() if order.venue_client_id in shown)
        self._books.swept(cancelled=len(self._cancelled), left=left, started_at=self._started_at, scope=self.scope)
        self.is_over = True
        return True

    def orders(self) -> list[Order]:
        """Those of ours that live and that the halt is about, whether or not its level cancels them."""
        return [order for order in self._books.ours() if is_about(self.scope, order)]

    def _left(self) -> list[Order]:
        return [order for order in self.orders() if self._concerns(order)]

    def _concerns(self, order: Order) -> bool:
        return self.level in (HaltLevel.CancelAll, HaltLevel.Flatten) or is_opening(self._books, order)


def is_about(scope: Scope | None, order: Order) -> bool:
    return scope is None or scope in part_scopes(order.instrument, order.operator, order.block)


def is_opening(books: Books, order: Order) -> bool:
    """Whether the order, filled in full with all that works on its side, would add to the position or turn it."""
    position = books.replica.positions.get((books.account, order.instrument))
    qty = position.qty if position is not None else Decimal(0)
    same_side = (o for o in books.live.values() if o.instrument == order.instrument and o.side is order.side)
    working = sum((o.leaves_qty for o in same_side), Decimal(0))
    return would_open(order.side, working, qty)


def flattening(books: Books, new_id: Callable[[], ClientOrderId], scope: Scope | None = None) -> list[PlaceOrder]:
    """What closes at market all that the account still holds, or what it holds of the instrument that is halted.

    The Gate judges these like any order and may refuse.
    """
    commands = []
    for (_, instrument_id), position in books.replica.positions.items():
        instrument = books.replica.instruments.get(instrument_id)
        if instrument is None or (scope is not None and scope.name != instrument_id):
            continue
        qty = floor_to_lot(abs(position.qty), instrument.lot)
        if qty < max(instrument.min_qty, instrument.lot):
            continue
        commands.append(
            PlaceOrder(
                account=books.account,
                client_order_id=new_id(),
                instrument=instrument_id,
                side=Side.Sell if position.qty > 0 else Side.Buy,
                order_type=OrderType.Market,
                order_qty=qty,
                reduce_only=True,
                operator=FLATTENER,
                deadline=books.now + FLATTEN_NS,
            )
        )
    return commands
