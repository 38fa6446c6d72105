"""Who may ask: keys, source addresses, times and signatures, each refused with the venue's own code."""

import time
from urllib.parse import quote, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st
from paper_builders import SECOND, T0
from paper_client import sign
from paper_process import has_loopback_range

from tradedesk.paper.rows import Refusal
from tradedesk.paper.server.parameters import Parameters
from tradedesk.paper.server.signature import check_still_fresh, check_time, rest_payload

ACCOUNT = "/api/v3/account"


def stamp(offset_ms: int = 0) -> int:
    return time.time_ns() // 1_000_000 + offset_ms


@pytest.mark.parametrize("name", ["acme", "eddy", "rosa"])
async def test_each_kind_of_key_signs_in_the_query_and_in_the_body(venue, name):
    client = await venue.client(name)
    assert (await client.signed("GET", "account")).status == 200
    terms = "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.01&price=50000"
    payload = f"{terms}&timestamp={stamp()}"
    body = f"{payload}&signature={quote(sign(client.signer, payload), safe='')}"
    answer = await client.raw("POST", "/api/v3/order", body=body, X_MBX_APIKEY=client.api_key)
    assert (answer.status, answer.body["status"]) == (200, "NEW")


async def test_query_and_body_are_signed_joined_by_nothing_and_the_query_wins(venue):
    client = await venue.client()
    query = f"symbol=BTCUSDT&side=BUY&type=LIMIT&price=50000&timestamp={stamp()}"
    body = "timeInForce=GTC&quantity=0.01&price=1"
    signature = sign(client.signer, query + body)
    answer = await client.raw(
        "POST", f"/api/v3/order?{query}", body=f"{body}&signature={signature}", X_MBX_APIKEY=client.api_key
    )
    assert (answer.status, answer.body["price"]) == (200, "50000.00000000")


async def test_the_signature_may_stand_anywhere_and_in_any_case_of_letters(venue):
    client = await venue.client()
    query = f"omitZeroBalances=true&timestamp={stamp()}"
    signature = sign(client.signer, query).upper()
    answer = await client.raw("GET", f"{ACCOUNT}?signature={signature}&{query}", X_MBX_APIKEY=client.api_key)
    assert answer.status == 200


async def test_an_empty_form_body_beside_a_signed_query_changes_nothing(venue):
    client = await venue.client()
    query = f"symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.01&price=50000&timestamp={stamp()}"
    target = f"/api/v3/order?{query}&signature={sign(client.signer, query)}"
    assert (await client.raw("POST", target, body="", X_MBX_APIKEY=client.api_key)).status == 200


async def test_what_was_signed_unencoded_and_sent_encoded_is_refused(venue):
    client = await venue.client()
    unencoded = f"symbol=BTCUSDT&origClientOrderId=a:b/c&timestamp={stamp()}"
    sent = unencoded.replace(":", "%3A").replace("/", "%2F")
    target = f"/api/v3/order?{sent}&signature="
    refused = await client.raw("GET", target + sign(client.signer, unencoded), X_MBX_APIKEY=client.api_key)
    assert (refused.status, refused.code) == (400, -1022)
    passed = await client.raw("GET", target + sign(client.signer, sent), X_MBX_APIKEY=client.api_key)
    assert passed.code == -2013  # read, and there is no such order


@pytest.mark.parametrize("name", ["acme", "eddy", "rosa"])
@pytest.mark.parametrize("signature", ["0" * 64, "%%%", "Zm9v", "é"])
async def test_a_wrong_signature_is_1022(venue, name, signature):
    client = await venue.client(name)
    target = f"{ACCOUNT}?timestamp={stamp()}&signature={quote(signature)}"
    answer = await client.raw("GET", target, X_MBX_APIKEY=client.api_key)
    assert (answer.status, answer.body) == (400, {"code": -1022, "msg": "Signature for this request is not valid."})


async def test_a_changed_parameter_breaks_the_signature(venue):
    client = await venue.client()
    query = f"symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.01&price=50000&timestamp={stamp()}"
    target = f"/api/v3/order?{query.replace('0.01', '9.01')}&signature={sign(client.signer, query)}"
    assert (await client.raw("POST", target, X_MBX_APIKEY=client.api_key)).code == -1022
    assert (await client.signed("GET", "openOrders")).body == []


async def test_a_key_is_demanded_known_and_well_formed(venue):
    client = await venue.client()
    query = f"timestamp={stamp()}"
    target = f"{ACCOUNT}?{query}&signature={sign(client.signer, query)}"
    for headers, code in (({}, -2014), ({"X_MBX_APIKEY": "?"}, -2014), ({"X_MBX_APIKEY": "a" * 64}, -2015)):
        answer = await client.raw("GET", target, **headers)
        assert (answer.status, answer.code) == (401, code)


@pytest.mark.parametrize(("missing", "code"), [("timestamp", -1102), ("signature", -1102)])
async def test_time_and_signature_are_mandatory(venue, missing, code):
    client = await venue.client()
    parameters = {"timestamp": str(stamp()), "signature": "0" * 64}
    del parameters[missing]
    answer = await client.raw("GET", f"{ACCOUNT}?{urlencode(parameters)}", X_MBX_APIKEY=client.api_key)
    assert (answer.status, answer.code) == (400, code)
    assert missing in answer.body["msg"]


@pytest.mark.parametrize(
    ("offset_ms", "window", "message"),
    [
        (-6_000, None, "outside of the recvWindow"),
        (-6_000, "10000", None),
        (-61_000, "60000", "outside of the recvWindow"),
        (-2_000, "1000.5", "outside of the recvWindow"),
        (500, None, None),
        (2_500, "60000", "1000ms ahead of the server's time"),
    ],
)
async def test_a_request_must_be_fresh(venue, offset_ms, window, message):
    client = await venue.client()
    parameters = {"timestamp": stamp(offset_ms)} | ({} if window is None else {"recvWindow": window})
    answer = await client.signed("GET", "account", **parameters)
    if message is None:
        assert answer.status == 200
    else:
        assert (answer.status, answer.code) == (400, -1021)
        assert message in answer.body["msg"]


@pytest.mark.parametrize(("window", "code"), [("60001", -1131), ("1e4", -1100), ("-1", -1100), ("5000.0001", -1100)])
async def test_a_receive_window_has_its_form_and_its_limit(venue, window, code):
    client = await venue.client()
    assert (await client.signed("GET", "account", recvWindow=window)).code == code


def code_of(stamp: object, window: str | None, now: int) -> int | None:
    """The code that a request of this stamp and window is refused with at `now` (ns)."""
    sent = {"timestamp": str(stamp)} | ({} if window is None else {"recvWindow": window})
    try:
        check_time(Parameters(sent), now)
    except Refusal as refusal:
        return refusal.code
    return None


@given(late_us=st.integers(-2_000_000, 70_000_000), window_us=st.integers(0, 60_000_000), in_micro=st.booleans())
def test_fresh_is_from_just_below_a_second_ahead_to_the_last_microsecond_of_the_window(late_us, window_us, in_micro):
    if not in_micro:
        late_us -= late_us % 1_000
    sent = T0 // 1_000 - late_us
    window = f"{window_us // 1_000}.{window_us % 1_000:03}"
    is_fresh = -1_000_000 < late_us <= window_us
    assert code_of(sent if in_micro else sent // 1_000, window, T0) == (None if is_fresh else -1021)


def test_a_request_that_was_fresh_is_looked_at_again_before_the_engine():
    sent = {"timestamp": str(T0 // 1_000_000), "recvWindow": "1500.5"}
    until = check_time(Parameters(sent), T0 + SECOND)
    assert until == T0 + 1_500_500_000
    check_still_fresh(until, until)
    with pytest.raises(Refusal, match="outside of the recvWindow"):
        check_still_fresh(until, until + 1)


@pytest.mark.parametrize(
    ("stamp", "code"),
    [("-1", -1100), ("1.5", -1100), ("", -1105), ("1e12", -1100), ("9" * 20, -1021), ("9" * 21, -1100), ("0", -1021)],
)
def test_a_timestamp_has_its_form(stamp, code):
    assert code_of(stamp, None, T0) == code


def test_without_a_window_it_is_five_seconds():
    now = T0 // 1_000_000
    assert [code_of(now - age, None, T0) for age in (5_000, 5_001)] == [None, -1021]


@given(
    query=st.lists(st.sampled_from(["a=1", "signature=x", "b=%2B", "signature="]), max_size=4),
    body=st.lists(st.sampled_from(["c=3", "signature=y"]), max_size=3),
)
def test_what_is_signed_is_query_and_body_as_sent_without_any_signature(query, body):
    kept = ["&".join(piece for piece in part if not piece.startswith("signature=")) for part in (query, body)]
    assert rest_payload("&".join(query), "&".join(body)) == "".join(kept).encode()


@pytest.mark.parametrize("name", ["eddy", "rosa"])
async def test_a_base64_signature_is_case_sensitive_and_must_be_percent_encoded(venue, name):
    client = await venue.client(name)
    for number in range(200):  # until one has a + in it, as most have
        query = f"recvWindow={5_000 + number}&timestamp={stamp()}"
        signature = sign(client.signer, query)
        if "+" in signature:
            break
    target = f"{ACCOUNT}?{query}&signature="
    for sent, expected in (
        (signature, -1022),
        (quote(signature.swapcase(), safe=""), -1022),
        (quote(signature, safe=""), None),
    ):
        assert (await client.raw("GET", target + sent, X_MBX_APIKEY=client.api_key)).code == expected


async def test_the_signature_may_stand_in_the_body_and_the_rest_in_the_query(venue):
    client = await venue.client()
    query = f"symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.01&price=50000&timestamp={stamp()}"
    body = f"signature={sign(client.signer, query)}"
    assert (await client.raw("POST", f"/api/v3/order?{query}", body=body, X_MBX_APIKEY=client.api_key)).status == 200


async def test_the_websocket_api_takes_microseconds_too_and_tells_stale_requests(venue):
    client = await venue.client()
    async with client.socket("/ws-api/v3?timeUnit=MICROSECOND") as socket:
        micro = time.time_ns() // 1_000
        assert (await socket.signed("account.status", timestamp=micro))["status"] == 200
        stale = await socket.signed("account.status", timestamp=micro - 6_000_000)
        assert (stale["status"], stale["error"]["code"]) == (400, -1021)
        assert (await socket.signed("account.status", timestamp=micro, recvWindow=60_001))["error"]["code"] == -1131
        assert abs((await socket.call("time"))["result"]["serverTime"] - micro) < 60_000_000


async def test_a_time_in_microseconds_is_taken_and_given_back_on_demand(venue):
    client = await venue.client()
    micro = time.time_ns() // 1_000
    assert (await client.signed("GET", "account", timestamp=micro)).status == 200
    answer = await client.raw("GET", "/api/v3/time", X_MBX_TIME_UNIT="MICROSECOND")
    assert abs(answer.body["serverTime"] - micro) < 60_000_000
    assert (await client.raw("GET", "/api/v3/time", X_MBX_TIME_UNIT="FORTNIGHT")).code == -1194


@pytest.mark.skipif(not has_loopback_range(), reason="this machine has one loopback address")
async def test_a_key_is_bound_to_its_addresses_on_rest_and_on_the_socket(venue):
    at_home = await venue.client("cedar", address="127.0.0.4")
    elsewhere = await venue.client("cedar", address="127.0.0.3")
    assert (await at_home.signed("GET", "account")).status == 200
    refused = await elsewhere.signed("GET", "account")
    expected = {"code": -2015, "msg": "Invalid API-key, IP, or permissions for action."}
    assert (refused.status, refused.body) == (401, expected)
    assert (await elsewhere.raw("POST", "/api/v3/userDataStream", X_MBX_APIKEY=elsewhere.api_key)).code == -2015
    async with elsewhere.socket("/ws-api/v3") as socket:
        answer = await socket.signed("account.status")
        assert (answer["status"], answer["error"]) == (401, expected)
    async with at_home.socket("/ws-api/v3") as socket:
        assert (await socket.signed("account.status"))["status"] == 200
