"""The best bid and offer of one Binance spot instrument, asked for once: for who has no market data running."""

from tradedesk.clock import Clock
from tradedesk.domain.instruments import FeedState, Instrument, Quote
from tradedesk.venues import spot
from tradedesk.venues.ccxt_binance import GuardedBinance
from tradedesk.venues.pools import Priority
from tradedesk.venues.questions import told

LEVELS = 5


async def touch(exchange: GuardedBinance, instrument: Instrument, clock: Clock) -> Quote:
    """Raises VenueFailed, or Unreadable."""
    received_at = clock.now()
    answer = await told(
        exchange, "publicGetDepth", {"symbol": instrument.venue_symbol, "limit": LEVELS}, Priority.Market
    )
    book = spot.row_of(answer, "the depth")
    best = {}
    for side in ("bids", "asks"):
        rows = spot.rows_of(book.get(side), side)
        best[side] = spot.rows_of(rows[0], side) if rows else None
    bid, ask = best["bids"], best["asks"]
    if any(level is not None and len(level) < 2 for level in (bid, ask)):
        raise spot.Unreadable("a level of the depth has no price and quantity")
    return Quote(
        instrument=instrument.id,
        bid=None if bid is None else spot.decimal_of(bid[0], "bid"),
        bid_qty=None if bid is None else spot.decimal_of(bid[1], "bid quantity"),
        ask=None if ask is None else spot.decimal_of(ask[0], "ask"),
        ask_qty=None if ask is None else spot.decimal_of(ask[1], "ask quantity"),
        last=None,
        received_at=received_at,
        state=FeedState.Live,
    )
