"""The trading part of `tradedesk accounts test --trade`: place far off, query, amend, cancel, through a desk and its Gate."""

from collections.abc import Callable
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Protocol

from tradedesk.cli.reach import DEADLINE_NS, Watch, new_id
from tradedesk.cli.scopes import option_of
from tradedesk.domain.accounts import AccountState
from tradedesk.domain.commands import AmendOrder, CancelOrder, Command, NotSubmitted, PlaceOrder, Submitted
from tradedesk.domain.findings import Finding, fail, ok, warn
from tradedesk.domain.instruments import FeedState, Instrument
from tradedesk.domain.limits import effective
from tradedesk.domain.money import plain
from tradedesk.domain.orders import Order, OrdStatus
from tradedesk.domain.outcomes import QueryAnswer
from tradedesk.domain.words import AccountId, ClientOrderId, InstrumentId, OperatorId, OrderType, Side, TimeInForce

READY_WITHIN_S = 40.0
HEARD_S = 5.0  # until the desk shows an order that it took
ANSWER_S = 20.0  # the venue's own engine may take ten
SWEPT_S = 30.0  # a cancel whose answer was lost is asked about for as long as its order could still arrive
FARTHEST_BPS = Decimal(500)  # from the market; venues refuse prices that are out of all reason
SHARE_OF_COLLAR = Decimal("0.8")  # of the account's own price collar: the market moves while one looks
ONE, BPS = Decimal(1), Decimal(10_000)


class Submitting(Protocol):
    def submit(self, command: Command) -> Submitted | NotSubmitted: ...


class _Failed(Exception):
    """A step did not come out as it must; what follows makes no sense without it."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(finding.text)
        self.finding = finding


class Trial:
    """One order's life on one account. `ask` puts the venue's query by client order id, apart from the desk."""

    def __init__(
        self,
        control: Submitting,
        watch: Watch,
        account: AccountId,
        ask: Callable[[Order, Instrument], QueryAnswer],
        found: list[Finding],
    ) -> None:
        """`found` takes the rows: it has them also when the trial is interrupted."""
        self._control = control
        self._watch = watch
        self._account = account
        self._ask = ask
        self._found = found
        self._took_ms = 0  # from the command to its answer, as seen from here
        self._ids: list[ClientOrderId] = []  # every order this may have brought into the world

    def run(self, symbol: str | None) -> None:
        """Rows of its steps up to the first that failed, and at the end what is left at the venue: nothing, it must be."""
        try:
            try:
                self._steps(symbol)
            except _Failed as failed:
                self._found.append(failed.finding)
        finally:  # also when a person interrupts
            self._clean_up()

    def _steps(self, symbol: str | None) -> None:
        self._until_ready()
        instrument = self._market(symbol)
        placed = self._place(instrument)
        self._query(placed, instrument)
        amended = self._amend(placed, instrument)
        self._cancel(amended)

    # -- the steps --------------------------------------------------------------------------------------------------------

    def _until_ready(self) -> None:
        """A refused key or a halt is an end, and says why; anything else may still become well."""

        def is_settled() -> bool:
            row = self._watch.replica.accounts.get(self._account)
            return row is not None and row.state in (AccountState.Ready, AccountState.Blocked)

        self._watch.until(is_settled, READY_WITHIN_S)
        row = self._watch.replica.accounts.get(self._account)
        if row is None:
            raise _Failed(fail("admission", "the running desk has no such account", "start the desk again"))
        halt = self._watch.replica.halt_of(self._account)
        if halt is not None:
            remedy = f"have the risk role re-arm it: tradedesk rearm{option_of(halt.of)}"
            raise _Failed(fail("admission", f"halted at {halt.level} by {halt.by}: {halt.reason}", remedy))
        if row.state is not AccountState.Ready:
            raise _Failed(fail("admission", f"the account is {row.state}: {row.reason}", "see to that first"))
        self._found.append(ok("admission", "the desk lets the account trade"))

    def _market(self, symbol: str | None) -> Instrument:
        """The instrument to try, with a market that is live."""
        venue = self._watch.replica.accounts[self._account].account.venue

        def listed() -> list[Instrument]:
            known = self._watch.replica.instruments.values()
            return [each for each in known if each.venue == venue and symbol in (None, each.symbol, each.venue_symbol)]

        def is_live(instrument: InstrumentId) -> bool:
            market = self._watch.replica.market(instrument)
            return market.state is FeedState.Live and market.bid is not None and market.ask is not None

        self._watch.until(lambda: any(is_live(each.id) for each in listed()), READY_WITHIN_S)
        found = next((each for each in listed() if is_live(each.id)), None)
        if found is None:
            what = symbol or "any instrument"
            raise _Failed(fail("market", f"no live price of {what}", "see that desk.toml lists it for the venue"))
        return found

    def _place(self, instrument: Instrument) -> Order:
        row, market = self._watch.replica.accounts[self._account], self._watch.replica.market(instrument.id)
        limits = effective(row.account.limits, instrument.id)
        if limits is None:
            remedy = f"set accounts.{self._account}.limits.max_order_notional in desk.toml"
            raise _Failed(fail("place", "the account has no limits, so the Gate refuses every order", remedy))
        assert market.bid is not None
        assert market.ask is not None
        far = min(limits.price_collar_bps * SHARE_OF_COLLAR, FARTHEST_BPS) / BPS
        price = _on_tick(market.bid * (ONE - far), instrument.tick, ROUND_FLOOR)
        side, qty = Side.Buy, smallest(instrument, price - instrument.tick)
        free = {asset: balance.free for asset, balance in row.balances.items()}
        if free.get(instrument.quote, Decimal(0)) < qty * price <= free.get(instrument.base, Decimal(0)) * price:
            side, price = Side.Sell, _on_tick(market.ask * (ONE + far), instrument.tick, ROUND_CEILING)
        key = new_id(self._watch.clock.now())
        command = PlaceOrder(
            account=self._account,
            client_order_id=key,
            instrument=instrument.id,
            side=side,
            order_type=OrderType.Limit,
            time_in_force=TimeInForce.GoodTillCancel,
            order_qty=qty,
            price=price,
            post_only=True,  # whatever the market does, it takes nothing
            operator=OperatorId(""),  # the desk puts in the name it knows us by
            deadline=self._watch.clock.now() + DEADLINE_NS,
        )
        order = self._made("place", command, key)
        what = f"{side.value.lower()} {plain(qty)} {instrument.symbol} at {plain(price)}"
        self._found.append(ok("place", f"{what} rests, after {self._took_ms} ms"))
        return order

    def _query(self, order: Order, instrument: Instrument) -> None:
        answer = self._ask(order, instrument)
        if answer.failed is not None:
            raise _Failed(fail("query", answer.failed, "without an answer a doubtful order cannot be cleared up"))
        if answer.report is None:
            raise _Failed(fail("query", "the venue does not know the order that it accepted", "do not trade here"))
        self._found.append(ok("query", f"found by our id, as {answer.report.ord_status}"))

    def _amend(self, order: Order, instrument: Instrument) -> Order:
        assert order.price is not None
        away = -instrument.tick if order.side is Side.Buy else instrument.tick
        key = new_id(self._watch.clock.now())
        command = AmendOrder(
            account=self._account,
            client_order_id=order.client_order_id,
            new_client_order_id=key,
            order_qty=order.order_qty,
            price=order.price + away,
            operator=OperatorId(""),
            deadline=self._watch.clock.now() + DEADLINE_NS,
        )
        amended = self._made("amend", command, key)
        before = self._watch.replica.orders.get(order.client_order_id)
        if before is None or not before.is_dead:
            raise _Failed(fail("amend", "the order before it is still there", "look at `tradedesk orders`"))
        self._found.append(ok("amend", f"a tick farther off, in one request, after {self._took_ms} ms"))
        return amended

    def _cancel(self, order: Order) -> None:
        left = self._cancelled([order.client_order_id])
        if left:
            raise _Failed(fail("cancel", f"it did not end within {SWEPT_S:.0f} s", "cancel it at the venue"))
        self._found.append(ok("cancel", "the venue says that it is gone"))

    def _clean_up(self) -> None:
        """Nothing of ours stays: what is not proved dead is cancelled, and what then is left is named."""
        left = self._cancelled(self._ids)
        if left:
            text = f"{', '.join(left)} may still be at the venue"
            self._found.append(fail("left", text, f"tradedesk order cancel {' '.join(left)}"))
        elif self._ids:
            self._found.append(ok("left", "nothing at the venue"))
        filled = [key for key in self._ids if (order := self._order(key)) is not None and order.cum_qty > 0]
        if filled:
            self._found.append(warn("fills", f"{', '.join(filled)} traded", "look at `tradedesk fills`"))

    # -- the means --------------------------------------------------------------------------------------------------------

    def _made(self, what: str, command: PlaceOrder | AmendOrder, key: ClientOrderId) -> Order:
        """The order that the command made, at rest at the venue."""
        self._ids.append(key)
        began = self._watch.clock.monotonic()
        answer = self._control.submit(command)
        if isinstance(answer, NotSubmitted):
            self._ids.remove(key)
            raise _Failed(fail(what, answer.reason, "see to that first"))

        def has_answer() -> bool:
            order = self._order(key)
            return order is not None and (
                order.is_dead or (order.ord_status is OrdStatus.New and not order.is_uncertain)
            )

        self._watch.until(has_answer, ANSWER_S)
        self._took_ms = (self._watch.clock.monotonic() - began) // 10**6
        order = self._order(key)
        if order is None or not has_answer():
            raise _Failed(
                fail(what, f"no answer within {ANSWER_S:.0f} s", "look at the log, and at `tradedesk orders`")
            )
        if order.is_dead:
            reasons = "; ".join(reason for request in order.requests for reason in request.reasons)
            raise _Failed(fail(what, f"{order.ord_status}: {reasons or 'no reason given'}", "see to that first"))
        return order

    def _cancelled(self, keys: list[ClientOrderId]) -> list[ClientOrderId]:
        """Cancel those that are not dead; returns what then still is not, or was never heard of again."""
        self._watch.until(lambda: all(self._order(key) is not None for key in keys), HEARD_S)
        for key in keys:
            order = self._order(key)
            if order is not None and not order.is_dead:
                self._control.submit(CancelOrder(account=self._account, client_order_id=key, operator=OperatorId("")))

        def alive() -> list[ClientOrderId]:
            return [key for key in keys if (order := self._order(key)) is None or not order.is_dead]

        self._watch.until(lambda: not alive(), SWEPT_S)
        return alive()

    def _order(self, key: ClientOrderId) -> Order | None:
        return self._watch.replica.orders.get(key)


def smallest(instrument: Instrument, price: Decimal) -> Decimal:
    """The least quantity that the venue takes at `price`, on the lot."""
    least = max(instrument.min_qty, instrument.min_notional / price)
    return (least / instrument.lot).to_integral_value(ROUND_CEILING) * instrument.lot


def _on_tick(price: Decimal, tick: Decimal, rounding: str) -> Decimal:
    return (price / tick).to_integral_value(rounding) * tick
