"""Recorded market data as it came from a venue's combined spot stream: reading it line by line, and writing such lines.

A line is the local receive time (ns since the epoch, UTC), a space, and the JSON frame as received
(`{"stream":..,"data":..}`); a line without `stream` is the REST depth snapshot taken at that moment. Plain text or gzip.
Reading streams: a day of recording needs no more memory than a line.
"""

import gzip
import zlib
from collections.abc import Iterable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import BinaryIO, cast

import msgspec
from msgspec import Struct

Levels = tuple[tuple[Decimal, Decimal], ...]  # (price in quote units, quantity in base units), 0 removes the level

_GZIP = b"\x1f\x8b"


class RecordingError(Exception):
    """The recording cannot be used; one plain sentence that names the file, the line and what to do."""


class DepthUpdate(Struct, frozen=True, kw_only=True):
    """What changed on the book: update ids `first_id` to `last_id`."""

    symbol: str
    at: int
    line: int
    first_id: int
    last_id: int
    bids: Levels
    asks: Levels


class Snapshot(Struct, frozen=True, kw_only=True):
    """The whole book, best first, as REST showed it."""

    at: int
    line: int
    last_id: int
    bids: Levels
    asks: Levels


class TradeSeen(Struct, frozen=True, kw_only=True):
    symbol: str
    at: int
    line: int
    trade_id: int
    price: Decimal
    quantity: Decimal
    buyer_is_maker: bool


class TouchSeen(Struct, frozen=True, kw_only=True):
    """The book ticker: best bid and offer."""

    symbol: str
    at: int
    line: int
    update_id: int
    bid: Decimal
    bid_qty: Decimal
    ask: Decimal
    ask_qty: Decimal


Record = DepthUpdate | Snapshot | TradeSeen | TouchSeen


class _Depth(Struct):
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


def read(path: Path) -> Iterator[Record]:
    """Every record of the file in its order; streams of other kinds are passed over. Raises RecordingError."""
    number = 0
    try:
        with _open(path) as lines:
            for number, line in enumerate(lines, 1):
                record = parse_line(line, number, path.name)
                if record is not None:
                    yield record
    except FileNotFoundError:
        raise RecordingError(f"{path}: there is no such file; name a recording made by 'tradedesk record'") from None
    except (EOFError, zlib.error, gzip.BadGzipFile):
        raise RecordingError(
            f"{path.name}: the compressed data is cut or damaged after line {number}; copy the file again"
        ) from None
    except OSError as error:
        raise RecordingError(f"{path}: cannot be read ({error.strerror}); choose another recording") from None


def _open(path: Path) -> BinaryIO:
    with path.open("rb") as file:
        is_gzip = file.read(2) == _GZIP
    return cast(BinaryIO, gzip.open(path, "rb")) if is_gzip else path.open("rb")


def parse_line(line: bytes, number: int, name: str) -> Record | None:
    """One record; None for a stream that is not used. `number` and `name` are for the error."""
    time_text, _, body = line.partition(b" ")
    if not (time_text.isdigit() and len(time_text) <= 19 and line.endswith(b"\n")):
        raise _damaged(name, number, "it must be a time in nanoseconds, a space and a JSON frame")
    at = int(time_text)
    try:
        frame = _frame.decode(body)
        if frame.stream is None:
            if frame.last_id is None:
                raise _damaged(name, number, "it has neither 'stream' nor 'lastUpdateId'")
            _check_numbers(frame.bids + frame.asks, number, name)
            return Snapshot(at=at, line=number, last_id=frame.last_id, bids=frame.bids, asks=frame.asks)
        kind = frame.stream.partition("@")[2].partition("@")[0]
        if kind == "depth":
            depth = _depth.decode(frame.data)
            if depth.pu is not None:
                raise RecordingError(f"{name} line {number}: this is a futures recording; choose a spot recording")
            _check_numbers(depth.b + depth.a, number, name)
            return DepthUpdate(
                symbol=depth.s, at=at, line=number, first_id=depth.U, last_id=depth.u, bids=depth.b, asks=depth.a
            )
        if kind == "trade":
            trade = _trade.decode(frame.data)
            _check_numbers(((trade.p, trade.q),), number, name)
            return TradeSeen(
                symbol=trade.s,
                at=at,
                line=number,
                trade_id=trade.t,
                price=trade.p,
                quantity=trade.q,
                buyer_is_maker=trade.m,
            )
        if kind == "bookTicker":
            touch = _touch.decode(frame.data)
            _check_numbers(((touch.b, touch.B), (touch.a, touch.A)), number, name)
            return TouchSeen(
                symbol=touch.s,
                at=at,
                line=number,
                update_id=touch.u,
                bid=touch.b,
                bid_qty=touch.B,
                ask=touch.a,
                ask_qty=touch.A,
            )
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise _damaged(name, number, str(error)) from None
    return None


def _check_numbers(levels: Levels, number: int, name: str) -> None:
    """Decimal reads NaN, signs and exponents of any size; a venue sends none of them."""
    for price, quantity in levels:
        for value in (price, quantity):
            if not value.is_finite() or value < 0 or value.adjusted() > 15 or value.as_tuple().exponent < -18:  # type: ignore[operator]
                raise _damaged(name, number, f"{str(value)[:24]} is no price or quantity")
        if not price:
            raise _damaged(name, number, "a price is 0")


def _damaged(name: str, number: int, why: str) -> RecordingError:
    return RecordingError(f"{name} line {number}: the line is damaged ({why}); copy the file again or record anew")


def write(path: Path, records: Iterable[Record]) -> None:
    """A gzip file of these records in the same format."""
    with gzip.open(path, "wb") as file:
        for record in records:
            file.write(format_line(record))


def format_line(record: Record) -> bytes:
    """The line, newline included, that `parse_line` reads back."""
    return b"%d %s\n" % (record.at, msgspec.json.encode(_frame_of(record)))


def _frame_of(record: Record) -> dict[str, object]:
    match record:
        case Snapshot():
            return {"lastUpdateId": record.last_id, "bids": _texts(record.bids), "asks": _texts(record.asks)}
        case DepthUpdate():
            name, data = (
                "depth@100ms",
                {
                    "e": "depthUpdate",
                    "E": record.at // 1_000_000,
                    "s": record.symbol,
                    "U": record.first_id,
                    "u": record.last_id,
                    "b": _texts(record.bids),
                    "a": _texts(record.asks),
                },
            )
        case TradeSeen():
            name, data = (
                "trade",
                {
                    "e": "trade",
                    "E": record.at // 1_000_000,
                    "s": record.symbol,
                    "t": record.trade_id,
                    "p": _text(record.price),
                    "q": _text(record.quantity),
                    "T": record.at // 1_000_000,
                    "m": record.buyer_is_maker,
                    "M": True,
                },
            )
        case TouchSeen():
            name, data = (
                "bookTicker",
                {
                    "u": record.update_id,
                    "s": record.symbol,
                    "b": _text(record.bid),
                    "B": _text(record.bid_qty),
                    "a": _text(record.ask),
                    "A": _text(record.ask_qty),
                },
            )
    return {"stream": f"{record.symbol.lower()}@{name}", "data": data}


def _texts(levels: Levels) -> list[tuple[str, str]]:
    return [(_text(price), _text(quantity)) for price, quantity in levels]


def _text(value: Decimal) -> str:
    return f"{value:.8f}"
