"""Daily loss and drawdown before the Gate: they stop new risk, let it be reduced, and outlive a restart."""

from collections.abc import Iterable
from decimal import Decimal

import pytest
from order_builders import (
    ACME,
    BTC,
    NOW,
    SECOND,
    a_fill,
    a_place,
    a_trade,
    a_venue_state,
    an_account,
    an_ack,
    an_info,
    d,
)

from tradedesk.accounts.core import Core
from tradedesk.domain import events as ev
from tradedesk.domain.accounts import AccountState
from tradedesk.domain.day import DAY_NS, Day, Gain
from tradedesk.domain.instruments import FeedState, Quote
from tradedesk.domain.limits import Limits, Totals
from tradedesk.domain.orders import RequestState
from tradedesk.domain.words import AccountId, ClientOrderId, Side
from tradedesk.journal.memory import MemoryJournal
from tradedesk.orders.manager import OrderManager
from tradedesk.orders.messages import Reconciliation, Send, Tick
from tradedesk.risk.days import DESK, Days
from tradedesk.risk.reservations import Reservations

BASE = {"max_order_notional": d(10**6), "max_position_notional": d(10**7)}
BIRCH = AccountId("birch")


class Bench:
    """A core with 1 BTC bought at 60,000 today, over a journal that a second one may be started on."""

    def __init__(
        self, limits: Limits, totals: Totals | None = None, journal: MemoryJournal | None = None, price: str = "60000"
    ) -> None:
        self.now = NOW
        self.price: Decimal | None = d(price)
        account = an_account(limits)
        is_first = journal is None
        self.journal = journal if journal is not None else MemoryJournal()
        history = list(self.journal.replay())
        self.shared = Reservations([account], {} if totals is None else {DESK: (totals, "risk1")}, "USDT")
        self.shared.days.recall(event for event in history if isinstance(event, ev.DayMarked))
        manager = OrderManager(account, an_info(), history, lambda: ClientOrderId("made"), NOW)
        self.core = Core(
            account, manager, store=self.journal, publish=lambda event: None, quotes=self._quotes, halt=lambda: None,
            shared=self.shared,
        )  # fmt: skip
        self.core.recover(NOW)
        self.looked("0" if is_first else "1")
        self.core.set_state(AccountState.Ready, "", NOW)
        if is_first:
            self.tick()
            self.bought()

    def bought(self) -> None:
        for message in (a_place("c1"), an_ack("c1"), a_trade(a_fill("c1"), cum="1", is_last=True)):
            self.core.handle(message, self.now)
        self.looked("1")

    def looked(self, held: str) -> None:
        state = a_venue_state(BTC=held, USDT=str(500_000 - int(held) * 60_000), taken_at=self.now)
        self.core.handle(Reconciliation(state=state, marks={}), self.now)
        self.journal.sync()

    def tick(self, seconds: int = 2) -> None:
        self.now += seconds * SECOND
        self.core.handle(Tick(), self.now)
        self.journal.sync()

    def denied(self, key: str, **order) -> list[str]:
        """What the Gate says to an order; empty: it was sent."""
        outgoing = self.core.handle(a_place(key, price=f"{self.price or 60000}", **order), self.now)
        if any(isinstance(effect, Send) for effect in outgoing):
            return []
        made = self.core.manager.books.orders[ClientOrderId(key)]
        assert made.requests[0].state is RequestState.Denied
        return list(made.reasons)

    def _quotes(self, instrument):
        if self.price is None or instrument != BTC:
            return None
        quote = Quote(
            instrument=BTC, bid=self.price, bid_qty=d(1), ask=self.price, ask_qty=d(1), last=self.price,
            received_at=NOW, state=FeedState.Live,
        )  # fmt: skip
        return quote, 0


@pytest.mark.parametrize(
    ("limits", "totals", "said"),
    [
        (Limits(**BASE, max_daily_loss=d(1000)), None, "the day's loss of the account is 1000.00, at most 1000"),
        (Limits(**BASE, max_drawdown=d(1000)), None, "the drawdown of the account from the day's peak is 1000.00"),
        (Limits(**BASE), Totals(max_daily_loss=d(1000)), "the day's loss of the desk is 1000.00"),
        (Limits(**BASE), Totals(max_drawdown=d(1000)), "the drawdown of the desk from the day's peak is 1000.00"),
    ],
)
def test_a_used_up_day_stops_new_risk_and_lets_it_be_reduced(limits, totals, said):
    bench = Bench(limits, totals)
    bench.price = d("59001")
    bench.tick()
    assert bench.denied("small", qty="0.1") == []
    bench.price = d("59000")
    bench.tick()
    [reason] = bench.denied("more", qty="0.1")
    assert said in reason
    assert bench.denied("less", qty="0.5", side=Side.Sell) == []


def test_a_new_day_begins_where_it_stands():
    bench = Bench(Limits(**BASE, max_daily_loss=d(1000), max_drawdown=d(1000)))
    bench.price = d("59000")
    bench.tick()
    [reason] = bench.denied("more", qty="0.1")
    assert "the day's loss" in reason
    assert "the day's peak" in reason
    bench.tick(24 * 3600)
    assert bench.denied("again", qty="0.1", deadline=bench.now + SECOND) == []


def test_without_a_price_the_day_is_not_known_and_nothing_new_is_risked():
    bench = Bench(Limits(**BASE, max_daily_loss=d(1000)))
    bench.price = None
    bench.tick()
    assert any("BTC/USDT has no price now" in reason for reason in bench.denied("more", qty="0.1"))


def test_a_price_that_came_since_the_day_was_told_is_looked_for_before_an_order_is_refused_for_want_of_it():
    bench = Bench(Limits(**BASE, max_drawdown=d(1000)))
    bench.price = None
    bench.tick()
    bench.price = d("60000")
    assert bench.denied("at once", qty="0.1") == []
    bench.price = None
    bench.tick()
    bench.price = d("59000")  # what it then finds is held against the limit
    [reason] = bench.denied("beyond", qty="0.1")
    assert "the drawdown of the account from the day's peak is 1000.00" in reason


@pytest.mark.parametrize("limits", [Limits(**BASE, max_daily_loss=d(1000)), Limits(**BASE, max_drawdown=d(1000))])
def test_a_restart_forgets_neither_the_days_begin_nor_its_peak(limits):
    first = Bench(limits)
    first.price = d("59000")
    first.tick()
    assert first.denied("more", qty="0.1")
    again = Bench(limits, journal=first.journal, price="59000")
    again.tick()
    assert again.denied("again", qty="0.1")


def test_a_peak_is_recorded_while_it_rises_but_not_at_every_step():
    bench = Bench(Limits(**BASE, max_drawdown=d(1000)))
    for step in range(1, 21):
        bench.price = d(60_000 + step * 10)
        bench.tick(1)
    marks = [event for event in bench.journal.replay() if isinstance(event, ev.DayMarked) and event.account]
    assert next(mark.peak for mark in marks) == 0
    assert 2 <= len(marks) <= 4
    assert marks[-1].peak >= 100
    again = Bench(Limits(**BASE, max_drawdown=d(1000)), journal=bench.journal, price="59000")
    again.tick()
    assert again.denied("again", qty="0.1")


def gain(net: int | None) -> Gain:
    return Gain(unpriced=("ETH/USDT",)) if net is None else Gain(realized=d(net))


def two(marks: Iterable[ev.DayMarked] = ()) -> Days:
    import msgspec

    account = an_account()
    days = Days([account, msgspec.structs.replace(account, id=BIRCH, groups=())])
    days.recall(marks)
    return days


def test_the_desk_wins_and_loses_what_its_accounts_do_together():
    days = two()
    for account, net in ((ACME, 0), (BIRCH, 500), (ACME, -300), (BIRCH, 900)):
        days.tell(account, gain(net), NOW)
    assert days.day(DESK) == Day(day=NOW // DAY_NS, start=d(0), peak=d(100), net=d(100))
    days.tell(BIRCH, gain(-100), NOW)
    assert days.today(DESK).loss == 900
    assert days.today("group all").loss == 300
    days.tell(ACME, gain(None), NOW)
    assert days.today(DESK).loss is None
    assert days.today("account birch").loss == 600


def test_a_deposit_of_what_is_held_at_a_gain_is_none():
    days = two()
    days.tell(ACME, gain(100), NOW)
    days.tell(ACME, gain(10_100), NOW, has_moved=True)
    days.tell(ACME, gain(10_000), NOW)
    assert (days.today("account acme").loss, days.today(DESK).loss) == (100, 100)


def test_after_a_restart_an_account_that_is_not_open_yet_counts_as_it_was_recorded():
    before = two()
    for account, net in ((ACME, 0), (BIRCH, 0), (ACME, -300), (BIRCH, -400)):
        before.tell(account, gain(net), NOW)
    marks = [mark for account in (ACME, BIRCH) for mark in before.due(account, NOW, 0)]
    days = two(marks)
    assert days.today(DESK).loss == 700
    days.tell(ACME, gain(-350), NOW)
    assert days.today(DESK).loss == 750


def test_a_peak_of_the_desk_is_not_lost_with_the_restart():
    before = two()
    before.tell(ACME, gain(0), NOW)
    before.tell(ACME, gain(800), NOW)
    days = two(before.due(ACME, NOW, 0))
    days.tell(ACME, gain(100), NOW)
    assert (days.today(DESK).drawdown, days.today("group all").drawdown) == (700, 700)
