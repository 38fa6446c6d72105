"""What differs at the venue on the screen: the fleet says that it waits, a list says what, and F2 settles one item."""

import re

import pytest
from desk_app import Bench, a_desk, press_at_once
from desk_builders import ACME, ANN, NOW, SECOND, a_difference, a_lost_order, a_view, feed_of, reconciled

from tradedesk.domain.commands import Settle
from tradedesk.ui import verbs
from tradedesk.ui.dialogs.worklist import SettleDialog, WorklistDialog
from tradedesk.ui.panes.fleet import fleet, waiting
from tradedesk.ui.verbs import AskSettle, Mistake, ShowWorklist

DIFFERS = {"differs": True}
SETTLED = [Settle(account=ACME, key="balance:BTC", note="old dust", operator=ANN)]
REPLICA = a_view(differs=True).replica


def parsed(line: str, *, may_trade: bool = True) -> object:
    return verbs.parse(line, REPLICA, (), may_trade=may_trade)


def row(desk: Bench, account: str) -> str:
    """The line of the fleet that has the cursor, which is this account's."""
    return next(line for line in desk.shown().splitlines() if re.search(rf"▸ ?{account} ", line))


# -- the fleet ------------------------------------------------------------------------------------------------------------


async def test_the_fleet_says_in_words_that_differences_wait() -> None:
    async with a_desk(size=(200, 50), **DIFFERS) as desk:
        await desk.press("4", "home")
        acme = row(desk, "acme")
        assert "▲ settle 2" in acme
        assert "Ready" not in acme
        assert "▲ 1 to settle" in desk.shown()  # one account, in the title of the pane


async def test_what_only_the_venue_must_answer_leaves_the_account_ready() -> None:
    rows = fleet(REPLICA)
    assert {name: waiting(row.row) for name, row in rows.items()} == {"acme": 2, "birch": 0, "cedar": 0}
    async with a_desk(size=(80, 24), **DIFFERS) as desk:
        await desk.press("4", "end")
        assert "Ready" in row(desk, "cedar")
        assert "1 differ, under way (w): order:TD-0301" in desk.shown()


async def test_a_halt_outranks_what_waits_and_the_detail_still_tells_it() -> None:
    async with a_desk(size=(200, 50), halted="acme", **DIFFERS) as desk:
        await desk.press("4", "home", "z")
        acme = row(desk, "acme")
        assert "■ HALT" in acme
        assert "2 to settle (w): balance:BTC" in desk.shown()


async def test_the_fleet_forgets_a_difference_as_soon_as_it_is_settled() -> None:
    async with a_desk(**DIFFERS) as desk:
        await desk.press("4", "home")
        await desk.publish(reconciled("acme", at=NOW))
        assert "settle" not in desk.shown()


# -- the list -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("watch_only", [False, True])
async def test_w_tells_every_difference_with_both_figures_its_cause_and_the_repair(watch_only: bool) -> None:
    async with a_desk(watch_only=watch_only, **DIFFERS) as desk:
        await desk.press("4", "home", "w")
        assert isinstance(desk.dialog(), WorklistDialog)
        shown = " ".join(desk.shown().split())
        for words in (
            "worklist of acme PAPER", "balance:BTC waits for you", "ours 0.3", "venue 0.35",
            "cause nothing in the venue's ledger or our fills explains it", "repair book it as it stands: +0.05 BTC",
            "order:TD-0104 under way", "the venue is asked how it ended", "opens no new risk",
        ):  # fmt: skip
            assert words in shown, shown


async def test_the_monitor_only_reads_the_list() -> None:
    """5.12: no key of it settles, and `settle` is no word there."""
    async with a_desk(watch_only=True, **DIFFERS) as desk:
        await desk.press("4", "home", "w")
        await desk.wait()
        assert "settles" not in desk.shown()
        dialog = desk.dialog()
        await desk.press("s", "f2", "enter")
        assert desk.dialog() is dialog
        await desk.press("escape")
        await desk.command("settle acme balance:BTC because")
        assert "no command 'settle'" in desk.shown()
        assert isinstance(parsed("settle acme balance:BTC why", may_trade=False), Mistake)
        assert parsed("worklist acme", may_trade=False) == ShowWorklist(account=ACME)


async def test_an_account_that_agrees_with_its_venue_says_so() -> None:
    async with a_desk(**DIFFERS) as desk:
        await desk.command("worklist birch")
        assert "Nothing differs: compared 40s ago." in desk.shown()
        await desk.wait()
        await desk.press("s")
        assert isinstance(desk.dialog(), WorklistDialog)


async def test_what_waits_for_the_venue_cannot_be_settled() -> None:
    async with a_desk(**DIFFERS) as desk:
        await desk.command("worklist acme")
        await desk.wait()
        assert "s settles balance:BTC" in desk.shown()  # the first that waits for a person is chosen
        await desk.press("j", "j", "s")
        assert isinstance(desk.dialog(), WorklistDialog)
        assert "order:TD-0104 waits for the venue, not for you" in desk.shown()


async def test_the_choice_stays_with_its_item_when_the_list_moves_under_it() -> None:
    """A key binds to what was chosen, never to a row's number; what is gone is not replaced by its neighbour."""
    async with a_desk(**DIFFERS) as desk:
        await desk.command("worklist acme")
        await desk.wait()
        await desk.press("j")
        await desk.publish(reconciled("acme", a_difference("ETH"), a_difference("USDT"), a_difference()))
        assert "s settles balance:USDT" in desk.shown()
        await desk.publish(reconciled("acme", a_difference("ETH"), a_difference()))
        await desk.press("s")
        assert isinstance(desk.dialog(), WorklistDialog)
        assert "it is gone by now" in desk.shown()


# -- settling -------------------------------------------------------------------------------------------------------------


async def test_a_difference_is_settled_by_the_typed_account_a_note_and_f2() -> None:
    async with a_desk(**DIFFERS) as desk:
        await desk.press("4", "home", "w")
        await desk.wait()
        await desk.press("s")
        await desk.wait()
        assert isinstance(desk.dialog(), SettleDialog)
        await desk.press("f2")
        assert "type acme first" in desk.shown()
        await desk.type("acme")
        await desk.press("f2")
        assert "a note is needed" in desk.shown()
        assert desk.commands == []
        await desk.press("tab")
        await desk.type("old dust")
        await desk.press("enter", "enter", "f2")
        assert desk.commands == SETTLED
        assert desk.notices() == ["settling balance:BTC of acme"]


async def test_a_command_fills_the_dialog_and_the_account_and_f2_stay() -> None:
    async with a_desk(**DIFFERS) as desk:
        await desk.command("settle acme balance:btc old dust")
        await desk.press("f2")  # the dialog does not hear its first 300 ms
        await desk.wait()
        await desk.press("f2")
        assert desk.commands == []
        await desk.type("acme")
        await press_at_once(desk.app, "f2", "f2", "f2")
        assert desk.commands == SETTLED


async def test_another_accounts_name_settles_nothing() -> None:
    async with a_desk(**DIFFERS) as desk:
        await desk.command("settle acme balance:BTC old dust")
        await desk.wait()
        await desk.type("birch")
        await desk.press("f2")
        assert desk.commands == []
        assert isinstance(desk.dialog(), SettleDialog)


async def test_a_difference_that_changed_while_it_was_read_must_be_read_again() -> None:
    async with a_desk(**DIFFERS) as desk:
        await desk.command("settle acme balance:BTC old dust")
        await desk.wait()
        await desk.type("acme")
        await desk.publish(reconciled("acme", a_difference(venues="9.3", repair="book it as it stands: +9 BTC")))
        await desk.press("f2")
        assert desk.commands == []
        assert "it has changed since you opened this" in desk.shown()
        assert "+9 BTC" in desk.shown()
        await desk.press("f2")
        assert len(desk.commands) == 1


@pytest.mark.parametrize("left", [(), (a_lost_order(),)])
async def test_a_difference_that_went_away_while_it_was_read_is_not_settled(left: tuple[object, ...]) -> None:
    async with a_desk(**DIFFERS) as desk:
        await desk.command("settle acme balance:BTC old dust")
        await desk.wait()
        await desk.type("acme")
        await desk.publish(reconciled("acme", *left))  # type: ignore[arg-type]
        await desk.press("f2")
        assert desk.commands == []
        assert "balance:BTC does not wait any more" in desk.shown()


async def test_nothing_is_settled_while_the_desk_is_away() -> None:
    async with a_desk(**DIFFERS) as desk:
        await desk.command("settle acme balance:BTC old dust")
        await desk.wait()
        await desk.type("acme")
        feed_of(desk.app.view).lose(NOW + SECOND, "closed")
        await desk.publish()
        await desk.press("f2")
        assert desk.commands == []
        assert "the desk is away" in desk.shown()


async def test_what_the_desk_refuses_is_said_and_stays() -> None:
    async with a_desk(**DIFFERS) as desk:
        desk.control.refuses[ACME] = "ann may not settle for acme"
        await desk.command("settle acme balance:BTC old dust")
        await desk.wait()
        await desk.type("acme")
        await desk.press("f2")
        assert desk.notices() == ["NOT SENT settling balance:BTC of acme: ann may not settle for acme"]


async def test_a_venues_words_in_a_difference_are_never_obeyed() -> None:
    """5.14"""
    hostile = a_difference(cause="[/] [@click=app.leave]x[/] \x1b[2J\u202e", key="balance:[red]B")
    async with a_desk(is_empty=True) as desk:
        await desk.publish(reconciled("acme", hostile))
        await desk.press("4", "home")
        assert "balance:[red]B" in desk.shown()
        await desk.press("w")
        await desk.wait()
        assert "[@click=app.leave]x[/]" in desk.shown()
        await desk.press("s")
        await desk.wait()
        assert "balance:[red]B" in desk.shown()
        assert "\x1b" not in desk.shown()
        assert "\u202e" not in desk.shown()


async def test_one_key_opens_what_waits_first_and_the_help_names_it_with_its_command() -> None:
    async with a_desk(size=(120, 80), **DIFFERS) as desk:
        await desk.press("4", "end", "W")
        assert desk.dialog() is None
        assert desk.notices() == ["nothing of cedar waits to be settled"]
        await desk.press("escape", "home", "W")
        assert isinstance(desk.dialog(), SettleDialog)
        assert "settle balance:BTC of acme PAPER" in desk.shown()
        await desk.wait()
        await desk.press("escape", "question_mark")
        assert ":settle ACCOUNT ITEM WHY" in desk.shown()
        assert ":worklist ACCOUNT" in desk.shown()


# -- the command line -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "asked"),
    [
        ("worklist", ShowWorklist(account=None)),
        ("worklist ACME", ShowWorklist(account=ACME)),
        ("settle acme", AskSettle(account=ACME, key=None)),
        ("settle acme balance:usdt  two  words ", AskSettle(account=ACME, key="balance:USDT", note="two  words")),
    ],
)
def test_a_line_about_the_worklist(line: str, asked: object) -> None:
    assert parsed(line) == asked


@pytest.mark.parametrize(
    ("line", "word", "says"),
    [
        ("worklist nobody", "nobody", "no account 'nobody'"),
        ("worklist @all", "@all", "one account at a time"),
        ("worklist acme now", "now", "one word too many"),
        ("settle", "", "settle what?"),
        ("settle birch", "birch", "nothing of birch waits to be settled"),
        ("settle cedar order:TD-0301", "cedar", "nothing of cedar waits"),
        ("settle acme order:TD-0104 why", "order:TD-0104", "does not wait on acme"),
        ("settle acme balance:BTX why", "balance:BTX", "balance:BTC"),
    ],
)
def test_a_line_that_is_wrong_points_at_the_word(line: str, word: str, says: str) -> None:
    wrong = parsed(line)
    assert isinstance(wrong, Mistake)
    assert says in wrong.text
    assert line[wrong.start : wrong.end] == word


def test_the_line_completes_only_what_waits() -> None:
    def offered(line: str) -> list[str]:
        return verbs.candidates(line, len(line), REPLICA, (), may_trade=True)

    assert offered("settle ") == ["acme"]
    assert offered("settle Acme ") == ["balance:BTC", "balance:USDT"]
    assert offered("settle acme balance:BTC ") == []
    assert offered("worklist ") == ["acme", "birch", "cedar"]
