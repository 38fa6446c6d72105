"""F79, F80: text of a venue in every place that shows it, in every pane and dialog: shown as letters, never obeyed."""

from decimal import Decimal

import pytest
from desk_app import Bench, a_desk
from desk_builders import (
    ACME,
    BTC,
    NOW,
    VENUE,
    a_book_frame,
    a_candle_frame,
    a_difference,
    a_tape_frame,
    an_account,
    an_instrument,
    an_order,
    filled,
    moved,
    reconciled,
    working,
)

from tradedesk.domain import events as ev
from tradedesk.domain.accounts import AccountState, HaltLevel
from tradedesk.domain.alerts import Alert, Severity
from tradedesk.domain.instruments import FeedState
from tradedesk.domain.orders import Happening
from tradedesk.domain.words import OperatorId
from tradedesk.ui.verbs import PANES

HOSTILE = "[/][@click=app.leave]x[/]\x1b]52;c;aGk=\x07\x1b[2J\u202e\x9b31m\n"
NEVER = "\x1b\x07\x9b\u202e"


def told_everything(text: str) -> list[ev.Event]:
    """A desk every word of which a venue, a client or another operator could have chosen."""
    order = an_order("c1", block=text)
    return [
        ev.VenueListed(at=NOW, source="desk", venue=VENUE, exchange=text, is_live=False),
        ev.InstrumentListed(
            at=NOW, source="desk", instrument=an_instrument(symbol="{0}B/{0}C".format(text.replace("/", "")))
        ),
        ev.AccountListed(at=NOW, source="desk", account=an_account("acme", owner=text, groups=(text,))),
        ev.AccountChanged(at=NOW, source="w", account=ACME, state=AccountState.Blocked, reason=text),
        ev.Reconciled(at=NOW, source="w", account=ACME, differences=(text,)),
        *working(order),
        filled(order, "0.05", "63990", text),
        moved(order, Happening.Canceled, text),
        *working(an_order(f"web{text}", is_external=True)),
        a_book_frame(),
        a_tape_frame(BTC),
        a_candle_frame(BTC, 30),
        ev.FeedChanged(at=NOW, source="f", instrument=BTC, state=FeedState.Gapped, reason=text),
        ev.AlertRaised(
            at=NOW,
            source="r",
            alert=Alert(key=text, rule=text, severity=Severity.Critical, account=ACME, text=text, at=NOW),
        ),
        ev.LogWritten(at=NOW, source="desk", level=text, event=text, text=text),
        ev.MovementSeen(at=NOW, source="w", account=ACME, asset=text, amount=Decimal(1), kind=text),
        ev.SubmissionRefused(at=NOW, source="desk", operator=OperatorId("ann"), what=text, reason=text),
        ev.ApprovalAsked(
            at=NOW,
            source="desk",
            id="7kq2x",
            kind=text,
            account=ACME,
            by=OperatorId(text),
            what=text,
            command=text,
            about=text,
            expires_at=NOW + 3_600 * 10**9,
        ),
    ]


def stands(desk: Bench) -> None:
    assert desk.app.is_running
    assert not desk.app._exit
    assert not any(letter in desk.shown() for letter in NEVER), repr(desk.shown())


@pytest.mark.parametrize("size", [(80, 24), (120, 36)], ids=["80x24", "120x36"])
async def test_F79_a_venues_text_is_letters_in_every_pane_and_dialog(size: tuple[int, int]) -> None:
    """5.14"""
    text = HOSTILE
    async with a_desk(size=size, is_empty=True) as desk:
        await desk.publish(*told_everything(text))
        stands(desk)
        for number, _ in enumerate(PANES, 1):
            await desk.press(str(number), "z")
            stands(desk)
            await desk.pilot.click(offset=(10, 4))
            await desk.pilot.click(offset=(30, 3))
            await desk.press("home", "j", "z")
            stands(desk)
        await desk.publish(
            reconciled("acme", a_difference(cause=text, ours=text, venues=text, repair=text, key=f"balance:{text}")),
            ev.HaltSet(at=NOW, source="d", account=ACME, level=HaltLevel.BlockNew, by=OperatorId(text), reason=text),
        )
        for opening in (
            ("4", "home", "w"),
            ("4", "W"),
            ("2", "x"),
            ("X",),
            ("f12",),
            ("question_mark",),
            ("n",),
            ("A",),
        ):
            await desk.press(*opening)
            await desk.wait()
            stands(desk)
            await desk.press("escape", "escape")
        await desk.command("rearm acme because")
        await desk.wait()
        stands(desk)
        assert desk.commands == []


async def test_F79_markup_is_seen_as_it_came() -> None:
    async with a_desk(size=(200, 50), is_empty=True) as desk:
        await desk.publish(*told_everything("[@click=app.leave]x[/]"))
        assert desk.shown().count("[@click=app.leave]x") >= 3
