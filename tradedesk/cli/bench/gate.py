"""The Gate: microseconds for one decision with all controls on, whatever the number of accounts and of orders that are open.

A decision is all of it: what is known of the account and of what it shares is gathered, every rule is asked, and what was
approved is reserved for the account, its group and the desk.
"""

import json
import subprocess
import sys
import time
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from tradedesk.cli.bench import median, row
from tradedesk.cli.bench.journal import an_intent
from tradedesk.cli.bench.recovery import NOW, instruments

if TYPE_CHECKING:
    from collections.abc import Callable

    from tradedesk.domain.accounts import Account

DECISIONS = 2_000
SHAPES = ((1, 0), (200, 0), (1, 1_000), (200, 1_000))  # accounts, open orders of the one that decides
SECOND = 10**9


def measured(rounds: int) -> list[dict[str, Any]]:
    deciders = {shape: _decider(*shape) for shape in SHAPES}
    found: dict[tuple[int, int], list[float]] = {shape: [] for shape in SHAPES}
    peer: list[float] = []
    for _ in range(rounds):
        for shape, decide in deciders.items():
            found[shape].append(decide())
        peers = _nautilus()
        if peers is not None:
            peer.append(peers)
    least = _what(*SHAPES[0])
    rows = []
    for shape in SHAPES:
        value = median(found[shape])
        is_first = shape == SHAPES[0]
        ratio = None if is_first else value / median(found[SHAPES[0]])
        rows.append(row(_what(*shape), value, "us CPU", beside="" if is_first else least, ratio=ratio))
    if peer:
        name = "nautilus_trader's risk engine, one limit order"
        rows.append(row(name, median(peer), "us CPU", beside=least, ratio=median(peer) / median(found[SHAPES[0]])))
    else:
        rows.append(row("nautilus_trader is not installed: not measured", 0, ""))
    return rows


def _what(accounts: int, open_orders: int) -> str:
    return f"a decision, {accounts} account{'s' * (accounts > 1)}, {open_orders} open orders"


def _nautilus() -> float | None:
    """In a process of its own; None where it is not installed."""
    said = subprocess.run(
        [sys.executable, "-m", "tradedesk.cli.bench.gate_nautilus"], capture_output=True, check=True, text=True
    )
    us: float | None = json.loads(said.stdout)
    return us


def _account(number: int) -> "Account":
    from tradedesk.domain.accounts import Account, Mode
    from tradedesk.domain.instruments import Product
    from tradedesk.domain.limits import Limits
    from tradedesk.domain.mandate import Mandate
    from tradedesk.domain.words import AccountId, VenueId

    name = AccountId(f"client-{number:03}")
    listed = tuple(instrument.id for instrument in instruments())
    most = Decimal(10**12)
    return Account(
        id=name,
        venue=VenueId("binance"),
        owner=name,
        groups=("growth",),
        mode=Mode.Paper,
        egress="127.0.0.2",
        secret=name,
        limits=Limits(
            max_order_notional=most,
            max_order_qty=most,
            max_position=most,
            max_position_notional=most,
            max_exposure=most,
            max_net_exposure=most,
            max_leverage=most,
            max_daily_loss=most,
            max_drawdown=most,
            max_open_orders=10**6,
            max_messages_per_minute=10**6,
            repeat_within_ms=1,
            allowed=listed,
            order_types=("limit",),
            times_in_force=("gtc",),
            trading_hours=("00:00-24:00",),
        ),
        mandate=Mandate(version=1, valid_from=date(2020, 1, 1), products=(Product.Spot,), max_concentration=Decimal(1)),
    )


def _decider(accounts: int, open_orders: int) -> "Callable[[], float]":
    """What measures one account of a desk of so many, each of which holds something: microseconds of CPU a decision."""
    import msgspec

    from tradedesk.accounts.judge import Judge
    from tradedesk.domain import events as ev
    from tradedesk.domain.accounts import AccountState
    from tradedesk.domain.gate import Approved
    from tradedesk.domain.instruments import FeedState, Quote
    from tradedesk.domain.limits import Totals
    from tradedesk.domain.mandate import ApprovedMandate
    from tradedesk.domain.orders import Happening, OrdStatus
    from tradedesk.domain.outcomes import VenueInfo
    from tradedesk.domain.positions import Balance
    from tradedesk.domain.words import ClientOrderId, OperatorId, RequestId, VenueOrderId
    from tradedesk.domain.worst_case import Interval
    from tradedesk.orders.manager import OrderManager
    from tradedesk.risk.days import DESK
    from tradedesk.risk.halts import NoParts
    from tradedesk.risk.reservations import Holding, Reservations

    desk = [_account(number) for number in range(accounts)]
    account, listed = desk[0], tuple(instruments())
    most = Decimal(10**12)
    totals = Totals(
        max_position_notional=most, max_exposure=most, max_net_exposure=most, max_daily_loss=most, max_drawdown=most
    )
    shared = Reservations(desk, {DESK: (totals, "bench"), "group growth": (totals, "bench")}, "USDT")
    held = Holding(asset=listed[0].base, value=Interval(low=Decimal(0), high=Decimal(1_000)))
    for other in desk[1:]:
        shared.hold(other.id, listed[0].id, held)
        shared.put(msgspec.structs.replace(an_intent(0).order, account=other.id, price=Decimal(59_000)))
    assert account.mandate is not None
    approved = ApprovedMandate(mandate=account.mandate, by=OperatorId("risk1"), reason="a measurement", at=NOW)
    history: list[ev.Event] = [
        ev.AccountListed(at=NOW, source="desk", account=account),
        ev.AccountOpened(at=NOW, source="worker", account=account.id, openings=(), marks={}, trades_from=NOW),
        ev.MandateApproved(at=NOW, source="desk", account=account.id, approved=approved),
    ]
    for number in range(open_orders):
        placed = an_intent(50 * number)  # all of them client-000's
        about: dict[str, Any] = {
            "at": NOW,
            "source": "worker",
            "account": account.id,
            "client_order_id": placed.order.client_order_id,
        }
        venue_order_id = VenueOrderId(str(number))
        history += [placed, ev.OrderMoved(**about, happening=Happening.Accepted, venue_order_id=venue_order_id)]
    info = VenueInfo(
        receive_window_ms=3_000,
        engine_timeout_ms=10_000,
        query_lag_ms=500,
        has_native_amend=False,
        dead_man="none",
        instruments=listed,
    )
    later = NOW + 1_000 * SECOND
    manager = OrderManager(account, info, history, lambda: ClientOrderId("made"), later)
    rich = Balance(asset="USDT", free=most, locked=Decimal(0))
    manager.books.apply(
        ev.BalancesRead(at=later, source="worker", account=account.id, balances=(rich,), is_complete=True)
    )
    quote = Quote(
        instrument=listed[0].id,
        bid=Decimal(60_100),
        bid_qty=Decimal(1),
        ask=Decimal(60_101),
        ask_qty=Decimal(1),
        last=None,
        received_at=later,
        state=FeedState.Live,
        anchor=Decimal(60_000),
    )
    judge = Judge(account, manager, quotes=lambda _: (quote, 0), halt=lambda: None, parts=NoParts(), shared=shared)
    judge.opened()
    judge.days(later, 0)
    order = msgspec.structs.replace(
        an_intent(0).order,
        client_order_id=ClientOrderId("measured"),
        instrument=listed[0].id,
        price=Decimal(60_000),
        order_qty=Decimal("0.001"),
        cum_qty=Decimal(0),
        ord_status=OrdStatus.PendingNew,
        deadline=later + 10**6 * SECOND,
    )
    elapsed = iter(range(0, 10**18, SECOND))

    def measure() -> float:
        began = time.process_time()
        for _ in range(DECISIONS):
            at = next(elapsed)
            decision = judge.decide(RequestId("measured"), order, None, AccountState.Ready, "", later + at, at)
        taken = time.process_time() - began
        if not isinstance(decision, Approved):
            raise RuntimeError("; ".join(denial.text for denial in decision.denials))
        return taken / DECISIONS * 10**6

    return measure
