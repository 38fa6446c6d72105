"""DeskControl over a socket: a desk that is away, breaks off, answers nonsense, or comes back."""

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from order_builders import a_place

from tradedesk.desk import client as client_module
from tradedesk.desk import wire
from tradedesk.desk.client import DeskAway, RemoteControl
from tradedesk.domain.commands import NotSubmitted, Submitted
from tradedesk.domain.words import OperatorId, RequestId

WELCOME = wire.Welcome(desk="main", pid=1, operator=OperatorId("desk1"), roles=("trader",), accounts=(), can_trade=True)
Answer = Callable[[wire.Ask], wire.Reply | bytes | None]  # None: break off


class ToyDesk:
    """A control socket that answers as it is told, and keeps what it was asked. Owns one thread."""

    def __init__(self, path: Path, answer: Answer) -> None:
        self.asked: list[wire.Ask] = []
        self._answer = answer
        self._connection: socket.socket | None = None
        self._server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._server.bind(str(path))
        self._server.listen()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def submits(self) -> int:
        return sum(isinstance(ask, wire.Submit) for ask in self.asked)

    def close(self) -> None:
        """As a desk that dies: its connections end with it."""
        for open_ in (self._server, self._connection):
            with contextlib.suppress(OSError):
                if open_ is not None:
                    open_.shutdown(socket.SHUT_RDWR)
        self._server.close()
        self._thread.join()

    def _run(self) -> None:
        while True:
            try:
                connection, _ = self._server.accept()
            except OSError:
                return
            self._connection = connection
            with connection, connection.makefile("rb") as lines:
                for line in lines:
                    ask = wire.ask_decoder.decode(line)
                    self.asked.append(ask)
                    reply = WELCOME if isinstance(ask, wire.Hello) else self._answer(ask)
                    if reply is None:
                        break
                    connection.sendall(reply if isinstance(reply, bytes) else wire.encoder.encode(reply) + b"\n")


@pytest.fixture
def toy(tmp_path: Path) -> Iterator[Callable[[Answer], ToyDesk]]:
    made: list[ToyDesk] = []

    def make(answer: Answer) -> ToyDesk:
        made.append(ToyDesk(tmp_path / "control.sock", answer))
        return made[-1]

    yield make
    for desk in made:
        desk.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "control.sock"


def test_without_a_desk_there_is_a_sentence_that_says_what_to_do(path: Path) -> None:
    with pytest.raises(DeskAway, match=r"no desk answers at .*; start one with `tradedesk run`"):
        RemoteControl(path, None)


def test_a_socket_that_a_killed_desk_left_behind_is_no_desk(path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as left:
        left.bind(str(path))
    with pytest.raises(DeskAway, match="no desk answers"):
        RemoteControl(path, None)


def test_a_desk_that_hangs_is_told_from_one_that_is_not_there(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_module, "TIMEOUT_S", 0.05)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as frozen:
        frozen.bind(str(path))
        frozen.listen()
        with pytest.raises(DeskAway, match="does not answer; if its process hangs, end it and start it again"):
            RemoteControl(path, None)


def test_a_command_is_submitted_and_its_answer_comes_back(path: Path, toy: Callable[[Answer], ToyDesk]) -> None:
    desk = toy(lambda ask: Submitted() if isinstance(ask, wire.Submit) else wire.Noted())
    control = RemoteControl(path, OperatorId("desk1"))
    assert control.welcome == WELCOME
    assert control.submit(a_place()) == Submitted()
    control.preview(a_place(), RequestId("p1"))
    assert desk.asked == [
        wire.Hello(operator=OperatorId("desk1")),
        wire.Submit(command=a_place()),
        wire.AskPreview(command=a_place(), request_id=RequestId("p1")),
    ]
    control.close()


def test_a_command_in_a_broken_exchange_is_never_sent_again(path: Path, toy: Callable[[Answer], ToyDesk]) -> None:
    """5.2: after a break nobody knows whether it arrived"""
    answers: list[wire.Reply | None] = [None, Submitted()]
    desk = toy(lambda ask: answers.pop(0))
    control = RemoteControl(path, None)
    broken = control.submit(a_place("c1"))
    assert isinstance(broken, NotSubmitted)
    assert broken.reason == "the desk broke off before it answered; look at the orders before you send again"
    assert desk.submits() == 1
    assert control.submit(a_place("c2")) == Submitted()  # the next one goes over a new connection
    assert [ask.command.client_order_id for ask in desk.asked if isinstance(ask, wire.Submit)] == ["c1", "c2"]  # type: ignore[union-attr]
    control.close()


@pytest.mark.parametrize("nonsense", [b"\n", b"no json\n", b'{"type":"noted"}\n', b'{"type":"other"}\n', b"\xff\n"])
def test_an_answer_that_is_none_is_not_taken_for_a_yes(
    path: Path, toy: Callable[[Answer], ToyDesk], nonsense: bytes
) -> None:
    toy(lambda ask: nonsense)
    control = RemoteControl(path, None)
    assert isinstance(control.submit(a_place()), NotSubmitted)
    control.close()


def test_a_desk_that_says_nothing_is_not_waited_for(
    path: Path, toy: Callable[[Answer], ToyDesk], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client_module, "TIMEOUT_S", 0.05)
    desk = toy(lambda ask: b"")
    control = RemoteControl(path, None)
    assert isinstance(control.submit(a_place()), NotSubmitted)
    assert desk.submits() == 1
    control.close()


def test_a_refusal_by_name_is_said_as_the_desk_said_it(path: Path, toy: Callable[[Answer], ToyDesk]) -> None:
    toy(lambda ask: wire.Failed(reason="say hello first: under which name do you act?"))
    control = RemoteControl(path, None)
    assert control.submit(a_place()) == NotSubmitted(reason="say hello first: under which name do you act?")
    control.close()


def test_a_desk_that_went_away_is_said_and_one_that_came_back_is_found(
    path: Path, toy: Callable[[Answer], ToyDesk]
) -> None:
    first = toy(lambda ask: Submitted())
    control = RemoteControl(path, None)
    assert control.submit(a_place("c1")) == Submitted()
    first.close()
    path.unlink()
    assert isinstance(control.submit(a_place("c1")), NotSubmitted)  # the connection breaks
    gone = control.submit(a_place("c2"))
    assert isinstance(gone, NotSubmitted)
    assert gone.reason.startswith("no desk answers at ")
    control.preview(a_place("c2"), RequestId("p1"))  # says nothing: the view tells that the desk is away
    second = toy(lambda ask: Submitted())
    assert control.submit(a_place("c3")) == Submitted()
    assert second.submits() == 1
    control.close()
