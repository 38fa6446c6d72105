"""The client order ids that the exchange makes."""

import re

from hypothesis import given
from hypothesis import strategies as st

from tradedesk.paper.ids import made_id

KINDS = st.sampled_from(("order", "futures order", "algo order", "cancel", "list", "amend"))
THINGS = st.tuples(KINDS, st.integers(0, 1 << 53))


@given(THINGS, THINGS)
def test_an_id_made_by_the_exchange_is_as_the_venues_and_of_one_thing_only(one, other):
    assert re.fullmatch("[A-Za-z0-9]{22}", made_id(*one))
    assert (made_id(*one) == made_id(*other)) == (one == other)


def test_a_hundred_thousand_orders_in_a_row_share_no_id():
    first = 1_790_000_000_001
    assert len({made_id("order", first + n) for n in range(100_000)}) == 100_000
