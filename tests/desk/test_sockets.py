"""The two sockets of a running desk: what a reader gets, what a hostile one cannot do, and how a command is asked for."""

import grp
import os
import socket
import stat
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from scripted_desk import HELLO, Caller, Running, an_order_of, operated_by, running

from tradedesk import log
from tradedesk.config import Settings
from tradedesk.desk import sockets as sockets_module
from tradedesk.desk import wire
from tradedesk.desk.sockets import peer_uid
from tradedesk.domain import events as ev
from tradedesk.domain.orders import OrdStatus
from tradedesk.domain.words import ClientOrderId
from tradedesk.views.feed import Numbered
from tradedesk.views.replica import Snapshot

CONTROL_HELLO = {"type": "hello"}


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("desk")) as found:
        yield found


@pytest.fixture
def reading(desk: Running) -> Path:
    return desk.desk.home.read_socket


@pytest.fixture
def control(desk: Running) -> Iterator[Caller]:
    caller = Caller(desk.desk.home.control_socket)
    yield caller
    caller.close()


def publish(desk: Running, count: int, size: int = 1_000) -> None:
    for _ in range(count):
        desk.desk.emit(ev.LogWritten(at=1, source="desk", level="info", event="noise", text="x" * size))


def newest(desk: Running) -> int:
    desk.until(lambda: len(desk.desk._hub._inbox) == 0)
    return desk.view.number


# ---- the files ---------------------------------------------------------------------------------------------------------


def modes(desk: Running) -> list[int]:
    home = desk.desk.home
    return [stat.S_IMODE(path.stat().st_mode) for path in (home.sockets, home.read_socket, home.control_socket)]


def test_the_sockets_and_their_folder_are_the_owners_alone(tmp_path: Path) -> None:
    with running(tmp_path, change=operated_by({"me": ("trader", "*", os.getuid())})) as alone:
        assert modes(alone) == [0o700, 0o600, 0o600]


def test_operators_of_other_users_reach_the_control_socket_and_nothing_else(desk: Running) -> None:
    assert modes(desk) == [0o711, 0o600, 0o666]  # who they are is asked of the system when they connect
    others = [path for path in desk.desk.home.state.iterdir() if not path.is_socket()]
    assert others
    assert [path for path in others if stat.S_IMODE(path.stat().st_mode) & 0o077] == []


def test_who_is_at_the_other_end_is_asked_of_the_system() -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX)
    with ours, theirs:
        assert peer_uid(ours) == os.getuid()


def test_a_group_that_watches_reaches_the_read_socket_alone(tmp_path: Path) -> None:
    """DESIGN 7: support staff"""
    ours = grp.getgrgid(os.getgid()).gr_name

    def watched(settings: Settings) -> Settings:
        alone = operated_by({"me": ("trader", "*", os.getuid())})(settings)
        return msgspec.structs.replace(alone, desk=msgspec.structs.replace(alone.desk, read_group=ours))

    with running(tmp_path, change=watched) as desk:
        assert modes(desk) == [0o711, 0o660, 0o600]
        assert desk.desk.home.read_socket.stat().st_gid == os.getgid()
        reader = Caller(desk.desk.home.read_socket, HELLO)
        assert isinstance(reader.update(), Snapshot)
        reader.close()


# ---- reading -----------------------------------------------------------------------------------------------------------


def test_a_reader_gets_a_snapshot_and_then_every_event_with_the_next_number(desk: Running, reading: Path) -> None:
    caller = Caller(reading, HELLO)
    first = caller.update()
    assert isinstance(first, Snapshot)
    assert {row.account.id for row in first.accounts} == {"acme", "birch"}
    publish(desk, 50)
    number = first.number
    while number < first.number + 50:
        update = caller.update()
        assert isinstance(update, Numbered)
        assert update.number == number + 1
        number = update.number
    caller.close()


def test_a_late_reader_gets_what_happened_before_it_came(desk: Running, reading: Path) -> None:
    publish(desk, 3)
    assert desk.until(lambda: desk.view.replica.logs)
    late = Caller(reading, HELLO)
    snapshot = late.update()
    assert isinstance(snapshot, Snapshot)
    assert snapshot.logs
    late.close()


def test_one_who_does_not_say_hello_gets_nothing_and_is_cut_off(reading: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sockets_module, "HANDSHAKE_S", 0.05)
    silent = Caller(reading)
    assert silent.line() == b""
    endless = Caller(reading, b"x" * 100_000)
    assert endless.line() == b""


def test_more_readers_than_the_bound_are_turned_away(
    desk: Running, reading: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """5.13"""
    callers = [Caller(reading, HELLO) for _ in range(3)]
    assert all(isinstance(caller.update(), Snapshot) for caller in callers)
    monkeypatch.setattr(sockets_module, "MAX_READERS", 3)
    assert Caller(reading, HELLO).line() == b""
    for caller in callers:
        caller.close()


def test_a_reader_that_never_reads_is_cut_off_while_others_go_on_without_a_hole(
    desk: Running, reading: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F86"""
    monkeypatch.setattr(sockets_module, "MAX_BEHIND", 1_000_000)
    hostile, honest = Caller(reading, HELLO), Caller(reading, HELLO)
    first = honest.update()
    assert isinstance(first, Snapshot)
    number = first.number
    for _ in range(20):
        publish(desk, 100, size=2_000)
        for _ in range(100):
            update = honest.update()
            assert isinstance(update, Numbered)
            assert update.number == number + 1
            number += 1
    assert any(record.event == "reader_cut_off" for record in log.tail())
    with pytest.raises(AssertionError, match="cut off"):
        hostile.number_at(number)
    honest.close()


def test_a_reader_that_sends_garbage_is_not_read_and_harms_nobody(desk: Running, reading: Path) -> None:
    """5.12: nothing but the handshake is read, so what is sent stays in the sender's own buffer"""
    hostile = Caller(reading, HELLO, timeout_s=0.3)
    assert isinstance(hostile.update(), Snapshot)
    with pytest.raises(TimeoutError):
        hostile.socket.sendall(b"\x00\xff{[" * 4_000_000)
    honest = Caller(reading, HELLO)
    wanted = newest(desk) + 20
    publish(desk, 20)
    assert honest.number_at(wanted) >= wanted
    hostile.close()
    honest.close()


def test_a_command_on_the_read_socket_does_nothing(desk: Running, reading: Path) -> None:
    """5.12"""
    request = wire.encoder.encode(wire.Hello(operator=None)) + b"\n"
    order = b'{"type":"submit","command":{"type":"Halt","account":null,"reason":"x","operator":"me"}}\n'
    for hello in (HELLO + order, request + order, order + order):
        caller = Caller(reading, hello)
        assert isinstance(caller.update(), Snapshot)
        caller.close()
    publish(desk, 1)
    newest(desk)
    assert desk.view.replica.halts == {}


# ---- commanding --------------------------------------------------------------------------------------------------------


def test_a_caller_is_the_operator_of_its_user_and_learns_what_it_may_do(control: Caller) -> None:
    assert control.ask(CONTROL_HELLO) == {
        "type": "welcome",
        "schema": "control.v1",
        "desk": "test",
        "pid": os.getpid(),
        "operator": "me",
        "roles": ["risk", "trader"],
        "accounts": ["acme", "birch"],
        "can_trade": True,
        "has_passphrase": False,
        "idle_lock_minutes": 0,
    }


def test_support_is_told_that_it_cannot_trade(control: Caller) -> None:
    welcome = control.ask({"type": "hello", "operator": "help1"})
    assert (welcome["operator"], welcome["can_trade"]) == ("help1", False)
    assert "takes the role trader" in control.ask(an_order_of())["reason"]


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("mee", "--operator mee: no such operator in desk.toml; did you mean me?"),
        ("other", f"--operator other: belongs to user id {os.getuid() + 1}, and you are {os.getuid()}"),
        ("system:risk", "no such operator"),
    ],
)
def test_nobody_acts_under_a_name_that_is_not_theirs(control: Caller, name: str, sentence: str) -> None:
    reply = control.ask({"type": "hello", "operator": name})
    assert reply["type"] == "failed"
    assert sentence in reply["reason"]
    assert control.ask(an_order_of())["type"] == "failed"


def test_hello_comes_first(control: Caller) -> None:
    reply = control.ask(an_order_of())
    assert reply == {"type": "failed", "reason": "say hello first: under which name do you act?"}


@pytest.mark.parametrize(
    "request_",
    [
        b"\n",
        b"{\n",
        b"hello\n",
        b"\xff\xfe\n",
        b"[]\n",
        b"{}\n",
        b'{"type":"shutdown"}\n',
        b'{"type":"submit"}\n',
        b'{"type":"submit","command":{"type":"PlaceOrder"}}\n',
        b"[" * 10_000 + b"\n",
    ],
)
def test_what_is_no_request_is_answered_with_a_sentence_and_the_next_one_is_heard(
    control: Caller, request_: bytes
) -> None:
    control.ask(CONTROL_HELLO)
    reply = control.ask(request_)
    assert reply["type"] == "failed"
    assert reply["reason"].startswith("not a request of control.v1: ")
    assert control.ask(CONTROL_HELLO)["type"] == "welcome"


def test_a_request_beyond_the_bound_is_answered_with_a_sentence_and_ends_the_connection(control: Caller) -> None:
    """5.13"""
    control.ask(CONTROL_HELLO)
    control.socket.sendall(b'{"type":"hello","operator":"' + b"x" * (3 * wire.MAX_LINE) + b'"}\n')
    assert b"a request has at most 65536 bytes" in control.line()
    assert control.line() == b""


@pytest.mark.parametrize("number", ["NaN", "Infinity", "1E+999999"])
def test_a_number_that_breaks_sums_gets_no_further_than_the_socket(desk: Running, control: Caller, number: str) -> None:
    control.ask(CONTROL_HELLO)
    reply = control.ask(an_order_of(key="nan1", qty=number))
    assert reply["type"] == "Refused"
    assert "order_qty: must be a number" in reply["reason"]
    preview = {"type": "preview", "command": an_order_of(qty=number)["command"], "request_id": "p-nan"}
    assert control.ask(preview)["type"] == "noted"
    assert desk.until(lambda: "p-nan" in desk.view.previews)
    assert desk.are_ready()


def test_an_order_given_on_the_socket_rests_at_the_venue_under_the_callers_name(desk: Running, control: Caller) -> None:
    control.ask(CONTROL_HELLO)
    assert control.ask(an_order_of(key="c1")) == {"type": "Submitted", "client_order_id": "c1"}
    assert desk.until(lambda: "c1" in desk.view.replica.orders)
    assert desk.until(lambda: desk.view.replica.orders[ClientOrderId("c1")].ord_status is OrdStatus.New)
    assert desk.view.replica.orders[ClientOrderId("c1")].operator == "me"


def test_two_callers_act_each_under_their_own_name(desk: Running, control: Caller) -> None:
    control.ask(CONTROL_HELLO)
    second = Caller(desk.desk.home.control_socket)
    second.ask({"type": "hello", "operator": "desk2"})
    assert "their accounts: birch" in second.ask(an_order_of("acme", "n1"))["reason"]
    assert second.ask(an_order_of("birch", "b1"))["type"] == "Submitted"
    assert control.ask(an_order_of("birch", "b2"))["type"] == "Submitted"
    assert desk.until(lambda: {"b1", "b2"} <= set(desk.view.replica.orders))
    assert [desk.view.replica.orders[ClientOrderId(key)].operator for key in ("b1", "b2")] == ["desk2", "me"]
    second.close()


def test_a_preview_is_noted_and_answered_by_an_event(desk: Running, control: Caller) -> None:
    control.ask(CONTROL_HELLO)
    request = {"type": "preview", "command": an_order_of(qty="0.1000009")["command"], "request_id": "p1"}
    assert control.ask(request) == {"type": "noted"}
    assert desk.until(lambda: "p1" in desk.view.previews)
    verdict = next(p.verdict for key, p in desk.view.previews.items() if key == "p1")
    assert (str(verdict.order_qty), verdict.denials) == ("0.10000", ())


def test_a_caller_that_hangs_up_in_the_middle_of_a_word_harms_nobody(desk: Running, control: Caller) -> None:
    for cut in (b'{"type":"sub', b"", b"\x00" * 100):
        caller = Caller(desk.desk.home.control_socket)
        caller.socket.sendall(cut)
        caller.close()
    assert control.ask(CONTROL_HELLO)["type"] == "welcome"
