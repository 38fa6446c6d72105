"""Index, mark price and funding rate of one contract, from one observation a second. Prices in units of 1e-8.

The mark is the index plus the moving average of the basis (middle of the book less index) over the last minute. The funding
rate is the venue's formula (page "Introduction to funding rates", 2024): the premium averaged over the interval, later
seconds weighing more, plus interest less that, clamped to 0.05 %. The touch stands for the impact prices.
"""

from collections import deque
from collections.abc import Iterator
from decimal import Decimal

from msgspec import Struct

from tradedesk.paper.candles import Candles, Past, next_open
from tradedesk.paper.futures.contracts import HOUR, Contract
from tradedesk.paper.ledger import PER_ONE, from_units, to_units
from tradedesk.paper.market import Bar
from tradedesk.paper.rows import Kline

BASIS_SECONDS = 60
CLAMP = 50_000  # 0.05 % in units of 1e-8


class SavedMarks(Struct, frozen=True, kw_only=True):
    """What a restarted exchange needs of them. Prices in units of 1e-8."""

    mark: int
    index: int
    held: int | None
    fixed_rate: Decimal | None
    time: int
    next_funding: int
    basis: list[int]
    weights: int
    weighted: int


class Marks:
    """What is known of one contract's fair price. `mark` and `index` are 0 before anything was seen."""

    def __init__(self, contract: Contract, now: int) -> None:
        self._contract = contract
        self.mark = 0
        self.index = 0
        self.held: int | None = None  # the operator's
        self.fixed_rate: Decimal | None = None  # the operator's
        self.time = now
        self.next_funding = now - now % contract.funding_interval + contract.funding_interval
        self.candles = {"mark": Candles(), "index": Candles(), "premium": Candles()}
        self._basis: deque[int] = deque(maxlen=BASIS_SECONDS)
        self._weights = 0
        self._weighted = 0

    def begin(self, past: Past, tick: int) -> None:
        """Candles from before the start, in ticks: mark and index are taken to have been the traded prices."""

        def scaled(longest: int, since: int, until: int) -> Iterator[tuple[int, Bar]]:
            for length, bar in past(longest, since, until):
                opened, high, low, close = (p * tick for p in (bar.open, bar.high, bar.low, bar.close))
                yield (
                    length,
                    Bar(open_time=bar.open_time, open=opened, high=high, low=low, close=close, trades=bar.trades),
                )

        for name in ("mark", "index"):
            self.candles[name] = Candles(scaled)

    def observe(self, now: int, index: Decimal | None, bid: int | None, ask: int | None, last: int | None) -> None:
        """One second's look: the index if there is one, the touch and the last price of the contract itself."""
        touch = [price for price in (bid, ask) if price is not None]
        middle = sum(touch) // len(touch) if touch else last
        seen = None if index is None else to_units(index.quantize(Decimal("1E-8")))
        self.index = seen or middle or self.index
        self.time = now
        if not self.index:
            return
        self._basis.append((middle or self.index) - self.index)
        premium = 0
        if bid is not None and ask is not None:
            premium = (max(0, bid - self.index) - max(0, self.index - ask)) * PER_ONE // self.index
        weight = self._weights_next()
        self._weights += weight
        self._weighted += weight * premium
        self.mark = self.held or max(1, self.index + sum(self._basis) // len(self._basis))
        self.candles["mark"].trade(self.mark, 0, now, 0, False)
        self.candles["index"].trade(self.index, 0, now, 0, False)
        self.candles["premium"].trade(premium, 0, now, 0, False)

    def _weights_next(self) -> int:
        """1, 2, 3 .. for the observations of an interval, told by their time, so that a gap does not matter."""
        opened = self.next_funding - self._contract.funding_interval
        return max(1, (self.time - opened) // 1_000_000_000)

    def funding_rate(self) -> Decimal:
        """What would be charged as of now: a fraction of the notional, 8 decimals."""
        if self.fixed_rate is not None:
            return self.fixed_rate
        contract = self._contract
        average = self._weighted // self._weights if self._weights else 0
        interest = to_units(contract.interest_rate) or 0
        rate = average + min(CLAMP, max(-CLAMP, interest - average))
        rate = rate * contract.funding_interval // (8 * HOUR)
        cap = to_units(contract.funding_cap) or 0
        return from_units(min(cap, max(-cap, rate)))

    def begin_interval(self) -> None:
        """The funding of `next_funding` was charged."""
        self.next_funding += self._contract.funding_interval
        self._weights = self._weighted = 0

    def saved(self) -> SavedMarks:
        return SavedMarks(
            mark=self.mark,
            index=self.index,
            held=self.held,
            fixed_rate=self.fixed_rate,
            time=self.time,
            next_funding=self.next_funding,
            basis=list(self._basis),
            weights=self._weights,
            weighted=self._weighted,
        )

    def restore(self, saved: SavedMarks) -> None:
        """As they were until the next look; a funding that fell due meanwhile is not made up for."""
        self.mark, self.index, self.time = saved.mark or self.mark, saved.index or self.index, saved.time
        self.held, self.fixed_rate = saved.held, saved.fixed_rate
        self._basis = deque(saved.basis, maxlen=BASIS_SECONDS)
        if saved.next_funding == self.next_funding:
            self._weights, self._weighted = saved.weights, saved.weighted

    def klines(self, of: str, interval: str, now: int, start: int | None, end: int | None, limit: int) -> list[Kline]:
        """`of` is mark, index or premium. Volumes are 0, trades are the seconds seen."""
        return [
            Kline(
                symbol=self._contract.symbol,
                interval=interval,
                open_time=bar.open_time,
                close_time=next_open(interval, bar.open_time) - 1_000_000,
                open=from_units(bar.open),
                high=from_units(bar.high),
                low=from_units(bar.low),
                close=from_units(bar.close),
                volume=Decimal(0),
                quote_volume=Decimal(0),
                trades=bar.trades,
                taker_base=Decimal(0),
                taker_quote=Decimal(0),
                first_trade_id=-1,
                last_trade_id=-1,
                is_closed=now >= next_open(interval, bar.open_time),
            )
            for bar in self.candles[of].bars(interval, now, limit, start, end)
        ]
