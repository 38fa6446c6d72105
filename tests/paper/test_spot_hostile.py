"""Hostile and broken requests over REST and the WebSocket API: the documented error, never a 5xx, a hang or a bug in the log."""

import gzip
import json
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from hostile_server import Hostile, RawSocket, hostile_server, read_answer
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from paper_client import sign

from tradedesk.paper.server.spot import routes

QUICK = settings(
    max_examples=250, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
NAMES = [
    "symbol", "side", "type", "quantity", "quoteOrderQty", "price", "stopPrice", "trailingDelta", "icebergQty",
    "timeInForce", "newClientOrderId", "origClientOrderId", "orderId", "cancelOrderId", "cancelReplaceMode",
    "selfTradePreventionMode", "newOrderRespType", "strategyId", "strategyType", "recvWindow", "limit", "fromId",
    "startTime", "endTime", "interval", "symbols", "permissions", "orderListId", "listClientOrderId", "aboveType",
    "belowType", "abovePrice", "belowPrice", "aboveStopPrice", "belowStopPrice", "workingType", "workingSide",
    "workingPrice", "workingQuantity", "workingTimeInForce", "pendingType", "pendingSide", "pendingQuantity",
    "pendingPrice", "newQty", "preventedMatchId", "pendingAboveType", "pendingBelowType", "omitZeroBalances",
    "computeCommissionRates", "listenKey", "windowSize", "timeZone",
]  # fmt: skip
LIKELY = st.sampled_from(
    ["BTCUSDT", "BUY", "SELL", "LIMIT", "MARKET", "STOP_LOSS", "TAKE_PROFIT_LIMIT", "LIMIT_MAKER", "GTC", "IOC", "FULL",
     "STOP_ON_FAILURE", "EXPIRE_BOTH", "0.01", "60000", "50000", "0.001", "100", "1000000", "1m", "1M", "1d", "true", "500",
     '["BTCUSDT","ETHUSDT"]', "TRADING"]
)  # fmt: skip
NASTY = st.sampled_from(
    ["", "0", "-1", "1e-5", "1e400", "NaN", "Infinity", "0x10", "1_000", "٣", "9" * 19, "9" * 20, "9" * 400, "0." + "0" * 30 + "1",
     "null", "[]", "{}", "[" * 3_000, "[" * 200, '{"a":' * 1_000, '["' + "A" * 60 + '"]', '[1,null,{"a":[]}]', '["BTCUSDT","BTCUSDT"]', "\x00", "\r\nSet-Cookie: a=b",
     "..", "../../etc/passwd", "' OR 1=1 --", "<script>", "%", "%%%", "%zz", "%ff%fe", "\ud7ff", "\U0001f600", "é" * 50, "a" * 5_000,
     "btcusdt", "BTC/USDT", "true1", "+1", " 1 ", "1.", ".1", "18446744073709551615", "9223372036854775808", "1" * 16, "253402300800000"]
)  # fmt: skip
VALUES = st.one_of(
    LIKELY, NASTY, st.text(max_size=40), st.integers(-10, 2**70).map(str), st.decimals(allow_nan=True).map(str)
)
TERMS = st.dictionaries(st.one_of(st.sampled_from(NAMES), st.text(max_size=20)), VALUES, max_size=14)
LIKELY_TERMS = st.fixed_dictionaries(
    {"symbol": st.one_of(st.just("BTCUSDT"), VALUES)},
    optional={name: VALUES for name in NAMES if name != "symbol"},
)
HTTP = {200, 400, 401, 403, 404, 405, 409, 413, 418, 429}


@pytest.fixture(scope="module")
def server() -> Iterator[Hostile]:
    with hostile_server() as hostile:
        yield hostile
        assert hostile.is_alive()
        assert hostile.complaints.bugs() == []


@pytest.fixture(autouse=True)
def nothing_is_logged(server: Hostile) -> Iterator[None]:
    """What a test made the server complain of is shown with that test."""
    before = len(server.complaints.bugs())
    yield
    assert server.complaints.bugs()[before:] == []


def check_refusal(body: Any) -> None:
    assert body.keys() >= {"code", "msg"}, body
    assert isinstance(body["code"], int)
    assert body["code"] < 0
    assert isinstance(body["msg"], str)
    assert len(body["msg"]) < 1_000


def check(answer: tuple[int, bytes]) -> None:
    status, raw = answer
    assert status in HTTP, answer
    body = json.loads(raw)
    if status != 200:
        check_refusal(body)


def signed(server: Hostile, terms: dict[str, str]) -> str:
    values = {"timestamp": str(time.time_ns() // 1_000_000)} | terms
    query = urlencode(values, errors="surrogatepass")
    return f"{query}&signature={sign(server.secret, query)}"


# -- REST -----------------------------------------------------------------------------------------------------------------


@QUICK
@given(st.sampled_from(sorted(routes.REST)), st.one_of(TERMS, LIKELY_TERMS), st.booleans(), st.booleans())
def test_whatever_is_asked_of_an_endpoint_gets_its_answer_or_a_documented_refusal(
    server: Hostile, route: tuple[str, str], terms: dict[str, str], in_body: bool, is_signed: bool
) -> None:
    method, path = route
    sent = signed(server, terms) if is_signed else urlencode(terms)
    headers = {"X_MBX_APIKEY": server.api_key, "Content_Type": "application/x-www-form-urlencoded"}
    if in_body and method != "GET":
        check(server.http(method, path, sent.encode(), **headers))
    elif len(sent) < 7_000:
        check(server.http(method, f"{path}?{sent}", **headers))


ORDERS = st.fixed_dictionaries(
    {
        "symbol": st.just("BTCUSDT"),
        "side": st.sampled_from(["BUY", "SELL"]),
        "type": st.sampled_from(
            ["LIMIT", "MARKET", "LIMIT_MAKER", "STOP_LOSS", "STOP_LOSS_LIMIT", "TAKE_PROFIT", "TAKE_PROFIT_LIMIT"]
        ),
        "quantity": st.one_of(st.integers(1, 10**6).map(lambda lots: f"{lots / 100_000:.5f}"), NASTY),
    },
    optional={
        "price": st.one_of(st.integers(1, 10**7).map(lambda ticks: f"{ticks / 100:.2f}"), NASTY),
        "stopPrice": st.one_of(st.integers(1, 10**7).map(lambda ticks: f"{ticks / 100:.2f}"), NASTY),
        "timeInForce": st.sampled_from(["GTC", "IOC", "FOK", "GTX"]),
        "trailingDelta": st.one_of(st.integers(0, 3_000).map(str), NASTY),
        "icebergQty": st.one_of(st.sampled_from(["0.01", "0.001", "1"]), NASTY),
        "quoteOrderQty": st.one_of(st.sampled_from(["10", "100"]), NASTY),
        "selfTradePreventionMode": st.sampled_from(["NONE", "EXPIRE_TAKER", "DECREMENT", "TRANSFER", "ALL"]),
        "strategyId": st.one_of(st.integers(0, 2**64).map(str), NASTY),
        "strategyType": st.one_of(st.integers(0, 2**33).map(str), NASTY),
        "newOrderRespType": st.sampled_from(["ACK", "RESULT", "FULL", "full"]),
        "newClientOrderId": st.one_of(st.sampled_from(["a", "b", "c"]), NASTY),
    },
)


@QUICK
@given(ORDERS, st.sampled_from(["order", "order/test", "order/cancelReplace"]))
def test_an_order_of_any_make_is_placed_or_refused(server: Hostile, terms: dict[str, str], path: str) -> None:
    if path.endswith("Replace"):
        terms = terms | {"cancelReplaceMode": "ALLOW_FAILURE", "cancelOrigClientOrderId": "a"}
    headers = {"X_MBX_APIKEY": server.api_key, "Content_Type": "application/x-www-form-urlencoded"}
    check(server.http("POST", f"/api/v3/{path}", signed(server, terms).encode(), **headers))


@QUICK
@given(
    st.sampled_from(["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "PROPFIND"]),
    st.one_of(
        st.text(max_size=60).map(lambda text: "/" + quote(text, safe="/%?&=.;:@+$,!~*'()")),
        st.sampled_from(["/api/v3/../v3/order", "/api/v3/order/", "//api/v3/ping", "/api/v3/ping%00", "/%2e%2e/", "/api/v3/ord%65r",
                         "/ws-api/v3", "/ws/a", "/stream", "/ws", "/api/v1/order", "/api/v3/ping?" + "a=1&" * 400]),
    ),
    st.binary(max_size=200),
    st.sampled_from(["application/json", "text/plain", "multipart/form-data; boundary=x", "application/x-www-form-urlencoded", "é", ""]),
)  # fmt: skip
def test_any_path_method_and_body_gets_an_error_body(
    server: Hostile, method: str, target: str, body: bytes, content_type: str
) -> None:
    check(server.http(method, target, body, Content_Type=content_type, X_MBX_APIKEY="x" * 64))


@pytest.mark.parametrize(
    "headers",
    [
        {"X_MBX_APIKEY": "é"},
        {"X_MBX_APIKEY": "a" * 7_000},
        {"X_MBX_APIKEY": ""},
        {"X_MBX_TIME_UNIT": "é" * 100},
        {"X_MBX_TIME_UNIT": "NANOSECOND"},
        {"Content_Encoding": "gzip"},
        {"Content_Encoding": "deflate"},
        {"Expect": "a-miracle"},
        {"Connection": "upgrade", "Upgrade": "websocket"},
        {"Connection": "upgrade", "Upgrade": "h2c"},
        {"Range": "bytes=0-1"},
        {"Cookie": "a=" + "b" * 4_000},
    ],
)
def test_strange_headers_change_nothing(server: Hostile, headers: dict[str, str]) -> None:
    for method, path in (("GET", "/api/v3/account"), ("POST", "/api/v3/order"), ("GET", "/ws-api/v3")):
        status, _ = server.http(method, path, b"symbol=BTCUSDT" if method == "POST" else b"", **headers)
        assert 400 <= status < 500, (headers, path, status)
    assert server.is_alive()


@pytest.mark.parametrize(
    "raw",
    [
        b"\x00" * 64, b"GET", b"get /api/v3/ping HTTP/1.1\r\nHost: a\r\n\r\n", b"HEADX / HTTP/1.1\r\nHost: a\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"GET / HTTP/1.1\r\nHost" + b":" * 9_000 + b"\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 100,  # a TLS hello
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n",
        b"POST /api/v3/order HTTP/1.1\r\nHost: a\r\nContent-Length: -5\r\n\r\n",
        b"POST /api/v3/order HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999\r\n\r\n",
        b"POST /api/v3/order HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\nContent-Length: 20\r\n\r\nsymbol=abc",
        b"POST /api/v3/order HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"POST /api/v3/order HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n",
        b"POST /api/v3/order HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n",
        b"POST /api/v3/order HTTP/1.1\r\nHost: a\r\nContent-Length: 500\r\n\r\nsymbol=BTC",
        b"GET /api/v3/ping HTTP/1.1\r\nHost: a\r\n" + b"".join(b"A%d: b\r\n" % n for n in range(3_000)) + b"\r\n",
        b"GET /\xff\xfe HTTP/1.1\r\nHost: a\r\n\r\n",
    ],
    ids=lambda raw: repr(raw)[:40],
)  # fmt: skip
def test_bytes_that_are_no_request_end_with_a_4xx_or_a_closed_connection(server: Hostile, raw: bytes) -> None:
    with server.connect() as connection:
        connection.sendall(raw)
        connection.shutdown(1)  # nothing more comes: a half request is over
        try:
            answer = read_answer(connection)
        except ConnectionError:
            answer = None
    assert answer is None or 400 <= answer[0] < 500
    assert server.is_alive()


def test_a_body_that_unpacks_to_pages_is_refused_before_it_is_held(server: Hostile) -> None:
    packed = gzip.compress(b"a=" + b"1" * 30_000_000)
    status, body = server.http("POST", "/api/v3/order", packed, Content_Encoding="gzip")
    assert status == 413
    check_refusal(json.loads(body))
    assert server.is_alive()


def test_a_body_without_an_end_is_answered_while_it_comes(server: Hostile) -> None:
    with server.connect() as connection:
        connection.sendall(b"POST /api/v3/order HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
        connection.sendall((b"4000\r\n" + b"a" * 0x4000 + b"\r\n") * 8)
        answer = read_answer(connection)
    assert answer is not None
    assert answer[0] == 413
    assert server.is_alive()


# -- WebSocket API --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def kept(server: Hostile) -> Iterator[list[RawSocket]]:
    """One socket for many frames: it must live through all of them."""
    sockets = [RawSocket(server)]
    yield sockets
    sockets[0].close()


def check_frame(answer: Any) -> None:
    assert answer.keys() >= {"id", "status"}, answer
    assert answer["status"] in HTTP, answer
    if answer["status"] != 200:
        check_refusal(answer["error"])


JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-(2**80), 2**80), st.floats(), st.text(max_size=30), VALUES),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=10), inner, max_size=4)),
    max_leaves=12,
)
METHODS = st.one_of(
    st.sampled_from(sorted(routes.SOCKET)),
    st.sampled_from(
        ["session.logon", "session.status", "session.logout", "session.subscriptions", "userDataStream.subscribe",
         "userDataStream.subscribe.signature", "userDataStream.unsubscribe", "v3/ping", "v3/order.place", "v9/ping", "v3/v3/ping"]
    ),
    st.text(max_size=20),
)  # fmt: skip


@QUICK
@given(METHODS, st.one_of(LIKELY_TERMS, st.dictionaries(st.one_of(st.sampled_from(NAMES), st.text(max_size=10)), JSON, max_size=8)), JSON, st.booleans())  # fmt: skip
def test_whatever_is_asked_over_the_socket_gets_a_documented_answer_and_the_socket_lives(
    server: Hostile, kept: list[RawSocket], method: str, params: dict[str, Any], identifier: Any, is_signed: bool
) -> None:
    if is_signed:
        params = params | {"apiKey": server.api_key, "timestamp": time.time_ns() // 1_000_000}
        params.pop("signature", None)
        written = {name: _written(value) for name, value in params.items() if value is not None}
        payload = "&".join(f"{name}={value}" for name, value in sorted(written.items()))
        params["signature"] = sign(server.secret, payload)
    kept[0].send(json.dumps({"id": identifier, "method": method, "params": params}).encode())
    answer = kept[0].receive()
    while "event" in answer:
        answer = kept[0].receive()
    check_frame(answer)


def _written(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))


@QUICK
@given(st.one_of(JSON.map(json.dumps), st.text(max_size=200), st.sampled_from([
    "[" * 30_000, "{" * 30_000, '{"id":' + "[" * 10_000, '{"id":1,"method":"ping","params":' + '{"a":' * 5_000, '"', "\\", "{}", "null", "1e999",
    '{"id":"\\ud800","method":"ping"}', '{"id":1,"method":"\\ud800"}', '{"id":1,"method":"ping","params":{"\\ud800":"a"}}',
    '{"id":1,"method":"order.place","params":{"apiKey":"\\udfff","signature":"\\ud800","timestamp":1}}',
    '{"id":1,"method":"ping","params":{"returnRateLimits":"\\ud800"}}', '{"id":' + "9" * 5_000 + ',"method":"ping"}',
    '{"id":-0,"method":"ping"}', '{"id":1e2,"method":"ping"}', '{"id":18446744073709551616,"method":"ping"}', '\ufeff{"id":1,"method":"ping"}',
    '{"id":1,"method":"ping","params":{"a":' + "1" * 10_000 + "}}", '{"method":"ping"}', '{"id":{},"method":"ping"}',
])))  # fmt: skip
def test_a_text_that_is_no_request_is_answered_and_the_socket_lives(
    server: Hostile, kept: list[RawSocket], text: str
) -> None:
    kept[0].send(text.encode(errors="surrogatepass") if text.isprintable() else text.encode(errors="replace"))
    answer = kept[0].receive()
    while "event" in answer:
        answer = kept[0].receive()
    check_frame(answer)


@pytest.mark.parametrize(
    ("payload", "opcode", "more"),
    [
        (b"\xff\xfe\xfd", 1, {}), (b"\x80", 1, {}), (b"binary", 2, {}), (b"x", 3, {}), (b"x", 15, {}), (b"x", 1, {"reserved": 7}),
        (b"x" * 100_000, 1, {}), (b"x" * 126, 9, {}), (b"x" * 126, 8, {}), (b"\x00", 8, {}), (b"\x03\xe7", 8, {}), (b"x", 0, {}),
        (b"x" * 60_000, 1, {"is_last": False}),
    ],
    ids=lambda part: repr(part)[:20],
)  # fmt: skip
@pytest.mark.parametrize("path", ["/ws-api/v3", "/ws", "/stream?streams=btcusdt@trade"])
def test_a_frame_that_breaks_the_protocol_ends_that_socket_alone(
    server: Hostile, payload: bytes, opcode: int, more: dict[str, Any], path: str
) -> None:
    socket = RawSocket(server, path)
    try:
        socket.send(payload, opcode, **more)
        socket.connection.shutdown(1)
        while True:
            socket.receive()
    except (EOFError, OSError):
        socket.close()
    assert server.is_alive()


def test_half_a_frame_and_half_a_handshake_leave_nothing_behind(server: Hostile) -> None:
    for _ in range(20):
        socket = RawSocket(server)
        socket.connection.sendall(b"\x81\xfe\xff")
        socket.close()
        with server.connect() as connection:
            connection.sendall(b"GET /ws-api/v3 HTTP/1.1\r\nUpgrade: websock")
    assert server.is_alive()


# -- streams --------------------------------------------------------------------------------------------------------------

STREAM_NAMES = st.one_of(
    st.sampled_from(["btcusdt@depth", "btcusdt@kline_1m", "!ticker@arr", "btcusdt@depth5@100ms", "nope@trade", "@", "btcusdt@"]), VALUES
)  # fmt: skip


@settings(QUICK, max_examples=60)  # a socket each, and an address may open 300 in five minutes
@given(
    st.one_of(st.sampled_from(["SUBSCRIBE", "UNSUBSCRIBE", "LIST_SUBSCRIPTIONS", "SET_PROPERTY", "GET_PROPERTY"]), st.text(max_size=10)),
    st.one_of(st.lists(STREAM_NAMES, max_size=4), JSON), JSON,
)  # fmt: skip
def test_control_frames_of_any_make_are_answered_or_end_the_socket(
    server: Hostile, method: str, params: Any, identifier: Any
) -> None:
    socket = RawSocket(server, "/stream")
    socket.send(json.dumps({"method": method, "params": params, "id": identifier}).encode())
    socket.send(b"\x03\xe8", 8)
    try:
        while True:
            answer = socket.receive()
            assert isinstance(answer, dict)
    except (EOFError, ConnectionError):
        socket.close()


def test_what_is_remembered_of_a_request_is_short_whatever_was_sent(server: Hostile) -> None:
    server.http("GET", "/" + "p" * 5_000, X_MBX_APIKEY="k" * 6_000)
    socket = RawSocket(server)
    values = {"apiKey": "k" * 20_000, "newClientOrderId": "c" * 20_000}
    socket.send(json.dumps({"id": 1, "method": "m" * 20_000, "params": values}).encode())
    check_frame(socket.receive())
    socket.close()
    for row in list(server.running.commons.seen.rows)[-3:]:
        assert sum(len(str(getattr(row, name))) for name in row.__struct_fields__) < 1_500
