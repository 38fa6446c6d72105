"""What must hold after every kill, by the journal and what the exchange saw, and when all is quiet, by the exchange's books."""

from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct

from tradedesk.cli.comparison import differences
from tradedesk.domain import events as ev
from tradedesk.domain.orders import Order, RequestState, request_of
from tradedesk.domain.words import AccountId, ClientOrderId
from tradedesk.journal.records import Reading
from tradedesk.journal.sqlite import read
from tradedesk.views.replica import Replica


class Told(Struct, frozen=True):
    """What the journal tells, read as `audit` does: without the desk."""

    records: int
    replica: Replica
    twice: list[str]  # fills that stand in it twice


def told(journal: Path) -> Told:
    """Raises AssertionError where a record is damaged: a kill damages nothing that was written."""
    reading, replica = Reading(), Replica(is_whole=True)
    fills: Counter[tuple[str, ...]] = Counter()
    if journal.exists():
        for _, event in read(journal, reading):
            replica.apply(event)
            if isinstance(event, ev.OrderFilled):
                fills[event.fill.account, *event.fill.key] += 1
    assert reading.damaged == {}, reading.reasons()
    return Told(reading.count, replica, [" ".join(key) for key, count in fills.items() if count > 1])


def after_a_kill(told: Told, sent: Mapping[str, int], asked: Iterable[ClientOrderId]) -> list[str]:
    """5.1, 5.2, 5.3: what can be judged while requests are still on their way."""
    known, wanted = told.replica.orders, set(asked)
    return [
        *(f"order {key} was sent {count} times" for key, count in sent.items() if count > 1),
        *(f"order {key} was sent and is not in the journal" for key in sent if key not in known),
        *(f"order {key} was sent and nobody asked for it" for key in sent if key not in wanted),
        *(f"order {key} is in the journal and nobody asked for it" for key in _ours(known) if key not in wanted),
        *(f"order {key} was denied and was sent" for key, order in known.items() if _is_denied(order) and key in sent),
        *(f"fill {fill} is in the journal twice" for fill in told.twice),
    ]


def after_a_start(before: Told, replica: Replica) -> list[str]:
    """What was under way when the desk died is not shown as under way: it is unknown until the venue has said."""
    return [
        f"request {request.request_id} was pending when the desk died and still is"
        for order in before.replica.orders.values()
        for request in order.requests
        if request.state is RequestState.Pending
        and (now := request_of(replica.orders.get(order.client_order_id, order), request.request_id)) is not None
        and now.state is RequestState.Pending
    ]


def when_quiet(live: Replica, told: Told, books: Mapping[str, dict[str, Any]], sent: Mapping[str, int]) -> list[str]:
    """Every book of the desk against the exchange's own, to the last digit; the journal's fold as well as the running one."""
    whole = told.replica
    whole.accounts = dict(live.accounts)  # accounts and their balances are told anew by each start, and not recorded
    found = [] if whole.positions == live.positions else ["the running positions are not those of the journal"]
    for name, told_by_it in books.items():
        account = AccountId(name)
        theirs = {**told_by_it, "orders": _to_compare(told_by_it["orders"], whole, sent)}
        found += differences(whole, account, theirs)
        found += [f"on the running desk: {each}" for each in differences(live, account, theirs)]
        at_venue = {row["clientOrderId"] for row in theirs["orders"]}
        found += [
            f"{account}: order {key} is {order.ord_status} here and is at the exchange"
            for key, order in whole.orders.items()
            if order.account == account and order.ord_status.value in ("Denied", "NeverArrived") and key in at_venue
        ]
        row = live.accounts[account]
        found += [f"{account}: {item.key} waits: {item.cause}" for item in row.worklist]
    found += [
        f"request {request.request_id} is still {request.state}"
        for order in whole.orders.values()
        for request in order.requests
        if request.state in (RequestState.Pending, RequestState.Unknown)
    ]
    return found


def _to_compare(theirs: list[dict[str, Any]], whole: Replica, sent: Mapping[str, int]) -> list[dict[str, Any]]:
    """All but foreign orders that came and went while nobody looked: their fills count, the orders need not be known."""
    open_there = ("NEW", "PARTIALLY_FILLED")
    return [
        row
        for row in theirs
        if row["clientOrderId"] in sent or row["clientOrderId"] in whole.orders or row["status"] in open_there
    ]


def _ours(known: dict[ClientOrderId, Order]) -> list[ClientOrderId]:
    return [key for key, order in known.items() if not order.is_external]


def _is_denied(order: Order) -> bool:
    return order.ord_status.value == "Denied"
