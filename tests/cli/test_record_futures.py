"""`tradedesk record` of the paper exchange's futures, through ccxt's own class for them: replayed as a futures market."""

import json

import pytest
from paper_process import paper_process
from test_record import run

from tradedesk.paper.exchange import Exchange
from tradedesk.paper.replay import Replay

T0 = 10**18


@pytest.fixture(scope="module")
def paper():
    with paper_process("--seed", "5") as described:
        yield described


def test_recorded_futures_are_a_futures_market_with_their_book_at_every_snapshot(paper, tmp_path):
    path = tmp_path / "day.rec.gz"
    done = run("--exchange", "binanceusdm", "--url", paper["futures"]["rest"], "--instrument", "BTC/USDT:USDT", "--for", "3s", "--snapshot-every", "0.5", "--json", path)  # fmt: skip
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert (said["venue"], said["instruments"], said["gaps"]) == ("binanceusdm", ["BTCUSDT"], 0)
    assert said["snapshots"] >= 4
    replay = Replay(path)
    assert replay.kind == "usdm"
    exchange = Exchange(replay.specs, [], replay, now=T0)
    exchange.advance(T0 + 60 * 10**9)
    assert replay.ended
    assert replay.differences == 0
    with paper_process("--market", "replay", "--recording", str(path)) as again:
        assert again["futures"]["rest"]


def test_the_spot_port_has_no_futures_to_record(paper, tmp_path):
    done = run("--exchange", "binanceusdm", "--url", paper["rest"], "--instrument", "BTC/USDT:USDT", tmp_path / "x.gz")
    assert (done.returncode, done.stdout) == (1, "")  # the spot port lists no futures
    assert "cannot be recorded" in done.stderr
