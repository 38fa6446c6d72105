"""Pure drawing: figures, signs, bars, ages, the ladder's axis and the chart's scale."""

from decimal import Decimal

import pytest
from desk_builders import BTC, NOW, SECOND, a_candle_frame, a_request, a_view, an_order, asked
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.style import Style

from tradedesk.domain.accounts import AccountState
from tradedesk.domain.instruments import Candle, FeedState
from tradedesk.domain.orders import OrdStatus, RequestKind, RequestState, with_request
from tradedesk.domain.text import clean
from tradedesk.domain.words import Side
from tradedesk.ui import candles as chart
from tradedesk.ui import drawing, ladder
from tradedesk.ui.drawing import ASCII, UNICODE
from tradedesk.ui.freshness import freshness, in_words

D = Decimal
COLOURS = drawing.palette(lambda _: Style())
prices = st.decimals(min_value=1, max_value=200_000, places=2)


@pytest.mark.parametrize(("step", "digits"), [("0.01", 2), ("1", 0), ("10", 0), ("0.00001000", 5), ("0.5", 1)])
def test_a_grid_needs_as_many_digits_as_its_step(step, digits):
    assert drawing.places(D(step)) == digits


def test_a_price_is_written_at_its_instruments_precision_with_thousands_apart():
    assert drawing.number(D("64001"), 2) == "64 001.00"
    assert drawing.number(D("1234567.891"), 1) == "1 234 567.9"


def test_a_figure_that_is_not_known_is_never_a_zero():
    assert drawing.number(None, 2) == "–"
    assert drawing.signed(None, 2, ASCII) == "-"


@pytest.mark.parametrize(
    ("value", "shown"),
    [("27", "+27.00"), ("-3.1", "-3.10"), ("0", "0.00"), ("0.001", "0.00"), ("-0.001", "0.00"), ("-1200", "-1 200.00")],
)
def test_gains_carry_their_sign_and_nothing_has_none(value, shown):
    assert drawing.signed(D(value), 2) == shown


@given(st.decimals(min_value=-(10**9), max_value=10**9, places=4), st.integers(0, 8))
def test_what_is_shown_reads_back_as_the_rounded_figure(value, digits):
    shown = D(drawing.number(value, digits).replace(" ", ""))
    assert abs(shown - value) <= D(1).scaleb(-digits) / 2


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(0, "0s"), (59, "59s"), (60, "1m"), (3599, "59m"), (3600, "1h"), (86_400, "1d"), (-5, "0s")],
)
def test_an_age_is_short_and_never_negative(seconds, shown):
    assert drawing.age(seconds * SECOND) == shown


@given(st.text(max_size=40), st.integers(0, 30), st.booleans())
def test_a_cell_is_exactly_as_wide_as_asked_and_holds_no_control_character(text, width, right):
    shown = drawing.fit(text, width, right=right)
    assert cell_len(shown) == width
    assert clean(shown) == shown


def test_text_that_does_not_fit_says_so():
    assert drawing.fit("insufficient balance", 9) == "insuffic…"
    assert drawing.fit("insufficient balance", 9, ASCII) == "insuffic~"


def test_markup_and_escapes_in_a_cell_are_shown_not_obeyed():
    strip = drawing.strip_of([(drawing.fit("[red]x[/] \x1b[2J\u202e", 20), Style())], 20, Style())
    assert strip.text == "[red]x[/] [2J".ljust(20)


@given(st.floats(0, 1), st.integers(1, 12), st.booleans())
def test_a_bar_keeps_to_its_cells(fraction, width, from_right):
    for glyphs in (UNICODE, ASCII):
        assert len(drawing.bar(fraction, width, glyphs, from_right=from_right)) == width


def test_bars_grow_from_their_own_side():
    assert drawing.bar(0.5, 4, UNICODE) == "██  "
    assert drawing.bar(0.375, 4, UNICODE, from_right=True) == "  ▐█"
    assert drawing.bar(0.5, 4, ASCII) == "==  "
    assert drawing.column(0.5, 2, UNICODE) == [" ", "█"]
    assert drawing.column(0.001, 2, UNICODE) == [" ", "▁"]


@pytest.mark.parametrize("glyphs", [UNICODE, ASCII])
def test_every_sign_of_the_ascii_set_is_ascii(glyphs):
    signs = [getattr(glyphs, field) for field in glyphs.__struct_fields__ if field != "is_ascii"]
    assert all(signs)
    assert glyphs is UNICODE or all(sign.isascii() for sign in signs)


def test_buy_and_sell_differ_by_sign_and_word():
    assert drawing.side_cell(Side.Buy, UNICODE, COLOURS)[0] == "▲ BUY"
    assert drawing.side_cell(Side.Sell, UNICODE, COLOURS)[0] == "▼ SELL"
    assert drawing.side_cell(Side.Sell, ASCII, COLOURS)[0] == "SELL"


def test_a_pending_order_tells_its_age_after_two_seconds():
    order = an_order(placed_at=NOW)
    assert drawing.state_cell(order, NOW + 2 * SECOND, UNICODE, COLOURS)[0] == "… PendingNew"
    assert drawing.state_cell(order, NOW + 4 * SECOND, UNICODE, COLOURS)[0] == "… PendingNew 4s"
    assert drawing.state_cell(order, NOW + 4 * SECOND, ASCII, COLOURS)[0] == "..PendingNew 4s"


def test_an_unknown_order_is_reversed_and_marked_in_any_theme():
    order = an_order(requests=(a_request("c1", state=RequestState.Unknown, at=NOW - 14 * SECOND),))
    text, style = drawing.state_cell(order, NOW, UNICODE, COLOURS)
    assert (text, style.reverse) == ("? Unknown 14s", True)


def test_an_unknown_cancel_of_a_live_order_is_marked_too():
    order = with_request(
        an_order(ord_status=OrdStatus.New, requests=()),
        a_request("c1-cancel", RequestKind.Cancel, NOW - 3 * SECOND, state=RequestState.Unknown),
        at=NOW,
    )
    text, style = drawing.state_cell(order, NOW, UNICODE, COLOURS)
    assert (text, style.reverse) == ("? PendingCancel 3s", True)
    assert asked(order, RequestKind.Cancel, NOW).request.kind is RequestKind.Cancel


@pytest.mark.parametrize("status", [status for status in OrdStatus if status is not OrdStatus.PendingNew])
def test_every_state_is_a_word_on_the_screen(status):
    assert status.value in drawing.state_cell(an_order(ord_status=status, requests=()), NOW, UNICODE, COLOURS)[0]


@pytest.mark.parametrize("state", AccountState)
def test_every_account_state_is_a_word_and_a_halt_outranks_it(state):
    shown = drawing.account_state_cell(state, False, UNICODE, COLOURS)[0]
    assert shown.strip() == "■ HALT" if state is AccountState.Halted else state.value in shown
    assert drawing.account_state_cell(state, True, ASCII, COLOURS)[0] == "# HALT"


def test_a_limit_is_called_out_from_eighty_percent():
    assert drawing.use_cell(0.79, "exposure", UNICODE, COLOURS)[0] == "79%"
    assert drawing.use_cell(0.92, "exposure", UNICODE, COLOURS)[0] == "▲ 92% exposure"
    assert drawing.use_cell(0.92, "exposure", ASCII, COLOURS)[0] == "^92% exposure"
    assert drawing.use_cell(None, "", UNICODE, COLOURS)[0] == "–"


# -- how old data is ----------------------------------------------------------------------------------------------------


def test_a_live_feed_is_plain():
    assert in_words(freshness(a_view(), BTC, NOW), UNICODE) == ""


def test_a_stale_feed_tells_its_age():
    """5.9"""
    assert in_words(freshness(a_view(stale=BTC), BTC, NOW), UNICODE) == "◌ STALE 12s"


def test_a_feed_that_says_nothing_for_five_seconds_is_stale_whatever_it_said_last():
    """5.9"""
    assert in_words(freshness(a_view(), BTC, NOW + 6 * SECOND), ASCII) == "o STALE 6s"


def test_all_is_stale_when_the_desk_stops_beating():
    """5.9"""
    assert freshness(a_view(), BTC, NOW + 4 * SECOND).state is FeedState.Stale


def test_all_is_disconnected_while_the_desk_is_away():
    fresh = freshness(a_view(lost=True), BTC, NOW)
    assert fresh.state is FeedState.Disconnected
    assert in_words(fresh, UNICODE) == "✕ DISCONNECTED 12:04:19"


@pytest.mark.parametrize("state", [FeedState.Gapped, FeedState.Crossed])
def test_a_broken_book_has_no_best_price(state):
    """5.9"""
    fresh = freshness(a_view(feed_state=state), BTC, NOW)
    assert not fresh.has_price
    assert in_words(fresh, UNICODE) == f"≠ {state.value.upper()}"


# -- the ladder's axis --------------------------------------------------------------------------------------------------


def test_steps_grow_by_one_two_five():
    assert [ladder.step_at(D("0.01"), zoom) for zoom in range(5)] == [
        D(n) for n in ("0.01", "0.02", "0.05", "0.1", "0.2")
    ]


@given(prices, prices, st.integers(0, 9))
def test_bids_and_asks_never_share_a_step_nor_look_better_than_they_are(bid, above, zoom):
    ask, step = bid + above, ladder.step_at(D("0.01"), zoom)
    low, high = ladder.index_of(bid, step, Side.Buy), ladder.index_of(ask, step, Side.Sell)
    assert low < high
    assert low * step <= bid
    assert high * step >= ask


@given(
    st.lists(st.tuples(prices, st.decimals(min_value="0.001", max_value=50, places=3)), max_size=30), st.integers(0, 9)
)
def test_gathering_loses_no_quantity(levels, zoom):
    assert sum(ladder.gathered(levels, ladder.step_at(D("0.01"), zoom), Side.Buy).values()) == sum(q for _, q in levels)


@given(st.integers(100, 10**6), st.integers(1, 3), st.integers(9, 60))
def test_a_centred_axis_is_not_off_centre(bid, spread, rows):
    top = ladder.centred_top(bid, bid + spread, rows)
    assert not ladder.is_off_centre(top, rows, bid, bid + spread)


def test_our_orders_on_one_step_are_counted_together():
    one, two = an_order("a", price=D("63996.40")), an_order("b", price=D("63996.10"), order_qty=D("0.2"))
    own = ladder.own_levels([one, two, an_order("m", price=None)], D("0.5"))
    assert {key: (level.count, level.leaves) for key, level in own.items()} == {(Side.Buy, 127992): (2, D("0.3"))}


# -- the chart's scale --------------------------------------------------------------------------------------------------


def test_longer_candles_hold_the_shorter_ones():
    minutes = a_candle_frame(BTC, 60).candles
    fives = chart.gathered(minutes, 5)
    assert sum(candle.volume for candle in fives) == sum(candle.volume for candle in minutes)
    assert max(candle.high for candle in fives) == max(candle.high for candle in minutes)
    assert (fives[0].open, fives[-1].close) == (minutes[0].open, minutes[-1].close)
    assert all(candle.open_time % (5 * drawing.MINUTE) == 0 for candle in fives)


@given(st.integers(4, 60), st.integers(0, 180))
def test_every_candle_lies_within_its_scale(rows, first):
    shown = a_candle_frame(BTC, 240).candles[first : first + 60]
    scale = chart.scale_for(shown, rows, 0.01)
    assert all(scale.low <= candle.low and candle.high <= scale.high for candle in shown)
    rows_of = [scale.row(float(candle.close)) for candle in shown]
    assert all(0 <= row < rows for row in rows_of)


@pytest.mark.parametrize("glyphs", [UNICODE, ASCII])
def test_rising_and_falling_candles_differ_without_colour(glyphs):
    def candle(opened: int, close: int) -> Candle:
        return Candle(open_time=0, open=D(opened), high=D(110), low=D(90), close=D(close), volume=D(1))

    scale = chart.Scale(low=90, high=110, step=5, rows=10)
    up, down = (
        "".join(cell[0] if cell else " " for cell in chart.column_of(candle(*pair), scale, glyphs, Style(), Style()))
        for pair in ((95, 105), (105, 95))
    )
    assert up != down
    assert len(up) == 10


def test_a_flat_market_still_has_a_scale():
    flat = [Candle(open_time=0, open=D(5), high=D(5), low=D(5), close=D(5), volume=D(0))]
    scale = chart.scale_for(flat, 10, 0.01)
    assert scale.low < 5 < scale.high
