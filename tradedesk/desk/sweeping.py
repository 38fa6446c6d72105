"""One account of a kill: its venue looked at and cancelled at, again and again, until that shows nothing to cancel."""

import asyncio
import itertools
import secrets
from collections.abc import Callable
from decimal import Decimal
from typing import Protocol

from tradedesk.access.lease import Lease
from tradedesk.clock import Clock
from tradedesk.domain.accounts import Account, AccountState, HaltLevel
from tradedesk.domain.exits import exits_of
from tradedesk.domain.gate import FLATTENER, Approved, CancelTicket, Denied, GateInputs
from tradedesk.domain.instruments import Instrument, Quote
from tradedesk.domain.limits import effective
from tradedesk.domain.money import floor_to_lot
from tradedesk.domain.orders import Order, OrdStatus, Request, RequestKind
from tradedesk.domain.outcomes import (
    Acknowledged,
    NotSent,
    OrderReport,
    QueryAnswer,
    Refused,
    Unproven,
    VenueInfo,
    VenueState,
)
from tradedesk.domain.receipts import AccountReceipt
from tradedesk.domain.words import (
    KILLS,
    AccountId,
    ClientOrderId,
    InstrumentId,
    OperatorId,
    OrderType,
    RequestId,
    Side,
    TimeInForce,
    VenueId,
    client_order_id,
)
from tradedesk.domain.worst_case import Interval
from tradedesk.risk import gate
from tradedesk.risk import kill as rules
from tradedesk.risk.kill import Known, Shown, Tally, Task
from tradedesk.venues.adapter import LastCheck, VenueFailed

TOGETHER = 10  # cancels of one account on their way at a time
PAUSES_S = (0.2, 0.5, 1.0, 2.0, 3.0)  # between two looks, and between two tries to reach a venue
GIVEN_UP_AFTER = 2  # failures in a row, an exit is left for the account's other one
MS = 10**6
SENT_WITHIN_NS = 10 * 10**9  # an order that closes a position
ZERO = Decimal(0)


class SweepFailed(Exception):
    """The account could not be cleared. The text is fit to show."""

    def __init__(self, text: str, *, is_auth: bool = False) -> None:
        super().__init__(text)
        self.is_auth = is_auth  # the venue refuses the key


class Closer(Protocol):
    """What a kill uses of an account's adapter (venues.adapter)."""

    async def start(self) -> VenueInfo: ...
    async def venue_state(self, since_ns: int | None, *, is_for_a_sweep: bool = False) -> VenueState: ...
    async def cancel(self, ticket: CancelTicket) -> Acknowledged | Refused | Unproven | NotSent: ...
    async def query(self, order: Order, instrument: Instrument) -> QueryAnswer: ...
    async def place(self, approved: Approved) -> Acknowledged | Refused | Unproven | NotSent: ...
    async def touch(self, instrument: Instrument) -> Quote: ...
    async def close(self) -> None: ...
    @property
    def clock_offset_ms(self) -> int | None: ...


class Sweeper:
    """One account of a kill. `run` until it returns or raises; `receipt` tells at any time how far it came."""

    def __init__(
        self,
        task: Task,
        account: Account,
        connect: Callable[[str, LastCheck], Closer],
        *,
        known: Callable[[], Known | None],
        is_told: Callable[[], bool],
        exit_in_use: Callable[[], str | None],
        lease: Lease | None,
        clock: Clock,
        deadline: int,
    ) -> None:
        """`known` is what the journal tells, None if it tells nothing (yet: `is_told`); `deadline` is monotonic ns."""
        self._task = task
        self._account = account
        self._connect = connect
        self._known = known
        self._is_told = is_told
        self._exit_in_use = exit_in_use
        self._lease = lease
        self._clock = clock
        self._deadline = deadline
        self._began = clock.monotonic()
        self._tally = Tally()
        self._adapter: Closer | None = None
        self._info: VenueInfo | None = None
        self._exit = account.egress
        self._is_elsewhere = False  # by the exit that is not in use, as the one that is fails
        self._failures = 0  # in a row by this exit
        self._exits_failed: dict[str, str] = {}
        self._last: Shown | None = None
        self._held: dict[InstrumentId, Decimal] | None = None
        self._is_quiet = False
        self._why = ""  # what stood in the way last
        self._settled: set[ClientOrderId] = set()  # doubts of the journal's that the venue has cleared up
        self._numbers = itertools.count(1)

    async def run(self) -> None:
        """Raises SweepFailed when the time is up or the venue refuses the key."""
        left_s = (self._deadline - self._clock.monotonic()) / 10**9
        is_late = False
        try:
            async with asyncio.timeout(left_s):
                await self._clear()
                if self._task.level is HaltLevel.Flatten:
                    await self._flatten()
        except TimeoutError:
            is_late = True
        if is_late:
            raise SweepFailed(self._why or "the time was up")

    def receipt(self, *, is_blocked: bool, why: str, entry: str, took_ms: int) -> AccountReceipt:
        return rules.receipt_of(
            self._task,
            self._tally,
            is_blocked=is_blocked,
            is_quiet=self._is_quiet,
            last=self._last,
            held_qty=self._held,
            why=why,
            exit_=self._exit,
            exits_failed=tuple(f"{exit_}: {why}" for exit_, why in self._exits_failed.items()),
            entry=entry,
            took_ms=took_ms,
        )

    async def close(self) -> None:
        adapter, self._adapter = self._adapter, None
        if adapter is not None:
            await adapter.close()

    # -- cancelling -------------------------------------------------------------------------------------------------------

    async def _clear(self) -> None:
        """Look, cancel, look again; ends when a look shows nothing to cancel and nothing can arrive any more."""
        tries = 0
        while not self._is_quiet:
            try:
                tries = 0 if await self._round() else tries + 1
            except VenueFailed as error:
                self._why = error.cause
                if error.is_auth:
                    raise SweepFailed(f"the venue refuses the key: {error.cause}", is_auth=True) from None
                self._failed(error.cause)
                tries += 1
            if not self._is_quiet:
                await asyncio.sleep(PAUSES_S[min(tries, len(PAUSES_S) - 1)])

    def _failed(self, cause: str) -> None:
        """The venue was not reached. A person's choice of exit stands while it works; then the account's other one is tried."""
        self._failures += 1
        if self._failures >= GIVEN_UP_AFTER and self._account.standby_egress is not None:
            self._exits_failed[self._exit] = cause
            self._is_elsewhere, self._failures = not self._is_elsewhere, 0

    async def _round(self) -> bool:
        """One look and what it asks for; whether anything was got rid of."""
        adapter = await self._connected()
        shown = await self._look(adapter)
        sorted_ = rules.sort(shown, self._task, self._known() or Known())
        to_cancel = sorted_.to_cancel
        self._tally.seen(sorted_, shown.at)
        gone = self._tally.gone(shown)
        await self._ask_about(adapter, gone)
        if to_cancel:
            self._why = f"{len(to_cancel)} orders are still open at the venue"
            await self._cancel(adapter, to_cancel)
            return True
        is_left = bool(self._tally.gone(shown))
        self._is_quiet = not is_left and await self._nothing_can_arrive(adapter, shown)
        return bool(gone)

    async def _connected(self) -> Closer:
        """The adapter, its exit open and the venue's clock known; by the exit that the desk uses, as far as that is known."""
        in_use = self._exit_in_use() or self._account.egress
        if self._is_elsewhere:
            in_use = next((other for other in exits_of(self._account) if other != in_use), in_use)
        if self._adapter is not None and in_use != self._exit:
            await self.close()
            self._info = None
        self._exit = in_use
        if self._adapter is None:
            self._adapter = self._connect(self._exit, self._last_check)
        if self._info is None:
            self._info = await self._adapter.start()
        return self._adapter

    async def _look(self, adapter: Closer) -> Shown:
        began = self._clock.monotonic()
        state = await adapter.venue_state(None, is_for_a_sweep=True)
        shown = Shown(
            began=began,
            at=state.venue_time,
            open_orders=state.open_orders,
            balances=state.balances,
        )
        self._last, self._failures = shown, 0
        instruments = () if self._info is None else self._info.instruments
        self._held = rules.held(shown.balances, self._task.bases, instruments)
        return shown

    async def _nothing_can_arrive(self, adapter: Closer, shown: Shown) -> bool:
        """Whether what was sent before the latch has arrived or cannot any more, by the journal or by waiting long enough."""
        if not self._is_told():
            self._why = "the desk's journal is being read"
            return False
        known, info = self._known(), self._info
        if known is not None:
            about = [order for order in known.in_doubt if self._task.is_about(order.instrument)]
            for order in [each for each in about if each.client_order_id not in self._settled]:
                answer = await adapter.query(order, _named(order.instrument))
                if answer.failed is None and answer.report is not None:
                    self._settled.add(order.client_order_id)
                    return False  # it arrived: the next look shows it if it is open
            left = tuple(order for order in about if order.client_order_id not in self._settled)
            known = Known(in_doubt=left)
        window_ms = 0 if info is None else info.receive_window_ms + info.engine_timeout_ms + info.query_lag_ms
        self._why = "an order sent before the halt could still arrive"
        return shown.began >= rules.quiet_from(self._began, window_ms * MS, known)

    async def _cancel(self, adapter: Closer, reports: tuple[OrderReport, ...]) -> None:
        """All of them, some at a time; what an answer does not prove the next look will show."""
        slots = asyncio.Semaphore(TOGETHER)

        async def one(report: OrderReport) -> Refused | None:
            async with slots:
                order = _order_of(report, self._task.account, self._clock.now())
                ticket = CancelTicket(
                    request_id=RequestId(f"kill-{next(self._numbers)}"),
                    order=order,
                    instrument=_named(report.instrument),
                )
                answer = await adapter.cancel(ticket)
            match answer:
                case Acknowledged():
                    told = answer.report
                    is_cancelled = told is None or told.ord_status in (None, OrdStatus.Canceled)
                    at = self._venue_now(adapter) if told is None else told.transact_time
                    self._tally.ended(rules.key_of(report), is_cancelled=is_cancelled, at=at)
                case Refused():
                    return answer
                case Unproven():
                    self._why = f"a cancel got no answer: {answer.cause}"
                case NotSent():
                    self._why = answer.reason
            return None

        refusals = [
            answer for answer in await asyncio.gather(*(one(report) for report in reports)) if answer is not None
        ]
        locked = next((answer for answer in refusals if answer.is_auth), None)
        if locked is not None:
            raise VenueFailed(locked.text, is_auth=True)

    async def _ask_about(self, adapter: Closer, gone: list[OrderReport]) -> None:
        """How orders ended that are not shown any more, and of whose cancel nothing was proved."""
        for found in gone:
            key = rules.key_of(found)
            sought = _order_of(found, self._task.account, self._clock.now())
            answer = await adapter.query(sought, _named(found.instrument))
            if answer.failed is not None:
                self._why = f"how order {found.client_order_id} ended was not told: {answer.failed}"
            elif answer.report is None:
                self._tally.ended(key, is_cancelled=False, at=self._venue_now(adapter))
            elif answer.report.ord_status not in (OrdStatus.New, OrdStatus.PartiallyFilled, None):
                is_cancelled = answer.report.ord_status is OrdStatus.Canceled
                self._tally.ended(key, is_cancelled=is_cancelled, at=answer.report.transact_time)

    def _venue_now(self, adapter: Closer) -> int:
        return self._clock.now() + (adapter.clock_offset_ms or 0) * MS

    # -- flattening -------------------------------------------------------------------------------------------------------

    async def _flatten(self) -> None:
        """Close at market what is held, by orders that pass the Gate, until a look shows nothing but dust."""
        tries = 0
        while True:
            try:
                adapter = await self._connected()
                shown = await self._look(adapter)
                if not self._held:
                    return
                self._why = f"still holds {', '.join(rules.in_words(self._held, self._task.bases))}"
                for instrument in self._info.instruments if self._info is not None else ():
                    if instrument.id in self._held:
                        await self._close_position(adapter, shown, instrument)
            except VenueFailed as error:
                self._why = error.cause
                self._failed(error.cause)
            await asyncio.sleep(PAUSES_S[min(tries, len(PAUSES_S) - 1)])
            tries += 1

    async def _close_position(self, adapter: Closer, shown: Shown, instrument: Instrument) -> None:
        balances = [balance for balance in shown.balances if balance.asset == instrument.base]
        total = sum((balance.total for balance in balances), ZERO)
        free = sum((balance.free for balance in balances), ZERO)
        qty = floor_to_lot(min(free, instrument.max_qty), instrument.lot)
        if qty < max(instrument.min_qty, instrument.lot):
            self._why = f"what is left of {instrument.base} is held by orders that are not ours"
            return
        now, quote = self._clock.now(), await adapter.touch(instrument)
        working = [report for report in shown.open_orders if report.instrument == instrument.id]
        sells = sum((rules.leaves_of(report) or ZERO for report in working if report.side is Side.Sell), ZERO)
        buys = sum((rules.leaves_of(report) or ZERO for report in working if report.side is Side.Buy), ZERO)
        order = self._closing(instrument, qty, now)
        decision = gate.decide(
            order.requests[0].request_id,
            order,
            None,
            GateInputs(
                now=now,
                account_state=AccountState.Halted,
                halt=HaltLevel.Flatten,
                limits=effective(self._account.limits, instrument.id),
                instrument=instrument,
                quote=quote,
                quote_age_ns=0,
                position_qty=total,
                worst=Interval(low=total - sells, high=total + buys),
                open_orders=0,
                available=free,
            ),
        )
        if isinstance(decision, Denied):
            self._why = f"{instrument.symbol}: {'; '.join(denial.text for denial in decision.denials)}"
            return
        answer = await adapter.place(decision)
        match answer:
            case Refused():
                self._why = f"{instrument.symbol}: venue {answer.code}: {answer.text}"
            case NotSent():
                self._why = f"{instrument.symbol}: {answer.reason}"
            case Unproven():  # it may have been done: what is free says so once its window is over
                self._why = f"{instrument.symbol}: no answer ({answer.cause})"
                info = self._info
                window_ms = 0 if info is None else info.receive_window_ms + info.engine_timeout_ms
                await asyncio.sleep(window_ms / 1000)
            case Acknowledged():
                return

    def _closing(self, instrument: Instrument, qty: Decimal, now: int) -> Order:
        key = client_order_id(now, secrets.randbits(40))
        name = ClientOrderId(KILLS + key.removeprefix("td-"))
        request = Request(request_id=RequestId(f"{name}:1"), kind=RequestKind.New, operator=FLATTENER, made_at=now)
        return Order(
            account=self._task.account,
            client_order_id=name,
            instrument=instrument.id,
            side=Side.Sell,
            order_type=OrderType.Market,
            time_in_force=TimeInForce.GoodTillCancel,
            order_qty=qty,
            price=None,
            reduce_only=True,
            operator=FLATTENER,
            egress=self._exit,
            placed_at=now,
            deadline=now + SENT_WITHIN_NS,
            requests=(request,),
            updated_at=now,
        )

    def _last_check(self, approved: Approved) -> str | None:
        """Right before the bytes of an order of ours: its deadline, and that nobody took a higher number."""
        if self._clock.now() > approved.order.deadline:
            return "its deadline passed before it could be sent"
        if self._lease is None or not self._lease.is_ours():
            return "the lease of the key is not ours: another process drives this account"
        return None


def _named(instrument: InstrumentId) -> Instrument:
    """As much of an instrument as a cancel or a question needs: what its venue calls it."""
    venue, _, symbol = instrument.partition(":")
    one = Decimal(1)
    return Instrument(
        id=instrument,
        venue=VenueId(venue),
        venue_symbol=symbol,
        symbol=symbol,
        base="",
        quote="",
        tick=one,
        lot=one,
        min_qty=ZERO,
        max_qty=ZERO,
        min_notional=ZERO,
    )


def _order_of(report: OrderReport, account: AccountId, now: int) -> Order:
    """An order that is known from the venue's list alone, as a cancel names it."""
    return Order(
        account=account,
        client_order_id=report.client_order_id,
        instrument=report.instrument,
        side=report.side or Side.Buy,
        order_type=OrderType.Limit if report.price else OrderType.Market,
        time_in_force=TimeInForce.GoodTillCancel,
        order_qty=report.order_qty or ZERO,
        price=report.price or None,
        operator=OperatorId("kill"),
        egress="",
        placed_at=now,
        deadline=now,
        ord_status=report.ord_status or OrdStatus.New,
        venue_order_id=report.venue_order_id,
        is_external=True,
        updated_at=now,
    )
