"""Our own rate budgets, decided: what a venue allows, what was used of it, who waits for it and who goes next (F26, F27, F87).

A budget is a set of pools, one for each thing that the venue counts and each whose use it adds up: weight by exit, orders
by uid, and so on. A request passes all of its pools or none. Nothing here waits, locks or reads a clock: `now` is
monotonic ns. `turns` puts the lock around it and waits.
"""

from bisect import bisect_left, insort
from collections.abc import Callable, Iterable, Mapping
from enum import Enum, auto

from msgspec import Struct

from tradedesk.venues.pools import SECOND_NS, Limit, Per, Pool, Price, Priority, Unit

STARVED_NS = 120 * SECOND_NS  # whoever waited so long is next after the cancels, whatever it is for
LOOK_WEIGHT = 150  # about what comparing one account with the venue costs
MOST_WAITING = 256  # requests of one client
MOST_CANCELS = 1_000  # cancels of one client: more than it can have open orders
BAN_UNTOLD_NS = 120 * SECOND_NS  # the shortest ban there is, where the venue does not say how long
WAIT_UNTOLD_NS = 60 * SECOND_NS
NEVER = 1 << 62


class Scopes(Struct, frozen=True, kw_only=True):
    """By what names a venue knows a user of it, as far as its limits care. What an account does not say it shares is its own."""

    exit: str
    account: str | None = None  # ours; None: the public market data, which only has an exit
    key: str | None = None  # fingerprint
    uid: str | None = None
    master: str | None = None

    def whose(self, per: Per) -> str | None:
        """Whose use a limit of this kind adds up for it; None if it has no part in that."""
        if per is Per.Exit:
            return f"exit {self.exit}"
        if self.account is None:
            return None
        own = f"account {self.account}"
        uid = own if self.uid is None else f"uid {self.uid}"
        match per:
            case Per.Key:
                return own if self.key is None else f"key {self.key}"
            case Per.Uid | Per.Instrument:
                return uid
            case Per.Master:
                return uid if self.master is None else f"master {self.master}"
        return None


class Client:
    """One user of a venue: an account, or the public market data (`account` None)."""

    __slots__ = ("_finish", "due_until", "pools", "rank", "scopes", "shares", "waiting")

    def __init__(self, scopes: Scopes, pools: tuple[Pool, ...]) -> None:
        self.scopes = scopes
        self.pools = pools  # that the venue counts, those of instruments apart
        self.shares: dict[Pool, Pool] = {}  # of the pools that others use as well: what it may take of them
        self.rank = 0  # whose look goes first when many wait
        self.due_until = 0  # its first look is still to come, and others keep back for it until then
        self.waiting = [0, 0]  # cancels, everything else
        self._finish = 0.0  # of fair queueing: the virtual time at which what it asked for so far is served

    @property
    def exit(self) -> str:
        return self.scopes.exit

    @property
    def account(self) -> str | None:
        return self.scopes.account

    def tag(self, virtual: float, amount: int) -> float:
        """Its place in the order: after what it asked for before, not after what others did."""
        start = max(virtual, self._finish)
        self._finish = start + max(1, amount)
        return start


class State(Enum):
    Waiting = auto()
    Granted = auto()
    Refused = auto()


class Turn:
    """One request that wants to be sent."""

    __slots__ = (
        "asked_at",
        "charges",
        "client",
        "is_starved",
        "key",
        "marks",
        "priority",
        "reason",
        "state",
        "taken_at",
        "wake",
    )

    def __init__(
        self, client: Client, charges: tuple[tuple[Pool, int], ...], priority: Priority, asked_at: int
    ) -> None:
        self.client = client
        self.charges = charges
        self.priority = priority
        self.asked_at = asked_at
        self.is_starved = False
        self.key: tuple[int, float, int] = (0, 0.0, 0)
        self.state = State.Waiting
        self.reason = ""
        self.taken_at = 0
        self.marks: tuple[int, ...] = ()
        self.wake: Callable[[], object] | None = None  # tells whoever waits that there is news

    @property
    def is_cancel(self) -> bool:
        return self.priority is Priority.Cancel


class Ban(Struct, frozen=True, kw_only=True):
    """All traffic of one exit has to stop."""

    exit: str
    until: int  # monotonic ns
    accounts: tuple[str, ...]
    text: str  # fit to show


class Budget:
    """All pools of one venue, and the requests that wait for them."""

    def __init__(self, limits: Iterable[Limit]) -> None:
        self._limits = tuple(limits)
        self._per_instrument = tuple(limit for limit in self._limits if limit.per is Per.Instrument)
        self._pools: dict[tuple[Limit, str], Pool] = {}
        self._clients: list[Client] = []
        self._bans: dict[str, Ban] = {}
        self._queue: list[Turn] = []  # in the order of their keys
        self._number = 0
        self._virtual = 0.0
        self._look_at = 0

    # -- who shares what --------------------------------------------------------------------------------------------------

    def client(self, scopes: Scopes) -> Client:
        """A user of the venue. Those who share what the venue counts share its budget; none of them may have more than half.

        One account may be several, by each exit that it can have: it shares nothing with itself.
        """
        pools = tuple(
            self._pool(limit, whose)
            for limit in self._limits
            if limit.per is not Per.Instrument and (whose := scopes.whose(limit.per)) is not None
        )
        client = Client(scopes, pools)
        self._clients.append(client)
        for pool in pools:
            sharers = [other for other in self._clients if pool in other.pools]
            if len({sharer.account for sharer in sharers}) > 1 and (most := _half(pool)) > 0:
                limit = Limit(per=Per.Share, unit=pool.limit.unit, most=most, window_ns=pool.limit.window_ns)
                for sharer in sharers:
                    sharer.shares.setdefault(pool, Pool(limit, pool.whose))
        return client

    def _pool(self, limit: Limit, whose: str) -> Pool:
        return self._pools.setdefault((limit, whose), Pool(limit, whose))

    def _charged(self, client: Client, priority: Priority, instrument: str | None) -> Iterable[Pool]:
        """All pools that a request of this client passes."""
        yield from client.pools
        if priority is not Priority.Cancel:  # a share keeps neighbours from each other; no cancel is kept back by it
            yield from client.shares.values()
        uid = client.scopes.whose(Per.Instrument)
        if instrument is not None and uid is not None:
            for limit in self._per_instrument:
                yield self._pool(limit, f"{instrument} of {uid}")

    def rank(self, order: Iterable[str], now: int) -> None:
        """Whose looks go first when many wait: the accounts with something to lose (F88).

        At first no more of them look at once than the exit's budget suffices for, in this order.
        """
        place = {account: number for number, account in enumerate(order)}
        for client in self._clients:
            client.rank = place.get(client.account or "", len(place))
            client.due_until = now + STARVED_NS if client.account is not None else 0

    def looked(self, client: Client) -> None:
        """Its first look is done: the next account may begin with its own."""
        if client.due_until:
            client.due_until = 0
            self._look_at = 0

    def _may_look(self, client: Client, now: int) -> bool:
        """Whether no account that comes first needs the budget for its first look."""
        before = sum(
            1
            for other in self._clients
            if other.due_until > now and other.exit == client.exit and other.rank < client.rank
        )
        if not before:
            return True
        room = min(
            (
                pool.ceiling(Priority.Look)
                for pool in client.pools
                if pool.limit.unit is Unit.Weight and pool.limit.per is Per.Exit
            ),
            default=0,
        )
        return before < max(1, room // LOOK_WEIGHT)

    def announced(self, unit: Unit, window_ns: int, most: int) -> None:
        """The venue says what its limit is; the documents may be older."""
        if most <= 0:
            return
        for pool in self._pools.values():
            if pool.limit.unit is unit and pool.limit.window_ns == window_ns:
                pool.most = most
        for pool, share in [item for client in self._clients for item in client.shares.items()]:
            share.most = max(1, _half(pool))
        self._look_at = 0

    # -- a turn -----------------------------------------------------------------------------------------------------------

    def ask(
        self, client: Client, price: Price, priority: Priority, now: int, instrument: str | None = None
    ) -> tuple[Turn, list[Turn]]:
        """A turn, granted at once where there is room and nobody is before it; and others that were granted on the way."""
        charges = tuple(
            (pool, price[pool.limit.unit])
            for pool in self._charged(client, priority, instrument)
            if pool.limit.unit in price
        )
        turn = Turn(client, charges, priority, now)
        turn.reason = self.why_never(turn, now)
        if turn.reason:
            turn.state = State.Refused
            return turn, []
        may_go = priority is not Priority.Look or self._may_look(client, now)
        if not self._queue and may_go and all(pool.fits(amount, priority, now) for pool, amount in charges):
            self._grant(turn, now)
            return turn, []
        self._number += 1
        place = client.rank if priority is Priority.Look else client.tag(self._virtual, max(price.values()))
        turn.key = (int(priority), place, self._number)
        client.waiting[not turn.is_cancel] += 1
        insort(self._queue, turn, key=_key_of)
        end = bisect_left(self._queue, turn.key, key=_key_of) + 1  # for those behind it nothing gets better
        granted, waiting, look_at = self._walk(self._queue[:end], now)
        self._queue[:end] = waiting
        self._look_at = min(self._look_at, look_at) if len(self._queue) > 1 else look_at
        return turn, [other for other in granted if other is not turn]

    def why_never(self, turn: Turn, now: int) -> str:
        """Why it is no use to wait; empty if it is."""
        client = turn.client
        ban = self.ban(client.exit, now)
        if ban is not None:
            return ban.text
        most = MOST_CANCELS if turn.is_cancel else MOST_WAITING
        if client.waiting[not turn.is_cancel] >= most:
            return f"{most} requests wait already for the rate budget of exit {client.exit}; try again later"
        for pool, amount in turn.charges:
            if not pool.can_ever(amount, turn.priority):
                return f"it costs {amount} of the {pool.most} that the venue allows; it can never be sent"
        return ""

    def pump(self, now: int) -> list[Turn]:
        """Give everybody a turn who can have one."""
        if now < self._look_at or not self._queue:
            return []
        self._age(now)
        granted, self._queue, self._look_at = self._walk(self._queue, now)
        return granted

    def _walk(self, turns: list[Turn], now: int) -> tuple[list[Turn], list[Turn], int]:
        """Who of them may go, who waits on, and when to look again.

        Who has to wait keeps what it waits for from those behind it, and only that.
        """
        claimed: set[Pool] = set()
        kept_back = False
        granted: list[Turn] = []
        waiting: list[Turn] = []
        for turn in turns:
            if claimed and any(pool in claimed for pool, _ in turn.charges):
                waiting.append(turn)
                continue
            priority = min(turn.priority, Priority.Order) if turn.is_starved else turn.priority
            if priority is Priority.Look and not self._may_look(turn.client, now):
                waiting.append(turn)
                kept_back = True
                continue
            lacking = [pool for pool, amount in turn.charges if not pool.fits(amount, priority, now)]
            if lacking:
                claimed.update(lacking)
                waiting.append(turn)
                continue
            turn.client.waiting[not turn.is_cancel] -= 1
            if turn.priority is not Priority.Look and not turn.is_starved:
                self._virtual = max(self._virtual, turn.key[1])
            self._grant(turn, now)
            granted.append(turn)
        look_at = min((pool.changes_at(now) for pool in claimed), default=NEVER)
        return granted, waiting, min(look_at, now + SECOND_NS) if kept_back else look_at

    def _age(self, now: int) -> None:
        starved = [
            turn
            for turn in self._queue
            if not (turn.is_starved or turn.is_cancel) and now - turn.asked_at >= STARVED_NS
        ]
        for turn in starved:
            turn.is_starved = True
            turn.key = (int(Priority.Cancel), float("inf"), turn.key[2])  # behind the cancels, before the orders
        if starved:
            self._queue.sort(key=_key_of)

    @property
    def look_at(self) -> int:
        """When somebody who waits may have a turn: pump then; before it nothing changes by itself."""
        return self._look_at

    def _grant(self, turn: Turn, now: int) -> None:
        turn.state = State.Granted
        turn.taken_at = now
        turn.marks = tuple([pool.take(amount, now) for pool, amount in turn.charges])

    def leave(self, turn: Turn) -> None:
        """It does not wait any longer, or was not sent although it had its turn: what it took is given back."""
        if turn.state is State.Granted:
            for (pool, amount), mark in zip(turn.charges, turn.marks, strict=True):
                pool.give_back(amount, turn.taken_at, mark)
        elif turn.state is State.Waiting:
            place = bisect_left(self._queue, turn.key, key=_key_of)
            if place < len(self._queue) and self._queue[place] is turn:
                del self._queue[place]
                turn.client.waiting[not turn.is_cancel] -= 1
        turn.state = State.Refused
        self._look_at = 0

    @property
    def waiting(self) -> int:
        return len(self._queue)

    # -- what the venue says ----------------------------------------------------------------------------------------------

    def answered(self, turn: Turn, headers: Mapping[str, str], now: int) -> None:
        """Its headers show what everybody used, not only we."""
        for (pool, _), mark in zip(turn.charges, turn.marks, strict=True):
            said = headers.get(pool.limit.header) if pool.limit.header else None
            if said is not None and said.isascii() and said.isdecimal() and len(said) < 12:
                pool.heard(int(said), mark, now)

    def told_to_wait(self, turn: Turn, *, is_orders: bool, wait_ns: int | None, now: int) -> None:
        """429: nothing more of what was too much until then, or a ban follows. Cancels wait, too: the venue takes none."""
        until = now + (WAIT_UNTOLD_NS if wait_ns is None else max(wait_ns, SECOND_NS))
        charged = [
            pool
            for pool, amount in turn.charges
            if amount
            and pool.limit.per is not Per.Share
            and pool.limit.unit is not Unit.Requests
            and (pool.limit.unit is Unit.Orders) is is_orders
        ]
        spent = [pool for pool in charged if pool.used(now) >= pool.most]  # its headers tell whose it was, often
        for pool in spent or charged:
            pool.close(until)
        self._look_at = 0

    def banned(self, exit_: str, *, until: int, until_text: str, now: int) -> tuple[Ban | None, list[Turn]]:
        """418: all traffic of the exit stops until its end, and whoever waits for it is refused now.

        None if it is known that it lasts so long.
        """
        known = self.ban(exit_, now)
        if known is not None and known.until >= until:
            return None, []
        accounts = tuple(
            client.account for client in self._clients if client.exit == exit_ and client.account is not None
        )
        text = f"exit {exit_} is banned by the venue until {until_text}"
        ban = self._bans[exit_] = Ban(exit=exit_, until=until, accounts=accounts, text=text)
        refused = [other for other in self._queue if other.client.exit == exit_]
        for other in refused:
            self.leave(other)
            other.reason = text
        return ban, refused

    def ban(self, exit_: str, now: int) -> Ban | None:
        """The ban of this exit that holds now."""
        ban = self._bans.get(exit_)
        if ban is not None and now >= ban.until:
            del self._bans[exit_]
            return None
        return ban

    def bans(self, now: int) -> tuple[Ban, ...]:
        return tuple(ban for exit_ in list(self._bans) if (ban := self.ban(exit_, now)) is not None)

    def closed(self, turn: Turn, now: int) -> Pool | None:
        """What the venue has told to wait longest of all that it is charged to; None if nothing."""
        last = max((pool for pool, _ in turn.charges), key=lambda pool: pool.closed_until, default=None)
        return last if last is not None and last.closed_until > now else None

    def lacking(self, turn: Turn, now: int) -> str:
        """Whose budget it waits for."""
        lacks = (pool.whose for pool, amount in turn.charges if not pool.fits(amount, turn.priority, now))
        return next(lacks, f"exit {turn.client.exit}")  # there is room, and others are before it


def _half(pool: Pool) -> int:
    """What one of several clients may take of a pool."""
    return pool.ceiling(Priority.Order) // 2


def _key_of(turn: Turn) -> tuple[int, float, int]:
    return turn.key
