"""The replay of a recording: the recorded book and trades pass at real or scaled speed, clients' orders stand among them.

How a client's order queues. When it is placed, everything the recording shows at its price stands before it. A recorded
trade at its price takes from the front of the queue: first what stood before, then the client's order. A recorded level
that shrinks by more than was traded shrinks from behind: what stands before the client is reduced last, so the order
is filled later than it would have been, never earlier. A recorded trade beyond its price fills it, up to the traded
quantity; a recorded order that arrives across its price trades with it.

How a client's order takes. It trades with the recorded levels as they stand. The recording does not notice: what follows
is unchanged, but what a client took from a level stays taken until the recording shows that level empty, so the same
quantity is not sold twice.

The book follows the depth stream, so the touch is as exact as its 100 ms; the book ticker is not used. Recorded times are
moved so that the snapshot falls on the start of the exchange. At the end the flow stops and the book stands (`ended`).
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from pathlib import Path

import msgspec

from tradedesk.paper.book import Book
from tradedesk.paper.market import Action, Bar, SetLevel, Traded
from tradedesk.paper.rows import Spec
from tradedesk.paper.synthetic import default_specs
from tradedesk.recording.raw import DepthUpdate, Record, RecordingError, Snapshot, TradeSeen, read

_QUOTES = ("USDT", "USDC", "FDUSD", "TUSD", "BUSD", "TRY", "EUR", "BTC", "ETH", "BNB")
_BEFORE_SNAPSHOT = 10_000  # records that may come before it; a recording starts with its snapshot, give or take


class Replay:
    """A Market of one instrument, read from a file. Opening it reads the whole file once, and refuses a bad one.

    Raises RecordingError with one plain sentence; `act` may raise it too, if the file changed since.
    """

    def __init__(self, path: Path, *, speed: float = 1.0) -> None:
        if not 0 < speed < 1e6:
            raise ValueError(f"replay speed {speed} must be above 0")
        self._path = path
        self._speed = speed
        self.spec = _check(path)
        self._records = _joined(read(path), path.name)
        self._snapshot = next(self._records)
        self._next: Record | None = None
        self._recorded_start = self._snapshot.at
        self._start = 0
        self._opened = False
        self._next_key = -1
        self._taken: dict[tuple[bool, int], int] = {}  # lots that clients took from a level since it was last empty
        self._last_id = 0

    @property
    def ended(self) -> bool:
        return self._opened and self._next is None

    def opening(self, now: int) -> Iterable[Action]:
        self._opened = True
        self._start = now
        assert isinstance(self._snapshot, Snapshot)
        yield from self._levels(now, self._snapshot)
        self._next = next(self._records, None)

    def history(self, symbol: str, now: int, longest: int = 0) -> Sequence[tuple[int, Bar]]:
        """A recording has no past."""
        return ()

    def next_due(self) -> int | None:
        return None if self._next is None else self._time_of(self._next)

    def act(self, now: int, books: Mapping[str, Book]) -> Iterator[Action]:
        while self._next is not None and (at := self._time_of(self._next)) <= now:
            record = self._next
            if isinstance(record, DepthUpdate):
                yield from self._levels(at, record)
            elif isinstance(record, TradeSeen):
                lots = self._lots(record.quantity)
                if lots:
                    price = self._ticks(record.price, record)
                    yield Traded(self.spec.symbol, at, not record.buyer_is_maker, price, lots)
            self._next = next(self._records, None)

    def taken(self, symbol: str, is_buy: bool, price: int, lots: int) -> None:
        self._taken[is_buy, price] = self._taken.get((is_buy, price), 0) + lots

    def _time_of(self, record: Record) -> int:
        return self._start + max(0, round((record.at - self._recorded_start) / self._speed))

    def _levels(self, at: int, record: DepthUpdate | Snapshot) -> Iterator[SetLevel]:
        """What leaves comes first, so that what arrives meets no order that is already gone."""
        sides = ((True, record.bids), (False, record.asks))
        for leaving in (True, False):
            for is_buy, levels in sides:
                for price, quantity in levels:
                    if (not quantity) is leaving:
                        yield self._level(at, record, is_buy, price=price, quantity=quantity)

    def _level(
        self, at: int, record: DepthUpdate | Snapshot, is_buy: bool, *, price: Decimal, quantity: Decimal
    ) -> SetLevel:
        ticks, lots = self._ticks(price, record), self._lots(quantity)
        if lots:
            lots = max(0, lots - self._taken.get((is_buy, ticks), 0))
        else:
            self._taken.pop((is_buy, ticks), None)
        self._next_key -= 1
        return SetLevel(self.spec.symbol, at, self._next_key, is_buy, ticks, lots)

    def _ticks(self, price: Decimal, record: Record) -> int:
        ticks, rest = divmod(price, self.spec.tick)
        if rest:
            raise RecordingError(
                f"{self._path.name} line {record.line}: {price} is not a multiple of the tick {self.spec.tick};"
                " the line is damaged, choose another recording"
            )
        return int(ticks)

    def _lots(self, quantity: Decimal) -> int:
        """Whole lots: some very old orders on the venue's books are finer than the lot of today."""
        return int(quantity // self.spec.lot)


def _joined(records: Iterator[Record], name: str) -> Iterator[Record]:
    """The snapshot first, then every later depth update and trade, joined by the documented rule.

    Updates up to the snapshot's id are dropped; the first kept one must begin at the id after it or before; each next one
    begins where the last ended. Raises RecordingError where that does not hold.
    """
    early: list[DepthUpdate] = []
    symbol: str | None = None
    last_id: int | None = None
    for record in records:
        if isinstance(record, Snapshot):
            if last_id is not None:
                continue  # a later snapshot says nothing that the updates do not
            last_id = record.last_id
            yield record
            pending: list[Record] = [msgspec.structs.replace(update, at=record.at) for update in early]
            early.clear()
        else:
            if symbol not in (None, record.symbol):
                raise RecordingError(
                    f"{name} line {record.line}: a second instrument ({record.symbol} after {symbol});"
                    " a replay needs a recording of one"
                )
            symbol = record.symbol
            if last_id is None:
                if isinstance(record, DepthUpdate):
                    early.append(record)
                if record.line > _BEFORE_SNAPSHOT:
                    break
                continue
            pending = [record]
        for joined in pending:
            if isinstance(joined, DepthUpdate):
                if joined.last_id <= last_id:
                    continue
                if joined.first_id > last_id + 1:
                    raise RecordingError(
                        f"{name} line {joined.line}: updates {last_id + 1} to {joined.first_id - 1} are missing;"
                        " the recording has a hole, choose another"
                    )
                last_id = joined.last_id
                yield joined
            elif isinstance(joined, TradeSeen):
                yield joined
    if last_id is None:
        raise RecordingError(
            f"{name}: there is no depth snapshot among its first {_BEFORE_SNAPSHOT} lines, so the book cannot be known;"
            " choose a recording that begins with one"
        )


def _check(path: Path) -> Spec:
    """Read all of it once; the instrument it is of. Raises RecordingError."""
    symbol: str | None = None
    tick, lot = Decimal(1), Decimal(1)  # the coarsest that hold every price, every traded quantity
    for record in _joined(read(path), path.name):
        if isinstance(record, DepthUpdate | Snapshot):
            for price, _ in (*record.bids, *record.asks):
                tick = _step(price, tick)
        elif isinstance(record, TradeSeen):
            tick, lot = _step(record.price, tick), _step(record.quantity, lot)
        if not isinstance(record, Snapshot):
            symbol = record.symbol
    if symbol is None:
        raise RecordingError(f"{path.name}: nothing follows the depth snapshot; choose a longer recording")
    known = next((spec for spec in default_specs() if spec.symbol == symbol), None)
    if known is not None and not tick % known.tick:
        return known
    quote = next((quote for quote in _QUOTES if symbol.endswith(quote) and symbol != quote), None)
    if quote is None:
        raise RecordingError(f"{path.name}: {symbol} is priced in no currency known here; choose another recording")
    lot = max(lot, Decimal("1E-8") / tick)  # the exchange counts amounts in steps of 1e-8
    return msgspec.structs.replace(
        default_specs()[0],
        symbol=symbol,
        base=symbol.removesuffix(quote),
        quote=quote,
        tick=tick,
        min_price=tick,
        lot=lot,
        min_qty=lot,
        max_qty=Decimal(90_000_000),
        max_market_qty=Decimal(9_000_000),
        min_notional=Decimal(5) if "USD" in quote else Decimal("0.0001"),
    )


def _step(value: Decimal, step: Decimal) -> Decimal:
    """`step`, or the power of ten below it that holds `value` as well."""
    while value % step:
        step = step.scaleb(-1)
    return step
