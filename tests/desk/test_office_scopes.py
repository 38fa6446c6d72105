"""Halts of more than an account and of less, at the office: who may, what is known here, and who is woken."""

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from builders import an_order
from order_builders import an_account
from test_office import ACME, ALONE, BIRCH, NOBODY, RISK, TRADER, Bureau, a_rearm

from tradedesk.domain import events as ev
from tradedesk.domain.accounts import HaltLevel
from tradedesk.domain.commands import HaltTrading, Rearm, Submitted
from tradedesk.domain.scopes import Scope, ScopeKind, whole_scopes
from tradedesk.domain.words import VenueId
from tradedesk.orders.messages import HaltEnded, HaltNow
from tradedesk.risk.halts import HaltLatch

GROWTH = Scope(kind=ScopeKind.Group, name="growth")
AT_BINANCE = Scope(kind=ScopeKind.Instrument, name="binance:BTCUSDT")
TWAP = Scope(kind=ScopeKind.Algorithm, name="twap")


def a_scoped_halt(scope: Scope, level: HaltLevel = HaltLevel.CancelOpening) -> HaltTrading:
    return HaltTrading(account=None, scope=scope, level=level, reason="fire", operator=NOBODY)


def a_scoped_rearm(scope: Scope) -> Rearm:
    return Rearm(account=None, scope=scope, reason="fire is out", operator=NOBODY)


@pytest.fixture
def wide(tmp_path: Path) -> Iterator[Bureau]:
    """Two accounts at one venue, the first in a group, and two operators whose orders may be stopped."""
    over = {
        ACME: whole_scopes(ACME, ("growth",), VenueId("binance")),
        BIRCH: whole_scopes(BIRCH, (), VenueId("binance")),
    }
    operators = [Scope(kind=ScopeKind.Operator, name=name) for name in (TRADER.name, RISK.name)]
    latch = HaltLatch(tmp_path, over, over=over, others=(AT_BINANCE, *operators))
    made = Bureau(tmp_path, operators={TRADER.name: TRADER, RISK.name: RISK}, latch=latch)
    for name, groups in ((ACME, ("growth",)), (BIRCH, ())):
        account = msgspec.structs.replace(an_account(), id=name, groups=groups)
        made.emit(ev.AccountListed(at=1, source="desk", account=account))
    made.events.clear()
    yield made
    made.latch.close()


def test_a_group_is_halted_for_its_accounts_alone_and_rearmed_by_its_own_name(wide: Bureau) -> None:
    """5.5"""
    assert wide.submit(RISK, a_scoped_halt(GROWTH)) == Submitted()
    assert wide.latch.read(ACME) is not None
    assert wide.latch.read(BIRCH) is None
    assert [halt.of for halt in wide.replica.all_halts] == [GROWTH]
    assert wide.replica.halts == {}
    assert wide.refusal(RISK, a_rearm(ACME)) == "account acme is not halted"
    assert wide.submit(RISK, a_scoped_rearm(GROWTH)) == Submitted()
    assert wide.latch.all() == []
    assert wide.replica.all_halts == ()


def test_a_scope_takes_who_has_every_account_in_it(wide: Bureau) -> None:
    assert wide.submit(TRADER, a_scoped_halt(GROWTH)) == Submitted()
    for scope in (AT_BINANCE, Scope(kind=ScopeKind.Venue, name="binance")):
        assert "may not halt on account birch" in wide.refusal(TRADER, a_scoped_halt(scope))
    assert "takes the role risk" in wide.refusal(TRADER, a_scoped_rearm(GROWTH))


def test_the_desk_and_an_account_may_be_named_either_way(wide: Bureau) -> None:
    wide.submit(RISK, a_scoped_halt(Scope(kind=ScopeKind.Account, name=BIRCH)))
    wide.submit(RISK, a_scoped_halt(Scope(kind=ScopeKind.Desk)))
    assert set(wide.replica.halts) == {BIRCH, None}
    assert "unknown account" in wide.refusal(RISK, a_scoped_halt(Scope(kind=ScopeKind.Account, name="brch")))


@pytest.mark.parametrize(
    ("scope", "says"),
    [
        (Scope(kind=ScopeKind.Group, name="grwth"), "did you mean growth?"),
        (Scope(kind=ScopeKind.Venue, name="kraken"), "known: binance"),
        (Scope(kind=ScopeKind.Algorithm, name=""), "is no name of one"),
        (Scope(kind=ScopeKind.Algorithm, name="\x1b[31m"), "is no name of one"),
    ],
    ids=str,
)
def test_what_this_desk_does_not_know_is_not_halted(wide: Bureau, scope: Scope, says: str) -> None:
    assert says in wide.refusal(RISK, a_scoped_halt(scope))


def test_what_has_no_positions_cannot_be_flattened(wide: Bureau) -> None:
    assert "no positions of its own" in wide.refusal(RISK, a_scoped_halt(TWAP, HaltLevel.Flatten))
    assert wide.submit(RISK, a_scoped_halt(AT_BINANCE, HaltLevel.Flatten)) == Submitted()


def test_an_operator_who_was_stopped_does_not_start_again_by_their_own_hand(wide: Bureau) -> None:
    on_risk = Scope(kind=ScopeKind.Operator, name=RISK.name)
    assert wide.submit(ALONE, a_scoped_halt(on_risk)) == Submitted()
    assert "somebody else with the role risk" in wide.refusal(RISK, a_scoped_rearm(on_risk))
    assert wide.submit(ALONE, a_scoped_rearm(on_risk)) == Submitted()


def test_an_algorithm_is_the_business_of_whose_accounts_it_runs_on(wide: Bureau) -> None:
    assert wide.submit(TRADER, a_scoped_halt(TWAP)) == Submitted()
    order = msgspec.structs.replace(an_order(account="birch", client_order_id="c9"), block="twap:1")
    wide.emit(ev.OrderPlaced(at=1, source="worker:birch", order=order))
    assert "account birch" in wide.refusal(TRADER, a_scoped_halt(TWAP))


def test_everybody_is_woken_for_a_halt_of_some_orders(wide: Bureau) -> None:
    wide.submit(RISK, a_scoped_halt(AT_BINANCE))
    expected = HaltNow(level=HaltLevel.CancelOpening, by="risk1", scope=AT_BINANCE)
    assert wide.posts(ACME) == wide.posts(BIRCH) == [expected]
    wide.submit(RISK, a_scoped_rearm(AT_BINANCE))
    assert wide.posts(ACME)[-1] == HaltEnded(scope=AT_BINANCE)
