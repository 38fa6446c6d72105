"""User data: who listens to which account, by listen key or by subscription, and what they are sent."""

import secrets
from collections.abc import Callable
from functools import partial

import orjson

from tradedesk.paper.server.faults import Faults, Skewed
from tradedesk.paper.server.outbox import Outbox
from tradedesk.paper.server.render import Json

LISTEN_KEY_LIFE = 60 * 60 * 1_000_000_000  # ns without a keep-alive
Wrap = Callable[[Json], Json]


class Listener:
    """One subscription of one socket to one account. `wrap` is the form events take on that socket."""

    def __init__(
        self,
        account: str,
        outbox: Outbox,
        unit: int,
        wrap: Wrap,
        listen_key: str | None = None,
        events: frozenset[str] | None = None,
    ) -> None:
        self.account = account
        self.listen_key = listen_key  # it ends with this key
        self._events = events  # those asked for by name; None: all
        self._outbox = outbox
        self._unit = unit
        self._wrap = wrap

    @property
    def outbox(self) -> Outbox:
        return self._outbox

    def tell(self, render: Callable[[int], Json]) -> None:
        event = render(self._unit)
        if self._wants(event):
            self._outbox.put(orjson.dumps(self._wrap(event)))

    def _wants(self, event: Json) -> bool:
        return self._events is None or event["e"] in self._events or event["e"] == "listenKeyExpired"

    def tell_through(self, faults: Faults, market: str, render: Callable[[int], Json]) -> None:
        """The same, or what a fault makes of it."""
        shift = faults.skew(market)
        event = render(Skewed(self._unit, shift) if shift else self._unit)
        if not self._wants(event):
            return
        stream = self.listen_key or self.account
        faults.deliver(self._outbox, market, stream, event, self._wrap, account=self.account)


class ListenKey:
    """The listen key of one account. `expires` in ns since the epoch."""

    def __init__(self, key: str, account: str, expires: int) -> None:
        self.key = key
        self.account = account
        self.expires = expires


class UserStreams:
    """Every listener of every account of one market, in the order they came."""

    def __init__(self, faults: Faults, market: str) -> None:
        self.faults = faults
        self.market = market
        self._listeners: dict[str, dict[Listener, None]] = {}
        self._keys: dict[str, ListenKey] = {}

    # -- listening ----------------------------------------------------------------------------------------------------

    def add(self, listener: Listener) -> None:
        self._listeners.setdefault(listener.account, {})[listener] = None
        listener.outbox.accounts.append(listener.account)

    def remove(self, listener: Listener) -> None:
        listeners = self._listeners.get(listener.account, {})
        if listener in listeners:
            del listeners[listener]
            listener.outbox.accounts.remove(listener.account)

    def listen(
        self, key: ListenKey, outbox: Outbox, unit: int, wrap: Wrap, events: frozenset[str] | None = None
    ) -> Listener:
        listener = Listener(key.account, outbox, unit, wrap, key.key, events)
        self.add(listener)
        return listener

    # -- listen keys --------------------------------------------------------------------------------------------------

    def open_key(self, account: str, now: int) -> str:
        """The account's listen key, good for an hour from now; the same one while it lives."""
        for found in self._keys.values():
            if found.account == account:
                found.expires = now + LISTEN_KEY_LIFE
                return found.key
        key = secrets.token_hex(30)
        self._keys[key] = ListenKey(key, account, now + LISTEN_KEY_LIFE)
        return key

    def key(self, key: str) -> ListenKey | None:
        return self._keys.get(key)

    def key_of(self, account: str) -> ListenKey | None:
        """The account's only one, if it has one."""
        return next((found for found in self._keys.values() if found.account == account), None)

    def keep_alive(self, found: ListenKey, now: int) -> None:
        found.expires = now + LISTEN_KEY_LIFE

    def close_key(self, found: ListenKey) -> None:
        """Its sockets stay open and hear nothing more."""
        del self._keys[found.key]
        for listener in self._of_key(found):
            self.remove(listener)

    def _of_key(self, found: ListenKey) -> list[Listener]:
        return [listener for listener in self._listeners.get(found.account, ()) if listener.listen_key == found.key]

    def expire(self, now: int) -> None:
        for found in [found for found in self._keys.values() if found.expires <= now]:
            for listener in self._of_key(found):
                listener.tell(partial(_expired, found.key, now))
            self.close_key(found)

    def expire_now(self, account: str, now: int) -> bool:
        """The account's listen key runs out at once; whether there was one."""
        found = next((key for key in self._keys.values() if key.account == account), None)
        if found is not None:
            found.expires = now
            self.expire(now)
        return found is not None

    # -- telling ------------------------------------------------------------------------------------------------------

    def tell(self, account: str, render: Callable[[int], Json]) -> None:
        """Send what `render(unit)` makes to all who listen to the account."""
        listeners = self._listeners.get(account)
        if not listeners:
            return
        has_faults = self.faults.has_any()
        for listener in listeners:
            if has_faults:
                listener.tell_through(self.faults, self.market, render)
            else:
                listener.tell(render)


def terminated(now: int, unit: int) -> Json:
    """The event that ends a subscription; `now` in ns."""
    return {"e": "eventStreamTerminated", "E": now // unit}


def _expired(key: str, now: int, unit: int) -> Json:
    return {"e": "listenKeyExpired", "E": now // unit, "listenKey": key}
