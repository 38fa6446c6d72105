"""A long journal goes on in a new segment, and a start reads what a checkpoint kept of those before it; or all, if it must."""

import queue
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from builders import a_fill, an_instrument, placed
from test_journal import change

from tradedesk.clock import SystemClock
from tradedesk.desk.keeper import Keeper
from tradedesk.domain import events as ev
from tradedesk.journal import checkpoint, segments
from tradedesk.journal.records import Reading
from tradedesk.journal.sqlite import SqliteJournal, read, verify
from tradedesk.views.replica import Replica

WITHIN_S = 10.0
LONG = 8  # records in a segment here
AT = 1_764_000_000_000_000_000


def some_events(count: int) -> list[ev.DurableEvent]:
    """Orders of two accounts, each with a fill."""
    found: list[ev.DurableEvent] = [ev.InstrumentListed(at=AT, source="desk", instrument=an_instrument())]
    for number in range(count):
        account = ("acme", "zeta")[number % 2]
        key = f"{account}-{number}"
        fill = a_fill("0.1", trade_id=f"t{number}", account=account, client_order_id=key)
        found += [placed(account, key), ev.OrderFilled(at=AT, source="test", fill=fill)]
    return found


class Long:
    """A journal whose segments are short, and what it tells of its checkpoints."""

    def __init__(self, path: Path) -> None:
        self.told: queue.Queue[str | None] = queue.Queue()
        self.journal = SqliteJournal(
            path,
            clock=SystemClock(),
            on_failure=pytest.fail,
            fold=Keeper,
            segment_records=LONG,
            on_checkpoint=self.told.put,
        )
        self.journal.open()

    async def write(self, events: list[ev.DurableEvent]) -> None:
        """One after the other; and wait for the checkpoint wherever a segment has become full."""
        for event in events:
            before = len(segments.segments(self.journal.path))
            await self.journal.append(event)
            self.journal._await_writer()
            if len(segments.segments(self.journal.path)) > before:
                assert self.told.get(timeout=WITHIN_S) is None


@pytest.fixture
async def written(tmp_path: Path) -> Path:
    """A closed journal of four segments."""
    long = Long(tmp_path / "journal.sqlite")
    await long.write(some_events(14))
    long.journal.close()
    assert len(segments.segments(long.journal.path)) == 4
    return long.journal.path


def state_of(events: Iterator[object]) -> object:
    replica = Replica()
    for event in events:
        replica.apply(event)  # type: ignore[arg-type]
    return replica.snapshot(0)


def test_a_start_reads_what_was_kept_and_comes_to_what_all_records_come_to(written: Path) -> None:
    reading = Reading()
    restored = state_of(event for _, event in checkpoint.replay(written, reading, Keeper.form()))
    assert restored == state_of(iter(some_events(14)))
    assert reading.damaged == {}
    assert reading.count < 2 * LONG < len(some_events(14))


def test_audit_and_export_read_every_record_and_the_chains_go_through_all_segments(written: Path) -> None:
    assert [event for _, event in read(written, Reading())] == some_events(14)
    assert [number for number, _ in read(written, Reading())] == list(range(1, 30))
    assert verify(written).damaged == ()
    change(segments.segments(written)[1], "DELETE FROM records WHERE number = 12")
    assert {found.account for found in verify(written).damaged} == {"zeta"}


async def test_a_desk_that_starts_again_goes_on_and_keeps_from_what_was_kept(written: Path) -> None:
    again = Long(written)
    more = some_events(25)[29:]
    await again.write(more)
    again.journal.close()
    found = checkpoint.newest(written, Keeper.form())
    assert found is not None
    assert found[1] == len(segments.segments(written)) - 1
    last = Long(written)
    assert state_of(last.journal.replay()) == state_of(iter(some_events(25)))
    assert last.journal.damaged() == {}
    last.journal.close()
    assert len(list(written.parent.glob("*.checkpoint"))) == checkpoint.KEPT


@pytest.mark.parametrize("place", [0, 5, 25, 200, -1])
def test_a_checkpoint_with_one_changed_byte_is_passed_over_and_nothing_is_lost(written: Path, place: int) -> None:
    file = checkpoint.beside(segments.segments(written)[-1])
    content = bytearray(file.read_bytes())
    content[place] ^= 0x10
    file.write_bytes(content)
    found = checkpoint.newest(written, Keeper.form())
    assert found is not None
    assert found[1] == 2  # the one before it
    assert state_of(event for _, event in checkpoint.replay(written, Reading(), Keeper.form())) == state_of(
        iter(some_events(14))
    )


@pytest.mark.parametrize("what", ["torn", "gone", "another program's", "another segment's"])
def test_without_a_checkpoint_that_can_be_used_every_record_is_read(written: Path, what: str) -> None:
    """F67: also one that a newer program wrote."""
    known = segments.segments(written)
    for segment in known[1:]:
        file = checkpoint.beside(segment)
        match what:
            case "torn" if file.exists():
                file.write_bytes(file.read_bytes()[:-7])
            case "gone":
                file.unlink(missing_ok=True)
            case "another segment's" if segment is known[-1]:
                file.write_bytes(checkpoint.beside(known[-2]).read_bytes())
                checkpoint.beside(known[-2]).unlink()
            case _:
                pass
    form = "another" if what == "another program's" else Keeper.form()
    assert checkpoint.newest(written, form) is None
    reading = Reading()
    assert [event for _, event in checkpoint.replay(written, reading, form)] == some_events(14)
    assert reading.damaged == {}


async def test_over_a_damaged_record_no_checkpoint_is_made_so_that_every_start_finds_it(tmp_path: Path) -> None:
    """F62"""
    long = Long(tmp_path / "journal.sqlite")
    await long.write(some_events(2))
    long.journal.close()
    change(long.journal.path, "UPDATE records SET payload = X'00' WHERE number = 3")
    again = Long(long.journal.path)
    for event in some_events(6)[5:]:
        await again.journal.append(event)
    assert "damaged" in (again.told.get(timeout=WITHIN_S) or "")
    again.journal.close()
    last = Long(long.journal.path)
    list(last.journal.replay())
    assert list(last.journal.damaged()) == ["acme"]
    last.journal.close()


async def test_a_fold_that_raises_costs_the_checkpoint_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def breaks(_: Keeper, event: object) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(Keeper, "apply", breaks)
    long = Long(tmp_path / "journal.sqlite")
    for event in some_events(6):
        await long.journal.append(event)
    assert long.told.get(timeout=WITHIN_S) == "RuntimeError: a bug"
    await long.journal.append(some_events(7)[-1])
    assert len(list(long.journal.replay())) == 14
    long.journal.close()


async def test_a_checkpoint_that_is_missing_is_made_at_the_next_start(written: Path) -> None:
    checkpoint.beside(segments.segments(written)[-1]).unlink()
    again = Long(written)
    assert again.told.get(timeout=WITHIN_S) is None
    again.journal.close()
    found = checkpoint.newest(written, Keeper.form())
    assert found is not None
    assert found[1] == 3


async def test_a_segment_is_readable_from_the_moment_it_has_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A desk killed while a file turned to WAL mode left one that `audit` could not read."""
    modes: list[str] = []

    def looked_at(draft: Path, final: Path) -> Path:
        assert not list(draft.parent.glob(f"{draft.name}-*"))
        modes.append(str(segments._reader(draft).execute("PRAGMA journal_mode").fetchone()[0]))
        return rename(draft, final)

    rename = Path.rename
    monkeypatch.setattr(segments.Path, "rename", looked_at)
    connection, heads = segments.opened(tmp_path / "journal.sqlite")
    segments.following(tmp_path / "journal.sqlite", heads).close()
    connection.close()
    assert modes == ["wal", "wal"]


def test_the_files_are_private(written: Path) -> None:
    modes = {file.stat().st_mode & 0o777 for file in written.parent.iterdir()}
    assert modes == {0o600}


KILLED = """
import os, signal, sys
from pathlib import Path
sys.path[:0] = {paths!r}
from test_checkpoint import Keeper, LONG, SqliteJournal, SystemClock, some_events
from tradedesk.journal import checkpoint, segments
left = int(sys.argv[2])
def counted(real):
    def call(*given, **named):
        global left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return real(*given, **named)
    return call
os.fsync = counted(os.fsync)
Path.rename = counted(Path.rename)
segments.make_private = counted(segments.make_private)
segments.connect = counted(segments.connect)
import threading
told = threading.Event()
journal = SqliteJournal(Path(sys.argv[1]), clock=SystemClock(), on_failure=print, fold=Keeper, segment_records=LONG,
                        on_checkpoint=lambda _: told.set())
journal.open()
for number, event in enumerate(some_events(14)[:12]):
    handle = journal.append(event)
    while not handle.is_settled:
        pass
    print(number, flush=True)
told.wait(10)
journal.close()
"""


@pytest.mark.parametrize("step", range(1, 17))
def test_F68_killed_at_any_step_of_a_new_segment_or_its_checkpoint_nothing_durable_is_lost(
    tmp_path: Path, step: int
) -> None:
    """Killed before each file that is made, synced, renamed or opened on the way; the sixteenth is never reached."""
    path = tmp_path / "journal.sqlite"
    here = Path(__file__).parent
    code = KILLED.format(paths=[str(here), str(here.parent)])
    ran = subprocess.run(
        [sys.executable, "-c", code, str(path), str(step)], capture_output=True, text=True, check=False
    )
    assert ran.returncode in (-signal.SIGKILL, 0), ran.stderr
    assert (ran.returncode == 0) == (step > STEPS), "STEPS is how many there are"
    durable = len(ran.stdout.split())
    again = Long(path)
    found = [event for _, event in read(path, Reading())]
    assert found == some_events(14)[: len(found)]
    assert len(found) >= durable
    assert state_of(again.journal.replay()) == state_of(iter(found))
    assert again.journal.damaged() == {}
    again.journal.append(some_events(14)[len(found)])
    again.journal.close()
    assert verify(path).records == len(found) + 1
    assert verify(path).damaged == ()


STEPS = 15
