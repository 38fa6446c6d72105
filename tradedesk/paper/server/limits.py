"""How much a client may ask: weight and raw requests per address, unfilled orders per account, and bans for who goes on.

The windows are the venue's fixed ones: they begin and end on the clock (UTC), not with a client's first request. Weight and
requests are counted by peer address, orders by account, each sub-account for itself. One `Limits` belongs to one market:
spot and futures count, refuse and ban apart, as hosts of the venue do; what differs between them are the numbers and texts
of `RateLimits` (`FUTURES` has those of USD-M).
"""

from msgspec import Struct

from tradedesk.paper.rows import Refusal

SECOND = 1_000_000_000  # ns
MINUTE = 60 * SECOND
SHORTEST_BAN = 2 * MINUTE
LONGEST_BAN = 3 * 24 * 60 * MINUTE  # also how long after its ban an address counts as a repeater

TAKER_CREDIT, MAKER_CREDIT = 1, 5  # orders that a first fill gives back (spot, as in the venue's examples)

_MOST_KEYS = 20_000  # of one window; whoever comes beyond them shares one count
_MOST_OFFENDERS = 10_000  # addresses remembered with their bans; the one that was free the longest is forgotten first
_OTHERS = "others"


class RateLimits(Struct, frozen=True, kw_only=True):
    """The limits a market announces and holds; the defaults are spot's (2026-07-17). None: there is no such limit."""

    weight_per_minute: int = 6_000  # per address
    raw_per_5_minutes: int | None = 300_000  # per address
    connections_per_5_minutes: int = 300  # per address and kind of socket
    orders_per_10_seconds: int = 100  # per account
    orders_per_minute: int | None = None  # per account
    orders_per_day: int | None = 200_000  # per account
    weight_headers: tuple[str, ...] = ("X-MBX-USED-WEIGHT", "X-MBX-USED-WEIGHT-1M")
    refusals_before_ban: int = 10  # 429s within a minute that an address is forgiven; the venue names no number
    too_much: str = (  # {address} and {limit}
        "Too much request weight used; current limit is {limit} request weight per 1 MINUTE. "
        "Please use WebSocket Streams for live updates to avoid polling the API."
    )
    banned: str = (  # {until} in ms since the epoch
        "Way too much request weight used; IP banned until {until}. "
        "Please use WebSocket Streams for live updates to avoid bans."
    )


FUTURES = RateLimits(
    weight_per_minute=2_400,
    raw_per_5_minutes=None,
    orders_per_10_seconds=300,
    orders_per_minute=1_200,
    orders_per_day=None,
    too_much=(
        "Too many requests; current limit of IP({address}) is {limit} requests per minute. "
        "Please use the websocket for live updates to avoid polling the API."
    ),
    banned=(
        "Way too many requests; IP({address}) banned until {until}. "
        "Please use the websocket for live updates to avoid bans."
    ),
)


class TooMany(Refusal):
    """Over a limit (429) or banned (418). `until` is when it ends (ns since the epoch)."""

    def __init__(self, code: int, message: str, now: int, until: int, http: int = 429) -> None:
        super().__init__(code, message, http)
        self.until = until
        self.retry_after_s = max(1, -(-(until - now) // SECOND))  # the Retry-After header: whole seconds, rounded up


class Window:
    """Counts per key within the present stretch of `length_ns`; a new stretch begins from nothing, so it cannot grow."""

    def __init__(self, length_ns: int, limit: int, interval: str, number: int) -> None:
        self.limit = limit
        self.interval = interval  # SECOND, MINUTE, DAY; `number` of them
        self.number = number
        self._length_ns = length_ns
        self._stretch = -1
        self._counts: dict[str, int] = {}

    @property
    def name(self) -> str:
        """As the headers have it: 10S, 1M, 1D."""
        return f"{self.number}{self.interval[0]}"

    def _turn(self, stretch: int) -> None:
        self._stretch = stretch
        self._counts.clear()

    def count(self, key: str, now: int) -> int:
        if now // self._length_ns != self._stretch:
            self._turn(now // self._length_ns)
        count = self._counts.get(key)
        if count is None:
            return 0 if len(self._counts) < _MOST_KEYS else self._counts.get(_OTHERS, 0)
        return count

    def add(self, key: str, now: int, amount: int) -> int:
        """The count after it. Negative amounts give back, never below nothing."""
        if now // self._length_ns != self._stretch:
            self._turn(now // self._length_ns)
        counts = self._counts
        if key not in counts and len(counts) >= _MOST_KEYS:
            key = _OTHERS
        after = counts.get(key, 0) + amount
        counts[key] = after = after if after > 0 else 0
        return after

    def ends(self, now: int) -> int:
        return (now // self._length_ns + 1) * self._length_ns

    def row(self, kind: str) -> dict[str, object]:
        return {"rateLimitType": kind, "interval": self.interval, "intervalNum": self.number, "limit": self.limit}

    def counted(self, kind: str, key: str, now: int) -> dict[str, object]:
        """The row with what `key` has used of it."""
        return {
            "rateLimitType": kind,
            "interval": self.interval,
            "intervalNum": self.number,
            "limit": self.limit,
            "count": self.count(key, now),
        }


class Ban(Struct, frozen=True, kw_only=True):
    """One address that went on after it had been told to wait."""

    address: str
    until: int  # ns since the epoch
    number: int  # how many bans it has had in a row, this one included


def ban_length(number: int) -> int:
    """ns of the `number`-th ban in a row: two minutes, twice as long each time, three days at most."""
    return min(SHORTEST_BAN << min(number - 1, 16), LONGEST_BAN)


class Bans:
    """Which addresses are banned, and which have been: a repeater's next ban is longer."""

    def __init__(self) -> None:
        self._bans: dict[str, Ban] = {}

    def of(self, address: str, now: int) -> Ban | None:
        """The ban that holds now."""
        ban = self._bans.get(address)
        return ban if ban is not None and now < ban.until else None

    def impose(self, address: str, now: int, length_ns: int | None = None) -> Ban:
        """A ban from now on, of the length that the address has earned unless one is given."""
        last = self._bans.pop(address, None)
        number = last.number + 1 if last is not None and now < last.until + LONGEST_BAN else 1
        ban = Ban(address=address, until=now + (ban_length(number) if length_ns is None else length_ns), number=number)
        if len(self._bans) >= _MOST_OFFENDERS:
            self._forget()
        self._bans[address] = ban
        return ban

    def lift(self, address: str) -> bool:
        """End a ban and forget that it was. False if there was none."""
        return self._bans.pop(address, None) is not None

    def holding(self, now: int) -> list[Ban]:
        return [ban for ban in self._bans.values() if now < ban.until]

    def _forget(self) -> None:
        del self._bans[min(self._bans.values(), key=lambda ban: ban.until).address]


class Limits:
    """All counters of one market."""

    def __init__(self, rates: RateLimits, bans: Bans | None = None) -> None:
        """`bans` are those of another `Limits` of the same host: who is banned there is banned here."""
        self.rates = rates
        self.bans = bans or Bans()
        self._weight = Window(MINUTE, rates.weight_per_minute, "MINUTE", 1)
        self._raw = (
            None if rates.raw_per_5_minutes is None else Window(5 * MINUTE, rates.raw_per_5_minutes, "MINUTE", 5)
        )
        self._connections = Window(5 * MINUTE, rates.connections_per_5_minutes, "MINUTE", 5)
        self._refused = Window(MINUTE, rates.refusals_before_ban, "MINUTE", 1)
        self._orders = [Window(10 * SECOND, rates.orders_per_10_seconds, "SECOND", 10)]
        if rates.orders_per_minute is not None:
            self._orders.append(Window(MINUTE, rates.orders_per_minute, "MINUTE", 1))
        if rates.orders_per_day is not None:
            self._orders.append(Window(24 * 60 * MINUTE, rates.orders_per_day, "DAY", 1))

    # -- per address --------------------------------------------------------------------------------------------------

    def refuse_banned(self, peer: str, now: int) -> None:
        """Raises TooMany (418) while the address is banned: it is asked before anything of a request is looked at."""
        ban = self.bans.of(peer, now)
        if ban is not None:
            text = self.rates.banned.format(address=peer, until=ban.until // 1_000_000)
            raise TooMany(-1003, text, now, ban.until, 418)

    def charge(self, peer: str, weight: int, now: int) -> None:
        """Count one request of this weight; what is refused counts too, as at the venue.

        Raises TooMany: 429 over a limit, 418 when the address is banned or has now been refused once too often.
        """
        self.refuse_banned(peer, now)
        used = self._weight.add(peer, now, weight)
        raw = 0 if self._raw is None else self._raw.add(peer, now, 1)
        if used > self._weight.limit:
            text = self.rates.too_much.format(address=peer, limit=self._weight.limit)
            self._refuse(peer, now, text, self._weight)
        if self._raw is not None and raw > self._raw.limit:
            text = f"Too many requests; current limit is {self._raw.limit} requests per 5 MINUTE."
            self._refuse(peer, now, text, self._raw)

    def _refuse(self, peer: str, now: int, text: str, window: Window) -> None:
        if self._refused.add(peer, now, 1) > self._refused.limit:
            self.bans.impose(peer, now)
            self.refuse_banned(peer, now)
        raise TooMany(-1003, text, now, window.ends(now))

    def connect(self, door: str, peer: str, now: int) -> None:
        """Count one attempt to open a socket; streams and the WebSocket API are hosts of their own. Raises TooMany (429)."""
        self.refuse_banned(peer, now)
        window = self._connections
        if window.add(f"{door} {peer}", now, 1) > window.limit:
            text = f"Too many connection attempts; current limit is {window.limit} per 5 MINUTE."
            raise TooMany(-1003, text, now, window.ends(now))

    def refund(self, peer: str, weight: int, now: int) -> None:
        """Give back the weight of an order request that succeeded (free since April 2026)."""
        self._weight.add(peer, now, -weight)

    def weight(self, peer: str, now: int) -> int:
        """What `peer` used in the present minute."""
        return self._weight.count(peer, now)

    def weight_headers(self, peer: str, now: int) -> dict[str, str]:
        """Of every answer, refusals and bans included."""
        used = str(self.weight(peer, now))
        return dict.fromkeys(self.rates.weight_headers, used)

    # -- per account --------------------------------------------------------------------------------------------------

    def check_orders(self, account: str, now: int, count: int = 1) -> None:
        """Raises TooMany (-1015) if the account may not place `count` further orders now (a list counts its orders)."""
        for window in self._orders:
            if window.count(account, now) + count > window.limit:
                raise TooMany(
                    -1015,
                    f"Too many new orders; current limit is {window.limit} orders per {window.number} {window.interval}.",
                    now,
                    window.ends(now),
                )

    def add_order(self, account: str, now: int, count: int = 1) -> None:
        for window in self._orders:
            window.add(account, now, count)

    def give_back_order(self, account: str, now: int, count: int = 1) -> None:
        """An order of the account traded for the first time: only unfilled orders count (spot).

        It is the present counts that fall, whenever the order was placed, and never below nothing.
        """
        for window in self._orders:
            window.add(account, now, -count)

    def orders(self, account: str, now: int) -> list[int]:
        """Orders counted in the present windows, the shortest first."""
        return [window.count(account, now) for window in self._orders]

    def order_headers(self, account: str, now: int) -> dict[str, str]:
        """Of answers to order requests: X-MBX-ORDER-COUNT-10S and its kin."""
        return {f"X-MBX-ORDER-COUNT-{window.name}": str(window.count(account, now)) for window in self._orders}

    # -- as clients see them ------------------------------------------------------------------------------------------

    def weight_row(self, peer: str, now: int) -> dict[str, object]:
        """The row of a WebSocket API answer."""
        return self._weight.counted("REQUEST_WEIGHT", peer, now)

    def order_rows(self, account: str, now: int) -> list[dict[str, object]]:
        return [window.counted("ORDERS", account, now) for window in self._orders]

    def announced(self) -> list[dict[str, object]]:
        """The rateLimits of exchangeInfo."""
        rows = [self._weight.row("REQUEST_WEIGHT")]
        rows += [window.row("ORDERS") for window in self._orders]
        if self._raw is not None:
            rows.append(self._raw.row("RAW_REQUESTS"))
        return rows
