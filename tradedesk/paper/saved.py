"""The clients' side of an exchange as one value: what a restarted exchange needs to go on where another one ended.

Books of the flow, tape and candles are not in it: they are the market's. An iceberg shows a whole part again. Ids go on from the higher of what was saved and
the new start, so that none is used twice, even when the value is an old one.
"""

from decimal import Decimal

from msgspec import Struct, structs

from tradedesk.paper.engine import Engine
from tradedesk.paper.orders import Account, Order, OrderList
from tradedesk.paper.rows import Amendment, Kind, Movement, PreventedMatch, Status, TradeRow
from tradedesk.paper.triggers import Trigger


class SavedOrder(Struct, frozen=True, kw_only=True):
    """One order, open or not. Prices in the instrument's ticks, quantities in its lots."""

    symbol: str
    id: int
    client_id: str
    is_buy: bool
    kind: Kind
    tif: str
    price: int
    price_shown: Decimal
    lots: int
    peak: int
    orig_quote: Decimal
    locked: int
    filled: int
    prevented: int
    quote: int
    status: Status
    reason: str | None
    working_time: int
    time: int
    update_time: int
    stp_mode: str
    strategy: tuple[int | None, int | None]
    prevented_match_id: int | None
    amends: int
    is_plain: bool
    is_open: bool
    stop: int | None = None  # these four of an order that has a trigger
    delta: int = 0
    best: int | None = None
    since: int | None = None


class SavedList(Struct, frozen=True, kw_only=True):
    """One order list; its orders by their ids."""

    symbol: str
    id: int
    client_id: str
    contingency_type: str
    orders: tuple[int, ...]
    pair: tuple[int, int] | None
    working: int | None
    pending: tuple[int, ...]
    locked: int
    status_type: str
    is_open: bool
    time: int


class SavedAccount(Struct, frozen=True, kw_only=True):
    name: str
    pays_bnb: bool
    balances: dict[str, tuple[int, int]]  # asset -> (free, locked), units of 1e-8
    orders: list[SavedOrder]
    lists: list[SavedList]
    trades: dict[str, list[TradeRow]]
    amendments: dict[int, list[Amendment]]
    prevented: list[PreventedMatch]
    movements: list[Movement]


class Saved(Struct, frozen=True, kw_only=True):
    """All of it. Encode and decode it with msgspec (JSON or MessagePack)."""

    at: int  # ns
    steps: dict[str, tuple[str, str]]  # symbol -> (tick, lot) that the orders are measured in
    accounts: list[SavedAccount]
    standing: list[int]  # the orders on the books, queue by queue: so they queue again
    outside: dict[str, int]
    commissions: dict[str, int]
    next_ids: dict[str, int]


_KEPT = tuple(  # what an order and its saved form call by the same name
    name for name in SavedOrder.__struct_fields__ if name not in ("symbol", "stop", "delta", "best", "since")
)
_IDS = ("amend", "cancel", "execution", "movement", "order", "order_list", "prevented")


def save(engine: Engine) -> Saved:
    """As it stands between two calls."""
    held = engine.ledger.saved()
    return Saved(
        at=engine.now,
        steps={symbol: (str(one.tick), str(one.lot)) for symbol, one in engine.instruments.items()},
        accounts=[_save_account(account, held[name]) for name, account in engine.accounts.items()],
        standing=[
            resting.key
            for book in engine.books.values()
            for is_buy in (True, False)
            for queue in book.queues(is_buy, None)
            for resting in queue
            if resting.owner is not None
        ],
        outside=dict(engine.ledger.outside),
        commissions=dict(engine.ledger.commissions),
        next_ids={name: getattr(engine.next, name) for name in _IDS},
    )


def _save_account(account: Account, balances: dict[str, tuple[int, int]]) -> SavedAccount:
    return SavedAccount(
        name=account.spec.name,
        pays_bnb=account.spec.pays_bnb,
        balances=balances,
        orders=[_save_order(order) for orders in account.orders.values() for order in orders],
        lists=[_save_list(order_list) for order_list in account.lists.values()],
        trades={symbol: list(trades) for symbol, trades in account.trades.items()},
        amendments={order_id: list(rows) for order_id, rows in account.amendments.items()},
        prevented=list(account.prevented),
        movements=list(account.movements),
    )


def _save_order(order: Order) -> SavedOrder:
    trigger = order.trigger
    return SavedOrder(
        symbol=order.instrument.spec.symbol,
        id=order.id,
        client_id=order.client_id,
        is_buy=order.is_buy,
        kind=order.kind,
        tif=order.tif,
        price=order.price,
        price_shown=order.price_shown,
        lots=order.lots,
        peak=order.peak,
        orig_quote=order.orig_quote,
        locked=order.locked,
        filled=order.filled,
        prevented=order.prevented,
        quote=order.quote,
        status=order.status,
        reason=order.reason,
        working_time=order.working_time,
        time=order.time,
        update_time=order.update_time,
        stp_mode=order.stp_mode,
        strategy=order.strategy,
        prevented_match_id=order.prevented_match_id,
        amends=order.amends,
        is_plain=order.is_plain,
        is_open=order.is_open,
        stop=trigger.stop if trigger else None,
        delta=trigger.delta if trigger else 0,
        best=trigger.best if trigger else None,
        since=trigger.since if trigger else None,
    )


def _save_list(order_list: OrderList) -> SavedList:
    pair, working = order_list.pair, order_list.working
    return SavedList(
        symbol=order_list.instrument.spec.symbol,
        id=order_list.id,
        client_id=order_list.client_id,
        contingency_type=order_list.contingency_type,
        orders=tuple(order.id for order in order_list.orders),
        pair=(pair[0].id, pair[1].id) if pair else None,
        working=working.id if working else None,
        pending=tuple(order.id for order in order_list.pending),
        locked=order_list.locked,
        status_type=order_list.status_type,
        is_open=order_list.is_open,
        time=order_list.time,
    )


def restore(engine: Engine, saved: Saved) -> None:
    """Put it into an engine that has just opened. ValueError, and nothing done, if it does not fit that engine."""
    for account in saved.accounts:
        if account.name not in engine.accounts:
            raise ValueError(
                f"saved account {account.name} is not one of this exchange; add it, or start without the state"
            )
        for symbol in {order.symbol for order in account.orders} | {one.symbol for one in account.lists}:
            instrument = engine.instruments.get(symbol)
            if instrument is None:
                raise ValueError(f"saved orders of {account.name} are in {symbol}, which is not served; serve it too")
            if saved.steps[symbol] != (str(instrument.tick), str(instrument.lot)):
                raise ValueError(
                    f"{symbol}: the steps were tick {saved.steps[symbol][0]}, lot {saved.steps[symbol][1]}; keep them"
                )
    for name in _IDS:
        setattr(engine.next, name, max(getattr(engine.next, name), saved.next_ids[name]))
    engine.ledger.restore(
        {account.name: account.balances for account in saved.accounts}, saved.outside, saved.commissions
    )
    for account in saved.accounts:
        _restore_account(engine, engine.accounts[account.name], account)
    for order_id in saved.standing:
        engine.work(engine.orders[order_id])
    for order in engine.orders.values():
        if order.is_open and order.trigger is not None and order.is_waiting and order.status is not Status.PENDING_NEW:
            engine.arm(order)
    engine.settle()


def _restore_account(engine: Engine, account: Account, saved: SavedAccount) -> None:
    account.spec = structs.replace(account.spec, pays_bnb=saved.pays_bnb)
    for one in sorted(saved.orders, key=lambda order: order.id):
        order = _restore_order(engine, account, one)
        engine.orders[order.id] = order
        account.add(order)
    for row in sorted(saved.lists, key=lambda order_list: order_list.id):
        order_list = OrderList(
            row.id, row.client_id, row.contingency_type, account, engine.instruments[row.symbol], row.time
        )
        order_list.orders = tuple(engine.orders[order_id] for order_id in row.orders)
        order_list.pair = (engine.orders[row.pair[0]], engine.orders[row.pair[1]]) if row.pair else None
        order_list.working = engine.orders[row.working] if row.working is not None else None
        order_list.pending = tuple(engine.orders[order_id] for order_id in row.pending)
        order_list.locked = row.locked
        order_list.status_type = row.status_type
        order_list.is_open = row.is_open
        for order in order_list.orders:
            order.order_list = order_list
        account.add_list(order_list)
    account.trades = {symbol: list(trades) for symbol, trades in saved.trades.items()}
    account.amendments = {order_id: list(rows) for order_id, rows in saved.amendments.items()}
    account.prevented = list(saved.prevented)
    account.movements = list(saved.movements)


def _restore_order(engine: Engine, account: Account, saved: SavedOrder) -> Order:
    order = Order.__new__(Order)
    order.account = account
    order.instrument = engine.instruments[saved.symbol]
    order.order_list = None
    for name in _KEPT:
        setattr(order, name, getattr(saved, name))
    order.resize(saved.lots)
    order.trigger = None
    if saved.stop is not None:
        order.trigger = Trigger(
            saved.id, is_buy=saved.is_buy, is_stop=saved.kind in (Kind.STOP_LOSS, Kind.STOP_LOSS_LIMIT),
            stop=saved.stop, delta=saved.delta, owner=order,
        )  # fmt: skip
        order.trigger.best, order.trigger.since = saved.best, saved.since
    return order
