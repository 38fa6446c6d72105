"""The paper engine as a venue that may lose, delay and repeat: what an adapter is in production, in the adapter's words."""

from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import TypeVar

import msgspec

from tradedesk.domain.gate import Approved, CancelTicket
from tradedesk.domain.instruments import FeedState, Instrument, Quote
from tradedesk.domain.money import Money
from tradedesk.domain.movements import Movement, MovementKind
from tradedesk.domain.orders import Fill, Order, OrdStatus
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
    VenueInfo,
    VenueState,
)
from tradedesk.domain.positions import Balance
from tradedesk.domain.words import (
    AccountId,
    ClientOrderId,
    InstrumentId,
    RequestId,
    Side,
    TimeInForce,
    VenueId,
    VenueOrderId,
)
from tradedesk.paper.exchange import Exchange
from tradedesk.paper.rows import (
    AccountChanged,
    AccountSpec,
    Cancelled,
    Execution,
    Kind,
    NewOrder,
    OrderRow,
    Refusal,
    Status,
    TradeRow,
)
from tradedesk.paper.synthetic import Synthetic, default_specs
from tradedesk.simulation.faults import ENGINE_NS, LAG_NS, TIMEOUT_NS, WINDOW_NS, Fate, Faults
from tradedesk.simulation.scheduler import MS, Scheduler
from tradedesk.venues.outcomes import Asked, Spoken, is_refusal

SPEC = default_specs()[0]
VENUE = VenueId("paper")
INSTRUMENT = Instrument(
    id=InstrumentId(f"{VENUE}:{SPEC.symbol}"),
    venue=VENUE,
    venue_symbol=SPEC.symbol,
    symbol=f"{SPEC.base}/{SPEC.quote}",
    base=SPEC.base,
    quote=SPEC.quote,
    tick=SPEC.tick,
    lot=SPEC.lot,
    min_qty=SPEC.min_qty,
    max_qty=SPEC.max_qty,
    min_notional=SPEC.min_notional,
)
INFO = VenueInfo(
    receive_window_ms=WINDOW_NS // MS,
    engine_timeout_ms=ENGINE_NS // MS,
    query_lag_ms=LAG_NS // MS,
    has_native_amend=False,
    dead_man="none",
    instruments=(INSTRUMENT,),
)
OPEN = (Status.NEW, Status.PARTIALLY_FILLED)
STATUS = {
    Status.NEW: OrdStatus.New,
    Status.PARTIALLY_FILLED: OrdStatus.PartiallyFilled,
    Status.FILLED: OrdStatus.Filled,
    Status.CANCELED: OrdStatus.Canceled,
    Status.REJECTED: OrdStatus.Rejected,
    Status.EXPIRED: OrdStatus.Expired,
    Status.EXPIRED_IN_MATCH: OrdStatus.Expired,
}
TIME_IN_FORCE = {
    TimeInForce.GoodTillCancel: "GTC",
    TimeInForce.ImmediateOrCancel: "IOC",
    TimeInForce.FillOrKill: "FOK",
}
News = OrderReport | BalanceReport
Said = TypeVar("Said")

KINDS = {"DEPOSIT": MovementKind.Deposit, "WITHDRAW": MovementKind.Withdrawal, "INTEREST": MovementKind.Interest}


class SimVenue:
    """One exchange for all accounts. It remembers every state of every order, so that its queries can lag."""

    def __init__(self, accounts: Iterable[AccountSpec], seed: int, scheduler: Scheduler, faults: Faults) -> None:
        self.exchange = Exchange([SPEC], list(accounts), Synthetic([SPEC], seed), now=scheduler.clock.now())
        self.arrivals: dict[ClientOrderId, int] = {}  # how often a request that places this id arrived
        self.raced: dict[
            AccountId, Decimal
        ] = {}  # bought by orders between the amend that replaced them and its arrival
        self.streams: dict[AccountId, Callable[[News], None]] = {}  # those that are up
        self.quote: Quote | None = None
        self.quote_at = 0  # monotonic
        self.is_frozen = False  # the market stands still: settled accounts can be compared
        self.is_feed_down = False
        self._past: dict[AccountId, dict[str, list[tuple[int, OrderRow]]]] = {}
        self._scheduler = scheduler
        self._clock = scheduler.clock
        self._faults = faults

    # -- time -----------------------------------------------------------------------------------------------------------

    def now(self) -> int:
        """The exchange acts up to the time it is given, so a frozen one is always given the same."""
        if not self.is_frozen:
            self._frozen_at = self._clock.now()
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

    # -- requests -------------------------------------------------------------------------------------------------------

    def place(self, approved: Approved, answer: Callable[[Answer], None]) -> None:
        """Take a request that has just left the desk, and answer it as faults have it."""
        lost = Unproven(request_id=approved.request_id, cause="timeout")
        work = self._placed if approved.replaces is None else self._replaced
        self._request(lambda: work(approved), lost, answer)

    def cancel(self, ticket: CancelTicket, answer: Callable[[Answer], None]) -> None:
        lost = Unproven(request_id=ticket.request_id, cause="timeout")
        self._request(lambda: self._cancelled(ticket), lost, answer)

    def query(self, order: Order, answer: Callable[[QueryAnswer], None]) -> None:
        lost = QueryAnswer(client_order_id=order.client_order_id, report=None, failed="timeout")
        self._question(lambda: self._looked_up(order), lost, answer)

    def fills_of(self, order: Order, answer: Callable[[tuple[Fill, ...] | None], None]) -> None:
        """None: the question was not answered."""
        self._question(lambda: self._fills(order.account, order.client_order_id), None, answer)

    def movements(self, account: AccountId, since: int, answer: Callable[[MovementsAnswer], None]) -> None:
        """What the venue's ledger says moved without a trade."""
        lost = MovementsAnswer(movements=(), failed="timeout")
        self._question(lambda: MovementsAnswer(movements=self._moved(account, since)), lost, answer)

    def _moved(self, account: AccountId, since: int) -> tuple[Movement, ...]:
        rows = self.exchange.movements(account, start=since, limit=10**9)
        return tuple(
            Movement(
                account=account,
                asset=row.asset,
                amount=row.amount,
                kind=KINDS[row.kind],
                movement_id=str(row.id),
                transact_time=row.time,
            )
            for row in rows
        )

    def state_of(self, account: AccountId, since: int | None, answer: Callable[[VenueState | None], None]) -> None:
        """Orders, then fills, then balances, each at a moment of its own, as three requests see them."""
        taken_at = self._clock.now()
        delay = self._faults.delay

        def orders() -> None:
            found = self._open_orders(account)
            self._scheduler.after(delay(), lambda: fills(found))

        def fills(orders: tuple[OrderReport, ...]) -> None:
            found = () if since is None else self._fills(account, since=since)
            self._scheduler.after(delay(), lambda: balances(orders, found))

        def balances(orders: tuple[OrderReport, ...], fills: tuple[Fill, ...]) -> None:
            state = VenueState(
                account=account, open_orders=orders, fills=fills, balances=self.balances(account), taken_at=taken_at
            )
            self._scheduler.after(delay(), lambda: answer(state))

        if self._faults.is_lost():
            self._scheduler.after(TIMEOUT_NS, lambda: answer(None))
        else:
            self._scheduler.after(delay(), orders)

    def _request(self, work: Callable[[], Answer], lost: Answer, answer: Callable[[Answer], None]) -> None:
        fate, there, back = self._faults.fate(), self._faults.delay(), self._faults.delay()
        gives_up = TIMEOUT_NS
        match fate:
            case Fate.Stalled:
                there = self._faults.within(WINDOW_NS) + self._faults.within(ENGINE_NS)
                gives_up = self._faults.within(TIMEOUT_NS)  # and the order may still be on its way
            case Fate.Late:
                back += TIMEOUT_NS
            case Fate.Lost | Fate.Mute:
                gives_up = self._faults.within(TIMEOUT_NS)  # a reset connection is noticed at once

        def arrive() -> None:
            found = work()
            self._tell()
            if fate is not Fate.Mute:
                self._scheduler.after(back, lambda: answer(found))

        if fate is not Fate.Lost:
            self._scheduler.after(there, arrive)
        if fate in (Fate.Lost, Fate.Mute) or there + back > gives_up:
            self._scheduler.after(gives_up, lambda: answer(lost))

    def _question(self, work: Callable[[], Said], lost: Said, answer: Callable[[Said], None]) -> None:
        """Answered once, in the end: what is too late is not heard."""
        if self._faults.is_lost():
            self._scheduler.after(TIMEOUT_NS, lambda: answer(lost))
            return
        back = self._faults.within(TIMEOUT_NS) if self._faults.fate() is Fate.Late else self._faults.delay()

        def arrive() -> None:
            found = work()
            self._scheduler.after(back, lambda: answer(found))

        self._scheduler.after(self._faults.delay(), arrive)

    # -- what the engine does -------------------------------------------------------------------------------------------

    def _placed(self, approved: Approved) -> Acknowledged | Refused | Unproven:
        order = approved.order
        self.arrivals[order.client_order_id] = self.arrivals.get(order.client_order_id, 0) + 1
        try:
            row = self.exchange.place(order.account, _new_order(order), self.now())
        except Refusal as refusal:
            return _refused(approved.request_id, Asked.Place, refusal)
        return self._acknowledged(approved.request_id, row)

    def _replaced(self, approved: Approved) -> Answer:
        order, old = approved.order, approved.replaces
        assert old is not None
        self.arrivals[order.client_order_id] = self.arrivals.get(order.client_order_id, 0) + 1
        try:
            both = self.exchange.cancel_replace(
                order.account,
                _new_order(order),
                self.now(),
                stop_on_failure=True,
                client_order_id=old.client_order_id,
            )
        except Refusal as refusal:
            whole = _refused(approved.request_id, Asked.Place, refusal)
            if isinstance(whole, Unproven):
                return whole
            return ReplaceOutcome(request_id=approved.request_id, cancel=whole, new=None)
        if isinstance(both.cancel, Refusal):
            cancel = _refused(approved.request_id, Asked.Cancel, both.cancel)
            return ReplaceOutcome(request_id=approved.request_id, cancel=cancel, new=None)
        gone = both.cancel.order
        if order.side is Side.Buy:
            raced = gone.executed_qty - old.cum_qty
            self.raced[order.account] = self.raced.get(order.account, Decimal(0)) + raced
        new = (
            _refused(approved.request_id, Asked.Place, both.new)
            if isinstance(both.new, Refusal)
            else None
            if both.new is None
            else self._acknowledged(approved.request_id, both.new)
        )
        return ReplaceOutcome(
            request_id=approved.request_id, cancel=self._gone(approved.request_id, both.cancel), new=new
        )

    def _cancelled(self, ticket: CancelTicket) -> Acknowledged | Refused | Unproven:
        order = ticket.order
        try:
            found = self.exchange.cancel(order.account, SPEC.symbol, self.now(), client_order_id=order.client_order_id)
        except Refusal as refusal:
            return _refused(ticket.request_id, Asked.Cancel, refusal)
        return self._gone(ticket.request_id, found)

    def _gone(self, request_id: RequestId, cancelled: Cancelled) -> Acknowledged:
        return Acknowledged(request_id=request_id, report=_report(cancelled.order))

    def _acknowledged(self, request_id: RequestId, row: OrderRow) -> Acknowledged:
        fills = tuple(_fill(AccountId(row.account), trade) for trade in row.fills)
        return Acknowledged(request_id=request_id, report=_report(row), fills=fills)

    # -- what it shows --------------------------------------------------------------------------------------------------

    def orders(self, account: AccountId, at: int | None = None) -> list[OrderRow]:
        """Every order of the account as it stood at `at` (ns; None: now), oldest first."""
        rows = []
        for states in self._past.get(account, {}).values():
            known = [row for when, row in states if at is None or when <= at]
            if known:
                rows.append(known[-1])
        return rows

    def order(self, account: AccountId, client_order_id: ClientOrderId) -> OrderRow | None:
        states = self._past.get(account, {}).get(client_order_id)
        return states[-1][1] if states else None

    def balances(self, account: AccountId) -> tuple[Balance, ...]:
        rows = self.exchange.balances(account).items()
        return tuple(Balance(asset=asset, free=free, locked=locked) for asset, (free, locked) in rows)

    def trades(self, account: AccountId) -> list[Fill]:
        """Every fill of the account, oldest first."""
        return [_fill(account, trade) for trade in self.exchange.my_trades(account, SPEC.symbol, limit=10**9)]

    def _looked_up(self, order: Order) -> QueryAnswer:
        at = self._clock.now() - self._faults.lag()
        rows = (row for row in self.orders(order.account, at) if row.client_order_id == order.client_order_id)
        row = next(rows, None)
        return QueryAnswer(client_order_id=order.client_order_id, report=None if row is None else _report(row))

    def _open_orders(self, account: AccountId) -> tuple[OrderReport, ...]:
        at = self._clock.now() - self._faults.lag()
        return tuple(_report(row) for row in self.orders(account, at) if row.status in OPEN)

    def _fills(
        self, account: AccountId, client_order_id: ClientOrderId | None = None, *, since: int = 0
    ) -> tuple[Fill, ...]:
        at = self._clock.now() - self._faults.lag()
        return tuple(
            fill
            for fill in self.trades(account)
            if since <= fill.transact_time <= at and client_order_id in (None, fill.client_order_id)
        )

    # -- the private streams --------------------------------------------------------------------------------------------

    def _tell(self) -> None:
        for event in self.exchange.drain():
            match event:
                case Execution():
                    account = AccountId(event.row.account)
                    states = self._past.setdefault(account, {}).setdefault(event.row.client_order_id, [])
                    states.append((self._clock.now(), event.row))
                    fill = None if event.fill is None else _fill(account, event.fill)
                    self._deliver(account, msgspec.structs.replace(_report(event.row), fill=fill))
                case AccountChanged():
                    balances = tuple(
                        Balance(asset=asset, free=free, locked=locked)
                        for asset, (free, locked) in event.balances.items()
                    )
                    self._deliver(AccountId(event.account), BalanceReport(balances=balances, at=event.time))
                case _:
                    pass  # prints are the tape's

    def _deliver(self, account: AccountId, news: News) -> None:
        stream = self.streams.get(account)
        if stream is not None:
            for _ in range(self._faults.deliveries()):
                self._scheduler.after(self._faults.delay(), lambda: stream(news))


def _new_order(order: Order) -> NewOrder:
    kind = Kind.MARKET if order.price is None else Kind.LIMIT_MAKER if order.post_only else Kind.LIMIT
    return NewOrder(
        symbol=SPEC.symbol,
        side=order.side.value.upper(),
        kind=kind,
        quantity=order.order_qty,
        price=order.price,
        time_in_force=TIME_IN_FORCE[order.time_in_force] if kind is Kind.LIMIT else None,
        client_order_id=order.client_order_id,
    )


def _refused(request_id: RequestId, asked: Asked, refusal: Refusal) -> Refused | Unproven:
    """By the same table of proofs as the adapter's."""
    said = Spoken(status=refusal.http, code=refusal.code, text=refusal.message)
    if is_refusal(asked, said):
        return Refused(request_id=request_id, code=said.code, text=said.text)
    return Unproven(request_id=request_id, cause=f"{said.code} {said.text}")


def _report(row: OrderRow) -> OrderReport:
    return OrderReport(
        client_order_id=ClientOrderId(row.client_order_id),
        venue_order_id=VenueOrderId(str(row.order_id)),
        instrument=INSTRUMENT.id,
        side=Side.Buy if row.side == "BUY" else Side.Sell,
        order_qty=row.orig_qty,
        price=row.price or None,
        ord_status=STATUS[row.status],
        cum_qty=row.executed_qty,
        transact_time=row.update_time,
        reason=row.expiry_reason,
    )


def _fill(account: AccountId, trade: TradeRow) -> Fill:
    return Fill(
        account=account,
        client_order_id=ClientOrderId(trade.client_order_id),
        venue_order_id=VenueOrderId(str(trade.order_id)),
        instrument=INSTRUMENT.id,
        trade_id=str(trade.trade_id),
        side=Side.Buy if trade.is_buyer else Side.Sell,
        last_qty=trade.quantity,
        last_px=trade.price,
        fee=Money(trade.commission, trade.commission_asset),
        is_maker=trade.is_maker,
        transact_time=trade.time,
    )
