"""The desk and the paper exchange of a drill: trade on them, hurt them, kill, and ask the exchange what it holds."""

import fcntl
import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from tradedesk.cli.demo import NAMES, start_desk
from tradedesk.cli.reach import DEADLINE_NS, Watch, new_id

if TYPE_CHECKING:
    from tradedesk.config import Home
    from tradedesk.desk.client import RemoteControl
    from tradedesk.domain.commands import Command, NotSubmitted, PlaceOrder, Submitted
    from tradedesk.domain.instruments import Instrument
    from tradedesk.views.replica import Replica

STEP_S = 60.0  # a machine that is busy with other things is slow, and no drill is about that
READY_S = 60.0 + STEP_S  # a desk that starts on a used-up rate budget waits for the venue's next minute, and rightly so
LOOK_S = 0.02
ENDED = ("CANCELED", "FILLED", "EXPIRED", "REJECTED")  # the exchange's words for an order that is over
ANSWERED = ("New", "Filled", "Canceled", "Rejected", "Expired", "Denied")
SIZE = Decimal("0.01")  # BTC
NO_FILE_GROWS = """
import resource
resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
from tradedesk.cli import main
main()
"""


class Differs(Exception):
    """A drill did not come out as it must; the text says what and how."""


class NotHere(Exception):
    """This machine cannot be hurt that way; the text says why."""


class Said(Struct, frozen=True):
    """What a command said and how it ended."""

    status: int
    out: str
    err: str


Kills = Callable[..., Said]
"""`tradedesk` with these words; `is_disk_full=True`: it cannot write to any file."""


def as_a_process(home: "Home") -> Kills:
    """The command as a shell runs it: nothing of the desk's, and nothing of ours, is in it."""

    def run(*words: str, is_disk_full: bool = False) -> Said:
        program = ("-c", NO_FILE_GROWS) if is_disk_full else ("-m", "tradedesk")
        done = subprocess.run(  # noqa: S603  (ourselves)
            [sys.executable, *program, *words],
            check=False,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            env={**os.environ, "TRADEDESK_HOME": str(home.config.parent)},
        )
        return Said(done.returncode, done.stdout, done.stderr)

    return run


def until_free(home: "Home", within_s: float = STEP_S) -> bool:
    """Wait until no desk holds this state folder any more; returns whether that came."""
    deadline = time.monotonic() + within_s
    while True:
        try:
            descriptor = os.open(home.journal.with_name(home.journal.name + ".lock"), os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return True
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
            return True
        except OSError:
            if time.monotonic() > deadline:
                return False
        finally:
            os.close(descriptor)
        time.sleep(LOOK_S)


class Ground:
    """One desk on one paper exchange. One thread's; `close` ends what it started."""

    def __init__(self, home: "Home", paper: dict[str, Any], *, desk_pid: int, paper_pid: int, kills: Kills) -> None:
        self.home = home
        self.desk_pid = desk_pid
        self.paper_pid = paper_pid
        self.started: list[subprocess.Popen[bytes]] = []
        self._paper = paper
        self._kills = kills
        self._watch = Watch(home)
        self._control: RemoteControl | None = None

    def close(self) -> None:
        self.hang_up()
        self._watch.view.close()

    def hang_up(self) -> None:
        """The next command goes to whichever desk runs then."""
        if self._control is not None:
            self._control.close()
            self._control = None

    # -- the desk -------------------------------------------------------------------------------------------------------

    @property
    def replica(self) -> "Replica":
        return self._watch.replica

    def submit(self, command: "Command") -> "Submitted | NotSubmitted":
        from tradedesk.desk.client import DeskAway, RemoteControl

        try:
            if self._control is None:
                self._control = RemoteControl(self.home.control_socket, None)
        except DeskAway as away:
            raise Differs(str(away)) from None
        return self._control.submit(command)

    def order(self, account: str = "acme", *, is_sale: bool = False) -> "PlaceOrder":
        """A limit order two percent away from the market: it rests."""
        from tradedesk.domain.commands import PlaceOrder
        from tradedesk.domain.words import AccountId, OperatorId, OrderType, Side

        instrument = self._instrument()
        self.until("every market has a price", self._has_prices)  # what is held and has none cannot be added to
        market = self.replica.market(instrument.id)
        price = market.asks[0][0] * Decimal("1.02") if is_sale else market.bids[0][0] * Decimal("0.98")
        now = self._watch.clock.now()
        return PlaceOrder(
            account=AccountId(account),
            client_order_id=new_id(now),
            instrument=instrument.id,
            side=Side.Sell if is_sale else Side.Buy,
            order_type=OrderType.Limit,
            order_qty=SIZE,
            price=price // instrument.tick * instrument.tick,
            operator=OperatorId(""),
            deadline=now + DEADLINE_NS,
        )

    def rest(self, account: str = "acme", *, is_sale: bool = False) -> str:
        """An order that rests at the exchange; its client order id."""
        key = self._placed(account, is_sale=is_sale)
        self.until(f"an order of {account} is answered", lambda: self.state(key) in ANSWERED)
        self.must(self.state(key) == "New", f"an order of {account} does not rest: {self._why(key)}")
        return key

    def denied(self, account: str = "acme") -> None:
        """An order now is denied, and the exchange never sees it."""
        key = self._placed(account)
        self.until(f"an order of {account} is denied", lambda: self.state(key) == "Denied")
        self.must(key not in self.at_exchange(account), f"{account}'s denied order {key} is at the exchange")

    def freeze(self) -> None:
        os.kill(self.desk_pid, signal.SIGSTOP)

    def thaw(self) -> None:
        os.kill(self.desk_pid, signal.SIGCONT)

    def end_desk(self, number: int = signal.SIGKILL) -> None:
        """Returns when the state folder is free for the next one."""
        self.hang_up()
        os.kill(self.desk_pid, number)
        self.must(until_free(self.home), "the desk that was told to end is still there")

    def start(self) -> None:
        """Another desk on what the last one left, its accounts compared with the exchange."""
        self.hang_up()
        process = start_desk(self.home)
        self.started.append(process)
        self.desk_pid = process.pid
        self.until(
            "the desk that was started again is up",
            lambda: self.replica.desk is not None and self.replica.desk.pid == process.pid,
        )
        self.ready()

    def ready(self) -> None:
        """Every account is compared with the exchange, halted or not."""
        self.until("every account is ready", lambda: are_ready(self.replica), READY_S)

    def until(self, what: str, happened: Callable[[], object], within_s: float = STEP_S) -> None:
        if not self._watch.until(lambda: self._watch.view.is_fed and bool(happened()), within_s):
            states = "; ".join(f"{row.account.id} {row.state} {row.reason}" for row in self.replica.accounts.values())
            raise Differs(f"did not happen within {within_s:.0f} s: {what} ({states or 'the desk says nothing'})")

    def watch_for(self, seconds: float) -> None:
        self._watch.until(lambda: False, seconds)

    # -- the exchange ---------------------------------------------------------------------------------------------------

    def admin(self, method: str, path: str, body: object = None) -> Any:
        request = urllib.request.Request(  # noqa: S310  (our own admin door on loopback)
            self._paper["admin"] + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {self._paper['admin_token']}", "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=STEP_S) as answer:  # noqa: S310
            return json.load(answer)

    def fault(self, kind: str, **fields: object) -> None:
        self.admin("POST", "/faults", {"kind": kind} | fields)

    def at_exchange(self, account: str = "acme") -> dict[str, str]:
        """The exchange's own word for each order of an account."""
        return {row["clientOrderId"]: row["status"] for row in self.admin("GET", f"/accounts/{account}")["orders"]}

    def requests(self, after: int = 0) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.admin("GET", f"/requests?after={after}")["requests"]
        return found

    def seen(self) -> int:
        """How many requests the exchange has seen."""
        return int(self.admin("GET", "/requests?limit=0")["count"])

    def gone(self, keys: Iterable[str], account: str = "acme") -> None:
        theirs = self.at_exchange(account)
        left = [key for key in keys if theirs.get(key) != "CANCELED"]
        self.must(not left, f"{account}: at the exchange {', '.join(left)} are not cancelled")

    def stands(self, key: str, account: str = "acme") -> None:
        self.must(self.at_exchange(account).get(key) == "NEW", f"{account}: {key} should rest at the exchange")

    # -- killing --------------------------------------------------------------------------------------------------------

    def kill(self, *options: str, status: int | None = 0, is_disk_full: bool = False) -> dict[str, Any]:
        """`tradedesk kill`; its receipt, whose every word the exchange must agree with."""
        words = ("kill", *(options or ("--all",)), "--reason", "a drill", "--json")
        said = self._kills(*words, is_disk_full=True) if is_disk_full else self._kills(*words)
        if (status is not None and said.status != status) or not said.out:
            raise Differs(f"the kill ended with {said.status}: {said.err.strip()[-500:]}")
        document: dict[str, Any] = json.loads(said.out)
        document["by_account"] = {row["account"]: row for row in document["accounts"]}
        return document

    def agrees(self, document: dict[str, Any]) -> None:
        """Every order of a receipt is at the exchange what the receipt says, and what is open there stands in it."""
        for row in document["accounts"]:
            for found in disagreements(row, self.at_exchange(row["account"])):
                raise Differs(f"{row['account']}: {found}")

    def calm(self) -> None:
        """Faults ended, halts lifted, no order left: as the next drill wants to find it."""
        self.thaw()
        self.admin("DELETE", "/faults")
        for ban in (self.home.state / "bans").glob(
            "*.json"
        ):  # taken back by the exchange; the next start would heed it
            ban.unlink()
        self.kill("--all", "--level", "cancel-all", "--external")
        self.until("the desk hears of the kill", lambda: None in self.replica.halts)
        from tradedesk.domain.commands import Rearm
        from tradedesk.domain.words import AccountId, OperatorId

        for scope in (None, *(AccountId(name) for name in NAMES)):
            self.submit(Rearm(account=scope, reason="the next drill", operator=OperatorId("")))
        self.until("the desk is armed", lambda: not self.replica.halts)
        self.ready()

    @staticmethod
    def must(is_so: bool, otherwise: str) -> None:
        if not is_so:
            raise Differs(otherwise)

    def _placed(self, account: str, *, is_sale: bool = False) -> str:
        from tradedesk.domain.commands import NotSubmitted

        command = self.order(account, is_sale=is_sale)
        reply = self.submit(command)
        if isinstance(reply, NotSubmitted):
            raise Differs(f"an order of {account} was not taken: {reply.reason}")
        return command.client_order_id

    def state(self, key: str) -> str | None:
        """The desk's word for it; None while the desk knows no such order."""
        from tradedesk.domain.orders import state
        from tradedesk.domain.words import ClientOrderId

        order = self.replica.orders.get(ClientOrderId(key))
        return None if order is None else state(order).value

    def _why(self, key: str) -> str:
        from tradedesk.domain.words import ClientOrderId

        return f"{self.state(key)}, {'; '.join(self.replica.orders[ClientOrderId(key)].reasons)}"

    def _instrument(self) -> "Instrument":
        def found() -> "Instrument | None":
            return next((row for row in self.replica.instruments.values() if row.symbol == "BTC/USDT"), None)

        self.until("BTC/USDT is listed", found)
        instrument = found()
        assert instrument is not None
        return instrument

    def _has_prices(self) -> bool:
        rows = [self.replica.market(instrument) for instrument in self.replica.instruments]
        return all(row.mark is not None and row.bids and row.asks for row in rows)


def are_ready(replica: "Replica") -> bool:
    """Every account compared with its venue, halted or not."""
    from tradedesk.domain.accounts import AccountState

    rows = replica.accounts.values()
    return bool(rows) and all(row.state in (AccountState.Ready, AccountState.Halted) for row in rows)


def disagreements(row: dict[str, Any], theirs: dict[str, str]) -> list[str]:
    """Where one account's part of a receipt and the exchange's orders (by client order id) say different things. Pure."""
    found = []
    for order in row["orders"]:
        key, end = order["client_order_id"], order["end"]
        status = theirs.get(key, "not there")
        if end == "cancelled":
            is_so = status == "CANCELED"
        elif end in ("left", "external", "open"):
            is_so = status != "not there" and status not in ENDED
        else:
            is_so = status in ENDED
        if not is_so:
            found.append(f"{key} is {end} in the receipt and {status} at the exchange")
    told = {order["client_order_id"] for order in row["orders"]}
    open_ = sorted(key for key, status in theirs.items() if status not in ENDED and key not in told)
    if open_ and row["outcome"] != "unreachable":
        found.append(f"{', '.join(open_)} open at the exchange, and not in the receipt")
    return found
