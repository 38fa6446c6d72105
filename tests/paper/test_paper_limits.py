"""How much may be asked, and what becomes of an address that does not wait: pure, on a clock of its own."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from paper_builders import SECOND, T0

from tradedesk.paper.server.limits import (
    FUTURES,
    LONGEST_BAN,
    MINUTE,
    SHORTEST_BAN,
    Bans,
    Limits,
    RateLimits,
    TooMany,
    ban_length,
)

START = T0 // MINUTE * MINUTE + 5 * SECOND  # five seconds into a minute
A, B = "127.0.0.2", "127.0.0.3"


def refusal(limits: Limits, now: int, weight: int = 1, peer: str = A) -> TooMany | None:
    try:
        limits.charge(peer, weight, now)
    except TooMany as refused:
        return refused
    return None


def banned(limits: Limits, now: int, peer: str = A) -> TooMany:
    """Go on until the ban falls."""
    for _ in range(10_000):
        refused = refusal(limits, now, limits.rates.weight_per_minute, peer)
        if refused is not None and refused.http == 418:
            return refused
    raise AssertionError("never banned")


def test_a_window_lets_exactly_its_limit_pass_and_begins_anew_on_the_clock():
    limits = Limits(RateLimits(weight_per_minute=20))
    assert [refusal(limits, START, 10) for _ in range(2)] == [None, None]
    refused = refusal(limits, START)
    assert (refused.http, refused.code, refused.retry_after_s) == (429, -1003, 55)
    assert "current limit is 20 request weight per 1 MINUTE" in refused.message
    last = START + 55 * SECOND - 1
    assert refusal(limits, last).retry_after_s == 1
    assert refusal(limits, last + 1, 20) is None
    assert limits.weight(A, last + 1) == 20


def test_raw_requests_have_a_window_of_five_minutes():
    limits = Limits(RateLimits(raw_per_5_minutes=2))
    assert [refusal(limits, START, 0) for _ in range(2)] == [None, None]
    refused = refusal(limits, START, 0)
    assert refused.message == "Too many requests; current limit is 2 requests per 5 MINUTE."
    assert refused.until % (5 * MINUTE) == 0
    assert refusal(limits, refused.until, 0) is None


def test_who_goes_on_after_429_is_banned_for_two_minutes_and_told_until_when():
    limits = Limits(RateLimits(weight_per_minute=20, refusals_before_ban=3))
    limits.charge(A, 20, START)
    assert [refusal(limits, START).http for _ in range(4)] == [429, 429, 429, 418]
    ban = refusal(limits, START + SECOND, 0)
    assert (ban.http, ban.code, ban.until, ban.retry_after_s) == (418, -1003, START + SHORTEST_BAN, 119)
    assert ban.message == (
        f"Way too much request weight used; IP banned until {ban.until // 1_000_000}. "
        "Please use WebSocket Streams for live updates to avoid bans."
    )
    assert refusal(limits, ban.until - 1) is not None
    assert refusal(limits, ban.until) is None


def test_who_waits_as_told_is_never_banned():
    limits = Limits(RateLimits(weight_per_minute=20))
    now = START
    for _ in range(200):
        refused = refusal(limits, now, 15)
        now = now + SECOND if refused is None else refused.until
        assert limits.bans.of(A, now) is None


def test_asking_during_a_ban_neither_counts_nor_makes_it_longer():
    limits = Limits(RateLimits(weight_per_minute=20))
    ban = banned(limits, START)
    used = limits.weight(A, START + SECOND)
    for _ in range(50):
        assert refusal(limits, START + SECOND, 5).until == ban.until
    assert limits.weight(A, START + SECOND) == used


def test_bans_of_a_repeater_double_up_to_three_days():
    minutes = [ban_length(number) // MINUTE for number in range(1, 15)]
    assert minutes == [2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 4320, 4320]
    assert ban_length(10**6) == LONGEST_BAN
    limits, now, seen = Limits(RateLimits(weight_per_minute=20)), START, []
    for _ in range(4):
        ban = banned(limits, now)
        seen.append((ban.until - now) // MINUTE)
        now = ban.until + MINUTE
    assert seen == [2, 4, 8, 16]
    late = banned(limits, now + LONGEST_BAN)  # three days of peace: no repeater any more
    assert late.until - (now + LONGEST_BAN) == SHORTEST_BAN


def test_a_ban_can_be_imposed_for_a_time_and_lifted():
    bans = Bans()
    assert bans.impose(A, START, length_ns=7 * SECOND).until == START + 7 * SECOND
    assert [ban.address for ban in bans.holding(START)] == [A]
    assert bans.of(B, START) is None
    assert bans.lift(A)
    assert (bans.of(A, START), bans.lift(A)) == (None, False)
    assert bans.impose(A, START).until == START + SHORTEST_BAN  # what was lifted is forgotten


def test_markets_of_one_host_share_their_bans_and_those_of_two_do_not():
    spot = Limits(RateLimits(weight_per_minute=20))
    wallet, futures = Limits(RateLimits(), spot.bans), Limits(FUTURES)
    banned(spot, START)
    assert refusal(wallet, START).http == 418
    assert refusal(futures, START) is None


def test_orders_are_counted_by_account_and_a_list_counts_each_of_its_orders():
    limits = Limits(RateLimits(orders_per_10_seconds=3, orders_per_day=4))
    limits.check_orders("acme", START, 3)
    limits.add_order("acme", START, 2)
    with pytest.raises(TooMany, match="current limit is 3 orders per 10 SECOND") as caught:
        limits.check_orders("acme", START, 2)
    assert (caught.value.code, caught.value.http, caught.value.retry_after_s) == (-1015, 429, 5)
    limits.check_orders("birch", START, 3)
    later = START + 10 * SECOND
    limits.add_order("acme", later, 2)
    with pytest.raises(TooMany, match="current limit is 4 orders per 1 DAY"):
        limits.check_orders("acme", later)
    limits.give_back_order("acme", later)
    limits.check_orders("acme", later)
    assert limits.order_headers("acme", later) == {"X-MBX-ORDER-COUNT-10S": "1", "X-MBX-ORDER-COUNT-1D": "3"}
    assert limits.bans.of("acme", later) is None


def test_the_numbers_and_words_of_futures_are_their_own():
    limits = Limits(FUTURES)
    assert [
        (row["rateLimitType"], row["interval"], row["intervalNum"], row["limit"]) for row in limits.announced()
    ] == [
        ("REQUEST_WEIGHT", "MINUTE", 1, 2_400),
        ("ORDERS", "SECOND", 10, 300),
        ("ORDERS", "MINUTE", 1, 1_200),
    ]
    assert list(limits.order_headers("acme", START)) == ["X-MBX-ORDER-COUNT-10S", "X-MBX-ORDER-COUNT-1M"]
    refused = refusal(limits, START, 2_401)
    assert "current limit of IP(127.0.0.2) is 2400 requests per minute" in refused.message
    assert "IP(127.0.0.2) banned until" in banned(limits, START).message


@given(
    limit=st.integers(1, 60),
    patience=st.integers(1, 6),
    steps=st.lists(
        st.tuples(st.sampled_from([A, A, B]), st.integers(0, 25), st.sampled_from([0, 1, SECOND, 20 * SECOND, 3 * MINUTE])),
        max_size=120,
    ),
)  # fmt: skip
def test_no_window_passes_more_than_its_limit_and_bans_touch_one_address_only(limit, patience, steps):
    """Against counts kept beside it: what passes, what is 429, when the ban falls and how long it holds."""
    limits, now = Limits(RateLimits(weight_per_minute=limit, refusals_before_ban=patience)), START
    passed: dict[tuple[str, int], int] = {}
    refused: dict[tuple[str, int], int] = {}
    used: dict[tuple[str, int], int] = {}
    until: dict[str, int] = {}
    lengths: dict[str, list[int]] = {A: [], B: []}
    for peer, weight, wait in steps:
        now += wait
        window = (peer, now // MINUTE)
        answer = refusal(limits, now, weight, peer)
        if now < until.get(peer, 0):
            assert (answer.http, answer.until) == (418, until[peer])
            continue
        used[window] = used.get(window, 0) + weight
        if used[window] <= limit:
            assert answer is None
            passed[window] = passed.get(window, 0) + weight
        else:
            refused[window] = refused.get(window, 0) + 1
            assert answer.http == (418 if refused[window] > patience else 429)
            if answer.http == 418:
                until[peer] = answer.until
                lengths[peer].append(answer.until - now)
            else:
                assert answer.until == (now // MINUTE + 1) * MINUTE
    assert all(weight <= limit for weight in passed.values())
    for grown in lengths.values():
        assert grown == [ban_length(number) for number in range(1, len(grown) + 1)]


def test_the_memory_of_counts_and_bans_is_bounded():
    limits = Limits(RateLimits(weight_per_minute=20))
    for number in range(40_000):
        limits.charge(f"peer-{number}", 0, START)
    assert len(limits._weight._counts) <= 20_001
    bans = Bans()
    for number in range(10_050):
        bans.impose(f"peer-{number}", START + number)
    assert len(bans._bans) == 10_000
    assert bans.of("peer-0", START + 10_050) is None
    assert bans.of("peer-10049", START + 10_050) is not None
