"""The flow of everyone else on a futures book, with clients' orders in its way."""

from decimal import Decimal

from futures_builders import BTC, SECOND, T0, cheap, d, limit, market, position, stop, trader, wallet

from tradedesk.paper.futures.exchange import FuturesExchange
from tradedesk.paper.futures.rows import Type
from tradedesk.paper.market import Quiet, Rest, SetLevel, Take, Traded, Withdraw
from tradedesk.paper.rows import Print
from tradedesk.paper.synthetic import Synthetic

AT = T0 + SECOND


class Script(Quiet):
    """A market that does what it is told, when it is due."""

    def __init__(self, *actions):
        self.actions = list(actions)
        self.met = []

    def next_due(self):
        return self.actions[0].at if self.actions else None

    def act(self, now, books):
        while self.actions and self.actions[0].at <= now:
            yield self.actions.pop(0)

    def taken(self, symbol, is_buy, price, lots):
        self.met.append((is_buy, price, lots))


def a_floor(*actions):
    script = Script(*actions)
    exchange = FuturesExchange(
        [cheap(BTC)], [trader("acme"), trader("birch")], script, now=T0, index=lambda symbol, now: Decimal(100)
    )
    return exchange, script


def prints(exchange):
    return [(e.price, e.quantity) for e in exchange.drain() if isinstance(e, Print)]


def rest(is_buy, price, lots, key=-1, at=T0):
    return Rest(symbol="BTCUSDT", at=at, key=key, is_buy=is_buy, price=price, lots=lots)


def test_a_client_takes_the_flow_and_the_market_hears_of_it():
    exchange, script = a_floor(rest(False, 1000, 2_000))
    exchange.place("acme", market("BUY", "1.5"), T0)
    assert script.met == [(False, 1000, 1_500)]
    assert position(exchange, "acme").amount == d("1.5")
    assert exchange._floor.outside == {"USDT": 150 * 10**8}  # the flow was paid for its short


def test_the_flow_gets_the_funding_of_what_it_is_short():
    exchange, _ = a_floor(rest(False, 1000, 2_000))
    exchange.place("acme", market("BUY", "1"), T0)
    exchange.set_funding_rate("BTCUSDT", d("0.01"))
    exchange.fund_now("BTCUSDT", T0)
    assert wallet(exchange, "acme").wallet_balance == 99_999
    assert exchange._floor.outside == {"USDT": 101 * 10**8}
    assert exchange._floor.total("USDT") == exchange._floor.deposited["USDT"]


def test_the_flow_takes_clients_and_flow_in_their_order():
    exchange, _ = a_floor(
        rest(True, 990, 1_000),
        Take(symbol="BTCUSDT", at=AT, is_buy=False, limit=980, lots=4_000),
    )
    exchange.place("acme", limit("BUY", "1", "99"), T0)
    exchange.place("birch", limit("BUY", "1", "98.5"), T0)
    exchange.drain()
    exchange.advance(AT)
    assert prints(exchange) == [(99, 1), (99, 1), (d("98.5"), 1)]
    assert position(exchange, "acme", now=AT).amount == 1
    assert exchange.depth("BTCUSDT").bids == ()
    assert exchange._floor.total("USDT") == exchange._floor.deposited["USDT"]


def test_a_resting_order_of_the_flow_trades_first_and_the_rest_stays():
    exchange, _ = a_floor(rest(False, 1010, 3_000, at=AT), Withdraw(symbol="BTCUSDT", at=AT + SECOND, key=-1))
    exchange.place("acme", limit("BUY", "1", "101"), T0)
    exchange.advance(AT)
    assert position(exchange, "acme", now=AT).amount == 1
    assert exchange.depth("BTCUSDT").asks == ((101, 2),)
    exchange.advance(AT + SECOND)
    assert exchange.depth("BTCUSDT").asks == ()


def test_a_level_of_a_recording_meets_the_clients_that_cross_it():
    exchange, script = a_floor(SetLevel(symbol="BTCUSDT", at=AT, key=-1, is_buy=False, price=1000, lots=5_000))
    exchange.place("acme", limit("BUY", "1", "100"), T0)
    exchange.place("birch", limit("BUY", "1", "100.5"), T0)
    exchange.drain()
    exchange.advance(AT)
    assert prints(exchange) == [(d("100.5"), 1), (100, 1)]
    assert script.met == [(False, 1000, 2_000)]
    assert exchange.depth("BTCUSDT").asks == ((100, 3),)


def test_a_recorded_trade_fills_clients_at_better_prices_then_its_queue_then_the_tape():
    exchange, _ = a_floor(
        rest(True, 990, 1_000),
        Traded(symbol="BTCUSDT", at=AT, is_buy=False, price=990, lots=4_000),
    )
    exchange.place("acme", limit("BUY", "0.5", "100"), T0)
    exchange.place("birch", limit("BUY", "1", "99"), T0)
    exchange.drain()
    exchange.advance(AT)
    assert prints(exchange) == [(100, d("0.5")), (99, 1), (99, 1), (99, d("1.5"))]
    assert position(exchange, "acme", now=AT).amount == d("0.5")
    assert position(exchange, "birch", now=AT).amount == 1


def reducers(*actions):
    """acme: long 1, and 0.7 + 0.7 to sell at 101, both only to reduce."""
    exchange, _ = a_floor(rest(False, 1000, 1_000), *actions)
    exchange.place("acme", market("BUY", "1"), T0)
    exchange.place("acme", limit("SELL", "0.7", "101", reduce_only=True), T0)
    exchange.place("acme", limit("SELL", "0.7", "101", reduce_only=True), T0)
    exchange.drain()
    return exchange


def check_reduced(exchange):
    exchange.advance(AT)
    assert position(exchange, "acme", now=AT).amount == 0
    assert exchange.open_orders("acme") == []
    assert wallet(exchange, "acme", AT).wallet_balance == 100_001


def test_the_flow_never_turns_a_position_through_reduce_only_orders():
    check_reduced(reducers(Take(symbol="BTCUSDT", at=AT, is_buy=True, limit=1010, lots=9_000)))


def test_nor_does_a_recorded_trade_at_their_price():
    exchange = reducers(Traded(symbol="BTCUSDT", at=AT, is_buy=True, price=1010, lots=9_000))
    exchange.advance(AT)
    assert prints(exchange) == [(101, d("0.7")), (101, d("0.3")), (101, 8)]
    check_reduced(exchange)


def test_nor_does_a_recorded_trade_or_level_beyond_their_price():
    check_reduced(reducers(Traded(symbol="BTCUSDT", at=AT, is_buy=True, price=1011, lots=9_000)))
    check_reduced(reducers(SetLevel(symbol="BTCUSDT", at=AT, key=-2, is_buy=True, price=1010, lots=9_000)))


def test_a_stop_fires_between_two_actions_of_the_flow():
    exchange, _ = a_floor(
        rest(False, 1010, 1_000),
        rest(False, 1020, 5_000, key=-2),
        Take(symbol="BTCUSDT", at=AT, is_buy=True, limit=1010, lots=1_000),
        Withdraw(symbol="BTCUSDT", at=AT, key=-2),
    )
    exchange.advance(T0)
    exchange.place("acme", stop(Type.STOP_MARKET, "BUY", "1", "101"), T0)
    exchange.advance(AT)
    assert position(exchange, "acme", now=AT).entry_price == 102


def test_the_synthetic_market_trades_futures():
    exchange = FuturesExchange([BTC], [trader("acme", "10000000")], Synthetic([BTC.spec], 3), now=T0)
    exchange.place("acme", market("BUY", "2"), T0)
    exchange.advance(T0 + 30 * SECOND)
    assert len(prints(exchange)) > 100
    assert position(exchange, "acme", now=T0 + 30 * SECOND).amount == 2
    row = exchange.mark_price("BTCUSDT")
    touch = exchange.book_ticker("BTCUSDT")
    assert touch.bid < touch.ask
    assert abs(row.mark - touch.bid) < 200
    assert exchange._floor.total("USDT") == exchange._floor.deposited["USDT"]
