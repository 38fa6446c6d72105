"""A whole desk over stop, kill and restart: sockets, halts, records; and what happens when a part of it gives up."""

import os
import resource
import socket
import sqlite3
import threading
from pathlib import Path

import msgspec
import pytest
from builders import an_instrument
from order_builders import a_fill, a_report, a_trade
from scripted_account import ScriptedVenue, SyncedJournal, an_intent
from scripted_desk import Caller, Running, a_desk, home_in, running, settings_of

from tradedesk.access.lease import Lease
from tradedesk.access.operators import Operator
from tradedesk.clock import SystemClock
from tradedesk.config import Home
from tradedesk.desk import build as building
from tradedesk.desk import hub as hub_module
from tradedesk.desk.client import RemoteControl
from tradedesk.desk.kill import Order, latches_in
from tradedesk.domain import events as ev
from tradedesk.domain.accounts import HaltLevel
from tradedesk.domain.commands import CancelOrder, Command, HaltTrading, NotSubmitted, Rearm, Submitted
from tradedesk.domain.orders import OrdStatus
from tradedesk.domain.scopes import Scope, ScopeKind
from tradedesk.domain.words import AccountId, ClientOrderId, OperatorId, VenueId
from tradedesk.journal.sqlite import SqliteJournal
from tradedesk.journal.store import JournalError
from tradedesk.views.replica import Replica

ACME = AccountId("acme")


def me(found: Running) -> Operator:
    operator = found.desk.who(None, os.getuid())
    assert isinstance(operator, Operator)
    return operator


def submit(found: Running, command: Command) -> None:
    reply = found.desk.control(me(found)).submit(command)
    assert isinstance(reply, Submitted), reply


def rests(found: Running, key: str, account: str = "acme") -> None:
    submit(found, an_intent(key, account=account))
    assert found.until(lambda: status(found, key) is OrdStatus.New), found.view.replica.orders


def status(found: Running, key: str) -> OrdStatus | None:
    order = found.view.replica.orders.get(ClientOrderId(key))
    return order.ord_status if order is not None else None


def a_halt(account: AccountId | None = ACME) -> HaltTrading:
    return HaltTrading(account=account, level=HaltLevel.CancelAll, reason="fire", operator=OperatorId(""))


def a_rearm(account: AccountId | None = ACME) -> Rearm:
    return Rearm(account=account, reason="out", operator=OperatorId(""))


def recorded(home: Home) -> list[ev.DurableEvent]:
    journal = SqliteJournal(home.journal, clock=SystemClock(), on_failure=lambda reason: None)
    journal.open()
    try:
        return list(journal.replay())
    finally:
        journal.close()


def venues(*names: str) -> dict[str, ScriptedVenue]:
    return {name: ScriptedVenue(name) for name in names or ("acme",)}


# ---- one desk, one account ------------------------------------------------------------------------------------------


def leases(folder: Path, home: str) -> dict[AccountId, Lease]:
    return {ACME: Lease("k" * 64, "http://127.0.0.1:1", Path(home), folder / "leases")}


def watches(found: Running) -> bool:
    row = found.view.replica.accounts.get(ACME)
    return row is not None and row.state == "Blocked"


def orders_sent(venue: ScriptedVenue) -> list[str]:
    return [call for call in venue.calls if call.startswith(("place", "cancel", "replace"))]


def test_a_second_desk_watches_the_account_and_says_who_drives_it(tmp_path: Path) -> None:
    shared = venues()
    with running(tmp_path / "first", shared, leases(tmp_path, "/first")) as first:
        rests(first, "mine")
        with running(tmp_path / "second", shared, leases(tmp_path, "/second"), is_ready=watches) as second:
            reason = second.view.replica.accounts[ACME].reason
            assert reason.startswith(f"driven by the desk of process {os.getpid()} (/first) since ")
            assert reason.endswith("; this desk only watches it until it is started again")
            assert second.until(lambda: status(second, "mine") is OrdStatus.New), "it does not see the other's order"
            sent = orders_sent(shared["acme"])
            for command in (
                an_intent("theirs"),
                CancelOrder(account=ACME, client_order_id=ClientOrderId("mine"), operator=OperatorId("")),
            ):
                reply = second.desk.control(me(second)).submit(command)
                assert isinstance(reply, NotSubmitted)
                assert reply.reason == f"account acme is {reason}; nothing was sent"
            submit(second, a_halt())  # its latch is its own; it may cancel nothing of an account it does not drive
            assert second.until(lambda: second.view.replica.halts)
            rests(first, "still")
            assert orders_sent(shared["acme"]) == [*sent, "place still"]
    with running(tmp_path / "third", shared, leases(tmp_path, "/third")) as third:
        assert third.view.replica.accounts[ACME].state == "Ready"


def test_an_order_does_not_leave_once_another_has_taken_the_lease_over(tmp_path: Path) -> None:
    held = leases(tmp_path, "/first")
    with running(tmp_path / "first", venues(), held) as found:
        rests(found, "before")
        [file] = (tmp_path / "leases").iterdir()
        file.write_bytes(file.read_bytes().replace(b'"fence":1', b'"fence":2'))
        submit(found, an_intent("after"))
        assert found.until(lambda: status(found, "after") is OrdStatus.Denied)
        order = found.view.replica.orders[ClientOrderId("after")]
        assert order.requests[0].reasons == ("another desk drives this account now",)


def test_an_account_whose_lease_a_kill_took_for_one_instrument_sends_again_once_that_is_rearmed(tmp_path: Path) -> None:
    scope = Scope(kind=ScopeKind.Instrument, name="binance:BTCUSDT")
    with running(tmp_path / "first", venues(), leases(tmp_path, "/first")) as found:
        order = Order(
            accounts=(ACME,), is_desk_wide=False, level=HaltLevel.Flatten, by=OperatorId("me"), reason="r", scope=scope
        )
        assert latches_in(home_in(tmp_path / "first").state)(order, HaltLevel.Flatten, 1) == {}
        leases(tmp_path, "/kill")[ACME].overtake(2)
        assert found.until(lambda: scope in found.view.replica.scoped_halts)
        submit(found, msgspec.structs.replace(a_rearm(None), scope=scope))
        assert found.until(lambda: found.view.replica.all_halts == ())
        rests(found, "again")


# ---- one desk, one folder ----------------------------------------------------------------------------------------------


def test_a_second_desk_on_the_same_folder_is_refused_with_a_sentence(tmp_path: Path) -> None:
    """F66"""
    with running(tmp_path, venues()) as found:
        second = SqliteJournal(found.desk.home.journal, clock=SystemClock(), on_failure=lambda reason: None)
        with pytest.raises(JournalError, match=rf"another desk \(process {os.getpid()}\) runs on this state folder"):
            second.open()
        rests(found, "c1")  # and the first does not notice


def test_sockets_that_a_killed_desk_left_behind_are_replaced(tmp_path: Path) -> None:
    home = home_in(tmp_path)
    for path in (home.read_socket, home.control_socket):
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as left:
            left.bind(str(path))
    with running(tmp_path, venues()) as found:
        assert RemoteControl(found.desk.home.control_socket, None).welcome.desk == "test"
    assert not home.read_socket.exists()
    assert not home.control_socket.exists()


def test_a_desk_that_stops_takes_its_connections_and_threads_with_it(tmp_path: Path) -> None:
    with running(tmp_path) as found:
        reader = Caller(found.desk.home.read_socket, b"hello\n")
        control = Caller(found.desk.home.control_socket)
        assert control.ask({"type": "hello"})["type"] == "welcome"
    while reader.line():
        pass
    assert control.line() == b""
    names = {thread.name for thread in threading.enumerate()}
    assert not names & {"desk", "account-acme", "account-birch", "journal", "risk"}


# ---- over a restart ----------------------------------------------------------------------------------------------------


def test_orders_fills_and_positions_are_the_same_after_a_restart(tmp_path: Path) -> None:
    """5.1, 5.3"""
    known = venues()
    with running(tmp_path, known) as found:
        rests(found, "c1")
        fill = a_fill("c1", qty="0.04", at=SystemClock().now())
        known["acme"].fills.append(fill)
        known["acme"].say(a_trade(fill, cum="0.04"))
        assert found.until(lambda: status(found, "c1") is OrdStatus.PartiallyFilled)
        before = found.view.replica
    known["acme"].open_orders[ClientOrderId("c1")] = a_report("c1", OrdStatus.PartiallyFilled, qty="0.1", cum="0.04")
    with running(tmp_path, known) as again:
        assert again.until(lambda: again.view.replica.accounts[ACME].reconciled_at)
        after = again.view.replica
        assert after.orders == before.orders
        assert list(after.fills) == list(before.fills)
        assert after.positions == before.positions
        assert after.ledgers == before.ledgers


def test_an_instrument_is_recorded_once_however_many_tell_of_it_and_again_when_it_changed(tmp_path: Path) -> None:
    def listed() -> list[str]:
        events = recorded(home_in(tmp_path))
        return [str(event.instrument.tick) for event in events if isinstance(event, ev.InstrumentListed)]

    with running(tmp_path):  # two accounts, two instruments
        pass
    assert listed() == ["0.01", "0.01"]
    with running(tmp_path) as found:
        changed = an_instrument(tick="0.1")
        for source in ("feed:binance", "worker:acme"):
            found.desk.emit(ev.InstrumentListed(at=1, source=source, instrument=changed))
    assert listed() == ["0.01", "0.01", "0.1"]


def test_nobody_goes_on_before_the_instrument_he_found_listed_is_out(tmp_path: Path) -> None:
    """What is folded with its help follows it, in the journal and in every stream."""
    store = SyncedJournal()
    desk = a_desk(home_in(tmp_path), venues(), store)
    inside, may_go, second_is_through = threading.Event(), threading.Event(), threading.Event()
    append = store.append

    def slow(event: ev.DurableEvent) -> object:
        inside.set()
        may_go.wait(5)
        return append(event)

    store.append = slow  # type: ignore[method-assign, assignment]
    listed = ev.InstrumentListed(at=1, source="worker:acme", instrument=an_instrument())

    def second() -> None:
        desk.emit_live(listed)
        second_is_through.set()

    first = threading.Thread(target=desk.emit_live, args=(listed,))
    first.start()
    assert inside.wait(5)
    other = threading.Thread(target=second)
    other.start()
    assert not second_is_through.wait(0.05)
    may_go.set()
    assert second_is_through.wait(5)
    first.join()
    other.join()
    desk.latch.close()


@pytest.mark.parametrize("lost", ["nothing", "the latch", "the journal"])
def test_a_halt_holds_over_a_restart_whichever_of_its_two_records_is_lost(tmp_path: Path, lost: str) -> None:
    """5.5"""
    with running(tmp_path, venues()) as found:
        submit(found, a_halt())
        assert found.until(lambda: ACME in found.view.replica.halts)
        assert found.until(lambda: any(isinstance(event, ev.HaltSwept) for event in found.events()))
    home = home_in(tmp_path)
    if lost == "the latch":
        (home.state / "halt-account-acme").unlink()
    if lost == "the journal":
        for path in home.state.glob("journal.sqlite*"):
            path.unlink()
    with running(tmp_path, venues()) as again:
        halt = again.view.replica.halts[ACME]
        assert (halt.level, halt.by, halt.reason) == (HaltLevel.CancelAll, "me", "fire")
        assert again.desk.latch.own(ACME) == halt
        submit(again, an_intent("c1"))
        assert again.until(lambda: status(again, "c1") is OrdStatus.Denied)
        submit(again, a_rearm())
        assert again.until(lambda: ACME not in again.view.replica.halts)
        rests(again, "c2")


def test_a_halt_of_the_desk_holds_over_a_restart_and_a_rearm_does_too(tmp_path: Path) -> None:
    with running(tmp_path, venues()) as found:
        submit(found, a_halt(None))
        assert found.until(lambda: None in found.view.replica.halts)
    with running(tmp_path, venues()) as again:
        assert None in again.view.replica.halts
        submit(again, a_rearm(None))
        assert again.until(lambda: None not in again.view.replica.halts)
    with running(tmp_path, venues()) as third:
        assert third.view.replica.halts == {}
        assert third.desk.latch.all() == []
        rests(third, "c1")


@pytest.mark.parametrize("lost", ["the latch", "the journal"])
def test_halts_of_other_scopes_hold_over_a_restart_whichever_record_is_lost(tmp_path: Path, lost: str) -> None:
    """5.5"""
    scopes = (Scope(kind=ScopeKind.Instrument, name="binance:BTCUSDT"), Scope(kind=ScopeKind.Algorithm, name="twap"))
    with running(tmp_path, venues()) as found:
        rests(found, "c1")
        for scope in scopes:
            submit(found, msgspec.structs.replace(a_halt(None), scope=scope))
        assert found.until(lambda: set(found.view.replica.scoped_halts) == {*scopes})
        assert found.until(lambda: status(found, "c1") is OrdStatus.Canceled)

        def swept() -> set[Scope | None]:
            return {event.scope for event in found.events() if isinstance(event, ev.HaltSwept)}

        assert found.until(lambda: swept() == {*scopes})
    home = home_in(tmp_path)
    for path in home.state.glob("halt-[!d]*" if lost == "the latch" else "journal.sqlite*"):
        path.unlink()
    with running(tmp_path, venues()) as again:
        assert set(again.view.replica.scoped_halts) == {*scopes}
        assert again.view.replica.halts == {}
        assert {halt.of for halt in again.desk.latch.all()} == {*scopes}
        submit(again, an_intent("c2"))
        assert again.until(lambda: status(again, "c2") is OrdStatus.Denied)
        for scope in scopes:
            submit(again, msgspec.structs.replace(a_rearm(None), scope=scope))
        assert again.until(lambda: again.view.replica.all_halts == ())
        rests(again, "c3")


def test_a_latch_that_cannot_be_read_is_a_halt(tmp_path: Path) -> None:
    """5.5: fail closed"""
    home = home_in(tmp_path)
    (home.state / "halt-account-acme").write_bytes(b"\xff" * 1024)
    with running(tmp_path, venues()) as found:
        assert found.view.replica.halts[ACME].reason == "the halt file cannot be read"
        submit(found, an_intent("c1"))
        assert found.until(lambda: status(found, "c1") is OrdStatus.Denied)


def test_a_damaged_chain_blocks_its_account_alone(tmp_path: Path) -> None:
    """F62, 5.8"""
    with running(tmp_path) as found:
        rests(found, "a1", "acme")
        rests(found, "b1", "birch")
    with sqlite3.connect(home_in(tmp_path).journal) as journal:
        row = journal.execute("SELECT number FROM records WHERE chain = 'acme' ORDER BY number DESC").fetchone()
        journal.execute("UPDATE records SET payload = x'00' WHERE number = ?", row)
    journal.close()
    store = SqliteJournal(home_in(tmp_path).journal, clock=SystemClock(), on_failure=lambda reason: None)
    store.open()
    desk = a_desk(home_in(tmp_path), venues("acme", "birch"), store)
    desk.start()
    try:
        again = Running(desk, {})
        assert again.until(lambda: row_of(again, "birch") == "Ready")
        assert again.until(lambda: row_of(again, "acme") == "Blocked")
        assert "its checksum does not match" in again.view.replica.accounts[ACME].reason
        rests(again, "b2", "birch")
    finally:
        desk.stop()


def row_of(found: Running, account: str) -> str | None:
    row = found.view.replica.accounts.get(AccountId(account))
    return row.state if row is not None else None


# ---- when something gives up -------------------------------------------------------------------------------------------


def test_a_journal_that_fails_is_told_to_everyone(tmp_path: Path) -> None:
    """F63"""
    with running(tmp_path, venues()) as found:
        found.desk.alarms.journal_failed("journal.sqlite: the disk is full")
        assert found.until(lambda: "journal" in found.view.replica.alerts)
        text = found.view.replica.alerts["journal"].alert.text
        assert text == "journal.sqlite: the disk is full; no new order is sent, cancels go"


def test_F64_orders_are_denied_while_the_disk_refuses_and_taken_again_in_a_new_segment(tmp_path: Path) -> None:
    """5.1: and the journal has no hole afterwards"""
    with running(tmp_path, venues(), again_s=(0.01,)) as found:
        rests(found, "before")
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        full = os.stat(f"{found.desk.home.journal}-wal").st_size + 100
        resource.setrlimit(resource.RLIMIT_FSIZE, (full, limits[1]))
        try:
            submit(found, an_intent("refused"))
            assert found.until(lambda: status(found, "refused") is OrdStatus.Denied)
            assert found.view.replica.alerts["journal"].is_active
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        assert found.until(lambda: not found.view.replica.alerts["journal"].is_active)
        rests(found, "after")
        assert orders_sent(found.venues["acme"]) == ["place before", "place after"]
    home = found.desk.home
    assert (home.state / "journal.0002.sqlite").exists()
    states = {
        event.order.client_order_id: event.order.ord_status
        for event in recorded(home)
        if isinstance(event, ev.OrderPlaced)
    }
    assert list(states) == ["before", "refused", "after"]
    again = Replica()
    for event in recorded(home):
        again.apply(event)
    assert again.orders[ClientOrderId("refused")].ord_status is OrdStatus.Denied


def test_a_desk_that_falls_behind_its_own_events_ends_with_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """5.13: a restart knows everything again; going on would not"""
    monkeypatch.setattr(hub_module, "EVENTS", 200)
    with running(tmp_path, venues()) as found:
        stuck = threading.Event()
        found.desk._soon(lambda: stuck.wait(10) and None)  # type: ignore[arg-type, return-value]
        for _ in range(300):
            found.desk.emit_live(ev.LogWritten(at=1, source="desk", level="info", event="noise", text=""))
        assert found.desk.wants_stop.is_set()
        assert "the desk fell behind its own events" in str(found.desk.failure)
        stuck.set()


def test_a_desk_whose_socket_cannot_be_made_does_not_start(tmp_path: Path) -> None:
    home = home_in(tmp_path)
    home.read_socket.mkdir()
    store = SyncedJournal()
    desk = a_desk(home, venues(), store)
    with pytest.raises(OSError, match=r"read\.sock"):
        desk.start()
    desk.latch.close()


# ---- what cannot be built ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"exchange": "krakn"}, "venues.binance.exchange: there is no adapter for 'krakn' yet; use binance"),
        ({"url": None, "egress": None}, "venues.binance.egress: is missing; set the source address of its market data"),
    ],
)
def test_settings_that_no_desk_can_be_made_of_get_a_sentence(
    change: dict[str, str | None], sentence: str, tmp_path: Path
) -> None:
    settings = settings_of()
    venue = msgspec.structs.replace(settings.venues[VenueId("binance")], **change)
    settings = msgspec.structs.replace(settings, venues={venue.id: venue})
    with pytest.raises(building.CannotBuild) as failed:
        building.real_parts(settings, None, SystemClock(), home_in(tmp_path))  # type: ignore[arg-type]
    assert str(failed.value) == sentence
