"""Admission: what keeps an account from trading until its key was found fit, on a worker of its own."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from random import Random

import msgspec
import pytest
from order_builders import a_cancel
from scripted_account import Heard, ScriptedVenue, SyncedJournal, a_key_report, a_worker, an_intent
from test_core import Bench

from tradedesk.accounts import admission as admission_module
from tradedesk.accounts import looking
from tradedesk.accounts import worker as worker_module
from tradedesk.accounts.admission import Admission, VenueAccounts
from tradedesk.accounts.mail import ReconcileNow
from tradedesk.accounts.worker import Worker
from tradedesk.clock import SystemClock
from tradedesk.domain import events as ev
from tradedesk.domain.accounts import AccountState
from tradedesk.domain.commands import AcceptKeyRisk
from tradedesk.domain.findings import Level
from tradedesk.domain.orders import OrdStatus
from tradedesk.domain.outcomes import StreamState
from tradedesk.domain.words import AccountId, OperatorId
from tradedesk.log import Log
from tradedesk.venues.adapter import VenueFailed

KEY = "0123456789ab"
Start = Callable[[Worker], Worker]


@pytest.fixture(autouse=True)
def _no_long_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_module, "AGAIN_S", (0.01,))
    monkeypatch.setattr(worker_module, "STOP_GRACE_S", 0.1)
    monkeypatch.setattr(admission_module, "back_off_s", lambda failures, chance: 0.01)
    monkeypatch.setattr(looking, "MARKS_WAIT_S", 0.05)


@pytest.fixture
def started() -> Iterator[Start]:
    running: list[Worker] = []

    def start(worker: Worker) -> Worker:
        running.append(worker)
        worker.start()
        return worker

    yield start
    for worker in running:
        worker.stop()


def state(heard: Heard) -> tuple[AccountState, str]:
    row = heard.replica.accounts[AccountId("acme")]
    return row.state, row.reason


def is_state(heard: Heard, wanted: AccountState, words: str = "") -> bool:
    found, reason = state(heard)
    return found is wanted and words in reason


def looks(heard: Heard) -> list[ev.KeyChecked]:
    return [event for event in heard.events if isinstance(event, ev.KeyChecked)]


def accepts(reason: str = "until Friday", key: str = KEY) -> AcceptKeyRisk:
    return AcceptKeyRisk(account=AccountId("acme"), fingerprint=key, reason=reason, operator=OperatorId("rosa"))


def denied(heard: Heard, key: str) -> str:
    assert heard.until(lambda: heard.is_order(key, OrdStatus.Denied)), heard.order(key)
    order = heard.order(key)
    assert order is not None
    return " ".join(order.requests[0].reasons)


def test_an_account_with_a_fit_key_trades_and_the_look_is_on_record(started):
    venue, heard, journal = ScriptedVenue(), Heard(), SyncedJournal()
    worker = started(a_worker(venue, heard, store=journal))
    assert heard.until(lambda: is_state(heard, AccountState.Ready))
    worker.post(an_intent("c1"))
    assert heard.until(lambda: heard.is_order("c1", OrdStatus.New))
    (checked,) = looks(heard)
    assert (checked.report, checked in list(journal.replay())) == (venue.key, True)
    assert venue.calls.index("key_report") < venue.calls.index("place c1")


def test_nothing_is_sent_while_the_venue_has_not_answered_about_the_key(started):
    venue, heard = ScriptedVenue(), Heard()
    venue.is_hung = lambda call: call == "key_report"
    worker = started(a_worker(venue, heard))
    assert heard.until(lambda: is_state(heard, AccountState.Reconciling, "its key was not looked at yet"))
    worker.post(an_intent("c1"))
    assert "its key was not looked at yet" in denied(heard, "c1")
    assert "place c1" not in venue.calls


@pytest.mark.parametrize(
    ("report", "words"),
    [
        (a_key_report(can_withdraw=True), "the key may withdraw"),
        (a_key_report(can_transfer=True), "the key may transfer"),
        (a_key_report(can_trade=False), "the key may not trade"),
        (a_key_report(expires_at=1), "expired"),
        (a_key_report(can_account_trade=False), "does not let this account trade"),
    ],
)
def test_a_key_that_is_not_fit_blocks_its_account_with_the_reason(started, report, words):
    venue, heard = ScriptedVenue(), Heard()
    venue.key = report
    worker = started(a_worker(venue, heard))
    assert heard.until(lambda: is_state(heard, AccountState.Blocked, words)), state(heard)
    worker.post(an_intent("c1"))
    assert words in denied(heard, "c1")
    assert "place c1" not in venue.calls


def test_a_key_that_became_unfit_still_cancels(started):
    venue, heard = ScriptedVenue(), Heard()
    worker = started(a_worker(venue, heard))
    assert heard.until(lambda: is_state(heard, AccountState.Ready))
    worker.post(an_intent("c1"))
    assert heard.until(lambda: heard.is_order("c1", OrdStatus.New))
    venue.key = a_key_report(can_withdraw=True)
    venue.say(StreamState(is_up=False, cause="cut"), StreamState(is_up=True))
    assert heard.until(lambda: is_state(heard, AccountState.Blocked, "withdraw"))
    worker.post(a_cancel("c1"))
    assert heard.until(lambda: heard.is_order("c1", OrdStatus.Canceled))


def test_a_new_connection_trades_only_once_the_key_was_looked_at_on_it(started):
    venue, heard = ScriptedVenue(), Heard()
    worker = started(a_worker(venue, heard))
    assert heard.until(lambda: is_state(heard, AccountState.Ready))
    venue.is_hung = lambda call: call == "key_report"
    venue.say(StreamState(is_up=False, cause="cut"), StreamState(is_up=True))
    assert heard.until(lambda: is_state(heard, AccountState.Reconciling, "its key was not looked at yet"))
    worker.post(an_intent("c1"))
    denied(heard, "c1")
    assert "place c1" not in venue.calls


def test_a_venue_that_does_not_answer_about_the_key_is_asked_again(started):
    venue, heard = ScriptedVenue(), Heard()
    venue.key_failures = [VenueFailed("HTTP status 503"), VenueFailed("HTTP status 503")]
    started(a_worker(venue, heard))
    assert heard.until(lambda: is_state(heard, AccountState.Ready))
    assert venue.calls.count("key_report") == 3
    assert len(looks(heard)) == 1


def test_an_account_whose_key_could_not_be_looked_at_is_not_ready_and_not_called_unfit(started):
    venue, heard = ScriptedVenue(), Heard()
    venue.key_failures = [VenueFailed("HTTP status 503")] * 1_000
    worker = started(a_worker(venue, heard))
    assert heard.until(lambda: is_state(heard, AccountState.Offline, "could not be looked at (HTTP status 503)"))
    worker.post(an_intent("c1"))
    assert "HTTP status 503" in denied(heard, "c1")
    assert (looks(heard), "place c1" in venue.calls) == ([], False)


def test_a_key_that_the_venue_refuses_is_not_asked_about_again(started):
    venue, heard = ScriptedVenue(), Heard()
    venue.key_failures = [VenueFailed("-2015 Invalid API-key", is_auth=True)]
    worker = started(a_worker(venue, heard))
    assert heard.until(lambda: is_state(heard, AccountState.Blocked, "-2015"))
    venue.say(StreamState(is_up=False, cause="cut"), StreamState(is_up=True))
    worker.post(an_intent("c1"))
    denied(heard, "c1")
    assert venue.calls.count("key_report") == 1


def test_a_right_given_at_the_venue_is_noticed_at_the_daily_look(started, monkeypatch):
    monkeypatch.setattr(admission_module, "LOOK_AGAIN_NS", 10**7)
    venue, heard = ScriptedVenue(), Heard()
    started(a_worker(venue, heard))
    assert heard.until(lambda: is_state(heard, AccountState.Ready))
    venue.key = a_key_report(can_withdraw=True)
    assert heard.until(lambda: is_state(heard, AccountState.Blocked, "withdraw"))


def test_a_refused_key_is_looked_at_again_soon_as_somebody_is_putting_it_right(started, monkeypatch):
    monkeypatch.setattr(admission_module, "REFUSED_AGAIN_NS", 10**7)
    venue, heard = ScriptedVenue(), Heard()
    venue.key = a_key_report(can_withdraw=True)
    started(a_worker(venue, heard))
    assert heard.until(lambda: is_state(heard, AccountState.Blocked, "withdraw"))
    venue.key = a_key_report()
    assert heard.until(lambda: is_state(heard, AccountState.Ready))


def test_who_asks_for_a_comparison_has_the_key_looked_at_too(started):
    venue, heard = ScriptedVenue(), Heard()
    venue.key = a_key_report(can_withdraw=True)
    worker = started(a_worker(venue, heard))
    assert heard.until(lambda: is_state(heard, AccountState.Blocked, "withdraw"))
    venue.key = a_key_report()
    worker.post(ReconcileNow())
    assert heard.until(lambda: is_state(heard, AccountState.Ready))


def test_a_daily_look_that_fails_takes_nothing_from_what_was_proved(started, monkeypatch):
    monkeypatch.setattr(admission_module, "LOOK_AGAIN_NS", 10**7)
    venue, heard = ScriptedVenue(), Heard()
    worker = started(a_worker(venue, heard))
    assert heard.until(lambda: is_state(heard, AccountState.Ready))
    venue.key_failures = [VenueFailed("HTTP status 503")] * 1_000
    assert venue.was_called("key_report", times=venue.calls.count("key_report") + 5)
    worker.post(an_intent("c2"))
    assert heard.until(lambda: heard.is_order("c2", OrdStatus.New))


def test_a_key_is_looked_at_again_when_its_time_is_up(started):
    venue, heard = ScriptedVenue(), Heard()
    worker = started(a_worker(venue, heard))
    assert heard.until(lambda: is_state(heard, AccountState.Ready))
    venue.key = a_key_report(expires_at=SystemClock().now() + 10**9)
    worker.post(ReconcileNow())  # is told of the end while there is a second left
    assert heard.until(lambda: is_state(heard, AccountState.Blocked, "expired"))


def test_an_accepted_risk_lets_the_account_trade_and_holds_over_a_restart(started):
    venue, heard, journal = ScriptedVenue(), Heard(), SyncedJournal()
    venue.key = a_key_report(can_transfer=True)
    worker = started(a_worker(venue, heard, store=journal))
    assert heard.until(lambda: is_state(heard, AccountState.Blocked, "transfer"))
    worker.post(accepts())
    assert heard.until(lambda: is_state(heard, AccountState.Ready))
    (accepted,) = [event for event in journal.replay() if isinstance(event, ev.KeyRiskAccepted)]
    assert (accepted.risk.by, accepted.risk.reason, accepted.risk.fingerprint) == ("rosa", "until Friday", KEY)

    worker.stop()
    again = Heard()
    started(a_worker(venue, again, store=journal))
    assert again.until(lambda: is_state(again, AccountState.Ready))


def test_a_risk_is_accepted_for_one_key_alone(started):
    venue, heard, journal = ScriptedVenue(), Heard(), SyncedJournal()
    venue.key = a_key_report(can_transfer=True)
    worker = started(a_worker(venue, heard, store=journal))
    assert heard.until(lambda: is_state(heard, AccountState.Blocked, "transfer"))
    worker.post(accepts())
    assert heard.until(lambda: is_state(heard, AccountState.Ready))
    venue.key = a_key_report("ffffffffffff", can_transfer=True)
    venue.say(StreamState(is_up=False, cause="cut"), StreamState(is_up=True))
    assert heard.until(lambda: is_state(heard, AccountState.Blocked, "transfer"))


def test_an_acceptance_of_another_key_is_turned_down_and_its_operator_told(started):
    venue, heard, journal = ScriptedVenue(), Heard(), SyncedJournal()
    venue.key = a_key_report(can_transfer=True)
    worker = started(a_worker(venue, heard, store=journal))
    assert heard.until(lambda: is_state(heard, AccountState.Blocked, "transfer"))
    worker.post(accepts(key="ffffffffffff"))
    assert heard.until(lambda: any(isinstance(event, ev.SubmissionRefused) for event in heard.events))
    (told,) = [event for event in heard.events if isinstance(event, ev.SubmissionRefused)]
    assert (told.operator, "0123456789ab now" in told.reason) == ("rosa", True)
    assert is_state(heard, AccountState.Blocked, "transfer")
    assert not [event for event in journal.replay() if isinstance(event, ev.KeyRiskAccepted)]


def test_a_venue_that_tells_nothing_of_a_key_lets_it_trade_and_the_look_says_so(started):
    venue, heard = ScriptedVenue(), Heard()
    venue.key = a_key_report(is_told=False)
    started(a_worker(venue, heard))
    assert heard.until(lambda: is_state(heard, AccountState.Ready))
    (checked,) = looks(heard)
    assert [finding.level for finding in checked.findings if finding.what == "rights"] == [Level.Warn]


ACME, BIRCH = AccountId("acme"), AccountId("birch")


def test_two_accounts_that_are_one_at_the_venue_are_both_told_so():
    doubted: list[AccountId] = []
    known = VenueAccounts(doubted.append)
    assert known.claim("binance", "42", ACME) is None
    assert known.claim("binance", "42", BIRCH) == ACME
    assert doubted == [ACME]
    assert known.claim("binance", "42", ACME) == BIRCH  # at the look that the doubt brought
    assert doubted == [ACME]  # and so it ends


def test_the_same_number_at_another_venue_is_another_account():
    known = VenueAccounts(print)
    assert known.claim("binance", "42", ACME) is None
    assert known.claim("another venue", "42", BIRCH) is None


def test_an_account_whose_wrong_key_was_put_right_is_no_twin_any_more():
    known = VenueAccounts(lambda account: None)
    known.claim("binance", "42", ACME)
    assert known.claim("binance", "42", BIRCH) == ACME
    assert known.claim("binance", "43", BIRCH) is None
    assert known.claim("binance", "42", ACME) is None


def test_of_claims_of_many_threads_at_most_the_first_is_alone():
    doubted: list[AccountId] = []
    found: list[AccountId | None] = []
    known = VenueAccounts(doubted.append)
    threads = [
        threading.Thread(target=lambda n=n: found.append(known.claim("binance", "42", AccountId(f"a{n}"))))
        for n in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found.count(None) == 1
    assert len(set(doubted)) == 7  # all but the last: every one of them looks again


def test_what_is_on_record_of_a_key_holds_no_secret():
    checked = ev.KeyChecked(at=1, source="worker:acme", account=AccountId("acme"), report=a_key_report(), findings=())
    again = ev.durable_decoder.decode(msgspec.msgpack.encode(checked))
    assert again == checked
    assert set(msgspec.structs.asdict(checked.report)) == {"fingerprint", "uid", "can_account_trade", "rights"}


class Ticking(SystemClock):
    """A clock that goes on by a nanosecond each time it is read: every order of a look and a key's end comes about."""

    def __init__(self) -> None:
        self.at = 0

    def now(self) -> int:
        self.at += 1
        return self.at


@pytest.mark.parametrize("ends", range(20, 40))
async def test_a_look_that_comes_just_before_the_end_of_a_key_is_not_the_last_of_the_day(ends):
    bench, venue, clock = Bench(), ScriptedVenue(), Ticking()
    venue.key = a_key_report(expires_at=ends)
    adapter = venue.adapter(lambda approved: None)
    admission = Admission(
        bench.core, adapter, claim=lambda uid: None, refused=print, clock=clock, chance=Random(1), log=Log()
    )
    admission.renew()
    async with asyncio.timeout(10):
        running = asyncio.create_task(admission.run())
        while bench.core.state is not AccountState.Blocked:  # noqa: ASYNC110 - no time passes, only turns of the loop
            await asyncio.sleep(0)
    running.cancel()
    assert "expired" in bench.core.reason
