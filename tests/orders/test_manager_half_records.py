"""One decision makes several records, and a crash may keep only the first of them: what follows from it follows (5.1)."""

import pytest
from order_builders import Rig, a_fill, a_place, a_report, a_trade, absent, an_ack, an_amend, refused

from tradedesk.domain import events as ev
from tradedesk.domain.orders import OrderState, OrdStatus, RequestKind, RequestState
from tradedesk.domain.outcomes import NotSent, QueryAnswer
from tradedesk.domain.words import ClientOrderId, RequestId


def cut(rig: Rig, kept: type[ev.EventBase], *, client_order_id: str = "c1") -> Rig:
    """The account after a crash that took everything recorded after the last `kept` about the order."""
    last = max(
        number
        for number, event in enumerate(rig._durable)
        if isinstance(event, kept) and client_order_id in (getattr(event, "client_order_id", None), _filled(event))
    )
    return Rig(rig._durable[: last + 1], now=rig.now + 10**9)


def _filled(event: ev.Event) -> str | None:
    return event.fill.client_order_id if isinstance(event, ev.OrderFilled) else None


def nothing(client_order_id: str) -> QueryAnswer:
    return absent(client_order_id)


@pytest.mark.parametrize(
    ("answer", "state"),
    [
        (NotSent(request_id=RequestId("c1"), reason="its deadline passed"), OrderState.Denied),
        (refused("c1"), OrderState.Rejected),
        (an_ack("c1"), OrderState.New),
    ],
)
def test_an_order_whose_birth_alone_was_recorded_is_what_its_birth_made_of_it(answer, state):
    rig = Rig()
    rig.tell(a_place("c1"), answer)
    assert cut(rig, ev.RequestDecided).state() is state


def test_an_order_held_to_have_never_arrived_does_not_hang_for_ever():
    rig = Rig()
    rig.tell(a_place("c1"))
    again = rig.restarted()
    again.listen(60, nothing)
    assert again.state() is OrderState.NeverArrived
    assert cut(again, ev.RequestDecided).state() is OrderState.NeverArrived


@pytest.mark.parametrize("status", [OrdStatus.Rejected, OrdStatus.Expired, OrdStatus.Canceled])
def test_an_order_that_ended_at_once_is_never_open_after_a_crash_that_kept_the_first_record_alone(status):
    """Seed 600344: the venue told of a rejected order on the stream, and a power cut kept that it had answered at all."""
    rig = Rig()
    rig.tell(a_place("c1"))
    before = len(rig._durable)
    rig.tell(a_report("c1", status))
    for kept in range(before, len(rig._durable) + 1):
        again = Rig(rig._durable[:kept], now=rig.now + 10**9)
        assert again.manager.books.orders[ClientOrderId("c1")].ord_status in (OrdStatus.PendingNew, status), kept


def test_a_fill_alone_proves_the_birth_of_its_order():
    rig = Rig()
    rig.tell(a_place("c1", qty="1"), a_trade(a_fill(qty="1"), cum="1"))
    again = cut(rig, ev.OrderFilled)
    assert again.state() is OrderState.Filled
    assert again.requests() == [RequestState.Acknowledged]


def test_a_replace_stands_or_falls_with_its_new_order_though_only_the_new_one_was_recorded():
    rig = Rig()
    rig.place("c1")
    rig.tell(an_amend("c1", "c2"), refused("c2"))
    again = cut(rig, ev.RequestDecided, client_order_id="c2")
    assert again.state("c2") is OrderState.Rejected
    assert again.requests("c1", RequestKind.Replace) == [RequestState.Refused]


def test_whatever_the_crash_kept_nothing_stays_pending():
    """Every cut through the records of a short life, with a venue that never had the orders."""
    rig = Rig()
    rig.place("c1")
    rig.tell(an_amend("c1", "c2"), refused("c2"), a_place("c3"), NotSent(request_id=RequestId("c3"), reason="late"))
    for kept in range(len(rig._durable) + 1):
        if not any(isinstance(event, ev.AccountOpened) for event in rig._durable[:kept]):
            continue
        again = Rig(rig._durable[:kept], now=rig.now + 10**9)
        again.listen(60, nothing)
        for order in again.manager.books.orders.values():
            if order.client_order_id != ClientOrderId("c1"):
                assert order.is_dead, (kept, order)
            assert all(request.state not in (RequestState.Pending, RequestState.Unknown) for request in order.requests)
