"""What the pure exchange takes and gives: plain frozen values, no socket, no JSON. Times are ns since the epoch, UTC."""

from decimal import Decimal
from enum import StrEnum

from msgspec import Struct


class Refusal(Exception):
    """The exchange will not do it, for a reason it has a code for; nothing changed. `http` is the REST status."""

    def __init__(self, code: int, message: str, http: int = 400) -> None:
        super().__init__(code, message)
        self.code = code
        self.message = message
        self.http = http


class Kind(StrEnum):
    LIMIT = "LIMIT"
    MARKET = "MARKET"
    LIMIT_MAKER = "LIMIT_MAKER"


class Status(StrEnum):
    NEW = "NEW"
    PARTIALLY_FILLED = "PARTIALLY_FILLED"
    FILLED = "FILLED"
    CANCELED = "CANCELED"
    REJECTED = "REJECTED"
    EXPIRED = "EXPIRED"
    EXPIRED_IN_MATCH = "EXPIRED_IN_MATCH"


class Spec(Struct, frozen=True, kw_only=True):
    """One instrument and its filters. Prices in quote units per base unit, quantities in base units."""

    symbol: str  # BTCUSDT
    base: str
    quote: str
    tick: Decimal
    min_price: Decimal
    max_price: Decimal
    lot: Decimal
    min_qty: Decimal
    max_qty: Decimal
    max_market_qty: Decimal
    min_notional: Decimal
    max_notional: Decimal
    bid_multiplier_up: Decimal
    bid_multiplier_down: Decimal
    ask_multiplier_up: Decimal
    ask_multiplier_down: Decimal
    max_orders: int
    status: str = "TRADING"


class AccountSpec(Struct, frozen=True, kw_only=True):
    """One account at the start: what it holds and what it pays (commission as a fraction of what it receives)."""

    name: str
    balances: dict[str, Decimal]
    maker: Decimal
    taker: Decimal


class NewOrder(Struct, frozen=True, kw_only=True):
    """A client's order, already parsed, not yet checked against any filter."""

    symbol: str
    side: str  # BUY, SELL
    kind: Kind
    quantity: Decimal | None = None
    quote_quantity: Decimal | None = None  # market orders by quote amount
    price: Decimal | None = None
    time_in_force: str | None = None  # GTC, IOC, FOK
    client_order_id: str | None = None  # the exchange makes one when absent
    stp_mode: str = "NONE"


class TradeRow(Struct, frozen=True, kw_only=True):
    """One execution of one client order, as myTrades shows it."""

    symbol: str
    trade_id: int
    order_id: int
    client_order_id: str
    price: Decimal
    quantity: Decimal
    commission: Decimal
    commission_asset: str
    time: int
    is_buyer: bool
    is_maker: bool


class OrderRow(Struct, frozen=True, kw_only=True):
    """One client order as it stands."""

    account: str
    symbol: str
    order_id: int
    client_order_id: str
    side: str
    kind: Kind
    time_in_force: str
    price: Decimal  # 0 for market orders
    orig_qty: Decimal
    orig_quote_qty: Decimal  # 0 unless ordered by quote amount
    executed_qty: Decimal
    cumulative_quote: Decimal
    status: Status
    stp_mode: str
    time: int
    update_time: int
    working_time: int  # -1 if it never stood on the book
    is_working: bool
    expiry_reason: str | None = None  # UNFILLED_IOC_QUANTITY_EXPIRED and its kin
    fills: tuple[TradeRow, ...] = ()  # those of the placing request only


class Cancelled(Struct, frozen=True):
    """A cancel that worked: the order as it ended, and the id the cancel itself was given."""

    order: OrderRow
    cancel_client_order_id: str


class CancelReplaced(Struct, frozen=True, kw_only=True):
    """Both legs. A leg is its row, the refusal, or None where it was not attempted."""

    cancel: "Cancelled | Refusal"
    new: OrderRow | Refusal | None


class Execution(Struct, frozen=True, kw_only=True):
    """An executionReport to be: what happened to one client order. `row` is the order after it."""

    what: str  # NEW, CANCELED, REPLACED, REJECTED, TRADE, EXPIRED
    row: OrderRow
    execution_id: int
    time: int
    fill: TradeRow | None = None
    cancel_client_order_id: str = ""


class AccountChanged(Struct, frozen=True, kw_only=True):
    """Balances after a change: asset -> (free, locked); only assets that may have changed."""

    account: str
    balances: dict[str, tuple[Decimal, Decimal]]
    time: int


class Print(Struct, frozen=True, kw_only=True):
    """A trade on the tape, whoever traded."""

    symbol: str
    trade_id: int
    price: Decimal
    quantity: Decimal
    time: int
    buyer_is_maker: bool


class AggTrade(Struct, frozen=True, kw_only=True):
    symbol: str
    agg_id: int
    price: Decimal
    quantity: Decimal
    first_id: int
    last_id: int
    time: int
    buyer_is_maker: bool


class Kline(Struct, frozen=True, kw_only=True):
    symbol: str
    interval: str
    open_time: int  # ns
    close_time: int
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal
    quote_volume: Decimal
    trades: int
    taker_base: Decimal
    taker_quote: Decimal
    first_trade_id: int  # -1 when there was none
    last_trade_id: int
    is_closed: bool


class BookDelta(Struct, frozen=True, kw_only=True):
    """Levels that changed since the last delta taken: ids first..last without a hole; quantity 0 removes the level."""

    symbol: str
    first_update_id: int
    last_update_id: int
    bids: tuple[tuple[Decimal, Decimal], ...]
    asks: tuple[tuple[Decimal, Decimal], ...]


class Depth(Struct, frozen=True, kw_only=True):
    last_update_id: int
    bids: tuple[tuple[Decimal, Decimal], ...]  # best first
    asks: tuple[tuple[Decimal, Decimal], ...]


class BookTicker(Struct, frozen=True, kw_only=True):
    symbol: str
    update_id: int
    bid: Decimal | None
    bid_qty: Decimal | None
    ask: Decimal | None
    ask_qty: Decimal | None


class Ticker24h(Struct, frozen=True, kw_only=True):
    symbol: str
    open: Decimal
    high: Decimal
    low: Decimal
    last: Decimal
    last_qty: Decimal
    volume: Decimal
    quote_volume: Decimal
    weighted_avg: Decimal
    open_time: int
    close_time: int
    first_id: int
    last_id: int
    count: int


ExchangeEvent = Execution | AccountChanged | Print
