"""The engine against the naive exchange of engine_model.py, over random operations of every kind; and its events, from
which alone every open order and every balance must follow.

The suite plays some 24,000. A million: `python tests/paper/test_engine_model.py`.
"""

import random
import sys
from collections import deque
from decimal import Decimal

import msgspec
import pytest
from engine_model import NaiveExchange, Order, Refused
from paper_builders import BTC, T0, an_account

from tradedesk.paper.exchange import Exchange
from tradedesk.paper.market import Quiet, Rest, Take, Withdraw
from tradedesk.paper.rows import (
    AccountChanged,
    Execution,
    Kind,
    ListChanged,
    NewOrder,
    Oco,
    OrderRow,
    Oto,
    Otoco,
    Print,
    Refusal,
)
from tradedesk.paper.saved import Saved

TICK, LOT = Decimal("0.01"), Decimal("0.001")
SPEC = msgspec.structs.replace(
    BTC,
    tick=TICK,
    lot=LOT,
    min_qty=LOT,
    max_market_qty=Decimal(9000),
    min_notional=Decimal(0),
    max_notional=Decimal(0),
    max_orders=10**6,
    max_algo_orders=10**6,
    max_iceberg_orders=10**6,
    max_order_lists=10**6,
    max_amends=10**6,
    iceberg_parts=100,
)
HELD = {"USDT": "900", "BTC": "9"}
NAMES = ("acme", "birch", "cedar", "dora")
GROUPS = {"acme": "one", "birch": "one", "cedar": "cedar", "dora": "dora"}
FEES = {"maker": "0.0007", "taker": "0.00123"}
MODES = ("NONE", "NONE", "EXPIRE_MAKER", "EXPIRE_TAKER", "EXPIRE_BOTH", "DECREMENT", "TRANSFER")
CONDITIONAL = ("STOP_LOSS", "STOP_LOSS_LIMIT", "TAKE_PROFIT", "TAKE_PROFIT_LIMIT")


class Scripted(Quiet):
    """A market that does what it is told, once."""

    def __init__(self):
        self.todo = deque()

    def act(self, now, books):
        while self.todo:
            yield self.todo.popleft()


class Game:
    """Both exchanges, and the operations that are played on them."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.market = Scripted()
        accounts = [an_account(name, **FEES, **HELD) for name in NAMES]
        accounts = [msgspec.structs.replace(a, group="one") if GROUPS[a.name] == "one" else a for a in accounts]
        self.accounts = accounts
        self.exchange = Exchange([SPEC], accounts, self.market, now=T0)
        self.naive = NaiveExchange(
            {name: {asset: Decimal(amount) for asset, amount in HELD.items()} for name in NAMES},
            GROUPS,
            tick=TICK,
            lot=LOT,
            maker=Decimal(FEES["maker"]),
            taker=Decimal(FEES["taker"]),
        )
        self.now = T0
        self.known: list[Order] = []  # clients' orders, the newest last, ended ones too
        self.flow_key = 0
        self.outcomes: dict[str, int] = {}
        self.totals = {asset: self.ledger.total(asset) for asset in HELD}
        self.seen = {True: {}, False: {}}  # the book as its deltas tell it
        self.last_id = self.exchange.depth("BTCUSDT").last_update_id
        self.told_balances = {name: dict(self.exchange.balances(name)) for name in NAMES}
        self.told_rows: dict[int, OrderRow] = {}
        self.told_lists: dict[int, str] = {}

    @property
    def ledger(self):
        return self.exchange._engine.ledger

    # -- what may happen ------------------------------------------------------------------------------------------------
    def play(self, operations: int, *, look_every: int) -> None:
        kinds = (self.new, self.new, self.new, self.cancel, self.flow, self.oco, self.oto, self.amend, self.move)
        for number in range(operations):
            self.now += self.chance.randint(0, 10**9)
            what = self.chance.choice(kinds) if len(self.naive.orders) < 60 else self.cancel
            if self.chance.random() < 0.002:
                what = self.restart
            self.both(*what())
            if number % look_every == 0:
                self.compare()
        self.compare()

    def both(self, name, on_engine, on_naive) -> None:
        """The same on both: the same refusal, or none."""
        answers = []
        for call, refusal in ((on_naive, Refused), (on_engine, Refusal)):
            try:
                call()
                answers.append(None)
            except refusal as refused:
                answers.append(str(refused) if refusal is Refused else refused.message)
        assert answers[0] == answers[1], name
        self.outcomes[f"{name}: {answers[0]}"] = self.outcomes.get(f"{name}: {answers[0]}", 0) + 1
        events = self.exchange.drain()
        for event in events:
            if isinstance(event, AccountChanged):
                self.told_balances[event.account] |= event.balances
            elif isinstance(event, Execution):
                self.told_rows[event.row.order_id] = event.row
            elif isinstance(event, ListChanged):
                self.told_lists[event.row.order_list_id] = event.row.list_order_status
        printed = [(e.price, e.quantity) for e in events if isinstance(e, Print)]
        assert printed == [trade[:2] for trade in self.naive.trades], name
        self.naive.trades.clear()

    def price(self) -> Decimal:
        return Decimal(100) + self.chance.randint(-12, 12) * Decimal("0.25")

    def qty(self) -> Decimal:
        return self.chance.randint(1, 3000) * LOT

    def an_order(self, account: str, side: str, kinds) -> tuple[Order, NewOrder]:
        chance, kind = self.chance, self.chance.choice(kinds)
        order = Order(account, side, kind, self.qty(), mode=chance.choice(MODES))
        if kind not in ("MARKET", "STOP_LOSS", "TAKE_PROFIT"):
            order.price = self.price()
            if kind != "LIMIT_MAKER":
                order.tif = chance.choice(("GTC", "GTC", "GTC", "IOC", "FOK"))
            if order.tif == "GTC" and chance.random() < 0.3 and order.qty > 20 * LOT:
                order.peak = max(order.qty // (LOT * chance.randint(2, 9)) * LOT, LOT)
        if kind in CONDITIONAL:
            if chance.random() < 0.75:
                order.stop = self.price()
            if order.stop is None or chance.random() < 0.3:
                order.delta = chance.choice((10, 25, 50, 100, 200))
        return order, as_request(order)

    def new(self):
        account, side = self.chance.choice(NAMES), self.chance.choice(("BUY", "SELL"))
        order, request = self.an_order(
            account, side, ("LIMIT", "LIMIT", "LIMIT", "MARKET", "LIMIT_MAKER", *CONDITIONAL)
        )
        if order.kind == "MARKET" and self.chance.random() < 0.3:
            return self.by_amount(order)

        def on_naive():
            self.name(order)
            self.naive.place(order)
            self.remember(order)

        return order.kind, lambda: self.exchange.place(account, request, self.now), on_naive

    def by_amount(self, order: Order):
        amount = Decimal(self.chance.randint(1, 400))
        request = NewOrder(
            symbol="BTCUSDT", side=order.side, kind=Kind.MARKET, quote_quantity=amount, stp_mode=order.mode
        )

        def on_naive():
            self.name(order)
            left, order.qty = amount, Decimal(0)
            levels: dict[Decimal, Decimal] = {}
            for other in self.naive.facing(order):
                levels[other.price] = levels.get(other.price, Decimal(0)) + other.leaves
            for price, total in levels.items():
                take = min(total, left / price // LOT * LOT)
                order.qty += take
                left -= take * price
                if take < total:
                    break
            if not levels:
                raise Refused("Order book liquidity is less than symbol minimum quantity.")
            if not order.qty:
                raise Refused("Filter failure: LOT_SIZE")
            self.naive.place(order)
            self.remember(order)

        return "by amount", lambda: self.exchange.place(order.account, request, self.now), on_naive

    def name(self, *orders: Order) -> None:
        """Number them as the engine will."""
        for number, order in enumerate(orders):
            order.id = self.exchange._engine.next.order + number

    def remember(self, *orders: Order) -> None:
        self.known += orders
        del self.known[:-80]

    def a_pair(self, account: str, side: str) -> tuple[Order, Order]:
        """(stop, the other), mostly on the right sides of the last price."""
        stop, _ = self.an_order(account, side, ("STOP_LOSS", "STOP_LOSS_LIMIT"))
        other, _ = self.an_order(account, side, ("LIMIT_MAKER", "LIMIT_MAKER", "TAKE_PROFIT", "TAKE_PROFIT_LIMIT"))
        other.qty, other.peak, stop.peak = stop.qty, None, None
        away = self.chance.randint(1, 8) * Decimal("0.25") * (1 if side == "BUY" else -1)
        last = self.naive.last or self.price()
        is_sane = self.chance.random() < 0.8
        for leg, price in ((stop, last + away), (other, last - away)):
            leg.delta = None
            if leg.kind in CONDITIONAL:
                leg.stop = price if is_sane else self.price()
            if leg is other and leg.price is not None and is_sane:
                leg.price = price
        return stop, other

    def oco(self):
        account, side = self.chance.choice(NAMES), self.chance.choice(("BUY", "SELL"))
        stop, other = self.a_pair(account, side)
        above, below = (stop, other) if side == "BUY" else (other, stop)
        request = Oco(above=as_request(above), below=as_request(below))

        def on_naive():
            self.name(stop, other)
            self.naive.place_oco(above, below, [stop, other])
            self.remember(stop, other)

        return "OCO", lambda: self.exchange.place_list(account, request, self.now), on_naive

    def oto(self):
        account, side = self.chance.choice(NAMES), self.chance.choice(("BUY", "SELL"))
        working, working_request = self.an_order(account, side, ("LIMIT", "LIMIT_MAKER"))
        back = "SELL" if side == "BUY" else "BUY"
        if self.chance.random() < 0.5:
            stop, other = self.a_pair(account, back)
            above, below = (stop, other) if back == "BUY" else (other, stop)
            request = Otoco(working=working_request, pending_above=as_request(above), pending_below=as_request(below))
            pending = [stop, other]
        else:
            one, pending_request = self.an_order(account, back, ("LIMIT", "MARKET", "LIMIT_MAKER", *CONDITIONAL))
            request = Oto(working=working_request, pending=pending_request)
            pending = [one]

        def on_naive():
            self.name(working, *pending)
            self.naive.place_oto(working, pending)
            self.remember(working, *pending)

        return type(request).__name__.upper(), lambda: self.exchange.place_list(account, request, self.now), on_naive

    def cancel(self):
        """One of the newest, or the oldest; perhaps one that is gone."""
        order = self.chance.choice(self.known) if self.known and self.chance.random() < 0.7 else None
        if order is None:
            order = next((o for o in self.naive.orders if o.account is not None), None)
        if order is None:
            return self.new()

        def on_naive():
            if not order.is_open:
                raise Refused("Unknown order sent.")
            self.naive.cancel(order)

        call = self.exchange.cancel
        return "cancel", lambda: call(order.account, "BTCUSDT", self.now, order_id=order.id), on_naive

    def amend(self):
        order = self.chance.choice(self.known) if self.known else None
        done = order.filled + order.prevented if order is not None else Decimal(0)
        if order is None or not order.is_open or order.qty - done < 2 * LOT:
            return self.new()
        qty = done + self.chance.randint(1, int((order.qty - done) / LOT) - 1) * LOT
        call = self.exchange.amend_keep_priority
        return (
            "amend",
            lambda: call(order.account, "BTCUSDT", self.now, order_id=order.id, new_qty=qty),
            lambda: self.naive.amend(order, qty),
        )

    def move(self):
        account, asset = self.chance.choice(NAMES), self.chance.choice(("USDT", "BTC"))
        size = 400 if asset == "USDT" else 4
        amount = Decimal(self.chance.randint(-size * 100, size * 110)) / 100

        def on_engine():
            self.exchange.move(account, asset, amount, "TRANSFER", self.now)

        return "move", on_engine, lambda: self.naive.move(account, asset, amount)

    def restart(self):
        """The engine starts again from what it saved; everyone else is gone, and nothing has traded yet."""

        def on_engine():
            wire = msgspec.msgpack.encode(self.exchange.saved())
            saved = msgspec.msgpack.decode(wire, type=Saved)
            self.exchange = Exchange([SPEC], self.accounts, self.market, now=self.now, saved=saved)
            self.last_id = self.exchange.depth("BTCUSDT").last_update_id
            self.exchange.forget_book_changes("BTCUSDT")
            depth = self.exchange.depth("BTCUSDT", 1_000)
            self.seen = {True: dict(depth.bids), False: dict(depth.asks)}

        def on_naive():
            self.naive.last = None
            self.naive.orders = [order for order in self.naive.orders if order.account is not None]
            for order in self.naive.orders:
                if order.place is not None:
                    order.shown = min(order.peak or order.leaves, order.leaves)

        return "restart", on_engine, on_naive

    def flow(self):
        self.flow_key -= 1
        key, is_buy = self.flow_key, self.chance.random() < 0.5
        order = Order(None, "BUY" if is_buy else "SELL", "LIMIT", self.qty(), price=self.price(), id=key)
        what, action = self.chance.choice(("Rest", "Take", "Withdraw")), None
        gone = next((o for o in self.naive.orders if o.account is None), None)
        if what == "Rest":
            action = Rest("BTCUSDT", self.now, key, is_buy, int(order.price / TICK), int(order.qty / LOT))
        elif what == "Take" or gone is None:
            order.tif = "IOC"
            action = Take("BTCUSDT", self.now, is_buy, int(order.price / TICK), int(order.qty / LOT))
        else:
            action = Withdraw("BTCUSDT", self.now, gone.id)

        def on_engine():
            self.market.todo.append(action)
            self.exchange.advance(self.now)

        def on_naive():
            if isinstance(action, Withdraw):
                self.naive.end(gone, "CANCELED", None)
            else:
                self.naive.place(order)

        return what, on_engine, on_naive

    # -- whether they agree -----------------------------------------------------------------------------------------------
    def compare(self) -> None:
        exchange, naive = self.exchange, self.naive
        depth = exchange.depth("BTCUSDT", 1_000)
        assert depth.bids == naive.depth("BUY")
        assert depth.asks == naive.depth("SELL")
        assert not (depth.bids and depth.asks) or depth.bids[0][0] < depth.asks[0][0]
        for name in NAMES:
            assert exchange.balances(name) == naive.balances(name)
            assert exchange.balances(name) == self.told_balances[name]
            assert all(free >= 0 and locked >= 0 for free, locked in exchange.balances(name).values())
            rows = exchange.open_orders(name)
            assert [told(row) for row in rows] == [told(self.told_rows[row.order_id]) for row in rows]
            for row in exchange.open_order_lists(name):
                assert self.told_lists[row.order_list_id] == "EXECUTING"
                assert any(order.status in ("NEW", "PARTIALLY_FILLED", "PENDING_NEW") for order in row.orders)
            ours = {row.order_id: facts(row) for row in rows}
            assert ours == {o.id: expected(o) for o in naive.orders if o.account == name}
        for order in self.known:
            if not order.is_open:
                self.compare_ended(order)
        for asset, total in self.totals.items():
            assert self.ledger.total(asset) == total
        self.follow_the_book(depth)

    def compare_ended(self, order: Order) -> None:
        row = self.exchange.order(order.account, "BTCUSDT", order_id=order.id)
        assert told(row) == told(self.told_rows[order.id])
        assert (facts(row), row.expiry_reason) == (expected(order), order.reason)

    def follow_the_book(self, depth) -> None:
        delta = self.exchange.take_book_delta("BTCUSDT")
        if delta is None:
            assert depth.last_update_id == self.last_id
            return
        assert (delta.first_update_id, delta.last_update_id) == (self.last_id + 1, depth.last_update_id)
        self.last_id = delta.last_update_id
        for is_bid, levels in ((True, delta.bids), (False, delta.asks)):
            side = self.seen[is_bid]
            for price, quantity in levels:
                side[price] = quantity
                if not quantity:
                    del side[price]
        assert tuple(sorted(self.seen[True].items(), reverse=True)) == depth.bids
        assert tuple(sorted(self.seen[False].items())) == depth.asks


def as_request(order: Order) -> NewOrder:
    has_tif = order.price is not None and order.kind != "LIMIT_MAKER"
    return NewOrder(
        symbol="BTCUSDT",
        side=order.side,
        kind=Kind(order.kind),
        quantity=order.qty,
        price=order.price,
        time_in_force=order.tif if has_tif else None,
        stop_price=order.stop,
        trailing_delta=order.delta,
        iceberg_qty=order.peak,
        stp_mode=order.mode,
    )


def told(row):
    """A row as its reports tell it: nothing is reported when a stop price is reached and the order begins to trail."""
    return msgspec.structs.replace(row, trailing_time=None) if row.stop_price else row


def facts(row):
    return (str(row.status), row.orig_qty, row.executed_qty, row.prevented_quantity, row.is_working)


def expected(order: Order):
    is_working = order.status in ("NEW", "PARTIALLY_FILLED") and not order.waits
    return (order.status, order.qty, order.filled, order.prevented, is_working)


@pytest.mark.parametrize("seed", range(20))
def test_the_engine_does_what_the_naive_exchange_does(seed):
    game = Game(seed)
    game.play(1_000, look_every=10)


def test_the_games_play_everything():
    game = Game(7)
    game.play(4_000, look_every=100)
    outcomes = {name for name, times in game.outcomes.items() if times > 2}
    for kind in ("LIMIT", "MARKET", "LIMIT_MAKER", *CONDITIONAL, "by amount", "OCO", "OTO", "cancel", "amend", "OTOCO", "restart", "move", "Rest", "Take", "Withdraw"):  # fmt: skip
        assert f"{kind}: None" in outcomes
    for refused in ("LIMIT: Account has insufficient balance for requested action.", "LIMIT_MAKER: Order would immediately match and take.", "STOP_LOSS: Order would trigger immediately.", "OCO: The relationship of the prices for the orders is not correct."):  # fmt: skip
        assert refused in outcomes


if __name__ == "__main__":
    played: dict[str, int] = {}
    for seed in range(1_000, 1_100):
        game = Game(seed)
        game.play(10_000, look_every=20)
        for outcome, times in game.outcomes.items():
            played[outcome] = played.get(outcome, 0) + times
        sys.stdout.write(f"\rseed {seed}: {sum(played.values()):,} operations agree")
    sys.stdout.write("\n" + "".join(f"{times:9,} {outcome}\n" for outcome, times in sorted(played.items())))
