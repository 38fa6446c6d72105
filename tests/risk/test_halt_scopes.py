"""Halts of more than an account and of less: which stands over which order, durably, and what the Gate makes of it."""

import os
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest
from order_builders import ACME, NOW
from order_builders import an_order as any_order

from tradedesk.domain.accounts import Halt, HaltLevel
from tradedesk.domain.orders import Order
from tradedesk.domain.scopes import DESK, Scope, ScopeKind, carried, part_scopes, scope_of, whole_scopes
from tradedesk.domain.words import AccountId, InstrumentId, OperatorId, VenueId
from tradedesk.risk.halts import MOST_ALGORITHMS, SIZE, HaltLatch

BIRCH = AccountId("birch")
GROWTH = Scope(kind=ScopeKind.Group, name="growth")
BINANCE = Scope(kind=ScopeKind.Venue, name="binance")
BTC = Scope(kind=ScopeKind.Instrument, name="binance:BTCUSDT")
ANNA = Scope(kind=ScopeKind.Operator, name="anna")
TWAP = Scope(kind=ScopeKind.Algorithm, name="twap")
OVER = {
    ACME: whole_scopes(ACME, ("growth",), VenueId("binance")),
    BIRCH: whole_scopes(BIRCH, (), VenueId("binance")),
}


def a_halt(scope: Scope, level: HaltLevel = HaltLevel.CancelOpening) -> Halt:
    account, other = carried(scope)
    return Halt(account=account, level=level, by="risk1", reason="drill", at=NOW, scope=other)


def an_order(instrument: str = "binance:BTCUSDT", operator: str = "anna", block: str | None = None) -> Order:
    return msgspec.structs.replace(
        any_order("o1"), instrument=InstrumentId(instrument), operator=OperatorId(operator), block=block
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "halts"


@pytest.fixture
def latch(folder: Path) -> Iterator[HaltLatch]:
    made = HaltLatch(folder, OVER, over=OVER, others=(BTC, ANNA))
    yield made
    made.close()


@pytest.mark.parametrize("scope", [DESK, BINANCE, GROWTH, scope_of(ACME), BTC, ANNA, TWAP], ids=str)
def test_a_halt_of_every_scope_holds_over_a_restart_until_it_is_cleared(
    latch: HaltLatch, folder: Path, scope: Scope
) -> None:
    latch.latch(a_halt(scope))
    again = HaltLatch(folder, OVER, over=OVER, others=(BTC, ANNA))
    account, other = carried(scope)
    assert again.own(account, other) == a_halt(scope)
    assert again.all() == [a_halt(scope)]
    again.clear(account, other)
    assert latch.own(account, other) is None
    assert latch.all() == []
    again.close()


def test_a_group_holds_its_accounts_and_no_other(latch: HaltLatch) -> None:
    latch.latch(a_halt(GROWTH))
    assert latch.read(ACME) == a_halt(GROWTH)
    assert latch.read(BIRCH) is None
    latch.latch(a_halt(BINANCE, HaltLevel.CancelAll))
    assert latch.read(ACME) == latch.read(BIRCH) == a_halt(BINANCE, HaltLevel.CancelAll)


def test_a_halt_of_some_orders_stands_over_those_and_not_over_their_account(latch: HaltLatch) -> None:
    latch.latch(a_halt(BTC))
    assert latch.part_of(an_order()) == a_halt(BTC)
    assert latch.part_of(an_order("binance:ETHUSDT")) is None
    assert latch.read(ACME) is None
    assert latch.parts() == (a_halt(BTC),)


def test_an_operator_is_stopped_on_whatever_they_order(latch: HaltLatch) -> None:
    latch.latch(a_halt(ANNA))
    assert latch.part_of(an_order("binance:ETHUSDT")) == a_halt(ANNA)
    assert latch.part_of(an_order(operator="ben")) is None


@pytest.mark.parametrize(("block", "is_halted"), [("twap", True), ("twap:7", True), ("twap7", False), (None, False)])
def test_an_algorithm_is_what_stands_before_the_colon_of_a_block(
    latch: HaltLatch, block: str | None, is_halted: bool
) -> None:
    latch.latch(a_halt(TWAP))
    assert (latch.part_of(an_order(block=block)) is not None) is is_halted


def test_one_run_of_an_algorithm_can_be_halted_alone(latch: HaltLatch) -> None:
    latch.latch(a_halt(Scope(kind=ScopeKind.Algorithm, name="twap:7")))
    assert latch.part_of(an_order(block="twap:7")) is not None
    assert latch.part_of(an_order(block="twap:8")) is None


def test_the_strictest_of_what_stands_over_an_order_is_in_force(latch: HaltLatch) -> None:
    latch.latch(a_halt(BTC, HaltLevel.ReduceOnly))
    latch.latch(a_halt(ANNA, HaltLevel.BlockNew))
    latch.latch(a_halt(TWAP, HaltLevel.CancelAll))
    assert latch.part_of(an_order(block="twap")) == a_halt(TWAP, HaltLevel.CancelAll)
    assert latch.part_of(an_order()) == a_halt(ANNA, HaltLevel.BlockNew)
    assert latch.part_of(an_order(operator="ben")) == a_halt(BTC, HaltLevel.ReduceOnly)


def test_what_another_process_latched_stands_before_anybody_looked(latch: HaltLatch, folder: Path) -> None:
    other = HaltLatch(folder, (), others=(BTC,))
    other.latch(a_halt(BTC))
    assert latch.part_of(an_order()) == a_halt(BTC)
    assert latch.parts() == ()
    latch.all()
    assert latch.parts() == (a_halt(BTC),)
    other.close()


def test_no_more_algorithms_are_halted_than_there_is_room_for(latch: HaltLatch) -> None:
    for number in range(MOST_ALGORITHMS):
        assert latch.has_room
        latch.latch(a_halt(Scope(kind=ScopeKind.Algorithm, name=f"a{number}")))
    assert not latch.has_room
    with pytest.raises(OSError, match="halted already"):
        latch.latch(a_halt(TWAP))
    latch.latch(a_halt(Scope(kind=ScopeKind.Algorithm, name="a3"), HaltLevel.CancelAll))  # one that has its place
    assert len(latch.all()) == MOST_ALGORITHMS


def test_a_damaged_slot_stops_whatever_has_a_block(latch: HaltLatch, folder: Path) -> None:
    descriptor = os.open(folder / "halt-algorithms", os.O_WRONLY)
    os.pwrite(descriptor, b"{", 2 * SIZE)
    os.close(descriptor)
    halt = latch.part_of(an_order(block="anything"))
    assert halt is not None
    assert halt.level is HaltLevel.BlockNew
    assert latch.part_of(an_order()) is None


def test_names_that_no_file_may_have_get_one_all_the_same(folder: Path) -> None:
    odd = Scope(kind=ScopeKind.Group, name="../a b/ü")
    made = HaltLatch(folder, (), others=(odd,))
    made.latch(a_halt(odd))
    assert made.all() == [a_halt(odd)]
    assert {path.parent for path in folder.parent.rglob("halt-*")} == {folder}
    made.close()


def test_the_longest_name_there_may_be_leaves_the_level_in_the_latch(latch: HaltLatch) -> None:
    longest = Scope(kind=ScopeKind.Algorithm, name="\N{POLICE CARS REVOLVING LIGHT}" * 64)
    latch.latch(msgspec.structs.replace(a_halt(longest, HaltLevel.CancelAll), reason="\x01" * 300, by="x" * 80))
    (halt,) = latch.all()
    assert (halt.of, halt.level) == (longest, HaltLevel.CancelAll)


def test_an_order_falls_under_its_instrument_its_operator_and_its_algorithm() -> None:
    order = an_order(block="twap:7")
    found = part_scopes(order.instrument, order.operator, order.block)
    assert found == (BTC, ANNA, TWAP, Scope(kind=ScopeKind.Algorithm, name="twap:7"))
    assert Decimal(order.order_qty) > 0


def test_what_has_no_latch_here_cannot_be_written_over_an_algorithms(latch: HaltLatch) -> None:
    latch.latch(a_halt(TWAP))
    stranger = Scope(kind=ScopeKind.Group, name="not in desk.toml")
    assert not latch.has(stranger)
    with pytest.raises(KeyError):
        latch.latch(a_halt(stranger))
    with pytest.raises(KeyError):
        latch.clear(None, stranger)
    assert [halt.of for halt in latch.all()] == [TWAP]
