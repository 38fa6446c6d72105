"""The clients' side of a futures exchange as one value: what a restarted exchange needs to go on where another one ended.

Books of the flow, tape and candles are not in it: they are the market's. Marks are, so that no position is valued at nothing
before the first look at the new market. Ids go on from the higher of what was saved and the new start, so that none is used
twice, even when the value is an old one. What fell due meanwhile (good-till dates, countdowns) happens at the first moment.
"""

from collections import deque
from collections.abc import Iterable

from msgspec import Struct

from tradedesk.paper.futures import conditional
from tradedesk.paper.futures.checks import as_order
from tradedesk.paper.futures.floor import Floor, count
from tradedesk.paper.futures.marks import SavedMarks
from tradedesk.paper.futures.rows import (
    AlgoStatus,
    Amendment,
    ForceOrder,
    FundingRate,
    IncomeRow,
    MarginRow,
    NewAlgo,
    NewOrder,
    Status,
    TradeRow,
    Type,
)
from tradedesk.paper.futures.state import Account, Algo, Instrument, Order
from tradedesk.paper.futures.trading import REDUCE_ONLY, commit, expire, work
from tradedesk.paper.futures.triggers import Trigger
from tradedesk.paper.futures.vetting import trigger_of


class SavedOrder(Struct, frozen=True, kw_only=True):
    """One order, open or not. Price in the contract's ticks, quantities in its lots."""

    sent: NewOrder
    id: int
    client_id: str
    type: Type
    tif: str
    price: int
    lots: int
    filled: int
    quote: int
    status: Status
    is_forced: bool
    reason: int
    amended: int
    time: int
    update_time: int
    extreme: int | None  # of the trigger it waits for; None: it waits for none


class SavedAlgo(Struct, frozen=True, kw_only=True):
    """One order of the algo endpoint, waiting or not."""

    sent: NewAlgo
    id: int
    client_id: str
    price: int
    lots: int
    status: AlgoStatus
    order: int | None  # the id of what it placed
    trigger_time: int
    reject_reason: str
    time: int
    update_time: int
    extreme: int


class SavedPosition(Struct, frozen=True, kw_only=True):
    """One position; what its open orders count in it comes back with them."""

    symbol: str
    side: str
    lots: int
    cost: int
    isolated: int
    realized: int
    carried: int
    update_time: int


class SavedAccount(Struct, frozen=True, kw_only=True):
    name: str
    wallets: dict[str, int]  # units of 1e-8
    dual_side: bool
    multi_assets: bool
    fee_burn: bool
    settings: dict[str, tuple[int, bool]]  # symbol -> (leverage, is isolated)
    positions: list[SavedPosition]
    orders: list[SavedOrder]
    algos: list[SavedAlgo]
    trades: dict[str, list[TradeRow]]
    amendments: dict[str, list[Amendment]]
    income: list[IncomeRow]
    margin_changes: list[MarginRow]
    countdowns: dict[str, int]
    warned: list[str]
    update_time: int


class SavedFutures(Struct, frozen=True, kw_only=True):
    """All of it. Encode and decode it with msgspec (JSON or MessagePack)."""

    at: int  # ns
    steps: dict[str, tuple[str, str]]  # symbol -> (tick, lot) that the orders are measured in
    marks: dict[str, SavedMarks]
    accounts: list[SavedAccount]
    standing: list[int]  # the orders on the books, queue by queue: so they queue again
    waiting: list[int]  # those that wait for a price, in their turn; algo orders below 0
    forced: list[ForceOrder]
    fundings: list[FundingRate]
    pools: dict[str, dict[str, int]]
    next_ids: dict[str, int]


_OF_ORDER = tuple(name for name in SavedOrder.__struct_fields__ if name not in ("sent", "extreme"))
_OF_ALGO = tuple(name for name in SavedAlgo.__struct_fields__ if name not in ("sent", "order", "extreme"))
_OF_POSITION = tuple(name for name in SavedPosition.__struct_fields__ if name not in ("symbol", "side"))
_POOLS = ("outside", "commissions", "insurance", "deposited")
_IDS = ("next_order_id", "next_algo_id", "next_id")


def _values(of: object, names: Iterable[str]) -> dict[str, object]:
    return {name: getattr(of, name) for name in names}


def save(floor: Floor) -> SavedFutures:
    """As it stands between two calls."""
    return SavedFutures(
        at=floor.now,
        steps={symbol: _steps(instrument) for symbol, instrument in floor.instruments.items()},
        marks={symbol: instrument.marks.saved() for symbol, instrument in floor.instruments.items()},
        accounts=[_save_account(account) for account in floor.accounts.values()],
        standing=[
            resting.key
            for book in floor.books.values()
            for is_buy in (True, False)
            for queue in book.queues(is_buy, None)
            for resting in queue
            if resting.owner is not None
        ],
        waiting=[key for instrument in floor.instruments.values() for key in instrument.waiting],
        forced=list(floor.forced),
        fundings=list(floor.fundings),
        pools={name: dict(getattr(floor, name)) for name in _POOLS},
        next_ids={name: getattr(floor, name) for name in _IDS},
    )


def _steps(instrument: Instrument) -> tuple[str, str]:
    return str(instrument.spec.tick), str(instrument.spec.lot)


def _save_account(account: Account) -> SavedAccount:
    return SavedAccount(
        name=account.name,
        wallets=dict(account.wallets),
        dual_side=account.dual_side,
        multi_assets=account.multi_assets,
        fee_burn=account.fee_burn,
        settings={symbol: (one.leverage, one.isolated) for symbol, one in account.settings.items()},
        positions=[
            SavedPosition(symbol=symbol, side=side, **_values(position, _OF_POSITION))  # type: ignore[arg-type]
            for (symbol, side), (_, position) in account.positions.items()
        ],
        orders=[_save_order(order) for orders in account.orders.values() for order in orders],
        algos=[_save_algo(algo) for algo in account.algos.values()],
        trades={symbol: list(rows) for symbol, rows in account.trades.items()},
        amendments={symbol: list(rows) for symbol, rows in account.amendments.items()},
        income=list(account.income),
        margin_changes=list(account.margin_changes),
        countdowns=dict(account.countdowns),
        warned=sorted(account.warned),
        update_time=account.update_time,
    )


def _save_order(order: Order) -> SavedOrder:
    extreme = None if order.trigger is None else order.trigger.extreme
    return SavedOrder(sent=order.sent, extreme=extreme, **_values(order, _OF_ORDER))  # type: ignore[arg-type]


def _save_algo(algo: Algo) -> SavedAlgo:
    order = None if algo.order is None else algo.order.id
    return SavedAlgo(sent=algo.sent, order=order, extreme=algo.trigger.extreme, **_values(algo, _OF_ALGO))  # type: ignore[arg-type]


# -- bringing it back -------------------------------------------------------------------------------------------------
def restore(floor: Floor, saved: SavedFutures) -> None:
    """Put it onto a floor that has just opened. ValueError, and nothing done, if it does not fit that floor.

    Open orders stand again behind the flow; what would cross it trades as taker.
    """
    for account in saved.accounts:
        _check(floor, account, saved)
    for name in _IDS:
        setattr(floor, name, max(getattr(floor, name), saved.next_ids[name]))
    for account in saved.accounts:
        for asset, units in floor.accounts[account.name].wallets.items():
            count(floor.deposited, asset, -units)  # what it would have begun with
    for name in _POOLS:
        for asset, units in saved.pools[name].items():
            count(getattr(floor, name), asset, units)
    floor.forced.extend(saved.forced)
    floor.fundings.extend(saved.fundings)
    for symbol, marks in saved.marks.items():
        if symbol in floor.instruments:
            floor.instruments[symbol].marks.restore(marks)
    for account in saved.accounts:
        _restore_account(floor, floor.accounts[account.name], account)
    for key in saved.waiting:
        waiting = floor.orders[key] if key > 0 else _algo(floor, -key)
        waiting.instrument.waiting[key] = waiting
    for order_id in saved.standing:
        order = floor.orders[order_id]
        if order.may_only_reduce and not order.position.reducible(order.is_buy):  # others traded as they came back
            expire(floor, order, REDUCE_ONLY)
            continue
        commit(order)
        work(floor, order)
    conditional.look(floor)


def _check(floor: Floor, account: SavedAccount, saved: SavedFutures) -> None:
    name = account.name
    if name not in floor.accounts:
        raise ValueError(f"saved account {name} is not one of the futures exchange; add it, or start without the state")
    symbols = [order.sent.symbol for order in account.orders] + [algo.sent.symbol for algo in account.algos]
    for symbol in sorted({*symbols, *account.settings, *(position.symbol for position in account.positions)}):
        instrument = floor.instruments.get(symbol)
        if instrument is None:
            raise ValueError(f"saved futures orders of {name} are in {symbol}, which is not served; serve it too")
        if saved.steps[symbol] != _steps(instrument):
            tick, lot = saved.steps[symbol]
            raise ValueError(f"{symbol}: the steps of the contract were tick {tick}, lot {lot}; keep them")


def _algo(floor: Floor, algo_id: int) -> Algo:
    return next(account.algos[algo_id] for account in floor.accounts.values() if algo_id in account.algos)


def _restore_account(floor: Floor, account: Account, saved: SavedAccount) -> None:
    account.wallets = dict(saved.wallets)
    account.dual_side, account.multi_assets, account.fee_burn = saved.dual_side, saved.multi_assets, saved.fee_burn
    for symbol, (leverage, isolated) in saved.settings.items():
        settings = account.settings_of(floor.instruments[symbol])
        settings.leverage, settings.isolated = leverage, isolated
    for each in saved.positions:
        position = account.position(floor.instruments[each.symbol], each.side)
        for name in _OF_POSITION:
            setattr(position, name, getattr(each, name))
    for one in sorted(saved.orders, key=lambda order: order.id):
        _restore_order(floor, account, one)
    for algo in sorted(saved.algos, key=lambda algo: algo.id):
        _restore_algo(floor, account, algo)
    account.trades = {symbol: list(rows) for symbol, rows in saved.trades.items()}
    account.amendments = {symbol: list(rows) for symbol, rows in saved.amendments.items()}
    account.income = deque(saved.income, maxlen=account.income.maxlen)
    account.margin_changes = deque(saved.margin_changes, maxlen=account.margin_changes.maxlen)
    for symbol, due in saved.countdowns.items():
        account.countdowns[symbol] = due
        floor.at(due, "countdown", account.name, symbol)
    account.warned = set(saved.warned)
    account.update_time = saved.update_time


def _restore_order(floor: Floor, account: Account, saved: SavedOrder) -> None:
    instrument = floor.instruments[saved.sent.symbol]
    trigger = None if saved.extreme is None else _trigger(instrument, saved.sent, saved.extreme)
    order = Order(
        account, instrument, saved.sent, order_id=saved.id, price=saved.price, lots=saved.lots, trigger=trigger,
        now=saved.time,
    )  # fmt: skip
    for name in _OF_ORDER:
        setattr(order, name, getattr(saved, name))
    floor.admit(order)


def _restore_algo(floor: Floor, account: Account, saved: SavedAlgo) -> None:
    instrument = floor.instruments[saved.sent.symbol]
    algo = Algo(
        account, instrument, saved.sent, algo_id=saved.id, lots=saved.lots, price=saved.price,
        trigger=_trigger(instrument, as_order(saved.sent), saved.extreme), now=saved.time,
    )  # fmt: skip
    for name in _OF_ALGO:
        setattr(algo, name, getattr(saved, name))
    if saved.order is not None:
        algo.order = floor.orders[saved.order]
        algo.order.algo = algo
    floor.admit_algo(algo)


def _trigger(instrument: Instrument, order: NewOrder, extreme: int) -> Trigger:
    trigger = trigger_of(instrument, order)
    trigger.extreme = extreme
    return trigger
