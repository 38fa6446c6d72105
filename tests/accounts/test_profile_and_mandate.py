"""How an account is set at its venue and what may be done for its client, on a worker of its own: start, reconnect, change."""

from collections.abc import Callable, Iterator
from datetime import date

import msgspec
import pytest
from order_builders import NOW, a_place, d
from scripted_account import Heard, ScriptedVenue, SyncedJournal, a_worker, an_intent, client
from test_core import Bench

from tradedesk.accounts import looking
from tradedesk.accounts import worker as worker_module
from tradedesk.accounts.mail import ReconcileNow
from tradedesk.accounts.worker import Worker
from tradedesk.domain import events as ev
from tradedesk.domain.accounts import Account, AccountState
from tradedesk.domain.commands import ApproveMandate
from tradedesk.domain.instruments import Product
from tradedesk.domain.mandate import ApprovedMandate, Mandate
from tradedesk.domain.orders import OrdStatus
from tradedesk.domain.outcomes import StreamState
from tradedesk.domain.profile import Profile, SeenProfile, Setting
from tradedesk.domain.words import AccountId, OperatorId, Side

ACME = AccountId("acme")
Start = Callable[[Worker], Worker]
WANTED = Profile(self_trade="expire-maker")
MANDATE = Mandate(version=1, valid_from=date(2020, 1, 1), products=(Product.Spot,))


@pytest.fixture(autouse=True)
def _no_long_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_module, "AGAIN_S", (0.01,))
    monkeypatch.setattr(worker_module, "STOP_GRACE_S", 0.1)
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


def account(**fields: object) -> Account:
    return msgspec.structs.replace(client(), **fields)


def seen(mode: str) -> SeenProfile:
    return SeenProfile(settings=(Setting(name="self_trade", value=mode, of="BTC/USDT"),), absent=("leverage",))


def checks(heard: Heard) -> list[ev.ProfileChecked]:
    return [event for event in heard.events if isinstance(event, ev.ProfileChecked)]


def is_ready(heard: Heard) -> bool:
    return heard.replica.accounts[ACME].state is AccountState.Ready


def refusal(heard: Heard, key: str) -> str:
    order = heard.order(key)
    assert order is not None
    return "; ".join(order.requests[0].reasons)


def is_denied(worker: Worker, heard: Heard, key: str, words: str) -> bool:
    assert worker.post(an_intent(key))
    return heard.until(lambda: heard.is_order(key, OrdStatus.Denied)) and words in refusal(heard, key)


def is_sent(worker: Worker, heard: Heard, key: str, side: Side = Side.Buy) -> bool:
    assert worker.post(msgspec.structs.replace(an_intent(key), side=side))
    return heard.until(lambda: heard.is_order(key, OrdStatus.New))


# ---- the profile ----------------------------------------------------------------------------------------------------


def test_an_account_set_otherwise_only_reduces_until_the_venue_shows_it_set_right(started: Start) -> None:
    venue, heard = ScriptedVenue(), Heard()
    venue.profile = seen("none")
    worker = started(a_worker(venue, heard, account=account(profile=WANTED)))
    assert heard.until(lambda: is_ready(heard))
    assert is_denied(worker, heard, "c1", "self_trade of BTC/USDT is none at the venue and must be expire-maker")
    assert is_sent(worker, heard, "c2", Side.Sell)
    assert "place c1" not in venue.calls
    venue.profile = seen("expire-maker")
    worker.post(ReconcileNow())
    assert heard.until(lambda: not checks(heard)[-1].differences)
    assert is_sent(worker, heard, "c3")


def test_a_change_at_the_venue_is_seen_at_the_next_look_and_each_state_is_recorded_once(started: Start) -> None:
    venue, heard, journal = ScriptedVenue(), Heard(), SyncedJournal()
    venue.profile = seen("expire-maker")
    worker = started(a_worker(venue, heard, account=account(profile=WANTED), store=journal))
    assert heard.until(lambda: is_ready(heard))
    for mode in ("expire-maker", "none"):
        venue.profile, looks = seen(mode), venue.calls.count("venue_state")
        worker.post(ReconcileNow())
        assert venue.was_called("venue_state", times=looks + 1)
    assert heard.until(lambda: checks(heard)[-1].differences)
    assert is_denied(worker, heard, "c1", "must be expire-maker")
    recorded = [event for event in journal.replay() if isinstance(event, ev.ProfileChecked)]
    assert [len(event.differences) for event in recorded] in ([0, 1], [0, 0, 1])  # of the start, perhaps of its stream


def test_settings_are_compared_again_on_a_new_connection(started: Start) -> None:
    venue, heard = ScriptedVenue(), Heard()
    venue.profile = seen("expire-maker")
    worker = started(a_worker(venue, heard, account=account(profile=WANTED)))
    assert heard.until(lambda: is_ready(heard))
    known = len(checks(heard))
    venue.profile = seen("none")
    venue.say(StreamState(is_up=False, cause="cut"), StreamState(is_up=True))
    assert heard.until(lambda: len(checks(heard)) > known and is_ready(heard))
    assert is_denied(worker, heard, "c1", "must be expire-maker")


def test_what_the_venue_does_not_tell_is_not_taken_for_well(started: Start) -> None:
    venue, heard = ScriptedVenue(), Heard()
    worker = started(a_worker(venue, heard, account=account(profile=WANTED)))
    assert heard.until(lambda: is_ready(heard))
    assert is_denied(worker, heard, "c1", "the venue does not tell it")


def test_an_order_that_was_approved_before_the_difference_was_seen_does_not_leave() -> None:
    bench = Bench()
    (approved,) = bench.send(a_place("c1"))
    assert bench.core.last_check(approved, NOW) is None
    bench.core.use_profile("leverage is 20 at the venue and must be 3")
    assert "leverage is 20" in str(bench.core.last_check(approved, NOW))
    bench.core.use_profile("")
    assert bench.core.last_check(approved, NOW) is None


# ---- the mandate ----------------------------------------------------------------------------------------------------


def approves(version: int = 1) -> ApproveMandate:
    return ApproveMandate(account=ACME, version=version, reason="signed on paper", operator=OperatorId("rosa"))


def test_a_mandate_lets_nothing_be_opened_before_it_is_approved_and_holds_over_a_restart(started: Start) -> None:
    venue, heard, journal = ScriptedVenue(), Heard(), SyncedJournal()
    worker = started(a_worker(venue, heard, account=account(mandate=MANDATE), store=journal))
    assert heard.until(lambda: is_ready(heard))
    assert is_denied(worker, heard, "c1", "mandate version 1 is not approved")
    assert is_sent(worker, heard, "c2", Side.Sell)
    worker.post(approves())
    assert heard.until(lambda: heard.replica.accounts[ACME].mandate)
    assert is_sent(worker, heard, "c3")
    worker.stop()

    again = Heard()
    worker = started(a_worker(venue, again, account=account(mandate=MANDATE), store=journal))
    assert again.until(lambda: is_ready(again))
    assert is_sent(worker, again, "c4")


def test_words_that_were_changed_since_their_approval_are_not_in_force(started: Start) -> None:
    venue, heard, journal = ScriptedVenue(), Heard(), SyncedJournal()
    approved = ApprovedMandate(mandate=MANDATE, by=OperatorId("rosa"), reason="signed", at=1)
    journal.append(ev.MandateApproved(at=1, source="worker:acme", account=ACME, approved=approved))
    other = msgspec.structs.replace(MANDATE, may_short=True)
    worker = started(a_worker(venue, heard, account=account(mandate=other), store=journal))
    assert heard.until(lambda: is_ready(heard))
    assert is_denied(worker, heard, "c1", "mandate version 1 is not approved (approved is version 1)")
    worker.post(approves())
    assert heard.until(lambda: any(isinstance(event, ev.SubmissionRefused) for event in heard.events))
    (told,) = [event for event in heard.events if isinstance(event, ev.SubmissionRefused)]
    assert (told.operator, told.what) == ("rosa", "ApproveMandate")
    assert "raise the version in desk.toml" in told.reason


def test_orders_that_are_open_count_towards_the_share_of_an_asset() -> None:
    """2 BTC at 60,000 beside 500,000 USDT are 620,000: 0.3 of it is 186,000, room for one more and not for two"""
    bench = Bench()
    limited = msgspec.structs.replace(MANDATE, max_concentration=d("0.3"))
    bench.core.use_account(msgspec.structs.replace(bench.core.account, mandate=limited))
    bench.core.note(
        ev.MandateApproved(
            at=NOW,
            source="worker:acme",
            account=bench.core.account.id,
            approved=ApprovedMandate(mandate=limited, by=OperatorId("rosa"), reason="signed", at=NOW),
        )
    )
    assert bench.send(a_place("c1", qty="1", price="59999"))
    assert bench.send(a_place("c2", qty="1", price="59998")) == []
    assert "BTC could be 0.3871 of the equity" in "; ".join(bench.order("c2").requests[0].reasons)
