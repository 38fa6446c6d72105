"""What anyone may ask an exchange, spot or futures: books, trades, candles and tickers of its instruments; and how rows are cut."""

from collections.abc import Callable, Iterable
from decimal import Decimal
from operator import attrgetter
from typing import Any, Protocol, TypeVar

from tradedesk.paper.book import Book
from tradedesk.paper.candles import INTERVALS
from tradedesk.paper.market import Market
from tradedesk.paper.rows import AggTrade, BookDelta, BookTicker, Depth, Kline, Print, Refusal, Ticker24h
from tradedesk.paper.tape import Tape

T = TypeVar("T")


class Timed(Protocol):
    """What happened at a time (ns)."""

    @property
    def time(self) -> int: ...


N = TypeVar("N", bound=Timed)


class Listed(Protocol):
    """An instrument as far as the public sees it."""

    book: Book
    tape: Tape

    def levels(self, levels: list[tuple[int, int]]) -> tuple[tuple[Decimal, Decimal], ...]:
        """(price, lots) pairs of the book as (price, quantity)."""


class Venue(Protocol):
    """Where the instruments are traded."""

    now: int
    market: Market

    def instrument(self, symbol: str) -> Listed:
        """Raises Refusal -1121."""


ID: Callable[[Any], int] = attrgetter("id")
TRADE_ID: Callable[[Any], int] = attrgetter("trade_id")


class MarketData:
    """The public side of an exchange. Every question about a symbol that is not listed raises Refusal -1121."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue

    @property
    def market_ended(self) -> bool:
        """Whether the flow has stopped for good: a replay at its end."""
        return self._venue.market.ended

    def take_book_delta(self, symbol: str) -> BookDelta | None:
        """What changed on the book since the last take; None if nothing did. Ids join without a hole."""
        instrument = self._venue.instrument(symbol)
        changes = instrument.book.take_changes()
        if changes is None:
            return None
        first, last, bids, asks = changes
        return BookDelta(
            symbol=symbol,
            first_update_id=first,
            last_update_id=last,
            bids=instrument.levels(bids),
            asks=instrument.levels(asks),
        )

    def depth(self, symbol: str, limit: int = 100) -> Depth:
        instrument = self._venue.instrument(symbol)
        book = instrument.book
        return Depth(
            last_update_id=book.update_id,
            bids=instrument.levels(book.depth(True, limit)),
            asks=instrument.levels(book.depth(False, limit)),
        )

    def book_ticker(self, symbol: str) -> BookTicker:
        instrument = self._venue.instrument(symbol)
        book = instrument.book
        bids, asks = instrument.levels(book.depth(True, 1)), instrument.levels(book.depth(False, 1))
        bid, bid_qty = bids[0] if bids else (None, None)
        ask, ask_qty = asks[0] if asks else (None, None)
        return BookTicker(symbol=symbol, update_id=book.update_id, bid=bid, bid_qty=bid_qty, ask=ask, ask_qty=ask_qty)

    def recent_trades(self, symbol: str, limit: int = 500, from_id: int | None = None) -> list[Print]:
        """Oldest first: from `from_id` on, else the newest. Of the tape, which remembers the last 10,000."""
        return self._venue.instrument(symbol).tape.prints(limit, from_id)

    def agg_trades(
        self,
        symbol: str,
        *,
        from_id: int | None = None,
        start: int | None = None,
        end: int | None = None,
        limit: int = 500,
    ) -> list[AggTrade]:
        """Oldest first: from `from_id` or `start` on, else the newest."""
        return self._venue.instrument(symbol).tape.aggregates(from_id, start, end, limit)

    def klines(
        self,
        symbol: str,
        interval: str,
        now: int,
        *,
        start: int | None = None,
        end: int | None = None,
        limit: int = 500,
        offset: int = 0,
    ) -> list[Kline]:
        """Oldest first, the last one may be open. Before the start of the exchange the market's own history stands.

        `offset` (ns ahead of UTC) says in which zone hours, days, weeks and months begin.
        """
        check_interval(interval)
        tape = self._venue.instrument(symbol).tape
        return tape.klines(interval, max(now, self._venue.now), start, end, limit, offset)

    def ticker(self, symbol: str, now: int) -> Ticker24h:
        return self._venue.instrument(symbol).tape.ticker(max(now, self._venue.now))


def check_interval(interval: str) -> None:
    if interval not in INTERVALS:
        raise Refusal(-1120, "Invalid interval.")


def within(time: int, start: int | None, end: int | None) -> bool:
    return (start is None or time >= start) and (end is None or time <= end)


def rows_from(
    rows: Iterable[N],
    number: Callable[[N], int],
    *,
    first: int | None,
    start: int | None,
    end: int | None,
    limit: int,
) -> list[N]:
    """Of rows that are oldest first: those with a number from `first` or a time from `start` on, else the newest."""
    found = [row for row in rows if (first is None or number(row) >= first) and within(row.time, start, end)]
    return cut(found, first is not None or start is not None, limit)


def cut(rows: list[T], from_start: bool, limit: int) -> list[T]:
    """The first `limit`, or the newest."""
    return rows[:limit] if from_start else rows[-limit:]
