"""A world to try the desk in: accounts, a market, operators at random, and everything that can go wrong between them."""

from collections.abc import Callable
from decimal import Decimal
from functools import partial
from random import Random

from tradedesk.clock import ManualClock
from tradedesk.domain.accounts import Account, Halt, HaltLevel, Mode
from tradedesk.domain.commands import AmendOrder, CancelAll, CancelOrder, PlaceOrder
from tradedesk.domain.limits import Limits
from tradedesk.domain.money import floor_to_lot, round_to_tick
from tradedesk.domain.orders import Order
from tradedesk.domain.words import AccountId, ClientOrderId, OperatorId, OrderType, Side, TimeInForce
from tradedesk.paper.rows import AccountSpec, Kind, NewOrder, Refusal
from tradedesk.simulation import checks
from tradedesk.simulation.account import SimAccount
from tradedesk.simulation.checks import Watch
from tradedesk.simulation.faults import Faults
from tradedesk.simulation.scheduler import MS, SECOND, Scheduler
from tradedesk.simulation.venue import INSTRUMENT, OPEN, SPEC, VENUE, SimVenue

START = 1_764_000_000 * SECOND
NAMES = ("acme", "birch", "cedar", "dogwood")
LIMITS = Limits(
    max_order_notional=Decimal(20_000),
    max_position=Decimal("1.2"),
    max_position_notional=Decimal(10**6),
    max_open_orders=8,
)
COMMISSION = Decimal("0.001")
TRADER = OperatorId("desk1")
SETTLE_S = 40  # the longest doubt, a cancel repeated blindly, and two looks at the venue after them


class World:
    """Everything in it follows from `seed`. `crash_every_s` is the mean time between two crashes of one account."""

    def __init__(
        self,
        seed: int,
        *,
        drop: float = 0.1,
        duplicate: float = 0.1,
        slow: float = 0.1,
        crash_every_s: float | None = None,
        accounts: int = 2,
    ) -> None:
        self.chance = Random(f"world {seed}")
        self.watch = Watch()
        self.scheduler = Scheduler(ManualClock(START), Random(f"order {seed}"))
        self.faults = Faults(Random(f"faults {seed}"), drop=drop, duplicate=duplicate, slow=slow)
        names = [AccountId(name) for name in NAMES[:accounts]]
        specs = [
            AccountSpec(
                name=name, balances={"USDT": Decimal(60_000), "BTC": Decimal(1)}, maker=COMMISSION, taker=COMMISSION
            )
            for name in names
        ]
        self.venue = SimVenue(specs, seed, self.scheduler, self.faults)
        self.venue.pump()
        self._ids = 0
        self._is_busy = True  # operators act and things break
        self._crash_every_s = crash_every_s
        self.accounts = [
            SimAccount(_account(name), self.venue, self.scheduler, self.faults, self._new_id, self.watch)
            for name in names
        ]
        self.scheduler.every(50 * MS, self._pump)
        for account in self.accounts:
            account.start()
            self._often(0.6, partial(self._operate, account))
            self._often(15, partial(self._interrupt, account))
            self._often(12, partial(self._money_moves, account))
            self._often(25, partial(self._amid_orders, account, self._halt))
            if crash_every_s is not None:
                self._often(crash_every_s, partial(self._amid_orders, account, self._crash))

    # -- running --------------------------------------------------------------------------------------------------------

    def run(self, seconds: float) -> None:
        self.scheduler.run(int(seconds * SECOND))

    def settle(self) -> None:
        """End the faults and the operators, let everything come to rest, then stop the market and look twice more.

        Some accounts end in a halt and some in a cancel-all, begun while things still go wrong: both must be carried out.
        """
        self._is_busy = False
        for account in self.accounts:
            match self.chance.randrange(3):
                case 0:
                    self._halt(account)
                case 1:
                    account.tell(CancelAll(account=account.id, operator=TRADER))
        self.run(1)
        self.faults.end()
        self.venue.is_feed_down = False
        self.run(SETTLE_S)
        self.venue.is_frozen = True
        self.run(SETTLE_S / 2)

    def broken(self, rule: str) -> list[str]:
        """What did not hold of a rule of DESIGN section 5, on the way and now that all is settled."""
        found = list(self.watch.broken[rule])
        for account in self.accounts:
            for check in checks.SETTLED.get(rule, ()):
                found += check(account, self.watch)
        return found

    def unexplained_orders(self) -> list[str]:
        return self.broken("5.1")

    def sent_twice(self) -> list[str]:
        return self.broken("5.2")

    def wrong_money(self) -> list[str]:
        return self.broken("5.3")

    def over_limit(self) -> list[str]:
        return self.broken("5.4")

    def halt_leaks(self) -> list[str]:
        return self.broken("5.5")

    def _pump(self) -> None:
        self.venue.pump()
        for account in self.accounts:
            self.watch.look(account)

    def _often(self, mean_s: float, action: Callable[[], None]) -> None:
        """Act at random moments, as long as the world is busy."""

        def again() -> None:
            if self._is_busy:
                action()
                self._often(mean_s, action)

        self.scheduler.after(int(self.chance.expovariate(1 / mean_s) * SECOND), again)

    def _new_id(self) -> ClientOrderId:
        self._ids += 1
        return ClientOrderId(f"td-{self._ids}")

    def _amid_orders(self, account: SimAccount, action: Callable[[SimAccount], None]) -> None:
        """Act while orders are on their way through every layer (F77)."""
        for _ in range(4):
            self._operate(account)
        self.scheduler.after(int(self.chance.uniform(0, 40) * MS), partial(action, account))

    # -- what breaks ----------------------------------------------------------------------------------------------------

    def _crash(self, account: SimAccount) -> None:
        if account.core is None:
            return
        if self.chance.random() < 0.2:  # the disk goes first, and for a while nobody can send
            account.break_disk()
            self.scheduler.after(self._up_to(3), lambda: self._end(account))
        else:
            self._end(account)

    def _end(self, account: SimAccount) -> None:
        if account.core is not None:
            account.crash()
            self.watch.crashed(account)
            self.scheduler.after(self._up_to(4), account.start)

    def _interrupt(self, account: SimAccount) -> None:
        """The private stream goes away for a while, or the market's data does."""
        if self.chance.random() < 0.5:
            account.stream_down()
            self.scheduler.after(self._up_to(3), lambda: account.stream_up() if account.core is not None else None)
        else:
            self.venue.is_feed_down = True
            self.scheduler.after(self._up_to(8), self._feed_up)

    def _feed_up(self) -> None:
        self.venue.is_feed_down = False

    # -- what operators do ----------------------------------------------------------------------------------------------

    def _halt(self, account: SimAccount) -> None:
        now = self.scheduler.clock.now()
        level = self.chance.choice(list(HaltLevel))
        account.halted(Halt(account=account.id, level=level, by="risk1", reason="drill", at=now))
        self.scheduler.after(self._up_to(12), lambda: self._rearm(account))

    def _rearm(self, account: SimAccount) -> None:
        if account.halt is not None and self._is_busy:
            account.halted(None)

    def _operate(self, account: SimAccount) -> None:
        if account.core is None:
            return
        working = [order for order in account.core.manager.live.values() if not order.is_external]
        match self.chance.choices(range(7), (10, 3, 3, 5, 5, 1, 2))[0]:
            case 0:
                account.tell(self._order(account, OrderType.Limit, TimeInForce.GoodTillCancel))
            case 1:
                account.tell(self._order(account, OrderType.Limit, TimeInForce.ImmediateOrCancel))
            case 2:
                account.tell(self._order(account, OrderType.Market, TimeInForce.GoodTillCancel))
            case 3 if working:
                account.tell(self._amend(account, self.chance.choice(working)))
            case 4 if working:
                order = self.chance.choice(working)
                account.tell(CancelOrder(account=account.id, client_order_id=order.client_order_id, operator=TRADER))
            case 5:
                account.tell(CancelAll(account=account.id, operator=TRADER))
            case 6:
                self._other_software(account)

    def _order(self, account: SimAccount, kind: OrderType, tif: TimeInForce) -> PlaceOrder:
        side = self.chance.choice(list(Side))
        command = PlaceOrder(
            account=account.id,
            client_order_id=self._new_id(),
            instrument=INSTRUMENT.id,
            side=side,
            order_type=kind,
            time_in_force=tif,
            order_qty=self._qty(),
            price=None if kind is OrderType.Market else self._price(side),
            reduce_only=self.chance.random() < 0.1,
            operator=TRADER,
            deadline=self._deadline(),
        )
        if self.chance.random() < 0.05:
            self.scheduler.after(self._up_to(1), lambda: account.tell(command))  # delivered twice (F74)
        return command

    def _amend(self, account: SimAccount, order: Order) -> AmendOrder:
        return AmendOrder(
            account=account.id,
            client_order_id=order.client_order_id,
            new_client_order_id=self._new_id(),
            order_qty=order.cum_qty + self._qty(),
            price=self._price(order.side),
            operator=TRADER,
            deadline=self._deadline(),
        )

    def _other_software(self, account: SimAccount) -> None:
        """Sells, and cancels its sells, on the same account: seen, counted, never touched (F42).

        No bids, which no limit of ours could stop; nothing before the desk has opened its books, as an opening cannot
        tell what trades while it is read.
        """
        if account.core is None or not account.core.manager.trades_from:
            return
        exchange, now = self.venue.exchange, self.venue.now()
        theirs = [
            row
            for row in self.venue.orders(account.id)
            if row.status in OPEN and row.client_order_id.startswith("web-")
        ]
        try:
            if theirs and self.chance.random() < 0.5:
                exchange.cancel(account.id, SPEC.symbol, now, order_id=theirs[0].order_id)
            else:
                order = NewOrder(
                    symbol=SPEC.symbol,
                    side="SELL",
                    kind=Kind.LIMIT,
                    quantity=self._qty() / 4 // SPEC.lot * SPEC.lot,
                    price=self._price(Side.Sell),
                    time_in_force="GTC",
                    client_order_id=f"web-{self._new_id()}",
                )
                exchange.place(account.id, order, now)
        except Refusal:
            return  # their affair
        self.venue.pump()

    def _money_moves(self, account: SimAccount) -> None:
        """A deposit, a withdrawal or interest: no fill explains it, the venue's ledger does."""
        if account.core is None or not account.core.manager.trades_from:
            return
        # no deposit of BTC: it would take a position over a limit that only orders must keep
        asset, amount = self.chance.choice((("USDT", "17.5"), ("USDT", "-4.25"), ("BTC", "-0.001")))
        kinds = ("DEPOSIT",) if not amount.startswith("-") else ("WITHDRAW", "INTEREST")
        try:
            self.venue.exchange.move(account.id, asset, Decimal(amount), self.chance.choice(kinds), self.venue.now())
        except Refusal:
            return  # not enough is free
        self.venue.pump()

    def _qty(self) -> Decimal:
        return floor_to_lot(
            Decimal(self.chance.choice((5, 20, 80, 300, 600))) / 1000 * Decimal(self.chance.randint(1, 9)) / 9, SPEC.lot
        )

    def _price(self, side: Side) -> Decimal:
        top = self.venue.exchange.book_ticker(SPEC.symbol)
        touch = (top.bid if side is Side.Buy else top.ask) or Decimal(60_000)
        away = Decimal(self.chance.choice((-200, -1, 0, 1, 20, 300, 3_000, 30_000, 60_000))) * SPEC.tick
        return round_to_tick(touch - away * side.sign, SPEC.tick, side)

    def _deadline(self) -> int:
        return self.scheduler.clock.now() + self.chance.choice((SECOND // 10, 5 * SECOND))

    def _up_to(self, seconds: float) -> int:
        return int(self.chance.uniform(0.05, seconds) * SECOND)


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
