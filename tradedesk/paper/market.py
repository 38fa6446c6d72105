"""What everyone else does: the one interface of the synthetic market and the replay, and the actions they may ask for.

A market is pure: it is told the time, may look at the books, and yields actions in the order of their times; the exchange
performs each before it asks for the next. Prices are in ticks, quantities in lots, times in ns since the epoch.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Protocol

from msgspec import Struct

from tradedesk.paper.book import Book


class Bar(Struct, kw_only=True, gc=False):
    """One candle in whole ticks and lots; `quote` is the sum of ticks x lots."""

    open_time: int
    open: int
    high: int
    low: int
    close: int
    lots: int = 0
    quote: int = 0
    trades: int = 0
    taker_lots: int = 0  # where the buyer was the taker
    taker_quote: int = 0
    first_id: int = -1
    last_id: int = -1


class Rest(Struct, frozen=True, gc=False):
    """A limit order of the flow. It trades first if it crosses; `key` is the market's own, below 0, used once."""

    symbol: str
    at: int
    key: int
    is_buy: bool
    price: int
    lots: int


class Take(Struct, frozen=True, gc=False):
    """An order of the flow that trades down to `limit` at once; what is left over is dropped."""

    symbol: str
    at: int
    is_buy: bool
    limit: int
    lots: int


class Withdraw(Struct, frozen=True, gc=False):
    """The flow cancels an order; nothing happens if it is gone."""

    symbol: str
    at: int
    key: int


class SetLevel(Struct, frozen=True, gc=False):
    """A recording says how much of the flow stands at a price now. What is new meets crossing clients' orders first."""

    symbol: str
    at: int
    key: int  # for what joins the queue; below 0, used once
    is_buy: bool
    price: int
    lots: int


class Traded(Struct, frozen=True, gc=False):
    """A recording says that a taker traded at a price: clients standing at a better one come first, then the queue."""

    symbol: str
    at: int
    is_buy: bool  # the taker's side
    price: int
    lots: int


Action = Rest | Take | Withdraw | SetLevel | Traded


class Market(Protocol):
    """The flow of all instruments of one exchange."""

    @property
    def ended(self) -> bool:
        """True once it will never act again (a replay at its end); the books stand still from then on."""

    def opening(self, now: int) -> Iterable[Action]:
        """What stands on the books when the exchange opens at `now`. Called once, first."""

    def history(self, symbol: str, now: int, longest: int, since: int, until: int) -> Iterable[tuple[int, Bar]]:
        """Candles before `now`, oldest first, each as (length in ns, candle); none if there is no past.

        Those of lengths up to `longest` (ns) that open from `since` to `until` are enough. Asked when somebody looks, with
        the `now` of the start, again and again; the answer never changes.
        """

    def next_due(self) -> int | None:
        """When it acts next; None if it never does."""

    def act(self, now: int, books: Mapping[str, Book]) -> Iterator[Action]:
        """Everything due up to and including `now`."""

    def taken(self, symbol: str, is_buy: bool, price: int, lots: int) -> None:
        """A client traded with the flow's resting orders on that side at that price."""


class Quiet:
    """A market in which nobody else is there: clients trade with each other or not at all."""

    @property
    def ended(self) -> bool:
        return False

    def opening(self, now: int) -> Iterable[Action]:
        return ()

    def history(self, symbol: str, now: int, longest: int, since: int, until: int) -> Iterable[tuple[int, Bar]]:
        return ()

    def next_due(self) -> int | None:
        return None

    def act(self, now: int, books: Mapping[str, Book]) -> Iterator[Action]:
        return iter(())

    def taken(self, symbol: str, is_buy: bool, price: int, lots: int) -> None:
        return None
