"""What keeps an account from trading though its venue is well: each bar by itself, together, and beside its condition."""

from order_builders import NOW, a_cancel, a_place, an_ack
from test_core import Bench

from tradedesk.domain.accounts import AccountState
from tradedesk.domain.events import AccountChanged
from tradedesk.domain.orders import OrdStatus
from tradedesk.orders.messages import SendCancel


def stands(bench: Bench) -> tuple[AccountState, str]:
    return bench.core.state, bench.core.reason


def test_a_barred_account_sends_nothing_new_until_it_is_admitted():
    bench = Bench()
    bench.core.bar("key", AccountState.Blocked, "the key may withdraw", NOW)
    assert bench.send(a_place("c1")) == []
    assert bench.order("c1").ord_status is OrdStatus.Denied
    assert "the key may withdraw" in " ".join(bench.order("c1").requests[0].reasons)
    bench.core.admit("key", NOW)
    assert stands(bench) == (AccountState.Ready, "")
    assert len(bench.send(a_place("c2"))) == 1


def test_an_order_that_was_approved_before_the_bar_does_not_leave_after_it():
    bench = Bench()
    (approved,) = bench.send(a_place("c1"))
    assert bench.core.last_check(approved, NOW) is None
    bench.core.bar("key", AccountState.Blocked, "the key may withdraw", NOW)
    assert "the key may withdraw" in (bench.core.last_check(approved, NOW) or "")


def test_a_barred_account_cancels():
    bench = Bench()
    bench.send(a_place("c1"), an_ack("c1"))
    bench.core.bar("key", AccountState.Blocked, "the key may withdraw", NOW)
    assert any(isinstance(effect, SendCancel) for effect in bench.core.handle(a_cancel("c1"), NOW))


def test_each_bar_is_lifted_by_itself():
    bench = Bench()
    bench.core.bar("key", AccountState.Blocked, "the key may withdraw", NOW)
    bench.core.bar("exit", AccountState.Blocked, "its exit is seen elsewhere", NOW)
    assert stands(bench) == (AccountState.Blocked, "the key may withdraw; its exit is seen elsewhere")
    bench.core.admit("key", NOW)
    assert stands(bench) == (AccountState.Blocked, "its exit is seen elsewhere")
    bench.core.admit("exit", NOW)
    assert stands(bench) == (AccountState.Ready, "")


def test_what_needs_a_person_is_shown_before_what_ends_by_itself():
    bench = Bench()
    bench.core.bar("exit", AccountState.Reconciling, "its exit was not proved yet", NOW)
    bench.core.bar("key", AccountState.Blocked, "the key may withdraw", NOW)
    assert stands(bench) == (AccountState.Blocked, "the key may withdraw")


def test_an_account_that_is_offline_is_shown_so_and_its_bar_when_it_is_back():
    bench = Bench()
    bench.core.bar("key", AccountState.Blocked, "the key may withdraw", NOW)
    bench.core.set_state(AccountState.Offline, "no answer", NOW)
    assert stands(bench) == (AccountState.Offline, "no answer")
    bench.core.set_state(AccountState.Ready, "", NOW)
    assert stands(bench) == (AccountState.Blocked, "the key may withdraw")


def test_a_bar_that_is_lifted_while_the_stream_is_down_makes_no_account_ready():
    bench = Bench()
    bench.core.bar("key", AccountState.Blocked, "the key may withdraw", NOW)
    bench.core.set_state(AccountState.Reconciling, "private stream: cut", NOW)
    bench.core.admit("key", NOW)
    assert stands(bench) == (AccountState.Reconciling, "private stream: cut")


def test_no_bar_that_is_lifted_frees_an_account_that_a_person_must_look_at():
    bench = Bench()
    bench.core.bar("key", AccountState.Blocked, "the key may withdraw", NOW)
    bench.core.set_state(AccountState.Blocked, "the venue contradicts itself", NOW)
    bench.core.admit("key", NOW)
    bench.core.set_state(AccountState.Ready, "", NOW)
    assert stands(bench) == (AccountState.Blocked, "the venue contradicts itself")


def test_the_same_bar_again_says_nothing_anew():
    bench = Bench()
    bench.core.bar("key", AccountState.Blocked, "the key may withdraw", NOW)
    said = len([event for event in bench.published if isinstance(event, AccountChanged)])
    bench.core.bar("key", AccountState.Blocked, "the key may withdraw", NOW)
    assert len([event for event in bench.published if isinstance(event, AccountChanged)]) == said
