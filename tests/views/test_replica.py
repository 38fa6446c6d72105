"""The fold: what is shown follows from the events alone, survives the wire, and does not grow without end."""

from decimal import Decimal

import msgspec
import pytest
from builders import BTCUSDT, NOW, a_fill, a_request, an_instrument, an_order
from hypothesis import given, settings
from hypothesis import strategies as st

from tradedesk.domain import events as ev
from tradedesk.domain.accounts import Account, AccountState, HaltLevel, Mode
from tradedesk.domain.alerts import Alert, Severity
from tradedesk.domain.instruments import Candle, FeedState, PublicTrade
from tradedesk.domain.limits import InstrumentLimits, Limits
from tradedesk.domain.orders import Happening, OrdStatus, RequestKind, RequestState
from tradedesk.domain.positions import Balance
from tradedesk.domain.receipts import KillReceipt
from tradedesk.domain.scopes import Scope, ScopeKind
from tradedesk.domain.words import (
    AccountId,
    ClientOrderId,
    InstrumentId,
    OperatorId,
    RequestId,
    Side,
    VenueId,
    VenueOrderId,
)
from tradedesk.views import alert_rows
from tradedesk.views import replica as views
from tradedesk.views.feed import Numbered, encoder, update_decoder
from tradedesk.views.replica import Replica, Snapshot, merged

ACME, DESK1 = AccountId("acme"), OperatorId("desk1")
ETH = an_instrument("ETH/USDT")


def an_account(name: str) -> Account:
    return Account(
        id=AccountId(name),
        venue=VenueId("binance"),
        owner=name,
        groups=("all",),
        mode=Mode.Paper,
        egress="127.0.0.2",
        secret=name,
        limits=Limits(
            max_order_notional=Decimal(1), instruments={BTCUSDT: InstrumentLimits(max_order_qty=Decimal("0.1"))}
        ),
    )


def a_candle(minute: int, close: str = "1") -> Candle:
    price = Decimal(close)
    return Candle(open_time=minute * 60, open=price, high=price, low=price, close=price, volume=Decimal(1))


def an_alert(key: str) -> Alert:
    return Alert(key=key, rule="drawdown", severity=Severity.Warning, account=ACME, text="down", at=NOW)


accounts = st.sampled_from([ACME, AccountId("zeta")])
order_ids = st.sampled_from([ClientOrderId(f"c{number}") for number in range(4)])
instruments = st.sampled_from([BTCUSDT, ETH.id])
amounts = st.decimals(min_value="0.001", max_value="9", places=3)
requests = st.builds(
    a_request,
    st.sampled_from(RequestKind),
    st.sampled_from(RequestState),
    request_id=st.sampled_from(["r1", "r2"]),
)
orders = st.builds(
    lambda account, key, status, qty, made: an_order(
        status, qty=str(qty), account=account, client_order_id=key, requests=made
    ),
    accounts,
    order_ids,
    st.sampled_from(OrdStatus),
    amounts,
    st.lists(requests, max_size=2).map(tuple),
)
fills = st.builds(
    lambda account, key, instrument, qty, price, side, fee, number: a_fill(
        str(qty),
        str(price),
        account=account,
        client_order_id=key,
        instrument=instrument,
        side=side,
        fee=fee,
        trade_id=str(number),
    ),
    accounts,
    order_ids,
    instruments,
    amounts,
    amounts,
    st.sampled_from(Side),
    st.sampled_from([None, "0.01"]),
    st.integers(0, 10**6),
)
levels = st.tuples(amounts, amounts).map(lambda level: (level,))
keys = st.sampled_from(["drawdown:acme", "stale:BTC"])
_at = {"at": st.integers(NOW, NOW + 10**9), "source": st.just("test")}


def event_of(event_type: type, /, **fields) -> st.SearchStrategy[ev.Event]:
    return st.builds(event_type, **_at, **fields)


events = st.one_of(
    event_of(ev.OrderPlaced, order=orders),
    event_of(ev.RequestMade, account=accounts, client_order_id=order_ids, request=requests),
    event_of(
        ev.RequestDecided,
        account=accounts,
        client_order_id=order_ids,
        request_id=st.just(RequestId("r1")),
        state=st.sampled_from(RequestState),
        reasons=st.just(("why",)),
    ),
    event_of(
        ev.OrderMoved,
        account=accounts,
        client_order_id=order_ids,
        happening=st.sampled_from(Happening),
        venue_order_id=st.just(VenueOrderId("v1")),
        reason=st.none() | st.just("why"),
    ),
    event_of(ev.OrderFilled, fill=fills),
    event_of(
        ev.AccountOpened,
        account=accounts,
        openings=st.just((ev.Opening(asset="BTC", amount=Decimal(2)),)),
        marks=st.dictionaries(instruments, amounts, max_size=2),
        trades_from=st.just(NOW),
    ),
    event_of(
        ev.MovementSeen, account=accounts, asset=st.sampled_from(["BTC", "USDT"]), amount=amounts, kind=st.just("x")
    ),
    event_of(ev.Reconciled, account=accounts, differences=st.just(("one",))),
    event_of(
        ev.HaltSet,
        account=st.none() | accounts,
        level=st.sampled_from(HaltLevel),
        by=st.just(DESK1),
        reason=st.just("drill"),
    ),
    event_of(
        ev.OrderChanged,
        account=accounts,
        client_order_id=order_ids,
        order_qty=st.none() | amounts,
        known_as=st.none() | order_ids,
        triggered_by=st.none() | order_ids,
    ),
    event_of(
        ev.CancelSwept,
        account=accounts,
        instrument=st.none() | instruments,
        side=st.none() | st.sampled_from(Side),
        by=st.just(DESK1),
        cancelled=st.just(1),
        ended=st.just(0),
        left=st.just(0),
        took_ms=st.just(3),
    ),
    event_of(
        ev.KillRecorded,
        receipt=st.just(
            KillReceipt(
                id="k1",
                desk="main",
                by=DESK1,
                reason="r",
                level=HaltLevel.CancelAll,
                started_at=NOW,
                took_ms=1,
                accounts=(),
            )
        ),
    ),
    event_of(ev.AccountOffboarded, account=accounts, by=st.just(DESK1), reason=st.just("over")),
    event_of(
        ev.LimitsSet,
        account=st.none() | accounts,
        group=st.none(),
        instrument=st.none(),
        figure=st.just("max_open_orders"),
        value=st.none() | st.just("9"),
        before=st.none(),
        until=st.none() | st.just(9),
        by=st.just(DESK1),
        reason=st.just("r"),
    ),
    event_of(
        ev.LimitPassed,
        account=accounts,
        client_order_id=st.just(ClientOrderId("c1")),
        limits=st.just(("l",)),
        by=st.just(DESK1),
        reason=st.just("r"),
    ),
    event_of(
        ev.LimitExceptionEnded,
        account=st.none() | accounts,
        group=st.none(),
        instrument=st.none(),
        figure=st.just("max_open_orders"),
        value=st.just("9"),
        by=st.just(DESK1),
    ),
    event_of(ev.ExitSwitched, account=accounts, exit=st.just("127.0.0.3"), by=st.just(DESK1), reason=st.just("dead")),
    event_of(
        ev.ExitProved, account=accounts, exit=st.just("127.0.0.2"), seen=st.just("127.0.0.2"), how=st.just("socket")
    ),
    event_of(
        ev.ExitRefused,
        account=accounts,
        exit=st.just("127.0.0.2"),
        seen=st.none(),
        how=st.just(""),
        reason=st.just("no"),
    ),
    event_of(ev.HaltSwept, account=accounts, cancelled=st.just(1), left=st.just(0), took_ms=st.just(3)),
    event_of(ev.OperatorAttached, operator=st.just(DESK1), uid=st.just(1000), unrecorded=st.integers(0, 3)),
    event_of(ev.OperatorLeft, operator=st.just(DESK1), uid=st.just(1000)),
    event_of(ev.LoginRefused, operator=st.just(DESK1), uid=st.just(1000), why=st.just("wrong")),
    event_of(
        ev.CommandRefused,
        operator=st.just(DESK1),
        command=st.just("Rearm"),
        account=st.none() | accounts,
        why=st.just("no"),
    ),
    event_of(
        ev.ApprovalAsked,
        id=st.sampled_from(["p", "q"]),
        kind=st.just("live"),
        account=st.none() | accounts,
        by=st.just(DESK1),
        what=st.just("w"),
        command=st.just("{}"),
        about=st.just("k"),
        expires_at=st.just(NOW),
    ),
    event_of(
        ev.ApprovalGiven,
        id=st.sampled_from(["p", "q"]),
        kind=st.just("live"),
        account=st.none() | accounts,
        asked_by=st.just(DESK1),
        by=st.just(DESK1),
        note=st.just("n"),
    ),
    event_of(ev.ApprovalEnded, id=st.sampled_from(["p", "q"]), account=st.none() | accounts, why=st.just("late")),
    event_of(ev.LiveApproved, account=accounts, key=st.just("k"), by=st.just(DESK1), approved_by=st.just(DESK1)),
    event_of(ev.Rearmed, account=st.none() | accounts, by=st.just(DESK1), reason=st.just("over")),
    event_of(ev.AlertRaised, alert=keys.map(an_alert)),
    event_of(ev.AlertEnded, key=keys),
    event_of(ev.AlertAcknowledged, key=keys, by=st.just(DESK1), note=st.just("seen")),
    event_of(ev.AlertSnoozed, key=keys, by=st.just(DESK1), until=st.integers(NOW, NOW + 9), note=st.just("later")),
    event_of(ev.AlertSnoozeEnded, key=keys),
    event_of(ev.AlertEscalated, key=keys, times=st.integers(1, 3), waited_ms=st.just(5)),
    event_of(ev.AlertDelivered, to=keys, late_ms=st.integers(0, 9_000)),
    event_of(ev.InstrumentListed, instrument=st.sampled_from([an_instrument(), ETH])),
    event_of(
        ev.DeskStarted, desk=st.just("main"), version=st.just("1"), pid=st.just(1), reporting_currency=st.just("USDT")
    ),
    event_of(ev.VenueListed, venue=st.just(VenueId("binance")), exchange=st.just("binance"), is_live=st.booleans()),
    event_of(ev.AccountListed, account=accounts.map(an_account)),
    event_of(ev.AccountChanged, account=accounts, state=st.sampled_from(AccountState), reason=st.just("")),
    event_of(
        ev.AccountHealth,
        account=accounts,
        is_stream_up=st.booleans(),
        stream_age_ms=st.none() | st.just(1),
        ack_ms=st.none() | amounts,
        clock_offset_ms=st.none(),
        mailbox=st.just(0),
    ),
    event_of(
        ev.BalancesRead,
        account=accounts,
        balances=amounts.map(lambda free: (Balance(asset="BTC", free=free, locked=Decimal(0)),)),
        is_complete=st.booleans(),
    ),
    event_of(ev.FeedChanged, instrument=instruments, state=st.sampled_from(FeedState)),
    event_of(
        ev.BookFrame,
        instrument=instruments,
        bids=levels,
        asks=levels,
        received_at=st.just(NOW),
        state=st.sampled_from(FeedState),
    ),
    event_of(
        ev.TapeFrame,
        instrument=instruments,
        trades=amounts.map(
            lambda price: (PublicTrade(trade_id="1", price=price, qty=Decimal(1), taker_is_buyer=True, at=NOW),)
        ),
    ),
    event_of(
        ev.CandleFrame, instrument=instruments, candles=st.just((a_candle(1), a_candle(2))), is_full=st.booleans()
    ),
    event_of(ev.LogWritten, level=st.just("info"), event=st.just("e"), text=st.text(max_size=5)),
    event_of(ev.Heartbeat),
    event_of(ev.SubmissionRefused, operator=st.just(DESK1), what=st.just("c1"), reason=st.just("no")),
)


def folded(*happened: ev.Event, into: Replica | None = None) -> Replica:
    replica = into if into is not None else Replica()
    for event in happened:
        replica.apply(event)
    return replica


@settings(max_examples=300, deadline=None)
@given(st.lists(events, min_size=5, max_size=40), st.lists(events, min_size=3, max_size=15))
def test_a_reader_that_comes_back_from_a_snapshot_sees_what_one_that_never_left_sees(before, later):
    """5.13: also over the wire, with every number exact."""
    stayed = folded(*before)
    sent = stayed.snapshot(7)
    received = update_decoder.decode(encoder.encode(sent))
    assert received == sent
    assert isinstance(received, Snapshot)
    back = Replica.restored(received)
    folded(*later, into=stayed)
    folded(*later, into=back)
    assert back.snapshot(8) == stayed.snapshot(8)


@settings(max_examples=150, deadline=None)
@given(events)
def test_every_event_travels_the_wire_and_the_journal_unchanged(event):
    assert update_decoder.decode(encoder.encode(Numbered(3, event))) == Numbered(3, event)
    if isinstance(event, ev.DURABLE):
        assert ev.durable_decoder.decode(msgspec.msgpack.encode(event)) == event


def test_the_list_of_durable_events_and_their_type_are_one():
    durable = set(ev.DurableEvent.__args__)
    assert durable == set(ev.DURABLE)
    assert durable.isdisjoint(ev.LiveEvent.__args__)
    assert {kind.__name__ for kind in (*durable, *ev.LiveEvent.__args__, *ev.Kept.__args__)} == {
        kind.__name__ for kind in ev.EventBase.__subclasses__()
    }


def test_rows_that_were_handed_out_do_not_change():
    replica = folded(ev.OrderPlaced(at=NOW, source="s", order=an_order(OrdStatus.New)))
    shown, snapshot = replica.orders[ClientOrderId("c1")], replica.snapshot(1)
    folded(ev.OrderFilled(at=NOW, source="s", fill=a_fill()), into=replica)
    assert shown.cum_qty == 0
    assert snapshot.orders == (shown,)


def test_a_fill_of_an_order_nobody_knows_moves_the_position_all_the_same():
    """5.3"""
    replica = folded(
        ev.InstrumentListed(at=NOW, source="s", instrument=an_instrument()),
        ev.OrderFilled(at=NOW, source="s", fill=a_fill("2", "10", client_order_id="stranger")),
    )
    assert replica.positions[ACME, BTCUSDT].qty == 2
    assert replica.ledgers[ACME] == {"BTC": 2, "USDT": -20}
    assert replica.orders == {}


def test_an_account_is_opened_once_seen_whichever_event_comes_first():
    opened = ev.AccountOpened(
        at=NOW,
        source="s",
        account=ACME,
        openings=(ev.Opening(asset="BTC", amount=Decimal(2)), ev.Opening(asset="USDT", amount=Decimal(5))),
        marks={BTCUSDT: Decimal(100)},
        trades_from=NOW,
    )
    listed = ev.AccountListed(at=NOW, source="s", account=an_account("acme"))
    instrument = ev.InstrumentListed(at=NOW, source="s", instrument=an_instrument())
    for order in ((instrument, opened, listed), (listed, instrument, opened)):
        replica = folded(*order)
        assert replica.accounts[ACME].is_opened
        assert replica.positions[ACME, BTCUSDT].cost == 200
        assert replica.ledgers[ACME] == {"BTC": 2, "USDT": 5}


def test_a_deposit_is_neither_gain_nor_loss():
    """5.3"""
    replica = folded(
        ev.InstrumentListed(at=NOW, source="s", instrument=an_instrument()),
        ev.OrderFilled(at=NOW, source="s", fill=a_fill("2", "10")),
        ev.MovementSeen(at=NOW, source="s", account=ACME, asset="BTC", amount=Decimal(1), kind="deposit"),
    )
    position = replica.positions[ACME, BTCUSDT]
    assert (position.qty, position.avg_px, position.realized) == (3, 10, 0)
    assert replica.ledgers[ACME]["BTC"] == 3


def test_the_desks_halt_outranks_the_accounts_and_rearming_one_leaves_the_other():
    def halt(account):
        return ev.HaltSet(at=NOW, source="s", account=account, level=HaltLevel.CancelAll, by=DESK1, reason=str(account))

    replica = folded(halt(ACME), halt(None))
    found = replica.halt_of(ACME)
    assert found is not None
    assert found.reason == "None"
    folded(ev.Rearmed(at=NOW, source="s", account=None, by=DESK1, reason="over"), into=replica)
    found = replica.halt_of(ACME)
    assert found is not None
    assert found.reason == "acme"
    assert replica.halt_of(AccountId("zeta")) is None


def test_one_cause_is_one_row_counted_and_a_new_one_after_it_ended():
    raised = ev.AlertRaised(at=NOW, source="s", alert=an_alert("k"))
    taken = ev.AlertAcknowledged(at=NOW, source="s", key="k", by=DESK1, note="")
    replica = folded(raised, taken, raised)
    assert (replica.alerts["k"].count, replica.alerts["k"].acknowledged_by) == (2, DESK1)
    folded(ev.AlertEnded(at=NOW, source="s", key="k"), into=replica)
    assert not replica.alerts["k"].is_active
    folded(raised, into=replica)
    assert (replica.alerts["k"].count, replica.alerts["k"].acknowledged_by) == (1, None)


# ---- bounds ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def small_bounds(monkeypatch):
    for name in ("MAX_DEAD_ORDERS", "MAX_TAPE", "MAX_CANDLES"):
        monkeypatch.setattr(views, name, 5)
    monkeypatch.setattr(alert_rows, "MAX_ENDED_ALERTS", 5)
    monkeypatch.setattr(alert_rows, "MAX_ALERTS", 20)


@pytest.mark.usefixtures("small_bounds")
def test_no_record_of_a_replica_grows_without_end():
    """5.13"""
    replica = Replica()
    for number in range(3 * views.MAX_FILLS):
        order = an_order(OrdStatus.New, client_order_id=f"c{number}")
        folded(
            ev.OrderPlaced(at=NOW, source="s", order=order),
            ev.OrderMoved(
                at=NOW, source="s", account=ACME, client_order_id=order.client_order_id, happening=Happening.Canceled
            ),
            ev.OrderFilled(at=NOW, source="s", fill=a_fill(trade_id=str(number), client_order_id="x")),
            ev.LogWritten(at=NOW, source="s", level="info", event="e", text=str(number)),
            ev.TapeFrame(
                at=NOW,
                source="s",
                instrument=BTCUSDT,
                trades=(PublicTrade(trade_id="1", price=Decimal(1), qty=Decimal(1), taker_is_buyer=True, at=NOW),),
            ),
            ev.CandleFrame(at=NOW, source="s", instrument=BTCUSDT, candles=(a_candle(number),), is_full=False),
            into=replica,
        )
    market = replica.markets[BTCUSDT]
    assert [len(rows) for rows in (replica.orders, market.tape, market.candles)] == [5, 5, 5]
    assert list(replica.orders)[-1] == f"c{number}"
    assert (len(replica.fills), len(replica.logs)) == (views.MAX_FILLS, views.MAX_LOGS)
    assert market.candles[-1] == a_candle(number)


@pytest.mark.usefixtures("small_bounds")
def test_live_orders_are_never_dropped_for_dead_ones():
    replica = Replica()
    live = [an_order(OrdStatus.New, client_order_id=f"live{number}") for number in range(10)]
    dead = [an_order(OrdStatus.Filled, client_order_id=f"dead{number}") for number in range(10)]
    for order in [*live, *dead]:
        folded(ev.OrderPlaced(at=NOW, source="s", order=order), into=replica)
    assert list(replica.orders) == [f"live{n}" for n in range(10)] + [f"dead{n}" for n in range(5, 10)]


@pytest.mark.usefixtures("small_bounds")
def test_alerts_that_are_over_go_first():
    replica = Replica()
    for number in range(30):
        folded(ev.AlertRaised(at=NOW, source="s", alert=an_alert(f"over{number}")), into=replica)
        folded(ev.AlertEnded(at=NOW, source="s", key=f"over{number}"), into=replica)
        if number < 10:
            folded(ev.AlertRaised(at=NOW, source="s", alert=an_alert(f"still{number}")), into=replica)
    assert len(replica.alerts) == 20
    assert {f"still{number}" for number in range(10)} <= replica.alerts.keys()


# ---- candles ---------------------------------------------------------------------------------------------------------


@given(
    st.lists(st.integers(0, 30), unique=True).map(sorted),
    st.lists(st.integers(0, 40), unique=True, max_size=6).map(sorted),
)
def test_merged_candles_are_in_order_once_each_and_the_news_wins(known, news):
    history = tuple(a_candle(minute, "1") for minute in known)
    fresh = tuple(a_candle(minute, "2") for minute in news)
    result = merged(history, fresh)
    assert [candle.open_time for candle in result] == sorted({minute * 60 for minute in [*known, *news]})
    assert set(fresh) <= set(result)


def test_halts_of_every_scope_are_folded_each_under_its_own_name_and_come_through_a_snapshot():
    """5.5"""
    account = msgspec.structs.replace(an_account("acme"), groups=("growth",))
    group, btc = Scope(kind=ScopeKind.Group, name="growth"), Scope(kind=ScopeKind.Instrument, name="binance:BTCUSDT")
    other = Scope(kind=ScopeKind.Instrument, name="kraken:BTCUSDT")

    def halted(scope: Scope, level: HaltLevel) -> ev.HaltSet:
        return ev.HaltSet(
            at=1, source="desk", account=None, scope=scope, level=level, by=OperatorId("risk1"), reason="drill"
        )

    replica = Replica()
    for event in (
        ev.AccountListed(at=1, source="desk", account=account),
        halted(group, HaltLevel.ReduceOnly),
        halted(btc, HaltLevel.CancelAll),
        halted(other, HaltLevel.CancelAll),
    ):
        replica.apply(event)
    again = Replica.restored(replica.snapshot(1))
    for each in (replica, again):
        assert each.halts == {}
        assert [halt.of for halt in each.halts_of(ACME)] == [group, btc]
        assert each.halt_of(ACME).of == group
        assert each.halt_of(ACME, InstrumentId("binance:BTCUSDT")).of == btc
        assert each.halt_of(ACME, InstrumentId("binance:ETHUSDT")).of == group
        each.apply(ev.Rearmed(at=2, source="desk", account=None, scope=group, by=OperatorId("risk1"), reason="over"))
        assert each.halt_of(ACME) is None
        assert [halt.of for halt in each.all_halts] == [btc, other]
