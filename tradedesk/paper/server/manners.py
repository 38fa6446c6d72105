"""What a venue asks of one socket and does to it: pings, the limit of messages, the 24-hour cut. Decided from times alone.

All times are ns of a clock that never goes back; whoever holds the socket does what comes out (`sockets`).
"""

from collections import deque

from msgspec import Struct

from tradedesk.paper.server.render import Json

SECOND = 1_000_000_000
MINUTE = 60 * SECOND
TOO_MANY, GOING_AWAY, NOT_TEXT = 1008, 1001, 1003  # of RFC 6455: policy, going away, unacceptable data

_PINGS_REMEMBERED = 8


class Manners(Struct, frozen=True, kw_only=True):
    """The rules of one kind of socket; the defaults are those of spot streams (2026-07)."""

    ping_every: int = 20 * SECOND
    pong_within: int = MINUTE
    life: int = 24 * 60 * MINUTE
    messages_per_second: int = 5  # pings, pongs and, where `counts_texts`, requests
    counts_texts: bool = True


STREAMS = {
    "spot": Manners(),
    "futures": Manners(ping_every=3 * MINUTE, pong_within=10 * MINUTE, messages_per_second=10),
}
API = {  # requests are weighed there, not counted
    "spot": Manners(counts_texts=False),
    "futures": Manners(ping_every=3 * MINUTE, pong_within=10 * MINUTE, counts_texts=False),
}


class Ping(Struct, frozen=True):
    payload: bytes


class End(Struct, frozen=True):
    """Close it with this code. One that is `is_dead` would not take part: drop it."""

    code: int
    why: str
    is_dead: bool = False


class Conduct:
    """One socket's conduct so far."""

    def __init__(self, manners: Manners, now: int) -> None:
        self._manners = manners
        self._ends_at = now + manners.life
        self._ping_at = now + manners.ping_every
        self._pings: deque[bytes] = deque(maxlen=_PINGS_REMEMBERED)
        self._unanswered_since: int | None = None
        self._paid_until = now  # each message pays for its share of a second; a second's worth may be paid ahead

    def due(self, now: int) -> Ping | End | None:
        """What the time asks for; at most one thing a call."""
        if now >= self._ends_at:
            return End(GOING_AWAY, "24 hours are over")
        since = self._unanswered_since
        if since is not None and now - since >= self._manners.pong_within:
            return End(GOING_AWAY, f"no pong within {self._manners.pong_within // SECOND} s", is_dead=True)
        if now < self._ping_at:
            return None
        self._ping_at = now + self._manners.ping_every
        payload = str(now // 1_000_000).encode()
        self._pings.append(payload)
        if since is None:
            self._unanswered_since = now
        return Ping(payload)

    def said(self, now: int, *, is_text: bool) -> End | None:
        """A message came in; an end if it was one too many."""
        if is_text and not self._manners.counts_texts:
            return None
        limit = self._manners.messages_per_second
        self._paid_until = max(self._paid_until, now) + SECOND // limit
        return End(TOO_MANY, "Too many requests") if self._paid_until - now > SECOND else None

    def ponged(self, payload: bytes) -> None:
        """Only an answer to a ping counts: an unsolicited pong is fine and keeps nothing alive."""
        if payload in self._pings:
            self._pings.clear()
            self._unanswered_since = None


def shutdown_event(now: int, unit: int) -> Json:
    """What a client is told before a planned end; `now` is the venue's time (ns)."""
    return {"e": "serverShutdown", "E": now // unit}
