"""What everyone can do, and that the monitor can do nothing else: layouts, filter, themes, what is kept, how it ends."""

import json
from pathlib import Path

import pytest
from desk_app import RecordingControl, a_desk, an_app
from desk_builders import NOW, SECOND, a_feed, a_view, feed_of

from tradedesk.domain.words import OperatorId
from tradedesk.ui.app import TradedeskApp
from tradedesk.ui.command_line import CommandLine, Completion
from tradedesk.ui.keys import TRADE_KEYS
from tradedesk.ui.screens.trade import TradeScreen
from tradedesk.ui.screens.watch import WatchScreen
from tradedesk.ui.screens.welcome import WelcomeApp
from tradedesk.ui.settings import Settings, read_settings, settings_file
from tradedesk.ui.ticket import Ticket
from tradedesk.views.feed import Update
from tradedesk.views.replica import Replica


async def test_in_the_monitor_what_trades_does_not_exist() -> None:
    """5.12: absent, not disabled; no control object anywhere."""
    async with a_desk(watch_only=True) as desk:
        screen = desk.app.desk
        assert type(screen) is WatchScreen
        assert not isinstance(screen, TradeScreen)
        assert not desk.app.query(Ticket)
        bound = {binding.id for _, binding, *_ in screen.active_bindings.values()}
        assert not bound & {key.id for key in TRADE_KEYS}
        assert not any(hasattr(screen, f"action_{key.action}") for key in TRADE_KEYS)
        assert not any(isinstance(value, RecordingControl) for value in vars(screen).values())
        titles = [command.title for command in desk.app.get_system_commands(screen)]
        assert not any(key.says in titles for key in TRADE_KEYS)


async def test_every_trading_key_does_nothing_in_the_monitor() -> None:
    async with a_desk(watch_only=True) as desk:
        before = desk.app.screen
        await desk.press("2", "n", "x", "X", "u", "e", "f", "a", "f9", "f12", "f2")
        assert desk.app.screen is before
        assert desk.notices() == []
        await desk.command("halt acme x")
        assert "no command 'halt'" in desk.shown()


async def test_the_monitor_says_read_only_and_how_far_behind_it_is() -> None:
    async with a_desk(watch_only=True, size=(80, 24)) as desk:
        from tradedesk.domain.events import Heartbeat

        desk.clock.advance(SECOND)
        await desk.publish(Heartbeat(at=NOW + SECOND - 40_000_000, source="desk"))
        header = desk.shown().splitlines()[0]
        assert "READ-ONLY" in header
        assert "lag 40ms" in header
        await desk.wait(12_000)
        assert "lag 12s" in desk.shown().splitlines()[0]


async def test_the_monitor_says_since_when_it_is_blind_and_comes_back_by_itself() -> None:
    async with a_desk(watch_only=True) as desk:
        feed_of(desk.app.view).lose(NOW, "the desk closed the connection")
        await desk.wait(30_000)
        assert "BLIND since 12:04:31Z (30s)" in desk.shown()
        again = Replica()
        for update in a_feed().take():
            again.apply(update.event)  # type: ignore[union-attr]
        feed_of(desk.app.view).waiting.append(again.snapshot(900))
        await desk.wait()
        assert "BLIND" not in desk.shown()
        assert desk.app.view.number == 900


async def test_a_monitor_without_any_desk_says_so() -> None:
    async with a_desk(watch_only=True, is_empty=True) as desk:
        desk.app.view.is_fed = False
        feed_of(desk.app.view).lose(NOW, "no desk runs here: read.sock is not there")
        await desk.publish()
        assert "NO DESK: no desk runs here" in desk.shown()


async def test_each_size_has_its_layout_and_one_too_small_says_so() -> None:
    async with a_desk(size=(80, 24)) as desk:
        for size, visible in (
            ((80, 24), {"market"}),
            ((120, 36), {"market", "chart", "orders", "alerts", "logs"}),
            ((200, 50), {"market", "chart", "orders", "alerts", "logs", "fleet", "positions"}),
            ((60, 15), {"orders"}),
            ((120, 36), {"market", "chart", "orders", "alerts", "logs"}),
        ):
            await desk.pilot.resize_terminal(*size)
            await desk.wait(0)
            shown = {name for name, pane in desk.desk.panes.items() if pane.display and pane.is_on_screen and pane.size}
            assert shown == visible, size
            assert ("60x15 is below 80x24" in desk.shown()) is (size == (60, 15))


async def test_every_pane_is_reached_by_number_by_tab_and_by_letter() -> None:
    async with a_desk(size=(80, 24)) as desk:
        for key, name in zip(
            "1234567", ("market", "orders", "positions", "fleet", "alerts", "logs", "chart"), strict=True
        ):
            await desk.press(key)
            assert desk.app.focused is desk.desk.panes[name]
        await desk.press("tab")
        assert desk.app.focused is desk.desk.panes["market"]
        await desk.press("shift+tab")
        assert desk.app.focused is desk.desk.panes["chart"]
    async with a_desk() as desk:
        await desk.press("g", "l")
        assert desk.app.focused is desk.desk.panes["logs"]
        await desk.press("g", "q")
        assert desk.app.focused is desk.desk.panes["logs"]


async def test_zoom_fills_the_body_and_comes_back() -> None:
    async with a_desk() as desk:
        before = desk.desk.panes["orders"].region
        await desk.press("2", "z")
        assert desk.desk.panes["orders"].region.size == desk.desk.body.size
        await desk.press("z")
        assert desk.desk.panes["orders"].region == before


async def test_a_filter_narrows_as_one_types_and_escape_clears() -> None:
    async with a_desk() as desk:
        await desk.press("2", "slash")
        await desk.type("birch")
        assert "/birch" in desk.shown()
        assert not [line for line in desk.shown().splitlines() if "cedar" in line and ("BUY" in line or "SELL" in line)]
        await desk.press("enter")
        assert desk.app.focused is desk.desk.panes["orders"]
        await desk.press("slash", "escape")
        assert "/birch" not in desk.shown()


async def test_a_mistake_on_the_command_line_points_at_its_word_and_keeps_the_line() -> None:
    async with a_desk() as desk:
        await desk.command("acme BTC bye 0.1")
        lines = desk.shown().splitlines()
        at = next(n for n, line in enumerate(lines) if line.startswith("paper> acme BTC bye"))
        assert lines[at - 1].index("^^^") == lines[at].index("bye")
        assert "did you mean buy?" in lines[at - 1]
        await desk.press("escape")
        assert desk.commands == []
        assert not desk.desk.query_one(CommandLine).display


async def test_completion_shows_above_the_line_and_tab_takes_it() -> None:
    async with a_desk() as desk:
        await desk.press("colon", *"go ord")
        completion = desk.desk.query_one(Completion)
        assert completion.display
        assert completion.region.bottom <= 35
        await desk.press("tab", "enter")
        assert desk.app.focused is desk.desk.panes["orders"]


async def test_history_brings_back_what_was_typed() -> None:
    async with a_desk() as desk:
        await desk.command("go logs")
        await desk.command("theme mono")
        await desk.press("colon", "up", "up", "enter")
        assert desk.app.focused is desk.desk.panes["logs"]


async def test_the_prompt_carries_the_mode() -> None:
    from tradedesk.domain.accounts import Mode

    async with a_desk(mode=Mode.Live) as desk:
        await desk.press("colon")
        assert "LIVE>" in desk.shown()
        assert " LIVE " in desk.shown().splitlines()[0]


async def test_help_shows_the_keys_of_this_pane_then_all() -> None:
    async with a_desk() as desk:
        await desk.press("2", "question_mark")
        shown = desk.shown()
        assert shown.index("In orders") < shown.index("Everywhere")
        await desk.wait()
        await desk.press("escape")
        assert desk.dialog() is None


async def test_theme_and_layout_are_kept_for_the_operator_and_arming_is_not(tmp_path: Path) -> None:
    async with a_desk(state_dir=tmp_path) as desk:
        await desk.press("f9", "3", "s")
        await desk.command("theme mono")
    kept = json.loads(settings_file(tmp_path, desk.app.desk.operator).read_bytes())
    assert (kept["theme"], kept["table"]) == ("mono", "positions")
    assert "armed" not in json.dumps(kept)
    async with a_desk(state_dir=tmp_path) as desk:
        assert desk.app.theme == "mono"
        assert desk.desk.is_shown("positions")
        assert not desk.desk.is_armed
        await desk.command("layout reset")
        assert desk.desk.is_shown("orders")


@pytest.mark.parametrize("content", [b"", b"{", b'{"theme": 3}', b"\xff"])
def test_a_settings_file_that_cannot_be_read_is_named_and_costs_only_the_layout(tmp_path: Path, content: bytes) -> None:
    file = settings_file(tmp_path, OperatorId("../ann"))
    assert file.parent == tmp_path
    file.write_bytes(content)
    settings, problem = read_settings(file)
    assert settings == Settings()
    assert problem is not None
    assert file.name in problem


async def test_settings_that_name_what_is_gone_are_passed_over(tmp_path: Path) -> None:
    (tmp_path / "ui-ann.json").write_bytes(
        b'{"theme": "gone", "tab": "x", "table": "y", "sorting": {"orders": {"column": "z", "is_reversed": true}}}'
    )
    async with a_desk(state_dir=tmp_path, size=(80, 24)) as desk:
        assert desk.app.theme == "desk-dark"
        assert desk.desk.is_shown("market")


async def test_an_unknown_theme_names_the_nearest_one() -> None:
    async with a_desk(theme="desk-drak") as desk:
        assert any("did you mean desk-dark?" in text for text in desk.notices())


async def test_a_remapped_key_works_and_the_old_one_does_not() -> None:
    async with a_desk(keymap={"desk.zoom": "b"}) as desk:
        await desk.press("2", "z")
        assert desk.desk.body.shown.zoomed is None
        await desk.press("b")
        assert desk.desk.body.shown.zoomed == "orders"


def test_two_actions_on_one_key_are_refused_naming_both() -> None:
    with pytest.raises(ValueError, match=r"order\.cancel.*desk\.zoom|desk\.zoom.*order\.cancel"):
        an_app(a_view(), RecordingControl(), keymap={"desk.zoom": "x"})


async def test_a_crash_is_one_plain_line_without_any_value(capfd: pytest.CaptureFixture[str]) -> None:
    view = a_view()
    app = an_app(view, RecordingControl())

    def broken() -> list[Update]:
        secret = "hunter2-in-a-local"
        raise RuntimeError(secret)

    async def crash() -> None:
        async with app.run_test() as pilot:
            await pilot.pause()
            view.poll = broken  # type: ignore[method-assign]
            app.desk.call_later(app.desk.frame)
            await pilot.pause()

    with pytest.raises(RuntimeError):
        await crash()
    app._print_error_renderables()
    told = capfd.readouterr()
    assert "hunter2" not in told.err + told.out
    line = "tradedesk: the screen failed (RuntimeError): see its log; open orders are still at the venue."
    assert " ".join(told.err.split()) == line


@pytest.mark.parametrize(("key", "choice"), [("d", "demo"), ("s", "setup"), ("m", "monitor"), ("q", None)])
async def test_the_welcome_offers_its_ways_in(key: str, choice: str | None) -> None:
    app = WelcomeApp()
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press(key)
    assert app.return_value == choice


def test_the_app_is_handed_everything_and_finds_nothing_by_itself() -> None:
    assert isinstance(an_app(a_view(), None), TradedeskApp)
