"""Raw frames of a venue: what is read of them, and what is damaged is refused in one sentence."""

import gzip
from decimal import Decimal

import pytest

from tradedesk.recording.raw import parse_line
from tradedesk.recording.reading import Reader
from tradedesk.recording.records import (
    DepthUpdate,
    RecordingCut,
    RecordingError,
    Snapshot,
    TouchSeen,
    TradeSeen,
)

GOOD = b'1723161254087896568 {"stream":"btcusdt@trade","data":{"e":"trade","E":1,"s":"BTCUSDT","t":3,"p":"61837.63000000","q":"0.02000000","T":7,"m":true,"M":true}}\n'
DEPTH = b'5 {"stream":"btcusdt@depth@100ms","data":{"e":"depthUpdate","E":4,"s":"BTCUSDT","U":11,"u":12,"b":[["1.5","2"]],"a":[]}}\n'
TOUCH = b'6 {"stream":"btcusdt@bookTicker","data":{"u":12,"s":"BTCUSDT","b":"1.5","B":"2","a":"1.6","A":"3"}}\n'
SNAPSHOT = b'7 {"lastUpdateId":9,"bids":[["1.5","1"]],"asks":[["1.6","1"]]}\n'


def keep(reader, seen):
    """Read on into `seen`, whatever stops it."""
    for record in reader:
        seen.append(record)  # one by one: what came before an error is there


def d(text):
    return Decimal(text)


def parse(line, number=1):
    return parse_line(line, number, "BTCUSDT", "day.gz")


def test_each_kind_of_frame_is_read():
    assert parse(GOOD) == TradeSeen(
        at=1723161254087896568,
        symbol="BTCUSDT",
        trade_id=3,
        price=d("61837.63"),
        quantity=d("0.02"),
        buyer_is_maker=True,
        venue_at=7_000_000,
    )
    assert parse(DEPTH) == DepthUpdate(
        at=5, symbol="BTCUSDT", first_id=11, last_id=12, bids=((d("1.5"), d(2)),), asks=(), venue_at=4_000_000
    )
    assert parse(TOUCH) == TouchSeen(
        at=6, symbol="BTCUSDT", update_id=12, bid=d("1.5"), bid_qty=d(2), ask=d("1.6"), ask_qty=d(3)
    )
    assert parse(SNAPSHOT) == Snapshot(
        at=7, symbol="BTCUSDT", last_id=9, bids=((d("1.5"), d(1)),), asks=((d("1.6"), d(1)),)
    )
    futures = DEPTH.replace(b'"u":12', b'"u":12,"pu":8')
    assert parse(futures).previous_id == 8
    assert parse(b'1 {"stream":"btcusdt@kline_1m","data":{"e":"kline"}}\n') is None


@pytest.mark.parametrize("as_gzip", [True, False])
def test_a_file_is_read_line_by_line_packed_or_not_and_its_grid_is_found(tmp_path, as_gzip):
    path = tmp_path / "x.gz"
    whole = SNAPSHOT + DEPTH + GOOD * 3
    path.write_bytes(gzip.compress(whole) if as_gzip else whole)
    reader = Reader(path)
    (listed,) = reader.header.instruments
    assert (listed.symbol, listed.base, listed.quote, listed.tick, listed.lot) == (
        "BTCUSDT", "BTC", "USDT", d("0.01"), d("0.01"),
    )  # fmt: skip
    assert reader.header.kind == "spot"
    records = list(reader)
    assert [type(r) for r in records] == [Snapshot, DepthUpdate, TradeSeen, TradeSeen, TradeSeen]
    assert {r.symbol for r in records} == {"BTCUSDT"}
    assert reader.line == 5


def test_a_recording_with_a_futures_update_is_one_of_futures(tmp_path):
    path = tmp_path / "x"
    path.write_bytes(SNAPSHOT + DEPTH.replace(b'"u":12', b'"u":12,"pu":8'))
    assert Reader(path).header.kind == "usdm"


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"\n",
        b"hello\n",
        GOOD[:60] + b"\n",
        GOOD[20:],
        b"-" + GOOD,
        GOOD.replace(b"61837.63000000", b"NaN"),
        GOOD.replace(b"61837.63000000", b"-1"),
        GOOD.replace(b"61837.63000000", b"0"),
        GOOD.replace(b"61837.63000000", b"1e999999999"),
        GOOD.replace(b"61837.63000000", b"1e-99"),
        GOOD.replace(b"61837.63000000", b"\xff"),
        GOOD.replace(b'"t":3', b'"t":"three"'),
        b'1 {"bids":[],"asks":[]}\n',
        b"1 []\n",
    ],
)
def test_a_damaged_line_is_refused_by_file_and_number(line):
    with pytest.raises(RecordingError, match=r"^day\.gz line 7: the line is damaged .*record anew$"):
        parse(line, 7)


def test_a_cut_archive_gives_what_it_holds_and_then_says_where_it_is_cut(tmp_path):
    import random

    lines = [GOOD.replace(b'"t":3', b'"t":%d' % random.Random(n).getrandbits(50)) for n in range(2_000)]
    packed = gzip.compress(b"".join(lines))
    path = tmp_path / "day.gz"
    path.write_bytes(packed[: len(packed) // 2])
    reader = Reader(path)
    seen = []
    with pytest.raises(
        RecordingCut, match=r"^day\.gz: the recording is cut after line \d+; what came before is whole$"
    ):
        keep(reader, seen)
    assert 500 < len(seen) == reader.line < 1_500


def test_a_damaged_archive_is_refused(tmp_path):
    import random

    lines = [GOOD.replace(b'"t":3', b'"t":%d' % random.Random(n).getrandbits(50)) for n in range(2_000)]
    packed = gzip.compress(b"".join(lines))
    path = tmp_path / "day.gz"
    path.write_bytes(packed[:-8] + bytes(8))
    with pytest.raises(RecordingError, match=r"^day\.gz: the compressed data is damaged after line 2000; copy"):
        list(Reader(path))
    for at in range(200, len(packed) - 10, len(packed) // 20):
        path.write_bytes(packed[:at] + bytes([packed[at] ^ 0xFF]) + packed[at + 1 :])
        with pytest.raises(RecordingError, match=r"^day\.gz"):
            list(Reader(path))


def test_a_second_instrument_is_refused(tmp_path):
    path = tmp_path / "day"
    path.write_bytes(GOOD + GOOD.replace(b"BTCUSDT", b"ETHUSDT"))
    with pytest.raises(RecordingError, match=r"^day line 2: a second instrument \(ETHUSDT after BTCUSDT\)"):
        list(Reader(path))


def test_a_file_that_is_not_there_or_says_nothing_is_refused(tmp_path):
    with pytest.raises(RecordingError, match="there is no such file"):
        Reader(tmp_path / "none.gz")
    with pytest.raises(RecordingError, match="cannot be read"):
        Reader(tmp_path)
    (tmp_path / "empty").write_bytes(b"")
    with pytest.raises(RecordingError, match="the file is empty"):
        Reader(tmp_path / "empty")
    (tmp_path / "only").write_bytes(SNAPSHOT)
    with pytest.raises(RecordingError, match="nothing follows the depth snapshot"):
        Reader(tmp_path / "only")
