"""Cancels, halts, rearming, alerts, leaving: the keys that make the desk safer, and those that need a second word."""

from decimal import Decimal

from desk_app import a_desk, press_at_once
from desk_builders import ACME, ANN, BIRCH, BTC, CEDAR, NOW, SECOND, a_request, an_order, moved, working

from tradedesk.domain.accounts import HaltLevel
from tradedesk.domain.alerts import Severity
from tradedesk.domain.commands import AcknowledgeAlert, CancelAll, CancelOrder, HaltTrading, Rearm, SnoozeAlert
from tradedesk.domain.events import (
    AlertEscalated,
    AlertRaised,
    AlertSnoozed,
    HaltSet,
    RequestMade,
    SubmissionRefused,
)
from tradedesk.domain.orders import Happening, RequestKind
from tradedesk.domain.scopes import Scope, ScopeKind
from tradedesk.domain.words import ClientOrderId, OperatorId
from tradedesk.ui.dialogs.ask import Ask
from tradedesk.ui.dialogs.cancel_all import CancelAllDialog
from tradedesk.ui.dialogs.halt import HaltDialog, RearmDialog
from tradedesk.ui.notices import rings

EMPTY = {"is_empty": True}


async def test_cancel_is_one_key_armed_or_not() -> None:
    async with a_desk(**EMPTY) as desk:
        await desk.publish(*working(an_order("c1")))
        await desk.press("2", "x")
        assert desk.commands == [CancelOrder(account=ACME, client_order_id="c1", operator=ANN)]  # type: ignore[arg-type]


async def test_marked_orders_are_cancelled_together_and_the_dead_ones_left_alone() -> None:
    async with a_desk(**EMPTY) as desk:
        orders = [an_order(f"c{n}", placed_at=NOW - n * SECOND) for n in range(4)]
        for order in orders:
            await desk.publish(*working(order))
        await desk.press("2", "space", "j", "space", "j", "space")
        await desk.publish(moved(orders[1], Happening.Canceled))
        await desk.press("x")
        for order in (orders[0], orders[2]):
            await desk.publish(moved(order, Happening.Canceled))
        assert sorted(command.client_order_id for command in desk.commands if isinstance(command, CancelOrder)) == [
            "c0", "c2"
        ]  # fmt: skip
        await desk.press("2", "home", "x")  # what was marked is dead by now: the row under the cursor counts
        assert len(desk.commands) == 3


async def test_an_order_that_is_not_on_the_screen_is_not_cancelled_by_x() -> None:
    async with a_desk(size=(80, 24)) as desk:
        await desk.press("1", "x")
        assert desk.commands == []
        assert any("orders first" in text for text in desk.notices())


async def test_an_order_of_other_software_is_cancelled_only_when_asked_twice() -> None:
    async with a_desk(**EMPTY) as desk:
        await desk.publish(*working(an_order("web_1", is_external=True)))
        await desk.press("2", "x")
        assert desk.commands == []
        assert isinstance(desk.dialog(), Ask)
        await desk.press("y")
        assert desk.commands == []  # the dialog was not listening yet
        await desk.wait()
        await desk.press("y")
        assert len(desk.commands) == 1


async def test_undo_cancels_my_newest_batch_and_nobody_elses() -> None:
    async with a_desk(**EMPTY) as desk:
        await desk.publish(
            *working(an_order("old", placed_at=NOW - 90 * SECOND)),
            *working(an_order("a", block="b1", placed_at=NOW - 20 * SECOND)),
            *working(an_order("b", "birch", block="b1", placed_at=NOW - 19 * SECOND)),
            *working(an_order("theirs", operator=OperatorId("bob"), placed_at=NOW - 1 * SECOND)),
        )
        await desk.press("u")
        assert {command.client_order_id for command in desk.commands if isinstance(command, CancelOrder)} == {"a", "b"}


async def test_cancel_all_shows_counts_and_needs_f2() -> None:
    async with a_desk() as desk:
        await desk.press("X")
        await desk.wait()
        assert isinstance(desk.dialog(), CancelAllDialog)
        await desk.press("enter", "y", "X")
        assert desk.commands == []
        await desk.press("tab", "tab", "tab")
        assert "9 open" in desk.shown()
        assert "1 of other software stay: web_91ac" in desk.shown()
        await desk.press("f2")
        assert desk.commands == [CancelAll(account=account, operator=ANN) for account in (ACME, BIRCH, CEDAR)]


async def test_cancel_by_command_names_its_scope_and_keeps_the_dialog() -> None:
    async with a_desk() as desk:
        await desk.command("acme,birch cancel BTC")
        await desk.wait()
        assert "acme, birch, BTC/USDT" in desk.shown()
        await desk.press("f2")
        assert desk.commands == [CancelAll(account=one, instrument=BTC, operator=ANN) for one in (ACME, BIRCH)]


async def test_a_halt_needs_its_scope_named_and_works_disarmed() -> None:
    async with a_desk() as desk:
        await desk.press("f12")
        await desk.wait()
        assert isinstance(desk.dialog(), HaltDialog)
        await desk.press("y")
        assert desk.commands == []
        assert "which?" in desk.shown()
        await desk.press("d", "y")
        (halt,) = desk.commands
        assert halt == HaltTrading(
            account=None, level=HaltLevel.CancelOpening, reason="halted from the screen", operator=ANN
        )


async def test_a_halt_may_be_of_what_the_cursor_is_on() -> None:
    async with a_desk(**EMPTY) as desk:
        await desk.publish(*working(an_order("child", block="twap:7", operator=OperatorId("bob"))))
        await desk.press("2", "f12")
        await desk.wait()
        wanted = {
            "g": ("group", "all"),
            "v": ("venue", "binance"),
            "i": ("instrument", BTC),
            "o": ("operator", "bob"),
            "b": ("algorithm", "twap"),
        }
        for key, (kind, name) in wanted.items():
            await desk.press(key)
            assert f"y halts {kind} {name}" in desk.shown()
        await desk.press("l", "l", "y")
        assert "has no positions to flatten" in desk.shown()
        await desk.press("l", "y")
        (halt,) = desk.commands
        assert halt == HaltTrading(
            account=None,
            scope=Scope(kind=ScopeKind.Algorithm, name="twap"),
            level=HaltLevel.BlockNew,
            reason="halted from the screen",
            operator=ANN,
        )


async def test_a_rearm_of_another_scope_shows_what_it_was_for_and_wants_its_name() -> None:
    scope = Scope(kind=ScopeKind.Group, name="growth")
    async with a_desk(**EMPTY) as desk:
        await desk.publish(
            HaltSet(
                at=NOW, source="desk", account=None, scope=scope, level=HaltLevel.CancelAll, by=OperatorId("bob"),
                reason="prices look wrong",
            )
        )  # fmt: skip
        assert "HALT group growth" in desk.shown()
        await desk.command("rearm @growth they are right")
        await desk.wait()
        assert "cancel-all by bob" in desk.shown()
        assert "prices look wrong" in desk.shown()
        await desk.press("f2")
        assert desk.commands == []
        await desk.type("growth")
        await desk.press("f2")
        assert desk.commands == [Rearm(account=None, scope=scope, reason="they are right", operator=ANN)]


async def test_a_halt_takes_level_and_reason_and_a_y_in_the_reason_is_a_letter() -> None:
    async with a_desk() as desk:
        await desk.press("2", "f12")
        await desk.wait()
        await desk.press("a", "l", "r")
        await desk.type("yes")
        assert desk.commands == []
        await desk.press("enter", "y")
        (halt,) = desk.commands
        assert halt == HaltTrading(account=CEDAR, level=HaltLevel.CancelAll, reason="yes", operator=ANN)


async def test_a_halt_by_command_still_asks_y() -> None:
    async with a_desk() as desk:
        await desk.command("halt birch fat finger")
        await desk.wait()
        assert desk.commands == []
        assert "y halts birch" in desk.shown()
        await desk.press("y")
        assert desk.commands == [HaltTrading(account=BIRCH, reason="fat finger", operator=ANN)]


async def test_a_halt_disarms_and_stands_across_the_screen() -> None:
    async with a_desk() as desk:
        await desk.press("f9")
        assert desk.desk.is_armed
        halt = HaltSet(
            at=NOW, source="desk", account=None, level=HaltLevel.BlockNew, by=OperatorId("bob"), reason="news"
        )
        await desk.publish(halt)
        assert not desk.desk.is_armed
        assert "HALT DESK: block-new by bob" in desk.shown()


async def test_rearming_asks_for_the_typed_account_and_a_reason() -> None:
    async with a_desk(halted="acme") as desk:
        await desk.command("rearm acme checked with the client")
        await desk.wait()
        assert isinstance(desk.dialog(), RearmDialog)
        await desk.press("f2")
        assert desk.commands == []
        await desk.type("acme")
        await desk.press("f2")
        assert desk.commands == [Rearm(account=ACME, reason="checked with the client", operator=ANN)]


async def test_nothing_is_rearmed_that_is_not_halted() -> None:
    async with a_desk() as desk:
        await desk.command("rearm birch why not")
        assert desk.dialog() is None
        assert desk.commands == []


async def test_an_alert_is_acknowledged_where_it_stands() -> None:
    async with a_desk() as desk:
        await desk.press("5", "a")
        (command,) = desk.commands
        assert isinstance(command, AcknowledgeAlert)
        assert command.key in desk.app.view.replica.alerts


async def test_an_alert_is_acknowledged_with_a_note_and_put_off_by_the_command_line() -> None:
    async with a_desk() as desk:
        await desk.press("5")
        await desk.command("snooze 30m venue maintenance")
        await desk.command("ack client called")
        snoozed, acknowledged = desk.commands
        assert isinstance(snoozed, SnoozeAlert)
        assert (snoozed.until - desk.desk.clock.now(), snoozed.note) == (1_800 * 10**9, "venue maintenance")
        assert isinstance(acknowledged, AcknowledgeAlert)
        assert acknowledged.note == "client called"


async def test_the_bell_rings_for_what_nobody_acknowledged_and_not_for_what_was_put_off() -> None:
    async with a_desk() as desk:
        rung: list[int] = []
        desk.desk.app.bell = lambda: rung.append(1)  # type: ignore[method-assign]
        rows = desk.app.view.replica.alerts
        key = next(key for key, row in rows.items() if row.is_waiting and row.alert.severity is Severity.Critical)
        escalated = AlertEscalated(at=NOW, source="system:risk", key=key, times=1, waited_ms=300_000)
        await desk.publish(escalated)
        assert rung == [1]
        assert any("NOT ACKNOWLEDGED for 5 min" in text for text in desk.notices())
        again = AlertRaised(at=NOW, source="s", alert=rows[key].alert)
        assert rings(again, desk.app.view.replica)
        await desk.publish(AlertSnoozed(at=NOW, source="desk", key=key, by=ANN, until=NOW + SECOND, note=""), again)
        assert not rings(again, desk.app.view.replica)
        assert rung == [1]


async def test_the_desk_going_away_disarms_and_coming_back_does_not_arm() -> None:
    async with a_desk() as desk:
        await desk.press("f9")
        from desk_builders import feed_of

        feed_of(desk.app.view).lose(NOW, "closed")
        await desk.publish()
        assert not desk.desk.is_armed
        assert "BLIND since" in desk.shown()
        await desk.press("f9")
        assert not desk.desk.is_armed


async def test_quitting_says_what_stays_at_the_venue() -> None:
    async with a_desk() as desk:
        await desk.press("ctrl+q")
        await desk.wait()
        assert "10 orders are open (acme, birch, cedar). They stay at the venue" in " ".join(desk.shown().split())
        await desk.press("escape")
        assert desk.app.is_running
        await desk.press("ctrl+q")
        await desk.wait()
        await desk.press("y")
        assert desk.app._exit


async def test_quitting_without_orders_asks_nothing() -> None:
    async with a_desk(**EMPTY) as desk:
        await desk.press("ctrl+q")
        assert desk.app._exit


async def test_ctrl_c_copies_and_neither_quits_nor_cancels() -> None:
    async with a_desk() as desk:
        await desk.press("2", "ctrl+c", "ctrl+c")
        assert desk.commands == []
        assert not desk.app._exit
        assert "BTC/USDT" in desk.app.clipboard
        await desk.press("n", "ctrl+c")
        assert not desk.app._exit


async def test_a_refusal_that_comes_later_stays_until_it_is_seen() -> None:
    async with a_desk() as desk:
        await desk.publish(
            SubmissionRefused(at=NOW, source="desk", operator=ANN, what="td-1", reason="not allowed"),
            SubmissionRefused(at=NOW, source="desk", operator=OperatorId("bob"), what="td-2", reason="not allowed"),
        )
        await desk.wait(60_000)
        assert desk.notices() == ["NOT SENT td-1: not allowed"]
        await desk.press("escape")
        assert desk.notices() == []


async def test_a_venues_text_is_shown_and_never_parsed() -> None:
    """5.14: markup, links and control bytes of a venue are words on the screen."""
    async with a_desk(**EMPTY) as desk:
        order = an_order("c1", order_qty=Decimal("0.1"))
        hostile = "[/] [@click=app.leave]press[/] \x1b[2J\u202e [red]no"
        await desk.publish(*working(order), moved(order, Happening.Rejected, hostile))
        shown = desk.shown()
        assert "[/]" in shown
        assert "[red]no" in shown
        assert "\x1b" not in shown
        assert "\u202e" not in shown


async def test_keys_typed_at_one_go_close_a_jump_and_a_dialog_once() -> None:
    async with a_desk() as desk:
        await desk.press("g")
        await press_at_once(desk.app, "x", "x", "x")
        assert desk.app.screen is desk.desk
        await desk.press("f12")
        await desk.wait()
        await press_at_once(desk.app, "escape", "escape")
        await desk.press("ctrl+q")
        await desk.wait()
        await press_at_once(desk.app, "n", "n", "escape")
        assert desk.app.screen is desk.desk
        assert desk.app.is_running


async def test_the_cursor_goes_on_with_the_order_that_an_amend_made() -> None:
    async with a_desk(**EMPTY) as desk:
        await desk.publish(*working(an_order("c1")), *working(an_order("other", placed_at=NOW - 300 * SECOND)))
        await desk.press("2", "home")
        heir = ClientOrderId("c2")
        replace = a_request("c1-r", RequestKind.Replace, NOW, replaced_by=heir)
        await desk.publish(
            RequestMade(at=NOW, source="worker", account=ACME, client_order_id=ClientOrderId("c1"), request=replace),
            *working(an_order("c2", replaces=ClientOrderId("c1"))),
            moved(an_order("c1"), Happening.Canceled),
        )
        assert desk.desk.panes["orders"].selected().order == heir
        await desk.press("x")
        assert desk.commands == [CancelOrder(account=ACME, client_order_id=heir, operator=ANN)]


async def test_acknowledging_says_the_cause_and_goes_on_to_the_next() -> None:
    async with a_desk() as desk:
        await desk.press("5", "a", "a")
        keys = [command.key for command in desk.commands if isinstance(command, AcknowledgeAlert)]
        assert len(set(keys)) == 2
        rows = desk.app.view.replica.alerts
        assert all(any(rows[key].alert.text in text for text in desk.notices()) for key in keys)


async def test_the_cursor_is_seen_when_a_table_gets_the_keys_and_when_its_rows_move() -> None:
    async with a_desk(size=(80, 24)) as desk:
        await desk.press("2", "end")
        pane = desk.desk.panes["orders"]
        pane.scroll_to(y=0, animate=False, immediate=True)
        await desk.press("1", "2")
        assert pane.glyphs.cursor in desk.shown()
        await desk.publish(*(event for n in range(9) for event in working(an_order(f"new{n}"))))
        await desk.wait()
        assert pane.glyphs.cursor in desk.shown()
