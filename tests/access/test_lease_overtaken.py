"""Acting in place of a desk that hangs: the next number, and what becomes of the desk that comes back."""

import os
from pathlib import Path

from tradedesk.access.lease import Lease


def a_lease(folder: Path) -> Lease:
    return Lease("key-of-acme", "http://127.0.0.1:1", folder / "home", folder / "leases")


def test_who_overtakes_a_desk_that_holds_the_lock_takes_its_right_to_send(tmp_path: Path) -> None:
    desk, kill = a_lease(tmp_path), a_lease(tmp_path)
    assert desk.take(1) is None
    kill.overtake(2)
    assert (desk.is_ours(), kill.is_ours(), kill.fence) == (False, True, desk.fence + 1)
    kill.release()
    assert not desk.is_ours()  # the number was taken, whoever still runs


def test_a_desk_that_is_dead_is_overtaken_with_its_lock(tmp_path: Path) -> None:
    kill, next_desk = a_lease(tmp_path), a_lease(tmp_path)
    kill.overtake(1)
    assert kill.is_ours()
    assert f"process {os.getpid()}" in str(next_desk.take(2))
    kill.release()
    assert next_desk.take(3) is None


def test_a_desk_that_was_overtaken_sends_again_once_it_renews_and_the_other_does_not(tmp_path: Path) -> None:
    """After a person re-armed."""
    desk, kill = a_lease(tmp_path), a_lease(tmp_path)
    desk.take(1)
    kill.overtake(2)
    desk.renew(3)
    assert (desk.is_ours(), kill.is_ours()) == (True, False)
    fence = desk.fence
    desk.renew(4)
    assert desk.fence == fence  # nothing to renew


def test_who_never_held_it_renews_nothing(tmp_path: Path) -> None:
    desk, other = a_lease(tmp_path), a_lease(tmp_path)
    desk.take(1)
    other.renew(2)
    assert (desk.is_ours(), other.is_ours()) == (True, False)
