"""The shell's part of the faults: it asks the rules at each request, event, socket and connection, and lets time go by.

Belongs to the server's loop. While there is no fault of a family, nothing of it costs more than one look in a dict.
"""

import asyncio
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import orjson

from tradedesk.paper.fault_forms import altered, crossed
from tradedesk.paper.fault_rules import SECOND, Facts, Rule, Rules, operation

if TYPE_CHECKING:
    from tradedesk.paper.server.outbox import Outbox

MOST_LATER = 100_000  # things held back at a time; what comes then happens at once
_MOST_REMEMBERED = 2_000  # frames and answers of old that a stale book shows again
_SWAP_WITHIN_S = 1.0


class Later:
    """What is to happen some seconds from now. All of it is forgotten at the end."""

    def __init__(self) -> None:
        self._handles: set[asyncio.TimerHandle] = set()

    def after(self, seconds: float, act: Callable[[], None]) -> None:
        if len(self._handles) >= MOST_LATER:
            act()
            return

        def now() -> None:
            self._handles.discard(handle)
            act()

        handle = asyncio.get_running_loop().call_later(seconds, now)
        self._handles.add(handle)

    def clear(self) -> None:
        for handle in self._handles:
            handle.cancel()
        self._handles.clear()


class Faults:
    """All faults of one exchange, whatever its markets."""

    def __init__(self, rules: Rules, now: Callable[[], int]) -> None:
        self.rules = rules
        self.later = Later()
        self._now = now
        self._old: dict[tuple[int, object], Any] = {}  # (rule, what) -> how it was when a stale book began

    def has_any(self) -> bool:
        """Whether anything could touch an event; if not, the short way is taken."""
        return self.rules.has("events") or self.rules.has("sockets") or self.rules.has("clock")

    # -- requests -----------------------------------------------------------------------------------------------------

    def request(
        self,
        market: str,
        transport: str,
        *,
        account: str | None,
        method: str,
        path: str | None,
        values: Mapping[str, str],
    ) -> Rule | None:
        """The fault that strikes this request. `path` is None on the WebSocket API."""
        if not self.rules.has("requests"):
            return None
        ids = (values.get(n) for n in ("newClientOrderId", "origClientOrderId", "cancelOrigClientOrderId"))
        named = method if path is None else f"{method} {path}"
        facts = Facts(
            market=market,
            transport=transport,
            accounts=(account,) if account else (),
            instruments=(values["symbol"],) if "symbol" in values else (),
            methods=(named, operation(method, path)),
            client_order_ids=tuple(each for each in ids if each),
        )
        return self.rules.strike("requests", facts, self._now())

    def market_answer(
        self,
        market: str,
        transport: str,
        method: str,
        path: str | None,
        values: Mapping[str, str],
        result: object,
    ) -> object:
        """The answer to a depth or best-price query of one instrument: crossed or stale, if a `book` fault says so."""
        if not self.rules.has("events") or operation(method, path) not in ("depth", "best"):
            return result
        symbol = values.get("symbol")
        if symbol is None or not isinstance(result, dict):
            return result
        facts = Facts(market=market, transport=transport, instruments=(symbol,), events=("depth",))
        rule = self.rules.strike("events", facts, self._now(), only="book")
        match rule.fault.terms["what"] if rule else None:
            case "cross":
                return crossed(result)
            case "stale" if rule:
                return self._as_it_was(rule, (market, symbol, frozenset(result)), result)
            case _:
                return result

    def _as_it_was(self, rule: Rule, what: object, present: Any) -> Any:
        key = (rule.id, what)
        if key not in self._old and len(self._old) >= _MOST_REMEMBERED:
            self._old.clear()
        return self._old.setdefault(key, present)

    # -- events -------------------------------------------------------------------------------------------------------

    def deliver(
        self,
        outbox: "Outbox",
        market: str,
        stream: str,
        event: Any,
        wrap: Callable[[Any], object],
        account: str | None = None,
    ) -> None:
        """Send one event to one socket, or what a fault makes of it. `stream` tells the socket's streams apart."""
        facts = _event_facts(market, outbox.door, stream, event, account)
        put = partial(self._put, outbox, stream)
        for number, (rule, kept) in list(outbox.swapped.items()):
            if rule.fits(facts):
                del outbox.swapped[number]
                put(orjson.dumps(wrap(event)))
                put(kept)
                return
        struck = self.rules.strike("events", facts, self._now())
        if struck is None:
            put(orjson.dumps(wrap(event)))
            return
        terms = struck.fault.terms
        match struck.fault.kind:
            case "dup":
                frame = orjson.dumps(wrap(event))
                put(frame)
                put(frame)
            case "hold":
                self.later.after(terms["seconds"], partial(put, orjson.dumps(wrap(event))))
            case "swap":
                outbox.swapped[struck.id] = (struck, orjson.dumps(wrap(event)))
                self.later.after(terms.get("seconds", _SWAP_WITHIN_S), partial(self._unswap, outbox, stream, struck.id))
            case "alter":
                put(orjson.dumps(wrap(altered(event, terms["set"]))))
            case "book" if terms["what"] == "cross":
                put(orjson.dumps(wrap(crossed(event))))
            case "book" if terms["what"] == "stale":
                put(self._as_it_was(struck, (outbox.number, stream), orjson.dumps(wrap(event))))
            case _:  # drop, and a gap in the book
                pass

    def _unswap(self, outbox: "Outbox", stream: str, number: int) -> None:
        kept = outbox.swapped.pop(number, None)
        if kept is not None:
            self._put(outbox, stream, kept[1])

    def _put(self, outbox: "Outbox", stream: str, frame: bytes) -> None:
        outbox.put(frame)
        if self.rules.has("sockets"):
            outbox.newest[stream] = frame

    # -- sockets ------------------------------------------------------------------------------------------------------

    def silences(self, outbox: "Outbox", *, is_ping: bool) -> bool:
        """Whether a frozen socket swallows this frame."""
        if not self.rules.has("sockets"):
            return False
        now = self._now()
        if is_ping:
            frozen = [rule for rule in self.rules.active("sockets", now) if rule.fault.kind == "freeze"]
            facts = outbox.facts()
            return any(not rule.fault.terms.get("pings", True) and rule.fits(facts) for rule in frozen)
        return self.rules.strike("sockets", outbox.facts(), now, only="freeze") is not None

    def flood(self, outboxes: "list[Outbox]", now: int, since: int) -> None:
        """The copies that floods owe for the time from `since` to `now` (ns)."""
        for rule in self.rules.active("sockets", now):
            if rule.fault.kind != "flood":
                continue
            begins = max(since, rule.begins)
            rate = rule.fault.terms["rate"]
            copies = (now - rule.begins) * rate // SECOND - (begins - rule.begins) * rate // SECOND
            for outbox in outboxes:
                if not outbox.newest or copies < 1 or not rule.strikes(outbox.facts(), now):
                    continue
                frames = list(outbox.newest.values())
                for index in range(copies):
                    outbox.put(frames[index % len(frames)])

    # -- connections, clock -------------------------------------------------------------------------------------------

    def refuses(self, market: str) -> bool:
        """Whether the connection that just came is to be reset."""
        if not self.rules.has("connects"):
            return False
        return self.rules.strike("connects", Facts(market=market), self._now()) is not None

    def skew(self, market: str) -> int:
        """How far the venue's clock is off (ns)."""
        if not self.rules.has("clock"):
            return 0
        facts = Facts(market=market)
        rules = [rule for rule in self.rules.active("clock", self._now()) if rule.fits(facts)]
        seconds: float = sum(rule.fault.terms["seconds"] for rule in rules)
        return round(seconds * SECOND)


def _event_facts(market: str, door: str, stream: str, sent: Any, account: str | None) -> Facts:
    """What the filters can see of an event, on either market."""
    event: Mapping[str, Any] = sent if isinstance(sent, dict) else {}
    order = event.get("o")
    inner = order if isinstance(order, dict) else event
    symbol = inner.get("s") or event.get("s")
    instruments = (symbol,) if isinstance(symbol, str) else ()
    if account is not None:
        what, kind = str(event.get("e")), inner.get("x")
        events: tuple[str, ...] = (what, f"{what}.{kind}") if isinstance(kind, str) else (what,)
        ids = tuple(each for each in (inner.get("c"), inner.get("C")) if isinstance(each, str) and each)
        return Facts(
            market=market,
            transport=door,
            accounts=(account,),
            instruments=instruments,
            events=events,
            client_order_ids=ids,
        )
    low, _, rest = stream.partition("@")
    kind = rest.partition("@")[0].partition("_")[0]
    name = "depth" if kind.startswith("depth") else kind
    events = tuple({name, str(event.get("e", name))} if name else {str(event.get("e", low))})
    return Facts(market=market, transport=door, instruments=instruments or (low.upper(),), events=events)


class Skewed(int):
    """ns per tick of a client's time, at a venue whose clock is off: `ns // unit` is the stamp such a venue writes."""

    shift: int  # ns

    def __new__(cls, unit: int, shift: int) -> "Skewed":
        made = super().__new__(cls, unit)
        made.shift = shift
        return made

    def __rfloordiv__(self, ns: int) -> int:
        ticks: int = (ns + self.shift) // int(self)
        return ticks
