"""How orders move: by the reports and fills of the venue, wherever they come from and in whatever order."""

from decimal import Decimal

import msgspec
from msgspec import Struct

from tradedesk.domain import orders as rules
from tradedesk.domain.alerts import Severity
from tradedesk.domain.gate import FLATTENER
from tradedesk.domain.money import plain
from tradedesk.domain.orders import Fill, Happening, Order, OrdStatus, RequestKind, RequestState
from tradedesk.domain.outcomes import OrderReport
from tradedesk.domain.words import (
    ClientOrderId,
    OperatorId,
    OrderType,
    RequestId,
    TimeInForce,
    VenueOrderId,
    is_a_desks,
    is_a_kills,
)
from tradedesk.orders.books import Books
from tradedesk.orders.cancels import Cancels
from tradedesk.orders.doubts import ANSWER_LOST_NS, ASK_EVERY_NS, Doubts, Question
from tradedesk.orders.messages import Ask, AskFills, AskState, FillsAnswer

HAPPENED = {  # what a report of this status proves besides its fills; a fill proves itself
    None: Happening.Accepted,  # a thin one: it was there
    OrdStatus.New: Happening.Accepted,
    OrdStatus.PartiallyFilled: Happening.Accepted,
    OrdStatus.Filled: Happening.Accepted,
    OrdStatus.Canceled: Happening.Canceled,
    OrdStatus.Expired: Happening.Expired,
    OrdStatus.Rejected: Happening.Rejected,
}


class Shortfall(Struct, kw_only=True):
    """The venue says that an order traded more than we have fills for: its report is believed once they are here."""

    report: OrderReport
    ask_at: int  # ns


class Progress:
    """Moves orders by the one table; keeps only what must wait: fills before the opening, reports before their fills."""

    def __init__(self, books: Books, cancels: Cancels, doubts: Doubts) -> None:
        self._books = books
        self._cancels = cancels
        self._doubts = doubts
        self._shortfalls: dict[ClientOrderId, Shortfall] = {}
        self._early_fills: list[Fill] = []  # told before the opening, which decides whether they are in it

    def move(
        self, order: Order, happening: Happening, reason: str | None, venue_order_id: VenueOrderId | None = None
    ) -> None:
        """Let this happen to the order as the table says; the unexpected is an alert and changes nothing."""
        if not rules.is_expected(order, happening):
            self._books.alert(
                f"unexpected:{order.client_order_id}",
                Severity.Warning,
                f"order {order.client_order_id} is {order.ord_status} and the venue says {happening}; the state was kept",
            )
            return
        if rules.is_alarming(order, happening):
            self._books.alert(
                f"revived:{order.client_order_id}",
                Severity.Critical,
                f"order {order.client_order_id} was held to have never arrived, and the venue says {happening}",
            )
        after = rules.moved(order, happening, at=order.updated_at, reason=reason, venue_order_id=venue_order_id)
        if after == order:
            return  # the same news again
        self._books.moved(order, happening, reason, venue_order_id)
        self._cancels.close(self._books.latest(order))

    # -- reports ----------------------------------------------------------------------------------------------------------

    def absorb(self, report: OrderReport) -> None:
        """Believe what the venue says of an order, unless it contradicts what we know of it."""
        order = self._books.reported(report)
        if order is not None and order.client_order_id != report.client_order_id:
            if report.client_order_id in self._books.known_ids:
                return  # the venue's own id of one of our orders at another one: it began anew (F35), so ask, do not guess
            order = self._renamed(order, report.client_order_id)
            report = msgspec.structs.replace(report, client_order_id=order.client_order_id)
        if order is None and report.client_order_id in self._books.known_ids:  # ours, dead, and dropped from the books
            if report.fill is not None:
                self.fill(report.fill)
            return
        if order is None:
            order = self._external(report)
            if order is not None and is_a_desks(order.client_order_id):
                self._books.quarantine(
                    f"order {order.client_order_id} was made by a desk, and this account's journal does not know it: another "
                    "desk drives the account, or the journal is an older copy; see that only one does, cancel at the venue "
                    "what should not be there, then start this desk again"
                )
        if order is None:
            return
        problem = contradiction(order, report)
        if problem is not None:
            self._books.quarantine(f"order {order.client_order_id}: {problem}")
            return
        self._shrunk(order, report)
        if report.fill is not None:
            self.fill(report.fill)
        order = self._books.latest(order)
        if report.triggered_by is not None and order.triggered_by is None:
            self._books.changed(order, triggered_by=report.triggered_by)
        if report.cum_qty is not None and report.cum_qty > order.cum_qty:
            self.move(order, Happening.Accepted, None, report.venue_order_id)
            self._acknowledge_birth(self._books.latest(order))
            self._fall_short(self._books.latest(order), report)  # fills first, then what the report says
            return
        happening = HAPPENED[report.ord_status]
        is_unplaced = order.is_external or is_a_kills(order.client_order_id)
        if is_unplaced and report.ord_status is OrdStatus.Filled and not order.is_dead:
            happening = Happening.TradedAll  # its fills may have come before it, so none of them completed it
        self.move(order, happening, report.reason, report.venue_order_id)
        self._acknowledge_birth(self._books.latest(order))  # last: alone, a crash would make an open order of it

    def _external(self, report: OrderReport) -> Order | None:
        """An order of other software on this account: shown and counted, never touched unasked (F42)."""
        if report.side is None or report.order_qty is None:
            return None
        is_kills = is_a_kills(report.client_order_id)  # then it is ours: a process of this desk closed a position
        fills = (fill.last_qty for fill in self._books.replica.fills if fill.venue_order_id == report.venue_order_id)
        traded = sum(fills, Decimal(0))  # as far as we know of it; its fills may have come before it
        order = Order(
            account=self._books.account,
            client_order_id=report.client_order_id,
            instrument=report.instrument,
            side=report.side,
            order_type=OrderType.Limit if report.price else OrderType.Market,
            time_in_force=TimeInForce.GoodTillCancel,
            order_qty=report.order_qty,
            price=report.price or None,
            operator=FLATTENER if is_kills else OperatorId("external"),
            egress="",
            placed_at=self._books.now,
            deadline=self._books.now,
            ord_status=OrdStatus.PartiallyFilled if traded else OrdStatus.New,
            venue_order_id=report.venue_order_id,
            cum_qty=traded,
            is_external=not is_kills,
            updated_at=self._books.now,
        )
        self._books.placed(order)
        return order

    def _renamed(self, order: Order, name: ClientOrderId) -> Order:
        """The venue has the order under another client id now: whoever amended it gave it one, or none (F24)."""
        if name == order.known_as:
            return order
        if not order.is_external:
            self._books.alert(
                f"renamed:{order.client_order_id}",
                Severity.Warning,
                f"the venue calls order {order.client_order_id} {name} now; it is followed and cancelled under that id",
            )
        self._books.changed(order, known_as=name)
        return self._books.latest(order)

    def _shrunk(self, order: Order, report: OrderReport) -> None:
        """A smaller quantity proves the amend that asked for it; orders grow nowhere, so a larger one is old news."""
        qty = report.order_qty
        if qty is None or qty >= order.order_qty:
            return
        asked = [request for request in rules.amends_in_place(order) if request.order_qty == qty]
        for request in asked:
            self.amended(order, request.request_id, qty)
        if not asked:
            self._shrunk_elsewhere(order, qty)

    def _shrunk_elsewhere(self, order: Order, qty: Decimal) -> None:
        if not order.is_external:
            self._books.alert(
                f"amended-elsewhere:{order.client_order_id}",
                Severity.Warning,
                f"order {order.client_order_id} was made {plain(qty)} instead of {plain(order.order_qty)}, and not by this desk",
            )
        self._books.changed(order, order_qty=qty)
        self._fill_up(order)

    def amended(self, order: Order, request_id: RequestId, qty: Decimal) -> None:
        """An amend in place is proved: the order is that large now, and filled if so much has traded."""
        if qty < self._books.latest(order).order_qty:
            self._books.changed(order, order_qty=qty)
        self._books.decided(order, request_id, RequestState.Acknowledged)
        self._fill_up(order)

    def _fill_up(self, order: Order) -> None:
        """Of an order that became smaller what traded may be all."""
        order = self._books.latest(order)
        if order.cum_qty >= order.order_qty and not order.is_dead:
            self.move(order, Happening.TradedAll, None)

    def _acknowledge_birth(self, order: Order) -> None:
        """The venue speaks of the order, so its birth is proved, whatever became of the answer."""
        for request in order.requests:
            is_settled = request.state in (RequestState.Acknowledged, RequestState.Denied)
            if request.kind is RequestKind.New and not is_settled:
                self._books.decided(order, request.request_id, RequestState.Acknowledged)
                self.settle_replace(order, RequestState.Acknowledged)

    def settle_replace(self, new: Order, state: RequestState, *reasons: str) -> None:
        """The Replace request on the old order stands or falls with the order that was to take its place."""
        old = self._books.order(new.replaces)
        if old is None:
            return
        for request in old.requests:
            if request.kind is RequestKind.Replace and request.replaced_by == new.client_order_id:
                self._books.decided(old, request.request_id, state, *reasons)
        if not old.is_dead and state in (RequestState.Acknowledged, RequestState.NeverArrived):
            self._doubts.ask(old)  # its cancel is a leg of its own, and nothing has told of it yet

    def shown_absent(self, order: Order, question: Question) -> None:
        """The venue knows no such order: proof only if it was asked when nothing could arrive any more (5.2)."""
        if order.is_dead or self._doubts.has_vanished(order):
            return
        if order.ord_status is OrdStatus.PendingNew:
            request_id = RequestId(order.client_order_id)
            if self._doubts.is_over(request_id, question):
                reason = "the venue does not know it, and nothing can arrive any more"
                self._books.decided(order, request_id, RequestState.NeverArrived, reason)
                self.move(self._books.latest(order), Happening.ProvedAbsent, reason)
                self.settle_replace(order, RequestState.NeverArrived, reason)
        elif self._doubts.must_be_shown(order, question):
            self._books.effects.append(AskState())  # for the worklist: how it ended is for a person to say
            self._books.alert(
                f"vanished:{order.client_order_id}",
                Severity.Critical,
                f"order {order.client_order_id} was {order.ord_status} and the venue knows no such order",
            )

    # -- fills ------------------------------------------------------------------------------------------------------------

    def fill(self, fill: Fill) -> None:
        """Apply a fill, once, however often and in whatever order it arrives (5.3)."""
        if not self._books.is_opened:
            self._early_fills.append(fill)
            return
        if fill.key in self._books.fill_keys:
            return
        order = self._books.owner_of(fill)
        is_ours = fill.client_order_id in self._books.known_ids if order is None else not order.is_external
        if not is_ours and fill.transact_time < self._books.trades_from:
            return  # it lies in the opening; ours were all placed after it, whatever a clock that was stepped says
        if order is not None and order.client_order_id != fill.client_order_id:
            fill = msgspec.structs.replace(fill, client_order_id=order.client_order_id)
        self._warn_of(fill, order)
        self._books.filled(fill)
        if order is not None:
            self._acknowledge_birth(self._books.latest(order))
            self._cancels.close(self._books.latest(order))
            self._make_good(self._books.latest(order))

    def _warn_of(self, fill: Fill, order: Order | None) -> None:
        if order is None:
            if is_a_kills(fill.client_order_id):
                self._books.effects.append(Ask(order=_kills_order(fill, self._books.now)))
            elif fill.client_order_id not in self._books.known_ids:
                self._books.alert(
                    f"foreign-fill:{fill.instrument}",
                    Severity.Warning,
                    f"{plain(fill.last_qty)} {fill.instrument} traded by other software on this account; the position counts it",
                )
            return
        happening, traded = rules.happening_of(order, fill), order.cum_qty + fill.last_qty
        if traded > order.order_qty and not order.is_external:
            problem = f"is overfilled: {plain(traded)} of {plain(order.order_qty)}"
            self._books.quarantine(f"order {order.client_order_id} {problem}")
        elif not rules.is_expected(order, happening) or rules.is_alarming(order, happening):
            self._books.alert(
                f"late-fill:{order.client_order_id}",
                Severity.Critical,
                f"order {order.client_order_id} was {order.ord_status} and traded {plain(fill.last_qty)}; the position counts it",
            )

    def opened(self) -> None:
        """The account was opened: the fills that came before belong to the opening, or are applied now."""
        for fill in self._early_fills:
            self.fill(fill)
        self._early_fills.clear()

    # -- fills that a report promises -------------------------------------------------------------------------------------

    def _fall_short(self, order: Order, report: OrderReport) -> None:
        known = self._shortfalls.get(order.client_order_id)
        if known is not None and _reach(known.report) > _reach(report):
            return  # older news than what we are waiting for
        ask_at = self._books.elapsed + ANSWER_LOST_NS
        self._shortfalls[order.client_order_id] = Shortfall(report=report, ask_at=ask_at)
        self._books.effects.append(AskFills(order=order, report=report))

    def _make_good(self, order: Order) -> None:
        """Believe the report that waited for its fills, if they are all here."""
        short = self._shortfalls.get(order.client_order_id)
        if short is None or short.report.cum_qty is None or order.cum_qty < short.report.cum_qty:
            return
        del self._shortfalls[order.client_order_id]
        self.move(order, HAPPENED[short.report.ord_status], short.report.reason, short.report.venue_order_id)

    def fills_listed(self, answer: FillsAnswer) -> None:
        """The fills of one order as the venue lists them; if they are all there, its report is believed."""
        for fill in sorted(answer.fills, key=lambda fill: fill.transact_time):
            self.fill(fill)
        order, short = self._books.order(answer.client_order_id), self._shortfalls.get(answer.client_order_id)
        if order is None or short is None:
            return
        if sum((fill.last_qty for fill in answer.fills), Decimal(0)) < (short.report.cum_qty or Decimal(0)):
            short.ask_at = self._books.elapsed + ASK_EVERY_NS  # the list lags behind the report, or did not come
            return
        del self._shortfalls[answer.client_order_id]  # it is complete: what we did not take lies before the opening
        is_filled = short.report.ord_status is OrdStatus.Filled and not order.is_dead
        happening = Happening.TradedAll if is_filled else HAPPENED[short.report.ord_status]
        self.move(order, happening, short.report.reason, short.report.venue_order_id)

    def tick(self) -> None:
        for client_order_id, short in list(self._shortfalls.items()):
            order = self._books.order(client_order_id)
            if order is None:  # dead for so long that the books forgot it; reconciliation still lists its fills
                del self._shortfalls[client_order_id]
            elif short.ask_at <= self._books.elapsed:
                short.ask_at = self._books.elapsed + ANSWER_LOST_NS
                self._books.effects.append(AskFills(order=order, report=short.report))


def contradiction(order: Order, report: OrderReport) -> str | None:
    """What the report says that cannot be true of our order; absent fields do not count against it (5.2)."""
    if report.instrument != order.instrument:
        return f"the venue names instrument {report.instrument}, ours is {order.instrument}"
    if report.side is not None and report.side is not order.side:
        return f"the venue names side {report.side}, ours is {order.side}"
    if order.is_external or report.order_qty is None:
        return None
    if not rules.could_be_its_qty(order, report.order_qty, report.venue_order_id):
        return f"the venue names quantity {plain(report.order_qty)}, ours is {plain(order.order_qty)}"
    return None


def _kills_order(fill: Fill, now: int) -> Order:
    """As much of the order that a kill placed as its fill tells: enough to ask the venue for the rest."""
    return Order(
        account=fill.account,
        client_order_id=fill.client_order_id,
        instrument=fill.instrument,
        side=fill.side,
        order_type=OrderType.Market,
        time_in_force=TimeInForce.GoodTillCancel,
        order_qty=fill.last_qty,
        price=None,
        operator=FLATTENER,
        egress="",
        placed_at=now,
        deadline=now,
        venue_order_id=fill.venue_order_id,
        updated_at=now,
    )


def _reach(report: OrderReport) -> tuple[Decimal, bool]:
    """How far an order has come by a report; of two the larger is the later."""
    return (report.cum_qty or Decimal(0), HAPPENED[report.ord_status] is not Happening.Accepted)
