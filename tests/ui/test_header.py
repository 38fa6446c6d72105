"""The header, the bands, the footer and the notices: what stands there, at any width."""

from decimal import Decimal

import msgspec
import pytest
from desk_builders import ACME, ANN, BTC, NOW, SECOND, a_fill, a_view, an_order, feed_of, moved, working
from hypothesis import given
from hypothesis import strategies as st
from rich.style import Style

from tradedesk.domain.accounts import Mode
from tradedesk.domain.events import OrderFilled, RequestDecided
from tradedesk.domain.orders import Happening, RequestState
from tradedesk.domain.words import OperatorId, RequestId
from tradedesk.ui.drawing import ASCII, UNICODE, Line, line_width, palette
from tradedesk.ui.header import Standing, band_lines, footer_line, header_line
from tradedesk.ui.keys import READ_KEYS, TRADE_KEYS, checked_keymap
from tradedesk.ui.keys import shown as key_shown
from tradedesk.ui.notices import LASTS_NS, SHOWN, Notice, added, notice_lines, notice_of, still

COLOURS = palette(lambda _: Style())
STANDING = Standing(operator=ANN, instrument=BTC, may_trade=True, is_armed=False, lag_ns=None, now=NOW)


def text(line: Line) -> str:
    return "".join(part for part, _ in line)


def header(width: int = 80, *, lost: bool = False, mode: Mode = Mode.Paper, **changes: object) -> str:
    view = a_view(lost=lost, mode=mode)
    standing = msgspec.structs.replace(STANDING, **changes)
    return text(header_line(view, standing, width, UNICODE, COLOURS))


def test_the_header_says_mode_arming_instrument_alerts_halts_links_and_time() -> None:
    assert header() == "//PAPER//│disarmed│3 accts│BTC/USDT│alerts 4│halt 0│link 2/3│ann     12:04:31Z ●"
    assert "│ARMED│" in header(is_armed=True)
    assert header(mode=Mode.Live).startswith(" LIVE │")


@given(st.integers(60, 260), st.booleans(), st.booleans())
def test_the_header_is_one_line_and_never_loses_mode_arming_halt_or_clock(
    width: int, trades: bool, armed: bool
) -> None:
    line = header(width, may_trade=trades, is_armed=armed, lag_ns=40_000_000)
    assert len(line) == width
    for word in (
        "PAPER",
        "ARMED" if trades and armed else "disarmed" if trades else "READ-ONLY",
        "halt 0",
        "12:04:31Z",
    ):
        assert word in line


def test_a_frozen_desk_stops_the_clock_and_the_heartbeat() -> None:
    """A frozen screen must not look calm."""
    line = header(now=NOW + 42 * SECOND)
    assert line.endswith("12:04:31Z ✕ 42s")
    assert "●" not in line


def test_bands_name_what_is_wrong_since_when_and_who() -> None:
    view = a_view(lost=True, halted="desk")
    lost, halt = (text(line) for line in band_lines(view, NOW, 120, ASCII, COLOURS))
    assert "BLIND since 12:04:19Z (12s)" in lost
    assert "# HALT DESK: cancel-opening by ann 12:01:11Z: client asked to stop" in halt
    assert len(lost) == len(halt) == 120
    assert band_lines(a_view(), NOW, 120, UNICODE, COLOURS) == []


@given(st.integers(20, 200))
def test_the_footer_keeps_its_last_key_at_the_right(width: int) -> None:
    line = footer_line([("?", "help"), ("n", "new"), ("F12", "halt"), ("^p", "palette")], width, COLOURS)
    assert line_width(line) == width
    assert text(line).endswith("^p palette ")


def test_no_two_keys_of_the_desk_are_the_same() -> None:
    keys = [key for one in (*READ_KEYS, *TRADE_KEYS) for key in one.key.split(",")]
    assert len(keys) == len(set(keys))
    assert len({one.id for one in (*READ_KEYS, *TRADE_KEYS)}) == len((*READ_KEYS, *TRADE_KEYS))


def test_no_key_is_one_that_terminals_or_tmux_swallow() -> None:
    swallowed = {"f10", "f11", *(f"ctrl+{letter}" for letter in "basimhjz")}
    keys = {key for one in (*READ_KEYS, *TRADE_KEYS) for key in one.key.split(",")}
    assert not keys & swallowed
    assert not any("alt+" in key or "shift+enter" in key or "ctrl+enter" in key for key in keys)


def test_a_keymap_is_taken_or_all_its_mistakes_are_told() -> None:
    in_use = {key.id: key.key for key in (*READ_KEYS, *TRADE_KEYS)}
    assert checked_keymap({"order.new": "b"}, in_use) == {"order.new": "b"}
    assert checked_keymap({"order.new": "x", "order.cancel": "n"}, in_use)  # swapped: no clash is left
    with pytest.raises(ValueError, match=r"no such action; did you mean order\.new") as mistakes:
        checked_keymap({"order.nwe": "b", "order.cancel": "n"}, in_use)
    assert "order.new" in str(mistakes.value)
    assert "order.cancel" in str(mistakes.value)
    assert [key_shown(key) for key in ("question_mark,f1", "ctrl+q", "f12", "x")] == ["?", "^q", "F12", "x"]


def test_at_most_three_notices_and_the_same_one_is_counted() -> None:
    notices: tuple[Notice, ...] = ()
    for words in ("a", "b", "a", "c", "d"):
        notices = added(notices, Notice(text=words), 0)
    assert [(notice.text, notice.count) for notice in notices] == [("a", 2), ("c", 1), ("d", 1)]


@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.booleans()), max_size=20))
def test_a_sticky_notice_gives_way_only_to_another(said: list[tuple[str, bool]]) -> None:
    notices: tuple[Notice, ...] = ()
    for words, is_sticky in said:
        notices = added(notices, Notice(text=words, is_sticky=is_sticky), 0)
        assert len(notices) <= SHOWN
    assert all(notice.is_sticky for notice in still(notices, LASTS_NS))


def test_a_long_notice_takes_two_lines_and_no_more() -> None:
    lines = notice_lines([Notice(text="word " * 60, is_sticky=True)], 56, UNICODE, COLOURS)
    assert [len(text(line)) for line in lines] == [56, 56]
    assert text(lines[-1]).rstrip().endswith("…")


def test_fills_and_rejects_are_told_to_the_operator_whose_order_it_is() -> None:
    view = a_view(is_empty=True)
    mine, theirs = an_order("c1"), an_order("c2", operator=OperatorId("bob"))
    feed_of(view).push(*working(mine), *working(theirs))
    view.poll()
    fill = OrderFilled(at=NOW, source="w", fill=a_fill(mine, "0.1", "63990"))
    view.replica.apply(fill)
    told = notice_of(fill, view.replica, ANN)
    assert told is not None
    assert told.text == "FILL acme BUY 0.1 BTC/USDT @ 63990, all of it"
    assert notice_of(moved(theirs, Happening.Rejected, "no"), view.replica, ANN) is None
    rejected = notice_of(moved(mine, Happening.Rejected, "insufficient balance"), view.replica, ANN)
    assert rejected is not None
    assert rejected.is_sticky
    assert "insufficient balance" in rejected.text


def test_an_unknown_request_stays_until_it_is_seen() -> None:
    view = a_view(is_empty=True)
    feed_of(view).push(*working(an_order("c1", order_qty=Decimal("0.1"))))
    view.poll()
    decided = RequestDecided(
        at=NOW, source="w", account=ACME, client_order_id=an_order("c1").client_order_id, request_id=RequestId("c1"),
        state=RequestState.Unknown, reasons=("no answer within 5 s",),
    )  # fmt: skip
    told = notice_of(decided, view.replica, ANN)
    assert told is not None
    assert told.is_sticky
    assert told.text.startswith("UNKNOWN new of acme BUY 0.1 BTC/USDT")
