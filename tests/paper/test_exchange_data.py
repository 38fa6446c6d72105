"""Tape, aggregates, candles, day ticker, average price and depth of the pure exchange."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from paper_builders import SECOND, T0, an_exchange, d, limit, market

from tradedesk.paper.candles import DAY, HOUR, INTERVALS, KEEP, MINUTE, Candles, next_open, opens_at
from tradedesk.paper.rows import Refusal
from tradedesk.paper.windows import before, minutes_back, window, zoned, zoned_end

MIDNIGHT = 1_700_006_400 * SECOND  # 2023-11-15, a Wednesday


def trade(exchange, qty, price, now):
    exchange.place("birch", limit("SELL", qty, price), now)
    exchange.place("acme", limit("BUY", qty, price), now)


def test_the_tape_shows_every_trade_and_who_waited():
    exchange = an_exchange()
    trade(exchange, "0.1", "60000", T0)
    exchange.place("acme", limit("BUY", "0.2", "60000"), T0)
    exchange.place("birch", market("SELL", "0.2"), T0 + 1)
    first, second = exchange.recent_trades("BTCUSDT")
    assert (first.quantity, first.buyer_is_maker, second.quantity, second.buyer_is_maker) == (
        d("0.1"),
        False,
        d("0.2"),
        True,
    )
    assert second.trade_id == first.trade_id + 1
    assert exchange.recent_trades("BTCUSDT", 1) == [second]


def test_trades_of_one_taker_at_one_price_are_one_aggregate():
    exchange = an_exchange()
    for price in ("60000", "60000", "60001"):
        exchange.place("birch", limit("SELL", "0.1", price), T0)
    exchange.place("acme", market("BUY", "0.25"), T0)
    exchange.place("acme", market("BUY", "0.01"), T0 + SECOND)
    a, b, c = exchange.agg_trades("BTCUSDT")
    assert [(x.quantity, x.last_id - x.first_id) for x in (a, b, c)] == [(d("0.2"), 1), (d("0.05"), 0), (d("0.01"), 0)]
    assert [x.agg_id for x in (a, b, c)] == [a.agg_id, a.agg_id + 1, a.agg_id + 2]
    assert exchange.agg_trades("BTCUSDT", from_id=b.agg_id, limit=1) == [b]
    assert exchange.agg_trades("BTCUSDT", limit=1) == [c]
    assert exchange.agg_trades("BTCUSDT", start=T0, end=T0) == [a, b]


def test_a_candle_holds_the_trades_of_its_time_and_gaps_are_flat():
    exchange = an_exchange()
    start = opens_at("1m", T0) + MINUTE
    for after, price in ((0, "60000"), (10, "60050"), (59, "59990"), (150, "60010")):
        trade(exchange, "0.01", price, start + after * SECOND)
    first, gap, last = exchange.klines("BTCUSDT", "1m", start + 160 * SECOND)
    assert (first.open, first.high, first.low, first.close) == (d(60000), d(60050), d(59990), d(59990))
    assert (first.volume, first.trades, first.is_closed, first.taker_base) == (d("0.03"), 3, True, d("0.03"))
    assert first.quote_volume == d("0.01") * (60000 + 60050 + 59990)
    assert (gap.open, gap.close, gap.trades, gap.first_trade_id) == (d(59990), d(59990), 0, -1)
    assert (last.close, last.is_closed, last.open_time) == (d(60010), False, start + 2 * MINUTE)
    assert exchange.klines("BTCUSDT", "1m", start + 160 * SECOND, start=start + 1, limit=1) == [gap]
    assert exchange.klines("BTCUSDT", "1m", start + 160 * SECOND, end=start + MINUTE) == [first, gap]
    with pytest.raises(Refusal) as caught:
        exchange.klines("BTCUSDT", "7m", T0)
    assert (caught.value.code, caught.value.message) == (-1120, "Invalid interval.")


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 4000), st.integers(900, 1100), st.integers(1, 9)), min_size=1, max_size=60))
def test_candles_of_every_interval_are_made_of_the_same_trades(trades):
    candles, now, plain = Candles(), MIDNIGHT, []
    for number, (seconds, price, lots) in enumerate(trades):
        now += seconds * SECOND
        plain.append((now, price, lots, number))
        candles.trade(price, lots, now, number, buyer_is_taker=number % 2 == 0)
    for interval in INTERVALS:
        for bar in candles.bars(interval, now, 2_000):
            ends = next_open(interval, bar.open_time)
            assert opens_at(interval, bar.open_time) == bar.open_time < ends
            inside = [t for t in plain if bar.open_time <= t[0] < ends]
            assert (bar.trades, bar.lots) == (len(inside), sum(t[2] for t in inside))
            if inside:
                prices = [t[1] for t in inside]
                assert (bar.open, bar.high, bar.low, bar.close) == (prices[0], max(prices), min(prices), prices[-1])
                assert (bar.first_id, bar.last_id) == (inside[0][3], inside[-1][3])


def test_candles_follow_one_another_without_a_hole_and_are_bounded():
    candles = Candles()
    candles.trade(100, 1, MIDNIGHT, 1, True)
    candles.trade(101, 1, MIDNIGHT + 40 * 24 * 3600 * SECOND, 2, True)
    for interval in INTERVALS:
        bars = candles.bars(interval, MIDNIGHT + 40 * 24 * 3600 * SECOND, 5_000)
        assert len(bars) <= KEEP + 1
        assert bars[-1].close == 101
        for bar, later in pairwise(bars):
            assert later.open_time == next_open(interval, bar.open_time)


def test_weeks_begin_on_monday_and_months_on_the_first():
    assert opens_at("1w", MIDNIGHT) == MIDNIGHT - 2 * 24 * 3600 * SECOND
    assert opens_at("1M", MIDNIGHT) == MIDNIGHT - 14 * 24 * 3600 * SECOND
    assert next_open("1M", opens_at("1M", MIDNIGHT)) == MIDNIGHT + 16 * 24 * 3600 * SECOND


def test_the_average_is_of_five_minutes_then_the_last_price_and_before_any_the_middle():
    exchange = an_exchange()
    assert exchange.average_price("BTCUSDT", T0) == 0
    exchange.place("acme", limit("BUY", "0.1", "59000"), T0)
    exchange.place("birch", limit("SELL", "0.1", "61000"), T0)
    assert exchange.average_price("BTCUSDT", T0) == 60000
    trade(exchange, "0.1", "60000", T0)
    trade(exchange, "0.3", "60400", T0)
    assert exchange.average_price("BTCUSDT", T0) == 60300
    assert exchange.average_price("BTCUSDT", T0 + 400 * SECOND) == 60400


def test_the_day_ticker_covers_a_day():
    exchange = an_exchange()
    trade(exchange, "0.1", "60000", T0)
    trade(exchange, "0.3", "60400", T0 + 3600 * SECOND)
    day = exchange.ticker("BTCUSDT", T0 + 3600 * SECOND)
    assert (day.open, day.high, day.low, day.last, day.last_qty) == (d(60000), d(60400), d(60000), d(60400), d("0.3"))
    assert (day.volume, day.quote_volume, day.weighted_avg, day.count) == (d("0.4"), d(24120), d(60300), 2)
    assert (day.prev_close, day.open_time) == (0, T0 + 3600 * SECOND - DAY)
    later = exchange.ticker("BTCUSDT", T0 + 25 * 3600 * SECOND + MINUTE)
    assert (later.open, later.last, later.volume, later.count) == (d(60400), d(60400), d(0), 0)
    assert later.prev_close == d(60400)


_trades = st.lists(st.tuples(st.integers(0, 9_000), st.integers(900, 1100), st.integers(1, 9)), min_size=1, max_size=60)


def _traded(trades):
    candles, now, plain = Candles(), MIDNIGHT, []
    for number, (seconds, price, lots) in enumerate(trades):
        now += seconds * SECOND
        plain.append((now, price, lots, number))
        candles.trade(price, lots, now, number, buyer_is_taker=number % 2 == 0)
    return candles, now, plain


@settings(max_examples=60, deadline=None)
@given(_trades, st.integers(1, 3 * 1_440), st.integers(0, 100_000))
def test_a_window_holds_the_trades_since_its_minute(trades, minutes, after):
    candles, now, plain = _traded(trades)
    now += after * SECOND
    start = minutes_back(now, minutes * MINUTE)
    whole = window(candles, start, now)
    inside = [t for t in plain if t[0] >= start]
    if start < now - KEEP * MINUTE:  # minutes that old are forgotten: the first hour may count as a whole
        assert whole.lots <= sum(t[2] for t in plain if t[0] >= start - start % HOUR)
        assert whole.lots >= sum(t[2] for t in inside)
    else:
        assert (whole.trades, whole.lots) == (len(inside), sum(t[2] for t in inside))
    if inside and whole.trades == len(inside):
        prices = [t[1] for t in inside]
        assert (whole.open, whole.high, whole.low, whole.close) == (prices[0], max(prices), min(prices), prices[-1])
        assert (whole.first_id, whole.last_id) == (inside[0][3], inside[-1][3])
    earlier = [t for t in plain if t[0] < start]
    if earlier and start >= now - KEEP * MINUTE:
        assert before(candles, start, now) == earlier[-1][1]


@settings(max_examples=60, deadline=None)
@given(_trades, st.sampled_from((1, 61, 240, 1_440)))
def test_a_window_that_remembers_minutes_moves_as_one_that_does_not(trades, minutes):
    candles, now, kept = Candles(), MIDNIGHT, {}
    for number, (seconds, price, lots) in enumerate(trades):
        now += seconds * SECOND
        candles.trade(price, lots, now, number, buyer_is_taker=True)
        start = minutes_back(now, minutes * MINUTE)
        assert window(candles, start, now, kept) == window(candles, start, now)
        assert before(candles, start, now, kept) == before(candles, start, now)
    assert len(kept) <= 4


@settings(max_examples=60, deadline=None)
@given(_trades, st.sampled_from(INTERVALS), st.integers(-48, 56))
def test_candles_of_another_zone_begin_with_its_days_and_hours(trades, interval, quarters):
    candles, now, plain = _traded(trades)
    offset = quarters * 15 * MINUTE
    bars = zoned(candles, interval, offset, now, 2_000)
    assert bars
    for bar in bars:
        local = bar.open_time + offset
        assert opens_at(interval, local) == local
        inside = [t for t in plain if bar.open_time <= t[0] < zoned_end(interval, offset, bar.open_time)]
        assert (bar.trades, bar.lots) == (len(inside), sum(t[2] for t in inside))
    for bar, later in pairwise(bars):
        assert later.open_time == zoned_end(interval, offset, bar.open_time)
    newest = zoned(candles, interval, offset, now, 3)
    assert newest == bars[-3:]
    assert zoned(candles, interval, offset, now, 2, start=bars[-1].open_time) == bars[-1:]


def test_depth_delta_and_ticker_share_one_sequence():
    exchange = an_exchange()
    exchange.take_book_delta("BTCUSDT")
    before = exchange.depth("BTCUSDT").last_update_id
    exchange.place("acme", limit("BUY", "0.1", "59000"), T0)
    exchange.place("acme", limit("BUY", "0.1", "59001"), T0)
    delta = exchange.take_book_delta("BTCUSDT")
    assert (delta.first_update_id, delta.last_update_id) == (before + 1, before + 2)
    assert delta.bids == ((d(59001), d("0.1")), (d(59000), d("0.1")))
    assert exchange.depth("BTCUSDT", 1).bids == ((d(59001), d("0.1")),)
    ticker = exchange.book_ticker("BTCUSDT")
    assert (ticker.update_id, ticker.bid, ticker.ask) == (before + 2, d(59001), None)
    assert exchange.take_book_delta("BTCUSDT") is None


def test_who_asks_is_told_only_of_books_that_changed():
    exchange = an_exchange()
    exchange.touched()
    assert exchange.touched() == []
    exchange.place("acme", limit("BUY", "0.1", "59000"), T0)
    exchange.place("acme", limit("BUY", "0.1", "59001"), T0)
    assert exchange.touched() == ["BTCUSDT"]
    assert exchange.touched() == []
    exchange.forget_book_changes("BTCUSDT")
    assert exchange.take_book_delta("BTCUSDT") is None
