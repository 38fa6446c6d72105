"""An unmodified ccxt client asks the wallet of a real paper process: coins, ledgers, transfers, fees."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ccxt
import pytest
import requests
from ccxt.base.errors import AuthenticationError, DDoSProtection, ExchangeError
from paper_process import account, paper_process

RIGHTS = '["read", "spot", "futures", "transfer", "withdraw"]'


@pytest.fixture(scope="module")
def paper(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    text = ""
    for name, rights in (("acme", RIGHTS), ("birch", '["read", "spot"]'), ("cedar", RIGHTS), ("dora", RIGHTS)):
        text += (
            f'[[accounts]]\nname = "{name}"\napi_key = "{name * 16}"\nsecret = "secret-of-{name}"\n'
            f'addresses = ["127.0.0.1"]\nrights = {rights}\nbalances = {{ USDT = "1000", BTC = "2" }}\n'
        )
    path: Path = tmp_path_factory.mktemp("paper") / "accounts.toml"
    path.write_text(text)
    with paper_process("--accounts-file", str(path), "--seed", "3") as described:
        yield described


def client(rest: str, key: str, secret: str) -> Any:
    exchange = ccxt.binance(
        {
            "apiKey": key,
            "secret": secret,
            "enableRateLimit": False,
            "options": {"fetchMarkets": {"types": ["spot"]}, "fetchMargins": True},
        }
    )
    exchange.session.trust_env = False
    exchange.urls["api"] = {
        name: rest + _path(url) for name, url in exchange.urls["api"].items() if isinstance(url, str)
    }
    return exchange


def _path(url: str) -> str:
    return "/" + url.partition("://")[2].partition("/")[2]


def connected(paper: dict[str, Any], name: str = "acme") -> Any:
    described = account(paper, name)
    return client(paper["rest"], described["api_key"], described["secret"])


def test_markets_load_with_their_margins_and_currencies(paper):
    exchange = connected(paper)
    exchange.load_markets()
    currencies = exchange.fetch_currencies()
    assert {"BTC", "ETH", "USDT"} <= currencies.keys()
    assert currencies["BTC"]["precision"] == 1e-8
    assert currencies["BTC"]["networks"]["PAPER"]["fee"] == 0
    assert all(row["active"] for row in currencies.values())
    assert exchange.markets["BTC/USDT"]["margin"] is False


def test_trading_fees_are_those_of_the_account(paper):
    fees = connected(paper).fetch_trading_fees()
    assert (fees["BTC/USDT"]["maker"], fees["BTC/USDT"]["taker"]) == (0.001, 0.001)


def test_a_withdrawal_is_made_and_listed(paper):
    exchange = connected(paper)
    made = exchange.withdraw("BTC", 0.5, "bc1-somewhere", params={"withdrawOrderId": "mine"})
    (row,) = exchange.fetch_withdrawals("BTC")
    assert (row["id"], row["amount"], row["address"], row["status"]) == (made["id"], 0.5, "bc1-somewhere", "ok")
    assert (row["currency"], row["fee"]["cost"]) == ("BTC", 0)
    assert row["timestamp"] == pytest.approx(exchange.fetch_time(), abs=10_000)
    assert exchange.fetch_balance()["BTC"]["free"] == 1.5
    assert exchange.fetch_withdrawals("BTC", since=exchange.milliseconds() + 60_000) == []
    with pytest.raises(ExchangeError, match="-4026"):
        exchange.withdraw("BTC", 5, "bc1-somewhere")


def test_a_transfer_to_the_futures_wallet_is_made_and_listed(paper):
    exchange = connected(paper, "cedar")
    made = exchange.transfer("USDT", 100, "spot", "linear")
    (row,) = exchange.fetch_transfers("USDT")
    assert (row["id"], row["amount"], row["fromAccount"], row["toAccount"], row["status"]) == (
        made["id"], 100, "spot", "linear", "ok",
    )  # fmt: skip
    exchange.transfer("USDT", 40, "linear", "spot")
    (row,) = exchange.fetch_transfers("USDT", params={"fromAccount": "linear", "toAccount": "spot"})
    assert row["amount"] == 40
    assert exchange.fetch_balance()["USDT"]["free"] == 940
    with pytest.raises(ExchangeError, match="-5013"):
        exchange.transfer("USDT", 5_000, "spot", "linear")


def test_a_key_that_may_not_is_told_so_and_moves_nothing(paper):
    exchange = connected(paper, "birch")
    for attempt in (
        lambda: exchange.withdraw("BTC", 0.5, "bc1-somewhere"),
        lambda: exchange.transfer("USDT", 100, "spot", "linear"),
    ):
        with pytest.raises(AuthenticationError):
            attempt()
    assert exchange.fetch_balance()["BTC"]["free"] == 2


def test_what_never_happened_is_an_empty_list(paper):
    exchange = connected(paper, "dora")
    assert exchange.fetch_deposits() == []
    assert exchange.fetch_withdrawals() == []
    assert exchange.fetch_transfers() == []
    assert exchange.fetch_my_dust_trades() == []
    assert exchange.fetch_borrow_interest() == []


def test_deposits_are_listed(paper):
    exchange = connected(paper, "birch")
    deposit = {
        "kind": "move",
        "account": "birch",
        "asset": "ETH",
        "amount": "10",
        "type": "DEPOSIT",
        "reference": "tx-1",
    }
    headers = {"Authorization": f"Bearer {paper['admin_token']}"}
    with requests.Session() as session:
        session.trust_env = False
        assert session.post(paper["admin"] + "/faults", json=deposit, headers=headers).status_code == 200
    (row,) = exchange.fetch_deposits("ETH")
    assert (row["amount"], row["status"], row["txid"], row["type"]) == (10, "ok", "tx-1", "deposit")
    assert row["timestamp"] == pytest.approx(exchange.fetch_time(), abs=10_000)
    assert exchange.fetch_balance()["ETH"]["free"] == 10
    assert exchange.fetch_deposits("BTC") == []


async def test_a_ban_reaches_the_client_as_what_it_is(venue):
    spot = venue.running.spot
    spot.limits.bans.impose("127.0.0.1", spot.settle())
    acme = venue.running.commons.accounts["acme"]
    exchange = client(venue.running.rest, acme.api_key, acme.secret)
    with pytest.raises(DDoSProtection, match=r"418 .*banned until"):
        await asyncio.to_thread(exchange.fetch_time)
