"""What must hold of a settled account (DESIGN 5): compared with the exchange itself, told as sentences, by rule."""

from collections import Counter
from decimal import Decimal
from typing import TYPE_CHECKING

from tradedesk.domain import events as ev
from tradedesk.domain.accounts import AccountState, HaltLevel
from tradedesk.domain.orders import OrdStatus, RequestKind, RequestState
from tradedesk.domain.words import ClientOrderId
from tradedesk.orders.reconcile import UNREAD
from tradedesk.simulation.caps import held_by
from tradedesk.simulation.rows import INSTRUMENT, OPEN, STATUS
from tradedesk.simulation.watch import Watch

if TYPE_CHECKING:
    from tradedesk.simulation.account import SimAccount

NOT_THERE = (OrdStatus.NeverArrived, OrdStatus.Denied, OrdStatus.Rejected)
SWEEPING = (HaltLevel.CancelOpening, HaltLevel.CancelAll, HaltLevel.Flatten)


def unexplained(account: "SimAccount", watch: Watch) -> list[str]:
    """5.1: every order is known to both sides, or known to us as one that the exchange never had; nothing is in doubt."""
    if account.core is None:
        return [f"{account.id} did not come back"]
    ours, found = account.core.manager.books.orders, []
    there = {ClientOrderId(row.client_order_id): row for row in account.venue.orders(account.id)}
    for client_order_id, row in there.items():
        order, is_ours = ours.get(client_order_id), client_order_id in watch.left_ids
        if order is None and not is_ours and row.status not in OPEN:
            continue  # of other software, and gone before we saw it
        if order is None:
            found.append(f"{client_order_id} is {row.status} at the exchange and unknown to us")
        elif order.ord_status is not STATUS[row.status] or (is_ours and order.cum_qty != row.executed_qty):
            there_, here = f"{row.status} {row.executed_qty}", f"{order.ord_status} {order.cum_qty}"
            found.append(f"{client_order_id} is {there_} at the exchange, {here} to us")
        elif order.order_qty != row.orig_qty:
            found.append(f"{client_order_id} is of {row.orig_qty} at the exchange, of {order.order_qty} to us")
        elif order.is_external == is_ours:
            found.append(f"{client_order_id}: whose order it is was mistaken")
    for client_order_id, order in ours.items():
        if client_order_id not in there and order.ord_status not in NOT_THERE:
            found.append(f"{client_order_id} is {order.ord_status} to us and unknown to the exchange")
        if not order.is_dead and any(request.kind is RequestKind.Cancel for request in order.requests):
            found.append(f"{client_order_id} is open though somebody wanted it cancelled")
        for request in order.requests:
            if request.state in (RequestState.Pending, RequestState.Unknown):
                found.append(f"{request.request_id} is still {request.state}")
    if account.core.state is not AccountState.Ready:
        found.append(f"{account.id} is still {account.core.state}")
    return found


def sent_twice(account: "SimAccount", watch: Watch) -> list[str]:
    """5.2: nothing that places arrives twice, and both legs of a replace are told as they came out."""
    arrivals = account.venue.arrivals.items()
    found = [f"{key} arrived {count} times" for key, count in arrivals if count > 1 and key in watch.left_ids]
    if account.core is None:
        return found
    orders = account.core.manager.books.orders
    for order in orders.values():
        for request in order.requests:
            heir = orders.get(request.replaced_by) if request.replaced_by is not None else None
            if heir is None or request.kind is not RequestKind.Replace:
                continue
            is_taken = request.state is RequestState.Acknowledged
            if heir.ord_status is not OrdStatus.Rejected and is_taken == (heir.ord_status in NOT_THERE):
                found.append(f"{request.request_id} is {request.state} and {heir.client_order_id} {heir.ord_status}")
    return found


def wrong_money(account: "SimAccount", watch: Watch) -> list[str]:
    """5.3: fills once; positions, ledger and balances as the exchange has them, to the last digit."""
    if account.core is None:
        return []
    books, opened, found = account.core.manager.books, account.core.manager.trades_from, []
    recorded = [event for event in account.store.on_disk() if ev.account_of(event) == account.id]
    applied = Counter(event.fill.key for event in recorded if isinstance(event, ev.OrderFilled))
    fills = account.venue.fills[account.id]
    due = [key for key, fill in fills.items() if fill.transact_time >= opened or fill.client_order_id in watch.left_ids]
    found += [f"fill {key} was applied {count} times" for key, count in applied.items() if count > 1]
    found += [f"fill {key} was never applied" for key in due if key not in applied]
    found += [f"fill {key} was invented" for key in applied if key not in fills]
    for balance in account.venue.balances(account.id):
        counted = books.ledgers[account.id].get(balance.asset, Decimal(0))
        shown = books.accounts[account.id].balances.get(balance.asset)
        if counted != balance.total:
            found.append(f"{balance.asset}: {balance.total} at the exchange, {counted} by our count")
        if shown != balance:
            found.append(f"{balance.asset}: {balance} at the exchange, {shown} on our screen")
    position = books.positions[account.id, INSTRUMENT.id].qty
    if position != held_by(account):
        found.append(f"position: {held_by(account)} at the exchange, {position} to us")
    found += [
        f"waits for a decision: {item.key}" for item in books.accounts[account.id].worklist if item.needs_decision
    ]
    rows = books.alerts.values()
    found += [
        f"false alarm: {row.alert.text}"
        for row in rows
        if row.alert.rule in ("unexplained", "vanished")
        and (
            row.is_active or UNREAD not in row.alert.text
        )  # that a ledger could not be read was true while it could not
    ]
    return found


def unswept(account: "SimAccount", watch: Watch) -> list[str]:
    """5.5: a halt holds through every restart, and one that cancels ends in a receipt."""
    halt = watch.halts.get(account.id)
    if halt is None:
        return []
    if account.halt != halt:
        return [f"{account.id}: the halt of level {halt.level} is forgotten"]
    if halt.level not in SWEEPING or account.swept is not None:
        return []
    return [f"{account.id}: the halt of level {halt.level} has no receipt"]


SETTLED = {
    "5.1": (unexplained,),
    "5.2": (sent_twice,),
    "5.3": (wrong_money,),
    "5.5": (unswept,),
}
RULES = ("5.1", "5.2", "5.3", "5.4", "5.5", "5.13")
