"""A day's P&L: what counts, what it is measured from, and how several accounts make one day."""

from collections.abc import Mapping
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st
from order_builders import ACME, BTC, a_fill, an_instrument, d

from tradedesk.domain.day import DAY_NS, Day, Gain, gain_of, looked, remembered, shifted, summed
from tradedesk.domain.money import Money
from tradedesk.domain.positions import Position, after_fill, opened
from tradedesk.domain.words import InstrumentId, Side

INSTRUMENTS = {BTC: an_instrument()}
AT_60: Mapping[InstrumentId, Decimal] = {BTC: d(60_000)}
IN_USDT = {"USDT": d(1)}


def gained(*held: Position, incomes: Mapping[str, Decimal] | None = None, at=AT_60, rates=IN_USDT) -> Gain:
    return gain_of(held, incomes or {}, INSTRUMENTS, at.get, rates.get)


def traded(*fills) -> Position:
    position = opened(ACME, BTC, d(0), None)
    for fill in fills:
        position = after_fill(position, fill, an_instrument())
    return position


def test_what_was_closed_what_is_open_and_the_fees_are_one_sum():
    bought = a_fill(qty="2", px="59000", fee=Money(d(10), "USDT"), trade_id="t1")
    sold = a_fill(qty="1", px="61000", fee=Money(d(20), "USDT"), trade_id="t2", side=Side.Sell)
    gain = gained(traded(bought, sold), incomes={"USDT": d(-5)})
    assert (gain.realized, gain.unrealized, gain.fees, gain.income) == (2000, 1000, 30, -5)
    assert gain.net == 2965


def test_without_a_price_of_what_is_held_the_gain_is_not_known():
    gain = gained(traded(a_fill()), at={})
    assert (gain.net, gain.unpriced) == (None, ("BTC/USDT",))


def test_what_has_no_known_cost_is_named_and_in_no_sum():
    gain = gained(opened(ACME, BTC, d(3), None), incomes={"DOGE": d(1)})
    assert (gain.net, gain.uncounted) == (0, ("BTC/USDT", "income in DOGE"))


def test_a_fee_in_a_third_asset_counts_at_its_price():
    position = traded(a_fill(px="60000", fee=Money(d(2), "BNB")))
    assert gained(position, rates=IN_USDT | {"BNB": d(500)}).net == -1000
    assert gained(position).uncounted == ("fees in BNB",)


def test_a_day_remembers_its_begin_and_its_best_moment():
    day = None
    for net in (10, 25, 5):
        day = looked(day, d(net), DAY_NS)
    assert day is not None
    assert (day.start, day.peak, day.net, day.loss, day.drawdown) == (10, 25, 5, 5, 20)
    assert looked(day, d(5), 2 * DAY_NS) == Day(day=2, start=d(5), peak=d(5), net=d(5))
    assert looked(day, d(5), 0).day == 1  # F60: a clock set back


def test_after_a_restart_the_begin_is_the_journals_and_the_peak_the_higher_one():
    told = Day(day=1, start=d(10), peak=d(25), net=d(20))
    since = Day(day=1, start=d(20), peak=d(22), net=d(5))
    assert remembered(since, told) == Day(day=1, start=d(10), peak=d(25), net=d(5))
    assert remembered(None, told) == told
    assert remembered(Day(day=2, start=d(0), peak=d(0), net=d(0)), told).day == 2


looks = st.lists(st.tuples(st.sampled_from("abc"), st.integers(-50, 50), st.integers(1, 3)), max_size=40)


@given(looks)
def test_the_day_of_several_accounts_is_the_sum_of_what_each_won_on_it(told):
    days: dict[str, Day] = {}
    total: Day | None = None
    best = 0
    for name, net, day in told:
        before = days.get(name)
        days[name] = looked(before, d(net), day * DAY_NS)
        new = summed(total, before, days[name])
        if total is None or new.day > total.day:
            best = 0
        total = new
        won = sum(each.net - each.start for each in days.values() if each.day == total.day)
        best = max(best, won)
        assert (total.start, total.net, total.peak) == (0, won, best)


def test_an_account_that_joins_brings_no_past_along():
    one = looked(None, d(100), DAY_NS)
    total = summed(None, None, one)
    other = looked(None, d(-70_000), DAY_NS)
    assert summed(total, None, other).net == 0


def test_what_came_or_went_moves_the_begin_and_the_peak_along():
    day = Day(day=1, start=d(10), peak=d(25), net=d(20))
    after = shifted(day, d(12_020))
    assert (after.loss, after.drawdown, after.net) == (day.loss, day.drawdown, 12_020)
