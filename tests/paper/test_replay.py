"""The replay: how clients' orders queue among what was recorded, and which recordings are refused."""

import os
from pathlib import Path

import pytest
from paper_builders import BTC, SECOND, T0, an_account, an_exchange, d, limit, market, recorded

from tradedesk.paper.exchange import Exchange
from tradedesk.paper.replay import Replay
from tradedesk.paper.rows import Status
from tradedesk.paper.synthetic import Synthetic
from tradedesk.recording.raw import DepthUpdate, RecordingError, Snapshot, TradeSeen, read, write

R0 = 1_723_161_254_000_000_000  # when the recording was made, ns
MS = 1_000_000


def levels(text):
    return tuple((d(p), d(q)) for p, q in (pair.split(":") for pair in text.split()))


class Tape:
    """Writes a recording: a book, then what happens at ms after it."""

    def __init__(self, bids="60000:5 59990:7", asks="60010:4 60020:9"):
        self.records = [Snapshot(at=R0, line=0, last_id=100, bids=levels(bids), asks=levels(asks))]
        self._last_id = 100
        self._trade_id = 1

    def update(self, ms, bids="", asks="", skip=0):
        first = self._last_id + 1 + skip
        self._last_id = first + 2
        self.records.append(
            DepthUpdate(
                symbol="BTCUSDT",
                at=R0 + ms * MS,
                line=0,
                first_id=first,
                last_id=self._last_id,
                bids=levels(bids),
                asks=levels(asks),
            )
        )
        return self

    def trade(self, ms, price, qty, *, seller):
        self.records.append(
            TradeSeen(
                symbol="BTCUSDT",
                at=R0 + ms * MS,
                line=0,
                trade_id=self._trade_id,
                price=d(price),
                quantity=d(qty),
                buyer_is_maker=seller,
            )
        )
        self._trade_id += 1
        return self

    def open(self, tmp_path, **settings):
        path = tmp_path / "day.gz"
        write(path, self.records)
        replay = Replay(path, **settings)
        return Exchange([replay.spec], [an_account(USDT="1000000", BTC="50")], replay, now=T0), replay


def filled(exchange, order):
    return exchange.order("acme", "BTCUSDT", order_id=order.order_id).executed_qty


def test_the_recorded_book_stands_at_the_start_and_follows_the_updates(tmp_path):
    exchange, replay = Tape().update(100, bids="60000:0 60005:1", asks="60010:3").open(tmp_path)
    assert exchange.depth("BTCUSDT").bids == levels("60000:5 59990:7")
    assert exchange.next_due() == T0 + 100 * MS
    exchange.advance(T0 + 99 * MS)
    assert exchange.depth("BTCUSDT").bids == levels("60000:5 59990:7")
    exchange.advance(T0 + 100 * MS)
    assert exchange.depth("BTCUSDT").bids == levels("60005:1 59990:7")
    assert exchange.depth("BTCUSDT").asks == levels("60010:3 60020:9")
    assert exchange.specs() == [BTC]
    assert replay.ended


def test_trades_take_what_stood_before_the_client_first(tmp_path):
    tape = Tape().trade(10, "60000", "4", seller=True).trade(20, "60000", "1.5", seller=True)
    exchange, _ = tape.open(tmp_path)
    order = exchange.place("acme", limit("BUY", "2", "60000"), T0)
    exchange.advance(T0 + 10 * MS)
    assert filled(exchange, order) == 0
    exchange.advance(T0 + 20 * MS)
    assert filled(exchange, order) == d("0.5")
    assert [t.is_maker for t in exchange.my_trades("acme", "BTCUSDT")] == [True]


def test_a_level_that_shrinks_shrinks_behind_the_client_first(tmp_path):
    tape = Tape().update(5, bids="60000:8").update(10, bids="60000:6").trade(20, "60000", "5.5", seller=True)
    exchange, _ = tape.open(tmp_path)
    order = exchange.place("acme", limit("BUY", "1", "60000"), T0)
    exchange.advance(T0 + 10 * MS)  # 3 came behind, 2 of them left: 5 still stand before
    assert exchange.depth("BTCUSDT", 1).bids == levels("60000:7")
    exchange.advance(T0 + 20 * MS)
    assert filled(exchange, order) == d("0.5")


def test_what_stood_before_leaves_when_nothing_is_behind(tmp_path):
    tape = Tape().update(10, bids="60000:2").trade(20, "60000", "2.5", seller=True)
    exchange, _ = tape.open(tmp_path)
    order = exchange.place("acme", limit("BUY", "1", "60000"), T0)
    exchange.advance(T0 + 20 * MS)
    assert filled(exchange, order) == d("0.5")


def test_a_level_that_vanishes_leaves_the_client_alone_on_it(tmp_path):
    tape = Tape().update(10, bids="60000:0").update(20, bids="60000:3").trade(30, "60000", "1", seller=True)
    exchange, _ = tape.open(tmp_path)
    order = exchange.place("acme", limit("BUY", "1", "60000"), T0)
    exchange.advance(T0 + 10 * MS)
    assert exchange.depth("BTCUSDT", 1).bids == levels("60000:1")
    exchange.advance(T0 + 30 * MS)  # what came back came behind
    assert filled(exchange, order) == 1


def test_a_trade_beyond_the_clients_price_fills_it_up_to_what_was_traded(tmp_path):
    exchange, _ = Tape().trade(10, "59990", "0.6", seller=True).open(tmp_path)
    order = exchange.place("acme", limit("BUY", "1", "60000"), T0)
    exchange.advance(T0 + 10 * MS)
    assert filled(exchange, order) == d("0.6")
    assert [(p.price, p.quantity) for p in exchange.recent_trades("BTCUSDT")] == [(d(60000), d("0.6"))]


def test_the_tape_prints_each_recorded_quantity_once(tmp_path):
    exchange, _ = Tape().trade(10, "60000", "5.5", seller=True).trade(20, "60010", "1", seller=False).open(tmp_path)
    exchange.place("acme", limit("BUY", "0.2", "60000"), T0)
    exchange.advance(T0 + 20 * MS)
    prints = exchange.recent_trades("BTCUSDT")
    assert [(p.price, p.quantity, p.buyer_is_maker) for p in prints] == [
        (d(60000), d(5), True),
        (d(60000), d("0.2"), True),
        (d(60000), d("0.3"), True),
        (d(60010), d(1), False),
    ]


def test_a_recorded_order_across_the_clients_price_trades_with_it_once(tmp_path):
    tape = Tape().update(10, asks="60000:3").update(20, asks="60000:3.5").update(30, asks="60000:0")
    exchange, _ = tape.open(tmp_path)
    order = exchange.place("acme", limit("BUY", "9", "60005"), T0)
    exchange.advance(T0 + 10 * MS)
    assert filled(exchange, order) == 3
    assert exchange.my_trades("acme", "BTCUSDT")[0].price == 60005
    exchange.advance(T0 + 20 * MS)  # half a unit more arrived; the three are not sold again
    assert filled(exchange, order) == d("3.5")


def test_what_a_client_took_stays_taken_until_the_level_is_empty(tmp_path):
    tape = Tape().update(10, asks="60010:6").update(20, asks="60010:0").update(30, asks="60010:2")
    exchange, _ = tape.open(tmp_path)
    assert exchange.place("acme", market("BUY", "3"), T0).status is Status.FILLED
    assert exchange.depth("BTCUSDT", 1).asks == levels("60010:1")
    exchange.advance(T0 + 10 * MS)
    assert exchange.depth("BTCUSDT", 1).asks == levels("60010:3")
    exchange.advance(T0 + 30 * MS)
    assert exchange.depth("BTCUSDT", 1).asks == levels("60010:2")


def test_speed_scales_the_time_and_the_end_is_told(tmp_path):
    exchange, replay = Tape().trade(1_000, "60000", "1", seller=True).open(tmp_path, speed=4.0)
    assert exchange.next_due() == T0 + 250 * MS
    assert not exchange.market_ended
    exchange.advance(T0 + SECOND)
    assert exchange.market_ended
    assert replay.ended
    assert exchange.next_due() is None
    before = exchange.depth("BTCUSDT")
    exchange.advance(T0 + 100 * SECOND)
    assert exchange.depth("BTCUSDT") == before
    assert exchange.place("acme", market("BUY", "1"), T0 + 100 * SECOND).status is Status.FILLED


def test_updates_before_the_snapshot_line_are_joined_by_their_ids(tmp_path):
    tape = Tape().update(100, bids="59980:1")
    snapshot, later = tape.records
    old = DepthUpdate(symbol="BTCUSDT", at=R0 - 9, line=0, first_id=80, last_id=100, bids=levels("1:1"), asks=())
    overlapping = DepthUpdate(
        symbol="BTCUSDT", at=R0 - 5, line=0, first_id=95, last_id=102, bids=levels("59970:2"), asks=()
    )
    after = DepthUpdate(
        symbol="BTCUSDT", at=later.at, line=0, first_id=103, last_id=105, bids=levels("59980:1"), asks=()
    )
    tape.records = [old, overlapping, snapshot, after]
    exchange, _ = tape.open(tmp_path)
    exchange.advance(T0 + SECOND)
    assert exchange.depth("BTCUSDT").bids == levels("60000:5 59990:7 59980:1 59970:2")


def test_an_instrument_of_no_known_steps_gets_those_of_the_recording(tmp_path):
    tape = Tape("0.00124:5", "0.00125:7").trade(5, "0.00125", "0.5", seller=False)
    tape.records = [tape.records[0], *(r.__class__(**{f: getattr(r, f) for f in r.__struct_fields__} | {"symbol": "XYZBTC"}) for r in tape.records[1:])]  # fmt: skip
    _, replay = tape.open(tmp_path)
    spec = replay.spec
    assert (spec.symbol, spec.base, spec.quote, spec.tick, spec.lot) == ("XYZBTC", "XYZ", "BTC", d("0.00001"), d("0.1"))


# -- refusals ---------------------------------------------------------------------------------------------------------


def test_a_hole_in_the_ids_is_refused(tmp_path):
    with pytest.raises(
        RecordingError, match=r"^day\.gz line 3: updates 104 to 105 are missing; the recording has a hole"
    ):
        Tape().update(5, bids="1:1").update(10, bids="1:1", skip=2).open(tmp_path)


def test_a_recording_without_a_snapshot_is_refused(tmp_path):
    tape = Tape().update(5, bids="1:1")
    del tape.records[0]
    with pytest.raises(
        RecordingError, match=r"^day\.gz: there is no depth snapshot .*; choose a recording that begins with one$"
    ):
        tape.open(tmp_path)


def test_a_recording_of_two_instruments_is_refused(tmp_path):
    tape = Tape().update(5, bids="1:1").update(6, bids="1:1")
    last = tape.records[-1]
    tape.records[-1] = last.__class__(**{f: getattr(last, f) for f in last.__struct_fields__} | {"symbol": "ETHUSDT"})
    with pytest.raises(RecordingError, match=r"line 3: a second instrument \(ETHUSDT after BTCUSDT\)"):
        tape.open(tmp_path)


def test_a_recording_of_nothing_but_a_snapshot_is_refused(tmp_path):
    with pytest.raises(RecordingError, match="nothing follows the depth snapshot"):
        Tape().open(tmp_path)


def test_a_cut_file_is_refused_when_it_is_opened(tmp_path):
    tape = Tape()
    for n in range(500):
        tape.update(n, bids=f"59{n}:1")
    tape.open(tmp_path)
    path = tmp_path / "day.gz"
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(RecordingError, match=r"^day\.gz: the compressed data is cut"):
        Replay(path)


def test_a_speed_of_nothing_is_refused(tmp_path):
    with pytest.raises(ValueError, match="must be above 0"):
        Tape().update(5, bids="1:1").open(tmp_path, speed=0)


# -- whole recordings -------------------------------------------------------------------------------------------------


def test_a_replayed_synthetic_market_ends_with_the_book_and_tape_it_was_recorded_with(tmp_path):
    original = an_exchange(market=Synthetic([BTC], 4))
    write(tmp_path / "day.gz", recorded(original, "BTCUSDT", start=T0, seconds=20))
    original.take_book_delta("BTCUSDT")
    replay = Replay(tmp_path / "day.gz")
    again = Exchange([BTC], [], replay, now=T0)
    again.advance(T0 + 21 * SECOND)
    assert again.depth("BTCUSDT", 10_000).bids == original.depth("BTCUSDT", 10_000).bids
    assert again.depth("BTCUSDT", 10_000).asks == original.depth("BTCUSDT", 10_000).asks
    shown = [[(p.price, p.quantity, p.time) for p in e.recent_trades("BTCUSDT", 10_000)] for e in (original, again)]
    assert shown[0] == shown[1]


def recordings() -> Path:
    default = Path(__file__).parents[3] / "shared" / "data"
    folder = Path(os.environ.get("TRADEDESK_TEST_DATA", default)) / "binance-raw"
    if not folder.is_dir():
        pytest.skip(f"the recordings are not at {folder}; set TRADEDESK_TEST_DATA")
    return folder


def test_the_real_recording_passes_whole_and_its_book_is_never_crossed():
    path = recordings() / "spot_btcusdt_20240808.gz"
    replay = Replay(path)
    exchange = Exchange([replay.spec], [an_account()], replay, now=T0)
    bid = exchange.book_ticker("BTCUSDT").bid
    order = exchange.place("acme", limit("BUY", "0.5", str(bid)), T0)
    now = T0
    while not replay.ended:
        now += SECOND // 2
        exchange.advance(now)
        best = exchange.book_ticker("BTCUSDT")
        assert best.bid < best.ask
        exchange.drain()
    assert filled(exchange, order) == d("0.5")
    recorded_volume = sum(
        r.quantity for r in read(path) if isinstance(r, TradeSeen) and r.line > 8
    )  # after the snapshot
    more = exchange.ticker("BTCUSDT", now).volume - recorded_volume
    assert 0 <= more <= d("0.5")  # what recorded orders that arrived across the client's price traded with it


def test_the_real_recording_without_a_snapshot_is_refused_by_name():
    with pytest.raises(RecordingError, match=r"^spot_btcusdt_20240809\.gz: there is no depth snapshot"):
        Replay(recordings() / "spot_btcusdt_20240809.gz")


def test_the_real_futures_recording_is_refused_by_name():
    with pytest.raises(RecordingError, match=r"^usdm_btcusdt_20240808\.gz line 1: this is a futures recording"):
        Replay(recordings() / "usdm_btcusdt_20240808.gz")
