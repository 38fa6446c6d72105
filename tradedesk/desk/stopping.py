"""What becomes of each account's orders when the desk is stopped in order (F72): kept at the venue, or swept, within a bound."""

import threading
from collections.abc import Mapping

from tradedesk.accounts.supervisor import Supervisor
from tradedesk.clock import Clock
from tradedesk.domain import events as ev
from tradedesk.domain.accounts import Account, OnStop
from tradedesk.domain.commands import CancelAll
from tradedesk.domain.words import AccountId, OperatorId
from tradedesk.views.feed import DeskView, Numbered

STOPPER = OperatorId("system:stop")  # under whose name orders are cancelled at a stop
WITHIN_S = 10.0
LOOK_S = 0.05


def settle_orders(
    accounts: Mapping[AccountId, Account], workers: Mapping[AccountId, Supervisor], view: DeskView, clock: Clock
) -> tuple[str, ...]:
    """Cancel everything of the accounts that say so; by account that is left with orders at its venue, a sentence.

    `view` is fed by the desk that stops, which takes no new order any more.
    """
    deadline = clock.monotonic() + int(WITHIN_S * 10**9)
    pause = threading.Event()
    view.poll()
    while not view.is_fed and clock.monotonic() < deadline:
        pause.wait(LOOK_S)
        view.poll()
    waiting = {
        name
        for name, account in accounts.items()
        if account.on_stop is OnStop.Cancel
        and workers[name].is_open
        and workers[name].post(CancelAll(account=name, operator=STOPPER))
    }
    while waiting and clock.monotonic() < deadline:
        pause.wait(LOOK_S)
        for update in view.poll():
            if isinstance(update, Numbered) and isinstance(update.event, ev.CancelSwept) and update.event.by == STOPPER:
                waiting.discard(update.event.account)
    return tuple(
        _said(account, count, is_confirmed=name not in waiting)
        for name, account in accounts.items()
        if (count := _open_orders(view, name)) or name in waiting
    )


def _open_orders(view: DeskView, account: AccountId) -> int:
    orders = view.replica.orders.values()
    return sum(1 for order in orders if order.account == account and not order.is_dead and not order.is_external)


def _said(account: Account, count: int, *, is_confirmed: bool) -> str:
    orders = "1 order" if count == 1 else f"{count} orders"
    if account.on_stop is OnStop.Keep:
        return f"{account.id}: {orders} left at the venue, as its on_stop says"
    if is_confirmed:
        return f"{account.id}: {orders} left at the venue, though all were to be cancelled; look there"
    return (
        f"{account.id}: the venue did not confirm within {WITHIN_S:.0f} s that its orders are gone ({orders} as far as "
        "is known); look there, or use `tradedesk kill`"
    )
