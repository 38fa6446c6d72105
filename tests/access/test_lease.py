"""The lease of a key: one holder on the machine, told by name, freed by any end, numbered so that a successor can be told."""

import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from builders import NOW

from tradedesk.access.lease import PLACES, Lease, LeaseError, folder

KEY, VENUE = "k" * 64, "http://127.0.0.1:8765"


def a_lease(folder: Path, home: str = "first", *, key: str = KEY, where: str = VENUE) -> Lease:
    return Lease(key, where, Path("/home") / home, folder / "leases")


def test_a_second_desk_is_told_who_drives_the_account(tmp_path: Path) -> None:
    first, second = a_lease(tmp_path), a_lease(tmp_path, "second")
    assert first.take(NOW) is None
    assert second.take(NOW) == f"the desk of process {os.getpid()} (/home/first) since 2025-11-24T16:00:00Z"
    assert not second.is_ours()
    assert first.is_ours()


def test_the_next_holder_has_a_higher_number(tmp_path: Path) -> None:
    first, second = a_lease(tmp_path), a_lease(tmp_path, "second")
    first.take(NOW)
    first.release()
    first.release()
    assert second.take(NOW) is None
    assert (first.fence, second.fence) == (1, 2)
    assert not first.is_ours()


def test_taking_it_twice_changes_nothing(tmp_path: Path) -> None:
    lease = a_lease(tmp_path)
    assert [lease.take(NOW), lease.take(NOW), lease.fence] == [None, None, 1]


def test_who_takes_a_higher_number_in_its_place_is_noticed_at_the_next_look(tmp_path: Path) -> None:
    lease = a_lease(tmp_path)
    lease.take(NOW)
    [file] = (tmp_path / "leases").iterdir()
    file.write_bytes(file.read_bytes().replace(b'"fence":1', b'"fence":2'))
    assert not lease.is_ours()


@pytest.mark.parametrize("other", [{"key": "j" * 64}, {"where": "http://127.0.0.1:8766"}])
def test_other_keys_and_other_exchanges_are_leases_of_their_own(tmp_path: Path, other: dict[str, str]) -> None:
    first, second = a_lease(tmp_path), a_lease(tmp_path, **other)
    assert first.take(NOW) is None
    assert second.take(NOW) is None


def test_a_killed_holder_leaves_its_lease_free(tmp_path: Path) -> None:
    script = (
        "import sys, time\nfrom pathlib import Path\nfrom tradedesk.access.lease import Lease\n"
        f"lease = Lease({KEY!r}, {VENUE!r}, Path('/home/first'), Path(sys.argv[1]))\n"
        "assert lease.take(1) is None\nprint('held', flush=True)\nsys.stdin.read()\n"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path / "leases")],
        stdout=subprocess.PIPE,
        stdin=subprocess.PIPE,
        text=True,
    )
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        lease = a_lease(tmp_path, "second")
        assert str(lease.take(NOW)).startswith(f"the desk of process {holder.pid} (/home/first)")
        holder.send_signal(signal.SIGKILL)
        holder.wait()
        assert lease.take(NOW) is None
        assert lease.fence == 2
    finally:
        holder.kill()
        holder.communicate()


def test_a_key_is_not_to_be_read_from_its_lease(tmp_path: Path) -> None:
    """5.6"""
    a_lease(tmp_path).take(NOW)
    [file] = (tmp_path / "leases").iterdir()
    assert KEY not in file.name + file.read_text()
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o1777


def test_a_lease_whose_file_was_removed_is_not_ours_any_more(tmp_path: Path) -> None:
    lease = a_lease(tmp_path)
    lease.take(NOW)
    [file] = (tmp_path / "leases").iterdir()
    file.unlink()
    assert not lease.is_ours()


def test_all_desks_of_a_machine_look_in_the_same_place_whatever_their_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = folder()
    monkeypatch.setenv("TMPDIR", "/elsewhere")
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/elsewhere")
    assert folder() == before
    assert before.parent in PLACES


def test_a_link_in_place_of_a_lease_is_not_followed(tmp_path: Path) -> None:
    lease = a_lease(tmp_path)
    lease.take(NOW)
    lease.release()
    [file] = (tmp_path / "leases").iterdir()
    target = tmp_path / "precious"
    target.write_text("precious")
    file.unlink()
    file.symlink_to(target)
    with pytest.raises(LeaseError, match="cannot be used for leases"):
        lease.take(NOW)
    assert target.read_text() == "precious"


def test_a_lease_that_holds_nonsense_can_be_taken(tmp_path: Path) -> None:
    lease = a_lease(tmp_path)
    lease.take(NOW)
    lease.release()
    [file] = (tmp_path / "leases").iterdir()
    file.write_bytes(b"\xff nonsense")
    assert lease.take(NOW) is None
    assert lease.is_ours()
