"""`tradedesk record` against a real paper process: what it records is that market, and it ends as it should."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest
from paper_process import paper_process

from tradedesk.paper.exchange import Exchange
from tradedesk.paper.replay import Replay
from tradedesk.paper.rows import Print
from tradedesk.recording.reading import Reader
from tradedesk.recording.records import DepthUpdate, Snapshot, TradeSeen

COMMAND = [sys.executable, "-m", "tradedesk", "record"]
T0 = 10**18


@pytest.fixture(scope="module")
def paper():
    with paper_process("--seed", "5") as described:
        yield described


def run(*arguments, **settings):
    return subprocess.run(
        [*COMMAND, *map(str, arguments)], capture_output=True, text=True, timeout=60, check=False, **settings
    )


def refused(*arguments, status=1):
    done = run(*arguments)
    assert (done.returncode, done.stdout) == (status, ""), done.stderr
    assert done.stderr.count("\n") == 1, done.stderr
    return done.stderr.strip()


def test_a_recorded_paper_exchange_is_replayed_with_its_trades_and_its_book_at_every_snapshot(paper, tmp_path):
    path = tmp_path / "day.rec.gz"
    done = run("--url", paper["rest"], "--instrument", "BTC/USDT", "--instrument", "SOL/USDT", "--for", "5s", "--snapshot-every", "0.5", "--json", path)  # fmt: skip
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert (said["schema"], said["file"], said["venue"]) == ("record.v1", str(path), "binance")
    assert said["instruments"] == ["BTCUSDT", "SOLUSDT"]
    assert said["seconds"] >= 5
    assert said["bytes"] == path.stat().st_size

    records = list(Reader(path))
    assert said["snapshots"] == sum(isinstance(r, Snapshot) for r in records) >= 6
    assert said["updates"] == sum(isinstance(r, DepthUpdate) for r in records) > 30
    assert said["trades"] == sum(isinstance(r, TradeSeen) for r in records) > 10
    assert said["gaps"] == 0

    replay = Replay(path)
    exchange = Exchange(replay.specs, [], replay, now=T0)
    exchange.advance(T0 + 60 * 10**9)
    assert replay.ended
    assert replay.differences == 0  # at every later snapshot of both books
    recorded = {symbol: [] for symbol in said["instruments"]}
    begun = set()
    for record in records:
        begun |= {record.symbol} if isinstance(record, Snapshot) else set()
        if isinstance(record, TradeSeen) and begun == set(recorded):
            recorded[record.symbol].append((record.price, record.buyer_is_maker, record.quantity))
    prints = {symbol: [] for symbol in recorded}
    for event in exchange.drain():
        if isinstance(event, Print):
            prints[event.symbol].append((event.price, event.buyer_is_maker, event.quantity))
    for symbol, trades in recorded.items():
        assert summed(prints[symbol]) == summed(trades)

    known = {t["id"]: (t["price"], t["qty"], t["isBuyerMaker"]) for t in trades_of(paper, "BTCUSDT")}
    for record in records:
        if isinstance(record, TradeSeen) and record.symbol == "BTCUSDT":
            assert known[record.trade_id] == (f"{record.price:.8f}", f"{record.quantity:.8f}", record.buyer_is_maker)


def summed(trades):
    """Runs of one price and side as one: a replay may meet several orders with one recorded trade."""
    runs = []
    for price, side, quantity in trades:
        if runs and runs[-1][:2] == [price, side]:
            runs[-1][2] += quantity
        else:
            runs.append([price, side, quantity])
    return runs


def trades_of(paper, symbol):
    with urllib.request.urlopen(f"{paper['rest']}/api/v3/trades?symbol={symbol}&limit=1000", timeout=5) as answer:
        return json.load(answer)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_cleanly_with_a_whole_file(paper, tmp_path, number):
    path = tmp_path / "day.gz"
    process = subprocess.Popen(
        [*COMMAND, "--url", paper["rest"], "--instrument", "BTC/USDT", str(path)], stderr=subprocess.PIPE, text=True
    )
    try:
        for _ in range(400):
            if path.exists() and path.stat().st_size > 10_000:
                break
            time.sleep(0.05)
        os.kill(process.pid, number)
        _, said = process.communicate(timeout=10)
    finally:
        process.kill()
    assert process.returncode == 0, said
    assert "Traceback" not in said
    assert said.splitlines()[-1].startswith(f"{path}: ")
    assert any(isinstance(record, Snapshot) for record in Reader(path))


def test_a_file_that_is_there_stays_as_it_is(paper, tmp_path):
    path = tmp_path / "day.gz"
    path.write_text("precious")
    assert "is there already and stays as it is" in refused("--url", paper["rest"], "--instrument", "BTC/USDT", path)
    assert path.read_text() == "precious"


def test_an_instrument_that_is_not_listed_is_named(paper, tmp_path):
    said = refused("--url", paper["rest"], "--instrument", "BTC/EUR", tmp_path / "x.gz")
    assert said.startswith("binance cannot be recorded: the venue does not list all of BTC/EUR")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        ([], 2, "--instrument: is missing"),
        (["--instrument", "BTC"], 2, "--instrument: 'BTC' is not like BTC/USDT"),
        (["--instrument", "BTC/USDT", "--for", "soon"], 2, "--for: 'soon' is no length of time"),
        (["--instrument", "BTC/USDT", "--for", "0s"], 2, "--for: '0s' is no length of time"),
        (["--instrument", "BTC/USDT", "--exchange", "mtgox"], 2, "--exchange: 'mtgox' is no venue"),
        (["--instrument", "BTC/USDT", "--exchange", "kraken", "--url", "http://127.0.0.1:9"], 2, "--url: goes with --exchange"),
        (["--instrument", "BTC/USDT", "--egress", "here"], 2, "--egress: 'here' is not an IP address"),
        (["--instrument", "BTC/USDT", "--egress", "http://me@p:1"], 2, "--egress: only a desk has a vault"),
        (["--instrument", "BTC/USDT", "--url", "http://127.0.0.1:9"], 1, "binance cannot be recorded: no answer"),
    ],
)  # fmt: skip
def test_what_cannot_be_recorded_gets_one_plain_sentence(tmp_path: Path, arguments, status, said):
    assert said in refused(*arguments, tmp_path / "x.gz", status=status)
    assert list(tmp_path.iterdir()) == []


def test_help_has_an_example():
    assert "Example: tradedesk record" in run("--help", env=os.environ | {"COLUMNS": "200"}).stdout
