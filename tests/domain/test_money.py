"""Exact numbers: what may be typed, and what putting them on a grid must never do."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradedesk.domain.money import floor_to_lot, is_multiple, parse_decimal, plain, round_to_tick
from tradedesk.domain.words import Side

numbers = st.from_regex(r"(0|[1-9][0-9]{0,17})(\.[0-9]{1,18})?", fullmatch=True).map(Decimal)
steps = st.builds(
    lambda digits, places: Decimal(digits).scaleb(-places), st.sampled_from([1, 2, 3, 5, 25]), st.integers(0, 18)
)


@pytest.mark.parametrize(
    "text",
    [
        "1_0", "١", "１", "NaN", "nan", "sNaN", "Infinity", "-Infinity", "inf", "1e999999", "1E5", "1e-5", "+1", " 1",
        "1 ", "1\n", "\t1", "", "-", ".", ".5", "5.", "00", "01", "-01", "--1", "1,5", "1.2.3", "0x10", "½", "²", "1\u200b",
        "1" * 19, "0." + "1" * 19, "1" * 1_000_000, "٫5", "1٫5", "−1", "1'000", "$1", "1%", "None", "True",
    ],
)  # fmt: skip
def test_F84_what_is_no_plain_number_is_refused_with_the_fields_name(text):
    with pytest.raises(ValueError, match=r"^qty: .*write it like 0\.125$") as caught:
        parse_decimal(text, "qty")
    assert len(str(caught.value)) < 100


@pytest.mark.parametrize("text", ["0", "1", "-1", "0.1", "-0.5", "10.000", "9" * 18 + "." + "9" * 18, "-0"])
def test_plain_numbers_are_read_exactly(text):
    assert str(parse_decimal(text, "qty")) == text


@given(st.text(alphabet="0123456789.-+eE_ \n١NaInf", max_size=12))
def test_F84_whatever_is_read_is_the_number_that_is_written_there(text):
    try:
        number = parse_decimal(text, "qty")
    except ValueError:
        return
    assert number.is_finite()
    assert format(number, "f") == text


@given(numbers | numbers.map(lambda number: -number))
def test_what_is_shown_is_the_same_number_and_can_be_typed_again(number):
    shown = plain(number)
    assert parse_decimal(shown, "qty") == number
    assert "E" not in shown
    assert not ("." in shown and shown[-1] in ".0")


@pytest.mark.parametrize(
    ("value", "shown"),
    [("1E+3", "1000"), ("0E-8", "0"), ("-0.000", "0"), ("1.2300", "1.23"), ("100", "100"), ("1E-8", "0.00000001")],
)
def test_numbers_are_shown_without_exponent_or_idle_zeros(value, shown):
    assert plain(Decimal(value)) == shown


@given(numbers, steps)
def test_a_quantity_is_rounded_down_to_the_lot_by_less_than_one_lot(quantity, lot):
    """5.10"""
    rounded = floor_to_lot(quantity, lot)
    assert is_multiple(rounded, lot)
    assert rounded <= quantity
    assert _exact_difference(quantity, rounded) < lot
    assert floor_to_lot(rounded, lot) == rounded


@given(numbers, steps, st.sampled_from(Side))
def test_a_price_is_moved_to_the_tick_never_at_the_clients_cost(price, tick, side):
    """5.10"""
    try:
        rounded = round_to_tick(price, tick, side)
    except ValueError as refused:
        assert price < tick
        assert str(tick) in str(refused)  # noqa: PT017
        return
    assert is_multiple(rounded, tick)
    assert rounded > 0
    assert rounded <= price if side is Side.Buy else rounded >= price
    assert _exact_difference(price, rounded) < tick


def _exact_difference(one: Decimal, other: Decimal) -> Decimal:
    scale = 10**18
    return Decimal(abs(int(one.scaleb(18)) - int(other.scaleb(18)))) / scale


@pytest.mark.parametrize(
    ("price", "side", "expected"),
    [("100.07", Side.Buy, "100.05"), ("100.07", Side.Sell, "100.10"), ("100.05", Side.Buy, "100.05")],
)
def test_a_buy_rounds_down_and_a_sell_up(price, side, expected):
    assert round_to_tick(Decimal(price), Decimal("0.05"), side) == Decimal(expected)


def test_a_buy_below_one_tick_is_refused_with_what_is_possible():
    with pytest.raises(ValueError, match=r"price 0\.004 is below one tick \(0\.01\); enter at least 0\.01"):
        round_to_tick(Decimal("0.004"), Decimal("0.01"), Side.Buy)


def test_the_longest_numbers_are_not_rounded_by_the_default_28_digits():
    price = Decimal("9" * 18 + "." + "9" * 18)
    assert round_to_tick(price, Decimal(1), Side.Buy) == Decimal("9" * 18)
    assert floor_to_lot(price, Decimal(1)) == Decimal("9" * 18)
    assert is_multiple(price, Decimal("0." + "0" * 17 + "1"))
