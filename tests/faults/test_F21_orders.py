"""F14 to F48 on a whole desk, as far as a socket matters: streams that lie, amends, foreign hands, one account of three."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from faulty_desk import ACME, BIRCH, BTC, FaultyDesk, by_hand, faulty_desk
from order_builders import a_place
from paper_process import has_loopback_range

from tradedesk.domain import events as ev
from tradedesk.domain.accounts import AccountState
from tradedesk.domain.commands import AmendOrder, CancelAll, CancelOrder, Reconcile, Submitted
from tradedesk.domain.orders import AmendBy, Order, OrderState, OrdStatus, RequestState
from tradedesk.domain.words import AccountId, ClientOrderId, OperatorId, Side

pytestmark = pytest.mark.skipif(not has_loopback_range(), reason="needs loopback addresses besides 127.0.0.1")
CEDAR = AccountId("cedar")
ME = OperatorId("")
QTY = "0.01"


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FaultyDesk]:
    with faulty_desk(tmp_path_factory.mktemp("home")) as found:
        yield found


@pytest.fixture
def desk(shared: FaultyDesk) -> Iterator[FaultyDesk]:
    """The desk with nothing open and no fault in force; well again after each test."""
    yield shared
    shared.paper.end_faults()
    left = [order for order in shared.view.replica.orders.values() if not order.is_dead and not order.is_external]
    for order in left:
        shared.cancel(order.client_order_id, order.account)


def below(desk: FaultyDesk, percent: int = 1) -> Decimal:
    return (desk.bid() * (100 - percent) / 100).quantize(Decimal("0.01"))


def resting(desk: FaultyDesk, account: AccountId = ACME, qty: str = QTY) -> ClientOrderId:
    key = desk.place(Side.Buy, qty, below(desk), account=account)
    desk.until_order(key, OrderState.New)
    return key


def amend(desk: FaultyDesk, key: ClientOrderId, qty: str, price: Decimal | None = None) -> ClientOrderId:
    order = now(desk, key)
    new = ClientOrderId(f"{key}-n{len(order.requests)}")
    command = AmendOrder(
        account=order.account,
        client_order_id=key,
        new_client_order_id=new,
        order_qty=Decimal(qty),
        price=price or order.price or Decimal(0),
        operator=ME,
        deadline=desk.clock.now() + 10 * 10**9,
    )
    assert isinstance(desk.control.submit(command), Submitted)
    return new


def now(desk: FaultyDesk, key: ClientOrderId) -> Order:
    order = desk.order(key)
    assert order is not None
    return order


def amend_state(desk: FaultyDesk, key: ClientOrderId) -> RequestState | None:
    asked = [request.state for request in now(desk, key).requests if request.by is not None]
    return asked[-1] if asked else None


def position(desk: FaultyDesk, account: AccountId = ACME) -> Decimal:
    return desk.view.replica.positions[account, BTC].qty


def foreign_fill(desk: FaultyDesk, key: ClientOrderId, qty: str, account: AccountId = ACME) -> None:
    """Somebody trades with our resting order."""
    venue_order_id = now(desk, key).venue_order_id
    assert venue_order_id is not None
    desk.paper.fault(
        "ext", what="fill", account=account, instrument="BTCUSDT", order_id=int(venue_order_id), quantity=qty
    )


def look(desk: FaultyDesk, account: AccountId = ACME) -> None:
    mark = desk.mark()
    desk.control.submit(Reconcile(account=account, operator=ME))
    desk.until(lambda: any(each.account == account for each in desk.since(mark, ev.Reconciled)), "it was compared")


def alerts(desk: FaultyDesk, mark: int) -> list[str]:
    return [each.alert.rule for each in desk.since(mark, ev.AlertRaised)]


# ---- amends ---------------------------------------------------------------------------------------------------------


def test_F24_an_amend_in_place_keeps_the_order_its_ids_and_its_place(desk: FaultyDesk) -> None:
    key = resting(desk)
    before = now(desk, key).venue_order_id
    amend(desk, key, "0.004")
    desk.until(lambda: amend_state(desk, key) is RequestState.Acknowledged, "it is amended")
    order = now(desk, key)
    assert (order.ord_status, order.order_qty, order.venue_order_id) == (OrdStatus.New, Decimal("0.004"), before)
    held = next(row for row in desk.paper.books(ACME)["orders"] if row["clientOrderId"] == key)
    assert (Decimal(held["origQty"]), str(held["orderId"])) == (Decimal("0.004"), before)


@pytest.mark.parametrize("kind", ["mute", "cut", "torn", "thin"])
def test_F24_an_amend_whose_answer_is_lost_is_adopted_and_not_sent_again(desk: FaultyDesk, kind: str) -> None:
    key = resting(desk)
    terms = {"seconds": 0.2} if kind == "mute" else {}
    desk.paper.fault(kind, account=ACME, method="amend", count=1, **terms)
    amend(desk, key, "0.004")
    desk.until(lambda: amend_state(desk, key) is RequestState.Acknowledged, "it is known to be amended")
    assert now(desk, key).order_qty == Decimal("0.004")
    puts = [row for row in desk.paper.ask("GET", "/requests")["requests"] if row["method"] == "PUT"]
    assert sum(row["client_order_id"] == key for row in puts) == 1


def test_F24_an_amend_that_is_lost_leaves_the_order_as_it_was(desk: FaultyDesk) -> None:
    key = resting(desk)
    desk.paper.fault("lose", account=ACME, method="amend", count=1, end="reset")
    amend(desk, key, "0.004")
    desk.until(lambda: amend_state(desk, key) is RequestState.Unknown, "it is in doubt")
    desk.until(lambda: amend_state(desk, key) is RequestState.NeverArrived, "it cannot arrive any more")
    assert (now(desk, key).ord_status, now(desk, key).order_qty) == (OrdStatus.New, Decimal(QTY))


def test_F24_an_order_that_was_amended_by_hand_is_followed_under_its_new_name_and_cancelled(desk: FaultyDesk) -> None:
    mark, key = desk.mark(), resting(desk)
    by_hand(desk, "PUT", "/api/v3/order/amend/keepPriority", symbol="BTCUSDT", origClientOrderId=key, newQty="0.003")
    desk.until(lambda: now(desk, key).known_as is not None, "it is seen under its new name")
    assert now(desk, key).order_qty == Decimal("0.003")
    assert {"renamed", "amended-elsewhere"} <= set(alerts(desk, mark))
    desk.cancel(key)
    assert now(desk, key).ord_status is OrdStatus.Canceled
    assert AccountState.Blocked not in [each.state for each in desk.since(mark, ev.AccountChanged)]


def test_F46_a_fill_while_an_amend_is_on_its_way_is_as_the_venue_tells(desk: FaultyDesk) -> None:
    key, held = resting(desk), position(desk)
    stalled = desk.paper.fault("stall", account=ACME, method="amend", count=1, seconds=1)
    amend(desk, key, "0.005")
    desk.until(lambda: desk.paper.struck(stalled) == 1, "the amend is on its way")
    foreign_fill(desk, key, "0.006")
    desk.until(lambda: amend_state(desk, key) is RequestState.Refused, "the venue refuses less than what traded")
    order = now(desk, key)
    assert (order.ord_status, order.cum_qty, order.order_qty) == (
        OrdStatus.PartiallyFilled,
        Decimal("0.006"),
        Decimal(QTY),
    )
    desk.until(lambda: Decimal("0.0059") < position(desk) - held <= Decimal("0.006"), "the position counts it")


def test_F46_the_amend_of_a_part_filled_order_never_trades_more_than_was_asked(desk: FaultyDesk) -> None:
    key = resting(desk)
    foreign_fill(desk, key, "0.002")
    desk.until(lambda: now(desk, key).cum_qty == Decimal("0.002"), "it traded in part")
    stalled = desk.paper.fault("stall", account=ACME, method="cancel", count=1, seconds=1)
    new = amend(desk, key, "0.012", below(desk, 2))
    desk.until(lambda: desk.paper.struck(stalled) == 1, "its cancel is on its way")
    foreign_fill(desk, key, "0.003")
    desk.until_order(new, OrderState.New)
    assert now(desk, key).ord_status is OrdStatus.Canceled
    assert now(desk, key).requests[-2].by is AmendBy.CancelThenPlace
    assert now(desk, key).cum_qty + now(desk, new).order_qty == Decimal("0.012")


@pytest.mark.parametrize(
    ("kind", "terms", "old", "new"),
    [
        ("cut", {}, OrderState.Canceled, OrderState.New),
        ("torn", {}, OrderState.Canceled, OrderState.New),
        ("say", {"answer": -2010}, OrderState.New, OrderState.Rejected),
    ],
)
def test_F23_of_a_cancel_and_replace_both_legs_are_told(
    desk: FaultyDesk, kind: str, terms: dict[str, Any], old: OrderState, new: OrderState
) -> None:
    key = resting(desk)
    desk.paper.fault(kind, account=ACME, method="replace", count=1, **terms)
    other = amend(desk, key, "0.012")
    desk.until_order(other, new)
    desk.until_order(key, old)
    desk.until(lambda: not now(desk, key).is_uncertain, "nothing is in doubt")


# ---- streams that lie -----------------------------------------------------------------------------------------------


def test_F14_a_fill_that_the_stream_left_out_is_found_by_a_look(desk: FaultyDesk) -> None:
    key, held = resting(desk), position(desk)
    desk.paper.fault("drop", account=ACME, event="executionReport", count=1)
    foreign_fill(desk, key, "0.004")
    look(desk)
    desk.until(lambda: now(desk, key).cum_qty == Decimal("0.004"), "the fill was found")
    desk.until(lambda: position(desk) > held, "the position counts it")


def test_F15_a_fill_while_the_stream_is_down_is_found_when_it_is_back(desk: FaultyDesk) -> None:
    key, mark = resting(desk), desk.mark()
    desk.paper.fault("refuse", for_=1)
    desk.paper.fault("disconnect", account=ACME)
    foreign_fill(desk, key, "0.004")
    desk.until(lambda: now(desk, key).cum_qty == Decimal("0.004"), "the fill was found")
    desk.until(
        lambda: AccountState.Ready in [e.state for e in desk.since(mark, ev.AccountChanged) if e.account == ACME],
        "it is ready again",
    )


def test_F36_F37_F38_fills_that_come_twice_and_in_the_wrong_order_count_once(desk: FaultyDesk) -> None:
    desk.paper.fault("dup", account=ACME, event="executionReport*")
    desk.paper.fault("swap", account=ACME, event="executionReport*", chance=0.5)
    key, held = resting(desk), position(desk)
    for _ in range(4):
        foreign_fill(desk, key, "0.001")
    desk.until(lambda: now(desk, key).cum_qty == Decimal("0.004"), "all four are counted")
    look(desk)
    assert now(desk, key).cum_qty == Decimal("0.004")
    bought = position(desk) - held
    assert Decimal("0.0039") < bought <= Decimal("0.004")


def test_F40_a_fill_that_is_told_after_the_cancel_counts_once(desk: FaultyDesk) -> None:
    key, held = resting(desk), position(desk)
    desk.paper.fault("hold", account=ACME, event="executionReport.TRADE", count=1, seconds=2)
    foreign_fill(desk, key, "0.004")
    desk.control.submit(CancelOrder(account=ACME, client_order_id=key, operator=ME))
    desk.until_order(key, OrderState.Canceled)
    desk.until(lambda: now(desk, key).cum_qty == Decimal("0.004"), "the fill counts")
    bought = position(desk) - held
    look(desk)
    assert (now(desk, key).cum_qty, position(desk) - held) == (Decimal("0.004"), bought)


def test_F31_an_order_that_the_venue_cancels_is_folded(desk: FaultyDesk) -> None:
    key = resting(desk)
    order_id = now(desk, key).venue_order_id
    assert order_id is not None
    desk.paper.fault("ext", what="cancel", account=ACME, instrument="BTCUSDT", order_id=int(order_id))
    desk.until_order(key, OrderState.Canceled)


# ---- foreign hands --------------------------------------------------------------------------------------------------


def test_F42_a_foreign_order_is_shown_counted_and_left_alone(desk: FaultyDesk) -> None:
    desk.paper.fault(
        "ext", what="order", account=ACME, instrument="BTCUSDT", side="BUY", quantity="0.01",
        price=str(below(desk, 2)), client_order_id="their-own",
    )  # fmt: skip
    theirs = ClientOrderId("their-own")
    desk.until(lambda: desk.order(theirs) is not None, "it is shown")
    assert now(desk, theirs).is_external
    desk.control.submit(CancelAll(account=ACME, operator=ME))
    look(desk)
    assert now(desk, theirs).ord_status is OrdStatus.New
    assert by_hand(desk, "DELETE", "/api/v3/order", symbol="BTCUSDT", origClientOrderId="their-own")
    desk.until_order(theirs, OrderState.Canceled)


def test_F47_a_foreign_stop_is_shown_and_counted_once(desk: FaultyDesk) -> None:
    """On Binance spot a stop becomes the order that it triggers, under one id: one order here, before and after."""
    stop = (desk.ask() * 102 / 100).quantize(Decimal("0.01"))
    by_hand(
        desk, "POST", "/api/v3/order", symbol="BTCUSDT", side="BUY", type="STOP_LOSS_LIMIT", timeInForce="GTC",
        quantity="0.01", price=str(stop), stopPrice=str(stop), newClientOrderId="their-stop",
    )  # fmt: skip
    theirs = ClientOrderId("their-stop")
    desk.until(lambda: desk.order(theirs) is not None, "it is shown")
    assert (now(desk, theirs).is_external, now(desk, theirs).leaves_qty) == (True, Decimal("0.01"))
    assert by_hand(desk, "DELETE", "/api/v3/order", symbol="BTCUSDT", origClientOrderId="their-stop")
    desk.until_order(theirs, OrderState.Canceled)


# ---- cancels of everything ------------------------------------------------------------------------------------------


def test_F44_a_cancel_of_everything_waits_for_what_is_still_on_its_way(desk: FaultyDesk) -> None:
    rests = resting(desk)
    stalled = desk.paper.fault("stall", account=ACME, method="place", count=1, seconds=1.5)
    flying = desk.place(Side.Buy, QTY, below(desk))
    desk.until(lambda: desk.paper.struck(stalled) == 1, "an order is on its way")
    mark = desk.mark()
    assert isinstance(desk.control.submit(CancelAll(account=ACME, operator=ME)), Submitted)
    desk.until(lambda: desk.since(mark, ev.CancelSwept), "the receipt")
    (receipt,) = desk.since(mark, ev.CancelSwept)
    assert (receipt.cancelled, receipt.ended, receipt.left) == (2, 0, 0)
    assert {now(desk, key).ord_status for key in (rests, flying)} == {OrdStatus.Canceled}
    assert [row for row in desk.paper.books(ACME)["orders"] if row["status"] == "NEW"] == []


def test_F48_one_account_in_doubt_leaves_the_others_as_they_are(desk: FaultyDesk) -> None:
    muted = desk.paper.fault("mute", account=BIRCH, method="place", count=1, seconds=5)
    keys = {name: desk.place(Side.Buy, QTY, below(desk), account=name) for name in (ACME, BIRCH, CEDAR)}
    for name in (ACME, CEDAR):
        desk.until_order(keys[name], OrderState.New)
    desk.until(lambda: desk.paper.struck(muted) == 1, "birch got no answer")
    desk.until_order(keys[BIRCH], OrderState.New)  # told by the stream, though nothing answered


# ---- ids --------------------------------------------------------------------------------------------------------------


def test_F21_an_id_that_was_used_is_never_used_again(desk: FaultyDesk) -> None:
    """The venue would take it, once the first order is done."""
    key = resting(desk)
    desk.cancel(key)
    mark = desk.mark()
    command = a_place(key, qty=QTY, price=str(below(desk)), deadline=desk.clock.now() + 10**10)
    assert isinstance(desk.control.submit(command), Submitted)
    desk.until(lambda: desk.since(mark, ev.SubmissionRefused), "it is refused")
    assert "used before" in desk.since(mark, ev.SubmissionRefused)[0].reason
