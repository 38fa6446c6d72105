"""What operators and other software do to an account, at random: orders, changes, cancels, halts, money that moves."""

from collections.abc import Callable
from decimal import Decimal
from random import Random

from tradedesk.domain.commands import AmendOrder, CancelAll, CancelOrder, PlaceOrder
from tradedesk.domain.money import floor_to_lot, round_to_tick
from tradedesk.domain.orders import Order
from tradedesk.domain.words import ClientOrderId, OperatorId, OrderType, Side, TimeInForce
from tradedesk.paper.rows import Kind, NewOrder, Refusal
from tradedesk.simulation.account import SimAccount
from tradedesk.simulation.rows import INSTRUMENT, SPEC
from tradedesk.simulation.scheduler import SECOND, Scheduler
from tradedesk.simulation.venue import SimVenue

TRADER = OperatorId("desk1")
MOVES = (("USDT", "17.5"), ("USDT", "-4.25"), ("BTC", "-0.001"))  # no deposit of BTC: it would pass a limit on orders


class Operators:
    """Hands at all accounts of a world. Draws from the world's chance, so that a seed says what they do."""

    def __init__(
        self, chance: Random, scheduler: Scheduler, venue: SimVenue, new_id: Callable[[], ClientOrderId]
    ) -> None:
        self._chance = chance
        self._scheduler = scheduler
        self._venue = venue
        self._new_id = new_id

    def act(self, account: SimAccount) -> None:
        """One thing somebody does on the account."""
        if account.core is None:
            return
        working = [order for order in account.core.manager.live.values() if not order.is_external]
        match self._chance.choices(range(8), (10, 3, 3, 5, 5, 1, 2, 1))[0]:
            case 0:
                account.tell(self._order(account, OrderType.Limit, TimeInForce.GoodTillCancel))
            case 1:
                account.tell(self._order(account, OrderType.Limit, TimeInForce.ImmediateOrCancel))
            case 2:
                account.tell(self._order(account, OrderType.Market, TimeInForce.GoodTillCancel))
            case 3 if working:
                account.tell(self._amend(account, self._chance.choice(working)))
            case 4 if working:
                order = self._chance.choice(working)
                account.tell(CancelOrder(account=account.id, client_order_id=order.client_order_id, operator=TRADER))
            case 5:
                self.cancel_all(account)
            case 6:
                self.other_software(account)
            case 7:
                account.tell(self._order(account, OrderType.Limit, TimeInForce.GoodTillCancel, post_only=True))

    def cancel_all(self, account: SimAccount) -> None:
        account.tell(CancelAll(account=account.id, operator=TRADER))

    def _order(self, account: SimAccount, kind: OrderType, tif: TimeInForce, *, post_only: bool = False) -> PlaceOrder:
        side = self._chance.choice(list(Side))
        client_order_id = self._new_id()
        command = PlaceOrder(
            account=account.id,
            client_order_id=client_order_id,
            confirm="it is meant" if int(client_order_id[-1], 36) % 2 else None,
            instrument=INSTRUMENT.id,
            side=side,
            order_type=kind,
            time_in_force=tif,
            order_qty=self._qty(),
            price=None if kind is OrderType.Market else self._price(side),
            post_only=post_only,
            reduce_only=self._chance.random() < 0.1,
            operator=TRADER,
            deadline=self._deadline(),
        )
        if self._chance.random() < 0.05:
            again = int(self._chance.uniform(0.05, 1) * SECOND)
            self._scheduler.after(again, lambda: account.tell(command))  # delivered twice (F74)
        return command

    def _amend(self, account: SimAccount, order: Order) -> AmendOrder:
        qty, price = order.cum_qty + self._qty(), self._price(order.side)
        if order.price is not None and self._chance.random() < 0.4:  # less of it at its price: where it stands
            less = order.leaves_qty * self._chance.choice((2, 5, 8)) / 10 // SPEC.lot * SPEC.lot
            qty, price = order.cum_qty + less, order.price
        return AmendOrder(
            account=account.id,
            client_order_id=order.client_order_id,
            new_client_order_id=self._new_id(),
            order_qty=qty,
            price=price,
            operator=TRADER,
            deadline=self._deadline(),
        )

    def other_software(self, account: SimAccount) -> None:
        """Sells, and cancels its sells, on the same account: seen, counted, never touched (F42).

        No bids, which no limit of ours could stop; nothing before the desk has opened its books, as an opening cannot
        tell what trades while it is read.
        """
        if account.core is None or not account.core.manager.is_opened:
            return
        exchange, now = self._venue.exchange, self._venue.now()
        theirs = [row for row in self._venue.open_orders(account.id) if row.client_order_id.startswith("web-")]
        try:
            if theirs and self._chance.random() < 0.5:
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
        self._venue.pump()

    def money_moves(self, account: SimAccount) -> None:
        """A deposit, a withdrawal or interest: no fill explains it, the venue's ledger does."""
        if account.core is None or not account.core.manager.is_opened:
            return
        asset, amount = self._chance.choice(MOVES)
        kinds = ("DEPOSIT",) if not amount.startswith("-") else ("WITHDRAW", "INTEREST")
        try:
            self._venue.exchange.move(account.id, asset, Decimal(amount), self._chance.choice(kinds), self._venue.now())
        except Refusal:
            return  # not enough is free
        self._venue.pump()

    def _qty(self) -> Decimal:
        share = Decimal(self._chance.randint(1, 9)) / 9
        return floor_to_lot(Decimal(self._chance.choice((5, 20, 80, 300, 600))) / 1000 * share, SPEC.lot)

    def _price(self, side: Side) -> Decimal:
        top = self._venue.exchange.book_ticker(SPEC.symbol)
        touch = (top.bid if side is Side.Buy else top.ask) or Decimal(60_000)
        away = Decimal(self._chance.choice((-200, -1, 0, 1, 20, 300, 3_000, 30_000, 60_000))) * SPEC.tick
        return round_to_tick(touch - away * side.sign, SPEC.tick, side)

    def _deadline(self) -> int:
        return self._scheduler.clock.now() + self._chance.choice((SECOND // 10, 5 * SECOND))
