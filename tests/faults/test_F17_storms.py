"""F17, F18, F25, F43, F47: storms of connections, orders in flight, many legs at once, and what the venue's engine ends by itself."""

import threading
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from budget_desk import desk_on, exchange
from faulty_desk import ACME, BIRCH, BTC, FaultyDesk, Paper, by_hand, faulty_desk
from paper_process import has_loopback_range

from tradedesk.domain import events as ev
from tradedesk.domain.accounts import AccountState
from tradedesk.domain.commands import CancelAll, Reconcile, Submitted
from tradedesk.domain.orders import Order, OrderState, OrdStatus, RequestKind, RequestState
from tradedesk.domain.words import ClientOrderId, OperatorId, Side
from tradedesk.venues.pools import Unit

pytestmark = pytest.mark.skipif(not has_loopback_range(), reason="needs loopback addresses besides 127.0.0.1")
ME = OperatorId("")
SUB_ACCOUNTS = "".join(
    f"""
[[accounts]]
name = "{name}"
api_key = "{name * 5}0000"
secret = "{name}-secret"
addresses = ["127.0.0.{number}"]
balances = {{ USDT = "{money}", BTC = "2" }}
{master}
"""
    for number, (name, money, master) in enumerate(
        (("acme", 100_000, ""), ("birch", 10**8, 'master = "acme"'), ("cedar", 100_000, "")), 2
    )
)


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FaultyDesk]:
    """Three accounts; birch is a sub-account of acme, so that the two are one group of self-trade prevention."""
    folder = tmp_path_factory.mktemp("home")
    accounts = folder / "accounts.toml"
    accounts.write_text(SUB_ACCOUNTS)
    with faulty_desk(folder, "--accounts-file", str(accounts)) as found:
        yield found


def low(desk: FaultyDesk) -> Decimal:
    return (desk.bid() * 98 / 100).quantize(Decimal("0.01"))


def now(desk: FaultyDesk, key: ClientOrderId) -> Order:
    order = desk.order(key)
    assert order is not None
    return order


def now_or_later(desk: FaultyDesk, key: ClientOrderId) -> Order:
    """Once the venue has it."""
    return desk.until_order(key, OrderState.New, OrderState.PartiallyFilled, OrderState.Filled)


def posts(desk: FaultyDesk, key: ClientOrderId) -> int:
    return sum(row["client_order_id"] == key for row in desk.paper.requests(path="/api/v3/order", method="POST"))


def until_filled(paper: Paper, key: ClientOrderId) -> None:
    """At the exchange, while no desk runs."""
    never, deadline = threading.Event(), time.monotonic() + 120
    while not any(row["clientOrderId"] == key and row["status"] == "FILLED" for row in paper.books(ACME)["orders"]):
        assert time.monotonic() < deadline, "the market never reached the stop"
        never.wait(0.1)


def test_F17_twenty_accounts_that_lose_their_venue_together_come_back_by_themselves(tmp_path: Path) -> None:
    """Fifty connections are refused meanwhile; each exit counts its own, and nobody asks without pause."""
    with faulty_desk(tmp_path, "--accounts", "20") as found:
        mark = found.mark()
        refused = found.paper.fault("refuse", count=50)
        found.paper.fault("disconnect")
        found.until(
            lambda: (
                len({e.account for e in found.since(mark, ev.AccountChanged) if e.state is not AccountState.Ready})
                == 20
            ),
            "all of them are cut off",
        )
        found.until(lambda: found.paper.struck(refused) == 50, "fifty connections are refused", 90)
        found.until(found.is_well, "all come back by themselves", 90)
        budgets = found.desk._budgets
        assert budgets is not None
        assert budgets.bans() == ()
        [budget] = budgets._venues.values()
        used = [
            pool.used(found.clock.monotonic()) for pool in budget._pools.values() if pool.limit.unit is Unit.Connections
        ]
        assert len(used) == 21  # theirs and that of the market data
        assert all(0 < count <= 20 for count in used)  # of 300 that the venue allows in five minutes
        key = found.place(Side.Buy, "0.001", low(found))
        found.until_order(key, OrderState.New)


def test_F18_when_the_connection_dies_with_five_orders_in_flight_each_is_in_doubt_and_none_is_sent_again(
    desk: FaultyDesk,
) -> None:
    """Orders go by REST here, each on a connection of its own; there is no second way by which one could be sent again."""
    mark = desk.mark()
    desk.paper.fault("drop", account=ACME, event="executionReport", count=5)  # the stream tells of none of them
    cut = desk.paper.fault("cut", account=ACME, method="place", count=5)
    price = low(desk)
    keys = [desk.place(Side.Buy, "0.001", price) for _ in range(5)]
    desk.until(lambda: desk.paper.struck(cut) == 5, "all five were cut off")
    for key in keys:
        desk.until_order(key, OrderState.New)  # adopted, once the venue was asked
    decided = desk.since(mark, ev.RequestDecided)
    assert {event.client_order_id for event in decided if event.state is RequestState.Unknown} == set(keys)
    assert [posts(desk, key) for key in keys] == [1] * 5
    desk.paper.end_faults()
    for key in keys:
        desk.cancel(key)


def test_F25_an_order_that_would_trade_with_our_other_account_is_ended_by_the_venue_and_says_why(
    desk: FaultyDesk,
) -> None:
    """Two accounts of one master: what rests is taken off the book, and nothing is traded.

    Theirs sweeps the book up to ours, which rests where the market does not come by itself.
    """
    mark, price = desk.mark(), (desk.ask() * Decimal("1.003")).quantize(Decimal("0.01"))
    key = desk.place(Side.Sell, "0.002", price, confirm="the venue is to keep them apart")
    desk.until_order(key, OrderState.New)
    by_hand(
        desk, "POST", "/api/v3/order", BIRCH, symbol="BTCUSDT", side="BUY", type="LIMIT", timeInForce="IOC",
        quantity="100", price=str(price), selfTradePreventionMode="EXPIRE_MAKER",
    )  # fmt: skip
    desk.until(lambda: now(desk, key).is_dead, "it is over")
    order = now(desk, key)
    assert (order.ord_status, order.cum_qty) == (OrdStatus.Expired, Decimal(0))
    assert "self-trade" in " ".join(order.reasons)
    assert [each for each in desk.since(mark, ev.OrderFilled) if each.fill.client_order_id == key] == []


def test_F43_of_a_cancel_of_many_each_leg_ends_as_the_venue_proves_it(desk: FaultyDesk) -> None:
    """One is lost, one answered with nonsense, one done without an answer, one gone before: the receipt tells each."""
    price = low(desk)
    keys = [desk.place(Side.Buy, "0.001", price) for _ in range(6)]
    for key in keys:
        desk.until_order(key, OrderState.New)
    gone = now(desk, keys[5]).venue_order_id
    assert gone is not None
    desk.paper.fault("drop", account=ACME, event="executionReport", count=1)
    desk.paper.fault("ext", what="cancel", account=ACME, instrument="BTCUSDT", order_id=int(gone))
    desk.paper.fault("lose", account=ACME, method="cancel", count=1, end="reset")
    desk.paper.fault("cut", account=ACME, method="cancel", count=1)
    desk.paper.fault("did", account=ACME, method="cancel", count=1, answer=-1007)
    desk.paper.fault("torn", account=ACME, method="cancel", count=1)
    mark = desk.mark()
    assert isinstance(desk.control.submit(CancelAll(account=ACME, operator=ME)), Submitted)
    desk.until(lambda: desk.since(mark, ev.CancelSwept), "the receipt", 60)
    (receipt,) = desk.since(mark, ev.CancelSwept)
    assert (receipt.cancelled + receipt.ended, receipt.left) == (6, 0)
    for key in keys:
        order = now(desk, key)
        assert order.ord_status is OrdStatus.Canceled
        cancels = [request.state for request in order.requests if request.kind is RequestKind.Cancel]
        assert not {RequestState.Pending, RequestState.Unknown}.intersection(cancels)  # every leg has its own end
    assert [row for row in desk.paper.books(ACME)["orders"] if row["status"] == "NEW"] == []


def test_F43_a_cancel_of_all_whose_every_answer_is_lost_is_found_out_leg_by_leg(desk: FaultyDesk) -> None:
    price = low(desk)
    keys = [desk.place(Side.Buy, "0.001", price) for _ in range(4)]
    for key in keys:
        desk.until_order(key, OrderState.New)
    muted = desk.paper.fault("mute", account=ACME, method="cancel", count=4, seconds=0.3)
    desk.paper.fault("drop", account=ACME, event="executionReport", for_=2)
    mark = desk.mark()
    assert isinstance(desk.control.submit(CancelAll(account=ACME, operator=ME)), Submitted)
    desk.until(lambda: desk.since(mark, ev.CancelSwept), "the receipt", 60)
    assert desk.paper.struck(muted) == 4
    assert {now(desk, key).ord_status for key in keys} == {OrdStatus.Canceled}
    desk.paper.end_faults()


def test_F47_a_stop_that_triggers_while_the_desk_is_away_is_found_as_the_order_it_became_and_counts_once(
    tmp_path: Path,
) -> None:
    """On Binance spot stop and child are one order under one id; the desk places none, but other software may.

    A third one sweeps the book up to the stop, which stands where the market does not come by itself.
    """
    theirs = ClientOrderId("their-stop")
    accounts = tmp_path / "accounts.toml"
    accounts.write_text(SUB_ACCOUNTS)
    with exchange(tmp_path, accounts) as (home, paper):
        with desk_on(home, paper) as found:
            stop = (found.ask() * Decimal("1.003")).quantize(Decimal("0.01"))
            by_hand(
                found, "POST", "/api/v3/order", ACME, symbol="BTCUSDT", side="BUY", type="STOP_LOSS", quantity="0.01",
                stopPrice=str(stop), newClientOrderId=theirs,
            )  # fmt: skip
            found.until(lambda: found.order(theirs) is not None, "it is shown")
            held = found.view.replica.positions[ACME, BTC].qty
        by_hand(
            found, "POST", "/api/v3/order", BIRCH, symbol="BTCUSDT", side="BUY", type="LIMIT", timeInForce="IOC",
            quantity="100", price=str(stop + 10),
        )  # fmt: skip
        until_filled(paper, theirs)
        with desk_on(home, paper) as found:
            found.until(lambda: (order := found.order(theirs)) is not None and order.is_dead, "its end is found")
            order = found.order(theirs)
            assert order is not None
            assert (order.ord_status, order.is_external, order.cum_qty) == (OrdStatus.Filled, True, Decimal("0.01"))
            bought = found.view.replica.positions[ACME, BTC].qty - held
            assert Decimal("0.0099") < bought <= Decimal("0.01")  # after the fee, and once
            found.control.submit(Reconcile(account=ACME, operator=ME))
            mark = found.mark()
            found.until(lambda: found.since(mark, ev.Reconciled), "it was compared again")
            assert found.view.replica.positions[ACME, BTC].qty - held == bought
