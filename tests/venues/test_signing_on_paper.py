"""Every kind of key at the real adapter against the paper exchange, signing in the thread and in a process of its own."""

import asyncio
import json
import os
import random
import signal
import urllib.request
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from builders import an_order
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from msgspec import Struct
from paper_account import new_id
from paper_process import has_loopback_range, paper_process

from tradedesk.access.egress import Egress
from tradedesk.access.encrypted_file import EncryptedFile, derive_key, new_kdf, write_rows
from tradedesk.access.keyholder import MOST_STARTS, KeySource
from tradedesk.access.signer_process import ProcessSigner
from tradedesk.access.vault import KeyKind, Secret, Vault
from tradedesk.clock import SystemClock
from tradedesk.domain.gate import Approved, CancelTicket
from tradedesk.domain.outcomes import Acknowledged, NotSent, StreamState
from tradedesk.domain.words import AccountId, RequestId, VenueId
from tradedesk.venues import spot_stream
from tradedesk.venues.adapter import Markets, PrivateNews, VenueFailed
from tradedesk.venues.ccxt_binance import addresses_of
from tradedesk.venues.spot_adapter import SpotAdapter

WITHIN_S = 20
KINDS = tuple(KeyKind)
ADDRESS = "127.0.0.2"


class World(Struct, frozen=True):
    """An exchange with one account for each kind of key, and the vault of a desk that trades them."""

    paper: dict[str, Any]
    vault: Vault

    def seen(self, account: str) -> list[dict[str, Any]]:
        request = urllib.request.Request(
            f"{self.paper['admin']}/requests", headers={"Authorization": f"Bearer {self.paper['admin_token']}"}
        )
        with urllib.request.urlopen(request, timeout=WITHIN_S) as answer:
            return [row for row in json.load(answer)["requests"] if row["account"] == account]

    def fault(self, method: str, body: object = None) -> None:
        """Put a fault in force, or with DELETE take back all."""
        request = urllib.request.Request(
            f"{self.paper['admin']}/faults",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {self.paper['admin_token']}"},
        )
        with urllib.request.urlopen(request, timeout=WITHIN_S):
            pass

    def source(self, kind: KeyKind, signer: str) -> KeySource:
        return self.vault.get(kind, "binance") if signer == "thread" else self.vault.handover(kind, "binance")


def a_key(kind: KeyKind) -> tuple[str, str]:
    """A secret, and the line with which an accounts file of the exchange names its other half."""
    if kind is KeyKind.Hmac:
        return "S" * 40 + kind, f'secret = "{"S" * 40}{kind}"'
    private = ed25519.Ed25519PrivateKey.generate() if kind is KeyKind.Ed25519 else rsa.generate_private_key(65537, 2048)
    pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    public = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    return pem, f'public_key = """\n{public}"""'


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    if not has_loopback_range():
        pytest.skip("this machine has no further loopback addresses")
    folder = tmp_path_factory.mktemp("signing")
    file, master = folder / "vault", derive_key("correct horse battery", new_kdf())
    write_rows(file, master, ())
    vault = Vault(EncryptedFile(file, master), str(file), folder / "entries.lock")
    tables = []
    for kind in KINDS:
        secret, line = a_key(kind)
        api_key = f"K{kind}".ljust(32, "k")
        vault.put(kind, "binance", Secret(api_key, secret, kind))
        tables.append(
            f'[[accounts]]\nname = "{kind}"\napi_key = "{api_key}"\naddresses = ["{ADDRESS}"]\n{line}\n'
            'balances = { USDT = "1000000", BTC = "10" }\n'
        )
    accounts = folder / "accounts.toml"
    accounts.write_text("\n".join(tables))
    with paper_process("--seed", "5", "--accounts-file", str(accounts)) as described:
        yield World(described, vault)


@asynccontextmanager
async def connected(world: World, kind: KeyKind, signer: str) -> AsyncIterator[SpotAdapter]:
    adapter = SpotAdapter(
        account=AccountId(kind),
        venue=VenueId("binance"),
        secret=world.source(kind, signer),
        exit_=Egress(ADDRESS),
        addresses=addresses_of(world.paper["rest"]),
        markets=Markets(("BTC/USDT",)),
        last_check=lambda approved: None,
        clock=SystemClock(),
        chance=random.Random(1),
    )
    try:
        await adapter.start()
        yield adapter
    finally:
        await adapter.close()


async def placed(adapter: SpotAdapter) -> tuple[Approved, Any]:
    instrument = adapter._markets.instruments[0]
    price = Decimal((await adapter._exchange.publicGetAvgPrice({"symbol": "BTCUSDT"}))["price"]) * Decimal("0.97")
    order = an_order(qty="0.01", price=str(price // 1), client_order_id=new_id())
    request = RequestId(f"r-{order.client_order_id}")
    approved = Approved(request_id=request, order=order, replaces=None, instrument=instrument, approved_at=0)
    return approved, await adapter.place(approved)


class News(list[PrivateNews]):
    """What a private stream said, and a way to wait for more."""

    def __init__(self) -> None:
        super().__init__()
        self._more = asyncio.Event()

    def __call__(self, news: PrivateNews) -> None:
        self.append(news)
        self._more.set()

    async def until(self, is_enough: Callable[[], bool]) -> None:
        async with asyncio.timeout(WITHIN_S):
            while not is_enough():
                self._more.clear()
                await self._more.wait()


def killed(adapter: SpotAdapter) -> ProcessSigner:
    """Its signer process, by now dead."""
    signer = signer_of(adapter)
    os.kill(signer.pid, signal.SIGKILL)
    signer._process.wait(WITHIN_S)
    return signer


def signer_of(adapter: SpotAdapter) -> ProcessSigner:
    signer = adapter._keys._signer
    assert isinstance(signer, ProcessSigner)
    return signer


@pytest.mark.parametrize("signer", ["thread", "process"])
@pytest.mark.parametrize("kind", KINDS)
async def test_every_kind_of_key_trades_and_hears_of_it(world: World, kind: KeyKind, signer: str) -> None:
    news = News()
    async with connected(world, kind, signer) as adapter:
        stream = asyncio.create_task(adapter.run_private(news))
        await news.until(lambda: StreamState(is_up=True) in news)
        approved, answer = await placed(adapter)
        assert isinstance(answer, Acknowledged), answer
        ticket = CancelTicket(request_id=RequestId("x"), order=approved.order, instrument=approved.instrument)
        assert isinstance(await adapter.cancel(ticket), Acknowledged)
        key = approved.order.client_order_id
        await news.until(lambda: sum(getattr(item, "client_order_id", None) == key for item in news) >= 2)
        stream.cancel()
        await asyncio.gather(stream, return_exceptions=True)
    refused = [row for row in world.seen(kind) if row["status"] >= 400]
    assert refused == []


async def test_with_a_signer_process_the_secret_is_nowhere_in_the_adapter(world: World) -> None:
    secret = world.vault.get(KeyKind.Hmac, "binance").secret
    async with connected(world, KeyKind.Hmac, "process") as adapter:
        await placed(adapter)
        found = {secret in repr(vars(held)) for held in (adapter, adapter._exchange, adapter._keys, signer_of(adapter))}
        assert found == {False}
        assert adapter._exchange.secret == "held by the signer"


@pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="this system has no /proc to look into")
async def test_a_signer_process_carries_no_secret_in_arguments_or_environment(world: World) -> None:
    secret = world.vault.get(KeyKind.Hmac, "binance").secret.encode()
    async with connected(world, KeyKind.Hmac, "process") as adapter:
        process = Path(f"/proc/{signer_of(adapter).pid}")
        assert b"signer_main" in (process / "cmdline").read_bytes()
        assert secret not in (process / "cmdline").read_bytes()
        if os.geteuid() == 0:  # it is not dumpable, so only root may look
            assert secret not in (process / "environ").read_bytes()


async def test_a_signer_that_dies_stops_the_orders_with_words_and_the_next_look_starts_another(world: World) -> None:
    async with connected(world, KeyKind.Ed25519, "process") as adapter:
        first = killed(adapter)
        assert adapter.held_up() == "its signer process ended; it is started again"
        _, answer = await placed(adapter)
        assert isinstance(answer, NotSent)
        assert answer.reason == "its signer process ended; it is started again"
        await adapter.venue_state(None)
        assert adapter.held_up() is None
        assert signer_of(adapter).pid != first.pid
        assert isinstance((await placed(adapter))[1], Acknowledged)


async def test_a_cancel_does_not_wait_for_the_next_look_when_the_signer_died(world: World) -> None:
    async with connected(world, KeyKind.Hmac, "process") as adapter:
        approved, _ = await placed(adapter)
        killed(adapter)
        ticket = CancelTicket(request_id=RequestId("x"), order=approved.order, instrument=approved.instrument)
        assert isinstance(await adapter.cancel(ticket), Acknowledged)


async def test_a_signer_that_keeps_dying_is_left_alone_and_says_so(world: World) -> None:
    async with connected(world, KeyKind.Hmac, "process") as adapter:
        for _ in range(MOST_STARTS - 1):
            killed(adapter)
            await adapter.venue_state(None)
        last = killed(adapter)
        with pytest.raises(VenueFailed, match="ended 6 times within the hour and is left alone"):
            await adapter.venue_state(None)
        assert signer_of(adapter) is last


async def test_a_signer_that_hangs_is_ended_and_holds_nobody_up_for_long(world: World) -> None:
    async with connected(world, KeyKind.Hmac, "process") as adapter:
        hung = signer_of(adapter)
        os.kill(hung.pid, signal.SIGSTOP)
        with pytest.raises(VenueFailed, match="gave no answer within 1 s and was ended"):
            await adapter.movements(0)
        assert hung._process.poll() is not None


async def test_a_signer_ends_with_its_adapter_and_with_its_desk(world: World) -> None:
    async with connected(world, KeyKind.Rsa, "process") as adapter:
        process = signer_of(adapter)._process
        assert process.poll() is None
    assert process.poll() is not None


async def test_a_record_that_was_replaced_meanwhile_is_not_signed_with(world: World) -> None:
    """The handover means one record, as it was; what stands there later has to be handed over anew."""
    before = world.vault.handover(KeyKind.Hmac, "binance")
    world.vault.put(KeyKind.Hmac, "binance", world.vault.get(KeyKind.Hmac, "binance"))
    adapter = SpotAdapter(
        account=AccountId("hmac"), venue=VenueId("binance"), secret=before, exit_=Egress(ADDRESS),
        addresses=addresses_of(world.paper["rest"]), markets=Markets(("BTC/USDT",)), last_check=lambda approved: None,
        clock=SystemClock(), chance=random.Random(1),
    )  # fmt: skip
    with pytest.raises(VenueFailed, match="the record of 'hmac' was replaced or removed"):
        await adapter.start()
    await adapter.close()


# ---- a subscription that moves


async def test_a_stream_moves_to_a_new_subscription_without_a_word_and_nothing_is_told_twice(world: World) -> None:
    news = News()
    async with connected(world, KeyKind.Hmac, "thread") as adapter:
        stream = asyncio.create_task(adapter.run_private(news))
        await news.until(lambda: StreamState(is_up=True) in news)
        for _ in range(3):
            await adapter.move_stream()
            approved, _ = await placed(adapter)
            key = approved.order.client_order_id
            await news.until(lambda key=key: any(getattr(item, "client_order_id", None) == key for item in news))
            ticket = CancelTicket(request_id=RequestId("x"), order=approved.order, instrument=approved.instrument)
            await adapter.cancel(ticket)
            await news.until(lambda key=key: sum(getattr(item, "client_order_id", None) == key for item in news) == 2)
        assert [item for item in news if isinstance(item, StreamState)] == [StreamState(is_up=True)]
        assert adapter.exit_seen() == ADDRESS
        assert len(adapter._exchange.clients) == 1  # the old sockets are gone
        stream.cancel()
        await asyncio.gather(stream, return_exceptions=True)


async def test_a_new_subscription_that_does_not_come_up_leaves_the_old_one_heard(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spot_stream, "MOVE_S", 0.5)
    news = News()
    async with connected(world, KeyKind.Hmac, "thread") as adapter:
        stream = asyncio.create_task(adapter.run_private(news))
        await news.until(lambda: StreamState(is_up=True) in news)
        world.fault("POST", {"kind": "mute", "account": "hmac", "method": "userDataStream.subscribe.signature"})
        try:
            with pytest.raises(VenueFailed, match="did not come up in time"):
                await adapter.move_stream()
            approved, _ = await placed(adapter)
            key = approved.order.client_order_id
            await news.until(lambda: any(getattr(item, "client_order_id", None) == key for item in news))
            assert StreamState(is_up=True) == next(item for item in news if isinstance(item, StreamState))
            assert [item for item in news if isinstance(item, StreamState) and not item.is_up] == []
        finally:
            world.fault("DELETE")
        stream.cancel()
        await asyncio.gather(stream, return_exceptions=True)
