"""`bench paper`: its engines match alike, and its servers and clients measure what they say."""

from hypothesis import given, settings
from hypothesis import strategies as st

from tradedesk.cli.bench import paper
from tradedesk.cli.bench.paper_engines import MIX, Listed, Sorted, flow
from tradedesk.paper.book import Book


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("rest"), st.booleans(), st.integers(95, 105), st.integers(1, 9)),
            st.tuples(st.just("take"), st.booleans(), st.none() | st.integers(95, 105), st.integers(1, 30)),
            st.tuples(st.just("cancel"), st.integers(0, 60)),
        ),
        max_size=60,
    )
)
def test_the_engines_compared_match_alike(steps):
    ours, peers = Book(1), (Sorted(), Listed())
    for number, step in enumerate(steps):
        match step:
            case ("rest", is_buy, price, lots):
                for engine in (ours, *peers):
                    engine.rest(number, is_buy, price, lots)
            case ("take", is_buy, limit, lots):
                made = [(match.resting.key, match.price, match.lots) for match in ours.match(is_buy, limit, lots)]
                assert all(engine.match(is_buy, limit, lots) == made for engine in peers)
            case ("cancel", order):
                for engine in (ours, *peers):
                    engine.withdraw(order)


def test_the_flow_has_its_mix_and_is_the_same_for_a_seed():
    operations = flow(1, 10_000)
    shares = [sum(op.kind == kind for op in operations) / 100 for kind in ("rest", "take", "cancel")]
    assert all(abs(share - wanted) < 2 for share, wanted in zip(shares, MIX, strict=True))
    assert operations == flow(1, 10_000)
    assert operations != flow(2, 10_000)


def test_orders_are_counted_and_the_servers_cpu_is_its_own():
    with paper._server("quiet", 1, 2) as server, paper._server("trivial") as trivial:
        for door, of, url in (("ws", server, "wsapi"), ("rest", server, "rest"), ("ws", trivial, "wsapi")):
            result = paper._load(
                {
                    "what": "orders",
                    "door": door,
                    "url": of.described[url],
                    "keys": server.described["keys"],
                    "count": 100,
                    "pid": of.pid,
                }
            )
            assert result["orders"] == 100
            assert 0 < result["cpu"] < 10
        assert server.resident_mib() > 10


def test_listeners_count_what_arrives():
    with paper._server("synthetic", 2, 1) as server:
        url = f"{server.described['ws']}/stream?streams=btcusdt@bookTicker/btcusdt@depth@100ms"
        job = {"what": "listeners", "url": url, "clients": 3, "seconds": 0.5, "pid": server.pid}
        assert paper._load(job)["frames"] > 5
