"""What is traded, and the prices it is judged by."""

from decimal import Decimal
from enum import StrEnum

from msgspec import Struct

from tradedesk.domain.words import InstrumentId, VenueId


def instrument_id(venue: VenueId, symbol: str) -> InstrumentId:
    """The key of what people call `symbol` (BTC/USDT) at this venue; the venue's own BTCUSDT gives the same."""
    return InstrumentId(f"{venue}:{symbol.replace('/', '')}")


class Product(StrEnum):
    """What kind of thing an instrument is."""

    Spot = "spot"
    Perpetual = "perpetual"


class Instrument(Struct, frozen=True, kw_only=True):
    """One instrument of one venue. Prices in quote units per base unit, quantities in base units."""

    id: InstrumentId
    venue: VenueId
    venue_symbol: str  # the venue's own, e.g. BTCUSDT
    symbol: str  # for people, e.g. BTC/USDT; never a key
    base: str
    quote: str
    tick: Decimal  # > 0
    lot: Decimal  # > 0
    min_qty: Decimal
    max_qty: Decimal
    min_notional: Decimal  # quote units
    max_notional: Decimal | None = None  # quote units, of one limit order; None: the venue tells none
    can_shrink: bool = False  # an order can be made smaller where it stands (F24)
    is_trading: bool = True
    product: Product = Product.Spot
    self_trade: str = ""  # what becomes of an order that names no self-trade prevention of its own; empty: not told


class FeedState(StrEnum):
    """How far a market's data can be trusted (5.9)."""

    Live = "live"
    Stale = "stale"
    Gapped = "gapped"
    Crossed = "crossed"
    Disconnected = "disconnected"


class Quote(Struct, frozen=True, kw_only=True):
    """Best bid and offer with what is known of their age."""

    instrument: InstrumentId
    bid: Decimal | None
    bid_qty: Decimal | None
    ask: Decimal | None
    ask_qty: Decimal | None
    last: Decimal | None
    received_at: int  # our clock, ns since the epoch, of the newest message
    state: FeedState
    anchor: Decimal | None = None  # the market's price some minutes ago; None until there is one

    @property
    def mid(self) -> Decimal | None:
        """The middle of the spread; None unless both sides stand."""
        return None if self.bid is None or self.ask is None else (self.bid + self.ask) / 2

    @property
    def mark(self) -> Decimal | None:
        """What a position is valued at: the middle, else the last price."""
        return self.mid if self.mid is not None else self.last


class PublicTrade(Struct, frozen=True, kw_only=True, array_like=True):
    """A print on the tape."""

    trade_id: str
    price: Decimal
    qty: Decimal
    taker_is_buyer: bool
    at: int  # venue clock, ns


class Candle(Struct, frozen=True, kw_only=True, array_like=True):
    open_time: int  # ns
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal  # base units
