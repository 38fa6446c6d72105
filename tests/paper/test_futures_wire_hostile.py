"""Whatever is asked of any USD-M endpoint gets an answer or a refusal with a code: nothing else comes out, nothing breaks."""

import json
from decimal import Decimal

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tradedesk.clock import ManualClock
from tradedesk.paper.accounts import Account, Key, futures_specs
from tradedesk.paper.futures.contracts import default_contracts
from tradedesk.paper.futures.exchange import FuturesExchange
from tradedesk.paper.futures.rows import Type
from tradedesk.paper.market import Quiet
from tradedesk.paper.rows import Refusal
from tradedesk.paper.server.front import Commons
from tradedesk.paper.server.futures import routes
from tradedesk.paper.server.futures.front import FuturesFront
from tradedesk.paper.server.limits import Limits, RateLimits
from tradedesk.paper.server.parameters import Parameters

NOW = 1_723_161_254_000_000_000
NAMES = [
    "side", "type", "quantity", "price", "timeInForce", "positionSide", "reduceOnly", "closePosition", "stopPrice",
    "activationPrice", "activatePrice", "callbackRate", "workingType", "priceProtect", "priceMatch", "newClientOrderId",
    "selfTradePreventionMode", "goodTillDate", "newOrderRespType", "orderId", "origClientOrderId", "orderIdList",
    "origClientOrderIdList", "batchOrders", "algoType", "algoId", "clientAlgoId", "triggerPrice", "leverage", "marginType",
    "amount", "dualSidePosition", "multiAssetsMargin", "feeBurn", "countdownTime", "incomeType", "limit", "page", "fromId",
    "startTime", "endTime", "interval", "pair", "contractType", "autoCloseType", "listenKey",
]  # fmt: skip
LEG = '{"symbol":"BTCUSDT","side":"BUY","type":"LIMIT","quantity":"0.01","price":59000,"timeInForce":"GTC"}'
LIKELY = st.sampled_from(
    ["BTCUSDT", "ETHUSDT", "BUY", "SELL", "LIMIT", "MARKET", "STOP", "STOP_MARKET", "TAKE_PROFIT_MARKET", "TRAILING_STOP_MARKET",
     "GTC", "GTX", "GTD", "IOC", "FOK", "LONG", "SHORT", "BOTH", "true", "false", "0.01", "0.1", "59000", "60000", "61000", "1",
     "2", "10", "125", "MARK_PRICE", "OPPONENT", "QUEUE_5", "EXPIRE_MAKER", "ISOLATED", "CROSSED", "CONDITIONAL", "1h",
     "PERPETUAL", "COMMISSION", "a", "b", f"[{LEG}]", f"[{LEG},{LEG}]", "[1,2]", '["a","b"]', "1723161254000", "1723161955000"]
)  # fmt: skip
NASTY = st.sampled_from(
    ["", "0", "-1", "1e-5", "NaN", "Infinity", "٣", "9" * 19, "9" * 20, "9" * 400, "0." + "0" * 30 + "1", "null", "[]", "{}",
     "[" * 200, "[null]", "[1.5]", "[true]", '[{"symbol":{}}]', '[{"quantity":[1]}]', '[{"symbol":"BTCUSDT","side":1e400}]',
     "\x00", "' OR 1=1 --", "%ff", "\U0001f600", "a" * 5_000, "btcusdt", "+1", " 1 ", "1.", ".1", "9223372036854775808",
     "253402300800000"]
)  # fmt: skip
VALUES = st.one_of(LIKELY, NASTY, st.text(max_size=20), st.integers(-5, 2**66).map(str))
TERMS = st.fixed_dictionaries(
    {}, optional={"symbol": st.one_of(st.just("BTCUSDT"), VALUES)} | dict.fromkeys(NAMES, VALUES)
)
SIDES = st.sampled_from(["BUY", "SELL"])
LOTS = st.integers(2, 300).map(lambda lots: f"{lots / 1000:.3f}")
PRICES = st.integers(590_000, 610_000).map(lambda ticks: f"{ticks / 10:.1f}")
FLAGS = st.sampled_from(["true", "false"])


def _of(kind: str, *names: str) -> st.SearchStrategy[dict[str, str]]:
    """Orders of a kind with all it must have, and some that it may."""
    parts = {
        "quantity": LOTS,
        "price": PRICES,
        "stopPrice": PRICES,
        "timeInForce": st.sampled_from(["GTC", "IOC", "FOK", "GTX"]),
    }
    return st.fixed_dictionaries(
        {"symbol": st.just("BTCUSDT"), "side": SIDES, "type": st.just(kind)} | {name: parts[name] for name in names},
        optional={"reduceOnly": FLAGS, "newClientOrderId": st.sampled_from(["a", "b"])},
    )


WILD = st.fixed_dictionaries(
    {
        "symbol": st.just("BTCUSDT"),
        "side": SIDES,
        "type": st.one_of(st.sampled_from(list(Type)), NASTY),
        "quantity": LOTS,
    },
    optional={
        "price": st.one_of(PRICES, NASTY),
        "stopPrice": st.one_of(PRICES, NASTY),
        "timeInForce": st.sampled_from(["GTC", "GTD"]),
        "positionSide": st.sampled_from(["BOTH", "LONG", "SHORT"]),
        "closePosition": FLAGS,
        "priceMatch": st.sampled_from(["NONE", "OPPONENT", "QUEUE_20"]),
        "callbackRate": st.sampled_from(["0.1", "5", "11"]),
        "goodTillDate": st.sampled_from(["1723162255000", "1"]),
    },
)
ORDERS = st.one_of(
    _of("LIMIT", "quantity", "price", "timeInForce"),
    _of("LIMIT", "quantity", "price", "timeInForce"),
    _of("MARKET", "quantity"),
    _of("STOP_MARKET", "quantity", "stopPrice"),
    _of("TAKE_PROFIT", "quantity", "price", "stopPrice"),
    WILD,
)
MANY = RateLimits(weight_per_minute=10**9, orders_per_10_seconds=10**9, orders_per_minute=10**9)


class Desk:
    """The market without doors: two accounts, nobody else, a clock that stands."""

    def __init__(self) -> None:
        self.keys = [Key(name=name, api_key=name * 16, secret=name) for name in ("acme", "birch")]
        accounts = [
            Account(name=key.name, keys=(key,), balances={}, futures={"USDT": Decimal(10**6)}) for key in self.keys
        ]
        self.clock = ManualClock(NOW)
        exchange = FuturesExchange(
            default_contracts(), futures_specs(accounts), Quiet(), now=NOW, index=lambda _symbol, _now: Decimal(60_000)
        )
        self.front = FuturesFront(exchange, Commons(accounts, self.clock), Limits(MANY))

    def ask(self, table_row, values, account: int = 0) -> object:
        """The answer as JSON gives it back, or the refusal."""
        try:
            answer = self.front.perform(
                table_row,
                Parameters(values),
                peer="127.0.0.1",
                unit=1_000_000,
                identify=lambda _now: self.keys[account],
            )
        except Refusal as refusal:
            return refusal
        return json.loads(orjson.dumps(answer))


def check(answer: object) -> None:
    """A refusal is one the venue could have given."""
    if isinstance(answer, Refusal):
        assert answer.code < 0
        assert 400 <= answer.http < 500
        assert len(answer.message) < 1_000


@pytest.fixture(scope="module")
def desk() -> Desk:
    return Desk()


@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(route=st.sampled_from(sorted(routes.REST)), terms=TERMS, account=st.integers(0, 1))
def test_every_endpoint_answers_or_refuses(desk, route, terms, account):
    check(desk.ask(routes.REST[route], terms, account))


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    orders=st.lists(
        st.tuples(st.integers(0, 1), st.sampled_from([("POST", "order"), ("POST", "order/test")]), ORDERS), max_size=6
    )
)
def test_an_order_of_any_make_is_placed_or_refused_and_money_is_conserved(desk, orders):
    for account, (method, path), terms in orders:
        check(desk.ask(routes.REST[method, f"/fapi/v1/{path}"], terms, account))
    desk.clock.advance(1_000_000_000)
    totals = []
    for account in range(2):
        answer = desk.ask(routes.REST["GET", "/fapi/v3/account"], {}, account)
        assert isinstance(answer, dict)
        totals.append(Decimal(answer["totalWalletBalance"]) + Decimal(answer["totalUnrealizedProfit"]))
    assert sum(totals) <= 2 * 10**6  # two who trade with each other keep what they had less the commissions


def test_every_route_of_the_socket_is_a_route_of_rest():
    assert set(map(id, routes.SOCKET.values())) <= set(map(id, routes.REST.values()))
