"""A futures exchange goes on where another one ended: the same answers, orders that stand and wait again, nothing twice."""

from decimal import Decimal
from random import Random

import msgspec
import pytest
from futures_builders import (
    BTC,
    SECOND,
    T0,
    a_floor,
    algo,
    cheap,
    d,
    limit,
    market,
    position,
    stop,
    told,
    trade,
    trader,
)
from hypothesis import given, settings
from test_futures_engine_laws import ACCOUNTS, NAMES, act, calls, check_all, drawn, play, quiet

from tradedesk.paper.futures.exchange import FuturesExchange
from tradedesk.paper.futures.rows import MarginCall, Modify, OrderChanged, Type
from tradedesk.paper.futures.saved import SavedFutures
from tradedesk.paper.market import Quiet

BTCUSDT = "BTCUSDT"


def again(exchange, *, later=0, mark=100, accounts=ACCOUNTS, contracts=None):
    """What a restart makes of it, by way of a file."""
    saved = msgspec.json.decode(msgspec.json.encode(exchange.saved()), type=SavedFutures)
    return FuturesExchange(
        contracts or [cheap(BTC)],
        accounts,
        Quiet(),
        now=saved.at + later,
        index=lambda symbol, now: Decimal(mark),
        saved=saved,
    )


def answers(exchange, name):
    """Everything that an account may ask."""
    now = exchange.saved().at
    return [
        exchange.account(name, now),
        exchange.assets(name, now),
        exchange.positions(name, now),
        exchange.symbol_config(name),
        exchange.dual_side(name),
        exchange.multi_assets(name),
        exchange.open_orders(name),
        exchange.all_orders(name, BTCUSDT, limit=1_000),
        exchange.user_trades(name, BTCUSDT, limit=1_000),
        exchange.amendments(name, BTCUSDT),
        exchange.open_algo_orders(name),
        exchange.all_algo_orders(name, BTCUSDT),
        exchange.income(name, limit=1_000),
        exchange.margin_history(name, BTCUSDT),
        exchange.force_orders(name),
        exchange.funding_rates(BTCUSDT),
        exchange.open_interest(BTCUSDT),
        exchange.mark_price(BTCUSDT),
    ]


def same(exchange, restored):
    for name in NAMES:
        assert answers(restored, name) == answers(exchange, name)
    assert restored.depth(BTCUSDT).bids == exchange.depth(BTCUSDT).bids
    assert restored.depth(BTCUSDT).asks == exchange.depth(BTCUSDT).asks
    before, after = exchange.saved(), restored.saved()
    assert all(after.next_ids[kind] >= number for kind, number in before.next_ids.items())
    assert msgspec.structs.replace(after, next_ids=before.next_ids) == before


@settings(max_examples=60, deadline=None)
@given(calls)
def test_a_restored_exchange_answers_every_question_of_its_clients_as_before(calls):
    exchange = quiet()
    play(exchange, calls)
    restored = again(exchange)
    same(exchange, restored)
    check_all(restored, ())


@pytest.mark.parametrize("seed", range(4))
def test_after_a_long_day_with_liquidations_everything_is_there_and_adds_up_further_on(seed):
    exchange, random = quiet(), Random(seed)
    play(exchange, drawn(random, 800))
    assert exchange.force_orders(), f"seed {seed} liquidates nobody"
    restored, now = again(exchange), exchange.saved().at
    same(exchange, restored)
    for name, what, later in drawn(random, 200):
        now += later
        act(restored, name, what, now)
        check_all(restored, restored.drain())


def test_orders_queue_again_as_they_stood():
    exchange = a_floor()
    exchange.place("acme", limit("BUY", "1", "99", client_order_id="first"), T0)
    exchange.place("acme", limit("BUY", "1", "99", client_order_id="second"), T0)
    first = exchange.order("acme", BTCUSDT, client_order_id="first")
    change = Modify(symbol=BTCUSDT, side="BUY", quantity=d(2), price=d(99), order_id=first.order_id)
    exchange.modify("acme", change, T0)  # it goes to the end
    restored = again(exchange, accounts=[trader("acme"), trader("birch")])
    restored.place("birch", limit("SELL", "1", "99"), T0)
    assert [row.client_order_id for row in restored.open_orders("acme")] == ["first"]


def test_what_waits_for_a_price_waits_again_and_a_trailing_order_remembers_its_best():
    exchange = a_floor()
    trade(exchange, "acme", "birch", "1", "100")
    trail = stop(Type.TRAILING_STOP_MARKET, "SELL", "1", None, callback_rate=d(1), working_type="MARK_PRICE")
    exchange.place("acme", trail, T0)
    exchange.place_algo("acme", algo(Type.STOP_MARKET, "SELL", "1", "80", working_type="MARK_PRICE"), T0)
    exchange.set_mark_price(BTCUSDT, d(110), T0)
    restored = again(exchange, accounts=[trader("acme"), trader("birch", "10000000")])
    restored.drain()
    restored.place("birch", limit("BUY", "5", "105"), T0)
    restored.set_mark_price(BTCUSDT, d("109"), T0)
    assert restored.open_orders("acme")
    restored.set_mark_price(BTCUSDT, d("108.9"), T0)  # 1 % below the best, which was before the restart
    assert told(restored.drain(), "acme")[-1] == ("TRADE", "FILLED")
    assert position(restored, "acme").amount == 0
    restored.set_mark_price(BTCUSDT, d(80), T0)
    assert [row.status.value for row in restored.all_algo_orders("acme", BTCUSDT)] != ["NEW"]


def test_what_fell_due_while_it_was_away_happens_at_the_first_moment():
    exchange = a_floor()
    exchange.place("acme", limit("BUY", "1", "99"), T0)
    exchange.countdown_cancel_all("acme", BTCUSDT, 5_000, T0)
    until = T0 + 700 * SECOND
    exchange.place("birch", limit("BUY", "1", "98", "GTD", good_till_date=until), T0)
    restored = again(exchange, later=1_000 * SECOND, accounts=[trader("acme"), trader("birch")])
    restored.advance(T0 + 1_000 * SECOND)
    assert told(restored.drain(), "acme")[-1] == ("CANCELED", "CANCELED")
    assert restored.all_orders("birch", BTCUSDT)[0].status == "EXPIRED"


def test_a_funding_that_fell_due_while_it_was_away_is_not_charged_again_and_again():
    exchange = a_floor()
    trade(exchange, "acme", "birch", "1", "100")
    exchange.set_funding_rate(BTCUSDT, d("0.001"))
    restored = again(exchange, later=100_000 * SECOND, accounts=[trader("acme"), trader("birch", "10000000")])
    restored.advance(T0 + 100_060 * SECOND)
    assert restored.income("acme", income_type="FUNDING_FEE") == []


def test_orders_that_reduce_only_never_turn_the_position_as_they_come_back():
    exchange = a_floor()
    trade(exchange, "acme", "birch", "1", "100")
    exchange.place("acme", limit("SELL", "1", "101", reduce_only=True), T0)
    exchange.place("acme", limit("SELL", "0.6", "101", reduce_only=True), T0)

    class Bids(Quiet):
        """A market that now bids above them."""

        def opening(self, now):
            from tradedesk.paper.market import Rest

            return [Rest(BTCUSDT, now, "a", True, 1_020, 1_400)]

    saved = exchange.saved()
    restored = FuturesExchange(
        [cheap(BTC)], [trader("acme"), trader("birch", "10000000")], Bids(), now=saved.at, index=lambda s, n: d(100),
        saved=saved,
    )  # fmt: skip
    assert position(restored, "acme").amount == 0
    assert restored.open_orders("acme") == []
    assert [row.executed_qty for row in restored.all_orders("acme", BTCUSDT)][1:] == [d(1), d(0)]


def test_the_first_report_of_an_order_counts_it_in_the_open_notional():
    exchange = a_floor()
    exchange.place("acme", limit("BUY", "1", "99"), T0)
    exchange.place("acme", limit("BUY", "2", "98"), T0)
    exchange.place("acme", limit("SELL", "1", "105"), T0)
    rows = [event.row for event in exchange.drain() if isinstance(event, OrderChanged)]
    assert [(row.bids_notional, row.asks_notional) for row in rows] == [(99, 0), (295, 0), (295, 105)]
    exchange.place("birch", market("SELL", "1"), T0)
    rows = [event.row for event in exchange.drain() if isinstance(event, OrderChanged)]
    assert [(row.account, row.bids_notional) for row in rows] == [("birch", 0), ("acme", 196), ("birch", 0)]


def test_no_id_is_used_again_and_accounts_that_are_new_keep_what_they_begin_with():
    exchange = a_floor()
    exchange.place("acme", limit("BUY", "1", "99"), T0)
    highest = exchange.all_orders("acme", BTCUSDT)[-1].order_id
    restored = again(exchange, accounts=[trader("acme"), trader("birch", "10000000"), trader("cedar", "7")])
    assert restored.place("acme", limit("BUY", "1", "98"), T0).order_id > highest
    assert restored.assets("cedar", T0)[0].wallet_balance == 7
    floor = restored._floor
    assert floor.total("USDT") == floor.deposited["USDT"]


def test_a_margin_call_is_not_sent_again_because_of_a_restart():
    accounts = [trader("acme", "6"), trader("birch", "10000000")]
    exchange = a_floor(*accounts)
    trade(exchange, "acme", "birch", "1", "100")
    exchange.set_mark_price(BTCUSDT, d("94.45"), T0)
    assert [event.account for event in exchange.drain() if isinstance(event, MarginCall)] == ["acme"]
    restored = again(exchange, accounts=accounts)
    restored.advance(T0 + 5 * SECOND)
    assert position(restored, "acme").amount == 1
    assert not [event for event in restored.drain() if isinstance(event, MarginCall)]
