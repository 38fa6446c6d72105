"""The sums over live orders say what going through all of them says, however they came and went."""

from decimal import Decimal

from builders import BTCUSDT, an_order
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from tradedesk.domain.orders import Order, OrdStatus
from tradedesk.domain.words import ClientOrderId, InstrumentId, Side
from tradedesk.domain.worst_case import worst_case
from tradedesk.orders.working import Working

KEYS = [ClientOrderId(f"c{number}") for number in range(12)]
ETHUSDT = InstrumentId("binance:ETHUSDT")
PLACES = [(instrument, side) for instrument in (BTCUSDT, ETHUSDT) for side in Side]
keys = st.sampled_from(KEYS)
made = st.builds(
    lambda key, qty, status, replaces, triggered_by, is_external: replace(
        an_order(status, qty=str(qty), client_order_id=key, is_external=is_external),
        replaces=replaces,
        triggered_by=triggered_by,
    ),
    keys,
    st.integers(1, 9),
    st.sampled_from((OrdStatus.New, OrdStatus.PendingNew)),
    st.none() | keys,
    st.none() | keys,
    st.booleans(),
)


@settings(max_examples=400, deadline=None)
@given(st.lists(st.one_of(made, made, keys), max_size=40), st.sets(st.none() | keys, max_size=2), st.integers(-5, 5))
def test_the_sums_are_what_going_through_all_orders_gives(
    steps: list[Order | ClientOrderId], without: set[ClientOrderId | None], qty: int
) -> None:
    """5.4. A family stays in its instrument and on its side, as at a venue."""
    live: dict[ClientOrderId, Order] = {}
    working = Working()
    place_of = {key: PLACES[int(key[1:]) % 4] for key in KEYS}
    for step in steps:
        if isinstance(step, str):
            live.pop(step, None)
            working.drop(step)
            continue
        at = place_of[step.client_order_id]
        links = [None if key is None or place_of[key] != at else key for key in (step.replaces, step.triggered_by)]
        order = replace(step, instrument=at[0], side=at[1], replaces=links[0], triggered_by=links[1])
        live[order.client_order_id] = order
        working.put(order)
    others = [order for key, order in live.items() if key not in without]
    for instrument in (BTCUSDT, ETHUSDT):
        there = [order for order in others if order.instrument == instrument]
        assert working.worst(instrument, Decimal(qty), without) == worst_case(Decimal(qty), there)
    assert working.ours(without) == sum(not order.is_external for order in others)
    assert {order.client_order_id for order in working.unplaced(without)} == {
        order.client_order_id for order in others if order.ord_status is OrdStatus.PendingNew
    }
    fresh = Working(live.values())
    assert vars(fresh)["_alone"] == vars(working)["_alone"]


def test_an_order_amended_again_and_again_is_no_family_once_the_old_ones_are_dead() -> None:
    """Else the cost of a decision would grow with every amend of the day."""
    working = Working()
    for number in range(100):
        born = an_order(OrdStatus.New, client_order_id=f"c{number}", replaces=f"c{number - 1}" if number else None)
        working.put(born)
        if number:
            working.drop(ClientOrderId(f"c{number - 1}"))
    assert (len(working._alone), sum(map(len, working._families.values()))) == (1, 0)
    assert len(working._heirs) == 1
