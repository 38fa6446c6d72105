"""The wallet over HTTP: what keys may do, coins, ledgers and transfers, each showing exactly what the exchange did."""

import contextlib
from collections.abc import AsyncIterator
from decimal import Decimal
from urllib.parse import urlencode

import aiohttp
import pytest
from paper_client import Client

from tradedesk.clock import SystemClock
from tradedesk.paper.accounts import USUAL_RIGHTS, Account, Key, Right, futures_specs, specs
from tradedesk.paper.exchange import Exchange
from tradedesk.paper.futures.contracts import default_contracts
from tradedesk.paper.futures.exchange import FuturesExchange
from tradedesk.paper.market import Quiet
from tradedesk.paper.server.app import Running, start
from tradedesk.paper.server.keys import change_key
from tradedesk.paper.synthetic import default_specs

DAY = 86_400_000  # ms
TRANSFERRING = USUAL_RIGHTS | {Right.TRANSFER}


def an_account(name: str, *, master: str | None = None, rights: frozenset[Right] = TRANSFERRING) -> Account:
    key = Key(name=name, api_key=name * 8, secret=f"of {name}", rights=rights, addresses=("127.0.0.1",))
    held = {"USDT": Decimal(1_000), "BTC": Decimal(2), "BNB": Decimal(3)}
    return Account(name=name, keys=(key,), balances=held, futures={"USDT": Decimal(100)}, master=master)


class Bank:
    """The server with a master (boss), its sub-accounts (left, right) and a stranger (solo, who may withdraw)."""

    def __init__(self, running: Running, session: aiohttp.ClientSession) -> None:
        self.running = running
        self.session = session

    def client(self, name: str = "solo") -> Client:
        return Client(self.running.rest, self.running.ws, name * 8, f"of {name}", self.session)

    async def get(self, path: str, name: str = "solo", **parameters: object):
        return await self.client(name).signed_at("GET", f"/sapi/{path}", **parameters)

    async def post(self, path: str, name: str = "solo", **parameters: object):
        return await self.client(name).signed_at("POST", f"/sapi/{path}", **parameters)

    def move(self, asset: str, amount: str, kind: str, reference: str = "", name: str = "solo") -> int:
        spot = self.running.spot
        moved = spot.exchange.move(name, asset, Decimal(amount), kind, spot.settle(), reference=reference)
        spot.distribute(spot.settle())
        return moved.id

    async def held(self, name: str = "solo") -> dict[str, Decimal]:
        rows = (await self.client(name).signed("GET", "account")).body["balances"]
        return {row["asset"]: Decimal(row["free"]) for row in rows}

    def futures_held(self, name: str = "solo") -> Decimal:
        front = self.running.futures
        assert front is not None
        assets = {row.asset: row for row in front.exchange.assets(name, front.settle())}
        return assets["USDT"].wallet_balance


@pytest.fixture
async def bank() -> AsyncIterator[Bank]:
    accounts = [
        an_account("boss"),
        an_account("left", master="boss"),
        an_account("right", master="boss"),
        an_account("solo", rights=frozenset(Right)),
    ]
    clock = SystemClock()
    exchange = Exchange(default_specs(), specs(accounts), Quiet(), now=clock.now())
    futures = FuturesExchange(default_contracts(), futures_specs(accounts), Quiet(), now=clock.now())
    async with contextlib.AsyncExitStack() as stack:
        running = await start(exchange, accounts, clock, admin_token="t", futures=futures)
        stack.push_async_callback(running.stop)
        yield Bank(running, await stack.enter_async_context(aiohttp.ClientSession()))


# -- the key and the account ----------------------------------------------------------------------------------------------


async def test_the_accounts_of_a_master_show_one_trade_group_and_a_stranger_none(bank):
    groups = [
        (await bank.client(name).signed("GET", "account")).body.get("tradeGroupId") for name in ("boss", "left", "solo")
    ]
    assert isinstance(groups[0], int)
    assert groups[0] == groups[1] != -1
    assert groups[2] is None


async def test_a_key_is_told_what_it_may_do(bank):
    told = (await bank.get("v1/account/apiRestrictions")).body
    assert {name: told[name] for name in ("ipRestrict", "enableReading", "enableWithdrawals", "enableFutures")} == {
        "ipRestrict": True, "enableReading": True, "enableWithdrawals": True, "enableFutures": True,
    }  # fmt: skip
    assert (told["enableSpotAndMarginTrading"], told["permitsUniversalTransfer"], told["enableMargin"]) == (
        True,
        True,
        False,
    )
    assert "tradingAuthorityExpirationTime" not in told
    assert told["createTime"] == bank.running.commons.started // 1_000_000
    change_key(bank.running.commons, "solo" * 8, rights=["read"], addresses=[], trades_until=1_700_000_000 * 10**9)
    told = (await bank.get("v1/account/apiRestrictions")).body
    assert [told[name] for name in ("ipRestrict", "enableWithdrawals", "enableSpotAndMarginTrading", "enableFutures")] == [
        False, False, False, False,
    ]  # fmt: skip
    assert told["tradingAuthorityExpirationTime"] == 1_700_000_000_000


async def test_the_state_of_account_and_system_is_told(bank):
    assert (await bank.client().raw("GET", "/sapi/v1/system/status")).body == {"status": 0, "msg": "normal"}
    assert (await bank.get("v1/account/status")).body == {"data": "Normal"}
    assert (await bank.get("v1/account/apiTradingStatus")).body["data"]["isLocked"] is False
    assert (await bank.get("v1/account/info")).body["isFutureEnabled"] is True
    assert (await bank.get("v1/accountSnapshot", type="SPOT")).body["snapshotVos"] == []


async def test_coins_are_those_of_the_instruments_and_what_is_held(bank):
    rows = {row["coin"]: row for row in (await bank.get("v1/capital/config/getall")).body}
    traded = {asset for spec in bank.running.spot.exchange.specs() for asset in (spec.base, spec.quote)}
    assert rows.keys() == traded | {"BNB"}
    await bank.client().order("BUY", "0.01", "50000")
    rows = {row["coin"]: row for row in (await bank.get("v1/capital/config/getall")).body}
    assert (rows["USDT"]["free"], rows["USDT"]["locked"]) == ("500.00000000", "500.00000000")
    assert rows["USDT"]["networkList"][0]["withdrawEnable"] is True


async def test_user_assets_leave_out_what_is_not_held(bank):
    assert {row["asset"] for row in (await bank.post("v3/asset/getUserAsset")).body} == {"BNB", "BTC", "USDT"}
    (row,) = (await bank.post("v3/asset/getUserAsset", asset="BTC", needBtcValuation="true")).body
    assert (row["asset"], row["free"]) == ("BTC", "2.00000000")


async def test_trade_fees_are_what_is_paid(bank):
    fees = (await bank.get("v1/asset/tradeFee")).body
    assert {row["symbol"] for row in fees} == {spec.symbol for spec in bank.running.spot.exchange.specs()}
    (one,) = (await bank.get("v1/asset/tradeFee", symbol="BTCUSDT")).body
    assert one == {"symbol": "BTCUSDT", "makerCommission": "0.001", "takerCommission": "0.001"}
    assert (await bank.get("v1/asset/tradeFee", symbol="NOPE")).code == -1121


async def test_commission_in_bnb_is_switched_on_and_off(bank):
    assert (await bank.get("v1/bnbBurn")).body == {"spotBNBBurn": False, "interestBNBBurn": False}
    assert (await bank.post("v1/bnbBurn", spotBNBBurn="true")).body["spotBNBBurn"] is True
    assert bank.running.spot.exchange.account_spec("solo").pays_bnb is True
    assert (await bank.get("v1/bnbBurn", "boss")).body["spotBNBBurn"] is False
    assert (await bank.post("v1/bnbBurn", spotBNBBurn="false")).body["spotBNBBurn"] is False
    assert (await bank.post("v1/bnbBurn", spotBNBBurn="maybe")).code == -1130


# -- ledgers --------------------------------------------------------------------------------------------------------------


async def test_each_movement_is_in_exactly_one_ledger(bank):
    kinds = {
        "DEPOSIT": bank.move("USDT", "5", "DEPOSIT", "tx-1"),
        "WITHDRAW": bank.move("USDT", "-1", "WITHDRAW"),
        "TRANSFER": bank.move("USDT", "-2", "TRANSFER"),
        "INTEREST": bank.move("USDT", "-0.5", "INTEREST"),
        "DIVIDEND": bank.move("BTC", "0.1", "DIVIDEND"),
        "FEE": bank.move("BNB", "-0.25", "FEE", "custody"),
    }
    found = {
        "DEPOSIT": (await bank.get("v1/capital/deposit/hisrec")).body,
        "WITHDRAW": (await bank.get("v1/capital/withdraw/history")).body,
        "TRANSFER": (await bank.get("v1/asset/transfer", type="MAIN_UMFUTURE")).body["rows"],
        "INTEREST": (await bank.get("v1/margin/interestHistory")).body["rows"],
    }
    assert [row["id"] for row in found["DEPOSIT"]] == [str(kinds["DEPOSIT"])]
    assert (found["DEPOSIT"][0]["txId"], found["DEPOSIT"][0]["amount"], found["DEPOSIT"][0]["status"]) == (
        "tx-1", "5.00000000", 1,
    )  # fmt: skip
    assert [(row["id"], row["amount"]) for row in found["WITHDRAW"]] == [(str(kinds["WITHDRAW"]), "1.00000000")]
    assert [(row["tranId"], row["amount"]) for row in found["TRANSFER"]] == [(kinds["TRANSFER"], "2.00000000")]
    assert [(row["txId"], row["interest"]) for row in found["INTEREST"]] == [(kinds["INTEREST"], "0.50000000")]
    others = (await bank.get("v1/asset/assetDividend")).body
    assert [(row["tranId"], row["asset"], row["amount"], row["direction"]) for row in others["rows"]] == [
        (kinds["FEE"], "BNB", "0.25000000", -1),
        (kinds["DIVIDEND"], "BTC", "0.10000000", 1),
    ]
    assert (others["total"], others["rows"][0]["enInfo"]) == (2, "custody")
    assert (await bank.get("v1/asset/transfer", type="UMFUTURE_MAIN")).body == {"total": 0, "rows": []}
    assert (await bank.get("v1/asset/dribblet")).body == {"total": 0, "userAssetDribblets": []}
    assert (await bank.get("v1/capital/deposit/hisrec", "boss")).body == []  # of nobody else


async def test_ledgers_are_paged_and_filtered_newest_first(bank):
    ids = [str(bank.move(asset, "1", "DEPOSIT", f"tx-{asset}-{n}")) for n in range(3) for asset in ("BTC", "USDT")]

    async def listed(**filters: object) -> list[str]:
        return [row["id"] for row in (await bank.get("v1/capital/deposit/hisrec", **filters)).body]

    assert await listed() == ids[::-1]
    assert await listed(coin="BTC") == ids[4::-2]
    assert await listed(limit=2) == ids[:3:-1]
    assert await listed(limit=2, offset=4) == ids[1::-1]
    assert await listed(status=1, txId="tx-BTC-0") == ids[:1]
    assert await listed(status=0) == []
    now = bank.running.commons.now() // 1_000_000
    assert await listed(startTime=now + 1_000) == []
    assert await listed(startTime=now - DAY, endTime=now + DAY) == ids[::-1]
    assert await listed(endTime=now - DAY) == []
    assert (await bank.get("v1/capital/deposit/hisrec", startTime=now - 91 * DAY, endTime=now)).code == -4047
    assert await listed(surprise=1) == ids[::-1]  # the wallet leaves alone what it does not know
    for name, page in (("v1/asset/transfer?type=UMFUTURE_MAIN", 3),):
        made = [bank.move("USDT", "1", "TRANSFER") for _ in range(5)]
        path, _, kind = name.partition("?type=")
        body = (await bank.get(path, type=kind, size=2, current=page)).body
        assert (body["total"], [row["tranId"] for row in body["rows"]]) == (5, [made[0]])
        assert (await bank.get(path, type=kind, current=0)).code == -1130
        assert (await bank.get(path)).code == -1102


async def test_a_balance_update_reaches_the_user_stream_when_money_moves(bank):
    client = bank.client()
    async with client.socket("/ws-api/v3") as socket:
        assert (await socket.signed("userDataStream.subscribe.signature"))["status"] == 200
        assert (await bank.post("v1/capital/withdraw/apply", coin="BTC", address="a", amount="0.5")).status == 200
        frame = await socket.until(lambda frame: frame.get("event", {}).get("e") == "balanceUpdate")
        assert (frame["event"]["a"], frame["event"]["d"]) == ("BTC", "-0.50000000")


# -- withdrawals ----------------------------------------------------------------------------------------------------------


async def test_a_withdrawal_moves_money_and_is_found_by_its_ids(bank):
    terms = {"coin": "BTC", "address": "bc1 & co", "network": "BTC", "withdrawOrderId": "mine-1", "amount": "0.5"}
    made = (await bank.post("v1/capital/withdraw/apply", **terms)).body
    await bank.post("v1/capital/withdraw/apply", coin="USDT", address="x", amount="1")
    assert (await bank.held())["BTC"] == Decimal("1.5")
    (row,) = (await bank.get("v1/capital/withdraw/history", withdrawOrderId="mine-1")).body
    assert (row["id"], row["amount"], row["address"], row["network"], row["status"]) == (
        made["id"], "0.50000000", "bc1 & co", "BTC", 6,
    )  # fmt: skip
    assert [row["coin"] for row in (await bank.get("v1/capital/withdraw/history", idList=made["id"])).body] == ["BTC"]
    assert len((await bank.get("v1/capital/withdraw/history")).body) == 2


@pytest.mark.parametrize(
    ("terms", "code"),
    [
        ({"amount": "2.00000001"}, -4026),
        ({"amount": "0"}, -1130),
        ({"amount": "-1"}, -1100),
        ({"amount": "0.000000001"}, -1111),
        ({"coin": "NOPE"}, -4018),
        ({"address": None}, -1102),
        ({"surprise": "1"}, -1104),
    ],
)
async def test_a_withdrawal_that_cannot_be_moves_nothing(bank, terms, code):
    sent = {"coin": "BTC", "address": "a", "amount": "1"} | terms
    answer = await bank.post("v1/capital/withdraw/apply", **{k: v for k, v in sent.items() if v is not None})
    assert (answer.status, answer.code) == (400, code)
    assert (await bank.held())["BTC"] == 2
    assert (await bank.get("v1/capital/withdraw/history")).body == []


async def test_money_in_orders_is_not_withdrawn(bank):
    await bank.client().order("BUY", "0.01", "90000")
    assert (await bank.post("v1/capital/withdraw/apply", coin="USDT", address="a", amount="100.01")).code == -4026
    assert (await bank.post("v1/capital/withdraw/apply", coin="USDT", address="a", amount="100")).status == 200


# -- transfers ------------------------------------------------------------------------------------------------------------


async def test_money_goes_to_the_futures_wallet_and_back(bank):
    there = await bank.post("v1/asset/transfer", type="MAIN_UMFUTURE", asset="USDT", amount="250")
    assert ((await bank.held())["USDT"], bank.futures_held()) == (750, 350)
    back = await bank.post("v1/asset/transfer", type="UMFUTURE_MAIN", asset="USDT", amount="300.5")
    assert ((await bank.held())["USDT"], bank.futures_held()) == (Decimal("1050.5"), Decimal("49.5"))
    (row,) = (await bank.get("v1/asset/transfer", type="MAIN_UMFUTURE")).body["rows"]
    assert (row["tranId"], row["amount"], row["status"]) == (there.body["tranId"], "250.00000000", "CONFIRMED")
    (row,) = (await bank.get("v1/asset/transfer", type="UMFUTURE_MAIN")).body["rows"]
    assert row["tranId"] == back.body["tranId"]


@pytest.mark.parametrize(
    ("terms", "code"),
    [
        ({"amount": "1000.00000001"}, -5013),
        ({"type": "UMFUTURE_MAIN", "amount": "100.01"}, -5013),
        ({"type": "MAIN_MARGIN"}, -1020),
        ({"type": None}, -1102),
        ({"asset": "NOPE"}, -4018),
    ],
)
async def test_a_transfer_that_cannot_be_moves_nothing(bank, terms, code):
    sent = {"type": "MAIN_UMFUTURE", "asset": "USDT", "amount": "1"} | terms
    answer = await bank.post("v1/asset/transfer", **{k: v for k, v in sent.items() if v is not None})
    assert (answer.status, answer.code) == (400, code)
    assert ((await bank.held())["USDT"], bank.futures_held()) == (1_000, 100)


# -- sub-accounts ---------------------------------------------------------------------------------------------------------


async def test_a_master_lists_its_sub_accounts_and_they_list_none(bank):
    rows = (await bank.get("v1/sub-account/list", "boss", limit=10)).body["subAccounts"]
    assert [row["remark"] for row in rows] == ["left", "right"]
    assert [row["subUserId"] for row in rows] == [bank.running.commons.uids[name] for name in ("left", "right")]
    assert (await bank.get("v1/sub-account/list", "solo")).body == {"subAccounts": []}
    assert (await bank.get("v1/sub-account/list", "left")).code == -4006


async def test_a_master_moves_money_among_its_family_only(bank):
    def terms(source: str, target: str, **more: str) -> dict[str, str]:
        return {
            "fromEmail": f"{source}@paper.invalid", "toEmail": f"{target}@paper.invalid", "fromAccountType": "SPOT",
            "toAccountType": "SPOT", "asset": "BTC", "amount": "0.5",
        } | more  # fmt: skip

    path = "v1/sub-account/universalTransfer"
    moved = await bank.post(path, "boss", **terms("left", "right", clientTranId="mine"))
    assert ((await bank.held("left"))["BTC"], (await bank.held("right"))["BTC"]) == (Decimal("1.5"), Decimal("2.5"))
    (row,) = (await bank.get("v1/sub-account/transfer/subUserHistory", "right", type=1)).body
    assert (row["counterParty"], row["type"], row["qty"]) == ("left", 1, "0.50000000")
    assert row["tranId"] == moved.body["tranId"]
    (row,) = (await bank.get("v1/sub-account/transfer/subUserHistory", "left")).body
    assert (row["tranId"], row["type"]) == (moved.body["tranId"], 2)
    assert (await bank.get("v1/sub-account/transfer/subUserHistory", "right", type=2)).body == []
    assert (await bank.get("v1/asset/transfer", "right", type="UMFUTURE_MAIN")).body["total"] == 0
    to_futures = terms("boss", "left", toAccountType="USDT_FUTURE", asset="USDT", amount="10")
    assert (await bank.post(path, "boss", **to_futures)).status == 200
    assert bank.futures_held("left") == 110
    made = (await bank.get(path, "boss")).body
    assert [(row["fromEmail"], row["toAccountType"], row["asset"]) for row in made["result"]] == [
        ("boss@paper.invalid", "USDT_FUTURE", "USDT"),
        ("left@paper.invalid", "SPOT", "BTC"),
    ]
    assert (made["result"][1]["tranId"], made["result"][1]["clientTranId"]) == (moved.body["tranId"], "mine")
    assert (await bank.get(path, "boss", toEmail="right@paper.invalid")).body["totalCount"] == 1
    assert (await bank.get(path, "left")).code == -4006
    for who, wrong, code in (
        ("boss", terms("solo", "left"), -4003),
        ("left", terms("right", "left"), -4006),
        ("boss", terms("left", "left"), -1130),
        ("boss", terms("left", "right", amount="9"), -5013),
        ("boss", terms("left", "right", fromAccountType="MARGIN"), -1130),
    ):
        assert (await bank.post(path, who, **wrong)).code == code
    assert (await bank.held("solo"))["BTC"] == 2


async def test_a_master_binds_and_frees_the_keys_of_its_sub_accounts(bank):
    named = {"email": "left@paper.invalid", "subAccountApiKey": "left" * 8}
    path = "sub-account/subAccountApi/ipRestriction"
    assert (await bank.get(f"v1/{path}", "boss", **named)).body["ipList"] == ["127.0.0.1"]
    bound = await bank.post(f"v2/{path}", "boss", **named, status="2", ipAddress="127.0.0.8,127.0.0.9")
    assert (bound.body["ipRestrict"], bound.body["ipList"]) == ("true", ["127.0.0.8", "127.0.0.9"])
    assert (await bank.client("left").signed("GET", "account")).code == -2015
    assert (await bank.post(f"v2/{path}", "boss", **named, status="1")).body["ipRestrict"] == "false"
    assert (await bank.client("left").signed("GET", "account")).status == 200
    assert (await bank.post(f"v2/{path}", "boss", **named, status="2", ipAddress="nowhere")).code == -1130
    change_key(bank.running.commons, "left" * 8, addresses=["127.0.0.1"], rights=["read", "withdraw"])
    refused = await bank.post(f"v2/{path}", "boss", **named, status="1")  # who may withdraw stays bound
    assert (refused.status, refused.code) == (400, -1130)
    assert (await bank.get(f"v1/{path}", "solo", **named)).code == -4003
    stranger = named | {"subAccountApiKey": "solo" * 8}
    assert (await bank.get(f"v1/{path}", "boss", **stranger)).code == -1130


# -- the door -------------------------------------------------------------------------------------------------------------


async def test_the_wallet_counts_its_own_weight_and_wants_a_signature(bank):
    client = bank.client()
    spot_before = int((await client.public("ping")).headers["X-MBX-USED-WEIGHT-1M"])
    answer = await bank.get("v1/capital/config/getall")
    assert int(answer.headers["X-SAPI-USED-IP-WEIGHT-1M"]) >= 10
    assert "X-MBX-USED-WEIGHT-1M" not in answer.headers
    assert int((await client.public("ping")).headers["X-MBX-USED-WEIGHT-1M"]) <= spot_before + 1
    bare = await client.raw(
        "GET", "/sapi/v1/account/status?" + urlencode({"timestamp": 1}), X_MBX_APIKEY=client.api_key
    )
    assert bare.code == -1021
    assert (await client.raw("GET", "/sapi/v1/account/status")).code == -2014


async def test_margin_and_funding_are_empty_lists(bank):
    client = bank.client()
    for path in ("allPairs", "isolated/allPairs", "allAssets"):
        answer = await client.raw("GET", f"/sapi/v1/margin/{path}", X_MBX_APIKEY=client.api_key)
        assert (answer.status, answer.body) == (200, [])
    assert (await bank.post("v1/asset/get-funding-asset")).body == []


@pytest.mark.parametrize(
    "path", ["/sapi/v1/lending/union/account", "/dapi/v1/exchangeInfo", "/eapi/v1/time", "/papi/v1/ping"]
)
async def test_what_is_not_served_is_answered_at_once_with_an_error_body(bank, path):
    answer = await bank.client().raw("GET", path)
    assert (answer.status, answer.code) == (404, -5000)
