"""The exit of an account is proved before its first order, at each new private stream, and from time to time.

Until then, and whenever it is seen where it must not be, the account is barred: new orders are refused, cancels pass.
"""

import asyncio
import contextlib
import random
from collections.abc import Callable

from tradedesk.access.exit_proof import ExitProof
from tradedesk.accounts.core import Core
from tradedesk.clock import Clock
from tradedesk.domain import events as ev
from tradedesk.domain.accounts import AccountState
from tradedesk.domain.exits import expected_address
from tradedesk.domain.words import AccountId
from tradedesk.log import Log
from tradedesk.venues.adapter import Adapter
from tradedesk.venues.backoff import back_off_s

EXIT = "exit"  # what its bar is called
PROVE_AGAIN_S = 3_600.0
NOT_YET = "its exit was not proved yet"


class ExitWatch:
    """Of one start of a worker, on its loop, while the account leaves by `exit_`. `renew` is called there too."""

    def __init__(
        self,
        core: Core,
        adapter: Adapter,
        exit_: str,
        *,
        claim: Callable[[str], AccountId | None],
        proved: Callable[[], None],
        clock: Clock,
        chance: random.Random,
        log: Log,
    ) -> None:
        """`claim` notes the address the exit is seen at, and names the other client of this desk that is seen there.

        `proved` is told each time that the exit was proved and is on record.
        """
        self._core = core
        self._adapter = adapter
        self._exit = exit_
        self._claim = claim
        self._proved = proved
        self._clock = clock
        self._chance = chance
        self._log = log
        self._is_admitted = False
        self._refused: str | None = None  # what was recorded last against it
        self._wanted = asyncio.Event()
        core.bar(EXIT, AccountState.Reconciling, NOT_YET, clock.now())

    def renew(self) -> None:
        """The connection is a new one, and may leave elsewhere."""
        if self._is_admitted:
            self._is_admitted = False
            self._core.bar(EXIT, AccountState.Reconciling, NOT_YET, self._clock.now())
        self._wanted.set()

    async def run(self) -> None:
        await self._wanted.wait()  # without a stream there is nothing to prove it by, and nothing trades
        failures = 0
        while True:
            self._wanted.clear()
            account = self._core.account
            row = self._core.manager.books.exit_of(account)[1]
            proof = await self._adapter.prove_exit(expected_address(account, row, self._exit), account.exit_check)
            if not self._wanted.is_set():  # else this look was at a connection that is gone
                failures = 0 if self._judge(proof) else failures + 1
            pause = back_off_s(failures, self._chance) if failures else PROVE_AGAIN_S
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._wanted.wait()

    def _judge(self, proof: ExitProof) -> bool:
        """Whether the exit is proved; what follows from it is recorded."""
        now, account = self._clock.now(), self._core.account.id
        problem = self._against(proof)
        if problem is None:
            self._core.note(
                ev.ExitProved(
                    at=now, source=self._source, account=account, exit=self._exit, seen=proof.seen, how=proof.how
                )
            )
            self._is_admitted, self._refused = True, None
            self._proved()
            self._core.admit(EXIT, now)
            return True
        if problem != self._refused:
            self._refused = problem
            self._log.warning("exit_refused", account=account, why=problem)
            self._core.note(
                ev.ExitRefused(
                    at=now,
                    source=self._source,
                    account=account,
                    exit=self._exit,
                    seen=proof.seen,
                    how=proof.how,
                    reason=problem,
                )
            )
        if proof.seen is not None or not self._is_admitted:  # an echo that is away for a while disproves nothing
            self._is_admitted = False
            self._core.bar(EXIT, AccountState.Blocked, problem, now)
        return False

    def _against(self, proof: ExitProof) -> str | None:
        account = self._core.account
        if proof.problem is not None:
            if proof.seen is None:
                return proof.problem
            return (
                f"{proof.problem}; if that is right, accept it with "
                f"`tradedesk accounts switch-exit {account.id} --to {self._exit} --reason ...`"
                if self._is_remembered()
                else f"{proof.problem}; correct the exit, or exit_address in desk.toml"
            )
        twin = None if proof.seen is None else self._claim(proof.seen)
        if twin is None:
            return None
        return (
            f"exit {self._exit} is seen at {proof.seen}, and so is account {twin}; "
            "use an exit of its own, or give both the same family"
        )

    def _is_remembered(self) -> bool:
        """Whether the address it must be seen at is the one it was first seen at, which desk.toml does not name."""
        account = self._core.account
        configured = account.exit_address if self._exit == account.egress else account.standby_exit_address
        return configured is None and "://" in self._exit

    @property
    def _source(self) -> str:
        return f"worker:{self._core.account.id}"
