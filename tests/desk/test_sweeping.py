"""One account of a kill against a venue in memory: doubts, refusals, another exit, the bound, and what closes positions."""

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest
from order_builders import BTC, a_report, an_account, an_info, an_instrument, d

from tradedesk.access.lease import Lease
from tradedesk.clock import SystemClock
from tradedesk.desk import sweeping
from tradedesk.desk.sweeping import Sweeper, SweepFailed
from tradedesk.domain.accounts import Account, HaltLevel
from tradedesk.domain.gate import Approved, CancelTicket
from tradedesk.domain.instruments import FeedState, Instrument, Quote
from tradedesk.domain.limits import Limits
from tradedesk.domain.orders import Order, OrdStatus
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
from tradedesk.domain.positions import Balance
from tradedesk.domain.receipts import AccountReceipt, Outcome
from tradedesk.domain.words import ClientOrderId, Side, VenueId, client_order_id
from tradedesk.risk.kill import Known, Task
from tradedesk.venues.adapter import LastCheck, VenueFailed

OURS = client_order_id(1_700_000_000 * 10**9, 1)
Answer = Acknowledged | Refused | Unproven | NotSent


@pytest.fixture(autouse=True)
def no_long_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweeping, "PAUSES_S", (0.001,))


class Venue:
    """What it shows, and how it answers; also the adapter, one for all."""

    def __init__(self, *reports: OrderReport, btc: str = "0") -> None:
        self.open = {report.client_order_id: report for report in reports}
        self.ended: dict[ClientOrderId, OrderReport] = {}
        self.btc = d(btc)
        self.exits: list[str] = []
        self.unreachable_by: set[str] = set()
        self.placed: list[Approved] = []
        self.on_cancel: Callable[[OrderReport], Answer] = self.cancelled
        self.checks: LastCheck = lambda _: None
        self.clock_offset_ms: int | None = 0

    def connect(self, exit_: str, last_check: LastCheck) -> "Venue":
        self.exits.append(exit_)
        self.checks = last_check
        return self

    def cancelled(self, report: OrderReport) -> Answer:
        done = msgspec.structs.replace(report, ord_status=OrdStatus.Canceled)
        del self.open[report.client_order_id]
        self.ended[report.client_order_id] = done
        return Acknowledged(request_id="r", report=done)  # type: ignore[arg-type]

    async def start(self) -> VenueInfo:
        if self.exits[-1] in self.unreachable_by:
            raise VenueFailed("no way there")
        return an_info()

    async def venue_state(self, since_ns: int | None, *, is_for_a_sweep: bool = False) -> VenueState:
        balance = Balance(asset="BTC", free=self.btc, locked=d("0"))
        return VenueState(
            account=an_account().id,
            open_orders=tuple(self.open.values()),
            fills=(),
            balances=(balance,),
            taken_at=1,
            venue_time=2,
        )

    async def cancel(self, ticket: CancelTicket) -> Answer:
        return self.on_cancel(self.open[ticket.order.client_order_id])

    async def query(self, order: Order, instrument: Instrument) -> QueryAnswer:
        key = order.client_order_id
        return QueryAnswer(client_order_id=key, report=self.ended.get(key) or self.open.get(key))

    async def place(self, approved: Approved) -> Answer:
        why = self.checks(approved)
        if why is not None:
            return NotSent(request_id=approved.request_id, reason=why)
        self.placed.append(approved)
        self.btc -= approved.order.order_qty
        return Acknowledged(request_id=approved.request_id, report=None)

    async def touch(self, instrument: Instrument) -> Quote:
        return Quote(
            instrument=instrument.id, bid=d("60000"), bid_qty=d("1"), ask=d("60001"), ask_qty=d("1"), last=None,
            received_at=1, state=FeedState.Live,
        )  # fmt: skip

    async def close(self) -> None:
        pass


def resting(side: Side = Side.Buy) -> OrderReport:
    return a_report(OURS, OrdStatus.New, qty="1", side=side)


def limited() -> Account:
    return an_account(Limits(max_order_notional=Decimal(1_000_000)))


async def swept(
    venue: Venue,
    *,
    level: HaltLevel = HaltLevel.CancelAll,
    known: Known | None = Known(),  # noqa: B008 - frozen
    exit_in_use: Callable[[], str | None] = lambda: None,
    account: Account | None = None,
    lease: Lease | None = None,
    within_s: float = 5.0,
) -> tuple[AccountReceipt, str]:
    """The account's part of the receipt, and why it failed if it did."""
    account, clock = account or limited(), SystemClock()
    task = Task(account=account.id, venue=VenueId("binance"), level=level, bases={BTC: "BTC"})
    sweeper = Sweeper(
        task,
        account,
        venue.connect,
        known=lambda: known,
        is_told=lambda: True,
        exit_in_use=exit_in_use,
        lease=lease,
        clock=clock,
        deadline=clock.monotonic() + int(within_s * 10**9),
    )
    why = ""
    try:
        await sweeper.run()
    except SweepFailed as error:
        why = str(error)
    return sweeper.receipt(is_blocked=True, why=why, entry="acme", took_ms=1), why


async def test_what_is_open_is_cancelled_and_confirmed_by_a_later_look() -> None:
    row, why = await swept(Venue(resting()))
    assert (row.outcome, row.cancelled, row.still_open, why) == (Outcome.Clear, 1, 0, "")


async def test_a_cancel_without_an_answer_is_cleared_up_by_asking_how_the_order_ended() -> None:
    """5.2"""
    venue = Venue(resting())

    def silent(report: OrderReport) -> Answer:
        venue.cancelled(report)
        return Unproven(request_id="r", cause="no answer")  # type: ignore[arg-type]

    venue.on_cancel = silent
    row, _ = await swept(venue)
    assert (row.outcome, row.cancelled, row.ended) == (Outcome.Clear, 1, 0)


async def test_an_order_that_filled_before_its_cancel_is_not_said_to_be_cancelled() -> None:
    venue = Venue(resting())

    def too_late(report: OrderReport) -> Answer:
        del venue.open[report.client_order_id]
        venue.ended[report.client_order_id] = msgspec.structs.replace(report, ord_status=OrdStatus.Filled)
        return Refused(request_id="r", code=-2011, text="Unknown order sent.")  # type: ignore[arg-type]

    venue.on_cancel = too_late
    row, _ = await swept(venue)
    assert (row.outcome, row.cancelled, row.ended) == (Outcome.Clear, 0, 1)


async def test_a_key_that_is_refused_ends_it_at_once() -> None:
    venue = Venue(resting())
    venue.on_cancel = lambda _: Refused(request_id="r", code=-2015, text="no rights", is_auth=True)  # type: ignore[arg-type]
    row, why = await swept(venue)
    assert (row.outcome, row.still_open, why) == (Outcome.Open, 1, "the venue refuses the key: no rights")


async def test_when_the_time_is_up_what_stood_in_the_way_is_said() -> None:
    venue = Venue(resting())
    venue.on_cancel = lambda _: Unproven(request_id="r", cause="timeout")  # type: ignore[arg-type]
    row, why = await swept(venue, within_s=0.05)
    assert (row.outcome, row.still_open) == (Outcome.Open, 1)
    assert "timeout" in why or "still open" in why


async def test_without_the_journal_nothing_is_clear_before_the_venues_window_is_over() -> None:
    row, why = await swept(Venue(), known=None, within_s=0.05)
    assert (row.outcome, why) == (Outcome.Open, "an order sent before the halt could still arrive")


async def test_the_exit_that_the_desk_was_switched_to_is_the_one_that_is_taken() -> None:
    """5.7: no other is tried by itself."""
    venue, asked = Venue(resting()), 0
    account = limited()
    venue.unreachable_by = {account.egress}

    def told_late() -> str | None:
        nonlocal asked
        asked += 1
        return "10.0.0.5" if asked > 3 else None

    row, _ = await swept(venue, exit_in_use=told_late)
    assert (row.outcome, row.exit) == (Outcome.Clear, "10.0.0.5")
    assert venue.exits == [account.egress, "10.0.0.5"]
    stuck = Venue(resting())
    stuck.unreachable_by = {account.egress}
    row, why = await swept(stuck, within_s=0.05)
    assert (row.outcome, why, set(stuck.exits)) == (Outcome.Unreachable, "no way there", {account.egress})


def a_lease(folder: Path) -> Lease:
    return Lease("key", "http://127.0.0.1:1", folder / "home", folder / "leases")


async def test_flattening_sells_what_is_held_under_the_lease_and_the_gate(tmp_path: Path) -> None:
    venue, lease = Venue(resting(Side.Sell), btc="2"), a_lease(tmp_path)
    lease.overtake(1)
    row, why = await swept(venue, level=HaltLevel.Flatten, lease=lease)
    assert (row.outcome, row.is_flat, row.cancelled, why) == (Outcome.Clear, True, 1, "")
    (approved,) = venue.placed
    assert (approved.order.side, approved.order.order_qty, approved.order.reduce_only) == (Side.Sell, d("2"), True)
    assert approved.order.client_order_id.startswith("kill-")


async def test_without_its_lease_a_kill_places_nothing(tmp_path: Path) -> None:
    venue = Venue(btc="2")
    row, why = await swept(venue, level=HaltLevel.Flatten, lease=a_lease(tmp_path), within_s=0.1)
    assert (venue.placed, row.is_flat) == ([], False)
    assert "lease" in why or "still holds" in why


async def test_what_the_gate_refuses_is_not_sold_and_said(tmp_path: Path) -> None:
    """5.4: an account without limits is blocked, for a kill too."""
    venue, lease = Venue(btc="2"), a_lease(tmp_path)
    lease.overtake(1)
    row, why = await swept(venue, level=HaltLevel.Flatten, lease=lease, account=an_account(Limits()), within_s=0.1)
    assert (venue.placed, row.is_flat, row.held) == ([], False, ("2 BTC",))
    assert "no limits" in why or "still holds" in why


async def test_dust_is_flat(tmp_path: Path) -> None:
    venue, lease = Venue(btc=str(an_instrument().min_qty / 2)), a_lease(tmp_path)
    lease.overtake(1)
    row, _ = await swept(venue, level=HaltLevel.Flatten, lease=lease)
    assert (venue.placed, row.is_flat) == ([], True)


def with_standby() -> Account:
    return msgspec.structs.replace(limited(), standby_egress="10.0.0.9")


async def test_the_standby_exit_is_tried_when_the_one_in_use_fails_and_the_receipt_says_so() -> None:
    venue, account = Venue(resting()), with_standby()
    venue.unreachable_by = {account.egress}
    row, why = await swept(venue, account=account)
    assert (row.outcome, row.cancelled, row.exit, why) == (Outcome.Clear, 1, "10.0.0.9", "")
    assert row.exits_failed == (f"{account.egress}: no way there",)
    assert venue.exits == [account.egress, "10.0.0.9"]


async def test_the_first_exit_is_gone_back_to_where_a_person_switched_to_one_that_is_dead() -> None:
    venue, account = Venue(resting()), with_standby()
    venue.unreachable_by = {"10.0.0.9"}
    row, _ = await swept(venue, account=account, exit_in_use=lambda: "10.0.0.9")
    assert (row.outcome, row.exit) == (Outcome.Clear, account.egress)


async def test_where_both_exits_are_dead_both_are_tried_until_the_time_is_up() -> None:
    venue, account = Venue(resting()), with_standby()
    venue.unreachable_by = {account.egress, "10.0.0.9"}
    row, why = await swept(venue, account=account, within_s=0.1)
    assert (row.outcome, why, len(row.exits_failed)) == (Outcome.Unreachable, "no way there", 2)
