"""The matching engine against a naive model, and its own laws."""

from hypothesis import given, settings
from hypothesis import strategies as st

from tradedesk.paper.book import Book


class NaiveBook:
    """The same rules the plain way: one list of orders, sorted before every trade."""

    def __init__(self):
        self.orders = []  # [key, is_buy, price, leaves], in order of arrival

    def match(self, is_buy, limit, lots):
        done = []
        while lots:
            others = [
                o
                for o in self.orders
                if o[1] != is_buy and (limit is None or (o[2] <= limit) == is_buy or o[2] == limit)
            ]
            if not others:
                break
            best = min(others, key=lambda o: o[2] if is_buy else -o[2])  # min keeps the first of equals
            take = min(best[3], lots)
            done.append((best[0], best[2], take))
            best[3] -= take
            lots -= take
            if not best[3]:
                self.orders.remove(best)
        return done

    def rest(self, key, is_buy, price, lots):
        self.orders.append([key, is_buy, price, lots])

    def withdraw(self, key):
        self.orders = [o for o in self.orders if o[0] != key]

    def depth(self, is_buy):
        levels = {}
        for _, side, price, leaves in self.orders:
            if side == is_buy:
                levels[price] = levels.get(price, 0) + leaves
        return sorted(levels.items(), reverse=is_buy)


prices = st.integers(95, 105)
operations = st.one_of(
    st.tuples(st.just("limit"), st.booleans(), prices, st.integers(1, 9)),
    st.tuples(st.just("market"), st.booleans(), st.none(), st.integers(1, 20)),
    st.tuples(st.just("withdraw"), st.integers(1, 40)),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(operations, max_size=60))
def test_every_operation_trades_as_the_naive_model_does(operations):
    book, naive = Book(0), NaiveBook()
    for key, (what, *rest) in enumerate(operations, 1):
        if what == "withdraw":
            book.withdraw(rest[0])
            naive.withdraw(rest[0])
        else:
            is_buy, price, lots = rest
            available, cost = book.available(is_buy, price, lots)
            matches = [(m.resting.key, m.price, m.lots) for m in book.match(is_buy, price, lots)]
            assert matches == naive.match(is_buy, price, lots)
            assert available == sum(m[2] for m in matches)
            assert cost == sum(m[1] * m[2] for m in matches)
            if price is not None and lots > available:
                book.rest(key, is_buy, price, lots - available)
                naive.rest(key, is_buy, price, lots - available)
        for is_buy in (True, False):
            assert book.depth(is_buy, 1000) == naive.depth(is_buy)
        assert len(book) == len(naive.orders)


@settings(max_examples=80, deadline=None)
@given(st.lists(st.tuples(operations, st.booleans()), max_size=60))
def test_the_changes_rebuild_the_book_and_their_ids_have_no_hole(operations):
    book = Book(7)
    seen = {True: {}, False: {}}
    last_id = 7

    def take():
        nonlocal last_id
        changes = book.take_changes()
        if changes is None:
            assert book.update_id == last_id
            return
        first, last, bids, asks = changes
        assert first == last_id + 1
        assert last >= first
        last_id = last
        for side, levels in ((True, bids), (False, asks)):
            for price, lots in levels:
                seen[side][price] = lots
                if not lots:
                    del seen[side][price]

    for key, ((what, *rest), is_taken) in enumerate(operations, 1):
        if what == "withdraw":
            book.withdraw(rest[0])
        else:
            got = sum(m.lots for m in book.match(*rest))
            if what == "limit" and got < rest[2]:
                book.rest(key, rest[0], rest[1], rest[2] - got)
        if is_taken:
            take()
            for side in (True, False):
                assert sorted(seen[side].items(), reverse=side) == book.depth(side, 1000)


def test_nothing_changed_gives_no_changes():
    book = Book(0)
    book.rest(1, True, 100, 5)
    assert book.take_changes() == (1, 1, [(100, 5)], [])
    assert book.take_changes() is None


def test_an_order_that_is_gone_cannot_be_withdrawn():
    book = Book(0)
    book.rest(1, True, 100, 5)
    book.match(False, 100, 5)
    assert book.withdraw(1) is None


def test_affordable_stops_at_the_last_whole_lot():
    book = Book(0)
    book.rest(1, False, 100, 2)
    book.rest(2, False, 110, 5)
    assert book.affordable(True, 430) == (4, 420)
    assert book.affordable(True, 99) == (0, 0)


def test_the_flow_shrinks_from_behind_and_grows_at_the_end():
    book = Book(0)
    client = object()
    book.set_flow(-1, True, 100, 10)
    book.rest(1, True, 100, 3, client)
    book.set_flow(-2, True, 100, 14)  # 4 behind the client
    book.set_flow(-3, True, 100, 9)  # those 4 leave, then 1 before the client
    matches = book.match(False, 100, 12)
    assert [(m.resting.owner is client, m.lots) for m in matches] == [(False, 9), (True, 3)]


def test_only_clients_orders_can_be_met_alone():
    book = Book(0)
    client = object()
    book.rest(-1, True, 101, 5)
    book.rest(1, True, 100, 3, client)
    book.rest(-2, True, 100, 5)
    book.rest(2, True, 99, 4, client)
    assert [(m.resting.key, m.lots) for m in book.match_owned(False, 99, 6)] == [(1, 3), (2, 3)]
    assert book.depth(True, 9) == [(101, 5), (100, 5), (99, 1)]
