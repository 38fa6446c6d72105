"""What every door of the server shares: who may use it, what it saw, the table of operations, and who listens."""

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from msgspec import Struct

from tradedesk.clock import Clock
from tradedesk.paper.accounts import Account, Key, Right
from tradedesk.paper.rows import Refusal
from tradedesk.paper.server.hub import Hub
from tradedesk.paper.server.limits import Limits
from tradedesk.paper.server.parameters import Parameters, missing
from tradedesk.paper.server.signature import check_right
from tradedesk.paper.server.users import UserStreams

MOST_SEEN = 50_000  # requests remembered; older ones are forgotten and counted
_FIRST_UID = 350_000_001


class Seen(Struct, frozen=True, kw_only=True):
    """One request as the exchange saw it, for tests that ask from where and how often something came."""

    number: int  # from 1, without holes
    time: int  # ns since the epoch
    peer: str  # source address
    key: str | None  # the API key as sent
    account: str | None  # whose key it is, if it is known
    method: str  # GET; order.place and its kin on the WebSocket API; SUBSCRIBE on a stream
    path: str
    client_order_id: str | None
    status: int  # of HTTP, or of the WebSocket API's answer; 101 for an opened socket
    code: int | None  # of the refusal


class SeenLog:
    """The last requests, oldest first."""

    def __init__(self) -> None:
        self.rows: deque[Seen] = deque(maxlen=MOST_SEEN)
        self.count = 0

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

    def __init__(self, accounts: Sequence[Account], clock: Clock) -> None:
        self.accounts: Mapping[str, Account] = {account.name: account for account in accounts}
        self.keys = {key.api_key: key for account in accounts for key in account.keys}  # keys.py changes it
        self.uids: Mapping[str, int] = {
            account.name: _FIRST_UID + index if account.uid is None else account.uid
            for index, account in enumerate(accounts)
        }
        self.seen = SeenLog()
        self._clock = clock
        self._now = 0
        self.started = self.now()
        self.futures_wallet: FuturesWallet | None = None  # set where the futures market is served too

    def now(self) -> int:
        """The present (ns); never goes back, whatever the clock does."""
        self._now = max(self._now, self._clock.now())
        return self._now

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
    ) -> None:
        """Remember one request."""
        known = self.keys.get(key) if key is not None else None
        self.seen.count += 1
        self.seen.rows.append(
            Seen(
                number=self.seen.count,
                time=self.now(),
                peer=peer,
                key=key,
                account=known.name if known else None,
                method=method[:100],
                path=path[:200],
                client_order_id=client_order_id,
                status=status,
                code=code,
            )
        )


class Front(ABC):
    """One market as its doors see it. Everything happens on one loop; no method awaits, so none is ever seen half done."""

    streams: Hub
    trade_right = Right.SPOT  # what a key must be allowed to trade here

    def __init__(self, commons: Commons, limits: Limits) -> None:
        self.commons = commons
        self.limits = limits
        self.users = UserStreams()

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

    def perform(
        self, route: Route, parameters: Parameters, *, peer: str, unit: int, identify: Callable[[int], Key | None]
    ) -> object:
        """Do what `route` says for whoever `identify(now)` finds. Raises Refusal, after what happened was handed out."""
        now = self.settle()
        weight = route.weight if isinstance(route.weight, int) else route.weight(parameters)
        try:
            self.limits.charge(peer, weight, now)
            key = identify(now)
            if key is not None:
                check_right(key, route.right or (self.trade_right if route.is_order else Right.READ), now)
            result = route.operation(self, Call(peer=peer, now=now, unit=unit, key=key), parameters)
            if route.is_order:
                self.limits.refund(peer, weight, now)
            return result
        finally:
            self.distribute(now)


class HalfDone(Refusal):
    """cancelReplace of which a leg failed: the refusal carries both legs."""

    def __init__(self, code: int, message: str, http: int, both: dict[str, object]) -> None:
        super().__init__(code, message, http)
        self.both = both
