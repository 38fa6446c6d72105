"""What a recording says about its order flow: spread, touch, depth profile, order and trade sizes, arrival rates, moves.

`measure` reads a recording and returns the figures; `figures.py` holds those of a real recording,
which drive the synthetic market. The recording itself is not part of the program.
"""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from decimal import Decimal
from itertools import pairwise
from math import exp, log, sqrt

from msgspec import Struct

from tradedesk.recording.records import DepthUpdate, Record, Snapshot, TouchSeen, TradeSeen

SHARES = (0.0, 0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.999, 1.0)
EDGES = (1, 10, 100, 1_000, 10_000, 40_000)  # ticks from the touch; a band reaches from one edge to the next
SECOND = 1_000_000_000  # ns
ONE_TAKER = 1_000_000  # ns; prints of one side closer than this are one taker's order
GLANCE = 100_000_000  # ns; the distance at which moves of the touch are counted

Quantiles = tuple[float, ...]  # the values at SHARES


class Band(Struct, frozen=True, kw_only=True):
    """Orders that stand within one band of distances from the touch, both sides together."""

    near: int  # ticks, included
    far: int  # ticks, not included
    adds_per_s: float  # orders that arrive
    levels: float  # prices that are occupied, on average
    lots: Quantiles  # size of one arrival


class Fit(Struct, frozen=True, kw_only=True):
    """The figures of one recording. Prices and distances in ticks, quantities in lots, times in ns."""

    source: str
    tick: str  # quote units
    lot: str  # base units
    price: int  # middle at the start
    seconds: float
    one_tick_share: float  # of the time, the spread is one tick
    wide_ns: float  # how long it stays wider, on average
    touch_lots: Quantiles
    takes_per_s: float
    take_gap_ns: Quantiles
    take_lots: Quantiles
    take_same_side: float  # share of takers on the same side as the one before
    moves_per_s: float  # glances that find the middle moved
    move_ticks: Quantiles
    sd_10s: float  # ticks; standard deviation of the middle's change in ten seconds
    bands: tuple[Band, ...]


def quantiles(values: Sequence[float]) -> Quantiles:
    """The values at SHARES; all 0 if there is none."""
    ordered = sorted(values) or [0]
    return tuple(float(ordered[int(share * (len(ordered) - 1))]) for share in SHARES)


def draw(table: Quantiles, share: float) -> float:
    """The value at `share` (0 to 1), between the known ones by their logarithms: sizes and gaps span many powers of ten."""
    index = min(bisect_right(SHARES, share), len(SHARES) - 1)
    low, high = max(table[index - 1], 1e-9), max(table[index], 1e-9)
    if low == high:
        return low
    part = (share - SHARES[index - 1]) / (SHARES[index] - SHARES[index - 1])
    return exp(log(low) + part * (log(high) - log(low)))


def mean(table: Quantiles) -> float:
    """The average of what `draw` gives, exactly: the log-linear pieces integrated."""
    total = 0.0
    for (left, right), (low, high) in zip(pairwise(SHARES), pairwise([max(v, 1e-9) for v in table]), strict=True):
        piece = low if low == high else (high - low) / log(high / low)
        total += (right - left) * piece
    return total


def measure(records: Iterable[Record], *, source: str, tick: Decimal, lot: Decimal) -> Fit:
    """The figures of a recording with depth, trades and book ticker. Raises ValueError if one of them is missing."""
    touches: list[tuple[int, int, int]] = []  # (at, bid, ask)
    touch_lots: list[float] = []
    takers: list[_Taker] = []
    depth = _DepthSeen(tick, lot)
    for record in records:
        if isinstance(record, TouchSeen):
            touches.append((record.at, int(record.bid / tick), int(record.ask / tick)))
            touch_lots += (float(record.bid_qty / lot), float(record.ask_qty / lot))
        elif isinstance(record, TradeSeen):
            lots = float(record.quantity / lot)
            last = takers[-1] if takers else None
            if last and last.sells == record.buyer_is_maker and record.at - last.at < ONE_TAKER:
                last.lots += lots
            else:
                takers.append(_Taker(record.at, record.buyer_is_maker, lots))
        elif isinstance(record, Snapshot):
            depth.snapshot(record)
        elif isinstance(record, DepthUpdate):
            depth.update(record)
    if len(touches) < 2 or len(takers) < 3 or not depth.glances:
        raise ValueError(f"{source}: depth with its snapshot, trades and book ticker are all needed for a fit")

    seconds = (touches[-1][0] - touches[0][0]) / SECOND
    wide, episodes = _wide(touches)
    middles = _glances(touches, GLANCE)
    moves = [abs(after - before) for before, after in pairwise(middles) if after != before]
    tens = [after - before for before, after in pairwise(middles[::100])]
    return Fit(
        source=source,
        tick=str(tick),
        lot=str(lot),
        price=int(middles[0]),
        seconds=round(seconds, 1),
        one_tick_share=round(1 - wide / (seconds * SECOND), 4),
        wide_ns=round(wide / max(episodes, 1)),
        touch_lots=quantiles(touch_lots),
        takes_per_s=round(len(takers) / seconds, 2),
        take_gap_ns=quantiles([after.at - before.at for before, after in pairwise(takers)]),
        take_lots=quantiles([taker.lots for taker in takers]),
        take_same_side=round(sum(a.sells == b.sells for a, b in pairwise(takers)) / (len(takers) - 1), 2),
        moves_per_s=round(len(moves) / seconds, 2),
        move_ticks=quantiles(moves),
        sd_10s=round(sqrt(sum(x * x for x in tens) / max(len(tens), 1))),
        bands=depth.bands(),
    )


class _Taker:
    __slots__ = ("at", "lots", "sells")

    def __init__(self, at: int, sells: bool, lots: float) -> None:
        self.at = at
        self.sells = sells
        self.lots = lots


class _DepthSeen:
    """The book of the recording, and what arrived in it, by distance from the touch."""

    def __init__(self, tick: Decimal, lot: Decimal) -> None:
        self._tick = tick
        self._lot = lot
        self._sides: tuple[dict[int, int], dict[int, int]] = ({}, {})  # by rank: price, negated for asks
        self._arrived: list[list[float]] = [[] for _ in EDGES]
        self._occupied = [0] * len(EDGES)
        self._snapshot_id: int | None = None
        self._first_at = self._last_at = 0
        self.glances = 0

    def snapshot(self, record: Snapshot) -> None:
        for side, sign, levels in zip(self._sides, (1, -1), (record.bids, record.asks), strict=True):
            side.update({sign * int(price / self._tick): int(quantity / self._lot) for price, quantity in levels})
        self._snapshot_id = record.last_id

    def update(self, record: DepthUpdate) -> None:
        if self._snapshot_id is None or record.last_id <= self._snapshot_id:
            return
        self._first_at = self._first_at or record.at
        self._last_at = record.at
        self.glances += 1
        for side, sign, levels in zip(self._sides, (1, -1), (record.bids, record.asks), strict=True):
            best = max(side)
            for price, quantity in levels:
                rank, lots = sign * int(price / self._tick), int(quantity / self._lot)
                more = lots - side.get(rank, 0)
                if lots:
                    side[rank] = lots
                else:
                    side.pop(rank, None)
                band = bisect_right(EDGES, best - rank)
                if more > 0 and band < len(EDGES):
                    self._arrived[band].append(more)
            if self.glances % 20 == 0:
                best = max(side)
                for rank in side:
                    band = bisect_right(EDGES, best - rank)
                    if band < len(EDGES):
                        self._occupied[band] += 1

    def bands(self) -> tuple[Band, ...]:
        seconds = max((self._last_at - self._first_at) / SECOND, 1e-9)
        looks = max(self.glances // 20, 1)
        return tuple(
            Band(
                near=near,
                far=far,
                adds_per_s=round(len(arrived) / seconds, 2),
                levels=round(occupied / looks, 1),
                lots=quantiles(arrived),
            )
            for near, far, arrived, occupied in zip((0, *EDGES[:-1]), EDGES, self._arrived, self._occupied, strict=True)
        )


def _wide(touches: list[tuple[int, int, int]]) -> tuple[int, int]:
    """(ns during which the spread was over one tick, how many times it began to be)."""
    wide = episodes = 0
    was_wide = False
    for (at, bid, ask), (until, _, _) in pairwise(touches):
        is_wide = ask - bid > 1
        if is_wide:
            wide += until - at
            episodes += not was_wide
        was_wide = is_wide
    return wide, episodes


def _glances(touches: list[tuple[int, int, int]], every: int) -> list[float]:
    """The middle (ticks) at regular times."""
    middles: list[float] = []
    due = touches[0][0]
    for (_, bid, ask), (until, _, _) in pairwise(touches):
        while due < until:
            middles.append((bid + ask) / 2)
            due += every
    return middles
