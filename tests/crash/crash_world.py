"""One desk in a process of its own on one paper exchange in another: lived, killed and started again from a seed."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

from crash_checks import Told, after_a_kill, after_a_start, told, when_quiet
from crash_operator import ME, Operator, troubles
from exchange_books import Exchange
from paper_process import paper_process

from tradedesk.cli.demo import make_desk, new_vault
from tradedesk.cli.reach import Watch
from tradedesk.config import Home, find_home, private_folder
from tradedesk.desk.client import DeskAway, RemoteControl
from tradedesk.domain.accounts import AccountState
from tradedesk.domain.commands import Reconcile
from tradedesk.domain.words import AccountId
from tradedesk.journal.segments import segments

START_S = 60.0  # the first start, without faults; how long it takes is what later ones are measured by
QUIET_S = 120.0  # doubts last 13 s, a cancel of which nothing is known is sent again after 10, 20, 40 s
ROUND = 10  # kills between two times when all is quiet
SEGMENT_RECORDS = 60  # so that new segments and their checkpoints are among what is killed and started from
RUN = f"""
from tradedesk.cli import main
from tradedesk.journal.sqlite import SqliteJournal
SqliteJournal.__init__.__kwdefaults__["segment_records"] = {SEGMENT_RECORDS}
main()
"""
EARLY = 0.35  # so many of the kills come while it starts, recovery included


class Failed(AssertionError):
    """Something that must never be; the text says what, and how to see it again."""


class World:
    """Kills and what is found after each. Raises Failed with all that was found."""

    def __init__(self, home: Home, exchange: Exchange, seed: int, note: Callable[[str], None] = lambda _: None) -> None:
        self.home = home
        self.exchange = exchange
        self._chance = Random(seed)
        self.operator = Operator(Random(seed + 1), exchange)
        self._note = note
        self.desk: subprocess.Popen[bytes] | None = None
        self._before: Told = told(home.journal)
        self._is_opened = False
        self._start_s = 3.0  # until every account was ready; of the first start that came so far
        self.figures = {
            "kills": 0,
            "early": 0,
            "orders": 0,
            "sent": 0,
            "fills": 0,
            "records": 0,
            "checkpoints": 0,
            "quiet": 0,
        }

    def run(self, kills: int) -> None:
        for number in range(1, kills + 1):
            self.life()
            if number % ROUND == 0 or number == kills:
                self.quiet()

    def life(self) -> None:
        """Start it in trouble, trade, kill it at some moment, and look at what it left."""
        if self._is_opened:
            self.exchange.trouble(troubles(self._chance, self.exchange.names, self.exchange.prices()))
        self.start()
        if self._chance.random() < EARLY:
            self._live(self._chance.uniform(0.1, 1.0) * self._start_s)
            self.figures["early"] += 1
        elif self.ready():
            self._trade(self._chance.uniform(0.05, 1.8))
        self.kill()

    def start(self) -> None:
        self.desk = subprocess.Popen(
            [sys.executable, "-c", RUN, "run"],
            env={**os.environ, "TRADEDESK_HOME": str(self.home.config.parent)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )

    def kill(self) -> None:
        """SIGKILL, then what must hold at any moment."""
        assert self.desk is not None
        os.kill(self.desk.pid, signal.SIGKILL)
        self.desk.wait()
        self._close_pipe()
        self.figures["kills"] += 1
        self._before = told(self.home.journal)
        self._judge(after_a_kill(self._before, self.exchange.look(), self.operator.asked), "after a kill")
        self._count()

    def quiet(self) -> None:
        """No more faults: the desk starts, comes to know everything, and every book is compared."""
        self.exchange.peace()
        self.start()
        watch = Watch(self.home)
        found: list[str] = ["the desk was not asked"]
        asked_at = 0.0

        def agree() -> bool:
            nonlocal asked_at
            self._must_live()
            if not self._is_calm(watch):
                found[:] = ["the desk did not get calm", *self._unsettled(watch)]
                return False
            if time.monotonic() - asked_at > 3:  # what a lost event would have told is read from the venue
                asked_at = time.monotonic()
                self._reconcile()
                return False
            found[:] = self._differences(watch)
            return not found

        try:
            watch.until(agree, QUIET_S)
        finally:
            watch.view.close()
        self._judge(found, "when all was quiet")
        self.figures["quiet"] += 1
        self.stop()

    def stop(self) -> None:
        """A clean end."""
        assert self.desk is not None
        self.desk.terminate()
        status = self.desk.wait(30)
        words = self._close_pipe()
        self._before = told(self.home.journal)
        self._judge([] if status == 0 else [f"the desk ended with {status}: {words}"], "at a clean end")
        self._judge(after_a_kill(self._before, self.exchange.look(), self.operator.asked), "at a clean end")
        self._count()

    def close(self) -> None:
        if self.desk is not None and self.desk.poll() is None:
            self.desk.kill()
            self.desk.wait()

    # -- one life -------------------------------------------------------------------------------------------------------

    def _live(self, seconds: float) -> None:
        """Let it be for a while; it must not end by itself."""
        assert self.desk is not None
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.desk.wait(seconds)
        self._must_live()

    def _must_live(self) -> None:
        assert self.desk is not None
        if self.desk.poll() is not None:
            self._judge([f"it ended by itself with {self.desk.returncode}: {self._close_pipe()}"], "alive")

    def ready(self) -> bool:
        """Wait until every account may trade; False if faults keep one from it for long."""
        watch = Watch(self.home)
        began = time.monotonic()
        patience = 2 + 2 * self._start_s if self._is_opened else START_S
        try:
            ready = watch.until(lambda: self._must_live() or self._are_ready(watch), patience)
            if watch.view.is_fed:
                self._judge(after_a_start(self._before, watch.replica), "after a start")
            if not ready:
                self._note(f"not ready: {self._waiting(watch)}")
        finally:
            watch.view.close()
        if ready and not self._is_opened:
            self._is_opened, self._start_s = True, time.monotonic() - began
        return ready

    def _trade(self, seconds: float) -> None:
        """Commands one after the other, faster than answers come, until the time is up."""
        until = time.monotonic() + seconds
        self.operator.look()
        with self.control() as control:
            self.operator.rearm(control)
            while time.monotonic() < until:
                self.operator.act(control, time.time_ns())
                self._live(self._chance.uniform(0.0, 0.06))

    @contextlib.contextmanager
    def control(self) -> Iterator[RemoteControl]:
        try:
            control = RemoteControl(self.home.control_socket, None)
        except DeskAway as away:
            raise Failed(f"a desk that is ready does not answer: {away}") from None
        try:
            yield control
        finally:
            control.close()

    def _are_ready(self, watch: Watch) -> bool:
        rows = watch.replica.accounts.values()
        return (
            watch.view.is_fed
            and watch.view.lost is None
            and len(rows) == len(self.exchange.names)
            and all(row.state is AccountState.Ready for row in rows)
        )

    @staticmethod
    def _waiting(watch: Watch) -> str:
        rows = [row for row in watch.replica.accounts.values() if row.state is not AccountState.Ready]
        return "; ".join(f"{row.account.id} is {row.state}: {row.reason}" for row in rows) or "the desk said nothing"

    # -- quiet ------------------------------------------------------------------------------------------------------------

    def _is_calm(self, watch: Watch) -> bool:
        """Whether every account is ready and nothing is in doubt; ends the operator's halts on the way."""
        if not self._are_ready(watch):
            return False
        if self.operator.halted:
            with self.control() as control:
                self.operator.rearm(control)
        return not any(order.is_uncertain for order in watch.replica.orders.values())

    def _unsettled(self, watch: Watch) -> list[str]:
        doubtful = [order for order in watch.replica.orders.values() if order.is_uncertain]
        return [self._waiting(watch), *(f"{row.account} {row.client_order_id}: {row.requests}" for row in doubtful)]

    def _reconcile(self) -> None:
        with self.control() as control:
            for name in self.exchange.names:
                control.submit(Reconcile(account=AccountId(name), operator=ME))

    def _differences(self, watch: Watch) -> list[str]:
        books = {name: self.exchange.books(name) for name in self.exchange.names}
        return when_quiet(watch.replica, told(self.home.journal), books, self.exchange.look())

    # -- what was found ---------------------------------------------------------------------------------------------------

    def _judge(self, found: list[str], when: str) -> None:
        if found:
            shown = "\n  ".join(found[:20])
            raise Failed(f"{when}, kill {self.figures['kills']}: {len(found)} things that must not be\n  {shown}")

    def _count(self) -> None:
        replica = self._before.replica
        self.figures |= {
            "orders": len(self.operator.asked),
            "sent": len(self.exchange.sent),
            "fills": len(replica.fills),
            "records": self._before.records,
            "checkpoints": len(segments(self.home.journal)) - 1,
        }
        self._note(" ".join(f"{name}={value}" for name, value in self.figures.items()))

    def _close_pipe(self) -> str:
        assert self.desk is not None
        assert self.desk.stderr is not None
        words = self.desk.stderr.read().decode(errors="replace").strip()
        self.desk.stderr.close()
        return words


@contextlib.contextmanager
def world(folder: Path, seed: int, note: Callable[[str], None] = lambda _: None) -> Iterator[World]:
    """A fresh desk that was never started, on a fresh exchange."""
    home = find_home({"TRADEDESK_HOME": str(folder)})
    with paper_process("--seed", str(seed)) as paper:
        made = World(home, Exchange(prepared(home, paper)), seed, note)
        try:
            yield made
        finally:
            made.close()


def prepared(home: Home, paper: dict[str, Any]) -> dict[str, Any]:
    make_desk(home, paper, new_vault(home))
    private_folder(home.log)
    return paper
