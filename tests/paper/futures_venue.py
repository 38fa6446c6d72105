"""A paper server with a futures market in this process, its clients, and a book kept by the venue's procedure for USD-M."""

import contextlib
import time
from decimal import Decimal
from typing import Any
from urllib.parse import quote, urlencode

import aiohttp
from paper_client import Answer, Client, Signer, sign

from tradedesk.clock import SystemClock
from tradedesk.paper.accounts import Account, Key, Right, futures_specs, specs
from tradedesk.paper.exchange import Exchange
from tradedesk.paper.futures.contracts import default_contracts
from tradedesk.paper.futures.exchange import FuturesExchange
from tradedesk.paper.futures.saved import SavedFutures
from tradedesk.paper.market import Market, Quiet
from tradedesk.paper.saved import Saved
from tradedesk.paper.server.app import Running, start
from tradedesk.paper.synthetic import default_specs

ADMIN_TOKEN = "admin-token-of-the-tests"
INDEX = {"BTCUSDT": Decimal(60_000), "ETHUSDT": Decimal(3_000), "SOLUSDT": Decimal(150)}
RIGHTS = {"acme": frozenset(Right) - {Right.WITHDRAW}, "birch": frozenset(Right), "reader": frozenset({Right.READ})}


class FuturesClient(Client):
    """One account's client of the futures market. Paths are written below /fapi: `v1/order`."""

    async def public(self, path: str, **parameters: object) -> Answer:
        query = urlencode(parameters)
        return await self.raw("GET", f"/fapi/{path}{'?' + query if query else ''}")

    async def signed(self, method: str, path: str, **parameters: object) -> Answer:
        query = urlencode({"timestamp": time.time_ns() // 1_000_000} | parameters)
        signature = quote(sign(self.signer, query), safe="")
        return await self.raw(method, f"/fapi/{path}?{query}&signature={signature}", X_MBX_APIKEY=self.api_key)

    async def keyed(self, method: str, path: str, **parameters: object) -> Answer:
        """With the key, but unsigned."""
        query = urlencode(parameters)
        return await self.raw(method, f"/fapi/{path}{'?' + query if query else ''}", X_MBX_APIKEY=self.api_key)

    async def order(self, side: str, quantity: str, price: str | None = None, **more: object) -> Answer:
        """A limit order good till cancelled unless `more` says otherwise; a market order without a price."""
        terms: dict[str, object] = {
            "symbol": "BTCUSDT",
            "side": side,
            "quantity": quantity,
            "newOrderRespType": "RESULT",
        }
        if price is None:
            terms |= {"type": "MARKET"}
        else:
            terms |= {"type": "LIMIT", "price": price, "timeInForce": "GTC"}
        terms |= more
        return await self.signed(
            "POST", "v1/order", **{name: value for name, value in terms.items() if value is not None}
        )

    async def listen_key(self) -> str:
        return str((await self.keyed("POST", "v1/listenKey")).body["listenKey"])


class FuturesVenue:
    """The server and clients that know their keys: acme and birch may trade, reader may only read, eddy has an Ed25519 key."""

    def __init__(self, running: Running, signers: dict[str, Signer], stack: contextlib.AsyncExitStack) -> None:
        self.running = running
        assert running.futures is not None
        self.front = running.futures
        self._signers = signers
        self._stack = stack

    async def client(self, name: str = "acme") -> FuturesClient:
        assert self.running.futures_addresses is not None
        rest, ws, _ = self.running.futures_addresses
        session = await self._stack.enter_async_context(aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(10)))
        key = self.running.commons.accounts[name].api_key
        return FuturesClient(rest, ws, key, self._signers[name], session)


async def start_futures(
    stack: contextlib.AsyncExitStack, eddy: Any, market: Market | None = None, wallet: str = "100000"
) -> FuturesVenue:
    """The index stands still; nobody else trades unless a `market` is given."""
    accounts, signers = [], dict[str, Signer]()
    for name in (*RIGHTS, "eddy"):
        secret = None if name == "eddy" else f"secret-of-{name}"
        key = Key(
            name=name,
            api_key=(name * 16)[:64],
            secret=secret,
            public_key=eddy.public_key() if secret is None else None,
            rights=RIGHTS.get(name, frozenset(Right)),
        )
        accounts.append(
            Account(name=name, keys=(key,), balances={"USDT": Decimal(1_000)}, futures={"USDT": Decimal(wallet)})
        )
        signers[name] = secret or eddy
    clock = SystemClock()

    def spot(saved: Saved | None, now: int) -> Exchange:
        return Exchange(default_specs(), specs(accounts), Quiet(), now=now, saved=saved)

    def futures(saved: SavedFutures | None, now: int) -> FuturesExchange:
        return FuturesExchange(
            default_contracts(),
            futures_specs(accounts),
            market or Quiet(),
            now=now,
            index=lambda symbol, _now: INDEX[symbol],
            saved=saved,
        )

    running = await start(
        spot(None, clock.now()),
        accounts,
        clock,
        admin_token=ADMIN_TOKEN,
        futures=futures(None, clock.now()),
        remake=spot,
        remake_futures=futures,
    )
    stack.push_async_callback(running.stop)
    return FuturesVenue(running, signers, stack)


class LocalFuturesBook:
    """A book kept by the procedure the venue documents for USD-M; every step of it is asserted."""

    def __init__(self, snapshot: dict[str, Any]) -> None:
        self.snapshot_id = self.last = snapshot["lastUpdateId"]
        self.bids = {Decimal(price): Decimal(quantity) for price, quantity in snapshot["bids"]}
        self.asks = {Decimal(price): Decimal(quantity) for price, quantity in snapshot["asks"]}
        self._is_first = True

    def apply(self, event: dict[str, Any]) -> None:
        first, last, previous = event["U"], event["u"], event["pu"]
        if self._is_first and last < self.snapshot_id:
            return
        if self._is_first:
            assert first <= self.snapshot_id <= last, (first, self.snapshot_id, last)
        else:
            assert previous == self.last, (previous, self.last)
        self._is_first = False
        assert last >= first
        assert event["b"] or event["a"], "an event for an unchanged book"
        self.last = last
        for side, levels in ((self.bids, event["b"]), (self.asks, event["a"])):
            for price, quantity in levels:
                if Decimal(quantity) == 0:
                    side.pop(Decimal(price), None)
                else:
                    side[Decimal(price)] = Decimal(quantity)
        if self.bids and self.asks:
            assert max(self.bids) < min(self.asks), "crossed"

    def matches(self, snapshot: dict[str, Any]) -> bool:
        """Whether it agrees with a snapshot of the same number, level by level as deep as that goes."""
        other = LocalFuturesBook(snapshot)
        return all(
            sorted(mine.items(), reverse=falls)[: len(theirs)] == sorted(theirs.items(), reverse=falls)
            for mine, theirs, falls in ((self.bids, other.bids, True), (self.asks, other.asks, False))
        )
