"""What an operator is told of an amend before it leaves."""

import pytest
from order_builders import an_amend, an_instrument, an_order

from tradedesk.domain.instruments import Instrument
from tradedesk.ui.dialogs.review import what_happens


@pytest.mark.parametrize(
    ("instrument", "qty", "price", "cum", "words"),
    [
        (an_instrument(can_shrink=True), "2", "60000", "0", "keeps its place"),
        (an_instrument(can_shrink=True), "2", "60000", "1", "keeps its place"),
        (an_instrument(can_shrink=True), "2", "59000", "0", "loses its place"),
        (an_instrument(can_shrink=True), "6", "60000", "0", "loses its place"),
        (an_instrument(can_shrink=False), "2", "60000", "0", "loses its place"),
        (an_instrument(can_shrink=False), "2", "60000", "1", "placed anew at the end"),
    ],
)
def test_the_review_says_whether_the_order_keeps_its_place(
    instrument: Instrument, qty: str, price: str, cum: str, words: str
) -> None:
    """F23, F24"""
    order = an_order(qty="5", cum=cum)
    text = what_happens(order, an_amend(qty=qty, price=price), instrument)
    assert words in text
    assert len(text) <= 110
