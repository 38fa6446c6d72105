"""The journal on disk: what is durable, in what order, who may write, and what damage and a failing disk do."""

import asyncio
import contextlib
import os
import queue
import resource
import signal
import sqlite3
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from builders import NOW, placed

from tradedesk.clock import ManualClock, SystemClock
from tradedesk.domain.accounts import HaltLevel
from tradedesk.domain.events import DurableEvent, HaltSet
from tradedesk.domain.words import OperatorId
from tradedesk.journal import segments, sqlite
from tradedesk.journal.records import Reading
from tradedesk.journal.sqlite import SqliteJournal, read, verify
from tradedesk.journal.store import JournalError, JournalFailed, JournalFull


def a_journal(folder: Path, failures: list[str] | None = None) -> SqliteJournal:
    journal = SqliteJournal(
        folder / "state" / "journal.sqlite",
        clock=SystemClock(),
        on_failure=(failures if failures is not None else []).append,
    )
    journal.open()
    return journal


def on_a_disk_that(journal: SqliteJournal, first: Callable[[], object]) -> None:
    """Let `first` run before every write."""
    real = journal._connection

    class Disk:
        def execute(self, *arguments):
            first()
            return real.execute(*arguments)

        def close(self):
            real.close()

    journal._connection = Disk()


def a_halt() -> HaltSet:
    return HaltSet(
        at=NOW, source="desk", account=None, level=HaltLevel.CancelAll, by=OperatorId("desk1"), reason="drill"
    )


def written(folder: Path, events: list[DurableEvent]) -> Path:
    """A closed journal that holds `events`."""
    journal = a_journal(folder)
    for event in events:
        journal.append(event)
    journal.close()
    return journal.path


def change(path: Path, statement: str, *values: object) -> None:
    """Change the file behind the journal's back."""
    connection = sqlite3.connect(path)
    connection.execute(statement, values)
    connection.commit()
    connection.close()


THREE = [placed("acme", "a1"), placed("zeta", "z1"), placed("acme", "a2"), a_halt(), placed("zeta", "z2")]


async def test_what_was_awaited_is_there_after_a_restart_in_order(tmp_path):
    """5.1"""
    journal = a_journal(tmp_path)
    for event in THREE:
        await journal.append(event)
    journal.close()
    again = a_journal(tmp_path)
    assert list(again.replay()) == THREE
    assert again.damaged() == {}
    again.close()


async def test_closing_writes_what_waits(tmp_path):
    journal = a_journal(tmp_path)
    handles = [journal.append(placed(client_order_id=f"c{number}")) for number in range(500)]
    journal.close()
    assert all(handle.is_durable for handle in handles)
    assert verify(journal.path).records == 500
    journal.close()


async def test_a_handle_can_be_awaited_late_often_and_from_several_loops(tmp_path):
    journal = a_journal(tmp_path)
    handle = journal.append(placed())
    await asyncio.gather(handle, handle)
    await handle

    async def wait_for(some):
        await some

    fresh = journal.append(placed(client_order_id="c2"))
    with ThreadPoolExecutor(2) as pool:
        for done in [pool.submit(asyncio.run, wait_for(fresh)) for _ in range(2)]:
            done.result(timeout=5)
    assert handle.is_durable
    assert fresh.is_durable
    journal.close()


async def test_a_wait_that_is_given_up_harms_nobody(tmp_path):
    journal = a_journal(tmp_path)
    handle = journal.append(placed())
    waiting = asyncio.ensure_future(handle)
    waiting.cancel()
    await handle
    with pytest.raises(asyncio.CancelledError):
        await waiting
    journal.close()


async def test_a_loop_that_has_gone_does_not_stop_the_writer(tmp_path):
    journal = a_journal(tmp_path)
    held = threading.Event()
    on_a_disk_that(journal, lambda: held.wait(5))
    gone = asyncio.new_event_loop()
    handle = journal.append(placed())
    waiting = threading.Thread(target=lambda: gone.run_until_complete(asyncio.wait_for(give_up(handle), 5)))
    waiting.start()
    await asyncio.to_thread(waiting.join)
    gone.close()
    held.set()
    await journal.append(placed(client_order_id="c2"))
    assert handle.is_durable
    journal.close()


async def give_up(handle):
    waiting = asyncio.ensure_future(handle)
    await asyncio.sleep(0)
    waiting.cancel()


async def test_many_submitters_share_a_sync_and_none_is_lost(tmp_path):
    journal = a_journal(tmp_path)

    async def submit(account: str) -> None:
        for number in range(20):
            await journal.append(placed(account, f"{account}{number}"))

    accounts = [f"acc{number}" for number in range(50)]
    await asyncio.gather(*map(submit, accounts))
    journal.close()
    again = a_journal(tmp_path)
    events = list(again.replay())
    for account in accounts:
        ids = [event.order.client_order_id for event in events if event.order.account == account]
        assert ids == [f"{account}{number}" for number in range(20)]
    again.close()


def test_the_chains_go_on_over_a_restart(tmp_path):
    path = written(tmp_path, THREE[:2])
    written(tmp_path, THREE[2:])
    assert verify(path) == sqlite.Verification(records=5, damaged=())


def test_file_and_folder_are_private(tmp_path):
    journal = a_journal(tmp_path)
    journal.append(placed())
    files = list(journal.path.parent.iterdir())
    assert len(files) >= 3
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    assert stat.S_IMODE(journal.path.parent.stat().st_mode) == 0o700
    journal.close()


def test_F66_a_second_desk_on_the_same_folder_is_refused_and_told_by_whom(tmp_path):
    first = a_journal(tmp_path)
    with pytest.raises(JournalError, match=rf"another desk \(process {os.getpid()}\) runs on this state folder"):
        a_journal(tmp_path)
    first.close()
    a_journal(tmp_path).close()


def test_F68_a_killed_desk_leaves_all_that_was_durable_and_no_lock(tmp_path):
    script = """
import asyncio, sys
from pathlib import Path
from builders import placed
from tradedesk.clock import SystemClock
from tradedesk.journal.sqlite import SqliteJournal
async def main():
    journal = SqliteJournal(Path(sys.argv[1]), clock=SystemClock(), on_failure=print)
    journal.open()
    for number in range(10_000):
        await journal.append(placed(client_order_id=f"c{number}"))
        print(number, flush=True)
asyncio.run(main())
"""
    path = tmp_path / "journal.sqlite"
    desk = subprocess.Popen([sys.executable, "-c", script, str(path)], stdout=subprocess.PIPE, text=True, env=paths())
    assert desk.stdout is not None
    for line in desk.stdout:
        if int(line) >= 50:
            desk.send_signal(signal.SIGKILL)
            break
    told = [line, *desk.stdout.readlines()]
    desk.wait()
    last = max(int(line) for line in told if line.endswith("\n"))
    journal = SqliteJournal(path, clock=SystemClock(), on_failure=print)
    journal.open()
    ids = [event.order.client_order_id for event in journal.replay()]
    assert ids[: last + 1] == [f"c{number}" for number in range(last + 1)]
    assert journal.damaged() == {}
    journal.close()


def paths() -> dict[str, str]:
    return os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}


@pytest.mark.parametrize(
    ("statement", "number", "reason"),
    [
        ("UPDATE records SET payload = zeroblob(length(payload)) WHERE number = 3", 3, "checksum"),
        ("UPDATE records SET checksum = checksum + 1 WHERE number = 3", 3, "checksum"),
        ("UPDATE records SET link = zeroblob(16) WHERE number = 3", 3, "link"),
        ("UPDATE records SET number = 9 WHERE number = 3", 9, "link"),
        ("UPDATE records SET chain = 'acne' WHERE number = 3", 3, "last record is missing"),
        ("DELETE FROM records WHERE number = 1", 3, "link"),
        ("DELETE FROM records WHERE number = 3", 3, "last record is missing"),
        ("UPDATE heads SET link = zeroblob(16) WHERE chain = 'acme'", 3, "last record is missing"),
        ("DELETE FROM heads WHERE chain = 'acme'", 0, "no head"),
    ],
)
def test_F62_a_bad_record_stops_its_account_and_is_named_while_the_others_go_on(tmp_path, statement, number, reason):
    path = written(tmp_path, THREE)
    change(path, statement)
    journal = a_journal(tmp_path)
    events = list(journal.replay())
    assert [event for event in events if event not in (THREE[0], THREE[2])] == [THREE[1], THREE[3], THREE[4]]
    assert reason in journal.damaged()["acme"]
    assert journal.damaged()["acme"].startswith(f"record {number}: ")
    assert journal.damaged().keys() - {"acme"} <= {"acne"}
    journal.close()
    assert {found.account for found in verify(path).damaged} >= {"acme"}


def test_F62_nothing_after_a_bad_record_of_an_account_is_believed(tmp_path):
    path = written(tmp_path, [placed(client_order_id=f"c{number}") for number in range(5)])
    change(path, "UPDATE records SET payload = zeroblob(length(payload)) WHERE number = 3")
    journal = a_journal(tmp_path)
    assert [event.order.client_order_id for event in journal.replay()] == ["c0", "c1"]
    journal.append(placed(client_order_id="later"))
    journal.close()
    again = a_journal(tmp_path)
    assert [event.order.client_order_id for event in again.replay()] == ["c0", "c1"]
    assert "record 3" in again.damaged()["acme"]
    again.close()


def test_a_replay_under_way_does_not_hide_what_an_earlier_one_found(tmp_path):
    """A worker that starts again reads its history while the desk asks who is damaged."""
    change(written(tmp_path, THREE), "UPDATE records SET checksum = 0 WHERE number = 3")
    journal = a_journal(tmp_path)
    list(journal.replay())
    second = journal.replay()
    next(second)
    journal.append(placed("zeta", "z3"))
    assert list(journal.damaged()) == ["acme"]
    assert len(list(second)) == 3  # as it was when it began
    journal.close()


def test_a_worker_that_starts_again_finds_what_still_waited_for_the_disk(tmp_path):
    journal = a_journal(tmp_path)
    for number in range(300):
        journal.append(placed(client_order_id=f"c{number}"))
        if number % 50 == 0:
            assert len(list(journal.replay())) == number + 1
    journal.close()
    assert len(list(journal.replay())) == 300


def test_a_bad_record_of_the_desk_itself_is_the_desks(tmp_path):
    change(written(tmp_path, THREE), "UPDATE records SET checksum = 0 WHERE number = 4")
    journal = a_journal(tmp_path)
    assert list(journal.replay()) == [*THREE[:3], THREE[4]]
    assert list(journal.damaged()) == [None]
    journal.close()


def test_F62_no_flipped_byte_of_the_file_passes_for_sound(tmp_path):
    """Whatever byte is flipped, either all events come back, or somebody is named, or the file is refused."""
    path = written(tmp_path, THREE)
    sound = path.read_bytes()
    copy = tmp_path / "copy.sqlite"
    for offset in range(0, len(sound), 5):
        mask = (0x01, 0x80, 0xFF)[offset % 3]
        copy.write_bytes(sound[:offset] + bytes([sound[offset] ^ mask]) + sound[offset + 1 :])
        try:
            found = verify(copy)
        except JournalError:
            continue
        assert found.records == len(THREE) or found.damaged, f"byte {offset}"


def test_F61_a_torn_tail_of_the_log_file_loses_only_its_end(tmp_path):
    journal = a_journal(tmp_path)

    async def append_each_alone() -> None:
        for event in THREE:
            await journal.append(event)

    asyncio.run(append_each_alone())
    wal = Path(f"{journal.path}-wal").read_bytes()
    main = journal.path.read_bytes()
    journal.close()
    torn = tmp_path / "torn.sqlite"
    records: list[int] = []
    for length in range(0, len(wal) + 1, 103):
        torn.write_bytes(main)
        Path(f"{torn}-wal").write_bytes(wal[:length])
        Path(f"{torn}-shm").unlink(missing_ok=True)
        try:
            found = verify(torn)
        except JournalError:
            assert records == []  # cut before the tables were durable: there is no journal then
            continue
        assert found.damaged == ()
        records.append(found.records)
    assert records == sorted(records)
    assert {0, 1, 2, 3, 4} <= set(records)


def test_F67_a_newer_format_is_refused(tmp_path):
    path = written(tmp_path, THREE)
    change(path, "PRAGMA user_version = 99")
    with pytest.raises(JournalError, match="written by a newer tradedesk"):
        a_journal(tmp_path)
    with pytest.raises(JournalError, match="written by a newer tradedesk"):
        verify(path)


@pytest.mark.parametrize("content", [b"not a database, but a letter to a friend" * 50, None])
def test_another_file_is_refused_with_a_sentence_and_left_alone(tmp_path, content):
    path = tmp_path / "state" / "journal.sqlite"
    path.parent.mkdir()
    if content is None:
        change(path, "CREATE TABLE friends (name TEXT)")
    else:
        path.write_bytes(content)
    before = path.read_bytes()
    with pytest.raises(JournalError, match=r"journal\.sqlite: .*backup"):
        a_journal(tmp_path)
    if content is not None:
        assert path.read_bytes() == before
    path.unlink()
    a_journal(tmp_path).close()  # the lock was given up


def test_verifying_what_is_not_there_is_a_sentence(tmp_path):
    with pytest.raises(JournalError, match="there is no journal"):
        verify(tmp_path / "journal.sqlite")


def test_a_folder_that_cannot_be_made_is_a_sentence(tmp_path):
    (tmp_path / "state").write_text("a file in the way")
    with pytest.raises(JournalError, match=r"journal\.sqlite: .*rights or disk"):
        a_journal(tmp_path)


async def test_F65_a_full_queue_refuses_at_once(tmp_path, monkeypatch):
    monkeypatch.setattr(sqlite, "QUEUE_RECORDS", 3)
    held = threading.Event()
    journal = a_journal(tmp_path)
    taken = threading.Event()
    on_a_disk_that(journal, lambda: (taken.set(), held.wait(5)))
    handles = [journal.append(placed(client_order_id="first"))]
    taken.wait(5)
    handles += [journal.append(placed(client_order_id=f"c{number}")) for number in range(3)]
    with pytest.raises(JournalFull, match="wait for the disk"):
        journal.append(placed(client_order_id="c9"))
    held.set()
    for handle in handles:
        await handle
    journal.close()
    assert verify(journal.path).records == 4


class Disk:
    """Refuses to grow files while `is_full`, as a full or failing disk does: the journal's own writes meet the refusal."""

    def __init__(self, journal: SqliteJournal) -> None:
        self.journal = journal
        self._limits = resource.getrlimit(resource.RLIMIT_FSIZE)

    def fail(self) -> None:
        size = os.stat(f"{segments.segments(self.journal.path)[-1]}-wal").st_size
        resource.setrlimit(resource.RLIMIT_FSIZE, (size + 100, self._limits[1]))

    def heal(self) -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, self._limits)


@pytest.fixture
def failing(tmp_path: Path) -> Iterator[tuple[SqliteJournal, Disk, list[str], queue.Queue[str]]]:
    """A journal that tries a new segment every 10 ms once it failed, its disk, and what it told."""
    failures: list[str] = []
    recoveries: queue.Queue[str] = queue.Queue()
    journal = SqliteJournal(
        tmp_path / "journal.sqlite",
        clock=SystemClock(),
        on_failure=failures.append,
        on_recovery=recoveries.put,
        again_s=(0.01,),
    )
    journal.open()
    disk = Disk(journal)
    yield journal, disk, failures, recoveries
    disk.heal()
    journal.close()


def names(journal: SqliteJournal) -> list[str]:
    return [event.order.client_order_id for event in journal.replay()]


async def test_F64_a_failing_disk_fails_every_waiting_record_refuses_the_rest_and_says_so_once(failing):
    """5.1"""
    journal, disk, failures, _ = failing
    await journal.append(placed(client_order_id="good"))
    disk.fail()
    handles = [journal.append(placed(client_order_id=f"c{number}")) for number in range(3)]
    for handle in handles:
        with pytest.raises(JournalFailed, match="no new orders until"):
            await handle
    with pytest.raises(JournalFailed, match="no new orders until"):
        journal.append(placed(client_order_id="later"))
    assert len(failures) == 1
    assert [event.order.client_order_id for _, event in read(journal.path, Reading())] == ["good"]


async def test_F63_a_new_segment_goes_on_with_the_chains_and_with_what_was_refused(failing):
    journal, disk, failures, recoveries = failing
    await journal.append(placed("acme", "a1"))
    await journal.append(placed("birch", "b1"))
    for episode in range(2):
        disk.fail()
        with pytest.raises(JournalFailed):
            await journal.append(placed("acme", f"refused{episode}"))
        with pytest.raises(JournalFailed):
            journal.append(placed("acme", f"late{episode}"))
        disk.heal()
        assert recoveries.get(timeout=5) == (
            f"{journal.path.parent}/journal.000{episode + 2}.sqlite: the journal writes again, in a new segment;"
            " nothing is missing"
        )
        await journal.append(placed("birch", f"after{episode}"))
    assert names(journal) == ["a1", "b1", "refused0", "late0", "after0", "refused1", "late1", "after1"]
    assert len(failures) == 2
    journal.close()
    assert verify(journal.path) == sqlite.Verification(records=8, damaged=())
    again = SqliteJournal(journal.path, clock=SystemClock(), on_failure=print)
    again.open()
    await again.append(placed("acme", "next"))
    assert names(again)[-1] == "next"
    assert again.damaged() == {}
    again.close()


async def test_a_disk_that_stays_full_gathers_no_files(failing):
    journal, disk, _, recoveries = failing
    await journal.append(placed(client_order_id="good"))
    disk.fail()
    with pytest.raises(JournalFailed):
        await journal.append(placed(client_order_id="c1"))
    with pytest.raises(queue.Empty):
        recoveries.get(timeout=0.2)  # some twenty tries
    assert len(list(journal.path.parent.glob("*.sqlite"))) <= 2  # one try may be under way


async def test_a_worker_that_starts_again_while_the_disk_fails_finds_what_the_disk_refused(failing):
    """5.3: it would else see its fills at the venue, record them anew, and the next segment would hold them twice."""
    journal, disk, _, recoveries = failing
    await journal.append(placed("acme", "a1"))
    disk.fail()
    with pytest.raises(JournalFailed):
        await journal.append(placed("acme", "a2"))
    with contextlib.suppress(JournalFailed):
        journal.append(placed("acme", "a3"))
    assert names(journal) == ["a1", "a2", "a3"]
    disk.heal()
    recoveries.get(timeout=5)
    assert names(journal) == ["a1", "a2", "a3"]


async def test_what_a_failing_file_kept_of_its_last_write_is_not_read_twice(failing):
    """The write was refused and is on disk all the same: nobody was told so, and the next segment holds it again."""
    journal, disk, _, recoveries = failing
    await journal.append(placed("acme", "a1"))
    disk.fail()
    with pytest.raises(JournalFailed):
        await journal.append(placed("acme", "a2"))
    disk.heal()
    recoveries.get(timeout=5)
    await journal.append(placed("acme", "a3"))
    journal.close()
    connection = sqlite3.connect(journal.path)
    connection.execute("INSERT INTO records SELECT number + 1, chain, format, payload, checksum, link FROM records")
    connection.commit()
    connection.close()
    assert verify(journal.path) == sqlite.Verification(records=3, damaged=())


async def test_a_segment_that_lost_its_end_damages_its_account_alone(failing):
    """F62"""
    journal, disk, _, recoveries = failing
    await journal.append(placed("acme", "a1"))
    await journal.append(placed("birch", "b1"))
    disk.fail()
    with pytest.raises(JournalFailed):
        await journal.append(placed("acme", "a2"))
    disk.heal()
    recoveries.get(timeout=5)
    await journal.append(placed("birch", "b2"))
    journal.close()
    change(journal.path, "DELETE FROM records WHERE chain = 'acme'")
    found = verify(journal.path)
    assert [damaged.account for damaged in found.damaged] == ["acme"]
    assert found.records == 2


async def test_more_than_is_kept_while_the_disk_fails_ends_in_no_journal_with_a_hole(failing, monkeypatch):
    monkeypatch.setattr(sqlite, "QUEUE_RECORDS", 5)
    journal, disk, _, recoveries = failing
    await journal.append(placed(client_order_id="good"))
    disk.fail()
    for number in range(12):
        with pytest.raises(JournalFailed):
            await journal.append(placed(client_order_id=f"c{number}"))
    disk.heal()
    with pytest.raises(queue.Empty):
        recoveries.get(timeout=0.1)
    journal.close()
    assert verify(journal.path).records == 1


async def test_a_journal_that_is_closed_while_its_disk_fails_writes_what_was_refused_if_it_can_by_then(failing):
    journal, disk, _, _ = failing
    await journal.append(placed(client_order_id="good"))
    disk.fail()
    with pytest.raises(JournalFailed):
        await journal.append(placed(client_order_id="c1"))
    disk.heal()
    journal.close()
    assert verify(journal.path).records == 2


async def test_after_close_nothing_is_taken(tmp_path):
    journal = a_journal(tmp_path)
    journal.close()
    with pytest.raises(JournalFailed, match="closed"):
        journal.append(placed())


async def test_F65_a_slow_write_is_logged(tmp_path):
    from tradedesk import log

    clock = ManualClock(NOW)
    journal = SqliteJournal(tmp_path / "journal.sqlite", clock=clock, on_failure=print)
    journal.open()
    on_a_disk_that(journal, lambda: clock.advance(2_000_000_000))
    await journal.append(placed())
    journal.close()
    assert any(("took_ms", "2000") in record.fields for record in log.tail() if record.event == "journal_slow")
