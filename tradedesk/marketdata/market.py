"""One instrument as its feed host knows it: what arrived, how far to trust it, and what is new to show. Pure."""

from collections import deque
from decimal import Decimal
from enum import Enum, auto

from tradedesk.domain.events import BookFrame, CandleFrame, FeedChanged, TapeFrame
from tradedesk.domain.instruments import Candle, FeedState, Instrument, PublicTrade, Quote
from tradedesk.marketdata.anchor import Anchor
from tradedesk.marketdata.book import Book, Step
from tradedesk.marketdata.candles import Candles
from tradedesk.venues.feed import CandleChanged, DepthDiff, DepthSnapshot, Levels, Printed, Unsound

STALE_AFTER_NS = 5 * 1_000_000_000
BOOK_LEVELS = 25  # a side, in a frame
TAPE_PRINTS = 100  # in a frame; more are counted
CREDIBLE_FACTOR = 10


class Need(Enum):
    """What the market asks its host to fetch."""

    Book = auto()
    Candles = auto()


def feed_state(*, is_up: bool, is_joined: bool, is_crossed: bool, age_ns: int | None) -> FeedState:
    """How far the book can be trusted (5.9). `age_ns`: since the newest news, by the monotonic clock."""
    if not is_up:
        return FeedState.Disconnected
    if not is_joined:
        return FeedState.Gapped
    if is_crossed:
        return FeedState.Crossed
    if age_ns is None or age_ns > STALE_AFTER_NS:
        return FeedState.Stale
    return FeedState.Live


def is_credible(price: Decimal, reference: Decimal | None) -> bool:
    """Whether a price can be true beside the last good one: above 0 and less than a factor of 10 away (F54)."""
    if price <= 0:
        return False
    return reference is None or reference / CREDIBLE_FACTOR < price < reference * CREDIBLE_FACTOR


class Market:
    """Books, tape and candles of one instrument. Times are handed in: `now` wall ns, `monotonic` ns."""

    def __init__(self, instrument: Instrument, source: str) -> None:
        self.instrument = instrument
        self._source = source
        self._book = Book()
        self._candles = Candles()
        self._tape: deque[PublicTrade] = deque(maxlen=TAPE_PRINTS)
        self._skipped = 0
        self._last: Decimal | None = None
        self._reference: Decimal | None = None  # the last good price, to judge the next by
        self._received_at = 0
        self._heard_at: int | None = None
        self._venue_time = 0  # of the newest news: what repeats older times does not make the market young (F52)
        self._book_time = 0  # venue time of the newest update in the book
        self._behind_since: int | None = None  # monotonic ns of the first trade that the book does not show
        self._is_up = False
        self._reason = "not connected yet"
        self._state = FeedState.Disconnected
        self._shown: tuple[Levels, Levels, FeedState] | None = None
        self._has_new_history = False
        self._anchor = Anchor()

    # -- what arrives -----------------------------------------------------------------------------------------------------

    def connected(self) -> tuple[Need, ...]:
        """The stream is up; events between are gone, so everything is fetched anew."""
        self._is_up = True
        self._venue_time = 0  # a venue that restarted may count from an earlier time
        self._book_time, self._behind_since = 0, None
        self._lose("waiting for a snapshot of the book")
        return (Need.Book, Need.Candles)

    def disconnected(self, cause: str) -> None:
        self._is_up = False
        self._lose(cause)

    def hear(
        self, news: DepthDiff | Printed | CandleChanged | Unsound, *, now: int, monotonic: int
    ) -> tuple[Need, ...]:
        """Take in one message; what must be fetched because of it."""
        match news:
            case DepthDiff():
                self._touch(news.at, now, monotonic)
                step = self._book.add(news)
                if step is Step.Gap:
                    self._reason = f"updates are missing before {news.first_id}"
                    return (Need.Book,)
                if step is Step.Applied:
                    self._book_time, self._behind_since = news.at, None
                return self._judged()
            case Printed(trade=trade):
                if not is_credible(trade.price, self._reference):
                    return ()
                self._touch(trade.at, now, monotonic)
                if (
                    self._behind_since is None and trade.at > self._book_time
                ):  # it took from the book: an update must come
                    self._behind_since = monotonic
                self._last = trade.price
                self._skipped += len(self._tape) == TAPE_PRINTS
                self._tape.append(trade)
                return ()
            case CandleChanged(candle=candle):
                if not is_credible(candle.close, self._reference):
                    return ()
                self._touch(news.at, now, monotonic)
                return (Need.Candles,) if self._candles.add(candle) else ()
            case Unsound(is_book=True):
                self._lose(f"an update could not be read: {news.reason}")
                return (Need.Book,)
            case _:
                return ()

    def joined(self, snapshot: DepthSnapshot, *, now: int, monotonic: int) -> bool:
        """Start the book from a snapshot; False if it does not fit what was heard, and another is needed."""
        if self._book.join(snapshot) is not Step.Applied:
            self._reason = "the snapshot does not join the updates"
            return False
        self._received_at = now
        self._heard_at = monotonic
        self._behind_since = None
        return not self._judged()

    def history(self, candles: tuple[Candle, ...]) -> None:
        self._candles.replace(candles)
        self._has_new_history = True

    def _touch(self, venue_time: int, now: int, monotonic: int) -> None:
        if venue_time > self._venue_time:
            self._venue_time = venue_time
            self._received_at = now
            self._heard_at = monotonic

    def _judged(self) -> tuple[Need, ...]:
        """Look at the book as it now stands."""
        if not self._book.is_joined:
            return ()
        if self._book.is_crossed:
            self._reason = "the best bid reaches the best offer"
            return (Need.Book,)
        bids, asks = self._book.top(1)
        best = [level[0][0] for level in (bids, asks) if level]
        if not all(is_credible(price, self._reference) for price in best):
            self._reference = None  # if the next snapshot says the same, it is the market that moved
            self._lose("the price is more than ten times off the last good one")
            return (Need.Book,)
        if best:
            self._reference = sum(best, Decimal(0)) / len(best)
        return ()

    def _lose(self, reason: str) -> None:
        self._book.lose()
        self._reason = reason

    def silent_ns(self, monotonic: int) -> int | None:
        """How long ago the newest news came; None before the first."""
        return None if self._heard_at is None else monotonic - self._heard_at

    # -- what is to be shown ----------------------------------------------------------------------------------------------

    def state(self, monotonic: int) -> FeedState:
        return feed_state(
            is_up=self._is_up,
            is_joined=self._book.is_joined,
            is_crossed=self._book.is_crossed,
            age_ns=self._age_ns(monotonic),
        )

    def _age_ns(self, monotonic: int) -> int | None:
        """How old the market is: by its newest news, or by the oldest trade that a book which stands still does not show."""
        silent = self.silent_ns(monotonic)
        if silent is None or self._behind_since is None:
            return silent
        return max(silent, monotonic - self._behind_since)

    def quote(self, monotonic: int) -> tuple[Quote, int]:
        """Best bid and offer, and the monotonic time of the newest news."""
        bids, asks = self._book.top(1)
        bid, bid_qty = bids[0] if bids else (None, None)
        ask, ask_qty = asks[0] if asks else (None, None)
        quote = Quote(
            instrument=self.instrument.id,
            bid=bid,
            bid_qty=bid_qty,
            ask=ask,
            ask_qty=ask_qty,
            last=self._last,
            received_at=self._received_at,
            state=self.state(monotonic),
            anchor=self._anchor.price,
        )
        if quote.state is FeedState.Live and quote.mark is not None:
            self._anchor.note(quote.mark, monotonic)
        return quote, monotonic if self._heard_at is None else self._heard_at

    def take_state(self, *, now: int, monotonic: int) -> FeedChanged | None:
        """The state, if it is another than at the last call."""
        state = self.state(monotonic)
        if state is self._state:
            return None
        self._state = state
        silence = "no news" if self._behind_since is None else "trades without an update of the book"
        reasons = {FeedState.Live: "", FeedState.Stale: f"{silence} for {STALE_AFTER_NS // 1_000_000_000} s"}
        reason = reasons.get(state, self._reason)
        return FeedChanged(at=now, source=self._source, instrument=self.instrument.id, state=state, reason=reason)

    def take_book(self, *, now: int, monotonic: int) -> BookFrame | None:
        """The top of the book, if it or its state changed since the last call."""
        shown = (*self._book.top(BOOK_LEVELS), self.state(monotonic))
        if shown == self._shown or self._received_at == 0:
            return None
        self._shown = shown
        return BookFrame(
            at=now,
            source=self._source,
            instrument=self.instrument.id,
            bids=shown[0],
            asks=shown[1],
            received_at=self._received_at,
            state=shown[2],
        )

    def take_tape(self, *, now: int) -> TapeFrame | None:
        if not self._tape:
            return None
        trades, skipped = tuple(self._tape), self._skipped
        self._tape.clear()
        self._skipped = 0
        return TapeFrame(at=now, source=self._source, instrument=self.instrument.id, trades=trades, skipped=skipped)

    def take_candles(self, *, now: int) -> CandleFrame | None:
        """All of them after a new history, else those that changed since the last call."""
        is_full, self._has_new_history = self._has_new_history, False
        changed = self._candles.take_changed()
        candles = self._candles.all() if is_full else changed
        if not candles:
            return None
        return CandleFrame(at=now, source=self._source, instrument=self.instrument.id, candles=candles, is_full=is_full)
