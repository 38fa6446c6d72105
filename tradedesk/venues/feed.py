"""What a feed host uses of a venue: public data in our words, one stream for all instruments, and questions beside it."""

from collections.abc import Callable
from decimal import Decimal
from typing import Protocol

from msgspec import Struct

from tradedesk.domain.instruments import Candle, Instrument, PublicTrade
from tradedesk.domain.outcomes import StreamState
from tradedesk.domain.words import InstrumentId

Levels = tuple[tuple[Decimal, Decimal], ...]  # (price in quote units, quantity in base units)


class DepthSnapshot(Struct, frozen=True, kw_only=True):
    """The book up to and including update `last_id`."""

    last_id: int
    bids: Levels
    asks: Levels


class DepthDiff(Struct, frozen=True, kw_only=True):
    """Updates `first_id` to `last_id` of a book: new quantities of prices, 0 where a price is gone."""

    instrument: InstrumentId
    first_id: int
    last_id: int
    bids: Levels
    asks: Levels
    at: int  # venue clock, ns


class Printed(Struct, frozen=True, kw_only=True):
    instrument: InstrumentId
    trade: PublicTrade


class CandleChanged(Struct, frozen=True, kw_only=True):
    """A candle of one minute as it stands; the open one comes again and again."""

    instrument: InstrumentId
    candle: Candle
    at: int  # venue clock, ns


class Unsound(Struct, frozen=True, kw_only=True):
    """A message about an instrument whose numbers are none (F54). It was dropped; of a book nothing is certain any more."""

    instrument: InstrumentId
    is_book: bool
    reason: str


PublicNews = DepthDiff | Printed | CandleChanged | Unsound | StreamState


class PublicFeed(Protocol):
    """The public data of one venue, by the venue's own exit. Belongs to its feed host's loop."""

    async def open(self) -> None:
        """Open the exit. Raises VenueFailed if it cannot be had; may then be called again."""
        ...

    async def instruments(self) -> tuple[Instrument, ...]:
        """The configured instruments as the venue describes them now. Raises VenueFailed."""
        ...

    async def run(self, instruments: tuple[Instrument, ...], sink: Callable[[PublicNews], None]) -> None:
        """Feed `sink` until cancelled, reconnecting with back-off; StreamState tells each coming up and going down."""
        ...

    async def snapshot(self, instrument: Instrument) -> DepthSnapshot:
        """Raises VenueFailed."""
        ...

    async def candles(self, instrument: Instrument, count: int) -> tuple[Candle, ...]:
        """The last `count` candles of one minute, oldest first, the open one included. Raises VenueFailed."""
        ...

    async def close(self) -> None: ...
