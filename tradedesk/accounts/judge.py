"""What the Gate may know of one account at one moment, and its decision, with what the account shares reserved in one step."""

from collections.abc import Callable
from decimal import Decimal

from tradedesk.domain import events as ev
from tradedesk.domain.accounts import Account, AccountState, Halt
from tradedesk.domain.day import Gain, gain_of
from tradedesk.domain.gate import Approved, Denied, GateInputs
from tradedesk.domain.instruments import Instrument, Quote
from tradedesk.domain.limits import effective
from tradedesk.domain.mandate import Standing, lapse
from tradedesk.domain.movements import CAPITAL
from tradedesk.domain.orders import Order, OrdStatus
from tradedesk.domain.words import ClientOrderId, InstrumentId, OrderType, RequestId, Side
from tradedesk.domain.worst_case import Interval
from tradedesk.orders.manager import OrderManager
from tradedesk.risk import gate
from tradedesk.risk.case import Case
from tradedesk.risk.halts import PartHalts, strictest
from tradedesk.risk.pace import Pace
from tradedesk.risk.reservations import Holding, Reservations

ZERO = Decimal(0)
REVALUE_NS = 10**9  # between two valuations of all that is held, at prices that moved
Quotes = Callable[[InstrumentId], tuple[Quote, int] | None]  # the quote and its age in ns, by the monotonic clock


class Judge:
    """Stands before the Gate for one account. One thread's; only what it reserves is shared."""

    def __init__(
        self,
        account: Account,
        manager: OrderManager,
        *,
        quotes: Quotes,
        halt: Callable[[], Halt | None],
        parts: PartHalts,
        shared: Reservations,
    ) -> None:
        self.account = account
        self.profile = ""  # how the account is set otherwise at its venue than it must be
        self._manager = manager
        self._quotes = quotes
        self._halt = halt
        self._parts = parts
        self._shared = shared
        self._pace = Pace()
        self._dirty: dict[InstrumentId, None] = {}
        self._moved: dict[ClientOrderId, None] = {}
        self._put: dict[ClientOrderId, Order] = {}  # as they stand in the desk's index
        self._held: dict[InstrumentId, Holding] = {}  # what is not nothing, as it was told last
        self._revalue_at = 0  # monotonic ns
        self._tell_day_at = 0  # likewise, and at once after a fill
        self._has_moved = False  # capital came or went since the day was told

    # -- decisions ------------------------------------------------------------------------------------------------------

    def decide(
        self,
        request_id: RequestId,
        order: Order,
        replaces: Order | None,
        state: AccountState,
        reason: str,
        now: int,
        elapsed: int,
    ) -> Approved | Denied:
        """The Gate's decision. What it approves counts for every other account from this moment on (5.4)."""
        with self._shared.lock:
            given = self._inputs(order, replaces, state, reason, now, elapsed)
            decision = gate.decide(request_id, order, replaces, given)
            if isinstance(decision, Approved):
                self._reserve(Case(order=order, replaces=replaces, given=given))
        if isinstance(decision, Approved):
            self._pace.approved(order, elapsed)
        return decision

    def case(
        self,
        order: Order,
        replaces: Order | None,
        state: AccountState,
        reason: str,
        now: int,
        elapsed: int | None = None,
    ) -> Case:
        """As it would be judged now; without `elapsed` it was approved before, and does not count as sent twice."""
        with self._shared.lock:
            given = self._inputs(order, replaces, state, reason, now, elapsed)
        return Case(order=order, replaces=replaces, given=given)

    # -- what is shared -------------------------------------------------------------------------------------------------

    def opened(self) -> None:
        """All the account holds and has open, as its journal says; in place of what an earlier worker left."""
        books = self._manager.books
        with self._shared.lock:
            self._shared.forget_orders(self.account.id)
            self._shared.days.recall(books.days.values())
            for order in self._manager.live.values():
                self._put[order.client_order_id] = order
                self._shared.put(order)
            for instrument in books.instruments:
                self._hold(instrument)

    def seen(self, event: ev.Event) -> None:
        """An event of the account: what it may have changed is looked at again by `settle`."""
        match event:
            case ev.OrderPlaced():
                self._dirty[event.order.instrument] = self._moved[event.order.client_order_id] = None
            case ev.OrderFilled():
                self._dirty[event.fill.instrument] = self._moved[event.fill.client_order_id] = None
                self._tell_day_at = 0
            case ev.RequestMade() | ev.RequestDecided() | ev.OrderMoved() | ev.OrderChanged():
                self._moved[event.client_order_id] = None
            case ev.AccountOpened() | ev.MovementSeen():
                if isinstance(event, ev.MovementSeen) and event.kind in CAPITAL:
                    self._tell_day_at, self._has_moved = 0, True
                self._dirty |= dict.fromkeys(self._manager.books.instruments)
            case _:
                pass

    def settle(self, elapsed: int) -> None:
        """Tell the desk what has changed; once a second also what moved with the market."""
        if elapsed >= self._revalue_at:
            self._revalue_at = elapsed + REVALUE_NS
            self._dirty |= dict.fromkeys(self._held)
        if not self._dirty and not self._moved:
            return
        with self._shared.lock:
            for key in self._moved:
                order, known_order = self._manager.live.get(key), self._put.pop(key, None)
                if known_order is not None:
                    self._shared.drop(known_order)
                    self._dirty[known_order.instrument] = None
                if order is not None:
                    self._put[key] = order
                    self._shared.put(order)
                    self._dirty[order.instrument] = None
            for instrument in self._dirty:
                self._hold(instrument)
        self._dirty, self._moved = {}, {}

    def days(self, now: int, elapsed: int) -> list[ev.DayMarked]:
        """Once a second and after each fill the account tells what it won; back comes what must be recorded of it."""
        row = self._manager.books.accounts.get(self.account.id)
        if elapsed < self._tell_day_at or row is None or not row.is_opened:
            return []
        self._tell_day_at = elapsed + REVALUE_NS
        with self._shared.lock:
            self._tell_day(now)
            return self._shared.days.due(self.account.id, now, elapsed)

    def _tell_day(self, now: int) -> None:
        """With the lock held."""
        gain = self._gain()
        self._shared.days.tell(self.account.id, gain, now, has_moved=self._has_moved)
        self._has_moved = self._has_moved and gain.net is None

    def _gain(self) -> Gain:
        books = self._manager.books

        def mark(instrument: InstrumentId) -> Decimal | None:
            known = self._quotes(instrument)
            return known[0].mark if known is not None else None

        def price(asset: str) -> Decimal | None:
            return Decimal(1) if asset == self._shared.currency else self._price_of(asset)

        incomes = books.incomes.get(self.account.id, {})
        return gain_of(books.positions.values(), incomes, books.instruments, mark, price)

    def _reserve(self, case: Case) -> None:
        order, worst = case.order, case.given.worst
        is_buy = order.side is Side.Buy
        after = Interval(
            low=worst.low - (ZERO if is_buy else case.growth), high=worst.high + (case.growth if is_buy else ZERO)
        )
        self._shared.hold(self.account.id, order.instrument, self._holding(order.instrument, after))
        known = self._put.pop(order.client_order_id, None)
        if known is not None:
            self._shared.drop(known)
        self._put[order.client_order_id] = order
        self._shared.put(order)
        self._moved[order.client_order_id] = None

    def _hold(self, instrument: InstrumentId) -> None:
        position = self._manager.books.positions.get((self.account.id, instrument))
        worst = self._manager.working.worst(instrument, position.qty if position is not None else ZERO)
        holding = self._holding(instrument, worst)
        self._shared.hold(self.account.id, instrument, holding)
        if holding.is_nothing:
            self._held.pop(instrument, None)
        else:
            self._held[instrument] = holding

    def _holding(self, instrument: InstrumentId, worst: Interval) -> Holding:
        known = self._manager.books.instruments.get(instrument)
        asset = known.base if known is not None else instrument
        if not worst.low and not worst.high:
            return Holding(asset=asset, value=worst)
        quote, rate = self._quotes(instrument), self._rate(known)
        mark = quote[0].mark if quote is not None else None
        if mark is None or rate is None:
            return Holding(asset=asset, value=None)
        return Holding(asset=asset, value=Interval(low=worst.low * mark * rate, high=worst.high * mark * rate))

    def _rate(self, instrument: Instrument | None) -> Decimal | None:
        """Reporting currency per unit of what the instrument is quoted in, at the market of this moment."""
        if instrument is None:
            return None
        return Decimal(1) if instrument.quote == self._shared.currency else self._price_of(instrument.quote)

    def _price_of(self, asset: str) -> Decimal | None:
        for instrument in self._manager.books.instruments.values():
            if (instrument.base, instrument.quote) == (asset, self._shared.currency):
                known = self._quotes(instrument.id)
                return known[0].mark if known is not None else None
        return None

    # -- what the Gate is given -----------------------------------------------------------------------------------------

    def _inputs(
        self, order: Order, replaces: Order | None, state: AccountState, reason: str, now: int, elapsed: int | None
    ) -> GateInputs:
        """All the Gate may know of this moment (DESIGN 4). With the lock held."""
        for held in [key for key, holding in self._held.items() if holding.value is None]:
            self._hold(held)  # its price may have come since
        if self._shared.days.today(f"account {self.account.id}").unpriced:
            self._tell_day(now)  # likewise
        books, working = self._manager.books, self._manager.working
        judged = (order.client_order_id, replaces.client_order_id if replaces is not None else None)
        position = books.positions.get((self.account.id, order.instrument))
        qty = position.qty if position is not None else ZERO
        known, halt = self._quotes(order.instrument), strictest((self._halt(), self._parts.part_of(order)))
        row = books.accounts.get(self.account.id)
        instrument = books.instruments.get(order.instrument)
        limits = effective(self.account.limits, order.instrument)
        is_new = elapsed is not None
        return GateInputs(
            now=now,
            account_state=state,
            account_reason=reason,
            halt=halt.level if halt is not None else None,
            halted="" if halt is None else f"{halt.of} ({halt.reason})",
            halted_by="" if halt is None else halt.by,
            limits=limits,
            instrument=instrument,
            quote=known[0] if known is not None else None,
            quote_age_ns=known[1] if known is not None else None,
            position_qty=qty,
            worst=working.worst(order.instrument, qty, judged),
            unsettled=sum(1 for item in row.worklist if item.needs_decision) if row is not None else 0,
            open_orders=working.ours(judged),
            available=self._available(order, replaces, working.unplaced(judged)),
            rate=self._rate(instrument),
            others=self._shared.others(self.account.id, order.instrument),
            today=self._shared.days.today(f"account {self.account.id}"),
            equity=self._equity() if limits is not None and limits.max_leverage is not None else None,
            mandate=self._standing(order, instrument, judged, now),
            profile=self.profile,
            together=self._shared.together(self.account.id, instrument) if instrument is not None else (),
            crossing=self._shared.crossing(order),
            messages=self._pace.messages(elapsed) if elapsed is not None else 0,
            children=self._pace.children(order.block) if is_new else 0,
            repeats=self._pace.repeats(order, limits.repeat_within_ms, elapsed)
            if limits is not None and elapsed is not None
            else 0,
        )

    def _standing(
        self,
        order: Order,
        instrument: Instrument | None,
        judged: tuple[ClientOrderId | None, ...],
        now: int,
    ) -> Standing | None:
        """The account's mandate, and what it is held against for this order; None where it has none."""
        mandate, row = self.account.mandate, self._manager.books.accounts.get(self.account.id)
        if mandate is None or instrument is None:
            return None
        is_measured = mandate.max_concentration is not None
        asset = instrument.base if order.side is Side.Buy else instrument.quote
        return Standing(
            mandate=mandate,
            lapse=lapse(mandate, row.mandate if row is not None else None, now),
            currency=self._shared.currency,
            held=self._held_of(asset, judged) if is_measured else None,
            equity=self._equity() if is_measured else None,
        )

    def _held_of(self, asset: str, judged: tuple[ClientOrderId | None, ...]) -> Decimal | None:
        """What there is of an asset, with all that may still be bought of it, in reporting currency; None without a price.

        By our own ledger where that has more: a fill stands there at once, in the venue's balance a moment later.
        """
        books, working = self._manager.books, self._manager.working
        row = books.accounts.get(self.account.id)
        balance = row.balances.get(asset) if row is not None else None
        held = books.ledgers.get(self.account.id, {}).get(asset, ZERO)
        if balance is not None:
            held = max(held, balance.total)
        for instrument in books.instruments.values():
            if instrument.base == asset:
                held += working.worst(instrument.id, ZERO, judged).high
        if not held or asset == self._shared.currency:
            return held
        price = self._price_of(asset)
        return None if price is None else held * price

    def _equity(self) -> Decimal | None:
        """What the account is worth in reporting currency; None while an asset of it has no price."""
        row = self._manager.books.accounts.get(self.account.id)
        if row is None or not row.balances:
            return None
        equity = ZERO
        for asset, balance in row.balances.items():
            if balance.total:
                price = Decimal(1) if asset == self._shared.currency else self._price_of(asset)
                if price is None:
                    return None
                equity += balance.total * price
        return equity

    def _available(self, order: Order, replaces: Order | None, unplaced: list[Order]) -> Decimal:
        """What the order may spend: free at the venue, less what orders not yet on the book will take, plus what a replace frees."""
        books = self._manager.books
        instrument = books.instruments.get(order.instrument)
        row = books.accounts.get(self.account.id)
        if instrument is None or row is None:
            return ZERO
        asset = instrument.base if order.side is Side.Sell else instrument.quote
        balance = row.balances.get(asset)
        available = balance.free if balance is not None else ZERO
        for other in unplaced:
            available -= self._spends(other, asset)
        if replaces is not None and replaces.ord_status is not OrdStatus.PendingNew:
            available += self._spends(replaces, asset)
        return available

    def _spends(self, order: Order, asset: str) -> Decimal:
        """How much of `asset` the order's open quantity takes; a market buy is valued at the present offer."""
        instrument = self._manager.books.instruments.get(order.instrument)
        if instrument is None:
            return ZERO
        if order.side is Side.Sell:
            return order.leaves_qty if instrument.base == asset else ZERO
        if instrument.quote != asset:
            return ZERO
        if order.order_type is OrderType.Limit and order.price is not None:
            return order.leaves_qty * order.price
        known = self._quotes(order.instrument)
        price = known[0].ask if known is not None else None
        return ZERO if price is None else order.leaves_qty * price
