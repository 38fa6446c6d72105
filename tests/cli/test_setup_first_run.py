"""The first run: `tradedesk` without a desk.toml, and its setup on a screen with real checks against a paper exchange."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from setup_paper import ACME_KEY, ACME_SECRET, RICH_KEY, RICH_SECRET, SECRETS, setup_paper
from setup_terminal import plain, terminal
from textual.pilot import Pilot
from textual.widgets import Input, Static

from tradedesk.cli.setup import Setup
from tradedesk.config import Home, find_home, load
from tradedesk.domain.words import AccountId
from tradedesk.ui.screens.setup import SetupApp

WORDS = "correct horse battery"
TO_THE_CLIENTS = ("", "", WORDS, WORDS, "yes", "", "")


@pytest.fixture(scope="module")
def paper(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    with setup_paper(tmp_path_factory.mktemp("paper")) as found:
        yield found


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return find_home({"TRADEDESK_HOME": str(tmp_path / "desk")})


def on_a_screen(home: Home) -> SetupApp:
    found = Setup(home)
    return SetupApp(found.plan, found.checker, found.writer.write)


async def answer(pilot: Pilot[Any], *answers: str) -> None:
    for typed in answers:
        pilot.app.query_one("#entry", Input).value = typed
        await pilot.press("enter")
        await pilot.app.workers.wait_for_complete()
        await pilot.pause()


def said(app: SetupApp, id_: str) -> str:
    return str(app.query_one(f"#{id_}", Static).content)


async def clients(pilot: Pilot[Any], home: Home, paper: dict[str, Any]) -> None:
    """Up to the first client, on a machine with a system keyring or without one."""
    await answer(pilot, "", "")
    if "clients' keys" in str(pilot.app.query_one("#question", Static).content):
        await answer(pilot, "file")
    await answer(pilot, *TO_THE_CLIENTS[2:], paper["rest"], "", "", "acme", "Acme Ltd")


async def test_a_desk_is_set_up_on_the_screen_with_a_wrong_exit_and_a_key_that_can_withdraw_on_the_way(
    home: Home, paper: dict[str, Any]
) -> None:
    app = on_a_screen(home)
    async with app.run_test(size=(80, 24)) as pilot:
        await clients(pilot, home, paper)
        await answer(pilot, "127.0.0.3", "", RICH_KEY, RICH_SECRET)
        assert "-2015" in said(app, "findings")
        await answer(pilot, "4", "127.0.0.2")
        assert "the key may withdraw" in said(app, "findings")
        await answer(pilot, "1", ACME_KEY, "2", ACME_SECRET)
        assert "neither withdraw nor transfer" in said(app, "findings")
        await answer(pilot, "", "", "", "", "", "ann", "", "", "", "", "")
        assert not home.config.parent.exists()
        await answer(pilot, "yes")
        assert said(app, "question") == "The desk is saved."
        shown = app.export_screenshot()
        await answer(pilot, "")
    assert app.return_value is not None
    assert load(home.config).accounts[AccountId("acme")].egress == "127.0.0.2"
    assert [secret for secret in (*SECRETS, WORDS) if secret in shown] == []


async def test_a_screen_that_is_left_in_the_middle_leaves_nothing(home: Home, paper: dict[str, Any]) -> None:
    app = on_a_screen(home)
    async with app.run_test(size=(80, 24)) as pilot:
        await clients(pilot, home, paper)
        await answer(pilot, "127.0.0.2", "", ACME_KEY, ACME_SECRET)
        await pilot.press("escape", "escape")
    assert app.return_value is None
    assert not home.config.parent.exists()


def test_the_welcome_leads_to_the_setup_and_esc_out_of_it_again(home: Home) -> None:
    with terminal(home.config.parent) as person:
        person.until("There is no desk.toml yet")
        person.press("s")
        person.until("What is this desk called")
        person.press("\x1b")
        assert person.ended() == 0
    assert "Traceback" not in plain(person.shown)
    assert not home.config.exists()
