"""One instrument's order book: price-time priority in whole ticks and lots, and the numbered changes of its levels.

Everything is an int (price in ticks, quantity in lots), so matching is exact and cheap; whoever owns the book turns them
into Decimal at the edge. An order with an owner is a client's, one without belongs to the flow of everyone else.

An iceberg shows a part of itself. When that part is gone, the next one joins the queue at its end; what is hidden trades
only then, though no depth and no event tells of it.
"""

from bisect import bisect_left, insort
from collections.abc import Iterator

from msgspec import Struct


class Resting:
    """An order on the book. `leaves` falls as it trades; at 0 it is gone, unless it hides more."""

    __slots__ = ("is_buy", "key", "leaves", "owner", "price")

    hidden = 0  # lots; above 0 for an iceberg only

    def __init__(self, key: int, is_buy: bool, price: int, leaves: int, owner: object | None) -> None:
        self.key = key
        self.is_buy = is_buy
        self.price = price  # ticks
        self.leaves = leaves  # lots
        self.owner = owner


class Iceberg(Resting):
    """An order of which at most `peak` lots show at a time; `leaves` is what shows now."""

    __slots__ = ("hidden", "peak")

    def __init__(self, key: int, is_buy: bool, price: int, lots: int, owner: object | None, peak: int) -> None:
        super().__init__(key, is_buy, price, min(peak, lots), owner)
        self.peak = peak
        self.hidden = lots - self.leaves


class Match(Struct, frozen=True, gc=False):
    """One trade: the resting order it was with, at that order's price."""

    resting: Resting
    price: int  # ticks
    lots: int


class Level:
    """The queue at one price, first come first served (a dict keeps its order and forgets in O(1))."""

    __slots__ = ("hidden", "orders", "total")

    def __init__(self) -> None:
        self.orders: dict[int, Resting] = {}
        self.total = 0  # lots that show
        self.hidden = 0  # lots that do not


class _Ladder:
    """One side. A rank is the price of a bid and the negated price of an ask: the best rank is always the highest."""

    __slots__ = ("changed", "levels", "ranks", "sign")

    def __init__(self, sign: int) -> None:
        self.sign = sign
        self.levels: dict[int, Level] = {}  # by rank
        self.ranks: list[int] = []  # ascending, the best last
        self.changed: set[int] = set()  # ranks whose quantity changed since the last take

    def level(self, rank: int) -> Level:
        level = self.levels.get(rank)
        if level is None:
            level = self.levels[rank] = Level()
            insort(self.ranks, rank)
        return level

    def remove(self, rank: int) -> None:
        del self.levels[rank]
        if self.ranks[-1] == rank:
            self.ranks.pop()
        else:
            del self.ranks[bisect_left(self.ranks, rank)]

    def top(self, limit: int) -> list[tuple[int, int]]:
        """(price, lots) of the best `limit` levels, best first."""
        return [(rank * self.sign, self.levels[rank].total) for rank in self.ranks[: -limit - 1 : -1]]


class Book:
    """Two ladders, and one number that grows by one with every change of a level's quantity."""

    def __init__(self, first_update_id: int, name: str = "", touched: dict[str, None] | None = None) -> None:
        """`touched` is told the name whenever the book changes, so that nobody has to look at books that did not."""
        self._name = name
        self._touched = {} if touched is None else touched
        self.update_id = first_update_id
        self._taken_id = first_update_id
        self._bids = _Ladder(1)
        self._asks = _Ladder(-1)
        self._orders: dict[int, Resting] = {}

    # -- looking ------------------------------------------------------------------------------------------------------
    def __len__(self) -> int:
        return len(self._orders)

    def get(self, key: int) -> Resting | None:
        return self._orders.get(key)

    def best_bid(self) -> int | None:
        return self._bids.ranks[-1] if self._bids.ranks else None

    def best_ask(self) -> int | None:
        return -self._asks.ranks[-1] if self._asks.ranks else None

    def depth(self, is_buy: bool, limit: int) -> list[tuple[int, int]]:
        """(price, lots) of the best `limit` levels of one side, best first."""
        return (self._bids if is_buy else self._asks).top(limit)

    def lots_at(self, is_buy: bool, price: int) -> int:
        ladder = self._bids if is_buy else self._asks
        level = ladder.levels.get(price * ladder.sign)
        return level.total if level else 0

    def flow_lots_at(self, is_buy: bool, price: int) -> int:
        """Lots of the flow at this price, clients' orders left out."""
        ladder = self._bids if is_buy else self._asks
        level = ladder.levels.get(price * ladder.sign)
        return sum(o.leaves for o in level.orders.values() if o.owner is None) if level else 0

    def flow_keys(self, is_buy: bool, price: int) -> list[int]:
        """The flow's orders of one side at `price` or better."""
        ladder = self._bids if is_buy else self._asks
        reached = ladder.ranks[bisect_left(ladder.ranks, price * ladder.sign) :]
        return [o.key for rank in reached for o in ladder.levels[rank].orders.values() if o.owner is None]

    def would_take(self, is_buy: bool, price: int) -> bool:
        """Whether an order at this price meets the other side."""
        ranks = self._asks.ranks if is_buy else self._bids.ranks
        return bool(ranks) and ranks[-1] >= (-price if is_buy else price)

    def front(self, is_buy: bool, limit: int | None) -> Resting | None:
        """The next order a taker would meet down to its limit; None if there is none."""
        ladder = self._asks if is_buy else self._bids
        if not ladder.ranks:
            return None
        rank = ladder.ranks[-1]
        if limit is not None and rank < limit * ladder.sign:
            return None
        return next(iter(ladder.levels[rank].orders.values()))

    def queues(self, is_buy: bool, limit: int | None) -> Iterator[list[Resting]]:
        """The queues a taker would meet down to its limit, best price first."""
        ladder = self._asks if is_buy else self._bids
        floor = None if limit is None else limit * ladder.sign
        for rank in reversed(ladder.ranks):
            if floor is not None and rank < floor:
                return
            yield list(ladder.levels[rank].orders.values())

    def _opposite(self, is_buy: bool, limit: int | None) -> Iterator[tuple[int, int]]:
        """(price, lots) a taker would meet down to its limit, best first; what is hidden counts."""
        ladder = self._asks if is_buy else self._bids
        floor = None if limit is None else limit * ladder.sign
        for rank in reversed(ladder.ranks):
            if floor is not None and rank < floor:
                return
            level = ladder.levels[rank]
            yield rank * ladder.sign, level.total + level.hidden

    def available(self, is_buy: bool, limit: int | None, lots: int) -> tuple[int, int]:
        """What a taker of `lots` would get now: (lots, sum of price x lots)."""
        got = cost = 0
        for price, total in self._opposite(is_buy, limit):
            take = min(total, lots - got)
            got += take
            cost += take * price
            if got == lots:
                break
        return got, cost

    def affordable(self, is_buy: bool, amount: int) -> tuple[int, int]:
        """The lots whose price x lots adds up to at most `amount`: (lots, sum of price x lots)."""
        got = cost = 0
        for price, total in self._opposite(is_buy, None):
            take = min(total, (amount - cost) // price)
            got += take
            cost += take * price
            if take < total:
                break
        return got, cost

    # -- changing -----------------------------------------------------------------------------------------------------
    def rest(
        self, key: int, is_buy: bool, price: int, lots: int, owner: object | None = None, peak: int = 0
    ) -> Resting:
        """Put an order at the end of its queue. The caller has matched it first. `peak` above 0 makes it an iceberg."""
        ladder = self._bids if is_buy else self._asks
        rank = price * ladder.sign
        level = ladder.level(rank)
        if peak:
            order: Resting = Iceberg(key, is_buy, price, lots, owner, peak)
            level.hidden += order.hidden
            lots = order.leaves
        else:
            order = Resting(key, is_buy, price, lots, owner)
        level.orders[key] = order
        level.total += lots
        self._orders[key] = order
        self._note(ladder, rank)
        return order

    def withdraw(self, key: int) -> Resting | None:
        """Take an order off the book; None if it is not there any more."""
        order = self._orders.get(key)
        if order is not None:
            self._forget_hidden(order, order.hidden)
            self._shrink(order, order.leaves)
        return order

    def reduce(self, key: int, lots: int) -> None:
        """Make an order smaller by `lots` (fewer than it has), in its place; what is hidden goes first."""
        order = self._orders[key]
        unseen = min(order.hidden, lots)
        self._forget_hidden(order, unseen)
        if lots > unseen:
            self._shrink(order, lots - unseen)

    def match(self, is_buy: bool, limit: int | None, lots: int) -> list[Match]:
        """Trade up to `lots` against the other side, best price first, then first come first served."""
        ladder = self._asks if is_buy else self._bids
        floor = None if limit is None else limit * ladder.sign
        matches: list[Match] = []
        while lots and ladder.ranks:
            rank = ladder.ranks[-1]
            if floor is not None and rank < floor:
                break
            lots = self._match_level(ladder, rank, lots, matches)
        return matches

    def match_at(self, is_buy: bool, price: int, lots: int) -> list[Match]:
        """Trade up to `lots` in the queue of this one price, whatever stands before it."""
        ladder = self._asks if is_buy else self._bids
        matches: list[Match] = []
        if price * ladder.sign in ladder.levels:
            self._match_level(ladder, price * ladder.sign, lots, matches)
        return matches

    def match_owned(self, is_buy: bool, limit: int, lots: int) -> list[Match]:
        """Trade up to `lots` with clients' orders at `limit` or better only; the flow's own orders stay."""
        ladder = self._asks if is_buy else self._bids
        floor = limit * ladder.sign
        reached = ladder.ranks[bisect_left(ladder.ranks, floor) :]
        matches: list[Match] = []
        for rank in reversed(reached):
            level = ladder.levels[rank]
            while owned := [o for o in level.orders.values() if o.owner is not None]:  # again where an iceberg refills
                for order in owned:
                    take = min(order.leaves, lots)
                    matches.append(Match(order, order.price, take))
                    self._shrink(order, take)
                    lots -= take
                    if not lots:
                        return matches
        return matches

    def set_flow(self, key: int, is_buy: bool, price: int, lots: int) -> None:
        """Make the flow's quantity at this price `lots`: more joins at the end under `key`, less leaves from the end.

        So what stands before a client's order shrinks last, which is the cautious guess where a recording does not say.
        """
        ladder = self._bids if is_buy else self._asks
        rank = price * ladder.sign
        change = lots - self.flow_lots_at(is_buy, price)
        if change > 0:
            level = ladder.level(rank)
            last = next(reversed(level.orders.values()), None)
            if last is not None and last.owner is None:
                last.leaves += change
                level.total += change
                self._note(ladder, rank)
            else:
                self.rest(key, is_buy, price, change)
        elif change < 0:
            for order in reversed(list(ladder.levels[rank].orders.values())):
                if order.owner is None:
                    less = min(order.leaves, -change)
                    self._shrink(order, less)
                    change += less
                    if not change:
                        break

    def take_changes(self) -> tuple[int, int, list[tuple[int, int]], list[tuple[int, int]]] | None:
        """(first id, last id, bids, asks) changed since the last take, as (price, lots), 0 where a level is gone."""
        if self.update_id == self._taken_id:
            return None
        first, self._taken_id = self._taken_id + 1, self.update_id
        return first, self.update_id, self._changes(self._bids), self._changes(self._asks)

    def forget_changes(self) -> None:
        """As a take that nobody looks at."""
        self._taken_id = self.update_id
        self._bids.changed.clear()
        self._asks.changed.clear()

    @staticmethod
    def _changes(ladder: _Ladder) -> list[tuple[int, int]]:
        changed = sorted(ladder.changed, reverse=True)
        ladder.changed.clear()
        levels = ladder.levels
        return [(rank * ladder.sign, levels[rank].total if rank in levels else 0) for rank in changed]

    def _match_level(self, ladder: _Ladder, rank: int, lots: int, matches: list[Match]) -> int:
        level = ladder.levels[rank]
        price = rank * ladder.sign
        while lots and level.orders:  # once; again only where an iceberg shows its next part
            filled: list[Resting] = []
            before = lots
            for order in level.orders.values():
                leaves = order.leaves
                if leaves > lots:
                    matches.append(Match(order, price, lots))
                    order.leaves = leaves - lots
                    lots = 0
                    break
                matches.append(Match(order, price, leaves))
                order.leaves = 0
                filled.append(order)
                lots -= leaves
                if not lots:
                    break
            level.total -= before - lots
            for order in filled:
                del level.orders[order.key]
                if order.hidden:
                    self._show(level, order)
                else:
                    del self._orders[order.key]
        if not level.orders:
            ladder.remove(rank)
        self._note(ladder, rank)
        return lots

    @staticmethod
    def _show(level: Level, order: Resting) -> None:
        """The next part of an iceberg joins the end of its queue."""
        assert isinstance(order, Iceberg)
        order.leaves = min(order.peak, order.hidden)
        order.hidden -= order.leaves
        level.hidden -= order.leaves
        level.total += order.leaves
        level.orders[order.key] = order

    def _forget_hidden(self, order: Resting, lots: int) -> None:
        if lots:
            assert isinstance(order, Iceberg)
            ladder = self._bids if order.is_buy else self._asks
            ladder.levels[order.price * ladder.sign].hidden -= lots
            order.hidden -= lots

    def _shrink(self, order: Resting, lots: int) -> None:
        ladder = self._bids if order.is_buy else self._asks
        rank = order.price * ladder.sign
        level = ladder.levels[rank]
        order.leaves -= lots
        level.total -= lots
        if not order.leaves:
            del level.orders[order.key]
            if order.hidden:
                self._show(level, order)
            else:
                del self._orders[order.key]
                if not level.orders:
                    ladder.remove(rank)
        self._note(ladder, rank)

    def _note(self, ladder: _Ladder, rank: int) -> None:
        self.update_id += 1
        ladder.changed.add(rank)
        self._touched[self._name] = None
