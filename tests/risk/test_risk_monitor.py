"""The RiskMonitor's rules, and what it counts. What becomes of a finding: test_alert_life."""

import threading
from datetime import UTC, datetime

import pytest
from order_builders import (
    ACME,
    BTC,
    DESK1,
    NOW,
    SECOND,
    a_fill,
    an_account,
    an_instrument,
    an_order,
    d,
)

from tradedesk.clock import ManualClock
from tradedesk.domain import events as ev
from tradedesk.domain.accounts import HaltLevel
from tradedesk.domain.alert_rules import rule_of
from tradedesk.domain.alerts import Severity
from tradedesk.domain.instruments import FeedState
from tradedesk.domain.limits import Limits
from tradedesk.domain.orders import Request, RequestKind, RequestState
from tradedesk.domain.words import RequestId, Side
from tradedesk.log import Log
from tradedesk.risk.alert_life import Act, level_of
from tradedesk.risk.monitor import RiskMonitor
from tradedesk.risk.rules import DAY_NS, Memory, findings, note_reject
from tradedesk.views.feed import Numbered, Update
from tradedesk.views.replica import Replica

LIMITS = Limits(max_order_notional=d(10**6), max_drawdown=d(1000), max_exposure=d(100_000))


def a_replica(limits: Limits = LIMITS) -> Replica:
    """One account with 1 BTC bought at 60,000 and nothing else."""
    replica = Replica()
    for event in (
        ev.InstrumentListed(at=NOW, source="test", instrument=an_instrument()),
        ev.AccountListed(at=NOW, source="test", account=an_account(limits)),
        ev.AccountOpened(at=NOW, source="test", account=ACME, openings=(), marks={}, trades_from=0),
        ev.OrderFilled(at=NOW, source="test", fill=a_fill()),
    ):
        replica.apply(event)
    mark(replica, "60000")
    return replica


def mark(replica: Replica, price: str, at: int = NOW) -> None:
    level = ((d(price), d(1)),)
    replica.apply(
        ev.BookFrame(at=at, source="test", instrument=BTC, bids=level, asks=level, received_at=at, state=FeedState.Live)
    )


def found(replica: Replica, memory: Memory, now: int = NOW) -> dict[str, Severity]:
    """What would be an alert by the built-in levels: a figure counts from 0.8 of its limit on."""
    return {
        finding.key: finding.severity
        for finding in findings(replica, memory, "USDT", now)
        if level_of(finding, rule_of(finding.rule, {})) is not None
    }


@pytest.mark.parametrize(
    ("price", "severity"),
    [
        ("60000", None),
        ("59200.01", None),
        ("59200", Severity.Warning),  # 80 percent of the limit
        ("59000.01", Severity.Warning),
        ("59000", Severity.Critical),
        ("50000", Severity.Critical),
    ],
)
def test_a_drawdown_is_measured_from_the_days_peak(price, severity):
    replica, memory = a_replica(), Memory()
    found(replica, memory)
    mark(replica, price)
    assert found(replica, memory).get("drawdown:acme") is severity


def test_a_drawdown_counts_from_the_highest_point_not_from_the_start():
    replica, memory = a_replica(), Memory()
    mark(replica, "65000")
    found(replica, memory)
    mark(replica, "64000")
    assert found(replica, memory)["drawdown:acme"] is Severity.Critical


def test_a_new_day_has_a_peak_of_its_own():
    replica, memory = a_replica(), Memory()
    found(replica, memory)
    mark(replica, "50000")
    assert "drawdown:acme" in found(replica, memory)
    assert "drawdown:acme" not in found(replica, memory, now=NOW + DAY_NS)


def test_a_deposit_is_no_gain_and_no_loss():
    replica, memory = a_replica(), Memory()
    found(replica, memory)
    for asset, amount in (("USDT", "-50000"), ("BTC", "-0.9")):
        replica.apply(
            ev.MovementSeen(at=NOW, source="test", account=ACME, asset=asset, amount=d(amount), kind="withdrawal")
        )
    assert "drawdown:acme" not in found(replica, memory)


@pytest.mark.parametrize(
    ("price", "severity"), [("79999", None), ("80000", Severity.Warning), ("100000", Severity.Critical)]
)
def test_exposure_is_the_sum_of_positions_at_the_mark(price, severity):
    replica = a_replica()
    mark(replica, price)
    assert found(replica, Memory()).get("exposure:acme") is severity


def test_a_short_position_is_exposure_too():
    replica = a_replica()
    replica.apply(ev.OrderFilled(at=NOW, source="test", fill=a_fill("s1", trade_id="t2", qty="3", side=Side.Sell)))
    assert found(replica, Memory())["exposure:acme"] is Severity.Critical


def test_without_a_limit_there_is_no_rule():
    replica = a_replica(Limits(max_order_notional=d(1)))
    mark(replica, "1000000")
    assert found(replica, Memory()) == {}


def test_a_burst_of_refusals_is_news_and_ends_when_its_window_has_passed():
    replica, memory = a_replica(), Memory()
    for number in range(4):
        note_reject(memory, ACME, NOW + number * SECOND)
    assert found(replica, memory, NOW + 4 * SECOND) == {}
    note_reject(memory, ACME, NOW + 4 * SECOND)
    assert found(replica, memory, NOW + 4 * SECOND) == {"reject-burst:acme": Severity.Warning}
    assert found(replica, memory, NOW + 10 * SECOND) == {}


def test_a_market_is_stale_news_after_a_grace():
    replica = a_replica()
    replica.apply(ev.FeedChanged(at=NOW, source="test", instrument=BTC, state=FeedState.Gapped))
    assert found(replica, Memory(), NOW + SECOND) == {}
    assert found(replica, Memory(), NOW + 2 * SECOND) == {f"feed:{BTC}": Severity.Warning}
    replica.apply(ev.FeedChanged(at=NOW, source="test", instrument=BTC, state=FeedState.Live))
    assert found(replica, Memory(), NOW + 3 * SECOND) == {}


def health(is_up: bool) -> ev.AccountHealth:
    return ev.AccountHealth(
        at=NOW, source="test", account=ACME, is_stream_up=is_up, stream_age_ms=None, ack_ms=None, clock_offset_ms=0, mailbox=0
    )  # fmt: skip


def test_a_private_stream_that_stays_down_is_critical_news_and_one_that_comes_back_is_none():
    replica, memory = a_replica(), Memory()
    replica.apply(health(False))
    assert found(replica, memory, NOW) == {}
    assert found(replica, memory, NOW + 3 * SECOND) == {"stream:acme": Severity.Critical}
    replica.apply(health(True))
    assert found(replica, memory, NOW + 4 * SECOND) == {}
    replica.apply(health(False))
    assert found(replica, memory, NOW + 5 * SECOND) == {}


def texts_of_staleness(replica: Replica, memory: Memory, now: int) -> list[str]:
    return [finding.text for finding in findings(replica, memory, "USDT", now) if finding.rule == "staleness"]


def test_a_text_that_is_kept_names_the_moment_and_no_duration():
    replica, memory = a_replica(), Memory()
    replica.apply(ev.FeedChanged(at=NOW, source="test", instrument=BTC, state=FeedState.Stale))
    replica.apply(health(False))
    findings(replica, memory, "USDT", NOW)
    first = texts_of_staleness(replica, memory, NOW + 5 * SECOND)
    assert first == texts_of_staleness(replica, memory, NOW + 60 * SECOND)
    moment = f"{datetime.fromtimestamp(NOW // SECOND, UTC):%H:%M:%S}Z"
    assert all(f"since {moment}" in text for text in first)
    assert len(first) == 2


# ---- what is told ---------------------------------------------------------------------------------------------------


class _Feed:
    def __init__(self, updates: list[Update]) -> None:
        self._updates = updates

    def take(self) -> list[Update]:
        updates, self._updates = self._updates, []
        return updates

    def close(self) -> None:
        self._updates = []


def burst(kind: RequestKind, state: RequestState, count: int = 6) -> list[ev.Event]:
    """`count` orders, each with one request of that kind so decided."""
    events: list[ev.Event] = []
    for number in range(count):
        order_id = f"c{number}"
        request_id = RequestId(order_id if kind is RequestKind.New else f"{order_id}-x1")
        events.append(ev.OrderPlaced(at=NOW, source="test", order=an_order(order_id)))
        if kind is not RequestKind.New:
            request = Request(request_id=request_id, kind=kind, operator=DESK1, made_at=NOW)
            events.append(
                ev.RequestMade(at=NOW, source="test", account=ACME, client_order_id=order_id, request=request)
            )
        events.append(
            ev.RequestDecided(
                at=NOW, source="test", account=ACME, client_order_id=order_id, request_id=request_id, state=state
            )
        )
    return events


@pytest.mark.parametrize(
    ("kind", "state", "alerts"),
    [
        (RequestKind.New, RequestState.Refused, ["reject-burst"]),
        (RequestKind.New, RequestState.Denied, ["reject-burst"]),
        (RequestKind.New, RequestState.Acknowledged, []),
        (RequestKind.Cancel, RequestState.Refused, []),  # cancels that lose to fills are quiet (F39)
        (RequestKind.Replace, RequestState.Denied, []),  # counted with the order that was to replace it
    ],
)
def test_the_monitor_counts_orders_refused_and_nothing_else(kind, state, alerts):
    replica = a_replica()
    updates: list[Update] = [replica.snapshot(1)]
    updates += [Numbered(number, event) for number, event in enumerate(burst(kind, state), 2)]
    emitted: list[ev.Event] = []
    monitor = RiskMonitor(_Feed(updates), emitted.append, ManualClock(NOW), "USDT", Log())
    monitor.look()
    assert [event.alert.rule for event in emitted if isinstance(event, ev.AlertRaised)] == alerts
    monitor.look()
    assert len(emitted) == len(alerts)


def test_the_monitor_says_nothing_before_it_is_fed():
    emitted: list[ev.Event] = []
    RiskMonitor(_Feed([]), emitted.append, ManualClock(NOW), "USDT", Log()).look()
    assert emitted == []


def test_the_monitor_runs_on_a_thread_of_its_own_and_stops():
    monitor = RiskMonitor(_Feed([]), lambda event: None, ManualClock(NOW), "USDT", Log())
    monitor.start()
    monitor.stop()
    assert "risk-monitor" not in [thread.name for thread in threading.enumerate()]


# ---- what it does about it, and how long that takes -------------------------------------------------------------------


class _Round:
    """What the monitor emits comes back to it, as the hub sees to it."""

    def __init__(self, replica: Replica) -> None:
        self.updates: list[Update] = [replica.snapshot(1)]
        self.emitted: list[ev.Event] = []

    def take(self) -> list[Update]:
        updates, self.updates = self.updates, []
        return updates

    def close(self) -> None:
        self.updates = []

    def emit(self, event: ev.Event) -> None:
        self.emitted.append(event)
        self.updates.append(Numbered(len(self.emitted) + 1, event))

    def mark(self, price: str) -> None:
        level = ((d(price), d(1)),)
        self.emit(
            ev.BookFrame(
                at=NOW, source="test", instrument=BTC, bids=level, asks=level, received_at=NOW, state=FeedState.Live
            )
        )

    def told(self, kind: type[ev.Event]) -> list[ev.Event]:
        return [event for event in self.emitted if isinstance(event, kind)]


def a_round(price: str = "60000") -> tuple[_Round, RiskMonitor, ManualClock, list[Act]]:
    """A monitor that has looked once, with the market at `price` from then on."""
    replica, acts, clock = a_replica(), list[Act](), ManualClock(NOW)
    bench = _Round(replica)
    monitor = RiskMonitor(bench, bench.emit, clock, "USDT", Log(), act=acts.append)
    monitor.look()
    bench.mark(price)
    return bench, monitor, clock, acts


def test_a_drawdown_at_its_limit_is_acted_on_before_it_is_told():
    bench, monitor, clock, acts = a_round("58000")
    monitor.look()
    assert acts == []  # one look is not enough
    clock.advance(SECOND // 4)
    monitor.look()
    assert [(act.account, act.level) for act in acts] == [(ACME, HaltLevel.ReduceOnly)]
    (raised,) = bench.told(ev.AlertRaised)
    assert (raised.alert.action, raised.alert.owner) == ("reduce-only", "risk")
    for _ in range(20):
        clock.advance(SECOND)
        monitor.look()
    assert (len(acts), len(bench.told(ev.AlertRaised))) == (1, 1)


def test_an_alert_is_measured_from_its_cause_until_everybody_is_fed():
    bench, monitor, clock, _ = a_round("58000")
    monitor.look()
    for _ in range(2):
        clock.advance(SECOND // 4)
        monitor.look()
    (delivered,) = bench.told(ev.AlertDelivered)
    assert (delivered.to, delivered.late_ms) == ("stream", 500)


def test_an_alert_that_came_too_late_is_an_alert_and_that_one_is_not_measured():
    bench, monitor, clock, _ = a_round("58000")
    monitor.look()
    clock.advance(SECOND)
    monitor.look()
    clock.advance(6 * SECOND)  # the desk stood still
    monitor.look()
    clock.advance(SECOND)
    monitor.look()
    assert [event.alert.key for event in bench.told(ev.AlertRaised)] == ["drawdown:acme", "alert-latency:stream"]
    assert [event.late_ms for event in bench.told(ev.AlertDelivered)] == [7_000]


def test_what_nobody_acknowledges_is_told_on_every_five_minutes():
    bench, monitor, clock, _ = a_round("58000")
    for _ in range(3):
        clock.advance(SECOND // 4)
        monitor.look()
    for _ in range(11):
        clock.advance(60 * SECOND)
        monitor.look()
    assert [event.times for event in bench.told(ev.AlertEscalated)] == [1, 2]
