"""An unmodified ccxt client trades on a real paper process: only its addresses are rewritten (CCXT.md)."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import aiohttp
import ccxt.pro
import pytest
from ccxt.base.errors import (
    AuthenticationError,
    BadRequest,
    ExchangeError,
    InsufficientFunds,
    InvalidNonce,
    InvalidOrder,
    OrderImmediatelyFillable,
    OrderNotFound,
)
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from paper_client import Client, LocalBook
from paper_process import account, has_loopback_range, paper_process

SYMBOL = "BTC/USDT"
KEY_OF_EDDY = "eddy" * 16
Connect = Callable[..., Awaitable[Any]]


@pytest.fixture(scope="module")
def private_key() -> Ed25519PrivateKey:
    return Ed25519PrivateKey.generate()


@pytest.fixture(scope="module")
def paper(tmp_path_factory: pytest.TempPathFactory, private_key: Ed25519PrivateKey) -> Iterator[dict[str, Any]]:
    """One process for this file: three HMAC accounts, of which cedar is bound to 127.0.0.4, and one Ed25519."""
    pem = private_key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    text = ""
    for name, addresses in (("acme", "[]"), ("birch", "[]"), ("cedar", '["127.0.0.4"]'), ("eddy", "[]")):
        key = f'public_key = """{pem.decode()}"""' if name == "eddy" else f'secret = "secret-of-{name}"'
        text += f'[[accounts]]\nname = "{name}"\napi_key = "{name * 16}"\n{key}\naddresses = {addresses}\n'
        text += 'balances = { USDT = "1000000", BTC = "10", ETH = "100" }\n'
    path: Path = tmp_path_factory.mktemp("paper") / "accounts.toml"
    path.write_text(text)
    with paper_process("--accounts-file", str(path), "--seed", "3") as described:
        yield described


@pytest.fixture
async def connect(paper: dict[str, Any]) -> AsyncIterator[Connect]:
    async with AsyncExitStack() as stack:

        async def begin(
            name: str = "acme", *, secret: str | None = None, address: str | None = None, **options: object
        ) -> Any:
            local = (address, 0) if address else None
            session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(local_addr=local))
            stack.push_async_callback(session.close)
            described = account(paper, name)
            exchange = ccxt.pro.binance(
                {
                    "apiKey": described["api_key"],
                    "secret": secret or described.get("secret"),
                    "session": session,
                    "enableRateLimit": False,
                    "options": {"fetchMarkets": {"types": ["spot"]}, "fetchMargins": False} | options,
                }
            )
            stack.push_async_callback(exchange.close)
            exchange.timeout_on_exit = 0
            exchange.has["fetchCurrencies"] = False
            exchange.urls["api"] = _rewritten(exchange.urls["api"], paper)
            return exchange

        yield begin


def _rewritten(urls: dict[str, Any], paper: dict[str, Any]) -> dict[str, Any]:
    """Every address on the paper exchange, nested ones too: one that is missed would be a real host."""

    def moved(url: Any) -> Any:
        if isinstance(url, dict):
            return {name: moved(each) for name, each in url.items()}
        scheme, _, rest = url.partition("://")
        path = "/" + rest.partition("/")[2]
        return (paper["ws"] if scheme == "wss" else paper["rest"]) + path

    return {name: moved(url) for name, url in urls.items()}


async def within(awaitable: Awaitable[Any], seconds: float = 8) -> Any:
    return await asyncio.wait_for(awaitable, seconds)


async def test_markets_balance_and_market_data_load(connect: Connect) -> None:
    exchange = await connect()
    markets = await exchange.load_markets()
    assert {"BTC/USDT", "ETH/USDT"} <= set(markets)
    assert markets[SYMBOL]["precision"]["price"] == 0.01
    assert markets[SYMBOL]["limits"]["cost"]["min"] == 5
    book = await exchange.fetch_order_book(SYMBOL, 20)
    assert len(book["bids"]) == len(book["asks"]) == 20
    assert book["bids"][0][0] < book["asks"][0][0]
    assert len(await exchange.fetch_ohlcv(SYMBOL, "1m", limit=50)) == 50
    ticker = await exchange.fetch_ticker(SYMBOL)
    assert ticker["bid"] < ticker["ask"]
    assert abs(await exchange.fetch_time() - time.time() * 1000) < 1000
    balance = await (await connect("birch")).fetch_balance()
    assert balance["ETH"] == {"free": 100.0, "used": 0.0, "total": 100.0}


async def test_a_limit_order_is_placed_found_edited_and_cancelled(connect: Connect) -> None:
    exchange = await connect()
    best = (await exchange.fetch_ticker(SYMBOL))["bid"]
    order = await exchange.create_order(SYMBOL, "limit", "buy", 0.01, best * 0.9, {"clientOrderId": "desk-1"})
    assert (order["status"], order["clientOrderId"], order["filled"]) == ("open", "desk-1", 0)
    assert (await exchange.fetch_order(order["id"], SYMBOL))["clientOrderId"] == "desk-1"
    assert (await exchange.fetch_order(None, SYMBOL, {"origClientOrderId": "desk-1"}))["id"] == order["id"]
    assert [each["id"] for each in await exchange.fetch_open_orders(SYMBOL)] == [order["id"]]

    edited = await exchange.edit_order(
        order["id"], SYMBOL, "limit", "buy", 0.02, best * 0.91, {"newClientOrderId": "desk-2"}
    )
    assert (edited["clientOrderId"], edited["amount"], edited["status"]) == ("desk-2", 0.02, "open")
    assert (await exchange.fetch_order(order["id"], SYMBOL))["status"] == "canceled"

    cancelled = await exchange.cancel_order(None, SYMBOL, {"origClientOrderId": "desk-2"})
    assert (cancelled["id"], cancelled["status"]) == (edited["id"], "canceled")
    assert await exchange.fetch_open_orders(SYMBOL) == []
    with pytest.raises(OrderNotFound):
        await exchange.cancel_order(edited["id"], SYMBOL)
    with pytest.raises(OrderNotFound):
        await exchange.fetch_order("1", SYMBOL)
    with pytest.raises(ExchangeError):
        await exchange.edit_order(edited["id"], SYMBOL, "limit", "buy", 0.02, best * 0.91)


async def test_market_ioc_fok_and_post_only_orders_meet_the_market(connect: Connect) -> None:
    exchange = await connect()
    before = await exchange.fetch_balance()
    bought = await exchange.create_order(SYMBOL, "market", "buy", 0.02)
    assert (bought["status"], bought["filled"]) == ("closed", 0.02)
    spent = await exchange.create_order(SYMBOL, "market", "buy", None, None, {"quoteOrderQty": 500})
    assert spent["status"] == "closed"
    assert spent["cost"] <= 500

    ask = (await exchange.fetch_ticker(SYMBOL))["ask"]
    taken = await exchange.create_order(SYMBOL, "limit", "buy", 0.01, ask * 1.01, {"timeInForce": "IOC"})
    assert (taken["status"], taken["filled"]) == ("closed", 0.01)
    missed = await exchange.create_order(SYMBOL, "limit", "buy", 0.01, ask * 0.9, {"timeInForce": "IOC"})
    assert (missed["status"], missed["filled"]) == ("expired", 0)
    killed = await exchange.create_order(SYMBOL, "limit", "buy", 0.01, ask * 0.9, {"timeInForce": "FOK"})
    assert (killed["status"], killed["filled"]) == ("expired", 0)
    with pytest.raises(OrderImmediatelyFillable):
        await exchange.create_order(SYMBOL, "limit", "buy", 0.01, ask * 1.01, {"postOnly": True})
    posted = await exchange.create_order(SYMBOL, "limit", "buy", 0.01, ask * 0.9, {"postOnly": True})
    assert (await exchange.fetch_order(posted["id"], SYMBOL))["status"] == "open"
    assert [order["id"] for order in await exchange.cancel_all_orders(SYMBOL)] == [posted["id"]]

    trades = await exchange.fetch_my_trades(SYMBOL)
    of_ours = [trade for trade in trades if trade["order"] in (bought["id"], spent["id"], taken["id"])]
    received = sum(trade["amount"] - trade["fee"]["cost"] for trade in of_ours)
    after = await exchange.fetch_balance()
    assert after["BTC"]["total"] == pytest.approx(before["BTC"]["total"] + received, abs=1e-9)
    paid = sum(trade["cost"] for trade in of_ours)
    assert after["USDT"]["total"] == pytest.approx(before["USDT"]["total"] - paid, abs=1e-6)


async def test_refusals_arrive_as_what_they_are(connect: Connect) -> None:
    exchange = await connect()
    await exchange.load_markets()
    with pytest.raises(InsufficientFunds):
        await exchange.create_order(SYMBOL, "limit", "buy", 100, 50_000)
    with pytest.raises(BadRequest, match="NOTIONAL"):
        await exchange.create_order(SYMBOL, "limit", "buy", 0.00001, 50_000)
    with pytest.raises(BadRequest, match="-1104"):
        await exchange.create_order(SYMBOL, "limit", "buy", 0.01, 50_000, {"unknown": "1"})
    first = await exchange.create_order(SYMBOL, "limit", "buy", 0.001, 30_000, {"clientOrderId": "same"})
    with pytest.raises(InvalidOrder, match="Duplicate order sent"):
        await exchange.create_order(SYMBOL, "limit", "buy", 0.001, 30_000, {"clientOrderId": "same"})
    await exchange.cancel_order(first["id"], SYMBOL)


async def test_an_old_time_and_a_wrong_secret_are_refused(connect: Connect) -> None:
    late = await connect()
    late.nonce = lambda: int(time.time() * 1000) - 60_000
    with pytest.raises(InvalidNonce):
        await late.fetch_balance()
    wrong = await connect(secret="another")
    with pytest.raises(AuthenticationError, match="-1022"):
        await wrong.fetch_balance()


@pytest.mark.skipif(not has_loopback_range(), reason="this machine has one loopback address")
async def test_an_account_trades_from_its_own_address_only(connect: Connect) -> None:
    at_home = await connect("cedar", address="127.0.0.4")
    assert (await at_home.fetch_balance())["BTC"]["total"] == 10
    elsewhere = await connect("cedar", address="127.0.0.3")
    with pytest.raises(AuthenticationError, match="-2015"):
        await elsewhere.fetch_balance()
    with pytest.raises((ExchangeError, KeyError)):  # ccxt 4.5.90 stumbles over the refusal itself
        await within(elsewhere.watch_balance())


async def test_an_ed25519_key_trades_and_listens(connect: Connect, private_key: Ed25519PrivateKey) -> None:
    pem = private_key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    exchange = await connect("eddy", secret=pem)
    await exchange.load_markets()
    await _subscribed(exchange)
    watching = asyncio.create_task(exchange.watch_orders(SYMBOL))
    order = await exchange.create_order(SYMBOL, "limit", "buy", 0.01, 30_000)
    assert [each["id"] for each in await within(watching)] == [order["id"]]
    over_socket = await within(exchange.create_order_ws(SYMBOL, "limit", "buy", 0.01, 30_000))
    assert over_socket["status"] == "open"
    assert (await within(exchange.cancel_order_ws(over_socket["id"], SYMBOL)))["status"] == "canceled"
    await exchange.cancel_all_orders(SYMBOL)


async def _subscribed(exchange: Any) -> None:
    """Until the subscription of the private stream is confirmed. The first to ask waits for it; a second one would not."""
    await within(exchange.authenticate({"type": "spot"}))


async def test_the_private_stream_tells_orders_fills_and_balances(connect: Connect) -> None:
    exchange = await connect("birch")
    await exchange.load_markets()
    await _subscribed(exchange)
    orders, balances = asyncio.create_task(exchange.watch_orders(SYMBOL)), asyncio.create_task(exchange.watch_balance())
    trades = asyncio.create_task(exchange.watch_my_trades(SYMBOL))
    resting = await exchange.create_order(SYMBOL, "limit", "buy", 0.01, 30_000)
    assert [(order["id"], order["status"]) for order in await within(orders)] == [(resting["id"], "open")]
    assert (await within(balances))["USDT"]["used"] == 300

    bought = await exchange.create_order(SYMBOL, "market", "buy", 0.01)
    fills = list(await within(trades))
    while sum(fill["amount"] for fill in fills) < 0.0099999:
        fills += await within(exchange.watch_my_trades(SYMBOL))
    assert {fill["order"] for fill in fills} == {bought["id"]}
    await exchange.cancel_order(resting["id"], SYMBOL)
    async with asyncio.timeout(8):
        while {order["id"]: order["status"] for order in exchange.orders}.get(resting["id"]) != "canceled":
            await exchange.fetch_time()  # the stream is read meanwhile; a watch begun after the event would not end


async def test_the_public_streams_are_alive(connect: Connect) -> None:
    exchange = await connect()
    await exchange.load_markets()
    book, trades, candles, ticker, best = await within(
        asyncio.gather(
            exchange.watch_order_book(SYMBOL),
            exchange.watch_trades(SYMBOL),
            exchange.watch_ohlcv(SYMBOL, "1m"),
            exchange.watch_ticker(SYMBOL),
            exchange.watch_bids_asks([SYMBOL]),
        )
    )
    assert book["bids"][0][0] < book["asks"][0][0]
    assert trades[0]["symbol"] == SYMBOL
    assert len(candles[-1]) == 6
    assert ticker["last"] > 0
    assert best[SYMBOL]["bid"] < best[SYMBOL]["ask"]
    for _ in range(10):  # ccxt itself raises on a gap
        book = await within(exchange.watch_order_book(SYMBOL))
    assert book["bids"][0][0] < book["asks"][0][0]


async def test_the_book_of_a_moving_market_joins_at_every_message(paper: dict[str, Any]) -> None:
    async with aiohttp.ClientSession() as session:
        client = Client(paper["rest"], paper["ws"], "", "", session)
        async with client.socket("/stream?streams=btcusdt@depth@100ms/btcusdt@bookTicker") as socket:
            buffered = [await socket.receive() for _ in range(5)]
            book = LocalBook((await client.public("depth", symbol="BTCUSDT", limit=1000)).body)
            frames = 0
            while frames < 20:
                frame = buffered.pop(0) if buffered else await socket.receive()
                if frame["stream"] == "btcusdt@depth@100ms":
                    book.apply(frame["data"])
                    frames += 1
            compared = False
            while not compared:  # a snapshot of exactly the number an event ended with
                snapshot = (await client.public("depth", symbol="BTCUSDT", limit=100)).body
                while book.last < snapshot["lastUpdateId"]:
                    frame = await socket.receive()
                    if frame["stream"] == "btcusdt@depth@100ms":
                        book.apply(frame["data"])
                if book.last == snapshot["lastUpdateId"]:
                    assert book.matches(snapshot)
                    compared = True


async def test_the_exchange_saw_what_the_client_did(connect: Connect, paper: dict[str, Any]) -> None:
    exchange = await connect("birch")
    order = await exchange.create_order(SYMBOL, "limit", "buy", 0.01, 30_000, {"clientOrderId": "seen-1"})
    await exchange.cancel_order(order["id"], SYMBOL)
    headers = {"Authorization": f"Bearer {paper['admin_token']}"}
    async with aiohttp.ClientSession(paper["admin"], headers=headers) as admin:
        async with admin.get("/requests") as answer:
            seen = (await answer.json())["requests"]
        async with admin.get("/accounts/birch") as answer:
            books = await answer.json()
    placing = [row for row in seen if row["client_order_id"] == "seen-1"]
    assert [(row["method"], row["path"], row["account"], row["status"]) for row in placing] == [
        ("POST", "/api/v3/order", "birch", 200)
    ]
    mine = {row["orderId"]: row["status"] for row in books["orders"]}
    assert mine[int(order["id"])] == "CANCELED"
    assert {row["id"] for row in books["trades"]} == {
        int(trade["id"]) for trade in await exchange.fetch_my_trades(SYMBOL)
    }
