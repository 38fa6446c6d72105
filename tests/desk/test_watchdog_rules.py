"""When a watchdog takes a desk for dead, and what it does about it: by looks and times that a test hands in."""

import msgspec
from order_builders import an_account

from tradedesk.desk.outside import Beat, Life
from tradedesk.desk.watchdog import WATCHDOG, State, Watch, chose_it, left_to_do
from tradedesk.domain.accounts import DeadMan, HaltLevel
from tradedesk.domain.receipts import AccountReceipt, KillReceipt, Outcome
from tradedesk.domain.words import AccountId, OperatorId

S = 10**9
ACME, BIRCH = AccountId("acme"), AccountId("birch")


def a_beat(number: int = 1, life: Life = Life.Running, pid: int = 7) -> Beat:
    return Beat(life=life, pid=pid, number=number, at=0)


def looks(watch: Watch, beat: Beat | None, seconds: range) -> list[State]:
    """One look a second."""
    return [watch.looked(beat, second * S) for second in seconds]


def test_a_desk_that_gives_signs_of_life_is_left_alone() -> None:
    watch = Watch(5 * S)
    assert {watch.looked(a_beat(second), second * S) for second in range(60)} == {State.Alive}


def test_a_desk_that_stops_giving_them_is_silent_once_the_time_is_over() -> None:
    watch = Watch(5 * S)
    assert looks(watch, a_beat(), range(5)) == [State.Alive] * 5
    assert looks(watch, a_beat(), range(5, 8)) == [State.Silent] * 3
    assert watch.looked(a_beat(2), 8 * S) is State.Alive


def test_a_desk_stopped_in_order_is_never_acted_on_and_one_that_failed_is() -> None:
    for life in (Life.Stopping, Life.Stopped):
        assert set(looks(Watch(5 * S), a_beat(life=life), range(60))) == {State.Resting}
    assert looks(Watch(5 * S), a_beat(life=Life.Failed), range(7))[-1] is State.Silent


def test_where_no_desk_ever_ran_nothing_is_missed() -> None:
    assert set(looks(Watch(5 * S), None, range(60))) == {State.Absent}


def test_a_sign_that_cannot_be_read_any_more_is_none() -> None:
    watch = Watch(5 * S)
    assert looks(watch, a_beat(), range(2))[-1] is State.Alive
    assert looks(watch, None, range(2, 7))[-1] is State.Silent


def test_a_watchdog_that_stood_still_itself_gives_the_desk_its_time_anew() -> None:
    """F59: the machine slept, and the desk with it."""
    watch = Watch(5 * S)
    looks(watch, a_beat(), range(3))
    assert watch.looked(a_beat(), 3_600 * S) is State.Alive
    assert watch.looked(a_beat(2), 3_601 * S) is State.Alive


def test_it_acts_for_the_accounts_that_chose_it_and_for_no_other() -> None:
    plain = an_account()
    assert plain.dead_man is None
    chosen = msgspec.structs.replace(plain, id=BIRCH, dead_man=DeadMan.Watchdog)
    assert chose_it({ACME: plain, BIRCH: chosen}) == (BIRCH,)


def a_receipt(outcome: Outcome, *, by: OperatorId = WATCHDOG, beat: str | None = "7/1") -> KillReceipt:
    row = AccountReceipt(account=ACME, outcome=outcome, is_blocked=True)
    return KillReceipt(
        id="x", desk="main", by=by, reason="r", level=HaltLevel.CancelOpening, started_at=0, took_ms=0, accounts=(row,),
        beat=beat,
    )  # fmt: skip


def test_each_account_is_killed_once_for_one_silence_and_again_only_if_it_was_not_cleared() -> None:
    """Also by a watchdog that was started anew: the receipts tell."""
    wanted, beat = (ACME, BIRCH), a_beat()
    assert left_to_do(wanted, beat, []) == wanted
    assert left_to_do(wanted, beat, [a_receipt(Outcome.Clear)]) == (BIRCH,)
    assert left_to_do(wanted, beat, [a_receipt(Outcome.Unreachable)]) == wanted
    assert left_to_do(wanted, beat, [a_receipt(Outcome.Clear, by=OperatorId("me"), beat=None)]) == wanted
    assert left_to_do(wanted, a_beat(9), [a_receipt(Outcome.Clear)]) == wanted  # another silence
