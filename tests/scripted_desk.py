"""A whole desk in this process: real journal, threads and sockets, its venues scripted."""

import json
import os
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from random import Random
from typing import Any

import msgspec
from scripted_account import WITHIN_S, ScriptedVenue, a_quote, client

from tradedesk.access.lease import Lease
from tradedesk.clock import SystemClock
from tradedesk.config import DeskSettings, Home, OperatorSettings, Settings, VenueSettings, find_home, private_folder
from tradedesk.config.questions import Hidden
from tradedesk.desk.desk import Desk, Parts
from tradedesk.domain import events as ev
from tradedesk.domain.instruments import Quote
from tradedesk.domain.words import AccountId, InstrumentId, OperatorId, VenueId, client_order_id
from tradedesk.journal.sqlite import SqliteJournal
from tradedesk.journal.store import Store
from tradedesk.views.feed import DeskView, Numbered, Update, update_decoder
from tradedesk.views.replica import Snapshot

HELLO = b'{"hello": "monitor.v1"}\n'
OPERATORS = {
    "me": ("trader risk", "*", os.getuid()),
    "desk2": ("trader", "birch", None),
    "help1": ("support", "*", None),
    "other": ("trader", "*", os.getuid() + 1),
}


class QuotesOnly:
    """A feed host without a venue: always a fresh quote."""

    def start(self) -> None:
        pass

    def stop(self) -> None:
        pass

    def quote(self, instrument: InstrumentId) -> tuple[Quote, int] | None:
        return a_quote(instrument)


class Running:
    """A started desk, its venues by account, and the means to wait for what it publishes."""

    def __init__(self, desk: Desk, venues: dict[str, ScriptedVenue]) -> None:
        self.desk = desk
        self.venues = venues
        self.view = DeskView(desk.open_feed())
        self.updates: list[Update] = []
        self._never = threading.Event()

    def until(self, happened: Callable[[], Any], within_s: float = WITHIN_S) -> bool:
        deadline = time.monotonic() + within_s
        while time.monotonic() < deadline:
            self.updates += self.view.poll()
            if happened():
                return True
            self._never.wait(0.002)  # between two looks, as a screen's frames are
        return False

    def events(self) -> Iterator[ev.Event]:
        return (update.event for update in self.updates if isinstance(update, Numbered))

    def are_ready(self) -> bool:
        rows = self.view.replica.accounts.values()
        return len(rows) == len(self.venues) and all(row.state == "Ready" for row in rows)


def settings_of(names: Iterable[str] = ("acme", "birch")) -> Settings:
    venue = VenueId("binance")
    return Settings(
        desk=DeskSettings(name="test", reporting_currency="USDT"),
        venues={
            venue: VenueSettings(
                id=venue, exchange="binance", url="http://127.0.0.1:1", egress="127.0.0.1", instruments=("BTC/USDT",)
            )
        },
        accounts={
            AccountId(name): msgspec.structs.replace(client(name), egress=f"127.0.0.{number}")
            for number, name in enumerate(names, start=2)
        },
        operators={
            OperatorId(name): OperatorSettings(
                name=OperatorId(name), roles=tuple(roles.split()), accounts=(accounts,), uid=uid
            )
            for name, (roles, accounts, uid) in OPERATORS.items()
        },
    )


def home_in(folder: Path) -> Home:
    home = find_home({"TRADEDESK_HOME": str(folder)})
    for path in (home.state, home.sockets):
        private_folder(path)
    return home


def a_desk(
    home: Home,
    venues: dict[str, ScriptedVenue],
    store: Store,
    leases: dict[AccountId, Lease] | None = None,
    change: Callable[[Settings], Settings] = lambda settings: settings,
    webhooks: dict[str, Hidden] | None = None,
) -> Desk:
    clock, chance = SystemClock(), Random(1)
    return Desk(
        change(settings_of(venues)),
        home,
        store=store,
        parts=Parts(
            adapters={AccountId(name): venue.adapter for name, venue in venues.items()},
            feeds={VenueId("binance"): lambda publish: QuotesOnly()},  # type: ignore[dict-item, return-value]
            leases=leases or {},
            webhooks=webhooks or {},
        ),
        new_id=lambda account: client_order_id(clock.now(), chance.getrandbits(40)),
        clock=clock,
        random=chance,
    )


@contextmanager
def running(
    folder: Path,
    venues: dict[str, ScriptedVenue] | None = None,
    leases: dict[AccountId, Lease] | None = None,
    *,
    is_ready: Callable[[Running], bool] = Running.are_ready,
    again_s: tuple[float, ...] = (1.0,),
    change: Callable[[Settings], Settings] = lambda settings: settings,
    webhooks: dict[str, Hidden] | None = None,
) -> Iterator[Running]:
    """A desk in this folder with every account ready; stopped at the end. Venues may be handed on to the next one.

    `change` makes other settings of those that there are.
    """
    known = venues if venues is not None else {name: ScriptedVenue(name) for name in ("acme", "birch")}
    made: list[Desk] = []
    store = SqliteJournal(
        home_in(folder).journal,
        clock=SystemClock(),
        on_failure=lambda reason: made[0].alarms.journal_failed(reason),  # noqa: PLW0108 - made later
        on_recovery=lambda reason: made[0].alarms.journal_recovered(reason),  # noqa: PLW0108
        again_s=again_s,
    )
    store.open()
    desk = a_desk(home_in(folder), known, store, leases, change, webhooks)
    made.append(desk)
    desk.start()
    try:
        found = Running(desk, known)
        assert found.until(lambda: is_ready(found)), found.view.replica.accounts
        yield found
    finally:
        desk.stop()


def operated_by(
    operators: Mapping[str, tuple[str, str, int | None]], approvals: Iterable[str] = ()
) -> Callable[[Settings], Settings]:
    """Settings with these operators (roles, accounts, uid) in the place of the usual ones."""
    made = {
        OperatorId(name): OperatorSettings(
            name=OperatorId(name), roles=tuple(roles.split()), accounts=tuple(accounts.split()), uid=uid
        )
        for name, (roles, accounts, uid) in operators.items()
    }

    def changed(settings: Settings) -> Settings:
        desk = msgspec.structs.replace(settings.desk, approvals=tuple(approvals))
        return msgspec.structs.replace(settings, operators=made, desk=desk)

    return changed


class Caller:
    """A raw connection to one of the sockets."""

    def __init__(self, path: Path, hello: bytes = b"", timeout_s: float = WITHIN_S) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.settimeout(timeout_s)
        self.socket.connect(str(path))
        self._pending = b""
        if hello:
            with suppress(BrokenPipeError):  # turned away before it could say so: then there is no line to read
                self.socket.sendall(hello)

    def line(self) -> bytes:
        """The next line; empty at the end of the stream."""
        while b"\n" not in self._pending:
            try:
                chunk = self.socket.recv(1 << 20)
            except ConnectionError:
                return b""
            if not chunk:
                return b""
            self._pending += chunk
        line, self._pending = self._pending.split(b"\n", 1)
        return line

    def update(self) -> Update | None:
        line = self.line()
        return update_decoder.decode(line) if line else None

    def ask(self, request: dict[str, Any] | bytes) -> dict[str, Any]:
        """One request on the control socket, and its reply."""
        with suppress(BrokenPipeError):  # turned away already: the reply says why
            self.socket.sendall(request if isinstance(request, bytes) else json.dumps(request).encode() + b"\n")
        return dict(json.loads(self.line() or b"{}"))

    def number_at(self, wanted: int) -> int:
        """Read until an update of that number or later, checking that there is no hole on the way."""
        number = None
        while number is None or number < wanted:
            update = self.update()
            assert update is not None, "cut off"
            if isinstance(update, Snapshot):
                number = update.number
            elif isinstance(update, Numbered):
                assert number is not None
                assert update.number == number + 1
                number = update.number
        return number

    def close(self) -> None:
        self.socket.close()


def an_order_of(account: str = "acme", key: str = "c1", qty: str = "0.1", price: str = "60000") -> dict[str, Any]:
    """A PlaceOrder as it stands on the control socket."""
    return {
        "type": "submit",
        "command": {
            "type": "PlaceOrder",
            "account": account,
            "client_order_id": key,
            "instrument": "binance:BTCUSDT",
            "side": "buy",
            "order_type": "limit",
            "order_qty": qty,
            "price": price,
            "operator": "",
            "deadline": SystemClock().now() + 60 * 10**9,
        },
    }
