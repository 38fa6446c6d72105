"""Matching engines beside ours, of the same shape and written for this comparison only: one on sortedcontainers, one on lists.

All take the same flow of whole ticks and lots, know orders by their number, keep price-time priority and the total of each
price, and return every match as (order, price, lots). None checks, books or tells anything.
"""

import importlib
import random
from bisect import bisect_left, insort
from collections.abc import Sequence
from typing import Any, Protocol

from msgspec import Struct

PASSIVE, AGGRESSIVE, CANCEL = "rest", "take", "cancel"
MIX = (60, 25, 15)  # per cent
MIDDLE, AWAY = 100_000, 50  # ticks


class Operation(Struct, frozen=True, gc=False):
    """One request of the flow. `order` is its own number, or that of the order to be cancelled."""

    kind: str
    order: int
    is_buy: bool
    price: int  # ticks
    lots: int


def flow(seed: int, count: int) -> list[Operation]:
    """Passive orders near the middle, aggressive ones that take what is best, cancels of orders that may be gone."""
    chance = random.Random(seed)
    operations: list[Operation] = []
    for number in range(count):
        kind = chance.choices((PASSIVE, AGGRESSIVE, CANCEL), MIX)[0]
        is_buy = chance.random() < 0.5
        away = chance.randint(1, AWAY)
        price = MIDDLE - away if is_buy else MIDDLE + away
        order = chance.randrange(max(0, number - 2_000), number) if kind == CANCEL and number else number
        operations.append(Operation(kind, order, is_buy, price, chance.randint(1, 20)))
    return operations


class Engine(Protocol):
    def rest(self, order: int, is_buy: bool, price: int, lots: int) -> object: ...
    def match(self, is_buy: bool, limit: int | None, lots: int) -> Sequence[object]: ...
    def withdraw(self, order: int) -> object: ...


def run(engine: Engine, operations: list[Operation]) -> int:
    """Send the flow through it; returns the matches made."""
    matches = 0
    for op in operations:
        if op.kind == PASSIVE:
            engine.rest(op.order, op.is_buy, op.price, op.lots)
        elif op.kind == AGGRESSIVE:
            matches += len(engine.match(op.is_buy, None, op.lots))
        else:
            engine.withdraw(op.order)
    return matches


class Sorted:
    """Prices in a SortedDict per side, each with its queue."""

    def __init__(self) -> None:
        sorted_dict = importlib.import_module("sortedcontainers").SortedDict  # no dependency of ours
        self._sides: tuple[Any, Any] = (sorted_dict(), sorted_dict())  # asks by price, bids by negated price
        self._orders: dict[int, tuple[bool, int]] = {}

    def rest(self, order: int, is_buy: bool, price: int, lots: int) -> None:
        key = -price if is_buy else price
        level = self._sides[is_buy].get(key)
        if level is None:
            level = self._sides[is_buy][key] = [0, {}]
        level[0] += lots
        level[1][order] = lots
        self._orders[order] = (is_buy, key)

    def withdraw(self, order: int) -> None:
        place = self._orders.pop(order, None)
        if place is None:
            return
        is_buy, key = place
        level = self._sides[is_buy][key]
        level[0] -= level[1].pop(order)
        if not level[1]:
            del self._sides[is_buy][key]

    def match(self, is_buy: bool, limit: int | None, lots: int) -> list[tuple[int, int, int]]:
        side, matches = self._sides[not is_buy], []
        sign = 1 if is_buy else -1
        while lots and side:
            key, level = side.peekitem(0)
            if limit is not None and key > limit * sign:
                break
            gone = []
            for order, leaves in level[1].items():
                take = min(leaves, lots)
                matches.append((order, key * sign, take))
                lots -= take
                level[0] -= take
                if take == leaves:
                    gone.append(order)
                else:
                    level[1][order] = leaves - take
                if not lots:
                    break
            for order in gone:
                del level[1][order]
                del self._orders[order]
            if not level[1]:
                del side[key]
        return matches


class Listed:
    """Every order of a side in one sorted list, the best last; the totals of the prices beside it."""

    def __init__(self) -> None:
        self._sides: tuple[list[tuple[int, int]], list[tuple[int, int]]] = ([], [])  # (rank, -order)
        self._totals: tuple[dict[int, int], dict[int, int]] = ({}, {})
        self._orders: dict[int, list[int]] = {}  # [is_buy, rank, leaves]

    def rest(self, order: int, is_buy: bool, price: int, lots: int) -> None:
        rank = price if is_buy else -price
        insort(self._sides[is_buy], (rank, -order))
        self._totals[is_buy][rank] = self._totals[is_buy].get(rank, 0) + lots
        self._orders[order] = [is_buy, rank, lots]

    def withdraw(self, order: int) -> None:
        place = self._orders.pop(order, None)
        if place is None:
            return
        is_buy, rank, leaves = place
        side = self._sides[is_buy]
        del side[bisect_left(side, (rank, -order))]
        self._less(is_buy, rank, leaves)

    def match(self, is_buy: bool, limit: int | None, lots: int) -> list[tuple[int, int, int]]:
        opposite = not is_buy
        side, matches = self._sides[opposite], []
        sign = 1 if opposite else -1
        while lots and side:
            rank, negated = side[-1]
            if limit is not None and rank < limit * sign:
                break
            place = self._orders[-negated]
            take = min(place[2], lots)
            matches.append((-negated, rank * sign, take))
            lots -= take
            place[2] -= take
            self._less(opposite, rank, take)
            if not place[2]:
                side.pop()
                del self._orders[-negated]
        return matches

    def _less(self, is_buy: int, rank: int, lots: int) -> None:
        totals = self._totals[is_buy]
        left = totals[rank] - lots
        if left:
            totals[rank] = left
        else:
            del totals[rank]
