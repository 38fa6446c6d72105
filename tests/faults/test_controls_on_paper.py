"""Each control of the Gate on a whole desk: what it stops never reaches the exchange, what it lets through does (5.4)."""

from collections.abc import Callable, Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest
from faulty_desk import BTC, ETH, FaultyDesk, faulty_desk
from paper_process import has_loopback_range

from tradedesk.config import GroupSettings, Settings
from tradedesk.domain.accounts import Account, HaltLevel
from tradedesk.domain.alerts import Severity
from tradedesk.domain.commands import ApproveMandate, PlaceOrder, Submitted
from tradedesk.domain.instruments import Product
from tradedesk.domain.limits import Limits, Totals
from tradedesk.domain.mandate import Mandate
from tradedesk.domain.orders import OrderState
from tradedesk.domain.profile import Profile
from tradedesk.domain.words import AccountId, ClientOrderId, OperatorId, OrderType, Side, TimeInForce

pytestmark = pytest.mark.skipif(not has_loopback_range(), reason="needs loopback addresses besides 127.0.0.1")

ROOMY = Limits(max_order_notional=Decimal(10**6), max_position_notional=Decimal(10**8))
OWN: tuple[Limits, ...] = (
    Limits(allowed=(ETH,)),
    Limits(restricted=(BTC,)),
    Limits(order_types=("limit",)),
    Limits(times_in_force=("ioc",)),
    Limits(trading_hours=()),
    Limits(price_away_bps=Decimal(10)),
    Limits(max_messages_per_minute=2),
    Limits(max_children_per_block=2),
    Limits(repeat_within_ms=60_000),
    Limits(max_exposure=Decimal(1)),
    Limits(max_net_exposure=Decimal(1)),
    Limits(max_leverage=Decimal("0.0001")),
)
FOR_CLIENTS: tuple[dict[str, object], ...] = (  # of accounts that have no limits of their own
    {"mandate": Mandate(version=1, valid_from=date(2020, 1, 1), products=(Product.Spot,))},
    {"profile": Profile(account_mode="spot", leverage="3", self_trade="expire-maker")},
    {"profile": Profile(account_mode="spot", self_trade="none")},
    {"limits": Limits(max_children_per_block=20, max_messages_per_minute=30)},  # of a loop that ran away
    {"limits": Limits(max_drawdown=Decimal("0.01"))},  # what the spread and the fee of one fill cost is more
)
SHARING = 4  # two of a group with totals, two whose orders may meet
COUNT = len(OWN) + SHARING + len(FOR_CLIENTS)


def limited(settings: Settings) -> Settings:
    """One account under each control: of its own, of what it shares, of its client."""
    names = list(settings.accounts)
    accounts: dict[AccountId, Account] = {}
    for number, name in enumerate(names):
        groups = ("pair",) if len(OWN) <= number < len(OWN) + 2 else ()
        limits = OWN[number] if number < len(OWN) else Limits()
        own: dict[str, object] = {"limits": limits}
        own |= FOR_CLIENTS[number - len(OWN) - SHARING] if number >= len(OWN) + SHARING else {}
        accounts[name] = msgspec.structs.replace(settings.accounts[name], groups=groups, **own)
    pair = GroupSettings(totals=Totals(max_exposure=Decimal(10**9), max_position_notional=Decimal(10**9)))
    return msgspec.structs.replace(settings, accounts=accounts, limits=ROOMY, groups={"pair": pair}, rules={})


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FaultyDesk]:
    folder = Path(tmp_path_factory.mktemp("desk"))
    with faulty_desk(folder, "--accounts", str(COUNT), change=limited) as running:
        yield running


def name_of(desk: FaultyDesk, number: int) -> AccountId:
    return list(desk.desk.settings.accounts)[number]


def arrived(desk: FaultyDesk, account: AccountId) -> list[str]:
    rows = desk.paper.requests(path="/api/v3/order", method="POST")
    return [row["client_order_id"] for row in rows if row["account"] == account]


def below(desk: FaultyDesk, share: str = "0.98") -> Decimal:
    return (desk.bid() * Decimal(share)).quantize(Decimal("0.01"))


def above(desk: FaultyDesk) -> Decimal:
    return (desk.ask() * Decimal("1.02")).quantize(Decimal("0.01"))


Orders = Callable[[FaultyDesk, AccountId], list[ClientOrderId]]


def a_bid(desk: FaultyDesk, account: AccountId) -> list[ClientOrderId]:
    return [desk.place(Side.Buy, "0.001", below(desk), account=account)]


def at_market(desk: FaultyDesk, account: AccountId) -> list[ClientOrderId]:
    return [desk.place(Side.Buy, "0.001", account=account)]


def three(desk: FaultyDesk, account: AccountId) -> list[ClientOrderId]:
    return [desk.place(Side.Buy, qty, below(desk), account=account) for qty in ("0.001", "0.002", "0.003")]


def three_of_a_block(desk: FaultyDesk, account: AccountId) -> list[ClientOrderId]:
    sizes = ("0.001", "0.002", "0.003")
    return [desk.place(Side.Buy, qty, below(desk), account=account, block="b1") for qty in sizes]


def twice(desk: FaultyDesk, account: AccountId) -> list[ClientOrderId]:
    return [desk.place(Side.Buy, "0.001", below(desk, share), account=account) for share in ("0.98", "0.981")]


@pytest.mark.parametrize(
    ("number", "orders", "pass_", "says"),
    [
        (0, a_bid, 0, "not on the list"),
        (1, a_bid, 0, "restricted list"),
        (2, at_market, 0, "market orders are not allowed"),
        (3, a_bid, 0, "time in force gtc is not allowed"),
        (4, a_bid, 0, "trading hours"),
        (5, a_bid, 0, "at most 10 bps"),
        (6, three, 2, "within the last minute"),
        (7, three_of_a_block, 2, "block b1"),
        (8, twice, 1, "already"),
        (9, a_bid, 0, "the exposure of the account"),
        (10, a_bid, 0, "the net exposure"),
        (11, a_bid, 0, "leverage"),
    ],
    ids=[
        "allowed", "restricted", "order-type", "time-in-force", "trading-hours", "collar", "message-rate", "children",
        "repeat", "exposure", "net-exposure", "leverage",
    ],
)  # fmt: skip
def test_what_a_control_stops_never_reaches_the_exchange(
    desk: FaultyDesk, number: int, orders: Orders, pass_: int, says: str
) -> None:
    account = name_of(desk, number)
    keys = orders(desk, account)
    for key in keys[:pass_]:
        desk.until_order(key, OrderState.New)
    for key in keys[pass_:]:
        assert says in desk.denials(key)
    assert sorted(arrived(desk, account)) == sorted(keys[:pass_])


def test_a_repeated_order_goes_once_its_operator_says_why(desk: FaultyDesk) -> None:
    account = name_of(desk, 8)
    desk.until_order(desk.place(Side.Buy, "0.004", below(desk), account=account), OrderState.New)
    assert desk.denials(desk.place(Side.Buy, "0.004", below(desk), account=account))
    key = desk.place(Side.Buy, "0.004", below(desk), account=account, confirm="a second clip, as agreed")
    order = desk.until_order(key, OrderState.New)
    assert order.confirm == "a second clip, as agreed"
    assert key in arrived(desk, account)


def test_what_two_accounts_of_a_group_may_hold_together_is_one_cap(desk: FaultyDesk) -> None:
    """5.4: what the first took is not there for the second, from the moment of its approval on"""
    first, second = name_of(desk, len(OWN)), name_of(desk, len(OWN) + 1)
    held = desk.view.replica.positions[first, BTC].qty + desk.view.replica.positions[second, BTC].qty
    with desk.desk.shared.lock:
        room = Totals(max_position_notional=(held + 1) * desk.ask() * Decimal("1.01"))
        desk.desk.shared.set_totals("group pair", room, "a test")
    key = desk.place(Side.Buy, "0.9", below(desk), account=first)
    desk.until_order(key, OrderState.New)
    refused = desk.place(Side.Buy, "0.5", below(desk), account=second)
    assert "the position of group pair in BTC" in desk.denials(refused)
    assert arrived(desk, second) == []
    desk.cancel(key, first)
    desk.until_order(desk.place(Side.Buy, "0.5", below(desk), account=second), OrderState.New)


def test_an_order_that_would_meet_another_clients_is_asked_about(desk: FaultyDesk) -> None:
    seller, buyer = name_of(desk, len(OWN) + 2), name_of(desk, len(OWN) + 3)
    offer = (desk.ask() * Decimal("1.01")).quantize(Decimal("0.01"))
    desk.until_order(desk.place(Side.Sell, "0.001", offer, account=seller), OrderState.New)
    key = desk.place(Side.Buy, "0.001", offer, account=buyer)
    assert f"account {seller}" in desk.denials(key)
    assert arrived(desk, buyer) == []
    meant = desk.place(Side.Buy, "0.001", offer, account=buyer, confirm="both clients know")
    desk.until_order(meant, OrderState.Filled)


def test_a_mandate_lets_nothing_be_bought_before_somebody_approved_it(desk: FaultyDesk) -> None:
    account = name_of(desk, len(OWN) + SHARING)
    refused = desk.place(Side.Buy, "0.001", below(desk), account=account)
    assert "mandate version 1 is not approved" in desk.denials(refused)
    sold = desk.place(Side.Sell, "0.001", above(desk), account=account)
    desk.until_order(sold, OrderState.New)
    approval = ApproveMandate(account=account, version=1, reason="signed on paper", operator=OperatorId(""))
    assert isinstance(desk.control.submit(approval), Submitted)
    desk.until(lambda: desk.view.replica.accounts[account].mandate, "the mandate is approved")
    bought = desk.place(Side.Buy, "0.001", below(desk), account=account)
    desk.until_order(bought, OrderState.New)
    assert sorted(arrived(desk, account)) == sorted((sold, bought))


def test_an_account_set_otherwise_at_the_venue_only_reduces(desk: FaultyDesk) -> None:
    """The exchange lets an order without a mode of its own trade with its own account, and spot has no leverage at all."""
    wrong, right = name_of(desk, len(OWN) + SHARING + 1), name_of(desk, len(OWN) + SHARING + 2)
    refused = desk.place(Side.Buy, "0.001", below(desk), account=wrong)
    told = desk.denials(refused)
    assert "leverage must be 3, and accounts of this venue have no such setting" in told
    assert "self_trade of BTC/USDT, ETH/USDT, SOL/USDT is none at the venue and must be expire-maker" in told
    sold = desk.place(Side.Sell, "0.001", above(desk), account=wrong)
    desk.until_order(sold, OrderState.New)
    assert arrived(desk, wrong) == [sold]
    desk.until_order(desk.place(Side.Buy, "0.001", below(desk), account=right), OrderState.New)


def test_a_drawdown_beyond_its_limit_is_an_alert_and_halts_the_account_by_itself(desk: FaultyDesk) -> None:
    account = name_of(desk, COUNT - 1)
    desk.place(Side.Buy, "0.01", account=account)
    rows = desk.view.replica
    desk.until(lambda: account in rows.halts, "the account is halted by its drawdown")
    halt = rows.halts[account]
    assert (halt.level, halt.by) == (HaltLevel.ReduceOnly, "system:risk")
    assert halt.reason.startswith(f"drawdown:{account}: drawdown")
    desk.until(lambda: f"drawdown:{account}" in rows.alerts and "stream" in rows.deliveries, "the alert has come")
    alert = rows.alerts[f"drawdown:{account}"].alert
    assert (alert.severity, alert.owner, alert.action) == (Severity.Critical, "risk", "reduce-only")
    with desk.desk.shared.lock:  # the journal of a day that began far higher
        day = rows.days[account, None]
        lost = msgspec.structs.replace(day, start=day.start + 10**6, peak=day.peak + 10**6)
        desk.desk.shared.days.recall([lost])
    refused = desk.place(Side.Buy, "0.001", below(desk), account=account)
    assert "halted at level reduce-only" in desk.denials(refused)
    assert "the drawdown of the account from the day's peak" in desk.denials(refused)
    sold = desk.place(Side.Sell, "0.001", above(desk), account=account)
    desk.until_order(sold, OrderState.New)
    assert refused not in arrived(desk, account)
    assert sold in arrived(desk, account)


def run_away(desk: FaultyDesk, account: AccountId, count: int, block: str | None) -> set[ClientOrderId]:
    """What a loop sends that lost its brake: as many orders as the desk takes, none of them waited for."""
    keys = {ClientOrderId(f"loop-{block or 'bare'}-{number}") for number in range(count)}
    orders = [
        PlaceOrder(
            account=account,
            client_order_id=key,
            instrument=BTC,
            side=Side.Buy,
            order_type=OrderType.Limit,
            time_in_force=TimeInForce.GoodTillCancel,
            order_qty=Decimal("0.001"),
            price=below(desk),
            block=block,
            operator=OperatorId(""),
            deadline=desk.clock.now() + 60 * 10**9,
        )
        for key in sorted(keys)
    ]
    taken = {order.client_order_id for order in orders if isinstance(desk.control.submit(order), Submitted)}
    desk.until(lambda: all(is_settled(desk, key) for key in taken), "every order of the loop is on the book or denied")
    return taken


def is_settled(desk: FaultyDesk, key: ClientOrderId) -> bool:
    return desk.is_order(key, OrderState.New, OrderState.Denied)


def test_a_loop_that_ran_away_is_stopped_inside_its_limits(
    desk: FaultyDesk, record_property: Callable[[str, object], None]
) -> None:
    """By the exchange's own records: of thousands of orders what one parent may make arrives, then what a minute allows"""
    account = name_of(desk, len(OWN) + SHARING + 3)
    taken = run_away(desk, account, 3_000, "b7")
    assert len(taken) > 20
    made = arrived(desk, account)
    assert len(made) == 20
    assert "block b7 made 20 orders within the last minute" in desk.denials(next(iter(taken - set(made))))
    bare = run_away(desk, account, 3_000, None)
    assert len(bare) > 10
    assert len(arrived(desk, account)) == 30
    assert set(arrived(desk, account)) <= taken | bare
    assert "within the last minute" in desk.denials(next(iter(bare - set(arrived(desk, account)))))
    rows = desk.paper.requests(path="/api/v3/order", method="POST")
    times = [row["time"] for row in rows if row["account"] == account and row["client_order_id"] in taken]
    record_property("from_first_to_last_order_of_the_loop_ms", (max(times) - min(times)) // 10**6)
    assert len(desk.paper.books(account)["open_orders"]) == 30
