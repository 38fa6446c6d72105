"""F59 on a process: the whole desk is stopped by the system for a while with orders on their way, and goes on."""

import itertools
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from budget_desk import SECOND_NS, exchange, seen
from faulty_desk import ACME, BTC, ME, Paper

from tradedesk.accounts.worker import STOOD_STILL_NS
from tradedesk.cli.reach import Watch
from tradedesk.config import Home, private_folder
from tradedesk.desk.client import RemoteControl
from tradedesk.domain.accounts import AccountState
from tradedesk.domain.commands import PlaceOrder, Submitted
from tradedesk.domain.orders import OrderState, state
from tradedesk.domain.words import ClientOrderId, OrderType, Side, TimeInForce

WITHIN_S = 30.0
STOPPED_S = STOOD_STILL_NS / SECOND_NS + 2
_numbers = itertools.count(1)


class Process:
    """`tradedesk run`, what it tells, and the way to give it orders."""

    def __init__(self, home: Home, paper: Paper) -> None:
        self.home, self.paper = home, paper
        private_folder(home.log)
        environment = os.environ | {"TRADEDESK_HOME": str(home.config.parent)}
        self.desk = subprocess.Popen([sys.executable, "-m", "tradedesk", "run"], env=environment)
        self.watch: Watch | None = None

    def until(self, happened: Any, what: str) -> None:
        assert self.watch is not None
        assert self.watch.until(happened, WITHIN_S), what

    def is_ready(self) -> bool:
        assert self.watch is not None
        row = self.watch.replica.accounts.get(ACME)
        return row is not None and row.state is AccountState.Ready and self.bid() > 0

    def bid(self) -> Decimal:
        assert self.watch is not None
        bids = self.watch.replica.market(BTC).bids
        return bids[0][0] if bids else Decimal(0)

    def place(self, control: RemoteControl, price: Decimal) -> ClientOrderId:
        """An order that may be sent for a minute from now."""
        key = ClientOrderId(f"f59-{next(_numbers)}")
        command = PlaceOrder(
            account=ACME,
            client_order_id=key,
            instrument=BTC,
            side=Side.Buy,
            order_type=OrderType.Limit,
            time_in_force=TimeInForce.GoodTillCancel,
            order_qty=Decimal("0.001"),
            price=price,
            operator=ME,
            deadline=time.time_ns() + 60 * SECOND_NS,
        )
        assert isinstance(control.submit(command), Submitted)
        return key

    def state_of(self, key: ClientOrderId) -> OrderState | None:
        assert self.watch is not None
        order = self.watch.replica.orders.get(key)
        return None if order is None else state(order)


@pytest.fixture
def process(tmp_path: Path) -> Iterator[Process]:
    with exchange(tmp_path, accounts=1) as (home, paper):
        found = Process(home, paper)
        try:
            found.watch = Watch(home)
            yield found
            found.desk.terminate()
            assert found.desk.wait(WITHIN_S) == 0
        finally:
            found.desk.kill()
            found.desk.wait()


def test_F59_orders_on_their_way_when_the_desk_is_stopped_do_not_leave_when_it_goes_on(process: Process) -> None:
    process.until(process.is_ready, "ready")
    low = process.bid() * 98 // 100
    control = RemoteControl(process.home.control_socket, None)
    try:
        first = process.place(control, low)
        process.until(lambda: process.state_of(first) is OrderState.New, "an order")
        process.paper.fault("say", answer=429, retry_after=15, count=1, account="acme", method="place")
        struck = process.place(control, low)
        process.until(lambda: process.state_of(struck) is OrderState.Rejected, "told to wait")
        queued = [process.place(control, low) for _ in range(5)]  # they wait for the budget of their exit
        process.until(lambda: all(process.state_of(key) is OrderState.PendingNew for key in queued), "queued")

        os.kill(process.desk.pid, signal.SIGSTOP)
        time.sleep(STOPPED_S)  # the point: that time goes by
        os.kill(process.desk.pid, signal.SIGCONT)

        process.until(lambda: all(process.state_of(key) is OrderState.Denied for key in queued), "judged anew")
        process.until(process.is_ready, "ready again")
        after = process.place(control, low)
        process.until(lambda: process.state_of(after) is OrderState.New, "an order after it")
    finally:
        control.close()
    assert not [row for row in seen(process.paper) if row["client_order_id"] in queued]
    assert process.watch is not None
    reasons = {reason for key in queued for reason in process.watch.replica.orders[key].reasons}
    assert len(reasons) == 1
    assert "the desk stood still for" in reasons.pop()
