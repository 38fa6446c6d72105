"""What changes after the fact: an order made smaller, a trade undone, money that comes or goes, filters and status."""

from decimal import Decimal

from msgspec import structs

from tradedesk.paper.engine import Engine
from tradedesk.paper.ids import made_id
from tradedesk.paper.ledger import from_units, to_units
from tradedesk.paper.lists import companions
from tradedesk.paper.orders import Account, Order, forget_oldest
from tradedesk.paper.rows import Amended, Amendment, BalanceMoved, Movement, Refusal, Spec, TradeRow
from tradedesk.paper.rules import Grid, check_amend, check_client_id
from tradedesk.paper.vetting import OPEN, insufficient, need_of

STATUSES = ("TRADING", "HALT", "BREAK", "CANCEL_ONLY")


def _refuse_amend(message: str) -> Refusal:
    return Refusal(-2038, message)


def amend(engine: Engine, order: Order | None, new_qty: Decimal, new_client_id: str | None) -> Amended:
    """Less quantity, same place in the queue; both legs of an undecided pair shrink together (amend page, 2026)."""
    check_client_id(new_client_id)
    if order is None or not order.is_open:
        raise _refuse_amend("Unknown order sent.")
    instrument, account = order.instrument, order.account
    symbol = instrument.spec.symbol
    if instrument.spec.status != OPEN:
        raise _refuse_amend("Market is closed.")
    units = check_amend(instrument.spec, instrument.filters, order.price_shown, new_qty)
    lots = units // instrument.grid.lot
    if lots > order.lots:
        raise _refuse_amend("Order amend (quantity increase) is not supported.")
    if lots == order.lots:
        raise _refuse_amend("The requested action would change no state; rejecting.")
    if lots <= order.filled + order.prevented:
        raise _refuse_amend("The new quantity must be above what is executed.")
    if order.amends >= instrument.spec.max_amends:
        raise _refuse_amend("Filter failure: MAX_NUM_ORDER_AMENDS")
    known = account.by_client_id.get((symbol, new_client_id or ""))
    if known is not None and known.is_open and known is not order:
        raise _refuse_amend("Duplicate order sent.")

    before, old_id = order.lots * instrument.lot, order.client_id
    if new_client_id is None:
        new_client_id = made_id("amend", engine.next.amend)
        engine.next.amend += 1
    order_list = order.order_list
    execution_id = -1
    for each in companions(order):
        orig_id = each.client_id
        if each is order:
            order.amends += 1
            order.client_id = new_client_id
            if account.by_client_id.get((symbol, old_id)) is order:
                del account.by_client_id[(symbol, old_id)]
            account.by_client_id[(symbol, new_client_id)] = order
        _shrink(engine, each, each.lots - lots)
        reported = engine.report("REPLACED", each, orig_client_id=orig_id)
        if each is order:
            execution_id = reported.execution_id
    if order_list is not None and order_list.pair is not None and order in order_list.pair:
        needs = max(need_of(leg) for leg in order_list.pair)
        freed = max(order_list.locked - needs, 0)
        engine.ledger.unlock(account.spec.name, instrument.given(order.is_buy), freed)
        order_list.locked -= freed
    engine.balances_changed(account, (instrument.given(order.is_buy),))
    if order_list is not None and new_client_id != old_id:
        order_list.status_type = "UPDATED"
        engine.list_changed(order_list)
        order_list.status_type = "EXEC_STARTED"
    amendment = Amendment(
        symbol=symbol,
        order_id=order.id,
        execution_id=execution_id,
        orig_client_order_id=old_id,
        new_client_order_id=new_client_id,
        orig_qty=before,
        new_qty=lots * instrument.lot,
        time=engine.now,
    )
    account.amendments.setdefault(order.id, []).append(amendment)
    return Amended(order=order.row(), amendment=amendment, order_list=order_list.row() if order_list else None)


def _shrink(engine: Engine, order: Order, lots: int) -> None:
    """Take `lots` off an order, on the book too, and unlock what they needed; a pair's lock is its list's."""
    instrument = order.instrument
    resting = instrument.book.get(order.id)
    if resting is not None:
        instrument.book.reduce(order.id, lots)
    if order.locked:
        before = order.locked
        order.locked = before * (order.leaves - lots) // order.leaves  # exact: a lock is its leaves times one price
        engine.ledger.unlock(order.account.spec.name, instrument.given(order.is_buy), before - order.locked)
    order.resize(order.lots - lots)
    order.update_time = engine.now


# -- a trade undone ------------------------------------------------------------------------------------------------------


def bust(engine: Engine, symbol: str, trade_id: int) -> list[TradeRow]:
    """Both clients of the trade get back what they gave, commissions too. ValueError, and nothing done, if that cannot be."""
    instrument = engine.instrument(symbol)
    found = [
        (account, trade)
        for account in engine.accounts.values()
        for trade in account.trades.get(symbol, ())
        if trade.trade_id == trade_id
    ]
    if not found:
        raise ValueError(f"{symbol}: no client has a trade {trade_id}")
    back: dict[tuple[str, str], int] = {}  # (account, asset) -> units, the commission left out
    fees: dict[tuple[str, str], int] = {}
    for account, trade in found:
        name, sign = account.spec.name, -1 if trade.is_buyer else 1
        base = _units(trade.quantity)
        quote = _units(trade.price * trade.quantity)
        _add(back, (name, instrument.spec.base), sign * base)
        _add(back, (name, instrument.spec.quote), -sign * quote)
        _add(fees, (name, trade.commission_asset), _units(trade.commission))
    for (name, asset), units in back.items():
        free = engine.ledger.free(name, asset)
        owed = units + fees.get((name, asset), 0)
        if free + owed < 0:
            raise ValueError(
                f"account {name}: holds {from_units(free)} {asset} free, the trade takes back {from_units(-owed)}"
            )
    for (name, asset), units in fees.items():
        engine.ledger.refund(name, asset, units)
    for (name, asset), units in back.items():
        engine.ledger.move(name, asset, units)
    for account in {account.spec.name: account for account, _ in found}.values():
        account.trades[symbol] = [trade for trade in account.trades[symbol] if trade.trade_id != trade_id]
        assets = {asset for name, asset in (*back, *fees) if name == account.spec.name}
        engine.balances_changed(account, tuple(sorted(assets)))
    return [trade for _, trade in found]


def _add(sums: dict[tuple[str, str], int], key: tuple[str, str], units: int) -> None:
    sums[key] = sums.get(key, 0) + units


def _units(value: Decimal) -> int:
    units = to_units(value)
    assert units is not None, value  # amounts of the exchange itself are whole
    return units


# -- money that comes or goes ----------------------------------------------------------------------------------------------


def move(engine: Engine, account: Account, asset: str, amount: Decimal, kind: str, reference: str) -> Movement:
    units = to_units(amount)
    if units is None:
        raise Refusal(-1111, "Parameter 'amount' has too much precision.")
    name = account.spec.name
    if engine.ledger.free(name, asset) + units < 0:
        raise insufficient()
    engine.ledger.move(name, asset, units)
    movement = Movement(
        id=engine.next.movement, account=name, kind=kind, asset=asset, amount=amount, time=engine.now,
        reference=reference,
    )  # fmt: skip
    engine.next.movement += 1
    account.movements.append(movement)
    forget_oldest(account.movements)
    engine.events.append(BalanceMoved(movement=movement))
    engine.balances_changed(account, (asset,))
    return movement


# -- rules that change under way -------------------------------------------------------------------------------------------


def set_status(engine: Engine, symbol: str, status: str) -> None:
    if status not in STATUSES:
        raise ValueError(f"{symbol}: status {status} is not one of {', '.join(STATUSES)}")
    instrument = engine.instrument(symbol)
    instrument.spec = structs.replace(instrument.spec, status=status)


def set_spec(engine: Engine, spec: Spec) -> None:
    """Open orders stay as they are. The book's own steps stay: new ones must be multiples of those of the start."""
    instrument = engine.instrument(spec.symbol)
    if (spec.base, spec.quote) != (instrument.spec.base, instrument.spec.quote):
        raise ValueError(f"{spec.symbol}: its assets are {instrument.spec.base} and {instrument.spec.quote} for good")
    for what, new, own in (("tick", spec.tick, instrument.tick), ("lot", spec.lot, instrument.lot)):
        if new <= 0 or new % own:
            raise ValueError(f"{spec.symbol}: {what} {new} must be a multiple of {own}, the step of its book")
    instrument.filters = Grid.of(spec)
    instrument.spec = spec
