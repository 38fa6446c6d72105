"""Reaching a running desk from a script: its home, its stream, its control socket."""

import json
import os
import random
import secrets
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from difflib import get_close_matches
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tradedesk.cli.asking import asked
from tradedesk.cli.endings import USAGE, end

if TYPE_CHECKING:
    from tradedesk.config import Home
    from tradedesk.desk.client import RemoteControl
    from tradedesk.domain.commands import AcceptKeyRisk, ApproveMandate
    from tradedesk.domain.events import KeyRiskAccepted, MandateApproved
    from tradedesk.domain.instruments import Instrument
    from tradedesk.domain.words import AccountId, ClientOrderId, InstrumentId
    from tradedesk.monitor.socket_feed import SocketFeed
    from tradedesk.views.feed import Update
    from tradedesk.views.replica import Replica

ConfigOption = Annotated[Path | None, typer.Option("--config", help="Another desk.toml than the one of this home.")]
OperatorOption = Annotated[str | None, typer.Option("--operator", help="Act under this name of desk.toml.")]
OperatorPassphraseOption = Annotated[
    Path | None,
    typer.Option("--operator-passphrase-file", help="File (0600) with the operator's passphrase.", show_default=False),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one documented JSON object.")]

TRIES = 4  # to come in: without a passphrase, then three times with one
FIRST_WAIT_S = 5.0  # for the desk's first snapshot
DECIDED_S = 15.0  # for an account's worker to record what its operator decided
DEADLINE_NS = 10_000_000_000  # an order that could not be sent within this is not sent


def home_of(config: Path | None = None) -> "Home":
    from tradedesk.config import find_home

    return find_home(os.environ, config)


def controlled(home: "Home", operator: str | None, passphrase_file: Path | None = None) -> "RemoteControl":
    """The desk's control, under the operator's name; ends the program with a sentence if there is none.

    A passphrase that is wanted comes from the file, else from the keyboard.
    """
    from tradedesk.desk.client import DeskAway, NeedsPassphrase, RemoteControl
    from tradedesk.domain.words import OperatorId

    name = OperatorId(operator) if operator is not None else None
    passphrase = passphrase_in(passphrase_file)
    for _ in range(TRIES):
        try:
            return RemoteControl(home.control_socket, name, passphrase)
        except NeedsPassphrase as needs:
            passphrase = asked_passphrase(str(needs), was_given=passphrase_file is not None)
        except DeskAway as away:
            end(str(away))
    end("that passphrase was wrong too often")


def passphrase_in(file: Path | None) -> str | None:
    """The passphrase in a file, None without one; ends the program with a sentence if the file is not fit."""
    if file is None:
        return None
    from tradedesk.access.encrypted_file import VaultError, read_passphrase_file

    try:
        return read_passphrase_file(file)
    except VaultError as error:
        end(f"--operator-passphrase-file: {error}", USAGE)


def asked_passphrase(why: str, *, was_given: bool) -> str:
    """The operator's passphrase from the keyboard, without echo; ends the program where there is none or one was given."""
    if was_given:
        end(why)
    if not sys.stdin.isatty():
        end(f"{why} with --operator-passphrase-file FILE")
    typer.echo(why, err=True)
    return asked("passphrase of the operator")


class Watch:
    """A replica of the desk, kept up to date while one waits for something to happen."""

    def __init__(self, home: "Home", control: "RemoteControl | None" = None) -> None:
        """With `control` it is what its operator may see, else all that the read socket tells."""
        from tradedesk.clock import SystemClock
        from tradedesk.views.feed import DeskView

        self._woken = threading.Event()
        self.updates: list[Update] = []  # of the newest poll
        self.clock = SystemClock()
        self.view: DeskView = DeskView(stream_of(home, control, self._woken.set))

    @property
    def replica(self) -> "Replica":
        return self.view.replica

    def until(self, happened: Callable[[], bool], within_s: float) -> bool:
        """Fold what arrives until `happened` or the time is up; returns whether it happened."""
        deadline = self.clock.monotonic() + int(within_s * 10**9)
        while True:
            self._woken.clear()
            self.updates = self.view.poll()
            if happened():
                return True
            left = (deadline - self.clock.monotonic()) / 10**9
            if left <= 0:
                return False
            self._woken.wait(min(left, 0.5))


def stream_of(
    home: "Home", control: "RemoteControl | None" = None, wake: Callable[[], None] | None = None
) -> "SocketFeed":
    """The stream of the running desk: what the control's operator may see, without one everything."""
    from tradedesk.clock import SystemClock
    from tradedesk.monitor.socket_feed import SocketFeed

    clock, chance = SystemClock(), random.Random()
    if control is None:
        return SocketFeed(home.read_socket, clock=clock, chance=chance, wake=wake)
    return SocketFeed(home.control_socket, clock=clock, chance=chance, wake=wake, handshake=control.follow)


@contextmanager
def watching(home: "Home", control: "RemoteControl | None" = None) -> Iterator[Watch]:
    """A watch on the running desk, its first snapshot there; ends the program with a sentence if no desk answers.

    Who may not open the read socket watches as the operator that their user is.
    """
    if control is None and not os.access(home.read_socket, os.W_OK) and os.access(home.control_socket, os.W_OK):
        control = controlled(home, None)
    watch = Watch(home, control)
    try:
        answered = watch.until(lambda: watch.view.is_fed or watch.view.lost is not None, FIRST_WAIT_S)
        if not answered or not watch.view.is_fed:
            end(
                f"no desk answers at {home.read_socket}; start one with `tradedesk run`, or set TRADEDESK_HOME to its folder"
            )
        yield watch
    finally:
        watch.view.close()


def decision_in(
    updates: "Iterable[Update]", account: "AccountId", proof: "type[KeyRiskAccepted | MandateApproved]", what: str
) -> str | None:
    """What became of the command `what` that an account's worker decides: "" once `proof` is recorded, else why not.

    None while nothing was said. What is told of another account, perhaps to the same operator elsewhere, is not it.
    """
    from tradedesk.domain.events import SubmissionRefused
    from tradedesk.views.feed import Numbered

    for update in updates:
        event = update.event if isinstance(update, Numbered) else None
        if isinstance(event, proof) and event.account == account:
            return ""
        if isinstance(event, SubmissionRefused) and (event.what, event.source) == (what, f"worker:{account}"):
            return event.reason
    return None


def decided(
    control: "RemoteControl",
    watch: Watch,
    command: "AcceptKeyRisk | ApproveMandate",
    proof: "type[KeyRiskAccepted | MandateApproved]",
    look: str,
) -> None:
    """Give the command and wait for its record; ends the program with the reason if there will be none.

    `look`: the command of ours that shows later what became of it.
    """
    from tradedesk.domain.commands import NotSubmitted

    answer = control.submit(command)
    if isinstance(answer, NotSubmitted):
        end(answer.reason)
    told: list[str] = []

    def is_told() -> bool:
        found = decision_in(watch.updates, command.account, proof, type(command).__name__)
        told.extend([] if found is None else [found])
        return bool(told)

    if not watch.until(is_told, DECIDED_S):
        end(f"account {command.account}: the desk took it, and has not recorded it yet; look at `{look}`")
    if told[0]:
        end(told[0])


def account_of(replica: "Replica", name: str) -> "AccountId":
    """The account of that name, or an ending that names the nearest known one."""
    from tradedesk.domain.words import AccountId

    if AccountId(name) in replica.accounts:
        return AccountId(name)
    near = get_close_matches(name, replica.accounts, n=1)
    hint = f"did you mean {near[0]}?" if near else f"accounts: {', '.join(replica.accounts) or 'none'}"
    end(f"--account: {name!r} is no account of this desk; {hint}", USAGE)


def instrument_of(replica: "Replica", account: "AccountId", name: str) -> "Instrument":
    """The instrument that `name` means on the account's venue: BTC/USDT or the venue's own BTCUSDT."""
    venue = replica.accounts[account].account.venue
    listed = [instrument for instrument in replica.instruments.values() if instrument.venue == venue]
    for instrument in listed:
        if name.upper() in (instrument.symbol.upper(), instrument.venue_symbol.upper()):
            return instrument
    near = get_close_matches(name.upper(), [instrument.symbol for instrument in listed], n=1, cutoff=0.4)
    known = ", ".join(instrument.symbol for instrument in listed) or "none; is its venue reachable?"
    hint = f"did you mean {near[0]}?" if near else f"instruments of {venue}: {known}"
    end(f"--instrument: {name!r} is not traded by this desk; {hint}", USAGE)


def instruments_of(
    replica: "Replica", account: "AccountId | None", name: str | None
) -> "tuple[InstrumentId | None, ...]":
    """What `name` means on the account's venue, or on every venue that trades it; (None,) where nothing is named."""
    if name is None:
        return (None,)
    if account is not None:
        return (instrument_of(replica, account, name).id,)
    first_of = {row.account.venue: key for key, row in replica.accounts.items()}
    named = [
        instrument.id
        for instrument in replica.instruments.values()
        if instrument.venue in first_of and name.upper() in (instrument.symbol.upper(), instrument.venue_symbol.upper())
    ]
    if not named and first_of:
        instrument_of(replica, next(iter(first_of.values())), name)  # which says what is near
    return tuple(named)


def new_id(now: int) -> "ClientOrderId":
    from tradedesk.domain.words import client_order_id

    return client_order_id(now, secrets.randbits(40))


def told_to_stop() -> "SimpleQueue[int]":
    """From now on, where SIGINT, SIGTERM and SIGHUP go.

    Not into a threading.Event: its lock may be held by the very thread that the signal interrupts, which then waits for
    itself for ever. This queue may be put to in the middle of anything.
    """
    told: SimpleQueue[int] = SimpleQueue()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, _: told.put(number))
    return told


def until_told(told: "SimpleQueue[int]", is_over: Callable[[], bool] = lambda: False) -> None:
    """Wait for a signal, or for `is_over`, which is looked at once a second."""
    while not is_over():
        with suppress(Empty):
            told.get(timeout=1.0)
            return


def show(document: dict[str, Any]) -> None:
    """One JSON object on stdout."""
    print(json.dumps(document, ensure_ascii=False))
    sys.stdout.flush()


def is_terminal() -> bool:
    return sys.stdin.isatty() and sys.stdout.isatty() and os.environ.get("TERM") != "dumb"
