"""The latency model: how long a request is under way to the exchange, and an answer or event back.

One figure is a round trip; each half of it is drawn for itself, from the seed, for every message: a request reaches the
engine after its inbound half, its answer leaves after the outbound half, an event after an outbound half of its own. On one
connection nothing overtakes (what would is held back to the one before it), as on TCP; connections are independent of each
other. REST, streams and the WebSocket API alike.

Not modelled: the time the exchange itself takes (that is real), bandwidth and its queues, loss and the retransmissions that
make real delays come in bursts, the handshakes of TCP and TLS, and a better place for some clients than for others.
"""

import asyncio
import math
import re
from collections import deque
from collections.abc import Callable
from random import Random

from msgspec import Struct

MOST_LATENCY_S = 10.0
MOST_UNDER_WAY = 4_096  # messages of one connection on their way in

_FORM = re.compile(
    r"(?P<mean>[0-9]{1,9}(\.[0-9]{1,6})?)(?P<unit>us|µs|ms|s)"
    r"(\s*(±|\+-)\s*(?P<spread>[0-9]{1,9}(\.[0-9]{1,6})?)(?P<spread_unit>us|µs|ms|s)(\s+(?P<shape>lognormal))?)?",
    re.ASCII,
)
_UNITS = {"us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0}


class Latency(Struct, frozen=True, kw_only=True):
    """Round trips in seconds: `mean`, give or take `spread` evenly; lognormal: `spread` is the standard deviation."""

    mean: float
    spread: float = 0.0
    is_lognormal: bool = False


def parse(text: str) -> Latency:
    """`5ms`, `5ms±2ms` (or `5ms+-2ms`), `5ms±2ms lognormal`. Raises ValueError with a sentence."""
    form = _FORM.fullmatch(text.strip())
    if form is None:
        raise ValueError(f"{text[:40]!r} is no latency; write 5ms, 5ms±2ms or 5ms±2ms lognormal (µs, ms or s)")
    mean = float(form["mean"]) * _UNITS[form["unit"]]
    spread = float(form["spread"]) * _UNITS[form["spread_unit"]] if form["spread"] else 0.0
    if mean > MOST_LATENCY_S:
        raise ValueError(f"{text[:40]!r} is above {MOST_LATENCY_S:g}s")
    if spread > mean:
        raise ValueError(f"{text[:40]!r} varies by more than itself: write at most {form['mean']}{form['unit']}")
    return Latency(mean=mean, spread=spread, is_lognormal=form["shape"] is not None and spread > 0)


def half(latency: Latency, random: Random) -> float:
    """One way of one message (s)."""
    if latency.is_lognormal:
        variance = math.log(1 + (latency.spread / latency.mean) ** 2)
        drawn = random.lognormvariate(math.log(latency.mean) - variance / 2, math.sqrt(variance))
    else:
        drawn = latency.mean + latency.spread * (2 * random.random() - 1)
    return min(drawn, MOST_LATENCY_S) / 2


class Line:
    """One direction of one connection: messages act when they arrive, in the order they were sent. Belongs to the loop."""

    def __init__(self, delay: Callable[[], float]) -> None:
        self._delay = delay
        self._loop = asyncio.get_running_loop()
        self._last = 0.0
        self._waiting: deque[tuple[float, Callable[[], None]]] = deque()
        self._timer: asyncio.TimerHandle | None = None

    def arrival(self) -> float:
        """When a message sent now arrives, in the loop's time."""
        self._last = max(self._last, self._loop.time() + self._delay())
        return self._last

    def send(self, act: Callable[[], None]) -> bool:
        """Call `act` when the message arrives; False if too many are under way."""
        if len(self._waiting) >= MOST_UNDER_WAY:
            return False
        self._waiting.append((self.arrival(), act))
        if self._timer is None:
            self._timer = self._loop.call_at(self._waiting[0][0], self._arrived)
        return True

    def _arrived(self) -> None:
        self._timer = None
        while self._waiting and self._waiting[0][0] <= self._loop.time():
            self._waiting.popleft()[1]()
        if self._waiting and self._timer is None:
            self._timer = self._loop.call_at(self._waiting[0][0], self._arrived)

    def close(self) -> None:
        """What is under way never arrives."""
        self._waiting.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
