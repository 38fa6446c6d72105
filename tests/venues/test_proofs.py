"""The table of proofs and the numbers of an order, without a venue."""

import re
from decimal import Decimal

import msgspec
from builders import an_instrument, an_order
from hypothesis import given
from hypothesis import strategies as st
from order_builders import Rig

from tradedesk.domain.orders import OrderState
from tradedesk.domain.words import AccountId, VenueId
from tradedesk.venues import spot
from tradedesk.venues.outcomes import ANY, PROOF_OF_REFUSAL, Asked, Spoken, is_refusal, spoken


@given(
    code=st.integers(-5000, 0), text=st.text(max_size=40), status=st.integers(100, 599), asked=st.sampled_from(Asked)
)
def test_only_the_table_and_only_with_a_client_error_is_proof(code: int, text: str, status: int, asked: Asked) -> None:
    said = Spoken(status=status, code=code, text=text)
    in_table = (code, ANY) in PROOF_OF_REFUSAL[asked] or (code, text) in PROOF_OF_REFUSAL[asked]
    assert is_refusal(asked, said) is (in_table and status in (400, 401, 409, 418, 429))


@given(
    lots=st.integers(1, 10**10),
    ticks=st.integers(1, 10**10),
    lot=st.sampled_from(["0.00001", "1", "1000", "0.00000001"]),
    tick=st.sampled_from(["0.01", "1", "0.00000001"]),
)
def test_numbers_go_out_as_they_are(lots: int, ticks: int, lot: str, tick: str) -> None:
    """5.10"""
    instrument = an_instrument(tick=tick, lot=lot)
    order = an_order(qty=str(lots * Decimal(lot)), price=str(ticks * Decimal(tick)))
    assert spot.why_not_sendable(order, instrument) is None
    sent = spot.new_order_parameters(order, instrument)
    assert (Decimal(sent["quantity"]), Decimal(sent["price"])) == (order.order_qty, order.price)
    assert re.fullmatch(r"[0-9]+(\.[0-9]+)?", sent["quantity"])
    assert re.fullmatch(r"[0-9]+(\.[0-9]+)?", sent["price"])


def test_control_characters_never_leave_what_was_spoken() -> None:
    said = spoken(400, {"code": -1, "msg": "key \x07\u202e"})
    assert said is not None
    assert said.text == "key "
    assert spoken(400, {"code": True, "msg": "x"}) is None
    assert spoken(400, ["x"]) is None


def test_an_untouched_order_is_replaced_only_while_it_is_untouched() -> None:
    """F46: a fill in between would stand beside the new order's full quantity."""
    new, untouched = an_order(client_order_id="c2"), an_order()
    assert spot.replace_parameters(new, untouched, an_instrument())["cancelRestrictions"] == "ONLY_NEW"
    touched = msgspec.structs.replace(untouched, cum_qty=Decimal("0.01"))
    assert "cancelRestrictions" not in spot.replace_parameters(new, touched, an_instrument())


def test_F25_an_order_that_self_trade_prevention_ends_is_dead_and_says_why() -> None:
    """As the venue tells it: x=TRADE_PREVENTION, X=EXPIRED_IN_MATCH, with what traded before."""
    event = {
        "e": "executionReport", "E": 1764000000123, "s": "BTCUSDT", "c": "c1", "S": "BUY", "o": "LIMIT", "f": "GTC",
        "q": "1.00000000", "p": "60000.00000000", "C": "", "x": "TRADE_PREVENTION", "X": "EXPIRED_IN_MATCH", "r": "NONE",
        "i": 28, "l": "0.00000000", "z": "0.00000000", "L": "0.00000000", "n": "0", "N": None, "T": 1764000000123, "t": -1,
        "v": 3, "A": "1.00000000", "B": "1.00000000", "u": 1, "U": 29,
    }  # fmt: skip
    report = spot.read_execution_report(event, VenueId("binance"), AccountId("acme"))
    rig = Rig()
    rig.place("c1")
    rig.tell(report)
    assert (rig.state("c1"), rig.order("c1").reasons) == (OrderState.Expired, ("self-trade prevention",))
    assert rig.order("c1").leaves_qty == 0
    rig.tell(report)  # once more changes nothing
    assert rig.alerts() == []
