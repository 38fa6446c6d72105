"""The desk dies at every write of its journal, at each moment of it: before, amid, after, and between it and the send (F68).

One short day with everything in it (orders, an amend, cancels, a halt, fills) is lived once for each of them.
"""

from collections.abc import Iterator
from random import Random

import pytest

from tradedesk.domain.accounts import HaltLevel
from tradedesk.simulation import runs
from tradedesk.simulation.faults import Odds
from tradedesk.simulation.storage import Moment, Plan
from tradedesk.simulation.world import World

QUIET = Odds(drop=0, duplicate=0, slow=0, accounts=1)
DAY_S = 4


class At(Plan):
    """Dies once, at this write."""

    def __init__(self, write: int, moment: Moment) -> None:
        super().__init__(Random(0), None)
        self.at, self.moment = write, moment

    def reached(self, *moments: Moment) -> bool:
        is_now = self.at is not None and self.writes >= self.at and self.moment in moments
        if is_now:
            self.at = None
        return is_now


def lived(plan: Plan | None) -> World:
    """The day, which goes on after the death as the operator would."""
    world = World(5, QUIET, is_idle=True)
    if plan is not None:
        world.plan = world.store.plan = plan
    account = world.accounts[0]
    world.run(0.5)
    for second in range(DAY_S):
        for _ in range(4):
            world.operators.act(account)
            world.run(0.1)
        if second == DAY_S - 2:
            world.halt(account, HaltLevel.CancelOpening)
        world.run(0.3)
    world.settle()
    return world


def writes() -> int:
    world = lived(None)
    assert runs.verdict(5, world).broken == {}
    assert len(world.watch.left_ids) >= 5
    return world.plan.writes


def deaths() -> Iterator[tuple[int, Moment]]:
    for write in range(1, writes() + 1):
        for moment in Moment:
            yield write, moment


@pytest.mark.parametrize("part", range(4))
def test_F68_whichever_write_is_its_last_the_desk_comes_back_whole(part):
    """5.1, 5.2, 5.3, 5.5"""
    for number, (write, moment) in enumerate(deaths()):
        if number % 4 == part:
            broken = runs.verdict(5, lived(At(write, moment))).broken
            assert broken == {}, f"it died {moment.name} write {write}: {broken}"
