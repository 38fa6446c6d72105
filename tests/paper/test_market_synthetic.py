"""The synthetic market against the figures that drive it."""

from decimal import Decimal
from itertools import pairwise
from math import log, sqrt
from statistics import correlation, pstdev

import pytest
from paper_builders import SECOND, T0, an_account, d, limit, market, recorded

from tradedesk.paper.candles import next_open
from tradedesk.paper.driver import Driver
from tradedesk.paper.exchange import Exchange
from tradedesk.paper.figures import BTCUSDT
from tradedesk.paper.fit import SHARES, draw, mean, measure, quantiles
from tradedesk.paper.listing import start_price
from tradedesk.paper.rows import Status
from tradedesk.paper.rules import Grid
from tradedesk.paper.synthetic import FUTURES, MOST_RESTING, Synthetic, activity, default_specs

SPECS = default_specs()


def an_open_market(seed=1, specs=SPECS, accounts=()):
    return Exchange(specs, accounts, Synthetic(specs, seed), now=T0)


@pytest.fixture(scope="module")
def refitted():
    """The figures, measured again on what the synthetic market made of them in five minutes."""
    exchange = an_open_market(seed=3, specs=SPECS[:1])
    records = recorded(exchange, "BTCUSDT", start=T0, seconds=300)
    return measure(records, source="synthetic", tick=SPECS[0].tick, lot=SPECS[0].lot)


def test_spread_and_touch_are_those_of_the_recording(refitted):
    assert refitted.one_tick_share == pytest.approx(BTCUSDT.one_tick_share, abs=0.01)
    assert mean(refitted.touch_lots) == pytest.approx(mean(BTCUSDT.touch_lots), rel=0.4)


def test_takers_come_as_often_as_large_and_as_clustered_as_recorded(refitted):
    assert refitted.takes_per_s == pytest.approx(BTCUSDT.takes_per_s, rel=0.25)
    assert mean(refitted.take_lots) == pytest.approx(mean(BTCUSDT.take_lots), rel=0.4)
    assert refitted.take_same_side == pytest.approx(BTCUSDT.take_same_side, abs=0.08)
    median = SHARES.index(0.5)
    assert refitted.take_lots[median] == pytest.approx(BTCUSDT.take_lots[median], rel=0.4)
    assert refitted.take_gap_ns[median] == pytest.approx(BTCUSDT.take_gap_ns[median], rel=0.4)


def test_the_price_moves_as_often_and_as_far_as_recorded(refitted):
    assert refitted.moves_per_s == pytest.approx(BTCUSDT.moves_per_s, rel=0.3)
    assert mean(refitted.move_ticks) == pytest.approx(mean(BTCUSDT.move_ticks), rel=0.4)
    assert refitted.sd_10s == pytest.approx(BTCUSDT.sd_10s, rel=0.5)


def test_depth_and_arrivals_by_distance_are_those_of_the_recording(refitted):
    for band, figures in zip(refitted.bands, BTCUSDT.bands, strict=True):
        assert band.levels == pytest.approx(figures.levels, rel=0.4, abs=1)
        if 10 <= figures.near < 1_000:  # far orders come less often and stay longer, on purpose; nearer are few
            assert band.adds_per_s == pytest.approx(figures.adds_per_s, rel=0.35)
            assert mean(band.lots) == pytest.approx(mean(figures.lots), rel=0.6)


@pytest.mark.parametrize("seed", range(3))
def test_no_book_empties_crosses_or_grows_without_bound(seed):
    exchange = an_open_market(seed)
    sizes = []
    for step in range(1, 601):
        exchange.advance(T0 + step * SECOND // 2)
        exchange.drain()
        for spec in SPECS:
            best = exchange.book_ticker(spec.symbol)
            assert best.bid < best.ask
            assert abs(best.bid / start_price(spec.symbol) - 1) < Decimal("0.05")
        sizes.append(sum(len(book) for book in exchange._engine.books.values()))
    assert max(sizes) < 1.3 * sizes[0] < 3 * MOST_RESTING


def test_the_same_seed_is_the_same_market_however_often_it_is_looked_at():
    once, again = an_open_market(5), an_open_market(5)
    once.advance(T0 + 20 * SECOND)
    for step in range(1, 201):
        again.advance(T0 + step * SECOND // 10)
    assert once.drain() == again.drain()
    for spec in SPECS:
        assert once.depth(spec.symbol, 5_000) == again.depth(spec.symbol, 5_000)
    other = an_open_market(6)
    other.advance(T0 + 20 * SECOND)
    assert other.recent_trades("BTCUSDT") != once.recent_trades("BTCUSDT")


def middle(exchange, symbol):
    best = exchange.book_ticker(symbol)
    return log((best.bid + best.ask) / 2)


def test_the_driver_is_a_pure_function_of_seed_and_time_and_spreads_like_a_random_walk():
    driver = Driver(1)
    later = driver.offset("BTC", T0 + 3_600 * SECOND)
    driver.offset("ETH", T0)
    assert driver.offset("BTC", T0 + 3_600 * SECOND) == later == Driver(1).offset("BTC", T0 + 3_600 * SECOND)
    assert Driver(2).offset("BTC", T0) != Driver(1).offset("BTC", T0)
    for seconds in (20, 300, 3_600):
        steps = [
            driver.offset("BTC", T0 + (n + 1) * seconds * SECOND) - driver.offset("BTC", T0 + n * seconds * SECOND)
            for n in range(400)
        ]
        assert pstdev(steps) / sqrt(seconds) == pytest.approx(1, rel=0.3)


def test_instruments_move_together_and_not_alike():
    specs = default_specs(5)[2:]  # the busiest cost most to run
    exchange = an_open_market(1, specs)
    minutes = {spec.symbol: [] for spec in specs}
    for minute in range(26):
        exchange.advance(T0 + minute * 60 * SECOND)
        exchange.drain()
        for symbol, seen in minutes.items():
            seen.append(middle(exchange, symbol))
    moves = {symbol: [b - a for a, b in pairwise(seen)] for symbol, seen in minutes.items()}
    alike = [correlation(moves[specs[0].symbol], moves[spec.symbol]) for spec in specs[1:]]
    assert 0.35 < sum(alike) / len(alike) < 0.9
    assert max(alike) < 0.98


@pytest.mark.parametrize("seed", [1, 2])
def test_a_perpetual_stays_within_a_small_basis_of_its_spot_pair(seed):
    tenth = SPECS[0].__class__(
        **{f: getattr(SPECS[0], f) for f in SPECS[0].__struct_fields__} | {"tick": d("0.1"), "lot": d("0.001")}
    )
    spot = an_open_market(seed, SPECS[:1])
    perpetual = Exchange([tenth], (), Synthetic([tenth], seed, kind=FUTURES), now=T0)
    apart = []
    for step in range(1, 201):
        for exchange in (spot, perpetual):
            exchange.advance(T0 + step * 2 * SECOND)
            exchange.drain()
        apart.append(abs(middle(perpetual, "BTCUSDT") - middle(spot, "BTCUSDT")))
    assert max(apart) < 0.003
    assert 0 < sum(apart) / len(apart) < 0.001
    assert spot.recent_trades("BTCUSDT") != perpetual.recent_trades("BTCUSDT")


def test_two_hundred_instruments_are_busy_by_rank_and_bounded_in_all():
    specs = default_specs(200)
    assert len({spec.symbol for spec in specs}) == 200
    assert [spec.symbol for spec in specs[:3]] == [spec.symbol for spec in SPECS]
    for spec in specs:
        Grid.of(spec)  # every price x quantity is a whole number of the exchange's units
    shares = [activity(spec.symbol, 200) for spec in specs]
    assert shares == sorted(shares, reverse=True)
    assert sum(shares) < 5

    exchange = an_open_market(1, specs)
    assert sum(len(book) for book in exchange._engine.books.values()) < 50_000
    exchange.advance(T0 + 60 * SECOND)
    events = exchange.drain()
    assert len(events) < 60 * 200  # prints a second over all of them
    traded = {event.symbol for event in events}
    assert len(traded) > 150
    for spec in specs:
        best = exchange.book_ticker(spec.symbol)
        assert best.bid < best.ask <= best.bid + 20 * spec.tick
        assert len(exchange.depth(spec.symbol, 5).bids) >= 3


def test_the_history_is_the_same_whether_somebody_looked_early_or_late():
    exchange = an_open_market(4)
    exchange.advance(T0 + 200 * SECOND)
    late, early = an_open_market(4), exchange.klines("ETHUSDT", "5m", T0 + 200 * SECOND)
    late.klines("ETHUSDT", "5m", T0)
    late.advance(T0 + 200 * SECOND)
    assert late.klines("ETHUSDT", "5m", T0 + 200 * SECOND) == early  # looked at before or after it traded


def test_takers_of_the_flow_are_told_apart_in_the_aggregates():
    exchange = an_open_market(1)
    exchange.advance(T0 + 30 * SECOND)
    prints = {p.trade_id: p for p in exchange.recent_trades("BTCUSDT", 10_000)}
    aggregates = exchange.agg_trades("BTCUSDT", limit=10_000)
    assert 200 < len(aggregates) < len(prints)
    for aggregate in aggregates:
        parts = [prints[n] for n in range(aggregate.first_id, aggregate.last_id + 1)]
        assert {(p.time, p.price, p.buyer_is_maker) for p in parts} == {
            (aggregate.time, aggregate.price, aggregate.buyer_is_maker)
        }
        assert sum(p.quantity for p in parts) == aggregate.quantity


def test_due_times_never_go_back():
    exchange = an_open_market(2)
    last = T0
    for _ in range(2_000):
        due = exchange.next_due()
        assert due >= last
        exchange.advance(due)
        last = due
    exchange.drain()


def test_a_chart_opened_at_the_start_is_full_and_ends_at_the_start_price():
    exchange = an_open_market(1)
    for spec in SPECS:
        candles = exchange.klines(spec.symbol, "1m", T0, limit=1_000)
        assert len(candles) == 1_000
        assert candles[-1].close == start_price(spec.symbol)
        for before, after in pairwise(candles):
            assert after.open_time == next_open("1m", before.open_time)
            assert after.open == before.close
            assert before.low <= min(before.open, before.close) <= max(before.open, before.close) <= before.high
        assert len({c.close for c in candles}) > 100 or spec.symbol != "BTCUSDT"
        for interval in ("5m", "1h", "4h", "1d"):
            assert len(exchange.klines(spec.symbol, interval, T0)) >= 240
        assert exchange.ticker(spec.symbol, T0).volume > 0
        assert exchange.average_price(spec.symbol, T0) == pytest.approx(start_price(spec.symbol), rel=Decimal("0.01"))


def test_a_client_at_the_touch_is_filled_by_the_flow():
    exchange = an_open_market(1, SPECS[:1], [an_account()])
    best = exchange.book_ticker("BTCUSDT")
    order = exchange.place("acme", limit("BUY", "0.01", str(best.bid)), T0)
    now = T0
    while exchange.open_orders("acme") and now < T0 + 120 * SECOND:
        now += SECOND
        exchange.advance(now)
    done = exchange.order("acme", "BTCUSDT", order_id=order.order_id)
    assert done.status is Status.FILLED
    assert all(t.is_maker and t.price == best.bid for t in exchange.my_trades("acme", "BTCUSDT"))


def test_a_large_order_holds_the_price_until_it_is_gone():
    exchange = an_open_market(1, SPECS[:1], [an_account(BTC="500")])
    wall = exchange.book_ticker("BTCUSDT").ask
    order = exchange.place("acme", limit("SELL", "140", str(wall)), T0)
    now = T0
    while exchange.open_orders("acme") and now < T0 + 60 * SECOND:
        now += SECOND // 10
        exchange.advance(now)
        best = exchange.book_ticker("BTCUSDT")
        assert best.bid < wall or not exchange.open_orders("acme")
    assert exchange.order("acme", "BTCUSDT", order_id=order.order_id).executed_qty > 0


def test_the_market_recovers_after_a_client_swept_it():
    exchange = an_open_market(1, SPECS[:1], [an_account(BTC="500")])
    before = exchange.book_ticker("BTCUSDT")
    row = exchange.place("acme", market("SELL", "60"), T0)
    assert row.status is Status.FILLED
    assert exchange.book_ticker("BTCUSDT").bid < before.bid
    exchange.advance(T0 + SECOND)
    after = exchange.book_ticker("BTCUSDT")
    assert after.ask - after.bid < 1


def test_an_instrument_without_a_start_price_is_refused():
    spec = SPECS[0].__class__(**{f: getattr(SPECS[0], f) for f in SPECS[0].__struct_fields__} | {"symbol": "XUSDT"})
    with pytest.raises(ValueError, match="no start price for XUSDT"):
        Synthetic([spec], 1)
    Synthetic([spec], 1, prices={"XUSDT": d("1.5")})


def test_draws_stay_within_the_table_and_their_mean_is_exact():
    table = quantiles([1, 2, 3, 10, 50, 400, 1000])
    draws = [draw(table, (n + 0.5) / 20_000) for n in range(20_000)]
    assert min(draws) >= 1
    assert max(draws) <= 1000
    assert sum(draws) / len(draws) == pytest.approx(mean(table), rel=1e-3)


def test_a_fit_needs_all_three_streams():
    with pytest.raises(ValueError, match="all needed"):
        measure([], source="nothing", tick=d("0.01"), lot=d("0.00001"))
