"""A naive exchange: the same rules the plain way, to compare the engine with.

One list of orders, sorted before every trade; Decimal throughout; what is locked is never kept but added up from the open
orders whenever somebody asks. Slow on purpose, and short enough to be read and believed.
"""

from dataclasses import dataclass, field
from decimal import ROUND_DOWN, Decimal

UNIT = Decimal("0.00000001")
ZERO = Decimal(0)
OPEN = ("NEW", "PARTIALLY_FILLED", "PENDING_NEW")
STOPS = ("STOP_LOSS", "STOP_LOSS_LIMIT")
TAKES = ("TAKE_PROFIT", "TAKE_PROFIT_LIMIT")


class Refused(Exception):
    pass


@dataclass(eq=False)
class Order:
    account: str | None  # None: the flow of everyone else
    side: str
    kind: str
    qty: Decimal
    price: Decimal | None = None
    tif: str = "GTC"
    stop: Decimal | None = None
    delta: int | None = None
    peak: Decimal | None = None
    mode: str = "NONE"
    id: int = 0
    filled: Decimal = ZERO
    prevented: Decimal = ZERO
    status: str = "NEW"
    reason: str | None = None
    place: int | None = None  # in its queue; None where it is not on the book
    shown: Decimal = ZERO
    waits: bool = False  # for its trigger
    best: Decimal | None = None
    trails: bool = False
    guess: Decimal = ZERO  # the price a waiting market buy is thought to pay
    family: "Family | None" = None

    @property
    def leaves(self) -> Decimal:
        return self.qty - self.filled - self.prevented

    @property
    def is_open(self) -> bool:
        return self.status in OPEN


@dataclass(eq=False)
class Family:
    orders: list[Order]
    pair: list[Order] = field(default_factory=list)  # undecided
    working: Order | None = None
    pending: list[Order] = field(default_factory=list)


class NaiveExchange:
    def __init__(self, accounts, groups, *, tick, lot, maker, taker, base="BTC", quote="USDT"):
        self.totals = {name: dict(held) for name, held in accounts.items()}
        self.groups = groups
        self.tick, self.lot, self.rates = tick, lot, {True: maker, False: taker}
        self.base, self.quote = base, quote
        self.orders = []  # every open one, in order of arrival
        self.trades = []  # (price, qty, taker id, maker id)
        self.last = None
        self.counter = 0
        self.due = []

    # -- balances ---------------------------------------------------------------------------------------------------------
    def needs(self, order):
        if not order.is_open or order.status == "PENDING_NEW":
            return ZERO
        if order.side == "SELL":
            return order.leaves
        return (order.price if order.price is not None else order.guess) * order.leaves

    def locked(self, account, asset, without=None):
        side = "SELL" if asset == self.base else "BUY"
        total = ZERO
        for order in self.orders:
            if order.account == account and order.side == side and order is not without:
                pair = order.family.pair if order.family else []
                if order not in pair:
                    total += self.needs(order)
                elif order is pair[0]:
                    total += max(self.needs(leg) for leg in pair)
        return total

    def free(self, account, asset, without=None):
        return self.totals[account][asset] - self.locked(account, asset, without)

    def balances(self, account):
        return {asset: (self.free(account, asset), self.locked(account, asset)) for asset in (self.quote, self.base)}

    def given(self, side):
        return self.quote if side == "BUY" else self.base

    def move(self, account, asset, amount):
        if self.free(account, asset) + amount < 0:
            raise Refused("Account has insufficient balance for requested action.")
        self.totals[account][asset] += amount

    # -- the book -----------------------------------------------------------------------------------------------------------
    def facing(self, order):
        """The orders it may meet, in the order it meets them."""
        others = [
            other
            for other in self.orders
            if other.place is not None
            and other.side != order.side
            and (
                order.price is None
                or (other.price <= order.price if order.side == "BUY" else other.price >= order.price)
            )
        ]
        return sorted(others, key=lambda o: (o.price if order.side == "BUY" else -o.price, o.place))

    def depth(self, side):
        levels = {}
        for order in self.orders:
            if order.place is not None and order.side == side:
                levels[order.price] = levels.get(order.price, ZERO) + order.shown
        return tuple(sorted(levels.items(), reverse=side == "BUY"))

    def rest(self, order):
        self.counter += 1
        order.place = self.counter
        order.shown = min(order.peak or order.leaves, order.leaves)

    # -- orders -------------------------------------------------------------------------------------------------------------
    def is_above(self, order):
        return (order.side == "BUY") == (order.kind in STOPS)

    def is_reached(self, order, price):
        return price >= order.stop if self.is_above(order) else price <= order.stop

    def check(self, order):
        """What stands against it besides money."""
        if order.kind == "LIMIT_MAKER" and self.facing(order):
            raise Refused("Order would immediately match and take.")
        if order.stop is not None and self.last is not None and self.is_reached(order, self.last):
            raise Refused("Order would trigger immediately.")

    def cost(self, order):
        """What a market buy costs now: whole levels, hidden parts too."""
        left, cost = order.qty, ZERO
        for other in sorted(self.facing(order), key=lambda o: o.price):
            take = min(left, other.leaves)
            left, cost = left - take, cost + take * other.price
        return cost

    def guess(self, order):
        if order.side == "BUY" and order.price is None and order.kind != "MARKET":
            last = self.last if self.last is not None else ZERO
            trailed = (last * (10_000 + (order.delta or 0)) / 10_000) // self.tick * self.tick
            order.guess = order.stop if order.stop is not None else trailed

    def must_pay(self, order):
        self.guess(order)
        return self.cost(order) if order.side == "BUY" and order.kind == "MARKET" else self.needs(order)

    def place(self, order):
        if order.account is not None:
            if self.must_pay(order) > self.free(order.account, self.given(order.side)):
                raise Refused("Account has insufficient balance for requested action.")
            self.check(order)
        self.orders.append(order)
        self.set_working(order)
        self.settle()

    def set_working(self, order):
        if order.kind in STOPS + TAKES:
            order.waits = True
            if order.stop is None:
                order.trails, order.best = True, self.last
        else:
            self.work(order)

    def work(self, order):
        if order.tif != "FOK" or self.can_fill(order):
            self.match(order)
        if order.is_open:
            if order.price is None:
                self.end(order, "EXPIRED", "INSUFFICIENT_LIQUIDITY")
            elif order.tif == "IOC":
                self.end(order, "EXPIRED", "UNFILLED_IOC_QUANTITY_EXPIRED")
            elif order.tif == "FOK":
                self.end(order, "EXPIRED", "UNFILLED_FOK_ORDER_EXPIRED")
            else:
                self.rest(order)

    def is_own(self, order, other):
        return None not in (order.account, other.account) and self.groups[order.account] == self.groups[other.account]

    def can_fill(self, order):
        got, meets = ZERO, self.facing(order)
        for other in meets:
            if order.mode != "NONE" and self.is_own(order, other):
                if order.mode == "EXPIRE_MAKER":
                    continue
                # what it would meet before its own order: better prices in full, of this price what shows earlier
                got = sum(
                    (o.leaves for o in meets if o.price != other.price and meets.index(o) < meets.index(other)), ZERO
                )
                got += sum((o.shown for o in meets if o.price == other.price and o.place < other.place), ZERO)
                return got >= order.leaves
            got += other.leaves
        return got >= order.leaves

    def match(self, order):
        while order.is_open:
            meets = self.facing(order)
            if not meets:
                return
            other = meets[0]
            qty = min(order.leaves, other.shown)
            if order.account is not None and order.price is None and order.side == "BUY":
                pays = self.free(order.account, self.quote, without=order)
                qty = min(qty, pays / other.price // self.lot * self.lot)
            if not qty:
                return
            if order.mode != "NONE" and self.is_own(order, other):
                self.prevent(order, other, qty)
                continue
            self.trade(order, other, qty)

    def prevent(self, order, other, match):
        mode = order.mode
        if mode == "TRANSFER" and (other.mode != "TRANSFER" or other.account == order.account):
            mode = "DECREMENT"
        mine = order.leaves if mode in ("EXPIRE_TAKER", "EXPIRE_BOTH") else match
        theirs = other.leaves if mode in ("EXPIRE_MAKER", "EXPIRE_BOTH") else match
        if mode == "EXPIRE_TAKER":
            theirs = ZERO
        if mode == "EXPIRE_MAKER":
            mine = ZERO
        if mode == "TRANSFER":
            buyer, seller = (order, other) if order.side == "BUY" else (other, order)
            self.totals[buyer.account][self.base] += match
            self.totals[seller.account][self.base] -= match
            self.totals[buyer.account][self.quote] -= match * other.price
            self.totals[seller.account][self.quote] += match * other.price
        for loser, lost in ((other, theirs), (order, mine)):
            if lost:
                self.decide(loser)
                loser.prevented += lost
                self.show_less(loser, lost)
                if not loser.leaves:
                    self.end(loser, "EXPIRED_IN_MATCH", None)

    def show_less(self, order, qty):
        """What was on the book of it is gone; an iceberg's next part queues again."""
        if order.place is not None:
            order.shown -= min(qty, order.shown)
            if not order.shown and order.leaves:
                self.rest(order)

    def trade(self, order, other, qty):
        price = other.price
        self.trades.append((price, qty, order.id, other.id))
        self.last = price
        self.look_at_triggers(price)
        for one, is_maker in ((other, True), (order, False)):
            if one.account is not None:
                self.decide(one)
            self.pay(one, price, qty, is_maker)
            one.filled += qty
            self.show_less(one, qty)
            if not one.leaves:
                self.end(one, "FILLED", None)
            else:
                one.status = "PARTIALLY_FILLED"

    def pay(self, order, price, qty, is_maker):
        if order.account is None:
            return
        held = self.totals[order.account]
        gross = qty if order.side == "BUY" else price * qty
        fee = (gross * self.rates[is_maker]).quantize(UNIT, ROUND_DOWN)
        if order.side == "BUY":
            held[self.quote] -= price * qty
            held[self.base] += gross - fee
        else:
            held[self.base] -= qty
            held[self.quote] += gross - fee

    def look_at_triggers(self, price):
        for order in sorted((o for o in self.orders if o.waits), key=lambda o: o.id):
            if order.trails:
                better = order.best is None or (price < order.best if order.side == "BUY" else price > order.best)
                order.best = price if better else order.best
                turned = (
                    price * 10_000 >= order.best * (10_000 + order.delta)
                    if order.side == "BUY"
                    else price * 10_000 <= order.best * (10_000 - order.delta)
                )
                if turned:
                    self.fire(order)
            elif self.is_reached(order, price):
                if order.delta is None:
                    self.fire(order)
                else:
                    order.trails, order.best = True, price

    def fire(self, order):
        order.waits = False
        self.due.append(order)

    def settle(self):
        while self.due:
            due = self.due.pop(0)
            if isinstance(due, Family):
                self.place_pending(due)
            elif due.is_open:
                self.decide(due)
                self.work(due)

    # -- ends ---------------------------------------------------------------------------------------------------------------
    def end(self, order, status, reason):
        order.status, order.reason, order.place, order.waits = status, reason, None, False
        self.orders.remove(order)
        family = order.family
        if family is not None and family.working is order:
            family.working = None
            if status == "FILLED":
                self.due.append(family)
            else:
                for leg in list(family.pending):
                    self.end(leg, "EXPIRED", "OTO_PHASE_ONE_EXPIRED")

    def decide(self, order):
        family = order.family
        if family is not None and order in family.pair:
            (other,) = (leg for leg in family.pair if leg is not order)
            family.pair = []
            self.end(other, "EXPIRED", "OCO_TRIGGER")

    def cancel(self, order):
        family = order.family
        if family is None:
            return self.end(order, "CANCELED", None)
        family.working, family.pending, family.pair = None, [], []
        for leg in family.orders:
            if leg.is_open:
                self.end(leg, "CANCELED", None)

    def amend(self, order, qty):
        family = order.family
        legs = [order]
        if family is not None:
            legs = next((both for both in (family.pair, family.pending) if len(both) == 2 and order in both), legs)
        for leg in legs:
            leg.qty = qty
            if leg.place is not None:
                leg.shown = min(leg.shown, leg.leaves)

    # -- lists --------------------------------------------------------------------------------------------------------------
    def place_oco(self, above, below, legs):
        """`legs` are the same two orders as the venue numbers them."""
        prices = [self.acts_at(below), self.acts_at(above)]
        if self.last is not None:
            prices.insert(1, self.last)
        if prices != sorted(set(prices)):
            raise Refused("The relationship of the prices for the orders is not correct.")
        for leg in legs:
            self.guess(leg)
        if max(self.needs(leg) for leg in legs) > self.free(above.account, self.given(above.side)):
            raise Refused("Account has insufficient balance for requested action.")
        for leg in legs:
            self.check(leg)
        family = Family(legs, pair=legs)
        for leg in legs:
            leg.family = family
            self.orders.append(leg)
        for leg in legs:
            self.set_working(leg)

    def acts_at(self, order):
        return order.price if order.kind in ("LIMIT_MAKER", "TAKE_PROFIT_LIMIT") else order.stop

    def place_oto(self, working, pending):
        """One or two pending orders; two are a pair, the stop first."""
        if self.needs(working) > self.free(working.account, self.given(working.side)):
            raise Refused("Account has insufficient balance for requested action.")
        self.check(working)
        family = Family([working, *pending], working=working, pending=pending)
        for leg in family.orders:
            leg.family = family
            leg.status = "NEW" if leg is working else "PENDING_NEW"
            self.orders.append(leg)
        self.set_working(working)
        self.settle()

    def place_pending(self, family):
        legs, family.pending = family.pending, []
        for leg in legs:
            self.orders.remove(leg)  # so that it does not count as its own lock
            leg.status = "NEW"
        needed = max(self.must_pay(leg) for leg in legs)
        can_stand = needed <= self.free(legs[0].account, self.given(legs[0].side))
        self.orders += legs
        for leg in legs:
            try:
                self.check(leg)
            except Refused:
                can_stand = False
        if can_stand:
            family.pair = legs if len(legs) == 2 else []
        for leg in legs:
            if can_stand:
                self.set_working(leg)
            else:
                self.end(leg, "EXPIRED", "REJECTED")
