"""The proof of the exit on a worker of its own: nothing trades before it, a new stream is proved anew, a switch starts afresh."""

from collections.abc import Callable, Iterator

import msgspec
import pytest
from order_builders import a_cancel
from scripted_account import Heard, ScriptedVenue, SyncedJournal, a_key_report, a_worker, an_intent, client

from tradedesk.access.exits import Exits
from tradedesk.accounts import exit_watch, looking
from tradedesk.accounts import worker as worker_module
from tradedesk.accounts.worker import Worker
from tradedesk.domain import events as ev
from tradedesk.domain.accounts import AccountState
from tradedesk.domain.orders import OrdStatus
from tradedesk.domain.outcomes import StreamState
from tradedesk.domain.words import AccountId, OperatorId
from tradedesk.venues.adapter import VenueFailed

ACME = AccountId("acme")
STANDBY = "socks5://acme@10.0.0.1:1080"
Start = Callable[[Worker], Worker]


@pytest.fixture(autouse=True)
def _no_long_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_module, "AGAIN_S", (0.01,))
    monkeypatch.setattr(worker_module, "STOP_GRACE_S", 0.1)
    monkeypatch.setattr(exit_watch, "back_off_s", lambda failures, chance: 0.01)
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


def is_state(heard: Heard, wanted: AccountState, words: str = "") -> bool:
    row = heard.replica.accounts[ACME]
    return row.state is wanted and words in row.reason


def denied(heard: Heard, key: str) -> str:
    assert heard.until(lambda: heard.is_order(key, OrdStatus.Denied)), heard.order(key)
    order = heard.order(key)
    assert order is not None
    return " ".join(order.requests[0].reasons)


def told(heard: Heard, kind: type) -> list[object]:
    return [event for event in heard.events if isinstance(event, kind)]


def test_an_account_trades_once_its_exit_is_proved_and_the_proof_is_on_record(started):
    venue, heard, journal = ScriptedVenue(), Heard(), SyncedJournal()
    worker = started(a_worker(venue, heard, store=journal))
    assert heard.until(lambda: is_state(heard, AccountState.Ready))
    worker.post(an_intent("c1"))
    assert heard.until(lambda: heard.is_order("c1", OrdStatus.New))
    (proved,) = told(heard, ev.ExitProved)
    assert (proved.exit, proved.seen, proved.how) == ("127.0.0.2", "127.0.0.2", "echo script")
    assert proved in list(journal.replay())
    assert venue.calls.index("prove_exit") < venue.calls.index("place c1")


def test_nothing_is_sent_while_nobody_has_said_where_the_exit_is_seen(started):
    venue, heard = ScriptedVenue(), Heard()
    venue.is_hung = lambda call: call == "prove_exit"
    worker = started(a_worker(venue, heard))
    assert heard.until(lambda: is_state(heard, AccountState.Reconciling, "its exit was not proved yet"))
    worker.post(an_intent("c1"))
    assert "its exit was not proved yet" in denied(heard, "c1")
    assert "place c1" not in venue.calls


def test_an_exit_seen_elsewhere_bars_new_orders_lets_cancels_pass_and_ends_when_it_is_seen_right(started):
    venue, heard = ScriptedVenue(), Heard()
    worker = started(a_worker(venue, heard))
    assert heard.until(lambda: is_state(heard, AccountState.Ready))
    worker.post(an_intent("c1"))
    assert heard.until(lambda: heard.is_order("c1", OrdStatus.New))
    venue.exit_seen_at = "203.0.113.9"
    venue.say(StreamState(is_up=False, cause="cut"), StreamState(is_up=True))
    assert heard.until(lambda: is_state(heard, AccountState.Blocked, "seen at 203.0.113.9, not at 127.0.0.2"))
    worker.post(an_intent("c2"))
    assert "seen at 203.0.113.9" in denied(heard, "c2")
    worker.post(a_cancel("c1"))
    assert heard.until(lambda: heard.is_order("c1", OrdStatus.Canceled))
    assert venue.was_called("prove_exit", times=venue.calls.count("prove_exit") + 3)
    assert len(told(heard, ev.ExitRefused)) == 1  # the same finding is recorded once
    venue.exit_seen_at = None
    assert heard.until(lambda: is_state(heard, AccountState.Ready))


def test_an_echo_that_is_away_keeps_from_the_first_order_and_takes_nothing_back_later(started, monkeypatch):
    monkeypatch.setattr(exit_watch, "PROVE_AGAIN_S", 0.01)
    venue, heard = ScriptedVenue(), Heard()
    venue.is_echo_away = True
    worker = started(a_worker(venue, heard))
    assert heard.until(lambda: is_state(heard, AccountState.Blocked, "the echo does not answer"))
    venue.is_echo_away = False
    assert heard.until(lambda: is_state(heard, AccountState.Ready))
    venue.is_echo_away = True
    assert heard.until(lambda: len(told(heard, ev.ExitRefused)) == 2)
    worker.post(an_intent("c1"))
    assert heard.until(lambda: heard.is_order("c1", OrdStatus.New))


def test_a_proxy_is_held_to_the_address_it_was_first_seen_at_until_a_person_accepts_another(started):
    venue, heard, journal = ScriptedVenue(), Heard(), SyncedJournal()
    account = msgspec.structs.replace(client(), egress=STANDBY)
    exits = Exits({ACME: account})
    venue.exit_seen_at = "203.0.113.7"
    worker = started(a_worker(venue, heard, store=journal, account=account, exits=exits))
    assert heard.until(lambda: is_state(heard, AccountState.Ready))
    venue.exit_seen_at = "203.0.113.8"
    venue.say(StreamState(is_up=False, cause="cut"), StreamState(is_up=True))
    assert heard.until(lambda: is_state(heard, AccountState.Blocked, f"switch-exit acme --to {STANDBY}"))
    journal.append(
        ev.ExitSwitched(at=1, source="desk", account=ACME, exit=STANDBY, by=OperatorId("rosa"), reason="it moved")
    )
    exits.use(ACME, STANDBY)
    worker.exit_switched()
    assert heard.until(lambda: is_state(heard, AccountState.Ready))
    assert told(heard, ev.ExitProved)[-1].seen == "203.0.113.8"


def test_a_switch_closes_every_connection_before_the_first_of_the_new_exit(started):
    venue, heard = ScriptedVenue(), Heard()
    account = msgspec.structs.replace(client(), standby_egress=STANDBY)
    exits = Exits({ACME: account})
    worker = started(a_worker(venue, heard, account=account, exits=exits))
    assert heard.until(lambda: is_state(heard, AccountState.Ready))
    worker.post(an_intent("c1"))
    assert heard.until(lambda: heard.is_order("c1", OrdStatus.New))
    exits.use(ACME, STANDBY)
    worker.exit_switched()
    assert venue.was_called("start", times=2)
    assert venue.calls.index("close") < len(venue.calls) - venue.calls[::-1].index("start") - 1
    assert heard.until(lambda: any(proof.exit == STANDBY for proof in told(heard, ev.ExitProved)))
    assert heard.until(lambda: is_state(heard, AccountState.Ready))
    worker.post(an_intent("c2"))
    assert heard.until(lambda: heard.is_order("c2", OrdStatus.New))
    assert [heard.order(key).egress for key in ("c1", "c2")] == ["127.0.0.2", STANDBY]


def test_a_key_that_was_refused_from_the_first_exit_is_tried_from_the_second(started):
    venue, heard = ScriptedVenue(), Heard()
    account = msgspec.structs.replace(client(), standby_egress=STANDBY)
    exits = Exits({ACME: account})
    venue.key_failures = [VenueFailed("-2015 Invalid API-key, IP", is_auth=True)]
    worker = started(a_worker(venue, heard, account=account, exits=exits))
    assert heard.until(lambda: is_state(heard, AccountState.Blocked, "-2015"))
    exits.use(ACME, STANDBY)
    worker.exit_switched()
    assert heard.until(lambda: is_state(heard, AccountState.Ready))


def test_a_key_bound_to_other_addresses_than_the_exit_is_found_out_whichever_is_known_first(started):
    venue, heard = ScriptedVenue(), Heard()
    venue.key = a_key_report(addresses=("203.0.113.7",))
    worker = started(a_worker(venue, heard))
    assert heard.until(lambda: is_state(heard, AccountState.Blocked, "the key is bound to 203.0.113.7"))
    worker.post(an_intent("c1"))
    assert "the account leaves by 127.0.0.2" in denied(heard, "c1")
