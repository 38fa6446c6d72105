"""The synthetic market: seeded order flow for many instruments, driven by the figures of a recording.

Each instrument has a fair bid that stands still and jumps, as the recorded touch does: jumps are drawn from the recording
and lean back to an anchor, the start price moved by the common `driver`, so that instruments rise and fall together and
the futures contract of a base asset stays within a small basis of its spot pair. Makers keep the touch at the fair price,
one tick wide but for the moments the recording needed to close it; orders arrive, by distance from the touch, at the
recorded rates and leave again so that the recorded number of levels stands (Little's law); takers come in the recorded
bursts, sizes and runs of one side. A client's order in the way of the fair price is traded down by what takers bring and
holds the price until it is gone.

Other instruments than the recorded one are scaled: distances by price, sizes by value and a share of the activity. The
shares fall with the rank as a power law and, beyond the first three, add up to no more than _TAIL however many there are:
so do the events a second, the orders on the books and the work.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from heapq import heapify, heappop, heappush, heapreplace
from math import exp, sqrt, tanh
from random import Random

from tradedesk.paper import listing
from tradedesk.paper.book import Book
from tradedesk.paper.driver import Driver
from tradedesk.paper.figures import BTCUSDT
from tradedesk.paper.fit import Band, Fit, draw, mean
from tradedesk.paper.market import Action, Bar, Rest, Take, Withdraw
from tradedesk.paper.past import Common, Past
from tradedesk.paper.rows import Spec

SECOND = 1_000_000_000  # ns
MOST_RESTING = 6_000  # orders on one book; arrivals beyond are turned away (the figures need about 2,300)

_BUSIEST = {"BTCUSDT": 1.0, "ETHUSDT": 0.6, "SOLUSDT": 0.4}  # arrivals against the recorded ones
_TAIL = 2.0  # what the activities of all others add up to, at most
_STEEPNESS = 1.1  # of the power law
_LEAST_ACTIVITY = 0.005
_LEAST_SIZE = 0.05  # of the recorded sizes, by value
_LEAST_DEPTH = 0.06  # of the recorded number of levels

# Far orders come a tenth (a fiftieth) as often as recorded and stay ten (fifty) times as long: the same depth for less work.
_PATIENCE = {1_000: 10.0, 10_000: 50.0}  # by the near edge of the band
_TOUCH_SHARE = 0.55  # of the touch that the makers of the fair price bring; the rest joins behind them
_DRIVEN = 0.7  # of the recorded deviation that the driver brings; the jumps about the anchor bring the rest
_LEAN = 1.0  # ten-second deviations away from the anchor at which jumps go three quarters of the way they can lean
_BASIS = 0.0006  # of the price; the futures market's distance from the driver, seldom more

SPOT, FUTURES = "spot", "usdm"

default_specs = listing.default_specs  # the instruments that a synthetic market knows by itself


def activity(symbol: str, count: int) -> float:
    """Arrivals of an instrument against the recorded ones, in a market of `count` instruments."""
    known = _BUSIEST.get(symbol)
    if known is not None:
        return known
    place = listing.rank(symbol)
    whole = sum((number + 1) ** -_STEEPNESS for number in range(3, max(count, 4)))
    share = ((place if place is not None and place < count else count) + 1) ** -_STEEPNESS
    return float(max(_LEAST_ACTIVITY, min(0.4, _TAIL * share / whole)))


class Synthetic:
    """A Market that never ends. `prices` (symbol -> start price) goes before the listed ones.

    `kind` tells the futures market from the spot market of the same seed: another flow, led by the same driver.
    """

    def __init__(
        self,
        specs: Sequence[Spec],
        seed: int,
        *,
        prices: Mapping[str, Decimal] | None = None,
        fit: Fit = BTCUSDT,
        kind: str = SPOT,
    ) -> None:
        starts = {spec.symbol: (prices or {}).get(spec.symbol) or listing.start_price(spec.symbol) for spec in specs}
        missing = [symbol for symbol, start in starts.items() if start is None]
        if missing:
            raise ValueError(f"synthetic market: no start price for {', '.join(missing)}; give one in `prices`")
        driver = Driver(seed)
        self._common = Common(seed)
        self._flows = {
            spec.symbol: _Flow(
                spec,
                f"{seed}:{spec.symbol}" if kind == SPOT else f"{seed}:{kind}:{spec.symbol}",
                start,
                fit,
                activity=activity(spec.symbol, len(specs)),
                driver=driver,
                basis=_BASIS if kind == FUTURES else 0.0,
            )
            for spec in specs
            if (start := starts[spec.symbol]) is not None
        }
        self._due: list[tuple[int, int, _Flow]] = []  # heap of (when, place, flow)

    @property
    def ended(self) -> bool:
        return False

    def opening(self, now: int) -> Iterable[Action]:
        for flow in self._flows.values():
            yield from flow.opening(now)
        self._due = [(flow.due(), place, flow) for place, flow in enumerate(self._flows.values())]
        heapify(self._due)

    def history(self, symbol: str, now: int, longest: int, since: int, until: int) -> Iterable[tuple[int, Bar]]:
        return self._flows[symbol].past(now, self._common).bars(longest, since, until)

    def next_due(self) -> int | None:
        return self._due[0][0] if self._due else None

    def act(self, now: int, books: Mapping[str, Book]) -> Iterator[Action]:
        while self._due and self._due[0][0] <= now:
            _, place, flow = self._due[0]
            yield from flow.act(books[flow.symbol])
            heapreplace(self._due, (flow.due(), place, flow))

    def taken(self, symbol: str, is_buy: bool, price: int, lots: int) -> None:
        """The makers see it on the book and mend it."""


class _Flow:
    """One instrument. Four clocks (takers, arrivals, jumps, mending) and the departures of orders; the earliest acts."""

    def __init__(
        self,
        spec: Spec,
        seed: str,
        start: Decimal,
        fit: Fit,
        *,
        activity: float,
        driver: Driver,
        basis: float,
    ) -> None:
        self.symbol = spec.symbol
        self._base = spec.base
        self._seed = seed
        self._fit = fit
        self._rng = Random(seed)
        self._start = max(1, int(start / spec.tick))
        recorded = Decimal(fit.price) * Decimal(fit.tick)
        self._activity = activity
        self._restless = max(0.05, sqrt(activity)) if activity < 0.4 else 1.0  # jumps against the recorded ones
        self._stretch = self._start / fit.price  # our ticks per recorded tick
        self._size = float(recorded * Decimal(fit.lot) / (start * spec.lot)) * max(_LEAST_SIZE, activity)
        self._depth = min(1.0, max(_LEAST_DEPTH, 2.5 * activity))  # levels against the recorded ones
        self._arrivals = [band.adds_per_s / _PATIENCE.get(band.near, 1.0) for band in fit.bands]
        self._driver = driver
        self._driven = _DRIVEN * fit.sd_10s / fit.price / sqrt(10)  # one unit of the driver as a share of the price
        self._basis = basis
        self._opened_at = 0
        self._past: Past | None = None
        self._fair = self._start  # the fair bid; the fair offer is one tick above
        self._taker_buys = True
        self._next_key = -1
        self._touch: dict[bool, list[int]] = {True: [], False: []}  # keys of what makers hold at the fair price
        self._leaving: list[tuple[int, int]] = []  # heap of (when, key)
        self._take_at = self._rest_at = self._jump_at = 0
        self._mend_at: int | None = None

    # -- the start ----------------------------------------------------------------------------------------------------
    def past(self, now: int, common: Common) -> Past:
        """What was before `now`; always the same."""
        if self._past is None:
            takes = self._fit.takes_per_s * self._activity * 60
            self._past = Past(
                f"{self._seed}:past",
                now,
                self._start,
                minute_sd=self._fit.sd_10s / self._fit.price * sqrt(6) * 0.6,
                lots=takes * mean(self._fit.take_lots) * self._size,
                trades=takes * 2.5,
                common=common,
                share=self._driver.shares(self._base)[0],
            )
        return self._past

    def opening(self, now: int) -> Iterator[Action]:
        """The recorded number of levels, by band, and a touch."""
        self._opened_at = self._take_at = self._rest_at = self._jump_at = now + 1
        self._schedule_take(now)
        self._schedule_rest(now)
        self._schedule_jump(now)
        for is_buy in (True, False):
            yield self._make_touch(is_buy, now)
        for band in self._fit.bands[1:]:
            for number in range(round(band.levels * self._depth)):
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
        self._jump_at = at + self._wait(SECOND / self._fit.moves_per_s / self._restless)

    def _wait(self, mean_ns: float) -> int:
        return 1 + int(self._rng.expovariate(1 / mean_ns))

    # -- what happens -------------------------------------------------------------------------------------------------
    def _own(self, is_buy: bool) -> int:
        """The fair price of one side."""
        return self._fair if is_buy else self._fair + 1

    def _anchor(self, at: int) -> float:
        """Where the driver has led the fair price, in ticks."""
        offset = self._driver.offset(self._base, at) - self._driver.offset(self._base, self._opened_at)
        basis = self._basis * self._driver.basis(self._base, at) if self._basis else 0.0
        return self._start * exp(self._driven * offset + basis)

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
            stay = band.levels * self._depth / band.adds_per_s * _PATIENCE.get(band.near, 1.0)
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
        gap = (self._anchor(at) - self._fair) / (fit.sd_10s * self._stretch)
        rises = rng.random() < 0.5 + 0.5 * tanh(gap / _LEAN)
        way = draw(fit.move_ticks, rng.random()) * self._stretch / self._restless**0.5
        ticks = int(way + rng.random())  # a way that is finer than the tick is gone now and then
        if not ticks:
            return
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
