"""What a drill's row says, and how a receipt is held against the exchange's own orders."""

import os
from pathlib import Path
from typing import Any, cast

import pytest

from tradedesk.cli.drill_desk import Differs, Ground, NotHere, disagreements, until_free
from tradedesk.cli.drills import DIFFERENT, outcome
from tradedesk.config import find_home
from tradedesk.journal.segments import locked

NOBODY = cast(Ground, None)


def a_receipt(*orders: tuple[str, str], outcome: str = "clear") -> dict[str, Any]:
    return {"outcome": outcome, "orders": [{"client_order_id": key, "end": end} for key, end in orders]}


@pytest.mark.parametrize(
    ("end", "status", "is_so"),
    [
        ("cancelled", "CANCELED", True),
        ("cancelled", "NEW", False),
        ("cancelled", None, False),
        ("left", "NEW", True),
        ("left", "CANCELED", False),
        ("external", "PARTIALLY_FILLED", True),
        ("open", None, False),
        ("ended", "FILLED", True),
        ("ended", "NEW", False),
    ],
)
def test_each_end_in_a_receipt_is_held_against_the_exchange(end: str, status: str | None, is_so: bool) -> None:
    theirs = {} if status is None else {"td-1": status}
    assert (disagreements(a_receipt(("td-1", end)), theirs) == []) is is_so


def test_what_is_open_and_not_in_the_receipt_is_found_unless_the_venue_was_never_reached() -> None:
    assert disagreements(a_receipt(), {"td-9": "NEW", "td-8": "FILLED"}) == [
        "td-9 open at the exchange, and not in the receipt"
    ]
    assert disagreements(a_receipt(outcome="unreachable"), {"td-9": "NEW"}) == []


def test_a_drill_that_differs_says_how_and_one_that_cannot_be_done_here_says_why() -> None:
    def fails(_: Ground) -> None:
        raise Differs("acme: td-1 is not cancelled")

    def needs_more(_: Ground) -> None:
        raise NotHere("needs Linux")

    def is_fine(_: Ground) -> None:
        """Nothing happens."""

    rows = [outcome(drill, NOBODY) for drill in (fails, needs_more, is_fine)]
    assert [(row["drill"], row["outcome"], row["why"]) for row in rows] == [
        ("fails", DIFFERENT, "acme: td-1 is not cancelled"),
        ("needs more", "not here", "needs Linux"),
        ("is fine", "as it must", "Nothing happens."),
    ]


def test_a_state_folder_is_free_once_no_desk_holds_its_lock(tmp_path: Path) -> None:
    home = find_home({"TRADEDESK_HOME": str(tmp_path)})
    assert until_free(home, 0)
    home.journal.parent.mkdir(parents=True, exist_ok=True)
    held = locked(home.journal.with_name(home.journal.name + ".lock"))
    assert not until_free(home, 0)
    os.close(held)
    assert until_free(home, 0)
