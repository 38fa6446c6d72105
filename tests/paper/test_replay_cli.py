"""`tradedesk paper --market replay` as a process: what it says at the end of a recording, at a cut, at a damaged line."""

import json
import subprocess
import sys
import time
import urllib.request

from msgspec import structs
from paper_builders import d

from tradedesk.recording.records import DepthUpdate, Header, Listed, Snapshot
from tradedesk.recording.writing import Writer

HEADER = Header(
    venue="binance",
    kind="spot",
    started_at=1,
    instruments=(Listed(symbol="BTCUSDT", base="BTC", quote="USDT", tick=d("0.01"), lot=d("0.00001")),),
)
START = Snapshot(at=1, symbol="BTCUSDT", last_id=10, bids=((d(60000), d(1)),), asks=((d(60001), d(2)),))


def a_recording(path, count, header=HEADER):
    writer = Writer(path, header)
    writer.write(START)
    for number in range(count):
        ids = {"first_id": 11 + number, "last_id": 11 + number}
        writer.write(DepthUpdate(at=2 + number, symbol="BTCUSDT", **ids, bids=((d(59000), d(number + 1)),), asks=()))
    return writer


def play(path):
    return subprocess.Popen(
        [sys.executable, "-m", "tradedesk", "paper", "--json", "--market", "replay", "--recording", str(path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def bids_of(described):
    with urllib.request.urlopen(described["rest"] + "/api/v3/depth?symbol=BTCUSDT", timeout=5) as answer:
        return json.load(answer)["bids"]


def stands(path, said):
    """Play it; after `said` on stderr its exchange still answers, and it ends well when asked. Returns its bids."""
    process = play(path)
    try:
        described = json.loads(process.stdout.readline())
        assert process.stderr.readline() == said + "\n"
        bids = bids_of(described)
        process.terminate()
        assert process.wait(10) == 0
        assert process.stderr.read() == ""
        return bids
    finally:
        process.kill()
        process.stdout.close()
        process.stderr.close()


def test_at_the_end_of_a_recording_the_book_stands(tmp_path):
    a_recording(tmp_path / "day.gz", 3).close(9)
    bids = stands(tmp_path / "day.gz", "day.gz has ended at line 6; the books stand")
    assert bids == [["60000.00000000", "1.00000000"], ["59000.00000000", "3.00000000"]]


def test_a_cut_recording_plays_up_to_the_cut(tmp_path):
    a_recording(tmp_path / "day.gz", 3).flush()
    said = "day.gz: the recording is cut after line 5; what came before is whole; the books stand"
    assert len(stands(tmp_path / "day.gz", said)) == 2


def test_a_damaged_line_ends_the_exchange_with_one_plain_sentence(tmp_path):
    writer = a_recording(tmp_path / "day.gz", 3)
    writer.write(DepthUpdate(at=2_000_000_000, symbol="BTCUSDT", first_id=99, last_id=99, bids=(), asks=()))
    writer.close(9)
    process = play(tmp_path / "day.gz")
    began = time.monotonic()
    out, said = process.communicate(timeout=20)
    assert process.returncode == 1
    assert json.loads(out)["schema"] == "paper.v1"
    assert time.monotonic() - began > 1.5  # it played up to there
    assert said == (
        "--recording: day.gz line 6: updates 14 to 98 are missing;"
        " the recording has a hole or is damaged, choose another\n"
    )


def futures_bids(described):
    url = described["futures"]["rest"] + "/fapi/v1/depth?symbol=BTCUSDT"
    with urllib.request.urlopen(url, timeout=5) as answer:
        return [(d(price), d(quantity)) for price, quantity in json.load(answer)["bids"]]


def restart(described, market):
    """At once, of one market or all, with its state."""
    body = json.dumps({"kind": "restart", "state": "kept", "seconds": 0.0} | ({"market": market} if market else {}))
    head = {"Authorization": f"Bearer {described['admin_token']}", "Content-Type": "application/json"}
    request = urllib.request.Request(described["admin"] + "/faults", data=body.encode(), headers=head)
    with urllib.request.urlopen(request, timeout=5) as answer:
        assert answer.status == 200


def test_a_futures_recording_plays_on_the_futures_exchange(tmp_path):
    header = structs.replace(HEADER, kind="usdm", instruments=(structs.replace(HEADER.instruments[0], tick=d("0.1"), lot=d("0.001")),))  # fmt: skip
    a_recording(tmp_path / "day.gz", 3, header).close(9)
    process = play(tmp_path / "day.gz")
    try:
        described = json.loads(process.stdout.readline())
        assert process.stderr.readline() == "day.gz has ended at line 6; the books stand\n"
        told = [(d(60000), d(1)), (d(59000), d(3))]
        assert futures_bids(described) == told
        assert bids_of(described) == []  # nobody is on the spot market
        for market in ("futures", None, "futures"):  # it plays from its beginning again, however often
            restart(described, market)
            assert process.stderr.readline() == "day.gz has ended at line 6; the books stand\n"
            assert futures_bids(described) == told
        process.terminate()
        assert process.wait(10) == 0
    finally:
        process.kill()
        process.stdout.close()
        process.stderr.close()
