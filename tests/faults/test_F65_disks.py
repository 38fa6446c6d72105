"""F65 and F67 on a whole desk: a disk that takes its time, a journal that is gone, older or of a newer program."""

import shutil
import sqlite3
import threading
from pathlib import Path
from typing import Any

import pytest
from order_builders import a_cancel, a_fill, a_report
from scripted_account import an_intent
from scripted_desk import Running, home_in, running

from tradedesk.domain import events as ev
from tradedesk.domain.commands import Command, Submitted
from tradedesk.domain.orders import OrderState, OrdStatus, state
from tradedesk.domain.words import AccountId, ClientOrderId, OperatorId
from tradedesk.journal.store import JournalError

ACME = AccountId("acme")
ME = OperatorId("me")


def submit(desk: Running, command: Command) -> None:
    reply = desk.desk.control(desk.desk.operators[ME]).submit(command)
    assert isinstance(reply, Submitted), reply


def is_order(desk: Running, key: str, wanted: OrderState) -> bool:
    order = desk.view.replica.orders.get(ClientOrderId(key))
    return order is not None and state(order) is wanted


def rests(desk: Running, key: str) -> None:
    submit(desk, an_intent(key))
    assert desk.until(lambda: is_order(desk, key, OrderState.New))


class SlowDisk:
    """Between the journal and its file: every write waits until the disk is let go."""

    def __init__(self, desk: Running) -> None:
        self._journal: Any = desk.desk._store
        self._file = self._journal._connection
        self._journal._connection = self
        self.has_asked = threading.Event()
        self.is_free = threading.Event()

    def execute(self, *arguments: object) -> object:
        self.has_asked.set()
        assert self.is_free.wait(20)
        return self._file.execute(*arguments)

    def close(self) -> None:
        self._file.close()


def test_F65_a_disk_that_hangs_holds_up_orders_alone(tmp_path: Path) -> None:
    """5.1, 5.13: cancels go, screens are fed, and what waited is sent once when the disk has it."""
    with running(tmp_path) as desk:
        venue = desk.venues["acme"]
        rests(desk, "early")
        disk = SlowDisk(desk)
        try:
            submit(desk, an_intent("waits"))
            assert disk.has_asked.wait(10)
            submit(desk, a_cancel("early"))
            assert venue.was_called("cancel early")
            assert desk.until(lambda: is_order(desk, "early", OrderState.Canceled))  # told to the screens as well
            heard = len(desk.updates)
            assert desk.until(
                lambda: sum(isinstance(event, ev.Heartbeat) for event in list(desk.events())[heard:]) >= 2
            )
            assert is_order(desk, "waits", OrderState.PendingNew)
            assert "place waits" not in venue.calls
        finally:
            disk.is_free.set()
        assert venue.was_called("place waits")
        assert desk.until(lambda: is_order(desk, "waits", OrderState.New))
        assert venue.calls.count("place waits") == 1


def test_F67_an_older_copy_of_the_journal_is_brought_up_to_the_venue_and_nothing_is_sent_again(tmp_path: Path) -> None:
    """5.1, 5.3: an order that ended meanwhile, and its fill, come from the venue's own records."""
    with running(tmp_path) as desk:
        rests(desk, "c1")
        venues = desk.venues
    state_folder = home_in(tmp_path).journal.parent
    shutil.copytree(state_folder, tmp_path / "backup")
    with running(tmp_path, venues) as desk:
        venue = desk.venues["acme"]
        fill = a_fill("c1", qty="0.1", at=desk.desk._clock.now())
        venue.fills.append(fill)
        venue.open_orders.clear()
        venue.held["BTC"] += fill.last_qty
        venue.held["USDT"] -= fill.last_qty * fill.last_px
        venue.say(fill, a_report("c1", OrdStatus.Filled, qty="0.1", cum="0.1"))
        assert desk.until(lambda: is_order(desk, "c1", OrderState.Filled))
        held = desk.view.replica.ledgers[ACME]["BTC"]
    shutil.rmtree(state_folder)
    shutil.copytree(tmp_path / "backup", state_folder)
    placed = venue.calls.count("place c1")
    with running(tmp_path, venues) as desk:
        assert desk.until(lambda: desk.view.replica.ledgers[ACME]["BTC"] == held)
        order = desk.view.replica.orders[ClientOrderId("c1")]
        assert order.cum_qty == fill.last_qty
        assert desk.until(lambda: len(desk.view.replica.fills) == 1)
        assert venue.calls.count("place c1") == placed


def test_F67_without_its_journal_a_desk_takes_no_order_of_its_own_for_a_strangers(tmp_path: Path) -> None:
    """The account waits for a person: what desks made and this journal does not know says that the journal is gone."""
    key = "td-kf3zh1pqz2a-3fk2lq9a"
    with running(tmp_path) as desk:
        rests(desk, key)
        venues = desk.venues
    shutil.rmtree(home_in(tmp_path).journal.parent)

    def is_up(found: Running) -> bool:
        row = found.view.replica.accounts.get(ACME)
        return row is not None and row.reconciled_at is not None and row.state != "Reconciling"

    with running(tmp_path, venues, is_ready=is_up) as desk:
        row = desk.view.replica.accounts[ACME]
        assert row.state == "Blocked"
        assert "journal" in row.reason
        submit(desk, an_intent("new"))
        assert desk.until(lambda: is_order(desk, "new", OrderState.Denied))
        assert "place new" not in desk.venues["acme"].calls
        assert desk.until(lambda: desk.view.replica.accounts[AccountId("birch")].state == "Ready")  # 5.8


def test_F67_a_journal_of_a_newer_program_is_not_opened_and_left_as_it_is(tmp_path: Path) -> None:
    with running(tmp_path) as desk:
        rests(desk, "c1")
    path = home_in(tmp_path).journal
    connection = sqlite3.connect(path)
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    connection.execute(f"PRAGMA user_version = {version + 1}")
    connection.commit()
    connection.close()
    before = path.read_bytes()
    with pytest.raises(JournalError, match="newer"), running(tmp_path):
        raise AssertionError("it opened")
    assert path.read_bytes() == before
