"""The halt latch: durable, fail-closed, preallocated (5.5)."""

import os

import msgspec
import pytest
from order_builders import ACME, NOW

from tradedesk.domain.accounts import Halt, HaltLevel
from tradedesk.domain.words import AccountId
from tradedesk.risk.halts import MOST_ALGORITHMS, SIZE, HaltLatch

BIRCH = AccountId("birch")


def a_halt(level: HaltLevel = HaltLevel.CancelOpening, account: AccountId | None = ACME, reason: str = "drill") -> Halt:
    return Halt(account=account, level=level, by="risk1", reason=reason, at=NOW)


@pytest.fixture
def opened(tmp_path):
    """Open the latches of one folder, as often as a desk starts."""
    latches = []

    def open_() -> HaltLatch:
        latches.append(HaltLatch(tmp_path / "halts", [ACME, BIRCH]))
        return latches[-1]

    yield open_
    for latch in latches:
        latch.close()


def file_of(tmp_path, scope: str = "account-acme"):
    return tmp_path / "halts" / f"halt-{scope}"


def test_nothing_is_halted_at_first(opened):
    latch = opened()
    assert latch.read(ACME) is None
    assert latch.all() == []


def test_F78_a_halt_holds_through_a_restart_until_it_is_cleared(opened):
    halt = a_halt()
    opened().latch(halt)
    again = opened()
    assert again.read(ACME) == halt
    assert again.read(BIRCH) is None
    again.clear(ACME)
    assert opened().read(ACME) is None


def test_a_halt_of_the_desk_holds_for_every_account(opened):
    latch = opened()
    halt = a_halt(account=None)
    latch.latch(halt)
    assert latch.read(ACME) == latch.read(BIRCH) == halt
    latch.clear(ACME)
    assert latch.read(ACME) == halt


@pytest.mark.parametrize(
    ("desk", "account", "in_force"),
    [
        (HaltLevel.ReduceOnly, HaltLevel.CancelAll, HaltLevel.CancelAll),
        (HaltLevel.CancelAll, HaltLevel.ReduceOnly, HaltLevel.CancelAll),
        (HaltLevel.Flatten, HaltLevel.CancelAll, HaltLevel.Flatten),
        (HaltLevel.BlockNew, HaltLevel.ReduceOnly, HaltLevel.BlockNew),
        (HaltLevel.ReduceOnly, HaltLevel.CancelOpening, HaltLevel.CancelOpening),
    ],
)
def test_the_stricter_of_desk_and_account_is_in_force(opened, desk, account, in_force):
    latch = opened()
    latch.latch(a_halt(desk, account=None))
    latch.latch(a_halt(account))
    halt = latch.read(ACME)
    assert halt is not None
    assert halt.level is in_force
    assert len(latch.all()) == 2


def test_the_files_are_allocated_before_they_are_needed_and_keep_their_size(opened, tmp_path):
    latch = opened()
    sizes = {path.name: (path.stat().st_size, path.stat().st_blocks > 0) for path in (tmp_path / "halts").iterdir()}
    assert sizes.pop("halt-algorithms") == (MOST_ALGORITHMS * SIZE, True)
    assert sizes == {name: (SIZE, True) for name in ("halt-desk", "halt-account-acme", "halt-account-birch")}
    latch.latch(a_halt(reason="x" * 10_000))
    assert file_of(tmp_path).stat().st_size == SIZE
    assert file_of(tmp_path).stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    "reason",
    ["x" * 10_000, "\N{POLICE CARS REVOLVING LIGHT}" * 300, "\x01" * 300, '"' * 300],
    ids=["ascii", "wide", "control", "quotes"],
)
def test_a_long_reason_is_cut_and_the_level_never(opened, tmp_path, reason):
    opened().latch(a_halt(HaltLevel.CancelAll, reason=reason))
    halt = opened().read(ACME)
    assert halt is not None
    assert (halt.level, halt.by, halt.at) == (HaltLevel.CancelAll, "risk1", NOW)
    assert halt.reason
    assert reason.startswith(halt.reason)
    assert file_of(tmp_path).stat().st_size == SIZE


@pytest.mark.parametrize(
    "damage",
    [
        b"{",
        b"\xff" * SIZE,
        b"null",
        b'{"account": "acme"}',
        msgspec.json.encode(a_halt()).replace(b"cancel-opening", b"cancel-nothing"),
    ],
)
def test_a_damaged_file_is_a_halt(opened, tmp_path, damage):
    opened()
    file_of(tmp_path).write_bytes(damage.ljust(SIZE, b"\0"))
    halt = opened().read(ACME)
    assert halt is not None
    assert halt.level is HaltLevel.BlockNew


@pytest.mark.parametrize("kept", [1, 20, 100])
def test_a_file_cut_short_is_a_halt_and_not_an_empty_latch(opened, tmp_path, kept):
    opened().latch(a_halt())
    os.truncate(file_of(tmp_path), kept)
    halt = opened().read(ACME)
    assert halt is not None
    assert file_of(tmp_path).stat().st_size == SIZE


def test_a_file_cut_short_while_it_was_allocated_is_no_halt(opened, tmp_path):
    opened()
    os.truncate(file_of(tmp_path), 100)
    assert opened().read(ACME) is None
    assert file_of(tmp_path).stat().st_size == SIZE


def test_a_file_that_cannot_be_read_is_a_halt(opened, monkeypatch):
    latch = opened()

    def broken(*_: object) -> bytes:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "pread", broken)
    halt = latch.read(ACME)
    assert halt is not None
    assert halt.level is HaltLevel.BlockNew
