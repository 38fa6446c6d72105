"""ccxt's binanceusdm (sync, async and pro) trades unmodified on a real paper process: only its addresses are rewritten."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from typing import Any

import ccxt
import ccxt.async_support
import ccxt.pro
import pytest
from paper_process import account
from peer_futures import futures_process, redirected, until

SYMBOL = "BTC/USDT:USDT"
Connect = Callable[..., Awaitable[Any]]


@pytest.fixture(scope="module")
def paper(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    yield from futures_process(tmp_path_factory.mktemp("peer"))


def configured(kind: Any, paper: dict[str, Any], name: str) -> Any:
    described = account(paper, name)
    exchange = kind({"apiKey": described["api_key"], "secret": described["secret"], "enableRateLimit": False})
    exchange.urls["api"] = redirected(exchange.urls["api"], paper)
    return exchange


@pytest.fixture
def sync(paper: dict[str, Any]) -> Any:
    exchange = configured(ccxt.binanceusdm, paper, "acme")
    exchange.load_markets()
    yield exchange
    exchange.cancel_all_orders(SYMBOL)
    exchange.cancel_all_orders(SYMBOL, {"trigger": True})


@pytest.fixture
async def connect(paper: dict[str, Any]) -> AsyncIterator[Connect]:
    async with AsyncExitStack() as stack:

        async def begin(kind: Any, name: str) -> Any:
            exchange = configured(kind, paper, name)
            stack.push_async_callback(exchange.close)
            await exchange.load_markets()
            return exchange

        yield begin


async def within(awaitable: Awaitable[Any], seconds: float = 8) -> Any:
    return await asyncio.wait_for(awaitable, seconds)


def near(exchange: Any, factor: float) -> float:
    """A price on the tick grid, so far from the last one."""
    return float(exchange.price_to_precision(SYMBOL, exchange.fetch_ticker(SYMBOL)["last"] * factor))


def test_markets_and_market_data_load(sync: Any) -> None:
    market = sync.market(SYMBOL)
    assert (market["linear"], market["settle"], market["contractSize"]) == (True, "USDT", 1)
    assert (market["precision"]["price"], market["precision"]["amount"]) == (0.1, 0.001)
    assert market["limits"]["cost"]["min"] == 100
    book = sync.fetch_order_book(SYMBOL, 20)
    assert len(book["bids"]) == len(book["asks"]) == 20
    assert book["bids"][0][0] < book["asks"][0][0]
    until(lambda: sync.fetch_trades(SYMBOL))  # everyone else has just begun to trade
    for candles in (sync.fetch_ohlcv, sync.fetch_mark_ohlcv, sync.fetch_index_ohlcv):
        assert len(candles(SYMBOL, "1m", limit=30)) == 30
    assert sync.fetch_tickers()[SYMBOL]["last"] > 0
    assert sync.fetch_bids_asks([SYMBOL])[SYMBOL]["bid"] > 0
    rate = sync.fetch_funding_rate(SYMBOL)
    assert rate["markPrice"] == pytest.approx(rate["indexPrice"], rel=0.01)
    assert sync.fetch_funding_intervals()[SYMBOL]["interval"] == "8h"
    assert sync.fetch_funding_rate_history(SYMBOL) == []
    assert sync.fetch_open_interest(SYMBOL)["openInterestAmount"] >= 0
    assert sync.fetch_status()["status"] == "ok"
    assert abs(sync.fetch_time() - sync.milliseconds()) < 2_000


def test_leverage_margin_type_and_fees_are_set_and_read(sync: Any) -> None:
    sync.set_leverage(10, SYMBOL)
    assert sync.fetch_leverage(SYMBOL)["longLeverage"] == 10
    sync.set_margin_mode("isolated", SYMBOL)
    assert sync.fetch_margin_mode(SYMBOL)["marginMode"] == "isolated"
    sync.set_margin_mode("cross", SYMBOL)
    with pytest.raises(ccxt.MarginModeAlreadySet):
        sync.set_margin_mode("cross", SYMBOL)
    with pytest.raises(ccxt.ExchangeError, match="-4028"):
        sync.fapiPrivatePostLeverage({"symbol": "BTCUSDT", "leverage": 0})
    assert sync.fetch_leverage_tiers([SYMBOL])[SYMBOL][0]["maxLeverage"] == 125
    assert sync.fetch_trading_fee(SYMBOL)["taker"] == 0.0005
    assert sync.fetch_position_mode(SYMBOL)["hedged"] is False


def test_a_limit_order_is_placed_amended_found_and_cancelled(sync: Any) -> None:
    placed = sync.create_order(SYMBOL, "limit", "buy", 0.01, near(sync, 0.97), {"clientOrderId": "ccxt-1"})
    assert (placed["status"], placed["clientOrderId"]) == ("open", "ccxt-1")
    amended = sync.edit_order(placed["id"], SYMBOL, "limit", "buy", 0.02, near(sync, 0.96))
    assert (amended["id"], amended["amount"]) == (placed["id"], 0.02)
    assert [order["id"] for order in sync.fetch_open_orders(SYMBOL)] == [placed["id"]]
    assert sync.fetch_open_order(placed["id"], SYMBOL)["price"] == amended["price"]
    assert sync.cancel_order(placed["id"], SYMBOL)["status"] == "canceled"
    with pytest.raises(ccxt.OrderNotFound):
        sync.cancel_order(placed["id"], SYMBOL)
    assert placed["id"] in [order["id"] for order in sync.fetch_canceled_orders(SYMBOL)]
    with pytest.raises(ccxt.InvalidOrder, match="-5022"):
        sync.create_order(SYMBOL, "limit", "buy", 0.01, near(sync, 1.02), {"postOnly": True})
    with pytest.raises(ccxt.InvalidOrder, match="-5021"):
        sync.create_order(SYMBOL, "limit", "buy", 0.01, near(sync, 0.97), {"timeInForce": "FOK"})
    with pytest.raises(ccxt.ExchangeError, match="Margin is insufficient"):
        sync.create_order(SYMBOL, "limit", "buy", 900, near(sync, 0.99))


def test_a_position_is_opened_protected_and_closed(sync: Any) -> None:
    before = sync.fetch_balance()["USDT"]["total"]
    opened = sync.create_order(SYMBOL, "market", "buy", 0.05)
    assert (opened["status"], opened["filled"]) == ("closed", 0.05)
    [position] = sync.fetch_positions([SYMBOL])
    assert (position["side"], position["contracts"], position["marginMode"]) == ("long", 0.05, "cross")
    assert position["entryPrice"] == pytest.approx(opened["average"])
    protections = [
        sync.create_order(SYMBOL, kind, "sell", 0.05, price, {"reduceOnly": True, **more})
        for kind, price, more in (
            ("market", None, {"stopLossPrice": near(sync, 0.95)}),
            ("market", None, {"takeProfitPrice": near(sync, 1.05)}),
            ("limit", near(sync, 0.94), {"stopPrice": near(sync, 0.95)}),
            ("market", None, {"trailingPercent": 1.5}),
        )
    ]
    whole = sync.create_order(
        SYMBOL, "STOP_MARKET", "sell", None, None, {"stopPrice": near(sync, 0.93), "closePosition": True}
    )
    waiting = sync.fetch_open_orders(SYMBOL, params={"trigger": True})
    assert {order["id"] for order in waiting} == {order["id"] for order in [*protections, whole]}
    one = sync.fetch_order(protections[0]["id"], SYMBOL, {"trigger": True})
    assert (one["status"], one["reduceOnly"]) == ("open", True)
    sync.cancel_order(one["id"], SYMBOL, {"trigger": True})
    sync.cancel_all_orders(SYMBOL, {"trigger": True})
    assert sync.fetch_open_orders(SYMBOL, params={"trigger": True}) == []

    closed = sync.create_order(SYMBOL, "market", "sell", 0.05, None, {"reduceOnly": True})
    assert closed["status"] == "closed"
    assert sync.fetch_positions([SYMBOL]) == []
    trades = [trade for trade in sync.fetch_my_trades(SYMBOL) if trade["order"] in (opened["id"], closed["id"])]
    fees = sum(trade["fee"]["cost"] for trade in trades)
    profit = sum(trade["cost"] * (1 if trade["side"] == "sell" else -1) for trade in trades)
    assert sync.fetch_balance()["USDT"]["total"] == pytest.approx(before + profit - fees, abs=1e-6)
    ledger = sync.fetch_ledger("USDT")
    moved = sum(row["amount"] * (1 if row["direction"] == "in" else -1) for row in ledger)
    assert sync.fetch_balance()["USDT"]["total"] == pytest.approx(100_000 + moved, abs=1e-6)


def test_batches_are_placed_amended_and_cancelled(sync: Any) -> None:
    leg = {"symbol": SYMBOL, "type": "limit", "side": "buy", "amount": 0.01}
    placed = sync.create_orders([leg | {"price": near(sync, 0.97)}, leg | {"price": near(sync, 0.96)}])
    ids = [order["id"] for order in placed]
    amended = sync.edit_orders([leg | {"id": each, "amount": 0.02, "price": near(sync, 0.95)} for each in ids])
    assert [(order["id"], order["amount"]) for order in amended] == [(each, 0.02) for each in ids]
    assert [order["status"] for order in sync.cancel_orders(ids, SYMBOL)] == ["canceled", "canceled"]
    assert sync.fetch_open_orders(SYMBOL) == []


def test_hedge_mode_holds_both_sides(sync: Any) -> None:
    sync.set_position_mode(True, SYMBOL)
    try:
        sync.create_order(SYMBOL, "market", "buy", 0.02, None, {"positionSide": "LONG"})
        sync.create_order(SYMBOL, "market", "sell", 0.01, None, {"positionSide": "SHORT"})
        held = {row["side"]: row["contracts"] for row in sync.fetch_positions([SYMBOL])}
        assert held == {"long": 0.02, "short": 0.01}
        sync.create_order(SYMBOL, "market", "sell", 0.02, None, {"positionSide": "LONG"})
        sync.create_order(SYMBOL, "market", "buy", 0.01, None, {"positionSide": "SHORT"})
    finally:
        sync.set_position_mode(False, SYMBOL)
    assert sync.fetch_position_mode(SYMBOL)["hedged"] is False


def test_isolated_margin_is_added_and_on_record(sync: Any) -> None:
    symbol = "ETH/USDT:USDT"
    sync.set_margin_mode("isolated", symbol)
    sync.create_order(symbol, "market", "buy", 0.1)
    sync.add_margin(symbol, 10)
    sync.reduce_margin(symbol, 4)
    changes = sync.fetch_margin_adjustment_history(symbol)
    assert [(change["type"], change["amount"]) for change in changes] == [("add", 10), ("reduce", 4)]
    [position] = sync.fetch_positions([symbol])
    assert position["marginMode"] == "isolated"
    assert position["liquidationPrice"] < position["entryPrice"]
    sync.create_order(symbol, "market", "sell", 0.1, None, {"reduceOnly": True})


def test_money_moves_between_the_wallets(sync: Any) -> None:
    before = sync.fetch_balance()["USDT"]["total"]
    moved = sync.transfer("USDT", 100, "spot", "linear")
    assert moved["id"]
    assert sync.fetch_balance()["USDT"]["total"] == pytest.approx(before + 100)
    sync.transfer("USDT", 100, "linear", "spot")
    assert sync.fetch_balance()["USDT"]["total"] == pytest.approx(before)
    with pytest.raises(ccxt.ExchangeError):
        sync.transfer("USDT", 10_000_000, "linear", "spot")


def test_a_countdown_cancels_what_is_not_renewed(sync: Any) -> None:
    sync.create_order(SYMBOL, "limit", "buy", 0.01, near(sync, 0.97))
    answer = sync.fapiPrivatePostCountdownCancelAll({"symbol": "BTCUSDT", "countdownTime": 100})
    assert answer["countdownTime"] == "100"
    deadline = sync.milliseconds() + 5_000
    while sync.fetch_open_orders(SYMBOL):
        assert sync.milliseconds() < deadline


async def test_the_async_client_trades_too(connect: Connect) -> None:
    exchange = await connect(ccxt.async_support.binanceusdm, "birch")
    last = (await exchange.fetch_ticker(SYMBOL))["last"]
    price = float(exchange.price_to_precision(SYMBOL, last * 0.97))
    orders = await asyncio.gather(
        *(exchange.create_order(SYMBOL, "limit", "buy", 0.01, price - step) for step in range(5))
    )
    assert {order["status"] for order in orders} == {"open"}
    assert len(await exchange.fetch_open_orders(SYMBOL)) == 5
    await exchange.cancel_all_orders(SYMBOL)
    assert await exchange.fetch_open_orders(SYMBOL) == []
    bought = await exchange.create_order(SYMBOL, "market", "buy", 0.01)
    assert (await exchange.fetch_positions([SYMBOL]))[0]["contracts"] == 0.01
    await exchange.create_order(SYMBOL, "market", "sell", 0.01, None, {"reduceOnly": True})
    assert bought["id"] in {trade["order"] for trade in await exchange.fetch_my_trades(SYMBOL)}


async def test_the_public_streams_are_alive(connect: Connect) -> None:
    exchange = await connect(ccxt.pro.binanceusdm, "cedar")
    book, trades, candles, ticker, best, mark, marks, tickers = await within(
        asyncio.gather(
            exchange.watch_order_book(SYMBOL),
            exchange.watch_trades(SYMBOL),
            exchange.watch_ohlcv(SYMBOL, "1m"),
            exchange.watch_ticker(SYMBOL),
            exchange.watch_bids_asks([SYMBOL]),
            exchange.watch_mark_price(SYMBOL),
            exchange.watch_mark_prices(),
            exchange.watch_tickers(),
        )
    )
    assert book["bids"][0][0] < book["asks"][0][0]
    assert trades[0]["symbol"] == SYMBOL
    assert len(candles[-1]) == 6
    assert ticker["last"] > 0
    assert best[SYMBOL]["bid"] < best[SYMBOL]["ask"]
    assert mark["markPrice"] == pytest.approx(ticker["last"], rel=0.01)
    assert SYMBOL in marks
    assert SYMBOL in tickers
    for _ in range(10):  # ccxt itself raises on a gap
        book = await within(exchange.watch_order_book(SYMBOL))
    assert book["bids"][0][0] < book["asks"][0][0]


async def test_the_private_stream_tells_orders_fills_positions_and_balances(connect: Connect) -> None:
    exchange = await connect(ccxt.pro.binanceusdm, "cedar")
    await within(exchange.authenticate())
    orders = asyncio.create_task(exchange.watch_orders(SYMBOL))
    fills = asyncio.create_task(exchange.watch_my_trades(SYMBOL))
    balance = asyncio.create_task(exchange.watch_balance())
    positions = asyncio.create_task(exchange.watch_positions([SYMBOL]))
    url = exchange.get_private_ws_url("linear", exchange.options["linear"]["listenKey"])
    await within(exchange.client(url).connected)
    last = (await exchange.fetch_ticker(SYMBOL))["last"]
    resting = await exchange.create_order(
        SYMBOL, "limit", "buy", 0.01, float(exchange.price_to_precision(SYMBOL, last * 0.97))
    )
    assert [(order["id"], order["status"]) for order in await within(orders)] == [(resting["id"], "open")]
    assert await within(positions) == []  # what was held when it began
    positions = asyncio.create_task(exchange.watch_positions([SYMBOL]))
    bought = await exchange.create_order(SYMBOL, "market", "buy", 0.02)
    seen = list(await within(fills))
    while sum(fill["amount"] for fill in seen) < 0.0199999:
        seen += await within(exchange.watch_my_trades(SYMBOL))
    assert {fill["order"] for fill in seen} == {bought["id"]}
    [held] = await within(positions)
    assert held["side"] == "long"
    assert 0 < held["contracts"] <= 0.02  # an event per fill
    assert (await within(balance))["USDT"]["total"] < 100_000
    await exchange.cancel_order(resting["id"], SYMBOL)
    await exchange.create_order(SYMBOL, "market", "sell", 0.02, None, {"reduceOnly": True})


async def test_orders_go_over_the_websocket_api(connect: Connect) -> None:
    exchange = await connect(ccxt.pro.binanceusdm, "dogwood")
    last = (await exchange.fetch_ticker(SYMBOL))["last"]
    price = float(exchange.price_to_precision(SYMBOL, last * 0.97))
    placed = await within(exchange.create_order_ws(SYMBOL, "limit", "buy", 0.01, price))
    assert placed["status"] == "open"
    amended = await within(exchange.edit_order_ws(placed["id"], SYMBOL, "limit", "buy", 0.02, price - 100))
    assert amended["amount"] == 0.02
    assert (await within(exchange.fetch_order_ws(placed["id"], SYMBOL)))["status"] == "open"
    assert (await within(exchange.cancel_order_ws(placed["id"], SYMBOL)))["status"] == "canceled"
    assert (await within(exchange.fetch_balance_ws()))["USDT"]["total"] == 100_000
    assert await within(exchange.fetch_positions_ws([SYMBOL])) == []
    assert (await within(exchange.fetch_order_book_ws(SYMBOL)))["bids"]
    assert (await within(exchange.fetch_ticker_ws(SYMBOL)))["bid"] > 0
