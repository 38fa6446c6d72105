"""The laws of the wallet: every movement in exactly one ledger, balances their sum, nothing made or lost on the way."""

from decimal import Decimal
from typing import Any

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from tradedesk.paper.accounts import Account, Key, Right, futures_specs, specs
from tradedesk.paper.exchange import Exchange
from tradedesk.paper.futures.contracts import default_contracts
from tradedesk.paper.futures.exchange import FuturesExchange
from tradedesk.paper.market import Quiet
from tradedesk.paper.rows import Refusal
from tradedesk.paper.server import wallet
from tradedesk.paper.server.front import Call, Commons
from tradedesk.paper.server.futures.front import FuturesFront
from tradedesk.paper.server.limits import FUTURES, Limits, RateLimits
from tradedesk.paper.server.parameters import Parameters
from tradedesk.paper.server.render import MILLISECOND
from tradedesk.paper.server.spot.front import SpotFront
from tradedesk.paper.server.wallet_front import WalletFront
from tradedesk.paper.synthetic import default_specs

NAMES = ("boss", "left")
START = Decimal(1_000)
SPECS = default_specs()


class StillClock:
    """A moment that the test moves on."""

    def __init__(self) -> None:
        self.at = 1_700_000_000_000_000_000

    def now(self) -> int:
        return self.at

    def monotonic(self) -> int:
        return self.at


class Bank:
    """Both markets and the wallet, without a door before them."""

    def __init__(self) -> None:
        self.clock = StillClock()
        accounts = [
            Account(
                name=name,
                keys=(Key(name=name, api_key=name * 8, secret="s", rights=frozenset(Right)),),
                balances={"USDT": START, "BTC": START},
                futures={"USDT": START},
                master=None if name == "boss" else "boss",
            )
            for name in NAMES
        ]
        self.commons = Commons(accounts, self.clock)
        self.exchange = Exchange(SPECS, specs(accounts), Quiet(), now=self.clock.now())
        self.futures = FuturesExchange(default_contracts(), futures_specs(accounts), Quiet(), now=self.clock.now())
        spot = SpotFront(self.exchange, self.commons, Limits(RateLimits()))
        futures_front = FuturesFront(self.futures, self.commons, Limits(FUTURES))
        self.commons.futures_wallet = futures_front.transfer
        self.front = WalletFront(spot)

    def ask(self, method: str, path: str, name: str = "boss", **parameters: object) -> Any:
        self.clock.at += 1_000_000
        key = self.commons.keys[name * 8]
        call = Call(peer="127.0.0.1", now=self.commons.now(), unit=MILLISECOND, key=key)
        route = wallet.REST[(method, f"/sapi/{path}")]
        return route.operation(self.front, call, Parameters({k: str(v) for k, v in parameters.items()}))

    def spot(self, name: str, asset: str) -> Decimal:
        return self.exchange.balances(name).get(asset, (Decimal(0),))[0]

    def in_futures(self, name: str) -> Decimal:
        rows = self.futures.assets(name, self.commons.now())
        return sum((row.wallet_balance for row in rows if row.asset == "USDT"), Decimal(0))


amounts = st.integers(1, 1_500 * 10**8).map(lambda units: Decimal(units).scaleb(-8))
steps = st.one_of(
    st.tuples(st.just("move"), st.sampled_from(NAMES), st.sampled_from(["DEPOSIT", "DIVIDEND", "FEE", "INTEREST", "WITHDRAW"]),
              st.sampled_from(["USDT", "BTC"]), amounts),
    st.tuples(st.just("withdraw"), st.sampled_from(NAMES), st.sampled_from(["USDT", "BTC"]), amounts),
    st.tuples(st.just("transfer"), st.sampled_from(NAMES), st.sampled_from(["MAIN_UMFUTURE", "UMFUTURE_MAIN"]), amounts),
    st.tuples(st.just("family"), st.sampled_from(["SPOT", "USDT_FUTURE"]), st.sampled_from(["SPOT", "USDT_FUTURE"]),
              st.booleans(), amounts),
)  # fmt: skip


def perform(bank: Bank, step: tuple[Any, ...]) -> None:
    match step:
        case ("move", name, kind, asset, amount):
            signed = -amount if kind in ("WITHDRAW", "FEE", "INTEREST") else amount
            bank.exchange.move(name, asset, signed, kind, bank.commons.now())
        case ("withdraw", name, asset, amount):
            bank.ask("POST", "v1/capital/withdraw/apply", name, coin=asset, address="x", amount=f"{amount:f}")
        case ("transfer", name, kind, amount):
            bank.ask("POST", "v1/asset/transfer", name, type=kind, asset="USDT", amount=f"{amount:f}")
        case ("family", source, target, outwards, amount):
            emails = [f"{name}@paper.invalid" for name in (NAMES if outwards else NAMES[::-1])]
            bank.ask(
                "POST", "v1/sub-account/universalTransfer", "boss", fromEmail=emails[0], toEmail=emails[1],
                fromAccountType=source, toAccountType=target, asset="USDT", amount=f"{amount:f}",
            )  # fmt: skip


def ledgers(bank: Bank, name: str) -> list[tuple[int, str, Decimal]]:
    """(id, asset, signed amount) of every row of every ledger."""
    rows: list[tuple[int, str, Decimal]] = []
    rows += [
        (int(r["id"]), r["coin"], Decimal(r["amount"])) for r in bank.ask("GET", "v1/capital/deposit/hisrec", name)
    ]
    rows += [
        (int(r["id"]), r["coin"], -Decimal(r["amount"])) for r in bank.ask("GET", "v1/capital/withdraw/history", name)
    ]
    for kind, sign in (("MAIN_UMFUTURE", -1), ("UMFUTURE_MAIN", 1)):
        page = bank.ask("GET", "v1/asset/transfer", name, type=kind, size=100)
        assert page["total"] == len(page["rows"])
        rows += [(r["tranId"], r["asset"], sign * Decimal(r["amount"])) for r in page["rows"]]
    page = bank.ask("GET", "v1/margin/interestHistory", name, size=100)
    rows += [(r["txId"], r["asset"], -Decimal(r["interest"])) for r in page["rows"]]
    page = bank.ask("GET", "v1/asset/assetDividend", name, limit=500)
    rows += [(r["tranId"], r["asset"], r["direction"] * Decimal(r["amount"])) for r in page["rows"]]
    for row in bank.ask("GET", "v1/sub-account/transfer/subUserHistory", name):
        rows.append((0, row["asset"], (1 if row["type"] == 1 else -1) * Decimal(row["qty"])))
    return rows


@settings(max_examples=60, deadline=None)
@given(steps=st.lists(steps, max_size=25))
def test_every_movement_is_in_one_ledger_and_balances_are_their_sum(steps):
    bank, came = Bank(), Decimal(0)
    for step in steps:
        before = {name: (bank.spot(name, "USDT"), bank.spot(name, "BTC"), bank.in_futures(name)) for name in NAMES}
        try:
            perform(bank, step)
        except Refusal:
            assert before == {
                name: (bank.spot(name, "USDT"), bank.spot(name, "BTC"), bank.in_futures(name)) for name in NAMES
            }
    for name in NAMES:
        rows = ledgers(bank, name)
        made = bank.exchange.movements(name, limit=10_000)
        family = {row.id for row in made if "counterparty" in row.reference}  # known by one number on both sides
        assert sorted(rows) == sorted((0 if row.id in family else row.id, row.asset, row.amount) for row in made)
        for asset in ("USDT", "BTC"):
            assert bank.spot(name, asset) == START + sum((amount for _, of, amount in rows if of == asset), Decimal(0))
        came += sum((row.amount for row in made if row.asset == "USDT" and row.kind != "TRANSFER"), Decimal(0))
    held = sum((bank.spot(name, "USDT") + bank.in_futures(name) for name in NAMES), Decimal(0))
    assert held == 2 * len(NAMES) * START + came


NASTY = st.sampled_from(
    ["", "0", "1", "-1", "1e5", "9" * 18, "9" * 19, "9" * 30, "NaN", "true", "BTC", "USDT", "MAIN_UMFUTURE", "1.5", "٣", "é", "\x00",
     "a=b&counterparty=c", "left@paper.invalid", "left" * 8, "127.0.0.1,", "SPOT", "USDT_FUTURE", "1,2,", "2"]
)  # fmt: skip
PARAMETERS = st.sampled_from(
    ["coin", "asset", "amount", "address", "type", "startTime", "endTime", "limit", "offset", "size", "current", "page", "status",
     "txId", "idList", "withdrawOrderId", "symbol", "email", "subAccountApiKey", "ipAddress", "fromEmail", "toEmail",
     "fromAccountType", "toAccountType", "spotBNBBurn", "isFreeze", "isolatedSymbol", "clientTranId", "surprise"]
)  # fmt: skip


@settings(max_examples=400, deadline=None)
@given(
    route=st.sampled_from(sorted(wallet.REST)),
    name=st.sampled_from(NAMES),
    sent=st.dictionaries(PARAMETERS, NASTY | st.text(max_size=8), max_size=8),
)
def test_whatever_is_sent_the_answer_is_a_result_or_a_refusal_of_the_venue(route, name, sent):
    method, path = route
    answer: object
    try:
        answer = Bank().ask(method, path.removeprefix("/sapi/"), name, **sent)
    except Refusal as refused:
        answer = {"status": refused.http, "code": refused.code, "msg": refused.message}
        if not (400 <= refused.http < 500 and refused.code < 0):
            raise
    orjson.dumps(answer)
