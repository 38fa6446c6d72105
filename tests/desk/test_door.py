"""The door: how fast one may try, who pays for it, and what a stranger learns."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from tradedesk.access.operators import Operator, Role
from tradedesk.access.passphrases import Passphrases
from tradedesk.clock import ManualClock
from tradedesk.desk import door as door_module
from tradedesk.desk.door import Door, Shut
from tradedesk.desk.trail import Trail
from tradedesk.domain import events as ev
from tradedesk.domain.words import OperatorId
from tradedesk.log import Log

DESK = 1000  # the user that the desk runs as
BEN_USER = 1001
SECOND = 10**9
WORDS = "correct horse battery"


def an_operator(name: str, uid: int | None = None) -> Operator:
    return Operator(name=OperatorId(name), roles=frozenset({Role.Trader}), accounts=frozenset({"*"}), uid=uid)


class FakePassphrases(Passphrases):
    """Passphrases without their price; counts what was compared."""

    def __init__(self, path: Path, kept: dict[str, str]) -> None:
        super().__init__(path)
        self.kept = kept
        self.compared: list[str] = []

    def names(self) -> frozenset[OperatorId]:
        return frozenset(OperatorId(name) for name in self.kept)

    def check(self, name: OperatorId, passphrase: str) -> bool:
        self.compared.append(name)
        return self.kept.get(name) == passphrase


class Threshold:
    """A door with its clock and what it recorded."""

    def __init__(self, path: Path) -> None:
        self.clock = ManualClock(1_764_000_000_000_000_000)
        self.events: list[ev.Event] = []
        self.passphrases = FakePassphrases(path, {"ann": WORDS, "cleo": WORDS})
        known = [an_operator("ann"), an_operator("ben", BEN_USER), an_operator("cleo"), an_operator("dan")]
        self.door = Door(
            {operator.name: operator for operator in known},
            self.passphrases,
            desk_uid=DESK,
            trail=Trail(self.events.append, self.clock),
            emit=self.events.append,
            clock=self.clock,
            log=Log(),
        )

    async def try_(self, name: str | None, words: str | None = None, uid: int = DESK) -> Operator | Shut:
        return await self.door.admit(name, words, uid)

    async def reason(self, name: str | None, words: str | None = None, uid: int = DESK) -> str:
        found = await self.try_(name, words, uid)
        assert isinstance(found, Shut), found
        return found.reason

    def wait(self, seconds: int) -> None:
        self.clock.advance(seconds * SECOND)


@pytest.fixture
def at(tmp_path: Path) -> Iterator[Threshold]:
    made = Threshold(tmp_path / "operators")
    yield made
    made.door.close()


async def test_the_right_passphrase_lets_in_and_none_or_a_wrong_one_does_not(at: Threshold) -> None:
    found = await at.try_("ann", WORDS)
    assert isinstance(found, Operator)
    assert found.name == "ann"
    assert await at.try_("ann") == Shut(reason="ann has a passphrase; give it", wants_passphrase=True)
    assert await at.try_("ann", "wrong") == Shut(reason="the name or its passphrase is wrong", wants_passphrase=True)


async def test_an_operator_without_a_passphrase_is_proved_by_their_user(at: Threshold) -> None:
    assert isinstance(await at.try_("dan"), Operator)
    assert isinstance(await at.try_(None, uid=BEN_USER), Operator)
    assert "answers only to user id 1000" in await at.reason("dan", uid=BEN_USER)
    assert "belongs to user id 1001" in await at.reason("ben")


async def test_a_passphrase_is_no_good_for_another_user_of_the_machine(at: Threshold) -> None:
    assert await at.reason("ann", WORDS, BEN_USER) == "the name or its passphrase is wrong"


async def test_wrong_ones_slow_down_up_to_a_minute_and_the_right_one_ends_it(at: Threshold) -> None:
    waits = []
    for _ in range(9):
        assert await at.reason("ann", "wrong") == "the name or its passphrase is wrong"
        found = await at.reason("ann", WORDS)  # even the right one, too soon
        assert found.startswith("too soon after a wrong passphrase; try again in ")
        waits.append(int(found.split()[-2]))
        at.wait(waits[-1])
    assert waits == [1, 2, 4, 8, 16, 32, 60, 60, 60]
    assert isinstance(await at.try_("ann", WORDS), Operator)
    assert await at.reason("ann", "wrong") == "the name or its passphrase is wrong"
    at.wait(1)
    assert isinstance(await at.try_("ann", WORDS), Operator)


async def test_nothing_is_compared_while_one_has_to_wait(at: Threshold) -> None:
    """else waiting would cost the desk as much as trying"""
    await at.try_("ann", "wrong")
    for _ in range(50):
        await at.try_("ann", "guess")
    assert at.passphrases.compared == ["ann"]


async def test_guessing_one_operators_passphrase_keeps_nobody_else_waiting(at: Threshold) -> None:
    for _ in range(5):
        await at.try_("ann", "wrong", BEN_USER)
        at.wait(60)
    await at.try_("ann", "wrong", BEN_USER)
    assert isinstance(await at.try_("cleo", WORDS), Operator)
    assert isinstance(await at.try_("ann", WORDS), Operator)  # not even herself, from her own user


async def test_wrong_ones_are_forgotten_after_a_quarter_of_an_hour(at: Threshold) -> None:
    for _ in range(6):
        await at.try_("ann", "wrong")
        at.wait(60)
    at.wait(15 * 60)
    await at.try_("ann", "wrong")
    assert "in 1 s" in await at.reason("ann", "wrong")


async def test_a_name_that_is_nobodys_costs_the_same_and_is_answered_alike(at: Threshold) -> None:
    answers = []
    for name in ("ann", "nobody"):
        answers.append([await at.reason(name, "wrong"), await at.reason(name, "wrong")])
    assert answers[0] == answers[1]
    assert at.passphrases.compared == ["ann", "nobody"]


def test_the_time_for_a_name_that_is_nobodys_is_that_of_a_hash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """the derivation itself is counted, for a clock on a busy machine proves nothing"""
    from tradedesk.access import passphrases as module

    derived: list[tuple[int, int, int]] = []
    really = module._derived

    def counted(passphrase: str, kdf: module.Kdf) -> bytes:
        derived.append((kdf.iterations, kdf.memory_kib, kdf.lanes))
        return really(passphrase, kdf)

    kept = Passphrases(tmp_path / "operators")
    kept.put(OperatorId("ann"), WORDS)
    monkeypatch.setattr(module, "_derived", counted)
    assert not kept.check(OperatorId("ann"), "wrong")
    assert not kept.check(OperatorId("nobody"), "wrong")
    assert len(derived) == 2
    assert derived[0] == derived[1]


async def test_many_at_once_are_not_many_guesses(at: Threshold) -> None:
    found = await asyncio.gather(*(at.reason("ann", "wrong") for _ in range(20)))
    assert at.passphrases.compared == ["ann"]
    assert found.count("the name or its passphrase is wrong") == 1


async def test_the_work_of_hashing_is_bounded(at: Threshold, monkeypatch: pytest.MonkeyPatch) -> None:
    """5.13"""
    monkeypatch.setattr(door_module, "MAX_WAITING", 4)
    found = await asyncio.gather(*(at.reason(f"nobody{number}", "wrong") for number in range(30)))
    assert found.count("another passphrase is being tried; try again in a second") >= 20


async def test_names_tried_in_vain_are_not_remembered_without_end(
    at: Threshold, monkeypatch: pytest.MonkeyPatch
) -> None:
    """5.13"""
    monkeypatch.setattr(door_module, "MAX_REMEMBERED", 8)
    for number in range(40):
        await at.try_(f"nobody{number}", "wrong")
    assert len(at.door._tries) == 8


async def test_refusals_are_recorded_and_several_in_a_row_raise_an_alert(at: Threshold) -> None:
    for _ in range(5):
        await at.try_("ann", "wrong")
        at.wait(60)
    refused = [event for event in at.events if isinstance(event, ev.LoginRefused)]
    assert [(event.operator, event.uid, event.why) for event in refused] == [
        ("ann", DESK, "the name or its passphrase is wrong")
    ] * 5
    [alert] = [event.alert for event in at.events if isinstance(event, ev.AlertRaised)]
    assert alert.text.startswith("5 wrong passphrases in a row for operator ann, tried by user id 1000")
    assert not any("wrong" in str(event) and WORDS in str(event) for event in at.events)


async def test_being_asked_for_a_passphrase_is_no_refusal(at: Threshold) -> None:
    await at.try_("ann")
    assert at.events == []


async def test_a_name_may_be_anything_and_is_recorded_clean(at: Threshold) -> None:
    """5.14"""
    await at.try_("\x1b]52;c;AAAA\x07" + "x" * 10_000, "wrong")
    [refused] = [event for event in at.events if isinstance(event, ev.LoginRefused)]
    assert "\x1b" not in refused.operator
    assert len(refused.operator) <= 40


async def test_a_file_that_cannot_be_believed_lets_nobody_in(tmp_path: Path) -> None:
    made = Threshold(tmp_path / "operators")
    made.door._passphrases = Passphrases(tmp_path / "operators")
    (tmp_path / "operators").write_text("{}")
    (tmp_path / "operators").chmod(0o600)
    assert "is damaged" in await made.reason("dan")
    assert "is damaged" in await made.reason("ann", WORDS)
    made.door.close()


# ---- the trail -------------------------------------------------------------------------------------------------------


def test_knocking_does_not_fill_the_journal_and_what_was_skipped_is_told() -> None:
    """5.13"""
    clock, events = ManualClock(1), []
    trail = Trail(events.append, clock)
    for _ in range(500):
        trail.login_refused("ann", BEN_USER, "wrong")
    trail.login_refused("ann", DESK, "wrong")  # somebody else's knocking hides nobody's
    assert len(events) == 31
    clock.advance(60 * SECOND)
    trail.login_refused("ann", BEN_USER, "wrong")
    assert events[-1].unrecorded == 470


def test_who_is_counted_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """5.13"""
    monkeypatch.setattr("tradedesk.desk.trail.MAX_KEYS", 10)
    trail = Trail([].append, ManualClock(1))
    for number in range(100):
        trail.command_refused(OperatorId(f"op{number}"), "PlaceOrder", None, "no")
    assert len(trail._windows) == 10
