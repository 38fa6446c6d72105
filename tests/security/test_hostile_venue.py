"""F79, F80, F84, F85: a venue that means harm against the whole program on a real terminal: every byte it writes is looked at.

Escapes, markup, megabytes, bombs, deep nesting, wrong types, no numbers, names that only look alike, forged log lines and
the key itself, in answers and on streams: each is refused or told as words, and the screen lives on.
"""

import itertools
import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import pytest
from aiohttp import web
from canaries import SECRETS, accounts_file
from hostile_front import BOMB, Answer, Front, body, hostile_front, refuses
from hunter import Hunter
from paper_process import has_loopback_range, paper_process
from terminal import Screen, on_a_terminal

from tradedesk.cli.demo import make_desk, new_vault
from tradedesk.cli.reach import Watch
from tradedesk.clock import SystemClock
from tradedesk.config import Home, find_home
from tradedesk.desk.client import RemoteControl
from tradedesk.domain.accounts import AccountState
from tradedesk.domain.commands import PlaceOrder, Reconcile, Submitted
from tradedesk.domain.orders import OrderState, state
from tradedesk.domain.words import AccountId, ClientOrderId, InstrumentId, OperatorId, OrderType, Side, TimeInForce

pytestmark = pytest.mark.skipif(not has_loopback_range(), reason="needs loopback addresses besides 127.0.0.1")
WITHIN_S = 150.0  # a stream that failed again and again waits half a minute before the next try
ACME, BIRCH, BTC, ME = AccountId("acme"), AccountId("birch"), InstrumentId("binance:BTCUSDT"), OperatorId("demo")
KEY, SECRET = SECRETS["acme's key"], SECRETS["acme's secret"]
HUNTER = Hunter(SECRETS)
# A whole picture, from its first row to its last, without the keys' dialog.
WITHOUT_KEYS = re.compile(r"1 Market(?:(?!Esc closes|1 Market).)*PAPER", re.DOTALL)

FORGED = "\n2026-11-24T12:00:00.000Z error FORGED account=acme"
STEERS = "\x1b]52;c;aGFjaw==\x07\x1b]0;pwned\x07\x1b[2J\x1b[31m\x1bc\x9b31m\x1bP1;1|x\x1b\\\u202eevil\u2066\u200b"
MARKUP = "[@click=app.leave]x[/] [/] [bold red]y[/bold red] [link=http://evil]z[/link]"
TEXT = f"HOSTILE{STEERS}{MARKUP}{FORGED} {KEY} {SECRET}"
CYRILLIC = "\u0412\u0422\u0421"  # as BTC to the eye

DEEP = '{"a":' * 5_000 + "1" + "}" * 5_000
ORDER = {
    "symbol": "BTCUSDT", "orderId": 1, "clientOrderId": "c", "transactTime": 1, "price": "1", "origQty": "1",
    "executedQty": "0", "status": "NEW", "side": "BUY", "fills": [],
}  # fmt: skip


async def trickle(request: web.Request, _: bytes) -> web.StreamResponse:
    """Twenty megabytes, a piece at a time."""
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    await response.prepare(request)
    for _ in range(20):
        await response.write(b"[" + b"0," * 500_000)
    return response


def wrong(**fields: Any) -> Answer:
    return body(json.dumps(ORDER | fields))


ANSWERS: dict[str, Answer] = {
    "text that steers": refuses(TEXT),
    "text that steers, as a known proof": refuses(TEXT, code=-1013),
    "two megabytes of text": refuses(TEXT * 10_000),
    "fields that steer": wrong(symbol=TEXT, clientOrderId=TEXT, status=TEXT, side=TEXT),
    "wrong types": wrong(orderId="x", price=1.5, origQty=None, executedQty=[], status={}, transactTime="1", fills="none"),
    "no numbers": body('{"orderId": NaN, "price": Infinity, "origQty": -Infinity}'),
    "numbers that are none": wrong(price="1e999999", origQty="1_0", executedQty="\u0661"),
    "a number of five thousand digits": body('{"orderId": ' + "9" * 5_000 + "}"),
    "a time beyond all time": wrong(transactTime=10**18),
    "a name twice": body('{"symbol": "BTCUSDT", "orderId": 1, "orderId": 2}'),
    "deep nesting": body(DEEP),
    "deep lists": body("[" * 1_000_000),
    "twenty megabytes": trickle,
    "a bomb": body(BOMB, Content_Encoding="gzip"),
    "a broken encoding": body(b"\x1f\x8b\x08 nothing of the kind", Content_Encoding="gzip"),
    "a login page": body(f"<html>{TEXT}</html>", Content_Type="text/html"),
    "a slow alphabet": body(b"abc-" * 500_000, Content_Type="application/json; charset=punycode"),
    "no alphabet": body(b"\xff\xfe\xfd", Content_Type="application/json; charset=\x22[/]\x22"),
    "half a surrogate": body('{"code": -2010, "msg": "\\ud800 \ud800"}', status=400),
    "a header that steers": body("{}", status=418, Retry_After="\x0b[31m"),
}  # fmt: skip

LOOKS = {
    "openOrders": [
        json.dumps([ORDER | {"symbol": f"{CYRILLIC}USDT", "clientOrderId": TEXT, "orderId": 5}]),
        json.dumps([ORDER | {"orderId": 10**18, "clientOrderId": "\u200b"}]),
        json.dumps({"orders": TEXT}),
        "[" * 500,
    ],
    "account": [
        json.dumps({"balances": [{"asset": CYRILLIC, "free": "1000000", "locked": "0"}], "uid": TEXT, "canTrade": TEXT}),
        json.dumps({"balances": [{"asset": TEXT, "free": "NaN", "locked": "0"}]}),
        json.dumps({"balances": [{"asset": "BTC", "free": "9" * 400, "locked": 0}]}),
        json.dumps({"balances": None}),
    ],
    "time": ['{"serverTime": 1e999}', '{"serverTime": -1}', json.dumps({"serverTime": 10**18}), json.dumps({"serverTime": TEXT})],
    "myTrades": [json.dumps([{"id": TEXT, "orderId": 1}]), json.dumps(TEXT)],
}  # fmt: skip

FRAMES: dict[str, str | bytes] = {
    "no JSON": TEXT,
    "a list": json.dumps([TEXT]),
    "deep": DEEP,
    "two megabytes": json.dumps({"e": "executionReport", "r": "x" * 2_000_000}),
    "binary": b"\x1b]0;pwned\x07",
    "no numbers": '{"e": "executionReport", "E": NaN}',
    "a kind that steers": json.dumps({"e": TEXT, "s": TEXT, "event": TEXT}),
    "no name at all": json.dumps({"e": [TEXT], "s": {}}),
    "fields that steer": json.dumps({"e": "executionReport"} | dict.fromkeys("EsCcSqpxXrilzLnNTtm", TEXT)),
    "balances that steer": json.dumps({"e": "outboundAccountPosition", "E": 1, "B": [{"a": TEXT, "f": "NaN", "l": TEXT}]}),
    "money that steers": json.dumps({"e": "balanceUpdate", "a": TEXT, "d": TEXT}),
    "an end": json.dumps({"e": "eventStreamTerminated", "why": TEXT}),
}  # fmt: skip
MARKET: dict[str, str | bytes] = {
    "no JSON": TEXT,
    "deep": DEEP,
    "fields that steer": json.dumps({"e": "depthUpdate", "s": "BTCUSDT", "E": TEXT, "U": TEXT, "u": {}, "b": TEXT, "a": [[TEXT]]}),
    "prices that are none": json.dumps(
        {"e": "depthUpdate", "s": "BTCUSDT", "E": 1, "U": 1, "u": 2, "b": [["1e999999", "1"]], "a": [["NaN", "1"]]}
    ),
    "a trade that steers": json.dumps({"e": "trade", "s": "BTCUSDT", "E": 1, "T": 10**18, "t": TEXT, "p": "-1", "q": "1_0"}),
    "a symbol of no kind": json.dumps({"e": "trade", "s": [TEXT]}),
    "binary": b"\xff\x00\x1b[2J",
    "two megabytes": json.dumps({"e": "trade", "x": "y" * 2_000_000}),
}  # fmt: skip


class Trader:
    """An operator at another terminal of the desk: gives commands, waits for what they come to."""

    def __init__(self, home: Home, front: Front) -> None:
        self.front = front
        self.watch = Watch(home)
        self.control = RemoteControl(home.control_socket, ME)
        self._clock, self._numbers = SystemClock(), itertools.count(1)
        self._never = threading.Event()

    def until(self, happened: Callable[[], Any], what: str | Callable[[], str]) -> None:
        happened_in_time = self.watch.until(lambda: self.watch.view.is_fed and bool(happened()), WITHIN_S)
        assert happened_in_time, f"not within {WITHIN_S:.0f} s: {what if isinstance(what, str) else what()}"

    def until_ready(self) -> None:
        def rows() -> list[Any]:
            return list(self.watch.replica.accounts.values())

        self.until(
            lambda: len(rows()) == 3 and all(row.state is AccountState.Ready for row in rows()),
            lambda: f"every account ready: {[(row.account.id, row.state, row.reason) for row in rows()]}",
        )

    def place(self, price: str | None = "1000", qty: str = "0.01") -> ClientOrderId:
        key = ClientOrderId(f"h{next(self._numbers)}-{self._clock.now() // 1_000_000}")
        reply = self.control.submit(
            PlaceOrder(
                account=ACME, client_order_id=key, instrument=BTC, side=Side.Buy,
                order_type=OrderType.Market if price is None else OrderType.Limit,
                time_in_force=TimeInForce.GoodTillCancel, order_qty=Decimal(qty),
                price=None if price is None else Decimal(price), operator=ME, deadline=self._clock.now() + 10 * 10**9,
            )
        )  # fmt: skip
        assert isinstance(reply, Submitted), reply
        return key

    def order_state(self, key: ClientOrderId) -> OrderState | None:
        order = self.watch.replica.orders.get(key)
        return None if order is None else state(order)

    def settled(self, key: ClientOrderId) -> OrderState | None:
        """How it stands once it was decided about."""
        self.until(lambda: self.order_state(key) not in (None, OrderState.PendingNew), "it was decided about")
        return self.order_state(key)

    def placed(self, price: str | None, qty: str = "0.01") -> ClientOrderId:
        """An order that the Gate lets pass: a stream that was ended before may still be on its way back when it is asked."""
        while self.settled(key := self.place(price, qty)) is OrderState.Denied:
            reasons = self.watch.replica.orders[key].reasons
            passing = ("account acme is", "the market's data is")
            assert all(reason.startswith(passing) for reason in reasons), list(reasons)
            self.pause(0.2)
            self.until_ready()
        return key

    def below(self) -> str:
        self.until(lambda: self.watch.replica.market(BTC).bids, "a price")
        return f"{self.watch.replica.market(BTC).bids[0][0] * 98 / 100:.2f}"

    def reconcile(self) -> None:
        assert isinstance(self.control.submit(Reconcile(account=ACME, operator=ME)), Submitted)

    def pause(self, seconds: float) -> None:
        self._never.wait(seconds)

    def struck(self, method: str, path: str) -> None:
        deadline = time.monotonic() + WITHIN_S
        while not self.front.struck(method, path):
            assert time.monotonic() < deadline, f"{method} {path} was not asked"
            self.pause(0.02)


class Stage:
    """The program on its terminal, its venue, and somebody who trades beside it."""

    def __init__(self, screen: Screen, trader: Trader, home: Home) -> None:
        self.screen, self.trader, self.home = screen, trader, home
        self.front = trader.front

    def stands(self) -> None:
        """It lives, answers to a key, and has written nothing that steers."""
        assert self.screen.process.poll() is None
        before = len(self.screen.bytes())
        self.screen.type(b"?")
        self.screen.until("Everywhere", before)
        self.screen.press_until(b"\x1b", WITHOUT_KEYS)
        assert self.screen.unexpected() == []
        assert HUNTER.in_bytes(self.screen.bytes()) == set()


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    folder = tmp_path_factory.mktemp("hostile")
    keys = accounts_file(tmp_path_factory.mktemp("exchange"))
    home = find_home({"TRADEDESK_HOME": str(folder)})
    with paper_process("--seed", "11", "--accounts-file", str(keys)) as paper, hostile_front(paper["rest"]) as front:
        make_desk(home, paper | {"rest": front.url}, new_vault(home))
        with on_a_terminal(env={"TRADEDESK_HOME": str(folder)}) as screen:
            screen.until("PAPER")
            trader = Trader(home, front)
            trader.until_ready()
            yield Stage(screen, trader, home)
            trader.watch.view.close()
            trader.control.close()


@pytest.mark.parametrize("name", ANSWERS)
def test_an_answer_to_an_order_is_refused_or_proves_nothing(stage: Stage, name: str) -> None:
    trader = stage.trader
    trader.until_ready()
    price = trader.below()
    stage.front.answers("POST", "order", ANSWERS[name])
    key = trader.place(price)
    trader.struck("POST", "order")
    stage.front.behave()
    trader.until(
        lambda: trader.order_state(key) not in (None, OrderState.PendingNew, OrderState.New, OrderState.Filled),
        lambda: f"{key} is not taken for placed: {trader.order_state(key)}",
    )


@pytest.mark.parametrize(("path", "number"), [(path, n) for path, texts in LOOKS.items() for n in range(len(texts))])
def test_an_answer_to_a_question_is_refused_or_told_as_words(stage: Stage, path: str, number: int) -> None:
    trader = stage.trader
    trader.until_ready()
    stage.front.answers("GET", path, body(LOOKS[path][number]))
    trader.reconcile()
    if path != "myTrades":  # asked only if there is something to ask about
        trader.struck("GET", path)
    stage.front.behave()
    trader.reconcile()
    trader.until_ready()


@pytest.mark.parametrize("name", FRAMES)
def test_a_message_of_an_accounts_stream_ends_the_stream_at_most(stage: Stage, name: str) -> None:
    stage.trader.until_ready()
    stage.front.says(FRAMES[name])
    stage.trader.until(lambda: stage.front.streams()[0] >= 3, lambda: f"the streams are up: {stage.front.streams()}")
    stage.trader.until_ready()


@pytest.mark.parametrize("name", MARKET)
def test_a_message_of_the_market_ends_the_stream_at_most(stage: Stage, name: str) -> None:
    stage.trader.until_ready()
    stage.front.says(MARKET[name], to="public")
    stage.trader.until(lambda: stage.front.streams()[1] >= 1, "the stream is up")
    stage.trader.below()


def test_events_that_are_changed_on_their_way_are_told_as_words(stage: Stage) -> None:
    trader = stage.trader
    trader.until_ready()

    def edit(event: dict[str, Any]) -> None:
        if event.get("e") == "executionReport":
            event.update(N=f"{CYRILLIC}{MARKUP}", r=TEXT, j=TEXT, W=TEXT)
        if event.get("e") == "outboundAccountPosition":
            event["B"].append({"a": f"{CYRILLIC}", "f": "1", "l": "0"})
            event["B"].append({"a": f"{MARKUP}\x1b[2J", "f": "1", "l": "0"})

    stage.front.edits(edit)
    key = trader.placed(None, qty="0.001")
    trader.until(
        lambda: trader.order_state(key) is OrderState.Filled,
        lambda: f"it fills all the same: {trader.watch.replica.orders.get(key)}",
    )
    stage.front.behave()
    stage.trader.reconcile()
    trader.until_ready()


def test_after_all_of_it_the_screen_is_clean_and_alive(stage: Stage) -> None:
    for pane in b"1234567":
        stage.screen.type(bytes([pane]))
        stage.stands()
    titles = stage.screen.titles()
    assert titles
    assert all(title.startswith("tradedesk") for title in titles)
    assert "HOSTILE" in stage.screen.text()  # it was shown, as letters


def test_after_all_of_it_an_order_goes_its_way(stage: Stage) -> None:
    trader = stage.trader
    trader.until_ready()
    key = trader.placed(trader.below())
    trader.until(lambda: trader.order_state(key) is OrderState.New, "the exchange took it")


def test_no_log_line_was_forged_and_no_secret_written(stage: Stage) -> None:
    logged = "".join(path.read_text() for path in stage.home.log.glob("tradedesk.log*"))
    assert not re.search(r"^\S+ error FORGED", logged, re.MULTILINE)
    assert all(letter.isprintable() or letter == "\n" for letter in logged)
    assert HUNTER.in_files(stage.home.config.parent) == []


def test_a_name_that_only_looks_alike_is_shown_by_its_codes(stage: Stage) -> None:
    shown = json.dumps([*stage.trader.watch.replica.orders, *map(repr, stage.trader.watch.replica.alerts.values())])
    written = stage.screen.text() + shown
    assert CYRILLIC not in written


def test_at_the_end_the_terminal_is_given_back(stage: Stage) -> None:
    before = len(stage.screen.bytes())
    stage.screen.type(b"\x11")  # Ctrl+Q
    stage.screen.until("at the venue", before)
    assert stage.screen.end_by(b"y") == 0
    ending = stage.screen.bytes()[before:]
    assert b"\x1b[?1049l" in ending
    assert b"\x1b[?25h" in ending
    assert stage.screen.unexpected() == []
