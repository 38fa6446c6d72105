"""The house's own recordings: what is written is read back, a cut one up to the cut, and no file is written over."""

import gzip
import json
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tradedesk.recording.reading import Reader
from tradedesk.recording.records import (
    DepthUpdate,
    Gap,
    Header,
    Listed,
    RecordingCut,
    RecordingError,
    Snapshot,
    TouchSeen,
    TradeSeen,
)
from tradedesk.recording.writing import Writer, write

HEADER = Header(
    venue="binance",
    kind="spot",
    started_at=5,
    instruments=tuple(
        Listed(symbol=f"{base}USDT", base=base, quote="USDT", tick=Decimal("0.01"), lot=Decimal("1E-8"))
        for base in ("BTC", "ETH")
    ),
)
numbers = st.integers(1, 10**15).map(lambda units: Decimal(units).scaleb(-8)) | st.sampled_from(
    [Decimal("1E-8"), Decimal("1.500"), Decimal("1E+3")]
)
levels = st.lists(st.tuples(numbers, numbers | st.just(Decimal(0))), max_size=4).map(tuple)
ids = st.integers(0, 2**53)
base = {"at": st.integers(0, 2**62), "symbol": st.sampled_from(["BTCUSDT", "ETHUSDT"])}
perhaps = st.none() | ids
records = st.one_of(
    st.builds(Snapshot, **base, last_id=ids, bids=levels, asks=levels),
    st.builds(
        DepthUpdate, **base, first_id=ids, last_id=ids, previous_id=perhaps, bids=levels, asks=levels, venue_at=perhaps
    ),
    st.builds(
        TradeSeen,
        **base,
        trade_id=ids,
        price=numbers,
        quantity=numbers,
        buyer_is_maker=st.booleans(),
        venue_at=perhaps,
    ),
    st.builds(TouchSeen, **base, update_id=ids, bid=numbers, bid_qty=numbers, ask=numbers, ask_qty=numbers),
    st.builds(Gap, **base, reason=st.text(max_size=40)),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(records, max_size=8))
def test_what_is_written_is_read_back_in_order(tmp_path_factory, made):
    path = tmp_path_factory.mktemp("rec") / "day.gz"
    write(path, HEADER, made)
    reader = Reader(path)
    assert reader.header == HEADER
    assert list(reader) == made
    with gzip.open(path) as lines:
        numbers = [part for line in lines if not line.startswith((b"{", b'["gap')) for part in line.split(b'"') if part[:1].isdigit()]  # fmt: skip
    assert not any(b"E" in number for number in numbers)


def keep(reader, seen):
    """Read on into `seen`, whatever stops it."""
    for record in reader:
        seen.append(record)  # one by one: what came before an error is there


def a_trade(number, **changed):
    fields = {"at": number, "symbol": "BTCUSDT", "trade_id": number, "price": Decimal("1.5"), "quantity": Decimal(2)}
    return TradeSeen(**fields | {"buyer_is_maker": True} | changed)


def test_what_was_flushed_can_be_read_though_the_writer_died(tmp_path):
    path = tmp_path / "day.gz"
    writer = Writer(path, HEADER)
    for number in range(100):
        writer.write(a_trade(number))
    writer.flush()
    writer.write(a_trade(100))  # not flushed: it dies with the writer
    seen = []
    with pytest.raises(
        RecordingCut, match=r"^day\.gz: the recording is cut after line 101; what came before is whole$"
    ):
        keep(Reader(path), seen)
    assert seen == [a_trade(number) for number in range(100)]
    writer.close(7)
    assert len(list(Reader(path))) == 101


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_a_recording_cut_anywhere_gives_a_beginning_of_itself_and_says_so(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("rec")
    made = [a_trade(number, price=Decimal(number * 7919 % 1_000 + 1)) for number in range(300)]
    write(folder / "whole.gz", HEADER, made)
    whole = (folder / "whole.gz").read_bytes()
    path = folder / "cut.gz"
    path.write_bytes(whole[: data.draw(st.integers(1, len(whole) - 60))])
    seen = []
    with pytest.raises(RecordingError) as caught:
        read(path, seen)
    assert seen == made[: len(seen)]
    assert isinstance(caught.value, RecordingCut) or not seen
    assert str(caught.value).count("\n") == 0


def read(path, seen):
    keep(Reader(path), seen)


def test_a_file_that_is_there_is_never_written_over(tmp_path):
    path = tmp_path / "day.gz"
    path.write_text("precious")
    with pytest.raises(RecordingError, match="is there already and stays as it is"):
        Writer(path, HEADER)
    assert path.read_text() == "precious"
    with pytest.raises(RecordingError, match="cannot be written"):
        Writer(tmp_path / "no" / "day.gz", HEADER)


def rows(*more, **head):
    made = {
        "schema": "recording.v1",
        "venue": "binance",
        "kind": "spot",
        "started_at": 1,
        "instruments": [{"symbol": "BTCUSDT", "base": "BTC", "quote": "USDT", "tick": "0.01", "lot": "0.1"}],
    }
    return "".join(json.dumps(row) + "\n" for row in (made | head, *more)).encode()


@pytest.mark.parametrize(
    ("row", "why"),
    [
        (["trade", 1, "BTCUSDT", 1, "NaN", "1", True, None], "NaN is no price"),
        (["trade", 1, "BTCUSDT", 1, "0", "1", True, None], "a price is 0"),
        (["trade", 1, "BTCUSDT", 1, "-1", "1", True, None], "-1 is no price"),
        (["trade", 1, "XRPUSDT", 1, "1", "1", True, None], "XRPUSDT is not among the instruments"),
        (["trade", "soon", "BTCUSDT", 1, "1", "1", True, None], "Expected `int`"),
        (["touch", 1, "BTCUSDT"], "length"),
        (["casino", 1], "Invalid value 'casino'"),
        ({}, "Expected `array`"),
        (["end", 1, 9], "it says there are 9 lines"),
    ],
)
def test_a_row_that_cannot_be_is_refused_by_file_and_number(tmp_path, row, why):
    path = tmp_path / "day.gz"
    path.write_bytes(gzip.compress(rows(["gap", 1, "BTCUSDT", ""], row)))
    with pytest.raises(RecordingError, match=r"^day\.gz line 3: the line is damaged .*record anew$") as caught:
        list(Reader(path))
    assert why in str(caught.value)


@pytest.mark.parametrize(
    ("head", "why"),
    [
        ({"schema": "recording.v9"}, "is of the format 'recording.v9'; this version reads recording.v1"),
        ({"instruments": []}, "names no instruments that can be"),
        ({"instruments": [{"symbol": "b t c", "base": "B", "quote": "U", "tick": "1", "lot": "1"}]}, "no instruments that"),
        ({"instruments": [{"symbol": "BTCU", "base": "B", "quote": "U", "tick": "0", "lot": "1"}]}, "no instruments that"),
        ({"instruments": [{"symbol": "BTCU", "base": "B", "quote": "U", "tick": "NaN", "lot": "1"}]}, "no instruments that"),
        ({"started_at": "noon"}, "is no recording"),
    ],
)  # fmt: skip
def test_a_first_line_that_cannot_be_is_refused(tmp_path, head, why):
    path = tmp_path / "day.gz"
    path.write_bytes(rows(**head))
    with pytest.raises(RecordingError, match=r"^day\.gz: ") as caught:
        Reader(path)
    assert why in str(caught.value)
