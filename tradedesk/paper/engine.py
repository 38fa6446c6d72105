"""The exchange's core: what a client's order and the flow of everyone else do to books, balances and each other.

exchange.py is the door to it; flow.py, lists.py and corrections.py act through it. Whoever calls sets `now` first, calls
`settle` when a step is done, and takes `events` away. `settle` places what that step set off: orders whose trigger was
reached and legs whose working order was filled, first come first served; what these set off comes after them.
"""

from collections import deque
from collections.abc import Sequence

from tradedesk.paper import orders
from tradedesk.paper.book import Book, Match, Resting
from tradedesk.paper.commissions import in_bnb
from tradedesk.paper.ledger import Ledger, from_units
from tradedesk.paper.market import Market
from tradedesk.paper.orders import Account, Group, Instrument, Order, OrderList, Ready
from tradedesk.paper.prevention import effective_mode, losses
from tradedesk.paper.rows import (
    AccountChanged,
    AccountSpec,
    ExchangeEvent,
    Execution,
    Kind,
    ListChanged,
    NewOrder,
    OrderRow,
    PreventedMatch,
    Print,
    Refusal,
    Spec,
    Status,
    TradeRow,
)
from tradedesk.paper.rules import check_parameters
from tradedesk.paper.vetting import (
    OPEN,
    check_counts,
    check_standing,
    insufficient,
    may_stand,
    measure,
    need_of,
    to_lots,
)


class Counters:
    """The next id of everything that has one."""

    __slots__ = ("amend", "cancel", "execution", "movement", "order", "order_list", "prevented", "taker")

    def __init__(self, first_id: int) -> None:
        self.order = self.order_list = self.execution = self.cancel = self.amend = first_id
        self.prevented = self.movement = first_id
        self.taker = -1  # tells the flow's takers apart; clients' are told by their order ids


class Engine:
    """All instruments and accounts, and the rules of trading between them."""

    def __init__(self, specs: Sequence[Spec], accounts: Sequence[AccountSpec], market: Market, *, now: int) -> None:
        first_id = now // 1_000_000 + 1
        self.now = now
        self.market = market
        self.touched: dict[str, None] = {}  # instruments whose book changed since somebody asked
        self.instruments = {spec.symbol: Instrument(spec, first_id, self.touched) for spec in specs}
        self.books: dict[str, Book] = {symbol: instrument.book for symbol, instrument in self.instruments.items()}
        groups: dict[str, Group] = {}
        self.accounts: dict[str, Account] = {}
        for spec in accounts:
            group = Group(-1) if spec.group is None else groups.setdefault(spec.group, Group(len(groups) + 1))
            self.accounts[spec.name] = Account(spec, group)
        self.ledger = Ledger(accounts)
        self.orders: dict[int, Order] = {}
        self.events: list[ExchangeEvent] = []
        self.next = Counters(first_id)
        self._due: deque[Order | OrderList] = deque()

    def instrument(self, symbol: str) -> Instrument:
        instrument = self.instruments.get(symbol)
        if instrument is None:
            raise Refusal(-1121, "Invalid symbol.")
        return instrument

    def vet(self, account: Account, order: NewOrder) -> Ready:
        """Every check of an order by itself. Raises Refusal."""
        instrument = self.instrument(order.symbol)
        check_parameters(order)
        ready = measure(instrument, order, self.now)
        check_counts(self.ledger, account, instrument, (order,), bought=ready.lots if order.side == "BUY" else 0)
        if ready.lock > self.ledger.free(account.spec.name, instrument.given(order.side == "BUY")):
            raise insufficient()
        if order.kind is not Kind.LIMIT:
            check_standing(instrument, order, ready)
        return ready

    # -- placing ------------------------------------------------------------------------------------------------------
    def place(self, account: Account, new: NewOrder) -> OrderRow:
        """The order with the fills it had at once. The caller settles then."""
        ready = self.vet(account, new)
        order = self.admit(account, new, ready)
        given = order.instrument.given(order.is_buy)
        self.ledger.lock(account.spec.name, given, order.locked)
        if order.trigger is not None:
            self.arm(order)
        told = self.report("NEW", order)
        self.balances_changed(account, (given,))
        fills = self.set_working(order)
        if order.is_open and not fills and not order.prevented:
            return told.row  # nothing happened to it since
        return order.row(tuple(fills))

    def admit(self, account: Account, new: NewOrder, ready: Ready, order_list: OrderList | None = None) -> Order:
        """A new order in the lists of its account; it is not anywhere else yet."""
        order = Order(account, self.instruments[new.symbol], new, ready, order_id=self.next.order, now=self.now)
        self.next.order += 1
        if order_list is not None:
            order.order_list = order_list
            order.is_plain = False
        self.orders[order.id] = order
        account.add(order)
        if len(account.orders[new.symbol]) > orders.MOST_ORDERS:
            for gone in account.forget(new.symbol):
                del self.orders[gone.id]
        return order

    def arm(self, order: Order) -> None:
        """Let it wait for its trigger if it has one; before it is told of, since it may trail from now on."""
        if order.trigger is not None:
            order.instrument.triggers.arm(order.trigger, order.instrument.tape.last, self.now)

    def set_working(self, order: Order) -> list[TradeRow]:
        """Let it trade and rest, unless it waits."""
        return [] if order.trigger is not None else self.work(order)

    def work(self, order: Order) -> list[TradeRow]:
        """Trade with the book; what is left rests or expires, as its kind and time in force say."""
        book, limit = order.instrument.book, order.price or None
        fills: list[TradeRow] = []
        prevents = order.stp_mode != "NONE" and order.account.group.open_in[order.instrument.spec.symbol] > 1
        if order.tif != "FOK" or self._can_fill(order, limit, prevents):
            if prevents or (order.trigger is not None and order.is_market):
                self._take_one_by_one(order, limit, fills, prevents)
            else:
                for match in book.match(order.is_buy, limit, order.lots - order.filled - order.prevented):
                    fills.append(self._client_takes(order, match))
        if order.is_open:
            if limit is None:  # a market order
                self.expire(order, "INSUFFICIENT_LIQUIDITY")
            elif order.tif == "IOC":
                self.expire(order, "UNFILLED_IOC_QUANTITY_EXPIRED")
            elif order.tif == "FOK":
                self.expire(order, "UNFILLED_FOK_ORDER_EXPIRED")
            else:
                book.rest(order.id, order.is_buy, order.price, order.leaves, order, order.peak)
        return fills

    def _can_fill(self, order: Order, limit: int | None, prevents: bool) -> bool:
        """Whether the book holds all of it, what self-trade prevention forbids left out."""
        if not prevents:
            return order.instrument.book.available(order.is_buy, limit, order.leaves)[0] == order.leaves
        got = 0
        for queue in order.instrument.book.queues(order.is_buy, limit):
            for resting in queue:
                if not self._is_own(order, resting):
                    got += resting.leaves
                elif order.stp_mode != "EXPIRE_MAKER":
                    return got >= order.leaves
            got += sum(resting.hidden for resting in queue if not self._is_own(order, resting))
            if got >= order.leaves:
                return True
        return False

    def _take_one_by_one(self, order: Order, limit: int | None, fills: list[TradeRow], prevents: bool) -> None:
        """Meet the book order by order: where own orders may stand in it, or the money may not reach all the way."""
        book = order.instrument.book
        while order.is_open:
            front = book.front(order.is_buy, limit)
            if front is None:
                return
            lots = min(order.leaves, front.leaves)
            if order.is_market and order.is_buy:
                lots = self._afford(order, front.price, lots)
                if not lots:
                    return
            if prevents and self._is_own(order, front):
                self._prevent(order, front, lots)
                continue
            for match in book.match(order.is_buy, front.price, lots):
                fills.append(self._client_takes(order, match))

    @staticmethod
    def _is_own(order: Order, resting: Resting) -> bool:
        return isinstance(resting.owner, Order) and resting.owner.account.group is order.account.group

    def _afford(self, order: Order, price: int, lots: int) -> int:
        """The lots a market buy can pay at this price; what its lock lacks is locked of the free balance."""
        name, quote = order.account.spec.name, order.instrument.spec.quote
        one = price * order.instrument.grid.tick_lot
        free = self.ledger.free(name, quote)
        lots = min(lots, (order.locked + free) // one)
        more = max(lots * one - order.locked, 0)
        self.ledger.lock(name, quote, more)
        order.locked += more
        return lots

    # -- self-trade prevention ----------------------------------------------------------------------------------------
    def _prevent(self, order: Order, front: Resting, match: int) -> None:
        """`match` is what they would have traded, in lots."""
        maker = front.owner
        assert isinstance(maker, Order)
        instrument = order.instrument
        mode = effective_mode(order.stp_mode, maker.stp_mode, is_same_account=maker.account is order.account)
        mine, theirs = losses(mode, taker_leaves=order.leaves, maker_leaves=maker.leaves, match=match)
        prevented = PreventedMatch(
            symbol=instrument.spec.symbol,
            match_id=self.next.prevented,
            taker_account=order.account.spec.name,
            taker_order_id=order.id,
            maker_account=maker.account.spec.name,
            maker_order_id=maker.id,
            trade_group_id=order.account.group.id,
            stp_mode=order.stp_mode,
            price=front.price * instrument.tick,
            taker_prevented_qty=mine * instrument.lot,
            maker_prevented_qty=theirs * instrument.lot,
            time=self.now,
        )
        self.next.prevented += 1
        for account in {order.account.spec.name: order.account, maker.account.spec.name: maker.account}.values():
            account.prevented.append(prevented)
            orders.forget_oldest(account.prevented)
        if theirs == maker.leaves:
            instrument.book.withdraw(maker.id)
        elif theirs:
            instrument.book.match(order.is_buy, front.price, theirs)
        if theirs:
            self._lose(maker, theirs, front.price, prevented, pays=order if mode == "TRANSFER" else None)
        if mine:
            self._lose(order, mine, front.price, prevented, pays=maker if mode == "TRANSFER" else None)

    def _lose(self, order: Order, lots: int, price: int, prevented: PreventedMatch, *, pays: Order | None) -> None:
        """Quantity that self-trade prevention takes from an order; what it gives of it goes back, or to `pays`' account."""
        if order.order_list is not None:
            self.decide(order)
        instrument, name = order.instrument, order.account.spec.name
        given = instrument.given(order.is_buy)
        if order.is_buy:
            back = min((order.price or price) * lots * instrument.grid.tick_lot, order.locked)
        else:
            back = lots * instrument.grid.lot
        order.locked -= back
        if pays is not None:
            paid = price * lots * instrument.grid.tick_lot if order.is_buy else back
            self.ledger.pay(name, pays.account.spec.name, given, paid)
            back -= paid
            self.balances_changed(pays.account, (given,))
        self.ledger.unlock(name, given, back)
        order.prevented += lots
        order.prevented_match_id = prevented.match_id
        order.is_plain = False
        if not order.leaves:
            self.end(order, Status.EXPIRED_IN_MATCH, "TRADE_PREVENTION", prevention=prevented)
        else:
            order.update_time = self.now
            self.report("TRADE_PREVENTION", order, prevention=prevented)
            self.balances_changed(order.account, (given,))

    # -- ending -------------------------------------------------------------------------------------------------------
    def expire(self, order: Order, reason: str) -> None:
        order.reason = reason
        self.end(order, Status.EXPIRED, "EXPIRED")

    def end(
        self, order: Order, status: Status, what: str, *, cancel_id: str = "", prevention: PreventedMatch | None = None
    ) -> None:
        """It is over: what is locked is free again. The caller has taken it off the book."""
        given = order.instrument.given(order.is_buy)
        self.ledger.unlock(order.account.spec.name, given, order.locked)
        order.locked = 0
        order.status = status
        order.is_open = False
        order.update_time = self.now
        order.account.closed(order)
        if order.trigger is not None:
            order.instrument.triggers.disarm(order.id)
        self.report(what, order, cancel_id=cancel_id, prevention=prevention)
        self.balances_changed(order.account, (given,))
        if order.order_list is not None:
            self._after_end(order.order_list, order)

    def decide(self, order: Order) -> None:
        """One leg of an undecided pair goes on: it takes over what the pair has locked, and the other expires."""
        order_list = order.order_list
        if order_list is None or order_list.pair is None or order not in order_list.pair:
            return
        one, two = order_list.pair
        order_list.pair = None
        # an estimate may have grown since: what it needs more is taken when it trades
        order.locked = min(need_of(order), order_list.locked)
        self.ledger.unlock(
            order.account.spec.name, order.instrument.given(order.is_buy), order_list.locked - order.locked
        )
        order_list.locked = 0
        other = two if order is one else one
        order.instrument.book.withdraw(other.id)
        self.expire(other, "OCO_TRIGGER")

    def _after_end(self, order_list: OrderList, order: Order) -> None:
        if order is order_list.working:
            order_list.working = None
            if order.status is Status.FILLED:
                self._due.append(order_list)
            else:
                for leg in order_list.pending:
                    self.expire(leg, "OTO_PHASE_ONE_EXPIRED")
        if order_list.is_open and not any(leg.is_open for leg in order_list.orders):
            order_list.is_open = False
            del order_list.account.open_lists[order_list.id]
            order_list.status_type = "ALL_DONE"
            self.list_changed(order_list)

    # -- what a step set off --------------------------------------------------------------------------------------------
    def settle(self) -> None:
        while self._due:
            due = self._due.popleft()
            if isinstance(due, OrderList):
                self._place_pending(due)
            elif due.is_open:
                self._triggered(due)

    def _triggered(self, order: Order) -> None:
        self.decide(order)
        order.working_time = order.update_time = self.now
        self.report("NEW", order)
        self.work(order)

    def _place_pending(self, order_list: OrderList) -> None:
        """The working order was filled: its legs are placed, or expire where they cannot be any more."""
        legs, order_list.pending = order_list.pending, ()
        instrument = order_list.instrument
        name, given = order_list.account.spec.name, instrument.given(legs[0].is_buy)
        needs = [need_of(leg) for leg in legs]
        can_pay = max(needs) <= self.ledger.free(name, given)
        if instrument.spec.status != OPEN or not can_pay or not all(may_stand(leg) for leg in legs):
            for leg in legs:
                self.expire(leg, "REJECTED")
            return
        self.ledger.lock(name, given, max(needs))
        if len(legs) == 2:
            order_list.pair = (legs[0], legs[1])
            order_list.locked = max(needs)
        else:
            legs[0].locked = needs[0]
        for leg in legs:
            leg.status = Status.NEW
            leg.update_time = self.now
            if leg.trigger is None:
                leg.working_time = self.now
            self.arm(leg)
            self.report("NEW", leg)
        self.balances_changed(order_list.account, (given,))
        for leg in legs:
            self.set_working(leg)

    # -- trading ------------------------------------------------------------------------------------------------------
    def _client_takes(self, order: Order, match: Match) -> TradeRow:
        instrument = order.instrument
        printed = self.print_trade(instrument, match.price, match.lots, order.is_buy, order.id)
        maker = match.resting.owner
        if isinstance(maker, Order):
            self._fill(maker, match.price, match.lots, printed.trade_id, is_maker=True)
        else:
            self.market.taken(instrument.spec.symbol, not order.is_buy, match.price, match.lots)
        return self._fill(order, match.price, match.lots, printed.trade_id, is_maker=False)

    def flow_takes(self, instrument: Instrument, is_buy: bool, matches: list[Match]) -> int:
        """The flow trades: each match on the tape, clients' sides filled. Returns the lots traded."""
        for match in matches:
            printed = self.print_trade(instrument, match.price, match.lots, is_buy, self.next.taker)
            maker = match.resting.owner
            if isinstance(maker, Order):
                self._fill(maker, match.price, match.lots, printed.trade_id, is_maker=True)
        return sum(match.lots for match in matches)

    def print_trade(self, instrument: Instrument, price: int, lots: int, taker_buys: bool, taker_order: int) -> Print:
        printed = instrument.tape.trade(price, lots, self.now, not taker_buys, taker_order)
        instrument.trades += 1
        self.events.append(printed)
        if instrument.triggers.by_key:
            for trigger in instrument.triggers.traded(price, self.now):
                assert isinstance(trigger.owner, Order)
                self._due.append(trigger.owner)
        return printed

    def _fill(self, order: Order, price: int, lots: int, trade_id: int, *, is_maker: bool) -> TradeRow:
        instrument, account = order.instrument, order.account
        if order.order_list is not None:
            self.decide(order)
        spec, grid = instrument.spec, instrument.grid
        name = account.spec.name
        quote_units, base_units = price * lots * grid.tick_lot, lots * grid.lot
        if order.is_buy:
            used = (order.price or price) * lots * grid.tick_lot
            order.locked -= used
            self.ledger.unlock(name, spec.quote, used - quote_units)  # the price was better than the order's
            given, units, received, gross = spec.quote, quote_units, spec.base, base_units
        else:
            order.locked -= base_units
            given, units, received, gross = spec.base, base_units, spec.quote, quote_units
        rate = account.maker if is_maker else account.taker
        commission, commission_asset = gross * rate[0] // rate[1], received
        if account.spec.pays_bnb:
            commission, commission_asset = in_bnb(
                self.instruments, instrument, received,
                gross=gross, price=price, rate=rate, free_bnb=self.ledger.free(name, "BNB"),
            )  # fmt: skip
        self.ledger.exchange(
            name, given, units, received, gross=gross, commission=commission, commission_asset=commission_asset
        )
        order.filled += lots
        order.quote += price * lots
        order.update_time = self.now
        if order.filled + order.prevented == order.lots:
            order.status = Status.FILLED
            order.is_open = False
            account.closed(order)
            if order.locked:  # a market order that cost less than was thought
                self.ledger.unlock(name, given, order.locked)
                order.locked = 0
        else:
            order.status = Status.PARTIALLY_FILLED
        trade = TradeRow(
            symbol=spec.symbol,
            trade_id=trade_id,
            order_id=order.id,
            client_order_id=order.client_id,
            price=price * instrument.tick,
            quantity=lots * instrument.lot,
            commission=from_units(commission),
            commission_asset=commission_asset,
            time=self.now,
            is_buyer=order.is_buy,
            is_maker=is_maker,
            order_list_id=order.order_list.id if order.order_list is not None else -1,
        )
        trades = account.trades.setdefault(spec.symbol, [])
        trades.append(trade)
        orders.forget_oldest(trades)
        self.report("TRADE", order, fill=trade)
        assets = (spec.base, spec.quote)
        self.balances_changed(
            account, assets if commission_asset in assets or not commission else (*assets, commission_asset)
        )
        if order.order_list is not None and order.status is Status.FILLED:
            self._after_end(order.order_list, order)
        return trade

    # -- telling ------------------------------------------------------------------------------------------------------
    def report(
        self,
        what: str,
        order: Order,
        *,
        fill: TradeRow | None = None,
        cancel_id: str = "",
        orig_client_id: str = "",
        prevention: PreventedMatch | None = None,
    ) -> Execution:
        execution = Execution(
            what=what,
            row=order.row(),
            execution_id=self.next.execution,
            time=self.now,
            fill=fill,
            cancel_client_order_id=cancel_id,
            orig_client_order_id=orig_client_id,
            prevention=prevention,
        )
        self.next.execution += 1
        self.events.append(execution)
        return execution

    def reject(self, account: Account, new: NewOrder, why: str) -> None:
        """Tell of an order that passed the filters and was refused all the same. It never was anywhere."""
        ready = Ready(0, to_lots(self.instruments[new.symbol], new.quantity), 0, 0, 0)
        order = Order(account, self.instruments[new.symbol], new, ready, order_id=self.next.order, now=self.now)
        self.next.order += 1
        order.status, order.is_open, order.working_time = Status.REJECTED, False, -1
        order.reason = why
        self.report("REJECTED", order)

    def balances_changed(self, account: Account, assets: tuple[str, ...]) -> None:
        name = account.spec.name
        units = self.ledger.units(name, assets)
        self.events.append(AccountChanged(account=name, units=units, time=self.now))

    def list_changed(self, order_list: OrderList) -> None:
        order_list.time = self.now
        self.events.append(ListChanged(row=order_list.row(), time=self.now))
