"""The command line's language: what each line asks for, and where it is wrong."""

import pytest
from desk_builders import ACME, BTC, a_view
from hypothesis import given, settings
from hypothesis import strategies as st

from tradedesk.domain.accounts import HaltLevel
from tradedesk.domain.scopes import Scope, ScopeKind
from tradedesk.domain.words import OrderType, Side, TimeInForce
from tradedesk.ui import verbs
from tradedesk.ui.ticket_model import Fields
from tradedesk.ui.verbs import (
    Acknowledge,
    AskHalt,
    AskRearm,
    CancelScope,
    FillTicket,
    FilterRows,
    FlattenPosition,
    Go,
    Mistake,
    Plain,
    ShowTheme,
    Snooze,
)

REPLICA = a_view().replica
THEMES = ("desk-dark", "desk-light", "mono")


def a_scope(kind: str, name: str) -> Scope:
    return Scope(kind=ScopeKind(kind), name=name)


def parsed(line: str, *, may_trade: bool = True) -> object:
    return verbs.parse(line, REPLICA, THEMES, may_trade=may_trade)


@pytest.mark.parametrize(
    ("line", "asked"),
    [
        (
            "acme BTC/USDT buy 0.1 @63999.5 post",
            FillTicket(fields=Fields(accounts="acme", instrument="BTC/USDT", qty="0.1", price="63999.5", post_only=True)),
        ),
        (
            "acme,birch eth sell 2 @3120 ioc reduce",
            FillTicket(
                fields=Fields(
                    accounts="acme,birch", instrument="ETH/USDT", side=Side.Sell, qty="2", price="3120",
                    time_in_force=TimeInForce.ImmediateOrCancel, reduce_only=True,
                )
            ),
        ),
        (
            "@all BTCUSDT buy market 0.5",
            FillTicket(
                fields=Fields(
                    accounts="acme,birch,cedar", instrument="BTC/USDT", order_type=OrderType.Market, qty="0.5"
                )
            ),
        ),
        ("acme buy btc 0.1", FillTicket(fields=Fields(accounts="acme", instrument="BTC/USDT", qty="0.1"))),
        ("acme BTC buy", FillTicket(fields=Fields(accounts="acme", instrument="BTC/USDT"))),
        ("acme BTC buy -3 @nonsense", FillTicket(fields=Fields(accounts="acme", instrument="BTC/USDT", qty="-3", price="nonsense"))),
        ("@all cancel BTC", CancelScope(accounts=("acme", "birch", "cedar"), instrument="BTC/USDT")),
        ("@growth cancel", CancelScope(accounts=("acme", "birch", "cedar"))),
        ("ACME btc cancel sell", CancelScope(accounts=(ACME,), instrument="BTC/USDT", side=Side.Sell)),
        ("acme BTC flatten", FlattenPosition(account=ACME, instrument=BTC)),
        ("acme flatten BTC/USDT", FlattenPosition(account=ACME, instrument=BTC)),
        ("halt acme fat finger", AskHalt(account=ACME, reason="fat finger")),
        ("halt acme cancel-all wrong client", AskHalt(account=ACME, level=HaltLevel.CancelAll, reason="wrong client")),
        ("halt desk", AskHalt(account=None)),
        ("halt @growth on fire", AskHalt(account=None, scope=a_scope("group", "growth"), reason="on fire")),
        ("halt instrument:btc block-new delisted", AskHalt(
            account=None, scope=a_scope("instrument", BTC), level=HaltLevel.BlockNew, reason="delisted"
        )),
        ("halt venue:BINANCE", AskHalt(account=None, scope=a_scope("venue", "binance"))),
        ("halt algorithm:twap:7 runs away", AskHalt(
            account=None, scope=a_scope("algorithm", "twap:7"), reason="runs away"
        )),
        ("rearm operator:ann back", AskRearm(account=None, scope=a_scope("operator", "ann"), reason="back")),
        ("rearm acme  checked with  the client", AskRearm(account=ACME, reason="checked with  the client")),
        ("go orders", Go(pane="orders")),
        ("theme MONO", ShowTheme(name="mono")),
        ("layout reset", Plain(verb="layout reset")),
        ("filter acm", FilterRows(text="acm")),
        ("filter", FilterRows(text="")),
        ("quit", Plain(verb="quit")),
        ("  arm ", Plain(verb="arm")),
        ("ack  client called", Acknowledge(note="client called")),
        ("ack", Acknowledge()),
        ("snooze 30m  maintenance", Snooze(span_ns=1_800 * 10**9, note="maintenance")),
    ],
)  # fmt: skip
def test_a_line_asks_for_one_thing(line: str, asked: object) -> None:
    assert parsed(line) == asked


@pytest.mark.parametrize(
    ("line", "word", "says"),
    [
        ("acm BTC buy 0.1", "acm", "did you mean acme?"),
        ("acme BTX/USDT buy 0.1", "BTX/USDT", "did you mean BTC/USDT?"),
        ("acme BTC bye 0.1", "bye", "did you mean buy?"),
        ("acme BTC buy 0.1 pots", "pots", "did you mean post?"),
        ("acme BTC buy 0.1 64000", "64000", "write a price as @64000"),
        ("acme BTC buy 0.1 @ 64000", "@", "without a space"),
        ("acme BTC buy market 0.1 @64000", "@64000", "market order has no price"),
        ("@groth cancel", "@groth", "did you mean @growth?"),
        ("hlat acme", "hlat", "did you mean halt?"),
        ("halt acmee x", "acmee", "did you mean acme?"),
        ("halt @grwth x", "@grwth", "did you mean growth?"),
        ("halt instrument:XYZ x", "instrument:XYZ", "no instrument 'XYZ'"),
        ("halt @all x", "@all", "one account at a time"),
        ("go order", "order", "did you mean orders?"),
        ("theme mno", "mno", "did you mean mono?"),
        ("snooze 30", "30", "no length of time; write 90s, 30m or 2h"),
        ("snooze forever", "forever", "no length of time"),
        ("quit now", "now", "too many after quit"),
        ("@all flatten BTC", "@all", "one account at a time"),
        ("acme,birch cancel BTC ETH", "ETH", "one word too many"),
    ],
)
def test_a_mistake_points_at_its_word_and_names_the_nearest_known(line: str, word: str, says: str) -> None:
    mistake = parsed(line)
    assert isinstance(mistake, Mistake)
    assert line[mistake.start : mistake.end] == word
    assert says in mistake.text


@pytest.mark.parametrize("line", ["acme", "acme BTC", "go", "halt", "acme flatten", ""])
def test_a_line_that_stops_too_early_points_at_its_end(line: str) -> None:
    mistake = parsed(line)
    assert isinstance(mistake, Mistake)
    assert mistake.start >= len(line)


@pytest.mark.parametrize(
    "line",
    ["halt acme x", "acme BTC buy 0.1 @64000", "@all cancel BTC", "arm", "rearm acme", "ack", "snooze 5m", "undo"],
)
def test_the_monitor_knows_no_order_verb(line: str) -> None:
    """5.12: absent, not disabled."""
    mistake = parsed(line, may_trade=False)
    assert isinstance(mistake, Mistake)
    assert "no command" in mistake.text
    assert not set(verbs.TRADE_VERBS) & set(verbs.candidates("", 0, REPLICA, THEMES, may_trade=False))


@given(
    st.text(max_size=60)
    | st.lists(st.sampled_from(["acme", "BTC", "buy", "0.1", "@1", "halt", "go", "@all", "cancel", "\t"])).map(" ".join)
)
@settings(max_examples=150)
def test_any_line_is_understood_or_pointed_at(line: str) -> None:
    asked = parsed(line)
    if isinstance(asked, Mistake):
        assert asked.text
        assert asked.end >= asked.start >= 0


@pytest.mark.parametrize(
    ("line", "among"),
    [
        ("", "acme"),
        ("ac", "acme"),
        ("go ", "orders"),
        ("theme m", "mono"),
        ("acme ", "BTC/USDT"),
        ("acme BTC/USDT ", "buy"),
        ("acme BTC/USDT buy 0.1 ", "post"),
        ("acme cancel ", "ETH/USDT"),
        ("halt ", "desk"),
        ("halt acme ", "cancel-opening"),
    ],
)
def test_completion_offers_what_may_stand_at_the_cursor(line: str, among: str) -> None:
    assert among in verbs.candidates(line, len(line), REPLICA, THEMES, may_trade=True)


def test_the_word_under_the_cursor_is_the_one_completed() -> None:
    assert verbs.current_start("acme BT buy", 7) == 5
    assert verbs.current_start("acme ", 5) == 5
    assert verbs.current_start("", 0) == 0
