"""The law of checkpoints: a checkpoint and the events after it come to what all events come to, whatever they were."""

from collections.abc import Iterable, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from builders import BTCUSDT, NOW, a_fill, a_request, an_instrument, an_order
from hypothesis import given, settings
from hypothesis import strategies as st
from scripted_account import client

from tradedesk.desk.keeper import Keeper
from tradedesk.domain import events as ev
from tradedesk.domain.accounts import HaltLevel
from tradedesk.domain.alerts import Alert, Severity
from tradedesk.domain.instruments import Instrument
from tradedesk.domain.keys import AcceptedRisk, KeyReport
from tradedesk.domain.mandate import ApprovedMandate, Mandate
from tradedesk.domain.orders import Happening, OrdStatus, RequestKind, RequestState
from tradedesk.domain.profile import SeenProfile
from tradedesk.domain.receipts import KillReceipt
from tradedesk.domain.words import AccountId, ClientOrderId, OperatorId, RequestId, Side, VenueOrderId
from tradedesk.orders.books import Books
from tradedesk.views import alert_rows
from tradedesk.views import replica as views
from tradedesk.views.replica import Replica

ACCOUNTS = (AccountId("acme"), AccountId("zeta"))
BTC, ETH = an_instrument(), an_instrument("ETH/USDT")
DESK1 = OperatorId("desk1")
AT = {"at": st.integers(NOW, NOW + 10**9), "source": st.just("test")}

whose = st.sampled_from(ACCOUNTS)
amounts = st.decimals(min_value="0.001", max_value="9", places=3)
signed = st.decimals(min_value="-9", max_value="9", places=3)
assets = st.sampled_from(("BTC", "ETH", "USDT"))
venue_ids = st.sampled_from([VenueOrderId(f"v{number}") for number in range(3)])
requests = st.builds(
    a_request,
    st.sampled_from(RequestKind),
    st.sampled_from(RequestState),
    request_id=st.sampled_from(("r1", "r2")),
)


def orders_of(account: AccountId) -> st.SearchStrategy[ClientOrderId]:
    return st.sampled_from([ClientOrderId(f"{account}-{number}") for number in range(6)])


@st.composite
def about_an_order(draw: st.DrawFn) -> ev.DurableEvent:
    account = draw(whose)
    key = draw(orders_of(account))
    base: dict[str, Any] = {"at": draw(AT["at"]), "source": "test", "account": account, "client_order_id": key}
    match draw(st.sampled_from(("placed", "made", "decided", "moved", "changed", "filled"))):
        case "placed":
            status = draw(st.sampled_from(OrdStatus))
            made = tuple(draw(st.lists(requests, max_size=2)))
            order = an_order(
                status, account=account, client_order_id=key, requests=made, is_external=draw(st.booleans())
            )
            return ev.OrderPlaced(at=base["at"], source="test", order=order)
        case "made":
            return ev.RequestMade(**base, request=draw(requests))
        case "decided":
            state = draw(st.sampled_from(RequestState))
            return ev.RequestDecided(**base, request_id=RequestId(draw(st.sampled_from(("r1", "r2")))), state=state)
        case "moved":
            happening = draw(st.sampled_from(Happening))
            return ev.OrderMoved(**base, happening=happening, venue_order_id=draw(st.none() | venue_ids))
        case "changed":
            return ev.OrderChanged(**base, known_as=draw(st.none() | st.just(ClientOrderId("theirs"))))
        case _:
            fill = a_fill(
                str(draw(amounts)),
                str(draw(amounts)),
                side=draw(st.sampled_from(Side)),
                fee=draw(st.sampled_from((None, "0", "0.001"))),
                currency=draw(assets),
                trade_id=f"t{draw(st.integers(0, 30))}",
                account=account,
                client_order_id=key,
                instrument=draw(st.sampled_from((BTC.id, ETH.id))),
            )
            return ev.OrderFilled(at=base["at"], source="test", fill=fill)


def of_type(event_type: type, /, **fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.builds(event_type, **AT, **fields)


alerts = st.builds(
    lambda key, account: Alert(
        key=key, rule="drawdown", severity=Severity.Warning, account=account, text="down", at=NOW
    ),
    st.sampled_from(("a", "b", "c")),
    st.none() | whose,
)
openings = st.dictionaries(assets, st.sampled_from((Decimal(0), Decimal(2), Decimal("0.5")))).map(
    lambda held: tuple(ev.Opening(asset=asset, amount=amount) for asset, amount in held.items())
)
exits = st.sampled_from(("127.0.0.2", "socks5://10.0.0.1:1080"))
others = st.one_of(
    of_type(
        ev.AccountOpened,
        account=whose,
        openings=openings,
        marks=st.dictionaries(st.just(BTCUSDT), amounts),
        trades_from=st.integers(0, 9),
    ),
    of_type(
        ev.MovementSeen,
        account=whose,
        asset=assets,
        amount=signed,
        kind=st.sampled_from(("deposit", "fee", "interest")),
        movement_id=st.sampled_from(("m1", "m2")),
    ),
    of_type(
        ev.Reconciled,
        account=whose,
        differences=st.sampled_from(((), ("one",))),
        worklist=st.just(()),
    ),
    of_type(
        ev.HaltSet, account=st.none() | whose, level=st.sampled_from(HaltLevel), by=st.just(DESK1), reason=st.just("r")
    ),
    of_type(ev.Rearmed, account=st.none() | whose, by=st.just(DESK1), reason=st.just("r")),
    of_type(
        ev.KillRecorded,
        receipt=st.sampled_from(("a", "b", "c")).map(
            lambda key: KillReceipt(
                id=key,
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
    of_type(ev.ExitSwitched, account=whose, exit=exits, by=st.just(DESK1), reason=st.just("r")),
    of_type(ev.ExitProved, account=whose, exit=exits, seen=st.none() | exits, how=st.just("socket")),
    of_type(
        ev.ExitRefused, account=whose, exit=exits, seen=st.none() | exits, how=st.just("socket"), reason=st.just("r")
    ),
    of_type(
        ev.LimitsSet,
        account=st.none() | whose,
        group=st.none(),
        instrument=st.none(),
        figure=st.sampled_from(("max_open_orders", "max_order_qty")),
        value=st.none() | st.just("9"),
        before=st.none(),
        until=st.none() | st.just(NOW + 1),
        by=st.just(DESK1),
        reason=st.just("r"),
    ),
    of_type(
        ev.LimitPassed,
        account=whose,
        client_order_id=st.just(ClientOrderId("c1")),
        limits=st.just(("l",)),
        by=st.just(DESK1),
        reason=st.just("r"),
    ),
    of_type(
        ev.LimitExceptionEnded,
        account=st.none() | whose,
        group=st.none(),
        instrument=st.none(),
        figure=st.sampled_from(("max_open_orders", "max_order_qty")),
        value=st.just("9"),
        by=st.just(DESK1),
    ),
    of_type(ev.AlertRaised, alert=alerts),
    of_type(
        ev.ApprovalAsked,
        id=st.sampled_from(("p", "q", "r")),
        kind=st.just("live"),
        account=st.none() | whose,
        by=st.just(DESK1),
        what=st.just("w"),
        command=st.just("{}"),
        about=st.just("k"),
        expires_at=st.integers(0, 9),
    ),
    of_type(
        ev.ApprovalGiven,
        id=st.sampled_from(("p", "q")),
        kind=st.just("live"),
        account=st.none() | whose,
        asked_by=st.just(DESK1),
        by=st.just(DESK1),
        note=st.just("n"),
    ),
    of_type(ev.ApprovalEnded, id=st.sampled_from(("p", "q")), account=st.none() | whose, why=st.just("w")),
    of_type(
        ev.LiveApproved, account=whose, key=st.sampled_from(("k1", "k2")), by=st.just(DESK1), approved_by=st.just(DESK1)
    ),
    of_type(ev.OperatorAttached, operator=st.just(DESK1), uid=st.just(1)),
    of_type(ev.OperatorLeft, operator=st.just(DESK1), uid=st.just(1)),
    of_type(
        ev.KeyChecked,
        account=whose,
        report=st.builds(KeyReport, fingerprint=st.sampled_from(("k1", "k2"))),
        findings=st.just(()),
    ),
    of_type(
        ev.KeyRiskAccepted,
        account=whose,
        risk=st.builds(
            AcceptedRisk,
            fingerprint=st.sampled_from(("k1", "k2")),
            by=st.just(DESK1),
            reason=st.just("r"),
            at=st.just(1),
        ),
    ),
    of_type(
        ev.MandateApproved,
        account=whose,
        approved=st.builds(
            lambda version: ApprovedMandate(
                mandate=Mandate(version=version, valid_from=date(2026, 1, 1), products=()), by=DESK1, reason="r", at=1
            ),
            st.integers(1, 3),
        ),
    ),
    of_type(
        ev.ProfileChecked,
        account=whose,
        seen=st.just(SeenProfile(absent=("leverage",))),
        differences=st.sampled_from(((), ("leverage is 5 at the venue and must be 3",))),
    ),
    of_type(ev.AlertEnded, key=st.sampled_from(("a", "b"))),
    of_type(ev.AlertAcknowledged, key=st.sampled_from(("a", "b")), by=st.just(DESK1), note=st.just("n")),
    of_type(
        ev.AlertSnoozed,
        key=st.sampled_from(("a", "b")),
        by=st.just(DESK1),
        note=st.just("n"),
        until=st.integers(NOW, NOW + 10**9),
    ),
    of_type(
        ev.DayMarked,
        account=st.none() | whose,
        group=st.none() | st.just("growth"),
        day=st.integers(1, 2),
        start=amounts,
        peak=amounts,
        net=amounts,
    ),
    of_type(ev.AlertSnoozeEnded, key=st.sampled_from(("a", "b"))),
    of_type(ev.AlertEscalated, key=st.sampled_from(("a", "b")), times=st.integers(1, 3), waited_ms=st.just(1)),
)


def legal(events: Iterable[ev.DurableEvent], eth_from: int) -> list[ev.DurableEvent]:
    """As desks record them: an instrument before its first fill, an account opened once. ETH is listed at `eth_from`."""
    found: list[ev.DurableEvent] = [ev.InstrumentListed(at=NOW, source="desk", instrument=BTC)]
    opened: set[AccountId] = set()
    is_listed = False
    for number, event in enumerate(events):
        if number == eth_from:
            found.append(ev.InstrumentListed(at=NOW, source="desk", instrument=ETH))
            is_listed = True
        if isinstance(event, ev.AccountOpened):
            if event.account in opened:
                continue
            opened.add(event.account)
        if isinstance(event, ev.OrderFilled) and event.fill.instrument == ETH.id and not is_listed:
            continue
        found.append(event)
    return found


histories = st.builds(
    legal, st.lists(st.one_of(about_an_order(), about_an_order(), others), max_size=60), st.integers(0, 70)
)


TRIED = {
    ev.OrderPlaced, ev.RequestMade, ev.RequestDecided, ev.OrderMoved, ev.OrderChanged, ev.OrderFilled, ev.AccountOpened,
    ev.MovementSeen, ev.Reconciled, ev.HaltSet, ev.Rearmed, ev.AlertRaised, ev.AlertEnded, ev.AlertAcknowledged,
    ev.InstrumentListed, ev.KillRecorded, ev.ExitSwitched, ev.ExitProved, ev.ExitRefused,
    ev.ApprovalAsked, ev.ApprovalGiven, ev.ApprovalEnded, ev.LiveApproved, ev.OperatorAttached, ev.OperatorLeft,
    ev.KeyChecked, ev.KeyRiskAccepted, ev.MandateApproved, ev.ProfileChecked, ev.DayMarked, ev.LimitsSet, ev.LimitExceptionEnded, ev.LimitPassed,
    ev.AlertSnoozed, ev.AlertSnoozeEnded, ev.AlertEscalated,
}  # fmt: skip
ANSWERS = {
    ev.HaltSwept,
    ev.CancelSwept,
    ev.AccountOffboarded,
    ev.LoginRefused,
    ev.CommandRefused,
    ev.KeyRotated,
    ev.KeyKept,
}  # told to somebody; no fold keeps anything of them


def test_the_law_is_tried_on_every_event_that_a_fold_keeps_something_of() -> None:
    """A new durable event belongs into the histories above."""
    assert set(ev.DURABLE) == TRIED | ANSWERS


@pytest.fixture(autouse=True, scope="module")
def short_memories() -> Iterable[None]:
    """So that what is forgotten is forgotten within a short history."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(views, "MAX_DEAD_ORDERS", 3)
        patch.setattr(views, "MAX_FILLS", 5)
        patch.setattr(alert_rows, "MAX_ALERTS", 2)
        patch.setattr(alert_rows, "MAX_ENDED_ALERTS", 1)
        patch.setattr(views, "MAX_APPROVALS", 2)
        patch.setattr(views, "MAX_KILLS", 2)
        yield


def kept(events: Iterable[Any]) -> list[Any]:
    """What a checkpoint makes of them, as it comes back from the disk."""
    keeper = Keeper()
    for event in events:
        keeper.apply(event)
    made = list(keeper.events())
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(made), type=list[ev.InstrumentListed | ev.Kept]) == made
    return made


def desk_of(events: Iterable[Any]) -> views.Snapshot:
    replica = Replica()
    for event in events:
        replica.apply(event)
    return replica.snapshot(0)


def books_of(account: AccountId, events: Sequence[Any], instruments: list[Instrument]) -> dict[str, Any]:
    """Everything that books hold, by name, as a start of the desk makes them (Desk._read_journal)."""
    listed = [event for event in events if isinstance(event, ev.InstrumentListed)]
    own = [event for event in events if ev.account_of(event) == account]
    books = Books(client(account), instruments, [*listed, *own], NOW)
    held = dict(vars(books))
    snapshot, held["working"] = held["replica"].snapshot(0), dict(vars(held["working"]))
    by_instrument = sorted(
        snapshot.positions, key=lambda position: position.instrument
    )  # their order means nothing here
    held["replica"] = msgspec.structs.replace(snapshot, positions=tuple(by_instrument))
    for name in ("_sums", "_families"):  # of an instrument without an order left there may be an empty place
        held["working"][name] = {key: value for key, value in held["working"][name].items() if value}
    return held


@settings(max_examples=400, deadline=None)
@given(histories, st.lists(st.integers(0, 60), min_size=1, max_size=3))
def test_a_checkpoint_and_what_comes_after_it_is_what_all_of_it_is(
    history: list[ev.DurableEvent], cuts: list[int]
) -> None:
    """For the desk's fold and for every account's books; also for a checkpoint made of an earlier one."""
    rest, at = list(history), 0
    made: list[Any] = []
    for cut in sorted(cuts):
        made = kept([*made, *history[at:cut]])
        at, rest = max(at, cut), history[max(at, cut) :]
    assert desk_of([*made, *rest]) == desk_of(history)
    for account in ACCOUNTS:
        assert books_of(account, [*made, *rest], [BTC, ETH]) == books_of(account, history, [BTC, ETH])


def test_the_order_that_died_first_is_forgotten_first_also_after_a_checkpoint() -> None:
    """Three dead orders are kept; they died the other way round than they were placed."""
    keys = [ClientOrderId(f"acme-{number}") for number in range(4)]
    placed = [
        ev.OrderPlaced(at=NOW, source="t", order=an_order(OrdStatus.New, client_order_id=key, account="acme"))
        for key in keys
    ]
    died = [
        ev.OrderMoved(at=NOW, source="t", account=ACCOUNTS[0], client_order_id=key, happening=Happening.Canceled)
        for key in reversed(keys)
    ]
    history: list[Any] = [*placed, *died]
    assert desk_of([*kept(history[:7]), *history[7:]]) == desk_of(history)
    assert {order.client_order_id for order in desk_of(history).orders} == set(keys[:3])


def test_an_instrument_that_is_new_at_a_start_has_what_was_held_of_it_all_the_time() -> None:
    """The venue lists it before the journal does: a start on a checkpoint must not take it for an empty position."""
    opening = ev.AccountOpened(
        at=NOW, source="t", account=ACCOUNTS[0], openings=(ev.Opening(asset="ETH", amount=Decimal(2)),), marks={},
        trades_from=0,
    )  # fmt: skip
    history: list[Any] = [ev.InstrumentListed(at=NOW, source="desk", instrument=BTC), opening]
    books = books_of(ACCOUNTS[0], kept(history), [BTC, ETH])
    assert [(position.instrument, position.qty) for position in books["replica"].positions] == [(ETH.id, Decimal(2))]
    assert books == books_of(ACCOUNTS[0], history, [BTC, ETH])
