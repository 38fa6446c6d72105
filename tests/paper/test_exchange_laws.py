"""What holds on the pure exchange whatever clients and the market do."""

from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st
from paper_builders import BTC, SECOND, T0, an_account, limit, maker, market

from tradedesk.paper.exchange import Exchange
from tradedesk.paper.ledger import to_units
from tradedesk.paper.market import Quiet
from tradedesk.paper.rows import AccountChanged, Execution, Refusal
from tradedesk.paper.synthetic import Synthetic

ACCOUNTS = [an_account("acme"), an_account("birch", maker="0.0007", taker="0.00133", USDT="90000", BTC="1.5")]
names = st.sampled_from(["acme", "birch"])
sides = st.sampled_from(["BUY", "SELL"])
quantities = st.integers(1, 90000).map(lambda lots: str(lots * BTC.lot))


def prices(middle):
    return st.integers(-300, 300).map(lambda ticks: str(middle + ticks * BTC.tick))


def calls(middle):
    return st.lists(
        st.tuples(
            names,
            st.one_of(
                st.builds(limit, sides, quantities, prices(middle), st.sampled_from(["GTC", "GTC", "IOC", "FOK"])),
                st.builds(maker, sides, quantities, prices(middle)),
                st.builds(market, sides, quantities),
                st.builds(lambda side, quote: market(side, quote=str(quote)), sides, st.integers(5, 30000)),
                st.integers(0, 30),  # cancel the n-th order from the end
            ),
            st.integers(0, SECOND),
        ),
        max_size=40,
    )


def play(exchange, calls, check=lambda exchange: None):
    """Everything the exchange answered, refusals too."""
    now, placed, answers = T0, [], []
    for account, what, later in calls:
        now += later
        try:
            if isinstance(what, int):
                if placed:
                    owner, order_id = placed[-1 - what % len(placed)]
                    answers.append(exchange.cancel(owner, "BTCUSDT", now, order_id=order_id))
            else:
                row = exchange.place(account, what, now)
                placed.append((account, row.order_id))
                answers.append(row)
        except Refusal as refused:
            answers.append((refused.code, refused.message))
        answers += exchange.drain()
        check(exchange)
    return answers


def check_balances(exchange):
    ledger = exchange._engine.ledger
    for asset in ("USDT", "BTC"):
        assert ledger.total(asset) == sum(to_units(a.balances[asset]) for a in ACCOUNTS)
    for account in ("acme", "birch"):
        needed = {"USDT": Decimal(0), "BTC": Decimal(0)}
        for row in exchange.open_orders(account):
            leaves = row.orig_qty - row.executed_qty
            needed["USDT" if row.side == "BUY" else "BTC"] += leaves * row.price if row.side == "BUY" else leaves
        for asset, (free, locked) in exchange.balances(account).items():
            assert free >= 0
            assert locked == needed[asset]


@settings(max_examples=60, deadline=None)
@given(calls(60000))
def test_nothing_is_made_or_lost_and_locked_is_what_open_orders_need(calls):
    play(Exchange([BTC], ACCOUNTS, Quiet(), now=T0), calls, check_balances)


@settings(max_examples=15, deadline=None)
@given(calls(Decimal("61837.63")), st.integers(0, 3))
def test_the_same_holds_with_a_market_and_the_commissions_paid_are_those_of_the_trades(calls, seed):
    exchange = Exchange([BTC], ACCOUNTS, Synthetic([BTC], seed), now=T0)
    play(exchange, calls, check_balances)
    trades = [t for name in ("acme", "birch") for t in exchange.my_trades(name, "BTCUSDT", limit=10_000)]
    for asset in ("USDT", "BTC"):
        paid = sum(to_units(t.commission) for t in trades if t.commission_asset == asset)
        assert paid == exchange._engine.ledger.commissions.get(asset, 0)


@settings(max_examples=10, deadline=None)
@given(calls(Decimal("61837.63")), st.integers(0, 3))
def test_the_same_seed_and_the_same_calls_give_the_same_answers(calls, seed):
    once, again = (play(Exchange([BTC], ACCOUNTS, Synthetic([BTC], seed), now=T0), calls) for _ in range(2))
    assert once == again


@settings(max_examples=40, deadline=None)
@given(calls(60000))
def test_an_order_and_a_balance_follow_from_the_events_alone(calls):
    exchange = Exchange([BTC], ACCOUNTS, Quiet(), now=T0)
    events = [e for e in play(exchange, calls) if isinstance(e, Execution | AccountChanged)]
    rows = {e.row.order_id: e.row for e in events if isinstance(e, Execution)}
    traded = {}
    for e in events:
        if isinstance(e, Execution) and e.fill is not None:
            traded[e.fill.order_id] = traded.get(e.fill.order_id, 0) + e.fill.quantity
    for row in rows.values():
        assert exchange.order(row.account, "BTCUSDT", order_id=row.order_id) == row
        assert row.executed_qty == traded.get(row.order_id, 0)
    told = {a.name: {asset: (amount, Decimal(0)) for asset, amount in a.balances.items()} for a in ACCOUNTS}
    for e in events:
        if isinstance(e, AccountChanged):
            told[e.account] |= e.balances
    assert told == {a.name: exchange.balances(a.name) for a in ACCOUNTS}
