"""Where a market was some minutes ago."""

from decimal import Decimal

from tradedesk.marketdata.anchor import MINUTES, SAMPLE_NS, WINDOW_NS, Anchor

SECOND = 10**9


def test_it_is_the_oldest_price_of_the_last_minutes():
    anchor = Anchor()
    assert anchor.price is None
    for second in range(0, 2 * MINUTES * 60, 5):
        anchor.note(Decimal(second), second * SECOND)
        assert anchor.price is not None
        assert 0 <= second - anchor.price <= WINDOW_NS // SECOND
    assert second - anchor.price > WINDOW_NS // SECOND - 2 * SAMPLE_NS // SECOND


def test_what_was_before_a_long_silence_is_no_anchor():
    anchor = Anchor()
    anchor.note(Decimal(100), 0)
    anchor.note(Decimal(200), WINDOW_NS + 1)
    assert anchor.price == 200
