"""What the futures engine takes and gives: plain frozen values. Times are ns since the epoch, UTC; money in the margin asset."""

from decimal import Decimal
from enum import StrEnum

from msgspec import Struct

from tradedesk.paper.rows import Print, Refusal


class Type(StrEnum):
    LIMIT = "LIMIT"
    MARKET = "MARKET"
    STOP = "STOP"  # triggers into LIMIT
    STOP_MARKET = "STOP_MARKET"
    TAKE_PROFIT = "TAKE_PROFIT"  # triggers into LIMIT
    TAKE_PROFIT_MARKET = "TAKE_PROFIT_MARKET"
    TRAILING_STOP_MARKET = "TRAILING_STOP_MARKET"

    @property
    def is_conditional(self) -> bool:
        return self not in (Type.LIMIT, Type.MARKET)

    @property
    def placed_as(self) -> "Type":
        """What reaches the book: itself, or what it becomes when triggered."""
        return Type.LIMIT if self in (Type.LIMIT, Type.STOP, Type.TAKE_PROFIT) else Type.MARKET


class Status(StrEnum):
    NEW = "NEW"
    PARTIALLY_FILLED = "PARTIALLY_FILLED"
    FILLED = "FILLED"
    CANCELED = "CANCELED"
    EXPIRED = "EXPIRED"
    EXPIRED_IN_MATCH = "EXPIRED_IN_MATCH"


class AlgoStatus(StrEnum):
    NEW = "NEW"
    TRIGGERING = "TRIGGERING"
    TRIGGERED = "TRIGGERED"  # the real order is placed
    FINISHED = "FINISHED"  # the real order ended
    CANCELED = "CANCELED"
    REJECTED = "REJECTED"  # triggered, but the real order was refused
    EXPIRED = "EXPIRED"


class AccountSpec(Struct, frozen=True, kw_only=True):
    """One account at the start. Commission is a fraction of the notional."""

    name: str
    balances: dict[str, Decimal]  # asset -> wallet
    maker: Decimal = Decimal("0.0002")
    taker: Decimal = Decimal("0.0005")
    group: str | None = None  # accounts of one group are one trader to self-trade prevention; None: alone
    can_trade: bool = True


class NewOrder(Struct, frozen=True, kw_only=True):
    """A client's order, parsed, not yet checked. None: not sent."""

    symbol: str
    side: str  # BUY, SELL
    type: Type
    quantity: Decimal | None = None
    price: Decimal | None = None
    time_in_force: str | None = None  # GTC IOC FOK GTX GTD
    position_side: str = "BOTH"  # BOTH, LONG, SHORT
    reduce_only: bool | None = None
    close_position: bool = False
    stop_price: Decimal | None = None
    activation_price: Decimal | None = None
    callback_rate: Decimal | None = None  # percent: 1 is 1 %
    working_type: str = "CONTRACT_PRICE"  # or MARK_PRICE
    price_protect: bool = False
    price_match: str = "NONE"  # OPPONENT, OPPONENT_5 _10 _20, QUEUE, QUEUE_5 _10 _20
    stp_mode: str = "NONE"  # EXPIRE_TAKER, EXPIRE_MAKER, EXPIRE_BOTH
    good_till_date: int | None = None  # ns
    client_order_id: str | None = None  # made by the exchange when absent


class Modify(Struct, frozen=True, kw_only=True):
    """PUT order: new quantity and price of a resting LIMIT order, found by either id."""

    symbol: str
    side: str
    quantity: Decimal | None = None
    price: Decimal | None = None
    price_match: str = "NONE"
    order_id: int | None = None
    client_order_id: str | None = None


class NewAlgo(Struct, frozen=True, kw_only=True):
    """A conditional order of the algo endpoint (algoType CONDITIONAL)."""

    symbol: str
    side: str
    type: Type
    quantity: Decimal | None = None
    price: Decimal | None = None
    trigger_price: Decimal | None = None
    time_in_force: str | None = None
    position_side: str = "BOTH"
    reduce_only: bool | None = None
    close_position: bool = False
    activation_price: Decimal | None = None
    callback_rate: Decimal | None = None  # percent
    working_type: str = "CONTRACT_PRICE"
    price_protect: bool = False
    price_match: str = "NONE"
    stp_mode: str = "NONE"
    good_till_date: int | None = None  # ns
    client_algo_id: str | None = None


class OrderRow(Struct, frozen=True, kw_only=True):
    """One order as it stands. Prices that it does not have are 0."""

    account: str
    symbol: str
    order_id: int
    client_order_id: str
    side: str
    position_side: str
    type: Type  # what it is now: MARKET or LIMIT once triggered
    orig_type: Type  # what was sent
    time_in_force: str
    price: Decimal
    avg_price: Decimal
    orig_qty: Decimal
    executed_qty: Decimal
    cum_quote: Decimal
    status: Status
    reduce_only: bool
    close_position: bool
    stop_price: Decimal
    activation_price: Decimal
    callback_rate: Decimal  # percent, 0 unless trailing
    working_type: str
    price_protect: bool
    price_match: str
    stp_mode: str
    good_till_date: int  # ns, 0 unless GTD
    time: int
    update_time: int
    expiry_reason: int = 0  # the venue's `er`: 1 self trade, 2 IOC, 4 reduce-only, 5 liquidation, 8 triggered, 9 market
    bids_notional: Decimal = Decimal(0)  # of the account's open buys in the symbol when the row was made
    asks_notional: Decimal = Decimal(0)


class TradeRow(Struct, frozen=True, kw_only=True):
    """One execution of one order, as userTrades shows it."""

    symbol: str
    trade_id: int
    order_id: int
    client_order_id: str
    side: str
    position_side: str
    price: Decimal
    quantity: Decimal
    quote_quantity: Decimal
    realized_pnl: Decimal  # without the commission
    commission: Decimal
    commission_asset: str
    time: int
    is_buyer: bool
    is_maker: bool


class AlgoRow(Struct, frozen=True, kw_only=True):
    """One algo order as it stands."""

    account: str
    symbol: str
    algo_id: int
    client_algo_id: str
    side: str
    position_side: str
    type: Type
    time_in_force: str
    quantity: Decimal
    price: Decimal
    trigger_price: Decimal
    activation_price: Decimal
    callback_rate: Decimal
    working_type: str
    price_protect: bool
    price_match: str
    stp_mode: str
    reduce_only: bool
    close_position: bool
    good_till_date: int  # ns, 0 if none
    status: AlgoStatus
    time: int
    update_time: int
    trigger_time: int = 0  # ns, 0 before
    order_id: int = 0  # of the real order, 0 before the trigger
    avg_price: Decimal = Decimal(0)  # of the real order
    executed_qty: Decimal = Decimal(0)
    order_type: str = ""  # LIMIT or MARKET once triggered
    reject_reason: str = ""


class Amendment(Struct, frozen=True, kw_only=True):
    """One modification of an order (orderAmendment)."""

    amendment_id: int
    symbol: str
    order_id: int
    client_order_id: str
    time: int
    price_before: Decimal
    price_after: Decimal
    qty_before: Decimal
    qty_after: Decimal
    count: int  # 1 for the order's first


class AssetRow(Struct, frozen=True, kw_only=True):
    """One asset of an account. Amounts in the asset."""

    asset: str
    wallet_balance: Decimal  # isolated margin included
    cross_wallet_balance: Decimal
    unrealized_profit: Decimal  # of all positions
    cross_unrealized_profit: Decimal
    margin_balance: Decimal  # wallet + unrealised
    maint_margin: Decimal
    initial_margin: Decimal  # positions and open orders
    position_initial_margin: Decimal
    open_order_initial_margin: Decimal
    available_balance: Decimal  # never below 0
    max_withdraw: Decimal
    update_time: int


class PositionRow(Struct, frozen=True, kw_only=True):
    """One position of an account, flat ones too. `amount` is signed: a short is below 0 in either mode."""

    symbol: str
    position_side: str
    amount: Decimal
    entry_price: Decimal  # 0 when flat
    break_even_price: Decimal  # entry moved by the commissions paid for what is open and already closed
    mark_price: Decimal
    unrealized_profit: Decimal
    liquidation_price: Decimal  # 0 if no price would do it
    leverage: int
    max_notional: Decimal  # at this leverage
    margin_type: str  # CROSSED, ISOLATED
    isolated_margin: Decimal  # isolated wallet + unrealised; 0 if crossed
    isolated_wallet: Decimal
    notional: Decimal  # at mark, signed
    initial_margin: Decimal  # position and open orders
    position_initial_margin: Decimal
    open_order_initial_margin: Decimal
    maint_margin: Decimal
    margin_asset: str
    adl: int  # quantile 0..4; 0: no auto-deleveraging here
    bid_notional: Decimal
    ask_notional: Decimal
    update_time: int  # 0 if it never changed


class AccountRow(Struct, frozen=True, kw_only=True):
    """The account as `account` shows it: totals are over the assets as they are (one margin asset: USDT)."""

    account: str
    maker: Decimal
    taker: Decimal
    can_trade: bool
    multi_assets: bool
    dual_side: bool
    assets: tuple[AssetRow, ...]
    positions: tuple[PositionRow, ...]
    total: AssetRow
    update_time: int


class SymbolConfig(Struct, frozen=True, kw_only=True):
    symbol: str
    margin_type: str  # CROSSED, ISOLATED
    leverage: int
    max_notional: Decimal


class IncomeRow(Struct, frozen=True, kw_only=True):
    symbol: str  # "" for transfers
    type: str  # TRANSFER REALIZED_PNL FUNDING_FEE COMMISSION INSURANCE_CLEAR
    income: Decimal  # signed, as the wallet felt it
    asset: str
    time: int
    tran_id: int
    trade_id: int | None
    info: str


class MarginRow(Struct, frozen=True, kw_only=True):
    """One change of an isolated margin by hand (positionMargin/history)."""

    symbol: str
    asset: str
    amount: Decimal  # above 0
    is_add: bool
    position_side: str
    time: int


class MarkPrice(Struct, frozen=True, kw_only=True):
    """premiumIndex and markPriceUpdate."""

    symbol: str
    mark: Decimal
    index: Decimal
    estimated_settle: Decimal
    funding_rate: Decimal  # what the next funding would charge as of now
    interest_rate: Decimal
    next_funding: int  # ns
    time: int


class FundingRate(Struct, frozen=True, kw_only=True):
    symbol: str
    rate: Decimal
    mark: Decimal
    time: int


# -- events ---------------------------------------------------------------------------------------------------------
class OrderChanged(Struct, frozen=True, kw_only=True):
    """ORDER_TRADE_UPDATE to be. `row` is the order after it."""

    what: str  # NEW CANCELED CALCULATED EXPIRED TRADE AMENDMENT
    row: OrderRow
    time: int
    fill: TradeRow | None = None  # with TRADE and CALCULATED


class BalanceChange(Struct, frozen=True, kw_only=True):
    asset: str
    wallet: Decimal
    cross_wallet: Decimal
    change: Decimal  # except by profit and commission


class PositionChange(Struct, frozen=True, kw_only=True):
    symbol: str
    position_side: str
    amount: Decimal
    entry_price: Decimal
    break_even_price: Decimal
    accumulated_realized: Decimal  # since the account began, without commissions
    unrealized: Decimal
    margin_type: str  # CROSSED, ISOLATED (the wire writes them small)
    isolated_wallet: Decimal


class AccountUpdate(Struct, frozen=True, kw_only=True):
    """ACCOUNT_UPDATE to be: what changed only."""

    account: str
    reason: str  # ORDER FUNDING_FEE DEPOSIT WITHDRAW MARGIN_TRANSFER MARGIN_TYPE_CHANGE INSURANCE_CLEAR
    balances: tuple[BalanceChange, ...]
    positions: tuple[PositionChange, ...]
    time: int


class ConfigChanged(Struct, frozen=True, kw_only=True):
    """ACCOUNT_CONFIG_UPDATE: leverage of a symbol, or the multi-assets flag."""

    account: str
    time: int
    symbol: str | None = None
    leverage: int | None = None
    multi_assets: bool | None = None


class MarginCallPosition(Struct, frozen=True, kw_only=True):
    symbol: str
    position_side: str
    amount: Decimal
    margin_type: str
    isolated_wallet: Decimal
    mark: Decimal
    unrealized: Decimal
    maint_margin: Decimal


class MarginCall(Struct, frozen=True, kw_only=True):
    """Sent once when the margin ratio passes 80 %, again only after it was below."""

    account: str
    cross_wallet: Decimal | None  # None when an isolated position is meant
    positions: tuple[MarginCallPosition, ...]
    time: int


class AlgoChanged(Struct, frozen=True, kw_only=True):
    """ALGO_UPDATE to be."""

    row: AlgoRow
    time: int


class TriggerRejected(Struct, frozen=True, kw_only=True):
    """CONDITIONAL_ORDER_TRIGGER_REJECT: a legacy conditional order was triggered and refused."""

    account: str
    symbol: str
    order_id: int
    reason: str
    time: int


class ForceOrder(Struct, frozen=True, kw_only=True):
    """A liquidation order, after it traded: the public stream's and forceOrders'."""

    account: str  # for the account's own query; not on the public stream
    symbol: str
    order: OrderRow
    last_filled: Decimal
    time: int


FuturesEvent = (
    OrderChanged
    | AccountUpdate
    | ConfigChanged
    | MarginCall
    | AlgoChanged
    | TriggerRejected
    | ForceOrder
    | MarkPrice
    | Print
)
Outcome = OrderRow | Refusal  # one leg of a batch
