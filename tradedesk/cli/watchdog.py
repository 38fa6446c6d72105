"""`tradedesk watchdog`: a process beside the desk that stops accounts at their venues when the desk gives no sign of life."""

import fcntl
import os
import sys
from contextlib import suppress
from pathlib import Path
from queue import Empty
from typing import TYPE_CHECKING, Annotated

import typer

from tradedesk.cli.endings import end
from tradedesk.cli.kill import killed, settings_of
from tradedesk.cli.reach import ConfigOption, JsonOption, home_of, show, told_to_stop
from tradedesk.cli.run import PassphraseOption
from tradedesk.cli.unlocking import unlocked

if TYPE_CHECKING:
    from tradedesk.access.vault import Vault
    from tradedesk.config import Home, Settings
    from tradedesk.desk.outside import Beat
    from tradedesk.domain.words import AccountId

LOOK_S = 0.5


def watchdog(
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done; touch nothing.")] = False,
    passphrase_file: PassphraseOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Watch the desk of this home; when it is silent for `watchdog_seconds`, kill for the accounts with dead_man = "watchdog".

    They are halted at cancel-opening, once, with a receipt; a person re-arms them. A desk that was stopped in order is
    left alone. Needs nobody at the keyboard: the vault's passphrase stands in a file or comes from the service manager.

    Example: tradedesk watchdog --passphrase-file /run/secrets/desk
    """
    from tradedesk.access.vault import VaultError
    from tradedesk.clock import SystemClock
    from tradedesk.config import ConfigError, private_folder
    from tradedesk.desk import ways
    from tradedesk.desk.watchdog import chose_it

    home = home_of(config)
    settings = settings_of(home)
    wanted = chose_it(settings.accounts)
    if not wanted:
        end(f'{home.config}: no account has dead_man = "watchdog"; there is nothing to watch for')
    try:
        private_folder(home.state)
        vault = unlocked(home, passphrase_file)
    except (ConfigError, VaultError) as error:
        end(str(error))
    told = told_to_stop()
    locked = _alone(home)
    found = ways.ways(
        settings, wanted, vault, SystemClock(), home, places_orders=False
    )  # also brings in what it will need
    for name, way in found.items():
        if isinstance(way, str):
            print(f"{name}: could not be killed: {way}", file=sys.stderr)
    guard = Guard(home, settings, vault, is_dry=dry_run, as_json=as_json, counter=locked)
    guard.say("watching", wanted, f"for {', '.join(wanted)}, after {settings.desk.watchdog_seconds} s of silence")
    try:
        while True:
            guard.look()
            try:
                told.get(timeout=LOOK_S)
                return
            except Empty:
                continue
    finally:
        os.close(locked)


class Guard:
    """The watchdog's looks, and what it does about them. One thread's."""

    def __init__(
        self, home: "Home", settings: "Settings", vault: "Vault", *, is_dry: bool, as_json: bool, counter: int
    ) -> None:
        """`counter`: an open file that the looks are counted in, for the desk to see that somebody looks."""
        from tradedesk.clock import SystemClock
        from tradedesk.desk.watchdog import State, Watch

        self._home = home
        self._settings = settings
        self._vault = vault
        self._is_dry = is_dry
        self._counter = counter
        self._looks = 0
        self._as_json = as_json
        self._clock = SystemClock()
        self._watch = Watch(settings.desk.watchdog_seconds * 10**9)
        self._state: State | None = None
        self._tries = 0  # since the desk fell silent
        self._again_at = 0  # monotonic ns

    def look(self) -> None:
        from tradedesk.desk.outside import read_beat
        from tradedesk.desk.watchdog import State

        self._looks += 1
        if not self._is_dry:
            with suppress(OSError):  # a disk without room: the desk says that nobody looks, and looking goes on
                os.pwrite(self._counter, f"{os.getpid()} {self._looks:020}".encode(), 0)
        now = self._clock.monotonic()
        state = self._watch.looked(read_beat(self._home), now)
        if state is not self._state:
            self._state, self._tries, self._again_at = state, 0, now
            self.say(state.value, (), _WORDS[state.value])
        beat = self._watch.beat
        if state is State.Silent and beat is not None and now >= self._again_at:
            self._act(beat, self._watch.silent_s(now))

    def _act(self, beat: "Beat", silent_s: int) -> None:
        from tradedesk.config import ConfigError, load
        from tradedesk.desk import receipts
        from tradedesk.desk.kill import Order
        from tradedesk.desk.watchdog import AGAIN_S, WATCHDOG, chose_it, left_to_do
        from tradedesk.domain.accounts import HaltLevel

        try:
            self._settings = load(self._home.config)  # accounts may have come or gone since we started
        except ConfigError as error:
            print(f"{error}\ngoing by what it said before", file=sys.stderr)
        known = [receipts.load(self._home, name) for name in receipts.names(self._home)]
        done = [receipt for receipt in known if not isinstance(receipt, str)]
        wanted = left_to_do(chose_it(self._settings.accounts), beat, done)
        self._again_at = self._clock.monotonic() + AGAIN_S[min(self._tries, len(AGAIN_S) - 1)] * 10**9
        self._tries += 1
        if not wanted:
            return
        if self._is_dry:
            self._again_at = 1 << 62
            self.say("would-kill", wanted, f"the desk is silent for {silent_s} s; would kill {', '.join(wanted)}")
            return
        receipt = killed(
            self._home,
            self._settings,
            self._vault,
            Order(
                accounts=wanted,
                is_desk_wide=False,
                level=HaltLevel.CancelOpening,
                by=WATCHDOG,
                reason=f"the desk (process {beat.pid}) gave no sign of life for {silent_s} s",
                beat=beat.name,
            ),
        )
        kept = receipts.keep(self._home, receipt)
        state = "complete" if receipt.is_complete else "NOT complete, will be tried again"
        self.say("killed", wanted, f"{', '.join(wanted)}: {state}; receipt {kept}", receipt=str(kept))

    def say(self, what: str, accounts: "tuple[AccountId, ...]", words: str, receipt: str | None = None) -> None:
        from tradedesk.domain.text import iso_time

        at = iso_time(self._clock.now())
        if self._as_json:
            row = {"schema": "watchdog.v1", "at": at, "what": what, "accounts": list(accounts), "text": words}
            show(row if receipt is None else row | {"receipt": receipt})
        else:
            print(f"{at[:19]}Z {what}: {words}", flush=True)


_WORDS = {
    "absent": "no desk ever ran here; waiting for one",
    "alive": "the desk gives signs of life",
    "silent": "the desk gives no sign of life",
    "resting": "the desk was stopped in order; its orders are as its settings say",
}


def _alone(home: "Home") -> int:
    """A lock that one watchdog of a home can have. Ends the program if another has it."""
    from tradedesk.desk.outside import watchdog_file

    path: Path = watchdog_file(home)
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        end(f"{path}: cannot be opened ({error.strerror}); make room or give the folder back to this user")
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        end(f"{home.state}: another watchdog watches this desk already")
    return descriptor
