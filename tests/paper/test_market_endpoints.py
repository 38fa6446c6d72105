"""The public endpoints of the spot market: what they answer, what they refuse, what they weigh."""

import time

import pytest

DAY = 86_400_000
WINDOW_FIELDS = {
    "symbol", "priceChange", "priceChangePercent", "weightedAvgPrice", "openPrice", "highPrice", "lowPrice", "lastPrice",
    "volume", "quoteVolume", "openTime", "closeTime", "firstId", "lastId", "count",
}  # fmt: skip
NOT_MINI = {"priceChange", "priceChangePercent", "weightedAvgPrice"}


async def traded(venue):
    """A book and a few trades of BTCUSDT at 60000 and 60100."""
    acme, birch = await venue.client("acme"), await venue.client("birch")
    await acme.order("SELL", "0.1", "60000")
    await acme.order("SELL", "0.1", "60100")
    await birch.order("BUY", "0.15")
    await birch.order("BUY", "0.01", "59000")
    return birch


async def test_the_rolling_window_begins_on_a_minute_and_the_trading_day_at_the_zones_midnight(venue):
    client = await traded(venue)
    row = (await client.public("ticker", symbol="BTCUSDT", windowSize="2m")).body
    assert row.keys() == WINDOW_FIELDS
    assert (row["openPrice"], row["lastPrice"], row["highPrice"]) == (
        "60000.00000000",
        "60100.00000000",
        "60100.00000000",
    )
    assert (row["volume"], row["priceChange"], row["priceChangePercent"]) == ("0.15000000", "100.00000000", "0.167")
    assert row["openTime"] % 60_000 == 0
    assert 120_000 <= row["closeTime"] - row["openTime"] < 180_000
    assert row["lastId"] - row["firstId"] + 1 == row["count"] == 2
    for zone, hours in (("0", 0), ("8", 8), ("-1:00", -1), ("05:45", 5.75), ("14", 14), ("-12:00", -12)):
        day = (await client.public("ticker/tradingDay", symbol="BTCUSDT", timeZone=zone)).body
        assert (day["openTime"] + hours * 3_600_000) % DAY == 0
        assert 0 <= day["closeTime"] - day["openTime"] <= DAY
    [mini] = (await client.public("ticker", symbols='["BTCUSDT"]', type="MINI", windowSize="7d")).body
    assert mini.keys() == WINDOW_FIELDS - NOT_MINI
    [mini] = (await client.public("ticker/tradingDay", symbols='["BTCUSDT"]', type="MINI")).body
    assert mini.keys() == WINDOW_FIELDS - NOT_MINI
    full = (await client.public("ticker/24hr", symbol="BTCUSDT")).body
    assert full.keys() == WINDOW_FIELDS | {
        "prevClosePrice",
        "lastQty",
        "bidPrice",
        "bidQty",
        "askPrice",
        "askQty",
    }
    assert full["closeTime"] - full["openTime"] == DAY
    rows = (await client.public("ticker/24hr", type="MINI")).body
    assert len(rows) > 1
    assert all(row.keys() == WINDOW_FIELDS - NOT_MINI for row in rows)


@pytest.mark.parametrize(
    ("path", "parameters", "code"),
    [
        ("ticker", {"symbol": "BTCUSDT", "windowSize": "60m"}, -1130),
        ("ticker", {"symbol": "BTCUSDT", "windowSize": "24h"}, -1130),
        ("ticker", {"symbol": "BTCUSDT", "windowSize": "8d"}, -1130),
        ("ticker", {"symbol": "BTCUSDT", "windowSize": "1d2h"}, -1130),
        ("ticker", {"symbol": "BTCUSDT", "windowSize": "0m"}, -1130),
        ("ticker", {"symbol": "BTCUSDT", "type": "SHORT"}, -1130),
        ("ticker", {}, -1128),
        ("ticker/tradingDay", {}, -1128),
        ("ticker", {"symbol": "BTCUSDT", "symbols": '["BTCUSDT"]'}, -1128),
        ("ticker", {"symbols": "[" + ",".join(f'"S{n}"' for n in range(101)) + "]"}, -1101),
        ("ticker/tradingDay", {"symbol": "BTCUSDT", "timeZone": "14:15"}, -1130),
        ("ticker/tradingDay", {"symbol": "BTCUSDT", "timeZone": "-12:15"}, -1130),
        ("ticker/tradingDay", {"symbol": "BTCUSDT", "timeZone": "UTC"}, -1130),
        ("klines", {"symbol": "BTCUSDT", "interval": "1d", "timeZone": "8:60"}, -1130),
        ("klines", {"symbol": "BTCUSDT", "interval": "1D"}, -1120),
        ("uiKlines", {"symbol": "BTCUSDT", "interval": ""}, -1105),
        ("ticker", {"symbol": "BTCUSDT", "symbolStatus": "HALT"}, -1220),
        ("ticker/24hr", {"symbol": "BTCUSDT", "symbolStatus": "BREAK"}, -1220),
        ("ticker/price", {"symbol": "BTCUSDT", "symbolStatus": "HALT"}, -1220),
        ("depth", {"symbol": "BTCUSDT", "symbolStatus": "HALT"}, -1220),
        ("depth", {"symbol": "BTCUSDT", "limit": 0}, -1130),
        ("exchangeInfo", {"symbol": "BTCUSDT", "symbolStatus": "TRADING"}, -1128),
        ("exchangeInfo", {"symbol": "BTCUSDT", "permissions": "SPOT"}, -1128),
        ("exchangeInfo", {"permissions": "[" * 2_000}, -1130),
        ("exchangeInfo", {"symbols": '["NOPE"]'}, -1121),
        ("referencePrice", {"symbol": "BTCUSDT"}, -2043),
        ("referencePrice/calculation", {"symbol": "BTCUSDT"}, -2043),
        ("referencePrice", {}, -1102),
        ("executionRules", {"symbol": "NOPE"}, -1121),
        ("historicalTrades", {"symbol": "BTCUSDT", "fromId": "x"}, -1100),
        ("aggTrades", {"symbol": "BTCUSDT", "fromId": 1, "startTime": 1}, -1128),
    ],
)
async def test_a_wrong_question_gets_the_venues_code(venue, path, parameters, code):
    client = await venue.client()
    answer = await client.public(path, **parameters)
    assert (answer.status, answer.code) == (400, code), answer.body


@pytest.mark.parametrize(
    ("path", "parameters", "weight"),
    [
        ("ping", {}, 1),
        ("time", {}, 1),
        ("exchangeInfo", {}, 20),
        ("depth", {"symbol": "BTCUSDT"}, 5),
        ("depth", {"symbol": "BTCUSDT", "limit": 101}, 25),
        ("depth", {"symbol": "BTCUSDT", "limit": 1_000}, 50),
        ("depth", {"symbol": "BTCUSDT", "limit": 9_999}, 250),
        ("trades", {"symbol": "BTCUSDT"}, 25),
        ("historicalTrades", {"symbol": "BTCUSDT"}, 25),
        ("aggTrades", {"symbol": "BTCUSDT"}, 4),
        ("klines", {"symbol": "BTCUSDT", "interval": "1m"}, 2),
        ("uiKlines", {"symbol": "BTCUSDT", "interval": "1m"}, 2),
        ("avgPrice", {"symbol": "BTCUSDT"}, 2),
        ("ticker/24hr", {"symbol": "BTCUSDT"}, 2),
        ("ticker/24hr", {"symbols": '["BTCUSDT","ETHUSDT"]'}, 2),
        ("ticker/24hr", {}, 80),
        ("ticker/tradingDay", {"symbol": "BTCUSDT"}, 4),
        ("ticker", {"symbols": '["BTCUSDT","ETHUSDT"]'}, 8),
        ("ticker", {"symbols": "[" + ",".join(f'"S{n}"' for n in range(60)) + "]"}, 200),
        ("ticker/price", {"symbol": "BTCUSDT"}, 2),
        ("ticker/price", {}, 4),
        ("ticker/bookTicker", {"symbol": "BTCUSDT"}, 2),
        ("ticker/bookTicker", {}, 4),
        ("executionRules", {"symbol": "BTCUSDT"}, 2),
        ("executionRules", {}, 40),
        ("referencePrice", {"symbol": "BTCUSDT"}, 2),
    ],
)
async def test_a_request_weighs_what_is_listed(venue, path, parameters, weight):
    client = await venue.client()
    answer = await client.public(path, **parameters)
    assert int(answer.headers["X-MBX-USED-WEIGHT-1M"]) == weight


async def test_candles_of_a_zone_begin_with_its_day_and_hold_the_same_trades(venue):
    client = await traded(venue)
    for path in ("klines", "uiKlines"):
        [utc] = (await client.public(path, symbol="BTCUSDT", interval="1d", limit=1)).body
        [tokyo] = (await client.public(path, symbol="BTCUSDT", interval="1d", limit=1, timeZone="9")).body
        assert utc[0] % DAY == 0
        assert (tokyo[0] + 9 * 3_600_000) % DAY == 0
        assert tokyo[6] - tokyo[0] == DAY - 1
        assert utc[1:6] == tokyo[1:6]
    [week] = (await client.public("klines", symbol="BTCUSDT", interval="1w", limit=1, timeZone="+05:45")).body
    assert time.gmtime((week[0] + 20_700_000) // 1_000).tm_wday == 0


async def test_old_trades_come_from_an_id_without_a_key(venue):
    client = await traded(venue)
    newest = (await client.public("trades", symbol="BTCUSDT")).body
    assert [row["price"] for row in newest] == ["60000.00000000", "60100.00000000"]
    assert (await client.public("historicalTrades", symbol="BTCUSDT")).body == newest
    assert (await client.public("historicalTrades", symbol="BTCUSDT", fromId=newest[1]["id"])).body == newest[1:]
    assert (await client.public("historicalTrades", symbol="BTCUSDT", fromId=0, limit=1)).body == newest[:1]
    assert (await client.public("historicalTrades", symbol="BTCUSDT", fromId=newest[1]["id"] + 1)).body == []
    assert (await client.public("avgPrice", symbol="BTCUSDT")).body["closeTime"] == newest[1]["time"]


async def test_every_rule_of_an_instrument_is_announced(venue):
    client = await venue.client()
    info = (await client.public("exchangeInfo", symbol="BTCUSDT")).body
    [row] = info["symbols"]
    assert {each["filterType"] for each in row["filters"]} == {
        "PRICE_FILTER", "LOT_SIZE", "ICEBERG_PARTS", "MARKET_LOT_SIZE", "TRAILING_DELTA", "PERCENT_PRICE_BY_SIDE",
        "NOTIONAL", "MAX_NUM_ORDERS", "MAX_NUM_ORDER_LISTS", "MAX_NUM_ALGO_ORDERS", "MAX_NUM_ICEBERG_ORDERS",
        "MAX_NUM_ORDER_AMENDS",
    }  # fmt: skip
    spec = venue.running.spot.exchange.spec("BTCUSDT")
    assert row["allowedSelfTradePreventionModes"] == list(spec.stp_modes)
    assert set(row["orderTypes"]) >= {"LIMIT", "MARKET", "LIMIT_MAKER", "STOP_LOSS_LIMIT", "TAKE_PROFIT"}
    assert row["permissionSets"] == [["SPOT"]]
    bare = (await client.public("exchangeInfo", showPermissionSets="false")).body["symbols"]
    assert {tuple(each["permissionSets"]) for each in bare} == {()}
    assert (await client.public("exchangeInfo", symbol="BTCUSDT")).body["symbols"] == [row]  # and the rest is untouched
    every = [each["symbol"] for each in bare]
    for permissions, shown in (("SPOT", every), ('["MARGIN","SPOT"]', every), ("MARGIN", []), ('["LEVERAGED"]', [])):
        rows = (await client.public("exchangeInfo", permissions=permissions)).body["symbols"]
        assert [each["symbol"] for each in rows] == shown
    assert (await client.public("exchangeInfo", symbolStatus="HALT")).body["symbols"] == []
    rules = (await client.public("executionRules")).body["symbolRules"]
    assert [each["symbol"] for each in rules] == every


async def test_a_status_leaves_out_what_has_another(venue):
    client = await venue.client()
    for path in ("ticker/24hr", "ticker/price", "ticker/bookTicker", "executionRules"):
        body = (await client.public(path, symbolStatus="HALT")).body
        assert body == ({"symbolRules": []} if path == "executionRules" else [])
        assert len((await client.public(path, symbolStatus="TRADING")).body) > 0
    assert (await client.public("ticker", symbols='["BTCUSDT"]', symbolStatus="BREAK")).body == []


async def test_the_same_questions_over_the_websocket_api(venue):
    client = await traded(venue)
    async with client.socket("/ws-api/v3") as socket:
        for method, parameters in (
            ("ticker", {"symbols": ["BTCUSDT"], "windowSize": "1h"}),
            ("ticker.tradingDay", {"symbol": "BTCUSDT", "timeZone": "8", "type": "MINI"}),
            ("ticker.24hr", {"symbol": "BTCUSDT"}),
            ("ticker.price", {}),
            ("ticker.book", {"symbols": ["BTCUSDT", "ETHUSDT"]}),
            ("executionRules", {"symbol": "BTCUSDT"}),
            ("exchangeInfo", {"permissions": ["SPOT"], "showPermissionSets": False}),
            ("uiKlines", {"symbol": "BTCUSDT", "interval": "1d", "timeZone": "-3:30", "limit": 2}),
            ("klines", {"symbol": "BTCUSDT", "interval": "1s"}),
            ("trades.recent", {"symbol": "BTCUSDT"}),
            ("trades.historical", {"symbol": "BTCUSDT", "fromId": 1}),
            ("trades.aggregate", {"symbol": "BTCUSDT", "limit": 1}),
            ("avgPrice", {"symbol": "BTCUSDT"}),
            ("depth", {"symbol": "BTCUSDT", "limit": 5}),
            ("ping", {}),
            ("time", {}),
        ):
            answer = await socket.call(method, **parameters)
            assert answer["status"] == 200, (method, answer)
        for method in ("referencePrice", "referencePrice.calculation"):
            answer = await socket.call(method, symbol="BTCUSDT")
            assert (answer["status"], answer["error"]["code"]) == (400, -2043)
