"""How clients trade among an order flow that was seen elsewhere: the queue model of replays and live markets, stated here.

How a client's order queues. When it is placed, everything that is shown at its price stands before it. A trade seen at its
price takes from the front of the queue: first what stood before, then the client's order. A level that shrinks by more than
was traded shrinks from behind: what stands before the client is reduced last, so the order is filled later than it would
have been, never earlier. What moves it ahead is thus: trades at its price, and reductions of its level when nothing of the
flow stands behind it. A trade seen beyond its price fills it, up to the traded quantity; an order of the flow that arrives
across its price trades with it. A trade that the venue's times show to be in the book already moves clients ahead and
changes nothing else.

How a client's order takes. It trades with the levels as they are shown. The flow does not notice: what follows is
unchanged, but what a client took from a level stays taken until that level is shown empty, so the same quantity is not
sold twice.

What is not modelled: that others would have acted otherwise because of the client's orders (no impact beyond what was
taken); orders that are hidden, and the single orders within a level; cancels before the client, which the flow does not
tell from cancels behind; the time an order needs to reach the venue (the server's latency model does that); what happened
between two depth updates, a tenth of a second on the spot market: trades are seen at once, the book with the next update.

`Followed` turns records into the exchange's actions and knows when it may not: until a snapshot, after a gap and after a
hole in the numbers the book stands as it was, and is built anew from the next snapshot.
"""

from collections import deque
from collections.abc import Iterator
from decimal import Decimal

import msgspec

from tradedesk.paper import listing
from tradedesk.paper.book import Book
from tradedesk.paper.market import Action, SetLevel, Traded
from tradedesk.paper.rows import Spec
from tradedesk.recording.records import DepthUpdate, Gap, Levels, Listed, Record, Snapshot, TradeSeen

_WAITING = 10_000  # updates kept for a snapshot that is to come; more are more than it can need


class Unjoined(Exception):
    """A record does not follow from those before; the message says how, as the second half of a sentence."""


def spec_of(listed: Listed, kind: str) -> Spec:
    """The instrument as the exchange trades it: the venue's filters where it is a known spot pair, else wide ones."""
    known = listing.known_spec(listed.symbol) if kind == "spot" else None
    if known is not None and not listed.tick % known.tick and not listed.lot % known.lot:
        return known
    tick = listed.tick
    lot = max(listed.lot, Decimal("1E-8") / tick)  # the exchange counts amounts in steps of 1e-8
    return msgspec.structs.replace(
        listing.default_specs(1)[0],
        symbol=listed.symbol,
        base=listed.base,
        quote=listed.quote,
        tick=tick,
        min_price=tick,
        lot=lot,
        min_qty=lot,
        max_qty=Decimal(90_000_000),
        max_market_qty=Decimal(9_000_000),
        min_notional=Decimal(5) if "USD" in listed.quote else Decimal("0.0001"),
    )


class Followed:
    """One instrument. `follow` is called with its records in order; `differences` counts what a snapshot had to mend."""

    def __init__(self, spec: Spec) -> None:
        self.spec = spec
        self.differences = 0
        self._last_id: int | None = None  # None: the book is not known
        self._before = 0  # the id of the book before the last update
        self._told_at: int | None = 0  # venue's time up to which the book tells all, 0 if unsaid; None: a snapshot's
        self._known_to: dict[bool, int] = {}  # by side, the farthest price up to which snapshots told of every level
        self._changed: frozenset[tuple[bool, int]] = frozenset()  # the levels of the last update
        self._ahead: set[tuple[bool, int]] = set()  # levels that traded since the last update: no longer as that said
        self._awaited: Snapshot | None = None  # one that is ahead of the updates
        self._early: deque[DepthUpdate] = deque(maxlen=_WAITING)
        self._next_key = -1
        self._taken: dict[tuple[bool, int], int] = {}  # lots that clients took from a level since it was last empty

    @property
    def is_known(self) -> bool:
        """Whether the book is the one that was seen."""
        return self._last_id is not None

    def taken(self, is_buy: bool, price: int, lots: int) -> None:
        self._taken[is_buy, price] = self._taken.get((is_buy, price), 0) + lots

    def follow(self, record: Record, at: int, book: Book | None) -> Iterator[Action]:
        """What the record does at `at`. Without a book nothing stands yet. Raises Unjoined; the book is then not known."""
        match record:
            case Snapshot():
                yield from self._snapshot(record, at, book)
            case DepthUpdate():
                yield from self._update(record, at, book)
            case TradeSeen():
                yield from self._trade(record, at, book)
            case Gap():
                self.lose()

    def lose(self) -> None:
        """The book is not known any more. It stands until a snapshot comes."""
        self._last_id = None
        self._awaited = None
        self._early.clear()

    def _trade(self, trade: TradeSeen, at: int, book: Book | None) -> Iterator[Action]:
        price, lots = self._ticks(trade.price), self._lots(trade.quantity)
        if not lots:
            return
        is_told = self._is_told(trade)
        stands = book.flow_lots_at(trade.buyer_is_maker, price) if is_told and book is not None else 0
        yield Traded(self.spec.symbol, at, not trade.buyer_is_maker, price, lots)
        if not is_told:
            self._ahead.add((trade.buyer_is_maker, price))
        if stands:  # the book had it already: it only moves clients ahead
            yield self._set(at, trade.buyer_is_maker, price, stands)

    def _is_told(self, trade: TradeSeen) -> bool:
        """Whether the book has it already; in doubt it has. What it has not the next update tells; what is taken from it
        twice no update need ever mend. A trade may come behind a snapshot that has it, for they come by two connections.
        """
        if self._told_at is None:
            return True
        return trade.venue_at is not None and trade.venue_at <= self._told_at

    # -- snapshots ----------------------------------------------------------------------------------------------------
    def _snapshot(self, snapshot: Snapshot, at: int, book: Book | None) -> Iterator[Action]:
        if self._last_id is None:
            yield from self._begin(snapshot, at, book)
        elif book is not None and snapshot.last_id > self._last_id:
            self._awaited = snapshot
        elif book is not None and snapshot.last_id >= self._before:  # one that came later than that is of another book
            yield from self._compared(snapshot, at, book)

    def _begin(self, snapshot: Snapshot, at: int, book: Book | None) -> Iterator[Action]:
        self._taken.clear()
        shown = {(is_buy, self._ticks(price)) for is_buy, price in _prices(snapshot)}
        if book is not None:
            yield from (
                self._set(at, is_buy, price, 0) for is_buy, price in _flow(book) if (is_buy, price) not in shown
            )
        yield from self._levels(at, snapshot.bids, snapshot.asks)
        self._before = self._last_id = snapshot.last_id
        self._told_at = None
        ends = {is_buy: self._end(snapshot, is_buy) for is_buy in (True, False)}
        self._known_to = {is_buy: end for is_buy, end in ends.items() if end is not None}
        self._ahead.clear()
        early = list(self._early)
        self._early.clear()
        for update in early:
            yield from self._update(update, at, book)

    def _end(self, snapshot: Snapshot, is_buy: bool) -> int | None:
        """The farthest price of one side; what lies beyond it the snapshot does not tell. None: it tells nothing."""
        prices = [self._ticks(price) for price, _ in (snapshot.bids if is_buy else snapshot.asks)]
        return (min if is_buy else max)(prices, default=None)

    def _compared(self, snapshot: Snapshot, at: int, book: Book) -> Iterator[Action]:
        """Mend what is not as the snapshot says. Of a level that the update around its id changed it says nothing, nor of one that
        traded since. A level beyond the ends of all snapshots before, where no update put anything, is new: no difference.
        """
        unsure = self._ahead | (self._changed if snapshot.last_id != self._last_id else set())
        for is_buy, levels in ((True, snapshot.bids), (False, snapshot.asks)):
            end = self._end(snapshot, is_buy)
            if end is None:
                continue
            says = {self._ticks(price): self._lots(quantity) for price, quantity in levels}
            stands = {price for _, price in _flow(book, is_buy) if (price >= end if is_buy else price <= end)}
            known_to = self._known_to.get(is_buy)
            for price in sorted(stands | says.keys()):
                if (is_buy, price) in unsure:
                    continue
                lots = max(0, says.get(price, 0) - self._taken.get((is_buy, price), 0))
                if (stood := book.flow_lots_at(is_buy, price)) != lots:
                    is_beyond = known_to is None or (price < known_to if is_buy else price > known_to)
                    self.differences += not is_beyond or stood > 0
                    yield self._set(at, is_buy, price, lots)
            self._known_to[is_buy] = end if known_to is None else (min if is_buy else max)(end, known_to)

    # -- updates ------------------------------------------------------------------------------------------------------
    def _update(self, update: DepthUpdate, at: int, book: Book | None) -> Iterator[Action]:
        """By the documented rule of the venue: USD-M updates name the one before, spot updates count on."""
        last = self._last_id
        if last is None:
            self._early.append(update)
            return
        if update.last_id <= last:
            return
        if update.first_id > last + 1 and update.previous_id != last:
            self.lose()
            self._early.append(update)
            raise Unjoined(f"updates {last + 1} to {update.first_id - 1} are missing")
        self._before, self._last_id = last, update.last_id
        self._told_at = update.venue_at or 0
        self._ahead.clear()
        self._changed = frozenset((is_buy, self._ticks(price)) for is_buy, price in _prices(update))
        yield from self._levels(at, update.bids, update.asks)
        awaited = self._awaited
        if awaited is not None and book is not None and update.last_id >= awaited.last_id:
            self._awaited = None
            yield from self._compared(awaited, at, book)

    def _levels(self, at: int, bids: Levels, asks: Levels) -> Iterator[SetLevel]:
        """What leaves comes first, so that what arrives meets no order that is already gone."""
        sides = ((True, bids), (False, asks))
        for leaving in (True, False):
            for is_buy, levels in sides:
                for price, quantity in levels:
                    if (not quantity) is leaving:
                        yield self._level(at, is_buy, self._ticks(price), self._lots(quantity))

    def _level(self, at: int, is_buy: bool, price: int, lots: int) -> SetLevel:
        if lots:
            lots = max(0, lots - self._taken.get((is_buy, price), 0))
        else:
            self._taken.pop((is_buy, price), None)
        return self._set(at, is_buy, price, lots)

    def _set(self, at: int, is_buy: bool, price: int, lots: int) -> SetLevel:
        self._next_key -= 1
        return SetLevel(self.spec.symbol, at, self._next_key, is_buy, price, lots)

    def _ticks(self, price: Decimal) -> int:
        ticks, rest = divmod(price, self.spec.tick)
        if rest:
            raise Unjoined(f"{price} is not a multiple of the tick {self.spec.tick}")
        return int(ticks)

    def _lots(self, quantity: Decimal) -> int:
        """Whole lots: some very old orders on the venue's books are finer than the lot of today."""
        return int(quantity // self.spec.lot)


def _prices(record: Snapshot | DepthUpdate) -> Iterator[tuple[bool, Decimal]]:
    for is_buy, levels in ((True, record.bids), (False, record.asks)):
        for price, _ in levels:
            yield is_buy, price


def _flow(book: Book, *sides: bool) -> list[tuple[bool, int]]:
    """The prices at which the flow stands, of these sides or of both."""
    return [
        (is_buy, price)
        for is_buy in sides or (True, False)
        for price, _ in book.depth(is_buy, len(book) + 1)
        if book.flow_lots_at(is_buy, price)
    ]
