"""F75, F77, F89 on a whole desk and a real paper exchange: fat fingers, a halt in the middle of fifty orders, a stalled reader."""

import socket
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from faulty_desk import ACME, BIRCH, BTC, ME, FaultyDesk, faulty_desk
from paper_process import has_loopback_range

from tradedesk.domain import events as ev
from tradedesk.domain.accounts import HaltLevel
from tradedesk.domain.commands import HaltTrading, Rearm
from tradedesk.domain.orders import OrderState
from tradedesk.domain.words import Side

pytestmark = pytest.mark.skipif(not has_loopback_range(), reason="needs loopback addresses besides 127.0.0.1")

SECOND = 10**9  # ns
STALL_S = 1


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FaultyDesk]:
    with faulty_desk(Path(tmp_path_factory.mktemp("desk"))) as desk:
        yield desk


@pytest.fixture
def desk(running: FaultyDesk) -> Iterator[FaultyDesk]:
    yield running
    running.paper.end_faults()
    if ACME in running.view.replica.halts:
        running.control.submit(Rearm(account=ACME, reason="the test is over", operator=ME))
    running.until(running.is_well, "the desk is well once the fault has ended")


def placed(desk: FaultyDesk, account: str = "acme") -> list[dict[str, object]]:
    """The orders of the account that the exchange was asked to place, oldest first."""
    return [row for row in desk.paper.requests(path="/api/v3/order", method="POST") if row["account"] == account]


def below(desk: FaultyDesk, share: str = "0.98") -> Decimal:
    return (desk.bid() * Decimal(share)).quantize(Decimal("0.01"))


@pytest.mark.parametrize(
    ("side", "qty", "price", "reduce_only", "says"),
    [
        (Side.Buy, "5", None, False, "for one order"),  # ten times what was meant, at market
        (Side.Buy, "5", "0.99", False, "for one order"),
        (Side.Buy, "0.01", "10", False, "from the market"),  # one digit too many
        (Side.Sell, "0.01", "0.1", False, "from the market"),  # one too few
        (Side.Buy, "0.01", "0.99", True, "reduce"),  # the wrong side: it would add to a long position
    ],
    ids=["size-at-market", "size", "price-above", "price-below", "wrong-side"],
)
def test_F75_a_fat_finger_is_denied_with_its_reason_and_nothing_leaves(
    desk: FaultyDesk, side: Side, qty: str, price: str | None, reduce_only: bool, says: str
) -> None:
    """5.4"""
    before = len(placed(desk))
    at = None if price is None else below(desk, price)
    denied = desk.denials(desk.place(side, qty, at, reduce_only=reduce_only))
    assert says in denied, denied
    assert len(placed(desk)) == before


def test_F77_a_halt_in_the_middle_of_fifty_orders_ends_with_none_open_and_nothing_sent_after_it(
    desk: FaultyDesk,
) -> None:
    """5.5: those at the exchange, those on the wire, those that wait: cancelled, unknown until asked about, or never sent."""
    resting = [desk.place(Side.Buy, "0.001", below(desk)) for _ in range(10)]
    for key in resting:
        desk.until_order(key, OrderState.New)
    stalled = desk.paper.fault("stall", seconds=STALL_S, account="acme", method="place")
    flying = [desk.place(Side.Buy, "0.001", below(desk)) for _ in range(10)]
    desk.until(lambda: desk.paper.struck(stalled) == 10, "ten are at the exchange, which takes its time")
    waiting = [desk.place(Side.Buy, "0.001", below(desk)) for _ in range(30)]  # in mailbox, journal, budget and socket
    keys = [*resting, *flying, *waiting]
    desk.control.submit(HaltTrading(account=ACME, level=HaltLevel.CancelAll, reason="fire", operator=ME))
    desk.until(lambda: desk.desk.latch.read(ACME), "it latches")
    latched = desk.clock.now()
    desk.until(lambda: any(swept.account == ACME for swept in desk.since(0, ev.HaltSwept)), "the receipt of the halt")
    (receipt,) = [swept for swept in desk.since(0, ev.HaltSwept) if swept.account == ACME]
    assert receipt.left == 0
    assert receipt.cancelled >= 20
    desk.until(lambda: all(desk.order(key) and desk.order(key).is_dead for key in keys), "every one has an end")  # type: ignore[union-attr]
    came = {row["client_order_id"]: int(str(row["time"])) - STALL_S * SECOND for row in placed(desk)}
    assert [key for key in keys if key in came and came[key] > latched + SECOND // 10] == []  # a tenth: on its way
    assert {key for key in keys if desk.is_order(key, OrderState.Canceled)} == came.keys() & set(keys)
    assert all(desk.is_order(key, OrderState.Denied) for key in set(keys) - came.keys())
    open_there = [row for row in desk.paper.books("acme")["orders"] if row["status"] in ("NEW", "PARTIALLY_FILLED")]
    assert open_there == []
    ids = [row["client_order_id"] for row in placed(desk)]
    assert len(ids) == len(set(ids))  # 5.2
    assert desk.denials(desk.place(Side.Buy, "0.001", below(desk)))
    key = desk.place(Side.Buy, "0.001", below(desk), account=BIRCH)  # 5.8
    desk.until_order(key, OrderState.New)
    desk.cancel(key, BIRCH)
    desk.control.submit(Rearm(account=ACME, reason="fire is out", operator=ME))
    desk.until(lambda: ACME not in desk.view.replica.halts, "a person with the role re-arms it")
    desk.paper.end_faults()
    key = desk.place(Side.Buy, "0.001", below(desk))
    desk.until_order(key, OrderState.New)
    desk.cancel(key)


def test_F89_a_reader_that_never_reads_costs_nobody_an_event_of_an_order(desk: FaultyDesk) -> None:
    """5.13: it is cut off or waits at its own bound; who reads misses nothing; orders do not slow down."""
    stalled = [socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) for _ in range(4)]
    for reader in stalled:
        reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        reader.connect(str(desk.desk.home.read_socket))
        reader.sendall(b'{"hello": "monitor.v1"}\n')
    mark = desk.mark()
    keys = []
    for _ in range(30):
        key = desk.place(Side.Buy, "0.001", below(desk))
        desk.until_order(key, OrderState.New)
        desk.cancel(key)
        keys.append(key)
    for key in keys:
        told = [type(event) for event in desk.events[mark:] if getattr(event, "client_order_id", None) == key]
        assert told.count(ev.OrderMoved) >= 2, key  # accepted, canceled
        assert ev.RequestMade in told  # the cancel
    for reader in stalled:
        reader.close()
    assert desk.is_live(BTC)
