"""The simulated journal: durable only when told, and honest about what a crash takes."""

import asyncio

import pytest
from builders import placed
from hypothesis import given
from hypothesis import strategies as st

from tradedesk.journal.memory import MemoryJournal
from tradedesk.journal.store import JournalFailed, Store


async def test_a_record_is_durable_only_after_a_sync():
    journal: Store = MemoryJournal()
    journal.open()
    handle = journal.append(placed())
    assert not handle.is_settled
    assert list(journal.replay()) == []
    journal.sync()
    await handle
    assert list(journal.replay()) == [placed()]


@given(st.lists(st.sampled_from(["append", "sync", "crash"]), max_size=40))
def test_a_crash_takes_exactly_what_was_not_durable(steps):
    journal = MemoryJournal()
    durable, waiting = [], []
    for number, step in enumerate(steps):
        if step == "append":
            event = placed(client_order_id=f"c{number}")
            journal.append(event)
            waiting.append(event)
        elif step == "sync":
            journal.sync()
            durable, waiting = durable + waiting, []
        else:
            journal.open()
            waiting = []
        assert list(journal.replay()) == durable
        assert journal.damaged() == {}


async def test_a_failing_disk_fails_what_waits_and_refuses_the_rest_until_it_is_opened_again():
    journal = MemoryJournal()
    handle = journal.append(placed())
    waiting = asyncio.ensure_future(handle)
    await asyncio.sleep(0)
    journal.fail("disk eio")
    with pytest.raises(JournalFailed, match="disk eio"):
        await waiting
    with pytest.raises(JournalFailed):
        journal.append(placed())
    journal.open()
    journal.append(placed())
    journal.close()
    assert list(journal.replay()) == [placed()]
