"""No sequence of orders, replaces, fills, ends and limit changes takes anything beyond a hard limit at the worst case (5.4).

Gate and reservations together, over accounts that share a group and a desk, against sums counted here by hand.
"""

import sys
import threading
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from order_builders import BTC, ETH, NOW, a_place, a_venue_state, an_account, an_info, an_instrument, an_order, d
from test_gate import a_quote, around

from tradedesk.accounts.core import Core
from tradedesk.accounts.judge import Judge
from tradedesk.domain.accounts import Account, AccountState
from tradedesk.domain.gate import Approved
from tradedesk.domain.limits import Limits, Totals, effective
from tradedesk.domain.orders import Order, OrdStatus
from tradedesk.domain.positions import opened
from tradedesk.domain.words import AccountId, ClientOrderId, InstrumentId, RequestId, Side
from tradedesk.domain.worst_case import Interval, worst_case
from tradedesk.journal.memory import MemoryJournal
from tradedesk.orders.manager import OrderManager
from tradedesk.orders.messages import Reconciliation
from tradedesk.risk import gate
from tradedesk.risk.case import Case
from tradedesk.risk.days import DESK
from tradedesk.risk.reservations import Holding, Reservations

NAMES = (AccountId("acme"), AccountId("birch"), AccountId("cedar"))
GROWTH = NAMES[:2]  # those of the group
COINS = {BTC: an_instrument("BTC", can_shrink=True), ETH: an_instrument("ETH", can_shrink=True)}
PRICE = d(60_000)  # of either coin
LIMITS = (
    Limits(max_order_notional=d(10**6), max_position=d(6)),
    Limits(max_order_notional=d(10**6), max_position_notional=PRICE * 6),
    Limits(max_order_notional=d(10**6), max_exposure=PRICE * 5, max_net_exposure=PRICE * 3),
)
SHARED = ("max_position_notional", "max_exposure", "max_net_exposure")
OWN = ("max_position", "max_position_notional", "max_exposure", "max_net_exposure")


class Books:
    """Accounts as their workers know them, and the Gate before each: what it approves is live at once."""

    def __init__(self) -> None:
        self.accounts = {
            name: msgspec.structs.replace(
                an_account(limits), id=name, owner="smith", groups=("growth",) if name in GROWTH else ()
            )
            for name, limits in zip(NAMES, LIMITS, strict=True)
        }
        self.totals = {
            "group growth": Totals(max_position_notional=PRICE * 9, max_exposure=PRICE * 14),
            DESK: Totals(max_position_notional=PRICE * 12, max_exposure=PRICE * 18, max_net_exposure=PRICE * 15),
        }
        told = {scope: (totals, "a test") for scope, totals in self.totals.items()}
        self.shared = Reservations(self.accounts.values(), told, "USDT")
        self.positions = {(name, coin): d(0) for name in NAMES for coin in COINS}
        self.live: dict[ClientOrderId, Order] = {}
        self.count = 0

    def orders(self, name: AccountId, coin: InstrumentId) -> list[Order]:
        return [order for order in self.live.values() if (order.account, order.instrument) == (name, coin)]

    def ask(self, order: Order, replaces: Order | None = None) -> bool:
        """Whether the Gate lets it go; with it a replace's old order stays live until it is told what became of it."""
        name, coin = order.account, order.instrument
        without = [one for one in self.orders(name, coin) if one is not replaces]
        position, limits = self.positions[name, coin], self.accounts[name].limits
        given = around(
            position=str(position),
            limits=limits,
            instrument=COINS[coin],
            worst=worst_case(position, without),
            others=self.shared.others(name, coin),
            together=self.shared.together(name, COINS[coin]),
        )
        decision = gate.decide(RequestId(order.client_order_id), order, replaces, given)
        if not isinstance(decision, Approved):
            return False
        self.was_reducing = Case(order=order, replaces=replaces, given=given).is_reducing
        self.live[order.client_order_id] = order
        self.hold(name, coin)
        return True

    def hold(self, name: AccountId, coin: InstrumentId) -> None:
        worst = worst_case(self.positions[name, coin], self.orders(name, coin))
        value = Interval(low=worst.low * PRICE, high=worst.high * PRICE)
        self.shared.hold(name, coin, Holding(asset=COINS[coin].base, value=value))

    # -- what happens ---------------------------------------------------------------------------------------------------

    def new(self, name: AccountId, coin: InstrumentId, side: Side, qty: int, replaces: Order | None = None) -> Order:
        self.count += 1
        order = an_order(f"c{self.count}", side=side, qty=str(qty), instrument=coin, status=OrdStatus.PendingNew)
        old = None if replaces is None else replaces.client_order_id
        return msgspec.structs.replace(order, account=name, replaces=old)

    def place(self, name: AccountId, coin: InstrumentId, side: Side, qty: int, which: int) -> None:
        self.ask(self.new(name, coin, side, qty))

    def replace(self, name: AccountId, coin: InstrumentId, side: Side, qty: int, which: int) -> None:
        old = self._one(name, coin, which)
        if old is not None and not self._heirs(old) and old.replaces not in self.live:
            self.ask(self.new(name, coin, old.side, qty, old), old)

    def shrink(self, name: AccountId, coin: InstrumentId, side: Side, qty: int, which: int) -> None:
        old = self._one(name, coin, which)
        if old is not None and qty > old.cum_qty:
            self.ask(msgspec.structs.replace(old, order_qty=d(qty)), old)

    def fill(self, name: AccountId, coin: InstrumentId, side: Side, qty: int, which: int) -> None:
        order = self._one(name, coin, which)
        if order is None or self._heirs(order):  # what trades while its replace is under way is told apart, below
            return
        if order.replaces is not None:  # what trades is there, so what it replaced is not
            self.live.pop(order.replaces, None)
        traded = min(d(qty), order.leaves_qty)
        self.positions[name, coin] += traded * order.side.sign
        after = msgspec.structs.replace(order, cum_qty=order.cum_qty + traded)
        self.live[order.client_order_id] = after
        if not after.leaves_qty:
            del self.live[order.client_order_id]
        self.hold(name, coin)

    def end(self, name: AccountId, coin: InstrumentId, side: Side, qty: int, which: int) -> None:
        """Cancelled, refused, or replaced; of a pair, either."""
        order = self._one(name, coin, which)
        if order is not None:
            del self.live[order.client_order_id]
            self.hold(name, coin)

    def limit(self, name: AccountId, coin: InstrumentId, side: Side, qty: int, which: int) -> None:
        figure = OWN[which % len(OWN)]
        value = d(qty) if figure == "max_position" else PRICE * qty
        limits = msgspec.structs.replace(self.accounts[name].limits, **{figure: value})
        self.accounts[name] = msgspec.structs.replace(self.accounts[name], limits=limits)

    def limit_together(self, name: AccountId, coin: InstrumentId, side: Side, qty: int, which: int) -> None:
        scope = DESK if side is Side.Buy else "group growth"
        figures = {SHARED[which % len(SHARED)]: PRICE * qty * 2}
        self.totals[scope] = msgspec.structs.replace(self.totals[scope], **figures)
        self.shared.set_totals(scope, self.totals[scope], "a test")

    def _one(self, name: AccountId, coin: InstrumentId, which: int) -> Order | None:
        orders = self.orders(name, coin)
        return orders[which % len(orders)] if orders else None

    def _heirs(self, order: Order) -> bool:
        return any(one.replaces == order.client_order_id for one in self.live.values())

    # -- by hand --------------------------------------------------------------------------------------------------------

    def reach(self, name: AccountId, coin: InstrumentId, side: Side) -> Decimal:
        """How far the account may go in this direction, in coins: what it has and everything on that side, filled."""
        of_old: dict[ClientOrderId, Decimal] = {}  # of an order and its replacement one counts: the larger
        for order in self.orders(name, coin):
            if order.side is side:
                key = order.replaces if order.replaces in self.live else order.client_order_id
                of_old[key] = max(of_old.get(key, d(0)), order.leaves_qty)
        return self.positions[name, coin] * side.sign + sum(of_old.values(), d(0))

    def sums(self) -> Iterator[tuple[tuple[str, ...], Decimal, Any, bool]]:
        """What, how far it may go, its limit, and whether a reduction may pass it: each limit there is."""
        for scope, members in ((DESK, NAMES), ("group growth", GROWTH), *((name, (name,)) for name in NAMES)):
            limits = self.totals[scope] if scope in self.totals else self.accounts[AccountId(scope)].limits
            ends = {
                (coin, side): sum((self.reach(name, coin, side) for name in members), d(0))
                for coin in COINS
                for side in Side
            }
            gross = sum(
                (max(self.reach(name, coin, side) for side in Side) for name in members for coin in COINS), d(0)
            )
            yield (scope, "exposure"), gross * PRICE, limits.max_exposure, False
            for side in Side:
                net = sum((ends[coin, side] for coin in COINS), d(0))
                yield (scope, "net", side), net * PRICE, limits.max_net_exposure, True
                for coin in COINS:
                    is_own = isinstance(limits, Limits)
                    most = limits.max_position_notional
                    if is_own:
                        found = effective(limits, coin)
                        most = None if found is None else found.max_position_notional
                        yield (scope, "coins", coin, side), ends[coin, side], limits.max_position, False
                    yield (scope, "position", coin, side), ends[coin, side] * PRICE, most, not is_own


ACTS = ("place", "place", "place", "replace", "shrink", "fill", "end", "limit", "limit_together")
steps = st.lists(
    st.tuples(
        st.sampled_from(ACTS), st.sampled_from(NAMES), st.sampled_from(list(COINS)), st.sampled_from(Side),
        st.integers(1, 9), st.integers(0, 9),
    ),
    min_size=12,
    max_size=40,
)  # fmt: skip


def beyond(acts: list[tuple[str, AccountId, InstrumentId, Side, int, int]]) -> list[str]:
    """What a step took beyond a limit, or further beyond one that had been lowered under it."""
    books, found = Books(), []
    before = {what: value for what, value, _, _ in books.sums()}
    for act, *how in acts:
        books.was_reducing = False
        getattr(books, act)(*how)
        for what, value, most, passes in books.sums():
            may_grow = passes and books.was_reducing  # whoever closes their own position never waits for others
            if most is not None and value > max(most, before[what]) and not may_grow:
                found.append(f"{act} {how}: {what} may reach {value}, at most {most}")
            before[what] = value
    return found


@given(steps)
@settings(max_examples=60, deadline=None)
def test_nothing_ends_beyond_a_hard_limit_at_the_worst_case(acts):
    """5.4: of accounts, of a group and of the desk"""
    assert beyond(acts) == []


def without(name: str) -> dict[str, Any]:
    return {"LIMIT_RULES": tuple(rule for rule in gate.LIMIT_RULES if rule.__name__ != name)}


def hold_positions_alone(self: Books, name: AccountId, coin: InstrumentId) -> None:
    held = self.positions[name, coin] * PRICE
    self.shared.hold(name, coin, Holding(asset=COINS[coin].base, value=Interval(low=held, high=held)))


BREAKS: list[tuple[str, object, dict[str, Any]]] = [
    *((name, gate, without(name)) for name in ("max_position", "max_position_notional", "exposure", "net_exposure")),
    ("together", gate, {"together": lambda case, instrument, limits: ()}),
    ("pending orders of others", Books, {"hold": hold_positions_alone}),
    ("the larger leg", Case, {"growth": property(lambda case: case.order.leaves_qty - case.order.cum_qty - 1)}),
    ("a shrink is less", Case, {"is_shrinking": property(lambda case: case.replaces is not None)}),
]


@pytest.mark.parametrize(("name", "where", "change"), BREAKS, ids=[name for name, _, _ in BREAKS])
def test_a_gate_that_forgets_one_of_them_is_caught(name, where, change, monkeypatch):
    for what, mutant in change.items():
        monkeypatch.setattr(where, what, mutant)

    @given(steps)
    @settings(max_examples=300, deadline=None, derandomize=True, phases=[Phase.generate], report_multiple_bugs=False)
    def search(acts):
        assert beyond(acts) == []

    with pytest.raises(AssertionError, match="may reach"):
        search()


# ---- threads --------------------------------------------------------------------------------------------------------


ROOM = 5  # coins of the desk's that are left, for accounts that want 24


def racing(name: str, shared: Reservations, accounts: dict[str, Account]) -> Core:
    """A whole core on the one thread that will be its own."""
    ids = iter(range(10**6))
    manager = OrderManager(accounts[name], an_info(), [], lambda: ClientOrderId(f"{name}-{next(ids)}"), NOW)
    core = Core(
        accounts[name], manager, store=MemoryJournal(), publish=lambda event: None,
        quotes=lambda instrument: (a_quote(), 0), halt=lambda: None, shared=shared,
    )  # fmt: skip
    core.recover(NOW)
    state = msgspec.structs.replace(a_venue_state(BTC="0"), account=AccountId(name))
    core.handle(Reconciliation(state=state, marks={}), NOW)
    core.set_state(AccountState.Ready, "", NOW)
    return core


def raced() -> Decimal:
    """Coins that all accounts together were let order, each on a thread of its own."""
    names = [f"a{number}" for number in range(4)]
    accounts = {name: msgspec.structs.replace(an_account(), id=AccountId(name), owner="smith") for name in names}
    shared = Reservations(accounts.values(), {DESK: (Totals(max_position_notional=PRICE * ROOM), "a test")}, "USDT")
    cores = [racing(name, shared, accounts) for name in names]
    start = threading.Barrier(len(cores))

    def race(core: Core) -> None:
        start.wait()
        for number in range(6):
            place = a_place(f"{core.account.id}-o{number}", qty="1")
            core.handle(msgspec.structs.replace(place, account=core.account.id), NOW)

    threads = [threading.Thread(target=race, args=(core,)) for core in cores]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    orders = [order for core in cores for order in core.manager.live.values()]
    return sum((order.leaves_qty for order in orders), d(0))


@pytest.fixture
def switching() -> Iterator[None]:
    """Threads that give way to each other at every chance."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def test_accounts_that_race_on_threads_of_their_own_take_exactly_what_there_is(switching):
    """5.4"""
    assert [raced() for _ in range(3)] == [ROOM] * 3


def test_a_judge_that_lets_go_between_the_decision_and_the_reservation_takes_more(switching, monkeypatch):
    """Each is judged by what was left before the others took theirs"""
    meet = threading.Barrier(4)

    def hasty(self, request_id, order, replaces, *around):
        case = self.case(order, replaces, *around)
        meet.wait(timeout=30)
        decision = gate.decide(request_id, order, replaces, case.given)
        if isinstance(decision, Approved):
            with self._shared.lock:
                self._reserve(case)
        return decision

    monkeypatch.setattr(Judge, "decide", hasty)
    assert raced() > ROOM


# ---- before an account is open ----------------------------------------------------------------------------------------


def test_what_an_account_may_have_counts_before_it_is_open_again():
    """Its position, and what it had open without one: nobody knows what they are worth, so nothing may grow on them"""
    held, other = NAMES[:2]
    for positions, orders in (
        ([opened(held, BTC, d(1), PRICE)], []),
        ([], [msgspec.structs.replace(an_order(), account=held)]),
    ):
        books = Books()
        books.shared.expect(positions, orders)
        assert not books.ask(books.new(other, BTC, Side.Buy, 1))
        books.hold(held, BTC)
        assert books.ask(books.new(other, BTC, Side.Buy, 1))


def test_what_has_no_price_keeps_the_position_together_from_growing():
    """As once it did not: of a desk with no other limit, the first account that was back took what the others had"""
    books = Books()
    for scope in books.totals:
        books.shared.set_totals(scope, Totals(max_position_notional=PRICE * 9), "a test")
    books.shared.expect([opened(NAMES[0], BTC, d(9), PRICE)], [])
    assert not books.ask(books.new(NAMES[1], BTC, Side.Buy, 1))
