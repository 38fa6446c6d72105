"""One account's venue in memory, behind the Adapter protocol; a worker on it, and what the worker published.

A `ScriptedVenue` belongs to the test's thread and outlives the adapters that a worker builds on it; each of those
belongs to the worker's loop. What a test does to the venue while a worker runs goes through the loop.
"""

import asyncio
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from decimal import Decimal
from random import Random
from typing import Any

import msgspec
from order_builders import BTC, a_place, a_report, an_info

from tradedesk.access.exit_proof import ExitProof
from tradedesk.access.exits import Exits
from tradedesk.accounts.worker import Worker
from tradedesk.clock import SystemClock
from tradedesk.domain import events as ev
from tradedesk.domain.accounts import Account, AccountState, Halt, Mode
from tradedesk.domain.commands import PlaceOrder
from tradedesk.domain.gate import Approved, CancelTicket
from tradedesk.domain.instruments import FeedState, Instrument, Quote
from tradedesk.domain.keys import KeyReport, KeyRights
from tradedesk.domain.limits import Limits
from tradedesk.domain.movements import Movement
from tradedesk.domain.orders import Fill, Order, OrdStatus, RequestState
from tradedesk.domain.outcomes import (
    Acknowledged,
    NotSent,
    OrderReport,
    QueryAnswer,
    Refused,
    ReplaceOutcome,
    StreamState,
    Unproven,
    VenueInfo,
    VenueState,
)
from tradedesk.domain.positions import Balance
from tradedesk.domain.profile import SeenProfile
from tradedesk.domain.words import AccountId, ClientOrderId, InstrumentId, VenueId, client_order_id
from tradedesk.journal.memory import MemoryJournal
from tradedesk.journal.store import Durable, Store
from tradedesk.log import Log
from tradedesk.risk.halts import PartHalts
from tradedesk.risk.reservations import Reservations
from tradedesk.venues.adapter import LastCheck, PrivateNews
from tradedesk.views.replica import Replica

WITHIN_S = 10.0  # longer than anything here takes; reached only by a test that fails
MINUTE_NS = 60 * 10**9


def a_key_report(
    fingerprint: str = "",
    *,
    uid: str | None = "42",
    can_account_trade: bool = True,
    can_read: bool = True,
    can_trade: bool = True,
    can_withdraw: bool = False,
    can_transfer: bool = False,
    is_address_bound: bool = True,
    addresses: tuple[str, ...] | None = None,
    expires_at: int | None = None,
    is_told: bool = True,
) -> KeyReport:
    """Of a key that is fit, unless told otherwise; `is_told` is whether the venue tells rights at all."""
    rights = KeyRights(
        can_read=can_read,
        can_trade=can_trade,
        can_withdraw=can_withdraw,
        can_transfer=can_transfer,
        is_address_bound=is_address_bound,
        addresses=addresses,
        expires_at=expires_at,
    )
    return KeyReport(
        fingerprint=fingerprint or "0123456789ab",
        uid=uid,
        can_account_trade=can_account_trade,
        rights=rights if is_told else None,
    )


class ScriptedVenue:
    """What the venue holds of one account, what was asked of it, and what it is told to do wrong."""

    def __init__(self, account: str = "acme") -> None:
        self.account = AccountId(account)
        self.calls: list[str] = []  # "place c1", "cancel c1", ..., in the order in which they arrived
        self.open_orders: dict[ClientOrderId, OrderReport] = {}
        self.fills: list[Fill] = []
        self.ledger: list[Movement] = []
        self.held = {"BTC": Decimal(2), "USDT": Decimal(500_000)}
        self.trades_meanwhile: list[tuple[str, str]] = []  # (asset, change), one after each look
        self.silence_ns: int | None = 0
        self.start_failures: list[Exception] = []  # raised one by one by the next starts
        self.state_failures: list[Exception] = []  # likewise by venue_state
        self.private_failure: Exception | None = None
        self.place_raises: Exception | None = None
        self.is_hung: Callable[[str], bool] = lambda call: False  # such a call never answers
        self.blocks: threading.Event | None = None  # a place waits for it with the whole loop: a thread that hangs
        self.has_stream = True
        self.ban: str | None = None  # of its exit
        self.key = a_key_report(uid=f"uid of {account}")
        self.profile: SeenProfile | None = None  # how it is set; None: not told
        self.is_echo_away = False
        self.exit_seen_at: str | None = None  # where an echo sees the exit; None: where it has to be
        self.key_failures: list[Exception] = []  # raised one by one by the next looks at the key
        self._called = threading.Condition()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._sink: Callable[[PrivateNews], None] | None = None

    def adapter(self, last_check: LastCheck) -> "ScriptedAdapter":
        return ScriptedAdapter(self, last_check)

    def say(self, *news: PrivateNews) -> None:
        """Let the private stream carry this, in one go."""

        def told() -> None:
            assert self._sink is not None
            for item in news:
                self._sink(item)

        self._on_loop(told)

    def was_called(self, call: str, within_s: float = WITHIN_S, *, times: int = 1) -> bool:
        """Wait until the call has arrived so often; whether it has."""
        with self._called:
            return self._called.wait_for(lambda: self.calls.count(call) >= times, within_s)

    def _on_loop(self, work: Callable[[], None]) -> None:
        assert self._loop is not None
        done: Future[None] = Future()

        def run() -> None:
            work()
            done.set_result(None)

        self._loop.call_soon_threadsafe(run)
        done.result(WITHIN_S)

    # -- on the worker's loop -------------------------------------------------------------------------------------------

    async def note(self, call: str) -> None:
        with self._called:
            self.calls.append(call)
            self._called.notify_all()
        if self.is_hung(call):
            await asyncio.Event().wait()

    def joined(self, loop: asyncio.AbstractEventLoop, sink: Callable[[PrivateNews], None] | None) -> None:
        self._loop, self._sink = loop, sink


class ScriptedAdapter:
    """An Adapter on a ScriptedVenue: it looks at the last check, answers at once, and never sends twice."""

    def __init__(self, venue: ScriptedVenue, last_check: LastCheck) -> None:
        self._venue = venue
        self._last_check = last_check
        self.clock_offset_ms: int | None = 0

    async def start(self) -> VenueInfo:
        self._venue.joined(asyncio.get_running_loop(), None)
        await self._venue.note("start")
        if self._venue.start_failures:
            raise self._venue.start_failures.pop(0)
        return an_info()

    async def place(self, approved: Approved) -> Acknowledged | Refused | Unproven | NotSent:
        key = approved.order.client_order_id
        reason = self._last_check(approved)
        if reason is not None:
            return NotSent(request_id=approved.request_id, reason=reason)
        await self._venue.note(f"place {key}")
        if self._venue.blocks is not None:
            self._venue.blocks.wait(WITHIN_S)  # the point: this thread hangs
        if self._venue.place_raises is not None:
            raise self._venue.place_raises
        report = a_report(key, OrdStatus.New, cum="0", qty=str(approved.order.order_qty), side=approved.order.side)
        self._venue.open_orders[key] = report
        return Acknowledged(request_id=approved.request_id, report=report)

    async def replace(self, approved: Approved) -> ReplaceOutcome | NotSent | Unproven:
        raise AssertionError("no test here amends")

    async def cancel(self, ticket: CancelTicket) -> Acknowledged | Refused | Unproven:
        key = ticket.order.client_order_id
        await self._venue.note(f"cancel {key}")
        if self._venue.open_orders.pop(key, None) is None:
            return Refused(request_id=ticket.request_id, code=-2011, text="Unknown order sent.")
        return Acknowledged(request_id=ticket.request_id, report=a_report(key, OrdStatus.Canceled, cum="0"))

    async def query(self, order: Order, instrument: Instrument) -> QueryAnswer:
        key = order.client_order_id
        await self._venue.note(f"query {key}")
        return QueryAnswer(client_order_id=key, report=self._venue.open_orders.get(key))

    async def fills_of(self, order: Order, instrument: Instrument) -> tuple[Fill, ...]:
        return tuple(fill for fill in self._venue.fills if fill.client_order_id == order.client_order_id)

    async def venue_state(self, since_ns: int | None, *, is_for_a_sweep: bool = False) -> VenueState:
        await self._venue.note("venue_state for a sweep" if is_for_a_sweep else "venue_state")
        if self._venue.state_failures:
            raise self._venue.state_failures.pop(0)
        balances = tuple(
            Balance(asset=asset, free=amount, locked=Decimal(0)) for asset, amount in self._venue.held.items()
        )
        if self._venue.trades_meanwhile:
            asset, change = self._venue.trades_meanwhile.pop(0)
            self._venue.held[asset] += Decimal(change)
        return VenueState(
            account=self._venue.account,
            open_orders=tuple(self._venue.open_orders.values()),
            fills=tuple(self._venue.fills),
            balances=balances,
            taken_at=(now := SystemClock().now()),
            venue_time=now,
            profile=self._venue.profile,
        )

    async def movements(self, since_ns: int) -> tuple[Movement, ...]:
        await self._venue.note("movements")
        return tuple(self._venue.ledger)

    async def prove_exit(self, expected: str | None, check_url: str | None) -> ExitProof:
        await self._venue.note("prove_exit")
        seen = self._venue.exit_seen_at or expected
        problem = None if expected in (None, seen) else f"the exit is seen at {seen}, not at {expected}"
        if self._venue.is_echo_away:
            seen, problem = None, "the exit could not be proved: the echo does not answer"
        return ExitProof(exit="127.0.0.2", seen=seen, how="echo script", problem=problem)

    async def key_report(self) -> KeyReport:
        await self._venue.note("key_report")
        if self._venue.key_failures:
            raise self._venue.key_failures.pop(0)
        return self._venue.key

    async def run_private(self, sink: Callable[[PrivateNews], None]) -> None:
        self._venue.joined(asyncio.get_running_loop(), sink)
        await self._venue.note("run_private")
        if self._venue.private_failure is not None:
            raise self._venue.private_failure
        if self._venue.has_stream:
            sink(StreamState(is_up=True))
        await asyncio.Event().wait()

    async def close(self) -> None:
        await self._venue.note("close")

    def exit_seen(self) -> str | None:
        return "127.0.0.2"

    def held_up(self) -> str | None:
        return self._venue.ban

    def stream_age_ns(self) -> int | None:
        return self._venue.silence_ns


class Heard:
    """What was published, folded as it comes; `until` waits for something to be true of it. Any thread may publish."""

    def __init__(self) -> None:
        self.events: list[ev.Event] = []
        self.replica = Replica()
        self._changed = threading.Condition()

    def publish(self, event: ev.Event) -> None:
        with self._changed:
            self.events.append(event)
            self.replica.apply(event)
            self._changed.notify_all()

    def until(self, happened: Callable[[], Any], within_s: float = WITHIN_S) -> bool:
        with self._changed:
            return bool(self._changed.wait_for(happened, within_s))

    def order(self, key: str) -> Order | None:
        return self.replica.orders.get(ClientOrderId(key))

    def is_order(self, key: str, status: OrdStatus) -> bool:
        order = self.order(key)
        return order is not None and order.ord_status is status

    def request(self, key: str) -> RequestState | None:
        """Of the order's birth."""
        order = self.order(key)
        return None if order is None else order.requests[0].state

    def states(self, account: str = "acme") -> list[AccountState]:
        """How the account stood, one after the other."""
        return [
            event.state for event in self.events if isinstance(event, ev.AccountChanged) and event.account == account
        ]

    def reasons(self) -> list[str]:
        return [event.reason for event in self.events if isinstance(event, ev.AccountChanged)]


class SyncedJournal(MemoryJournal):
    """A disk that has every record at once; for tests in which the disk is not the point."""

    def append(self, event: ev.DurableEvent) -> Durable:
        handle = super().append(event)
        self.sync()
        return handle


def client(name: str = "acme", *, limits: Limits | None = None) -> Account:
    return Account(
        id=AccountId(name),
        venue=VenueId("binance"),
        owner=name,
        groups=("all",),
        mode=Mode.Paper,
        egress="127.0.0.2",
        secret=name,
        limits=Limits(max_order_notional=Decimal(1_000_000)) if limits is None else limits,
    )


def a_quote(instrument: InstrumentId = BTC) -> tuple[Quote, int]:
    """A fresh one around 60,000."""
    now = SystemClock().now()
    quote = Quote(
        instrument=instrument,
        bid=Decimal("59999"),
        bid_qty=Decimal(1),
        ask=Decimal("60001"),
        ask_qty=Decimal(1),
        last=Decimal(60_000),
        received_at=now,
        state=FeedState.Live,
    )
    return quote, 0


def a_worker(
    venue: ScriptedVenue,
    heard: Heard,
    *,
    store: Store | None = None,
    quotes: Callable[[InstrumentId], tuple[Quote, int] | None] = a_quote,
    halt: Callable[[], Halt | None] = lambda: None,
    parts: PartHalts | None = None,
    history: Callable[[], Iterable[ev.Event]] | None = None,
    damage: str | None = None,
    account: Account | None = None,
    exits: Exits | None = None,
) -> Worker:
    """A worker on this venue, its account announced. Its history is what the journal holds, unless told otherwise."""
    journal = SyncedJournal() if store is None else store
    clock, chance = SystemClock(), Random(1)
    made = Worker(
        client(venue.account) if account is None else account,
        adapter=venue.adapter,
        store=journal,
        history=history or (lambda: list(journal.replay())),
        publish=heard.publish,
        quotes=quotes,
        halt=halt,
        parts=parts,
        shared=Reservations([client(venue.account)], {}, "USDT"),
        new_id=lambda: client_order_id(clock.now(), chance.getrandbits(40)),
        clock=clock,
        random=chance,
        log=Log(),
        damage=damage,
        exits=exits,
    )
    heard.publish(ev.AccountListed(at=clock.now(), source="test", account=made.account))
    return made


def an_intent(key: str, *, qty: str = "0.1", price: str | None = "60000", account: str = "acme") -> PlaceOrder:
    """An order command that may be sent for a minute from now."""
    command = a_place(key, qty=qty, price=price, deadline=SystemClock().now() + MINUTE_NS)
    return msgspec.structs.replace(command, account=AccountId(account))
