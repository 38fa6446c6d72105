"""A real demo in processes of its own, and the commands of the program asked of it."""

import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

from msgspec import Struct
from typer.testing import CliRunner

from tradedesk.cli import app
from tradedesk.cli.comparison import differences
from tradedesk.cli.reach import Watch
from tradedesk.config import Home, find_home
from tradedesk.domain.words import AccountId

START_WITHIN_S = 60.0
WITHIN_S = 30.0
MINUTE_S = 60.0 + WITHIN_S  # a desk that starts on a used-up rate budget waits for the venue's next minute
MARKET_WITHIN_S = 15.0
PROGRAM = (sys.executable, "-m", "tradedesk")


class Ran(Struct, frozen=True):
    """What a command said and how it ended."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        return dict(json.loads(self.out))


class Asked:
    """Commands asked of one home; keeps all they said, for whoever looks for what should not be there."""

    def __init__(self, home: Path) -> None:
        self.folder = home
        self.said: list[str] = []

    @property
    def home(self) -> Home:
        return find_home({"TRADEDESK_HOME": str(self.folder)})

    def ask(self, *words: str, stdin: str | None = None) -> Ran:
        """The command run in this process: the same code, without the second that an interpreter takes to start."""
        result = CliRunner().invoke(app, list(words), input=stdin, env=self.environment())
        raised = result.exception
        assert raised is None or isinstance(raised, SystemExit), f"{words} raised {raised!r}"
        return self._kept(Ran(result.exit_code, result.stdout, result.stderr))

    def call(self, *words: str, stdin: str | None = None) -> Ran:
        """The command as a shell runs it."""
        done = subprocess.run(
            [*PROGRAM, *words],
            check=False,
            input=stdin or "",
            capture_output=True,
            text=True,
            timeout=WITHIN_S,
            env={**os.environ, **self.environment()},
        )
        return self._kept(Ran(done.returncode, done.stdout, done.stderr))

    def environment(self) -> dict[str, str]:
        return {"TRADEDESK_HOME": str(self.folder)}

    def _kept(self, ran: Ran) -> Ran:
        self.said += [ran.out, ran.err]
        assert "Traceback" not in ran.out + ran.err
        return ran


class Demo(Asked):
    """A running `tradedesk demo --headless`."""

    def __init__(self, home: Path, described: dict[str, Any]) -> None:
        super().__init__(home)
        self.paper: dict[str, Any] = described["paper"]
        self.desk_pid: int = described["desk_pid"]
        self.paper_pid: int | None = described.get("paper_pid")  # none of a desk on somebody else's exchange
        self.again: list[subprocess.Popen[Any]] = []

    def market(self, symbol: str = "BTC/USDT") -> dict[str, Decimal]:
        """Best bid and offer now; waits for them after a start, as accounts can be ready before their markets."""
        deadline = time.monotonic() + MARKET_WITHIN_S
        while True:
            rows = self.ask("status", "--json").json["markets"]
            row = next((row for row in rows if row["instrument"] == symbol and row["bid"] and row["ask"]), None)
            if row is not None:
                break
            assert time.monotonic() < deadline, f"no price of {symbol} within {MARKET_WITHIN_S} s"
        return {"bid": Decimal(row["bid"]), "ask": Decimal(row["ask"])}

    def below(self, percent: int, symbol: str = "BTC/USDT") -> str:
        """A price so far below the market, on the tick of 0.01."""
        return f"{self.market(symbol)['bid'] * (100 - percent) / 100:.2f}"

    def place(self, *options: str, account: str = "acme", side: str = "buy", qty: str = "0.01") -> Ran:
        named = ("--account", account, "--instrument", "BTC/USDT", "--side", side, "--qty", qty)
        return self.ask("order", "place", *named, *options, "--json")

    def order(self, key: str) -> dict[str, Any]:
        return next(row for row in self.ask("orders", "--json").json["orders"] if row["client_order_id"] == key)

    def kill_and_run_again(self) -> None:
        """SIGKILL for the desk, then `tradedesk run` on what it left behind; returns when it answers."""
        os.kill(self.desk_pid, signal.SIGKILL)
        until_nobody_listens(self.home.control_socket)
        process, line = started(self, "run", "--json")
        assert json.loads(line)["schema"] == "run.v1"
        self.again.append(process)
        self.desk_pid = process.pid

    def until(self, happened: Callable[[Watch], Any], within_s: float = WITHIN_S) -> bool:
        """Wait until something is so on the desk."""
        watch = Watch(self.home)
        try:
            return watch.until(lambda: watch.view.is_fed and bool(happened(watch)), within_s)
        finally:
            watch.view.close()

    def differences(self) -> list[str]:
        """How the desk's books differ from the exchange's; an order under way is given time to arrive."""
        found: list[str] = []

        def agree(watch: Watch) -> bool:
            found[:] = self._differences(watch)
            return not found

        self.until(agree)
        return found

    def _differences(self, watch: Watch) -> list[str]:
        if not watch.view.is_fed or not all(row.state == "Ready" for row in watch.replica.accounts.values()):
            return ["the desk is not ready"]
        names = [account["name"] for account in self.paper["accounts"]]
        return [found for name in names for found in differences(watch.replica, AccountId(name), self.books(name))]

    def books(self, name: str) -> dict[str, Any]:
        """The account as the exchange itself knows it."""
        request = urllib.request.Request(
            f"{self.paper['admin']}/accounts/{name}", headers={"Authorization": f"Bearer {self.paper['admin_token']}"}
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            return dict(json.load(answer))


def has_prices(watch: Watch) -> bool:
    listed = watch.replica.instruments
    return bool(listed) and all(watch.replica.market(instrument).mark is not None for instrument in listed)


@contextmanager
def demo(home: Path) -> Iterator[Demo]:
    """`tradedesk demo --headless --json` in this home; it and all it started are ended."""
    asked = Asked(home)
    process, line = started(asked, "demo", "--headless", "--json")
    found = Demo(home, json.loads(line))
    try:
        assert found.until(has_prices)  # what is held and has no price yet cannot be added to
        yield found
    finally:
        for desk in found.again:
            ended(desk)
        status = ended(process)
    assert status == 0
    until_nobody_listens(found.home.control_socket)


def started(asked: Asked, *words: str) -> tuple[subprocess.Popen[str], str]:
    """A command that goes on running, and the first line it prints. What it says on stderr goes to ours."""
    process = subprocess.Popen(
        [*PROGRAM, *words],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, **asked.environment()},
    )
    assert process.stdout is not None
    ready, _, _ = select.select([process.stdout], [], [], START_WITHIN_S)
    line = process.stdout.readline() if ready else ""
    if not line:
        process.kill()
        raise AssertionError(f"{words} printed nothing within {START_WITHIN_S} s; it ended with {process.wait()}")
    return process, line


def ended(process: subprocess.Popen[Any]) -> int:
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    try:
        return process.wait(WITHIN_S)
    finally:
        if process.poll() is None:
            process.kill()
        if process.stdout is not None:
            process.stdout.close()


def until_nobody_listens(path: Path) -> None:
    """Return once no process listens on the socket any more."""
    while True:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            probe.settimeout(WITHIN_S)
            try:
                probe.connect(str(path))
                probe.recv(1)  # ends when the other side does
            except OSError:
                return
