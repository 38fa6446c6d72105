"""F01 to F07, F19, F20, F22 on a whole desk: what becomes of an order whose answer is lost, half, late or a lie.

All are played at once, as the longest doubts last as long as an order could still arrive.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import pytest
from faulty_desk import ACME, BIRCH, FaultyDesk, faulty_desk
from paper_process import has_loopback_range

from tradedesk.domain import events as ev
from tradedesk.domain.accounts import AccountState
from tradedesk.domain.commands import CancelOrder
from tradedesk.domain.orders import Order, OrderState, OrdStatus, RequestKind, RequestState
from tradedesk.domain.orders import state as state_of
from tradedesk.domain.words import AccountId, ClientOrderId, OperatorId, Side

pytestmark = pytest.mark.skipif(not has_loopback_range(), reason="needs loopback addresses besides 127.0.0.1")

RESET: dict[str, Any] = {"end": "reset"}  # noticed at once; without it the adapter waits for its time-out
ARRIVES: dict[str, tuple[str, dict[str, Any]]] = {  # the venue has the order, and nothing proves it at first
    "F02 mute": ("mute", {"seconds": 0.2}),
    "F02 cut": ("cut", {}),
    "F03 torn": ("torn", {}),
    "F04 empty": ("did", {"answer": "", "status": 200}),
    "F05 502": ("did", {"answer": 502}),
    "F05 503": ("did", {"answer": 503}),
    "F19 -1000": ("did", {"answer": -1000}),
    "F19 -1001": ("did", {"answer": -1001}),
    "F19 -1006": ("did", {"answer": -1006}),
    "F19 -1007": ("did", {"answer": -1007}),
    "F19 -1008": ("did", {"answer": -1008}),
    "F20 duplicate": ("did", {"answer": "Duplicate order sent."}),
    "F06 late": ("late", {"seconds": 11}),  # later than the adapter waits
    "F01 stalled": ("stall", {"seconds": 1.5}),
}
ABSENT: dict[str, tuple[str, dict[str, Any]]] = {  # the venue never had it, and nothing proves that at first
    "F01 lost": ("lose", RESET),
    "F05 403": ("say", {"answer": "html"}),
    "F05 500": ("say", {"answer": 500}),
    "F19 -1007": ("say", {"answer": -1007}),
    "a torn refusal": ("say", {"answer": '{"code":-2010,"ms', "status": 400}),
}
REFUSED: dict[str, tuple[str, dict[str, Any]]] = {  # the venue proves that it did not do it
    "F57 -1021": ("say", {"answer": -1021}),
    "-1013": ("say", {"answer": -1013}),
    "insufficient": ("say", {"answer": -2010}),
    "market closed": ("say", {"answer": "Market is closed."}),
    "-1015": ("say", {"answer": -1015}),  # the last: the account sends nothing for a while after it
}


def below(desk: FaultyDesk) -> Decimal:
    """A price at which a buy rests."""
    return (desk.bid() * 99 / 100).quantize(Decimal("0.01"))


def seen(desk: FaultyDesk, method: str, account: AccountId) -> list[dict[str, Any]]:
    """What the exchange saw of it, oldest first."""
    rows = desk.paper.ask("GET", "/requests")["requests"]
    return [row for row in rows if (row["method"], row["account"]) == (method, account)]


@dataclass
class Played:
    """What happened to each order, by the name of its fault."""

    keys: dict[str, ClientOrderId] = field(default_factory=dict)
    states: dict[str, list[OrderState]] = field(default_factory=dict)
    orders: dict[str, Order] = field(default_factory=dict)
    posts: dict[ClientOrderId, int] = field(default_factory=dict)  # how often it was sent, as the exchange saw it
    arrived: set[str] = field(default_factory=set)
    blocked: list[str] = field(default_factory=list)


def play(desk: FaultyDesk) -> Played:
    found, mark = Played(), desk.mark()
    price = below(desk)
    for name, (kind, terms) in {**{f"never: {n}": f for n, f in ABSENT.items()}, **ARRIVES, **REFUSED}.items():
        number = desk.paper.fault(kind, account=ACME, method="place", count=1, **terms)
        found.keys[name] = desk.place(Side.Buy, "0.001", price)
        desk.until(lambda number=number: desk.paper.struck(number) == 1, f"{name} struck")  # type: ignore[misc]
    wanted = set(found.keys.values())
    desk.until(
        lambda: all((order := desk.order(key)) is not None and not order.is_uncertain for key in wanted),
        "every doubt is over",
        60,
    )
    desk.until(
        lambda: all(not desk.is_order(key, OrderState.PendingNew) for key in wanted), "every order has its answer"
    )
    for row in seen(desk, "POST", ACME):
        if row["path"] == "/api/v3/order":
            key = row["client_order_id"]
            found.posts[key] = found.posts.get(key, 0) + 1
    found.arrived = {row["clientOrderId"] for row in desk.paper.books(ACME)["orders"]}
    for name, key in found.keys.items():
        order = desk.order(key)
        assert order is not None
        found.orders[name] = order
        found.states[name] = states_of(desk, mark, key)
    found.blocked = [each.account for each in desk.since(mark, ev.AccountChanged) if each.state is AccountState.Blocked]
    return found


def states_of(desk: FaultyDesk, mark: int, key: ClientOrderId) -> list[OrderState]:
    """Every state the order went through, folded anew from what was published."""
    from tradedesk.views.replica import Replica

    replica, seen = Replica(), []
    for event in desk.events[mark:]:
        replica.apply(event)
        order = replica.orders.get(key)
        if order is not None and (not seen or seen[-1] is not state_of(order)):
            seen.append(state_of(order))
    return seen


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FaultyDesk]:
    with faulty_desk(tmp_path_factory.mktemp("home")) as found:
        yield found


@pytest.fixture(scope="module")
def played(desk: FaultyDesk) -> Played:
    return play(desk)


def test_F01_nothing_is_ever_sent_twice(played: Played) -> None:
    """5.2: whatever was lost"""
    assert {key: played.posts.get(key) for key in played.keys.values()} == dict.fromkeys(played.keys.values(), 1)
    assert played.blocked == []


@pytest.mark.parametrize("name", ARRIVES)
def test_F02_F03_F04_F05_F06_F19_F20_an_order_that_arrived_is_adopted_and_was_never_called_rejected(
    played: Played, name: str
) -> None:
    """F02 to F06, F19, F20"""
    order = played.orders[name]
    assert order.ord_status is OrdStatus.New
    assert order.requests[0].state is RequestState.Acknowledged
    assert played.keys[name] in played.arrived
    assert not {OrderState.Rejected, OrderState.NeverArrived, OrderState.Denied}.intersection(played.states[name])


@pytest.mark.parametrize("name", ABSENT)
def test_F01_F05_F19_an_order_that_never_arrived_is_unknown_until_nothing_can_arrive_any_more(
    played: Played, name: str
) -> None:
    """F01, F05"""
    order = played.orders[f"never: {name}"]
    assert list(dict.fromkeys(played.states[f"never: {name}"])) == [
        OrderState.PendingNew,
        OrderState.Unknown,
        OrderState.NeverArrived,
    ]
    assert order.requests[0].state is RequestState.NeverArrived
    assert order.updated_at - order.placed_at > 14 * 10**9  # receive window, the venue's time-out, lag of its queries
    assert played.keys[f"never: {name}"] not in played.arrived


@pytest.mark.parametrize("name", REFUSED)
def test_a_proof_of_refusal_is_believed_at_once(played: Played, name: str) -> None:
    order = played.orders[name]
    assert played.states[name] == [OrderState.PendingNew, OrderState.Rejected]
    assert order.requests[0].state is RequestState.Refused
    assert played.keys[name] not in played.arrived


# ---- cancels --------------------------------------------------------------------------------------------------------


def resting(desk: FaultyDesk, account: AccountId = BIRCH) -> ClientOrderId:
    price = below(desk)
    key = desk.place(Side.Buy, "0.001", price, account=account)
    desk.until_order(key, OrderState.New)
    return key


def cancels_seen(desk: FaultyDesk, key: ClientOrderId) -> int:
    return sum(row["client_order_id"] == key for row in seen(desk, "DELETE", BIRCH))


def cancel(desk: FaultyDesk, key: ClientOrderId) -> None:
    desk.control.submit(CancelOrder(account=BIRCH, client_order_id=key, operator=OperatorId("")))


@pytest.mark.parametrize(
    ("kind", "terms"),
    [("cut", {}), ("torn", {}), ("mute", {"seconds": 0.2}), ("did", {"answer": -1006}), ("thin", {})],
)
def test_F07_a_cancel_that_was_done_and_not_answered_is_sent_once_and_found_out(
    desk: FaultyDesk, kind: str, terms: dict[str, Any]
) -> None:
    """F07: aiohttp would send a DELETE again on a connection that was cut"""
    key = resting(desk)
    desk.paper.fault(kind, account=BIRCH, method="cancel", count=1, **terms)
    cancel(desk, key)
    order = desk.until_order(key, OrderState.Canceled)
    assert cancels_seen(desk, key) == 1
    desk.until(
        lambda: desk.order(key).requests[-1].state is RequestState.Acknowledged,  # type: ignore[union-attr]
        "the cancel is known to be done",
    )
    assert order.requests[-1].kind is RequestKind.Cancel


def test_F45_a_lost_cancel_is_asked_about_and_sent_again(desk: FaultyDesk) -> None:
    key = resting(desk)
    lost = desk.paper.fault("lose", account=BIRCH, method="cancel", count=1, **RESET)
    cancel(desk, key)
    desk.until(lambda: desk.paper.struck(lost) == 1, "the cancel was lost")
    desk.until_order(key, OrderState.Canceled)
    assert cancels_seen(desk, key) >= 2
    assert key not in {row["clientOrderId"] for row in desk.paper.books(BIRCH)["orders"] if row["status"] == "NEW"}


def test_F39_unknown_order_on_a_cancel_is_asked_about(desk: FaultyDesk) -> None:
    """F07: it proves nothing about how the order ended"""
    key = resting(desk)
    desk.paper.fault("say", account=BIRCH, method="cancel", count=1, answer=-2011)
    cancel(desk, key)
    desk.until_order(key, OrderState.Canceled)  # it was open all the while, so the cancel went again
    assert cancels_seen(desk, key) == 2


def test_F22_a_query_that_runs_behind_concludes_nothing(desk: FaultyDesk) -> None:
    desk.paper.fault("stale", account=BIRCH, method="query", seconds=3, for_=4)
    desk.paper.fault("cut", account=BIRCH, method="place", count=1)
    price = below(desk)
    desk.paper.fault("drop", account=BIRCH, event="executionReport", count=1)  # the stream says nothing either
    mark = desk.mark()
    key = desk.place(Side.Buy, "0.001", price, account=BIRCH)
    desk.until_order(key, OrderState.New)
    assert OrderState.NeverArrived not in states_of(desk, mark, key)
    desk.paper.end_faults()
