"""The paper engine's rows in the desk's words, and the one instrument and venue of a simulated world."""

from tradedesk.domain.instruments import Instrument
from tradedesk.domain.money import Money
from tradedesk.domain.movements import Movement, MovementKind
from tradedesk.domain.orders import Fill, Order, OrdStatus
from tradedesk.domain.outcomes import OrderReport, Refused, Unproven, VenueInfo
from tradedesk.domain.words import (
    AccountId,
    ClientOrderId,
    InstrumentId,
    RequestId,
    Side,
    TimeInForce,
    VenueId,
    VenueOrderId,
)
from tradedesk.paper import rows
from tradedesk.paper.rows import Kind, NewOrder, OrderRow, Refusal, Status, TradeRow
from tradedesk.paper.synthetic import default_specs
from tradedesk.simulation.faults import EARLY_NS, ENGINE_NS, LAG_NS, WINDOW_NS
from tradedesk.simulation.scheduler import MS
from tradedesk.venues.outcomes import Asked, Spoken, is_refusal

SPEC = default_specs()[0]
VENUE = VenueId("paper")
INSTRUMENT = Instrument(
    id=InstrumentId(f"{VENUE}:{SPEC.symbol}"),
    venue=VENUE,
    venue_symbol=SPEC.symbol,
    symbol=f"{SPEC.base}/{SPEC.quote}",
    base=SPEC.base,
    quote=SPEC.quote,
    tick=SPEC.tick,
    lot=SPEC.lot,
    min_qty=SPEC.min_qty,
    max_qty=SPEC.max_qty,
    min_notional=SPEC.min_notional,
    can_shrink=True,
)
INFO = VenueInfo(
    receive_window_ms=(WINDOW_NS + EARLY_NS) // MS,
    engine_timeout_ms=ENGINE_NS // MS,
    query_lag_ms=LAG_NS // MS,
    has_native_amend=True,
    dead_man="none",
    instruments=(INSTRUMENT,),
)
OPEN = (Status.NEW, Status.PARTIALLY_FILLED)
STATUS = {
    Status.NEW: OrdStatus.New,
    Status.PARTIALLY_FILLED: OrdStatus.PartiallyFilled,
    Status.FILLED: OrdStatus.Filled,
    Status.CANCELED: OrdStatus.Canceled,
    Status.REJECTED: OrdStatus.Rejected,
    Status.EXPIRED: OrdStatus.Expired,
    Status.EXPIRED_IN_MATCH: OrdStatus.Expired,
}
TIME_IN_FORCE = {
    TimeInForce.GoodTillCancel: "GTC",
    TimeInForce.ImmediateOrCancel: "IOC",
    TimeInForce.FillOrKill: "FOK",
}
KINDS = {"DEPOSIT": MovementKind.Deposit, "WITHDRAW": MovementKind.Withdrawal, "INTEREST": MovementKind.Interest}


def new_order(order: Order) -> NewOrder:
    kind = Kind.MARKET if order.price is None else Kind.LIMIT_MAKER if order.post_only else Kind.LIMIT
    return NewOrder(
        symbol=SPEC.symbol,
        side=order.side.value.upper(),
        kind=kind,
        quantity=order.order_qty,
        price=order.price,
        time_in_force=TIME_IN_FORCE[order.time_in_force] if kind is Kind.LIMIT else None,
        client_order_id=order.client_order_id,
    )


def refused(request_id: RequestId, asked: Asked, refusal: Refusal) -> Refused | Unproven:
    """By the same table of proofs as the adapter's."""
    said = Spoken(status=refusal.http, code=refusal.code, text=refusal.message)
    if is_refusal(asked, said):
        return Refused(request_id=request_id, code=said.code, text=said.text)
    return Unproven(request_id=request_id, cause=f"{said.code} {said.text}")


def report_of(row: OrderRow) -> OrderReport:
    return OrderReport(
        client_order_id=ClientOrderId(row.client_order_id),
        venue_order_id=VenueOrderId(str(row.order_id)),
        instrument=INSTRUMENT.id,
        side=Side.Buy if row.side == "BUY" else Side.Sell,
        order_qty=row.orig_qty,
        price=row.price or None,
        ord_status=STATUS[row.status],
        cum_qty=row.executed_qty,
        transact_time=row.update_time,
        reason=row.expiry_reason,
    )


def fill_of(account: AccountId, trade: TradeRow) -> Fill:
    return Fill(
        account=account,
        client_order_id=ClientOrderId(trade.client_order_id),
        venue_order_id=VenueOrderId(str(trade.order_id)),
        instrument=INSTRUMENT.id,
        trade_id=str(trade.trade_id),
        side=Side.Buy if trade.is_buyer else Side.Sell,
        last_qty=trade.quantity,
        last_px=trade.price,
        fee=Money(trade.commission, trade.commission_asset),
        is_maker=trade.is_maker,
        transact_time=trade.time,
    )


def movement_of(account: AccountId, row: rows.Movement) -> Movement:
    return Movement(
        account=account,
        asset=row.asset,
        amount=row.amount,
        kind=KINDS[row.kind],
        movement_id=str(row.id),
        transact_time=row.time,
    )
