"""What happened in a world, a line each in order, for whoever reads a failure."""

import re
from collections import deque

from tradedesk.domain import events as ev
from tradedesk.domain.money import plain
from tradedesk.domain.orders import Order
from tradedesk.simulation.scheduler import SECOND

MOST_LINES = 20_000
SHOWN = 80  # lines of a story
_IDS = re.compile(r"\b(?:td|web)-[\w-]+")


class Trace:
    """Lines of (when, who, what). Kept only by a run that somebody wants to read."""

    def __init__(self) -> None:
        self._lines: deque[tuple[int, str, str]] = deque(maxlen=MOST_LINES)

    def note(self, at: int, who: str, what: str) -> None:
        """`at` in ns since the world began; `who` an account, or "world" for what befalls all."""
        self._lines.append((at, who, what))

    def story(self, found: str) -> list[str]:
        """What concerns the orders that `found` names, from the first word of them to the finding itself.

        With them what befell their account and the world meanwhile; without any name, all of it.
        """
        ids = set(_IDS.findall(found))
        lines = [line for line in self._lines if not ids or ids & set(_IDS.findall(line[2]))]
        relatives = ids | {name for _, _, what in lines if _is_replace(what) for name in _IDS.findall(what)}
        accounts = {who for _, who, _ in lines} | {"world"}
        begin, end = (lines[0][0], lines[-1][0]) if lines else (0, 0)
        told = []
        for at, who, what in self._lines:
            names, is_near = set(_IDS.findall(what)), begin <= at <= end or not ids
            if relatives & names or (is_near and who in accounts and (not names or what.startswith("!!"))):
                told.append(f"{at / SECOND:10.3f} s  {who:8} {what}")
            if what.startswith("!!") and what.endswith(found):
                break
        return told if len(told) <= SHOWN else [*told[:10], f"{'...':>14}", *told[10 - SHOWN :]]


def _is_replace(what: str) -> bool:
    return what.startswith(("order ", "replace "))


def described(event: ev.Event) -> str | None:
    """The event in few words; None where it says nothing to the story of an order."""
    match event:
        case ev.OrderPlaced(order=order):
            return f"{'external ' if order.is_external else ''}order {ticket(order)}"
        case ev.RequestMade(request=request):
            heir = f" by {request.replaced_by}" if request.replaced_by is not None else ""
            return f"{request.kind} of {event.client_order_id}{heir} asked for ({request.request_id})"
        case ev.RequestDecided():
            return f"request {event.request_id} is {event.state}{_because(event.reasons)}"
        case ev.OrderMoved():
            return f"{event.client_order_id}: {event.happening}{_because((event.reason,) if event.reason else ())}"
        case ev.OrderFilled(fill=fill):
            what = f"{plain(fill.last_qty)} at {plain(fill.last_px)}, trade {fill.trade_id}"
            return f"{fill.client_order_id}: {fill.side} fill of {what}"
        case ev.MovementSeen():
            return f"* movement {event.kind} {event.movement_id}: {plain(event.amount)} {event.asset}"
        case ev.AccountOpened():
            held = ", ".join(f"{plain(opening.amount)} {opening.asset}" for opening in event.openings)
            return f"* opened with {held}; trades from {event.trades_from}"
        case ev.AccountChanged():
            return f"* {event.state}{_because((event.reason,) if event.reason else ())}"
        case ev.Reconciled() if event.differences:
            return f"looked: {'; '.join(event.differences)}"
        case ev.HaltSwept():
            return f"* swept: {event.cancelled} cancelled, {event.left} left"
        case ev.AlertRaised(alert=alert):
            return f"alert {alert.key}: {alert.text}"
        case ev.SubmissionRefused():
            return f"{event.what} not taken: {event.reason}"
        case _:
            return None


def ticket(order: Order) -> str:
    price = "market" if order.price is None else plain(order.price)
    heir = f" for {order.replaces}" if order.replaces is not None else ""
    return f"{order.client_order_id} {order.side} {plain(order.order_qty)} at {price} {order.time_in_force}{heir}"


def _because(reasons: tuple[str, ...]) -> str:
    return f" ({'; '.join(reasons)})" if reasons else ""
