"""The rate budget as plain decisions: never over a limit, always something left for a cancel, nobody waits for ever."""

from itertools import accumulate, pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from tradedesk.venues.budgets import MOST_CANCELS, MOST_WAITING, STARVED_NS, Budget, Client, Scopes, State, Turn
from tradedesk.venues.pools import LATE_SLICES, SECOND_NS, SLICES, Limit, Per, Pool, Priority, Unit

WEIGHT = Limit(per=Per.Exit, unit=Unit.Weight, most=100, window_ns=60 * SECOND_NS, header="used")
ORDERS = Limit(per=Per.Uid, unit=Unit.Orders, most=10, window_ns=10 * SECOND_NS, header="orders")
ORDER = {Unit.Weight: 1, Unit.Orders: 1}
EXIT = "127.0.0.2"


def a_budget(*limits: Limit) -> Budget:
    return Budget(limits or (WEIGHT, ORDERS))


def ask(budget: Budget, client: Client, weight: int, priority: Priority, now: int = 0, orders: int = 0) -> Turn:
    price = {Unit.Weight: weight} | ({Unit.Orders: orders} if orders else {})
    return budget.ask(client, price, priority, now)[0]


def granted(*turns: Turn) -> list[bool]:
    return [turn.state is State.Granted for turn in turns]


# ---- one pool ---------------------------------------------------------------------------------------------------------

uses = st.lists(st.tuples(st.integers(0, 20 * SECOND_NS), st.integers(1, 60), st.sampled_from(Priority)), max_size=60)


@settings(deadline=None)
@given(uses)
def test_no_window_however_it_lies_holds_more_than_the_limit(asked: list[tuple[int, int, Priority]]) -> None:
    """F26: the venue's windows begin when it likes."""
    pool = Pool(WEIGHT, EXIT)
    taken: list[tuple[int, int]] = []
    for now, (_, amount, priority) in zip(accumulate(wait for wait, _, _ in asked), asked, strict=True):
        if pool.fits(amount, priority, now):
            pool.take(amount, now)
            taken.append((now, amount))
    for start, _ in taken:
        within = sum(amount for at, amount in taken if start <= at < start + WEIGHT.window_ns)
        assert within <= WEIGHT.most


@settings(deadline=None)
@given(uses)
def test_a_cancel_always_finds_room_whatever_else_was_sent(asked: list[tuple[int, int, Priority]]) -> None:
    """F87: of everything but cancels a tenth is kept free."""
    pool = Pool(WEIGHT, EXIT)
    for now, (_, amount, priority) in zip(accumulate(wait for wait, _, _ in asked), asked, strict=True):
        if priority is not Priority.Cancel and pool.fits(amount, priority, now):
            pool.take(amount, now)
        assert pool.fits(10, Priority.Cancel, now)


def test_what_was_used_is_free_again_after_the_window_and_what_may_arrive_late() -> None:
    pool = Pool(WEIGHT, EXIT)
    pool.take(90, 0)
    late = (SLICES + LATE_SLICES) * WEIGHT.window_ns // SLICES
    assert pool.used(WEIGHT.window_ns) == 90
    assert pool.used(late - 1) == 90
    assert pool.used(late) == 0
    pool.take(5, 10**18)  # after years
    assert pool.used(10**18) == 5


def test_what_is_less_urgent_leaves_room_for_what_is_more() -> None:
    pool = Pool(WEIGHT, EXIT)
    room = {}
    for priority in reversed(Priority):
        while pool.fits(1, priority, 0):
            pool.take(1, 0)
        room[priority] = pool.used(0)
    assert list(room.values()) == [60, 75, 85, 90, 100]


def test_a_request_too_large_for_its_part_goes_when_nothing_else_did_and_never_into_the_reserve() -> None:
    pool = Pool(WEIGHT, EXIT)
    assert pool.fits(90, Priority.Market, 0)
    assert not pool.fits(91, Priority.Market, 0)
    pool.take(1, 0)
    assert not pool.fits(80, Priority.Market, 0)


# ---- what the venue says ----------------------------------------------------------------------------------------------


def test_the_venues_headers_show_what_others_use_of_the_address() -> None:
    pool = Pool(WEIGHT, EXIT)
    first = pool.take(1, 0)
    pool.take(4, 0)
    pool.heard(60, first, SECOND_NS)  # counted when it answered the first; the four came later
    assert pool.used(SECOND_NS) == 64
    assert not pool.fits(30, Priority.Order, SECOND_NS)
    assert pool.used(62 * SECOND_NS) == 5


def test_a_header_that_comes_late_does_not_undo_a_newer_one() -> None:
    pool = Pool(WEIGHT, EXIT)
    first, second = pool.take(1, 0), pool.take(1, 0)
    pool.heard(50, second, 0)
    pool.heard(3, first, 0)
    assert pool.used(0) == 50


def test_what_is_given_back_takes_nothing_from_what_the_venue_counted() -> None:
    budget = a_budget(WEIGHT)
    client = budget.client(Scopes(exit=EXIT, account="acme"))
    unsent, sent = ask(budget, client, 5, Priority.Order), ask(budget, client, 5, Priority.Order)
    budget.answered(sent, {"used": "50"}, 0)
    budget.leave(unsent)
    assert client.pools[0].used(0) == 50


def test_a_header_below_our_own_count_changes_nothing() -> None:
    """Orders are free on success, and the venue's window may just have begun: what we count is the safe side."""
    pool = Pool(WEIGHT, EXIT)
    mark = pool.take(40, 0)
    pool.heard(2, mark, 0)
    assert pool.used(0) == 40


def test_a_scope_that_was_told_to_wait_waits_cancels_too() -> None:
    """F26: going on brings a ban."""
    budget = a_budget()
    client, other = (
        budget.client(Scopes(exit=EXIT, account="acme")),
        budget.client(Scopes(exit="127.0.0.3", account="birch")),
    )
    turn = ask(budget, client, 1, Priority.Market)
    budget.told_to_wait(turn, is_orders=False, wait_ns=5 * SECOND_NS, now=0)
    cancel, order = ask(budget, client, 1, Priority.Cancel, 1), ask(budget, client, 1, Priority.Order, 1)
    assert granted(cancel, order, ask(budget, other, 1, Priority.Order, 1)) == [False, False, True]
    assert budget.look_at == 5 * SECOND_NS
    assert budget.pump(5 * SECOND_NS - 1) == []
    assert budget.pump(5 * SECOND_NS) == [cancel, order]


def test_too_many_orders_hold_up_the_orders_of_that_account_and_nothing_else() -> None:
    budget = a_budget()
    client, other = budget.client(Scopes(exit=EXIT, account="acme")), budget.client(Scopes(exit=EXIT, account="birch"))
    turn = ask(budget, client, 1, Priority.Order, orders=1)
    budget.told_to_wait(turn, is_orders=True, wait_ns=5 * SECOND_NS, now=0)
    assert granted(
        ask(budget, client, 1, Priority.Order, 1, orders=1),
        ask(budget, client, 1, Priority.Cancel, 1),
        ask(budget, other, 1, Priority.Order, 1, orders=1),
    ) == [False, True, True]


def test_a_ban_refuses_all_who_wait_and_all_who_come_until_it_ends() -> None:
    """F27"""
    budget = a_budget()
    clients = [budget.client(Scopes(exit=EXIT, account=name)) for name in ("acme", "birch")]
    feed, elsewhere = budget.client(Scopes(exit=EXIT)), budget.client(Scopes(exit="127.0.0.9", account="cedar"))
    ask(budget, clients[0], 45, Priority.Order)
    ask(budget, clients[1], 45, Priority.Order)
    waits = ask(budget, feed, 20, Priority.Market)
    ban, refused = budget.banned(EXIT, until_text="noon", until=60 * SECOND_NS, now=0)
    assert ban is not None
    assert (ban.accounts, ban.text) == (("acme", "birch"), f"exit {EXIT} is banned by the venue until noon")
    assert refused == [waits]
    for client in (*clients, feed):
        turn = ask(budget, client, 1, Priority.Cancel, 60 * SECOND_NS - 1)
        assert (turn.state, turn.reason) == (State.Refused, ban.text)
    assert granted(ask(budget, elsewhere, 1, Priority.Order, 1)) == [True]
    assert budget.bans(60 * SECOND_NS - 1) == (ban,)
    assert budget.bans(60 * SECOND_NS) == ()
    assert granted(ask(budget, clients[0], 1, Priority.Cancel, 60 * SECOND_NS)) == [True]


def test_a_second_word_of_the_same_ban_makes_it_no_shorter() -> None:
    budget = a_budget()
    long, _ = budget.banned(EXIT, until_text="noon", until=60 * SECOND_NS, now=0)
    assert budget.banned(EXIT, until_text="soon", until=SECOND_NS, now=0) == (None, [])
    assert budget.bans(SECOND_NS) == (long,)


def test_what_the_venue_announces_replaces_what_its_documents_said() -> None:
    budget = a_budget()
    client = budget.client(Scopes(exit=EXIT, account="acme"))
    budget.announced(Unit.Weight, 60 * SECOND_NS, 10)
    assert granted(*(ask(budget, client, 1, Priority.Order) for _ in range(10))) == [True] * 9 + [False]


# ---- who goes first ---------------------------------------------------------------------------------------------------


def test_cancels_pass_everything_that_waits() -> None:
    """F87: a hundred orders, then a cancel."""
    budget = a_budget()
    client = budget.client(Scopes(exit=EXIT, account="acme"))
    orders = [budget.ask(client, ORDER, Priority.Order, 0)[0] for _ in range(100)]
    assert sum(granted(*orders)) == ORDERS.most
    assert granted(ask(budget, client, 1, Priority.Cancel)) == [True]


def test_those_who_wait_go_by_what_they_are_for() -> None:
    budget = a_budget(WEIGHT)
    client = budget.client(Scopes(exit=EXIT, account="acme"))
    ask(budget, client, 100, Priority.Cancel)
    turns = [ask(budget, client, 5, priority, 1) for priority in reversed(Priority)]
    assert granted(*turns) == [False] * 5
    order = []
    now = 0
    while budget.waiting:
        now = budget.look_at
        order += [turn.priority for turn in budget.pump(now)]
    assert order == list(Priority)


def test_who_waits_for_its_own_account_holds_up_nobody_else() -> None:
    """5.8"""
    budget = a_budget()
    busy, calm = budget.client(Scopes(exit=EXIT, account="acme")), budget.client(Scopes(exit=EXIT, account="birch"))
    turns = [budget.ask(busy, ORDER, Priority.Order, 0)[0] for _ in range(20)]
    assert sum(granted(*turns)) == 10
    assert granted(budget.ask(calm, ORDER, Priority.Order, 0)[0]) == [True]


def test_one_account_leaves_half_of_a_shared_exit_to_the_others() -> None:
    """5.8: one that floods its questions changes nothing for its neighbours."""
    budget = a_budget(WEIGHT)
    flood, calm = budget.client(Scopes(exit=EXIT, account="acme")), budget.client(Scopes(exit=EXIT, account="birch"))
    turns = [ask(budget, flood, 4, Priority.Doubt) for _ in range(100)]
    assert sum(granted(*turns)) * 4 == 44
    assert granted(*(ask(budget, calm, 1, Priority.Order) for _ in range(30))) == [True] * 30
    assert granted(ask(budget, flood, 1, Priority.Cancel)) == [True]


def test_one_account_alone_on_its_exit_has_all_of_it() -> None:
    budget = a_budget(WEIGHT)
    client = budget.client(Scopes(exit=EXIT, account="acme"))
    assert granted(ask(budget, client, 80, Priority.Look)) == [True]


def test_accounts_that_wait_for_one_exit_take_turns() -> None:
    """5.8: the one with many waiting does not put the other behind all of them."""
    budget = a_budget(WEIGHT)
    many, few = budget.client(Scopes(exit=EXIT, account="acme")), budget.client(Scopes(exit=EXIT, account="birch"))
    ask(budget, budget.client(Scopes(exit=EXIT, account="cedar")), 100, Priority.Cancel)
    first = [ask(budget, many, 1, Priority.Order, 1) for _ in range(20)]
    ask(budget, few, 1, Priority.Order, 2)
    order = []
    while budget.waiting:
        order += budget.pump(budget.look_at)
    assert [turn.client for turn in order[:3]].count(few) == 1
    assert order.index(first[-1]) == len(order) - 1


@settings(max_examples=40, deadline=None)
@given(st.sampled_from([p for p in Priority if p is not Priority.Cancel]), st.integers(1, 90))
def test_nobody_waits_for_ever_however_many_orders_come(priority: Priority, weight: int) -> None:
    """Ever more orders than fit, for ever; whoever waited long enough goes before them."""
    budget = a_budget(WEIGHT)
    busy, patient = (
        budget.client(Scopes(exit=EXIT, account="acme")),
        budget.client(Scopes(exit="other exit", account="birch")),
    )
    patient.pools = tuple(
        pool for pool in busy.pools if pool.limit.per is Per.Exit
    )  # the same exit, no share of its own
    now = 0
    while ask(budget, busy, 1, Priority.Order, now).state is State.Granted:
        pass
    waits = ask(budget, patient, weight, priority, now)
    while waits.state is State.Waiting:
        now += SECOND_NS
        budget.pump(now)
        for _ in range(5):
            ask(budget, busy, 1, Priority.Order, now)
        assert now <= STARVED_NS + 2 * 66 * SECOND_NS
    assert waits.state is State.Granted


def test_the_riskiest_are_compared_first() -> None:
    """F88: 50 accounts on one exit, a budget of ten a second; the others began earlier."""
    budget = a_budget(Limit(per=Per.Exit, unit=Unit.Weight, most=600, window_ns=60 * SECOND_NS))
    clients = {f"a{n}": budget.client(Scopes(exit=EXIT, account=f"a{n}")) for n in range(50)}
    order = [f"a{n}" for n in (7, 42, *(m for m in range(50) if m not in (7, 42)))]
    budget.rank(order, 0)
    left = {name: [1, 80, 20, 20, 20] for name in clients}  # what one look costs, one after the other
    done: list[str] = []
    turns = {name: ask(budget, clients[name], left[name].pop(0), Priority.Look) for name in reversed(order)}
    now, spent = 0, [(0, 1)] * sum(granted(*turns.values()))
    while turns:
        for name, turn in list(turns.items()):
            if turn.state is State.Granted:
                if not left[name]:
                    budget.looked(clients[name])
                    done.append(name)
                    del turns[name]
                else:
                    turns[name] = ask(budget, clients[name], left[name].pop(0), Priority.Look, now)
        now += SECOND_NS
        spent += [(now, turn.charges[0][1]) for turn in budget.pump(now)]
    assert {"a7", "a42"} <= set(done[:3])
    assert set(done) == set(clients)
    for start, _ in spent:
        assert sum(weight for at, weight in spent if start <= at < start + 60 * SECOND_NS) <= 600


# ---- bounds -----------------------------------------------------------------------------------------------------------


def test_the_queue_is_bounded_and_cancels_have_one_of_their_own() -> None:
    """5.13, F89"""
    budget = a_budget()
    client = budget.client(Scopes(exit=EXIT, account="acme"))
    ask(budget, client, 100, Priority.Cancel)
    turns = [ask(budget, client, 1, Priority.Order) for _ in range(MOST_WAITING + 1)]
    assert turns[-1].state is State.Refused
    assert "wait already" in turns[-1].reason
    cancels = [ask(budget, client, 1, Priority.Cancel) for _ in range(MOST_CANCELS + 1)]
    assert [turn.state for turn in cancels[-2:]] == [State.Waiting, State.Refused]
    assert budget.waiting == MOST_WAITING + MOST_CANCELS
    for turn in (*turns, *cancels):
        budget.leave(turn)
    assert (budget.waiting, client.waiting) == (0, [0, 0])


def test_what_can_never_be_sent_is_refused_at_once() -> None:
    budget = a_budget()
    turn = ask(budget, budget.client(Scopes(exit=EXIT, account="acme")), 91, Priority.Look)
    assert (turn.state, turn.reason) == (
        State.Refused,
        "it costs 91 of the 100 that the venue allows; it can never be sent",
    )


def test_who_leaves_unsent_gives_back_what_it_took() -> None:
    budget = a_budget(WEIGHT)
    client = budget.client(Scopes(exit=EXIT, account="acme"))
    one, two = ask(budget, client, 60, Priority.Order), ask(budget, client, 60, Priority.Order)
    assert granted(one, two) == [True, False]
    budget.leave(one)
    assert budget.pump(0) == [two]
    budget.leave(two)
    assert client.pools[0].used(0) == 0


class Walk:
    """Any order of asking, leaving, answering and time; what it may never come to."""

    def __init__(self) -> None:
        self.budget = a_budget()
        self.clients = [
            self.budget.client(Scopes(exit=EXIT, account="acme")),
            self.budget.client(Scopes(exit=EXIT, account="birch")),
        ]
        self.turns: list[Turn] = []
        self.now = 0
        self.sent: list[tuple[int, Turn]] = []

    def note(self, turns: list[Turn]) -> None:
        self.sent += [(self.now, turn) for turn in turns if turn.state is State.Granted]

    def step(self, what: int, pick: int, amount: int, wait: int) -> None:
        self.now += wait
        match what:
            case 0 | 1 | 2:
                priority = Priority(pick % len(Priority))
                price = {Unit.Weight: amount} | ({Unit.Orders: 1} if priority is Priority.Order else {})
                turn, others = self.budget.ask(self.clients[pick % 2], price, priority, self.now)
                self.turns.append(turn)
                self.note([turn, *others])
            case 3 if self.turns:
                turn = self.turns.pop(pick % len(self.turns))
                self.sent = [each for each in self.sent if each[1] is not turn]
                self.budget.leave(turn)
            case 4 if self.sent:
                self.budget.answered(self.sent[pick % len(self.sent)][1], {"used": str(amount)}, self.now)
        self.note(self.budget.pump(self.now))


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.integers(0, 4), st.integers(0, 99), st.integers(1, 70), st.sampled_from((0, 1, SECOND_NS, 7 * SECOND_NS))
        ),
        max_size=80,
    )
)
def test_whatever_happens_no_limit_is_passed_and_the_books_agree(steps: list[tuple[int, int, int, int]]) -> None:
    walk = Walk()
    for step in steps:
        walk.step(*step)
        waiting = [turn for turn in walk.turns if turn.state is State.Waiting]
        assert walk.budget.waiting == len(waiting)
        assert sum(sum(client.waiting) for client in walk.clients) == len(waiting)
        keys = [turn.key for turn in walk.budget._queue]
        assert all(one < two for one, two in pairwise(keys))
    for limit in (WEIGHT, ORDERS):
        pools = {pool for _, turn in walk.sent for pool, _ in turn.charges if pool.limit is limit}
        for pool in pools:
            amounts = [(at, sum(a for p, a in turn.charges if p is pool)) for at, turn in walk.sent]
            for start, _ in amounts:
                assert sum(a for at, a in amounts if start <= at < start + limit.window_ns) <= limit.most
