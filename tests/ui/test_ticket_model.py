"""What a ticket means: every field's mistakes, the legs, the commands, the reasons to ask twice."""

from decimal import Decimal

import pytest
from desk_builders import ACME, ANN, BIRCH, BTC, CEDAR, NOW, SECOND, SOL, a_view, an_order
from hypothesis import given
from hypothesis import strategies as st

from tradedesk.domain.commands import AmendOrder
from tradedesk.domain.instruments import FeedState
from tradedesk.domain.words import AccountId, ClientOrderId, OrderType, Side, TimeInForce
from tradedesk.ui import ticket_model as tm
from tradedesk.ui.ticket_model import Draft, Field, Fields

REPLICA = a_view().replica


def fields(**changes: object) -> Fields:
    return Fields(**({"accounts": "acme", "instrument": "BTC/USDT", "qty": "0.1", "price": "63999.5"} | changes))  # type: ignore[arg-type]


def draft(**changes: object) -> Draft:
    read = tm.checked(fields(**changes), REPLICA)
    assert isinstance(read, Draft), read
    return read


def problems(**changes: object) -> tm.Problems:
    read = tm.checked(fields(**changes), REPLICA)
    assert not isinstance(read, Draft)
    return read


@pytest.mark.parametrize(
    ("changes", "field", "says"),
    [
        ({"accounts": ""}, Field.Accounts, "name an account"),
        ({"accounts": "acme,brich"}, Field.Accounts, "did you mean birch?"),
        ({"accounts": "@nobody"}, Field.Accounts, "no group"),
        ({"instrument": ""}, Field.Instrument, "like BTC/USDT"),
        ({"instrument": "BTX/USDT"}, Field.Instrument, "did you mean BTC/USDT?"),
        ({"qty": ""}, Field.Qty, "enter a quantity"),
        ({"qty": "0.1x"}, Field.Qty, "not a plain decimal number"),
        ({"qty": "1e3"}, Field.Qty, "not a plain decimal number"),
        ({"qty": "١"}, Field.Qty, "not a plain decimal number"),
        ({"qty": "1_0"}, Field.Qty, "not a plain decimal number"),
        ({"qty": "NaN"}, Field.Qty, "not a plain decimal number"),
        ({"qty": "-0.1"}, Field.Qty, "not above 0"),
        ({"qty": "0"}, Field.Qty, "not above 0"),
        ({"qty": "0.000001"}, Field.Qty, "less than one lot of 0.00001 BTC"),
        ({"qty": "999999999"}, Field.Qty, "at most 9000 BTC"),
        ({"qty": "0.00001", "price": "100"}, Field.Qty, "the venue takes at least 5 USDT"),
        ({"price": ""}, Field.Price, "enter a price"),
        ({"price": "63999.505"}, Field.Price, "63999.5 or 63999.51"),
        ({"price": "-1"}, Field.Price, "not above 0"),
        ({"post_only": True, "time_in_force": TimeInForce.FillOrKill}, Field.Post, "set tif to gtc"),
        ({"post_only": True, "order_type": OrderType.Market}, Field.Post, "cannot be post-only"),
    ],
)  # fmt: skip
def test_a_wrong_field_is_named_with_its_remedy(changes: dict[str, object], field: Field, says: str) -> None:
    assert says in problems(**changes)[field]


def test_all_mistakes_are_told_at_once() -> None:
    assert set(problems(accounts="x", instrument="y", qty="z", price="")) == {
        Field.Accounts, Field.Instrument, Field.Qty, Field.Price
    }  # fmt: skip


def test_a_market_order_needs_a_live_book_and_a_typed_price_does_not() -> None:
    """5.9"""
    stale = a_view(feed_state=FeedState.Gapped).replica
    refused = tm.checked(fields(order_type=OrderType.Market, price=""), stale)
    assert not isinstance(refused, Draft)
    assert "type a price" in refused[Field.Type]
    assert isinstance(tm.checked(fields(reduce_only=True), stale), Draft)


def test_numbers_may_be_typed_as_the_screen_shows_them() -> None:
    assert draft(price="63 999.50").price == Decimal("63999.50")


def test_several_accounts_share_one_block_and_no_id() -> None:
    made = iter("abc")
    commands = tm.place_commands(
        draft(accounts="@all", qty="0.100009"), operator=ANN, now=NOW, ids=lambda _: ClientOrderId(next(made))
    )
    assert [command.account for command in commands] == [ACME, BIRCH, CEDAR]
    assert len({command.client_order_id for command in commands}) == 3
    assert {command.block for command in commands} == {"block-a"}
    assert {command.order_qty for command in commands} == {Decimal("0.1")}
    assert {command.deadline for command in commands} == {NOW + tm.DEADLINE_NS}


def test_one_account_has_no_block() -> None:
    (command,) = tm.place_commands(draft(), operator=ANN, now=NOW, ids=lambda _: ClientOrderId("a"))
    assert command.block is None


def test_rounding_says_what_it_took_away() -> None:
    (leg,) = draft(qty="0.100009").legs
    assert (leg.order_qty, leg.remainder) == (Decimal("0.10000"), Decimal("0.000009"))


@given(st.decimals("0.00001", "9000", places=8), st.sampled_from(["acme", "@all"]))
def test_legs_never_ask_for_more_than_was_typed(qty: Decimal, accounts: str) -> None:
    read = tm.checked(fields(qty=f"{qty:f}", accounts=accounts), REPLICA)
    if isinstance(read, Draft):
        for leg in read.legs:
            assert leg.order_qty + leg.remainder == qty
            assert leg.order_qty % leg.instrument.lot == 0


def test_an_amend_keeps_the_order_and_names_its_successor() -> None:
    order = an_order()
    made = tm.amend_command(
        order, fields(qty="0.2", price="63991"), REPLICA, operator=ANN, now=NOW, new_id=ClientOrderId("c2")
    )
    assert isinstance(made, AmendOrder)
    assert (made.client_order_id, made.new_client_order_id, made.order_qty) == ("c1", "c2", Decimal("0.2"))
    assert tm.is_more(made, order)


@pytest.mark.parametrize(
    ("qty", "price", "cum", "field", "says"),
    [
        ("0.1", "63990", "0", Field.Price, "nothing is changed"),
        ("0.05", "63990", "0.05", Field.Qty, "filled already"),
        ("0.100009", "63990", "0", Field.Qty, "off the lot"),
        ("0.1", "63990.001", "0", Field.Price, "off the tick"),
        ("", "63990", "0", Field.Qty, "enter a quantity"),
    ],
)
def test_an_amend_that_makes_no_sense_is_marked(qty: str, price: str, cum: str, field: Field, says: str) -> None:
    order = an_order(cum_qty=Decimal(cum))
    read = tm.amend_command(
        order, fields(qty=qty, price=price), REPLICA, operator=ANN, now=NOW, new_id=ClientOrderId("c2")
    )
    assert not isinstance(read, AmendOrder)
    assert says in read[field]


def test_flattening_sells_what_is_held_and_nothing_more() -> None:
    made = tm.flattening(ACME, BTC, REPLICA)
    assert isinstance(made, Fields)
    assert (made.side, made.order_type, made.reduce_only) == (Side.Sell, OrderType.Market, True)
    assert Decimal(made.qty) <= REPLICA.positions[ACME, BTC].qty


def test_flattening_asks_for_what_may_go_and_says_what_stays() -> None:
    made = tm.flattening(ACME, BTC, REPLICA)
    assert isinstance(made, Fields)
    held, limit = REPLICA.positions[ACME, BTC].qty, Decimal(20_000)
    assert held * 64_000 > limit
    assert limit * Decimal("0.98") < Decimal(made.qty) * 64_000 <= limit
    assert tm.left_by(made, ACME, BTC, REPLICA).startswith(f"{made.qty} of 0.75 BTC")


def test_flattening_nothing_says_so() -> None:
    assert tm.flattening(AccountId("birch"), SOL, REPLICA) == "birch holds no SOL/USDT; nothing to flatten"


@pytest.mark.parametrize(
    ("text", "step", "direction", "after"),
    [
        ("63999.5", "0.01", 1, "63999.51"),
        ("63999.505", "0.01", 1, "63999.51"),
        ("63999.505", "0.01", -1, "63999.5"),
        ("0.01", "0.01", -1, "0.01"),
        ("", "0.001", 1, "0.001"),
        ("12x", "0.001", 1, "12x"),
    ],
)
def test_a_step_stays_on_the_grid_and_above_nothing(text: str, step: str, direction: int, after: str) -> None:
    assert tm.stepped(text, Decimal(step), direction) == after


def test_an_ordinary_order_asks_for_nothing_more() -> None:
    assert tm.cautions(draft(qty="0.1"), REPLICA, {}, NOW) == ()


def test_a_large_a_far_and_a_repeated_order_each_give_their_reason() -> None:
    large = draft(qty="0.3", price="66000")
    sent = {tm.terms(large.legs[0], large): NOW - 4 * SECOND}
    reasons = tm.cautions(large, REPLICA, sent, NOW)
    assert [word in reason for word, reason in zip(("99%", "4 s ago", "above the offer"), reasons, strict=True)] == [
        True
    ] * 3
    assert tm.cautions(draft(qty="0.1"), REPLICA, {tm.terms(draft().legs[0], draft()): NOW - 11 * SECOND}, NOW) == ()
