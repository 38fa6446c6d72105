"""The worker: what its thread does with the effects of decisions, on a venue that answers, hangs, raises or goes away."""

import threading
import time
from collections.abc import Callable, Iterator
from decimal import Decimal

import pytest
from order_builders import a_cancel, a_cancel_all, a_report
from scripted_account import Heard, ScriptedVenue, SyncedJournal, a_quote, a_worker, an_intent

from tradedesk.accounts import looking
from tradedesk.accounts import worker as worker_module
from tradedesk.accounts.mail import COMMANDS, NEWS, URGENT, Preview, ReconcileNow
from tradedesk.accounts.worker import Worker
from tradedesk.domain import events as ev
from tradedesk.domain.accounts import AccountState, Halt, HaltLevel
from tradedesk.domain.instruments import Quote
from tradedesk.domain.orders import Order, OrdStatus, RequestState
from tradedesk.domain.outcomes import StreamState
from tradedesk.domain.scopes import Scope, ScopeKind, part_scopes
from tradedesk.domain.words import AccountId, InstrumentId, RequestId, Side
from tradedesk.journal.memory import MemoryJournal
from tradedesk.orders.messages import HaltEnded, HaltNow
from tradedesk.venues.adapter import VenueFailed

Start = Callable[[Worker], Worker]


@pytest.fixture(autouse=True)
def _no_long_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Back-off and grace are lengths of time, nothing else; the tests need not live through them."""
    monkeypatch.setattr(worker_module, "RESTART_S", (0.01,))
    monkeypatch.setattr(worker_module, "AGAIN_S", (0.01,))
    monkeypatch.setattr(worker_module, "STOP_GRACE_S", 0.1)
    monkeypatch.setattr(worker_module, "HEALTH_S", 0.02)
    monkeypatch.setattr(looking, "MARKS_WAIT_S", 0.05)


@pytest.fixture
def started() -> Iterator[Start]:
    """Starts workers, and stops them at the end."""
    running: list[Worker] = []

    def start(worker: Worker) -> Worker:
        running.append(worker)
        worker.start()
        return worker

    yield start
    for worker in running:
        worker.stop()


def ready(worker: Worker, heard: Heard) -> Worker:
    assert heard.until(lambda: AccountState.Ready in heard.states(worker.account.id)), heard.reasons()
    return worker


def rests(worker: Worker, heard: Heard, key: str) -> None:
    assert worker.post(an_intent(key))
    assert heard.until(lambda: heard.is_order(key, OrdStatus.New)), heard.order(key)


def seen_to(worker: Worker, heard: Heard) -> None:
    """Return once the worker has taken up everything that was posted before."""
    before = sum(isinstance(event, ev.PreviewMade) for event in heard.events)
    assert worker.post(Preview(command=an_intent("p"), request_id=RequestId("p")))
    assert heard.until(lambda: sum(isinstance(event, ev.PreviewMade) for event in heard.events) > before)


# ---- the record and the bytes ---------------------------------------------------------------------------------------


def test_an_order_is_sent_once_its_record_is_on_disk_and_a_cancel_waits_for_no_disk(started: Start) -> None:
    """5.1"""
    venue, heard, journal = ScriptedVenue(), Heard(), MemoryJournal()
    worker = ready(started(a_worker(venue, heard, store=journal)), heard)
    assert worker.post(an_intent("c1"))
    assert heard.until(lambda: heard.order("c1"))
    journal.sync()
    assert heard.until(lambda: heard.is_order("c1", OrdStatus.New))
    assert worker.post(an_intent("c2"))
    assert heard.until(lambda: heard.order("c2"))
    assert worker.post(a_cancel("c1"))
    assert heard.until(lambda: heard.is_order("c1", OrdStatus.Canceled))
    assert "place c2" not in venue.calls
    journal.sync()
    assert heard.until(lambda: heard.is_order("c2", OrdStatus.New))


def test_an_order_that_cannot_be_recorded_is_denied_and_never_sent(started: Start) -> None:
    """F63"""
    venue, heard, journal = ScriptedVenue(), Heard(), SyncedJournal()
    worker = ready(started(a_worker(venue, heard, store=journal)), heard)
    rests(worker, heard, "c1")
    journal.fail("the disk is full")
    assert worker.post(an_intent("c2"))
    assert heard.until(lambda: heard.is_order("c2", OrdStatus.Denied))
    order = heard.order("c2")
    assert order is not None
    assert order.reasons == ("not recorded, so not sent: the disk is full",)
    assert worker.post(a_cancel("c1"))  # F64: cancels still go
    assert heard.until(lambda: heard.is_order("c1", OrdStatus.Canceled))
    assert "place c2" not in venue.calls


def test_an_order_whose_record_fails_while_it_waits_for_the_disk_is_denied(started: Start) -> None:
    venue, heard, journal = ScriptedVenue(), Heard(), MemoryJournal()
    worker = ready(started(a_worker(venue, heard, store=journal)), heard)
    assert worker.post(an_intent("c1"))
    assert heard.until(lambda: heard.order("c1"))
    journal.fail("input/output error")
    assert heard.until(lambda: heard.is_order("c1", OrdStatus.Denied))
    assert "place c1" not in venue.calls


def test_a_halt_that_latches_while_an_order_waits_for_the_disk_stops_it(started: Start) -> None:
    """5.5: looked at in the very task that writes the bytes"""
    venue, heard, journal = ScriptedVenue(), Heard(), MemoryJournal()
    latched: list[Halt] = []
    worker = a_worker(venue, heard, store=journal, halt=lambda: latched[0] if latched else None)
    ready(started(worker), heard)
    assert worker.post(an_intent("c1"))
    assert heard.until(lambda: heard.order("c1"))
    latched.append(Halt(account=AccountId("acme"), level=HaltLevel.BlockNew, by="desk1", reason="look", at=1))
    journal.sync()
    assert heard.until(lambda: heard.is_order("c1", OrdStatus.Denied))
    assert "place c1" not in venue.calls


# ---- a venue that hangs or breaks -----------------------------------------------------------------------------------


def test_a_venue_that_hangs_on_one_order_does_not_hold_up_a_cancel_or_another_order(started: Start) -> None:
    venue, heard = ScriptedVenue(), Heard()
    venue.is_hung = lambda call: call == "place c2"
    worker = ready(started(a_worker(venue, heard)), heard)
    rests(worker, heard, "c1")
    assert worker.post(an_intent("c2"))
    assert venue.was_called("place c2")
    assert worker.post(a_cancel("c1"))
    assert heard.until(lambda: heard.is_order("c1", OrdStatus.Canceled))
    rests(worker, heard, "c3")
    assert heard.request("c2") is RequestState.Pending


def test_an_adapter_that_raises_leaves_the_request_unknown_and_the_account_working(started: Start) -> None:
    """5.2: a bug on the way proves nothing about the venue"""
    venue, heard = ScriptedVenue(), Heard()
    venue.place_raises = RuntimeError("a bug")
    worker = ready(started(a_worker(venue, heard)), heard)
    assert worker.post(an_intent("c1"))
    assert heard.until(lambda: heard.request("c1") is RequestState.Unknown)
    assert venue.was_called("query c1")  # and is asked about
    venue.place_raises = None
    rests(worker, heard, "c2")
    assert AccountState.Offline not in heard.states()


def test_what_hangs_when_the_worker_stops_is_unknown_until_the_next_start_finds_it_at_the_venue(started: Start) -> None:
    """5.1"""
    venue, heard, journal = ScriptedVenue(), Heard(), SyncedJournal()
    venue.is_hung = lambda call: call == "place c1"
    worker = ready(started(a_worker(venue, heard, store=journal)), heard)
    assert worker.post(an_intent("c1"))
    assert venue.was_called("place c1")
    worker.stop()
    assert not any(thread.name == "account-acme" for thread in threading.enumerate())
    assert heard.request("c1") is RequestState.Unknown
    venue.open_orders[an_intent("c1").client_order_id] = a_report("c1", qty="0.1", cum="0")  # it had arrived
    again = Heard()
    ready(started(a_worker(venue, again, store=journal)), again)
    decided = [event.state for event in again.events if isinstance(event, ev.RequestDecided)]
    assert decided == [RequestState.Acknowledged]


# ---- queues ---------------------------------------------------------------------------------------------------------


def test_a_full_queue_refuses_and_what_comes_once_there_is_room_is_taken(started: Start) -> None:
    """5.13"""
    venue, heard = ScriptedVenue(), Heard()
    worker = a_worker(venue, heard)
    taken = [worker.post(Preview(command=an_intent("p"), request_id=RequestId(str(n)))) for n in range(COMMANDS + 1)]
    assert taken == [True] * COMMANDS + [False]
    ready(started(worker), heard)
    seen_to(worker, heard)
    rests(worker, heard, "c1")


def test_a_full_queue_of_cancels_takes_cancels_again_once_there_is_room(started: Start) -> None:
    venue, heard = ScriptedVenue(), Heard()
    worker = a_worker(venue, heard)
    taken = [worker.post(a_cancel("nobody")) for _ in range(URGENT + 1)]
    assert taken == [True] * URGENT + [False]
    ready(started(worker), heard)
    rests(worker, heard, "c1")
    assert worker.post(a_cancel("c1"))
    assert heard.until(lambda: heard.is_order("c1", OrdStatus.Canceled))


def test_cancels_are_taken_before_orders_that_were_posted_earlier(started: Start) -> None:
    venue, heard, journal = ScriptedVenue(), Heard(), SyncedJournal()
    first = Heard()
    worker = ready(started(a_worker(venue, first, store=journal)), first)
    rests(worker, first, "c1")
    worker.stop()
    again = a_worker(venue, heard, store=journal)
    assert again.post(an_intent("c2"))
    assert again.post(a_cancel("c1"))
    ready(started(again), heard)
    assert heard.until(lambda: heard.order("c2"))
    kinds = [type(event) for event in heard.events if isinstance(event, ev.RequestMade | ev.OrderPlaced)]
    assert kinds == [ev.RequestMade, ev.OrderPlaced]


def test_a_flood_on_the_private_stream_is_marked_and_reconciled(started: Start) -> None:
    """5.13"""
    venue, heard = ScriptedVenue(), Heard()
    worker = ready(started(a_worker(venue, heard)), heard)
    rests(worker, heard, "c1")
    looks = venue.calls.count("venue_state")
    venue.say(*([a_report("c1", qty="0.1", cum="0")] * (NEWS + 1)))
    assert heard.until(lambda: any("more reports than could be taken" in reason for reason in heard.reasons()))
    assert heard.until(lambda: venue.calls.count("venue_state") > looks)
    assert heard.until(lambda: heard.states()[-1] is AccountState.Ready)  # on a stream opened anew


# ---- the private stream ---------------------------------------------------------------------------------------------


def test_a_lost_stream_stops_new_orders_until_the_account_was_compared_again(started: Start) -> None:
    """F15"""
    venue, heard = ScriptedVenue(), Heard()
    worker = ready(started(a_worker(venue, heard)), heard)
    venue.say(StreamState(is_up=False, cause="connection reset"))
    assert heard.until(lambda: heard.states()[-1] is AccountState.Reconciling)
    assert worker.post(an_intent("c1"))
    assert heard.until(lambda: heard.is_order("c1", OrdStatus.Denied))
    looks = venue.calls.count("venue_state")
    venue.say(StreamState(is_up=True))
    assert heard.until(lambda: heard.states()[-1] is AccountState.Ready)
    assert venue.calls.count("venue_state") > looks
    rests(worker, heard, "c2")


def test_F13_a_stream_that_went_silent_is_taken_for_dead(started: Start) -> None:
    """F13"""
    venue, heard = ScriptedVenue(), Heard()
    ready(started(a_worker(venue, heard)), heard)
    venue.silence_ns = 61 * 10**9
    assert heard.until(lambda: any("silent for 61 s" in reason for reason in heard.reasons()))


def test_no_account_is_ready_before_its_stream_is_up(started: Start) -> None:
    venue, heard = ScriptedVenue(), Heard()
    venue.has_stream = False
    worker = started(a_worker(venue, heard))
    assert heard.until(lambda: worker.is_open)
    assert worker.post(ReconcileNow())
    assert heard.until(lambda: any(isinstance(event, ev.Reconciled) for event in heard.events))
    seen_to(worker, heard)
    assert AccountState.Ready not in heard.states()


# ---- a venue that refuses -------------------------------------------------------------------------------------------


def test_an_account_that_trades_while_it_is_first_seen_is_looked_at_until_two_looks_agree(started: Start) -> None:
    """5.3: a trade between the time noted and the balances read would count in the opening, and again as a fill."""
    venue, heard = ScriptedVenue(), Heard()
    venue.trades_meanwhile = [("BTC", "-0.5"), ("BTC", "-0.25")]
    ready(started(a_worker(venue, heard)), heard)
    assert venue.calls.count("venue_state") == 4
    assert heard.replica.ledgers["acme"]["BTC"] == Decimal("1.25")


def test_a_key_refused_at_the_start_blocks_the_account_and_is_not_tried_again(started: Start) -> None:
    """F28"""
    venue, heard = ScriptedVenue(), Heard()
    venue.start_failures = [VenueFailed("-2015 Invalid API-key, IP, or permissions for action.", is_auth=True)]
    worker = started(a_worker(venue, heard))
    assert heard.until(lambda: heard.states() == [AccountState.Blocked])
    worker.stop()
    assert venue.calls == ["start", "close"]


def test_a_key_refused_by_a_question_blocks_the_account_and_nothing_more_is_asked(started: Start) -> None:
    venue, heard = ScriptedVenue(), Heard()
    venue.state_failures = [VenueFailed("-2015 Invalid API-key, IP, or permissions for action.", is_auth=True)]
    worker = started(a_worker(venue, heard))
    assert heard.until(lambda: AccountState.Blocked in heard.states())
    looks = venue.calls.count("venue_state")
    assert worker.post(ReconcileNow())
    seen_to(worker, heard)
    assert worker.post(an_intent("c1"))
    assert heard.until(lambda: heard.is_order("c1", OrdStatus.Denied))
    assert (heard.states()[-1], venue.calls.count("venue_state")) == (AccountState.Blocked, looks)


def test_a_key_refused_by_the_private_stream_blocks_the_account(started: Start) -> None:
    venue, heard = ScriptedVenue(), Heard()
    venue.private_failure = VenueFailed("-2015 Invalid API-key, IP, or permissions for action.", is_auth=True)
    started(a_worker(venue, heard))
    assert heard.until(lambda: AccountState.Blocked in heard.states())
    assert heard.reasons()[-1].startswith("the venue refuses the key: -2015 Invalid API-key")
    assert "`tradedesk accounts rotate`" in heard.reasons()[-1]  # what to do


def test_a_venue_that_is_away_is_tried_again_until_it_is_there(started: Start) -> None:
    venue, heard = ScriptedVenue(), Heard()
    venue.start_failures = [VenueFailed("no route"), VenueFailed("no route")]
    venue.state_failures = [VenueFailed("timeout")]
    worker = ready(started(a_worker(venue, heard)), heard)
    assert venue.calls.count("start") == 3
    assert heard.states().count(AccountState.Offline) == 3
    rests(worker, heard, "c1")


def contradict(venue: ScriptedVenue, heard: Heard, key: str) -> None:
    """The venue says of our order what cannot be true, so the account is quarantined."""
    venue.say(a_report(key, qty="0.1", cum="0", side=Side.Sell))
    assert heard.until(lambda: heard.states()[-1] is AccountState.Blocked), heard.reasons()


def test_a_quarantine_outlives_a_failed_look_and_a_crash_of_the_worker(started: Start) -> None:
    """5.2: only a person ends it"""
    venue, heard = ScriptedVenue(), Heard()
    worker = ready(started(a_worker(venue, heard)), heard)
    rests(worker, heard, "c1")
    contradict(venue, heard, "c1")
    venue.state_failures = [VenueFailed("timeout")]
    looks = venue.calls.count("venue_state")
    assert worker.post(ReconcileNow())
    assert venue.was_called("venue_state")
    assert heard.until(lambda: venue.calls.count("venue_state") > looks)
    assert worker._loop is not None
    worker._loop.call_soon_threadsafe(worker._fail, RuntimeError("a bug"))
    assert heard.until(lambda: any("its worker failed" in reason for reason in heard.reasons()))
    assert heard.until(lambda: heard.states()[-1] is AccountState.Blocked), heard.states()
    assert worker.post(an_intent("c2"))
    assert heard.until(lambda: heard.is_order("c2", OrdStatus.Denied))
    assert "place c2" not in venue.calls


def test_a_blocked_account_is_still_looked_at_and_its_halt_gets_a_receipt(started: Start) -> None:
    """5.3, 5.5: a quarantined account is the one that gets halted"""
    venue, heard = ScriptedVenue(), Heard()
    latched: list[Halt] = []
    worker = ready(started(a_worker(venue, heard, halt=lambda: latched[0] if latched else None)), heard)
    rests(worker, heard, "c1")
    contradict(venue, heard, "c1")
    latched.append(Halt(account=AccountId("acme"), level=HaltLevel.CancelAll, by="desk1", reason="", at=1))
    assert heard.until(lambda: any(isinstance(event, ev.HaltSwept) for event in heard.events))
    assert heard.states()[-1] is AccountState.Blocked


def test_a_halt_while_a_failed_look_waits_for_its_next_try_ends_the_wait_and_harms_no_worker(
    started: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """5.5, 5.8"""
    monkeypatch.setattr(worker_module, "AGAIN_S", (60.0,))
    venue, heard = ScriptedVenue(), Heard()
    latched: list[Halt] = []
    worker = ready(started(a_worker(venue, heard, halt=lambda: latched[0] if latched else None)), heard)
    venue.state_failures = [VenueFailed("timeout")]
    assert worker.post(ReconcileNow())
    assert heard.until(lambda: heard.states()[-1] is AccountState.Offline)
    latched.append(Halt(account=AccountId("acme"), level=HaltLevel.CancelAll, by="desk1", reason="", at=1))
    assert heard.until(lambda: any(isinstance(event, ev.HaltSwept) for event in heard.events)), heard.reasons()
    assert not any("its worker failed" in reason for reason in heard.reasons())


def test_the_same_halt_set_again_after_a_rearm_that_nobody_saw_sweeps_again(started: Start) -> None:
    venue, heard = ScriptedVenue(), Heard()
    latched = [Halt(account=AccountId("acme"), level=HaltLevel.CancelAll, by="desk1", reason="", at=1)]
    ready(started(a_worker(venue, heard, halt=lambda: latched[0])), heard)
    assert heard.until(lambda: any(isinstance(event, ev.HaltSwept) for event in heard.events))
    latched[0] = Halt(account=AccountId("acme"), level=HaltLevel.CancelAll, by="desk1", reason="", at=2)
    assert heard.until(lambda: sum(isinstance(event, ev.HaltSwept) for event in heard.events) == 2)


def test_an_account_whose_journal_is_damaged_is_blocked_and_never_reaches_the_venue(started: Start) -> None:
    """F62"""
    venue, heard = ScriptedVenue(), Heard()
    worker = started(a_worker(venue, heard, damage="record 7: its checksum does not match"))
    assert heard.until(lambda: heard.states() == [AccountState.Blocked])
    assert "record 7" in heard.reasons()[0]
    worker.stop()
    assert venue.calls == []


# ---- a worker that fails --------------------------------------------------------------------------------------------


class Poison:
    """Quotes that raise once, when they are told to: a decision that hits a bug."""

    def __init__(self) -> None:
        self.is_armed = False

    def __call__(self, instrument: InstrumentId) -> tuple[Quote, int] | None:
        if self.is_armed:
            self.is_armed = False
            raise ZeroDivisionError
        return a_quote(instrument)


def test_a_decision_that_raises_starts_the_worker_again_from_its_journal(started: Start) -> None:
    """F69"""
    venue, heard, poison = ScriptedVenue(), Heard(), Poison()
    worker = ready(started(a_worker(venue, heard, quotes=poison)), heard)
    rests(worker, heard, "c1")
    poison.is_armed = True
    assert worker.post(an_intent("c2"))
    assert heard.until(lambda: any("ZeroDivisionError" in reason for reason in heard.reasons()))
    assert heard.until(lambda: heard.states()[-1] is AccountState.Ready)
    assert venue.calls.count("start") == 2
    assert worker.post(a_cancel("c1"))  # it is known, from the journal
    assert heard.until(lambda: heard.is_order("c1", OrdStatus.Canceled))
    assert heard.until(lambda: "query c2" in venue.calls)  # recorded and never proved: asked about, never sent again
    assert "place c2" not in venue.calls


def test_what_waits_behind_a_decision_that_raises_is_taken_after_the_restart(started: Start) -> None:
    """What was submitted is heard of again, whatever happened to the one before it."""
    venue, heard, poison, journal = ScriptedVenue(), Heard(), Poison(), SyncedJournal()
    poison.is_armed = True
    worker = a_worker(venue, heard, quotes=poison, store=journal)
    for key in ("c1", "c2", "c3"):
        assert worker.post(an_intent(key))
    venue.state_failures = [VenueFailed("away")]  # so that no reconciliation asks for marks first
    started(worker)
    assert heard.until(lambda: all(heard.order(key) for key in ("c1", "c2", "c3")))


def test_a_halt_in_force_sweeps_at_the_start(started: Start) -> None:
    """5.5: it holds through restart"""
    venue, heard, journal = ScriptedVenue(), Heard(), SyncedJournal()
    first = ready(started(a_worker(venue, heard, store=journal)), heard)
    rests(first, heard, "c1")
    first.stop()
    halt = Halt(account=None, level=HaltLevel.CancelAll, by="desk1", reason="fire", at=1)
    again = Heard()
    started(a_worker(venue, again, store=journal, halt=lambda: halt))
    assert again.until(lambda: any(isinstance(event, ev.HaltSwept) for event in again.events))
    assert venue.open_orders == {}


def test_a_halt_ends_in_a_receipt_and_a_rearm_lets_orders_through_again(started: Start) -> None:
    venue, heard = ScriptedVenue(), Heard()
    latched: list[Halt] = []
    worker = ready(started(a_worker(venue, heard, halt=lambda: latched[0] if latched else None)), heard)
    for key in ("c1", "c2"):
        rests(worker, heard, key)
    latched.append(Halt(account=AccountId("acme"), level=HaltLevel.CancelAll, by="desk1", reason="", at=1))
    assert worker.post(HaltNow(level=HaltLevel.CancelAll, by="desk1"))
    assert heard.until(lambda: any(isinstance(event, ev.HaltSwept) for event in heard.events))
    receipt = next(event for event in heard.events if isinstance(event, ev.HaltSwept))
    assert (receipt.cancelled, receipt.left) == (2, 0)
    assert worker.post(an_intent("c3"))
    assert heard.until(lambda: heard.is_order("c3", OrdStatus.Denied))
    latched.clear()
    assert worker.post(HaltEnded())
    rests(worker, heard, "c4")


def test_a_halt_that_nobody_came_to_tell_of_sweeps_all_the_same(started: Start) -> None:
    """5.5: the latch is what counts; the word of it may meet a full queue, or come from another process."""
    venue, heard = ScriptedVenue(), Heard()
    latched: list[Halt] = []
    worker = ready(started(a_worker(venue, heard, halt=lambda: latched[0] if latched else None)), heard)
    rests(worker, heard, "c1")
    latched.append(Halt(account=AccountId("acme"), level=HaltLevel.CancelAll, by="desk1", reason="", at=1))
    assert heard.until(lambda: any(isinstance(event, ev.HaltSwept) for event in heard.events))
    assert heard.is_order("c1", OrdStatus.Canceled)
    latched.clear()
    rests(worker, heard, "c2")


class PartHalts:
    """What a latch says of halts of some orders."""

    def __init__(self) -> None:
        self.latched: tuple[Halt, ...] = ()

    def parts(self) -> tuple[Halt, ...]:
        return self.latched

    def part_of(self, order: Order) -> Halt | None:
        scopes = part_scopes(order.instrument, order.operator, order.block)
        return next((halt for halt in self.latched if halt.of in scopes), None)


def test_a_halt_of_some_orders_that_another_process_latched_is_swept_and_ends_with_it(started: Start) -> None:
    """5.5"""
    venue, heard, halts = ScriptedVenue(), Heard(), PartHalts()
    worker = ready(started(a_worker(venue, heard, parts=halts)), heard)
    rests(worker, heard, "c1")
    elsewhere, here = (Scope(kind=ScopeKind.Instrument, name=f"{venue}:BTCUSDT") for venue in ("kraken", "binance"))
    halts.latched = tuple(
        Halt(account=None, scope=scope, level=HaltLevel.CancelAll, by="me", reason="a drill", at=1)
        for scope in (elsewhere, here)
    )
    assert heard.until(lambda: any(isinstance(event, ev.HaltSwept) for event in heard.events))
    assert [event.scope for event in heard.events if isinstance(event, ev.HaltSwept)] == [here]
    assert heard.is_order("c1", OrdStatus.Canceled)
    assert worker.post(an_intent("c2"))
    assert heard.until(lambda: heard.is_order("c2", OrdStatus.Denied))
    halts.latched = ()
    rests(worker, heard, "c3")


# ---- neighbours -----------------------------------------------------------------------------------------------------


def test_one_account_that_hangs_with_its_whole_thread_changes_nothing_for_another(started: Start) -> None:
    """5.8"""
    mine, theirs, heard = ScriptedVenue("acme"), ScriptedVenue("birch"), Heard()
    theirs.blocks = threading.Event()
    stuck = ready(started(a_worker(theirs, heard)), heard)
    worker = ready(started(a_worker(mine, heard)), heard)
    assert stuck.post(an_intent("b1", account="birch"))
    assert theirs.was_called("place b1")
    took = []
    for number in range(30):
        began = time.monotonic()
        rests(worker, heard, f"a{number}")
        took.append(time.monotonic() - began)
    theirs.blocks.set()
    assert sorted(took)[15] < 0.5, took


def test_one_account_that_crashes_over_and_over_changes_nothing_for_another(started: Start) -> None:
    """5.8"""
    mine, theirs, heard = ScriptedVenue("acme"), ScriptedVenue("birch"), Heard()
    theirs.state_failures = [ZeroDivisionError() for _ in range(100_000)]
    started(a_worker(theirs, heard))
    worker = ready(started(a_worker(mine, heard)), heard)
    assert heard.until(lambda: theirs.calls.count("start") >= 3)
    for number in range(20):
        rests(worker, heard, f"a{number}")
    assert worker.post(a_cancel_all())
    assert heard.until(lambda: all(order.is_dead for order in heard.replica.orders.values()))
    assert set(heard.states("acme")) == {AccountState.Reconciling, AccountState.Ready}


def test_F44_a_cancel_of_everything_is_about_what_was_given_before_it_and_still_waits(started: Start) -> None:
    """Cancels have a lane of their own: an order in the slower one must not be passed by."""
    venue, heard = ScriptedVenue(), Heard()
    worker = ready(started(a_worker(venue, heard)), heard)
    rests(worker, heard, "c1")
    venue.blocks = threading.Event()
    assert worker.post(an_intent("c2"))
    assert venue.was_called("place c2")  # its thread stands still now
    assert worker.post(an_intent("c3"))
    assert worker.post(a_cancel_all())
    assert worker.post(an_intent("c4"))
    venue.blocks.set()
    assert heard.until(lambda: heard.is_order("c3", OrdStatus.Denied)), heard.order("c3")
    assert heard.until(lambda: any(isinstance(event, ev.CancelSwept) for event in heard.events))
    assert heard.is_order("c1", OrdStatus.Canceled)
    assert "place c3" not in venue.calls


def test_stopping_ends_the_thread_and_closes_the_exit(started: Start) -> None:
    venue, heard = ScriptedVenue(), Heard()
    worker = ready(started(a_worker(venue, heard)), heard)
    worker.stop()
    assert venue.calls[-1] == "close"
    assert (heard.states()[-1], heard.reasons()[-1]) == (AccountState.Offline, "stopped")
    assert not worker.is_open
    assert not any(thread.name == "account-acme" for thread in threading.enumerate())


def test_stopping_ends_a_worker_that_waits_to_try_again(started: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_module, "AGAIN_S", (600.0,))
    venue, heard = ScriptedVenue(), Heard()
    venue.start_failures = [VenueFailed("no route")]
    worker = started(a_worker(venue, heard))
    assert heard.until(lambda: AccountState.Offline in heard.states())
    worker.stop()
    assert not any(thread.name == "account-acme" for thread in threading.enumerate())


def test_the_health_of_an_account_is_told(started: Start) -> None:
    venue, heard = ScriptedVenue(), Heard()
    worker = ready(started(a_worker(venue, heard)), heard)
    rests(worker, heard, "c1")

    def newest() -> ev.AccountHealth | None:
        row = heard.replica.accounts.get(AccountId("acme"))
        return row.health if row is not None else None

    assert heard.until(lambda: (health := newest()) is not None and health.ack_ms is not None)
    health = newest()
    assert health is not None
    assert (health.is_stream_up, health.exit_seen, health.clock_offset_ms) == (True, "127.0.0.2", 0)
    assert health.ack_ms is not None
    assert Decimal(0) < health.ack_ms < Decimal(10_000)
