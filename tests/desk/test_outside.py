"""What comes to a desk from outside by files, and what it says of itself there."""

import json
from pathlib import Path
from typing import Any

import pytest

from tradedesk.clock import ManualClock
from tradedesk.config import Home, find_home, private_folder
from tradedesk.desk import receipts
from tradedesk.desk.outside import Life, Outside, beat_file, read_beat, watchdog_file
from tradedesk.domain import events as ev
from tradedesk.domain.accounts import Halt, HaltLevel
from tradedesk.domain.receipts import AccountReceipt, KillReceipt, Outcome
from tradedesk.domain.words import AccountId, OperatorId
from tradedesk.log import Log
from tradedesk.risk.halts import HaltLatch
from tradedesk.views.replica import Replica

ACME = AccountId("acme")
NOW = 1_700_000_000 * 10**9


class Desk:
    """The part of one that looks outside."""

    def __init__(self, home: Home, replica: Replica | None = None, watched: tuple[AccountId, ...] = ()) -> None:
        self.replica = replica or Replica()
        self.emitted: list[ev.Event] = []
        self.latch = HaltLatch(home.state, (ACME,))
        self.clock = ManualClock(NOW)
        self.outside = Outside(home, self.latch, self.replica, self.emit, self.clock, Log(), watched=watched)

    def emit(self, event: ev.Event) -> None:
        self.emitted.append(event)
        self.replica.apply(event)

    def found(self, kind: type) -> list[Any]:
        return [event for event in self.emitted if isinstance(event, kind)]


@pytest.fixture
def home(tmp_path: Path) -> Home:
    found = find_home({"TRADEDESK_HOME": str(tmp_path)})
    private_folder(found.state)
    return found


def a_receipt(key: str = "20261124T120000Z-000-7") -> KillReceipt:
    row = AccountReceipt(account=ACME, outcome=Outcome.Clear, is_blocked=True, cancelled=2)
    return KillReceipt(
        id=key, desk="main", by=OperatorId("me"), reason="a drill", level=HaltLevel.CancelAll, started_at=NOW, took_ms=5,
        accounts=(row,),
    )  # fmt: skip


def test_a_halt_that_was_latched_outside_is_recorded_once(home: Home) -> None:
    desk = Desk(home)
    other = HaltLatch(home.state, (ACME,))
    other.latch(Halt(account=ACME, level=HaltLevel.CancelAll, by="me", reason="a drill", at=NOW))
    desk.outside.look()
    desk.outside.look()
    (event,) = desk.found(ev.HaltSet)
    assert (event.account, event.level, event.by, event.at) == (ACME, HaltLevel.CancelAll, "me", NOW)


def test_a_receipt_is_recorded_once_with_an_alert_also_by_the_next_desk(home: Home) -> None:
    desk = Desk(home)
    assert isinstance(receipts.keep(home, a_receipt()), Path)
    desk.outside.look()
    desk.outside.look()
    (event,) = desk.found(ev.KillRecorded)
    assert event.receipt == a_receipt()
    (alert,) = desk.found(ev.AlertRaised)
    assert "killed by me: a drill; acme: 2 orders cancelled, confirmed by every venue" in alert.alert.text
    again = Desk(home, desk.replica)
    again.outside.look()
    assert again.found(ev.KillRecorded) == []


def test_a_receipt_that_cannot_be_read_is_passed_over(home: Home) -> None:
    desk = Desk(home)
    (home.state / "receipts" / "20261124T120000Z-000-8.json").write_text("{", encoding="utf-8")
    receipts.keep(home, a_receipt())
    desk.outside.look()
    assert len(desk.found(ev.KillRecorded)) == 1
    assert "is no receipt" in str(receipts.load(home, "20261124T120000Z-000-8"))


def test_the_sign_of_life_says_who_and_how_and_grows_in_the_room_it_has(home: Home) -> None:
    desk = Desk(home)
    desk.outside.beat()
    first, size = read_beat(home), beat_file(home).stat().st_size
    desk.outside.life = Life.Stopping
    desk.outside.beat()
    second = read_beat(home)
    assert first is not None
    assert second is not None
    assert (first.life, second.life, second.number - first.number) == (Life.Running, Life.Stopping, 1)
    assert beat_file(home).stat().st_size == size
    desk.outside.close()
    desk.outside.close()
    desk.outside.beat()
    assert read_beat(home) == second


def test_a_sign_of_life_that_is_none_is_not_read(home: Home) -> None:
    assert read_beat(home) is None
    beat_file(home).write_text("{}", encoding="utf-8")
    assert read_beat(home) is None


def test_a_receipt_on_disk_is_the_documented_object_and_private(home: Home) -> None:
    kept = receipts.keep(home, a_receipt())
    assert isinstance(kept, Path)
    document = json.loads(kept.read_text(encoding="utf-8"))
    assert (document["schema"], document["is_complete"], document["accounts"][0]["cancelled"]) == ("kill.v1", True, 2)
    assert kept.stat().st_mode & 0o077 == 0


def looks(desk: Desk, seconds: int) -> None:
    for _ in range(seconds):
        desk.clock.advance(10**9)
        desk.outside.look()


def test_who_chose_a_watchdog_is_told_when_none_looks_until_one_does(home: Home) -> None:
    desk = Desk(home, watched=(ACME,))
    looks(desk, 20)
    (alert,) = desk.found(ev.AlertRaised)
    assert alert.alert.text == "no watchdog looks, and acme chose one: start `tradedesk watchdog`"
    for count in range(20):
        watchdog_file(home).write_text(str(count), encoding="ascii")
        looks(desk, 1)
    assert len(desk.found(ev.AlertEnded)) == 1
    looks(desk, 20)  # it died
    assert len(desk.found(ev.AlertRaised)) == 2


def test_what_a_watchdog_of_long_ago_left_behind_is_no_look(home: Home) -> None:
    """Unconfirmed is not armed: only a count that changed while this desk watched is a look."""
    watchdog_file(home).write_text("7", encoding="ascii")
    desk = Desk(home, watched=(ACME,))
    for _ in range(2):
        desk.outside.look()
    assert desk.outside.watchdog_at is None
    watchdog_file(home).write_text("8", encoding="ascii")
    desk.outside.look()
    assert desk.outside.watchdog_at == NOW


def test_where_nobody_chose_a_watchdog_none_is_missed(home: Home) -> None:
    desk = Desk(home)
    looks(desk, 60)
    assert desk.emitted == []
