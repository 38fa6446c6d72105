"""Which limit is in force: the most specific figure, and none at all means none (5.4)."""

from decimal import Decimal

from tradedesk.domain.limits import DEFAULT_POSITION_ORDERS, InstrumentLimits, Limits, effective
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
