"""The worst a position can become: every order that may be live counts, of a replace the larger leg (5.4)."""

from decimal import Decimal
from itertools import product

import msgspec
import pytest
from builders import a_request, an_order
from hypothesis import given
from hypothesis import strategies as st

from tradedesk.domain.orders import DEAD, OrdStatus, RequestState
from tradedesk.domain.words import ClientOrderId, Side
from tradedesk.domain.worst_case import Interval, worst_case

NEW = OrdStatus.New


def interval(low: str, high: str) -> Interval:
    return Interval(low=Decimal(low), high=Decimal(high))


def test_buys_widen_the_top_and_sells_the_bottom():
    orders = [
        an_order(NEW, qty="2", client_order_id="b"),
        an_order(NEW, qty="3", client_order_id="s", side=Side.Sell),
        an_order(OrdStatus.PartiallyFilled, qty="2", cum_qty="0.5", client_order_id="p"),
    ]
    assert worst_case(Decimal(1), orders) == interval("-2", "4.5")


@pytest.mark.parametrize("state", [RequestState.Pending, RequestState.Unknown, RequestState.Refused])
def test_what_is_not_proved_dead_counts_in_full(state):
    assert worst_case(Decimal(0), [an_order(requests=(a_request(state=state),))]) == interval("0", "1")


def test_external_orders_count():
    assert worst_case(Decimal(0), [an_order(NEW, is_external=True)]) == interval("0", "1")


@pytest.mark.parametrize("status", sorted(DEAD))
def test_dead_orders_count_nothing(status):
    assert worst_case(Decimal(5), [an_order(status)]) == interval("5", "5")


@pytest.mark.parametrize(("old", "new"), [("1", "3"), ("3", "1")])
def test_of_a_replace_the_larger_leg_counts(old, new):
    legs = [
        an_order(NEW, qty=old, client_order_id="a", replaced_by="b"),
        an_order(qty=new, client_order_id="b", replaces="a"),
    ]
    assert worst_case(Decimal(0), legs) == worst_case(Decimal(0), legs[::-1]) == interval("0", "3")


def test_a_successor_counts_alone_once_the_first_is_dead():
    legs = [
        an_order(OrdStatus.Canceled, qty="3", client_order_id="a", replaced_by="b"),
        an_order(NEW, qty="1", client_order_id="b", replaces="a"),
    ]
    assert worst_case(Decimal(0), legs) == interval("0", "1")


def test_of_several_replaces_in_doubt_the_largest_leg_counts():
    chain = [
        an_order(NEW, qty="1", client_order_id="a", replaced_by="b"),
        an_order(qty="2", client_order_id="b", replaces="a", replaced_by="c"),
        an_order(qty="4", client_order_id="c", replaces="b"),
    ]
    twice = [
        an_order(NEW, qty="1", client_order_id="a", replaced_by="c"),
        an_order(qty="4", client_order_id="b", replaces="a"),
        an_order(qty="2", client_order_id="c", replaces="a"),
    ]
    assert worst_case(Decimal(0), chain) == worst_case(Decimal(0), twice) == interval("0", "4")


@given(
    st.decimals(min_value=-10, max_value=10, places=2),
    st.lists(st.tuples(st.integers(1, 5), st.sampled_from(Side), st.sampled_from(OrdStatus)), max_size=5),
)
def test_no_outcome_lies_outside_the_interval(qty, rows):
    """Whatever part of the live orders trades: all or nothing of each is the extreme, so all combinations are tried."""
    orders = [
        an_order(status, qty=str(size), side=side, client_order_id=str(number))
        for number, (size, side, status) in enumerate(rows)
    ]
    found = worst_case(qty, orders)
    ends = [
        qty
        + sum(
            (order.leaves_qty * order.side.sign for order, trades in zip(orders, which, strict=True) if trades),
            Decimal(0),
        )
        for which in product((False, True), repeat=len(orders))
    ]
    assert (min(ends), max(ends)) == (found.low, found.high)


def test_F47_of_a_stop_and_the_order_it_became_one_counts():
    stop = an_order(NEW, qty="3", client_order_id="stop", is_external=True)
    child = msgspec.structs.replace(
        an_order(NEW, qty="2", client_order_id="child", is_external=True), triggered_by=ClientOrderId("stop")
    )
    assert worst_case(Decimal(0), [stop, child]) == worst_case(Decimal(0), [child, stop]) == interval("0", "3")


def test_orders_that_name_each_other_end_the_search():
    """Whatever a venue tells, the reckoning ends."""
    one = an_order(NEW, qty="1", client_order_id="a", replaces="b")
    other = an_order(NEW, qty="2", client_order_id="b", replaces="a")
    assert worst_case(Decimal(0), [one, other]).high >= Decimal(2)
