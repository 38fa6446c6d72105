"""The stream as lines: what a pipe and a screen reader get."""

import io
import json
import threading
from collections.abc import Callable
from decimal import Decimal

from tradedesk.domain.accounts import HaltLevel
from tradedesk.domain.events import (
    BookFrame,
    CancelSwept,
    Event,
    ExitProved,
    ExitRefused,
    ExitSwitched,
    HaltSet,
    Heartbeat,
    LogWritten,
    MovementSeen,
    OrderChanged,
    OrderMoved,
    OrderPlaced,
    Reconciled,
    WorkItem,
)
from tradedesk.domain.instruments import FeedState
from tradedesk.domain.orders import Happening, Order
from tradedesk.domain.words import AccountId, ClientOrderId, InstrumentId, OperatorId, OrderType, Side, TimeInForce
from tradedesk.monitor.plain import json_line, print_stream, sentence
from tradedesk.views.feed import Feed, Lost, Numbered, Update
from tradedesk.views.replica import Replica

AT = 1_770_000_000_123_000_000


def an_order() -> Order:
    return Order(
        account=AccountId("acme"), client_order_id=ClientOrderId("c1"), instrument=InstrumentId("binance:BTCUSDT"),
        side=Side.Buy, order_type=OrderType.Limit, time_in_force=TimeInForce.GoodTillCancel, order_qty=Decimal("0.1"),
        price=Decimal("63999.50"), operator=OperatorId("ann"), egress="", placed_at=AT, deadline=AT,
    )  # fmt: skip


def said(event: Event, replica: Replica | None = None) -> str | None:
    return sentence(Numbered(1, event), replica or Replica())


def test_an_order_is_one_sentence() -> None:
    line = said(OrderPlaced(at=AT, source="worker:acme", order=an_order()))
    assert line == "02:40:00.123Z order acme buy 0.1 binance:BTCUSDT at 63999.5 gtc c1"


def test_news_of_an_order_names_it_in_full() -> None:
    replica = Replica()
    replica.apply(OrderPlaced(at=AT, source="worker:acme", order=an_order()))
    moved = OrderMoved(
        at=AT, source="worker:acme", account=AccountId("acme"), client_order_id=ClientOrderId("c1"),
        happening=Happening.Rejected, reason="insufficient balance",
    )  # fmt: skip
    line = said(moved, replica)
    assert line is not None
    assert line.endswith("Rejected: acme buy 0.1 binance:BTCUSDT at 63999.5 gtc c1: insufficient balance")


def test_what_comes_many_times_a_second_is_no_sentence() -> None:
    assert said(Heartbeat(at=AT, source="desk")) is None
    book = BookFrame(
        at=AT, source="feed", instrument=InstrumentId("m"), bids=(), asks=(), received_at=AT, state=FeedState.Live
    )
    assert said(book) is None


def test_what_differs_at_the_venue_is_told_with_what_it_waits_for() -> None:
    waits = WorkItem(key="balance:BTC", ours="2", venues="2.5", cause="nothing explains it", repair="book it: +0.5 BTC",
                     needs_decision=True)  # fmt: skip
    asked = WorkItem(key="order:c1", ours="new", venues="not open", cause="it ended", repair="the venue is asked",
                     needs_decision=False)  # fmt: skip
    line = said(
        Reconciled(
            at=AT,
            source="worker:acme",
            account=AccountId("acme"),
            differences=("BTC differs",),
            worklist=(waits, asked),
        )
    )
    assert line == (
        "02:40:00.123Z reconciled acme: BTC differs"
        "; TO SETTLE balance:BTC: ours 2, venue 2.5, nothing explains it (book it: +0.5 BTC)"
        "; under way order:c1: ours new, venue not open, it ended (the venue is asked)"
    )


def test_a_settled_difference_is_told_with_who_decided_it_and_why() -> None:
    accepted = MovementSeen(
        at=AT, source="worker:acme", account=AccountId("acme"), asset="BTC", amount=Decimal("0.5"), kind="accepted",
        by=OperatorId("ann"), note="old dust",
    )  # fmt: skip
    assert said(accepted) == "02:40:00.123Z accepted acme +0.5 BTC by ann: old dust"


def test_a_halt_of_the_whole_desk_says_so() -> None:
    halt = HaltSet(at=AT, source="desk", account=None, level=HaltLevel.CancelOpening, by=OperatorId("ann"), reason="x")
    line = said(halt)
    assert line is not None
    assert "HALT the whole desk cancel-opening by ann: x" in line


def test_text_from_outside_cannot_steer_the_terminal() -> None:
    """5.14"""
    line = said(LogWritten(at=AT, source="desk", level="info", event="e", text="a\x1b[2Jb\n\u202ec"))
    assert line is not None
    assert line.isprintable()


def test_json_is_one_object_a_line_with_its_schema() -> None:
    line = json_line(Numbered(7, OrderPlaced(at=AT, source="worker:acme", order=an_order())))
    told = json.loads(line)
    assert (told["schema"], told["type"], told["number"]) == ("monitor.v1", "Numbered", 7)
    assert told["event"]["order"]["price"] == "63999.50"
    assert "\n" not in line


class Told:
    """A feed that says its part once and then ends the run."""

    def __init__(self, updates: list[Update], until: threading.Event) -> None:
        self.updates, self.until, self.is_closed = updates, until, False

    def take(self) -> list[Update]:
        self.until.set()
        return self.updates

    def close(self) -> None:
        self.is_closed = True


def run(updates: list[Update], out: io.StringIO, *, as_json: bool) -> Told:
    until = threading.Event()
    feed = Told(updates, until)

    def opened(wake: Callable[[], None]) -> Feed:
        wake()
        return feed

    print_stream(opened, out, as_json=as_json, until=until.is_set)
    return feed


def test_the_stream_is_printed_line_by_line() -> None:
    out = io.StringIO()
    order = OrderPlaced(at=AT, source="worker:acme", order=an_order())
    feed = run([Replica().snapshot(1), Numbered(2, order), Lost(since=AT, reason="gone")], out, as_json=False)
    lines = out.getvalue().splitlines()
    assert [line.split()[1] for line in lines] == ["attached", "order", "blind"]
    assert feed.is_closed


def test_a_pipe_that_is_closed_ends_it_quietly() -> None:
    class Closed(io.StringIO):
        def flush(self) -> None:
            raise BrokenPipeError

    assert run([], Closed(), as_json=True).is_closed


def test_the_receipt_of_a_cancel_all_and_an_order_that_changed_are_one_sentence_each() -> None:
    swept = CancelSwept(
        at=AT, source="worker:acme", account=AccountId("acme"), instrument=None, side=None, by=OperatorId("ann"),
        cancelled=3, ended=1, left=0, took_ms=40,
    )  # fmt: skip
    assert (said(swept) or "").endswith("cancel-all of acme by ann: 3 cancelled, 1 ended before")
    replica = Replica()
    replica.apply(OrderPlaced(at=AT, source="worker:acme", order=an_order()))
    changed = OrderChanged(
        at=AT, source="worker:acme", account=AccountId("acme"), client_order_id=ClientOrderId("c1"),
        order_qty=Decimal("0.05"), known_as=ClientOrderId("x9"),
    )  # fmt: skip
    assert (said(changed, replica) or "").endswith("c1: 0.05 in all, called x9 by the venue")


def test_what_becomes_of_an_exit_is_one_sentence_each() -> None:
    acme = AccountId("acme")
    switched = ExitSwitched(at=AT, source="desk", account=acme, exit="10.0.0.5", by=OperatorId("ann"), reason="dead")
    proved = ExitProved(at=AT, source="w", account=acme, exit="http://p:1", seen="203.0.113.7", how="echo e")
    refused = ExitRefused(at=AT, source="w", account=acme, exit="10.0.0.5", seen=None, how="echo e", reason="no answer")
    assert [(said(event) or "").split(" ", 1)[1] for event in (switched, proved, refused)] == [
        "acme leaves by 10.0.0.5 (by ann: dead)",
        "exit of acme proved: http://p:1 is seen at 203.0.113.7 by echo e",
        "exit of acme not proved: no answer",
    ]
