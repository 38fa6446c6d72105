"""When a fault strikes: its time, its filters, its count and its chance. Pure: the time (ns) is handed in, chance comes from a seed.

Of several rules that match the same request or event the oldest one strikes, and only that one counts it; those before it
that let it pass (by `after` or by chance) have counted a match.
"""

from collections.abc import Iterable
from fnmatch import fnmatchcase
from random import Random

from msgspec import Struct

from tradedesk.paper.fault_forms import BOOK_EVENTS
from tradedesk.paper.faults import MOST_FAULTS, Fault, FaultsError

SECOND = 1_000_000_000  # ns


class Facts(Struct, frozen=True, kw_only=True):
    """What is known of one request, event, socket or connection. A fact may have several names; one that fits is enough."""

    market: str
    transport: str = ""
    accounts: tuple[str, ...] = ()
    instruments: tuple[str, ...] = ()
    methods: tuple[str, ...] = ()
    events: tuple[str, ...] = ()
    client_order_ids: tuple[str, ...] = ()


class Rule:
    """One fault in force (or waiting, or spent), and how it went."""

    def __init__(self, number: int, fault: Fault, seed: int, now: int) -> None:
        self.id = number
        self.fault = fault
        self.begins = now + round(fault.at * SECOND)  # ns
        self.ends = None if fault.for_s is None else self.begins + round(fault.for_s * SECOND)
        self.matched = 0
        self.struck = 0
        self.result: object = None  # of what acts once: what came of it
        self.failed: str | None = None
        self._random = Random(f"{seed}:{number}")

    def is_spent(self, now: int) -> bool:
        limit = 1 if self.fault.family == "once" else self.fault.count
        return (self.ends is not None and now >= self.ends) or (limit is not None and self.struck >= limit)

    def is_active(self, now: int) -> bool:
        return now >= self.begins and not self.is_spent(now)

    def fits(self, facts: Facts) -> bool:
        f = self.fault.filters
        if self.fault.kind == "book" and not _is_of_a_book(self.fault.terms["what"], facts):
            return False
        return (
            (f.market is None or f.market == facts.market)
            and (f.transport is None or f.transport == facts.transport)
            and _fits(f.account, facts.accounts)
            and _fits(f.instrument, facts.instruments)
            and _fits(f.method, facts.methods)
            and _fits(f.event, facts.events)
            and _fits(f.client_order_id, facts.client_order_ids)
        )

    def strikes(self, facts: Facts, now: int) -> bool:
        """Whether it strikes here; counts the match and the strike."""
        if not self.is_active(now) or not self.fits(facts):
            return False
        self.matched += 1
        if self.matched <= self.fault.after:
            return False
        if self.fault.chance < 1 and self._random.random() >= self.fault.chance:
            return False
        self.struck += 1
        return True


def _is_of_a_book(what: str, facts: Facts) -> bool:
    """Only diffs can leave a gap; every form of a book can be crossed or old."""
    wanted = ("depthUpdate",) if what == "gap" else BOOK_EVENTS
    return any(name in wanted for name in facts.events)


def _fits(pattern: str | None, names: tuple[str, ...]) -> bool:
    return pattern is None or any(fnmatchcase(name, pattern) for name in names)


class Rules:
    """All faults of one exchange, oldest first, at most MOST_FAULTS."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._rules: dict[int, Rule] = {}
        self._by_family: dict[str, list[Rule]] = {}
        self._next_id = 1

    def add(self, faults: Iterable[Fault], now: int) -> list[Rule]:
        """Put them in force, in their order. Those that are spent make room; raises FaultsError if that is not enough."""
        faults = list(faults)
        room = MOST_FAULTS - len(faults)
        for rule in [rule for rule in self._rules.values() if rule.is_spent(now)]:
            if len(self._rules) > room:
                self.remove(rule.id)
        if len(self._rules) > room:
            raise FaultsError(f"faults: {len(self._rules)} are in force; at most {MOST_FAULTS}, remove some first")
        added = []
        for fault in faults:
            rule = Rule(self._next_id, fault, self._seed, now)
            self._next_id += 1
            self._rules[rule.id] = rule
            self._by_family.setdefault(fault.family, []).append(rule)
            added.append(rule)
        return added

    def remove(self, number: int) -> bool:
        """Whether there was one."""
        rule = self._rules.pop(number, None)
        if rule is None:
            return False
        family = self._by_family[rule.fault.family]
        family.remove(rule)
        if not family:
            del self._by_family[rule.fault.family]
        return True

    def clear(self) -> None:
        self._rules.clear()
        self._by_family.clear()

    def all(self) -> list[Rule]:
        return list(self._rules.values())

    def has(self, family: str) -> bool:
        """Whether any of the family is there at all: the way past everything else when there is none."""
        return family in self._by_family

    def active(self, family: str, now: int) -> list[Rule]:
        return [rule for rule in self._by_family.get(family, ()) if rule.is_active(now)]

    def strike(self, family: str, facts: Facts, now: int, *, only: str | None = None) -> Rule | None:
        """The rule that strikes, if any; of kind `only` where that is given."""
        for rule in self._by_family.get(family, ()):
            if (only is None or rule.fault.kind == only) and rule.strikes(facts, now):
                return rule
        return None

    def due(self, now: int) -> list[Rule]:
        """What acts once and has not yet, in the order of its time."""
        return sorted(self.active("once", now), key=lambda rule: (rule.begins, rule.id))

    def next_due(self) -> int | None:
        """When the next of them acts (ns)."""
        waiting = [rule.begins for rule in self._by_family.get("once", ()) if not rule.struck]
        return min(waiting, default=None)


# -- the operations, in words ---------------------------------------------------------------------------------------------

_BY_TAIL = {  # the last words of a path or a method name -> operation by HTTP method ("" for the WebSocket API)
    "order": {"POST": "place", "DELETE": "cancel", "GET": "query", "PUT": "amend"},
    "algoOrder": {"POST": "place", "DELETE": "cancel", "GET": "query"},
    "batchOrders": {"POST": "place", "DELETE": "cancel", "PUT": "amend"},
    "openOrders": {"GET": "open_orders", "DELETE": "cancel_all"},
    "openOrder": {"GET": "query"},
    "orderList": {"POST": "place", "DELETE": "cancel", "GET": "query"},
    "allOpenOrders": {"DELETE": "cancel_all"},
    "algoOpenOrders": {"DELETE": "cancel_all"},
    "openAlgoOrders": {"GET": "open_orders"},
    "listenKey": {"POST": "listen_key", "PUT": "listen_key", "DELETE": "listen_key"},
    "userDataStream": {"POST": "listen_key", "PUT": "listen_key", "DELETE": "listen_key"},
}
_ALWAYS = {
    "cancelReplace": "replace", "test": "test", "keepPriority": "amend", "amend.keepPriority": "amend",
    "oco": "place", "oto": "place", "otoco": "place", "opo": "place", "opoco": "place", "place": "place",
    "cancel": "cancel", "cancelAll": "cancel_all", "modify": "amend", "status": "query",
    "allOrders": "all_orders", "allAlgoOrders": "all_orders", "allOrderList": "all_orders",
    "allOrderLists": "all_orders", "openOrderList": "open_orders", "myTrades": "trades", "userTrades": "trades",
    "account": "account", "balance": "account", "positionRisk": "account", "position": "account",
    "depth": "depth", "bookTicker": "best", "book": "best", "time": "time", "ping": "ping", "exchangeInfo": "info",
}  # fmt: skip
_BY_NAME = {
    "openOrders.status": "open_orders", "openOrderLists.status": "open_orders", "account.status": "account",
    "v2/account.status": "account", "session.status": "session", "session.logon": "session",
    "session.logout": "session", "openOrders.cancelAll": "cancel_all", "order.test": "test",
    "userDataStream.start": "listen_key", "userDataStream.ping": "listen_key", "userDataStream.stop": "listen_key",
    "userDataStream.subscribe": "subscribe", "userDataStream.subscribe.signature": "subscribe",
    "order.cancelReplace": "replace",
}  # fmt: skip


def operation(method: str, path: str | None = None) -> str:
    """What a request asks for, in one word: of a WebSocket API method, or of an HTTP method and path; "other" if unknown."""
    if path is None:
        return _BY_NAME.get(method) or _ALWAYS.get(method.rpartition(".")[2], "other")
    tail = path.rstrip("/").rpartition("/")[2]
    by_method = _BY_TAIL.get(tail)
    if by_method is not None:
        return by_method.get(method, "other")
    return _ALWAYS.get(tail, "other")
