"""Adapters of the accounts of a paper exchange."""

import contextlib
import itertools
import random
import socket
from collections.abc import AsyncIterator
from typing import Any

from paper_process import account

from tradedesk.access.egress import Egress
from tradedesk.access.vault import Secret
from tradedesk.clock import SystemClock
from tradedesk.domain.words import AccountId, VenueId
from tradedesk.venues.adapter import Markets
from tradedesk.venues.ccxt_binance import addresses_of
from tradedesk.venues.spot_adapter import SpotAdapter

_numbers = itertools.count(1)


@contextlib.asynccontextmanager
async def connected(
    described: dict[str, Any], name: str = "acme", *, source: str | None = None, start: bool = True
) -> AsyncIterator[SpotAdapter]:
    """An adapter of one account of a paper exchange, from that account's own address unless told otherwise."""
    row = account(described, name)
    adapter = SpotAdapter(
        account=AccountId(name),
        venue=VenueId("binance"),
        secret=Secret(row["api_key"], row["secret"]),
        exit_=Egress(source or row["addresses"][0]),
        addresses=addresses_of(described["rest"]),
        markets=Markets(("BTC/USDT", "ETH/USDT")),
        last_check=lambda approved: None,
        clock=SystemClock(),
        chance=random.Random(1),
    )
    try:
        if start:
            await adapter.start()
        yield adapter
    finally:
        await adapter.close()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def new_id() -> str:
    """A client order id no other test uses."""
    return f"venues-{next(_numbers)}"
