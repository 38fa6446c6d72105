"""What the futures engine keeps of its clients: contracts with their books, accounts, orders. No rule is decided here."""

from collections import deque
from decimal import Decimal
from typing import Any

from tradedesk.paper.book import Book
from tradedesk.paper.futures.contracts import Contract
from tradedesk.paper.futures.marks import Marks
from tradedesk.paper.futures.positions import Position, value_at
from tradedesk.paper.futures.rows import (
    AccountSpec,
    AlgoRow,
    AlgoStatus,
    Amendment,
    IncomeRow,
    MarginRow,
    NewAlgo,
    NewOrder,
    OrderRow,
    Status,
    TradeRow,
)
from tradedesk.paper.futures.triggers import Trigger
from tradedesk.paper.ids import made_id
from tradedesk.paper.ledger import from_units
from tradedesk.paper.rules import Grid
from tradedesk.paper.tape import Tape

_ZERO = Decimal(0)
_GRAIN = Decimal("1E-8")
KEPT_INCOME = 100_000  # rows of each account
KEPT_ORDERS = 50_000  # of each account and contract, and algo orders of each account; the oldest go, a tenth at a time


def forget_oldest(rows: list[Any]) -> None:
    """Keep a list of an account within the bound of its records."""
    if len(rows) > KEPT_INCOME:
        del rows[: KEPT_INCOME // 10]


DEFAULT_LEVERAGE = 20


class Instrument:
    """One contract: its book, tape, marks, and the client orders that stand on the book or wait for a price."""

    __slots__ = ("book", "contract", "grid", "lot", "marks", "resting", "spec", "symbol", "tape", "tick", "waiting")

    def __init__(self, contract: Contract, first_id: int, now: int) -> None:
        self.contract = contract
        self.spec = contract.spec
        self.symbol = contract.symbol
        self.grid = Grid.of(contract.spec)
        self.tick = self.grid.tick  # units per tick
        self.lot = self.grid.lot  # units of the base per lot
        self.book = Book(first_id)
        self.tape = Tape(contract.symbol, contract.spec.tick, contract.spec.lot, self.grid.tick_lot, first_id)
        self.marks = Marks(contract, now)
        self.resting: dict[int, Order] = {}
        self.waiting: dict[int, Order | Algo] = {}

    @property
    def last(self) -> int:
        """The last price in units, the mark before any trade."""
        return self.marks.mark if self.tape.last is None else self.tape.last * self.tick

    def levels(self, levels: list[tuple[int, int]]) -> tuple[tuple[Decimal, Decimal], ...]:
        """(price, lots) pairs of the book as (price, quantity)."""
        tick, lot = self.spec.tick, self.spec.lot
        return tuple((price * tick, lots * lot) for price, lots in levels)

    def value(self, lots: int) -> int:
        """Signed notional of signed lots at the mark, in units."""
        return value_at(lots, self.lot, self.marks.mark)

    def unrealized(self, position: Position) -> int:
        return self.value(position.lots) - position.cost if position.lots else 0


class Settings:
    """Leverage and margin type of one contract in one account."""

    __slots__ = ("isolated", "leverage")

    def __init__(self, leverage: int) -> None:
        self.leverage = leverage
        self.isolated = False

    @property
    def margin_type(self) -> str:
        return "ISOLATED" if self.isolated else "CROSSED"


class Account:
    """One account: wallets, positions, settings, and its records."""

    def __init__(self, spec: AccountSpec) -> None:
        self.spec = spec
        self.name = spec.name
        self.trader = spec.group or f"account {spec.name}"  # who it is to self-trade prevention
        self.maker = spec.maker.as_integer_ratio()
        self.taker = spec.taker.as_integer_ratio()
        self.wallets: dict[str, int] = {}
        self.dual_side = False
        self.multi_assets = False
        self.fee_burn = False
        self.settings: dict[str, Settings] = {}
        self.positions: dict[tuple[str, str], tuple[Instrument, Position]] = {}
        self.open: dict[int, Order] = {}  # resting and waiting, oldest first
        self.by_client_id: dict[tuple[str, str], Order] = {}  # the newest
        self.orders: dict[str, list[Order]] = {}
        self.trades: dict[str, list[TradeRow]] = {}
        self.amendments: dict[str, list[Amendment]] = {}
        self.algos: dict[int, Algo] = {}
        self.open_algos: dict[int, Algo] = {}
        self.algo_by_client_id: dict[str, Algo] = {}
        self.income: deque[IncomeRow] = deque(maxlen=KEPT_INCOME)
        self.margin_changes: deque[MarginRow] = deque(maxlen=KEPT_INCOME)
        self.countdowns: dict[str, int] = {}  # symbol -> when its orders are cancelled, ns
        self.warned: set[str] = set()  # what a margin call went out for: "" or "symbol side"
        self.update_time = 0

    def settings_of(self, instrument: Instrument) -> Settings:
        settings = self.settings.get(instrument.symbol)
        if settings is None:
            most = instrument.contract.brackets[0].max_leverage
            settings = self.settings[instrument.symbol] = Settings(min(DEFAULT_LEVERAGE, most))
        return settings

    def position(self, instrument: Instrument, side: str) -> Position:
        held = self.positions.get((instrument.symbol, side))
        if held is None:
            held = self.positions[(instrument.symbol, side)] = (instrument, Position(side))
        return held[1]

    def sides(self) -> tuple[str, ...]:
        return ("LONG", "SHORT") if self.dual_side else ("BOTH",)

    def isolated_total(self, asset: str) -> int:
        return sum(p.isolated for i, p in self.positions.values() if i.contract.margin_asset == asset)

    def cross_wallet(self, asset: str) -> int:
        return self.wallets.get(asset, 0) - self.isolated_total(asset)


class Order:
    """A client's order while it lives, and after; `row` shows it."""

    __slots__ = (  # noqa: RUF023 - in the order of __init__
        "account", "instrument", "sent", "id", "client_id", "is_buy", "position", "type", "tif", "price", "lots", "filled",
        "quote", "status", "reduce_only", "trigger", "algo", "is_forced", "reserved", "reason", "amended", "time",
        "update_time",
    )  # fmt: skip

    def __init__(
        self,
        account: Account,
        instrument: Instrument,
        sent: NewOrder,
        *,
        order_id: int,
        price: int,
        lots: int,
        trigger: Trigger | None,
        now: int,
    ) -> None:
        self.account = account
        self.instrument = instrument
        self.sent = sent
        self.id = order_id
        self.client_id = sent.client_order_id or made_id("futures order", order_id)
        self.is_buy = sent.side == "BUY"
        self.position = account.position(instrument, sent.position_side)
        self.type = sent.type
        self.tif = sent.time_in_force or "GTC"
        self.price = price  # ticks, 0 for a market order
        self.lots = lots  # 0 for a close-position order that waits
        self.filled = 0
        self.quote = 0  # ticks x lots traded
        self.status = Status.NEW
        self.reduce_only = bool(sent.reduce_only) or sent.close_position
        self.trigger = trigger
        self.algo: Algo | None = None
        self.is_forced = False  # a liquidation
        self.reserved = 0  # units of notional that count in its position's bids or asks
        self.reason = 0
        self.amended = 0
        self.time = now
        self.update_time = now

    @property
    def is_open(self) -> bool:
        return self.status in (Status.NEW, Status.PARTIALLY_FILLED)

    @property
    def leaves(self) -> int:
        return self.lots - self.filled

    @property
    def may_only_reduce(self) -> bool:
        """Said so, or the closing side of a hedge position."""
        side = self.sent.position_side
        return self.reduce_only or (side == "LONG" and not self.is_buy) or (side == "SHORT" and self.is_buy)

    def average(self) -> Decimal:
        if not self.filled:
            return _ZERO
        return (self.quote * self.instrument.spec.tick / self.filled).quantize(_GRAIN)

    def row(self) -> OrderRow:
        sent, spec, position = self.sent, self.instrument.spec, self.position
        return OrderRow(
            account=self.account.name,
            symbol=spec.symbol,
            order_id=self.id,
            client_order_id=self.client_id,
            side=sent.side,
            position_side=sent.position_side,
            type=self.type,
            orig_type=sent.type,
            time_in_force=self.tif,
            price=self.price * spec.tick,
            avg_price=self.average(),
            orig_qty=self.lots * spec.lot,
            executed_qty=self.filled * spec.lot,
            cum_quote=from_units(self.quote * self.instrument.grid.tick_lot),
            status=self.status,
            reduce_only=self.reduce_only,
            close_position=sent.close_position,
            stop_price=sent.stop_price or _ZERO,
            activation_price=sent.activation_price or _ZERO,
            callback_rate=sent.callback_rate or _ZERO,
            working_type=sent.working_type,
            price_protect=sent.price_protect,
            price_match=sent.price_match,
            stp_mode=sent.stp_mode,
            good_till_date=sent.good_till_date or 0,
            time=self.time,
            update_time=self.update_time,
            expiry_reason=self.reason,
            bids_notional=from_units(position.bids),
            asks_notional=from_units(position.asks),
        )


class Algo:
    """A conditional order of the algo endpoint; once triggered `order` is what it placed."""

    __slots__ = (  # noqa: RUF023 - in the order of __init__
        "account", "instrument", "sent", "id", "client_id", "lots", "price", "trigger", "status", "order", "trigger_time",
        "reject_reason", "time", "update_time",
    )  # fmt: skip

    def __init__(
        self,
        account: Account,
        instrument: Instrument,
        sent: NewAlgo,
        *,
        algo_id: int,
        lots: int,
        price: int,
        trigger: Trigger,
        now: int,
    ) -> None:
        self.account = account
        self.instrument = instrument
        self.sent = sent
        self.id = algo_id
        self.client_id = sent.client_algo_id or made_id("algo order", algo_id)
        self.lots = lots
        self.price = price  # ticks
        self.trigger = trigger
        self.status = AlgoStatus.NEW
        self.order: Order | None = None
        self.trigger_time = 0
        self.reject_reason = ""
        self.time = now
        self.update_time = now

    def row(self) -> AlgoRow:
        sent, spec, order = self.sent, self.instrument.spec, self.order
        return AlgoRow(
            account=self.account.name,
            symbol=spec.symbol,
            algo_id=self.id,
            client_algo_id=self.client_id,
            side=sent.side,
            position_side=sent.position_side,
            type=sent.type,
            time_in_force=sent.time_in_force or "GTC",
            quantity=self.lots * spec.lot,
            price=self.price * spec.tick,
            trigger_price=sent.trigger_price or _ZERO,
            activation_price=sent.activation_price or _ZERO,
            callback_rate=sent.callback_rate or _ZERO,
            working_type=sent.working_type,
            price_protect=sent.price_protect,
            price_match=sent.price_match,
            stp_mode=sent.stp_mode,
            reduce_only=bool(sent.reduce_only) or sent.close_position,
            close_position=sent.close_position,
            good_till_date=sent.good_till_date or 0,
            status=self.status,
            time=self.time,
            update_time=self.update_time,
            trigger_time=self.trigger_time,
            order_id=order.id if order else 0,
            avg_price=order.average() if order else _ZERO,
            executed_qty=order.filled * spec.lot if order else _ZERO,
            order_type=order.type.value if order else "",
            reject_reason=self.reject_reason,
        )
