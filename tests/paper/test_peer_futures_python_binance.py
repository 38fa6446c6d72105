"""python-binance trades unmodified on the futures market of a real paper process: only the base URLs are its user's to set."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from decimal import Decimal
from typing import Any

import pytest
from paper_process import account
from peer_futures import futures_process, until

binance = pytest.importorskip("binance", reason="python-binance (the extra `peers`) is not installed")
BinanceAPIException = binance.exceptions.BinanceAPIException

SYMBOL = "BTCUSDT"


@pytest.fixture(scope="module")
def paper(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    yield from futures_process(tmp_path_factory.mktemp("peer"))


def _addressed(cls: type[Any], paper: dict[str, Any]) -> type[Any]:
    """The client class as its own users point it elsewhere."""
    urls = {
        "API_URL": paper["rest"] + "/api",
        "MARGIN_API_URL": paper["rest"] + "/sapi",
        "WS_API_URL": paper["wsapi"],
        "FUTURES_URL": paper["futures"]["rest"] + "/fapi",
        "WS_FUTURES_URL": paper["futures"]["wsapi"],
    }
    return type(cls.__name__, (cls,), urls)


@pytest.fixture
def client(paper: dict[str, Any]) -> Iterator[Any]:
    known = account(paper, "acme")
    made = _addressed(binance.Client, paper)(known["api_key"], known["secret"])
    yield made
    made.futures_cancel_all_open_orders(symbol=SYMBOL)
    made.futures_cancel_all_open_orders(symbol=SYMBOL, conditional=True)
    made.close_connection()


@pytest.fixture
async def async_client(paper: dict[str, Any]) -> AsyncIterator[Any]:
    known = account(paper, "birch")
    made = await _addressed(binance.AsyncClient, paper).create(known["api_key"], known["secret"])
    made.ws_api.TIMEOUT = made.ws_future.TIMEOUT = 0.2  # s; they look so often whether they are being closed
    yield made
    await made.futures_cancel_all_open_orders(symbol=SYMBOL)
    await made.close_connection()


def at(price: Decimal, factor: str) -> str:
    """A price on the tick grid."""
    return f"{price * Decimal(factor):.1f}"


def last(client: Any) -> Decimal:
    return Decimal(client.futures_symbol_ticker(symbol=SYMBOL)["price"])


def test_it_loads_the_market(client: Any) -> None:
    assert client.futures_ping() == {}
    assert client.futures_time()["serverTime"] > 0
    info = client.futures_exchange_info()
    assert SYMBOL in [row["symbol"] for row in info["symbols"]]
    book = client.futures_order_book(symbol=SYMBOL, limit=20)
    assert Decimal(book["bids"][0][0]) < Decimal(book["asks"][0][0])
    until(lambda: client.futures_recent_trades(symbol=SYMBOL))  # everyone else has just begun to trade
    assert client.futures_historical_trades(symbol=SYMBOL, limit=5)
    assert client.futures_aggregate_trades(symbol=SYMBOL)
    assert len(client.futures_klines(symbol=SYMBOL, interval="1m", limit=20)) == 20
    assert len(client.futures_continuous_klines(pair=SYMBOL, contractType="PERPETUAL", interval="1m", limit=20)) == 20
    assert len(client.futures_mark_price_klines(symbol=SYMBOL, interval="1m", limit=20)) == 20
    assert len(client.futures_index_price_klines(pair=SYMBOL, interval="1m", limit=20)) == 20
    assert client.futures_historical_klines(SYMBOL, "1m", "20 minutes ago UTC")
    assert Decimal(client.futures_mark_price(symbol=SYMBOL)["markPrice"]) > 0
    assert client.futures_funding_rate(symbol=SYMBOL) == []
    assert client.futures_ticker(symbol=SYMBOL)["symbol"] == SYMBOL
    assert client.futures_orderbook_ticker(symbol=SYMBOL)["symbol"] == SYMBOL
    assert client.futures_open_interest(symbol=SYMBOL)["symbol"] == SYMBOL
    assert client.futures_index_price_constituents(symbol=SYMBOL)["symbol"] == SYMBOL
    assert client.futures_rpi_depth(symbol=SYMBOL)["bids"]
    assert client.futures_symbol_adl_risk(symbol=SYMBOL)["adlRisk"] == "low"
    assert client.futures_v1_get_asset_index(symbol="USDTUSD")["index"] == "1.00000000"


def test_settings_balances_and_brackets(client: Any) -> None:
    assert client.futures_change_leverage(symbol=SYMBOL, leverage=12)["leverage"] == 12
    assert client.futures_change_margin_type(symbol=SYMBOL, marginType="ISOLATED")["code"] == 200
    assert client.futures_change_margin_type(symbol=SYMBOL, marginType="CROSSED")["code"] == 200
    with pytest.raises(BinanceAPIException, match="No need to change margin type"):
        client.futures_change_margin_type(symbol=SYMBOL, marginType="CROSSED")
    [balance] = client.futures_account_balance()
    assert balance["asset"] == "USDT"
    assert client.futures_account()["assets"][0]["asset"] == "USDT"
    assert client.futures_leverage_bracket(symbol=SYMBOL)[0]["brackets"][0]["initialLeverage"] == 125
    assert client.futures_commission_rate(symbol=SYMBOL)["takerCommissionRate"] == "0.0005"
    assert client.futures_get_multi_assets_mode() == {"multiAssetsMargin": False}
    assert client.futures_get_position_mode() == {"dualSidePosition": False}
    assert client.futures_account_config()["dualSidePosition"] is False
    assert client.futures_symbol_config(symbol=SYMBOL)[0]["leverage"] == 12
    assert client.futures_api_trading_status()["indicators"] == {}


def test_limit_and_market_orders_live_and_end(client: Any) -> None:
    price = last(client)
    terms = {"symbol": SYMBOL, "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": "0.01"}
    rests = client.futures_create_order(**terms, price=at(price, "0.97"))
    assert rests["status"] == "NEW"
    changed = client.futures_modify_order(
        symbol=SYMBOL, side="BUY", orderId=rests["orderId"], quantity="0.02", price=at(price, "0.96")
    )
    assert (changed["orderId"], changed["origQty"]) == (rests["orderId"], "0.020")
    found = client.futures_get_order(symbol=SYMBOL, orderId=rests["orderId"])
    assert found["clientOrderId"] == rests["clientOrderId"]
    assert [row["orderId"] for row in client.futures_get_open_orders(symbol=SYMBOL)] == [rests["orderId"]]
    gone = client.futures_cancel_order(symbol=SYMBOL, origClientOrderId=rests["clientOrderId"])
    assert gone["status"] == "CANCELED"
    assert client.futures_create_test_order(**terms, price=at(price, "0.97")) == {}

    bought = client.futures_create_order(
        symbol=SYMBOL, side="BUY", type="MARKET", quantity="0.02", newOrderRespType="RESULT"
    )
    assert bought["status"] == "FILLED"
    held = [row for row in client.futures_position_information(symbol=SYMBOL) if Decimal(row["positionAmt"])]
    assert [row["positionAmt"] for row in held] == ["0.020"]
    sold = client.futures_create_order(symbol=SYMBOL, side="SELL", type="MARKET", quantity="0.02", reduceOnly="true")
    assert sold["status"] == "NEW"  # an ACK
    assert client.futures_position_information(symbol=SYMBOL) == []
    fills = client.futures_account_trades(symbol=SYMBOL, orderId=bought["orderId"])
    assert sum(Decimal(fill["qty"]) for fill in fills) == Decimal("0.02")
    kinds = {row["incomeType"] for row in client.futures_income_history(symbol=SYMBOL)}
    assert {"COMMISSION", "REALIZED_PNL"} <= kinds
    assert bought["orderId"] in [row["orderId"] for row in client.futures_get_all_orders(symbol=SYMBOL)]
    assert client.futures_liquidation_orders() == []
    with pytest.raises(BinanceAPIException, match="ReduceOnly Order is rejected"):
        client.futures_create_order(symbol=SYMBOL, side="SELL", type="MARKET", quantity="0.02", reduceOnly="true")


def test_stop_take_profit_and_trailing_orders_wait(client: Any) -> None:
    price = last(client)
    client.futures_create_order(symbol=SYMBOL, side="BUY", type="MARKET", quantity="0.02")
    terms = {"symbol": SYMBOL, "side": "SELL"}
    made = [
        client.futures_create_order(
            **terms,
            type="STOP",
            quantity="0.02",
            stopPrice=at(price, "0.97"),
            price=at(price, "0.965"),
            timeInForce="GTC",
        ),
        client.futures_create_order(**terms, type="STOP_MARKET", stopPrice=at(price, "0.96"), closePosition="true"),
        client.futures_create_order(
            **terms, type="TAKE_PROFIT_MARKET", quantity="0.02", stopPrice=at(price, "1.04"), workingType="MARK_PRICE"
        ),
        client.futures_create_order(**terms, type="TRAILING_STOP_MARKET", quantity="0.02", callbackRate="2"),
    ]
    ids = {row["algoId"] for row in made}
    assert {row["algoId"] for row in client.futures_get_open_orders(symbol=SYMBOL, conditional=True)} == ids
    assert client.futures_get_order(algoId=made[0]["algoId"])["algoStatus"] == "NEW"
    assert client.futures_cancel_order(symbol=SYMBOL, algoId=made[0]["algoId"])["code"] == "200"
    assert client.futures_cancel_algo_order(clientAlgoId=made[1]["clientAlgoId"])["msg"] == "success"
    client.futures_cancel_all_algo_open_orders(symbol=SYMBOL)
    assert client.futures_get_open_algo_orders(symbol=SYMBOL) == []
    assert ids <= {row["algoId"] for row in client.futures_get_all_algo_orders(symbol=SYMBOL)}
    client.futures_create_order(symbol=SYMBOL, side="SELL", type="MARKET", quantity="0.02", reduceOnly="true")


def test_batches_hedges_and_countdowns(client: Any) -> None:
    price = last(client)
    leg = {"symbol": SYMBOL, "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": "0.01"}
    placed = client.futures_place_batch_order(
        batchOrders=[leg | {"price": at(price, "0.97")}, leg | {"price": at(price, "0.96")}]
    )
    ids = [row["orderId"] for row in placed]
    done = client.futures_cancel_orders(symbol=SYMBOL, orderidlist=ids)
    assert [row["status"] for row in done] == ["CANCELED", "CANCELED"]

    client.futures_change_position_mode(dualSidePosition="true")
    client.futures_create_order(symbol=SYMBOL, side="BUY", type="MARKET", quantity="0.01", positionSide="LONG")
    client.futures_create_order(symbol=SYMBOL, side="SELL", type="MARKET", quantity="0.02", positionSide="SHORT")
    held = {row["positionSide"]: row["positionAmt"] for row in client.futures_position_information(symbol=SYMBOL)}
    assert held == {"LONG": "0.010", "SHORT": "-0.020"}
    client.futures_create_order(symbol=SYMBOL, side="SELL", type="MARKET", quantity="0.01", positionSide="LONG")
    client.futures_create_order(symbol=SYMBOL, side="BUY", type="MARKET", quantity="0.02", positionSide="SHORT")
    client.futures_change_position_mode(dualSidePosition="false")

    client.futures_create_order(**leg, price=at(price, "0.97"))
    assert client.futures_countdown_cancel_all(symbol=SYMBOL, countdownTime=60_000)["countdownTime"] == "60000"
    assert client.futures_countdown_cancel_all(symbol=SYMBOL, countdownTime=0)["countdownTime"] == "0"
    assert len(client.futures_get_open_orders(symbol=SYMBOL)) == 1


async def _heard(socket: Any, wanted: Any) -> Any:
    """The first message that `wanted` holds for."""
    async with asyncio.timeout(8):
        while True:
            message = await socket.recv()
            data = message.get("data", message)
            if wanted(data):
                return data


async def test_the_sockets_of_the_market_are_alive(paper: dict[str, Any], async_client: Any) -> None:
    manager = binance.BinanceSocketManager(async_client)
    manager.FSTREAM_URL = paper["futures"]["ws"] + "/"
    for socket, event in (
        (manager.futures_depth_socket(SYMBOL), "depthUpdate"),
        (manager.aggtrade_futures_socket(SYMBOL), "aggTrade"),
        (manager.symbol_ticker_futures_socket(SYMBOL), "bookTicker"),
        (manager.symbol_mark_price_socket(SYMBOL), "markPriceUpdate"),
        (manager.kline_futures_socket(SYMBOL), "continuous_kline"),
    ):
        async with socket as opened:
            assert await _heard(opened, lambda data, event=event: data.get("e") == event)
    async with manager.all_mark_price_socket() as opened:
        rows = await _heard(opened, lambda data: isinstance(data, list))
        assert SYMBOL in [row["s"] for row in rows]
    async with manager.futures_multiplex_socket(
        ["btcusdt@depth@100ms", "ethusdt@bookTicker"], category="public"
    ) as opened:
        for symbol in ("BTCUSDT", "ETHUSDT"):
            assert await _heard(opened, lambda data, symbol=symbol: data["s"] == symbol)


async def test_the_user_socket_tells_orders_and_positions(paper: dict[str, Any], async_client: Any) -> None:
    manager = binance.BinanceSocketManager(async_client)
    manager.FSTREAM_URL = paper["futures"]["ws"] + "/"
    async with manager.futures_user_socket() as socket:
        bought = await async_client.futures_create_order(symbol=SYMBOL, side="BUY", type="MARKET", quantity="0.01")
        told = await _heard(socket, lambda data: data["e"] == "ORDER_TRADE_UPDATE" and data["o"]["X"] == "FILLED")
        assert told["o"]["i"] == bought["orderId"]
        account_told = await _heard(socket, lambda data: data["e"] == "ACCOUNT_UPDATE")
        assert account_told["a"]["P"][0]["s"] == SYMBOL
        await async_client.futures_create_order(
            symbol=SYMBOL, side="SELL", type="MARKET", quantity="0.01", reduceOnly="true"
        )
    key = await async_client.futures_stream_get_listen_key()
    await async_client.futures_stream_keepalive(key)
    assert await async_client.futures_stream_close(key) == {}


async def test_orders_go_over_the_websocket_api(async_client: Any) -> None:
    book = await async_client.ws_futures_get_order_book(symbol=SYMBOL)
    price = Decimal(book["bids"][0][0])
    best = await async_client.ws_futures_get_order_book_ticker(symbol=SYMBOL)
    assert best["symbol"] == SYMBOL
    terms = {"symbol": SYMBOL, "side": "BUY"}
    placed = await async_client.ws_futures_create_order(
        **terms, type="LIMIT", timeInForce="GTC", quantity="0.01", price=at(price, "0.97")
    )
    changed = await async_client.ws_futures_edit_order(
        **terms, orderId=placed["orderId"], quantity="0.02", price=at(price, "0.96")
    )
    assert changed["origQty"] == "0.020"
    assert (await async_client.ws_futures_get_order(symbol=SYMBOL, orderId=placed["orderId"]))["status"] == "NEW"
    gone = await async_client.ws_futures_cancel_order(symbol=SYMBOL, orderId=placed["orderId"])
    assert gone["status"] == "CANCELED"
    stop = await async_client.ws_futures_create_order(
        **terms, type="STOP_MARKET", quantity="0.01", stopPrice=at(price, "1.04")
    )
    assert stop["algoStatus"] == "NEW"
    assert (await async_client.ws_futures_cancel_algo_order(algoId=stop["algoId"]))["msg"] == "success"
    assert (await async_client.ws_futures_v2_account_balance())[0]["asset"] == "USDT"
    assert (await async_client.ws_futures_v2_account_status())["assets"][0]["asset"] == "USDT"
    assert await async_client.ws_futures_v2_account_position(symbol=SYMBOL) == []
    with pytest.raises(BinanceAPIException, match="-1121"):
        await async_client.ws_futures_get_order_book(symbol="NONESUCH")
