"""Hard limits over several accounts after a restart: what an account that is not back yet may have counts for the others (5.4)."""

from decimal import Decimal

import pytest

from tradedesk.domain.accounts import AccountState
from tradedesk.domain.commands import AmendOrder, PlaceOrder
from tradedesk.domain.orders import OrdStatus
from tradedesk.domain.words import ClientOrderId, OrderType, RequestId, Side, TimeInForce
from tradedesk.paper.rows import Kind, NewOrder
from tradedesk.risk.reservations import Reservations
from tradedesk.simulation.account import SimAccount
from tradedesk.simulation.caps import JUDGED_NS
from tradedesk.simulation.faults import CALM
from tradedesk.simulation.operators import TRADER
from tradedesk.simulation.rows import INSTRUMENT
from tradedesk.simulation.scheduler import SECOND
from tradedesk.simulation.world import World
from tradedesk.venues import spot


def bid(world: World, account: SimAccount, qty: str, price: Decimal = Decimal("60500")) -> ClientOrderId:
    key = world.new_id()
    account.tell(
        PlaceOrder(
            account=account.id,
            client_order_id=key,
            instrument=INSTRUMENT.id,
            side=Side.Buy,
            order_type=OrderType.Limit,
            time_in_force=TimeInForce.GoodTillCancel,
            order_qty=Decimal(qty),
            price=price,
            operator=TRADER,
            deadline=world.scheduler.clock.now() + 5 * SECOND,
        )
    )
    world.run(0.5)
    return key


def restarted(first: SimAccount, world: World) -> None:
    """The process dies, and of its accounts this one alone is ready again."""
    world.kill()
    with pytest.MonkeyPatch.context() as held_up:
        for account in world.accounts:
            if account is not first:
                held_up.setattr(account, "start", lambda: None)
        world.run(10)
    assert first.core is not None
    assert first.core.state is AccountState.Ready


def a_world_with_a_bid() -> tuple[World, SimAccount, SimAccount]:
    """Of the room for 0.15 coins the second account has taken 0.1."""
    world = World(1, CALM, is_idle=True)
    acme, birch = world.accounts
    world.run(2 + JUDGED_NS / SECOND)
    key = bid(world, birch, "0.1")
    assert world.venue.order(birch.id, key) is not None
    return world, acme, birch


def test_what_an_account_that_is_not_back_yet_may_have_is_nobody_elses():
    world, acme, birch = a_world_with_a_bid()
    restarted(acme, world)
    assert acme.core is not None
    early = bid(world, acme, "0.04")
    assert acme.core.manager.books.orders[early].ord_status is OrdStatus.Denied
    birch.start()
    world.run(2)
    assert acme.core.manager.books.orders[bid(world, acme, "0.1")].ord_status is OrdStatus.Denied
    assert acme.core.manager.books.orders[bid(world, acme, "0.04")].ord_status is OrdStatus.New
    assert world.broken("5.4") == []


def test_a_desk_that_does_not_expect_it_is_caught(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(Reservations, "expect", lambda self, positions, orders: None)
    world, acme, _ = a_world_with_a_bid()
    restarted(acme, world)
    bid(world, acme, "0.1")
    (found,) = world.broken("5.4")
    assert "takes the desk to 2.2" in found


def a_replace_that_races_a_fill() -> tuple[World, SimAccount, ClientOrderId]:
    """A bid for all there is room for is to be replaced; before that arrives, most of it trades."""
    world = World(10, CALM, is_idle=True)  # of which little is bid before ours
    acme, birch = world.accounts
    world.run(2 + JUDGED_NS / SECOND)
    quote, world.venue.is_frozen = world.venue.quote, True  # nobody but us trades from now on
    assert quote is not None
    assert quote.bid_qty is not None
    old, new = bid(world, acme, "0.15", price=quote.bid), world.new_id()
    acme.tell(
        AmendOrder(
            account=acme.id,
            client_order_id=old,
            new_client_order_id=new,
            order_qty=Decimal("0.15"),
            price=Decimal("60500"),
            operator=TRADER,
            deadline=world.scheduler.clock.now() + 5 * SECOND,
        )
    )
    for _ in range(1_000):
        if world.venue.on_the_way[RequestId(new)]:
            break
        world.run(0.001)
    sale = NewOrder(
        symbol=INSTRUMENT.venue_symbol,
        side="SELL",
        kind=Kind.LIMIT,
        quantity=quote.bid_qty + Decimal("0.1"),
        price=quote.bid,
        time_in_force="IOC",
        client_order_id="web-1",
    )
    world.venue.exchange.place(birch.id, sale, world.venue.now())
    world.venue.pump()
    row = world.venue.order(acme.id, old)
    assert row is not None
    assert row.executed_qty == Decimal("0.1")
    world.run(5)
    return world, acme, new


def test_an_order_that_trades_before_its_replace_arrives_is_not_replaced():
    """F46: what it traded and the new order's full quantity would be more than the limit"""
    world, acme, new = a_replace_that_races_a_fill()
    assert acme.core is not None
    assert acme.core.manager.books.orders[new].ord_status is OrdStatus.Rejected
    assert world.venue.order(acme.id, new) is None
    assert world.broken("5.4") == []


def test_a_desk_that_replaces_what_has_traded_meanwhile_is_caught(monkeypatch: pytest.MonkeyPatch):
    parameters = spot.replace_parameters

    def unconditioned(*around):
        return {name: value for name, value in parameters(*around).items() if name != "cancelRestrictions"}

    monkeypatch.setattr(spot, "replace_parameters", unconditioned)
    world, _, _ = a_replace_that_races_a_fill()
    assert "its position could reach 1.2499" in world.broken("5.4")[0]
