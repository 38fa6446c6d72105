"""The floor of the futures exchange, on which contracts, accounts and orders meet: time, timers, pools of money, events."""

from collections import deque
from collections.abc import Callable, Sequence
from decimal import Decimal
from heapq import heappush
from typing import NamedTuple

from tradedesk.paper.book import Book
from tradedesk.paper.futures import state
from tradedesk.paper.futures.contracts import Contract
from tradedesk.paper.futures.positions import Position
from tradedesk.paper.futures.rows import (
    AccountSpec,
    AccountUpdate,
    AlgoChanged,
    AlgoStatus,
    BalanceChange,
    ForceOrder,
    FundingRate,
    FuturesEvent,
    IncomeRow,
    OrderChanged,
    PositionChange,
    TradeRow,
)
from tradedesk.paper.futures.state import Account, Algo, Instrument, Order
from tradedesk.paper.ledger import from_units, to_units
from tradedesk.paper.market import Market
from tradedesk.paper.rows import Print, Refusal

KEPT_FORCED = 10_000
KEPT_FUNDING = 10_000


Index = Callable[[str, int], Decimal | None]
"""(symbol, now) -> index price, None where there is none: then the contract's own middle stands for it."""


class Timer(NamedTuple):
    """`what`: order or algo (a good-till date; `key` is the id), countdown (`key` is the symbol)."""

    when: int
    number: int
    what: str
    account: str
    key: int | str


class Floor:
    """Everything the rules work on: the time, the contracts, the accounts, the pools of money, what happened."""

    def __init__(self, contracts: Sequence[Contract], market: Market, index: Index | None, now: int) -> None:
        self.now = now
        self.next_tick = now - now % 1_000_000_000 + 1_000_000_000
        self.index: Index = index or (lambda symbol, now: None)
        self.market = market
        first_id = now // 1_000_000 + 1  # so that a restarted exchange does not use an id again
        self.instruments = {c.symbol: Instrument(c, first_id, now) for c in contracts}
        self.books: dict[str, Book] = {symbol: i.book for symbol, i in self.instruments.items()}
        self.accounts: dict[str, Account] = {}
        self.orders: dict[int, Order] = {}
        self.events: list[FuturesEvent] = []
        self.next_order_id = first_id
        self.next_algo_id = first_id
        self.next_id = first_id  # transfers, incomes, amendments
        self.next_taker = -1
        self.timers: list[Timer] = []  # a heap
        self._timers_set = 0
        self.moved: set[str] = set()  # contracts whose last price changed since triggers were looked at
        self.forced: deque[ForceOrder] = deque(maxlen=KEPT_FORCED)
        self.fundings: deque[FundingRate] = deque(maxlen=KEPT_FUNDING)
        # units by asset: what the flow, the venue and the insurance fund hold; with all wallets less the cost of open
        # positions it adds up to what was deposited, always
        self.outside: dict[str, int] = {}
        self.commissions: dict[str, int] = {}
        self.insurance: dict[str, int] = {}
        self.deposited: dict[str, int] = {}

    # -- finding ------------------------------------------------------------------------------------------------------
    def instrument(self, symbol: str) -> Instrument:
        instrument = self.instruments.get(symbol)
        if instrument is None:
            raise Refusal(-1121, "Invalid symbol.")
        return instrument

    def add_account(self, spec: AccountSpec) -> None:
        if spec.name in self.accounts:
            raise ValueError(f"account {spec.name}: there is one already")
        account = Account(spec)
        for asset, amount in spec.balances.items():
            units = to_units(amount)
            if units is None or units < 0:
                raise ValueError(f"account {spec.name}: {asset} {amount} must be 0 or more, in steps of 0.00000001")
            account.wallets[asset] = units
            count(self.deposited, asset, units)
        if any(account.wallets.values()):
            account.update_time = self.now  # an asset that never changed is none to clients: they leave it out
        self.accounts[spec.name] = account

    def admit(self, order: Order) -> None:
        """An order in the lists of its account, and its good-till date among the timers; it is not anywhere else yet."""
        account, symbol = order.account, order.instrument.symbol
        self.orders[order.id] = order
        account.by_client_id[(symbol, order.client_id)] = order
        account.orders.setdefault(symbol, []).append(order)
        if len(account.orders[symbol]) > state.KEPT_ORDERS:
            self._forget_orders(account, symbol)
        if order.is_open:
            account.open[order.id] = order
            if order.sent.good_till_date:
                self.at(order.sent.good_till_date, "order", account.name, order.id)

    def admit_algo(self, algo: Algo) -> None:
        """The same of an algo order."""
        account = algo.account
        account.algos[algo.id] = algo
        if len(account.algos) > state.KEPT_ORDERS:
            for old in [one for one in account.algos.values() if one.id not in account.open_algos and one is not algo][
                : state.KEPT_ORDERS // 10
            ]:
                self._forget_algo(old)
        account.algo_by_client_id[algo.client_id] = algo
        if algo.status is AlgoStatus.NEW:
            account.open_algos[algo.id] = algo
            if algo.sent.good_till_date:
                self.at(algo.sent.good_till_date, "algo", account.name, algo.id)

    def _forget_orders(self, account: Account, symbol: str) -> None:
        """Drop the oldest tenth of the symbol's orders, but for those that are open; with the algo orders they came from."""
        oldest = account.orders[symbol][: state.KEPT_ORDERS // 10]
        gone = {order.id for order in oldest if order.id not in account.open}
        account.orders[symbol] = [order for order in account.orders[symbol] if order.id not in gone]
        for order_id in gone:
            order = self.orders.pop(order_id)
            if account.by_client_id.get((symbol, order.client_id)) is order:
                del account.by_client_id[(symbol, order.client_id)]
            if order.algo is not None:
                self._forget_algo(order.algo)

    @staticmethod
    def _forget_algo(algo: Algo) -> None:
        account = algo.account
        account.algos.pop(algo.id, None)
        if account.algo_by_client_id.get(algo.client_id) is algo:
            del account.algo_by_client_id[algo.client_id]
        if algo.order is not None:
            algo.order.algo = None

    def new_id(self) -> int:
        self.next_id += 1
        return self.next_id

    def total(self, asset: str) -> int:
        """Wallets, flow, venue and insurance together: equals what was deposited."""
        held = sum(a.wallets.get(asset, 0) for a in self.accounts.values())
        tied = sum(
            p.cost for a in self.accounts.values() for i, p in a.positions.values() if i.contract.margin_asset == asset
        )
        pools = (self.outside, self.commissions, self.insurance)
        return held - tied + sum(pool.get(asset, 0) for pool in pools)

    def at(self, when: int, what: str, account: str, key: int | str) -> None:
        """Set a timer; whoever takes it looks whether it still means anything."""
        self._timers_set += 1
        heappush(self.timers, Timer(when, self._timers_set, what, account, key))

    # -- recording ----------------------------------------------------------------------------------------------------
    def earn(
        self,
        account: Account,
        asset: str,
        units: int,
        kind: str,
        *,
        symbol: str = "",
        trade_id: int | None = None,
        info: str = "",
    ) -> int:
        """Move `units` into the wallet (out of it below 0) and write the income row. Its transaction id."""
        count(account.wallets, asset, units)
        tran_id = self.new_id()
        if units:
            account.income.append(
                IncomeRow(
                    symbol=symbol,
                    type=kind,
                    income=from_units(units),
                    asset=asset,
                    time=self.now,
                    tran_id=tran_id,
                    trade_id=trade_id,
                    info=info,
                )
            )
        return tran_id

    def print(self, instrument: Instrument, price: int, lots: int, taker_buys: bool, taker_order: int) -> Print:
        printed = instrument.tape.trade(price, lots, self.now, not taker_buys, taker_order)
        self.events.append(printed)
        self.moved.add(instrument.symbol)
        if not instrument.marks.mark:
            instrument.marks.mark = price * instrument.tick
        return printed

    def report(self, what: str, order: Order, fill: TradeRow | None = None) -> None:
        order.update_time = self.now
        self.events.append(OrderChanged(what=what, row=order.row(), time=self.now, fill=fill))

    def report_algo(self, algo: Algo) -> None:
        algo.update_time = self.now
        self.events.append(AlgoChanged(row=algo.row(), time=self.now))

    def finish_algo(self, order: Order) -> None:
        """The real order of an algo order ended, filled or not."""
        algo = order.algo
        if algo is not None and algo.status is AlgoStatus.TRIGGERED:
            algo.status = AlgoStatus.FINISHED
            self.report_algo(algo)

    def account_changed(
        self,
        account: Account,
        reason: str,
        assets: Sequence[str],
        positions: Sequence[tuple[Instrument, Position]] = (),
        change: int = 0,
    ) -> None:
        account.update_time = self.now
        self.events.append(
            AccountUpdate(
                account=account.name,
                reason=reason,
                balances=tuple(
                    BalanceChange(
                        asset=asset,
                        wallet=from_units(account.wallets.get(asset, 0)),
                        cross_wallet=from_units(account.cross_wallet(asset)),
                        change=from_units(change),
                    )
                    for asset in assets
                ),
                positions=tuple(position_change(account, i, p) for i, p in positions),
                time=self.now,
            )
        )


def position_change(account: Account, instrument: Instrument, position: Position) -> PositionChange:
    lot = instrument.spec.lot
    return PositionChange(
        symbol=instrument.symbol,
        position_side=position.side,
        amount=position.lots * lot,
        entry_price=position.entry_price(lot),
        break_even_price=position.break_even_price(lot),
        accumulated_realized=from_units(position.realized),
        unrealized=from_units(instrument.unrealized(position)),
        margin_type=account.settings_of(instrument).margin_type,
        isolated_wallet=from_units(position.isolated),
    )


def count(pool: dict[str, int], asset: str, units: int) -> None:
    pool[asset] = pool.get(asset, 0) + units
