"""The values that recordings are made of, in whatever format. Times are ns since the epoch, UTC, of the one who received."""

from decimal import Decimal

from msgspec import Struct

Levels = tuple[tuple[Decimal, Decimal], ...]  # (price in quote units, quantity in base units), 0 removes the level

SPOT, USDM = "spot", "usdm"


class RecordingError(Exception):
    """The recording cannot be used; one plain sentence that names the file, the line and what to do."""


class RecordingCut(RecordingError):
    """The recording stops before its end; everything up to there was whole."""


class Listed(Struct, frozen=True, kw_only=True):
    """One instrument of a recording."""

    symbol: str  # BTCUSDT
    base: str
    quote: str
    tick: Decimal  # quote units
    lot: Decimal  # base units


class Header(Struct, frozen=True, kw_only=True):
    """What a recording is of."""

    venue: str
    kind: str  # spot, usdm
    started_at: int
    instruments: tuple[Listed, ...]


class Snapshot(Struct, frozen=True, kw_only=True, array_like=True, tag="snapshot"):
    """The book up to and including update `last_id`, best first; it may end before the book does."""

    at: int
    symbol: str
    last_id: int
    bids: Levels
    asks: Levels


class DepthUpdate(Struct, frozen=True, kw_only=True, array_like=True, tag="depth"):
    """What changed on the book: update ids `first_id` to `last_id`."""

    at: int
    symbol: str
    first_id: int
    last_id: int
    previous_id: int | None = None  # USD-M: the last id of the update before
    bids: Levels
    asks: Levels
    venue_at: int | None = None


class TradeSeen(Struct, frozen=True, kw_only=True, array_like=True, tag="trade"):
    at: int
    symbol: str
    trade_id: int
    price: Decimal
    quantity: Decimal
    buyer_is_maker: bool
    venue_at: int | None = None


class TouchSeen(Struct, frozen=True, kw_only=True, array_like=True, tag="touch"):
    """The book ticker: best bid and offer."""

    at: int
    symbol: str
    update_id: int
    bid: Decimal
    bid_qty: Decimal
    ask: Decimal
    ask_qty: Decimal


class Gap(Struct, frozen=True, kw_only=True, array_like=True, tag="gap"):
    """Something may be missing from here on; the book is known again with the next snapshot."""

    at: int
    symbol: str
    reason: str


Record = Snapshot | DepthUpdate | TradeSeen | TouchSeen | Gap


def unsound(record: Record) -> str | None:
    """What is wrong with the numbers of a record; None if they can be true.

    Decimal reads NaN, signs and exponents of any size; a venue sends none of them.
    """
    match record:
        case Snapshot() | DepthUpdate():
            levels = record.bids + record.asks
        case TradeSeen():
            levels = ((record.price, record.quantity),)
        case TouchSeen():
            levels = ((record.bid, record.bid_qty), (record.ask, record.ask_qty))
        case Gap():
            return None
    for price, quantity in levels:
        for value in (price, quantity):
            if not value.is_finite() or value < 0 or value.adjusted() > 15 or value.as_tuple().exponent < -18:  # type: ignore[operator]
                return f"{str(value)[:24]} is no price or quantity"
        if not price:
            return "a price is 0"
    return None
