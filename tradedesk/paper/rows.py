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
    STOP_LOSS = "STOP_LOSS"
    STOP_LOSS_LIMIT = "STOP_LOSS_LIMIT"
    TAKE_PROFIT = "TAKE_PROFIT"
    TAKE_PROFIT_LIMIT = "TAKE_PROFIT_LIMIT"


class Status(StrEnum):
    PENDING_NEW = "PENDING_NEW"  # a leg that waits for another to fill; it stands nowhere yet
    NEW = "NEW"
    PARTIALLY_FILLED = "PARTIALLY_FILLED"
    FILLED = "FILLED"
    CANCELED = "CANCELED"
    REJECTED = "REJECTED"
    EXPIRED = "EXPIRED"
    EXPIRED_IN_MATCH = "EXPIRED_IN_MATCH"


STP_MODES = ("NONE", "EXPIRE_MAKER", "EXPIRE_TAKER", "EXPIRE_BOTH", "DECREMENT", "TRANSFER")


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
    status: str = "TRADING"  # TRADING, HALT, BREAK, CANCEL_ONLY
    min_market_qty: Decimal = Decimal(0)
    market_lot: Decimal = Decimal(0)  # 0 where market orders have no step beyond `lot`
    stp_modes: tuple[str, ...] = STP_MODES  # those a client may ask for
    default_stp_mode: str = "NONE"  # for orders that ask for none
    iceberg_parts: int = 10  # an iceberg has at most so many; 0 refuses them all
    min_trailing_above: int = 10  # basis points, for orders that trigger above the price: buy stops, sell take-profits
    max_trailing_above: int = 2_000
    min_trailing_below: int = 10
    max_trailing_below: int = 2_000
    max_algo_orders: int = 5  # open orders with a trigger
    max_iceberg_orders: int = 5
    max_order_lists: int = 20
    max_amends: int = 10  # of one order
    max_position: Decimal = Decimal(0)  # base units held and being bought; 0 = no limit


class AccountSpec(Struct, frozen=True, kw_only=True):
    """One account at the start: what it holds and what it pays (commission as a fraction of what it receives)."""

    name: str
    balances: dict[str, Decimal]
    maker: Decimal
    taker: Decimal
    group: str | None = None  # accounts of one group do not trade with each other (trade group); None: alone
    pays_bnb: bool = False  # commission in BNB, a quarter less, while there is enough of it


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
    stop_price: Decimal | None = None
    trailing_delta: int | None = None  # basis points
    iceberg_qty: Decimal | None = None  # what shows of it
    stp_mode: str | None = None  # one of STP_MODES; the instrument's default when absent
    strategy_id: int | None = None
    strategy_type: int | None = None


class Oco(Struct, frozen=True, kw_only=True):
    """One cancels the other. Both legs have symbol, side and quantity in common; the above leg acts at higher prices."""

    above: NewOrder
    below: NewOrder
    list_client_order_id: str | None = None


class Oto(Struct, frozen=True, kw_only=True):
    """One triggers the other: the pending leg is placed when the working one (LIMIT, LIMIT_MAKER) is filled."""

    working: NewOrder
    pending: NewOrder
    list_client_order_id: str | None = None


class Otoco(Struct, frozen=True, kw_only=True):
    """One triggers an OCO."""

    working: NewOrder
    pending_above: NewOrder
    pending_below: NewOrder
    list_client_order_id: str | None = None


NewList = Oco | Oto | Otoco


class TradeRow(Struct, frozen=True, kw_only=True, gc=False):
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
    order_list_id: int = -1


class OrderRow(Struct, frozen=True, kw_only=True, gc=False):
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
    working_time: int  # when it reached the book or traded; -1 while it waits for a trigger or another leg
    is_working: bool  # open, and not waiting; False once it ended (a query's isWorking is `working_time != -1`)
    order_list_id: int = -1
    stop_price: Decimal = Decimal(0)
    trailing_delta: int | None = None  # basis points
    trailing_time: int | None = None  # since when it trails; None before
    iceberg_qty: Decimal = Decimal(0)
    strategy_id: int | None = None
    strategy_type: int | None = None
    prevented_match_id: int | None = None  # of the newest trade that self-trade prevention stopped
    prevented_quantity: Decimal = Decimal(0)  # all of them
    expiry_reason: str | None = None  # UNFILLED_IOC_QUANTITY_EXPIRED and its kin; REJECTED: the refusal's text
    fills: tuple[TradeRow, ...] = ()  # those of the placing request only


class Cancelled(Struct, frozen=True):
    """A cancel that worked: the order as it ended, and the id the cancel itself was given."""

    order: OrderRow
    cancel_client_order_id: str
    order_list: "ListCancelled | None" = None  # where the order took its whole list with it


class ListRow(Struct, frozen=True, kw_only=True):
    """One order list as it stands (or stood at an event)."""

    account: str
    symbol: str
    order_list_id: int
    contingency_type: str  # OCO, OTO
    list_status_type: str  # EXEC_STARTED, UPDATED, ALL_DONE; RESPONSE for a refusal
    list_order_status: str  # EXECUTING, ALL_DONE, REJECT
    list_client_order_id: str
    transaction_time: int
    orders: tuple[OrderRow, ...]  # in the order they were placed; with their fills in the answer to place_list


class ListCancelled(Struct, frozen=True, kw_only=True):
    """A whole list that was cancelled: every leg that was still open, with the ids of the cancels."""

    row: ListRow
    orders: tuple[Cancelled, ...]


class Amendment(Struct, frozen=True, kw_only=True):
    """One change of one order's quantity, as order/amendments shows it."""

    symbol: str
    order_id: int
    execution_id: int
    orig_client_order_id: str
    new_client_order_id: str
    orig_qty: Decimal
    new_qty: Decimal
    time: int


class Amended(Struct, frozen=True, kw_only=True):
    """An amend that worked: the order after it, what changed, and its list if it is in one."""

    order: OrderRow
    amendment: Amendment
    order_list: ListRow | None = None


class PreventedMatch(Struct, frozen=True, kw_only=True):
    """A trade that self-trade prevention stopped. Quantities are what each order lost by it (0: it kept all)."""

    symbol: str
    match_id: int
    taker_account: str
    taker_order_id: int
    maker_account: str
    maker_order_id: int
    trade_group_id: int
    stp_mode: str  # the taker's
    price: Decimal
    taker_prevented_qty: Decimal
    maker_prevented_qty: Decimal
    time: int


class Movement(Struct, frozen=True, kw_only=True):
    """Money that came or went other than by trading."""

    id: int
    account: str
    kind: str  # DEPOSIT, WITHDRAW, TRANSFER, INTEREST, FEE, DIVIDEND, FUNDING, ...
    asset: str
    amount: Decimal  # signed: what the free balance changed by
    time: int
    reference: str = ""  # address, transaction, counterparty: whoever moved it says


class CancelReplaced(Struct, frozen=True, kw_only=True):
    """Both legs. A leg is its row, the refusal, or None where it was not attempted."""

    cancel: "Cancelled | Refusal"
    new: OrderRow | Refusal | None


class Execution(Struct, frozen=True, kw_only=True, gc=False):
    """An executionReport to be: what happened to one client order. `row` is the order after it."""

    what: str  # NEW, CANCELED, REPLACED, REJECTED, TRADE, EXPIRED, TRADE_PREVENTION
    row: OrderRow  # carries stop price, trailing, iceberg, strategy, list id, prevented quantity and working time
    execution_id: int
    time: int
    fill: TradeRow | None = None
    cancel_client_order_id: str = ""  # the cancel's own id
    orig_client_order_id: str = ""  # of a REPLACED order: the id before
    prevention: PreventedMatch | None = None  # the trade stopped: ended by it, or (TRADE_PREVENTION) reduced by it

    @property
    def last_prevented_qty(self) -> Decimal:
        """What this order lost by the prevented match."""
        match = self.prevention
        if match is None:
            return Decimal(0)
        is_taker = match.taker_order_id == self.row.order_id
        return match.taker_prevented_qty if is_taker else match.maker_prevented_qty

    @property
    def counter_order_id(self) -> int:
        """The other order of the prevented match; -1 if there was none."""
        match = self.prevention
        if match is None:
            return -1
        return match.maker_order_id if match.taker_order_id == self.row.order_id else match.taker_order_id


class AccountChanged(Struct, frozen=True, kw_only=True):
    """Balances after a change: asset -> (free, locked); only assets that may have changed."""

    account: str
    units: dict[str, tuple[int, int]]  # of 1e-8
    time: int

    @property
    def balances(self) -> dict[str, tuple[Decimal, Decimal]]:
        """As amounts; made for who looks, since most changes are told to nobody."""
        return {
            asset: (Decimal(free).scaleb(-8), Decimal(locked).scaleb(-8))
            for asset, (free, locked) in self.units.items()
        }


class ListChanged(Struct, frozen=True, kw_only=True):
    """A listStatus to be: placed, an id changed, or over."""

    row: ListRow
    time: int


class BalanceMoved(Struct, frozen=True, kw_only=True):
    """A balanceUpdate to be. An AccountChanged follows it."""

    movement: Movement


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
    """Statistics of a window of trades: the last day, or another."""

    symbol: str
    open: Decimal
    high: Decimal
    low: Decimal
    last: Decimal
    last_qty: Decimal
    prev_close: Decimal  # of the last trade before the window; 0 if there was none
    volume: Decimal
    quote_volume: Decimal
    weighted_avg: Decimal
    open_time: int
    close_time: int
    first_id: int
    last_id: int
    count: int


ExchangeEvent = Execution | AccountChanged | ListChanged | BalanceMoved | Print
