"""Which socket hears which stream of one market, and the frame that is built once for all who hear it."""

from abc import ABC, abstractmethod
from collections.abc import Callable

import orjson

from tradedesk.paper.server.faults import Skewed
from tradedesk.paper.server.manners import shutdown_event
from tradedesk.paper.server.outbox import Outbox
from tradedesk.paper.server.users import Listener, UserStreams

MOST_STREAMS = 1_024  # of one socket
TICK = 100_000_000  # ns


class StreamSocket:
    """One market stream connection: what it hears and in which form."""

    def __init__(self, outbox: Outbox, unit: int, *, is_combined: bool, events: frozenset[str] | None = None) -> None:
        self.outbox = outbox
        self.unit = unit
        self.is_combined = is_combined
        self.events = events  # of user data, those the client named; None: all
        self.names: dict[str, Listener | None] = {}  # a listener where the name is a listen key

    def notice(self, now: int) -> bytes:
        """The frame before a planned end."""
        event = shutdown_event(now, self.unit)
        return orjson.dumps({"stream": "!serverShutdown", "data": event} if self.is_combined else event)


class Hub(ABC):
    """Who hears what. Belongs to the server's loop. Names nobody knows are accepted and stay silent, as at the venue."""

    def __init__(self, users: UserStreams) -> None:
        self._users = users
        self._hearers: dict[str, dict[StreamSocket, None]] = {}

    def hear(self, socket: StreamSocket, name: str) -> None:
        if name in socket.names:
            return
        key = self._users.key(name)
        if key is not None:
            socket.names[name] = self._users.listen(
                key,
                socket.outbox,
                socket.unit,
                lambda event: {"stream": name, "data": event} if socket.is_combined else event,
                socket.events,
            )
            return
        socket.names[name] = None
        hearers = self._hearers.setdefault(name, {})
        if not hearers:
            self.first_heard(name)
        hearers[socket] = None
        socket.outbox.streams.add(name)

    def unhear(self, socket: StreamSocket, name: str) -> None:
        if name not in socket.names:
            return
        listener = socket.names.pop(name)
        if listener is not None:
            self._users.remove(listener)
            return
        socket.outbox.streams.discard(name)
        hearers = self._hearers[name]
        del hearers[socket]
        if not hearers:
            del self._hearers[name]
            self.last_left(name)

    def leave(self, socket: StreamSocket) -> None:
        for name in list(socket.names):
            self.unhear(socket, name)

    def is_heard(self, name: str) -> bool:
        return name in self._hearers

    def publish(self, name: str, build: Callable[[int], object]) -> None:
        """Send what `build(unit)` makes to all who hear `name`; made once per unit, and not at all if nobody does."""
        if self._users.faults.has_any():
            self._publish_through(name, build)
            return
        frames: dict[tuple[int, bool], bytes] = {}
        for socket in self._hearers.get(name, ()):
            form = (socket.unit, socket.is_combined)
            frame = frames.get(form)
            if frame is None:
                event = build(socket.unit)
                frame = frames[form] = orjson.dumps({"stream": name, "data": event} if socket.is_combined else event)
            socket.outbox.put(frame)

    def _publish_through(self, name: str, build: Callable[[int], object]) -> None:
        """The same past the faults: each socket for itself."""
        faults, market = self._users.faults, self._users.market
        shift = faults.skew(market)
        for socket in list(self._hearers.get(name, ())):
            event = build(Skewed(socket.unit, shift) if shift else socket.unit)
            wrap = (lambda event: {"stream": name, "data": event}) if socket.is_combined else (lambda event: event)
            faults.deliver(socket.outbox, market, name, event, wrap)

    @abstractmethod
    def first_heard(self, name: str) -> None:
        """Somebody hears `name` now."""

    @abstractmethod
    def last_left(self, name: str) -> None:
        """Nobody hears `name` any more."""

    @abstractmethod
    def tick(self, now: int) -> None:
        """What goes out on the clock; called every 100 ms."""
