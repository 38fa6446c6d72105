"""The same machinery under Hypothesis: it chooses who does what and what goes wrong, and shrinks what it finds."""

from collections import deque
from decimal import Decimal
from random import Random

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from tradedesk.domain.accounts import HaltLevel
from tradedesk.domain.commands import AmendOrder, CancelAll, CancelOrder, PlaceOrder
from tradedesk.domain.money import round_to_tick
from tradedesk.domain.orders import Order
from tradedesk.domain.words import OrderType, Side, TimeInForce
from tradedesk.orders.progress import Progress
from tradedesk.paper.rows import Kind, NewOrder, Refusal
from tradedesk.simulation import runs
from tradedesk.simulation.faults import CALM, Fate, Faults, Odds
from tradedesk.simulation.operators import TRADER
from tradedesk.simulation.rows import INSTRUMENT, SPEC
from tradedesk.simulation.scheduler import MS, SECOND
from tradedesk.simulation.storage import Moment
from tradedesk.simulation.world import OTHERS, World

ONE = Odds(drop=0, duplicate=0, slow=0, accounts=1)
QUANTITIES = st.sampled_from([Decimal("0.001"), Decimal("0.02"), Decimal("0.15"), Decimal("0.3")])
TICKS_AWAY = st.sampled_from([-200, 0, 1, 300, 30_000])
FATES = st.sampled_from([Fate.Prompt, Fate.Prompt, Fate.Lost, Fate.Mute, Fate.Late, Fate.Stalled])


class Told(Faults):
    """Nothing goes wrong but what a rule said, once each."""

    def __init__(self) -> None:
        super().__init__(Random(1), CALM)
        self.fates: deque[Fate] = deque()
        self.tellings: deque[int] = deque()  # how often the stream tells each of the next events

    def end(self) -> None:
        self.fates.clear()
        self.tellings.clear()

    def fate(self) -> Fate:
        return self.fates.popleft() if self.fates else Fate.Prompt

    def deliveries(self) -> int:
        return self.tellings.popleft() if self.tellings else 1


class DeskMachine(RuleBasedStateMachine):
    """One account. Every rule does one thing; time goes by only where a rule says so."""

    def __init__(self) -> None:
        super().__init__()
        self.faults = Told()
        self.world = World(11, ONE, faults=self.faults, is_idle=True)
        self.account = self.world.accounts[0]
        self.world.run(0.5)

    # -- operators ------------------------------------------------------------------------------------------------------

    @rule(side=st.sampled_from(Side), qty=QUANTITIES, away=TICKS_AWAY, fate=FATES, is_ioc=st.booleans())
    def place(self, side: Side, qty: Decimal, away: int, fate: Fate, is_ioc: bool) -> None:
        self.faults.fates.append(fate)
        self.account.tell(
            PlaceOrder(
                account=self.account.id,
                client_order_id=self.world.new_id(),
                instrument=INSTRUMENT.id,
                side=side,
                order_type=OrderType.Limit,
                time_in_force=TimeInForce.ImmediateOrCancel if is_ioc else TimeInForce.GoodTillCancel,
                order_qty=qty,
                price=self._price(side, away),
                operator=TRADER,
                deadline=self.world.scheduler.clock.now() + 5 * SECOND,
            )
        )

    @precondition(lambda self: self._ours())
    @rule(which=st.integers(0, 7), qty=QUANTITIES, away=TICKS_AWAY, fate=FATES, keeps_price=st.booleans())
    def amend(self, which: int, qty: Decimal, away: int, fate: Fate, keeps_price: bool) -> None:
        order = self._ours()[which % len(self._ours())]
        self.faults.fates.append(fate)
        price = order.price if keeps_price and order.price is not None else self._price(order.side, away)
        self.account.tell(
            AmendOrder(
                account=self.account.id,
                client_order_id=order.client_order_id,
                new_client_order_id=self.world.new_id(),
                order_qty=order.cum_qty + qty,
                price=price,
                operator=TRADER,
                deadline=self.world.scheduler.clock.now() + 5 * SECOND,
            )
        )

    @precondition(lambda self: self._ours())
    @rule(which=st.integers(0, 7), fate=FATES)
    def cancel(self, which: int, fate: Fate) -> None:
        order = self._ours()[which % len(self._ours())]
        self.faults.fates.append(fate)
        self.account.tell(CancelOrder(account=self.account.id, client_order_id=order.client_order_id, operator=TRADER))

    @rule()
    def cancel_all(self) -> None:
        self.account.tell(CancelAll(account=self.account.id, operator=TRADER))

    @rule(level=st.sampled_from(HaltLevel))
    def halt(self, level: HaltLevel) -> None:
        self.world.halt(self.account, level)

    @precondition(lambda self: self.account.halt is not None)
    @rule()
    def rearm(self) -> None:
        self.world.rearm(self.account)

    # -- time and the venue ---------------------------------------------------------------------------------------------

    @rule(ms=st.sampled_from([1, 20, 60, 500, 4_000]))
    def time_goes_by(self, ms: int) -> None:
        self.world.scheduler.run(ms * MS)

    @precondition(lambda self: self.world.venue.open_orders(self.account.id))
    @rule(which=st.integers(0, 7), share=st.sampled_from([3, 10]))
    def somebody_trades_with_it(self, which: int, share: int) -> None:
        """A part, or all, of one of the account's orders on the book."""
        rows = self.world.venue.open_orders(self.account.id)
        row = rows[which % len(rows)]
        left = row.orig_qty - row.executed_qty
        qty = max(left * share / 10 // SPEC.lot * SPEC.lot, SPEC.lot)
        other = NewOrder(
            symbol=SPEC.symbol,
            side="SELL" if row.side == "BUY" else "BUY",
            kind=Kind.LIMIT,
            quantity=qty,
            price=row.price,
            time_in_force="IOC",
            client_order_id=f"them-{self.world.new_id()}",
        )
        try:
            self.world.venue.exchange.place(OTHERS, other, self.world.venue.now())
        except Refusal:
            return
        self.world.venue.pump()

    @rule(often=st.lists(st.sampled_from([0, 2]), min_size=1, max_size=4))
    def stream_loses_or_repeats(self, often: list[int]) -> None:
        self.faults.tellings.extend(often)

    @rule()
    def stream_goes_down(self) -> None:
        self.account.stream_down()

    @rule()
    def stream_comes_up(self) -> None:
        self.account.stream_up()

    # -- what breaks ----------------------------------------------------------------------------------------------------

    @rule()
    def the_worker_dies(self) -> None:
        self.world.crash(self.account)

    @rule()
    def the_process_dies(self) -> None:
        self.world.kill()

    @rule(writes=st.integers(1, 6), moment=st.sampled_from(Moment))
    def the_process_will_die_at_a_write(self, writes: int, moment: Moment) -> None:
        plan = self.world.plan
        plan.at, plan.moment = plan.writes + writes, moment

    @rule()
    def the_disk_fails(self) -> None:
        self.world.store.fail("disk eio")

    @rule()
    def the_disk_works(self) -> None:
        self.world.store.mend()

    @rule(seconds=st.sampled_from([-3600, -3, -0.8, 0.8, 3, 3600]))
    def the_clock_is_set(self, seconds: float) -> None:
        self.world.step_clock(seconds)

    @rule()
    def money_moves(self) -> None:
        self.world.operators.money_moves(self.account)

    @rule()
    def other_software_acts(self) -> None:
        self.world.operators.other_software(self.account)

    # -- what must hold -------------------------------------------------------------------------------------------------

    @invariant()
    def nothing_is_broken(self) -> None:
        assert {rule_: found for rule_, found in self.world.watch.broken.items() if found} == {}

    def teardown(self) -> None:
        """Recovery: the faults end, and everything converges."""
        self.account.stream_up()
        self.world.settle()
        assert runs.verdict(11, self.world).broken == {}

    # -- parts ----------------------------------------------------------------------------------------------------------

    def _ours(self) -> list[Order]:
        core = self.account.core
        return [] if core is None else [order for order in core.manager.live.values() if not order.is_external]

    def _price(self, side: Side, away: int) -> Decimal:
        top = self.world.venue.exchange.book_ticker(SPEC.symbol)
        touch = (top.bid if side is Side.Buy else top.ask) or Decimal(60_000)
        return round_to_tick(touch - away * SPEC.tick * side.sign, SPEC.tick, side)


DeskMachine.TestCase.settings = settings(
    max_examples=40,
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
TestDeskMachine = DeskMachine.TestCase


def test_the_machine_finds_a_desk_that_applies_a_fill_as_often_as_it_is_told(monkeypatch):
    """The machine can fail, too"""
    fill_ = Progress.fill

    def naive(self, fill):
        self._books.fill_keys.discard(fill.key)
        fill_(self, fill)

    monkeypatch.setattr(Progress, "fill", naive)
    quick = settings(DeskMachine.TestCase.settings, max_examples=100, phases=[Phase.generate], database=None)
    with pytest.raises(AssertionError, match="applied twice"):
        run_state_machine_as_test(DeskMachine, settings=quick)
