"""What a key may do: rights, several keys of one account, and what becomes of a key while it is in use."""

import contextlib
import hashlib
import time
from decimal import Decimal

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from futures_venue import start_futures
from msgspec.structs import replace
from paper_client import Client

from tradedesk.clock import SystemClock
from tradedesk.paper.accounts import Key, Right, specs
from tradedesk.paper.exchange import Exchange
from tradedesk.paper.market import Quiet
from tradedesk.paper.server.app import start
from tradedesk.paper.server.keys import add_key, change_key, keys_of
from tradedesk.paper.synthetic import default_specs

NOT_PERMITTED = {"code": -2015, "msg": "Invalid API-key, IP, or permissions for action."}
NOT_AUTHORIZED = {"code": -1002, "msg": "You are not authorized to execute this request."}


def change(venue, client: Client, **changes: object) -> None:
    change_key(venue.running.commons, client.api_key, **changes)  # type: ignore[arg-type]


async def test_a_key_that_may_only_read_reads_and_does_not_trade(venue):
    client = await venue.client()
    await client.order("BUY", "0.01", "50000", newClientOrderId="mine")
    change(venue, client, rights=["read"])
    for answer in (
        await client.order("BUY", "0.01", "50000"),
        await client.signed("DELETE", "order", symbol="BTCUSDT", origClientOrderId="mine"),
        await client.signed("DELETE", "openOrders", symbol="BTCUSDT"),
        await client.signed("POST", "order/test", symbol="BTCUSDT", side="BUY", type="MARKET", quantity="0.01"),
    ):
        assert (answer.status, answer.body) == (401, NOT_PERMITTED)
    assert [row["clientOrderId"] for row in (await client.signed("GET", "openOrders")).body] == ["mine"]
    assert (await client.raw("POST", "/api/v3/userDataStream", X_MBX_APIKEY=client.api_key)).status == 200
    async with client.socket("/ws-api/v3") as socket:
        refused = await socket.signed("order.cancel", symbol="BTCUSDT", origClientOrderId="mine")
        assert (refused["status"], refused["error"]) == (401, NOT_PERMITTED)
        assert (await socket.signed("openOrders.status"))["status"] == 200


async def test_a_key_without_the_right_to_read_reads_nothing(venue):
    client = await venue.client()
    change(venue, client, rights=["spot"])
    assert (await client.signed("GET", "account")).body == NOT_PERMITTED
    assert (await client.order("BUY", "0.01", "50000")).status == 200


async def test_a_key_whose_trading_authority_ended_reads_on(venue):
    client = await venue.client()
    change(venue, client, trades_until=time.time_ns())
    assert (await client.order("BUY", "0.01", "50000")).body == NOT_PERMITTED
    assert (await client.signed("GET", "account")).status == 200
    change(venue, client, trades_until=time.time_ns() + 60 * 10**9)
    assert (await client.order("BUY", "0.01", "50000")).status == 200


def test_trading_authority_ends_exactly_at_its_time_and_takes_nothing_else_with_it():
    key = Key(name="acme", api_key="a" * 16, secret="s", trades_until=1_000, rights=frozenset(Right))
    assert [key.may(Right.SPOT, now) for now in (999, 1_000)] == [True, False]
    assert [key.may(Right.FUTURES, now) for now in (999, 1_000)] == [True, False]
    assert all(key.may(right, 1_000) for right in (Right.READ, Right.WITHDRAW, Right.TRANSFER))


async def test_a_revoked_key_is_unknown_at_once_wherever_it_is_used(venue):
    client = await venue.client("eddy")
    async with client.socket("/ws-api/v3") as socket:
        assert (await socket.signed("session.logon"))["status"] == 200
        assert (await socket.call("account.status", timestamp=time.time_ns() // 1_000_000))["status"] == 200
        change(venue, client, revoked=True)
        refused = await socket.call("account.status", timestamp=time.time_ns() // 1_000_000)
        assert (refused["status"], refused["error"]) == (401, NOT_PERMITTED)
        assert (await socket.call("userDataStream.subscribe"))["error"] == NOT_PERMITTED
    assert (await client.signed("GET", "account")).body == NOT_PERMITTED
    _, seen = await venue.admin("/requests")
    assert (seen["requests"][-1]["account"], seen["requests"][-1]["code"]) == (
        "eddy",
        -2015,
    )  # still known whose it was
    change(venue, client, revoked=False)
    assert (await client.signed("GET", "account")).status == 200


async def test_an_address_list_changes_while_the_key_is_in_use(venue):
    client = await venue.client()
    change(venue, client, addresses=["127.0.0.9"])
    assert (await client.signed("GET", "account")).body == NOT_PERMITTED
    change(venue, client, addresses=["127.0.0.9", "127.0.0.1"])
    assert (await client.signed("GET", "account")).status == 200


async def test_a_key_is_rotated_without_a_gap(venue):
    old = await venue.client()
    made = hashlib.sha256(b"new").hexdigest()
    key = Key(name="acme", api_key=made, secret="new secret")
    add_key(venue.running.commons, key)
    new = Client(old.rest, old.ws, made, "new secret", old.session)
    placed = await old.order("BUY", "0.01", "50000", newClientOrderId="mine")
    assert [row["orderId"] for row in (await new.signed("GET", "openOrders")).body] == [placed.body["orderId"]]
    change(venue, old, revoked=True)
    assert (await old.signed("GET", "openOrders")).body == NOT_PERMITTED
    assert (await new.signed("DELETE", "order", symbol="BTCUSDT", origClientOrderId="mine")).status == 200
    assert [each.api_key for each in keys_of(venue.running.commons, "acme")] == [made]
    mixed = Client(old.rest, old.ws, made, old.signer, old.session)  # the new key with the old secret
    assert (await mixed.signed("GET", "account")).code == -1022


async def test_order_counts_are_the_accounts_whatever_key_placed_them(venue):
    first = await venue.client()
    key = Key(name="acme", api_key="b" * 64, secret="other")
    add_key(venue.running.commons, key)
    second = Client(first.rest, first.ws, key.api_key, "other", first.session)
    await first.order("BUY", "0.01", "50000")
    assert (await second.order("BUY", "0.01", "50001")).headers["X-MBX-ORDER-COUNT-1D"] == "2"


@pytest.mark.parametrize(
    "key",
    [
        Key(name="nobody", api_key="c" * 64, secret="s"),
        Key(name="acme", api_key="short", secret="s"),
        Key(name="acme", api_key="eddy" * 16, secret="s"),
    ],
)
async def test_a_key_that_cannot_be_one_is_not_added(venue, key):
    with pytest.raises(ValueError):
        add_key(venue.running.commons, key)


async def test_a_change_that_cannot_be_leaves_the_key_as_it_was(venue):
    client = await venue.client()
    for changes, said in (
        ({"rights": ["read", "fly"]}, "fly"),
        ({"addresses": ["nowhere"]}, "nowhere"),
        ({"rights": ["withdraw"]}, "needs a list of addresses"),
    ):
        with pytest.raises(ValueError, match=said):
            change(venue, client, **changes)
    assert (await client.order("BUY", "0.01", "50000")).status == 200


async def test_money_leaves_only_by_a_key_that_may_send_it(venue):
    client = await venue.client()
    terms = {"coin": "USDT", "address": "elsewhere", "amount": "10"}
    refused = await client.signed_at("POST", "/sapi/v1/capital/withdraw/apply", **terms)
    assert (refused.status, refused.body) == (401, NOT_AUTHORIZED)
    change(venue, client, rights=["read", "spot"])
    refused = await client.signed_at("POST", "/sapi/v1/asset/transfer", type="MAIN_UMFUTURE", asset="USDT", amount="1")
    assert (refused.status, refused.body) == (401, NOT_AUTHORIZED)
    free = {row["asset"]: row["free"] for row in (await client.signed("GET", "account")).body["balances"]}
    assert Decimal(free["USDT"]) == 1_000_000


def test_usual_keys_may_trade_and_move_no_money():
    key = Key(name="acme", api_key="a" * 16, secret="s")
    assert {right for right in Right if not key.may(right, 0)} == {Right.WITHDRAW, Right.TRANSFER}
    assert not replace(key, rights=frozenset()).may(Right.READ, 0)


async def test_futures_tell_from_which_address_a_refused_request_came():
    async with contextlib.AsyncExitStack() as stack:
        venue = await start_futures(stack, Ed25519PrivateKey.generate())
        reader = await venue.client("reader")
        told = {**NOT_PERMITTED, "msg": "Invalid API-key, IP, or permissions for action, request ip: 127.0.0.1"}
        refused = await reader.order("BUY", "0.01", "50000")
        assert (refused.status, refused.body) == (401, told)
        change_key(venue.running.commons, reader.api_key, addresses=["127.0.0.9"])
        assert (await reader.signed("GET", "v2/balance")).body == told
        change_key(venue.running.commons, reader.api_key, addresses=[], rights=["read", "spot"])
        assert (await reader.signed("GET", "v2/balance")).status == 200
        assert (await reader.order("BUY", "0.01", "50000")).body == told  # to trade spot is another right


async def test_an_account_with_several_keys_shows_them_all_and_the_first_where_one_is_expected(venue):
    described = venue.running.described()["accounts"][0]
    assert described.keys() == {"name", "api_key", "secret", "addresses"}
    acme = venue.running.commons.accounts["acme"]
    second = Key(name="acme", api_key="b" * 64, secret="other", addresses=("127.0.0.2",))
    account = replace(acme, keys=(*acme.keys, second))
    async with contextlib.AsyncExitStack() as stack:
        clock = SystemClock()
        exchange = Exchange(default_specs(), specs([account]), Quiet(), now=clock.now())
        running = await start(exchange, [account], clock, admin_token="t")
        stack.push_async_callback(running.stop)
        (told,) = running.described()["accounts"]
    first = {"api_key": acme.api_key, "secret": acme.secret, "addresses": []}
    assert told == {"name": "acme", **first} | {
        "keys": [first, {"api_key": "b" * 64, "secret": "other", "addresses": ["127.0.0.2"]}]
    }
