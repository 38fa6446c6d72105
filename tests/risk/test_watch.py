"""What the RiskMonitor watches beside one account's drawdown: groups, ratios, patterns, slippage, latency, clock, drift."""

import msgspec
import pytest
from order_builders import ACME, BTC, NOW, SECOND, a_fill, an_account, an_instrument, an_order, d

from tradedesk.domain import events as ev
from tradedesk.domain.accounts import Account
from tradedesk.domain.instruments import FeedState
from tradedesk.domain.limits import InstrumentLimits, Limits, Totals
from tradedesk.domain.money import Money
from tradedesk.domain.orders import Happening, OrdStatus, RequestState
from tradedesk.domain.positions import Balance
from tradedesk.domain.words import AccountId, ClientOrderId, RequestId, Side
from tradedesk.risk.days import DESK
from tradedesk.risk.rules import DAY_NS, Finding, Memory, findings, note
from tradedesk.views.replica import Replica

BIRCH = AccountId("birch")
LIMITS = Limits(max_order_notional=d(10**6), max_daily_loss=d(1000), max_drawdown=d(2000))


def account(name: AccountId = ACME, limits: Limits = LIMITS, groups: tuple[str, ...] = ("growth",)) -> Account:
    return msgspec.structs.replace(an_account(limits), id=name, groups=groups)


class Watch:
    """A replica with a market at 60,000, and what its RiskMonitor remembers."""

    def __init__(self, *accounts: Account) -> None:
        self.replica, self.memory, self.now = Replica(), Memory(), NOW
        self.totals: dict[str, tuple[Totals, str]] = {}
        self.tell(ev.InstrumentListed(at=NOW, source="test", instrument=an_instrument()))
        for each in accounts or (account(),):
            self.tell(ev.AccountListed(at=NOW, source="test", account=each))
            self.tell(
                ev.AccountOpened(at=NOW, source="test", account=each.id, openings=(), marks={}, trades_from=0)
            )  # fmt: skip
        self.mark("60000")
        self.look()

    def tell(self, *events: ev.Event) -> None:
        for event in events:
            self.replica.apply(event)
            note(self.memory, self.replica, event)

    def mark(self, price: str) -> None:
        level = ((d(price), d(1)),)
        self.tell(
            ev.BookFrame(
                at=NOW, source="t", instrument=BTC, bids=level, asks=level, received_at=NOW, state=FeedState.Live
            )
        )

    def look(self) -> dict[str, Finding]:
        found = findings(self.replica, self.memory, "USDT", self.now, self.totals)
        assert len({finding.key for finding in found}) == len(found)
        return {finding.key: finding for finding in found}

    def fill(
        self, key: str = "c1", *, trade: str = "t1", px: str = "60000", qty: str = "1", side: Side = Side.Buy,
        of: AccountId = ACME, fee: str = "0",
    ) -> None:  # fmt: skip
        fill = a_fill(key, trade_id=trade, px=px, qty=qty, side=side, fee=Money(d(fee), "USDT"))
        self.tell(ev.OrderFilled(at=self.now, source="test", fill=msgspec.structs.replace(fill, account=of)))

    def order(self, key: str, *, side: Side = Side.Buy, price: str = "60000", of: AccountId = ACME) -> None:
        order = an_order(key, side=side, price=price)
        order = msgspec.structs.replace(order, account=of, placed_at=self.now)
        self.tell(ev.OrderPlaced(at=self.now, source="test", order=order))

    def answered(self, key: str, state: RequestState, of: AccountId = ACME) -> None:
        about = {"at": self.now, "source": "test", "account": of, "client_order_id": ClientOrderId(key)}
        self.tell(ev.RequestDecided(**about, request_id=RequestId(key), state=state))
        if state is RequestState.Acknowledged:
            self.tell(ev.OrderMoved(**about, happening=Happening.Accepted))

    def cancelled(self, key: str) -> None:
        about = {"at": self.now, "source": "test", "account": ACME, "client_order_id": ClientOrderId(key)}
        self.tell(ev.OrderMoved(**about, happening=Happening.Canceled))


# ---- money ----------------------------------------------------------------------------------------------------------


def test_a_days_loss_counts_fees_and_is_told_from_half_of_its_limit_with_its_figures():
    watch = Watch()
    watch.fill(fee="100")
    watch.mark("59610")
    assert not watch.look()
    watch.mark("59600")
    found = watch.look()["daily-loss:acme"]
    assert (found.value, found.limit, found.share) == (500, 1000, d("0.5"))
    assert found.cause == "day:acme"


def test_a_restarted_monitor_knows_the_days_begin_and_its_peak():
    watch = Watch()
    watch.fill()
    mark = ev.DayMarked(
        at=NOW, source="w", account=ACME, group=None, day=NOW // DAY_NS, start=d(300), peak=d(1500), net=d(0)
    )
    watch.tell(mark)
    watch.memory = Memory()
    watch.mark("59500")
    found = watch.look()
    assert found["daily-loss:acme"].value == 800
    assert found["drawdown:acme"].value == 2000


def test_a_withdrawal_at_another_price_than_the_average_is_no_gain_and_no_loss():
    watch = Watch()
    watch.fill(px="50000")
    watch.look()
    watch.tell(
        ev.MovementSeen(at=NOW, source="test", account=ACME, asset="BTC", amount=d("-0.9"), kind="withdrawal")
    )  # fmt: skip
    assert not watch.look()
    watch.mark("50000")
    assert watch.look()["drawdown:acme"].value == 1000  # of the tenth that is left


def test_groups_and_the_desk_have_a_day_and_holdings_of_their_own():
    watch = Watch(account(limits=Limits()), account(BIRCH, Limits()), account(AccountId("cedar"), Limits(), ()))
    watch.totals = {
        "group growth": (Totals(max_daily_loss=d(1000), max_exposure=d(100_000)), "file"),
        DESK: (Totals(max_drawdown=d(1000), max_net_exposure=d(10**6), max_position_notional=d(118_000)), "file"),
    }
    watch.fill(of=ACME)
    watch.fill(of=BIRCH, trade="t2", key="c2")
    watch.look()
    watch.mark("59000")
    found = watch.look()
    assert found["daily-loss:group:growth"].value == 2000
    assert found["daily-loss:group:growth"].group == "growth"
    assert found["exposure:group:growth"].value == 118_000
    assert found["drawdown:desk"].value == 2000
    assert (found["drawdown:desk"].account, found["drawdown:desk"].group) == (None, None)
    assert found["concentration:desk:BTC"].share == 1
    assert "net-exposure:desk" not in found


def test_a_position_near_what_somebody_set_for_it_is_concentration():
    limits = Limits(max_order_notional=d(10), instruments={BTC: InstrumentLimits(max_position_notional=d(80_000))})
    watch = Watch(account(limits=limits))
    watch.fill()
    assert watch.look()[f"concentration:acme:{BTC}"].share == d("0.75")


# ---- what went over the wire ----------------------------------------------------------------------------------------


def test_what_the_venue_refuses_is_a_ratio_of_what_reached_it():
    watch = Watch()
    for number in range(20):
        watch.order(f"c{number}")
        watch.answered(f"c{number}", RequestState.Refused if number < 5 else RequestState.Acknowledged)
    found = watch.look()["reject-ratio:acme"]
    assert (found.value, found.share) == (d("0.25"), 1)
    watch.now += 301 * SECOND
    assert "reject-ratio:acme" not in watch.look()


def test_what_the_gate_denied_never_reached_the_venue():
    watch = Watch()
    for number in range(30):
        watch.order(f"c{number}")
        watch.answered(f"c{number}", RequestState.Denied)
    assert list(watch.look()) == ["reject-burst:acme"]


@pytest.mark.parametrize(("fills", "rules"), [(0, {"cancel-ratio", "fill-ratio"}), (10, set())])
def test_orders_that_are_cancelled_and_never_fill_are_news(fills, rules):
    watch = Watch()
    for number in range(40):
        watch.order(f"c{number}")
        watch.answered(f"c{number}", RequestState.Acknowledged)
        if number < fills:
            watch.fill(f"c{number}", trade=f"t{number}", qty="0.001")
        else:
            watch.cancelled(f"c{number}")
    assert {finding.rule for finding in watch.look().values()} & {"cancel-ratio", "fill-ratio"} == rules


@pytest.mark.parametrize(("traded", "count"), [(Side.Sell, 1), (Side.Buy, 0)])
def test_levels_that_are_taken_away_after_a_trade_on_the_other_side_are_layering(traded, count):
    watch = Watch()
    for number in range(4):
        watch.order(f"layer{number}", price=str(59_000 - number))
        watch.answered(f"layer{number}", RequestState.Acknowledged)
    watch.now += SECOND
    watch.fill("other", trade="t9", side=traded, qty="0.01")
    watch.now += SECOND
    for number in range(4):
        watch.cancelled(f"layer{number}")
    found = [finding for finding in watch.look().values() if finding.rule == "layering"]
    assert [finding.share for finding in found] == [1] * count


def test_two_of_our_orders_in_one_trade_are_an_own_cross_whichever_accounts_they_are_of():
    watch = Watch(account(limits=Limits()), account(BIRCH, Limits()))
    watch.fill("c1", trade="77", of=ACME)
    watch.fill("c2", trade="77", of=BIRCH, side=Side.Sell)
    watch.fill("c3", trade="78", of=BIRCH, side=Side.Sell)
    [found] = watch.look().values()
    assert found.rule == "own-cross"
    assert found.text == "acme and birch traded with each other in BTC/USDT: trade 77"
    watch.now += 601 * SECOND
    assert not watch.look()


def test_slippage_is_against_the_market_as_the_order_was_made():
    watch = Watch(account(limits=Limits()))
    for number in range(5):
        watch.order(f"c{number}")
    watch.mark("61000")
    watch.look()
    for number in range(5):
        watch.fill(f"c{number}", trade=f"t{number}", px="60300", qty="0.1")
    found = watch.look()["slippage:acme"]
    assert (found.value, found.share) == (50, 1)


def test_a_better_price_than_on_arrival_is_no_slippage():
    watch = Watch(account(limits=Limits()))
    for number in range(5):
        watch.order(f"c{number}", side=Side.Sell)
        watch.fill(f"c{number}", trade=f"t{number}", px="60300", qty="0.1", side=Side.Sell)
    assert "slippage:acme" not in watch.look()


def test_what_is_remembered_of_traffic_is_bounded():
    watch = Watch(account(limits=Limits()))
    for number in range(12_000):
        watch.order(f"c{number}")
        watch.fill(f"c{number}", trade=f"t{number}", qty="0.001")
    memory = watch.memory
    assert len(memory.arrivals) <= 5_000
    assert len(memory.trades) <= 5_000
    assert len(memory.traffic[ACME].executed) <= 5_000


# ---- health and books ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"ack_ms": d(2000)}, {"latency:acme": d(1)}),
        ({"ack_ms": d(999)}, {}),
        ({"clock_offset_ms": -1500}, {"clock:acme": d("1.5")}),
        ({"clock_offset_ms": 400}, {}),
    ],
)
def test_slow_answers_and_a_clock_that_is_off_are_measured(changes, expected):
    watch = Watch()
    known = ev.AccountHealth(
        at=NOW, source="w", account=ACME, is_stream_up=True, stream_age_ms=1, ack_ms=None, clock_offset_ms=0, mailbox=0
    )
    watch.tell(msgspec.structs.replace(known, **changes))
    assert {key: finding.share for key, finding in watch.look().items()} == expected


def balances(**held: str) -> ev.BalancesRead:
    found = tuple(Balance(asset=asset, free=d(amount), locked=d(0)) for asset, amount in held.items())
    return ev.BalancesRead(at=NOW, source="w", account=ACME, balances=found, is_complete=True)


def test_what_no_fill_explains_is_told_once_a_comparison_could_have_explained_it():
    watch = Watch(account(limits=Limits()))
    watch.fill()
    watch.tell(ev.Reconciled(at=NOW, source="w", account=ACME, differences=()))
    watch.tell(balances(BTC="1", USDT="-60000"))
    assert not watch.look()
    watch.tell(balances(BTC="0.4", USDT="-59000"))
    assert not watch.look()
    watch.now += 89 * SECOND
    assert not watch.look()
    watch.now += SECOND
    found = watch.look()
    assert {key: finding.value for key, finding in found.items()} == {
        "position-drift:acme:BTC": d("0.6"),
        "balance:acme:USDT": 1000,
    }
    assert {finding.cause for finding in found.values()} == {"books:acme"}
    watch.tell(ev.MovementSeen(at=NOW, source="w", account=ACME, asset="USDT", amount=d(1000), kind="deposit"))
    watch.fill("c2", trade="t2", qty="0.6", px="1", side=Side.Sell)
    watch.tell(balances(BTC="0.4", USDT="-58999.4"))
    assert not watch.look()


def test_an_order_that_is_dead_already_is_counted_as_what_it_was():
    """A cancel of what was partly filled is no cancel without a fill"""
    watch = Watch(account(limits=Limits()))
    watch.order("c1")
    watch.answered("c1", RequestState.Acknowledged)
    watch.fill("c1", qty="0.1")
    watch.cancelled("c1")
    assert watch.replica.orders[ClientOrderId("c1")].ord_status is OrdStatus.Canceled
    assert not watch.memory.traffic[ACME].ended
