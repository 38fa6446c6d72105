"""An account's private stream as its worker sees it: whether it is up, when it must be closed, and what follows from that."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from tradedesk.accounts.core import Core
from tradedesk.clock import Clock
from tradedesk.domain.accounts import AccountState
from tradedesk.domain.outcomes import StreamState
from tradedesk.venues.adapter import Adapter, PrivateNews, VenueFailed

SILENCE_NS = 60 * 1_000_000_000  # three of the venue's ping intervals without anything: the stream is dead (F13)


class PrivateStream:
    """Of one start of a worker, on its loop. `news` takes what it carries, `look` asks for a reconciliation."""

    def __init__(
        self,
        core: Core,
        adapter: Adapter,
        *,
        spawn: Callable[[Coroutine[Any, Any, None]], "asyncio.Task[None]"],
        news: Callable[[PrivateNews], None],
        look: Callable[[], None],
        failed: Callable[[VenueFailed], None],
        clock: Clock,
    ) -> None:
        """`failed` is told when the venue refuses to open it for good."""
        self.is_up = False
        self._core = core
        self._adapter = adapter
        self._spawn = spawn
        self._news = news
        self._look = look
        self._failed = failed
        self._clock = clock
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = self._spawn(self._run())

    def hear(self, state: StreamState) -> None:
        """It came up or went down; what happened while it was down is read from the venue (F15)."""
        if state.is_up:
            self.is_up = True
            self._look()
        else:
            self.lose(state.cause)

    def lose(self, cause: str) -> None:
        self.is_up = False
        if self._core.condition is AccountState.Ready:
            self._core.set_state(AccountState.Reconciling, f"private stream: {cause}", self._clock.now())
        self._look()

    def restart(self, cause: str) -> None:
        """Of a stream that is open and cannot be believed: close it, so that the new one says when it is up."""
        self.lose(cause)
        if self._task is not None:
            self._task.cancel()
            self._task = self._spawn(self._run())

    def watch(self) -> int | None:
        """How long it has carried nothing, ns; one silent for too long is taken for dead. None while it is down."""
        age = self._adapter.stream_age_ns()
        if self.is_up and age is not None and age > SILENCE_NS:
            self.restart(f"silent for {age // 10**9} s")
        return age

    async def _run(self) -> None:
        try:
            await self._adapter.run_private(self._news)
        except VenueFailed as error:
            self._failed(error)
