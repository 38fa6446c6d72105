"""F60: days end at midnight UTC, whatever zone the machine is in and however its clock is set; orders live on over it."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from order_builders import ACME, BTC, Rig, a_fill, a_report, a_venue_state, an_account, an_instrument

from tradedesk.domain import events as ev
from tradedesk.domain.instruments import FeedState
from tradedesk.domain.limits import Limits
from tradedesk.domain.orders import OrderState, OrdStatus
from tradedesk.orders.messages import Reconciliation
from tradedesk.risk.rules import Memory, findings
from tradedesk.views.replica import Replica

SECOND, HOUR = 1_000_000_000, 3_600 * 1_000_000_000
MIDNIGHT = int(datetime(2026, 10, 25, tzinfo=UTC).timestamp()) * SECOND  # Europe leaves summer time at 01:00 UTC
KEY = "drawdown:acme"


@pytest.fixture(params=["UTC", "Europe/Berlin", "America/New_York", "Pacific/Auckland"])
def _zone(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", request.param)
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


class Day:
    """One bitcoin bought at 60,000, its price, and what the rules say of the day's drawdown, at most 1,000."""

    def __init__(self) -> None:
        self.replica, self.memory = Replica(), Memory()
        limits = Limits(max_order_notional=Decimal(10**6), max_drawdown=Decimal(1000))
        for event in (
            ev.InstrumentListed(at=1, source="test", instrument=an_instrument()),
            ev.AccountListed(at=1, source="test", account=an_account(limits)),
            ev.AccountOpened(at=1, source="test", account=ACME, openings=(), marks={}, trades_from=0),
            ev.OrderFilled(at=1, source="test", fill=a_fill()),
        ):
            self.replica.apply(event)

    def breached(self, price: str, at: int) -> bool:
        level = ((Decimal(price), Decimal(1)),)
        self.replica.apply(
            ev.BookFrame(
                at=at, source="test", instrument=BTC, bids=level, asks=level, received_at=at, state=FeedState.Live
            )
        )
        return KEY in [finding.key for finding in findings(self.replica, self.memory, "USDT", at)]


@pytest.mark.usefixtures("_zone")
def test_F60_a_days_drawdown_ends_at_midnight_utc_in_every_zone() -> None:
    day = Day()
    assert not day.breached("60000", MIDNIGHT - 2 * HOUR)
    assert day.breached("59000", MIDNIGHT - HOUR)
    assert day.breached("59000", MIDNIGHT - 1)
    assert not day.breached("59000", MIDNIGHT)
    for hours in range(1, 24):  # among them the one in which clocks on the wall are set back
        assert not day.breached("59000", MIDNIGHT + hours * HOUR)
    assert day.breached("58000", MIDNIGHT + 24 * HOUR - 1)


def test_F60_a_clock_set_back_over_midnight_forgets_no_peak() -> None:
    """F58: what a drawdown is measured from must not be lost to a time server that corrects by an hour."""
    day = Day()
    assert not day.breached("60000", MIDNIGHT + SECOND)
    assert day.breached("59000", MIDNIGHT + 2 * SECOND)
    assert day.breached("59000", MIDNIGHT - HOUR)
    assert day.breached("59000", MIDNIGHT + 3 * SECOND)


@pytest.mark.usefixtures("_zone")
def test_F60_an_order_lives_over_midnight_and_its_fill_of_the_day_before_counts_once() -> None:
    """5.3"""
    rig = Rig(now=MIDNIGHT - SECOND)
    rig.place("c1")
    fill = a_fill(qty="0.4", at=MIDNIGHT - 1)  # of the old day, told on the new one by the stream and by a look
    rig.wait(2)
    assert rig.now > MIDNIGHT
    rig.tell(fill)
    report = a_report("c1", OrdStatus.PartiallyFilled, cum="0.4")
    state = a_venue_state(fills=[fill], open_orders=[report], taken_at=rig.now, BTC="2.4", USDT="476000")
    rig.tell(Reconciliation(state=state, marks={}))
    assert rig.state("c1") is OrderState.PartiallyFilled
    assert rig.position() == Decimal("2.4")
    again = rig.restarted(after_s=24 * 3600)
    assert again.state("c1") is OrderState.PartiallyFilled
    assert again.position() == Decimal("2.4")
    assert again.alerts() == []
