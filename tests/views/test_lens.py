"""What an operator is sent: every kind of event and every part of a snapshot, for one who may see acme and not birch."""

from decimal import Decimal

import msgspec
import pytest
from builders import NOW, a_fill, an_order

from tradedesk.domain import events as ev
from tradedesk.domain.accounts import Account, Halt, HaltLevel, Mode
from tradedesk.domain.alerts import Alert, Severity
from tradedesk.domain.exits import ExitRow
from tradedesk.domain.limits import Limits
from tradedesk.domain.positions import opened
from tradedesk.domain.scopes import Scope, ScopeKind
from tradedesk.domain.words import AccountId, ClientOrderId, InstrumentId, OperatorId, RequestId, VenueId
from tradedesk.views.alert_rows import AlertRow
from tradedesk.views.lens import EVERYTHING, FOR_ALL, OF_THE_DESK, Lens
from tradedesk.views.replica import Replica, Snapshot

ACME, BIRCH, ANN = AccountId("acme"), AccountId("birch"), OperatorId("ann")
OURS = Lens(operator=ANN, seen=frozenset({"acme"}))
BTC = InstrumentId("binance:BTCUSDT")


def an_account(name: str) -> Account:
    return Account(
        id=AccountId(name),
        venue=VenueId("binance"),
        owner=name,
        groups=(),
        mode=Mode.Paper,
        egress="127.0.0.2",
        secret=name,
        limits=Limits(),
    )


def an_alert(key: str, account: str | None, text: str = "") -> Alert:
    found = None if account is None else AccountId(account)
    return Alert(key=key, rule="r", severity=Severity.Warning, account=found, text=text, at=NOW)


def asked(id: str, account: AccountId | None) -> ev.ApprovalAsked:
    return ev.ApprovalAsked(
        at=NOW,
        source="desk",
        id=id,
        kind="live",
        account=account,
        by=ANN,
        what="",
        command="{}",
        about="",
        expires_at=1,
    )


def a_day(account: AccountId | None, group: str | None) -> ev.DayMarked:
    won = Decimal(5)
    return ev.DayMarked(
        at=NOW, source="w", account=account, group=group, day=1, start=Decimal(0), peak=won, net=won
    )  # fmt: skip


@pytest.fixture
def replica() -> Replica:
    """A desk of two accounts with everything there is of each."""
    made = Replica()
    for name in (ACME, BIRCH):
        made.apply(ev.AccountListed(at=NOW, source="desk", account=an_account(name)))
        made._opened.add(name)
        for status in ("live", "dead"):
            made.apply(
                ev.OrderPlaced(
                    at=NOW, source="w", order=an_order(account=name, client_order_id=ClientOrderId(f"{name}-{status}"))
                )
            )
        made._dead.append(ClientOrderId(f"{name}-dead"))
        made.fills.append(a_fill(account=name, client_order_id=ClientOrderId(f"{name}-live")))
        made.positions[name, BTC] = opened(name, BTC, Decimal(1), None)
        made.ledgers[name] = {"BTC": Decimal(1)}
        made.incomes[name] = {"BTC": Decimal(1)}
        made.halts[name] = Halt(account=name, level=HaltLevel.CancelAll, by="x", reason=name, at=NOW)
        made.exits[name] = ExitRow(exit=f"exit-of-{name}")
        made.apply(
            ev.LimitsSet(
                at=NOW, source="desk", account=name, group=None, instrument=None, figure="max_open_orders", value="9",
                before=None, by=ANN, reason=name,
            )
        )  # fmt: skip
        made.apply(a_day(name, None))
        made.live[name] = f"key-of-{name}"
        made.apply(ev.AlertRaised(at=NOW, source="s", alert=an_alert(f"drawdown:{name}", name, name)))
        made.apply(ev.LogWritten(at=NOW, source="desk", level="info", event="e", text=f"account={name} order=1"))
        made.apply(asked(name, name))
    made.apply(a_day(None, "growth"))
    made.halts[None] = Halt(account=None, level=HaltLevel.CancelAll, by="x", reason="all", at=NOW)
    made.apply(ev.AlertRaised(at=NOW, source="s", alert=an_alert("stale:BTC", None, "the book stands still")))
    made.apply(ev.AlertRaised(at=NOW, source="s", alert=an_alert("ban:1", None, "accounts acme, birch cannot trade")))
    return made


def test_a_snapshot_holds_nothing_of_an_account_that_is_not_seen(replica: Replica) -> None:
    sent = msgspec.json.encode(OURS.of(replica, 7))
    assert b"birch" not in sent
    whole = msgspec.json.encode(EVERYTHING.of(replica, 7))
    assert whole == msgspec.json.encode(replica.snapshot(7))
    assert b"birch" in whole


def test_a_snapshot_holds_all_of_an_account_that_is_seen(replica: Replica) -> None:
    whole, ours = replica.snapshot(7), OURS.of(replica, 7)
    for field in msgspec.structs.fields(Snapshot):
        of_all, of_ours = getattr(whole, field.name), getattr(ours, field.name)
        if isinstance(of_all, tuple | dict) and b"birch" in msgspec.json.encode(of_all):
            assert of_ours, field.name
        else:
            assert of_ours == of_all, field.name
    assert {halt.account for halt in ours.halts} == {None, "acme"}
    assert [row.alert.key for row in ours.alerts if isinstance(row, AlertRow)] == [
        "drawdown:acme",
        "approval:acme",
        "stale:BTC",
    ] or [row.alert.key for row in ours.alerts] == ["drawdown:acme", "stale:BTC"]


def test_every_part_of_a_snapshot_that_can_name_an_account_is_filled_here(replica: Replica) -> None:
    """A new part belongs into the desk above, or the test says nothing about it."""
    empty = {
        name
        for name, part in msgspec.structs.asdict(replica.snapshot(1)).items()
        if isinstance(part, tuple | dict) and not part
    }
    assert empty <= {"instruments", "venues", "markets", "attached", *NOT_OF_AN_ACCOUNT}


NOT_OF_AN_ACCOUNT = frozenset({"kills", "deliveries"})  # ids of receipts; receivers of alerts


def test_every_kind_of_event_is_one_of_the_kinds_that_are_told_apart() -> None:
    """A new kind that names no account is for all, of the desk, or not sent: whoever adds one decides it here."""
    told_apart = {
        ev.AlertRaised, ev.AlertEnded, ev.AlertAcknowledged, ev.LogWritten, ev.SubmissionRefused,
        ev.AlertSnoozed, ev.AlertSnoozeEnded, ev.AlertEscalated,
    }  # fmt: skip
    named = {ev.OrderPlaced, ev.OrderFilled, ev.AccountListed, ev.PreviewMade}  # by `account_of`
    kinds = {*ev.DurableEvent.__args__, *ev.LiveEvent.__args__}  # type: ignore[attr-defined]
    by_field = {kind for kind in kinds if "account" in kind.__struct_fields__}
    of_several = {ev.KillRecorded}  # one receipt of all accounts: for who may see all of them
    assert kinds - by_field - named - told_apart - of_several - set(FOR_ALL) == set()
    assert set(OF_THE_DESK) <= by_field
    optional = {kind for kind in by_field if type(None) in getattr(kind.__annotations__.get("account"), "__args__", ())}
    assert optional == {*OF_THE_DESK, ev.DayMarked}  # what a group wins is for who may see all of its accounts


@pytest.mark.parametrize(("account", "is_shown"), [("acme", True), ("birch", False)])
def test_what_happens_to_an_account_is_sent_to_who_sees_it(replica: Replica, account: str, is_shown: bool) -> None:
    name = AccountId(account)
    news: list[ev.Event] = [
        ev.OrderPlaced(at=NOW, source="w", order=an_order(account=account)),
        ev.OrderFilled(at=NOW, source="w", fill=a_fill(account=account)),
        ev.Rearmed(at=NOW, source="desk", account=name, by=ANN, reason=""),
        ev.AlertRaised(at=NOW, source="s", alert=an_alert("x", account)),
        ev.AlertEnded(at=NOW, source="s", key=f"drawdown:{account}"),
        ev.AlertAcknowledged(at=NOW, source="s", key=f"drawdown:{account}", by=ANN, note=""),
        ev.AlertSnoozed(at=NOW, source="desk", key=f"drawdown:{account}", by=ANN, until=NOW + 1, note=""),
        ev.AlertEscalated(at=NOW, source="s", key=f"drawdown:{account}", times=1, waited_ms=1),
        ev.AlertSnoozeEnded(at=NOW, source="s", key=f"drawdown:{account}"),
        ev.LogWritten(at=NOW, source="desk", level="info", event="e", text=f"account={account} x=1"),
        ev.CommandRefused(at=NOW, source="desk", operator=ANN, command="Rearm", account=name, why=""),
        asked("x", name),
        a_day(name, None),
    ]
    for event in news:
        assert OURS.shows(event, replica) is is_shown, event
        assert EVERYTHING.shows(event, replica)


@pytest.mark.parametrize(
    ("event", "is_shown"),
    [
        (ev.Heartbeat(at=NOW, source="desk"), True),
        (ev.Rearmed(at=NOW, source="desk", account=None, by=ANN, reason=""), True),
        (ev.LogWritten(at=NOW, source="desk", level="info", event="e", text="accounts=acme,birch"), False),
        (ev.LogWritten(at=NOW, source="desk", level="info", event="e", text="scope=birch"), False),
        (ev.LogWritten(at=NOW, source="desk", level="info", event="e", text="order=1"), False),
        (ev.AlertRaised(at=NOW, source="s", alert=an_alert("journal", None, "the disk is full")), True),
        (ev.AlertRaised(at=NOW, source="s", alert=an_alert("x", None, "accounts acme, birch wait")), False),
        (ev.AlertRaised(at=NOW, source="s", alert=an_alert("worker:birch", None, "")), False),
        (ev.AlertEnded(at=NOW, source="s", key="never raised"), False),
        (ev.SubmissionRefused(at=NOW, source="w", operator=ANN, what="c1", reason="no"), True),
        (a_day(None, "growth"), False),
        (a_day(None, None), False),
        (ev.SubmissionRefused(at=NOW, source="w", operator=OperatorId("ben"), what="c1", reason="no"), False),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, msgspec.Struct) else str(value),
)
def test_what_belongs_to_no_account_is_sent_unless_it_names_one(
    replica: Replica, event: ev.Event, is_shown: bool
) -> None:
    assert OURS.shows(event, replica) is is_shown


def test_a_preview_is_its_accounts(replica: Replica) -> None:
    from tradedesk.domain.commands import Verdict

    for account, is_shown in ((ACME, True), (BIRCH, False)):
        verdict = Verdict(
            account=account,
            instrument=BTC,
            order_qty=Decimal(1),
            remainder=Decimal(0),
            price=None,
            notional=None,
            denials=(),
        )
        made = ev.PreviewMade(at=NOW, source="w", request_id=RequestId("r"), verdict=verdict)
        assert OURS.shows(made, replica) is is_shown


@pytest.mark.parametrize(
    ("kind", "name", "is_shown"),
    [("group", "ours", True), ("group", "theirs", False), ("venue", "binance", True), ("algorithm", "twap", True)],
)
def test_a_halt_of_a_group_is_sent_to_who_sees_an_account_in_it(kind: str, name: str, is_shown: bool) -> None:
    replica, scope = Replica(), Scope(kind=ScopeKind(kind), name=name)
    for account, group in ((ACME, "ours"), (BIRCH, "theirs")):
        listed = msgspec.structs.replace(an_account(account), groups=(group,))
        replica.apply(ev.AccountListed(at=NOW, source="desk", account=listed))
    halt = ev.HaltSet(at=NOW, source="desk", account=None, scope=scope, level=HaltLevel.CancelAll, by=ANN, reason="r")
    rearmed = ev.Rearmed(at=NOW, source="desk", account=None, scope=scope, by=ANN, reason="r")
    replica.apply(halt)
    assert OURS.shows(halt, replica) is OURS.shows(rearmed, replica) is is_shown
    assert [found.of for found in OURS.of(replica, 1).halts] == ([scope] if is_shown else [])
