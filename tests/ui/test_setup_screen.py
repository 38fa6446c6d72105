"""The setup on a screen: one question at a time, what was tested in view, nothing written before the end, no secret shown."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from textual.app import App
from textual.pilot import Pilot
from textual.widgets import Input, Static

from tradedesk.config.questions import Hidden
from tradedesk.config.settings import Settings
from tradedesk.config.setup_model import Check, Checked, Machine, SetupFailed, State
from tradedesk.config.setup_plan import SetupPlan
from tradedesk.domain.findings import Finding, fail, ok, warn
from tradedesk.ui.screens.setup import SetupApp
from tradedesk.ui.screens.welcome import WelcomeApp

SnapCompare = Any
SECRET = "Z9secretZ9secretZ9secret"
MACHINE = Machine(
    user="ann",
    uid=1000,
    sources=("10.0.0.4", "10.0.0.5"),
    loopback=("127.0.0.1", "127.0.0.2", "127.0.0.3"),
    keyring=None,
    has_vault_file=False,
    has_passphrase_file=False,
    exchanges=("binance",),
    folder="/home/ann/.config/tradedesk",
)
TO_THE_EXIT = ("", "", "good words", "good words", "", "", "", "http://127.0.0.1:8765", "", "", "acme", "")
TO_THE_KEY = ("", "key-of-acme-0123", SECRET)
TO_THE_END = ("", "", "", "", "", "ann", "", "", "", "", "")


class PaperChecker:
    """Finds what a venue would that binds the key to 127.0.0.2."""

    def run(self, check: Check, state: State) -> Checked:
        findings: tuple[Finding, ...] = (ok("clock", "binance is 2 ms behind this machine"),)
        if check.key.startswith("key:"):
            if state.text("accounts.acme.egress") != "127.0.0.2":
                refused = "binance does not take it: -2015 Invalid API-key, IP, or permissions for action."
                return Checked(findings=(fail("key", refused, "look at the key and its secret"),))
            findings = (
                ok("key", "binance takes it"),
                warn("addresses", "usable from anywhere", "bind it to the exit at the venue"),
            )
            return Checked(findings=findings, told={"uid": "35", "free": "100000"})
        return Checked(findings=findings)


class Writing:
    """Where a desk would be written; keeps what it was given."""

    def __init__(self, refusal: str | None = None) -> None:
        self.refusal = refusal
        self.written: list[tuple[State, Settings]] = []

    def __call__(self, state: State, settings: Settings) -> tuple[str, ...]:
        if self.refusal is not None:
            raise SetupFailed(self.refusal)
        self.written.append((state, settings))
        return ("/home/ann/.config/tradedesk/desk.toml: the desk", "/home/ann/.config/tradedesk/vault: the keys")


def a_setup(write: Callable[[State, Settings], tuple[str, ...]] | None = None, *, ascii: bool = False) -> SetupApp:
    return SetupApp(SetupPlan(None, MACHINE), PaperChecker(), write or Writing(), ascii=ascii)


async def answer(pilot: Pilot[Any], *answers: str) -> None:
    """Type each answer once there is something to type it into."""
    for typed in answers:
        entry = pilot.app.query_one("#entry", Input)
        entry.value = typed
        await pilot.press("enter")
        await settled(pilot)


async def settled(pilot: Pilot[Any]) -> None:
    await pilot.app.workers.wait_for_complete()
    await pilot.pause()


def said(app: App[Any], id_: str) -> str:
    return str(app.query_one(f"#{id_}", Static).content)


async def test_a_desk_is_set_up_with_the_keyboard_alone() -> None:
    writing = Writing()
    app = a_setup(writing)
    async with app.run_test(size=(80, 24)) as pilot:
        await answer(pilot, *TO_THE_EXIT, "127.0.0.2", *TO_THE_KEY, *TO_THE_END)
        assert said(app, "question") == "Save this desk? Type yes."
        assert "account acme (acme, paper) at binance by 127.0.0.2: largest order 10000" in said(app, "findings")
        assert writing.written == []
        await answer(pilot, "yes", "")
    ((state, settings),) = writing.written
    assert app.return_value is not None
    assert settings.accounts["acme"].uid == "35"  # type: ignore[index]
    assert settings.accounts["acme"].limits.max_order_notional == 10_000  # type: ignore[index]
    assert isinstance(state.answers["accounts.acme.secret"], Hidden)


async def test_a_key_that_does_not_work_from_an_exit_lets_just_that_answer_be_corrected() -> None:
    app = a_setup()
    async with app.run_test(size=(80, 24)) as pilot:
        await answer(pilot, *TO_THE_EXIT, "127.0.0.3", *TO_THE_KEY)
        assert said(app, "question") == "What is to be corrected?"
        assert "-2015 Invalid API-key" in said(app, "findings")
        await answer(pilot, "4", "127.0.0.2")
        assert said(app, "question").startswith("The largest order of acme")  # the key was not asked for again
        assert "-2015" not in said(app, "findings")


async def test_arrows_go_through_the_choices_and_a_number_is_an_answer_too() -> None:
    app = a_setup()
    async with app.run_test(size=(80, 24)) as pilot:
        await answer(pilot, *TO_THE_EXIT)
        entry = app.query_one("#entry", Input)
        await pilot.press("down")
        assert entry.value == "127.0.0.3"  # the one after the proposal
        await pilot.press("up", "up")
        assert entry.value == "127.0.0.1"
        await answer(pilot, "3")
        assert app._state.text("accounts.acme.egress") == "127.0.0.3"


async def test_arrows_go_through_what_can_be_corrected_however_long_the_list_is() -> None:
    """Two clients seen at one address: only the settings as a whole show it, so any answer may be the wrong one."""

    class Gateway(PaperChecker):
        def run(self, check: Check, state: State) -> Checked:
            found = super().run(check, state)
            return (
                msgspec.structs.replace(found, told={"exit_address": "203.0.113.7"}) if "exit:" in check.key else found
            )

    app = SetupApp(SetupPlan(None, MACHINE), Gateway(), Writing())
    limits = ("", "", "", "", "")
    async with app.run_test(size=(80, 24)) as pilot:
        await answer(pilot, *TO_THE_EXIT[:-2], "acme, birch", "", "127.0.0.2", *TO_THE_KEY, *limits)
        await answer(pilot, "", "127.0.0.3", "", "key-of-birch-012", SECRET, *TO_THE_END)
        assert "203.0.113.7 is the exit of accounts.acme too" in said(app, "findings")
        assert said(app, "question") == "What is to be corrected?"
        entry, choices = app.query_one("#entry", Input), app.query_one("#choices")
        await pilot.press("up")
        assert entry.value == "r"
        await pilot.press("up")
        assert int(entry.value) > 20
        assert choices.size.height <= 9


async def test_one_back_asks_the_last_question_again() -> None:
    app = a_setup()
    async with app.run_test(size=(80, 24)) as pilot:
        await answer(pilot, "desk-of-ann")
        assert "currency" in said(app, "question")
        await pilot.press("f3")
        await settled(pilot)
        assert said(app, "question") == "What is this desk called?"


async def test_a_passphrase_is_typed_twice_alike() -> None:
    app = a_setup()
    async with app.run_test(size=(80, 24)) as pilot:
        await answer(pilot, "", "", "short")
        assert "at least 8" in said(app, "wrong")
        await answer(pilot, "good words", "other words")
        assert "not the same" in said(app, "wrong")
        await answer(pilot, "good words", "good words")
        assert "start without" in said(app, "question")


async def test_no_secret_stands_on_the_screen_while_it_is_typed_or_later() -> None:
    app = a_setup()
    async with app.run_test(size=(80, 24)) as pilot:
        await answer(pilot, *TO_THE_EXIT, "127.0.0.2", *TO_THE_KEY[:-1])
        empty = app.export_screenshot()
        await pilot.press(*SECRET)
        await pilot.pause()
        typed = app.export_screenshot()
        assert app.query_one("#entry", Input).value == SECRET
        await pilot.press("enter")
        await settled(pilot)
        later = app.export_screenshot()
    assert SECRET not in empty + typed + later
    assert "•" not in typed  # nor how long it is
    assert SECRET not in repr(app._state)


async def test_leaving_is_asked_for_twice_and_writes_nothing() -> None:
    writing = Writing()
    app = a_setup(writing)
    async with app.run_test(size=(80, 24)) as pilot:
        await answer(pilot, *TO_THE_EXIT)
        await pilot.press("escape")
        await pilot.pause()
        assert "Esc again leaves" in said(app, "wrong")
        await pilot.press("escape")
    assert (app.return_value, writing.written) == (None, [])


async def test_what_cannot_be_written_is_said_and_can_be_tried_again() -> None:
    writing = Writing("desk.toml: cannot be written (No space left on device); nothing was saved")
    app = a_setup(writing)
    async with app.run_test(size=(80, 24)) as pilot:
        await answer(pilot, *TO_THE_EXIT, "127.0.0.2", *TO_THE_KEY, *TO_THE_END, "yes")
        assert "No space left" in said(app, "wrong")
        writing.refusal = None
        await answer(pilot, "yes")
        assert said(app, "question") == "The desk is saved."


async def test_a_crash_of_the_screen_prints_no_secret(capfd: pytest.CaptureFixture[str]) -> None:
    class Crashing(PaperChecker):
        def run(self, check: Check, state: State) -> Checked:
            secret = state.secret("vault.passphrase")
            words = "" if secret is None else secret.text
            raise RuntimeError(words)

    app = SetupApp(SetupPlan(None, MACHINE), Crashing(), Writing())
    with pytest.raises(Exception):  # noqa: B017  Textual's own, around ours
        async with app.run_test(size=(80, 24)) as pilot:
            await answer(pilot, "", "", "good words 1234", "good words 1234", "")
    app._print_error_renderables()
    told = capfd.readouterr()
    assert "good words 1234" not in told.out + told.err
    assert "the screen failed" in told.err


@pytest.mark.parametrize("size", [(80, 24), (120, 40)], ids=["80x24", "120x40"])
def test_the_welcome(snap_compare: SnapCompare, size: tuple[int, int]) -> None:
    assert snap_compare(WelcomeApp(), terminal_size=size)


@pytest.mark.parametrize("size", [(80, 24), (120, 40)], ids=["80x24", "120x40"])
def test_an_answer_to_be_corrected(snap_compare: SnapCompare, size: tuple[int, int]) -> None:
    async def refused(pilot: Pilot[Any]) -> None:
        await answer(pilot, *TO_THE_EXIT, "127.0.0.3", *TO_THE_KEY)

    assert snap_compare(a_setup(), terminal_size=size, run_before=refused)


def test_the_end_of_a_setup_in_ascii(snap_compare: SnapCompare) -> None:
    async def ready(pilot: Pilot[Any]) -> None:
        await answer(pilot, *TO_THE_EXIT, "127.0.0.2", *TO_THE_KEY, *TO_THE_END)

    assert snap_compare(a_setup(ascii=True), terminal_size=(80, 24), run_before=ready)
