"""The paper engine as a venue that may lose, delay, repeat, ban and halt: what an adapter is in production, in its words."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from typing import TypeVar

import msgspec

from tradedesk.domain.gate import Approved, CancelTicket
from tradedesk.domain.instruments import FeedState, Quote
from tradedesk.domain.movements import Movement
from tradedesk.domain.orders import Fill, Order
from tradedesk.domain.outcomes import (
    Acknowledged,
    Answer,
    BalanceReport,
    MovementsAnswer,
    OrderReport,
    QueryAnswer,
    Refused,
    ReplaceOutcome,
    Unproven,
    VenueState,
)
from tradedesk.domain.positions import Balance
from tradedesk.domain.words import AccountId, ClientOrderId, InstrumentId, RequestId
from tradedesk.paper.exchange import Exchange
from tradedesk.paper.rows import AccountChanged, AccountSpec, Cancelled, Execution, OrderRow, Refusal
from tradedesk.paper.synthetic import Synthetic
from tradedesk.simulation.faults import EARLY_NS, ENGINE_NS, TIMEOUT_NS, WINDOW_NS, Fate, Faults
from tradedesk.simulation.rows import INSTRUMENT, OPEN, SPEC, fill_of, movement_of, new_order, refused, report_of
from tradedesk.simulation.scheduler import Scheduler
from tradedesk.venues import spot
from tradedesk.venues.outcomes import Asked

News = OrderReport | BalanceReport
Said = TypeVar("Said")
_TIMESTAMP = -1021


class SimVenue:
    """One exchange for all accounts, on a clock of its own that no step of the desk's touches.

    It remembers every state of every order, so that its queries can lag, and what is on the way to it.
    """

    def __init__(self, accounts: Iterable[AccountSpec], seed: int, scheduler: Scheduler, faults: Faults) -> None:
        self._scheduler = scheduler
        self._clock = scheduler.clock
        self._faults = faults
        self._start = scheduler.clock.now() - scheduler.clock.monotonic()
        self.exchange = Exchange([SPEC], list(accounts), Synthetic([SPEC], seed), now=self._start)
        self.arrivals: Counter[ClientOrderId] = Counter()  # how often a request that places this id was executed
        self.on_the_way: Counter[RequestId] = Counter()  # requests that left and may still be executed
        self.fills: dict[AccountId, dict[tuple[str, str, str], Fill]] = defaultdict(dict)  # every fill, by its key
        self.streams: dict[AccountId, Callable[[News], None]] = {}  # those that are up
        self.looks: Callable[[AccountId], None] = lambda account: None  # told whenever something was executed
        self.banned: dict[AccountId, tuple[int, int]] = {}  # until when (its clock, ns), and the HTTP status it answers
        self.quote: Quote | None = None
        self.quote_at = 0  # monotonic
        self.is_frozen = False  # the market stands still: settled accounts can be compared
        self.is_feed_down = False
        self._past: dict[AccountId, dict[str, list[tuple[int, OrderRow]]]] = {}
        self._open: dict[AccountId, dict[str, OrderRow]] = defaultdict(dict)
        self._offsets: dict[AccountId, int] = {}  # its clock less the desk's, ns, as each account measured it last
        self._doubted: set[AccountId] = set()  # whose time stamp was refused: they measure anew

    # -- time -----------------------------------------------------------------------------------------------------------

    def now(self) -> int:
        """Its own clock. The exchange acts up to the time it is given, so a frozen one is always given the same."""
        if not self.is_frozen:
            self._frozen_at = self._start + self._clock.monotonic()
        return self._frozen_at

    def pump(self) -> None:
        """Let the market's own flow act, and tell what came of it."""
        self.exchange.advance(self.now())
        self._tell()
        if not self.is_feed_down:
            self.quote, self.quote_at = self._top(), self._clock.monotonic()

    def _top(self) -> Quote:
        top = self.exchange.book_ticker(SPEC.symbol)
        return Quote(
            instrument=INSTRUMENT.id,
            bid=top.bid,
            bid_qty=top.bid_qty,
            ask=top.ask,
            ask_qty=top.ask_qty,
            last=None,
            received_at=self._clock.now(),
            state=FeedState.Live,
        )

    def quotes(self, instrument: InstrumentId) -> tuple[Quote, int] | None:
        if self.quote is None or instrument != INSTRUMENT.id:
            return None
        return self.quote, self._clock.monotonic() - self.quote_at

    def measure_clock(self, account: AccountId) -> None:
        """As an adapter does at its start, and when a time stamp was refused."""
        self._offsets[account] = self._start + self._clock.monotonic() - self._clock.now()
        self._doubted.discard(account)

    def clock_offset(self, account: AccountId) -> int:
        """Its clock less the desk's, ns, as it was when the account measured it."""
        return self._offsets.get(account, 0)

    def _stamp(self, account: AccountId) -> int:
        """The time a request of the account says it is, in the venue's clock as far as the account knows it."""
        if account in self._doubted:
            self.measure_clock(account)
        return self._clock.now() + self.clock_offset(account)

    # -- requests -------------------------------------------------------------------------------------------------------

    def place(self, approved: Approved, answer: Callable[[Answer], None]) -> None:
        """Take a request that has just left the desk, and answer it as faults have it."""
        account, request_id = approved.order.account, approved.request_id
        if approved.is_in_place:
            self._request(
                account,
                request_id,
                lambda: self._shrunk(approved),
                lambda refusal: refused(request_id, Asked.Amend, refusal),
                answer,
            )
        elif approved.replaces is None:
            self._request(
                account,
                request_id,
                lambda: self._placed(approved),
                lambda refusal: refused(request_id, Asked.Place, refusal),
                answer,
            )
        else:
            self._request(
                account,
                request_id,
                lambda: self._replaced(approved),
                lambda refusal: _neither_leg(request_id, refusal),
                answer,
            )

    def cancel(self, ticket: CancelTicket, answer: Callable[[Answer], None]) -> None:
        self._request(
            ticket.order.account,
            ticket.request_id,
            lambda: self._cancelled(ticket),
            lambda refusal: refused(ticket.request_id, Asked.Cancel, refusal),
            answer,
        )

    def query(self, order: Order, answer: Callable[[QueryAnswer], None]) -> None:
        lost = QueryAnswer(client_order_id=order.client_order_id, report=None, failed="timeout")
        self._question(order.account, lambda: self._looked_up(order), lost, answer)

    def fills_of(self, order: Order, answer: Callable[[tuple[Fill, ...] | None], None]) -> None:
        """None: the question was not answered."""
        self._question(order.account, lambda: self._fills(order.account, order.client_order_id), None, answer)

    def movements(self, account: AccountId, since: int, answer: Callable[[MovementsAnswer], None]) -> None:
        """What the venue's ledger says moved without a trade."""
        lost = MovementsAnswer(movements=(), failed="timeout")
        self._question(account, lambda: MovementsAnswer(movements=self.moved(account, since)), lost, answer)

    def moved(self, account: AccountId, since: int) -> tuple[Movement, ...]:
        rows = self.exchange.movements(account, start=since, limit=10**9)
        return tuple(movement_of(account, row) for row in rows)

    def state_of(self, account: AccountId, since: int | None, answer: Callable[[VenueState | None], None]) -> None:
        """Orders, then fills, then balances, each at a moment of its own, as three requests see them."""
        taken_at = self._clock.now()
        stamp, delay = self._stamp(account), self._faults.delay

        def orders() -> None:
            try:
                self._admit(account, stamp)
            except Refusal as refusal:
                if refusal.code == _TIMESTAMP:
                    self._doubted.add(account)
                self._scheduler.after(delay(), lambda: answer(None))
                return
            found, told = self._open_orders(account), self._start + self._clock.monotonic()
            self._scheduler.after(delay(), lambda: fills(found, told))

        def fills(orders: tuple[OrderReport, ...], told: int) -> None:
            found = () if since is None else self._fills(account, since=since)
            self._scheduler.after(delay(), lambda: balances(orders, found, told))

        def balances(orders: tuple[OrderReport, ...], fills: tuple[Fill, ...], told: int) -> None:
            state = VenueState(
                account=account,
                open_orders=orders,
                fills=fills,
                balances=self.balances(account),
                taken_at=taken_at,
                venue_time=told,
            )
            self._scheduler.after(delay(), lambda: answer(state))

        if self._faults.is_lost():
            self._scheduler.after(TIMEOUT_NS, lambda: answer(None))
        else:
            self._scheduler.after(delay(), orders)

    def _request(
        self,
        account: AccountId,
        request_id: RequestId,
        work: Callable[[], Answer],
        turned_away: Callable[[Refusal], Answer],
        answer: Callable[[Answer], None],
    ) -> None:
        """Let the request arrive and be answered, as its fate is. It stays on the way until nothing can come of it."""
        fate, there, back = self._faults.fate(), self._faults.delay(), self._faults.delay()
        stamp, in_engine, gives_up = self._stamp(account), 0, TIMEOUT_NS
        match fate:
            case Fate.Stalled:
                there = self._faults.within(WINDOW_NS + EARLY_NS)
                in_engine = self._faults.within(ENGINE_NS)
                gives_up = self._faults.within(TIMEOUT_NS)  # and the order may still be on its way
            case Fate.Late:
                back += TIMEOUT_NS
            case Fate.Lost | Fate.Mute:
                gives_up = self._faults.within(TIMEOUT_NS)  # a reset connection is noticed at once

        def arrive() -> None:
            try:
                self._admit(account, stamp)
            except Refusal as refusal:
                say(turned_away(refusal), refusal.code)
            else:
                self._scheduler.after(in_engine, execute)

        def execute() -> None:
            found = work()
            self._tell()
            say(found, None)
            self.looks(account)

        def say(found: Answer, code: int | None) -> None:
            self.on_the_way[request_id] -= 1
            if fate is not Fate.Mute:
                self._scheduler.after(back, lambda: heard(found, code))

        def heard(found: Answer, code: int | None) -> None:
            if code == _TIMESTAMP:
                self._doubted.add(account)
            answer(found)

        if fate is not Fate.Lost:
            self.on_the_way[request_id] += 1
            self._scheduler.after(there, arrive)
        if fate in (Fate.Lost, Fate.Mute) or there + in_engine + back > gives_up:
            lost: Answer = Unproven(request_id=request_id, cause="timeout")
            if fate is Fate.Lost and (row := self._another(account, request_id)) is not None:
                lost = Acknowledged(request_id=request_id, report=report_of(row))
            self._scheduler.after(gives_up, lambda: answer(lost))

    def _another(self, account: AccountId, request_id: RequestId) -> OrderRow | None:
        """Now and then the placing of an order is lost, and answered with another order of the account (F04)."""
        rows = self.open_orders(account)
        if "#" in request_id or not rows or not self._faults.mixes_up():
            return None
        return next((row for row in rows if row.client_order_id != request_id), None)

    def _admit(self, account: AccountId, stamp: int) -> None:
        """What is looked at on receipt, before the order itself. Raises Refusal."""
        ban = self._ban_of(account)
        if ban is not None:
            raise Refusal(-1003, "Way too much request weight used; IP banned until it is over.", http=ban)
        now = self._start + self._clock.monotonic()
        if stamp >= now + EARLY_NS:
            raise Refusal(_TIMESTAMP, "Timestamp for this request was 1000ms ahead of the server's time.")
        if now - stamp > WINDOW_NS:
            raise Refusal(_TIMESTAMP, "Timestamp for this request is outside of the recvWindow.")

    def _ban_of(self, account: AccountId) -> int | None:
        until, status = self.banned.get(account, (0, 0))
        return status if self._start + self._clock.monotonic() < until else None

    def _question(
        self, account: AccountId, work: Callable[[], Said], lost: Said, answer: Callable[[Said], None]
    ) -> None:
        """Answered once, in the end: what is too late is not heard."""
        if self._faults.is_lost():
            self._scheduler.after(TIMEOUT_NS, lambda: answer(lost))
            return
        stamp = self._stamp(account)
        back = self._faults.within(TIMEOUT_NS) if self._faults.fate() is Fate.Late else self._faults.delay()

        def arrive() -> None:
            try:
                self._admit(account, stamp)
                found = work()
            except Refusal as refusal:
                if refusal.code == _TIMESTAMP:
                    self._doubted.add(account)
                found = lost
            self._scheduler.after(back, lambda: answer(found))

        self._scheduler.after(self._faults.delay(), arrive)

    # -- what the engine does -------------------------------------------------------------------------------------------

    def _placed(self, approved: Approved) -> Acknowledged | Refused | Unproven:
        order = approved.order
        self.arrivals[order.client_order_id] += 1
        try:
            row = self.exchange.place(order.account, new_order(order), self.now())
        except Refusal as refusal:
            return refused(approved.request_id, Asked.Place, refusal)
        return _acknowledged(approved.request_id, row)

    def _replaced(self, approved: Approved) -> Answer:
        order, old = approved.order, approved.replaces
        assert old is not None
        self.arrivals[order.client_order_id] += 1
        try:
            both = self.exchange.cancel_replace(
                order.account,
                new_order(order),
                self.now(),
                stop_on_failure=True,
                client_order_id=old.client_order_id,
                restrictions=spot.replace_parameters(order, old, INSTRUMENT).get("cancelRestrictions"),
            )
        except Refusal as refusal:
            return _neither_leg(approved.request_id, refusal)
        if isinstance(both.cancel, Refusal):
            cancel = refused(approved.request_id, Asked.Cancel, both.cancel)
            return ReplaceOutcome(request_id=approved.request_id, cancel=cancel, new=None)
        new = (
            refused(approved.request_id, Asked.Place, both.new)
            if isinstance(both.new, Refusal)
            else None
            if both.new is None
            else _acknowledged(approved.request_id, both.new)
        )
        return ReplaceOutcome(request_id=approved.request_id, cancel=_gone(approved.request_id, both.cancel), new=new)

    def _shrunk(self, approved: Approved) -> Acknowledged | Refused | Unproven:
        order = approved.order
        try:
            found = self.exchange.amend_keep_priority(
                order.account,
                SPEC.symbol,
                self.now(),
                new_qty=order.order_qty,
                client_order_id=order.client_order_id,
                new_client_order_id=order.client_order_id,
            )
        except Refusal as refusal:
            return refused(approved.request_id, Asked.Amend, refusal)
        return Acknowledged(request_id=approved.request_id, report=report_of(found.order))

    def _cancelled(self, ticket: CancelTicket) -> Acknowledged | Refused | Unproven:
        order = ticket.order
        try:
            found = self.exchange.cancel(order.account, SPEC.symbol, self.now(), client_order_id=order.client_order_id)
        except Refusal as refusal:
            return refused(ticket.request_id, Asked.Cancel, refusal)
        return _gone(ticket.request_id, found)

    # -- what it shows --------------------------------------------------------------------------------------------------

    def orders(self, account: AccountId, at: int | None = None) -> list[OrderRow]:
        """Every order of the account as it stood at `at` (its clock, ns; None: now), oldest first."""
        rows = []
        for states in self._past.get(account, {}).values():
            if at is None or states[-1][0] <= at:
                rows.append(states[-1][1])
            else:
                known = [row for when, row in states if when <= at]
                rows += known[-1:]
        return rows

    def open_orders(self, account: AccountId) -> list[OrderRow]:
        """Those on the book now."""
        return list(self._open[account].values())

    def order(self, account: AccountId, client_order_id: ClientOrderId) -> OrderRow | None:
        states = self._past.get(account, {}).get(client_order_id)
        return states[-1][1] if states else None

    def balances(self, account: AccountId) -> tuple[Balance, ...]:
        rows = self.exchange.balances(account).items()
        return tuple(Balance(asset=asset, free=free, locked=locked) for asset, (free, locked) in rows)

    def _looked_up(self, order: Order) -> QueryAnswer:
        at = self._start + self._clock.monotonic() - self._faults.lag()
        states = self._past.get(order.account, {}).get(order.client_order_id, [])
        row = next((row for when, row in reversed(states) if when <= at), None)
        return QueryAnswer(client_order_id=order.client_order_id, report=None if row is None else report_of(row))

    def _open_orders(self, account: AccountId) -> tuple[OrderReport, ...]:
        at = self._start + self._clock.monotonic() - self._faults.lag()
        return tuple(report_of(row) for row in self.orders(account, at) if row.status in OPEN)

    def _fills(
        self, account: AccountId, client_order_id: ClientOrderId | None = None, *, since: int = 0
    ) -> tuple[Fill, ...]:
        at = self._start + self._clock.monotonic() - self._faults.lag()
        return tuple(
            fill
            for fill in self.fills[account].values()
            if since <= fill.transact_time <= at and client_order_id in (None, fill.client_order_id)
        )

    # -- the private streams --------------------------------------------------------------------------------------------

    def _tell(self) -> None:
        for event in self.exchange.drain():
            match event:
                case Execution():
                    self._executed(AccountId(event.row.account), event)
                case AccountChanged():
                    balances = tuple(
                        Balance(asset=asset, free=free, locked=locked)
                        for asset, (free, locked) in event.balances.items()
                    )
                    self._deliver(AccountId(event.account), BalanceReport(balances=balances, at=event.time))
                case _:
                    pass  # prints are the tape's

    def _executed(self, account: AccountId, event: Execution) -> None:
        row, fill = event.row, None if event.fill is None else fill_of(account, event.fill)
        states = self._past.setdefault(account, {}).setdefault(row.client_order_id, [])
        states.append((self._start + self._clock.monotonic(), row))
        if row.status in OPEN:
            self._open[account][row.client_order_id] = row
        else:
            self._open[account].pop(row.client_order_id, None)
        if fill is not None:
            self.fills[account][fill.key] = fill
        self._deliver(account, msgspec.structs.replace(report_of(row), fill=fill))

    def _deliver(self, account: AccountId, news: News) -> None:
        stream = self.streams.get(account)
        if stream is not None:
            for _ in range(self._faults.deliveries()):
                self._scheduler.after(self._faults.delay(), lambda: stream(news))


def _acknowledged(request_id: RequestId, row: OrderRow) -> Acknowledged:
    fills = tuple(fill_of(AccountId(row.account), trade) for trade in row.fills)
    return Acknowledged(request_id=request_id, report=report_of(row), fills=fills)


def _gone(request_id: RequestId, cancelled: Cancelled) -> Acknowledged:
    return Acknowledged(request_id=request_id, report=report_of(cancelled.order))


def _neither_leg(request_id: RequestId, refusal: Refusal) -> Answer:
    """A replace of which the venue looked at neither leg; only where that is proved."""
    whole = refused(request_id, Asked.Place, refusal)
    return whole if isinstance(whole, Unproven) else ReplaceOutcome(request_id=request_id, cancel=whole, new=None)
