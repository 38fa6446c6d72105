"""How much a client may ask: request weight and raw requests per address, orders per account, in the venue's fixed windows."""

from msgspec import Struct

from tradedesk.paper.rows import Refusal

SECOND = 1_000_000_000  # ns


class RateLimits(Struct, frozen=True, kw_only=True):
    """The limits the exchange announces and holds; the defaults are the venue's (2026-07-17)."""

    weight_per_minute: int = 6_000  # per address
    raw_per_5_minutes: int = 300_000  # per address
    orders_per_10_seconds: int = 100  # per account
    orders_per_day: int = 200_000  # per account


class TooMany(Refusal):
    """Over a limit. `retry_after_s` is when the window ends, whole seconds, at least 1."""

    def __init__(self, code: int, message: str, retry_after_s: int) -> None:
        super().__init__(code, message, 429)
        self.retry_after_s = retry_after_s


class Window:
    """Counts per key within the present stretch of `length_ns`; a new stretch begins from nothing, so it cannot grow."""

    def __init__(self, length_ns: int, limit: int) -> None:
        self.limit = limit
        self._length_ns = length_ns
        self._stretch = -1
        self._counts: dict[str, int] = {}

    def _turn(self, now: int) -> None:
        if now // self._length_ns != self._stretch:
            self._stretch = now // self._length_ns
            self._counts.clear()

    def count(self, key: str, now: int) -> int:
        self._turn(now)
        return self._counts.get(key, 0)

    def add(self, key: str, now: int, amount: int) -> None:
        """Negative amounts give back, never below nothing."""
        self._counts[key] = max(0, self.count(key, now) + amount)

    def left_s(self, now: int) -> int:
        """Whole seconds until the window ends, rounded up."""
        return -(-(self._length_ns - now % self._length_ns) // SECOND)


class Limits:
    """All counters of one exchange."""

    def __init__(self, rates: RateLimits) -> None:
        self.rates = rates
        self._weight = Window(60 * SECOND, rates.weight_per_minute)
        self._raw = Window(300 * SECOND, rates.raw_per_5_minutes)
        self._fast = Window(10 * SECOND, rates.orders_per_10_seconds)
        self._day = Window(86_400 * SECOND, rates.orders_per_day)

    def charge(self, peer: str, weight: int, now: int) -> None:
        """Count one request of this weight. Raises TooMany (-1003); what was refused counts too, as at the venue."""
        self._raw.add(peer, now, 1)
        self._weight.add(peer, now, weight)
        if self._weight.count(peer, now) > self._weight.limit:
            raise TooMany(
                -1003,
                f"Too much request weight used; current limit is {self._weight.limit} request weight per 1 MINUTE. "
                "Please use WebSocket Streams for live updates to avoid polling the API.",
                self._weight.left_s(now),
            )
        if self._raw.count(peer, now) > self._raw.limit:
            raise TooMany(
                -1003,
                f"Too many requests; current limit is {self._raw.limit} requests per 5 MINUTE.",
                self._raw.left_s(now),
            )

    def refund(self, peer: str, weight: int, now: int) -> None:
        """Give back the weight of an order request that succeeded (free since April 2026)."""
        self._weight.add(peer, now, -weight)

    def weight(self, peer: str, now: int) -> int:
        """What `peer` used in the present minute."""
        return self._weight.count(peer, now)

    def check_orders(self, account: str, now: int) -> None:
        """Raises TooMany (-1015) if the account may place no further order now."""
        for window, per in ((self._fast, "10 SECOND"), (self._day, "1 DAY")):
            if window.count(account, now) >= window.limit:
                raise TooMany(
                    -1015,
                    f"Too many new orders; current limit is {window.limit} orders per {per}.",
                    window.left_s(now),
                )

    def add_order(self, account: str, now: int) -> None:
        self._fast.add(account, now, 1)
        self._day.add(account, now, 1)

    def give_back_order(self, account: str, now: int) -> None:
        """An order of the account traded: only unfilled orders count."""
        self._fast.add(account, now, -1)
        self._day.add(account, now, -1)

    def orders(self, account: str, now: int) -> tuple[int, int]:
        """Orders counted in the present ten seconds and the present day."""
        return self._fast.count(account, now), self._day.count(account, now)

    def weight_row(self, peer: str, now: int) -> dict[str, object]:
        """The row of a WebSocket API answer."""
        return {**self._row("REQUEST_WEIGHT", "MINUTE", 1, self._weight.limit), "count": self.weight(peer, now)}

    def order_rows(self, account: str, now: int) -> list[dict[str, object]]:
        fast, day = self.orders(account, now)
        return [
            {**self._row("ORDERS", "SECOND", 10, self._fast.limit), "count": fast},
            {**self._row("ORDERS", "DAY", 1, self._day.limit), "count": day},
        ]

    def announced(self) -> list[dict[str, object]]:
        """The rateLimits of exchangeInfo."""
        return [
            self._row("REQUEST_WEIGHT", "MINUTE", 1, self._weight.limit),
            self._row("ORDERS", "SECOND", 10, self._fast.limit),
            self._row("ORDERS", "DAY", 1, self._day.limit),
            self._row("RAW_REQUESTS", "MINUTE", 5, self._raw.limit),
        ]

    @staticmethod
    def _row(kind: str, interval: str, number: int, limit: int) -> dict[str, object]:
        return {"rateLimitType": kind, "interval": interval, "intervalNum": number, "limit": limit}
