"""Faults that act once: foreign orders and fills, busts, money, status, rules, keys, funding, the clock."""

import asyncio
import time
from decimal import Decimal
from typing import Any

import pytest
from fault_post import Admin

from tradedesk.paper.faults import Fault, Filters

BUY = ("BUY", "0.01", "50000")


@pytest.fixture
def admin(venue: Any) -> Admin:
    return Admin(venue.running)


async def test_a_foreign_order_stands_on_the_account_and_is_told_on_its_stream(venue, admin):
    client = await venue.client()
    async with client.socket("/ws-api/v3") as socket:
        await socket.signed("userDataStream.subscribe.signature")
        fault = await admin.post(
            "ext", what="order", account="acme", instrument="BTCUSDT", side="BUY", quantity="0.5", price="40000",
            client_order_id="web_1",
        )  # fmt: skip
        assert (await socket.receive())["event"]["c"] == "web_1"
    assert (await admin.fault(fault))["result"]["clientOrderId"] == "web_1"
    assert [row["clientOrderId"] for row in (await client.signed("GET", "openOrders")).body] == ["web_1"]
    assert await admin.requests("POST") == []  # nobody asked for it here


async def test_a_foreign_market_order_is_a_foreign_fill(venue, admin):
    maker = await venue.client("birch")
    await maker.order("SELL", "1", "50000")
    fault = await admin.post("ext", what="order", account="acme", instrument="BTCUSDT", side="BUY", quantity="0.25")
    assert (await admin.fault(fault))["result"]["executedQty"] == "0.25000000"
    assert [trade["qty"] for trade in (await admin.books())["trades"]] == ["0.25000000"]


async def test_an_order_is_cancelled_behind_its_owners_back(venue, admin):
    client = await venue.client()
    await client.order(*BUY, newClientOrderId="a")
    await admin.post("ext", what="cancel", account="acme", instrument="BTCUSDT", client_order_id="a")
    assert (await client.signed("GET", "order", symbol="BTCUSDT", origClientOrderId="a")).body["status"] == "CANCELED"
    said = await admin.refused("ext", what="cancel", account="acme", instrument="BTCUSDT", client_order_id="a")
    assert said == "faults[0]: Unknown order sent. (-2011)"


async def test_an_order_is_filled_where_it_stands_after_those_before_it(venue, admin):
    acme, birch = await venue.client(), await venue.client("birch")
    await birch.order("BUY", "0.3", "50000", newClientOrderId="first")
    await acme.order("BUY", "0.2", "50000", newClientOrderId="mine")
    await birch.order("BUY", "0.3", "49000", newClientOrderId="below")
    await admin.post("ext", what="fill", account="acme", instrument="BTCUSDT", client_order_id="mine", quantity="0.05")

    async def filled() -> dict[str, str]:
        rows = (await admin.books())["orders"] + (await admin.books("birch"))["orders"]
        return {row["clientOrderId"]: row["executedQty"] for row in rows}

    assert await filled() == {"first": "0.30000000", "mine": "0.05000000", "below": "0.00000000"}
    await admin.post("ext", what="fill", account="acme", instrument="BTCUSDT", client_order_id="mine")
    assert await filled() == {"first": "0.30000000", "mine": "0.20000000", "below": "0.00000000"}
    said = await admin.refused("ext", what="fill", account="acme", instrument="BTCUSDT", client_order_id="mine")
    assert "is FILLED and not on the book" in said


async def test_a_fill_meets_an_order_while_its_cancel_is_stalled(venue, admin):
    client = await venue.client()
    await client.order("BUY", "0.2", "50000", newClientOrderId="a")
    await admin.post("stall", method="cancel", seconds=0.2, count=1)
    waiting = asyncio.create_task(client.signed("DELETE", "order", symbol="BTCUSDT", origClientOrderId="a"))
    await admin.post("ext", what="fill", account="acme", instrument="BTCUSDT", client_order_id="a")
    assert (await waiting).code == -2011
    assert (await admin.books())["orders"][0]["status"] == "FILLED"


async def test_a_trade_is_busted(venue, admin):
    acme, birch = await venue.client(), await venue.client("birch")
    before = (await admin.books())["balances"]
    await birch.order("SELL", "0.1", "50000")
    await acme.order("BUY", "0.1", "50000")
    [trade] = (await admin.books())["trades"]
    fault = await admin.post("bust", instrument="BTCUSDT", trade_id=trade["id"])
    assert {row["tradeId"] for row in (await admin.fault(fault))["result"]["busted"]} == {trade["id"]}
    assert ((await admin.books())["trades"], (await admin.books())["balances"]) == ([], before)
    assert (await acme.signed("GET", "myTrades", symbol="BTCUSDT")).body == []
    assert "faults[0]: " in await admin.refused("bust", instrument="BTCUSDT", trade_id=trade["id"])


@pytest.mark.parametrize(
    ("type_", "amount", "free"),
    [("DEPOSIT", "250.5", "1000250.50000000"), ("WITHDRAW", "-250.5", "999749.50000000"), ("INTEREST", "0.00000001", "1000000.00000001")],
)  # fmt: skip
async def test_money_comes_and_goes(venue, admin, type_, amount, free):
    client = await venue.client()
    async with client.socket("/ws-api/v3") as socket:
        await socket.signed("userDataStream.subscribe.signature")
        await admin.post("move", account="acme", asset="USDT", amount=amount, type=type_, reference="tx")
        event = (await socket.receive())["event"]
        assert (event["e"], event["a"], Decimal(event["d"])) == ("balanceUpdate", "USDT", Decimal(amount))
    books = await admin.books()
    assert {row["asset"]: row["free"] for row in books["balances"]}["USDT"] == free
    [movement] = books["movements"]
    assert (movement["kind"], movement["asset"], Decimal(movement["amount"])) == (type_, "USDT", Decimal(amount))


async def test_money_that_is_not_there_does_not_go(venue, admin):
    said = await admin.refused("move", account="acme", asset="USDT", amount="-1000001", type="WITHDRAW")
    assert "-2010" in said
    assert "there is no nobody" in await admin.refused(
        "move", account="nobody", asset="USDT", amount="1", type="DEPOSIT"
    )
    assert (await admin.books())["movements"] == []


async def test_a_fee_in_a_third_asset_is_a_movement_of_its_own(venue, admin):
    await admin.post("move", account="acme", asset="BNB", amount="2", type="DEPOSIT")
    await admin.post("move", account="acme", asset="BNB", amount="-0.5", type="FEE")
    books = await admin.books()
    assert [(row["kind"], row["asset"]) for row in books["movements"]] == [("DEPOSIT", "BNB"), ("FEE", "BNB")]
    assert {row["asset"]: row["free"] for row in books["balances"]}["BNB"] == "1.50000000"


@pytest.mark.parametrize("status", ["HALT", "BREAK", "CANCEL_ONLY"])
async def test_an_instrument_stops_trading_with_orders_open_and_they_can_be_cancelled(venue, admin, status):
    client = await venue.client()
    await client.order(*BUY, newClientOrderId="a")
    await admin.post("status", instrument="BTCUSDT", to=status)
    refused = await client.order(*BUY)
    assert (refused.code, refused.body["msg"]) == (-2010, "Market is closed.")
    assert (await client.order("BUY", "0.01", "2000", symbol="ETHUSDT")).status == 200
    cancelled = await client.signed("DELETE", "order", symbol="BTCUSDT", origClientOrderId="a")
    assert cancelled.body["status"] == "CANCELED"
    [info] = (await client.public("exchangeInfo", symbol="BTCUSDT")).body["symbols"]
    assert info["status"] == status
    await admin.post("status", instrument="BTCUSDT", to="TRADING")
    assert (await client.order(*BUY)).status == 200


async def test_a_filter_changes_under_way(venue, admin):
    client = await venue.client()
    assert (await client.order("BUY", "0.01", "50000.01")).status == 200
    await admin.post("filter", instrument="BTCUSDT", set_={"tick": "0.1", "min_notional": "1000"})
    assert (await client.order("BUY", "0.1", "50000.01")).body["msg"] == "Filter failure: PRICE_FILTER"
    assert (await client.order("BUY", "0.01", "50000.1")).body["msg"] == "Filter failure: NOTIONAL"
    [info] = (await client.public("exchangeInfo", symbol="BTCUSDT")).body["symbols"]
    found = {row["filterType"]: row for row in info["filters"]}
    assert Decimal(found["PRICE_FILTER"]["tickSize"]) == Decimal("0.1")
    for settings, part in (
        ({"colour": "red"}, "set: colour is no rule that can change"),
        ({"tick": "x"}, "set: "),
        ({"symbol": "ETHUSDT"}, "set: symbol is no rule that can change"),
    ):
        assert part in await admin.refused("filter", instrument="BTCUSDT", set_=settings)


async def test_a_key_is_revoked_and_comes_back_with_fewer_rights(venue, admin):
    client = await venue.client()
    await admin.post("key", account="acme", set_={"rights": ["read"]})
    assert (await client.order(*BUY)).code == -2015
    assert (await client.signed("GET", "account")).status == 200
    await admin.post("key", account="acme", set_={"addresses": ["127.0.0.9"]})
    assert (await client.signed("GET", "account")).code == -2015
    await admin.post("key", account="acme", set_={"revoked": True})
    assert (await client.signed("GET", "account")).code == -2015
    await admin.post("key", account="acme", set_={"revoked": False, "addresses": []})
    assert (await client.signed("GET", "account")).status == 200
    assert "no such key" in await admin.refused("key", account="acme", api_key="x", set_={"revoked": False})
    assert "set: colour" in await admin.refused("key", account="birch", set_={"colour": 1})
    assert "set: " in await admin.refused("key", account="birch", set_={"addresses": 5})


@pytest.mark.parametrize("seconds", [2, 30, -2, -30])
async def test_the_venues_clock_is_off(venue, admin, seconds):
    client = await venue.client()
    fault = await admin.post("skew", seconds=seconds)
    shown = (await client.public("time")).body["serverTime"]
    assert abs(shown - (time.time() + seconds) * 1_000) < 1_000
    refused = await client.order(*BUY)
    is_told_apart = seconds < 0 or seconds > 5  # ahead by a second is too much, behind by five is not
    assert (refused.code == -1021) == is_told_apart
    stamp = time.time_ns() // 1_000_000 + seconds * 1_000
    query = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": "0.01"}
    placed = await client.signed("POST", "order", **query, price="50000", timestamp=stamp)
    assert placed.status == 200
    assert abs(placed.body["transactTime"] - stamp) < 1_000
    await admin.ask("DELETE", f"/faults/{fault}")
    assert abs((await client.public("time")).body["serverTime"] - time.time() * 1_000) < 1_000
    assert (await client.order(*BUY)).status == 200


async def test_times_that_a_client_asks_for_are_of_the_clock_that_is_off(venue, admin):
    client, other = await venue.client(), await venue.client("birch")
    await other.order("SELL", "0.01", "50000")
    await client.order(*BUY)
    await admin.post("skew", seconds=-30)
    now = (await client.public("time")).body["serverTime"]
    for start, found in ((now - 10_000, 1), (now + 10_000, 0)):
        rows = await client.signed("GET", "myTrades", symbol="BTCUSDT", startTime=start, timestamp=now)
        assert len(rows.body) == found
        assert all(abs(row["time"] - now) < 5_000 for row in rows.body)


async def test_events_carry_the_clock_that_is_off(venue, admin):
    client = await venue.client()
    async with client.socket("/ws-api/v3") as api, client.socket("/ws/btcusdt@depth@100ms") as stream:
        await api.signed("userDataStream.subscribe.signature")
        await admin.post("skew", seconds=-30)
        stamp = time.time_ns() // 1_000_000 - 30_000
        terms = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": "0.01"}
        await client.signed("POST", "order", **terms, price="50000", timestamp=stamp)
        assert abs((await api.receive())["event"]["E"] - stamp) < 2_000
        assert abs((await stream.receive())["E"] - stamp) < 2_000


async def test_what_acts_once_can_wait_for_its_time(venue, admin):
    fault = await admin.post("move", account="acme", asset="USDT", amount="1", type="DEPOSIT", at=0.2)
    assert (await admin.fault(fault))["state"] == "waiting"
    assert (await admin.books())["movements"] == []
    await asyncio.sleep(0.35)
    assert ((await admin.fault(fault))["state"], len((await admin.books())["movements"])) == ("spent", 1)
    late = await admin.post("bust", instrument="BTCUSDT", trade_id=1, at=0.1)
    await asyncio.sleep(0.25)
    assert "failed" in await admin.fault(late)


async def test_faults_of_a_script_are_in_force_from_the_start(start_venue):
    script = [
        Fault(kind="say", count=1, filters=Filters(method="ping"), terms={"answer": -1007}),
        Fault(kind="move", terms={"account": "acme", "asset": "USDT", "amount": Decimal(5), "type": "DEPOSIT"}),
    ]
    venue = await start_venue(faults=script)
    client, admin = await venue.client(), Admin(venue.running)
    assert [(await client.public("ping")).status for _ in range(2)] == [408, 200]
    assert len((await admin.books())["movements"]) == 1


# -- futures --------------------------------------------------------------------------------------------------------------


@pytest.fixture
def futures_admin(futures_venue: Any) -> Admin:
    return Admin(futures_venue.running)


async def test_faults_strike_the_futures_market_by_its_name(futures_venue, futures_admin):
    client = await futures_venue.client()
    await futures_admin.post("did", answer=-1007, market="futures", method="place", count=1)
    spot = await client.session.get(f"{futures_venue.running.rest}/api/v3/ping")
    assert spot.status == 200
    assert (await client.order("BUY", "0.01", "50000", newClientOrderId="a")).code == -1007
    assert (await client.order("BUY", "0.01", "50000", newClientOrderId="b")).status == 200
    books = await futures_admin.books()
    assert [row["clientOrderId"] for row in books["futures"]["orders"]] == ["a", "b"]
    first, _ = await futures_admin.requests("POST")
    assert (first["market"], first["fault"], first["is_processed"]) == ("futures", "did", True)


async def test_reads_of_futures_lag_too(futures_venue, futures_admin):
    client, other = await futures_venue.client(), await futures_venue.client("birch")
    await client.order("BUY", "0.02", "59900", newClientOrderId="old")
    await asyncio.sleep(0.3)
    await futures_admin.post("stale", market="futures", seconds=0.25)
    await client.order("BUY", "0.01", "59000", newClientOrderId="new")
    assert (await other.order("SELL", "0.01", "59900")).status == 200
    asked = {"symbol": "BTCUSDT"}
    assert (await client.signed("GET", "v1/order", **asked, origClientOrderId="new")).code == -2013
    old = (await client.signed("GET", "v1/openOrder", **asked, origClientOrderId="old")).body
    assert Decimal(old["executedQty"]) == 0
    assert [row["clientOrderId"] for row in (await client.signed("GET", "v1/openOrders")).body] == ["old"]
    assert (await client.signed("GET", "v1/userTrades", **asked)).body == []
    await futures_admin.clear()
    assert [row["clientOrderId"] for row in (await client.signed("GET", "v1/openOrders")).body] == ["old", "new"]
    assert len((await client.signed("GET", "v1/userTrades", **asked)).body) == 1


async def test_a_foreign_order_money_funding_and_a_mark_on_futures(futures_venue, futures_admin):
    client, other = await futures_venue.client(), await futures_venue.client("birch")
    await other.order("SELL", "0.1", "60000")
    await futures_admin.post(
        "ext", market="futures", what="order", account="acme", instrument="BTCUSDT", side="BUY", quantity="0.1"
    )
    await futures_admin.post("funding", instrument="BTCUSDT", rate="0.001")
    await futures_admin.post("move", market="futures", account="acme", asset="USDT", amount="-10", type="WITHDRAW")
    await futures_admin.post("mark", instrument="BTCUSDT", price="61000")
    books = (await futures_admin.books())["futures"]
    assert [(row["symbol"], row["positionAmt"]) for row in books["positions"]] == [("BTCUSDT", "0.100")]
    assert {row["incomeType"] for row in books["income"]} >= {"FUNDING_FEE", "TRANSFER"}
    shown = (await client.public("v1/premiumIndex", symbol="BTCUSDT")).body
    assert Decimal(shown["markPrice"]) == 61_000
    assert "futures market does not know it" in await futures_admin.refused(
        "bust", market="futures", instrument="BTCUSDT", trade_id=1
    )


async def test_an_order_on_futures_is_filled_where_it_stands(futures_venue, futures_admin):
    client, other = await futures_venue.client(), await futures_venue.client("birch")
    await other.order("SELL", "0.01", "61000", newClientOrderId="first")
    await client.order("SELL", "0.02", "61000", newClientOrderId="mine")
    terms = {"market": "futures", "what": "fill", "account": "acme", "instrument": "BTCUSDT", "client_order_id": "mine"}
    await futures_admin.post("ext", **terms, quantity="0.005")
    orders = {
        row["clientOrderId"]: Decimal(row["executedQty"])
        for name in ("acme", "birch")
        for row in (await futures_admin.books(name))["futures"]["orders"]
    }
    assert orders == {"first": Decimal("0.01"), "mine": Decimal("0.005")}
    await futures_admin.post("ext", **terms)
    books = (await futures_admin.books())["futures"]
    assert [Decimal(row["positionAmt"]) for row in books["positions"]] == [Decimal("-0.02")]
    assert "-2013" in await futures_admin.refused("ext", **terms)


async def test_a_market_that_is_not_there_is_told(venue, admin):
    assert "market: futures is not served here" in await admin.refused("funding", instrument="BTCUSDT")
    assert "market: futures is not served here" in await admin.refused("disconnect", market="futures")
