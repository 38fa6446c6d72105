"""A book is the venue's, or known not to be (5.9): against a model that keeps every version of it."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradedesk.domain.words import InstrumentId
from tradedesk.marketdata import book as book_module
from tradedesk.marketdata.book import Book, Step
from tradedesk.venues.feed import DepthDiff, DepthSnapshot, Levels

INSTRUMENT = InstrumentId("binance:BTCUSDT")


def levels(**pairs: str) -> Levels:
    """`levels(_100="1")` is one level at 100."""
    return tuple((Decimal(price[1:]), Decimal(quantity)) for price, quantity in pairs.items())


def a_diff(first: int, last: int, bids: Levels = (), asks: Levels = ()) -> DepthDiff:
    return DepthDiff(instrument=INSTRUMENT, first_id=first, last_id=last, bids=bids, asks=asks, at=last)


def a_snapshot(last: int, bids: Levels = (), asks: Levels = ()) -> DepthSnapshot:
    return DepthSnapshot(last_id=last, bids=bids, asks=asks)


def a_joined_book() -> Book:
    book = Book()
    book.join(a_snapshot(10, levels(_99="1", _98="2"), levels(_101="1", _102="2")))
    return book


class VenueBook:
    """The model: a venue's book, with its version after each update, and the diffs between."""

    def __init__(self, changes: list[tuple[bool, int, int]]) -> None:
        sides: tuple[dict[int, int], dict[int, int]] = ({}, {})
        self.versions = [self._copy(sides)]
        self.updates: list[tuple[bool, int, int]] = []
        for is_bid, price, quantity in changes:
            price_ = price if is_bid else price + 1_000
            sides[0 if is_bid else 1].pop(price_, None)
            if quantity:
                sides[0 if is_bid else 1][price_] = quantity
            self.versions.append(self._copy(sides))
            self.updates.append((is_bid, price_, quantity))

    @staticmethod
    def _copy(sides: tuple[dict[int, int], dict[int, int]]) -> tuple[Levels, Levels]:
        bids, asks = (tuple((Decimal(p), Decimal(q)) for p, q in sorted(side.items())) for side in sides)
        return tuple(reversed(bids)), asks

    def snapshot(self, version: int) -> DepthSnapshot:
        bids, asks = self.versions[version]
        return a_snapshot(version, bids, asks)

    def diff(self, after: int, upto: int) -> DepthDiff:
        """Updates after+1 to upto in one message; the last word on each price counts."""
        bids = {p: q for is_bid, p, q in self.updates[after:upto] if is_bid}
        asks = {p: q for is_bid, p, q in self.updates[after:upto] if not is_bid}
        as_levels = [tuple((Decimal(p), Decimal(q)) for p, q in side.items()) for side in (bids, asks)]
        return a_diff(after + 1, upto, as_levels[0], as_levels[1])


changes = st.lists(st.tuples(st.booleans(), st.integers(1, 12), st.integers(0, 3)), min_size=2, max_size=40)


@given(changes, st.data())
def test_whenever_a_book_is_joined_it_is_the_venues(made: list[tuple[bool, int, int]], data: st.DataObject) -> None:
    """5.9, F50, F53: with lost and repeated messages, and snapshots from whenever."""
    venue, book = VenueBook(made), Book()
    sent = 0
    while sent < len(made):
        upto = data.draw(st.integers(sent + 1, min(len(made), sent + 4)))
        fate = data.draw(st.sampled_from(["sent", "sent", "sent", "lost", "twice"]))
        for _ in range({"sent": 1, "lost": 0, "twice": 2}[fate]):
            book.add(venue.diff(sent, upto))
        sent = upto
        if not book.is_joined and data.draw(st.booleans()):
            book.join(venue.snapshot(data.draw(st.integers(max(0, sent - 6), sent))))
        if book.last_id is not None:
            assert book.top(50) == venue.versions[book.last_id]
    book.lose()
    assert book.join(venue.snapshot(sent)) is Step.Applied
    assert book.top(50) == venue.versions[sent]


def test_a_gap_is_noticed_and_the_book_waits_for_a_snapshot() -> None:
    """F50"""
    book = a_joined_book()
    assert book.add(a_diff(12, 13)) is Step.Gap
    assert not book.is_joined
    assert book.add(a_diff(14, 15, levels(_99="7"))) is Step.Waiting
    assert book.top(1)[0] == levels(_99="1")  # what was shown stays visible, marked
    assert book.join(a_snapshot(12, levels(_99="3"))) is Step.Applied
    assert (book.last_id, book.top(1)[0]) == (15, levels(_99="7"))


def test_a_snapshot_older_than_the_first_update_does_not_join() -> None:
    """F53"""
    book = Book()
    book.add(a_diff(20, 21))
    assert book.join(a_snapshot(18)) is Step.Old
    assert not book.is_joined
    assert book.join(a_snapshot(19)) is Step.Applied


def test_an_update_is_applied_once_and_a_quantity_of_0_removes() -> None:
    book = a_joined_book()
    assert book.add(a_diff(11, 12, levels(_99="0"), levels(_101="5"))) is Step.Applied
    assert book.add(a_diff(11, 12, levels(_99="9"))) is Step.Old
    assert book.top(2) == (levels(_98="2"), levels(_101="5", _102="2"))


@pytest.mark.parametrize(("bid", "is_crossed"), [("100.99", False), ("101", True), ("105", True)])
def test_crossed_and_locked_are_seen(bid: str, is_crossed: bool) -> None:
    """F51"""
    book = a_joined_book()
    book.add(a_diff(11, 11, levels(**{f"_{bid}": "1"})))
    assert book.is_crossed is is_crossed


def test_a_book_and_what_waits_for_it_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """5.13: the worst levels are dropped, the oldest updates forgotten."""
    monkeypatch.setattr(book_module, "MOST_LEVELS", 2)
    book = a_joined_book()
    book.add(a_diff(11, 11, levels(_97="1", _100="1"), levels(_103="1")))
    assert book.top(9) == (levels(_100="1", _99="1"), levels(_101="1", _102="2"))
    waiting = Book()
    for number in range(1, 2_002):
        waiting.add(a_diff(number, number))
    assert waiting.join(a_snapshot(500)) is Step.Old
    assert waiting.join(a_snapshot(1_500)) is Step.Applied
    assert waiting.last_id == 2_001
