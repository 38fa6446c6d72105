"""The hub: one number per event, no hole for any reader, and what happens to those that fall behind."""

import threading
from collections.abc import Callable

import pytest
from builders import BTCUSDT, NOW, placed
from hypothesis import given, settings
from hypothesis import strategies as st

from tradedesk.bus import Inbox
from tradedesk.desk import hub as hub_module
from tradedesk.desk.hub import Hub, HubFeed
from tradedesk.domain import events as ev
from tradedesk.domain.instruments import FeedState
from tradedesk.views.feed import DeskView, Numbered, Update, update_decoder
from tradedesk.views.replica import Replica, Snapshot


def a_hub(wake: Callable[[], None] = lambda: None, overflowed: Callable[[], None] = lambda: None) -> Hub:
    return Hub(Replica(), wake, overflowed)


def an_event(text: str = "x") -> ev.Event:
    return ev.LogWritten(at=NOW, source="desk", level="info", event=text, text="")


def a_frame() -> ev.Event:
    return ev.BookFrame(
        at=NOW, source="feed:binance", instrument=BTCUSDT, bids=(), asks=(), received_at=NOW, state=FeedState.Live
    )


def check(updates: list[Update], number: int | None) -> int | None:
    """That the updates follow each other without a hole, from `number` on; the newest number."""
    for update in updates:
        match update:
            case Snapshot():
                number = update.number
            case Numbered():
                assert number is not None, "an event before any snapshot"
                assert update.number == number + 1
                number = update.number
    return number


def test_a_reader_begins_with_a_snapshot_and_goes_on_with_the_next_number() -> None:
    hub = a_hub()
    hub.publish(placed())
    hub.drain()
    view = DeskView(feed := hub.open_feed())
    hub.publish(placed(client_order_id="c2"))
    hub.drain()
    updates = view.poll()
    assert [type(update) for update in updates] == [Snapshot, Numbered]
    assert check(updates, None) == hub.number == 2
    assert list(view.replica.orders) == list(hub.replica.orders)
    feed.close()
    hub.publish(an_event())
    hub.drain()
    assert feed.take() == []


def test_a_reader_that_falls_behind_is_cut_off_and_comes_back_from_a_snapshot(monkeypatch: pytest.MonkeyPatch) -> None:
    """5.13"""
    monkeypatch.setattr(hub_module, "UPDATES", 10)
    hub = a_hub()
    slow, quick = hub.open_feed(), hub.open_feed()
    number = None
    for count in range(50):
        hub.publish(placed(client_order_id=f"c{count}"))
        hub.drain()
        number = check(quick.take(), number)
    assert number == 50  # nobody waited for the slow one
    assert slow.take() == []
    hub.drain()
    updates = slow.take()
    assert [type(update) for update in updates] == [Snapshot]
    assert check(updates, None) == 50


def test_no_event_slips_in_before_the_snapshot_of_a_reader_that_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """The desk thread may be in the middle of a drain when the reader opens its inbox again."""
    monkeypatch.setattr(hub_module, "UPDATES", 3)
    hub = a_hub()
    feed = hub.open_feed()
    for _ in range(10):
        hub.publish(an_event())
        hub.drain()

    class Busy(Inbox[Update]):
        """An inbox whose opening is at once followed by the rest of a drain that had seen the reader as fed."""

        def reopen(self) -> None:
            super().reopen()
            self.offer(Numbered(10, an_event()))

    busy = Busy(3)
    busy.is_cut = True
    feed.inbox = busy
    assert feed.take() == []
    hub.drain()
    assert check(feed.take(), None) == 10


@given(st.lists(st.sampled_from(("publish", "drain", "take", "open", "close")), max_size=200))
@settings(max_examples=100, deadline=None)
def test_no_reader_ever_sees_a_hole(steps: list[str]) -> None:
    """5.13"""
    hub = a_hub()
    feeds: list[tuple[HubFeed, list[int | None]]] = []
    count = 0
    for step in steps:
        match step:
            case "publish":
                count += 1
                hub.publish(an_event(str(count)))
            case "drain":
                hub.drain()
            case "open":
                feed = hub.open_feed()
                feed.inbox._bound = 4
                feeds.append((feed, [None]))
            case "close" if feeds:
                feeds.pop()[0].close()
            case "take":
                for feed, newest in feeds:
                    newest[0] = check(feed.take(), newest[0])
    hub.drain()
    assert hub.number == count
    for feed, newest in feeds:  # and whoever is asked again after the end knows everything
        newest[0] = check(feed.take(), newest[0])
        hub.drain()
        assert check(feed.take(), newest[0]) == count


def test_threads_that_publish_side_by_side_lose_nothing_and_share_one_row_of_numbers() -> None:
    hub = a_hub()
    feed = hub.open_feed()

    def publish() -> None:
        for _ in range(500):
            hub.publish(an_event())

    publishers = [threading.Thread(target=publish) for _ in range(4)]
    for publisher in publishers:
        publisher.start()
    number = None
    while any(publisher.is_alive() for publisher in publishers):
        hub.drain()
        number = check(feed.take(), number)
    hub.drain()
    assert check(feed.take(), number) == hub.number == 2_000


def test_frames_of_a_market_are_left_out_under_pressure_and_events_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub_module, "EVENTS", 10)
    overflows: list[str] = []
    hub = a_hub(overflowed=lambda: overflows.append("told"))
    for _ in range(20):
        hub.publish(a_frame())
    for count in range(4):
        hub.publish(placed(client_order_id=f"c{count}"))
    hub.drain()
    assert len(hub.replica.orders) == 4
    assert hub.number == 6 + 4
    assert overflows == []


def test_an_event_that_cannot_be_kept_is_told_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub_module, "EVENTS", 10)
    overflows: list[str] = []
    hub = a_hub(overflowed=lambda: overflows.append("told"))
    for _ in range(30):
        hub.publish(an_event())
    assert overflows == ["told"]


def test_writers_get_the_line_that_follows_the_snapshot_they_began_with() -> None:
    hub = a_hub()
    hub.publish(placed())
    hub.drain()
    lines: list[bytes] = []
    write = lines.append
    hub.add_writer(write)
    hub.publish(placed(client_order_id="c2"))
    hub.publish(a_frame())
    hub.drain()
    hub.remove_writer(write)
    hub.publish(placed(client_order_id="c3"))
    hub.drain()
    updates = [update_decoder.decode(line) for line in lines]
    assert [type(update) for update in updates] == [Snapshot, Numbered, Numbered]
    assert check(updates, None) == 3


def test_waking_happens_once_for_many_events() -> None:
    woken: list[int] = []
    hub = a_hub(wake=lambda: woken.append(1))
    for _ in range(100):
        hub.publish(an_event())
    assert len(woken) == 1
    hub.drain()
    hub.publish(an_event())
    assert len(woken) == 2
