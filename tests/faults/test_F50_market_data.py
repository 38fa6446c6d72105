"""F50 to F56 on a whole desk: what the exchange's market data does wrong, what is shown, what is refused, how it heals."""

import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from statistics import median

import pytest
from faulty_desk import ACME, BTC, ETH, WITHIN_S, FaultyDesk, faulty_desk
from paper_process import has_loopback_range

from tradedesk.domain import events as ev
from tradedesk.domain.instruments import FeedState
from tradedesk.domain.orders import OrderState
from tradedesk.domain.words import Side
from tradedesk.marketdata.host import FRAME_S

pytestmark = pytest.mark.skipif(not has_loopback_range(), reason="needs loopback addresses besides 127.0.0.1")

DEPTH = "/api/v3/depth"  # asked for a snapshot of the book


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FaultyDesk]:
    with faulty_desk(Path(tmp_path_factory.mktemp("desk"))) as desk:
        yield desk


@pytest.fixture
def desk(running: FaultyDesk) -> Iterator[FaultyDesk]:
    """The desk with no fault in force, well before and after."""
    running.until(running.is_well, "the desk is well before the test")
    yield running
    running.paper.end_faults()
    running.until(running.is_well, "the desk is well once the fault has ended")
    running.until(running.agrees_with_the_exchange, "the book is the exchange's again")


def trades_on(desk: FaultyDesk) -> None:
    """An order goes out and fills: nothing of the fault is left."""
    key = desk.place(Side.Buy, "0.001")
    desk.until_order(key, OrderState.Filled)


def is_refused_but_reduces(desk: FaultyDesk, state: FeedState) -> None:
    """5.9: orders that need the book's price are refused, a reduction at a typed price is not."""
    price = (desk.bid() * Decimal("1.02")).quantize(Decimal("0.01"))
    assert str(state) in desk.denials(desk.place(Side.Buy, "0.01"))
    assert str(state) in desk.denials(desk.place(Side.Buy, "0.01", (price * Decimal("0.9")).quantize(Decimal("0.01"))))
    key = desk.place(Side.Sell, "0.01", price, reduce_only=True)
    desk.until_order(key, OrderState.New)
    desk.cancel(key)


def test_F50_a_gap_is_shown_refuses_what_needs_a_price_and_heals(desk: FaultyDesk) -> None:
    mark = desk.mark()
    no_answer = desk.paper.fault("say", answer=503, method="depth")
    desk.paper.fault("book", what="gap", instrument="BTCUSDT", count=1)
    desk.until(lambda: FeedState.Gapped in desk.states(mark), "the gap is shown")
    (told,) = [event for event in desk.since(mark, ev.FeedChanged) if event.instrument == BTC]
    assert "updates are missing" in told.reason
    is_refused_but_reduces(desk, FeedState.Gapped)
    assert desk.states(mark) == [FeedState.Gapped]  # as long as no snapshot can be had
    assert desk.states(mark, ETH) == []  # the neighbour does not notice
    desk.until(lambda: desk.paper.struck(no_answer) >= 2, "it asks again, with a back-off")
    desk.paper.end_faults()
    desk.until(lambda: desk.states(mark) == [FeedState.Gapped, FeedState.Live], "the book is whole again")
    trades_on(desk)


def test_F51_a_crossed_book_is_shown_refuses_what_needs_a_price_and_heals(desk: FaultyDesk) -> None:
    mark = desk.mark()
    desk.paper.fault("book", what="cross", instrument="BTCUSDT")  # snapshots are crossed too
    desk.until(lambda: FeedState.Crossed in desk.states(mark), "the crossed book is shown")
    is_refused_but_reduces(desk, FeedState.Crossed)
    assert FeedState.Live not in desk.states(mark)
    desk.paper.end_faults()
    desk.until(lambda: desk.states(mark)[-1] is FeedState.Live, "the book is whole again")
    trades_on(desk)


@pytest.mark.parametrize("pings", [True, False])
def test_F52_an_open_socket_that_says_nothing_is_stale_by_its_age(desk: FaultyDesk, pings: bool) -> None:
    mark = desk.mark()
    desk.paper.fault("freeze", transport="stream", instrument="BTCUSDT", pings=pings)
    desk.until(lambda: FeedState.Stale in desk.states(mark), "the silent market is stale")
    is_refused_but_reduces(desk, FeedState.Stale)
    desk.paper.end_faults()
    desk.until(lambda: desk.states(mark)[-1] is FeedState.Live, "the market speaks again")
    trades_on(desk)


def test_F52_a_book_that_repeats_old_data_is_stale_though_its_tape_goes_on(desk: FaultyDesk) -> None:
    mark = desk.mark()
    desk.paper.fault("book", what="stale", instrument="BTCUSDT")
    desk.until(lambda: FeedState.Stale in desk.states(mark), "the repeated book is stale")
    printed = desk.mark()
    desk.until(lambda: any(tape.instrument == BTC for tape in desk.since(printed, ev.TapeFrame)), "the tape goes on")
    is_refused_but_reduces(desk, FeedState.Stale)
    assert FeedState.Live not in desk.states(mark)
    desk.paper.end_faults()
    desk.until(lambda: desk.states(mark)[-1] is FeedState.Live, "the book moves again")
    trades_on(desk)


def test_F53_a_snapshot_older_than_the_updates_never_makes_a_book(desk: FaultyDesk) -> None:
    desk.paper.fault("book", what="stale", instrument="BTCUSDT", transport="rest")
    old = desk.paper.public(f"{DEPTH}?symbol=BTCUSDT&limit=1000")["lastUpdateId"]  # every later answer is this one
    shown = desk.mark()
    desk.until(lambda: len(desk.since(shown, ev.BookFrame)) > 10, "the market has moved on")
    mark = desk.mark()
    desk.paper.fault("book", what="gap", instrument="BTCUSDT", count=1)
    desk.until(lambda: FeedState.Gapped in desk.states(mark), "the gap is shown")
    before = len(desk.paper.requests(path=DEPTH))
    started = time.monotonic()
    desk.until(lambda: len(desk.paper.requests(path=DEPTH)) >= before + 2, "it tries again")
    assert desk.paper.public(f"{DEPTH}?symbol=BTCUSDT&limit=1000")["lastUpdateId"] == old
    asked = len(desk.paper.requests(path=DEPTH)) - before
    assert asked <= 4 + (time.monotonic() - started)  # not without measure: each costs the venue's weight
    assert desk.states(mark) == [FeedState.Gapped]
    desk.paper.end_faults()
    desk.until(lambda: desk.states(mark) == [FeedState.Gapped, FeedState.Live], "a fresh snapshot joins")
    trades_on(desk)


@pytest.mark.parametrize("price", ["0.00000000", "-1.00000000", "NaN", "1e999999", "9999999.00000000"])
def test_F54_a_print_at_a_price_that_cannot_be_is_dropped(desk: FaultyDesk, price: str) -> None:
    mark = desk.mark()
    fault = desk.paper.fault("alter", event="trade", instrument="BTCUSDT", set_={"p": price})
    desk.until(lambda: desk.paper.struck(fault) >= 3, "the exchange prints nonsense")
    desk.paper.end_faults()
    ended = desk.mark()
    desk.until(lambda: any(tape.instrument == BTC for tape in desk.since(ended, ev.TapeFrame)), "a true print comes")
    middle = desk.bid()
    prices = [trade.price for tape in desk.since(mark, ev.TapeFrame) if tape.instrument == BTC for trade in tape.trades]
    assert all(middle / 2 < price < middle * 2 for price in prices)
    assert FeedState.Disconnected not in desk.states(mark)  # one bad word does not cost the stream


@pytest.mark.parametrize("level", [["0.00000000", "1.0"], ["-1.00000000", "1.0"], ["NaN", "1.0"], ["1", "NaN"], "x"])
def test_F54_a_book_with_a_number_that_cannot_be_is_not_believed(desk: FaultyDesk, level: object) -> None:
    mark = desk.mark()
    before = len(desk.paper.requests(path=DEPTH))
    fault = desk.paper.fault("alter", event="depthUpdate", instrument="BTCUSDT", set_={"b": [level]}, count=1)
    desk.until(lambda: desk.paper.struck(fault) == 1, "the exchange says nonsense of its book")
    desk.until(lambda: len(desk.paper.requests(path=DEPTH)) > before, "the book is not believed and fetched anew")
    desk.until(desk.is_live, "the new book is believed")
    for frame in desk.since(mark, ev.BookFrame):
        assert all(price > 0 and qty > 0 for price, qty in (*frame.bids, *frame.asks))


def test_F54_the_collar_stands_on_the_last_good_price_while_prints_are_ten_times_off(desk: FaultyDesk) -> None:
    good = desk.bid()
    desk.paper.fault("alter", event="trade", instrument="BTCUSDT", set_={"p": "640000.00000000"})
    mark = desk.mark()
    desk.until(lambda: len(desk.since(mark, ev.BookFrame)) > 5, "the book goes on")
    assert "from the market at" in desk.denials(desk.place(Side.Buy, "0.001", (good * 10).quantize(Decimal("0.01"))))
    key = desk.place(Side.Buy, "0.001", (desk.bid() * Decimal("0.98")).quantize(Decimal("0.01")))
    desk.until_order(key, OrderState.New)
    desk.cancel(key)


def test_F55_a_bar_that_jumps_ahead_makes_the_history_be_read_again_and_nonsense_makes_no_bar(desk: FaultyDesk) -> None:
    known = desk.view.replica.market(BTC).candles
    price = str(known[-1].close)
    ahead = known[-1].open_time // 1_000_000 + 4 * 60_000
    before = len(desk.paper.requests(path="/api/v3/klines"))
    bar = {"t": ahead, "o": price, "h": price, "l": price, "c": price, "v": "1.0", "x": False}
    desk.paper.fault("alter", event="kline", instrument="BTCUSDT", set_={"k": bar}, count=1)
    desk.until(lambda: desk.view.replica.market(BTC).candles[-1].open_time // 1_000_000 == ahead, "the bar is shown")
    desk.until(lambda: len(desk.paper.requests(path="/api/v3/klines")) > before, "what lies between is asked for")
    fault = desk.paper.fault(
        "alter", event="kline", instrument="BTCUSDT", set_={"k": bar | {"l": "1e9", "t": 60_000}}, count=1
    )
    desk.until(lambda: desk.paper.struck(fault) == 1, "the exchange sends a bar whose low is above its high")
    mark = desk.mark()
    desk.until(lambda: any(frame.instrument == BTC for frame in desk.since(mark, ev.CandleFrame)), "a true bar comes")
    candles = desk.view.replica.market(BTC).candles
    assert all(candle.low <= candle.close <= candle.high for candle in candles)
    assert 60_000 * 1_000_000 not in [candle.open_time for candle in candles]
    times = [candle.open_time for candle in candles]
    assert times == sorted(times)


def acknowledged_ms(desk: FaultyDesk, count: int) -> list[float]:
    """How long so many resting orders took from the command to the venue's acknowledgement on the screen.

    A market that the machine cannot keep up with is cut off by the exchange, shown so, and its orders are refused.
    """
    took: list[float] = []
    while len(took) < count:
        desk.until(desk.is_live, "the market is live")
        price = (desk.bid() * Decimal("0.98")).quantize(Decimal("0.01"))
        started = time.monotonic()
        key = desk.place(Side.Buy, "0.001", price)
        order = desk.until_order(key, OrderState.New, OrderState.Denied)
        if order.is_dead:
            assert "the market's data is" in " ".join(order.reasons)
            continue
        took.append((time.monotonic() - started) * 1000)
        desk.cancel(key)
    return took


def test_F56_a_flood_of_market_data_is_conflated_and_orders_go_on(
    desk: FaultyDesk, record_property: Callable[[str, object], None]
) -> None:
    """5.13"""
    quiet = acknowledged_ms(desk, 10)
    flood = desk.paper.fault("flood", transport="stream", instrument="ETHUSDT", rate=50_000)
    started, mark = time.monotonic(), desk.mark()
    flooded = acknowledged_ms(desk, 10)
    while desk.paper.struck(flood) <= 10 and time.monotonic() - started < WITHIN_S:  # a busy machine floods slowly
        flooded += acknowledged_ms(desk, 1)
    shown = [frame for frame in desk.since(mark, ev.BookFrame) if frame.instrument == ETH]
    seconds = time.monotonic() - started
    record_property("ack_ms_quiet", round(median(quiet), 1))
    record_property("ack_ms_flooded", round(median(flooded), 1))
    assert len(shown) <= seconds / FRAME_S + 5
    assert desk.paper.struck(flood) > 10  # handfuls of some thousand events each
    assert median(flooded) < 20 * max(25, median(quiet)), (quiet, flooded)  # the class of latency holds (5.8)
    desk.until(lambda: desk.view.replica.accounts[ACME].state == "Ready", "the account is ready")
