"""What the accounts of a desk hold and may add, in sums; and the desk's own live orders, so that none meets another.

One of the two locks of the house: an account is judged and what it was allowed is reserved in one step, so that two
accounts that race cannot both take the last of what they share (5.4).
"""

import threading
from bisect import bisect_left, insort
from collections import defaultdict
from collections.abc import Iterable, Mapping
from decimal import Decimal

from msgspec import Struct

from tradedesk.domain.accounts import Account
from tradedesk.domain.gate import Crossing, Exposure, Together
from tradedesk.domain.instruments import Instrument
from tradedesk.domain.limits import Totals
from tradedesk.domain.orders import Order
from tradedesk.domain.positions import Position
from tradedesk.domain.words import AccountId, ClientOrderId, InstrumentId, Side
from tradedesk.domain.worst_case import Interval
from tradedesk.risk.days import Days, scopes_of
from tradedesk.risk.exposure_rules import added, larger

ZERO = Decimal(0)
NOTHING = Interval(low=ZERO, high=ZERO)
_FIRST, _LAST = Decimal("-Infinity"), Decimal("Infinity")  # where an order at the market stands


class Holding(Struct, frozen=True, kw_only=True):
    """One account's worst case in one instrument, reporting currency; `value` None: there is no price."""

    asset: str  # the base
    value: Interval | None

    @property
    def is_nothing(self) -> bool:
        return self.value == NOTHING


class _Sums:
    """What the holdings of one scope come to."""

    def __init__(self) -> None:
        self.gross = ZERO
        self.net = NOTHING
        self.assets: defaultdict[str, Interval] = defaultdict(lambda: NOTHING)
        self.unvalued: dict[tuple[AccountId, InstrumentId], None] = {}

    def count(self, key: tuple[AccountId, InstrumentId], holding: Holding, sign: int) -> None:
        if holding.value is None:
            if sign > 0:
                self.unvalued[key] = None
            else:
                self.unvalued.pop(key, None)
            return
        signed = Interval(low=holding.value.low * sign, high=holding.value.high * sign)
        self.gross += larger(holding.value) * sign
        self.net = added(self.net, signed)
        self.assets[holding.asset] = added(self.assets[holding.asset], signed)

    def without(self, key: tuple[AccountId, InstrumentId], own: Holding | None) -> Exposure:
        unvalued = tuple(instrument for account, instrument in self.unvalued if (account, instrument) != key)
        if own is None or own.value is None:
            return Exposure(gross=self.gross, net=self.net, unvalued=unvalued)
        return Exposure(gross=self.gross - larger(own.value), net=_taken(self.net, own.value), unvalued=unvalued)

    def asset_without(self, asset: str, own: Holding | None) -> Interval:
        held = self.assets.get(asset, NOTHING)
        return held if own is None or own.value is None else _taken(held, own.value)


class _Side:
    """The live orders of one side of one instrument, by price."""

    def __init__(self) -> None:
        self.prices: list[tuple[Decimal, ClientOrderId]] = []
        self.orders: dict[ClientOrderId, Order] = {}


class Reservations:
    """Shared by all workers. Everything but `lock` is called with the lock held."""

    def __init__(
        self,
        accounts: Iterable[Account],
        totals: Mapping[str, tuple[Totals, str]],
        currency: str,
    ) -> None:
        """`totals` by scope, as `days.DESK` or "group growth", with who set them. `currency` is the reporting one."""
        self.lock = threading.Lock()
        self.currency = currency
        self._accounts = {account.id: account for account in accounts}
        self._totals = dict(totals)
        self.days = Days(self._accounts.values())
        self._holdings: dict[tuple[AccountId, InstrumentId], Holding] = {}
        self._sums: defaultdict[str, _Sums] = defaultdict(_Sums)
        self._sides: defaultdict[tuple[InstrumentId, Side], _Side] = defaultdict(_Side)

    def set_totals(self, scope: str, totals: Totals, source: str) -> None:
        self._totals[scope] = (totals, source)

    # -- sums -----------------------------------------------------------------------------------------------------------

    def hold(self, account: AccountId, instrument: InstrumentId, holding: Holding) -> None:
        """This is what the account may come to in the instrument, until it says otherwise."""
        key = (account, instrument)
        before = self._holdings.get(key)
        if before == holding:
            return
        for scope in scopes_of(self._accounts[account]):
            if before is not None:
                self._sums[scope].count(key, before, -1)
            self._sums[scope].count(key, holding, 1)
        self._holdings[key] = holding

    def expect(self, positions: Iterable[Position], orders: Iterable[Order]) -> None:
        """Of accounts that are not open yet: until each says so itself, nobody knows what this comes to."""
        held = {(position.account, position.instrument): None for position in positions if position.qty}
        held |= {(order.account, order.instrument): None for order in orders if not order.is_dead}
        for account, instrument in held:
            if account in self._accounts:
                self.hold(account, instrument, Holding(asset=instrument, value=None))

    def others(self, account: AccountId, instrument: InstrumentId) -> Exposure:
        """The account's exposure in everything else."""
        key = (account, instrument)
        return self._sums[f"account {account}"].without(key, self._holdings.get(key))

    def together(self, account: AccountId, instrument: Instrument) -> tuple[Together, ...]:
        """The groups of the account that have totals, and the desk, each without what it has itself in the instrument."""
        key = (account, instrument.id)
        own = self._holdings.get(key)
        found = []
        for scope in scopes_of(self._accounts[account]):
            if scope not in self._totals:
                continue
            totals, source = self._totals[scope]
            sums = self._sums[scope]
            found.append(
                Together(
                    name=scope,
                    source=source,
                    totals=totals,
                    exposure=sums.without(key, own),
                    asset=sums.asset_without(instrument.base, own),
                    today=self.days.today(scope),
                )
            )
        return tuple(found)

    # -- the desk's own orders ------------------------------------------------------------------------------------------

    def put(self, order: Order) -> None:
        """It may be live, with this price. Both legs of a replace are put: either may be."""
        self.drop(order)
        side = self._sides[order.instrument, order.side]
        side.orders[order.client_order_id] = order
        insort(side.prices, (_standing(order), order.client_order_id))

    def drop(self, order: Order) -> None:
        """It is live no more, or as it was put no more."""
        side = self._sides[order.instrument, order.side]
        known = side.orders.pop(order.client_order_id, None)
        if known is not None:
            del side.prices[bisect_left(side.prices, (_standing(known), known.client_order_id))]

    def forget_orders(self, account: AccountId) -> None:
        """Whatever an earlier worker of the account left."""
        for side in self._sides.values():
            for order in [order for order in side.orders.values() if order.account == account]:
                self.drop(order)

    def crossing(self, order: Order) -> Crossing | None:
        """The order of another account that this one would meet first, if there is one."""
        known = self._sides.get((order.instrument, order.side.opposite))
        if known is None:
            return None
        is_buy, limit = order.side is Side.Buy, _standing(order)
        for price, key in known.prices if is_buy else reversed(known.prices):
            if (price > limit) if is_buy else (price < limit):
                return None
            met = known.orders[key]
            if met.account != order.account:
                return self._met(order, met)
        return None

    def _met(self, order: Order, met: Order) -> Crossing:
        one, other = self._accounts[order.account], self._accounts[met.account]
        return Crossing(
            account=met.account,
            is_same_owner=one.owner == other.owner,
            is_prevented=one.stp_group is not None and one.stp_group == other.stp_group,
            side=met.side,
            price=met.price,
        )


def _standing(order: Order) -> Decimal:
    """Its price, or the end of the book that an order at the market takes it to."""
    if order.price is not None:
        return order.price
    return _LAST if order.side is Side.Buy else _FIRST


def _taken(whole: Interval, part: Interval) -> Interval:
    return Interval(low=whole.low - part.low, high=whole.high - part.high)
