"""The Gate: every rule at its boundary, all reasons at once, and what a reduction may do (5.4, 5.9)."""

import ast
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from order_builders import ACME, BTC, MS, NOW, an_instrument, an_order, d

import tradedesk
from tradedesk.domain.accounts import AccountState, HaltLevel
from tradedesk.domain.gate import FLATTENER, Approved, Denied, GateInputs
from tradedesk.domain.instruments import FeedState, Quote
from tradedesk.domain.limits import InstrumentLimits, Limits, effective
from tradedesk.domain.orders import Order, OrdStatus
from tradedesk.domain.words import RequestId, Side, TimeInForce
from tradedesk.domain.worst_case import Interval, worst_case
from tradedesk.risk import gate

LIMITS = Limits(
    max_order_notional=d(120_000),
    max_order_qty=d(3),
    max_position=d(10),
    max_position_notional=d(1_000_000),
    price_collar_bps=d(500),
    max_open_orders=5,
    stale_after_ms=5_000,
)


def a_quote(
    bid: str | None = "59999", ask: str | None = "60001", last: str | None = "60000", state: FeedState = FeedState.Live
) -> Quote:
    return Quote(
        instrument=BTC,
        bid=None if bid is None else d(bid),
        bid_qty=d(1),
        ask=None if ask is None else d(ask),
        ask_qty=d(1),
        last=None if last is None else d(last),
        received_at=NOW,
        state=state,
    )


def around(
    *,
    position: str = "0",
    low: str | None = None,
    high: str | None = None,
    limits: Limits = LIMITS,
    **changes: Any,
) -> GateInputs:
    """A calm account: Ready, fresh quote, money enough, nothing working unless `low` and `high` say so."""
    inputs = GateInputs(
        now=NOW,
        account_state=AccountState.Ready,
        halt=None,
        limits=effective(limits, BTC),
        instrument=an_instrument(),
        quote=a_quote(),
        quote_age_ns=0,
        position_qty=d(position),
        worst=Interval(low=d(low or position), high=d(high or position)),
        open_orders=0,
        available=d(10_000_000),
    )
    return msgspec.structs.replace(inputs, **changes)


def decide(order: Order, given: GateInputs, replaces: Order | None = None) -> Approved | Denied:
    return gate.decide(RequestId(order.client_order_id), order, replaces, given)


def rules_against(order: Order, given: GateInputs, replaces: Order | None = None) -> list[str]:
    """The rules that say no; empty means approved."""
    decision = decide(order, given, replaces)
    if isinstance(decision, Approved):
        return []
    assert decision.denials
    assert all(denial.text for denial in decision.denials)
    return [denial.rule for denial in decision.denials]


def test_an_order_within_every_limit_is_approved_as_it_stands():
    order = an_order()
    approved = decide(order, around())
    assert isinstance(approved, Approved)
    assert (approved.order, approved.replaces, approved.instrument) == (order, None, an_instrument())


def test_every_reason_is_named_at_once():
    order = an_order(qty="50.000001", price="90000.001")
    given = around(
        account_state=AccountState.Reconciling,
        halt=HaltLevel.BlockNew,
        quote_age_ns=6_000 * MS,
        open_orders=5,
        available=d(0),
    )
    assert set(rules_against(order, given)) == {
        "account_state", "halt", "stale_book", "balance", "tick", "lot", "max_order_qty", "max_order_notional",
        "price_collar", "max_open_orders", "max_position", "max_position_notional",
    }  # fmt: skip


def test_an_account_without_limits_is_blocked():
    assert rules_against(an_order(), around(limits=Limits())) == ["limits_present"]
    assert effective(Limits(max_order_qty=d(1)), BTC) is None


def test_limits_of_the_instrument_win_over_those_of_the_account():
    tighter = msgspec.structs.replace(LIMITS, instruments={BTC: InstrumentLimits(max_order_qty=d("0.5"))})
    assert rules_against(an_order(), around(limits=tighter)) == ["max_order_qty"]


@pytest.mark.parametrize(
    ("state", "passes"),
    [
        (AccountState.Ready, True),
        (AccountState.Halted, True),  # the halt has a rule of its own
        (AccountState.Reconciling, False),
        (AccountState.Blocked, False),
        (AccountState.Offline, False),
    ],
)
def test_only_a_ready_account_sends(state, passes):
    assert (rules_against(an_order(), around(account_state=state)) == []) is passes


@pytest.mark.parametrize(
    ("order", "changes", "rule"),
    [
        (an_order(), {"instrument": None}, "instrument_known"),
        (an_order(), {"instrument": an_instrument(is_trading=False)}, "instrument_trading"),
        (an_order(qty="0"), {}, "order_qty"),
        (an_order(qty="-1"), {}, "order_qty"),
        (an_order(price="0"), {}, "price"),
        (an_order(price="-60000"), {}, "price"),
        (an_order(price=None, post_only=True), {}, "post_only"),
        (an_order(tif=TimeInForce.ImmediateOrCancel, post_only=True), {}, "post_only"),
    ],
)
def test_orders_that_make_no_sense_are_denied(order, changes, rule):
    assert rule in rules_against(order, around(**changes))


def test_an_unknown_instrument_never_yields_an_approval_whatever_else_holds():
    assert isinstance(decide(an_order(), around(instrument=None)), Denied)


@pytest.mark.parametrize(
    ("passing", "failing", "changes", "rule"),
    [
        ({"price": "60000.01"}, {"price": "60000.001"}, {}, "tick"),
        ({"qty": "0.00012"}, {"qty": "0.000121"}, {}, "lot"),
        ({"qty": "0.5"}, {"qty": "0.49999"}, {"instrument": "min_qty"}, "min_qty"),
        ({"qty": "0.5"}, {"qty": "0.50001"}, {"instrument": "max_qty"}, "max_qty"),
        ({"qty": "0.0001", "price": "60000"}, {"qty": "0.00008", "price": "60000"}, {"instrument": "notional"}, "min_notional"),
        ({"qty": "1", "price": "60000"}, {"qty": "1", "price": "60000.01"}, {"instrument": "max"}, "max_notional"),
        ({"qty": "3", "price": "40000"}, {"qty": "3.00001", "price": "39000"}, {"wide": True}, "max_order_qty"),
        ({"qty": "2", "price": "60000"}, {"qty": "2", "price": "60000.01"}, {}, "max_order_notional"),
        ({"price": "63000"}, {"price": "63000.6"}, {"limits": 2_000_000}, "price_collar"),
        ({"price": "57000"}, {"price": "56999.4"}, {}, "price_collar"),
    ],
)  # fmt: skip
def test_each_limit_passes_at_its_boundary_and_denies_one_step_beyond(passing, failing, changes, rule):
    instrument = an_instrument()
    match changes.get("instrument"):
        case "min_qty":
            instrument = msgspec.structs.replace(instrument, min_qty=d("0.5"))
        case "max_qty":
            instrument = msgspec.structs.replace(instrument, max_qty=d("0.5"))
        case "notional":
            instrument = msgspec.structs.replace(instrument, min_notional=d(6))
        case "max":
            instrument = msgspec.structs.replace(instrument, max_notional=d(60_000))
    limits = LIMITS
    if "limits" in changes:
        limits = msgspec.structs.replace(LIMITS, max_order_notional=d(changes["limits"]))
    if "wide" in changes:
        limits = msgspec.structs.replace(LIMITS, price_collar_bps=d(10_000))
    given = around(limits=limits, instrument=instrument)
    assert rules_against(an_order(**passing), given) == []
    assert rules_against(an_order(**failing), given) == [rule]


def test_the_number_of_open_orders_is_limited_and_a_replace_adds_none():
    assert rules_against(an_order(), around(open_orders=4)) == []
    assert rules_against(an_order(), around(open_orders=5)) == ["max_open_orders"]
    assert rules_against(an_order(), around(open_orders=5), replaces=an_order("old")) == []


@pytest.mark.parametrize(
    ("side", "given", "passes"),
    [
        (Side.Buy, around(position="9"), True),
        (Side.Buy, around(position="9.00001"), False),
        (Side.Buy, around(position="0", high="9"), True),  # buys already working
        (Side.Buy, around(position="0", high="9.00001"), False),
        (Side.Sell, around(position="-9"), True),
        (Side.Sell, around(position="-9.00001"), False),
        (Side.Sell, around(position="0", low="-9.00001"), False),
        (Side.Sell, around(position="20"), True),  # over the limit already: what only reduces may
        (Side.Buy, around(position="-20"), True),
        (Side.Buy, around(position="20"), False),
    ],
)
def test_the_worse_end_of_the_position_stays_within_its_limit(side, given, passes):
    order = an_order(side=side)
    limits = effective(msgspec.structs.replace(LIMITS, max_position_notional=d(10**9)), BTC)
    given = msgspec.structs.replace(given, limits=limits)
    assert rules_against(order, given) == ([] if passes else ["max_position"])


@pytest.mark.parametrize(("position", "passes"), [("9", True), ("9.00001", False)])
def test_the_positions_notional_is_judged_at_the_mark(position, passes):
    limits = msgspec.structs.replace(LIMITS, max_position=None, max_position_notional=d(600_000))
    given = around(position=position, limits=limits)
    assert rules_against(an_order(), given) == ([] if passes else ["max_position_notional"])


def test_a_position_limit_that_is_not_set_is_ten_full_orders():
    limits = Limits(max_order_notional=d(60_000))
    assert rules_against(an_order(), around(position="9", limits=limits)) == []
    assert rules_against(an_order(), around(position="9.1", limits=limits)) == ["max_position_notional"]


@pytest.mark.parametrize(
    ("new_qty", "position", "passes"),
    [("1", "7", True), ("1", "7.1", False), ("3", "7", True), ("3", "7.1", False)],
)
def test_of_a_replace_the_larger_leg_counts(new_qty, position, passes):
    """Until the venue has spoken either may be working; the old one wants 3"""
    limits = msgspec.structs.replace(LIMITS, max_order_notional=d(10**7), max_position_notional=d(10**7))
    order, old = an_order("new", qty=new_qty), an_order("old", qty="3")
    given = around(position=position, limits=limits)
    assert rules_against(order, given, replaces=old) == ([] if passes else ["max_position"])


@pytest.mark.parametrize(
    ("order", "changes", "needed"),
    [
        (an_order(qty="1", price="60000"), {}, "60000"),
        (an_order(qty="1", price=None), {}, "60001"),  # a market buy is valued at the offer
        (an_order(qty="1", side=Side.Sell), {}, "1"),
    ],
)
def test_what_the_order_spends_must_be_free(order, changes, needed):
    assert rules_against(order, around(available=d(needed), **changes)) == []
    assert rules_against(order, around(available=d(needed) - d("0.00000001"), **changes)) == ["balance"]


# ---- reductions -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("side", "qty", "given", "passes"),
    [
        (Side.Sell, "2", around(position="2"), True),
        (Side.Sell, "2.00001", around(position="2"), False),
        (Side.Buy, "1", around(position="2"), False),
        (Side.Buy, "2", around(position="-2"), True),
        (Side.Sell, "1", around(position="0"), False),
        (Side.Sell, "1.5", around(position="2", low="1"), False),  # a reduction of 1 works already
        (Side.Sell, "1", around(position="2", low="1"), True),
        (Side.Sell, "1", around(position="0", high="5"), False),  # buys that may fill are no position yet
    ],
)
def test_reduce_only_looks_at_the_end_nearer_zero_less_what_reduces_already(side, qty, given, passes):
    order = an_order(side=side, qty=qty, price="60000", reduce_only=True)
    given = msgspec.structs.replace(given, limits=effective(Limits(max_order_notional=d(10**7)), BTC))
    assert rules_against(order, given) == ([] if passes else ["reduce_only"])


# ---- stale books ----------------------------------------------------------------------------------------------------

STALE = [
    {"quote": None, "quote_age_ns": None},
    {"quote_age_ns": 5_001 * MS},
    {"quote": a_quote(state=FeedState.Stale)},
    {"quote": a_quote(state=FeedState.Gapped)},
    {"quote": a_quote(state=FeedState.Crossed)},
    {"quote": a_quote(state=FeedState.Disconnected)},
]


@pytest.mark.parametrize("changes", STALE)
def test_a_book_that_cannot_be_trusted_denies_what_needs_its_price(changes):
    """5.9"""
    assert "stale_book" in rules_against(an_order(), around(**changes))
    assert "stale_book" in rules_against(an_order(price=None), around(**changes))
    assert "stale_book" in rules_against(an_order(price=None, side=Side.Sell), around(position="2", **changes))


@pytest.mark.parametrize("changes", STALE)
def test_a_reduction_at_a_typed_price_needs_no_book(changes):
    """5.9"""
    assert rules_against(an_order(side=Side.Sell), around(position="2", **changes)) == []


def test_a_price_as_old_as_the_limit_is_still_fresh():
    assert rules_against(an_order(), around(quote_age_ns=5_000 * MS)) == []


def test_a_market_order_needs_the_other_side_of_the_book():
    assert "stale_book" in rules_against(an_order(price=None), around(quote=a_quote(ask=None)))
    assert rules_against(an_order(price=None, side=Side.Sell), around(position="2", quote=a_quote(ask=None))) == []


def test_one_side_of_a_book_is_judged_by_the_last_price_and_without_one_nothing_opens():
    """5.4, F75: no reference must not mean no collar and no position limit"""
    one_sided = a_quote(bid=None)
    assert rules_against(an_order(), around(quote=one_sided)) == []
    assert rules_against(an_order(price="70000"), around(quote=one_sided)) == ["price_collar"]
    assert "max_position_notional" in rules_against(
        an_order(), around(position="9", quote=one_sided, limits=Limits(max_order_notional=d(50_000)))
    )
    assert "stale_book" in rules_against(an_order(), around(quote=a_quote(bid=None, last=None)))


# ---- halts ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("level", "opening", "reducing", "flattening"),
    [
        (None, True, True, True),
        (HaltLevel.BlockNew, False, False, False),
        (HaltLevel.ReduceOnly, False, True, True),
        (HaltLevel.CancelOpening, False, True, True),
        (HaltLevel.CancelAll, False, False, False),
        (HaltLevel.Flatten, False, False, True),
    ],
)
def test_each_halt_lets_through_what_its_level_says(level, opening, reducing, flattening):
    """5.5"""
    given = around(position="2", halt=level)
    expected = {True: [], False: ["halt"]}
    assert rules_against(an_order(side=Side.Buy), given) == expected[opening]
    assert rules_against(an_order(side=Side.Sell), given) == expected[reducing]
    flatten = an_order(side=Side.Sell, price=None, operator=FLATTENER)
    assert rules_against(flatten, given) == expected[flattening]


def test_while_a_difference_with_the_venue_waits_to_be_settled_only_what_shrinks_a_position_may_go():
    given = msgspec.structs.replace(around(position="2"), unsettled=1)
    assert rules_against(an_order(side=Side.Buy), given) == ["unsettled"]
    assert rules_against(an_order(side=Side.Sell), given) == []
    assert rules_against(an_order(side=Side.Buy), around(position="2")) == []


def test_the_flattener_may_close_more_than_one_order_of_a_person_may_hold():
    flatten = an_order(side=Side.Sell, qty="8", price=None, operator=FLATTENER)
    assert rules_against(flatten, around(position="8", halt=HaltLevel.Flatten)) == []
    by_hand = an_order(side=Side.Sell, qty="8", price=None)
    assert rules_against(by_hand, around(position="8")) == ["max_order_qty", "max_order_notional"]
    opening = an_order(side=Side.Buy, qty="8", price=None, operator=FLATTENER)
    assert "max_order_qty" in rules_against(opening, around(position="0"))


def test_the_flattener_may_not_open_anything_under_its_halt():
    given = around(position="2", halt=HaltLevel.Flatten)
    assert rules_against(an_order(side=Side.Buy, price=None, operator=FLATTENER), given) == ["halt"]
    assert rules_against(an_order(side=Side.Sell, qty="2.5", price=None, operator=FLATTENER), given) != []


# ---- the law --------------------------------------------------------------------------------------------------------

quantities = st.integers(1, 400_000).map(lambda lots: Decimal(lots) * d("0.00001"))
positions = st.integers(-1_200_000, 1_200_000).map(lambda lots: Decimal(lots) * d("0.00001"))
statuses = st.sampled_from([OrdStatus.PendingNew, OrdStatus.New, OrdStatus.PartiallyFilled, OrdStatus.Canceled])
working = st.lists(
    st.builds(
        lambda status, side, qty, part, is_external: msgspec.structs.replace(
            an_order(status=status, side=side, is_external=is_external), order_qty=qty, cum_qty=(qty * part).quantize(d("0.00001"))
        ),
        statuses, st.sampled_from(Side), quantities, st.sampled_from([d(0), d("0.3"), d("0.9")]), st.booleans(),
    ),
    max_size=6,
).map(lambda orders: [msgspec.structs.replace(o, client_order_id=f"w{n}") for n, o in enumerate(orders)])  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(positions, working, st.sampled_from(Side), quantities, st.booleans(), st.booleans())
def test_an_approved_order_never_takes_the_worst_case_past_its_limit(qty, others, side, order_qty, replaces, is_market):
    """5.4: on its own side; a side that was past it before is not made worse"""
    limits = Limits(max_order_notional=d(10**9), max_position=d(10), max_position_notional=d(10**9))
    alive = [order for order in others if not order.is_dead]
    old = next((order for order in alive if order.side is side and not order.is_external), None) if replaces else None
    rest = [order for order in others if order is not old]
    price = None if is_market else "60000"
    new = msgspec.structs.replace(an_order("n1", side=side, price=price), order_qty=order_qty)
    given = around(limits=limits, position_qty=qty, worst=worst_case(qty, rest), open_orders=0)
    if isinstance(decide(new, given, old), Denied):
        return
    if old is not None:
        old = msgspec.structs.replace(old, replaced_by=new.client_order_id)
        new = msgspec.structs.replace(new, replaces=old.client_order_id)
        rest.append(old)
    before, after = worst_case(qty, others), worst_case(qty, [*rest, new])
    if side is Side.Buy:
        assert after.high <= max(d(10), before.high)
        assert after.low == before.low
    else:
        assert after.low >= min(d(-10), before.low)
        assert after.high == before.high


def test_only_the_gate_makes_an_approval():
    """5.4: mypy shows any way round it, if nothing else constructs one"""
    root = Path(tradedesk.__file__).parent
    makers = set()
    for path in root.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                called = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
                if called == "Approved":
                    makers.add(path.relative_to(root).as_posix())
    assert makers == {"risk/gate.py"}


def test_the_account_is_named_where_its_limits_are_missing():
    decision = decide(an_order(), around(limits=Limits()))
    assert isinstance(decision, Denied)
    assert f"accounts.{ACME}.limits" in decision.denials[0].text


@pytest.mark.parametrize(
    ("quote", "qty", "price"),
    [
        (a_quote("0.0000004", "0.0000005", "0.0000004"), "1", "500000000000000000"),
        (None, "100000000000000000", "100000000000000000"),
        (a_quote(), "999999999999999999", "60000"),
    ],
)
def test_F84_absurd_numbers_are_denied_and_never_raised_about(quote, qty, price):
    """5.8: an exception here would take the worker with it, and every send in flight"""
    given = around(quote=quote, quote_age_ns=None if quote is None else 0)
    assert isinstance(decide(an_order(qty=qty, price=price), given), Denied)


# ---- an amend in place ----------------------------------------------------------------------------------------------


def smaller(qty: str, *, price: str = "60000", cum: str = "0") -> tuple[Order, Order]:
    """An order of 5 as it stands, and as an amend would have it."""
    old = an_order(qty="5", cum=cum)
    return msgspec.structs.replace(old, order_qty=d(qty), price=d(price)), old


def test_no_limit_stands_against_less():
    order, old = smaller("4")
    given = around(high="50", open_orders=99, available=d(0), unsettled=2, quote=None, quote_age_ns=None)
    assert rules_against(order, given, old) == []


@pytest.mark.parametrize(
    ("qty", "changes", "rule"),
    [
        ("4", {"account_state": AccountState.Blocked}, "account_state"),
        ("4", {"halt": HaltLevel.BlockNew}, "halt"),
        ("4", {"limits": None}, "limits_present"),
        ("4.000001", {}, "lot"),
        ("0.00005", {}, "min_notional"),
    ],
)
def test_less_must_still_be_sendable_and_something_the_venue_takes(qty, changes, rule):
    order, old = smaller(qty)
    given = msgspec.structs.replace(around(), **changes)
    assert rules_against(order, given, old) == [rule]


@pytest.mark.parametrize(("qty", "price"), [("6", "60000"), ("4", "60001"), ("5", "60000")])
def test_more_or_dearer_is_no_shrinking(qty, price):
    order, old = smaller(qty, price=price)
    assert not gate.Case(order=order, replaces=old, given=around()).is_shrinking


def test_of_a_part_filled_order_what_is_left_counts():
    order, old = smaller("4", cum="3")
    assert gate.Case(order=order, replaces=old, given=around()).growth == d(2)  # the larger leg: 5 less 3
