"""What anyone may ask of USD-M over REST: the venue's fields, number formats, weights and refusals."""

from decimal import Decimal

import pytest

from tradedesk.paper.futures.contracts import default_contracts
from tradedesk.paper.server.futures.digits import Digits, entry, plain
from tradedesk.paper.synthetic import FUTURES, Synthetic


async def test_the_contracts_come_with_filters_types_and_limits(futures_venue):
    client = await futures_venue.client()
    answer = await client.public("v1/exchangeInfo")
    assert answer.status == 200
    info = answer.body
    assert info["futuresType"] == "U_MARGINED"
    assert [
        (row["rateLimitType"], row["interval"], row["intervalNum"], row["limit"]) for row in info["rateLimits"]
    ] == [
        ("REQUEST_WEIGHT", "MINUTE", 1, 2_400),
        ("ORDERS", "SECOND", 10, 300),
        ("ORDERS", "MINUTE", 1, 1_200),
    ]
    btc = info["symbols"][0]
    assert (btc["symbol"], btc["pair"], btc["contractType"], btc["status"]) == (
        "BTCUSDT", "BTCUSDT", "PERPETUAL", "TRADING",
    )  # fmt: skip
    assert (btc["marginAsset"], btc["pricePrecision"], btc["quantityPrecision"]) == ("USDT", 2, 3)
    filters = {row["filterType"]: row for row in btc["filters"]}
    assert set(filters) == {
        "PRICE_FILTER", "LOT_SIZE", "MARKET_LOT_SIZE", "MAX_NUM_ORDERS", "MAX_NUM_ALGO_ORDERS", "MIN_NOTIONAL", "PERCENT_PRICE",
    }  # fmt: skip
    assert filters["PRICE_FILTER"]["tickSize"] == "0.10"
    assert filters["MIN_NOTIONAL"]["notional"] == "100"
    assert filters["MAX_NUM_ORDERS"]["limit"] == 200
    assert "TRAILING_STOP_MARKET" in btc["orderTypes"]
    assert "GTX" in btc["timeInForce"]
    assert answer.headers["X-MBX-USED-WEIGHT-1M"] == "1"


async def test_numbers_have_the_precision_of_the_symbol(futures_venue):
    client = await futures_venue.client()
    await client.order("BUY", "0.01", "59000")
    book = (await client.public("v1/depth", symbol="BTCUSDT", limit=5)).body
    assert book.keys() == {"lastUpdateId", "E", "T", "bids", "asks"}
    assert book["bids"] == [["59000.00", "0.010"]]
    best = (await client.public("v1/ticker/bookTicker", symbol="BTCUSDT")).body
    assert (best["bidPrice"], best["bidQty"], best["askPrice"], best["askQty"]) == (
        "59000.00", "0.010", "0.00", "0.000",
    )  # fmt: skip
    mark = (await client.public("v1/premiumIndex", symbol="BTCUSDT")).body
    assert mark.keys() == {
        "symbol", "markPrice", "indexPrice", "estimatedSettlePrice", "lastFundingRate", "interestRate", "nextFundingTime", "time",
    }  # fmt: skip
    assert mark["indexPrice"] == "60000.00000000"
    assert mark["nextFundingTime"] % (8 * 3_600_000) == 0


async def test_trades_and_candles_and_tickers_tell_what_was_traded(futures_venue):
    acme, birch = await futures_venue.client("acme"), await futures_venue.client("birch")
    await acme.order("SELL", "0.020", "60000")
    await birch.order("BUY", "0.005")
    await birch.order("BUY", "0.010")
    trades = (await acme.public("v1/trades", symbol="BTCUSDT")).body
    assert [(row["price"], row["qty"], row["quoteQty"], row["isBuyerMaker"]) for row in trades] == [
        ("60000.00", "0.005", "300.00", False),
        ("60000.00", "0.010", "600.00", False),
    ]
    [first, second] = (await acme.public("v1/aggTrades", symbol="BTCUSDT")).body
    assert first.keys() == set("apqflTm")
    assert (first["f"], second["l"]) == (trades[0]["id"], trades[1]["id"])
    candle = (await acme.public("v1/klines", symbol="BTCUSDT", interval="1h")).body[-1]
    assert len(candle) == 12
    assert (candle[1], candle[5], candle[7], candle[8]) == ("60000.00", "0.015", "900.00000", 2)
    day = (await acme.public("v1/ticker/24hr", symbol="BTCUSDT")).body
    assert (day["lastPrice"], day["lastQty"], day["volume"], day["quoteVolume"], day["count"]) == (
        "60000.00", "0.010", "0.015", "900.00", 2,
    )  # fmt: skip
    assert "bidPrice" not in day
    for version in ("v1", "v2"):
        price = (await acme.public(f"{version}/ticker/price", symbol="BTCUSDT")).body
        assert (price["symbol"], price["price"]) == ("BTCUSDT", "60000.00")
    assert (await acme.public("v1/openInterest", symbol="BTCUSDT")).body["openInterest"] == "0.015"
    assert (await acme.public("v1/fundingInfo")).body[0]["fundingIntervalHours"] == 8
    same = await acme.public("v1/continuousKlines", pair="BTCUSDT", contractType="PERPETUAL", interval="1h")
    assert same.body[-1] == candle


async def test_mark_and_index_candles_carry_prices_of_eight_decimals(start_futures_venue):
    contracts = default_contracts()
    venue = await start_futures_venue(Synthetic([contract.spec for contract in contracts], 4, kind=FUTURES))
    client = await venue.client()
    for path, name in (("v1/markPriceKlines", "symbol"), ("v1/indexPriceKlines", "pair")):
        rows = (await client.public(path, **{name: "BTCUSDT"}, interval="5m", limit=3)).body
        assert len(rows) == 3, path
        assert len(rows[-1][4].partition(".")[2]) == 8
        assert (rows[-1][5], rows[-1][7]) == ("0", "0")


@pytest.mark.parametrize(
    ("path", "parameters", "code"),
    [
        ("v1/depth", {"symbol": "NONESUCH"}, -1121),
        ("v1/depth", {}, -1102),
        ("v1/depth", {"symbol": "BTCUSDT", "limit": "7"}, -4021),
        ("v1/klines", {"symbol": "BTCUSDT", "interval": "7m"}, -1120),
        ("v1/premiumIndex", {"symbol": "NONESUCH"}, -1121),
        ("v1/fundingRate", {"symbol": "NONESUCH"}, -1121),
        ("v1/openInterest", {"symbol": "btcusdt"}, -1100),
        ("v1/ticker/24hr", {"symbol": "NONESUCH"}, -1121),
        ("v1/trades", {"symbol": "BTCUSDT", "limit": "x"}, -1100),
        ("v1/continuousKlines", {"pair": "BTCUSDT", "interval": "1m"}, -1102),
    ],
)
async def test_a_wrong_question_gets_the_documented_refusal(futures_venue, path, parameters, code):
    client = await futures_venue.client()
    answer = await client.public(path, **parameters)
    assert (answer.status, answer.code) == (400, code)


async def test_what_is_asked_costs_its_weight(futures_venue):
    client = await futures_venue.client()
    used = 0
    for path, parameters, weight in (
        ("v1/depth", {"symbol": "BTCUSDT", "limit": 20}, 2),
        ("v1/depth", {"symbol": "BTCUSDT"}, 10),
        ("v1/depth", {"symbol": "BTCUSDT", "limit": 1000}, 20),
        ("v1/klines", {"symbol": "BTCUSDT", "interval": "1m", "limit": 99}, 1),
        ("v1/klines", {"symbol": "BTCUSDT", "interval": "1m", "limit": 1500}, 10),
        ("v1/ticker/24hr", {}, 40),
        ("v1/ticker/bookTicker", {}, 5),
        ("v1/aggTrades", {"symbol": "BTCUSDT"}, 20),
    ):
        used += weight
        answer = await client.public(path, **parameters)
        assert (answer.status, answer.headers["X-MBX-USED-WEIGHT-1M"]) == (200, str(used)), path


async def test_spot_paths_are_not_served_here_nor_futures_paths_there(futures_venue):
    client = await futures_venue.client()
    assert (await client.raw("GET", "/api/v3/ping")).status == 404
    client.rest = futures_venue.running.rest
    assert (await client.raw("GET", "/fapi/v1/ping")).status == 404


def test_entry_prices_and_plain_figures_lose_what_they_do_not_need():
    assert [entry(Decimal(text)) for text in ("0", "60000", "59999.123456789012", "0.10")] == [
        "0.0", "60000.0", "59999.12345678901", "0.1",
    ]  # fmt: skip
    assert [plain(Decimal(text)) for text in ("1E+6", "0.00020", "100", "0")] == ["1000000", "0.0002", "100", "0"]
    assert Digits(2, 3).average(Decimal("50000.12345")) == "50000.12345"
    assert Digits(2, 3).average(Decimal(0)) == "0.00"


async def test_what_stands_behind_the_contracts_is_told_as_it_is(futures_venue):
    client = await futures_venue.client()
    await client.order("BUY", "0.01", "59000")
    book, rpi = await client.public("v1/depth", symbol="BTCUSDT"), await client.public("v1/rpiDepth", symbol="BTCUSDT")
    assert rpi.body["bids"] == book.body["bids"] == [["59000.00", "0.010"]]
    assert rpi.body.keys() == book.body.keys()
    assert (await client.public("v1/rpiDepth", symbol="BTCUSDT", limit=5)).code == -4021
    risks = (await client.public("v1/symbolAdlRisk")).body
    assert [(row["symbol"], row["adlRisk"]) for row in risks] == [
        ("BTCUSDT", "low"), ("ETHUSDT", "low"), ("SOLUSDT", "low"),
    ]  # fmt: skip
    assert (await client.signed("GET", "v1/symbolAdlRisk", symbol="BTCUSDT")).body == risks[0]
    [fund] = (await client.public("v1/insuranceBalance")).body
    assert fund["symbols"] == ["BTCUSDT", "ETHUSDT", "SOLUSDT"]
    assert [(row["asset"], row["marginBalance"]) for row in fund["assets"]] == [("USDT", "0.00000000")]
    assert (await client.public("v1/insuranceBalance", symbol="ETHUSDT")).body["symbols"] == fund["symbols"]
    [index] = (await client.public("v1/assetIndex")).body
    assert (index["symbol"], index["index"], index["bidRate"], index["askBuffer"]) == (
        "USDTUSD", "1.00000000", "1.00000000", "0.00000000",
    )  # fmt: skip
    assert (await client.public("v1/assetIndex", symbol="USDTUSD")).body.keys() == index.keys()
    assert (await client.public("v1/indexInfo")).body == []
    for path in ("rpiDepth", "symbolAdlRisk", "insuranceBalance", "assetIndex", "indexInfo"):
        assert (await client.public(f"v1/{path}", symbol="NOPE")).code == -1121, path
