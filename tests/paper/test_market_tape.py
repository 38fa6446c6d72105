"""The tape: what it forgets, and that what it keeps is whole."""

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st
from paper_builders import T0, d

from tradedesk.paper.tape import TAPE, Tape


def a_tape():
    return Tape("BTCUSDT", d("0.01"), d("0.001"), 1, 500)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 3), st.integers(1, 9), st.booleans(), st.integers(1, 3)), max_size=40))
def test_aggregates_are_the_runs_of_one_taker_at_one_price(trades):
    tape, runs, before = a_tape(), [], None
    for number, (price, lots, sells, taker) in enumerate(trades):
        side = bool((taker + sells) % 2)
        printed = tape.trade(price, lots, T0 + number, side, taker * 2 + side)
        if before == (price, taker * 2 + side):
            runs[-1].append(printed)
        else:
            runs.append([printed])
        before = (price, taker * 2 + side)
    assert tape.prints(1_000) == [printed for run in runs for printed in run]
    found = tape.aggregates(None, None, None, 1_000)
    assert [(a.first_id, a.last_id, a.quantity) for a in found] == [
        (run[0].trade_id, run[-1].trade_id, sum(p.quantity for p in run)) for run in runs
    ]
    assert all(after.agg_id == agg.agg_id + 1 for agg, after in pairwise(found))


def test_a_full_tape_forgets_the_oldest_and_keeps_the_numbers_of_the_rest():
    tape = a_tape()
    count = 3 * TAPE
    for number in range(count):
        tape.trade(1 + number % 7, 1, T0 + number, False, number)
    prints = tape.prints(1_000_000)
    assert TAPE <= len(prints) <= TAPE * 5 // 4
    assert prints[-1].trade_id == 500 + count - 1
    assert [(p.time - T0, p.trade_id - 500) for p in prints] == [(n, n) for n in range(count - len(prints), count)]
    aggregates = tape.aggregates(None, None, None, 1_000_000)
    assert [a.first_id for a in aggregates] == [p.trade_id for p in prints]
