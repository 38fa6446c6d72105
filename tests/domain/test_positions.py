"""Positions from fills: the same however they arrive, average cost, and no money made or lost by the arithmetic."""

from decimal import Decimal

import pytest
from builders import BTCUSDT, a_fill, an_instrument
from hypothesis import given
from hypothesis import strategies as st

from tradedesk.domain.positions import Position, after_fill, asset_changes, opened, unrealized
from tradedesk.domain.words import AccountId, Side

ACME = AccountId("acme")
BTC = an_instrument()


def flat() -> Position:
    return opened(ACME, BTCUSDT, Decimal(0), None)


def after(*fills, start: Position | None = None) -> Position:
    position = start or flat()
    for fill in fills:
        position = after_fill(position, fill, BTC)
    return position


@st.composite
def some_fills(draw, fees: tuple[str, ...] = ("USDT", "BTC", "BNB")):
    count = draw(st.integers(1, 12))
    return [
        a_fill(
            str(draw(st.decimals(min_value="0.001", max_value="5", places=3))),
            str(draw(st.decimals(min_value="1", max_value="1000", places=2))),
            side=draw(st.sampled_from(Side)),
            fee=str(draw(st.decimals(min_value="-0.001", max_value="0.01", places=4))),
            currency=draw(st.sampled_from(fees)),
            trade_id=str(number),
        )
        for number in range(count)
    ]


@given(st.data())
def test_quantity_fees_and_ledger_ignore_arrival_order(data):
    """5.3"""
    fills = data.draw(some_fills())
    shuffled = data.draw(st.permutations(fills))
    one, other = after(*fills), after(*shuffled)
    assert (one.qty, one.fees, one.other_fees) == (other.qty, other.fees, other.other_fees)
    assert ledger(fills) == ledger(shuffled)


def ledger(fills) -> dict[str, Decimal]:
    sums: dict[str, Decimal] = {}
    for fill in fills:
        for asset, change in asset_changes(fill, BTC).items():
            sums[asset] = sums.get(asset, Decimal(0)) + change
    return sums


@given(some_fills(), st.sampled_from(["0", "2", "-1.5"]))
def test_gain_is_what_the_cash_and_what_is_held_say_it_is(fills, held):
    """5.3: whatever the fills, realised + unrealised - fees is the change of cash plus that of the holdings' value."""
    mark = Decimal(500)
    start = opened(ACME, BTCUSDT, Decimal(held), Decimal(100))
    position = after(*fills, start=start)
    gain = unrealized(position, mark)
    assert gain is not None
    changes = ledger(fills)
    by_cash = changes.get("USDT", 0) + (Decimal(held) + changes.get("BTC", 0)) * mark - Decimal(held) * 100
    assert abs(position.realized + gain - position.fees - by_cash) < Decimal("1e-15")
    assert position.qty == Decimal(held) + changes.get("BTC", Decimal(0))


@given(some_fills())
def test_a_flat_position_has_no_cost(fills):
    position = flat()
    for fill in fills:
        position = after_fill(position, fill, BTC)
        assert position.qty != 0 or position.cost == 0


@given(some_fills(fees=("USDT",)))
def test_the_average_price_lies_between_the_prices_paid(fills):
    position = after(*fills)
    if position.avg_px is not None:
        prices = [fill.last_px for fill in fills]
        assert min(prices) - Decimal("1e-12") <= position.avg_px <= max(prices) + Decimal("1e-12")


def test_adding_averages_and_closing_realises_against_the_average():
    bought = after(a_fill("1", "100"), a_fill("1", "110"))
    assert (bought.qty, bought.avg_px, bought.realized) == (2, 105, 0)
    sold = after(a_fill("0.5", "125", side=Side.Sell), start=bought)
    assert (sold.qty, sold.avg_px, sold.realized) == (Decimal("1.5"), 105, 10)
    closed = after(a_fill("1.5", "95", side=Side.Sell), start=sold)
    assert (closed.qty, closed.cost, closed.avg_px, closed.realized) == (0, 0, None, -5)


def test_a_short_gains_when_it_is_bought_back_lower():
    assert after(a_fill("2", "100", side=Side.Sell), a_fill("2", "90")).realized == 20


def test_turning_realises_the_old_side_and_opens_the_new_at_the_fills_price():
    turned = after(a_fill("1", "100"), a_fill("3", "110", side=Side.Sell))
    assert (turned.qty, turned.avg_px, turned.realized) == (-2, 110, 10)


def test_a_fee_in_the_base_asset_leaves_the_position_and_stands_under_fees():
    bought = after(a_fill("1", "100", fee="0.001", currency="BTC"))
    assert (bought.qty, bought.cost, bought.avg_px, bought.fees) == (
        Decimal("0.999"),
        Decimal("99.9"),
        100,
        Decimal("0.1"),
    )


def test_a_base_fee_that_takes_the_last_of_it_leaves_nothing_behind():
    start = opened(ACME, BTCUSDT, Decimal("1.001"), Decimal(100))
    left = after(a_fill("1", "110", side=Side.Sell, fee="0.001", currency="BTC"), start=start)
    assert (left.qty, left.cost) == (0, 0)
    assert left.realized - left.fees == Decimal("9.9")  # 110 came in for what had cost 100.1


def test_a_fee_in_a_third_asset_is_kept_and_not_valued():
    position = after(
        a_fill(fee="0.01", currency="BNB", trade_id="1"),
        a_fill(fee="0.02", currency="BNB", trade_id="2"),
        a_fill(fee="0.00", currency="XRP", trade_id="3"),
    )
    assert (position.fees, position.other_fees) == (0, (("BNB", Decimal("0.03")),))


def test_a_fee_that_was_not_told_is_marked_and_not_taken_for_none():
    assert after(a_fill(fee=None)).has_unknown_fee
    assert not after(a_fill()).has_unknown_fee


def test_a_holding_without_an_opening_price_has_no_gain_until_it_is_flat_again():
    found = opened(ACME, BTCUSDT, Decimal(2), None)
    assert (found.cost, unrealized(found, Decimal(100))) == (None, None)
    more = after(a_fill("1", "100"), start=found)
    assert (more.qty, more.cost) == (3, None)
    gone = after(a_fill("3", "100", side=Side.Sell), start=more)
    assert (gone.qty, gone.cost, gone.realized) == (0, 0, 0)
    turned = after(a_fill("4", "100", side=Side.Sell), start=more)
    assert (turned.qty, turned.cost) == (-1, -100)


def test_without_a_mark_there_is_no_unrealised_gain_and_flat_is_zero():
    assert unrealized(after(a_fill()), None) is None
    assert unrealized(flat(), None) == 0


@pytest.mark.parametrize(("side", "base", "quote"), [(Side.Buy, "1", "-60000.5"), (Side.Sell, "-1", "59999.5")])
def test_what_a_fill_does_to_the_assets(side, base, quote):
    changes = asset_changes(a_fill(side=side, fee="0.5"), BTC)
    assert changes == {"BTC": Decimal(base), "USDT": Decimal(quote)}


def test_a_fee_not_told_changes_no_asset():
    assert asset_changes(a_fill(fee=None), BTC) == {"BTC": Decimal(1), "USDT": Decimal(-60000)}
