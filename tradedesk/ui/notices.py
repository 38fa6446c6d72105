"""Notices: at most three on the screen, the same one counted and not repeated, rejects and unknowns until they are seen.

All text is shown as it is, never as markup: a venue may write what it likes (5.14).
"""

from collections.abc import Sequence
from enum import StrEnum
from typing import ClassVar

import msgspec
from msgspec import Struct

from tradedesk.domain import events as ev
from tradedesk.domain.alerts import Severity
from tradedesk.domain.money import plain
from tradedesk.domain.orders import Happening, Order, RequestKind, RequestState
from tradedesk.domain.scopes import scope_of
from tradedesk.domain.text import clean
from tradedesk.domain.words import OperatorId
from tradedesk.ui.drawing import Glyphs, Line, Palette, fit
from tradedesk.ui.header import Bar
from tradedesk.views.replica import Replica

SHOWN = 3
WIDTH = 56  # cells of text
LASTS_NS = 5_000_000_000
BELL_EVERY_NS = 10_000_000_000


class Tone(StrEnum):
    Said = "said"
    Warned = "warned"
    Alarmed = "alarmed"


class Notice(Struct, frozen=True, kw_only=True):
    """What happened, where, what to do. A sticky one stays until the operator puts it away."""

    text: str
    tone: Tone = Tone.Said
    is_sticky: bool = False
    count: int = 1
    until: int = 0  # monotonic ns; set when it is shown


def added(notices: Sequence[Notice], notice: Notice, now: int) -> tuple[Notice, ...]:
    """The notices with one more, newest last. The same text is counted; the oldest that may go makes room."""
    same = next((known for known in notices if known.text == notice.text), None)
    count = notice.count if same is None else same.count + 1
    kept = [known for known in notices if known is not same]
    kept.append(msgspec.structs.replace(notice, count=count, until=now + LASTS_NS))
    while len(kept) > SHOWN:
        passing = next((known for known in kept[:-1] if not known.is_sticky), None)
        kept.remove(kept[0] if passing is None else passing)
    return tuple(kept)


def still(notices: Sequence[Notice], now: int) -> tuple[Notice, ...]:
    """Those that have not run out; sticky ones never do."""
    return tuple(notice for notice in notices if notice.is_sticky or notice.until > now)


def notice_lines(notices: Sequence[Notice], width: int, glyphs: Glyphs, colours: Palette) -> list[Line]:
    """Each in one or two lines of exactly `width` cells, with its word in front."""
    styles = {Tone.Said: colours.text, Tone.Warned: colours.warn, Tone.Alarmed: colours.crit}
    lines: list[Line] = []
    for notice in notices:
        times = f" x{notice.count}" if notice.count > 1 else ""
        away = " (Esc: seen)" if notice.is_sticky else ""
        text = f"{clean(notice.text)}{times}{away}"
        room = width - 2
        rows = [text] if len(text) <= room else _in_two(text, room)
        lines += [((f" {fit(row, room, glyphs)} ", styles[notice.tone]),) for row in rows]
    return lines


def _in_two(text: str, room: int) -> list[str]:
    at = text.rfind(" ", 0, room + 1)
    at = room if at <= 0 else at
    return [text[:at], text[at:].lstrip()]


def notice_of(event: ev.Event, replica: Replica, operator: OperatorId) -> Notice | None:
    """What a screen says about an event, given the state after it. Of orders, the operator's own only."""
    match event:
        case ev.OrderFilled():
            order = replica.orders.get(event.fill.client_order_id)
            if order is None or order.operator != operator:
                return None
            fill = event.fill
            symbol = _symbol(order, replica)
            left = "all of it" if not order.leaves_qty else f"{plain(order.leaves_qty)} left"
            return Notice(
                text=f"FILL {fill.account} {fill.side.value.upper()} {plain(fill.last_qty)} {symbol} "
                f"@ {plain(fill.last_px)}, {left}"
            )
        case ev.OrderMoved(happening=Happening.Rejected | Happening.Denied | Happening.ProvedAbsent):
            order = replica.orders.get(event.client_order_id)
            if order is None or order.operator != operator:
                return None
            word = {Happening.Rejected: "REJECTED", Happening.Denied: "DENIED"}.get(event.happening, "NEVER ARRIVED")
            why = event.reason or "; ".join(order.reasons) or "no reason given"
            return Notice(text=f"{word} {described(order, replica)}: {why}", tone=Tone.Alarmed, is_sticky=True)
        case ev.RequestDecided(state=RequestState.Unknown | RequestState.Refused | RequestState.Denied):
            return _of_request(event, replica, operator)
        case ev.SubmissionRefused():
            if event.operator != operator:
                return None
            return Notice(text=f"NOT SENT {event.what}: {event.reason}", tone=Tone.Alarmed, is_sticky=True)
        case ev.HaltSet():
            name = scope_of(event.account, event.scope).called
            return Notice(text=f"HALT {name} {event.level.value} by {event.by}: {event.reason}", tone=Tone.Alarmed)
        case ev.HaltSwept():
            part = "" if event.scope is None else f" ({event.scope})"
            return Notice(
                text=f"HALT of {event.account}{part} done: {event.cancelled} cancelled, {event.left} left working",
                tone=Tone.Warned,
            )
        case ev.CancelSwept():
            what = "" if event.left == 0 else f", {event.left} STILL SHOWN BY THE VENUE"
            return Notice(
                text=f"CANCEL ALL of {event.account} done: {event.cancelled} cancelled, {event.ended} ended before{what}",
                tone=Tone.Warned if event.left == 0 else Tone.Alarmed,
            )
        case ev.OrderChanged(order_qty=qty) if qty is not None and (order := replica.orders.get(event.client_order_id)):
            if order.is_external:
                return None
            return Notice(
                text=f"AMENDED {described(order, replica)}: {plain(qty)} in all, it keeps its place", tone=Tone.Warned
            )
        case ev.Rearmed():
            name = scope_of(event.account, event.scope).called
            return Notice(text=f"{name} rearmed by {event.by}: {event.reason}", tone=Tone.Warned)
        case ev.ExitSwitched():
            return Notice(
                text=f"{event.account} leaves by {event.exit} (by {event.by}: {event.reason})", tone=Tone.Warned
            )
        case ev.ApprovalAsked() if event.by != operator:
            return Notice(text=f"{event.by} asks a second person to approve {event.id}: {event.what}", tone=Tone.Warned)
        case ev.ApprovalGiven():
            name = event.account or "the whole desk"
            return Notice(
                text=f"{event.by} approved {event.kind} of {name}, asked by {event.asked_by}", tone=Tone.Warned
            )
        case ev.AlertRaised() if event.alert.severity is Severity.Critical and _asks(event.alert.key, replica):
            return Notice(text=f"ALERT {event.alert.text}", tone=Tone.Alarmed)
        case ev.AlertEscalated() if (overdue := replica.alerts.get(event.key)) is not None:
            return Notice(
                text=f"NOT ACKNOWLEDGED for {event.waited_ms // 60_000} min: {overdue.alert.text}", tone=Tone.Alarmed
            )
    return None


def _asks(key: str, replica: Replica) -> bool:
    """Whether the alert waits for a person, or is one that nobody keeps any more."""
    row = replica.alerts.get(key)
    return row is None or row.is_waiting


def rings(event: ev.Event, replica: Replica) -> bool:
    """Whether the bell is rung: for what is critical and waits for a person, and for what waited too long."""
    if isinstance(event, ev.AlertRaised):
        return event.alert.severity is Severity.Critical and _asks(event.alert.key, replica)
    return isinstance(event, ev.AlertEscalated)


def _of_request(event: ev.RequestDecided, replica: Replica, operator: OperatorId) -> Notice | None:
    order = replica.orders.get(event.client_order_id)
    if order is None:
        return None
    request = next((one for one in order.requests if one.request_id == event.request_id), None)
    if request is None or request.operator != operator:
        return None
    if request.kind is RequestKind.New and event.state is not RequestState.Unknown:
        return None  # the order itself is told to be rejected or denied
    word = {RequestState.Unknown: "UNKNOWN", RequestState.Refused: "REFUSED"}.get(event.state, "DENIED")
    why = "; ".join(event.reasons) or "no reason given"
    return Notice(
        text=f"{word} {request.kind.value} of {described(order, replica)}: {why}", tone=Tone.Alarmed, is_sticky=True
    )


def described(order: Order, replica: Replica) -> str:
    """An order in one phrase: account, side, quantity, instrument, price."""
    price = "market" if order.price is None else f"@ {plain(order.price)}"
    return f"{order.account} {order.side.value.upper()} {plain(order.order_qty)} {_symbol(order, replica)} {price}"


def _symbol(order: Order, replica: Replica) -> str:
    instrument = replica.instruments.get(order.instrument)
    return order.instrument if instrument is None else instrument.symbol


class NoticeBox(Bar):
    """The notices, where neither ticket nor orders stand; dialogs are above them."""

    DEFAULT_CSS = """
    NoticeBox { display: none; layer: notices; dock: right; width: 58; background: $boost; border: round $td-own; }
    NoticeBox.-ascii { border: ascii $td-own; }
    """

    name_shown: ClassVar[str] = "notices"

    def show(self, notices: Sequence[Notice], *, below: int | None, above: int) -> None:
        """Draw these from line `below` of the screen down, or, where that is None, at the left from `above` up."""
        self.display = bool(notices)
        if notices:
            lines = notice_lines(notices, WIDTH, self.glyphs, self.colours)
            self.styles.height = len(lines) + 2
            self.styles.dock = "right" if below is not None else "left"
            self.styles.margin = (max(0, above - len(lines) - 2) if below is None else below, 1, 0, 1)
            self.put_lines(lines)
