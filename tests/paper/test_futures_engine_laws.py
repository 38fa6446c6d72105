"""What holds on the futures engine whatever clients, the market and the operator do."""

from decimal import Decimal
from random import Random

import pytest
from futures_builders import BTC, ETH, SECOND, T0, algo, cheap, limit, market, stop, trader
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from tradedesk.paper.futures.exchange import FuturesExchange
from tradedesk.paper.futures.rows import AccountUpdate, ForceOrder, Modify, OrderChanged, Type
from tradedesk.paper.ledger import to_units
from tradedesk.paper.market import Quiet
from tradedesk.paper.rows import Refusal
from tradedesk.paper.synthetic import Synthetic

ACCOUNTS = [
    trader("acme", "70", maker="0.0002", taker="0.0005", group="one"),
    trader("birch", "200", maker="-0.0001", taker="0.00033", group="one"),
    trader("cedar", "40", taker="0.0005"),
    trader("dune", "1000000"),
]
NAMES = [a.name for a in ACCOUNTS]
names = st.sampled_from(NAMES)
sides = st.sampled_from(["BUY", "SELL"])
position_sides = st.sampled_from(["LONG", "SHORT"])  # meant for hedge mode; one-way accounts send BOTH
quantities = st.sampled_from(["0.1", "1", "2.5", "7", "7", "40"])
prices = st.integers(980, 1020).map(lambda tenths: f"{Decimal(tenths) / 10}")
stp = st.sampled_from(["NONE", "EXPIRE_MAKER", "EXPIRE_TAKER", "EXPIRE_BOTH"])
maybe = st.sampled_from([None, None, True])
STOPS = [Type.STOP_MARKET, Type.TAKE_PROFIT_MARKET]

orders = st.one_of(
    st.builds(
        lambda side, qty, price, tif, ps, ro, mode: limit(
            side, qty, price, tif, position_side=ps, reduce_only=ro, stp_mode=mode
        ),
        sides, quantities, prices, st.sampled_from(["GTC", "GTC", "GTC", "IOC", "FOK", "GTX"]), position_sides, maybe, stp,
    ),
    st.builds(
        lambda side, qty, ps, ro: market(side, qty, position_side=ps, reduce_only=ro),
        sides, quantities, position_sides, maybe,
    ),
    st.builds(
        lambda kind, side, qty, trigger, ps, ro: stop(kind, side, qty, trigger, position_side=ps, reduce_only=ro),
        st.sampled_from(STOPS), sides, quantities, prices, position_sides, maybe,
    ),
    st.builds(
        lambda side, qty, trigger, price, ps: stop(Type.STOP, side, qty, trigger, price, position_side=ps),
        sides, quantities, prices, prices, position_sides,
    ),
    st.builds(
        lambda side, qty: stop(Type.TRAILING_STOP_MARKET, side, qty, None, callback_rate=Decimal("0.5")),
        sides, quantities,
    ),
)  # fmt: skip
algos = st.builds(
    lambda kind, side, qty, trigger, ps, close: algo(
        kind, side, None if close else qty, trigger, position_side=ps, close_position=close
    ),
    st.sampled_from(STOPS), sides, quantities, prices, position_sides, st.booleans(),
)  # fmt: skip


def call(verb, args):
    return args.map(lambda arg: (verb, arg))


whats = st.one_of(
    *[call("place", orders)] * 8,
    *[call("refill", st.sampled_from(["8", "60"]))] * 3,
    *[call("mark", st.integers(80, 120))] * 2,
    call("algo", algos),
    call("cancel", st.integers(0, 9)),
    call("modify", st.tuples(st.integers(0, 5), quantities, prices)),
    call("leverage", st.sampled_from([1, 20, 100, 125])),
    call("margin", st.sampled_from(["CROSSED", "ISOLATED"])),
    call("isolated", st.tuples(st.booleans(), st.integers(1, 30))),
    call("dual", st.booleans()),
    call("transfer", st.integers(-50, 50)),
    call("fund", st.sampled_from(["0.0001", "-0.02", "0.02"])),
    call("countdown", st.just(2_000)),
    call("cancel_all", st.none()),
)
calls = st.lists(st.tuples(names, whats, st.integers(0, 2 * SECOND)), min_size=5, max_size=60)


def fitting(exchange, name, order):
    """The order as the account's position mode wants it, its prices about the mark instead of 100."""
    away = exchange.mark_price("BTCUSDT").mark.quantize(BTC.spec.tick) - 100
    moved = {f: getattr(order, f) for f in ("price", "stop_price", "trigger_price") if getattr(order, f, None)}
    order = replace(order, **{f: price + away for f, price in moved.items()})
    return replace(order, reduce_only=None) if exchange.dual_side(name) else replace(order, position_side="BOTH")


def act(exchange, name, what, now):
    """One call; its answer, or the refusal."""
    verb, arg = what
    symbol = "BTCUSDT"
    try:
        match verb:
            case "place":
                return exchange.place(name, fitting(exchange, name, arg), now)
            case "algo":
                return exchange.place_algo(name, fitting(exchange, name, arg), now)
            case "refill":
                mark = exchange.mark_price(symbol).mark.quantize(BTC.spec.tick)
                exchange.cancel_all("dune", symbol, now)
                side = "LONG" if exchange.dual_side("dune") else "BOTH"
                exchange.place("dune", limit("BUY", arg, str(mark - 1), position_side=side), now)
                side = "SHORT" if exchange.dual_side("dune") else "BOTH"
                return exchange.place("dune", limit("SELL", arg, str(mark + 1), position_side=side), now)
            case "cancel" | "modify":
                n = arg if verb == "cancel" else arg[0]
                rows = exchange.all_orders(name, symbol)
                if not rows:
                    return None
                row = rows[-1 - n % len(rows)]
                if verb == "cancel":
                    return exchange.cancel(name, symbol, now, order_id=row.order_id)
                change = Modify(
                    symbol=symbol, side=row.side, quantity=Decimal(arg[1]), price=Decimal(arg[2]), order_id=row.order_id
                )
                return exchange.modify(name, change, now)
            case "leverage":
                return exchange.set_leverage(name, symbol, arg, now)
            case "margin":
                return exchange.set_margin_type(name, symbol, arg, now)
            case "isolated":
                side = "LONG" if exchange.dual_side(name) else "BOTH"
                amount = Decimal(arg[1])
                return exchange.change_position_margin(name, symbol, amount, now, add=arg[0], position_side=side)
            case "dual":
                return exchange.set_dual_side(name, arg, now)
            case "transfer":
                return exchange.transfer(name, "USDT", Decimal(arg), now)
            case "mark":
                return exchange.set_mark_price(symbol, Decimal(arg), now)
            case "fund":
                exchange.set_funding_rate(symbol, Decimal(arg))
                return exchange.fund_now(symbol, now)
            case "countdown":
                return exchange.countdown_cancel_all(name, symbol, arg, now)
            case "cancel_all":
                return exchange.cancel_all(name, symbol, now)
    except Refusal as refused:
        return refused.code, refused.message


def play(exchange, calls, check=lambda exchange, events: None):
    now, answers = T0, []
    for name, what, later in calls:
        now += later
        answers.append(act(exchange, name, what, now))
        events = exchange.drain()
        answers += events
        check(exchange, events)
    return answers


def quiet():
    return FuturesExchange([cheap(BTC)], ACCOUNTS, Quiet(), now=T0, index=lambda symbol, now: Decimal(100))


def check_money(exchange, events=()):
    floor = exchange._floor
    assert floor.total("USDT") == floor.deposited["USDT"]
    for account in floor.accounts.values():
        earned = sum(to_units(row.income) for row in account.income)
        assert account.wallets["USDT"] == to_units(account.spec.balances["USDT"]) + earned


def check_positions(exchange, events=()):
    floor = exchange._floor
    for account in floor.accounts.values():
        for (symbol, side), (instrument, position) in account.positions.items():
            fills = [t for t in account.trades.get(symbol, ()) if t.position_side == side]
            bought = sum(t.quantity if t.is_buyer else -t.quantity for t in fills)
            assert position.lots * instrument.spec.lot == bought
            assert position.lots >= 0 or side != "LONG"
            assert position.lots <= 0 or side != "SHORT"
            assert position.lots or position.cost == position.isolated == position.carried == 0
            assert position.isolated >= 0
            assert not position.isolated or account.settings_of(instrument).isolated
            for is_buy, counted in ((True, position.bids), (False, position.asks)):
                resting = [o for o in instrument.resting.values() if o.position is position and o.is_buy == is_buy]
                free = [o for o in resting if not o.may_only_reduce]
                assert counted == sum(o.price * o.leaves * instrument.grid.tick_lot for o in free)
                assert all(position.reducible(is_buy) for o in resting if o.may_only_reduce)


def check_orders(exchange, events=()):
    floor = exchange._floor
    for instrument in floor.instruments.values():
        bid, ask = instrument.book.best_bid(), instrument.book.best_ask()
        assert bid is None or ask is None or bid < ask
        for order in instrument.resting.values():
            assert instrument.book.get(order.id).leaves == order.leaves
    for account in floor.accounts.values():
        for order in account.open.values():
            assert order.is_open
            assert (order.id in order.instrument.resting) != (order.id in order.instrument.waiting)
        for order in (o for orders in account.orders.values() for o in orders):
            assert order.is_open == (order.id in account.open)
            assert order.is_open or not order.reserved


def check_all(exchange, events):
    check_money(exchange)
    check_positions(exchange)
    check_orders(exchange)


@settings(max_examples=120, deadline=None)
@given(calls)
def test_money_positions_and_orders_add_up_after_every_call(calls):
    exchange = quiet()
    play(exchange, calls, check_all)
    lots = [p.lots for a in exchange._floor.accounts.values() for _, p in a.positions.values()]
    assert sum(lots) == 0  # nobody else is there


@settings(max_examples=40, deadline=None)
@given(calls)
def test_wallets_positions_and_orders_follow_from_the_events_alone(calls):
    exchange = quiet()
    events = [e for e in play(exchange, calls) if isinstance(e, OrderChanged | AccountUpdate)]
    wallets = {a.name: a.balances["USDT"] for a in ACCOUNTS}
    held, rows = {}, {}
    for e in events:
        if isinstance(e, OrderChanged):
            rows[e.row.order_id] = e.row
        else:
            wallets[e.account] = e.balances[0].wallet
            held |= {(e.account, p.position_side): (p.amount, p.entry_price) for p in e.positions}
    for name in NAMES:
        account = exchange._floor.accounts[name]
        assert wallets[name] == Decimal(account.wallets["USDT"]).scaleb(-8)
        for _, position in account.positions.values():
            lot = BTC.spec.lot
            told = held.get((name, position.side), (0, 0))
            assert told == (position.lots * lot, position.entry_price(lot))
        for row in exchange.all_orders(name, "BTCUSDT", limit=1000):
            last = rows[row.order_id]
            assert (last.status, last.executed_qty, last.price, last.orig_qty) == (
                row.status,
                row.executed_qty,
                row.price,
                row.orig_qty,
            )


@settings(max_examples=12, deadline=None)
@given(calls, st.integers(0, 3))
def test_the_same_holds_with_a_market_and_the_same_seed_gives_the_same_answers(calls, seed):
    def busy():
        contracts = [cheap(BTC), ETH]
        specs = [c.spec for c in contracts]
        starts = {"BTCUSDT": Decimal(100), "ETHUSDT": Decimal(2500)}
        return FuturesExchange(contracts, ACCOUNTS, Synthetic(specs, seed, prices=starts), now=T0)

    assert play(busy(), calls, check_all) == play(busy(), calls)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(sides, quantities, prices, st.booleans()), max_size=25))
def test_an_order_that_is_taken_never_leaves_less_than_no_margin(wanted):
    poor, rich = trader("acme", "300"), trader("dune", "1000000000")
    exchange = FuturesExchange([cheap(BTC)], [poor, rich], Quiet(), now=T0, index=lambda symbol, now: Decimal(100))
    for price in ("97", "98", "99", "99.5"):
        exchange.place("dune", limit("BUY", "5", price), T0)
    for price in ("100.5", "101", "102", "103"):
        exchange.place("dune", limit("SELL", "5", price), T0)
    exchange.set_mark_price("BTCUSDT", Decimal(100), T0)
    for side, qty, price, is_market in wanted:
        was = exchange.positions("acme", T0, "BTCUSDT")[0].amount
        if was * (1 if side == "BUY" else -1) < 0:
            continue  # it would close: that is allowed without margin
        act(exchange, "acme", ("place", market(side, qty) if is_market else limit(side, qty, price)), T0)
        row = exchange.assets("acme", T0)[0]
        free = row.cross_wallet_balance + row.cross_unrealized_profit - row.initial_margin
        assert free >= Decimal("-0.00000010")  # the rounding of margins, a unit each


def drawn(random, count):
    """A long run of calls by a few who trade much with little margin while the mark wanders and sometimes jumps."""
    mark = 100
    for _ in range(count):
        name = random.choice(NAMES[:3])
        side = random.choice(["BUY", "SELL"])
        hedge = random.choice(["LONG", "SHORT"])
        mark = min(150, max(60, mark + random.choice([-2, -1, 0, 1, 2]) * random.choice([1, 1, 1, 4])))
        price = f"{100 + random.randint(-15, 15) / 10:.1f}"
        qty = random.choice(["0.5", "1", "2.5", "7"])
        what = random.choices(
            [
                ("place", market(side, qty, position_side=hedge, reduce_only=random.choice([None, None, True]))),
                ("place", limit(side, qty, price, random.choice(["GTC", "GTC", "IOC", "GTX"]), position_side=hedge)),
                ("place", limit(side, qty, price, position_side=hedge, reduce_only=True)),
                ("place", stop(random.choice(STOPS), side, qty, price, position_side=hedge)),
                ("algo", algo(random.choice(STOPS), side, None, price, position_side=hedge, close_position=True)),
                ("refill", random.choice(["8", "60"])),
                ("mark", mark),
                ("modify", (random.randint(0, 3), qty, price)),
                ("cancel", random.randint(0, 3)),
                ("leverage", random.choice([20, 50, 125])),
                ("margin", random.choice(["CROSSED", "ISOLATED"])),
                ("isolated", (random.random() < 0.5, random.randint(1, 10))),
                ("dual", random.random() < 0.5),
                ("transfer", 40),
                ("cancel_all", None),
                ("fund", random.choice(["0.02", "-0.02"])),
            ],
            [14, 10, 4, 3, 2, 12, 8, 3, 2, 3, 2, 2, 2, 3, 3, 1],
        )[0]
        yield name, what, random.randint(0, SECOND // 4)


@pytest.mark.parametrize("seed", range(12))
def test_long_runs_with_liquidations_and_the_insurance_fund_add_up_too(seed):
    exchange = quiet()
    answers = play(exchange, drawn(Random(seed), 800), check_all)
    assert any(isinstance(a, ForceOrder) for a in answers), f"seed {seed} liquidates nobody"
    assert exchange._floor.insurance
