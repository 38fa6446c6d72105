"""The order table: every pair thought of, and late, doubled and reordered news leave an order where it belongs."""

from decimal import Decimal
from itertools import permutations, product

import pytest
from builders import NOW, a_fill, a_request, an_order
from hypothesis import given
from hypothesis import strategies as st

from tradedesk.domain import orders
from tradedesk.domain.orders import (
    ABSENT,
    ABSENT_REQUEST,
    ALARMING,
    DEAD,
    NEXT,
    NEXT_REQUEST,
    Happening,
    OrderState,
    OrdStatus,
    RequestKind,
    RequestState,
    decided,
    filled,
    is_alarming,
    is_expected,
    moved,
    request_of,
    state,
    with_request,
)
from tradedesk.domain.words import ClientOrderId, RequestId, VenueOrderId

S, H, R = OrdStatus, Happening, RequestState


def test_the_table_and_the_written_list_of_what_it_leaves_out_are_together_complete_and_share_nothing():
    """DESIGN 6: a new status or happening cannot slip in half thought out."""
    assert NEXT.keys() | ABSENT.keys() == set(product(S, H))
    assert not NEXT.keys() & ABSENT.keys()
    assert all(ABSENT.values())


def test_so_are_those_of_requests():
    legal = {(before, after) for before, all_of_it in NEXT_REQUEST.items() for after in all_of_it}
    assert legal | ABSENT_REQUEST.keys() == set(product(R, R))
    assert not legal & ABSENT_REQUEST.keys()
    assert all(ABSENT_REQUEST.values())


@pytest.mark.parametrize(("status", "what"), list(ABSENT))
def test_unexpected_news_keeps_the_status_and_is_no_exception(status, what):
    order = an_order(status)
    assert not is_expected(order, what)
    assert moved(order, what, at=NOW).ord_status is status


def test_nothing_dead_comes_to_life_but_an_order_whose_absence_was_a_wrong_conclusion():
    revived = {pair for pair, after in NEXT.items() if pair[0] in DEAD and after not in DEAD}
    assert revived == {(S.NeverArrived, H.Accepted), (S.NeverArrived, H.TradedPart)}
    assert revived <= ALARMING


def test_every_alarming_pair_is_a_legal_one():
    assert NEXT.keys() >= ALARMING
    assert is_alarming(an_order(S.Canceled), H.TradedPart)
    assert not is_alarming(an_order(S.New), H.TradedPart)


def test_only_our_own_gate_denies_and_only_what_was_never_seen():
    assert [pair for pair, after in NEXT.items() if after is S.Denied] == [(S.PendingNew, H.Denied)]
    assert {pair[0] for pair, after in NEXT.items() if after is S.NeverArrived} == {S.PendingNew, S.NeverArrived}


def test_a_fill_may_arrive_before_the_ack():
    """F36"""
    after = filled(an_order(qty="2"), a_fill("2"), at=NOW)
    assert (after.ord_status, after.cum_qty, after.leaves_qty) == (S.Filled, Decimal(2), Decimal(0))
    assert moved(after, H.Accepted, at=NOW, venue_order_id=VenueOrderId("v1")).ord_status is S.Filled


def test_F40_a_late_fill_counts_and_leaves_a_dead_order_dead():
    after = filled(an_order(S.Canceled, qty="2"), a_fill("0.5", "100"), at=NOW)
    assert (after.ord_status, after.cum_qty, after.avg_px) == (S.Canceled, Decimal("0.5"), Decimal(100))
    assert after.leaves_qty == 0


def test_the_same_news_twice_says_nothing_new():
    for (status, what), after in NEXT.items():
        if status is S.PendingNew and what is not H.ProvedAbsent and what is not H.Denied:
            again = NEXT.get((after, what), after)
            assert again is after, (status, what)


def test_a_reason_is_kept_once():
    once = moved(an_order(S.New), H.Expired, at=NOW, reason="immediate or cancel")
    assert moved(once, H.Expired, at=NOW, reason="immediate or cancel").reasons == ("immediate or cancel",)


FATES = [  # what a venue may tell of one order in its true order, and where that must end however it is shuffled
    ([H.Accepted, H.Canceled], S.Canceled),
    ([H.Accepted, H.Expired], S.Expired),
    ([H.Accepted, H.Rejected], S.Rejected),
    ([H.Rejected], S.Rejected),
    ([H.Accepted, H.TradedPart, H.Canceled], S.Canceled),
    ([H.Accepted, H.TradedPart, H.Expired], S.Expired),
    ([H.Accepted, H.TradedPart, H.TradedAll], S.Filled),
]


@pytest.mark.parametrize(("told", "end"), FATES)
def test_late_doubled_and_reordered_news_end_where_the_truth_does(told, end):
    for shuffled in set(permutations(told + told[:2])):
        order = an_order(qty="2")
        applied = set()
        for what in shuffled:
            if what in (H.TradedPart, H.TradedAll):
                if what in applied:
                    continue  # a fill is applied once (5.3)
                applied.add(what)
                order = filled(order, a_fill("1", trade_id=what), at=NOW)
            else:
                order = moved(order, what, at=NOW)
        assert order.ord_status is end, shuffled
        assert order.cum_qty == sum(1 for what in set(told) if what in (H.TradedPart, H.TradedAll))


@given(st.lists(st.sampled_from(H), max_size=30))
def test_no_sequence_of_news_raises_or_leaves_the_table(told):
    order = an_order(qty="2")
    for what in told:
        before = order.ord_status
        order = moved(order, what, at=NOW)
        assert order.ord_status is NEXT.get((before, what), before)
        assert (order.leaves_qty == 0) == order.is_dead


@given(st.lists(st.integers(1, 5), max_size=8))
def test_the_average_price_is_that_of_all_fills(sizes):
    order = an_order(S.New, qty="100")
    for number, size in enumerate(sizes):
        order = filled(order, a_fill(str(size), str(100 + number), trade_id=str(number)), at=NOW)
    total = sum(sizes)
    assert order.cum_qty == total
    expected = sum(size * (100 + number) for number, size in enumerate(sizes))
    assert order.avg_px == (Decimal(expected) / total if total else None)


# ---- requests --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("before", "after"), list(product(R, R)))
def test_a_request_moves_only_where_its_table_lets_it(before, after):
    order = an_order(S.New, requests=(a_request(RequestKind.Cancel, before),))
    result = decided(order, RequestId("r1"), after, at=NOW, reasons=("why",))
    request = request_of(result, RequestId("r1"))
    assert request is not None
    if after in NEXT_REQUEST[before]:
        assert (request.state, request.reasons) == (after, ("why",))
    else:
        assert (request.state, request.reasons) == (before, ())


def test_what_is_proved_of_a_request_is_never_doubted_again():
    for final in (R.Acknowledged, R.Denied):
        assert NEXT_REQUEST[final] == frozenset()
    assert all(R.Unknown not in after for before, after in NEXT_REQUEST.items() if before is not R.Pending)
    assert all(R.Pending not in after for after in NEXT_REQUEST.values())
    assert NEXT_REQUEST.keys() == set(R)


@given(st.lists(st.sampled_from(R), max_size=10))
def test_news_of_a_request_in_any_order_never_undoes_an_acknowledgement(told):
    order = an_order(S.New, requests=(a_request(),))
    seen_ack = False
    for news in told:
        order = decided(order, RequestId("r1"), news, at=NOW)
        (request,) = order.requests
        seen_ack = seen_ack or request.state is R.Acknowledged
        assert not seen_ack or request.state is R.Acknowledged


def test_news_of_one_request_leaves_the_others_alone():
    order = with_request(an_order(requests=(a_request(),)), a_request(RequestKind.Cancel, request_id="r2"), at=NOW)
    after = decided(order, RequestId("r2"), R.Unknown, at=NOW)
    assert [request.state for request in after.requests] == [R.Pending, R.Unknown]
    assert after.is_uncertain
    assert decided(order, RequestId("other"), R.Refused, at=NOW).requests == order.requests


def test_a_replace_names_the_order_that_takes_the_place():
    request = orders.Request(
        request_id=RequestId("r2"),
        kind=RequestKind.Replace,
        operator=an_order().operator,
        made_at=NOW,
        replaced_by=ClientOrderId("c2"),
    )
    assert with_request(an_order(S.New), request, at=NOW).replaced_by == "c2"


# ---- the one word for it ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "kind", "request_state", "shown"),
    [
        (S.PendingNew, RequestKind.New, R.Pending, OrderState.PendingNew),
        (S.PendingNew, RequestKind.New, R.Unknown, OrderState.Unknown),  # 5.2
        (S.New, RequestKind.New, R.Unknown, OrderState.New),  # the venue shows it: its birth is no question any more
        (S.New, RequestKind.New, R.Acknowledged, OrderState.New),
        (S.New, RequestKind.Cancel, R.Pending, OrderState.PendingCancel),
        (S.New, RequestKind.Cancel, R.Unknown, OrderState.PendingCancel),
        (S.New, RequestKind.Cancel, R.Refused, OrderState.New),
        (S.PartiallyFilled, RequestKind.Cancel, R.Pending, OrderState.PendingCancel),  # FIX: outranks a part fill
        (S.PartiallyFilled, RequestKind.Replace, R.Unknown, OrderState.PendingReplace),
        (S.PartiallyFilled, RequestKind.Replace, R.Acknowledged, OrderState.PartiallyFilled),
        (S.Filled, RequestKind.Cancel, R.Unknown, OrderState.Filled),
        (S.NeverArrived, RequestKind.New, R.NeverArrived, OrderState.NeverArrived),
        (S.Denied, RequestKind.New, R.Denied, OrderState.Denied),
    ],
)
def test_what_an_order_is_called(status, kind, request_state, shown):
    assert state(an_order(status, requests=(a_request(kind, request_state),))) is shown


def test_a_pending_cancel_outranks_a_pending_replace():
    requests = (a_request(RequestKind.Replace, request_id="r1"), a_request(RequestKind.Cancel, request_id="r2"))
    assert state(an_order(S.New, requests=requests)) is OrderState.PendingCancel


@given(st.sampled_from(S), st.lists(st.tuples(st.sampled_from(RequestKind), st.sampled_from(R)), max_size=4))
def test_every_order_has_a_word_and_a_dead_one_its_own(status, requests):
    order = an_order(status, requests=tuple(a_request(kind, state) for kind, state in requests))
    shown = state(order)
    if order.is_dead:
        assert shown.value == status.value


def test_a_fill_of_nothing_cannot_be_built():
    with pytest.raises(ValueError, match="last_qty is 0, must be above 0"):
        a_fill("0")
