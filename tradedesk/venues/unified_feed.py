"""The PublicFeed of any venue that ccxt can stream, by its unified methods: books and trades, to be recorded or followed.

ccxt keeps the book and joins its updates by each venue's own rules; here it is compared with what was last handed on, and
the difference gets numbers of our own. So a hole on the venue's side is ccxt's to find, and ids mean nothing to the venue.
ccxt reads numbers as floats here; each is handed on as the shortest decimal that is that float, which is the venue's text.
"""

import asyncio
import contextlib
import random
from collections.abc import Callable, Coroutine, Iterator, Mapping
from decimal import Decimal
from typing import Any

import aiohttp
import ccxt.pro

from tradedesk.access import egress
from tradedesk.clock import Clock
from tradedesk.domain.instruments import Candle, Instrument, PublicTrade, instrument_id
from tradedesk.domain.money import MOST_DIGITS, parse_decimal
from tradedesk.domain.outcomes import StreamState
from tradedesk.domain.text import clean, unmistakable
from tradedesk.domain.words import InstrumentId, VenueId
from tradedesk.log import Log
from tradedesk.venues.adapter import VenueFailed
from tradedesk.venues.backoff import back_off_s
from tradedesk.venues.ccxt_binance import name_of
from tradedesk.venues.feed import DepthDiff, DepthSnapshot, Levels, Printed, PublicNews

_FIRST_BOOK_S = 20.0
_NS_PER_MS = 1_000_000
_STREAMS = ("watchOrderBook", "watchTrades")


def streamable(exchange: str) -> bool:
    """Whether ccxt can stream this venue's books and trades."""
    made = getattr(ccxt.pro, exchange, None) if exchange in ccxt.pro.exchanges else None
    if made is None:
        return False
    has = made().has
    return all(has.get(method) for method in _STREAMS)


class UnifiedFeed:
    """Implements PublicFeed. Made on any thread; from `open` to `close` it belongs to one loop."""

    def __init__(
        self,
        *,
        exchange: str,
        exit_: egress.Egress,
        symbols: tuple[str, ...],
        clock: Clock,
        chance: random.Random,
        urls: Callable[[Any], Any] = lambda urls: urls,
        options: Mapping[str, object] | None = None,
    ) -> None:
        """`urls` turns ccxt's table of addresses into the one to use; `options` are ccxt's own."""
        self._id = exchange
        self._venue = VenueId(exchange)
        self._exit = exit_
        self._symbols = symbols
        self._clock = clock
        self._chance = chance
        self._urls = urls
        self._options = dict(options or {})
        self._ccxt: Any = None
        self._session: aiohttp.ClientSession | None = None
        self._books: dict[InstrumentId, _Shown] = {}
        self._log = Log(venue=self._venue)

    async def open(self) -> None:
        if self._ccxt is not None:
            return
        made = getattr(ccxt.pro, self._id)
        urls = self._urls(made().urls["api"])
        cause = ""
        try:
            self._session = egress.open_session(self._exit, _hosts(urls, made().hostname))
        except egress.EgressError as error:
            cause = str(error)
        if cause:
            raise VenueFailed(cause)
        self._ccxt = made({"session": self._session, "enableRateLimit": True, "options": self._options})
        self._ccxt.urls["api"] = urls
        self._ccxt.timeout_on_exit = 0

    async def close(self) -> None:
        exchange, session = self._ccxt, self._session
        self._ccxt = self._session = None
        if exchange is not None:
            with contextlib.suppress(Exception):  # what cannot be closed in peace is dropped
                await exchange.close()
        if session is not None:
            await session.close()

    async def instruments(self) -> tuple[Instrument, ...]:
        markets = await self._asked(self._ccxt.load_markets())
        unknown = [symbol for symbol in self._symbols if symbol not in markets]
        if unknown:
            raise VenueFailed(f"the venue does not list all of {', '.join(unknown)}")
        return tuple(self._instrument(markets[symbol]) for symbol in self._symbols)

    def _instrument(self, market: Mapping[str, Any]) -> Instrument:
        tick, lot = (self._step(market["precision"].get(name)) for name in ("price", "amount"))
        base, quote = (unmistakable(clean(str(market[name]), 16).upper()) for name in ("base", "quote"))
        limits = market.get("limits") or {}
        return Instrument(
            id=instrument_id(self._venue, f"{base}/{quote}"),
            venue=self._venue,
            venue_symbol=f"{base}{quote}",
            symbol=unmistakable(clean(str(market["symbol"]), 40)),
            base=base,
            quote=quote,
            tick=tick,
            lot=lot,
            min_qty=_decimal((limits.get("amount") or {}).get("min")) or lot,
            max_qty=_decimal((limits.get("amount") or {}).get("max")) or Decimal(10) ** 9,
            min_notional=_decimal((limits.get("cost") or {}).get("min")) or Decimal(0),
            max_notional=_decimal((limits.get("cost") or {}).get("max")) or None,
        )

    def _step(self, precision: object) -> Decimal:
        """ccxt tells precision as a step, or as a number of decimals."""
        value = _decimal(precision)
        if value is None or value < 0:
            raise VenueFailed("the venue tells no price or quantity step of an instrument")
        return value if self._ccxt.precisionMode == ccxt.TICK_SIZE else Decimal(1).scaleb(-int(value))

    async def snapshot(self, instrument: Instrument) -> DepthSnapshot:
        shown = self._books.get(instrument.id)
        if shown is None or not shown.is_there.is_set():
            raise VenueFailed("the stream has shown no book yet")
        return shown.snapshot()

    async def candles(self, instrument: Instrument, count: int) -> tuple[Candle, ...]:
        """None: who records or follows a market makes candles of its trades."""
        return ()

    async def run(self, instruments: tuple[Instrument, ...], sink: Callable[[PublicNews], None]) -> None:
        failures = 0
        while True:
            started = self._clock.monotonic()
            cause = ""
            self._books = {instrument.id: _Shown() for instrument in instruments}
            chores: list[Coroutine[Any, Any, None]] = [self._joined(sink)]
            for instrument in instruments:
                chores += [self._book(instrument, sink), self._trades(instrument, sink)]
            tasks = [asyncio.create_task(chore) for chore in chores]
            try:
                done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
                cause = next((str(task.exception()) for task in done if task.exception() is not None), "it ended")
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
            sink(StreamState(is_up=False, cause=cause))
            failures = 1 if self._clock.monotonic() - started > _FIRST_BOOK_S * 1e9 else failures + 1
            self._log.warning("public_stream_down", cause=cause, failures=failures)
            await asyncio.sleep(back_off_s(failures, self._chance))

    async def _joined(self, sink: Callable[[PublicNews], None]) -> None:
        """Up is when every book was shown once; then wait for ever."""
        waiting = [shown.is_there.wait() for shown in self._books.values()]
        try:
            await asyncio.wait_for(asyncio.gather(*waiting), _FIRST_BOOK_S)
        except TimeoutError:
            raise VenueFailed(f"not every book came within {_FIRST_BOOK_S:.0f} s") from None
        sink(StreamState(is_up=True))
        await asyncio.Event().wait()

    async def _book(self, instrument: Instrument, sink: Callable[[PublicNews], None]) -> None:
        shown = self._books[instrument.id]
        while True:
            book = await self._asked(self._ccxt.watch_order_book(instrument.symbol))
            diff = shown.turn(instrument.id, book, self._clock.now())
            if diff is not None:
                sink(diff)

    async def _trades(self, instrument: Instrument, sink: Callable[[PublicNews], None]) -> None:
        while True:
            for trade in list(await self._asked(self._ccxt.watch_trades(instrument.symbol))):
                printed = _printed(instrument.id, trade)
                if printed is not None:
                    sink(printed)

    async def _asked(self, question: Any) -> Any:
        """Its answer. Raises VenueFailed with what may be said of the failure: never a library's text."""
        cause = ""
        try:
            return await question
        except Exception as error:
            cause = f"no answer ({name_of(error)})"
        raise VenueFailed(cause)


class _Shown:
    """One book as it was last handed on."""

    def __init__(self) -> None:
        self.is_there = asyncio.Event()
        self._last_id = 0
        self._sides: tuple[dict[Decimal, Decimal], dict[Decimal, Decimal]] = ({}, {})

    def turn(self, instrument: InstrumentId, book: Mapping[str, Any], now: int) -> DepthDiff | None:
        """Make it the book that ccxt shows now; what that changed. None the first time, and where nothing did."""
        sides = tuple({price: quantity for price, quantity in _levels(book[name])} for name in ("bids", "asks"))
        changes = [_changed(before, after) for before, after in zip(self._sides, sides, strict=True)]
        self._sides = (sides[0], sides[1])
        is_first = not self.is_there.is_set()
        self.is_there.set()
        if is_first or not any(changes):
            self._last_id += is_first
            return None
        self._last_id += 1
        at = book.get("timestamp")
        return DepthDiff(
            instrument=instrument,
            first_id=self._last_id,
            last_id=self._last_id,
            bids=changes[0],
            asks=changes[1],
            at=now if at is None else int(at) * _NS_PER_MS,
        )

    def snapshot(self) -> DepthSnapshot:
        bids, asks = self._sides
        return DepthSnapshot(
            last_id=self._last_id, bids=tuple(sorted(bids.items(), reverse=True)), asks=tuple(sorted(asks.items()))
        )


def _changed(before: Mapping[Decimal, Decimal], after: Mapping[Decimal, Decimal]) -> Levels:
    gone = [(price, Decimal(0)) for price in before if price not in after]
    return (*gone, *((price, quantity) for price, quantity in after.items() if before.get(price) != quantity))


def _levels(side: Any) -> Iterator[tuple[Decimal, Decimal]]:
    for level in side:
        price, quantity = _decimal(level[0]), _decimal(level[1])
        if price and quantity and price > 0 and quantity > 0:
            yield price, quantity


def _printed(instrument: InstrumentId, trade: Mapping[str, Any]) -> Printed | None:
    price, quantity = _decimal(trade.get("price")), _decimal(trade.get("amount"))
    if not price or not quantity or price < 0 or quantity < 0:
        return None
    public = PublicTrade(
        trade_id=clean(str(trade.get("id") or ""), 64),
        price=price,
        qty=quantity,
        taker_is_buyer=trade.get("side") == "buy",
        at=int(trade.get("timestamp") or 0) * _NS_PER_MS,
    )
    return Printed(instrument=instrument, trade=public)


def _decimal(value: object) -> Decimal | None:
    """The shortest decimal that reads as this float; None for what is none, or beyond what any price or quantity is."""
    if not isinstance(value, int | float | str) or isinstance(value, bool):
        return None
    try:
        number = parse_decimal(value, "it") if isinstance(value, str) else Decimal(repr(value))
    except (ValueError, ArithmeticError):
        return None
    return number if number.is_finite() and abs(number.adjusted()) <= MOST_DIGITS else None


def _hosts(urls: Any, hostname: str | None) -> set[egress.Host]:
    """Every host of ccxt's table of addresses, nested ones too."""
    if isinstance(urls, dict):
        return {host for inner in urls.values() for host in _hosts(inner, hostname)}
    if not isinstance(urls, str) or "://" not in urls:
        return set()
    with contextlib.suppress(ValueError):
        return {egress.host_of(urls.replace("{hostname}", hostname or ""))}
    return set()
