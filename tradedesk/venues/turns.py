"""Waiting for a turn: the budgets of a desk behind one lock, and each client's door to its own (DESIGN 7).

The lock is one of the two of the house: small, and never held while anything is awaited. Doors belong to their client's
loop; the budgets are everybody's.
"""

import asyncio
import contextlib
import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime

from msgspec import Struct

from tradedesk.clock import Clock
from tradedesk.venues.bans import BanFolder, KnownBan
from tradedesk.venues.budgets import BAN_UNTOLD_NS, Ban, Budget, Client, Scopes, State, Turn
from tradedesk.venues.pools import SECOND_NS, Limit, Pool, Price, Priority, Unit

LOOK_NS = SECOND_NS // 4  # between two looks whether what waits is still wanted
LONGEST_SLEEP_NS = 5 * SECOND_NS  # others may leave room at any time
_TOO_MANY_ORDERS = -1015


class NoTurn(Struct, frozen=True):
    """It was not let through. `reason` is fit to show."""

    reason: str


class Budgets:
    """The budgets of every venue of a desk. Any thread."""

    def __init__(self, clock: Clock, kept: BanFolder | None = None) -> None:
        """`kept` remembers the bans beyond the desk's end."""
        self._clock = clock
        self._kept = kept
        self._lock = threading.Lock()
        self._venues: dict[str, Budget] = {}

    def door(
        self, place: str, limits: tuple[Limit, ...], scopes: Scopes, *, kind: "type[Door] | None" = None
    ) -> "Door":
        """For one client of the venue at `place`: an account, or the market data. Make all of them before any is used."""
        with self._lock:
            budget = self._venues.setdefault(place, Budget(limits))
            client = budget.client(scopes)
        return (kind or Door)(budget, client, self._lock, self._clock, lambda ban: self._keep(place, ban))

    def _keep(self, place: str, ban: Ban) -> None:
        if self._kept is not None:
            until = self._clock.now() + ban.until - self._clock.monotonic()
            self._kept.keep(KnownBan(place=place, exit=ban.exit, until=until))

    def recall(self) -> None:
        """Heed the bans of an earlier run. Once all doors are made, before any is used."""
        now, elapsed = self._clock.now(), self._clock.monotonic()
        for known in [] if self._kept is None else self._kept.read(now):
            budget = self._venues.get(known.place)
            if budget is not None:
                with self._lock:
                    until = elapsed + known.until - now
                    budget.banned(known.exit, until=until, until_text=_date(known.until), now=elapsed)

    def look_first(self, accounts: Sequence[str]) -> None:
        """The order in which accounts are compared with their venue when the budget does not suffice for all at once."""
        now = self._clock.monotonic()
        with self._lock:
            for budget in self._venues.values():
                budget.rank(accounts, now)

    def bans(self) -> tuple[Ban, ...]:
        """Those that hold now."""
        now = self._clock.monotonic()
        with self._lock:
            return tuple(ban for budget in self._venues.values() for ban in budget.bans(now))


class Door:
    """One client's way to its venue. `pass_` on its own loop; the rest from any thread."""

    def __init__(
        self, budget: Budget, client: Client, lock: threading.Lock, clock: Clock, keep: Callable[[Ban], None]
    ) -> None:
        self._budget = budget
        self._client = client
        self._lock = lock
        self._clock = clock
        self._keep = keep

    async def pass_(
        self,
        price: Price,
        priority: Priority,
        *,
        instrument: str | None = None,
        within_ns: int | None = None,
        unwanted: Callable[[], str | None] | None = None,
    ) -> Turn | NoTurn:
        """Wait for a turn; what came of it is told to `left` and `answered`.

        NoTurn after `within_ns`, or as soon as `unwanted` gives a reason, or if it can never be.
        """
        now = self._clock.monotonic()
        with self._lock:
            turn, granted = self._budget.ask(self._client, price, priority, now, instrument)
        _wake(granted)
        if turn.state is State.Granted:
            return turn
        if turn.state is State.Refused:
            return NoTurn(turn.reason)
        return await self._waited(turn, None if within_ns is None else now + within_ns, unwanted)

    async def _waited(
        self, turn: Turn, give_up_at: int | None, unwanted: Callable[[], str | None] | None
    ) -> Turn | NoTurn:
        woken = asyncio.Event()
        loop = asyncio.get_running_loop()
        turn.wake = lambda: loop.call_soon_threadsafe(woken.set)
        is_taken = False
        try:
            while True:
                now = self._clock.monotonic()
                with self._lock:
                    granted = self._budget.pump(now)
                    look_at = self._budget.look_at
                    told, lacking = self._budget.closed(turn, now), self._budget.lacking(turn, now)
                _wake([other for other in granted if other is not turn])
                if turn.state is not State.Waiting:
                    is_taken = True
                    return turn if turn.state is State.Granted else NoTurn(turn.reason)
                reason = _no_more(told, lacking, give_up_at, now) or (unwanted() if unwanted is not None else None)
                if reason is not None:
                    return NoTurn(reason)
                sleep = min(max(look_at - now, 0), LONGEST_SLEEP_NS if unwanted is None else LOOK_NS)
                if give_up_at is not None:
                    sleep = min(sleep, give_up_at - now)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(max(sleep, 1_000_000) / SECOND_NS):
                        await woken.wait()
                woken.clear()
        finally:
            if not is_taken:
                self.left(turn)

    def looked(self) -> None:
        """This account was compared with its venue."""
        with self._lock:
            self._budget.looked(self._client)
            granted = self._budget.pump(self._clock.monotonic())
        _wake(granted)

    def stopped(self, turn: Turn) -> str | None:
        """Why a request that had its turn must not leave any more, the venue having said stop meanwhile; None if it may."""
        now = self._clock.monotonic()
        with self._lock:
            ban, told = self._budget.ban(self._client.exit, now), self._budget.closed(turn, now)
        if ban is not None:
            return ban.text
        return None if told is None else _told_to_wait(told, now)

    def left(self, turn: Turn) -> None:
        """Nothing was sent, or nobody waits any more: give back what it took."""
        with self._lock:
            self._budget.leave(turn)
            granted = self._budget.pump(self._clock.monotonic())
        _wake(granted)

    def answered(self, turn: Turn, status: int, code: int | None, headers: Mapping[str, str]) -> None:
        """What the venue answered: what everybody used, and whether it wants us to wait or has banned us."""
        now = self._clock.monotonic()
        ban: Ban | None = None
        refused: list[Turn] = []
        with self._lock:
            self._budget.answered(turn, headers, now)
            if status == 429:
                self._budget.told_to_wait(
                    turn, is_orders=code == _TOO_MANY_ORDERS, wait_ns=retry_after_ns(headers), now=now
                )
            elif status == 418:
                ban, refused = self._banned(retry_after_ns(headers), now)
        _wake(refused)
        if ban is not None:
            self._keep(ban)

    def _banned(self, wait_ns: int | None, now: int) -> tuple[Ban | None, list[Turn]]:
        wait = wait_ns if wait_ns is not None else BAN_UNTOLD_NS
        ends = _date(self._clock.now() + wait)
        return self._budget.banned(self._client.exit, until=now + wait, until_text=ends, now=now)

    def announced(self, unit: Unit, window_ns: int, most: int) -> None:
        with self._lock:
            self._budget.announced(unit, window_ns, most)

    def ban(self) -> str | None:
        """Why nothing may be sent at all now; None if it may."""
        with self._lock:
            ban = self._budget.ban(self._client.exit, self._clock.monotonic())
        return None if ban is None else ban.text


class UrgentDoor(Door):
    """The way of a kill: all that it asks goes as cancels go, the looks that show what is left too."""

    async def pass_(
        self,
        price: Price,
        priority: Priority,
        *,
        instrument: str | None = None,
        within_ns: int | None = None,
        unwanted: Callable[[], str | None] | None = None,
    ) -> Turn | NoTurn:
        return await super().pass_(
            price, Priority.Cancel, instrument=instrument, within_ns=within_ns, unwanted=unwanted
        )


def retry_after_ns(headers: Mapping[str, str]) -> int | None:
    """What Retry-After says, as a duration; None if it says nothing that can be read."""
    said = headers.get("retry-after", "")
    return int(said) * SECOND_NS if said.isascii() and said.isdecimal() and len(said) < 9 else None


def _date(at: int) -> str:
    return f"{datetime.fromtimestamp(at // SECOND_NS, UTC):%Y-%m-%d %H:%M:%S} UTC"


def _no_more(told: Pool | None, lacking: str, give_up_at: int | None, now: int) -> str | None:
    """Why it is no use to wait any longer; None if it is."""
    if give_up_at is None:
        return None
    if told is not None and told.closed_until >= give_up_at:
        return f"{_told_to_wait(told, now)}, which is too long for it"
    return f"it waited too long for the rate budget of {lacking}" if now >= give_up_at else None


def _told_to_wait(pool: Pool, now: int) -> str:
    return f"the venue told {pool.whose} to wait for {-(-(pool.closed_until - now) // SECOND_NS)} s"


def _wake(turns: list[Turn]) -> None:
    for turn in turns:
        if turn.wake is not None:
            with contextlib.suppress(RuntimeError):  # its loop has ended
                turn.wake()
