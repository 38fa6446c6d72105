"""The adapter at the budget's door: everything it asks has a price, and what the venue answers is told to the budget."""

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import msgspec
import pytest
from aiohttp import web
from builders import an_instrument, an_order
from scripted_venue import (
    Behaviour,
    ScriptedVenue,
    a_cancel_answer,
    a_ticket,
    adapter_at,
    an_answer,
    approved,
    refuses,
    says,
    scripted_venue,
)

import tradedesk.venues
from tradedesk.clock import SystemClock
from tradedesk.domain.gate import FLATTENER, Approved
from tradedesk.domain.outcomes import Acknowledged, NotSent, Refused, StreamState, Unproven
from tradedesk.venues.adapter import VenueFailed
from tradedesk.venues.budgets import Scopes, Turn
from tradedesk.venues.pools import SECOND_NS, Limit, Per, Pool, Priority, Unit
from tradedesk.venues.spot_adapter import SpotAdapter
from tradedesk.venues.spot_prices import LIMITS, announced, price_of
from tradedesk.venues.turns import Budgets

EXIT = "127.0.0.1"
WITHIN_S = 10


def fresh() -> Approved:
    """An approval of an order whose deadline is some seconds away."""
    return approved(msgspec.structs.replace(an_order(), deadline=SystemClock().now() + 5 * SECOND_NS))


class Shared:
    """An adapter and, behind the same exit, another client's door."""

    def __init__(self, venue: ScriptedVenue, adapter: SpotAdapter, limits: tuple[Limit, ...]) -> None:
        self.venue, self.adapter = venue, adapter
        self.budgets = Budgets(SystemClock())
        adapter._door = adapter._exchange._door = self.budgets.door("venue", limits, Scopes(exit=EXIT, account="acme"))
        self.other = self.budgets.door("venue", limits, Scopes(exit=EXIT, account="birch"))

    def pool(self, unit: Unit, per: Per = Per.Exit) -> Pool:
        door = self.adapter._door
        assert door is not None
        return next(pool for pool in door._client.pools if (pool.limit.unit, pool.limit.per) == (unit, per))

    def used(self, unit: Unit, per: Per = Per.Exit) -> int:
        return self.pool(unit, per).used(SystemClock().monotonic())


@contextlib.asynccontextmanager
async def sharing(limits: tuple[Limit, ...] = LIMITS) -> AsyncIterator[Shared]:
    async with scripted_venue() as venue, adapter_at(venue.url) as adapter:
        yield Shared(venue, adapter, limits)


async def until(happened: Callable[[], bool]) -> None:
    for _ in range(WITHIN_S * 100):
        if happened():
            return
        await asyncio.sleep(0.01)  # a socket has to be read first
    raise AssertionError("it did not happen")


def with_headers(behaviour: object, **headers: str) -> Behaviour:
    return says(200, behaviour, {name.replace("_", "-"): value for name, value in headers.items()})


def test_everything_that_is_asked_of_the_venue_has_a_price() -> None:
    folder = Path(tradedesk.venues.__file__).parent
    text = "".join(
        (folder / name).read_text() for name in ("spot_adapter.py", "spot_feed.py", "spot_ledger.py", "questions.py")
    )
    asked = set(re.findall(r'"((?:public|private|sapi)(?:Get|Post|Put|Delete)\w+)"', text))
    assert len(asked) > 12
    for method in asked:
        assert set(price_of(method, {})) >= {Unit.Weight, Unit.Requests}
    with pytest.raises(KeyError):
        price_of("privatePostSorOrder", {})


def test_prices_follow_what_is_asked_for() -> None:
    """BINANCE.md 3"""
    weights = {
        ("publicGetDepth", 100): 5, ("publicGetDepth", 500): 25, ("publicGetDepth", 1_000): 50, ("publicGetDepth", 5_000): 250,
    }  # fmt: skip
    for (method, limit), weight in weights.items():
        assert price_of(method, {"limit": limit})[Unit.Weight] == weight
    assert price_of("privateGetOpenOrders", {})[Unit.Weight] == 80
    assert price_of("privateGetOpenOrders", {"symbol": "BTCUSDT"})[Unit.Weight] == 6
    assert price_of("privateGetMyTrades", {"symbol": "BTCUSDT", "orderId": "7"})[Unit.Weight] == 5
    assert price_of("privateGetMyTrades", {"symbol": "BTCUSDT"})[Unit.Weight] == 20
    assert Unit.Orders not in price_of("privateDeleteOrder", {})


@pytest.mark.parametrize(
    ("row", "read"),
    [
        (
            {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": 1200},
            (Unit.Weight, 60 * SECOND_NS, 1200),
        ),
        (
            {"rateLimitType": "ORDERS", "interval": "SECOND", "intervalNum": 10, "limit": 50},
            (Unit.Orders, 10 * SECOND_NS, 50),
        ),
        ({"rateLimitType": "CONNECTIONS", "interval": "MINUTE", "intervalNum": 5, "limit": 300}, None),
        ({"rateLimitType": "ORDERS", "interval": "SECOND", "intervalNum": 10, "limit": 0}, None),
        ({}, None),
    ],
)
def test_the_venues_list_of_its_limits_is_read(row: dict[str, object], read: object) -> None:
    assert announced(row) == read


async def test_an_order_is_charged_to_its_exit_and_its_account_and_headers_correct_it() -> None:
    async with sharing() as shared:
        shared.venue.behaviour = with_headers(
            an_answer(), X_MBX_USED_WEIGHT_1M="4000", X_MBX_ORDER_COUNT_10S="60", X_MBX_ORDER_COUNT_1D="70"
        )
        assert isinstance(await shared.adapter.place(fresh()), Acknowledged)
        assert shared.used(Unit.Weight) == 4_000
        assert shared.used(Unit.Orders, Per.Uid) == 60
        shared.venue.behaviour = with_headers(a_cancel_answer(), X_MBX_USED_WEIGHT_1M="4001")
        assert isinstance(await shared.adapter.cancel(a_ticket()), Acknowledged)
        assert shared.used(Unit.Orders, Per.Uid) == 60


async def test_what_the_last_check_stops_is_given_back() -> None:
    async with sharing() as shared:
        shared.adapter._last_check = lambda approved: "the account is halted"
        answer = await shared.adapter.place(fresh())
        assert answer == NotSent(request_id=answer.request_id, reason="the account is halted")
        assert (shared.used(Unit.Weight), shared.used(Unit.Orders, Per.Uid)) == (0, 0)
        assert shared.venue.seen == []


async def test_F26_a_429_of_one_account_makes_the_other_wait_and_is_no_doubt() -> None:
    async with sharing() as shared:
        shared.venue.behaviour = says(429, {"code": -1003, "msg": "Too much."}, {"Retry-After": "30"})
        assert isinstance(await shared.adapter.place(fresh()), Refused)
        before = len(shared.venue.seen)
        answer = await shared.adapter.place(fresh())
        assert isinstance(answer, NotSent)
        assert answer.reason.startswith(f"the venue told exit {EXIT} to wait for ")
        cancel = asyncio.create_task(shared.adapter.cancel(a_ticket()))
        other = asyncio.create_task(shared.other.pass_({Unit.Weight: 1}, Priority.Cancel))
        await asyncio.sleep(0)
        assert not cancel.done()
        assert not other.done()
        assert len(shared.venue.seen) == before
        for task in (cancel, other):
            task.cancel()
        await asyncio.gather(cancel, other, return_exceptions=True)


async def test_too_many_orders_hold_up_orders_and_no_cancel() -> None:
    async with sharing() as shared:
        text = "Too many new orders; current limit is 100 orders per 10 SECOND."
        shared.venue.behaviour = says(429, {"code": -1015, "msg": text}, {"Retry-After": "30"})
        assert isinstance(await shared.adapter.place(fresh()), Refused)
        assert isinstance(await shared.adapter.place(fresh()), NotSent)
        shared.venue.behaviour = says(200, a_cancel_answer())
        assert isinstance(await shared.adapter.cancel(a_ticket()), Acknowledged)


async def test_F27_during_a_ban_nothing_is_sent_not_even_a_cancel_a_question_or_a_stream() -> None:
    async with sharing() as shared:
        shared.venue.behaviour = says(418, {"code": -1003, "msg": "Way too much."}, {"Retry-After": "300"})
        with pytest.raises(VenueFailed):
            await shared.adapter.venue_state(None)
        before, reason = len(shared.venue.seen), shared.adapter.held_up()
        assert reason is not None
        assert shared.other.ban() == reason
        adapter = shared.adapter
        placed, cancelled = await adapter.place(fresh()), await adapter.cancel(a_ticket())
        assert placed == NotSent(request_id=placed.request_id, reason=reason)
        assert cancelled == NotSent(request_id=cancelled.request_id, reason=reason)
        asked = await adapter.query(an_order(), an_instrument())
        assert (asked.report, asked.failed) == (None, reason)
        with pytest.raises(VenueFailed, match="is banned by the venue until"):
            await adapter.venue_state(None)
        news: list[object] = []
        stream = asyncio.create_task(adapter.run_private(news.append))
        await until(lambda: news != [])
        stream.cancel()
        await asyncio.gather(stream, return_exceptions=True)
        assert news[0] == StreamState(is_up=False, cause=reason)
        assert (len(shared.venue.seen), shared.venue.sockets) == (before, 0)


async def test_F27_what_had_its_turn_before_the_ban_and_was_still_connecting_does_not_leave() -> None:
    async with sharing() as shared:
        await shared.adapter.close()
        await shared.adapter._open()  # with no connection that is warm
        connector = shared.adapter._exchange.session.connector
        connecting, go_on, connect = asyncio.Event(), asyncio.Event(), connector._create_connection

        async def slowly(*given: object) -> object:
            connecting.set()
            await go_on.wait()
            return await connect(*given)

        connector._create_connection = slowly
        waits = asyncio.create_task(shared.adapter.place(fresh()))
        await asyncio.wait_for(connecting.wait(), WITHIN_S)
        turn = await shared.other.pass_({Unit.Weight: 1}, Priority.Look)
        assert isinstance(turn, Turn)
        shared.other.answered(turn, 418, -1003, {"retry-after": "300"})
        go_on.set()
        answer = await asyncio.wait_for(waits, WITHIN_S)
        assert isinstance(answer, NotSent)
        assert answer.reason == shared.adapter.held_up()
        assert shared.venue.seen == []


async def test_F27_a_socket_that_is_turned_away_with_a_ban_stops_the_exit_too() -> None:
    async with sharing() as shared:

        async def turned_away(request: web.Request) -> web.StreamResponse:
            return web.json_response({}, status=418, headers={"Retry-After": "300"})

        async with _other_venue(turned_away) as url:
            shared.adapter._stream._url = url
            shared.adapter._session._connector._hosts |= {("127.0.0.1", int(url.split(":")[2].split("/")[0]))}  # type: ignore
            news: list[object] = []
            stream = asyncio.create_task(shared.adapter.run_private(news.append))
            await until(lambda: shared.adapter.held_up() is not None)
            stream.cancel()
            await asyncio.gather(stream, return_exceptions=True)
        assert isinstance(await shared.adapter.place(fresh()), NotSent)


@contextlib.asynccontextmanager
async def _other_venue(handle: object) -> AsyncIterator[str]:
    application = web.Application()
    application.router.add_route("*", "/{tail:.*}", handle)  # type: ignore[arg-type]
    runner = web.AppRunner(application, handle_signals=False, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"ws://127.0.0.1:{runner.addresses[0][1]}/ws-api/v3"
    finally:
        await runner.cleanup()


async def test_F17_attempts_to_connect_are_counted_by_exit() -> None:
    few = (Limit(per=Per.Exit, unit=Unit.Connections, most=3, window_ns=300 * SECOND_NS),)
    async with sharing(few) as shared:
        shared.venue.on_socket = lambda socket, request: socket.close()  # type: ignore[assignment]
        stream = asyncio.create_task(shared.adapter.run_private(lambda news: None))
        await until(lambda: shared.other._budget.waiting == 1)
        other = await shared.other.pass_({Unit.Connections: 1}, Priority.Look)
        assert isinstance(other, Turn)  # whose part of the exit is its own
        stream.cancel()
        await asyncio.gather(stream, return_exceptions=True)
        assert shared.venue.sockets == 1


async def test_F57_the_venues_clock_is_measured_from_when_the_question_leaves_not_from_when_it_began_to_wait() -> None:
    short = (Limit(per=Per.Exit, unit=Unit.Weight, most=20, window_ns=SECOND_NS * 2),)
    async with sharing(short) as shared:
        for _ in range(9):
            await shared.other.pass_({Unit.Weight: 1}, Priority.Order)
        for _ in range(9):
            await shared.adapter._door.pass_({Unit.Weight: 1}, Priority.Order)
        shared.adapter._offset_ms = None
        began = SystemClock().monotonic()
        await shared.adapter._measure_clock()
        assert SystemClock().monotonic() - began > SECOND_NS  # it had to wait for its turn
        offset = shared.adapter.clock_offset_ms
        assert offset is not None
        assert abs(offset) < 400


async def test_what_a_halt_closes_goes_with_the_cancels() -> None:
    """5.5: the reserve is theirs, too."""
    small = (Limit(per=Per.Exit, unit=Unit.Weight, most=10, window_ns=600 * SECOND_NS),)
    async with sharing(small) as shared:
        shared.venue.behaviour = says(200, an_answer())
        for _ in range(9):
            assert isinstance(await shared.other.pass_({Unit.Weight: 1}, Priority.Cancel), Turn)
        ours = fresh()
        late = msgspec.structs.replace(ours.order, deadline=SystemClock().now() + SECOND_NS // 50)
        assert isinstance(await shared.adapter.place(msgspec.structs.replace(ours, order=late)), NotSent)
        closing = msgspec.structs.replace(ours.order, operator=FLATTENER)
        assert isinstance(await shared.adapter.place(msgspec.structs.replace(ours, order=closing)), Acknowledged)


async def test_an_answer_that_never_comes_leaves_what_it_cost_spent() -> None:
    async with sharing() as shared:
        shared.venue.behaviour = refuses(-1007, "Timeout waiting for response from backend server.", 503)
        assert isinstance(await shared.adapter.place(fresh()), Unproven)
        assert shared.used(Unit.Orders, Per.Uid) == 1
