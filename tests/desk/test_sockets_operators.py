"""Operators on the control socket: passphrases, streams of what they may see, locked screens, who may connect at all."""

import contextlib
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from scripted_desk import Caller, Running, an_order_of, running

from tradedesk.access.passphrases import Passphrases
from tradedesk.config import OperatorSettings, Settings
from tradedesk.desk import sockets as sockets_module
from tradedesk.desk.client import NeedsPassphrase, RemoteControl
from tradedesk.domain import events as ev
from tradedesk.domain.commands import CancelOrder, HaltTrading, NotSubmitted, Submitted
from tradedesk.domain.words import AccountId, ClientOrderId, OperatorId
from tradedesk.views.feed import Numbered, Update
from tradedesk.views.replica import Snapshot

WORDS = "correct horse battery"
FORGOTTEN = 10  # s


def crew(settings: Settings) -> Settings:
    def one(name: str, roles: str, accounts: str, sees: str | None = None, uid: int | None = None) -> OperatorSettings:
        return OperatorSettings(
            name=OperatorId(name),
            roles=tuple(roles.split()),
            accounts=tuple(accounts.split()),
            sees=None if sees is None else tuple(sees.split()),
            uid=uid,
        )

    known = (
        one("ann", "trader", "acme"),
        one("ben", "trader risk", "*", uid=os.getuid()),
        one("cleo", "trader", "birch", "*"),
    )
    desk = msgspec.structs.replace(settings.desk, idle_lock_minutes=7)
    return msgspec.structs.replace(settings, desk=desk, operators={operator.name: operator for operator in known})


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("desk")
    Passphrases(folder / "operators").put(OperatorId("ann"), WORDS)
    with running(folder, change=crew) as found:
        yield found


@pytest.fixture
def path(desk: Running) -> Path:
    desk.desk._door._tries.clear()  # what one test tried in vain is not the next one's to wait for
    return desk.desk.home.control_socket


def hello(path: Path, name: str | None, words: str | None = None) -> tuple[Caller, dict[str, object]]:
    caller = Caller(path)
    return caller, caller.ask({"type": "hello", "operator": name, "passphrase": words})


def recorded(desk: Running, kind: type[ev.EventBase]) -> list[ev.EventBase]:
    assert desk.until(lambda: len(desk.desk._hub._inbox) == 0 and desk.view.number == desk.desk._hub.number)
    return [event for event in desk.events() if isinstance(event, kind)]


# ---- coming in ---------------------------------------------------------------------------------------------------------


def test_an_operator_with_a_passphrase_comes_in_with_it_alone(desk: Running, path: Path) -> None:
    caller, reply = hello(path, "ann")
    assert reply == {"type": "failed", "reason": "ann has a passphrase; give it", "wants_passphrase": True}
    assert caller.ask(an_order_of())["type"] == "failed"
    reply = caller.ask({"type": "hello", "operator": "ann", "passphrase": WORDS})
    assert (reply["type"], reply["has_passphrase"], reply["idle_lock_minutes"]) == ("welcome", True, 7)
    caller.close()


def test_waiting_after_a_wrong_one_does_not_end_with_the_connection(desk: Running, path: Path) -> None:
    for _ in range(2):  # the second one has to wait for twice as long, which no busy machine makes go by
        desk.desk._door._tries.pop(("ann", os.getuid()), None)
        assert "is wrong" in str(hello(path, "ann", "wrong")[1]["reason"])
    tries = desk.desk._door._tries["ann", os.getuid()]
    tries.wrong = 6
    assert "too soon after a wrong passphrase" in str(hello(path, "ann", WORDS)[1]["reason"])
    assert hello(path, "ben")[1]["type"] == "welcome"


def test_a_hash_under_way_holds_up_nobodys_command(desk: Running, path: Path) -> None:
    """the desk thread goes on: an answer comes while a passphrase is looked at"""
    started, go_on = threading.Event(), threading.Event()
    passphrases = desk.desk._door._passphrases
    really = passphrases.check

    def slowly(name: OperatorId, words: str) -> bool:
        started.set()
        go_on.wait(FORGOTTEN)
        return really(name, words)

    passphrases.check = slowly  # type: ignore[method-assign]
    try:
        ann = Caller(path)
        ann.socket.sendall(b'{"type":"hello","operator":"ann","passphrase":"' + WORDS.encode() + b'"}\n')
        assert started.wait(FORGOTTEN)
        ben, reply = hello(path, "ben")
        assert reply["type"] == "welcome"
        assert ben.ask(an_order_of("birch", "while1"))["type"] == "Submitted"
        go_on.set()
        assert b"welcome" in ann.line()
        ann.close()
        ben.close()
    finally:
        go_on.set()
        del passphrases.check  # type: ignore[method-assign]


def test_a_passphrase_counts_from_the_moment_it_is_set(desk: Running, path: Path) -> None:
    passphrases = Passphrases(desk.desk.home.operators)
    assert hello(path, "cleo")[1]["type"] == "welcome"
    passphrases.put(OperatorId("cleo"), "another one")
    assert hello(path, "cleo")[1]["wants_passphrase"] is True
    passphrases.remove(OperatorId("cleo"))
    assert hello(path, "cleo")[1]["type"] == "welcome"


def test_logins_ends_and_refusals_are_recorded(desk: Running, path: Path) -> None:
    before = len(recorded(desk, ev.OperatorAttached)), len(recorded(desk, ev.OperatorLeft))
    caller, _ = hello(path, "cleo")
    assert "their accounts: birch" in caller.ask(an_order_of("acme", "n1"))["reason"]
    hello(path, "nobody", "wrong")
    caller.close()
    assert desk.until(lambda: len(recorded(desk, ev.OperatorLeft)) > before[1])
    login, left = recorded(desk, ev.OperatorAttached)[-1], recorded(desk, ev.OperatorLeft)[-1]
    assert (login.operator, login.uid) == ("cleo", os.getuid())  # type: ignore[attr-defined]
    assert left.operator == "cleo"  # type: ignore[attr-defined]
    refused = recorded(desk, ev.CommandRefused)[-1]
    assert (refused.operator, refused.command, refused.account) == ("cleo", "PlaceOrder", "acme")  # type: ignore[attr-defined]
    assert recorded(desk, ev.LoginRefused)[-1].operator == "nobody"  # type: ignore[attr-defined]


def test_a_passphrase_is_in_nothing_that_is_recorded_or_logged(desk: Running, path: Path) -> None:
    """5.6"""
    hello(path, "ann", "a-wrong-canary")
    caller = Caller(path)
    caller.ask(b'{"type":"hello","operator":"ann","passphrase":["a-wrong-canary"]}\n')
    caller.ask(b'{"type":"unlock","passphrase":"a-wrong-canary","x":}\n')
    assert desk.until(lambda: len(desk.desk._hub._inbox) == 0)
    written = b"".join(msgspec.json.encode(update) for update in desk.updates)
    assert b"canary" not in written
    for file in desk.desk.home.state.iterdir():
        if file.is_file():
            assert b"canary" not in file.read_bytes(), file
    assert "canary" not in repr(sockets_module.wire.Hello(passphrase="a-wrong-canary"))


# ---- the stream --------------------------------------------------------------------------------------------------------


class Stream:
    """A screen's stream, begun with a ticket of its control connection."""

    def __init__(self, control: RemoteControl, path: Path) -> None:
        line = control.follow()
        assert isinstance(line, bytes), line
        self.caller = Caller(path, line)
        self.updates: list[Update] = []

    def until(self, happened: str) -> None:
        """Read on until an event of that kind; the numbers follow each other without a hole."""
        number = None
        while True:
            update = self.caller.update()
            assert update is not None, "cut off"
            self.updates.append(update)
            if isinstance(update, Numbered):
                assert number is None or update.number == number + 1
                number = update.number
                if type(update.event).__name__ == happened:
                    return
            elif isinstance(update, Snapshot):
                number = update.number


def test_an_attached_operator_is_sent_nothing_of_an_account_they_may_not_see(desk: Running, path: Path) -> None:
    ann = RemoteControl(path, OperatorId("ann"), WORDS)
    stream = Stream(ann, path)
    ben, _ = hello(path, "ben")
    for account, key in (("birch", "s1"), ("acme", "s2"), ("birch", "s3")):
        assert ben.ask(an_order_of(account, key))["type"] == "Submitted"
        assert desk.until(lambda key=key: key in desk.view.replica.orders)
    assert ben.ask({"type": "submit", "command": {"type": "Halt", "account": "acme", "reason": "x", "operator": ""}})
    stream.until("HaltSet")
    raw = msgspec.json.encode(stream.updates)
    assert b"s2" in raw
    assert b"birch" not in raw
    assert b'"s1"' not in raw
    ben.ask({"type": "submit", "command": {"type": "Rearm", "account": "acme", "reason": "x", "operator": ""}})
    assert desk.until(lambda: not desk.view.replica.halts)
    for closing in (ann, ben, stream.caller):
        closing.close()


def test_who_sees_more_than_they_trade_is_sent_all_of_it(desk: Running, path: Path) -> None:
    cleo = RemoteControl(path, OperatorId("cleo"))
    stream = Stream(cleo, path)
    first = stream.caller.update()
    assert isinstance(first, Snapshot)
    assert {row.account.id for row in first.accounts} == {"acme", "birch"}
    cleo.close()
    stream.caller.close()


def test_a_ticket_is_good_once_and_for_who_got_it(desk: Running, path: Path) -> None:
    ann = RemoteControl(path, OperatorId("ann"), WORDS)
    line = ann.follow()
    assert isinstance(line, bytes)
    first, second = Caller(path, line), Caller(path, line)
    assert isinstance(first.update(), Snapshot)
    assert b"is not one that waits" in second.line()
    assert b"is not one that waits" in Caller(path, b'{"type":"follow","ticket":"guess"}\n').line()
    unused = [ann.follow() for _ in range(6)]
    assert unused[-1] == "too many tickets that were not used; use one"
    for caller in (first, second, ann):
        caller.close()
    assert isinstance(unused[0], bytes)
    assert desk.until(lambda: b"is not one that waits" in Caller(path, unused[0]).line())  # it went with its operator


def test_a_stream_ends_with_the_connection_that_got_it(desk: Running, path: Path) -> None:
    ann = RemoteControl(path, OperatorId("ann"), WORDS)
    stream = Stream(ann, path)
    assert isinstance(stream.caller.update(), Snapshot)
    ann.close()
    while stream.caller.line():
        pass


# ---- locked ------------------------------------------------------------------------------------------------------------


def test_a_locked_screen_halts_and_does_nothing_else_until_the_passphrase_is_given(desk: Running, path: Path) -> None:
    ann = RemoteControl(path, OperatorId("ann"), WORDS)
    ann.lock()
    cancel = CancelOrder(account=AccountId("acme"), client_order_id=ClientOrderId("c1"), operator=OperatorId(""))
    refused = ann.submit(cancel)
    assert isinstance(refused, NotSubmitted)
    assert "is locked: only a halt goes" in refused.reason
    halt = HaltTrading(account=AccountId("acme"), reason="seen from afar", operator=OperatorId(""))
    assert ann.submit(halt) == Submitted()
    assert ann.unlock("wrong") == "the name or its passphrase is wrong"
    desk.desk._door._tries.clear()
    assert isinstance(ann.submit(cancel), NotSubmitted)
    assert ann.unlock(WORDS) is None
    assert isinstance(ann.submit(cancel), Submitted)
    ann.close()
    ben, _ = hello(path, "ben")
    ben.ask({"type": "submit", "command": {"type": "Rearm", "account": "acme", "reason": "x", "operator": ""}})
    assert desk.until(lambda: not desk.view.replica.halts)
    ben.close()


def test_a_locked_screen_is_locked_again_when_its_connection_was_lost(desk: Running, path: Path) -> None:
    ann = RemoteControl(path, OperatorId("ann"), WORDS)
    ann.lock()
    ann._drop()
    cancel = CancelOrder(account=AccountId("acme"), client_order_id=ClientOrderId("c1"), operator=OperatorId(""))
    refused = ann.submit(cancel)
    assert isinstance(refused, NotSubmitted)
    assert "is locked" in refused.reason
    ann.close()


def test_the_client_asks_for_a_passphrase_where_one_could_help(desk: Running, path: Path) -> None:
    with pytest.raises(NeedsPassphrase):
        RemoteControl(path, OperatorId("ann"))


# ---- who may connect at all, and how many ------------------------------------------------------------------------------


def test_who_is_no_operators_user_is_turned_away_before_a_word(
    desk: Running, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sockets_module, "peer_uid", lambda connection: os.getuid() + 7)
    for place in (path, desk.desk.home.read_socket):
        stranger = Caller(place, b'{"type":"hello","operator":"ben"}\n')
        assert b"welcome" not in (line := stranger.line())
        assert not line or f"no operator of this desk has user id {os.getuid() + 7}".encode() in line
        assert stranger.line() == b""


def test_one_user_does_not_take_every_place(desk: Running, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """5.13"""
    monkeypatch.setattr(sockets_module, "MAX_EACH", 3)
    with contextlib.ExitStack() as closing:
        callers = [hello(path, "ben") for _ in range(4)]
        for caller, _ in callers:
            closing.callback(caller.close)
        assert [str(reply["type"]) for _, reply in callers].count("failed") >= 1
        assert "too many connections" in str(callers[-1][1]["reason"])
    monkeypatch.undo()
    assert desk.until(lambda: hello(path, "ben")[1]["type"] == "welcome")


def test_who_says_nothing_or_never_ends_a_word_does_not_keep_a_place(
    desk: Running, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sockets_module, "HANDSHAKE_S", 0.05)
    monkeypatch.setattr(sockets_module, "REQUEST_S", 0.05)
    silent, slow = Caller(path), Caller(path, b'{"type":"hel')
    assert (silent.line(), slow.line()) == (b"", b"")
    ben, _ = hello(path, "ben")
    assert ben.ask({"type": "hello"})["type"] == "welcome"  # one who came in may be quiet for as long as they like
    ben.socket.sendall(b'{"type":')
    assert ben.line() == b""
