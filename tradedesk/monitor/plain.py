"""The stream as lines, for pipes and screen readers: `--json` one object per update, `--plain` one sentence per event."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Protocol

from tradedesk.domain import events as ev
from tradedesk.domain.money import plain
from tradedesk.domain.orders import Order
from tradedesk.domain.scopes import scope_of
from tradedesk.domain.text import clean
from tradedesk.domain.words import AccountId, ClientOrderId, InstrumentId
from tradedesk.views.dead_man import watchdog_words
from tradedesk.views.feed import Feed, Lost, Numbered, Update, encoder
from tradedesk.views.replica import Replica, Snapshot

SCHEMA = b'{"schema":"monitor.v1",'


class Out(Protocol):
    """Where lines go: standard output, or a buffer."""

    def write(self, text: str, /) -> object: ...

    def flush(self) -> object: ...


def print_stream(
    feed_of: Callable[[Callable[[], None]], Feed], out: Out, *, as_json: bool, until: Callable[[], bool]
) -> None:
    """Print what the feed brings until `until` says so or nobody reads any more.

    `feed_of(wake)` opens the feed; it calls `wake` when something has arrived, so this thread sleeps in between.
    """
    woken = threading.Event()
    feed = feed_of(woken.set)
    replica = Replica()
    try:
        while not until():
            woken.wait(0.5)  # bounded only so that `until` is seen
            woken.clear()
            for update in feed.take():
                line = json_line(update) if as_json else sentence(update, replica)
                replica = _folded(replica, update)
                if line is not None:
                    out.write(line + "\n")
            out.flush()
    except BrokenPipeError:
        pass  # `| head` has what it wanted
    finally:
        feed.close()


def json_line(update: Update) -> str:
    """The update as it came over the socket, with its schema in front."""
    return (SCHEMA + encoder.encode(update)[1:]).decode()


def sentence(update: Update, replica: Replica) -> str | None:
    """What happened, in words, given the state before it; None for what comes many times a second and is no news."""
    match update:
        case Snapshot():
            open_orders = sum(1 for order in update.orders if not order.is_dead)
            desk = update.desk.desk if update.desk is not None else "?"
            watchdog = watchdog_words((row.account for row in update.accounts), update.watchdog_at, update.heartbeat_at)
            return (
                f"{_time(update.heartbeat_at)} attached to desk {clean(desk)}: {len(update.accounts)} accounts, "
                f"{open_orders} open orders, {len(update.halts)} halts{f', {watchdog}' if watchdog else ''}"
            )
        case Lost():
            return f"{_time(update.since)} blind since then: {clean(update.reason)}"
        case Numbered():
            words = _words(update.event, replica)
            return None if words is None else f"{_time(update.event.at)} {clean(words)}"


def _words(event: ev.Event, replica: Replica) -> str | None:
    match event:
        case ev.OrderPlaced():
            return f"order {_order(event.order, replica)}"
        case ev.RequestMade():
            return f"{event.request.kind.value} asked of {_known(event.client_order_id, event.account, replica)}"
        case ev.RequestDecided():
            return (
                f"{event.state.value}: a request about {_known(event.client_order_id, event.account, replica)}"
                f"{_because(event.reasons)}"
            )
        case ev.OrderMoved():
            reasons = () if event.reason is None else (event.reason,)
            return (
                f"{event.happening.value}: {_known(event.client_order_id, event.account, replica)}{_because(reasons)}"
            )
        case ev.OrderFilled():
            fill = event.fill
            return (
                f"filled {fill.account} {fill.side.value} {plain(fill.last_qty)} {_symbol(fill.instrument, replica)}"
                f" at {plain(fill.last_px)} {fill.client_order_id}"
            )
        case ev.MovementSeen():
            decided = "" if event.by is None else f" by {event.by}: {event.note}"
            return f"{event.kind} {event.account} {_signed(event.amount)} {event.asset}{decided}"
        case ev.AccountOpened():
            return f"opened {event.account} with {len(event.openings)} assets"
        case ev.Reconciled():
            found = "; ".join(event.differences) or "nothing differs"
            return f"reconciled {event.account}: {found}{_worklist(event.worklist)}"
        case ev.HaltSet():
            return (
                f"HALT {scope_of(event.account, event.scope).called} {event.level.value} by {event.by}: {event.reason}"
            )
        case ev.HaltSwept():
            part = "" if event.scope is None else f" ({event.scope})"
            return f"halt of {event.account}{part} done: {event.cancelled} cancelled, {event.left} left"
        case ev.CancelSwept():
            left = f", {event.left} STILL SHOWN BY THE VENUE" if event.left else ""
            return f"cancel-all of {event.account} by {event.by}: {event.cancelled} cancelled, {event.ended} ended before{left}"
        case ev.OrderChanged():
            now = [
                f"{plain(event.order_qty)} in all" if event.order_qty is not None else "",
                f"called {event.known_as} by the venue" if event.known_as is not None else "",
                f"made by {event.triggered_by}" if event.triggered_by is not None else "",
            ]
            what = ", ".join(part for part in now if part)
            return f"changed {_known(event.client_order_id, event.account, replica)}: {what}"
        case ev.Rearmed():
            return f"rearmed {scope_of(event.account, event.scope).called} by {event.by}: {event.reason}"
        case ev.KillRecorded():
            receipt = event.receipt
            names = ", ".join(f"{row.account} {row.outcome.value}" for row in receipt.accounts)
            return f"KILL by {receipt.by}: {receipt.reason}; {names}; receipt {receipt.id}"
        case ev.AccountOffboarded():
            return f"offboarded {event.account} by {event.by}: {event.reason}"
        case ev.ExitSwitched():
            return f"{event.account} leaves by {event.exit} (by {event.by}: {event.reason})"
        case ev.ExitProved():
            return (
                f"exit of {event.account} proved: {event.exit} is seen at {event.seen or 'its address'} by {event.how}"
            )
        case ev.ExitRefused():
            return f"exit of {event.account} not proved: {event.reason}"
        case ev.AlertRaised():
            return f"alert {event.alert.severity.value} {event.alert.text}"
        case ev.AlertEnded():
            return f"alert ended: {event.key}"
        case ev.AlertAcknowledged():
            return f"alert acknowledged by {event.by}: {event.key}"
        case ev.AlertSnoozed():
            return f"alert put off until {_time(event.until)} by {event.by}: {event.key}"
        case ev.AlertSnoozeEnded():
            return f"alert no longer put off: {event.key}"
        case ev.AlertEscalated():
            return f"alert NOT ACKNOWLEDGED for {event.waited_ms // 60_000} min: {event.key}"
        case ev.AccountChanged():
            return f"account {event.account} {event.state.value}{_because((event.reason,) if event.reason else ())}"
        case ev.FeedChanged():
            reasons = (event.reason,) if event.reason else ()
            return f"market {_symbol(event.instrument, replica)} {event.state.value}{_because(reasons)}"
        case ev.LogWritten():
            return f"log {event.level} {event.event} {event.text}"
        case ev.DeskStarted():
            return f"desk {event.desk} started, version {event.version}"
        case ev.SubmissionRefused():
            return f"not submitted by {event.operator}: {event.what}: {event.reason}"
        case _:
            return None  # books, tape, candles, balances, health, heartbeats, listings: state, for --json


def _folded(replica: Replica, update: Update) -> Replica:
    match update:
        case Snapshot():
            return Replica.restored(update)
        case Numbered():
            replica.apply(update.event)
    return replica


def _order(order: Order, replica: Replica) -> str:
    price = "at market" if order.price is None else f"at {plain(order.price)}"
    words = (
        order.account, order.side.value, plain(order.order_qty), _symbol(order.instrument, replica), price,
        order.time_in_force.value,
    )  # fmt: skip
    return " ".join((*words, order.client_order_id))


def _known(client_order_id: ClientOrderId, account: AccountId, replica: Replica) -> str:
    order = replica.orders.get(client_order_id)
    return f"{account} {client_order_id}" if order is None else _order(order, replica)


def _symbol(instrument: InstrumentId, replica: Replica) -> str:
    known = replica.instruments.get(instrument)
    return instrument if known is None else known.symbol


def _because(reasons: tuple[str, ...]) -> str:
    return ": " + "; ".join(reasons) if reasons else ""


def _worklist(items: tuple[ev.WorkItem, ...]) -> str:
    """What remains of the differences, each with what it waits for."""
    return "".join(
        f"; {'TO SETTLE' if item.needs_decision else 'under way'} {item.key}: ours {item.ours}, venue {item.venues}, "
        f"{item.cause} ({item.repair})"
        for item in items
    )


def _signed(amount: Decimal) -> str:
    return ("+" if amount > 0 else "") + plain(amount)


def _time(at: int) -> str:
    moment = datetime.fromtimestamp(at // 1_000_000_000, UTC)
    return f"{moment:%H:%M:%S}.{at // 1_000_000 % 1000:03d}Z"
