"""The raw recording format: what is written is read back, what is damaged is refused in one sentence."""

import gzip
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradedesk.recording.raw import (
    DepthUpdate,
    RecordingError,
    Snapshot,
    TouchSeen,
    TradeSeen,
    format_line,
    parse_line,
    read,
    write,
)

numbers = st.integers(1, 10**15).map(lambda units: Decimal(units).scaleb(-8))
levels = st.lists(st.tuples(numbers, numbers | st.just(Decimal(0))), max_size=4).map(tuple)
ids = st.integers(0, 2**53)
times = st.integers(0, 2**62)
records = st.one_of(
    st.builds(Snapshot, at=times, line=st.just(1), last_id=ids, bids=levels, asks=levels),
    st.builds(
        DepthUpdate,
        symbol=st.just("BTCUSDT"),
        at=times,
        line=st.just(1),
        first_id=ids,
        last_id=ids,
        bids=levels,
        asks=levels,
    ),
    st.builds(
        TradeSeen,
        symbol=st.just("BTCUSDT"),
        at=times,
        line=st.just(1),
        trade_id=ids,
        price=numbers,
        quantity=numbers,
        buyer_is_maker=st.booleans(),
    ),
    st.builds(
        TouchSeen,
        symbol=st.just("BTCUSDT"),
        at=times,
        line=st.just(1),
        update_id=ids,
        bid=numbers,
        bid_qty=numbers,
        ask=numbers,
        ask_qty=numbers,
    ),
)


@given(records)
def test_what_is_written_is_read_back(record):
    assert parse_line(format_line(record), 1, "x") == record


GOOD = b'1723161254087896568 {"stream":"btcusdt@trade","data":{"e":"trade","E":1,"s":"BTCUSDT","t":3,"p":"61837.63000000","q":"0.02000000","T":1,"m":true,"M":true}}\n'


@pytest.mark.parametrize("as_gzip", [True, False])
def test_a_file_is_read_line_by_line_packed_or_not(tmp_path, as_gzip):
    path = tmp_path / "x.gz"
    path.write_bytes(gzip.compress(GOOD * 3) if as_gzip else GOOD * 3)
    trades = list(read(path))
    assert [t.line for t in trades] == [1, 2, 3]
    assert (trades[0].price, trades[0].quantity, trades[0].buyer_is_maker) == (
        Decimal("61837.63"),
        Decimal("0.02"),
        True,
    )


def test_streams_of_other_kinds_are_passed_over():
    assert parse_line(b'1 {"stream":"btcusdt@kline_1m","data":{"e":"kline"}}\n', 1, "x") is None


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"\n",
        b"hello\n",
        GOOD[:-1],  # the end of a copy that stopped
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
        parse_line(line, 7, "day.gz")


def test_a_futures_recording_is_refused():
    line = b'1 {"stream":"btcusdt@depth@0ms","data":{"s":"BTCUSDT","U":1,"u":2,"pu":0,"b":[],"a":[]}}\n'
    with pytest.raises(RecordingError, match="futures recording; choose a spot recording"):
        parse_line(line, 1, "day.gz")


def test_a_cut_or_damaged_archive_is_refused(tmp_path):
    import random

    lines = [GOOD.replace(b'"t":3', b'"t":%d' % random.Random(n).getrandbits(50)) for n in range(2_000)]
    packed = gzip.compress(b"".join(lines))
    path = tmp_path / "day.gz"
    for broken in (packed[: len(packed) // 2], packed[:-4], packed[:-8] + bytes(8)):
        path.write_bytes(broken)
        with pytest.raises(
            RecordingError, match=r"^day\.gz: the compressed data is cut or damaged after line \d+; copy"
        ):
            list(read(path))
    for at in range(200, len(packed) - 10, len(packed) // 20):
        path.write_bytes(packed[:at] + bytes([packed[at] ^ 0xFF]) + packed[at + 1 :])
        with pytest.raises(RecordingError, match=r"^day\.gz"):
            list(read(path))


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(RecordingError, match="there is no such file"):
        list(read(tmp_path / "none.gz"))
    with pytest.raises(RecordingError, match="cannot be read"):
        list(read(tmp_path))


def test_a_written_file_reads_as_it_was_written(tmp_path):
    snapshot = Snapshot(at=5, line=1, last_id=9, bids=((Decimal(1), Decimal(2)),), asks=())
    write(tmp_path / "out.gz", [snapshot])
    assert list(read(tmp_path / "out.gz")) == [snapshot]
