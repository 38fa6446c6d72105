"""Faults as data: the strict reading of file and posting, when a rule strikes, and what it makes of answers. No server."""

import tomllib
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradedesk.paper.fault_forms import altered, crossed, spoken, thin
from tradedesk.paper.fault_rules import SECOND, Facts, Rules, operation
from tradedesk.paper.faults import (
    _FIELDS,
    KINDS,
    MOST_FAULTS,
    Fault,
    FaultsError,
    Filters,
    as_document,
    from_document,
    many,
    posted,
    read,
)
from tradedesk.paper.server.futures import routes as futures_routes
from tradedesk.paper.server.spot import routes as spot_routes

T0 = 1_700_000_000 * SECOND


def wrong(table: object, **more: object) -> str:
    with pytest.raises(FaultsError) as caught:
        many([table | more] if isinstance(table, dict) else [table])
    return str(caught.value)


# -- reading --------------------------------------------------------------------------------------------------------------

JUNK = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
NEARLY = st.dictionaries(
    st.sampled_from([*sorted(_FIELDS), "kind", "what"]),
    JUNK
    | st.sampled_from(["spot", "rest", "acme", "0.5", 1, 2.5, -1007, "BUY", "fill", "TRADING", "kept", {"p": "0"}]),
    max_size=8,
)


@given(NEARLY.flatmap(lambda table: st.sampled_from(sorted(KINDS)).map(lambda kind: table | {"kind": kind})) | JUNK)
def test_whatever_is_posted_is_a_fault_or_sentences_that_name_entry_and_field(body):
    try:
        faults = posted(body)
    except FaultsError as error:
        for sentence in str(error).split("\n"):
            assert sentence.startswith("faults"), sentence
            assert ": " in sentence
            assert len(sentence) < 1_500
        return
    assert all(isinstance(fault, Fault) for fault in faults)
    assert many([as_document(fault) for fault in faults]) == faults  # what is shown can be posted again


@given(st.text(max_size=200))
def test_any_text_is_a_script_or_a_sentence(text):
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return
    with pytest.raises(FaultsError):
        from_document(document, "f.toml: ")


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        ({"kind": "lost"}, "faults[0].kind: is not known; use lose, mute, late,"),
        ({}, "faults[0].kind: is not known"),
        (5, "faults[0]: must be a table"),
        ({"kind": "late"}, "faults[0].seconds: is missing; late needs it: processed, answered n seconds later"),
        ({"kind": "late", "seconds": "5"}, "faults[0].seconds: must be seconds from 0 to 604800"),
        ({"kind": "late", "seconds": True}, "faults[0].seconds: must be seconds"),
        ({"kind": "late", "seconds": float("nan")}, "faults[0].seconds: must be seconds"),
        ({"kind": "mute", "colour": 1}, "faults[0].colour: goes not with mute; use kind, seconds, end, market,"),
        ({"kind": "mute", "event": "trade"}, "faults[0].event: goes not with mute"),
        ({"kind": "mute", "count": 0}, "faults[0].count: must be a whole number from 1"),
        ({"kind": "mute", "chance": 1.5}, "faults[0].chance: must be a number from 0 to 1"),
        ({"kind": "mute", "transport": "udp"}, "faults[0].transport: must be rest or wsapi or stream"),
        ({"kind": "mute", "account": ""}, "faults[0].account: must be a text of 1 to 200 printable characters"),
        ({"kind": "mute", "account": "\x1b[0m"}, "faults[0].account: must be a text"),
        ({"kind": "say"}, "faults[0].answer: is missing"),
        ({"kind": "say", "answer": 7}, "faults[0].answer: must be a venue code (like -1007), an HTTP status"),
        ({"kind": "say", "answer": 307}, "faults[0].url: goes with a status from 300 to 399, and they need it"),
        ({"kind": "say", "answer": 502, "url": "http://x"}, "faults[0].url: goes with a status from 300"),
        ({"kind": "say", "answer": 307, "url": "ftp://x"}, "faults[0].url: must begin with http:// or https://"),
        ({"kind": "book", "what": "hole"}, "faults[0].what: must be gap or cross or stale"),
        ({"kind": "alter", "set": {}}, "faults[0].set: must be a table of values by name"),
        ({"kind": "alter", "set": {"a": 1}, "event": "x", "method": "y"}, "faults[0].event: goes without method"),
        ({"kind": "stale", "seconds": 61}, "faults[0].seconds: must be seconds from 0.001 to 60"),
        ({"kind": "skew", "seconds": 1, "count": 1}, "faults[0].count: goes not with skew"),
        ({"kind": "bust", "instrument": "X", "trade_id": 1, "for": 5}, "faults[0].for: goes not with bust"),
        ({"kind": "ext", "what": "order", "account": "a", "instrument": "X"}, "faults[0].side: is missing; a foreign"),
        ({"kind": "ext", "what": "cancel", "account": "a", "instrument": "X"}, "faults[0].order_id: is missing"),
        ({"kind": "move", "account": "a", "asset": "X", "amount": 0.5, "type": "FEE"}, "faults[0].amount: must be a text"),
        ({"kind": "move", "account": "a", "asset": "X", "amount": "0", "type": "FEE"}, "faults[0].amount: must not be 0"),
        ({"kind": "move", "account": "a", "asset": "X", "amount": "1", "type": "deposit"}, "faults[0].type: must be DEPOSIT, WITHDRAW"),
        ({"kind": "restart", "state": "old"}, "faults[0].at: must be above 0: the old state is that of the posting"),
    ],
)  # fmt: skip
def test_a_mistake_is_named_with_its_entry_and_field(fault, sentence):
    said = wrong(fault)
    assert said.startswith(sentence), said


def test_every_mistake_of_a_file_is_told_at_once_and_a_good_file_is_read(tmp_path):
    file = tmp_path / "faults.toml"
    file.write_text(
        'seed = 7\n[[faults]]\nkind = "mute"\naccount = "acme"\nmethod = "place"\nat = 5\nfor = 60\nafter = 2\n'
        'count = 1\nchance = 0.5\n[[faults]]\nkind = "move"\naccount = "acme"\nasset = "BNB"\namount = "1.5"\n'
        'type = "DEPOSIT"\n'
    )
    seed, faults = read(file)
    assert seed == 7
    assert faults == [
        Fault(
            kind="mute", at=5.0, for_s=60.0, count=1, after=2, chance=0.5,
            filters=Filters(account="acme", method="place"),
        ),
        Fault(kind="move", terms={"account": "acme", "asset": "BNB", "amount": Decimal("1.5"), "type": "DEPOSIT"}),
    ]  # fmt: skip
    file.write_text('[[faults]]\nkind = "late"\n[[faults]]\nkind = "dup"\nseconds = 1\n')
    with pytest.raises(FaultsError) as caught:
        read(file)
    first, second = str(caught.value).split("\n")
    assert first.startswith(f"{file}: faults[0].seconds: is missing")
    assert second.startswith(f"{file}: faults[1].seconds: goes not with dup")
    for text, part in (
        ("seed = -1\nfaults = [{kind = 'dup'}]", "seed: must be a whole number from 0"),
        ("colour = 1", "colour: is not known; use seed and faults"),
        ("seed = 1", "faults: is missing"),
        ("faults = 5", "faults: must be a list"),
        ("x = [", "is not TOML"),
        ("faults = [" + "{kind = 'dup'}, " * (MOST_FAULTS + 1) + "]", "are too many"),
    ):
        file.write_text(text)
        with pytest.raises(FaultsError) as caught:
            read(file)
        assert str(caught.value).startswith(f"{file}: "), text[:40]
        assert part in str(caught.value)
    with pytest.raises(FaultsError, match="cannot be read"):
        read(tmp_path / "nowhere.toml")


# -- when one strikes -----------------------------------------------------------------------------------------------------

PLACE = Facts(
    market="spot", transport="rest", accounts=("acme",), instruments=("BTCUSDT",),
    methods=("POST /api/v3/order", "place"), client_order_ids=("desk-1",),
)  # fmt: skip


def strikes(
    *faults: Fault, facts: Facts = PLACE, times: int = 10, seed: int = 1, step_s: float = 1.0
) -> list[int | None]:
    """Which rule struck at each of so many matches, one every `step_s`."""
    rules = Rules(seed)
    rules.add(faults, T0)
    found = [rules.strike("requests", facts, T0 + round(number * step_s * SECOND)) for number in range(times)]
    return [rule.id if rule else None for rule in found]


def test_a_rule_strikes_in_its_time_after_so_many_and_so_often():
    assert strikes(Fault(kind="cut", at=2, for_s=3)) == [None, None, 1, 1, 1, None, None, None, None, None]
    assert strikes(Fault(kind="cut", after=3, count=2)) == [None, None, None, 1, 1, None, None, None, None, None]
    assert strikes(Fault(kind="cut", at=1, after=1, count=1)) == [
        None,
        None,
        1,
        None,
        None,
        None,
        None,
        None,
        None,
        None,
    ]


def test_the_oldest_rule_strikes_and_the_next_one_when_it_is_spent():
    assert strikes(Fault(kind="cut", count=1), Fault(kind="mute", count=2), times=4) == [1, 2, 2, None]


@given(st.integers(0, 2**32), st.floats(0, 1), st.integers(0, 5), st.integers(1, 5))
def test_the_same_seed_strikes_the_same_and_never_more_than_its_count(seed, chance, after, count):
    fault = Fault(kind="cut", chance=chance, after=after, count=count)
    first = strikes(fault, seed=seed, times=30)
    assert first == strikes(fault, seed=seed, times=30)
    assert first[:after] == [None] * after
    assert sum(struck is not None for struck in first) <= count


@pytest.mark.parametrize(
    ("filters", "fits"),
    [
        (Filters(), True),
        (Filters(market="spot", transport="rest", account="acme", instrument="BTCUSDT"), True),
        (Filters(method="place", client_order_id="desk-*"), True),
        (Filters(method="POST */order"), True),
        (Filters(instrument="*USDT"), True),
        (Filters(market="futures"), False),
        (Filters(transport="wsapi"), False),
        (Filters(account="birch"), False),
        (Filters(instrument="ETH*"), False),
        (Filters(method="GET *"), False),
        (Filters(client_order_id="other-*"), False),
    ],
)
def test_a_filter_is_a_glob_over_what_is_known(filters, fits):
    assert (strikes(Fault(kind="cut", filters=filters), times=1) == [1]) == fits


def test_what_is_not_known_of_a_request_fits_no_filter_for_it():
    bare = Facts(market="spot", transport="rest")
    assert strikes(Fault(kind="cut", filters=Filters(account="*")), facts=bare, times=1) == [None]
    assert strikes(Fault(kind="cut"), facts=bare, times=1) == [1]


def test_rules_are_bounded_and_spent_ones_make_room():
    rules = Rules(1)
    rules.add([Fault(kind="cut", for_s=1)] * MOST_FAULTS, T0)
    with pytest.raises(FaultsError, match="at most 1000, remove some first"):
        rules.add([Fault(kind="cut")], T0)
    rules.add([Fault(kind="cut")], T0 + 2 * SECOND)
    assert len(rules.all()) == MOST_FAULTS


def test_every_route_has_its_operation_in_words():
    """A filter on `place` must meet every way to place, on both markets and both doors."""
    words: dict[str, set[str]] = {}
    for table in (spot_routes.REST, futures_routes.REST):
        for method, path in table:
            words.setdefault(operation(method, path), set()).add(f"{method} {path}")
    for socket_table in (spot_routes.SOCKET, futures_routes.SOCKET):
        for method in socket_table:
            words.setdefault(operation(method), set()).add(method)
    orders = {
        name
        for table in (spot_routes.REST, futures_routes.REST)
        for (method, path), route in table.items()
        for name in [f"{method} {path}"]
        if route.is_order
    }
    known = words["place"] | words["cancel"] | words["cancel_all"] | words["amend"] | words["replace"]
    assert orders - known <= {name for name in orders if "countdown" in name.lower()}, orders - known
    assert {"POST /api/v3/order", "order.place", "POST /fapi/v1/order", "POST /fapi/v1/batchOrders",
            "POST /api/v3/orderList/oco", "orderList.place.oco", "POST /fapi/v1/algoOrder"} <= words["place"]  # fmt: skip
    assert {"DELETE /api/v3/order", "order.cancel", "DELETE /fapi/v1/order", "orderList.cancel"} <= words["cancel"]
    assert {"DELETE /api/v3/openOrders", "openOrders.cancelAll", "DELETE /fapi/v1/allOpenOrders"} <= words["cancel_all"]
    assert {"GET /api/v3/order", "order.status"} <= words["query"]
    assert {"GET /api/v3/openOrders", "openOrders.status"} <= words["open_orders"]
    assert {"GET /api/v3/account", "account.status", "GET /fapi/v2/account"} <= words["account"]
    assert {"GET /api/v3/myTrades", "myTrades", "GET /fapi/v1/userTrades"} <= words["trades"]
    assert {
        "PUT /api/v3/order/amend/keepPriority",
        "order.amend.keepPriority",
        "PUT /fapi/v1/order",
        "order.modify",
    } <= words["amend"]
    assert {"POST /api/v3/order/cancelReplace", "order.cancelReplace"} <= words["replace"]
    assert {"POST /api/v3/order/test", "order.test"} <= words["test"]


# -- what it makes of answers ---------------------------------------------------------------------------------------------


def test_thin_keeps_the_ids_of_every_order_in_an_answer():
    order = {"symbol": "BTCUSDT", "orderId": 1, "clientOrderId": "a", "status": "NEW", "price": "1"}
    assert thin(order) == {"orderId": 1, "clientOrderId": "a"}
    assert thin([order, order | {"orderId": 2}]) == [
        {"orderId": 1, "clientOrderId": "a"},
        {"orderId": 2, "clientOrderId": "a"},
    ]
    listed = {"orderListId": 3, "listClientOrderId": "l", "listOrderStatus": "EXECUTING", "orders": [order]}
    assert thin(listed) == {
        "orderListId": 3,
        "listClientOrderId": "l",
        "orders": [{"orderId": 1, "clientOrderId": "a"}],
    }
    both = {"cancelResult": "SUCCESS", "cancelResponse": order, "newOrderResponse": order | {"orderId": 2}}
    assert thin(both) == {
        "cancelResult": "SUCCESS", "cancelResponse": {"orderId": 1, "clientOrderId": "a"},
        "newOrderResponse": {"orderId": 2, "clientOrderId": "a"},
    }  # fmt: skip
    assert thin({"serverTime": 5}) == {"serverTime": 5}


def test_a_field_is_set_by_its_path_and_nothing_else_changes():
    event = {"e": "x", "o": {"L": "1", "l": "2"}, "b": [["1", "2"], ["3", "4"]]}
    assert altered(event, {"o.L": "9", "b.1.0": "NaN", "new": 1}) == {
        "e": "x", "o": {"L": "9", "l": "2"}, "b": [["1", "2"], ["NaN", "4"]], "new": 1,
    }  # fmt: skip
    assert event["o"] == {"L": "1", "l": "2"}
    assert altered(event, {"nowhere.x": 1, "b.7.0": 1, "e.0": 1}) == event


@given(JUNK, st.dictionaries(st.text(max_size=9), JUNK, min_size=1, max_size=3))
def test_altering_never_fails(value, settings):
    altered(value, settings)


def level(price: int) -> list[str]:
    return [f"{price}.00", "1.50"]


@given(st.lists(st.integers(1, 99), max_size=4, unique=True), st.lists(st.integers(100, 199), max_size=4, unique=True))
def test_a_crossed_book_has_a_bid_at_an_ask_or_above_every_price_it_shows(bids, asks):
    if not bids and not asks:
        return
    for names in (("b", "a"), ("bids", "asks")):
        made: Any = crossed({names[0]: [level(p) for p in bids], names[1]: [level(p) for p in asks]})
        best = max(Decimal(price) for price, _ in made[names[0]])
        shown = [Decimal(p) for p in asks] or [Decimal(p) for p in bids]
        assert best >= max(shown)
        assert made[names[1]] == [level(p) for p in asks]


def test_an_answer_is_spoken_as_its_terms_say():
    said = spoken({"answer": -1007, "status": 504, "retry_after": 3})
    assert (said.status, said.code, said.headers) == (504, -1007, {"Retry-After": "3"})
    assert spoken({"answer": -4242}).message == "Refused."
    assert (spoken({"answer": 599}).status, spoken({"answer": 599}).message) == (599, "Unknown")
    assert spoken({"answer": "Market is closed."}).code == -2010
    assert (spoken({"answer": "plain", "status": 201}).status, spoken({"answer": "plain"}).text) == (201, "plain")
