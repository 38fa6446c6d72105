"""The live market: a paper exchange that follows another over a real socket, and the same without one."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
import urllib.request

import pytest
from msgspec import structs
from paper_builders import BTC, SECOND, T0, an_account, d, limit, market
from paper_process import paper_process

from tradedesk.paper.exchange import Exchange
from tradedesk.paper.live import MOST_WAITING, Live
from tradedesk.paper.rows import Status
from tradedesk.recording.records import DepthUpdate, Gap, Snapshot, TouchSeen, TradeSeen

MS = 1_000_000


def levels(text):
    return tuple((d(p), d(q)) for p, q in (pair.split(":") for pair in text.split()))


def a_snapshot(last_id, bids="60000:5 59990:7", asks="60010:4 60020:9"):
    return Snapshot(at=1, symbol="BTCUSDT", last_id=last_id, bids=levels(bids), asks=levels(asks))


def an_update(first, last, bids="", asks=""):
    return DepthUpdate(at=1, symbol="BTCUSDT", first_id=first, last_id=last, bids=levels(bids), asks=levels(asks))


def a_trade(price, quantity):
    return TradeSeen(at=1, symbol="BTCUSDT", trade_id=1, price=d(price), quantity=d(quantity), buyer_is_maker=True)


class Market:
    """A live exchange and what is pushed into it."""

    def __init__(self):
        self.live = Live([BTC])
        self.exchange = Exchange([BTC], [an_account(USDT="1000000", BTC="50")], self.live, now=T0)
        self.now = T0

    def push(self, *records):
        """Push, and move the exchange on as its server does."""
        for record in records:
            assert self.live.push(record)
        self.now = max(self.now + 1, self.exchange.next_due())
        self.exchange.advance(self.now)

    def bids(self):
        return self.exchange.depth("BTCUSDT").bids


def test_the_book_stands_from_the_first_snapshot_on_and_clients_queue_behind_it():
    venue = Market()
    venue.push(an_update(99, 101, "60000:4"))
    assert venue.bids() == ()
    assert not venue.live.is_known("BTCUSDT")
    venue.push(a_snapshot(100), TouchSeen(at=1, symbol="BTCUSDT", update_id=1, bid=d(1), bid_qty=d(1), ask=d(2), ask_qty=d(1)))  # fmt: skip
    assert venue.live.is_known("BTCUSDT")
    assert venue.bids() == levels("60000:4 59990:7")
    order = venue.exchange.place("acme", limit("BUY", "1", "60000"), venue.now)
    assert venue.exchange.place("acme", market("BUY", "3"), venue.now).status is Status.FILLED
    venue.push(a_trade("60000", "4.5"), an_update(102, 102, asks="60010:4"))
    assert venue.exchange.order("acme", "BTCUSDT", order_id=order.order_id).executed_qty == d("0.5")
    assert venue.exchange.depth("BTCUSDT", 1).asks == levels("60010:1")  # what the client took stays taken


def test_after_a_gap_the_book_stands_until_a_snapshot_builds_it_anew():
    venue = Market()
    venue.push(a_snapshot(100))
    venue.push(Gap(at=1, symbol="BTCUSDT", reason="the connection ended"), an_update(200, 201, "59995:1"))
    assert venue.bids() == levels("60000:5 59990:7")
    assert not venue.live.is_known("BTCUSDT")
    venue.push(a_snapshot(200, bids="59980:2"))
    assert venue.bids() == levels("59995:1 59980:2")


def test_a_hole_in_the_numbers_waits_for_a_snapshot_too():
    venue = Market()
    venue.push(a_snapshot(100), an_update(103, 104, "59995:1"), an_update(105, 105, "59996:1"))
    assert venue.bids() == levels("60000:5 59990:7")
    venue.push(a_snapshot(104, bids="59990:2"))
    assert venue.bids() == levels("59996:1 59990:2")


def test_a_periodic_snapshot_that_agrees_changes_nothing():
    venue = Market()
    venue.push(a_snapshot(100))
    venue.push(a_snapshot(101), an_update(101, 101, "60000:6"))  # it is ahead: what it says is looked at when that came
    assert venue.bids() == levels("60000:5 59990:7")
    venue.push(a_snapshot(101, bids="60000:6 59990:8"))
    assert venue.bids() == levels("60000:6 59990:8")


def test_what_is_pushed_from_another_thread_arrives_in_order_and_the_hand_over_is_bounded():
    venue = Market()
    venue.push(a_snapshot(0))

    def feed():
        for number in range(1, 5_001):
            venue.live.push(an_update(number, number, f"{59_000 + number % 50}:{number}"))

    thread = threading.Thread(target=feed)
    thread.start()
    while thread.is_alive() or venue.live._waiting:
        venue.push()
    thread.join()
    assert venue.live.is_known("BTCUSDT")
    assert dict(venue.bids())[d(59_000)] == 5_000
    full = Live([BTC])
    assert all(full.push(a_trade("1", "1")) for _ in range(MOST_WAITING))
    assert not full.push(a_trade("1", "1"))


def test_records_of_instruments_that_are_not_served_are_passed_over():
    venue = Market()
    venue.push(structs.replace(a_snapshot(5), symbol="ETHUSDT"))
    assert venue.bids() == ()
    assert venue.exchange.next_due() <= venue.now + SECOND


# -- over a socket ----------------------------------------------------------------------------------------------------


def get(url):
    with urllib.request.urlopen(url, timeout=5) as answer:
        return json.load(answer)


async def test_one_paper_exchange_follows_another_and_comes_back_when_that_was_away():
    def depth(described):
        book = get(described["rest"] + "/api/v3/depth?symbol=BTCUSDT&limit=50")
        return book["bids"], book["asks"]

    def trades_of(described):
        rows = get(described["rest"] + "/api/v3/trades?symbol=BTCUSDT&limit=1000")
        return {(row["price"], row["isBuyerMaker"]) for row in rows}

    async def agree(one, other, within_s):
        """Whether both show the same book at one moment; one follows the other by 100 ms, so not at every moment."""
        for _ in range(int(within_s / 0.02)):
            before, seen, after = depth(one), depth(other), depth(one)
            if before == after == seen:
                return True
            await asyncio.sleep(0.02)
        return False

    with paper_process("--seed", "3") as first:
        port = first["rest"].rpartition(":")[2]
        with paper_process("--market", "live", "--url", first["rest"], "--instrument", "BTC/USDT") as second:
            assert {row["symbol"] for row in get(second["rest"] + "/api/v3/exchangeInfo")["symbols"]} == {"BTCUSDT"}
            assert await agree(first, second, within_s=10)
            followed = set()
            for _ in range(250):
                followed = trades_of(second)
                if followed:
                    break
                await asyncio.sleep(0.02)
            assert followed <= trades_of(first)
            assert followed
            os.kill(first["pid"], signal.SIGTERM)
            for _ in range(200):
                if not _is_running(first["rest"]):
                    break
                await asyncio.sleep(0.05)
            with paper_process("--seed", "4", "--port", port) as again:
                assert depth(second)[0]  # its book stood while the other was away
                assert await agree(again, second, within_s=15)


def _is_running(url):
    try:
        get(url + "/api/v3/ping")
    except OSError:
        return False
    return True


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["--market", "live"], 2, "--instrument: is missing"),
        (["--market", "live", "--instrument", "BTCUSDT"], 1, "--instrument: 'BTCUSDT' is not like BTC/USDT"),
        (["--instrument", "BTC/USDT"], 2, "--instrument: goes with --market live only"),
        (["--market", "live", "--instruments", "5", "--instrument", "BTC/USDT"], 2, "--instruments: goes with --market syn"),
        (["--market", "live", "--instrument", "BTC/USDT", "--exchange", "mtgox"], 1, "--exchange: 'mtgox' is no venue"),
        (["--market", "live", "--instrument", "BTC/USDT", "--url", "ftp://x"], 1, "--url: "),
        (["--market", "live", "--instrument", "A/B", "--url", "http://127.0.0.1:9"], 1, "the live market cannot be had: no answer"),
    ],
)  # fmt: skip
def test_a_live_market_that_cannot_be_gets_one_plain_sentence(arguments, status, said):
    done = subprocess.run(
        [sys.executable, "-m", "tradedesk", "paper", *arguments],
        capture_output=True,
        text=True,
        timeout=40,
        check=False,
    )
    assert (done.returncode, done.stdout) == (status, "")
    assert said in done.stderr
    assert done.stderr.count("\n") == 1, done.stderr
