"""The documented JSON objects of `tradedesk status|orders|positions|fills|alerts --json`. Pure: a replica in, values out.

Exact numbers are strings, counts and times in ns are numbers, times are ISO 8601 in UTC, what is not known is null.
A field is never removed or given another meaning under the same schema name.
"""

from decimal import Context, Decimal
from typing import Any

import msgspec

from tradedesk.domain import orders
from tradedesk.domain.accounts import Account, AccountState, Halt
from tradedesk.domain.keys import KeyRights
from tradedesk.domain.limits import Limits, effective
from tradedesk.domain.money import plain
from tradedesk.domain.orders import Fill, Order, Request
from tradedesk.domain.text import iso_time
from tradedesk.domain.words import AccountId, InstrumentId
from tradedesk.views.alert_rows import AlertRow
from tradedesk.views.dead_man import DeadManRow, dead_man
from tradedesk.views.figures import account_figures, position_figures
from tradedesk.views.mandates import reduces_because
from tradedesk.views.replica import AccountRow, MarketRow, Replica

RECKONED = Decimal("1E-10")
WIDE = Context(prec=60)  # a position of 10^18 with ten decimals has more digits than the usual 28
Document = dict[str, Any]


def status_document(replica: Replica, now: int) -> Document:
    """The desk, its accounts and its markets; `now` (ns) is what ages are counted to."""
    desk = replica.desk
    return {
        "schema": "status.v1",
        "desk": None
        if desk is None
        else {
            "name": desk.desk,
            "version": desk.version,
            "pid": desk.pid,
            "reporting_currency": desk.reporting_currency,
            **_time("started_at", desk.at),
            **_time("heartbeat_at", replica.heartbeat_at),
            **_time("watchdog_at", replica.watchdog_at),
        },
        "halt": _halt_document(replica.halts.get(None)),
        "halts": [_halt_document(halt) for halt in replica.all_halts],
        "accounts": [_account(replica, row, now) for row in replica.accounts.values()],
        "markets": [_market(replica, row, now) for row in replica.markets.values()],
        "alerts": {
            "active": sum(1 for row in replica.alerts.values() if row.is_active),
            "unacknowledged": sum(1 for row in replica.alerts.values() if row.acknowledged_by is None),
        },
    }


def orders_document(replica: Replica, account: str | None = None, instrument: str | None = None) -> Document:
    """Orders, oldest first; `instrument` is an instrument id or its symbol."""
    return {
        "schema": "orders.v1",
        "orders": [
            _order(replica, order)
            for order in replica.orders.values()
            if _is_wanted(replica, order.account, order.instrument, account, instrument)
        ],
    }


def positions_document(replica: Replica, account: str | None = None, instrument: str | None = None) -> Document:
    rows = []
    for position in replica.positions.values():
        if not _is_wanted(replica, position.account, position.instrument, account, instrument):
            continue
        figures = position_figures(replica, position)
        rows.append(
            {
                "account": position.account,
                **_instrument(replica, position.instrument),
                "qty": plain(position.qty),
                "avg_px": _reckoned(position.avg_px),
                "cost": _reckoned(position.cost),
                "mark": _reckoned(figures.mark),
                "notional": _reckoned(figures.notional),
                "realized": _reckoned(position.realized),
                "unrealized": _reckoned(figures.unrealized),
                "fees": _reckoned(position.fees),
                "other_fees": [{"asset": asset, "amount": plain(amount)} for asset, amount in position.other_fees],
                "has_unknown_fee": position.has_unknown_fee,
                "net": _reckoned(figures.net),
            }
        )
    return {"schema": "positions.v1", "positions": rows}


def fills_document(replica: Replica, account: str | None = None, instrument: str | None = None) -> Document:
    """The latest fills, oldest first, in the order in which the desk learned of them."""
    return {
        "schema": "fills.v1",
        "fills": [
            _fill(replica, fill)
            for fill in replica.fills
            if _is_wanted(replica, fill.account, fill.instrument, account, instrument)
        ],
    }


def alerts_document(replica: Replica, account: str | None = None) -> Document:
    """Alerts, the newest last; with `account` its own only, without those of the desk and of markets."""
    return {
        "schema": "alerts.v1",
        "alerts": [_alert(row) for row in replica.alerts.values() if account in (None, row.alert.account)],
        "deliveries": [msgspec.to_builtins(delivery) for delivery in replica.deliveries.values()],
    }


def _is_wanted(
    replica: Replica, its_account: AccountId, its_instrument: InstrumentId, account: str | None, instrument: str | None
) -> bool:
    return account in (None, its_account) and instrument in (None, its_instrument, _symbol(replica, its_instrument))


def _account(replica: Replica, row: AccountRow, now: int) -> Document:
    account, health, halt = row.account, row.health, replica.halt_of(row.account.id)
    is_halted = halt is not None and row.state is AccountState.Ready
    reduces = reduces_because(row, now)
    reason = row.reason or (f"only what reduces is sent: {reduces}" if reduces else "")
    return {
        "account": account.id,
        "state": (AccountState.Halted if is_halted else row.state).value,
        "reason": halt.reason if halt is not None and is_halted else reason,
        "reduces_because": reduces,
        "venue": account.venue,
        "owner": account.owner,
        "groups": list(account.groups),
        "family": account.family,
        "uid": account.uid,
        "master": account.master,
        "stp_group": account.stp_group,
        "mode": account.mode.value,
        "egress": account.egress,
        "exit_seen": None if health is None else health.exit_seen,
        "exit": exit_document(replica, account, now),
        "stream": {
            "is_up": health is not None and health.is_stream_up,
            "age_ms": None if health is None else health.stream_age_ms,
        },
        "latency": {
            "ack_ms": None if health is None else _number(health.ack_ms),
            "clock_offset_ms": None if health is None else health.clock_offset_ms,
        },
        "halt": _halt_document(halt),
        "dead_man": _dead_man(dead_man(account, replica.watchdog_at, now)),
        "balances": [
            {
                "asset": balance.asset,
                "free": plain(balance.free),
                "locked": plain(balance.locked),
                "total": plain(balance.total),
            }
            for balance in row.balances.values()
        ],
        "limits": _limits(replica, account.limits),
        "pnl": _pnl(replica, account.id),
        "key": key_document(row),
        **_time("reconciled_at", row.reconciled_at),
        "differences": list(row.differences),
        "worklist": [msgspec.to_builtins(item) for item in row.worklist],
    }


def _dead_man(row: DeadManRow) -> Document:
    return {"chosen": row.chosen, "is_armed": row.is_armed, "word": row.word, "text": row.text}


def key_document(row: AccountRow) -> Document | None:
    """The newest look at the account's key; null before one."""
    checked = row.key
    if checked is None:
        return None
    rights = checked.report.rights
    return {
        "fingerprint": checked.report.fingerprint,
        "uid": checked.report.uid,
        "rights": None if rights is None else _rights(rights),
        "findings": [msgspec.to_builtins(finding) for finding in checked.findings],
        **_time("checked_at", checked.at),
    }


def _rights(rights: KeyRights) -> Document:
    return {
        "can_read": rights.can_read,
        "can_trade": rights.can_trade,
        "can_withdraw": rights.can_withdraw,
        "can_transfer": rights.can_transfer,
        "is_address_bound": rights.is_address_bound,
        "addresses": None if rights.addresses is None else list(rights.addresses),
        **_time("expires_at", rights.expires_at),
    }


def exit_document(replica: Replica, account: Account, now: int) -> Document:
    """The exit in use, and its proof: at which address it was seen, by what, how long ago; or why it is not proved."""
    in_use, row = replica.exit_of(account)
    is_known = row.exit == in_use
    at = row.at if is_known else None
    return {
        "in_use": in_use,
        "standby": account.standby_egress,
        "seen": row.seen if is_known else None,
        "how": row.how or None if is_known else None,
        "problem": row.problem if is_known else None,
        **_time("proved_at", at),
        "age_ms": None if at is None else max(0, now - at) // 1_000_000,
    }


def _halt_document(halt: Halt | None) -> Document | None:
    if halt is None:
        return None
    return {
        "account": halt.account,
        "scope": halt.of.kind.value,
        "name": halt.of.name or None,
        "level": halt.level.value,
        "by": halt.by,
        "reason": halt.reason,
        **_time("at", halt.at),
    }


def _limits(replica: Replica, limits: Limits) -> Document | None:
    """The figures in force; null for an account that has none and is blocked for it."""
    in_force = effective(limits, InstrumentId(""))
    if in_force is None:
        return None
    own = {
        _symbol(replica, instrument): {
            name: _number(value) for name, value in msgspec.structs.asdict(figures).items() if value is not None
        }
        for instrument, figures in limits.instruments.items()
    }
    figures = msgspec.structs.asdict(in_force)
    return {
        **{name: _figure(value) for name, value in figures.items()},
        "max_daily_loss": _number(limits.max_daily_loss),
        "max_drawdown": _number(limits.max_drawdown),
        "instruments": own,
    }


def _figure(value: object) -> object:
    return _number(value) if isinstance(value, Decimal) else list(value) if isinstance(value, tuple) else value


def _pnl(replica: Replica, account: AccountId) -> Document | None:
    if replica.desk is None:
        return None
    figures = account_figures(replica, account, replica.desk.reporting_currency)
    return {
        "currency": replica.desk.reporting_currency,
        "equity": _reckoned(figures.equity),
        "exposure": _reckoned(figures.exposure),
        "realized": _reckoned(figures.realized),
        "unrealized": _reckoned(figures.unrealized),
        "fees": _reckoned(figures.fees),
        "income": _reckoned(figures.income),
        "net": _reckoned(figures.net),
        "open_orders": figures.open_orders,
        "unvalued": list(figures.unvalued),
    }


def _market(replica: Replica, row: MarketRow, now: int) -> Document:
    return {
        **_instrument(replica, row.instrument),
        "state": row.state.value,
        "reason": row.reason,
        "age_ms": max(0, now - row.received_at) // 1_000_000 if row.received_at else None,
        "bid": _number(row.bid),
        "ask": _number(row.ask),
        "last": _number(row.last),
    }


def _order(replica: Replica, order: Order) -> Document:
    return {
        "account": order.account,
        "client_order_id": order.client_order_id,
        "venue_order_id": order.venue_order_id,
        **_instrument(replica, order.instrument),
        "side": order.side.value,
        "order_type": order.order_type.value,
        "time_in_force": order.time_in_force.value,
        "post_only": order.post_only,
        "reduce_only": order.reduce_only,
        "order_qty": plain(order.order_qty),
        "price": _number(order.price),
        "cum_qty": plain(order.cum_qty),
        "leaves_qty": plain(order.leaves_qty),
        "avg_px": _reckoned(order.avg_px),
        "state": orders.state(order).value,
        "ord_status": order.ord_status.value,
        "is_uncertain": order.is_uncertain,
        "is_external": order.is_external,
        "reasons": list(order.reasons),
        "requests": [_request(request) for request in order.requests],
        "replaces": order.replaces,
        "replaced_by": order.replaced_by,
        "known_as": order.known_as,
        "triggered_by": order.triggered_by,
        "operator": order.operator,
        "block": order.block,
        "confirm": order.confirm,
        "egress": order.egress,
        **_time("placed_at", order.placed_at),
        **_time("updated_at", order.updated_at),
    }


def _request(request: Request) -> Document:
    return {
        "request_id": request.request_id,
        "kind": request.kind.value,
        "state": request.state.value,
        "reasons": list(request.reasons),
        "operator": request.operator,
        "replaced_by": request.replaced_by,
        "by": None if request.by is None else request.by.value,
        "order_qty": _number(request.order_qty),
        "price": _number(request.price),
        **_time("made_at", request.made_at),
    }


def _fill(replica: Replica, fill: Fill) -> Document:
    return {
        "account": fill.account,
        "client_order_id": fill.client_order_id,
        "venue_order_id": fill.venue_order_id,
        "trade_id": fill.trade_id,
        **_instrument(replica, fill.instrument),
        "side": fill.side.value,
        "last_qty": plain(fill.last_qty),
        "last_px": plain(fill.last_px),
        "fee": None if fill.fee is None else {"amount": plain(fill.fee.amount), "currency": fill.fee.currency},
        "is_maker": fill.is_maker,
        **_time("transact_time", fill.transact_time),
    }


def _alert(row: AlertRow) -> Document:
    return {
        "key": row.alert.key,
        "rule": row.alert.rule,
        "severity": row.alert.severity.value,
        "account": row.alert.account,
        "text": row.alert.text,
        "count": row.count,
        "is_active": row.is_active,
        "owner": row.alert.owner or None,
        "cause": row.alert.group,
        "action": row.alert.action or None,
        "acknowledged_by": row.acknowledged_by,
        "note": row.note,
        "snoozed_by": row.snoozed_by,
        **_time("snoozed_until", row.snoozed_until or None),
        "escalated": row.escalated,
        **_time("first_at", row.first_at),
        **_time("at", row.alert.at),
    }


def _instrument(replica: Replica, instrument: InstrumentId) -> Document:
    return {"instrument": _symbol(replica, instrument), "instrument_id": instrument}


def _symbol(replica: Replica, instrument: InstrumentId) -> str:
    """What people call it; the venue's own symbol while the instrument is not listed."""
    known = replica.instruments.get(instrument)
    return known.symbol if known is not None else instrument.partition(":")[2]


def _number(value: Decimal | None) -> str | None:
    return None if value is None else plain(value)


def _reckoned(value: Decimal | None) -> str | None:
    """A figure of ours that may not come out even, such as an average: to ten decimals. What the venue said stays exact."""
    if value is None:
        return None
    return plain(value.quantize(RECKONED, context=WIDE))


def _time(name: str, at: int | None) -> Document:
    """The moment `at` (ns since the epoch) for people and, exact, for programs; null for None and before the first."""
    if not at:
        return {name: None, f"{name}_ns": None}
    return {name: iso_time(at), f"{name}_ns": at}
