"""A paper server in this process, with clients of three kinds of key and nobody else in the market."""

import contextlib
from collections.abc import AsyncIterator, Callable
from decimal import Decimal
from typing import Any

import aiohttp
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from futures_venue import FuturesVenue, start_futures
from msgspec.structs import replace
from paper_client import Client, Signer

from tradedesk.clock import SystemClock
from tradedesk.paper.accounts import Account, Key, generated, specs
from tradedesk.paper.exchange import Exchange
from tradedesk.paper.market import Market, Quiet
from tradedesk.paper.saved import Saved
from tradedesk.paper.server.app import Running, start
from tradedesk.paper.server.limits import RateLimits
from tradedesk.paper.synthetic import default_specs

ADMIN_TOKEN = "admin-token-of-the-tests"
PRIVATE_KEYS = {
    "eddy": Ed25519PrivateKey.generate(),
    "rosa": generate_private_key(65_537, 2_048),
}  # slow to make, so once


class Venue:
    """The server and clients that know their keys. All come from 127.0.0.1 unless told otherwise."""

    def __init__(self, running: Running, signers: dict[str, Signer], stack: contextlib.AsyncExitStack) -> None:
        self.running = running
        self._signers = signers
        self._stack = stack

    async def client(self, name: str = "acme", *, address: str | None = None) -> Client:
        account = self.running.commons.accounts[name]
        local = (address, 0) if address else None
        session = await self._stack.enter_async_context(
            aiohttp.ClientSession(connector=aiohttp.TCPConnector(local_addr=local), timeout=aiohttp.ClientTimeout(10))
        )
        return Client(self.running.rest, self.running.ws, account.api_key, self._signers[name], session)

    async def admin(self, path: str, token: str = ADMIN_TOKEN) -> tuple[int, dict[str, object]]:
        async with (
            aiohttp.ClientSession() as session,
            session.get(self.running.admin + path, headers={"Authorization": f"Bearer {token}"}) as response,
        ):
            return response.status, await response.json(content_type=None)


@pytest.fixture
async def start_venue() -> AsyncIterator[Callable[..., object]]:
    """`await start_venue(rates=..., faults=..., latency=...)`: a server with acme and birch (HMAC, from anywhere), cedar
    (HMAC, from 127.0.0.4 only), eddy (Ed25519) and rosa (RSA)."""
    async with contextlib.AsyncExitStack() as stack:

        async def begin(rates: RateLimits | None = None, **options: Any) -> Venue:
            signers: dict[str, Signer] = {}
            accounts = []
            for made in generated(3, seed=7):
                anywhere = made.name != "cedar"
                accounts.append(
                    Account(
                        name=made.name,
                        keys=(replace(made.keys[0], addresses=() if anywhere else made.addresses),),
                        balances={"USDT": Decimal(1_000_000), "BTC": Decimal(10)},
                    )
                )
                signers[made.name] = str(made.secret)
            for name, private in PRIVATE_KEYS.items():
                accounts.append(
                    Account(
                        name=name,
                        keys=(Key(name=name, api_key=name * 16, public_key=private.public_key()),),
                        balances={"USDT": Decimal(1_000_000), "BTC": Decimal(10)},
                    )
                )
                signers[name] = private
            clock = SystemClock()

            def make(saved: Saved | None, now: int) -> Exchange:
                return Exchange(default_specs(), specs(accounts), Quiet(), now=now, saved=saved)

            running = await start(
                make(None, clock.now()),
                accounts,
                clock,
                admin_token=ADMIN_TOKEN,
                rates=rates,
                remake=make,
                **options,
            )
            stack.push_async_callback(running.stop)
            return Venue(running, signers, stack)

        yield begin


@pytest.fixture
async def venue(start_venue: Callable[..., object]) -> Venue:
    return await start_venue()  # type: ignore[misc, no-any-return]


@pytest.fixture
async def start_futures_venue() -> AsyncIterator[Callable[..., object]]:
    """`await start_futures_venue(market=..., wallet=...)`: a server with a futures market beside the spot one."""
    async with contextlib.AsyncExitStack() as stack:

        async def begin(market: Market | None = None, wallet: str = "100000") -> FuturesVenue:
            return await start_futures(stack, PRIVATE_KEYS["eddy"], market, wallet)

        yield begin


@pytest.fixture
async def futures_venue(start_futures_venue: Callable[..., object]) -> FuturesVenue:
    return await start_futures_venue()  # type: ignore[misc, no-any-return]
