"""The locked screen and the second person's dialog, on the whole app."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from desk_app import Bench, RecordingControl, a_desk, an_app, settled
from desk_builders import ANN, NOW, a_view
from textual.widgets import Input

from tradedesk.clock import ManualClock
from tradedesk.domain.accounts import HaltLevel
from tradedesk.domain.commands import Approve, GoLive, HaltTrading, Submitted
from tradedesk.domain.events import ApprovalAsked, ApprovalEnded, HaltSet
from tradedesk.domain.words import AccountId, OperatorId
from tradedesk.ui.dialogs.approval import ApproveDialog, GoLiveDialog
from tradedesk.ui.dialogs.halt import HaltDialog
from tradedesk.ui.screens.lock import LockDialog, ScreenLock

MINUTES = 60_000
ACME = AccountId("acme")


class Keeper:
    """Knows the passphrase; notes what the desk was told."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def lock(self) -> None:
        self.told.append("lock")

    def unlock(self, passphrase: str) -> str | None:
        self.told.append(passphrase)
        return None if passphrase == "open up" else "the name or its passphrase is wrong"


@asynccontextmanager
async def lockable(
    *, watch_only: bool = False, size: tuple[int, int] = (120, 36)
) -> AsyncIterator[tuple[Bench, Keeper]]:
    control, clock, keeper = RecordingControl(), ManualClock(NOW), Keeper()
    lock = ScreenLock(idle_ns=10 * 60 * 10**9, lock=keeper.lock, unlock=keeper.unlock)
    app = an_app(a_view(), None if watch_only else control, clock=clock, lock=lock)
    async with app.run_test(size=size) as pilot:
        await settled(app)
        yield Bench(app, pilot, clock, control), keeper


async def fill(desk: Bench, field: str, text: str) -> None:
    desk.app.screen.query_one(f"#{field}", Input).value = text
    await settled(desk.app)


async def typed(desk: Bench, passphrase: str) -> None:
    desk.app.screen.query_one(Input).value = passphrase
    await desk.press("enter")
    await desk.app.workers.wait_for_complete()
    await settled(desk.app)


async def test_a_locked_screen_shows_nothing_of_the_desk_and_hears_no_key_of_it() -> None:
    async with lockable() as (desk, keeper):
        before = desk.shown()
        assert "BTC/USDT" in before
        assert "acme" in before
        await desk.command("lock")
        await desk.wait()
        shown = desk.shown()
        assert "locked: ann" in shown
        assert "BTC/USDT" not in shown
        assert "acme" not in shown
        await desk.press("n", "x", "X", "u", "f9", "f2", "colon", "ctrl+p", "ctrl+q", "escape", "2", "tab", "a")
        assert isinstance(desk.dialog(), LockDialog)
        assert (desk.commands, desk.app.is_running) == ([], True)
        assert keeper.told == ["lock"]


async def test_the_passphrase_opens_it_and_a_wrong_one_does_not() -> None:
    async with lockable() as (desk, keeper):
        await desk.press("ctrl+l")
        await desk.wait()
        await typed(desk, "let me in")
        assert "the name or its passphrase is wrong" in desk.shown()
        assert "let me in" not in desk.shown()
        await typed(desk, "open up")
        assert desk.dialog() is None
        assert "BTC/USDT" in desk.shown()
        assert keeper.told == ["lock", "let me in", "open up"]
        await desk.press("n")
        assert desk.desk.ticket.is_open


async def test_it_locks_by_itself_when_nobody_is_there_and_is_disarmed() -> None:
    async with lockable() as (desk, _):
        await desk.press("f9")
        assert desk.desk.is_armed
        await desk.wait(9 * MINUTES)
        assert desk.dialog() is None
        await desk.press("j")
        await desk.wait(9 * MINUTES)
        assert desk.dialog() is None
        await desk.wait(1 * MINUTES)
        assert isinstance(desk.dialog(), LockDialog)
        assert not desk.desk.is_armed


async def test_a_dialog_that_was_open_is_over() -> None:
    async with lockable() as (desk, _):
        await desk.review()
        assert desk.dialog() is not None
        await desk.wait(10 * MINUTES)
        assert [type(screen).__name__ for screen in desk.app.screen_stack[1:]] == ["LockDialog"]
        await desk.wait()
        await typed(desk, "open up")
        assert desk.dialog() is None
        assert desk.commands == []


async def test_a_locked_screen_halts() -> None:
    """5.5"""
    async with lockable() as (desk, _):
        await desk.command("lock")
        await desk.wait()
        await desk.press("f12")
        await desk.wait()
        assert isinstance(desk.dialog(), HaltDialog)
        await desk.press("d", "y")
        [command] = desk.commands
        assert isinstance(command, HaltTrading)
        assert command.account is None
        assert isinstance(desk.dialog(), LockDialog)


async def test_a_halt_is_seen_on_the_locked_screen() -> None:
    async with lockable() as (desk, _):
        await desk.command("lock")
        halted = HaltSet(
            at=NOW, source="desk", account=None, level=HaltLevel.CancelAll, by=OperatorId("ben"), reason="fire"
        )
        await desk.publish(halted)
        await desk.wait()
        assert "HALT the whole desk" in desk.shown()


async def test_a_screen_that_only_watches_locks_too_and_halts_nothing() -> None:
    async with lockable(watch_only=True) as (desk, _):
        await desk.command("lock")
        await desk.wait()
        await desk.press("f12")
        assert isinstance(desk.dialog(), LockDialog)
        await typed(desk, "open up")
        assert desk.dialog() is None


async def test_an_operator_without_a_passphrase_is_told_why_nothing_locks() -> None:
    async with a_desk() as desk:
        await desk.command("lock")
        assert desk.dialog() is None
        assert "has no passphrase" in desk.notices()[-1]


# ---- the second person -------------------------------------------------------------------------------------------------


def asked(by: str = "ben", account: AccountId | None = ACME) -> ApprovalAsked:
    return ApprovalAsked(
        at=NOW,
        source="desk",
        id="7kq2x",
        kind="rearm-breach",
        account=account,
        by=OperatorId(by),
        what="rearm account acme, halted by system:risk (drawdown 2 510 USDT): checked with the client",
        command="{}",
        about="",
        expires_at=NOW + 3_600 * 10**9,
    )


@pytest.mark.parametrize("way", ["A", ":approve 7kq2x", ":approve"])
async def test_what_somebody_else_asked_for_is_read_and_approved(way: str) -> None:
    async with a_desk() as desk:
        await desk.publish(asked())
        assert "ben asks a second person" in desk.notices()[-1]
        await (desk.command(way[1:]) if way.startswith(":") else desk.press(way))
        await desk.wait()
        assert isinstance(desk.dialog(), ApproveDialog)
        assert "halted by system:risk" in desk.shown()
        await desk.press("f2")
        assert "type acme first" in desk.shown()
        await fill(desk, "name", "acme")
        await desk.press("f2")
        assert "a note is needed" in desk.shown()
        await fill(desk, "told", "so did I")
        await desk.press("f2")
        assert desk.commands == [Approve(id="7kq2x", note="so did I", operator=ANN)]


async def test_nobody_is_shown_a_way_to_approve_their_own_wish() -> None:
    async with a_desk() as desk:
        await desk.publish(asked(by="ann"))
        await desk.command("approve 7kq2x")
        assert desk.dialog() is None
        assert "somebody else with the role risk" in desk.notices()[-1]
        await desk.press("A")
        assert "nothing of somebody else waits" in desk.notices()[-1]


async def test_what_is_over_while_it_is_read_says_so() -> None:
    async with a_desk() as desk:
        await desk.publish(asked())
        await desk.press("A")
        await desk.publish(ApprovalEnded(at=NOW, source="desk", id="7kq2x", account=ACME, why="late"))
        await desk.wait()
        assert "does not wait any more" in desk.shown()


async def test_going_live_is_asked_for_with_the_account_typed_and_a_reason() -> None:
    async with a_desk() as desk:
        await desk.command("golive acme mandate of May")
        await desk.wait()
        assert isinstance(desk.dialog(), GoLiveDialog)
        await fill(desk, "name", "acme")
        await desk.press("f2")
        assert desk.commands == [GoLive(account=ACME, reason="mandate of May", operator=ANN)]


async def test_what_waits_for_a_second_person_is_said_to_who_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    async with a_desk() as desk:
        monkeypatch.setattr(desk.control, "submit", lambda command: Submitted(approval="7kq2x"))
        await desk.command("golive acme mandate")
        await desk.wait()
        await fill(desk, "name", "acme")
        await desk.press("f2")
        assert "waits for a second person, :approve 7kq2x" in desk.notices()[-1]


@pytest.mark.parametrize(
    ("line", "says"),
    [("approve", "nothing waits for approval"), ("golive", "go live with what?"), ("golive zzz", "zzz")],
)
async def test_a_line_that_cannot_be_meant_is_pointed_at(line: str, says: str) -> None:
    async with a_desk() as desk:
        await desk.command(line)
        assert says in desk.shown()
        assert desk.dialog() is None
