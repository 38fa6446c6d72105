"""For the tests of orders, risk and the account's core: values that name only what matters, and a manager to talk to."""

from collections.abc import Callable, Iterable
from decimal import Decimal

import msgspec

from tradedesk.domain import events as ev
from tradedesk.domain import orders as rules
from tradedesk.domain.accounts import Account, Mode
from tradedesk.domain.commands import AmendOrder, CancelAll, CancelOrder, PlaceOrder
from tradedesk.domain.gate import Approved, CancelTicket, Denial, Denied
from tradedesk.domain.instruments import Instrument
from tradedesk.domain.limits import Limits
from tradedesk.domain.money import Money
from tradedesk.domain.movements import Movement
from tradedesk.domain.orders import Fill, Order, OrderState, OrdStatus, Request, RequestKind, RequestState
from tradedesk.domain.outcomes import (
    Acknowledged,
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
    OperatorId,
    OrderType,
    RequestId,
    Side,
    TimeInForce,
    VenueId,
    VenueOrderId,
)
from tradedesk.orders.manager import OrderManager
from tradedesk.orders.messages import (
    Ask,
    AskFills,
    AskMovements,
    AskState,
    Check,
    Effect,
    Emit,
    Message,
    Quarantine,
    Reconciliation,
    Send,
    SendCancel,
    Tick,
)

MS = 1_000_000
SECOND = 1_000 * MS
NOW = 1_764_000_000 * SECOND
BTC = InstrumentId("binance:BTCUSDT")
ETH = InstrumentId("binance:ETHUSDT")
ACME = AccountId("acme")
DESK1 = OperatorId("desk1")
WINDOW_S = 5 + 10 + 2  # receive window, the venue's own time-out, lag of its queries


def d(text: str | int) -> Decimal:
    return Decimal(text)


def an_instrument(
    base: str = "BTC", *, tick: str = "0.01", lot: str = "0.00001", can_shrink: bool = False, is_trading: bool = True
) -> Instrument:
    return Instrument(
        id=InstrumentId(f"binance:{base}USDT"),
        venue=VenueId("binance"),
        venue_symbol=f"{base}USDT",
        symbol=f"{base}/USDT",
        base=base,
        quote="USDT",
        tick=d(tick),
        lot=d(lot),
        min_qty=d(lot),
        max_qty=d(9000),
        min_notional=d(5),
        can_shrink=can_shrink,
        is_trading=is_trading,
    )


def an_info(*, has_native_amend: bool = False) -> VenueInfo:
    """`has_native_amend`: orders of BTC/USDT can be made smaller where they stand."""
    return VenueInfo(
        receive_window_ms=5_000,
        engine_timeout_ms=10_000,
        query_lag_ms=2_000,
        has_native_amend=has_native_amend,
        dead_man="none",
        instruments=(an_instrument("BTC", can_shrink=has_native_amend), an_instrument("ETH")),
    )


def an_account(limits: Limits | None = None) -> Account:
    return Account(
        id=ACME,
        venue=VenueId("binance"),
        owner="acme",
        groups=("all",),
        mode=Mode.Paper,
        egress="127.0.0.2",
        secret="acme",
        limits=Limits(max_order_notional=d(1_000_000)) if limits is None else limits,
    )


def a_place(
    client_order_id: str = "c1",
    *,
    side: Side = Side.Buy,
    qty: str = "1",
    price: str | None = "60000",
    instrument: InstrumentId = BTC,
    tif: TimeInForce = TimeInForce.GoodTillCancel,
    post_only: bool = False,
    reduce_only: bool = False,
    deadline: int = NOW + 3600 * SECOND,
) -> PlaceOrder:
    return PlaceOrder(
        account=ACME,
        client_order_id=ClientOrderId(client_order_id),
        instrument=instrument,
        side=side,
        order_type=OrderType.Market if price is None else OrderType.Limit,
        time_in_force=tif,
        order_qty=d(qty),
        price=None if price is None else d(price),
        post_only=post_only,
        reduce_only=reduce_only,
        operator=DESK1,
        deadline=deadline,
    )


def an_amend(client_order_id: str = "c1", new: str = "c2", *, qty: str = "2", price: str = "60000") -> AmendOrder:
    return AmendOrder(
        account=ACME,
        client_order_id=ClientOrderId(client_order_id),
        new_client_order_id=ClientOrderId(new),
        order_qty=d(qty),
        price=d(price),
        operator=DESK1,
        deadline=NOW + 3600 * SECOND,
    )


def a_cancel(client_order_id: str = "c1") -> CancelOrder:
    return CancelOrder(account=ACME, client_order_id=ClientOrderId(client_order_id), operator=DESK1)


def a_cancel_all(*, instrument: InstrumentId | None = None, side: Side | None = None) -> CancelAll:
    return CancelAll(account=ACME, instrument=instrument, side=side, operator=DESK1)


def an_order(
    client_order_id: str = "c1",
    *,
    status: OrdStatus = OrdStatus.New,
    side: Side = Side.Buy,
    qty: str = "1",
    price: str | None = "60000",
    cum: str = "0",
    instrument: InstrumentId = BTC,
    tif: TimeInForce = TimeInForce.GoodTillCancel,
    post_only: bool = False,
    reduce_only: bool = False,
    operator: str = "desk1",
    is_external: bool = False,
) -> Order:
    return Order(
        account=ACME,
        client_order_id=ClientOrderId(client_order_id),
        instrument=instrument,
        side=side,
        order_type=OrderType.Market if price is None else OrderType.Limit,
        time_in_force=tif,
        order_qty=d(qty),
        price=None if price is None else d(price),
        post_only=post_only,
        reduce_only=reduce_only,
        operator=OperatorId(operator),
        egress="127.0.0.2",
        placed_at=NOW,
        deadline=NOW + 5 * SECOND,
        ord_status=status,
        cum_qty=d(cum),
        requests=(Request(request_id=RequestId(client_order_id), kind=RequestKind.New, operator=DESK1, made_at=NOW),),
        is_external=is_external,
        updated_at=NOW,
    )


def a_fill(
    client_order_id: str = "c1",
    *,
    trade_id: str = "t1",
    qty: str = "1",
    px: str = "60000",
    side: Side = Side.Buy,
    fee: Money | None = Money(d(0), "USDT"),  # noqa: B008 - frozen
    instrument: InstrumentId = BTC,
    venue_order_id: str | None = None,
    at: int = NOW + SECOND,
) -> Fill:
    return Fill(
        account=ACME,
        client_order_id=ClientOrderId(client_order_id),
        venue_order_id=VenueOrderId(venue_order_id or f"v-{client_order_id}"),
        instrument=instrument,
        trade_id=trade_id,
        side=side,
        last_qty=d(qty),
        last_px=d(px),
        fee=fee,
        is_maker=True,
        transact_time=at,
    )


def a_report(
    client_order_id: str = "c1",
    status: OrdStatus = OrdStatus.New,
    *,
    fill: Fill | None = None,
    cum: str | None = None,
    qty: str | None = None,
    side: Side | None = None,
    instrument: InstrumentId = BTC,
    venue_order_id: str | None = None,
    reason: str | None = None,
    price: str | None = None,
) -> OrderReport:
    """What the venue says of one order; what a test does not name is absent."""
    return OrderReport(
        client_order_id=ClientOrderId(client_order_id),
        venue_order_id=VenueOrderId(venue_order_id or f"v-{client_order_id}"),
        instrument=instrument,
        side=side,
        order_qty=None if qty is None else d(qty),
        price=None if price is None else d(price),
        ord_status=status,
        cum_qty=None if cum is None else d(cum),
        transact_time=NOW + SECOND,
        fill=fill,
        reason=reason,
    )


def a_trade(fill: Fill, *, cum: str, is_last: bool = False) -> OrderReport:
    """The stream's report of one fill."""
    status = OrdStatus.Filled if is_last else OrdStatus.PartiallyFilled
    return a_report(fill.client_order_id, status, fill=fill, cum=cum, side=fill.side, instrument=fill.instrument)


def an_ack(client_order_id: str = "c1", *fills: Fill, status: OrdStatus = OrdStatus.New) -> Acknowledged:
    cum = sum((fill.last_qty for fill in fills), Decimal(0))
    return Acknowledged(
        request_id=RequestId(client_order_id), report=a_report(client_order_id, status, cum=str(cum)), fills=fills
    )


def unproven(request_id: str = "c1", cause: str = "timeout") -> Unproven:
    return Unproven(request_id=RequestId(request_id), cause=cause)


def refused(request_id: str = "c1", code: int = -2010, text: str = "no", *, is_auth: bool = False) -> Refused:
    return Refused(request_id=RequestId(request_id), code=code, text=text, is_auth=is_auth)


def both_legs(
    request_id: str, cancel: Acknowledged | Refused | Unproven, new: Acknowledged | Refused | Unproven | None
) -> ReplaceOutcome:
    return ReplaceOutcome(request_id=RequestId(request_id), cancel=cancel, new=new)


def answered(report: OrderReport) -> QueryAnswer:
    return QueryAnswer(client_order_id=report.client_order_id, report=report)


def absent(client_order_id: str = "c1") -> QueryAnswer:
    """The venue says that it has no such order."""
    return QueryAnswer(client_order_id=ClientOrderId(client_order_id), report=None)


def no_answer(client_order_id: str = "c1") -> QueryAnswer:
    return QueryAnswer(client_order_id=ClientOrderId(client_order_id), report=None, failed="timeout")


def a_venue_state(
    *,
    open_orders: Iterable[OrderReport] = (),
    fills: Iterable[Fill] = (),
    taken_at: int = NOW,
    venue_time: int | None = None,
    **balances: str,
) -> VenueState:
    held = {"BTC": "2", "USDT": "500000"} | balances
    return VenueState(
        account=ACME,
        open_orders=tuple(open_orders),
        fills=tuple(fills),
        balances=tuple(Balance(asset=asset, free=d(amount), locked=d(0)) for asset, amount in held.items()),
        taken_at=taken_at,
        venue_time=taken_at if venue_time is None else venue_time,
    )


class Rig:
    """An order manager with a clock, a Gate that says what it is told to say, and all that came out.

    The account is opened with 2 BTC and 500,000 USDT unless there is a history.
    """

    def __init__(
        self, history: Iterable[ev.Event] | None = None, *, now: int = NOW, has_native_amend: bool = False
    ) -> None:
        self.now = now
        self._info = an_info(has_native_amend=has_native_amend)
        self.gate_says_no: tuple[str, ...] = ()
        self.events: list[ev.Event] = []
        self.sent: list[Approved] = []
        self.cancels: list[CancelTicket] = []
        self.asked: list[str] = []
        self.asked_fills: list[AskFills] = []
        self.asked_state = 0
        self.asked_ledger: list[int] = []
        self.ledger: list[Movement] = []  # of the venue, answered at once
        self.ledger_fails: str | None = None
        self.ledger_is_slow = False  # then a test answers for it
        self.quarantined: list[str] = []
        self._unanswered: list[str] = []
        self._number = 0
        known = [] if history is None else list(history)
        self.manager = OrderManager(an_account(), self._info, known, self._new_id, now)
        self._durable = known
        if history is None:
            self.tell(Reconciliation(state=a_venue_state(taken_at=now), marks={}))
            self.events.clear()
        else:
            self._take(self.manager.recovered(now))

    def restarted(self, *, after_s: float = 1) -> "Rig":
        """The same account after a crash: a new manager on what was recorded."""
        now = self.now + int(after_s * SECOND)
        return Rig(self._durable, now=now, has_native_amend=self._info.has_native_amend)

    def tell(self, *messages: Message, after_ms: int = 1) -> list[Effect]:
        """Hand over messages, each `after_ms` later than the one before; the Gate answers at once."""
        effects: list[Effect] = []
        for message in messages:
            self.now += after_ms * MS
            effects += self._take(self.manager.handle(message, self.now))
        return effects

    def wait(self, seconds: float, *, step_ms: int = 100) -> list[Effect]:
        """Let time go by, ticking."""
        effects: list[Effect] = []
        for _ in range(round(seconds * 1000 / step_ms)):
            effects += self.tell(Tick(), after_ms=step_ms)
        return effects

    def listen(self, seconds: float, venue: Callable[[str], QueryAnswer | None] = lambda _: None) -> None:
        """Let time go by while the venue answers every question about an order with what `venue` says; None: not yet."""
        for _ in range(round(seconds * 10)):
            self.wait(0.1)
            waiting, self._unanswered = self._unanswered, []
            for client_order_id in waiting:
                answer = venue(client_order_id)
                if answer is None:
                    self._unanswered.append(client_order_id)
                else:
                    self.tell(answer)

    def place(self, client_order_id: str = "c1", *, acked: bool = True, **terms: object) -> Order:
        """An order that was sent, and acknowledged unless `acked` is False."""
        self.tell(a_place(client_order_id, **terms))  # type: ignore[arg-type]
        if acked:
            self.tell(an_ack(client_order_id))
        return self.order(client_order_id)

    def order(self, client_order_id: str = "c1") -> Order:
        return self.manager.books.orders[ClientOrderId(client_order_id)]

    def state(self, client_order_id: str = "c1") -> OrderState:
        return rules.state(self.order(client_order_id))

    def requests(self, client_order_id: str = "c1", kind: RequestKind | None = None) -> list[RequestState]:
        return [request.state for request in self.order(client_order_id).requests if kind in (None, request.kind)]

    def position(self, instrument: InstrumentId = BTC) -> Decimal:
        return self.manager.books.positions[ACME, instrument].qty

    def alerts(self) -> list[str]:
        """The rules that raised an alert, in order."""
        return [event.alert.rule for event in self.events if isinstance(event, ev.AlertRaised)]

    def refusals(self) -> list[str]:
        return [event.reason for event in self.events if isinstance(event, ev.SubmissionRefused)]

    def receipts(self) -> list[ev.CancelSwept]:
        """Of cancels of everything."""
        return [event for event in self.events if isinstance(event, ev.CancelSwept)]

    def swept(self) -> list[ev.HaltSwept]:
        return [event for event in self.events if isinstance(event, ev.HaltSwept)]

    def _take(self, effects: list[Effect]) -> list[Effect]:
        taken = list(effects)
        for effect in effects:
            match effect:
                case Emit():
                    self.events.append(effect.event)
                    if isinstance(effect.event, ev.DURABLE):
                        self._durable.append(
                            msgspec.msgpack.decode(msgspec.msgpack.encode(effect.event), type=ev.DurableEvent)
                        )
                case Check():
                    taken += self._take(self.manager.handle(self._decide(effect), self.now))
                case Send():
                    self.sent.append(effect.approved)
                case SendCancel():
                    self.cancels.append(effect.ticket)
                case Ask():
                    self.asked.append(effect.order.client_order_id)
                    self._unanswered.append(effect.order.client_order_id)
                case AskFills():
                    self.asked_fills.append(effect)
                case AskMovements():
                    self.asked_ledger.append(effect.since)
                    if self.ledger_is_slow:
                        continue
                    answer = MovementsAnswer(movements=tuple(self.ledger), failed=self.ledger_fails)
                    taken += self._take(self.manager.handle(answer, self.now))
                case AskState():
                    self.asked_state += 1
                case Quarantine():
                    self.quarantined.append(effect.reason)
        return taken

    def _decide(self, check: Check) -> Approved | Denied:
        if self.gate_says_no:
            denials = tuple(Denial(rule="test", text=text) for text in self.gate_says_no)
            return Denied(request_id=check.request_id, client_order_id=check.order.client_order_id, denials=denials)
        return Approved(
            request_id=check.request_id,
            order=check.order,
            replaces=check.replaces,
            instrument=self.manager.books.instruments[check.order.instrument],
            approved_at=self.now,
        )

    def _new_id(self) -> ClientOrderId:
        self._number += 1
        return ClientOrderId(f"made-{self._number}")
