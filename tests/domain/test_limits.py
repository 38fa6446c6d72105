"""Which limit is in force: the most specific figure, and none at all means none (5.4)."""

from decimal import Decimal

import msgspec
import pytest

from tradedesk.domain.limits import (
    BUILT_IN,
    DEFAULT_POSITION_ORDERS,
    FIGURES,
    InstrumentLimits,
    Limits,
    effective,
    is_tighter,
    stacked,
)
from tradedesk.domain.words import InstrumentId

BTC, ETH = InstrumentId("binance:BTCUSDT"), InstrumentId("binance:ETHUSDT")


def test_an_account_without_a_notional_has_no_limits_in_force():
    assert effective(Limits(), BTC) is None
    assert effective(Limits(max_order_qty=Decimal(1), max_position=Decimal(1)), BTC) is None


def test_an_instruments_own_notional_is_enough_for_that_instrument_alone():
    limits = Limits(instruments={BTC: InstrumentLimits(max_order_notional=Decimal(100))})
    found = effective(limits, BTC)
    assert found is not None
    assert (found.max_order_notional, found.max_position_notional) == (100, 1000)
    assert effective(limits, ETH) is None


def test_the_most_specific_figure_of_each_wins():
    limits = Limits(
        max_order_notional=Decimal(1000),
        max_order_qty=Decimal(5),
        max_position=Decimal(20),
        price_collar_bps=Decimal(300),
        instruments={BTC: InstrumentLimits(max_order_qty=Decimal("0.5"), price_collar_bps=Decimal(50))},
    )
    bitcoin, ether = effective(limits, BTC), effective(limits, ETH)
    assert bitcoin is not None
    assert ether is not None
    assert (bitcoin.max_order_qty, bitcoin.price_collar_bps) == (Decimal("0.5"), 50)
    assert (bitcoin.max_order_notional, bitcoin.max_position) == (1000, 20)
    assert (ether.max_order_qty, ether.price_collar_bps) == (5, 300)


def test_a_limit_of_zero_is_a_limit():
    limits = Limits(
        max_order_notional=Decimal(1000),
        max_position_notional=Decimal(0),
        instruments={BTC: InstrumentLimits(max_order_notional=Decimal(0), max_position=Decimal(0))},
    )
    found = effective(limits, BTC)
    assert found is not None
    assert (found.max_order_notional, found.max_position, found.max_position_notional) == (0, 0, 0)


def test_without_a_position_limit_ten_full_orders_are_the_bound():
    found = effective(Limits(max_order_notional=Decimal(70)), BTC)
    assert found is not None
    assert found.max_position_notional == 70 * DEFAULT_POSITION_ORDERS


def d(text: str) -> Decimal:
    return Decimal(text)


DESK = Limits(max_order_notional=d("1000"), max_open_orders=7, restricted=(ETH,))
GROUP = Limits(max_order_notional=d("500"), instruments={BTC: InstrumentLimits(max_order_qty=d("2"))})
OWN = Limits(max_order_qty=d("9"), order_types=("limit",))
SCOPES = [("account", OWN), ("group", GROUP), ("desk", DESK)]


def test_of_several_scopes_the_most_specific_figure_wins_and_each_says_whose_it_is():
    found = effective(stacked(SCOPES), ETH)
    assert found is not None
    assert (found.max_order_notional, found.source("max_order_notional")) == (500, "group")
    assert (found.max_order_qty, found.source("max_order_qty")) == (9, "account")
    assert (found.max_open_orders, found.source("max_open_orders")) == (7, "desk")
    assert (found.order_types, found.source("order_types")) == (("limit",), "account")
    assert (found.stale_after_ms, found.source("stale_after_ms")) == (5_000, BUILT_IN)


def test_a_figure_of_an_instrument_goes_before_one_for_all_of_them():
    found = effective(stacked(SCOPES), BTC)
    assert found is not None
    assert (found.max_order_qty, found.source("max_order_qty")) == (2, f"group, for {BTC}")


def test_what_any_scope_restricts_is_restricted():
    both = stacked([("account", Limits(max_order_notional=d("1"), restricted=(BTC,))), ("desk", DESK)])
    found = effective(both, BTC)
    assert found is not None
    assert set(found.restricted) == {BTC, ETH}


def test_an_account_that_no_scope_gives_a_notional_stays_blocked():
    assert effective(stacked([("account", OWN), ("desk", Limits())]), BTC) is None


def test_every_figure_in_force_is_one_that_can_be_set():
    settable = {field.name for field in msgspec.structs.fields(Limits)}
    assert set(FIGURES) <= settable


@pytest.mark.parametrize(
    ("figure", "new", "old", "tighter"),
    [
        ("max_order_qty", d("1"), d("2"), True),
        ("max_order_qty", d("2"), d("2"), False),
        ("max_order_qty", d("2"), None, True),
        ("max_order_qty", None, d("2"), False),
        ("allowed", (BTC,), (BTC, ETH), True),
        ("allowed", (BTC,), None, True),
        ("restricted", (BTC, ETH), (BTC,), True),
        ("restricted", (), (BTC,), False),
        ("soft", (), ("repeat",), True),
        ("repeat_within_ms", 2_000, 1_000, True),
    ],
)
def test_which_of_two_figures_is_tighter(figure, new, old, tighter):
    assert is_tighter(figure, new, old) is tighter
    assert not (is_tighter(figure, new, old) and is_tighter(figure, old, new))
