"""The exchange goes away and comes back: with its state, without, with an old one; and what clients see meanwhile."""

import asyncio
import contextlib
import stat
from decimal import Decimal
from typing import Any

import aiohttp
import pytest
from fault_post import Admin
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tradedesk.paper.accounts import futures_specs, generated, specs
from tradedesk.paper.exchange import Exchange
from tradedesk.paper.futures.contracts import default_contracts
from tradedesk.paper.futures.exchange import FuturesExchange
from tradedesk.paper.futures.rows import NewOrder as FuturesOrder
from tradedesk.paper.futures.rows import Type
from tradedesk.paper.market import Quiet
from tradedesk.paper.rows import Kind, NewOrder
from tradedesk.paper.server import state
from tradedesk.paper.synthetic import default_specs

NOW = 1_700_000_000_000_000_000  # ns
BUY = ("BUY", "0.01", "50000")


@pytest.fixture
def admin(venue: Any) -> Admin:
    return Admin(venue.running)


async def back(admin: Admin, client: Any, fault: int) -> None:
    """The exchange answers again, and the restart did not fail."""
    for _ in range(250):
        try:
            async with client.session.get(client.rest + "/api/v3/ping") as response:
                if response.status == 200:
                    break
        except aiohttp.ClientError:
            pass
        await asyncio.sleep(0.02)
    else:
        raise AssertionError("it did not come back within five seconds")
    assert "failed" not in await admin.fault(fault)


async def futures_told(client: Any) -> list[Any]:
    """What a restart must keep of the account."""
    whole = ("v3/account", "v3/positionRisk", "v1/openOrders", "v1/income", "v1/feeBurn")
    of_symbol = ("v1/allOrders", "v1/userTrades", "v1/symbolConfig")
    answers = [await client.signed("GET", path) for path in whole]
    answers += [await client.signed("GET", path, symbol="BTCUSDT") for path in of_symbol]
    assert [answer.status for answer in answers] == [200] * 8
    return [answer.body for answer in answers]


async def futures_back(admin: Admin, client: Any, fault: int) -> None:
    """The same of the futures market."""
    for _ in range(250):
        if (await admin.fault(fault))["struck"]:
            with contextlib.suppress(aiohttp.ClientError):
                if (await client.public("v1/ping")).status == 200:
                    break
        await asyncio.sleep(0.02)
    else:
        raise AssertionError("it did not come back within five seconds")
    assert "failed" not in await admin.fault(fault)


async def traded(venue: Any) -> tuple[Any, Any]:
    """acme bought 0.1 of birch and has an order open."""
    acme, birch = await venue.client(), await venue.client("birch")
    await birch.order("SELL", "0.1", "50000")
    await acme.order("BUY", "0.1", "50000", newClientOrderId="bought")
    await acme.order("BUY", "0.01", "49000", newClientOrderId="open")
    return acme, birch


def told(books: dict[str, Any]) -> dict[str, Any]:
    """What a restart must keep."""
    names = ("balances", "open_orders", "orders", "order_lists", "trades", "movements")
    return {name: books[name] for name in names}


async def test_with_its_state_everything_of_the_clients_is_there_again(venue, admin):
    acme, birch = await traded(venue)
    await admin.post("move", account="acme", asset="USDT", amount="5", type="DEPOSIT")
    before = told(await admin.books()), told(await admin.books("birch"))
    fault = await admin.post("restart", state="kept", seconds=0.2)
    await back(admin, acme, fault)
    assert (told(await admin.books()), told(await admin.books("birch"))) == before
    await birch.order("SELL", "0.01", "49000")
    filled = await acme.signed("GET", "order", symbol="BTCUSDT", origClientOrderId="open")
    assert filled.body["status"] == "FILLED"
    trades = (await acme.signed("GET", "myTrades", symbol="BTCUSDT")).body
    assert len({trade["id"] for trade in trades}) == len(trades) == 2
    again = await acme.order(*BUY, newClientOrderId="new")
    assert again.body["orderId"] > filled.body["orderId"]


async def test_without_its_state_orders_and_trades_are_gone_and_no_id_comes_again(venue, admin):
    acme, _ = await traded(venue)
    highest = max(row["orderId"] for row in (await admin.books())["orders"])
    fault = await admin.post("restart", state="lost", seconds=0.2)
    await back(admin, acme, fault)
    books = await admin.books()
    assert (books["orders"], books["trades"]) == ([], [])
    assert {row["asset"]: row["free"] for row in books["balances"]}["USDT"] == "1000000.00000000"
    assert (await acme.signed("GET", "order", symbol="BTCUSDT", origClientOrderId="open")).code == -2013
    assert (await acme.order(*BUY)).body["orderId"] > highest


async def test_with_an_old_state_what_came_after_the_posting_never_was(venue, admin):
    acme, birch = await traded(venue)
    before = told(await admin.books())
    fault = await admin.post("restart", state="old", at=0.3, seconds=0.2)
    await birch.order("SELL", "0.01", "49000")
    later = (await acme.order(*BUY, newClientOrderId="later")).body["orderId"]
    assert told(await admin.books()) != before
    await asyncio.sleep(0.35)
    await back(admin, acme, fault)
    assert told(await admin.books()) == before
    assert (await acme.signed("GET", "order", symbol="BTCUSDT", origClientOrderId="open")).body["status"] == "NEW"
    assert (await acme.order(*BUY)).body["orderId"] != later


async def test_while_it_is_away_the_port_refuses_and_sockets_are_dropped(venue, admin):
    acme = await venue.client()
    async with acme.socket("/ws/btcusdt@depth") as stream, acme.socket("/ws-api/v3") as api:
        await api.signed("userDataStream.subscribe.signature")
        await stream.say({"method": "LIST_SUBSCRIPTIONS", "id": 1})
        fault = await admin.post("restart", state="kept", seconds=0.4)
        for socket in (stream, api):
            message = await socket.socket.receive(timeout=5)
            assert message.type in (aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.ERROR, aiohttp.WSMsgType.CLOSE)
    stranger = await venue.client()
    with pytest.raises(aiohttp.ClientConnectorError):
        await stranger.public("ping")
    await back(admin, acme, fault)
    async with acme.socket("/ws-api/v3") as api:
        await api.signed("userDataStream.subscribe.signature")
        await acme.order(*BUY, newClientOrderId="a")
        assert (await api.receive())["event"]["c"] == "a"
    async with acme.socket("/ws/btcusdt@bookTicker") as stream:
        await acme.order("BUY", "0.01", "50001")
        assert (await stream.receive())["b"] == "50001.00000000"


async def test_while_it_is_away_it_may_answer_503(venue, admin):
    acme = await venue.client()
    fault = await admin.post("restart", state="kept", seconds=0.3, meanwhile="503")
    async with acme.session.get(acme.rest + "/api/v3/ping") as response:
        assert (response.status, response.content_type) == (503, "text/html")
    with pytest.raises(aiohttp.WSServerHandshakeError):
        await acme.session.ws_connect(acme.ws + "/ws-api/v3")
    await back(admin, acme, fault)


async def test_what_waited_inside_is_gone_with_it(venue, admin):
    acme = await venue.client()
    await admin.post("stall", method="place", seconds=0.5, count=1)
    waiting = asyncio.create_task(acme.order(*BUY, newClientOrderId="a"))
    await asyncio.sleep(0.1)
    fault = await admin.post("restart", state="kept", seconds=0.1)
    with pytest.raises(aiohttp.ClientError):
        await waiting
    await back(admin, acme, fault)
    await asyncio.sleep(0.5)
    assert await admin.orders() == []


async def test_spot_and_futures_restart_together(futures_venue):
    admin, client = Admin(futures_venue.running), await futures_venue.client()
    await client.order("BUY", "0.01", "50000", newClientOrderId="a")
    fault = await admin.post("restart", state="kept", seconds=0.1)
    await futures_back(admin, client, fault)
    assert (await client.order("BUY", "0.01", "50000", newClientOrderId="b")).status == 200
    assert [row["clientOrderId"] for row in (await admin.books())["futures"]["orders"]] == ["a", "b"]


async def test_futures_come_back_with_positions_and_orders_or_as_they_were_or_with_nothing(futures_venue):
    admin, acme, birch = Admin(futures_venue.running), await futures_venue.client(), await futures_venue.client("birch")
    await birch.order("SELL", "0.1", "60000")
    await acme.order("BUY", "0.1", "60000", newClientOrderId="bought")
    await acme.order("BUY", "0.01", "59000", newClientOrderId="open")
    assert (await acme.signed("POST", "v1/feeBurn", feeBurn="true")).status == 200
    await admin.post("mark", instrument="BTCUSDT", price="60000")  # else profit moves with every second
    before = await futures_told(acme)
    fault = await admin.post("restart", market="futures", state="kept", seconds=0.1)
    await futures_back(admin, acme, fault)
    assert await futures_told(acme) == before
    fault = await admin.post("restart", market="futures", state="old", at=0.3, seconds=0.1)
    await birch.order("SELL", "0.01", "59000")
    later = (await acme.order("BUY", "0.01", "50000")).body["orderId"]
    assert (await acme.signed("GET", "v1/openOrder", symbol="BTCUSDT", origClientOrderId="open")).code == -2013
    await asyncio.sleep(0.3)
    await futures_back(admin, acme, fault)
    assert await futures_told(acme) == before
    assert (await acme.order("BUY", "0.01", "50000")).body["orderId"] > later
    fault = await admin.post("restart", market="futures", state="lost", seconds=0.1)
    await futures_back(admin, acme, fault)
    assert (await acme.signed("GET", "v1/openOrders")).body == []
    assert (await acme.signed("GET", "v3/positionRisk")).body == []


# -- the file -------------------------------------------------------------------------------------------------------------


def some_futures(saved: Any = None) -> FuturesExchange:
    now = NOW if saved is None else saved.at + 1
    accounts = futures_specs(generated(2, 1))
    return FuturesExchange(default_contracts(), accounts, Quiet(), now=now, saved=saved)


def futures_with_orders() -> FuturesExchange:
    exchange = some_futures()
    terms = {"symbol": "BTCUSDT", "type": Type.LIMIT, "time_in_force": "GTC", "quantity": Decimal("0.1")}
    for account, side, price in (("acme", "BUY", "50000"), ("birch", "SELL", "50000"), ("acme", "BUY", "49000")):
        exchange.place(account, FuturesOrder(side=side, price=Decimal(price), **terms), NOW)
    return exchange


def a_state() -> state.State:
    return state.State(spot=with_orders().saved(), futures=futures_with_orders().saved())


def an_exchange(saved: Any = None) -> Exchange:
    now = NOW if saved is None else saved.at + 1
    return Exchange(default_specs(), specs(generated(2, 1)), Quiet(), now=now, saved=saved)


def with_orders() -> Exchange:
    exchange = an_exchange()
    terms = {"symbol": "BTCUSDT", "kind": Kind.LIMIT, "time_in_force": "GTC", "quantity": Decimal("0.1")}
    for account, side, price in (("acme", "BUY", "50000"), ("birch", "SELL", "50000"), ("acme", "BUY", "49000")):
        exchange.place(account, NewOrder(side=side, price=Decimal(price), **terms), exchange.saved().at)
    exchange.move("acme", "BNB", Decimal("1.5"), "DEPOSIT", exchange.saved().at)
    return exchange


def test_what_is_written_is_read_again_whole_and_by_its_owner_only(tmp_path):
    file, saved = tmp_path / "paper.state", a_state()
    assert state.read(file) is None
    state.write(file, saved)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    found = state.read(file)
    assert found == saved
    assert an_exchange(found.spot).saved().accounts == saved.spot.accounts
    assert some_futures(found.futures).saved().accounts == saved.futures.accounts
    state.write(file, state.State(spot=an_exchange().saved(), futures=None))
    assert state.read(file) != saved
    assert [path.name for path in tmp_path.iterdir()] == ["paper.state"]  # nothing half written is left


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(st.data())
def test_a_damaged_file_is_one_sentence(tmp_path, data):
    file = tmp_path / "paper.state"
    state.write(file, a_state())
    whole = file.read_bytes()
    at = data.draw(st.integers(0, len(whole) - 1))
    if data.draw(st.booleans()):
        damaged = whole[:at]
    else:
        damaged = whole[:at] + bytes([whole[at] ^ data.draw(st.integers(1, 255))]) + whole[at + 1 :]
    file.write_bytes(damaged)
    with pytest.raises(state.StateError) as caught:
        state.read(file)
    said = str(caught.value)
    assert said.startswith(f"{file}: ")
    assert "\n" not in said


def test_a_file_of_another_form_or_time_is_told(tmp_path):
    import hashlib
    import json

    file = tmp_path / "paper.state"
    for body, schema, part in (
        ('{"at": 1}', state.SCHEMA, "is damaged"),
        ("{}", "paper.state.v9", "has the schema 'paper.state.v9'"),
    ):
        head = {"schema": schema, "sha256": hashlib.sha256(body.encode()).hexdigest()}
        file.write_text(json.dumps(head) + "\n" + body)
        with pytest.raises(state.StateError, match=part):
            state.read(file)
    with pytest.raises(ValueError, match="saved account acme is not one of this exchange"):
        Exchange(default_specs(), specs(generated(2, 1)[1:]), Quiet(), now=1, saved=with_orders().saved())
    left = futures_with_orders().saved()
    with pytest.raises(ValueError, match="saved account acme is not one of the futures exchange"):
        FuturesExchange(default_contracts(), futures_specs(generated(2, 1)[1:]), Quiet(), now=1, saved=left)
    with pytest.raises(ValueError, match="are in BTCUSDT, which is not served"):
        FuturesExchange(default_contracts()[1:], futures_specs(generated(2, 1)), Quiet(), now=1, saved=left)


def test_a_folder_that_is_not_there_is_told(tmp_path):
    with pytest.raises(state.StateError, match="cannot be written"):
        state.write(tmp_path / "nowhere" / "paper.state", a_state())
    with pytest.raises(state.StateError, match="cannot be read"):
        state.read(tmp_path)
