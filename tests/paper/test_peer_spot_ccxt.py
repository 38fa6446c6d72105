"""ccxt in its three forms (sync, async, pro) trades unmodified on a real paper process: only its addresses are changed."""

import asyncio
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from decimal import Decimal
from pathlib import Path
from typing import Any

import ccxt
import ccxt.async_support
import ccxt.pro
import pytest
from ccxt.base.errors import InvalidOrder, OrderNotFound
from open_accounts import open_accounts
from paper_process import account, paper_process

SYMBOL = "BTC/USDT"
FORMS: dict[str, Any] = {"sync": ccxt.binance, "async": ccxt.async_support.binance, "pro": ccxt.pro.binance}
OWNERS = {"sync": "acme", "async": "birch", "pro": "eddy"}


@pytest.fixture(scope="module")
def paper(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    path: Path = tmp_path_factory.mktemp("peer") / "accounts.toml"
    with paper_process("--accounts-file", open_accounts(path, *OWNERS.values()), "--seed", "3") as described:
        yield described


def moved(url: Any, paper: dict[str, Any]) -> Any:
    """Every address on the paper exchange, nested ones too: one that is missed would be a real host."""
    if isinstance(url, dict):
        return {name: moved(each, paper) for name, each in url.items()}
    scheme, _, rest = url.partition("://")
    return (paper["ws"] if scheme == "wss" else paper["rest"]) + "/" + rest.partition("/")[2]


class Desk:
    """One ccxt exchange object of any form; `await desk.fetch_ticker(...)` whichever it is."""

    def __init__(self, exchange: Any) -> None:
        self.exchange = exchange

    def __getattr__(self, name: str) -> Callable[..., Awaitable[Any]]:
        method = getattr(self.exchange, name)

        async def call(*arguments: Any, **more: Any) -> Any:
            found = method(*arguments, **more)
            return await asyncio.wait_for(found, 8) if inspect.isawaitable(found) else found

        return call

    def at(self, price: float, factor: float) -> str:
        return str(self.exchange.price_to_precision(SYMBOL, price * factor))


@pytest.fixture
async def connect(paper: dict[str, Any]) -> AsyncIterator[Callable[[str], Awaitable[Desk]]]:
    async with AsyncExitStack() as stack:

        async def begin(form: str) -> Desk:
            known = account(paper, OWNERS[form])
            options = {"fetchMarkets": {"types": ["spot"]}, "fetchOpenOrders": {"warnWithoutSymbol": False}}
            exchange = FORMS[form](
                {"apiKey": known["api_key"], "secret": known["secret"], "enableRateLimit": False, "options": options}
            )
            exchange.urls["api"] = moved(exchange.urls["api"], paper)
            if form != "sync":
                stack.push_async_callback(exchange.close)
            desk = Desk(exchange)
            await desk.load_markets()
            if await desk.fetch_open_orders(SYMBOL):
                await desk.cancel_all_orders(SYMBOL)
            return desk

        yield begin


@pytest.mark.parametrize("form", FORMS)
async def test_it_loads_with_its_own_defaults(connect: Any, form: str) -> None:
    desk = await connect(form)
    market = desk.exchange.markets[SYMBOL]
    assert (market["precision"]["price"], market["precision"]["amount"]) == (0.01, 0.00001)
    assert (await desk.fetch_balance())["ETH"]["total"] == 100
    assert len((await desk.fetch_order_book(SYMBOL, 20))["bids"]) == 20
    assert await desk.fetch_trades(SYMBOL)
    assert len(await desk.fetch_ohlcv(SYMBOL, "1m", None, 50)) == 50
    assert SYMBOL in await desk.fetch_tickers()
    assert SYMBOL in await desk.fetch_bids_asks([SYMBOL])
    assert (await desk.fetch_trading_fee(SYMBOL))["maker"] == 0.001


@pytest.mark.parametrize("form", FORMS)
async def test_every_order_type_is_placed_shown_and_cancelled(connect: Any, form: str) -> None:
    desk = await connect(form)
    bid = (await desk.fetch_ticker(SYMBOL))["bid"]
    sent: list[tuple[str, str, str, float | None, dict[str, Any]]] = [
        ("limit", "buy", "limit", bid * 0.9, {}),
        ("limit", "buy", "LIMIT_MAKER".lower(), bid * 0.9, {"postOnly": True}),
        ("limit", "sell", "stop_loss_limit", bid * 0.89, {"stopLossPrice": bid * 0.9}),
        ("market", "sell", "stop_loss", None, {"stopLossPrice": bid * 0.9}),
        ("limit", "sell", "take_profit_limit", bid * 1.2, {"takeProfitPrice": bid * 1.1}),
        ("market", "sell", "take_profit", None, {"takeProfitPrice": bid * 1.1}),
        ("market", "sell", "stop_loss", None, {"trailingPercent": 5, "stopLossOrTakeProfit": "stopLoss"}),
        ("limit", "buy", "limit", bid * 0.9, {"icebergQty": "0.002"}),
        ("limit", "buy", "limit", bid * 0.9, {"selfTradePreventionMode": "EXPIRE_BOTH", "strategyId": 7}),
    ]
    placed = []
    for kind, side, shown, price, params in sent:
        order = await desk.create_order(SYMBOL, kind, side, 0.01, price, params)
        assert (order["status"], order["info"]["type"].lower()) == ("open", shown), order
        placed.append(order["id"])
    shown_ids = {order["id"] for order in await desk.fetch_open_orders(SYMBOL)}
    assert shown_ids == set(placed)
    assert len(await desk.fetch_open_orders()) == len(placed)
    stop = await desk.fetch_order(placed[2], SYMBOL)
    assert stop["triggerPrice"] == pytest.approx(bid * 0.9, abs=0.01)
    assert (await desk.cancel_order(placed[0], SYMBOL))["status"] == "canceled"
    await desk.cancel_all_orders(SYMBOL)
    assert await desk.fetch_open_orders(SYMBOL) == []
    assert {order["id"] for order in await desk.fetch_canceled_orders(SYMBOL)} >= set(placed)


@pytest.mark.parametrize("form", FORMS)
async def test_orders_trade_are_edited_and_are_found_afterwards(connect: Any, form: str) -> None:
    desk = await connect(form)
    ticker = await desk.fetch_ticker(SYMBOL)
    bought = await desk.create_order(SYMBOL, "market", "buy", 0.01)
    by_cost = await desk.create_market_buy_order_with_cost(SYMBOL, 200)
    assert (bought["status"], by_cost["status"]) == ("closed", "closed")
    rests = await desk.create_order(SYMBOL, "limit", "buy", 0.01, ticker["bid"] * 0.9)
    edited = await desk.edit_order(rests["id"], SYMBOL, "limit", "buy", 0.02, ticker["bid"] * 0.91)
    assert (edited["status"], edited["amount"]) == ("open", 0.02)
    stop = await desk.create_order(
        SYMBOL, "limit", "sell", 0.01, ticker["bid"] * 0.8, {"stopPrice": desk.at(ticker["bid"], 0.81)}
    )
    moved_stop = await desk.edit_order(
        stop["id"], SYMBOL, "limit", "sell", 0.01, ticker["bid"] * 0.79, {"stopPrice": desk.at(ticker["bid"], 0.8)}
    )
    assert moved_stop["status"] == "open"
    assert await desk.create_order(SYMBOL, "limit", "buy", 0.01, ticker["bid"] * 0.9, {"test": True})
    trades = await desk.fetch_my_trades(SYMBOL)
    assert {trade["order"] for trade in trades} >= {bought["id"], by_cost["id"]}
    assert await desk.fetch_order_trades(bought["id"], SYMBOL)
    since = desk.exchange.milliseconds() - 3_600_000
    assert {order["id"] for order in await desk.fetch_orders(SYMBOL, since)} >= {
        bought["id"],
        edited["id"],
        rests["id"],
    }
    assert bought["id"] in {order["id"] for order in await desk.fetch_closed_orders(SYMBOL)}
    with pytest.raises(OrderNotFound):
        await desk.cancel_order(rests["id"], SYMBOL)
    with pytest.raises(InvalidOrder):
        await desk.create_order(SYMBOL, "market", "sell", 0.01, None, {"stopLossPrice": ticker["ask"] * 1.1})
    with pytest.raises(InvalidOrder, match="PRICE_FILTER"):
        await desk.create_order(SYMBOL, "limit", "buy", 0.01, 2_000_000)
    await desk.cancel_all_orders(SYMBOL)


@pytest.mark.parametrize("form", FORMS)
async def test_lists_go_through_its_implicit_calls(connect: Any, form: str) -> None:
    desk = await connect(form)
    bid = (await desk.fetch_ticker(SYMBOL))["bid"]
    common = {"symbol": "BTCUSDT", "side": "SELL", "quantity": "0.01"}
    pair = await desk.private_post_orderlist_oco(
        common | {"aboveType": "LIMIT_MAKER", "abovePrice": desk.at(bid, 1.1), "belowType": "STOP_LOSS", "belowStopPrice": desk.at(bid, 0.9)}
    )  # fmt: skip
    old = await desk.private_post_order_oco(common | {"price": desk.at(bid, 1.1), "stopPrice": desk.at(bid, 0.9)})
    ids = {pair["orderListId"], old["orderListId"]}
    assert {row["orderListId"] for row in await desk.private_get_openorderlist()} == ids
    assert {row["orderListId"] for row in await desk.private_get_allorderlist()} >= ids
    assert len(await desk.fetch_open_orders(SYMBOL)) == 4
    await desk.private_delete_orderlist({"symbol": "BTCUSDT", "orderListId": pair["orderListId"]})
    await desk.cancel_all_orders(SYMBOL)
    assert await desk.private_get_openorderlist() == []
    assert (await desk.private_get_account_commission({"symbol": "BTCUSDT"}))["symbol"] == "BTCUSDT"
    assert len(await desk.private_get_ratelimit_order()) == 2


async def subscribed(desk: Desk) -> "asyncio.Task[Any]":
    """A watch of the orders on a subscription that is confirmed."""
    await desk.authenticate({"type": "spot"})
    return asyncio.create_task(desk.exchange.watch_orders(SYMBOL))


async def test_pro_trades_and_listens_over_its_sockets(connect: Any) -> None:
    desk = await connect("pro")
    bid = (await desk.fetch_ticker(SYMBOL))["bid"]
    watching = await subscribed(desk)
    stop = await desk.create_order_ws(SYMBOL, "limit", "sell", 0.01, bid * 0.89, {"stopPrice": desk.at(bid, 0.9)})
    [heard] = await asyncio.wait_for(watching, 8)
    assert (heard["id"], heard["status"], heard["info"]["w"]) == (stop["id"], "open", False)
    assert heard["triggerPrice"] == pytest.approx(bid * 0.9, abs=0.01)
    moved_stop = await desk.edit_order_ws(
        stop["id"], SYMBOL, "limit", "sell", 0.02, bid * 0.89, {"stopPrice": desk.at(bid, 0.9)}
    )
    assert moved_stop["amount"] == 0.02
    assert moved_stop["id"] in {order["id"] for order in await desk.fetch_open_orders_ws(SYMBOL)}
    assert (await desk.fetch_order_ws(moved_stop["id"], SYMBOL))["status"] == "open"
    assert await desk.fetch_orders_ws(SYMBOL)
    trades = asyncio.create_task(desk.exchange.watch_my_trades(SYMBOL))
    bought = await desk.create_order_ws(SYMBOL, "market", "buy", 0.01)
    assert {trade["order"] for trade in await asyncio.wait_for(trades, 8)} == {bought["id"]}
    assert {trade["order"] for trade in await desk.fetch_my_trades_ws(SYMBOL)} >= {bought["id"]}
    assert (await desk.fetch_balance_ws())["info"]["accountType"] == "SPOT"
    assert (await desk.cancel_order_ws(moved_stop["id"], SYMBOL))["status"] == "canceled"
    await desk.create_order_ws(SYMBOL, "limit", "buy", 0.01, bid * 0.9)
    await desk.cancel_all_orders_ws(SYMBOL)
    assert await desk.fetch_open_orders_ws(SYMBOL) == []


async def test_pro_hears_the_pair_of_an_oco_end(connect: Any) -> None:
    desk = await connect("pro")
    bid = Decimal(str((await desk.fetch_ticker(SYMBOL))["bid"]))
    watching = await subscribed(desk)
    pair = await desk.private_post_orderlist_oco(
        {"symbol": "BTCUSDT", "side": "SELL", "quantity": "0.01", "aboveType": "LIMIT_MAKER", "abovePrice": str(bid + 5_000),
         "belowType": "STOP_LOSS", "belowStopPrice": str(bid - 5_000)}
    )  # fmt: skip
    legs = {str(row["orderId"]) for row in pair["orders"]}
    await desk.private_delete_orderlist({"symbol": "BTCUSDT", "orderListId": pair["orderListId"]})
    await asyncio.wait_for(watching, 8)

    def has_ended() -> bool:
        known = {order["id"]: order["status"] for order in desk.exchange.orders}
        return {known.get(leg) for leg in legs} == {"canceled"}

    async with asyncio.timeout(8):
        while not has_ended():
            await desk.fetch_time()  # its socket is read meanwhile
