"""The checks can fail: a desk that breaks a rule on purpose is caught, each by the check of that rule."""

from collections.abc import Callable

import msgspec
import pytest

from tradedesk.accounts.core import Core
from tradedesk.domain.outcomes import Unproven
from tradedesk.orders.cancels import Cancels
from tradedesk.orders.doubts import Doubts
from tradedesk.orders.progress import Progress
from tradedesk.orders.sweep import Sweep
from tradedesk.risk import gate
from tradedesk.simulation.account import SimAccount
from tradedesk.simulation.venue import SimVenue
from tradedesk.simulation.world import World

SEEDS = range(40)  # enough for every mutant; the first that catches it ends the search
Patch = pytest.MonkeyPatch


def send_again_on_timeout(patch: Patch) -> None:
    place = SimVenue.place

    def stubborn(self, approved, answer):
        def answered(found):
            if isinstance(found, Unproven):
                place(self, approved, answer)
            else:
                answer(found)

        place(self, approved, answered)

    patch.setattr(SimVenue, "place", stubborn)


def give_up_at_once(patch: Patch) -> None:
    patch.setattr(Doubts, "window_ns", lambda self: 0)


def send_before_the_record(patch: Patch) -> None:
    patch.setattr(SimAccount, "_send", lambda self, core, approved: self._leave(approved))


def forget_to_recover(patch: Patch) -> None:
    patch.setattr(Core, "recover", lambda self, now: None)


def drop_a_fill(patch: Patch) -> None:
    fill_ = Progress.fill

    def lossy(self, fill):
        if int(fill.trade_id) % 7:
            fill_(self, fill)
        else:
            self._books.fill_keys.add(fill.key)

    patch.setattr(Progress, "fill", lossy)


def apply_fills_as_often_as_told(patch: Patch) -> None:
    fill_ = Progress.fill

    def naive(self, fill):
        self._books.fill_keys.discard(fill.key)
        fill_(self, fill)

    patch.setattr(Progress, "fill", naive)


def lose_the_fee(patch: Patch) -> None:
    fill_ = Progress.fill
    patch.setattr(Progress, "fill", lambda self, fill: fill_(self, msgspec.structs.replace(fill, fee=None)))


def skip_the_gate(patch: Patch) -> None:
    patch.setattr(gate, "denials_of", lambda case: ())


def count_no_pending_orders(patch: Patch) -> None:
    inputs = Core._inputs

    def blind(self, order, replaces, now):
        found = inputs(self, order, replaces, now)
        alone = msgspec.structs.replace(found.worst, low=found.position_qty, high=found.position_qty)
        return msgspec.structs.replace(found, worst=alone)

    patch.setattr(Core, "_inputs", blind)


def skip_the_last_check(patch: Patch) -> None:
    patch.setattr(Core, "last_check", lambda self, approved, now: None)


def sweep_nothing(patch: Patch) -> None:
    patch.setattr(Sweep, "_concerns", lambda self, order: False)


def forget_a_lost_cancel(patch: Patch) -> None:
    send_due = Cancels.send_due

    def once(self):
        send_due(self)
        self._wanted.clear()

    patch.setattr(Cancels, "send_due", once)


def leave_the_cancel_of_a_dead_order_open(patch: Patch) -> None:
    """As the manager once did: it was asked about for ever, and a halt never got its receipt"""
    patch.setattr(Cancels, "close", lambda self, order: None)


@pytest.mark.parametrize(
    ("rule", "mutate"),
    [
        ("5.1", send_before_the_record),
        ("5.1", forget_to_recover),
        ("5.2", send_again_on_timeout),
        ("5.2", give_up_at_once),
        ("5.3", drop_a_fill),
        ("5.3", apply_fills_as_often_as_told),
        ("5.3", lose_the_fee),
        ("5.4", skip_the_gate),
        ("5.4", count_no_pending_orders),
        ("5.5", skip_the_last_check),
        ("5.5", sweep_nothing),
        ("5.1", forget_a_lost_cancel),
        ("5.5", leave_the_cancel_of_a_dead_order_open),
    ],
)
def test_a_desk_that_breaks_a_rule_is_caught(rule: str, mutate: Callable[[Patch], None], monkeypatch: Patch):
    mutate(monkeypatch)
    for seed in SEEDS:
        world = World(seed, drop=0.2, slow=0.4, crash_every_s=20)
        world.run(60)
        world.settle()
        if world.broken(rule):
            return
    pytest.fail(f"no seed of {SEEDS} noticed {mutate.__name__}")
