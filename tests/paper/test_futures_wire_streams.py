"""The USD-M streams: the book joins its snapshot at every message, and every stream says what happened in the venue's form."""

import asyncio
import contextlib
import itertools
from decimal import Decimal

import pytest
from futures_venue import LocalFuturesBook

from tradedesk.paper.futures.contracts import default_contracts
from tradedesk.paper.server.futures.streams import Candles, Ladder, Timed, parse
from tradedesk.paper.server.users import LISTEN_KEY_LIFE
from tradedesk.paper.synthetic import FUTURES, Synthetic

SYMBOLS = {"btcusdt": "BTCUSDT", "ethusdt": "ETHUSDT"}


@pytest.mark.parametrize("pace", ["", "@100ms", "@250ms", "@500ms", "@0ms"])
async def test_the_book_of_a_moving_market_joins_at_every_message(start_futures_venue, pace):
    venue = await start_futures_venue(Synthetic([contract.spec for contract in default_contracts()], 11, kind=FUTURES))
    client = await venue.client()
    async with client.socket(f"/public/ws/btcusdt@depth{pace}") as socket:
        buffered = [await socket.receive()]  # the procedure: events first, then the snapshot
        book = LocalFuturesBook((await client.public("v1/depth", symbol="BTCUSDT", limit=1000)).body)
        count, compared = 0, 0
        while count < 4 or not compared:
            event = buffered.pop(0) if buffered else await socket.receive()
            assert (event["e"], event["s"]) == ("depthUpdate", "BTCUSDT")
            book.apply(event)
            count += 1
            exchange = venue.front.exchange
            now = exchange.depth("BTCUSDT", 50)
            if now.last_update_id == book.last:  # the engine's own book, where it is still the one the event told of
                compared += 1
                shown = {"lastUpdateId": now.last_update_id, "bids": now.bids, "asks": now.asks}
                assert book.matches(shown)
            assert count < 200
        for _ in range(3):  # and a snapshot taken later
            snapshot = (await client.public("v1/depth", symbol="BTCUSDT", limit=100)).body
            while book.last < snapshot["lastUpdateId"]:
                book.apply(await socket.receive())
            assert book.matches(snapshot) or book.last != snapshot["lastUpdateId"]


async def test_the_procedure_holds_in_a_market_that_stood_still(futures_venue):
    """The snapshot may be as new as the last event: the next one must still have U <= lastUpdateId <= u."""
    client = await futures_venue.client()
    async with client.socket("/ws/btcusdt@depth@100ms") as socket:
        book = LocalFuturesBook((await client.public("v1/depth", symbol="BTCUSDT", limit=1000)).body)
        with pytest.raises(asyncio.TimeoutError):  # nothing changed: nothing is sent
            await socket.socket.receive(timeout=0.6)
        await client.order("BUY", "0.02", "59100")
        book.apply(await socket.receive())
        final = (await client.public("v1/depth", symbol="BTCUSDT", limit=1000)).body
        assert book.last == final["lastUpdateId"]
        assert book.matches(final)


async def test_one_who_listens_later_finds_the_chain_of_the_others_unbroken(futures_venue):
    client = await futures_venue.client()
    async with client.socket("/ws/btcusdt@depth@100ms") as first:
        await client.order("BUY", "0.01", "59000")
        before = await first.receive()
        async with client.socket("/ws/btcusdt@depth@100ms") as second:
            await client.order("BUY", "0.01", "59010")
            mine, theirs = await first.receive(), await second.receive()
    assert mine == theirs
    assert mine["pu"] == before["u"]


async def test_trades_aggregates_best_offer_and_candles_tell_one_story(futures_venue):
    acme, birch = await futures_venue.client("acme"), await futures_venue.client("birch")
    names = [
        "btcusdt@trade", "btcusdt@aggTrade", "btcusdt@bookTicker", "btcusdt@kline_1m", "btcusdt@ticker", "btcusdt@miniTicker",
        "btcusdt_perpetual@continuousKline_1m", "btcusdt@markPrice@1s", "!markPrice@arr@1s", "!ticker@arr", "!miniTicker@arr",
        "!bookTicker", "btcusdt@depth5@100ms",
    ]  # fmt: skip
    await acme.order("SELL", "0.1", "60000")
    await acme.order("SELL", "0.1", "60000")
    async with birch.socket(f"/market/stream?streams={'/'.join(names)}") as socket:
        bought = (await birch.order("BUY", "0.15", "60000")).body
        seen: dict[str, list] = {name: [] for name in names}
        while not all(seen.values()) or len(seen["btcusdt@trade"]) < 2:
            frame = await socket.receive()
            seen[frame["stream"]].append(frame["data"])
    trades = seen["btcusdt@trade"]
    fills = (await birch.signed("GET", "v1/userTrades", symbol="BTCUSDT", orderId=bought["orderId"])).body
    assert [trade["t"] for trade in trades] == [fill["id"] for fill in fills]
    assert {(trade["p"], trade["m"], trade["X"]) for trade in trades} == {("60000.00", False, "MARKET")}
    [agg] = seen["btcusdt@aggTrade"]
    assert agg.keys() == set("eEsapqflTm")
    assert (agg["f"], agg["l"], agg["q"]) == (trades[0]["t"], trades[1]["t"], "0.150")
    best = seen["btcusdt@bookTicker"][-1]
    assert best.keys() == set("euETsbBaA")
    assert (best["a"], best["A"], best["b"]) == ("60000.00", "0.050", "0.00")
    assert best in seen["!bookTicker"]
    candle = seen["btcusdt@kline_1m"][-1]["k"]
    assert candle.keys() == set("tTsifLochlvnxqVQB")
    assert (candle["v"], candle["n"], candle["q"], candle["x"]) == ("0.150", 2, "9000.00000", False)
    continuous = seen["btcusdt_perpetual@continuousKline_1m"][-1]
    assert (continuous["e"], continuous["ps"], continuous["ct"]) == ("continuous_kline", "BTCUSDT", "PERPETUAL")
    ticker = seen["btcusdt@ticker"][-1]
    assert ticker.keys() == set("eEspPwcQohlvqOCFLn")
    assert ticker["c"] == seen["btcusdt@miniTicker"][-1]["c"] == "60000.00"
    mark = seen["btcusdt@markPrice@1s"][-1]
    assert mark.keys() == set("eEspiPrT")
    assert (mark["e"], mark["i"]) == ("markPriceUpdate", "60000.00000000")
    for name in ("!markPrice@arr@1s", "!ticker@arr", "!miniTicker@arr"):
        assert [row["s"] for row in seen[name][-1]] == ["BTCUSDT", "ETHUSDT", "SOLUSDT"]
    ladder = seen["btcusdt@depth5@100ms"][-1]
    assert (ladder["e"], ladder["a"], ladder["b"]) == ("depthUpdate", [["60000.00", "0.050"]], [])
    assert ladder["pu"] <= ladder["u"]


@pytest.mark.parametrize(
    ("name", "means"),
    [
        ("btcusdt@depth20", Ladder("BTCUSDT", 20, 250_000_000)),
        ("btcusdt@depth5@500ms", Ladder("BTCUSDT", 5, 500_000_000)),
        ("btcusdt@kline_1h", Candles("BTCUSDT", "1h", False)),
        ("btcusdt@kline_1s", None),  # spot only
        ("btcusdt_perpetual@continuousKline_1d", Candles("BTCUSDT", "1d", True)),
        ("btcusdt_perpetual@kline_1d", None),
        ("btcusdt@markPrice", Timed(("BTCUSDT",), "markPrice", 3_000_000_000, False)),
        ("!markPrice@arr", Timed(("BTCUSDT", "ETHUSDT"), "markPrice", 3_000_000_000, True)),
        ("!ticker@arr", Timed(("BTCUSDT", "ETHUSDT"), "ticker", 1_000_000_000, True)),
        ("btcusdt@avgPrice", None),
        ("BTCUSDT@ticker", None),
        ("xrpusdt@ticker", None),
        ("btcusdt@depth7", None),
        ("!@arr", None),
    ],
)
def test_a_stream_name_means_what_the_venue_says_or_nothing(name, means):
    assert parse(name, SYMBOLS) == means


async def test_user_data_comes_by_each_form_of_address(futures_venue):
    acme = await futures_venue.client()
    key = await acme.listen_key()
    assert await acme.listen_key() == key  # one per account
    paths = (
        f"/ws/{key}",
        f"/private/ws/{key}",
        f"/private/ws?listenKey={key}",
        f"/private/stream?listenKey={key}",
        f"/stream?streams={key}",
        f"/private/ws?listenKey={key}&events=ORDER_TRADE_UPDATE/ACCOUNT_UPDATE",
        f"/private/ws?listenKey={key}&events=TRADE_LITE",
    )
    async with contextlib.AsyncExitStack() as stack:
        sockets = [await stack.enter_async_context(acme.socket(path)) for path in paths]
        later = await stack.enter_async_context(acme.socket("/stream"))
        assert (await later.say({"method": "SUBSCRIBE", "params": [key], "id": 1}))["result"] is None
        order = (await acme.order("BUY", "0.01", "59000", newClientOrderId="told")).body
        for path, socket in zip(paths[:-1], sockets[:-1], strict=True):
            frame = await socket.receive()
            if "stream" in path.split("?")[0]:
                assert frame["stream"] == key
                frame = frame["data"]
            assert (frame["e"], frame["o"]["i"]) == ("ORDER_TRADE_UPDATE", order["orderId"]), path
        assert (await later.receive())["data"]["o"]["c"] == "told"
        birch = await futures_venue.client("birch")
        await birch.order("SELL", "0.01", "59000")
        assert (await sockets[-1].receive())["e"] == "TRADE_LITE"


async def test_an_order_s_life_is_told_with_the_venue_s_fields(futures_venue):
    acme, birch = await futures_venue.client("acme"), await futures_venue.client("birch")
    async with acme.socket(f"/private/ws/{await acme.listen_key()}") as socket:
        await acme.order("BUY", "0.1", "60000", newClientOrderId="life")
        new = await socket.receive()
        assert new.keys() == {"e", "E", "T", "o"}
        assert new["o"].keys() == {
            "s", "c", "S", "o", "f", "q", "p", "ap", "sp", "x", "X", "i", "l", "z", "L", "T", "t", "b", "a", "m", "R", "wt",
            "ot", "ps", "cp", "rp", "pP", "si", "ss", "V", "pm", "gtd", "er",
        }  # fmt: skip
        assert (new["o"]["x"], new["o"]["X"], new["o"]["q"], new["o"]["ap"]) == (
            "NEW", "NEW", "0.100", "0",
        )  # fmt: skip
        await birch.order("SELL", "0.04", "60000")
        lite, told, account = [await socket.receive() for _ in range(3)]
        assert (lite["e"], lite["c"], lite["L"], lite["l"], lite["m"]) == (
            "TRADE_LITE",
            "life",
            "60000.00",
            "0.040",
            True,
        )
        assert (told["o"]["x"], told["o"]["X"], told["o"]["l"], told["o"]["z"], told["o"]["t"]) == (
            "TRADE", "PARTIALLY_FILLED", "0.040", "0.040", lite["t"],
        )  # fmt: skip
        assert (told["o"]["n"], told["o"]["N"], told["o"]["m"], told["o"]["rp"], told["o"]["b"]) == (
            "0.48000000", "USDT", True, "0", "3600.00000000",
        )  # fmt: skip
        assert (account["e"], account["a"]["m"]) == ("ACCOUNT_UPDATE", "ORDER")
        assert account["a"]["B"] == [{"a": "USDT", "wb": "99999.52000000", "cw": "99999.52000000", "bc": "0"}]
        [position] = account["a"]["P"]
        assert position.keys() == {"s", "pa", "ep", "bep", "cr", "up", "mt", "iw", "ps"}
        assert (position["pa"], position["ep"], position["mt"], position["ps"]) == ("0.040", "60000.0", "cross", "BOTH")
        await acme.signed(
            "PUT", "v1/order", symbol="BTCUSDT", side="BUY", origClientOrderId="life", quantity="0.2", price="59000"
        )
        amended = (await socket.receive())["o"]
        assert (amended["x"], amended["X"], amended["q"], amended["p"]) == (
            "AMENDMENT", "PARTIALLY_FILLED", "0.200", "59000.00",
        )  # fmt: skip
        await acme.signed("DELETE", "v1/order", symbol="BTCUSDT", origClientOrderId="life")
        gone = (await socket.receive())["o"]
        assert (gone["x"], gone["X"], gone["c"]) == ("CANCELED", "CANCELED", "life")


async def test_settings_conditional_orders_and_transfers_are_told(futures_venue):
    acme = await futures_venue.client()
    async with acme.socket(f"/private/ws/{await acme.listen_key()}") as socket:
        await acme.signed("POST", "v1/leverage", symbol="BTCUSDT", leverage=7)
        leverage = await socket.receive()
        assert (leverage["e"], leverage["ac"]) == ("ACCOUNT_CONFIG_UPDATE", {"s": "BTCUSDT", "l": 7})
        await acme.signed("POST", "v1/multiAssetsMargin", multiAssetsMargin="true")
        assert (await socket.receive())["ai"] == {"j": True}
        await acme.signed("POST", "v1/multiAssetsMargin", multiAssetsMargin="false")
        await socket.receive()
        placed = await acme.signed(
            "POST", "v1/algoOrder", algoType="CONDITIONAL", symbol="BTCUSDT", side="SELL", type="STOP_MARKET",
            triggerPrice="59000", quantity="0.01", clientAlgoId="watch",
        )  # fmt: skip
        algo = await socket.receive()
        assert (algo["e"], algo["o"]["caid"], algo["o"]["X"], algo["o"]["tp"], algo["o"]["ai"]) == (
            "ALGO_UPDATE", "watch", "NEW", "59000.00", "",
        )  # fmt: skip
        assert algo["o"]["aid"] == placed.body["algoId"]
        futures_venue.front.transfer("acme", "USDT", -5_000, futures_venue.front.settle())
        moved = await socket.receive()
        assert (moved["a"]["m"], moved["a"]["B"][0]["bc"], moved["a"]["P"]) == ("WITHDRAW", "-5000.00000000", [])


async def test_a_listen_key_ends_with_its_hour_or_its_close(futures_venue):
    acme = await futures_venue.client()
    key = await acme.listen_key()
    assert (await acme.keyed("PUT", "v1/listenKey")).body == {"listenKey": key}  # it need not be named
    async with acme.socket(f"/private/ws/{key}") as socket:
        front = futures_venue.front
        front.users.expire(front.settle() + LISTEN_KEY_LIFE + 1)
        ended = await socket.receive()
        assert (ended["e"], ended["listenKey"]) == ("listenKeyExpired", key)
    assert (await acme.keyed("PUT", "v1/listenKey")).code == -1125
    another = await acme.listen_key()
    assert another != key
    assert (await acme.keyed("DELETE", "v1/listenKey")).body == {}
    assert (await acme.keyed("DELETE", "v1/listenKey", listenKey=another)).code == -1125


async def test_a_liquidation_is_told_to_everyone_without_a_name(start_futures_venue):
    venue = await start_futures_venue(wallet="1000")
    acme, birch = await venue.client("acme"), await venue.client("birch")
    for client in (acme, birch):
        await client.signed("POST", "v1/leverage", symbol="BTCUSDT", leverage=50)
    await birch.order("SELL", "0.4", "60000")
    await acme.order("BUY", "0.4", "60000")
    await birch.order("BUY", "0.4", "58000")
    async with (
        acme.socket("/market/ws/!forceOrder@arr/btcusdt@forceOrder") as public,
        acme.socket(f"/private/ws/{await acme.listen_key()}") as private,
    ):
        front = venue.front
        front.exchange.set_mark_price("BTCUSDT", Decimal(57_750), front.settle())
        front.distribute(front.settle())
        told = []
        while not told or told[-1]["e"] != "ACCOUNT_UPDATE" or not told[-1]["a"]["P"]:
            told.append(await private.receive())
        names = [event["e"] for event in told]
        assert "ORDER_TRADE_UPDATE" in names
        closing = next(event["o"] for event in told if event["e"] == "ORDER_TRADE_UPDATE")
        assert closing["c"].startswith("autoclose-")
        first, second = await public.receive(), await public.receive()
    assert first == second
    assert first["o"].keys() == {"s", "S", "o", "f", "q", "p", "ap", "X", "l", "z", "T"}
    assert (first["o"]["s"], first["o"]["S"], first["o"]["f"]) == ("BTCUSDT", "SELL", "IOC")
    [row] = (await acme.signed("GET", "v1/forceOrders", symbol="BTCUSDT")).body
    assert row["clientOrderId"] == closing["c"]
    assert (await acme.signed("GET", "v1/forceOrders", autoCloseType="ADL")).body == []


async def test_candles_are_sent_closed_before_the_next_one(futures_venue):
    """On a clock of the test's own: the hub is told the time."""
    front = futures_venue.front
    sent: list[tuple[int, bool]] = []
    front.streams.publish = lambda name, build: sent.append((build(1_000_000)["k"]["t"], build(1_000_000)["k"]["x"]))
    acme, birch = await futures_venue.client("acme"), await futures_venue.client("birch")
    await acme.order("SELL", "0.1", "60000")
    await birch.order("BUY", "0.1")
    now = front.settle()
    minute = 60_000_000_000
    for at in (now, now // minute * minute + minute + 1, now // minute * minute + 2 * minute + 1):
        front.streams._tell_candles("btcusdt@kline_1m", "BTCUSDT", "1m", False, at)
    assert [is_closed for _, is_closed in sent] == [False, True, False, True, False]
    for (start, is_closed), (after, _) in itertools.pairwise(sent):
        assert after - start == (0 if not is_closed else 60_000)
