"""What every door of the server shares: who may use it, what it saw, the table of operations, and who listens."""

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from random import Random
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from tradedesk.clock import Clock
from tradedesk.paper.accounts import Account, Key, Right
from tradedesk.paper.fault_rules import Rule, Rules
from tradedesk.paper.faults import Fault
from tradedesk.paper.rows import Refusal
from tradedesk.paper.server.faults import Faults, Skewed
from tradedesk.paper.server.hub import Hub
from tradedesk.paper.server.latency import Latency, half
from tradedesk.paper.server.limits import Limits
from tradedesk.paper.server.parameters import Parameters, missing
from tradedesk.paper.server.signature import check_right, with_address
from tradedesk.paper.server.users import UserStreams

MOST_SEEN = 50_000  # requests remembered; older ones are forgotten and counted
_LONGEST_KEY = 128  # characters of a key that are remembered
_FIRST_UID = 350_000_001


class Seen(Struct, frozen=True, kw_only=True, gc=False):
    """One request as the exchange saw it, for tests that ask from where and how often something came."""

    number: int  # from 1, without holes
    time: int  # ns since the epoch
    peer: str  # source address
    key: str | None  # the API key as sent
    account: str | None  # whose key it is, if it is known
    method: str  # GET; order.place and its kin on the WebSocket API; SUBSCRIBE on a stream
    path: str
    client_order_id: str | None
    status: int  # of HTTP, or of the WebSocket API's answer; 101 for an opened socket, 0 where a fault left none
    code: int | None  # of the refusal
    market: str  # spot, futures
    transport: str  # rest, wsapi, stream
    fault: str | None  # the kind of the fault that struck it; then status and code are the exchange's own verdict
    fault_id: int | None
    is_processed: bool  # whether the exchange did what it said; False only by a fault
    is_answered: bool  # whether an answer was handed to the connection


class SeenLog:
    """The last requests, oldest first."""

    def __init__(self) -> None:
        self.rows: deque[Seen] = deque(maxlen=MOST_SEEN)
        self.count = 0

    def answered(self, number: int) -> None:
        """An answer that a fault held back was handed over after all."""
        index = number - 1 - (self.count - len(self.rows))
        if index >= 0:
            self.rows[index] = replace(self.rows[index], is_answered=True)

    def after(self, number: int, limit: int) -> list[Seen]:
        """At most `limit` requests with a number above `number`."""
        first = self.count - len(self.rows)
        return [self.rows[index] for index in range(max(0, number - first), len(self.rows))][:limit]


class Call(Struct, frozen=True, kw_only=True):
    """Who asks, when, and in which unit their times are (ns per tick)."""

    peer: str
    now: int
    unit: int
    key: Key | None  # None where none is needed

    @property
    def name(self) -> str:
        """The account's name; only routes that demand a key may ask for it."""
        if self.key is None:
            raise missing("apiKey")
        return self.key.name


Operation = Callable[[Any, Call, Parameters], object]  # the first is the market the table belongs to
Weight = int | Callable[[Parameters], int]


class Route(Struct, frozen=True, kw_only=True):
    """One thing a client can ask for, on whichever door."""

    operation: Operation
    weight: Weight
    security: str = "none"  # none, key, signed
    is_order: bool = False  # its weight is given back on success, and its answer shows the order count
    right: Right | None = None  # what the key must be allowed; None: to trade for orders, to read for all else


FuturesWallet = Callable[[str, str, Decimal, int], int]
"""(account, asset, amount, now in ns) -> the transfer's id: into the USD-M wallet, or out of it where amount is below 0."""


class Commons:
    """What all markets of one exchange have in common: the clients, the clock, and the log of requests."""

    def __init__(
        self,
        accounts: Sequence[Account],
        clock: Clock,
        *,
        rules: Rules | None = None,
        latency: Latency | None = None,
        seed: int = 0,
    ) -> None:
        self.accounts: Mapping[str, Account] = {account.name: account for account in accounts}
        self.keys = {key.api_key: key for account in accounts for key in account.keys}  # keys.py changes it
        self.uids: Mapping[str, int] = {
            account.name: _FIRST_UID + index if account.uid is None else account.uid
            for index, account in enumerate(accounts)
        }
        self.seen = SeenLog()
        self.faults = Faults(rules or Rules(seed), self.now)
        self.down: set[str] = set()  # the markets that a restart has taken away for a while
        self.epochs: dict[str, int] = {}  # how often each was restarted
        self.latency = latency
        self._latency_draws = Random(f"{seed}:latency")
        self._clock = clock
        self.latest = 0  # the newest present that was asked for (ns)
        self.started = self.now()
        self.futures_wallet: FuturesWallet | None = None  # set where the futures market is served too

    def now(self) -> int:
        """The present (ns); never goes back, whatever the clock does."""
        now = self.latest = max(self.latest, self._clock.now())
        return now

    def monotonic(self) -> int:
        """ns of a clock that measures durations; what the wall clock does is nothing to it."""
        return self._clock.monotonic()

    def half_way(self) -> float:
        """How long the next message is under way in one direction (s); only where there is a latency."""
        return half(self.latency, self._latency_draws) if self.latency is not None else 0.0

    def note(
        self,
        *,
        peer: str,
        key: str | None,
        method: str,
        path: str,
        client_order_id: str | None,
        status: int,
        code: int | None,
        market: str = "spot",
        transport: str = "rest",
        rule: Rule | None = None,
        is_processed: bool = True,
        is_answered: bool = True,
    ) -> int:
        """Remember one request; returns its number."""
        account = None
        if key is not None:
            known = self.keys.get(key)
            if known is None:
                key = key[:_LONGEST_KEY]
            else:
                key, account = known.api_key, known.name  # so that the text of the request itself need not stay
        seen = self.seen
        seen.count += 1
        seen.rows.append(
            Seen(
                number=seen.count,
                time=self.now(),
                peer=peer,
                key=key,
                account=account,
                method=method[:100],
                path=path[:200],
                client_order_id=client_order_id,
                status=status,
                code=code,
                market=market,
                transport=transport,
                fault=rule.fault.kind if rule else None,
                fault_id=rule.id if rule else None,
                is_processed=is_processed,
                is_answered=is_answered,
            )
        )
        return seen.count


class Front(ABC):
    """One market as its doors see it. Everything happens on one loop; no method awaits, so none is ever seen half done."""

    market: str = "spot"  # spot, futures: how faults and the log of requests tell them apart
    streams: Hub
    trade_right = Right.SPOT  # what a key must be allowed to trade here

    def __init__(self, commons: Commons, limits: Limits) -> None:
        self.commons = commons
        self.limits = limits
        self.users = UserStreams(commons.faults, self.market)

    @abstractmethod
    def settle(self) -> int:
        """Bring the market to the present and return it (ns)."""

    @abstractmethod
    def distribute(self, now: int) -> None:
        """Hand what happened to those who listen."""

    @abstractmethod
    def next_due(self) -> int | None:
        """When the market acts next by itself (ns); None if it never does."""

    def tick(self, now: int) -> None:
        """The timed streams; called every 100 ms."""
        self.streams.tick(now)
        self.users.expire(now)

    @property
    def is_down(self) -> bool:
        """Between the end and the new start of a restart."""
        return self.market in self.commons.down

    @property
    def epoch(self) -> int:
        """How often it was restarted."""
        return self.commons.epochs.get(self.market, 0)

    # -- what faults need of a market; one that lacks a part of it says so ----------------------------------------------

    def as_of(self, then: int) -> "Front":
        """This market to operations that may lag: its orders, trades and balances as they were at `then` (ns)."""
        return self

    def act(self, fault: Fault, now: int) -> object:
        """Do once what a fault says (ext, bust, move, status, ...) and return what came of it, for the admin.

        Raises Refusal, or ValueError with a sentence.
        """
        raise ValueError(f"{fault.kind}: the {self.market} market does not know it")

    def saved(self) -> object:
        """Everything a restart needs, as plain data. Raises ValueError if there is no such thing."""
        raise ValueError(f"the {self.market} market cannot be saved")

    def revive(self, saved: object | None, now: int) -> None:
        """Begin again: from `saved`, or from nothing. Raises ValueError if it cannot."""
        raise ValueError(f"the {self.market} market cannot be restarted")

    # -- requests -------------------------------------------------------------------------------------------------------

    def perform(
        self,
        route: Route,
        parameters: Parameters,
        *,
        peer: str,
        unit: int,
        identify: Callable[[int], Key | None],
        lag: int = 0,
    ) -> object:
        """Do what `route` says for whoever `identify(now)` finds, `now` being what the venue's clock shows.

        With a `lag` (ns) reads are answered as of so long ago. Raises Refusal, after what happened was handed out.
        """
        now = self.settle()
        weight = route.weight if isinstance(route.weight, int) else route.weight(parameters)
        try:
            self.limits.charge(peer, weight, now)
            shift = parameters.shift = self.commons.faults.skew(self.market)
            key = identify(now + shift)
            if key is not None:
                check_right(key, route.right or (self.trade_right if route.is_order else Right.READ), now)
            call = Call(peer=peer, now=now, unit=Skewed(unit, shift) if shift else unit, key=key)
            result = route.operation(self.as_of(now - lag) if lag else self, call, parameters)
            if route.is_order:
                self.limits.refund(peer, weight, now)
            return result
        except Refusal as refused:
            if self.market == "futures":
                raise with_address(refused, peer) from None
            raise
        finally:
            self.distribute(now)


class HalfDone(Refusal):
    """cancelReplace of which a leg failed: the refusal carries both legs."""

    def __init__(self, code: int, message: str, http: int, both: dict[str, object]) -> None:
        super().__init__(code, message, http)
        self.both = both
