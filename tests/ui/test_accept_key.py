"""Accepting a key that can move money, on the screen: the account typed, a reason given, and exactly this key sent."""

import pytest
from desk_app import Bench, a_desk, settled
from desk_builders import ANN, key_checked
from textual.widgets import Input

from tradedesk.domain.commands import AcceptKeyRisk
from tradedesk.domain.words import AccountId
from tradedesk.ui.dialogs.approval import AcceptKeyDialog

ACME = AccountId("acme")


async def fill(desk: Bench, field: str, text: str) -> None:
    desk.app.screen.query_one(f"#{field}", Input).value = text
    await settled(desk.app)


async def test_a_key_is_accepted_with_the_account_typed_and_a_reason() -> None:
    async with a_desk() as desk:
        await desk.publish(key_checked(ACME, is_refused=True))
        await desk.command("acceptkey acme until Friday")
        await desk.wait()
        assert isinstance(desk.dialog(), AcceptKeyDialog)
        assert "the key may withdraw" in desk.shown()
        await desk.press("f2")
        assert desk.commands == []  # the account was not typed
        await fill(desk, "name", "acme")
        await desk.press("f2")
        assert desk.commands == [
            AcceptKeyRisk(account=ACME, fingerprint="0123456789ab", reason="until Friday", operator=ANN)
        ]


async def test_without_a_reason_nothing_is_accepted() -> None:
    async with a_desk() as desk:
        await desk.publish(key_checked(ACME, is_refused=True))
        await desk.command("acceptkey acme")
        await desk.wait()
        await fill(desk, "name", "acme")
        await desk.press("f2")
        assert desk.commands == []
        assert "a reason is needed" in desk.shown()


@pytest.mark.parametrize(("line", "says"), [("acceptkey", "accept whose key?"), ("acceptkey zzz", "zzz")])
async def test_a_line_that_cannot_be_meant_is_pointed_at(line: str, says: str) -> None:
    async with a_desk() as desk:
        await desk.command(line)
        await desk.wait()
        assert says in desk.shown()
        assert desk.commands == []
