"""Values for tests: each builder names only what matters to the test that calls it."""

from decimal import Decimal

from tradedesk.domain.events import OrderPlaced
from tradedesk.domain.instruments import Instrument
from tradedesk.domain.money import Money
from tradedesk.domain.orders import Fill, Order, OrdStatus, Request, RequestKind, RequestState
from tradedesk.domain.words import (
    AccountId,
    ClientOrderId,
    InstrumentId,
    OperatorId,
    OrderType,
    RequestId,
    Side,
    TimeInForce,
    VenueId,
    VenueOrderId,
)

NOW = 1_764_000_000_000_000_000  # 2025-11-24T16:00:00Z
BTCUSDT = InstrumentId("binance:BTCUSDT")


def an_instrument(symbol: str = "BTC/USDT", *, tick: str = "0.01", lot: str = "0.00001") -> Instrument:
    base, quote = symbol.split("/")
    return Instrument(
        id=InstrumentId(f"binance:{base}{quote}"),
        venue=VenueId("binance"),
        venue_symbol=base + quote,
        symbol=symbol,
        base=base,
        quote=quote,
        tick=Decimal(tick),
        lot=Decimal(lot),
        min_qty=Decimal(lot),
        max_qty=Decimal(9000),
        min_notional=Decimal(5),
    )


def a_request(
    kind: RequestKind = RequestKind.New, state: RequestState = RequestState.Pending, *, request_id: str = "r1"
) -> Request:
    return Request(request_id=RequestId(request_id), kind=kind, state=state, operator=OperatorId("desk1"), made_at=NOW)


def an_order(
    status: OrdStatus = OrdStatus.PendingNew,
    *,
    qty: str = "1",
    price: str | None = "60000",
    side: Side = Side.Buy,
    account: str = "acme",
    client_order_id: str = "c1",
    requests: tuple[Request, ...] = (),
    cum_qty: str = "0",
    replaces: str | None = None,
    replaced_by: str | None = None,
    is_external: bool = False,
    reasons: tuple[str, ...] = (),
) -> Order:
    return Order(
        account=AccountId(account),
        client_order_id=ClientOrderId(client_order_id),
        instrument=BTCUSDT,
        side=side,
        order_type=OrderType.Market if price is None else OrderType.Limit,
        time_in_force=TimeInForce.GoodTillCancel,
        order_qty=Decimal(qty),
        price=None if price is None else Decimal(price),
        operator=OperatorId("desk1"),
        egress="127.0.0.2",
        placed_at=NOW,
        deadline=NOW + 5_000_000_000,
        ord_status=status,
        cum_qty=Decimal(cum_qty),
        cum_quote=Decimal(cum_qty) * Decimal(price or 0),
        requests=requests,
        replaces=None if replaces is None else ClientOrderId(replaces),
        replaced_by=None if replaced_by is None else ClientOrderId(replaced_by),
        is_external=is_external,
        reasons=reasons,
        updated_at=NOW,
    )


def a_fill(
    qty: str = "1",
    price: str = "60000",
    *,
    side: Side = Side.Buy,
    fee: str | None = "0",
    currency: str = "USDT",
    trade_id: str = "t1",
    account: str = "acme",
    client_order_id: str = "c1",
    instrument: InstrumentId = BTCUSDT,
) -> Fill:
    return Fill(
        account=AccountId(account),
        client_order_id=ClientOrderId(client_order_id),
        venue_order_id=VenueOrderId("v1"),
        instrument=instrument,
        trade_id=trade_id,
        side=side,
        last_qty=Decimal(qty),
        last_px=Decimal(price),
        fee=None if fee is None else Money(Decimal(fee), currency),
        is_maker=True,
        transact_time=NOW,
    )


def placed(account: str = "acme", client_order_id: str = "c1") -> OrderPlaced:
    """The event of a new order intent."""
    order = an_order(account=account, client_order_id=client_order_id, requests=(a_request(),))
    return OrderPlaced(at=NOW, source=f"worker:{account}", order=order)
