"""Hard limits at the worst case, by the exchange's own books: each account's, its group's and the desk's (5.4).

Told apart from the Gate's code: what is held, what is bid for, and what left and may still arrive, all of it filled.
"""

from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from typing import TYPE_CHECKING

from tradedesk.domain.gate import Approved
from tradedesk.domain.limits import Limits, Totals
from tradedesk.domain.words import AccountId, ClientOrderId, RequestId, Side
from tradedesk.paper.rows import OrderRow, Status
from tradedesk.simulation.rows import INSTRUMENT
from tradedesk.simulation.scheduler import SECOND

if TYPE_CHECKING:
    from tradedesk.simulation.account import SimAccount

ZERO = Decimal(0)
JUDGED_NS = 5 * SECOND  # no order leaves later after it was judged: no deadline is longer
VALUED_NS = 15 * SECOND  # no account's holding counts at an older price: workers are away less long, and so is the feed


class Ceiling:
    """What one sum may come to: its limit, or what it was already when that was lowered, and never more than that."""

    def __init__(self, limit: Decimal, elapsed: Callable[[], int]) -> None:
        self._elapsed = elapsed
        self._limits: deque[tuple[int, Decimal]] = deque([(0, limit)])  # since when it holds, monotonic ns
        self._stands = limit

    def set(self, limit: Decimal) -> None:
        self._limits.append((self._elapsed(), limit))

    @property
    def limit(self) -> Decimal:
        """The largest of those that an order which leaves now may have been judged by."""
        while len(self._limits) > 1 and self._limits[1][0] <= self._elapsed() - JUDGED_NS:
            self._limits.popleft()
        return max(limit for _, limit in self._limits)

    def has_room_for(self, value: Decimal) -> bool:
        self._stands = max(self.limit, min(self._stands, value))
        return value <= self._stands


class Caps:
    """What may be open, held and bid for. `broke` is told a sentence for whatever goes beyond a limit."""

    def __init__(self, elapsed: Callable[[], int], broke: Callable[[str, str], None]) -> None:
        self._elapsed = elapsed
        self._broke = broke
        self._accounts: dict[AccountId, SimAccount] = {}
        self._figures: dict[tuple[str, str], Ceiling] = {}  # scope and figure
        self._sent: dict[AccountId, dict[RequestId, Approved]] = defaultdict(dict)  # that may still arrive
        self.opened: dict[
            AccountId, int
        ] = {}  # since when the desk knows what it holds; what others do counts for nobody
        self._prices: deque[tuple[int, Decimal]] = deque()

    def join(self, account: "SimAccount") -> None:
        self._accounts[account.id] = account
        self.limited(account.id, account.account.limits)

    def limited(self, account: AccountId, limits: Limits) -> None:
        """From now on these are the account's limits."""
        self._set(account, "max_order_notional", limits.max_order_notional)
        self._set(account, "max_open_orders", limits.max_open_orders)
        self._set(account, "max_position", limits.max_position)

    def totals(self, totals: Mapping[str, tuple[Totals, str]]) -> None:
        """From now on this is what the accounts may do together; all of them are in every scope."""
        for scope, (figures, _) in totals.items():
            self._set(scope, "max_position_notional", figures.max_position_notional)
            self._set(scope, "max_exposure", figures.max_exposure)

    def _set(self, scope: str, figure: str, limit: Decimal | int | None) -> None:
        if limit is None:
            return
        known = self._figures.get((scope, figure))
        if known is None:
            self._figures[scope, figure] = Ceiling(Decimal(limit), self._elapsed)
        else:
            known.set(Decimal(limit))

    def priced(self, mark: Decimal) -> None:
        self._prices.append((self._elapsed(), mark))
        while self._prices[0][0] < self._elapsed() - VALUED_NS:
            self._prices.popleft()

    # -- what must hold -------------------------------------------------------------------------------------------------

    def left(self, account: "SimAccount", approved: Approved) -> None:
        """An order is on its way: of what can only grow by that, no sum may be beyond its limit."""
        order = approved.order
        if order.price is not None:
            notional, most = order.order_qty * order.price, self._figures[account.id, "max_order_notional"].limit
            if notional > most and not approved.is_in_place:
                self._broke("5.4", f"{order.client_order_id} left for {notional}, at most {most}")
        if order.side is not Side.Buy or approved.is_in_place:
            return
        self._sent[account.id][approved.request_id] = approved
        alone = self._reach(account, approved.request_id)
        self._check_position(account, alone)
        known = [name for name, since in self.opened.items() if since <= self._elapsed() - JUDGED_NS]
        others = [self._accounts[name] for name in known if name != account.id]
        together = sum((self._reach(one) for one in others), alone)
        least = min((mark for _, mark in self._prices), default=ZERO)
        for (scope, figure), ceiling in self._figures.items():
            if scope not in self._accounts and together * least > ceiling.limit:
                text = f"{order.client_order_id} of {account.id} takes {scope} to {together}, worth {together * least}"
                self._broke("5.4", f"{text}: {figure} is at most {ceiling.limit}")

    def look(self, account: "SimAccount", left_ids: set[ClientOrderId]) -> None:
        """Between any two events."""
        self._check_position(account, self._reach(account))
        rows = account.venue.open_orders(account.id)
        ours = sum(1 for row in rows if row.client_order_id in left_ids)
        if not self._figures[account.id, "max_open_orders"].has_room_for(Decimal(ours)):
            self._broke(
                "5.4", f"{account.id}: {ours} orders are open, at most {account.account.limits.max_open_orders}"
            )

    def _check_position(self, account: "SimAccount", reach: Decimal) -> None:
        if not self._figures[account.id, "max_position"].has_room_for(reach):
            most = account.account.limits.max_position
            self._broke("5.4", f"{account.id}: its position could reach {reach}, at most {most}")

    # -- what the exchange says -----------------------------------------------------------------------------------------

    def _reach(self, account: "SimAccount", leaving: RequestId | None = None) -> Decimal:
        """Base units the account has if every bid of it trades that is there or may still arrive.

        Of a replace the larger leg, and nothing once the old bid has traded or ended: it is replaced only untouched.
        """
        venue, sent = account.venue, self._sent[account.id]
        bids = {row.client_order_id: row.orig_qty - row.executed_qty for row in bids_of(account)}
        for key in [key for key in sent if key != leaving and venue.on_the_way[key] <= 0]:
            del sent[key]
        for approved in sent.values():
            replaced = (
                venue.order(account.id, approved.replaces.client_order_id) if approved.replaces is not None else None
            )
            if replaced is not None and replaced.status is not Status.NEW:
                continue
            old = approved.replaces.client_order_id if approved.replaces is not None else approved.order.client_order_id
            bids[old] = max(bids.get(old, ZERO), approved.order.order_qty)
        return held_by(account) + sum(bids.values(), ZERO)


def held_by(account: "SimAccount") -> Decimal:
    free, locked = account.venue.exchange.balances(account.id)[INSTRUMENT.base]
    return free + locked


def bids_of(account: "SimAccount") -> Iterable[OrderRow]:
    return (row for row in account.venue.open_orders(account.id) if row.side == "BUY")
