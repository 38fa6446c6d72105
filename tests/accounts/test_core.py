"""One account without its thread: order manager, Gate and journal put together."""

import msgspec
import pytest
from order_builders import (
    ACME,
    BTC,
    NOW,
    SECOND,
    a_cancel,
    a_fill,
    a_place,
    a_report,
    a_trade,
    a_venue_state,
    an_account,
    an_ack,
    an_amend,
    an_info,
    d,
)

from tradedesk.accounts.core import Core
from tradedesk.domain import events as ev
from tradedesk.domain.accounts import AccountState, Halt, HaltLevel
from tradedesk.domain.gate import Approved
from tradedesk.domain.instruments import FeedState, Quote
from tradedesk.domain.limits import Limits
from tradedesk.domain.orders import OrderState, OrdStatus, state
from tradedesk.domain.scopes import Scope, ScopeKind, part_scopes
from tradedesk.domain.words import ClientOrderId, Side
from tradedesk.journal.memory import MemoryJournal
from tradedesk.journal.store import Durable, JournalError, JournalFull
from tradedesk.orders.manager import OrderManager
from tradedesk.orders.messages import Reconciliation, Send, SendCancel
from tradedesk.risk.reservations import Reservations

LIMITS = Limits(max_order_notional=d(200_000), max_position=d(4), max_position_notional=d(10**7), max_open_orders=3)


class Bench:
    """A core over a journal in memory, a market at 60,000 and a halt latch of its own."""

    def __init__(self, limits: Limits = LIMITS, journal: MemoryJournal | None = None) -> None:
        self.journal = journal or MemoryJournal()
        self.halt: Halt | None = None
        self.part_halts: list[Halt] = []
        self.quote_age_ns = 0
        self.published: list[ev.Event] = []
        account = an_account(limits)
        manager = OrderManager(account, an_info(), list(self.journal.replay()), lambda: ClientOrderId("made"), NOW)
        self.core = Core(
            account,
            manager,
            store=self.journal,
            publish=self.published.append,
            quotes=self._quotes,
            halt=lambda: self.halt,
            parts=self,
            shared=Reservations([account], {}, "USDT"),
        )
        self.core.recover(NOW)
        self.core.handle(Reconciliation(state=a_venue_state(), marks={}), NOW)
        self.core.set_state(AccountState.Ready, "", NOW)

    def send(self, *messages) -> list[Approved]:
        """Hand messages over; what is to be sent comes back."""
        outgoing = [effect for message in messages for effect in self.core.handle(message, NOW)]
        return [effect.approved for effect in outgoing if isinstance(effect, Send)]

    def order(self, client_order_id: str = "c1"):
        return self.core.manager.books.orders[ClientOrderId(client_order_id)]

    def part_of(self, order) -> Halt | None:
        """The halts of some orders, as a latch tells them."""
        scopes = part_scopes(order.instrument, order.operator, order.block)
        return next((halt for halt in self.part_halts if halt.of in scopes), None)

    def parts(self) -> tuple[Halt, ...]:
        return tuple(self.part_halts)

    def halted(self, level: HaltLevel) -> None:
        self.halt = Halt(account=ACME, level=level, by="risk1", reason="drill", at=NOW)

    def _quotes(self, instrument):
        quote = Quote(
            instrument=BTC, bid=d(59999), bid_qty=d(1), ask=d(60001), ask_qty=d(1), last=d(60000), received_at=NOW,
            state=FeedState.Live,
        )  # fmt: skip
        return quote, self.quote_age_ns


def test_an_order_is_recorded_published_and_approved_and_its_record_is_handed_out():
    """5.1"""
    bench = Bench()
    [approved] = bench.send(a_place())
    record = bench.core.record_of(approved.order.client_order_id)
    assert isinstance(record, Durable)
    assert not record.is_durable
    bench.journal.sync()
    assert record.is_durable
    assert any(isinstance(event, ev.OrderPlaced) for event in bench.journal.replay())
    assert any(isinstance(event, ev.OrderPlaced) for event in bench.published)


def test_the_gate_stands_between_every_command_and_the_venue():
    """5.4: amends included"""
    bench = Bench()
    assert bench.send(a_place("big", qty="5")) == []
    assert state(bench.order("big")) is OrderState.Denied
    assert len(bench.send(a_place("c1"), an_ack("c1"))) == 1
    assert bench.send(an_amend("c1", "c2", qty="5")) == []
    assert state(bench.order("c1")) is OrderState.New
    assert state(bench.order("c2")) is OrderState.Denied


def test_an_account_without_limits_sends_nothing():
    """5.4"""
    assert Bench(Limits()).send(a_place()) == []


def test_orders_that_wait_for_their_send_count_against_the_position_limit():
    """5.4: 2 held, at most 4"""
    bench = Bench()
    assert len(bench.send(a_place("c1"), a_place("c2"), a_place("c3"))) == 2
    assert "max_position" in str(bench.order("c3").reasons) or "position could reach" in str(bench.order("c3").reasons)


def test_what_is_on_its_way_is_no_longer_free():
    bench = Bench(msgspec.structs.replace(LIMITS, max_position=d(100)))
    state_ = a_venue_state(USDT="130000", taken_at=NOW + 1)
    bench.core.handle(Reconciliation(state=state_, marks={}), NOW)
    assert len(bench.send(a_place("c1"), a_place("c2"), a_place("c3"))) == 2
    assert "is free" in bench.order("c3").reasons[0]


def test_a_replace_may_spend_what_its_old_order_frees():
    bench = Bench(msgspec.structs.replace(LIMITS, max_position=d(100)))
    bench.core.handle(Reconciliation(state=a_venue_state(USDT="60000", taken_at=NOW + 1), marks={}), NOW)
    bench.send(a_place("c1"), an_ack("c1"))
    bench.core.handle(Reconciliation(state=a_venue_state(USDT="1000", taken_at=NOW + 2), marks={}), NOW)
    assert bench.send(an_amend("c1", "c2", qty="1.1")) == []
    assert len(bench.send(an_amend("c1", "c3", qty="1.01"))) == 1


def test_too_many_open_orders_are_denied():
    bench = Bench()
    sends = bench.send(*(a_place(f"c{number}", qty="0.1") for number in range(5)))
    assert len(sends) == 3


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (lambda bench: bench.core.handle(a_cancel(), NOW), "cancelled before"),
        (lambda bench: bench.core.set_state(AccountState.Reconciling, "stream down", NOW), "Reconciling"),
        (lambda bench: bench.core.set_state(AccountState.Blocked, "contradiction", NOW), "Blocked"),
        (lambda bench: bench.halted(HaltLevel.BlockNew), "halted"),
        (lambda bench: bench.halted(HaltLevel.ReduceOnly), "halted"),
        (lambda bench: bench.core.handle(a_report("c1", OrdStatus.Canceled), NOW), "no longer open"),
    ],
)
def test_the_last_check_stops_what_may_not_leave_any_more(spoil, why):
    """5.5, F49, F77"""
    bench = Bench()
    [approved] = bench.send(a_place())
    assert bench.core.last_check(approved, NOW) is None
    spoil(bench)
    assert why in (bench.core.last_check(approved, NOW) or "")


def test_the_last_check_looks_at_the_deadline():
    """F49"""
    bench = Bench()
    [approved] = bench.send(a_place(deadline=NOW + 5 * SECOND))
    assert bench.core.last_check(approved, NOW + 5 * SECOND) is None
    assert "deadline" in (bench.core.last_check(approved, NOW + 5 * SECOND + 1) or "")


def test_a_reduction_passes_the_last_check_of_a_halt_that_allows_it():
    bench = Bench()
    [approved] = bench.send(a_place(side=Side.Sell))
    bench.halted(HaltLevel.CancelOpening)
    assert bench.core.last_check(approved, NOW) is None
    bench.halted(HaltLevel.CancelAll)
    assert bench.core.last_check(approved, NOW) is not None


class FullOnce(MemoryJournal):
    """A journal that refuses one record for want of room, and takes the next."""

    is_full = False

    def append(self, event: ev.DurableEvent) -> Durable:
        if self.is_full:
            self.is_full = False
            raise JournalFull("20000 records wait for the disk")
        return super().append(event)


def test_F64_an_order_whose_record_was_refused_has_no_record_even_if_later_ones_are_taken():
    """5.1: a later record about the order must not pass for its intent"""
    journal = FullOnce()
    bench = Bench(journal=journal)
    bench.send(a_place("c1"), an_ack("c1"))
    journal.is_full = True
    bench.send(a_place("c2"))
    assert isinstance(bench.core.record_of(ClientOrderId("c2")), JournalError)
    bench.core.handle(a_cancel("c2"), NOW)
    assert isinstance(bench.core.record_of(ClientOrderId("c2")), JournalError)


def test_F64_a_replace_whose_request_was_not_recorded_is_not_sent_though_its_new_order_was():
    """5.1: it needs both records"""
    journal = FullOnce()
    bench = Bench(journal=journal)
    bench.send(a_place("c1"), an_ack("c1"))
    journal.is_full = True  # for the request about the old order; the new order's own record is taken
    [approved] = bench.send(an_amend("c1", "c2", qty="1.5"))
    assert isinstance(bench.core.record_of(approved.order.client_order_id), JournalError)


def test_F63_cancels_go_though_the_journal_has_failed():
    bench = Bench()
    bench.send(a_place("c1"), an_ack("c1"))
    bench.journal.fail("disk eio")
    outgoing = bench.core.handle(a_cancel("c1"), NOW)
    assert [type(effect) for effect in outgoing] == [SendCancel]
    bench.send(a_place("c2"))
    assert isinstance(bench.core.record_of(ClientOrderId("c2")), JournalError)


def test_a_record_is_forgotten_once_it_is_used_and_the_memory_of_records_is_bounded():
    bench = Bench(msgspec.structs.replace(LIMITS, max_open_orders=10**6))
    for number in range(500):
        bench.send(a_place(f"c{number}", qty="0.001", price="60000"), a_report(f"c{number}", OrdStatus.Canceled))
    assert len(bench.core._durable) <= 100
    bench.core.forget_record(ClientOrderId("c499"))
    assert bench.core.record_of(ClientOrderId("c499")) is None


def test_a_preview_says_what_the_gate_would_and_reserves_nothing():
    bench = Bench()
    verdict = bench.core.verdict(a_place(qty="1.000009"), NOW)
    assert (verdict.order_qty, verdict.remainder, verdict.notional) == (d("1.00000"), d("0.000009"), d(60000))
    assert verdict.denials == ()
    assert bench.core.verdict(a_place(qty="5"), NOW).denials != ()
    assert bench.core.manager.live == {}
    assert bench.core.verdict(a_place(instrument="binance:NOPE"), NOW).denials != ()


def test_recovery_is_recorded_like_everything_else():
    journal = MemoryJournal()
    bench = Bench(journal=journal)
    bench.send(a_place("c1"))
    journal.sync()
    journal.crash()
    again = Bench(journal=journal)
    assert state(again.order("c1")) is OrderState.Unknown
    journal.sync()
    journal.crash()
    assert state(Bench(journal=journal).order("c1")) is OrderState.Unknown


def test_fills_are_journalled_and_survive_a_crash_and_only_what_was_synced_does():
    journal = MemoryJournal()
    bench = Bench(journal=journal)
    bench.send(a_place("c1"), an_ack("c1"), a_trade(a_fill(qty="0.4"), cum="0.4"))
    journal.sync()
    bench.send(a_trade(a_fill(qty="0.6", trade_id="t2"), cum="1", is_last=True))
    journal.crash()
    again = Bench(journal=journal)
    assert again.order("c1").cum_qty == d("0.4")
    assert again.core.manager.books.positions[ACME, BTC].qty == d("2.4")


def test_what_an_operator_passes_with_a_reason_is_recorded_with_its_figures_before_the_order_goes():
    """RTS 6 art. 15: over a limit only recorded"""
    bench = Bench(msgspec.structs.replace(LIMITS, repeat_within_ms=1_000))
    assert len(bench.send(a_place())) == 1
    assert bench.send(a_place("c2")) == []
    (approved,) = bench.send(msgspec.structs.replace(a_place("c3"), confirm="second clip"))
    assert approved.order.client_order_id == "c3"
    (passed,) = [event for event in bench.published if isinstance(event, ev.LimitPassed)]
    assert isinstance(passed, ev.DURABLE)
    assert passed.client_order_id == "c3"
    assert (passed.by, passed.reason) == ("desk1", "second clip")
    assert "was ordered within the last 1000 ms already" in passed.limits[0]


def a_part_halt(kind: ScopeKind, name: str, level: HaltLevel = HaltLevel.BlockNew) -> Halt:
    return Halt(account=None, scope=Scope(kind=kind, name=name), level=level, by="risk1", reason="drill", at=NOW)


def test_the_strictest_halt_over_an_order_says_no_with_its_scope_its_reason_and_who_set_it():
    """5.5"""
    bench = Bench()
    bench.halted(HaltLevel.ReduceOnly)
    bench.part_halts.append(a_part_halt(ScopeKind.Operator, "desk1"))
    assert bench.send(a_place()) == []
    (text,) = [reason for reason in bench.order().reasons if "halted at level" in reason]
    assert text.startswith("operator desk1 (drill): halted at level block-new")
    assert bench.order().ord_status is OrdStatus.Denied


def test_an_order_that_was_approved_does_not_leave_once_its_instrument_is_halted():
    """5.5: looked at in the task that writes the bytes"""
    bench = Bench()
    (approved,) = bench.send(a_place())
    assert bench.core.last_check(approved, NOW) is None
    bench.part_halts.append(a_part_halt(ScopeKind.Instrument, "binance:ETHUSDT"))
    assert bench.core.last_check(approved, NOW) is None
    bench.part_halts.append(a_part_halt(ScopeKind.Instrument, "binance:BTCUSDT"))
    assert "instrument binance:BTCUSDT (drill): halted" in str(bench.core.last_check(approved, NOW))
