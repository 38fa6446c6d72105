"""The replay: how clients' orders queue among what was recorded, and which recordings are refused."""

import contextlib
import os
import random
from pathlib import Path

import pytest
from msgspec import structs
from paper_builders import BTC, SECOND, T0, an_account, an_exchange, d, limit, market, recorded

from tradedesk.paper.exchange import Exchange
from tradedesk.paper.replay import Replay
from tradedesk.paper.rows import Execution, Print, Refusal, Status
from tradedesk.paper.synthetic import Synthetic
from tradedesk.recording.reading import Reader
from tradedesk.recording.records import DepthUpdate, Gap, Header, Listed, RecordingError, Snapshot, TradeSeen
from tradedesk.recording.writing import write

R0 = 1_723_161_254_000_000_000  # when the recording was made, ns
MS = 1_000_000


def levels(text):
    return tuple((d(p), d(q)) for p, q in (pair.split(":") for pair in text.split()))


def a_header(*symbols, tick="0.01", lot="0.00001", kind="spot"):
    listed = [Listed(symbol=s, base=s[:3], quote=s[3:], tick=d(tick), lot=d(lot)) for s in symbols or ("BTCUSDT",)]
    return Header(venue="binance", kind=kind, started_at=R0, instruments=tuple(listed))


def of(record, symbol):
    return structs.replace(record, symbol=symbol)


class Tape:
    """Writes a recording: a book, then what happens at ms after it."""

    def __init__(self, bids="60000:5 59990:7", asks="60010:4 60020:9"):
        self.records = [Snapshot(at=R0, symbol="BTCUSDT", last_id=100, bids=levels(bids), asks=levels(asks))]
        self._last_id = 100
        self._trade_id = 1

    def update(self, ms, bids="", asks="", skip=0):
        first = self._last_id + 1 + skip
        self._last_id = first + 2
        self.records.append(
            DepthUpdate(
                symbol="BTCUSDT",
                at=R0 + ms * MS,
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
                trade_id=self._trade_id,
                price=d(price),
                quantity=d(qty),
                buyer_is_maker=seller,
            )
        )
        self._trade_id += 1
        return self

    def open(self, tmp_path, header=None, **settings):
        path = tmp_path / "day.gz"
        write(path, header or a_header(), self.records)
        replay = Replay(path, **settings)
        return Exchange(replay.specs, [an_account(USDT="1000000", BTC="50")], replay, now=T0), replay


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


def test_a_trade_that_the_book_tells_of_already_moves_the_client_ahead_and_changes_nothing_else(tmp_path):
    tape = Tape().update(10, bids="60000:2").trade(20, "60000", "3", seller=True).trade(30, "60000", "2.5", seller=True)
    tape.records[1] = structs.replace(tape.records[1], venue_at=R0 + 10 * MS)
    tape.records[2] = structs.replace(tape.records[2], venue_at=R0 + 9 * MS)
    exchange, _ = tape.open(tmp_path)
    order = exchange.place("acme", limit("BUY", "1", "60000"), T0)
    exchange.advance(T0 + 20 * MS)
    assert exchange.depth("BTCUSDT", 1).bids == levels("60000:2")  # the client's was filled, the rest is as it was told
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
    old = DepthUpdate(symbol="BTCUSDT", at=R0 - 9, first_id=80, last_id=100, bids=levels("1:1"), asks=())
    overlapping = DepthUpdate(symbol="BTCUSDT", at=R0 - 5, first_id=95, last_id=102, bids=levels("59970:2"), asks=())
    after = DepthUpdate(symbol="BTCUSDT", at=later.at, first_id=103, last_id=105, bids=levels("59980:1"), asks=())
    tape.records = [old, overlapping, snapshot, after]
    exchange, _ = tape.open(tmp_path)
    exchange.advance(T0 + SECOND)
    assert exchange.depth("BTCUSDT").bids == levels("60000:5 59990:7 59980:1 59970:2")


def test_an_instrument_that_is_not_known_gets_the_steps_of_the_recording(tmp_path):
    tape = Tape("0.00124:5", "0.00125:7").trade(5, "0.00125", "0.5", seller=False)
    tape.records = [of(record, "XYZBTC") for record in tape.records]
    _, replay = tape.open(tmp_path, header=a_header("XYZBTC", tick="0.00001", lot="0.1"))
    (spec,) = replay.specs
    assert (spec.symbol, spec.base, spec.quote, spec.tick, spec.lot) == ("XYZBTC", "XYZ", "BTC", d("0.00001"), d("0.1"))


def test_several_instruments_are_replayed_together(tmp_path):
    btc, eth = Tape().update(20, bids="60000:1"), Tape("2000:3", "2001:3").update(10, asks="2001:1")
    eth.trade(30, "2001", "0.5", seller=False)
    btc.records += [of(record, "ETHUSDT") for record in eth.records]
    btc.records.sort(key=lambda record: record.at)
    exchange, replay = btc.open(tmp_path, header=a_header("BTCUSDT", "ETHUSDT"))
    assert [spec.symbol for spec in exchange.specs()] == ["BTCUSDT", "ETHUSDT"]
    exchange.advance(T0)
    assert exchange.depth("ETHUSDT").bids == levels("2000:3")
    exchange.advance(T0 + 30 * MS)
    assert exchange.depth("BTCUSDT", 1).bids == levels("60000:1")
    assert exchange.depth("ETHUSDT", 1).asks == levels("2001:0.5")
    assert replay.ended


def test_a_gap_leaves_the_book_and_the_next_snapshot_builds_it_anew(tmp_path):
    tape = Tape().update(5, bids="60000:6")
    tape.records += [
        Gap(at=R0 + 10 * MS, symbol="BTCUSDT", reason="the stream went down"),
        DepthUpdate(symbol="BTCUSDT", at=R0 + 15 * MS, first_id=500, last_id=510, bids=levels("60000:1"), asks=()),
        Snapshot(symbol="BTCUSDT", at=R0 + 20 * MS, last_id=505, bids=levels("59990:2"), asks=levels("60030:1")),
        DepthUpdate(symbol="BTCUSDT", at=R0 + 25 * MS, first_id=511, last_id=512, bids=(), asks=levels("60020:4")),
    ]
    exchange, replay = tape.open(tmp_path)
    exchange.advance(T0 + 15 * MS)
    assert exchange.depth("BTCUSDT").bids == levels("60000:6 59990:7")
    exchange.advance(T0 + 25 * MS)
    assert exchange.depth("BTCUSDT").bids == levels("60000:1 59990:2")
    assert exchange.depth("BTCUSDT").asks == levels("60020:4 60030:1")
    assert replay.differences == 0  # nobody claimed to know the book in between


def test_a_later_snapshot_mends_what_is_not_as_it_says_and_counts_it(tmp_path):
    tape = Tape().update(5, bids="60000:6")
    says = {"bids": levels("60000:6 59995:1 59990:3"), "asks": levels("60010:4 60020:9")}
    tape.records.append(Snapshot(symbol="BTCUSDT", at=R0 + 6 * MS, last_id=103, **says))
    tape.update(9, bids="1:1")
    exchange, replay = tape.open(tmp_path)
    exchange.advance(T0 + 9 * MS)
    assert exchange.depth("BTCUSDT").bids == levels("60000:6 59995:1 59990:3 1:1")
    assert replay.differences == 2


def test_a_later_snapshot_that_is_as_the_book_changes_nothing_for_a_client(tmp_path):
    tape = Tape().update(5, bids="60000:6")
    says = {"bids": levels("60000:6 59990:7 59980:5"), "asks": levels("60010:4 60020:9")}  # it sees deeper than before
    tape.records.append(Snapshot(symbol="BTCUSDT", at=R0 + 6 * MS, last_id=103, **says))
    tape.trade(9, "60000", "5.5", seller=True)
    exchange, replay = tape.open(tmp_path)
    order = exchange.place("acme", limit("BUY", "1", "60000"), T0)
    exchange.place("acme", market("BUY", "1"), T0)
    exchange.advance(T0 + 9 * MS)
    assert replay.differences == 0
    assert filled(exchange, order) == d("0.5")
    assert exchange.depth("BTCUSDT").asks == levels("60010:3 60020:9")
    assert exchange.depth("BTCUSDT").bids[-1] == (d(59980), d(5))


def test_levels_beyond_every_snapshot_so_far_are_no_difference_when_one_tells_of_them_first(tmp_path):
    """Rows of a recording: an update told of one level beyond the end of the first snapshot, a later snapshot of its kin."""
    tape = Tape("61461.20:0.5 61452.10:0.00236", "62208.50:0.2 62209.30:0.3")
    tape.update(100, bids="61440.33:0.00018", asks="62226.83:0.04")
    says = {
        "bids": levels("61461.20:0.5 61452.10:0.00236 61441.94:0.18413 61440.74:0.03595 61440.33:0.00018 61381.25:0.7"),
        "asks": levels("62208.50:0.2 62209.30:0.3 62220.00:0.6 62226.83:0.04"),
    }
    tape.records.append(Snapshot(symbol="BTCUSDT", at=R0 + 150 * MS, last_id=103, **says))
    tape.update(200, bids="1:1")
    exchange, replay = tape.open(tmp_path)
    exchange.advance(T0 + SECOND)
    assert replay.differences == 0
    assert exchange.depth("BTCUSDT").bids == (*says["bids"], (d(1), d(1)))
    assert exchange.depth("BTCUSDT").asks == says["asks"]


def test_levels_that_a_snapshot_or_an_update_told_of_are_differences_when_a_later_one_says_otherwise(tmp_path):
    tape = Tape().update(5, bids="59900:1 59800:1")

    def snapshot(ms, last_id, bids):
        asks = levels("60010:4 60020:9")
        tape.records.append(Snapshot(symbol="BTCUSDT", at=R0 + ms * MS, last_id=last_id, bids=levels(bids), asks=asks))

    snapshot(6, 103, "60000:5 59990:7 59950:2 59900:3")  # only an update had told of 59900, and otherwise
    tape.update(10, asks="1000000:1")
    snapshot(11, 106, "60000:5 59990:7 59970:1 59900:3")  # 59950 was known since the snapshot before, 59970 as empty
    tape.update(15, asks="1000000:0")
    exchange, replay = tape.open(tmp_path)
    exchange.advance(T0 + 9 * MS)
    assert replay.differences == 1
    exchange.advance(T0 + 15 * MS)
    assert replay.differences == 3
    assert exchange.depth("BTCUSDT").bids == levels("60000:5 59990:7 59970:1 59900:3 59800:1")


def test_a_snapshot_that_comes_later_than_two_updates_mends_nothing(tmp_path):
    tape = Tape().update(5, bids="60000:6").update(10, asks="60010:3")
    asks = levels("60010:4 60020:9")
    old = Snapshot(symbol="BTCUSDT", at=R0 + 11 * MS, last_id=102, bids=levels("60000:5.5 59990:7"), asks=asks)
    tape.records.append(old)
    tape.update(15, asks="60030:1")
    exchange, replay = tape.open(tmp_path)
    exchange.advance(T0 + 15 * MS)
    assert replay.differences == 0
    assert exchange.depth("BTCUSDT").bids == levels("60000:6 59990:7")


@pytest.mark.parametrize("after_a_gap", [False, True])
def test_a_trade_that_the_first_snapshot_tells_of_already_is_not_taken_from_the_book_twice(tmp_path, after_a_gap):
    """The snapshot overtook the trade and the update behind it, which then tells nothing new and is passed over."""
    tape = Tape()
    if after_a_gap:
        tape.records.append(Gap(at=R0, symbol="BTCUSDT", reason="the stream went down"))
        tape.records.append(structs.replace(tape.records[0], at=R0 + MS))
    tape.trade(10, "60000", "3", seller=True)
    tape.records.append(
        DepthUpdate(symbol="BTCUSDT", at=R0 + 20 * MS, first_id=98, last_id=100, bids=levels("60000:5"), asks=())
    )
    tape.update(120, asks="60020:8")
    stands = {"bids": levels("60000:5 59990:7"), "asks": levels("60010:4 60020:8")}
    tape.records.append(Snapshot(symbol="BTCUSDT", at=R0 + 130 * MS, last_id=103, **stands))
    tape.trade(140, "60000", "1", seller=True)
    exchange, replay = tape.open(tmp_path)
    order = exchange.place("acme", limit("BUY", "1", "60000"), T0)
    exchange.advance(T0 + 20 * MS)
    assert exchange.depth("BTCUSDT", 1).bids == levels("60000:6")
    exchange.advance(T0 + 130 * MS)
    assert replay.differences == 0
    exchange.advance(T0 + 140 * MS)
    assert filled(exchange, order) == 0  # of the five before it, four were traded
    assert exchange.depth("BTCUSDT", 1).bids == levels("60000:5")


def test_futures_updates_are_joined_by_the_id_before_them(tmp_path):
    tape = Tape()
    tape.records += [
        DepthUpdate(symbol="BTCUSDT", at=R0 + MS, first_id=90, last_id=101, previous_id=88, bids=levels("60000:4"), asks=()),
        DepthUpdate(symbol="BTCUSDT", at=R0 + 2 * MS, first_id=110, last_id=120, previous_id=101, bids=levels("60000:3"), asks=()),
    ]  # fmt: skip
    exchange, replay = tape.open(tmp_path, header=a_header(kind="usdm", tick="0.1", lot="0.001"))
    exchange.advance(T0 + 2 * MS)
    assert exchange.depth("BTCUSDT", 1).bids == levels("60000:3")
    assert (replay.kind, replay.specs[0].tick) == ("usdm", d("0.1"))


# -- refusals, and ends before the end --------------------------------------------------------------------------------


class End:
    """What a replay said when it stopped."""

    def __init__(self):
        self.said = []

    def __call__(self, sentence, is_damaged):
        self.said.append((sentence, is_damaged))


def test_a_hole_in_the_ids_ends_the_replay_with_one_sentence_and_the_book_stands(tmp_path):
    end = End()
    tape = Tape().update(5, bids="1:1").update(10, bids="1:1", skip=2).update(15, bids="1:9")
    exchange, replay = tape.open(tmp_path, told_end=end)
    exchange.advance(T0 + SECOND)
    assert replay.ended
    assert exchange.depth("BTCUSDT").bids[-1] == (d(1), d(1))
    assert end.said == [
        ("day.gz line 4: updates 104 to 105 are missing; the recording has a hole or is damaged, choose another", True)
    ]


def test_a_price_off_the_grid_ends_the_replay_with_one_sentence(tmp_path):
    end = End()
    exchange, replay = Tape().update(5, bids="60000.001:1").update(6, bids="60001:1").open(tmp_path, told_end=end)
    exchange.advance(T0 + SECOND)
    assert replay.ended
    assert end.said[0][0].startswith("day.gz line 3: 60000.001 is not a multiple of the tick 0.01;")
    assert len(end.said) == 1


def test_a_whole_recording_says_that_it_has_ended(tmp_path):
    end = End()
    exchange, _ = Tape().update(5, bids="1:1").open(tmp_path, told_end=end)
    exchange.advance(T0 + SECOND)
    exchange.advance(T0 + 2 * SECOND)
    assert end.said == [("day.gz has ended at line 4; the books stand", False)]


@pytest.mark.parametrize("cut", [20, 700])
def test_a_cut_recording_plays_up_to_the_cut_and_says_so(tmp_path, cut):
    end = End()
    tape = Tape()
    for n in range(2_000):
        tape.update(n, bids=f"{50_000 + n}:{n * n % 7919}")
    path = tmp_path / "day.gz"
    write(path, a_header(), tape.records)
    path.write_bytes(path.read_bytes()[:-cut])
    replay = Replay(path, told_end=end)
    exchange = Exchange(replay.specs, [], replay, now=T0)
    exchange.advance(T0 + 10 * SECOND)
    ((sentence, is_damaged),) = end.said
    played = len(exchange.depth("BTCUSDT", 5_000).bids) - 2
    assert not is_damaged
    assert 0 < played < 2_000
    assert sentence.startswith("day.gz: the recording is cut after line ")
    assert sentence.endswith("; what came before is whole; the books stand")


def test_a_recording_without_a_snapshot_is_refused(tmp_path):
    tape = Tape().update(5, bids="1:1")
    del tape.records[0]
    with pytest.raises(
        RecordingError, match=r"^day\.gz: there is no depth snapshot .*; choose a recording that begins with one$"
    ):
        tape.open(tmp_path)


def test_an_instrument_without_a_snapshot_is_named(tmp_path):
    with pytest.raises(RecordingError, match=r"^day\.gz: there is no depth snapshot of ETHUSDT among"):
        Tape().update(5, bids="1:1").open(tmp_path, header=a_header("BTCUSDT", "ETHUSDT"))


def test_a_recording_of_nothing_but_a_snapshot_is_refused(tmp_path):
    with pytest.raises(RecordingError, match="nothing follows the depth snapshot"):
        Tape().open(tmp_path)


def test_a_speed_of_nothing_is_refused(tmp_path):
    with pytest.raises(ValueError, match="must be above 0"):
        Tape().update(5, bids="1:1").open(tmp_path, speed=0)


# -- whole recordings -------------------------------------------------------------------------------------------------


class Folded:
    """An independent reading of the book, as the venue documents it."""

    def __init__(self):
        self.bids, self.asks, self._last_id, self._early = {}, {}, None, []

    def take(self, record):
        """Whether the record made the book another."""
        if isinstance(record, Snapshot) and self._last_id is None:
            self.bids, self.asks, self._last_id = dict(record.bids), dict(record.asks), record.last_id
            return any([self._apply(update) for update in self._early])
        if not isinstance(record, DepthUpdate):
            return False
        if self._last_id is None:
            self._early.append(record)
            return False
        return self._apply(record)

    def _apply(self, update):
        if update.last_id <= self._last_id:
            return False
        self._last_id = update.last_id
        for side, changes in ((self.bids, update.bids), (self.asks, update.asks)):
            for price, quantity in changes:
                if quantity:
                    side[price] = quantity
                else:
                    side.pop(price, None)
        return True


def shown(exchange, symbol="BTCUSDT"):
    depth = exchange.depth(symbol, 1_000_000)
    return dict(depth.bids), dict(depth.asks)


def test_a_replayed_synthetic_market_has_the_trades_and_the_book_of_its_recording_at_every_update(tmp_path):
    original = an_exchange(market=Synthetic([BTC], 4))
    records = list(recorded(original, "BTCUSDT", start=T0, seconds=20))
    write(tmp_path / "day.gz", a_header(), records)
    original.take_book_delta("BTCUSDT")
    replay = Replay(tmp_path / "day.gz")
    again = Exchange([BTC], [], replay, now=T0)
    book = Folded()
    for record in records:
        if book.take(record):
            again.advance(record.at)
            assert shown(again) == (book.bids, book.asks)
    again.advance(T0 + 21 * SECOND)
    assert shown(again) == shown(original)
    prints = [[(p.price, p.quantity, p.time) for p in e.recent_trades("BTCUSDT", 10_000)] for e in (original, again)]
    assert prints[0] == prints[1]


def with_snapshots(records, every):
    """The recording with the book, as an independent reader has it, after each so many updates."""
    book, updates = Folded(), 0
    for record in records:
        yield record
        if book.take(record):
            updates += 1
            if updates % every == 0:
                bids, asks = sorted(book.bids.items(), reverse=True), sorted(book.asks.items())
                yield Snapshot(
                    at=record.at, symbol=record.symbol, last_id=record.last_id, bids=tuple(bids), asks=tuple(asks)
                )


@pytest.mark.parametrize("seed", range(4))
def test_whatever_clients_do_the_book_is_the_recorded_one_less_what_they_took(tmp_path, seed):
    rng = random.Random(seed)
    original = an_exchange(market=Synthetic([BTC], seed))
    records = with_snapshots(recorded(original, "BTCUSDT", start=T0, seconds=15), every=7)
    write(tmp_path / "day.gz", a_header(), records)
    replay = Replay(tmp_path / "day.gz")
    exchange = Exchange([BTC], [an_account(USDT="100000000", BTC="5000")], replay, now=T0)
    now, fills = T0, 0
    while not replay.ended:
        now += rng.randrange(1, SECOND // 10)
        best = exchange.book_ticker("BTCUSDT")
        side, touch = rng.choice([("BUY", best.bid), ("SELL", best.ask)])
        price = touch + rng.randrange(-30, 30) * rng.choice([d("0.01"), d(1)])
        qty = str(rng.choice([d("0.001"), d("0.5"), d(7)]))
        with contextlib.suppress(Refusal):  # too many open orders
            if rng.random() < 0.7:
                exchange.place("acme", limit(side, qty, str(price)), now)
            elif rng.random() < 0.5:
                exchange.place("acme", market(side, qty), now)
            else:
                exchange.cancel_all("acme", "BTCUSDT", now)
        fills += sum(isinstance(event, Execution) and event.fill is not None for event in exchange.drain())
    assert replay.differences == 0
    assert fills > 20


def recordings() -> Path:
    default = Path(__file__).parents[3] / "shared" / "data"
    folder = Path(os.environ.get("TRADEDESK_TEST_DATA", default)) / "binance-raw"
    if not folder.is_dir():
        pytest.skip(f"the recordings are not at {folder}; set TRADEDESK_TEST_DATA")
    return folder


def test_the_real_recording_passes_whole_and_its_book_is_never_crossed():
    path = recordings() / "spot_btcusdt_20240808.gz"
    end = End()
    replay = Replay(path, told_end=end)
    exchange = Exchange(replay.specs, [an_account()], replay, now=T0)
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
    assert end.said == [("spot_btcusdt_20240808.gz has ended at line 41249; the books stand", False)]


def joined(trades):
    """Trades with what came at one moment, price and side as one: a replay may meet several orders with one trade."""
    merged = []
    for at, price, quantity, buyer_is_maker in trades:
        if merged and (merged[-1][0], merged[-1][1], merged[-1][3]) == (at, price, buyer_is_maker):
            merged[-1][2] += quantity
        else:
            merged.append([at, price, quantity, buyer_is_maker])
    return merged


@pytest.mark.parametrize("name", ["spot_btcusdt_20240808", "usdm_btcusdt_20240808"])
def test_the_real_recordings_are_reproduced_trade_by_trade_and_level_by_level(name):
    path = recordings() / f"{name}.gz"
    replay = Replay(path)
    (spec,) = replay.specs
    exchange = Exchange([spec], [], replay, now=T0)
    start = replay._recorded_start
    trades, prints, book, updates = [], [], Folded(), 0
    for record in Reader(path):
        is_new = book.take(record)
        if isinstance(record, TradeSeen) and book.bids:
            trades.append((T0 + record.at - start, record.price, record.quantity, record.buyer_is_maker))
        updates += is_new
        if is_new and updates % 100 == 1:
            exchange.advance(T0 + record.at - start)
            prints += [
                (e.time, e.price, e.quantity, e.buyer_is_maker) for e in exchange.drain() if isinstance(e, Print)
            ]
            whole = [{p: q - q % spec.lot for p, q in side.items() if q >= spec.lot} for side in (book.bids, book.asks)]
            assert shown(exchange) == tuple(whole), record.at
    exchange.advance(T0 + 3_600 * SECOND)
    prints += [(e.time, e.price, e.quantity, e.buyer_is_maker) for e in exchange.drain() if isinstance(e, Print)]
    assert joined(prints) == joined(trades)
    assert len(trades) > 5_000


def test_the_real_recording_without_a_snapshot_is_refused_by_name():
    with pytest.raises(RecordingError, match=r"^spot_btcusdt_20240809\.gz: there is no depth snapshot"):
        Replay(recordings() / "spot_btcusdt_20240809.gz")
