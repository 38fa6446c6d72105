"""python-binance trades unmodified on a real paper process: only the base URLs are its user's to set."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from open_accounts import open_accounts
from paper_process import account, paper_process

binance = pytest.importorskip("binance", reason="python-binance (the extra `peers`) is not installed")
BinanceAPIException = binance.exceptions.BinanceAPIException

SYMBOL = "BTCUSDT"
PRIVATE = {"eddy": Ed25519PrivateKey.generate(), "rosa": generate_private_key(65_537, 2_048)}


@pytest.fixture(scope="module")
def paper(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    path: Path = tmp_path_factory.mktemp("peer") / "accounts.toml"
    public = {name: _pem(key.public_key()) for name, key in PRIVATE.items()}
    written = open_accounts(path, "acme", "birch", *PRIVATE, public_keys=public)
    with paper_process("--accounts-file", written, "--seed", "3") as described:
        yield described


def _pem(key: Any) -> str:
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return str(key.public_bytes(serialization.Encoding.PEM, form).decode())


def _addressed(cls: type[Any], paper: dict[str, Any]) -> type[Any]:
    """The client class as its own users point it elsewhere."""
    urls = {
        "API_URL": paper["rest"] + "/api",
        "MARGIN_API_URL": paper["rest"] + "/sapi",
        "WS_API_URL": paper["wsapi"],
    }
    return type(cls.__name__, (cls,), urls)


@pytest.fixture
def client(paper: dict[str, Any]) -> Iterator[Any]:
    known = account(paper, "acme")
    made = _addressed(binance.Client, paper)(known["api_key"], known["secret"])
    yield made
    if made.get_open_orders(symbol=SYMBOL):
        made.cancel_all_open_orders(symbol=SYMBOL)
    made.close_connection()


@pytest.fixture
async def async_client(paper: dict[str, Any]) -> AsyncIterator[Any]:
    known = account(paper, "birch")
    made = await _addressed(binance.AsyncClient, paper).create(known["api_key"], known["secret"])
    made.ws_api.TIMEOUT = 0.2  # s; it looks so often whether it is being closed
    yield made
    if await made.get_open_orders(symbol=SYMBOL):
        await made.cancel_all_open_orders(symbol=SYMBOL)
    await made.close_connection()


def at(price: Decimal, factor: str) -> str:
    """A price on the tick grid."""
    return f"{price * Decimal(factor):.2f}"


def best(client: Any) -> tuple[Decimal, Decimal]:
    ticker = client.get_orderbook_ticker(symbol=SYMBOL)
    return Decimal(ticker["bidPrice"]), Decimal(ticker["askPrice"])


def test_it_loads_the_market(client: Any) -> None:
    info = client.get_symbol_info(SYMBOL)
    assert {"STOP_LOSS_LIMIT", "TAKE_PROFIT"} <= set(info["orderTypes"])
    assert (info["ocoAllowed"], info["allowTrailingStop"]) == (True, True)
    assert {"ICEBERG_PARTS", "TRAILING_DELTA", "MAX_NUM_ALGO_ORDERS"} <= {row["filterType"] for row in info["filters"]}
    book = client.get_order_book(symbol=SYMBOL, limit=20)
    assert Decimal(book["bids"][0][0]) < Decimal(book["asks"][0][0])
    assert len(client.get_klines(symbol=SYMBOL, interval="1m", limit=20)) == 20
    assert client.get_historical_klines(SYMBOL, "1m", "20 minutes ago UTC")
    assert client.get_recent_trades(symbol=SYMBOL)
    assert client.get_aggregate_trades(symbol=SYMBOL)
    assert client.get_avg_price(symbol=SYMBOL)["mins"] == 5
    assert client.get_symbol_ticker(symbol=SYMBOL)["symbol"] == SYMBOL
    assert client.get_ticker(symbol=SYMBOL)["symbol"] == SYMBOL
    assert SYMBOL in {row["symbol"] for row in client.get_all_tickers()}


def test_limit_and_market_orders_live_and_end(client: Any) -> None:
    bid, ask = best(client)
    rests = client.order_limit_buy(symbol=SYMBOL, quantity="0.01", price=at(bid, "0.9"))
    assert (rests["status"], rests["fills"]) == ("NEW", [])
    assert client.get_order(symbol=SYMBOL, orderId=rests["orderId"])["clientOrderId"] == rests["clientOrderId"]
    done = client.cancel_order(symbol=SYMBOL, origClientOrderId=rests["clientOrderId"])
    assert done["status"] == "CANCELED"

    bought = client.order_market_buy(symbol=SYMBOL, quantity="0.02")
    assert (bought["status"], sum(Decimal(fill["qty"]) for fill in bought["fills"])) == ("FILLED", Decimal("0.02"))
    spent = client.order_market_buy(symbol=SYMBOL, quoteOrderQty="500")
    assert spent["status"] == "FILLED"
    sold = client.order_limit_sell(symbol=SYMBOL, quantity="0.01", price=at(bid, "0.99"), timeInForce="IOC")
    assert sold["status"] == "FILLED"
    killed = client.order_limit_buy(symbol=SYMBOL, quantity="0.01", price=at(bid, "0.9"), timeInForce="FOK")
    assert (killed["status"], killed["expiryReason"]) == ("EXPIRED", "UNFILLED_FOK_ORDER_EXPIRED")
    with pytest.raises(BinanceAPIException, match="immediately match and take"):
        client.create_order(symbol=SYMBOL, side="BUY", type="LIMIT_MAKER", quantity="0.01", price=at(ask, "1.01"))
    orders = {order["orderId"]: order["status"] for order in client.get_all_orders(symbol=SYMBOL)}
    assert orders[rests["orderId"]] == "CANCELED"
    trades = client.get_my_trades(symbol=SYMBOL, orderId=bought["orderId"])
    assert [trade["id"] for trade in trades] == [fill["tradeId"] for fill in bought["fills"]]
    assert client.get_asset_balance("BTC")["asset"] == "BTC"
    counts = client.get_current_order_count()
    assert [row["rateLimitType"] for row in counts] == ["ORDERS", "ORDERS"]


def test_stop_take_profit_trailing_and_iceberg_orders_rest(client: Any) -> None:
    bid, ask = best(client)
    terms = {"symbol": SYMBOL, "quantity": "0.01", "newOrderRespType": "RESULT"}
    stop = client.create_order(
        **terms, side="SELL", type="STOP_LOSS_LIMIT", timeInForce="GTC", price=at(bid, "0.89"), stopPrice=at(bid, "0.9")
    )
    assert (stop["status"], stop["stopPrice"], stop["workingTime"]) == ("NEW", f"{at(bid, '0.9')}000000", -1)
    take = client.create_order(**terms, side="SELL", type="TAKE_PROFIT", stopPrice=at(ask, "1.1"))
    trail = client.create_order(**terms, side="SELL", type="STOP_LOSS", trailingDelta=500)
    assert trail["trailingDelta"] == 500
    assert trail["trailingTime"] > 0
    ice = client.create_order(
        **terms, side="BUY", type="LIMIT", timeInForce="GTC", price=at(bid, "0.9"), icebergQty="0.002"
    )
    assert ice["icebergQty"] == "0.00200000"
    shown = {order["orderId"]: order for order in client.get_open_orders(symbol=SYMBOL)}
    assert shown.keys() == {order["orderId"] for order in (stop, take, trail, ice)}
    assert shown[stop["orderId"]]["isWorking"] is False
    assert shown[ice["orderId"]]["isWorking"] is True
    with pytest.raises(BinanceAPIException, match="trigger immediately"):
        client.create_order(**terms, side="SELL", type="STOP_LOSS", stopPrice=at(ask, "1.1"))
    assert len(client.cancel_all_open_orders(symbol=SYMBOL)) == 4


def test_a_stop_in_the_way_of_the_market_is_triggered(client: Any) -> None:
    bid, _ = best(client)
    stop = client.create_order(
        symbol=SYMBOL, side="SELL", type="STOP_LOSS", quantity="0.001", stopPrice=at(bid, "0.99995")
    )
    sold = Decimal(0)
    for _ in range(20):  # every bid down to below the stop
        swept = client.order_limit_sell(symbol=SYMBOL, quantity="0.4", price=at(bid, "0.9999"), timeInForce="IOC")
        sold += Decimal(swept["executedQty"])
        if swept["status"] == "EXPIRED":
            break
    state = client.get_order(symbol=SYMBOL, orderId=stop["orderId"])
    assert (state["status"], state["isWorking"], state["workingTime"] > 0) == ("FILLED", True, True)
    client.order_market_buy(symbol=SYMBOL, quantity=f"{sold:.5f}")


def test_an_order_test_checks_and_tells_the_commission(client: Any) -> None:
    bid, _ = best(client)
    terms = {"symbol": SYMBOL, "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": "0.01"}
    assert client.create_test_order(**terms, price=at(bid, "0.9")) == {}
    rates = client.create_test_order(**terms, price=at(bid, "0.9"), computeCommissionRates="true")
    assert rates["standardCommissionForOrder"].keys() == {"maker", "taker"}
    with pytest.raises(BinanceAPIException, match="PRICE_FILTER"):
        client.create_test_order(**terms, price="50000.001")
    assert client.v3_get_account_commission(symbol=SYMBOL)["discount"]["discountAsset"] == "BNB"


def test_cancel_replace_tells_of_both_legs(client: Any) -> None:
    bid, _ = best(client)
    first = client.order_limit_buy(symbol=SYMBOL, quantity="0.01", price=at(bid, "0.9"))
    terms = {"symbol": SYMBOL, "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": "0.01",
             "price": at(bid, "0.91")}  # fmt: skip
    fine = client.cancel_replace_order(**terms, cancelReplaceMode="STOP_ON_FAILURE", cancelOrderId=first["orderId"])
    assert (fine["cancelResult"], fine["newOrderResult"]) == ("SUCCESS", "SUCCESS")
    with pytest.raises(BinanceAPIException) as refused:
        client.cancel_replace_order(**terms, cancelReplaceMode="STOP_ON_FAILURE", cancelOrderId=first["orderId"])
    assert refused.value.code == -2022
    with pytest.raises(BinanceAPIException) as half:
        client.cancel_replace_order(**terms, cancelReplaceMode="ALLOW_FAILURE", cancelOrderId=first["orderId"])
    assert (half.value.status_code, half.value.code) == (409, -2021)
    assert json.loads(half.value.response.text)["data"]["newOrderResult"] == "SUCCESS"


def test_order_lists_are_placed_queried_and_cancelled(client: Any) -> None:
    bid, ask = best(client)
    pair = client.create_oco_order(
        symbol=SYMBOL, side="SELL", quantity="0.01", aboveType="LIMIT_MAKER", abovePrice=at(ask, "1.1"),
        belowType="STOP_LOSS_LIMIT", belowStopPrice=at(bid, "0.9"), belowPrice=at(bid, "0.89"), belowTimeInForce="GTC",
    )  # fmt: skip
    assert (pair["contingencyType"], pair["listStatusType"], len(pair["orderReports"])) == ("OCO", "EXEC_STARTED", 2)
    assert {row["orderListId"] for row in pair["orderReports"]} == {pair["orderListId"]}
    terms = {"symbol": SYMBOL, "side": "SELL", "quantity": "0.01", "price": at(ask, "1.1"), "stopPrice": at(bid, "0.9")}
    old = client._post("order/oco", True, data=terms)  # where its older versions sent a create_oco_order
    assert [row["type"] for row in old["orderReports"]] == ["STOP_LOSS", "LIMIT_MAKER"]
    oto = client.v3_post_order_list_oto(
        symbol=SYMBOL, workingType="LIMIT", workingSide="BUY", workingPrice=at(bid, "0.9"), workingQuantity="0.01",
        workingTimeInForce="GTC", pendingType="LIMIT", pendingSide="SELL", pendingPrice=at(ask, "1.1"),
        pendingQuantity="0.01", pendingTimeInForce="GTC",
    )  # fmt: skip
    assert [row["status"] for row in oto["orderReports"]] == ["NEW", "PENDING_NEW"]
    otoco = client.v3_post_order_list_otoco(
        symbol=SYMBOL, workingType="LIMIT", workingSide="BUY", workingPrice=at(bid, "0.9"), workingQuantity="0.01",
        workingTimeInForce="GTC", pendingSide="SELL", pendingQuantity="0.01", pendingAboveType="LIMIT_MAKER",
        pendingAbovePrice=at(ask, "1.1"), pendingBelowType="STOP_LOSS", pendingBelowStopPrice=at(bid, "0.9"),
    )  # fmt: skip
    assert len(otoco["orders"]) == 3
    open_ids = {row["orderListId"] for row in client.get_open_oco_orders()}
    assert {pair["orderListId"], oto["orderListId"], otoco["orderListId"]} <= open_ids
    assert client.v3_get_order_list(orderListId=oto["orderListId"])["listOrderStatus"] == "EXECUTING"
    done = client.v3_delete_order_list(symbol=SYMBOL, orderListId=pair["orderListId"])
    assert (done["listOrderStatus"], {row["status"] for row in done["orderReports"]}) == ("ALL_DONE", {"CANCELED"})
    everything = client.cancel_all_open_orders(symbol=SYMBOL)
    assert {row["orderListId"] for row in everything if "orderReports" in row} == open_ids - {pair["orderListId"]}
    assert client.get_open_oco_orders() == []
    assert pair["orderListId"] in {row["orderListId"] for row in client.v3_get_all_order_list()}


@pytest.mark.parametrize("name", PRIVATE)
@pytest.mark.parametrize("unit", ["MILLISECOND", "MICROSECOND"])
def test_keys_of_every_kind_sign_and_times_come_in_the_unit_asked_for(
    paper: dict[str, Any], name: str, unit: str
) -> None:
    form = serialization.PrivateFormat.PKCS8
    pem = PRIVATE[name].private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()).decode()
    made = _addressed(binance.Client, paper)(account(paper, name)["api_key"], private_key=pem, time_unit=unit)
    placed = made.order_limit_buy(symbol=SYMBOL, quantity="0.01", price="50000", newClientOrderId=f"mine-{unit}")
    assert len(str(placed["transactTime"])) == (13 if unit == "MILLISECOND" else 16)
    assert [row["orderId"] for row in made.get_open_orders(symbol=SYMBOL)] == [placed["orderId"]]
    assert made.cancel_order(symbol=SYMBOL, orderId=placed["orderId"])["status"] == "CANCELED"
    made.close_connection()


async def test_the_async_client_trades_over_the_websocket_api(async_client: Any) -> None:
    client = async_client
    ticker = await client.get_orderbook_ticker(symbol=SYMBOL)
    bid, ask = Decimal(ticker["bidPrice"]), Decimal(ticker["askPrice"])
    terms = {"symbol": SYMBOL, "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": "0.01"}
    assert await client.ws_create_test_order(**terms, price=at(bid, "0.9")) == {}
    placed = await client.ws_create_order(**terms, price=at(bid, "0.9"))
    assert placed["status"] == "NEW"
    found = await client.ws_get_order(symbol=SYMBOL, orderId=placed["orderId"])
    assert found["clientOrderId"] == placed["clientOrderId"]
    replaced = await client.ws_cancel_and_replace_order(
        **terms, price=at(bid, "0.91"), cancelReplaceMode="STOP_ON_FAILURE", cancelOrderId=placed["orderId"]
    )
    assert replaced["newOrderResult"] == "SUCCESS"
    assert len(await client.ws_get_open_orders(symbol=SYMBOL)) == 1
    pair = await client.ws_create_oco_order(
        symbol=SYMBOL, side="SELL", quantity="0.01", aboveType="TAKE_PROFIT", aboveStopPrice=at(ask, "1.1"),
        belowType="STOP_LOSS", belowStopPrice=at(bid, "0.9"),
    )  # fmt: skip
    assert pair["orderListId"] in {row["orderListId"] for row in await client.ws_get_oco_open_orders()}
    assert (await client.ws_get_oco_order(orderListId=pair["orderListId"]))["contingencyType"] == "OCO"
    gone = await client.ws_cancel_oco_order(symbol=SYMBOL, orderListId=pair["orderListId"])
    assert gone["listStatusType"] == "ALL_DONE"
    assert len(await client.ws_cancel_all_open_orders(symbol=SYMBOL)) == 1
    with pytest.raises(BinanceAPIException, match="Unknown order sent"):
        await client.ws_cancel_order(symbol=SYMBOL, orderId=placed["orderId"])
    with pytest.raises(BinanceAPIException):
        await client.ws_create_sor_order(**terms, price=at(bid, "0.9"))
    assert (await client.ws_get_account())["accountType"] == "SPOT"
    assert len(await client.ws_get_account_rate_limits_orders()) == 2
    assert placed["orderId"] in {row["orderId"] for row in await client.ws_get_all_orders(symbol=SYMBOL)}
    assert await client.ws_get_my_trades(symbol=SYMBOL) == []
    assert await client.ws_get_allocations(symbol=SYMBOL) == []
    assert await client.ws_get_prevented_matches(symbol=SYMBOL, orderId=placed["orderId"]) == []
    assert (await client.ws_get_commission_rates(symbol=SYMBOL))["symbol"] == SYMBOL
    assert (await client.ws_get_exchange_info(symbol=SYMBOL))["symbols"][0]["symbol"] == SYMBOL


async def test_its_user_socket_hears_the_life_of_an_order_and_of_a_list(
    async_client: Any, paper: dict[str, Any]
) -> None:
    client = async_client
    manager = binance.BinanceSocketManager(client)
    manager.STREAM_URL = paper["ws"] + "/"
    ticker = await client.get_orderbook_ticker(symbol=SYMBOL)
    bid, ask = Decimal(ticker["bidPrice"]), Decimal(ticker["askPrice"])
    async with manager.user_socket() as socket:
        bought = await client.order_market_buy(symbol=SYMBOL, quantity="0.01")
        events = [await asyncio.wait_for(socket.recv(), 8)]
        while events[-1].get("X") != "FILLED":
            events.append(await asyncio.wait_for(socket.recv(), 8))
        reports = [event for event in events if event["e"] == "executionReport"]
        assert {report["i"] for report in reports} == {bought["orderId"]}
        assert [report["x"] for report in reports] == ["NEW"] + ["TRADE"] * len(bought["fills"])
        pair = await client.create_oco_order(
            symbol=SYMBOL, side="SELL", quantity="0.01", aboveType="LIMIT_MAKER", abovePrice=at(ask, "1.1"),
            belowType="STOP_LOSS", belowStopPrice=at(bid, "0.9"),
        )  # fmt: skip
        while events[-1]["e"] != "listStatus":
            events.append(await asyncio.wait_for(socket.recv(), 8))
        assert (events[-1]["g"], events[-1]["l"]) == (pair["orderListId"], "EXEC_STARTED")
        await client.v3_delete_order_list(symbol=SYMBOL, orderListId=pair["orderListId"])
        while events[-1].get("l") != "ALL_DONE":
            events.append(await asyncio.wait_for(socket.recv(), 8))


async def test_its_market_sockets_run(async_client: Any, paper: dict[str, Any]) -> None:
    manager = binance.BinanceSocketManager(async_client)
    manager.STREAM_URL = paper["ws"] + "/"
    for socket, name in (
        (manager.trade_socket(SYMBOL), "trade"),
        (manager.depth_socket(SYMBOL, interval=100), "depthUpdate"),
    ):
        async with socket as stream:
            assert (await asyncio.wait_for(stream.recv(), 8))["e"] == name
    async with manager.multiplex_socket(["btcusdt@bookTicker", "ethusdt@aggTrade"]) as stream:
        heard = await asyncio.wait_for(stream.recv(), 8)
    assert heard["stream"] in ("btcusdt@bookTicker", "ethusdt@aggTrade")


async def test_its_depth_cache_follows_the_book_by_the_documented_procedure(
    async_client: Any, paper: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(binance.BinanceSocketManager, "STREAM_URL", paper["ws"] + "/")
    async with binance.DepthCacheManager(async_client, symbol=SYMBOL, ws_interval=100) as cache:
        for _ in range(10):
            book = await asyncio.wait_for(cache.recv(), 8)
    assert book.get_bids()[0][0] < book.get_asks()[0][0]
    assert len(book.get_bids()) > 20
