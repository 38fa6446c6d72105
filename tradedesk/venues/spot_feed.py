"""The PublicFeed of Binance spot: one socket for depth, trades and candles of every instrument."""

import asyncio
import random
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

import aiohttp

from tradedesk.access import egress
from tradedesk.clock import Clock
from tradedesk.domain.instruments import Candle, Instrument, PublicTrade
from tradedesk.domain.outcomes import StreamState
from tradedesk.domain.words import VenueId
from tradedesk.log import Log
from tradedesk.venues import spot
from tradedesk.venues.adapter import VenueFailed
from tradedesk.venues.backoff import back_off_s
from tradedesk.venues.ccxt_binance import Addresses, GuardedBinance, StreamEnded
from tradedesk.venues.feed import CandleChanged, DepthDiff, DepthSnapshot, Levels, Printed, PublicNews, Unsound
from tradedesk.venues.pools import Priority
from tradedesk.venues.questions import load_instruments, readable, told
from tradedesk.venues.spot_prices import SOCKET
from tradedesk.venues.turns import Door

DEPTH_LEVELS = 1_000  # a side; what lies deeper is not known until the price comes near
_STEADY_NS = 5 * 1_000_000_000


class SpotFeed:
    """Implements PublicFeed. Made on any thread; from `open` to `close` it belongs to one loop."""

    def __init__(
        self,
        *,
        venue: VenueId,
        exit_: egress.Egress,
        addresses: Addresses,
        symbols: tuple[str, ...],
        clock: Clock,
        chance: random.Random,
        timeout_ms: int = 10_000,
        door: Door | None = None,
    ) -> None:
        self._venue = venue
        self._exit = exit_
        self._addresses = addresses
        self._symbols = symbols
        self._clock = clock
        self._chance = chance
        self._timeout_ms = timeout_ms
        self._door = door
        self._session: aiohttp.ClientSession | None = None
        self._ccxt: GuardedBinance | None = None
        self._log = Log(venue=venue)

    async def open(self) -> None:
        if self._ccxt is not None:
            return
        cause = ""
        try:
            self._session = egress.open_session(self._exit, self._addresses.hosts)
            self._ccxt = GuardedBinance(
                self._addresses, self._session, self._clock, timeout_ms=self._timeout_ms, door=self._door
            )
        except egress.EgressError as error:
            cause = str(error)
        if cause:
            raise VenueFailed(cause)

    async def close(self) -> None:
        exchange, session = self._ccxt, self._session
        self._ccxt = self._session = None
        if exchange is not None:
            await exchange.close()
        if session is not None:
            await session.close()

    @property
    def _exchange(self) -> GuardedBinance:
        if self._ccxt is None:
            raise VenueFailed("the venue's exit is not open")
        return self._ccxt

    async def instruments(self) -> tuple[Instrument, ...]:
        return await readable(load_instruments(self._exchange, self._venue, self._symbols, Priority.Market))

    async def snapshot(self, instrument: Instrument) -> DepthSnapshot:
        parameters = {"symbol": instrument.venue_symbol, "limit": DEPTH_LEVELS}

        async def read() -> DepthSnapshot:
            answer = spot.row_of(await told(self._exchange, "publicGetDepth", parameters, Priority.Market), "the book")
            return DepthSnapshot(
                last_id=spot.integer_field(answer, "lastUpdateId"),
                bids=_levels(answer, "bids"),
                asks=_levels(answer, "asks"),
            )

        return await readable(read())

    async def candles(self, instrument: Instrument, count: int) -> tuple[Candle, ...]:
        parameters = {"symbol": instrument.venue_symbol, "interval": "1m", "limit": count}

        async def read() -> tuple[Candle, ...]:
            rows = spot.rows_of(await told(self._exchange, "publicGetKlines", parameters, Priority.Market), "klines")
            names = ("t", "o", "h", "l", "c", "v")
            return tuple(_candle(dict(zip(names, spot.rows_of(row, "a candle"), strict=False))) for row in rows)

        return await readable(read())

    async def run(self, instruments: tuple[Instrument, ...], sink: Callable[[PublicNews], None]) -> None:
        by_symbol = {instrument.venue_symbol: instrument for instrument in instruments}
        names = [
            f"{symbol.lower()}@{stream}" for symbol in by_symbol for stream in ("depth@100ms", "trade", "kline_1m")
        ]
        failures = 0
        while True:
            exchange, up_at, cause = self._exchange, None, ""

            def came_up(_local_address: str | None) -> None:
                nonlocal up_at
                up_at = self._clock.monotonic()
                sink(StreamState(is_up=True))

            def heard(event: Mapping[str, Any]) -> None:
                instrument = by_symbol.get(event.get("s", ""))
                news = None if instrument is None else read_public(event, instrument)
                if news is not None:
                    sink(news)

            try:
                await exchange.stream(
                    self._addresses.streams,
                    lambda: {"method": "SUBSCRIBE", "params": names, "id": "public"},
                    came_up,
                    heard,
                    SOCKET,
                    Priority.Market,
                )
            except StreamEnded as error:
                cause = str(error)
            sink(StreamState(is_up=False, cause=cause))
            was_steady = up_at is not None and self._clock.monotonic() - up_at >= _STEADY_NS
            failures = 1 if was_steady else failures + 1
            self._log.warning("public_stream_down", cause=cause, failures=failures)
            await asyncio.sleep(back_off_s(failures, self._chance))


def read_public(event: Mapping[str, Any], instrument: Instrument) -> PublicNews | None:
    """A market event in our words; None for a kind we did not ask for."""
    kind = event["e"]
    try:
        match kind:
            case "depthUpdate":
                return DepthDiff(
                    instrument=instrument.id,
                    first_id=spot.integer_field(event, "U"),
                    last_id=spot.integer_field(event, "u"),
                    bids=_levels(event, "b"),
                    asks=_levels(event, "a"),
                    at=spot.time_field(event, "E"),
                )
            case "trade":
                trade = PublicTrade(
                    trade_id=str(spot.integer_field(event, "t")),
                    price=_above_0(event.get("p"), "p"),
                    qty=_above_0(event.get("q"), "q"),
                    taker_is_buyer=event.get("m") is not True,
                    at=spot.time_field(event, "T"),
                )
                return Printed(instrument=instrument.id, trade=trade)
            case "kline":
                candle = _candle(spot.row_of(event.get("k"), "k"))
                at = spot.time_field(event, "E")
                return CandleChanged(instrument=instrument.id, candle=candle, at=at)
    except spot.Unreadable as error:
        return Unsound(instrument=instrument.id, is_book=kind == "depthUpdate", reason=str(error))
    return None


def _above_0(value: Any, name: str) -> Decimal:
    number = spot.decimal_of(value, name)
    if number <= 0:
        raise spot.Unreadable(f"{name} is not above 0")
    return number


def _levels(row: Mapping[str, Any], name: str) -> Levels:
    return tuple(_level(level, name) for level in spot.rows_of(row.get(name), name))


def _level(level: Any, name: str) -> tuple[Decimal, Decimal]:
    if not isinstance(level, list) or len(level) < 2:
        raise spot.Unreadable(f"a level of {name} is no pair")
    quantity = spot.decimal_of(level[1], name)
    if quantity < 0:
        raise spot.Unreadable(f"a quantity of {name} is below 0")
    return _above_0(level[0], name), quantity


def _candle(row: Mapping[str, Any]) -> Candle:
    volume = spot.decimal_of(row.get("v"), "v")
    opened, high, low, close = (_above_0(row.get(name), name) for name in ("o", "h", "l", "c"))
    if volume < 0 or not low <= min(opened, close) <= max(opened, close) <= high:
        raise spot.Unreadable("a candle's prices do not lie between its low and its high")
    return Candle(
        open_time=spot.time_field(row, "t"),
        open=opened,
        high=high,
        low=low,
        close=close,
        volume=volume,
    )
