"""The whole screen at its three sizes, as the README shows it, and the dialogs that stand between a key and an order."""

from typing import Any

import pytest
from desk_app import MS, RecordingControl, an_app, press, settled
from desk_builders import NOW, a_view
from textual.pilot import Pilot

from tradedesk.clock import ManualClock
from tradedesk.ui.app import TradedeskApp

SnapCompare = Any


def the_app(
    *, watch_only: bool = False, theme: str = "desk-dark", ascii: bool = False, **of_view: object
) -> TradedeskApp:
    view = a_view(**of_view)  # type: ignore[arg-type]
    return an_app(view, None if watch_only else RecordingControl(), clock=ManualClock(NOW), theme=theme, ascii=ascii)


def after(*keys: str, deaf: bool = False) -> Any:
    """Press these, then let a dialog wake up and draw a frame."""

    async def run(pilot: Pilot[None]) -> None:
        app = pilot.app
        assert isinstance(app, TradedeskApp)
        await settled(app)
        await press(app, *keys)
        clock = app.desk.clock
        assert isinstance(clock, ManualClock)
        if not deaf:
            clock.advance(400 * MS)
        app.desk.frame()
        await settled(app)
        app.desk.draw(())  # scroll bars that came with the frame before find their place
        await settled(app)

    return run


@pytest.mark.parametrize("size", [(80, 24), (120, 36), (200, 50)], ids=["80x24", "120x36", "200x50"])
def test_the_desk(snap_compare: SnapCompare, size: tuple[int, int]) -> None:
    assert snap_compare(the_app(), terminal_size=size, run_before=after())


@pytest.mark.parametrize("size", [(80, 24), (120, 36), (200, 50)], ids=["80x24", "120x36", "200x50"])
def test_the_desk_with_a_ticket(snap_compare: SnapCompare, size: tuple[int, int]) -> None:
    keys = ("2", "n", *"0.1", "tab", *"63999.555", "enter")
    assert snap_compare(the_app(), terminal_size=size, run_before=after(*keys))


def test_the_review_of_an_order_for_three_accounts(snap_compare: SnapCompare) -> None:
    keys = ("colon", *"@all BTC buy 0.1 @63999.5", "enter", "enter")
    assert snap_compare(
        the_app(), terminal_size=(80, 24), run_before=after(*("space" if k == " " else k for k in keys))
    )


def test_the_halt_dialog(snap_compare: SnapCompare) -> None:
    assert snap_compare(the_app(), terminal_size=(80, 24), run_before=after("f12"))


@pytest.mark.parametrize("size", [(80, 24), (120, 36)], ids=["80x24", "120x36"])
def test_a_fleet_with_differences_to_settle(snap_compare: SnapCompare, size: tuple[int, int]) -> None:
    assert snap_compare(the_app(differs=True), terminal_size=size, run_before=after("4", "home"))


def test_the_worklist_of_an_account(snap_compare: SnapCompare) -> None:
    keys = ("4", "home", "w")
    assert snap_compare(the_app(differs=True), terminal_size=(80, 24), run_before=after(*keys))


def test_the_worklist_in_the_monitor_without_colour(snap_compare: SnapCompare) -> None:
    app = the_app(differs=True, watch_only=True, theme="mono", ascii=True)
    assert snap_compare(app, terminal_size=(80, 24), run_before=after("4", "home", "w"))


def test_the_settling_of_a_difference(snap_compare: SnapCompare) -> None:
    keys = ("colon", *"settle acme balance:BTC dust of the old system", "enter")
    assert snap_compare(
        the_app(differs=True), terminal_size=(80, 24), run_before=after(*("space" if k == " " else k for k in keys))
    )


def test_a_halted_desk_that_has_gone_away_in_light(snap_compare: SnapCompare) -> None:
    app = the_app(lost=True, halted="desk", theme="desk-light")
    assert snap_compare(app, terminal_size=(120, 36), run_before=after())


def test_the_monitor_without_colour_or_anything_but_ascii(snap_compare: SnapCompare) -> None:
    app = the_app(watch_only=True, theme="mono", ascii=True)
    assert snap_compare(app, terminal_size=(120, 36), run_before=after())


def test_a_terminal_that_is_too_small(snap_compare: SnapCompare) -> None:
    assert snap_compare(the_app(), terminal_size=(70, 20), run_before=after())
