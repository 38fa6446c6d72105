"""Binance's combined stream as it came from the socket, which recordings by others are made of: reading such lines.

A line is the local receive time (ns since the epoch, UTC), a space, and the JSON frame as received
(`{"stream":..,"data":..}`); a line without `stream` is the REST depth snapshot taken at that moment. One instrument a file.
"""

from collections.abc import Iterable, Iterator
from decimal import Decimal
from itertools import islice

import msgspec
from msgspec import Struct

from tradedesk.recording.records import (
    SPOT,
    USDM,
    DepthUpdate,
    Header,
    Levels,
    Listed,
    Record,
    RecordingError,
    Snapshot,
    TouchSeen,
    TradeSeen,
    unsound,
)

_QUOTES = ("USDT", "USDC", "FDUSD", "TUSD", "BUSD", "TRY", "EUR", "BTC", "ETH", "BNB")
_LOOKED_AT = 2_000  # lines that tell symbol, tick and lot, since no header does
_NS_PER_MS = 1_000_000


class _Depth(Struct):
    E: int
    s: str
    U: int
    u: int
    b: Levels
    a: Levels
    pu: int | None = None


class _Trade(Struct):
    s: str
    t: int
    p: Decimal
    q: Decimal
    m: bool
    T: int


class _Touch(Struct):
    s: str
    u: int
    b: Decimal
    B: Decimal
    a: Decimal
    A: Decimal


class _Frame(Struct, rename={"last_id": "lastUpdateId"}):
    stream: str | None = None
    data: msgspec.Raw = msgspec.Raw(b"")
    last_id: int | None = None
    bids: Levels = ()
    asks: Levels = ()


_frame = msgspec.json.Decoder(_Frame)
_depth = msgspec.json.Decoder(_Depth)
_trade = msgspec.json.Decoder(_Trade)
_touch = msgspec.json.Decoder(_Touch)


def records(lines: Iterable[tuple[int, bytes]], symbol: str, name: str) -> Iterator[Record]:
    """Every record, in order; streams of other kinds are passed over. Raises RecordingError."""
    for number, line in lines:
        record = parse_line(line, number, symbol, name)
        if record is None:
            continue
        if record.symbol != symbol:
            raise RecordingError(
                f"{name} line {number}: a second instrument ({record.symbol} after {symbol});"
                " a recording of raw frames must be of one"
            )
        yield record


def header(lines: Iterator[tuple[int, bytes]], name: str) -> Header:
    """What the first lines tell: the instrument and the coarsest grid that holds their prices and quantities."""
    symbol, is_futures, started_at = "", False, 0
    tick, lot = Decimal(1), Decimal(1)
    try:
        for number, line in islice(lines, _LOOKED_AT):
            record = parse_line(line, number, symbol, name)
            match record:
                case DepthUpdate() | Snapshot():
                    for price, _ in (*record.bids, *record.asks):
                        tick = _step(price, tick)
                case TradeSeen():
                    tick, lot = _step(record.price, tick), _step(record.quantity, lot)
            if record is not None:
                started_at = started_at or record.at
                symbol = symbol or record.symbol
                is_futures = is_futures or (isinstance(record, DepthUpdate) and record.previous_id is not None)
    except RecordingError:
        if not symbol:
            raise
        # what came before tells enough; whoever reads on meets it again
    if not symbol:
        raise RecordingError(f"{name}: nothing follows the depth snapshot; choose a longer recording")
    quote = next((quote for quote in _QUOTES if symbol.endswith(quote) and symbol != quote), None)
    if quote is None:
        raise RecordingError(f"{name}: {symbol[:24]} is priced in no currency known here; choose another recording")
    listed = Listed(symbol=symbol, base=symbol.removesuffix(quote), quote=quote, tick=tick, lot=lot)
    return Header(venue="binance", kind=USDM if is_futures else SPOT, started_at=started_at, instruments=(listed,))


def _step(value: Decimal, step: Decimal) -> Decimal:
    """`step`, or the power of ten below it that holds `value` as well."""
    while value % step:
        step = step.scaleb(-1)
    return step


def parse_line(line: bytes, number: int, symbol: str, name: str) -> Record | None:
    """One record; None for a stream that is not used. `symbol` is whose a snapshot is, which it does not say itself."""
    time_text, _, body = line.partition(b" ")
    if not (time_text.isdigit() and len(time_text) <= 19):
        raise damaged(name, number, "it must be a time in nanoseconds, a space and a JSON frame")
    try:
        record = _record(int(time_text), _frame.decode(body), symbol)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise damaged(name, number, str(error)) from None
    wrong = unsound(record) if record is not None else None
    if wrong is not None:
        raise damaged(name, number, wrong)
    return record


def _record(at: int, frame: _Frame, symbol: str) -> Record | None:
    if frame.stream is None:
        if frame.last_id is None:
            raise msgspec.DecodeError("it has neither 'stream' nor 'lastUpdateId'")
        return Snapshot(at=at, symbol=symbol, last_id=frame.last_id, bids=frame.bids, asks=frame.asks)
    match frame.stream.partition("@")[2].partition("@")[0]:
        case "depth":
            depth = _depth.decode(frame.data)
            return DepthUpdate(
                at=at,
                symbol=depth.s,
                first_id=depth.U,
                last_id=depth.u,
                previous_id=depth.pu,
                bids=depth.b,
                asks=depth.a,
                venue_at=depth.E * _NS_PER_MS,
            )
        case "trade":
            trade = _trade.decode(frame.data)
            return TradeSeen(
                at=at,
                symbol=trade.s,
                trade_id=trade.t,
                price=trade.p,
                quantity=trade.q,
                buyer_is_maker=trade.m,
                venue_at=trade.T * _NS_PER_MS,
            )
        case "bookTicker":
            touch = _touch.decode(frame.data)
            return TouchSeen(
                at=at,
                symbol=touch.s,
                update_id=touch.u,
                bid=touch.b,
                bid_qty=touch.B,
                ask=touch.a,
                ask_qty=touch.A,
            )
    return None


def damaged(name: str, number: int, why: str) -> RecordingError:
    return RecordingError(f"{name} line {number}: the line is damaged ({why}); copy the file again or record anew")
