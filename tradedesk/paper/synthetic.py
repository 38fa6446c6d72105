"""The synthetic market: seeded order flow for several instruments, driven by the figures of a recording.

Each instrument has a fair bid that stands still and jumps, as the recorded touch does: jumps are drawn from the recording
and lean back to an anchor that wanders slowly about the start price. Makers keep the touch at the fair price, one tick
wide but for the moments the recording needed to close it; orders arrive, by distance from the touch, at the recorded
rates and leave again so that the recorded number of levels stands (Little's law); takers come in the recorded bursts,
sizes and runs of one side. A client's order in the way of the fair price is traded down by what takers bring and holds
the price until it is gone.

Other instruments than the recorded one are scaled: distances by price, sizes by value and a share of the activity.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from heapq import heappop, heappush
from math import sqrt, tanh
from random import Random

from tradedesk.paper.book import Book
from tradedesk.paper.figures import BTCUSDT
from tradedesk.paper.fit import Band, Fit, draw, mean
from tradedesk.paper.market import Action, Bar, Rest, Take, Withdraw
from tradedesk.paper.past import past
from tradedesk.paper.rows import Spec

SECOND = 1_000_000_000  # ns
MOST_RESTING = 6_000  # orders on one book; arrivals beyond are turned away (the figures need about 2,300)

START = {"BTCUSDT": Decimal("61837.63"), "ETHUSDT": Decimal("2683.50"), "SOLUSDT": Decimal("163.20")}
ACTIVITY = {"BTCUSDT": 1.0, "ETHUSDT": 0.6, "SOLUSDT": 0.4}  # arrivals, and sizes by value, against the recorded ones

# Far orders come a tenth (a fiftieth) as often as recorded and stay ten (fifty) times as long: the same depth for less work.
_PATIENCE = {1_000: 10.0, 10_000: 50.0}  # by the near edge of the band
_TOUCH_SHARE = 0.55  # of the touch that the makers of the fair price bring; the rest joins behind them
_ANCHOR_STEP = 0.25  # of the ten-second deviation, per jump
_ANCHOR_PULL = 0.0005  # towards the start price, per jump


def default_specs() -> list[Spec]:
    """The instruments of the demo, with the filters the venue publishes for them (exchangeInfo of 2024-08)."""
    return [
        _spec("BTC", "USDT", lot="0.00001", max_qty="9000", max_market_qty="100"),
        _spec("ETH", "USDT", lot="0.0001", max_qty="9000", max_market_qty="2000"),
        _spec("SOL", "USDT", lot="0.001", max_qty="90000", max_market_qty="10000"),
    ]


def _spec(base: str, quote: str, *, lot: str, max_qty: str, max_market_qty: str) -> Spec:
    return Spec(
        symbol=base + quote,
        base=base,
        quote=quote,
        tick=Decimal("0.01"),
        min_price=Decimal("0.01"),
        max_price=Decimal(1_000_000),
        lot=Decimal(lot),
        min_qty=Decimal(lot),
        max_qty=Decimal(max_qty),
        max_market_qty=Decimal(max_market_qty),
        min_notional=Decimal(5),
        max_notional=Decimal(9_000_000),
        bid_multiplier_up=Decimal(5),
        bid_multiplier_down=Decimal("0.2"),
        ask_multiplier_up=Decimal(5),
        ask_multiplier_down=Decimal("0.2"),
        max_orders=200,
    )


class Synthetic:
    """A Market that never ends. `prices` (symbol -> start price) adds to START or replaces its entries."""

    def __init__(
        self, specs: Sequence[Spec], seed: int, *, prices: Mapping[str, Decimal] | None = None, fit: Fit = BTCUSDT
    ) -> None:
        starts = {**START, **(prices or {})}
        missing = [spec.symbol for spec in specs if spec.symbol not in starts]
        if missing:
            raise ValueError(f"synthetic market: no start price for {', '.join(missing)}; give one in `prices`")
        self._flows = {spec.symbol: _Flow(spec, seed, starts[spec.symbol], fit) for spec in specs}

    @property
    def ended(self) -> bool:
        return False

    def opening(self, now: int) -> Iterable[Action]:
        for flow in self._flows.values():
            yield from flow.opening(now)

    def history(self, symbol: str, now: int) -> Sequence[tuple[int, Bar]]:
        return self._flows[symbol].history(now)

    def next_due(self) -> int | None:
        return min((flow.due() for flow in self._flows.values()), default=None)

    def act(self, now: int, books: Mapping[str, Book]) -> Iterator[Action]:
        while self._flows:
            flow = min(self._flows.values(), key=_Flow.due)
            if flow.due() > now:
                return
            yield from flow.act(books[flow.symbol])

    def taken(self, symbol: str, is_buy: bool, price: int, lots: int) -> None:
        """The makers see it on the book and mend it."""


class _Flow:
    """One instrument. Four clocks (takers, arrivals, jumps, mending) and the departures of orders; the earliest acts."""

    def __init__(self, spec: Spec, seed: int, start: Decimal, fit: Fit) -> None:
        self.symbol = spec.symbol
        self._seed = seed
        self._fit = fit
        self._rng = Random(f"{seed}:{spec.symbol}")
        self._start = int(start / spec.tick)
        recorded = Decimal(fit.price) * Decimal(fit.tick)
        self._activity = ACTIVITY.get(spec.symbol, 0.5)
        self._stretch = self._start / fit.price  # our ticks per recorded tick
        self._size = (
            float(recorded * Decimal(fit.lot) / (start * spec.lot)) * self._activity
        )  # our lots per recorded lot
        self._arrivals = [band.adds_per_s / _PATIENCE.get(band.near, 1.0) for band in fit.bands]
        self._fair = self._start  # the fair bid; the fair offer is one tick above
        self._anchor = float(self._start)
        self._taker_buys = True
        self._next_key = -1
        self._touch: dict[bool, list[int]] = {True: [], False: []}  # keys of what makers hold at the fair price
        self._leaving: list[tuple[int, int]] = []  # heap of (when, key)
        self._take_at = self._rest_at = self._jump_at = 0
        self._mend_at: int | None = None

    # -- the start ----------------------------------------------------------------------------------------------------
    def history(self, now: int) -> list[tuple[int, Bar]]:
        takes = self._fit.takes_per_s * self._activity * 60
        return past(
            Random(f"{self._seed}:{self.symbol}:past"),
            now,
            self._start,
            minute_sd=self._fit.sd_10s / self._fit.price * sqrt(6) * 0.6,
            lots=takes * mean(self._fit.take_lots) * self._size,
            trades=takes * 2.5,
        )

    def opening(self, now: int) -> Iterator[Action]:
        """The recorded number of levels, by band, and a touch."""
        self._take_at = self._rest_at = self._jump_at = now + 1
        self._schedule_take(now)
        self._schedule_rest(now)
        self._schedule_jump(now)
        for is_buy in (True, False):
            yield self._make_touch(is_buy, now)
        for band in self._fit.bands[1:]:
            for number in range(round(band.levels)):
                rest = self._arrival(band, number % 2 == 0, now)
                if rest is not None:
                    yield rest

    # -- the clocks ---------------------------------------------------------------------------------------------------
    def due(self) -> int:
        due = min(self._take_at, self._rest_at, self._jump_at)
        if self._mend_at is not None and self._mend_at < due:
            due = self._mend_at
        if self._leaving and self._leaving[0][0] < due:
            due = self._leaving[0][0]
        return due

    def act(self, book: Book) -> Iterator[Action]:
        at = self.due()
        if self._leaving and self._leaving[0][0] == at:
            key = heappop(self._leaving)[1]
            if book.get(key) is not None:
                yield Withdraw(self.symbol, at, key)
        elif self._mend_at == at:
            self._mend_at = None
            yield from self._mend(at, book)
        elif self._take_at == at:
            self._schedule_take(at)
            if self._rng.random() > self._fit.take_same_side:
                self._taker_buys = not self._taker_buys
            yield self._taker(self._taker_buys, at, self._fair, room=3_000)
        elif self._rest_at == at:
            self._schedule_rest(at)
            band = self._rng.choices(self._fit.bands, self._arrivals)[0]
            rest = self._arrival(band, self._rng.random() < 0.5, at) if len(book) < MOST_RESTING else None
            if rest is not None:
                yield rest
        else:
            self._schedule_jump(at)
            yield from self._jump(at, book)
        is_whole = book.best_bid() == self._fair and book.best_ask() == self._fair + 1
        if self._mend_at is None and not is_whole:
            self._mend_at = at + self._wait(self._fit.wide_ns)

    def _schedule_take(self, at: int) -> None:
        self._take_at = at + 1 + int(draw(self._fit.take_gap_ns, self._rng.random()) / self._activity)

    def _schedule_rest(self, at: int) -> None:
        self._rest_at = at + self._wait(SECOND / sum(self._arrivals) / self._activity)

    def _schedule_jump(self, at: int) -> None:
        self._jump_at = at + self._wait(SECOND / self._fit.moves_per_s)

    def _wait(self, mean_ns: float) -> int:
        return 1 + int(self._rng.expovariate(1 / mean_ns))

    # -- what happens -------------------------------------------------------------------------------------------------
    def _own(self, is_buy: bool) -> int:
        """The fair price of one side."""
        return self._fair if is_buy else self._fair + 1

    def _key(self) -> int:
        self._next_key -= 1
        return self._next_key

    def _lots(self, recorded: float) -> int:
        return max(1, round(recorded * self._size))

    def _make_touch(self, is_buy: bool, at: int) -> Rest:
        lots = self._lots(draw(self._fit.touch_lots, self._rng.random()) * _TOUCH_SHARE)
        rest = Rest(self.symbol, at, self._key(), is_buy, self._own(is_buy), lots)
        self._touch[is_buy].append(rest.key)
        return rest

    def _arrival(self, band: Band, is_buy: bool, at: int) -> Rest | None:
        """One order in this band, and when it will leave."""
        rng = self._rng
        lots = draw(band.lots, rng.random())
        distance = 0
        if band.near:
            distance = max(1, round(rng.uniform(band.near, band.far) * self._stretch))
            stay = band.levels / band.adds_per_s * _PATIENCE.get(band.near, 1.0)
        else:  # levels do not tell how long one order stays at the touch; how much stands there does
            joined = 2 * mean(self._fit.touch_lots) * (1 - _TOUCH_SHARE)
            stay = joined / (band.adds_per_s * mean(band.lots))
        price = self._own(is_buy) + (-distance if is_buy else distance)
        if price < 1:
            return None
        rest = Rest(self.symbol, at, self._key(), is_buy, price, self._lots(lots))
        heappush(self._leaving, (at + self._wait(stay * SECOND / self._activity), rest.key))
        if not distance:
            self._touch[is_buy].append(rest.key)
        return rest

    def _taker(self, is_buy: bool, at: int, fair: int, *, room: int) -> Take:
        """A taker that goes at most `room` recorded ticks past the fair price."""
        beyond = round(room * self._stretch)
        limit = max(1, fair + 1 + beyond if is_buy else fair - beyond)
        return Take(self.symbol, at, is_buy, limit, self._lots(draw(self._fit.take_lots, self._rng.random())))

    def _mend(self, at: int, book: Book) -> Iterator[Action]:
        """Makers close the gap to the fair price; a client's order on the wrong side of it is traded first."""
        best_bid, best_ask = book.best_bid(), book.best_ask()
        if best_bid is None or best_bid < self._fair:
            yield self._make_touch(True, at)
        if best_ask is None or best_ask > self._fair + 1:
            yield self._make_touch(False, at)
        best_bid, best_ask = book.best_bid(), book.best_ask()
        if self._rng.random() < 0.5:  # it did not give way: sometimes the market does
            if best_ask is not None and best_ask <= self._fair:
                self._fair = best_ask - 1
            elif best_bid is not None and best_bid > self._fair:
                self._fair = best_bid

    def _jump(self, at: int, book: Book) -> Iterator[Action]:
        """The fair price moves: a taker comes, makers in the way withdraw, those left behind follow."""
        fit, rng = self._fit, self._rng
        sd = fit.sd_10s * self._stretch
        self._anchor += rng.gauss(0, _ANCHOR_STEP * sd) + (self._start - self._anchor) * _ANCHOR_PULL
        rises = rng.random() < 0.5 + 0.25 * tanh((self._anchor - self._fair) / (3 * sd))
        ticks = max(1, round(draw(fit.move_ticks, rng.random()) * self._stretch))
        target = max(self._fair + (ticks if rises else -ticks), self._start // 10, 1)

        yield self._taker(rises, at, target, room=0)
        for key in book.flow_keys(not rises, target if rises else target + 1):
            yield Withdraw(self.symbol, at, key)
        if rises:
            wall = book.best_ask()
            target = target if wall is None else min(target, wall - 1)
        else:
            wall = book.best_bid()
            target = target if wall is None else max(target, wall)
        if target != self._fair:
            for is_buy in (True, False):
                for key in self._touch[is_buy]:
                    if book.get(key) is not None:
                        yield Withdraw(self.symbol, at, key)
                self._touch[is_buy].clear()
            self._fair = target
