"""What the desk needs of a durable log, and the handle that says when a record is on disk."""

import asyncio
import threading
from collections.abc import Generator, Iterable, Iterator
from typing import Protocol

from tradedesk.domain.events import DurableEvent, Kept
from tradedesk.domain.words import AccountId

QUEUE_RECORDS = 20_000  # waiting for the disk; at 10,000 a second on a slow disk this is two seconds of a busy desk


class JournalError(Exception):
    """The journal cannot do what was asked. The text is a sentence for the operator."""


class JournalFull(JournalError):
    """More records wait for the disk than the bound allows: no new order may be sent (F65). Cancels go on without."""


class JournalFailed(JournalError):
    """The disk refused a record. Nothing after it is written to this file (F63)."""


_SETTLING = threading.Lock()  # held for a few steps, never over I/O; one is enough for all handles of a process


class Durable:
    """Whether one record is on disk. `await` it on any loop, as often as you like; any thread may look."""

    __slots__ = ("_waiting", "failure", "is_durable")

    def __init__(self) -> None:
        self.is_durable = False
        self.failure: JournalError | None = None
        self._waiting: list[asyncio.Future[None]] | None = None

    @property
    def is_settled(self) -> bool:
        return self.is_durable or self.failure is not None

    def __await__(self) -> Generator[object, None, None]:
        """Wait until the record is on disk; raises JournalFailed when it will never be."""
        future: asyncio.Future[None] | None = None
        if not self.is_settled:
            with _SETTLING:
                if not self.is_settled:  # the writer may have been here in between
                    future = asyncio.get_running_loop().create_future()
                    self._waiting = [*(self._waiting or ()), future]
        if future is not None:
            yield from future
        if self.failure is not None:
            raise JournalFailed(str(self.failure))  # one of its own for each that waits


def settle(handles: Iterable[Durable], failure: JournalError | None) -> None:
    """Mark the handles durable, or failed, and wake those who wait: once per loop, however many records that are."""
    woken: dict[asyncio.AbstractEventLoop, list[asyncio.Future[None]]] = {}
    with _SETTLING:
        for handle in handles:
            if failure is None:
                handle.is_durable = True
            else:
                handle.failure = failure
            for future in handle._waiting or ():
                woken.setdefault(future.get_loop(), []).append(future)
            handle._waiting = None
    for loop, futures in woken.items():
        if not loop.is_closed():
            try:
                loop.call_soon_threadsafe(_wake, futures)
            except RuntimeError:  # closed in between: whoever waited there has stopped
                continue


def _wake(futures: list[asyncio.Future[None]]) -> None:
    for future in futures:
        if not future.done():
            future.set_result(None)


class Store(Protocol):
    """A durable log of events. `append` may be called from any thread once `replay` is done; it never waits."""

    def open(self) -> None:
        """Make ready. Raises JournalError, as a sentence, if this log cannot be used."""

    def replay(self) -> Iterator[DurableEvent | Kept]:
        """All durable events, oldest first; of a damaged account only those before the damage. May wait for a sync.

        What a checkpoint kept may stand for the first of them.
        """

    def damaged(self) -> dict[AccountId | None, str]:
        """What the last complete replay found broken; these accounts must not trade. None is the desk itself."""

    def append(self, event: DurableEvent) -> Durable:
        """Write the event after all that was appended before. Raises JournalFull or JournalFailed instead."""

    def close(self) -> None:
        """Write what waits, then stop."""
