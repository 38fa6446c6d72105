"""What accounts share: sums that always equal their parts, a cap that no race passes, and orders that do not meet."""

import threading
from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from order_builders import BTC, an_instrument, an_order, d

from tradedesk.domain.accounts import Account, Mode
from tradedesk.domain.limits import Limits, Totals
from tradedesk.domain.orders import Order
from tradedesk.domain.words import AccountId, ClientOrderId, InstrumentId, Side, VenueId
from tradedesk.domain.worst_case import Interval
from tradedesk.risk.days import DESK
from tradedesk.risk.exposure_rules import larger
from tradedesk.risk.reservations import Holding, Reservations

ETH = InstrumentId("binance:ETHUSDT")
NAMES = ("acme", "birch", "cedar")
TOTALS = {DESK: (Totals(max_exposure=d(1)), "file"), "group growth": (Totals(max_exposure=d(1)), "file")}


def client(
    name: str, *, owner: str | None = None, groups: tuple[str, ...] = ("growth",), stp: str | None = None
) -> Account:
    return Account(
        id=AccountId(name), venue=VenueId("binance"), owner=owner or name, groups=groups, mode=Mode.Paper,
        egress="127.0.0.2", secret=name, limits=Limits(), stp_group=stp,
    )  # fmt: skip


def a_holding(low: str, high: str, asset: str = "BTC") -> Holding:
    return Holding(asset=asset, value=Interval(low=d(low), high=d(high)))


values = st.none() | st.tuples(st.integers(-50, 50), st.integers(-50, 50)).map(
    lambda ends: Interval(low=Decimal(min(ends)), high=Decimal(max(ends)))
)
steps = st.lists(st.tuples(st.sampled_from(NAMES), st.sampled_from([BTC, ETH]), values), max_size=30)


@given(steps)
def test_the_sums_are_those_of_what_is_held_last(changes):
    """5.4: however holdings came and went"""
    shared = Reservations([client(name) for name in NAMES[:2]] + [client("cedar", groups=())], TOTALS, "USDT")
    held: dict[tuple[str, InstrumentId], Interval | None] = {}
    for name, instrument, value in changes:
        shared.hold(AccountId(name), instrument, Holding(asset=instrument, value=value))
        held[name, instrument] = value
    for name in NAMES:
        scopes = {scope.name: scope for scope in shared.together(AccountId(name), an_instrument())}
        assert set(scopes) == ({DESK} if name == "cedar" else {DESK, "group growth"})
        for scope, members in ((DESK, NAMES), ("group growth", NAMES[:2])):
            if scope not in scopes:
                continue
            rest = {key: value for key, value in held.items() if key[0] in members and key != (name, BTC)}
            known = [value for value in rest.values() if value is not None]
            exposure = scopes[scope].exposure
            assert exposure.gross == sum(map(larger, known))
            assert exposure.net == Interval(
                low=sum((v.low for v in known), d(0)), high=sum((v.high for v in known), d(0))
            )
            assert sorted(exposure.unvalued) == sorted(key[1] for key, value in rest.items() if value is None)


def test_an_account_sees_its_own_other_instruments_and_not_the_one_that_is_judged():
    shared = Reservations([client("acme"), client("birch")], {}, "USDT")
    shared.hold(AccountId("acme"), BTC, a_holding("0", "10"))
    shared.hold(AccountId("acme"), ETH, a_holding("-7", "3", "ETH"))
    shared.hold(AccountId("birch"), ETH, a_holding("0", "100", "ETH"))
    assert shared.others(AccountId("acme"), BTC).gross == 7
    assert shared.together(AccountId("acme"), an_instrument()) == ()


def order(key: str, account: str, side: Side, price: str | None) -> Order:
    return msgspec.structs.replace(
        an_order(key, side=side, price=price), account=AccountId(account), client_order_id=ClientOrderId(key)
    )


@pytest.mark.parametrize(
    ("side", "price", "met"),
    [
        (Side.Buy, "100", "a2"),  # the best price first
        (Side.Buy, "99", "a2"),
        (Side.Buy, "98.99", None),
        (Side.Buy, None, "a2"),  # at the market everything is met
        (Side.Sell, "90", "b1"),
        (Side.Sell, "90.01", None),
    ],
)
def test_an_order_meets_the_best_of_another_account_that_its_price_reaches(side, price, met):
    shared = Reservations([client(name) for name in NAMES], {}, "USDT")
    orders = [
        order("a1", "acme", Side.Sell, "100"),
        order("a2", "acme", Side.Sell, "99"),
        order("b1", "acme", Side.Buy, "90"),
    ]
    for one in orders:
        shared.put(one)
    found = shared.crossing(order("x", "birch", side, price))
    assert (found.price if found is not None else None) == next(
        (one.price for one in orders if one.client_order_id == met), None
    )
    assert shared.crossing(order("x", "acme", side, price)) is None  # its own are the venue's to keep apart


def test_what_is_live_no_more_is_met_no_more_and_a_market_order_in_flight_is():
    shared = Reservations([client(name) for name in NAMES], {}, "USDT")
    resting, market = order("a1", "acme", Side.Sell, "100"), order("a2", "acme", Side.Sell, None)
    shared.put(resting)
    shared.put(market)
    found = shared.crossing(order("x", "birch", Side.Buy, "50"))
    assert found is not None
    assert found.price is None
    shared.drop(market)
    shared.drop(market)  # told twice
    assert shared.crossing(order("x", "birch", Side.Buy, "50")) is None
    shared.forget_orders(AccountId("acme"))
    assert shared.crossing(order("x", "birch", Side.Buy, "100")) is None


def test_owner_and_self_trade_group_of_the_two_are_told():
    accounts = [client("acme", owner="smith", stp="desk"), client("birch", owner="smith"), client("cedar", stp="desk")]
    shared = Reservations(accounts, {}, "USDT")
    shared.put(order("a1", "acme", Side.Sell, "100"))
    found = {name: shared.crossing(order("x", name, Side.Buy, "100")) for name in ("birch", "cedar")}
    assert {name: (met.is_same_owner, met.is_prevented) for name, met in found.items() if met is not None} == {
        "birch": (True, False),
        "cedar": (False, True),
    }


def test_accounts_that_race_never_take_more_than_they_share():
    """Each takes what is left as it sees it, judged and reserved under one lock"""
    names = [f"a{n}" for n in range(8)]
    shared = Reservations([client(name) for name in names], TOTALS, "USDT")
    most, start = d(100), threading.Barrier(len(names))

    def race(name: str) -> None:
        account, held = AccountId(name), d(0)
        start.wait()
        for _ in range(200):
            with shared.lock:
                (growth, _desk) = shared.together(account, an_instrument())
                if growth.exposure.gross + held + 1 <= most:
                    held += 1
                    shared.hold(account, BTC, a_holding("0", str(held)))

    threads = [threading.Thread(target=race, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (growth, _) = shared.together(AccountId("a0"), msgspec.structs.replace(an_instrument(), id=ETH))
    assert growth.exposure.gross == most
