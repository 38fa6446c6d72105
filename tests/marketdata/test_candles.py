"""Candles are revised in place, bounded, and their holes stay holes (F55)."""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from tradedesk.domain.instruments import Candle
from tradedesk.marketdata.candles import MINUTE_NS, MOST, Candles


def a_candle(minute: int, close: str = "100") -> Candle:
    price = Decimal(close)
    return Candle(open_time=minute * MINUTE_NS, open=price, high=price, low=price, close=price, volume=Decimal(1))


def minutes(candles: tuple[Candle, ...]) -> list[int]:
    return [candle.open_time // MINUTE_NS for candle in candles]


@given(st.lists(st.integers(0, 600), max_size=400))
def test_the_newest_of_each_minute_counts_in_order_and_within_the_bound(made: list[int]) -> None:
    candles = Candles()
    for index, minute in enumerate(made):
        candles.add(a_candle(minute, str(index + 1)))
    kept = candles.all()
    assert minutes(kept) == sorted(set(minutes(kept)))
    assert len(kept) <= MOST
    if len(set(made)) <= MOST:
        assert {c.open_time // MINUTE_NS: c.close for c in kept} == {m: Decimal(i + 1) for i, m in enumerate(made)}


def test_a_hole_is_told_and_kept() -> None:
    candles = Candles()
    assert not candles.add(a_candle(1))
    assert not candles.add(a_candle(2))
    assert not candles.add(a_candle(2, "101"))
    assert candles.add(a_candle(5))
    assert minutes(candles.all()) == [1, 2, 5]


def test_only_what_changed_is_taken_and_once() -> None:
    candles = Candles()
    candles.replace([a_candle(1), a_candle(2)])
    assert candles.take_changed() == ()
    candles.add(a_candle(2, "101"))
    candles.add(a_candle(3))
    assert [str(candle.close) for candle in candles.take_changed()] == ["101", "100"]
    assert candles.take_changed() == ()


def test_a_history_that_comes_late_does_not_undo_newer_news() -> None:
    candles = Candles()
    candles.add(a_candle(7, "107"))
    candles.add(a_candle(2, "999"))
    candles.replace([a_candle(minute) for minute in range(1, 6)])
    assert minutes(candles.all()) == [1, 2, 3, 4, 5, 7]
    assert candles.all()[1].close == 100
