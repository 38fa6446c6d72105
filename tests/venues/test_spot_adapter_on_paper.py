"""The adapter against the real paper exchange over real sockets: what was asked, what the stream said, what REST lists."""

import asyncio
import contextlib
import decimal
import json
import os
import signal
import socket
import time
import urllib.request
from collections.abc import AsyncIterator, Callable
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from builders import an_order
from paper_account import connected, free_port, new_id
from paper_process import paper_process

from tradedesk.domain.gate import Approved, CancelTicket
from tradedesk.domain.instruments import Instrument
from tradedesk.domain.orders import Order, OrdStatus
from tradedesk.domain.outcomes import (
    Acknowledged,
    BalanceReport,
    NotSent,
    OrderReport,
    Refused,
    ReplaceOutcome,
    StreamState,
)
from tradedesk.domain.words import OrderType, RequestId, Side, TimeInForce
from tradedesk.venues.adapter import PrivateNews, VenueFailed
from tradedesk.venues.spot_adapter import SpotAdapter

WITHIN_S = 10


class News:
    """What a private stream said, and a way to wait for more."""

    def __init__(self) -> None:
        self.all: list[PrivateNews] = []
        self._more = asyncio.Event()

    def __call__(self, news: PrivateNews) -> None:
        self.all.append(news)
        self._more.set()

    async def until(self, is_enough: Callable[[list[PrivateNews]], bool]) -> None:
        async with asyncio.timeout(WITHIN_S):
            while not is_enough(self.all):
                self._more.clear()
                await self._more.wait()

    def of(self, client_order_id: str) -> list[OrderReport]:
        return [news for news in self.all if isinstance(news, OrderReport) and news.client_order_id == client_order_id]

    def states(self) -> list[bool]:
        return [news.is_up for news in self.all if isinstance(news, StreamState)]


@contextlib.asynccontextmanager
async def streaming(adapter: SpotAdapter) -> AsyncIterator[News]:
    """The private stream, up."""
    news = News()
    task = asyncio.create_task(adapter.run_private(news))
    try:
        await news.until(lambda all_: StreamState(is_up=True) in all_)
        yield news
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def approve(order: Order, instrument: Instrument, replaces: Order | None = None) -> Approved:
    return Approved(
        request_id=RequestId(f"r-{order.client_order_id}"),
        order=order,
        replaces=replaces,
        instrument=instrument,
        approved_at=0,
    )


def ticket(order: Order, instrument: Instrument) -> CancelTicket:
    return CancelTicket(request_id=RequestId(f"x-{order.client_order_id}"), order=order, instrument=instrument)


def btc(adapter: SpotAdapter) -> Instrument:
    return adapter._markets.instruments[0]


async def reference(adapter: SpotAdapter) -> Decimal:
    """A round price near which the market is."""
    answer = await adapter._exchange.publicGetAvgPrice({"symbol": "BTCUSDT"})
    return Decimal(answer["price"]).quantize(Decimal(1)) or Decimal(60000)


async def test_an_order_is_placed_amended_and_cancelled_and_the_stream_tells_it_in_order(paper: dict[str, Any]) -> None:
    async with connected(paper) as adapter, streaming(adapter) as news:
        instrument = btc(adapter)
        low = str((await reference(adapter)) * Decimal("0.97") // 1)
        old = an_order(qty="0.01", price=low, client_order_id=new_id())
        answer = await adapter.place(approve(old, instrument))
        assert isinstance(answer, Acknowledged)
        assert answer.report is not None
        assert answer.report.ord_status is OrdStatus.New

        new = an_order(qty="0.02", price=low, client_order_id=new_id())
        outcome = await adapter.replace(approve(new, instrument, old))
        assert isinstance(outcome, ReplaceOutcome)
        assert isinstance(outcome.cancel, Acknowledged)
        assert isinstance(outcome.new, Acknowledged)

        state = await adapter.venue_state(None)
        assert [report.client_order_id for report in state.open_orders] == [new.client_order_id]
        assert state.fills == ()
        assert {balance.asset for balance in state.balances} >= {"BTC", "USDT"}
        locked = next(balance.locked for balance in state.balances if balance.asset == "USDT")
        assert locked == new.order_qty * Decimal(low)

        cancelled = await adapter.cancel(ticket(new, instrument))
        assert isinstance(cancelled, Acknowledged)
        again = await adapter.cancel(ticket(new, instrument))
        assert isinstance(again, Refused)
        assert again.code == -2011
        assert not again.is_auth
        answered = await adapter.query(new, instrument)
        assert answered.report is not None
        assert answered.report.ord_status is OrdStatus.Canceled
        assert (await adapter.query(an_order(client_order_id=new_id()), instrument)).report is None

        await news.until(lambda _: len(news.of(new.client_order_id)) == 2)
        assert [report.ord_status for report in news.of(old.client_order_id)] == [OrdStatus.New, OrdStatus.Canceled]
        assert [report.ord_status for report in news.of(new.client_order_id)] == [OrdStatus.New, OrdStatus.Canceled]
        assert any(isinstance(item, BalanceReport) for item in news.all)
        assert adapter.exit_seen() == "127.0.0.2"
        assert adapter.clock_offset_ms is not None
        assert abs(adapter.clock_offset_ms) < 500
        assert decimal.getcontext().rounding == decimal.ROUND_HALF_EVEN  # ccxt's own rounding would change it (5.10)
        age = adapter.stream_age_ns()
        assert age is not None
        assert age < WITHIN_S * 1_000_000_000


def seen_of(paper: dict[str, Any], name: str) -> list[dict[str, Any]]:
    """What the exchange says it was asked with this account's key."""
    bearer = {"Authorization": f"Bearer {paper['admin_token']}"}
    with urllib.request.urlopen(urllib.request.Request(f"{paper['admin']}/requests", headers=bearer)) as answer:
        return [row for row in json.load(answer)["requests"] if row["account"] == name]


async def test_rest_and_sockets_leave_by_the_accounts_own_address(paper: dict[str, Any]) -> None:
    """5.7: as the exchange saw it."""
    async with connected(paper, "cedar") as adapter, streaming(adapter):
        await adapter.venue_state(None)
        assert adapter.exit_seen() == "127.0.0.4"
    seen = await asyncio.to_thread(seen_of, paper, "cedar")
    assert {row["path"] for row in seen} >= {"/api/v3/account", "/ws-api/v3"}
    assert {row["peer"] for row in seen} == {"127.0.0.4"}


async def test_a_fill_is_the_same_in_the_answer_on_the_stream_and_in_the_list(paper: dict[str, Any]) -> None:
    """5.3: by its key it can be applied once."""
    began = time.time_ns() - 1_000_000_000
    async with connected(paper) as taker, connected(paper, "birch") as maker, streaming(taker) as news:
        instrument = btc(taker)
        price = await reference(taker)
        resting = an_order(qty="0.02", price=str(price), side=Side.Sell, account="birch", client_order_id=new_id())
        await maker.place(approve(resting, instrument))
        taking = msgspec.structs.replace(
            an_order(qty="0.01", price=str((price * Decimal("1.02")) // 1), client_order_id=new_id()),
            time_in_force=TimeInForce.ImmediateOrCancel,
        )
        answer = await taker.place(approve(taking, instrument))
        assert isinstance(answer, Acknowledged)
        assert answer.report is not None
        assert answer.report.ord_status is OrdStatus.Filled
        assert sum(fill.last_qty for fill in answer.fills) == taking.order_qty

        await news.until(lambda _: any(r.ord_status is OrdStatus.Filled for r in news.of(taking.client_order_id)))
        streamed = [report.fill for report in news.of(taking.client_order_id) if report.fill is not None]
        listed = await taker.fills_of(taking, instrument)
        state = await taker.venue_state(began)
        reconciled = [fill for fill in state.fills if fill.client_order_id == taking.client_order_id]
        what = [(f.key, f.side, f.last_qty, f.last_px, f.fee, f.is_maker) for f in answer.fills]
        for fills in (streamed, listed, reconciled):
            assert [(f.key, f.side, f.last_qty, f.last_px, f.fee, f.is_maker) for f in fills] == what
        assert await taker.fills_of(an_order(client_order_id=new_id()), instrument) == ()


async def test_fills_since_a_time_are_neither_lost_nor_repeated_over_pages(
    paper: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """5.3: with pages of two, days before the first trade, and orders this adapter has never seen."""
    monkeypatch.setattr("tradedesk.venues.spot_adapter.PAGE", 2)
    async with connected(paper) as taker, connected(paper, "birch") as maker:
        instrument = btc(taker)
        price = await reference(taker)
        ids = [new_id() for _ in range(5)]
        for client_order_id in ids:
            resting = an_order(qty="0.01", price=str(price), side=Side.Sell, account="birch", client_order_id=new_id())
            await maker.place(approve(resting, instrument))
            taking = an_order(qty="0.01", price=str((price * Decimal("1.02")) // 1), client_order_id=client_order_id)
            assert isinstance(await taker.place(approve(taking, instrument)), Acknowledged)
    async with connected(paper) as fresh:
        state = await fresh.venue_state(time.time_ns() - 3 * 86_400 * 1_000_000_000)
        ours = [fill for fill in state.fills if fill.client_order_id in ids]
        assert sorted({fill.client_order_id for fill in ours}) == sorted(ids)
        assert sum(fill.last_qty for fill in ours) == Decimal("0.05")
        assert len({fill.key for fill in state.fills}) == len(state.fills)
        assert [fill.transact_time for fill in state.fills] == sorted(fill.transact_time for fill in state.fills)
        later = state.fills[-1].transact_time
        assert {fill.transact_time for fill in (await fresh.venue_state(later)).fills} == {later}


async def test_a_key_used_from_another_address_is_an_authentication_refusal(paper: dict[str, Any]) -> None:
    """5.7, F28"""
    async with connected(paper, source="127.0.0.3") as adapter:
        answer = await adapter.place(approve(an_order(qty="0.01", client_order_id=new_id()), btc(adapter)))
        assert isinstance(answer, Refused)
        assert (answer.code, answer.is_auth) == (-2015, True)
        with pytest.raises(VenueFailed) as failed:
            await adapter.venue_state(None)
        assert failed.value.is_auth
        news = News()
        with pytest.raises(VenueFailed) as failed:
            await asyncio.wait_for(adapter.run_private(news), WITHIN_S)
        assert failed.value.is_auth
        assert news.states() == [False]


async def test_the_venues_refusals_come_with_its_reason(paper: dict[str, Any]) -> None:
    async with connected(paper) as adapter:
        instrument = btc(adapter)
        price = await reference(adapter)
        low = str(price * Decimal("0.97") // 1)
        poor = await adapter.place(approve(an_order(qty="100", price=low, client_order_id=new_id()), instrument))
        small = await adapter.place(approve(an_order(qty="0.00001", price=low, client_order_id=new_id()), instrument))
        assert isinstance(poor, Refused)
        assert "insufficient balance" in poor.text
        assert isinstance(small, Refused)
        assert small.code == -1013
        unfunded = msgspec.structs.replace(
            an_order(qty="1000", price=None, side=Side.Sell, client_order_id=new_id()), order_type=OrderType.Market
        )
        assert isinstance(await adapter.place(approve(unfunded, instrument)), Refused)


async def test_an_account_starts_only_from_an_address_of_this_machine(paper: dict[str, Any]) -> None:
    """F11: fails closed, and says which."""
    async with connected(paper, source="192.0.2.77", start=False) as adapter:
        with pytest.raises(VenueFailed, match=r"192\.0\.2\.77 is not an address of this machine"):
            await adapter.start()


async def test_the_private_stream_comes_back_by_itself_and_a_restarted_venue_is_asked_anew() -> None:
    """F14b, F35: it says that it was down, so that somebody reconciles."""
    port = free_port()
    with paper_process("--port", str(port), "--accounts", "1", "--seed", "5") as first:
        async with connected(first) as adapter, streaming(adapter) as news:
            os.kill(first["pid"], signal.SIGSTOP)  # a venue that hangs: requests time out, nothing is concluded
            adapter._exchange.timeout = 200
            order = an_order(qty="0.01", price="50000", client_order_id=new_id())
            hung = await adapter.place(approve(order, btc(adapter)))
            assert not isinstance(hung, Refused | Acknowledged)
            os.kill(first["pid"], signal.SIGCONT)
            adapter._exchange.timeout = 10_000
            os.kill(first["pid"], signal.SIGTERM)
            await news.until(lambda _: news.states() == [True, False])
            assert adapter.exit_seen() is None
            assert adapter.stream_age_ns() is None
            until_gone(port)
            away = await adapter.place(approve(order, btc(adapter)))
            assert isinstance(away, NotSent)
            with paper_process("--port", str(port), "--accounts", "1", "--seed", "5"):
                await news.until(lambda _: news.states()[-1])
                after = an_order(qty="0.01", price="50000", client_order_id=new_id())
                assert isinstance(await adapter.place(approve(after, btc(adapter))), Acknowledged)
                await news.until(lambda _: news.of(after.client_order_id) != [])


def until_gone(port: int) -> None:
    """Wait until nobody listens there."""
    end = time.monotonic() + WITHIN_S
    while time.monotonic() < end:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) != 0:
                return
    raise AssertionError("the paper exchange does not end")
