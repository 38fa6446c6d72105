"""A budget is a set of scopes: whoever shares one at the venue shares its budget here, and nobody else feels it."""

from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tradedesk.venues.budgets import Budget, Client, Scopes, State, Turn
from tradedesk.venues.pools import SECOND_NS, Limit, Per, Pool, Price, Priority, Unit
from tradedesk.venues.spot_prices import LIMITS, price_of

WINDOW_NS = 60 * SECOND_NS
SHARED = ("exit", "key", "uid", "master")
PER = {"exit": Per.Exit, "key": Per.Key, "uid": Per.Uid, "master": Per.Master}
OWN = {"exit": "127.0.0.{0}", "key": "k{0}", "uid": "u{0}", "master": "m{0}"}


def a_limit(per: Per, most: int = 20, unit: Unit = Unit.Weight) -> Limit:
    return Limit(per=per, unit=unit, most=most, window_ns=WINDOW_NS, header=f"used-{per.name.lower()}")


def named(number: int, **same: str) -> Scopes:
    """An account that shares with others what is named, and nothing else."""
    own = {name: text.format(number) for name, text in OWN.items()}
    return Scopes(account=f"a{number}", **(own | same))


def ask(
    budget: Budget,
    client: Client,
    priority: Priority = Priority.Order,
    price: Price | None = None,
    instrument: str | None = None,
) -> Turn:
    return budget.ask(client, {Unit.Weight: 1} if price is None else price, priority, 0, instrument)[0]


def room(budget: Budget, client: Client, priority: Priority = Priority.Order, instrument: str | None = None) -> int:
    """How many requests it has a turn for at once; all are taken."""
    count = 0
    while ask(budget, client, priority, instrument=instrument).state is State.Granted:
        count += 1
    return count


@pytest.mark.parametrize("scope", SHARED)
def test_who_shares_a_limit_at_the_venue_shares_its_budget_and_the_next_one_does_not(scope: str) -> None:
    budget = Budget([a_limit(PER[scope])])
    one, two = (budget.client(named(number, **{scope: "same"})) for number in (1, 2))
    other = budget.client(named(3))
    assert room(budget, one) == 9  # of the eighteen that are no reserve: no client has more than half of what is shared
    assert room(budget, two) == 9
    assert room(budget, other) == 18
    assert ask(budget, two, Priority.Cancel).state is State.Granted


def test_what_an_account_does_not_say_it_shares_is_its_own() -> None:
    budget = Budget([a_limit(per) for per in (Per.Key, Per.Uid, Per.Master)])
    clients = [budget.client(Scopes(exit="127.0.0.1", account=name)) for name in ("acme", "birch")]
    assert [room(budget, client) for client in clients] == [18, 18]
    feed = budget.client(Scopes(exit="127.0.0.1"))
    assert feed.pools == ()  # the market data has an exit, and no account


def test_a_limit_by_instrument_holds_one_instrument_of_one_account() -> None:
    budget = Budget([a_limit(Per.Instrument)])
    one, two = budget.client(named(1)), budget.client(named(2))
    assert room(budget, one, instrument="BTCUSDT") == 18
    assert room(budget, one, instrument="ETHUSDT") == 18
    assert room(budget, two, instrument="BTCUSDT") == 18
    assert ask(budget, one, Priority.Cancel, instrument="BTCUSDT").state is State.Granted
    assert ask(budget, one).state is State.Granted  # what is about no instrument


def test_a_request_that_one_scope_has_no_room_for_takes_nothing_of_the_others() -> None:
    budget = Budget([a_limit(Per.Exit, 100), a_limit(Per.Uid)])
    client = budget.client(named(1))
    assert room(budget, client) == 18
    assert [pool.used(0) for pool in client.pools] == [18, 18]


@settings(deadline=None, max_examples=60)
@given(
    st.lists(
        st.tuples(st.integers(0, 3), st.sampled_from(Priority), st.sampled_from(("BTCUSDT", "ETHUSDT"))), max_size=200
    )
)
def test_no_scope_ever_passes_its_limit_and_each_keeps_room_for_a_cancel(
    asked: list[tuple[int, Priority, str]],
) -> None:
    budget = Budget([*(a_limit(per) for per in PER.values()), a_limit(Per.Instrument)])
    clients = [
        budget.client(Scopes(exit=exit_, account=f"{exit_}{uid}", uid=uid, key=f"{exit_}{uid}", master="m"))
        for exit_, uid in product(("e1", "e2"), ("u1", "u2"))
    ]
    for number, priority, instrument in asked:
        if priority is not Priority.Cancel:
            ask(budget, clients[number], priority, instrument=instrument)
    assert all(pool.used(0) <= 18 for pool in budget._pools.values())
    for client in clients[:2]:
        assert ask(budget, client, Priority.Cancel, instrument="BTCUSDT").state is State.Granted
    assert all(pool.used(0) <= pool.most for pool in budget._pools.values())


def test_a_header_corrects_the_scope_that_it_speaks_of_alone() -> None:
    budget = Budget([a_limit(Per.Exit), a_limit(Per.Uid)])
    client, neighbour = budget.client(named(1)), budget.client(named(2))
    turn = ask(budget, client)
    budget.answered(turn, {"used-uid": "15"}, 0)
    assert [pool.used(0) for pool in client.pools] == [1, 15]
    assert [pool.used(0) for pool in neighbour.pools] == [0, 0]


def test_a_429_closes_the_scope_whose_header_says_it_is_spent_and_no_neighbours() -> None:
    """5.8: an account over its own limit must not stop the exit that it shares."""
    budget = Budget([a_limit(Per.Exit), a_limit(Per.Uid)])
    client, neighbour = (budget.client(named(number, exit="e")) for number in (1, 2))
    turn = ask(budget, client)
    budget.answered(turn, {"used-uid": "20", "used-exit": "3"}, 0)
    budget.told_to_wait(turn, is_orders=False, wait_ns=10 * SECOND_NS, now=0)
    assert ask(budget, client, Priority.Cancel).state is State.Waiting
    assert ask(budget, neighbour).state is State.Granted
    blind = ask(budget, neighbour)
    budget.told_to_wait(blind, is_orders=False, wait_ns=10 * SECOND_NS, now=0)  # nothing says whose: all of them wait
    assert all(pool.closed_until for pool in neighbour.pools)


def test_whose_budget_was_spent_is_said() -> None:
    budget = Budget([a_limit(Per.Exit, 100), a_limit(Per.Master)])
    client = budget.client(named(1))
    room(budget, client)
    assert budget.lacking(ask(budget, client), 0) == "master m1"


def test_an_account_with_two_exits_shares_nothing_with_itself_and_its_account_at_the_venue_stays_one() -> None:
    """By whichever exit it leaves, its orders count together; a standby exit costs it none of them."""
    budget = Budget([a_limit(Per.Exit, 100), a_limit(Per.Uid)])
    main, standby = (budget.client(named(1, exit=exit_)) for exit_ in ("e1", "e2"))
    assert (main.shares, standby.shares) == ({}, {})
    assert room(budget, main) == 18
    assert room(budget, standby) == 0
    assert ask(budget, standby, Priority.Cancel).state is State.Granted
    assert [pool.used(0) for pool in (*main.pools, *standby.pools)] == [18, 19, 1, 19]


# ---- which of Binance's limits belongs to whom ------------------------------------------------------------------------


def pools_of(budget: Budget, client: Client, method: str) -> dict[str, int]:
    turn = ask(budget, client, Priority.Look, price_of(method, {}))
    assert turn.state is State.Granted
    charged: dict[Pool, int] = dict(turn.charges)
    return {f"{pool.limit.unit.name} {pool.whose}": amount for pool, amount in charged.items() if amount}


def test_binance_counts_weight_by_address_and_orders_and_some_of_the_wallet_by_account() -> None:
    budget = Budget(LIMITS)
    client = budget.client(Scopes(exit="127.0.0.2", account="acme", uid="35380"))
    at_exit = {"Weight exit 127.0.0.2", "Requests exit 127.0.0.2"}
    assert set(pools_of(budget, client, "privateGetAccount")) == at_exit
    assert set(pools_of(budget, client, "privatePostOrder")) == at_exit | {"Orders uid 35380"}
    assert pools_of(budget, client, "sapiGetCapitalDepositHisrec") == {
        "Wallet exit 127.0.0.2": 1,
        "Requests exit 127.0.0.2": 1,
    }
    assert pools_of(budget, client, "sapiGetCapitalWithdrawHistory") == {
        "WalletUid uid 35380": 18_000,
        "Requests exit 127.0.0.2": 1,
    }


def test_two_of_our_accounts_that_are_one_at_the_venue_share_its_count_of_orders() -> None:
    budget = Budget(LIMITS)
    one, two = (budget.client(Scopes(exit=f"127.0.0.{n}", account=f"a{n}", uid="35380")) for n in (2, 3))
    alone = budget.client(Scopes(exit="127.0.0.4", account="a4"))
    price = price_of("privatePostOrder", {})
    sent = [sum(ask(budget, client, price=price).state is State.Granted for _ in range(120)) for client in (one, two)]
    assert sent == [50, 50]
    assert sum(ask(budget, alone, price=price).state is State.Granted for _ in range(120)) == 100
