"""F49: an order that waited on its way is judged anew before it leaves, by what is known then."""

from collections.abc import Iterator

import msgspec
import pytest
from budget_desk import SECOND_NS, SteppedClock
from scripted_account import Heard, ScriptedVenue, a_quote, a_worker, an_intent

from tradedesk.accounts import looking
from tradedesk.accounts import worker as worker_module
from tradedesk.accounts.worker import Worker
from tradedesk.domain.accounts import AccountState
from tradedesk.domain.instruments import FeedState, Quote
from tradedesk.domain.orders import OrdStatus, RequestState
from tradedesk.domain.words import InstrumentId
from tradedesk.journal.memory import MemoryJournal


class Waiting:
    """A worker with one order that waits for its disk, a clock and a market that a test moves."""

    def __init__(self) -> None:
        self.venue, self.heard, self.journal, self.clock = ScriptedVenue(), Heard(), MemoryJournal(), SteppedClock()
        self.state = FeedState.Live
        self.worker: Worker = a_worker(self.venue, self.heard, store=self.journal, quotes=self.quote)
        self.worker._clock = self.clock

    def quote(self, instrument: InstrumentId) -> tuple[Quote, int] | None:
        quote, age = a_quote(instrument)
        return msgspec.structs.replace(quote, state=self.state), age


@pytest.fixture
def waiting(monkeypatch: pytest.MonkeyPatch) -> Iterator[Waiting]:
    monkeypatch.setattr(worker_module, "STOP_GRACE_S", 0.1)
    monkeypatch.setattr(looking, "MARKS_WAIT_S", 0.05)
    found = Waiting()
    found.worker.start()
    assert found.heard.until(lambda: AccountState.Ready in found.heard.states())
    assert found.worker.post(an_intent("c1"))
    assert found.heard.until(lambda: found.heard.order("c1"))
    yield found
    found.worker.stop()


def test_F49_an_order_whose_market_went_while_it_waited_is_denied(waiting: Waiting) -> None:
    waiting.clock.leap_ns = 2 * SECOND_NS
    waiting.state = FeedState.Gapped
    waiting.journal.sync()
    assert waiting.heard.until(lambda: waiting.heard.request("c1") is RequestState.Denied)
    assert "place c1" not in waiting.venue.calls


def test_F49_an_order_that_is_still_sound_leaves_however_long_it_waited_within_its_deadline(waiting: Waiting) -> None:
    waiting.clock.leap_ns = 4 * SECOND_NS
    waiting.journal.sync()
    assert waiting.heard.until(lambda: waiting.heard.is_order("c1", OrdStatus.New))


def test_F49_an_order_that_did_not_wait_is_not_judged_twice(waiting: Waiting) -> None:
    waiting.state = FeedState.Gapped  # the Gate looked at the market a moment ago
    waiting.journal.sync()
    assert waiting.heard.until(lambda: waiting.heard.is_order("c1", OrdStatus.New))
