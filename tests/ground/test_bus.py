"""The bus: order, bounds and the one wake-up; nobody who publishes ever waits (5.13)."""

import asyncio
import threading

from hypothesis import given
from hypothesis import strategies as st

from tradedesk.bus import Bus, Inbox


def test_items_come_out_in_the_order_they_went_in():
    inbox: Inbox[int] = Inbox(10)
    assert all(inbox.offer(number) for number in range(5))
    assert len(inbox) == 5
    assert inbox.take() == [0, 1, 2, 3, 4]
    assert inbox.take() == []


def test_a_reader_is_woken_once_for_all_that_comes_before_it_takes():
    woken: list[str] = []
    inbox: Inbox[int] = Inbox(10, wake=lambda: woken.append("up"))
    inbox.offer(1)
    inbox.offer(2)
    assert woken == ["up"]
    inbox.take()
    inbox.offer(3)
    assert woken == ["up", "up"]


def test_a_full_inbox_cuts_its_reader_off_until_it_comes_back():
    inbox: Inbox[int] = Inbox(2)
    assert [inbox.offer(number) for number in range(4)] == [True, True, False, False]
    assert inbox.is_cut
    assert inbox.take() == [0, 1]
    assert not inbox.offer(4)  # room alone is not enough: the reader must know that it missed something
    inbox.reopen()
    assert inbox.offer(5)
    assert (inbox.take(), inbox.is_cut) == ([5], False)


def test_coming_back_drops_what_is_older_than_the_snapshot():
    woken: list[str] = []
    inbox: Inbox[int] = Inbox(2, wake=lambda: woken.append("up"))
    for number in range(3):
        inbox.offer(number)
    inbox.reopen()
    assert inbox.take() == []
    inbox.offer(9)
    assert len(woken) == 2


@given(st.lists(st.one_of(st.integers(), st.sampled_from(["take", "reopen"])), max_size=60), st.integers(1, 5))
def test_an_inbox_never_holds_more_than_its_bound_and_skips_nothing_unsaid(steps, bound):
    inbox: Inbox[int] = Inbox(bound)
    waiting: list[int] = []
    is_cut = False
    for step in steps:
        if step == "take":
            assert inbox.take() == waiting
            waiting = []
        elif step == "reopen":
            inbox.reopen()
            waiting, is_cut = [], False
        else:
            is_cut = is_cut or len(waiting) >= bound
            assert inbox.offer(step) is not is_cut
            if not is_cut:
                waiting.append(step)
        assert len(inbox) == len(waiting) <= bound
        assert inbox.is_cut is is_cut


def test_every_subscriber_gets_every_item_and_one_that_is_behind_harms_nobody():
    bus: Bus[int] = Bus()
    quick, slow, gone = Inbox[int](100), Inbox[int](1), Inbox[int](100)
    for inbox in (quick, slow, gone):
        bus.subscribe(inbox)
    bus.publish(1)
    bus.unsubscribe(gone)
    bus.publish(2)
    assert (quick.take(), slow.take(), gone.take()) == ([1, 2], [1], [1])
    assert (quick.is_cut, slow.is_cut) == (False, True)


def test_unsubscribing_twice_or_never_having_subscribed_changes_nothing():
    bus: Bus[int] = Bus()
    kept, never = Inbox[int](1), Inbox[int](1)
    bus.subscribe(kept)
    bus.unsubscribe(never)
    bus.unsubscribe(never)
    bus.publish(1)
    assert (kept.take(), never.take()) == ([1], [])


async def test_many_threads_publish_and_nothing_is_lost_doubled_or_left_lying():
    bus: Bus[tuple[int, int]] = Bus()
    loop = asyncio.get_running_loop()
    arrived = asyncio.Event()
    inbox: Inbox[tuple[int, int]] = Inbox(100_000, wake=lambda: loop.call_soon_threadsafe(arrived.set))
    bus.subscribe(inbox)
    threads = [
        threading.Thread(target=lambda who=who: [bus.publish((who, number)) for number in range(2_000)])
        for who in range(4)
    ]
    for thread in threads:
        thread.start()
    got: list[tuple[int, int]] = []
    while len(got) < 8_000:
        await asyncio.wait_for(arrived.wait(), 5)
        arrived.clear()
        got += inbox.take()
    for thread in threads:
        thread.join()
    for who in range(4):
        assert [number for sender, number in got if sender == who] == list(range(2_000))
