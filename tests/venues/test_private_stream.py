"""The private stream when the venue misbehaves on it: nothing is passed over, and every end is told."""

import asyncio
from decimal import Decimal
from typing import Any

import pytest
from aiohttp import web
from scripted_venue import SECRET, adapter_at, confirms, scripted_venue

from tradedesk.domain.orders import OrdStatus
from tradedesk.domain.outcomes import BalanceReport, OrderReport, StreamState
from tradedesk.domain.words import AccountId, Side, VenueId
from tradedesk.venues import spot
from tradedesk.venues.adapter import PrivateNews, VenueFailed
from tradedesk.venues.ccxt_binance import SUBSCRIBE_TIMEOUT_S

WITHIN_S = 5


def an_event(**changes: Any) -> dict[str, Any]:
    """An executionReport of a NEW order, as the venue documents it."""
    event = {
        "e": "executionReport", "E": 1764000000200, "s": "BTCUSDT", "c": "c1", "S": "BUY", "o": "LIMIT", "f": "GTC",
        "q": "1.00000000", "p": "60000.00000000", "P": "0.00000000", "F": "0.00000000", "g": -1, "C": "", "x": "NEW",
        "X": "NEW", "r": "NONE", "i": 28, "l": "0.00000000", "z": "0.00000000", "L": "0.00000000", "n": "0", "N": None,
        "T": 1764000000199, "t": -1, "I": 5, "w": True, "m": False, "M": False, "O": 1764000000199, "Z": "0.00000000",
        "Y": "0.00000000", "Q": "0.00000000", "W": 1764000000199, "V": "NONE",
    }  # fmt: skip
    return event | changes


async def news_of(*messages: object, until: int) -> tuple[list[PrivateNews], int]:
    """What the sink is given, up to `until` pieces, when every connection is confirmed, sent `messages`, and left mute."""
    news: list[PrivateNews] = []
    enough = asyncio.Event()

    def sink(item: PrivateNews) -> None:
        news.append(item)
        if len(news) >= until:
            enough.set()

    async def on_socket(socket: web.WebSocketResponse, request: dict[str, object]) -> None:
        await socket.send_json({"id": request["id"], "status": 200, "result": {"subscriptionId": 0}})
        for message in messages:
            await (socket.send_str(message) if isinstance(message, str) else socket.send_json(message))
        await socket.receive()

    async with scripted_venue() as venue:
        venue.on_socket = on_socket
        async with adapter_at(venue.url) as adapter:
            task = asyncio.create_task(adapter.run_private(sink))
            await asyncio.wait_for(enough.wait(), WITHIN_S)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        return news[:until], venue.sockets


def wrapped(event: dict[str, Any]) -> dict[str, Any]:
    return {"subscriptionId": 0, "event": event}


async def test_every_report_arrives_in_the_order_sent() -> None:
    """5.13: none is conflated."""
    trades = [
        wrapped(
            an_event(x="TRADE", X="PARTIALLY_FILLED", t=n, l="0.001", L="60000.00", n="0.01", N="USDT", z=f"0.{n:03d}")
        )
        for n in range(1, 200)
    ]
    news, _ = await news_of(*trades, until=200)
    assert news[0] == StreamState(is_up=True)
    fills = [item.fill.trade_id for item in news if isinstance(item, OrderReport) and item.fill is not None]
    assert fills == [str(n) for n in range(1, 200)]


async def test_what_is_no_news_of_the_account_is_passed_over() -> None:
    others = (
        {"e": "serverShutdown", "E": 1},
        wrapped({"e": "listStatus"}),
        {"id": None, "status": 200},
        wrapped(an_event()),
    )
    news, sockets = await news_of(*others, until=2)
    assert isinstance(news[1], OrderReport)
    assert sockets == 1


@pytest.mark.parametrize(
    "message",
    [
        "{not json",
        "[1, 2]",
        wrapped(an_event(q="NaN")),
        wrapped(an_event(X="SUSPENDED")),
        wrapped(an_event(i="28")),
        wrapped({"e": "outboundAccountPosition", "E": 1, "B": None}),
        wrapped({"e": "eventStreamTerminated", "E": 1}),
        '{"e": ' + "[" * 50_000,
    ],
    ids=[
        "no JSON",
        "no object",
        "NaN",
        "strange status",
        "order id as text",
        "no balances",
        "terminated",
        "bottomless",
    ],
)
async def test_a_message_that_cannot_be_read_ends_the_stream_loudly_and_it_is_opened_anew(message: object) -> None:
    """5.13: marked, so that somebody reconciles; ccxt alone would fall silent with the socket open."""
    news, sockets = await news_of(message, until=3)
    assert [item.is_up for item in news if isinstance(item, StreamState)] == [True, False, True]
    assert sockets == 2


async def test_a_subscription_that_is_refused_or_never_answered_is_told() -> None:
    """F28: a refused key is not tried again."""

    async def refuses(socket: web.WebSocketResponse, request: dict[str, object]) -> None:
        error = {"code": -2014, "msg": f"API-key format invalid. {SECRET}"}
        await socket.send_json({"id": request["id"], "status": 401, "error": error})
        await socket.receive()

    async with scripted_venue() as venue:
        venue.on_socket = refuses
        async with adapter_at(venue.url) as adapter:
            news: list[PrivateNews] = []
            with pytest.raises(VenueFailed) as failed:
                await asyncio.wait_for(adapter.run_private(news.append), WITHIN_S)
            assert failed.value.is_auth
            assert SECRET not in failed.value.cause
            assert news == [StreamState(is_up=False, cause="-2014 API-key format invalid. <redacted>")]
            assert venue.sockets == 1


async def test_a_subscription_that_is_never_confirmed_is_not_up(monkeypatch: pytest.MonkeyPatch) -> None:
    assert SUBSCRIBE_TIMEOUT_S == 10
    monkeypatch.setattr("tradedesk.venues.ccxt_binance.SUBSCRIBE_TIMEOUT_S", 0.1)

    async def is_mute(socket: web.WebSocketResponse, request: dict[str, object]) -> None:
        await socket.receive()

    news: list[PrivateNews] = []
    told = asyncio.Event()
    async with scripted_venue() as venue:
        venue.on_socket = is_mute
        async with adapter_at(venue.url) as adapter:
            task = asyncio.create_task(adapter.run_private(lambda item: (news.append(item), told.set())[0]))
            await asyncio.wait_for(told.wait(), WITHIN_S)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
    assert news == [StreamState(is_up=False, cause="no connection (TimeoutError)")]


async def test_a_subscription_is_signed_after_connecting() -> None:
    """A slow handshake must not age the signature."""
    requests: list[dict[str, object]] = []
    seen = asyncio.Event()

    async def notes(socket: web.WebSocketResponse, request: dict[str, object]) -> None:
        requests.append(request)
        seen.set()
        await confirms(socket, request)

    async with scripted_venue() as venue:
        venue.on_socket = notes
        async with adapter_at(venue.url) as adapter:
            task = asyncio.create_task(adapter.run_private(lambda _: None))
            await asyncio.wait_for(seen.wait(), WITHIN_S)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
    (request,) = requests
    assert request["method"] == "userDataStream.subscribe.signature"
    assert isinstance(request["params"], dict)
    assert request["params"]["recvWindow"] == 3000


def report(**changes: Any) -> OrderReport:
    return spot.read_execution_report(an_event(**changes), VenueId("binance"), AccountId("acme"))


def test_a_report_says_what_happened_to_which_order() -> None:
    new = report()
    assert (new.client_order_id, new.venue_order_id, new.instrument) == ("c1", "28", "binance:BTCUSDT")
    assert (new.side, new.order_qty, new.price, new.cum_qty) == (Side.Buy, Decimal(1), Decimal(60000), Decimal(0))
    assert (new.ord_status, new.fill, new.reason) == (OrdStatus.New, None, None)
    assert new.transact_time == 1764000000199 * 1_000_000


def test_the_report_of_a_cancel_belongs_to_the_order_not_to_the_cancel() -> None:
    cancelled = report(x="CANCELED", X="CANCELED", c="cancel-9", C="c1")
    assert (cancelled.client_order_id, cancelled.ord_status) == ("c1", OrdStatus.Canceled)


def test_a_fill_has_its_fee_or_says_that_it_is_not_known() -> None:
    """F33"""
    trade = {"x": "TRADE", "X": "FILLED", "t": 7, "l": "1", "L": "59999.5", "z": "1", "m": True}
    known = report(**trade, n="-0.5", N="BNB").fill
    assert known is not None
    assert known.fee is not None
    assert (known.fee.amount, known.fee.currency, known.is_maker) == (Decimal("-0.5"), "BNB", True)
    unknown = report(**trade, n=None, N=None).fill
    assert unknown is not None
    assert unknown.fee is None


def test_an_expiry_has_its_reason() -> None:
    """F25"""
    assert report(x="TRADE_PREVENTION", X="EXPIRED_IN_MATCH").reason == "self-trade prevention"
    expired = report(x="EXPIRED", X="EXPIRED", eR="UNFILLED_IOC_QUANTITY_EXPIRED")
    assert (expired.ord_status, expired.reason) == (OrdStatus.Expired, "unfilled ioc quantity expired")
    assert report(x="REJECTED", X="REJECTED", r="INSUFFICIENT_BALANCES").reason == "insufficient balances"


def test_balances_come_with_the_assets_named() -> None:
    event = {"e": "outboundAccountPosition", "E": 5, "u": 5, "B": [{"a": "BTC", "f": "1.5", "l": "0.25"}]}
    told = spot.read_account_position(event)
    assert isinstance(told, BalanceReport)
    (balance,) = told.balances
    assert (balance.asset, balance.total) == ("BTC", Decimal("1.75"))
