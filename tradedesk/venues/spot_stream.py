"""One account's own events at Binance spot: a socket with a signed subscription, opened again whenever it ends.

For a change of keys there are two for a moment: the one of the new key is up before the one of the old key is closed.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from tradedesk.clock import Clock
from tradedesk.domain.outcomes import StreamState
from tradedesk.log import Log
from tradedesk.venues.adapter import PrivateNews, VenueFailed
from tradedesk.venues.backoff import back_off_s
from tradedesk.venues.ccxt_binance import GuardedBinance, StreamEnded
from tradedesk.venues.pools import Priority
from tradedesk.venues.spot_prices import API_SOCKET

MOVE_S = 20.0  # for a new subscription to come up beside the old one
TIMESTAMP_REFUSED = -1021
_STEADY_NS = 5 * 1_000_000_000  # a stream that lived this long starts the back-off anew
Sink = Callable[[PrivateNews], None]


class SpotStream:
    """Belongs to the adapter's loop. `heard` is given every event of the account, with the sink of `run`."""

    def __init__(
        self,
        *,
        exchange: Callable[[], GuardedBinance],
        url: str,
        heard: Callable[[Mapping[str, Any], Sink], None],
        clock_refused: Callable[[], Awaitable[None]],
        clock: Clock,
        chance: random.Random,
        log: Log,
    ) -> None:
        self.exit_seen: str | None = None  # the local address of the socket that is listened to
        self._exchange = exchange
        self._url = url
        self._heard = heard
        self._clock_refused = clock_refused
        self._clock = clock
        self._chance = chance
        self._log = log
        self._newest = 0  # counts the subscriptions that were wanted
        self._listened_to: int | None = None  # which of them is up and heard; events of any other are dropped
        self._is_running = False
        self._is_wanted = asyncio.Event()  # a further one
        self._came_up = asyncio.Event()
        self._older: list[asyncio.Task[None]] = []

    async def run(self, sink: Sink) -> None:
        """See Adapter.run_private."""
        self._is_running = True
        newest: asyncio.Task[None] | None = None
        try:
            while True:
                self._is_wanted.clear()
                newest = asyncio.create_task(self._keep_up(self._newest, sink))
                wanted = asyncio.create_task(self._is_wanted.wait())
                try:
                    await asyncio.wait({newest, wanted}, return_when=asyncio.FIRST_COMPLETED)
                finally:
                    wanted.cancel()
                if newest.done() and not self._is_wanted.is_set():
                    newest.result()  # raises: it ends only so while no newer one is wanted
                self._older = [task for task in self._older if not _is_over(task)] + [newest]
        finally:
            self._is_running = False
            running = [*self._older, *([] if newest is None else [newest])]
            self._older.clear()
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)
            self._listened_to = self.exit_seen = None

    async def move(self) -> None:
        """Subscribe anew, with the key of now; returns once that is up and the old one is being closed.

        What came between the two is to be read from the venue. Raises TimeoutError: the old one goes on meanwhile.
        """
        if not self._is_running:
            return
        self._newest += 1
        self._is_wanted.set()
        async with asyncio.timeout(MOVE_S):
            while self._listened_to != self._newest:
                self._came_up.clear()
                await self._came_up.wait()

    async def _keep_up(self, number: int, sink: Sink) -> None:
        failures = 0
        while True:
            up_at: int | None = None

            def came_up(local_address: str | None) -> None:
                nonlocal up_at
                up_at = self._clock.monotonic()
                takes_over = self._listened_to is not None and self._listened_to != number
                self._listened_to, self.exit_seen = number, local_address
                for task in self._older:
                    task.cancel()
                self._came_up.set()
                if not takes_over:
                    sink(StreamState(is_up=True))

            def hear(event: Mapping[str, Any]) -> None:
                if self._listened_to == number:
                    self._heard(event, sink)

            ended = StreamEnded("")
            exchange = self._exchange()
            try:
                await exchange.stream(
                    f"{self._url}#{number}",  # the same place; ccxt keeps one socket for each spelling
                    exchange.user_data_request,
                    came_up,
                    hear,
                    API_SOCKET,
                    Priority.Look,
                )
            except StreamEnded as error:
                ended = error
            if self._listened_to in (number, None):
                self._listened_to = self.exit_seen = None
                sink(StreamState(is_up=False, cause=str(ended)))
            if number != self._newest:
                return  # the newer one goes on
            if ended.said is not None and ended.said.is_auth:
                raise VenueFailed(str(ended), is_auth=True)
            if ended.said is not None and ended.said.code == TIMESTAMP_REFUSED:
                await self._clock_refused()
            was_steady = up_at is not None and self._clock.monotonic() - up_at >= _STEADY_NS
            failures = 1 if was_steady else failures + 1
            self._log.warning("private_stream_down", cause=str(ended), failures=failures)
            await asyncio.sleep(back_off_s(failures, self._chance))


def _is_over(task: "asyncio.Task[None]") -> bool:
    """Whether it ended; how does not matter of one that a newer one has replaced."""
    if not task.done():
        return False
    _ = task.cancelled() or task.exception()
    return True
