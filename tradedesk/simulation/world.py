"""A world to try the desk in: accounts, a market, operators at random, and everything that can go wrong between them."""

from collections.abc import Callable
from decimal import Decimal
from functools import partial
from random import Random

import msgspec

from tradedesk.clock import ManualClock
from tradedesk.domain import events as ev
from tradedesk.domain.accounts import Account, Halt, HaltLevel, Mode
from tradedesk.domain.limits import Limits, Totals
from tradedesk.domain.words import AccountId, ClientOrderId
from tradedesk.paper.rows import AccountSpec
from tradedesk.risk.days import DESK
from tradedesk.risk.reservations import Reservations
from tradedesk.simulation import checks
from tradedesk.simulation.account import SimAccount
from tradedesk.simulation.checkpoints import Checkpoints
from tradedesk.simulation.faults import Faults, Odds
from tradedesk.simulation.operators import Operators
from tradedesk.simulation.rows import INSTRUMENT, SPEC, VENUE
from tradedesk.simulation.scheduler import MS, SECOND, Scheduler
from tradedesk.simulation.storage import Plan, SimStore
from tradedesk.simulation.trace import Trace
from tradedesk.simulation.venue import SimVenue
from tradedesk.simulation.watch import Watch
from tradedesk.views.replica import Replica

START = 1_764_000_000 * SECOND
NAMES = ("acme", "birch", "cedar", "dogwood")
LIMITS = Limits(
    max_order_notional=Decimal(20_000),
    max_position=Decimal("1.2"),
    max_position_notional=Decimal(10**6),
    max_open_orders=3,
)
COMMISSION = Decimal("0.001")
OTHERS = AccountId("them")  # an account no desk knows: whoever it trades for trades with ours
PRICE = Decimal(62_000)  # about what the coin costs
ROOM = (Decimal("0.15"), Decimal("0.05"), Decimal("0.3"))  # coins that the desk may hold besides those it begins with
STEPS_S = (-3600, -60, -3, -0.8, -0.3, 0.3, 0.8, 3, 60, 3600)  # of the wall clock
SETTLE_S = 30  # the longest doubt, a cancel repeated blindly, and two looks at the venue after them
LOOK_S = 14  # with the market frozen


class World:
    """Everything in it follows from `seed` and `odds`.

    `idle` leaves the operators and all that happens by itself away: whoever made it acts and breaks things.
    """

    def __init__(
        self,
        seed: int,
        odds: Odds,
        *,
        trace: Trace | None = None,
        faults: Faults | None = None,
        is_idle: bool = False,
    ) -> None:
        self.odds = odds
        self.chance = Random(f"world {seed}")
        self.scheduler = Scheduler(ManualClock(START), Random(f"order {seed}"))
        self.watch = Watch(self.scheduler.clock.monotonic, trace)
        self.faults = faults or Faults(Random(f"faults {seed}"), odds)
        names = [AccountId(name) for name in NAMES[: odds.accounts]]
        specs = [
            AccountSpec(
                name=name, balances={"USDT": Decimal(60_000), "BTC": Decimal(1)}, maker=COMMISSION, taker=COMMISSION
            )
            for name in names
        ]
        rich = {"USDT": Decimal(10**9), "BTC": Decimal(10**5)}
        specs.append(AccountSpec(name=OTHERS, balances=rich, maker=COMMISSION, taker=COMMISSION))
        self.venue = SimVenue(specs, seed, self.scheduler, self.faults)
        self.venue.pump()
        self.venue.looks = self._look
        self.plan = Plan(Random(f"kills {seed}"), odds.kill_writes)
        self.store = SimStore(self.scheduler, self.faults, self.plan, told=self._told, kill=self.kill)
        self._ids = 0
        self._is_busy = not is_idle  # operators act and things break
        self._is_dead = False
        self.operators = Operators(self.chance, self.scheduler, self.venue, self.new_id)
        self._totals = _totals(len(names), ROOM[0])
        shared = Reservations([_account(name) for name in names], self._totals, "USDT")
        checkpoints = Checkpoints(Random(f"checkpoints {seed}"))
        self.accounts = [
            SimAccount(
                _account(name),
                self.venue,
                self.store,
                self.scheduler,
                self.faults,
                self.new_id,
                checkpoints,
                shared,
                self.watch,
                self.kill,
            )
            for name in names
        ]
        for account in self.accounts:
            self.watch.caps.join(account)
        self.watch.caps.totals(self._totals)
        self.scheduler.every(50 * MS, self._pump)
        self._start()
        for account in self.accounts:
            self._often(0.4, partial(self.operators.act, account))
            self._often(12, partial(self.operators.money_moves, account))
            self._often(25, partial(self._amid_orders, account, self._halt))
            self._often(15, partial(self._interrupt, account))
            self._often(12, partial(self._limit, account))
            self._often(odds.crash_s, partial(self._amid_orders, account, self.crash))
            self._often(odds.ban_s, partial(self._ban, account))
        self._often(15, self._limit_together)
        self._often(odds.kill_s, self.kill)
        self._often(odds.disk_s, self._disk_fails)
        self._often(odds.clock_s, lambda: self.step_clock(self.chance.choice(STEPS_S)))
        self._often(odds.market_halt_s, self._market_halts)

    # -- running --------------------------------------------------------------------------------------------------------

    def run(self, seconds: float) -> None:
        """Safety: whatever goes wrong, nothing that is watched may break."""
        self.scheduler.run(int(seconds * SECOND))

    def settle(self) -> None:
        """Recovery: end the faults and the operators, let everything come to rest, then stop the market and look twice more.

        Some accounts end in a halt and some in a cancel-all, begun while things still go wrong: both must be carried out,
        though the worker may die over them.
        """
        self._is_busy = False
        for account in self.accounts:
            match self.chance.randrange(3):
                case 0:
                    self._halt(account)
                case 1:
                    self.operators.cancel_all(account)
            if self.odds.crash_s is not None and self.chance.random() < 0.7:
                self.scheduler.after(int(self.chance.uniform(0, 25) * MS), partial(self.crash, account))
        self.run(1)
        self.watch.note("world", "the faults end")
        self.faults.end()
        self.plan.end()
        self._mend()
        self.venue.is_feed_down = False
        self.run(SETTLE_S)
        self.watch.note("world", "the market stands still")
        self.venue.is_frozen = True
        self.run(LOOK_S)

    def broken(self, rule: str) -> list[str]:
        """What did not hold of a rule of DESIGN section 5, on the way and now that all is settled."""
        found = list(self.watch.broken[rule])
        for account in self.accounts:
            for check in checks.SETTLED.get(rule, ()):
                found += check(account, self.watch)
        return found

    def _pump(self) -> None:
        self.venue.pump()
        if self.venue.quote is not None and self.venue.quote.mark is not None:
            self.watch.caps.priced(self.venue.quote.mark)
        for account in self.accounts:
            self.watch.look(account)

    def _look(self, account_id: AccountId) -> None:
        for account in self.accounts:
            if account.id == account_id:
                self.watch.look(account)

    def _told(self) -> None:
        """Records are on disk, or never will be: whoever waits for one goes on, in any order."""
        for account in self.accounts:
            self.scheduler.after(0, account.flush)

    def _often(self, mean_s: float | None, action: Callable[[], None]) -> None:
        """Act at random moments, as long as the world is busy."""
        if mean_s is None or not self._is_busy:
            return

        def again() -> None:
            if self._is_busy:
                self._often(mean_s, action)
                action()

        self.scheduler.after(int(self.chance.expovariate(1 / mean_s) * SECOND), again)

    def new_id(self) -> ClientOrderId:
        self._ids += 1
        return ClientOrderId(f"td-{self._ids}")

    def _amid_orders(self, account: SimAccount, action: Callable[[SimAccount], None]) -> None:
        """Act while orders are on their way through every layer (F77)."""
        for _ in range(4):
            self.operators.act(account)
        self.scheduler.after(int(self.chance.uniform(0, 40) * MS), partial(action, account))

    def _up_to(self, seconds: float) -> int:
        return int(self.chance.uniform(0.05, seconds) * SECOND)

    # -- what breaks ----------------------------------------------------------------------------------------------------

    def crash(self, account: SimAccount) -> None:
        """The account's worker dies; the desk starts another, soon."""
        if account.core is None:
            return
        self.watch.note(account.id, "* the worker dies")
        account.stop()
        self.scheduler.after(self._up_to(3), partial(self._restart, account))

    def _restart(self, account: SimAccount) -> None:
        if not self._is_dead:
            account.start()

    def kill(self) -> None:
        """The process dies, or the machine, with all that was not on disk. A new one starts, soon."""
        if self._is_dead:
            return
        self._is_dead = True
        is_power_cut = self.chance.random() < 0.5
        self.watch.note("world", "power cut" if is_power_cut else "kill -9")
        for account in self.accounts:
            account.stop()
        self.store.crash(is_power_cut=is_power_cut)
        self.watch.crashed(self.accounts, self.store)
        self.scheduler.after(self._up_to(4), self._start_again)

    def _start(self) -> None:
        for account in self.accounts:
            if not self._is_dead:  # killed over the first records of one of them
                account.start()

    def _start_again(self) -> None:
        """Another process, that knows what the journal says. Its accounts open one by one, as each hears of its venue."""
        self._is_dead = False
        shared = Reservations([account.account for account in self.accounts], self._totals, "USDT")
        replica = Replica()
        replica.apply(ev.InstrumentListed(at=0, source="simulation", instrument=INSTRUMENT))
        for event in self.store.replay():
            replica.apply(event)
        self.watch.caps.opened = dict.fromkeys(replica.ledgers, 0)
        shared.expect(replica.positions.values(), replica.orders.values())
        for account in self.accounts:
            account.shared = shared
            self.scheduler.after(self._up_to(4), partial(self._restart, account))

    def _disk_fails(self) -> None:
        self.watch.note("world", "the disk fails")
        self.store.fail("disk eio")
        self.scheduler.after(self._up_to(4), self._mend)

    def _mend(self) -> None:
        self.watch.note("world", "the disk works")
        self.store.mend()

    def step_clock(self, seconds: float) -> None:
        """The wall clock is set; durations are not touched, nor is the venue's clock."""
        self.watch.note("world", f"the wall clock steps by {seconds} s")
        clock = self.scheduler.clock
        clock.set_wall(clock.now() + int(seconds * SECOND))

    def _ban(self, account: SimAccount) -> None:
        until, status = self.venue.now() + self._up_to(10), self.chance.choice((418, 429))
        self.watch.note(account.id, f"* banned with {status}")
        self.venue.banned[account.id] = (until, status)

    def _market_halts(self) -> None:
        self.watch.note("world", "the instrument is halted")
        self.venue.exchange.set_status(SPEC.symbol, self.chance.choice(("HALT", "CANCEL_ONLY")), self.venue.now())
        self.scheduler.after(self._up_to(5), self._market_goes_on)

    def _market_goes_on(self) -> None:
        self.watch.note("world", "the instrument trades again")
        self.venue.exchange.set_status(SPEC.symbol, "TRADING", self.venue.now())

    def _interrupt(self, account: SimAccount) -> None:
        """The private stream goes away for a while, or the market's data does."""
        if self.chance.random() < 0.5:
            self.watch.note(account.id, "* the private stream is down")
            account.stream_down()
            self.scheduler.after(self._up_to(3), account.stream_up)
        else:
            self.venue.is_feed_down = True
            self.scheduler.after(self._up_to(8), self._feed_up)

    def _feed_up(self) -> None:
        self.venue.is_feed_down = False

    # -- limits ---------------------------------------------------------------------------------------------------------

    def _limit(self, account: SimAccount) -> None:
        """Other limits for the account, tighter or wider, whatever it holds and has under way."""
        limits = msgspec.structs.replace(
            LIMITS,
            max_position=self.chance.choice((Decimal("0.9"), Decimal("1.05"), LIMITS.max_position)),
            max_open_orders=self.chance.choice((1, 2, LIMITS.max_open_orders)),
            max_order_notional=self.chance.choice((Decimal(5_000), LIMITS.max_order_notional)),
        )
        self.watch.note(account.id, f"* may hold {limits.max_position}, with {limits.max_open_orders} orders")
        self.watch.caps.limited(account.id, limits)
        account.limited(limits)

    def _limit_together(self) -> None:
        self._totals = _totals(len(self.accounts), self.chance.choice(ROOM))
        self.watch.note("world", "other limits for the group and the desk")
        self.watch.caps.totals(self._totals)
        for scope, (totals, source) in self._totals.items():
            self.accounts[0].shared.set_totals(scope, totals, source)

    # -- halts ----------------------------------------------------------------------------------------------------------

    def halt(self, account: SimAccount, level: HaltLevel) -> None:
        now = self.scheduler.clock.now()
        self.watch.note(account.id, f"* halt of level {level}")
        halt = Halt(account=account.id, level=level, by="risk1", reason="drill", at=now)
        self.watch.halts[account.id] = halt
        account.halted(halt)

    def rearm(self, account: SimAccount) -> None:
        self.watch.note(account.id, "* re-armed")
        self.watch.halts.pop(account.id, None)
        account.halted(None)

    def _halt(self, account: SimAccount) -> None:
        self.halt(account, self.chance.choice(list(HaltLevel)))
        self.scheduler.after(self._up_to(12), lambda: self._rearm(account))

    def _rearm(self, account: SimAccount) -> None:
        if account.halt is not None and self._is_busy:
            self.rearm(account)


def _totals(accounts: int, room: Decimal) -> dict[str, tuple[Totals, str]]:
    """Each account begins with one coin, and has room for a little more: not all of them can take theirs."""
    desk, group = (PRICE * (accounts + room), PRICE * (accounts + room * 2))
    return {
        DESK: (Totals(max_position_notional=desk), "simulation"),
        "group all": (Totals(max_exposure=group), "simulation"),
    }


def _account(name: AccountId) -> Account:
    return Account(
        id=name,
        venue=VENUE,
        owner=name,
        groups=("all",),
        mode=Mode.Paper,
        egress="127.0.0.2",
        secret=name,
        limits=LIMITS,
    )
