"""The admin door: what there is, what it shows, and that nothing posted to it breaks it or the exchange."""

from typing import Any

import aiohttp
import orjson
import pytest
from fault_post import Admin
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from tradedesk.paper.faults import KINDS, MOST_FAULTS, fields_of

BUY = ("BUY", "0.01", "50000")
SCHEMA = {
    "/": "paper.admin.v1",
    "/requests": "paper.requests.v1",
    "/accounts": "paper.accounts.v1",
    "/faults": "paper.faults.v1",
}


@pytest.fixture
def admin(venue: Any) -> Admin:
    return Admin(venue.running)


async def test_it_lists_what_there_is_and_every_kind_of_fault_with_its_fields(venue, admin):
    for path, schema in SCHEMA.items():
        status, body = await admin.ask("GET", path)
        assert (status, body["schema"]) == (200, schema)
    _, body = await admin.ask("GET", "/")
    assert body["faults"].keys() == KINDS.keys()
    assert body["faults"]["late"]["fields"][:2] == ["kind", "seconds"]
    assert (await admin.ask("GET", "/accounts"))[1]["accounts"] == ["acme", "birch", "cedar", "eddy", "rosa"]
    for method, path, status in (
        ("GET", "/nothing", 404), ("PUT", "/faults", 405), ("GET", "/accounts/nobody", 404), ("DELETE", "/faults/x", 404),
        ("DELETE", "/faults/99", 404), ("GET", "/requests?after=x", 400),
    ):  # fmt: skip
        got, body = await admin.ask(method, path)
        assert (got, "error" in body) == (status, True), path


async def test_the_books_of_an_account_have_everything_it_holds(venue, admin):
    acme, birch = await venue.client(), await venue.client("birch")
    await birch.order("SELL", "0.5", "50000")
    await acme.order("BUY", "0.1", "50000", newClientOrderId="bought")
    await acme.order("BUY", "0.1", "49000", newClientOrderId="open")
    listed = await acme.signed(
        "POST", "orderList/oco", symbol="BTCUSDT", side="SELL", quantity="0.1", aboveType="LIMIT_MAKER",
        abovePrice="60000", belowType="STOP_LOSS", belowStopPrice="40000",
    )  # fmt: skip
    assert listed.status == 200, listed.body
    await admin.post("move", account="acme", asset="USDT", amount="7", type="DEPOSIT", reference="tx-1")
    books = await admin.books()
    assert [row["clientOrderId"] for row in books["orders"]][:2] == ["bought", "open"]
    assert len(books["open_orders"]) == 3
    assert [row["orderListId"] for row in books["order_lists"]] == [listed.body["orderListId"]]
    assert [(row["price"], row["qty"]) for row in books["trades"]] == [("50000.00000000", "0.10000000")]
    assert [(row["kind"], row["amount"], row["reference"]) for row in books["movements"]] == [("DEPOSIT", "7", "tx-1")]
    assert "futures" not in books
    held = {row["asset"]: (row["free"], row["locked"]) for row in books["balances"]}
    asked = (await acme.signed("GET", "account")).body["balances"]
    assert held == {row["asset"]: (row["free"], row["locked"]) for row in asked}


async def test_requests_are_told_in_their_order_with_their_door(venue, admin):
    client = await venue.client()
    await client.order(*BUY, newClientOrderId="a")
    await client.signed("DELETE", "order", symbol="BTCUSDT", origClientOrderId="nothing")
    async with client.socket("/ws-api/v3") as api, client.socket("/ws/btcusdt@depth"):
        await api.signed("order.status", symbol="BTCUSDT", origClientOrderId="a")
    rows = await admin.requests()
    assert [row["number"] for row in rows] == list(range(1, len(rows) + 1))
    assert {(row["transport"], row["method"], row["status"], row["code"]) for row in rows} == {
        ("rest", "POST", 200, None), ("rest", "DELETE", 400, -2011), ("wsapi", "GET", 101, None),
        ("wsapi", "order.status", 200, None), ("stream", "GET", 101, None),
    }  # fmt: skip
    assert all(row["peer"] == "127.0.0.1" and row["market"] == "spot" and row["is_answered"] for row in rows)
    _, later = await admin.ask("GET", f"/requests?after={rows[1]['number']}&limit=1")
    assert later["requests"] == [rows[2]]


async def test_several_faults_are_posted_at_once_and_all_or_none_are_taken(venue, admin):
    status, body = await admin.ask("POST", "/faults", [{"kind": "dup"}, {"kind": "cut", "account": "acme"}])
    assert (status, body["ids"]) == (200, [1, 2])
    status, body = await admin.ask("POST", "/faults", {"faults": [{"kind": "dup"}]})
    assert (status, body["ids"]) == (200, [3])
    status, body = await admin.ask("POST", "/faults", [{"kind": "dup"}, {"kind": "late"}])
    assert (status, body["error"].partition(":")[0]) == (400, "faults[1].seconds")
    _, body = await admin.ask("GET", "/faults")
    assert [each["fault"] for each in body["faults"]] == [
        {"kind": "dup"},
        {"kind": "cut", "account": "acme"},
        {"kind": "dup"},
    ]
    status, body = await admin.ask("POST", "/faults", [{"kind": "dup"}] * (MOST_FAULTS - 2))
    assert (status, "remove some first" in body["error"]) == (400, True)


async def test_bodies_that_are_no_json_or_too_large_are_refused(venue, admin):
    headers = {"Authorization": f"Bearer {venue.running.admin_token}"}
    async with aiohttp.ClientSession(headers=headers) as session:
        for body, status in (
            (b"", 400), (b"{", 400), (b"\xff", 400), (b"[" * 100_000, 400), (b'"' + b"x" * 2_000_000 + b'"', 413),
            (b"[]", 400), (b"{}", 400), (b"null", 400), (b'{"faults": []}', 400),
        ):  # fmt: skip
            async with session.post(venue.running.admin + "/faults", data=body) as response:
                assert (response.status, "error" in await response.json()) == (status, True), body[:20]


VALUES = st.sampled_from(
    ["acme", "nobody", "BTCUSDT", "NOPE", "USDT", "usdt", "", "0", "0.5", "-1", "1e9", "0.000000001", "999999999999",
     0, 1, 0.25, -1, 2**63, -1007, 502, True, None, "order", "cancel", "fill", "gap", "cross", "stale", "BUY", "SELL",
     "TRADING", "HALT", "kept", "503", "hang", "spot", "rest", "wsapi", "html", "127.0.0.1", "place", "*", "[", "DEPOSIT",
     {"tick": "0.1"}, {"lot": "1"}, {"tick": "0"}, {"max_orders": -5}, {"p": "0"}, {"rights": ["read", 5]},
     {"revoked": "no"}, {"addresses": [[]]}, {"trades_until": "2030-01-01"}, {"trades_until": 5}, {"b.0.0": None}]
)  # fmt: skip
POSTINGS = st.sampled_from(sorted(set(KINDS) - {"restart"})).flatmap(
    lambda kind: st.fixed_dictionaries(
        {"kind": st.just(kind)} | {field: VALUES for field in KINDS[kind].needs},
        optional={field: VALUES for field in fields_of(kind) if field != "kind" and field not in KINDS[kind].needs},
    )
)


def drawn_postings() -> list[Any]:
    """Some hundred postings as Hypothesis draws them, the same each time."""
    drawn: list[Any] = []

    @seed(7)
    @settings(max_examples=40, database=None, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.lists(POSTINGS, min_size=10, max_size=20))
    def draw(postings: list[Any]) -> None:
        drawn.extend(postings)

    draw()
    return drawn


async def test_whatever_is_posted_is_answered_and_the_exchange_goes_on(venue, admin):
    """Also while market data and user data flow through whatever of it is in force."""
    drawn = drawn_postings()
    maker = await venue.client("birch")
    taken = 0
    for batch in range(0, len(drawn), 20):
        for posting in drawn[batch : batch + 20]:
            status, body = await admin.ask("POST", "/faults", orjson.loads(orjson.dumps(posting)))
            assert status in (200, 400, 409), (posting, body)
            assert "Traceback" not in str(body)
            taken += status == 200
        await admin.ask("POST", "/faults", {"kind": "ext", "what": "order", "account": "birch", "instrument": "BTCUSDT",
                                            "side": "BUY", "quantity": "0.01", "price": "50000"})  # fmt: skip
        assert not venue.running.failed.done()
        await admin.clear()
    assert taken > 20
    await admin.ask("POST", "/faults", {"kind": "status", "instrument": "BTCUSDT", "to": "TRADING"})
    await admin.ask("POST", "/faults", {"kind": "ban", "address": "127.0.0.1", "seconds": 0})
    await admin.ask("POST", "/faults", {"kind": "key", "account": "birch", "set": {"revoked": False, "addresses": []}})
    assert (await maker.public("ping")).status == 200
