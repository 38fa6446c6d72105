"""The order path: from the command to the bytes on the socket and to the venue's word, beside bare ccxt on the same loopback."""

import asyncio
import random
import secrets
import threading
import time
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from tradedesk.cli.bench import median, percentile, row
from tradedesk.cli.demo import make_desk, new_vault, paper_exchange

if TYPE_CHECKING:
    from tradedesk.desk.build import Connect
    from tradedesk.desk.desk import Desk
    from tradedesk.domain.gate import Approved
    from tradedesk.venues.adapter import LastCheck

ORDERS = 40  # per round and side; the venue takes 100 in ten seconds from one account
BARE_ACCOUNT = "client-004"
PAUSE_S = (0.06, 0.1)  # between two orders, at random, so that no rhythm of a loop is met


class Stamps:
    """When the last check passed, by order: the very moment before the bytes are written. ns, monotonic."""

    def __init__(self) -> None:
        self.at: dict[str, int] = {}

    def around(self, connect: "Connect") -> "Connect":
        def connected(last_check: "LastCheck") -> Any:
            def stamped(approved: "Approved") -> str | None:
                refusal = last_check(approved)
                self.at[approved.order.client_order_id] = time.monotonic_ns()
                return refusal

            return connect(stamped)

        return connected


def measured(rounds: int) -> list[dict[str, Any]]:
    from tradedesk.config import find_home

    to_wire: list[float] = []
    to_ack: list[float] = []
    bare: list[float] = []
    wire_tail, ack_tail, bare_tail = [], [], []
    sync_ms = []
    with (
        TemporaryDirectory(prefix="tradedesk-bench-") as folder,
        paper_exchange(1, "--accounts", "4") as exchange,
    ):
        paper = exchange.described
        home = find_home({"TRADEDESK_HOME": folder})
        bare_key = next(account for account in paper["accounts"] if account["name"] == BARE_ACCOUNT)
        make_desk(home, {**paper, "accounts": [a for a in paper["accounts"] if a is not bare_key]}, new_vault(home))
        stamps = Stamps()
        desk = _desk(home, stamps)
        desk.start()
        try:
            probe = _Probe(desk)
            probe.wait_until_ready()
            for number in range(rounds):
                chance = random.Random(number)
                wire, ack = probe.orders(chance, stamps)
                alone = asyncio.run(_bare(paper["rest"], bare_key, random.Random(number), probe.price()))
                sync_ms.append(_sync_ms(Path(folder)))
                to_wire.append(median(wire))
                to_ack.append(median(ack))
                bare.append(median(alone))
                wire_tail.append(percentile(wire, 0.99))
                ack_tail.append(percentile(ack, 0.99))
                bare_tail.append(percentile(alone, 0.99))
        finally:
            desk.stop()
    peer = "bare ccxt create_order, p50"
    limit = median(bare) + median(sync_ms)
    return [
        row(peer, median(bare), "ms"),
        row("bare ccxt create_order, p99", median(bare_tail), "ms"),
        row("fdatasync, p50", median(sync_ms), "ms"),
        row("command to bytes on the socket, p50", median(to_wire), "ms"),
        row("command to bytes on the socket, p99", median(wire_tail), "ms"),
        row(
            "command to acknowledged, p50",
            median(to_ack),
            "ms",
            beside="bare ccxt + fdatasync",
            ratio=median(to_ack) / limit,
        ),
        row(
            "command to acknowledged, p99",
            median(ack_tail),
            "ms",
            beside="bare ccxt create_order, p99",
            ratio=median(ack_tail) / median(bare_tail),
        ),
    ]


def _desk(home: Any, stamps: Stamps) -> "Desk":
    import msgspec

    from tradedesk import log
    from tradedesk.access.vault import open_vault
    from tradedesk.clock import SystemClock
    from tradedesk.config import load, private_folder
    from tradedesk.desk import build as building

    private_folder(home.log)
    log.open_log(home.log / "tradedesk.log")
    vault = open_vault(home.vault, home.passphrase)
    settings, clock = load(home.config), SystemClock()
    parts = building.real_parts(settings, vault, clock, home)
    stamped = {account: stamps.around(connect) for account, connect in parts.adapters.items()}
    return building.build(settings, home, msgspec.structs.replace(parts, adapters=stamped), clock=clock)


class _Probe:
    """Submits orders as a screen would, and notes when the acknowledgement is published."""

    def __init__(self, desk: "Desk") -> None:
        import os

        from tradedesk.views.feed import DeskView

        operator = desk.who(None, os.getuid())
        assert not isinstance(operator, str)
        self._control = desk.control(operator)
        self._view = DeskView(desk.open_feed())
        self._pause = threading.Event()

    def _poll(self) -> list[Any]:
        from tradedesk.views.feed import Numbered

        return [update.event for update in self._view.poll() if isinstance(update, Numbered)]

    def wait_until_ready(self) -> None:
        from tradedesk.domain.accounts import AccountState

        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            self._poll()
            rows = self._view.replica.accounts.values()
            markets = self._view.replica.markets.values()
            if rows and all(r.state is AccountState.Ready for r in rows) and any(m.bids for m in markets):
                return
            self._pause.wait(0.05)
        raise RuntimeError("the desk did not get ready")

    def price(self) -> Decimal:
        """One per cent below the market, on tick: it rests."""
        self._poll()
        from tradedesk.domain.words import InstrumentId

        bid = self._view.replica.market(InstrumentId("binance:BTCUSDT")).bids[0][0]
        return (bid * Decimal("0.99")).quantize(Decimal("0.01"))

    def orders(self, chance: random.Random, stamps: Stamps) -> tuple[list[float], list[float]]:
        """Milliseconds from submit to the last check before the bytes, and to the published acknowledgement."""
        from tradedesk.domain.commands import CancelOrder, PlaceOrder
        from tradedesk.domain.events import RequestDecided
        from tradedesk.domain.orders import RequestState
        from tradedesk.domain.words import AccountId, InstrumentId, OperatorId, OrderType, Side, client_order_id

        accounts = [AccountId(name) for name in ("acme", "birch", "cedar")]
        wire, ack = [], []
        price = self.price()
        for number in range(ORDERS):
            account = accounts[number % len(accounts)]
            key = client_order_id(time.time_ns(), secrets.randbits(40))
            started = time.monotonic_ns()
            self._control.submit(
                PlaceOrder(
                    account=account,
                    client_order_id=key,
                    instrument=InstrumentId("binance:BTCUSDT"),
                    side=Side.Buy,
                    order_type=OrderType.Limit,
                    order_qty=Decimal("0.001"),
                    price=price,
                    operator=OperatorId("bench"),
                    deadline=time.time_ns() + 10**10,
                )
            )
            acknowledged = None
            while acknowledged is None and time.monotonic_ns() - started < 10**10:
                for event in self._poll():
                    if (
                        isinstance(event, RequestDecided)
                        and event.client_order_id == key
                        and event.state is RequestState.Acknowledged
                    ):
                        acknowledged = time.monotonic_ns()
                self._pause.wait(0.0001)
            if acknowledged is None or key not in stamps.at:
                raise RuntimeError(f"order {key} was not acknowledged")
            wire.append((stamps.at[key] - started) / 10**6)
            ack.append((acknowledged - started) / 10**6)
            self._control.submit(CancelOrder(account=account, client_order_id=key, operator=OperatorId("bench")))
            self._pause.wait(chance.uniform(*PAUSE_S))
        return wire, ack


async def _bare(rest: str, key: dict[str, Any], chance: random.Random, price: Decimal) -> list[float]:
    """ccxt alone, one session bound to the account's address, no limiter, no journal, no Gate."""
    import aiohttp
    import ccxt.async_support as ccxt

    connector = aiohttp.TCPConnector(local_addr=(key["addresses"][0], 0))
    async with aiohttp.ClientSession(connector=connector) as session:
        exchange = ccxt.binance(
            {
                "apiKey": key["api_key"],
                "secret": key["secret"],
                "session": session,
                "enableRateLimit": False,
                "options": {"fetchMargins": False, "fetchMarkets": {"types": ["spot"]}},
            }
        )
        exchange.has["fetchCurrencies"] = False
        for name in exchange.urls["api"]:
            exchange.urls["api"][name] = f"{rest}/api/v3" if name in ("public", "private") else f"{rest}/none"
        await exchange.load_markets()
        taken = []
        for _ in range(ORDERS):
            started = time.monotonic_ns()
            order = await exchange.create_order("BTC/USDT", "limit", "buy", 0.001, float(price))
            taken.append((time.monotonic_ns() - started) / 10**6)
            await exchange.cancel_order(order["id"], "BTC/USDT")
            await asyncio.sleep(chance.uniform(*PAUSE_S))
        await exchange.close()
    return taken


def _sync_ms(folder: Path) -> float:
    import os

    taken = []
    with (folder / "sync").open("wb") as file:
        for _ in range(50):
            file.write(b"x" * 300)
            file.flush()
            started = time.monotonic_ns()
            os.fdatasync(file.fileno())
            taken.append((time.monotonic_ns() - started) / 10**6)
    return median(taken)
