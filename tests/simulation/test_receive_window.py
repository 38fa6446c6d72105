"""How long an order may still arrive: the venue takes a stamp from its own near future, so longer than the window (5.2)."""

from decimal import Decimal
from random import Random

from tradedesk.domain.commands import PlaceOrder
from tradedesk.domain.money import round_to_tick
from tradedesk.domain.orders import OrdStatus
from tradedesk.domain.words import OrderType, Side
from tradedesk.simulation import runs
from tradedesk.simulation.faults import CALM, Fate, Faults, Odds
from tradedesk.simulation.operators import TRADER
from tradedesk.simulation.rows import INSTRUMENT, SPEC
from tradedesk.simulation.scheduler import SECOND
from tradedesk.simulation.world import World


class Slowest(Faults):
    """The first request takes as long as anything may, and is given up at once; queries lag as far as they may."""

    def __init__(self) -> None:
        super().__init__(Random(1), CALM)
        self._waits = 0
        self._was_sent = False

    def fate(self) -> Fate:
        if self._was_sent:
            return Fate.Prompt
        self._was_sent, self._waits = True, 3
        return Fate.Stalled

    def within(self, ns: int) -> int:
        self._waits -= 1
        if self._waits == 2:
            return int(1.79 * SECOND)  # on its way: a window of 1 s, and stamped 0.8 s ahead
        if self._waits == 1:
            return ns  # in the engine
        return 0  # until it is given up

    def lag(self) -> int:
        return SECOND // 2


def test_an_order_stamped_by_a_clock_that_was_set_ahead_is_not_given_up_too_soon():
    """5.2, F01, F58: it arrives after the receive window, is taken all the same, and was never said to be absent"""
    world = World(3, Odds(drop=0, duplicate=0, slow=0, accounts=1), faults=Slowest(), is_idle=True)
    account = world.accounts[0]
    world.run(0.5)
    assert account.core is not None
    world.step_clock(0.8)
    bid = world.venue.exchange.book_ticker(SPEC.symbol).bid
    assert bid is not None
    account.tell(
        PlaceOrder(
            account=account.id,
            client_order_id=world.new_id(),
            instrument=INSTRUMENT.id,
            side=Side.Buy,
            order_type=OrderType.Limit,
            order_qty=SPEC.lot * 1000,
            price=round_to_tick(bid * Decimal("0.97"), SPEC.tick, Side.Buy),
            operator=TRADER,
            deadline=world.scheduler.clock.now() + 5 * SECOND,
        )
    )
    world.run(20)
    (order,) = account.core.manager.books.orders.values()
    assert order.ord_status is OrdStatus.New, order
    assert runs.verdict(3, world).broken == {}
