"""One account's signer for as long as its adapter lives: in this thread or in a process, started anew where it ended.

A signer in the thread is made of the secret; one in a process of a handover, and the secret stays out of this process.
"""

import asyncio
from collections import deque

from tradedesk.access.signer_process import SignerFailed, start_signer
from tradedesk.access.signing import KeySigner, Signer
from tradedesk.access.vault import Handover, Secret
from tradedesk.clock import Clock
from tradedesk.log import Log
from tradedesk.redaction import SCRUBBER

MOST_STARTS = 6  # of a signer process within an hour; then a person must look
HOUR_NS = 3_600 * 10**9

KeySource = Secret | Handover


async def signer_of(source: KeySource) -> Signer:
    """A signer of its own with this key. Raises SignerFailed."""
    if isinstance(source, Secret):
        SCRUBBER.learn(*source.texts)
        return KeySigner(source)
    started = await asyncio.to_thread(start_signer, source)
    for missing in started.missing:
        Log().warning("signer_not_hardened", pid=started.pid, why=missing)
    return started


class Keyholder:
    """Belongs to one loop. `ready` gives the signer, `trouble` says why there is none at the moment."""

    def __init__(self, source: KeySource, clock: Clock) -> None:
        self._source = source
        self._clock = clock
        self._signer: Signer | None = None
        self._starts: deque[int] = deque(maxlen=MOST_STARTS)  # monotonic ns
        self._lock = asyncio.Lock()

    async def ready(self) -> Signer:
        """The signer; a new one if it ended. Raises SignerFailed."""
        async with self._lock:
            if self._signer is not None and self._signer.trouble() is None:
                return self._signer
            now = self._clock.monotonic()
            if len(self._starts) == MOST_STARTS and now - self._starts[0] < HOUR_NS:
                raise SignerFailed(
                    f"its signer process ended {MOST_STARTS} times within the hour and is left alone; "
                    "look at the log, then start the desk again"
                )
            self._starts.append(now)
            self._signer = await signer_of(self._source)
            return self._signer

    def trouble(self) -> str | None:
        """Why nothing can be signed now, in words that stay the same; None before the first start as well."""
        return None if self._signer is None else self._signer.trouble()

    def replace(self, source: KeySource, signer: Signer) -> None:
        """From now on this key; the old one is forgotten."""
        old, self._source, self._signer = self._signer, source, signer
        self._starts.clear()
        if old is not None and old is not signer:
            old.close()

    def close(self) -> None:
        if self._signer is not None:
            self._signer.close()
