"""Anything at all on the control socket: the desk lives, answers in its own words or hangs up, and serves the others."""

import json
import os
import socket
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from scripted_desk import HELLO, Caller, Running, an_order_of, operated_by, running

from tradedesk.desk import wire
from tradedesk.domain.commands import Command
from tradedesk.views.replica import Snapshot

KINDS = [kind.__struct_config__.tag for kind in wire.Ask.__args__]  # type: ignore[attr-defined]
COMMANDS = [kind.__struct_config__.tag for kind in Command.__args__]  # type: ignore[attr-defined]
FIELDS = sorted({field for kind in Command.__args__ for field in kind.__struct_fields__})  # type: ignore[attr-defined]

anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=True)
    | st.text(max_size=40)
    | st.sampled_from(["acme", "birch", "NaN", "1E+999999", "me", "c1", "9" * 400, "\x1b[2J", "[/]"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)
commands = st.fixed_dictionaries({"type": st.sampled_from(COMMANDS)}, optional=dict.fromkeys(FIELDS, anything))
requests = st.fixed_dictionaries(
    {"type": st.sampled_from(KINDS)},
    optional={
        "command": commands | anything,
        "operator": anything,
        "passphrase": anything,
        "request_id": anything,
        "ticket": anything,
    },
)
bent = st.builds(  # right but for one field
    lambda field, value: {**an_order_of(), "command": {**an_order_of()["command"], field: value}},
    st.sampled_from(sorted(an_order_of()["command"])),
    anything,
)
lines = st.one_of(
    st.binary(max_size=300),
    anything.map(lambda value: json.dumps(value).encode()),
    requests.map(lambda value: json.dumps(value).encode()),
    bent.map(lambda value: json.dumps(value).encode()),
    st.integers(1, 200_000).map(lambda size: b'{"type":"hello","operator":"' + b"x" * size + b'"}'),
    st.integers(1, 60_000).map(lambda depth: b'{"type":"submit","command":' + b"[" * depth),
)
talks = st.lists(st.tuples(lines, st.sampled_from([b"\n", b"\r\n", b"", b"\n\n\x00"])), max_size=6)


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    people = {"me": ("trader risk", "*", os.getuid()), "help1": ("support", "*", None)}
    with running(tmp_path_factory.mktemp("desk"), change=operated_by(people)) as found:
        loop = found.desk._loop
        assert loop is not None
        failures: list[Any] = []
        loop.call_soon_threadsafe(loop.set_exception_handler, lambda _, context: failures.append(context))
        yield found
        assert failures == []  # no handler of a connection ended in an error of its own


def said(path: Any, hello: bytes, talk: list[tuple[bytes, bytes]]) -> list[bytes]:
    """Say all of it, and hang up; what was answered."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as caller:
        caller.settimeout(10)
        caller.connect(str(path))
        heard = b""
        try:
            caller.sendall(hello)
            for line, end in talk:
                caller.sendall(line + end)
            caller.shutdown(socket.SHUT_WR)
            while chunk := caller.recv(1 << 20):
                heard += chunk
        except ConnectionError:  # it hung up first
            pass
    return [line for line in heard.split(b"\n") if line]


@pytest.mark.parametrize("hello", [b"", b'{"type":"hello","operator":"help1"}\n', b'{"type":"hello"}\n'])
@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(talk=talks)
@example(talk=[(b"\x00" * 70_000, b"\n")])
@example(talk=[(b'{"type":"submit","command":{"type":"Approve","id":"' + b"a" * 60_000 + b'","operator":""}}', b"\n")])
@example(talk=[(b'{"type":"unlock","passphrase":"' + b"\xf0\x9f\x92\xa9" * 10_000 + b'"}', b"\n")])
@example(talk=[(b'{"type":"hello","operator":"\\ud800","passphrase":"\\ud800"}', b"\n")])
def test_whatever_is_said_the_desk_lives_and_the_others_are_served(
    desk: Running, hello: bytes, talk: list[tuple[bytes, bytes]]
) -> None:
    home = desk.desk.home
    for reply in said(home.control_socket, hello, talk):
        wire.reply_decoder.decode(reply)  # in words that a client knows
    other = Caller(home.control_socket)
    assert other.ask({"type": "hello", "operator": "me"})["type"] == "welcome"
    other.close()
    assert desk.desk.failure is None


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(talk=talks)
def test_whatever_is_said_to_the_read_socket_others_go_on_reading(
    desk: Running, talk: list[tuple[bytes, bytes]]
) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as hostile:
        hostile.settimeout(0.2)
        hostile.connect(str(desk.desk.home.read_socket))
        try:
            for line, end in talk:
                hostile.sendall(line + end)
        except (ConnectionError, TimeoutError):  # cut off, or nobody reads it
            pass
        honest = Caller(desk.desk.home.read_socket, HELLO)
        assert isinstance(honest.update(), Snapshot)
        honest.close()
    assert desk.desk.failure is None
