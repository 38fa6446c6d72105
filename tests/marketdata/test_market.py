"""How far a market can be trusted, and what of it is new (5.9): decided without a thread, a socket or a clock."""

from decimal import Decimal

import pytest
from builders import NOW, an_instrument
from hypothesis import given
from hypothesis import strategies as st
from test_candles import a_candle
from test_market_book import a_diff, a_snapshot, levels

from tradedesk.domain.instruments import FeedState, PublicTrade
from tradedesk.marketdata.market import STALE_AFTER_NS, TAPE_PRINTS, Market, Need, feed_state, is_credible
from tradedesk.venues.feed import CandleChanged, DepthDiff, Printed, Unsound

S = 1_000_000_000


def a_print(price: str = "100", number: int = 1) -> Printed:
    trade = PublicTrade(
        trade_id=str(number), price=Decimal(price), qty=Decimal(1), taker_is_buyer=True, at=1_000 + number
    )
    return Printed(instrument=an_instrument().id, trade=trade)


def a_live_market() -> Market:
    """Joined at update 10 with 99 to 101, at second 0."""
    market = Market(an_instrument(), "feed:binance")
    market.connected()
    assert market.joined(a_snapshot(10, levels(_99="1"), levels(_101="1")), now=NOW, monotonic=0)
    return market


def hear(market: Market, news: DepthDiff | Printed | Unsound, at_s: float = 0) -> tuple[Need, ...]:
    return market.hear(news, now=NOW, monotonic=int(at_s * S))


@given(is_up=st.booleans(), is_joined=st.booleans(), is_crossed=st.booleans(), age=st.none() | st.integers(0, 10 * S))
def test_a_market_is_live_only_if_nothing_speaks_against_it(
    is_up: bool, is_joined: bool, is_crossed: bool, age: int | None
) -> None:
    state = feed_state(is_up=is_up, is_joined=is_joined, is_crossed=is_crossed, age_ns=age)
    is_fresh = age is not None and age <= STALE_AFTER_NS
    assert (state is FeedState.Live) is (is_up and is_joined and not is_crossed and is_fresh)


def test_silence_makes_it_stale_and_news_live_again() -> None:
    """F52"""
    market = a_live_market()
    assert market.state(5 * S) is FeedState.Live
    assert market.state(5 * S + 1) is FeedState.Stale
    hear(market, a_diff(11, 11), 7)
    assert market.state(8 * S) is FeedState.Live
    quote, heard_at = market.quote(8 * S)
    assert (quote.bid, quote.ask, quote.state, heard_at) == (99, 101, FeedState.Live, 7 * S)


def test_repeats_of_old_data_do_not_make_it_young() -> None:
    """F52: age by venue time and arrival."""
    market = a_live_market()
    hear(market, a_diff(11, 11), 1)
    for second in range(2, 8):
        hear(market, a_diff(11, 11), second)
    assert market.state(7 * S) is FeedState.Stale


def test_F52_a_book_that_stands_still_under_a_tape_that_goes_on_is_stale() -> None:
    """Every trade takes something from the book: where no update follows, the book is of the past."""
    market = a_live_market()
    hear(market, a_diff(11, 11), 1)
    for second in range(2, 8):
        hear(market, a_print(number=second), second)
        hear(market, a_diff(11, 11), second)  # the same again, as a stream says that has come loose from its book
    assert market.state(7 * S) is FeedState.Live
    assert market.state(7 * S + 1) is FeedState.Stale
    assert market.quote(7 * S + 1)[0].state is FeedState.Stale
    hear(market, a_diff(12, 12), 8)
    assert market.state(8 * S) is FeedState.Live


def test_F52_a_trade_and_the_update_of_its_book_leave_a_market_live_through_a_quiet_hour() -> None:
    market = a_live_market()
    hear(market, a_print(number=1), 1)
    hear(market, a_diff(2_000, 2_000), 1)
    assert market.joined(a_snapshot(2_000, levels(_99="1"), levels(_101="1")), now=NOW, monotonic=1 * S)
    hear(market, a_diff(2_001, 2_001), 1)
    hear(market, a_print(number=2), 1)  # it comes after the update that shows it
    for second in range(2, 3600, 2):
        market.hear(
            CandleChanged(instrument=an_instrument().id, candle=a_candle(1), at=NOW + second),
            now=NOW,
            monotonic=second * S,
        )
    assert market.state(3600 * S) is FeedState.Live


def test_a_gap_is_marked_asked_for_and_healed() -> None:
    """F50"""
    market = a_live_market()
    assert hear(market, a_diff(13, 13)) == (Need.Book,)
    assert market.state(0) is FeedState.Gapped
    changed = market.take_state(now=NOW, monotonic=0)
    assert changed is not None
    assert changed.reason == "updates are missing before 13"
    assert not market.joined(a_snapshot(11), now=NOW, monotonic=0)
    assert market.joined(a_snapshot(12, levels(_99="1"), levels(_101="1")), now=NOW, monotonic=0)
    assert market.state(0) is FeedState.Live


def test_a_crossed_book_is_marked_and_asked_for_until_it_is_none() -> None:
    """F51"""
    market = a_live_market()
    assert hear(market, a_diff(11, 11, levels(_101="2"))) == (Need.Book,)
    assert market.state(0) is FeedState.Crossed
    assert not market.joined(a_snapshot(12, levels(_102="1"), levels(_101="1")), now=NOW, monotonic=0)
    assert market.joined(a_snapshot(13, levels(_100="1"), levels(_101="1")), now=NOW, monotonic=0)
    assert market.state(0) is FeedState.Live


def test_a_disconnected_market_says_so_and_everything_is_fetched_anew() -> None:
    market = a_live_market()
    market.disconnected("the connection ended")
    assert market.state(0) is FeedState.Disconnected
    assert market.connected() == (Need.Book, Need.Candles)
    assert market.state(0) is FeedState.Gapped


@pytest.mark.parametrize("price", ["0", "-5", "10", "1000", "99999"])
def test_a_print_that_cannot_be_true_is_dropped(price: str) -> None:
    """F54"""
    market = a_live_market()
    hear(market, a_print(price))
    assert market.take_tape(now=NOW) is None
    assert market.quote(0)[0].last is None


def test_a_book_ten_times_off_is_refused_once_and_believed_if_the_venue_insists() -> None:
    """F54"""
    market = a_live_market()
    assert hear(market, a_diff(11, 11, levels(_99="0", _9="1"))) == (Need.Book,)
    assert market.state(0) is FeedState.Gapped
    assert market.joined(a_snapshot(12, levels(_9="1"), levels(_10="1")), now=NOW, monotonic=0)
    assert market.state(0) is FeedState.Live


@given(st.decimals("-1000", "100000", allow_nan=False, allow_infinity=False))
def test_credible_is_above_0_and_within_a_factor_of_ten(price: Decimal) -> None:
    assert is_credible(price, Decimal(100)) is (Decimal(10) < price < Decimal(1000))
    assert is_credible(price, None) is (price > 0)


def test_an_update_with_a_number_that_is_none_loses_the_book_and_a_print_only_itself() -> None:
    """F54"""
    market = a_live_market()
    unsound = Unsound(instrument=an_instrument().id, is_book=False, reason="p is not a plain decimal")
    assert hear(market, unsound) == ()
    assert market.state(0) is FeedState.Live
    assert hear(market, Unsound(instrument=an_instrument().id, is_book=True, reason="b")) == (Need.Book,)
    assert market.state(0) is FeedState.Gapped


def test_frames_come_only_with_news_and_are_bounded() -> None:
    """5.13, F56"""
    market = a_live_market()
    book = market.take_book(now=NOW, monotonic=0)
    assert book is not None
    assert (book.bids, book.asks, book.state) == (levels(_99="1"), levels(_101="1"), FeedState.Live)
    assert market.take_book(now=NOW, monotonic=0) is None
    stale = market.take_book(now=NOW, monotonic=6 * S)
    assert stale is not None
    assert stale.state is FeedState.Stale
    for number in range(1, TAPE_PRINTS + 51):
        hear(market, a_print("100", number))
    tape = market.take_tape(now=NOW)
    assert tape is not None
    assert (len(tape.trades), tape.skipped) == (TAPE_PRINTS, 50)
    assert [trade.trade_id for trade in tape.trades[-2:]] == ["149", "150"]
    assert market.take_tape(now=NOW) is None
    assert market.quote(0)[0].last == 100


def test_candles_come_whole_once_and_then_as_they_change() -> None:
    market = a_live_market()
    market.history((a_candle(1), a_candle(2)))
    full = market.take_candles(now=NOW)
    assert full is not None
    assert (full.is_full, len(full.candles)) == (True, 2)
    assert market.take_candles(now=NOW) is None
    changed = CandleChanged(instrument=an_instrument().id, candle=a_candle(3), at=5_000)
    assert market.hear(changed, now=NOW, monotonic=0) == ()
    part = market.take_candles(now=NOW)
    assert part is not None
    assert (part.is_full, len(part.candles)) == (False, 1)
    jump = CandleChanged(instrument=an_instrument().id, candle=a_candle(9), at=6_000)
    assert market.hear(jump, now=NOW, monotonic=0) == (Need.Candles,)
