"""The checks can fail: a desk that breaks a rule on purpose is caught, each by the check of that rule."""

from collections.abc import Callable

import msgspec
import pytest

from tradedesk.accounts.core import Core
from tradedesk.accounts.judge import Judge
from tradedesk.domain import events as ev
from tradedesk.domain.orders import Happening, OrdStatus
from tradedesk.domain.outcomes import Acknowledged, Refused, Unproven
from tradedesk.domain.worst_case import Interval
from tradedesk.journal.store import Durable
from tradedesk.orders import cancels as cancels_room
from tradedesk.orders import manager as manager_room
from tradedesk.orders import progress as progress_room
from tradedesk.orders.books import Books
from tradedesk.orders.cancels import Cancels
from tradedesk.orders.doubts import Doubts
from tradedesk.orders.manager import OrderManager
from tradedesk.orders.progress import Progress
from tradedesk.orders.reconcile import Reconciler
from tradedesk.orders.sweep import Sweep
from tradedesk.orders.working import Working
from tradedesk.risk import gate
from tradedesk.risk.case import Case
from tradedesk.simulation import runs, storage
from tradedesk.simulation.account import SimAccount
from tradedesk.simulation.faults import Odds
from tradedesk.simulation.storage import SimStore
from tradedesk.simulation.venue import SimVenue
from tradedesk.simulation.world import World

SEEDS = range(60)  # enough for every mutant; the first that catches it ends the search
LOSSY = Odds(drop=0.3, duplicate=0.1, slow=0.3, market_halt_s=20)
CRASHY = Odds(drop=0.15, slow=0.3, crash_s=8, kill_s=15, kill_writes=60, disk_s=8)
WORN = Odds(drop=0.3, slow=0.3, crash_s=6, accounts=4)
QUIET = Odds(drop=0.02, slow=0.5)
KILLED = Odds(drop=0.05, slow=0.4, kill_s=5, kill_writes=15)
FULL_DISK = Odds(drop=0.1, slow=0.2, crash_s=4, disk_s=4)
STEPPED = Odds(drop=0.4, slow=0.2, clock_s=3)
BANNED = Odds(drop=0.2, slow=0.2, ban_s=6)
MANY = Odds(drop=0, slow=0.1, accounts=4)
Patch = pytest.MonkeyPatch


def settled(seed: int, odds: Odds) -> World:
    world = World(seed, odds)
    world.run(45)
    world.settle()
    return world


# ---- 5.1: an intent is on disk before its bytes leave, and after a crash every order is known -------------------------


def send_before_the_record(patch: Patch) -> None:
    patch.setattr(SimAccount, "_send", lambda self, core, approved: self._leave(approved))


def tell_durable_before_the_sync(patch: Patch) -> None:
    append = SimStore.append

    def hasty(self, event):
        handle = append(self, event)
        handle.is_durable = True
        return handle

    patch.setattr(SimStore, "append", hasty)


def forget_a_record(patch: Patch) -> None:
    append, placed = SimStore.append, []

    def forgetful(self, event):
        if isinstance(event, ev.OrderPlaced):
            placed.append(event)
            if len(placed) % 5 == 0:
                handle = Durable()
                handle.is_durable = True
                return handle
        return append(self, event)

    patch.setattr(SimStore, "append", forgetful)


def believe_torn_records(patch: Patch) -> None:
    patch.setattr(storage, "recovered", lambda frames, expected: [f.record for f in frames if f.record is not None])


def forget_to_recover(patch: Patch) -> None:
    patch.setattr(Core, "recover", lambda self, now, elapsed=None: None)


def leave_half_records_half(patch: Patch) -> None:
    """As the manager once did: an order whose denial alone was recorded hung for ever"""
    patch.setattr(manager_room, "complete", lambda books, progress, order: None)


def forget_a_lost_cancel(patch: Patch) -> None:
    send_due = Cancels.send_due

    def once(self):
        send_due(self)
        self._wanted.clear()

    patch.setattr(Cancels, "send_due", once)


def lose_standing_cancels_at_a_restart(patch: Patch) -> None:
    recovered = OrderManager.recovered

    def careless(self, now, elapsed=None):
        effects = recovered(self, now, elapsed)
        self._cancels._wanted.clear()
        return effects

    patch.setattr(OrderManager, "recovered", careless)


def ask_nobody_about_what_is_gone(patch: Patch) -> None:
    patch.setattr("tradedesk.orders.reconcile.missing", lambda live, state, now: [])


def keep_an_order_as_large_as_it_was(patch: Patch) -> None:
    patch.setattr(Progress, "amended", lambda self, order, request_id, qty: None)
    patch.setattr(Progress, "_shrunk", lambda self, order, report: None)


# ---- 5.2: no proof, no conclusion; nothing is sent twice --------------------------------------------------------------


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


def send_again_after_a_restart(patch: Patch) -> None:
    start, leave, sent = SimAccount.start, SimAccount._leave, {}

    def remember(self, approved):
        sent[approved.order.client_order_id] = approved
        leave(self, approved)

    def eager(self):
        start(self)
        for key in list(self.core.manager.live) if self.core is not None else []:
            if key in sent and self.core.manager.live[key].ord_status is OrdStatus.PendingNew:
                self.venue.place(sent[key], self._mine(self.tell))

    patch.setattr(SimAccount, "_leave", remember)
    patch.setattr(SimAccount, "start", eager)


def take_a_client_id_twice(patch: Patch) -> None:
    place = OrderManager._place

    def naive(self, command):
        self._books.known_ids.discard(command.client_order_id)
        place(self, command)

    patch.setattr(OrderManager, "_place", naive)


def give_up_at_once(patch: Patch) -> None:
    patch.setattr(Doubts, "window_ns", lambda self: 0)


def believe_the_first_query(patch: Patch) -> None:
    patch.setattr(Doubts, "is_over", lambda self, request_id, question: True)


def trust_an_exception_class(patch: Patch) -> None:
    """A timeout is an error, and an error is a refusal"""
    answered = OrderManager._new_answered

    def trusting(self, order, request_id, answer):
        if isinstance(answer, Unproven):
            answer = Refused(request_id=request_id, code=-1, text="RequestTimeout")
        answered(self, order, request_id, answer)

    patch.setattr(OrderManager, "_new_answered", trusting)


def take_silence_for_a_yes(patch: Patch) -> None:
    answered = OrderManager._new_answered

    def hopeful(self, order, request_id, answer):
        if isinstance(answer, Unproven):
            answer = Acknowledged(request_id=request_id, report=None)
        answered(self, order, request_id, answer)

    patch.setattr(OrderManager, "_new_answered", hopeful)


def accept_an_answer_about_another_order(patch: Patch) -> None:
    acknowledged = OrderManager._new_acknowledged

    def credulous(self, order, request_id, answer):
        if answer.report is not None and answer.report.client_order_id != order.client_order_id:
            answer = msgspec.structs.replace(answer, report=None)
        acknowledged(self, order, request_id, answer)

    patch.setattr(OrderManager, "_new_acknowledged", credulous)


def take_a_replace_for_done(patch: Patch) -> None:
    """Its cancel was refused, so nothing was placed (F23)"""
    second = manager_room._second_leg

    def hopeful(outcome):
        if outcome.new is None and isinstance(outcome.cancel, Refused):
            return Acknowledged(request_id=outcome.request_id, report=None)
        return second(outcome)

    patch.setattr(manager_room, "_second_leg", hopeful)


def take_a_refused_cancel_for_a_dead_order(patch: Patch) -> None:
    """ "Unknown order" proves nothing about how it ended (F07)"""
    answered = OrderManager._cancel_answered

    def hasty(self, order, request_id, answer):
        answered(self, order, request_id, answer)
        if isinstance(answer, Refused) and not self._books.latest(order).is_dead:
            self._progress.move(self._books.latest(order), Happening.Canceled, None)

    patch.setattr(OrderManager, "_cancel_answered", hasty)


# ---- 5.3: fills once, money to the last digit -------------------------------------------------------------------------


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


def lose_the_fills_of_a_checkpoint(patch: Patch) -> None:
    state = Books.state
    patch.setattr(Books, "state", lambda self: msgspec.structs.replace(state(self), fill_keys=()))


def lose_the_live_orders_of_a_checkpoint(patch: Patch) -> None:
    state = Books.state
    patch.setattr(Books, "state", lambda self: msgspec.structs.replace(state(self), live=()))


def lose_the_fee(patch: Patch) -> None:
    fill_ = Progress.fill
    patch.setattr(Progress, "fill", lambda self, fill: fill_(self, msgspec.structs.replace(fill, fee=None)))


def look_at_no_fills(patch: Patch) -> None:
    compare = Reconciler.compare

    def blind(self, message):
        state = msgspec.structs.replace(message.state, fills=())
        compare(self, msgspec.structs.replace(message, state=state))

    patch.setattr(Reconciler, "compare", blind)


def ignore_a_movement(patch: Patch) -> None:
    explained = Reconciler.explained

    def deaf(self, answer):
        left = tuple(movement for movement in answer.movements if int(movement.movement_id) % 3)
        explained(self, msgspec.structs.replace(answer, movements=left))

    patch.setattr(Reconciler, "explained", deaf)


def double_a_movement(patch: Patch) -> None:
    explained = Reconciler.explained

    def naive(self, answer):
        self._books.movement_keys.clear()
        explained(self, answer)

    patch.setattr(Reconciler, "explained", naive)


def replay_without_what_the_disk_refused(patch: Patch) -> None:
    """As the journal once did: a worker that started again recorded the same fills once more"""
    patch.setattr(SimStore, "replay", SimStore.on_disk)


def ask_for_fills_by_our_clock(patch: Patch) -> None:
    """As the manager once did: set ahead, it asked for nothing that the stream had lost (F58)"""
    reconciled = Books.reconciled
    patch.setattr(
        Books,
        "reconciled",
        lambda self, differences, worklist, looked_at: reconciled(self, differences, worklist, self.now),
    )


# ---- 5.4: nothing but through the Gate, nothing over a limit ----------------------------------------------------------


def skip_the_gate(patch: Patch) -> None:
    patch.setattr(gate, "denials_of", lambda case: ())


def count_no_pending_orders(patch: Patch) -> None:
    inputs = Judge._inputs

    def blind(self, order, *around):
        found = inputs(self, order, *around)
        alone = msgspec.structs.replace(found.worst, low=found.position_qty, high=found.position_qty)
        return msgspec.structs.replace(found, worst=alone)

    patch.setattr(Judge, "_inputs", blind)


def forget_one_limit(patch: Patch) -> None:
    rules = tuple(rule for rule in gate.LIMIT_RULES if rule is not gate.max_order_notional)
    patch.setattr(gate, "LIMIT_RULES", rules)


def count_no_open_orders(patch: Patch) -> None:
    rules = tuple(rule for rule in gate.LIMIT_RULES if rule is not gate.max_open_orders)
    patch.setattr(gate, "LIMIT_RULES", rules)


def hear_of_no_other_limits(patch: Patch) -> None:
    """A limit that was lowered is the old one until the next start"""
    patch.setattr(Core, "use_account", lambda self, account: None)


def forget_the_position(patch: Patch) -> None:
    rules = tuple(rule for rule in gate.LIMIT_RULES if rule is not gate.max_position)
    patch.setattr(gate, "LIMIT_RULES", rules)


def count_what_a_replace_adds_alone(patch: Patch) -> None:
    """The order to be replaced was taken out of the worst case already, so this lets its quantity be had twice"""
    added = property(lambda self: self.order.leaves_qty - (self.replaces.leaves_qty if self.replaces else 0))
    patch.setattr(Case, "growth", added)


def know_no_totals(patch: Patch) -> None:
    patch.setattr(gate, "together", lambda case, instrument, limits: ())


def count_of_others_what_they_hold_alone(patch: Patch) -> None:
    """As if nothing of theirs were on its way"""
    hold = Judge._hold

    def blind(self, instrument):
        with pytest.MonkeyPatch.context() as narrow:
            narrow.setattr(Working, "worst", lambda self, instrument, qty, without=(): Interval(low=qty, high=qty))
            hold(self, instrument)

    patch.setattr(Judge, "_hold", blind)
    patch.setattr(Judge, "_reserve", lambda self, case: None)


def believe_a_report_before_its_fills(patch: Patch) -> None:
    def hasty(self, order, report):
        happening = progress_room.HAPPENED[report.ord_status]
        if report.ord_status is OrdStatus.Filled:
            happening = Happening.TradedAll
        self.move(order, happening, report.reason, report.venue_order_id)

    patch.setattr(Progress, "_fall_short", hasty)


# ---- 5.5: a halt leaks nothing, holds, and ends in a true receipt -----------------------------------------------------


def skip_the_last_check(patch: Patch) -> None:
    patch.setattr(Core, "last_check", lambda self, approved, now: None)


def forget_the_latch(patch: Patch) -> None:
    """A restart re-arms"""
    start = SimAccount.start

    def unlatched(self):
        self.halt = None
        start(self)

    patch.setattr(SimAccount, "start", unlatched)


def sweep_nothing(patch: Patch) -> None:
    patch.setattr(Sweep, "_concerns", lambda self, order: False)


def write_the_receipt_at_once(patch: Patch) -> None:
    patch.setattr(Sweep, "_left", lambda self: [])
    patch.setattr(Doubts, "are_cleared", property(lambda self: True))


def leave_the_cancel_of_a_dead_order_open(patch: Patch) -> None:
    """As the manager once did: it was asked about for ever, and a halt never got its receipt"""
    patch.setattr(Cancels, "close", lambda self, order: None)


# ---- 5.13: nothing grows ----------------------------------------------------------------------------------------------


def cancel_at_every_tick(patch: Patch) -> None:
    patch.setattr(cancels_room, "AGAIN_NS", 1)
    patch.setattr(cancels_room, "BLIND_NS", 1)
    patch.setattr(cancels_room, "LONGEST_NS", 1)


MUTANTS: list[tuple[str, Odds, Callable[[Patch], None]]] = [
    ("5.1", CRASHY, send_before_the_record),
    ("5.1", CRASHY, tell_durable_before_the_sync),
    ("5.1", CRASHY, forget_a_record),
    ("5.1", KILLED, believe_torn_records),
    ("5.1", CRASHY, forget_to_recover),
    ("5.1", KILLED, leave_half_records_half),
    ("5.1", LOSSY, forget_a_lost_cancel),
    ("5.1", WORN, lose_standing_cancels_at_a_restart),
    ("5.1", CRASHY, lose_the_live_orders_of_a_checkpoint),
    ("5.1", LOSSY, ask_nobody_about_what_is_gone),
    ("5.1", LOSSY, keep_an_order_as_large_as_it_was),
    ("5.2", LOSSY, send_again_on_timeout),
    ("5.2", CRASHY, send_again_after_a_restart),
    ("5.2", LOSSY, take_a_client_id_twice),
    ("5.2", LOSSY, give_up_at_once),
    ("5.2", LOSSY, believe_the_first_query),
    ("5.2", LOSSY, trust_an_exception_class),
    ("5.2", LOSSY, take_silence_for_a_yes),
    ("5.2", LOSSY, accept_an_answer_about_another_order),
    ("5.2", LOSSY, take_a_replace_for_done),
    ("5.2", LOSSY, take_a_refused_cancel_for_a_dead_order),
    ("5.3", LOSSY, drop_a_fill),
    ("5.3", LOSSY, apply_fills_as_often_as_told),
    ("5.3", CRASHY, lose_the_fills_of_a_checkpoint),
    ("5.3", LOSSY, lose_the_fee),
    ("5.3", LOSSY, look_at_no_fills),
    ("5.3", LOSSY, ignore_a_movement),
    ("5.3", LOSSY, double_a_movement),
    ("5.3", FULL_DISK, replay_without_what_the_disk_refused),
    ("5.3", STEPPED, ask_for_fills_by_our_clock),
    ("5.4", QUIET, skip_the_gate),
    ("5.4", QUIET, count_no_pending_orders),
    ("5.4", QUIET, forget_one_limit),
    ("5.4", QUIET, count_no_open_orders),
    ("5.4", QUIET, hear_of_no_other_limits),
    ("5.4", QUIET, forget_the_position),
    ("5.4", LOSSY, count_what_a_replace_adds_alone),
    ("5.4", MANY, know_no_totals),
    ("5.4", MANY, count_of_others_what_they_hold_alone),
    ("5.4", LOSSY, believe_a_report_before_its_fills),
    ("5.5", LOSSY, skip_the_last_check),
    ("5.5", CRASHY, forget_the_latch),
    ("5.5", LOSSY, sweep_nothing),
    ("5.5", LOSSY, write_the_receipt_at_once),
    ("5.5", LOSSY, leave_the_cancel_of_a_dead_order_open),
    ("5.13", BANNED, cancel_at_every_tick),
]


@pytest.mark.parametrize(("rule", "odds", "mutate"), MUTANTS, ids=[mutate.__name__ for _, _, mutate in MUTANTS])
def test_a_desk_that_breaks_a_rule_is_caught(
    rule: str, odds: Odds, mutate: Callable[[Patch], None], monkeypatch: Patch
):
    mutate(monkeypatch)
    for seed in SEEDS:
        if settled(seed, odds).broken(rule):
            return
    pytest.fail(f"no seed of {SEEDS} noticed {mutate.__name__}")


@pytest.mark.parametrize("odds", [LOSSY, CRASHY, WORN, KILLED, FULL_DISK, QUIET, STEPPED, BANNED, MANY])
def test_the_desk_as_it_is_breaks_no_rule_in_the_worlds_of_the_mutants(odds):
    for seed in range(4):
        assert runs.verdict(seed, settled(seed, odds)).broken == {}
