"""The past of a synthetic market: whole candles are the sums of their parts, however little of it somebody looks at."""

import random
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from paper_builders import T0

from tradedesk.paper.candles import DAY, FIXED, HOUR, MINUTE, Candles, merge, opens_at
from tradedesk.paper.market import Bar
from tradedesk.paper.past import Common, Past, split

FOREVER = 1 << 62


def a_past(now=T0, price=6_183_763, lots=5_000.0):
    return Past("7:BTCUSDT", now, price, minute_sd=0.0006, lots=lots, trades=40.0, common=Common(7), share=0.9)


def merged(bars):
    first = bars[0]
    total = Bar(open_time=first.open_time, open=first.open, high=first.open, low=first.open, close=first.open)
    for bar in bars:
        merge(total, bar)
    return total


prices = st.integers(1, 10**7)


@settings(max_examples=150, deadline=None)
@given(st.lists(prices, min_size=2, max_size=2), prices, prices, st.data())
def test_the_parts_of_a_candle_merge_to_it_exactly_and_stay_within_it(ends, one, other, data):
    opened, close = ends
    lots = data.draw(st.integers(24 * 60, 10**9))
    taken = data.draw(st.integers(0, lots))
    whole = Bar(
        open_time=0,
        open=opened,
        high=max(opened, close, one, other),
        low=min(opened, close, one, other),
        close=close,
        lots=lots,
        quote=lots * opened,
        trades=data.draw(st.integers(24 * 60, 10**6)),
        taker_lots=taken,
        taker_quote=taken * opened,
    )
    hours = split(whole, DAY, HOUR, random.Random(1))
    minutes = [minute for hour in hours for minute in split(hour, HOUR, MINUTE, random.Random(2))]
    for parts, length in ((hours, HOUR), (minutes, MINUTE)):
        assert merged(parts) == whole
        assert [part.open_time for part in parts] == list(range(0, DAY, length))
        assert all(before.close == after.open for before, after in pairwise(parts))
        assert all(whole.low <= part.low <= part.high <= whole.high for part in parts)
        assert all(0 <= part.taker_lots <= part.lots > 0 for part in parts)
        assert all(part.trades > 0 for part in parts)


@pytest.mark.parametrize("now", [T0, T0 // DAY * DAY, T0 // HOUR * HOUR, T0 // MINUTE * MINUTE, T0 // DAY * DAY + 1])
def test_it_ends_at_the_start_price_wherever_in_the_day_the_start_is(now):
    bars = [bar for _, bar in a_past(now).bars(DAY, 0, FOREVER)]
    assert bars[-1].close == 6_183_763
    assert bars[-1].open_time < now <= bars[-1].open_time + DAY
    assert all(before.close == after.open for before, after in pairwise(bars))


@pytest.mark.parametrize("interval", ["1m", "5m", "1h", "4h", "1d", "1w"])
def test_a_look_at_a_part_shows_what_a_look_at_all_shows(interval):
    length = FIXED[interval]
    whole = Candles(a_past().bars).bars(interval, T0, 1_000)
    assert len(whole) >= 140
    few = Candles(a_past().bars).bars(interval, T0, 20)
    assert few == whole[-20:]
    candles = Candles(a_past().bars)
    start = opens_at(interval, T0 - 90 * length)
    middle = candles.bars(interval, T0, 10, start, start + 9 * length)
    assert middle == [bar for bar in whole if start <= bar.open_time <= start + 9 * length]
    assert len(middle) == 10
    assert candles.bars(interval, T0, 1_000) == whole  # more than was looked at before
    assert candles.bars(interval, T0, 1, end=start - 1)[-1] == next(b for b in reversed(whole) if b.open_time < start)


def test_an_hour_is_its_minutes_and_a_day_its_hours():
    candles = Candles(a_past().bars)
    hour = opens_at("1h", T0) - 3 * HOUR
    minutes = candles.bars("1m", T0, 60, hour, hour + HOUR - 1)
    (whole,) = candles.bars("1h", T0, 1, hour, hour)
    assert merged(minutes) == whole
    day = opens_at("1d", T0) - 3 * DAY
    hours = candles.bars("1h", T0, 24, day, day + DAY - 1)
    assert merged(hours) == candles.bars("1d", T0, 1, day, day)[0]


def test_the_candle_in_which_trading_began_holds_what_was_before_too():
    candles = Candles(a_past().bars)
    minute = opens_at("1m", T0)
    before = Candles(a_past().bars).bars("1m", T0, 1)[-1]
    candles.trade(7_000_000, 5, T0 + 1, 1, True)
    for start in (minute, None):
        (first,) = candles.bars("1m", T0 + 2, 1, start)
        assert (first.open_time, first.open, first.close) == (minute, before.open, 7_000_000)
        assert (first.lots, first.trades) == (before.lots + 5, before.trades + 1)


def test_a_volume_of_next_to_nothing_still_has_a_trade_in_each_minute():
    minutes = [bar for _, bar in a_past(price=3, lots=0.001).bars(MINUTE, 0, FOREVER)]
    assert len(minutes) >= 1_440
    assert all(bar.lots >= 1 and bar.trades >= 1 and bar.low >= 1 for bar in minutes)
