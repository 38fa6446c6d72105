"""Operators from the outside: passphrases, screens that are killed in the middle of an order, and the audit of it all."""

import fcntl
import json
import os
import pty
import select
import signal
import struct
import subprocess
import termios
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from demo_desk import PROGRAM, WITHIN_S, Demo, demo
from paper_process import has_loopback_range

from tradedesk.domain.words import OperatorId

pytestmark = pytest.mark.skipif(not has_loopback_range(), reason="needs loopback addresses besides 127.0.0.1")

WORDS = "correct horse battery"
MORE = """
[operators.ann]
roles = ["trader"]
accounts = ["acme"]

[operators.rita]
roles = ["risk"]
accounts = ["*"]

[operators.sue]
roles = ["support"]
accounts = ["birch"]
"""


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """A demo's desk, started again with three operators more, one of them with a passphrase."""
    with demo(Path(tmp_path_factory.mktemp("home"))) as found:
        config = found.home.config
        config.write_text(config.read_text().replace("[desk]", '[desk]\napprovals = ["live"]') + MORE)
        (found.folder / "words").touch(mode=0o600)
        (found.folder / "words").write_text(WORDS + "\n")
        set_ = found.ask("operators", "passphrase", "ann", "--passphrase-stdin", stdin=WORDS + "\n")
        assert set_.status == 0, set_.err
        found.kill_and_run_again()
        yield found
        assert found.differences() == []


def words(running: Demo) -> tuple[str, str]:
    return "--operator-passphrase-file", str(running.folder / "words")


def audited(running: Demo, operator: str) -> list[tuple[str, str | None, str]]:
    done = running.ask("audit", "operators", "--operator", operator, "--json")
    return [(row["what"], row["account"], row["detail"]) for row in done.json["steps"]]


# ---- scripts -----------------------------------------------------------------------------------------------------------


def test_operators_are_listed_with_what_they_may(running: Demo) -> None:
    rows = {row["operator"]: row for row in running.ask("operators", "list", "--json").json["operators"]}
    assert {name: row["has_passphrase"] for name, row in rows.items()} == {
        "demo": False,
        "ann": True,
        "rita": False,
        "sue": False,
    }
    assert (rows["ann"]["roles"], rows["ann"]["accounts"], rows["ann"]["sees"]) == (["trader"], ["acme"], ["acme"])
    table = running.ask("operators", "list").out
    assert "ann" in table
    assert "trader" in table


def test_a_script_needs_the_passphrase_of_its_operator(running: Demo) -> None:
    price = running.below(2)
    refused = running.place("--price", price, "--operator", "ann")
    assert (refused.status, refused.err.strip()) == (
        1,
        "ann has a passphrase; give it with --operator-passphrase-file FILE",
    )
    placed = running.place("--price", price, "--operator", "ann", *words(running))
    assert placed.status == 0, placed.err
    [order] = placed.json["orders"]
    assert order["operator"] == "ann"
    cancelled = running.ask("order", "cancel", order["client_order_id"], "--operator", "ann", *words(running), "--json")
    assert cancelled.status == 0, cancelled.err


def test_a_wrong_passphrase_ends_the_script_with_a_sentence(running: Demo) -> None:
    wrong = running.folder / "wrong"
    wrong.touch(mode=0o600)
    wrong.write_text("not the words\n")
    done = running.place("--price", "1", "--operator", "anne", "--operator-passphrase-file", str(wrong))
    assert (done.status, done.err.strip()) == (1, "the name or its passphrase is wrong")  # whether the name is or not
    wrong.chmod(0o644)
    done = running.place("--price", "1", "--operator", "ann", "--operator-passphrase-file", str(wrong))
    assert done.status == 2
    assert "chmod 600" in done.err


def test_what_an_operator_may_not_do_is_refused_to_scripts_and_audited(running: Demo) -> None:
    refused = running.ask("order", "place", "--account", "birch", "--instrument", "BTC/USDT", "--side", "buy", "--qty",
                          "0.01", "--price", "1", "--operator", "sue", "--json")  # fmt: skip
    assert (refused.status, refused.err.strip()) == (
        1,
        "sue (support) may not place: that takes the role trader",
    )
    unseen = running.place("--price", "1", "--operator", "sue")  # on acme, which sue does not see
    assert "'acme' is no account of this desk; accounts: birch" in unseen.err
    recorded = ("refused", "birch", "PlaceOrder: sue (support) may not place: that takes the role trader")
    assert running.until(lambda _: recorded in audited(running, "sue")), audited(running, "sue")


def test_logins_commands_and_ends_are_audited(running: Demo) -> None:
    placed = running.place("--price", running.below(2), "--operator", "ann", *words(running))
    [order] = placed.json["orders"]
    key = order["client_order_id"]
    running.ask("order", "cancel", key, "--operator", "ann", *words(running))
    uid = os.getuid()
    assert running.until(lambda _: audited(running, "ann")[-1] == ("left", None, f"as user id {uid}"))
    expected = {
        ("login", None, f"as user id {uid}"),
        ("command", "acme", f"PlaceOrder {key} of binance:BTCUSDT"),
        ("command", "acme", f"CancelOrder {key}"),
    }  # the trail is written behind the command's answer
    assert running.until(lambda _: expected <= set(audited(running, "ann"))), audited(running, "ann")
    assert "login" in running.ask("audit", "operators").out


def test_a_passphrase_is_set_and_forgotten_with_sentences(running: Demo) -> None:
    unknown = running.ask("operators", "passphrase", "nobody", "--passphrase-stdin", stdin=WORDS)
    assert unknown.status == 2
    assert "'nobody' is no operator in desk.toml" in unknown.err
    short = running.ask("operators", "passphrase", "rita", "--passphrase-stdin", stdin="short\n")
    assert (short.status, short.err.strip()) == (1, "a passphrase has 8 to 1024 characters; use another")
    nobody_there = running.ask("operators", "passphrase", "rita")
    assert nobody_there.status == 2
    assert "--passphrase-stdin" in nobody_there.err
    assert running.ask("operators", "passphrase", "rita", "--passphrase-stdin", stdin=WORDS).status == 0
    assert "give it with" in running.ask("halt", "--reason", "drill", "--operator", "rita").err
    removed = running.ask("operators", "remove", "rita")
    assert removed.status == 0
    assert "acts as rita without one now" in removed.err
    assert running.ask("operators", "remove", "rita").status == 1


def test_approvals_are_empty_on_paper_and_say_so(running: Demo) -> None:
    assert running.ask("approvals", "--json").json == {"schema": "approvals.v1", "approvals": []}
    done = running.ask("approve", "7kq2x", "--operator", "rita")
    assert (done.status, "`tradedesk approvals` lists them" in done.err) == (1, True)
    done = running.ask("golive", "acme", "--reason", "mandate", "--operator", "ann", *words(running))
    assert (done.status, done.err.strip()) == (1, "account acme needs no approval to trade")


# ---- screens -----------------------------------------------------------------------------------------------------------


class Screen:
    """`tradedesk attach` on a terminal of its own. Owns one thread, which reads what it draws."""

    def __init__(self, running: Demo, *options: str) -> None:
        master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("4H", 36, 120, 0, 0))
        self._master = master
        self.drawn = b""
        environment = {**os.environ, **running.environment(), "TERM": "xterm-256color"}
        for name in ("NO_COLOR", "COLUMNS", "LINES"):
            environment.pop(name, None)
        self.process = subprocess.Popen(
            [*PROGRAM, "attach", *options],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env=environment,
            start_new_session=True,
        )
        os.close(slave)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        while not self._ended.is_set():
            ready, _, _ = select.select([self._master], [], [], 0.1)
            if ready:
                try:
                    chunk = os.read(self._master, 65536)
                except OSError:  # the other side is gone
                    return
                self.drawn = (self.drawn + chunk)[-1_000_000:]

    def type(self, keys: str) -> None:
        os.write(self._master, keys.encode())

    def until(self, happened: Callable[[], bool], press: str = "") -> bool:
        """Press the keys again and again until it happens."""
        deadline = time.monotonic() + WITHIN_S
        while time.monotonic() < deadline:
            if happened():
                return True
            if press:
                self.type(press)
            self._ended.wait(0.1)
        return False

    def kill(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self._ended.set()
        self._thread.join()
        os.close(self._master)


F2, F9 = "\x1bOQ", "\x1b[20~"


def open_of(running: Demo, operator: str) -> list[str]:
    rows = running.ask("orders", "--json").json["orders"]
    return [row["client_order_id"] for row in rows if row["operator"] == operator and row["state"] == "New"]


def test_a_screen_killed_in_the_middle_of_an_order_changes_nothing(running: Demo) -> None:
    """DESIGN 7: losing every screen changes nothing on the desk, and nothing of what it sent"""
    ann = Screen(running, "--operator", "ann", *words(running))
    demo_ = Screen(running, "--operator", "demo")
    both = {OperatorId("ann"), OperatorId("demo")}
    try:
        assert running.until(lambda watch: both <= set(watch.replica.attached)), ann.drawn[-2_000:]
        assert ann.until(lambda: b"BTC" in ann.drawn)
        price = running.below(1)
        ann.type(F9)
        assert ann.until(lambda: b"ARMED" in ann.drawn), ann.drawn[-2_000:]
        ann.type(":")
        assert ann.until(lambda: b"paper>" in ann.drawn), ann.drawn[-2_000:]
        ann.type(f"acme BTC/USDT buy 0.01 @{price}\r")
        assert ann.until(lambda: b"ticket" in ann.drawn), ann.drawn[-2_000:]
        ann.type("\r")

        def sent() -> bool:
            rows = running.ask("orders", "--json").json["orders"]
            return any(row["operator"] == "ann" and row["price"] == price for row in rows)

        assert ann.until(sent, press=F2), ann.drawn[-3_000:]
    finally:
        ann.kill()
        demo_.kill()
    assert running.until(lambda watch: not both & set(watch.replica.attached))
    [key] = [key for key in open_of(running, "ann") if running.order(key)["price"] == price]
    assert running.order(key)["state"] == "New"
    assert running.differences() == []
    placed = running.place("--price", price, "--operator", "demo")
    assert placed.status == 0, placed.err
    for order in (key, placed.json["orders"][0]["client_order_id"]):
        assert running.ask("order", "cancel", order, "--operator", "demo", "--json").status == 0
    rows = [row for row in running.ask("orders", "--json").json["orders"] if row["price"] == price]
    assert len(rows) == 2  # each was sent once
    assert running.until(lambda _: "left" in [what for what, _, _ in audited(running, "demo")])


def test_a_screen_of_an_operator_shows_their_accounts_alone(running: Demo) -> None:
    sue = Screen(running, "--operator", "sue")
    try:
        assert sue.until(lambda: b"birch" in sue.drawn, press="4"), sue.drawn[-3_000:]  # the fleet
        assert b"acme" not in sue.drawn
        assert b"cedar" not in sue.drawn
    finally:
        sue.kill()


def test_a_passphrase_is_asked_for_at_the_keyboard_without_echo(running: Demo) -> None:
    ann = Screen(running, "--operator", "ann")
    try:
        assert ann.until(lambda: b"passphrase of the operator" in ann.drawn)
        ann.type("canary-wrong\r")
        assert ann.until(lambda: b"is wrong" in ann.drawn)
        assert ann.until(lambda: ann.drawn.count(b"passphrase of the operator") == 2)
        assert b"canary" not in ann.drawn
    finally:
        ann.kill()


def test_the_words_are_in_no_file_of_the_desk_but_the_one_that_was_made_for_them(running: Demo) -> None:
    """5.6"""
    for file in running.folder.rglob("*"):
        if file.is_file() and file.name != "words":
            assert WORDS.encode() not in file.read_bytes(), file
    assert WORDS not in json.dumps(running.said)
