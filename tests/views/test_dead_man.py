"""Who stands in for an account when its desk dies, in words: unconfirmed is not armed."""

import msgspec
import pytest
from order_builders import an_account

from tradedesk.domain import events as ev
from tradedesk.domain.accounts import DeadMan
from tradedesk.views.dead_man import LOOKED_NS, dead_man, watchdog_words
from tradedesk.views.replica import Replica

NOW = 1_764_000_000_000_000_000
SECOND = 10**9
UNWATCHED = an_account()
WATCHED = msgspec.structs.replace(an_account(), dead_man=DeadMan.Watchdog)


def test_an_account_that_chose_none_is_told_that_its_venue_has_no_countdown() -> None:
    row = dead_man(UNWATCHED, NOW, NOW)
    assert (row.chosen, row.is_armed, row.word) == ("none", False, "none")
    assert "has no countdown of its own and no watchdog was chosen" in row.text


@pytest.mark.parametrize(
    ("seen", "is_armed"), [(None, False), (NOW, True), (NOW - LOOKED_NS, True), (NOW - LOOKED_NS - 1, False)]
)
def test_a_watchdog_counts_as_long_as_it_was_seen_to_look(seen: int | None, is_armed: bool) -> None:
    row = dead_man(WATCHED, seen, NOW)
    assert (row.is_armed, row.word) == (is_armed, "watchdog" if is_armed else "NO WATCHDOG")
    assert ("start `tradedesk watchdog`" in row.text) is not is_armed


def test_one_line_for_the_desk_says_nothing_where_nobody_chose_one() -> None:
    assert watchdog_words([UNWATCHED], None, NOW) == ""
    assert watchdog_words([UNWATCHED, WATCHED], NOW - 2 * SECOND, NOW) == "watchdog 2s"
    assert watchdog_words([WATCHED], None, NOW) == "NO WATCHDOG"


def test_the_watchdogs_look_comes_with_the_heartbeat_and_is_in_a_snapshot() -> None:
    replica = Replica()
    replica.apply(ev.Heartbeat(at=NOW, source="desk", watchdog_at=NOW - SECOND))
    assert Replica.restored(replica.snapshot(1)).watchdog_at == NOW - SECOND
    replica.apply(ev.Heartbeat(at=NOW, source="desk"))
    assert replica.watchdog_at is None
