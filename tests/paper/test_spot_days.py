"""Random days of one account over the wire: whatever it does, its books hold, and its events alone tell all of it."""

import json
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import pytest
from hostile_server import Hostile, RawSocket, hostile_server
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from paper_client import sign

PRICE = st.integers(5_900, 6_100).map(lambda tens: str(tens * 10))
LOTS = st.integers(1, 40).map(lambda thousandths: f"{thousandths / 1_000:.3f}")
SIDE = st.sampled_from(["BUY", "SELL"])
TIF = st.sampled_from(["GTC", "GTC", "IOC", "FOK"])
MODE = st.sampled_from(["NONE", "EXPIRE_MAKER", "EXPIRE_TAKER", "EXPIRE_BOTH", "DECREMENT"])
NEWEST = st.integers(0, 6)  # the n-th of the open orders
DOINGS = st.one_of(
    st.tuples(st.just("order"), st.fixed_dictionaries(
        {"side": SIDE, "type": st.just("LIMIT"), "quantity": LOTS, "price": PRICE, "timeInForce": TIF,
         "selfTradePreventionMode": MODE}, optional={"icebergQty": st.sampled_from(["0.001", "0.005"])})),
    st.tuples(st.just("order"), st.fixed_dictionaries(
        {"side": SIDE, "type": st.just("MARKET"), "quantity": LOTS, "selfTradePreventionMode": MODE})),
    st.tuples(st.just("order"), st.fixed_dictionaries(
        {"side": SIDE, "type": st.sampled_from(["STOP_LOSS", "TAKE_PROFIT"]), "quantity": LOTS},
        optional={"stopPrice": PRICE, "trailingDelta": st.integers(10, 60)})),
    st.tuples(st.just("order"), st.fixed_dictionaries(
        {"side": SIDE, "type": st.sampled_from(["STOP_LOSS_LIMIT", "TAKE_PROFIT_LIMIT"]), "quantity": LOTS, "price": PRICE,
         "timeInForce": TIF, "stopPrice": PRICE})),
    st.tuples(st.just("orderList/oco"), st.fixed_dictionaries(
        {"side": st.just("SELL"), "quantity": LOTS, "aboveType": st.just("LIMIT_MAKER"), "abovePrice": PRICE,
         "belowType": st.just("STOP_LOSS"), "belowStopPrice": PRICE, "selfTradePreventionMode": MODE})),
    st.tuples(st.just("orderList/oco"), st.fixed_dictionaries(
        {"side": st.just("BUY"), "quantity": LOTS, "aboveType": st.just("STOP_LOSS_LIMIT"), "abovePrice": PRICE,
         "aboveStopPrice": PRICE, "aboveTimeInForce": TIF, "belowType": st.just("TAKE_PROFIT"), "belowStopPrice": PRICE})),
    st.tuples(st.just("orderList/oto"), st.fixed_dictionaries(
        {"workingType": st.just("LIMIT"), "workingSide": SIDE, "workingPrice": PRICE, "workingQuantity": LOTS,
         "workingTimeInForce": TIF, "pendingType": st.just("MARKET"), "pendingSide": SIDE, "pendingQuantity": LOTS,
         "selfTradePreventionMode": MODE})),
    st.tuples(st.just("orderList/otoco"), st.fixed_dictionaries(
        {"workingType": st.just("LIMIT"), "workingSide": SIDE, "workingPrice": PRICE, "workingQuantity": LOTS,
         "workingTimeInForce": TIF, "pendingSide": st.just("SELL"), "pendingQuantity": LOTS,
         "pendingAboveType": st.just("LIMIT_MAKER"), "pendingAbovePrice": PRICE, "pendingBelowType": st.just("STOP_LOSS_LIMIT"),
         "pendingBelowStopPrice": PRICE, "pendingBelowPrice": PRICE, "pendingBelowTimeInForce": TIF})),
    st.tuples(st.just("cancel"), NEWEST), st.tuples(st.just("amend"), st.tuples(NEWEST, LOTS)),
    st.tuples(st.just("replace"), st.tuples(NEWEST, PRICE, LOTS)),
)  # fmt: skip
DAY = st.lists(DOINGS, min_size=5, max_size=30)
FEW = settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


@pytest.fixture(scope="module")
def server() -> Iterator[Hostile]:
    with hostile_server() as hostile:
        yield hostile
        assert hostile.complaints.bugs() == []


class Trader:
    """The one account: asks, and does what a day says."""

    def __init__(self, server: Hostile) -> None:
        self._server = server

    def ask(self, method: str, path: str, **terms: Any) -> Any:
        """The body of the answer; an error must be a documented refusal."""
        sent = urlencode({"timestamp": time.time_ns() // 1_000_000} | terms)
        target = f"/api/v3/{path}?{sent}&signature={sign(self._server.secret, sent)}"
        status, raw = self._server.http(method, target, X_MBX_APIKEY=self._server.api_key)
        body = json.loads(raw)
        assert status in (200, 400, 409), (method, path, terms, body)
        assert status == 200 or body["code"] < 0
        return body

    def of_symbol(self, method: str, path: str, **terms: Any) -> Any:
        return self.ask(method, path, symbol="BTCUSDT", **terms)

    def live(self, doings: list[tuple[str, Any]]) -> None:
        for what, terms in doings:
            if isinstance(terms, dict):
                self.of_symbol("POST", what, **terms)
                continue
            shown = self.of_symbol("GET", "openOrders")
            place = terms if what == "cancel" else terms[0]
            if place >= len(shown):
                continue
            which = shown[-1 - place]["orderId"]
            if what == "cancel":
                self.of_symbol("DELETE", "order", orderId=which)
            elif what == "amend":
                self.of_symbol("PUT", "order/amend/keepPriority", orderId=which, newQty=terms[1])
            else:
                new = {"side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "price": terms[1], "quantity": terms[2]}
                how = {"cancelReplaceMode": "ALLOW_FAILURE", "cancelOrderId": which}
                self.of_symbol("POST", "order/cancelReplace", **new, **how)


@FEW
@given(DAY)
def test_whatever_an_account_does_nothing_is_left_locked(server: Hostile, doings: list[tuple[str, Any]]) -> None:
    trader = Trader(server)
    trader.of_symbol("DELETE", "openOrders")  # what a day that failed may have left
    trader.live(doings)
    for row in trader.of_symbol("GET", "openOrders"):
        assert trader.of_symbol("GET", "order", orderId=row["orderId"]) == row
        assert row["status"] in ("NEW", "PARTIALLY_FILLED", "PENDING_NEW")
    trader.of_symbol("DELETE", "openOrders")
    assert trader.of_symbol("GET", "openOrders") == []
    assert trader.ask("GET", "openOrderList") == []
    assert {row["locked"] for row in trader.ask("GET", "account")["balances"]} == {"0.00000000"}


class Ledger:
    """What the events of the user data stream alone tell."""

    def __init__(self) -> None:
        self.orders: dict[int, dict[str, Any]] = {}  # the last report
        self.names: dict[int, str] = {}
        self.fills: dict[int, list[str]] = {}
        self.trades: set[tuple[int, int]] = set()
        self.lists: dict[int, dict[str, Any]] = {}
        self.balances: dict[str, tuple[str, str]] = {}
        self.executions: list[int] = []

    def hear(self, event: dict[str, Any]) -> None:
        match event["e"]:
            case "executionReport":
                order_id = event["i"]
                self.orders[order_id] = event
                self.names[order_id] = event["C"] if event["x"] == "CANCELED" else event["c"]
                self.executions.append(event["I"])
                if event["x"] == "TRADE":
                    self.fills.setdefault(order_id, []).append(event["l"])
                    self.trades.add((order_id, event["t"]))
            case "listStatus":
                self.lists[event["g"]] = event
            case "outboundAccountPosition":
                self.balances |= {row["a"]: (row["f"], row["l"]) for row in event["B"]}


@FEW
@given(DAY)
def test_the_events_alone_tell_every_order_list_trade_and_balance(
    server: Hostile, doings: list[tuple[str, Any]]
) -> None:
    trader, ledger = Trader(server), Ledger()
    trader.of_symbol("DELETE", "openOrders")  # what a day that failed may have left
    socket = RawSocket(server)
    values = {"apiKey": server.api_key, "timestamp": str(time.time_ns() // 1_000_000)}
    payload = "&".join(f"{name}={value}" for name, value in sorted(values.items()))
    params = values | {"signature": sign(server.secret, payload)}
    socket.send(json.dumps({"id": 1, "method": "userDataStream.subscribe.signature", "params": params}).encode())
    assert socket.receive()["status"] == 200
    trader.live(doings)
    socket.send(b'{"id": 2, "method": "ping"}')  # answered behind every event there is
    while "event" in (frame := socket.receive()):
        ledger.hear(frame["event"])
    socket.close()

    assert ledger.executions == sorted(set(ledger.executions)), "an execution id twice, or out of order"
    for order_id, told in ledger.orders.items():
        if told["x"] == "REJECTED":
            continue
        row = trader.of_symbol("GET", "order", orderId=order_id)
        assert row["clientOrderId"] == ledger.names[order_id]
        assert (row["status"], row["origQty"], row["executedQty"], row["cummulativeQuoteQty"], row["orderListId"]) == (
            told["X"], told["q"], told["z"], told["Z"], told["g"],
        )  # fmt: skip
        assert (row["type"], row["side"], row["price"], row["stopPrice"], row["icebergQty"]) == (
            told["o"], told["S"], told["p"], told["P"], told["F"],
        )  # fmt: skip
        assert row["workingTime"] == told.get("W", -1)
        assert row.get("expiryReason") == told.get("eR")
        assert sum(map(float, ledger.fills.get(order_id, []))) == pytest.approx(float(told["z"]))
        of_order = trader.of_symbol("GET", "myTrades", orderId=order_id)
        assert {(row["orderId"], row["id"]) for row in of_order} == {
            pair for pair in ledger.trades if pair[0] == order_id
        }
    for list_id, told in ledger.lists.items():
        row = trader.ask("GET", "orderList", orderListId=list_id)
        status = "EXEC_STARTED" if told["l"] == "UPDATED" else told["l"]  # that an id changed is news, not a state
        assert (row["listStatusType"], row["listOrderStatus"], row["listClientOrderId"]) == (
            status,
            told["L"],
            told["C"],
        )
        assert [leg["clientOrderId"] for leg in row["orders"]] == [leg["c"] for leg in told["O"]]
    held = {row["asset"]: (row["free"], row["locked"]) for row in trader.ask("GET", "account")["balances"]}
    assert held | ledger.balances == held
    trader.of_symbol("DELETE", "openOrders")
